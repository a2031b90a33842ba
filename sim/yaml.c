/* YAML text -> trees of nodes: see yaml.h.
 *
 * The bytes are checked first (encoding, controls), so that libyaml sees clean UTF-8 and every
 * complaint has a line. The traps: a document with aliases is a graph, possibly a cyclic one or one
 * that expands to billions of nodes, so depth and nodes are counted while it is copied; libyaml
 * accepts duplicate keys; a parser error has its place in problem_mark, a reader error has none. */
#include "sim/yaml.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <yaml.h>

/* ---- arena ----------------------------------------------------------------------------------- */

enum { CHUNK = 32 * 1024 };

struct chunk {
    struct chunk *next;
    size_t used, room;
    max_align_t data[];
};

struct arena {
    struct chunk *first; /* the one in use */
};

struct arena *arena_create(void) {
    return text_room(1, sizeof(struct arena));
}

void arena_free(struct arena *a) {
    if (!a) return;
    for (struct chunk *c = a->first, *next; c; c = next) {
        next = c->next;
        free(c);
    }
    free(a);
}

void *arena_get(struct arena *a, size_t n) {
    n = (n + sizeof(max_align_t) - 1) / sizeof(max_align_t) * sizeof(max_align_t);
    if (!a->first || a->first->room - a->first->used < n) {
        size_t room = n > CHUNK ? n : CHUNK;
        struct chunk *c = malloc(sizeof *c + room);
        if (!c) abort();
        *c = (struct chunk){.next = a->first, .room = room};
        a->first = c;
    }
    void *memory = (char *)a->first->data + a->first->used;
    a->first->used += n;
    return memset(memory, 0, n);
}

char *arena_text(struct arena *a, const char *text, size_t n) {
    char *copy = arena_get(a, n + 1);
    memcpy(copy, text, n);
    return copy;
}

/* ---- sentences with a place ------------------------------------------------------------------ */

static int fail_at(const char *origin, int line, int column, struct error *e, const char *format,
                   va_list args) {
    char sentence[sizeof e->text];
    vsnprintf(sentence, sizeof sentence, format, args);
    for (char *c = sentence; *c; c++) /* a user's key may hold a line break */
        if ((unsigned char)*c < 0x20) *c = '?';
    if (line == 0) return error_set(e, STATUS_USAGE, "%s: %s", origin, sentence);
    return error_set(e, STATUS_USAGE, "%s:%d:%d: %s", origin, line, column, sentence);
}

int node_fail(const struct node *n, struct error *e, const char *format, ...) {
    va_list args;
    va_start(args, format);
    int status = fail_at(n->origin, n->line, n->column, e, format, args);
    va_end(args);
    return status;
}

int node_fail_key(const struct node *n, struct error *e, const char *format, ...) {
    va_list args;
    va_start(args, format);
    int line = n->key_line ? n->key_line : n->line;
    int column = n->key_line ? n->key_column : n->column;
    int status = fail_at(n->origin, line, column, e, format, args);
    va_end(args);
    return status;
}

/* ---- bytes ----------------------------------------------------------------------------------- */

/* Length of the UTF-8 sequence at s and its code point; 0: malformed, overlong or a surrogate. */
static size_t utf8_read(const unsigned char *s, size_t n, uint32_t *point) {
    static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t length = *s < 0x80 ? 1 : *s >> 5 == 6 ? 2 : *s >> 4 == 14 ? 3 : *s >> 3 == 30 ? 4 : 0;
    if (length == 0 || length > n) return 0;
    uint32_t c = length == 1 ? *s : *s & (0xFFu >> (length + 1));
    for (size_t i = 1; i < length; i++) {
        if (s[i] >> 6 != 2) return 0;
        c = c << 6 | (s[i] & 0x3F);
    }
    *point = c;
    bool surrogate = c >= 0xD800 && c <= 0xDFFF;
    return c < smallest[length] || c > 0x10FFFF || surrogate ? 0 : length;
}

