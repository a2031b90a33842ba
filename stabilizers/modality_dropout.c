/* modality_dropout: in some training examples a modality is missing, so that the network cannot lean
 * on it alone (Neverova et al. 2016, arXiv 1501.00102; ModDrop). What goes into the net for that
 * modality is 0: the mean image, no tokens at all. Nothing is rescaled.
 *
 *   with probability strength p, per example and epoch:   x_m <- 0
 *
 * Asymmetric dropout is two entries with a p each. One number u of stream ("modality_dropout",
 * epoch, example) of train.seed decides for all of them, so that a larger p drops the same examples
 * and more. Modality m of M is dropped when u lies in an arc of length p of the circle [0, 1): upward
 * from m/M for even m, downward from (m+1)/M for odd m. Of two modalities never both are dropped
 * while their p sum to 1 or less. Beyond that an entry spares an example of which the others have
 * left nothing: what the one listed first dropped stays dropped.
 *
 * The trap: a small p (0.1) only softens a critical period (Kleinman et al. 2023, figure 9); sweep it
 * up to 0.5 before judging. */
#include <string.h>

#include "base/rng.h"
#include "stabilizers/stabilizer.h"

/* The branches are the modalities, in their order, and the trunk. */
static size_t modalities(const struct net *net) {
    size_t n;
    net_branches(net, &n);
    return n ? n - 1 : 1;
}

static bool is_in_arc(double u, size_t m, size_t M, double p) {
    if (m % 2 == 0) {
        double above = u - (double)m / (double)M;
        return (above < 0.0 ? above + 1.0 : above) < p;
    }
    double below = (double)(m + 1) / (double)M - u;
    return (below <= 0.0 ? below + 1.0 : below) <= p;
}

static bool is_blank(const struct tensor *t, size_t n) {
    for (size_t h = 0; h < t->H; h++) {
        const real *row = tensor_at(t, n, h, 0);
        for (size_t i = 0; i < t->W * t->C; i++)
            if (row[i] != 0) return false;
    }
    return true;
}

static bool is_all_that_is_left(const struct net *net, size_t m, size_t n) {
    for (size_t k = 0; k < modalities(net); k++)
        if (k != m && !is_blank(net_input_tensor(net, k), n)) return false;
    return true;
}

static void blank(const struct tensor *t, size_t n) {
    for (size_t h = 0; h < t->H; h++) memset(tensor_at(t, n, h, 0), 0, t->W * t->C * sizeof(real));
}

static void modality_dropout_batch(const struct settings *s, const struct stabilizer_context *c) {
    const size_t m = (size_t)c->branch, M = modalities(c->net);
    const double p = c->strength * settings_real(s, "p");
    for (size_t n = 0; n < c->N; n++) {
        struct rng r = rng_stream(c->train_seed, "modality_dropout", c->epoch, c->index[n]);
        if (!is_in_arc(rng_uniform(&r), m, M, p)) continue;
        if (!is_all_that_is_left(c->net, m, n)) blank(net_input_tensor(c->net, m), n);
    }
}

static int modality_dropout_check(const struct settings *s, const struct net *net, int branch,
                                  struct error *e) {
    (void)s;
    if (modalities(net) < 2)
        return error_set(e, STATUS_USAGE,
                         "modality_dropout needs data of several modalities: of one, nothing would "
                         "be left");
    if (branch < 0)
        return error_set(e, STATUS_USAGE,
                         "modality is missing; name the one that is dropped, and list an entry for "
                         "each");
    return STATUS_OK;
}

static bool modality_dropout_is_identity(const struct settings *s) {
    return settings_real(s, "p") == 0.0;
}

static const struct param modality_dropout_params[] = {
    {.name = "p",
     .type = PARAM_REAL,
     .preset = "0.5",
     .min = 0.0,
     .max = 1.0,
     .unit = "1",
     .doc = "Probability, times the strength, that an example lacks the modality in an epoch."},
    {0},
};

const struct stabilizer stabilizer_modality_dropout = {
    .name = "modality_dropout",
    .doc = "Training examples lack the modality now and then; `modality` must be given, and each "
           "entry has its own p (ModDrop, Neverova et al. 2016).",
    .params = modality_dropout_params,
    .per_modality = true,
    .is_identity = modality_dropout_is_identity,
    .check = modality_dropout_check,
    .batch = modality_dropout_batch,
};
