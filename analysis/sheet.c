/* Laying out a part of a sweep: see sheet.h.
 *
 * Cells are counted in the mixed base of the axes' lengths, the last axis fastest. Labels become
 * integers when all of an axis are, else numbers when all are, else they stay texts.
 *
 * The trap is names. In netCDF a variable with the name of a dimension must be its coordinate, so
 * an axis `lr` beside the series `lr` becomes `lr_axis`; and a key such as deficits[0].until becomes
 * deficits_0_until, which xarray takes as a keyword. */
#include "analysis/sheet.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/memory.h"
#include "base/map.h"
#include "base/text.h"

static size_t times(size_t a, size_t b) {
    size_t product;
    return __builtin_mul_overflow(a, b, &product) ? SIZE_MAX : product;
}

/* ---- labels ----------------------------------------------------------------------------------- */

static int order_whole(const void *a, const void *b) {
    const struct sheet_label *x = a, *y = b;
    return (x->whole > y->whole) - (x->whole < y->whole);
}

static int order_number(const void *a, const void *b) {
    const struct sheet_label *x = a, *y = b;
    return (x->number > y->number) - (x->number < y->number);
}

/* Sorts the labels when they are numbers of which no two are equal. */
static bool axis_sort(struct sheet_axis *a, enum h5_kind kind) {
    int (*order)(const void *, const void *) = kind == H5_INTS ? order_whole : order_number;
    for (size_t i = 0; i < a->n; i++) {
        struct sheet_label *l = &a->label[i];
        if (kind == H5_INTS ? !text_integer(l->text, &l->whole) : !text_real(l->text, &l->number))
            return false;
    }
    struct sheet_label *sorted = memory_new(a->n, sizeof *sorted);
    memcpy(sorted, a->label, a->n * sizeof *sorted);
    qsort(sorted, a->n, sizeof *sorted, order);
    bool differ = true;
    for (size_t i = 1; i < a->n; i++) differ = differ && order(&sorted[i - 1], &sorted[i]) < 0;
    if (differ) {
        memcpy(a->label, sorted, a->n * sizeof *sorted);
        a->kind = kind;
    }
    free(sorted);
    return differ;
}

static void axis_read(struct sheet_axis *a, const struct sheet *s, size_t column) {
    struct map *seen = map_create();
    for (size_t i = 0; i < s->points_n; i++) {
        const char *text = s->point[i]->label[column];
        if (map_get(seen, text) != MAP_NONE) continue;
        a->label = memory_grow(a->label, a->n, sizeof *a->label);
        a->label[a->n].text = text;
        map_add(seen, text, (long)a->n++);
    }
    map_free(seen);
    a->kind = H5_TEXTS;
    if (!axis_sort(a, H5_INTS)) axis_sort(a, H5_FLOATS);
    struct map *place = map_create();
    for (size_t i = 0; i < a->n; i++) map_add(place, a->label[i].text, (long)i);
    a->at = memory_new(s->points_n, sizeof *a->at);
    for (size_t i = 0; i < s->points_n; i++)
        a->at[i] = (size_t)map_get(place, s->point[i]->label[column]);
    map_free(place);
}

static bool part_has_axis(const struct sheet *s, size_t column) {
    for (size_t i = 0; i < s->points_n; i++)
        if (strcmp(s->point[i]->label[column], "-") != 0) return true;
    return false;
}

/* Two axes of as many labels where each label of one always comes with the same of the other. */
static bool moves_with(const struct sheet *s, const struct sheet_axis *a,
                       const struct sheet_axis *b) {
    if (a->n != b->n || a->n < 2) return false;
    size_t *partner = memory_new(a->n, sizeof *partner); /* +1; 0: not met yet */
    bool together = true;
    for (size_t i = 0; i < s->points_n && together; i++) {
        size_t *p = &partner[a->at[i]];
        if (!*p) *p = b->at[i] + 1;
        together = *p == b->at[i] + 1;
    }
    free(partner);
    return together;
}

static void sheet_read_axes(struct sheet *s, const struct results *r) {
    s->axis = memory_new(r->axes_n, sizeof *s->axis);
    for (size_t column = 0; column < r->axes_n; column++) {
        if (!part_has_axis(s, column)) continue;
        struct sheet_axis *a = &s->axis[s->axes_n];
        a->asked = r->axes[column].name;
        axis_read(a, s, column);
        a->leader = s->axes_n++;
    }
    s->cells = 1;
    for (size_t b = 0; b < s->axes_n; b++) {
        for (size_t a = 0; a < b && s->axis[b].leader == b; a++)
            if (s->axis[a].leader == a && moves_with(s, &s->axis[a], &s->axis[b]))
                s->axis[b].leader = a;
        if (s->axis[b].leader != b) continue;
        s->rank++;
        s->cells = times(s->cells, s->axis[b].n);
    }
}

