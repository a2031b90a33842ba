/* The Fisher trace: closed forms, the curvature of the KL divergence, single examples one by one,
 * estimators against each other; and that no measure changes what it measures. */
#include "tests/net_fixture.h"

#include "analysis/measures/fisher_trace.h"
#include "analysis/measures/measure.h"

enum { K = 4, PROBES = 13, BATCH = 5, LAYERS = 24 };

/* A convolutional net with batch norm, pooling by stride, two linear layers: 300 parameters. */
static const char *const CONVFC[] = {"channels=[2, 3, 3]", "fc=5", NULL};
/* Residual blocks: 21 layers, 2,900 parameters. */
static const char *const RESNET18[] = {"width=1", NULL};
static const char *const SOFTMAX[] = {"hidden=[]", NULL};
static const struct net_input INPUT = {"image", 6, 5, 2, 0};

static void feed(void *context, struct net *net, size_t first, size_t n, int32_t *labels) {
    const struct tensor *x = net_input_tensor(net, 0);
    (void)context;
    for (size_t i = 0; i < n; i++) {
        struct rng rng = rng_stream(1, "probe", 0, first + i);
        for (size_t h = 0; h < x->H; h++)
            for (size_t j = 0; j < x->W * x->C; j++)
                tensor_at(x, i, h, 0)[j] = (real)rng_normal(&rng);
        labels[i] = (int32_t)((first + i) % K);
    }
}

static const struct measure_examples ALL = {.n = PROBES, .batch = BATCH, .feed = feed};

struct measured {
    struct fisher_result r;
    double layer[LAYERS], layer_stderr[LAYERS];
};

static void measure(struct net *net, struct measure_examples probes,
                    enum fisher_estimator estimator, int draws, uint32_t epoch,
                    struct measured *m) {
    m->r.layer_trace = m->layer;
    m->r.layer_stderr = m->layer_stderr;
    assert_int_equal(fisher_trace(net, &probes, estimator, draws, 17, epoch, &m->r, NULL), 0);
}

static struct net *make(const char *arch, const char *const *values) {
    struct error e = {0};
    struct net *net = net_make(arch_find(arch), values, INPUT, K, PROBES, 1, &e);
    if (!net) fail_msg("%s", e.text);
    net_init(net, 2);
    params_shake(net, 3);
    return net;
}

/* Softmax regression: |grad log p(y|x)|^2 = (|x|^2 + 1) |onehot(y) - p|^2, and the mean over
 * y ~ p of the last factor is 1 - sum p^2. */
static void softmax_regression_has_its_closed_form(void **unused) {
    (void)unused;
    struct net *net = make("mlp", SOFTMAX);
    int32_t labels[PROBES];
    double p[PROBES * K], exact = 0, empirical = 0;
    feed(NULL, net, 0, PROBES, labels);
    net_forward(net, PROBES, NET_EVAL);
    net_probabilities(net, PROBES, p);
    for (size_t n = 0; n < PROBES; n++) {
        const struct tensor *x = net_input_tensor(net, 0);
        double x2 = 1, p2 = 0;
        for (size_t i = 0; i < x->image; i++) {
            double v = (double)x->data[n * x->image + i];
            x2 += v * v;
        }
        for (size_t k = 0; k < K; k++) p2 += p[n * K + k] * p[n * K + k];
        exact += x2 * (1 - p2) / PROBES;
        empirical += x2 * (1 - 2 * p[n * K + (size_t)labels[n]] + p2) / PROBES;
    }
    struct measured m;
    measure(net, ALL, FISHER_EXACT, 1, 0, &m);
    assert_near(m.r.trace, exact, TOLERANCE * exact);
    measure(net, ALL, FISHER_EMPIRICAL, 1, 0, &m);
    assert_near(m.r.trace, empirical, TOLERANCE * empirical);
    net_free(net);
}

/* Two classes with logits 60 apart: p(y) rounds to 1 even in double, yet the trace is
 * (|x|^2 + 1) 2 p (1 - p) with 1 - p = exp(-60). */
