/* One run's config: tree -> settings, dump, copy. See config.h and resolve.h.
 *
 * One walk over the schema's sections does it all: each mapping is matched with its section, the
 * section's plug-in is looked up first (its keys join the section's), then every entry is a value,
 * a section inside, or an error.
 *
 * The trap is an overlay that changes a plug-in (`--profile`, a sweep, `train.lr.schedule=step`):
 * the body's keys of the old plug-in (gamma) would be unknown to the new one. So a key that a lower
 * layer than the plug-in's name wrote, and that only other plug-ins know, is dropped. In the same
 * way a later layer's train.epochs.total replaces an earlier after_removal. */
#include "sim/config.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/resolve.h"
#include "sim/schema.h"
#include "sim/yaml.h"

enum { SHOWN = 96 };

struct resolver {
    struct config *c;
    const struct node *root;
    const struct section *sections;
    size_t sections_n;
    int layer; /* of what was refused */
    struct error *e;
};

/* A section's place in the config: for a list, of one entry. */
static struct settings *section_settings(struct config *c, const struct section *s, size_t i) {
    return (struct settings *)((char *)c + s->settings) + i;
}

static const void **section_self(struct config *c, const struct section *s, size_t i) {
    return (const void **)((char *)c + s->self) + i;
}

static size_t *section_count(struct config *c, const struct section *s) {
    return (size_t *)((char *)c + s->count);
}

static size_t section_entries(struct config *c, const struct section *s) {
    return s->limit ? *section_count(c, s) : 1;
}

/* ---- complaints ------------------------------------------------------------------------------ */

static int refuse(struct resolver *r, const struct node *n, int status) {
    r->layer = n->layer;
    return status;
}

static const char *dot(const char *shown) {
    return *shown ? "." : "";
}

/* "train.lr" and "base": "train.lr.base", cut at the room there is. No printf: thousands of configs
 * have a hundred paths each, and a library that is linked may have made every printf slow. */
static void path_join(char *path, size_t size, const char *shown, const char *key) {
    const char *const parts[] = {shown, dot(shown), key};
    size_t n = 0;
    for (size_t i = 0; i < 3; i++)
        for (const char *c = parts[i]; *c && n + 1 < size; c++) path[n++] = *c;
    path[n] = '\0';
}

/* The keys that join a section's own: its plug-in's, and those of the plug-in that this one wraps. */
struct joined {
    const struct param *plugin, *wrapped;
};

/* The known keys of a mapping, one after the other. */
struct keys {
    const struct resolver *r;
    const struct section *section;
    struct joined more;
    size_t at, from;
};

static const char *keys_next(struct keys *k) {
    const struct param *tables[] = {k->section->params, k->more.plugin, k->more.wrapped};
    for (; k->from < sizeof tables / sizeof *tables; k->from++, k->at = 0)
        if (tables[k->from] && tables[k->from][k->at].name) return tables[k->from][k->at++].name;
    for (; k->at < k->r->sections_n; k->at++)
        if (section_inside(&k->r->sections[k->at], k->section))
            return section_key(&k->r->sections[k->at++]);
    return NULL;
}

static int refuse_key(struct resolver *r, const struct section *s, struct joined more,
                      const char *shown, const struct node *n) {
    enum { KNOWN = 12 };
    struct keys keys = {.r = r, .section = s, .more = more}, all = keys;
    struct text_nearest near = {.wanted = n->key};
    struct text hint = {0};
    char path[64];
    for (const char *name; (name = keys_next(&keys));) text_nearest_try(&near, name);
    if (strpbrk(n->key, ".[")) {
        text_add(&hint, "write it nested, as in 'train: {batch: 64}'");
    } else if (near.best) {
        text_add(&hint, "did you mean '%s'?", near.best);
    } else if (schema_elsewhere(n->key, path)) {
        text_add(&hint, "did you mean '%s'?", path);
    } else {
        text_add(&hint, "known:");
        size_t i = 0;
        for (const char *name; (name = keys_next(&all)) && i < KNOWN; i++)
            text_add(&hint, "%s %s", i ? "," : "", name);
        if (i == KNOWN) text_add(&hint, ", ...");
    }
    int status = node_fail_key(n, r->e, "%s%s%s: unknown key (%s)", shown, dot(shown),
                               text_shown(n->key).text, hint.data);
    free(hint.data);
    return refuse(r, n, status);
}

