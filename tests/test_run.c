/* Runs: stopped, forked, resumed, measured, damaged or threaded, the bits are those of the run from
 * scratch. Each test trains a tiny experiment for real. */
#include <dirent.h>
#include <math.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "sim/log.h"
#include "sim/numerics.h"
#include "tests/run_fixture.h"

/* One way to train a trial under its own results folder. */
struct attempt {
    char root[FIXTURE_TEXT];
    int64_t stop_after; /* epochs in this call; 0: never */
    int64_t die_after;  /* the same, without a word */
    int threads;
    const int64_t *keep;
    size_t keep_n;
    bool no_reuse;
    int64_t until;
    volatile sig_atomic_t stop;
    int64_t seen;
};

static void count_epoch(void *context, const struct run_progress *p) {
    struct attempt *a = context;
    (void)p;
    if (++a->seen == a->stop_after) a->stop = 1;
    if (a->seen == a->die_after) _exit(EXIT_SUCCESS);
}

static struct attempt attempt_in(const char *folder, const char *name) {
    struct attempt a = {.threads = 1};
    snprintf(a.root, sizeof a.root, "%.3000s/%.100s", folder, name);
    return a;
}

static struct run_outcome attempt_run(struct attempt *a, const struct trial *t, int expected) {
    struct run_outcome out;
    struct error e = {0};
    struct run_options o = {.root = a->root,
                            .twin_id = t->timeline.run_id,
                            .from = a->no_reuse ? NULL : a->root,
                            .until = a->until,
                            .threads = a->threads,
                            .keep = a->keep,
                            .keep_n = a->keep_n,
                            .stop = &a->stop,
                            .progress = count_epoch,
                            .context = a};
    a->seen = 0;
    a->stop = 0;
    int status = run_execute(&t->config, &t->timeline, &t->data, &o, &out, &e);
    if (status != expected) fail_msg("status %d, not %d: %s", status, expected, e.text);
    return out;
}

static void final_state(char path[FIXTURE_TEXT], const struct attempt *a, const struct trial *t) {
    struct store store;
    store_at(&store, a->root);
    store_state_path(path, &store, &t->timeline, t->timeline.total, STORED_KEPT);
}

/* ---- files of a folder ---- */

static long files_count(const char *folder, time_t since) {
    long n = 0;
    struct stat is;
    DIR *d = opendir(folder);
    for (struct dirent *f; d && (f = readdir(d));)
        n += f->d_name[0] != '.' && !fstatat(dirfd(d), f->d_name, &is, 0) && is.st_mtime >= since;
    if (d) closedir(d);
    return n;
}

static long files_in(const char *folder) {
    return files_count(folder, 0);
}

/* As if nobody had touched them since 2001; files_young counts those that somebody has. */
enum { LONG_AGO = 1000000000 };

static void files_age(const char *folder) {
    static const struct timespec old[2] = {{.tv_sec = LONG_AGO}, {.tv_sec = LONG_AGO}};
    DIR *d = opendir(folder);
    for (struct dirent *f; d && (f = readdir(d));)
        if (f->d_name[0] != '.') utimensat(dirfd(d), f->d_name, old, 0);
    if (d) closedir(d);
}

static long files_young(const char *folder) {
    return files_count(folder, LONG_AGO + 1);
}

static void same_states(const struct attempt *a, const struct attempt *b, const struct trial *t) {
    char x[FIXTURE_TEXT], y[FIXTURE_TEXT];
    final_state(x, a, t);
    final_state(y, b, t);
    assert_true(same_files(x, y, state_groups) > 8);
}

