/* The commands: each turns words into one call of the part that does the work. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "analysis/collect.h"
#include "analysis/measures/measure.h"
#include "analysis/report.h"
#include "analysis/table.h"
#include "base/h5.h"
#include "base/system.h"
#include "base/text.h"
#include "sim/check.h"
#include "sim/claim.h"
#include "sim/clean.h"
#include "sim/cli.h"
#include "sim/estimate.h"
#include "sim/log.h"
#include "sim/preview.h"
#include "sim/progress.h"
#include "sim/run.h"
#include "sim/launch.h"
#include "sim/slurm/slurm.h"
#include "sim/status.h"
#include "sim/tree.h"
#include "sim/verify.h"

static int load(struct experiment **x, const struct arguments *a, struct error *e) {
    return experiment_load(x, a->words[0], a->profile, a->words + 1, a->words_n - 1, e);
}

/* A config that is one run, with its data set and timeline. */
struct single {
    struct experiment *experiment;
    struct config config;
    struct dataset data;
    struct timeline timeline, twin;
    bool gets_on; /* a later state is on disk than before */
};

static void single_free(struct single *s) {
    timeline_free(&s->timeline);
    timeline_free(&s->twin);
    data_free(&s->data);
    config_free(&s->config);
    experiment_free(s->experiment);
}

/* The config of a file's only run, or of the first one of its sweep. */
static int first_config(struct single *s, const struct arguments *a, struct error *e) {
    *s = (struct single){0};
    int status = load(&s->experiment, a, e);
    return status ? status : experiment_config(s->experiment, 0, &s->config, e);
}

static int single_config(struct single *s, const struct arguments *a, struct error *e) {
    int status = first_config(s, a, e);
    size_t points = status ? 1 : experiment_points(s->experiment);
    if (points == 1) return status;
    return error_set(e, STATUS_USAGE,
                     "%s: is a sweep of %zu runs; use 'imprint sweep', or fix "
                     "every axis (key=value)",
                     a->words[0], points);
}

static int single_load(struct single *s, const struct arguments *a, struct error *e) {
    struct config twin;
    int status = single_config(s, a, e);
    if (!status) status = data_load(&s->config.data, s->config.data_seed, &s->data, e);
    if (!status) status = check_data(&s->config, &s->data, e);
    if (!status) status = check_net(&s->config, &s->data, e);
    if (!status) status = timeline_create(&s->timeline, &s->config, &s->data, e);
    if (status) return status;
    config_copy(&twin, &s->config);
    config_clean(&twin);
    status = timeline_create(&s->twin, &twin, &s->data, e);
    config_free(&twin);
    return status;
}

/* ---- run and sweep --------------------------------------------------------------------------- */

/* What was trained before this call is no part of the bar. */
static void show_epoch(void *context, const struct run_progress *p) {
    struct progress *bar = context;
    if (bar->done == 0) bar->total -= p->epoch - 1;
    progress_epoch(bar, p, "");
}

static int print_final(const char *log, struct error *e) {
    struct h5_reader *r;
    double accuracy, rows, loss = 0;
    int status = h5_open(&r, log, e);
    if (status) return status;
    status = h5_get_doubles(r, "final/test_accuracy", &accuracy, e);
    if (!status) status = h5_get_doubles(r, "final/rows", &rows, e);
    const bool has_loss = h5_has(r, "final/test_loss");
    if (!status && has_loss) status = h5_get_doubles(r, "final/test_loss", &loss, e);
    h5_close(r);
    if (!status && has_loss)
        printf("%s\nfinal test loss %.6g (mean over the last %.0f rows)\n", log, loss, rows);
    else if (!status)
        printf("%s\nfinal test accuracy %.2f %% (mean over the last %.0f rows)\n", log,
               100.0 * accuracy, rows);
    return status;
}

