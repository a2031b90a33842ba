/* What the machine can do: the yardsticks that are measured beside every other number, since both
 * drift on a shared machine. */
#ifndef BENCH_MACHINE_H
#define BENCH_MACHINE_H

#include <stddef.h>

#include "base/real.h"

/* Time that some repetitions took. */
struct timing {
    double wall, cpu; /* seconds; cpu of all threads of the process */
    size_t runs;
};

/* The clock that counts: one thread by its processor time, which stands still while others run;
 * several by the wall. */
double timing_seconds(const struct timing *t, int threads);

/* Call work(context) until `seconds` have passed, at least once. When a call takes less than a
 * quarter of that, one call before is not timed: it brings code and data back into the caches. */
struct timing timing_of(void (*work)(void *context), void *context, double seconds);

/* Multiplies and adds in registers and returns how many FLOPs that were; compiled once per
 * instruction set (peak.isa.c). */
struct machine_burst {
    double (*flops)(size_t rounds);
};

/* FMA peak in FLOP/s: `threads` threads compute in registers for `seconds` or a little more. */
double machine_peak(int threads, double seconds);
/* Memory bandwidth in bytes/s: the best of some passes a = b + s c over arrays beyond every cache,
 * counted as two reads and one write. NaN: no memory. */
double machine_triad(int threads);

#endif
