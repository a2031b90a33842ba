/* `imprint clean` over sweeps that were trained in part, for real: what may go goes, what is needed
 * stays. The property behind all of it: no unfinished run has more epochs to train than before. */
#include <dirent.h>

#include "base/rng.h"
#include "base/system.h"
#include "sim/clean.h"
#include "sim/numerics.h"
#include "tests/sweep_fixture.h"

/* What clean says, in memory; the caller frees it. */
static char *clean_text(const struct sweep *s, const char *keep, bool dry_run, int expected,
                        struct error *e) {
    char *text = NULL;
    size_t n;
    struct clean_options o = {.dry_run = dry_run, .keep = keep};
    FILE *out = open_memstream(&text, &n);
    int status = clean_results(s->root, &o, out, e);
    fclose(out);
    if (status != expected) fail_msg("status %d, not %d: %s%s", status, expected, text, e->text);
    return text;
}

static void clean_says(const struct sweep *s, const char *keep, const char *words) {
    struct error e = {0};
    char *text = clean_text(s, keep, false, STATUS_OK, &e);
    assert_says(text, words);
    free(text);
}

static void clean_refuses(const struct sweep *s, const char *keep, int expected,
                          const char *words) {
    struct error e = {0};
    char *text = clean_text(s, keep, false, expected, &e);
    assert_string_equal(text, "");
    free(text);
    assert_says(e.text, words);
}

/* A folder of this program's numerics id. */
static void folder_of(char path[FIXTURE_TEXT], const struct sweep *s, const char *kind) {
    char id[HASH_TEXT];
    numerics_id(id);
    snprintf(path, FIXTURE_TEXT, "%.3200s/%s/%s", s->root, kind, id);
}

static size_t files_of(const struct sweep *s, const char *kind) {
    char path[FIXTURE_TEXT];
    size_t n = 0;
    folder_of(path, s, kind);
    DIR *d = opendir(path);
    for (struct dirent *f; d && (f = readdir(d));) n += f->d_name[0] != '.';
    if (d) closedir(d);
    return n;
}

static bool exists(const char *path) {
    return !access(path, F_OK);
}

static size_t run_of(const struct sweep *s, size_t place) {
    return s->tree.order[place];
}

/* ---- finished sweeps ---- */

static void after_it_a_finished_sweep_is_still_finished(void **folder) {
    struct sweep s = sweep_plan(*folder, "finished", small, NULL);
    sweep_train_all(&s);
    assert_int_equal(files_of(&s, "states"), 4);
    clean_says(&s, NULL, "freed 8 files");
    assert_int_equal(files_of(&s, "states") + files_of(&s, "rows") + files_of(&s, "parts"), 0);
    assert_int_equal(sweep_finished(&s), 3);
    assert_int_equal(sweep_epochs(&s), 0);
    clean_says(&s, NULL, "freed 0 files, 0.0 MiB\n");
    sweep_free(&s);
}

static void it_says_that_extended_runs_would_start_from_scratch(void **folder) {
    struct sweep s = sweep_plan(*folder, "warned", small, NULL);
    struct error e = {0};
    sweep_train_all(&s);
    clean_says(&s, "final", "stays: 3 states that finished runs ended in (--keep final)");
    clean_says(&s, NULL,
               "3 of the states are the last of a finished run: extending these runs would train "
               "them from scratch; --keep final keeps their last states");
    char *text = clean_text(&s, NULL, false, STATUS_OK, &e);
    assert_says_not(text, "extending");
    free(text);
    sweep_free(&s);
}

static void
with_the_last_states_kept_an_extended_sweep_trains_the_added_epochs_only(void **folder) {
    static const char *const longer[] = {"train.epochs.after_removal=5", NULL};
    struct sweep s = sweep_plan(*folder, "extended", small, NULL);
    sweep_train_all(&s);
    clean_says(&s, "final", "freed 1 file");
    struct sweep t = sweep_plan(*folder, "extended", small, longer);
    assert_int_equal(tree_epochs(&t.tree), 3 * 2);
    int64_t trained = 0;
    for (size_t i = 0; i < 3; i++) trained += sweep_train(&t, run_of(&t, i), 0);
    assert_int_equal(trained, 3 * 2);
    sweep_free(&s);
    sweep_free(&t);
}

