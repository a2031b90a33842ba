/* An experiment: file, profile, overrides and sweep -> the configs of its points.
 *
 * What is laid over what, later layers on top: the file's body, the profile, the overrides in their
 * order; then for each point its part's `set` and its axes in their order. An override of a key
 * that is an axis changes that axis instead, so that no override is lost without a word.
 *
 * A point copies the body's tree (about a hundred small nodes from one arena), changes the copy and
 * resolves it: tens of microseconds. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/config.h"
#include "sim/resolve.h"
#include "sim/grid.h"
#include "sim/yaml.h"

enum { LAYER_BODY, LAYER_PROFILE, LAYER_OVERRIDES };

struct experiment {
    struct arena *arena;
    struct node *body; /* without sweep and profiles; what all points share */
    char *name;
    struct grid grid;
    int point_layer; /* the first layer that differs between points */
    size_t axes_n;   /* distinct names over all parts, in order of appearance */
    const char **axes;
};

/* ---- profile --------------------------------------------------------------------------------- */

static int refuse_profile(const struct node *root, const struct node *profiles, const char *name,
                          struct error *e) {
    const struct node *at = profiles ? profiles : root;
    struct text known = {0};
    struct text_nearest near = {.wanted = name};
    for (const struct node *c = profiles ? profiles->child : NULL; c; c = c->next) {
        text_nearest_try(&near, c->key);
        text_add(&known, "%s%s", known.n ? ", " : "", c->key);
    }
    int status = error_set(e, STATUS_USAGE, "%s: there is no profile '%s' (%s%s%s)", at->origin,
                           text_shown(name).text,
                           near.best ? "did you mean '"
                           : known.n ? "known: "
                                     : "the file has none",
                           near.best ? near.best
                           : known.n ? known.data
                                     : "",
                           near.best ? "'?" : "");
    free(known.data);
    return status;
}

static int check_overlay(const struct node *n, const char *what, struct error *e) {
    if (node_is_null(n)) return STATUS_OK;
    if (n->kind != NODE_MAP)
        return node_fail(n, e, "%s: must be an overlay, as in {train.batch: 64}", what);
    const struct node *nested = node_find(n, "profiles");
    return nested ? node_fail_key(nested, e, "%s: a profile has no profiles", what) : STATUS_OK;
}

static int profile_lay(struct experiment *x, struct node *root, const char *name, struct error *e) {
    const struct node *profiles = node_remove(root, "profiles");
    if (profiles && profiles->kind != NODE_MAP && !node_is_null(profiles))
        return node_fail(profiles, e, "profiles: must be a mapping of names to overlays");
    for (const struct node *c = profiles ? profiles->child : NULL; c; c = c->next) {
        int status = check_overlay(c, "profiles", e);
        if (status) return status;
    }
    if (!name) return STATUS_OK;
    const struct node *profile = profiles ? node_find(profiles, name) : NULL;
    if (!profile) return refuse_profile(root, profiles, name, e);
    return node_merge(x->arena, root, profile, LAYER_PROFILE, e);
}

/* ---- overrides ------------------------------------------------------------------------------- */

struct override {
    const char *key;
    struct node *list; /* its values, one or more */
};

static int override_read(struct experiment *x, const char *text, int layer, struct override *o,
                         struct error *e) {
    char origin[128];
    const char *equals = strchr(text, '=');
    snprintf(origin, sizeof origin, "override '%s'", text_shown(text).text);
    if (!equals || equals == text)
        return error_set(e, STATUS_USAGE, "%s: write it as key=value, as in train.batch=64",
                         origin);
    o->key = arena_text(x->arena, text, (size_t)(equals - text));
    int status = yaml_parse_items(x->arena, equals + 1, origin, layer, &o->list, e);
    if (status || o->list->n > 0) return status;
    return yaml_parse_items(x->arena, "~", origin, layer, &o->list, e); /* "a=" is null */
}

static bool is_sweep_key(const char *key) {
    return !strcmp(key, "sweep") || !strncmp(key, "sweep.", 6) || !strncmp(key, "sweep[", 6);
}

