/* Dense products: every instruction set against a plain loop in double, over random shapes.
 *
 * Tolerance: a sum of n products in any order, fused or not, rounds to within n u / (1 - n u) of the
 * sum of the absolute products (Higham 2002, section 3.1), u = epsilon / 2, with one term more for
 * what C held. Arrays are exactly as large as they must be, so that the address sanitizer sees any
 * access outside, and what lies between the rows of C holds a canary. */
#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "nets/kernels/gemm.h"

#ifdef REAL_IS_DOUBLE
static const double unit = DBL_EPSILON;
#else
static const double unit = FLT_EPSILON / 2;
#endif
static const real canary = (real)-12345.5;
static const char *const isas[] = {"baseline", "x86-64-v3", "x86-64-v4"};
enum { ISAS = sizeof isas / sizeof *isas, CASES = 400 };

/* SplitMix64: enough for test data, and nothing of the product under it. */
static uint64_t draw(uint64_t *seed) {
    uint64_t z = (*seed += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static real *numbers(size_t n, uint64_t *seed) {
    real *a = malloc(n * sizeof *a);
    assert_non_null(a);
    for (size_t i = 0; i < n; i++)
        a[i] = (real)((double)(draw(seed) >> 11) / 4503599627370496.0 - 1);
    return a;
}

static size_t size_drawn(uint64_t *seed) {
    return 1 + draw(seed) % (draw(seed) % 4 ? 40 : 150);
}

/* B is given as [K, N], or as [N, K] when it is packed by rows. */
struct problem {
    struct gemm_product p;
    real *a, *b, *panels, *c, *before;
    size_t a_n, c_n;
    bool by_rows;
};

static struct problem problem_make(const struct gemm *g, uint64_t seed) {
    struct problem q = {.by_rows = draw(&seed) & 1};
    struct gemm_product *p = &q.p;
    *p = (struct gemm_product){size_drawn(&seed), size_drawn(&seed), size_drawn(&seed),
                               .add = draw(&seed) & 1};
    p->a_row = p->K + draw(&seed) % 5;
    p->c_row = p->N + draw(&seed) % 5;
    p->b_panel = p->K * g->lanes;
    q.a_n = (p->M - 1) * p->a_row + p->K;
    q.c_n = (p->M - 1) * p->c_row + p->N;
    q.a = numbers(q.a_n, &seed);
    q.b = numbers(p->K * p->N, &seed);
    q.c = numbers(q.c_n, &seed);
    q.panels = malloc(gemm_panels(g, p->N) * p->b_panel * sizeof(real));
    q.before = malloc(q.c_n * sizeof(real));
    assert_true(q.panels && q.before);
    for (size_t i = 0; i < q.c_n; i++)
        if (i % p->c_row >= p->N) q.c[i] = canary;
    memcpy(q.before, q.c, q.c_n * sizeof(real));
    p->ahead[0] = (struct gemm_ahead){q.a, p->M, p->K, p->a_row};
    p->a = q.a, p->b = q.panels, p->c = q.c;
    return q;
}

static void problem_free(struct problem *q) {
    free(q->a), free(q->b), free(q->c), free(q->panels), free(q->before);
}

static void problem_solve(const struct gemm *g, struct problem *q) {
    if (q->by_rows)
        g->pack_rows(q->b, q->p.K, q->p.N, q->p.K, q->panels);
    else
        g->pack(q->b, q->p.N, q->p.K, q->p.N, q->panels);
    g->multiply(&q->p);
}

/* Elements that are wrong, canaries included. */
static size_t problem_errors(const struct problem *q) {
    const struct gemm_product *p = &q->p;
    size_t wrong = 0;
    for (size_t i = 0; i < q->c_n; i++) {
        const size_t m = i / p->c_row, n = i % p->c_row;
        double sum = p->add ? (double)q->before[i] : 0, size = fabs(sum);
        if (n >= p->N) {
            wrong += q->c[i] != canary;
            continue;
        }
        for (size_t k = 0; k < p->K; k++) {
            double term = (double)q->a[m * p->a_row + k] *
                          (double)(q->by_rows ? q->b[n * p->K + k] : q->b[k * p->N + n]);
            sum += term;
            size += fabs(term);
        }
        const double nu = ((double)p->K + 3) * unit;
        wrong += !(fabs((double)q->c[i] - sum) <= nu / (1 - nu) * size);
    }
    return wrong;
}

static void products_agree_with_a_plain_loop(void **state) {
    (void)state;
    for (size_t i = 0; i < ISAS; i++) {
        const struct gemm *g = gemm_isa(isas[i]);
        for (uint64_t seed = 0; g && seed < CASES; seed++) {
            struct problem q = problem_make(g, seed);
            problem_solve(g, &q);
            size_t wrong = problem_errors(&q);
            if (wrong)
                fail_msg("%s, case %d: %zu of %zu x %zu (K %zu) wrong", isas[i], (int)seed, wrong,
                         q.p.M, q.p.N, q.p.K);
            problem_free(&q);
        }
    }
}

static void a_wrong_product_is_seen(void **state) {
    (void)state;
    struct problem q = problem_make(gemm_choose(), 1);
    problem_solve(gemm_choose(), &q);
    assert_int_equal(problem_errors(&q), 0);
    q.a[q.a_n - 1] += 1;
    assert_int_not_equal(problem_errors(&q), 0);
    problem_free(&q);
}

/* What a row of C is does not depend on the rows that are computed with it: bits for any cut. (In
 * checked builds tiles are loops, of which a compiler fuses some multiply-adds and others not.) */
static void a_product_in_parts_is_the_whole(void **state) {
    (void)state;
    const struct gemm *g = gemm_choose();
    for (uint64_t seed = 0; seed < 50; seed++) {
        struct problem q = problem_make(g, seed), r = problem_make(g, seed);
        problem_solve(g, &q);
        problem_solve(g, &r);
        memcpy(r.c, r.before, r.c_n * sizeof(real));
        struct gemm_product upper = r.p, lower = r.p;
        upper.M = r.p.M / 3;
        lower.M -= upper.M;
        lower.a += upper.M * r.p.a_row;
        lower.c += upper.M * r.p.c_row;
        g->multiply(&upper);
        g->multiply(&lower);
        assert_memory_equal(q.c, r.c, q.c_n * sizeof(real));
        assert_int_equal(problem_errors(&r), 0);
        problem_free(&q);
        problem_free(&r);
    }
}

static void a_transpose_swaps_rows_and_columns(void **state) {
    (void)state;
    for (size_t i = 0; i < ISAS; i++) {
        const struct gemm *g = gemm_isa(isas[i]);
        for (uint64_t seed = 0; g && seed < 100; seed++) {
            const size_t M = size_drawn(&seed), N = size_drawn(&seed);
            real *from = numbers(M * N, &seed), *to = numbers(M * N, &seed);
            g->transpose(from, N, M, N, to, M);
            for (size_t k = 0; k < M * N; k++) assert_true(to[k % N * M + k / N] == from[k]);
            free(from), free(to);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(products_agree_with_a_plain_loop),
        cmocka_unit_test(a_wrong_product_is_seen),
        cmocka_unit_test(a_product_in_parts_is_the_whole),
        cmocka_unit_test(a_transpose_swaps_rows_and_columns),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
