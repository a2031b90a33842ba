/* Statistics of few seeds: see stats.h.
 *
 * Student t: P(T > t) = I_x(df/2, 1/2) / 2 with x = df / (df + t^2), t >= 0 (Abramowitz & Stegun
 * 26.7.1); I by its continued fraction (26.5.8) with Lentz's method, taken on the side of the mean
 * where it converges. Spearman: Pearson's correlation of mid-ranks, which is right under ties
 * (1 - 6 sum d^2 / (n^3 - n) is not). Trap: x and 1 - x are both passed on, since 1 - x computed
 * from x near 1 has no digits left, and small t would then have none.
 *
 * Fieller (1954): with c = t^2 / n and the (co)variances s of the pairs, mean(a - rho b)^2 <= c var(a -
 * rho b) is A rho^2 - 2 B rho + C <= 0 with A = mean(b)^2 - c s_bb, B = mean(a) mean(b) - c s_ab, C =
 * mean(a)^2 - c s_aa. A > 0 exactly where the t interval of mean(b) excludes 0; B^2 - A C >= 0 then,
 * since rho = mean(a) / mean(b) solves it. */
#include "analysis/stats.h"

#include <assert.h>
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/memory.h"
#include "base/rng.h"

static size_t stats_measured(const double *x, size_t n, double *out) {
    size_t kept = 0;
    for (size_t i = 0; i < n; i++)
        if (!isnan(x[i])) out[kept++] = x[i];
    return kept;
}

double stats_mean(const double *x, size_t n) {
    double sum = 0;
    size_t kept = 0;
    for (size_t i = 0; i < n; i++)
        if (!isnan(x[i])) sum += x[i], kept++;
    return kept ? sum / (double)kept : NAN;
}

double stats_sd(const double *x, size_t n) {
    double mean = stats_mean(x, n), sum = 0;
    size_t kept = 0;
    for (size_t i = 0; i < n; i++)
        if (!isnan(x[i])) sum += (x[i] - mean) * (x[i] - mean), kept++;
    return kept > 1 ? sqrt(sum / (double)(kept - 1)) : NAN;
}

/* Coefficient m of the continued fraction; even and odd ones follow two formulas. */
static double beta_coefficient(double a, double b, double x, int m) {
    double k = m / 2;
    if (m % 2) return -(a + k) * (a + b + k) * x / ((a + 2 * k) * (a + 2 * k + 1));
    return k * (b - k) * x / ((a + 2 * k - 1) * (a + 2 * k));
}

/* 1 / (1 + d1 / (1 + d2 / ...)), with a leading 1 taken off at the end; needs x < (a + 1) / (a + b + 2) to converge quickly. */
static double beta_fraction(double a, double b, double x) {
    double f = 1, c = 1, d = 0;
    for (int m = 0; m < 10000; m++) {
        double coefficient = m ? beta_coefficient(a, b, x, m) : 1;
        d = 1 + coefficient * d;
        d = 1 / (fabs(d) < DBL_MIN ? DBL_MIN : d);
        c = 1 + coefficient / c;
        if (fabs(c) < DBL_MIN) c = DBL_MIN;
        f *= c * d;
        if (fabs(c * d - 1) < 1e-16) break;
    }
    return f - 1;
}

double stats_incomplete_beta(double a, double b, double x, double y) {
    if (x <= 0) return 0;
    if (y <= 0) return 1;
    if (x > (a + 1) / (a + b + 2)) return 1 - stats_incomplete_beta(b, a, y, x);
    double front = lgamma(a + b) - lgamma(a) - lgamma(b) + a * log(x) + b * log(y);
    return exp(front) / a * beta_fraction(a, b, x);
}

/* P(T > t), t >= 0: exact far out, where 1 - cdf would be 0. */
static double t_tail(double t, double df) {
    double whole = df + t * t;
    return stats_incomplete_beta(df / 2, 0.5, df / whole, t * t / whole) / 2;
}

double stats_t_cdf(double t, double df) {
    assert(df > 0);
    if (isnan(t)) return NAN;
    return t < 0 ? t_tail(-t, df) : 1 - t_tail(t, df);
}

