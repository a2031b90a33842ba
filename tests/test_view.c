/* Views of several modalities: which one a deficit spoils, whose example stands where, and that what
 * is drawn for a place is the same whoever stands there. */
#include "sim/check.h"
#include "sim/target.h"
#include "sim/view.h"
#include "tests/run_fixture.h"

enum { EXAMPLES = 400, K = 10, SIDE = 4, PIXELS = SIDE * SIDE, SLOTS = 6, HINT = 5, FIRST = 17 };
enum { LEFT, RIGHT, TEXT, NUMBERS, MODALITIES };

static const size_t sizes[MODALITIES] = {PIXELS, PIXELS * sizeof(float), SLOTS * sizeof(float),
                                         3 * sizeof(float)};

/* No two examples alike; answers in turn, of four kinds. */
static struct examples examples_create(size_t n, uint32_t index) {
    struct examples x = {
        .n = n, .label = malloc(n * sizeof *x.label), .index = malloc(n * sizeof *x.index)};
    for (size_t m = 0; m < MODALITIES; m++) x.x[m] = malloc(n * sizes[m]);
    for (size_t i = 0; i < n; i++) {
        x.label[i] = (int32_t)(i % K);
        x.index[i] = index + (uint32_t)i;
        for (size_t k = 0; k < PIXELS; k++) {
            ((uint8_t *)x.x[LEFT])[i * PIXELS + k] = (uint8_t)((i * 31 + k * k * 7) % 256);
            ((float *)x.x[RIGHT])[i * PIXELS + k] = (float)((i * 17 + k * 5) % 101);
        }
        for (size_t k = 0; k < SLOTS; k++)
            ((float *)x.x[TEXT])[i * SLOTS + k] = (float)(k == HINT ? 0 : (i + k) % FIRST);
        for (size_t k = 0; k < 3; k++) ((float *)x.x[NUMBERS])[i * 3 + k] = (float)(i * 3 + k);
    }
    return x;
}

static struct dataset senses(void) {
    static const uint8_t groups[K] = {0, 0, 0, 0, 1, 1, 1, 2, 2, 3};
    struct dataset d = {
        .type = dataset_find("hdf5"), .modalities_n = MODALITIES, .scale = 1, .K = K};
    d.modality[LEFT] = (struct modality){
        .name = "left", .H = SIDE, .W = SIDE, .C = 1, .bytes = true, .mean = {120}, .sd = {70}};
    d.modality[RIGHT] =
        (struct modality){.name = "right", .H = SIDE, .W = SIDE, .C = 1, .mean = {50}, .sd = {29}};
    d.modality[TEXT] = (struct modality){.name = "text",
                                         .kind = MODALITY_TOKENS,
                                         .H = 1,
                                         .W = SLOTS,
                                         .C = 1,
                                         .tokens = FIRST + K,
                                         .has_hint = true,
                                         .hint_slot = HINT,
                                         .hint_first = FIRST,
                                         .sd = {1}};
    d.modality[NUMBERS] = (struct modality){.name = "numbers",
                                            .kind = MODALITY_FEATURES,
                                            .H = 1,
                                            .W = 3,
                                            .C = 1,
                                            .mean = {600},
                                            .sd = {300}};
    d.class_group = malloc(K);
    memcpy(d.class_group, groups, K);
    d.train = examples_create(EXAMPLES, 1000);
    d.test = examples_create(40, 9000);
    return d;
}

struct bench {
    struct config config;
    struct dataset data;
    void *scratch;
};

/* `deficits`: a YAML list without brackets; the windows do not matter here. */
static struct config config_of(const char *deficits) {
    char yaml[2048];
    struct config c;
    struct error e = {0};
    snprintf(yaml, sizeof yaml,
             "data: {set: hdf5, path: none.h5}\nnet: {arch: mlp, hidden: [4]}\ndeficits: [%s]\n",
             deficits);
    if (config_parse(&c, yaml, "view", &e)) fail_msg("%s", e.text);
    return c;
}

static void bench_open(struct bench *b, const char *deficits) {
    struct error e = {0};
    b->config = config_of(deficits);
    b->data = senses();
    b->scratch = malloc(view_scratch(&b->config, &b->data));
    if (check_data(&b->config, &b->data, &e)) fail_msg("%s", e.text);
}

static void bench_close(struct bench *b) {
    free(b->scratch);
    data_free(&b->data);
    config_free(&b->config);
}