static int run_single(const struct arguments *a, struct single *s, struct error *e) {
    struct progress progress = progress_begin(s->timeline.total, a->quiet);
    struct run_outcome out;
    struct run_options options = {.root = a->out,
                                  .from = a->no_reuse ? NULL : a->out,
                                  .until = a->until,
                                  .twin_id = s->twin.run_id,
                                  .record_host = a->record_host,
                                  .threads = (int)a->threads,
                                  .stop = a->stop,
                                  .progress = show_epoch,
                                  .context = &progress};
    int status = run_execute(&s->config, &s->timeline, &s->data, &options, &out, e);
    progress_end(&progress);
    s->gets_on = out.saved > out.started_from;
    if (status) return status;
    printf("%lld epochs trained", (long long)out.epochs_trained);
    if (out.started_from > 0) printf(" from epoch %lld on", (long long)out.started_from);
    printf("\n");
    if (a->until && a->until < s->timeline.total) {
        printf("the state after epoch %ld is kept\n", a->until);
        return STATUS_OK;
    }
    return print_final(out.log, e);
}

/* The run's claim; waits while another process has it. */
static int run_claim(const struct arguments *a, const struct single *s, struct claim **claim,
                     struct error *e) {
    const struct timespec second = {.tv_sec = 1};
    char path[STORE_PATH], holder[CLAIM_HOLDER];
    struct store store;
    bool said = false;
    store_at(&store, a->out);
    store_claim_path(path, &store, &s->timeline);
    int status = store_make(&store, e);
    while (!status) {
        status = claim_take(claim, path, holder, e);
        if (status || *claim) break;
        if (!said) fprintf(stderr, "imprint: %s trains this run: waiting for it\n", holder);
        said = true;
        nanosleep(&second, NULL);
        if (*a->stop) return error_set(e, STATUS_INTERRUPTED, "interrupted while it waited");
    }
    return status;
}

static int run_claimed(const struct arguments *a, struct single *s, struct error *e) {
    char log[RUN_PATH];
    const char *name = experiment_name(s->experiment);
    if (a->force || a->no_reuse || !run_is_finished(a->out, name, &s->timeline))
        return run_single(a, s, e);
    run_log_path(log, a->out, name, &s->timeline);
    if (!a->quiet) fprintf(stderr, "imprint: finished already (--force trains again)\n");
    return print_final(log, e);
}

/* After the last act on disk. SIGUSR1 is how a batch system says that the time limit is near. */
static int run_as_job(const struct arguments *a, const struct single *s, int status,
                      struct error *e) {
    char folder[STORE_PATH], failure[RUN_PATH];
    if (status == STATUS_DIVERGED && a->job) {
        fprintf(stderr, "imprint: %s\n", e->text);
        return STATUS_OK;
    }
    if (status != STATUS_INTERRUPTED || *a->stop != SIGUSR1) return status;
    snprintf(folder, sizeof folder, "%s/%s", a->out, experiment_name(s->experiment));
    int requeued = slurm_requeue(folder, s->timeline.run_id, s->gets_on, e);
    if (!requeued) return status;
    run_error_path(failure, a->out, experiment_name(s->experiment), &s->timeline);
    run_record_error(failure, e->text);
    return requeued;
}

static int command_run(const struct arguments *a, struct error *e) {
    struct single s;
    struct claim *claim = NULL;
    int status = single_load(&s, a, e);
    if (!status && a->until > s.timeline.total)
        status = error_set(e, STATUS_USAGE, "--until %ld: the run has %lld epochs", a->until,
                           (long long)s.timeline.total);
    if (!status) status = run_claim(a, &s, &claim, e);
    if (!status) status = run_claimed(a, &s, e);
    claim_release(claim);
    status = run_as_job(a, &s, status, e);
    single_free(&s);
    return status;
}

static void print_outcome(const struct tree *t, const struct launch_outcome *out,
                          const char *root) {
    const char *name = experiment_name(t->experiment);
    printf("%s: %zu of %zu runs done", name, out->done, t->runs_n);
    if (out->diverged) printf(", %zu diverged", out->diverged);
    if (out->failed) printf(", %zu failed", out->failed);
    printf("; %lld epochs trained (%lld without sharing)\n", (long long)out->epochs_trained,
           (long long)tree_epochs_alone(t));
    printf("logs: %s/%s/runs\n", root, name);
}

