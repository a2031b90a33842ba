/* fisher_trace: how much the network's answer would change if its weights were perturbed.
 *
 *   tr F = E_x E_{y ~ p_w(y|x)} |grad_w log p_w(y|x)|^2
 *
 *        = E_x tr(J^T (diag(p) - p p^T) J)         J: the Jacobian of the logits by w
 *
 * (Achille, Rovere and Soatto 2019, arXiv 1711.08856.) Every estimator is a list of gradients by
 * the logits with weights for each probe x, and one backward pass turns a batch of them into one
 * squared norm per probe and layer. For a label y the gradient of log p(y|x) is onehot(y) - p, of
 * labels drawn from p(.|x) with 1/draws or of the data's own label with 1. The others need a root,
 * L L^T = diag(p) - p p^T. The sketch (Hutchinson 1990) takes L v / sqrt(draws) with random signs
 * v, since E |J^T L v|^2 = tr(J^T L L^T J); with q = sqrt(p), of length 1, L = diag(q) - p q^T:
 *
 *   (diag(q) - p q^T)(diag(q) - q p^T) = diag(p) - p p^T - p p^T + p (q^T q) p^T
 *
 * Exactly, all labels weighted with p(y|x) are the columns of a root too, K of them. The rank is
 * K - 1, and Cholesky's root saves a pass (Tanabe and Sagae 1992): with r[k] = p[k+1] + ... , what
 * the classes after k have, column k is
 *
 *   sqrt(p[k] r[k] / (p[k] + r[k]))  times  0 before k,  1 at k,  -p[i] / r[k] at i > k
 *
 * A loss of targets has the model N(y, I), y the outputs, whose Fisher information is J^T J: labels are
 * then gradients v by the outputs with E v v^T = I, which are the unit vectors (exact), normal numbers
 * (sampled: t - y for t drawn from the model), random signs (sketch), or the data's own y - t
 * (empirical). Outputs whose target is not known are left out, since the loss does not see them.
 *
 * The traps, each met in published code. The square of a batch's mean gradient is not the mean of
 * the squares: norms are taken per example. Labels of the data give another quantity, the
 * empirical Fisher. Sums over millions of squares live in double. Confident predictions leave
 * gradients of the size of 1 - p(y), so 1 - p(y) is summed from the other classes, which keeps its
 * digits when p(y) rounds to 1. And measuring has random streams of its own, and changes neither
 * parameters nor running statistics. */
#include "analysis/measures/fisher_trace.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"

/* Mean and spread of numbers that come one at a time (Welford 1962). */
struct tally {
    double n, mean, squares;
};

static void tally_add(struct tally *t, double x) {
    double off = x - t->mean;
    t->n += 1;
    t->mean += off / t->n;
    t->squares += off * (x - t->mean);
}

static double tally_stderr(const struct tally *t) {
    return t->n > 1 ? sqrt(t->squares / (t->n - 1) / t->n) : (double)NAN;
}

/* One measurement at work on the probes [first, first + n). */
struct work {
    struct net *net;
    size_t K, layers, branches, batch, first, n;
    int draws;
    uint64_t seed;
    uint32_t epoch;
    double *p;             /* [batch, K] p(y|x) */
    double *signs;         /* [K] a gradient by the logits in the making */
    real *dlogits;         /* [batch, K] */
    double *g2;            /* [batch, layers] of one backward pass */
    double *value;         /* [batch, layers] the sum so far */
    size_t passes;         /* gradients of each probe */
    double *weight;        /* [batch] of the gradients at hand */
    int32_t *y;            /* [batch] the labels at hand */
    int32_t *labels;       /* [batch] of the data */
    double *known;         /* [batch, K] 1, or 0 where the target is not known; NULL: classes */
    double *branch;        /* [branches] of one probe */
    struct tally *tallies; /* [layers + 1], the last of the total; then [branches] */
    double loss, entropy;  /* sums over the probes */
};

