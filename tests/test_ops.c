/* Every op of the registry: its gradients by finite differences in training and evaluation, its
 * per-example squared gradients against a loop of single examples, the same bits for any number
 * of threads; then what single ops promise, against hand-computed numbers. */
#include "tests/net_fixture.h"

#include "nets/graph.h"
#include "nets/op.h"

enum { K = 4, BATCH = 11 };

/* How the ops are tried: after a convolution, so that their gradient by the input matters, and
 * before a linear head; what reads tokens, on these. An op without an entry here is tried with all
 * options 0. */
static const struct {
    const char *name;
    struct op_options options;
} CASES[] = {
    {"conv", {.name = "conv", .outputs = 5, .kernel = 3, .stride = 2, .pad = 1, .bias = true}},
    {"conv", {.name = "conv", .outputs = 3, .kernel = 5, .stride = 1, .pad = 2}},
    {"conv", {.name = "conv", .outputs = 7, .kernel = 1}},
    {"conv", {.name = "conv", .outputs = 11, .kernel = 1, .stride = 2}},
    {"linear", {.name = "fc", .outputs = 9, .bias = true}},
    {"linear", {.name = "fc", .outputs = 300}},
    {"batchnorm", {.name = "norm"}},
    {"batchnorm", {.name = "norm", .relu = true}},
    {"maxpool", {.kernel = 2}},
    {"maxpool", {.kernel = 3, .stride = 2, .pad = 1}},
    {"avgpool", {.kernel = 2}},
    {"avgpool", {.kernel = 3, .stride = 2, .pad = 1}},
    {"relu", {0}},
    {"globalpool", {0}},
    {"add", {0}},
    {"flatten", {0}},
    {"product", {0}},
    {"concat", {0}},
    {"embedding", {.name = "embed", .outputs = 5}},
    {"embedding", {.name = "embed", .outputs = 150}},
};
enum { CASES_N = sizeof CASES / sizeof *CASES };

/* What the op reads, as it wants it. */
static int stem(struct graph *g, const struct op_type *type, const char *name) {
    struct op_options o = {.name = name, .outputs = 6, .kernel = 3, .pad = 1, .bias = true};
    int x = graph_input(g, 0);
    if (type->reads_tokens) return x;
    x = graph_conv(g, x, o);
    if (!strcmp(type->name, "linear")) return graph_flatten(g, x);
    return strcmp(type->name, "concat") ? x : graph_globalpool(g, x);
}

/* `shared`: the op's input is read by another op too, so nothing can work in place, and its
 * gradient has two shares. */
static int trial_build(struct graph *g, const struct settings *s, struct error *e) {
    (void)e;
    size_t i = (size_t)settings_int(s, "case");
    const struct op_type *type = op_find(CASES[i].name);
    int x = stem(g, type, "stem"), side = type->inputs == 2 ? stem(g, type, "side") : -1;
    int y = graph_op(g, type, (int[]){x, side}, CASES[i].options);
    if (graph_value(g, y)->H > 1) y = graph_flatten(g, y);
    y = graph_linear(g, y, "head", K);
    if (settings_bool(s, "shared") && type->reads_tokens)
        y = graph_add(g, y, graph_embedding(g, x, "other", K));
    else if (settings_bool(s, "shared")) {
        if (graph_value(g, x)->H > 1) x = graph_flatten(g, graph_avgpool(g, x, 3, 2));
        y = graph_add(g, y, graph_linear(g, x, "other", K));
    }
    return graph_output(g, y);
}

static const struct param TRIAL_PARAMS[] = {
    {"case", PARAM_INT, "0", 0, CASES_N, NULL, NULL, "Which of CASES.", false},
    {"shared", PARAM_BOOL, "false", 0, 0, NULL, NULL, "Give its input a second reader.", false},
    {0}};
static const struct param NONE[] = {{0}};
static const struct arch TRIAL = {"trial", "One op between a convolution and a head.", TRIAL_PARAMS,
                                  trial_build, NULL};

static const struct net_input IMAGE[] = {{"image", 7, 6, 3, 0}, {0}};
static const struct net_input TOKENS[] = {{"text", 1, 6, 1, 4}, {0}};

