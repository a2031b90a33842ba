/* Loads what `imprint run` and `imprint sweep` left behind: see results.h.
 *
 * The manifest is tab-separated: "# imprint sweep 1", then run, twin, part, one column per axis (a
 * trailing * marks an axis of seeds) and one per control (base/role.h), then one line per point.
 * Points may share a run (part A's clean run is part B's), so logs are kept by id. Trap: ids from the
 * manifest become paths, so anything but letters, digits, '.', '_' and '-' is refused. */
#include "analysis/results.h"

#include <dirent.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "analysis/memory.h"
#include "base/h5.h"
#include "base/map.h"

enum { ROWS_MOST = 10000000, LAYERS_MOST = 100000 };
static const char *const MANIFEST_FIRST = "# imprint sweep 1";

static const char *const SERIES_NAME[LOG_SERIES] = {
    [SERIES_TEST_ACCURACY] = "test_accuracy",
    [SERIES_FISHER] = "fisher_trace",
    [SERIES_FISHER_DEFICIT] = "fisher_deficit_trace",
    [SERIES_LR] = "lr",
    [SERIES_WALL] = "wall_seconds",
    [SERIES_RSV] = "rsv_median",
};

static const char *const ABOUT_NAME[LOG_ABOUTS] = {
    [ABOUT_EXPERIMENT] = "experiment",
    [ABOUT_NOTE] = "experiment_note",
    [ABOUT_VERSION] = "imprint_version",
    [ABOUT_COMMIT] = "git_commit",
    [ABOUT_DIRTY] = "git_dirty",
    [ABOUT_NUMERICS] = "numerics_id",
    [ABOUT_DATASET] = "dataset",
    [ABOUT_DATASET_DIGEST] = "dataset_digest",
    [ABOUT_ESTIMATOR] = "fisher_estimator",
    [ABOUT_PROBES] = "fisher_probes",
    [ABOUT_CPU] = "cpu",
    [ABOUT_BLAS] = "blas",
    [ABOUT_THREADS] = "threads",
    [ABOUT_CREATED] = "created",
    [ABOUT_FINISHED] = "finished",
};

const char *log_origin_name(enum log_origin which) {
    return ABOUT_NAME[which];
}

/* ---- one log ---------------------------------------------------------------------------------- */

/* An attribute as text, whatever its type. */
static char *attr_any(struct h5_reader *r, const char *name) {
    char *text = h5_attr_text(r, "/", name);
    if (text) return text;
    double value = h5_attr_real(r, "/", name);
    return isnan(value) ? NULL : memory_print("%.10g", value);
}

static enum log_state log_state(struct h5_reader *r) {
    static const struct {
        const char *name;
        enum log_state state;
    } KNOWN[] = {{"done", LOG_DONE},
                 {"running", LOG_UNFINISHED},
                 {"interrupted", LOG_UNFINISHED},
                 {"diverged", LOG_DIVERGED}};
    char *text = h5_attr_text(r, "/", "status");
    enum log_state state = LOG_FAILED;
    for (size_t i = 0; text && i < sizeof KNOWN / sizeof *KNOWN; i++)
        if (!strcmp(text, KNOWN[i].name)) state = KNOWN[i].state;
    free(text);
    return state;
}

static double read_scalar(struct h5_reader *r, const char *name) {
    size_t shape[H5_RANK];
    double value = NAN;
    if (h5_shape(r, name, shape) != 0 || h5_get_doubles(r, name, &value, NULL)) return NAN;
    return value;
}

/* A vector over epochs; NULL when it is absent or of another shape. */
static double *read_series(struct h5_reader *r, const char *name, size_t rows) {
    size_t shape[H5_RANK];
    if (h5_shape(r, name, shape) != 1 || shape[0] != rows) return NULL;
    double *v = memory_new(rows, sizeof *v);
    if (!h5_get_doubles(r, name, v, NULL)) return v;
    free(v);
    return NULL;
}

