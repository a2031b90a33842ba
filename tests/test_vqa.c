/* Questions about scenes: every answer is worked out again from the pixels and the words, without
 * the code that made them; neither sense does it alone; priors are as asked for. */
#include <math.h>

#include "tests/data_files.h"

enum { SIDE = 24, PIXELS = SIDE * SIDE, SLOTS = 6, KINDS = 4, ANSWERS = 14 };
static const size_t first[KINDS + 1] = {0, 4, 8, 12, 14};

struct seen {
    size_t n, color[9], shape[9];
};

static const float *picture(const struct examples *x, size_t i) {
    return (const float *)x->x[0] + i * PIXELS * 3;
}

static const float *words(const struct examples *x, size_t i) {
    return (const float *)x->x[1] + i * SLOTS;
}

static size_t kind_of(int32_t answer) {
    size_t k = 0;
    while ((size_t)answer >= first[k + 1]) k++;
    return k;
}

/* ---- reading a scene ------------------------------------------------------------------------- */

static const char *const drawn[4][7] = {
    {".......", ".#####.", ".#####.", ".#####.", ".#####.", ".#####.", "......."},
    {"...#...", ".#####.", ".##.##.", "##...##", ".##.##.", ".#####.", "...#..."},
    {"...#...", "...#...", "..###..", "#######", "..###..", "...#...", "...#..."},
    {"...#...", "...#...", "..###..", "..###..", ".#####.", ".#####.", "#######"}};

/* Is this pixel the color at a brightness in 0.75..1? The brightness that it would need is compared
 * with that of the object's other pixels. */
static bool is_color(const float *x, size_t color, double *brightness) {
    static const double rgb[4][3] = {
        {1, 0.1, 0.1}, {0.1, 0.9, 0.1}, {0.15, 0.25, 1}, {0.95, 0.9, 0.1}};
    for (size_t k = 0; k < 3; k++) {
        const double b = (double)x[k] / rgb[color][k];
        if (*brightness == 0) *brightness = b;
        if (b < 0.75 - 1e-5 || b > 1 + 1e-5 || fabs(b - *brightness) > 1e-5) return false;
    }
    return true;
}

static bool is_object(const float *image, size_t top, size_t left, size_t color, size_t shape) {
    double brightness = 0;
    for (size_t i = 0; i < 49; i++)
        if (drawn[shape][i / 7][i % 7] == '#' &&
            !is_color(image + 3 * ((top + i / 7) * SIDE + left + i % 7), color, &brightness))
            return false;
    return true;
}

static struct seen look(const float *image) {
    struct seen s = {0};
    for (size_t cell = 0; cell < 9; cell++)
        for (size_t what = 0; what < 64; what++) { /* color, shape, moved down, moved right */
            const size_t color = what % 4, shape = what / 4 % 4;
            if (!is_object(image, cell / 3 * 8 + what / 16 % 2, cell % 3 * 8 + what / 32, color,
                           shape))
                continue;
            s.color[s.n] = color;
            s.shape[s.n++] = shape;
        }
    return s;
}

/* The answer to the question about what is seen; -1: the question does not fit the scene. */
static int answer_of(const struct seen *s, const float text[SLOTS]) {
    const int word = (int)text[0], a = (int)text[2], b = (int)text[3];
    int found = -1, n = 0;
    for (size_t i = 0; i < s->n; i++) {
        const int color = (int)s->color[i], shape = (int)s->shape[i];
        const bool meant = word == 1   ? shape == a - 13
                           : word == 3 ? color == a - 9
                                       : color == a - 9 && shape == b - 13;
        if (!meant) continue;
        n++;
        found = word == 1 ? color : 4 + shape;
    }
    if (word == 5) return s->n >= 1 && s->n <= 4 ? 7 + (int)s->n : -1;
    if (word == 7) return n ? 12 : 13;
    return n == 1 ? found : -1;
}

/* ---- properties ------------------------------------------------------------------------------ */