/* d = p - onehot(y), the gradient of -log p(y) by the logits. */
static void dlogits_for(const double *p, size_t K, size_t y, real *d) {
    double others = 0;
    for (size_t k = 0; k < K; k++) {
        d[k] = (real)p[k];
        if (k != y) others += p[k];
    }
    d[y] = (real)-others;
}

/* d = L v with v[k] = +-1, the gradient of a sketch. Its parts sum to 0, so that of the likeliest
 * class is had from the others, which keeps its digits when its probability rounds to 1. */
static void dlogits_signed(const double *p, size_t K, struct rng *rng, double *d) {
    size_t top = 0;
    double along = 0, others = 0;
    for (size_t k = 0; k < K; k++) {
        d[k] = rng_word(rng) & 1 ? sqrt(p[k]) : -sqrt(p[k]);
        along += d[k];
        if (p[k] > p[top]) top = k;
    }
    for (size_t k = 0; k < K; k++) {
        d[k] -= p[k] * along;
        if (k != top) others += d[k];
    }
    d[top] = -others;
}

/* value += weight |J^T dlogits|^2, for one gradient by the logits and weight per probe. */
static void add_gradients(struct work *w) {
    net_set_dlogits(w->net, w->n, w->dlogits);
    net_backward_g2(w->net, w->n, w->passes, w->g2);
    for (size_t i = 0; i < w->n; i++)
        for (size_t l = 0; l < w->layers; l++)
            w->value[i * w->layers + l] += w->weight[i] * w->g2[i * w->layers + l];
}

/* The same with the gradients of log p(y|x), for one label y per probe. */
static void add_labels(struct work *w) {
    for (size_t i = 0; i < w->n; i++)
        dlogits_for(w->p + i * w->K, w->K, (size_t)w->y[i], w->dlogits + i * w->K);
    add_gradients(w);
}

/* ---- the estimators: which gradients, with which weights ---- */

/* d = column k of Cholesky's root without its factor; returns the factor's square. All sums are of
 * numbers that are not negative, so that no digits are lost. */
static double dlogits_column(const double *p, size_t K, size_t k, real *d) {
    double rest = 0;
    for (size_t i = k + 1; i < K; i++) rest += p[i];
    memset(d, 0, K * sizeof *d);
    if (rest <= 0) return 0; /* not when it is NaN */
    d[k] = 1;
    for (size_t i = k + 1; i < K; i++) d[i] = (real)(-p[i] / rest);
    return p[k] / (p[k] + rest) * rest;
}

static void add_exact(struct work *w) {
    for (size_t k = 0; k + 1 < w->K; k++) {
        for (size_t i = 0; i < w->n; i++)
            w->weight[i] = dlogits_column(w->p + i * w->K, w->K, k, w->dlogits + i * w->K);
        add_gradients(w);
    }
}

/* The random numbers of one draw for probe i of the batch. */
static struct rng draw_stream(const struct work *w, size_t i, int draw) {
    uint64_t index = (w->first + i) * (uint64_t)w->draws + (uint64_t)draw;
    return rng_stream(w->seed, "fisher", w->epoch, index);
}

static void add_sampled(struct work *w) {
    for (int draw = 0; draw < w->draws; draw++) {
        for (size_t i = 0; i < w->n; i++) {
            struct rng rng = draw_stream(w, i, draw);
            w->y[i] = (int32_t)rng_pick(&rng, w->p + i * w->K, w->K);
            w->weight[i] = 1.0 / w->draws;
        }
        add_labels(w);
    }
}

static void add_sketch(struct work *w) {
    for (int draw = 0; draw < w->draws; draw++) {
        for (size_t i = 0; i < w->n; i++) {
            struct rng rng = draw_stream(w, i, draw);
            dlogits_signed(w->p + i * w->K, w->K, &rng, w->signs);
            for (size_t k = 0; k < w->K; k++) w->dlogits[i * w->K + k] = (real)w->signs[k];
            w->weight[i] = 1.0 / w->draws;
        }
        add_gradients(w);
    }
}

static void add_empirical(struct work *w) {
    for (size_t i = 0; i < w->n; i++) {
        w->y[i] = w->labels[i];
        w->weight[i] = 1;
    }
    add_labels(w);
}

