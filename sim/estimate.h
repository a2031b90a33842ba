/* How long a planned sweep will take on this machine, and how much disk: a short calibration of each
 * kind of run (what costs the same: data, net, batch, measures), and the launcher's own order of work
 * played through with as many processes. */
#ifndef SIM_ESTIMATE_H
#define SIM_ESTIMATE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "sim/tree.h"

struct estimate {
    double seconds, seconds_alone; /* with sharing; every run alone, from scratch */
    int64_t bytes;                 /* states, rows and logs that will be written */
    size_t kinds, calibrated;      /* kinds of runs; the others are taken for their mean */
};

/* Calibrates until `patience` seconds are spent, one kind at least. Writes one state into a folder of
 * its own under TMPDIR and removes it. */
int estimate_tree(struct estimate *is, struct tree *t, size_t jobs, double patience,
                  struct error *e);

#endif