static void every_net_stopped_anywhere_and_resumed_equals_never_stopped(void **folder) {
    size_t n;
    const struct arch *const *all = arch_list(&n);
    for (size_t i = 0; i < n; i++) {
        char arch[128], name[128];
        snprintf(arch, sizeof arch, "net={arch: %s%s}", all[i]->name,
                 strcmp(all[i]->name, "mlp") == 0        ? ", hidden: [12, 8]"
                 : strcmp(all[i]->name, "resnet18") == 0 ? ", width: 4"
                 : strstr(all[i]->name, "allcnn")        ? ", width: 0.05"
                                                         : "");
        bool two = !strcmp(all[i]->name, "split_allcnn");
        const char *const overrides[] = {
            arch, two ? "data={set: views, of: optotypes}" : "data={set: optotypes}",
            two ? "deficits[0].modality=right" : NULL, NULL};
        struct trial t = trial_of(*folder, overrides);
        snprintf(name, sizeof name, "whole-%s", all[i]->name);
        struct attempt whole = attempt_in(*folder, name);
        snprintf(name, sizeof name, "parts-%s", all[i]->name);
        struct attempt parts = attempt_in(*folder, name);
        struct run_outcome a = attempt_run(&whole, &t, STATUS_OK), b;
        for (int64_t stop = 1; stop <= 3; stop++) { /* 1 + 2 + 3 epochs, then the last */
            parts.stop_after = stop;
            b = attempt_run(&parts, &t, STATUS_INTERRUPTED);
            assert_int_equal(b.epochs_trained, stop);
        }
        parts.stop_after = 0;
        b = attempt_run(&parts, &t, STATUS_OK);
        assert_int_equal(b.epochs_trained, 1);
        assert_true(same_files(a.log, b.log, log_groups) > 20);
        trial_free(&t);
    }
}

/* Its epochs take less than a state is worth, so the state is of an earlier one, or there is none. */
static void a_killed_run_goes_on_from_what_was_saved(void **folder) {
    struct trial t = trial_of(*folder, NULL);
    struct attempt whole = attempt_in(*folder, "unkilled"), killed = attempt_in(*folder, "killed");
    struct run_outcome a = attempt_run(&whole, &t, STATUS_OK);
    killed.die_after = 6;
    pid_t child = fork();
    if (child == 0) {
        attempt_run(&killed, &t, STATUS_OK);
        _exit(EXIT_FAILURE);
    }
    int status = -1;
    assert_true(child > 0 && waitpid(child, &status, 0) == child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == EXIT_SUCCESS);
    killed.die_after = 0;
    struct run_outcome b = attempt_run(&killed, &t, STATUS_OK);
    assert_true(b.started_from < 6);
    assert_int_equal(b.epochs_trained, 7 - (b.started_from < 0 ? 0 : b.started_from));
    assert_int_equal(b.saved, 7);
    assert_true(same_files(a.log, b.log, log_groups) > 20);
    same_states(&whole, &killed, &t);
    trial_free(&t);
}

static void a_forked_run_is_the_run_from_scratch(void **folder) {
    static const char *const longer[] = {"deficits[0].until=5", NULL};
    static const int64_t keep[] = {3};
    struct trial trunk = trial_of(*folder, longer), t = trial_of(*folder, NULL);
    struct attempt shared = attempt_in(*folder, "fork"), alone = attempt_in(*folder, "alone");
    shared.keep = keep;
    shared.keep_n = 1;
    assert_int_equal(attempt_run(&shared, &trunk, STATUS_OK).epochs_trained, 9);
    shared.keep_n = 0;
    struct run_outcome a = attempt_run(&shared, &t, STATUS_OK);
    struct run_outcome b = attempt_run(&alone, &t, STATUS_OK);
    assert_int_equal(a.epochs_trained, 4);
    assert_int_equal(b.epochs_trained, 7);
    same_files(a.log, b.log, log_groups);
    same_states(&shared, &alone, &t);
    trial_free(&trunk);
    trial_free(&t);
}

static void compare_threads(const char *folder, const char *label, const char *const *overrides) {
    static const int counts[] = {2, 3, 8};
    char name[64];
    struct trial t = trial_of(folder, overrides);
    snprintf(name, sizeof name, "%s-threads1", label);
    struct attempt one = attempt_in(folder, name);
    struct run_outcome a = attempt_run(&one, &t, STATUS_OK);
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        snprintf(name, sizeof name, "%s-threads%d", label, counts[i]);
        struct attempt many = attempt_in(folder, name);
        many.threads = counts[i];
        struct run_outcome b = attempt_run(&many, &t, STATUS_OK);
        same_files(a.log, b.log, log_groups);
        same_states(&one, &many, &t);
    }
    trial_free(&t);
}

static void threads_do_not_change_a_bit(void **folder) {
    static const char *const exact[] = {"fisher.estimator=exact",
                                        "net={arch: allcnn_c, width: 0.04}",
                                        "train.optimizer={type: adam}", "train.batch=20", NULL};
    static const char *const sketch[] = {"fisher.estimator=sketch",
                                         "net={arch: lenet, width: 0.125, norm: batch}",
                                         "eval.norm=refreshed", NULL};
    static const char *const empirical[] = {
        "fisher.estimator=empirical", "net={arch: mlp, hidden: [140, 9]}",
        "train.optimizer={type: sgd, nesterov: true, momentum: 0.9}", NULL};
    compare_threads(*folder, "sampled", NULL);
    compare_threads(*folder, "exact", exact);
    compare_threads(*folder, "sketch", sketch);
    compare_threads(*folder, "empirical", empirical);
}

