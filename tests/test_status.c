/* `imprint status` over sweeps that were trained in part, for real. */
#include <time.h>

#include "base/system.h"
#include "sim/status.h"
#include "tests/sweep_fixture.h"

/* Runs of the small sweep: the plan's order is the longest first. */
static size_t run_of(const struct sweep *s, size_t place) {
    return s->tree.order[place];
}

/* What status says, in memory; the caller frees it. */
static char *status_text(const char *folder, bool quiet, int expected, struct error *e) {
    char *text = NULL;
    size_t n;
    const char *const folders[] = {folder};
    struct status_options o = {.quiet = quiet};
    FILE *out = open_memstream(&text, &n);
    int status = status_print(folders, 1, &o, out, e);
    fclose(out);
    if (status != expected) fail_msg("status %d, not %d: %s%s", status, expected, text, e->text);
    return text;
}

static void says_of(const struct sweep *s, int expected, const char *words) {
    struct error e = {0};
    char *text = status_text(s->folder, false, expected, &e);
    assert_says(text, words);
    free(text);
}

/* The line of a run says this. */
static void run_says(const struct sweep *s, size_t run, int expected, const char *words) {
    struct error e = {0};
    char *text = status_text(s->folder, false, expected, &e), id[16];
    snprintf(id, sizeof id, "%.12s", s->tree.runs[run].timeline.run_id);
    char *line = strstr(text, id);
    if (!line || (line != text && line[-1] != '\n')) fail_msg("no line of %s in:\n%s", id, text);
    *strchr(line, '\n') = '\0';
    assert_says(line, words);
    free(text);
}

static void runs_that_nobody_began_are_pending_or_wait_for_their_parent(void **folder) {
    struct sweep s = sweep_plan(*folder, "begin", small, NULL);
    run_says(&s, run_of(&s, 0), STATUS_OK, "  pending            0/7  main removal=4 seed=1");
    run_says(&s, run_of(&s, 1), STATUS_OK, "  waiting            0/5  main removal=2 seed=1");
    run_says(&s, run_of(&s, 1), STATUS_OK, "(for epoch 2 of ");
    run_says(&s, run_of(&s, 2), STATUS_OK, "  pending            0/3  main removal=0 seed=1");
    says_of(&s, STATUS_OK,
            "small: 0 of 3 runs done, 2 pending, 1 waiting; 0 of 15 epochs, 13 to train\n");
    sweep_free(&s);
}

static void a_stopped_run_is_interrupted_with_its_epochs_and_its_children_may_start(void **folder) {
    struct sweep s = sweep_plan(*folder, "stopped", small, NULL);
    sweep_train(&s, run_of(&s, 0), 1);
    run_says(&s, run_of(&s, 0), STATUS_OK, "  interrupted        1/7  ");
    run_says(&s, run_of(&s, 1), STATUS_OK, "  waiting            0/5  ");
    sweep_train(&s, run_of(&s, 0), 2);
    run_says(&s, run_of(&s, 0), STATUS_OK, "  interrupted        3/7  ");
    run_says(&s, run_of(&s, 1), STATUS_OK, "  pending            2/5  ");
    says_of(&s, STATUS_OK, "5 of 15 epochs, 10 to train; nobody is at work: about ");
    sweep_free(&s);
}

static void a_finished_sweep_is_done_and_has_nothing_to_train(void **folder) {
    struct sweep s = sweep_plan(*folder, "done", small, NULL);
    sweep_train_all(&s);
    says_of(&s, STATUS_OK, "\nsmall: 3 of 3 runs done; 15 of 15 epochs\n");
    sweep_free(&s);
}

static void a_claimed_run_is_running_and_the_time_left_is_told(void **folder) {
    struct sweep s = sweep_plan(*folder, "claimed", small, NULL);
    sweep_train(&s, run_of(&s, 0), 2);
    struct claim *claim = sweep_claim(&s, run_of(&s, 0));
    char who[64];
    snprintf(who, sizeof who, "(process %ld on ", (long)getpid());
    run_says(&s, run_of(&s, 0), STATUS_OK, "  running            2/7  ");
    run_says(&s, run_of(&s, 0), STATUS_OK, who);
    says_of(&s, STATUS_OK, " epochs/s by 1 process, about ");
    claim_release(claim);
    run_says(&s, run_of(&s, 0), STATUS_OK, "  interrupted        2/7  ");
    sweep_free(&s);
}

