/* squared_error: half the squared distance of the outputs y to the targets t,
 *
 *   L = 1/M sum over examples n and known k of 1/2 (y[n,k] - t[n,k])^2,   dL/dy = (y - t) / M
 *
 * with M the examples of the batch, its known entries, or 1 (`mean`). Per example it is -log p(t|x)
 * but for a constant, of the Gaussian N(y, I) with unit variance, whose Fisher information is the
 * Gauss-Newton matrix of 1/2 |y - t|^2.
 *
 * An entry that is not known (NaN) adds nothing and has no gradient: matrix completion. A diverged
 * output makes the loss not finite, as it must be noticed. There is no predictive entropy to speak
 * of: that of the Gaussian is a constant. The largest output is the class predicted, where there are
 * classes. */
#include <math.h>

#include "nets/loss.h"

static size_t is_strictly_largest(const real *y, size_t K, int32_t label) {
    if (label < 0) return 0;
    for (size_t k = 0; k < K; k++)
        if (k != (size_t)label && !(y[label] > y[k])) return 0;
    return 1;
}

/* Residuals into doutputs; returns how many entries are known. */
static size_t residuals(const struct loss_batch *b, struct net_loss *total) {
    size_t known = 0;
    for (size_t i = 0; i < b->N * b->K; i++) {
        const bool is_known = !isnan(b->targets[i]);
        const double off = is_known ? (double)b->outputs[i] - (double)b->targets[i] : 0;
        b->doutputs[i] = (real)off;
        total->loss += 0.5 * off * off;
        known += is_known;
    }
    return known;
}

static struct net_loss squared_error(const struct settings *s, const struct loss_batch *b) {
    struct net_loss total = {.entropy = NAN};
    const size_t known = residuals(b, &total);
    double M = 1;
    if (settings_is(s, "mean", "examples")) M = (double)b->N;
    if (settings_is(s, "mean", "entries")) {
        M = known ? (double)known : 1;
        total.loss *= (double)b->N / M; /* the caller divides by N */
    }
    for (size_t i = 0; i < b->N * b->K; i++) b->doutputs[i] = (real)((double)b->doutputs[i] / M);
    for (size_t n = 0; n < b->N; n++)
        total.correct += is_strictly_largest(b->outputs + n * b->K, b->K, b->labels[n]);
    return total;
}

static const struct param PARAMS[] = {
    {.name = "mean",
     .type = PARAM_CHOICE,
     .preset = "examples",
     .choices = "examples|entries|none",
     .doc = "What the sum over a batch's examples and known entries is divided by: the examples, "
            "those entries, or nothing. Losses in the log are means over examples, with entries "
            "over those."},
    {0},
};

const struct loss loss_squared_error = {
    .name = "squared_error",
    .doc = "Half the squared distance to the data's targets, of which some may be unknown; a class "
           "counts as the target 1, all others 0.",
    .params = PARAMS,
    .reads_targets = true,
    .evaluate = squared_error,
};
