/* rsv: relative source variance, which modality a unit of the representation listens to.
 *
 *   Va = Var_a f(a, b_j)      over partners a, with the second modality held at b_j
 *   Vb = Var_b f(a_j, b)      over partners b, with the first modality held at a_j
 *   RSV = (Va - Vb) / (Va + Vb)
 *
 * per unit and anchor (a_j, b_j): +1, the unit depends on the first modality alone; -1, on the second
 * alone (Kleinman, Achille, Soatto: Critical learning periods for multisensory integration in deep
 * networks, CVPR 2023, eq. 5; their published code has the sign the other way round).
 *
 * Units are the elements of net_representation: every channel at every position. Anchors and partners
 * are drawn once from the clean test examples by stream "rsv" of data.seed: up to ANCHORS and up to
 * PARTNERS, no example both where there are enough. Where Va + Vb = 0 (a unit that is dead around
 * this anchor) nothing can be said; those are left out and counted, for they are not at 0. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/measures/measure.h"
#include "analysis/measures/taps.h"
#include "base/rng.h"

enum { ANCHORS = 32, PARTNERS = 128, BINS = 20 };

struct rsv {
    struct net *net;
    size_t anchors, partners, batch, units;
    struct taps taps; /* anchors, then partners */
    double *mean,
        *square[2]; /* [units] running means; squared deviations as each modality varies */
    double *value;  /* [anchors units] those that are defined */
    size_t defined;
};

static bool has_trunk(const struct net *net) {
    size_t layers;
    net_layers(net, &layers);
    for (size_t l = 0; l < layers; l++)
        if (net_layer_branch(net, l) == (int)net_modalities(net)) return true;
    return false;
}

static int rsv_check(const struct net *net, struct error *e) {
    size_t n = net_modalities(net);
    if (n > 2)
        return error_set(e, STATUS_USAGE,
                         "it compares two modalities, and this data set has %zu; leave it out", n);
    if (n == 2 && !has_trunk(net))
        return error_set(e, STATUS_USAGE,
                         "it reads the units of a layer after the encoders meet, and this network "
                         "has none; leave it out");
    return taps_check(net, e);
}

/* ---- examples -------------------------------------------------------------------------------- */

static size_t least(size_t a, size_t b) {
    return a < b ? a : b;
}

/* Shuffled, the first are anchors and the last are partners. */
static int encode(struct rsv *r, const struct measure_context *c, struct error *e) {
    size_t n = c->test.n;
    uint32_t *order = malloc(n * sizeof *order);
    if (!order)
        return error_set(e, STATUS_FAILED, "out of memory for the order of %zu examples", n);
    for (size_t i = 0; i < n; i++) order[i] = (uint32_t)i;
    struct rng rng = rng_stream(c->seed, "rsv", 0, 0);
    rng_shuffle(&rng, order, n);
    int status = taps_create(&r->taps, r->net, r->anchors + r->partners, e);
    for (size_t i = 0; i < r->anchors && !status; i++)
        taps_encode(&r->taps, r->net, &c->test, order[i], 1, i);
    for (size_t i = 0; i < r->partners && !status; i++)
        taps_encode(&r->taps, r->net, &c->test, order[n - 1 - i], 1, r->anchors + i);
    free(order);
    return status;
}

/* ---- variances ------------------------------------------------------------------------------- */

/* One value more of every unit (Welford 1962): what is constant has deviations of exactly 0. */
static void add_units(struct rsv *r, size_t n, size_t count, double *square) {
    const struct tensor *y = net_representation(r->net);
    size_t row = y->W * y->C;
    for (size_t h = 0; h < y->H; h++) {
        const real *v = tensor_at(y, n, h, 0);
        double *mean = r->mean + h * row, *sum = square + h * row;
        for (size_t i = 0; i < row; i++) {
            double off = (double)v[i] - mean[i];
            mean[i] += off / (double)count;
            sum[i] += off * ((double)v[i] - mean[i]);
        }
    }
}