static void texts_free(char **texts, size_t n) {
    for (size_t i = 0; texts && i < n; i++) free(texts[i]);
    free(texts);
}

static void log_table_free(struct log_table *t) {
    texts_free(t->label, t->n);
    free(t->at);
    free(t->value);
    *t = (struct log_table){0};
}

static void log_read_layers(struct log *log, struct h5_reader *r) {
    size_t shape[H5_RANK], labels;
    if (h5_shape(r, "fisher_layer_trace", shape) != 2 || shape[0] != log->rows) return;
    if (!shape[1] || shape[1] > LAYERS_MOST) return;
    char **layer = h5_get_texts(r, "layer", &labels);
    double *trace = memory_new(shape[0] * shape[1], sizeof *trace);
    if (!layer || labels != shape[1] || h5_get_doubles(r, "fisher_layer_trace", trace, NULL)) {
        texts_free(layer, labels);
        free(trace);
        return;
    }
    log->layers = labels;
    log->layer = layer;
    log->layer_trace = trace;
}

/* A series over epochs and one more axis; absent or of another shape: t stays empty. */
static void log_read_table(const struct log *log, struct h5_reader *r, const char *name,
                           struct log_table *t) {
    size_t shape[H5_RANK], labels = 0;
    char axis[H5_NAME];
    if (h5_shape(r, name, shape) != 2 || shape[0] != log->rows) return;
    if (!shape[1] || shape[1] > LAYERS_MOST || h5_dim_name(r, name, 1, axis)) return;
    bool is_text = h5_kind(r, axis, NULL) == H5_TEXTS;
    if (is_text)
        t->label = h5_get_texts(r, axis, &labels);
    else
        t->at = read_series(r, axis, shape[1]);
    t->value = memory_new(shape[0] * shape[1], sizeof *t->value);
    t->n = shape[1];
    bool whole = is_text ? t->label && labels == t->n : t->at != NULL;
    if (whole && !h5_get_doubles(r, name, t->value, NULL)) return;
    texts_free(t->label, labels);
    t->label = NULL;
    log_table_free(t);
}

static int log_read_rows(struct log *log, struct h5_reader *r, struct error *e) {
    size_t shape[H5_RANK];
    if (h5_shape(r, "epoch", shape) != 1 || shape[0] > ROWS_MOST)
        return error_set(e, STATUS_FAILED, "%s: not a log of imprint (it has no epochs)",
                         log->path);
    log->rows = shape[0];
    log->epoch = read_series(r, "epoch", log->rows);
    if (!log->epoch) return error_set(e, STATUS_FAILED, "%s: cannot read its epochs", log->path);
    for (size_t s = 0; s < LOG_SERIES; s++)
        log->series[s] = read_series(r, SERIES_NAME[s], log->rows);
    log_read_layers(log, r);
    log_read_table(log, r, "stabilizer_strength", &log->stabilizers);
    log_read_table(log, r, "fisher_branch_trace", &log->branches);
    log_read_table(log, r, "rsv_histogram", &log->rsv_bins);
    return STATUS_OK;
}

/* The highest value after the initialization, whose trace says more of the init's scale. */
static void series_peak(const struct log *log, const double *v, double *peak, double *epoch) {
    *peak = *epoch = NAN;
    for (size_t i = 0; v && i < log->rows; i++) {
        if (log->epoch[i] < 1 || isnan(v[i]) || v[i] <= *peak) continue;
        *peak = v[i];
        *epoch = log->epoch[i];
    }
}

