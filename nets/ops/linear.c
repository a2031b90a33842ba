/* linear: y[n,o] = b[o] + sum over i of x[n,i] w[o,i]; weight [out, in] as in torch.nn.Linear.
 *
 *   dx = dy w        dw = dy^T x        db = sum over n of dy
 *
 * Example n's own gradient is dw = dy[n]^T x[n], an outer product, so its squared norm needs no
 * gradient at all (Goodfellow 2015, arXiv 1510.01799): |x[n]|^2 |dy[n]|^2 + |dy[n]|^2.
 *
 * Matrix products are OpenBLAS's, on one thread each, cut by features into fixed pieces.
 * The trap: a flattened image arrives as h w c, but PyTorch flattens to c h w, so the weight's
 * columns are permuted on their way out and in. */
#include "nets/blas.h"
#include "nets/graph.h"
#include "nets/op.h"

enum { WEIGHT, BIAS, PIECE = 128 /* features that make a piece worth its overhead */ };

static int linear_shape(struct graph *g, struct op *op, struct value *y, struct error *e) {
    (void)e;
    const struct value *x = graph_value(g, op->in[0]);
    size_t in = x->H * x->W * x->C, out = op->options.outputs;
    op->plane = x->plane;
    *y = (struct value){.H = 1, .W = 1, .C = out, .plane = 1};
    graph_param(g, op, WEIGHT, "weight", 2, (size_t[]){out, in}, graph_weight_init(g, in));
    if (op->options.bias)
        graph_param(g, op, BIAS, "bias", 1, (size_t[]){out}, graph_bias_init(g, in));
    return STATUS_OK;
}

static size_t linear_scratch(const struct op *op, size_t N, int threads) {
    (void)N, (void)threads;
    return op_bytes(op->y.C, sizeof(double));
}

static size_t pieces_of(size_t features) {
    return features < PIECE * OP_PIECES ? (features + PIECE - 1) / PIECE : OP_PIECES;
}

/* The outputs [first, last): start from the bias, add x w^T. */
static void forward_piece(const struct op *op, const struct op_run *run, struct piece p) {
    size_t in = op->x[0].C, out = op->y.C;
    real *y = op->y.data;
    if (op->options.bias) {
        const real *b = op_param(op, run, BIAS);
        for (size_t n = 0; n < run->N; n++)
            for (size_t o = p.first; o < p.last; o++) y[n * out + o] = b[o];
    }
    blas_gemm(BLAS_PLAIN, BLAS_TRANSPOSED, run->N, p.last - p.first, in, op->x[0].data, in,
              op_param(op, run, WEIGHT) + p.first * in, in, op->options.bias, y + p.first, out);
}

static void linear_forward(const struct op *op, const struct op_run *run) {
    op_each_piece(op, run, op->y.C, pieces_of(op->y.C), forward_piece);
}

/* The weights of the outputs [first, last): dw = dy^T x. */
static void weights_piece(const struct op *op, const struct op_run *run, struct piece p) {
    size_t in = op->x[0].C, out = op->y.C;
    blas_gemm(BLAS_TRANSPOSED, BLAS_PLAIN, p.last - p.first, in, run->N, op->dy.data + p.first, out,
              op->x[0].data, in, 0, op_grad(op, run, WEIGHT) + p.first * in, in);
}

static void linear_backward_params(const struct op *op, const struct op_run *run) {
    op_each_piece(op, run, op->y.C, pieces_of(op->y.C), weights_piece);
    if (!op->options.bias) return;
    double *sums = op_zeroed(run, op->y.C);
    real *db = op_grad(op, run, BIAS);
    run->pass->sums(&op->dy, 0, run->N, sums);
    for (size_t o = 0; o < op->y.C; o++) db[o] = (real)sums[o];
}

/* The inputs [first, last): dx = dy w. */
static void data_piece(const struct op *op, const struct op_run *run, struct piece p) {
    size_t in = op->x[0].C, out = op->y.C;
    blas_gemm(BLAS_PLAIN, BLAS_PLAIN, run->N, p.last - p.first, out, op->dy.data, out,
              op_param(op, run, WEIGHT) + p.first, in, 0, op->dx[0].data + p.first, in);
}

static void linear_backward_data(const struct op *op, const struct op_run *run) {
    op_each_piece(op, run, op->x[0].C, pieces_of(op->x[0].C), data_piece);
}

static void g2_piece(const struct op *op, const struct op_run *run, struct piece p) {
    size_t in = op->x[0].C, out = op->y.C;
    for (size_t n = p.first; n < p.last; n++) {
        double x2 = run->pass->sum_squares(op->x[0].data + n * in, in);
        double dy2 = run->pass->sum_squares(op->dy.data + n * out, out);
        *op_g2(op, run, n) += (x2 + op->options.bias) * dy2;
    }
}

static void linear_backward_g2(const struct op *op, const struct op_run *run) {
    op_each_piece(op, run, run->N, op_pieces(run->N), g2_piece);
}

/* Column of PyTorch's weight, c h w, for input i of ours, h w c. */
static size_t column(const struct op *op, size_t i) {
    size_t channels = op->x[0].C / op->plane;
    return i % channels * op->plane + i / channels;
}

static void linear_pack(const struct op *op, const real *pytorch, real *packed) {
    size_t in = op->x[0].C;
    for (size_t o = 0; o < op->y.C; o++)
        for (size_t i = 0; i < in; i++) packed[o * in + i] = pytorch[o * in + column(op, i)];
}

static void linear_unpack(const struct op *op, const real *packed, real *pytorch) {
    size_t in = op->x[0].C;
    for (size_t o = 0; o < op->y.C; o++)
        for (size_t i = 0; i < in; i++) pytorch[o * in + column(op, i)] = packed[o * in + i];
}

static bool linear_packs(const struct op *op) {
    return op->plane > 1;
}

const struct op_type op_linear = {
    .name = "linear",
    .doc = "Fully connected: weight times a flat input, plus bias.",
    .inputs = 1,
    .begins_layer = true,
    .shape = linear_shape,
    .scratch = linear_scratch,
    .forward = linear_forward,
    .backward_params = linear_backward_params,
    .backward_data = linear_backward_data,
    .backward_g2 = linear_backward_g2,
    .packs = linear_packs,
    .pack = linear_pack,
    .unpack = linear_unpack,
};