static int sweep_launch(const struct arguments *a, struct tree *t, struct error *e) {
    struct launch_outcome out = {0};
    struct launch_options options = {.root = a->out,
                                     .jobs = (size_t)a->jobs,
                                     .reuse = !a->no_reuse && !a->no_share,
                                     .fail_fast = a->fail_fast,
                                     .record_host = a->record_host,
                                     .quiet = a->quiet,
                                     .stop = a->stop};
    int status = launch_local(t, &options, &out, e);
    if (!status || status == STATUS_RUNS_FAILED) print_outcome(t, &out, a->out);
    return status;
}

static void print_submitted(const struct tree *t, const struct slurm_outcome *out,
                            const char *root) {
    const char *name = experiment_name(t->experiment);
    printf("%s: %zu jobs submitted", name, out->jobs);
    if (out->jobs)
        printf(" (arrays: %zu, single jobs: %zu, the first is %ld)", out->arrays, out->singles,
               out->first);
    if (out->queued) printf("; %zu were in the queue already", out->queued);
    if (out->replaced)
        printf("; %zu that would never have started were submitted anew", out->replaced);
    printf("\n%zu of %zu runs done", out->done, t->runs_n);
    if (out->diverged) printf(", %zu diverged", out->diverged);
    printf("\n");
    if (out->jobs + out->queued)
        printf("scripts and output: %s/%s/slurm; to watch: imprint status %s/%s, squeue --me\n",
               root, name, root, name);
}

static int sweep_submit(const struct arguments *a, struct tree *t, struct error *e) {
    struct slurm_outcome out;
    struct slurm_options options = {.root = a->out,
                                    .reuse = !a->no_reuse && !a->no_share,
                                    .wait = a->wait,
                                    .record_host = a->record_host,
                                    .quiet = a->quiet,
                                    .stop = a->stop};
    int status = launch_slurm(t, &options, &out, e);
    if (!status || status == STATUS_RUNS_FAILED) print_submitted(t, &out, a->out);
    return status;
}

static void print_seconds(const char *before, double seconds) {
    if (seconds < 100.0)
        printf("%s%.3g s", before, seconds);
    else if (seconds < 3.0 * 3600.0)
        printf("%s%.0f min", before, seconds / 60.0);
    else
        printf("%s%.3g h", before, seconds / 3600.0);
}

/* Time and disk; a short calibration, so that a plan of thousands of runs is there at once. */
static void sweep_estimate(const struct arguments *a, struct tree *t) {
    struct estimate is;
    struct error e = {0};
    if (tree_epochs(t) == 0) return;
    if (estimate_tree(&is, t, (size_t)a->jobs, 0.1, &e)) {
        fprintf(stderr, "imprint: no estimate: %s\n", e.text);
        return;
    }
    print_seconds("time: about ", is.seconds);
    printf(" with -j %ld", a->jobs);
    print_seconds(" (", is.seconds_alone);
    printf(" without sharing: %.2f times)", is.seconds_alone / is.seconds);
    if (is.calibrated < is.kinds)
        printf("; tried %zu of %zu kinds of run", is.calibrated, is.kinds);
    printf("\ndisk: about %.3g MiB of states, rows and logs\n", (double)is.bytes / 1048576.0);
}

static void sweep_dry(const struct arguments *a, struct tree *t, double planned) {
    tree_print(t, stdout);
    sweep_estimate(a, t);
    printf("planned in %.2f s\n", planned);
}

static bool is_slurm(const struct arguments *a) {
    return !strcmp(a->launcher, "slurm");
}

