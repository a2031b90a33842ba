/* Sensitivity: what a window of deficit of fixed length costs, by the epoch at which it opens
 * (Achille et al. 2019, figure 1).
 *
 * A window is [onset, removal) of a run's log, whatever the config's axes are called. A map holds
 * the runs of a part that differ in their window and in seeds only; a slide those of one length.
 * Maps are made where a length has two onsets or more. Clean runs are no windows. */
#ifndef ANALYSIS_SENSITIVITY_H
#define ANALYSIS_SENSITIVITY_H

#include <stdbool.h>

#include "analysis/page.h"
#include "analysis/summary.h"

struct window {
    double onset, length; /* epochs */
    const struct row *row;
};

struct slide {
    double length;
    size_t windows_n, seeds_n;
    const struct window *windows; /* by onset */
    double *drop;                 /* [windows_n, seeds_n] paired, points; NaN: none */
    double *trace;                /* same shape: the clean twin's Fisher trace over the window */
    const struct log **twin;      /* [seeds_n]; NULL: none that is done */

    struct interval fast;   /* epoch at which the twins reach FAST_SHARE of their final accuracy */
    size_t peak;            /* the window with the largest mean drop; SIZE_MAX: no drop is known */
    bool is_shown;          /* does the interval of that drop lie above 0? */
    struct interval onset;  /* of the peak; percentile bootstrap over seeds */
    struct interval width;  /* epochs of onset around the peak with half its drop or more, same */
    bool width_is_cut;      /* the drop is still that large at the first or last onset */
    size_t late_n;          /* windows that open when the twin's fast phase is over */
    struct interval late;   /* their mean drop; t over seeds */
    struct interval share;  /* that by the peak's; percentile bootstrap over seeds */
    struct interval fisher; /* Spearman(drop, trace) over the onsets of a seed; t over seeds */
    double fisher_of_means; /* the same of the mean drops and mean traces */
};

struct window_map {
    const struct part *part;
    char *name;
    size_t windows_n, slides_n, onsets_n;
    struct window *windows; /* by length, then onset */
    struct slide *slides;   /* by length */
    double *onsets;         /* all that occur, ascending */
};

struct sensitivity {
    size_t maps_n;
    struct window_map *maps;
};

extern const double FAST_SHARE; /* 0.9 */

struct sensitivity *
sensitivity_create(const struct summary *s); /* never NULL; `s` must outlive it */
void sensitivity_free(struct sensitivity *w);

/* NULL: no such window. */
const struct window *window_map_at(const struct window_map *m, double onset, double length);
/* Has any slide a drop? */
bool window_map_any(const struct window_map *m);

/* Sentences, the table of the slides and that of the windows; nothing when there is no map. */
void sensitivity_write(struct page *p, const struct sensitivity *w);
/* One line per slide, every number in full. Without a map an earlier file is removed. */
int sensitivity_save(const struct sensitivity *w, const char *path, struct error *e);

#endif
