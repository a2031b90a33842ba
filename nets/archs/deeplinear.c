/* deeplinear: a product of D weight matrices per modality, without biases, and the sum of them all
 * (Kleinman, Achille, Soatto: Critical learning periods emerge even in deep linear networks, ICLR
 * 2024, arXiv 2308.12221):
 *
 *   y = sum over modalities m of  Wm[D] ... Wm[2] Wm[1] x[m]
 *
 * Layer l of modality m is called m.fcl; hidden ones have `width` outputs. Every pathway ends in a
 * tap. Two ways to start:
 *
 *   gaussian   every weight N(0, eps^(2/D) / inputs), so that the product has the size of eps
 *   balanced   diagonal in the singular vectors U, V of Syx, the sum over the training examples of
 *              target times input: with e[k] = eps (1 + jitter n[k]), n[k] ~ N(0, 1), per pathway
 *                W[1] = R[1] diag(e^(1/D)) V^T,  W[l] = R[l] diag(e^(1/D)) R[l-1]^T,
 *                W[D] = U diag(e^(1/D)) R[D-1]^T
 *              where R[l] has orthonormal columns. With whitened inputs gradient descent then keeps
 *              every mode apart from the others: p[k], the D equal factors of mode k of a pathway,
 *              goes by dp/dt = p^(D-1) (s[k] - sum over the pathways of p^D), s[k] that of Syx. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <xxhash.h>

#include "base/rng.h"
#include "nets/archs/block.h"
#include "nets/svd.h"

enum { DEPTH_LIMIT = 64 };

/* ---- the graph ------------------------------------------------------------------------------- */

static int pathway(struct graph *g, size_t m, size_t depth, size_t width) {
    char name[NET_NAME];
    int x = graph_flatten(g, graph_input(g, m));
    for (size_t l = 1; l <= depth; l++) {
        snprintf(name, sizeof name, "%s.fc%zu", g->names[m], l);
        x = graph_matrix(g, x, name, l == depth ? g->K : width);
    }
    return graph_tap(g, x, m);
}

/* One mode per singular vector of the smaller side. */
static size_t modes(const struct graph *g, size_t m) {
    const struct value *in = graph_value(g, (int)m);
    size_t features = in->H * in->W * in->C;
    return features < g->K ? features : g->K;
}

static int balanced_check(const struct graph *g, size_t depth, size_t width, struct error *e) {
    for (size_t m = 0; m < g->inputs_n; m++) {
        if (!g->correlation[m])
            return error_set(e, STATUS_USAGE,
                             "net.init: balanced starts from the data's targets, and these data "
                             "have none; take gaussian");
        if (depth > 1 && modes(g, m) > width)
            return error_set(e, STATUS_USAGE,
                             "net.width: %zu is too narrow for the %zu modes of '%s' that init: "
                             "balanced needs",
                             width, modes(g, m), g->names[m]);
    }
    return STATUS_OK;
}

static int deeplinear_build(struct graph *g, const struct settings *s, struct error *e) {
    const size_t depth = (size_t)settings_int(s, "depth"), width = (size_t)settings_int(s, "width");
    const bool balanced = settings_is(s, "init", "balanced");
    int tap[NET_INPUTS] = {0}, status = balanced ? balanced_check(g, depth, width, e) : STATUS_OK;
    if (status) return status;
    g->gain = pow(settings_real(s, "eps"), 1.0 / (double)depth);
    for (size_t m = 0; m < g->inputs_n; m++) tap[m] = pathway(g, m, depth, width);
    int x = tap[0];
    for (size_t m = 1; m < g->inputs_n; m++) x = graph_add(g, x, tap[m]);
    return graph_output(g, x);
}

/* ---- the balanced start ---------------------------------------------------------------------- */

/* Parameter i is layer i % D + 1 of pathway i / D: there is one tensor per layer. */
static uint64_t name_index(const struct graph *g, size_t i) {
    return XXH3_64bits(g->params[i].name, strlen(g->params[i].name));
}

/* Column k less its share of the columns before; twice, for what rounding leaves of it. */
static void orthogonalize(double *q, size_t rows, size_t n, size_t k) {
    for (size_t j = 0; j < 2 * k; j++) {
        double along = 0;
        for (size_t i = 0; i < rows; i++) along += q[i * n + j % k] * q[i * n + k];
        for (size_t i = 0; i < rows; i++) q[i * n + k] -= along * q[i * n + j % k];
    }
}

