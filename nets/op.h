/* An op: one layer's arithmetic. One file each under nets/ops, with shape, forward, backward and
 * per-example gradient norm side by side, ending in one `const struct op_type`, and one line in
 * nets/ops/ops.def.
 *
 * Letters: N examples, H W C of an activation; x the input, y the output; dx, dy the gradients of
 * the loss by them. */
#ifndef NETS_OP_H
#define NETS_OP_H

#include <stdbool.h>
#include <stddef.h>

#include "base/real.h"
#include "nets/kernels/conv.h"
#include "nets/kernels/pass.h"
#include "nets/net.h"
#include "nets/team.h"
#include "nets/tensor.h"

enum { OP_INPUTS = 2, OP_TENSORS = 2, OP_PIECES = TEAM_PIECES };

struct graph;
struct value;

/* What an architecture says of an op; each op reads the fields that concern it. */
struct op_options {
    const char *name;           /* of its tensors: "conv1" has conv1.weight */
    size_t outputs;             /* conv, linear, embedding: channels or features of y */
    size_t kernel, stride, pad; /* conv, pools: square; stride 0 means 1 (conv) or `kernel` */
    bool bias;                  /* conv, linear */
    bool relu;                  /* batchnorm: y = max(y, 0) in the same pass */
};

struct op {
    const struct op_type *type;
    struct op_options options;
    int in[OP_INPUTS], out; /* values of the graph */
    int layer;              /* that its parameters belong to; -1: has none */
    int head;               /* modality whose auxiliary head it is of; -1: it is of the main path */
    size_t param[OP_TENSORS], buffer[OP_TENSORS]; /* offsets into the arenas */
    size_t state;    /* offset of what it keeps from forward to backward */
    size_t switches; /* offset in bytes of what it lets through, see struct op_type */
    size_t kept;     /* offset of what its backward_g2 keeps */

    /* Set once all shapes are known. data NULL in a gradient: nobody wants it. */
    struct tensor x[OP_INPUTS], y;
    struct tensor dx[OP_INPUTS], dy;
    bool dx_adds[OP_INPUTS]; /* dx is a share; the graph adds it to the value's gradient */
    const struct op *maker;  /* makes x[0] again for the backward pass; NULL: it is still there */

    bool dx_over_dy; /* from `shape`: as in_place_backward, for this op alone */
    struct conv_shape conv;
    const struct conv_kernel *kernel, *kernel_single; /* conv: for a batch, for one example */
    size_t gram_from; /* conv: passes from which squared norms come from Gram matrices; 0: never */
    size_t plane;     /* linear: positions per feature before the flattening, see struct value */
    size_t tokens;    /* embedding: the vocabulary */
};

/* One walk over the graph. */
struct op_run {
    size_t N;
    enum net_mode mode;
    int threads;       /* that scratch is for: piece.thread is below */
    struct team *team; /* NULL: one thread */
    real *params, *grads, *buffers, *states;
    size_t grads_from; /* the parameter that `grads` begins with */
    unsigned char *switches;
    unsigned char *scratch; /* of the op that runs, aligned to 64 bytes */
    const struct pass *pass;
    double *g2;                    /* [N, layers]: backward_g2 adds to it */
    size_t passes;                 /* of backward_g2 that share this forward pass */
    real *kept;                    /* by backward_g2, see struct op_type */
    size_t kept_for;               /* it is there, for so many passes; 0: not yet */
    const struct net_taker *taker; /* NULL: gradients stay in grads */
    double *taken;                 /* [OP_PIECES] sums of what it returned, a piece each */
    size_t layers;
};

/* What an op's backward pass reads of an activation: where nothing is said, it is kept. */
enum op_reads {
    READS,
    READS_PIECES, /* by op_input: of its one input */
    READS_NOT
};

struct op_type {
    const char *name;
    const char *doc; /* one sentence */
    int inputs;
    bool begins_layer;      /* conv, linear, embedding: a layer of the network's own name */
    bool rectifies;         /* relu; others do with options.relu */
    bool reads_tokens;      /* embedding */
    bool view;              /* y is x under another shape */
    bool in_place;          /* y may be written over x, which backward does not read */
    bool in_place_backward; /* dx[0] may be written over dy */
    enum op_reads reads_x;  /* backward, of its inputs */
    enum op_reads reads_y;  /* and of its output: READS or READS_NOT */
    size_t switch_bytes;    /* an op with kinks: per element of y, which side it is on, kept by
                               NET_BATCH and obeyed by NET_SWITCHED; max pooling always keeps it */

