/* product: y = a b, element by element, of one shape; da = dy b, db = dy a. */
#include <assert.h>

#include "nets/graph.h"
#include "nets/op.h"

static int product_shape(struct graph *g, struct op *op, struct value *y, struct error *e) {
    (void)e;
    const struct value *b = graph_value(g, op->in[1]);
    assert(b->H == y->H && b->W == y->W && b->C == y->C);
    (void)b;
    return STATUS_OK;
}

static void forward_piece(const struct op *op, const struct op_run *run, struct piece p) {
    run->pass->multiply(&op->x[0], &op->x[1], &op->y, p.first, p.last);
}

static void product_forward(const struct op *op, const struct op_run *run) {
    op_each_piece(op, run, run->N, op_pieces(run->N), forward_piece);
}

static void data_piece(const struct op *op, const struct op_run *run, struct piece p) {
    for (int i = 0; i < OP_INPUTS; i++)
        if (op->dx[i].data)
            run->pass->multiply(&op->dy, &op->x[1 - i], &op->dx[i], p.first, p.last);
}

static void product_backward_data(const struct op *op, const struct op_run *run) {
    op_each_piece(op, run, run->N, op_pieces(run->N), data_piece);
}

const struct op_type op_product = {
    .name = "product",
    .doc = "Product of two activations of one shape, element by element: fusion.",
    .inputs = 2,
    .reads_y = READS_NOT,
    .shape = product_shape,
    .forward = product_forward,
    .backward_data = product_backward_data,
};
