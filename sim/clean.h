/* `imprint clean`: removes the states, rows and parts that no unfinished run needs, and what killed
 * processes left behind. Logs, reports, plans and files that imprint does not know stay. */
#ifndef SIM_CLEAN_H
#define SIM_CLEAN_H

#include <stdbool.h>
#include <stdio.h>

#include "base/error.h"

struct clean_options {
    bool dry_run;     /* say it, remove nothing */
    bool quiet;       /* only what is freed */
    const char *keep; /* "final", epochs, or both with commas; NULL: neither */
};

/* STATUS_USAGE: `root` is no results folder, or `keep` is neither. STATUS_FAILED: a plan is damaged
 * or a process is at work (then nothing was removed), or a file cannot be removed. */
int clean_results(const char *root, const struct clean_options *o, FILE *out, struct error *e);

#endif
