/* Checking a log: see verify.h.
 *
 *   log_open      its seal and digest: is it whole, and as it was written?
 *   plan          the config inside it, the data, the timeline with its keys
 *   train         the run again, in a temporary folder, reading no state (or from one, --from-states)
 *   compare       every dataset and attribute of the two logs
 *
 * The config that is trained is the log's own; only where its data lie may be another place, and
 * that is not written into the new log. The trap is the end of a log: one that is not finished has
 * fewer rows than its config says, and one that diverged must do so again in the same epoch. */
#include "sim/verify.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "analysis/results.h"
#include "base/h5.h"
#include "base/system.h"
#include "base/text.h"
#include "sim/check.h"
#include "sim/compare.h"
#include "sim/numerics.h"
#include "sim/progress.h"
#include "sim/run.h"

enum ending { ENDS_DONE, ENDS_DIVERGED, ENDS_OPEN /* running, interrupted */ };

struct check {
    const char *path;
    const struct verify_options *options;
    struct h5_reader *log;
    char *text; /* its config */
    enum ending ending;
    int64_t last; /* its last row */
    struct config config;
    struct dataset data;
    struct timeline timeline, twin;
    bool same_numerics, same_program;
    char home[STORE_FOLDER]; /* the results folder around the log; "": not asked for */
    char root[PATH_MAX];     /* temporary results folder; "": none */
    struct run_outcome out;
    bool diverged; /* when trained again */
    struct compare_count count;
    size_t other;             /* differences beside datasets and attributes */
    struct text lines, about; /* what differs, a line each; in what circumstances */
};

/* ---- the log --------------------------------------------------------------------------------- */

static bool has_signature(const char *path) {
    static const char signature[8] = {'\x89', 'H', 'D', 'F', '\r', '\n', '\x1a', '\n'};
    char begin[sizeof signature] = "";
    FILE *f = fopen(path, "rb");
    size_t n = f ? fread(begin, 1, sizeof begin, f) : 0;
    if (f) fclose(f);
    return n == sizeof begin && !memcmp(begin, signature, sizeof begin);
}

/* Damaged files are refused by their seal, before the library reads them. */
static int log_open(struct check *c, struct error *e) {
    if (access(c->path, R_OK))
        return error_set(e, STATUS_FAILED, "%s: cannot read it: %s", c->path, strerror(errno));
    enum h5_seal seal = h5_seal(c->path);
    if (seal == H5_BROKEN)
        return error_set(e, STATUS_DIFFERS,
                         "%s: it is damaged: its content is not what was written", c->path);
    if (seal == H5_UNSEALED && has_signature(c->path))
        return error_set(e, STATUS_DIFFERS,
                         "%s: it is cut short or not as imprint wrote it: its seal is gone",
                         c->path);
    if (seal == H5_UNSEALED) return error_set(e, STATUS_FAILED, "%s: is no log", c->path);
    int status = h5_open_sealed(&c->log, c->path, e);
    return status ? status : h5_check_digest(c->log, e);
}

static bool attr_is(struct h5_reader *r, const char *name, const char *text) {
    char *is = h5_attr_text(r, "/", name);
    bool same = is && !strcmp(is, text);
    free(is);
    return same;
}

static int log_read(struct check *c, struct error *e) {
    size_t shape[H5_RANK];
    c->text = h5_get_text(c->log, "config");
    if (!c->text || h5_attr_kind(c->log, "/", "run_id") != H5_TEXTS ||
        h5_shape(c->log, "epoch", shape) != 1 || shape[0] == 0)
        return error_set(e, STATUS_FAILED, "%s: is no log of a run", c->path);
    c->last = (int64_t)shape[0] - 1;
    c->ending = attr_is(c->log, "status", "done")       ? ENDS_DONE
                : attr_is(c->log, "status", "diverged") ? ENDS_DIVERGED
                                                        : ENDS_OPEN;
    return STATUS_OK;
}

