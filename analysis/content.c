/* Reading a whole log by the names it has itself: see content.h.
 *
 * A vector without a scale on its axis is a coordinate: it is a scale itself.
 *
 * The trap: h5_list gives names in alphabetical order, so a variable may come before its
 * coordinates; these are read first, in a pass of their own. */
#include "analysis/content.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/memory.h"
#include "base/map.h"

enum { VALUES_MOST = 1 << 28 };

/* One log while it is read. */
struct reading {
    struct h5_reader *file;
    const char *path;
    struct catalog *catalog;
    struct content *content;
};

/* What a data set is, from one look at it. */
struct form {
    char *name, *path; /* in the catalog, in the file */
    enum h5_kind kind;
    size_t rank, shape[H5_RANK], n; /* n: its values */
    char dim[H5_RANK][H5_NAME];     /* "": an axis without a scale */
    bool is_coordinate;
};

void cells_free(struct cells *c) {
    for (size_t i = 0; c->text && i < c->n; i++) free(c->text[i]);
    free(c->text);
    free(c->number);
    *c = (struct cells){0};
}

/* ---- the catalog ------------------------------------------------------------------------------ */

struct catalog *catalog_create(void) {
    struct catalog *k = memory_new(1, sizeof *k);
    k->dims = map_create();
    k->variables = map_create();
    k->attrs = map_create();
    return k;
}

static void dim_free(struct catalog_dim *d) {
    free(d->name);
    free(d->units);
    free(d->long_name);
    free(d->note);
}

static void variable_free(struct catalog_variable *v) {
    free(v->name);
    free(v->units);
    free(v->long_name);
    free(v->note);
    free(v->first);
}

void catalog_free(struct catalog *k) {
    for (size_t i = 0; i < k->dims_n; i++) dim_free(&k->dim[i]);
    for (size_t i = 0; i < k->variables_n; i++) variable_free(&k->variable[i]);
    for (size_t i = 0; i < k->attrs_n; i++) free(k->attr[i]);
    map_free(k->dims);
    map_free(k->variables);
    map_free(k->attrs);
    free(k->dim);
    free(k->variable);
    free(k->attr);
    free(k);
}

static size_t catalog_add_dim(const struct reading *r, const struct form *f) {
    struct catalog *k = r->catalog;
    k->dim = memory_grow(k->dim, k->dims_n, sizeof *k->dim);
    struct catalog_dim *d = &k->dim[k->dims_n];
    d->name = memory_text(f->name);
    d->kind = f->kind == H5_BYTES ? H5_INTS : f->kind;
    d->units = h5_attr_text(r->file, f->path, "units");
    d->long_name = h5_attr_text(r->file, f->path, "long_name");
    d->note = h5_attr_text(r->file, f->path, "description");
    map_add(k->dims, f->name, (long)k->dims_n);
    return k->dims_n++;
}

/* `seen`: its dimensions and type. */
static size_t catalog_add_variable(const struct reading *r, const struct form *f,
                                   struct catalog_variable seen) {
    struct catalog *k = r->catalog;
    seen.name = memory_text(f->name);
    seen.units = h5_attr_text(r->file, f->path, "units");
    seen.long_name = h5_attr_text(r->file, f->path, "long_name");
    seen.note = h5_attr_text(r->file, f->path, "description");
    seen.first = memory_text(r->path);
    k->variable = memory_grow(k->variable, k->variables_n, sizeof *k->variable);
    k->variable[k->variables_n] = seen;
    map_add(k->variables, f->name, (long)k->variables_n);
    return k->variables_n++;
}

static size_t catalog_add_attr(struct catalog *k, const char *name) {
    long known = map_get(k->attrs, name);
    if (known != MAP_NONE) return (size_t)known;
    k->attr = memory_grow(k->attr, k->attrs_n, sizeof *k->attr);
    k->attr[k->attrs_n] = memory_text(name);
    map_add(k->attrs, name, (long)k->attrs_n);
    return k->attrs_n++;
}

/* ---- values ----------------------------------------------------------------------------------- */

/* Cell i of an array that grows to hold it. */
static struct cells *cells_room(struct cells **all, size_t *n, size_t i) {
    for (; *n <= i; ++*n) *all = memory_grow(*all, *n, sizeof **all);
    return &(*all)[i];
}

static int read_texts(const struct reading *r, const char *path, struct cells *into,
                      struct error *e) {
    size_t n;
    into->text = h5_get_texts(r->file, path, &n);
    if (!into->text || n != into->n)
        return error_set(e, STATUS_FAILED, "%s: cannot read '%s'", r->path, path);
    for (size_t i = 0; i < n; i++)
        if (!into->text[i]) into->text[i] = memory_text("");
    return STATUS_OK;
}