static const struct {
    const char *name;
    void (*add)(struct work *w);
} ESTIMATORS[] = {
    [FISHER_EXACT] = {"exact", add_exact},
    [FISHER_SAMPLED] = {"sampled", add_sampled},
    [FISHER_SKETCH] = {"sketch", add_sketch},
    [FISHER_EMPIRICAL] = {"empirical", add_empirical},
};

/* ---- the same for a loss of targets ---- */

/* value += weight |J^T v|^2, v left out where the target is not known. */
static void add_outputs(struct work *w, double weight) {
    for (size_t i = 0; i < w->n; i++) {
        w->weight[i] = weight;
        for (size_t k = 0; k < w->K; k++)
            if (w->known[i * w->K + k] == 0) w->dlogits[i * w->K + k] = 0;
    }
    add_gradients(w);
}

static void add_unit_vectors(struct work *w) {
    for (size_t k = 0; k < w->K; k++) {
        for (size_t i = 0; i < w->n * w->K; i++) w->dlogits[i] = i % w->K == k;
        add_outputs(w, 1);
    }
}

static void add_drawn(struct work *w, double (*draw)(struct rng *r)) {
    for (int d = 0; d < w->draws; d++) {
        for (size_t i = 0; i < w->n; i++) {
            struct rng rng = draw_stream(w, i, d);
            for (size_t k = 0; k < w->K; k++) w->dlogits[i * w->K + k] = (real)draw(&rng);
        }
        add_outputs(w, 1.0 / w->draws);
    }
}

static double draw_sign(struct rng *r) {
    return rng_word(r) & 1 ? 1 : -1;
}

static void add_normal(struct work *w) {
    add_drawn(w, rng_normal);
}

static void add_signs(struct work *w) {
    add_drawn(w, draw_sign);
}

static void add_residuals(struct work *w) {
    const real *y = net_logits(w->net)->data, *t = net_targets(w->net);
    for (size_t i = 0; i < w->n * w->K; i++) w->dlogits[i] = y[i] - t[i];
    add_outputs(w, 1);
}

static void (*const OF_TARGETS[])(struct work *w) = {[FISHER_EXACT] = add_unit_vectors,
                                                     [FISHER_SAMPLED] = add_normal,
                                                     [FISHER_SKETCH] = add_signs,
                                                     [FISHER_EMPIRICAL] = add_residuals};

static void known_read(struct work *w) {
    const real *t = net_targets(w->net);
    for (size_t i = 0; i < w->n * w->K; i++) w->known[i] = !isnan(t[i]);
}

/* Gradients of a probe: passes that share its forward pass. */
static size_t passes_of(const struct work *w, enum fisher_estimator estimator) {
    if (estimator == FISHER_EMPIRICAL) return 1;
    if (estimator != FISHER_EXACT) return (size_t)w->draws;
    return net_targets(w->net) || w->K < 2 ? w->K : w->K - 1;
}

enum fisher_estimator fisher_estimator(const char *name) {
    size_t i = 0, n = sizeof ESTIMATORS / sizeof *ESTIMATORS;
    while (i < n && strcmp(ESTIMATORS[i].name, name) != 0) i++;
    assert(i < n);
    return (enum fisher_estimator)i;
}

/* ---- the measurement ---- */

/* Auxiliary heads are in no branch, and their gradient is 0: the loss does not see them. */
static void tally_branches(struct work *w, const double *value) {
    struct tally *tallies = w->tallies + w->layers + 1;
    for (size_t b = 0; b < w->branches; b++) w->branch[b] = 0;
    for (size_t l = 0; l < w->layers && w->branches; l++) {
        int b = net_layer_branch(w->net, l);
        if (b >= 0) w->branch[b] += value[l];
    }
    for (size_t b = 0; b < w->branches; b++) tally_add(&tallies[b], w->branch[b]);
}

