/* A run, from beginning to end. Read this file first.
 *
 *   run_execute   find the deepest state on disk, or initialize; then, epoch by epoch:
 *     train_epoch    spoil, shuffle, and one optimizer step per batch, with the stabilizers' hooks
 *     measure_row    what the network can do now (sim/measure.c); never changes it
 *     checkpoint     state and rows to disk, so that kill -9 costs an epoch, or SELDOM times what
 *                    they take to write, whichever is longer
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
#include <sys/stat.h>
#include <unistd.h>

#include "base/sum.h"
#include "base/system.h"
#include "sim/log.h"
#include "sim/measure.h"
#include "sim/target.h"

/* ---- creating -------------------------------------------------------------------------------- */

void run_log_path(char path[RUN_PATH], const char *root, const char *experiment,
                  const struct timeline *t) {
    snprintf(path, RUN_PATH, "%s/%s/runs/%s.h5", root, experiment, t->run_id);
}

void run_error_path(char path[RUN_PATH], const char *root, const char *experiment,
                    const struct timeline *t) {
    snprintf(path, RUN_PATH, "%s/%s/runs/%s.error", root, experiment, t->run_id);
}

/* On a full disk the sentence is lost, but the run is known as unfinished all the same. */
void run_record_error(const char *path, const char *sentence) {
    char tmp[RUN_PATH + 64];
    system_temporary(tmp, sizeof tmp, path);
    FILE *f = fopen(tmp, "w");
    if (!f) return;
    bool whole = fprintf(f, "%s\n", sentence) > 0;
    if (fclose(f) || !whole || rename(tmp, path)) unlink(tmp);
}

static int run_folders(struct run *r, struct error *e) {
    char folder[RUN_PATH];
    store_at(&r->store, r->options->root);
    snprintf(folder, sizeof folder, "%.*s", (int)(strrchr(r->log, '/') - r->log), r->log);
    int status = store_make(&r->store, e);
    if (status) return status;
    status = system_make_folder(folder, e);
    system_remove_temporaries(folder);
    return status;
}

static int run_net(struct run *r, struct error *e) {
    struct net_input inputs[DATA_MODALITIES];
    struct net_spec spec = dataset_net(r->data, inputs);
    spec.arch = r->config->arch;
    spec.settings = &r->config->net;
    spec.loss = r->config->loss_type;
    spec.loss_settings = &r->config->loss;
    spec.batch = r->batch;
    spec.threads = r->options->threads;
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
    stabilize_free(&r->stabilize);
    measure_free(r);
    rows_free(&r->rows);
    net_free(r->net);
}

static int run_create(struct run *r, struct error *e) {
    r->batch = (size_t)settings_int(&r->config->train, "batch");
    int status = run_folders(r, e);
    if (!status) status = run_net(r, e);
    if (!status) status = run_memory(r, e);
    if (!status) status = stabilize_create(&r->stabilize, r->config, r->data, r->net, e);
    return status ? status : measure_create(r, e);
}

/* ---- training -------------------------------------------------------------------------------- */

static void reset_momentum(struct run *r) {
    for (size_t i = 0; i < r->state.optimizer->slots; i++)
        memset(r->state.slots[i], 0, net_params_count(r->net) * sizeof(real));
    r->state.steps = 0;
}

struct totals {
    double loss, grad_norm;
    size_t correct, examples, batches;
};

/* What deficit i makes of the gradients in this epoch; 0: nothing. */
static double spoils(const struct run *r, size_t i, int64_t epoch) {
    if (!r->config->deficit_types[i]->gradients) return 0.0;
    return timeline_severity(r->timeline, r->config, i, epoch);
}

static void spoil_gradients(struct run *r, int64_t epoch) {
    const struct config *c = r->config;
    for (size_t i = 0; i < c->deficits_n; i++) {
        double severity = spoils(r, i, epoch);
        if (severity != 0.0)
            c->deficit_types[i]->gradients(&c->deficits[i], r->net, deficit_modality(c, r->data, i),
                                           severity);
    }
}

