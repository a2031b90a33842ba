/* Nets of several modalities: which branch a layer belongs to, taps that can be read and written,
 * the trunk alone, auxiliary heads, representations and rectifiers, and inputs that do not fit. */
#include "tests/net_fixture.h"

#include "nets/graph.h"

enum { K = 5, BATCH = 9 };

static const struct net_input SENSES[] = {
    {"image", 12, 10, 2, 0}, {"text", 1, 6, 1, 5}, {"pose", 1, 4, 1, 0}, {0}};
static const struct net_input VIEWS[] = {{"left", 12, 10, 2, 0}, {"right", 12, 10, 2, 0}, {0}};
static const struct net_input ONE[] = {{"image", 12, 10, 2, 0}, {0}};

#define SMALL "channels=[3, 4]", "embedding=5", "features=6", "hidden=7"

/* A tap that a ReLU could work on in place, and one that a padded convolution reads. */
static int tapped_build(struct graph *g, const struct settings *s, struct error *e) {
    (void)s, (void)e;
    int x[2];
    for (size_t m = 0; m < 2; m++) {
        struct op_options o = {
            .name = m ? "b" : "a", .outputs = 3, .kernel = 3, .pad = 1, .bias = true};
        x[m] = graph_tap(g, graph_conv(g, graph_input(g, m), o), m);
    }
    struct op_options last = {.name = "c", .outputs = 3, .kernel = 3, .pad = 1, .bias = true};
    int y = graph_add(g, graph_relu(g, x[0]), graph_conv(g, x[1], last));
    return graph_output(g, graph_linear(g, graph_flatten(g, y), "head", K));
}
static const struct param NONE[] = {{0}};
static const struct arch TAPPED = {"tapped", "Two taps.", NONE, tapped_build, NULL};

static const struct {
    const char *arch; /* NULL: TAPPED */
    const char *values[8];
    const struct net_input *inputs;
} CASES[] = {
    {"towers", {SMALL, "heads=true"}, SENSES},
    {"towers", {SMALL, "heads=true", "fusion=add", "norm=batch"}, SENSES},
    {"towers", {SMALL, "heads=true", "fusion=product"}, SENSES},
    {"towers", {SMALL, "heads=true"}, ONE},
    {"split_allcnn", {"width=0.04", "heads=true"}, VIEWS},
    {"split_allcnn", {"width=0.04", "heads=true", "norm=none"}, VIEWS},
    {NULL, {NULL}, VIEWS},
};
enum { CASES_N = sizeof CASES / sizeof *CASES, CASES_WITH_HEADS = CASES_N - 1 };

static size_t modalities(size_t i) {
    size_t n = 0;
    while (CASES[i].inputs[n].name) n++;
    return n;
}

static struct net *make(size_t i, const char *const *values, int threads) {
    struct error e = {0};
    const struct arch *arch = CASES[i].arch ? arch_find(CASES[i].arch) : &TAPPED;
    struct net *net = net_make_many(arch, values, CASES[i].inputs, K, BATCH, threads, &e);
    if (!net) fail_msg("%s", e.text);
    net_init(net, 3);
    inputs_fill(net, CASES[i].inputs, BATCH, 5);
    return net;
}

static struct net *make_shaken(size_t i, int threads) {
    struct net *net = make(i, CASES[i].values, threads);
    params_shake(net, 4);
    return net;
}

/* ---- branches and names ---- */

