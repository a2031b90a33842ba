/* A network: a static graph of ops over three arenas (parameters, gradients, activations).
 *
 *   net_create -> net_init -> per batch: write net_input, net_forward, net_loss, net_backward
 *
 * Nothing here knows of experiments, epochs or files. No global state: two nets live side by side.
 * Results are bit-identical for any number of threads: work is cut into fixed pieces and every
 * reduction runs over the pieces in order. No allocation after net_create. */
#ifndef NETS_NET_H
#define NETS_NET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/real.h"
#include "base/settings.h"
#include "nets/tensor.h"

enum { NET_NAME = 64, NET_INPUTS = 4, NET_READS = 3 };

struct net_input {
    const char *name; /* modality: "image" */
    size_t H, W, C;
    size_t tokens; /* the elements are token numbers 0..tokens-1, written as reals; token 0 is the
                      empty one, a zero vector. 0: the elements are numbers. */
};

/* A parameter or a buffer (running statistics), under its PyTorch name and shape. */
struct net_tensor {
    char name[NET_NAME]; /* "conv1.weight", "norm1.running_mean" */
    int rank;
    size_t shape[4]; /* PyTorch's: conv O,I,H,W; linear out,in; vectors n */
    size_t offset;   /* into net->params (and net->grads), or into net->buffers */
    size_t count;
    int layer;   /* index into the layers; -1: none */
    bool packed; /* stored as the kernels want it; net_export and net_import convert */
};

struct net_spec {
    const struct arch *arch;         /* nets/arch.h */
    const struct settings *settings; /* of the arch's parameter table */
    const struct net_input *inputs;  /* one per modality; names are copied */
    size_t inputs_n;
    size_t K;     /* classes, or outputs */
    size_t batch; /* the largest N of any call */
    int threads;  /* of this net, see team.h; 1 in sweeps */

    const struct loss *loss;              /* nets/loss.h; NULL: cross-entropy */
    const struct settings *loss_settings; /* of the loss's parameter table; NULL: its defaults */
    /* [inputs_n], each [K, H W C]: sum over the training examples of target times input, which some
     * initializations start from; NULL: not known. Copied. */
    const double *const *correlation;
};

enum net_mode {
    NET_TRAIN,   /* batch statistics, running statistics updated */
    NET_EVAL,    /* running statistics, nothing updated */
    NET_BATCH,   /* batch statistics, nothing updated: for passes beside the training step's */
    NET_SWITCHED /* so too, and rectifiers and max poolings let through what they did in the last
                    NET_BATCH pass, of as many examples: the network without its kinks */
};

struct net_loss {
    double loss;    /* sum over the examples of the loss, -log p(label) in nats or 1/2 |y - t|^2 */
    double entropy; /* sum over the examples of the predictive entropy, nats; NaN: not defined */
    size_t correct; /* argmax == label; a tie or NaN counts as wrong; 0 for data without classes */
};

struct net; /* opaque */

/* STATUS_USAGE with a sentence when the architecture cannot take these inputs. */
int net_create(struct net **net, const struct net_spec *spec, struct error *e);
void net_free(struct net *net);

/* Initialize every parameter from stream ("init", tensor's name) of `seed`, buffers to their
 * start values. The draw of a tensor depends on its name and shape alone. */
void net_init(struct net *net, uint64_t seed);
/* The parameters alone, into any array with their offsets (what lies between tensors is left as it
 * is). net_grads is scratch to some architectures, and zeroed. */
void net_init_into(struct net *net, uint64_t seed, real *arena);

size_t net_batch(const struct net *net); /* the largest N */
/* The N, up to that, with which passes take least time per example that need no statistics of the batch:
 * few, so that activations stay in cache from op to op, unless the parameters, read once a pass, are
 * more to read than the activations of so few. */
size_t net_batch_few(const struct net *net);

/* What the state consists of. Arrays are owned by the net. */
size_t net_params_count(const struct net *net);
real *net_params(struct net *net);
real *net_grads(struct net *net); /* same offsets as the parameters */
real *net_buffers(struct net *net);
size_t net_buffers_count(const struct net *net);
const struct net_tensor *net_param_table(const struct net *net, size_t *n);
const struct net_tensor *net_buffer_table(const struct net *net, size_t *n);
const char *const *net_layers(const struct net *net, size_t *n); /* "conv1", "fc2", ... */
/* Copy one tensor between an arena (params, grads, a slot of the optimizer: any array with the
 * parameters' offsets) and PyTorch's layout. */
void net_export(const struct net *net, const struct net_tensor *t, const real *arena, real *out);
void net_import(const struct net *net, const struct net_tensor *t, real *arena, const real *in);
/* The same of its rows [first, last) along axis 0; `out` and `in` begin with the first of them. */
void net_export_rows(const struct net *net, const struct net_tensor *t, size_t first, size_t last,
                     const real *arena, real *out);
