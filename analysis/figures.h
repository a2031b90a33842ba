/* The figures of a folder: HOME/figures/NAME.{tsv,gp,png,svg,pdf}, each with its interval and n.
 *
 *   accuracy-removal, accuracy-onset-PART, accuracy-PART   final accuracy and paired drop by level
 *   map-PART, sensitivity-PART   drop by onset and length of a window (analysis/sensitivity.h)
 *   recovery-DEFICIT  gain and recovered share by stabilizer and window (analysis/recovery.h)
 *   senses-CURVE, rsv-CURVE   accuracy, RSV and branches' Fisher traces by level; RSV histograms
 *   learning-CURVE    clean test accuracy by epoch, a line per level, a mark at removal
 *   fisher-CURVE      Fisher trace by epoch (clean probes; deficit probes beside it)
 *   layers-CURVE      layers' shares of the trace, the first and the last level side by side */
#ifndef ANALYSIS_FIGURES_H
#define ANALYSIS_FIGURES_H

#include <stdbool.h>

#include "analysis/summary.h"

struct figure {
    char *name;    /* file name without suffix */
    char *caption; /* one or two sentences */
};

struct figures {
    char *folder;
    bool absent; /* no gnuplot: data and scripts were written, nothing was drawn */
    size_t n;
    struct figure *list;
};

/* Write data and scripts, then draw. Never NULL; with an error, what was made until then. */
struct figures *figures_draw(const struct summary *s, struct error *e);
void figures_free(struct figures *f);

/* For the files under analysis/figures/: begin a figure with a name of its own. */
char *figures_add(struct figures *f, const char *kind, const char *what, const char *caption);

/* Is this curve drawn over epochs? With more than twelve in a folder, twelve evenly picked ones. */
bool figures_wanted(const struct summary *s, size_t part, size_t curve);
size_t figures_curves(const struct summary *s, size_t *wanted); /* all; of these drawn */

int figures_levels(struct figures *f, const struct summary *s, struct error *e);
int figures_windows(struct figures *f, const struct summary *s, struct error *e);
int figures_recovery(struct figures *f, const struct summary *s, struct error *e);
int figures_senses(struct figures *f, const struct summary *s, struct error *e);
int figures_epochs(struct figures *f, const struct summary *s, struct error *e);
int figures_layers(struct figures *f, const struct summary *s, struct error *e);

#endif
