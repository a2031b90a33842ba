/* OpenBLAS for the engine's number: row-major C = op(A) op(B) + beta C. */
#ifndef NETS_BLAS_H
#define NETS_BLAS_H

#include <cblas.h>
#include <stddef.h>

#include "base/real.h"

enum blas_form { BLAS_PLAIN = CblasNoTrans, BLAS_TRANSPOSED = CblasTrans };

/* C[M,N] = A[M,K] B[K,N] + beta C, where A (B) is given as A^T when `transposed`; ld* is the
 * distance between two rows as stored. Sizes fit in an int: graph.c sees to that. */
static inline void blas_gemm(enum blas_form form_a, enum blas_form form_b, size_t M, size_t N,
                             size_t K, const real *A, size_t lda, const real *B, size_t ldb,
                             real beta, real *C, size_t ldc) {
#ifdef REAL_IS_DOUBLE
    cblas_dgemm(
#else
    cblas_sgemm(
#endif
        CblasRowMajor, (CBLAS_TRANSPOSE)form_a, (CBLAS_TRANSPOSE)form_b, (int)M, (int)N, (int)K, 1,
        A, (int)lda, B, (int)ldb, beta, C, (int)ldc);
}

#endif
