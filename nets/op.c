/* The list of ops, and the fixed pieces that their work is cut into: see op.h. */
#include "nets/op.h"

#include <string.h>

#define OP(name) extern const struct op_type op_##name;
#include "nets/ops/ops.def"
#undef OP

static const struct op_type *const OPS[] = {
#define OP(name) &op_##name,
#include "nets/ops/ops.def"
#undef OP
};

const struct op_type *const *op_list(size_t *n) {
    *n = sizeof OPS / sizeof *OPS;
    return OPS;
}

const struct op_type *op_find(const char *name) {
    for (size_t i = 0; i < sizeof OPS / sizeof *OPS; i++)
        if (strcmp(OPS[i]->name, name) == 0) return OPS[i];
    return NULL;
}

struct cut {
    const struct op *op;
    const struct op_run *run;
    size_t total, pieces;
    op_work *work;
};

static void cut_do(const void *context, size_t i, int thread) {
    const struct cut *c = context;
    struct piece piece = {i, c->total * i / c->pieces, c->total * (i + 1) / c->pieces, thread};
    c->work(c->op, c->run, piece);
}

void op_each_piece(const struct op *op, const struct op_run *run, size_t total, size_t pieces,
                   op_work *work) {
    team_do(run->team, pieces, cut_do, &(struct cut){op, run, total, pieces, work});
}

void op_switches_keep(const struct op *op, const struct op_run *run, struct piece p) {
    const size_t row = op->y.W * op->y.C;
    for (size_t n = p.first; n < p.last; n++) {
        unsigned char *on = op_switches(op, run, n);
        for (size_t h = 0; h < op->y.H; h++, on += row) {
            const real *y = tensor_at(&op->y, n, h, 0);
#pragma omp simd
            for (size_t i = 0; i < row; i++) on[i] = y[i] > 0;
        }
    }
}

void op_switches_obey(const struct op *op, const struct op_run *run, size_t first, size_t last,
                      const struct tensor *from, const struct tensor *to) {
    const size_t row = op->y.W * op->y.C;
    for (size_t n = first; n < last; n++) {
        const unsigned char *on = op_switches(op, run, n);
        for (size_t h = 0; h < op->y.H; h++, on += row) {
            const real *x = tensor_at(from, n - first, h, 0);
            real *y = tensor_at(to, n - first, h, 0);
#pragma omp simd
            for (size_t i = 0; i < row; i++) y[i] = on[i] ? x[i] : 0;
        }
    }
}

struct tensor op_input(const struct op *op, const struct op_run *run, size_t first, size_t last,
                       real *room) {
    if (!op->maker) return tensor_from(&op->x[0], first);
    struct tensor x = op->x[0];
    x.data = room;
    op->maker->type->remake(op->maker, run, first, last, &x);
    return x;
}

size_t op_input_room(const struct op *op, size_t N, size_t pieces) {
    return op->maker ? op_bytes((N + pieces - 1) / pieces * op->x[0].image, sizeof(real)) : 0;
}

static void remake_piece(const struct op *op, const struct op_run *run, struct piece p) {
    struct tensor y = tensor_from(&op->y, p.first);
    op->type->remake(op, run, p.first, p.last, &y);
}

void op_remake(const struct op *op, const struct op_run *run) {
    op_each_piece(op, run, run->N, op_pieces(run->N), remake_piece);
}

double *op_zeroed(const struct op_run *run, size_t n) {
    return memset(run->scratch, 0, n * sizeof(double));
}

void op_reduce_sums(const double *parts, size_t pieces, size_t n, double *sums) {
    memset(sums, 0, n * sizeof *sums);
    for (size_t p = 0; p < pieces; p++)
        for (size_t i = 0; i < n; i++) sums[i] += parts[p * n + i];
}