/* All training examples under the deficits at these severities (0 where the list ends). */
static struct view view_of(struct bench *b, double first, double second, double third) {
    const double severity[CONFIG_DEFICITS] = {first, second, third};
    struct view v = {0};
    struct error e = {0};
    if (view_make(&v, &b->config, &b->data, &b->data.train, severity, &e)) fail_msg("%s", e.text);
    return v;
}

/* Does example i of the view hold what the source holds at position `at`? */
static bool holds(const struct bench *b, const struct view *v, size_t m, size_t i, size_t at) {
    const void *x = view_example(v, &b->config, m, i, 0, b->scratch);
    return memcmp(x, (const char *)v->source->x[m] + at * sizes[m], sizes[m]) == 0;
}

static float hint_of(const struct bench *b, const struct view *v, size_t i, uint32_t epoch) {
    return ((const float *)view_example(v, &b->config, TEXT, i, epoch, b->scratch))[HINT];
}

#define SKEW "{type: text_dominance, mode: skew, until: 1}"
#define LEAK "{type: text_dominance, until: 1}"

/* ---- which modality -------------------------------------------------------------------------- */

static void a_deficit_spoils_the_modality_it_names_and_no_other(void **unused) {
    static const char *const deficits[][2] = {
        {"{type: blur, modality: left, until: 1}", "left"},
        {"{type: blur, modality: right, factor: 2, until: 1}", "right"},
        {"{type: vflip, modality: left, until: 1}", "left"},
        {"{type: noise, modality: numbers, until: 1}", "numbers"},
        {"{type: noise, modality: right, fresh: true, until: 1}", "right"},
        {"{type: modality_off, modality: left, mode: mean, until: 1}", "left"},
        {"{type: modality_off, modality: text, until: 1}", "text"},
        {"{type: modality_off, modality: numbers, mode: noise, until: 1}", "numbers"},
        {LEAK, "text"},
    };
    (void)unused;
    for (size_t k = 0; k < sizeof deficits / sizeof *deficits; k++) {
        struct bench b;
        bench_open(&b, deficits[k][0]);
        struct view v = view_of(&b, 1, 0, 0);
        for (size_t m = 0; m < MODALITIES; m++) {
            const bool is_target = !strcmp(b.data.modality[m].name, deficits[k][1]);
            size_t changed = 0;
            for (size_t i = 0; i < EXAMPLES; i++) changed += !holds(&b, &v, m, i, i);
            if (is_target ? changed < EXAMPLES * 9 / 10 : changed > 0)
                fail_msg("%s: %zu of %s changed", deficits[k][0], changed, b.data.modality[m].name);
        }
        for (size_t i = 0; i < EXAMPLES; i++)
            assert_int_equal(view_label(&v, i), b.data.train.label[i]);
        view_free(&v);
        bench_close(&b);
    }
}

static void assert_target(const char *deficit, const char *words) {
    struct config c = config_of(deficit);
    struct dataset d = senses();
    struct error e = {0};
    assert_int_equal(check_data(&c, &d, &e), STATUS_USAGE);
    if (!strstr(e.text, words)) fail_msg("%s: %s", deficit, e.text);
    assert_int_equal(deficit_modality(&c, &d, 0), TARGET_NONE);
    data_free(&d);
    config_free(&c);
}

static void a_modality_that_cannot_be_meant_is_refused(void **unused) {
    (void)unused;
    assert_target("{type: blur, until: 1}",
                  "deficits[0].modality: the data have several images (left, right): name one");
    assert_target("{type: noise, until: 1}", "several modalities (left, right, numbers): name one");
    assert_target("{type: blur, modality: text, until: 1}",
                  "blur takes images, 'text' holds tokens");
    assert_target("{type: noise, modality: text, until: 1}", "noise takes images or features");
    assert_target("{type: vflip, modality: numbers, until: 1}", "'numbers' holds features");
    assert_target("{type: text_dominance, modality: left, until: 1}", "takes tokens");
    assert_target("{type: blur, modality: center, until: 1}",
                  "no modality 'center'; it has: left, right, text, numbers");
}

