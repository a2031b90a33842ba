/* What deficits of images and features share: stored examples, bytes or floats, as doubles and back,
 * and the draws of noise and of who is affected. */
#ifndef DEFICITS_PIXELS_H
#define DEFICITS_PIXELS_H

#include "base/rng.h"
#include "deficits/deficit.h"

/* The stream of a deficit for one example: purpose "deficit NAME", the context's epoch and index. */
struct rng deficit_stream(const struct deficit_context *c, const char *purpose);

/* Is this example among the fraction `severity`? Takes one uniform number of the stream, the same at
 * every severity, so that a ramp only ever adds examples while it rises. */
bool deficit_affects(const struct deficit_context *c, struct rng *r);

double pixel_get(const struct modality *m, const void *x, size_t i);
/* x_i + severity (spoiled - x_i); bytes are rounded to nearest and kept within 0..255. */
void pixel_blend(const struct modality *m, void *x, size_t i, double severity, double spoiled);

/* Gaussian noise with the clean training mean and s.d. of the channel. */
double pixel_noise(const struct modality *m, size_t channel, struct rng *r);

#endif