static bool is_control(uint32_t c) {
    bool allowed = c == '\t' || c == '\n' || c == '\r' || c == 0x85;
    return !allowed && (c < 0x20 || (c >= 0x7F && c < 0xA0) || c == 0xFFFE || c == 0xFFFF);
}

/* libyaml would take UTF-16 and say little about bad bytes; here each has its place. */
static int check_bytes(const char *text, size_t n, struct node *at, struct error *e) {
    const unsigned char *s = (const unsigned char *)text;
    if (n >= 2 && (!memcmp(s, "\xFF\xFE", 2) || !memcmp(s, "\xFE\xFF", 2)))
        return error_set(e, STATUS_USAGE, "%s: is UTF-16 or UTF-32; save it as UTF-8", at->origin);
    at->line = at->column = 1;
    for (size_t i = 0, length; i < n; i += length) {
        uint32_t c = 0;
        length = utf8_read(s + i, n - i, &c);
        if (length == 0) return node_fail(at, e, "is not UTF-8 here (byte 0x%02X)", s[i]);
        if (c == 0) return node_fail(at, e, "has a NUL byte here; a config is UTF-8 text");
        if (is_control(c))
            return node_fail(at, e, "has the control character U+%04X here; remove it",
                             (unsigned)c);
        at->column = c == '\n' ? 1 : at->column + 1;
        if (c == '\n') at->line++;
    }
    return STATUS_OK;
}

/* libyaml takes quadratic time over nested flow lists and over anchors: minutes for a megabyte of
 * either. Brackets in quotes count too, hence limits that no config comes near. */
static int check_cost(const char *text, size_t n, struct node *at, struct error *e) {
    enum { BRACKETS = 256, ANCHORS = 2048 };
    size_t open = 0, anchors = 0;
    char before = '\n';
    for (size_t i = 0; i < n; before = text[i++]) {
        if (text[i] == '#' && strchr(" \t\n", before)) { /* a comment may well speak of [0, 40) */
            const char *end = memchr(text + i, '\n', n - i);
            i = end ? (size_t)(end - text) : n - 1;
        }
        if (text[i] == '[' || text[i] == '{') open++;
        if ((text[i] == ']' || text[i] == '}') && open) open--;
        if (text[i] == '&' && strchr(" \t\n,[{", before)) anchors++;
        if (open > BRACKETS || anchors > ANCHORS) break;
    }
    at->line = 0;
    if (open > BRACKETS) return node_fail(at, e, "is nested deeper than %d levels", YAML_DEPTH);
    if (anchors > ANCHORS) return node_fail(at, e, "has more than %d anchors (&)", ANCHORS);
    return STATUS_OK;
}

/* ---- libyaml's document -> nodes ------------------------------------------------------------- */

struct builder {
    struct arena *arena;
    const char *origin; /* lives in the arena */
    yaml_document_t *document;
    size_t nodes;
    struct error *e;
};

static void node_place(struct node *n, yaml_mark_t mark) {
    n->line = (int)mark.line + 1;
    n->column = (int)mark.column + 1;
}

static int check_tag(struct builder *b, const struct node *n, const yaml_node_t *from) {
    static const char *const plain[] = {[NODE_TEXT] = YAML_DEFAULT_SCALAR_TAG,
                                        [NODE_LIST] = YAML_DEFAULT_SEQUENCE_TAG,
                                        [NODE_MAP] = YAML_DEFAULT_MAPPING_TAG};
    const char *tag = (const char *)from->tag;
    if (!tag || !strcmp(tag, plain[n->kind])) return STATUS_OK;
    size_t core = strlen("tag:yaml.org,2002:");
    bool standard = !strncmp(tag, plain[NODE_TEXT], core);
    return node_fail(n, b->e, "tags have no meaning here: remove '%s%s'", standard ? "!!" : "",
                     text_shown(standard ? tag + core : tag).text);
}

static int node_build(struct builder *b, int id, int depth, struct node *n);

static void node_add(struct node *parent, struct node *child) {
    if (parent->last)
        parent->last->next = child;
    else
        parent->child = child;
    parent->last = child;
    parent->n++;
}

