/* avgpool: the mean of each window, as torch.nn.AvgPool2d: padding counts, so the sum is always
 * divided by kernel^2. Backward gives each pixel of a window dy / kernel^2. */
#include <string.h>

#include "nets/ops/pool.h"

/* Call f(pixel of x, pixel of y, C, 1 / kernel^2) for every pair that a window joins. */
typedef void join(real *x, real *y, size_t C, real share);

static void join_window(const struct pass_window *w, const struct tensor *x, real *y, size_t n,
                        size_t i, size_t j, join *f) {
    real share = 1 / (real)(w->kernel * w->kernel);
    for (size_t r = 0; r < w->kernel; r++)
        for (size_t s = 0; s < w->kernel; s++) {
            size_t h = i * w->stride + r, v = j * w->stride + s; /* of the padded image */
            if (h < w->pad || v < w->pad || h >= x->H + w->pad || v >= x->W + w->pad) continue;
            f(tensor_at(x, n, h - w->pad, v - w->pad), y, x->C, share);
        }
}

static void gather(real *x, real *y, size_t C, real share) {
    for (size_t c = 0; c < C; c++) y[c] += x[c] * share;
}

static void spread(real *x, real *y, size_t C, real share) {
    for (size_t c = 0; c < C; c++) x[c] += y[c] * share;
}

static void forward_piece(const struct op *op, const struct op_run *run, struct piece p) {
    struct pass_window w = pool_window(op);
    (void)run;
    for (size_t n = p.first; n < p.last; n++)
        for (size_t i = 0; i < op->y.H; i++)
            for (size_t j = 0; j < op->y.W; j++) {
                real *y = tensor_at(&op->y, n, i, j);
                memset(y, 0, op->y.C * sizeof *y);
                join_window(&w, &op->x[0], y, n, i, j, gather);
            }
}

static void avgpool_forward(const struct op *op, const struct op_run *run) {
    op_each_piece(op, run, run->N, op_pieces(run->N), forward_piece);
}

static void data_piece(const struct op *op, const struct op_run *run, struct piece p) {
    const struct tensor *dx = &op->dx[0];
    struct pass_window w = pool_window(op);
    (void)run;
    memset(tensor_at(dx, p.first, 0, 0), 0, (p.last - p.first) * dx->image * sizeof(real));
    for (size_t n = p.first; n < p.last; n++)
        for (size_t i = 0; i < op->dy.H; i++)
            for (size_t j = 0; j < op->dy.W; j++)
                join_window(&w, dx, tensor_at(&op->dy, n, i, j), n, i, j, spread);
}

static void avgpool_backward_data(const struct op *op, const struct op_run *run) {
    op_each_piece(op, run, run->N, op_pieces(run->N), data_piece);
}

const struct op_type op_avgpool = {
    .name = "avgpool",
    .doc = "Mean over square windows, padding counted as zeros.",
    .inputs = 1,
    .reads_x = READS_NOT,
    .reads_y = READS_NOT,
    .shape = pool_shape,
    .forward = avgpool_forward,
    .backward_data = avgpool_backward_data,
};
