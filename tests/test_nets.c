/* Every architecture of the registry, small: gradients by finite differences, per-example squared
 * gradients, the same bits for any number of threads and with or without shared memory, no allocation
 * while training, names and layouts of PyTorch, impossible shapes refused in a sentence. */
#include "analysis/measures/fisher_trace.h"
#include "nets/graph.h"
#include "tests/net_fixture.h"

enum { K = 5, BATCH = 9 };

/* Also more than cores, than pieces of a batch, and than examples. */
static const int THREADS[] = {2, 3, 8, 19};
enum { THREADS_N = sizeof THREADS / sizeof *THREADS, LAYERS_MOST = 64, ESTIMATORS = 4 };

static const struct net_input INPUT = {"image", 12, 10, 2, 0};
static const struct net_input ONE[] = {{"image", 12, 10, 2, 0}, {0}};
static const struct net_input VIEWS[] = {{"left", 12, 10, 2, 0}, {"right", 12, 10, 2, 0}, {0}};
static const struct net_input SENSES[] = {
    {"image", 12, 10, 2, 0}, {"text", 1, 6, 1, 5}, {"pose", 1, 4, 1, 0}, {0}};
static const struct net_input TEXT[] = {{"text", 1, 6, 1, 5}, {0}};

#define SMALL "channels=[3, 4]", "embedding=5", "features=6", "hidden=7"

/* Small settings, so that finite differences are quick. */
static const struct {
    const char *arch;
    const char *values[8];
    const struct net_input *inputs;
} CASES[] = {
    {"mlp", {"hidden=[]"}, ONE},
    {"mlp", {"hidden=[7, 6]"}, ONE},
    {"mlp", {"hidden=[7, 6]", "norm=none", "init=he_normal"}, ONE},
    {"convfc", {"channels=[3, 4, 5]", "fc=6"}, ONE},
    {"convfc", {"channels=[3, 4, 5]", "fc=6", "norm=none", "init=pytorch"}, ONE},
    {"lenet", {"width=0.125"}, ONE},
    {"lenet", {"width=0.125", "norm=batch"}, ONE},
    {"allcnn", {"width=0.04"}, ONE},
    {"allcnn", {"width=0.04", "norm=none", "bias=false"}, ONE},
    {"allcnn_c", {"width=0.04"}, ONE},
    {"allcnn_depth", {"n=1", "width=0.04"}, ONE},
    {"allcnn_depth", {"n=2", "width=0.04"}, ONE},
    {"allcnn_depth", {"n=3", "width=0.03"}, ONE},
    {"resnet18", {"width=3"}, ONE},
    {"resnet18", {"width=2", "norm=none", "init=pytorch"}, ONE},
    {"towers", {SMALL, "heads=true"}, SENSES},
    {"towers", {SMALL, "fusion=add", "norm=batch"}, SENSES},
    {"towers", {SMALL, "fusion=product", "heads=true", "init=pytorch"}, SENSES},
    {"towers", {SMALL}, TEXT},
    {"towers", {SMALL, "heads=true"}, ONE},
    {"split_allcnn", {"width=0.04", "n=1"}, VIEWS},
    {"split_allcnn", {"width=0.04", "heads=true"}, VIEWS},
    {"split_allcnn", {"width=0.04", "norm=none"}, VIEWS},
    {"deeplinear", {"depth=1", "eps=1"}, ONE},
    {"deeplinear", {"depth=3", "width=6", "eps=1"}, VIEWS},
};
enum { CASES_N = sizeof CASES / sizeof *CASES };

static struct net *make_as(const struct arch *arch, size_t i, int threads) {
    struct error e = {0};
    struct net *net = net_make_many(arch, CASES[i].values, CASES[i].inputs, K, BATCH, threads, &e);
    if (!net) fail_msg("%s", e.text);
    net_init(net, 3);
    return net;
}

static struct net *make(size_t i, int threads) {
    return make_as(arch_find(CASES[i].arch), i, threads);
}

static void shake(struct net *net, size_t i) {
    params_shake(net, 4);
    inputs_fill(net, CASES[i].inputs, BATCH, 5);
}

static struct net *make_shaken(size_t i, int threads) {
    struct net *net = make(i, threads);
    shake(net, i);
    return net;
}

static void train(struct net *net, size_t N, int steps) {
    int32_t labels[BATCH];
    labels_fill(labels, N, K);
    for (int i = 0; i < steps; i++) {
        net_forward(net, N, NET_TRAIN);
        net_loss(net, labels, N);
        net_backward(net, N);
        for (size_t j = 0; j < net_params_count(net); j++)
            net_params(net)[j] -= (real)0.05 * net_grads(net)[j];
    }
}