static void layers_belong_to_the_one_modality_that_reaches_them(void **unused) {
    (void)unused;
    static const struct {
        const char *layer;
        int branch;
    } expected[] = {{"image.conv1", 0}, {"image.conv2", 0}, {"image.fc", 0},    {"text.embed", 1},
                    {"text.fc", 1},     {"pose.fc", 2},     {"head_image", -1}, {"head_text", -1},
                    {"head_pose", -1},  {"fusion.fc1", 3},  {"fusion.fc2", 3}};
    struct net *net = make_shaken(0, 1);
    size_t layers, n;
    const char *const *layer = net_layers(net, &layers), *const *branch = net_branches(net, &n);
    assert_int_equal(n, 4);
    assert_string_equal(branch[0], "image");
    assert_string_equal(branch[2], "pose");
    assert_string_equal(branch[3], "trunk");
    assert_int_equal(layers, sizeof expected / sizeof *expected);
    for (size_t l = 0; l < layers; l++) {
        assert_string_equal(layer[l], expected[l].layer);
        assert_int_equal(net_layer_branch(net, l), expected[l].branch);
    }
    net_free(net);
}

static void views_have_a_pathway_each_and_meet_after_the_last_halving(void **unused) {
    (void)unused;
    static const char *const layers_expected[] = {
        "left.conv1",  "left.conv2",  "left.conv3",   "left.conv4",   "left.conv5",
        "right.conv1", "right.conv2", "right.conv3",  "right.conv4",  "right.conv5",
        "head_left",   "head_right",  "fusion.conv6", "fusion.conv7", "fusion.conv8"};
    struct net *net = make_shaken(4, 1);
    size_t layers;
    const char *const *layer = net_layers(net, &layers);
    assert_int_equal(layers, 15);
    for (size_t l = 0; l < layers; l++) {
        assert_string_equal(layer[l], layers_expected[l]);
        assert_int_equal(net_layer_branch(net, l), l < 5 ? 0 : l < 10 ? 1 : l < 12 ? -1 : 2);
    }
    assert_int_equal(net_tap_size(net, 0), 3 * 3 * 15); /* 12 x 10 halved twice; 384 x 0.04 */
    net_free(net);
}

static void a_net_of_one_input_has_no_branches(void **unused) {
    (void)unused;
    struct net *net = make_shaken(3, 1);
    size_t layers, n;
    net_layers(net, &layers);
    net_branches(net, &n);
    assert_int_equal(n, 0);
    for (size_t l = 0; l < layers; l++) assert_int_equal(net_layer_branch(net, l), -1);
    assert_true(net_has_tap(net, 0) && net_has_head(net, 0));
    net_free(net);
}

static void check_all_differ(const struct net_tensor *t, size_t n) {
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < i; j++)
            if (!strcmp(t[i].name, t[j].name)) fail_msg("two tensors are called %s", t[i].name);
}

/* Names of 31 characters that differ at their end, and names that the net itself uses. */
static void tensors_of_any_modality_have_names_of_their_own(void **unused) {
    (void)unused;
    static const struct net_input inputs[] = {{"a_view_with_a_long_name_from_01", 8, 8, 1, 0},
                                              {"a_view_with_a_long_name_from_02", 8, 8, 1, 0},
                                              {"fusion", 1, 3, 1, 9},
                                              {"head_fusion", 1, 3, 1, 0},
                                              {0}};
    const char *const values[] = {SMALL, "norm=batch", "heads=true", NULL};
    struct error e = {0};
    struct net *net = net_make_many(arch_find("towers"), values, inputs, K, 1, 1, &e);
    size_t n;
    if (!net) fail_msg("%s", e.text);
    const struct net_tensor *t = net_param_table(net, &n);
    check_all_differ(t, n);
    assert_string_equal(t[0].name, "a_view_with_a_long_name_from_01.conv1.weight");
    t = net_buffer_table(net, &n);
    check_all_differ(t, n);
    assert_string_equal(t[7].name, "a_view_with_a_long_name_from_02.norm2.running_var");
    net_free(net);
}

/* ---- taps ---- */

static real *logits_copy(const struct net *net, size_t N) {
    real *out = malloc(N * K * sizeof *out);
    memcpy(out, net_logits(net)->data, N * K * sizeof *out);
    return out;
}

