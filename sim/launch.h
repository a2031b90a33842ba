/* Running a tree on this machine: one single-threaded process per run, as many at a time as cores,
 * longest path first. A run waits until the state it starts from is on disk. Runs that fail or
 * diverge do not stop the others. Another sweep on the same results folder shares the work: a run
 * that its processes claim (sim/claim.h) is left to them and waited for. */
#ifndef SIM_LAUNCH_H
#define SIM_LAUNCH_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>

#include "sim/tree.h"

struct launch_options {
    const char *root;
    size_t jobs; /* processes at a time, >= 1 */
    bool reuse;  /* states on disk may be started from */
    bool fail_fast;
    bool record_host;
    bool quiet;
    const volatile sig_atomic_t *stop;
};

struct launch_outcome {
    size_t done, diverged, failed;
    int64_t epochs_trained;
};

/* STATUS_OK, STATUS_RUNS_FAILED, STATUS_INTERRUPTED, or a failure to start at all. */
int launch_local(struct tree *t, const struct launch_options *o, struct launch_outcome *out,
                 struct error *e);

#endif
