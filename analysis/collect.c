/* Many logs as one file of labelled arrays: see collect.h.
 *
 * Every log is read once, whole, by the names it has itself (content.c), so that a new measure is
 * collected the day it is written. Each part of the sweep is then a block of cells (sheet.c): the
 * first part in the root, the others in groups of their names, since netCDF wants a variable's
 * coordinates in its own group. One variable at a time is laid out and put into the file.
 *
 * The trap is size: the file is built in memory and copied once, and a grid grows with the product
 * of its axes, not with the runs. So the arrays are counted before any is made. */
#include "analysis/collect.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "analysis/memory.h"
#include "analysis/sheet.h"
#include "base/map.h"
#include "base/text.h"

enum { TEXT_BYTES = 64 }; /* what a text takes in memory and in the file, about */

enum spread { NOWHERE, COMMON, VARIES }; /* an attribute: COMMON is the same in all logs */

struct collection {
    const char *folder;
    struct results *results;
    struct catalog *catalog;
    struct source *source; /* [results->logs_n] */
    enum spread *spread;   /* [catalog->attrs_n] */
    struct sheet *sheet;
    size_t sheets_n;
    FILE *notes;
};

/* ---- reading ---------------------------------------------------------------------------------- */

static const char *status_of(const struct collection *c, const struct content *content) {
    static const char *const KNOWN[] = {"done", "running", "interrupted", "diverged", "failed"};
    const struct attr_value *status = content_attr(content, map_get(c->catalog->attrs, "status"));
    for (size_t i = 0; status && status->text && i < sizeof KNOWN / sizeof *KNOWN; i++)
        if (!strcmp(status->text, KNOWN[i])) return KNOWN[i];
    return "failed";
}

static int read_log(struct collection *c, const struct log *log, struct error *e) {
    struct source *s = &c->source[log->number];
    int status = content_read(&s->content, c->catalog, log->path, e);
    if (!status && content_attr(&s->content, map_get(c->catalog->attrs, "imprint_sweep"))) {
        content_free(&s->content);
        status =
            error_set(e, STATUS_FAILED,
                      "%s: is no log but a collected sweep; keep it in another folder", log->path);
    }
    s->status = status ? "damaged" : status_of(c, &s->content);
    return status;
}

static int read_logs(struct collection *c, struct error *e) {
    struct error first = {0};
    size_t whole = 0, damaged = 0;
    c->source = memory_new(c->results->logs_n, sizeof *c->source);
    for (size_t i = 0; i < c->results->logs_n; i++) {
        const struct log *log = c->results->logs[i];
        struct error why = {0};
        struct stat about;
        c->source[i].status = "missing";
        if (stat(log->path, &about) && errno == ENOENT) continue;
        if (read_log(c, log, &why) && !damaged++) first = why;
        whole += !why.status;
    }
    if (!whole)
        return error_set(e, STATUS_FAILED, "%s: has no log that can be read yet%s%s", c->folder,
                         damaged ? ": " : "", first.text);
    if (damaged)
        fprintf(c->notes, "imprint: %zu log%s cannot be read and %s left out: %s\n", damaged,
                damaged == 1 ? "" : "s", damaged == 1 ? "is" : "are", first.text);
    return STATUS_OK;
}

static enum spread attr_spread(const struct collection *c, size_t attr) {
    const struct attr_value *first = NULL;
    bool varies = false, is_missed = false;
    for (size_t i = 0; i < c->results->logs_n; i++) {
        const struct content *content = &c->source[i].content;
        const struct attr_value *v = content_attr(content, (long)attr);
        if (content->dims_n && !v) is_missed = true; /* not of a log that was left out */
        if (!v) continue;
        if (!first) first = v;
        varies = varies || !attr_equal(first, v);
    }
    if (!first) return NOWHERE;
    return varies || is_missed ? VARIES : COMMON;
}

static void spread_attrs(struct collection *c) {
    c->spread = memory_new(c->catalog->attrs_n, sizeof *c->spread);
    for (size_t a = 0; a < c->catalog->attrs_n; a++) c->spread[a] = attr_spread(c, a);
    long id = map_get(c->catalog->attrs, "numerics_id");
    if (id != MAP_NONE && c->spread[id] == VARIES)
        fprintf(c->notes,
                "imprint: these logs are of more than one build or kind of machine, and "
                "may differ in the last bits; 'numerics_id' says which run is of which\n");
}