static void tally_batch(struct work *w) {
    for (size_t i = 0; i < w->n; i++) {
        const double *value = w->value + i * w->layers;
        double total = 0;
        for (size_t l = 0; l < w->layers; l++) {
            tally_add(&w->tallies[l], value[l]);
            total += value[l];
        }
        tally_add(&w->tallies[w->layers], total);
        tally_branches(w, value);
    }
}

static void measure_batch(struct work *w, const struct measure_examples *probes,
                          enum fisher_estimator estimator) {
    probes->feed(probes->context, w->net, w->first, w->n, w->labels);
    net_forward(w->net, w->n, NET_EVAL);
    struct net_loss loss = net_loss(w->net, w->labels, w->n);
    w->loss += loss.loss;
    w->entropy += loss.entropy;
    memset(w->value, 0, w->n * w->layers * sizeof *w->value);
    if (w->known) {
        known_read(w);
        OF_TARGETS[estimator](w);
    } else {
        net_probabilities(w->net, w->n, w->p);
        ESTIMATORS[estimator].add(w);
    }
    tally_batch(w);
}

static void result_fill(const struct work *w, struct fisher_result *r) {
    const struct tally *total = &w->tallies[w->layers];
    r->trace = total->mean;
    r->trace_stderr = tally_stderr(total);
    r->loss = w->loss / total->n;
    r->entropy = w->entropy / total->n;
    for (size_t l = 0; l < w->layers; l++) {
        r->layer_trace[l] = w->tallies[l].mean;
        r->layer_stderr[l] = tally_stderr(&w->tallies[l]);
    }
    for (size_t b = 0; b < w->branches; b++) {
        r->branch_trace[b] = total[1 + b].mean;
        r->branch_stderr[b] = tally_stderr(&total[1 + b]);
    }
}

static int work_allocate(struct work *w) {
    size_t n = w->batch;
    w->p = calloc(n * w->K, sizeof *w->p);
    if (net_targets(w->net)) w->known = calloc(n * w->K, sizeof *w->known);
    w->signs = calloc(w->K, sizeof *w->signs);
    w->dlogits = calloc(n * w->K, sizeof *w->dlogits);
    w->g2 = calloc(n * w->layers, sizeof *w->g2);
    w->value = calloc(n * w->layers, sizeof *w->value);
    w->weight = calloc(n, sizeof *w->weight);
    w->y = calloc(n, sizeof *w->y);
    w->labels = calloc(n, sizeof *w->labels);
    w->branch = calloc(w->branches + 1, sizeof *w->branch);
    w->tallies = calloc(w->layers + 1 + w->branches, sizeof *w->tallies);
    bool whole = w->p && (w->known || !net_targets(w->net)) && w->signs && w->dlogits && w->g2 &&
                 w->value && w->weight && w->y && w->labels && w->branch && w->tallies;
    return whole ? STATUS_OK : STATUS_FAILED;
}

static void work_free(struct work *w) {
    free(w->p);
    free(w->known);
    free(w->signs);
    free(w->dlogits);
    free(w->g2);
    free(w->value);
    free(w->weight);
    free(w->y);
    free(w->labels);
    free(w->branch);
    free(w->tallies);
}

int fisher_trace(struct net *net, const struct measure_examples *probes,
                 enum fisher_estimator estimator, int draws, uint64_t seed, uint32_t epoch,
                 struct fisher_result *result, struct error *e) {
    struct work w = {.net = net,
                     .K = net_logits(net)->C,
                     .batch = probes->batch,
                     .draws = draws,
                     .seed = seed,
                     .epoch = epoch};
    net_layers(net, &w.layers);
    net_branches(net, &w.branches);
    assert(probes->n >= 1 && probes->batch >= 1 && probes->batch <= net_batch(net) && draws >= 1);
    w.passes = passes_of(&w, estimator);
    int status = work_allocate(&w);
    if (status) error_set(e, status, "Fisher trace: no memory; make the batch smaller");
    while (!status && w.first < probes->n) {
        size_t left = probes->n - w.first;
        w.n = left < w.batch ? left : w.batch;
        measure_batch(&w, probes, estimator);
        w.first += w.n;
    }
    if (!status) result_fill(&w, result);
    work_free(&w);
    return status;
}
