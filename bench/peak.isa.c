/* The processor's FMA peak: independent chains of a = a m + c in registers, compiled once for each
 * instruction set like the kernels, whose limit it is (Makefile, ISAS).
 *
 *   FLOPs of a burst = 2 chains lanes rounds
 *
 * 12 chains cover a latency of 4 cycles on 2 units, with 4 of 16 registers to spare. The trap: the
 * compiler must know neither the numbers nor that nobody reads the result. */
#include "bench/machine.h"
#include "nets/kernels/isa.h"

#if defined __AVX512F__
typedef real vec __attribute__((vector_size(64)));
#elif defined __AVX__
typedef real vec __attribute__((vector_size(32)));
#else
typedef real vec __attribute__((vector_size(16)));
#endif

#if defined __x86_64__
#define REGISTER "x"
#elif defined __aarch64__
#define REGISTER "w"
#else
#define REGISTER "m"
#endif

enum { CHAINS = 12 };

static double flops(size_t rounds) {
    vec a[CHAINS], m = (vec){0} + (real)0.5, c = (vec){0} + (real)0.25;
    __asm__ volatile("" : "+" REGISTER(m), "+" REGISTER(c));
#pragma GCC unroll 12
    for (int i = 0; i < CHAINS; i++) a[i] = c * (real)i;
    for (size_t r = 0; r < rounds; r++) {
#pragma GCC unroll 12
        for (int i = 0; i < CHAINS; i++) a[i] = a[i] * m + c;
    }
#pragma GCC unroll 12
    for (int i = 0; i < CHAINS; i++) __asm__ volatile("" ::REGISTER(a[i]));
    return 2.0 * CHAINS * (sizeof(vec) / sizeof(real)) * (double)rounds;
}

extern const struct machine_burst ISA_NAME(burst);
const struct machine_burst ISA_NAME(burst) = {flops};
