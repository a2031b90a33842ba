/* What a report reads: a sweep's folder (manifest sweep.tsv + runs/<id>.h5), a folder of logs
 * without manifest, or one log. Each log is opened once; all memory belongs to `struct results`.
 *
 * A log that is missing, damaged or unfinished is no error here: it is a log with another state,
 * so that a report of half a sweep works. A folder without any log is an error. */
#ifndef ANALYSIS_RESULTS_H
#define ANALYSIS_RESULTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/error.h"
#include "base/role.h"

enum log_state { LOG_DONE, LOG_UNFINISHED, LOG_DIVERGED, LOG_FAILED, LOG_MISSING, LOG_DAMAGED };
enum { LOG_STATES = LOG_DAMAGED + 1 };

/* Series over epochs that the report uses; NULL in a log that lacks one. */
enum log_series {
    SERIES_TEST_ACCURACY,
    SERIES_FISHER,
    SERIES_FISHER_DEFICIT,
    SERIES_LR,
    SERIES_WALL,
    SERIES_RSV,
    LOG_SERIES
};

/* Attributes shown as provenance, in this order. */
enum log_origin {
    ABOUT_EXPERIMENT,
    ABOUT_NOTE,
    ABOUT_VERSION,
    ABOUT_COMMIT,
    ABOUT_DIRTY,
    ABOUT_NUMERICS,
    ABOUT_DATASET,
    ABOUT_DATASET_DIGEST,
    ABOUT_ESTIMATOR,
    ABOUT_PROBES,
    ABOUT_CPU,
    ABOUT_BLAS,
    ABOUT_THREADS,
    ABOUT_CREATED,
    ABOUT_FINISHED,
    LOG_ABOUTS
};
const char *log_origin_name(enum log_origin which); /* the attribute's name */

/* A series over epochs and something more; n = 0: a log that lacks it. */
struct log_table {
    size_t n;
    char **label;  /* [n] of a coordinate of texts; else NULL */
    double *at;    /* [n] of a coordinate of numbers; else NULL */
    double *value; /* [rows, n] */
};

struct log {
    size_t number; /* its place in the results' logs */
    char *id, *path, *twin_id;
    enum log_state state;
    char *why;                                /* one sentence when LOG_DAMAGED */
    char *about[LOG_ABOUTS];                  /* NULL: no such attribute */
    char *config;                             /* YAML; NULL: none */
    int64_t onset, removal, seed, final_last; /* -1: unknown */
    double lr_at_removal;
    double final_accuracy, final_rows; /* fraction; NaN: none */
    bool is_of_targets;                /* it has a final loss in place of an accuracy */
    double final_loss;                 /* NaN: none */
    double fisher_peak, fisher_peak_epoch;
    size_t rows;
    double *epoch, *series[LOG_SERIES]; /* [rows] */
    size_t layers;
    char **layer;                 /* [layers] */
    double *layer_trace;          /* [rows, layers]; NULL: none */
    struct log_table stabilizers; /* strength in force; "l2_init[0]" */
    struct log_table branches;    /* Fisher trace; "image", "trunk" */
    struct log_table rsv_bins;    /* histogram of the units' RSV, by the bins' centers */
};

struct axis {
    char *name; /* without the mark of an axis of seeds */
    bool is_seed;
};

struct point {
    char *part;
    char **label;                      /* [axes]; "-": the part has no such axis */
    const struct log *log, *twin;      /* twin: NULL when unknown; the log itself for a clean run */
    const struct log *role[RUN_ROLES]; /* these two and the controls; NULL: none, or unknown */
};

struct results {
    char *path; /* as given */
    char *home; /* folder for the report and its figures */
    char *name; /* the experiment's name, else the folder's */
    bool has_manifest;
    bool is_list; /* of results_list */
    size_t axes_n, points_n, logs_n;
    struct axis *axes;
    struct point *points;
    struct log **logs; /* in order of first mention */
    struct map *by_id; /* their numbers */
};

int results_load(struct results **out, const char *path, struct error *e);
/* Which runs stand where in a folder, for who reads the logs himself: none is opened, all count as
 * missing. Without a manifest the only axis is `run`, and no twin is known. */
int results_list(struct results **out, const char *path, struct error *e);
void results_free(struct results *r);

#endif
