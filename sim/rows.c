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

static const struct series core[SERIES_CORE] = {
    [TRAIN_LOSS] = {"train_loss", false, "nats", "training loss",
                    "Mean over the epoch's batches as trained: augmented, under the deficit."},
    [TRAIN_ACCURACY] = {"train_accuracy", false, "1", "training accuracy",
                        "Mean over the epoch's batches as trained: augmented, under the deficit."},
    [TEST_LOSS] = {"test_loss", false, "nats", "test loss", "Clean test examples."},
    [TEST_ACCURACY] = {"test_accuracy", false, "1", "test accuracy", "Clean test examples."},
    [VALIDATION_LOSS] = {"validation_loss", false, "nats", "validation loss",
                         "Clean examples of the training files, never trained on."},
    [VALIDATION_ACCURACY] = {"validation_accuracy", false, "1", "validation accuracy",
                             "Clean examples of the training files, never trained on."},
    [TEST_DEFICIT_LOSS] = {"test_deficit_loss", false, "nats", "test loss under the deficits",
                           "Test examples under every deficit of the config, in force or not."},
    [TEST_DEFICIT_ACCURACY] = {"test_deficit_accuracy", false, "1",
                               "test accuracy under the deficits",
                               "Test examples under every deficit of the config, in force or not."},
    [FISHER_TRACE] = {"fisher_trace", false, "nats", "Fisher trace, clean probes", TEXT_FISHER},
    [FISHER_TRACE_STDERR] = {"fisher_trace_stderr", false, "nats",
                             "standard error of fisher_trace over probes", NULL},
    [FISHER_ENTROPY] = {"fisher_entropy", false, "nats", "mean predictive entropy of the probes",
                        "As it goes to 0 the trace does too."},
    [FISHER_LOSS] = {"fisher_loss", false, "nats", "mean loss of the probes", NULL},
    [FISHER_LAYER_TRACE] = {"fisher_layer_trace", true, "nats", "Fisher trace by layer",
                            "Sums to fisher_trace."},
    [FISHER_LAYER_TRACE_STDERR] = {"fisher_layer_trace_stderr", true, "nats",
                                   "standard error of fisher_layer_trace over probes", NULL},
    [FISHER_DEFICIT_TRACE] = {"fisher_deficit_trace", false, "nats",
                              "Fisher trace, probes under the deficits", TEXT_FISHER},
    [FISHER_DEFICIT_TRACE_STDERR] = {"fisher_deficit_trace_stderr", false, "nats",
                                     "standard error of fisher_deficit_trace over probes", NULL},
    [FISHER_DEFICIT_ENTROPY] = {"fisher_deficit_entropy", false, "nats",
                                "mean predictive entropy of the spoiled probes", NULL},
    [FISHER_DEFICIT_LOSS] = {"fisher_deficit_loss", false, "nats",
                             "mean loss of the spoiled probes", NULL},
    [FISHER_DEFICIT_LAYER_TRACE] = {"fisher_deficit_layer_trace", true, "nats",
                                    "Fisher trace by layer, probes under the deficits", NULL},
    [FISHER_DEFICIT_LAYER_TRACE_STDERR] =
        {"fisher_deficit_layer_trace_stderr", true, "nats",
         "standard error of fisher_deficit_layer_trace over probes", NULL},
    [GRAD_NORM] = {"grad_norm", false, "1", "norm of the batch gradient",
                   "Mean over the epoch's batches of the Euclidean norm over all parameters."},
    [UPDATE_NORM] = {"update_norm", false, "1", "distance moved in the epoch",
                     "Euclidean norm of w(e) - w(e-1) over all parameters."},
    [WEIGHT_NORM] = {"weight_norm", false, "1", "norm of the parameters",
                     "Euclidean norm over all parameters, biases and normalization included."},
    [WALL_SECONDS] = {"wall_seconds", false, "s", "wall time of the epoch",
                      "Training and measuring; not reproducible."},
};

int rows_create(struct rows *r, int64_t n, size_t layers, const struct series *more, size_t more_n,
                struct error *e) {
    *r = (struct rows){.n = n, .layers = layers, .series_n = SERIES_CORE + more_n};
    assert(r->series_n <= SERIES_MAX);
    memcpy(r->series, core, sizeof core);
    if (more_n) memcpy(r->series + SERIES_CORE, more, more_n * sizeof *more);
    for (size_t s = 0; s < r->series_n; s++) {
        size_t count = (size_t)n * (r->series[s].per_layer ? layers : 1);
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

static size_t width(const struct rows *r, size_t s) {
    return r->series[s].per_layer ? r->layers : 1;
}

double *rows_at(struct rows *r, size_t series, int64_t row) {
    return r->values[series] + (size_t)row * width(r, series);
}

static bool measured(const double *v, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (!isnan(v[i])) return true;
    return false;
}

void rows_put(const struct rows *r, struct h5_writer *w, int64_t first, int64_t last) {
    static const char *const dims[] = {"epoch", "layer"};
    for (size_t s = 0; s < r->series_n; s++) {
        const struct series *is = &r->series[s];
        size_t wide = width(r, s);
        const double *v = r->values[s] + (size_t)first * wide;
        if (!measured(v, (size_t)(last - first + 1) * wide)) continue;
        struct h5_about about = {is->units, is->long_name, is->note};
        h5_put_doubles(w, is->name, v, is->per_layer ? 2 : 1, dims, &about);
    }
}

/* ---- the chain of files ---------------------------------------------------------------------- */

static void put_scales(const struct rows *r, struct h5_writer *w, int64_t first, int64_t last) {
    size_t n = (size_t)(last - first + 1);
    int64_t *epochs = malloc(n * sizeof *epochs), *layers = calloc(r->layers + 1, sizeof *layers);
    if (!epochs || !layers) abort();
    for (size_t i = 0; i < n; i++) epochs[i] = first + (int64_t)i;
    for (size_t i = 0; i < r->layers; i++) layers[i] = (int64_t)i;
    h5_put_scale_ints(w, "epoch", epochs, n, NULL);
    h5_put_scale_ints(w, "layer", layers, r->layers, NULL);
    free(epochs);
    free(layers);
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
        size_t wide = width(r, s), shape[H5_RANK];
        int rank = h5_shape(file, r->series[s].name, shape);
        if (rank < 0) continue; /* never measured */
        bool fits = rank == (r->series[s].per_layer ? 2 : 1) &&
                    shape[0] == (size_t)(last - first + 1) && (rank == 1 || shape[1] == wide);
        if (!fits) return error_set(e, STATUS_FAILED, "'%s' has another shape", r->series[s].name);
        int status = h5_get_doubles(file, r->series[s].name, rows_at(r, s, first), e);
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
