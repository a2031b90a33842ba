/* Stabilizers that add a loss or move the parameters: the gradient that each adds against finite
 * differences of its value, what it must leave alone, and what `strength`, `every` and a branch mean.
 *
 * Values are found here from the formulas, not from the stabilizers' files: labels are drawn anew
 * from the documented streams, and which tensors count is told from names. In the double build
 * finite differences run over the network as it is, kinks and all. In the float build a step is so
 * large that kinks lie within it, so there the network is switched as it was without the step. */
#include "tests/net_fixture.h"

#include "stabilizers/stabilizer.h"

enum { K = 5, BATCH = 12, THREADS_MOST = 3, EPOCH = 4, DIRECTIONS = 2 };
static const uint64_t NET_SEED = 3, TRAIN_SEED = 8;

static const struct net_input IMAGE[] = {{"image", 12, 10, 2, 0}};
static const struct net_input SENSES[] = {{"image", 12, 10, 2, 0}, {"text", 1, 4, 1, 9}};

static const struct {
    const char *arch;
    size_t inputs_n;
    const char *values[6];
} CASES[] = {
    {"mlp", 1, {"hidden=[9, 8]"}},
    {"mlp", 1, {"hidden=[9, 8]", "norm=none"}},
    {"convfc", 1, {"channels=[3, 4, 5]", "fc=6"}},
    {"lenet", 1, {"width=0.125"}},
    {"lenet", 1, {"width=0.125", "norm=batch"}},
    {"allcnn", 1, {"width=0.04"}},
    {"resnet18", 1, {"width=3"}},
    {"towers", 2, {"channels=[3, 4]", "features=6", "embedding=5", "hidden=7", "heads=true"}},
    {"towers", 2, {"channels=[3, 4]", "features=6", "fusion=product", "heads=true", "norm=batch"}},
};
enum { CASES_N = sizeof CASES / sizeof *CASES };
enum { NORMED = 2, TOWERS = 7 }; /* convfc with batch norm; a net of two modalities with heads */

#ifdef REAL_IS_DOUBLE
static const double LINEAR = 1e-12, HESSIAN = 3e-6, FAULT = 1.001;
#else
static const double LINEAR = 2e-5, HESSIAN = 0.05, FAULT = 3;
#endif

/* ---- a network, a stabilizer and what it is called with -------------------------------------- */

struct bench {
    struct net *net;
    const struct stabilizer *stabilizer;
    struct settings settings;
    struct stabilizer_context c;
    int32_t labels[BATCH], drawn[BATCH];
    uint32_t index[BATCH];
    size_t P;
};

static struct net *net_of(size_t i, int threads) {
    struct settings s;
    struct net *net = NULL;
    struct error e = {0};
    const struct arch *arch = arch_find(CASES[i].arch);
    settings_init(&s, arch->params, NULL);
    for (size_t j = 0; CASES[i].values[j]; j++) {
        char name[32];
        const char *value = strchr(CASES[i].values[j], '=');
        snprintf(name, sizeof name, "%.*s", (int)(value - CASES[i].values[j]), CASES[i].values[j]);
        assert_int_equal(settings_set(&s, name, value + 1, NULL), STATUS_OK);
    }
    const struct net_input *inputs = CASES[i].inputs_n == 1 ? IMAGE : SENSES;
    struct net_spec spec = {.arch = arch,
                            .settings = &s,
                            .inputs = inputs,
                            .inputs_n = CASES[i].inputs_n,
                            .K = K,
                            .batch = BATCH,
                            .threads = threads};
    if (net_create(&net, &spec, &e)) fail_msg("%s", e.text);
    settings_free(&s);
    net_init(net, NET_SEED);
    params_shake(net, 4);
    return net;
}

/* Images of normal numbers, tokens of any kind, the empty one too. */
static void inputs_write(struct net *net, size_t inputs_n, uint64_t seed) {
    input_fill(net, BATCH, seed);
    if (inputs_n == 1) return;
    const struct tensor *x = net_input_tensor(net, 1);
    for (size_t n = 0; n < BATCH; n++) {
        struct rng rng = rng_stream(seed, "order", 9, n);
        for (size_t w = 0; w < x->W; w++)
            *tensor_at(x, n, 0, w) = (real)rng_below(&rng, (uint32_t)SENSES[1].tokens);
    }
}

