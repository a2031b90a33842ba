/* A network at work: see load.h.
 *
 * The trap: a benchmark on fixed images learns them, its losses go to 0 and its gradients become
 * denormal numbers, which are slow. The rate is small, and nothing here runs for long enough. */
#include "bench/load.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "nets/arch.h"
#include "nets/op.h"

static const double RATE = 0.001;

/* "a=1;b=[2, 3]" into the settings. */
static int settings_parse(struct settings *s, const char *text, struct error *e) {
    char copy[256], *rest = copy;
    if (strcmp(text, "-") == 0) return STATUS_OK;
    snprintf(copy, sizeof copy, "%s", text);
    for (char *one; (one = strsep(&rest, ";"));) {
        char *equals = strchr(one, '=');
        if (!equals) return error_set(e, STATUS_USAGE, "'%s' is not key=value", one);
        *equals = '\0';
        if (!settings_find(s, one)) return error_set(e, STATUS_USAGE, "there is no key '%s'", one);
        int status = settings_set(s, one, equals + 1, e);
        if (status) return status;
    }
    return STATUS_OK;
}

static int graph_twin(struct graph *g, const struct net_spec *spec, struct error *e) {
    int status = graph_begin(g, spec);
    return status ? status : spec->arch->build(g, spec->settings, e);
}

static void batch_draw(struct load *l, size_t pixels) {
    struct rng rng = rng_stream(1, "order", 0, 0);
    for (size_t i = 0; i < l->batch * pixels; i++) l->x[i] = (real)rng_normal(&rng);
    for (size_t i = 0; i < l->batch; i++) l->label[i] = (int32_t)rng_below(&rng, (uint32_t)l->K);
}

static int memory_get(struct load *l, size_t pixels, struct error *e) {
    l->x = malloc(l->batch * pixels * sizeof *l->x);
    l->label = malloc(l->batch * sizeof *l->label);
    l->momentum = calloc(net_params_count(l->net), sizeof *l->momentum);
    if (!l->x || !l->label || !l->momentum)
        return error_set(e, STATUS_FAILED, "bench: no memory for the batch");
    batch_draw(l, pixels);
    return STATUS_OK;
}

static int optimizer_get(struct load *l, struct error *e) {
    l->optimizer = optimizer_find("sgd");
    settings_init(&l->optimizer_settings, l->optimizer->params, NULL);
    int status = settings_set(&l->optimizer_settings, "momentum", "0.9", e);
    if (!status) status = settings_set(&l->optimizer_settings, "weight_decay", "0.0005", e);
    return status;
}

int load_create(struct load *l, const struct load_spec *spec, struct error *e) {
    *l = (struct load){.batch = spec->batch, .K = spec->K};
    const struct arch *arch = arch_find(spec->arch);
    if (!arch) return error_set(e, STATUS_USAGE, "there is no net '%s'", spec->arch);
    struct settings settings;
    settings_init(&settings, arch->params, NULL);
    struct net_input input = {"image", spec->H, spec->W, spec->C, 0};
    struct net_spec net = {.arch = arch,
                           .settings = &settings,
                           .inputs = &input,
                           .inputs_n = 1,
                           .K = spec->K,
                           .batch = spec->batch,
                           .threads = spec->threads};
    int status = settings_parse(&settings, spec->settings, e);
    if (!status) status = net_create(&l->net, &net, e);
    if (!status) status = graph_twin(&l->graph, &net, e);
    if (!status) status = memory_get(l, spec->H * spec->W * spec->C, e);
    if (!status) status = optimizer_get(l, e);
    if (!status) net_init(l->net, 1);
    l->ops_n = l->graph.ops_n;
    settings_free(&settings);
    if (status) load_free(l);
    return status;
}

void load_free(struct load *l) {
    net_free(l->net);
    graph_free(&l->graph);
    settings_free(&l->optimizer_settings);
    free(l->x);
    free(l->label);
    free(l->momentum);
    *l = (struct load){0};
}

/* ---- counting -------------------------------------------------------------------------------- */

struct load_flops load_op_flops(const struct load *l, const struct op *op) {
    const struct value *x = &l->graph.values[op->in[0]], *y = &l->graph.values[op->out];
    double taps = 0;
    if (strcmp(op->type->name, "conv") == 0)
        taps = (double)(op->conv.R * op->conv.S) * (double)x->C;
    if (strcmp(op->type->name, "linear") == 0) taps = (double)(x->H * x->W * x->C);
    double forward = 2 * taps * (double)(y->H * y->W * y->C);
    return (struct load_flops){forward, forward * (x->wants_grad ? 3 : 2)};
}

struct load_flops load_flops(const struct load *l) {
    struct load_flops sum = {0};
    for (size_t i = 0; i < l->ops_n; i++) {
        struct load_flops one = load_op_flops(l, &l->graph.ops[i]);
        sum.forward += one.forward;
        sum.step += one.step;
    }
    return sum;
}

