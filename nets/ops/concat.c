/* concat: y = [a, b], two flat vectors side by side, as torch.cat((a, b), 1). For more, nest.
 *
 * The trap: a flattened image is no plain vector, since the linear layer after it has its columns
 * in another order outside (see flatten.c); after a concatenation that order would be lost. */
#include <assert.h>
#include <string.h>

#include "nets/graph.h"
#include "nets/op.h"

static int concat_shape(struct graph *g, struct op *op, struct value *y, struct error *e) {
    (void)e;
    const struct value *a = graph_value(g, op->in[0]), *b = graph_value(g, op->in[1]);
    assert(a->H == 1 && a->W == 1 && a->plane == 1);
    assert(b->H == 1 && b->W == 1 && b->plane == 1);
    y->C = a->C + b->C;
    return STATUS_OK;
}

static void forward_piece(const struct op *op, const struct op_run *run, struct piece p) {
    (void)run;
    for (size_t n = p.first; n < p.last; n++) {
        real *y = tensor_at(&op->y, n, 0, 0);
        for (int i = 0; i < OP_INPUTS; y += op->x[i++].C)
            memcpy(y, tensor_at(&op->x[i], n, 0, 0), op->x[i].C * sizeof *y);
    }
}

static void concat_forward(const struct op *op, const struct op_run *run) {
    op_each_piece(op, run, run->N, op_pieces(run->N), forward_piece);
}

static void data_piece(const struct op *op, const struct op_run *run, struct piece p) {
    (void)run;
    for (size_t n = p.first; n < p.last; n++) {
        const real *dy = tensor_at(&op->dy, n, 0, 0);
        for (int i = 0; i < OP_INPUTS; dy += op->x[i++].C)
            if (op->dx[i].data) memcpy(tensor_at(&op->dx[i], n, 0, 0), dy, op->x[i].C * sizeof *dy);
    }
}

static void concat_backward_data(const struct op *op, const struct op_run *run) {
    op_each_piece(op, run, run->N, op_pieces(run->N), data_piece);
}

const struct op_type op_concat = {
    .name = "concat",
    .doc = "Two vectors side by side: fusion.",
    .inputs = 2,
    .reads_x = READS_NOT,
    .reads_y = READS_NOT,
    .shape = concat_shape,
    .forward = concat_forward,
    .backward_data = concat_backward_data,
};