/* Modality `varied` runs over the partners, the other one is the anchor's. */
static void vary(struct rsv *r, size_t anchor, size_t varied) {
    size_t count = 0;
    memset(r->mean, 0, r->units * sizeof *r->mean);
    memset(r->square[varied], 0, r->units * sizeof *r->square[varied]);
    for (size_t first = 0; first < r->partners; first += r->batch) {
        size_t n = least(r->partners - first, r->batch);
        for (size_t i = 0; i < n; i++) {
            taps_place(&r->taps, r->net, varied, i, r->anchors + first + i);
            taps_place(&r->taps, r->net, 1 - varied, i, anchor);
        }
        net_forward_trunk(r->net, n);
        for (size_t i = 0; i < n; i++) add_units(r, i, ++count, r->square[varied]);
    }
}

static void measure_anchor(struct rsv *r, size_t anchor) {
    for (size_t m = 0; m < 2; m++) vary(r, anchor, m);
    for (size_t i = 0; i < r->units; i++) {
        double a = r->square[0][i], b = r->square[1][i];
        if (a + b > 0) r->value[r->defined++] = (a - b) / (a + b);
    }
}

/* ---- what is said of them -------------------------------------------------------------------- */

static int ascending(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void fill_histogram(const struct rsv *r, double *histogram) {
    for (size_t k = 0; k < BINS; k++) histogram[k] = 0;
    for (size_t i = 0; i < r->defined; i++) {
        size_t bin = (size_t)((r->value[i] + 1) / 2 * BINS);
        histogram[least(bin, BINS - 1)] += 1;
    }
    for (size_t k = 0; k < BINS; k++)
        histogram[k] = r->defined ? histogram[k] / (double)r->defined : NAN;
}

static void fill(struct rsv *r, double *const *out) {
    size_t n = r->defined;
    double sum = 0;
    qsort(r->value, n, sizeof *r->value, ascending);
    for (size_t i = 0; i < n; i++) sum += r->value[i];
    *out[0] = n ? (r->value[(n - 1) / 2] + r->value[n / 2]) / 2 : NAN;
    *out[1] = n ? sum / (double)n : NAN;
    *out[2] = 1 - (double)n / (double)(r->anchors * r->units);
    fill_histogram(r, out[3]);
}

static int allocate(struct rsv *r, struct error *e) {
    const struct tensor *y = net_representation(r->net);
    r->units = y->H * y->W * y->C;
    r->mean = malloc(r->units * sizeof *r->mean);
    for (size_t m = 0; m < 2; m++) r->square[m] = malloc(r->units * sizeof *r->square[m]);
    r->value = malloc(r->anchors * r->units * sizeof *r->value);
    if (r->mean && r->square[0] && r->square[1] && r->value) return STATUS_OK;
    return error_set(e, STATUS_FAILED, "out of memory for the variances of %zu units", r->units);
}

static int rsv(const struct measure_context *c, double *const *out, struct error *e) {
    struct rsv r = {.net = c->net,
                    .anchors = least(c->test.n, ANCHORS),
                    .partners = least(c->test.n, PARTNERS),
                    .batch = c->test.batch};
    int status = allocate(&r, e);
    if (!status) status = encode(&r, c, e);
    for (size_t j = 0; j < r.anchors && !status; j++) measure_anchor(&r, j);
    if (!status) fill(&r, out);
    taps_free(&r.taps);
    free(r.mean);
    free(r.square[0]);
    free(r.square[1]);
    free(r.value);
    return status;
}

#define TEXT_SIGN                                                                                  \
    "+1: the units vary with the first modality alone, -1: with the second alone; over units and " \
    "anchors with a variance."

static const struct measure_bins HISTOGRAM = {
    .name = "rsv_bin", .long_name = "relative source variance", .n = BINS, .low = -1, .high = 1};

static const struct measure_series SERIES[] = {
    {"rsv_median", "1", "median relative source variance", PER_ROW, TEXT_SIGN},
    {"rsv_mean", "1", "mean relative source variance", PER_ROW, TEXT_SIGN},
    {"rsv_undefined", "1", "share of units and anchors without any variance", PER_ROW,
     "They are in no other RSV series."},
    {"rsv_histogram", "1", "distribution of the relative source variance", PER_BIN,
     TEXT_SIGN " Shares by bin, which sum to 1."},
};

const struct measure measure_rsv = {
    .name = "rsv",
    .doc = "Relative source variance: which of two modalities the representation's units vary with "
           "(+1: the first alone, -1: the second alone).",
    .series = SERIES,
    .series_n = sizeof SERIES / sizeof *SERIES,
    .bins = &HISTOGRAM,
    .check = rsv_check,
    .measure = rsv,
};