static bool gradients_are_touched(const struct run *r, int64_t epoch) {
    bool touched = stabilize_has(&r->stabilize, STABILIZE_GRADIENTS);
    for (size_t i = 0; i < r->config->deficits_n; i++) touched |= spoils(r, i, epoch) != 0.0;
    return touched;
}

/* Backward pass and step; returns the gradient's norm before stabilizers see it. Where nobody else
 * wants the gradients, the optimizer takes them as they come. */
static double descend(struct run *r, int64_t epoch, size_t n) {
    const struct optimizer *o = r->state.optimizer;
    const struct settings *s = &r->config->optimizer;
    const double rate = r->timeline->rate[epoch];
    const size_t params = net_params_count(r->net);
    const int64_t t = ++r->state.steps;
    if (!gradients_are_touched(r, epoch))
        return sqrt(optimizer_descend(o, s, rate, t, r->net, n, r->state.slots));
    net_backward(r->net, n);
    spoil_gradients(r, epoch);
    double norm = sqrt(sum_squares(net_grads(r->net), params));
    stabilize_call(&r->stabilize, STABILIZE_GRADIENTS);
    optimizer_step(o, s, rate, t, params, net_params(r->net), net_grads(r->net), r->state.slots);
    return norm;
}

static int train_batch(struct run *r, int64_t epoch, size_t first, size_t n, struct totals *sum,
                       struct error *e) {
    struct feed_batch batch = {&r->training, r->order, first, n, (uint32_t)epoch, true};
    feed_assemble(r->config, &batch, r->net, r->label, r->scratch);
    stabilize_batch(&r->stabilize, &r->data->train, r->order + first, r->label, n, sum->batches);
    stabilize_call(&r->stabilize, STABILIZE_BATCH);
    net_forward(r->net, n, NET_TRAIN);
    struct net_loss loss = net_loss(r->net, r->label, n);
    if (!isfinite(loss.loss))
        return error_set(e, STATUS_DIVERGED,
                         "the loss is not finite in epoch %lld, batch %zu: "
                         "lower train.lr.base",
                         (long long)epoch, sum->batches);
    stabilize_call(&r->stabilize, STABILIZE_LOSS);
    sum->grad_norm += descend(r, epoch, n);
    stabilize_call(&r->stabilize, STABILIZE_PARAMETERS);
    sum->loss += loss.loss;
    sum->correct += loss.correct;
    sum->examples += n;
    sum->batches++;
    return STATUS_OK;
}

static bool is_stopped(const struct run *r) {
    return r->options->stop && *r->options->stop;
}

