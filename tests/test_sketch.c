/* The Fisher trace by random signs: unbiased, exact in its closed forms, the same bits for any
 * number of threads, and less noisy than drawn labels once predictions are confident. And the exact
 * trace by Cholesky's root, which takes the classes in order. (What all estimators have in common
 * is in test_fisher.c.) */
#include "tests/net_fixture.h"

#include "analysis/measures/fisher_trace.h"

enum { K = 5, PROBES = 12, BATCH = 5, LAYERS = 8, REPEATS = 256 };

static const char *const CONVFC[] = {"channels=[2, 3, 3]", "fc=5", NULL};
static const char *const SOFTMAX[] = {"hidden=[]", NULL};
static const struct net_input INPUT = {"image", 6, 5, 2, 0}, NUMBER = {"image", 1, 1, 1, 0};

static void feed(void *context, struct net *net, size_t first, size_t n, int32_t *labels) {
    const struct tensor *x = net_input_tensor(net, 0);
    (void)context;
    for (size_t i = 0; i < n; i++) {
        struct rng rng = rng_stream(3, "probe", 0, first + i);
        for (size_t h = 0; h < x->H; h++)
            for (size_t j = 0; j < x->W * x->C; j++)
                tensor_at(x, i, h, 0)[j] = (real)rng_normal(&rng);
        labels[i] = 0;
    }
}

struct measured {
    struct fisher_result r;
    double layer[LAYERS], layer_stderr[LAYERS];
};

static struct measured measure(struct net *net, enum fisher_estimator estimator, int draws,
                               uint32_t epoch) {
    struct measure_examples probes = {.n = PROBES, .batch = BATCH, .feed = feed};
    struct measured m = {0};
    m.r.layer_trace = m.layer;
    m.r.layer_stderr = m.layer_stderr;
    assert_int_equal(fisher_trace(net, &probes, estimator, draws, 17, epoch, &m.r, NULL), 0);
    m.r.layer_trace = m.r.layer_stderr = NULL; /* it is a copy that the caller gets */
    return m;
}

static struct net *make(const char *arch, const char *const *values, struct net_input input,
                        size_t classes, int threads) {
    struct error e = {0};
    struct net *net = net_make(arch_find(arch), values, input, classes, PROBES, threads, &e);
    if (!net) fail_msg("%s", e.text);
    net_init(net, 2);
    params_shake(net, 3);
    return net;
}

/* Mean and variance over REPEATS measurements of layer l. */
struct spread {
    double mean, variance;
};

static struct spread spread_of(struct net *net, enum fisher_estimator estimator, int draws,
                               size_t l) {
    double sum = 0, squares = 0;
    for (uint32_t epoch = 0; epoch < REPEATS; epoch++) {
        double value = measure(net, estimator, draws, epoch).layer[l];
        sum += value;
        squares += value * value;
    }
    struct spread s = {.mean = sum / REPEATS};
    s.variance = (squares - sum * s.mean) / (REPEATS - 1);
    return s;
}

/* Within 4.5 standard errors, which a right estimator misses once in 100,000 seeds; and no wider
 * than 10 % of the trace, so that a wrong factor shows. */
static void sketch_agrees_with_exact_in_every_layer(void **unused) {
    (void)unused;
    struct net *net = make("convfc", CONVFC, INPUT, K, 1);
    struct measured exact = measure(net, FISHER_EXACT, 1, 0);
    for (size_t l = 0; l < 5; l++) {
        struct spread s = spread_of(net, FISHER_SKETCH, 2, l);
        double error = sqrt(s.variance / REPEATS);
        assert_true(error > 0 && 4.5 * error < 0.1 * exact.layer[l]);
        assert_near(s.mean, exact.layer[l], 4.5 * error);
    }
    net_free(net);
}

/* Softmax regression of two classes: |J^T L v|^2 = (|x|^2 + 1) |L v|^2, and
 * |L v|^2 = 2 p q (1 -+ 2 sqrt(p q)), minus when the signs agree. With equal logits one of them is
 * 0 and the other twice the trace, so the mean of many draws says how often each came: within 4.5
 * standard deviations of a half. */