/* ---- what a file will hold -------------------------------------------------------------------- */

/* A variable of the file, with the values of a point's run of this role. */
struct column {
    const struct catalog_variable *of;
    long number;
    enum run_role role;
};

static const struct log *point_log(const struct collection *c, const struct point *p,
                                   enum run_role role) {
    return point_run(c->results, c->catalog, c->source, p, role);
}

static const struct cells *point_cells(const struct collection *c, const struct point *p,
                                       const struct column *v) {
    const struct log *log = point_log(c, p, v->role);
    return log ? content_variable(&c->source[log->number].content, v->number) : NULL;
}

static bool sheet_has(const struct collection *c, const struct sheet *s, const struct column *v) {
    for (size_t i = 0; i < s->points_n; i++)
        if (point_cells(c, s->point[i], v)) return true;
    return false;
}

/* The variables of a sheet in order of name, those of its twin and controls behind the run's own. */
static struct column *sheet_columns(const struct collection *c, const struct sheet *s, size_t *n) {
    static const char *const COMPARED[] = {"final_test_accuracy", "test_accuracy"};
    struct column *all = NULL;
    *n = 0;
    for (size_t i = 0; i < c->catalog->variables_n; i++) {
        const struct catalog_variable *of = &c->catalog->variable[i];
        bool of_all = !strcmp(of->name, COMPARED[0]) || !strcmp(of->name, COMPARED[1]);
        for (enum run_role role = ROLE_POINT; role < (of_all ? RUN_ROLES : ROLE_TWIN); role++) {
            struct column v = {of, (long)i, role};
            if (!sheet_has(c, s, &v)) continue;
            all = memory_grow(all, *n, sizeof *all);
            all[(*n)++] = v;
        }
    }
    return all;
}

static size_t add_bytes(size_t a, size_t values, size_t each) {
    size_t bytes, sum;
    if (__builtin_mul_overflow(values, each, &bytes)) return SIZE_MAX;
    return __builtin_add_overflow(a, bytes, &sum) ? SIZE_MAX : sum;
}

/* Attributes and ids are counted as texts: they are few beside the series. */
static size_t sheet_bytes(const struct collection *c, const struct sheet *s) {
    size_t n, bytes = 0;
    struct column *v = sheet_columns(c, s, &n);
    for (size_t i = 0; i < n; i++)
        bytes = add_bytes(bytes, sheet_values(s, v[i].of),
                          v[i].of->is_text ? TEXT_BYTES : sizeof(double));
    free(v);
    return add_bytes(bytes, s->cells, 16 * TEXT_BYTES);
}

static size_t machine_memory(void) {
    long pages = sysconf(_SC_PHYS_PAGES), size = sysconf(_SC_PAGESIZE);
    return pages > 0 && size > 0 ? (size_t)pages * (size_t)size : SIZE_MAX;
}

static int check_size(const struct collection *c, size_t memory, struct error *e) {
    size_t bytes = 0;
    if (!memory) memory = machine_memory();
    for (size_t i = 0; i < c->sheets_n; i++)
        bytes = add_bytes(bytes, sheet_bytes(c, &c->sheet[i]), 1);
    if (bytes <= memory / 2) return STATUS_OK; /* the file is in memory twice */
    const double GIB = 1024.0 * 1024.0 * 1024.0;
    return error_set(
        e, STATUS_FAILED,
        "%s: the arrays of its sweep.h5 take %.3g GiB or more, twice that while it is "
        "written, and there are %.3g GiB of memory; sweep fewer axes at once (an array "
        "grows with the product of all axes), or read the logs themselves",
        c->folder, (double)bytes / GIB, (double)memory / GIB);
}

static int check_rank(const struct collection *c, const struct sheet *s, struct error *e) {
    size_t n, most = 0;
    struct column *v = sheet_columns(c, s, &n);
    const char *name = "status";
    for (size_t i = 0; i < n; i++)
        if (v[i].of->rank > most) {
            most = v[i].of->rank;
            name = v[i].of->name;
        }
    free(v);
    if (s->rank + most <= H5_RANK) return STATUS_OK;
    return error_set(e, STATUS_FAILED,
                     "%s: the part '%s' has %zu axes, and '%s' has %zu of its own: an array holds "
                     "at most %d; sweep fewer axes at once, or let some move together (zip)",
                     c->folder, text_shown(s->part).text, s->rank, name, most, H5_RANK);
}