static void measuring_changes_no_bit_of_training(void **folder) {
    static const char *const none[] = {"fisher.probes=0", "measures=[]", "eval.every=3", NULL};
    static const char *const much[] = {"fisher.estimator=exact", "eval.norm=refreshed", NULL};
    struct trial some = trial_of(*folder, NULL), few = trial_of(*folder, none),
                 all = trial_of(*folder, much);
    struct attempt a = attempt_in(*folder, "some"), b = attempt_in(*folder, "few"),
                   c = attempt_in(*folder, "all");
    attempt_run(&a, &some, STATUS_OK);
    attempt_run(&b, &few, STATUS_OK);
    attempt_run(&c, &all, STATUS_OK);
    same_states(&a, &b, &some);
    same_states(&a, &c, &some);
    trial_free(&some);
    trial_free(&few);
    trial_free(&all);
}

static void equal_keys_give_equal_bits(void **folder) {
    static const char *const other[] = {
        "train.epochs={total: 7}", "train.lr={base: 0.05, schedule: exponential, gamma: 0.9}",
        "deficits=[{type: vflip, from: 2, until: 2}, {type: blur, kernel: area, factor: 4, from: 0,"
        " until: onset+3}]",
        NULL};
    struct trial a = trial_of(*folder, NULL), b = trial_of(*folder, other);
    struct attempt x = attempt_in(*folder, "spelled-a"), y = attempt_in(*folder, "spelled-b");
    assert_string_equal(a.timeline.key[7], b.timeline.key[7]);
    attempt_run(&x, &a, STATUS_OK);
    attempt_run(&y, &b, STATUS_OK);
    same_states(&x, &y, &a);
    trial_free(&a);
    trial_free(&b);
}

static void flip_byte(const char *path, long from_end) {
    FILE *f = fopen(path, "r+b");
    assert_non_null(f);
    fseek(f, -from_end, SEEK_END);
    int byte = fgetc(f);
    fseek(f, -1, SEEK_CUR);
    fputc(byte ^ 1, f);
    fclose(f);
}

static void a_damaged_state_is_not_trusted(void **folder) {
    struct trial t = trial_of(*folder, NULL);
    struct attempt a = attempt_in(*folder, "damaged"), b = attempt_in(*folder, "undamaged");
    char state[FIXTURE_TEXT];
    static const int64_t keep[] = {3};
    a.keep = keep;
    a.keep_n = 1;
    attempt_run(&a, &t, STATUS_OK);
    final_state(state, &a, &t);
    struct h5_reader *r;
    assert_int_equal(h5_open(&r, state, NULL), 0);
    assert_int_equal(h5_check_digest(r, NULL), 0);
    h5_close(r);
    for (long from_end = 1; from_end < 4000; from_end += 97) flip_byte(state, from_end);
    assert_int_equal(attempt_run(&a, &t, STATUS_OK).epochs_trained, 4); /* from the kept one */
    attempt_run(&b, &t, STATUS_OK);
    same_states(&a, &b, &t);
    trial_free(&t);
}

static void a_run_that_diverges_says_so_and_keeps_its_log(void **folder) {
    static const char *const wild[] = {"train.lr.base=1000", "train.optimizer.weight_decay=1",
                                       NULL};
    struct trial t = trial_of(*folder, wild);
    struct attempt a = attempt_in(*folder, "wild");
    struct run_outcome out = attempt_run(&a, &t, STATUS_DIVERGED);
    struct h5_reader *r;
    double final;
    assert_int_equal(h5_open(&r, out.log, NULL), 0);
    char *status = h5_attr_text(r, "/", "status");
    assert_string_equal(status, "diverged");
    assert_int_equal(h5_get_doubles(r, "final/test_accuracy", &final, NULL), 0);
    assert_true(isnan(final));
    assert_int_equal(h5_check_digest(r, NULL), 0);
    free(status);
    h5_close(r);
    trial_free(&t);
}

