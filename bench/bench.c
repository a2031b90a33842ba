/* bench: measures one thing after another, as bench/run.py asks over a pipe, so that what is
 * compared can take turns and no start of a program is part of a time.
 *
 * A request is a line of words, the answer one line of JSON:
 *
 *   machine                                    processor, instruction set, compiler, BLAS
 *   peak THREADS SECONDS                       FLOP/s of multiply-adds in registers, see machine.h
 *   memory THREADS                             bytes/s of a = b + s c
 *   net ARCH SETTINGS H W C K BATCH THREADS    makes this the net that the others are about
 *   save PATH                                  its parameters, images and labels, for PyTorch
 *   train SECONDS                              training steps
 *   pass SECONDS                               forward in evaluation mode, and backward
 *   fisher ESTIMATOR SECONDS                   Fisher traces over the batch
 *   ops SECONDS                                each of its convolutions and linear ops, alone
 *   images PATH H W C K TRAIN TEST             a data set for whole runs, see images.h
 *   quit
 *
 * SETTINGS are "width=0.25;norm=none", or "-"; an answer {"error": ...} says what went wrong. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cores.h"
#include "bench/images.h"
#include "bench/load.h"
#include "bench/machine.h"
#include "nets/kernels/isa.h"
#include "sim/numerics.h"
#include "version.h"

enum { WORDS = 10, LAYERS = 128 };

struct bench {
    struct load load;
    bool has_load;
    enum fisher_estimator estimator;
    struct error error;
};

struct request {
    const char *name;
    int words; /* with its name */
    bool needs_net;
    int (*answer)(struct bench *b, char **word, struct error *e);
};

static void put_text(const char *key, const char *text) {
    printf("\"%s\": \"", key);
    for (; *text; text++) {
        if (*text == '"' || *text == '\\') putchar('\\');
        putchar((unsigned char)*text < ' ' ? ' ' : *text);
    }
    putchar('"');
}

static void put_timing(const struct timing *t) {
    printf("\"runs\": %zu, \"wall\": %.9g, \"cpu\": %.9g", t->runs, t->wall, t->cpu);
}

/* JSON has no NaN. */
static void put_number(const char *key, double value) {
    if (isfinite(value))
        printf("\"%s\": %.9g", key, value);
    else
        printf("\"%s\": null", key);
}

/* ---- the machine ----------------------------------------------------------------------------- */

static int answer_machine(struct bench *b, char **word, struct error *e) {
    (void)b, (void)word, (void)e;
    char text[512];
    numerics_cpu(text, sizeof text);
    printf("{");
    put_text("cpu", text);
    numerics_blas(text, sizeof text);
    printf(", ");
    put_text("blas", text);
    printf(", ");
    put_text("isa", isa_here());
    printf(", ");
    put_text("real", REAL_NAME);
    printf(", ");
    put_text("compiler", __VERSION__);
    printf(", ");
    put_text("version", IMPRINT_VERSION " " GIT_COMMIT);
    printf(", \"cores\": %d}\n", cores_usable());
    return STATUS_OK;
}

static int threads_of(const char *word) {
    int threads = atoi(word);
    return threads > 1 ? threads : 1;
}

static int answer_peak(struct bench *b, char **word, struct error *e) {
    (void)b, (void)e;
    printf("{\"flops\": %.9g}\n", machine_peak(threads_of(word[1]), atof(word[2])));
    return STATUS_OK;
}

static int answer_memory(struct bench *b, char **word, struct error *e) {
    (void)b, (void)e;
    printf("{");
    put_number("bytes", machine_triad(threads_of(word[1])));
    printf("}\n");
    return STATUS_OK;
}

/* ---- the net --------------------------------------------------------------------------------- */

static void net_drop(struct bench *b) {
    if (b->has_load) load_free(&b->load);
    b->has_load = false;
}

/* Tensors begin on cache lines, so their sizes are less than net_params_count in sum. */
static void put_params(const struct net *net) {
    size_t n, params = 0;
    const struct net_tensor *table = net_param_table(net, &n);
    printf("\"names\": [");
    for (size_t i = 0; i < n; i++) {
        printf("%s\"%s\"", i ? ", " : "", table[i].name);
        params += table[i].count;
    }
    printf("], \"params\": %zu", params);
}

