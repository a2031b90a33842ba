/* Which convolution runs, and the order of its weights.
 *
 * The kernels are compiled once per instruction set. The set is read from the processor at every
 * call (a few loads), so there is no state to set up. A set counts only with every feature that its
 * kernels were compiled for: x86-64-v3 and v4 are those of the System V ABI (x86-64 psABI 1.0,
 * section 3.1.1). */
#include <string.h>

#include "nets/kernels/conv.h"

extern const struct conv_kernel conv_direct_base, conv_winograd_base;
#if defined HAVE_ISA_v3 || defined HAVE_ISA_v4
static bool has_v3(void) {
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
           __builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2");
}
#endif
#ifdef HAVE_ISA_v3
extern const struct conv_kernel conv_direct_v3, conv_winograd_v3;
#endif
#ifdef HAVE_ISA_v4
extern const struct conv_kernel conv_direct_v4, conv_winograd_v4;

static bool has_v4(void) {
    return has_v3() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") &&
           __builtin_cpu_supports("avx512vl");
}
#endif
static bool has_baseline(void) {
    return true;
}

/* Best first. */
static const struct {
    const char *name;
    bool (*here)(void);
    const struct conv_kernel *direct, *winograd;
} isas[] = {
#ifdef HAVE_ISA_v4
    {"x86-64-v4", has_v4, &conv_direct_v4, &conv_winograd_v4},
#endif
#ifdef HAVE_ISA_v3
    {"x86-64-v3", has_v3, &conv_direct_v3, &conv_winograd_v3},
#endif
    {"baseline", has_baseline, &conv_direct_base, &conv_winograd_base},
};

enum { ISAS = sizeof isas / sizeof *isas };

static size_t isa_best(void) {
    size_t i = 0;
    while (!isas[i].here()) i++;
    return i;
}

const char *conv_isa(void) {
    return isas[isa_best()].name;
}

static size_t isa_find(const char *name) {
    size_t i = 0;
    while (i < ISAS && (strcmp(isas[i].name, name) != 0 || !isas[i].here())) i++;
    return i;
}

const struct conv_kernel *conv_direct_isa(const char *name) {
    size_t i = isa_find(name);
    return i < ISAS ? isas[i].direct : NULL;
}

const struct conv_kernel *conv_winograd_isa(const char *name) {
    size_t i = isa_find(name);
    return i < ISAS ? isas[i].winograd : NULL;
}

/* Where Winograd's method won on the machines measured (bench/bench_conv.c), against the direct one at
 * 0.7 to 1.0 of the FMA peak: with 16 channels by about 1.1, with 48 by 1.5, with 192 by 1.7. Below
 * that its transforms cost what its products save. A single image must have tiles enough to make up
 * for the transform of its weight gradient: at 8 x 8 it wins by about 1.2, at 4 x 4 it does not. */
enum { CHANNELS_LEAST = 16, PIXELS_LEAST = 16, PIXELS_LEAST_SINGLE = 64 };

const struct conv_kernel *conv_choose(const struct conv_shape *s, size_t pixels, bool single) {
    const size_t isa = isa_best();
    const size_t least = single ? PIXELS_LEAST_SINGLE : PIXELS_LEAST;
    const bool wide = s->C >= CHANNELS_LEAST && s->O >= CHANNELS_LEAST;
    if (isas[isa].winograd->covers(s) && wide && pixels >= least) return isas[isa].winograd;
    return isas[isa].direct->covers(s) ? isas[isa].direct : &conv_reference;
}

void conv_pack(const struct conv_shape *s, const real *oihw, real *packed) {
    const size_t taps = s->R * s->S;
    for (size_t o = 0; o < s->O; o++)
        for (size_t c = 0; c < s->C; c++)
            for (size_t t = 0; t < taps; t++)
                packed[(t * s->C + c) * s->O + o] = oihw[(o * s->C + c) * taps + t];
}

void conv_unpack(const struct conv_shape *s, const real *packed, real *oihw) {
    const size_t taps = s->R * s->S;
    for (size_t o = 0; o < s->O; o++)
        for (size_t c = 0; c < s->C; c++)
            for (size_t t = 0; t < taps; t++)
                oihw[(o * s->C + c) * taps + t] = packed[(t * s->C + c) * s->O + o];
}