static void every_architecture_has_a_case(void **unused) {
    (void)unused;
    size_t n;
    const struct arch *const *all = arch_list(&n);
    for (size_t i = 0; i < n; i++) {
        size_t found = 0;
        for (size_t j = 0; j < CASES_N; j++) found += !strcmp(CASES[j].arch, all[i]->name);
        if (!found) fail_msg("architecture %s has no case", all[i]->name);
        assert_ptr_equal(arch_find(all[i]->name), all[i]);
    }
    assert_null(arch_find("no such net"));
}

static void gradients_agree_with_finite_differences(void **unused) {
    (void)unused;
    for (size_t i = 0; i < CASES_N; i++) {
        struct net *net = make_shaken(i, 1);
        check_finite_differences(net, BATCH, K, NET_TRAIN, CASES[i].arch);
        check_finite_differences(net, BATCH, K, NET_EVAL, CASES[i].arch);
        net_free(net);
    }
}

static void squared_gradients_are_those_of_single_examples(void **unused) {
    (void)unused;
    for (size_t i = 0; i < CASES_N; i++) {
        struct net *net = make_shaken(i, 1);
        check_g2_many(net, CASES[i].inputs, BATCH, K, 6, CASES[i].arch);
        net_free(net);
    }
}

/* What a net arrives at after some training: all of it, and what measuring finds. */
struct outcome {
    struct net *net;
    double loss, g2[BATCH * LAYERS_MOST];
    double trace[ESTIMATORS][LAYERS_MOST], spread[ESTIMATORS][LAYERS_MOST];
};

static void probes_feed(void *context, struct net *net, size_t first, size_t n, int32_t *labels) {
    const struct net_input *inputs = *(const struct net_input *const *)context;
    inputs_fill(net, inputs, n, 7 + first);
    labels_fill(labels, n, K);
}

static void fisher(struct outcome *o, const struct net_input *inputs, int estimator) {
    struct measure_examples probes = {2 * BATCH - 1, BATCH, probes_feed,
                                      &(const struct net_input *){inputs}};
    double branch[2 * (NET_INPUTS + 1)];
    struct fisher_result r = {.layer_trace = o->trace[estimator],
                              .layer_stderr = o->spread[estimator],
                              .branch_trace = branch,
                              .branch_stderr = branch + NET_INPUTS + 1};
    struct error e = {0};
    if (fisher_trace(o->net, &probes, (enum fisher_estimator)estimator, 2, 5, 1, &r, &e))
        fail_msg("%s", e.text);
    assert_true(r.trace > 0);
}

static struct outcome *outcome_of(size_t i, int threads) {
    struct outcome *o = calloc(1, sizeof *o);
    int32_t labels[BATCH];
    size_t layers;
    assert_non_null(o);
    o->net = make_shaken(i, threads);
    net_layers(o->net, &layers);
    assert_in_range(layers, 1, LAYERS_MOST);
    labels_fill(labels, BATCH, K);
    train(o->net, BATCH, 3);
    train(o->net, BATCH - 4, 1); /* the last batch of an epoch: fewer examples than threads */
    inputs_fill(o->net, CASES[i].inputs, BATCH, 6);
    o->loss = mean_loss(o->net, labels, BATCH, NET_EVAL);
    net_backward_g2(o->net, BATCH, 1, o->g2);
    for (int f = 0; f < ESTIMATORS; f++) fisher(o, CASES[i].inputs, f);
    return o;
}

static void outcome_free(struct outcome *o) {
    net_free(o->net);
    free(o);
}

static void any_number_of_threads_gives_the_same_bits(void **unused) {
    (void)unused;
    for (size_t i = 0; i < CASES_N; i++) {
        struct outcome *one = outcome_of(i, 1);
        for (size_t t = 0; t < THREADS_N; t++) {
            struct outcome *many = outcome_of(i, THREADS[t]);
            assert_memory_equal(net_params(one->net), net_params(many->net),
                                net_params_count(one->net) * sizeof(real));
            assert_memory_equal(net_buffers(one->net), net_buffers(many->net),
                                net_buffers_count(one->net) * sizeof(real));
            assert_memory_equal(&one->loss, &many->loss, sizeof one->loss);
            assert_memory_equal(one->g2, many->g2, sizeof one->g2);
            assert_memory_equal(one->trace, many->trace, sizeof one->trace);
            assert_memory_equal(one->spread, many->spread, sizeof one->spread);
            outcome_free(many);
        }
        outcome_free(one);
    }
}