static void the_trunk_alone_continues_what_the_taps_hold(void **unused) {
    (void)unused;
    for (size_t i = 0; i < CASES_N; i++) {
        struct net *net = make_shaken(i, 1);
        net_forward(net, BATCH, NET_TRAIN); /* running statistics that are not the start's */
        net_forward(net, BATCH, NET_EVAL);
        real *whole = logits_copy(net, BATCH);
        memset(net_logits(net)->data, 0, BATCH * K * sizeof *whole);
        net_forward_trunk(net, BATCH);
        assert_memory_equal(whole, net_logits(net)->data, BATCH * K * sizeof *whole);
        free(whole);
        net_free(net);
    }
}

/* All taps of example n to those of example n + 1, around: so go the logits, to the bit. */
static void what_is_read_from_a_tap_may_be_written_elsewhere(void **unused) {
    (void)unused;
    for (size_t i = 0; i < CASES_N; i++) {
        struct net *net = make_shaken(i, 1);
        net_forward(net, BATCH, NET_EVAL);
        real *whole = logits_copy(net, BATCH);
        for (size_t m = 0; m < modalities(i); m++) {
            size_t size = net_tap_size(net, m);
            real *kept = malloc(BATCH * size * sizeof *kept);
            for (size_t n = 0; n < BATCH; n++) net_tap_read(net, m, n, kept + n * size);
            for (size_t n = 0; n < BATCH; n++)
                net_tap_write(net, m, (n + 1) % BATCH, kept + n * size);
            free(kept);
        }
        net_forward_trunk(net, BATCH);
        for (size_t n = 0; n < BATCH; n++)
            for (size_t k = 0; k < K; k++) {
                double a = (double)whole[n * K + k];
                double b = (double)net_logits(net)->data[(n + 1) % BATCH * K + k];
                assert_near(a, b, TOLERANCE * (1 + fabs(a)));
            }
        free(whole);
        net_free(net);
    }
}

static void one_tap_alone_decides_what_a_product_of_zero_leaves(void **unused) {
    (void)unused;
    struct net *net = make_shaken(2, 1); /* a product of three */
    real zeros[6] = {0};
    net_forward(net, 2, NET_EVAL);
    net_tap_write(net, 1, 0, zeros);
    net_tap_write(net, 2, 1, zeros);
    net_forward_trunk(net, 2);
    const real *y = net_logits(net)->data;
    for (size_t k = 0; k < K; k++) assert_true(y[k] == y[K + k]);
    net_free(net);
}

static void a_tap_keeps_what_its_encoder_gave(void **unused) {
    (void)unused;
    struct net *net = make_shaken(CASES_N - 1, 1);
    real x[12 * 10 * 3];
    size_t negative = 0;
    assert_int_equal(net_tap_size(net, 0), sizeof x / sizeof *x);
    net_forward(net, BATCH, NET_TRAIN);
    net_tap_read(net, 0, BATCH - 1, x); /* before the ReLU that follows */
    for (size_t j = 0; j < sizeof x / sizeof *x; j++) negative += x[j] < 0;
    assert_true(negative > 10);
    net_free(net);
}

/* ---- heads ---- */

/* Mean loss of the net plus weighted mean losses of its heads; ready for net_backward. */
static double weighted_loss(struct net *net, size_t heads, const double *weight,
                            const int32_t *labels) {
    double sum = mean_loss(net, labels, BATCH, NET_TRAIN);
    for (size_t m = 0; m < heads; m++)
        sum += weight[m] * net_head_loss(net, m, labels, BATCH, weight[m]).loss / BATCH;
    return sum;
}

