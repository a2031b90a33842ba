/* Which convolution runs, and the order of its weights.
 *
 * The instruction set is read from the processor at every call (a few loads), so there is no
 * state to set up; a set counts only with all the features its kernels were compiled for. */
#include <string.h>

#include "nets/kernels/conv.h"

const struct conv_kernel *conv_choose(const struct conv_shape *s) {
    (void)s;
    return &conv_reference;
}

const char *conv_isa(void) {
#if defined __x86_64__
    const bool v3 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
                    __builtin_cpu_supports("bmi2");
    if (v3 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
        __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") &&
        __builtin_cpu_supports("avx512vl"))
        return "x86-64-v4";
    if (v3) return "x86-64-v3";
#endif
    return "baseline";
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