static void evaluation_changes_neither_parameters_nor_statistics(void **unused) {
    (void)unused;
    for (size_t i = 0; i < CASES_N; i++) {
        struct net *net = make_shaken(i, 1);
        size_t p = net_params_count(net) * sizeof(real), b = net_buffers_count(net) * sizeof(real);
        real *params = malloc(p + 1), *buffers = malloc(b + 1);
        double *g2 = malloc(BATCH * 64 * sizeof *g2);
        memcpy(params, net_params(net), p);
        memcpy(buffers, net_buffers(net), b);
        int32_t labels[BATCH];
        labels_fill(labels, BATCH, K);
        net_forward(net, BATCH, NET_EVAL);
        net_loss(net, labels, BATCH);
        net_backward(net, BATCH);
        net_backward_g2(net, BATCH, 1, g2);
        assert_memory_equal(params, net_params(net), p);
        assert_memory_equal(buffers, net_buffers(net), b);
        free(g2);
        free(buffers);
        free(params);
        net_free(net);
    }
}

/* ---- what shares memory, beside the same network in which nothing does ---- */

static const struct arch *within; /* the architecture that apart_build builds */

/* A tap stays as it is, and what others read too is never worked on in place. */
static int apart_build(struct graph *g, const struct settings *s, struct error *e) {
    int status = within->build(g, s, e);
    for (size_t v = 0; v < g->values_n && !status; v++) {
        g->values[v].kept = true;
        g->values[v].consumers++;
    }
    return status;
}

static struct net *make_apart(size_t i) {
    within = arch_find(CASES[i].arch);
    struct arch apart = *within;
    apart.build = apart_build;
    struct net *net = make_as(&apart, i, 1);
    shake(net, i);
    return net;
}

static size_t row_reals(const struct tensor *t) {
    return t->W * t->C;
}

static void rows_compare(const struct tensor *a, const struct tensor *b, size_t N) {
    for (size_t n = 0; n < N; n++)
        for (size_t h = 0; h < a->H; h++)
            assert_memory_equal(tensor_at(a, n, h, 0), tensor_at(b, n, h, 0),
                                row_reals(a) * sizeof(real));
}

static void spoil(const struct tensor *t, size_t N) {
    for (size_t n = 0; n < N; n++)
        for (size_t h = 0; h < t->H; h++)
            for (size_t i = 0; i < row_reals(t); i++) tensor_at(t, n, h, 0)[i] = NAN;
}

/* Rectified activations are the same; those that are not kept are destroyed: how many. */
static size_t rectified_compare(struct net *net, struct net *apart, size_t N) {
    const struct tensor *y, *expected;
    size_t layer, other, lost = 0;
    for (size_t i = 0; net_rectified(net, i, &y, &layer); i++) {
        assert_true(net_rectified(apart, i, &expected, &other) && layer == other);
        rows_compare(y, expected, N);
        spoil(y, N);
        net_rectified(net, i, &y, &layer);
        if (isnan(tensor_at(y, 0, 0, 0)[0])) { /* kept, then: put it back */
            for (size_t n = 0; n < N; n++)
                for (size_t h = 0; h < y->H; h++)
                    memcpy(tensor_at(y, n, h, 0), tensor_at(expected, n, h, 0),
                           row_reals(y) * sizeof(real));
            continue;
        }
        rows_compare(y, expected, N);
        spoil(y, N);
        lost++;
    }
    return lost;
}

static void losses_set(struct net *net, size_t i, size_t N) {
    int32_t labels[BATCH];
    labels_fill(labels, N, K);
    net_loss(net, labels, N);
    for (size_t m = 0; CASES[i].inputs[m].name; m++)
        if (net_has_head(net, m)) net_head_loss(net, m, labels, N, 0.5);
}

/* Forward, and several backward passes from it. */
static size_t passes_compare(struct net *net, struct net *apart, size_t i, size_t N,
                             enum net_mode mode) {
    size_t lost = 0, layers;
    net_forward(net, N, mode);
    net_forward(apart, N, mode);
    rows_compare(net_logits(net), net_logits(apart), N);
    rows_compare(net_representation(net), net_representation(apart), N);
    lost = rectified_compare(net, apart, N);
    for (int pass = 0; pass < 2; pass++) {
        losses_set(net, i, N);
        losses_set(apart, i, N);
        net_backward(net, N);
        net_backward(apart, N);
        assert_memory_equal(net_grads(net), net_grads(apart), net_params_count(net) * sizeof(real));
    }
    if (mode != NET_EVAL) return lost;
    double g2[BATCH * LAYERS_MOST], g2_apart[BATCH * LAYERS_MOST];
    losses_set(net, i, N);
    losses_set(apart, i, N);
    net_backward_g2(net, N, 1, g2);
    net_backward_g2(apart, N, 1, g2_apart);
    net_layers(net, &layers);
    assert_memory_equal(g2, g2_apart, N * layers * sizeof *g2);
    return lost;
}

