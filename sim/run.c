/* A run, from beginning to end. Read this file first.
 *
 *   run_execute   find the deepest state on disk, or initialize; then, epoch by epoch:
 *     train_epoch    spoil, shuffle, and one optimizer step per batch
 *     measure_row    what the network can do now (sim/measure.c); never changes it
 *     checkpoint     state and rows to disk, so that kill -9 costs one epoch at most
 *
 * Nothing here draws from a generator that has a state: every random number is named by (seed,
 * purpose, epoch, index), so a resumed or forked run is the run from scratch, bit for bit. The
 * trap is everything that lives outside weights, buffers, optimizer slots and the step count: if
 * an epoch comes to depend on more, it belongs into sim/state.c and into the prefix key. */
#include "sim/run.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/system.h"
#include "sim/log.h"
#include "sim/measure.h"
#include "sim/numerics.h"

/* ---- creating -------------------------------------------------------------------------------- */

void run_log_path(char path[RUN_PATH], const char *root, const struct config *c,
                  const struct timeline *t) {
    snprintf(path, RUN_PATH, "%s/%s/runs/%s.h5", root, settings_text(&c->top, "experiment"),
             t->run_id);
}

static void store_paths(const char *root, char states[RUN_PATH], char rows[RUN_PATH]) {
    char id[HASH_TEXT];
    numerics_id(id);
    snprintf(states, RUN_PATH, "%s/states/%s", root, id);
    snprintf(rows, RUN_PATH, "%s/rows/%s", root, id);
}

static int run_folders(struct run *r, struct error *e) {
    char folder[RUN_PATH];
    store_paths(r->options->root, r->states, r->row_folder);
    run_log_path(r->log, r->options->root, r->config, r->timeline);
    snprintf(folder, sizeof folder, "%.*s", (int)(strrchr(r->log, '/') - r->log), r->log);
    int status = system_make_folder(r->states, e);
    if (!status) status = system_make_folder(r->row_folder, e);
    return status ? status : system_make_folder(folder, e);
}

static int run_net(struct run *r, struct error *e) {
    struct net_input inputs[DATA_MODALITIES];
    for (size_t m = 0; m < r->data->modalities_n; m++) {
        const struct modality *is = &r->data->modality[m];
        inputs[m] = (struct net_input){is->name, is->H, is->W, is->C};
    }
    struct net_spec spec = {.arch = r->config->arch,
                            .settings = &r->config->net,
                            .inputs = inputs,
                            .inputs_n = r->data->modalities_n,
                            .K = r->data->K,
                            .batch = r->batch,
                            .threads = r->options->threads};
    return net_create(&r->net, &spec, e);
}

static int run_memory(struct run *r, struct error *e) {
    size_t params = net_params_count(r->net), buffers = net_buffers_count(r->net);
    r->state = (struct state){.net = r->net, .optimizer = r->config->optimizer_type};
    r->order = malloc((r->data->train.n + 1) * sizeof *r->order);
    r->label = malloc(r->batch * sizeof *r->label);
    r->scratch = malloc(feed_scratch(r->config, r->data));
    r->start = malloc((params + 1) * sizeof *r->start);
    r->buffers = malloc((buffers + 1) * sizeof *r->buffers);
    bool whole = r->order && r->label && r->scratch && r->start && r->buffers;
    for (size_t i = 0; i < r->state.optimizer->slots; i++) {
        r->state.slots[i] = calloc(params + 1, sizeof(real));
        whole = whole && r->state.slots[i];
    }
    return whole ? STATUS_OK : error_set(e, STATUS_FAILED, "out of memory for the run");
}

static void run_free(struct run *r) {
    for (size_t i = 0; i < OPTIMIZER_SLOTS; i++) free(r->state.slots[i]);
    free(r->order);
    free(r->label);
    free(r->scratch);
    free(r->start);
    free(r->buffers);
    view_free(&r->training);
    measure_free(r);
    rows_free(&r->rows);
    net_free(r->net);
}

static int run_create(struct run *r, struct error *e) {
    r->batch = (size_t)settings_int(&r->config->train, "batch");
    int status = run_folders(r, e);
    if (!status) status = run_net(r, e);
    if (!status) status = run_memory(r, e);
    return status ? status : measure_create(r, e);
}

/* ---- training -------------------------------------------------------------------------------- */

static double norm(const real *v, size_t n) {
    double sum = 0.0;
    for (size_t i = 0; i < n; i++) sum += (double)v[i] * (double)v[i];
    return sqrt(sum);
}

static double distance(const real *a, const real *b, size_t n) {
    double sum = 0.0;
    for (size_t i = 0; i < n; i++) {
        double d = (double)a[i] - (double)b[i];
        sum += d * d;
    }
    return sqrt(sum);
}

static void reset_momentum(struct run *r) {
    for (size_t i = 0; i < r->state.optimizer->slots; i++)
        memset(r->state.slots[i], 0, net_params_count(r->net) * sizeof(real));
    r->state.steps = 0;
}

