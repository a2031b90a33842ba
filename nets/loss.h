/* Losses: what a network's outputs [N, K] are compared with. One file each under nets/losses, ending
 * in one `const struct loss`, and one line in nets/losses/losses.def.
 *
 * A loss reads either labels, classes 0..K-1, or targets, K numbers per example, of which a NaN is
 * not known and asks nothing. It is -log p(label or targets | input), up to a constant, of some
 * model, which is what Fisher information is measured of. */
#ifndef NETS_LOSS_H
#define NETS_LOSS_H

#include "base/settings.h"
#include "nets/net.h"

struct loss_batch {
    size_t N, K;
    const real *outputs;   /* [N, K] */
    const int32_t *labels; /* [N]; -1: the example is of no class */
    const real *targets;   /* [N, K]; NULL where the loss reads labels */
    double *p;             /* [K] scratch */
    real *doutputs;        /* [N, K] to be filled: the gradient of what is minimized */
};

struct loss {
    const char *name;
    const char *doc; /* one sentence */
    const struct param *params;
    bool reads_targets;
    struct net_loss (*evaluate)(const struct settings *s, const struct loss_batch *b);
};

const struct loss *loss_find(const char *name); /* NULL: none of that name */
const struct loss *const *loss_list(size_t *n); /* in order of losses.def; the default first */

#endif
