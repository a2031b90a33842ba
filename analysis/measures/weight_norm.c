/* weight_norm: the Euclidean norm of each layer's and each branch's parameters, normalization's
 * affine ones included. Beside a Fisher trace it tells a change of scale, which batch norm makes
 * invisible in the network's function, from a change of information. */
#include <math.h>

#include "analysis/measures/measure.h"

static void roots(double *squares, size_t n) {
    for (size_t i = 0; i < n; i++) squares[i] = sqrt(squares[i]);
}

/* Auxiliary heads are in no branch. */
static int weight_norm(const struct measure_context *c, double *const *out, struct error *e) {
    (void)e;
    size_t n, layers, branches;
    const struct net_tensor *t = net_param_table(c->net, &n);
    const real *params = net_params(c->net);
    net_layers(c->net, &layers);
    net_branches(c->net, &branches);
    double *layer = out[0], *branch = out[1];
    for (size_t l = 0; l < layers; l++) layer[l] = 0;
    for (size_t b = 0; b < branches; b++) branch[b] = 0;
    for (size_t i = 0; i < n; i++) {
        int b = net_layer_branch(c->net, (size_t)t[i].layer);
        for (size_t j = 0; j < t[i].count; j++) {
            double w = (double)params[t[i].offset + j];
            layer[t[i].layer] += w * w;
            if (b >= 0) branch[b] += w * w;
        }
    }
    roots(layer, layers);
    roots(branch, branches);
    return STATUS_OK;
}

static const struct measure_series SERIES[] = {
    {"layer_weight_norm", "1", "Euclidean norm of a layer's parameters", PER_LAYER,
     "Euclidean norm of each layer's parameters."},
    {"branch_weight_norm", "1", "Euclidean norm of a branch's parameters", PER_BRANCH, NULL},
};

const struct measure measure_weight_norm = {
    .name = "weight_norm",
    .doc = "Euclidean norm of the parameters of each layer and of each branch.",
    .series = SERIES,
    .series_n = sizeof SERIES / sizeof *SERIES,
    .measure = weight_norm,
};
