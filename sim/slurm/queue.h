/* What was submitted, and what of it is in the queue.
 *
 * results/<experiment>/slurm/jobs.tsv is the ledger: a line for every job before it is submitted
 * (id "-") and one with its id right after. One call of squeue tells where the jobs stand; a job is
 * found there by its unique name, so one that was submitted by a launcher that died before it could
 * write the id down is found too. The queue only tells who is alive: what is done, the files say. */
#ifndef SIM_SLURM_QUEUE_H
#define SIM_SLURM_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/hash.h"

/* From nothing to do with it any more to at work; the order is used. */
enum slurm_state {
    SLURM_GONE,      /* not in the queue, for whatever reason */
    SLURM_ENDED,     /* ended, with exit status 0 */
    SLURM_CANCELLED, /* by somebody, or because what it waited for failed */
    SLURM_FAILED,    /* ended otherwise: failed, timed out, node failure */
    SLURM_NEVER,     /* pending, but what it waits for failed: it will never start */
    SLURM_ENDING,    /* about to be one of the above, or to be queued again */
    SLURM_HELD,      /* pending, held by its user or launcher */
    SLURM_PENDING,
    SLURM_RUNNING
};

enum { SLURM_NAME = 192, SLURM_END = 2 * HASH_TEXT };

struct slurm_entry {
    char name[SLURM_NAME]; /* of its job or array in the queue */
    long task;             /* index in the array; -1: no array */
    long id;               /* number of the job or array; -1: not known */
    char run[HASH_TEXT];   /* run id */
    int64_t from, until;   /* epochs */
    bool last;             /* ends the run */
    char end[SLURM_END];   /* names its last state: prefix key and measures */
    enum slurm_state state;
    char reason[64]; /* Slurm's word for why it is where it is */
    size_t launch;   /* 0, 1, ...: submitted together */
};

struct slurm_queue {
    size_t n;
    struct slurm_entry *entries; /* in the order of submission */
    struct map *runs;            /* run id -> the entry that tells most about it */
};

/* The ledger of a folder results/<experiment> joined with the queue. STATUS_OK without entries
 * where nothing was ever submitted (squeue is not asked then); STATUS_FAILED when squeue cannot be
 * asked or the controller does not answer. */
int slurm_queue_read(struct slurm_queue *q, const char *folder, struct error *e);
void slurm_queue_free(struct slurm_queue *q);

/* Where a run stands: its job in the queue that is furthest in the table of states; else, of the
 * last launch that had any for it, the job that is. NULL: none was ever submitted. */
const struct slurm_entry *slurm_queue_run(const struct slurm_queue *q, const char *run_id);

bool slurm_is_queued(enum slurm_state state);         /* pending, running or ending */
const char *slurm_state_name(enum slurm_state state); /* "running", "waiting", ... for people */

/* For the launcher: put lines for entries at the end of the ledger, on disk when it returns. */
int slurm_ledger_add(const char *folder, const struct slurm_entry *entries, size_t n,
                     struct error *e);

/* In a child of process_run: an environment in which Slurm's programs do as they are told. */
void slurm_prepare(void);

#endif
