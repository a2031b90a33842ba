/* The report's statistics: Student t, percentile bootstrap, Spearman, paired differences.
 *
 * Samples are plain arrays. NaN means "not measured": a NaN value (or a pair with one) is left
 * out, and `n` of a result says how many entered. Results that need more data are NaN. */
#ifndef ANALYSIS_STATS_H
#define ANALYSIS_STATS_H

#include <stddef.h>
#include <stdint.h>

struct interval {
    double mean, low, high; /* low and high are NaN with n < 2; all NaN with n = 0 */
    size_t n;
};

double stats_mean(const double *x, size_t n);
double stats_sd(const double *x, size_t n); /* with n - 1; NaN below two values */

/* Regularized incomplete beta I_x(a,b), 0 <= x <= 1; `y` is 1 - x (given, to keep its digits). */
double stats_incomplete_beta(double a, double b, double x, double y);
double stats_t_cdf(double t, double df);      /* df > 0, need not be whole */
double stats_t_quantile(double p, double df); /* 0 < p < 1 */

/* mean -+ t_{(1+level)/2, n-1} s / sqrt(n) */
struct interval stats_t_interval(const double *x, size_t n, double level);

/* Percentile bootstrap of a statistic (NULL: the mean) over `draws` resamples of x, without NaN.
 * With few values it is too narrow (three values: 76 % coverage for a nominal 95 %): for n >= 10.
 * The same seed gives the same interval. */
struct interval stats_bootstrap(const double *x, size_t n, double level, size_t draws,
                                uint64_t seed, double (*statistic)(const double *x, size_t n));

/* The same for a statistic of more than one number a unit: of `n` units (seeds), of which each
 * resample is n indices, drawn with replacement. `mean` is the statistic of the units themselves;
 * resamples whose statistic is NaN are left out. */
struct interval stats_bootstrap_of(size_t n, double level, size_t draws, uint64_t seed,
                                   double (*statistic)(const void *context, const size_t *unit,
                                                       size_t n),
                                   const void *context);

/* mean(a) / mean(b) of pairs, with Fieller's interval: all rho for which the mean of a - rho b is not
 * told from 0 by Student's t. It is an interval only where that of mean(b) excludes 0; everything is
 * NaN where it does not, or with fewer than two pairs. */
struct interval stats_ratio(const double *a, const double *b, size_t n, double level);

/* P(|T| >= |t|) of Student's t for mean 0, two-sided; NaN below two values. */
double stats_t_p(const double *x, size_t n);
/* Holm's (1979) step-down: p values that hold for the whole family. NaN is no member of it. */
void stats_holm(const double *p, size_t n, double *adjusted);

/* NaN is left out; of an even number the mean of the two in the middle. */
double stats_median(const double *x, size_t n);

void stats_ranks(const double *x, size_t n, double *rank); /* 1..n, ties share their mean rank */
double stats_spearman(const double *x, const double *y, size_t n); /* NaN: a constant, or n < 2 */

/* out[i] = a[i] - b[i], NaN where either is. */
void stats_differences(const double *a, const double *b, size_t n, double *out);

#endif