static void memory_that_is_shared_changes_no_bit(void **unused) {
    (void)unused;
    static const enum net_mode modes[] = {NET_TRAIN, NET_EVAL, NET_BATCH, NET_SWITCHED};
    for (size_t i = 0; i < CASES_N; i++) {
        struct net *net = make_shaken(i, 1), *apart = make_apart(i);
        size_t lost = 0;
        for (size_t N = BATCH; N > BATCH - 3; N -= 2)
            for (size_t m = 0; m < sizeof modes / sizeof *modes; m++)
                lost += passes_compare(net, apart, i, N, modes[m]);
        bool again = !strncmp(CASES[i].arch, "allcnn", 6) || !strcmp(CASES[i].arch, "resnet18");
        for (size_t k = 0; k < 8 && CASES[i].values[k]; k++)
            again &= strcmp(CASES[i].values[k], "norm=none") != 0;
        assert_true(!again || lost); /* or nothing was tried */
        net_free(apart);
        net_free(net);
    }
}

/* A net trained while another one is trained beside it, or alone. */
static void two_nets_do_not_touch_each_other(void **unused) {
    (void)unused;
    for (size_t i = 0; i < CASES_N; i++) {
        struct net *alone = make_shaken(i, 1), *beside = make_shaken(i, 1);
        struct net *other = make_shaken((i + 1) % CASES_N, 2);
        for (int step = 0; step < 3; step++) {
            train(alone, BATCH, 1);
            train(beside, BATCH, 1);
            train(other, BATCH - 1, 1);
        }
        assert_memory_equal(net_params(alone), net_params(beside),
                            net_params_count(alone) * sizeof(real));
        net_free(other);
        net_free(beside);
        net_free(alone);
    }
}

static void training_lowers_the_loss(void **unused) {
    (void)unused;
    for (size_t i = 0; i < CASES_N; i++) {
        struct net *net = make(i, 1);
        int32_t labels[BATCH];
        labels_fill(labels, BATCH, K);
        inputs_fill(net, CASES[i].inputs, BATCH, 5);
        double before = mean_loss(net, labels, BATCH, NET_TRAIN);
        train(net, BATCH, 60);
        assert_true(mean_loss(net, labels, BATCH, NET_TRAIN) < before);
        net_free(net);
    }
}

/* ---- memory ---- */

/* Sanitizers bring a malloc of their own. */
#if defined __has_feature
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED
#endif
#endif
#if defined __SANITIZE_ADDRESS__ || defined __SANITIZE_THREAD__
#define SANITIZED
#endif
#if defined __GLIBC__ && !defined SANITIZED
void *__libc_malloc(size_t n);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *p, size_t n);
static volatile size_t allocations; /* counted for this test alone */
void *malloc(size_t n) {
    allocations++;
    return __libc_malloc(n);
}
void *calloc(size_t n, size_t size) {
    allocations++;
    return __libc_calloc(n, size);
}
void *realloc(void *p, size_t n) {
    allocations++;
    return __libc_realloc(p, n);
}

static void nothing_is_allocated_after_net_create(void **unused) {
    (void)unused;
    size_t before = allocations;
    double *g2 = malloc(BATCH * 64 * sizeof *g2), p[BATCH * K];
    assert_int_equal(allocations, before + 1); /* the count does count */
    for (size_t i = 0; i < CASES_N; i++) {
        struct net *net = make_shaken(i, 1);
        before = allocations;
        net_init(net, 8);
        train(net, BATCH, 2);
        net_forward(net, BATCH, NET_EVAL);
        net_probabilities(net, BATCH, p);
        net_backward_g2(net, BATCH, 1, g2);
        assert_int_equal(allocations, before);
        net_free(net);
    }
    free(g2);
}
#define MEMORY_TESTS cmocka_unit_test(nothing_is_allocated_after_net_create),
#else
#define MEMORY_TESTS
#endif

/* ---- names, layouts, initialization ---- */

static const struct net_tensor *tensor_named(struct net *net, const char *name) {
    size_t n;
    const struct net_tensor *t = net_param_table(net, &n);
    for (size_t i = 0; i < n; i++)
        if (!strcmp(t[i].name, name)) return &t[i];
    fail_msg("no tensor %s", name);
    return NULL;
}