static int read_numbers(char **word, size_t n, size_t *number, struct error *e) {
    for (size_t i = 0; i < n; i++) {
        number[i] = strtoull(word[i], NULL, 10);
        if (number[i] < 1 || number[i] > 1 << 16)
            return error_set(e, STATUS_USAGE, "'%s' is no number in 1..65536", word[i]);
    }
    return STATUS_OK;
}

static int answer_images(struct bench *b, char **word, struct error *e) {
    (void)b;
    size_t n[6];
    int status = read_numbers(word + 2, 6, n, e);
    if (status) return status;
    struct images_spec spec = {n[0], n[1], n[2], n[3], n[4], n[5]};
    status = images_save(&spec, word[1], e);
    if (!status) printf("{}\n");
    return status;
}

static int answer_net(struct bench *b, char **word, struct error *e) {
    size_t number[6];
    int status = read_numbers(word + 3, 6, number, e);
    if (status) return status;
    struct load_spec spec = {.arch = word[1],
                             .settings = word[2],
                             .H = number[0],
                             .W = number[1],
                             .C = number[2],
                             .K = number[3],
                             .batch = number[4],
                             .threads = (int)number[5]};
    net_drop(b);
    status = load_create(&b->load, &spec, e);
    if (status) return status;
    b->has_load = true;
    struct load_flops flops = load_flops(&b->load);
    printf("{\"params\": %zu, \"forward\": %.17g, \"step\": %.17g, ", net_params_count(b->load.net),
           flops.forward, flops.step);
    put_number("loss", load_loss(&b->load));
    printf(", \"activations\": %zu, ", load_activations(&b->load));
    put_params(b->load.net);
    printf("}\n");
    return STATUS_OK;
}

static int answer_save(struct bench *b, char **word, struct error *e) {
    int status = load_save(&b->load, word[1], e);
    if (!status) printf("{}\n");
    return status;
}

static void work_step(void *context) {
    load_step(&((struct bench *)context)->load);
}
static void work_pass(void *context) {
    load_pass(&((struct bench *)context)->load);
}

static void answer_timed(struct bench *b, void (*work)(void *), double seconds) {
    struct timing t = timing_of(work, b, seconds);
    printf("{");
    put_timing(&t);
    printf(", ");
    put_number("loss", b->load.loss);
    printf("}\n");
}

static int answer_train(struct bench *b, char **word, struct error *e) {
    (void)e;
    answer_timed(b, work_step, atof(word[1]));
    return STATUS_OK;
}

static int answer_pass(struct bench *b, char **word, struct error *e) {
    (void)e;
    answer_timed(b, work_pass, atof(word[1]));
    return STATUS_OK;
}

/* ---- Fisher ---------------------------------------------------------------------------------- */

static void work_fisher(void *context) {
    struct bench *b = context;
    double trace[LAYERS], spread[LAYERS];
    struct fisher_result r = {.layer_trace = trace, .layer_stderr = spread};
    if (!b->error.status) load_fisher(&b->load, b->estimator, &r, &b->error);
    b->load.loss = r.trace;
}

static bool is_estimator(const char *name) {
    static const char *const names[] = {"exact", "sampled", "sketch", "empirical"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(names[i], name) == 0) return true;
    return false;
}

static int answer_fisher(struct bench *b, char **word, struct error *e) {
    size_t layers;
    net_layers(b->load.net, &layers);
    if (layers > LAYERS || !is_estimator(word[1]))
        return error_set(e, STATUS_USAGE, "no estimator '%s' here", word[1]);
    b->estimator = fisher_estimator(word[1]);
    b->error = (struct error){0};
    struct timing t = timing_of(work_fisher, b, atof(word[2]));
    if (b->error.status) return *e = b->error, e->status;
    printf("{");
    put_timing(&t);
    printf(", ");
    put_number("trace", b->load.loss);
    printf("}\n");
    return STATUS_OK;
}

/* ---- single ops ------------------------------------------------------------------------------ */

struct op_work {
    const struct op *op;
    const struct op_run *run;
    void (*call)(const struct op *op, const struct op_run *run);
};

static void work_op(void *context) {
    const struct op_work *w = context;
    w->call(w->op, w->run);
}

