/* A sense that is missing: the modality holds nothing of the example any more, the label stays.
 *
 *   mode: zero   stored zeros: a black image, empty tokens. To the net that is -mean/sd, a constant.
 *   mode: mean   the clean training mean of each channel: the net sees 0 (up to rounding, for bytes).
 *                Tokens are names of things and have no mean.
 *   mode: noise  as the deficit noise, Gaussian; tokens are drawn uniformly from all but the empty
 *                one. Drawn once per example, and so memorable, unless `fresh`.
 *
 * Zeros and means are both in use for a modality that is off (the mean replaces what a branch is told
 * of the other one in the conditional utilization of Wu, Jastrzebski, Cho, Geras 2022); they are
 * different inputs to a net and can give different results. Severity below 1 blends images and
 * features; of tokens, which cannot be blended, that fraction of the examples is without theirs. */
#include <string.h>

#include "deficits/pixels.h"
#include "sim/data.h"

static void tokens_off(const struct settings *s, const struct deficit_context *c, float *token,
                       struct rng *r) {
    const struct modality *m = c->modality;
    const bool is_noise = settings_is(s, "mode", "noise");
    if (!deficit_affects(c, r)) return;
    for (size_t i = 0; i < modality_size(m); i++)
        token[i] = is_noise ? (float)(1 + rng_below(r, (uint32_t)m->tokens - 1)) : 0;
}

static double off_value(const struct settings *s, const struct modality *m, size_t channel,
                        struct rng *r) {
    if (settings_is(s, "mode", "zero")) return 0;
    if (settings_is(s, "mode", "mean")) return m->mean[channel];
    return pixel_noise(m, channel, r);
}

static void modality_off_spoil(const struct settings *s, const struct deficit_context *c, void *x,
                               void *scratch) {
    (void)scratch;
    const struct modality *m = c->modality;
    struct rng r = deficit_stream(c, "deficit modality_off");
    if (m->kind == MODALITY_TOKENS)
        tokens_off(s, c, x, &r);
    else
        for (size_t i = 0; i < modality_size(m); i++)
            pixel_blend(m, x, i, c->severity, off_value(s, m, i % m->C, &r));
}

static bool modality_off_uses(const struct settings *s, const char *param) {
    return strcmp(param, "fresh") != 0 || settings_is(s, "mode", "noise");
}

static bool modality_off_is_fresh(const struct settings *s) {
    return settings_is(s, "mode", "noise") && settings_bool(s, "fresh");
}

static int modality_off_check(const struct settings *s, const struct modality *m, size_t K,
                              struct error *e) {
    (void)K;
    if (m->kind != MODALITY_TOKENS) return STATUS_OK;
    if (settings_is(s, "mode", "mean"))
        return error_set(e, STATUS_USAGE,
                         "mode: '%s' holds tokens, which have no mean: take zero or noise",
                         m->name);
    if (settings_is(s, "mode", "noise") && m->tokens < 2)
        return error_set(e, STATUS_USAGE, "mode: '%s' has no token but the empty one: take zero",
                         m->name);
    return STATUS_OK;
}

static const struct param modality_off_params[] = {
    {.name = "mode",
     .type = PARAM_CHOICE,
     .preset = "zero",
     .choices = "zero|mean|noise",
     .doc =
         "What is there instead: stored zeros (black, empty tokens), the clean training mean per "
         "channel (not for tokens), or noise."},
    {.name = "fresh",
     .type = PARAM_BOOL,
     .preset = "false",
     .doc = "Draw the noise anew in every epoch instead of once per example."},
    {0},
};

const struct deficit deficit_modality_off = {
    .name = "modality_off",
    .doc = "A modality without content: zeros, its mean or noise, labels kept.",
    .params = modality_off_params,
    .takes = TAKES_IMAGES | TAKES_TOKENS | TAKES_FEATURES,
    .uses = modality_off_uses,
    .is_fresh = modality_off_is_fresh,
    .check = modality_off_check,
    .spoil = modality_off_spoil,
};