static int log_read(struct log *log, struct error *e) {
    struct h5_reader *r;
    int status = h5_open(&r, log->path, e);
    if (status) return status;
    for (size_t i = 0; i < LOG_ABOUTS; i++) log->about[i] = attr_any(r, ABOUT_NAME[i]);
    log->twin_id = h5_attr_text(r, "/", "twin_run_id");
    log->state = log_state(r);
    log->onset = h5_attr_int(r, "/", "onset", -1);
    log->removal = h5_attr_int(r, "/", "removal", -1);
    log->seed = h5_attr_int(r, "/", "seed", -1);
    log->final_last = h5_attr_int(r, "/", "final_last", -1);
    log->lr_at_removal = h5_attr_real(r, "/", "lr_at_removal");
    log->config = h5_get_text(r, "config");
    log->final_accuracy = read_scalar(r, "final/test_accuracy");
    log->is_of_targets = h5_has(r, "final/test_loss");
    log->final_loss = read_scalar(r, "final/test_loss");
    log->final_rows = read_scalar(r, "final/rows");
    log->fisher_peak = read_scalar(r, "final/fisher_peak");
    log->fisher_peak_epoch = read_scalar(r, "final/fisher_peak_epoch");
    status = log_read_rows(log, r, e);
    h5_close(r);
    if (isnan(log->fisher_peak))
        series_peak(log, log->series[SERIES_FISHER], &log->fisher_peak, &log->fisher_peak_epoch);
    return status;
}

static struct log *log_create(const char *id, char *path) {
    struct log *log = memory_new(1, sizeof *log);
    *log = (struct log){.id = memory_text(id), .path = path, .state = LOG_MISSING};
    log->onset = log->removal = log->seed = log->final_last = -1;
    log->lr_at_removal = log->final_accuracy = log->final_rows = log->final_loss = NAN;
    log->fisher_peak = log->fisher_peak_epoch = NAN;
    return log;
}

static void log_free(struct log *log) {
    for (size_t i = 0; i < LOG_ABOUTS; i++) free(log->about[i]);
    for (size_t i = 0; i < LOG_SERIES; i++) free(log->series[i]);
    texts_free(log->layer, log->layers);
    free(log->layer_trace);
    log_table_free(&log->stabilizers);
    log_table_free(&log->branches);
    log_table_free(&log->rsv_bins);
    free(log->epoch);
    free(log->config);
    free(log->why);
    free(log->id);
    free(log->twin_id);
    free(log->path);
    free(log);
}

/* Takes `path`. A log that cannot be read keeps the reason as its sentence. */
static struct log *log_load(const char *id, char *path) {
    struct log *log = log_create(id, path);
    struct error e = {0};
    struct stat about;
    if (stat(path, &about) && errno == ENOENT) return log;
    if (log_read(log, &e)) {
        log->state = LOG_DAMAGED;
        log->why = memory_text(e.text);
    }
    return log;
}

/* ---- folders ---------------------------------------------------------------------------------- */

static bool is_folder(const char *path) {
    struct stat about;
    return !stat(path, &about) && S_ISDIR(about.st_mode);
}

/* A collected sweep may lie among the logs; it is none of them. */
static bool is_log_name(const char *name) {
    size_t n = strlen(name);
    return n > 3 && name[0] != '.' && !strcmp(name + n - 3, ".h5") && strcmp(name, "sweep.h5") != 0;
}

