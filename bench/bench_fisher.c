/* The price and the noise of a Fisher trace.
 *
 *   time     a trace over a batch of probes, as a multiple of one forward pass in evaluation mode,
 *            loss and backward pass over the same probes; and of its backward passes alone, for
 *            each of which a plain backward pass over the probes is the yardstick
 *   --noise  relative standard deviation of a trace over a batch by the draws alone, for the
 *            network as it is initialized and after some steps of training on noisy prototypes
 *
 * Yardstick and traces are timed in turn, and the medians are over the ratios of one round: the
 * speed of a shared machine drifts by more than the differences. One thread.
 * Build and run: make build/gcc-float/bench/bench_fisher && build/gcc-float/bench/bench_fisher
 *   bench_fisher [ROUNDS [NETWORK...]]      bench_fisher --noise */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "analysis/measures/fisher_trace.h"
#include "base/rng.h"
#include "nets/arch.h"
#include "nets/net.h"

enum { PROBES = 128, K = 10, ROUNDS = 9, ROUNDS_MOST = 1000, REPEATS = 300, STEPS = 20 };

static const struct subject {
    const char *name, *arch, *key, *value;
    struct net_input input;
} subjects[] = {
    {"allcnn_c, width 0.25, 32x32x3", "allcnn_c", "width", "0.25", {"image", 32, 32, 3, 0}},
    {"allcnn_c, width 0.5, 32x32x3", "allcnn_c", "width", "0.5", {"image", 32, 32, 3, 0}},
    {"lenet, 28x28x1", "lenet", NULL, NULL, {"image", 28, 28, 1, 0}},
    {"mlp 2500-2000-1500-1000-500, 32x32x1",
     "mlp",
     "hidden",
     "[2500, 2000, 1500, 1000, 500]",
     {"image", 32, 32, 1, 0}},
};
enum { SUBJECTS = sizeof subjects / sizeof *subjects };

