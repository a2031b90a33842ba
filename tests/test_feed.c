/* The feed: what reaches the net is the stored example, spoiled, moved, mirrored and normalized in
 * that order, and nothing else; test data and clean epochs are never spoiled. */
#include <math.h>

#include "sim/feed.h"
#include "tests/run_fixture.h"

enum { SIDE = 4, PIXELS = SIDE * SIDE, EXAMPLES = 64 };

/* 64 grey images of 4x4 bytes, no two alike, mean 100 and s.d. 50 as far as the feed knows. */
struct bench {
    struct config config;
    struct dataset data;
    struct net *net;
    int32_t label[EXAMPLES];
    void *scratch;
};

static struct dataset images(void) {
    struct dataset d = {.type = dataset_find("hdf5"), .modalities_n = 1, .scale = 1, .K = 4};
    uint8_t *x = malloc(EXAMPLES * PIXELS);
    d.modality[0] = (struct modality){.name = "image", .H = SIDE, .W = SIDE, .C = 1, .bytes = true};
    d.modality[0].mean[0] = 100;
    d.modality[0].sd[0] = 50;
    d.train = (struct examples){.n = EXAMPLES, .x = {x}};
    d.train.label = malloc(EXAMPLES * sizeof *d.train.label);
    d.train.index = malloc(EXAMPLES * sizeof *d.train.index);
    if (!x || !d.train.label || !d.train.index) abort();
    for (int i = 0; i < EXAMPLES; i++) {
        d.train.label[i] = i % 4;
        d.train.index[i] = (uint32_t)(1000 + i);
        for (int p = 0; p < PIXELS; p++)
            x[i * PIXELS + p] = (uint8_t)(1 + (i * 37 + p * p * 5) % 255);
    }
    return d;
}

static void bench_open(struct bench *b, const char *more) {
    char yaml[1024];
    struct error e = {0};
    struct net_input inputs[DATA_MODALITIES];
    snprintf(yaml, sizeof yaml,
             "data: {set: hdf5, path: none.h5, augment: {%s}}\nnet: {arch: mlp, hidden: [4]}\n"
             "deficits:\n  - {type: vflip, until: 1}\n  - {type: label_permutation, until: 1}\n"
             "  - {type: noise, fresh: true, until: 1}\n",
             more);
    if (config_parse(&b->config, yaml, "bench", &e)) fail_msg("%s", e.text);
    b->data = images();
    dataset_inputs(&b->data, inputs);
    struct net_spec spec = {.arch = b->config.arch,
                            .settings = &b->config.net,
                            .inputs = inputs,
                            .inputs_n = 1,
                            .K = 4,
                            .batch = EXAMPLES,
                            .threads = 1};
    if (net_create(&b->net, &spec, &e)) fail_msg("%s", e.text);
    b->scratch = malloc(feed_scratch(&b->config, &b->data));
}

static void bench_close(struct bench *b) {
    free(b->data.train.x[0]);
    free(b->data.train.label);
    free(b->data.train.index);
    free(b->scratch);
    net_free(b->net);
    config_free(&b->config);
}

static struct view view_of(struct bench *b, double vflip, double labels, double noise) {
    const double severity[CONFIG_DEFICITS] = {vflip, labels, noise};
    struct view v = {0};
    struct error e = {0};
    if (view_make(&v, &b->config, &b->data, &b->data.train, severity, &e)) fail_msg("%s", e.text);
    return v;
}

/* Assembles all examples and copies what the net sees into x[EXAMPLES][PIXELS]. */
static void assemble(struct bench *b, const struct view *v, uint32_t epoch, bool augment,
                     double *x) {
    struct feed_batch batch = {v, NULL, 0, EXAMPLES, epoch, augment};
    feed_assemble(&b->config, &batch, b->net, b->label, b->scratch);
    const struct tensor *t = net_input_tensor(b->net, 0);
    for (size_t n = 0; n < EXAMPLES; n++)
        for (size_t h = 0; h < SIDE; h++)
            for (size_t w = 0; w < SIDE; w++)
                x[n * PIXELS + h * SIDE + w] = (double)*tensor_at(t, n, h, w);
}

/* The stored pixel as the net should see it; outside the image it is black. */
static double seen(const struct bench *b, int n, int h, int w) {
    const uint8_t *x = b->data.train.x[0];
    bool inside = h >= 0 && h < SIDE && w >= 0 && w < SIDE;
    return ((inside ? x[n * PIXELS + h * SIDE + w] : 0) - 100.0) / 50.0;
}

