/* Assembling a log from rows and the timeline: see log.h.
 *
 * What the timeline knows (lr, deficit_severity, stabilizer_strength) and what follows from other series (path_length)
 * is derived here and stored in no row file, since it may differ between runs that share rows. */
#include "sim/log.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/h5.h"
#include "sim/numerics.h"
#include "version.h"

static const char *const by_epoch[] = {"epoch"};

void log_time(char text[LOG_TIME]) {
    time_t now = time(NULL);
    struct tm utc;
    strftime(text, LOG_TIME, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&now, &utc));
}

static double *series_of(int64_t n) {
    double *v = malloc((size_t)n * sizeof *v);
    if (!v) abort();
    v[0] = NAN;
    return v;
}

static void put_rates(struct h5_writer *w, const struct timeline *t, int64_t last) {
    double *lr = series_of(last + 1);
    for (int64_t e = 1; e <= last; e++) lr[e] = t->rate[e - 1];
    h5_put_doubles(w, "lr", lr, 1, by_epoch,
                   &(struct h5_about){"1", "learning rate", "Constant within an epoch."});
    free(lr);
}

static void put_path(struct h5_writer *w, struct rows *rows, int64_t last) {
    double *path = series_of(last + 1), sum = 0.0;
    for (int64_t e = 1; e <= last; e++) path[e] = sum += *rows_at(rows, UPDATE_NORM, e);
    h5_put_doubles(w, "path_length", path, 1, by_epoch,
                   &(struct h5_about){"1", "path length", "Sum of update_norm so far."});
    free(path);
}

static void put_deficits(struct h5_writer *w, const struct log_about *a, int64_t last) {
    const struct config *c = a->config;
    size_t n = c->deficits_n;
    if (!n) return;
    char labels[CONFIG_DEFICITS][64];
    const char *pointers[CONFIG_DEFICITS];
    double *severity = malloc((size_t)(last + 1) * n * sizeof *severity);
    if (!severity) abort();
    for (size_t i = 0; i < n; i++) {
        snprintf(labels[i], sizeof *labels, "%s[%zu]", c->deficit_types[i]->name, i);
        pointers[i] = labels[i];
        severity[i] = NAN;
        for (int64_t e = 1; e <= last; e++)
            severity[(size_t)e * n + i] = timeline_severity(a->timeline, c, i, e - 1);
    }
    h5_put_scale_texts(w, "deficit", pointers, n, &(struct h5_about){NULL, "deficit", NULL});
    h5_put_doubles(w, "deficit_severity", severity, 2, (const char *[]){"epoch", "deficit"},
                   &(struct h5_about){"1", "severity in force", "0: not in force."});
    free(severity);
}

static void put_stabilizers(struct h5_writer *w, const struct log_about *a, int64_t last) {
    const struct config *c = a->config;
    size_t n = c->stabilizers_n;
    if (!n) return;
    char labels[CONFIG_STABILIZERS][64];
    const char *pointers[CONFIG_STABILIZERS];
    double *strength = malloc((size_t)(last + 1) * n * sizeof *strength);
    if (!strength) abort();
    for (size_t i = 0; i < n; i++) {
        snprintf(labels[i], sizeof *labels, "%s[%zu]", c->stabilizer_types[i]->name, i);
        pointers[i] = labels[i];
        strength[i] = NAN;
        for (int64_t e = 1; e <= last; e++)
            strength[(size_t)e * n + i] = timeline_strength(a->timeline, c, i, e - 1);
    }
    h5_put_scale_texts(w, "stabilizer", pointers, n, &(struct h5_about){NULL, "stabilizer", NULL});
    h5_put_doubles(w, "stabilizer_strength", strength, 2, (const char *[]){"epoch", "stabilizer"},
                   &(struct h5_about){"1", "strength in force", "0: it does not act."});
    free(strength);
}

static void put_modalities(struct h5_writer *w, const struct dataset *d) {
    const char *names[DATA_MODALITIES];
    for (size_t m = 0; m < d->modalities_n; m++) names[m] = d->modality[m].name;
    h5_put_scale_texts(w, "modality", names, d->modalities_n,
                       &(struct h5_about){NULL, "modality", NULL});
}

static void put_branches(struct h5_writer *w, const struct log_about *a, const struct rows *rows) {
    if (!rows->widths.branches) return;
    h5_put_scale_texts(
        w, "branch", a->branches, rows->widths.branches,
        &(struct h5_about){NULL, "branch", "Each modality's encoder, and the trunk."});
}

