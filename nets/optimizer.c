/* The list of optimizers, one line each in optimizers.def, and their steps over a net. */
#include "nets/optimizer.h"

#include <string.h>

#define OPTIMIZER(name) extern const struct optimizer optimizer_##name;
#include "nets/optimizers/optimizers.def"
#undef OPTIMIZER

static const struct optimizer *const OPTIMIZERS[] = {
#define OPTIMIZER(name) &optimizer_##name,
#include "nets/optimizers/optimizers.def"
#undef OPTIMIZER
};

const struct optimizer *const *optimizer_list(size_t *n) {
    *n = sizeof OPTIMIZERS / sizeof *OPTIMIZERS;
    return OPTIMIZERS;
}

const struct optimizer *optimizer_find(const char *name) {
    for (size_t i = 0; i < sizeof OPTIMIZERS / sizeof *OPTIMIZERS; i++)
        if (strcmp(OPTIMIZERS[i]->name, name) == 0) return OPTIMIZERS[i];
    return NULL;
}

double optimizer_step(const struct optimizer *o, const struct settings *s, double rate, int64_t t,
                      size_t count, real *w, const real *dw, real *const *slots) {
    struct optimizer_step step = {.kernels = step_choose()};
    o->prepare(s, rate, t, &step);
    return o->step(&step, count, w, dw, slots);
}

/* ---- steps within the backward pass ---------------------------------------------------------- */

struct descent {
    const struct optimizer *type;
    struct optimizer_step step;
    real *w;
    real *slots[OPTIMIZER_SLOTS];
};

static double descent_take(const void *context, size_t offset, size_t count, const real *dw) {
    const struct descent *d = context;
    real *slots[OPTIMIZER_SLOTS] = {NULL};
    for (size_t i = 0; i < d->type->slots; i++) slots[i] = d->slots[i] + offset;
    return d->type->step(&d->step, count, d->w + offset, dw, slots);
}

double optimizer_descend(const struct optimizer *o, const struct settings *s, double rate,
                         int64_t t, struct net *net, size_t N, real *const *slots) {
    struct descent d = {.type = o, .step = {.kernels = step_choose()}, .w = net_params(net)};
    struct net_taker taker = {descent_take, &d, {d.w}};
    o->prepare(s, rate, t, &d.step);
    for (size_t i = 0; i < o->slots; i++) {
        d.slots[i] = slots[i];
        if (!o->remembers || o->remembers(s)) taker.reads[1 + i] = slots[i];
    }
    return net_backward_to(net, N, &taker);
}