struct totals {
    double loss, grad_norm;
    size_t correct, examples, batches;
};

static int train_batch(struct run *r, int64_t epoch, size_t first, size_t n, struct totals *sum,
                       struct error *e) {
    struct feed_batch batch = {&r->training, r->order, first, n, (uint32_t)epoch, true};
    size_t params = net_params_count(r->net);
    feed_assemble(r->config, &batch, r->net, r->label, r->scratch);
    net_forward(r->net, n, NET_TRAIN);
    struct net_loss loss = net_loss(r->net, r->label, n);
    if (!isfinite(loss.loss))
        return error_set(e, STATUS_DIVERGED,
                         "the loss is not finite in epoch %lld, batch %zu: "
                         "lower train.lr.base",
                         (long long)epoch, sum->batches);
    net_backward(r->net, n);
    r->state.optimizer->step(&r->config->optimizer, r->timeline->rate[epoch], ++r->state.steps,
                             params, net_params(r->net), net_grads(r->net), r->state.slots);
    sum->loss += loss.loss;
    sum->correct += loss.correct;
    sum->grad_norm += norm(net_grads(r->net), params);
    sum->examples += n;
    sum->batches++;
    return STATUS_OK;
}

static int train_batches(struct run *r, int64_t epoch, struct totals *sum, struct error *e) {
    size_t n = r->data->train.n;
    bool drop = settings_bool(&r->config->train, "drop_last") && n >= r->batch;
    for (size_t first = 0; first < n; first += r->batch) {
        size_t size = n - first < r->batch ? n - first : r->batch;
        if (size < r->batch && drop) break;
        if (r->options->stop && *r->options->stop)
            return error_set(e, STATUS_INTERRUPTED,
                             "interrupted in epoch %lld; the state after "
                             "epoch %lld is saved",
                             (long long)epoch, (long long)epoch);
        int status = train_batch(r, epoch, first, size, sum, e);
        if (status) return status;
    }
    return STATUS_OK;
}

/* Epoch `epoch` of the timeline: afterwards the state is that of epoch + 1. */
static int train_epoch(struct run *r, int64_t epoch, struct error *e) {
    double severity[CONFIG_DEFICITS];
    struct totals sum = {0};
    size_t params = net_params_count(r->net);
    for (size_t i = 0; i < r->config->deficits_n; i++)
        severity[i] = timeline_severity(r->timeline, r->config, i, epoch);
    int status = view_make(&r->training, r->config, r->data, &r->data->train, severity, e);
    if (status) return status;
    feed_order(r->config->train_seed, (uint32_t)epoch, r->order, r->data->train.n);
    if (timeline_resets_momentum(r->timeline, r->config, epoch)) reset_momentum(r);
    memcpy(r->start, net_params(r->net), params * sizeof(real));
    status = train_batches(r, epoch, &sum, e);
    if (status) return status;
    double moved = distance(net_params(r->net), r->start, params);
    if (!isfinite(moved))
        return error_set(e, STATUS_DIVERGED,
                         "a parameter is not finite after epoch %lld: lower "
                         "train.lr.base",
                         (long long)epoch);
    *rows_at(&r->rows, TRAIN_LOSS, epoch + 1) = sum.loss / (double)sum.examples;
    *rows_at(&r->rows, TRAIN_ACCURACY, epoch + 1) = (double)sum.correct / (double)sum.examples;
    *rows_at(&r->rows, GRAD_NORM, epoch + 1) = sum.grad_norm / (double)sum.batches;
    *rows_at(&r->rows, UPDATE_NORM, epoch + 1) = moved;
    r->state.epoch = epoch + 1;
    return STATUS_OK;
}

/* ---- states and rows on disk ----------------------------------------------------------------- */

static bool state_and_rows_exist(const char *states, const char *rows, const struct timeline *t,
                                 int64_t epoch) {
    char path[RUN_PATH + HASH_TEXT * 2 + 8];
    state_path(path, sizeof path, states, t->key[epoch]);
    if (access(path, R_OK)) return false;
    rows_path(path, sizeof path, rows, t, epoch);
    return !access(path, R_OK);
}

int64_t run_deepest(const char *root, const struct timeline *t) {
    char states[RUN_PATH], rows[RUN_PATH];
    store_paths(root, states, rows);
    int64_t epoch = t->total;
    while (epoch >= 0 && !state_and_rows_exist(states, rows, t, epoch)) epoch--;
    return epoch;
}

/* Load the deepest state whose rows are whole too; -1: none. A damaged file only costs the
 * training it held. */
static int64_t resume(struct run *r) {
    const struct timeline *t = r->timeline;
    for (int64_t epoch = r->options->reuse ? t->total : -1; epoch >= 0; epoch--) {
        if (!state_and_rows_exist(r->states, r->row_folder, t, epoch)) continue;
        if (rows_load(&r->rows, r->row_folder, t, epoch, NULL)) continue;
        if (!state_load(&r->state, r->states, t->key[epoch], NULL)) return epoch;
    }
    return -1;
}