static void the_set_is_as_documented(void **state) {
    struct dataset d = load(data_settings("vqa", NULL), 1);
    const struct modality *image = &d.modality[0], *text = &d.modality[1];
    (void)state;
    assert_int_equal(d.train.n, 5000);
    assert_int_equal(d.test.n, 1000);
    assert_int_equal(d.K, ANSWERS);
    assert_int_equal(d.modalities_n, 2);
    assert_string_equal(image->name, "image");
    assert_int_equal(image->kind, MODALITY_IMAGE);
    assert_int_equal(modality_size(image), PIXELS * 3);
    assert_string_equal(text->name, "text");
    assert_int_equal(text->kind, MODALITY_TOKENS);
    assert_int_equal(text->W, SLOTS);
    assert_int_equal(text->tokens, 31);
    assert_true(text->has_hint);
    assert_int_equal(text->hint_first + d.K, text->tokens); /* a hint for each answer */
    assert_true(text->mean[0] == 0 && text->sd[0] == 1);
    for (size_t c = 0; c < d.K; c++) assert_int_equal(d.class_group[c], kind_of((int32_t)c));
    for (size_t i = 0; i < d.train.n; i++) {
        const float *w = words(&d.train, i);
        assert_true(w[text->hint_slot] == 0 && w[4] == 0);
        for (size_t s = 0; s < SLOTS; s++)
            assert_true(w[s] >= 0 && w[s] < 17 && w[s] == floorf(w[s]));
    }
    struct net_input inputs[DATA_MODALITIES];
    dataset_inputs(&d, inputs);
    assert_int_equal(inputs[0].tokens, 0);
    assert_int_equal(inputs[1].tokens, 31);
    assert_int_equal(inputs[1].W, SLOTS);
    data_free(&d);
}

static void every_answer_is_in_the_picture_for_who_reads_the_question(void **state) {
    struct dataset d = load(data_settings("vqa", "noise", "0", "train", "3000", NULL), 2);
    size_t objects[5] = {0}, words_of[9] = {0};
    (void)state;
    for (size_t i = 0; i < d.train.n; i++) {
        const struct seen s = look(picture(&d.train, i));
        const float *w = words(&d.train, i);
        assert_in_range(s.n, 1, 4);
        objects[s.n]++;
        words_of[(size_t)w[0]]++;
        assert_true(w[1] == w[0] + 1);
        assert_int_equal(answer_of(&s, w), d.train.label[i]);
        assert_int_equal((w[0] - 1) / 2, kind_of(d.train.label[i]));
    }
    /* Binomial(3000, 1/4): 750 +- 5 * 23.7 */
    for (size_t n = 1; n <= 4; n++) assert_in_range(objects[n], 632, 868);
    for (size_t k = 0; k < 4; k++) assert_in_range(words_of[2 * k + 1], 632, 868);
    data_free(&d);
}

static size_t question_number(const float w[SLOTS]) {
    return ((size_t)w[0] * 32 + (size_t)w[2]) * 32 + (size_t)w[3];
}

/* The answer that most often goes with each question in training, tried on the test examples. */
static double text_alone(const struct dataset *d) {
    size_t(*count)[ANSWERS] = calloc(9 * 32 * 32, sizeof *count), right = 0;
    assert_non_null(count);
    for (size_t i = 0; i < d->train.n; i++)
        count[question_number(words(&d->train, i))][d->train.label[i]]++;
    for (size_t i = 0; i < d->test.n; i++) {
        const size_t *of = count[question_number(words(&d->test, i))];
        size_t best = 0;
        for (size_t c = 1; c < ANSWERS; c++) best = of[c] > of[best] ? c : best;
        right += best == (size_t)d->test.label[i];
    }
    free(count);
    return (double)right / (double)d->test.n;
}

/* 6000 test examples: 0.3125 +- 5 sqrt(0.3125 * 0.6875 / 6000) = 0.030. Skewed by 0.6 the favored
 * answer has 0.25 + 0.6 * 0.75 = 0.70 (yes and no 0.80) where the prior is the same, so 0.725; where
 * it is reversed, 0.4 * 0.3125 = 0.125. */
