/* Series as text: see table.h. Numbers are written with the fewest digits (15 to 17) that read
 * back as the same double. The coordinates come from the variable's own dimension scales, so that
 * any variable of any HDF5 file in this format can be printed. */
#include "analysis/table.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/memory.h"
#include "analysis/results.h"
#include "base/h5.h"

enum { VALUES_MOST = 1 << 28 };

/* A variable in memory, its axes with their coordinates as texts. */
struct variable {
    char *name;
    size_t rank, shape[H5_RANK], values_n;
    char dim[H5_RANK][H5_NAME];
    char **coordinate[H5_RANK]; /* [axis][shape[axis]] */
    double *values;
    char **texts; /* instead of values */
};

static void print_number(FILE *out, double v) {
    char text[32];
    if (isnan(v)) {
        fputs("NaN", out);
        return;
    }
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, v);
        if (strtod(text, NULL) == v) break;
    }
    fputs(text, out);
}

static char *number_text(double v) {
    char *text = NULL;
    size_t n;
    FILE *out = open_memstream(&text, &n);
    if (!out) return memory_text("NaN");
    print_number(out, v);
    fclose(out);
    return text;
}

static void texts_free(char **texts, size_t n) {
    for (size_t i = 0; texts && i < n; i++) free(texts[i]);
    free(texts);
}

static void variable_free(struct variable *v) {
    for (size_t a = 0; a < v->rank; a++) texts_free(v->coordinate[a], v->shape[a]);
    texts_free(v->texts, v->values_n);
    free(v->values);
    free(v->name);
}

/* A scale in the variable's own group: "final/rows" has its scales in final/. */
static char *scale_path(const char *name, const char *dim) {
    const char *slash = strrchr(name, '/');
    return memory_print("%.*s%s", slash ? (int)(slash + 1 - name) : 0, name, dim);
}

static char **indices(size_t n) {
    char **texts = memory_new(n, sizeof *texts);
    for (size_t i = 0; i < n; i++) texts[i] = memory_print("%zu", i);
    return texts;
}

/* Coordinates of an axis as texts; plain indices where the scale holds none. */
static char **read_coordinate(struct h5_reader *r, const char *name, const char *dim, size_t n) {
    char *path = scale_path(name, dim);
    size_t shape[H5_RANK], found = 0;
    bool fits = h5_shape(r, path, shape) == 1 && shape[0] == n;
    bool is_text = fits && h5_kind(r, path, NULL) == H5_TEXTS;
    char **texts = is_text ? h5_get_texts(r, path, &found) : NULL;
    if (fits && !is_text) {
        double *v = memory_new(n, sizeof *v);
        texts = memory_new(n, sizeof *texts);
        if (h5_get_doubles(r, path, v, NULL)) v = memset(v, 0, n * sizeof *v);
        for (size_t i = 0; i < n; i++) texts[i] = number_text(v[i]);
        free(v);
    }
    free(path);
    return texts ? texts : indices(n);
}

static int read_shape(struct variable *v, struct h5_reader *r, const char *file, struct error *e) {
    int rank = h5_shape(r, v->name, v->shape);
    if (rank < 0)
        return error_set(e, STATUS_USAGE,
                         "%s: has no variable '%s'; `imprint table %s` lists those it has", file,
                         v->name, file);
    v->rank = 0;
    v->values_n = 1;
    for (size_t a = 0; a < (size_t)rank; a++) {
        if (v->shape[a] && v->values_n > VALUES_MOST / v->shape[a])
            return error_set(e, STATUS_FAILED, "%s: '%s' is too large to print", file, v->name);
        v->values_n *= v->shape[a];
    }
    v->rank = (size_t)rank;
    return STATUS_OK;
}