static void tensors_bear_the_names_and_shapes_of_pytorch(void **unused) {
    (void)unused;
    static const struct {
        const char *name;
        int rank;
        size_t shape[4];
        const char *layer;
    } expected[] = {
        {"conv1.weight", 4, {3, 2, 3, 3}, "conv1"},
        {"norm1.weight", 1, {3}, "conv1"},
        {"norm1.bias", 1, {3}, "conv1"},
        {"conv2.weight", 4, {4, 3, 3, 3}, "conv2"},
        {"norm2.weight", 1, {4}, "conv2"},
        {"norm2.bias", 1, {4}, "conv2"},
        {"conv3.weight", 4, {5, 4, 3, 3}, "conv3"},
        {"norm3.weight", 1, {5}, "conv3"},
        {"norm3.bias", 1, {5}, "conv3"},
        {"fc1.weight", 2, {6, 45}, "fc1"},
        {"fc1.bias", 1, {6}, "fc1"},
        {"fc2.weight", 2, {5, 6}, "fc2"},
        {"fc2.bias", 1, {5}, "fc2"},
    };
    struct net *net = make(3, 1); /* convfc 3, 4, 5, fc 6; 12 x 10 -> 6 x 5 -> 3 x 3 */
    size_t n, layers;
    const struct net_tensor *t = net_param_table(net, &n);
    const char *const *layer = net_layers(net, &layers);
    assert_int_equal(n, sizeof expected / sizeof *expected);
    for (size_t i = 0; i < n; i++) {
        size_t count = 1;
        assert_string_equal(t[i].name, expected[i].name);
        assert_int_equal(t[i].rank, expected[i].rank);
        for (int d = 0; d < t[i].rank; d++) {
            assert_int_equal(t[i].shape[d], expected[i].shape[d]);
            count *= t[i].shape[d];
        }
        assert_int_equal(t[i].count, count);
        assert_string_equal(layer[t[i].layer], expected[i].layer);
    }
    t = net_buffer_table(net, &n);
    assert_int_equal(n, 6);
    assert_string_equal(t[0].name, "norm1.running_mean");
    assert_string_equal(t[5].name, "norm3.running_var");
    net_free(net);
}

/* torchvision's resnet18 has 11,689,512 parameters. Ours has a stem of 3x3, not 7x7 (64 x 3 x 40
 * less), and 10 classes, not 1,000 (990 x 513 less). */
static void resnet18_is_that_of_torchvision(void **unused) {
    (void)unused;
    static const struct {
        const char *name;
        size_t shape[4];
        const char *layer;
    } expected[] = {
        {"conv1.weight", {64, 3, 3, 3}, "conv1"},
        {"bn1.bias", {64}, "conv1"},
        {"layer1.0.conv1.weight", {64, 64, 3, 3}, "layer1.0.conv1"},
        {"layer1.1.bn2.weight", {64}, "layer1.1.conv2"},
        {"layer2.0.conv1.weight", {128, 64, 3, 3}, "layer2.0.conv1"},
        {"layer2.0.downsample.0.weight", {128, 64, 1, 1}, "layer2.0.downsample.0"},
        {"layer2.0.downsample.1.bias", {128}, "layer2.0.downsample.0"},
        {"layer4.1.conv2.weight", {512, 512, 3, 3}, "layer4.1.conv2"},
        {"fc.weight", {10, 512}, "fc"},
    };
    struct net *net = net_make(arch_find("resnet18"), NULL,
                               (struct net_input){"image", 32, 32, 3, 0}, 10, 1, 1, NULL);
    size_t n, layers, count = 0;
    const char *const *layer = net_layers(net, &layers);
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++) {
        const struct net_tensor *t = tensor_named(net, expected[i].name);
        assert_memory_equal(t->shape, expected[i].shape, (size_t)t->rank * sizeof *t->shape);
        assert_string_equal(layer[t->layer], expected[i].layer);
    }
    const struct net_tensor *t = net_param_table(net, &n);
    assert_int_equal(layers, 1 + 16 + 3 + 1);
    assert_int_equal(n, 20 * 3 + 2);
    for (size_t i = 0; i < n; i++) count += t[i].count;
    assert_int_equal(count, 11689512 - 64 * 3 * 40 - 990 * 513);
    t = net_buffer_table(net, &n);
    assert_int_equal(n, 20 * 2);
    assert_string_equal(t[15].name, "layer2.0.downsample.1.running_var");
    net_free(net);
}