/* results/<experiment>/runs/<id>.h5 -> results */
static int log_home(struct check *c, struct error *e) {
    char *path = realpath(c->path, NULL), *slash = NULL;
    size_t up = 0;
    for (; path && up < 3 && (slash = strrchr(path, '/')); up++) {
        if (up == 1 && strcmp(slash, "/runs")) break;
        *slash = '\0';
    }
    if (up == 3) snprintf(c->home, sizeof c->home, "%s", *path ? path : "/");
    free(path);
    if (up == 3) return STATUS_OK;
    return error_set(e, STATUS_FAILED,
                     "%s: no results folder is around it, so there are no states: verify it "
                     "without --from-states",
                     c->path);
}

/* ---- the plan -------------------------------------------------------------------------------- */

static int parse(struct check *c, struct error *e) {
    struct text name = {0};
    text_add(&name, "%s: config", c->path);
    int status = config_parse(&c->config, c->text, name.data, e);
    free(name.data);
    return status;
}

static int load_data(struct check *c, struct error *e) {
    struct settings from;
    int status = STATUS_OK;
    settings_copy(&from, &c->config.data);
    if (c->options->data_path) status = settings_set(&from, "path", c->options->data_path, e);
    if (!status) status = data_load(&from, c->config.data_seed, &c->data, e);
    settings_free(&from);
    if (!status) status = check_data(&c->config, &c->data, e);
    return status ? status : check_net(&c->config, &c->data, e);
}

static int resolve(struct check *c, struct error *e) {
    struct config twin;
    int status = timeline_create(&c->timeline, &c->config, &c->data, e);
    if (status) return status;
    config_copy(&twin, &c->config);
    config_clean(&twin);
    status = timeline_create(&c->twin, &twin, &c->data, e);
    config_free(&twin);
    return status;
}

/* Other data give other numbers: nothing to train for. */
static int check_digest(struct check *c, struct error *e) {
    if (attr_is(c->log, "dataset_digest", c->data.digest)) return STATUS_OK;
    return error_set(e, STATUS_DIFFERS,
                     "%s: the data are not those of the log: their digest is %s; data.path=... "
                     "says where the right ones are",
                     c->path, c->data.digest);
}

static bool attr_same(struct h5_reader *a, struct h5_reader *b, const char *name) {
    char *x = h5_attr_text(a, "/", name);
    bool same = x && attr_is(b, name, x);
    free(x);
    return same;
}

static bool any_state(const struct check *c) {
    struct store store;
    store_at(&store, c->home);
    for (int64_t epoch = 0; epoch < c->last && epoch <= c->timeline.total; epoch++)
        if (store_find(&store, &c->timeline, epoch) != STORED_NOT) return true;
    return false;
}

static int plan(struct check *c, struct error *e) {
    char id[HASH_TEXT];
    int status = log_read(c, e);
    if (!status) status = parse(c, e);
    if (!status) status = load_data(c, e);
    if (!status) status = check_digest(c, e);
    if (!status) status = resolve(c, e);
    if (status) return status;
    numerics_id(id);
    c->same_numerics = attr_is(c->log, "numerics_id", id);
    if (!c->options->from_states) return STATUS_OK;
    status = log_home(c, e);
    if (status || any_state(c)) return status;
    return error_set(e, STATUS_FAILED,
                     "%s: no state of an earlier epoch lies in %s/states%s: verify it without "
                     "--from-states",
                     c->path, c->home, c->same_numerics ? "" : " for this program's numerics");
}

/* ---- training again -------------------------------------------------------------------------- */

static int make_root(struct check *c, struct error *e) {
    const char *parent = getenv("TMPDIR");
    snprintf(c->root, sizeof c->root, "%.3000s/imprint-verify-XXXXXX",
             parent && *parent ? parent : "/tmp");
    if (mkdtemp(c->root)) return STATUS_OK;
    int status = error_set(e, STATUS_FAILED, "%s: cannot make a temporary folder: %s", c->root,
                           strerror(errno));
    c->root[0] = '\0';
    return status;
}

/* How far to train: what the log has, and one epoch more where it says that it diverged. 0: to the
 * end. */