static int build_list(struct builder *b, const yaml_node_t *from, int depth, struct node *list) {
    const yaml_node_item_t *item = from->data.sequence.items.start;
    for (; item < from->data.sequence.items.top; item++) {
        struct node *child = arena_get(b->arena, sizeof *child);
        int status = node_build(b, *item, depth + 1, child);
        if (status) return status;
        node_add(list, child);
    }
    return STATUS_OK;
}

static int build_key(struct builder *b, int id, struct node *n) {
    const yaml_node_t *key = yaml_document_get_node(b->document, id);
    node_place(n, key->start_mark);
    n->origin = b->origin;
    n->key_line = n->line;
    n->key_column = n->column;
    if (key->type != YAML_SCALAR_NODE)
        return node_fail(n, b->e, "a key must be a plain name, as in 'seed: 1'");
    n->key = arena_text(b->arena, (const char *)key->data.scalar.value, key->data.scalar.length);
    if (strlen(n->key) != key->data.scalar.length)
        return node_fail(n, b->e, "has a NUL character in a key; remove it");
    if (!strcmp(n->key, "<<"))
        return node_fail(n, b->e,
                         "merge keys ('<<') are not part of imprint's YAML: repeat the "
                         "keys, or use a profile or a sweep overlay");
    return STATUS_OK;
}

static int node_by_key(const void *a, const void *b) {
    const struct node *const *x = a, *const *y = b;
    int order = strcmp((*x)->key, (*y)->key);
    if (order) return order;
    return (*x)->key_line != (*y)->key_line ? (*x)->key_line - (*y)->key_line
                                            : (*x)->key_column - (*y)->key_column;
}

static int check_duplicates(struct builder *b, const struct node *map) {
    const struct node **sorted = text_room(map->n, sizeof *sorted);
    size_t n = 0;
    for (const struct node *c = map->child; c; c = c->next) sorted[n++] = c;
    qsort(sorted, n, sizeof *sorted, node_by_key);
    int status = STATUS_OK;
    for (size_t i = 1; i < n && !status; i++)
        if (!strcmp(sorted[i - 1]->key, sorted[i]->key))
            status = node_fail_key(sorted[i], b->e, "duplicate key '%s' (first on line %d)",
                                   text_shown(sorted[i]->key).text, sorted[i - 1]->key_line);
    free(sorted);
    return status;
}

static int build_map(struct builder *b, const yaml_node_t *from, int depth, struct node *map) {
    const yaml_node_pair_t *pair = from->data.mapping.pairs.start;
    for (; pair < from->data.mapping.pairs.top; pair++) {
        struct node *child = arena_get(b->arena, sizeof *child);
        int status = build_key(b, pair->key, child);
        if (!status) status = node_build(b, pair->value, depth + 1, child);
        if (status) return status;
        node_add(map, child);
    }
    return map->n > 1 ? check_duplicates(b, map) : STATUS_OK;
}

static int build_text(struct builder *b, const yaml_node_t *from, struct node *n) {
    n->text = arena_text(b->arena, (const char *)from->data.scalar.value, from->data.scalar.length);
    n->quoted = from->data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
    if (strlen(n->text) != from->data.scalar.length)
        return node_fail(n, b->e, "has a NUL character ('\\0') in a text; remove it");
    return STATUS_OK;
}

static int node_build(struct builder *b, int id, int depth, struct node *n) {
    const yaml_node_t *from = yaml_document_get_node(b->document, id);
    n->kind = from->type == YAML_MAPPING_NODE    ? NODE_MAP
              : from->type == YAML_SEQUENCE_NODE ? NODE_LIST
                                                 : NODE_TEXT;
    n->origin = b->origin;
    node_place(n, from->start_mark);
    if (depth > YAML_DEPTH)
        return node_fail(n, b->e, "is nested deeper than %d levels", YAML_DEPTH);
    if (++b->nodes > YAML_NODES)
        return node_fail(n, b->e,
                         "the file holds more than %d values once its aliases are expanded",
                         YAML_NODES);
    int status = check_tag(b, n, from);
    if (status) return status;
    if (n->kind == NODE_MAP) return build_map(b, from, depth, n);
    if (n->kind == NODE_LIST) return build_list(b, from, depth, n);
    return build_text(b, from, n);
}