static int refuse_plugin(struct resolver *r, const struct registry *registry, const char *shown,
                         const struct node *n, const char *name) {
    struct plugin p;
    struct text_nearest near = {.wanted = name};
    struct text hint = {0};
    for (size_t i = 0; registry->at(i, &p); i++) text_nearest_try(&near, p.name);
    if (near.best) {
        text_add(&hint, "did you mean '%s'?", near.best);
    } else {
        text_add(&hint, "known: ");
        registry_list(registry, &hint);
    }
    int status = node_fail(n, r->e, "%s: there is no %s '%s' (%s)", shown, registry->noun,
                           text_shown(name).text, hint.data);
    free(hint.data);
    return refuse(r, n, status);
}

static int refuse_missing(struct resolver *r, const struct section *s, const struct param *p,
                          const char *shown, const struct node *map) {
    struct text known = {0};
    if (s->tag && !strcmp(s->tag, p->name)) {
        text_add(&known, "; give one of ");
        registry_list(s->registry, &known);
    }
    int status = node_fail_key(map, r->e, "%s%s%s is missing%s", shown, dot(shown), p->name,
                               known.data ? known.data : "");
    free(known.data);
    return refuse(r, map, status);
}

static int refuse_kind(struct resolver *r, const struct node *n, const char *shown,
                       const char *wanted) {
    static const char *const kinds[] = {
        [NODE_TEXT] = "a single value", [NODE_LIST] = "a list", [NODE_MAP] = "a mapping"};
    return refuse(r, n,
                  node_fail(n, r->e, "%s: must be %s, not %s", shown, wanted, kinds[n->kind]));
}

/* ---- values ---------------------------------------------------------------------------------- */

static bool param_is_list(const struct param *p) {
    return p->type == PARAM_INTS || p->type == PARAM_TEXTS;
}

static int check_items(struct resolver *r, const char *shown, const struct node *list) {
    char item[3 * SHOWN];
    size_t i = 0;
    for (const struct node *c = list->child; c; c = c->next, i++) {
        if (c->kind == NODE_TEXT) continue;
        snprintf(item, sizeof item, "%s[%zu]", shown, i);
        return refuse_kind(r, c, item, "a single value");
    }
    return STATUS_OK;
}

static int check_kind(struct resolver *r, const struct param *p, const char *shown,
                      const struct node *n) {
    enum node_kind wanted = param_is_list(p) ? NODE_LIST : NODE_TEXT;
    if (n->kind == wanted || node_is_null(n)) return check_items(r, shown, n);
    if (wanted == NODE_TEXT) return refuse_kind(r, n, shown, "a single value");
    return refuse_kind(r, n, shown,
                       p->type == PARAM_INTS ? "a list, as in [1, 2]" : "a list, as in [a, b]");
}

static int value_read(struct resolver *r, struct settings *s, const struct param *p,
                      const char *shown, const struct node *n) {
    char path[2 * SHOWN];
    struct text flow = {0};
    struct error e = {0};
    path_join(path, sizeof path, shown, p->name);
    int status = check_kind(r, p, path, n);
    if (status) return status;
    const char *text = n->text;
    if (n->kind == NODE_LIST || n->quoted) {
        node_flow(n, &flow);
        text = flow.data;
    }
    if (settings_set(s, p->name, text, &e))
        status = refuse(r, n, node_fail(n, r->e, "%s%s%s", shown, dot(shown), e.text));
    free(flow.data);
    return status;
}

/* ---- sections -------------------------------------------------------------------------------- */

static int section_read(struct resolver *r, const struct section *s, const char *shown,
                        const struct node *at, bool is_given);

/* The plug-in that the tag names; its default when it is not there. */
static int plugin_read(struct resolver *r, const struct section *s, const char *shown,
                       const struct node *map, const struct node *tag, struct plugin *p) {
    char path[2 * SHOWN];
    const struct param *param = param_find(s->params, s->tag);
    const char *name = tag && !node_is_null(tag) ? tag->text : param->preset;
    path_join(path, sizeof path, shown, s->tag);
    if (tag && tag->kind != NODE_TEXT) return refuse_kind(r, tag, path, "a single value");
    if (!name) return refuse_missing(r, s, param, shown, tag ? tag : map);
    if (!registry_find(s->registry, name, p))
        return refuse_plugin(r, s->registry, path, tag ? tag : map, name);
    return STATUS_OK;
}