/* As fd_error in the fixture, with the heads' losses. */
static double fd_error_heads(struct net *net, const struct net_tensor *t, size_t heads,
                             const double *weight, const int32_t *labels) {
    real *w = net_params(net) + t->offset, *d = malloc(2 * t->count * sizeof *d);
    real *kept = d + t->count;
    struct rng rng = rng_stream(1, "order", 2, t->offset);
    double whole = 0, length = 0, along = 0;
    memcpy(kept, w, t->count * sizeof *w);
    weighted_loss(net, heads, weight, labels);
    net_backward(net, BATCH);
    for (size_t i = 0; i < net_params_count(net); i++) whole += pow((double)net_grads(net)[i], 2);
    for (size_t i = 0; i < t->count; i++) d[i] = (real)rng_normal(&rng);
    for (size_t i = 0; i < t->count; i++) length += (double)d[i] * (double)d[i];
    for (size_t i = 0; i < t->count; i++) d[i] = (real)((double)d[i] / sqrt(length));
    for (size_t i = 0; i < t->count; i++)
        along += (double)net_grads(net)[t->offset + i] * (double)d[i];
    for (size_t i = 0; i < t->count; i++) w[i] = kept[i] + (real)FD_STEP * d[i];
    double up = weighted_loss(net, heads, weight, labels);
    for (size_t i = 0; i < t->count; i++) w[i] = kept[i] - (real)FD_STEP * d[i];
    double down = weighted_loss(net, heads, weight, labels);
    memcpy(w, kept, t->count * sizeof *w);
    free(d);
    return fabs((up - down) / (2 * FD_STEP) - along) / sqrt(whole);
}

static void losses_of_heads_have_the_gradient_of_finite_differences(void **unused) {
    (void)unused;
    const double weight[] = {0.7, 2, 0.4};
    int32_t labels[BATCH];
    labels_fill(labels, BATCH, K);
    for (size_t i = 0; i < CASES_WITH_HEADS; i++) {
        struct net *net = make_shaken(i, 1);
        size_t n;
        const struct net_tensor *t = net_param_table(net, &n);
        for (size_t j = 0; j < n; j++) {
            double error = fd_error_heads(net, &t[j], modalities(i), weight, labels);
            if (!(error < FD_TOLERANCE))
                fail_msg("case %zu: gradient of %s is off by %g", i, t[j].name, error);
        }
        net_free(net);
    }
}

static bool of_a_head(const char *name) {
    return strncmp(name, "head_", 5) == 0;
}

/* Gradients of the tensors that both have are the same bits; those of heads are 0. */
static void check_same_but_for_heads(struct net *with, struct net *without) {
    size_t n, others, matched = 0;
    const struct net_tensor *t = net_param_table(with, &n), *u = net_param_table(without, &others);
    for (size_t i = 0; i < n; i++) {
        const real *a = net_grads(with) + t[i].offset;
        for (size_t j = 0; j < others; j++) {
            if (strcmp(t[i].name, u[j].name)) continue;
            assert_memory_equal(a, net_grads(without) + u[j].offset, t[i].count * sizeof *a);
            matched++;
        }
        for (size_t j = 0; of_a_head(t[i].name) && j < t[i].count; j++) assert_true(a[j] == 0);
    }
    assert_int_equal(matched, others);
}

static void backward(struct net *net, double head_weight) {
    int32_t labels[BATCH];
    labels_fill(labels, BATCH, K);
    net_forward(net, BATCH, NET_TRAIN);
    net_loss(net, labels, BATCH);
    for (size_t m = 0; m < NET_INPUTS && head_weight >= 0; m++)
        if (net_has_head(net, m)) net_head_loss(net, m, labels, BATCH, head_weight);
    net_backward(net, BATCH);
}

static void heads_without_a_weight_change_no_bit(void **unused) {
    (void)unused;
    for (size_t i = 0; i < CASES_WITH_HEADS; i++) {
        const char *plain[8];
        memcpy(plain, CASES[i].values, sizeof plain);
        for (size_t j = 0; plain[j]; j++)
            if (!strcmp(plain[j], "heads=true")) plain[j] = "heads=false";
        struct net *with = make(i, CASES[i].values, 1), *without = make(i, plain, 1);
        backward(without, -1);
        for (int trial = 0; trial < 3; trial++) { /* not asked, weight 0, forgotten */
            if (trial == 2) backward(with, 1);
            memset(net_buffers(with), 0, net_buffers_count(with) * sizeof(real));
            backward(with, trial == 1 ? 0 : -1);
            check_same_but_for_heads(with, without);
        }
        net_free(without);
        net_free(with);
    }
}

