/* Sums over arrays of the engine's numbers, in double: norms and distances of parameters. */
#ifndef BASE_SUM_H
#define BASE_SUM_H

#include <stddef.h>

#include "base/real.h"

double sum_squares(const real *v, size_t n);
double sum_squared_differences(const real *a, const real *b, size_t n);

#endif