static void the_question_alone_is_right_as_often_as_the_prior_says(void **state) {
    static const struct {
        const char *skew, *prior;
        double right;
    } cases[] = {{"0", "fair", 0.3125},
                 {"0.6", "fair", 0.3125},
                 {"0.6", "same", 0.725},
                 {"0.6", "reversed", 0.125}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct dataset d =
            load(data_settings("vqa", "noise", "0", "train", "6000", "test", "6000", "skew",
                               cases[i].skew, "test_prior", cases[i].prior, NULL),
                 3);
        const double right = text_alone(&d);
        if (fabs(right - cases[i].right) > 0.03)
            fail_msg("skew %s, %s: %.4f, not %.4f", cases[i].skew, cases[i].prior, right,
                     cases[i].right);
        data_free(&d);
    }
}

/* How likely each answer is for who sees the scene and not the question, but for a factor; p: that
 * a scene of n objects has one whose shape (color) no other has. */
static void scene_weights(const struct seen *s, double weight[ANSWERS]) {
    static const double p[5] = {1, 1, 3.0 / 4, 15.0 / 16, 27.0 / 32};
    size_t alone[2] = {0}, distinct = 0;
    memset(weight, 0, ANSWERS * sizeof *weight);
    for (size_t i = 0; i < s->n; i++) {
        size_t same_shape = 0, same_color = 0, before = 0;
        for (size_t j = 0; j < s->n; j++) {
            same_shape += s->shape[j] == s->shape[i];
            same_color += s->color[j] == s->color[i];
            before += j < i && s->shape[j] == s->shape[i] && s->color[j] == s->color[i];
        }
        distinct += before == 0;
        alone[0] += same_shape == 1;
        alone[1] += same_color == 1;
        if (same_shape == 1) weight[s->color[i]] += 1 / p[s->n];
        if (same_color == 1) weight[4 + s->shape[i]] += 1 / p[s->n];
    }
    for (size_t c = 0; c < 8; c++) weight[c] /= (double)(alone[c / 4] ? alone[c / 4] : 1);
    weight[7 + s->n] = 1;
    weight[12] = 0.5;
    /* an object that is not there: 16 - distinct of the 16, on the mean 16 (15/16)^n */
    weight[13] = 0.5 * (16 - (double)distinct) / (16 * pow(15.0 / 16, (double)s->n));
}

/* The best guess from the picture alone expects its weight's share, and has it: 6000 examples, p near
 * 0.27, 5 s.d. are 0.029. It stays below what the question alone gives. */
static void the_picture_alone_is_no_better(void **state) {
    struct dataset d = load(data_settings("vqa", "noise", "0", "train", "6000", NULL), 4);
    double expected = 0, right = 0;
    (void)state;
    for (size_t i = 0; i < d.train.n; i++) {
        const struct seen s = look(picture(&d.train, i));
        double weight[ANSWERS], sum = 0;
        size_t best = 0;
        scene_weights(&s, weight);
        for (size_t c = 0; c < ANSWERS; c++) {
            sum += weight[c];
            best = weight[c] > weight[best] ? c : best;
        }
        expected += weight[best] / sum;
        right += best == (size_t)d.train.label[i];
    }
    const double n = (double)d.train.n;
    assert_true(fabs(expected - right) / n < 0.029);
    assert_true(expected / n < 0.29);
    assert_true(expected / n > 0.25);
    data_free(&d);
}

/* Share of the most frequent answer of each kind among 8000, within 5 s.d. (2000 of a kind: 0.056). */
static void a_skewed_prior_raises_one_answer_of_each_kind(void **state) {
    struct dataset d = load(data_settings("vqa", "noise", "0", "train", "8000", "test", "4000",
                                          "skew", "0.4", "test_prior", "reversed", NULL),
                            5);
    size_t train[ANSWERS] = {0}, test[ANSWERS] = {0};
    (void)state;
    for (size_t i = 0; i < d.train.n; i++) train[d.train.label[i]]++;
    for (size_t i = 0; i < d.test.n; i++) test[d.test.label[i]]++;
    for (size_t k = 0; k < KINDS; k++) {
        size_t favored = first[k], of_train = 0, of_test = 0;
        const double fair = 1.0 / (double)(first[k + 1] - first[k]);
        for (size_t c = first[k]; c < first[k + 1]; c++) {
            favored = train[c] > train[favored] ? c : favored;
            of_train += train[c];
            of_test += test[c];
        }
        const double share = (double)train[favored] / (double)of_train;
        const double reversed = (double)test[favored] / (double)of_test;
        assert_true(fabs(share - (fair + 0.4 * (1 - fair))) < 0.056);
        assert_true(fabs(reversed - 0.6 * fair) < 0.08);
    }
    data_free(&d);
}