static void put_probes(struct h5_writer *w, const struct log_about *a) {
    if (!a->probe_index) return;
    int64_t *position = malloc((a->probes + 1) * sizeof *position);
    int64_t *index = malloc((a->probes + 1) * sizeof *index);
    if (!position || !index) abort();
    for (size_t i = 0; i < a->probes; i++) {
        position[i] = (int64_t)i;
        index[i] = a->probe_index[i];
    }
    h5_put_scale_ints(w, "probe", position, a->probes, NULL);
    h5_put_ints(
        w, "probe_index", index, 1, (const char *[]){"probe"},
        &(struct h5_about){"1", "Fisher probes", "Positions in the data set's official order."});
    free(position);
    free(index);
}

/* ---- /final: what a table prints ---- */

struct tail {
    double mean;
    int64_t rows;
};

/* Mean over the last `final.last` measured rows after removal; NaN when there is none. */
static struct tail tail_mean(struct rows *rows, size_t series, const struct log_about *a,
                             int64_t last) {
    int64_t want = settings_int(&a->config->final, "last");
    struct tail t = {0.0, 0};
    for (int64_t e = last; e > a->timeline->removal && t.rows < want; e--) {
        double v = *rows_at(rows, series, e);
        if (isnan(v)) continue;
        t.mean += v;
        t.rows++;
    }
    t.mean = t.rows ? t.mean / (double)t.rows : NAN;
    return t;
}

/* The highest trace after row 0, which the initialization inflates. */
static int64_t fisher_peak(struct rows *rows, int64_t last, double *peak) {
    int64_t at = -1;
    *peak = NAN;
    for (int64_t e = 1; e <= last; e++) {
        double v = *rows_at(rows, FISHER_TRACE, e);
        if (isnan(v) || (at >= 0 && v <= *peak)) continue;
        *peak = v;
        at = e;
    }
    return at;
}

static void put_scalar(struct h5_writer *w, const char *name, double v, const char *units,
                       const char *long_name) {
    h5_put_doubles(w, name, &v, 0, NULL, &(struct h5_about){units, long_name, NULL});
}

/* Data with targets have no accuracy; their losses stand in its place. */
static void put_final_loss(struct h5_writer *w, const struct log_about *a, struct rows *rows,
                           int64_t last, bool whole) {
    if (!a->data->has_targets) return;
    double test = tail_mean(rows, TEST_LOSS, a, last).mean;
    double validation = tail_mean(rows, VALIDATION_LOSS, a, last).mean;
    put_scalar(w, "final/test_loss", whole ? test : (double)NAN, "nats",
               "test loss, mean over the last rows");
    put_scalar(w, "final/validation_loss", whole ? validation : (double)NAN, "nats",
               "validation loss, mean over the last rows");
}

static void put_final(struct h5_writer *w, const struct log_about *a, struct rows *rows,
                      int64_t last, const char *status) {
    bool whole = !strcmp(status, "done");
    double peak, nan = NAN;
    int64_t at = fisher_peak(rows, last, &peak);
    struct tail test = tail_mean(rows, TEST_ACCURACY, a, last);
    struct tail validation = tail_mean(rows, VALIDATION_ACCURACY, a, last);
    put_scalar(w, "final/test_accuracy", whole ? test.mean : nan, "1",
               "test accuracy, mean over the last rows");
    put_scalar(w, "final/validation_accuracy", whole ? validation.mean : nan, "1",
               "validation accuracy, mean over the last rows");
    put_final_loss(w, a, rows, last, whole);
    if (a->data->has_targets) test = tail_mean(rows, TEST_LOSS, a, last);
    put_scalar(w, "final/rows", (double)test.rows, "1", "rows that the means are over");
    put_scalar(w, "final/fisher_peak", peak, "nats", "highest Fisher trace after row 0");
    put_scalar(w, "final/fisher_peak_epoch", at < 0 ? nan : (double)at, "epochs",
               "row of the highest Fisher trace");
}

/* ---- attributes ---- */

static void put_identity(struct h5_writer *w, const struct log_about *a, const char *status) {
    char text[512], id[HASH_TEXT];
    log_time(text);
    h5_put_attr_text(w, "/", "Conventions", "CF-1.8");
    h5_put_attr_int(w, "/", "imprint_schema", 1);
    h5_put_attr_text(w, "/", "imprint_version", IMPRINT_VERSION);
    h5_put_attr_text(w, "/", "git_commit", GIT_COMMIT);
    h5_put_attr_int(w, "/", "git_dirty", GIT_DIRTY);
    h5_put_attr_text(w, "/", "run_id", a->timeline->run_id);
    h5_put_attr_text(w, "/", "twin_run_id", a->twin_id);
    h5_put_attr_text(w, "/", "prefix_key", a->timeline->key[a->timeline->total]);
    h5_put_attr_text(w, "/", "experiment", settings_text(&a->config->top, "experiment"));
    if (settings_is_set(&a->config->top, "note"))
        h5_put_attr_text(w, "/", "experiment_note", settings_text(&a->config->top, "note"));
    h5_put_attr_text(w, "/", "status", status);
    h5_put_attr_text(w, "/", "created", a->created);
    h5_put_attr_text(w, "/", "finished", strcmp(status, "running") ? text : "");
    numerics_id(id);
    h5_put_attr_text(w, "/", "numerics_id", id);
    numerics_cpu(text, sizeof text);
    h5_put_attr_text(w, "/", "cpu", text);
    numerics_blas(text, sizeof text);
    h5_put_attr_text(w, "/", "blas", text);
    h5_put_attr_int(w, "/", "threads", a->threads);
}