static const struct net_input *inputs_of(size_t i) {
    return op_find(CASES[i].name)->reads_tokens ? TOKENS : IMAGE;
}

static struct net *trial(size_t i, bool shared, int threads) {
    char which[32];
    snprintf(which, sizeof which, "case=%zu", i);
    const char *values[] = {which, shared ? "shared=true" : NULL, NULL};
    struct error e = {0};
    struct net *net = net_make_many(&TRIAL, values, inputs_of(i), K, BATCH, threads, &e);
    if (!net) fail_msg("%s", e.text);
    net_init(net, 5);
    params_shake(net, 6);
    inputs_fill(net, inputs_of(i), BATCH, 7);
    return net;
}

static void every_op_has_a_case(void **unused) {
    (void)unused;
    size_t n;
    const struct op_type *const *ops = op_list(&n);
    for (size_t i = 0; i < n; i++) {
        size_t found = 0;
        for (size_t j = 0; j < CASES_N; j++) found += !strcmp(CASES[j].name, ops[i]->name);
        if (!found) fail_msg("op %s has no case", ops[i]->name);
        assert_ptr_equal(op_find(ops[i]->name), ops[i]);
    }
    assert_null(op_find("no such op"));
}

static void gradients_agree_with_finite_differences(void **unused) {
    (void)unused;
    for (size_t i = 0; i < CASES_N; i++)
        for (int shared = 0; shared < 2; shared++) {
            struct net *net = trial(i, shared, 1);
            check_finite_differences(net, BATCH, K, NET_TRAIN, CASES[i].name);
            check_finite_differences(net, BATCH, K, NET_EVAL, CASES[i].name);
            net_free(net);
        }
}

static void the_finite_difference_check_can_fail(void **unused) {
    (void)unused;
    struct net *net = trial(0, false, 1);
    size_t n;
    const struct net_tensor *t = net_param_table(net, &n);
    int32_t labels[BATCH], others[BATCH];
    labels_fill(labels, BATCH, K);
    for (size_t i = 0; i < BATCH; i++) others[i] = (labels[i] + 1) % K;
    assert_true(fd_error(net, &t[0], labels, BATCH, NET_TRAIN, 3) < FD_TOLERANCE);
    /* the gradient for other labels must not pass: difference quotients by hand */
    mean_loss(net, others, BATCH, NET_TRAIN);
    net_backward(net, BATCH);
    double wrong = (double)net_grads(net)[t[0].offset];
    real *w = net_params(net) + t[0].offset;
    *w += (real)FD_STEP;
    double up = mean_loss(net, labels, BATCH, NET_TRAIN);
    *w -= (real)(2 * FD_STEP);
    double down = mean_loss(net, labels, BATCH, NET_TRAIN);
    assert_true(fabs((up - down) / (2 * FD_STEP) - wrong) > 1e-3);
    net_free(net);
}

static void squared_gradients_are_those_of_single_examples(void **unused) {
    (void)unused;
    for (size_t i = 0; i < CASES_N; i++)
        for (int shared = 0; shared < 2; shared++) {
            struct net *net = trial(i, shared, 1);
            check_g2_many(net, inputs_of(i), BATCH, K, 9, CASES[i].name);
            net_free(net);
        }
}

/* x is read by both inputs of one op, by another one, and at last by a convolution. */
static int often_build(struct graph *g, const struct settings *s, struct error *e) {
    (void)s, (void)e;
    struct op_options stem = {.name = "stem", .outputs = 5, .kernel = 3, .pad = 1, .bias = true};
    int x = graph_conv(g, graph_input(g, 0), stem);
    x = graph_relu(g, x);
    int thrice = graph_add(g, x, graph_add(g, x, x));
    stem.name = "last";
    int y = graph_add(g, thrice, graph_conv(g, x, stem));
    return graph_output(g, graph_linear(g, graph_flatten(g, y), "head", K));
}
static const struct arch OFTEN = {"often", "Sums of one value.", NONE, often_build, NULL};

