/* One run: a timeline trained from its deepest known state to its end, measured on the way. */
#ifndef SIM_RUN_H
#define SIM_RUN_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "sim/feed.h"
#include "sim/rows.h"
#include "sim/stabilize.h"
#include "sim/state.h"
#include "sim/store.h"
#include "sim/timeline.h"

enum { RUN_PATH = STORE_PATH };

struct run_progress {
    int64_t epoch, total;                               /* epochs done; of how many */
    double loss, train_accuracy, test_accuracy, fisher; /* NaN: not measured */
};

struct run_options {
    const char *root; /* the results folder */
    const char *from; /* results folder whose states it may start from; NULL: train every epoch */
    int64_t before;   /* start from a state of an earlier epoch than this; 0: from any */
    int64_t until;    /* train up to here and keep that state; 0: to the end */
    const char *twin_id; /* run id of the clean twin, for the log */
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
    int64_t started_from;   /* epoch of the state it started from; -1: from scratch */
    int64_t saved;          /* epoch of the last state on disk; -1: there is none */
    char log[RUN_PATH];
};

/* STATUS_DIVERGED and STATUS_INTERRUPTED leave a log of the epochs done, and the state that was saved
 * last, from which the next call goes on. A failure's sentence is kept beside the log, see run_error_path. The caller holds the run's claim
 * (sim/claim.h) where others may be at work. */
int run_execute(const struct config *c, const struct timeline *t, const struct dataset *d,
                const struct run_options *o, struct run_outcome *out, struct error *e);

/* Is its log there, whole, and that of a finished run? */
bool run_is_finished(const char *root, const char *experiment, const struct timeline *t);
/* results/<experiment>/runs/<run id>.h5, and .error: why it failed last, one sentence. */
void run_log_path(char path[RUN_PATH], const char *root, const char *experiment,
                  const struct timeline *t);
void run_error_path(char path[RUN_PATH], const char *root, const char *experiment,
                    const struct timeline *t);
void run_record_error(const char *path, const char *sentence);

/* What a run costs here and now, from a few batches, some examples and one state written and removed
 * under `folder`. It trains nothing that stays. */
struct run_cost {
    double start; /* seconds before the first epoch and after the last */
    double
        epoch; /* seconds per epoch: training without stabilizers, measuring, saving now and then */
    double stabilizer[CONFIG_STABILIZERS]; /* seconds on top per epoch of each one's window */
    int64_t state_bytes;                   /* of a state's file */
    int64_t rows_bytes; /* of a file of rows that holds one; a log without rows is about two */
    int64_t row_bytes;  /* of each further row */
};
int run_cost(const struct config *c, const struct timeline *t, const struct dataset *d,
             const char *folder, struct run_cost *cost, struct error *e);

/* What measuring needs of a run (sim/measure.c). */
struct run {
    const struct config *config;
    const struct timeline *timeline;
    const struct dataset *data;
    const struct run_options *options;
    struct net *net;
    struct state state;
    struct stabilize stabilize;
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
    struct store store; /* where it writes */
    char log[RUN_PATH];
};

#endif
