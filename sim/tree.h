/* A sweep as a tree. Every point of an experiment and every clean twin is a run; runs that agree on
 * what is in force up to an epoch have the same prefix key there and share that training.
 *
 * The tree is kept as paths: the longest unfinished run trains its whole timeline and keeps the
 * states where others leave it (`keep`); every other run starts from the state of its `parent`
 * after `fork` epochs. So each epoch is trained once, and the critical path goes first. */
#ifndef SIM_TREE_H
#define SIM_TREE_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "sim/config.h"
#include "sim/timeline.h"

enum { TREE_NONE = -1 };

struct tree_run {
    struct config config;
    struct timeline timeline;
    char twin_id[HASH_TEXT];
    size_t data;     /* which data set of the library */
    bool finished;   /* its log is there and whole */
    int64_t deepest; /* deepest state on disk with its rows; -1: none */
    long parent;     /* run whose state it starts from; TREE_NONE: from disk or from scratch */
    int64_t fork;    /* epochs already trained when it starts */
    int64_t *keep;   /* epochs where others leave it; owned */
    size_t keep_n;
};

struct tree_point {
    size_t run, twin;
};

struct library; /* the data sets of an experiment, each loaded once */

struct tree {
    size_t runs_n, points_n;
    struct tree_run *runs;
    struct tree_point *points; /* one per point of the experiment, in its order */
    size_t *order;             /* [runs_n] unfinished runs first, the longest ahead */
    struct library *library;
};

/* `root`: the results folder, to see what is finished. force: nothing counts as finished. */
int tree_create(struct tree *t, const struct experiment *x, const char *root, bool force,
                struct error *e);
void tree_free(struct tree *t);

/* The data set of a run, loaded now if the library did not keep it (then the caller's to free by
 * tree_data_release). */
int tree_data(struct tree *t, size_t run, struct dataset **d, struct error *e);
void tree_data_release(struct tree *t, size_t run, struct dataset *d);

int64_t tree_epochs(const struct tree *t);       /* that have to be trained */
int64_t tree_epochs_alone(const struct tree *t); /* without sharing, for the same unfinished runs */
void tree_print(const struct tree *t, const struct experiment *x, FILE *out);

/* results/<experiment>/sweep.tsv: which run stands at which point. */
int tree_manifest(const struct tree *t, const struct experiment *x, const char *path,
                  struct error *e);

#endif
