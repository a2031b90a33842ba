/* linear: y[n,o] = b[o] + sum over i of x[n,i] w[o,i]; weight [out, in] as in torch.nn.Linear.
 *
 *   dx = dy w        dw = dy^T x        db = sum over n of dy
 *
 * Example n's own gradient is dw = dy[n]^T x[n], an outer product, so its squared norm needs no
 * gradient at all (Goodfellow 2015, arXiv 1510.01799): |x[n]|^2 |dy[n]|^2 + |dy[n]|^2.
 *
 * The products are nets/kernels/gemm.h's, C = A B with A read as it lies and B in panels:
 *
 *   forward   y^T = w x^T       w as it lies, x^T packed; y^T is transposed at the end
 *   by data   dx = dy w         dy as it lies, w packed a block at a time
 *   by weights  dw = dy^T x     dy^T transposed, x packed
 *
 * so that weights, far larger than a batch, are never transposed. Work is cut by features into fixed
 * pieces. The trap: a flattened image arrives as h w c, but PyTorch flattens to c h w, so the
 * weight's columns are permuted on their way out and in. */
#include "nets/graph.h"
#include "nets/kernels/gemm.h"
#include "nets/op.h"

enum { WEIGHT, BIAS };
enum {
    PIECE = 32,   /* features that make a piece worth its overhead */
    DEPTH = 256,  /* of a sum over features in one go: with it, a panel stays in the first cache */
    ROWS = 48,    /* of A in one go: with DEPTH, a block stays in the second cache */
    WIDTH = 64,   /* columns of w packed in one go */
    COLUMNS = 512 /* of a block of dw on its way to a taker */
};

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

static size_t least(size_t a, size_t b) {
    return a < b ? a : b;
}

static size_t pieces_of(size_t features) {
    return features < PIECE * OP_PIECES ? (features + PIECE - 1) / PIECE : OP_PIECES;
}

/* ---- scratch: what each pass packs; examples are padded to whole panels ---- */

static size_t padded(size_t columns) {
    const struct gemm *g = gemm_choose();
    return gemm_panels(g, columns) * g->lanes;
}

static size_t reals_of_block(void) {
    return DEPTH * padded(WIDTH);
}

static size_t reals_of_weights(const struct op *op, size_t N) {
    return padded(op->x[0].C) * N + op->y.C * N;
}

static size_t linear_scratch(const struct op *op, size_t N, int threads) {
    const size_t in = op->x[0].C, out = op->y.C;
    size_t forward = padded(N) * (in + out);
    size_t weights = reals_of_weights(op, N) + (size_t)threads * ROWS * COLUMNS;
    size_t data = (size_t)threads * reals_of_block();
    size_t most = forward > weights ? forward : weights;
    if (most < data) most = data;
    return op_bytes(most, sizeof(real)) + op_bytes(out, sizeof(double));
}

/* ---- forward ---- */

static real *forward_xt(const struct op_run *run) {
    return (real *)run->scratch;
}

static real *forward_yt(const struct op *op, const struct op_run *run) {
    return forward_xt(run) + padded(run->N) * op->x[0].C;
}

/* Examples of the panels [first, last). */
static void forward_pack_piece(const struct op *op, const struct op_run *run, struct piece p) {
    const struct gemm *g = gemm_choose();
    const size_t in = op->x[0].C, first = p.first * g->lanes, last = p.last * g->lanes;
    g->pack_rows(op->x[0].data + first * in, in, least(last, run->N) - first, in,
                 forward_xt(run) + first * in);
}

/* yt[o,:] = b[o] */
static void forward_begin(const struct op *op, const struct op_run *run, struct piece p) {
    const size_t row = padded(run->N);
    real *yt = forward_yt(op, run) + p.first * row;
    for (size_t o = p.first; o < p.last; o++, yt += row) {
        const real b = op->options.bias ? op_param(op, run, BIAS)[o] : 0;
        for (size_t n = 0; n < run->N; n++) yt[n] = b;
    }
}