static void setting(struct bench *b, const char *name, const char *value) {
    assert_int_equal(settings_set(&b->settings, name, value, NULL), STATUS_OK);
}

static struct bench *bench_create(size_t i, const char *stabilizer, int threads) {
    struct bench *b = calloc(1, sizeof *b);
    b->net = net_of(i, threads);
    b->stabilizer = stabilizer_find(stabilizer);
    assert_non_null(b->stabilizer);
    settings_init(&b->settings, b->stabilizer->params, NULL);
    b->P = net_params_count(b->net);
    inputs_write(b->net, CASES[i].inputs_n, 5);
    labels_fill(b->labels, BATCH, K);
    for (size_t n = 0; n < BATCH; n++) b->index[n] = (uint32_t)(100 + 7 * n);
    b->c = (struct stabilizer_context){.net = b->net,
                                       .branch = -1,
                                       .strength = 1,
                                       .rate = 0.1,
                                       .net_seed = NET_SEED,
                                       .train_seed = TRAIN_SEED,
                                       .epoch = EPOCH,
                                       .N = BATCH,
                                       .labels = b->labels,
                                       .index = b->index};
    for (size_t a = 0; a < b->stabilizer->arrays; a++) {
        b->c.arrays[a] = malloc((b->P + 1) * sizeof(real));
        memset(b->c.arrays[a], 0x7f, b->P * sizeof(real)); /* nobody may count on what is there */
    }
    if (b->stabilizer->scratch) b->c.scratch = malloc(b->stabilizer->scratch(&b->settings, b->net));
    return b;
}

static void bench_free(struct bench *b) {
    for (size_t a = 0; a < b->stabilizer->arrays; a++) free(b->c.arrays[a]);
    free(b->c.scratch);
    settings_free(&b->settings);
    net_free(b->net);
    free(b);
}

static real *copy_of(const real *v, size_t n) {
    real *copy = malloc((n + 1) * sizeof *copy);
    memcpy(copy, v, n * sizeof *copy);
    return copy;
}

/* What an epoch's first batch has in net_grads when the optimizer steps. */
static void train_batch(struct bench *b) {
    const struct stabilizer *s = b->stabilizer;
    if (s->epoch_start) s->epoch_start(&b->settings, &b->c);
    net_forward(b->net, BATCH, NET_TRAIN);
    net_loss(b->net, b->labels, BATCH);
    if (s->loss) s->loss(&b->settings, &b->c);
    net_backward(b->net, BATCH);
    if (s->gradients) s->gradients(&b->settings, &b->c);
}

static void plain_batch(struct bench *b) {
    net_forward(b->net, BATCH, NET_BATCH);
    net_loss(b->net, b->labels, BATCH);
    net_backward(b->net, BATCH);
}

/* What the stabilizer adds to the loss's gradient; to be freed. */
static real *added_by(struct bench *b) {
    train_batch(b);
    real *added = copy_of(net_grads(b->net), b->P);
    plain_batch(b);
    for (size_t i = 0; i < b->P; i++) added[i] -= net_grads(b->net)[i];
    return added;
}

static double length(const real *v, size_t n) {
    double sum = 0;
    for (size_t i = 0; i < n; i++) sum += (double)v[i] * (double)v[i];
    return sqrt(sum);
}

static double apart(const real *a, const real *b, size_t n) {
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += ((double)a[i] - (double)b[i]) * ((double)a[i] - (double)b[i]);
    return sqrt(sum);
}

/* ---- the values whose gradients they are ------------------------------------------------------ */

static bool is_norm(const char *name) {
    return strstr(name, "norm") || strstr(name, "bn") || strstr(name, "downsample.1");
}

static bool in_branch(const struct net *net, int branch, const struct net_tensor *t) {
    if (branch < 0) return strncmp(t->name, "head_", 5) != 0;
    return net_layer_branch(net, (size_t)t->layer) == branch;
}

/* The labels that the penalty draws, from the network as it is. */
static void labels_of_answers(struct bench *b) {
    double p[BATCH * K];
    net_forward(b->net, BATCH, NET_BATCH);
    net_probabilities(b->net, BATCH, p);
    for (size_t n = 0; n < BATCH; n++) {
        struct rng rng = rng_stream(TRAIN_SEED, "fisher_penalty", EPOCH, b->index[n]);
        double uniform = rng_uniform(&rng), sum = 0;
        b->drawn[n] = 0;
        while ((sum += p[n * K + (size_t)b->drawn[n]]) <= uniform) b->drawn[n]++;
    }
}