/* `whole` is the tensor as exported; its rows go out and in a few at a time. */
static void rows_are_those_of_the_whole(struct net *net, const struct net_tensor *t,
                                        const real *whole) {
    const size_t rows = t->shape[0], row = t->count / rows, n = net_params_count(net);
    real *piece = malloc(t->count * sizeof *piece), *arena = calloc(n, sizeof *arena);
    assert_true(piece && arena);
    for (size_t first = 0, last; first < rows; first = last) {
        last = first + 1 + first % 3 < rows ? first + 1 + first % 3 : rows;
        net_export_rows(net, t, first, last, net_params(net), piece);
        assert_memory_equal(piece, whole + first * row, (last - first) * row * sizeof *piece);
        net_import_rows(net, t, first, last, arena, piece);
    }
    assert_memory_equal(arena + t->offset, net_params(net) + t->offset, t->count * sizeof *arena);
    free(arena);
    free(piece);
}

static void what_is_exported_and_imported_is_what_it_was(void **unused) {
    (void)unused;
    for (size_t i = 0; i < CASES_N; i++) {
        struct net *a = make_shaken(i, 1), *b = make(i, 1);
        size_t n;
        const struct net_tensor *t = net_param_table(a, &n);
        const struct net_tensor *u = net_param_table(b, &n);
        for (size_t j = 0; j < n; j++) {
            real *out = malloc(t[j].count * sizeof *out);
            net_export(a, &t[j], net_params(a), out);
            net_import(b, &u[j], net_params(b), out);
            assert_memory_equal(net_params(a) + t[j].offset, net_params(b) + u[j].offset,
                                t[j].count * sizeof(real));
            rows_are_those_of_the_whole(a, &t[j], out);
            free(out);
        }
        net_free(b);
        net_free(a);
    }
}

/* conv 3x3 pad 1, ReLU, ..., as PyTorch would with the exported weights: plain loops over c h w. */
static void conv_plain(const double *x, const real *w, size_t C, size_t O, size_t H, size_t W,
                       size_t stride, double *y) {
    size_t OH = (H - 1) / stride + 1, OW = (W - 1) / stride + 1;
    for (size_t o = 0; o < O; o++)
        for (size_t i = 0; i < OH; i++)
            for (size_t j = 0; j < OW; j++) {
                double sum = 0;
                for (size_t c = 0; c < C; c++)
                    for (size_t r = 0; r < 3; r++)
                        for (size_t s = 0; s < 3; s++) {
                            size_t h = i * stride + r, v = j * stride + s; /* padded by 1 */
                            if (h < 1 || v < 1 || h > H || v > W) continue;
                            sum += x[(c * H + h - 1) * W + v - 1] *
                                   (double)w[((o * C + c) * 3 + r) * 3 + s];
                        }
                y[(o * OH + i) * OW + j] = fmax(sum, 0);
            }
}

static void exported(struct net *net, const char *name, real *out) {
    net_export(net, tensor_named(net, name), net_params(net), out);
}

static void exported_weights_mean_what_they_mean_in_pytorch(void **unused) {
    (void)unused;
    enum { H = 12, W = 10 };
    struct net *net = make(4, 1); /* convfc without norm, biases set to 0 below */
    static real w1[3 * 2 * 9], w2[4 * 3 * 9], w3[5 * 4 * 9], f1[6 * 45], f2[5 * 6];
    static double x[2 * H * W], y1[3 * H * W], y2[4 * 6 * 5], y3[45], h[6];
    size_t n;
    const struct net_tensor *t = net_param_table(net, &n);
    for (size_t i = 0; i < n; i++)
        if (t[i].rank == 1) memset(net_params(net) + t[i].offset, 0, t[i].count * sizeof(real));
    input_fill(net, 1, 5);
    net_forward(net, 1, NET_EVAL);
    for (size_t i = 0; i < H * W; i++)
        for (size_t c = 0; c < 2; c++)
            x[c * H * W + i] = (double)tensor_at(net_input_tensor(net, 0), 0, i / W, i % W)[c];
    exported(net, "conv1.weight", w1);
    exported(net, "conv2.weight", w2);
    exported(net, "conv3.weight", w3);
    exported(net, "fc1.weight", f1);
    exported(net, "fc2.weight", f2);
    conv_plain(x, w1, 2, 3, H, W, 1, y1);
    conv_plain(y1, w2, 3, 4, H, W, 2, y2);
    conv_plain(y2, w3, 4, 5, 6, 5, 2, y3);
    for (size_t o = 0; o < 6; o++) {
        h[o] = 0;
        for (size_t i = 0; i < 45; i++) h[o] += y3[i] * (double)f1[o * 45 + i];
        h[o] = fmax(h[o], 0);
    }
    for (size_t k = 0; k < K; k++) {
        double z = 0;
        for (size_t i = 0; i < 6; i++) z += h[i] * (double)f2[k * 6 + i];
        assert_near((double)net_logits(net)->data[k], z, TOLERANCE * (1 + fabs(z)));
    }
    net_free(net);
}

