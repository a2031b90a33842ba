/* globalpool: the mean of every channel over the whole image, as torch.nn.AdaptiveAvgPool2d(1) and
 * a flatten. Backward gives every pixel dy / (H W). */
#include <string.h>

#include "nets/graph.h"
#include "nets/op.h"

static int globalpool_shape(struct graph *g, struct op *op, struct value *y, struct error *e) {
    (void)g, (void)op, (void)e;
    y->H = y->W = y->plane = 1;
    return STATUS_OK;
}

static size_t globalpool_scratch(const struct op *op, size_t N, int threads) {
    (void)N;
    return op_bytes((size_t)threads * op->y.C, sizeof(double));
}

static void forward_piece(const struct op *op, const struct op_run *run, struct piece p) {
    size_t C = op->y.C;
    double *sums = (double *)run->scratch + (size_t)p.thread * C;
    double pixels = (double)(op->x[0].H * op->x[0].W);
    for (size_t n = p.first; n < p.last; n++) {
        memset(sums, 0, C * sizeof *sums);
        run->pass->sums(&op->x[0], n, n + 1, sums);
        real *y = tensor_at(&op->y, n, 0, 0);
        for (size_t c = 0; c < C; c++) y[c] = (real)(sums[c] / pixels);
    }
}

static void globalpool_forward(const struct op *op, const struct op_run *run) {
    op_each_piece(op, run, run->N, op_pieces(run->N), forward_piece);
}

static void data_piece(const struct op *op, const struct op_run *run, struct piece p) {
    size_t C = op->y.C, pixels = op->dx[0].H * op->dx[0].W;
    real share = 1 / (real)pixels;
    (void)run;
    for (size_t n = p.first; n < p.last; n++) {
        const real *dy = tensor_at(&op->dy, n, 0, 0);
        real *dx = tensor_at(&op->dx[0], n, 0, 0);
        for (size_t c = 0; c < C; c++) dx[c] = dy[c] * share;
        for (size_t i = 1; i < pixels; i++) memcpy(dx + i * C, dx, C * sizeof *dx);
    }
}

static void globalpool_backward_data(const struct op *op, const struct op_run *run) {
    op_each_piece(op, run, run->N, op_pieces(run->N), data_piece);
}

const struct op_type op_globalpool = {
    .name = "globalpool",
    .doc = "Mean of every channel over the image.",
    .inputs = 1,
    .reads_x = READS_NOT,
    .reads_y = READS_NOT,
    .shape = globalpool_shape,
    .scratch = globalpool_scratch,
    .forward = globalpool_forward,
    .backward_data = globalpool_backward_data,
};
