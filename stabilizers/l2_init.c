/* l2_init: regenerative regularization (Kumar, Marklund, Van Roy 2023, arXiv 2308.11958, section 3):
 * weights that the loss does not hold drift back to where they began, and can be recruited anew.
 *
 *   L + lambda/2 |w - w0|^2        gradient:  + lambda (w - w0)
 *
 * w0 is the run's own initialization, formed again from net.seed at the start of each epoch.
 * `strength` multiplies lambda. The factor 1/2 makes lambda comparable with weight_decay, whose
 * gradient is lambda w; the paper writes lambda |w - w0|^2, so that its lambda is half of this one.
 *
 * The trap: the pull goes through the gradient, so Adam divides it by the gradient's size and
 * momentum carries it on, as with the L2 term of a loss. Normalization's affine parameters are
 * pulled too, to 1 and 0. */
#include "stabilizers/stabilizer.h"

static void l2_init_start(const struct settings *s, const struct stabilizer_context *c) {
    (void)s;
    net_init_into(c->net, c->net_seed, c->arrays[0]);
}

static void l2_init_gradients(const struct settings *s, const struct stabilizer_context *c) {
    size_t n;
    const struct net_tensor *t = net_param_table(c->net, &n);
    const real *w = net_params(c->net), *w0 = c->arrays[0];
    const real lambda = (real)(c->strength * settings_real(s, "lambda"));
    real *dw = net_grads(c->net);
    for (size_t i = 0; i < n; i++)
        if (stabilizer_covers(c, &t[i]))
            for (size_t j = t[i].offset; j < t[i].offset + t[i].count; j++)
                dw[j] += lambda * (w[j] - w0[j]);
}

static bool l2_init_is_identity(const struct settings *s) {
    return settings_real(s, "lambda") <= 0;
}

static const struct param l2_init_params[] = {
    {.name = "lambda",
     .type = PARAM_REAL,
     .preset = "0.001",
     .min = 0,
     .max = 1e6,
     .unit = "1",
     .doc = "Adds lambda (w - w0) to the gradient; half of it is the lambda of the paper."},
    {0},
};

const struct stabilizer stabilizer_l2_init = {
    .name = "l2_init",
    .doc = "L2 regularization toward the initial parameters (Kumar et al. 2023).",
    .params = l2_init_params,
    .arrays = 1,
    .is_identity = l2_init_is_identity,
    .epoch_start = l2_init_start,
    .gradients = l2_init_gradients,
};