/* ---- names ------------------------------------------------------------------------------------ */

static bool is_word(char c) {
    return isalnum((unsigned char)c) || (unsigned char)c >= 0x80;
}

/* Letters, digits and underscores, with a letter in front: "net.seed" -> "net_seed". */
static char *legal_name(const char *asked) {
    char *name = memory_text(asked);
    size_t n = 0;
    for (const char *c = name; *c; c++) {
        if (is_word(*c) || (*c == '_' && n))
            name[n++] = *c;
        else if (n && name[n - 1] != '_')
            name[n++] = '_';
    }
    while (n && name[n - 1] == '_') n--;
    name[n] = '\0';
    if (n && !isdigit((unsigned char)*name)) return name;
    char *prefixed = memory_print("axis%s%s", n ? "_" : "", name);
    free(name);
    return prefixed;
}

/* A group may be called nearly anything: only the first character and slashes matter. */
static char *legal_group(const char *part) {
    char *name = memory_print("%s%s", is_word(*part) || *part == '_' ? "" : "part_", part);
    for (char *c = name; *c; c++)
        if (*c == '/' || (unsigned char)*c <= ' ' || *c == 0x7F) *c = '_';
    return name;
}

/* Takes `name`; gives it with as many suffixes as make it new, and remembers it. */
static char *new_name(struct map *taken, char *name, const char *suffix) {
    while (map_get(taken, name) != MAP_NONE) {
        char *longer = memory_print("%s%s", name, suffix);
        free(name);
        name = longer;
    }
    map_add(taken, name, 0);
    return name;
}

static void take(struct map *taken, const char *prefix, const char *name) {
    char *text = memory_print("%s%s", prefix, name);
    map_add(taken, text, 0);
    free(text);
}

/* What the variables of the file may be called. */
static struct map *names_taken(const struct catalog *k) {
    struct map *taken = map_create();
    take(taken, "", "status");
    for (size_t i = 0; i < k->dims_n; i++) take(taken, "", k->dim[i].name);
    for (enum run_role role = ROLE_POINT; role < RUN_ROLES; role++) {
        take(taken, role_variable(role), "run_id");
        for (size_t i = 0; i < k->variables_n; i++)
            take(taken, role_variable(role), k->variable[i].name);
    }
    return taken;
}

static void sheet_name_axes(struct sheet *s, const struct catalog *k) {
    s->names = names_taken(k);
    for (size_t a = 0; a < s->axes_n; a++)
        s->axis[a].name = new_name(s->names, legal_name(s->axis[a].asked), "_axis");
}

char *sheet_name(struct sheet *s, const char *attr) {
    bool is_new = map_get(s->names, attr) == MAP_NONE;
    return new_name(s->names, memory_print("%s%s", is_new ? "" : "run_", attr), "_run");
}

/* Groups stand in the root among its variables: those of the first part and its attributes. */
static void sheets_name_groups(struct sheet *s, size_t n, const struct catalog *k) {
    struct map *taken = names_taken(k);
    for (size_t a = 0; n && a < s[0].axes_n; a++) take(taken, "", s[0].axis[a].name);
    for (size_t i = 0; i < k->attrs_n; i++) {
        take(taken, "", k->attr[i]);
        take(taken, "run_", k->attr[i]);
    }
    for (size_t i = 0; i < n; i++) {
        char *name = i ? new_name(taken, legal_group(s[i].part), "_part") : memory_text("");
        s[i].group = memory_print("%s%s", name, i ? "/" : "");
        free(name);
    }
    map_free(taken);
}

/* ---- coordinates ------------------------------------------------------------------------------ */

