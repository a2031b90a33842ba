/* Building a graph: see graph.h. Nothing is allocated for activations here, only shapes are
 * worked out; nets/place.c sizes and gets the memory.
 *
 * The trap: sizes come from a config and may be absurd. Every count is first formed in double and
 * refused above 2^40 elements, so that no product of sizes further on can wrap around. */
#include "nets/graph.h"

#include <assert.h>
#include <limits.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "nets/arch.h"

static const double MOST = 0x1p40; /* elements of one tensor */
enum { ALIGN = 16 };               /* reals: tensors of an arena begin on cache lines */

/* Room for one more element at the end of a growing array. */
static void *grow(void *array, size_t n, size_t size) {
    if (n & (n - 1) || (n && n < 8)) return array; /* there is room up to the next power of two */
    void *more = realloc(array, (n < 8 ? 8 : 2 * n) * size);
    if (!more) abort();
    return more;
}
#define GROW(array, n) ((array) = grow((array), (n), sizeof *(array)))

static int fail(struct graph *g, const char *format, ...) __attribute__((format(printf, 2, 3)));
static int fail(struct graph *g, const char *format, ...) {
    if (g->error.status) return -1;
    char text[sizeof g->error.text];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    error_set(&g->error, STATUS_USAGE, "net %s: %s", g->arch->name, text);
    return -1;
}

/* A value of H x W x C, or -1 with a sentence when it is too large to count. */
static int value_add(struct graph *g, struct value v, const char *what) {
    double count = (double)v.H * (double)v.W * (double)v.C * (double)g->batch;
    if (v.H > INT_MAX || v.W > INT_MAX || v.C > INT_MAX || count > MOST)
        return fail(g, "%s would give %.3g numbers for a batch of %zu; make it smaller", what,
                    count, g->batch);
    GROW(g->values, g->values_n);
    v.stored_in = v.grad_in = (int)g->values_n;
    v.last = -1;
    g->values[g->values_n] = v;
    return (int)g->values_n++;
}

int graph_input(struct graph *g, size_t m) {
    if (g->error.status) return -1;
    if (m >= g->inputs_n) return fail(g, "needs %zu inputs, the data have %zu", m + 1, g->inputs_n);
    return (int)m;
}

static char *copy(const char *text) {
    char *own = strdup(text);
    if (!own) abort();
    return own;
}

static int layer_add(struct graph *g, const char *name) {
    GROW(g->layers, g->layers_n);
    GROW(g->layers_op, g->layers_n);
    g->layers[g->layers_n] = copy(name);
    g->layers_op[g->layers_n] = (int)g->ops_n;
    return (int)g->layers_n++;
}

/* Normalization belongs to the layer before it; a convolution or linear op begins one. */
static int layer_of(struct graph *g, const struct op_type *type, const char *name) {
    if (!type->backward_params) return -1;
    if (type->begins_layer || !g->layers_n) return layer_add(g, name);
    return (int)g->layers_n - 1;
}

/* What op reads `value` means for the value, and for y, which the op makes of it. */
static void value_read(struct graph *g, int value, int op, struct value *y) {
    struct value *x = &g->values[value];
    x->consumers++;
    x->last = op;
    y->wants_grad |= x->wants_grad;
    y->inputs |= x->inputs;
    y->in_trunk |= x->kept || x->in_trunk;
}

/* Token numbers mean nothing to an op that takes them for amounts. */
static int tokens_check(struct graph *g, const struct op_type *type, int value) {
    if (!g->values[value].tokens || type->reads_tokens) return STATUS_OK;
    return fail(g, "cannot read modality '%s', which is tokens; use net towers", g->names[value]);
}