static void what_is_read_often_gets_every_share_of_its_gradient(void **unused) {
    (void)unused;
    struct net *net =
        net_make(&OFTEN, NULL, (struct net_input){"image", 7, 6, 3, 0}, K, BATCH, 1, NULL);
    net_init(net, 5);
    input_fill(net, BATCH, 7);
    check_finite_differences(net, BATCH, K, NET_TRAIN, "one value, read often");
    check_g2(net, BATCH, K, 9, "one value, read often");
    net_free(net);
}

/* Two training steps and a Fisher pass, everything copied out. */
static void bits_of(size_t i, int threads, real *grads, double *g2) {
    struct net *net = trial(i, true, threads);
    int32_t labels[BATCH];
    labels_fill(labels, BATCH, K);
    for (int step = 0; step < 2; step++) {
        net_forward(net, BATCH, NET_TRAIN);
        net_loss(net, labels, BATCH);
        net_backward(net, BATCH);
        for (size_t j = 0; j < net_params_count(net); j++)
            net_params(net)[j] -= (real)0.1 * net_grads(net)[j];
    }
    memcpy(grads, net_grads(net), net_params_count(net) * sizeof *grads);
    net_forward(net, BATCH, NET_EVAL);
    net_loss(net, labels, BATCH);
    net_backward_g2(net, BATCH, 1, g2);
    net_free(net);
}

static void any_number_of_threads_gives_the_same_bits(void **unused) {
    (void)unused;
    enum { MOST = 1 << 18 };
    real *one = calloc(MOST, sizeof *one), *many = calloc(MOST, sizeof *many);
    for (size_t i = 0; i < CASES_N; i++)
        for (int threads = 2; threads <= 8; threads += threads == 3 ? 5 : 1) {
            double g2_one[BATCH * 8] = {0}, g2_many[BATCH * 8] = {0};
            bits_of(i, 1, one, g2_one);
            bits_of(i, threads, many, g2_many);
            assert_memory_equal(one, many, MOST * sizeof *one);
            assert_memory_equal(g2_one, g2_many, sizeof g2_one);
        }
    free(one);
    free(many);
}

/* Evaluation of a batch is evaluation of its examples. */
static void a_batch_may_be_split_anywhere(void **unused) {
    (void)unused;
    for (size_t i = 0; i < CASES_N; i++) {
        struct net *net = trial(i, true, 1);
        const struct tensor *x = net_input_tensor(net, 0);
        real whole[BATCH * K];
        size_t cut = 4;
        net_forward(net, BATCH, NET_EVAL);
        memcpy(whole, net_logits(net)->data, sizeof whole);
        memmove(x->data, x->data + cut * x->image, (BATCH - cut) * x->image * sizeof *x->data);
        net_forward(net, BATCH - cut, NET_EVAL);
        for (size_t j = 0; j < (BATCH - cut) * K; j++) {
            double a = (double)whole[cut * K + j], b = (double)net_logits(net)->data[j];
            assert_true(fabs(a - b) <= TOLERANCE * (1 + fabs(a)));
        }
        net_free(net);
    }
}

/* ---- single ops, by hand ---- */

static int embedded_build(struct graph *g, const struct settings *s, struct error *e) {
    (void)s, (void)e;
    return graph_output(g, graph_embedding(g, graph_input(g, 0), "embed", 2));
}
static const struct arch EMBEDDED = {"embedded", "A sum of vectors.", NONE, embedded_build, NULL};

/* Row v of the weight is (v, 10 v). */
static struct net *embedded(void) {
    const struct net_input text[] = {{"text", 1, 3, 1, 5}, {0}};
    struct net *net = net_make_many(&EMBEDDED, NULL, text, 2, 2, 1, NULL);
    for (size_t v = 0; v < 5; v++) {
        net_params(net)[2 * v] = (real)v;
        net_params(net)[2 * v + 1] = (real)(10 * v);
    }
    return net;
}

