/* Convolution: every kernel against a plain loop in double, over 10,000 random shapes.
 *
 * Tolerance of the kernels that multiply and add: a sum of n products in any order, fused or not, rounds to within n u / (1 - n u) of
 * the sum of the absolute products (Higham 2002, section 3.1), u = epsilon / 2; one more rounding
 * each for the bias and for adding an image to dw. The plain loop computes that sum of absolute
 * products beside every result, so each number has a bound of its own, and nothing is fitted.
 * A method that transforms its input first may be held to the largest of these bounds instead, for a sum
 * of some terms more: see FAMILIES, where a new kind of kernel is one line.
 *
 * Arrays are exactly as large as they must be, so that the address sanitizer sees any access
 * outside; gaps after rows and images hold a canary where they must not be written, and NaN where they
 * must not be read. */
#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "nets/kernels/conv.h"
#include "nets/kernels/isa.h"

#ifdef REAL_IS_DOUBLE
static const double unit = DBL_EPSILON / 2;
#else
static const double unit = FLT_EPSILON / 2;
#endif
static const real canary = (real)-12345.5;

/* SplitMix64: enough for test data, and nothing of the product under it. */
static uint64_t draw(uint64_t *seed) {
    uint64_t z = (*seed += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}
static size_t draw_below(uint64_t *seed, size_t n) {
    return (size_t)(draw(seed) % n);
}
static real draw_real(uint64_t *seed) {
    return (real)((double)(draw(seed) >> 11) / 4503599627370496.0 - 1);
}

struct problem {
    struct conv_shape s;
    size_t N;
    struct tensor x, y; /* dx has the geometry of x, dy that of y */
    real *w, *b, *dw;   /* dw: what the gradient is added to */
    bool with_bias;
};

static struct tensor tensor_make(size_t N, size_t H, size_t W, size_t C, size_t gap,
                                 real background) {
    struct tensor t = {.H = H, .W = W, .C = C, .row = (W + gap) * C};
    t.image = (H + gap) * t.row;
    t.data = malloc(N * t.image * sizeof *t.data);
    assert_non_null(t.data);
    for (size_t i = 0; i < N * t.image; i++) t.data[i] = background;
    return t;
}

static void tensor_draw(const struct tensor *t, size_t N, uint64_t *seed) {
    for (size_t n = 0; n < N; n++)
        for (size_t h = 0; h < t->H; h++)
            for (size_t i = 0; i < t->W * t->C; i++) tensor_at(t, n, h, 0)[i] = draw_real(seed);
}

static real *array_draw(size_t n, uint64_t *seed) {
    real *a = malloc(n * sizeof *a);
    assert_non_null(a);
    for (size_t i = 0; i < n; i++) a[i] = draw_real(seed);
    return a;
}

static size_t extent_out(size_t in, size_t taps, const struct conv_shape *s) {
    return (in + 2 * s->pad - taps) / s->stride + 1;
}

/* Input extents of which the last rows and columns may be seen by no output. */
static struct problem problem_make(struct conv_shape s, size_t N, size_t H, size_t W, size_t x_gap,
                                   size_t y_gap, uint64_t seed) {
    const size_t OH = extent_out(H, s.R, &s), OW = extent_out(W, s.S, &s);
    struct problem p = {.s = s, .N = N, .with_bias = (seed & 1) != 0};
    p.x = tensor_make(N, H, W, s.C, x_gap, NAN);
    p.y = tensor_make(N, OH, OW, s.O, y_gap, NAN);
    tensor_draw(&p.x, N, &seed);
    tensor_draw(&p.y, N, &seed);
    p.w = array_draw(conv_weights(&s), &seed);
    p.b = array_draw(s.O, &seed);
    p.dw = array_draw(conv_weights(&s), &seed);
    return p;
}

static void problem_free(struct problem *p) {
    free(p->x.data), free(p->y.data), free(p->w), free(p->b), free(p->dw);
}

/* Shrink a side, or drop an image, until the products are no more than `most`: the shapes stay as
 * varied, the largest go. */
static void shrink(const struct conv_shape *s, size_t most, size_t *N, size_t *H, size_t *W,
                   size_t fewest_h, size_t fewest_w) {
    const size_t products = conv_weights(s);
    while (*N * extent_out(*H, s->R, s) * extent_out(*W, s->S, s) * products > most) {
        if (*H - fewest_h > 0 && *H >= *W)
            *H -= (*H - fewest_h + 1) / 2;
        else if (*W - fewest_w > 0)
            *W -= (*W - fewest_w + 1) / 2;
        else if (*N > 1)
            --*N;
        else
            return;
    }
}

static struct problem problem_random(uint64_t *seed, size_t most) {
    static const size_t channels[] = {1, 2, 3, 4, 5, 7, 8, 9, 10, 12, 15, 16, 17, 23, 24, 25, 33};
    static const size_t kernels[] = {1, 3, 3, 3, 5, 2, 4, 7};
    struct conv_shape s = {.C = channels[draw_below(seed, 17)],
                           .O = channels[draw_below(seed, 17)]};
    s.R = kernels[draw_below(seed, 8)];
    s.S = draw_below(seed, 4) ? s.R : kernels[draw_below(seed, 8)];
    s.stride = 1 + draw_below(seed, 8) / 3; /* mostly 1 and 2, sometimes 3 */
    s.pad = draw_below(seed, 1 + (s.R < s.S ? s.R : s.S));
    const size_t fewest_h = s.R > 2 * s.pad ? s.R - 2 * s.pad : 1;
    const size_t fewest_w = s.S > 2 * s.pad ? s.S - 2 * s.pad : 1;
    const size_t side = draw_below(seed, 12) ? 9 : 30;
    size_t N = 1 + draw_below(seed, 3);
    size_t H = fewest_h + draw_below(seed, side), W = fewest_w + draw_below(seed, side);
    shrink(&s, most, &N, &H, &W, fewest_h, fewest_w);
    const size_t x_gap = draw_below(seed, 2), y_gap = draw_below(seed, 3);
    return problem_make(s, N, H, W, x_gap, y_gap, draw(seed));
}

/* What a result must be, and the sum of the absolute values of what it is summed from. */
struct exact {
    double *value, *size;
    size_t n;
};

static struct exact exact_make(size_t n) {
    struct exact e = {calloc(n + 1, sizeof(double)), calloc(n + 1, sizeof(double)), n};
    assert_true(e.value && e.size);
    return e;
}
static void exact_free(struct exact *e) {
    free(e->value), free(e->size);
}
static void exact_add(struct exact *e, size_t i, double term) {
    e->value[i] += term;
    e->size[i] += fabs(term);
}

/* All that a problem's three results must be. */
struct answers {
    struct exact y, dx, dw;
};

/* What one tap, w[C][O], adds to all three for input pixel number xp and output pixel yp. */
struct tap {
    const real *x, *w, *dy;
    size_t xp, wp, yp;
};

static void tap_add(struct answers *a, const struct tap *t, size_t C, size_t O) {
    for (size_t c = 0; c < C; c++)
        for (size_t o = 0; o < O; o++) {
            const double x = (double)t->x[c], dy = (double)t->dy[o], w = (double)t->w[c * O + o];
            exact_add(&a->y, t->yp * O + o, x * w);
            exact_add(&a->dx, t->xp * C + c, w * dy);
            exact_add(&a->dw, t->wp + c * O + o, x * dy);
        }
}

static void pixel_add(struct answers *a, const struct problem *p, size_t n, size_t i, size_t j) {
    const struct conv_shape *s = &p->s;
    for (size_t r = 0; r < s->R; r++)
        for (size_t q = 0; q < s->S; q++) {
            const size_t h = i * s->stride + r, w = j * s->stride + q;
            if (h < s->pad || w < s->pad || h - s->pad >= p->x.H || w - s->pad >= p->x.W) continue;
            const size_t weights = (r * s->S + q) * s->C * s->O;
            const struct tap t = {.x = tensor_at(&p->x, n, h - s->pad, w - s->pad),
                                  .w = p->w + weights,
                                  .dy = tensor_at(&p->y, n, i, j),
                                  .xp = (n * p->x.H + h - s->pad) * p->x.W + w - s->pad,
                                  .wp = weights,
                                  .yp = (n * p->y.H + i) * p->y.W + j};
            tap_add(a, &t, s->C, s->O);
        }
}

static struct answers answers_make(const struct problem *p) {
    struct answers a = {exact_make(p->N * p->y.H * p->y.W * p->s.O),
                        exact_make(p->N * p->x.H * p->x.W * p->s.C),
                        exact_make(conv_weights(&p->s))};
    for (size_t i = 0; p->with_bias && i < a.y.n; i++) exact_add(&a.y, i, (double)p->b[i % p->s.O]);
    for (size_t i = 0; i < a.dw.n; i++) exact_add(&a.dw, i, (double)p->dw[i]);
    for (size_t n = 0; n < p->N; n++)
        for (size_t i = 0; i < p->y.H; i++)
            for (size_t j = 0; j < p->y.W; j++) pixel_add(&a, p, n, i, j);
    return a;
}

static void answers_free(struct answers *a) {
    exact_free(&a->y), exact_free(&a->dx), exact_free(&a->dw);
}

/* ---- kernels, and how far they may be off ---------------------------------------------------- */

/* The bound of a sum of as many terms, and of `more` that transforms add: each number's own bound, or,
 * if `largest`, that of the largest of its tensor, for methods whose errors spread over neighbors. */
struct bound {
    size_t more;
    bool largest;
};

/* Winograd's transforms mix an output with its neighbors and their taps, so that an error is relative
 * to the largest number of a tensor. With 16 places, whose transforms add up to 4 numbers and multiply
 * by 1/2 at most, 10,000 cases reach less than half of a plain sum's bound. With 36 places a result
 * passes through transforms that are like so many terms more, which also a sum of one product has: a
 * weight gradient of one pixel errs by up to 11 u, a plain sum by at most 1 u. Of the bound with these 36
 * terms 10,000 cases reach less than half. */
enum { PLACES6 = 36 };

static const struct family {
    const char *name;
    struct bound bound;
} FAMILIES[] = {
    {"im2col", {0, false}},           {"direct", {0, false}},           {"F(2x2, 3x3)", {0, true}},
    {"F(2x2, 5x5)", {PLACES6, true}}, {"F(4x4, 3x3)", {PLACES6, true}},
};
static const char *const isas[] = {"baseline", "x86-64-v3", "x86-64-v4"};

struct kernel {
    const struct conv_kernel *k;
    struct bound bound;
};
enum { KERNELS_MOST = 16 };

/* Every implementation that this machine can run. */
static size_t kernels_here(struct kernel list[KERNELS_MOST]) {
    size_t n = 0;
    for (size_t f = 0; f < sizeof FAMILIES / sizeof *FAMILIES; f++)
        for (size_t i = 0; i < sizeof isas / sizeof *isas; i++) {
            const struct conv_kernel *k = conv_find(FAMILIES[f].name, isas[i]);
            if (k == &conv_reference && i > 0) continue; /* there is one */
            assert_true(n < KERNELS_MOST);
            if (k) list[n++] = (struct kernel){k, FAMILIES[f].bound};
        }
    return n;
}

/* Those that can do shape s. */
static size_t kernels_for(const struct conv_shape *s, struct kernel list[KERNELS_MOST]) {
    const size_t n = kernels_here(list);
    size_t kept = 0;
    for (size_t i = 0; i < n; i++)
        if (list[i].k->covers(s)) list[kept++] = list[i];
    return kept;
}

static double largest(const struct exact *e) {
    double most = 0;
    for (size_t i = 0; i < e->n; i++) most = fmax(most, e->size[i]);
    return most;
}

/* Is |got - want| <= n u / (1 - n u) size, for a sum of n terms? The double sum's own error is
 * covered by 2 terms more in float, and by doubling the bound when real is double as well. */
static bool within(double got, double want, double size, size_t terms) {
    const double nu = ((double)terms + 2) * unit * (sizeof(real) == sizeof(double) ? 2 : 1);
    return fabs(got - want) <= nu / (1 - nu) * size;
}

struct checker {
    const struct exact *e;
    size_t terms;
    double most; /* 0, or what replaces each number's own size */
};

static struct checker checker_make(const struct exact *e, size_t terms, struct bound bound) {
    return (struct checker){e, terms + bound.more, bound.largest ? largest(e) : 0};
}

static bool is_right(const struct checker *c, size_t i, real got) {
    const double size = c->most > 0 ? c->most : c->e->size[i];
    return within((double)got, c->e->value[i], size, c->terms);
}

static size_t wrong_numbers(const struct checker *c, const real *got) {
    size_t wrong = 0;
    for (size_t i = 0; i < c->e->n; i++) wrong += !is_right(c, i, got[i]);
    return wrong;
}

static size_t wrong_pixels(const struct checker *c, const struct tensor *got, size_t N) {
    size_t wrong = 0, at = 0;
    for (size_t n = 0; n < N; n++)
        for (size_t h = 0; h < got->H; h++)
            for (size_t i = 0; i < got->W * got->C; i++, at++)
                wrong += !is_right(c, at, tensor_at(got, n, h, 0)[i]);
    return wrong;
}

static bool gaps_untouched(const struct tensor *t, size_t N) {
    for (size_t n = 0; n < N; n++)
        for (size_t i = 0; i < t->image; i++) {
            const size_t h = i / t->row, w = i % t->row / t->C;
            const bool inside = h < t->H && w < t->W;
            if (!inside && t->data[n * t->image + i] != canary) return false;
        }
    return true;
}

static struct tensor like(const struct tensor *t, size_t N) {
    return tensor_make(N, t->H, t->W, t->C, t->row / t->C - t->W, canary);
}

static real *scratch_make(const struct conv_kernel *k, const struct problem *p) {
    const size_t n = k->scratch(&p->s, &p->x, &p->y);
    real *scratch = malloc((n + 1) * sizeof *scratch);
    assert_non_null(scratch);
    for (size_t i = 0; i <= n; i++) scratch[i] = NAN; /* nothing may rest on what was left there */
    return scratch;
}

/* The three results of a kernel, the batch taken in the pieces [0, cut) and [cut, N). */
struct results {
    struct tensor y, dx;
    real *dw;
};

static struct results results_make(const struct conv_kernel *k, const struct problem *p,
                                   size_t cut) {
    struct results r = {like(&p->y, p->N), like(&p->x, p->N), NULL};
    const size_t edges[] = {0, cut, p->N}, bytes = conv_weights(&p->s) * sizeof(real);
    r.dw = malloc(bytes);
    assert_non_null(r.dw);
    memcpy(r.dw, p->dw, bytes);
    for (size_t i = 0; i < 2; i++) {
        real *scratch = scratch_make(k, p);
        const size_t first = edges[i], last = edges[i + 1];
        k->forward(&p->s, &p->x, p->w, p->with_bias ? p->b : NULL, &r.y, first, last, scratch);
        k->backward_data(&p->s, &p->y, p->w, &r.dx, first, last, scratch);
        k->backward_weights(&p->s, &p->x, &p->y, r.dw, first, last, scratch);
        free(scratch);
    }
    return r;
}
static void results_free(struct results *r) {
    free(r->y.data), free(r->dx.data), free(r->dw);
}

static void expect(bool good, const struct conv_kernel *k, const struct problem *p,
                   const char *what) {
    if (good) return;
    fail_msg("%s: %s, C=%zu O=%zu R=%zu S=%zu stride=%zu pad=%zu N=%zu H=%zu W=%zu gaps %zu %zu",
             k->name, what, p->s.C, p->s.O, p->s.R, p->s.S, p->s.stride, p->s.pad, p->N, p->x.H,
             p->x.W, p->x.row / p->x.C - p->x.W, p->y.row / p->y.C - p->y.W);
}

static void check_problem(const struct kernel *kernel, const struct problem *p,
                          const struct answers *a) {
    const struct conv_kernel *k = kernel->k;
    const size_t taps = p->s.R * p->s.S, pixels = p->N * p->y.H * p->y.W;
    const struct checker y = checker_make(&a->y, taps * p->s.C + 1, kernel->bound),
                         dx = checker_make(&a->dx, taps * p->s.O, kernel->bound),
                         dw = checker_make(&a->dw, pixels + 1, kernel->bound);
    struct results r = results_make(k, p, p->N);
    expect(wrong_pixels(&y, &r.y, p->N) == 0, k, p, "forward is wrong");
    expect(wrong_pixels(&dx, &r.dx, p->N) == 0, k, p, "backward_data is wrong");
    expect(wrong_numbers(&dw, r.dw) == 0, k, p, "backward_weights is wrong");
    expect(gaps_untouched(&r.y, p->N), k, p, "forward wrote the gaps of y");
    expect(gaps_untouched(&r.dx, p->N), k, p, "backward_data wrote the gaps of dx");
    results_free(&r);
}

static void check_kernels(const struct problem *p) {
    struct kernel list[KERNELS_MOST];
    const size_t n = kernels_for(&p->s, list);
    struct answers a = answers_make(p);
    for (size_t i = 0; i < n; i++) check_problem(&list[i], p, &a);
    answers_free(&a);
}

static bool same_bits(const struct tensor *a, const struct tensor *b, size_t N) {
    return memcmp(a->data, b->data, N * a->image * sizeof(real)) == 0;
}

static void check_cuts(const struct conv_kernel *k, const struct problem *p) {
    struct results whole = results_make(k, p, p->N);
    for (size_t cut = 0; cut < p->N; cut++) {
        struct results r = results_make(k, p, cut);
        expect(same_bits(&whole.y, &r.y, p->N), k, p, "a cut changes y");
        expect(same_bits(&whole.dx, &r.dx, p->N), k, p, "a cut changes dx");
        expect(!k->in_order || memcmp(whole.dw, r.dw, conv_weights(&p->s) * sizeof(real)) == 0, k,
               p, "a cut changes dw");
        results_free(&r);
    }
    results_free(&whole);
}

static void check_all_cuts(const struct problem *p) {
    struct kernel list[KERNELS_MOST];
    const size_t n = kernels_for(&p->s, list);
    for (size_t i = 0; i < n; i++) check_cuts(list[i].k, p);
}

/* One in 100 is large, with full tiles and several bands of rows. */
static void every_kernel_agrees_with_the_plain_loop(void **state) {
    (void)state;
    enum { CASES = 10000, PRODUCTS = 50000, PRODUCTS_LARGE = 2000000 };
    uint64_t seed = 1;
    for (size_t i = 0; i < CASES; i++) {
        struct problem p = problem_random(&seed, i % 100 ? PRODUCTS : PRODUCTS_LARGE);
        check_kernels(&p);
        problem_free(&p);
    }
}

static void cutting_the_batch_changes_no_bit(void **state) {
    (void)state;
    uint64_t seed = 2;
    for (size_t i = 0; i < 300; i++) {
        struct problem p = problem_random(&seed, 1000000);
        check_all_cuts(&p);
        problem_free(&p);
    }
}

/* Layers of the architectures, where tiles are full and rows go through cache in bands. */
static void layers_of_the_architectures_are_right(void **state) {
    (void)state;
    static const struct {
        struct conv_shape s;
        size_t side;
    } layers[] = {
        {{1, 8, 3, 3, 1, 1}, 20},    {{8, 16, 3, 3, 2, 1}, 20},  {{16, 16, 3, 3, 2, 1}, 10},
        {{3, 24, 3, 3, 1, 1}, 32},   {{24, 24, 3, 3, 1, 1}, 32}, {{24, 48, 3, 3, 2, 1}, 32},
        {{48, 48, 3, 3, 1, 1}, 16},  {{48, 48, 3, 3, 2, 1}, 16}, {{48, 48, 1, 1, 1, 0}, 8},
        {{48, 10, 1, 1, 1, 0}, 8},   {{1, 16, 5, 5, 1, 2}, 28},  {{16, 32, 5, 5, 1, 2}, 14},
        {{16, 40, 1, 1, 2, 0}, 9},   {{96, 72, 3, 3, 1, 1}, 8},  {{16, 32, 3, 3, 2, 1}, 32},
        {{16, 32, 1, 1, 2, 0}, 32},  {{64, 128, 1, 1, 2, 0}, 8}, {{64, 128, 3, 3, 2, 1}, 8},
        {{128, 128, 3, 3, 1, 1}, 4},
    };
    for (size_t i = 0; i < sizeof layers / sizeof *layers; i++) {
        struct problem p = problem_make(layers[i].s, 2, layers[i].side, layers[i].side, 0, 1, i);
        check_kernels(&p);
        check_all_cuts(&p);
        problem_free(&p);
    }
}

/* |sum of squares|, to within twice the relative error of the numbers squared. */
static void check_squares(const struct kernel *kernel, const struct problem *p) {
    const struct conv_kernel *k = kernel->k;
    const size_t count = conv_weights(&p->s), terms = p->y.H * p->y.W + count;
    real *dw = malloc(count * sizeof *dw), *scratch = scratch_make(k, p);
    assert_non_null(dw);
    for (size_t n = 0; n < p->N; n++) {
        double want = 0;
        for (size_t i = 0; i < count; i++) dw[i] = 0;
        k->backward_weights(&p->s, &p->x, &p->y, dw, n, n + 1, scratch);
        for (size_t i = 0; i < count; i++) want += (double)dw[i] * (double)dw[i];
        double got = k->squares(&p->s, &p->x, &p->y, n, scratch);
        expect(fabs(got - want) <= 2 * (double)terms * unit * want, k, p, "squares are wrong");
    }
    free(dw), free(scratch);
}

static void squares_are_those_of_the_weight_gradient(void **state) {
    (void)state;
    uint64_t seed = 4;
    size_t checked = 0;
    for (size_t i = 0; i < 1000; i++) {
        struct problem p = problem_random(&seed, 50000);
        struct kernel list[KERNELS_MOST];
        const size_t n = kernels_for(&p.s, list);
        for (size_t j = 0; j < n; j++)
            if (list[j].k->squares) check_squares(&list[j], &p), checked++;
        problem_free(&p);
    }
    assert_true(checked > 20);
}

static void images_outside_the_range_are_left_alone(void **state) {
    (void)state;
    struct problem p = problem_make((struct conv_shape){3, 9, 3, 3, 2, 1}, 3, 6, 5, 0, 1, 7);
    struct kernel list[KERNELS_MOST];
    const size_t n = kernels_for(&p.s, list);
    for (size_t i = 0; i < n; i++) {
        struct tensor y = like(&p.y, p.N), dx = like(&p.x, p.N);
        real *scratch = scratch_make(list[i].k, &p);
        list[i].k->forward(&p.s, &p.x, p.w, p.b, &y, 1, 2, scratch);
        list[i].k->backward_data(&p.s, &p.y, p.w, &dx, 1, 2, scratch);
        for (size_t m = 0; m < p.N; m += 2)
            for (size_t h = 0; h < p.y.image || h < p.x.image; h++) {
                if (h < p.y.image) assert_true(y.data[m * p.y.image + h] == canary);
                if (h < p.x.image) assert_true(dx.data[m * p.x.image + h] == canary);
            }
        free(scratch), free(y.data), free(dx.data);
    }
    problem_free(&p);
}

/* 4 x 4 under 1 x 1 with stride 2: odd rows and columns reach no output. */
static void pixels_that_no_output_sees_have_gradient_zero(void **state) {
    (void)state;
    struct problem p = problem_make((struct conv_shape){5, 3, 1, 1, 2, 0}, 1, 4, 4, 1, 0, 3);
    struct kernel list[KERNELS_MOST];
    const size_t n = kernels_for(&p.s, list);
    for (size_t i = 0; i < n; i++) {
        struct results r = results_make(list[i].k, &p, 1);
        for (size_t h = 0; h < 4; h++)
            for (size_t w = 0; w < 4; w++)
                for (size_t c = 0; c < 5; c++)
                    assert_int_equal(tensor_at(&r.dx, 0, h, w)[c] != 0, h % 2 == 0 && w % 2 == 0);
        results_free(&r);
    }
    problem_free(&p);
}

/* The checker: the smallest change that matters, one product left out or one unit in the last
 * place too many for the bound, is seen. */
static void the_checker_sees_a_single_wrong_number(void **state) {
    (void)state;
    struct problem p = problem_make((struct conv_shape){4, 6, 3, 3, 1, 1}, 2, 5, 5, 0, 1, 11);
    struct answers a = answers_make(&p);
    const struct bound own = {0, false}, loose = {37, true};
    const struct checker y = checker_make(&a.y, 37, own), dw = checker_make(&a.dw, 51, own);
    const struct checker y_loose = checker_make(&a.y, 37, loose);
    struct results r = results_make(&conv_reference, &p, p.N);
    assert_int_equal(wrong_pixels(&y, &r.y, p.N), 0);
    tensor_at(&r.y, 1, 4, 4)[5] -= tensor_at(&p.x, 1, 4, 4)[3] * p.w[(4 * 4 + 3) * 6 + 5];
    assert_int_equal(wrong_pixels(&y, &r.y, p.N), 1);
    assert_int_equal(wrong_pixels(&y_loose, &r.y, p.N), 1);
    assert_int_equal(wrong_numbers(&dw, r.dw), 0);
    r.dw[17] += (real)(60 * 4 * unit * a.dw.size[17]);
    assert_int_equal(wrong_numbers(&dw, r.dw), 1);
    assert_true(gaps_untouched(&r.y, p.N));
    r.y.data[r.y.image - 1] = 0;
    assert_false(gaps_untouched(&r.y, p.N));
    results_free(&r), answers_free(&a), problem_free(&p);
}

static void unpack_undoes_pack_and_pack_puts_output_channels_last(void **state) {
    (void)state;
    uint64_t seed = 5;
    const struct conv_shape s = {3, 4, 2, 5, 1, 1};
    real *oihw = array_draw(conv_weights(&s), &seed), *packed = array_draw(conv_weights(&s), &seed);
    real *again = array_draw(conv_weights(&s), &seed);
    conv_pack(&s, 0, s.O, oihw, packed);
    assert_true(packed[((1 * 5 + 3) * 3 + 2) * 4 + 1] == oihw[((1 * 3 + 2) * 2 + 1) * 5 + 3]);
    conv_unpack(&s, 0, s.O, packed, again);
    assert_memory_equal(again, oihw, conv_weights(&s) * sizeof(real));
    free(oihw), free(packed), free(again);
}

static void the_kernels_of_this_machine_are_the_ones_named(void **state) {
    (void)state;
    for (size_t f = 0; f < sizeof FAMILIES / sizeof *FAMILIES; f++) {
        assert_non_null(conv_find(FAMILIES[f].name, "baseline"));
        assert_non_null(conv_find(FAMILIES[f].name, isa_here()));
    }
    assert_null(conv_find("direct", "x86-64-v9"));
    assert_null(conv_find("F(3x3, 3x3)", "baseline"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kernel_agrees_with_the_plain_loop),
        cmocka_unit_test(cutting_the_batch_changes_no_bit),
        cmocka_unit_test(layers_of_the_architectures_are_right),
        cmocka_unit_test(squares_are_those_of_the_weight_gradient),
        cmocka_unit_test(images_outside_the_range_are_left_alone),
        cmocka_unit_test(pixels_that_no_output_sees_have_gradient_zero),
        cmocka_unit_test(the_checker_sees_a_single_wrong_number),
        cmocka_unit_test(unpack_undoes_pack_and_pack_puts_output_channels_last),
        cmocka_unit_test(the_kernels_of_this_machine_are_the_ones_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