static int check_launcher(const struct arguments *a, struct error *e) {
    if (!is_slurm(a) && strcmp(a->launcher, "local") != 0)
        return error_set(e, STATUS_USAGE, "--launcher: '%s' is none of local, slurm",
                         text_shown(a->launcher).text);
    if (a->wait && !is_slurm(a))
        return error_set(e, STATUS_USAGE,
                         "--wait: goes with --launcher slurm; the local launcher always waits");
    if (a->fail_fast && is_slurm(a))
        return error_set(e, STATUS_USAGE, "--fail-fast: goes with the local launcher only");
    return STATUS_OK;
}

static int sweep_tree(const struct arguments *a, struct experiment *x, struct error *e) {
    double began = system_seconds();
    struct tree t;
    struct tree_options options = {.root = a->out,
                                   .reuse = !a->no_reuse && !a->no_share,
                                   .share = !a->no_share,
                                   .force = a->force,
                                   .retry_diverged = a->retry_failed,
                                   .memory_bytes = (int64_t)a->memory << 20};
    if (a->dot && !a->dry_run)
        return error_set(e, STATUS_USAGE, "--dot: goes with --dry-run, which trains nothing");
    int status = check_launcher(a, e);
    if (!status) status = tree_create(&t, x, &options, e);
    if (status) return status;
    if (a->dot)
        tree_dot(&t, stdout);
    else if (a->dry_run)
        sweep_dry(a, &t, system_seconds() - began);
    else
        status = is_slurm(a) ? sweep_submit(a, &t, e) : sweep_launch(a, &t, e);
    if (!status && a->dry_run && !a->dot && is_slurm(a))
        status = slurm_print(&t, options.reuse, stdout, e);
    tree_free(&t);
    return status;
}

static int command_sweep(const struct arguments *a, struct error *e) {
    struct experiment *x;
    int status = load(&x, a, e);
    if (status) return status;
    status = sweep_tree(a, x, e);
    experiment_free(x);
    return status;
}

/* ---- what is there, and what may go ---------------------------------------------------------- */

static int command_status(const struct arguments *a, struct error *e) {
    struct status_options options = {.quiet = a->quiet};
    return status_print(a->words, a->words_n, &options, stdout, e);
}

static int command_clean(const struct arguments *a, struct error *e) {
    struct clean_options options = {.dry_run = a->dry_run, .quiet = a->quiet, .keep = a->keep};
    return clean_results(a->words_n ? a->words[0] : "results", &options, stdout, e);
}

/* ---- reading results ------------------------------------------------------------------------- */

static int command_report(const struct arguments *a, struct error *e) {
    struct report_options options = {.figures = !a->no_figures, .against = a->against};
    return report_main(a->words, a->words_n, &options, stdout, e);
}

static int command_table(const struct arguments *a, struct error *e) {
    return table_print(a->words[0], a->words_n > 1 ? a->words[1] : NULL, stdout, e);
}

static int command_collect(const struct arguments *a, struct error *e) {
    struct collect_options options = {.output = a->output};
    return collect(a->words[0], &options, stdout, stderr, e);
}

/* ---- verify ---------------------------------------------------------------------------------- */

/* The words that are logs; the last data.path=FOLDER goes into the options. */
static int verify_words(const struct arguments *a, const char *logs[CLI_WORDS], size_t *n,
                        struct verify_options *o, struct error *e) {
    *n = 0;
    for (size_t i = 0; i < a->words_n; i++) {
        bool is_override = strchr(a->words[i], '=') && access(a->words[i], F_OK);
        if (!is_override)
            logs[(*n)++] = a->words[i];
        else if (!strncmp(a->words[i], "data.path=", 10))
            o->data_path = a->words[i] + 10;
        else
            return error_set(e, STATUS_USAGE,
                             "verify: %s: only data.path can be overridden; any other key would "
                             "check another run",
                             a->words[i]);
    }
    return *n ? STATUS_OK : error_set(e, STATUS_USAGE, "verify: give a log");
}