static void an_embedding_sums_the_rows_of_its_tokens_and_leaves_the_empty_one(void **unused) {
    (void)unused;
    const real tokens[] = {3, 0, 3, 0, 1, 4}, dlogits[] = {1, 2, 3, 4};
    const real grads[] = {0, 0, 3, 4, 0, 0, 2, 4, 3, 4}; /* of rows 0 to 4 */
    double g2[2];
    struct net *net = embedded();
    memcpy(net_input_tensor(net, 0)->data, tokens, sizeof tokens);
    net_params(net)[0] = 7; /* even if its row were not 0 */
    net_forward(net, 2, NET_EVAL);
    const real *y = net_logits(net)->data;
    assert_true(y[0] == 6 && y[1] == 60 && y[2] == 5 && y[3] == 50);
    net_set_dlogits(net, 2, dlogits);
    net_backward_g2(net, 2, 1, g2);
    assert_near(g2[0], 4 * (1 + 4), TOLERANCE);
    assert_near(g2[1], 2 * (9 + 16), TOLERANCE);
    net_set_dlogits(net, 2, dlogits);
    net_backward(net, 2);
    for (size_t i = 0; i < 10; i++) assert_true(net_grads(net)[i] == grads[i]);
    net_free(net);
}

static void an_embedding_starts_normal_with_an_empty_first_row(void **unused) {
    (void)unused;
    enum { V = 2000 };
    const struct net_input text[] = {{"text", 1, 3, 1, V}, {0}};
    struct net *net = net_make_many(&EMBEDDED, NULL, text, 2, 2, 1, NULL);
    net_init(net, 3);
    double sum = 0, squares = 0;
    for (size_t i = 2; i < 2 * V; i++) {
        sum += (double)net_params(net)[i];
        squares += pow((double)net_params(net)[i], 2);
    }
    assert_true(net_params(net)[0] == 0 && net_params(net)[1] == 0);
    assert_near(sum / (2 * V - 2), 0, 5 / sqrt(2 * V)); /* 5 standard deviations */
    assert_near(squares / (2 * V - 2), 1, 5 * sqrt(1.0 / V));
    net_free(net);
}

static int misread_build(struct graph *g, const struct settings *s, struct error *e) {
    (void)e;
    int x = graph_input(g, 0);
    x = settings_bool(s, "embed") ? graph_embedding(g, x, "embed", K)
                                  : graph_linear(g, graph_flatten(g, x), "fc", K);
    return graph_output(g, x);
}
static const struct param MISREAD_PARAMS[] = {
    {"embed", PARAM_BOOL, "false", 0, 0, NULL, NULL, "Embedding or linear.", false}, {0}};
static const struct arch MISREAD = {"misread", "Reads the wrong kind.", MISREAD_PARAMS,
                                    misread_build, NULL};

static void tokens_and_numbers_are_not_taken_for_each_other(void **unused) {
    (void)unused;
    struct error e = {0};
    assert_null(net_make_many(&MISREAD, NULL, TOKENS, K, 1, 1, &e));
    assert_non_null(strstr(e.text, "cannot read modality 'text', which is tokens"));
    const char *const embed[] = {"embed=true", NULL};
    assert_null(net_make_many(&MISREAD, embed, IMAGE, K, 1, 1, &e));
    assert_non_null(strstr(e.text, "embed: its input is not tokens"));
    assert_int_equal(e.status, STATUS_USAGE);
}

static int pair_build(struct graph *g, const struct settings *s, struct error *e) {
    (void)s, (void)e;
    int x = graph_batchnorm(g, graph_input(g, 0), "a", false); /* 1 / sqrt(1 + eps) */
    int y = graph_batchnorm(g, graph_input(g, 1), "b", false);
    return graph_output(g, graph_concat(g, graph_product(g, x, y), y));
}
static const struct arch PAIR = {"pair", "Product and concatenation.", NONE, pair_build, NULL};

static void products_and_concatenations_are_what_their_names_say(void **unused) {
    (void)unused;
    const struct net_input two[] = {{"a", 1, 1, 2, 0}, {"b", 1, 1, 2, 0}, {0}};
    struct net *net = net_make_many(&PAIR, NULL, two, 4, 1, 1, NULL);
    net_init(net, 1);
    memcpy(net_input_tensor(net, 0)->data, (real[]){2, -3}, 2 * sizeof(real));
    memcpy(net_input_tensor(net, 1)->data, (real[]){5, 7}, 2 * sizeof(real));
    net_forward(net, 1, NET_EVAL);
    const double expected[] = {10, -21, 5, 7};
    for (size_t i = 0; i < 4; i++)
        assert_near((double)net_logits(net)->data[i], expected[i], 1e-5 * fabs(expected[i]) * 1.1);
    net_free(net);
}

