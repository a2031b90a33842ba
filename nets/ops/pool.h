/* What the pooling ops share: the shape of their output. */
#ifndef NETS_OPS_POOL_H
#define NETS_OPS_POOL_H

#include "nets/graph.h"
#include "nets/op.h"

static inline struct pass_window pool_window(const struct op *op) {
    const struct op_options *o = &op->options;
    return (struct pass_window){o->kernel, o->stride ? o->stride : o->kernel, o->pad};
}

static inline int pool_shape(struct graph *g, struct op *op, struct value *y, struct error *e) {
    const struct value *x = graph_value(g, op->in[0]);
    struct pass_window w = pool_window(op);
    if (x->H + 2 * w.pad < w.kernel || x->W + 2 * w.pad < w.kernel)
        return error_set(e, STATUS_USAGE,
                         "its %zu x %zu input is smaller than its %zu x %zu window; "
                         "use larger images or a shallower network",
                         x->H, x->W, w.kernel, w.kernel);
    y->H = (x->H + 2 * w.pad - w.kernel) / w.stride + 1;
    y->W = (x->W + 2 * w.pad - w.kernel) / w.stride + 1;
    return STATUS_OK;
}

#endif
