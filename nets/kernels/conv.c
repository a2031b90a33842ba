/* Which convolution runs, and the order of its weights.
 *
 * conv_direct is compiled once per instruction set. The set is read from the processor at every
 * call (a few loads), so there is no state to set up. A set counts only with every feature that its
 * kernels were compiled for: x86-64-v3 and v4 are those of the System V ABI (x86-64 psABI 1.0,
 * section 3.1.1). */
#include <string.h>

#include "nets/kernels/conv.h"

extern const struct conv_kernel conv_direct_base;
#if defined HAVE_ISA_v3 || defined HAVE_ISA_v4
static bool has_v3(void) {
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
           __builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2");
}
#endif
#ifdef HAVE_ISA_v3
extern const struct conv_kernel conv_direct_v3;
#endif
#ifdef HAVE_ISA_v4
extern const struct conv_kernel conv_direct_v4;

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
    const struct conv_kernel *kernel;
} isas[] = {
#ifdef HAVE_ISA_v4
    {"x86-64-v4", has_v4, &conv_direct_v4},
#endif
#ifdef HAVE_ISA_v3
    {"x86-64-v3", has_v3, &conv_direct_v3},
#endif
    {"baseline", has_baseline, &conv_direct_base},
};

static size_t isa_best(void) {
    size_t i = 0;
    while (!isas[i].here()) i++;
    return i;
}

const char *conv_isa(void) {
    return isas[isa_best()].name;
}

const struct conv_kernel *conv_direct_isa(const char *name) {
    for (size_t i = 0; i < sizeof isas / sizeof *isas; i++)
        if (strcmp(isas[i].name, name) == 0 && isas[i].here()) return isas[i].kernel;
    return NULL;
}

static const struct conv_kernel *best(void) {
    return isas[isa_best()].kernel;
}

static bool covers(const struct conv_shape *s) {
    return best()->covers(s);
}

static size_t scratch(const struct conv_shape *s, const struct tensor *x, const struct tensor *y) {
    return best()->scratch(s, x, y);
}

static void forward(const struct conv_shape *s, const struct tensor *x, const real *w,
                    const real *b, const struct tensor *y, size_t first, size_t last,
                    real *memory) {
    best()->forward(s, x, w, b, y, first, last, memory);
}

static void backward_data(const struct conv_shape *s, const struct tensor *dy, const real *w,
                          const struct tensor *dx, size_t first, size_t last, real *memory) {
    best()->backward_data(s, dy, w, dx, first, last, memory);
}

static void backward_weights(const struct conv_shape *s, const struct tensor *x,
                             const struct tensor *dy, real *dw, size_t first, size_t last,
                             real *memory) {
    best()->backward_weights(s, x, dy, dw, first, last, memory);
}

const struct conv_kernel conv_direct = {
    .name = "direct",
    .covers = covers,
    .scratch = scratch,
    .forward = forward,
    .backward_data = backward_data,
    .backward_weights = backward_weights,
};

const struct conv_kernel *conv_choose(const struct conv_shape *s) {
    return conv_direct.covers(s) ? &conv_direct : &conv_reference;
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