static void states_of_the_epochs_asked_for_stay_and_can_be_branched_from(void **folder) {
    static const char *const branch[] = {"removal=2", "train.epochs.after_removal=4", NULL};
    struct sweep s = sweep_plan(*folder, "epochs", small, NULL);
    sweep_train_all(&s);
    clean_says(&s, "2,99", "stays: 1 state of the epochs to keep (--keep)");
    assert_int_equal(files_of(&s, "states"), 1);
    assert_int_equal(files_of(&s, "rows"), 1);
    struct sweep t = sweep_plan(*folder, "epochs", small, branch);
    assert_int_equal(t.tree.runs[0].start, 2);
    sweep_free(&s);
    sweep_free(&t);
}

/* ---- unfinished ones ---- */

/* The trunk went past the state that it kept for a run which is finished now: the state may go, the
 * rows before the part not. */
static void rows_before_a_part_in_progress_stay(void **folder) {
    struct sweep s = sweep_plan(*folder, "chain", small, NULL);
    sweep_train(&s, run_of(&s, 0), 3);
    sweep_train(&s, run_of(&s, 1), 0);
    sweep_train(&s, run_of(&s, 2), 0);
    struct sweep t = sweep_plan(*folder, "chain", small, NULL);
    clean_says(&t, NULL, "stays: 2 parts, which belong to runs in progress");
    assert_int_equal(files_of(&t, "states"), 0);
    assert_int_equal(files_of(&t, "rows"), 1);
    assert_int_equal(sweep_epochs(&t), 4);
    assert_int_equal(sweep_train(&t, run_of(&t, 0), 0), 4);
    sweep_free(&s);
    sweep_free(&t);
}

static void the_state_that_a_pending_run_starts_from_stays(void **folder) {
    struct sweep s = sweep_plan(*folder, "fork", small, NULL);
    sweep_train(&s, run_of(&s, 0), 0);
    sweep_train(&s, run_of(&s, 2), 0);
    clean_says(&s, NULL, "stays: 1 state that unfinished runs start from");
    assert_int_equal(files_of(&s, "states"), 1);
    assert_int_equal(sweep_train(&s, run_of(&s, 1), 0), 3);
    clean_says(&s, NULL, "freed 4 files"); /* and now nobody needs it */
    sweep_free(&s);
}

/* Killed between the last state and the log: the epochs are there, only the log is not. */
static void the_last_state_of_a_run_without_its_log_stays(void **folder) {
    struct sweep s = sweep_plan(*folder, "logless", small, NULL);
    char log[FIXTURE_TEXT];
    sweep_train_all(&s);
    sweep_file(log, &s, run_of(&s, 0), ".h5");
    assert_int_equal(unlink(log), 0);
    assert_int_equal(sweep_epochs(&s), 0);
    clean_says(&s, NULL, "stays: 1 state that unfinished runs may pass");
    assert_int_equal(sweep_epochs(&s), 0);
    assert_int_equal(sweep_train(&s, run_of(&s, 0), 0), 0);
    sweep_free(&s);
}

static void what_another_experiment_left_on_the_path_of_an_unfinished_run_stays(void **folder) {
    static const char *const longer[] = {"experiment=other", "removal=3,6", NULL};
    struct sweep s = sweep_plan(*folder, "shared", small, NULL);
    struct sweep t = sweep_plan(*folder, "shared", small, longer); /* planned before 3 is there */
    struct sweep u = sweep_plan(*folder, "shared", small,
                                (const char *const[]){"experiment=third", "removal=3,5", NULL});
    sweep_train_all(&u);
    int64_t before = sweep_epochs(&t);
    assert_true(before < tree_epochs(&t.tree));
    clean_says(&s, NULL, "stays: ");
    assert_int_equal(sweep_epochs(&t), before);
    sweep_free(&s);
    sweep_free(&t);
    sweep_free(&u);
}

static void other_initializations_free_their_states_while_a_run_is_unfinished(void **folder) {
    static const char *const second[] = {"experiment=other", "seed=2", NULL};
    struct sweep s = sweep_plan(*folder, "seeds", small, NULL);
    struct sweep t = sweep_plan(*folder, "seeds", small, second);
    sweep_train(&s, run_of(&s, 0), 1);
    sweep_train_all(&t);
    clean_says(&s, NULL, "(4 states, 4 row files)");
    sweep_free(&s);
    sweep_free(&t);
}