void net_import_rows(const struct net *net, const struct net_tensor *t, size_t first, size_t last,
                     real *arena, const real *in);

/* Branches: with several inputs, a layer that only one of them reaches belongs to that modality's
 * encoder, a layer that several reach to the trunk. Names: the inputs', then "trunk"; none (n = 0)
 * in a net of one input. */
const char *const *net_branches(const struct net *net, size_t *n);
/* Index of a layer's branch; -1: an auxiliary head, or a net of one input. */
int net_layer_branch(const struct net *net, size_t layer);

/* The tensor that example n of modality m is written into before net_forward. */
const struct tensor *net_input_tensor(const struct net *net, size_t m);

void net_forward(struct net *net, size_t N, enum net_mode mode);
const struct tensor *net_logits(const struct net *net); /* [N, K], H = W = 1 */

/* What the last layer with parameters reads, after the last forward pass: the representation. */
const struct tensor *net_representation(const struct net *net);

/* The i-th rectified activation (ReLU, alone or behind a normalization) of the main path, in order
 * of execution, with the layer it belongs to; false: i is past the last one. y holds until the next
 * call about this net; gradients that were set for the outputs are lost. */
bool net_rectified(const struct net *net, size_t i, const struct tensor **y, size_t *layer);

/* Taps: where modality m's encoder ends and the trunk begins. */
bool net_has_tap(const struct net *net, size_t m);
size_t net_tap_size(const struct net *net, size_t m); /* reals per example, H W C */
/* Example n's activation there, after net_forward; or one of the caller's in its place. */
void net_tap_read(const struct net *net, size_t m, size_t n, real *out);
void net_tap_write(struct net *net, size_t m, size_t n, const real *in);
/* NET_EVAL through the trunk alone, from what the taps of examples 0..N-1 hold, to the logits (and
 * the representation). Gradients of it are not defined. Every modality must have a tap. */
void net_forward_trunk(struct net *net, size_t N);

/* Auxiliary heads: a linear layer "head_<modality>" from a tap to K logits of its own, which the
 * architecture was asked for. They run with every forward pass and influence nothing else, unless
 * net_head_loss is called between net_loss and net_backward. */
bool net_has_head(const struct net *net, size_t m);
/* Cross-entropy of head m in the last forward pass; its gradient, times `weight`, is added to what
 * net_backward forms (weight 0: nothing is added). net_forward forgets it again. */
struct net_loss net_head_loss(struct net *net, size_t m, const int32_t *labels, size_t N,
                              double weight);

/* Where a loss that compares with targets finds them: [batch, K], NaN for what is not known, to be
 * written as the inputs are. NULL: the loss of this network reads labels. */
real *net_targets(const struct net *net);

/* The loss of the last forward pass; sets the outputs' gradient to that of what is minimized. It is
 * cross-entropy unless net_spec says otherwise: labels in 0..K-1, gradient (p - onehot)/N, that of
 * the mean. A loss that reads targets takes those of net_targets, and labels only to count the
 * correct ones (-1: no class). */
struct net_loss net_loss(struct net *net, const int32_t *labels, size_t N);
/* Class probabilities of the last forward pass, [N, K] in double; NaN where the loss is of targets. */
void net_probabilities(const struct net *net, size_t N, double *p);
/* Set the logits' gradient directly, [N, K]: for Fisher estimators. */
void net_set_dlogits(struct net *net, size_t N, const real *dlogits);

/* Gradients of the last forward pass by the parameters, into net_grads (overwritten). After
 * NET_EVAL the running statistics are constants. Gradients by the inputs are not formed. */
void net_backward(struct net *net, size_t N);

/* Where gradients go as they are finished, a piece at a time while it is in cache. The parameters of
 * a piece are not read again in the pass, so an optimizer may take its step with them at once. */
struct net_taker {
    /* dw[0..count) are the gradients by the parameters from `offset` on. Every parameter comes once.
     * Several threads call at a time. */
    double (*take)(const void *context, size_t offset, size_t count, const real *dw);
    const void *context;
    const real *reads[NET_READS]; /* arrays with the parameters' offsets that `take` works on: they
                                     are fetched in time. NULL: no more */
};
/* net_backward, but the gradients go to `taker`, and net_grads stays as it is. Returns the sum of what
 * `take` returned, in an order that no number of threads changes. */
double net_backward_to(struct net *net, size_t N, const struct net_taker *taker);

/* Per-example squared gradient norms of the last NET_EVAL forward pass, for the logits' gradient
 * set by net_set_dlogits (one example each, not divided by N): g2[n * layers + l] = squared norm
 * of example n's gradient by layer l's parameters (weights, biases and normalization affine),
 * summed in double. No batch of gradients is ever formed, and net_grads stays as it is.
 * `passes`: how many such passes this forward pass gets; the first of several keeps what they share. */
void net_backward_g2(struct net *net, size_t N, size_t passes, double *g2);

#endif
