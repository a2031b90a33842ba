/* Sums in double over LANES partial sums: element i goes to the partial sum i mod LANES, and these are
 * added in order at the end. One sum alone would wait for each addition before it begins the next,
 * four times as long as the array takes from memory. */
#include "base/sum.h"

enum { LANES = 16 };

static double total(const double *lane) {
    double sum = 0.0;
    for (size_t k = 0; k < LANES; k++) sum += lane[k];
    return sum;
}

double sum_squares(const real *v, size_t n) {
    double lane[LANES] = {0.0};
    size_t i = 0;
    for (; i + LANES <= n; i += LANES)
        for (size_t k = 0; k < LANES; k++) lane[k] += (double)v[i + k] * (double)v[i + k];
    for (size_t k = 0; i + k < n; k++) lane[k] += (double)v[i + k] * (double)v[i + k];
    return total(lane);
}

double sum_squared_differences(const real *a, const real *b, size_t n) {
    double lane[LANES] = {0.0};
    size_t i = 0;
    for (; i + LANES <= n; i += LANES)
        for (size_t k = 0; k < LANES; k++) {
            double d = (double)a[i + k] - (double)b[i + k];
            lane[k] += d * d;
        }
    for (size_t k = 0; i + k < n; k++) {
        double d = (double)a[i + k] - (double)b[i + k];
        lane[k] += d * d;
    }
    return total(lane);
}