static int variable_read(struct variable *v, struct h5_reader *r, const char *file,
                         const char *name, struct error *e) {
    *v = (struct variable){.name = memory_text(name)};
    int status = read_shape(v, r, file, e);
    if (status) return status;
    for (size_t a = 0; a < v->rank; a++) {
        if (h5_dim_name(r, name, a, v->dim[a]) || !v->dim[a][0])
            snprintf(v->dim[a], sizeof v->dim[a], v->rank == 1 ? "index" : "index%zu", a);
        v->coordinate[a] = read_coordinate(r, name, v->dim[a], v->shape[a]);
    }
    if (h5_kind(r, name, NULL) == H5_TEXTS) {
        size_t n;
        v->texts = h5_get_texts(r, name, &n);
        if (v->texts && n == v->values_n) return STATUS_OK;
        texts_free(v->texts, n);
        v->texts = NULL;
        return error_set(e, STATUS_FAILED, "%s: cannot read '%s'", file, name);
    }
    v->values = memory_new(v->values_n, sizeof *v->values);
    return h5_get_doubles(r, name, v->values, e);
}

static void print_value(const struct variable *v, size_t i, FILE *out) {
    if (v->texts)
        fputs(v->texts[i] ? v->texts[i] : "", out);
    else
        print_number(out, v->values[i]);
}

/* ---- one log ---------------------------------------------------------------------------------- */

static void print_long_header(const struct variable *v, FILE *out) {
    for (size_t a = 0; a < v->rank; a++) fprintf(out, "%s\t", v->dim[a]);
    fprintf(out, "%s\n", v->name);
}

/* One line per value, with all its coordinates; `before` starts each line. */
static void print_long(const struct variable *v, const char *before, FILE *out) {
    for (size_t i = 0; i < v->values_n; i++) {
        fputs(before, out);
        size_t inner = v->values_n;
        for (size_t a = 0; a < v->rank; a++) {
            inner /= v->shape[a];
            const char *label = v->coordinate[a][i / inner % v->shape[a]];
            fprintf(out, "%s\t", label ? label : "");
        }
        print_value(v, i, out);
        fputc('\n', out);
    }
}

static void print_wide(const struct variable *v, FILE *out) {
    fputs(v->dim[0], out);
    for (size_t j = 0; j < v->shape[1]; j++)
        fprintf(out, "\t%s", v->coordinate[1][j] ? v->coordinate[1][j] : "");
    fputc('\n', out);
    for (size_t i = 0; i < v->shape[0]; i++) {
        fputs(v->coordinate[0][i] ? v->coordinate[0][i] : "", out);
        for (size_t j = 0; j < v->shape[1]; j++) {
            fputc('\t', out);
            print_value(v, i * v->shape[1] + j, out);
        }
        fputc('\n', out);
    }
}

static void print_text(const char *text, FILE *out) {
    size_t n = strlen(text);
    fputs(text, out);
    if (n && text[n - 1] != '\n') fputc('\n', out);
}

static void variable_print(const struct variable *v, FILE *out) {
    if (v->rank == 0 && v->texts)
        print_text(v->texts[0] ? v->texts[0] : "", out);
    else if (v->rank == 2)
        print_wide(v, out);
    else {
        print_long_header(v, out);
        print_long(v, "", out);
    }
}

/* ---- list ------------------------------------------------------------------------------------- */

static void print_shape(struct h5_reader *r, const char *name, FILE *out) {
    size_t shape[H5_RANK];
    int rank = h5_shape(r, name, shape);
    fputc('[', out);
    for (size_t a = 0; rank > 0 && a < (size_t)rank; a++) {
        char dim[H5_NAME];
        if (h5_dim_name(r, name, a, dim)) dim[0] = '\0';
        fprintf(out, "%s%s%s%zu", a ? ", " : "", dim, *dim ? "=" : "", shape[a]);
    }
    fputc(']', out);
}

static void list_group(struct h5_reader *r, const char *group, const char *prefix, FILE *out) {
    size_t n;
    char **names = h5_list(r, group, &n);
    for (size_t i = 0; i < n; i++) {
        char *name = memory_print("%s%s", prefix, names[i]);
        char *units = h5_attr_text(r, name, "units"), *about = h5_attr_text(r, name, "long_name");
        fprintf(out, "%s\t", name);
        print_shape(r, name, out);
        fprintf(out, "\t%s\t%s\n", units ? units : "-", about ? about : "-");
        free(units);
        free(about);
        free(name);
    }
    texts_free(names, n);
}

