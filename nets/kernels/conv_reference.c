/* Convolution by im2col and OpenBLAS, one image at a time: any shape, the oracle of the tests and
 * the path for shapes that the direct kernels do not cover.
 *
 *   cols[i*OW + j][(r*S + s)*C + c] = x[i*stride + r - pad, j*stride + s - pad, c]
 *   y = cols w,   dcols = dy w^T,   dw += cols^T dy          with w = packed [R*S*C][O]
 *
 * (Chellapilla, Puri and Simard 2006.) One product per image, never one over the whole batch: the
 * columns stay in cache, and short products are what OpenBLAS does best. The caller holds OpenBLAS
 * to one thread. Trap: columns of the padding are zeros, and their gradients go nowhere. */
#include <assert.h>
#include <cblas.h>
#include <string.h>

#include "nets/kernels/conv.h"

#ifdef REAL_IS_DOUBLE
#define GEMM cblas_dgemm
#else
#define GEMM cblas_sgemm
#endif

/* out [m][n] = a [m][k] b [k][n] + add * out; a (or b) is stored transposed where asked. */
static void product(CBLAS_TRANSPOSE ta, CBLAS_TRANSPOSE tb, size_t m, size_t n, size_t k,
                    const real *a, const real *b, real add, real *out) {
    const blasint lda = (blasint)(ta == CblasTrans ? m : k);
    const blasint ldb = (blasint)(tb == CblasTrans ? k : n);
    GEMM(CblasRowMajor, ta, tb, (blasint)m, (blasint)n, (blasint)k, 1, a, lda, b, ldb, add, out,
         (blasint)n);
}

static size_t taps(const struct conv_shape *s) {
    return s->R * s->S * s->C;
}

static bool covers(const struct conv_shape *s) {
    (void)s;
    return true;
}

/* Columns of one image, then its pixels. */
static size_t scratch_size(const struct conv_shape *s, const struct tensor *x,
                           const struct tensor *y) {
    (void)x;
    return y->H * y->W * (taps(s) + s->O);
}

static void check(const struct conv_shape *s, const struct tensor *x, const struct tensor *y) {
    assert(x->C == s->C && y->C == s->O);
    assert(y->H > 0 && (y->H - 1) * s->stride + s->R <= x->H + 2 * s->pad);
    assert(y->W > 0 && (y->W - 1) * s->stride + s->S <= x->W + 2 * s->pad);
    (void)s, (void)x, (void)y;
}

/* The pixel of x that tap (r, q) of output pixel (i, j) sees; NULL: padding. */
static const real *tap_pixel(const struct conv_shape *s, const struct tensor *x, size_t n, size_t i,
                             size_t j, size_t r, size_t q) {
    const size_t h = i * s->stride + r, w = j * s->stride + q;
    if (h < s->pad || h >= x->H + s->pad || w < s->pad || w >= x->W + s->pad) return NULL;
    return tensor_at(x, n, h - s->pad, w - s->pad);
}

static void columns_gather(const struct conv_shape *s, const struct tensor *x,
                           const struct tensor *y, size_t n, real *cols) {
    for (size_t i = 0; i < y->H; i++)
        for (size_t j = 0; j < y->W; j++)
            for (size_t t = 0; t < s->R * s->S; t++, cols += s->C) {
                const real *from = tap_pixel(s, x, n, i, j, t / s->S, t % s->S);
                if (from)
                    memcpy(cols, from, s->C * sizeof *cols);
                else
                    memset(cols, 0, s->C * sizeof *cols);
            }
}

static void image_gather(const struct tensor *t, size_t n, real *flat) {
    const size_t line = t->W * t->C;
    for (size_t i = 0; i < t->H; i++)
        memcpy(flat + i * line, tensor_at(t, n, i, 0), line * sizeof *flat);
}

static void forward(const struct conv_shape *s, const struct tensor *x, const real *w,
                    const real *b, const struct tensor *y, size_t first, size_t last,
                    real *scratch) {
    const size_t pixels = y->H * y->W, line = y->W * s->O;
    real *flat = scratch + pixels * taps(s);
    check(s, x, y);
    for (size_t n = first; n < last; n++) {
        columns_gather(s, x, y, n, scratch);
        for (size_t p = 0; p < pixels * s->O; p++) flat[p] = b ? b[p % s->O] : 0;
        product(CblasNoTrans, CblasNoTrans, pixels, s->O, taps(s), scratch, w, 1, flat);
        for (size_t i = 0; i < y->H; i++)
            memcpy(tensor_at(y, n, i, 0), flat + i * line, line * sizeof *flat);
    }
}

/* Add the columns of output pixel (i, j) to dx, leaving out the taps that lie in the padding. */
static void column_scatter(const struct conv_shape *s, const real *col, const struct tensor *dx,
                           size_t n, size_t i, size_t j) {
    for (size_t r = 0; r < s->R; r++)
        for (size_t q = 0; q < s->S; q++, col += s->C) {
            const size_t h = i * s->stride + r, w = j * s->stride + q;
            if (h < s->pad || h >= dx->H + s->pad || w < s->pad || w >= dx->W + s->pad) continue;
            real *to = tensor_at(dx, n, h - s->pad, w - s->pad);
            for (size_t c = 0; c < s->C; c++) to[c] += col[c];
        }
}

static void backward_data(const struct conv_shape *s, const struct tensor *dy, const real *w,
                          const struct tensor *dx, size_t first, size_t last, real *scratch) {
    const size_t pixels = dy->H * dy->W;
    real *flat = scratch + pixels * taps(s);
    check(s, dx, dy);
    for (size_t n = first; n < last; n++) {
        image_gather(dy, n, flat);
        product(CblasNoTrans, CblasTrans, pixels, taps(s), s->O, flat, w, 0, scratch);
        for (size_t h = 0; h < dx->H; h++)
            memset(tensor_at(dx, n, h, 0), 0, dx->W * dx->C * sizeof(real));
        for (size_t p = 0; p < pixels; p++)
            column_scatter(s, scratch + p * taps(s), dx, n, p / dy->W, p % dy->W);
    }
}

static void backward_weights(const struct conv_shape *s, const struct tensor *x,
                             const struct tensor *dy, real *dw, size_t first, size_t last,
                             real *scratch) {
    const size_t pixels = dy->H * dy->W;
    real *flat = scratch + pixels * taps(s);
    check(s, x, dy);
    for (size_t n = first; n < last; n++) {
        columns_gather(s, x, dy, n, scratch);
        image_gather(dy, n, flat);
        product(CblasTrans, CblasNoTrans, taps(s), s->O, pixels, scratch, flat, 1, dw);
    }
}

const struct conv_kernel conv_reference = {
    .name = "im2col",
    .in_order = true,
    .covers = covers,
    .scratch = scratch_size,
    .forward = forward,
    .backward_data = backward_data,
    .backward_weights = backward_weights,
};
