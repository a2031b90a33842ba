/* A network behind its public face: see net.h. The graph holds what is fixed, this file walks it:
 * forward in order, backward in reverse, each op overwriting the gradients by its inputs. */
#include "nets/net.h"

#include <assert.h>
#include <cblas.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <xxhash.h>

#include "base/rng.h"
#include "nets/arch.h"
#include "nets/graph.h"
#include "nets/loss.h"
#include "nets/ops/softmax_xent.h"

struct net {
    struct graph graph;
    struct op_run run; /* of the last forward pass */
    double *p;         /* [K] */
    real *dhead;       /* [batch, K] a head's gradient before it is weighted; NULL: no heads */
    bool head_counts[NET_INPUTS]; /* the head has a loss since the last forward pass */
    const struct loss *loss;
    struct settings loss_settings;
    real *targets; /* [batch, K]; NULL: the loss reads labels */
};

static void run_prepare(struct net *net) {
    const struct graph *g = &net->graph;
    net->run = (struct op_run){.threads = g->threads,
                               .team = g->team,
                               .params = g->params_arena.data,
                               .grads = g->grads_arena.data,
                               .buffers = g->buffers_arena.data,
                               .states = g->states_arena.data,
                               .switches = g->switches,
                               .kept = g->kept,
                               .scratch = g->scratch.data,
                               .pass = pass_choose(),
                               .layers = g->layers_n};
}

static int loss_prepare(struct net *net, const struct net_spec *spec, struct error *e) {
    size_t n;
    net->loss = spec->loss ? spec->loss : loss_list(&n)[0];
    if (spec->loss_settings)
        settings_copy(&net->loss_settings, spec->loss_settings);
    else
        settings_init(&net->loss_settings, net->loss->params, NULL);
    if (!net->loss->reads_targets) return STATUS_OK;
    net->targets = calloc(spec->batch * spec->K, sizeof *net->targets);
    if (net->targets) return STATUS_OK;
    return error_set(e, STATUS_FAILED, "net %s: no memory", spec->arch->name);
}

static int net_build(struct net *net, const struct net_spec *spec, struct error *e) {
    struct graph *g = &net->graph;
    int status = graph_begin(g, spec);
    if (!status) status = spec->arch->build(g, spec->settings, e);
    if (g->error.status) { /* said by the graph, not by the architecture */
        if (e) *e = g->error;
        return g->error.status;
    }
    if (!status) status = graph_allocate(g, e);
    if (status) return status;
    bool heads = false;
    for (size_t m = 0; m < g->inputs_n; m++) heads |= g->head[m] >= 0;
    net->p = calloc(g->K, sizeof *net->p);
    if (heads) net->dhead = calloc(g->batch * g->K, sizeof *net->dhead);
    if (!net->p || (heads && !net->dhead))
        return error_set(e, STATUS_FAILED, "net %s: no memory", spec->arch->name);
    run_prepare(net);
    return loss_prepare(net, spec, e);
}

int net_create(struct net **net, const struct net_spec *spec, struct error *e) {
    assert(spec->inputs_n >= 1 && spec->inputs_n <= NET_INPUTS);
    assert(spec->K >= 1 && spec->batch >= 1 && spec->threads >= 1);
    openblas_set_num_threads(1); /* pieces are ours, and bits must not depend on its threads */
    *net = calloc(1, sizeof **net);
    if (!*net) return error_set(e, STATUS_FAILED, "net %s: no memory", spec->arch->name);
    int status = net_build(*net, spec, e);
    if (!status) return STATUS_OK;
    net_free(*net);
    *net = NULL;
    return status;
}

void net_free(struct net *net) {
    if (!net) return;
    graph_free(&net->graph);
    settings_free(&net->loss_settings);
    free(net->targets);
    free(net->dhead);
    free(net->p);
    free(net);
}

