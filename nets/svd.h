/* The thin singular value decomposition A = u diag(s) v^T by LAPACK's dgesvd, in double. */
#ifndef NETS_SVD_H
#define NETS_SVD_H

#include <stdbool.h>
#include <stddef.h>

struct svd {
    size_t rows, cols, n; /* n = min(rows, cols) */
    double *u, *s, *v;    /* [rows, n], [n] falling, [cols, n]; owned, in one piece from s on */
};

/* Of A [rows, cols]. False: no memory, or not finite, or it did not converge; nothing is owned then. */
bool svd_create(struct svd *svd, const double *A, size_t rows, size_t cols);
void svd_free(struct svd *svd);

#endif