static void initialization_depends_on_seed_name_and_shape_alone(void **unused) {
    (void)unused;
    struct net *a = make(3, 1), *b = net_make(arch_find("convfc"),
                                              (const char *[]){"channels=[3, 4, 5]", "fc=9", NULL},
                                              INPUT, K + 1, 1, 2, NULL);
    net_init(b, 3);
    const struct net_tensor *t = tensor_named(a, "conv2.weight");
    const struct net_tensor *u = tensor_named(b, "conv2.weight");
    assert_memory_equal(net_params(a) + t->offset, net_params(b) + u->offset,
                        t->count * sizeof(real));
    net_init(b, 4);
    assert_memory_not_equal(net_params(a) + t->offset, net_params(b) + u->offset,
                            t->count * sizeof(real));
    net_init(b, 3);
    assert_memory_equal(net_params(a) + t->offset, net_params(b) + u->offset,
                        t->count * sizeof(real));
    net_free(b);
    net_free(a);
}

/* Sample variance of n draws: relative s.d. sqrt(2/n) for a normal, less for a uniform law; the
 * bound is 5 of these. */
static void check_variance(struct net *net, const char *name, double expected) {
    const struct net_tensor *t = tensor_named(net, name);
    double sum = 0;
    for (size_t i = 0; i < t->count; i++) {
        double w = (double)net_params(net)[t->offset + i];
        sum += w * w;
    }
    assert_near(sum / (double)t->count / expected, 1, 5 * sqrt(2 / (double)t->count));
}

static void initialization_has_the_promised_variance(void **unused) {
    (void)unused;
    const struct arch *convfc = arch_find("convfc");
    struct net *he = net_make(convfc, NULL, INPUT, K, 1, 1, NULL);
    struct net *torch =
        net_make(convfc, (const char *[]){"init=pytorch", "norm=none", NULL}, INPUT, K, 1, 1, NULL);
    net_init(he, 1);
    net_init(torch, 1);
    check_variance(he, "conv3.weight", 2.0 / (16 * 9));
    check_variance(he, "fc1.weight", 2.0 / 144);
    for (size_t i = 0; i < 128; i++)
        assert_true(net_params(he)[tensor_named(he, "fc1.bias")->offset + i] == 0);
    check_variance(torch, "conv3.weight", 1.0 / 3 / (16 * 9));
    check_variance(torch, "fc1.weight", 1.0 / 3 / 144);
    check_variance(torch, "fc1.bias", 1.0 / 3 / 144);
    const char *const narrow[] = {"width=16", NULL};
    struct net *vision = net_make(arch_find("resnet18"), narrow, INPUT, K, 1, 1, NULL);
    net_init(vision, 1);
    check_variance(vision, "layer2.0.conv1.weight", 2.0 / (32 * 9));
    check_variance(vision, "layer2.0.downsample.0.weight", 2.0 / 32);
    check_variance(vision, "fc.weight", 1.0 / 3 / 128);
    net_free(vision);
    net_free(torch);
    net_free(he);
}

/* hidden: [] is softmax regression, whose gradient is known: dw = sum (p - onehot) x^T / N. */
static void softmax_regression_has_its_closed_form_gradient(void **unused) {
    (void)unused;
    struct net *net = make_shaken(0, 1);
    const struct tensor *x = net_input_tensor(net, 0);
    const struct net_tensor *w = tensor_named(net, "fc1.weight");
    size_t pixels = x->H * x->W, D = pixels * x->C;
    int32_t labels[BATCH];
    double p[BATCH * K];
    labels_fill(labels, BATCH, K);
    mean_loss(net, labels, BATCH, NET_TRAIN);
    net_probabilities(net, BATCH, p);
    net_backward(net, BATCH);
    real *dw = malloc(w->count * sizeof *dw);
    net_export(net, w, net_grads(net), dw);
    for (size_t k = 0; k < K; k++)
        for (size_t i = 0; i < D; i++) { /* i counts c h w */
            double sum = 0;
            for (size_t n = 0; n < BATCH; n++) {
                double z = (double)tensor_at(x, n, i % pixels / x->W, i % x->W)[i / pixels];
                sum += (p[n * K + k] - ((int32_t)k == labels[n])) * z / BATCH;
            }
            assert_near((double)dw[k * D + i], sum, TOLERANCE);
        }
    free(dw);
    net_free(net);
}