static void heads_have_no_part_in_squared_gradients(void **unused) {
    (void)unused;
    for (size_t i = 0; i < CASES_WITH_HEADS; i++) {
        struct net *net = make_shaken(i, 1);
        size_t layers;
        const char *const *layer = net_layers(net, &layers);
        double *g2 = malloc(2 * BATCH * layers * sizeof *g2), *after = g2 + BATCH * layers;
        int32_t labels[BATCH];
        labels_fill(labels, BATCH, K);
        net_forward(net, BATCH, NET_EVAL);
        net_loss(net, labels, BATCH);
        net_backward_g2(net, BATCH, 1, g2);
        net_forward(net, BATCH, NET_EVAL);
        net_loss(net, labels, BATCH);
        for (size_t m = 0; m < modalities(i); m++) net_head_loss(net, m, labels, BATCH, 3);
        net_backward_g2(net, BATCH, 1, after);
        assert_memory_equal(g2, after, BATCH * layers * sizeof *g2);
        for (size_t j = 0; j < BATCH * layers; j++)
            if (of_a_head(layer[j % layers])) assert_true(g2[j] == 0);
        free(g2);
        net_free(net);
    }
}

static void losses_of_one_head_add_up(void **unused) {
    (void)unused;
    struct net *net = make_shaken(0, 1);
    size_t n = net_params_count(net);
    real *once = malloc(n * sizeof *once);
    int32_t labels[BATCH];
    labels_fill(labels, BATCH, K);
    net_forward(net, BATCH, NET_EVAL);
    net_loss(net, labels, BATCH);
    net_head_loss(net, 1, labels, BATCH, 1);
    net_backward(net, BATCH);
    memcpy(once, net_grads(net), n * sizeof *once);
    net_forward(net, BATCH, NET_EVAL);
    net_loss(net, labels, BATCH);
    struct net_loss a = net_head_loss(net, 1, labels, BATCH, 0.25);
    struct net_loss b = net_head_loss(net, 1, labels, BATCH, 0.75);
    net_backward(net, BATCH);
    assert_true(a.loss == b.loss && a.loss > 0);
    for (size_t j = 0; j < n; j++)
        assert_near((double)once[j], (double)net_grads(net)[j],
                    TOLERANCE * (1 + fabs((double)once[j])));
    free(once);
    net_free(net);
}

static void heads_give_the_same_bits_for_any_number_of_threads(void **unused) {
    (void)unused;
    for (size_t i = 0; i < CASES_WITH_HEADS; i++) {
        struct net *one = make_shaken(i, 1);
        backward(one, 0.6);
        for (int threads = 2; threads < 4; threads++) {
            struct net *many = make_shaken(i, threads);
            backward(many, 0.6);
            assert_memory_equal(net_grads(one), net_grads(many),
                                net_params_count(one) * sizeof(real));
            net_free(many);
        }
        net_free(one);
    }
}

/* A head learns from its modality alone while the trunk's loss is left out. */
static void a_head_can_learn(void **unused) {
    (void)unused;
    struct net *net = make(0, CASES[0].values, 1);
    int32_t labels[BATCH];
    const real zeros[BATCH * K] = {0};
    double first = 0, last = 0;
    labels_fill(labels, BATCH, K);
    for (int step = 0; step < 300; step++) {
        net_forward(net, BATCH, NET_TRAIN);
        net_set_dlogits(net, BATCH, zeros);
        last = net_head_loss(net, 0, labels, BATCH, 1).loss / BATCH;
        if (!step) first = last;
        net_backward(net, BATCH);
        for (size_t j = 0; j < net_params_count(net); j++)
            net_params(net)[j] -= (real)0.05 * net_grads(net)[j];
    }
    assert_true(last < 0.5 * first);
    net_free(net);
}

/* ---- representation and rectifiers ---- */

