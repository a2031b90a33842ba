/* sgd: stochastic gradient descent exactly as torch.optim.SGD (dampening 0).
 *
 *   d = dw + weight_decay w
 *   v = momentum v + d            (the first step: v = d, the same with v = 0)
 *   w -= rate (d + momentum v)    with nesterov, else   w -= rate v
 *
 * The trap: weight decay is coupled, it goes through the momentum and scales with the rate. */
#include "nets/optimizer.h"

static void sgd_prepare(const struct settings *s, double rate, int64_t t,
                        struct optimizer_step *step) {
    (void)t;
    step->k.sgd = (struct step_sgd){.rate = (real)rate,
                                    .decay = (real)settings_real(s, "weight_decay"),
                                    .momentum = (real)settings_real(s, "momentum"),
                                    .nesterov = settings_bool(s, "nesterov")};
}

static double sgd_step(const struct optimizer_step *step, size_t count, real *w, const real *dw,
                       real *const *slots) {
    const struct step_sgd *k = &step->k.sgd;
    return k->momentum == 0 ? step->kernels->sgd(k, count, w, dw)
                            : step->kernels->sgd_momentum(k, count, w, dw, slots[0]);
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
    .prepare = sgd_prepare,
    .step = sgd_step,
};