/* The plug-in that a key of another one names: it joins in with its own keys. */
static int wrapped_read(struct resolver *r, const struct section *s, const struct plugin *by,
                        const char *shown, const struct node *map, const struct node *at,
                        struct plugin *p) {
    char path[2 * SHOWN];
    path_join(path, sizeof path, shown, by->wraps);
    if (!at || node_is_null(at))
        return refuse_missing(r, s, param_find(by->params, by->wraps), shown, map);
    if (at->kind != NODE_TEXT) return refuse_kind(r, at, path, "a single value");
    if (!registry_find(s->registry, at->text, p))
        return refuse_plugin(r, s->registry, path, at, at->text);
    if (!p->wraps) return STATUS_OK;
    return refuse(r, at,
                  node_fail(at, r->e, "%s: '%s' cannot be one of its own kind", path, p->name));
}

static const struct section *section_of(const struct resolver *r, const struct section *parent,
                                        const char *key) {
    for (size_t i = 0; i < r->sections_n; i++)
        if (section_inside(&r->sections[i], parent) && !strcmp(section_key(&r->sections[i]), key))
            return &r->sections[i];
    return NULL;
}

static int entry_read(struct resolver *r, const struct section *s, struct joined more,
                      int tag_layer, struct settings *values, const char *shown,
                      const struct node *n) {
    const struct section *inside = section_of(r, s, n->key);
    if (inside) return STATUS_OK; /* read after the section's own keys */
    const struct param *p = param_find(s->params, n->key);
    if (!p) p = param_find(more.plugin, n->key);
    if (!p) p = param_find(more.wrapped, n->key);
    if (p) return value_read(r, values, p, shown, n);
    if (n->layer < tag_layer && registry_has_key(s->registry, n->key)) return STATUS_OK;
    return refuse_key(r, s, more, shown, n);
}

static int check_required(struct resolver *r, const struct section *s, const struct settings *v,
                          const char *shown, const struct node *map) {
    for (size_t i = 0; i < v->n; i++)
        if (!v->values[i].is_set && !v->values[i].param->preset)
            return refuse_missing(r, s, v->values[i].param, shown, map);
    return STATUS_OK;
}

static int children_read(struct resolver *r, const struct section *s, const char *shown,
                         const struct node *map) {
    for (size_t i = 0; i < r->sections_n; i++) {
        const struct section *child = &r->sections[i];
        if (!section_inside(child, s)) continue;
        char path[SHOWN];
        path_join(path, sizeof path, shown, section_key(child));
        const struct node *n = map->kind == NODE_MAP ? node_find(map, section_key(child)) : NULL;
        int status = section_read(r, child, path, n ? n : map, n != NULL);
        if (status) return status;
    }
    return STATUS_OK;
}

/* One mapping. Where there is none (`is_given` false), `map` is the nearest thing to point at. */
static int map_read(struct resolver *r, const struct section *s, size_t i, const char *shown,
                    const struct node *map, bool is_given) {
    struct settings *values = section_settings(r->c, s, i);
    struct plugin p = {0}, inner = {0};
    int tag_layer = -1, status = STATUS_OK;
    if (is_given && node_is_null(map)) is_given = false;
    if (is_given && map->kind != NODE_MAP) return refuse_kind(r, map, shown, "a mapping of keys");
    if (s->tag) {
        const struct node *tag = is_given ? node_find(map, s->tag) : NULL;
        status = plugin_read(r, s, shown, map, tag, &p);
        if (status) return status;
        *section_self(r->c, s, i) = p.self;
        if (tag) tag_layer = tag->layer;
    }
    if (p.wraps) {
        const struct node *of = is_given ? node_find(map, p.wraps) : NULL;
        status = wrapped_read(r, s, &p, shown, map, of, &inner);
        if (status) return status;
        if (of && of->layer > tag_layer) tag_layer = of->layer;
    }
    settings_init(values, s->params, p.params);
    settings_append(values, inner.params);
    const struct joined more = {p.params, inner.params};
    for (const struct node *n = is_given ? map->child : NULL; n && !status; n = n->next)
        status = entry_read(r, s, more, tag_layer, values, shown, n);
    if (!status) status = check_required(r, s, values, shown, map);
    if (!status) status = children_read(r, s, shown, map);
    return status;
}

