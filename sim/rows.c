/* Rows in memory and in content-addressed files: see rows.h.
 *
 * The trap: a file may claim any range. A link is used only if its digest is right, its key and
 * measures are the ones asked for, and its rows end where the chain needs them. */
#include "sim/rows.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TEXT_FISHER                                                                                \
    "Estimated per example in eval mode on the fixed probe set; see fisher_estimator."
#define TEXT_BRANCH "Sum over a branch's layers; the branches sum to the trace of the whole."
#define TEXT_RATIO                                                                                 \
    "The modality's encoder over the sum of the other encoders; the trunk is in neither."

static const struct measure_series core[SERIES_CORE] = {
    [TRAIN_LOSS] = {"train_loss", "nats", "training loss", PER_ROW,
                    "Mean over the epoch's batches as trained: augmented, under the deficit."},
    [TRAIN_ACCURACY] = {"train_accuracy", "1", "training accuracy", PER_ROW,
                        "Mean over the epoch's batches as trained: augmented, under the deficit."},
    [TEST_LOSS] = {"test_loss", "nats", "test loss", PER_ROW, "Clean test examples."},
    [TEST_ACCURACY] = {"test_accuracy", "1", "test accuracy", PER_ROW, "Clean test examples."},
    [VALIDATION_LOSS] = {"validation_loss", "nats", "validation loss", PER_ROW,
                         "Clean examples of the training files, never trained on."},
    [VALIDATION_ACCURACY] = {"validation_accuracy", "1", "validation accuracy", PER_ROW,
                             "Clean examples of the training files, never trained on."},
    [TEST_DEFICIT_LOSS] = {"test_deficit_loss", "nats", "test loss under the deficits", PER_ROW,
                           "Test examples under every deficit of the config, in force or not."},
    [TEST_DEFICIT_ACCURACY] = {"test_deficit_accuracy", "1", "test accuracy under the deficits",
                               PER_ROW,
                               "Test examples under every deficit of the config, in force or not."},
    [FISHER_TRACE] = {"fisher_trace", "nats", "Fisher trace, clean probes", PER_ROW, TEXT_FISHER},
    [FISHER_TRACE_STDERR] = {"fisher_trace_stderr", "nats",
                             "standard error of fisher_trace over probes", PER_ROW, NULL},
    [FISHER_ENTROPY] = {"fisher_entropy", "nats", "mean predictive entropy of the probes", PER_ROW,
                        "As it goes to 0 the trace does too."},
    [FISHER_LOSS] = {"fisher_loss", "nats", "mean loss of the probes", PER_ROW, NULL},
    [FISHER_LAYER_TRACE] = {"fisher_layer_trace", "nats", "Fisher trace by layer", PER_LAYER,
                            "Sums to fisher_trace."},
    [FISHER_LAYER_TRACE_STDERR] = {"fisher_layer_trace_stderr", "nats",
                                   "standard error of fisher_layer_trace over probes", PER_LAYER,
                                   NULL},
    [FISHER_BRANCH_TRACE] = {"fisher_branch_trace", "nats", "Fisher trace by branch", PER_BRANCH,
                             TEXT_BRANCH},
    [FISHER_BRANCH_TRACE_STDERR] = {"fisher_branch_trace_stderr", "nats",
                                    "standard error of fisher_branch_trace over probes", PER_BRANCH,
                                    NULL},
    [FISHER_BRANCH_RATIO] = {"fisher_branch_ratio", "1",
                             "Fisher trace of an encoder over that of the others", PER_MODALITY,
                             TEXT_RATIO},
    [FISHER_DEFICIT_TRACE] = {"fisher_deficit_trace", "nats",
                              "Fisher trace, probes under the deficits", PER_ROW, TEXT_FISHER},
    [FISHER_DEFICIT_TRACE_STDERR] = {"fisher_deficit_trace_stderr", "nats",
                                     "standard error of fisher_deficit_trace over probes", PER_ROW,
                                     NULL},
    [FISHER_DEFICIT_ENTROPY] = {"fisher_deficit_entropy", "nats",
                                "mean predictive entropy of the spoiled probes", PER_ROW, NULL},
    [FISHER_DEFICIT_LOSS] = {"fisher_deficit_loss", "nats", "mean loss of the spoiled probes",
                             PER_ROW, NULL},
    [FISHER_DEFICIT_LAYER_TRACE] = {"fisher_deficit_layer_trace", "nats",
                                    "Fisher trace by layer, probes under the deficits", PER_LAYER,
                                    NULL},
    [FISHER_DEFICIT_LAYER_TRACE_STDERR] =
        {"fisher_deficit_layer_trace_stderr", "nats",
         "standard error of fisher_deficit_layer_trace over probes", PER_LAYER, NULL},
    [FISHER_DEFICIT_BRANCH_TRACE] = {"fisher_deficit_branch_trace", "nats",
                                     "Fisher trace by branch, probes under the deficits",
                                     PER_BRANCH, TEXT_BRANCH},
    [FISHER_DEFICIT_BRANCH_TRACE_STDERR] =
        {"fisher_deficit_branch_trace_stderr", "nats",
         "standard error of fisher_deficit_branch_trace over probes", PER_BRANCH, NULL},
    [FISHER_DEFICIT_BRANCH_RATIO] =
        {"fisher_deficit_branch_ratio", "1",
         "Fisher trace of an encoder over that of the others, probes under the deficits",
         PER_MODALITY, TEXT_RATIO},
    [GRAD_NORM] =
        {"grad_norm", "1", "norm of the batch gradient", PER_ROW,
         "Mean over the epoch's batches of the Euclidean norm over all parameters, before "
         "stabilizers change it."},
    [UPDATE_NORM] = {"update_norm", "1", "distance moved in the epoch", PER_ROW,
                     "Euclidean norm of w(e) - w(e-1) over all parameters."},
    [WEIGHT_NORM] = {"weight_norm", "1", "norm of the parameters", PER_ROW,
                     "Euclidean norm over all parameters, biases and normalization included."},
    [WALL_SECONDS] = {"wall_seconds", "s", "wall time of the epoch", PER_ROW,
                      "Training and measuring; not reproducible."},
};

