/* What is measured, and when: see measure.h.
 *
 * Whether a series is due depends on the epoch alone (epoch % every), never on where the run ends,
 * so that runs which share epochs share their rows too. The Fisher probes are drawn once from the
 * training examples (fisher.split: train) by stream "probe" of data.seed, and are measured as
 * stored: unaugmented, clean, and once more under the deficits.
 *
 * eval.norm: refreshed gives batch normalization statistics of one pass over the current training
 * data (augmented, under the deficit, in file order), on a copy that is thrown away afterwards. The
 * registered measures, which are due with the evaluation, see the same statistics. */
#include "sim/measure.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/measures/fisher_trace.h"
#include "analysis/measures/measure.h"
#include "base/rng.h"
#include "base/sum.h"
#include "base/system.h"

/* ---- creating -------------------------------------------------------------------------------- */

static int compare_u32(const void *a, const void *b) {
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static int copy_examples(struct examples *to, const struct dataset *d, const struct examples *from,
                         const uint32_t *pick, size_t n, struct error *e) {
    *to = (struct examples){.n = n,
                            .label = malloc((n + 1) * sizeof *to->label),
                            .index = malloc((n + 1) * sizeof *to->index)};
    bool whole = to->label && to->index;
    for (size_t m = 0; m < d->modalities_n && whole; m++) {
        size_t size = modality_bytes(&d->modality[m]);
        to->x[m] = malloc(n * size + 1);
        whole = to->x[m] != NULL;
        for (size_t i = 0; i < n && whole; i++)
            memcpy((char *)to->x[m] + i * size, (const char *)from->x[m] + pick[i] * size, size);
    }
    if (d->has_targets) {
        to->target = malloc((n * d->K + 1) * sizeof *to->target);
        whole = whole && to->target;
    }
    if (!whole) return error_set(e, STATUS_FAILED, "out of memory for the Fisher probes");
    for (size_t i = 0; i < n; i++) {
        if (d->has_targets)
            memcpy(to->target + i * d->K, from->target + pick[i] * d->K, d->K * sizeof *to->target);
        to->label[i] = from->label[pick[i]];
        to->index[i] = from->index[pick[i]];
    }
    return STATUS_OK;
}

static int create_probes(struct run *r, struct error *e) {
    bool test = settings_is(&r->config->fisher, "split", "test");
    const struct examples *from = test ? &r->data->test : &r->data->train;
    size_t n = (size_t)settings_int(&r->config->fisher, "probes");
    if (n == 0) return STATUS_OK;
    if (n > from->n) n = from->n;
    uint32_t *pick = malloc((from->n + 1) * sizeof *pick);
    if (!pick) return error_set(e, STATUS_FAILED, "out of memory for the Fisher probes");
    for (size_t i = 0; i < from->n; i++) pick[i] = (uint32_t)i;
    struct rng stream = rng_stream(r->config->data_seed, "probe", 0, 0);
    rng_shuffle(&stream, pick, from->n);
    qsort(pick, n, sizeof *pick, compare_u32);
    int status = copy_examples(&r->probes, r->data, from, pick, n, e);
    free(pick);
    return status;
}

static bool on(const struct run *r, const char *which) {
    size_t n;
    const char *const *names = settings_texts(&r->config->fisher, "on", &n);
    for (size_t i = 0; i < n; i++)
        if (!strcmp(names[i], which)) return true;
    return false;
}

static int create_views(struct run *r, struct error *e) {
    double clean[CONFIG_DEFICITS] = {0}, spoiled[CONFIG_DEFICITS] = {0};
    const struct config *c = r->config;
    const struct dataset *d = r->data;
    bool any = false;
    for (size_t i = 0; i < c->deficits_n; i++) {
        spoiled[i] = timeline_probe_severity(c, i);
        any = any || spoiled[i] != 0.0;
    }
    int status = view_make(&r->test, c, d, &d->test, clean, e);
    if (!status && d->validation.n)
        status = view_make(&r->validation, c, d, &d->validation, clean, e);
    if (!status && any && settings_bool(&c->eval, "deficit"))
        status = view_make(&r->test_deficit, c, d, &d->test, spoiled, e);
    if (!status && r->probes.n && on(r, "clean"))
        status = view_make(&r->probe_clean, c, d, &r->probes, clean, e);
    if (!status && r->probes.n && any && on(r, "deficit"))
        status = view_make(&r->probe_deficit, c, d, &r->probes, spoiled, e);
    return status;
}

/* The measures of the config, in its order. */
static size_t measures_chosen(const struct run *r, const struct measure *chosen[SERIES_MAX]) {
    size_t n;
    const char *const *names = settings_texts(&r->config->top, "measures", &n);
    for (size_t i = 0; i < n; i++) chosen[i] = measure_find(names[i]);
    return n;
}

int measure_create(struct run *r, struct error *e) {
    const struct measure *chosen[SERIES_MAX];
    size_t n = measures_chosen(r, chosen);
    struct rows_widths widths = {.modalities = r->data->modalities_n};
    net_layers(r->net, &widths.layers);
    net_branches(r->net, &widths.branches);
    int status = rows_create(&r->rows, r->timeline->total + 1, &widths, chosen, n, e);
    if (!status) status = create_probes(r, e);
    return status ? status : create_views(r, e);
}

void measure_free(struct run *r) {
    view_free(&r->test);
    view_free(&r->validation);
    view_free(&r->test_deficit);
    view_free(&r->probe_clean);
    view_free(&r->probe_deficit);
    for (size_t m = 0; m < DATA_MODALITIES; m++) free(r->probes.x[m]);
    free(r->probes.target);
    free(r->probes.label);
    free(r->probes.index);
}

/* A view's examples, for those who ask for some of them. */
struct viewer {
    struct run *run;
    const struct view *view;
};

static void feed_examples(void *context, struct net *net, size_t first, size_t n, int32_t *label) {
    struct viewer *v = context;
    struct feed_batch batch = {v->view, NULL, first, n, 0, false};
    feed_assemble(v->run->config, &batch, net, label, v->run->scratch);
}

static struct measure_examples examples_of(struct viewer *v) {
    return (struct measure_examples){.n = v->view->source->n,
                                     .batch = net_batch_few(v->run->net),
                                     .feed = feed_examples,
                                     .context = v};
}

/* ---- evaluation ------------------------------------------------------------------------------ */

/* Mean loss and accuracy over a view, into two series of the current row. */
static int evaluate(struct run *r, const struct view *v, size_t loss_series, size_t accuracy_series,
                    struct error *e) {
    struct net_loss sum = {0};
    if (!v->source) return STATUS_OK;
    const size_t n = v->source->n, few = net_batch_few(r->net);
    for (size_t first = 0; first < n; first += few) {
        size_t size = n - first < few ? n - first : few;
        struct feed_batch batch = {v, NULL, first, size, 0, false};
        feed_assemble(r->config, &batch, r->net, r->label, r->scratch);
        net_forward(r->net, size, NET_EVAL);
        struct net_loss loss = net_loss(r->net, r->label, size);
        sum.loss += loss.loss;
        sum.correct += loss.correct;
    }
    if (!isfinite(sum.loss))
        return error_set(e, STATUS_DIVERGED,
                         "the test loss is not finite after %lld epochs: lower "
                         "train.lr.base",
                         (long long)r->state.epoch);
    *rows_at(&r->rows, loss_series, r->state.epoch) = sum.loss / (double)n;
    *rows_at(&r->rows, accuracy_series, r->state.epoch) =
        r->data->has_targets ? (double)NAN : (double)sum.correct / (double)n;
    return STATUS_OK;
}

static int evaluate_all(struct run *r, struct error *e) {
    int status = evaluate(r, &r->test, TEST_LOSS, TEST_ACCURACY, e);
    if (!status) status = evaluate(r, &r->validation, VALIDATION_LOSS, VALIDATION_ACCURACY, e);
    if (!status)
        status = evaluate(r, &r->test_deficit, TEST_DEFICIT_LOSS, TEST_DEFICIT_ACCURACY, e);
    return status;
}

/* One pass over the current training data in NET_TRAIN mode, for its running statistics alone. */
static void refresh_norms(struct run *r) {
    size_t n = r->training.source ? r->training.source->n : 0;
    uint32_t epoch = (uint32_t)(r->state.epoch - 1);
    for (size_t first = 0; first < n; first += r->batch) {
        size_t size = n - first < r->batch ? n - first : r->batch;
        struct feed_batch batch = {&r->training, NULL, first, size, epoch, true};
        feed_assemble(r->config, &batch, r->net, r->label, r->scratch);
        net_forward(r->net, size, NET_TRAIN);
    }
}

static void weight_norm(struct run *r) {
    double squares = sum_squares(net_params(r->net), net_params_count(r->net));
    *rows_at(&r->rows, WEIGHT_NORM, r->state.epoch) = sqrt(squares);
}

/* ---- registered measures --------------------------------------------------------------------- */

static int registered(struct run *r, struct error *e) {
    const struct measure *chosen[SERIES_MAX];
    size_t n = measures_chosen(r, chosen), series = SERIES_CORE;
    struct viewer viewer = {r, &r->test};
    struct measure_context context = {
        .net = r->net, .test = examples_of(&viewer), .seed = r->config->data_seed};
    for (size_t i = 0; i < n; i++) {
        double *out[SERIES_MAX];
        for (size_t k = 0; k < chosen[i]->series_n; k++)
            out[k] = rows_at(&r->rows, series++, r->state.epoch);
        int status = chosen[i]->measure(&context, out, e);
        if (status) return status;
    }
    return STATUS_OK;
}

/* ---- Fisher information ---------------------------------------------------------------------- */

/* Each encoder's trace over the sum of the others'; NaN where that sum is 0. */
static void branch_ratio(const double *trace, size_t modalities, double *ratio) {
    for (size_t m = 0; m < modalities; m++) {
        double others = 0.0;
        for (size_t k = 0; k < modalities; k++) others += k == m ? 0.0 : trace[k];
        ratio[m] = others > 0.0 ? trace[m] / others : NAN;
    }
}

/* The series of one view lie in the order of enum series_id, from its trace on. */
static int fisher(struct run *r, const struct view *v, size_t trace_series, struct error *e) {
    if (!v->source) return STATUS_OK;
    const struct settings *s = &r->config->fisher;
    int64_t row = r->state.epoch;
    struct viewer viewer = {r, v};
    struct measure_examples probes = examples_of(&viewer);
    size_t offset = trace_series - FISHER_TRACE;
    struct fisher_result result = {
        .layer_trace = rows_at(&r->rows, FISHER_LAYER_TRACE + offset, row),
        .layer_stderr = rows_at(&r->rows, FISHER_LAYER_TRACE_STDERR + offset, row),
        .branch_trace = rows_at(&r->rows, FISHER_BRANCH_TRACE + offset, row),
        .branch_stderr = rows_at(&r->rows, FISHER_BRANCH_TRACE_STDERR + offset, row)};
    int status = fisher_trace(r->net, &probes, fisher_estimator(settings_text(s, "estimator")),
                              (int)settings_int(s, "draws"), r->config->train_seed, (uint32_t)row,
                              &result, e);
    if (status) return status;
    *rows_at(&r->rows, FISHER_TRACE + offset, row) = result.trace;
    *rows_at(&r->rows, FISHER_TRACE_STDERR + offset, row) = result.trace_stderr;
    *rows_at(&r->rows, FISHER_ENTROPY + offset, row) = result.entropy;
    *rows_at(&r->rows, FISHER_LOSS + offset, row) = result.loss;
    if (r->rows.widths.branches)
        branch_ratio(result.branch_trace, r->rows.widths.modalities,
                     rows_at(&r->rows, FISHER_BRANCH_RATIO + offset, row));
    return STATUS_OK;
}

/* ---- a row ----------------------------------------------------------------------------------- */

static bool is_due(int64_t epoch, int64_t every) {
    return every > 0 && epoch % every == 0;
}

enum { TEST_DATA = 1, MEASURES = 2 };

static int evaluate_these(struct run *r, int which, struct error *e) {
    int status = which & TEST_DATA ? evaluate_all(r, e) : STATUS_OK;
    return !status && which & MEASURES ? registered(r, e) : status;
}

/* With the statistics that eval.norm asks for; the running ones are put back. */
static int measure_evaluation(struct run *r, int which, struct error *e) {
    size_t bytes = net_buffers_count(r->net) * sizeof(real);
    if (!settings_is(&r->config->eval, "norm", "refreshed")) return evaluate_these(r, which, e);
    memcpy(r->buffers, net_buffers(r->net), bytes);
    if (r->state.epoch > 0) refresh_norms(r);
    int status = evaluate_these(r, which, e);
    memcpy(net_buffers(r->net), r->buffers, bytes);
    return status;
}

static int measure_fisher(struct run *r, struct error *e) {
    int status = fisher(r, &r->probe_clean, FISHER_TRACE, e);
    return status ? status : fisher(r, &r->probe_deficit, FISHER_DEFICIT_TRACE, e);
}

/* What of the evaluation is due. */
static int due(const struct run *r) {
    int64_t epoch = r->state.epoch;
    int which = is_due(epoch, settings_int(&r->config->eval, "every")) ? TEST_DATA : 0;
    return which | (is_due(epoch, timeline_measures_every(r->config)) ? MEASURES : 0);
}

int measure_row(struct run *r, struct error *e) {
    int which = due(r), status = STATUS_OK;
    weight_norm(r);
    if (which) status = measure_evaluation(r, which, e);
    if (!status && is_due(r->state.epoch, settings_int(&r->config->fisher, "every")))
        status = measure_fisher(r, e);
    return status;
}

int measure_time(struct run *r, struct measure_seconds *s, struct error *e) {
    double began = system_seconds();
    int status = measure_evaluation(r, TEST_DATA, e);
    s->evaluation = system_seconds() - began;
    if (status) return status;
    began = system_seconds();
    status = measure_evaluation(r, MEASURES, e);
    s->measures = system_seconds() - began;
    if (status) return status;
    began = system_seconds();
    status = measure_fisher(r, e);
    s->fisher = system_seconds() - began;
    return status;
}
