/* What the files under a results folder say about its runs: those that the last sweep planned
 * (plan.tsv), and any others that left a log or an error.
 *
 * The truth is each run's own files; nothing here trusts a summary. A log is opened once, folders
 * are listed once, so that ten thousand runs take seconds. Facts are gathered first and the state
 * is decided in one place (survey_decide in survey.c): who knows more about a run (a queue, say)
 * adds a fact and a line there. */
#ifndef SIM_SURVEY_H
#define SIM_SURVEY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/hash.h"
#include "sim/claim.h"
#include "sim/slurm/queue.h"

enum { SURVEY_NONE = -1 };

/* ---- under the results folder: claims and states of every numerics id ---- */

struct holdings;
struct holdings *holdings_read(const char *root); /* folders that are not there are empty */
void holdings_free(struct holdings *h);
const char *holdings_worker(const struct holdings *h, const char *run_id); /* NULL: nobody */
const char *holdings_any_worker(const struct holdings *h);                 /* NULL: nobody */
bool holdings_has_state(const struct holdings *h, const char *key);        /* kept or a part */

/* ---- an experiment ---- */

enum survey_log {
    SURVEY_LOG_NONE,
    SURVEY_LOG_RUNNING, /* what it says; its process may be gone */
    SURVEY_LOG_INTERRUPTED,
    SURVEY_LOG_DONE,
    SURVEY_LOG_DIVERGED,
    SURVEY_LOG_DAMAGED
};

enum survey_state {
    SURVEY_DONE,
    SURVEY_RUNNING,
    SURVEY_QUEUED, /* a job of it is in a cluster's queue */
    SURVEY_PENDING,
    SURVEY_WAITING,     /* for a state that its parent trains */
    SURVEY_INTERRUPTED, /* an unfinished log, and nobody at work */
    SURVEY_DIVERGED,
    SURVEY_CANCELLED, /* its job was, by somebody or because what it waited for failed */
    SURVEY_FAILED,
    SURVEY_DAMAGED, /* its log is */
    SURVEY_STATES
};
const char *survey_state_name(enum survey_state s);

struct survey_run {
    char id[HASH_TEXT];
    char *title;               /* owned */
    int64_t epochs;            /* total; -1: unknown */
    bool planned;              /* in plan.tsv, which says where it starts: */
    int64_t start;             /* epochs trained before */
    char start_key[HASH_TEXT]; /* the state it starts from; "": not planned */
    long parent;               /* run that trains that state; SURVEY_NONE */
    char parent_id[HASH_TEXT]; /* its id; "" */

    enum survey_log log;
    int64_t rows;              /* epochs in the log; -1: no log */
    int64_t touched;           /* when the log was written, seconds */
    char final_key[HASH_TEXT]; /* its last state, from the log; "": unknown */
    char *why;          /* owned: sentence of its .error file, or what is wrong with the log */
    bool has_error;     /* there is such a file */
    const char *worker; /* "process 12 on host", of the holdings; NULL: nobody */
    const struct slurm_entry *job; /* of the survey's queue; NULL: none, or nobody asked */

    enum survey_state state;
    int64_t done; /* epochs */
};

struct survey {
    char *folder, *name; /* results/demo, demo */
    bool has_plan;
    struct survey_run *runs; /* in the plan's order, then the others by id */
    size_t n;
    struct slurm_queue queue; /* empty until survey_ask_queue */
};

/* Is it the folder of an experiment (plan.tsv or runs/)? */
bool survey_is_experiment(const char *folder);
/* Those in a results folder, by name; malloc'ed, each too. */
char **survey_experiments(const char *root, size_t *n);
/* STATUS_FAILED: plan.tsv is damaged. The holdings must outlive the survey. */
int survey_read(struct survey **s, const char *folder, const struct holdings *h, struct error *e);
void survey_free(struct survey *s);
/* Join the runs with a cluster's queue, where jobs were submitted. STATUS_FAILED: it cannot be
 * read; the survey is good all the same. */
int survey_ask_queue(struct survey *s, struct error *e);

bool survey_is_finished(const struct survey_run *r); /* done or diverged, and nobody at work */
/* results/<experiment>/runs/<id> with this ending; malloc'ed */
char *survey_path(const struct survey *s, const struct survey_run *r, const char *ending);

/* Is it the hexadecimal text of a hash, n characters long, as in the names of all files here? */
bool survey_is_key(const char *text, size_t n);

#endif