/* FLOP/s, and the peak around it. */
static void put_pass(const char *key, struct op_work *w, double flops, double seconds) {
    double before = machine_peak(w->run->threads, seconds / 4);
    struct timing t = timing_of(work_op, w, seconds);
    double after = machine_peak(w->run->threads, seconds / 4);
    double speed = flops * (double)w->run->N * (double)t.runs / timing_seconds(&t, w->run->threads);
    printf(", \"%s\": [%.9g, %.9g]", key, speed, 2 * speed / (before + after));
}

static void put_op(const struct load *l, const struct op *op, const struct op_run *run,
                   double seconds) {
    const struct value *x = &l->graph.values[op->in[0]], *y = &l->graph.values[op->out];
    struct load_flops flops = load_op_flops(l, op);
    struct op_work w = {op, run, op->type->forward};
    printf("{\"op\": \"%s\", \"C\": %zu, \"H\": %zu, \"W\": %zu, \"O\": %zu", op->type->name, x->C,
           x->H, x->W, y->C);
    printf(", \"R\": %zu, \"S\": %zu, \"stride\": %zu", op->conv.R, op->conv.S, op->conv.stride);
    put_pass("forward", &w, flops.forward, seconds);
    w.call = op->type->backward_params;
    put_pass("weights", &w, flops.forward, seconds);
    w.call = op->type->backward_data;
    if (x->wants_grad) put_pass("data", &w, flops.forward, seconds);
    printf("}");
}

/* Ops of one shape are measured once. */
static bool is_repeated(const struct load *l, size_t i) {
    const struct graph *g = &l->graph;
    const struct op *a = &g->ops[i];
    for (size_t j = 0; j < i; j++) {
        const struct op *b = &g->ops[j];
        const struct value *x = &g->values[a->in[0]], *z = &g->values[b->in[0]];
        if (a->type == b->type && memcmp(&a->conv, &b->conv, sizeof a->conv) == 0 && x->H == z->H &&
            x->W == z->W && x->C == z->C && x->wants_grad == z->wants_grad &&
            g->values[a->out].C == g->values[b->out].C)
            return true;
    }
    return false;
}

static int answer_ops(struct bench *b, char **word, struct error *e) {
    struct op_run run;
    int status = load_op_run(&b->load, &run, e);
    if (status) return status;
    const char *comma = "";
    printf("{\"ops\": [");
    for (size_t i = 0; i < b->load.ops_n; i++) {
        const struct op *op = &b->load.graph.ops[i];
        if (load_op_flops(&b->load, op).forward == 0 || is_repeated(&b->load, i)) continue;
        printf("%s", comma);
        put_op(&b->load, op, &run, atof(word[1]));
        comma = ", ";
    }
    printf("]}\n");
    return STATUS_OK;
}

/* ---- requests -------------------------------------------------------------------------------- */

static const struct request REQUESTS[] = {
    {"machine", 1, false, answer_machine}, {"peak", 3, false, answer_peak},
    {"memory", 2, false, answer_memory},   {"net", 9, false, answer_net},
    {"save", 2, true, answer_save},        {"train", 2, true, answer_train},
    {"pass", 2, true, answer_pass},        {"fisher", 3, true, answer_fisher},
    {"ops", 2, true, answer_ops},          {"images", 8, false, answer_images},
};

static int answer(struct bench *b, char *line, struct error *e) {
    char *word[WORDS] = {""};
    int words = 0;
    for (char *one; words < WORDS && (one = strsep(&line, " \n"));)
        if (*one) word[words++] = one;
    for (size_t i = 0; i < sizeof REQUESTS / sizeof *REQUESTS; i++) {
        const struct request *r = &REQUESTS[i];
        if (words != r->words || strcmp(r->name, word[0]) != 0) continue;
        if (r->needs_net && !b->has_load)
            return error_set(e, STATUS_USAGE, "'%s' needs a net first", r->name);
        return r->answer(b, word, e);
    }
    return error_set(e, STATUS_USAGE, "bench: no such request; bench/bench.c lists them");
}

int main(void) {
    struct bench b = {0};
    char line[512];
    while (fgets(line, sizeof line, stdin) && strcmp(line, "quit\n") != 0) {
        struct error e = {0};
        if (answer(&b, line, &e)) {
            printf("{");
            put_text("error", e.text);
            printf("}\n");
        }
        fflush(stdout);
    }
    net_drop(&b);
    return 0;
}
