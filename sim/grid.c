/* Sweeps: `axes`, `zip` and `parts` -> grids of points, and the controls beside them. See grid.h.
 *
 * A point's number in its part is written in the mixed base of the groups' lengths, the last group
 * fastest: index of group g = (point / product of the lengths after g) mod length of g. Zipped axes
 * are one group, which stands where its first axis does.
 *
 * The trap is the size: a typo makes 10^12 points, so the product is checked before it is formed. */
#include "sim/grid.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/measures/measure.h"

#define NO_GROUP ((size_t)-1)

/* ---- axes ------------------------------------------------------------------------------------ */

/* Names that sweep.h5 has for other dimensions. */
static bool name_is_reserved(const char *name) {
    static const char *const taken[] = {"epoch",    "layer",  "deficit", "stabilizer",
                                        "modality", "branch", "probe",   "part"};
    for (size_t i = 0; i < sizeof taken / sizeof *taken; i++)
        if (!strcmp(name, taken[i])) return true;
    return false;
}

/* The bins of histograms are dimensions too. */
static bool name_is_of_bins(const char *name) {
    size_t n;
    const struct measure *const *all = measure_list(&n);
    for (size_t i = 0; i < n; i++)
        if (all[i]->bins && !strcmp(name, all[i]->bins->name)) return true;
    return false;
}

static int check_name(const struct node *at, const char *what, struct error *e) {
    const char *name = at->key;
    size_t n = strlen(name);
    bool fits = n > 0 && n <= AXIS_NAME && !strchr(name, '/') && name[0] != '=';
    for (const char *c = name; *c; c++) fits = fits && (unsigned char)*c > ' ' && *c != 0x7F;
    if (!fits)
        return node_fail_key(at, e,
                             "sweep: '%s' cannot name %s (1 to %d characters, no spaces, "
                             "no '/', no '=' before it)",
                             text_shown(name).text, what, AXIS_NAME);
    if (name_is_reserved(name) || name_is_of_bins(name))
        return node_fail_key(at, e,
                             "sweep: '%s' is a dimension of the logs; name %s otherwise, as "
                             "in 'my_%s: {key: ..., values: [...]}'",
                             name, what, name);
    return STATUS_OK;
}

/* 0.10 and 1e-1 are one value and get one label. */
static const char *label_make(struct arena *a, const struct node *value) {
    struct text t = {0};
    int64_t whole;
    double decimal;
    char number[TEXT_REAL];
    bool is_bare = value->kind == NODE_TEXT && !value->quoted;
    if (is_bare && text_integer(value->text, &whole)) {
        text_add(&t, "%lld", (long long)whole);
    } else if (is_bare && text_real(value->text, &decimal)) {
        text_print_number(number, decimal);
        text_add(&t, "%s", number);
    } else if (value->kind == NODE_TEXT && !node_is_null(value)) {
        text_add(&t, "%s", value->text);
    } else {
        node_flow(value, &t);
    }
    char *label = arena_text(a, t.data, t.n);
    free(t.data);
    return label;
}

static void axis_room(struct arena *a, struct axis *axis, size_t n) {
    axis->n = 0;
    axis->values = arena_get(a, n * sizeof *axis->values);
    axis->labels = arena_get(a, n * sizeof *axis->labels);
}