static void what_is_not_there_is_refused_by_its_kind(void **unused) {
    struct config c = config_of(LEAK);
    struct dataset d = senses();
    struct error e = {0};
    (void)unused;
    d.modalities_n = 2;
    assert_int_equal(check_data(&c, &d, &e), STATUS_USAGE);
    assert_string_equal(e.text, "deficits[0].modality: text_dominance takes tokens, and data set "
                                "'hdf5' has none, only: left, right");
    d.modalities_n = MODALITIES;
    d.modality[TEXT].has_hint = false;
    assert_int_equal(check_data(&c, &d, &e), STATUS_USAGE);
    assert_non_null(strstr(e.text, "deficits[0]: mode: leak writes into a hint slot, and 'text'"));
    data_free(&d);
    config_free(&c);
}

/* ---- stand-ins ------------------------------------------------------------------------------- */

static void a_stand_in_brings_all_its_modalities_and_its_label(void **unused) {
    struct bench b;
    size_t replaced = 0;
    (void)unused;
    bench_open(&b, SKEW);
    struct view v = view_of(&b, 0.7, 0, 0);
    for (size_t i = 0; i < EXAMPLES; i++) {
        const size_t at = v.stand_in[i];
        assert_in_range(at, 0, EXAMPLES - 1);
        for (size_t m = 0; m < MODALITIES; m++) assert_true(holds(&b, &v, m, i, at));
        assert_int_equal(view_label(&v, i), b.data.train.label[at]);
        assert_int_equal(view_epoch_label(&v, &b.config, i, 3), b.data.train.label[at]);
        assert_int_equal(view_index(&v, i), 1000 + i); /* the place keeps its number */
        replaced += at != i;
    }
    /* 6 of 10 have another answer than the favored one: Binomial(240, 0.7) */
    assert_in_range(replaced, 168 - 36, 168 + 36);
    view_free(&v);
    bench_close(&b);
}

/* Listed before or after: stand-ins come first. */
static void a_hint_names_the_answer_of_whoever_stands_there(void **unused) {
    static const char *const orders[] = {LEAK ", " SKEW, SKEW ", " LEAK};
    (void)unused;
    for (size_t k = 0; k < 2; k++) {
        struct bench b;
        bench_open(&b, orders[k]);
        struct view v = view_of(&b, 1, 1, 0);
        for (size_t i = 0; i < EXAMPLES; i++) {
            assert_true(hint_of(&b, &v, i, 0) == (float)(FIRST + view_label(&v, i)));
            assert_int_equal(view_label(&v, i), b.data.train.label[v.stand_in[i]]);
        }
        view_free(&v);
        bench_close(&b);
    }
}

/* Noise forgets the picture: with or without a stand-in the place has the same. */
static void what_is_drawn_for_a_place_does_not_depend_on_who_stands_there(void **unused) {
    struct bench b;
    size_t replaced = 0;
    (void)unused;
    bench_open(&b, SKEW ", {type: noise, modality: right, until: 1}");
    struct view with = view_of(&b, 1, 1, 0), without = view_of(&b, 0, 1, 0);
    assert_null(without.stand_in);
    for (size_t i = 0; i < EXAMPLES; i++) {
        replaced += with.stand_in[i] != i;
        assert_memory_equal((char *)with.spoiled[RIGHT] + i * sizes[RIGHT],
                            (char *)without.spoiled[RIGHT] + i * sizes[RIGHT], sizes[RIGHT]);
    }
    assert_true(replaced > EXAMPLES / 2);
    view_free(&with);
    view_free(&without);
    bench_close(&b);
}

static void wrong_labels_are_those_of_the_stand_in(void **unused) {
    struct bench b;
    int32_t to[K];
    (void)unused;
    bench_open(&b, "{type: label_permutation, until: 1}, " SKEW);
    struct view plain = view_of(&b, 1, 0, 0), v = view_of(&b, 1, 1, 0);
    for (size_t i = 0; i < K; i++) to[i] = view_label(&plain, i);
    for (size_t i = 0; i < EXAMPLES; i++)
        assert_int_equal(view_label(&v, i), to[b.data.train.label[v.stand_in[i]]]);
    view_free(&plain);
    view_free(&v);
    bench_close(&b);
}

/* ---- clean, cached, fresh, lazy -------------------------------------------------------------- */

static void severity_0_is_the_clean_data_itself(void **unused) {
    struct bench b;
    (void)unused;
    bench_open(&b, SKEW ", " LEAK ", {type: modality_off, modality: left, until: 1}");
    struct view v = view_of(&b, 1, 1, 1);
    const double none[CONFIG_DEFICITS] = {0};
    assert_int_equal(view_make(&v, &b.config, &b.data, &b.data.train, none, NULL), 0);
    assert_null(v.stand_in);
    for (size_t m = 0; m < MODALITIES; m++)
        for (size_t i = 0; i < EXAMPLES; i++)
            assert_ptr_equal(view_example(&v, &b.config, m, i, 0, b.scratch),
                             (const char *)b.data.train.x[m] + i * sizes[m]);
    view_free(&v);
    bench_close(&b);
}