/* Overrides of `sweep` itself, before it is read. */
static int override_sweep(struct experiment *x, struct node *root, const struct override *o,
                          struct error *e) {
    if (!is_sweep_key(o->key)) return STATUS_OK;
    const struct node *value = o->list->child;
    if (o->list->n > 1)
        return node_fail(value, e, "'%s' takes one value; write a list as [1, 2]", o->key);
    return node_assign(x->arena, root, o->key, value, value->layer, e);
}

static int override_body(struct experiment *x, const struct override *o, struct error *e) {
    const struct node *value = o->list->child;
    if (is_sweep_key(o->key)) return STATUS_OK;
    if (!strncmp(o->key, "profiles", 8))
        return node_fail(value, e, "profiles are chosen with --profile, not overridden");
    if (o->list->n > 1 || grid_has(&x->grid, o->key))
        return grid_override(&x->grid, o->key, o->list, e);
    return node_assign(x->arena, x->body, o->key, value, value->layer, e);
}

/* ---- loading --------------------------------------------------------------------------------- */

static int check_axes(const struct experiment *x, struct error *e) {
    for (size_t i = 0; i < x->grid.parts_n; i++)
        for (size_t k = 0; k < x->grid.parts[i].axes_n; k++) {
            const struct axis *axis = &x->grid.parts[i].axes[k];
            if (axis->key && !strcmp(axis->key, "experiment"))
                return node_fail_key(axis->at, e, "sweep: the experiment's name cannot be an axis");
        }
    return STATUS_OK;
}

static bool axis_is_listed(const struct experiment *x, const char *name) {
    for (size_t i = 0; i < x->axes_n; i++)
        if (!strcmp(x->axes[i], name)) return true;
    return false;
}

static void axes_list(struct experiment *x) {
    size_t room = 0;
    for (size_t i = 0; i < x->grid.parts_n; i++) room += x->grid.parts[i].axes_n;
    x->axes = arena_get(x->arena, room * sizeof *x->axes);
    for (size_t i = 0; i < x->grid.parts_n; i++)
        for (size_t k = 0; k < x->grid.parts[i].axes_n; k++) {
            const char *name = x->grid.parts[i].axes[k].name;
            if (!axis_is_listed(x, name)) x->axes[x->axes_n++] = name;
        }
}

static int name_set(struct experiment *x, struct error *e) {
    struct text name = {0};
    int status = config_name(x->body, &name, e);
    if (!status) x->name = arena_text(x->arena, name.data, name.n);
    free(name.data);
    return status;
}

static int load(struct experiment *x, const char *path, const char *profile,
                const struct override *overrides, size_t n, struct error *e) {
    int status = yaml_load(x->arena, path, &x->body, e);
    if (!status) status = profile_lay(x, x->body, profile, e);
    for (size_t i = 0; i < n && !status; i++) status = override_sweep(x, x->body, &overrides[i], e);
    if (!status) status = grid_read(&x->grid, x->arena, node_remove(x->body, "sweep"), e);
    for (size_t i = 0; i < n && !status; i++) status = override_body(x, &overrides[i], e);
    if (!status) status = grid_finish(&x->grid, e);
    if (!status) status = check_axes(x, e);
    if (!status) status = name_set(x, e);
    if (!status) axes_list(x);
    return status;
}

int experiment_load(struct experiment **x, const char *path, const char *profile,
                    const char *const *overrides, size_t overrides_n, struct error *e) {
    struct experiment *made = text_room(1, sizeof *made);
    made->arena = arena_create();
    made->point_layer = LAYER_OVERRIDES + (int)overrides_n;
    struct override *read = arena_get(made->arena, overrides_n * sizeof *read);
    int status = STATUS_OK;
    for (size_t i = 0; i < overrides_n && !status; i++)
        status = override_read(made, overrides[i], LAYER_OVERRIDES + (int)i, &read[i], e);
    if (!status) status = load(made, path, profile, read, overrides_n, e);
    *x = status ? NULL : made;
    if (status) experiment_free(made);
    return status;
}

void experiment_free(struct experiment *x) {
    if (!x) return;
    arena_free(x->arena);
    free(x);
}

/* ---- asking ---------------------------------------------------------------------------------- */

const char *experiment_name(const struct experiment *x) {
    return x->name;
}