static const real *param_named(struct net *net, const char *name) {
    size_t n;
    const struct net_tensor *t = net_param_table(net, &n);
    for (size_t i = 0; i < n; i++)
        if (!strcmp(t[i].name, name)) return net_params(net) + t[i].offset;
    fail_msg("no tensor %s", name);
    return NULL;
}

static void logits_are_linear_in_the_representation(void **unused) {
    (void)unused;
    struct net *net = make_shaken(0, 1);
    net_forward(net, BATCH, NET_TRAIN);
    const struct tensor *z = net_representation(net);
    const real *w = param_named(net, "fusion.fc2.weight"), *b = param_named(net, "fusion.fc2.bias");
    assert_true(z->C == 7 && z->H == 1 && z->W == 1);
    for (size_t n = 0; n < BATCH; n++)
        for (size_t k = 0; k < K; k++) {
            double y = (double)b[k];
            for (size_t i = 0; i < 7; i++)
                y += (double)w[7 * k + i] * (double)tensor_at(z, n, 0, 0)[i];
            assert_near((double)net_logits(net)->data[n * K + k], y, TOLERANCE * (1 + fabs(y)));
        }
    net_free(net);
}

static void a_convolutional_net_ends_in_a_spatial_representation(void **unused) {
    (void)unused;
    struct net *net = make_shaken(4, 1);
    net_forward(net, BATCH, NET_EVAL);
    const struct tensor *z = net_representation(net);
    assert_true(z->H == 3 && z->W == 3 && z->C == 15);
    net_free(net);
}

/* The names of the layers whose activations are rectified, "a b c ". */
static void rectified_layers(struct net *net, char *text, size_t size) {
    size_t layers, l, length = 0;
    const char *const *layer = net_layers(net, &layers);
    const struct tensor *y;
    text[0] = 0;
    net_forward(net, BATCH, NET_TRAIN);
    for (size_t i = 0; net_rectified(net, i, &y, &l); i++) {
        length += (size_t)snprintf(text + length, size - length, "%s ", layer[l]);
        for (size_t h = 0; h < y->H; h++)
            for (size_t j = 0; j < y->W * y->C; j++) assert_true(tensor_at(y, 1, h, 0)[j] >= 0);
    }
}

static void rectifiers_are_listed_with_their_layers(void **unused) {
    (void)unused;
    static const struct {
        const char *arch, *value;
        const struct net_input *inputs;
        const char *layers;
    } expected[] = {
        {"lenet", "norm=none", ONE, "conv1 conv2 fc1 "},
        {"lenet", "norm=batch", ONE, "conv1 conv2 fc1 "},
        {"mlp", "hidden=[]", ONE, ""},
        {"resnet18", "width=2", ONE,
         "conv1 layer1.0.conv1 layer1.0.conv2 layer1.1.conv1 layer1.1.conv2 layer2.0.conv1 "
         "layer2.0.conv2 layer2.1.conv1 layer2.1.conv2 layer3.0.conv1 layer3.0.conv2 "
         "layer3.1.conv1 layer3.1.conv2 layer4.0.conv1 layer4.0.conv2 layer4.1.conv1 "
         "layer4.1.conv2 "},
        {"towers", "heads=true", SENSES,
         "image.conv1 image.conv2 image.conv3 image.fc text.fc pose.fc fusion.fc1 "},
    };
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++) {
        const char *const values[] = {expected[i].value, NULL};
        char text[1024];
        struct net *net = net_make_many(arch_find(expected[i].arch), values, expected[i].inputs, K,
                                        BATCH, 1, NULL);
        net_init(net, 1);
        inputs_fill(net, expected[i].inputs, BATCH, 2);
        rectified_layers(net, text, sizeof text);
        assert_string_equal(text, expected[i].layers);
        net_free(net);
    }
}

/* ---- inputs that do not fit ---- */