static int single_build(struct graph *g, const struct settings *s, struct error *e) {
    (void)s, (void)e;
    int x = graph_batchnorm(g, graph_input(g, 0), "norm", false);
    return graph_output(g, x);
}
static const struct arch SINGLE = {"single", "Batch norm alone.", NONE, single_build, NULL};

/* Two features, values 1 2 6 and 10 10 10: mean 3, biased variance 14/3, unbiased 7. */
static void batchnorm_is_that_of_pytorch(void **unused) {
    (void)unused;
    struct net *net =
        net_make(&SINGLE, NULL, (struct net_input){"image", 1, 1, 2, 0}, 2, 3, 1, NULL);
    const real in[] = {1, 10, 2, 10, 6, 10};
    net_init(net, 1);
    memcpy(net_input_tensor(net, 0)->data, in, sizeof in);
    net_forward(net, 3, NET_TRAIN);
    for (size_t n = 0; n < 3; n++) {
        double expected = ((double)in[2 * n] - 3) / sqrt(14.0 / 3 + 1e-5);
        assert_near((double)net_logits(net)->data[2 * n], expected, 1e-5);
        assert_near((double)net_logits(net)->data[2 * n + 1], 0, 1e-5);
    }
    size_t n;
    const struct net_tensor *t = net_buffer_table(net, &n);
    assert_int_equal(n, 2);
    assert_string_equal(t[0].name, "norm.running_mean");
    assert_string_equal(t[1].name, "norm.running_var");
    const real *mean = net_buffers(net) + t[0].offset, *var = net_buffers(net) + t[1].offset;
    assert_near((double)mean[0], 0.3, 1e-6);
    assert_near((double)mean[1], 1.0, 1e-6);
    assert_near((double)var[0], 0.9 + 0.7, 1e-6);
    assert_near((double)var[1], 0.9, 1e-6);
    net_free(net);
}

static void batchnorm_of_one_value_leaves_the_running_statistics(void **unused) {
    (void)unused;
    struct net *net =
        net_make(&SINGLE, NULL, (struct net_input){"image", 1, 1, 2, 0}, 2, 3, 1, NULL);
    net_init(net, 1);
    net_input_tensor(net, 0)->data[0] = 5;
    net_input_tensor(net, 0)->data[1] = -5;
    net_forward(net, 1, NET_TRAIN);
    size_t n;
    const struct net_tensor *t = net_buffer_table(net, &n);
    for (int c = 0; c < 2; c++) {
        assert_true(net_logits(net)->data[c] == 0);
        assert_true(net_buffers(net)[t[0].offset + (size_t)c] == 0);
        assert_true(net_buffers(net)[t[1].offset + (size_t)c] == 1);
    }
    net_free(net);
}

/* Values near 1000 with a spread of 1: sums of squares about 0 in float would keep no digit. */
static void batchnorm_survives_a_large_mean(void **unused) {
    (void)unused;
    enum { N = 64 };
    struct net *net =
        net_make(&SINGLE, NULL, (struct net_input){"image", 1, 1, 2, 0}, 2, N, 1, NULL);
    net_init(net, 1);
    real *x = net_input_tensor(net, 0)->data;
    for (size_t n = 0; n < N; n++)
        for (size_t c = 0; c < 2; c++) x[2 * n + c] = (real)(1000 + (n % 2 ? 1 : -1));
    net_forward(net, N, NET_TRAIN);
    for (size_t i = 0; i < 2 * N; i++) /* scale 1000 in float: 1000 x 2^-23 is 1.2e-4 */
        assert_near(fabs((double)net_logits(net)->data[i]), 1, 5e-4);
    net_free(net);
}

static void maxpool_gives_the_gradient_to_the_first_of_equals(void **unused) {
    (void)unused;
    real in[] = {3, 3, 1, 3}, out[1], dout[] = {7}, din[4];
    struct tensor x = {in, 2, 2, 1, 2, 4}, dx = {din, 2, 2, 1, 2, 4};
    struct tensor y = {out, 1, 1, 1, 1, 1}, dy = {dout, 1, 1, 1, 1, 1};
    struct pass_window w = {2, 2, 0};
    unsigned char tap;
    pass_choose()->maxpool(&w, &x, &y, 0, &tap);
    pass_choose()->maxpool_backward(&w, &dy, &dx, 0, &tap);
    assert_true(out[0] == 3);
    assert_true(din[0] == 7 && din[1] == 0 && din[2] == 0 && din[3] == 0);
}