size_t load_activations(const struct load *l) {
    size_t reals = 0;
    for (size_t v = 0; v < l->graph.values_n; v++) {
        const struct value *value = &l->graph.values[v];
        const struct op_type *from =
            value->producer < 0 ? NULL : l->graph.ops[value->producer].type;
        if (!from || !(from->view || from->in_place)) reals += value->H * value->W * value->C;
    }
    return reals * l->batch * sizeof(real);
}

/* ---- working --------------------------------------------------------------------------------- */

static void batch_feed(const struct load *l, struct net *net, size_t first, size_t n) {
    const struct tensor *t = net_input_tensor(net, 0);
    size_t row = t->W * t->C;
    for (size_t i = 0; i < n; i++)
        for (size_t h = 0; h < t->H; h++)
            memcpy(tensor_at(t, i, h, 0), l->x + ((first + i) * t->H + h) * row,
                   row * sizeof(real));
}

static void forward(struct load *l, enum net_mode mode) {
    batch_feed(l, l->net, 0, l->batch);
    net_forward(l->net, l->batch, mode);
    l->loss = net_loss(l->net, l->label, l->batch).loss / (double)l->batch;
}

static void passes(struct load *l, enum net_mode mode) {
    forward(l, mode);
    net_backward(l->net, l->batch);
}

void load_step(struct load *l) {
    forward(l, NET_TRAIN);
    optimizer_descend(l->optimizer, &l->optimizer_settings, RATE, ++l->steps, l->net, l->batch,
                      &l->momentum);
}

void load_pass(struct load *l) {
    passes(l, NET_EVAL);
}

static void probes_feed(void *context, struct net *net, size_t first, size_t n, int32_t *labels) {
    const struct load *l = context;
    batch_feed(l, net, first, n);
    memcpy(labels, l->label + first, n * sizeof *labels);
}

int load_fisher(struct load *l, enum fisher_estimator estimator, struct fisher_result *r,
                struct error *e) {
    struct measure_examples probes = {l->batch, net_batch_few(l->net), probes_feed, l};
    return fisher_trace(l->net, &probes, estimator, 1, 1, 0, r, e);
}

double load_loss(struct load *l) {
    size_t bytes = net_buffers_count(l->net) * sizeof(real);
    real *buffers = malloc(bytes + 1);
    if (!buffers) abort();
    memcpy(buffers, net_buffers(l->net), bytes);
    passes(l, NET_TRAIN);
    memcpy(net_buffers(l->net), buffers, bytes);
    free(buffers);
    return l->loss;
}

int load_op_run(struct load *l, struct op_run *run, struct error *e) {
    struct graph *g = &l->graph;
    int status = l->graph_has_memory ? STATUS_OK : graph_allocate(g, e);
    if (status) return status;
    l->graph_has_memory = true;
    *run = (struct op_run){.N = g->batch,
                           .passes = 1,
                           .kept = g->kept,
                           .mode = NET_TRAIN,
                           .threads = g->threads,
                           .team = g->team,
                           .params = g->params_arena.data,
                           .grads = g->grads_arena.data,
                           .buffers = g->buffers_arena.data,
                           .states = g->states_arena.data,
                           .scratch = g->scratch.data,
                           .pass = pass_choose(),
                           .layers = g->layers_n};
    return STATUS_OK;
}

/* ---- saving ---------------------------------------------------------------------------------- */

static bool put(FILE *f, const real *values, size_t n) {
    bool good = true;
    for (size_t i = 0; i < n && good; i++) {
        float value = (float)values[i];
        good = fwrite(&value, sizeof value, 1, f) == 1;
    }
    return good;
}

static bool put_params(const struct load *l, FILE *f) {
    size_t n;
    const struct net_tensor *table = net_param_table(l->net, &n);
    real *copy = malloc(net_params_count(l->net) * sizeof *copy);
    bool good = copy != NULL;
    for (size_t i = 0; i < n && good; i++) {
        net_export(l->net, &table[i], net_params(l->net), copy);
        good = put(f, copy, table[i].count);
    }
    free(copy);
    return good;
}

int load_save(const struct load *l, const char *path, struct error *e) {
    const struct tensor *t = net_input_tensor(l->net, 0);
    FILE *f = fopen(path, "wb");
    if (!f) return error_set(e, STATUS_FAILED, "%s: cannot be written", path);
    bool good = put_params(l, f) && put(f, l->x, l->batch * t->H * t->W * t->C);
    for (size_t i = 0; i < l->batch && good; i++) {
        real label = (real)l->label[i];
        good = put(f, &label, 1);
    }
    good = fclose(f) == 0 && good;
    return good ? STATUS_OK : error_set(e, STATUS_FAILED, "%s: not written to the end", path);
}
