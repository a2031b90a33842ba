/* singular_values: the largest singular values of the outputs on the clean test examples, as a matrix
 * [outputs, examples]. Where the examples are the unit vectors (data sets completion and hierarchy)
 * these are those of a linear network's product of matrices: its effective rank can be read off. */
#include <math.h>
#include <stdlib.h>

#include "analysis/measures/measure.h"
#include "nets/svd.h"

enum { SHOWN = 10 };

static int singular_values_check(const struct net *net, struct error *e) {
    if (net_targets(net)) return STATUS_OK;
    return error_set(e, STATUS_USAGE,
                     "it needs targets: set train.loss.type: squared_error, or leave it out");
}

static void outputs_read(const struct measure_context *c, int32_t *labels, double *y) {
    const size_t K = net_logits(c->net)->C;
    for (size_t first = 0; first < c->test.n; first += c->test.batch) {
        size_t n = c->test.n - first < c->test.batch ? c->test.n - first : c->test.batch;
        c->test.feed(c->test.context, c->net, first, n, labels);
        net_forward(c->net, n, NET_EVAL);
        for (size_t i = 0; i < n * K; i++) y[first * K + i] = (double)net_logits(c->net)->data[i];
    }
}

static int singular_values(const struct measure_context *c, double *const *out, struct error *e) {
    const size_t K = net_logits(c->net)->C;
    int32_t *labels = malloc(c->test.batch * sizeof *labels);
    double *y = malloc(c->test.n * K * sizeof *y);
    struct svd svd = {0};
    bool whole = labels && y;
    for (size_t k = 0; k < SHOWN; k++) out[0][k] = NAN;
    if (whole) outputs_read(c, labels, y);
    if (whole && svd_create(&svd, y, c->test.n, K))
        for (size_t k = 0; k < svd.n && k < SHOWN; k++) out[0][k] = svd.s[k];
    svd_free(&svd);
    free(labels);
    free(y);
    return whole ? STATUS_OK : error_set(e, STATUS_FAILED, "out of memory for singular values");
}

static const struct measure_bins BY_ORDER = {
    .name = "singular_value",
    .long_name = "singular values, from the largest on",
    .note = "Numbers from 1 on.",
    .n = SHOWN,
    .low = 0.5,
    .high = SHOWN + 0.5,
};

static const struct measure_series SERIES[] = {
    {"output_singular_values", "1", "largest singular values of the outputs", PER_BIN,
     "Of the matrix of outputs on the clean test examples."},
};

const struct measure measure_singular_values = {
    .name = "singular_values",
    .doc = "The largest singular values of the outputs on test data, for networks with targets.",
    .series = SERIES,
    .series_n = sizeof SERIES / sizeof *SERIES,
    .bins = &BY_ORDER,
    .check = singular_values_check,
    .measure = singular_values,
};
