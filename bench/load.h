/* A network at work: what the benchmarks time. One fixed batch of random images lies in memory, as
 * PyTorch's tensors do in bench/rival.py; no data set, augmentation or log is part of it. */
#ifndef BENCH_LOAD_H
#define BENCH_LOAD_H

#include "analysis/measures/fisher_trace.h"
#include "base/error.h"
#include "nets/graph.h"
#include "nets/net.h"
#include "nets/optimizer.h"

struct load_spec {
    const char *arch;
    const char *settings; /* "width=0.25" or "width=16;norm=none"; "-": the defaults */
    size_t H, W, C, K, batch;
    int threads;
};

struct load {
    struct net *net;
    const struct optimizer *optimizer;
    struct settings optimizer_settings;
    size_t batch, K;
    real *x; /* [batch, H, W, C] */
    int32_t *label;
    real *momentum;
    int64_t steps;
    double loss;           /* mean over the batch, of the last step */
    size_t ops_n;          /* of `graph` */
    struct graph graph;    /* a twin of the net's: shapes, and memory once load_op_run asks */
    bool graph_has_memory; /* its activations are zeros */
};

/* STATUS_USAGE when the registry has no such architecture or the settings are wrong. */
int load_create(struct load *l, const struct load_spec *spec, struct error *e);
void load_free(struct load *l);

/* Nominal FLOPs per example of direct convolutions and products, 2 a multiply-add, taps in the
 * padding counted: of the forward pass, and of a step (forward, gradients by the parameters, and by
 * the inputs where parameters lie before them). Everything else counts as 0. */
struct load_flops {
    double forward, step;
};
struct load_flops load_flops(const struct load *l);
struct load_flops load_op_flops(const struct load *l, const struct op *op);

/* Bytes of what a training step must keep of the batch: the images and every op's output once; views and what works in place keep nothing of their own. */
size_t load_activations(const struct load *l);

/* One training step: the batch into the net, forward, loss, backward, SGD with momentum. */
void load_step(struct load *l);
/* Forward in evaluation mode, loss and backward: what a Fisher trace is compared with. */
void load_pass(struct load *l);
/* The Fisher trace over the batch. */
int load_fisher(struct load *l, enum fisher_estimator estimator, struct fisher_result *r,
                struct error *e);
/* Loss of the batch in training mode, running statistics and parameters as they were. */
double load_loss(struct load *l);

/* For timing single ops of l->graph: memory for it, and the walk they are called with. */
int load_op_run(struct load *l, struct op_run *run, struct error *e);

/* Parameters in PyTorch's order, then the images (N H W C), then the labels, all as float32. */
int load_save(const struct load *l, const char *path, struct error *e);

#endif
