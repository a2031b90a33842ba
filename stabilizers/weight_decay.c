/* Weight decay in a window: an L2 penalty lambda/2 |w|^2 on the branch's parameters.
 *
 *   g <- g + strength lambda w
 *
 * Coupled, as torch.optim.SGD's: it goes through the momentum and scales with the rate, biases and
 * normalization decay too, and it comes on top of train.optimizer.weight_decay. Golatkar, Achille &
 * Soatto 2019 (arXiv 1905.13277): decay in the first epochs alone does what decay throughout does,
 * decay afterwards does nothing. The trap: with normalization behind a layer its norm changes no
 * output, and decay acts through the effective rate instead. */
#include "stabilizers/stabilizer.h"

static bool weight_decay_is_identity(const struct settings *s) {
    return settings_real(s, "lambda") == 0.0;
}

static void tensor_decay(const struct stabilizer_context *c, const struct net_tensor *t,
                         real lambda) {
    const real *w = net_params(c->net) + t->offset;
    real *g = net_grads(c->net) + t->offset;
#pragma omp simd
    for (size_t i = 0; i < t->count; i++) g[i] += lambda * w[i];
}

static void weight_decay_gradients(const struct settings *s, const struct stabilizer_context *c) {
    size_t n;
    const struct net_tensor *table = net_param_table(c->net, &n);
    real lambda = (real)(c->strength * settings_real(s, "lambda"));
    for (size_t i = 0; i < n; i++)
        if (stabilizer_covers(c, &table[i])) tensor_decay(c, &table[i], lambda);
}

static const struct param weight_decay_params[] = {
    {.name = "lambda",
     .type = PARAM_REAL,
     .preset = "0.001",
     .min = 0.0,
     .max = 1e6,
     .unit = "1",
     .doc = "Factor of w added to the gradient, times the strength."},
    {0},
};

const struct stabilizer stabilizer_weight_decay = {
    .name = "weight_decay",
    .doc = "Weight decay in a window, coupled as in torch.optim.SGD and on top of the optimizer's "
           "(Golatkar et al. 2019).",
    .params = weight_decay_params,
    .is_identity = weight_decay_is_identity,
    .gradients = weight_decay_gradients,
};
