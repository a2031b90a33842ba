/* Optimizer steps: see step.h, and nets/optimizers for the formulas.
 *
 * All arrays go by in vectors; what is left over is copied into vectors of its own, so that every
 * element sees the same instructions. Squares are summed lane by lane, since one sum alone would wait
 * for each addition before it begins the next. The trap: a root that may set errno is a call for every
 * element, so kernels are compiled without it (Makefile, KERNEL). */
#include "nets/kernels/step.h"

#include <math.h>
#include <string.h>

#include "nets/kernels/isa.h"
#include "nets/kernels/unroll.h"
#include "nets/kernels/vector.h"

enum {
    LANES = BYTES / sizeof(real),
    PART = BYTES / sizeof(double),
    PARTS = LANES / PART,
    ARRAYS = 4
};

/* Squares are of doubles: a vector's numbers fill PARTS vectors of them. */
typedef double wide __attribute__((vector_size(BYTES)));
typedef real part
    __attribute__((vector_size(PART * sizeof(real)), aligned(sizeof(real)), may_alias));

#ifdef REAL_IS_DOUBLE
#define ROOT sqrt
#else
#define ROOT sqrtf
#endif

/* w, and what is remembered of it, for the gradient dw. */
struct lanes {
    vec w, a, b;
};

typedef struct lanes lanes_fn(const void *k, struct lanes x, vec dw);

static INLINE struct lanes sgd_lanes(const void *constants, struct lanes x, vec dw) {
    const struct step_sgd *k = constants;
    x.w -= k->rate * (dw + k->decay * x.w);
    return x;
}

static INLINE struct lanes momentum_lanes(const void *constants, struct lanes x, vec dw) {
    const struct step_sgd *k = constants;
    x.a = k->momentum * x.a + (dw + k->decay * x.w);
    x.w -= k->rate * x.a;
    return x;
}

static INLINE struct lanes nesterov_lanes(const void *constants, struct lanes x, vec dw) {
    const struct step_sgd *k = constants;
    const vec d = dw + k->decay * x.w;
    x.a = k->momentum * x.a + d;
    x.w -= k->rate * (d + k->momentum * x.a);
    return x;
}

static INLINE vec root(vec x) {
    for (int i = 0; i < LANES; i++) x[i] = ROOT(x[i]);
    return x;
}

static INLINE struct lanes adam_lanes(const void *constants, struct lanes x, vec dw) {
    const struct step_adam *k = constants;
    const vec d = dw + k->decay * x.w;
    x.a = k->keep1 * x.a + k->take1 * d;
    x.b = k->keep2 * x.b + k->take2 * d * d;
    x.w -= k->rate * (x.a / (root(x.b) / k->root + k->eps));
    return x;
}

static INLINE void squares_add(const real *dw, wide *sum) {
    foreach (p, PARTS) {
        const wide d = __builtin_convertvector(*(const part *)(dw + p * PART), wide);
        sum[p] += d * d;
    }
}

/* One vector of each array; `slots` of a and b exist. */
static INLINE void step_vector(lanes_fn *f, const void *k, int slots, real *w, const real *dw,
                               real *a, real *b, wide *sum) {
    const vec d = LOAD(dw);
    struct lanes x = {LOAD(w), d, d};
    if (slots > 0) x.a = LOAD(a);
    if (slots > 1) x.b = LOAD(b);
    x = f(k, x, d);
    STORE(w) = x.w;
    if (slots > 0) STORE(a) = x.a;
    if (slots > 1) STORE(b) = x.b;
    squares_add(dw, sum);
}

/* The last n elements, fewer than LANES. */
static INLINE void step_rest(lanes_fn *f, const void *k, int slots, size_t n, real *w,
                             const real *dw, real *a, real *b, wide *sum) {
    real copy[ARRAYS][LANES] = {{0}};
    const size_t bytes = n * sizeof *w;
    memcpy(copy[0], w, bytes);
    memcpy(copy[1], dw, bytes);
    if (slots > 0) memcpy(copy[2], a, bytes);
    if (slots > 1) memcpy(copy[3], b, bytes);
    step_vector(f, k, slots, copy[0], copy[1], copy[2], copy[3], sum);
    memcpy(w, copy[0], bytes);
    if (slots > 0) memcpy(a, copy[2], bytes);
    if (slots > 1) memcpy(b, copy[3], bytes);
}

static INLINE double step_all(lanes_fn *f, const void *k, int slots, size_t count, real *w,
                              const real *dw, real *a, real *b) {
    wide even[PARTS] = {{0}}, odd[PARTS] = {{0}};
    double sum = 0;
    size_t i = 0;
    for (; i + 2 * LANES <= count; i += 2 * LANES) {
        const size_t j = i + LANES;
        step_vector(f, k, slots, w + i, dw + i, a + i, b + i, even);
        step_vector(f, k, slots, w + j, dw + j, a + j, b + j, odd);
    }
    if (i + LANES <= count) {
        step_vector(f, k, slots, w + i, dw + i, a + i, b + i, even);
        i += LANES;
    }
    if (i < count) step_rest(f, k, slots, count - i, w + i, dw + i, a + i, b + i, odd);
    foreach (p, PARTS)
        for (int l = 0; l < PART; l++) sum += even[p][l] + odd[p][l];
    return sum;
}

static double step_sgd(const struct step_sgd *k, size_t count, real *w, const real *dw) {
    const struct step_sgd own = *k;
    return step_all(sgd_lanes, &own, 0, count, w, dw, w, w);
}

static double step_sgd_momentum(const struct step_sgd *k, size_t count, real *w, const real *dw,
                                real *v) {
    const struct step_sgd own = *k;
    return own.nesterov ? step_all(nesterov_lanes, &own, 1, count, w, dw, v, v)
                        : step_all(momentum_lanes, &own, 1, count, w, dw, v, v);
}

static double step_adam(const struct step_adam *k, size_t count, real *w, const real *dw, real *m,
                        real *u) {
    const struct step_adam own = *k;
    return step_all(adam_lanes, &own, 2, count, w, dw, m, u);
}

extern const struct step ISA_NAME(step);
const struct step ISA_NAME(step) = {
    .sgd = step_sgd,
    .sgd_momentum = step_sgd_momentum,
    .adam = step_adam,
};