static void put_host(struct h5_writer *w) {
    char host[256] = "unknown";
    gethostname(host, sizeof host - 1);
    const char *user = getenv("USER");
    h5_put_attr_text(w, "/", "host", host);
    h5_put_attr_text(w, "/", "user", user ? user : "unknown");
}

static void put_facts(struct h5_writer *w, const struct log_about *a) {
    const struct config *c = a->config;
    h5_put_attr_int(w, "/", "seed", settings_int(&c->top, "seed"));
    h5_put_attr_int(w, "/", "data_seed", (int64_t)c->data_seed);
    h5_put_attr_int(w, "/", "net_seed", (int64_t)c->net_seed);
    h5_put_attr_int(w, "/", "train_seed", (int64_t)c->train_seed);
    h5_put_attr_int(w, "/", "onset", a->timeline->onset);
    h5_put_attr_int(w, "/", "removal", a->timeline->removal);
    h5_put_attr_int(w, "/", "total_epochs", a->timeline->total);
    h5_put_attr_real(w, "/", "lr_at_removal", timeline_rate_at_removal(a->timeline));
    h5_put_attr_int(w, "/", "final_last", settings_int(&c->final, "last"));
    h5_put_attr_text(w, "/", "fisher_estimator", settings_text(&c->fisher, "estimator"));
    h5_put_attr_int(w, "/", "fisher_draws", settings_int(&c->fisher, "draws"));
    h5_put_attr_int(w, "/", "fisher_probes", (int64_t)a->probes);
    h5_put_attr_text(w, "/", "arch", c->arch->name);
    h5_put_attr_text(w, "/", "dataset", a->data->type->name);
    h5_put_attr_text(w, "/", "dataset_digest", a->data->digest);
    h5_put_attr_int(w, "/", "train_examples", (int64_t)a->data->train.n);
    h5_put_attr_int(w, "/", "test_examples", (int64_t)a->data->test.n);
    if (a->record_host) put_host(w);
}

static void put_epochs(struct h5_writer *w, int64_t last) {
    int64_t *epochs = malloc((size_t)(last + 1) * sizeof *epochs);
    if (!epochs) abort();
    for (int64_t e = 0; e <= last; e++) epochs[e] = e;
    h5_put_scale_ints(w, "epoch", epochs, (size_t)last + 1,
                      &(struct h5_about){"epochs", "epochs trained", "Row e: after e epochs."});
    free(epochs);
}

int log_write(const char *path, const struct log_about *a, struct rows *rows, int64_t last,
              const char *status, struct error *e) {
    struct h5_writer *w = h5_create(path);
    put_epochs(w, last);
    h5_put_scale_texts(w, "layer", a->layers, rows->widths.layers,
                       &(struct h5_about){NULL, "layer", NULL});
    put_modalities(w, a->data);
    put_branches(w, a, rows);
    rows_put(rows, w, 0, last);
    put_rates(w, a->timeline, last);
    put_path(w, rows, last);
    put_deficits(w, a, last);
    put_stabilizers(w, a, last);
    put_probes(w, a);
    put_final(w, a, rows, last, status);
    char *config = config_dump(a->config);
    h5_put_text(w, "config", config, &(struct h5_about){NULL, "resolved config (YAML)", NULL});
    free(config);
    put_identity(w, a, status);
    put_facts(w, a);
    return h5_commit(w, strcmp(status, "running") != 0, e);
}

/* A log lies under its run's id; one that was copied to another's name is not that run's. */
static bool is_in_place(struct h5_reader *r, const char *path) {
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    char *id = h5_attr_text(r, "/", "run_id");
    size_t n = id ? strlen(id) : 0;
    bool same = id && !strncmp(name, id, n) && !strcmp(name + n, ".h5");
    free(id);
    return same;
}

enum log_end log_end(const char *path) {
    struct h5_reader *r;
    if (h5_open_sealed(&r, path, NULL)) return LOG_END_NOT;
    char *status = h5_attr_text(r, "/", "status");
    enum log_end end = LOG_END_NOT;
    if (status && !strcmp(status, "done")) end = LOG_END_DONE;
    if (status && !strcmp(status, "diverged")) end = LOG_END_DIVERGED;
    if (end != LOG_END_NOT && (!is_in_place(r, path) || h5_check_digest(r, NULL)))
        end = LOG_END_NOT;
    free(status);
    h5_close(r);
    return end;
}