size_t experiment_points(const struct experiment *x) {
    return grid_points(&x->grid);
}

size_t experiment_axes(const struct experiment *x) {
    return x->axes_n;
}

const char *experiment_axis(const struct experiment *x, size_t axis) {
    assert(axis < x->axes_n);
    return x->axes[axis];
}

static const struct axis *axis_named(const struct part *p, const char *name) {
    for (size_t i = 0; i < p->axes_n; i++)
        if (!strcmp(p->axes[i].name, name)) return &p->axes[i];
    return NULL;
}

bool experiment_axis_is_seed(const struct experiment *x, size_t axis) {
    for (size_t i = 0; i < x->grid.parts_n; i++) {
        const struct axis *a = axis_named(&x->grid.parts[i], experiment_axis(x, axis));
        if (a && !axis_is_seed(a)) return false;
    }
    return true;
}

const char *experiment_part(const struct experiment *x, size_t point) {
    assert(point < experiment_points(x));
    return grid_part(&x->grid, point)->name;
}

const char *experiment_label(const struct experiment *x, size_t point, size_t axis) {
    assert(point < experiment_points(x));
    const struct part *p = grid_part(&x->grid, point);
    const struct axis *a = axis_named(p, experiment_axis(x, axis));
    return a ? a->labels[axis_index(p, a, point)] : NULL;
}

const bool *experiment_controls(const struct experiment *x) {
    return x->grid.controls;
}

/* ---- one point ------------------------------------------------------------------------------- */

static int axis_lay(struct arena *a, struct node *root, const struct axis *axis, size_t i,
                    int layer, struct error *e) {
    if (axis->key) return node_assign(a, root, axis->key, axis->values[i], layer, e);
    return node_merge(a, root, axis->values[i], layer, e);
}

static int point_lay(const struct experiment *x, struct arena *a, size_t point, struct node *root,
                     struct error *e) {
    const struct part *p = grid_part(&x->grid, point);
    int layer = x->point_layer;
    int status = p->set ? node_merge(a, root, p->set, layer, e) : STATUS_OK;
    for (size_t i = 0; i < p->axes_n && !status; i++) {
        const struct axis *axis = &p->axes[i];
        status = axis_lay(a, root, axis, axis_index(p, axis, point), ++layer, e);
    }
    return status;
}

/* " (part flip, removal=20, seed=1)": which point was refused for what the sweep wrote */
static void point_blame(const struct experiment *x, size_t point, struct error *e) {
    const struct part *p = grid_part(&x->grid, point);
    size_t n = strlen(e->text), room = sizeof e->text;
    const char *separator = "";
    if (p->axes_n == 0 && x->grid.parts_n == 1) return;
    n += (size_t)snprintf(e->text + n, room - n, " (at ");
    if (n < room && x->grid.parts_n > 1) {
        n += (size_t)snprintf(e->text + n, room - n, "part %s", p->name);
        separator = ", ";
    }
    for (size_t i = 0; i < p->axes_n && n < room; i++, separator = ", ") {
        const struct axis *axis = &p->axes[i];
        n += (size_t)snprintf(e->text + n, room - n, "%s%s=%s", separator, axis->name,
                              text_shown(axis->labels[axis_index(p, axis, point)]).text);
    }
    if (n < room) snprintf(e->text + n, room - n, ")");
}

int experiment_config(const struct experiment *x, size_t point, struct config *c, struct error *e) {
    assert(point < experiment_points(x));
    struct error local = {0};
    struct arena *a = arena_create();
    struct node *root = node_copy(a, x->body, -1);
    int layer = x->point_layer;
    memset(c, 0, sizeof *c);
    int status = point_lay(x, a, point, root, &local);
    if (!status) status = config_resolve(c, root, &layer, &local);
    if (!status && strcmp(settings_text(&c->top, "experiment"), x->name) != 0) {
        config_free(c);
        status = node_fail(node_find(root, "experiment"), &local,
                           "experiment: a sweep cannot change the experiment's name");
    }
    if (status) {
        if (layer >= x->point_layer) point_blame(x, point, &local);
        error_set(e, status, "%s", local.text);
    }
    arena_free(a);
    return status;
}