#ifdef REAL_IS_DOUBLE
static const enum net_mode VALUE_MODE = NET_BATCH;
#else
static const enum net_mode VALUE_MODE = NET_SWITCHED;
#endif

static double fisher_value(struct bench *b) {
    size_t n;
    double sum = 0;
    const struct net_tensor *t = net_param_table(b->net, &n);
    net_forward(b->net, BATCH, VALUE_MODE);
    net_loss(b->net, b->drawn, BATCH);
    net_backward(b->net, BATCH);
    for (size_t i = 0; i < n; i++) {
        if (!in_branch(b->net, b->c.branch, &t[i])) continue;
        if (is_norm(t[i].name) && !settings_bool(&b->settings, "norm_parameters")) continue;
        double size = length(net_grads(b->net) + t[i].offset, t[i].count);
        sum += size * size;
    }
    return settings_real(&b->settings, "alpha") * b->c.strength * sum;
}

static double heads_value(struct bench *b) {
    double sum = 0;
    net_forward(b->net, BATCH, VALUE_MODE);
    for (size_t m = 0; m < 2; m++)
        if (b->c.branch < 0 || (size_t)b->c.branch == m)
            sum += net_head_loss(b->net, m, b->labels, BATCH, 0).loss / BATCH;
    return settings_real(&b->settings, "weight") * b->c.strength * sum;
}

static double l2_init_value(struct bench *b) {
    size_t n;
    double sum = 0;
    const struct net_tensor *t = net_param_table(b->net, &n);
    real *start = calloc(b->P + 1, sizeof *start);
    net_init_into(b->net, NET_SEED, start);
    for (size_t i = 0; i < n; i++) {
        if (!in_branch(b->net, b->c.branch, &t[i])) continue;
        double far = apart(net_params(b->net) + t[i].offset, start + t[i].offset, t[i].count);
        sum += far * far;
    }
    free(start);
    return settings_real(&b->settings, "lambda") / 2 * b->c.strength * sum;
}

/* The largest error of `added` on tensor t, relative to the whole's length: along itself, where a
 * wrong size shows, and along a random direction. */
static double gradient_error(struct bench *b, const struct net_tensor *t, const real *added,
                             double (*value)(struct bench *b)) {
    real *w = net_params(b->net) + t->offset, *kept = copy_of(w, t->count);
    double worst = 0;
    for (int trial = 0; trial < DIRECTIONS; trial++) {
        struct rng rng = rng_stream((uint64_t)trial, "order", 2, t->offset);
        real *d = malloc((t->count + 1) * sizeof *d);
        double along = 0, quotient;
        for (size_t i = 0; i < t->count; i++)
            d[i] = trial ? (real)rng_normal(&rng) : added[t->offset + i] + (real)1e-6;
        double size = length(d, t->count);
        for (size_t i = 0; i < t->count; i++) d[i] = (real)((double)d[i] / size);
        for (size_t i = 0; i < t->count; i++) along += (double)added[t->offset + i] * (double)d[i];
        for (size_t i = 0; i < t->count; i++) w[i] = kept[i] + (real)FD_STEP * d[i];
        quotient = value(b);
        for (size_t i = 0; i < t->count; i++) w[i] = kept[i] - (real)FD_STEP * d[i];
        quotient = (quotient - value(b)) / (2 * FD_STEP);
        memcpy(w, kept, t->count * sizeof *w);
        worst = fmax(worst, fabs(quotient - along));
        free(d);
    }
    free(kept);
    return worst / length(added, b->P);
}

/* The worst over all tensors, those among them that a branch leaves alone: there nothing may have
 * been added. */
static double gradients_error(struct bench *b, const real *added,
                              double (*value)(struct bench *b)) {
    size_t n;
    double worst = 0;
    const struct net_tensor *t = net_param_table(b->net, &n);
    labels_of_answers(b);
    for (size_t i = 0; i < n; i++) {
        if (b->c.branch < 0 || in_branch(b->net, b->c.branch, &t[i]))
            worst = fmax(worst, gradient_error(b, &t[i], added, value));
        else if (value != heads_value)
            assert_true(length(added + t[i].offset, t[i].count) <= 0);
    }
    return worst;
}