/* `imprint run --until 2`: no plan knows the state it kept. */
static void a_single_run_that_was_stopped_keeps_its_state(void **folder) {
    struct sweep s = sweep_plan(*folder, "single", small, NULL);
    char plan[FIXTURE_TEXT + 96];
    sweep_train_all(&s);
    sweep_free(&s);
    s = sweep_plan(*folder, "single", small, (const char *const[]){"seed=2", NULL});
    sweep_train(&s, run_of(&s, 0), 2); /* it keeps state 2 */
    snprintf(plan, sizeof plan, "%s/plan.tsv", s.folder);
    assert_int_equal(unlink(plan), 0);
    int64_t before = sweep_epochs(&s);
    clean_says(&s, NULL, "1 run is unfinished");
    assert_int_equal(sweep_epochs(&s), before);
    assert_int_equal(sweep_train(&s, run_of(&s, 0), 0), 5);
    sweep_free(&s);
}

static void a_failed_run_is_unfinished(void **folder) {
    struct sweep s = sweep_plan(*folder, "failed", small, NULL);
    char path[FIXTURE_TEXT];
    sweep_train(&s, run_of(&s, 0), 3);
    sweep_file(path, &s, run_of(&s, 0), ".error");
    text_to_file(path, "the disk is full\n");
    int64_t before = sweep_epochs(&s);
    clean_says(&s, NULL, "3 runs are unfinished");
    assert_int_equal(sweep_epochs(&s), before);
    assert_true(exists(path));
    sweep_free(&s);
}

/* ---- the property ---- */

/* One thing that happens to a results folder. */
static void something_happens(struct sweep *s, struct rng *r) {
    size_t run = rng_below(r, (uint32_t)s->tree.runs_n);
    char log[FIXTURE_TEXT];
    switch (rng_below(r, 8)) {
    case 0: /* killed after the last state, or somebody removed a log */
        sweep_file(log, s, run, ".h5");
        unlink(log);
        break;
    case 1: /* planned again */ {
        struct error e = {0};
        struct tree_options o = {.root = s->root, .reuse = true, .share = true};
        tree_free(&s->tree);
        assert_int_equal(tree_create(&s->tree, s->experiment, &o, &e), 0);
        assert_int_equal(tree_write(&s->tree, s->folder, &e), 0);
        break;
    }
    case 2:
    case 3:
        sweep_train(s, run, 1 + rng_below(r, 6));
        break;
    default:
        sweep_train(s, run, 0);
    }
}

/* Sweeps that share trunks (and some that do not), in one results folder. */
static void no_sweep_has_more_epochs_to_train_than_before(void **folder) {
    static const char *const overrides[][4] = {
        {"removal=0,2,4", "seed=1,2", NULL},
        {"experiment=second", "removal=1,3,5", NULL},
        {"experiment=third", "removal=0", "train.epochs.after_removal=6", NULL},
        {"experiment=fourth", "removal=2,6", "seed=2,3", NULL}};
    enum { SWEEPS = sizeof overrides / sizeof *overrides, TRIALS = 10, EVENTS = 16 };
    int64_t epochs_before = 0, files_gone = 0;
    for (uint32_t trial = 0; trial < TRIALS; trial++) {
        struct sweep s[SWEEPS];
        char name[32];
        struct rng r = rng_stream(1, "clean", trial, 0);
        snprintf(name, sizeof name, "random%u", trial);
        for (size_t i = 0; i < SWEEPS; i++) s[i] = sweep_plan(*folder, name, small, overrides[i]);
        for (size_t k = 0; k < EVENTS; k++) something_happens(&s[rng_below(&r, SWEEPS)], &r);
        int64_t before[SWEEPS];
        size_t files = files_of(s, "states") + files_of(s, "rows") + files_of(s, "parts");
        for (size_t i = 0; i < SWEEPS; i++) epochs_before += before[i] = sweep_epochs(&s[i]);
        clean_says(s, NULL, "freed ");
        for (size_t i = 0; i < SWEEPS; i++)
            if (sweep_epochs(&s[i]) > before[i])
                fail_msg("trial %u, sweep %zu: %lld epochs, %lld before", trial, i,
                         (long long)sweep_epochs(&s[i]), (long long)before[i]);
        files_gone +=
            (int64_t)(files - files_of(s, "states") - files_of(s, "rows") - files_of(s, "parts"));
        for (size_t i = 0; i < SWEEPS; i++) sweep_free(&s[i]);
    }
    print_message("%lld epochs were to be trained, %lld files went\n", (long long)epochs_before,
                  (long long)files_gone);
    assert_true(epochs_before > 100 && files_gone > 40);
}