/* R of the layer that parameter i makes, [rows, n]: random columns, made orthonormal. */
static void rotation(const struct graph *g, size_t i, uint64_t seed, size_t n, double *q) {
    const size_t rows = g->params[i].shape[0];
    struct rng r = rng_stream(seed, "init", 1, name_index(g, i));
    for (size_t j = 0; j < rows * n; j++) q[j] = rng_normal(&r);
    for (size_t k = 0; k < n; k++) {
        double length = 0;
        orthogonalize(q, rows, n, k);
        for (size_t j = 0; j < rows; j++) length += q[j * n + k] * q[j * n + k];
        for (size_t j = 0; j < rows; j++) q[j * n + k] /= sqrt(length);
    }
}

/* e^(1/D) of each mode of the pathway that begins with parameter i. */
static void strengths(const struct graph *g, size_t i, uint64_t seed, size_t n, double *root) {
    const double eps = settings_real(&g->settings, "eps");
    const double jitter = settings_real(&g->settings, "jitter");
    const double depth = (double)settings_int(&g->settings, "depth");
    struct rng r = rng_stream(seed, "init", 2, name_index(g, i));
    for (size_t k = 0; k < n; k++)
        root[k] = pow(fabs(eps * (1 + jitter * rng_normal(&r))), 1 / depth);
}

/* w[o, i] = sum over k of left[o, k] root[k] right[i, k] */
static void multiply(const double *left, const double *root, const double *right, size_t n,
                     const size_t shape[2], real *w) {
    for (size_t o = 0; o < shape[0]; o++)
        for (size_t i = 0; i < shape[1]; i++) {
            double sum = 0;
            for (size_t k = 0; k < n; k++) sum += left[o * n + k] * root[k] * right[i * n + k];
            w[o * shape[1] + i] = (real)sum;
        }
}

static bool deeplinear_draw(const struct graph *g, size_t i, uint64_t seed, real *out) {
    const size_t depth = (size_t)settings_int(&g->settings, "depth"), l = i % depth;
    const struct net_tensor *t = &g->params[i];
    struct svd svd;
    if (!settings_is(&g->settings, "init", "balanced")) return false;
    const size_t m = i / depth, features = g->params[m * depth].shape[1];
    if (!svd_create(&svd, g->correlation[m], g->K, features)) abort();
    double *left = calloc(t->shape[0] * svd.n, sizeof *left);
    double *right = calloc(t->shape[1] * svd.n, sizeof *right);
    double *root = calloc(svd.n, sizeof *root);
    if (!left || !right || !root) abort();
    strengths(g, m * depth, seed, svd.n, root);
    if (l + 1 < depth) rotation(g, i, seed, svd.n, left);
    if (l > 0) rotation(g, i - 1, seed, svd.n, right);
    multiply(l + 1 < depth ? left : svd.u, root, l > 0 ? right : svd.v, svd.n, t->shape, out);
    free(left);
    free(right);
    free(root);
    svd_free(&svd);
    return true;
}

static const struct param PARAMS[] = {
    {"depth", PARAM_INT, "3", 1, DEPTH_LIMIT, NULL, "layers", "Matrices in a pathway's product.",
     false},
    {"width", PARAM_INT, "100", 1, 1e5, NULL, "features", "Outputs of a pathway's hidden layers.",
     false},
    {"init", PARAM_CHOICE, "gaussian", 0, 0, "balanced|gaussian", NULL,
     "Weights N(0, eps^(2/depth)/inputs), or matrices that are balanced and diagonal in the "
     "singular vectors of the data's targets.",
     false},
    {"eps", PARAM_REAL, "0.01", 1e-12, 1000, NULL, "1", "Size of each pathway's product at first.",
     false},
    {"jitter", PARAM_REAL, "0.1", 0, 1, NULL, "1",
     "With init: balanced, relative s.d. of a mode's size at first; each pathway has its own.",
     false},
    {0},
};

const struct arch arch_deeplinear = {
    .name = "deeplinear",
    .doc = "The sum over the modalities of a product of matrices each: one pathway, two or more "
           "(Kleinman et al. 2024).",
    .params = PARAMS,
    .build = deeplinear_build,
    .draw = deeplinear_draw,
};
