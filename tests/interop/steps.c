/* Twenty training steps of every architecture with every optimizer, dumped for PyTorch to repeat
 * (tests/interop/test_steps.py): parameters and running statistics before and after, losses, and
 * for the final state in eval mode the loss, accuracy, gradient norm and exact Fisher trace per
 * layer over the first batch.
 *
 *   steps FILE.h5 SEED
 *
 * One group per case, "<variant>/<optimizer>", whose attributes say how to rebuild the net; one
 * array per modality, of which each case names its own. Where a net has auxiliary heads, their
 * losses are trained too, with weights of different sizes. Nets
 * and images are small: what is compared is arithmetic, not learning. Learning rates are small and
 * Adam's weight decay large: Adam divides by the gradient's size, and biases before a batch norm
 * have no gradient but rounding errors. */
#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/h5.h"
#include "base/rng.h"
#include "nets/arch.h"
#include "nets/net.h"
#include "nets/optimizer.h"

enum { STEPS = 20, N = 16, H = 8, W = 8, C = 3, K = 5, SLOTS = 6, VOCABULARY = 9, POSE = 4 };
enum { SETTINGS = 6, PATH = 160, MODALITIES = 4 };

static const struct net_input modalities[MODALITIES] = {{"image", H, W, C, 0},
                                                        {"right", H, W, C, 0},
                                                        {"text", 1, SLOTS, 1, VOCABULARY},
                                                        {"pose", 1, POSE, 1, 0}};
/* Indices into these; the first is always the image. */
struct inputs {
    size_t n, index[NET_INPUTS];
};
static const struct inputs one = {1, {0}}, views = {2, {0, 1}}, senses = {3, {0, 2, 3}};

struct assignment {
    const char *name, *value;
};

struct variant {
    const char *name, *type;
    double rate;
    struct assignment settings[SETTINGS];
    const struct inputs *inputs; /* of an architecture */
};

static const struct variant archs[] = {
    {"mlp", "mlp", 0, {{"hidden", "[24, 16, 12]"}}, &one},
    {"convfc", "convfc", 0, {{NULL, NULL}}, &one},
    {"lenet", "lenet", 0, {{"width", "0.5"}}, &one},
    {"lenet_norm", "lenet", 0, {{"width", "0.5"}, {"norm", "batch"}}, &one},
    {"mlp_plain", "mlp", 0, {{"hidden", "[24]"}, {"norm", "none"}}, &one},
    {"convfc_plain", "convfc", 0, {{"norm", "none"}}, &one},
    {"allcnn", "allcnn", 0, {{"width", "0.0625"}}, &one},
    {"allcnn_c", "allcnn_c", 0, {{"width", "0.0625"}}, &one},
    {"allcnn_depth_1", "allcnn_depth", 0, {{"n", "1"}, {"width", "0.0625"}}, &one},
    {"allcnn_depth_2", "allcnn_depth", 0, {{"n", "2"}, {"width", "0.0625"}}, &one},
    {"allcnn_depth_3", "allcnn_depth", 0, {{"n", "3"}, {"width", "0.0625"}}, &one},
    {"resnet18", "resnet18", 0, {{"width", "2"}}, &one},
    {"resnet18_plain", "resnet18", 0, {{"width", "2"}, {"norm", "none"}}, &one},
    {"towers_concat", "towers", 0, {{"heads", "true"}}, &senses},
    {"towers_add", "towers", 0, {{"fusion", "add"}, {"norm", "batch"}}, &senses},
    {"towers_product", "towers", 0, {{"fusion", "product"}, {"heads", "true"}}, &senses},
    {"towers_one", "towers", 0, {{"channels", "[4, 6]"}}, &one},
    {"deeplinear_1", "deeplinear", 0, {{"depth", "1"}, {"eps", "1"}}, &one},
    {"deeplinear_3", "deeplinear", 0, {{"width", "12"}, {"eps", "1"}}, &views},
    {"split_allcnn_1", "split_allcnn", 0, {{"n", "1"}, {"width", "0.0625"}}, &views},
    {"split_allcnn_2", "split_allcnn", 0, {{"width", "0.0625"}, {"heads", "true"}}, &views},
};

