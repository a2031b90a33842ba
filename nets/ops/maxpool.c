/* maxpool: the largest value of each window, as torch.nn.MaxPool2d (no dilation, floor mode).
 * Backward finds the maximum again instead of storing where it was: the input is at hand, and of
 * equal maxima the first in reading order gets the gradient, as in PyTorch. */
#include <stdint.h>
#include <string.h>

#include "nets/ops/pool.h"

/* The position h W + w in x of the largest of window (i, j): the first of equal ones. */
static uint32_t window_top(const struct op *op, size_t n, size_t i, size_t j, size_t c) {
    const struct pass_window w = pool_window(op);
    const struct tensor *x = &op->x[0];
    size_t top = SIZE_MAX;
    for (size_t k = 0; k < w.kernel * w.kernel; k++) {
        size_t h = i * w.stride + k / w.kernel - w.pad, v = j * w.stride + k % w.kernel - w.pad;
        if (h >= x->H || v >= x->W) continue; /* outside, wrapped around or not */
        if (top == SIZE_MAX ||
            tensor_at(x, n, h, v)[c] > tensor_at(x, n, top / x->W, top % x->W)[c])
            top = h * x->W + v;
    }
    return (uint32_t)top;
}

static void switches_keep(const struct op *op, const struct op_run *run, struct piece p) {
    for (size_t n = p.first; n < p.last; n++) {
        uint32_t *top = op_switches(op, run, n);
        for (size_t i = 0; i < op->y.H; i++)
            for (size_t j = 0; j < op->y.W; j++)
                for (size_t c = 0; c < op->y.C; c++) *top++ = window_top(op, n, i, j, c);
    }
}

/* y = what x has where the switches say; or, backward, dx there += dy. */
static void switches_obey(const struct op *op, const struct op_run *run, bool backward,
                          struct piece p) {
    const struct tensor *x = backward ? &op->dx[0] : &op->x[0];
    const struct tensor *y = backward ? &op->dy : &op->y;
    for (size_t n = p.first; n < p.last; n++) {
        const uint32_t *top = op_switches(op, run, n);
        for (size_t i = 0; i < y->H; i++)
            for (size_t j = 0; j < y->W; j++)
                for (size_t c = 0; c < y->C; c++, top++) {
                    real *at_x = &tensor_at(x, n, *top / x->W, *top % x->W)[c];
                    real *at_y = &tensor_at(y, n, i, j)[c];
                    if (backward)
                        *at_x += *at_y;
                    else
                        *at_y = *at_x;
                }
    }
}

static void forward_piece(const struct op *op, const struct op_run *run, struct piece p) {
    struct pass_window w = pool_window(op);
    if (run->mode == NET_SWITCHED)
        switches_obey(op, run, false, p);
    else
        run->pass->maxpool(&w, &op->x[0], &op->y, p.first, p.last);
    if (run->mode == NET_BATCH) switches_keep(op, run, p);
}

static void maxpool_forward(const struct op *op, const struct op_run *run) {
    op_each_piece(op, run, run->N, op_pieces(run->N), forward_piece);
}

static void data_switched(const struct op *op, const struct op_run *run, struct piece p) {
    const struct tensor *dx = &op->dx[0];
    for (size_t n = p.first; n < p.last; n++)
        for (size_t h = 0; h < dx->H; h++)
            memset(tensor_at(dx, n, h, 0), 0, dx->W * dx->C * sizeof(real));
    switches_obey(op, run, true, p);
}

static void data_piece(const struct op *op, const struct op_run *run, struct piece p) {
    struct pass_window w = pool_window(op);
    if (run->mode == NET_SWITCHED)
        data_switched(op, run, p);
    else
        run->pass->maxpool_backward(&w, &op->x[0], &op->y, &op->dy, &op->dx[0], p.first, p.last);
}

static void maxpool_backward_data(const struct op *op, const struct op_run *run) {
    op_each_piece(op, run, run->N, op_pieces(run->N), data_piece);
}

const struct op_type op_maxpool = {
    .name = "maxpool",
    .doc = "Maximum over square windows.",
    .inputs = 1,
    .reads_x = READS,
    .reads_y = true,
    .switch_bytes = sizeof(uint32_t),
    .shape = pool_shape,
    .forward = maxpool_forward,
    .backward_data = maxpool_backward_data,
};