/* ---- parsing --------------------------------------------------------------------------------- */

static int fail_parser(const yaml_parser_t *p, struct node *at, struct error *e) {
    if (p->error == YAML_MEMORY_ERROR) abort();
    node_place(at, p->problem_mark);
    const char *problem = p->problem ? p->problem : "it cannot be read";
    const char *hint = strstr(problem, "cannot start any token")
                           ? "; tabs cannot indent, and text that begins with % @ ` needs quotes"
                           : "";
    return node_fail(at, e, "is not valid YAML: %s%s%s%s", problem, p->context ? " " : "",
                     p->context ? p->context : "", hint);
}

static int build_root(struct builder *b, struct node *at, struct node **root) {
    const yaml_node_t *top = yaml_document_get_root_node(b->document);
    at->line = 0;
    if (!top)
        return node_fail(at, b->e,
                         "is empty; a config needs at least 'data' and 'net' "
                         "(configs/ has examples)");
    *root = arena_get(b->arena, sizeof **root);
    return node_build(b, 1, 1, *root);
}

/* One document and no more. The parser stops at the first document's end, so ask it again. */
static int check_single(yaml_parser_t *p, struct node *at, struct error *e) {
    yaml_document_t second;
    if (!yaml_parser_load(p, &second)) return fail_parser(p, at, e);
    const yaml_node_t *top = yaml_document_get_root_node(&second);
    if (top) node_place(at, second.start_mark);
    yaml_document_delete(&second);
    return top ? node_fail(at, e, "a second document begins here; one file holds one config")
               : STATUS_OK;
}

int yaml_parse(struct arena *a, const char *text, size_t n, const char *origin, struct node **root,
               struct error *e) {
    struct node at = {.origin = arena_text(a, origin, strlen(origin))};
    if (n >= 3 && !memcmp(text, "\xEF\xBB\xBF", 3)) { /* the mark that some editors write */
        text += 3;
        n -= 3;
    }
    int status = check_bytes(text, n, &at, e);
    if (!status) status = check_cost(text, n, &at, e);
    if (status) return status;
    yaml_parser_t parser;
    yaml_document_t document;
    if (!yaml_parser_initialize(&parser)) abort();
    yaml_parser_set_input_string(&parser, (const unsigned char *)text, n);
    yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING);
    if (!yaml_parser_load(&parser, &document)) {
        status = fail_parser(&parser, &at, e);
    } else {
        struct builder b = {.arena = a, .origin = at.origin, .document = &document, .e = e};
        status = build_root(&b, &at, root);
        if (!status) status = check_single(&parser, &at, e);
        yaml_document_delete(&document);
    }
    yaml_parser_delete(&parser);
    return status;
}

static int fail_file(const char *path, struct error *e, const char *what) {
    return error_set(e, STATUS_USAGE, "%s: %s", path, what);
}

static int read_all(int file, const char *path, struct text *t, struct error *e) {
    char block[16384];
    for (;;) {
        ssize_t n = read(file, block, sizeof block);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return fail_file(path, e, strerror(errno));
        if (n == 0) return STATUS_OK;
        text_put(t, block, (size_t)n);
        if (t->n > YAML_BYTES) return fail_file(path, e, "is larger than 1 MiB; it is no config");
    }
}

static int read_file(const char *path, struct text *t, struct error *e) {
    struct stat about;
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0)
        return error_set(e, STATUS_USAGE, "%s: cannot open the config: %s", path, strerror(errno));
    int status = STATUS_OK;
    if (!fstat(file, &about) && S_ISDIR(about.st_mode))
        status = fail_file(path, e, "is a directory; name a config file in it");
    if (!status) status = read_all(file, path, t, e);
    close(file);
    return status;
}

int yaml_load(struct arena *a, const char *path, struct node **root, struct error *e) {
    struct text t = {0};
    int status = read_file(path, &t, e);
    if (!status) status = yaml_parse(a, t.data ? t.data : "", t.n, path, root, e);
    if (!status && (*root)->kind != NODE_MAP)
        status = node_fail(*root, e, "a config is a mapping of keys, as in 'seed: 1'");
    free(t.data);
    return status;
}