/* The next n draws from the tensor's own stream. */
static void draw(struct rng *rng, struct init init, size_t n, real *out) {
    for (size_t i = 0; i < n; i++) {
        double v = init.value;
        if (init.kind == INIT_NORMAL || init.kind == INIT_EMBEDDING) v *= rng_normal(rng);
        if (init.kind == INIT_UNIFORM) v *= 2 * rng_uniform(rng) - 1;
        out[i] = (real)v;
    }
}

/* In PyTorch's order of its elements; a tensor that lies in another goes there row by row. */
static void tensor_draw(const struct net *net, const struct net_tensor *t, struct init init,
                        uint64_t seed, real *arena) {
    const size_t row = t->count / t->shape[0], rows = t->packed ? 1 : t->shape[0];
    uint64_t index = XXH3_64bits(t->name, strlen(t->name));
    struct rng rng = rng_stream(seed, "init", 0, index);
    real *out = t->packed ? net->graph.op_arena.data : arena + t->offset;
    for (size_t o = 0; o < t->shape[0]; o += rows) {
        draw(&rng, init, rows * row, out);
        if (t->packed) net_import_rows(net, t, o, o + 1, arena, out);
    }
    if (init.kind == INIT_EMBEDDING) memset(arena + t->offset, 0, row * sizeof *arena);
}

/* Some architectures draw a tensor as a whole. */
static bool tensor_draw_whole(const struct net *net, size_t i, uint64_t seed, real *arena) {
    const struct graph *g = &net->graph;
    const struct net_tensor *t = &g->params[i];
    real *out = t->packed ? net->run.grads + t->offset : arena + t->offset;
    if (!g->arch->draw || !g->arch->draw(g, i, seed, out)) return false;
    if (!t->packed) return true;
    net_import(net, t, arena, out);
    memset(out, 0, t->count * sizeof *out);
    return true;
}

void net_init_into(struct net *net, uint64_t seed, real *arena) {
    const struct graph *g = &net->graph;
    for (size_t i = 0; i < g->params_n; i++)
        if (!tensor_draw_whole(net, i, seed, arena))
            tensor_draw(net, &g->params[i], g->params_init[i], seed, arena);
}

void net_init(struct net *net, uint64_t seed) {
    const struct graph *g = &net->graph;
    real *buffers = net->run.buffers;
    net_init_into(net, seed, net->run.params);
    for (size_t i = 0; i < g->buffers_n; i++)
        for (size_t j = 0; j < g->buffers[i].count; j++)
            buffers[g->buffers[i].offset + j] = (real)g->buffers_start[i];
}

size_t net_batch(const struct net *net) {
    return net->graph.batch;
}

size_t net_batch_few(const struct net *net) {
    enum { FEW = 32 };
    const struct graph *g = &net->graph;
    size_t reals = 0;
    for (size_t v = 0; v < g->values_n; v++)
        reals += g->values[v].H * g->values[v].W * g->values[v].C;
    return g->batch > FEW && g->params_count < FEW * reals ? FEW : g->batch;
}

size_t net_params_count(const struct net *net) {
    return net->graph.params_count;
}

real *net_params(struct net *net) {
    return net->run.params;
}

real *net_grads(struct net *net) {
    return net->run.grads;
}

real *net_buffers(struct net *net) {
    return net->run.buffers;
}

size_t net_buffers_count(const struct net *net) {
    return net->graph.buffers_count;
}

const struct net_tensor *net_param_table(const struct net *net, size_t *n) {
    *n = net->graph.params_n;
    return net->graph.params;
}

const struct net_tensor *net_buffer_table(const struct net *net, size_t *n) {
    *n = net->graph.buffers_n;
    return net->graph.buffers;
}

const char *const *net_layers(const struct net *net, size_t *n) {
    *n = net->graph.layers_n;
    return (const char *const *)net->graph.layers;
}

const char *const *net_branches(const struct net *net, size_t *n) {
    const struct graph *g = &net->graph;
    *n = g->inputs_n > 1 ? g->inputs_n + 1 : 0;
    return (const char *const *)g->names;
}