/* The outputs [first, last). */
static void forward_piece(const struct op *op, const struct op_run *run, struct piece p) {
    const struct gemm *g = gemm_choose();
    const size_t in = op->x[0].C, out = op->y.C, row = padded(run->N);
    real *yt = forward_yt(op, run);
    forward_begin(op, run, p);
    for (size_t o = p.first; o < p.last; o += ROWS)
        for (size_t k = 0; k < in; k += DEPTH)
            g->multiply(&(struct gemm_product){.M = least(ROWS, p.last - o),
                                               .N = run->N,
                                               .K = least(DEPTH, in - k),
                                               .a = op_param(op, run, WEIGHT) + o * in + k,
                                               .a_row = in,
                                               .b = forward_xt(run) + k * g->lanes,
                                               .b_panel = in * g->lanes,
                                               .c = yt + o * row,
                                               .c_row = row,
                                               .add = true});
    g->transpose(yt + p.first * row, row, p.last - p.first, run->N, op->y.data + p.first, out);
}

static void linear_forward(const struct op *op, const struct op_run *run) {
    size_t panels = gemm_panels(gemm_choose(), run->N);
    op_each_piece(op, run, panels, op_pieces(panels), forward_pack_piece);
    op_each_piece(op, run, op->y.C, pieces_of(op->y.C), forward_piece);
}

/* ---- gradient by the parameters ---- */

static real *weights_x(const struct op_run *run) {
    return (real *)run->scratch;
}

static real *weights_dyt(const struct op *op, const struct op_run *run) {
    return weights_x(run) + padded(op->x[0].C) * run->N;
}

/* A thread's block on its way to the taker. */
static real *weights_own(const struct op *op, const struct op_run *run, int thread) {
    return weights_x(run) + reals_of_weights(op, run->N) + (size_t)thread * ROWS * COLUMNS;
}

/* Inputs of the panels [first, last). */
static void weights_pack_piece(const struct op *op, const struct op_run *run, struct piece p) {
    const struct gemm *g = gemm_choose();
    const size_t in = op->x[0].C, first = p.first * g->lanes, last = p.last * g->lanes;
    g->pack(op->x[0].data + first, in, run->N, least(last, in) - first,
            weights_x(run) + first * run->N);
}

static void weights_transpose_piece(const struct op *op, const struct op_run *run, struct piece p) {
    const size_t out = op->y.C, N = run->N;
    gemm_choose()->transpose(op->dy.data + p.first, out, N, p.last - p.first,
                             weights_dyt(op, run) + p.first * N, N);
}

/* A block of what has the weights' offsets: rows from o on, of those before `last`. */
static struct gemm_ahead weights_block(const struct op *op, const real *arena, size_t o, size_t i,
                                       size_t last) {
    const size_t in = op->x[0].C;
    if (!arena || o >= last) return (struct gemm_ahead){0};
    return (struct gemm_ahead){arena + op->param[WEIGHT] + o * in + i, least(ROWS, last - o),
                               least(COLUMNS, in - i), in};
}

/* A block of dw = dy^T x. What the taker of the next block reads is fetched meanwhile. */
static void weights_multiply(const struct op *op, const struct op_run *run, struct gemm_product c,
                             size_t o, size_t i) {
    const struct gemm *g = gemm_choose();
    const size_t N = run->N;
    for (size_t n = 0; n < N; n += DEPTH) {
        c.K = least(DEPTH, N - n);
        c.a = weights_dyt(op, run) + o * N + n;
        c.a_row = N;
        c.b = weights_x(run) + i * N + n * g->lanes;
        c.b_panel = N * g->lanes;
        c.add = n > 0;
        g->multiply(&c);
    }
}

/* The weights of the outputs [first, last), a block at a time: into the gradients, or to the taker. */
static void weights_piece(const struct op *op, const struct op_run *run, struct piece p) {
    const size_t in = op->x[0].C;
    real *dw = op_grad(op, run, WEIGHT), *own = weights_own(op, run, p.thread);
    for (size_t o = p.first; o < p.last; o += ROWS)
        for (size_t i = 0; i < in; i += COLUMNS) {
            struct gemm_product c = {.M = least(ROWS, p.last - o), .N = least(COLUMNS, in - i)};
            c.c = run->taker ? own : dw + o * in + i;
            c.c_row = run->taker ? COLUMNS : in;
            for (int r = 0; run->taker && r < NET_READS; r++)
                c.ahead[r] = i + COLUMNS < in
                                 ? weights_block(op, run->taker->reads[r], o, i + COLUMNS, p.last)
                                 : weights_block(op, run->taker->reads[r], o + ROWS, 0, p.last);
            weights_multiply(op, run, c, o, i);
            for (size_t m = 0; run->taker && m < c.M; m++)
                op_take(run, p.index, op->param[WEIGHT] + (o + m) * in + i, c.N, own + m * COLUMNS);
        }
}

