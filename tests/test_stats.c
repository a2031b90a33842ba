/* analysis/stats.c against numbers that SciPy and NumPy gave (tests/fixtures/make_stats.py). */
#include "analysis/stats.h"

#include <math.h>
#include <stdarg.h>
#include <setjmp.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

struct beta_case {
    double a, b, x, value;
};
struct t_case {
    double df, in, out;
};
struct interval_case {
    double level, n, mean, sd, low, high;
};
#include "tests/fixtures/stats.inc"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

/* Relative to the larger of the two, so that a NaN or a wrong sign is never close. */
static int is_close(double a, double b, double relative) {
    return a == b || fabs(a - b) <= relative * fmax(fabs(a), fabs(b));
}

static void assert_close(double got, double wanted, double relative) {
    if (!is_close(got, wanted, relative)) fail_msg("%.17g is not %.17g", got, wanted);
}

/* lgamma(a) of up to 1e3 carries an absolute error of 1e3 * 2^-53 = 1e-13 into the exponent; we
 * and SciPy each make it, and the fraction's sum adds a few 1e-15: 1e-12 in all. */
static const double RELATIVE = 1e-12;
/* SciPy 1.10's quantiles have relative errors of up to 3e-9 (2e-11 and 7e-11 for 0.975 and 1 and 2
 * degrees, by the closed forms below). */
static const double SCIPY_QUANTILE = 1e-8;

static void the_check_sees_a_wrong_digit_and_a_nan(void **state) {
    (void)state;
    assert_false(is_close(1.0, 1.0 + 1e-11, RELATIVE));
    assert_false(is_close(NAN, 1.0, RELATIVE));
    assert_false(is_close(1.0, -1.0, RELATIVE));
}

static void incomplete_beta_agrees_with_scipy(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT(beta_cases); i++) {
        const struct beta_case *c = &beta_cases[i];
        assert_close(stats_incomplete_beta(c->a, c->b, c->x, 1 - c->x), c->value, RELATIVE);
    }
}

static void incomplete_beta_is_0_and_1_at_the_ends(void **state) {
    (void)state;
    assert_true(stats_incomplete_beta(2, 3, 0, 1) == 0);
    assert_true(stats_incomplete_beta(2, 3, 1, 0) == 1);
}

static void t_distribution_agrees_with_scipy(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT(cdf_cases); i++)
        assert_close(stats_t_cdf(cdf_cases[i].in, cdf_cases[i].df), cdf_cases[i].out, RELATIVE);
}

static void t_quantile_agrees_with_scipy(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT(quantile_cases); i++) {
        const struct t_case *c = &quantile_cases[i];
        assert_close(stats_t_quantile(c->in, c->df), c->out, SCIPY_QUANTILE);
    }
}

/* One degree: tan(pi (p - 1/2)); two: (2p - 1) sqrt(2 / (4 p (1 - p))). */
static void t_quantile_agrees_with_closed_forms(void **state) {
    (void)state;
    for (double p = 0.025; p < 0.999; p += 0.05) {
        assert_close(stats_t_quantile(p, 1), tan(M_PI * (p - 0.5)), RELATIVE);
        assert_close(stats_t_quantile(p, 2), (2 * p - 1) * sqrt(0.5 / (p * (1 - p))), RELATIVE);
    }
}

static void t_quantile_undoes_the_distribution(void **state) {
    (void)state;
    for (double df = 1; df < 100; df *= 1.7)
        for (double p = 0.01; p < 1; p += 0.07)
            assert_close(stats_t_cdf(stats_t_quantile(p, df), df), p, RELATIVE);
}

static void median_of_t_is_0(void **state) {
    (void)state;
    assert_true(stats_t_quantile(0.5, 3) == 0);
    assert_true(stats_t_cdf(0, 3) == 0.5);
}

static void t_interval_agrees_with_scipy(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT(interval_cases); i++) {
        const struct interval_case *c = &interval_cases[i];
        const double *x = c->n == 3 ? three : ten;
        struct interval t = stats_t_interval(x, (size_t)c->n, c->level);
        assert_int_equal(t.n, (size_t)c->n);
        assert_close(stats_sd(x, (size_t)c->n), c->sd, RELATIVE);
        assert_close(t.mean, c->mean, RELATIVE);
        assert_close(t.low, c->low, SCIPY_QUANTILE);
        assert_close(t.high, c->high, SCIPY_QUANTILE);
    }
}