static void add_series(struct rows *r, const struct measure *m) {
    assert(r->series_n + m->series_n <= SERIES_MAX);
    for (size_t i = 0; i < m->series_n; i++) {
        r->series[r->series_n] = &m->series[i];
        r->bins[r->series_n++] = m->bins;
    }
}

int rows_create(struct rows *r, int64_t n, const struct rows_widths *widths,
                const struct measure *const *measures, size_t measures_n, struct error *e) {
    *r = (struct rows){.n = n, .widths = *widths, .series_n = SERIES_CORE};
    for (size_t s = 0; s < SERIES_CORE; s++) r->series[s] = &core[s];
    for (size_t i = 0; i < measures_n; i++) add_series(r, measures[i]);
    for (size_t s = 0; s < r->series_n; s++) {
        size_t count = (size_t)n * rows_width(r, s);
        r->values[s] = malloc((count ? count : 1) * sizeof(double));
        if (!r->values[s]) {
            rows_free(r);
            return error_set(e, STATUS_FAILED, "out of memory for the series of %lld epochs",
                             (long long)n);
        }
        for (size_t i = 0; i < count; i++) r->values[s][i] = NAN;
    }
    return STATUS_OK;
}

void rows_free(struct rows *r) {
    for (size_t s = 0; s < r->series_n; s++) free(r->values[s]);
    *r = (struct rows){0};
}

size_t rows_width(const struct rows *r, size_t series) {
    const struct rows_widths *w = &r->widths;
    const size_t widths[] = {[PER_ROW] = 1,
                             [PER_LAYER] = w->layers,
                             [PER_MODALITY] = w->modalities,
                             [PER_BRANCH] = w->branches,
                             [PER_BIN] = r->bins[series] ? r->bins[series]->n : 0};
    return widths[r->series[series]->axis];
}

double *rows_at(struct rows *r, size_t series, int64_t row) {
    return r->values[series] + (size_t)row * rows_width(r, series);
}

static const char *axis_name(const struct rows *r, size_t s) {
    const char *const names[] = {[PER_ROW] = "epoch",
                                 [PER_LAYER] = "layer",
                                 [PER_MODALITY] = "modality",
                                 [PER_BRANCH] = "branch",
                                 [PER_BIN] = r->bins[s] ? r->bins[s]->name : ""};
    return names[r->series[s]->axis];
}

static bool is_measured(const struct rows *r, size_t s, int64_t first, int64_t last) {
    size_t wide = rows_width(r, s), n = (size_t)(last - first + 1) * wide;
    const double *v = r->values[s] + (size_t)first * wide;
    for (size_t i = 0; i < n; i++)
        if (!isnan(v[i])) return true;
    return false;
}

bool rows_have(const struct rows *r, enum measure_axis axis, int64_t first, int64_t last) {
    for (size_t s = 0; s < r->series_n; s++)
        if (r->series[s]->axis == axis && is_measured(r, s, first, last)) return true;
    return false;
}

/* A histogram's scale. */
static void put_bins(struct h5_writer *w, const struct measure_bins *b) {
    double *center = malloc(b->n * sizeof *center), n = (double)b->n;
    if (!center) abort();
    for (size_t i = 0; i < b->n; i++) {
        double at = (double)i + 0.5;
        center[i] = (b->low * (n - at) + b->high * at) / n;
    }
    struct h5_about about = {"1", b->long_name,
                             b->note ? b->note : "Centers of bins of equal width."};
    h5_put_scale_reals(w, b->name, center, b->n, &about);
    free(center);
}

