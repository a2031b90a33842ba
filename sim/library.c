/* Data sets by their settings and seed: see library.h. */
#include "sim/library.h"

#include <stdbool.h>
#include <stdlib.h>

#include "base/hash.h"
#include "base/map.h"
#include "sim/data.h"

/* Data sets are kept for the workers until they fill this many bytes; later ones are loaded by
 * each worker anew. */
enum { LIBRARY_BYTES = 1 << 30 };

struct entry {
    struct dataset data; /* examples freed when not kept */
    bool kept;
};

struct library {
    struct entry *entries;
    size_t n, bytes;
    struct map *by_key;
};

struct library *library_create(void) {
    struct library *l = calloc(1, sizeof *l);
    if (!l) abort();
    l->by_key = map_create();
    return l;
}

void library_free(struct library *l) {
    if (!l) return;
    for (size_t i = 0; i < l->n; i++)
        if (l->entries[i].kept) data_free(&l->entries[i].data);
    free(l->entries);
    map_free(l->by_key);
    free(l);
}

static size_t dataset_bytes(const struct dataset *d) {
    size_t n = d->train.n + d->validation.n + d->test.n, bytes = 0;
    for (size_t m = 0; m < d->modalities_n; m++) bytes += modality_bytes(&d->modality[m]);
    return n * bytes;
}

static void data_key(const struct config *c, char key[HASH_TEXT]) {
    struct hash *h = hash_create();
    for (size_t i = 0; i < c->data.n; i++) hash_text(h, c->data.values[i].text);
    hash_int(h, (int64_t)c->data_seed);
    hash_digest(h, key);
    hash_free(h);
}

int library_add(struct library *l, const struct config *c, size_t *which, struct error *e) {
    char key[HASH_TEXT];
    data_key(c, key);
    long found = map_get(l->by_key, key);
    if (found != MAP_NONE) {
        *which = (size_t)found;
        return STATUS_OK;
    }
    struct dataset d;
    int status = data_load(&c->data, c->data_seed, &d, e);
    if (status) return status;
    struct entry *grown = realloc(l->entries, (l->n + 1) * sizeof *grown);
    if (!grown) abort();
    l->entries = grown;
    bool kept = l->bytes + dataset_bytes(&d) <= LIBRARY_BYTES;
    if (kept) l->bytes += dataset_bytes(&d);
    l->entries[l->n] = (struct entry){d, kept};
    if (!kept) data_free(&d);
    *which = (size_t)map_add(l->by_key, key, (long)l->n++);
    return STATUS_OK;
}

const struct dataset *library_about(const struct library *l, size_t which) {
    return &l->entries[which].data;
}

int library_get(const struct library *l, size_t which, const struct config *c, struct dataset **d,
                struct error *e) {
    *d = &l->entries[which].data;
    if (l->entries[which].kept) return STATUS_OK;
    *d = malloc(sizeof **d);
    if (!*d) abort();
    int status = data_load(&c->data, c->data_seed, *d, e);
    if (status) free(*d);
    return status;
}

void library_release(const struct library *l, size_t which, struct dataset *d) {
    if (l->entries[which].kept) return;
    data_free(d);
    free(d);
}
