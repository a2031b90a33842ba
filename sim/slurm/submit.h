/* Slurm's programs, each as one call: sbatch, scontrol, scancel. */
#ifndef SIM_SLURM_SUBMIT_H
#define SIM_SLURM_SUBMIT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "base/settings.h"
#include "base/text.h"

struct slurm_batch {
    const char *name;                 /* of the job */
    const char *script;               /* path */
    const char *output;               /* path with Slurm's patterns (%A, %a, %j) */
    const struct settings *resources; /* the config's section `slurm` */
    const char *array;                /* "0-3,7"; NULL: a single job */
    const char *dependency;           /* "afterok:12"; NULL: none */
    bool hold;
};

/* Is there an sbatch? STATUS_USAGE says that there is none. */
int slurm_check(struct error *e);
/* The cluster's MaxArraySize: indices are less than that. */
int slurm_max_array(size_t *max, struct error *e);
int slurm_submit(const struct slurm_batch *b, long *id, struct error *e);

/* Jobs by number, "12", or tasks of arrays, "12_3". */
int slurm_release(const char *const *jobs, size_t n, struct error *e);
void slurm_cancel(const char *const *jobs, size_t n);
/* Start this job anew, later; when Slurm agrees it ends this process soon. */
int slurm_restart(const char *job, struct error *e);

/* Sorted indices as Slurm writes them: "0-3,7". */
void slurm_indices(struct text *t, const long *indices, size_t n);
/* A word of a shell script: 'it'\''s'. */
void slurm_quote(struct text *t, const char *word);

#endif
