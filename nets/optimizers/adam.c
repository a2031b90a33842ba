/* adam: Kingma and Ba 2015 (arXiv 1412.6980), exactly as torch.optim.Adam.
 *
 *   d = dw + weight_decay w
 *   m = beta1 m + (1 - beta1) d        u = beta2 u + (1 - beta2) d^2
 *   w -= rate / (1 - beta1^t)  m / (sqrt(u) / sqrt(1 - beta2^t) + eps)
 *
 * The traps: eps is added after the bias correction of the root, and weight decay is coupled (it is
 * not AdamW). */
#include <math.h>

#include "nets/optimizer.h"

static void adam_prepare(const struct settings *s, double rate, int64_t t,
                         struct optimizer_step *step) {
    const double beta1 = settings_real(s, "beta1"), beta2 = settings_real(s, "beta2");
    step->k.adam = (struct step_adam){.decay = (real)settings_real(s, "weight_decay"),
                                      .keep1 = (real)beta1,
                                      .take1 = (real)(1 - beta1),
                                      .keep2 = (real)beta2,
                                      .take2 = (real)(1 - beta2),
                                      .rate = (real)(rate / (1 - pow(beta1, (double)t))),
                                      .root = (real)sqrt(1 - pow(beta2, (double)t)),
                                      .eps = (real)settings_real(s, "eps")};
}

static double adam_step(const struct optimizer_step *step, size_t count, real *w, const real *dw,
                        real *const *slots) {
    return step->kernels->adam(&step->k.adam, count, w, dw, slots[0], slots[1]);
}

static const struct param PARAMS[] = {
    {"beta1", PARAM_REAL, "0.9", 0, 0.999999, NULL, "1", "Memory of the mean gradient.", false},
    {"beta2", PARAM_REAL, "0.999", 0, 0.999999, NULL, "1", "Memory of the mean squared gradient.",
     false},
    {"eps", PARAM_REAL, "1e-8", 1e-30, 1, NULL, "1", "Added to the root of the latter.", false},
    {"weight_decay", PARAM_REAL, "0.0", 0, 1e6, NULL, "1",
     "Factor of w added to every parameter's gradient.", false},
    {0},
};

const struct optimizer optimizer_adam = {
    .name = "adam",
    .doc = "Adam with bias correction, as torch.optim.Adam.",
    .params = PARAMS,
    .slots = 2,
    .slot_names = {"exp_avg", "exp_avg_sq"},
    .prepare = adam_prepare,
    .step = adam_step,
};
