/* `imprint verify`: is a log what its own config gives? The run is trained again in a temporary
 * folder and every dataset is compared, bit for bit; within a tolerance only where the log comes from
 * other numerics (compiler, BLAS, instruction set, ...), whose bits nobody can expect. */
#ifndef SIM_VERIFY_H
#define SIM_VERIFY_H

#include <signal.h>
#include <stdbool.h>
#include <stdio.h>

#include "base/error.h"

struct verify_options {
    const char *data_path; /* instead of the config's data.path; NULL: that one */
    bool from_states;      /* train only from the deepest state before the end on disk */
    double tolerance;      /* for logs of other numerics; VERIFY_TOLERANCE */
    int threads;
    bool quiet;
    const volatile sig_atomic_t *stop; /* set by a signal; may be NULL */
};

/* What other roundings may do (measured: docs/sweeps.md). Rows are averaged over the epochs: a net
 * trained for some epochs from other roundings is another net of the same kind. */
#define VERIFY_TOLERANCE    0.15 /* accuracies may be so far apart, */
#define VERIFY_OTHER_SERIES 4    /* other series so many times that, of their mean */
#define VERIFY_UNTRAINED    1e-3 /* row 0, of the largest value there: nothing has amplified them */
#define VERIFY_SCHEDULE     1e-9 /* what no training has a part in: learning rate, severity */

/* Verifies logs, or all logs of a sweep's folder, one after the other; results go to `out`.
 * STATUS_DIFFERS: at least one is damaged or not what training gives. Else STATUS_FAILED or
 * STATUS_USAGE when one could not be checked, STATUS_INTERRUPTED, or STATUS_OK. */
int verify(const char *const *paths, size_t n, const struct verify_options *o, FILE *out,
           struct error *e);

#endif