static void values_that_were_not_measured_are_left_out(void **state) {
    (void)state;
    double holes[] = {NAN, three[0], NAN, three[1], three[2]};
    struct interval with = stats_t_interval(holes, 5, 0.95);
    struct interval without = stats_t_interval(three, 3, 0.95);
    assert_int_equal(with.n, 3);
    assert_true(with.mean == without.mean && with.low == without.low);
    double x[] = {0, 1, 2, NAN, 3}, y[] = {5, NAN, 4, 9, 3};
    assert_close(stats_spearman(x, y, 5), -1, RELATIVE);
}

static void one_value_has_a_mean_but_no_interval(void **state) {
    (void)state;
    struct interval one = stats_t_interval(three, 1, 0.95);
    assert_true(one.mean == three[0] && one.n == 1);
    assert_true(isnan(one.low) && isnan(one.high));
    assert_true(isnan(stats_t_interval(three, 0, 0.95).mean));
    struct interval drawn = stats_bootstrap(three, 1, 0.95, 10, 1, NULL);
    assert_true(drawn.mean == three[0] && isnan(drawn.low));
}

static void ranks_of_ties_are_shared(void **state) {
    (void)state;
    double rank[COUNT(tied_y)];
    stats_ranks(tied_y, COUNT(tied_y), rank);
    for (size_t i = 0; i < COUNT(tied_y); i++) assert_true(rank[i] == tied_ranks[i]);
}

static void spearman_agrees_with_scipy_with_and_without_ties(void **state) {
    (void)state;
    double order[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9};
    assert_close(stats_spearman(tied_x, tied_y, COUNT(tied_x)), tied_rho, RELATIVE);
    assert_close(stats_spearman(order, ten, 10), ten_rho, RELATIVE);
}

static void spearman_knows_only_the_order(void **state) {
    (void)state;
    double x[] = {1, 2, 3, 4}, y[] = {exp(1), exp(2), exp(3), exp(4)}, flat[] = {7, 7, 7, 7};
    assert_close(stats_spearman(x, y, 4), 1, RELATIVE);
    assert_true(isnan(stats_spearman(x, flat, 4)));
}

/* Each end of 10,000 draws has a standard error of sqrt(0.025 * 0.975 / 10^4) / density; for a
 * bell of s.d. 0.43 the density there is 0.136, so 0.0115. Four of those: 0.046. */
static void bootstrap_agrees_with_numpy(void **state) {
    (void)state;
    struct interval b = stats_bootstrap(ten, COUNT(ten), 0.95, 10000, 7, NULL);
    assert_close(b.mean, stats_mean(ten, COUNT(ten)), RELATIVE);
    assert_true(fabs(b.low - ten_bootstrap[0]) < 0.046);
    assert_true(fabs(b.high - ten_bootstrap[1]) < 0.046);
}

static void bootstrap_repeats_with_its_seed_and_moves_with_another(void **state) {
    (void)state;
    struct interval a = stats_bootstrap(ten, COUNT(ten), 0.95, 500, 7, NULL);
    struct interval b = stats_bootstrap(ten, COUNT(ten), 0.95, 500, 7, NULL);
    struct interval c = stats_bootstrap(ten, COUNT(ten), 0.95, 500, 8, NULL);
    assert_true(a.low == b.low && a.high == b.high);
    assert_true(a.low != c.low || a.high != c.high);
}

static double largest(const double *x, size_t n) {
    double most = x[0];
    for (size_t i = 1; i < n; i++) most = fmax(most, x[i]);
    return most;
}

static void bootstrap_takes_any_statistic(void **state) {
    (void)state;
    struct interval b = stats_bootstrap(ten, COUNT(ten), 0.95, 1000, 1, largest);
    assert_true(b.mean == 4.5 && b.high == 4.5 && b.low < 4.5);
}

static void differences_pair_by_place(void **state) {
    (void)state;
    double a[] = {3, NAN, 5}, b[] = {1, 2, NAN}, d[3];
    stats_differences(a, b, 3, d);
    assert_true(d[0] == 2 && isnan(d[1]) && isnan(d[2]));
}

/* The definition, not the formula: at either end Student's t cannot quite tell a - rho b from 0. */
static void end_of_a_ratio_is_where_the_difference_is_told_from_0(void **state) {
    (void)state;
    const double a[] = {9, 14, 12, 20}, b[] = {10, 18, 11, 25};
    struct interval r = stats_ratio(a, b, 4, 0.95);
    assert_close(r.mean, 55.0 / 64, RELATIVE);
    assert_true(r.low < r.mean && r.mean < r.high && r.n == 4);
    for (int end = 0; end < 2; end++) {
        double d[4], rho = end ? r.high : r.low;
        for (size_t i = 0; i < 4; i++) d[i] = a[i] - rho * b[i];
        struct interval t = stats_t_interval(d, 4, 0.95);
        assert_true(fabs(end ? t.high : t.low) < 1e-9);
    }
}

