/* What the stabilizers with a formula of their own do to one batch, dumped for PyTorch to work out
 * from the same parameters (tests/interop/test_penalties.py).
 *
 *   penalties FILE.h5
 *
 * One group per network. `params`, `start` (its initialization) and `fresh` (the draw that
 * shrink_perturb mixes in) hold tensors in PyTorch's layout; `gradient` is that of the loss, the
 * groups named after stabilizers what each adds to it or makes of the parameters. `uniform` are the
 * numbers behind the labels that fisher_penalty draws: where they fall in the cumulative sum of the
 * answer's probabilities is the label. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/h5.h"
#include "base/rng.h"
#include "nets/arch.h"
#include "nets/net.h"
#include "stabilizers/stabilizer.h"

enum { N = 16, K = 5, SETTINGS = 6, PATH = 160, EPOCH = 6, NET_SEED = 11, TRAIN_SEED = 12 };

static const struct net_input INPUTS[] = {{"image", 8, 8, 3, 0}, {"text", 1, 4, 1, 9}};

struct assignment {
    const char *name, *value;
};

static const struct network {
    const char *name, *arch;
    size_t inputs_n;
    struct assignment settings[SETTINGS];
} networks[] = {
    {"mlp", "mlp", 1, {{"hidden", "[24, 16]"}, {"norm", "none"}}},
    {"convfc", "convfc", 1, {{"channels", "[6, 8, 8]"}, {"fc", "16"}}},
    {"lenet", "lenet", 1, {{"width", "0.25"}, {"norm", "batch"}}},
    {"resnet18", "resnet18", 1, {{"width", "4"}}},
    {"towers", "towers", 2, {{"channels", "[4, 6]"}, {"features", "8"}, {"heads", "true"}}},
};

static const struct penalty {
    const char *name, *stabilizer;
    struct assignment settings[3];
} penalties[] = {
    {"fisher_penalty", "fisher_penalty", {{"alpha", "0.3"}}},
    {"fisher_penalty_norm", "fisher_penalty", {{"alpha", "0.3"}, {"norm_parameters", "true"}}},
    {"l2_init", "l2_init", {{"lambda", "0.02"}}},
    {"unimodal_heads", "unimodal_heads", {{"weight", "0.4"}}},
    {"shrink_perturb", "shrink_perturb", {{"shrink", "0.7"}, {"perturb", "0.2"}}},
};

struct job {
    const struct network *network;
    struct h5_writer *file;
    struct settings settings; /* of the network */
    struct net *net;
    struct stabilizer_context c;
    int32_t labels[N];
    uint32_t index[N];
};

static void die(const char *what, const struct error *e) {
    fprintf(stderr, "penalties: %s: %s\n", what, e->text);
    exit(1);
}

static void settings_fill(struct settings *s, const struct param *table, const struct assignment *a,
                          size_t n) {
    struct error e = {0};
    settings_init(s, table, NULL);
    for (size_t i = 0; i < n && a[i].name; i++)
        if (settings_set(s, a[i].name, a[i].value, &e)) die(a[i].name, &e);
}

static void *get(size_t n, size_t size) {
    void *p = calloc(n + 1, size);
    if (!p) abort();
    return p;
}

static void put_tensors(const struct job *j, const char *group, const real *arena) {
    size_t n;
    const struct net_tensor *t = net_param_table(j->net, &n);
    for (size_t i = 0; i < n; i++) {
        char path[PATH];
        real *copy = get(t[i].count, sizeof *copy);
        net_export(j->net, &t[i], arena, copy);
        snprintf(path, sizeof path, "%s/%s/%s", j->network->name, group, t[i].name);
        h5_put_tensor(j->file, path, copy, sizeof *copy, (size_t)t[i].rank, t[i].shape, NULL);
        free(copy);
    }
}

static void put_numbers(const struct job *j, const char *name, const double *v, size_t rank,
                        const size_t *shape) {
    char path[PATH];
    snprintf(path, sizeof path, "%s/%s", j->network->name, name);
    h5_put_tensor(j->file, path, v, sizeof *v, rank, shape, NULL);
}

static void job_create(struct job *j) {
    struct error e = {0};
    const struct arch *arch = arch_find(j->network->arch);
    settings_fill(&j->settings, arch->params, j->network->settings, SETTINGS);
    struct net_spec spec = {.arch = arch,
                            .settings = &j->settings,
                            .inputs = INPUTS,
                            .inputs_n = j->network->inputs_n,
                            .K = K,
                            .batch = N,
                            .threads = 1};
    if (net_create(&j->net, &spec, &e)) die(j->network->name, &e);
    j->c = (struct stabilizer_context){.net = j->net,
                                       .branch = -1,
                                       .strength = 0.5,
                                       .net_seed = NET_SEED,
                                       .train_seed = TRAIN_SEED,
                                       .epoch = EPOCH,
                                       .N = N,
                                       .labels = j->labels,
                                       .index = j->index};
}

/* Images, tokens and labels, written into the network and the file. */
static void put_batch(struct job *j) {
    for (size_t m = 0; m < j->network->inputs_n; m++) {
        const struct tensor *x = net_input_tensor(j->net, m);
        size_t size = x->H * x->W * x->C;
        double *values = get(N * size, sizeof *values);
        for (size_t i = 0; i < N * size; i++) {
            struct rng r = rng_stream(m, "interop", 0, i);
            size_t w = i / x->C % x->W, h = i / x->C / x->W % x->H, tokens = INPUTS[m].tokens;
            values[i] = tokens ? rng_below(&r, (uint32_t)tokens) : (double)(float)rng_normal(&r);
            tensor_at(x, i / size, h, w)[i % x->C] = (real)values[i];
        }
        put_numbers(j, INPUTS[m].name, values, 4, (const size_t[]){N, x->H, x->W, x->C});
        free(values);
    }
}