static void a_loss_is_that_of_its_logits(void **unused) {
    (void)unused;
    struct net *net = make(0, 1);
    const struct net_tensor *b = tensor_named(net, "fc1.bias");
    memset(net_params(net), 0, net_params_count(net) * sizeof(real));
    const double logits[K] = {0, 1, 2, 3, 3};
    for (size_t k = 0; k < K; k++) net_params(net)[b->offset + k] = (real)logits[k];
    double sum = 0, h = 0, p[2 * K];
    for (size_t k = 0; k < K; k++) sum += exp(logits[k]);
    for (size_t k = 0; k < K; k++) h -= exp(logits[k]) / sum * (logits[k] - log(sum));
    input_fill(net, 2, 1);
    net_forward(net, 2, NET_EVAL);
    struct net_loss loss = net_loss(net, (int32_t[]){1, 3}, 2);
    assert_near(loss.loss, 2 * log(sum) - 1 - 3, 1e-12);
    assert_near(loss.entropy, 2 * h, 1e-12);
    assert_int_equal(loss.correct, 0); /* class 3 ties with class 4 */
    net_params(net)[b->offset + 4] = -5;
    net_forward(net, 2, NET_EVAL);
    assert_int_equal(net_loss(net, (int32_t[]){1, 3}, 2).correct, 1);
    net_probabilities(net, 2, p);
    assert_near(p[0] + p[1] + p[2] + p[3] + p[4], 1, 1e-12);
    net_params(net)[b->offset] = (real)NAN;
    net_forward(net, 2, NET_EVAL);
    loss = net_loss(net, (int32_t[]){1, 3}, 2);
    assert_true(isnan(loss.loss));
    assert_int_equal(loss.correct, 0);
    net_free(net);
}

/* ---- refusals ---- */

static void check_refused(const char *arch, const char *const *values, struct net_input input,
                          size_t classes, size_t batch, const char *part1, const char *part2) {
    struct error e = {0};
    assert_null(net_make(arch_find(arch), values, input, classes, batch, 1, &e));
    assert_int_equal(e.status, STATUS_USAGE);
    if (!strstr(e.text, part1) || !strstr(e.text, part2))
        fail_msg("\"%s\" should name \"%s\" and \"%s\"", e.text, part1, part2);
}

static void impossible_shapes_are_refused_in_a_sentence(void **unused) {
    (void)unused;
    const struct net_input tiny = {"image", 1, 3, 1, 0}, image = {"image", 32, 32, 3, 0};
    const struct net_input vast = {"image", SIZE_MAX / 4, 8, 3, 0};
    const char *const wide[] = {"hidden=[1000000, 1000000]", NULL};
    const char *const two[] = {"channels=[1, 2]", NULL};
    check_refused("lenet", NULL, tiny, K, 1, "net lenet", "layer maxpool");
    check_refused("mlp", wide, image, K, 1, "net mlp", "GiB");
    check_refused("mlp", NULL, vast, K, 1, "net mlp", "smaller");
    check_refused("allcnn", NULL, image, K, SIZE_MAX / 2, "net allcnn", "batch");
    check_refused("allcnn_c", NULL, image, K, 10000000, "net allcnn_c", "make");
    check_refused("mlp", NULL, image, SIZE_MAX / 2, 1, "net mlp", "smaller");
    check_refused("convfc", two, image, K, 1, "net convfc", "channels");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        MEMORY_TESTS cmocka_unit_test(every_architecture_has_a_case),
        cmocka_unit_test(gradients_agree_with_finite_differences),
        cmocka_unit_test(squared_gradients_are_those_of_single_examples),
        cmocka_unit_test(any_number_of_threads_gives_the_same_bits),
        cmocka_unit_test(evaluation_changes_neither_parameters_nor_statistics),
        cmocka_unit_test(memory_that_is_shared_changes_no_bit),
        cmocka_unit_test(two_nets_do_not_touch_each_other),
        cmocka_unit_test(training_lowers_the_loss),
        cmocka_unit_test(tensors_bear_the_names_and_shapes_of_pytorch),
        cmocka_unit_test(resnet18_is_that_of_torchvision),
        cmocka_unit_test(what_is_exported_and_imported_is_what_it_was),
        cmocka_unit_test(exported_weights_mean_what_they_mean_in_pytorch),
        cmocka_unit_test(initialization_depends_on_seed_name_and_shape_alone),
        cmocka_unit_test(initialization_has_the_promised_variance),
        cmocka_unit_test(softmax_regression_has_its_closed_form_gradient),
        cmocka_unit_test(a_loss_is_that_of_its_logits),
        cmocka_unit_test(impossible_shapes_are_refused_in_a_sentence),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
