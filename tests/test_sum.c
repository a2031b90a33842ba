/* Sums over many numbers against one number after the other. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/rng.h"
#include "base/sum.h"

enum { MOST = 100 };

static void draw(real *v, uint64_t index) {
    struct rng r = rng_stream(1, "test", 0, index);
    for (size_t i = 0; i < MOST; i++) v[i] = (real)rng_normal(&r);
}

/* Additions of n numbers in another order: n roundings of 2^-53 each. */
static void assert_near(double is, double should, size_t n) {
    assert_true(fabs(is - should) <= (double)n * 0x1p-52 * should);
}

static void sums_of_any_length_are_those_of_a_plain_loop(void **unused) {
    real a[MOST], b[MOST];
    (void)unused;
    draw(a, 0);
    draw(b, 1);
    for (size_t n = 0; n <= MOST; n++) {
        double squares = 0.0, apart = 0.0;
        for (size_t i = 0; i < n; i++) {
            double d = (double)a[i] - (double)b[i];
            squares += (double)a[i] * (double)a[i];
            apart += d * d;
        }
        assert_near(sum_squares(a, n), squares, n);
        assert_near(sum_squared_differences(a, b, n), apart, n);
    }
}

static void what_is_not_finite_is_not_lost(void **unused) {
    real a[MOST] = {0};
    (void)unused;
    for (size_t i = 0; i < MOST; i++) {
        a[i] = (real)NAN;
        assert_true(isnan(sum_squares(a, MOST)));
        a[i] = (real)INFINITY;
        assert_true(isinf(sum_squares(a, MOST)));
        a[i] = 0;
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sums_of_any_length_are_those_of_a_plain_loop),
        cmocka_unit_test(what_is_not_finite_is_not_lost),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
