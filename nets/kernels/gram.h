/* The squared norm of one example's weight gradient of a convolution, without the gradient:
 *
 *   |dW|^2 = sum over i, j of <x_i, x_j> <dy_i, dy_j>     i, j: the P positions of y
 *
 * where x_i are the R S C inputs that position i sees and dy_i its O gradients: two Gram matrices,
 * [P, P] (Bu et al. 2022, arXiv:2205.10683, section 4). With P^2 numbers each it is for small maps with
 * many channels, the more so where several gradients dy share the matrix of the inputs.
 *
 * Compiled once per instruction set (gram.isa.c), single-threaded. */
#ifndef NETS_KERNELS_GRAM_H
#define NETS_KERNELS_GRAM_H

#include "nets/kernels/conv.h"

struct gram {
    /* Reals of the inputs' matrix (its upper half, in blocks), and of scratch for either call; y gives
     * the geometry of the output. */
    size_t (*reals)(const struct tensor *y);
    size_t (*scratch)(const struct conv_shape *s, const struct tensor *y);
    /* Multiply-adds of both, to be compared with R S C O P of the gradient itself. */
    double (*inputs_cost)(const struct conv_shape *s, const struct tensor *y);
    double (*norm_cost)(const struct tensor *y);
    /* gram = <x_i, x_j> of image n */
    void (*inputs)(const struct conv_shape *s, const struct tensor *x, const struct tensor *y,
                   size_t n, real *gram, real *scratch);
    /* |dW|^2 of image n, with such a matrix */
    double (*norm)(const struct tensor *dy, size_t n, const real *gram, real *scratch);
};

/* The best instruction set's, and that of a name; NULL where this machine cannot run it. */
const struct gram *gram_choose(void);
const struct gram *gram_isa(const char *name);

#endif