/* ---- writing ---------------------------------------------------------------------------------- */

/* A variable over the sheet's cells alone: one value a point. */
struct field {
    const char *name;
    struct h5_about about;
    double *number; /* [cells]; else */
    const char **text;
};

static void put_cells(struct h5_writer *w, const struct sheet *s, const struct catalog *k,
                      const struct field *f) {
    const struct catalog_variable scalar = {.rank = 0};
    const char *dims[H5_RANK];
    size_t rank = sheet_dims(s, k, &scalar, dims);
    char *path = memory_print("%s%s", s->group, f->name);
    if (f->number)
        h5_put_doubles(w, path, f->number, rank, dims, &f->about);
    else
        h5_put_texts(w, path, f->text, rank, dims, &f->about);
    free(path);
}

static const char **new_texts(size_t n) {
    const char **v = memory_new(n, sizeof *v);
    for (size_t i = 0; i < n; i++) v[i] = "";
    return v;
}

static double *new_numbers(size_t n) {
    double *v = memory_new(n, sizeof *v);
    for (size_t i = 0; i < n; i++) v[i] = NAN;
    return v;
}

/* An axis that is a dimension becomes its coordinate, one that follows another a variable of it. */
static void put_axis(struct h5_writer *w, const struct sheet *s, const struct sheet_axis *a) {
    const struct sheet_axis *leader = &s->axis[a->leader];
    const char *dims[] = {leader->name};
    struct h5_about about = {NULL, a->asked, NULL};
    char *path = memory_print("%s%s", s->group, a->name);
    int64_t *whole = memory_new(a->n, sizeof *whole);
    double *number = memory_new(a->n, sizeof *number);
    const char **text = new_texts(a->n);
    for (size_t i = 0; i < s->points_n; i++) {
        const struct sheet_label *label = &a->label[a->at[i]];
        whole[leader->at[i]] = label->whole;
        number[leader->at[i]] = label->number;
        text[leader->at[i]] = label->text;
    }
    bool is_scale = a == leader;
    if (a->kind == H5_INTS && is_scale) h5_put_scale_ints(w, path, whole, a->n, &about);
    if (a->kind == H5_INTS && !is_scale) h5_put_ints(w, path, whole, 1, dims, &about);
    if (a->kind == H5_FLOATS && is_scale) h5_put_scale_reals(w, path, number, a->n, &about);
    if (a->kind == H5_FLOATS && !is_scale) h5_put_doubles(w, path, number, 1, dims, &about);
    if (a->kind == H5_TEXTS && is_scale) h5_put_scale_texts(w, path, text, a->n, &about);
    if (a->kind == H5_TEXTS && !is_scale) h5_put_texts(w, path, text, 1, dims, &about);
    free(whole);
    free(number);
    free(text);
    free(path);
}

static void put_axes(struct h5_writer *w, const struct sheet *s) {
    struct text followers = {0};
    for (size_t a = 0; a < s->axes_n; a++)
        if (s->axis[a].leader == a) put_axis(w, s, &s->axis[a]);
    for (size_t a = 0; a < s->axes_n; a++) {
        if (s->axis[a].leader == a) continue;
        put_axis(w, s, &s->axis[a]);
        text_add(&followers, "%s%s", followers.n ? " " : "", s->axis[a].name);
    }
    /* CF: what stands beside a dimension's own coordinate */
    if (followers.n) h5_put_attr_text(w, *s->group ? s->group : "/", "coordinates", followers.data);
    free(followers.data);
}

static void put_dims(struct h5_writer *w, const struct sheet *s, const struct catalog *k) {
    for (size_t d = 0; d < s->dims_n; d++) {
        const struct cells *v = &s->dim[d];
        const struct catalog_dim *is = &k->dim[d];
        if (!cells_are_there(v)) continue;
        struct h5_about about = {is->units, is->long_name, is->note};
        char *path = memory_print("%s%s", s->group, is->name);
        if (is->kind == H5_TEXTS) {
            h5_put_scale_texts(w, path, (const char *const *)v->text, v->n, &about);
        } else if (is->kind == H5_FLOATS) {
            h5_put_scale_reals(w, path, v->number, v->n, &about);
        } else {
            int64_t *whole = memory_new(v->n, sizeof *whole);
            for (size_t i = 0; i < v->n; i++) whole[i] = (int64_t)v->number[i];
            h5_put_scale_ints(w, path, whole, v->n, &about);
            free(whole);
        }
        free(path);
    }
}

