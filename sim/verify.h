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
    double tolerance;      /* for logs of other numerics, see compare.h; VERIFY_TOLERANCE */
    int threads;
    bool quiet;
    const volatile sig_atomic_t *stop; /* set by a signal; may be NULL */
};

/* Accuracies may differ by so much, other series by so much of their largest value. A net that was
 * trained for some dozen epochs from other roundings is another net of the same kind: see
 * docs/sweeps.md for what was measured. */
#define VERIFY_TOLERANCE 0.1

/* Verifies logs, or all logs of a sweep's folder, one after the other; results go to `out`.
 * STATUS_DIFFERS: at least one is damaged or not what training gives. Else STATUS_FAILED or
 * STATUS_USAGE when one could not be checked, STATUS_INTERRUPTED, or STATUS_OK. */
int verify(const char *const *paths, size_t n, const struct verify_options *o, FILE *out,
           struct error *e);

#endif