/* Bisection on the tail: slow (some hundred evaluations) but without a case where it fails. */
double stats_t_quantile(double p, double df) {
    assert(p > 0 && p < 1 && df > 0);
    double tail = p < 0.5 ? p : 1 - p, low = 0, high = 1;
    while (t_tail(high, df) > tail && high < DBL_MAX / 4) low = high, high *= 2;
    for (int i = 0; i < 200 && high - low > high * DBL_EPSILON; i++) {
        double middle = low + (high - low) / 2;
        if (t_tail(middle, df) > tail)
            low = middle;
        else
            high = middle;
    }
    double t = p == 0.5 ? 0 : low + (high - low) / 2;
    return p < 0.5 ? -t : t;
}

struct interval stats_t_interval(const double *x, size_t n, double level) {
    struct interval result = {stats_mean(x, n), NAN, NAN, 0};
    for (size_t i = 0; i < n; i++) result.n += isnan(x[i]) ? 0 : 1;
    if (result.n < 2) return result;
    double df = (double)(result.n - 1);
    double half = stats_t_quantile((1 + level) / 2, df) * stats_sd(x, n) / sqrt(df + 1);
    result.low = result.mean - half;
    result.high = result.mean + half;
    return result;
}

static int order_doubles(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Linear interpolation between order statistics (R's type 7, NumPy's default). */
static double quantile_sorted(const double *sorted, size_t n, double p) {
    double at = p * (double)(n - 1);
    size_t below = (size_t)at;
    if (below + 1 >= n) return sorted[n - 1];
    return sorted[below] + (at - (double)below) * (sorted[below + 1] - sorted[below]);
}

/* Limits of the draws that are numbers; sorts them. */
static void bootstrap_limits(struct interval *result, double *drawn, size_t draws, double level) {
    size_t usable = stats_measured(drawn, draws, drawn);
    if (result->n < 2 || !usable) return;
    qsort(drawn, usable, sizeof *drawn, order_doubles);
    result->low = quantile_sorted(drawn, usable, (1 - level) / 2);
    result->high = quantile_sorted(drawn, usable, (1 + level) / 2);
}

struct interval stats_bootstrap_of(size_t n, double level, size_t draws, uint64_t seed,
                                   double (*statistic)(const void *context, const size_t *unit,
                                                       size_t n),
                                   const void *context) {
    size_t *unit = memory_new(n, sizeof *unit);
    double *drawn = memory_new(draws, sizeof *drawn);
    for (size_t i = 0; i < n; i++) unit[i] = i;
    struct interval result = {n ? statistic(context, unit, n) : NAN, NAN, NAN, n};
    if (n < 2) draws = 0;
    for (size_t d = 0; d < draws; d++) {
        struct rng r = rng_stream(seed, "bootstrap", 0, d);
        for (size_t i = 0; i < n; i++) unit[i] = rng_below(&r, (uint32_t)n);
        drawn[d] = statistic(context, unit, n);
    }
    bootstrap_limits(&result, drawn, draws, level);
    free(unit);
    free(drawn);
    return result;
}

struct values {
    const double *x;
    double *sample;
    double (*statistic)(const double *x, size_t n);
};

static double values_statistic(const void *context, const size_t *unit, size_t n) {
    const struct values *v = context;
    for (size_t i = 0; i < n; i++) v->sample[i] = v->x[unit[i]];
    return v->statistic(v->sample, n);
}

struct interval stats_bootstrap(const double *x, size_t n, double level, size_t draws,
                                uint64_t seed, double (*statistic)(const double *x, size_t n)) {
    double *kept = memory_new(n, sizeof *kept), *sample = memory_new(n, sizeof *sample);
    size_t m = stats_measured(x, n, kept);
    struct values v = {kept, sample, statistic ? statistic : stats_mean};
    struct interval result = stats_bootstrap_of(m, level, draws, seed, values_statistic, &v);
    free(kept);
    free(sample);
    return result;
}

/* The pairs that are whole, packed into a and b. */
static size_t whole_pairs(const double *x, const double *y, size_t n, double *a, double *b) {
    size_t kept = 0;
    for (size_t i = 0; i < n; i++)
        if (!isnan(x[i]) && !isnan(y[i])) a[kept] = x[i], b[kept++] = y[i];
    return kept;
}

static double covariance(const double *x, const double *y, size_t n) {
    double mean_x = stats_mean(x, n), mean_y = stats_mean(y, n), sum = 0;
    for (size_t i = 0; i < n; i++) sum += (x[i] - mean_x) * (y[i] - mean_y);
    return sum / (double)(n - 1);
}

static void fieller(struct interval *r, const double *a, const double *b, double level) {
    size_t n = r->n;
    double t = stats_t_quantile((1 + level) / 2, (double)(n - 1)), c = t * t / (double)n;
    double mean_a = stats_mean(a, n), mean_b = stats_mean(b, n);
    double A = mean_b * mean_b - c * covariance(b, b, n);
    double B = mean_a * mean_b - c * covariance(a, b, n);
    double C = mean_a * mean_a - c * covariance(a, a, n);
    if (!(A > 0)) return;
    double root = sqrt(fmax(B * B - A * C, 0)); /* below 0 by rounding only */
    r->mean = mean_a / mean_b;
    r->low = (B - root) / A;
    r->high = (B + root) / A;
}

struct interval stats_ratio(const double *a, const double *b, size_t n, double level) {
    double *x = memory_new(2 * n, sizeof *x), *y = x + n;
    struct interval result = {NAN, NAN, NAN, whole_pairs(a, b, n, x, y)};
    if (result.n > 1) fieller(&result, x, y, level);
    free(x);
    return result;
}

double stats_t_p(const double *x, size_t n) {
    double mean = stats_mean(x, n), sd = stats_sd(x, n);
    size_t kept = 0;
    for (size_t i = 0; i < n; i++) kept += isnan(x[i]) ? 0 : 1;
    if (kept < 2) return NAN;
    if (sd == 0) return mean == 0 ? 1 : 0;
    return 2 * t_tail(fabs(mean) / (sd / sqrt((double)kept)), (double)(kept - 1));
}

/* How many members of the family have a smaller p, of equal ones those before. */
static size_t holm_step(const double *p, size_t n, size_t i) {
    size_t below = 0;
    for (size_t j = 0; j < n; j++) below += p[j] < p[i] || (j < i && p[j] == p[i]) ? 1 : 0;
    return below;
}

void stats_holm(const double *p, size_t n, double *adjusted) {
    size_t family = 0;
    for (size_t i = 0; i < n; i++) family += isnan(p[i]) ? 0 : 1;
    double least = 0; /* adjusted values do not fall from step to step */
    for (size_t i = 0; i < n; i++) adjusted[i] = NAN;
    for (size_t step = 0; step < family; step++)
        for (size_t i = 0; i < n; i++) {
            if (isnan(p[i]) || holm_step(p, n, i) != step) continue;
            least = fmax(least, fmin((double)(family - step) * p[i], 1));
            adjusted[i] = least;
        }
}

double stats_median(const double *x, size_t n) {
    double *kept = memory_new(n, sizeof *kept);
    size_t m = stats_measured(x, n, kept);
    if (m) qsort(kept, m, sizeof *kept, order_doubles);
    double median = m ? quantile_sorted(kept, m, 0.5) : NAN;
    free(kept);
    return median;
}

/* n is the number of levels or runs of a sweep, so the plain n^2 count is quick enough. */
void stats_ranks(const double *x, size_t n, double *rank) {
    for (size_t i = 0; i < n; i++) {
        size_t below = 0, equal = 0;
        for (size_t j = 0; j < n; j++) below += x[j] < x[i], equal += x[j] == x[i];
        rank[i] = (double)below + (double)(equal + 1) / 2;
    }
}

static double correlation(const double *x, const double *y, size_t n) {
    double mean_x = stats_mean(x, n), mean_y = stats_mean(y, n), xx = 0, yy = 0, xy = 0;
    for (size_t i = 0; i < n; i++) {
        xx += (x[i] - mean_x) * (x[i] - mean_x);
        yy += (y[i] - mean_y) * (y[i] - mean_y);
        xy += (x[i] - mean_x) * (y[i] - mean_y);
    }
    return xx > 0 && yy > 0 ? xy / (sqrt(xx) * sqrt(yy)) : NAN;
}

double stats_spearman(const double *x, const double *y, size_t n) {
    double *pairs = memory_new(4 * n, sizeof *pairs);
    double *a = pairs, *b = pairs + n, *rank_a = pairs + 2 * n, *rank_b = pairs + 3 * n;
    size_t kept = whole_pairs(x, y, n, a, b);
    stats_ranks(a, kept, rank_a);
    stats_ranks(b, kept, rank_b);
    double rho = correlation(rank_a, rank_b, kept);
    free(pairs);
    return rho;
}

void stats_differences(const double *a, const double *b, size_t n, double *out) {
    for (size_t i = 0; i < n; i++) out[i] = a[i] - b[i]; /* NaN carries over */
}