static void put_column(struct h5_writer *w, const struct collection *c, const struct sheet *s,
                       const struct column *v) {
    size_t n = sheet_values(s, v->of);
    double *number = v->of->is_text ? NULL : new_numbers(n);
    const char **text = v->of->is_text ? new_texts(n) : NULL, *dims[H5_RANK];
    for (size_t i = 0; i < s->points_n; i++) {
        const struct cells *from = point_cells(c, s->point[i], v);
        if (!from) continue;
        size_t log = point_log(c, s->point[i], v->role)->number;
        sheet_copy(s, v->of, i, log, &c->source[log].content, from, number, text);
    }
    size_t rank = sheet_dims(s, c->catalog, v->of, dims);
    char *path = memory_print("%s%s%s", s->group, role_variable(v->role), v->of->name);
    const char *own = v->of->long_name ? v->of->long_name : v->of->name, *role = role_name(v->role);
    char *name = memory_print("%s%s%s", own, *role ? ", " : "", role);
    struct h5_about about = {v->of->units, name, v->of->note};
    if (number)
        h5_put_doubles(w, path, number, rank, dims, &about);
    else
        h5_put_texts(w, path, text, rank, dims, &about);
    free(name);
    free(path);
    free(number);
    free(text);
}

/* ---- what the attributes say ------------------------------------------------------------------ */

static void put_ids(struct h5_writer *w, const struct collection *c, const struct sheet *s) {
    struct field f = {.text = new_texts(s->cells)};
    for (size_t i = 0; i < s->points_n; i++)
        f.text[s->cell[i]] = c->source[s->point[i]->log->number].status;
    f.name = "status";
    f.about.long_name = "how far the run is";
    f.about.note = "done, running, interrupted, diverged, failed, missing (no log yet), damaged (a "
                   "log that cannot be read); empty: the sweep has no such point";
    put_cells(w, s, c->catalog, &f);
    for (size_t i = 0; i < s->points_n; i++) f.text[s->cell[i]] = s->point[i]->log->id;
    f.name = "run_id";
    f.about = (struct h5_about){NULL, "the run's log is runs/RUN_ID.h5", NULL};
    put_cells(w, s, c->catalog, &f);
    free(f.text);
}

/* Which run is a point's control, where any has one; the clean twin's is always there. */
static void put_role_ids(struct h5_writer *w, const struct collection *c, const struct sheet *s,
                         enum run_role role) {
    bool any = role == ROLE_TWIN;
    struct field f = {.text = new_texts(s->cells)};
    for (size_t i = 0; i < s->points_n; i++) {
        const struct log *log = point_log(c, s->point[i], role);
        f.text[s->cell[i]] = log ? log->id : "";
        any = any || log;
    }
    char *name = memory_print("%srun_id", role_variable(role));
    char *about = memory_print("the run's %s", role_name(role));
    f.name = name;
    f.about.long_name = about;
    if (any) put_cells(w, s, c->catalog, &f);
    free(about);
    free(name);
    free(f.text);
}

/* An axis of the same name that says the same makes the variable superfluous. */
static bool axis_says_it(const struct collection *c, const struct sheet *s, size_t attr) {
    const struct sheet_axis *a = NULL;
    for (size_t i = 0; i < s->axes_n; i++)
        if (!strcmp(s->axis[i].name, c->catalog->attr[attr])) a = &s->axis[i];
    for (size_t i = 0; a && i < s->points_n; i++) {
        const struct source *from = &c->source[s->point[i]->log->number];
        const struct attr_value *v = content_attr(&from->content, (long)attr);
        const struct sheet_label *label = &a->label[a->at[i]];
        if (!v) continue;
        bool same = v->kind == H5_TEXTS    ? !strcmp(v->text, label->text)
                    : a->kind == H5_INTS   ? v->number == (double)label->whole
                    : a->kind == H5_FLOATS ? v->number == label->number
                                           : false;
        if (!same) return false;
    }
    return a != NULL;
}