static void confident_predictions_keep_their_digits(void **unused) {
    (void)unused;
    struct error e = {0};
    struct net *net = net_make(arch_find("mlp"), SOFTMAX, (struct net_input){"image", 1, 1, 1, 0},
                               2, BATCH, 1, &e);
    size_t n;
    const struct net_tensor *t = net_param_table(net, &n);
    net_init(net, 1);
    memset(net_params(net), 0, net_params_count(net) * sizeof(real));
    net_params(net)[t[1].offset] = 60;
    struct measure_examples one = {.n = 1, .batch = 1, .feed = feed};
    struct measured m;
    measure(net, one, FISHER_EXACT, 1, 0, &m);
    double x = (double)net_input_tensor(net, 0)->data[0];
    double expected = (x * x + 1) * 2 * exp(-60);
    assert_near(m.r.trace, expected, 1e-6 * expected); /* dlogits are real: 2^-24 at worst */
    net_free(net);
}

static void layers_sum_to_the_total(void **unused) {
    (void)unused;
    struct net *net = make("convfc", CONVFC);
    for (int estimator = FISHER_EXACT; estimator <= FISHER_EMPIRICAL; estimator++) {
        struct measured m;
        double sum = 0;
        size_t layers;
        measure(net, ALL, (enum fisher_estimator)estimator, 3, 0, &m);
        net_layers(net, &layers);
        assert_int_equal(layers, 5);
        for (size_t l = 0; l < layers; l++) {
            assert_true(m.layer[l] > 0 && m.layer_stderr[l] > 0);
            sum += m.layer[l];
        }
        assert_near(m.r.trace, sum, 1e-12 * sum);
        assert_true(m.r.trace_stderr > 0);
    }
    net_free(net);
}

/* The definition, slowly: one probe and one class at a time, through net_backward. */
static void check_loop(struct net *net) {
    double expected[LAYERS] = {0}, values[PROBES] = {0};
    size_t layers;
    net_layers(net, &layers);
    for (size_t n = 0; n < PROBES; n++)
        for (size_t y = 0; y < K; y++) {
            int32_t label;
            double p[K], g2[LAYERS];
            real d[K];
            feed(NULL, net, n, 1, &label);
            net_forward(net, 1, NET_EVAL);
            net_probabilities(net, 1, p);
            for (size_t k = 0; k < K; k++) d[k] = (real)(p[k] - (k == y));
            net_set_dlogits(net, 1, d);
            net_backward(net, 1);
            grads_g2(net, g2);
            for (size_t l = 0; l < layers; l++) {
                expected[l] += p[y] * g2[l] / PROBES;
                values[n] += p[y] * g2[l];
            }
        }
    struct measured m;
    measure(net, ALL, FISHER_EXACT, 1, 0, &m);
    double mean = 0, squares = 0;
    for (size_t l = 0; l < layers; l++)
        assert_near(m.layer[l], expected[l], TOLERANCE * expected[l]);
    for (size_t n = 0; n < PROBES; n++) mean += values[n] / PROBES;
    for (size_t n = 0; n < PROBES; n++) squares += (values[n] - mean) * (values[n] - mean);
    double stderr_ = sqrt(squares / (PROBES - 1) / PROBES);
    assert_near(m.r.trace_stderr, stderr_, 10 * TOLERANCE * mean);
    net_free(net);
}

static void exact_is_a_loop_over_probes_and_classes(void **unused) {
    (void)unused;
    check_loop(make("convfc", CONVFC));
    check_loop(make("resnet18", RESNET18));
}

#ifdef REAL_IS_DOUBLE
static void probabilities(struct net *net, double *p) {
    net_forward(net, PROBES, NET_EVAL);
    net_probabilities(net, PROBES, p);
}

/* KL(p_w || p_{w+d}) = 1/2 d^T F d + O(|d|^3). With d = +-h along one parameter the odd term
 * cancels, so that the sum over all parameters of KL(+h) + KL(-h), divided by h^2, is the trace
 * with an error of h^2 = 1e-9 and rounding of 1e-16 / h^2 = 1e-7 per parameter; the kinks of the
 * ReLU within h of 0 add less than 1e-5. */
