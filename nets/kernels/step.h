/* An optimizer's step over arrays: the one loop in which all memory of training passes by, compiled
 * once per instruction set (step.isa.c). Single-threaded. An element's bits do not depend on where
 * the caller cuts the arrays. Each returns the sum of dw^2, in double. */
#ifndef NETS_KERNELS_STEP_H
#define NETS_KERNELS_STEP_H

#include <stdbool.h>
#include <stddef.h>

#include "base/real.h"

struct step_sgd {
    real rate, decay, momentum;
    bool nesterov;
};

struct step_adam {
    real decay, keep1, take1, keep2, take2; /* m = keep1 m + take1 d, u = keep2 u + take2 d^2 */
    real rate, root, eps;                   /* w -= rate m / (sqrt(u) / root + eps) */
};

struct step {
    double (*sgd)(const struct step_sgd *k, size_t count, real *w, const real *dw);
    double (*sgd_momentum)(const struct step_sgd *k, size_t count, real *w, const real *dw,
                           real *v);
    double (*adam)(const struct step_adam *k, size_t count, real *w, const real *dw, real *m,
                   real *u);
};

/* The best instruction set's. */
const struct step *step_choose(void);

#endif