static void a_finished_log_is_recognized_and_a_damaged_one_is_not(void **folder) {
    struct trial t = trial_of(*folder, NULL);
    struct attempt a = attempt_in(*folder, "finished");
    assert_false(run_is_finished(a.root, "tiny", &t.timeline));
    a.stop_after = 2;
    struct run_outcome out = attempt_run(&a, &t, STATUS_INTERRUPTED);
    assert_false(run_is_finished(a.root, "tiny", &t.timeline));
    a.stop_after = 0;
    attempt_run(&a, &t, STATUS_OK);
    assert_true(run_is_finished(a.root, "tiny", &t.timeline));
    struct h5_reader *r;
    assert_int_equal(h5_open(&r, out.log, NULL), 0);
    h5_close(r);
    for (long from_end = 1; from_end < 20000; from_end += 61) flip_byte(out.log, from_end);
    assert_false(run_is_finished(a.root, "tiny", &t.timeline));
    trial_free(&t);
}

static void only_marked_states_stay_on_disk(void **folder) {
    static const int64_t keep[] = {2, 5};
    struct trial t = trial_of(*folder, NULL);
    struct attempt a = attempt_in(*folder, "kept");
    struct store store;
    a.keep = keep;
    a.keep_n = 2;
    attempt_run(&a, &t, STATUS_OK);
    store_at(&store, a.root);
    for (int64_t e = 0; e <= 7; e++)
        assert_int_equal(store_find(&store, &t.timeline, e),
                         e == 2 || e == 5 || e == 7 ? STORED_KEPT : STORED_NOT);
    assert_int_equal(files_in(store.parts), 0);
    trial_free(&t);
}

/* ---- a sweep as a tree ---- */

static const char sweep[] = "sweep:\n"
                            "  axes:\n"
                            "    t0: {key: \"deficits[0].until\", values: [0, 1, 3, 6]}\n"
                            "    seed: [1, 2]\n";

/* With its experiment, which it refers to. */
static struct tree tree_of(const char *folder, const char *root, const char *const *overrides) {
    char yaml[FIXTURE_TEXT];
    struct tree t;
    struct error e = {0};
    struct tree_options o = {.root = root, .reuse = true, .share = true};
    snprintf(yaml, sizeof yaml, "%s%s", tiny, sweep);
    struct experiment *x = experiment_of(folder, yaml, overrides);
    if (tree_create(&t, x, &o, &e)) fail_msg("%s", e.text);
    return t;
}

static void tree_drop(struct tree *t) {
    experiment_free((struct experiment *)t->experiment);
    tree_free(t);
}

/* Train a run of a tree as a launcher would; or alone, from scratch. */
static struct run_outcome tree_train(struct tree *t, size_t i, struct attempt *a, bool alone) {
    struct trial trial = {.timeline = t->runs[i].timeline};
    struct dataset *d;
    assert_int_equal(tree_config(t, i, &trial.config, NULL), 0);
    assert_int_equal(tree_data(t, i, &d, NULL), 0);
    trial.data = *d;
    a->no_reuse = alone;
    a->keep = t->runs[i].keep;
    a->keep_n = alone ? 0 : t->runs[i].keep_n;
    struct run_outcome out = attempt_run(a, &trial, STATUS_OK);
    config_free(&trial.config);
    return out;
}

static void a_removal_sweep_trains_its_trunk_once(void **folder) {
    struct attempt a = attempt_in(*folder, "tree");
    struct tree t = tree_of(*folder, a.root, NULL);
    /* per seed: a trunk of 6 epochs and 4 after each of 4 removals; t0 = 0 is the clean twin */
    assert_int_equal(t.points_n, 8);
    assert_int_equal(t.runs_n, 8);
    assert_int_equal(tree_epochs(&t), 2 * (6 + 4 * 4));
    assert_int_equal(tree_epochs_alone(&t), 2 * (4 + 5 + 7 + 10));
    for (size_t i = 0; i < 8; i++) assert_int_equal(t.points[i].role[ROLE_TWIN], i % 2);
    /* segments: to state 0, [0,1) [1,3) [3,10) of the trunk, three branches of 4 */
    int64_t epochs = 0;
    assert_int_equal(t.segments_n, 2 * 7);
    for (size_t i = 0; i < t.segments_n; i++) epochs += t.segments[i].until - t.segments[i].from;
    assert_int_equal(epochs, tree_epochs(&t));
    tree_drop(&t);
}

