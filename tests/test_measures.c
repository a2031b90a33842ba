/* Measures of networks with several modalities: closed forms, the same numbers had the slow way, what
 * is refused, and that nothing measured is changed. The networks are made here, out of the graph. */
#include "tests/net_fixture.h"

#include "analysis/measures/fisher_trace.h"
#include "analysis/measures/measure.h"
#include "nets/graph.h"
#include "sim/rows.h"

enum { K = 5, UNITS = 16, BATCH = 24, MANY = 300, LAYERS = 8, BRANCHES = 3, BINS = 20 };

/* ---- networks -------------------------------------------------------------------------------- */

/* z = U a + V b + c, then logits of z: every RSV is known. */
static int sum_build(struct graph *g, size_t units) {
    int a = graph_tap(g, graph_linear(g, graph_input(g, 0), "ear_a", units), 0);
    int b = graph_tap(g, graph_linear(g, graph_input(g, 1), "ear_b", units), 1);
    return graph_output(g, graph_linear(g, graph_add(g, a, b), "out", g->K));
}

static int linear_build(struct graph *g, const struct settings *s, struct error *e) {
    (void)s;
    (void)e;
    return sum_build(g, UNITS);
}

/* So wide that the taps of MANY examples are not kept. */
static int wide_build(struct graph *g, const struct settings *s, struct error *e) {
    (void)s;
    (void)e;
    return sum_build(g, 120000);
}

/* A picture and a list of numbers, each with a hidden layer, a head of its own, and a trunk. */
static int deep_build(struct graph *g, const struct settings *s, struct error *e) {
    (void)s;
    (void)e;
    struct op_options conv = {.name = "eye1", .outputs = 3, .kernel = 3, .pad = 1};
    int a = graph_batchnorm(g, graph_conv(g, graph_input(g, 0), conv), "norm1", true);
    a = graph_relu(g, graph_linear(g, graph_flatten(g, a), "eye2", UNITS));
    int b = graph_relu(g, graph_linear(g, graph_input(g, 1), "ear", UNITS));
    graph_tap(g, a, 0);
    graph_tap(g, b, 1);
    graph_head(g, a, 0);
    graph_head(g, b, 1);
    int x = graph_relu(g, graph_linear(g, graph_add(g, a, b), "mix", UNITS));
    return graph_output(g, graph_linear(g, x, "out", g->K));
}

/* Three modalities and no taps. */
static int three_build(struct graph *g, const struct settings *s, struct error *e) {
    (void)s;
    (void)e;
    int x = graph_linear(g, graph_input(g, 0), "one", UNITS);
    x = graph_add(g, x, graph_linear(g, graph_input(g, 1), "two", UNITS));
    x = graph_add(g, x, graph_linear(g, graph_input(g, 2), "three", UNITS));
    return graph_output(g, graph_linear(g, x, "out", g->K));
}

/* Two modalities that meet before any encoder. */
static int raw_build(struct graph *g, const struct settings *s, struct error *e) {
    (void)s;
    (void)e;
    int x = graph_add(g, graph_input(g, 0), graph_input(g, 1));
    return graph_output(g, graph_linear(g, x, "out", g->K));
}

static const struct param NONE[] = {{0}};
static const struct arch LINEAR = {"linear", "A sum of two linear maps.", NONE, linear_build, NULL};
static const struct arch WIDE = {"wide", "The same, wider.", NONE, wide_build, NULL};
static const struct arch DEEP = {"deep", "Eye and ear.", NONE, deep_build, NULL};
static const struct arch THREE = {"three", "Three inputs.", NONE, three_build, NULL};
static const struct arch RAW = {"raw", "A sum of inputs.", NONE, raw_build, NULL};

static const struct net_input SOUNDS[] = {
    {"left", 1, 1, 3, 0}, {"right", 1, 1, 3, 0}, {"behind", 1, 1, 3, 0}};
static const struct net_input PICTURE[] = {{"image", 4, 4, 2, 0}, {"sound", 1, 1, 6, 0}};

