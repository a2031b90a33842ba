/* embedding: y[n] = sum over slots s of weight[t[n,s]], as the sum over the slots of
 * torch.nn.Embedding(V, D, padding_idx=0): weight [V, D], N(0, 1) at the start. Token 0 is an empty
 * slot: its row is 0, adds nothing and gets no gradient.
 *
 *   dweight[v] = sum over n and over slots with t[n,s] = v of dy[n]
 *
 * A token that example n holds c times has c dy[n] for its row's gradient, so the squared norm is
 * |dy[n]|^2 times the sum of c^2 over the example's distinct tokens.
 *
 * The trap: a token out of range would read and write beside the weight. Whoever fills the input
 * has checked them; here they are asserted. */
#include <assert.h>
#include <string.h>

#include "nets/graph.h"
#include "nets/op.h"

enum { PIECE = 64 /* features that make a piece worth its overhead */ };

static int embedding_shape(struct graph *g, struct op *op, struct value *y, struct error *e) {
    const struct value *x = graph_value(g, op->in[0]);
    size_t V = x->tokens, D = op->options.outputs;
    if (!V)
        return error_set(e, STATUS_USAGE, "its input is not tokens; give it a modality of them");
    *y = (struct value){.H = 1, .W = 1, .C = D, .plane = 1};
    op->tokens = V;
    graph_param(g, op, 0, "weight", 2, (size_t[]){V, D}, (struct init){INIT_EMBEDDING, 1});
    return STATUS_OK;
}

/* How often an example holds each token. */
static size_t embedding_scratch(const struct op *op, size_t N, int threads) {
    (void)N;
    return (size_t)threads * op_bytes(op->tokens, sizeof(uint32_t));
}

static size_t slots(const struct op *op) {
    return op->x[0].H * op->x[0].W * op->x[0].C;
}

static size_t token(const struct op *op, size_t n, size_t slot) {
    real t = tensor_at(&op->x[0], n, 0, 0)[slot];
    assert(t >= 0 && t < (real)op->tokens);
    return (size_t)t;
}

static void forward_piece(const struct op *op, const struct op_run *run, struct piece p) {
    size_t D = op->y.C, S = slots(op);
    const real *weight = op_param(op, run, 0);
    for (size_t n = p.first; n < p.last; n++) {
        real *y = tensor_at(&op->y, n, 0, 0);
        memset(y, 0, D * sizeof *y);
        for (size_t s = 0; s < S; s++) {
            size_t t = token(op, n, s);
            if (t) run->pass->accumulate(y, weight + t * D, D);
        }
    }
}

static void embedding_forward(const struct op *op, const struct op_run *run) {
    op_each_piece(op, run, run->N, op_pieces(run->N), forward_piece);
}

/* The features [first, last) of every row. */
static void weights_piece(const struct op *op, const struct op_run *run, struct piece p) {
    size_t D = op->y.C, S = slots(op);
    real *dweight = op_grad(op, run, 0);
    for (size_t v = 0; v < op->tokens; v++)
        memset(dweight + v * D + p.first, 0, (p.last - p.first) * sizeof *dweight);
    for (size_t n = 0; n < run->N; n++)
        for (size_t s = 0; s < S; s++) {
            size_t t = token(op, n, s);
            if (t)
                run->pass->accumulate(dweight + t * D + p.first,
                                      tensor_at(&op->dy, n, 0, 0) + p.first, p.last - p.first);
        }
}

static void embedding_backward_params(const struct op *op, const struct op_run *run) {
    size_t D = op->y.C, pieces = (D + PIECE - 1) / PIECE;
    op_each_piece(op, run, D, pieces < OP_PIECES ? pieces : OP_PIECES, weights_piece);
}

/* Sum of c^2 over the distinct tokens of example n; `count` is all 0 before and after. One more of
 * c equal tokens adds (c + 1)^2 - c^2 = 2 c + 1. */
static double squared_counts(const struct op *op, size_t n, uint32_t *count) {
    double sum = 0;
    for (size_t s = 0; s < slots(op); s++) {
        size_t t = token(op, n, s);
        if (t) sum += 2.0 * count[t]++ + 1;
    }
    for (size_t s = 0; s < slots(op); s++) count[token(op, n, s)] = 0;
    return sum;
}

static void g2_piece(const struct op *op, const struct op_run *run, struct piece p) {
    size_t bytes = op_bytes(op->tokens, sizeof(uint32_t));
    uint32_t *count = (uint32_t *)(run->scratch + (size_t)p.thread * bytes);
    memset(count, 0, bytes);
    for (size_t n = p.first; n < p.last; n++) {
        double dy2 = run->pass->sum_squares(tensor_at(&op->dy, n, 0, 0), op->y.C);
        *op_g2(op, run, n) += squared_counts(op, n, count) * dy2;
    }
}

static void embedding_backward_g2(const struct op *op, const struct op_run *run) {
    op_each_piece(op, run, run->N, op_pieces(run->N), g2_piece);
}

const struct op_type op_embedding = {
    .name = "embedding",
    .doc = "Sum of the vectors of an example's tokens; token 0 is empty.",
    .inputs = 1,
    .begins_layer = true,
    .reads_tokens = true,
    .reads_y = READS_NOT,
    .shape = embedding_shape,
    .scratch = embedding_scratch,
    .forward = embedding_forward,
    .backward_params = embedding_backward_params,
    .backward_g2 = embedding_backward_g2,
};