static void weights_all(const struct op *op, const struct op_run *run) {
    const size_t in = op->x[0].C, out = op->y.C;
    size_t panels = gemm_panels(gemm_choose(), in);
    op_each_piece(op, run, panels, op_pieces(panels), weights_pack_piece);
    op_each_piece(op, run, out, pieces_of(out), weights_transpose_piece);
    op_each_piece(op, run, out, pieces_of(out), weights_piece);
}

static void bias_all(const struct op *op, const struct op_run *run, real *db) {
    double *sums = op_zeroed(run, op->y.C);
    run->pass->sums(&op->dy, 0, run->N, sums);
    for (size_t o = 0; o < op->y.C; o++) db[o] = (real)sums[o];
}

static void linear_backward_params(const struct op *op, const struct op_run *run) {
    weights_all(op, run);
    if (op->options.bias) bias_all(op, run, op_grad(op, run, BIAS));
}

static void linear_backward_take(const struct op *op, const struct op_run *run) {
    const size_t out = op->y.C;
    real *db = (real *)(run->scratch + op_bytes(out, sizeof(double)));
    weights_all(op, run);
    if (!op->options.bias) return;
    bias_all(op, run, db);
    op_take(run, 0, op->param[BIAS], out, db);
}

/* ---- gradient by the inputs ---- */

/* A block of w: rows (outputs) from o on, columns (inputs) from i on, of those before `last`. */
static struct gemm_ahead data_block(const struct op *op, const struct op_run *run, size_t o,
                                    size_t i, size_t last) {
    const size_t in = op->x[0].C, out = op->y.C;
    if (o >= out) return (struct gemm_ahead){0};
    return (struct gemm_ahead){op_param(op, run, WEIGHT) + o * in + i, least(DEPTH, out - o),
                               least(WIDTH, last - i), in};
}

/* The inputs of the panels [first, last): dx = dy w. */
static void data_piece(const struct op *op, const struct op_run *run, struct piece p) {
    const struct gemm *g = gemm_choose();
    const size_t in = op->x[0].C, out = op->y.C;
    const size_t first = p.first * g->lanes, last = least(p.last * g->lanes, in);
    real *packed = (real *)run->scratch + (size_t)p.thread * reals_of_block();
    for (size_t o = 0; o < out; o += DEPTH)
        for (size_t i = first; i < last; i += WIDTH) {
            const struct gemm_ahead w = data_block(op, run, o, i, last);
            g->pack(w.at, in, w.rows, w.columns, packed);
            g->multiply(&(struct gemm_product){
                .M = run->N,
                .N = w.columns,
                .K = w.rows,
                .a = op->dy.data + o,
                .a_row = out,
                .b = packed,
                .b_panel = w.rows * g->lanes,
                .c = op->dx[0].data + i,
                .c_row = in,
                .add = o > 0,
                .ahead = {i + WIDTH < last ? data_block(op, run, o, i + WIDTH, last)
                                           : data_block(op, run, o + DEPTH, first, last)}});
        }
}

static void linear_backward_data(const struct op *op, const struct op_run *run) {
    op_each_piece(op, run, gemm_panels(gemm_choose(), op->x[0].C), pieces_of(op->x[0].C),
                  data_piece);
}

/* ---- squared norms of single gradients ---- */

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

static void linear_pack(const struct op *op, size_t first, size_t last, const real *pytorch,
                        real *packed) {
    size_t in = op->x[0].C;
    for (size_t o = first; o < last; o++, pytorch += in)
        for (size_t i = 0; i < in; i++) packed[o * in + i] = pytorch[column(op, i)];
}

static void linear_unpack(const struct op *op, size_t first, size_t last, const real *packed,
                          real *pytorch) {
    size_t in = op->x[0].C;
    for (size_t o = first; o < last; o++, pytorch += in)
        for (size_t i = 0; i < in; i++) pytorch[column(op, i)] = packed[o * in + i];
}

static bool linear_packs(const struct op *op) {
    return op->plane > 1;
}

const struct op_type op_linear = {
    .name = "linear",
    .doc = "Fully connected: weight times a flat input, plus bias.",
    .inputs = 1,
    .begins_layer = true,
    .reads_y = READS_NOT,
    .shape = linear_shape,
    .scratch = linear_scratch,
    .forward = linear_forward,
    .backward_params = linear_backward_params,
    .backward_take = linear_backward_take,
    .backward_data = linear_backward_data,
    .backward_g2 = linear_backward_g2,
    .packs = linear_packs,
    .pack = linear_pack,
    .unpack = linear_unpack,
};
