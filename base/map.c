/* Open addressing with linear probing over XXH3; grows at one half full. See map.h. */
#include "base/map.h"

#include <stdlib.h>
#include <string.h>

#include <xxhash.h>

struct slot {
    char *key; /* NULL: free */
    long value;
};

struct map {
    struct slot *slots;
    size_t size, used; /* size is a power of two */
};

static struct slot *slots_of(size_t n) {
    struct slot *s = calloc(n, sizeof *s);
    if (!s) abort();
    return s;
}

struct map *map_create(void) {
    struct map *m = malloc(sizeof *m);
    if (!m) abort();
    *m = (struct map){slots_of(64), 64, 0};
    return m;
}

void map_free(struct map *m) {
    if (!m) return;
    for (size_t i = 0; i < m->size; i++) free(m->slots[i].key);
    free(m->slots);
    free(m);
}

static struct slot *find(struct slot *slots, size_t size, const char *key) {
    size_t i = (size_t)XXH3_64bits(key, strlen(key)) & (size - 1);
    while (slots[i].key && strcmp(slots[i].key, key)) i = (i + 1) & (size - 1);
    return &slots[i];
}

static void grow(struct map *m) {
    struct slot *wider = slots_of(m->size * 2);
    for (size_t i = 0; i < m->size; i++)
        if (m->slots[i].key) *find(wider, m->size * 2, m->slots[i].key) = m->slots[i];
    free(m->slots);
    m->slots = wider;
    m->size *= 2;
}

size_t map_count(const struct map *m) {
    return m->used;
}

long map_get(const struct map *m, const char *key) {
    const struct slot *s = find(m->slots, m->size, key);
    return s->key ? s->value : MAP_NONE;
}

long map_add(struct map *m, const char *key, long value) {
    if (m->used * 2 >= m->size) grow(m);
    struct slot *s = find(m->slots, m->size, key);
    if (s->key) return s->value;
    if (!(s->key = strdup(key))) abort();
    s->value = value;
    m->used++;
    return value;
}

void map_set(struct map *m, const char *key, long value) {
    map_add(m, key, value);
    find(m->slots, m->size, key)->value = value;
}
