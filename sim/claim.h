/* Claims: who trains a run at the moment, so that two sweeps on one results folder, on this machine
 * or on several, share the work instead of doing it twice.
 *
 * A claim is a file that appears whole or not at all: place, process number and beginning
 * (base/system.h), host. A thread of its holder touches it every few seconds. It is stale when its
 * process is gone (same place; a stopped one is not gone), or when nobody touched it for a minute
 * (elsewhere: another machine, before a restart). A claim only saves work: should two processes ever
 * hold one, they write the same files. */
#ifndef SIM_CLAIM_H
#define SIM_CLAIM_H

#include <stdbool.h>

#include "base/error.h"

enum { CLAIM_HOLDER = 320 };

struct claim;
/* STATUS_OK and *c: it is ours. STATUS_OK and *c NULL: it is another's, whom `holder` names
 * ("process 12 on host"). STATUS_FAILED: the file cannot be made. */
int claim_take(struct claim **c, const char *path, char holder[CLAIM_HOLDER], struct error *e);
void claim_release(struct claim *c); /* NULL is fine */

/* Is somebody at work there? */
bool claim_is_held(const char *path, char holder[CLAIM_HOLDER]);
/* Remove the stale claims of a folder: those of runs that were finished when their process died are
 * taken by nobody else. */
void claim_tidy(const char *folder);

#endif
