/* fisher_penalty: the gradient that the network's own answers would give is kept small, and with it
 * the trace of the Fisher information (Jastrzebski et al. 2021, arXiv 2012.14193, section 4).
 *
 *   L + alpha |g|^2,   g = grad_S of the batch's mean of -log p_w(y|x),   y ~ p_w(y|x)
 *
 * over the parameters S, one label drawn per example and then held fixed. The gradient of |g|^2 is
 * 2 H g, H the Hessian of that loss, had from two gradients (as in Zhao et al. 2022, arXiv
 * 2202.03599):
 *
 *   2 H g  ~  2 |g| [grad(w + r u) - grad(w)] / r,   u = g / |g| on S, 0 elsewhere,   r = STEP |w_S|
 *
 * Batch statistics are those of training, and differentiated through; running ones are not touched.
 * Auxiliary heads have no part in it. `strength` multiplies alpha. `every` k forms the gradient anew
 * in batches 0, k, 2k, ... of an epoch and adds it again in those between.
 *
 * S leaves out normalization's affine parameters unless `norm_parameters`, as in the public
 * re-implementation (BartekKrzepkowski/FisherPenalty); they receive the penalty's gradient all the
 * same, as there. With `modality`, S is that branch, and only that branch receives it.
 *
 * The trap is the kinks. A gradient jumps where a ReLU switches; many do on the way to w + r u, and
 * each adds its jump over r. Measured on convfc and allcnn at four points of 800 steps of training,
 * for r from 1e-2 to 1e-5 |w| the plain difference missed the Hessian product by 0.3 to 140 times
 * its length, in double as in float. So the second pass keeps every ReLU and max pooling as the
 * first had it (NET_SWITCHED): what is then differentiated is smooth, and its derivative is that of
 * automatic differentiation. The step balances what is left, curvature times r and rounding over r:
 * there a float build was within 1 % of the double one; on small nets a float build is within 2 %
 * of PyTorch's double backward, a double build within 1e-6 (tests/interop/test_penalties.py).
 *
 * And: |mean gradient|^2 of a batch is neither the trace of the Fisher nor its mean over examples,
 * but follows it; labels of the data instead of drawn ones give another penalty. */
#include <math.h>
#include <string.h>

#include "base/rng.h"
#include "stabilizers/stabilizer.h"

#ifdef REAL_IS_DOUBLE
static const double STEP = 2e-10;
#else
static const double STEP = 1e-5;
#endif

enum { SUM, PARAMS, PENALTY, ARRAYS }; /* arrays: what came in net_grads, w, and 2 H g */

/* Scratch: probabilities [N, K], then labels [N]. */
static size_t classes(const struct net *net) {
    return net_logits(net)->C;
}

static size_t fisher_penalty_scratch(const struct settings *s, const struct net *net) {
    (void)s;
    return net_batch(net) * (classes(net) * sizeof(double) + sizeof(int32_t));
}

static int32_t *labels_of(const struct stabilizer_context *c) {
    return (int32_t *)(void *)((double *)c->scratch + c->N * classes(c->net));
}

/* A vector "weight", and the bias beside it, are a normalization's. */
static bool is_normalization(const struct net *net, const struct net_tensor *t) {
    size_t n;
    const struct net_tensor *all = net_param_table(net, &n);
    const size_t owner = (size_t)(strrchr(t->name, '.') - t->name) + 1;
    for (size_t i = 0; i < n; i++)
        if (all[i].rank == 1 && !strncmp(all[i].name, t->name, owner) &&
            !strcmp(all[i].name + owner, "weight"))
            return true;
    return false;
}

static bool penalizes(const struct settings *s, const struct stabilizer_context *c,
                      const struct net_tensor *t) {
    if (!stabilizer_covers(c, t)) return false;
    return settings_bool(s, "norm_parameters") || t->rank > 1 || !is_normalization(c->net, t);
}

/* The norm of what an array holds for the penalized parameters. */
static double norm(const struct settings *s, const struct stabilizer_context *c, const real *v) {
    size_t n;
    double sum = 0;
    const struct net_tensor *t = net_param_table(c->net, &n);
    for (size_t i = 0; i < n; i++)
        if (penalizes(s, c, &t[i]))
            for (size_t j = t[i].offset; j < t[i].offset + t[i].count; j++)
                sum += (double)v[j] * (double)v[j];
    return sqrt(sum);
}

/* w += factor g on the penalized parameters. */
static void step(const struct settings *s, const struct stabilizer_context *c, double factor,
                 const real *g) {
    size_t n;
    const struct net_tensor *t = net_param_table(c->net, &n);
    real *w = net_params(c->net);
    for (size_t i = 0; i < n; i++)
        if (penalizes(s, c, &t[i]))
            for (size_t j = t[i].offset; j < t[i].offset + t[i].count; j++)
                w[j] = (real)((double)w[j] + factor * (double)g[j]);
}