static int list_read(struct resolver *r, const struct section *s, const char *shown,
                     const struct node *list) {
    size_t *count = section_count(r->c, s);
    if (node_is_null(list)) return STATUS_OK;
    if (list->kind != NODE_LIST)
        return refuse_kind(r, list, shown, "a list of mappings, as in [{type: ...}]");
    if (list->n > s->limit)
        return refuse(r, list,
                      node_fail(list, r->e, "%s: has %zu entries; at most %zu are possible", shown,
                                list->n, s->limit));
    int status = STATUS_OK;
    for (const struct node *n = list->child; n && !status; n = n->next) {
        char path[2 * SHOWN];
        size_t i = (*count)++;
        snprintf(path, sizeof path, "%s[%zu]", shown, i);
        status = map_read(r, s, i, path, n, true);
    }
    return status;
}

static int section_read(struct resolver *r, const struct section *s, const char *shown,
                        const struct node *at, bool is_given) {
    if (!s->limit) return map_read(r, s, 0, shown, at, is_given);
    return is_given ? list_read(r, s, shown, at) : STATUS_OK;
}

/* ---- what spans several keys ----------------------------------------------------------------- */

/* The node at "train.epochs.total", or NULL. */
static const struct node *node_at(const struct node *root, const char *path) {
    const struct node *n = root;
    char *parts = text_copy(path), *rest = parts;
    for (char *part; n && (part = strsep(&rest, "."));)
        n = n->kind == NODE_MAP ? node_find(n, part) : NULL;
    free(parts);
    return n;
}

static const struct node *node_near(const struct node *root, const char *path) {
    const struct node *n = node_at(root, path);
    return n ? n : root;
}

static struct setting *value_find(struct settings *s, const char *name) {
    return (struct setting *)settings_find(s, name);
}

static void value_unset(struct setting *v) {
    free(v->text);
    *v = (struct setting){.param = v->param};
}

/* Exactly one of after_removal and total stays set; between two, the one that was laid over. */
static int check_epochs(struct resolver *r) {
    struct setting *after = value_find(&r->c->epochs, "after_removal");
    struct setting *total = value_find(&r->c->epochs, "total");
    if (!total->is_set) return STATUS_OK;
    const struct node *a = node_at(r->root, "train.epochs.after_removal");
    const struct node *t = node_at(r->root, "train.epochs.total");
    if (after->given && a->layer == t->layer)
        return refuse(r, t,
                      node_fail_key(t, r->e,
                                    "train.epochs: give after_removal or total, "
                                    "not both"));
    value_unset(after->given && a->layer > t->layer ? total : after);
    return STATUS_OK;
}

/* A seed that is not given is the experiment's; it is written into the settings, so that both
 * spellings give one key and one dump. */
static uint64_t seed_resolve(const struct config *c, struct settings *s) {
    struct setting *v = value_find(s, "seed");
    const struct setting *top = settings_find(&c->top, "seed");
    if (!v->is_set) {
        v->is_set = true;
        v->number = top->number;
        v->integer = top->integer;
        v->text = text_copy(top->text);
    }
    return (uint64_t)v->integer;
}

static int check_measures(struct resolver *r) {
    size_t n;
    const char *const *names = settings_texts(&r->c->top, "measures", &n);
    for (size_t i = 0; i < n; i++) {
        struct plugin p;
        const struct node *at = node_item(node_at(r->root, "measures"), i);
        if (!registry_find(&measures_registry, names[i], &p))
            return refuse_plugin(r, &measures_registry, "measures", at, names[i]);
        for (size_t k = 0; k < i; k++)
            if (!strcmp(names[k], names[i]))
                return refuse(r, at,
                              node_fail(at, r->e, "measures: '%s' is there twice", names[i]));
    }
    return STATUS_OK;
}

static int check_probes(struct resolver *r) {
    const struct registry *deficits = NULL;
    struct plugin p;
    for (size_t i = 0; i < r->sections_n; i++)
        if (!strcmp(r->sections[i].path, "deficits")) deficits = r->sections[i].registry;
    if (!settings_is_set(&r->c->fisher, "deficit_probes")) return STATUS_OK;
    const char *name = settings_text(&r->c->fisher, "deficit_probes");
    assert(deficits && "the schema has a section of deficits");
    if (registry_find(deficits, name, &p)) return STATUS_OK;
    return refuse_plugin(r, deficits, "fisher.deficit_probes",
                         node_near(r->root, "fisher.deficit_probes"), name);
}