int graph_op(struct graph *g, const struct op_type *type, const int *in, struct op_options o) {
    for (int i = 0; i < type->inputs; i++)
        if (in[i] < 0 || tokens_check(g, type, in[i])) return -1;
    if (g->error.status) return -1;
    GROW(g->ops, g->ops_n);
    struct op *op = &g->ops[g->ops_n];
    *op = (struct op){.type = type, .options = o, .in = {-1, -1}, .head = -1};
    for (int i = 0; i < type->inputs; i++) op->in[i] = in[i];
    const struct value *x = &g->values[in[0]];
    struct value y = {.H = x->H, .W = x->W, .C = x->C, .plane = x->plane};
    const char *name = o.name ? o.name : type->name;

    struct error why = {0};
    op->layer = layer_of(g, type, name);
    if (type->shape(g, op, &y, &why)) return fail(g, "layer %s: %s", name, why.text);
    op->options.name = NULL; /* the architecture's, perhaps gone by now */
    y.producer = (int)g->ops_n;
    y.wants_grad = type->backward_params != NULL;
    for (int i = 0; i < type->inputs; i++) value_read(g, in[i], (int)g->ops_n, &y);
    op->out = value_add(g, y, name);
    if (op->out < 0) return -1;
    g->ops_n++;
    return op->out;
}

static int graph_op1(struct graph *g, const char *type, int x, struct op_options o) {
    return graph_op(g, op_find(type), &x, o);
}

int graph_conv(struct graph *g, int x, struct op_options o) {
    return graph_op1(g, "conv", x, o);
}

int graph_linear(struct graph *g, int x, const char *name, size_t outputs) {
    return graph_op1(g, "linear", x,
                     (struct op_options){.name = name, .outputs = outputs, .bias = true});
}

int graph_matrix(struct graph *g, int x, const char *name, size_t outputs) {
    return graph_op1(g, "linear", x, (struct op_options){.name = name, .outputs = outputs});
}

int graph_batchnorm(struct graph *g, int x, const char *name, bool relu) {
    return graph_op1(g, "batchnorm", x, (struct op_options){.name = name, .relu = relu});
}

int graph_relu(struct graph *g, int x) {
    return graph_op1(g, "relu", x, (struct op_options){0});
}

int graph_maxpool(struct graph *g, int x, size_t kernel, size_t stride) {
    return graph_op1(g, "maxpool", x, (struct op_options){.kernel = kernel, .stride = stride});
}

int graph_avgpool(struct graph *g, int x, size_t kernel, size_t stride) {
    return graph_op1(g, "avgpool", x, (struct op_options){.kernel = kernel, .stride = stride});
}

int graph_globalpool(struct graph *g, int x) {
    return graph_op1(g, "globalpool", x, (struct op_options){0});
}

static int graph_op2(struct graph *g, const char *type, int a, int b) {
    int in[] = {a, b};
    return graph_op(g, op_find(type), in, (struct op_options){0});
}

int graph_add(struct graph *g, int a, int b) {
    return graph_op2(g, "add", a, b);
}

int graph_product(struct graph *g, int a, int b) {
    return graph_op2(g, "product", a, b);
}

int graph_concat(struct graph *g, int a, int b) {
    return graph_op2(g, "concat", a, b);
}

int graph_embedding(struct graph *g, int x, const char *name, size_t outputs) {
    return graph_op1(g, "embedding", x, (struct op_options){.name = name, .outputs = outputs});
}

int graph_flatten(struct graph *g, int x) {
    return graph_op1(g, "flatten", x, (struct op_options){0});
}

int graph_tap(struct graph *g, int x, size_t m) {
    if (x < 0) return -1;
    assert(g->tap[m] < 0 && !g->values[x].consumers);
    g->values[x].kept = true;
    return g->tap[m] = x;
}

void graph_head(struct graph *g, int x, size_t m) {
    char name[NET_NAME];
    size_t first = g->ops_n;
    snprintf(name, sizeof name, "head_%s", g->names[m]);
    if (x >= 0 && g->values[x].H * g->values[x].W > 1) x = graph_globalpool(g, x);
    g->head[m] = graph_linear(g, x, name, g->K);
    for (size_t i = first; i < g->ops_n; i++) g->ops[i].head = (int)m;
}