static struct net *make(const struct arch *arch, const struct net_input *inputs, size_t n) {
    struct settings s;
    struct net *net;
    struct error e = {0};
    settings_init(&s, arch->params, NULL);
    struct net_spec spec = {.arch = arch,
                            .settings = &s,
                            .inputs = inputs,
                            .inputs_n = n,
                            .K = K,
                            .batch = BATCH,
                            .threads = 1};
    if (net_create(&net, &spec, &e)) fail_msg("%s", e.text);
    settings_free(&s);
    net_init(net, 2);
    params_shake(net, 3);
    return net;
}

/* ---- examples -------------------------------------------------------------------------------- */

static double number_of(size_t modality, size_t example, size_t element) {
    struct rng rng = rng_stream(element + 1, "probe", (uint32_t)modality, example);
    return rng_normal(&rng) + 0.3 * (double)modality;
}

/* Example `example` of modality m as the network's example n. */
static void write_input(struct net *net, size_t m, size_t n, size_t example) {
    const struct tensor *x = net_input_tensor(net, m);
    for (size_t h = 0; h < x->H; h++)
        for (size_t j = 0; j < x->W * x->C; j++)
            tensor_at(x, n, h, 0)[j] = (real)number_of(m, example, h * x->W * x->C + j);
}

static size_t inputs_of(const struct net *net) {
    size_t n;
    net_branches(net, &n);
    return n ? n - 1 : 1;
}

static void feed(void *context, struct net *net, size_t first, size_t n, int32_t *labels) {
    (void)context;
    for (size_t i = 0; i < n; i++) {
        for (size_t m = 0; m < inputs_of(net); m++) write_input(net, m, i, first + i);
        labels[i] = (int32_t)((first + i) % K);
    }
}

static struct measure_context context_of(struct net *net, size_t n, size_t batch) {
    return (struct measure_context){
        .net = net, .test = {.n = n, .batch = batch, .feed = feed}, .seed = 11};
}

struct rsv {
    double median, mean, undefined, histogram[BINS];
};

static struct rsv rsv_of(const struct measure_context *c) {
    struct rsv r = {0};
    struct error e = {0};
    double *out[] = {&r.median, &r.mean, &r.undefined, r.histogram};
    const struct measure *m = measure_find("rsv");
    assert_int_equal(m->bins->n, BINS);
    assert_int_equal(m->check(c->net, &e), 0);
    assert_int_equal(m->measure(c, out, &e), 0);
    return r;
}

static void set_param(struct net *net, const char *name, const real *values) {
    size_t n;
    const struct net_tensor *t = net_param_table(net, &n);
    for (size_t i = 0; i < n; i++) {
        if (strcmp(t[i].name, name) != 0) continue;
        net_import(net, &t[i], net_params(net), values);
        return;
    }
    fail_msg("no parameter %s", name);
}

static void get_param(struct net *net, const char *name, real *values) {
    size_t n;
    const struct net_tensor *t = net_param_table(net, &n);
    for (size_t i = 0; i < n; i++)
        if (!strcmp(t[i].name, name)) net_export(net, &t[i], net_params(net), values);
}

