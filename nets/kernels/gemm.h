/* Dense products for layers whose weights are far larger than a batch of activations: C = A B, where
 * B, the smaller operand or one packed block by block, lies in panels, and A is read as it is.
 *
 *   panels of B [K, N]:  columns p * lanes .. (p + 1) * lanes - 1 of every row, row after row, then
 *                        the next panel; columns beyond N are zeros
 *
 * Compiled once per instruction set (gemm.isa.c), single-threaded: the caller cuts the work. An
 * element of C is one sum over K, in order, whatever block or tile it lies in. */
#ifndef NETS_KERNELS_GEMM_H
#define NETS_KERNELS_GEMM_H

#include <stdbool.h>
#include <stddef.h>

#include "base/real.h"

/* A block of memory that is wanted soon: fetched into the cache during a product, a few lines per
 * tile, so that the product does not wait for memory and memory not for the product. */
struct gemm_ahead {
    const real *at;
    size_t rows, columns, row; /* row: from one row to the next, in reals */
};

enum { GEMM_AHEAD = 3 };

struct gemm_product {
    size_t M, N, K;
    const real *a; /* [M, K], a_row from one row to the next */
    size_t a_row;
    const real *b; /* panels, b_panel from one to the next */
    size_t b_panel;
    real *c; /* [M, N] */
    size_t c_row;
    bool add; /* C += A B */
    struct gemm_ahead ahead[GEMM_AHEAD];
};

struct gemm {
    size_t lanes; /* columns of a panel */
    void (*multiply)(const struct gemm_product *p);
    /* The columns of from [K, N] in panels. */
    void (*pack)(const real *from, size_t from_row, size_t K, size_t N, real *panels);
    /* The rows of from [N, K]: panels of its transpose. */
    void (*pack_rows)(const real *from, size_t from_row, size_t N, size_t K, real *panels);
    /* to [N, M] = the transpose of from [M, N] */
    void (*transpose)(const real *from, size_t from_row, size_t M, size_t N, real *to,
                      size_t to_row);
};

/* The best instruction set's. */
const struct gemm *gemm_choose(void);
/* That of one instruction set; NULL where this machine cannot run it. */
const struct gemm *gemm_isa(const char *name);

static inline size_t gemm_panels(const struct gemm *g, size_t columns) {
    return (columns + g->lanes - 1) / g->lanes;
}

#endif