/* One pass over the training examples. */
static int train_batches(struct run *r, int64_t epoch, struct totals *sum, struct error *e) {
    size_t n = r->data->train.n;
    bool drop = settings_bool(&r->config->train, "drop_last") && n >= r->batch;
    for (size_t first = 0; first < n; first += r->batch) {
        size_t size = n - first < r->batch ? n - first : r->batch;
        if (size < r->batch && drop) break;
        if (is_stopped(r)) return STATUS_INTERRUPTED;
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
    if (timeline_resets_momentum(r->timeline, r->config, epoch)) reset_momentum(r);
    memcpy(r->start, net_params(r->net), params * sizeof(real));
    stabilize_begin(&r->stabilize, r->timeline, epoch);
    stabilize_call(&r->stabilize, STABILIZE_EPOCH_START);
    for (int64_t pass = 0; pass < settings_int(&r->config->train, "passes"); pass++) {
        feed_order(r->config->train_seed, (uint32_t)epoch, (size_t)pass, r->order,
                   r->data->train.n);
        status = train_batches(r, epoch, &sum, e);
        if (status) return status;
    }
    stabilize_call(&r->stabilize, STABILIZE_EPOCH_END);
    double moved = sqrt(sum_squared_differences(net_params(r->net), r->start, params));
    if (!isfinite(moved))
        return error_set(e, STATUS_DIVERGED,
                         "a parameter is not finite after epoch %lld: lower "
                         "train.lr.base",
                         (long long)epoch);
    *rows_at(&r->rows, TRAIN_LOSS, epoch + 1) = sum.loss / (double)sum.examples;
    *rows_at(&r->rows, TRAIN_ACCURACY, epoch + 1) =
        r->data->has_targets ? (double)NAN : (double)sum.correct / (double)sum.examples;
    *rows_at(&r->rows, GRAD_NORM, epoch + 1) = sum.grad_norm / (double)sum.batches;
    *rows_at(&r->rows, UPDATE_NORM, epoch + 1) = moved;
    r->state.epoch = epoch + 1;
    return STATUS_OK;
}

/* ---- states and rows on disk ----------------------------------------------------------------- */

enum { SELDOM = 100 };          /* parts take 1 / SELDOM of the time at most */
static const double RATE = 4e8; /* bytes a second, until a state was written and it is known */

struct segment {
    int64_t first; /* rows first..now belong to the segment being trained */
    int64_t part;  /* the epoch saved as a part last, to be replaced; -1: none */
    int64_t saved; /* the epoch of the state that is on disk; -1: none */
    double since;  /* when it was saved, or when training began */
    double took;   /* seconds for that */
};

/* Start from the deepest state whose rows are whole too; -1: there is none. A damaged file
 * only costs the training it held. */
static int64_t resume(struct run *r, struct segment *s) {
    const struct timeline *t = r->timeline;
    const struct run_options *o = r->options;
    struct store from;
    int64_t first, epoch = o->until ? o->until : t->total;
    if (!o->from) return -1;
    if (o->before && o->before <= epoch) epoch = o->before - 1;
    store_at(&from, o->from);
    for (char path[STORE_PATH]; epoch >= 0; epoch--) {
        enum stored where = store_find(&from, t, epoch);
        if (where == STORED_NOT || rows_load(&r->rows, &from, t, epoch, where, &first, NULL))
            continue;
        store_state_path(path, &from, t, epoch, where);
        if (state_load(&r->state, path, t->key[epoch], NULL)) continue;
        s->first = where == STORED_PART ? first : epoch + 1;
        s->part = where == STORED_PART ? epoch : -1;
        s->saved = epoch;
        return epoch;
    }
    return -1;
}

static bool is_kept(const struct run *r, int64_t epoch) {
    for (size_t i = 0; i < r->options->keep_n; i++)
        if (r->options->keep[i] == epoch) return true;
    return epoch == r->timeline->total || (epoch > 0 && epoch == r->options->until);
}

/* A state that was kept before, by this sweep or another, stays; training must arrive at it again. */
static enum stored place_of(const struct run *r, int64_t epoch) {
    char path[STORE_PATH];
    store_state_path(path, &r->store, r->timeline, epoch, STORED_KEPT);
    return is_kept(r, epoch) || !access(path, F_OK) ? STORED_KEPT : STORED_PART;
}

static int save(struct run *r, struct segment *s, enum stored where, struct error *e) {
    char path[STORE_PATH];
    const struct timeline *t = r->timeline;
    const int64_t epoch = r->state.epoch;
    const double began = system_seconds();
    store_state_path(path, &r->store, t, epoch, where);
    int status = state_save(&r->state, path, t->key[epoch], where == STORED_KEPT, e);
    if (status == STATUS_DIFFERS)
        return error_set(e, STATUS_FAILED,
                         "%s: training gave another state than this one, which should be the same "
                         "bits: remove it if it is not this machine's, else suspect the machine",
                         path);
    if (!status) status = rows_save(&r->rows, &r->store, t, s->first, epoch, where, e);
    if (status) return status;
    if (s->part >= 0) store_remove_parts(&r->store, t, s->part, s->part);
    s->part = where == STORED_PART ? epoch : -1;
    if (where == STORED_KEPT) s->first = epoch + 1;
    s->saved = epoch;
    s->since = system_seconds();
    s->took = s->since - began;
    return STATUS_OK;
}

/* What others start from is saved always; what only helps to go on after an end before its time,
 * when enough time has passed to be worth it, or when the end is near. */
static int checkpoint(struct run *r, struct segment *s, struct error *e) {
    enum stored where = place_of(r, r->state.epoch);
    bool due = is_stopped(r) || system_seconds() - s->since >= SELDOM * s->took;
    return where == STORED_KEPT || due ? save(r, s, where, e) : STATUS_OK;
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
    size_t layers, branches;
    struct log_about about = {.config = r->config,
                              .timeline = r->timeline,
                              .data = r->data,
                              .layers = net_layers(r->net, &layers),
                              .branches = net_branches(r->net, &branches),
                              .twin_id = r->options->twin_id,
                              .created = created,
                              .threads = r->options->threads,
                              .probe_index = r->probes.index,
                              .probes = r->probes.n,
                              .record_host = r->options->record_host};
    return log_write(r->log, &about, &r->rows, r->state.epoch, status, e);
}

static double state_bytes(const struct run *r) {
    size_t arenas = 1 + r->state.optimizer->slots;
    size_t n = arenas * net_params_count(r->net) + net_buffers_count(r->net);
    return (double)(n * sizeof(real));
}

/* A part may be where this run, unlike the one that left it, ends or branches: it is kept then. */
static int begin(struct run *r, struct segment *s, struct run_outcome *out, struct error *e) {
    *s = (struct segment){.part = -1, .saved = -1, .took = state_bytes(r) / RATE};
    int64_t epoch = out->started_from = resume(r, s);
    int status = STATUS_OK;
    if (epoch > 0) store_remove_parts(&r->store, r->timeline, 0, epoch - 1);
    if (epoch < 0) {
        net_init(r->net, r->config->net_seed);
        reset_momentum(r);
        r->state.epoch = 0;
        status = measure_row(r, e);
    }
    s->since = system_seconds();
    bool is_there = epoch >= 0 && s->part < 0;
    if (!status && !is_there && place_of(r, r->state.epoch) == STORED_KEPT)
        status = save(r, s, STORED_KEPT, e);
    return status;
}

static int advance(struct run *r, struct segment *s, struct error *e) {
    double began = system_seconds();
    int status = train_epoch(r, r->state.epoch, e);
    if (!status) status = measure_row(r, e);
    if (status) return status;
    *rows_at(&r->rows, WALL_SECONDS, r->state.epoch) = system_seconds() - began;
    return checkpoint(r, s, e);
}

static int say_interrupted(const struct run *r, const struct segment *s, struct error *e) {
    if (s->saved < 0)
        return error_set(e, STATUS_INTERRUPTED, "interrupted in epoch %lld; no state is saved yet",
                         (long long)r->state.epoch);
    return error_set(e, STATUS_INTERRUPTED,
                     "interrupted in epoch %lld; the state after epoch %lld is saved",
                     (long long)r->state.epoch, (long long)s->saved);
}

/* The live log is for watching: every two seconds is enough, states and rows are elsewhere. */
static int train(struct run *r, struct run_outcome *out, const char *created, struct error *e) {
    struct segment segment;
    double logged = 0.0;
    int64_t until = r->options->until ? r->options->until : r->timeline->total;
    int status = begin(r, &segment, out, e);
    while (!status && r->state.epoch < until) {
        status = advance(r, &segment, e);
        if (status) break;
        out->epochs_trained++;
        report_progress(r);
        if (is_stopped(r) && segment.saved < r->state.epoch) status = checkpoint(r, &segment, e);
        if (status) break;
        if (system_seconds() - logged < 2.0 || r->state.epoch == until) continue;
        status = write_log(r, created, "running", e);
        logged = system_seconds();
    }
    out->saved = segment.saved;
    return status == STATUS_INTERRUPTED ? say_interrupted(r, &segment, e) : status;
}

bool run_is_finished(const char *root, const char *experiment, const struct timeline *t) {
    char path[RUN_PATH];
    run_log_path(path, root, experiment, t);
    return log_end(path) != LOG_END_NOT;
}

static const char *status_name(const struct run *r, int status) {
    if (status == STATUS_DIVERGED) return "diverged";
    if (status) return "interrupted";
    return r->state.epoch == r->timeline->total ? "done" : "running";
}

/* Before the log says that the run is at its end, for then nobody comes back to do this. */
static void settle(struct run *r, int status, const char *sentence) {
    char failure[RUN_PATH];
    run_error_path(failure, r->options->root, settings_text(&r->config->top, "experiment"),
                   r->timeline);
    if (status == STATUS_OK || status == STATUS_INTERRUPTED)
        unlink(failure);
    else
        run_record_error(failure, sentence);
    if (status == STATUS_OK && r->state.epoch == r->timeline->total)
        store_remove_parts(&r->store, r->timeline, 0, r->timeline->total);
}

static int run_through(struct run *r, struct run_outcome *out, struct error *e) {
    char created[LOG_TIME];
    log_time(created);
    int status = run_create(r, e);
    if (status) return status;
    status = train(r, out, created, e);
    if (status != STATUS_OK && status != STATUS_DIVERGED && status != STATUS_INTERRUPTED)
        return status;
    settle(r, status, e->text);
    int written = write_log(r, created, status_name(r, status), status ? NULL : e);
    return status ? status : written;
}

int run_execute(const struct config *c, const struct timeline *t, const struct dataset *d,
                const struct run_options *o, struct run_outcome *out, struct error *e) {
    struct run r = {.config = c, .timeline = t, .data = d, .options = o};
    struct error local = {0};
    *out = (struct run_outcome){.started_from = -1, .saved = -1};
    run_log_path(r.log, o->root, settings_text(&c->top, "experiment"), t);
    memcpy(out->log, r.log, sizeof out->log);
    int status = run_through(&r, out, &local);
    if (status == STATUS_FAILED || status == STATUS_USAGE) settle(&r, status, local.text);
    if (status && e) *e = local;
    run_free(&r);
    return status;
}

/* ---- what it costs --------------------------------------------------------------------------- */

enum { COST_BATCHES = 6 }; /* examples tried, in batches */

static void first_examples(struct examples *x, size_t most) {
    if (x->n > most) x->n = most;
}

static double share(size_t n, size_t tried) {
    return tried ? (double)n / (double)tried : 0.0;
}

static double per_epoch(const struct settings *s, double seconds) {
    int64_t every = settings_int(s, "every");
    return every > 0 ? seconds / (double)every : 0.0;
}

/* One epoch of the few examples to warm up, one by the clock. */
static int cost_training(struct run *r, double *seconds, struct error *e) {
    int status = train_epoch(r, 0, e);
    double began = system_seconds();
    if (!status) status = train_epoch(r, 0, e);
    *seconds = system_seconds() - began;
    return status;
}

/* The part of the epochs in which the stabilizer acts, were its window the whole run. */
static double acting_share(const struct run *r, size_t i) {
    const struct stabilizer *type = r->config->stabilizer_types[i];
    int64_t n = 0, total = r->timeline->total;
    if (!type->acts) return 1.0;
    for (int64_t since = 0; since < total; since++)
        n += type->acts(&r->config->stabilizers[i], since);
    return total ? (double)n / (double)total : 0.0;
}

/* Stabilizer i alone, whatever its window, against `plain`: what it adds to an epoch. What it does
 * at an epoch's ends does not grow with the examples. */
static int cost_stabilizer(struct run *r, size_t i, double plain, double examples,
                           struct run_cost *cost, struct error *e) {
    double alone[CONFIG_STABILIZERS] = {0.0}, seconds;
    const struct stabilizer *type = r->config->stabilizer_types[i];
    const struct settings *s = &r->config->stabilizers[i];
    if (type->is_identity && type->is_identity(s)) return STATUS_OK;
    alone[i] = settings_real(s, "strength");
    if (alone[i] == 0.0) return STATUS_OK;
    r->stabilize.instead = alone;
    int status = cost_training(r, &seconds, e);
    r->stabilize.instead = NULL;
    double ends = r->stabilize.seconds;
    cost->stabilizer[i] =
        acting_share(r, i) * (fmax(0.0, seconds - ends - plain) * examples + ends);
    return status;
}

static int64_t file_bytes(const char *path) {
    struct stat is;
    return stat(path, &is) ? 0 : (int64_t)is.st_size;
}

static int cost_saving(struct run *r, struct run_cost *cost, double *seconds, struct error *e) {
    char path[STORE_PATH];
    const struct timeline *t = r->timeline;
    int64_t epoch = r->state.epoch;
    double began = system_seconds();
    store_state_path(path, &r->store, t, epoch, STORED_PART);
    int status = state_save(&r->state, path, t->key[epoch], false, e);
    cost->state_bytes = file_bytes(path);
    store_rows_path(path, &r->store, t, epoch, STORED_PART);
    if (!status) status = rows_save(&r->rows, &r->store, t, 0, epoch, STORED_PART, e);
    cost->rows_bytes = file_bytes(path);
    for (size_t s = 0; s < r->rows.series_n; s++)
        cost->row_bytes += (int64_t)(sizeof(double) * rows_width(&r->rows, s));
    *seconds = system_seconds() - began;
    store_remove_parts(&r->store, t, epoch, epoch);
    return status;
}

static int cost_all(struct run *r, const struct dataset *whole, struct run_cost *cost,
                    struct error *e) {
    double training, saving;
    struct measure_seconds seconds;
    const struct dataset *few = r->data;
    const double off[CONFIG_STABILIZERS] = {0.0};
    double examples = share(whole->train.n, few->train.n);
    r->stabilize.instead = off;
    int status = cost_training(r, &training, e);
    r->stabilize.instead = NULL;
    for (size_t i = 0; i < r->config->stabilizers_n && !status; i++)
        status = cost_stabilizer(r, i, training, examples, cost, e);
    if (!status) status = measure_time(r, &seconds, e);
    if (!status) status = cost_saving(r, cost, &saving, e);
    if (status) return status;
    size_t probes = (size_t)settings_int(&r->config->fisher, "probes");
    if (probes > whole->train.n) probes = whole->train.n;
    double test = share(whole->test.n, few->test.n);
    double busy = training * examples + per_epoch(&r->config->eval, seconds.evaluation * test) +
                  seconds.measures * test / (double)timeline_measures_every(r->config) +
                  per_epoch(&r->config->fisher, seconds.fisher * share(probes, r->probes.n));
    cost->epoch = busy + fmin(saving, busy / SELDOM);
    return STATUS_OK;
}

int run_cost(const struct config *c, const struct timeline *t, const struct dataset *d,
             const char *folder, struct run_cost *cost, struct error *e) {
    struct dataset few = *d;
    struct run_options o = {.root = folder, .twin_id = "", .threads = 1};
    struct run r = {.config = c, .timeline = t, .data = &few, .options = &o};
    size_t most = COST_BATCHES * (size_t)settings_int(&c->train, "batch");
    double began = system_seconds();
    *cost = (struct run_cost){0};
    first_examples(&few.train, most);
    first_examples(&few.test, most);
    first_examples(&few.validation, most);
    run_log_path(r.log, folder, settings_text(&c->top, "experiment"), t);
    int status = run_create(&r, e);
    if (!status) net_init(r.net, c->net_seed);
    cost->start = system_seconds() - began;
    if (!status) status = cost_all(&r, d, cost, e);
    run_free(&r);
    return status;
}