static const struct variant optimizers[] = {
    {"sgd", "sgd", 0.005, {{NULL, NULL}}, NULL},
    {"momentum_decay", "sgd", 0.002, {{"momentum", "0.9"}, {"weight_decay", "0.001"}}, NULL},
    {"nesterov", "sgd", 0.002, {{"momentum", "0.9"}, {"nesterov", "true"}}, NULL},
    {"adam", "adam", 0.0005, {{"weight_decay", "0.01"}}, NULL},
};

enum {
    ARCHS = sizeof archs / sizeof archs[0],
    OPTIMIZERS = sizeof optimizers / sizeof optimizers[0]
};

struct batches {
    double x[MODALITIES][STEPS * N * H * W * C]; /* [STEPS N, H, W, C] of each */
    double label[STEPS * N];
};

struct job {
    char group[PATH];
    struct settings arch_settings, optimizer_settings;
    struct inputs inputs;
    struct net *net;
    const struct optimizer *optimizer;
    double rate;
    real *slots[OPTIMIZER_SLOTS];
    double losses[STEPS];
};

static void die(const char *what, const struct error *e) {
    fprintf(stderr, "steps: %s: %s\n", what, e->text);
    exit(1);
}

static void settings_fill(struct settings *s, const struct param *table, const struct variant *v) {
    struct error e = {0};
    settings_init(s, table, NULL);
    for (size_t i = 0; i < SETTINGS && v->settings[i].name; i++)
        if (settings_set(s, v->settings[i].name, v->settings[i].value, &e)) die(v->name, &e);
}

static size_t size_of(size_t m) {
    return modalities[m].H * modalities[m].W * modalities[m].C;
}

/* N(0, 1) with a class-dependent mean, so that there is something to learn; of tokens, the first
 * tells the class in half of the examples. */
static void example_fill(double *x, size_t m, uint32_t label, struct rng *r) {
    for (size_t i = 0; i < size_of(m); i++) {
        double mean = i % K == label ? 0.5 : 0.0;
        x[i] = (double)(float)(mean + rng_normal(r));
    }
    if (!modalities[m].tokens) return;
    for (size_t i = 0; i < size_of(m); i++) x[i] = rng_below(r, VOCABULARY);
    if (rng_below(r, 2)) x[0] = label + 1;
}

static struct batches *batches_create(uint64_t seed) {
    struct batches *b = malloc(sizeof *b);
    if (!b) abort();
    for (size_t n = 0; n < STEPS * N; n++) {
        struct rng r = rng_stream(seed, "interop", 0, n);
        uint32_t label = rng_below(&r, K);
        b->label[n] = label;
        for (size_t m = 0; m < MODALITIES; m++)
            example_fill(b->x[m] + n * size_of(m), m, label, &r);
    }
    return b;
}

static void job_create(struct job *j, const struct variant *arch, const struct variant *opt) {
    struct error e = {0};
    memset(j, 0, sizeof *j);
    snprintf(j->group, sizeof j->group, "%s/%s", arch->name, opt->name);
    const struct arch *a = arch_find(arch->type);
    j->optimizer = optimizer_find(opt->type);
    assert(a && j->optimizer);
    j->rate = opt->rate;
    settings_fill(&j->arch_settings, a->params, arch);
    settings_fill(&j->optimizer_settings, j->optimizer->params, opt);
    struct net_input inputs[NET_INPUTS];
    j->inputs = *arch->inputs;
    for (size_t i = 0; i < j->inputs.n; i++) inputs[i] = modalities[j->inputs.index[i]];
    const struct net_spec spec = {.arch = a,
                                  .settings = &j->arch_settings,
                                  .inputs = inputs,
                                  .inputs_n = j->inputs.n,
                                  .K = K,
                                  .batch = N,
                                  .threads = 1};
    if (net_create(&j->net, &spec, &e)) die(j->group, &e);
    net_init(j->net, 11);
    for (size_t s = 0; s < j->optimizer->slots; s++) {
        j->slots[s] = calloc(net_params_count(j->net), sizeof(real));
        if (!j->slots[s]) abort();
    }
}

static void job_free(struct job *j) {
    for (size_t s = 0; s < OPTIMIZER_SLOTS; s++) free(j->slots[s]);
    net_free(j->net);
    settings_free(&j->arch_settings);
    settings_free(&j->optimizer_settings);
}

