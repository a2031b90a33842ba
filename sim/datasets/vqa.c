/* Questions about small scenes: two senses, of which neither suffices. A network must look at the
 * picture to do better than the text prior, the best guess from the question alone.
 *
 * Scene, [24,24,3] in 0..1: a grey of 0.30 + 0.15 U; three segments of clutter, 3 pixels long,
 * lying or standing, of any color; 1 to 4 objects in different cells of a 3x3 grid of 8x8 cells,
 * each moved by 0 or 1 pixel per axis, one of four shapes (7x7 masks, below) in one of four colors
 * times a brightness of 0.75 + 0.25 U; Gaussian noise of s.d. `noise` on every value, not clipped.
 *
 * Question, 6 token slots: two words that say what is asked, up to two arguments, one slot that
 * stays empty, and the hint's, which is empty here: the deficit text_dominance fills it. Four kinds,
 * equally likely:
 *   what color SHAPE      4 answers; the scene has one object of that shape
 *   which shape COLOR     4 answers; the scene has one object of that color
 *   how many              4 answers, 1 to 4
 *   is there COLOR SHAPE  yes or no
 * Kind, then answer, then number of objects are drawn; then scenes until one fits the three. All but
 * the answer's draw treats colors, shapes and numbers alike, so the question tells the kind and no
 * more, and the text prior is (1/4 + 1/4 + 1/4 + 1/2) / 4 = 31.25 %.
 *
 * Skewed prior: each kind has a favored answer, drawn by the stream (data.seed, "vqa favored", 0,
 * kind). With probability `skew` a training answer is the favored one, else any of its kind. Test
 * answers follow `test_prior`; reversed, as in VQA-CP (Agrawal et al. 2018): with probability `skew`
 * any but the favored one, else any.
 *
 * Trap: a draw with as many of each answer would undo both priors and change the fair one (yes and no
 * are twice as frequent as other answers), so such a draw is not made: the set has a prior of its own.
 *
 * Every example has the stream (data.seed, "vqa", split, number): a larger set begins with the
 * smaller one. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "sim/datasets/pool.h"

enum {
    SIDE = 24,
    CELL = 8,
    GRID = 3,
    MASK = 7,
    OBJECTS = 4,
    SEGMENTS = 3,
    SEGMENT = 3,
    PIXELS = SIDE * SIDE,
    SLOTS = 6,
    TRAIN_DEFAULT = 5000,
    TEST_DEFAULT = 1000,
    EXAMPLES_MAX = 500000,
    TEST_INDEX = 10000000 /* of the first test example: beyond every training pool */
};

/* Answers, in order of their class: 4 colors, 4 shapes, 4 numbers, yes, no. */
enum { COLORS = 4, SHAPES = 4, ANSWERS = 14, KINDS = 4 };
enum kind { ASK_COLOR, ASK_SHAPE, ASK_NUMBER, ASK_THERE };
static const size_t first_answer[KINDS + 1] = {0, 4, 8, 12, 14};
static const char *const answer_names[ANSWERS] = {"red",  "green", "blue",     "yellow", "square",
                                                  "ring", "cross", "triangle", "1",      "2",
                                                  "3",    "4",     "yes",      "no"};

/* Tokens: 0 empty; 1 what, 2 color, 3 which, 4 shape, 5 how, 6 many, 7 is, 8 there; 9..12 the
 * colors; 13..16 the shapes; 17..30 the hints, one per answer. */
enum { WORD_FIRST = 1, COLOR_FIRST = 9, SHAPE_FIRST = 13, HINT_FIRST = 17, TOKENS = 31 };
enum { SLOT_WORDS = 0, SLOT_ARGUMENTS = 2, SLOT_HINT = 5 };

enum prior { FAIR, SAME, REVERSED };

struct questions {
    double noise, skew;
    enum prior test_prior;
    size_t favored[KINDS]; /* classes */
};

struct object {
    size_t color, shape;
};

struct scene {
    size_t n, color, shape; /* the arguments asked for, where the question has them */
    struct object object[OBJECTS];
};

/* ---- question, answer and a scene that goes with them ---------------------------------------- */

