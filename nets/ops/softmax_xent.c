/* softmax_xent: loss = -log p[label], p = softmax(logits), d loss / d logits = p - onehot.
 *
 * log p[label] is logits[label] - log sum exp, never the logarithm of a p that may have
 * underflown. The largest logit is subtracted first, so exp cannot overflow. A NaN among the
 * logits makes the loss NaN, which is how a diverged run is noticed. */
#include "nets/ops/softmax_xent.h"

#include <math.h>

double softmax(const real *logits, size_t K, double *p) {
    double most = (double)logits[0], sum = 0;
    for (size_t k = 1; k < K; k++) most = fmax(most, (double)logits[k]);
    for (size_t k = 0; k < K; k++) sum += p[k] = exp((double)logits[k] - most);
    for (size_t k = 0; k < K; k++) p[k] /= sum;
    return most + log(sum);
}

/* - sum p log p = log sum exp - sum p logit */
static double entropy(const real *logits, const double *p, size_t K, double log_sum) {
    double h = log_sum;
    for (size_t k = 0; k < K; k++)
        if (p[k] > 0) h -= p[k] * (double)logits[k];
    return h;
}

static size_t is_strictly_largest(const real *logits, size_t K, size_t label) {
    for (size_t k = 0; k < K; k++)
        if (k != label && !(logits[label] > logits[k])) return 0;
    return 1;
}

struct net_loss softmax_xent(const real *logits, const int32_t *labels, size_t N, size_t K,
                             double *p, real *dlogits) {
    struct net_loss total = {0};
    for (size_t n = 0; n < N; n++) {
        const real *z = logits + n * K;
        size_t label = (size_t)labels[n];
        double log_sum = softmax(z, K, p);
        total.loss += log_sum - (double)z[label];
        total.entropy += entropy(z, p, K, log_sum);
        total.correct += is_strictly_largest(z, K, label);
        for (size_t k = 0; k < K; k++)
            dlogits[n * K + k] = (real)((p[k] - (k == label)) / (double)N);
    }
    return total;
}
