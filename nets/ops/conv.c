/* conv: cross-correlation with a square kernel, stride and zero padding, as torch.nn.Conv2d.
 * The arithmetic is nets/kernels/conv.h's; here it is cut into pieces of images.
 *
 * Weight gradients: each piece sums its own images into a gradient of its own, then the pieces are
 * added in order; so that this stays near, there are fewer pieces when a gradient is large, but a
 * power of two, which as many threads share evenly.
 * An example's squared gradient norm: its weight gradient alone in scratch, whole or in blocks,
 * squared and summed, or from Gram matrices where these cost less, one image after the other; no
 * batch of gradients ever exists. What several gradients of one example share is kept.
 *
 * The trap: the first piece writes the gradient arena itself, so it must be zeroed too. */
#include <string.h>

#include "nets/graph.h"
#include "nets/kernels/gram.h"
#include "nets/op.h"

enum { WEIGHT, BIAS };
static const size_t GRADIENT_BYTES = 8 << 20; /* of all pieces together */
enum { OVER_PIXELS = 16384 }; /* of dx at a time: preparing a kernel is 1 to 2 % of that */

static int out_size(size_t in, const struct conv_shape *s, size_t *out) {
    if (in + 2 * s->pad < s->R) return STATUS_USAGE;
    *out = (in + 2 * s->pad - s->R) / s->stride + 1;
    return STATUS_OK;
}

/* From how many passes on, which share the Gram matrix of the inputs, a squared norm is had for less
 * from Gram matrices than from the gradient; 0: never. Both count multiply-adds, and what one takes on
 * each way, against the direct kernels, was measured (bench/bench_gram.c). */
static size_t gram_from(const struct op *op, const struct tensor *y) {
    const double GRAM = 1.4, SQUARES = 0.45;
    const struct gram *g = gram_choose();
    double gradient = (double)(conv_weights(&op->conv) * y->H * y->W);
    double most = gradient * (op->kernel_single->squares ? SQUARES : 1) - GRAM * g->norm_cost(y);
    double inputs = GRAM * g->inputs_cost(&op->conv, y);
    return most > 0 ? 1 + (size_t)(inputs / most) : 0;
}

static int conv_layer_shape(struct graph *g, struct op *op, struct value *y, struct error *e) {
    const struct value *x = graph_value(g, op->in[0]);
    const struct op_options *o = &op->options;
    op->conv = (struct conv_shape){.C = x->C,
                                   .O = o->outputs,
                                   .R = o->kernel,
                                   .S = o->kernel,
                                   .stride = o->stride ? o->stride : 1,
                                   .pad = o->pad};
    if (out_size(x->H, &op->conv, &y->H) || out_size(x->W, &op->conv, &y->W))
        return error_set(e, STATUS_USAGE,
                         "its %zu x %zu input is smaller than its %zu x %zu kernel; "
                         "use larger images or a shallower network",
                         x->H, x->W, o->kernel, o->kernel);
    y->C = o->outputs;
    op->dx_over_dy = y->H == x->H && y->W == x->W && y->C == x->C;
    op->kernel = conv_choose(&op->conv, y->H * y->W, false);
    op->kernel_single = conv_choose(&op->conv, y->H * y->W, true);
    op->gram_from = gram_from(op, &(struct tensor){.H = y->H, .W = y->W, .C = y->C});
    size_t taps = o->kernel * o->kernel, fan_in = x->C * taps, fan_out = o->outputs * taps;
    graph_param(g, op, WEIGHT, "weight", 4, (size_t[]){o->outputs, x->C, o->kernel, o->kernel},
                graph_conv_init(g, fan_in, fan_out));
    if (o->bias)
        graph_param(g, op, BIAS, "bias", 1, (size_t[]){o->outputs}, graph_bias_init(g, fan_in));
    return STATUS_OK;
}

static bool gram_pays(const struct op *op, size_t passes) {
    return op->gram_from > 0 && passes >= op->gram_from;
}

static size_t gram_reals(const struct op *op) {
    return op->gram_from ? gram_choose()->reals(&op->y) : 0;
}

static size_t gram_scratch(const struct op *op) {
    return op->gram_from ? gram_reals(op) + gram_choose()->scratch(&op->conv, &op->y) : 0;
}

/* Scratch: for each thread a kernel's own or the Gram matrices', and a piece of x; then weight
 * gradients. The bias, whose turn comes after the weights', uses the same bytes for its sums. */
static size_t kernel_bytes(const struct op *op) {
    size_t most = op->kernel->scratch(&op->conv, &op->x[0], &op->y);
    size_t single = op->kernel_single->scratch(&op->conv, &op->x[0], &op->y);
    size_t gram = gram_scratch(op), bias = op_bytes(op->conv.O, sizeof(double));
    if (most < single) most = single;
    if (most < gram) most = gram;
    most = op_bytes(most, sizeof(real));
    return most < bias ? bias : most;
}

