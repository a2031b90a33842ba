/* Optimizers: one file each under nets/optimizers, one line in optimizers.def. Defined exactly as
 * PyTorch's, so that training steps agree with it. */
#ifndef NETS_OPTIMIZER_H
#define NETS_OPTIMIZER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/real.h"
#include "base/settings.h"
#include "nets/kernels/step.h"
#include "nets/net.h"

enum { OPTIMIZER_SLOTS = 2 };

/* The constants of one step. */
struct optimizer_step {
    union {
        struct step_sgd sgd;
        struct step_adam adam;
    } k;
    const struct step *kernels;
};

struct optimizer {
    const char *name;
    const char *doc;
    const struct param *params;              /* momentum, weight_decay, ... */
    size_t slots;                            /* arrays of the parameters' size that it keeps */
    const char *slot_names[OPTIMIZER_SLOTS]; /* "momentum"; "exp_avg", "exp_avg_sq" */
    /* Refuse values that do not go together. NULL: any do. */
    int (*check)(const struct settings *s, struct error *e);
    /* Does a step depend on the slots (SGD without momentum does not)? NULL: always. */
    bool (*remembers)(const struct settings *s);
    /* `t` = steps since the slots were last zeroed, from 1. */
    void (*prepare)(const struct settings *s, double rate, int64_t t, struct optimizer_step *step);
    /* The step for `count` parameters, wherever they lie; returns the sum of dw^2. */
    double (*step)(const struct optimizer_step *step, size_t count, real *w, const real *dw,
                   real *const *slots);
};

const struct optimizer *optimizer_find(const char *name);
const struct optimizer *const *optimizer_list(size_t *n);

/* One step over `count` parameters. */
double optimizer_step(const struct optimizer *o, const struct settings *s, double rate, int64_t t,
                      size_t count, real *w, const real *dw, real *const *slots);

/* net_backward and the step of the net's parameters in one pass over memory: the same bits in the
 * parameters and slots, but net_grads stays as it is. Returns the gradient's squared norm. */
double optimizer_descend(const struct optimizer *o, const struct settings *s, double rate,
                         int64_t t, struct net *net, size_t N, real *const *slots);

#endif
