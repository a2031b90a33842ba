/* The machine's peak and bandwidth, and the clock: see machine.h.
 *
 * The traps: a peak of another instruction set than the kernels' says nothing, so the burst is the
 * best one's; and memory that was never written is one shared page of zeros, so the triad's
 * arrays are filled by the threads that will read them. */
#include "bench/machine.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/system.h"
#include "nets/kernels/isa.h"

ISA_TABLE(struct machine_burst, burst);

enum { ROUNDS = 200000, TRIAD = 32 << 20, PASSES = 4 };

static double clock_seconds(clockid_t clock) {
    struct timespec t;
    clock_gettime(clock, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

struct timing timing_of(void (*work)(void *context), void *context, double seconds) {
    double start = system_seconds(), cpu = clock_seconds(CLOCK_PROCESS_CPUTIME_ID);
    struct timing t = {0};
    work(context);
    t = (struct timing){system_seconds() - start, clock_seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu, 1};
    if (t.wall >= seconds / 4 && t.wall > 0) return t;
    start = system_seconds(), cpu = clock_seconds(CLOCK_PROCESS_CPUTIME_ID);
    for (t.runs = 0; t.runs == 0 || system_seconds() - start < seconds; t.runs++) work(context);
    t.wall = system_seconds() - start;
    t.cpu = clock_seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu;
    return t;
}

double timing_seconds(const struct timing *t, int threads) {
    return threads > 1 ? t->wall : t->cpu;
}

static double burst_run(size_t rounds) {
    return burst_isas[isa_best()]->flops(rounds);
}

static double burst_seconds(int threads, double seconds, double *flops) {
    const double start = system_seconds(), cpu = clock_seconds(CLOCK_PROCESS_CPUTIME_ID);
    double sum = 0;
#pragma omp parallel num_threads(threads) reduction(+ : sum) if (threads > 1)
    do sum += burst_run(ROUNDS);
    while (system_seconds() - start < seconds);
    *flops = sum;
    struct timing t = {system_seconds() - start, clock_seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu, 1};
    return timing_seconds(&t, threads);
}

double machine_peak(int threads, double seconds) {
    double flops;
    burst_run(ROUNDS);
    const double took = burst_seconds(threads, seconds, &flops);
    return flops / took;
}

static double triad_pass(int threads, real *a, const real *b, const real *c) {
    double start = system_seconds();
#pragma omp parallel for num_threads(threads) schedule(static)
    for (size_t i = 0; i < TRIAD; i++) a[i] = b[i] + (real)3 * c[i];
    return system_seconds() - start;
}

static void triad_fill(int threads, real *a, real *b, real *c) {
#pragma omp parallel for num_threads(threads) schedule(static)
    for (size_t i = 0; i < TRIAD; i++) a[i] = 0, b[i] = 1, c[i] = 2;
}

double machine_triad(int threads) {
    real *a = malloc(3 * (size_t)TRIAD * sizeof *a);
    if (!a) return (double)NAN;
    triad_fill(threads, a, a + TRIAD, a + 2 * TRIAD);
    double best = INFINITY;
    for (int i = 0; i < PASSES; i++) {
        double took = triad_pass(threads, a, a + TRIAD, a + 2 * TRIAD);
        best = took < best ? took : best;
    }
    free(a);
    return 3.0 * TRIAD * sizeof(real) / best;
}