static void put_arena(const struct job *j, struct h5_writer *w, const char *when,
                      const struct net_tensor *table, size_t n, const real *arena) {
    for (size_t i = 0; i < n; i++) {
        char name[2 * PATH];
        real *copy = malloc(table[i].count * sizeof *copy);
        if (!copy) abort();
        net_export(j->net, &table[i], arena, copy);
        snprintf(name, sizeof name, "%s/%s/%s", j->group, when, table[i].name);
        h5_put_tensor(w, name, copy, sizeof *copy, (size_t)table[i].rank, table[i].shape, NULL);
        free(copy);
    }
}

static void put_state(const struct job *j, struct h5_writer *w, const char *when) {
    size_t n;
    const struct net_tensor *params = net_param_table(j->net, &n);
    put_arena(j, w, when, params, n, net_params(j->net));
    const struct net_tensor *buffers = net_buffer_table(j->net, &n);
    put_arena(j, w, when, buffers, n, net_buffers(j->net));
}

static void put_settings(struct h5_writer *w, const char *group, const char *kind,
                         const struct settings *s) {
    for (size_t i = 0; i < s->n; i++) {
        char name[PATH];
        snprintf(name, sizeof name, "%s.%s", kind, s->values[i].param->name);
        if (s->values[i].is_set) h5_put_attr_text(w, group, name, s->values[i].text);
    }
}

static void batch_write(const struct job *j, const struct batches *b, size_t step,
                        int32_t labels[N]) {
    for (size_t n = 0; n < N; n++) labels[n] = (int32_t)b->label[step * N + n];
    for (size_t m = 0; m < j->inputs.n; m++) {
        const struct tensor *t = net_input_tensor(j->net, m);
        const double *x = b->x[j->inputs.index[m]] + step * N * t->H * t->W * t->C;
        for (size_t n = 0; n < N; n++)
            for (size_t h = 0; h < t->H; h++)
                for (size_t i = 0; i < t->W * t->C; i++) tensor_at(t, n, h, 0)[i] = (real)*x++;
    }
}

static double head_weight(size_t m) {
    return 0.5 * (double)(m + 1);
}

/* The mean loss that is trained, whose gradient net_backward will form. */
static double training_loss(const struct job *j, const int32_t *labels) {
    double loss = net_loss(j->net, labels, N).loss;
    for (size_t m = 0; m < j->inputs.n; m++)
        if (net_has_head(j->net, m))
            loss += head_weight(m) * net_head_loss(j->net, m, labels, N, head_weight(m)).loss;
    return loss / N;
}

static void job_train(struct job *j, const struct batches *b) {
    for (size_t step = 0; step < STEPS; step++) {
        int32_t labels[N];
        batch_write(j, b, step, labels);
        net_forward(j->net, N, NET_TRAIN);
        j->losses[step] = training_loss(j, labels);
        net_backward(j->net, N);
        optimizer_step(j->optimizer, &j->optimizer_settings, j->rate, (int64_t)step + 1,
                       net_params_count(j->net), net_params(j->net), net_grads(j->net), j->slots);
    }
}

/* trace of layer l = mean over n of sum over y of p(y|n) |d log p(y|n) / d w_l|^2 */
static void fisher_exact(struct net *net, size_t layers, double *trace) {
    double p[N * K];
    real d[N * K];
    double *g2 = malloc(N * layers * sizeof *g2);
    if (!g2) abort();
    net_probabilities(net, N, p);
    memset(trace, 0, layers * sizeof *trace);
    for (size_t y = 0; y < K; y++) {
        for (size_t i = 0; i < N * K; i++) d[i] = (real)(p[i] - (i % K == y ? 1.0 : 0.0));
        net_set_dlogits(net, N, d);
        net_backward_g2(net, N, 1, g2);
        for (size_t i = 0; i < N * layers; i++) {
            trace[i % layers] += p[i / layers * K + y] * g2[i] / N;
        }
    }
    free(g2);
}