static void check_gradient(struct bench *b, size_t i, double (*value)(struct bench *b),
                           double tolerance) {
    real *added = added_by(b);
    assert_true(length(added, b->P) > 0);
    double error = gradients_error(b, added, value);
    if (!(error < tolerance))
        fail_msg("%s on case %zu (%s): the gradient is off by %g", b->stabilizer->name, i,
                 CASES[i].arch, error);
    for (size_t j = 0; j < b->P; j++) added[j] *= (real)FAULT; /* noticed when wrong */
    assert_true(gradients_error(b, added, value) > tolerance);
    free(added);
}

/* ---- passes that hold the switches ------------------------------------------------------------ */

static void a_pass_with_the_switches_held_repeats_the_one_before(void **unused) {
    (void)unused;
    for (size_t i = 0; i < CASES_N; i++) {
        struct bench *b = bench_create(i, "l2_init", 1);
        plain_batch(b);
        real *grads = copy_of(net_grads(b->net), b->P);
        real *logits = copy_of(net_logits(b->net)->data, (size_t)BATCH * K);
        for (int again = 0; again < 2; again++) {
            net_forward(b->net, BATCH, NET_SWITCHED);
            net_loss(b->net, b->labels, BATCH);
            net_backward(b->net, BATCH);
            assert_memory_equal(logits, net_logits(b->net)->data, (size_t)BATCH * K * sizeof(real));
            assert_true(apart(grads, net_grads(b->net), b->P) <= LINEAR * length(grads, b->P));
        }
        free(logits);
        free(grads);
        bench_free(b);
    }
}

/* Along a line the plain logits bend, those with the switches held do not: with one layer before
 * the last of a net without normalization they are a polynomial of degree 2. */
static void held_switches_take_the_kinks_out(void **unused) {
    (void)unused;
    struct error e = {0};
    struct net *net =
        net_make(arch_find("mlp"), (const char *const[]){"hidden=[40]", "norm=none", NULL},
                 IMAGE[0], K, BATCH, 1, &e);
    size_t P = net_params_count(net);
    net_init(net, NET_SEED);
    input_fill(net, BATCH, 5);
    real *start = copy_of(net_params(net), P), *there = calloc(P + 1, sizeof *there);
    net_init_into(net, NET_SEED + 1, there);
    double third[2];
    for (int held = 0; held < 2; held++) {
        const double weights[] = {-1, 3, -3, 1};
        third[held] = 0;
        for (int step = 0; step < 4; step++) {
            for (size_t i = 0; i < P; i++)
                net_params(net)[i] = (real)((double)start[i] + 0.3 * step * (double)there[i]);
            net_forward(net, BATCH, held && step ? NET_SWITCHED : NET_BATCH);
            third[held] += weights[step] * (double)net_logits(net)->data[0];
        }
    }
    assert_true(fabs(third[0]) > 1e-2);
    assert_true(fabs(third[1]) < TOLERANCE);
    free(there);
    free(start);
    net_free(net);
}

static void batch_statistics_are_those_of_training_and_update_nothing(void **unused) {
    (void)unused;
    for (size_t i = 0; i < CASES_N; i++) {
        struct bench *b = bench_create(i, "l2_init", 1);
        size_t n = net_buffers_count(b->net);
        real *buffers = copy_of(net_buffers(b->net), n);
        net_forward(b->net, BATCH, NET_BATCH);
        net_forward(b->net, BATCH, NET_SWITCHED);
        assert_memory_equal(buffers, net_buffers(b->net), n * sizeof(real));
        real *logits = copy_of(net_logits(b->net)->data, (size_t)BATCH * K);
        net_forward(b->net, BATCH, NET_TRAIN);
        assert_memory_equal(logits, net_logits(b->net)->data, (size_t)BATCH * K * sizeof(real));
        assert_true(!n || memcmp(buffers, net_buffers(b->net), n * sizeof(real)));
        free(logits);
        free(buffers);
        bench_free(b);
    }
}