static void put_labels(struct job *j) {
    double labels[N], uniform[N];
    for (size_t n = 0; n < N; n++) {
        struct rng r = rng_stream(2, "interop", 0, n);
        labels[n] = j->labels[n] = (int32_t)rng_below(&r, K);
        j->index[n] = (uint32_t)(31 * n + 4);
        r = rng_stream(TRAIN_SEED, "fisher_penalty", EPOCH, j->index[n]);
        uniform[n] = rng_uniform(&r);
    }
    put_numbers(j, "labels", labels, 1, (const size_t[]){N});
    put_numbers(j, "uniform", uniform, 1, (const size_t[]){N});
}

static void batch_gradient(struct job *j, const struct stabilizer *s, const struct settings *set) {
    net_forward(j->net, N, NET_BATCH);
    net_loss(j->net, j->labels, N);
    if (s && s->loss) s->loss(set, &j->c);
    net_backward(j->net, N);
}

/* Away from the start, by steps of the loss and by noise that moves normalization too. What is 0
 * stays 0: the vector of the empty token, that nothing moves. */
static void job_train(struct job *j) {
    size_t count = net_params_count(j->net);
    real *start = get(count, sizeof *start);
    net_init(j->net, NET_SEED);
    net_init_into(j->net, NET_SEED, start);
    put_tensors(j, "start", start);
    for (int step = 0; step < 10; step++) {
        batch_gradient(j, NULL, NULL);
        for (size_t i = 0; i < count; i++)
            net_params(j->net)[i] -= (real)0.02 * net_grads(j->net)[i];
    }
    struct rng r = rng_stream(3, "interop", 0, 0);
    for (size_t i = 0; i < count; i++)
        if (net_params(j->net)[i] != 0) net_params(j->net)[i] += (real)(0.03 * rng_normal(&r));
    put_tensors(j, "params", net_params(j->net));
    batch_gradient(j, NULL, NULL);
    put_tensors(j, "gradient", net_grads(j->net));
    free(start);
}

/* The noise of shrink_perturb, from its documented seed. */
static void put_fresh(struct job *j) {
    struct rng r = rng_stream(TRAIN_SEED, "shrink_perturb", EPOCH, 0);
    uint64_t high = rng_word(&r), seed = high << 32 | rng_word(&r);
    real *fresh = get(net_params_count(j->net), sizeof *fresh);
    net_init_into(j->net, seed, fresh);
    put_tensors(j, "fresh", fresh);
    free(fresh);
}

/* Into the file: the parameters that it leaves behind; or the gradient with it, or (where a
 * difference would lose digits) what it adds to one of zeros. */
static void put_penalty(struct job *j, const struct penalty *p) {
    struct settings set;
    struct error e = {0};
    const struct stabilizer *s = stabilizer_find(p->stabilizer);
    const size_t count = net_params_count(j->net);
    real *params = get(count, sizeof *params), *grads = net_grads(j->net);
    settings_fill(&set, s->params, p->settings, 3);
    for (size_t a = 0; a < s->arrays; a++) j->c.arrays[a] = get(count, sizeof(real));
    j->c.scratch = s->scratch ? get(s->scratch(&set, j->net), 1) : NULL;
    memcpy(params, net_params(j->net), count * sizeof *params);
    if (!s->check || !s->check(&set, j->net, -1, &e)) {
        if (s->epoch_start) s->epoch_start(&set, &j->c);
        batch_gradient(j, s, &set);
        if (s->gradients) memset(grads, 0, count * sizeof *grads);
        if (s->gradients) s->gradients(&set, &j->c);
        put_tensors(j, p->name, s->gradients || s->loss ? grads : net_params(j->net));
    }
    memcpy(net_params(j->net), params, count * sizeof *params);
    for (size_t a = 0; a < s->arrays; a++) free(j->c.arrays[a]);
    free(j->c.scratch);
    free(params);
    settings_free(&set);
}

static void job_run(struct job *j) {
    job_create(j);
    put_batch(j);
    put_labels(j);
    job_train(j);
    put_fresh(j);
    for (size_t i = 0; i < sizeof penalties / sizeof *penalties; i++) put_penalty(j, &penalties[i]);
    h5_put_attr_text(j->file, j->network->name, "arch", j->network->arch);
    for (size_t i = 0; i < j->settings.n; i++)
        if (j->settings.values[i].is_set)
            h5_put_attr_text(j->file, j->network->name, j->settings.values[i].param->name,
                             j->settings.values[i].text);
    net_free(j->net);
    settings_free(&j->settings);
}

int main(int argc, char **argv) {
    if (argc != 2) {
        fprintf(stderr, "usage: penalties FILE.h5\n");
        return 2;
    }
    struct error e = {0};
    struct h5_writer *w = h5_create(argv[1]);
    for (size_t i = 0; i < sizeof networks / sizeof *networks; i++)
        job_run(&(struct job){.network = &networks[i], .file = w});
    h5_put_attr_text(w, "/", "real", REAL_NAME);
    if (h5_commit(w, false, &e)) die(argv[1], &e);
    return 0;
}
