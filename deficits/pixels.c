/* Pixels as stored, and the streams of deficits. Every deficit has a purpose of its own ("deficit
 * noise"), so that two deficits in one run never share their draws. */
#include "deficits/pixels.h"

#include <math.h>

#include "sim/data.h"

struct rng deficit_stream(const struct deficit_context *c, const char *purpose) {
    return rng_stream(c->seed, purpose, c->epoch, c->index);
}

bool deficit_affects(const struct deficit_context *c, struct rng *r) {
    return rng_uniform(r) < c->severity;
}

double pixel_get(const struct modality *m, const void *x, size_t i) {
    return m->bytes ? ((const uint8_t *)x)[i] : (double)((const float *)x)[i];
}

void pixel_blend(const struct modality *m, void *x, size_t i, double severity, double spoiled) {
    const double clean = pixel_get(m, x, i);
    /* exact at full severity, where clean + (spoiled - clean) may round */
    const double v = severity < 1 ? clean + severity * (spoiled - clean) : spoiled;
    if (m->bytes)
        ((uint8_t *)x)[i] = (uint8_t)fmin(255, fmax(0, floor(v + 0.5)));
    else
        ((float *)x)[i] = (float)v;
}

double pixel_noise(const struct modality *m, size_t channel, struct rng *r) {
    return m->mean[channel] + m->sd[channel] * rng_normal(r);
}
