/* Optimizers: one file each under nets/optimizers, one line in optimizers.def. Defined exactly as
 * PyTorch's, so that training steps agree with it. */
#ifndef NETS_OPTIMIZER_H
#define NETS_OPTIMIZER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/real.h"
#include "base/settings.h"

enum { OPTIMIZER_SLOTS = 2 };

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
    /* One step over `count` parameters; `t` = steps since the slots were last zeroed, from 1. */
    void (*step)(const struct settings *s, double rate, int64_t t, size_t count, real *w,
                 const real *dw, real *const *slots);
};

const struct optimizer *optimizer_find(const char *name);
const struct optimizer *const *optimizer_list(size_t *n);

#endif