struct segment {
    int64_t first; /* rows first..now belong to the segment being trained */
    int64_t saved; /* the epoch last saved by this segment, to be replaced; -1: none */
};

static bool is_kept(const struct run *r, int64_t epoch) {
    for (size_t i = 0; i < r->options->keep_n; i++)
        if (r->options->keep[i] == epoch) return true;
    return epoch == r->timeline->total;
}

static void remove_saved(const struct run *r, int64_t epoch) {
    char path[RUN_PATH + HASH_TEXT * 2 + 8];
    state_path(path, sizeof path, r->states, r->timeline->key[epoch]);
    unlink(path);
    rows_path(path, sizeof path, r->row_folder, r->timeline, epoch);
    unlink(path);
}

static int checkpoint(struct run *r, struct segment *s, struct error *e) {
    int64_t epoch = r->state.epoch;
    int status = state_save(&r->state, r->states, r->timeline->key[epoch], e);
    if (!status) status = rows_save(&r->rows, r->row_folder, r->timeline, s->first, epoch, e);
    if (status) return status;
    if (s->saved >= 0) remove_saved(r, s->saved);
    bool kept = is_kept(r, epoch);
    if (kept) s->first = epoch + 1;
    s->saved = kept ? -1 : epoch;
    return STATUS_OK;
}

/* ---- the whole ------------------------------------------------------------------------------- */

static void report_progress(struct run *r) {
    if (!r->options->progress) return;
    int64_t e = r->state.epoch;
    struct run_progress p = {.epoch = e,
                             .total = r->timeline->total,
                             .loss = *rows_at(&r->rows, TRAIN_LOSS, e),
                             .train_accuracy = *rows_at(&r->rows, TRAIN_ACCURACY, e),
                             .test_accuracy = *rows_at(&r->rows, TEST_ACCURACY, e),
                             .fisher = *rows_at(&r->rows, FISHER_TRACE, e)};
    r->options->progress(r->options->context, &p);
}

static int write_log(struct run *r, const char *created, const char *status, struct error *e) {
    size_t layers;
    struct log_about about = {.config = r->config,
                              .timeline = r->timeline,
                              .data = r->data,
                              .layers = net_layers(r->net, &layers),
                              .twin_id = r->options->twin_id,
                              .created = created,
                              .threads = r->options->threads,
                              .probe_index = r->probes.index,
                              .probes = r->probes.n,
                              .record_host = r->options->record_host};
    return log_write(r->log, &about, &r->rows, r->state.epoch, status, e);
}

static int begin(struct run *r, struct segment *s, struct error *e) {
    int64_t epoch = resume(r);
    s->saved = -1;
    s->first = epoch + 1;
    if (epoch >= 0) return STATUS_OK;
    net_init(r->net, r->config->net_seed);
    reset_momentum(r);
    r->state.epoch = 0;
    int status = measure_row(r, e);
    return status ? status : checkpoint(r, s, e);
}

static int advance(struct run *r, struct segment *s, struct error *e) {
    double began = system_seconds();
    int status = train_epoch(r, r->state.epoch, e);
    if (!status) status = measure_row(r, e);
    if (status) return status;
    *rows_at(&r->rows, WALL_SECONDS, r->state.epoch) = system_seconds() - began;
    return checkpoint(r, s, e);
}

/* The live log is for watching: every two seconds is enough, the states are on disk anyway. */
static int train(struct run *r, struct run_outcome *out, const char *created, struct error *e) {
    struct segment segment;
    double logged = 0.0;
    int status = begin(r, &segment, e);
    while (!status && r->state.epoch < r->timeline->total) {
        status = advance(r, &segment, e);
        if (status) break;
        out->epochs_trained++;
        report_progress(r);
        if (system_seconds() - logged < 2.0 || r->state.epoch == r->timeline->total) continue;
        status = write_log(r, created, "running", e);
        logged = system_seconds();
    }
    return status;
}

bool run_is_finished(const char *root, const struct config *c, const struct timeline *t) {
    char path[RUN_PATH];
    run_log_path(path, root, c, t);
    return log_is_finished(path);
}

int run_execute(const struct config *c, const struct timeline *t, const struct dataset *d,
                const struct run_options *o, struct run_outcome *out, struct error *e) {
    static const char *const names[] = {[STATUS_OK] = "done", [STATUS_DIVERGED] = "diverged"};
    struct run r = {.config = c, .timeline = t, .data = d, .options = o};
    char created[LOG_TIME];
    log_time(created);
    *out = (struct run_outcome){0};
    int status = run_create(&r, e);
    snprintf(out->log, sizeof out->log, "%s", r.log);
    if (status) {
        run_free(&r);
        return status;
    }
    status = train(&r, out, created, e);
    bool ended = status == STATUS_OK || status == STATUS_DIVERGED;
    if (ended || status == STATUS_INTERRUPTED) {
        int written =
            write_log(&r, created, ended ? names[status] : "interrupted", status ? NULL : e);
        if (!status) status = written;
    }
    run_free(&r);
    return status;
}
