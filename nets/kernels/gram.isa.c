/* Gram matrices of an image's positions, see gram.h. Both are symmetric: of each only the blocks on and
 * above the diagonal exist, `lanes` rows at a time, a block's rows from its first column on:
 *
 *   rows [i, i + lanes)  x  columns [i, P)      one after the other in memory
 *
 * Patches overlap. With stride 1 <x_i, x_j> is a sum over the taps of products of single pixels, so the
 * Gram matrix of the pixels of the padded image, far smaller than that of patches, is all that must
 * be multiplied. Else the patches are written out. The products are gemm.h's.
 *
 * Trap: numbers of either sign cancel in the sum over i, j, so it runs in double. */
#include "nets/kernels/gram.h"

#include <stdbool.h>
#include <string.h>

#include "nets/kernels/gemm.h"
#include "nets/kernels/isa.h"
#include "nets/kernels/vector.h"

extern const struct gemm ISA_NAME(gemm);
#define GEMM ISA_NAME(gemm)

enum {
    LANES = BYTES / sizeof(real),
    DEPTH = 256 /* of a sum in one go, so that a panel stays in the first cache */
};

static size_t least(size_t a, size_t b) {
    return a < b ? a : b;
}

static size_t padded(size_t rows) {
    return gemm_panels(&GEMM, rows) * GEMM.lanes;
}

/* Reals of a matrix of n rows in blocks. */
static size_t blocks_size(size_t n) {
    size_t size = 0;
    for (size_t i = 0; i < n; i += GEMM.lanes) size += least(GEMM.lanes, n - i) * (n - i);
    return size;
}

/* ---- the rows whose products are wanted ---- */

/* [n, K], one after the other. */
struct rows {
    const real *at;
    size_t n, K;
};

/* Pixels (h, w), ..., (h, w + count - 1) of image n, zeros outside. */
static void pixels_copy(const struct tensor *x, size_t n, ptrdiff_t h, ptrdiff_t w, size_t count,
                        real *to) {
    for (size_t i = 0; i < count; i++, w++, to += x->C) {
        bool inside = h >= 0 && h < (ptrdiff_t)x->H && w >= 0 && w < (ptrdiff_t)x->W;
        if (inside)
            memcpy(to, tensor_at(x, n, (size_t)h, (size_t)w), x->C * sizeof *to);
        else
            memset(to, 0, x->C * sizeof *to);
    }
}

/* What y sees of x: the extent of a padded image with stride 1. */
static size_t wide(const struct conv_shape *s, const struct tensor *y) {
    return y->W + s->S - 1;
}

static size_t pixels_n(const struct conv_shape *s, const struct tensor *y) {
    return (y->H + s->R - 1) * wide(s, y);
}

static bool by_pixels(const struct conv_shape *s, const struct tensor *y) {
    const size_t Q = pixels_n(s, y), P = y->H * y->W;
    return s->stride == 1 && Q * Q < P * P * s->R * s->S;
}

static struct rows pixels_of(const struct conv_shape *s, const struct tensor *x,
                             const struct tensor *y, size_t n, real *to) {
    const ptrdiff_t pad = (ptrdiff_t)s->pad;
    for (size_t h = 0; h < y->H + s->R - 1; h++)
        pixels_copy(x, n, (ptrdiff_t)h - pad, -pad, wide(s, y), to + h * wide(s, y) * s->C);
    return (struct rows){to, pixels_n(s, y), s->C};
}

static struct rows patches_of(const struct conv_shape *s, const struct tensor *x,
                              const struct tensor *y, size_t n, real *to) {
    const struct rows rows = {to, y->H * y->W, s->R * s->S * s->C};
    const ptrdiff_t pad = (ptrdiff_t)s->pad;
    for (size_t i = 0; i < rows.n; i++)
        for (size_t r = 0; r < s->R; r++, to += s->S * s->C)
            pixels_copy(x, n, (ptrdiff_t)(i / y->W * s->stride + r) - pad,
                        (ptrdiff_t)(i % y->W * s->stride) - pad, s->S, to);
    return rows;
}

static bool has_gaps(const struct tensor *t) {
    return t->row > t->W * t->C;
}

/* The pixels of image n, copied where there are gaps between its rows. */
static struct rows rows_of(const struct tensor *t, size_t n, real *to) {
    const struct rows rows = {has_gaps(t) ? to : tensor_at(t, n, 0, 0), t->H * t->W, t->C};
    for (size_t h = 0; h < t->H && has_gaps(t); h++)
        memcpy(to + h * t->W * t->C, tensor_at(t, n, h, 0), t->W * t->C * sizeof *to);
    return rows;
}

/* to = the block of products of rows [i, i + lanes) with all from i on; `panels` hold all rows. */
static void block(const struct rows *r, const real *panels, size_t i, real *to, size_t to_row) {
    for (size_t k = 0; k < r->K; k += DEPTH)
        GEMM.multiply(&(struct gemm_product){.M = least(GEMM.lanes, r->n - i),
                                             .N = r->n - i,
                                             .K = least(DEPTH, r->K - k),
                                             .a = r->at + i * r->K + k,
                                             .a_row = r->K,
                                             .b = panels + i * r->K + k * GEMM.lanes,
                                             .b_panel = r->K * GEMM.lanes,
                                             .c = to,
                                             .c_row = to_row,
                                             .add = k > 0});
}

/* ---- the inputs' matrix ---- */

