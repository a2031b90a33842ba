/* Which instruction set runs. It is read from the processor at every call (a few loads), so there is
 * no state to set up. A set counts only with every feature that its kernels were compiled for:
 * x86-64-v3 and v4 are those of the System V ABI (x86-64 psABI 1.0, section 3.1.1). */
#include "nets/kernels/isa.h"

#include <stdbool.h>
#include <string.h>

static const char *const NAMES[ISAS] = {"x86-64-v4", "x86-64-v3", "baseline"};

#if defined HAVE_ISA_v3 || defined HAVE_ISA_v4
static bool has_v3(void) {
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
           __builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2");
}
#endif

static bool has(enum isa isa) {
    switch (isa) {
#ifdef HAVE_ISA_v4
    case ISA_v4:
        return has_v3() && __builtin_cpu_supports("avx512f") &&
               __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512cd") &&
               __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
#endif
#ifdef HAVE_ISA_v3
    case ISA_v3:
        return has_v3();
#endif
    default:
        return isa == ISA_base;
    }
}

enum isa isa_best(void) {
    enum isa isa = ISA_v4;
    while (!has(isa)) isa++;
    return isa;
}

const char *isa_here(void) {
    return NAMES[isa_best()];
}

enum isa isa_find(const char *name) {
    enum isa isa = ISA_v4;
    while (isa < ISAS && (strcmp(NAMES[isa], name) != 0 || !has(isa))) isa++;
    return isa;
}
