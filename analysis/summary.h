/* Groups a folder's runs and computes what the report prints and draws.
 *
 * part   a part of the sweep (own table)
 * curve  the runs of a part that differ in the x axis and in seeds only (a line in a figure)
 * row    one level of a curve: runs that differ in seeds only (a line in a table)
 *
 * The x axis of a part is its axis of onsets (named so, or labels that equal the logs' attribute
 * `onset`), else its axis of removal epochs (labels equal the logs' attribute `removal`), else none:
 * then the part is one curve whose rows are just levels. Axes whose label follows from the x label
 * (swept together) make no curves of their own. Accuracies and drops are in percent and percentage
 * points. */
#ifndef ANALYSIS_SUMMARY_H
#define ANALYSIS_SUMMARY_H

#include <stdio.h>

#include "analysis/results.h"
#include "analysis/stats.h"

enum x_kind { X_REMOVAL, X_ONSET, X_LEVEL };

struct row {
    size_t points_n;
    const struct point **points;        /* different runs, in the manifest's order */
    double *accuracy, *drop;            /* [points_n], NaN: not done, or no twin that is */
    struct interval accuracy_t, drop_t; /* 95 % Student t over seeds */
    struct interval twin_t, paired_t;   /* accuracy of the twins, of the runs, over drop's pairs */
    double twin_sd;                     /* of the twins' accuracies; NaN below two */
    struct interval peak_t, deficit_peak_t; /* Fisher trace, clean and deficit probes */
    double peak_epoch;                      /* mean */
    double x;                               /* NaN where the part has no x axis */
    int64_t removal;                        /* -1: unknown */
    double lr_at_removal;                   /* NaN: unknown or not the same in all runs */
    double lr_twin;      /* the twin's rate as many epochs before its end; NaN: unknown. Where it is
                       not the run's, the drop mixes the deficit with the learning rate. */
    double clean_epochs; /* after removal; NaN: unknown, as the two rates then are */
    double lr_clean;     /* the run's own rate in its first clean epoch */
    bool is_clean;       /* every run is its own twin */
};

struct curve {
    char *name; /* "blur", "blur, remedy=sam" */
    size_t rows_n;
    struct row *rows; /* by x, else in the manifest's order */
};

struct part {
    const char *name;
    enum x_kind kind;
    size_t x_axis; /* SIZE_MAX: none */
    size_t curves_n;
    struct curve *curves;
    bool *splits; /* [axes] does the axis make curves? */
};

struct summary {
    const struct results *results;
    size_t parts_n;
    struct part *parts;
};

struct summary *summary_create(const struct results *r);
void summary_free(struct summary *s);

/* Do two points share the labels of all axes of seeds? */
bool point_same_seed(const struct results *r, const struct point *p, const struct point *q);
/* "t0=24", "remedy=sam": what tells a row from the others of its curve; malloc'ed. */
char *row_name(const struct summary *s, const struct part *p, const struct row *row);
/* "24", or the labels of all axes when there is no x axis; malloc'ed. */
char *row_label(const struct summary *s, const struct part *p, const struct row *row);
/* The name of a part's x axis ("t0"), or "removal". */
const char *part_x_name(const struct summary *s, const struct part *p);
/* The row with the largest mean drop among those with a deficit; NULL: no drop is known. */
const struct row *curve_largest_drop(const struct curve *c);
/* Spearman's correlation of mean accuracy and x over the rows; NaN below three levels. */
double curve_spearman(const struct curve *c, size_t *levels);
/* The largest number of seeds with an accuracy in a row. */
size_t curve_seeds(const struct curve *c);
/* All runs of a row that are in state LOG_DONE. */
size_t row_done(const struct row *row);

/* A table of all rows: a line "# imprint KIND 1", one that names part, axes and `columns` (each after
 * a tab), then a line per row, of which `save` writes those columns. */
int summary_save(const struct summary *s, const char *path, const char *kind, const char *columns,
                 void (*save)(FILE *out, const struct row *row), struct error *e);

#endif