static void initial_parameters_can_be_drawn_into_any_array(void **unused) {
    (void)unused;
    for (size_t i = 0; i < CASES_N; i++) {
        struct net *net = net_of(i, 1);
        size_t n, P = net_params_count(net);
        const struct net_tensor *t = net_param_table(net, &n);
        real *drawn = calloc(P + 1, sizeof *drawn), *before = copy_of(net_params(net), P);
        net_init_into(net, NET_SEED, drawn);
        assert_memory_equal(before, net_params(net), P * sizeof *before);
        net_init(net, NET_SEED);
        for (size_t j = 0; j < n; j++)
            assert_memory_equal(drawn + t[j].offset, net_params(net) + t[j].offset,
                                t[j].count * sizeof *drawn);
        free(before);
        free(drawn);
        net_free(net);
    }
}

/* ---- gradients -------------------------------------------------------------------------------- */

static void fisher_penalty_adds_the_gradient_of_the_squared_gradient(void **unused) {
    (void)unused;
    for (size_t i = 0; i < CASES_N; i++)
        for (int norm = 0; norm < 2; norm++) {
            struct bench *b = bench_create(i, "fisher_penalty", 1);
            setting(b, "alpha", "0.7");
            setting(b, "norm_parameters", norm ? "true" : "false");
            check_gradient(b, i, fisher_value, HESSIAN);
            bench_free(b);
        }
}

static void heads_add_the_gradient_of_their_cross_entropies(void **unused) {
    (void)unused;
    for (size_t i = TOWERS; i < CASES_N; i++)
        for (int branch = -1; branch < 2; branch++) {
            struct bench *b = bench_create(i, "unimodal_heads", 1);
            setting(b, "weight", "0.6");
            b->c.branch = branch;
            check_gradient(b, i, heads_value, FD_TOLERANCE);
            bench_free(b);
        }
}

static void l2_init_adds_the_gradient_of_the_distance_from_the_start(void **unused) {
    (void)unused;
    for (size_t i = 0; i < CASES_N; i++) {
        struct bench *b = bench_create(i, "l2_init", 1);
        setting(b, "lambda", "0.5");
        check_gradient(b, i, l2_init_value, FD_TOLERANCE);
        bench_free(b);
    }
}

static void l2_init_adds_nothing_at_the_start(void **unused) {
    (void)unused;
    for (size_t i = 0; i < CASES_N; i++) {
        struct bench *b = bench_create(i, "l2_init", 1);
        setting(b, "lambda", "100");
        net_init(b->net, NET_SEED);
        real *added = added_by(b);
        assert_true(length(added, b->P) <= 0);
        free(added);
        bench_free(b);
    }
}

static void a_branch_alone_is_touched(void **unused) {
    (void)unused;
    static const struct {
        const char *name, *key, *value;
        double (*of)(struct bench *b);
    } penalties[] = {{"fisher_penalty", "alpha", "0.7", fisher_value},
                     {"l2_init", "lambda", "0.5", l2_init_value}};
    for (size_t p = 0; p < 2; p++)
        for (int branch = 0; branch < 3; branch++) {
            struct bench *b = bench_create(TOWERS, penalties[p].name, 1);
            setting(b, penalties[p].key, penalties[p].value);
            b->c.branch = branch;
            check_gradient(b, TOWERS, penalties[p].of, p ? FD_TOLERANCE : HESSIAN);
            bench_free(b);
        }
}

/* ---- what is left alone ----------------------------------------------------------------------- */

static const struct {
    const char *name, *key, *value;
} ADDERS[] = {{"fisher_penalty", "alpha", "0.7"},
              {"l2_init", "lambda", "0.5"},
              {"unimodal_heads", "weight", "0.6"}};
enum { ADDERS_N = sizeof ADDERS / sizeof *ADDERS };

static struct bench *adder_create(size_t i, size_t a, int threads) {
    struct bench *b = bench_create(i, ADDERS[a].name, threads);
    setting(b, ADDERS[a].key, ADDERS[a].value);
    return b;
}

static void penalties_leave_parameters_and_running_statistics_alone(void **unused) {
    (void)unused;
    for (size_t i = 0; i < CASES_N; i++)
        for (size_t a = 0; a < ADDERS_N; a++) {
            struct bench *b = adder_create(i, a, 1), *plain = adder_create(i, a, 1);
            size_t n = net_buffers_count(b->net);
            net_forward(plain->net, BATCH, NET_TRAIN);
            train_batch(b);
            assert_memory_equal(net_params(b->net), net_params(plain->net), b->P * sizeof(real));
            assert_memory_equal(net_buffers(b->net), net_buffers(plain->net), n * sizeof(real));
            bench_free(plain);
            bench_free(b);
        }
}