static size_t answer_draw(const struct questions *q, enum kind kind, enum prior prior,
                          struct rng *r) {
    const size_t first = first_answer[kind], n = first_answer[kind + 1] - first;
    const bool is_skewed = rng_uniform(r) < q->skew && prior != FAIR;
    const size_t any = rng_below(r, (uint32_t)n), other = 1 + rng_below(r, (uint32_t)n - 1);
    if (!is_skewed) return first + any;
    if (prior == SAME) return q->favored[kind];
    return first + (q->favored[kind] - first + other) % n;
}

static struct object object_draw(struct rng *r) {
    struct object o;
    o.color = rng_below(r, COLORS);
    o.shape = rng_below(r, SHAPES);
    return o;
}

static void objects_draw(struct scene *s, struct rng *r) {
    for (size_t i = 0; i < s->n; i++) s->object[i] = object_draw(r);
}

static size_t objects_like(const struct scene *s, const struct object *o, bool color, bool shape) {
    size_t n = 0;
    for (size_t i = 0; i < s->n; i++)
        n += (!color || s->object[i].color == o->color) &&
             (!shape || s->object[i].shape == o->shape);
    return n;
}

/* One of the objects that can be asked for, by shape or by color: it is the only one. NULL: none. */
static const struct object *object_alone(const struct scene *s, bool color, bool shape,
                                         struct rng *r) {
    const struct object *alone[OBJECTS];
    size_t n = 0;
    for (size_t i = 0; i < s->n; i++)
        if (objects_like(s, &s->object[i], color, shape) == 1) alone[n++] = &s->object[i];
    return n ? alone[rng_below(r, (uint32_t)n)] : NULL;
}

static bool fits_color(struct scene *s, size_t answer, struct rng *r) {
    const struct object *o = object_alone(s, false, true, r);
    if (!o || o->color != answer) return false;
    s->shape = o->shape;
    return true;
}

static bool fits_shape(struct scene *s, size_t answer, struct rng *r) {
    const struct object *o = object_alone(s, true, false, r);
    if (!o || o->shape != answer) return false;
    s->color = o->color;
    return true;
}

static bool fits_number(struct scene *s, size_t answer, struct rng *r) {
    (void)r;
    return s->n == answer + 1;
}

static bool fits_there(struct scene *s, size_t answer, struct rng *r) {
    const bool yes = answer == 0;
    const struct object o = yes ? s->object[rng_below(r, (uint32_t)s->n)] : object_draw(r);
    s->color = o.color;
    s->shape = o.shape;
    return yes || objects_like(s, &o, true, true) == 0;
}

/* How a kind is asked: which arguments stand in the question, and whether a scene fits an answer
 * (counted from the kind's first), which chooses the arguments. */
static const struct {
    bool color, shape;
    bool (*fits)(struct scene *s, size_t answer, struct rng *r);
} asked[KINDS] = {[ASK_COLOR] = {false, true, fits_color},
                  [ASK_SHAPE] = {true, false, fits_shape},
                  [ASK_NUMBER] = {false, false, fits_number},
                  [ASK_THERE] = {true, true, fits_there}};

static void scene_draw(struct scene *s, enum kind kind, size_t answer, struct rng *r) {
    const size_t at = answer - first_answer[kind];
    s->n = kind == ASK_NUMBER ? at + 1 : 1 + rng_below(r, OBJECTS);
    do objects_draw(s, r);
    while (!asked[kind].fits(s, at, r));
}

static void question_write(enum kind kind, const struct scene *s, float token[SLOTS]) {
    size_t slot = SLOT_ARGUMENTS;
    memset(token, 0, SLOTS * sizeof *token);
    token[SLOT_WORDS] = (float)(WORD_FIRST + 2 * kind);
    token[SLOT_WORDS + 1] = (float)(WORD_FIRST + 2 * kind + 1);
    if (asked[kind].color) token[slot++] = (float)(COLOR_FIRST + s->color);
    if (asked[kind].shape) token[slot++] = (float)(SHAPE_FIRST + s->shape);
}

/* ---- the picture ----------------------------------------------------------------------------- */

