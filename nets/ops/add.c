/* add: y = a + b, of one shape; both gradients are dy. */
#include <assert.h>

#include "nets/graph.h"
#include "nets/op.h"

static int add_shape(struct graph *g, struct op *op, struct value *y, struct error *e) {
    (void)e;
    const struct value *b = graph_value(g, op->in[1]);
    assert(b->H == y->H && b->W == y->W && b->C == y->C);
    return STATUS_OK;
}

static void forward_piece(const struct op *op, const struct op_run *run, struct piece p) {
    run->pass->add(&op->x[0], &op->x[1], &op->y, p.first, p.last);
}

static void add_forward(const struct op *op, const struct op_run *run) {
    op_each_piece(op, run, run->N, op_pieces(run->N), forward_piece);
}

static void data_piece(const struct op *op, const struct op_run *run, struct piece p) {
    for (int i = 0; i < OP_INPUTS; i++)
        if (op->dx[i].data && op->dx[i].data != op->dy.data)
            run->pass->copy(&op->dy, &op->dx[i], p.first, p.last);
}

static void add_backward_data(const struct op *op, const struct op_run *run) {
    op_each_piece(op, run, run->N, op_pieces(run->N), data_piece);
}

const struct op_type op_add = {
    .name = "add",
    .doc = "Sum of two activations of one shape: residual connections, fusion.",
    .inputs = 2,
    .in_place_backward = true,
    .reads_x = READS_NOT,
    .reads_y = READS_NOT,
    .shape = add_shape,
    .forward = add_forward,
    .backward_data = add_backward_data,
};
