/* A tree as jobs of a cluster: one job for every segment of a run's path, and jobs that are alike
 * as arrays. Nothing here talks to Slurm.
 *
 * A run that starts at s, keeps states at k1 < k2 and has T epochs is the jobs [s, k1), [k1, k2) and
 * [k2, T); the first waits for the job that ends at s (of its parent), each other one for the one
 * before. */
#ifndef SIM_SLURM_JOBS_H
#define SIM_SLURM_JOBS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sim/tree.h"

enum { SLURM_NONE = -1 };

struct slurm_job {
    size_t run;          /* of the tree */
    int64_t from, until; /* it trains epochs [from, until) */
    bool last;           /* and ends the run */
    long parent;         /* the job it waits for, an earlier one of the list; SLURM_NONE */
    size_t kind;         /* jobs that ask for other resources are of another kind */
    long queued;         /* number of its array or job in the queue; SLURM_NONE: to be submitted */
    long index;          /* its place in that array; SLURM_NONE: it is no array */
    bool done;           /* its end is on disk by now: see slurm_plan_drop */
    long group;          /* see below */
};

/* Jobs that one call of sbatch submits; or that are one array in the queue already. */
struct slurm_group {
    long queued;       /* its number in the queue; SLURM_NONE: to be submitted */
    long parent;       /* an earlier group that it waits for; SLURM_NONE */
    long parent_index; /* for this task of it alone; SLURM_NONE: for all of it, */
    bool lockstep;     /* or task i for task i */
    bool array;
    size_t n;
    size_t *jobs; /* [n] by index; owned */
};

struct slurm_plan {
    size_t jobs_n, groups_n;
    struct slurm_job *jobs;
    struct slurm_group *groups;
};

/* The jobs of a tree's unfinished runs, parents before their children. `alone`: one job for every
 * run, which waits for nobody. */
void slurm_plan_jobs(struct slurm_plan *p, const struct tree *t, bool alone);

/* Leave out the jobs that are done; those that waited for one wait for nothing. */
void slurm_plan_drop(struct slurm_plan *p);

/* Arrange the jobs (kind, queued and index filled in) into groups, parents before their children:
 * roots are arrays; so are the jobs that wait for one and the same job; and where the tasks of one
 * array have children, their first children are an array in lockstep with it, their second ones,
 * and so on: whichever of these two makes fewer arrays. An array has less than `max_array` as
 * largest index; with fewer than 2 there are only single jobs. */
void slurm_plan_group(struct slurm_plan *p, size_t max_array);
void slurm_plan_free(struct slurm_plan *p);

#endif