int net_layer_branch(const struct net *net, size_t layer) {
    const struct graph *g = &net->graph;
    const struct op *op = &g->ops[g->layers_op[layer]];
    if (g->inputs_n == 1 || op->head >= 0) return -1;
    for (size_t m = 0; m < g->inputs_n; m++)
        if (g->values[op->out].inputs == 1u << m) return (int)m;
    return (int)g->inputs_n;
}

/* Only parameters are packed, so a packed tensor lies in the parameter table. */
static const struct op *tensor_op(const struct net *net, const struct net_tensor *t) {
    const struct graph *g = &net->graph;
    return &g->ops[g->params_op[t - g->params]];
}

void net_export_rows(const struct net *net, const struct net_tensor *t, size_t first, size_t last,
                     const real *arena, real *out) {
    const size_t row = t->count / t->shape[0];
    const real *from = arena + t->offset;
    if (t->packed)
        tensor_op(net, t)->type->unpack(tensor_op(net, t), first, last, from, out);
    else
        memcpy(out, from + first * row, (last - first) * row * sizeof *out);
}

void net_import_rows(const struct net *net, const struct net_tensor *t, size_t first, size_t last,
                     real *arena, const real *in) {
    const size_t row = t->count / t->shape[0];
    real *to = arena + t->offset;
    if (t->packed)
        tensor_op(net, t)->type->pack(tensor_op(net, t), first, last, in, to);
    else
        memcpy(to + first * row, in, (last - first) * row * sizeof *in);
}

void net_export(const struct net *net, const struct net_tensor *t, const real *arena, real *out) {
    net_export_rows(net, t, 0, t->shape[0], arena, out);
}

void net_import(const struct net *net, const struct net_tensor *t, real *arena, const real *in) {
    net_import_rows(net, t, 0, t->shape[0], arena, in);
}

const struct tensor *net_input_tensor(const struct net *net, size_t m) {
    assert(m < net->graph.inputs_n);
    return &net->graph.values[m].x;
}

void net_forward(struct net *net, size_t N, enum net_mode mode) {
    const struct graph *g = &net->graph;
    assert(N >= 1 && N <= g->batch);
    net->run.N = N;
    net->run.mode = mode;
    net->run.kept_for = 0;
    memset(net->head_counts, 0, sizeof net->head_counts);
    for (size_t i = 0; i < g->ops_n; i++) g->ops[i].type->forward(&g->ops[i], &net->run);
}

const struct tensor *net_logits(const struct net *net) {
    return &net->graph.values[net->graph.output].x;
}

const struct tensor *net_representation(const struct net *net) {
    return &net->graph.values[graph_representation(&net->graph)].x;
}

/* The layer that a value comes from, through ops without parameters. */
static size_t layer_before(const struct graph *g, const struct op *op) {
    while (op->layer < 0) op = &g->ops[g->values[op->in[0]].producer];
    return (size_t)op->layer;
}

bool net_rectified(const struct net *net, size_t i, const struct tensor **y, size_t *layer) {
    const struct graph *g = &net->graph;
    for (size_t k = 0; k < g->ops_n; k++) {
        const struct op *op = &g->ops[k];
        bool rectified = op->head < 0 && (op->type->rectifies || op->options.relu);
        if (!rectified || i-- > 0) continue;
        if (g->values[op->out].passing) op_remake(op, &net->run);
        *y = &g->values[op->out].x;
        *layer = layer_before(g, op);
        return true;
    }
    return false;
}

bool net_has_tap(const struct net *net, size_t m) {
    return net->graph.tap[m] >= 0;
}

static const struct tensor *tap_of(const struct net *net, size_t m) {
    assert(m < net->graph.inputs_n && net_has_tap(net, m));
    return &net->graph.values[net->graph.tap[m]].x;
}

