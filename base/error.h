/* Errors: one clear sentence for the user, and the exit status that goes with it.
 *
 * A function that can fail returns int: 0, or a status below after it filled the caller's
 * `struct error`. The sentence says what, where and what to do; only main prints it and exits.
 * `assert` is for our own mistakes; a file, a config or a data set can never trip one. */
#ifndef BASE_ERROR_H
#define BASE_ERROR_H

enum {
    STATUS_OK = 0,
    STATUS_FAILED = 1,      /* run-time failure: disk full, unreadable file, out of memory */
    STATUS_USAGE = 2,       /* the command line, the config or the data set is wrong */
    STATUS_RUNS_FAILED = 3, /* some runs of a sweep failed */
    STATUS_DIFFERS = 4,     /* verify found a difference */
    STATUS_DIVERGED = 5,    /* a loss was not finite; internal, shown as a run's status */
    STATUS_INTERRUPTED = 130
};

struct error {
    int status;
    char text[1024]; /* one sentence, no newline; "" while nothing failed */
};

/* Fill `e` (which may be NULL) and return `status`, so that `return error_set(...)` reads well. */
int error_set(struct error *e, int status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Put "prefix: " in front of the sentence, as for a config's file:line:column. Returns e->status
 * (STATUS_FAILED when e is NULL). */
int error_prefix(struct error *e, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
