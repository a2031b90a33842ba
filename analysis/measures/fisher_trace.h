/* The trace of the Fisher information matrix, in total, by layer and by branch, over a set of probes.
 *
 *   tr F = E_x E_{y ~ p_w(y|x)} |grad_w log p_w(y|x)|^2          in nats, per example
 *
 * Evaluation mode: batch norm uses its running statistics. Parameters and buffers are not touched;
 * activations and gradients are overwritten. */
#ifndef ANALYSIS_MEASURES_FISHER_TRACE_H
#define ANALYSIS_MEASURES_FISHER_TRACE_H

#include <stddef.h>
#include <stdint.h>

#include "analysis/measures/measure.h"
#include "base/error.h"
#include "nets/net.h"

enum fisher_estimator {
    FISHER_EXACT,    /* every class, weighted with p(y|x); one backward pass less than classes */
    FISHER_SAMPLED,  /* labels drawn from the model; one backward pass per draw */
    FISHER_SKETCH,   /* random signs through a root of diag(p) - p p^T; one pass per draw */
    FISHER_EMPIRICAL /* the data's labels: not the Fisher, but often called so */
};

struct fisher_result {
    double trace, trace_stderr; /* the standard error is over probes; NaN when there is one */
    double entropy, loss;       /* means over the probes at the same instant, nats */
    double *layer_trace, *layer_stderr;   /* [layers], the caller's */
    double *branch_trace, *branch_stderr; /* [net_branches], the caller's; unused where there are
                                             none */
};

/* The estimator of a name: "exact", "sampled", "sketch", "empirical". */
enum fisher_estimator fisher_estimator(const char *name);

/* `draws` labels a probe for FISHER_SAMPLED, or vectors of signs for FISHER_SKETCH, from streams
 * ("fisher", epoch, probe draws + draw) of `seed`. STATUS_FAILED when there is no memory. */
int fisher_trace(struct net *net, const struct measure_examples *probes,
                 enum fisher_estimator estimator, int draws, uint64_t seed, uint32_t epoch,
                 struct fisher_result *result, struct error *e);

#endif