static void check_refused(const char *arch, const struct net_input *inputs, const char *sentence) {
    struct error e = {0};
    assert_null(net_make_many(arch_find(arch), NULL, inputs, K, 1, 1, &e));
    assert_int_equal(e.status, STATUS_USAGE);
    if (!strstr(e.text, sentence)) fail_msg("\"%s\" should say \"%s\"", e.text, sentence);
}

static void nets_of_one_modality_refuse_several(void **unused) {
    (void)unused;
    static const char *const archs[] = {"mlp",      "convfc",       "lenet",   "allcnn",
                                        "allcnn_c", "allcnn_depth", "resnet18"};
    static const struct net_input both[] = {{"image", 12, 10, 2, 0}, {"text", 1, 6, 1, 5}, {0}};
    static const struct net_input text[] = {{"text", 1, 6, 1, 5}, {0}};
    for (size_t i = 0; i < sizeof archs / sizeof *archs; i++) {
        check_refused(archs[i], both,
                      "takes one modality, the data have 2 (image, text); use net towers");
        check_refused(archs[i], text, "cannot read modality 'text', which is tokens");
    }
}

static void split_allcnn_refuses_what_are_not_two_views(void **unused) {
    (void)unused;
    static const struct net_input two[] = {{"left", 12, 10, 2, 0}, {"right", 12, 8, 2, 0}, {0}};
    static const struct net_input texts[] = {{"q", 1, 6, 1, 5}, {"r", 1, 6, 1, 5}, {0}};
    check_refused("split_allcnn", ONE, "takes two images of one shape, the data have 1 modality");
    check_refused("split_allcnn", SENSES, "the data have 3 modalities");
    check_refused("split_allcnn", two, "left is 12 x 10 x 2 and right is 12 x 8 x 2");
    check_refused("split_allcnn", texts, "cannot read modality 'q'");
}

static void names_that_would_collide_are_refused(void **unused) {
    (void)unused;
    static const struct net_input twice[] = {{"image", 8, 8, 1, 0}, {"image", 8, 8, 1, 0}, {0}};
    static const struct net_input trunk[] = {{"image", 8, 8, 1, 0}, {"trunk", 8, 8, 1, 0}, {0}};
    static const struct net_input length[] = {
        {"a_name_of_so_many_letters_that_no_tensor_can_be_called_after_it", 8, 8, 1, 0}, {0}};
    check_refused("towers", twice, "called 'image'; rename one");
    check_refused("towers", trunk, "called 'trunk'; rename one");
    check_refused("towers", length, "too long; shorten it");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(layers_belong_to_the_one_modality_that_reaches_them),
        cmocka_unit_test(views_have_a_pathway_each_and_meet_after_the_last_halving),
        cmocka_unit_test(a_net_of_one_input_has_no_branches),
        cmocka_unit_test(tensors_of_any_modality_have_names_of_their_own),
        cmocka_unit_test(the_trunk_alone_continues_what_the_taps_hold),
        cmocka_unit_test(what_is_read_from_a_tap_may_be_written_elsewhere),
        cmocka_unit_test(one_tap_alone_decides_what_a_product_of_zero_leaves),
        cmocka_unit_test(a_tap_keeps_what_its_encoder_gave),
        cmocka_unit_test(losses_of_heads_have_the_gradient_of_finite_differences),
        cmocka_unit_test(heads_without_a_weight_change_no_bit),
        cmocka_unit_test(heads_have_no_part_in_squared_gradients),
        cmocka_unit_test(losses_of_one_head_add_up),
        cmocka_unit_test(heads_give_the_same_bits_for_any_number_of_threads),
        cmocka_unit_test(a_head_can_learn),
        cmocka_unit_test(logits_are_linear_in_the_representation),
        cmocka_unit_test(a_convolutional_net_ends_in_a_spatial_representation),
        cmocka_unit_test(rectifiers_are_listed_with_their_layers),
        cmocka_unit_test(nets_of_one_modality_refuse_several),
        cmocka_unit_test(split_allcnn_refuses_what_are_not_two_views),
        cmocka_unit_test(names_that_would_collide_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
