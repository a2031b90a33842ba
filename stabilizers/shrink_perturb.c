/* shrink_perturb: shrink the weights and add a little of a fresh net (Ash and Adams 2020, arXiv
 * 1910.08475, section 4): what was learned stays in the proportions of the weights, while the
 * gradients of what comes next are as balanced as at the start.
 *
 *   w <- shrink w + perturb w'        w' a draw of the initialization, new each time
 *
 * at the start of the window's first epoch, and every `every` epochs after it. `strength` s goes
 * from no change to the whole: shrink_s = 1 - s (1 - shrink), perturb_s = s perturb. w' is drawn
 * like the net's own start, from a seed of stream ("shrink_perturb", epoch) of the training seed, so
 * that each kind of parameter gets noise of its own scale, as in the authors' code, whose values
 * 0.4 and 0.1 are the defaults.
 *
 * The traps: a normalization's affine parameters have constants for a draw, 1 and 0: gamma becomes
 * shrink gamma + perturb, beta is only shrunk. Weights before a normalization only lose size by the
 * factor, not effect, and move more at the same rate. Running statistics and the optimizer's slots
 * stay as they are: the former follow within some batches, train.at_removal resets the latter. */
#include "base/rng.h"
#include "stabilizers/stabilizer.h"

static uint64_t draw_seed(const struct stabilizer_context *c) {
    struct rng rng = rng_stream(c->train_seed, "shrink_perturb", c->epoch, 0);
    uint64_t high = rng_word(&rng);
    return high << 32 | rng_word(&rng);
}

static void shrink_perturb_start(const struct settings *s, const struct stabilizer_context *c) {
    size_t n;
    const struct net_tensor *t = net_param_table(c->net, &n);
    const double shrink = 1 - c->strength * (1 - settings_real(s, "shrink"));
    const double perturb = c->strength * settings_real(s, "perturb");
    real *w = net_params(c->net), *fresh = c->arrays[0];
    net_init_into(c->net, draw_seed(c), fresh);
    for (size_t i = 0; i < n; i++)
        if (stabilizer_covers(c, &t[i]))
            for (size_t j = t[i].offset; j < t[i].offset + t[i].count; j++)
                w[j] = (real)(shrink * (double)w[j] + perturb * (double)fresh[j]);
}

static bool shrink_perturb_acts(const struct settings *s, int64_t since) {
    const int64_t every = settings_int(s, "every");
    return since == 0 || (every > 0 && since % every == 0);
}

static bool shrink_perturb_is_identity(const struct settings *s) {
    return settings_real(s, "shrink") >= 1 && settings_real(s, "perturb") <= 0;
}

static const struct param shrink_perturb_params[] = {
    {.name = "shrink",
     .type = PARAM_REAL,
     .preset = "0.4",
     .min = 0,
     .max = 1,
     .unit = "1",
     .doc = "Factor on the parameters; 1 keeps them."},
    {.name = "perturb",
     .type = PARAM_REAL,
     .preset = "0.1",
     .min = 0,
     .max = 1000,
     .unit = "1",
     .doc = "Factor on the fresh draw of the initialization that is added; 0 adds none."},
    {.name = "every",
     .type = PARAM_INT,
     .preset = "0",
     .min = 0,
     .max = 1000000,
     .unit = "epochs",
     .doc = "Again every so many epochs of the window; 0: in its first epoch only."},
    {0},
};

const struct stabilizer stabilizer_shrink_perturb = {
    .name = "shrink_perturb",
    .doc = "Parameters shrunk and mixed with fresh initial ones (Ash and Adams 2020).",
    .params = shrink_perturb_params,
    .arrays = 1,
    .is_identity = shrink_perturb_is_identity,
    .acts = shrink_perturb_acts,
    .epoch_start = shrink_perturb_start,
};
