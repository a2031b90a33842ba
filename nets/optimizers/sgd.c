/* sgd: stochastic gradient descent exactly as torch.optim.SGD (dampening 0).
 *
 *   d = dw + weight_decay w
 *   v = momentum v + d            (the first step: v = d, the same with v = 0)
 *   w -= rate (d + momentum v)    with nesterov, else   w -= rate v
 *
 * The trap: weight decay is coupled, it goes through the momentum and scales with the rate. */
#include "nets/optimizer.h"

static void plain_step(real rate, real decay, size_t count, real *w, const real *dw) {
#pragma omp simd
    for (size_t i = 0; i < count; i++) w[i] -= rate * (dw[i] + decay * w[i]);
}

static void momentum_step(real rate, real decay, real momentum, size_t count, real *w,
                          const real *dw, real *v) {
#pragma omp simd
    for (size_t i = 0; i < count; i++) {
        v[i] = momentum * v[i] + (dw[i] + decay * w[i]);
        w[i] -= rate * v[i];
    }
}

static void nesterov_step(real rate, real decay, real momentum, size_t count, real *w,
                          const real *dw, real *v) {
#pragma omp simd
    for (size_t i = 0; i < count; i++) {
        real d = dw[i] + decay * w[i];
        v[i] = momentum * v[i] + d;
        w[i] -= rate * (d + momentum * v[i]);
    }
}

static void sgd_step(const struct settings *s, double rate, int64_t t, size_t count, real *w,
                     const real *dw, real *const *slots) {
    (void)t;
    real step = (real)rate, decay = (real)settings_real(s, "weight_decay");
    real momentum = (real)settings_real(s, "momentum");
    if (momentum == 0)
        plain_step(step, decay, count, w, dw);
    else if (settings_bool(s, "nesterov"))
        nesterov_step(step, decay, momentum, count, w, dw, slots[0]);
    else
        momentum_step(step, decay, momentum, count, w, dw, slots[0]);
}

static int sgd_check(const struct settings *s, struct error *e) {
    if (settings_bool(s, "nesterov") && settings_real(s, "momentum") == 0)
        return error_set(e, STATUS_USAGE,
                         "nesterov: needs a momentum above 0; set momentum, or nesterov: false");
    return STATUS_OK;
}

static bool sgd_remembers(const struct settings *s) {
    return settings_real(s, "momentum") != 0;
}

static const struct param PARAMS[] = {
    {"momentum", PARAM_REAL, "0.0", 0, 1, NULL, "1", "Factor on the running sum of gradients.",
     false},
    {"weight_decay", PARAM_REAL, "0.0", 0, 1e6, NULL, "1",
     "Factor of w added to every parameter's gradient.", false},
    {"nesterov", PARAM_BOOL, "false", 0, 0, NULL, NULL, "Nesterov's form; needs momentum.", false},
    {0},
};

const struct optimizer optimizer_sgd = {
    .name = "sgd",
    .doc = "Stochastic gradient descent with momentum, as torch.optim.SGD.",
    .params = PARAMS,
    .slots = 1,
    .slot_names = {"momentum"},
    .check = sgd_check,
    .remembers = sgd_remembers,
    .step = sgd_step,
};