static int64_t goal(const struct check *c) {
    int64_t until = c->ending == ENDS_DIVERGED ? c->last + 1 : c->last;
    return c->ending == ENDS_DONE || until >= c->timeline.total ? 0 : until;
}

static int64_t goal_epoch(const struct check *c) {
    return goal(c) ? goal(c) : c->timeline.total;
}

static void show_epoch(void *context, const struct run_progress *p) {
    struct progress *progress = context;
    if (!progress->done) progress->total -= p->epoch - 1; /* it began at a later state */
    progress_epoch(progress, p, "");
}

/* A log of row 0 alone is trained by stopping before the first batch. */
static int train_run(struct check *c, struct progress *progress, struct error *e) {
    static const volatile sig_atomic_t at_once = 1;
    int64_t before = c->last < c->timeline.total ? c->last : c->timeline.total;
    bool row_0 = c->ending == ENDS_OPEN && c->last == 0 && c->timeline.total > 0;
    struct run_options o = {.root = c->root,
                            .from = c->options->from_states ? c->home : NULL,
                            .before = c->options->from_states ? before : 0,
                            .until = goal(c),
                            .twin_id = c->twin.run_id,
                            .threads = c->options->threads,
                            .stop = row_0 ? &at_once : c->options->stop,
                            .progress = show_epoch,
                            .context = progress};
    int status = run_execute(&c->config, &c->timeline, &c->data, &o, &c->out, e);
    return row_0 && status == STATUS_INTERRUPTED ? STATUS_OK : status;
}

static int train(struct check *c, struct error *e) {
    struct error why = {0};
    struct progress progress = progress_begin(goal_epoch(c), c->options->quiet);
    int status = make_root(c, &why);
    if (!status) status = train_run(c, &progress, &why);
    progress_end(&progress);
    c->diverged = status == STATUS_DIVERGED;
    if (c->diverged || !status) return STATUS_OK;
    if (status == STATUS_INTERRUPTED)
        return error_set(e, status, "%s: interrupted while it was trained again", c->path);
    *e = why;
    return error_prefix(e, "%s", c->path);
}

/* ---- the rules of comparison ----------------------------------------------------------------- */

static bool is_one_of(const char *name, const char *const *names) {
    while (*names && strcmp(name, *names)) names++;
    return *names != NULL;
}

/* Measures whose numbers are shares or lie in -1..1, and may be 0. */
static bool is_share(const char *name) {
    return !strncmp(name, "rsv_", 4) || !strcmp(name, "dead_units");
}

static struct compare_rule within(const struct check *c, const char *name) {
    static const char *const schedules[] = {"lr", "lr_at_removal", "deficit_severity",
                                            "stabilizer_strength", NULL};
    double tolerance = c->options->tolerance;
    if (is_one_of(name, schedules))
        return (struct compare_rule){.by = COMPARE_RELATIVE, .tolerance = VERIFY_SCHEDULE};
    if (!strcmp(name, "final/fisher_peak_epoch")) /* jumps far when two peaks are close */
        return (struct compare_rule){.by = COMPARE_SHOWN};
    if (strstr(name, "accuracy") || is_share(name))
        return (struct compare_rule){.by = COMPARE_ABSOLUTE, .tolerance = tolerance};
    return (struct compare_rule){.by = COMPARE_RELATIVE,
                                 .tolerance = VERIFY_OTHER_SERIES * tolerance,
                                 .first_row = strchr(name, '/') ? 0.0 : VERIFY_UNTRAINED};
}

/* A log that is not finished has no final accuracy; trained up to its last row it may have one. */
static bool is_of_the_end(const char *name) {
    static const char *const names[] = {"final/test_accuracy", "final/validation_accuracy",
                                        "final/test_loss", "final/validation_loss", NULL};
    return is_one_of(name, names);
}

static struct compare_rule by(enum compare_by by) {
    return (struct compare_rule){.by = by};
}

