/* A network behind its public face: see net.h. The graph holds what is fixed, this file walks it:
 * forward in order, backward in reverse, each op overwriting the gradients by its inputs. */
#include "nets/net.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include <xxhash.h>

#include "base/rng.h"
#include "nets/arch.h"
#include "nets/blas.h"
#include "nets/graph.h"
#include "nets/ops/softmax_xent.h"

struct net {
    struct graph graph;
    struct op_run run; /* of the last forward pass */
    double *p;         /* [K] */
};

static void run_prepare(struct net *net) {
    const struct graph *g = &net->graph;
    net->run = (struct op_run){.threads = g->threads,
                               .params = g->params_arena.data,
                               .grads = g->grads_arena.data,
                               .buffers = g->buffers_arena.data,
                               .states = g->states_arena.data,
                               .scratch = g->scratch.data,
                               .pass = pass_choose(),
                               .layers = g->layers_n};
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
    net->p = calloc(g->K, sizeof *net->p);
    if (!net->p) return error_set(e, STATUS_FAILED, "net %s: no memory", spec->arch->name);
    run_prepare(net);
    return STATUS_OK;
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
    free(net->p);
    free(net);
}

/* One draw after the other from the tensor's own stream, in PyTorch's order of its elements. */
static void tensor_draw(const struct net_tensor *t, struct init init, uint64_t seed, real *out) {
    uint64_t index = XXH3_64bits(t->name, strlen(t->name));
    struct rng rng = rng_stream(seed, "init", 0, index);
    for (size_t i = 0; i < t->count; i++) {
        double v = init.value;
        if (init.kind == INIT_NORMAL) v *= rng_normal(&rng);
        if (init.kind == INIT_UNIFORM) v *= 2 * rng_uniform(&rng) - 1;
        out[i] = (real)v;
    }
}

void net_init_into(struct net *net, uint64_t seed, real *arena) {
    const struct graph *g = &net->graph;
    real *grads = net->run.grads; /* free, and as large as any tensor */
    for (size_t i = 0; i < g->params_n; i++) {
        const struct net_tensor *t = &g->params[i];
        tensor_draw(t, g->params_init[i], seed, grads + t->offset);
        net_import(net, t, arena, grads + t->offset);
    }
    memset(grads, 0, g->params_count * sizeof *grads);
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

/* Only parameters are packed, so a packed tensor lies in the parameter table. */
static const struct op *tensor_op(const struct net *net, const struct net_tensor *t) {
    const struct graph *g = &net->graph;
    return &g->ops[g->params_op[t - g->params]];
}

void net_export(const struct net *net, const struct net_tensor *t, const real *arena, real *out) {
    if (t->packed)
        tensor_op(net, t)->type->unpack(tensor_op(net, t), arena + t->offset, out);
    else
        memcpy(out, arena + t->offset, t->count * sizeof *out);
}

void net_import(const struct net *net, const struct net_tensor *t, real *arena, const real *in) {
    if (t->packed)
        tensor_op(net, t)->type->pack(tensor_op(net, t), in, arena + t->offset);
    else
        memcpy(arena + t->offset, in, t->count * sizeof *in);
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
    for (size_t i = 0; i < g->ops_n; i++) g->ops[i].type->forward(&g->ops[i], &net->run);
}

const struct tensor *net_logits(const struct net *net) {
    return &net->graph.values[net->graph.output].x;
}

static real *dlogits_of(struct net *net) {
    return net->graph.values[net->graph.output].dx.data;
}

struct net_loss net_loss(struct net *net, const int32_t *labels, size_t N) {
    assert(N == net->run.N);
    return softmax_xent(net_logits(net)->data, labels, N, net->graph.K, net->p, dlogits_of(net));
}

void net_probabilities(const struct net *net, size_t N, double *p) {
    size_t K = net->graph.K;
    for (size_t n = 0; n < N; n++) softmax(net_logits(net)->data + n * K, K, p + n * K);
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

void net_backward(struct net *net, size_t N) {
    const struct graph *g = &net->graph;
    assert(N == net->run.N);
    for (size_t i = g->ops_n; i-- > 0;) {
        const struct op *op = &g->ops[i];
        if (op->type->backward_params) op->type->backward_params(op, &net->run);
        op_backward_data(g, op, &net->run);
    }
}

void net_backward_g2(struct net *net, size_t N, double *g2) {
    const struct graph *g = &net->graph;
    assert(N == net->run.N && net->run.mode == NET_EVAL);
    net->run.g2 = g2;
    memset(g2, 0, N * g->layers_n * sizeof *g2);
    for (size_t i = g->ops_n; i-- > 0;) {
        const struct op *op = &g->ops[i];
        if (op->type->backward_g2) op->type->backward_g2(op, &net->run);
        op_backward_data(g, op, &net->run);
    }
}