static void the_loss_and_its_gradient_stay_in_the_sum(void **unused) {
    (void)unused;
    struct bench *fisher = bench_create(NORMED, "fisher_penalty", 1);
    struct bench *init = bench_create(NORMED, "l2_init", 1);
    real *first = added_by(fisher), *second = added_by(init);
    plain_batch(fisher);
    real *sum = copy_of(net_grads(fisher->net), fisher->P);
    for (size_t i = 0; i < fisher->P; i++) sum[i] += first[i] + second[i];
    init->c.net = fisher->net; /* one after the other, as a config may list them */
    init->stabilizer->epoch_start(&init->settings, &init->c);
    train_batch(fisher);
    init->stabilizer->gradients(&init->settings, &init->c);
    assert_true(apart(sum, net_grads(fisher->net), fisher->P) <= LINEAR * length(sum, fisher->P));
    free(sum);
    free(second);
    free(first);
    bench_free(init);
    bench_free(fisher);
}

static void the_same_call_gives_the_same_bits_on_any_number_of_threads(void **unused) {
    (void)unused;
    for (size_t i = 0; i < CASES_N; i++)
        for (size_t a = 0; a < ADDERS_N; a++) {
            struct bench *one = adder_create(i, a, 1);
            train_batch(one);
            for (int threads = 1; threads <= THREADS_MOST; threads++) {
                struct bench *many = adder_create(i, a, threads);
                train_batch(many);
                assert_memory_equal(net_grads(one->net), net_grads(many->net),
                                    one->P * sizeof(real));
                bench_free(many);
            }
            bench_free(one);
        }
}

/* ---- strength, every, draws ------------------------------------------------------------------- */

static void strength_is_a_factor(void **unused) {
    (void)unused;
    for (size_t a = 0; a < ADDERS_N; a++) {
        struct bench *b = adder_create(TOWERS, a, 1);
        real *whole = added_by(b);
        b->c.strength = 0.25;
        real *part = added_by(b);
        plain_batch(b);
        double rounding = LINEAR * (length(whole, b->P) + length(net_grads(b->net), b->P));
        for (size_t i = 0; i < b->P; i++) part[i] *= 4;
        assert_true(length(whole, b->P) > 100 * rounding);
        assert_true(apart(whole, part, b->P) <= 4 * rounding);
        free(part);
        free(whole);
        bench_free(b);
    }
}

static void the_fisher_penalty_is_formed_every_so_many_batches(void **unused) {
    (void)unused;
    struct bench *b = bench_create(NORMED, "fisher_penalty", 1);
    const struct stabilizer *s = b->stabilizer;
    setting(b, "every", "3");
    setting(b, "alpha", "1");
    real *added[7];
    for (size_t batch = 0; batch < 7; batch++) {
        b->c.batch = batch;
        inputs_write(b->net, 1, batch);
        memset(net_grads(b->net), 0, b->P * sizeof(real));
        s->gradients(&b->settings, &b->c);
        added[batch] = copy_of(net_grads(b->net), b->P);
    }
    for (size_t batch = 1; batch < 7; batch++) {
        bool same = !memcmp(added[batch], added[batch - 1], b->P * sizeof(real));
        assert_int_equal(same, batch % 3 != 0);
    }
    for (size_t batch = 0; batch < 7; batch++) free(added[batch]);
    bench_free(b);
}

static void drawn_labels_follow_epoch_seed_and_example(void **unused) {
    (void)unused;
    struct bench *b = bench_create(NORMED, "fisher_penalty", 1);
    real *first = added_by(b), *second;
    uint32_t moved = b->index[0];
    b->c.epoch++;
    second = added_by(b);
    assert_true(apart(first, second, b->P) > 0.01 * length(first, b->P));
    free(second);
    b->c.epoch--;
    b->c.train_seed++;
    second = added_by(b);
    assert_true(apart(first, second, b->P) > 0.01 * length(first, b->P));
    free(second);
    b->c.train_seed--;
    b->c.net_seed++;
    b->c.batch = 5; /* neither the net's seed nor the place in the epoch matters */
    second = added_by(b);
    assert_memory_equal(first, second, b->P * sizeof(real));
    free(second);
    for (size_t n = 0; n < BATCH; n++) b->index[n] = moved + 1000 + (uint32_t)n;
    second = added_by(b);
    assert_true(apart(first, second, b->P) > 0.01 * length(first, b->P));
    free(second);
    free(first);
    bench_free(b);
}