static void spoiling_writes_neither_training_nor_test_data(void **unused) {
    struct bench b;
    struct dataset fresh = senses();
    (void)unused;
    bench_open(&b, SKEW ", " LEAK ", {type: modality_off, modality: numbers, until: 1}");
    struct view v = view_of(&b, 1, 1, 1);
    for (size_t m = 0; m < MODALITIES; m++) {
        assert_memory_equal(b.data.train.x[m], fresh.train.x[m], EXAMPLES * sizes[m]);
        assert_memory_equal(b.data.test.x[m], fresh.test.x[m], 40 * sizes[m]);
    }
    assert_memory_equal(b.data.train.label, fresh.train.label, EXAMPLES * sizeof(int32_t));
    assert_memory_equal(b.data.test.label, fresh.test.label, 40 * sizeof(int32_t));
    view_free(&v);
    data_free(&fresh);
    bench_close(&b);
}

static void fresh_hints_change_with_the_epoch_and_repeat_within_one(void **unused) {
    struct bench b;
    size_t changed = 0;
    (void)unused;
    bench_open(&b, "{type: text_dominance, p: 0.5, fresh: true, until: 1}");
    struct view v = view_of(&b, 1, 0, 0);
    for (size_t i = 0; i < EXAMPLES; i++) {
        const float a = hint_of(&b, &v, i, 1), again = hint_of(&b, &v, i, 1);
        assert_true(a == again);
        changed += a != hint_of(&b, &v, i, 2);
    }
    assert_true(changed > EXAMPLES / 4 && changed < EXAMPLES * 3 / 4);
    view_free(&v);
    bench_close(&b);
}

static void a_lazy_view_shows_what_a_cached_one_holds(void **unused) {
    const double all[CONFIG_DEFICITS] = {0.6, 1, 0.8, 1, 0.5};
    struct bench b;
    struct view lazy = {0}, cached = {0};
    (void)unused;
    bench_open(&b, LEAK
               ", " SKEW ", {type: blur, modality: left, until: 1}, "
               "{type: noise, modality: numbers, until: 1}, {type: label_permutation, until: 1}");
    assert_int_equal(view_make(&cached, &b.config, &b.data, &b.data.train, all, NULL), 0);
    assert_int_equal(view_make_lazy(&lazy, &b.config, &b.data, &b.data.train, all, NULL), 0);
    for (size_t m = 0; m < MODALITIES; m++) {
        assert_null(lazy.spoiled[m]);
        for (size_t i = 0; i < EXAMPLES; i++)
            assert_memory_equal(view_example(&lazy, &b.config, m, i, 7, b.scratch),
                                cached.spoiled[m]
                                    ? (char *)cached.spoiled[m] + i * sizes[m]
                                    : (char *)b.data.train.x[m] + cached.stand_in[i] * sizes[m],
                                sizes[m]);
    }
    for (size_t i = 0; i < EXAMPLES; i++)
        assert_int_equal(view_epoch_label(&lazy, &b.config, i, 7), view_label(&cached, i));
    view_free(&lazy);
    view_free(&cached);
    bench_close(&b);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_deficit_spoils_the_modality_it_names_and_no_other),
        cmocka_unit_test(a_modality_that_cannot_be_meant_is_refused),
        cmocka_unit_test(what_is_not_there_is_refused_by_its_kind),
        cmocka_unit_test(a_stand_in_brings_all_its_modalities_and_its_label),
        cmocka_unit_test(a_hint_names_the_answer_of_whoever_stands_there),
        cmocka_unit_test(what_is_drawn_for_a_place_does_not_depend_on_who_stands_there),
        cmocka_unit_test(wrong_labels_are_those_of_the_stand_in),
        cmocka_unit_test(severity_0_is_the_clean_data_itself),
        cmocka_unit_test(spoiling_writes_neither_training_nor_test_data),
        cmocka_unit_test(fresh_hints_change_with_the_epoch_and_repeat_within_one),
        cmocka_unit_test(a_lazy_view_shows_what_a_cached_one_holds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