static int label_order(const void *a, const void *b) {
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static int check_labels(const struct axis *axis, const struct node *at, struct error *e) {
    const char **sorted = text_room(axis->n, sizeof *sorted), *twice = NULL;
    memcpy(sorted, axis->labels, axis->n * sizeof *sorted);
    qsort(sorted, axis->n, sizeof *sorted, label_order);
    for (size_t i = 1; i < axis->n && !twice; i++)
        if (!strcmp(sorted[i - 1], sorted[i])) twice = sorted[i];
    free(sorted);
    if (axis->n == 0) return node_fail(at, e, "sweep: axis '%s' has no values", axis->name);
    if (!twice) return STATUS_OK;
    return node_fail(at, e, "sweep: axis '%s' has the value %s twice", axis->name,
                     text_shown(twice).text);
}

static int axis_read_values(struct arena *a, struct axis *axis, const struct node *list,
                            struct error *e) {
    if (list->kind != NODE_LIST)
        return node_fail(list, e, "sweep: the values of axis '%s' must be a list", axis->name);
    axis_room(a, axis, list->n);
    for (const struct node *c = list->child; c; c = c->next) {
        axis->labels[axis->n] = label_make(a, c);
        axis->values[axis->n++] = c;
    }
    return check_labels(axis, list, e);
}

static int axis_read_keyed(struct arena *a, struct axis *axis, const struct node *map,
                           struct error *e) {
    const struct node *values = node_find(map, "values"), *key = node_find(map, "key");
    for (const struct node *c = map->child; c; c = c->next)
        if (c != values && c != key)
            return node_fail_key(c, e, "sweep.axes.%s.%s: unknown key (known: key, values)",
                                 axis->name, text_shown(c->key).text);
    if (!values)
        return node_fail_key(map, e, "sweep.axes.%s: 'values' is missing beside 'key'", axis->name);
    if (key && (key->kind != NODE_TEXT || node_is_null(key)))
        return node_fail(key, e, "sweep.axes.%s.key: must be a config key, as in deficits[0].until",
                         axis->name);
    if (key) axis->key = key->text;
    return axis_read_values(a, axis, values, e);
}

static int axis_read_overlays(struct arena *a, struct axis *axis, const struct node *map,
                              struct error *e) {
    axis->key = NULL;
    axis_room(a, axis, map->n);
    for (const struct node *c = map->child; c; c = c->next) {
        if (c->kind != NODE_MAP && !node_is_null(c))
            return node_fail(c, e,
                             "sweep.axes.%s.%s: must be an overlay, as in {train.batch: 64}; "
                             "an axis is a list of values, {key: ..., values: [...]}, or "
                             "named overlays",
                             axis->name, text_shown(c->key).text);
        axis->labels[axis->n] = c->key;
        axis->values[axis->n++] = c;
    }
    return check_labels(axis, map, e);
}

static int axis_read(struct arena *a, struct axis *axis, const struct node *n, struct error *e) {
    *axis = (struct axis){.name = n->key, .key = n->key, .at = n, .group = NO_GROUP};
    int status = check_name(n, "an axis", e);
    if (status) return status;
    if (n->kind != NODE_MAP) return axis_read_values(a, axis, n, e);
    const struct node *key = node_find(n, "key");
    bool is_keyed = node_find(n, "values") || (key && key->kind == NODE_TEXT);
    return is_keyed ? axis_read_keyed(a, axis, n, e) : axis_read_overlays(a, axis, n, e);
}

bool axis_is_seed(const struct axis *axis) {
    const char *key = axis->key ? axis->key : "";
    const char *last = strrchr(key, '.');
    return !strcmp(last ? last + 1 : key, "seed");
}

/* ---- parts ----------------------------------------------------------------------------------- */

static int part_read_axes(struct grid *s, struct part *p, const struct node *axes,
                          struct error *e) {
    if (axes->kind != NODE_MAP || axes->n == 0)
        return node_fail_key(axes, e,
                             "sweep: 'axes' must be a mapping with at least one axis, as "
                             "in 'seed: [1, 2, 3]'");
    p->axes = arena_get(s->arena, axes->n * sizeof *p->axes);
    for (const struct node *n = axes->child; n; n = n->next) {
        int status = axis_read(s->arena, &p->axes[p->axes_n], n, e);
        if (status) return status;
        p->axes_n++;
    }
    return STATUS_OK;
}

static int check_keys(const struct node *map, const char *shown, const char *const *known,
                      struct error *e) {
    for (const struct node *c = map->child; c; c = c->next) {
        struct text_nearest near = {.wanted = c->key};
        struct text list = {0};
        size_t i = 0;
        for (; known[i] && strcmp(known[i], c->key) != 0; i++) {
            text_nearest_try(&near, known[i]);
            text_add(&list, "%s%s", i ? ", " : "", known[i]);
        }
        int status = STATUS_OK;
        if (!known[i])
            status = node_fail_key(
                c, e, "%s.%s: unknown key (%s%s%s)", shown, text_shown(c->key).text,
                near.best ? "did you mean '" : "known: ", near.best ? near.best : list.data,
                near.best ? "'?" : "");
        free(list.data);
        if (status) return status;
    }
    return STATUS_OK;
}

/* An entry of a map that is there and not null. */
static const struct node *entry(const struct node *map, const char *key) {
    const struct node *n = node_find(map, key);
    return n && node_is_null(n) ? NULL : n;
}

static int part_read(struct grid *s, struct part *p, const struct node *n, struct error *e) {
    static const char *const known[] = {"axes", "zip", "set", NULL};
    *p = (struct part){.name = n->key, .at = n};
    char shown[AXIS_NAME + 16];
    int status = check_name(n, "a part", e);
    if (status) return status;
    snprintf(shown, sizeof shown, "sweep.parts.%s", n->key);
    if (n->kind != NODE_MAP)
        return node_fail(n, e, "%s: must be a mapping with 'set', 'axes' or 'zip'", shown);
    status = check_keys(n, shown, known, e);
    p->set = entry(n, "set");
    p->zip = entry(n, "zip");
    if (!status && p->set && p->set->kind != NODE_MAP)
        status = node_fail(p->set, e, "%s.set: must be an overlay, as in {train.batch: 64}", shown);
    const struct node *axes = entry(n, "axes");
    return status || !axes ? status : part_read_axes(s, p, axes, e);
}

static int main_read(struct grid *s, const struct node *sweep, struct error *e) {
    const struct node *axes = entry(sweep, "axes"), *zip = entry(sweep, "zip");
    if (!axes && zip)
        return node_fail_key(zip, e, "sweep.zip: there are no axes to zip; give sweep.axes");
    if (!axes) return STATUS_OK;
    struct part *p = &s->parts[s->parts_n++];
    *p = (struct part){.name = "main", .at = axes, .zip = zip};
    return part_read_axes(s, p, axes, e);
}

static int parts_read(struct grid *s, const struct node *parts, struct error *e) {
    if (parts->kind != NODE_MAP || parts->n == 0)
        return node_fail_key(parts, e,
                             "sweep.parts: must be a mapping of names to parts, as in "
                             "'flip: {set: {...}, axes: {...}}'");
    for (const struct node *n = parts->child; n; n = n->next) {
        bool taken = s->parts_n > 0 && !strcmp(s->parts[0].name, n->key);
        if (taken)
            return node_fail_key(n, e,
                                 "sweep.parts.%s: there is a part '%s' already (sweep.axes "
                                 "is the part 'main')",
                                 n->key, n->key);
        int status = part_read(s, &s->parts[s->parts_n], n, e);
        if (status) return status;
        s->parts_n++;
    }
    return STATUS_OK;
}

/* ---- controls -------------------------------------------------------------------------------- */

/* What may be asked for, and the role that it begins. */
static const struct {
    const char *name;
    enum run_role role;
} controls[] = {
    {"twin", ROLE_TWIN}, {"lr_clock", ROLE_LR_CLOCK}, {"stabilizer_on_clean", ROLE_ON_CLEAN}};
enum { CONTROLS = sizeof controls / sizeof *controls };

static int refuse_control(const struct node *n, struct error *e) {
    const char *wanted = n->kind == NODE_TEXT ? n->text : "";
    struct text_nearest near = {.wanted = wanted};
    struct text known = {0};
    for (size_t i = 0; i < CONTROLS; i++) {
        text_nearest_try(&near, controls[i].name);
        text_add(&known, "%s%s", i ? ", " : "", controls[i].name);
    }
    int status = node_fail(n, e, "sweep.controls: there is no control '%s' (%s%s%sknown: %s)",
                           text_shown(wanted).text, near.best ? "did you mean '" : "",
                           near.best ? near.best : "", near.best ? "'? " : "", known.data);
    free(known.data);
    return status;
}

static int control_read(struct grid *s, const struct node *n, struct error *e) {
    size_t i = 0;
    while (i < CONTROLS && (n->kind != NODE_TEXT || strcmp(controls[i].name, n->text) != 0)) i++;
    if (i == CONTROLS) return refuse_control(n, e);
    bool *wanted = &s->controls[controls[i].role];
    if (*wanted) return node_fail(n, e, "sweep.controls: '%s' is there twice", controls[i].name);
    *wanted = true;
    return STATUS_OK;
}

static int controls_read(struct grid *s, const struct node *list, struct error *e) {
    if (list->kind != NODE_LIST)
        return node_fail(list, e,
                         "sweep.controls: must be a list, as in [lr_clock, stabilizer_on_clean]");
    for (const struct node *n = list->child; n; n = n->next) {
        int status = control_read(s, n, e);
        if (status) return status;
    }
    return STATUS_OK;
}

/* ---- all ------------------------------------------------------------------------------------- */

int grid_read(struct grid *s, struct arena *a, const struct node *sweep, struct error *e) {
    static const char *const known[] = {"axes", "zip", "parts", "controls", NULL};
    *s = (struct grid){.arena = a};
    bool none = !sweep || node_is_null(sweep);
    if (!none && sweep->kind != NODE_MAP)
        return node_fail(sweep, e,
                         "sweep: must be a mapping with 'axes', 'zip', 'parts' or 'controls'");
    const struct node *parts = none ? NULL : entry(sweep, "parts");
    const struct node *wanted = none ? NULL : entry(sweep, "controls");
    s->parts = arena_get(a, ((parts ? parts->n : 0) + 1) * sizeof *s->parts);
    int status = none ? STATUS_OK : check_keys(sweep, "sweep", known, e);
    if (!status && !none) status = main_read(s, sweep, e);
    if (!status && parts) status = parts_read(s, parts, e);
    if (!status && wanted) status = controls_read(s, wanted, e);
    if (s->parts_n == 0) s->parts[s->parts_n++] = (struct part){.name = "main"};
    return status;
}

/* ---- overrides ------------------------------------------------------------------------------- */

static struct axis *part_axis(const struct part *p, const char *name) {
    for (size_t i = 0; i < p->axes_n; i++)
        if (!strcmp(p->axes[i].name, name)) return &p->axes[i];
    return NULL;
}

static struct axis *part_axis_of(const struct part *p, const char *key) {
    for (size_t i = 0; i < p->axes_n; i++)
        if (p->axes[i].key && !strcmp(p->axes[i].key, key)) return &p->axes[i];
    return part_axis(p, key);
}

bool grid_has(const struct grid *s, const char *key) {
    for (size_t i = 0; i < s->parts_n; i++)
        if (part_axis_of(&s->parts[i], key)) return true;
    return false;
}

static bool name_is_taken(const struct grid *s, const char *name) {
    for (size_t i = 0; i < s->parts_n; i++)
        if (part_axis(&s->parts[i], name)) return true;
    return name_is_reserved(name);
}

static int choose_overlay(const struct axis *from, struct axis *to, const struct node *value,
                          struct error *e) {
    const char *wanted = value->kind == NODE_TEXT ? value->text : "";
    struct text_nearest near = {.wanted = wanted};
    for (size_t i = 0; i < from->n; i++) {
        text_nearest_try(&near, from->labels[i]);
        if (strcmp(from->labels[i], wanted) != 0) continue;
        to->labels[to->n] = from->labels[i];
        to->values[to->n++] = from->values[i];
        return STATUS_OK;
    }
    return node_fail(value, e, "axis '%s' has no overlay '%s'%s%s%s", from->name,
                     text_shown(wanted).text, near.best ? " (did you mean '" : "",
                     near.best ? near.best : "", near.best ? "'?)" : "");
}

static int axis_override(struct arena *a, struct axis *axis, const struct node *list,
                         struct error *e) {
    struct axis changed = *axis;
    changed.at = list;
    if (axis->key) {
        *axis = changed;
        return axis_read_values(a, axis, list, e);
    }
    axis_room(a, &changed, list->n);
    for (const struct node *c = list->child; c; c = c->next) {
        int status = choose_overlay(axis, &changed, c, e);
        if (status) return status;
    }
    *axis = changed;
    return check_labels(axis, list, e);
}

static int axis_append(struct grid *s, struct part *p, const char *name, const char *key,
                       const struct node *list, struct error *e) {
    struct axis *axes = arena_get(s->arena, (p->axes_n + 1) * sizeof *axes);
    if (p->axes_n) memcpy(axes, p->axes, p->axes_n * sizeof *axes);
    p->axes = axes;
    struct axis *axis = &axes[p->axes_n++];
    *axis = (struct axis){.name = name, .key = key, .at = list, .group = NO_GROUP};
    return axis_read_values(s->arena, axis, list, e);
}

int grid_override(struct grid *s, const char *key, const struct node *list, struct error *e) {
    bool exists = grid_has(s, key);
    const char *last = strrchr(key, '.'), *name = last ? last + 1 : key;
    if (name_is_taken(s, name)) name = key;
    char *kept = arena_text(s->arena, key, strlen(key));
    name = arena_text(s->arena, name, strlen(name));
    for (size_t i = 0; i < s->parts_n; i++) {
        struct axis *axis = part_axis_of(&s->parts[i], key);
        int status = STATUS_OK;
        if (axis) status = axis_override(s->arena, axis, list, e);
        if (!exists) status = axis_append(s, &s->parts[i], name, kept, list, e);
        if (status) return status;
    }
    return STATUS_OK;
}

/* ---- points ---------------------------------------------------------------------------------- */

static int zip_axis(struct part *p, const struct node *n, size_t group, struct error *e) {
    struct axis *axis = n->kind == NODE_TEXT ? part_axis(p, n->text) : NULL;
    if (!axis) {
        struct text_nearest near = {.wanted = n->kind == NODE_TEXT ? n->text : ""};
        for (size_t i = 0; i < p->axes_n; i++) text_nearest_try(&near, p->axes[i].name);
        return node_fail(n, e, "sweep.zip: there is no axis '%s'%s%s%s",
                         text_shown(near.wanted).text, near.best ? " (did you mean '" : "",
                         near.best ? near.best : "", near.best ? "'?)" : "");
    }
    if (axis->group != NO_GROUP)
        return node_fail(n, e, "sweep.zip: axis '%s' is there twice", axis->name);
    axis->group = group;
    return STATUS_OK;
}

static int zip_read(struct part *p, const struct node *list, size_t group, struct error *e) {
    static const char wanted[] = "must be a list of lists of axes, as in [[removal, rate]]";
    if (list->kind != NODE_LIST || list->n < 2) return node_fail(list, e, "sweep.zip: %s", wanted);
    const struct axis *first = NULL;
    for (const struct node *n = list->child; n; n = n->next) {
        int status = zip_axis(p, n, group, e);
        if (status) return status;
        const struct axis *axis = part_axis(p, n->text);
        if (!first) first = axis;
        if (axis->n != first->n)
            return node_fail(n, e,
                             "sweep.zip: axes that move together need as many values, but "
                             "'%s' has %zu and '%s' %zu",
                             first->name, first->n, axis->name, axis->n);
    }
    return STATUS_OK;
}

static int zips_read(struct part *p, struct error *e) {
    if (!p->zip) return STATUS_OK;
    if (p->zip->kind != NODE_LIST)
        return node_fail(p->zip, e,
                         "sweep.zip: must be a list of lists of axes, as in [[removal, "
                         "rate]]");
    size_t group = p->axes_n; /* beyond the numbers that part_group gives */
    for (const struct node *n = p->zip->child; n; n = n->next) {
        int status = zip_read(p, n, group++, e);
        if (status) return status;
    }
    return STATUS_OK;
}

/* Number the groups in the order of their first axes. */
static void part_group(struct arena *a, struct part *p) {
    size_t *raw = arena_get(a, p->axes_n * sizeof *raw);
    p->group_n = arena_get(a, p->axes_n * sizeof *p->group_n);
    p->groups_n = 0;
    for (size_t i = 0; i < p->axes_n; i++) raw[i] = p->axes[i].group;
    for (size_t i = 0; i < p->axes_n; i++) {
        size_t same = 0;
        while (same < i && (raw[i] == NO_GROUP || raw[same] != raw[i])) same++;
        p->axes[i].group = same < i ? p->axes[same].group : p->groups_n++;
        p->group_n[p->axes[i].group] = p->axes[i].n;
    }
}

static int part_count(struct part *p, size_t first, struct error *e) {
    p->first = first;
    p->points = 1;
    for (size_t g = 0; g < p->groups_n && p->points <= GRID_POINTS; g++)
        p->points *= p->group_n[g]; /* at most 10^6 times the values that fit into a file */
    if (first + p->points <= GRID_POINTS) return STATUS_OK;
    return node_fail_key(p->at ? p->at : p->axes[0].at, e,
                         "sweep: the axes give more than %d points, which is the limit",
                         GRID_POINTS);
}

int grid_finish(struct grid *s, struct error *e) {
    size_t points = 0;
    for (size_t i = 0; i < s->parts_n; i++) {
        struct part *p = &s->parts[i];
        int status = zips_read(p, e);
        if (status) return status;
        part_group(s->arena, p);
        status = part_count(p, points, e);
        if (status) return status;
        points += p->points;
    }
    return STATUS_OK;
}

size_t grid_points(const struct grid *s) {
    const struct part *last = &s->parts[s->parts_n - 1];
    return last->first + last->points;
}

const struct part *grid_part(const struct grid *s, size_t point) {
    size_t i = 0;
    while (i + 1 < s->parts_n && point >= s->parts[i + 1].first) i++;
    return &s->parts[i];
}

size_t axis_index(const struct part *p, const struct axis *axis, size_t point) {
    size_t rest = point - p->first;
    for (size_t g = p->groups_n - 1; g > axis->group; g--) rest /= p->group_n[g];
    return rest % p->group_n[axis->group];
}