/* Of this thread, so that other work on the machine counts as little as can be. */
static double seconds(void) {
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static struct net *net_make(const struct subject *s) {
    struct error e = {0};
    struct settings settings;
    struct net *net = NULL;
    settings_init(&settings, arch_find(s->arch)->params, NULL);
    if (s->key && settings_set(&settings, s->key, s->value, &e)) goto fail;
    struct net_spec spec = {.arch = arch_find(s->arch),
                            .settings = &settings,
                            .inputs = &s->input,
                            .inputs_n = 1,
                            .K = K,
                            .batch = PROBES,
                            .threads = 1};
    if (net_create(&net, &spec, &e)) goto fail;
    settings_free(&settings);
    net_init(net, 1);
    return net;
fail:
    fprintf(stderr, "bench_fisher: %s: %s\n", s->name, e.text);
    exit(2);
}

/* Example i is its class's prototype and as much noise again. */
static void feed(void *context, struct net *net, size_t first, size_t n, int32_t *labels) {
    const struct tensor *x = net_input_tensor(net, 0);
    (void)context;
    for (size_t i = 0; i < n; i++) {
        labels[i] = (int32_t)((first + i) % K);
        struct rng prototype = rng_stream(1, "order", 0, (uint64_t)labels[i]);
        struct rng noise = rng_stream(1, "probe", 0, first + i);
        for (size_t h = 0; h < x->H; h++)
            for (size_t j = 0; j < x->W * x->C; j++)
                tensor_at(x, i, h, 0)[j] = (real)(rng_normal(&prototype) + rng_normal(&noise));
    }
}

/* The inputs lie in the net already. */
static void keep(void *context, struct net *net, size_t first, size_t n, int32_t *labels) {
    (void)net;
    memcpy(labels, (const int32_t *)context + first, n * sizeof *labels);
}

struct bench {
    struct net *net;
    int32_t label[PROBES];
    double *layer, *layer_stderr;
};

static struct bench bench_make(const struct subject *s) {
    struct bench b = {.net = net_make(s)};
    size_t layers;
    net_layers(b.net, &layers);
    b.layer = calloc(layers, sizeof *b.layer);
    b.layer_stderr = calloc(layers, sizeof *b.layer_stderr);
    if (!b.layer || !b.layer_stderr) abort();
    feed(NULL, b.net, 0, PROBES, b.label);
    return b;
}

static void bench_free(struct bench *b) {
    net_free(b->net);
    free(b->layer);
    free(b->layer_stderr);
}

static struct fisher_result trace(struct bench *b, enum fisher_estimator estimator,
                                  uint32_t epoch) {
    struct error e = {0};
    struct measure_examples probes = {PROBES, PROBES, keep, b->label};
    struct fisher_result r = {.layer_trace = b->layer, .layer_stderr = b->layer_stderr};
    if (fisher_trace(b->net, &probes, estimator, 1, 1, epoch, &r, &e)) {
        fprintf(stderr, "bench_fisher: %s\n", e.text);
        exit(1);
    }
    return r;
}

/* ---- time ---- */

static int by_size(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *v, size_t n) {
    qsort(v, n, sizeof *v, by_size);
    return n % 2 ? v[n / 2] : (v[n / 2 - 1] + v[n / 2]) / 2;
}

struct yardstick {
    double forward, backward;
};

static struct yardstick pass(struct bench *b) {
    const double start = seconds();
    net_forward(b->net, PROBES, NET_EVAL);
    net_loss(b->net, b->label, PROBES);
    const double middle = seconds();
    net_backward(b->net, PROBES);
    return (struct yardstick){middle - start, seconds() - middle};
}

static const enum fisher_estimator timed[] = {FISHER_SAMPLED, FISHER_SKETCH, FISHER_EXACT};
enum { TIMED = sizeof timed / sizeof *timed };

struct series {
    double pass[ROUNDS_MOST], ratio[TIMED][ROUNDS_MOST], passes[TIMED][ROUNDS_MOST];
};

/* Yardstick, trace, yardstick, trace, ...: each trace is set against the mean of its neighbours. */
static void round_run(struct bench *b, struct series *s, size_t r) {
    struct yardstick before = pass(b);
    for (size_t i = 0; i < TIMED; i++) {
        const double start = seconds();
        trace(b, timed[i], (uint32_t)r);
        const double t = seconds() - start;
        const struct yardstick after = pass(b);
        const double forward = (before.forward + after.forward) / 2;
        const double backward = (before.backward + after.backward) / 2;
        s->ratio[i][r] = t / (forward + backward);
        s->passes[i][r] = (t - forward) / backward;
        s->pass[r] = forward + backward;
        before = after;
    }
}

static void print_times(const struct subject *subject, size_t rounds) {
    static const char *const names[] = {"sampled", "sketch", "exact"};
    struct bench b = bench_make(subject);
    struct series *s = calloc(1, sizeof *s);
    if (!s) abort();
    trace(&b, FISHER_SAMPLED, 0); /* into the caches */
    for (size_t r = 0; r < rounds; r++) round_run(&b, s, r);
    printf("%-38s %6.1f us", subject->name, 1e6 * median(s->pass, rounds) / PROBES);
    for (size_t i = 0; i < TIMED; i++)
        printf("   %s %.3f (%.2f)", names[i], median(s->ratio[i], rounds),
               median(s->passes[i], rounds));
    printf("\n");
    fflush(stdout);
    free(s);
    bench_free(&b);
}

static void times(size_t rounds, char **names) {
    printf("forward + backward per probe, and traces as multiples of it (in brackets: less the\n"
           "forward pass, as multiples of the backward pass); batch %d, %d classes, 1 thread,\n"
           "medians of %zu rounds\n",
           PROBES, K, rounds);
    for (size_t i = 0; i < SUBJECTS; i++) {
        bool wanted = !*names;
        for (char **name = names; *name; name++) wanted |= !strcmp(*name, subjects[i].arch);
        if (wanted) print_times(&subjects[i], rounds);
    }
}

/* ---- noise ---- */

static void train(struct bench *b, int steps) {
    const size_t n = net_params_count(b->net);
    for (int step = 0; step < steps; step++) {
        net_forward(b->net, PROBES, NET_TRAIN);
        net_loss(b->net, b->label, PROBES);
        net_backward(b->net, PROBES);
        for (size_t i = 0; i < n; i++) net_params(b->net)[i] -= (real)0.05 * net_grads(b->net)[i];
    }
}

static double relative_deviation(struct bench *b, enum fisher_estimator estimator, double exact) {
    double sum = 0, squares = 0;
    for (uint32_t epoch = 0; epoch < REPEATS; epoch++) {
        const double off = trace(b, estimator, epoch).trace - exact;
        sum += off;
        squares += off * off;
    }
    return sqrt((squares - sum * sum / REPEATS) / (REPEATS - 1)) / exact;
}

static void print_noise(struct bench *b, int steps) {
    const struct fisher_result exact = trace(b, FISHER_EXACT, 0);
    const double sampled = relative_deviation(b, FISHER_SAMPLED, exact.trace);
    const double sketch = relative_deviation(b, FISHER_SKETCH, exact.trace);
    printf("%5d   %9.4f   %9.3g   %7.2f %%   %7.2f %%   %6.2f\n", steps, exact.entropy, exact.trace,
           100 * sampled, 100 * sketch, sampled * sampled / (sketch * sketch));
    fflush(stdout);
}

static void noise_of(const struct subject *s, int steps) {
    struct bench b = bench_make(s);
    printf("%s, %d probes, 1 draw, %d repeats\n"
           "steps     entropy       exact     sampled      sketch   variances\n",
           s->name, PROBES, REPEATS);
    print_noise(&b, 0);
    for (int step = 0; step < steps; step += STEPS) {
        train(&b, STEPS);
        print_noise(&b, step + STEPS);
    }
    bench_free(&b);
}

/* One that is undecided, and one that learns its probes by heart and becomes certain of them. */
static void noise(void) {
    static const struct subject undecided = {
        "lenet, width 0.5, 28x28x1", "lenet", "width", "0.5", {"image", 28, 28, 1, 0}};
    static const struct subject certain = {
        "convfc, 28x28x1", "convfc", NULL, NULL, {"image", 28, 28, 1, 0}};
    noise_of(&undecided, 0);
    noise_of(&certain, 3 * STEPS);
}

int main(int argc, char **argv) {
    if (argc == 2 && !strcmp(argv[1], "--noise")) {
        noise();
        return 0;
    }
    const long rounds = argc > 1 ? strtol(argv[1], NULL, 10) : ROUNDS;
    if (rounds < 1 || rounds > ROUNDS_MOST) {
        fprintf(stderr, "usage: bench_fisher [ROUNDS (1..%d) [NETWORK...]] | --noise\n",
                ROUNDS_MOST);
        return 2;
    }
    times((size_t)rounds, argv + (argc > 2 ? 2 : argc));
    return 0;
}