/* to[0..count) = sum over the taps of pixels' products, from the first tap's on. */
static void taps_sum(const struct conv_shape *s, size_t wide, size_t Q, const real *from,
                     size_t count, real *to) {
    size_t c = 0;
    for (; c + LANES <= count; c += LANES) {
        vec sum = {0};
        for (size_t r = 0; r < s->R; r++)
            for (size_t q = 0; q < s->S; q++) sum += LOAD(from + (r * wide + q) * (Q + 1) + c);
        STORE(to + c) = sum;
    }
    for (; c < count; c++) {
        real sum = 0;
        for (size_t r = 0; r < s->R; r++)
            for (size_t q = 0; q < s->S; q++) sum += from[(r * wide + q) * (Q + 1) + c];
        to[c] = sum;
    }
}

struct position {
    size_t h, w;
};

/* The row of position `at`, from its own column on: those in one row of y lie side by side. */
static void taps_row(const struct conv_shape *s, const struct tensor *y, const real *pixels,
                     struct position at, real *to) {
    const size_t Q = pixels_n(s, y);
    const real *row = pixels + (at.h * wide(s, y) + at.w) * Q;
    for (size_t h = at.h, first = at.w; h < y->H; h++, first = 0) {
        taps_sum(s, wide(s, y), Q, row + h * wide(s, y) + first, y->W - first, to);
        to += y->W - first;
    }
}

/* The block that begins with row i, of position `at`, which becomes that of the next. */
static void taps_block(const struct conv_shape *s, const struct tensor *y, const real *pixels,
                       size_t i, struct position *at, real *to) {
    const size_t columns = y->H * y->W - i, rows = least(GEMM.lanes, columns);
    for (size_t m = 0; m < rows; m++) {
        taps_row(s, y, pixels, *at, to + m * columns + m);
        for (size_t c = 0; c < m; c++) to[m * columns + c] = to[c * columns + m];
        if (++at->w == y->W) *at = (struct position){at->h + 1, 0};
    }
}

/* Scratch: rows, their panels, and the pixels' matrix, whole, so that any of its upper half is found
 * at once. */
static void inputs(const struct conv_shape *s, const struct tensor *x, const struct tensor *y,
                   size_t n, real *gram, real *scratch) {
    const size_t P = y->H * y->W;
    const bool pixels = by_pixels(s, y);
    const struct rows rows =
        pixels ? pixels_of(s, x, y, n, scratch) : patches_of(s, x, y, n, scratch);
    real *panels = scratch + rows.n * rows.K, *products = panels + padded(rows.n) * rows.K;
    GEMM.pack_rows(rows.at, rows.K, rows.n, rows.K, panels);
    for (size_t i = 0; i < rows.n && pixels; i += GEMM.lanes)
        block(&rows, panels, i, products + i * rows.n + i, rows.n);
    struct position at = {0, 0};
    for (size_t i = 0; i < P; i += GEMM.lanes) {
        if (pixels)
            taps_block(s, y, products, i, &at, gram);
        else
            block(&rows, panels, i, gram, P - i);
        gram += least(GEMM.lanes, P - i) * (P - i);
    }
}

/* ---- the norm ---- */

static double dot(const real *a, const real *b, size_t n) {
    double sum = 0;
#pragma omp simd reduction(+ : sum)
    for (size_t i = 0; i < n; i++) sum += (double)a[i] * (double)b[i];
    return sum;
}

static double norm(const struct tensor *dy, size_t n, const real *gram, real *scratch) {
    const size_t P = dy->H * dy->W;
    const struct rows rows = rows_of(dy, n, scratch);
    real *panels = scratch + (has_gaps(dy) ? P * dy->C : 0), *own = panels + padded(P) * dy->C;
    double diagonal = 0, above = 0;
    GEMM.pack_rows(rows.at, rows.K, P, rows.K, panels);
    for (size_t i = 0; i < P; i += GEMM.lanes) {
        const size_t columns = P - i, m = least(GEMM.lanes, columns);
        block(&rows, panels, i, own, columns);
        for (size_t r = 0; r < m; r++, gram += columns) {
            diagonal += dot(own + r * columns, gram, m);
            above += dot(own + r * columns + m, gram + m, columns - m);
        }
    }
    return diagonal + 2 * above;
}

/* ---- sizes ---- */

static size_t reals(const struct tensor *y) {
    return blocks_size(y->H * y->W);
}

static size_t scratch_size(const struct conv_shape *s, const struct tensor *y) {
    const size_t P = y->H * y->W, Q = pixels_n(s, y), K = s->R * s->S * s->C;
    const size_t inputs = by_pixels(s, y) ? (Q + padded(Q)) * s->C + Q * Q : (P + padded(P)) * K;
    const size_t norm = (P + padded(P)) * s->O + GEMM.lanes * P;
    return inputs > norm ? inputs : norm;
}

static double inputs_cost(const struct conv_shape *s, const struct tensor *y) {
    const size_t P = y->H * y->W, taps = s->R * s->S;
    return by_pixels(s, y) ? (double)(blocks_size(pixels_n(s, y)) * s->C + blocks_size(P) * taps)
                           : (double)(blocks_size(P) * s->C * taps);
}

static double norm_cost(const struct tensor *y) {
    return (double)(blocks_size(y->H * y->W) * y->C);
}

extern const struct gram ISA_NAME(gram);
const struct gram ISA_NAME(gram) = {
    .reals = reals,
    .scratch = scratch_size,
    .inputs_cost = inputs_cost,
    .norm_cost = norm_cost,
    .inputs = inputs,
    .norm = norm,
};