/* Other versions may write keys into the config that this one did not know. */
static struct compare_rule dataset_rule(const void *context, const char *name) {
    const struct check *c = context;
    if (!strcmp(name, "wall_seconds")) return by(COMPARE_NOT);
    if (c->ending == ENDS_OPEN && is_of_the_end(name)) return by(COMPARE_NOT);
    if (!strcmp(name, "config") && !c->same_program) return by(COMPARE_SHOWN);
    return c->same_numerics ? by(COMPARE_BITS) : within(c, name);
}

static struct compare_rule attribute_rule(const void *context, const char *name) {
    static const char *const circumstances[] = {
        "created", "finished", "imprint_version", "git_commit", "git_dirty", "cpu",
        "blas",    "threads",  "numerics_id",     "host",       "user",      "content_digest",
        NULL};
    const struct check *c = context;
    if (is_one_of(name, circumstances)) return by(COMPARE_NOT);
    if (!strcmp(name, "status") && c->ending == ENDS_OPEN) return by(COMPARE_NOT);
    return c->same_numerics ? by(COMPARE_BITS) : within(c, name);
}

static struct compare_rule state_rule(const void *context, const char *name) {
    (void)context;
    return by(strcmp(name, "content_digest") ? COMPARE_BITS : COMPARE_NOT);
}

/* ---- comparing ------------------------------------------------------------------------------- */

static void compare_ends(struct check *c) {
    if (c->diverged == (c->ending == ENDS_DIVERGED)) return;
    c->other++;
    text_add(&c->lines, c->diverged ? "  it does not diverge in the log, and does so when trained\n"
                                    : "  it diverges in the log, and does not when trained\n");
}

static void say_other(struct check *c, struct h5_reader *trained, const char *name) {
    char *there = h5_attr_text(c->log, "/", name), *here = h5_attr_text(trained, "/", name);
    text_add(&c->about, "  %s: ", name);
    text_quote(&c->about, there ? there : "");
    text_add(&c->about, " in the log, ");
    text_quote(&c->about, here ? here : "");
    text_add(&c->about, " here\n");
    free(there);
    free(here);
}

/* Which circumstances differ: for other numerics, and for whoever looks for a cause. */
static void say_circumstances(struct check *c, struct h5_reader *trained) {
    static const char *const names[] = {"cpu", "blas", "imprint_version", "git_commit", NULL};
    double r = c->options->tolerance;
    if (!c->same_numerics)
        text_add(&c->about,
                 "  other numerics than the log's: training amplifies their roundings, so equal "
                 "bits cannot be expected. Compared are means over the epochs: accuracies within "
                 "%g, other series within %g %% of their mean, and row 0, before training, within "
                 "%g %%\n",
                 r, 100.0 * VERIFY_OTHER_SERIES * r, 100.0 * VERIFY_UNTRAINED);
    for (size_t i = 0; names[i]; i++)
        if (!attr_same(c->log, trained, names[i])) say_other(c, trained, names[i]);
    if (!c->same_numerics && attr_same(c->log, trained, "cpu") &&
        attr_same(c->log, trained, "blas") && attr_same(c->log, trained, "imprint_version"))
        text_add(&c->about, "  cpu, blas and version are the same: the compiler, its flags, float "
                            "or double, or the C library is another\n");
}

static int compare_trained(struct check *c, struct h5_reader *trained, struct error *e) {
    c->same_program =
        attr_same(c->log, trained, "imprint_version") && attr_same(c->log, trained, "git_commit");
    struct compare_rules rules = {.dataset = dataset_rule,
                                  .attribute = attribute_rule,
                                  .context = c,
                                  .b_may_have_more = !c->same_program,
                                  .a = "in the log",
                                  .b = "trained"};
    say_circumstances(c, trained);
    compare_ends(c);
    int status = compare_files(c->log, trained, &rules, &c->count, &c->lines, e);
    if (!attr_same(c->log, trained, "run_id"))
        text_add(&c->lines, "  (another run id: this program names runs by another formula, or "
                            "the config in the log was edited)\n");
    return status;
}