size_t net_tap_size(const struct net *net, size_t m) {
    const struct tensor *t = tap_of(net, m);
    return t->H * t->W * t->C;
}

void net_tap_read(const struct net *net, size_t m, size_t n, real *out) {
    const struct tensor *t = tap_of(net, m);
    for (size_t h = 0; h < t->H; h++, out += t->W * t->C)
        memcpy(out, tensor_at(t, n, h, 0), t->W * t->C * sizeof *out);
}

void net_tap_write(struct net *net, size_t m, size_t n, const real *in) {
    const struct tensor *t = tap_of(net, m);
    for (size_t h = 0; h < t->H; h++, in += t->W * t->C)
        memcpy(tensor_at(t, n, h, 0), in, t->W * t->C * sizeof *in);
}

void net_forward_trunk(struct net *net, size_t N) {
    const struct graph *g = &net->graph;
    assert(N >= 1 && N <= g->batch);
    for (size_t m = 0; m < g->inputs_n; m++) assert(net_has_tap(net, m));
    net->run.N = N;
    net->run.mode = NET_EVAL;
    net->run.kept_for = 0;
    for (size_t i = 0; i < g->ops_n; i++) {
        const struct op *op = &g->ops[i];
        if (op->head < 0 && g->values[op->out].in_trunk) op->type->forward(op, &net->run);
    }
}

bool net_has_head(const struct net *net, size_t m) {
    return net->graph.head[m] >= 0;
}

struct net_loss net_head_loss(struct net *net, size_t m, const int32_t *labels, size_t N,
                              double weight) {
    const struct graph *g = &net->graph;
    assert(N == net->run.N && m < g->inputs_n && net_has_head(net, m));
    const struct value *logits = &g->values[g->head[m]];
    real *sum = logits->dx.data;
    struct net_loss loss = softmax_xent(logits->x.data, labels, N, g->K, net->p, net->dhead);
    if (weight == 0) return loss;
    if (!net->head_counts[m]) memset(sum, 0, N * g->K * sizeof *sum);
    net->head_counts[m] = true;
    for (size_t i = 0; i < N * g->K; i++) sum[i] += (real)(weight * (double)net->dhead[i]);
    return loss;
}

static real *dlogits_of(struct net *net) {
    return net->graph.values[net->graph.output].dx.data;
}

real *net_targets(const struct net *net) {
    return net->targets;
}

struct net_loss net_loss(struct net *net, const int32_t *labels, size_t N) {
    assert(N == net->run.N);
    return net->loss->evaluate(&net->loss_settings,
                               &(struct loss_batch){.N = N,
                                                    .K = net->graph.K,
                                                    .outputs = net_logits(net)->data,
                                                    .labels = labels,
                                                    .targets = net->targets,
                                                    .p = net->p,
                                                    .doutputs = dlogits_of(net)});
}

void net_probabilities(const struct net *net, size_t N, double *p) {
    size_t K = net->graph.K;
    for (size_t i = 0; i < N * K; i++) p[i] = NAN;
    for (size_t n = 0; n < N && !net->targets; n++)
        softmax(net_logits(net)->data + n * K, K, p + n * K);
}

void net_set_dlogits(struct net *net, size_t N, const real *dlogits) {
    memcpy(dlogits_of(net), dlogits, N * net->graph.K * sizeof *dlogits);
}

/* Gradients by the inputs of one op, for those inputs that want one. */
static void op_backward_data(const struct graph *g, const struct op *op, const struct op_run *run) {
    bool wanted = false;
    for (int j = 0; j < op->type->inputs; j++) wanted |= op->dx[j].data != NULL;
    if (!wanted) return;
    op->type->backward_data(op, run);
    for (int j = 0; j < op->type->inputs; j++) {
        const struct tensor *sum = &g->values[op->in[j]].dx;
        if (op->dx_adds[j]) run->pass->add(sum, &op->dx[j], sum, 0, run->N);
    }
}