static size_t gradient_bytes(const struct op *op) {
    return op_bytes(conv_weights(&op->conv), sizeof(real));
}

static size_t gradient_pieces(const struct op *op, size_t N) {
    size_t pieces = 2, most = op_pieces(N);
    while (pieces < OP_PIECES && pieces * gradient_bytes(op) < GRADIENT_BYTES) pieces *= 2;
    return pieces < most ? pieces : most;
}

/* How many images of dx are at a time on their way over dy. */
static size_t images_over(const struct op *op, size_t N) {
    size_t pixels = op->y.H * op->y.W, images = (OVER_PIXELS + pixels - 1) / pixels;
    return images < N ? images : N;
}

/* A piece of x that is made again, or of dx on its way over dy. */
static size_t piece_bytes(const struct op *op, size_t N) {
    size_t x = op_input_room(op, N, gradient_pieces(op, N));
    size_t dx = op->dx_over_dy
                    ? op_bytes(images_over(op, N) * op->y.H * op->y.W * op->y.C, sizeof(real))
                    : 0;
    return x > dx ? x : dx;
}

static size_t thread_bytes(const struct op *op, size_t N) {
    return kernel_bytes(op) + piece_bytes(op, N);
}

static size_t conv_layer_scratch(const struct op *op, size_t N, int threads) {
    size_t tiles = gradient_pieces(op, N);
    if (tiles < (size_t)threads) tiles = (size_t)threads; /* one each for single examples */
    size_t weights = (size_t)threads * thread_bytes(op, N) + tiles * gradient_bytes(op);
    size_t bias = op_bytes((OP_PIECES + 1) * op->conv.O, sizeof(double));
    return weights > bias ? weights : bias;
}

static real *kernel_scratch(const struct op *op, const struct op_run *run, int thread) {
    return (real *)(run->scratch + (size_t)thread * thread_bytes(op, run->N));
}

static real *piece_room(const struct op *op, const struct op_run *run, int thread) {
    return (real *)(run->scratch + (size_t)thread * thread_bytes(op, run->N) + kernel_bytes(op));
}

static real *gradient_scratch(const struct op *op, const struct op_run *run, size_t i) {
    return (real *)(run->scratch + (size_t)run->threads * thread_bytes(op, run->N) +
                    i * gradient_bytes(op));
}

/* For y and dx, which are the same for any cut: a kernel prepares its weights at each call, so there are
 * few, but more than threads, of which one may be late. */
static size_t image_pieces(const struct op_run *run) {
    size_t pieces = run->threads > 1 ? 2 * (size_t)run->threads : 1, most = op_pieces(run->N);
    return pieces < most ? pieces : most;
}

static void forward_piece(const struct op *op, const struct op_run *run, struct piece p) {
    op->kernel->forward(&op->conv, &op->x[0], op_param(op, run, WEIGHT),
                        op->options.bias ? op_param(op, run, BIAS) : NULL, &op->y, p.first, p.last,
                        kernel_scratch(op, run, p.thread));
}

static void conv_layer_forward(const struct op *op, const struct op_run *run) {
    op_each_piece(op, run, run->N, image_pieces(run), forward_piece);
}

static void weights_piece(const struct op *op, const struct op_run *run, struct piece p) {
    real *dw = p.index ? gradient_scratch(op, run, p.index) : op_grad(op, run, WEIGHT);
    struct tensor x = op_input(op, run, p.first, p.last, piece_room(op, run, p.thread));
    struct tensor dy = tensor_from(&op->dy, p.first);
    memset(dw, 0, conv_weights(&op->conv) * sizeof *dw);
    op->kernel->backward_weights(&op->conv, &x, &dy, dw, 0, p.last - p.first,
                                 kernel_scratch(op, run, p.thread));
}

static void bias_piece(const struct op *op, const struct op_run *run, struct piece p) {
    run->pass->sums(&op->dy, p.first, p.last, (double *)run->scratch + p.index * op->conv.O);
}

static void conv_layer_backward_params(const struct op *op, const struct op_run *run) {
    size_t O = op->conv.O, pieces = gradient_pieces(op, run->N);
    real *dw = op_grad(op, run, WEIGHT);
    op_each_piece(op, run, run->N, pieces, weights_piece);
    for (size_t i = 1; i < pieces; i++)
        run->pass->accumulate(dw, gradient_scratch(op, run, i), conv_weights(&op->conv));
    if (!op->options.bias) return;

    pieces = op_pieces(run->N);
    double *parts = op_zeroed(run, (pieces + 1) * O), *sums = parts + pieces * O;
    op_each_piece(op, run, run->N, pieces, bias_piece);
    op_reduce_sums(parts, pieces, O, sums);
    for (size_t o = 0; o < O; o++) op_grad(op, run, BIAS)[o] = (real)sums[o];
}