/* (x - mean) * (1/sd) in single precision: two roundings, 3 eps relative to the larger term. */
static bool close_to(double a, double b) {
    return fabs(a - b) < 4e-7 * (fabs(b) + 2);
}

static bool is_placed(const struct bench *b, const double *x, int n, int dy, int dx, bool flip) {
    for (int h = 0; h < SIDE; h++)
        for (int w = 0; w < SIDE; w++)
            if (!close_to(x[n * PIXELS + h * SIDE + w],
                          seen(b, n, h - dy, (flip ? SIDE - 1 - w : w) - dx)))
                return false;
    return true;
}

static void a_clean_batch_is_the_stored_images_normalized(void **unused) {
    struct bench b;
    double x[EXAMPLES * PIXELS];
    (void)unused;
    bench_open(&b, "shift: 2");
    struct view v = view_of(&b, 0, 0, 0);
    assemble(&b, &v, 0, false, x);
    for (int n = 0; n < EXAMPLES; n++) {
        assert_true(is_placed(&b, x, n, 0, 0, false));
        assert_int_equal(b.label[n], n % 4);
    }
    view_free(&v);
    bench_close(&b);
}

static void shifts_move_by_whole_pixels_and_fill_with_black(void **unused) {
    struct bench b;
    double x[EXAMPLES * PIXELS];
    bool moves[5][5] = {{false}};
    int different = 0;
    (void)unused;
    bench_open(&b, "shift: 2");
    struct view v = view_of(&b, 0, 0, 0);
    for (uint32_t epoch = 0; epoch < 8; epoch++) {
        assemble(&b, &v, epoch, true, x);
        for (int n = 0; n < EXAMPLES; n++) {
            int found = 0;
            for (int dy = -2; dy <= 2; dy++)
                for (int dx = -2; dx <= 2; dx++)
                    if (is_placed(&b, x, n, dy, dx, false)) {
                        found++;
                        moves[dy + 2][dx + 2] = true;
                    }
            assert_int_equal(found, 1);
        }
    }
    for (int i = 0; i < 25; i++) different += moves[i / 5][i % 5];
    assert_int_equal(different, 25); /* 512 draws miss one of 25 with probability 2e-8 */
    view_free(&v);
    bench_close(&b);
}

static void half_of_the_images_are_mirrored(void **unused) {
    struct bench b;
    double x[EXAMPLES * PIXELS];
    int mirrored = 0;
    (void)unused;
    bench_open(&b, "flip: true");
    struct view v = view_of(&b, 0, 0, 0);
    for (uint32_t epoch = 0; epoch < 16; epoch++) {
        assemble(&b, &v, epoch, true, x);
        for (int n = 0; n < EXAMPLES; n++) {
            bool flip = is_placed(&b, x, n, 0, 0, true);
            assert_true(flip || is_placed(&b, x, n, 0, 0, false));
            mirrored += flip;
        }
    }
    assert_true(abs(mirrored - 512) < 5 * 16); /* binomial, s.d. 16 */
    view_free(&v);
    bench_close(&b);
}

static void augmentation_depends_on_the_example_and_not_on_the_batch(void **unused) {
    struct bench b;
    double all[EXAMPLES * PIXELS];
    const uint32_t pick[] = {40, 3, 17};
    (void)unused;
    bench_open(&b, "shift: 2, flip: true");
    struct view v = view_of(&b, 0, 0, 0);
    assemble(&b, &v, 5, true, all);
    struct feed_batch few = {&v, pick, 0, 3, 5, true};
    feed_assemble(&b.config, &few, b.net, b.label, b.scratch);
    for (size_t n = 0; n < 3; n++)
        for (size_t p = 0; p < PIXELS; p++) {
            double x = (double)*tensor_at(net_input_tensor(b.net, 0), n, p / SIDE, p % SIDE);
            assert_true(x == all[pick[n] * PIXELS + p]);
        }
    view_free(&v);
    bench_close(&b);
}