static void without_any_log_no_time_is_told(void **folder) {
    struct sweep s = sweep_plan(*folder, "unknown", small, NULL);
    struct error e = {0};
    struct claim *claim = sweep_claim(&s, run_of(&s, 0));
    char *text = status_text(s.folder, true, STATUS_OK, &e);
    assert_says(text, "1 running");
    assert_says_not(text, "left");
    assert_says_not(text, "epochs/s");
    free(text);
    claim_release(claim);
    sweep_free(&s);
}

static void a_claim_of_a_process_that_is_gone_is_nobodys(void **folder) {
    struct sweep s = sweep_plan(*folder, "gone", small, NULL);
    sweep_claim_and_die(&s, run_of(&s, 0));
    run_says(&s, run_of(&s, 0), STATUS_OK, "  pending  ");
    sweep_free(&s);
}

static void a_failed_run_says_why_and_the_exit_status_is_3(void **folder) {
    struct sweep s = sweep_plan(*folder, "failed", small, NULL);
    char path[FIXTURE_TEXT];
    sweep_train(&s, run_of(&s, 0), 1);
    sweep_file(path, &s, run_of(&s, 0), ".error");
    text_to_file(path, "the disk\tis full\nmore\n");
    run_says(&s, run_of(&s, 0), STATUS_RUNS_FAILED, "  failed             1/7  ");
    run_says(&s, run_of(&s, 0), STATUS_RUNS_FAILED, ": the disk?is full");
    /* its child need not wait for it: it trains what is missing */
    run_says(&s, run_of(&s, 1), STATUS_RUNS_FAILED, "  pending            0/5  ");
    sweep_free(&s);
}

static void a_done_run_counts_whatever_its_old_error(void **folder) {
    struct sweep s = sweep_plan(*folder, "recovered", small, NULL);
    char path[FIXTURE_TEXT];
    sweep_train(&s, run_of(&s, 2), 0);
    sweep_file(path, &s, run_of(&s, 2), ".error");
    text_to_file(path, "killed by signal 9\n");
    run_says(&s, run_of(&s, 2), STATUS_OK, "  done               3/3  ");
    sweep_free(&s);
}

static void a_log_with_one_flipped_bit_is_damaged(void **folder) {
    struct sweep s = sweep_plan(*folder, "flipped", small, NULL);
    char path[FIXTURE_TEXT];
    sweep_train(&s, run_of(&s, 2), 0);
    sweep_file(path, &s, run_of(&s, 2), ".h5");
    flip_bit(path);
    run_says(&s, run_of(&s, 2), STATUS_RUNS_FAILED, "  damaged            0/3  ");
    run_says(&s, run_of(&s, 2), STATUS_RUNS_FAILED, "do not match its seal");
    sweep_free(&s);
}

static void a_diverged_run_is_shown_with_its_sentence_and_the_exit_status_is_3(void **folder) {
    static const char *const wild[] = {"train.lr.base=1000", "train.optimizer.weight_decay=1",
                                       NULL};
    struct sweep s = sweep_plan(*folder, "wild", small, wild);
    sweep_train(&s, run_of(&s, 2), 0);
    run_says(&s, run_of(&s, 2), STATUS_RUNS_FAILED, "  diverged  ");
    run_says(&s, run_of(&s, 2), STATUS_RUNS_FAILED, "is not finite");
    sweep_free(&s);
}

static void runs_without_a_plan_are_known_by_their_logs(void **folder) {
    struct sweep s = sweep_plan(*folder, "planless", small, NULL);
    char plan[FIXTURE_TEXT + 96];
    sweep_train(&s, run_of(&s, 0), 3);
    sweep_train(&s, run_of(&s, 1), 0);
    snprintf(plan, sizeof plan, "%s/plan.tsv", s.folder);
    assert_int_equal(unlink(plan), 0);
    run_says(&s, run_of(&s, 0), STATUS_OK, "  interrupted        3/7  removal=4 seed=1");
    run_says(&s, run_of(&s, 1), STATUS_OK, "  done               5/5  removal=2 seed=1");
    says_of(&s, STATUS_OK, "small: 1 of 2 runs done, 1 interrupted; 8 of 12 epochs, 4 to train");
    sweep_free(&s);
}

