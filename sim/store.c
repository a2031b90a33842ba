/* Paths and listings of the store: see store.h. */
#include "sim/store.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/map.h"
#include "base/system.h"
#include "sim/numerics.h"

void store_at(struct store *s, const char *root) {
    char id[HASH_TEXT];
    numerics_id(id);
    snprintf(s->states, STORE_FOLDER, "%s/states/%s", root, id);
    snprintf(s->rows, STORE_FOLDER, "%s/rows/%s", root, id);
    snprintf(s->parts, STORE_FOLDER, "%s/parts/%s", root, id);
    snprintf(s->claims, STORE_FOLDER, "%s/claims/%s", root, id);
}

int store_make(const struct store *s, struct error *e) {
    const char *const folders[] = {s->states, s->rows, s->parts, s->claims};
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
        int status = system_make_folder(folders[i], e);
        if (status) return status;
        system_remove_temporaries(folders[i]);
    }
    return STATUS_OK;
}

void store_state_path(char path[STORE_PATH], const struct store *s, const struct timeline *t,
                      int64_t epoch, enum stored where) {
    if (where == STORED_PART)
        snprintf(path, STORE_PATH, "%s/%s-%s.state.h5", s->parts, t->key[epoch], t->measures);
    else
        snprintf(path, STORE_PATH, "%s/%s.h5", s->states, t->key[epoch]);
}

void store_rows_path(char path[STORE_PATH], const struct store *s, const struct timeline *t,
                     int64_t epoch, enum stored where) {
    bool part = where == STORED_PART;
    snprintf(path, STORE_PATH, "%s/%s-%s%s.h5", part ? s->parts : s->rows, t->key[epoch],
             t->measures, part ? ".rows" : "");
}

enum stored store_find(const struct store *s, const struct timeline *t, int64_t epoch) {
    char path[STORE_PATH];
    for (enum stored where = STORED_KEPT; where <= STORED_PART; where++) {
        store_state_path(path, s, t, epoch, where);
        if (access(path, R_OK)) continue;
        store_rows_path(path, s, t, epoch, where);
        if (!access(path, R_OK)) return where;
    }
    return STORED_NOT;
}

void store_remove_parts(const struct store *s, const struct timeline *t, int64_t first,
                        int64_t last) {
    char path[STORE_PATH];
    for (int64_t epoch = first; epoch <= last; epoch++) {
        store_rows_path(path, s, t, epoch, STORED_PART);
        unlink(path);
        store_state_path(path, s, t, epoch, STORED_PART);
        unlink(path);
    }
}

void store_claim_path(char path[STORE_PATH], const struct store *s, const struct timeline *t) {
    snprintf(path, STORE_PATH, "%s/%s", s->claims, t->run_id);
}

/* ---- what is there --------------------------------------------------------------------------- */

struct shelf {
    struct map *states, *rows, *parts; /* names without ".h5" */
};

static struct map *list(const char *folder) {
    char name[256];
    struct map *m = map_create();
    DIR *d = opendir(folder);
    for (struct dirent *f; d && (f = readdir(d));) {
        size_t n = strlen(f->d_name);
        if (n < 4 || n >= sizeof name || strcmp(f->d_name + n - 3, ".h5") != 0) continue;
        snprintf(name, sizeof name, "%.*s", (int)(n - 3), f->d_name);
        map_add(m, name, 0);
    }
    if (d) closedir(d);
    return m;
}

struct shelf *shelf_read(const struct store *s) {
    struct shelf *made = malloc(sizeof *made);
    if (!made) abort();
    *made = (struct shelf){list(s->states), list(s->rows), list(s->parts)};
    return made;
}

void shelf_free(struct shelf *s) {
    if (!s) return;
    map_free(s->states);
    map_free(s->rows);
    map_free(s->parts);
    free(s);
}

static bool has_with(const struct map *m, const struct timeline *t, int64_t epoch,
                     const char *ending) {
    char name[2 * HASH_TEXT + 8], *end = name;
    if (map_count(m) == 0) return false;
    end = stpcpy(end, t->key[epoch]); /* no printf: this is asked for every epoch of every run */
    end = stpcpy(end, "-");
    end = stpcpy(end, t->measures);
    stpcpy(end, ending);
    return map_get(m, name) != MAP_NONE;
}

bool shelf_has(const struct shelf *s, const struct timeline *t, int64_t epoch) {
    return map_get(s->states, t->key[epoch]) != MAP_NONE && has_with(s->rows, t, epoch, "");
}

static bool has_part(const struct shelf *s, const struct timeline *t, int64_t epoch) {
    return has_with(s->parts, t, epoch, ".state") && has_with(s->parts, t, epoch, ".rows");
}

int64_t shelf_deepest(const struct shelf *s, const struct timeline *t) {
    int64_t epoch = map_count(s->states) + map_count(s->parts) ? t->total : -1;
    while (epoch >= 0 && !shelf_has(s, t, epoch) && !has_part(s, t, epoch)) epoch--;
    return epoch;
}

int64_t shelf_deepest_state(const struct shelf *s, const struct timeline *t) {
    int64_t epoch = map_count(s->states) ? t->total : -1;
    while (epoch >= 0 && map_get(s->states, t->key[epoch]) == MAP_NONE) epoch--;
    return epoch;
}
