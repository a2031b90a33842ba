/* LAPACK counts along columns: A in rows is A^T = v diag(s) u^T to it, so that what it calls U is v,
 * and V^T is u^T, which in its order are u's rows. */
#include "nets/svd.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Fortran: every argument by its address. */
void dgesvd_(const char *jobu, const char *jobvt, const int *m, const int *n, double *a,
             const int *lda, double *s, double *u, const int *ldu, double *vt, const int *ldvt,
             double *work, const int *lwork, int *info, size_t jobu_length, size_t jobvt_length);

static bool lapack(struct svd *svd, double *a, double *v, double *work, int work_n) {
    const int m = (int)svd->cols, n = (int)svd->rows, r = (int)svd->n;
    int info = 0;
    dgesvd_("S", "S", &m, &n, a, &m, svd->s, v, &m, svd->u, &r, work, &work_n, &info, 1, 1);
    return info == 0;
}

static bool decompose(struct svd *svd, const double *A) {
    const size_t size = svd->rows * svd->cols;
    double room = 0;
    bool done = false;
    for (size_t i = 0; i < size; i++)
        if (!isfinite(A[i])) return false;
    double *a = malloc(size * sizeof *a), *v = malloc(svd->cols * svd->n * sizeof *v);
    if (a && v && lapack(svd, a, v, &room, -1)) { /* asks how much it wants to work with */
        double *work = malloc((size_t)room * sizeof *work);
        memcpy(a, A, size * sizeof *a);
        done = work && lapack(svd, a, v, work, (int)room);
        free(work);
    }
    for (size_t i = 0; done && i < svd->cols; i++)
        for (size_t k = 0; k < svd->n; k++) svd->v[i * svd->n + k] = v[k * svd->cols + i];
    free(a);
    free(v);
    return done;
}

bool svd_create(struct svd *svd, const double *A, size_t rows, size_t cols) {
    const size_t n = rows < cols ? rows : cols;
    *svd = (struct svd){.rows = rows, .cols = cols, .n = n};
    svd->s = malloc((n + (rows + cols) * n) * sizeof *svd->s);
    if (!svd->s) return false;
    svd->u = svd->s + n;
    svd->v = svd->u + rows * n;
    if (decompose(svd, A)) return true;
    svd_free(svd);
    return false;
}

void svd_free(struct svd *svd) {
    free(svd->s);
    *svd = (struct svd){0};
}
