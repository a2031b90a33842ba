/* YAML trees: every value knows where it was written, and by what.
 *
 * libyaml parses; the tree is our own, with aliases expanded, so that overlays can change a copy.
 * Nodes live in an arena and are freed with it. Refused, each in one sentence with its place:
 * anything but one UTF-8 document whose root is a mapping, duplicate keys, tags, merge keys,
 * control characters, more than 1 MiB, 100,000 nodes or 32 levels. */
#ifndef SIM_YAML_H
#define SIM_YAML_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "base/text.h"

enum { YAML_BYTES = 1 << 20, YAML_NODES = 100000, YAML_DEPTH = 32 };

struct arena;
struct arena *arena_create(void);
void arena_free(struct arena *a);           /* and all that it gave */
void *arena_get(struct arena *a, size_t n); /* zeroed */
char *arena_text(struct arena *a, const char *text, size_t n);

enum node_kind { NODE_TEXT, NODE_LIST, NODE_MAP };

struct node {
    enum node_kind kind;
    bool quoted;        /* TEXT in quotes or a block scalar: never null, never a number */
    int layer;          /* 0 the file's body; higher: what was laid over it, later ones higher */
    const char *origin; /* "configs/x.yaml", "override 'a.b=1'" */
    int line, column;   /* of the value, from 1; line 0: the origin is all there is to say */
    const char *key;    /* in a map */
    int key_line, key_column;
    const char *text; /* TEXT */
    size_t n;         /* children */
    struct node *child, *last, *next;
};

/* Parse one document. `origin` is copied. */
int yaml_parse(struct arena *a, const char *text, size_t n, const char *origin, struct node **root,
               struct error *e);
int yaml_load(struct arena *a, const char *path, struct node **root, struct error *e);
/* Parse "1, 2" or "{a: b}" as the items of a flow list; every node gets `layer` and no line. */
int yaml_parse_items(struct arena *a, const char *text, const char *origin, int layer,
                     struct node **list, struct error *e);

bool node_is_null(const struct node *n); /* ~, null or nothing, not in quotes */
struct node *node_find(const struct node *map, const char *key); /* NULL: none */
struct node *node_item(const struct node *n, size_t i);
void node_flow(const struct node *n, struct text *t); /* as flow text, texts in quotes kept so */

/* A deep copy in `a`; texts are shared with the original. layer < 0 keeps each node's own. */
struct node *node_copy(struct arena *a, const struct node *n, int layer);
/* Put a copy of `value` at "a.b[0].c": missing mappings on the way are made, a mapping is merged
 * into one that is there, anything else replaces. */
int node_assign(struct arena *a, struct node *root, const char *path, const struct node *value,
                int layer, struct error *e);
/* Assign every entry of `overlay`, whose keys may be such paths. */
int node_merge(struct arena *a, struct node *root, const struct node *overlay, int layer,
               struct error *e);
/* Take a map's entry out; NULL: it has none. */
struct node *node_remove(struct node *map, const char *key);

/* STATUS_USAGE with "file:line:column: " in front: of the value, or of its key. */
int node_fail(const struct node *n, struct error *e, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
int node_fail_key(const struct node *n, struct error *e, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