static struct h5_about attr_about(const char *name) {
    static const struct {
        const char *name;
        struct h5_about about;
    } KNOWN[] = {{"onset", {"epochs", "first epoch under a deficit", NULL}},
                 {"removal", {"epochs", "first epoch after the last deficit", NULL}},
                 {"total_epochs", {"epochs", "epochs of the whole run", NULL}},
                 {"lr_at_removal", {"1", "learning rate in the first epoch after removal", NULL}}};
    for (size_t i = 0; i < sizeof KNOWN / sizeof *KNOWN; i++)
        if (!strcmp(KNOWN[i].name, name)) return KNOWN[i].about;
    return (struct h5_about){"1", name, NULL};
}

static bool is_one_of(const char *name, const char *const *list) {
    for (; *list; list++)
        if (!strcmp(name, *list)) return true;
    return false;
}

/* Of a run's making, or said otherwise. */
static bool attr_is_passed_over(const char *name) {
    static const char *const LIST[] = {"Conventions", "content_digest", "created", "finished",
                                       "host",        "user",           "run_id",  "twin_run_id",
                                       "status",      "coordinates",    NULL};
    return is_one_of(name, LIST);
}

/* These are variables even where all runs agree, so that a script finds them in every sweep. */
static bool attr_is_always_variable(const char *name) {
    static const char *const LIST[] = {
        "onset", "removal", "total_epochs", "lr_at_removal", "seed", "prefix_key", NULL};
    return is_one_of(name, LIST);
}

static bool attr_is_text(const struct collection *c, size_t attr) {
    for (size_t i = 0; i < c->results->logs_n; i++) {
        const struct attr_value *v = content_attr(&c->source[i].content, (long)attr);
        if (v && v->kind == H5_TEXTS) return true;
    }
    return false;
}

static void put_attr_variable(struct h5_writer *w, const struct collection *c, struct sheet *s,
                              size_t attr) {
    bool is_text = attr_is_text(c, attr);
    struct field f = {.about = attr_about(c->catalog->attr[attr])};
    if (is_text) f.about.units = NULL;
    if (is_text)
        f.text = new_texts(s->cells);
    else
        f.number = new_numbers(s->cells);
    for (size_t i = 0; i < s->points_n; i++) {
        const struct source *from = &c->source[s->point[i]->log->number];
        const struct attr_value *v = content_attr(&from->content, (long)attr);
        if (v && is_text && v->kind == H5_TEXTS) f.text[s->cell[i]] = v->text;
        if (v && !is_text) f.number[s->cell[i]] = v->number;
    }
    char *name = sheet_name(s, c->catalog->attr[attr]);
    f.name = name;
    put_cells(w, s, c->catalog, &f);
    free(name);
    free(f.number);
    free(f.text);
}

static void put_common_attr(struct h5_writer *w, const struct collection *c, const char *object,
                            size_t attr) {
    const char *name = c->catalog->attr[attr];
    const struct attr_value *v = NULL;
    for (size_t i = 0; !v && i < c->results->logs_n; i++)
        v = content_attr(&c->source[i].content, (long)attr);
    if (!v) return;
    if (v->kind == H5_TEXTS) h5_put_attr_text(w, object, name, v->text);
    if (v->kind == H5_INTS) h5_put_attr_int(w, object, name, v->whole);
    if (v->kind == H5_FLOATS) h5_put_attr_real(w, object, name, v->number);
}

/* xarray opens one group at a time, so each has the attributes. */
static void put_attrs(struct h5_writer *w, const struct collection *c, struct sheet *s) {
    const char *object = *s->group ? s->group : "/";
    h5_put_attr_text(w, object, "Conventions", "CF-1.8");
    h5_put_attr_int(w, object, "imprint_sweep", 1);
    h5_put_attr_text(w, object, "part", s->part);
    for (size_t a = 0; a < c->catalog->attrs_n; a++) {
        const char *name = c->catalog->attr[a];
        if (c->spread[a] == NOWHERE || attr_is_passed_over(name)) continue;
        bool is_variable = c->spread[a] == VARIES || attr_is_always_variable(name);
        if (!is_variable)
            put_common_attr(w, c, object, a);
        else if (!axis_says_it(c, s, a))
            put_attr_variable(w, c, s, a);
    }
}

static void put_sheet(struct h5_writer *w, const struct collection *c, struct sheet *s) {
    size_t n;
    struct column *v = sheet_columns(c, s, &n);
    put_axes(w, s);
    put_dims(w, s, c->catalog);
    put_ids(w, c, s);
    for (enum run_role role = ROLE_TWIN; role < RUN_ROLES; role++) put_role_ids(w, c, s, role);
    for (size_t i = 0; i < n; i++) put_column(w, c, s, &v[i]);
    put_attrs(w, c, s);
    free(v);
}

