/* The convolution of the engine: cross-correlation (as in PyTorch) over NHWC tensors.
 *
 *   y[n,i,j,o] = b[o] + sum over r, s, c of x[n, i*stride + r - pad, j*stride + s - pad, c]
 *                                          * w[o, c, r, s]
 *
 * Weights are kept packed as [R][S][C][O] (O contiguous, so that output channels lie across vector
 * lanes); `conv_pack` and `conv_unpack` convert the outputs [first, last) from and to PyTorch's
 * OIHW, which begins with `first`. Gradients of the weights use the same packed layout. Tensors may
 * have a gap after each row and image (`row` and `image` say so), which is neither read nor written.
 *
 * Every function works on the images [first, last) of its tensors and is single-threaded: the
 * caller cuts the batch into fixed pieces. y and dx do not depend on how a batch is cut; the last
 * bits of dw may, see `in_order`. `scratch` holds kernel->scratch() reals per caller.
 *
 * Three implementations with one interface: im2col and OpenBLAS (any shape), direct (register-tiled
 * kernels) and Winograd (3x3 and 5x5, stride 1). `conv_choose` returns the one to use for a shape. */
#ifndef NETS_KERNELS_CONV_H
#define NETS_KERNELS_CONV_H

#include <stdbool.h>
#include <stddef.h>

#include "nets/tensor.h"

struct conv_shape {
    size_t C, O;        /* input, output channels */
    size_t R, S;        /* kernel rows, columns */
    size_t stride, pad; /* the same in both directions */
};

struct conv_kernel {
    const char *name; /* "im2col", "direct", "F(2x2, 3x3)", "F(2x2, 5x5)", "F(4x4, 3x3)" */
    bool in_order;    /* images are added to dw one after the other: dw is the same for any cut */
    bool (*covers)(const struct conv_shape *s);
    /* reals of scratch that each of the three calls needs; x and y give the image sizes */
    size_t (*scratch)(const struct conv_shape *s, const struct tensor *x, const struct tensor *y);
    /* y = conv(x, w) + b; b is NULL or [O] */
    void (*forward)(const struct conv_shape *s, const struct tensor *x, const real *w,
                    const real *b, const struct tensor *y, size_t first, size_t last,
                    real *scratch);
    /* dx = gradient of the loss by x, overwritten */
    void (*backward_data)(const struct conv_shape *s, const struct tensor *dy, const real *w,
                          const struct tensor *dx, size_t first, size_t last, real *scratch);
    /* dw += gradient by w, image after image */
    void (*backward_weights)(const struct conv_shape *s, const struct tensor *x,
                             const struct tensor *dy, real *dw, size_t first, size_t last,
                             real *scratch);
    /* The squared norm of image n's gradient by w. NULL: form it and square it. */
    double (*squares)(const struct conv_shape *s, const struct tensor *x, const struct tensor *dy,
                      size_t n, real *scratch);
};

extern const struct conv_kernel conv_reference;

/* The fastest kernel here for a shape with so many pixels in an image of y. `single`: for one
 * image's weight gradient at a time. */
const struct conv_kernel *conv_choose(const struct conv_shape *s, size_t pixels, bool single);

static inline size_t conv_weights(const struct conv_shape *s) {
    return s->R * s->S * s->C * s->O;
}

void conv_pack(const struct conv_shape *s, size_t first, size_t last, const real *oihw,
               real *packed);
void conv_unpack(const struct conv_shape *s, size_t first, size_t last, const real *packed,
                 real *oihw);

/* One kernel by its name, as compiled for an instruction set (nets/kernels/isa.h); NULL where this
 * machine cannot run it. conv_choose takes the best set's: tests ask for the others. */
const struct conv_kernel *conv_find(const char *name, const char *isa);

#endif
