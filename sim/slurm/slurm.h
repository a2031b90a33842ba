/* The Slurm launcher: a tree's segments as jobs of a cluster (sim/slurm/jobs.h), submitted with
 * sbatch. Every job is `imprint run` up to an epoch; it takes the run's claim, goes on from the
 * deepest state on disk and checks its inputs itself, so a job that starts too early, twice or
 * without its parent's state costs time but changes no bit.
 *
 * In results/<experiment>/slurm: jobs.tsv (sim/slurm/queue.h), a config for every run, a script for
 * every submission, and what the jobs say. */
#ifndef SIM_SLURM_SLURM_H
#define SIM_SLURM_SLURM_H

#include <signal.h>
#include <stdbool.h>
#include <stdio.h>

#include "sim/tree.h"

struct slurm_options {
    const char *root;
    bool reuse; /* states on disk may be started from; false: every job trains all of its run */
    bool wait;  /* until nothing of the sweep is in the queue */
    bool record_host;
    bool quiet;
    const volatile sig_atomic_t *stop;
};

struct slurm_outcome {
    size_t jobs, arrays, singles; /* submitted now: tasks; calls of sbatch */
    size_t queued;                /* jobs that were in the queue already */
    size_t replaced;       /* cancelled, as they would never have started, and submitted anew */
    long first;            /* number of the first submission */
    size_t done, diverged; /* runs */
};

/* Submit what is neither finished nor in the queue. STATUS_OK: all of it is submitted or, with
 * `wait`, all runs are done; STATUS_RUNS_FAILED: some are not; STATUS_INTERRUPTED: the jobs stay in
 * the queue. Should one submission be refused, those before it are cancelled again. */
int launch_slurm(const struct tree *t, const struct slurm_options *o, struct slurm_outcome *out,
                 struct error *e);

/* What would be submitted, when nothing were in the queue. */
int slurm_print(const struct tree *t, bool reuse, FILE *out, struct error *e);

/* In a job whose time is up (SIGUSR1): ask Slurm to start it anew; this process is then ended by
 * Slurm. Outside Slurm nothing happens. STATUS_FAILED when it was started anew twice without a
 * later epoch saved, or when Slurm refuses. `folder`: results/<experiment>. */
int slurm_requeue(const char *folder, const char *run_id, bool progress, struct error *e);

#endif
