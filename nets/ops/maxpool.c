/* maxpool: the largest value of each window, as torch.nn.MaxPool2d (no dilation, floor mode).
 * Backward finds the maximum again instead of storing where it was: the input is at hand, and of
 * equal maxima the first in reading order gets the gradient, as in PyTorch. */
#include "nets/ops/pool.h"

static void forward_piece(const struct op *op, const struct op_run *run, struct piece p) {
    struct pass_window w = pool_window(op);
    run->pass->maxpool(&w, &op->x[0], &op->y, p.first, p.last);
}

static void maxpool_forward(const struct op *op, const struct op_run *run) {
    op_each_piece(op, run, run->N, op_pieces(run->N), forward_piece);
}

static void data_piece(const struct op *op, const struct op_run *run, struct piece p) {
    struct pass_window w = pool_window(op);
    run->pass->maxpool_backward(&w, &op->x[0], &op->y, &op->dy, &op->dx[0], p.first, p.last);
}

static void maxpool_backward_data(const struct op *op, const struct op_run *run) {
    op_each_piece(op, run, run->N, op_pieces(run->N), data_piece);
}

const struct op_type op_maxpool = {
    .name = "maxpool",
    .doc = "Maximum over square windows.",
    .inputs = 1,
    .shape = pool_shape,
    .forward = maxpool_forward,
    .backward_data = maxpool_backward_data,
};
