/* modes: how strongly each pathway of a linear network carries each mode of its task (Saxe, McClelland,
 * Ganguli 2014, arXiv 1312.6120; two pathways: Kleinman, Achille, Soatto 2024, arXiv 2308.12221).
 *
 *   Syx = sum over the test examples of target times input = U diag(s) V^T
 *   K[k] = u[k]^T P v[k],   P = sum over the test examples of the pathway's output times input
 *
 * u[k] and v[k] being columns of U and V. Where the inputs are the unit vectors, P is the product of
 * the pathway's matrices, and a task that is learnt has K summing to s over the pathways. The
 * strongest MODES modes are read, in falling order. Modes of one strength (sqrt 3 and 1 in the data
 * set hierarchy) may be turned among each other; which turn is taken is the same in every row, and in
 * the balanced start of net deeplinear. */
#include <math.h>
#include <stdlib.h>

#include "analysis/measures/measure.h"
#include "analysis/measures/taps.h"
#include "nets/svd.h"

enum { MODES = 16, PATHWAYS = 2 };

struct sums {
    size_t K, size;          /* outputs; inputs */
    double *target, *output; /* [K, size] */
    real *tap;               /* [K] */
};

static int modes_check(const struct net *net, struct error *e) {
    const size_t n = net_modalities(net);
    if (!net_targets(net))
        return error_set(e, STATUS_USAGE,
                         "it needs targets: set train.loss.type: squared_error, or leave it out");
    if (n > PATHWAYS)
        return error_set(e, STATUS_USAGE,
                         "it reads one or two modalities, and this data set has %zu; leave it out",
                         n);
    for (size_t m = 0; m < n; m++)
        if (!net_has_tap(net, m) || net_tap_size(net, m) != net_logits(net)->C)
            return error_set(e, STATUS_USAGE,
                             "it reads networks that are a sum of one pathway per modality; set "
                             "net.arch: deeplinear, or leave it out");
    return STATUS_OK;
}

static void add_outer(double *sum, const real *left, size_t n, const real *right, size_t size) {
    for (size_t k = 0; k < n; k++)
        for (size_t i = 0; i < size; i++) sum[k * size + i] += (double)left[k] * (double)right[i];
}

/* Modality m, over all test examples. Their targets are all known, or the modes are NaN. */
static void sums_fill(struct sums *s, const struct measure_context *c, size_t m, int32_t *labels) {
    const struct tensor *x = net_input_tensor(c->net, m);
    for (size_t first = 0; first < c->test.n; first += c->test.batch) {
        size_t n = c->test.n - first < c->test.batch ? c->test.n - first : c->test.batch;
        c->test.feed(c->test.context, c->net, first, n, labels);
        net_forward(c->net, n, NET_EVAL);
        for (size_t i = 0; i < n; i++) {
            const real *in = tensor_at(x, i, 0, 0);
            net_tap_read(c->net, m, i, s->tap);
            add_outer(s->target, net_targets(c->net) + i * s->K, s->K, in, s->size);
            add_outer(s->output, s->tap, s->K, in, s->size);
        }
    }
}

static void project(const struct sums *s, const struct svd *svd, double *strength) {
    for (size_t a = 0; a < svd->n && a < MODES; a++) {
        double sum = 0;
        for (size_t k = 0; k < s->K; k++)
            for (size_t i = 0; i < s->size; i++)
                sum += svd->u[k * svd->n + a] * s->output[k * s->size + i] * svd->v[i * svd->n + a];
        strength[a] = sum;
    }
}

static bool pathway(const struct measure_context *c, size_t m, int32_t *labels, double *target,
                    double *strength) {
    const struct tensor *x = net_input_tensor(c->net, m);
    struct sums s = {.K = net_logits(c->net)->C, .size = x->H * x->W * x->C};
    struct svd svd;
    s.target = calloc(s.K * s.size, sizeof *s.target);
    s.output = calloc(s.K * s.size, sizeof *s.output);
    s.tap = malloc(s.K * sizeof *s.tap);
    bool whole = s.target && s.output && s.tap;
    if (whole) sums_fill(&s, c, m, labels);
    if (whole && svd_create(&svd, s.target, s.K, s.size)) {
        for (size_t a = 0; a < svd.n && a < MODES && m == 0; a++) target[a] = svd.s[a];
        project(&s, &svd, strength);
        svd_free(&svd);
    }
    free(s.target);
    free(s.output);
    free(s.tap);
    return whole;
}

static int modes(const struct measure_context *c, double *const *out, struct error *e) {
    int32_t *labels = malloc(c->test.batch * sizeof *labels);
    bool whole = labels != NULL;
    for (size_t i = 0; i < (1 + PATHWAYS) * (size_t)MODES; i++) out[i / MODES][i % MODES] = NAN;
    for (size_t m = 0; m < net_modalities(c->net) && whole; m++)
        whole = pathway(c, m, labels, out[0], out[1 + m]);
    free(labels);
    return whole ? STATUS_OK : error_set(e, STATUS_FAILED, "out of memory for the modes");
}

static const struct measure_bins BY_MODE = {
    .name = "mode",
    .long_name = "modes of the task, from the strongest on",
    .note = "Numbers from 1 on.",
    .n = MODES,
    .low = 0.5,
    .high = MODES + 0.5,
};

#define TEXT_MODE                                                                                  \
    "Projection of the pathway's output, correlated with its input over the test examples, onto "  \
    "the singular vectors of the targets'; NaN past the last mode."

static const struct measure_series SERIES[] = {
    {"mode_target", "1", "strength of the task's modes", PER_BIN,
     "Singular values of the targets correlated with the inputs, over the test examples."},
    {"mode_first", "1", "strength of the modes in the first modality's pathway", PER_BIN,
     TEXT_MODE},
    {"mode_second", "1", "strength of the modes in the second modality's pathway", PER_BIN,
     TEXT_MODE},
};

const struct measure measure_modes = {
    .name = "modes",
    .doc = "How strongly each pathway of a linear network carries each singular mode of its task.",
    .series = SERIES,
    .series_n = sizeof SERIES / sizeof *SERIES,
    .bins = &BY_MODE,
    .check = modes_check,
    .measure = modes,
};