/* Heads without a loss are left out of the backward pass: their part of everything is 0. */
static bool is_idle(const struct net *net, const struct op *op) {
    return op->head >= 0 && !net->head_counts[op->head];
}

static real *tensor_grads(const struct net *net, const struct net_tensor *t) {
    return net->run.grads + (t->offset - net->run.grads_from);
}

static void idle_clear(const struct net *net, size_t op) {
    const struct graph *g = &net->graph;
    for (size_t i = 0; i < g->params_n; i++)
        if (g->params_op[i] == (int)op)
            memset(tensor_grads(net, &g->params[i]), 0, g->params[i].count * sizeof(real));
}

/* Gradients that nobody wants to keep have one place for all ops: net_grads stays as it is, and its
 * memory untouched where it is never used. */
static void grads_into_scratch(struct net *net, const struct op *op) {
    net->run.grads = net->graph.op_arena.data;
    net->run.grads_from = op->param[0];
}

static void grads_into_place(struct net *net) {
    net->run.grads = net->graph.grads_arena.data;
    net->run.grads_from = 0;
}

void net_backward(struct net *net, size_t N) {
    const struct graph *g = &net->graph;
    assert(N == net->run.N);
    for (size_t i = g->ops_n; i-- > 0;) {
        const struct op *op = &g->ops[i];
        if (is_idle(net, op)) {
            idle_clear(net, i);
            continue;
        }
        if (op->type->backward_params) op->type->backward_params(op, &net->run);
        op_backward_data(g, op, &net->run);
    }
}

/* An op's gradients go to the taker. */
static void take_tensors(const struct net *net, size_t op) {
    const struct graph *g = &net->graph;
    for (size_t i = 0; i < g->params_n; i++)
        if (g->params_op[i] == (int)op)
            op_take(&net->run, 0, g->params[i].offset, g->params[i].count,
                    tensor_grads(net, &g->params[i]));
}

static void op_backward_take(const struct net *net, size_t i) {
    const struct graph *g = &net->graph;
    const struct op *op = &g->ops[i];
    bool idle = is_idle(net, op), itself = op->type->backward_take != NULL;
    if (idle) idle_clear(net, i);
    if (!idle && !itself && op->type->backward_params) op->type->backward_params(op, &net->run);
    if (!idle) op_backward_data(g, op, &net->run);
    if (!idle && itself)
        op->type->backward_take(op, &net->run);
    else
        take_tensors(net, i);
}

double net_backward_to(struct net *net, size_t N, const struct net_taker *taker) {
    const struct graph *g = &net->graph;
    double taken[OP_PIECES], sum = 0;
    assert(N == net->run.N);
    net->run.taker = taker;
    net->run.taken = taken;
    for (size_t i = g->ops_n; i-- > 0;) {
        memset(taken, 0, sizeof taken);
        grads_into_scratch(net, &g->ops[i]);
        op_backward_take(net, i);
        for (size_t p = 0; p < OP_PIECES; p++) sum += taken[p];
    }
    grads_into_place(net);
    net->run.taker = NULL;
    net->run.taken = NULL;
    return sum;
}

void net_backward_g2(struct net *net, size_t N, size_t passes, double *g2) {
    const struct graph *g = &net->graph;
    assert(N == net->run.N && net->run.mode == NET_EVAL && passes >= 1);
    net->run.g2 = g2;
    net->run.passes = passes;
    if (net->run.kept_for != passes) net->run.kept_for = 0;
    memset(g2, 0, N * g->layers_n * sizeof *g2);
    for (size_t i = g->ops_n; i-- > 0;) {
        const struct op *op = &g->ops[i];
        if (op->head >= 0) continue;
        grads_into_scratch(net, op);
        if (op->type->backward_g2) op->type->backward_g2(op, &net->run);
        op_backward_data(g, op, &net->run);
    }
    if (passes > 1) net->run.kept_for = passes;
    grads_into_place(net);
}
