/* `imprint collect DIR`: one file, DIR/sweep.h5, with the variables of all logs over the sweep's
 * axes: test_accuracy(removal, seed, epoch). docs/log-format.md describes it.
 *
 * NaN (or an empty text) is what was not measured: rows after a run's end, points without a log.
 * The same logs give the same content digest. The file is derived and is made anew each time; a
 * file of another kind is never replaced. */
#ifndef ANALYSIS_COLLECT_H
#define ANALYSIS_COLLECT_H

#include <stddef.h>
#include <stdio.h>

#include "base/error.h"

struct collect_options {
    const char *output; /* NULL: sweep.h5 in the folder */
    size_t memory;      /* bytes that it may take; 0: what this machine has */
};

/* Says on `out` what it wrote, and on `notes` (stderr) what one should know of the logs. */
int collect(const char *folder, const struct collect_options *o, FILE *out, FILE *notes,
            struct error *e);

#endif