static int compare_logs(struct check *c, struct error *e) {
    struct h5_reader *trained;
    int status = h5_open_sealed(&trained, c->out.log, e);
    if (!status) status = compare_trained(c, trained, e);
    h5_close(trained);
    return status;
}

/* The state at the log's end where it was kept, or that of the run in progress. */
static bool state_path(char path[STORE_PATH], const struct check *c) {
    struct store store;
    store_at(&store, c->home);
    for (enum stored where = STORED_KEPT; where <= STORED_PART; where++) {
        store_state_path(path, &store, &c->timeline, c->last, where);
        if (!access(path, R_OK)) return true;
    }
    return false;
}

static int open_trained_state(struct h5_reader **r, const struct check *c, struct error *e) {
    char path[STORE_PATH];
    struct store store;
    store_at(&store, c->root);
    store_state_path(path, &store, &c->timeline, c->last, STORED_KEPT);
    return h5_open_sealed(r, path, e);
}

static int compare_states(struct check *c, struct h5_reader *kept, struct error *e) {
    struct h5_reader *trained;
    struct compare_rules rules = {
        .dataset = state_rule, .attribute = state_rule, .a = "in its last state", .b = "trained"};
    int status = open_trained_state(&trained, c, e);
    if (!status) status = compare_files(kept, trained, &rules, &c->count, &c->lines, e);
    h5_close(trained);
    return status;
}

/* With --from-states: the state that training arrived at, against the one on disk. */
static int compare_last_state(struct check *c, struct error *e) {
    struct h5_reader *kept;
    char path[STORE_PATH];
    int status = STATUS_OK;
    if (!c->options->from_states || c->diverged || goal_epoch(c) != c->last) return STATUS_OK;
    if (!state_path(path, c)) {
        text_add(&c->lines, "  its last state is not on disk: only its rows were compared\n");
    } else if (h5_open_sealed(&kept, path, NULL) || h5_check_digest(kept, NULL)) {
        c->other++;
        text_add(&c->lines, "  %s: its last state is damaged\n", path);
        h5_close(kept);
    } else {
        status = compare_states(c, kept, e);
        h5_close(kept);
    }
    return status;
}

/* ---- the result ------------------------------------------------------------------------------ */

static size_t differences(const struct check *c) {
    return c->count.datasets_differ + c->count.attributes_differ + c->other;
}

static void print_verdict(const struct check *c, FILE *out) {
    if (differences(c))
        fprintf(out, "%zu differ\n", differences(c));
    else if (c->count.equal == c->count.datasets)
        fprintf(out, "equal bit for bit%s\n", c->same_numerics ? "" : ", by other numerics");
    else
        fprintf(out, "within the tolerance, %zu datasets equal bit for bit\n", c->count.equal);
}

static void print_result(const struct check *c, FILE *out) {
    bool from = c->options->from_states && c->out.started_from >= 0;
    fprintf(out, "%s: %zu datasets, %zu values, %lld epochs trained", c->path, c->count.datasets,
            c->count.values, (long long)c->out.epochs_trained);
    if (from) fprintf(out, " from the state of epoch %lld", (long long)c->out.started_from);
    fprintf(out, ": ");
    print_verdict(c, out);
    if (c->about.data && (!c->same_numerics || differences(c))) fputs(c->about.data, out);
    if (c->lines.data) fputs(c->lines.data, out);
}

static int verdict(const struct check *c, struct error *e) {
    if (!differences(c)) return STATUS_OK;
    return error_set(e, STATUS_DIFFERS,
                     "%s: it is not what training gives: %zu of %zu datasets and %zu of %zu "
                     "attributes differ",
                     c->path, c->count.datasets_differ, c->count.datasets,
                     c->count.attributes_differ, c->count.attributes);
}

static void check_free(struct check *c) {
    if (c->root[0]) system_remove_folder(c->root, NULL);
    h5_close(c->log);
    free(c->text);
    free(c->lines.data);
    free(c->about.data);
    timeline_free(&c->timeline);
    timeline_free(&c->twin);
    data_free(&c->data);
    config_free(&c->config);
}

