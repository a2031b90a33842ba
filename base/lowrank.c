/* |U V^T|^2 = tr((U^T U)(V^T V)), so the matrix itself is never needed whole. */
#include "base/lowrank.h"

#include <math.h>
#include <stdlib.h>

static double column_product(const double *a, size_t rows, size_t rank, size_t i, size_t j) {
    double sum = 0;
    for (size_t k = 0; k < rows; k++) sum += a[k * rank + i] * a[k * rank + j];
    return sum;
}

static double squared_norm(const struct lowrank *m) {
    double sum = 0;
    for (size_t i = 0; i < m->rank; i++)
        for (size_t j = 0; j < m->rank; j++)
            sum += column_product(m->u, m->rows, m->rank, i, j) *
                   column_product(m->v, m->cols, m->rank, i, j);
    return sum;
}

void lowrank_draw(struct lowrank *m, size_t rows, size_t cols, size_t rank, struct rng *r) {
    *m = (struct lowrank){.rows = rows, .cols = cols, .rank = rank};
    m->u = calloc((rows + cols) * rank, sizeof *m->u);
    if (!m->u) abort();
    m->v = m->u + rows * rank;
    for (size_t i = 0; i < (rows + cols) * rank; i++) m->u[i] = rng_normal(r);
    const double scale = sqrt((double)rows * (double)cols / squared_norm(m));
    for (size_t i = 0; i < rows * rank; i++) m->u[i] *= scale;
}

double lowrank_at(const struct lowrank *m, size_t row, size_t col) {
    double sum = 0;
    for (size_t k = 0; k < m->rank; k++) sum += m->u[row * m->rank + k] * m->v[col * m->rank + k];
    return sum;
}

void lowrank_free(struct lowrank *m) {
    free(m->u);
    *m = (struct lowrank){0};
}
