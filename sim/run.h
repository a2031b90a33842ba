/* One run: a timeline trained from its deepest known state to its end, measured on the way. */
#ifndef SIM_RUN_H
#define SIM_RUN_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "sim/feed.h"
#include "sim/rows.h"
#include "sim/state.h"
#include "sim/timeline.h"

enum { RUN_PATH = 3072 };

struct run_progress {
    int64_t epoch, total;                               /* epochs done; of how many */
    double loss, train_accuracy, test_accuracy, fisher; /* NaN: not measured */
};

struct run_options {
    const char *root;    /* the results folder */
    const char *twin_id; /* run id of the clean twin, for the log */
    bool reuse;          /* start from states on disk; false: train every epoch */
    bool force;          /* train again although the log is finished */
    bool record_host;    /* host and user names into the log */
    int threads;
    const int64_t *keep; /* epochs whose states other runs start from */
    size_t keep_n;
    const volatile sig_atomic_t *stop; /* set by a signal: leave after the current batch */
    void (*progress)(void *context, const struct run_progress *p); /* after every epoch */
    void *context;
};

struct run_outcome {
    int64_t epochs_trained; /* in this call */
    char log[RUN_PATH];
};

/* STATUS_DIVERGED and STATUS_INTERRUPTED leave a log of the epochs done and the last good state. */
int run_execute(const struct config *c, const struct timeline *t, const struct dataset *d,
                const struct run_options *o, struct run_outcome *out, struct error *e);

/* Would run_execute have anything to train? (Its log is not there, or not whole.) */
bool run_is_finished(const char *root, const struct config *c, const struct timeline *t);
/* The deepest epoch at which a state and all rows before it are on disk; -1: none. Looks at names
 * only; run_execute checks contents. */
int64_t run_deepest(const char *root, const struct timeline *t);
/* results/<experiment>/runs/<run id>.h5 */
void run_log_path(char path[RUN_PATH], const char *root, const struct config *c,
                  const struct timeline *t);

/* What measuring needs of a run (sim/measure.c). */
struct run {
    const struct config *config;
    const struct timeline *timeline;
    const struct dataset *data;
    const struct run_options *options;
    struct net *net;
    struct state state;
    struct rows rows;
    struct view training;         /* as trained in the current epoch */
    struct view test, validation; /* clean */
    struct view test_deficit;     /* under every deficit measured; source NULL: none */
    struct examples probes;       /* copies of the Fisher probes */
    struct view probe_clean, probe_deficit;
    uint32_t *order; /* [train.n] */
    int32_t *label;  /* [batch] */
    void *scratch;   /* for assembling batches */
    real *start;     /* parameters at the start of the epoch */
    real *buffers;   /* copy of the buffers while they are refreshed */
    size_t batch;
    char states[RUN_PATH], row_folder[RUN_PATH], log[RUN_PATH];
};

#endif