static void a_network_that_is_sure_of_every_answer_has_no_penalty(void **unused) {
    (void)unused;
    struct bench *b = bench_create(1, "fisher_penalty", 1);
    size_t n;
    const struct net_tensor *t = net_param_table(b->net, &n);
    for (size_t i = 0; i < b->P; i++) net_params(b->net)[i] = 0;
    net_params(b->net)[t[n - 1].offset + 2] = 1e4; /* the last bias */
    setting(b, "alpha", "1000");
    real *added = added_by(b);
    assert_true(length(added, b->P) <= 0);
    free(added);
    bench_free(b);
}

/* ---- shrink and perturb ----------------------------------------------------------------------- */

/* The seed of the noise, from its documented stream. */
static uint64_t noise_seed(uint32_t epoch) {
    struct rng rng = rng_stream(TRAIN_SEED, "shrink_perturb", epoch, 0);
    uint64_t high = rng_word(&rng);
    return high << 32 | rng_word(&rng);
}

static void shrink_perturb_mixes_in_a_fresh_draw(void **unused) {
    (void)unused;
    for (size_t i = 0; i < CASES_N; i++)
        for (int k = 0; k < 2; k++) {
            struct bench *b = bench_create(i, "shrink_perturb", 1);
            real *w = copy_of(net_params(b->net), b->P), *fresh = calloc(b->P + 1, sizeof *fresh);
            real *buffers = copy_of(net_buffers(b->net), net_buffers_count(b->net));
            setting(b, "shrink", "0.4");
            setting(b, "perturb", "0.2");
            b->c.strength = k ? 0.5 : 1;
            double shrink = k ? 0.7 : 0.4, perturb = k ? 0.1 : 0.2;
            net_init_into(b->net, noise_seed(EPOCH), fresh);
            b->stabilizer->epoch_start(&b->settings, &b->c);
            size_t n;
            const struct net_tensor *t = net_param_table(b->net, &n);
            for (size_t j = 0; j < n; j++)
                for (size_t o = t[j].offset; o < t[j].offset + t[j].count; o++) {
                    bool head = !strncmp(t[j].name, "head_", 5);
                    double to = shrink * (double)w[o] + perturb * (double)fresh[o];
                    assert_near((double)net_params(b->net)[o], head ? (double)w[o] : to,
                                LINEAR * (1 + fabs((double)w[o])));
                }
            assert_memory_equal(buffers, net_buffers(b->net),
                                net_buffers_count(b->net) * sizeof(real));
            free(buffers);
            free(fresh);
            free(w);
            bench_free(b);
        }
}

static void shrink_perturb_draws_anew_in_each_epoch_and_the_same_again(void **unused) {
    (void)unused;
    struct bench *b = bench_create(NORMED, "shrink_perturb", 1);
    real *w = copy_of(net_params(b->net), b->P), *after[3];
    const uint32_t epochs[] = {EPOCH, EPOCH, EPOCH + 1};
    for (size_t k = 0; k < 3; k++) {
        memcpy(net_params(b->net), w, b->P * sizeof *w);
        b->c.epoch = epochs[k];
        b->stabilizer->epoch_start(&b->settings, &b->c);
        after[k] = copy_of(net_params(b->net), b->P);
    }
    assert_memory_equal(after[0], after[1], b->P * sizeof *w);
    assert_true(apart(after[0], after[2], b->P) > 0.01 * length(w, b->P));
    for (size_t k = 0; k < 3; k++) free(after[k]);
    free(w);
    bench_free(b);
}

static void shrink_perturb_of_a_branch_moves_that_branch(void **unused) {
    (void)unused;
    for (int branch = 0; branch < 3; branch++) {
        struct bench *b = bench_create(TOWERS, "shrink_perturb", 1);
        real *w = copy_of(net_params(b->net), b->P);
        size_t n;
        const struct net_tensor *t = net_param_table(b->net, &n);
        b->c.branch = branch;
        b->stabilizer->epoch_start(&b->settings, &b->c);
        for (size_t i = 0; i < n; i++) {
            bool same =
                !memcmp(w + t[i].offset, net_params(b->net) + t[i].offset, t[i].count * sizeof *w);
            assert_int_equal(same, !in_branch(b->net, branch, &t[i]));
        }
        free(w);
        bench_free(b);
    }
}