static const char *base_name(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

static char *without_suffix(const char *name) {
    char *stem = memory_text(name);
    char *dot = strrchr(stem, '.');
    if (dot && dot != stem) *dot = '\0';
    return stem;
}

static struct log *results_find(const struct results *r, const char *id) {
    long number = map_get(r->by_id, id);
    return number == MAP_NONE ? NULL : r->logs[number];
}

static struct log *results_add_log(struct results *r, struct log *log) {
    r->logs = memory_grow(r->logs, r->logs_n, sizeof *r->logs);
    log->number = r->logs_n;
    map_add(r->by_id, log->id, (long)r->logs_n);
    return r->logs[r->logs_n++] = log;
}

/* Takes `path`. */
static struct log *results_read_one(struct results *r, const char *id, char *path) {
    return results_add_log(r, r->is_list ? log_create(id, path) : log_load(id, path));
}

static struct log *results_log(struct results *r, const char *id) {
    struct log *log = results_find(r, id);
    return log ? log : results_read_one(r, id, memory_print("%s/runs/%s.h5", r->home, id));
}

static struct point *results_add_point(struct results *r, const char *part) {
    r->points = memory_grow(r->points, r->points_n, sizeof *r->points);
    struct point *p = &r->points[r->points_n++];
    *p =
        (struct point){.part = memory_text(part), .label = memory_new(r->axes_n, sizeof *p->label)};
    return p;
}

static void point_set(struct point *p, enum run_role role, const struct log *log) {
    p->role[role] = log;
    if (role == ROLE_POINT) p->log = log;
    if (role == ROLE_TWIN) p->twin = log;
}

static void results_add_axis(struct results *r, const char *name, bool is_seed) {
    r->axes = memory_grow(r->axes, r->axes_n, sizeof *r->axes);
    r->axes[r->axes_n++] = (struct axis){memory_text(name), is_seed};
}

/* ---- with a manifest -------------------------------------------------------------------------- */

static bool is_run_id(const char *id) {
    size_t n = strspn(id, "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ._-");
    return n && n < 200 && !id[n] && id[0] != '.';
}

/* Reading it: what its columns hold, by their order; an axis stands as ROLE_POINT. */
struct manifest {
    struct results *results;
    const char *file;
    size_t line;
    size_t columns_n;
    enum run_role *columns; /* behind run, twin and part; RUN_ROLES: something newer, passed over */
};

static void manifest_column(struct manifest *m, char *cell) {
    size_t n = strlen(cell);
    bool is_control = cell[0] == '=', is_seed = n > 1 && cell[n - 1] == '*';
    m->columns = memory_grow(m->columns, m->columns_n, sizeof *m->columns);
    m->columns[m->columns_n++] = is_control ? role_of_column(cell) : ROLE_POINT;
    if (is_control) return;
    if (is_seed) cell[n - 1] = '\0';
    results_add_axis(m->results, cell, is_seed);
}

static int manifest_header(struct manifest *m, char *line, struct error *e) {
    char *rest = line, *cell;
    if (strncmp(line, "run\ttwin\tpart", 13))
        return error_set(e, STATUS_FAILED, "%s:2: expected the columns run, twin, part", m->file);
    for (size_t i = 0; (cell = strsep(&rest, "\t")); i++)
        if (i >= 3) manifest_column(m, cell);
    return STATUS_OK;
}

/* A cell that names a run, or "-" for none. */
static int manifest_run(struct manifest *m, struct point *p, enum run_role role, const char *id,
                        struct error *e) {
    bool is_none = !strcmp(id, "-") && role != ROLE_POINT;
    if (!is_none && !is_run_id(id))
        return error_set(e, STATUS_FAILED, "%s:%zu: not a run id", m->file, m->line);
    if (!is_none) point_set(p, role, results_log(m->results, id));
    return STATUS_OK;
}

static int manifest_cells(struct manifest *m, struct point *p, char *rest, struct error *e) {
    size_t axis = 0;
    int status = STATUS_OK;
    for (size_t i = 0; i < m->columns_n && !status; i++) {
        bool is_axis = m->columns[i] == ROLE_POINT;
        char *cell = strsep(&rest, "\t");
        if (!cell && is_axis)
            return error_set(e, STATUS_FAILED, "%s:%zu: has no value for the axis '%s'", m->file,
                             m->line, m->results->axes[axis].name);
        if (!cell)
            return error_set(e, STATUS_FAILED, "%s:%zu: fewer cells than columns", m->file,
                             m->line);
        if (is_axis)
            p->label[axis++] = memory_text(cell);
        else if (m->columns[i] < RUN_ROLES)
            status = manifest_run(m, p, m->columns[i], cell, e);
    }
    if (!status && rest)
        return error_set(e, STATUS_FAILED, "%s:%zu: more cells than axes", m->file, m->line);
    return status;
}

static int manifest_point(struct manifest *m, char *line, struct error *e) {
    char *rest = line, *cell[3];
    for (size_t i = 0; i < 3; i++)
        if (!(cell[i] = strsep(&rest, "\t")))
            return error_set(e, STATUS_FAILED, "%s:%zu: expected run, twin and part, tab-separated",
                             m->file, m->line);
    struct point *p = results_add_point(m->results, cell[2]);
    int status = manifest_run(m, p, ROLE_POINT, cell[0], e);
    if (!status) status = manifest_run(m, p, ROLE_TWIN, cell[1], e);
    return status ? status : manifest_cells(m, p, rest, e);
}

static int manifest_lines(struct manifest *m, FILE *in, struct error *e) {
    char *line = NULL;
    size_t room = 0;
    int status = STATUS_OK;
    ssize_t n;
    while (!status && (n = getline(&line, &room, in)) >= 0) {
        m->line++;
        if (n && line[n - 1] == '\n') line[n - 1] = '\0';
        if (m->line == 1 && strcmp(line, MANIFEST_FIRST))
            status = error_set(e, STATUS_FAILED, "%s:1: expected '%s'; made by another program?",
                               m->file, MANIFEST_FIRST);
        else if (m->line == 2)
            status = manifest_header(m, line, e);
        else if (m->line > 2 && line[0])
            status = manifest_point(m, line, e);
    }
    free(line);
    if (!status && !m->results->points_n)
        return error_set(e, STATUS_FAILED, "%s: lists no run; start the sweep again", m->file);
    return status;
}

static int results_read_manifest(struct results *r, const char *file, struct error *e) {
    struct manifest m = {.results = r, .file = file};
    FILE *in = fopen(file, "r");
    if (!in) return error_set(e, STATUS_FAILED, "%s: cannot read it: %s", file, strerror(errno));
    r->has_manifest = true;
    int status = manifest_lines(&m, in, e);
    free(m.columns);
    fclose(in);
    return status;
}

/* ---- without one ------------------------------------------------------------------------------ */

static int order_names(const void *a, const void *b) {
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static char **folder_logs(const char *folder, size_t *n) {
    char **names = NULL;
    *n = 0;
    DIR *d = opendir(folder);
    for (struct dirent *entry; d && (entry = readdir(d));) {
        if (!is_log_name(entry->d_name)) continue;
        names = memory_grow(names, *n, sizeof *names);
        names[(*n)++] = memory_text(entry->d_name);
    }
    if (d) closedir(d);
    if (*n) qsort(names, *n, sizeof *names, order_names);
    return names;
}

static void results_points_of_list(struct results *r) {
    results_add_axis(r, "run", false);
    for (size_t i = 0; i < r->logs_n; i++) {
        struct point *p = results_add_point(r, "runs");
        p->label[0] = memory_text(r->logs[i]->id);
        point_set(p, ROLE_POINT, r->logs[i]);
    }
}

/* One point per log, told apart by removal epoch, seed and the id's first digits. */
static void results_points_of_logs(struct results *r) {
    results_add_axis(r, "run", false);
    results_add_axis(r, "removal", false);
    results_add_axis(r, "seed", false);
    for (size_t i = 0; i < r->logs_n; i++) {
        const struct log *log = r->logs[i];
        struct point *p = results_add_point(r, "runs");
        p->label[0] = memory_print("%.10s", log->id);
        p->label[1] = log->removal < 0 ? memory_text("-") : memory_print("%ld", (long)log->removal);
        p->label[2] = log->seed < 0 ? memory_text("-") : memory_print("%ld", (long)log->seed);
        point_set(p, ROLE_POINT, log);
        point_set(p, ROLE_TWIN, log->twin_id ? results_find(r, log->twin_id) : NULL);
    }
}

static int results_read_folder(struct results *r, struct error *e) {
    char *folder = memory_print("%s/runs", r->home);
    if (!is_folder(folder)) {
        free(folder);
        folder = memory_text(r->home);
    }
    size_t n;
    char **names = folder_logs(folder, &n);
    for (size_t i = 0; i < n; i++) {
        char *id = without_suffix(names[i]);
        results_read_one(r, id, memory_print("%s/%s", folder, names[i]));
        free(id);
    }
    texts_free(names, n);
    free(folder);
    if (!n) return error_set(e, STATUS_FAILED, "%s: no log (.h5) in it or in its runs/", r->path);
    if (r->is_list)
        results_points_of_list(r);
    else
        results_points_of_logs(r);
    return STATUS_OK;
}

/* The twin of a single log, when it lies beside it. */
static void results_find_twin(struct results *r, const char *folder) {
    struct point *p = &r->points[0];
    if (p->twin || !p->log->twin_id || !is_run_id(p->log->twin_id)) return;
    struct log *twin = log_load(p->log->twin_id, memory_print("%s%s.h5", folder, p->log->twin_id));
    point_set(p, ROLE_TWIN, results_add_log(r, twin));
}

static int results_read_log(struct results *r, struct error *e) {
    char *stem = without_suffix(base_name(r->path));
    size_t n = strlen(r->path) - strlen(base_name(r->path));
    char *folder = memory_print("%.*s", (int)n, r->path);
    struct log *log = results_add_log(r, log_create(stem, memory_text(r->path)));
    int status = log_read(log, e);
    r->home = memory_print("%s%s-report", folder, stem);
    if (!status) {
        results_points_of_logs(r);
        results_find_twin(r, folder);
    }
    free(folder);
    free(stem);
    return status;
}

/* ---- all -------------------------------------------------------------------------------------- */

static void results_set_name(struct results *r) {
    for (size_t i = 0; i < r->logs_n && !r->name; i++)
        r->name = memory_text(r->logs[i]->about[ABOUT_EXPERIMENT]);
    if (!r->name) r->name = memory_text(base_name(r->home));
}

static int results_read_dir(struct results *r, struct error *e) {
    r->home = memory_text(r->path);
    for (size_t n = strlen(r->home); n > 1 && r->home[n - 1] == '/'; n--) r->home[n - 1] = '\0';
    char *file = memory_print("%s/sweep.tsv", r->home);
    struct stat about;
    int status = stat(file, &about) ? results_read_folder(r, e) : results_read_manifest(r, file, e);
    free(file);
    return status;
}

static int results_read(struct results **out, const char *path, bool is_list, struct error *e) {
    struct stat about;
    *out = NULL;
    if (stat(path, &about))
        return error_set(e, STATUS_USAGE, "%s: cannot find it: %s", path, strerror(errno));
    if (is_list && !S_ISDIR(about.st_mode))
        return error_set(e, STATUS_USAGE, "%s: is a file; give the folder of a sweep", path);
    struct results *r = memory_new(1, sizeof *r);
    r->path = memory_text(path);
    r->is_list = is_list;
    r->by_id = map_create();
    int status = S_ISDIR(about.st_mode) ? results_read_dir(r, e) : results_read_log(r, e);
    if (status) {
        results_free(r);
        return status;
    }
    results_set_name(r);
    *out = r;
    return STATUS_OK;
}

int results_load(struct results **out, const char *path, struct error *e) {
    return results_read(out, path, false, e);
}

int results_list(struct results **out, const char *path, struct error *e) {
    return results_read(out, path, true, e);
}

void results_free(struct results *r) {
    if (!r) return;
    map_free(r->by_id);
    for (size_t i = 0; i < r->points_n; i++) {
        texts_free(r->points[i].label, r->axes_n);
        free(r->points[i].part);
    }
    for (size_t i = 0; i < r->axes_n; i++) free(r->axes[i].name);
    for (size_t i = 0; i < r->logs_n; i++) log_free(r->logs[i]);
    free(r->points);
    free(r->axes);
    free(r->logs);
    free(r->path);
    free(r->home);
    free(r->name);
    free(r);
}