static void runs_of_an_earlier_plan_are_listed_too(void **folder) {
    static const char *const other[] = {"seed=2", NULL};
    struct sweep s = sweep_plan(*folder, "two", small, NULL);
    sweep_train_all(&s);
    struct sweep t = sweep_plan(*folder, "two", small, other);
    run_says(&s, run_of(&s, 0), STATUS_OK, "  done               7/7  removal=4 seed=1");
    says_of(&t, STATUS_OK, "small: 3 of 6 runs done, 2 pending, 1 waiting; 15 of 30 epochs");
    sweep_free(&s);
    sweep_free(&t);
}

static void the_folder_of_all_results_shows_every_experiment(void **folder) {
    static const char *const other[] = {"experiment=other", NULL};
    struct error e = {0};
    struct sweep s = sweep_plan(*folder, "both", small, NULL);
    struct sweep t = sweep_plan(*folder, "both", small, other);
    sweep_train_all(&t);
    char *text = status_text(s.root, true, STATUS_OK, &e);
    /* state 2 belongs to both */
    assert_string_equal(text, "other: 3 of 3 runs done; 15 of 15 epochs\n"
                              "small: 0 of 3 runs done, 3 pending; 2 of 15 epochs, 13 to train\n");
    free(text);
    sweep_free(&s);
    sweep_free(&t);
}

/* Each damage of a plan, by line, and the words that name it. */
static void a_damaged_plan_is_refused_by_its_line_and_hides_no_other_experiment(void **folder) {
#define HEAD "# imprint plan 1\nrun\tepochs\tstart\tstart_key\tparent\ttitle\n"
#define ID   "0123456789abcdef0123456789abcdef"
    static const struct {
        const char *plan, *words;
    } wrong[] = {{"", "plan.tsv:1: ends too early"},
                 {"nonsense\n", "plan.tsv:1: does not begin as a plan"},
                 {"# imprint plan 1\nrun\n", "plan.tsv:2: has other columns"},
                 {HEAD "x\n", "plan.tsv:3: has no title"},
                 {HEAD "../../x\t1\t0\t" ID "\t-\tt\n", "plan.tsv:3: holds something else"},
                 {HEAD ID "\t1\t2\t" ID "\t-\tt\n", "plan.tsv:3: holds something else than epochs"},
                 {HEAD ID "\t-1\t0\t" ID "\t-\tt\n", "plan.tsv:3: holds something else"},
                 {HEAD ID "\t1\t0\t" ID "\t" ID "\tt\n" ID "\t1\t0\t" ID "\t-\tt\n", "twice"},
                 {HEAD ID "\t1\t0\t" ID "\tfedcba9876543210fedcba9876543210\tt\n", "is no run"},
                 {HEAD ID "\t1\t0\t" ID "\t-\tcut", "plan.tsv:3: ends in the middle"}};
    static const char *const other[] = {"experiment=other", NULL};
    struct sweep s = sweep_plan(*folder, "damaged", small, NULL);
    struct sweep t = sweep_plan(*folder, "damaged", small, other);
    char path[FIXTURE_TEXT + 96];
    snprintf(path, sizeof path, "%s/plan.tsv", s.folder);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct error e = {0};
        text_to_file(path, wrong[i].plan);
        free(status_text(s.folder, false, STATUS_FAILED, &e));
        assert_says(e.text, wrong[i].words);
        assert_says(e.text, "start the sweep again");
        char *text = status_text(s.root, true, STATUS_FAILED, &e);
        assert_says(text, "other: 0 of 3 runs done");
        free(text);
    }
    sweep_free(&s);
    sweep_free(&t);
}