/* ---- what was done ---------------------------------------------------------------------------- */

static void print_counts(const struct collection *c, const struct sheet *s, FILE *out) {
    static const char *const STATES[] = {"done",   "running", "interrupted", "diverged",
                                         "failed", "missing", "damaged"};
    const char *before = "";
    for (size_t k = 0; k < sizeof STATES / sizeof *STATES; k++) {
        size_t n = 0;
        for (size_t i = 0; i < s->points_n; i++)
            n += !strcmp(c->source[s->point[i]->log->number].status, STATES[k]);
        if (!n) continue;
        fprintf(out, "%s%zu %s", before, n, STATES[k]);
        before = ", ";
    }
}

static void print_sheet(const struct collection *c, const struct sheet *s, FILE *out) {
    fprintf(out, "%s%s%.*s%s: ", s->part, *s->group ? " (group " : "",
            *s->group ? (int)strlen(s->group) - 1 : 0, s->group, *s->group ? ")" : "");
    for (size_t a = 0; a < s->axes_n; a++) {
        const struct sheet_axis *leader = &s->axis[s->axis[a].leader];
        if (leader == &s->axis[a])
            fprintf(out, "%s%s=%zu", a ? ", " : "", leader->name, leader->n);
        else
            fprintf(out, ", %s(%s)", s->axis[a].name, leader->name);
    }
    fprintf(out, "%s%zu point%s: ", s->axes_n ? "; " : "", s->points_n,
            s->points_n == 1 ? "" : "s");
    print_counts(c, s, out);
    fputc('\n', out);
}

/* ---- all -------------------------------------------------------------------------------------- */

/* Refuse to replace what this did not write, a log named by mistake above all. */
static int check_output(const char *path, struct error *e) {
    struct h5_reader *r;
    if (access(path, F_OK)) return STATUS_OK;
    bool is_ours = !h5_open(&r, path, NULL);
    if (is_ours) {
        is_ours = h5_attr_int(r, "/", "imprint_sweep", 0) > 0;
        h5_close(r);
    }
    if (is_ours) return STATUS_OK;
    return error_set(e, STATUS_USAGE,
                     "%s: is there and is no collected sweep; remove it or give --output another "
                     "name",
                     path);
}

static int write_file(struct collection *c, const char *path, FILE *out, struct error *e) {
    struct h5_writer *w = h5_create(path);
    for (size_t i = 0; i < c->sheets_n; i++) put_sheet(w, c, &c->sheet[i]);
    for (size_t i = 0; i < c->results->logs_n; i++) content_free(&c->source[i].content);
    int status = h5_commit(w, true, e);
    if (status) return status;
    fprintf(out, "%s\n", path);
    for (size_t i = 0; i < c->sheets_n; i++) print_sheet(c, &c->sheet[i], out);
    return STATUS_OK;
}

static int collect_logs(struct collection *c, size_t memory, struct error *e) {
    int status = read_logs(c, e);
    if (status) return status;
    spread_attrs(c);
    c->sheet = sheets_create(c->results, c->catalog, c->source, &c->sheets_n);
    for (size_t i = 0; i < c->sheets_n && !status; i++) status = check_rank(c, &c->sheet[i], e);
    if (!status) status = check_size(c, memory, e);
    for (size_t i = 0; i < c->sheets_n && !status; i++)
        status = sheet_place(&c->sheet[i], c->folder, e);
    return status;
}

static void collection_free(struct collection *c) {
    sheets_free(c->sheet, c->sheets_n);
    for (size_t i = 0; c->source && i < c->results->logs_n; i++)
        content_free(&c->source[i].content);
    free(c->source);
    free(c->spread);
    catalog_free(c->catalog);
    results_free(c->results);
}

int collect(const char *folder, const struct collect_options *o, FILE *out, FILE *notes,
            struct error *e) {
    struct collection c = {.folder = folder, .notes = notes};
    int status = results_list(&c.results, folder, e);
    if (status) return status;
    c.catalog = catalog_create();
    char *path = o->output ? memory_text(o->output) : memory_print("%s/sweep.h5", c.results->home);
    status = check_output(path, e);
    if (!status) status = collect_logs(&c, o->memory, e);
    if (!status) status = write_file(&c, path, out, e);
    free(path);
    collection_free(&c);
    return status;
}