static int command_verify(const struct arguments *a, struct error *e) {
    const char *logs[CLI_WORDS];
    size_t n;
    struct verify_options o = {.from_states = a->from_states,
                               .tolerance = VERIFY_TOLERANCE,
                               .threads = (int)a->threads,
                               .quiet = a->quiet,
                               .stop = a->stop};
    if (a->tolerance && (!text_real(a->tolerance, &o.tolerance) || o.tolerance < 0.0))
        return error_set(e, STATUS_USAGE, "--tolerance: '%s' is not a number from 0 on",
                         a->tolerance);
    int status = verify_words(a, logs, &n, &o, e);
    return status ? status : verify(logs, n, &o, stdout, e);
}

/* ---- data and preview ------------------------------------------------------------------------ */

static int command_preview(const struct arguments *a, struct error *e) {
    struct single s;
    const char *path = a->output ? a->output : "preview.png";
    int status = first_config(&s, a, e);
    if (!status) status = data_load(&s.config.data, s.config.data_seed, &s.data, e);
    if (!status) status = check_data(&s.config, &s.data, e);
    if (!status) status = preview_write(path, &s.config, &s.data, e);
    if (!status) printf("%s\n", path);
    single_free(&s);
    return status;
}

static int data_named(const struct dataset_type **t, const char *name, struct error *e) {
    *t = dataset_find(name);
    if (*t) return STATUS_OK;
    return error_set(e, STATUS_USAGE, "%s: no data set; see 'imprint list datasets'", name);
}

static void put_examples(struct h5_writer *w, const char *group, const struct dataset *d,
                         const struct examples *x) {
    char name[H5_NAME], dims[4][H5_NAME];
    const char *pointers[4];
    for (size_t m = 0; m < d->modalities_n; m++) {
        const struct modality *is = &d->modality[m];
        const bool image = is->kind == MODALITY_IMAGE;
        const size_t shape[4] = {x->n, image ? is->H : is->W, is->W, is->C}, rank = image ? 4 : 2;
        for (size_t i = 0; i < rank; i++) {
            snprintf(dims[i], H5_NAME, "%s_axis%zu", is->name, i);
            snprintf(name, sizeof name, "%.20s/%.40s", group, dims[i]);
            h5_put_dimension(w, name, shape[i]);
            pointers[i] = dims[i];
        }
        snprintf(name, sizeof name, "%.20s/%.40s", group, is->name);
        if (is->bytes)
            h5_put_bytes(w, name, x->x[m], rank, pointers, NULL);
        else
            h5_put_floats(w, name, x->x[m], rank, pointers, NULL);
        for (size_t k = 0; k < is->C; k++) {
            char mean[32], sd[32];
            snprintf(mean, sizeof mean, "mean%zu", k);
            snprintf(sd, sizeof sd, "sd%zu", k);
            h5_put_attr_real(w, name, mean, is->mean[k]);
            h5_put_attr_real(w, name, sd, is->sd[k]);
        }
    }
    if (d->has_targets) {
        snprintf(name, sizeof name, "%.20s/outputs", group);
        h5_put_dimension(w, name, d->K);
        snprintf(name, sizeof name, "%.20s/targets", group);
        h5_put_floats(w, name, x->target, 2, (const char *[]){pointers[0], "outputs"}, NULL);
    }
    int64_t *labels = malloc((x->n + 1) * sizeof *labels),
            *index = malloc((x->n + 1) * sizeof *index);
    if (!labels || !index) abort();
    for (size_t i = 0; i < x->n; i++) {
        labels[i] = x->label[i];
        index[i] = x->index[i];
    }
    snprintf(name, sizeof name, "%.20s/labels", group);
    h5_put_ints(w, name, labels, 1, (const char *[]){pointers[0]}, NULL);
    snprintf(name, sizeof name, "%.20s/index", group);
    h5_put_ints(w, name, index, 1, (const char *[]){pointers[0]}, NULL);
    free(labels);
    free(index);
}

