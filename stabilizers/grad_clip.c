/* grad_clip: a batch's gradient is cut to a largest norm (Pascanu, Mikolov, Bengio 2013, arXiv
 * 1211.5063, algorithm 1).
 *
 *   g <- (1 - strength) g + strength g min(1, max_norm / |g|)
 *
 * |g| is the Euclidean norm over the branch's parameters together, in double; it and only it is
 * scaled. torch.nn.utils.clip_grad_norm_ divides by |g| + 1e-6, this by |g|. The optimizer's weight
 * decay comes after it; stabilizers listed before it are cut too, those listed after it are not.
 *
 * The trap: under a max_norm that is always exceeded this is a smaller learning rate; grad_norm in
 * the log is that of before the cut, and says how often. */
#include <math.h>

#include "stabilizers/stabilizer.h"

static double tensor_square(const real *g, size_t n) {
    double sum = 0.0;
    for (size_t i = 0; i < n; i++) sum += (double)g[i] * (double)g[i];
    return sum;
}

static void tensor_scale(real *g, size_t n, real scale) {
#pragma omp simd
    for (size_t i = 0; i < n; i++) g[i] *= scale;
}

static void grad_clip_gradients(const struct settings *s, const struct stabilizer_context *c) {
    size_t n;
    const struct net_tensor *t = net_param_table(c->net, &n);
    const double most = settings_real(s, "max_norm");
    real *g = net_grads(c->net);
    double square = 0.0;
    for (size_t i = 0; i < n; i++)
        if (stabilizer_covers(c, &t[i])) square += tensor_square(g + t[i].offset, t[i].count);
    if (square <= most * most) return;
    real scale = (real)(1.0 - c->strength + c->strength * most / sqrt(square));
    for (size_t i = 0; i < n; i++)
        if (stabilizer_covers(c, &t[i])) tensor_scale(g + t[i].offset, t[i].count, scale);
}

static const struct param grad_clip_params[] = {
    {.name = "max_norm",
     .type = PARAM_REAL,
     .preset = "1.0",
     .min = 1e-12,
     .max = 1e12,
     .unit = "1",
     .doc = "The largest norm that the gradient keeps."},
    {0},
};

const struct stabilizer stabilizer_grad_clip = {
    .name = "grad_clip",
    .doc = "Gradients are cut to a largest norm (Pascanu et al. 2013).",
    .params = grad_clip_params,
    .gradients = grad_clip_gradients,
};