static void check_curvature(struct net *net) {
    const double h = 3e-5;
    int32_t labels[PROBES];
    double p[PROBES * K], q[PROBES * K], curvature[LAYERS] = {0};
    size_t n, layers;
    const struct net_tensor *t = net_param_table(net, &n);
    net_layers(net, &layers);
    feed(NULL, net, 0, PROBES, labels);
    probabilities(net, p);
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < t[i].count; j++)
            for (int sign = -1; sign <= 1; sign += 2) {
                real *w = net_params(net) + t[i].offset + j, kept = *w;
                *w += sign * h;
                probabilities(net, q);
                *w = kept;
                for (size_t k = 0; k < PROBES * K; k++)
                    curvature[t[i].layer] += p[k] * log(p[k] / q[k]) / PROBES / (h * h);
            }
    struct measured m;
    measure(net, ALL, FISHER_EXACT, 1, 0, &m);
    for (size_t l = 0; l < layers; l++) assert_near(m.layer[l], curvature[l], 2e-5 * curvature[l]);
    net_free(net);
}

static void the_trace_is_the_curvature_of_the_divergence(void **unused) {
    (void)unused;
    check_curvature(make("convfc", CONVFC));
    check_curvature(make("resnet18", RESNET18));
}
#define DOUBLE_TESTS cmocka_unit_test(the_trace_is_the_curvature_of_the_divergence),
#else
#define DOUBLE_TESTS
#endif

/* 64 independent measurements: their mean is within 4.5 standard errors of the exact trace, which
 * a right estimator misses once in 100,000 seeds; and it is nowhere near the empirical one. */
static void sampled_agrees_with_exact_within_its_error(void **unused) {
    (void)unused;
    enum { REPEATS = 64 };
    struct net *net = make("convfc", CONVFC);
    struct measured exact, empirical, m;
    double sum = 0, squares = 0;
    measure(net, ALL, FISHER_EXACT, 1, 0, &exact);
    measure(net, ALL, FISHER_EMPIRICAL, 1, 0, &empirical);
    for (uint32_t epoch = 0; epoch < REPEATS; epoch++) {
        measure(net, ALL, FISHER_SAMPLED, 4, epoch, &m);
        sum += m.r.trace;
        squares += m.r.trace * m.r.trace;
    }
    double mean = sum / REPEATS;
    double error = sqrt((squares / REPEATS - mean * mean) / (REPEATS - 1));
    assert_true(error > 0);
    assert_near(mean, exact.r.trace, 4.5 * error);
    assert_true(fabs(empirical.r.trace - exact.r.trace) > 4.5 * error);
    net_free(net);
}

static void probes_may_come_in_batches_of_any_size(void **unused) {
    (void)unused;
    struct net *net = make("convfc", CONVFC);
    for (int estimator = FISHER_EXACT; estimator <= FISHER_EMPIRICAL; estimator++) {
        struct measured whole, cut;
        struct measure_examples probes = ALL;
        probes.batch = PROBES;
        measure(net, probes, (enum fisher_estimator)estimator, 2, 7, &whole);
        for (probes.batch = 1; probes.batch < PROBES; probes.batch += 3) {
            measure(net, probes, (enum fisher_estimator)estimator, 2, 7, &cut);
            assert_near(cut.r.trace, whole.r.trace, TOLERANCE * whole.r.trace);
            assert_near(cut.r.trace_stderr, whole.r.trace_stderr, TOLERANCE * whole.r.trace);
            assert_near(cut.r.loss, whole.r.loss, TOLERANCE * whole.r.loss);
            assert_near(cut.r.entropy, whole.r.entropy, TOLERANCE * whole.r.entropy);
        }
    }
    net_free(net);
}

static void the_same_epoch_draws_the_same_labels(void **unused) {
    (void)unused;
    struct net *net = make("convfc", CONVFC);
    struct measured a, b, c;
    measure(net, ALL, FISHER_SAMPLED, 1, 5, &a);
    measure(net, ALL, FISHER_SAMPLED, 1, 6, &b);
    measure(net, ALL, FISHER_SAMPLED, 1, 5, &c);
    assert_true(a.r.trace == c.r.trace);
    assert_true(a.r.trace != b.r.trace);
    net_free(net);
}

static void one_probe_has_no_standard_error(void **unused) {
    (void)unused;
    struct net *net = make("convfc", CONVFC);
    struct measure_examples one = {.n = 1, .batch = BATCH, .feed = feed};
    struct measured m;
    measure(net, one, FISHER_EXACT, 1, 0, &m);
    assert_true(m.r.trace > 0 && isnan(m.r.trace_stderr) && isnan(m.layer_stderr[0]));
    net_free(net);
}