static int read_cells(const struct reading *r, const char *path, bool is_text, struct cells *into,
                      struct error *e) {
    if (is_text) return read_texts(r, path, into, e);
    into->number = memory_new(into->n, sizeof *into->number);
    return h5_get_doubles(r->file, path, into->number, e);
}

static void form_free(struct form *f) {
    free(f->name);
    free(f->path);
}

/* A vector without a scale is one itself. */
static int form_read(struct form *f, const struct reading *r, struct error *e) {
    int rank = h5_shape(r->file, f->path, f->shape);
    f->kind = h5_kind(r->file, f->path, NULL);
    if (rank < 0 || f->kind == H5_NONE)
        return error_set(e, STATUS_FAILED, "%s: cannot read '%s'", r->path, f->path);
    f->rank = (size_t)rank;
    f->n = 1;
    for (size_t a = 0; a < f->rank; a++) {
        if (h5_dim_name(r->file, f->path, a, f->dim[a])) f->dim[a][0] = '\0';
        if (f->shape[a] && f->n > VALUES_MOST / f->shape[a])
            return error_set(e, STATUS_FAILED, "%s: '%s' is too large", r->path, f->path);
        f->n *= f->shape[a];
    }
    f->is_coordinate = f->rank == 1 && !f->dim[0][0];
    return STATUS_OK;
}

/* Scales of bytes mark an axis without coordinates, as netCDF-4 does: its places are counted. */
static int check_coordinate(const struct reading *r, const struct form *f, struct cells *c,
                            struct error *e) {
    for (size_t i = 0; c->number && i < c->n; i++) {
        if (f->kind == H5_BYTES) c->number[i] = (double)i;
        if (isnan(c->number[i]))
            return error_set(e, STATUS_FAILED, "%s: its coordinate '%s' is no number at %zu",
                             r->path, f->name, i);
    }
    return STATUS_OK;
}

static int read_coordinate(const struct reading *r, const struct form *f, struct error *e) {
    bool is_text = f->kind == H5_TEXTS;
    long known = map_get(r->catalog->dims, f->name);
    size_t d = known != MAP_NONE ? (size_t)known : catalog_add_dim(r, f);
    if ((r->catalog->dim[d].kind == H5_TEXTS) != is_text)
        return error_set(e, STATUS_FAILED,
                         "%s: its coordinate '%s' is of another type than in "
                         "other logs; was it made by another version?",
                         r->path, f->name);
    struct cells *c = cells_room(&r->content->dim, &r->content->dims_n, d);
    c->n = f->n;
    int status = read_cells(r, f->path, is_text, c, e);
    return status ? status : check_coordinate(r, f, c, e);
}

/* The form with its dimensions numbered: each has a coordinate of its length. */
static int number_dims(const struct reading *r, const struct form *f, struct catalog_variable *v,
                       struct error *e) {
    *v = (struct catalog_variable){.is_text = f->kind == H5_TEXTS, .rank = f->rank};
    for (size_t a = 0; a < f->rank; a++) {
        long d = map_get(r->catalog->dims, f->dim[a]);
        const struct cells *scale = content_dim(r->content, d);
        if (!scale || scale->n != f->shape[a])
            return error_set(e, STATUS_FAILED, "%s: axis %zu of '%s' has no coordinate", r->path, a,
                             f->path);
        v->dim[a] = (size_t)d;
    }
    return STATUS_OK;
}

static bool same_form(const struct catalog_variable *a, const struct catalog_variable *b) {
    if (a->is_text != b->is_text || a->rank != b->rank) return false;
    return !memcmp(a->dim, b->dim, a->rank * sizeof *a->dim);
}

static int read_variable(const struct reading *r, const struct form *f, struct error *e) {
    struct catalog_variable seen;
    int status = number_dims(r, f, &seen, e);
    if (status) return status;
    long known = map_get(r->catalog->variables, f->name);
    if (known != MAP_NONE && !same_form(&r->catalog->variable[known], &seen))
        return error_set(e, STATUS_FAILED,
                         "%s: its '%s' has other dimensions than that of %s; "
                         "were they made by the same version?",
                         r->path, f->path, r->catalog->variable[known].first);
    size_t v = known != MAP_NONE ? (size_t)known : catalog_add_variable(r, f, seen);
    struct cells *c = cells_room(&r->content->variable, &r->content->variables_n, v);
    c->n = f->n;
    return read_cells(r, f->path, seen.is_text, c, e);
}