static int check_data(struct resolver *r) {
    const struct dataset_type *d = dataset_source(&r->c->data, r->c->dataset);
    const struct node *flip = node_near(r->root, "data.augment.flip");
    const struct node *set = node_near(r->root, "data.set");
    if (d->needs_path && !settings_is_set(&r->c->data, "path"))
        return refuse(r, set,
                      node_fail(set, r->e,
                                "data.path is missing: %s is read from files "
                                "(`imprint data info %s` says which)",
                                d->name, d->name));
    if (!d->flip_allowed && settings_bool(&r->c->augment, "flip"))
        return refuse(r, flip,
                      node_fail(flip, r->e,
                                "data.augment.flip: must be false, as a "
                                "mirrored image of %s may have another label",
                                d->name));
    return STATUS_OK;
}

/* ---- the experiment's name ------------------------------------------------------------------- */

static bool name_is_usable(const char *name) {
    static const char letters[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.";
    size_t n = strlen(name);
    return n > 0 && n <= 100 && *name != '.' && *name != '-' && strspn(name, letters) == n;
}

static void file_stem(const char *path, struct text *name) {
    const char *slash = strrchr(path, '/');
    const char *base = slash ? slash + 1 : path, *end = strrchr(base, '.');
    bool is_yaml = end && (!strcmp(end, ".yaml") || !strcmp(end, ".yml"));
    text_put(name, base, is_yaml ? (size_t)(end - base) : strlen(base));
}

int config_name(const struct node *root, struct text *name, struct error *e) {
    const struct node *n = node_find(root, "experiment");
    bool is_given = n && !node_is_null(n);
    if (is_given && n->kind != NODE_TEXT)
        return node_fail(n, e, "experiment: must be a single value");
    if (is_given)
        text_put(name, n->text, strlen(n->text));
    else
        file_stem(root->origin, name);
    if (name_is_usable(name->data)) return STATUS_OK;
    return node_fail(is_given ? n : root, e,
                     "experiment: '%s' cannot name a folder; use letters, digits, '-', '_' and "
                     "'.', and begin with a letter, digit or '_'%s",
                     text_shown(name->data).text,
                     is_given ? "" : " (it is the file's name; or give the key 'experiment')");
}

static int check_name(struct resolver *r) {
    struct text name = {0};
    int status = config_name(r->root, &name, r->e);
    struct setting *v = value_find(&r->c->top, "experiment");
    if (!status && !v->is_set) {
        v->is_set = true;
        v->text = text_take(&name);
    }
    free(name.data);
    return status;
}

/* ---- resolving ------------------------------------------------------------------------------- */

static int resolve(struct resolver *r) {
    static int (*const checks[])(struct resolver *) = {check_name, check_epochs, check_measures,
                                                       check_probes, check_data};
    int status = map_read(r, &r->sections[0], 0, "", r->root, true);
    for (size_t i = 0; i < sizeof checks / sizeof *checks && !status; i++) status = checks[i](r);
    if (status) return status;
    r->c->data_seed = seed_resolve(r->c, &r->c->data);
    r->c->net_seed = seed_resolve(r->c, &r->c->net);
    r->c->train_seed = seed_resolve(r->c, &r->c->train);
    return STATUS_OK;
}

int config_resolve(struct config *c, const struct node *root, int *layer, struct error *e) {
    struct error unread = {0};
    struct resolver r = {.c = c, .root = root, .e = e ? e : &unread};
    memset(c, 0, sizeof *c);
    r.sections = schema_sections(&r.sections_n);
    int status = resolve(&r);
    if (status) config_free(c);
    if (layer) *layer = r.layer;
    return status;
}

int config_parse(struct config *c, const char *text, const char *name, struct error *e) {
    static const char *const outside[] = {"sweep", "profiles"};
    struct arena *a = arena_create();
    struct node *root = NULL;
    memset(c, 0, sizeof *c);
    int status = yaml_parse(a, text, strlen(text), name, &root, e);
    if (!status && root->kind != NODE_MAP)
        status = node_fail(root, e, "a config is a mapping of keys, as in 'seed: 1'");
    for (size_t i = 0; i < 2 && !status; i++) {
        const struct node *n = node_find(root, outside[i]);
        if (n) status = node_fail_key(n, e, "%s: one run's config has none", outside[i]);
    }
    if (!status) status = config_resolve(c, root, NULL, e);
    arena_free(a);
    return status;
}

/* ---- copy and free --------------------------------------------------------------------------- */

void config_free(struct config *c) {
    size_t n;
    const struct section *sections = schema_sections(&n);
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < section_entries(c, &sections[i]); k++)
            settings_free(section_settings(c, &sections[i], k));
    memset(c, 0, sizeof *c);
}