static void severity_0_leaves_images_and_labels_alone(void **unused) {
    struct bench b;
    (void)unused;
    bench_open(&b, "");
    struct view v = view_of(&b, 1, 1, 1);
    const double none[CONFIG_DEFICITS] = {0};
    assert_non_null(v.spoiled[0]);
    assert_non_null(v.label);
    /* the removal: the same view, made again */
    assert_int_equal(view_make(&v, &b.config, &b.data, &b.data.train, none, NULL), 0);
    assert_null(v.spoiled[0]);
    assert_null(v.label);
    assert_int_equal(v.fresh_n, 0);
    for (size_t n = 0; n < EXAMPLES; n++) assert_int_equal(view_label(&v, n), (int32_t)(n % 4));
    view_free(&v);
    bench_close(&b);
}

static void spoiling_never_writes_into_the_data_set(void **unused) {
    struct bench b;
    double x[EXAMPLES * PIXELS];
    (void)unused;
    bench_open(&b, "");
    struct dataset before = images();
    struct view v = view_of(&b, 1, 1, 1);
    assemble(&b, &v, 0, true, x);
    assert_memory_equal(before.train.x[0], b.data.train.x[0], EXAMPLES * PIXELS);
    assert_memory_equal(before.train.label, b.data.train.label, EXAMPLES * sizeof(int32_t));
    view_free(&v);
    free(before.train.x[0]);
    free(before.train.label);
    free(before.train.index);
    bench_close(&b);
}

static void labels_are_mapped_by_one_bijection(void **unused) {
    struct bench b;
    int32_t to[4];
    (void)unused;
    bench_open(&b, "");
    struct view v = view_of(&b, 0, 1, 0);
    for (size_t k = 0; k < 4; k++) to[k] = view_label(&v, k);
    for (size_t n = 0; n < EXAMPLES; n++) assert_int_equal(view_label(&v, n), to[n % 4]);
    for (int i = 0; i < 4; i++)
        for (int j = 0; j < i; j++) assert_int_not_equal(to[i], to[j]);
    view_free(&v);
    bench_close(&b);
}

static void fresh_noise_differs_by_epoch_and_repeats_within_one(void **unused) {
    struct bench b;
    double x[EXAMPLES * PIXELS], y[EXAMPLES * PIXELS], z[EXAMPLES * PIXELS];
    (void)unused;
    bench_open(&b, "");
    struct view v = view_of(&b, 0, 0, 1);
    assemble(&b, &v, 1, false, x);
    assemble(&b, &v, 1, false, y);
    assemble(&b, &v, 2, false, z);
    assert_memory_equal(x, y, sizeof x);
    assert_memory_not_equal(x, z, sizeof x);
    view_free(&v);
    bench_close(&b);
}

static void the_order_is_a_permutation_that_seed_and_epoch_name(void **unused) {
    uint32_t a[100], b[100], seen_once[100] = {0};
    (void)unused;
    feed_order(1, 3, 0, a, 100);
    feed_order(1, 3, 0, b, 100);
    assert_memory_equal(a, b, sizeof a);
    feed_order(1, 4, 0, b, 100);
    assert_memory_not_equal(a, b, sizeof a);
    feed_order(2, 3, 0, b, 100);
    assert_memory_not_equal(a, b, sizeof a);
    for (int i = 0; i < 100; i++) seen_once[a[i]]++;
    for (int i = 0; i < 100; i++) assert_int_equal(seen_once[i], 1);
}

/* ---- several modalities ---------------------------------------------------------------------- */

/* A config's own data and net, fed with its training examples. */
struct senses {
    struct config config;
    struct dataset data;
    struct net *net;
    struct view view;
    int32_t label[EXAMPLES];
    void *scratch;
};

static void senses_open(struct senses *s, const char *yaml) {
    const double none[CONFIG_DEFICITS] = {0};
    struct net_input inputs[DATA_MODALITIES];
    struct error e = {0};
    *s = (struct senses){0};
    if (config_parse(&s->config, yaml, "senses", &e)) fail_msg("%s", e.text);
    if (data_load(&s->config.data, s->config.data_seed, &s->data, &e)) fail_msg("%s", e.text);
    dataset_inputs(&s->data, inputs);
    const struct net_spec spec = {.arch = s->config.arch,
                                  .settings = &s->config.net,
                                  .inputs = inputs,
                                  .inputs_n = s->data.modalities_n,
                                  .K = s->data.K,
                                  .batch = EXAMPLES,
                                  .threads = 1};
    if (net_create(&s->net, &spec, &e)) fail_msg("%s", e.text);
    s->scratch = malloc(feed_scratch(&s->config, &s->data));
    if (view_make(&s->view, &s->config, &s->data, &s->data.train, none, &e)) fail_msg("%s", e.text);
}

