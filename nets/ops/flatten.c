/* flatten: an image becomes a vector of H W C features. Where nobody else reads x, this is another
 * view of the same memory and costs nothing.
 *
 * The trap: the engine's order is h w c, PyTorch's c h w. Nothing is moved here; `plane` tells the
 * linear layer that follows to permute its weight's columns when they leave the engine. */
#include "nets/graph.h"
#include "nets/op.h"

static int flatten_shape(struct graph *g, struct op *op, struct value *y, struct error *e) {
    (void)g, (void)op, (void)e;
    size_t plane = y->H * y->W;
    *y = (struct value){.H = 1, .W = 1, .C = plane * y->C, .plane = plane * y->plane};
    return STATUS_OK;
}

/* The flat vectors as images of the shape of `like`. */
static struct tensor unflattened(const struct tensor *flat, const struct tensor *like) {
    return (struct tensor){.data = flat->data,
                           .H = like->H,
                           .W = like->W,
                           .C = like->C,
                           .row = like->W * like->C,
                           .image = like->H * like->W * like->C};
}

static void forward_piece(const struct op *op, const struct op_run *run, struct piece p) {
    struct tensor y = unflattened(&op->y, &op->x[0]);
    run->pass->copy(&op->x[0], &y, p.first, p.last);
}

static void flatten_forward(const struct op *op, const struct op_run *run) {
    if (op->y.data == op->x[0].data) return;
    op_each_piece(op, run, run->N, op_pieces(run->N), forward_piece);
}

static void data_piece(const struct op *op, const struct op_run *run, struct piece p) {
    struct tensor dy = unflattened(&op->dy, &op->dx[0]);
    run->pass->copy(&dy, &op->dx[0], p.first, p.last);
}

static void flatten_backward_data(const struct op *op, const struct op_run *run) {
    if (op->dx[0].data == op->dy.data) return;
    op_each_piece(op, run, run->N, op_pieces(run->N), data_piece);
}

const struct op_type op_flatten = {
    .name = "flatten",
    .doc = "Image to vector, for the linear layers.",
    .inputs = 1,
    .view = true,
    .reads_x = READS_NOT,
    .reads_y = READS_NOT,
    .shape = flatten_shape,
    .forward = flatten_forward,
    .backward_data = flatten_backward_data,
};