/* ---- what it must not touch ---- */

static void nothing_goes_while_a_process_is_at_work(void **folder) {
    struct sweep s = sweep_plan(*folder, "busy", small, NULL);
    struct error e = {0};
    char who[64];
    sweep_train_all(&s);
    struct claim *claim = sweep_claim(&s, run_of(&s, 0));
    snprintf(who, sizeof who, ": process %ld on ", (long)getpid());
    clean_refuses(&s, NULL, STATUS_FAILED, who);
    char *text = clean_text(&s, NULL, true, STATUS_OK, &e);
    assert_says(text, "would free");
    assert_says(text, "not now: process ");
    free(text);
    assert_int_equal(files_of(&s, "states"), 4);
    claim_release(claim);
    clean_says(&s, NULL, "freed 8 files");
    sweep_free(&s);
}

static void a_dry_run_removes_nothing_and_says_what_would_go(void **folder) {
    struct sweep s = sweep_plan(*folder, "dry", small, NULL);
    struct error e = {0};
    sweep_train_all(&s);
    sweep_claim_and_die(&s, run_of(&s, 0));
    char *text = clean_text(&s, NULL, true, STATUS_OK, &e);
    assert_says(text, "would free 9 files");
    assert_says(text, "(4 states, 4 row files, 1 stale claim)");
    free(text);
    assert_int_equal(files_of(&s, "states"), 4);
    assert_int_equal(files_of(&s, "rows"), 4);
    assert_int_equal(files_of(&s, "claims"), 1);
    clean_says(&s, NULL, "(4 states, 4 row files, 1 stale claim)");
    assert_int_equal(files_of(&s, "claims"), 0);
    sweep_free(&s);
}

static void files_of_the_user_stay_and_are_named(void **folder) {
    struct sweep s = sweep_plan(*folder, "mine", small, NULL);
    struct error e = {0};
    char path[FIXTURE_TEXT], notes[FIXTURE_TEXT + 64], link[FIXTURE_TEXT + 64],
        report[FIXTURE_TEXT + 96];
    sweep_train_all(&s);
    folder_of(path, &s, "states");
    snprintf(notes, sizeof notes, "%s/best-net.h5", path);
    text_to_file(notes, "mine");
    snprintf(link, sizeof link, "%s/0123456789abcdef0123456789abcdef.h5", path);
    assert_int_equal(symlink(notes, link), 0);
    snprintf(report, sizeof report, "%s/report.html", s.folder);
    text_to_file(report, "a report");
    char *text = clean_text(&s, NULL, false, STATUS_OK, &e);
    assert_says(text, "best-net.h5: no file of imprint's; it stays\n");
    assert_says(text, "0123456789abcdef0123456789abcdef.h5: no file of imprint's; it stays\n");
    free(text);
    assert_true(exists(notes) && exists(link) && exists(report));
    assert_int_equal(files_of(&s, "states"), 2);
    assert_int_equal(sweep_finished(&s), 3);
    sweep_free(&s);
}

static void it_covers_every_numerics_id(void **folder) {
    struct sweep s = sweep_plan(*folder, "ids", small, NULL);
    char path[FIXTURE_TEXT], command[3 * FIXTURE_TEXT];
    sweep_train_all(&s);
    folder_of(path, &s, "states");
    snprintf(command, sizeof command, "cp -r '%s' '%.3200s/states/%s'", path, s.root,
             "0123456789abcdef0123456789abcdef");
    assert_int_equal(system(command), 0);
    clean_says(&s, NULL, "(8 states, 4 row files)");
    sweep_free(&s);
}

