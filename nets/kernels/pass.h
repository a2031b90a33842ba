/* Passes over memory: every loop over pixels and channels that is neither a convolution nor a
 * matrix product, compiled once per instruction set (pass.isa.c) behind one table.
 *
 * Each works on the images [first, last) of its tensors, and is single-threaded. Sums go in double and are added to what is there. */
#ifndef NETS_KERNELS_PASS_H
#define NETS_KERNELS_PASS_H

#include <stdbool.h>
#include <stddef.h>

#include "nets/tensor.h"

/* A normalization, per channel: y = (x - mean) scale + shift, then ReLU if asked for; and the
 * coefficients of its gradient, dx = a g + b (x - mean) + d, where g = dy (0 where the ReLU was off). */
struct pass_norm {
    const real *mean, *scale, *shift; /* [C] */
    const real *a, *b, *d;            /* [C]; read by norm_backward alone */
    bool relu;
};

enum { PASS_WINDOW_MOST = 16 }; /* rows, or columns: taps are counted in a byte */
struct pass_window {
    size_t kernel, stride, pad; /* square; taps outside the image are left out */
};

struct pass {
    /* y = max(x, 0); a NaN stays one, so that a diverging loss is seen */
    void (*relu)(const struct tensor *x, const struct tensor *y, size_t first, size_t last);
    /* dx = dy where y > 0, else 0; dx may be dy */
    void (*relu_backward)(const struct tensor *y, const struct tensor *dy, const struct tensor *dx,
                          size_t first, size_t last);
    /* y = a + b; y may be either */
    void (*add)(const struct tensor *a, const struct tensor *b, const struct tensor *y,
                size_t first, size_t last);
    /* y = a b, element by element; y may be either */
    void (*multiply)(const struct tensor *a, const struct tensor *b, const struct tensor *y,
                     size_t first, size_t last);
    void (*copy)(const struct tensor *x, const struct tensor *y, size_t first, size_t last);

    /* sums[c] += sum of x */
    void (*sums)(const struct tensor *x, size_t first, size_t last, double *sums);
    /* sums[c] += sum of (x - pivot), sums[C + c] += sum of (x - pivot)^2 */
    void (*moments)(const struct tensor *x, const real *pivot, size_t first, size_t last,
                    double *sums);
    void (*norm)(const struct tensor *x, const struct pass_norm *k, const struct tensor *y,
                 size_t first, size_t last);
    /* sums[c] += sum of g, sums[C + c] += sum of g (x - mean) */
    void (*norm_sums)(const struct tensor *x, const struct tensor *dy, const struct pass_norm *k,
                      size_t first, size_t last, double *sums);
    /* dx may be dy */
    void (*norm_backward)(const struct tensor *x, const struct tensor *dy,
                          const struct pass_norm *k, const struct tensor *dx, size_t first,
                          size_t last);

    /* Image n; tap: [H, W, C] of y, which one of its window it was, r kernel + s: of equal maxima the
     * first in reading order, as in PyTorch. */
    void (*maxpool)(const struct pass_window *w, const struct tensor *x, const struct tensor *y,
                    size_t n, unsigned char *tap);
    void (*maxpool_backward)(const struct pass_window *w, const struct tensor *dy,
                             const struct tensor *dx, size_t n, const unsigned char *tap);

    double (*sum_squares)(const real *x, size_t n);
    void (*accumulate)(real *to, const real *from, size_t n); /* to += from */
};

/* The best instruction set's. */
const struct pass *pass_choose(void);

#endif
