/* Sensory deprivation (Achille et al. 2019): the image is replaced by noise, the label stays.
 * Gaussian noise has the clean training mean and s.d. of each channel; uniform noise runs over 0..255
 * for bytes and over mean +- sqrt(3) s.d. (the same variance) for floats. Each image has its noise
 * for good, so that it can be memorized, unless `fresh` draws it anew in every epoch. Features are
 * floats of one channel. */
#include <math.h>

#include "deficits/pixels.h"
#include "sim/data.h"

static double noise_value(const struct modality *m, size_t c, bool gaussian, struct rng *r) {
    if (gaussian) return pixel_noise(m, c, r);
    if (m->bytes) return rng_below(r, 256);
    return m->mean[c] + m->sd[c] * sqrt(3) * (2 * rng_uniform(r) - 1);
}

static void noise_image(const struct settings *s, const struct deficit_context *c, void *x,
                        void *scratch) {
    (void)scratch;
    const struct modality *m = c->modality;
    const bool gaussian = settings_is(s, "distribution", "gaussian");
    struct rng r = deficit_stream(c, "deficit noise");
    for (size_t i = 0; i < modality_size(m); i++)
        pixel_blend(m, x, i, c->severity, noise_value(m, i % m->C, gaussian, &r));
}

static bool noise_is_fresh(const struct settings *s) {
    return settings_bool(s, "fresh");
}

static const struct param noise_params[] = {
    {.name = "distribution",
     .type = PARAM_CHOICE,
     .preset = "gaussian",
     .choices = "gaussian|uniform",
     .doc = "Gaussian with the clean training mean and s.d. per channel, or uniform."},
    {.name = "fresh",
     .type = PARAM_BOOL,
     .preset = "false",
     .doc = "Draw the noise anew in every epoch instead of once per image."},
    {0},
};

const struct deficit deficit_noise = {
    .name = "noise",
    .doc = "Images or features replaced by noise, labels kept, like sensory deprivation.",
    .params = noise_params,
    .is_fresh = noise_is_fresh,
    .takes = TAKES_IMAGES | TAKES_FEATURES,
    .spoil = noise_image,
};