/* A label for each example, from its own stream and the answer that the last forward pass gave. */
static void labels_draw(const struct stabilizer_context *c) {
    const size_t K = classes(c->net);
    double *p = c->scratch;
    net_probabilities(c->net, c->N, p);
    for (size_t n = 0; n < c->N; n++) {
        struct rng rng = rng_stream(c->train_seed, "fisher_penalty", c->epoch, c->index[n]);
        labels_of(c)[n] = (int32_t)rng_pick(&rng, p + n * K, K);
    }
}

static void gradient(const struct stabilizer_context *c) {
    net_loss(c->net, labels_of(c), c->N);
    net_backward(c->net, c->N);
}

/* penalty = 2 H g, from g in it; net_grads is used. */
static void difference(const struct settings *s, const struct stabilizer_context *c,
                       real *penalty) {
    const size_t count = net_params_count(c->net);
    const double size = norm(s, c, penalty), scale = norm(s, c, net_params(c->net));
    const double r = STEP * (scale > 0 ? scale : 1), factor = 2 * size / r;
    real *w = net_params(c->net), *kept = c->arrays[PARAMS];
    memcpy(kept, w, count * sizeof *w);
    step(s, c, size > 0 ? r / size : 0, penalty);
    net_forward(c->net, c->N, NET_SWITCHED);
    gradient(c);
    memcpy(w, kept, count * sizeof *w);
    for (size_t i = 0; i < count; i++)
        penalty[i] = (real)(factor * ((double)net_grads(c->net)[i] - (double)penalty[i]));
}

/* The activations of the training step may be those of another stabilizer's pass by now. */
static void penalty_form(const struct settings *s, const struct stabilizer_context *c) {
    const size_t bytes = net_params_count(c->net) * sizeof(real);
    real *grads = net_grads(c->net);
    memcpy(c->arrays[SUM], grads, bytes);
    net_forward(c->net, c->N, NET_BATCH);
    labels_draw(c);
    gradient(c);
    memcpy(c->arrays[PENALTY], grads, bytes);
    difference(s, c, c->arrays[PENALTY]);
    memcpy(grads, c->arrays[SUM], bytes);
}

static void fisher_penalty_gradients(const struct settings *s, const struct stabilizer_context *c) {
    size_t n;
    const struct net_tensor *t = net_param_table(c->net, &n);
    const double alpha = c->strength * settings_real(s, "alpha");
    real *dw = net_grads(c->net);
    if (c->batch % (size_t)settings_int(s, "every") == 0) penalty_form(s, c);
    for (size_t i = 0; i < n; i++)
        if (stabilizer_covers(c, &t[i]))
            for (size_t j = t[i].offset; j < t[i].offset + t[i].count; j++)
                dw[j] = (real)((double)dw[j] + alpha * (double)c->arrays[PENALTY][j]);
}

static int fisher_penalty_check(const struct settings *s, const struct net *net, int branch,
                                struct error *e) {
    (void)s, (void)branch;
    if (!net_targets(net)) return STATUS_OK;
    return error_set(e, STATUS_USAGE,
                     "fisher_penalty draws classes from the model, and the loss is of targets; set "
                     "train.loss.type: cross_entropy, or leave it out");
}

static bool fisher_penalty_is_identity(const struct settings *s) {
    return settings_real(s, "alpha") <= 0;
}

static const struct param fisher_penalty_params[] = {
    {.name = "alpha",
     .type = PARAM_REAL,
     .preset = "0.01",
     .min = 0,
     .max = 1e6,
     .unit = "1",
     .doc = "Factor on the squared norm of the batch's mean gradient with labels drawn from the "
            "model."},
    {.name = "every",
     .type = PARAM_INT,
     .preset = "1",
     .min = 1,
     .max = 1000000,
     .unit = "batches",
     .doc = "The penalty's gradient is formed anew every so many batches of an epoch and used "
            "again in those between."},
    {.name = "norm_parameters",
     .type = PARAM_BOOL,
     .preset = "false",
     .doc = "Do a normalization's weights and biases count in the norm?"},
    {0},
};

const struct stabilizer stabilizer_fisher_penalty = {
    .name = "fisher_penalty",
    .doc = "A penalty on the squared gradient with labels drawn from the model, a proxy of the "
           "Fisher trace (Jastrzebski et al. 2021).",
    .params = fisher_penalty_params,
    .arrays = ARRAYS,
    .scratch = fisher_penalty_scratch,
    .is_identity = fisher_penalty_is_identity,
    .check = fisher_penalty_check,
    .gradients = fisher_penalty_gradients,
};
