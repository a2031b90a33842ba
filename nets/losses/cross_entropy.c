/* cross_entropy: -log p[label], p = softmax(outputs), averaged over the batch; the arithmetic is
 * nets/ops/softmax_xent.c's. */
#include "nets/loss.h"
#include "nets/ops/softmax_xent.h"

static struct net_loss cross_entropy(const struct settings *s, const struct loss_batch *b) {
    (void)s;
    return softmax_xent(b->outputs, b->labels, b->N, b->K, b->p, b->doutputs);
}

static const struct param PARAMS[] = {{0}};

const struct loss loss_cross_entropy = {
    .name = "cross_entropy",
    .doc = "Softmax and cross-entropy, for classes; the mean over the examples.",
    .params = PARAMS,
    .evaluate = cross_entropy,
};
