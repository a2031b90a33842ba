/* The loss at a network's end: softmax and cross-entropy over logits [N, K], in double. Not an op
 * of the graph: it has labels for an input and no output activation. */
#ifndef NETS_OPS_SOFTMAX_XENT_H
#define NETS_OPS_SOFTMAX_XENT_H

#include <stddef.h>
#include <stdint.h>

#include "nets/net.h"

/* p[K] = softmax(logits[K]); returns log of the sum of exp(logits - max), plus max. */
double softmax(const real *logits, size_t K, double *p);

/* Sums over the N examples; dlogits = (p - onehot) / N, the gradient of the mean loss.
 * `p` is scratch [K]. */
struct net_loss softmax_xent(const real *logits, const int32_t *labels, size_t N, size_t K,
                             double *p, real *dlogits);

#endif
