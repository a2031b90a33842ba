/* dead_units: the fraction of a layer's rectified channels that are 0 for every clean test example at
 * every position. No gradient comes through such a channel, so that it does not come back by itself:
 * a rival explanation of why a network stops learning. A layer that is rectified more than once (in a
 * residual block) counts the channels of each. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/measures/measure.h"

static size_t channels_count(const struct net *net) {
    const struct tensor *y;
    size_t layer, n = 0;
    for (size_t i = 0; net_rectified(net, i, &y, &layer); i++) n += y->C;
    return n;
}

static void mark(const struct tensor *y, size_t N, bool *alive) {
    for (size_t n = 0; n < N && memchr(alive, 0, y->C); n++)
        for (size_t h = 0; h < y->H; h++)
            for (size_t w = 0; w < y->W; w++) {
                const real *v = tensor_at(y, n, h, w);
                for (size_t c = 0; c < y->C; c++) alive[c] = alive[c] || v[c] > 0;
            }
}

/* `alive`: a flag for each channel of each rectified activation, one after the other. */
static void look(const struct measure_context *c, int32_t *labels, bool *alive) {
    const struct measure_examples *test = &c->test;
    for (size_t first = 0; first < test->n; first += test->batch) {
        size_t n = test->n - first < test->batch ? test->n - first : test->batch, at = 0, layer;
        const struct tensor *y;
        test->feed(test->context, c->net, first, n, labels);
        net_forward(c->net, n, NET_EVAL);
        for (size_t i = 0; net_rectified(c->net, i, &y, &layer); i++, at += y->C)
            mark(y, n, alive + at);
    }
}

/* `channels`: how many each layer has. */
static void fill(const struct net *net, const bool *alive, size_t *channels, double *dead) {
    const struct tensor *y;
    size_t layers, layer, at = 0;
    net_layers(net, &layers);
    memset(dead, 0, layers * sizeof *dead);
    for (size_t i = 0; net_rectified(net, i, &y, &layer); i++, at += y->C) {
        channels[layer] += y->C;
        for (size_t c = 0; c < y->C; c++) dead[layer] += !alive[at + c];
    }
    for (size_t l = 0; l < layers; l++) dead[l] = channels[l] ? dead[l] / (double)channels[l] : NAN;
}

static int dead_units(const struct measure_context *c, double *const *out, struct error *e) {
    bool *alive = calloc(channels_count(c->net) + 1, sizeof *alive);
    int32_t *labels = malloc(c->test.batch * sizeof *labels);
    size_t layers;
    net_layers(c->net, &layers);
    size_t *channels = calloc(layers + 1, sizeof *channels);
    bool there = alive && labels && channels;
    if (there) {
        look(c, labels, alive);
        fill(c->net, alive, channels, out[0]);
    }
    free(alive);
    free(labels);
    free(channels);
    return there ? STATUS_OK
                 : error_set(e, STATUS_FAILED, "out of memory for the flags of the channels");
}

static const struct measure_series SERIES[] = {
    {"dead_units", "1", "share of dead channels", PER_LAYER,
     "Rectified channels that are 0 for every clean test example at every position; NaN for layers "
     "without a rectifier."},
};

const struct measure measure_dead_units = {
    .name = "dead_units",
    .doc = "Share of each layer's rectified channels that are 0 on all clean test data.",
    .series = SERIES,
    .series_n = sizeof SERIES / sizeof *SERIES,
    .measure = dead_units,
};
