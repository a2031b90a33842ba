/* Random streams: the generator against Random123's published answers, and the moments and
 * independence that everything random here relies on. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/rng.h"

/* Random123's kat_vectors for philox4x32 with 10 rounds. */
static void the_generator_gives_the_published_answers(void **unused) {
    struct rng r = {.used = 4};
    static const uint32_t zeros[] = {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8};
    static const uint32_t ones[] = {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd};
    (void)unused;
    for (int i = 0; i < 4; i++) assert_int_equal(rng_word(&r), zeros[i]);
    memset(r.key, 0xff, sizeof r.key);
    memset(r.counter, 0xff, sizeof r.counter);
    for (int i = 0; i < 4; i++) assert_int_equal(rng_word(&r), ones[i]);
}

static void streams_differ_in_each_of_their_four_names(void **unused) {
    struct rng all[] = {rng_stream(1, "init", 0, 0),  rng_stream(2, "init", 0, 0),
                        rng_stream(1, "order", 0, 0), rng_stream(1, "init", 1, 0),
                        rng_stream(1, "init", 0, 1),  rng_stream(1, "init", 0, (uint64_t)1 << 32)};
    uint32_t first[6];
    (void)unused;
    for (int i = 0; i < 6; i++) first[i] = rng_word(&all[i]);
    for (int i = 0; i < 6; i++)
        for (int j = 0; j < i; j++) assert_int_not_equal(first[i], first[j]);
}

/* n draws of mean m and variance v: the mean is within 5 sqrt(v/n) but for one case in 10^6. */
static void uniforms_and_normals_have_their_moments(void **unused) {
    enum { N = 200000 };
    struct rng r = rng_stream(3, "init", 0, 0);
    double u = 0, z = 0, z2 = 0;
    (void)unused;
    for (int i = 0; i < N; i++) {
        double x = rng_uniform(&r), y = rng_normal(&r);
        assert_true(x >= 0 && x < 1 && isfinite(y));
        u += x;
        z += y;
        z2 += y * y;
    }
    assert_true(fabs(u / N - 0.5) < 5 * sqrt(1.0 / 12 / N));
    assert_true(fabs(z / N) < 5 * sqrt(1.0 / N));
    assert_true(fabs(z2 / N - 1) < 5 * sqrt(2.0 / N));
}

static void small_ranges_are_without_bias(void **unused) {
    enum { N = 70000, K = 7 };
    int count[K] = {0};
    struct rng r = rng_stream(4, "subset", 0, 0);
    (void)unused;
    for (int i = 0; i < N; i++) count[rng_below(&r, K)]++;
    for (int k = 0; k < K; k++)
        assert_true(abs(count[k] - N / K) < 5 * sqrt((double)N / K * (1 - 1.0 / K)));
    assert_int_equal(rng_below(&r, 1), 0);
}

static void a_shuffle_is_a_permutation_and_moves_every_place(void **unused) {
    enum { N = 100, TRIES = 2000 };
    int first[N] = {0};
    (void)unused;
    for (uint32_t t = 0; t < TRIES; t++) {
        uint32_t items[N], seen[N] = {0};
        for (uint32_t i = 0; i < N; i++) items[i] = i;
        struct rng r = rng_stream(5, "order", t, 0);
        rng_shuffle(&r, items, N);
        for (int i = 0; i < N; i++) seen[items[i]]++;
        for (int i = 0; i < N; i++) assert_int_equal(seen[i], 1);
        first[items[0]]++;
    }
    /* 20 expected at each place; a Poisson count of 60 or more has probability below 10^-11 */
    for (int i = 0; i < N; i++) assert_true(first[i] < 60);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_generator_gives_the_published_answers),
        cmocka_unit_test(streams_differ_in_each_of_their_four_names),
        cmocka_unit_test(uniforms_and_normals_have_their_moments),
        cmocka_unit_test(small_ranges_are_without_bias),
        cmocka_unit_test(a_shuffle_is_a_permutation_and_moves_every_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