static void what_killed_processes_left_goes(void **folder) {
    struct sweep s = sweep_plan(*folder, "killed", small, NULL);
    char error[FIXTURE_TEXT], tmp[FIXTURE_TEXT + 64], place[SYSTEM_PLACE];
    sweep_train_all(&s);
    sweep_file(error, &s, run_of(&s, 0), ".error");
    text_to_file(error, "killed by signal 9\n");
    system_place(place);
    snprintf(tmp, sizeof tmp, "%s.tmp.%s.4194304", error, place); /* no process has this number */
    text_to_file(tmp, "half");
    clean_says(&s, NULL, "1 old error, 1 temporary file)");
    assert_false(exists(error) || exists(tmp));
    sweep_free(&s);
}

/* ---- refusals ---- */

static void a_damaged_plan_is_refused_and_nothing_goes(void **folder) {
    struct sweep s = sweep_plan(*folder, "plan", small, NULL);
    char path[FIXTURE_TEXT + 96];
    sweep_train_all(&s);
    snprintf(path, sizeof path, "%s/plan.tsv", s.folder);
    text_to_file(path, "# imprint plan 1\n");
    clean_refuses(&s, NULL, STATUS_FAILED, "plan.tsv:2: ends too early");
    assert_int_equal(files_of(&s, "states"), 4);
    sweep_free(&s);
}

static void nonsense_to_keep_is_refused(void **folder) {
    static const char *const wrong[] = {"finals", "final,",      "-1",      "1.5",
                                        ",",      "final,,10",   "10 ",     "999999999999999999999",
                                        "0x10",   "final final", "all\n10", " "};
    struct sweep s = sweep_plan(*folder, "keep", small, NULL);
    sweep_train_all(&s);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        clean_refuses(&s, wrong[i], STATUS_USAGE, "is neither 'final' nor an epoch");
    assert_int_equal(files_of(&s, "states"), 4);
    sweep_free(&s);
}

static void folders_that_are_no_results_are_refused(void **folder) {
    struct sweep s = sweep_plan(*folder, "wrong", small, NULL), other = s;
    snprintf(other.root, sizeof other.root, "%.3000s/wrong/absent", (char *)*folder);
    clean_refuses(&other, NULL, STATUS_USAGE, "cannot find it");
    assert_int_equal(mkdir(other.root, 0777), 0);
    clean_refuses(&other, NULL, STATUS_USAGE, "holds no states");
    snprintf(other.root, sizeof other.root, "%.4000s", s.folder);
    clean_refuses(&other, NULL, STATUS_USAGE, "is one experiment");
    snprintf(other.root, sizeof other.root, "%.4000s/plan.tsv", s.folder);
    clean_refuses(&other, NULL, STATUS_USAGE, "is a file");
    sweep_free(&s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(after_it_a_finished_sweep_is_still_finished),
        cmocka_unit_test(it_says_that_extended_runs_would_start_from_scratch),
        cmocka_unit_test(with_the_last_states_kept_an_extended_sweep_trains_the_added_epochs_only),
        cmocka_unit_test(states_of_the_epochs_asked_for_stay_and_can_be_branched_from),
        cmocka_unit_test(rows_before_a_part_in_progress_stay),
        cmocka_unit_test(the_state_that_a_pending_run_starts_from_stays),
        cmocka_unit_test(the_last_state_of_a_run_without_its_log_stays),
        cmocka_unit_test(what_another_experiment_left_on_the_path_of_an_unfinished_run_stays),
        cmocka_unit_test(other_initializations_free_their_states_while_a_run_is_unfinished),
        cmocka_unit_test(a_single_run_that_was_stopped_keeps_its_state),
        cmocka_unit_test(a_failed_run_is_unfinished),
        cmocka_unit_test(no_sweep_has_more_epochs_to_train_than_before),
        cmocka_unit_test(nothing_goes_while_a_process_is_at_work),
        cmocka_unit_test(a_dry_run_removes_nothing_and_says_what_would_go),
        cmocka_unit_test(files_of_the_user_stay_and_are_named),
        cmocka_unit_test(it_covers_every_numerics_id),
        cmocka_unit_test(what_killed_processes_left_goes),
        cmocka_unit_test(a_damaged_plan_is_refused_and_nothing_goes),
        cmocka_unit_test(nonsense_to_keep_is_refused),
        cmocka_unit_test(folders_that_are_no_results_are_refused),
    };
    return cmocka_run_group_tests(tests, folder_make, folder_remove);
}
