/* relu: y = max(x, 0), in place where nobody else reads x. dx = dy where y > 0, else 0, which needs
 * the output alone. After a batchnorm use its `relu` option instead: one pass less. */
#include "nets/graph.h"
#include "nets/op.h"

static int relu_shape(struct graph *g, struct op *op, struct value *y, struct error *e) {
    (void)g, (void)op, (void)y, (void)e; /* y comes with the shape of x */
    return STATUS_OK;
}

static void forward_piece(const struct op *op, const struct op_run *run, struct piece p) {
    struct tensor x = tensor_from(&op->x[0], p.first), y = tensor_from(&op->y, p.first);
    if (run->mode == NET_SWITCHED)
        op_switches_obey(op, run, p.first, p.last, &x, &y);
    else
        run->pass->relu(&op->x[0], &op->y, p.first, p.last);
    if (run->mode == NET_BATCH) op_switches_keep(op, run, p);
}

static void relu_forward(const struct op *op, const struct op_run *run) {
    op_each_piece(op, run, run->N, op_pieces(run->N), forward_piece);
}

static void data_piece(const struct op *op, const struct op_run *run, struct piece p) {
    struct tensor dy = tensor_from(&op->dy, p.first), dx = tensor_from(&op->dx[0], p.first);
    if (run->mode == NET_SWITCHED)
        op_switches_obey(op, run, p.first, p.last, &dy, &dx);
    else
        run->pass->relu_backward(&op->y, &op->dy, &op->dx[0], p.first, p.last);
}

static void relu_backward_data(const struct op *op, const struct op_run *run) {
    op_each_piece(op, run, run->N, op_pieces(run->N), data_piece);
}

const struct op_type op_relu = {
    .name = "relu",
    .doc = "Rectifier: negative values become 0.",
    .inputs = 1,
    .rectifies = true,
    .in_place = true,
    .in_place_backward = true,
    .reads_x = READS_NOT,
    .switch_bytes = 1,
    .shape = relu_shape,
    .forward = relu_forward,
    .backward_data = relu_backward_data,
};
