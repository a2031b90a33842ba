/* What the choice between a weight gradient and Gram matrices rests on (nets/ops/conv.c): microseconds
 * per image for the squared norm of a gradient that is formed, for the Gram matrix of the inputs, and for
 * the norm with it; and per million multiply-adds that the rule counts.
 *
 * `make bench-gram` builds and runs it. One thread; the three take turns. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "nets/kernels/gram.h"
#include "nets/kernels/pass.h"

enum { REPEATS = 15, IMAGES = 16 };

static double seconds(void) {
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static const struct layer {
    struct conv_shape s;
    size_t side;
} layers[] = {
    {{16, 16, 3, 3, 2, 1}, 10},   {{16, 32, 3, 3, 2, 1}, 32},   {{32, 32, 3, 3, 1, 1}, 16},
    {{64, 64, 3, 3, 1, 1}, 16},   {{32, 64, 3, 3, 2, 1}, 16},   {{64, 64, 3, 3, 1, 1}, 8},
    {{128, 128, 3, 3, 1, 1}, 8},  {{64, 128, 3, 3, 2, 1}, 8},   {{128, 128, 3, 3, 1, 1}, 4},
    {{256, 256, 3, 3, 1, 1}, 4},  {{24, 24, 3, 3, 2, 1}, 32},   {{24, 48, 3, 3, 1, 1}, 16},
    {{48, 48, 3, 3, 1, 1}, 16},   {{48, 48, 3, 3, 2, 1}, 16},   {{48, 48, 3, 3, 1, 1}, 8},
    {{48, 48, 1, 1, 1, 0}, 8},    {{48, 10, 1, 1, 1, 0}, 8},    {{48, 48, 3, 3, 2, 1}, 32},
    {{48, 96, 3, 3, 1, 1}, 16},   {{96, 96, 3, 3, 1, 1}, 16},   {{96, 96, 3, 3, 2, 1}, 16},
    {{96, 96, 3, 3, 1, 1}, 8},    {{96, 96, 1, 1, 1, 0}, 8},    {{96, 96, 3, 3, 1, 1}, 32},
    {{192, 192, 3, 3, 1, 1}, 16}, {{192, 192, 3, 3, 2, 1}, 16}, {{192, 192, 3, 3, 1, 1}, 8},
    {{192, 192, 1, 1, 1, 0}, 8},  {{192, 10, 1, 1, 1, 0}, 8},   {{16, 32, 5, 5, 1, 2}, 14},
};

struct work {
    const struct conv_shape *s;
    const struct conv_kernel *kernel;
    struct tensor x, y;
    real *dw, *gram, *scratch, *own;
    double sum;
};

static void form(struct work *w, size_t n) {
    if (w->kernel->squares) {
        w->sum += w->kernel->squares(w->s, &w->x, &w->y, n, w->own);
        return;
    }
    memset(w->dw, 0, conv_weights(w->s) * sizeof *w->dw);
    w->kernel->backward_weights(w->s, &w->x, &w->y, w->dw, n, n + 1, w->own);
    w->sum += pass_choose()->sum_squares(w->dw, conv_weights(w->s));
}

static void inputs(struct work *w, size_t n) {
    gram_choose()->inputs(w->s, &w->x, &w->y, n, w->gram, w->scratch);
}

static void norm(struct work *w, size_t n) {
    w->sum += gram_choose()->norm(&w->y, n, w->gram, w->scratch);
}

static void *allocated(size_t reals) {
    void *p = aligned_alloc(64, (reals * sizeof(real) + 127) / 64 * 64);
    if (!p) abort();
    return p;
}

static struct tensor tensor_make(size_t side, size_t C) {
    struct tensor t = {.H = side, .W = side, .C = C, .row = side * C, .image = side * side * C};
    t.data = allocated(IMAGES * t.image);
    memset(t.data, 0, IMAGES * t.image * sizeof(real));
    for (size_t n = 0; n < IMAGES; n++)
        for (size_t h = 0; h < side; h++)
            for (size_t i = 0; i < side * C; i++)
                tensor_at(&t, n, h, 0)[i] = (real)((n + 3 * h + 5 * i) % 7) / 7 - (real)0.4;
    return t;
}

/* Microseconds per image. */
static double timed(struct work *w, void (*run)(struct work *w, size_t n)) {
    double start = seconds();
    for (size_t n = 0; n < IMAGES; n++) run(w, n);
    return (seconds() - start) * 1e6 / IMAGES;
}

static int by_size(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void measure(const struct layer *l) {
    const struct gram *g = gram_choose();
    const size_t side = (l->side + 2 * l->s.pad - l->s.R) / l->s.stride + 1;
    struct work w = {.s = &l->s, .kernel = conv_choose(&l->s, side * side, true)};
    void (*const runs[])(struct work *, size_t) = {form, inputs, norm};
    double took[3][REPEATS];
    w.x = tensor_make(l->side, l->s.C);
    w.y = tensor_make(side, l->s.O);
    w.dw = allocated(conv_weights(&l->s));
    w.own = allocated(w.kernel->scratch(&l->s, &w.x, &w.y));
    w.gram = allocated(g->reals(&w.y));
    w.scratch = allocated(g->scratch(&l->s, &w.y));
    for (int r = -1; r < REPEATS; r++)
        for (int i = 0; i < 3; i++) {
            double t = timed(&w, runs[i]);
            if (r >= 0) took[i][r] = t;
        }
    const double counts[] = {(double)(conv_weights(&l->s) * side * side),
                             g->inputs_cost(&l->s, &w.y), g->norm_cost(&w.y)};
    printf("%3zu->%-3zu %zux%zu s%zu @%-2zu %-8s", l->s.C, l->s.O, l->s.R, l->s.S, l->s.stride,
           side, w.kernel->name);
    double median[3];
    for (int i = 0; i < 3; i++) {
        qsort(took[i], REPEATS, sizeof **took, by_size);
        median[i] = took[i][REPEATS / 2];
        printf("  %8.1f %5.1f", median[i], median[i] * 1e6 / counts[i]);
    }
    printf("   %5.2f %5.2f", (median[1] + median[2]) / median[0],
           (median[1] / 9 + median[2]) / median[0]);
    for (int passes = 1; passes <= 9; passes += 8)
        printf("  %5.2f", (counts[1] / passes + counts[2]) / counts[0]);
    putchar('\n');
    free(w.x.data), free(w.y.data), free(w.dw), free(w.own), free(w.gram), free(w.scratch);
}

int main(void) {
    printf("us per image and per million multiply-adds; Gram over formed, 1 pass and 9; the same "
           "counted\n");
    printf("%-28s  %-14s  %-14s  %-14s\n", "layer", "formed", "Gram of inputs", "norm with it");
    for (size_t i = 0; i < sizeof layers / sizeof *layers; i++) measure(&layers[i]);
    return 0;
}