static int ascending(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* ---- relative source variance ---------------------------------------------------------------- */

/* What the measure has to say when these are all values. */
static struct rsv expected_of(double *value, size_t n, size_t all) {
    struct rsv r = {.undefined = 1 - (double)n / (double)all};
    qsort(value, n, sizeof *value, ascending);
    r.median = (value[(n - 1) / 2] + value[n / 2]) / 2;
    for (size_t i = 0; i < n; i++) {
        size_t bin = (size_t)((value[i] + 1) * 10);
        r.mean += value[i] / (double)n;
        r.histogram[bin < BINS ? bin : BINS - 1] += 1 / (double)n;
    }
    return r;
}

static void assert_rsv(const struct rsv *r, const struct rsv *expected) {
    assert_near(r->median, expected->median, 10 * TOLERANCE);
    assert_near(r->mean, expected->mean, 10 * TOLERANCE);
    assert_near(r->undefined, expected->undefined, 1e-12);
    for (size_t k = 0; k < BINS; k++) assert_near(r->histogram[k], expected->histogram[k], 1e-9);
}

/* w^T Cov w, over the first n examples of a modality of 3 numbers. */
static double variance_along(const real *w, size_t modality, size_t n) {
    double mean = 0, square = 0, along[MANY];
    for (size_t i = 0; i < n; i++) {
        along[i] = 0;
        for (size_t k = 0; k < 3; k++)
            along[i] += (double)w[k] * (double)(real)number_of(modality, i, k);
        mean += along[i] / (double)n;
    }
    for (size_t i = 0; i < n; i++) square += (along[i] - mean) * (along[i] - mean);
    return square / (double)n;
}

/* z_i = u_i.a + v_i.b + c_i. With b held, z_i varies as u_i.a does, whatever b is: Va = u_i^T Cov(a)
 * u_i, and likewise Vb = v_i^T Cov(b) v_i, the same at every anchor. With no more examples than
 * partners, all of them are partners, and the covariances are theirs. */
static void rsv_of_a_linear_net_has_its_closed_form(void **unused) {
    (void)unused;
    enum { N = 100 };
    struct net *net = make(&LINEAR, SOUNDS, 2);
    real u[UNITS * 3], v[UNITS * 3];
    double value[UNITS];
    get_param(net, "ear_a.weight", u);
    get_param(net, "ear_b.weight", v);
    for (size_t i = 0; i < UNITS; i++) {
        double a = variance_along(u + 3 * i, 0, N), b = variance_along(v + 3 * i, 1, N);
        value[i] = (a - b) / (a + b);
    }
    struct rsv expected = expected_of(value, UNITS, UNITS);
    assert_true(fabs(expected.median) > 0.01 && value[0] < -0.3 && value[UNITS - 1] > 0.3);
    for (size_t batch = 1; batch <= BATCH; batch += 23) {
        struct measure_context c = context_of(net, N, batch);
        struct rsv r = rsv_of(&c);
        assert_rsv(&r, &expected);
    }
    net_free(net);
}

/* Both modalities carry the same numbers, one of them each: a_n = b_n, so that the variances agree. */
static void feed_same(void *context, struct net *net, size_t first, size_t n, int32_t *labels) {
    (void)context;
    for (size_t i = 0; i < n; i++) {
        labels[i] = 0;
        for (size_t m = 0; m < 2; m++)
            tensor_at(net_input_tensor(net, m), i, 0, 0)[0] = (real)number_of(0, first + i, 0);
    }
}

/* The paper's synthetic units (appendix A.1): z = w a + (1 - w) b with weights w of a Beta
 * distribution, half of them mirrored. With a and b paired at random and of one variance, RSV =
 * (w^2 - (1 - w)^2) / (w^2 + (1 - w)^2) = (2 w - 1) / (2 w^2 - 2 w + 1). Beta(1, 20) has quantiles
 * 1 - (1 - q)^(1/20): most units listen to one modality alone. (Beta(20, 1) mirrored is Beta(1, 20).) */
static void units_that_split_the_work_have_two_peaks(void **unused) {
    (void)unused;
    static const struct net_input ONE[] = {{"left", 1, 1, 1, 0}, {"right", 1, 1, 1, 0}};
    struct net *net = make(&LINEAR, ONE, 2);
    real u[UNITS], v[UNITS];
    double value[UNITS], outer = 0;
    for (size_t i = 0; i < UNITS; i++) {
        double w = 1 - pow(1 - ((double)(i / 2) + 0.5) / (UNITS / 2), 1.0 / 20);
        if (i % 2) w = 1 - w;
        u[i] = (real)w;
        v[i] = (real)(1 - w);
        value[i] = (2 * w - 1) / (2 * w * w - 2 * w + 1);
        outer += fabs(value[i]) > 0.9 ? 1.0 / UNITS : 0;
    }
    set_param(net, "ear_a.weight", u);
    set_param(net, "ear_b.weight", v);
    struct rsv expected = expected_of(value, UNITS, UNITS);
    struct measure_context c = context_of(net, 90, BATCH);
    c.test.feed = feed_same;
    struct rsv r = rsv_of(&c);
    assert_true(outer > 0.8);
    assert_near(r.median, 0, 10 * TOLERANCE);
    assert_rsv(&r, &expected);
    assert_near(r.histogram[0] + r.histogram[BINS - 1], outer, 1e-9);
    net_free(net);
}

/* The sign of the convention, both ends of the histogram, and units that nothing moves. */
static void rsv_is_plus_1_where_the_first_modality_counts_alone(void **unused) {
    (void)unused;
    const real zero[UNITS * 3] = {0};
    real some[UNITS * 3] = {0};
    struct net *net = make(&LINEAR, SOUNDS, 2);
    struct measure_context c = context_of(net, MANY, BATCH);
    set_param(net, "ear_b.weight", zero);
    struct rsv r = rsv_of(&c);
    assert_true(r.median == 1 && r.mean == 1 && r.undefined == 0 && r.histogram[BINS - 1] == 1);
    set_param(net, "ear_a.weight", some);
    for (size_t i = 0; i < 3 * UNITS / 4; i++) some[i] = (real)0.5;
    set_param(net, "ear_b.weight", some);
    r = rsv_of(&c);
    assert_true(r.median == -1 && r.mean == -1 && r.histogram[0] == 1);
    assert_near(r.undefined, 0.75, 1e-12);
    set_param(net, "ear_b.weight", zero);
    r = rsv_of(&c);
    assert_true(isnan(r.median) && isnan(r.mean) && r.undefined == 1 && isnan(r.histogram[3]));
    net_free(net);
}

/* Variance of each unit while modality `varied` runs over the partners: whole forward passes over
 * inputs put together by hand, and two sweeps over the values. */
static void slow_variances(struct net *net, size_t varied, size_t anchor, const uint32_t *partner,
                           size_t partners, double *variance) {
    double z[128][UNITS];
    for (size_t p = 0; p < partners; p++) {
        write_input(net, varied, 0, partner[p]);
        write_input(net, 1 - varied, 0, anchor);
        net_forward(net, 1, NET_EVAL);
        for (size_t i = 0; i < UNITS; i++) z[p][i] = (double)net_representation(net)->data[i];
    }
    for (size_t i = 0; i < UNITS; i++) {
        double mean = 0;
        variance[i] = 0;
        for (size_t p = 0; p < partners; p++) mean += z[p][i] / (double)partners;
        bool moves = false;
        for (size_t p = 0; p < partners; p++) moves = moves || z[p][i] != z[0][i];
        for (size_t p = 0; p < partners && moves; p++)
            variance[i] += (z[p][i] - mean) * (z[p][i] - mean);
    }
}

/* The documented draw: a shuffle by stream "rsv", anchors its first 32, partners its last 128. */
static void rsv_of_any_net_is_that_of_inputs_put_together_by_hand(void **unused) {
    (void)unused;
    enum { ANCHORS = 32, PARTNERS = 128 };
    struct net *net = make(&DEEP, PICTURE, 2);
    uint32_t order[MANY], partner[PARTNERS];
    double value[ANCHORS * UNITS] = {0};
    size_t n = 0;
    for (uint32_t i = 0; i < MANY; i++) order[i] = i;
    struct rng rng = rng_stream(11, "rsv", 0, 0);
    rng_shuffle(&rng, order, MANY);
    for (size_t p = 0; p < PARTNERS; p++) partner[p] = order[MANY - 1 - p];
    for (size_t j = 0; j < ANCHORS; j++) {
        double a[UNITS], b[UNITS];
        slow_variances(net, 0, order[j], partner, PARTNERS, a);
        slow_variances(net, 1, order[j], partner, PARTNERS, b);
        for (size_t i = 0; i < UNITS; i++)
            if (a[i] + b[i] > 0) value[n++] = (a[i] - b[i]) / (a[i] + b[i]);
    }
    struct rsv expected = expected_of(value, n, ANCHORS * UNITS);
    struct measure_context c = context_of(net, MANY, BATCH);
    struct rsv r = rsv_of(&c);
    assert_true(value[0] < value[n - 1] - 0.2); /* not all the same */
    assert_near(r.median, expected.median, 0.01);
    assert_near(r.mean, expected.mean, 10 * TOLERANCE);
    assert_near(r.undefined, expected.undefined, 1e-12);
    for (size_t k = 0; k < BINS; k++)
        assert_near(r.histogram[k], expected.histogram[k], 3.0 / (double)n);
    net_free(net);
}

static void check_refusal(const char *measure, struct net *net, const char *words) {
    struct error e = {0};
    const struct measure *m = measure_find(measure);
    assert_int_equal(m->check(net, &e), STATUS_USAGE);
    if (!strstr(e.text, words)) fail_msg("'%s' does not say '%s'", e.text, words);
    net_free(net);
}

static void networks_that_a_measure_cannot_read_are_refused(void **unused) {
    (void)unused;
    static const char *const SOFTMAX[] = {"hidden=[]", NULL};
    const struct net_input image = {"image", 2, 2, 1, 0};
    check_refusal("rsv", net_make(arch_find("mlp"), SOFTMAX, image, K, 1, 1, NULL), "has one");
    check_refusal("modality_accuracy", net_make(arch_find("mlp"), SOFTMAX, image, K, 1, 1, NULL),
                  "has one");
    check_refusal("rsv", make(&THREE, SOUNDS, 3), "has 3");
    check_refusal("modality_accuracy", make(&THREE, SOUNDS, 3), "'left' has no encoder");
    check_refusal("rsv", make(&RAW, SOUNDS, 2), "'left' has no encoder");
}

/* ---- one modality alone ---------------------------------------------------------------------- */

/* Correct answers with the other modality's input replaced by `other`, whole passes one by one. */
static double slow_accuracy(struct net *net, size_t only, size_t n, const double *other) {
    size_t correct = 0;
    const struct tensor *x = net_input_tensor(net, 1 - only);
    for (size_t i = 0; i < n; i++) {
        int32_t label = (int32_t)(i % K);
        write_input(net, only, 0, i);
        for (size_t h = 0; h < x->H; h++)
            for (size_t j = 0; j < x->W * x->C; j++)
                tensor_at(x, 0, h, 0)[j] = (real)(other ? other[j] : 0);
        net_forward(net, 1, NET_EVAL);
        correct += net_loss(net, &label, 1).correct;
    }
    return (double)correct / (double)n;
}

static void check_only(struct net *net, size_t n, size_t batch, double *mean_accuracy) {
    struct error e = {0};
    double accuracy[2] = {0}, *out[] = {accuracy, mean_accuracy};
    struct measure_context c = context_of(net, n, batch);
    const struct measure *m = measure_find("modality_accuracy");
    assert_int_equal(m->check(net, &e), 0);
    assert_int_equal(m->measure(&c, out, &e), 0);
    for (size_t k = 0; k < 2; k++) {
        assert_near(accuracy[k], slow_accuracy(net, k, n, NULL), 1e-12);
        assert_true(mean_accuracy[k] >= 0 && mean_accuracy[k] <= 1);
    }
}

static void one_modality_alone_is_a_pass_with_the_others_at_0(void **unused) {
    (void)unused;
    double means[2] = {0};
    struct net *linear = make(&LINEAR, SOUNDS, 2), *deep = make(&DEEP, PICTURE, 2);
    check_only(linear, MANY, BATCH, means);
    check_only(linear, 7, 5, means);
    check_only(deep, MANY, BATCH - 1, means);
    net_free(linear);
    net_free(deep);
}

/* The mean output of a linear encoder is its output for the mean input. */
static void check_means(struct net *net) {
    double mean[2][3] = {{0}}, means[2] = {0};
    for (size_t m = 0; m < 2; m++)
        for (size_t i = 0; i < MANY; i++)
            for (size_t k = 0; k < 3; k++) mean[m][k] += number_of(m, i, k) / MANY;
    check_only(net, MANY, BATCH, means);
    for (size_t m = 0; m < 2; m++) /* one may change, where two logits are equal but for rounding */
        assert_near(means[m], slow_accuracy(net, m, MANY, mean[1 - m]), 1.5 / MANY);
    net_free(net);
}

static void the_mean_of_an_encoder_takes_the_others_place(void **unused) {
    (void)unused;
    check_means(make(&LINEAR, SOUNDS, 2));
}

static void taps_too_large_to_keep_are_had_again(void **unused) {
    (void)unused;
    check_means(make(&WIDE, SOUNDS, 2));
}

/* Labels that one modality alone decides: its accuracy is whole without the other. */
static void feed_told(void *context, struct net *net, size_t first, size_t n, int32_t *labels) {
    feed(context, net, first, n, labels);
    for (size_t i = 0; i < n; i++) {
        real *x = tensor_at(net_input_tensor(net, 0), i, 0, 0);
        for (size_t k = 0; k < 3; k++) x[k] = (real)(k == (first + i) % 3);
        labels[i] = (int32_t)((first + i) % 3);
    }
}

static void who_knows_the_answer_alone_keeps_it_alone(void **unused) {
    (void)unused;
    struct net *net = make(&LINEAR, SOUNDS, 2);
    real u[UNITS * 3] = {0}, out[K * UNITS] = {0}, zero[UNITS * 3] = {0};
    for (size_t k = 0; k < 3; k++) u[3 * k + k] = out[UNITS * k + k] = 5;
    set_param(net, "ear_a.weight", u);
    set_param(net, "ear_b.weight", zero);
    set_param(net, "ear_a.bias", zero);
    set_param(net, "ear_b.bias", zero);
    set_param(net, "out.weight", out);
    set_param(net, "out.bias", zero);
    double zeroed[2] = {0}, means[2] = {0}, *all[] = {zeroed, means};
    struct measure_context c = context_of(net, 99, BATCH);
    c.test.feed = feed_told;
    assert_int_equal(measure_find("modality_accuracy")->measure(&c, all, NULL), 0);
    assert_true(zeroed[0] == 1 && means[0] == 1);
    assert_true(zeroed[1] <= 1.0 / 3 && means[1] <= 1.0 / 3); /* a tie of all logits is wrong */
    net_free(net);
}

/* ---- dead units and norms -------------------------------------------------------------------- */

static size_t layer_of(const struct net *net, const char *name) {
    size_t n;
    const char *const *layers = net_layers(net, &n);
    for (size_t l = 0; l < n; l++)
        if (!strcmp(layers[l], name)) return l;
    fail_msg("no layer %s", name);
    return 0;
}

static void channels_that_never_fire_are_dead(void **unused) {
    (void)unused;
    struct net *net = make(&DEEP, PICTURE, 2);
    real bias[UNITS] = {0}, shift[3] = {0};
    double dead[LAYERS], *out[] = {dead};
    struct measure_context c = context_of(net, 50, BATCH);
    for (size_t i = 0; i < UNITS; i++) bias[i] = (real)(i < UNITS / 4 ? -1e4 : 1e4);
    shift[1] = (real)-1e4;
    set_param(net, "ear.bias", bias);
    set_param(net, "norm1.bias", shift);
    assert_int_equal(measure_find("dead_units")->measure(&c, out, NULL), 0);
    assert_near(dead[layer_of(net, "ear")], 0.25, 1e-12);
    assert_near(dead[layer_of(net, "eye1")], 1.0 / 3, 1e-12);
    assert_true(dead[layer_of(net, "mix")] < 1);
    assert_true(isnan(dead[layer_of(net, "out")]));
    assert_true(isnan(dead[layer_of(net, "head_image")]));
    net_free(net);
}

/* One example lights a channel for all: the last one, in a batch of its own. */
static void one_example_is_enough_to_be_alive(void **unused) {
    (void)unused;
    struct net *net = make(&DEEP, PICTURE, 2);
    real weight[UNITS * 6] = {0}, bias[UNITS];
    double dead[LAYERS] = {0}, *out[] = {dead}, most = 0;
    size_t at = 0;
    for (size_t i = 0; i < 49; i++)
        if (number_of(1, i, 0) > most) most = number_of(1, at = i, 0);
    for (size_t i = 0; i < UNITS; i++) {
        weight[6 * i] = 1;
        bias[i] = (real)(1e-3 - most);
    }
    set_param(net, "ear.weight", weight);
    set_param(net, "ear.bias", bias);
    for (size_t n = at; n <= at + 1; n++) {
        struct measure_context c = context_of(net, n, 1);
        if (!n) continue;
        assert_int_equal(measure_find("dead_units")->measure(&c, out, NULL), 0);
        assert_true(dead[layer_of(net, "ear")] == (n == at ? 1 : 0));
    }
    net_free(net);
}

static void branch_norms_are_those_of_their_layers(void **unused) {
    (void)unused;
    struct net *net = make(&DEEP, PICTURE, 2);
    double layer[LAYERS] = {0}, branch[BRANCHES] = {0}, *out[] = {layer, branch};
    size_t n;
    const char *const *names = net_branches(net, &n);
    assert_int_equal(n, BRANCHES);
    assert_string_equal(names[0], "image");
    assert_string_equal(names[2], "trunk");
    assert_int_equal(
        measure_find("weight_norm")->measure(&(struct measure_context){.net = net}, out, NULL), 0);
    const double *l = layer;
    assert_near(branch[0], hypot(l[layer_of(net, "eye1")], l[layer_of(net, "eye2")]), 1e-9);
    assert_near(branch[1], l[layer_of(net, "ear")], 1e-9);
    assert_near(branch[2], hypot(l[layer_of(net, "mix")], l[layer_of(net, "out")]), 1e-9);
    assert_true(l[layer_of(net, "head_image")] > 0);
    net_free(net);
}

/* ---- Fisher information by branch ------------------------------------------------------------ */

struct traced {
    struct fisher_result r;
    double layer[LAYERS], layer_stderr[LAYERS], branch[BRANCHES], branch_stderr[BRANCHES];
};

static void trace(struct net *net, size_t n, enum fisher_estimator estimator, struct traced *t) {
    struct measure_examples probes = {.n = n, .batch = 5, .feed = feed};
    t->r = (struct fisher_result){.layer_trace = t->layer,
                                  .layer_stderr = t->layer_stderr,
                                  .branch_trace = t->branch,
                                  .branch_stderr = t->branch_stderr};
    assert_int_equal(fisher_trace(net, &probes, estimator, 2, 17, 0, &t->r, NULL), 0);
}

static void branches_sum_to_the_trace_and_heads_have_none(void **unused) {
    (void)unused;
    struct net *net = make(&DEEP, PICTURE, 2);
    for (int k = FISHER_EXACT; k <= FISHER_EMPIRICAL; k++) {
        struct traced t;
        trace(net, 13, (enum fisher_estimator)k, &t);
        double total = t.branch[0] + t.branch[1] + t.branch[2];
        assert_near(total, t.r.trace, 1e-12 * t.r.trace);
        assert_near(t.branch[0], t.layer[layer_of(net, "eye1")] + t.layer[layer_of(net, "eye2")],
                    1e-12 * total);
        assert_near(t.branch[1], t.layer[layer_of(net, "ear")], 1e-12 * total);
        assert_true(t.branch[0] > 0 && t.branch[1] > 0 && t.branch[2] > 0);
        assert_true(t.layer[layer_of(net, "head_image")] == 0);
        assert_true(t.layer[layer_of(net, "head_sound")] == 0);
    }
    net_free(net);
}

/* The first n probes give n times their mean, so the values of single probes can be had by
 * differences; their spread is the standard error. */
static void the_error_of_a_branch_is_that_of_its_probes(void **unused) {
    (void)unused;
    enum { N = 9 };
    struct net *net = make(&DEEP, PICTURE, 2);
    double value[N], before = 0, mean = 0, squares = 0;
    struct traced t;
    for (size_t n = 1; n <= N; n++) {
        trace(net, n, FISHER_EXACT, &t);
        value[n - 1] = t.branch[0] * (double)n - before;
        before = t.branch[0] * (double)n;
        mean += value[n - 1] / N;
    }
    for (size_t n = 0; n < N; n++) squares += (value[n] - mean) * (value[n] - mean);
    assert_near(t.branch_stderr[0], sqrt(squares / (N - 1) / N), 10 * TOLERANCE * mean);
    assert_true(fabs(t.branch_stderr[0] - hypot(t.layer_stderr[layer_of(net, "eye1")],
                                                t.layer_stderr[layer_of(net, "eye2")])) >
                1e-3 * t.branch_stderr[0]); /* layers of one probe are not independent */
    net_free(net);
}

/* ---- all measures ---------------------------------------------------------------------------- */

/* Those are measured in test_linear. */
static bool is_of_targets(const struct measure *m) {
    return !strcmp(m->name, "modes") || !strcmp(m->name, "singular_values");
}

static void measure_all(struct net *net) {
    double numbers[8][64], *out[8];
    size_t n;
    const struct measure *const *all = measure_list(&n);
    struct measure_context c = context_of(net, 60, BATCH);
    for (size_t i = 0; i < 8; i++) out[i] = numbers[i];
    for (size_t i = 0; i < n; i++) {
        assert_true(all[i]->series_n <= 8);
        if (is_of_targets(all[i])) continue;
        if (all[i]->check) assert_int_equal(all[i]->check(net, NULL), 0);
        assert_int_equal(all[i]->measure(&c, out, NULL), 0);
    }
    struct traced t;
    for (int k = FISHER_EXACT; k <= FISHER_EMPIRICAL; k++)
        trace(net, 7, (enum fisher_estimator)k, &t);
}

static void steps(struct net *net, int n, bool measured) {
    for (int i = 0; i < n; i++) {
        int32_t labels[BATCH];
        if (measured) measure_all(net);
        feed(NULL, net, 0, BATCH, labels);
        net_forward(net, BATCH, NET_TRAIN);
        net_loss(net, labels, BATCH);
        net_head_loss(net, 0, labels, BATCH, 0.3);
        net_backward(net, BATCH);
        for (size_t j = 0; j < net_params_count(net); j++)
            net_params(net)[j] -= (real)0.05 * net_grads(net)[j];
    }
}

static void measuring_changes_no_bit_of_training(void **unused) {
    (void)unused;
    struct net *plain = make(&DEEP, PICTURE, 2), *measured = make(&DEEP, PICTURE, 2);
    steps(plain, 4, false);
    steps(measured, 4, true);
    assert_memory_equal(net_params(plain), net_params(measured),
                        net_params_count(plain) * sizeof(real));
    assert_memory_equal(net_buffers(plain), net_buffers(measured),
                        net_buffers_count(plain) * sizeof(real));
    net_free(measured);
    net_free(plain);
}

static void the_same_net_measured_again_gives_the_same_bits(void **unused) {
    (void)unused;
    struct net *net = make(&DEEP, PICTURE, 2);
    struct measure_context c = context_of(net, MANY, BATCH);
    struct rsv a = rsv_of(&c);
    measure_all(net);
    struct rsv b = rsv_of(&c);
    assert_memory_equal(&a, &b, sizeof a);
    net_free(net);
}

static void every_series_says_what_it_is_and_has_a_place_of_its_own(void **unused) {
    (void)unused;
    size_t n, all = SERIES_CORE;
    const struct measure *const *list = measure_list(&n);
    struct rows rows;
    assert_int_equal(rows_create(&rows, 1, &(struct rows_widths){1, 1, 1}, list, n, NULL), 0);
    for (size_t i = 0; i < n; i++) {
        bool has_bins = false;
        for (size_t k = 0; k < list[i]->series_n; k++, all++) {
            const struct measure_series *s = &list[i]->series[k];
            assert_ptr_equal(rows.series[all], s);
            has_bins = has_bins || s->axis == PER_BIN;
            assert_true(s->name && s->units && s->long_name);
            for (size_t j = 0; j < all; j++) assert_string_not_equal(rows.series[j]->name, s->name);
        }
        assert_true(has_bins == (list[i]->bins != NULL));
        assert_ptr_equal(measure_find(list[i]->name), list[i]);
    }
    assert_int_equal(rows.series_n, all);
    rows_free(&rows);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rsv_of_a_linear_net_has_its_closed_form),
        cmocka_unit_test(units_that_split_the_work_have_two_peaks),
        cmocka_unit_test(rsv_is_plus_1_where_the_first_modality_counts_alone),
        cmocka_unit_test(rsv_of_any_net_is_that_of_inputs_put_together_by_hand),
        cmocka_unit_test(networks_that_a_measure_cannot_read_are_refused),
        cmocka_unit_test(one_modality_alone_is_a_pass_with_the_others_at_0),
        cmocka_unit_test(the_mean_of_an_encoder_takes_the_others_place),
        cmocka_unit_test(taps_too_large_to_keep_are_had_again),
        cmocka_unit_test(who_knows_the_answer_alone_keeps_it_alone),
        cmocka_unit_test(channels_that_never_fire_are_dead),
        cmocka_unit_test(one_example_is_enough_to_be_alive),
        cmocka_unit_test(branch_norms_are_those_of_their_layers),
        cmocka_unit_test(branches_sum_to_the_trace_and_heads_have_none),
        cmocka_unit_test(the_error_of_a_branch_is_that_of_its_probes),
        cmocka_unit_test(measuring_changes_no_bit_of_training),
        cmocka_unit_test(the_same_net_measured_again_gives_the_same_bits),
        cmocka_unit_test(every_series_says_what_it_is_and_has_a_place_of_its_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
