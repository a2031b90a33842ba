/* maxpool: the largest value of each window, as torch.nn.MaxPool2d (no dilation, floor mode). Which
 * tap it was is kept in a byte, so that backward reads neither x nor y; of equal maxima the first in
 * reading order gets the gradient, as in PyTorch.
 *
 * These taps are the switches too: those of NET_BATCH lie apart from those of training and
 * evaluation, so that NET_SWITCHED finds them whatever came between. */
#include <assert.h>
#include <string.h>

#include "nets/ops/pool.h"

static int maxpool_shape(struct graph *g, struct op *op, struct value *y, struct error *e) {
    assert(op->options.kernel <= PASS_WINDOW_MOST);
    return pool_shape(g, op, y, e);
}

/* [H, W, C] of y: the taps r kernel + s of example n's maxima. */
static unsigned char *taps(const struct op *op, const struct op_run *run, size_t n) {
    bool apart = run->mode == NET_TRAIN || run->mode == NET_EVAL;
    unsigned char *both = op_switches(op, run, n);
    return both + (apart ? op->y.H * op->y.W * op->y.C : 0);
}

/* y = what x has at the taps. */
static void obey(const struct op *op, const struct op_run *run, size_t n) {
    const struct pass_window w = pool_window(op);
    const unsigned char *tap = taps(op, run, n);
    for (size_t i = 0; i < op->y.H; i++)
        for (size_t j = 0; j < op->y.W; j++)
            for (size_t c = 0; c < op->y.C; c++, tap++)
                tensor_at(&op->y, n, i, j)[c] =
                    tensor_at(&op->x[0], n, i * w.stride + *tap / w.kernel - w.pad,
                              j * w.stride + *tap % w.kernel - w.pad)[c];
}

static void forward_piece(const struct op *op, const struct op_run *run, struct piece p) {
    const struct pass_window w = pool_window(op);
    for (size_t n = p.first; n < p.last; n++) {
        if (run->mode == NET_SWITCHED)
            obey(op, run, n);
        else
            run->pass->maxpool(&w, &op->x[0], &op->y, n, taps(op, run, n));
    }
}

static void maxpool_forward(const struct op *op, const struct op_run *run) {
    op_each_piece(op, run, run->N, op_pieces(run->N), forward_piece);
}

static void data_piece(const struct op *op, const struct op_run *run, struct piece p) {
    const struct pass_window w = pool_window(op);
    for (size_t n = p.first; n < p.last; n++)
        run->pass->maxpool_backward(&w, &op->dy, &op->dx[0], n, taps(op, run, n));
}

static void maxpool_backward_data(const struct op *op, const struct op_run *run) {
    op_each_piece(op, run, run->N, op_pieces(run->N), data_piece);
}

const struct op_type op_maxpool = {
    .name = "maxpool",
    .doc = "Maximum over square windows.",
    .inputs = 1,
    .reads_x = READS_NOT,
    .reads_y = READS_NOT,
    .switch_bytes = 2,
    .shape = maxpool_shape,
    .forward = maxpool_forward,
    .backward_data = maxpool_backward_data,
};
