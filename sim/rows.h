/* Rows: the measured series of a run. Row e is the state after e epochs (row 0: initialized);
 * series about training describe epoch [e-1, e) in row e and are NaN in row 0. NaN: not measured.
 *
 * Rows are content-addressed like states: the file of (key of state e, measures) holds the rows
 * first..e of the segment that ended there; the rows before `first` are found in the file of
 * state first - 1. A run's rows are read back along that chain. Attributes prefix_key, measures,
 * prefix_key_before (of state first - 1) and prefix_key_initial (of state 0). */
#ifndef SIM_ROWS_H
#define SIM_ROWS_H

#include <stdbool.h>
#include <stdint.h>

#include "analysis/measures/measure.h"
#include "base/error.h"
#include "base/h5.h"
#include "sim/store.h"
#include "sim/timeline.h"

/* The series that every run may have; measures of the registry add theirs behind. */
enum series_id {
    TRAIN_LOSS,
    TRAIN_ACCURACY,
    TEST_LOSS,
    TEST_ACCURACY,
    VALIDATION_LOSS,
    VALIDATION_ACCURACY,
    TEST_DEFICIT_LOSS,
    TEST_DEFICIT_ACCURACY,
    FISHER_TRACE,
    FISHER_TRACE_STDERR,
    FISHER_ENTROPY,
    FISHER_LOSS,
    FISHER_LAYER_TRACE,
    FISHER_LAYER_TRACE_STDERR,
    FISHER_BRANCH_TRACE,
    FISHER_BRANCH_TRACE_STDERR,
    FISHER_BRANCH_RATIO,
    FISHER_DEFICIT_TRACE,
    FISHER_DEFICIT_TRACE_STDERR,
    FISHER_DEFICIT_ENTROPY,
    FISHER_DEFICIT_LOSS,
    FISHER_DEFICIT_LAYER_TRACE,
    FISHER_DEFICIT_LAYER_TRACE_STDERR,
    FISHER_DEFICIT_BRANCH_TRACE,
    FISHER_DEFICIT_BRANCH_TRACE_STDERR,
    FISHER_DEFICIT_BRANCH_RATIO,
    GRAD_NORM,
    UPDATE_NORM,
    WEIGHT_NORM,
    WALL_SECONDS,
    SERIES_CORE
};
enum { SERIES_MAX = 128 };

/* How many numbers a series has in a row, by its axis. A net of one input has no branches. */
struct rows_widths {
    size_t layers, modalities, branches;
};

struct rows {
    int64_t n; /* rows there is room for: total + 1 */
    struct rows_widths widths;
    size_t series_n;
    const struct measure_series *series[SERIES_MAX];
    const struct measure_bins *bins[SERIES_MAX]; /* of those PER_BIN */
    double *values[SERIES_MAX];                  /* [n, width]; owned */
};

/* The core series, then those of the measures, all NaN. */
int rows_create(struct rows *r, int64_t n, const struct rows_widths *widths,
                const struct measure *const *measures, size_t measures_n, struct error *e);
void rows_free(struct rows *r);
size_t rows_width(const struct rows *r, size_t series);
double *rows_at(struct rows *r, size_t series, int64_t row); /* as many values as it is wide */

/* Put the series, rows first..last, into a file that has the scales "epoch" and "layer", and
 * "modality" and "branch" where a series was measured along them (rows_have); the bins of histograms
 * become scales here. Series that were never measured are left out. */
void rows_put(const struct rows *r, struct h5_writer *w, int64_t first, int64_t last);
bool rows_have(const struct rows *r, enum measure_axis axis, int64_t first, int64_t last);

/* The chain. Rows first..last of the segment in progress or kept; STORED_KEPT is synced. */
int rows_save(const struct rows *r, const struct store *s, const struct timeline *t, int64_t first,
              int64_t last, enum stored where, struct error *e);
/* Rows 0..epoch along the chain, the last link from `where`; *first: where that link begins.
 * STATUS_FAILED when a link is missing, damaged or of other measures: the caller then trains from
 * an earlier epoch. */
int rows_load(struct rows *r, const struct store *s, const struct timeline *t, int64_t epoch,
              enum stored where, int64_t *first, struct error *e);

#endif
