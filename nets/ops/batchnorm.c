/* batchnorm: y = gamma (x - mean) / sqrt(var + eps) + beta, per channel (or feature), exactly as
 * torch.nn.BatchNorm1d/2d (Ioffe and Szegedy 2015, arXiv 1502.03167); with `relu`, max(y, 0) in
 * the same pass. eps 1e-5; running statistics move by 0.1, the variance as its unbiased estimate.
 *
 * With g = dy (0 where the ReLU was off), xhat = (x - mean) rstd, and M positions of one channel:
 *   dbeta = sum g        dgamma = sum g xhat
 *   training:  dx = gamma rstd (g - dbeta / M - xhat dgamma / M)
 *   evaluation: dx = gamma rstd g, since the running statistics are constants.
 *
 * The traps: E[x^2] - E[x]^2 loses every digit when the mean is large, so sums are taken about a
 * pivot, the batch's first pixel. And one single value has no variance: a batch with M = 1 is
 * normalized to beta and leaves the running statistics alone. */
#include <math.h>
#include <string.h>

#include "nets/graph.h"
#include "nets/op.h"

enum { GAMMA, BETA };                                     /* parameters */
enum { RUNNING_MEAN, RUNNING_VAR };                       /* buffers */
enum { MEAN, RSTD, SCALE, SHIFT, A, B, D, COEFFICIENTS }; /* state, [C] each */
static const double EPS = 1e-5, MOMENTUM = 0.1;

static int batchnorm_shape(struct graph *g, struct op *op, struct value *y, struct error *e) {
    (void)e;
    size_t C = y->C;
    graph_param(g, op, GAMMA, "weight", 1, &C, (struct init){INIT_CONSTANT, 1});
    graph_param(g, op, BETA, "bias", 1, &C, (struct init){INIT_CONSTANT, 0});
    graph_buffer(g, op, RUNNING_MEAN, "running_mean", C, 0);
    graph_buffer(g, op, RUNNING_VAR, "running_var", C, 1);
    graph_state(g, op, COEFFICIENTS * C);
    return STATUS_OK;
}

static size_t batchnorm_scratch(const struct op *op, size_t N, int threads) {
    (void)N;
    size_t rows = OP_PIECES + 1 + (size_t)threads;
    return op_bytes(rows * 2 * op->y.C, sizeof(double));
}

static real *state(const struct op *op, const struct op_run *run, int which) {
    return op_state(op, run) + (size_t)which * op->y.C;
}

static struct pass_norm coefficients(const struct op *op, const struct op_run *run) {
    return (struct pass_norm){.mean = state(op, run, MEAN),
                              .scale = state(op, run, SCALE),
                              .shift = state(op, run, SHIFT),
                              .a = state(op, run, A),
                              .b = state(op, run, B),
                              .d = state(op, run, D),
                              .relu = op->options.relu && run->mode != NET_SWITCHED};
}

static double positions(const struct op *op, const struct op_run *run) {
    return (double)run->N * (double)op->y.H * (double)op->y.W;
}

/* Fill the state from one channel's mean and variance. */
static void set_channel(const struct op *op, const struct op_run *run, size_t c, double mean,
                        double var) {
    double rstd = 1 / sqrt(var + EPS);
    state(op, run, MEAN)[c] = (real)mean;
    state(op, run, RSTD)[c] = (real)rstd;
    state(op, run, SCALE)[c] = (real)((double)op_param(op, run, GAMMA)[c] * rstd);
    state(op, run, SHIFT)[c] = op_param(op, run, BETA)[c];
}

static real *buffer(const struct op *op, const struct op_run *run, int which) {
    return run->buffers + op->buffer[which];
}

static void update_running(real *running, double now) {
    *running = (real)((1 - MOMENTUM) * (double)*running + MOMENTUM * now);
}

static void moments_piece(const struct op *op, const struct op_run *run, struct piece p) {
    run->pass->moments(&op->x[0], tensor_at(&op->x[0], 0, 0, 0), p.first, p.last,
                       (double *)run->scratch + p.index * 2 * op->y.C);
}

static void batch_statistics(const struct op *op, const struct op_run *run) {
    size_t C = op->y.C, pieces = op_pieces(run->N);
    double *parts = op_zeroed(run, (pieces + 1) * 2 * C), *sums = parts + pieces * 2 * C;
    op_each_piece(op, run, run->N, pieces, moments_piece);
    op_reduce_sums(parts, pieces, 2 * C, sums);

    const real *pivot = tensor_at(&op->x[0], 0, 0, 0);
    double M = positions(op, run);
    for (size_t c = 0; c < C; c++) {
        double shift = sums[c] / M, var = fmax(sums[C + c] / M - shift * shift, 0);
        double mean = (double)pivot[c] + shift;
        set_channel(op, run, c, mean, var);
        if (M < 2 || run->mode != NET_TRAIN) continue;
        update_running(&buffer(op, run, RUNNING_MEAN)[c], mean);
        update_running(&buffer(op, run, RUNNING_VAR)[c], var * M / (M - 1));
    }
}