/* The examples of a config as stored, for checks in other tools. */
static int data_export(const struct arguments *a, struct error *e) {
    struct arguments config = *a;
    struct single s;
    if (!a->output) return error_set(e, STATUS_USAGE, "data export: give --output FILE.h5");
    memmove(config.words, config.words + 1, (--config.words_n) * sizeof *config.words);
    int status = first_config(&s, &config, e);
    if (!status) status = data_load(&s.config.data, s.config.data_seed, &s.data, e);
    if (!status) {
        struct h5_writer *w = h5_create(a->output);
        put_examples(w, "train", &s.data, &s.data.train);
        put_examples(w, "validation", &s.data, &s.data.validation);
        put_examples(w, "test", &s.data, &s.data.test);
        h5_put_attr_text(w, "/", "dataset", s.data.type->name);
        h5_put_attr_text(w, "/", "dataset_digest", s.data.digest);
        h5_put_attr_int(w, "/", "classes", (int64_t)s.data.K);
        status = h5_commit(w, true, e);
    }
    single_free(&s);
    return status;
}

static int data_list(const struct arguments *a, struct error *e) {
    size_t n;
    const struct dataset_type *const *all = dataset_list(&n);
    (void)a;
    (void)e;
    for (size_t i = 0; i < n; i++) printf("%-20s %s\n", all[i]->name, all[i]->doc);
    return STATUS_OK;
}

static int data_about(const struct arguments *a, struct error *e) {
    const struct dataset_type *t;
    if (a->words_n != 2) return error_set(e, STATUS_USAGE, "usage: imprint data info NAME");
    int status = data_named(&t, a->words[1], e);
    if (!status) data_info(t, stdout);
    return status;
}

static int data_check(const struct arguments *a, struct error *e) {
    const struct dataset_type *t;
    if (a->words_n != 3) return error_set(e, STATUS_USAGE, "usage: imprint data verify NAME PATH");
    int status = data_named(&t, a->words[1], e);
    return status ? status : data_verify(t, a->words[2], stdout, e);
}

static int command_data(const struct arguments *a, struct error *e) {
    static const struct {
        const char *name;
        int (*run)(const struct arguments *a, struct error *e);
    } verbs[] = {
        {"list", data_list}, {"info", data_about}, {"verify", data_check}, {"export", data_export}};
    for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++)
        if (!strcmp(a->words[0], verbs[i].name)) return verbs[i].run(a, e);
    return error_set(e, STATUS_USAGE, "data: '%s' is none of list, info, verify, export",
                     a->words[0]);
}

/* ---- list and describe ----------------------------------------------------------------------- */

#define LIST(function, list, type)                                                                 \
    static void function(void) {                                                                   \
        size_t n;                                                                                  \
        const struct type *const *all = list(&n);                                                  \
        for (size_t i = 0; i < n; i++) printf("%-20s %s\n", all[i]->name, all[i]->doc);            \
    }
LIST(list_deficits, deficit_list, deficit)
LIST(list_stabilizers, stabilizer_list, stabilizer)
LIST(list_nets, arch_list, arch)
LIST(list_datasets, dataset_list, dataset_type)
LIST(list_measures, measure_list, measure)
LIST(list_losses, loss_list, loss)
LIST(list_optimizers, optimizer_list, optimizer)
LIST(list_schedules, schedule_list, schedule)

static int command_list(const struct arguments *a, struct error *e) {
    static const struct {
        const char *name;
        void (*print)(void);
    } kinds[] = {
        {"deficits", list_deficits},     {"stabilizers", list_stabilizers}, {"nets", list_nets},
        {"datasets", list_datasets},     {"measures", list_measures},       {"losses", list_losses},
        {"optimizers", list_optimizers}, {"schedules", list_schedules}};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (!strcmp(a->words[0], kinds[i].name)) {
            kinds[i].print();
            return STATUS_OK;
        }
    return error_set(e, STATUS_USAGE,
                     "list: '%s' is none of deficits, stabilizers, nets, datasets, "
                     "measures, losses, optimizers, schedules",
                     a->words[0]);
}

static int command_describe(const struct arguments *a, struct error *e) {
    if (a->words_n == 0) {
        schema_manual(stdout);
        return STATUS_OK;
    }
    return schema_describe(stdout, a->words[0], e);
}