static void list_variables(struct h5_reader *r, FILE *out) {
    fputs("variable\tshape\tunits\tlong_name\n", out);
    list_group(r, "/", "", out);
    list_group(r, "final", "final/", out);
}

static int table_print_log(const char *path, const char *name, FILE *out, struct error *e) {
    struct h5_reader *r;
    int status = h5_open(&r, path, e);
    if (status) return status;
    if (name) {
        struct variable v;
        status = variable_read(&v, r, path, name, e);
        if (!status) variable_print(&v, out);
        variable_free(&v);
    } else {
        list_variables(r, out);
    }
    h5_close(r);
    return status;
}

/* ---- a folder --------------------------------------------------------------------------------- */

static char *point_prefix(const struct results *r, const struct point *p) {
    char *text = memory_print("%s\t%s\t", p->log->id, p->part);
    for (size_t a = 0; a < r->axes_n; a++) {
        char *more = memory_print("%s%s\t", text, p->label[a]);
        free(text);
        text = more;
    }
    return text;
}

static void print_folder_header(const struct results *r, const struct variable *v, FILE *out) {
    fputs("run\tpart\t", out);
    for (size_t a = 0; a < r->axes_n; a++)
        fprintf(out, "%s\t", !r->has_manifest && !a ? "label" : r->axes[a].name);
    print_long_header(v, out);
}

/* The point's lines; `lines` counts the points printed so far. Damaged logs and logs without the
 * variable are passed over; the first reason is kept in e. */
static void print_point(const struct results *r, const struct point *p, const char *name,
                        size_t *printed, FILE *out, struct error *e) {
    struct h5_reader *reader;
    struct variable v;
    struct error mine = {0};
    if (p->log->state == LOG_MISSING) return;
    if (h5_open(&reader, p->log->path, &mine)) {
        if (!e->status) *e = mine;
        return;
    }
    int status = variable_read(&v, reader, p->log->path, name, &mine);
    if (!status && v.texts && !v.rank)
        status = error_set(&mine, STATUS_USAGE, "%s: '%s' is a text; give one log to print it",
                           r->path, name);
    if (!status) {
        if (!(*printed)++) print_folder_header(r, &v, out);
        char *prefix = point_prefix(r, p);
        print_long(&v, prefix, out);
        free(prefix);
    } else if (!e->status) {
        *e = mine;
    }
    variable_free(&v);
    h5_close(reader);
}

static const struct log *results_first_log(const struct results *r) {
    for (size_t i = 0; i < r->logs_n; i++)
        if (r->logs[i]->state != LOG_MISSING && r->logs[i]->state != LOG_DAMAGED) return r->logs[i];
    return NULL;
}

static int table_print_folder(const struct results *r, const char *name, FILE *out,
                              struct error *e) {
    const struct log *first = results_first_log(r);
    if (!first) return error_set(e, STATUS_FAILED, "%s: has no log that can be read yet", r->path);
    if (!name) return table_print_log(first->path, NULL, out, e);
    size_t printed = 0;
    struct error why = {0};
    for (size_t i = 0; i < r->points_n; i++)
        print_point(r, &r->points[i], name, &printed, out, &why);
    if (printed) return STATUS_OK;
    return error_set(e, why.status ? why.status : STATUS_FAILED, "%s", why.text);
}

int table_print(const char *path, const char *name, FILE *out, struct error *e) {
    struct results *r;
    size_t n = strlen(path);
    if (n > 3 && !strcmp(path + n - 3, ".h5")) return table_print_log(path, name, out, e);
    int status = results_load(&r, path, e);
    if (status) return status;
    status = table_print_folder(r, name, out, e);
    results_free(r);
    return status;
}
