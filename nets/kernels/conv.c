/* Which convolution runs, and the order of its weights. */
#include "nets/kernels/conv.h"

#include "nets/kernels/isa.h"

ISA_TABLE(struct conv_kernel, conv_direct);
ISA_TABLE(struct conv_kernel, conv_winograd);

const struct conv_kernel *conv_direct_isa(const char *name) {
    const enum isa isa = isa_find(name);
    return isa < ISAS ? conv_direct_isas[isa] : NULL;
}

const struct conv_kernel *conv_winograd_isa(const char *name) {
    const enum isa isa = isa_find(name);
    return isa < ISAS ? conv_winograd_isas[isa] : NULL;
}

/* Where Winograd's method won on the machines measured (bench/bench_conv.c), against the direct one at
 * 0.7 to 1.0 of the FMA peak: with 16 channels by about 1.1, with 48 by 1.5, with 192 by 1.7. Below
 * that its transforms cost what its products save. A single image must have tiles enough to make up
 * for the transform of its weight gradient: at 8 x 8 it wins by about 1.2, at 4 x 4 it does not. */
enum { CHANNELS_LEAST = 16, PIXELS_LEAST = 16, PIXELS_LEAST_SINGLE = 64 };

const struct conv_kernel *conv_choose(const struct conv_shape *s, size_t pixels, bool single) {
    const struct conv_kernel *winograd = conv_winograd_isas[isa_best()];
    const struct conv_kernel *direct = conv_direct_isas[isa_best()];
    const size_t least = single ? PIXELS_LEAST_SINGLE : PIXELS_LEAST;
    const bool wide = s->C >= CHANNELS_LEAST && s->O >= CHANNELS_LEAST;
    if (winograd->covers(s) && wide && pixels >= least) return winograd;
    return direct->covers(s) ? direct : &conv_reference;
}

void conv_pack(const struct conv_shape *s, size_t first, size_t last, const real *oihw,
               real *packed) {
    const size_t taps = s->R * s->S;
    for (size_t o = first; o < last; o++)
        for (size_t c = 0; c < s->C; c++)
            for (size_t t = 0; t < taps; t++)
                packed[(t * s->C + c) * s->O + o] = oihw[((o - first) * s->C + c) * taps + t];
}

void conv_unpack(const struct conv_shape *s, size_t first, size_t last, const real *packed,
                 real *oihw) {
    const size_t taps = s->R * s->S;
    for (size_t o = first; o < last; o++)
        for (size_t c = 0; c < s->C; c++)
            for (size_t t = 0; t < taps; t++)
                oihw[((o - first) * s->C + c) * taps + t] = packed[(t * s->C + c) * s->O + o];
}