/* dy, dx from the centre, -3..3 */
static bool mask(size_t shape, int dy, int dx) {
    const int far = dy * dy + dx * dx;
    const bool ink[SHAPES] = {abs(dy) <= 2 && abs(dx) <= 2, far >= 2 && far <= 9,
                              dy == 0 || dx == 0 || (abs(dy) <= 1 && abs(dx) <= 1),
                              2 * abs(dx) <= dy + 3};
    return ink[shape];
}

static void paint_clutter(struct rng *r, float *x) {
    for (size_t i = 0; i < SEGMENTS; i++) {
        const size_t stands = rng_below(r, 2), along = rng_below(r, SIDE - SEGMENT + 1);
        const size_t across = rng_below(r, SIDE), step = stands ? SIDE : 1;
        const size_t from = stands ? along * SIDE + across : across * SIDE + along;
        float rgb[3];
        for (size_t k = 0; k < 3; k++) rgb[k] = (float)rng_uniform(r);
        for (size_t j = 0; j < SEGMENT; j++) memcpy(x + 3 * (from + j * step), rgb, sizeof rgb);
    }
}

static void paint_object(const struct object *o, size_t cell, struct rng *r, float *x) {
    static const double rgb[COLORS][3] = {
        {1, 0.1, 0.1}, {0.1, 0.9, 0.1}, {0.15, 0.25, 1}, {0.95, 0.9, 0.1}};
    const size_t top = cell / GRID * CELL + rng_below(r, 2);
    const size_t left = cell % GRID * CELL + rng_below(r, 2);
    const double brightness = 0.75 + 0.25 * rng_uniform(r);
    for (size_t i = 0; i < MASK * MASK; i++) {
        if (!mask(o->shape, (int)(i / MASK) - MASK / 2, (int)(i % MASK) - MASK / 2)) continue;
        float *pixel = x + 3 * ((top + i / MASK) * SIDE + left + i % MASK);
        for (size_t k = 0; k < 3; k++) pixel[k] = (float)(rgb[o->color][k] * brightness);
    }
}

static void scene_paint(const struct scene *s, double noise, struct rng *r, float *x) {
    uint32_t cell[GRID * GRID];
    const float grey = (float)(0.30 + 0.15 * rng_uniform(r));
    for (size_t i = 0; i < 3 * PIXELS; i++) x[i] = grey;
    paint_clutter(r, x);
    for (uint32_t i = 0; i < GRID * GRID; i++) cell[i] = i;
    rng_shuffle(r, cell, GRID * GRID);
    for (size_t i = 0; i < s->n; i++) paint_object(&s->object[i], cell[i], r, x);
    for (size_t i = 0; i < 3 * PIXELS && noise > 0; i++) x[i] += (float)(noise * rng_normal(r));
}

/* ---- the set --------------------------------------------------------------------------------- */

static int32_t example_draw(const struct questions *q, uint64_t seed, bool test, size_t number,
                            float *image, float *text) {
    struct scene s = {0};
    struct rng r = rng_stream(seed, "vqa", test, number);
    const enum kind kind = (enum kind)rng_below(&r, KINDS);
    const size_t answer = answer_draw(q, kind, test ? q->test_prior : SAME, &r);
    scene_draw(&s, kind, answer, &r);
    question_write(kind, &s, text);
    scene_paint(&s, q->noise, &r, image);
    return (int32_t)answer;
}

static int examples_draw(const struct questions *q, const struct data_request *r, bool test,
                         struct dataset *d, struct error *e) {
    struct examples *x = test ? &d->test : &d->train;
    const size_t want = test ? r->test : r->train, all = test ? TEST_DEFAULT : TRAIN_DEFAULT;
    const size_t n = want ? want : all;
    if (n > EXAMPLES_MAX)
        return error_set(e, STATUS_USAGE, "%s: %zu questions wanted, at most %d can be made",
                         test ? "data.test" : "data.train", n, EXAMPLES_MAX);
    int status = examples_create(x, d, n, test ? TEST_INDEX : 0, e);
    for (size_t i = 0; i < n && !status; i++)
        x->label[i] = example_draw(q, r->seed, test, i, (float *)x->x[0] + i * 3 * PIXELS,
                                   (float *)x->x[1] + i * SLOTS);
    return status;
}

