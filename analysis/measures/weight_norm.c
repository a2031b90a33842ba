/* weight_norm: the Euclidean norm of each layer's parameters, normalization's affine ones included.
 * Beside a Fisher trace it tells a change of scale, which batch norm makes invisible in the
 * network's function, from a change of information. */
#include <math.h>

#include "analysis/measures/measure.h"

static int weight_norm(const struct measure_context *c, double *const *out, struct error *e) {
    (void)e;
    size_t n, layers;
    const struct net_tensor *t = net_param_table(c->net, &n);
    net_layers(c->net, &layers);
    double *norm = out[0];
    for (size_t l = 0; l < layers; l++) norm[l] = 0;
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < t[i].count; j++) {
            double w = (double)net_params(c->net)[t[i].offset + j];
            norm[t[i].layer] += w * w;
        }
    for (size_t l = 0; l < layers; l++) norm[l] = sqrt(norm[l]);
    return STATUS_OK;
}

static const struct measure_series SERIES[] = {
    {"layer_weight_norm", "1", "Euclidean norm of a layer's parameters", PER_LAYER, NULL},
};

const struct measure measure_weight_norm = {
    .name = "weight_norm",
    .doc = "Euclidean norm of each layer's parameters.",
    .series = SERIES,
    .series_n = sizeof SERIES / sizeof *SERIES,
    .measure = weight_norm,
};
