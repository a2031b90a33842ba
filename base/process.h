/* Running another program and reading what it says. The arguments are a vector; no shell is asked,
 * so nothing in them needs quotes. */
#ifndef BASE_PROCESS_H
#define BASE_PROCESS_H

#include <stdbool.h>

#include "base/error.h"
#include "base/text.h"

struct process_result {
    int status;           /* its exit status; 128 + number when a signal ended it */
    struct text out, err; /* never NULL data after process_run */
};

/* Run argv[0], looked for on PATH, until it ends; argv ends in NULL. `prepare` (may be NULL) runs
 * in the child before it becomes the program. STATUS_OK: it ran, whatever its exit status.
 * STATUS_FAILED: it could not be started; *missing (may be NULL) says whether there is none. */
int process_run(const char *const *argv, void (*prepare)(void), struct process_result *r,
                bool *missing, struct error *e);
void process_free(struct process_result *r);

/* The last line of what it said on stderr that is not empty, for a sentence; "" when it said
 * nothing. free() it. */
char *process_complaint(const struct process_result *r);

#endif
