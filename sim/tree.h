/* A sweep as a tree. Every point of an experiment is a run, and so are its clean twin and its other
 * controls (base/role.h); runs that agree on what is in force up to an epoch have the same prefix key
 * there and share that training.
 *
 * The tree has two views. Its shape is in `segments`: an edge is a stretch of epochs that is trained
 * once, its end a state that several runs need or where a run ends. The work is in `runs`, as paths:
 * the longest unfinished run trains on to its end; every other run starts from the state of its
 * `parent` after `start` epochs. So each epoch is trained once, and the critical path goes first.
 * Whoever trains past a branch of the tree keeps the state there (`keep`). */
#ifndef SIM_TREE_H
#define SIM_TREE_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/role.h"
#include "sim/config.h"
#include "sim/store.h"
#include "sim/timeline.h"

enum { TREE_NONE = -1 };

struct tree_run {
    struct timeline timeline;
    size_t point;       /* it has the config of this point, */
    enum run_role role; /* or of this control of it */
    size_t twin;        /* run; itself when it is clean */
    size_t data;        /* which data set of the library */
    size_t kind;        /* runs of one kind cost the same per epoch */
    bool finished;
    bool diverged;  /* finished, but diverged */
    bool again;     /* its finished log does not count: force, retry_diverged */
    int64_t known;  /* deepest epoch on disk, state and rows; -1: none */
    int64_t states; /* deepest epoch whose state is on disk, if only with rows of other measures */
    long segment;   /* the one it ends in */
    long parent;    /* run whose state it starts from; TREE_NONE: from disk or from scratch */
    int64_t start;  /* epochs already trained when it starts */
    int64_t *keep;  /* epochs where the tree branches on its path, ascending; owned */
    size_t keep_n;
};

struct tree_segment {
    int64_t from, until; /* trains epochs [from, until); a root begins with state 0 */
    size_t run;          /* one that passes it: its timeline names the states */
    long parent;         /* segment; TREE_NONE: a root */
    long owner;          /* run that trains it in this sweep; TREE_NONE: nobody */
    bool on_disk;        /* its end, state and rows */
};

struct tree_point {
    long role[RUN_ROLES]; /* runs; TREE_NONE: it has none of this role. Several may be one run */
};

struct library; /* the data sets of an experiment, each loaded once */

struct tree {
    const struct experiment *experiment;
    size_t runs_n, segments_n, points_n, kinds_n;
    struct tree_run *runs;
    struct tree_segment *segments; /* parents may come after their children */
    struct tree_point *points;     /* one per point of the experiment, in its order */
    size_t *order;                 /* [runs_n] unfinished runs first, the longest ahead */
    struct library *library;
};

struct tree_options {
    const char *root;     /* the results folder, to see what is there */
    bool reuse;           /* states on disk may be started from */
    bool share;           /* false: every run trains alone, from scratch (to measure the gain) */
    bool force;           /* nothing counts as finished */
    bool retry_diverged;  /* diverged runs count as unfinished */
    int64_t memory_bytes; /* the most that the plan may take; 0: TREE_MEMORY */
};
#define TREE_MEMORY ((int64_t)2 << 30)

int tree_create(struct tree *t, const struct experiment *x, const struct tree_options *o,
                struct error *e);
void tree_free(struct tree *t);

/* The config of a run, resolved anew; the caller's to free. */
int tree_config(const struct tree *t, size_t run, struct config *c, struct error *e);
/* The data set of a run, loaded now if the library did not keep it (then the caller's to free by
 * tree_data_release). */
int tree_data(struct tree *t, size_t run, struct dataset **d, struct error *e);
void tree_data_release(struct tree *t, size_t run, struct dataset *d);

/* Where a run stands, for people: "blur removal=24 seed=2", "clean twin of ...". */
void tree_title(const struct tree *t, size_t run, char *text, size_t size);

/* Runs that are neither points nor clean twins of points. */
size_t tree_controls(const struct tree *t);

int64_t tree_epochs(const struct tree *t);       /* that have to be trained */
int64_t tree_epochs_alone(const struct tree *t); /* without sharing, for the same unfinished runs */

void tree_print(const struct tree *t, FILE *out);
void tree_dot(const struct tree *t, FILE *out); /* for graphviz */

/* In a folder results/<experiment>: sweep.tsv says which run stands at which point, plan.tsv how
 * every run is to be trained (docs/sweeps.md). */
int tree_write(const struct tree *t, const char *folder, struct error *e);

#endif