static void folders_that_hold_no_runs_are_refused(void **folder) {
    struct error e = {0};
    char path[FIXTURE_TEXT + 16];
    snprintf(path, sizeof path, "%s/absent", (char *)*folder);
    free(status_text(path, false, STATUS_USAGE, &e));
    assert_says(e.text, "cannot find it");
    assert_int_equal(mkdir(path, 0777), 0);
    e.text[0] = '\0';
    free(status_text(path, false, STATUS_USAGE, &e));
    assert_says(e.text, "holds no experiment");
    snprintf(path, sizeof path, "%s/tiny.yaml", (char *)*folder);
    text_to_file(path, "");
    e.text[0] = '\0';
    free(status_text(path, false, STATUS_USAGE, &e));
    assert_says(e.text, "is a file");
}

/* A plan of as many runs, each with a log (links to one). */
static void plan_many(const struct sweep *s, const char *log, int n) {
    char path[FIXTURE_TEXT + 96];
    snprintf(path, sizeof path, "%s/plan.tsv", s->folder);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fprintf(f, HEAD);
    for (int i = 0; i < n; i++) {
        fprintf(f, "%032x\t3\t0\t" ID "\t-\tmain i=%d\n", i, i);
        snprintf(path, sizeof path, "%.3200s/runs/%032x.h5", s->folder, i);
        if (i % 2000 == 0) { /* a file has so many links only */
            char command[3 * FIXTURE_TEXT];
            snprintf(command, sizeof command, "cp '%s' '%s'", log, path);
            assert_int_equal(system(command), 0);
            continue;
        }
        char first[FIXTURE_TEXT];
        snprintf(first, sizeof first, "%.3200s/runs/%032x.h5", s->folder, i / 2000 * 2000);
        assert_int_equal(link(first, path), 0);
    }
    fclose(f);
}

#ifdef __SANITIZE_ADDRESS__
enum { MANY = 1000 }; /* ten times as slow */
#else
enum { MANY = 10000 };
#endif

static void ten_thousand_runs_are_shown_in_seconds(void **folder) {
    struct sweep s = sweep_plan(*folder, "many", small, NULL);
    struct error e = {0};
    char log[FIXTURE_TEXT], words[96];
    sweep_train(&s, run_of(&s, 2), 0);
    sweep_file(log, &s, run_of(&s, 2), ".h5");
    plan_many(&s, log, MANY);
    unlink(log);
    clock_t began = clock();
    char *text = status_text(s.folder, false, STATUS_OK, &e);
    double seconds = (double)(clock() - began) / CLOCKS_PER_SEC;
    snprintf(words, sizeof words, "small: %d of %d runs done; %d of %d epochs\n", MANY, MANY,
             3 * MANY, 3 * MANY);
    assert_says(text, words);
    print_message("%d runs in %.1f s\n", MANY, seconds);
    assert_true(seconds < 15);
    free(text);
    sweep_free(&s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(runs_that_nobody_began_are_pending_or_wait_for_their_parent),
        cmocka_unit_test(a_stopped_run_is_interrupted_with_its_epochs_and_its_children_may_start),
        cmocka_unit_test(a_finished_sweep_is_done_and_has_nothing_to_train),
        cmocka_unit_test(a_claimed_run_is_running_and_the_time_left_is_told),
        cmocka_unit_test(without_any_log_no_time_is_told),
        cmocka_unit_test(a_claim_of_a_process_that_is_gone_is_nobodys),
        cmocka_unit_test(a_failed_run_says_why_and_the_exit_status_is_3),
        cmocka_unit_test(a_done_run_counts_whatever_its_old_error),
        cmocka_unit_test(a_log_with_one_flipped_bit_is_damaged),
        cmocka_unit_test(a_diverged_run_is_shown_with_its_sentence_and_the_exit_status_is_3),
        cmocka_unit_test(runs_without_a_plan_are_known_by_their_logs),
        cmocka_unit_test(runs_of_an_earlier_plan_are_listed_too),
        cmocka_unit_test(the_folder_of_all_results_shows_every_experiment),
        cmocka_unit_test(a_damaged_plan_is_refused_by_its_line_and_hides_no_other_experiment),
        cmocka_unit_test(folders_that_hold_no_runs_are_refused),
        cmocka_unit_test(ten_thousand_runs_are_shown_in_seconds),
    };
    return cmocka_run_group_tests(tests, folder_make, folder_remove);
}
