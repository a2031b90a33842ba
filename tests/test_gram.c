/* Squared norms from Gram matrices, on every instruction set, against the gradient by a plain loop in
 * double, over random shapes.
 *
 * Tolerance: the result is a sum over all pairs of products of four numbers, each product twice a sum
 * of n terms in any order (n = R S C and O), so it is off by no more than about 2 (n + 2) u times the
 * same sum over absolute values (Higham 2002, section 3.1). That sum is the squared norm of the gradient
 * of the absolute values of x and dy. Arrays are as large as they must be, for the address
 * sanitizer; gaps between rows hold NaN. */
#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "nets/kernels/gram.h"

#ifdef REAL_IS_DOUBLE
static const double unit = DBL_EPSILON;
#else
static const double unit = FLT_EPSILON / 2;
#endif
static const char *const isas[] = {"baseline", "x86-64-v3", "x86-64-v4"};
enum { NAMES = sizeof isas / sizeof *isas, CASES = 300 };

/* SplitMix64: enough for test data, and nothing of the product under it. */
static uint64_t draw(uint64_t *seed) {
    uint64_t z = (*seed += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static size_t between(uint64_t *seed, size_t least, size_t most) {
    return least + draw(seed) % (most - least + 1);
}

static real *allocated(size_t n) {
    real *a = malloc(n * sizeof *a);
    assert_non_null(a);
    return a;
}

/* Two images; the one asked for is the second. */
static struct tensor tensor_make(size_t H, size_t W, size_t C, size_t gap, uint64_t *seed) {
    struct tensor t = {.H = H, .W = W, .C = C, .row = (W + gap) * C};
    t.image = (H + gap) * t.row;
    t.data = allocated(2 * t.image);
    for (size_t i = 0; i < 2 * t.image; i++) t.data[i] = NAN;
    for (size_t h = 0; h < H; h++)
        for (size_t i = 0; i < W * C; i++)
            tensor_at(&t, 1, h, 0)[i] = (real)((double)(draw(seed) >> 11) / 4503599627370496.0 - 1);
    return t;
}

struct problem {
    struct conv_shape s;
    struct tensor x, dy;
};

static struct problem problem_make(uint64_t seed) {
    static const size_t kernels[] = {1, 3, 3, 5};
    struct problem p;
    const size_t R = kernels[between(&seed, 0, 3)];
    p.s = (struct conv_shape){.C = between(&seed, 1, 20),
                              .O = between(&seed, 1, 20),
                              .R = R,
                              .S = R,
                              .stride = between(&seed, 1, 2),
                              .pad = between(&seed, 0, R / 2)};
    const size_t H = between(&seed, R, R + 9), W = between(&seed, R, R + 9);
    p.x = tensor_make(H, W, p.s.C, between(&seed, 0, 2), &seed);
    p.dy = tensor_make((H + 2 * p.s.pad - R) / p.s.stride + 1,
                       (W + 2 * p.s.pad - R) / p.s.stride + 1, p.s.O, between(&seed, 0, 1), &seed);
    return p;
}

static void problem_free(struct problem *p) {
    free(p->x.data), free(p->dy.data);
}

/* The gradient of one weight; absolute: of the absolute values. */
static double gradient(const struct problem *p, size_t r, size_t q, size_t c, size_t o,
                       bool absolute) {
    double sum = 0;
    for (size_t i = 0; i < p->dy.H; i++)
        for (size_t j = 0; j < p->dy.W; j++) {
            const size_t h = i * p->s.stride + r - p->s.pad, w = j * p->s.stride + q - p->s.pad;
            if (h >= p->x.H || w >= p->x.W) continue; /* negative ones have wrapped around */
            double term =
                (double)tensor_at(&p->x, 1, h, w)[c] * (double)tensor_at(&p->dy, 1, i, j)[o];
            sum += absolute ? fabs(term) : term;
        }
    return sum;
}

static double norm_plain(const struct problem *p, bool absolute) {
    double sum = 0;
    for (size_t r = 0; r < p->s.R; r++)
        for (size_t q = 0; q < p->s.S; q++)
            for (size_t c = 0; c < p->s.C; c++)
                for (size_t o = 0; o < p->s.O; o++) {
                    double g = gradient(p, r, q, c, o, absolute);
                    sum += g * g;
                }
    return sum;
}

static void check(const struct gram *g, const struct problem *p, uint64_t seed) {
    real *gram = allocated(g->reals(&p->dy)), *scratch = allocated(g->scratch(&p->s, &p->dy));
    g->inputs(&p->s, &p->x, &p->dy, 1, gram, scratch);
    for (int again = 0; again < 2; again++) {
        double is = g->norm(&p->dy, 1, gram, scratch), must = norm_plain(p, false);
        double terms = (double)(p->s.R * p->s.S * p->s.C + p->s.O + 2);
        if (!(fabs(is - must) <= 2 * terms * unit * norm_plain(p, true)))
            fail_msg("case %llu: %.9g, must be %.9g", (unsigned long long)seed, is, must);
    }
    free(gram), free(scratch);
}

static void norms_are_those_of_the_gradient(void **state) {
    (void)state;
    size_t sets = 0;
    for (size_t i = 0; i < NAMES; i++) {
        const struct gram *g = gram_isa(isas[i]);
        if (!g) continue;
        sets++;
        for (uint64_t seed = 0; seed < CASES; seed++) {
            struct problem p = problem_make(seed);
            check(g, &p, seed);
            problem_free(&p);
        }
    }
    assert_true(sets >= 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(norms_are_those_of_the_gradient)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