static void ratio_of_proportional_pairs_is_exact(void **state) {
    (void)state;
    const double a[] = {5, NAN, 6, 5, 7}, b[] = {10, 1, 12, NAN, 14};
    struct interval r = stats_ratio(a, b, 5, 0.95);
    assert_true(r.n == 3);
    assert_close(r.mean, 0.5, RELATIVE);
    assert_close(r.low, 0.5, 1e-7); /* a root of a difference of equal squares */
    assert_close(r.high, 0.5, 1e-7);
}

static void ratio_without_a_divisor_told_from_0_is_none(void **state) {
    (void)state;
    const double a[] = {1, 2, 3}, b[] = {-1, 2, 3}, one[] = {4};
    assert_true(isnan(stats_ratio(a, b, 3, 0.95).mean));
    assert_true(isnan(stats_ratio(a, b, 3, 0.95).low));
    assert_true(isnan(stats_ratio(one, one, 1, 0.95).mean));
    assert_true(isnan(stats_ratio(NULL, NULL, 0, 0.95).mean));
}

/* t = 2 sqrt(3); with 2 degrees p = 1 - t / sqrt(2 + t^2). */
static void p_of_a_mean_agrees_with_the_closed_form(void **state) {
    (void)state;
    const double x[] = {1, NAN, 2, 3}, same[] = {2, 2}, none[] = {0, 0};
    assert_close(stats_t_p(x, 4), 1 - sqrt(12.0 / 14), 1e-11);
    assert_true(stats_t_p(same, 2) == 0 && stats_t_p(none, 2) == 1);
    assert_true(isnan(stats_t_p(x, 2)));
}

static void holm_steps_down_and_never_falls(void **state) {
    (void)state;
    const double p[] = {0.01, 0.04, NAN, 0.03, 0.005};
    const double wanted[] = {0.03, 0.06, NAN, 0.06, 0.02};
    double got[5];
    stats_holm(p, 5, got);
    for (size_t i = 0; i < 5; i++)
        if (i != 2) assert_close(got[i], wanted[i], RELATIVE);
    assert_true(isnan(got[2]));
    const double large[] = {0.9, 0.8};
    stats_holm(large, 2, got);
    assert_true(got[0] == 1 && got[1] == 1);
}

static void median_leaves_out_what_was_not_measured(void **state) {
    (void)state;
    const double x[] = {5, NAN, 1, 9, 2};
    assert_true(stats_median(x, 4) == 5 && stats_median(x, 5) == 3.5);
    assert_true(isnan(stats_median(x + 1, 1)));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_check_sees_a_wrong_digit_and_a_nan),
        cmocka_unit_test(incomplete_beta_agrees_with_scipy),
        cmocka_unit_test(incomplete_beta_is_0_and_1_at_the_ends),
        cmocka_unit_test(t_distribution_agrees_with_scipy),
        cmocka_unit_test(t_quantile_agrees_with_scipy),
        cmocka_unit_test(t_quantile_agrees_with_closed_forms),
        cmocka_unit_test(t_quantile_undoes_the_distribution),
        cmocka_unit_test(median_of_t_is_0),
        cmocka_unit_test(t_interval_agrees_with_scipy),
        cmocka_unit_test(values_that_were_not_measured_are_left_out),
        cmocka_unit_test(one_value_has_a_mean_but_no_interval),
        cmocka_unit_test(ranks_of_ties_are_shared),
        cmocka_unit_test(spearman_agrees_with_scipy_with_and_without_ties),
        cmocka_unit_test(spearman_knows_only_the_order),
        cmocka_unit_test(bootstrap_agrees_with_numpy),
        cmocka_unit_test(bootstrap_repeats_with_its_seed_and_moves_with_another),
        cmocka_unit_test(bootstrap_takes_any_statistic),
        cmocka_unit_test(differences_pair_by_place),
        cmocka_unit_test(end_of_a_ratio_is_where_the_difference_is_told_from_0),
        cmocka_unit_test(ratio_of_proportional_pairs_is_exact),
        cmocka_unit_test(ratio_without_a_divisor_told_from_0_is_none),
        cmocka_unit_test(p_of_a_mean_agrees_with_the_closed_form),
        cmocka_unit_test(holm_steps_down_and_never_falls),
        cmocka_unit_test(median_leaves_out_what_was_not_measured),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