static void running_statistics(const struct op *op, const struct op_run *run) {
    for (size_t c = 0; c < op->y.C; c++)
        set_channel(op, run, c, (double)buffer(op, run, RUNNING_MEAN)[c],
                    (double)buffer(op, run, RUNNING_VAR)[c]);
}

static void batchnorm_remake(const struct op *op, const struct op_run *run, size_t first,
                             size_t last, const struct tensor *y) {
    struct pass_norm k = coefficients(op, run);
    struct tensor x = tensor_from(&op->x[0], first);
    run->pass->norm(&x, &k, y, 0, last - first);
    if (op->options.relu && run->mode == NET_SWITCHED) op_switches_obey(op, run, first, last, y, y);
}

static void forward_piece(const struct op *op, const struct op_run *run, struct piece p) {
    struct tensor y = tensor_from(&op->y, p.first);
    batchnorm_remake(op, run, p.first, p.last, &y);
    if (op->options.relu && run->mode == NET_BATCH) op_switches_keep(op, run, p);
}

static void batchnorm_forward(const struct op *op, const struct op_run *run) {
    if (run->mode == NET_EVAL)
        running_statistics(op, run);
    else
        batch_statistics(op, run);
    op_each_piece(op, run, run->N, op_pieces(run->N), forward_piece);
}

/* With switches dy becomes g here, before all that reads it. */
static void sums_piece(const struct op *op, const struct op_run *run, struct piece p) {
    struct pass_norm k = coefficients(op, run);
    struct tensor dy = tensor_from(&op->dy, p.first);
    if (op->options.relu && run->mode == NET_SWITCHED)
        op_switches_obey(op, run, p.first, p.last, &dy, &dy);
    run->pass->norm_sums(&op->x[0], &op->dy, &k, p.first, p.last,
                         (double *)run->scratch + p.index * 2 * op->y.C);
}

static void batchnorm_backward_params(const struct op *op, const struct op_run *run) {
    size_t C = op->y.C, pieces = op_pieces(run->N);
    double *parts = op_zeroed(run, (pieces + 1) * 2 * C), *sums = parts + pieces * 2 * C;
    op_each_piece(op, run, run->N, pieces, sums_piece);
    op_reduce_sums(parts, pieces, 2 * C, sums);
    const real *rstd = state(op, run, RSTD);
    for (size_t c = 0; c < C; c++) {
        op_grad(op, run, BETA)[c] = (real)sums[c];
        op_grad(op, run, GAMMA)[c] = (real)(sums[C + c] * (double)rstd[c]);
    }
}

static void data_piece(const struct op *op, const struct op_run *run, struct piece p) {
    struct pass_norm k = coefficients(op, run);
    run->pass->norm_backward(&op->x[0], &op->dy, &k, &op->dx[0], p.first, p.last);
}

/* dx = a g + b (x - mean) + d, with the sums that backward_params left in the gradients. */
static void batchnorm_backward_data(const struct op *op, const struct op_run *run) {
    bool train = run->mode != NET_EVAL;
    double M = positions(op, run);
    for (size_t c = 0; c < op->y.C; c++) {
        double scale = (double)state(op, run, SCALE)[c], rstd = (double)state(op, run, RSTD)[c];
        double dbeta = (double)op_grad(op, run, BETA)[c],
               dgamma = (double)op_grad(op, run, GAMMA)[c];
        state(op, run, A)[c] = (real)scale;
        state(op, run, B)[c] = (real)(train ? -scale * rstd * dgamma / M : 0);
        state(op, run, D)[c] = (real)(train ? -scale * dbeta / M : 0);
    }
    op_each_piece(op, run, run->N, op_pieces(run->N), data_piece);
}

static void g2_piece(const struct op *op, const struct op_run *run, struct piece p) {
    size_t C = op->y.C;
    struct pass_norm k = coefficients(op, run);
    const real *rstd = state(op, run, RSTD);
    double *sums = (double *)run->scratch + (size_t)p.thread * 2 * C;
    for (size_t n = p.first; n < p.last; n++) {
        memset(sums, 0, 2 * C * sizeof *sums);
        run->pass->norm_sums(&op->x[0], &op->dy, &k, n, n + 1, sums);
        double g2 = 0;
        for (size_t c = 0; c < C; c++) {
            double dbeta = sums[c], dgamma = sums[C + c] * (double)rstd[c];
            g2 += dbeta * dbeta + dgamma * dgamma;
        }
        *op_g2(op, run, n) += g2;
    }
}

static void batchnorm_backward_g2(const struct op *op, const struct op_run *run) {
    op_each_piece(op, run, run->N, op_pieces(run->N), g2_piece);
}

const struct op_type op_batchnorm = {
    .name = "batchnorm",
    .doc = "Batch normalization with affine parameters, optionally with ReLU in the same pass.",
    .inputs = 1,
    .reads_y = READS_NOT,
    .switch_bytes = 1,
    .in_place_backward = true,
    .shape = batchnorm_shape,
    .scratch = batchnorm_scratch,
    .forward = batchnorm_forward,
    .remake = batchnorm_remake,
    .backward_params = batchnorm_backward_params,
    .backward_data = batchnorm_backward_data,
    .backward_g2 = batchnorm_backward_g2,
};