static void shrink_perturb_acts_first_and_then_every_so_many_epochs(void **unused) {
    (void)unused;
    struct bench *b = bench_create(0, "shrink_perturb", 1);
    for (int64_t since = 0; since < 10; since++) {
        setting(b, "every", "0");
        assert_int_equal(b->stabilizer->acts(&b->settings, since), since == 0);
        setting(b, "every", "4");
        assert_int_equal(b->stabilizer->acts(&b->settings, since), since % 4 == 0);
    }
    bench_free(b);
}

/* ---- settings --------------------------------------------------------------------------------- */

static void coefficients_that_do_nothing_are_identities(void **unused) {
    (void)unused;
    static const struct {
        const char *name, *key, *value;
    } cases[] = {{"fisher_penalty", "alpha", "0"},
                 {"l2_init", "lambda", "0"},
                 {"unimodal_heads", "weight", "0"},
                 {"shrink_perturb", "perturb", "0"}};
    for (size_t i = 0; i < 4; i++) {
        struct bench *b = bench_create(TOWERS, cases[i].name, 1);
        assert_false(b->stabilizer->is_identity(&b->settings));
        setting(b, cases[i].key, cases[i].value);
        bool both = !strcmp(cases[i].name, "shrink_perturb");
        assert_int_equal(b->stabilizer->is_identity(&b->settings), !both);
        if (both) setting(b, "shrink", "1");
        assert_true(b->stabilizer->is_identity(&b->settings));
        bench_free(b);
    }
}

static void heads_that_the_net_lacks_are_refused_with_what_to_set(void **unused) {
    (void)unused;
    struct error e = {0};
    struct bench *with = bench_create(TOWERS, "unimodal_heads", 1);
    struct bench *without = bench_create(NORMED, "unimodal_heads", 1);
    const struct stabilizer *s = with->stabilizer;
    for (int branch = -1; branch < 2; branch++)
        assert_int_equal(s->check(&with->settings, with->net, branch, &e), STATUS_OK);
    assert_int_equal(s->check(&with->settings, with->net, 2, &e), STATUS_USAGE); /* the trunk */
    assert_int_equal(s->check(&without->settings, without->net, -1, &e), STATUS_USAGE);
    assert_non_null(strstr(e.text, "net.heads: true"));
    bench_free(without);
    bench_free(with);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_pass_with_the_switches_held_repeats_the_one_before),
        cmocka_unit_test(held_switches_take_the_kinks_out),
        cmocka_unit_test(batch_statistics_are_those_of_training_and_update_nothing),
        cmocka_unit_test(initial_parameters_can_be_drawn_into_any_array),
        cmocka_unit_test(fisher_penalty_adds_the_gradient_of_the_squared_gradient),
        cmocka_unit_test(heads_add_the_gradient_of_their_cross_entropies),
        cmocka_unit_test(l2_init_adds_the_gradient_of_the_distance_from_the_start),
        cmocka_unit_test(l2_init_adds_nothing_at_the_start),
        cmocka_unit_test(a_branch_alone_is_touched),
        cmocka_unit_test(penalties_leave_parameters_and_running_statistics_alone),
        cmocka_unit_test(the_loss_and_its_gradient_stay_in_the_sum),
        cmocka_unit_test(the_same_call_gives_the_same_bits_on_any_number_of_threads),
        cmocka_unit_test(strength_is_a_factor),
        cmocka_unit_test(the_fisher_penalty_is_formed_every_so_many_batches),
        cmocka_unit_test(drawn_labels_follow_epoch_seed_and_example),
        cmocka_unit_test(a_network_that_is_sure_of_every_answer_has_no_penalty),
        cmocka_unit_test(shrink_perturb_mixes_in_a_fresh_draw),
        cmocka_unit_test(shrink_perturb_draws_anew_in_each_epoch_and_the_same_again),
        cmocka_unit_test(shrink_perturb_of_a_branch_moves_that_branch),
        cmocka_unit_test(shrink_perturb_acts_first_and_then_every_so_many_epochs),
        cmocka_unit_test(coefficients_that_do_nothing_are_identities),
        cmocka_unit_test(heads_that_the_net_lacks_are_refused_with_what_to_set),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