const struct command commands[] = {
    {"run", "CONFIG [key=value ...]", "Train one timeline into one log.",
     "out profile threads until force no-reuse record-host job quiet",
     "  imprint run configs/demo.yaml deficits[0].until=8 seed=2\n"
     "  imprint run my.yaml train.lr.base=0.1 --out /tmp/results\n",
     1, CLI_WORDS, command_run},
    {"sweep", "CONFIG [key=value ...]", "Train every run of a config and every clean twin.",
     "out profile jobs launcher wait dry-run dot force no-reuse no-share fail-fast retry-failed "
     "memory record-host quiet",
     "  imprint sweep configs/demo.yaml\n"
     "  imprint sweep configs/demo.yaml seed=1,2,3,4,5 -j 2\n"
     "  imprint sweep configs/demo.yaml --launcher slurm slurm.time=1:00:00\n"
     "  imprint sweep configs/achille2019/fig1-blur-removal.yaml --profile laptop \\\n"
     "      data.path=cifar-10-batches-bin --dry-run\n",
     1, CLI_WORDS, command_sweep},
    {"status", "DIR...", "Every run of a sweep: pending, running, done, failed; time left.",
     "quiet",
     "  imprint status results/demo\n"
     "  imprint status results --quiet\n",
     1, CLI_WORDS, command_status},
    {"clean", "[DIR]", "Remove the states that no unfinished run needs.", "dry-run keep quiet",
     "  imprint clean --dry-run\n"
     "  imprint clean results --keep final,10\n",
     0, 1, command_clean},
    {"report", "DIR...", "Tables, figures and report.html of a sweep's folder or of logs.",
     "no-figures against",
     "  imprint report results/demo\n"
     "  imprint report results/demo --against results/reference/demo\n",
     1, CLI_WORDS, command_report},
    {"table", "LOG|DIR [NAME]", "A variable as tab-separated text; without NAME, their list.", "",
     "  imprint table results/demo test_accuracy\n"
     "  gnuplot -p -e \"plot '< imprint table LOG fisher_trace' using 1:2 with lines\"\n",
     1, 2, command_table},
    {"collect", "DIR", "A sweep's logs as one file: arrays over the sweep's axes (sweep.h5).",
     "output",
     "  imprint collect results/demo\n"
     "  python3 -c 'import xarray as xr\n"
     "  print(xr.open_dataset(\"results/demo/sweep.h5\").test_accuracy.mean(\"seed\"))'\n",
     1, 1, command_collect},
    {"verify", "LOG|DIR... [data.path=FOLDER]",
     "Train a log's config again and compare every value, bit for bit.",
     "from-states tolerance threads quiet",
     "  imprint verify results/demo/runs/ID.h5\n"
     "  imprint verify results/demo\n"
     "  imprint verify results/demo/runs/ID.h5 --from-states\n",
     1, CLI_WORDS, command_verify},
    {"preview", "CONFIG [key=value ...]", "A PNG of what the net sees, clean and spoiled.",
     "profile output", "  imprint preview configs/demo.yaml seed=1 --output sheet.png\n", 1,
     CLI_WORDS, command_preview},
    {"data", "list | info NAME | verify NAME PATH | export CONFIG [key=value ...]",
     "Data sets: which there are, their files, and a check of yours.", "profile output",
     "  imprint data info cifar10\n  imprint data verify mnist data/mnist\n"
     "  imprint data export configs/demo.yaml seed=1 --output demo-data.h5\n",
     1, CLI_WORDS, command_data},
    {"list", "deficits|stabilizers|nets|datasets|measures|losses|optimizers|schedules",
     "What can be named in a config.", "", "  imprint list deficits\n", 1, 1, command_list},
    {"describe", "[KEY]", "A config key, a section or a plug-in; without KEY, the whole manual.",
     "", "  imprint describe train.lr.clock\n  imprint describe blur\n", 0, 1, command_describe},
    {.name = NULL}};