static void two_classes_have_two_values(void **unused) {
    (void)unused;
    struct net *net = make("mlp", SOFTMAX, NUMBER, 2, 1);
    memset(net_params(net), 0, net_params_count(net) * sizeof(real));
    double exact = measure(net, FISHER_EXACT, 1, 0).r.trace;
    double expected = 0;
    for (size_t i = 0; i < PROBES; i++) {
        struct rng rng = rng_stream(3, "probe", 0, i);
        double x = (double)(real)rng_normal(&rng);
        expected += (x * x + 1) / 2 / PROBES;
    }
    assert_near(exact, expected, TOLERANCE * expected);
    struct measure_examples one = {.n = 1, .batch = 1, .feed = feed};
    struct measured m = {.r = {.layer_trace = m.layer, .layer_stderr = m.layer_stderr}};
    assert_int_equal(fisher_trace(net, &one, FISHER_EXACT, 1, 17, 0, &m.r, NULL), 0);
    double alone = m.r.trace;
    int twice = 0;
    for (uint32_t epoch = 0; epoch < REPEATS; epoch++) {
        assert_int_equal(fisher_trace(net, &one, FISHER_SKETCH, 1, 17, epoch, &m.r, NULL), 0);
        twice += m.r.trace > alone;
        assert_near(m.r.trace, m.r.trace > alone ? 2 * alone : 0, TOLERANCE * alone);
    }
    assert_near(twice, REPEATS / 2.0, 4.5 * sqrt(REPEATS) / 2);
    net_free(net);
}

/* Logits 60 apart: p rounds to 1 even in double, yet |L v|^2 = 2 exp(-60) (1 -+ 2 exp(-30)). Drawn
 * labels see nothing here: the other label comes once in 1e26 draws. */
static void confident_predictions_keep_their_digits(void **unused) {
    (void)unused;
    struct net *net = make("mlp", SOFTMAX, NUMBER, 2, 1);
    size_t n;
    const struct net_tensor *t = net_param_table(net, &n);
    memset(net_params(net), 0, net_params_count(net) * sizeof(real));
    net_params(net)[t[1].offset] = 60;
    double exact = measure(net, FISHER_EXACT, 1, 0).r.trace;
    for (uint32_t epoch = 0; epoch < 8; epoch++)
        assert_near(measure(net, FISHER_SKETCH, 1, epoch).r.trace, exact, 1e-6 * exact);
    assert_true(measure(net, FISHER_SAMPLED, 1, 0).r.trace < 1e-20 * exact);
    net_free(net);
}

/* sum over y of p(y) |onehot(y) - p|^2 = sum over y of p(y) (1 - p(y)), with 1 - p(y) from the other
 * classes; `likely` has the logit `lead`, class k else -k. */
static double factor_of_softmax(size_t likely, double lead) {
    double weight[K], total = 0, factor = 0;
    for (size_t k = 0; k < K; k++) total += weight[k] = exp(k == likely ? lead : -(double)k);
    for (size_t k = 0; k < K; k++) {
        double others = 0;
        for (size_t i = 0; i < K; i++) others += i == k ? 0 : weight[i] / total;
        factor += weight[k] / total * others;
    }
    return factor;
}

/* (|x|^2 + 1) times that, for a doubtful, a confident and a certain prediction; 3e-6: the dlogits
 * are of type real, and a logit of 60 is rounded in none of them. */
static void exact_does_not_depend_on_the_order_of_classes(void **unused) {
    (void)unused;
    static const double leads[] = {0, 5, 60, 200};
    struct net *net = make("mlp", SOFTMAX, NUMBER, K, 1);
    size_t n;
    const struct net_tensor *t = net_param_table(net, &n);
    memset(net_params(net), 0, net_params_count(net) * sizeof(real));
    double x2 = 0;
    for (size_t i = 0; i < PROBES; i++) {
        struct rng rng = rng_stream(3, "probe", 0, i);
        double x = (double)(real)rng_normal(&rng);
        x2 += x * x / PROBES;
    }
    for (size_t l = 0; l < sizeof leads / sizeof *leads; l++)
        for (size_t likely = 0; likely < K; likely++) {
            real *bias = net_params(net) + t[1].offset;
            for (size_t k = 0; k < K; k++) bias[k] = (real)(k == likely ? leads[l] : -(double)k);
            double expected = (x2 + 1) * factor_of_softmax(likely, leads[l]);
            assert_near(measure(net, FISHER_EXACT, 1, 0).r.trace, expected, 3e-6 * expected);
        }
    net_free(net);
}