static void not_a_number_passes_through(void **unused) {
    (void)unused;
    real in[] = {1, (real)NAN, -1, 2}, out[4];
    struct tensor x = {in, 2, 2, 1, 2, 4}, y = {out, 2, 2, 1, 2, 4};
    struct tensor pooled = {out, 1, 1, 1, 1, 1};
    pass_choose()->relu(&x, &y, 0, 1);
    assert_true(out[0] == 1 && isnan(out[1]) && out[2] == 0);
    unsigned char tap;
    pass_choose()->maxpool(&(struct pass_window){2, 2, 0}, &x, &pooled, 0, &tap);
    assert_true(isnan(out[0]));
}

/* Channel counts around every edge of the tiles, against plain double sums. */
static void sums_are_right_for_any_number_of_channels(void **unused) {
    (void)unused;
    static const size_t counts[] = {1, 2, 3, 7, 8, 10, 16, 24, 63, 64, 96, 100, 255, 256, 257, 600};
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        size_t C = counts[i], H = 3, W = 5, N = 4;
        struct tensor x = {NULL, H, W, C, W * C, H * W * C};
        x.data = calloc(N * x.image, sizeof *x.data);
        double *sums = calloc(2 * C, sizeof *sums), *expected = calloc(2 * C, sizeof *sums);
        real *pivot = calloc(C, sizeof *pivot);
        struct rng rng = rng_stream(C, "order", 0, 0);
        for (size_t n = 0; n < N; n++)
            for (size_t p = 0; p < H * W; p++)
                for (size_t c = 0; c < C; c++) {
                    real v = (real)rng_normal(&rng);
                    tensor_at(&x, n, p / W, p % W)[c] = v;
                    pivot[c] = (real)0.5;
                    if (n == 0) continue; /* images [1, N) only */
                    expected[c] += (double)v - 0.5;
                    expected[C + c] += ((double)v - 0.5) * ((double)v - 0.5);
                }
        pass_choose()->moments(&x, pivot, 1, N, sums);
        for (size_t c = 0; c < 2 * C; c++) /* 45 terms of about 1 */
            assert_true(fabs(sums[c] - expected[c]) <= TOLERANCE * 45);
        memset(sums, 0, 2 * C * sizeof *sums);
        pass_choose()->sums(&x, 1, N, sums);
        for (size_t c = 0; c < C; c++)
            assert_true(fabs(sums[c] - expected[c] - 0.5 * 45) <= TOLERANCE * 45);
        free(pivot);
        free(expected);
        free(sums);
        free(x.data);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_op_has_a_case),
        cmocka_unit_test(gradients_agree_with_finite_differences),
        cmocka_unit_test(the_finite_difference_check_can_fail),
        cmocka_unit_test(squared_gradients_are_those_of_single_examples),
        cmocka_unit_test(what_is_read_often_gets_every_share_of_its_gradient),
        cmocka_unit_test(any_number_of_threads_gives_the_same_bits),
        cmocka_unit_test(a_batch_may_be_split_anywhere),
        cmocka_unit_test(an_embedding_sums_the_rows_of_its_tokens_and_leaves_the_empty_one),
        cmocka_unit_test(an_embedding_starts_normal_with_an_empty_first_row),
        cmocka_unit_test(tokens_and_numbers_are_not_taken_for_each_other),
        cmocka_unit_test(products_and_concatenations_are_what_their_names_say),
        cmocka_unit_test(batchnorm_is_that_of_pytorch),
        cmocka_unit_test(batchnorm_of_one_value_leaves_the_running_statistics),
        cmocka_unit_test(batchnorm_survives_a_large_mean),
        cmocka_unit_test(maxpool_gives_the_gradient_to_the_first_of_equals),
        cmocka_unit_test(not_a_number_passes_through),
        cmocka_unit_test(sums_are_right_for_any_number_of_channels),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
