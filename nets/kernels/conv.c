/* Which convolution runs, and the order of its weights. */
#include "nets/kernels/conv.h"

#include <string.h>

#include "nets/kernels/isa.h"

ISA_TABLE(struct conv_kernel, conv_direct);
ISA_TABLE(struct conv_kernel, conv_f23);
ISA_TABLE(struct conv_kernel, conv_f25);
ISA_TABLE(struct conv_kernel, conv_f43);

const struct conv_kernel *conv_find(const char *name, const char *isa) {
    static const struct conv_kernel *const *const tables[] = {conv_direct_isas, conv_f23_isas,
                                                              conv_f25_isas, conv_f43_isas};
    const enum isa here = isa_find(isa);
    if (strcmp(name, conv_reference.name) == 0) return &conv_reference;
    for (size_t i = 0; i < sizeof tables / sizeof *tables && here < ISAS; i++)
        if (strcmp(name, tables[i][here]->name) == 0) return tables[i][here];
    return NULL;
}

/* Where Winograd's method won on the machines measured (bench/bench_conv.c), against the direct one at
 * 0.7 to 1.0 of the FMA peak. 3x3: F(4x4) with 16 channels by about 1.1, with 48 by 1.9, with 192 by 2.4,
 * and everywhere against F(2x2), which is 1.0 to 1.7. 5x5: with 8 channels by up to 1.2, from 16 to 32
 * by 1.6. With fewer the transforms cost what the products save. A single image must have tiles enough
 * to make up for the transform of its weight gradient: F(4x4) at 16 x 16, F(2x2) at 8 x 8 by about 1.2, at
 * 4 x 4 neither does; 5x5 at 10 x 10 by 1.1 to 1.3. */
static const struct rule {
    const struct conv_kernel *const *isas;
    size_t channels, pixels, pixels_single; /* at least */
} rules[] = {
    {conv_f43_isas, 16, 16, 256}, {conv_f23_isas, 16, 16, 64}, {conv_f25_isas, 8, 64, 100}};

const struct conv_kernel *conv_choose(const struct conv_shape *s, size_t pixels, bool single) {
    const enum isa isa = isa_best();
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
        const struct rule *r = &rules[i];
        const bool wins = s->C >= r->channels && s->O >= r->channels &&
                          pixels >= (single ? r->pixels_single : r->pixels);
        if (wins && r->isas[isa]->covers(s)) return r->isas[isa];
    }
    return conv_direct_isas[isa]->covers(s) ? conv_direct_isas[isa] : &conv_reference;
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