/* ---- a log ------------------------------------------------------------------------------------ */

static void names_free(char **names, size_t n) {
    for (size_t i = 0; i < n; i++) free(names[i]);
    free(names);
}

/* Everything of a group, coordinates first; `prefix` stands before the names in the catalog. */
static int read_group(const struct reading *r, const char *group, const char *prefix,
                      struct error *e) {
    size_t n;
    char **names = h5_list(r->file, group, &n);
    struct form *form = memory_new(n, sizeof *form);
    int status = STATUS_OK;
    for (size_t i = 0; i < n && !status; i++) {
        form[i].name = memory_print("%s%s", prefix, names[i]);
        form[i].path = memory_print("%s%s%s", group, *group ? "/" : "", names[i]);
        status = form_read(&form[i], r, e);
    }
    for (size_t i = 0; i < n && !status; i++)
        if (form[i].is_coordinate) status = read_coordinate(r, &form[i], e);
    for (size_t i = 0; i < n && !status; i++)
        if (!form[i].is_coordinate) status = read_variable(r, &form[i], e);
    for (size_t i = 0; i < n; i++) form_free(&form[i]);
    free(form);
    names_free(names, n);
    return status;
}

static struct attr_value read_attr(struct h5_reader *file, const char *name) {
    struct attr_value v = {.kind = h5_attr_kind(file, "/", name), .number = NAN};
    if (v.kind == H5_BYTES) v.kind = H5_INTS;
    if (v.kind == H5_TEXTS) v.text = h5_attr_text(file, "/", name);
    if (v.kind == H5_TEXTS && !v.text) v.text = memory_text("");
    if (v.kind == H5_INTS) v.whole = h5_attr_int(file, "/", name, 0);
    if (v.kind == H5_INTS || v.kind == H5_FLOATS) v.number = h5_attr_real(file, "/", name);
    return v;
}

static void read_attrs(const struct reading *r) {
    size_t n;
    char **names = h5_attr_list(r->file, "/", &n);
    for (size_t i = 0; i < n; i++) catalog_add_attr(r->catalog, names[i]);
    struct content *c = r->content;
    c->attrs_n = r->catalog->attrs_n;
    c->attr = memory_new(c->attrs_n, sizeof *c->attr);
    for (size_t i = 0; i < n; i++)
        c->attr[catalog_add_attr(r->catalog, names[i])] = read_attr(r->file, names[i]);
    names_free(names, n);
}

int content_read(struct content *c, struct catalog *k, const char *path, struct error *e) {
    struct reading r = {.path = path, .catalog = k, .content = c};
    *c = (struct content){0};
    int status = h5_open(&r.file, path, e);
    if (status) return status;
    read_attrs(&r);
    status = read_group(&r, "", "", e);
    if (!status) status = read_group(&r, "final", "final_", e);
    if (!status && !content_dim(c, map_get(k->dims, "epoch")))
        status = error_set(e, STATUS_FAILED, "%s: not a log of imprint (it has no epochs)", path);
    h5_close(r.file);
    if (status) content_free(c);
    return status;
}

void content_free(struct content *c) {
    for (size_t i = 0; i < c->dims_n; i++) cells_free(&c->dim[i]);
    for (size_t i = 0; i < c->variables_n; i++) cells_free(&c->variable[i]);
    for (size_t i = 0; i < c->attrs_n; i++) free(c->attr[i].text);
    free(c->dim);
    free(c->variable);
    free(c->attr);
    *c = (struct content){0};
}

bool cells_are_there(const struct cells *c) {
    return c->number || c->text;
}

static const struct cells *present(const struct cells *all, size_t n, long i) {
    return i >= 0 && (size_t)i < n && cells_are_there(&all[i]) ? &all[i] : NULL;
}

const struct cells *content_dim(const struct content *c, long i) {
    return present(c->dim, c->dims_n, i);
}

const struct cells *content_variable(const struct content *c, long i) {
    return present(c->variable, c->variables_n, i);
}

const struct attr_value *content_attr(const struct content *c, long i) {
    if (i < 0 || (size_t)i >= c->attrs_n || c->attr[i].kind == H5_NONE) return NULL;
    return &c->attr[i];
}

bool attr_equal(const struct attr_value *a, const struct attr_value *b) {
    if (!a || !b || a->kind != b->kind) return false;
    if (a->kind == H5_TEXTS) return !strcmp(a->text, b->text);
    if (a->kind == H5_INTS) return a->whole == b->whole;
    return a->number == b->number || (isnan(a->number) && isnan(b->number));
}