static int order_double(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void union_numbers(struct cells *all, const struct cells *more) {
    if (all->number && more->n <= all->n &&
        !memcmp(all->number, more->number, more->n * sizeof *more->number))
        return; /* the usual case: no longer run */
    size_t n = 0, total = all->n + more->n;
    double *v = memory_new(total, sizeof *v);
    if (all->number) memcpy(v, all->number, all->n * sizeof *v);
    memcpy(v + all->n, more->number, more->n * sizeof *v);
    qsort(v, total, sizeof *v, order_double);
    for (size_t i = 0; i < total; i++)
        if (!n || v[n - 1] < v[i]) v[n++] = v[i];
    free(all->number);
    all->number = v;
    all->n = n;
}

static size_t find_text(const struct cells *all, const char *text) {
    size_t i = 0;
    while (i < all->n && strcmp(all->text[i], text) != 0) i++;
    return i;
}

/* A new label goes behind the one before it in its own log: conv3 stands before fc1. */
static void union_texts(struct cells *all, const struct cells *more) {
    size_t after = 0;
    if (!all->text) all->text = memory_grow(NULL, 0, sizeof *all->text);
    for (size_t i = 0; i < more->n; i++) {
        bool is_next = after < all->n && !strcmp(all->text[after], more->text[i]);
        size_t found = is_next ? after : find_text(all, more->text[i]);
        if (found == all->n) {
            all->text = memory_grow(all->text, all->n, sizeof *all->text);
            memmove(all->text + after + 1, all->text + after, (all->n - after) * sizeof *all->text);
            all->text[after] = memory_text(more->text[i]);
            all->n++;
            found = after;
        }
        after = found + 1;
    }
}

static void sheet_add_log(struct sheet *s, const struct content *c) {
    for (size_t d = 0; d < s->dims_n; d++) {
        const struct cells *more = content_dim(c, (long)d);
        if (!more) continue;
        if (more->text)
            union_texts(&s->dim[d], more);
        else
            union_numbers(&s->dim[d], more);
    }
}

static size_t find_place(const struct cells *all, const struct cells *of, size_t i) {
    if (of->text) {
        bool is_same = i < all->n && !strcmp(all->text[i], of->text[i]);
        return is_same ? i : find_text(all, of->text[i]);
    }
    if (i < all->n && all->number[i] == of->number[i]) return i;
    const double *found =
        bsearch(&of->number[i], all->number, all->n, sizeof *all->number, order_double);
    return found ? (size_t)(found - all->number) : all->n;
}

static void sheet_place_log(struct sheet *s, size_t log, const struct content *c) {
    for (size_t d = 0; d < s->dims_n; d++) {
        const struct cells *of = content_dim(c, (long)d);
        size_t **place = &s->place[log * s->dims_n + d];
        if (!of || *place) continue;
        bool is_same = true;
        *place = memory_new(of->n, sizeof **place);
        for (size_t i = 0; i < of->n; i++) {
            (*place)[i] = find_place(&s->dim[d], of, i);
            is_same = is_same && (*place)[i] == i;
        }
        if (!is_same) continue;
        free(*place);
        *place = NULL;
    }
}

const struct log *point_run(const struct results *r, const struct catalog *k,
                            const struct source *source, const struct point *p,
                            enum run_role role) {
    if (role != ROLE_TWIN || p->twin || r->has_manifest) return p->role[role];
    const struct content *c = &source[p->log->number].content;
    const struct attr_value *id = content_attr(c, map_get(k->attrs, "twin_run_id"));
    long number = id && id->text ? map_get(r->by_id, id->text) : MAP_NONE;
    return number == MAP_NONE ? NULL : r->logs[number];
}

/* The runs of all points, in two passes: what is there, then where in it each log stands. */
static void sheet_read_dims(struct sheet *s, const struct results *r, const struct catalog *k,
                            const struct source *source) {
    s->logs_n = r->logs_n;
    s->dims_n = k->dims_n;
    s->dim = memory_new(k->dims_n, sizeof *s->dim);
    s->place = memory_new(r->logs_n * k->dims_n, sizeof *s->place);
    for (size_t i = 0; i < 2 * s->points_n; i++)
        for (enum run_role role = ROLE_POINT; role < RUN_ROLES; role++) {
            const struct log *log = point_run(r, k, source, s->point[i % s->points_n], role);
            if (log && i < s->points_n)
                sheet_add_log(s, &source[log->number].content);
            else if (log)
                sheet_place_log(s, log->number, &source[log->number].content);
        }
}

/* ---- sheets ----------------------------------------------------------------------------------- */

static struct sheet *sheets_of_parts(const struct results *r, size_t *n) {
    struct sheet *all = NULL;
    struct map *parts = map_create();
    *n = 0;
    for (size_t i = 0; i < r->points_n; i++) {
        const struct point *p = &r->points[i];
        size_t number = (size_t)map_add(parts, p->part, (long)*n);
        if (number >= *n) {
            all = memory_grow(all, *n, sizeof *all);
            all[(*n)++].part = p->part;
        }
        struct sheet *s = &all[number];
        s->point = memory_grow(s->point, s->points_n, sizeof *s->point);
        s->point[s->points_n++] = p;
    }
    map_free(parts);
    return all;
}

struct sheet *sheets_create(const struct results *r, const struct catalog *k,
                            const struct source *source, size_t *n) {
    struct sheet *all = sheets_of_parts(r, n);
    for (size_t i = 0; i < *n; i++) {
        sheet_read_axes(&all[i], r);
        sheet_name_axes(&all[i], k);
        sheet_read_dims(&all[i], r, k, source);
    }
    sheets_name_groups(all, *n, k);
    return all;
}

static void sheet_free(struct sheet *s) {
    for (size_t a = 0; a < s->axes_n; a++) {
        free(s->axis[a].name);
        free(s->axis[a].label);
        free(s->axis[a].at);
    }
    for (size_t d = 0; d < s->dims_n; d++) cells_free(&s->dim[d]);
    for (size_t i = 0; i < s->logs_n * s->dims_n; i++) free(s->place[i]);
    map_free(s->names);
    free(s->axis);
    free(s->point);
    free(s->cell);
    free(s->dim);
    free(s->place);
    free(s->group);
}

void sheets_free(struct sheet *s, size_t n) {
    for (size_t i = 0; i < n; i++) sheet_free(&s[i]);
    free(s);
}

/* ---- cells ------------------------------------------------------------------------------------ */

size_t sheet_values(const struct sheet *s, const struct catalog_variable *v) {
    size_t n = s->cells;
    for (size_t a = 0; a < v->rank; a++) n = times(n, s->dim[v->dim[a]].n);
    return n;
}

static int order_size(const void *a, const void *b) {
    size_t x = *(const size_t *)a, y = *(const size_t *)b;
    return (x > y) - (x < y);
}

int sheet_place(struct sheet *s, const char *path, struct error *e) {
    s->cell = memory_new(s->points_n, sizeof *s->cell);
    for (size_t a = 0; a < s->axes_n; a++)
        for (size_t i = 0; s->axis[a].leader == a && i < s->points_n; i++)
            s->cell[i] = s->cell[i] * s->axis[a].n + s->axis[a].at[i];
    size_t *sorted = memory_new(s->points_n, sizeof *sorted);
    memcpy(sorted, s->cell, s->points_n * sizeof *sorted);
    qsort(sorted, s->points_n, sizeof *sorted, order_size);
    bool twice = false;
    for (size_t i = 1; i < s->points_n; i++) twice = twice || sorted[i - 1] == sorted[i];
    free(sorted);
    if (!twice) return STATUS_OK;
    return error_set(e, STATUS_FAILED,
                     "%s: two points of the part '%s' have the same labels in sweep.tsv; start the "
                     "sweep again to write it anew",
                     path, text_shown(s->part).text);
}

void sheet_copy(const struct sheet *s, const struct catalog_variable *v, size_t point, size_t log,
                const struct content *c, const struct cells *from, double *number,
                const char **text) {
    size_t *const *place = &s->place[log * s->dims_n];
    size_t shape[H5_RANK] = {0}, own[H5_RANK] = {0}, at[H5_RANK] = {0};
    for (size_t a = 0; a < v->rank; a++) {
        shape[a] = s->dim[v->dim[a]].n;
        own[a] = content_dim(c, (long)v->dim[a])->n;
    }
    for (size_t i = 0; i < from->n; i++) {
        size_t to = s->cell[point];
        for (size_t a = 0; a < v->rank; a++) {
            const size_t *moved = place[v->dim[a]];
            to = to * shape[a] + (moved ? moved[at[a]] : at[a]);
        }
        if (number)
            number[to] = from->number[i];
        else
            text[to] = from->text[i];
        for (size_t a = v->rank; a-- > 0 && ++at[a] == own[a];) at[a] = 0;
    }
}

size_t sheet_dims(const struct sheet *s, const struct catalog *k, const struct catalog_variable *v,
                  const char *dims[H5_RANK]) {
    size_t n = 0;
    for (size_t a = 0; a < s->axes_n; a++)
        if (s->axis[a].leader == a) dims[n++] = s->axis[a].name;
    for (size_t a = 0; a < v->rank; a++) dims[n++] = k->dim[v->dim[a]].name;
    return n;
}