void rows_put(const struct rows *r, struct h5_writer *w, int64_t first, int64_t last) {
    const struct measure_bins *bins = NULL; /* put last; a measure's series lie side by side */
    for (size_t s = 0; s < r->series_n; s++) {
        const struct measure_series *is = r->series[s];
        if (!is_measured(r, s, first, last)) continue;
        if (is->axis == PER_BIN && r->bins[s] && r->bins[s] != bins) put_bins(w, bins = r->bins[s]);
        const double *v = r->values[s] + (size_t)first * rows_width(r, s);
        struct h5_about about = {is->units, is->long_name, is->note};
        h5_put_doubles(w, is->name, v, is->axis == PER_ROW ? 1 : 2,
                       (const char *[]){"epoch", axis_name(r, s)}, &about);
    }
}

/* ---- the chain of files ---------------------------------------------------------------------- */

static void put_places(struct h5_writer *w, const char *name, int64_t first, size_t n) {
    int64_t *places = malloc((n + 1) * sizeof *places);
    if (!places) abort();
    for (size_t i = 0; i < n; i++) places[i] = first + (int64_t)i;
    h5_put_scale_ints(w, name, places, n, NULL);
    free(places);
}

/* Places are counted here; the log has their names. */
static void put_scales(const struct rows *r, struct h5_writer *w, int64_t first, int64_t last) {
    put_places(w, "epoch", first, (size_t)(last - first + 1));
    put_places(w, "layer", 0, r->widths.layers);
    if (rows_have(r, PER_MODALITY, first, last)) put_places(w, "modality", 0, r->widths.modalities);
    if (rows_have(r, PER_BRANCH, first, last)) put_places(w, "branch", 0, r->widths.branches);
}

int rows_save(const struct rows *r, const struct store *s, const struct timeline *t, int64_t first,
              int64_t last, enum stored where, struct error *e) {
    char path[STORE_PATH];
    store_rows_path(path, s, t, last, where);
    struct h5_writer *w = h5_create(path);
    put_scales(r, w, first, last);
    rows_put(r, w, first, last);
    h5_put_attr_text(w, "/", "prefix_key", t->key[last]);
    h5_put_attr_text(w, "/", "measures", t->measures);
    h5_put_attr_text(w, "/", "prefix_key_before", first > 0 ? t->key[first - 1] : "");
    h5_put_attr_text(w, "/", "prefix_key_initial", t->key[0]);
    return h5_commit(w, where == STORED_KEPT, e);
}

static int read_link(struct rows *r, struct h5_reader *file, int64_t first, int64_t last,
                     struct error *e) {
    for (size_t s = 0; s < r->series_n; s++) {
        const struct measure_series *is = r->series[s];
        size_t shape[H5_RANK];
        int rank = h5_shape(file, is->name, shape);
        if (rank < 0) continue; /* never measured */
        bool fits = rank == (is->axis == PER_ROW ? 1 : 2) &&
                    shape[0] == (size_t)(last - first + 1) &&
                    (rank == 1 || shape[1] == rows_width(r, s));
        if (!fits) return error_set(e, STATUS_FAILED, "'%s' has another shape", is->name);
        int status = h5_get_doubles(file, is->name, rows_at(r, s, first), e);
        if (status) return status;
    }
    return STATUS_OK;
}

static bool says(struct h5_reader *file, const char *attribute, const char *text) {
    char *is = h5_attr_text(file, "/", attribute);
    bool same = is && !strcmp(is, text);
    free(is);
    return same;
}

/* Reads the link that ends at `last` and gives where it begins. */
static int load_link(struct rows *r, const char *path, const struct timeline *t, int64_t last,
                     int64_t *first, struct error *e) {
    size_t shape[H5_RANK];
    struct h5_reader *file;
    int status = h5_open_sealed(&file, path, e);
    if (status) return status;
    status = h5_check_digest(file, e);
    if (!status &&
        (!says(file, "prefix_key", t->key[last]) || !says(file, "measures", t->measures)))
        status = error_set(e, STATUS_FAILED, "%s: its key is not the one asked for", path);
    if (!status && h5_shape(file, "epoch", shape) != 1)
        status = error_set(e, STATUS_FAILED, "%s: has no rows", path);
    if (!status) {
        *first = last - (int64_t)shape[0] + 1;
        if (shape[0] == 0 || *first < 0)
            status = error_set(e, STATUS_FAILED, "%s: its rows do not end at epoch %lld", path,
                               (long long)last);
        else
            status = read_link(r, file, *first, last, e);
    }
    h5_close(file);
    return status;
}

int rows_load(struct rows *r, const struct store *s, const struct timeline *t, int64_t epoch,
              enum stored where, int64_t *first, struct error *e) {
    char path[STORE_PATH];
    int64_t begin;
    for (int64_t last = epoch; last >= 0; last = begin - 1) {
        store_rows_path(path, s, t, last, last == epoch ? where : STORED_KEPT);
        int status = load_link(r, path, t, last, &begin, e);
        if (status) return status;
        if (last == epoch) *first = begin;
    }
    return STATUS_OK;
}
