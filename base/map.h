/* A map from texts to numbers: open addressing, texts are copied. */
#ifndef BASE_MAP_H
#define BASE_MAP_H

#include <stddef.h>

struct map;
enum { MAP_NONE = -1 };

struct map *map_create(void); /* never NULL: aborts when memory is out */
void map_free(struct map *m);
size_t map_count(const struct map *m);
long map_get(const struct map *m, const char *key); /* MAP_NONE: not there */
/* Put unless it is there; returns the value that the map then holds. value >= 0 */
long map_add(struct map *m, const char *key, long value);
void map_set(struct map *m, const char *key, long value); /* put or replace */

#endif
