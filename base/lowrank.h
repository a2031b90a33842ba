/* A random matrix of a given rank: M = U V^T scaled so that its entries have root mean square 1, with
 * U [rows, rank] and V [cols, rank] of independent N(0, 1). */
#ifndef BASE_LOWRANK_H
#define BASE_LOWRANK_H

#include <stddef.h>

#include "base/rng.h"

struct lowrank {
    size_t rows, cols, rank;
    double *u, *v; /* [rows, rank] scaled, [cols, rank]; owned, in one piece */
};

/* Draws U, then V. Without memory it aborts. */
void lowrank_draw(struct lowrank *m, size_t rows, size_t cols, size_t rank, struct rng *r);
double lowrank_at(const struct lowrank *m, size_t row, size_t col);
void lowrank_free(struct lowrank *m);

#endif