    /* Fill y's H, W, C; declare tensors and state. A sentence when the shapes cannot be. */
    int (*shape)(struct graph *g, struct op *op, struct value *y, struct error *e);
    /* Bytes that any one call below needs for up to N examples. NULL: none. */
    size_t (*scratch)(const struct op *op, size_t N, int threads);
    void (*forward)(const struct op *op, const struct op_run *run);
    /* Examples [first, last) of y as the last `forward` made them, bit for bit, from x and the state
     * alone, into `y` from its beginning. NULL: cannot, or it would take too long. */
    void (*remake)(const struct op *op, const struct op_run *run, size_t first, size_t last,
                   const struct tensor *y);
    /* Gradients by its parameters, overwritten. Comes before backward_data. NULL: has none. */
    void (*backward_params)(const struct op *op, const struct op_run *run);
    /* Gradients by its parameters in pieces to op_take, while they are in cache. Comes after
     * backward_data, which must leave dy as it is. NULL: backward_params, then all at once. */
    void (*backward_take)(const struct op *op, const struct op_run *run);
    /* Gradients by its inputs, overwritten; called when at least one is wanted. */
    void (*backward_data)(const struct op *op, const struct op_run *run);
    /* *op_g2(op, run, n) += squared norm of example n's gradient by the parameters, for every n;
     * after NET_EVAL. May use the parameters' gradients as scratch. */
    void (*backward_g2)(const struct op *op, const struct op_run *run);
    /* Reals per example that backward_g2 keeps from the first pass for the others. NULL: none. */
    size_t (*kept)(const struct op *op);
    /* Between this op's order of its first parameter and PyTorch's: `packed` is all of it, `pytorch`
     * the rows [first, last), along axis 0, alone. NULL: the orders are the same; `packs` says
     * whether they differ for this op (NULL: always). */
    bool (*packs)(const struct op *op);
    void (*pack)(const struct op *op, size_t first, size_t last, const real *pytorch, real *packed);
    void (*unpack)(const struct op *op, size_t first, size_t last, const real *packed,
                   real *pytorch);
};

const struct op_type *op_find(const char *name);
const struct op_type *const *op_list(size_t *n);

static inline real *op_param(const struct op *op, const struct op_run *run, int i) {
    return run->params + op->param[i];
}

static inline real *op_grad(const struct op *op, const struct op_run *run, int i) {
    return run->grads + (op->param[i] - run->grads_from);
}

static inline real *op_state(const struct op *op, const struct op_run *run) {
    return run->states + op->state;
}

static inline double *op_g2(const struct op *op, const struct op_run *run, size_t n) {
    return run->g2 + n * run->layers + (size_t)op->layer;
}

/* Work is cut into pieces [first, last) of some range, fixed by its size and never by the number
 * of threads, so that results are the same bits for any number. `thread` (0..threads-1) only
 * chooses the scratch to use; `index` says which piece it is. */
struct piece {
    size_t index, first, last;
    int thread;
};

typedef void op_work(const struct op *op, const struct op_run *run, struct piece piece);

/* The number of pieces of N examples. */
static inline size_t op_pieces(size_t N) {
    return N < OP_PIECES ? N : OP_PIECES;
}

/* Call `work` for each piece of [0, total), in parallel; in order when there is one thread. */
void op_each_piece(const struct op *op, const struct op_run *run, size_t total, size_t pieces,
                   op_work *work);

/* Gradients by the parameters from `offset` on (of the arena) are finished; `piece` says whose. */
static inline void op_take(const struct op_run *run, size_t piece, size_t offset, size_t count,
                           const real *dw) {
    run->taken[piece] += run->taker->take(run->taker->context, offset, count, dw);
}

/* What backward_g2 keeps of example n. */
static inline real *op_kept(const struct op *op, const struct op_run *run, size_t n) {
    return run->kept + op->kept + n * op->type->kept(op);
}

/* The switches of example n, [H, W, C] of y. */
static inline void *op_switches(const struct op *op, const struct op_run *run, size_t n) {
    return run->switches + op->switches + n * op->y.H * op->y.W * op->y.C * op->type->switch_bytes;
}

/* For rectifiers, with a byte each: on where y > 0; and to = from where on, else 0, of the examples
 * [first, last), with which both tensors begin. */
void op_switches_keep(const struct op *op, const struct op_run *run, struct piece p);
void op_switches_obey(const struct op *op, const struct op_run *run, size_t first, size_t last,
                      const struct tensor *from, const struct tensor *to);

/* Examples [first, last) of x[0] for the backward pass, made again in `room` where they were not
 * kept; and the bytes of room for any of so many pieces of N examples. */
struct tensor op_input(const struct op *op, const struct op_run *run, size_t first, size_t last,
                       real *room);
size_t op_input_room(const struct op *op, size_t N, size_t pieces);
/* All of y, where the last forward pass had it. */
void op_remake(const struct op *op, const struct op_run *run);

/* The first n doubles of the scratch, set to 0. */
double *op_zeroed(const struct op_run *run, size_t n);

/* sums[i] = parts[0][i] + parts[1][i] + ... in this order, of parts[pieces][n] */
void op_reduce_sums(const double *parts, size_t pieces, size_t n, double *sums);

static inline size_t op_bytes(size_t n, size_t size) { /* rounded up to whole cache lines */
    return (n * size + 63) / 64 * 64;
}

#endif