static const char *const onsets[] = {"deficits[0].from=0,2,5", "deficits[0].until=onset+1",
                                     "train.epochs={total: 7}", NULL};

/* A window of one epoch at onsets 0, 2 and 5 of 7: the clean run is the trunk. */
static void an_onset_sweep_leaves_the_clean_run_at_each_onset(void **folder) {
    struct attempt a = attempt_in(*folder, "onsets");
    struct tree t = tree_of(*folder, a.root, onsets);
    assert_int_equal(t.points_n, 2 * 3);
    assert_int_equal(t.runs_n, 2 * 4);
    assert_int_equal(tree_epochs(&t), 2 * (7 + (7 - 0) + (7 - 2) + (7 - 5)));
    tree_drop(&t);
}

static void assert_tree_equals_its_runs_alone(const char *folder, const char *name,
                                              const char *const *overrides) {
    struct attempt shared = attempt_in(folder, name);
    struct tree t = tree_of(folder, shared.root, overrides);
    int64_t trained = 0;
    for (size_t k = 0; k < t.runs_n; k++) {
        size_t i = t.order[k];
        char other[64];
        snprintf(other, sizeof other, "%s-alone-%zu", name, i);
        struct attempt alone = attempt_in(folder, other);
        struct run_outcome a = tree_train(&t, i, &shared, false);
        struct run_outcome b = tree_train(&t, i, &alone, true);
        assert_int_equal(b.epochs_trained, t.runs[i].timeline.total);
        same_files(a.log, b.log, log_groups);
        trained += a.epochs_trained;
    }
    assert_int_equal(trained, tree_epochs(&t));
    tree_drop(&t);
    struct tree again = tree_of(folder, shared.root, overrides);
    assert_int_equal(tree_epochs(&again), 0);
    tree_drop(&again);
}

/* One after a deficit of 3 epochs, with none, with a stabilizer before the removal, and after it. */
static const char *const remedies[] = {
    "sweep.axes.t0={key: \"deficits[0].until\", values: [3]}", "sweep.axes.seed=[1]",
    "sweep.axes.remedy={none: {stabilizers: []}, early: {stabilizers: [{type: weight_decay, "
    "lambda: "
    "0.01, until: removal}]}, late: {stabilizers: [{type: weight_decay, lambda: 0.01, from: "
    "removal}, {type: shrink_perturb, from: removal+1}]}}",
    NULL};

static void a_late_stabilizer_leaves_the_trunk_at_its_window(void **folder) {
    struct attempt a = attempt_in(*folder, "remedies");
    struct tree t = tree_of(*folder, a.root, remedies);
    assert_int_equal(t.points_n, 3);
    assert_int_equal(t.runs_n, 4);
    assert_int_equal(tree_epochs(&t), 7 + 7 + 4 + 4); /* none, early, late, the clean twin */
    for (size_t i = 1; i < 3; i++)
        assert_int_equal(t.points[i].role[ROLE_TWIN], t.points[0].role[ROLE_TWIN]);
    tree_drop(&t);
}

static void a_tree_trained_in_order_equals_its_runs_alone(void **folder) {
    assert_tree_equals_its_runs_alone(*folder, "removals", NULL);
    assert_tree_equals_its_runs_alone(*folder, "windows", onsets);
    assert_tree_equals_its_runs_alone(*folder, "stabilized", remedies);
}

/* A trunk that was stopped halfway has left one state; a run that leaves it earlier trains its own
 * way there, and the plan says so. */
static void a_plan_counts_what_the_disk_does_not_have(void **folder) {
    static const char *const longest[] = {"deficits[0].until=6", NULL};
    struct attempt a = attempt_in(*folder, "halfway");
    struct trial trunk = trial_of(*folder, longest);
    a.stop_after = 5;
    attempt_run(&a, &trunk, STATUS_INTERRUPTED);
    a.stop_after = 0;
    struct tree t = tree_of(*folder, a.root, NULL);
    /* seed 1: 10 - 5 of the trunk, 3 + 4 to leave at 3, 4 from its state at 1, 4 clean */
    assert_int_equal(tree_epochs(&t), 5 + 7 + 4 + 4 + (6 + 4 * 4));
    int64_t trained = 0;
    for (size_t k = 0; k < t.runs_n; k++)
        trained += tree_train(&t, t.order[k], &a, false).epochs_trained;
    assert_int_equal(trained, tree_epochs(&t));
    tree_drop(&t);
    trial_free(&trunk);
}