static void names_lead_to_estimators(void **unused) {
    (void)unused;
    assert_int_equal(fisher_estimator("exact"), FISHER_EXACT);
    assert_int_equal(fisher_estimator("sampled"), FISHER_SAMPLED);
    assert_int_equal(fisher_estimator("empirical"), FISHER_EMPIRICAL);
}

/* ---- measures ---- */

static void measure_all(struct net *net) {
    static double numbers[8][LAYERS];
    double *out[8];
    size_t n;
    const struct measure *const *all = measure_list(&n);
    struct measured m;
    for (size_t i = 0; i < 8; i++) out[i] = numbers[i];
    for (int estimator = FISHER_EXACT; estimator <= FISHER_EMPIRICAL; estimator++)
        measure(net, ALL, (enum fisher_estimator)estimator, 2, 0, &m);
    for (size_t i = 0; i < n; i++) {
        assert_true(all[i]->series_n <= 8);
        struct measure_context c = {.net = net, .test = ALL, .seed = 5};
        if (!all[i]->check || !all[i]->check(net, NULL))
            assert_int_equal(all[i]->measure(&c, out, NULL), 0);
        assert_ptr_equal(measure_find(all[i]->name), all[i]);
    }
    assert_null(measure_find("no such measure"));
}

static void steps(struct net *net, int n, bool measured) {
    for (int i = 0; i < n; i++) {
        int32_t labels[PROBES];
        if (measured) measure_all(net);
        feed(NULL, net, 0, PROBES, labels);
        net_forward(net, PROBES, NET_TRAIN);
        net_loss(net, labels, PROBES);
        net_backward(net, PROBES);
        for (size_t j = 0; j < net_params_count(net); j++)
            net_params(net)[j] -= (real)0.05 * net_grads(net)[j];
    }
}

static void measuring_changes_no_bit_of_training(void **unused) {
    (void)unused;
    struct net *plain = make("convfc", CONVFC), *measured = make("convfc", CONVFC);
    steps(plain, 4, false);
    steps(measured, 4, true);
    assert_memory_equal(net_params(plain), net_params(measured),
                        net_params_count(plain) * sizeof(real));
    assert_memory_equal(net_buffers(plain), net_buffers(measured),
                        net_buffers_count(plain) * sizeof(real));
    net_free(measured);
    net_free(plain);
}

static void weight_norm_is_that_of_a_layers_parameters(void **unused) {
    (void)unused;
    struct net *net = make("mlp", (const char *[]){"hidden=[2]", NULL});
    size_t n, layers;
    const struct net_tensor *t = net_param_table(net, &n);
    double norms[LAYERS], none[1], *out[] = {norms, none};
    net_layers(net, &layers);
    assert_int_equal(layers, 2);
    memset(net_params(net), 0, net_params_count(net) * sizeof(real));
    for (size_t i = 0; i < n; i++) /* fc1.weight, bias, norm1.weight, bias; fc2.weight, bias */
        net_params(net)[t[i].offset] = (real)(t[i].layer == 0 ? 1 : 3);
    const struct measure *m = measure_find("weight_norm");
    assert_int_equal(m->measure(&(struct measure_context){.net = net}, out, NULL), 0);
    assert_near(norms[0], 2, 1e-12);
    assert_near(norms[1], sqrt(18), 1e-12);
    net_free(net);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(softmax_regression_has_its_closed_form),
        cmocka_unit_test(confident_predictions_keep_their_digits),
        cmocka_unit_test(layers_sum_to_the_total),
        cmocka_unit_test(exact_is_a_loop_over_probes_and_classes),
        DOUBLE_TESTS cmocka_unit_test(sampled_agrees_with_exact_within_its_error),
        cmocka_unit_test(probes_may_come_in_batches_of_any_size),
        cmocka_unit_test(the_same_epoch_draws_the_same_labels),
        cmocka_unit_test(one_probe_has_no_standard_error),
        cmocka_unit_test(names_lead_to_estimators),
        cmocka_unit_test(measuring_changes_no_bit_of_training),
        cmocka_unit_test(weight_norm_is_that_of_a_layers_parameters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
