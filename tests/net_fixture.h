/* What the tests of nets share: small networks, random batches, and checks of a gradient. */
#ifndef TESTS_NET_FIXTURE_H
#define TESTS_NET_FIXTURE_H

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/rng.h"
#include "nets/arch.h"
#include "nets/net.h"

/* Finite differences: the error of a central difference is about step^2 + noise / step. In double
 * (noise 1e-16) a step of 1e-6 leaves 1e-10; in float (noise 1e-7) a step of 3e-3 leaves 1e-4,
 * and the kinks of ReLU and max pooling that lie within a step come on top. */
#ifdef REAL_IS_DOUBLE
#define FD_STEP      1e-6
#define FD_TOLERANCE 1e-6
#define TOLERANCE    1e-12 /* two orders of summing some 1e4 terms */
#else
#define FD_STEP      3e-3
#define FD_TOLERANCE 0.15 /* finds a wrong factor or sign; the double build is the exact test */
#define TOLERANCE    2e-4
#endif

/* In double: cmocka's own comparison is in float. A NaN is near nothing. */
static inline void assert_near(double a, double b, double tolerance) {
    if (!(fabs(a - b) <= tolerance)) fail_msg("%.17g is not within %g of %.17g", a, tolerance, b);
}

/* The settings: "a=1", "b=[2, 3]", ..., NULL. The inputs, one per modality, end in name NULL. */
static inline struct net *net_make_many(const struct arch *arch, const char *const *values,
                                        const struct net_input *inputs, size_t K, size_t batch,
                                        int threads, struct error *e) {
    struct settings s;
    struct net *net = NULL;
    settings_init(&s, arch->params, NULL);
    for (; values && *values; values++) {
        char name[32];
        const char *equals = strchr(*values, '=');
        snprintf(name, sizeof name, "%.*s", (int)(equals - *values), *values);
        assert_int_equal(settings_set(&s, name, equals + 1, NULL), 0);
    }
    struct net_spec spec = {
        .arch = arch, .settings = &s, .inputs = inputs, .K = K, .batch = batch, .threads = threads};
    while (inputs[spec.inputs_n].name) spec.inputs_n++;
    net_create(&net, &spec, e);
    settings_free(&s);
    return net;
}

static inline struct net *net_make(const struct arch *arch, const char *const *values,
                                   struct net_input input, size_t K, size_t batch, int threads,
                                   struct error *e) {
    const struct net_input inputs[] = {input, {0}};
    return net_make_many(arch, values, inputs, K, batch, threads, e);
}

/* Modality m of N examples: normal numbers, or tokens of a vocabulary, many of them twice. */
static inline void modality_fill(struct net *net, size_t m, size_t tokens, size_t N,
                                 uint64_t seed) {
    const struct tensor *x = net_input_tensor(net, m);
    for (size_t n = 0; n < N; n++) {
        struct rng rng = rng_stream(seed, "order", (uint32_t)m, n);
        for (size_t h = 0; h < x->H; h++)
            for (size_t i = 0; i < x->W * x->C; i++)
                tensor_at(x, n, h, 0)[i] =
                    tokens ? (real)rng_below(&rng, (uint32_t)tokens) : (real)rng_normal(&rng);
    }
}

static inline void inputs_fill(struct net *net, const struct net_input *inputs, size_t N,
                               uint64_t seed) {
    for (size_t m = 0; inputs[m].name; m++) modality_fill(net, m, inputs[m].tokens, N, seed);
}

static inline void input_fill(struct net *net, size_t N, uint64_t seed) {
    modality_fill(net, 0, 0, N, seed);
}

/* The first example becomes the n-th. */
static inline void inputs_select(struct net *net, const struct net_input *inputs, size_t n) {
    for (size_t m = 0; inputs[m].name; m++) {
        const struct tensor *x = net_input_tensor(net, m);
        memmove(x->data, x->data + n * x->image, x->image * sizeof *x->data);
    }
}

static inline void labels_fill(int32_t *labels, size_t N, size_t K) {
    for (size_t n = 0; n < N; n++) labels[n] = (int32_t)((7 * n + 3) % K);
}

/* Normalization's affine parameters start at 1 and 0, where some mistakes do not show: move them
 * and everything else a little. */
static inline void params_shake(struct net *net, uint64_t seed) {
    struct rng rng = rng_stream(seed, "order", 1, 0);
    size_t n;
    const struct net_tensor *t = net_param_table(net, &n);
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < t[i].count; j++)
            net_params(net)[t[i].offset + j] += (real)(0.1 * rng_normal(&rng));
    t = net_buffer_table(net, &n);
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < t[i].count; j++)
            net_buffers(net)[t[i].offset + j] += (real)(0.3 * rng_uniform(&rng));
}

/* The mean loss of the batch that lies in the input. Running statistics are put back. */
static inline double mean_loss(struct net *net, const int32_t *labels, size_t N,
                               enum net_mode mode) {
    size_t n = net_buffers_count(net);
    real *kept = malloc((n + 1) * sizeof *kept);
    memcpy(kept, net_buffers(net), n * sizeof *kept);
    net_forward(net, N, mode);
    memcpy(net_buffers(net), kept, n * sizeof *kept);
    free(kept);
    return net_loss(net, labels, N).loss / (double)N;
}

