/* The graph that an architecture builds: values (activations) and the ops between them, in order
 * of execution, over arenas that are sized by a dry pass.
 *
 * Building: the first failure is kept, every later call does nothing, and graph_output reports it,
 * so that an architecture reads as a list of layers:
 *
 *     int x = graph_input(g, 0);
 *     x = graph_conv(g, x, (struct op_options){"conv1", .outputs = 16, .kernel = 3, .pad = 1});
 *     x = graph_batchnorm(g, x, "norm1", true);
 *     ...
 *     return graph_output(g, x);                                                              */
#ifndef NETS_GRAPH_H
#define NETS_GRAPH_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "nets/net.h"
#include "nets/op.h"
#include "nets/tensor.h"

/* An activation and its gradient. A flattened image keeps the engine's order, h w c, while
 * PyTorch's nn.Flatten gives c h w: `plane` = H W of the image before (1 otherwise) lets the
 * linear layer after it export its columns in PyTorch's order. */
struct value {
    size_t H, W, C;
    size_t plane;
    int producer;    /* op; -1: an input of the network */
    int consumers;   /* ops that read it */
    int last;        /* the last of them */
    bool wants_grad; /* parameters lie before it */
    unsigned inputs; /* bit m: modality m reaches it */
    size_t tokens;   /* the vocabulary of an input of tokens; 0: numbers */
    bool kept;       /* a tap: nobody may write over it */
    bool in_trunk;   /* a tap lies before it */
    bool passing;    /* not kept: from graph_allocate on, see place.c */
    int stored_in;   /* value whose memory the activation uses: itself, unless in place */
    int grad_in;     /* value whose memory the gradient uses */
    struct tensor x, dx;
};

/* How a tensor starts: N(0, value^2), U(-value, value), or value itself; an embedding normal too,
 * but for its first row, that of the empty token, which is 0. */
enum init_kind { INIT_CONSTANT, INIT_NORMAL, INIT_UNIFORM, INIT_EMBEDDING };
struct init {
    enum init_kind kind;
    double value;
};

/* One arena, zeroed, on cache lines. Pages that nobody writes cost nothing. */
struct arena {
    void *data;
    size_t bytes;
    void *block; /* to be freed */
};

struct graph {
    const struct arch *arch;
    size_t K, batch;
    int threads;       /* as many as can be of use */
    struct team *team; /* from graph_allocate on; NULL: one thread */
    bool he_normal;  /* weights N(0, 2 / fan_in), biases 0; else nn.Linear's and nn.Conv2d's own */
    bool he_fan_out; /* convolutions N(0, 2 / fan_out) */
    double gain;     /* not 0: weights N(0, gain^2 / fan_in) */
    struct settings settings;        /* of the architecture; a copy */
    double *correlation[NET_INPUTS]; /* as in struct net_spec; a copy; NULL: not known */
    size_t inputs_n;

    struct value *values; /* the inputs first */
    struct op *ops;
    struct net_tensor *params, *buffers;
    struct init *params_init;
    double *buffers_start; /* value that a buffer starts with */
    int *params_op;        /* op that owns the parameter, for its packing */
    char **layers;
    int *layers_op;                        /* op that begins the layer */
    char *names[NET_INPUTS + 1];           /* the inputs', then "trunk": the branches */
    int tap[NET_INPUTS], head[NET_INPUTS]; /* values; head: its logits; -1: none */
    size_t values_n, ops_n, params_n, buffers_n, layers_n;
    size_t params_count, buffers_count, states_count; /* reals */
    int output;
    struct error error; /* the first failure; status 0: none */

    unsigned char *switches; /* of all ops; most of its pages are touched by NET_BATCH alone */
    real *kept;              /* by backward_g2; touched where several passes share a forward pass */
    struct arena params_arena, grads_arena, buffers_arena, states_arena, activations, workspace,
        scratch;
    struct arena op_arena; /* scratch: the gradients of one op, or one row of a tensor */
};

/* For architectures. Values are numbered; -1 stands for one that failed. */
int graph_input(struct graph *g, size_t m); /* modality m */
int graph_op(struct graph *g, const struct op_type *type, const int *in, struct op_options o);
int graph_conv(struct graph *g, int x, struct op_options o);
int graph_linear(struct graph *g, int x, const char *name, size_t outputs);
int graph_matrix(struct graph *g, int x, const char *name, size_t outputs); /* without bias */
int graph_batchnorm(struct graph *g, int x, const char *name, bool relu);
int graph_relu(struct graph *g, int x);
int graph_maxpool(struct graph *g, int x, size_t kernel, size_t stride);
int graph_avgpool(struct graph *g, int x, size_t kernel, size_t stride);
int graph_globalpool(struct graph *g, int x);
int graph_add(struct graph *g, int a, int b);
int graph_product(struct graph *g, int a, int b);
int graph_concat(struct graph *g, int a, int b);
int graph_embedding(struct graph *g, int x, const char *name, size_t outputs);
int graph_flatten(struct graph *g, int x);
/* Modality m's encoder ends in x, the trunk begins: x stays as it is until the next forward pass.
 * Comes before the trunk's ops. */
int graph_tap(struct graph *g, int x, size_t m);
/* An auxiliary head on x, tap m: the mean of every channel if x is an image, then a linear layer
 * "head_<modality>" with K outputs. Comes before the trunk's ops too. */
void graph_head(struct graph *g, int x, size_t m);
int graph_output(struct graph *g, int logits); /* the status of it all */

/* For ops, from `shape`. */
const struct value *graph_value(const struct graph *g, int value);
void graph_param(struct graph *g, struct op *op, int i, const char *suffix, int rank,
                 const size_t *shape, struct init init);
void graph_buffer(struct graph *g, struct op *op, int i, const char *suffix, size_t n,
                  double start);
void graph_state(struct graph *g, struct op *op, size_t n);
/* How a weight and a bias with this many inputs per output start. */
struct init graph_weight_init(const struct graph *g, size_t fan_in);
struct init graph_conv_init(const struct graph *g, size_t fan_in, size_t fan_out);
struct init graph_bias_init(const struct graph *g, size_t fan_in);

/* For net.c. */
int graph_representation(const struct graph *g); /* value that the last layer reads */
int graph_begin(struct graph *g, const struct net_spec *spec);
int graph_allocate(struct graph *g, struct error *e); /* place.c: every tensor, and the memory */
void graph_free(struct graph *g);

#endif