static void senses_feed(struct senses *s, uint32_t epoch) {
    const struct feed_batch batch = {&s->view, NULL, 0, EXAMPLES, epoch, true};
    feed_assemble(&s->config, &batch, s->net, s->label, s->scratch);
}

static void senses_close(struct senses *s) {
    view_free(&s->view);
    free(s->scratch);
    net_free(s->net);
    data_free(&s->data);
    config_free(&s->config);
}

static real input_at(const struct senses *s, size_t m, size_t n, size_t h, size_t at) {
    return tensor_at(net_input_tensor(s->net, m), n, h, 0)[at];
}

static void tokens_reach_the_net_as_they_are_and_never_move(void **unused) {
    struct senses s;
    (void)unused;
    senses_open(&s, "data: {set: vqa, train: 64, test: 8, augment: {shift: 5, flip: true}}\n"
                    "net: {arch: towers}\n");
    const size_t slots = s.data.modality[1].W;
    for (uint32_t epoch = 0; epoch < 3; epoch++) {
        senses_feed(&s, epoch);
        for (size_t n = 0; n < EXAMPLES; n++)
            for (size_t t = 0; t < slots; t++)
                assert_true(input_at(&s, 1, n, 0, t) ==
                            (real)((float *)s.data.train.x[1])[n * slots + t]);
    }
    senses_close(&s);
}

static void features_are_normalized_and_never_move(void **unused) {
    struct bench b;
    double x[EXAMPLES * PIXELS];
    (void)unused;
    bench_open(&b, "shift: 2, flip: true");
    struct view v = view_of(&b, 0, 0, 0);
    b.data.modality[0].kind = MODALITY_FEATURES;
    assemble(&b, &v, 3, true, x);
    for (int n = 0; n < EXAMPLES; n++) assert_true(is_placed(&b, x, n, 0, 0, false));
    view_free(&v);
    bench_close(&b);
}

/* Of 20 columns the left eye sees 0..11, the right one 8..19: what both see is the same, moved
 * alike, and the rest is zero whatever was moved in. */
static void hidden_columns_are_zero_after_augmentation(void **unused) {
    struct senses s;
    size_t moved = 0;
    (void)unused;
    senses_open(&s, "data: {set: views, of: optotypes, width: 12, train: 64, test: 8,"
                    " augment: {shift: 3}}\nnet: {arch: towers}\n");
    const struct modality *m = &s.data.modality[0];
    assert_int_equal(m[0].hidden_right, 8);
    assert_int_equal(m[1].hidden_left, 8);
    assert_int_equal(m[0].hidden_left + m[1].hidden_right, 0);
    senses_feed(&s, 1);
    for (size_t n = 0; n < EXAMPLES; n++)
        for (size_t i = 0; i < 20 * 20; i++) {
            const size_t h = i / 20, w = i % 20;
            const real left = input_at(&s, 0, n, h, w), right = input_at(&s, 1, n, h, w);
            if (w < 8) assert_true(right == 0 && left != 0);
            if (w >= 12) assert_true(left == 0 && right != 0);
            if (w >= 8 && w < 12) assert_true(left == right);
            const double stored = (double)((float *)s.data.train.x[0])[n * 400 + i];
            moved += w < 12 && !close_to((double)left, (stored - m->mean[0]) / m->sd[0]);
        }
    assert_true(moved > EXAMPLES * 200); /* one of 49 draws moves nothing */
    senses_close(&s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_clean_batch_is_the_stored_images_normalized),
        cmocka_unit_test(shifts_move_by_whole_pixels_and_fill_with_black),
        cmocka_unit_test(half_of_the_images_are_mirrored),
        cmocka_unit_test(augmentation_depends_on_the_example_and_not_on_the_batch),
        cmocka_unit_test(severity_0_leaves_images_and_labels_alone),
        cmocka_unit_test(spoiling_never_writes_into_the_data_set),
        cmocka_unit_test(labels_are_mapped_by_one_bijection),
        cmocka_unit_test(fresh_noise_differs_by_epoch_and_repeats_within_one),
        cmocka_unit_test(the_order_is_a_permutation_that_seed_and_epoch_name),
        cmocka_unit_test(tokens_reach_the_net_as_they_are_and_never_move),
        cmocka_unit_test(features_are_normalized_and_never_move),
        cmocka_unit_test(hidden_columns_are_zero_after_augmentation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