/* An architecture that leaves inputs alone was not made for such data. */
static void inputs_check(struct graph *g) {
    char names[NET_INPUTS * NET_NAME] = "", count[32] = "one modality";
    size_t used = 0;
    for (size_t m = 0, length = 0; m < g->inputs_n; m++) {
        used += g->values[m].consumers > 0;
        length += (size_t)snprintf(names + length, sizeof names - length, "%s%s", m ? ", " : "",
                                   g->names[m]);
    }
    if (used == g->inputs_n) return;
    if (used > 1) snprintf(count, sizeof count, "%zu modalities", used);
    fail(g, "takes %s, the data have %zu (%s); use net towers", count, g->inputs_n, names);
}

/* What walks rely on: every value is read, and heads come before what else reads their tap, so that
 * a head that is left out in a backward pass leaves out a share, never the gradient itself. */
static void structure_check(const struct graph *g) {
    const struct value *v = &g->values[g->output];
    assert(v->H == 1 && v->W == 1 && v->C == g->K && v->wants_grad);
    for (size_t i = 0; i < g->ops_n; i++) {
        const struct op *op = &g->ops[i];
        bool ends = op->out == g->output || (op->head >= 0 && op->out == g->head[op->head]);
        assert(ends || g->values[op->out].consumers);
        assert(op->head < 0 || ends || g->ops[g->values[op->out].last].head == op->head);
    }
    for (size_t m = 0; m < g->inputs_n; m++)
        assert(g->tap[m] < 0 || g->tap[m] == g->output ||
               g->ops[g->values[g->tap[m]].last].head < 0);
    (void)v;
}

int graph_output(struct graph *g, int logits) {
    if (!g->error.status) inputs_check(g);
    if (g->error.status) return g->error.status;
    g->output = logits;
    structure_check(g);
    return STATUS_OK;
}

const struct value *graph_value(const struct graph *g, int value) {
    return &g->values[value];
}

/* In a net without layers, what the first op reads. */
int graph_representation(const struct graph *g) {
    size_t last = 0;
    for (size_t i = 0; i < g->ops_n; i++)
        if (g->ops[i].head < 0 && g->ops[i].type->begins_layer) last = i;
    return g->ops[last].in[0];
}

/* The next free place for `n` reals in an arena that holds *count so far. */
static size_t reserve(size_t *count, size_t n) {
    size_t offset = *count;
    *count += (n + ALIGN - 1) / ALIGN * ALIGN;
    return offset;
}

static size_t tensor_count(struct graph *g, const char *name, int rank, const size_t *shape) {
    double count = 1;
    for (int i = 0; i < rank; i++) count *= (double)shape[i];
    if (count > MOST) {
        fail(g, "%s would have %.3g numbers; make it smaller", name, count);
        return 0;
    }
    size_t n = 1;
    for (int i = 0; i < rank; i++) n *= shape[i];
    return n;
}

static struct net_tensor tensor_make(struct graph *g, const struct op *op, const char *suffix,
                                     int rank, const size_t *shape) {
    struct net_tensor t = {.rank = rank, .layer = op->layer};
    int length = snprintf(t.name, sizeof t.name, "%s.%s", op->options.name, suffix);
    if (length >= (int)sizeof t.name) fail(g, "the name %s... is too long; shorten it", t.name);
    for (int i = 0; i < rank; i++) t.shape[i] = shape[i];
    t.count = tensor_count(g, t.name, rank, shape);
    return t;
}

void graph_param(struct graph *g, struct op *op, int i, const char *suffix, int rank,
                 const size_t *shape, struct init init) {
    struct net_tensor t = tensor_make(g, op, suffix, rank, shape);
    t.offset = op->param[i] = reserve(&g->params_count, t.count);
    t.packed = i == 0 && op->type->pack && (!op->type->packs || op->type->packs(op));
    GROW(g->params, g->params_n);
    GROW(g->params_init, g->params_n);
    GROW(g->params_op, g->params_n);
    g->params[g->params_n] = t;
    g->params_init[g->params_n] = init;
    g->params_op[g->params_n++] = (int)g->ops_n;
}