static int verify_log(const char *path, const struct verify_options *o, FILE *out,
                      struct error *e) {
    struct check c = {.path = path, .options = o};
    int status = log_open(&c, e);
    if (!status) status = plan(&c, e);
    if (!status) status = train(&c, e);
    if (!status) status = compare_logs(&c, e);
    if (!status) status = compare_last_state(&c, e);
    if (!status) print_result(&c, out);
    if (!status) status = verdict(&c, e);
    check_free(&c);
    return status;
}

/* ---- many logs ------------------------------------------------------------------------------- */

struct paths {
    char **path;
    size_t n, missing; /* runs of a sweep that have no log yet */
};

static void paths_add(struct paths *p, const char *path) {
    char **grown = realloc(p->path, (p->n + 1) * sizeof *grown);
    if (!grown) abort();
    p->path = grown;
    p->path[p->n++] = text_copy(path);
}

static void paths_free(struct paths *p) {
    for (size_t i = 0; i < p->n; i++) free(p->path[i]);
    free(p->path);
}

static int paths_of_folder(struct paths *p, const char *folder, struct error *e) {
    struct results *r;
    size_t before = p->n;
    int status = results_list(&r, folder, e);
    if (status) return status;
    for (size_t i = 0; i < r->logs_n; i++) {
        if (access(r->logs[i]->path, F_OK))
            p->missing++;
        else
            paths_add(p, r->logs[i]->path);
    }
    results_free(r);
    if (p->n > before) return STATUS_OK;
    return error_set(e, STATUS_FAILED, "%s: none of its runs has a log yet", folder);
}

static int paths_all(struct paths *p, const char *const *names, size_t n, struct error *e) {
    struct stat is;
    int status = STATUS_OK;
    for (size_t i = 0; i < n && !status; i++) {
        if (!stat(names[i], &is) && S_ISDIR(is.st_mode))
            status = paths_of_folder(p, names[i], e);
        else
            paths_add(p, names[i]);
    }
    return status;
}

struct tally {
    size_t equal, differ, unchecked;
    int status; /* of the first log that could not be checked */
};

static void tally_add(struct tally *t, const struct error *why, int status) {
    if (status) fprintf(stderr, "imprint: %s\n", why->text);
    if (!status) t->equal++;
    if (status == STATUS_DIFFERS) t->differ++;
    if (!status || status == STATUS_DIFFERS) return;
    if (!t->unchecked++) t->status = status;
}

static int tally_end(const struct tally *t, const struct paths *p, FILE *out, struct error *e) {
    fprintf(out, "%zu of %zu logs are what training gives", t->equal, p->n);
    if (p->missing) fprintf(out, "; %zu more runs have no log yet", p->missing);
    fprintf(out, "\n");
    if (t->differ)
        return error_set(e, STATUS_DIFFERS, "%zu of %zu logs differ, %zu could not be checked",
                         t->differ, p->n, t->unchecked);
    if (!t->unchecked) return STATUS_OK;
    return error_set(e, t->status, "%zu of %zu logs could not be checked", t->unchecked, p->n);
}

static int verify_all(const struct paths *p, const struct verify_options *o, FILE *out,
                      struct error *e) {
    struct tally tally = {0};
    for (size_t i = 0; i < p->n; i++) {
        struct error mine = {0};
        int status = verify_log(p->path[i], o, out, &mine);
        fflush(out);
        if (status == STATUS_INTERRUPTED) {
            *e = mine;
            return status;
        }
        tally_add(&tally, &mine, status);
    }
    return tally_end(&tally, p, out, e);
}

int verify(const char *const *names, size_t n, const struct verify_options *o, FILE *out,
           struct error *e) {
    struct paths p = {0};
    int status = paths_all(&p, names, n, e);
    if (!status)
        status =
            p.n == 1 && !p.missing ? verify_log(p.path[0], o, out, e) : verify_all(&p, o, out, e);
    paths_free(&p);
    return status;
}
