/* Recovery: how much of what a deficit costs a stabilizer gives back.
 *
 * A remedy is a row of runs with stabilizers: runs that differ in seeds only. A trial holds the
 * remedies of a part that meet the same deficit. Each is compared with the same runs without
 * stabilizers, three times: against the clean twin; against clean runs of the same total, of which
 * one has the stabilizer in the same epochs; and with the learning rate's clock started again at
 * removal (base/role.h). A comparison whose runs are not there has n = 0. */
#ifndef ANALYSIS_RECOVERY_H
#define ANALYSIS_RECOVERY_H

#include <stdbool.h>

#include "analysis/page.h"
#include "analysis/summary.h"

/* Where a stabilizer's window lies: within the deficit's; from its onset or before to the end of the
 * run; at removal and later; anywhere else. */
enum remedy_when { WHEN_DURING, WHEN_ALWAYS, WHEN_AFTER, WHEN_OTHER, WHEN_UNKNOWN, REMEDY_WHENS };

enum comparison_kind { AGAINST_TWIN, AGAINST_ON_CLEAN, AGAINST_LR_CLOCK, COMPARISONS };

/* Over the seeds of which all its runs are done; points, 95 % intervals. */
struct comparison {
    struct interval without, with; /* drops */
    struct interval gain;          /* without - with, paired: t over seeds */
    struct interval fraction; /* mean gain by mean `without`, Fieller; NaN where the interval of
                                      `without` does not lie above 0 */
    bool is_same;             /* its runs are those of AGAINST_TWIN: nothing to add */
};

enum verdict { VERDICT_UNKNOWN, VERDICT_HELPS, VERDICT_HURTS, VERDICT_NEITHER };

struct remedy {
    const struct row *row;
    char *label;  /* "dropout-early", else its stabilizers */
    char *types;  /* "modality_dropout", "weight_decay + lr_restart"; "-": unknown */
    char *recipe; /* its stabilizers without their windows; NULL: unknown */
    char *window; /* "[0, 40)", "[0, 40) + [40, 60)"; "-": unknown */
    enum remedy_when when;
    double from,
        until; /* from the first epoch in which any of them acts to the last; NaN: unknown */

    double *accuracy[RUN_ROLES]; /* [row->points_n] %, NaN: not there or not done */
    struct interval accuracy_with, accuracy_without; /* over the seeds of AGAINST_TWIN */
    struct comparison against[COMPARISONS];
    struct interval cost;          /* clean_total - on_clean */
    struct interval clock_without; /* drop by the twin - drop with the clock restarted, paired */
    struct interval clock_with;    /* the same with the stabilizer */
    double seconds; /* an epoch of its window by one without it: median over seeds; NaN: unknown */
    size_t seconds_n;

    size_t rank;      /* 1: the largest mean gain; 0: not ranked */
    double p, p_holm; /* of no gain: paired t, and corrected for all that are ranked */
};

/* The same stabilizers during the deficit and after it. */
struct timing {
    size_t early, late;         /* of the trial's remedies */
    struct interval difference; /* accuracy of early - late, paired */
};

struct trial {
    const struct part *part;
    char *name;             /* "remedies, removal 40" */
    int64_t onset, removal; /* -1: unknown */
    size_t remedies_n, ranked_n, timings_n;
    struct remedy *remedies; /* in the manifest's order */
    double *differ; /* [remedies_n, remedies_n] Holm's p of two that are ranked being equal; NaN */
    struct timing *timings;
};

/* A row without stabilizers, and the same runs with the rate's clock started again at removal. */
struct clock_control {
    const struct part *part;
    const struct row *row;
    struct interval drop, restarted; /* over the seeds that have both */
    struct interval accounted;       /* drop - restarted, paired */
    bool is_same;                    /* its rates are the same without: the same runs */
};

struct recovery {
    const struct summary *summary;
    size_t trials_n, clocks_n;
    struct trial *trials;         /* parts in the manifest's order, in each by removal */
    struct clock_control *clocks; /* in the manifest's order */
};

enum { RANKED_FROM = 6 }; /* seeds */

struct recovery *recovery_create(const struct summary *s); /* never NULL; `s` must outlive it */
void recovery_free(struct recovery *r);

const char *remedy_when_name(enum remedy_when when); /* "during the deficit" */
enum verdict comparison_verdict(const struct comparison *c);

/* Sentences and tables; nothing where there is neither a remedy nor an lr_clock control. */
void recovery_write(struct page *p, const struct recovery *r);
/* One line per remedy, every number in full. Without a remedy an earlier file is removed. */
int recovery_save(const struct recovery *r, const char *path, struct error *e);

#endif