static void node_relabel(struct node *n, int layer) {
    n->layer = layer;
    n->line = n->key_line = 0;
    for (struct node *c = n->child; c; c = c->next) node_relabel(c, layer);
}

int yaml_parse_items(struct arena *a, const char *text, const char *origin, int layer,
                     struct node **list, struct error *e) {
    struct text t = {0};
    struct error inner = {0};
    text_add(&t, "[%s]", text);
    int status = yaml_parse(a, t.data, t.n, origin, list, &inner);
    free(t.data);
    if (status)
        return error_set(e, STATUS_USAGE, "%s: the value is not valid YAML; put it in quotes",
                         origin);
    node_relabel(*list, layer);
    return STATUS_OK;
}

/* ---- trees ----------------------------------------------------------------------------------- */

bool node_is_null(const struct node *n) {
    return n->kind == NODE_TEXT && !n->quoted &&
           (!*n->text || !strcmp(n->text, "~") || !strcasecmp(n->text, "null"));
}

struct node *node_find(const struct node *map, const char *key) {
    for (struct node *c = map->child; c; c = c->next)
        if (!strcmp(c->key, key)) return c;
    return NULL;
}

struct node *node_item(const struct node *n, size_t i) {
    struct node *c = n->child;
    while (c && i--) c = c->next;
    return c;
}

void node_flow(const struct node *n, struct text *t) {
    if (n->kind == NODE_TEXT) {
        if (n->quoted || strpbrk(n->text, ",[]{}\"'\n"))
            text_quote(t, n->text);
        else
            text_add(t, "%s", node_is_null(n) ? "~" : n->text);
        return;
    }
    text_add(t, n->kind == NODE_LIST ? "[" : "{");
    for (const struct node *c = n->child; c; c = c->next) {
        if (c != n->child) text_add(t, ", ");
        if (n->kind == NODE_MAP) text_add(t, "%s: ", c->key);
        node_flow(c, t);
    }
    text_add(t, n->kind == NODE_LIST ? "]" : "}");
}

struct node *node_copy(struct arena *a, const struct node *n, int layer) {
    struct node *copy = arena_get(a, sizeof *copy);
    *copy = *n;
    copy->child = copy->last = copy->next = NULL;
    copy->n = 0;
    if (layer >= 0) copy->layer = layer;
    for (const struct node *c = n->child; c; c = c->next) node_add(copy, node_copy(a, c, layer));
    return copy;
}

struct node *node_remove(struct node *map, const char *key) {
    struct node *before = NULL, *c = map->child;
    while (c && strcmp(c->key, key) != 0) {
        before = c;
        c = c->next;
    }
    if (!c) return NULL;
    if (before)
        before->next = c->next;
    else
        map->child = c->next;
    if (map->last == c) map->last = before;
    map->n--;
    c->next = NULL;
    return c;
}

/* ---- paths ----------------------------------------------------------------------------------- */

/* One step of "a.b[0].c": a name, or an index when name is empty. */
struct step {
    char name[64];
    size_t index;
    const char *rest; /* after the step and its dot */
};

static bool index_read(const char *path, struct step *s) {
    char *end;
    s->name[0] = '\0';
    s->index = strtoul(path + 1, &end, 10);
    if (path[1] < '0' || path[1] > '9' || end - path > 8 || *end != ']') return false;
    s->rest = end + 1;
    return true;
}

static bool step_read(const char *path, struct step *s) {
    if (*path == '[') {
        if (!index_read(path, s)) return false;
    } else {
        size_t n = strcspn(path, ".[]");
        if (n == 0 || n >= sizeof s->name) return false;
        memcpy(s->name, path, n);
        s->name[n] = '\0';
        s->rest = path + n;
    }
    if (*s->rest == '.') return s->rest[1] && s->rest[1] != '[' ? (s->rest++, true) : false;
    return !*s->rest || *s->rest == '[';
}

