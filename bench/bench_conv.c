/* Convolution kernels at the layer shapes of the architectures: GFLOP/s and the fraction of the FMA
 * peak that was measured right before and after (both drift on shared machines).
 *
 *   FLOPs are nominal, 2 N OH OW R S C O: taps in the padding count, so that a kernel which leaves
 *   them out can exceed 1 on small maps.
 *
 * `make bench-conv` builds it; OPENBLAS_NUM_THREADS=1 build/gcc-float/bench/bench_conv [ISA|im2col] [batch]
 * runs it. Trap: the peak is that of the best instruction set here, whichever the kernels run. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bench/machine.h"
#include "nets/kernels/conv.h"
#include "nets/kernels/isa.h"
#include "nets/kernels/pass.h"

enum { REPEATS = 25 };

/* Of this thread, so that other work on the machine counts as little as can be. */
static double seconds(void) {
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

struct layer {
    const char *name;
    struct conv_shape s;
    size_t side;
};

static const struct layer layers[] = {
    {"demo     1->8   3x3    @20", {1, 8, 3, 3, 1, 1}, 20},
    {"demo     8->16  3x3 s2 @20", {8, 16, 3, 3, 2, 1}, 20},
    {"demo    16->16  3x3 s2 @10", {16, 16, 3, 3, 2, 1}, 10},
    {"towers   6->12  3x3    @16", {6, 12, 3, 3, 1, 1}, 16},
    {"towers  12->12  3x3    @16", {12, 12, 3, 3, 1, 1}, 16},
    {"resnet  16->16  3x3    @32", {16, 16, 3, 3, 1, 1}, 32},
    {"resnet  32->32  3x3    @16", {32, 32, 3, 3, 1, 1}, 16},
    {"resnet  64->64  3x3    @8 ", {64, 64, 3, 3, 1, 1}, 8},
    {"resnet 128->128 3x3    @4 ", {128, 128, 3, 3, 1, 1}, 4},
    {"resnet 256->256 3x3    @4 ", {256, 256, 3, 3, 1, 1}, 4},
    {"allcnn   3->24  3x3    @32", {3, 24, 3, 3, 1, 1}, 32},
    {"allcnn   3->48  3x3    @32", {3, 48, 3, 3, 1, 1}, 32},
    {"allcnn  24->24  3x3    @32", {24, 24, 3, 3, 1, 1}, 32},
    {"allcnn  24->24  3x3 s2 @32", {24, 24, 3, 3, 2, 1}, 32},
    {"allcnn  24->48  3x3    @16", {24, 48, 3, 3, 1, 1}, 16},
    {"allcnn  48->48  3x3    @32", {48, 48, 3, 3, 1, 1}, 32},
    {"allcnn  48->48  3x3    @16", {48, 48, 3, 3, 1, 1}, 16},
    {"allcnn  48->48  3x3 s2 @16", {48, 48, 3, 3, 2, 1}, 16},
    {"allcnn  48->48  3x3    @8 ", {48, 48, 3, 3, 1, 1}, 8},
    {"allcnn  48->48  1x1    @8 ", {48, 48, 1, 1, 1, 0}, 8},
    {"allcnn  48->10  1x1    @8 ", {48, 10, 1, 1, 1, 0}, 8},
    {"allcnn  96->96  3x3    @16", {96, 96, 3, 3, 1, 1}, 16},
    {"allcnn 192->192 3x3    @8 ", {192, 192, 3, 3, 1, 1}, 8},
    {"lenet    1->16  5x5    @28", {1, 16, 5, 5, 1, 2}, 28},
    {"lenet   16->32  5x5    @14", {16, 32, 5, 5, 1, 2}, 14},
};

struct work {
    const struct conv_kernel *kernel;
    const struct conv_shape *s;
    struct tensor x, y;
    real *w, *b, *scratch;
    size_t N;
};

static void run_forward(const struct work *k) {
    k->kernel->forward(k->s, &k->x, k->w, k->b, &k->y, 0, k->N, k->scratch);
}
static void run_backward_data(const struct work *k) {
    k->kernel->backward_data(k->s, &k->y, k->w, &k->x, 0, k->N, k->scratch);
}
static void run_backward_weights(const struct work *k) {
    k->kernel->backward_weights(k->s, &k->x, &k->y, k->w, 0, k->N, k->scratch);
}

/* As for a Fisher trace: each image's gradient by itself, and its squared norm. */
static void run_squares(const struct work *k) {
    static double sink;
    for (size_t n = 0; n < k->N; n++) {
        if (k->kernel->squares) {
            sink += k->kernel->squares(k->s, &k->x, &k->y, n, k->scratch);
            continue;
        }
        memset(k->w, 0, conv_weights(k->s) * sizeof(real));
        k->kernel->backward_weights(k->s, &k->x, &k->y, k->w, n, n + 1, k->scratch);
        sink += pass_choose()->sum_squares(k->w, conv_weights(k->s));
    }
}

static struct tensor tensor_make(size_t N, size_t side, size_t C) {
    struct tensor t = {.H = side, .W = side, .C = C, .row = side * C, .image = side * side * C};
    t.data = aligned_alloc(64, (N * t.image * sizeof(real) + 63) / 64 * 64);
    if (!t.data) abort();
    memset(t.data, 0, N * t.image * sizeof(real));
    for (size_t n = 0; n < N; n++)
        for (size_t h = 0; h < side; h++)
            for (size_t i = 0; i < side * C; i++)
                tensor_at(&t, n, h, 0)[i] = (real)((n + h + i) % 7) / 7;
    return t;
}

static int by_size(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Over REPEATS bursts of at least 4 ms: median GFLOP/s, median fraction of the peaks measured around
 * each burst, and the fastest burst as a fraction of the highest peak. */
static void measure(const struct work *k, void (*run)(const struct work *)) {
    double speed[REPEATS], fraction[REPEATS], highest = 0;
    const struct conv_shape *s = k->s;
    const double flops =
        2.0 * (double)(k->N * k->y.H * k->y.W) * (double)(s->R * s->S) * (double)(s->C * s->O);
    run(k);
    for (int r = 0; r < REPEATS; r++) {
        const double before = machine_peak(1, 0.001), start = seconds();
        double took = 0;
        size_t runs = 0;
        for (; took < 0.004; runs++, took = seconds() - start) run(k);
        const double after = machine_peak(1, 0.001), larger = before > after ? before : after;
        speed[r] = flops * (double)runs / took;
        fraction[r] = 2 * speed[r] / (before + after);
        highest = larger > highest ? larger : highest;
    }
    qsort(speed, REPEATS, sizeof *speed, by_size);
    qsort(fraction, REPEATS, sizeof *fraction, by_size);
    printf("  %6.1f %5.2f %5.2f", speed[REPEATS / 2] / 1e9, fraction[REPEATS / 2],
           speed[REPEATS - 1] / highest);
}

static void measure_layer(const struct conv_kernel *kernel, const struct layer *l, size_t N) {
    const size_t out = (l->side + 2 * l->s.pad - l->s.R) / l->s.stride + 1;
    struct work k = {.kernel = kernel, .s = &l->s, .N = N};
    k.x = tensor_make(N, l->side, l->s.C);
    k.y = tensor_make(N, out, l->s.O);
    k.w = calloc(conv_weights(&l->s), sizeof(real));
    k.b = calloc(l->s.O, sizeof(real));
    k.scratch = malloc(kernel->scratch(&l->s, &k.x, &k.y) * sizeof(real));
    if (!k.w || !k.b || !k.scratch) abort();
    printf("%s", l->name);
    measure(&k, run_forward);
    measure(&k, run_backward_data);
    measure(&k, run_backward_weights);
    measure(&k, run_squares);
    putchar('\n');
    fflush(stdout);
    free(k.x.data), free(k.y.data), free(k.w), free(k.b), free(k.scratch);
}

int main(int argc, char **argv) {
    const char *name = argc > 1 ? argv[1] : isa_here();
    const size_t N = argc > 2 ? (size_t)atoi(argv[2]) : 64;
    const struct conv_kernel *kernel =
        isa_find(name) < ISAS ? conv_find("direct", name) : conv_find(name, isa_here());
    if (!kernel || N == 0) {
        fprintf(stderr,
                "usage: bench_conv [im2col|'F(4x4, 3x3)'|'F(2x2, 3x3)'|'F(2x2, 5x5)'|baseline|"
                "x86-64-v3|x86-64-v4] [batch]; this machine runs %s\n",
                isa_here());
        return 2;
    }
    printf("%s, %s, batch %zu: GFLOP/s, median and best fraction of the FMA peak (%.0f GFLOP/s)\n",
           kernel->name, name, N, machine_peak(1, 0.001) / 1e9);
    printf("%-26s  %18s  %18s  %18s  %18s\n", "layer", "forward", "by data", "by weights",
           "squares");
    for (size_t i = 0; i < sizeof layers / sizeof *layers; i++)
        if (kernel->covers(&layers[i].s) && (argc < 4 || strstr(layers[i].name, argv[3])))
            measure_layer(kernel, &layers[i], N);
    return 0;
}