/* Another measure: the same states, which stay as they are, and new rows for all of them. */
static void another_measure_trains_again_and_changes_no_state(void **folder) {
    static const char *const more[] = {"measures=[]", NULL};
    struct attempt a = attempt_in(*folder, "measured");
    struct store store;
    store_at(&store, a.root);
    for (int i = 0; i < 2; i++) {
        struct tree t = tree_of(*folder, a.root, i ? more : NULL);
        assert_int_equal(tree_epochs(&t), 2 * (6 + 4 * 4));
        for (size_t k = 0; k < t.runs_n; k++) tree_train(&t, t.order[k], &a, false);
        if (i == 0) files_age(store.states);
        tree_drop(&t);
    }
    assert_int_equal(files_in(store.states), 2 * 6); /* 1, 3 and four ends */
    assert_int_equal(files_young(store.states), 0);
    assert_int_equal(files_in(store.rows), 2 * 2 * 6);
    assert_int_equal(files_in(store.parts), 0);
}

/* A state of this key but of other bits is an alarm, never overwritten. */
static void training_must_arrive_at_a_kept_state_again(void **folder) {
    struct trial t = trial_of(*folder, NULL);
    struct attempt a = attempt_in(*folder, "alarm");
    char path[FIXTURE_TEXT];
    attempt_run(&a, &t, STATUS_OK);
    final_state(path, &a, &t);
    struct h5_writer *w = h5_create(path);
    h5_put_attr_text(w, "/", "prefix_key", t.timeline.key[7]);
    assert_int_equal(h5_commit(w, false, NULL), 0);
    a.no_reuse = true;
    attempt_run(&a, &t, STATUS_FAILED);
    struct h5_reader *r;
    assert_int_equal(h5_open_sealed(&r, path, NULL), 0);
    assert_false(h5_has(r, "buffers/norm1.running_mean"));
    h5_close(r);
    trial_free(&t);
}

/* One that was put under another's name is no state of that key: neither used nor kept. */
static void a_state_under_another_name_is_trained_again(void **folder) {
    static const char *const other[] = {"train.lr.base=0.06", NULL};
    static const char *const wider[] = {"net.fc=16", NULL};
    struct trial t = trial_of(*folder, NULL);
    struct attempt b = attempt_in(*folder, "its-own-name");
    attempt_run(&b, &t, STATUS_OK);
    for (int i = 0; i < 2; i++) {
        struct attempt a = attempt_in(*folder, i ? "misplaced-shape" : "misplaced");
        struct trial u = trial_of(*folder, i ? wider : other);
        char ours[FIXTURE_TEXT], theirs[FIXTURE_TEXT];
        attempt_run(&a, &t, STATUS_OK);
        attempt_run(&a, &u, STATUS_OK);
        final_state(ours, &a, &t);
        final_state(theirs, &a, &u);
        assert_int_equal(rename(theirs, ours), 0);
        assert_int_equal(attempt_run(&a, &t, STATUS_OK).epochs_trained, 7);
        same_states(&a, &b, &t);
        trial_free(&u);
    }
    trial_free(&t);
}

static void an_extended_run_goes_on_from_its_last_state(void **folder) {
    static const char *const more[] = {"train.epochs={total: 9}", NULL};
    struct trial t = trial_of(*folder, NULL), longer = trial_of(*folder, more);
    struct attempt a = attempt_in(*folder, "extended"), b = attempt_in(*folder, "extended-alone");
    assert_int_equal(attempt_run(&a, &t, STATUS_OK).epochs_trained, 7);
    struct run_outcome on = attempt_run(&a, &longer, STATUS_OK);
    assert_int_equal(on.epochs_trained, 2);
    assert_int_equal(on.started_from, 7);
    same_files(on.log, attempt_run(&b, &longer, STATUS_OK).log, log_groups);
    trial_free(&t);
    trial_free(&longer);
}

/* In segments, as jobs of a cluster train it. */
static void a_run_in_segments_is_the_run(void **folder) {
    struct trial t = trial_of(*folder, NULL);
    struct attempt a = attempt_in(*folder, "segments"), b = attempt_in(*folder, "in-one-go");
    a.until = 2;
    assert_int_equal(attempt_run(&a, &t, STATUS_OK).epochs_trained, 2);
    assert_false(run_is_finished(a.root, "tiny", &t.timeline));
    a.until = 5;
    assert_int_equal(attempt_run(&a, &t, STATUS_OK).epochs_trained, 3);
    a.until = 0;
    struct run_outcome x = attempt_run(&a, &t, STATUS_OK), y = attempt_run(&b, &t, STATUS_OK);
    assert_int_equal(x.epochs_trained, 2);
    same_files(x.log, y.log, log_groups);
    same_states(&a, &b, &t);
    trial_free(&t);
}