/* The largest error of tensor t's gradient along `trials` random directions, relative to the
 * length of the whole gradient: |difference quotient - <dw, d>| / |dw|, with |d| = 1. */
static inline double fd_error(struct net *net, const struct net_tensor *t, const int32_t *labels,
                              size_t N, enum net_mode mode, int trials) {
    real *w = net_params(net) + t->offset, *d = malloc(t->count * sizeof *d);
    real *kept = malloc(t->count * sizeof *kept);
    double worst = 0, whole = 0;
    memcpy(kept, w, t->count * sizeof *w);
    mean_loss(net, labels, N, mode);
    net_backward(net, N);
    for (size_t i = 0; i < net_params_count(net); i++)
        whole += (double)net_grads(net)[i] * (double)net_grads(net)[i];
    for (int trial = 0; trial < trials; trial++) {
        struct rng rng = rng_stream((uint64_t)trial, "order", 2, t->offset);
        double length = 0, along = 0;
        for (size_t i = 0; i < t->count; i++) d[i] = (real)rng_normal(&rng);
        for (size_t i = 0; i < t->count; i++) length += (double)d[i] * (double)d[i];
        for (size_t i = 0; i < t->count; i++) d[i] = (real)((double)d[i] / sqrt(length));
        for (size_t i = 0; i < t->count; i++)
            along += (double)net_grads(net)[t->offset + i] * (double)d[i];
        for (size_t i = 0; i < t->count; i++) w[i] = kept[i] + (real)FD_STEP * d[i];
        double up = mean_loss(net, labels, N, mode);
        for (size_t i = 0; i < t->count; i++) w[i] = kept[i] - (real)FD_STEP * d[i];
        double down = mean_loss(net, labels, N, mode);
        memcpy(w, kept, t->count * sizeof *w);
        worst = fmax(worst, fabs((up - down) / (2 * FD_STEP) - along));
    }
    free(kept);
    free(d);
    return worst / sqrt(whole);
}

static inline void check_finite_differences(struct net *net, size_t N, size_t K, enum net_mode mode,
                                            const char *what) {
    int32_t labels[64];
    size_t n;
    const struct net_tensor *t = net_param_table(net, &n);
    labels_fill(labels, N, K);
    for (size_t i = 0; i < n; i++) {
        double error = fd_error(net, &t[i], labels, N, mode, 3);
        if (!(error < FD_TOLERANCE))
            fail_msg("%s, %s: gradient of %s is off by %g", what,
                     mode == NET_TRAIN ? "training" : "evaluation", t[i].name, error);
    }
}

/* Squared gradient norms per layer of net_grads. */
static inline void grads_g2(struct net *net, double *g2) {
    size_t n, layers;
    const struct net_tensor *t = net_param_table(net, &n);
    net_layers(net, &layers);
    memset(g2, 0, layers * sizeof *g2);
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < t[i].count; j++) {
            double g = (double)net_grads(net)[t[i].offset + j];
            g2[t[i].layer] += g * g;
        }
}

/* net_backward_g2 against a loop of backward passes over one example each, alone and as the second of
 * several passes that share a forward pass. */
static inline void check_g2_many(struct net *net, const struct net_input *inputs, size_t N,
                                 size_t K, uint64_t seed, const char *what) {
    size_t layers;
    net_layers(net, &layers);
    double *g2 = malloc(N * layers * sizeof *g2), *second = malloc(N * layers * sizeof *second);
    double *one = malloc(layers * sizeof *one);
    real *dlogits = malloc(2 * N * K * sizeof *dlogits);
    struct rng rng = rng_stream(seed, "order", 3, 0);
    for (size_t i = 0; i < 2 * N * K; i++) dlogits[i] = (real)rng_normal(&rng);
    inputs_fill(net, inputs, N, seed);
    net_forward(net, N, NET_EVAL);
    net_set_dlogits(net, N, dlogits);
    net_backward_g2(net, N, 1, g2);
    net_set_dlogits(net, N, dlogits + N * K);
    net_backward_g2(net, N, 9, second);
    net_set_dlogits(net, N, dlogits);
    net_backward_g2(net, N, 9, second);

    for (size_t n = 0; n < N; n++) {
        inputs_fill(net, inputs, N, seed);
        inputs_select(net, inputs, n);
        net_forward(net, 1, NET_EVAL);
        net_set_dlogits(net, 1, dlogits + n * K);
        net_backward(net, 1);
        grads_g2(net, one);
        for (size_t l = 0; l < layers; l++) {
            double alone = g2[n * layers + l], shared = second[n * layers + l];
            if (!(fabs(alone - one[l]) <= TOLERANCE * one[l]) ||
                !(fabs(shared - one[l]) <= TOLERANCE * one[l]))
                fail_msg("%s: example %zu, layer %zu: %g and %g, alone %g", what, n, l, alone,
                         shared, one[l]);
        }
    }
    free(dlogits);
    free(one);
    free(second);
    free(g2);
}

static inline void check_g2(struct net *net, size_t N, size_t K, uint64_t seed, const char *what) {
    const struct net_input plain[] = {{.name = "image"}, {0}};
    check_g2_many(net, plain, N, K, seed, what);
}

#endif