static void data_piece(const struct op *op, const struct op_run *run, struct piece p) {
    op->kernel->backward_data(&op->conv, &op->dy, op_param(op, run, WEIGHT), &op->dx[0], p.first,
                              p.last, kernel_scratch(op, run, p.thread));
}

/* dx over dy, by way of the scratch. */
static void data_piece_over(const struct op *op, const struct op_run *run, struct piece p) {
    struct tensor dx = op->dx[0];
    dx.data = piece_room(op, run, p.thread);
    for (size_t n = p.first, count; n < p.last; n += count) {
        struct tensor dy = tensor_from(&op->dy, n);
        count = images_over(op, p.last - n);
        op->kernel->backward_data(&op->conv, &dy, op_param(op, run, WEIGHT), &dx, 0, count,
                                  kernel_scratch(op, run, p.thread));
        memcpy(dy.data, dx.data, count * dx.image * sizeof *dx.data);
    }
}

static void conv_layer_backward_data(const struct op *op, const struct op_run *run) {
    bool over = op->dx[0].data == op->dy.data;
    op_each_piece(op, run, run->N, image_pieces(run), over ? data_piece_over : data_piece);
}

static double gram_g2(const struct op *op, const struct op_run *run, size_t n, int thread) {
    const struct gram *g = gram_choose();
    real *scratch = kernel_scratch(op, run, thread) + gram_reals(op);
    real *gram = run->passes > 1 ? op_kept(op, run, n) : kernel_scratch(op, run, thread);
    if (run->kept_for == 0) {
        struct tensor x = op_input(op, run, n, n + 1, piece_room(op, run, thread));
        g->inputs(&op->conv, &x, &op->y, 0, gram, scratch);
    }
    return g->norm(&op->dy, n, gram, scratch);
}

static double weights_g2(const struct op *op, const struct op_run *run, size_t n, int thread) {
    const struct conv_kernel *kernel = op->kernel_single;
    real *scratch = kernel_scratch(op, run, thread);
    if (gram_pays(op, run->passes)) return gram_g2(op, run, n, thread);
    struct tensor x = op_input(op, run, n, n + 1, piece_room(op, run, thread));
    struct tensor dy = tensor_from(&op->dy, n);
    if (kernel->squares) return kernel->squares(&op->conv, &x, &dy, 0, scratch);
    size_t count = conv_weights(&op->conv);
    real *dw = gradient_scratch(op, run, (size_t)thread);
    memset(dw, 0, count * sizeof *dw);
    kernel->backward_weights(&op->conv, &x, &dy, dw, 0, 1, scratch);
    return run->pass->sum_squares(dw, count);
}

static double bias_g2(const struct op *op, const struct op_run *run, size_t n, int thread) {
    double *db = (double *)kernel_scratch(op, run, thread), g2 = 0;
    memset(db, 0, op->conv.O * sizeof *db);
    run->pass->sums(&op->dy, n, n + 1, db);
    for (size_t o = 0; o < op->conv.O; o++) g2 += db[o] * db[o];
    return g2;
}

/* Both of an example while its dy is in cache. */
static void g2_piece(const struct op *op, const struct op_run *run, struct piece p) {
    for (size_t n = p.first; n < p.last; n++) {
        *op_g2(op, run, n) += weights_g2(op, run, n, p.thread);
        if (op->options.bias) *op_g2(op, run, n) += bias_g2(op, run, n, p.thread);
    }
}

static void conv_layer_backward_g2(const struct op *op, const struct op_run *run) {
    op_each_piece(op, run, run->N, op_pieces(run->N), g2_piece);
}

static void conv_layer_pack(const struct op *op, size_t first, size_t last, const real *pytorch,
                            real *packed) {
    conv_pack(&op->conv, first, last, pytorch, packed);
}

static void conv_layer_unpack(const struct op *op, size_t first, size_t last, const real *packed,
                              real *pytorch) {
    conv_unpack(&op->conv, first, last, packed, pytorch);
}

const struct op_type op_conv = {
    .name = "conv",
    .doc = "Two-dimensional convolution: square kernel, stride, zero padding, optional bias.",
    .inputs = 1,
    .begins_layer = true,
    .reads_x = READS_PIECES,
    .reads_y = READS_NOT,
    .shape = conv_layer_shape,
    .scratch = conv_layer_scratch,
    .forward = conv_layer_forward,
    .backward_params = conv_layer_backward_params,
    .backward_data = conv_layer_backward_data,
    .backward_g2 = conv_layer_backward_g2,
    .kept = gram_reals,
    .pack = conv_layer_pack,
    .unpack = conv_layer_unpack,
};