static void wholly_skewed_each_kind_has_one_answer(void **state) {
    struct dataset d = load(data_settings("vqa", "noise", "0", "train", "500", "test", "500",
                                          "skew", "1", "test_prior", "reversed", NULL),
                            6);
    int32_t only[KINDS] = {-1, -1, -1, -1};
    (void)state;
    for (size_t i = 0; i < d.train.n; i++) {
        int32_t *of = &only[kind_of(d.train.label[i])];
        if (*of < 0) *of = d.train.label[i];
        assert_int_equal(d.train.label[i], *of);
    }
    for (size_t i = 0; i < d.test.n; i++)
        assert_int_not_equal(d.test.label[i], only[kind_of(d.test.label[i])]);
    data_free(&d);
}

/* The noise is drawn last, so without it the same scene is left. 1.7 million values. */
static void noise_is_white_and_comes_on_top(void **state) {
    struct dataset a = load(data_settings("vqa", "train", "1000", "noise", "0", NULL), 7);
    struct dataset b = load(data_settings("vqa", "train", "1000", "noise", "0.2", NULL), 7);
    const size_t n = 1000 * PIXELS * 3;
    double sum = 0, squares = 0;
    (void)state;
    for (size_t i = 0; i < n; i++) {
        const double x = (double)((float *)b.train.x[0])[i] - (double)((float *)a.train.x[0])[i];
        const double clean = (double)((float *)a.train.x[0])[i];
        assert_true(clean >= 0 && clean <= 1);
        sum += x;
        squares += x * x;
    }
    assert_true(fabs(sum / (double)n) < 1e-3);
    assert_true(fabs(sqrt(squares / (double)n) / 0.2 - 1) < 0.005);
    data_free(&a);
    data_free(&b);
}

static void a_larger_set_begins_with_the_smaller_and_balance_changes_nothing(void **state) {
    struct dataset a = load(data_settings("vqa", "train", "50", "test", "20", NULL), 3);
    struct dataset b = load(data_settings("vqa", "train", "90", "test", "20", NULL), 3);
    struct dataset c =
        load(data_settings("vqa", "train", "90", "test", "20", "balance", "false", NULL), 3);
    struct dataset d = load(data_settings("vqa", "train", "90", "test", "20", NULL), 4);
    (void)state;
    assert_int_equal(a.train.n, 50);
    assert_memory_equal(a.train.x[0], b.train.x[0], 50 * 3 * PIXELS * sizeof(float));
    assert_memory_equal(a.train.x[1], b.train.x[1], 50 * SLOTS * sizeof(float));
    assert_string_equal(b.digest, c.digest);
    assert_string_not_equal(b.digest, d.digest);
    assert_memory_not_equal(a.train.x[0], a.test.x[0], 20 * 3 * PIXELS * sizeof(float));
    data_free(&a);
    data_free(&b);
    data_free(&c);
    data_free(&d);
}

static void impossible_ones_are_refused(void **state) {
    (void)state;
    assert_refused(data_settings("vqa", "train", "2000000000", NULL), "at most 500000");
    assert_refused(data_settings("vqa", "test", "500001", NULL), "data.test");
    assert_refused(data_settings("vqa", "path", "here", NULL), "data.path");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_set_is_as_documented),
        cmocka_unit_test(every_answer_is_in_the_picture_for_who_reads_the_question),
        cmocka_unit_test(the_question_alone_is_right_as_often_as_the_prior_says),
        cmocka_unit_test(the_picture_alone_is_no_better),
        cmocka_unit_test(a_skewed_prior_raises_one_answer_of_each_kind),
        cmocka_unit_test(wholly_skewed_each_kind_has_one_answer),
        cmocka_unit_test(noise_is_white_and_comes_on_top),
        cmocka_unit_test(a_larger_set_begins_with_the_smaller_and_balance_changes_nothing),
        cmocka_unit_test(impossible_ones_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