static void put_measures(const struct job *j, struct h5_writer *w, const struct batches *b) {
    char name[2 * PATH];
    int32_t labels[N];
    size_t layers;
    const char *const *layer = net_layers(j->net, &layers);
    batch_write(j, b, 0, labels);
    net_forward(j->net, N, NET_EVAL);
    struct net_loss loss = net_loss(j->net, labels, N);
    net_backward(j->net, N);
    double norm2 = 0;
    for (size_t i = 0; i < net_params_count(j->net); i++)
        norm2 += (double)net_grads(j->net)[i] * (double)net_grads(j->net)[i];
    double *trace = malloc(layers * sizeof *trace);
    if (!trace) abort();
    fisher_exact(j->net, layers, trace);

    h5_put_attr_real(w, j->group, "eval_loss", loss.loss / N);
    h5_put_attr_real(w, j->group, "eval_entropy", loss.entropy / N);
    h5_put_attr_int(w, j->group, "eval_correct", (int64_t)loss.correct);
    h5_put_attr_real(w, j->group, "eval_grad_norm", sqrt(norm2));
    snprintf(name, sizeof name, "%s/layer", j->group);
    h5_put_scale_texts(w, name, layer, layers, NULL);
    snprintf(name, sizeof name, "%s/fisher_layer_trace", j->group);
    h5_put_doubles(w, name, trace, 1, (const char *const[]){"layer"}, NULL);
    free(trace);
}

/* "inputs": their names; "head.<modality>": the weight of its loss. */
static void put_inputs(const struct job *j, struct h5_writer *w) {
    char names[PATH] = "", head[PATH];
    for (size_t m = 0; m < j->inputs.n; m++) {
        const char *name = modalities[j->inputs.index[m]].name;
        size_t length = strlen(names);
        snprintf(names + length, sizeof names - length, "%s%s", m ? "," : "", name);
        snprintf(head, sizeof head, "head.%s", name);
        if (net_has_head(j->net, m)) h5_put_attr_real(w, j->group, head, head_weight(m));
    }
    h5_put_attr_text(w, j->group, "inputs", names);
}

static void job_run(struct h5_writer *w, const struct batches *b, const struct variant *arch,
                    const struct variant *opt) {
    struct job j;
    char name[2 * PATH];
    job_create(&j, arch, opt);
    put_state(&j, w, "before");
    job_train(&j, b);
    put_state(&j, w, "after");
    snprintf(name, sizeof name, "%s/losses", j.group);
    h5_put_tensor(w, name, j.losses, sizeof *j.losses, 1, (const size_t[]){STEPS}, NULL);
    put_measures(&j, w, b);
    put_inputs(&j, w);
    h5_put_attr_text(w, j.group, "arch", arch->type);
    h5_put_attr_text(w, j.group, "optimizer", opt->type);
    h5_put_attr_real(w, j.group, "rate", opt->rate);
    put_settings(w, j.group, "arch", &j.arch_settings);
    put_settings(w, j.group, "optimizer", &j.optimizer_settings);
    job_free(&j);
}

/* A new architecture or optimizer needs a line in the tables above. */
static void tables_check(void) {
    size_t n;
    const struct arch *const *a = arch_list(&n);
    for (size_t i = 0, k; i < n; i++) {
        for (k = 0; k < ARCHS && strcmp(archs[k].type, a[i]->name) != 0; k++) continue;
        if (k == ARCHS) fprintf(stderr, "steps: no case for net '%s'\n", a[i]->name), exit(1);
    }
    const struct optimizer *const *o = optimizer_list(&n);
    for (size_t i = 0, k; i < n; i++) {
        for (k = 0; k < OPTIMIZERS && strcmp(optimizers[k].type, o[i]->name) != 0; k++) continue;
        if (k == OPTIMIZERS) fprintf(stderr, "steps: no case for '%s'\n", o[i]->name), exit(1);
    }
}

int main(int argc, char **argv) {
    if (argc != 3) {
        fprintf(stderr, "usage: steps FILE.h5 SEED\n");
        return 2;
    }
    tables_check();
    struct error e = {0};
    struct batches *b = batches_create(strtoull(argv[2], NULL, 10));
    struct h5_writer *w = h5_create(argv[1]);
    for (size_t m = 0; m < MODALITIES; m++) {
        const struct net_input *is = &modalities[m];
        h5_put_tensor(w, is->name, b->x[m], sizeof *b->x[m], 4,
                      (const size_t[]){STEPS * N, is->H, is->W, is->C}, NULL);
    }
    h5_put_attr_int(w, "/", "vocabulary", VOCABULARY);
    h5_put_tensor(w, "labels", b->label, sizeof *b->label, 1, (const size_t[]){STEPS * N}, NULL);
    for (size_t a = 0; a < ARCHS; a++)
        for (size_t o = 0; o < OPTIMIZERS; o++) job_run(w, b, &archs[a], &optimizers[o]);
    h5_put_attr_text(w, "/", "real", REAL_NAME);
    free(b);
    if (h5_commit(w, false, &e)) die(argv[1], &e);
    return 0;
}