/* ---- the golden run ---- */

/* The digest of the tiny run's parameters, per numerics id. A new id is printed, to be added by hand;
 * a known id with another digest means that results changed: bump NUMERICS. */
static const struct {
    const char *numerics, *digest;
} golden[] = {
#include "tests/fixtures/golden.inc"
    {NULL, NULL}};

static void digest_params(const char *path, char digest[HASH_TEXT]) {
    struct h5_reader *r;
    struct hash *h = hash_create();
    size_t n;
    assert_int_equal(h5_open_sealed(&r, path, NULL), 0);
    char **names = h5_list(r, "params", &n);
    for (size_t i = 0; i < n; i++) {
        char name[FIXTURE_TEXT];
        snprintf(name, sizeof name, "params/%s", names[i]);
        size_t count = length_of(r, name);
        double *v = calloc(count + 1, sizeof *v);
        if (h5_kind(r, name, NULL) == H5_FLOATS) {
            assert_int_equal(h5_get_doubles(r, name, v, NULL), 0);
            hash_text(h, names[i]);
            for (size_t k = 0; k < count; k++) hash_real(h, v[k]);
        }
        free(v);
        free(names[i]);
    }
    free(names);
    hash_digest(h, digest);
    hash_free(h);
    h5_close(r);
}

static void the_golden_run_has_not_changed(void **folder) {
    struct trial t = trial_of(*folder, NULL);
    struct attempt a = attempt_in(*folder, "golden");
    char path[FIXTURE_TEXT], id[HASH_TEXT], digest[HASH_TEXT];
    attempt_run(&a, &t, STATUS_OK);
    final_state(path, &a, &t);
    digest_params(path, digest);
    trial_free(&t);
    numerics_id(id);
    size_t i = 0;
    const size_t known = sizeof golden / sizeof *golden - 1;
    while (i < known && strcmp(golden[i].numerics, id)) i++;
    if (i == known) {
        print_message("no golden digest for this build and machine: {\"%s\", \"%s\"},\n", id,
                      digest);
        skip();
        return;
    }
    if (strcmp(golden[i].digest, digest))
        fail_msg("the tiny run's state is %s, not %s: bump NUMERICS in sim/numerics.h", digest,
                 golden[i].digest);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_killed_run_goes_on_from_what_was_saved),
        cmocka_unit_test(every_net_stopped_anywhere_and_resumed_equals_never_stopped),
        cmocka_unit_test(a_forked_run_is_the_run_from_scratch),
        cmocka_unit_test(threads_do_not_change_a_bit),
        cmocka_unit_test(measuring_changes_no_bit_of_training),
        cmocka_unit_test(equal_keys_give_equal_bits),
        cmocka_unit_test(a_damaged_state_is_not_trusted),
        cmocka_unit_test(a_run_that_diverges_says_so_and_keeps_its_log),
        cmocka_unit_test(a_finished_log_is_recognized_and_a_damaged_one_is_not),
        cmocka_unit_test(only_marked_states_stay_on_disk),
        cmocka_unit_test(a_removal_sweep_trains_its_trunk_once),
        cmocka_unit_test(an_onset_sweep_leaves_the_clean_run_at_each_onset),
        cmocka_unit_test(a_late_stabilizer_leaves_the_trunk_at_its_window),
        cmocka_unit_test(a_tree_trained_in_order_equals_its_runs_alone),
        cmocka_unit_test(a_plan_counts_what_the_disk_does_not_have),
        cmocka_unit_test(another_measure_trains_again_and_changes_no_state),
        cmocka_unit_test(training_must_arrive_at_a_kept_state_again),
        cmocka_unit_test(a_state_under_another_name_is_trained_again),
        cmocka_unit_test(an_extended_run_goes_on_from_its_last_state),
        cmocka_unit_test(a_run_in_segments_is_the_run),
        cmocka_unit_test(the_golden_run_has_not_changed),
    };
    return cmocka_run_group_tests(tests, folder_make, folder_remove);
}