void graph_buffer(struct graph *g, struct op *op, int i, const char *suffix, size_t n,
                  double start) {
    struct net_tensor t = tensor_make(g, op, suffix, 1, &n);
    t.offset = op->buffer[i] = reserve(&g->buffers_count, n);
    GROW(g->buffers, g->buffers_n);
    GROW(g->buffers_start, g->buffers_n);
    g->buffers[g->buffers_n] = t;
    g->buffers_start[g->buffers_n++] = start;
}

void graph_state(struct graph *g, struct op *op, size_t n) {
    op->state = reserve(&g->states_count, n);
}

/* He et al. 2015: N(0, 2 / fan_in), biases 0; or what nn.Linear and nn.Conv2d do by themselves,
 * kaiming_uniform with a = sqrt(5): U(-1/sqrt(fan_in), 1/sqrt(fan_in)) for both. */
struct init graph_weight_init(const struct graph *g, size_t fan_in) {
    double n = (double)fan_in;
    if (g->gain != 0) return (struct init){INIT_NORMAL, g->gain * sqrt(1 / n)};
    return g->he_normal ? (struct init){INIT_NORMAL, sqrt(2 / n)}
                        : (struct init){INIT_UNIFORM, sqrt(1 / n)};
}

/* With fan_out, as in torchvision's ResNets, it is the gradients that keep their size. */
struct init graph_conv_init(const struct graph *g, size_t fan_in, size_t fan_out) {
    if (g->he_fan_out) return (struct init){INIT_NORMAL, sqrt(2 / (double)fan_out)};
    return graph_weight_init(g, fan_in);
}

struct init graph_bias_init(const struct graph *g, size_t fan_in) {
    return g->he_normal ? (struct init){INIT_CONSTANT, 0}
                        : (struct init){INIT_UNIFORM, sqrt(1 / (double)fan_in)};
}

/* Layers and branches bear the modalities' names, so these must differ. */
static void name_add(struct graph *g, size_t m, const char *name) {
    for (size_t i = 0; i < m; i++)
        if (strcmp(g->names[i], name) == 0)
            fail(g, "two modalities or branches are called '%s'; rename one", name);
    g->names[m] = copy(name);
}

static void correlation_copy(struct graph *g, const struct net_spec *spec, size_t m) {
    const struct net_input *in = &spec->inputs[m];
    size_t bytes = spec->K * in->H * in->W * in->C * sizeof *g->correlation[m];
    if (!spec->correlation || !spec->correlation[m]) return;
    g->correlation[m] = malloc(bytes);
    if (!g->correlation[m]) abort();
    memcpy(g->correlation[m], spec->correlation[m], bytes);
}

/* The inputs of the network are its first values. */
int graph_begin(struct graph *g, const struct net_spec *spec) {
    *g = (struct graph){.arch = spec->arch,
                        .K = spec->K,
                        .batch = spec->batch,
                        .threads = spec->threads < OP_PIECES ? spec->threads : OP_PIECES,
                        .inputs_n = spec->inputs_n};
    for (size_t m = 0; m < NET_INPUTS; m++) g->tap[m] = g->head[m] = -1;
    for (size_t m = 0; m < spec->inputs_n; m++) {
        const struct net_input *in = &spec->inputs[m];
        struct value v = {.H = in->H,
                          .W = in->W,
                          .C = in->C,
                          .plane = 1,
                          .producer = -1,
                          .inputs = 1u << m,
                          .tokens = in->tokens};
        name_add(g, m, in->name);
        if (value_add(g, v, in->name) < 0) break;
        correlation_copy(g, spec, m);
    }
    settings_copy(&g->settings, spec->settings);
    name_add(g, spec->inputs_n, "trunk");
    return g->error.status;
}