static struct questions questions_of(const struct settings *s, uint64_t seed) {
    struct questions q = {.noise = settings_real(s, "noise"), .skew = settings_real(s, "skew")};
    if (settings_is(s, "test_prior", "same")) q.test_prior = SAME;
    if (settings_is(s, "test_prior", "reversed")) q.test_prior = REVERSED;
    for (size_t k = 0; k < KINDS; k++) {
        struct rng r = rng_stream(seed, "vqa favored", 0, k);
        const size_t first = first_answer[k];
        q.favored[k] = first + rng_below(&r, (uint32_t)(first_answer[k + 1] - first));
    }
    return q;
}

static int groups_set(struct dataset *d, struct error *e) {
    d->class_group = malloc(ANSWERS);
    if (!d->class_group) return error_set(e, STATUS_FAILED, "out of memory");
    for (size_t k = 0; k < KINDS; k++)
        for (size_t c = first_answer[k]; c < first_answer[k + 1]; c++)
            d->class_group[c] = (uint8_t)k;
    return STATUS_OK;
}

static int vqa_read(const struct data_request *r, struct dataset *d, struct error *e) {
    const struct questions q = questions_of(r->settings, r->seed);
    dataset_image(d, SIDE, SIDE, 3, false);
    d->modalities_n = 2;
    d->modality[1] = (struct modality){.name = "text",
                                       .kind = MODALITY_TOKENS,
                                       .H = 1,
                                       .W = SLOTS,
                                       .C = 1,
                                       .tokens = TOKENS,
                                       .has_hint = true,
                                       .hint_slot = SLOT_HINT,
                                       .hint_first = HINT_FIRST};
    int status = dataset_classes(d, ANSWERS, answer_names, e);
    if (!status) status = groups_set(d, e);
    if (!status) status = examples_draw(&q, r, false, d, e);
    return status ? status : examples_draw(&q, r, true, d, e);
}

static const struct param vqa_params[] = {
    {.name = "noise",
     .type = PARAM_REAL,
     .preset = "0.08",
     .min = 0,
     .max = 100,
     .unit = "1",
     .doc = "S.d. of the pixel noise; the scenes are in 0..1."},
    {.name = "skew",
     .type = PARAM_REAL,
     .preset = "0.0",
     .min = 0,
     .max = 1,
     .unit = "1",
     .doc = "With this probability a training answer is its kind of question's favored one (drawn "
            "by data.seed), else any of its kind; 0 is fair."},
    {.name = "test_prior",
     .type = PARAM_CHOICE,
     .preset = "fair",
     .choices = "fair|same|reversed",
     .doc = "Prior of the test answers: fair; same as in training; or reversed, where data.skew is "
            "the probability of any but the favored answer."},
    {0},
};

const struct dataset_type dataset_vqa = {
    .name = "vqa",
    .doc = "Questions about small scenes, made anew for every data.seed: modalities image (24x24 "
           "RGB) and text (6 token slots, one for a hint), 14 answers; train: 0 and test: 0 mean "
           "5,000 and 1,000.",
    .params = vqa_params,
    .needs_path = false,
    .flip_allowed = true,
    .own_prior = true,
    .read = vqa_read,
    .source =
        "Nothing to get: imprint makes the scenes and the questions.\n\n"
        "Text: two words that say what is asked, up to two arguments, an empty slot, the hint's.\n"
        "  what color SHAPE | which shape COLOR | how many | is there COLOR SHAPE\n"
        "Tokens: 0 empty, 1-8 what color which shape how many is there, 9-12 red green blue "
        "yellow,\n"
        "  13-16 square ring cross triangle, 17-30 hints, one per answer.\n"
        "Answers: red green blue yellow, square ring cross triangle, 1 2 3 4, yes no. The best\n"
        "  guess from the question alone is right in 31.25 % of fair data.\n"
        "The hint slot is empty; the deficit text_dominance fills it. data.balance has no effect:\n"
        "  the kinds of questions are equally likely, and so are the answers of a kind, but for\n"
        "  data.skew.\n",
};