void config_copy(struct config *to, const struct config *from) {
    size_t n;
    const struct section *sections = schema_sections(&n);
    *to = *from;
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < section_entries(to, &sections[i]); k++) {
            struct settings *s = section_settings(to, &sections[i], k);
            settings_copy(s, &(struct settings){.values = s->values, .n = s->n});
        }
}

void config_digest(const struct config *c, char digest[HASH_TEXT]) {
    size_t n;
    const struct section *sections = schema_sections(&n);
    struct config *all = (struct config *)c;
    struct hash *h = hash_create();
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < section_entries(all, &sections[i]); k++) {
            const struct settings *s = section_settings(all, &sections[i], k);
            for (size_t v = 0; v < s->n; v++)
                hash_text(h, s->values[v].is_set ? s->values[v].text : NULL);
        }
    hash_digest(h, digest);
    hash_free(h);
}

/* ---- dump ------------------------------------------------------------------------------------ */

/* Would YAML read the text, bare, as just this text? When in doubt, quotes. */
static bool is_plain(const char *text) {
    static const char *const words[] = {"true", "false", "null", "yes", "no",
                                        "on",   "off",   "y",    "n"};
    static const char safe[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./-";
    double number;
    bool starts = (*text >= 'a' && *text <= 'z') || (*text >= 'A' && *text <= 'Z') ||
                  *text == '/' || (*text == '.' && text[1] == '.');
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (!strcasecmp(text, words[i])) return false;
    return starts && strspn(text, safe) == strlen(text) && !text_real(text, &number);
}

static void dump_text(struct text *t, const char *value) {
    if (is_plain(value))
        text_add(t, "%s", value);
    else
        text_quote(t, value);
}

static void dump_value(struct text *t, const struct setting *v) {
    enum param_type type = v->param->type;
    if (type == PARAM_TEXT || type == PARAM_CHOICE) {
        dump_text(t, v->text);
    } else if (type == PARAM_TEXTS) {
        text_add(t, "[");
        for (size_t i = 0; i < v->n; i++) {
            text_add(t, "%s", i ? ", " : "");
            dump_text(t, v->texts[i]);
        }
        text_add(t, "]");
    } else {
        text_add(t, "%s", v->text);
    }
    text_add(t, "\n");
}

/* Every set value on its line; `first`, when not NULL, stands in front of the first one. */
static void dump_settings(struct text *t, const struct settings *s, int indent, const char *first) {
    for (size_t i = 0; i < s->n; i++) {
        const struct setting *v = &s->values[i];
        if (!v->is_set) continue;
        text_add(t, "%*s%s: ", indent, first ? first : "", v->param->name);
        dump_value(t, v);
        first = NULL;
    }
}

static void dump_section(struct text *t, struct config *c, const struct section *s, int indent);

static void dump_children(struct text *t, struct config *c, const struct section *s, int indent) {
    size_t n;
    const struct section *sections = schema_sections(&n);
    for (size_t i = 0; i < n; i++)
        if (section_inside(&sections[i], s) && !sections[i].is_outside)
            dump_section(t, c, &sections[i], indent);
}

static void dump_section(struct text *t, struct config *c, const struct section *s, int indent) {
    size_t n = section_entries(c, s);
    text_add(t, "%*s%s:%s\n", indent, "", section_key(s), n ? "" : " []");
    if (!s->limit) {
        dump_settings(t, section_settings(c, s, 0), indent + 2, NULL);
        dump_children(t, c, s, indent + 2);
        return;
    }
    for (size_t i = 0; i < n; i++) dump_settings(t, section_settings(c, s, i), indent + 4, "  - ");
}

char *config_dump(const struct config *c) {
    size_t n;
    const struct section *top = schema_sections(&n);
    struct config view = *c; /* only read; the offsets want one that is not const */
    struct text t = {0};
    dump_settings(&t, &view.top, 0, NULL);
    dump_children(&t, &view, &top[0], 0);
    return text_take(&t);
}