/* A network that has diverged must not look certain. */
static void a_net_of_nan_has_a_trace_of_nan(void **unused) {
    (void)unused;
    struct net *net = make("mlp", SOFTMAX, INPUT, K, 1);
    for (size_t i = 0; i < net_params_count(net); i++) net_params(net)[i] = (real)NAN;
    assert_true(isnan(measure(net, FISHER_EXACT, 1, 0).r.trace));
    assert_true(isnan(measure(net, FISHER_SAMPLED, 1, 0).r.trace));
    assert_true(isnan(measure(net, FISHER_SKETCH, 1, 0).r.trace));
    net_free(net);
}

/* Draws are independent: four of them leave a quarter of the variance. The ratio of two sample
 * variances of REPEATS values has a standard deviation of some 13 %. */
static void more_draws_leave_less_noise(void **unused) {
    (void)unused;
    struct net *net = make("convfc", CONVFC, INPUT, K, 1);
    struct spread one = spread_of(net, FISHER_SKETCH, 1, 4);
    struct spread four = spread_of(net, FISHER_SKETCH, 4, 4);
    assert_near(one.variance / four.variance, 4, 4 * 0.6);
    net_free(net);
}

/* The last layer's weights times `factor`: confident or undecided predictions. */
static struct net *make_scaled(double factor) {
    struct net *net = make("mlp", SOFTMAX, INPUT, K, 1);
    for (size_t i = 0; i < net_params_count(net); i++) net_params(net)[i] *= (real)factor;
    return net;
}

static void confident_nets_are_for_signs_and_undecided_ones_for_labels(void **unused) {
    (void)unused;
    struct net *confident = make_scaled(40), *undecided = make_scaled(0.01);
    assert_true(measure(confident, FISHER_EXACT, 1, 0).r.entropy < 0.2);
    assert_true(measure(undecided, FISHER_EXACT, 1, 0).r.entropy > 0.99 * log(K));
    assert_true(4 * spread_of(confident, FISHER_SKETCH, 1, 0).variance <
                spread_of(confident, FISHER_SAMPLED, 1, 0).variance);
    assert_true(spread_of(undecided, FISHER_SKETCH, 1, 0).variance >
                4 * spread_of(undecided, FISHER_SAMPLED, 1, 0).variance);
    net_free(confident);
    net_free(undecided);
}

static void any_number_of_threads_gives_the_same_bits(void **unused) {
    (void)unused;
    struct net *one = make("convfc", CONVFC, INPUT, K, 1);
    struct measured expected = measure(one, FISHER_SKETCH, 3, 4);
    assert_true(expected.r.trace > 0);
    for (int threads = 2; threads <= 3; threads++) {
        struct net *net = make("convfc", CONVFC, INPUT, K, threads);
        struct measured m = measure(net, FISHER_SKETCH, 3, 4);
        assert_memory_equal(m.layer, expected.layer, sizeof m.layer);
        assert_memory_equal(m.layer_stderr, expected.layer_stderr, sizeof m.layer_stderr);
        assert_true(m.r.trace == expected.r.trace && m.r.trace_stderr == expected.r.trace_stderr);
        net_free(net);
    }
    net_free(one);
}

static void the_same_epoch_draws_the_same_signs(void **unused) {
    (void)unused;
    struct net *net = make("convfc", CONVFC, INPUT, K, 1);
    double first = measure(net, FISHER_SKETCH, 1, 5).r.trace;
    assert_true(first == measure(net, FISHER_SKETCH, 1, 5).r.trace);
    assert_true(first != measure(net, FISHER_SKETCH, 1, 6).r.trace);
    assert_int_equal(fisher_estimator("sketch"), FISHER_SKETCH);
    net_free(net);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sketch_agrees_with_exact_in_every_layer),
        cmocka_unit_test(two_classes_have_two_values),
        cmocka_unit_test(confident_predictions_keep_their_digits),
        cmocka_unit_test(exact_does_not_depend_on_the_order_of_classes),
        cmocka_unit_test(a_net_of_nan_has_a_trace_of_nan),
        cmocka_unit_test(more_draws_leave_less_noise),
        cmocka_unit_test(confident_nets_are_for_signs_and_undecided_ones_for_labels),
        cmocka_unit_test(any_number_of_threads_gives_the_same_bits),
        cmocka_unit_test(the_same_epoch_draws_the_same_signs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