/* Replace what a node holds and keep its name and its place among its siblings. */
static void node_replace(struct arena *a, struct node *old, const struct node *value, int layer) {
    struct node *next = old->next, *copy = node_copy(a, value, layer);
    const char *key = old->key;
    *old = *copy;
    old->next = next;
    old->key = key;
}

static bool node_same_text(const struct node *a, const struct node *b) {
    return a->kind == NODE_TEXT && b->kind == NODE_TEXT && a->quoted == b->quoted &&
           !strcmp(a->text, b->text);
}

static struct node node_empty_map(const struct node *like) {
    struct node empty = *like;
    empty.kind = NODE_MAP;
    empty.child = empty.last = NULL;
    empty.n = 0;
    return empty;
}

/* Maps are merged entry by entry, as their keys may be paths. Writing the same text again changes
 * nothing, not even who wrote it. */
static int node_put(struct arena *a, struct node *old, const struct node *value, int layer,
                    struct error *e) {
    const struct node empty = node_empty_map(value);
    bool is_map = value->kind == NODE_MAP;
    if (is_map ? old->kind != NODE_MAP : !node_same_text(old, value))
        node_replace(a, old, is_map ? &empty : value, layer);
    return is_map ? node_merge(a, old, value, layer, e) : STATUS_OK;
}

/* A new entry: an empty map, or the value itself when it is none and the path ends here. */
static struct node *node_make(struct arena *a, struct node *map, const struct step *s,
                              const struct node *value, int layer) {
    const struct node empty = node_empty_map(value);
    bool is_map = *s->rest || value->kind == NODE_MAP;
    struct node *made = node_copy(a, is_map ? &empty : value, layer);
    made->key = arena_text(a, s->name, strlen(s->name));
    node_add(map, made);
    return made;
}

static void node_become_map(struct node *n) {
    if (!node_is_null(n)) return;
    n->kind = NODE_MAP;
    n->text = NULL;
}

static int step_into(struct arena *a, struct node *at, const struct step *s,
                     const struct node *value, int layer, struct node **next, struct error *e) {
    const char *name = at->key ? at->key : "the config";
    node_become_map(at);
    if (!*s->name) {
        if (at->kind != NODE_LIST)
            return node_fail_key(value, e, "'%s' is no list and has no entry [%zu]", name,
                                 s->index);
        *next = node_item(at, s->index);
        if (*next) return STATUS_OK;
        return node_fail_key(value, e, "%s[%zu] does not exist (the list has %zu)", name, s->index,
                             at->n);
    }
    if (at->kind == NODE_LIST)
        return node_fail_key(value, e, "'%s' is a list: write %s[0].%s", name, name, s->name);
    if (at->kind == NODE_TEXT)
        return node_fail_key(value, e, "'%s' is one value and has no key '%s'", name, s->name);
    *next = node_find(at, s->name);
    if (!*next && *s->rest == '[')
        return node_fail_key(value, e, "there is no list '%s' to have the entry %s", s->name,
                             s->rest);
    if (!*next) *next = node_make(a, at, s, value, layer);
    return STATUS_OK;
}

int node_assign(struct arena *a, struct node *root, const char *path, const struct node *value,
                int layer, struct error *e) {
    struct node *at = root, *next;
    const char *rest = path;
    do {
        struct step s;
        next = at->kind == NODE_MAP ? node_find(at, rest) : NULL;
        if (next) { /* the rest, dots and all, is itself a key */
            at = next;
            break;
        }
        if (!step_read(rest, &s))
            return node_fail_key(value, e, "'%s' is no key (write it as in deficits[0].until)",
                                 text_shown(path).text);
        int status = step_into(a, at, &s, value, layer, &next, e);
        if (status) return status;
        assert(next);
        at = next;
        rest = s.rest;
    } while (*rest);
    return node_put(a, at, value, layer, e);
}

int node_merge(struct arena *a, struct node *root, const struct node *overlay, int layer,
               struct error *e) {
    for (const struct node *c = overlay->child; c; c = c->next) {
        int status = node_assign(a, root, c->key, c, layer, e);
        if (status) return status;
    }
    return STATUS_OK;
}
