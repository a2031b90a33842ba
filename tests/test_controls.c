/* Matched controls: which runs a sweep adds to its points, what they share, what they change, and
 * how sweep.tsv hands them to the report. */
#include "analysis/results.h"
#include "sim/control.h"
#include "tests/sweep_fixture.h"

/* Removal 2 or 4, 3 epochs behind it, with and without a remedy that lasts as long as the blur. */
static const char remedies[] =
    "experiment: remedies\n" SMALL_RUN "sweep:\n"
    "  controls: [twin, lr_clock, stabilizer_on_clean]\n"
    "  axes:\n"
    "    removal: {key: \"deficits[0].until\", values: [2, 4]}\n"
    "    remedy:\n"
    "      none: {}\n"
    "      decay: {stabilizers: [{type: weight_decay, lambda: 0.1, until: removal}]}\n"
    "    seed: [1, 2]\n";

enum { NONE, DECAY };

/* The point of removal 2 or 4, of a remedy, of seed 1 or 2. */
static size_t point_at(int removal, int remedy, int seed) {
    return (size_t)((removal / 2 - 1) * 4 + remedy * 2 + seed - 1);
}

static struct sweep plan_of(void **folder, const char *name, const char *const *overrides) {
    return sweep_plan(*folder, name, remedies, overrides);
}

static long run_of(const struct sweep *s, size_t point, enum run_role role) {
    return s->tree.points[point].role[role];
}

static const struct timeline *timeline_of(const struct sweep *s, size_t point, enum run_role role) {
    assert_int_not_equal(run_of(s, point, role), TREE_NONE);
    return &s->tree.runs[run_of(s, point, role)].timeline;
}

/* Runs that go by this role. */
static size_t runs_by(const struct sweep *s, enum run_role role) {
    size_t n = 0;
    for (size_t i = 0; i < s->tree.runs_n; i++) n += s->tree.runs[i].role == role;
    return n;
}

/* ---- which runs there are ---- */

static void all_controls_of_a_small_sweep_are_those_counted_by_hand(void **folder) {
    struct sweep s = plan_of(folder, "all", NULL);
    assert_int_equal(s.tree.points_n, 8);
    assert_int_equal(runs_by(&s, ROLE_POINT), 8);
    assert_int_equal(runs_by(&s, ROLE_TWIN), 2);         /* one per seed */
    assert_int_equal(runs_by(&s, ROLE_UNSTABILIZED), 0); /* the points without remedy */
    assert_int_equal(runs_by(&s, ROLE_LR_CLOCK), 8);     /* one per point */
    assert_int_equal(runs_by(&s, ROLE_LR_CLOCK_TWIN),
                     0); /* the twins: a clean run removes nothing */
    assert_int_equal(runs_by(&s, ROLE_LR_CLOCK_UNSTABILIZED), 0); /* lr_clock without remedy */
    assert_int_equal(runs_by(&s, ROLE_ON_CLEAN), 4);    /* one per point with the remedy */
    assert_int_equal(runs_by(&s, ROLE_CLEAN_TOTAL), 4); /* 5 and 7 epochs, two seeds */
    assert_int_equal(s.tree.runs_n, 26);
    assert_int_equal(tree_controls(&s.tree), 16);
    sweep_free(&s);
}

/* Per seed: a blurred trunk of 4 with 3 epochs behind epochs 2 and 4, with the remedy and without:
 * 2 (4 + 3 + 3), the twin's 3, of the lr_clock controls the 3 epochs after each removal: 4 x 3, clean
 * epochs with the remedy until 2 and until 4: 4 + 3 + 3, and the twin's trunk on to 7: 4. */
static void what_controls_share_is_trained_once(void **folder) {
    struct sweep s = plan_of(folder, "shared", NULL);
    /* lr_clock's deficit phase is the point's: a clock that runs from 0 */
    assert_int_equal(tree_epochs(&s.tree), 2 * (20 + 3 + 12 + 10 + 4));
    sweep_free(&s);
}

static void every_point_with_a_stabilizer_has_its_unstabilized_run_unasked(void **folder) {
    static const char *const overrides[] = {"sweep.controls=~", NULL};
    struct sweep s = plan_of(folder, "unasked", overrides);
    assert_int_equal(s.tree.runs_n, 8 + 2);
    for (int seed = 1; seed <= 2; seed++)
        for (int removal = 2; removal <= 4; removal += 2) {
            size_t none = point_at(removal, NONE, seed), decay = point_at(removal, DECAY, seed);
            assert_int_equal(run_of(&s, decay, ROLE_UNSTABILIZED), run_of(&s, none, ROLE_POINT));
            assert_int_equal(run_of(&s, none, ROLE_UNSTABILIZED), TREE_NONE);
            for (enum run_role r = ROLE_LR_CLOCK; r < RUN_ROLES; r++)
                assert_int_equal(run_of(&s, decay, r), TREE_NONE);
        }
    sweep_free(&s);
}

static void a_remedy_without_its_plain_run_gets_one(void **folder) {
    static const char *const overrides[] = {"sweep.controls=~", "remedy=decay", NULL};
    struct sweep s = plan_of(folder, "lonely", overrides);
    assert_int_equal(s.tree.points_n, 4);
    assert_int_equal(runs_by(&s, ROLE_UNSTABILIZED), 4);
    assert_int_equal(s.tree.runs_n, 4 + 2 + 4);
    sweep_free(&s);
}

static void a_control_met_before_its_point_goes_by_the_points_name(void **folder) {
    static const char *const overrides[] = {"sweep.controls=~", "remedy=decay,none", NULL};
    struct sweep s = plan_of(folder, "renamed", overrides);
    char title[256];
    assert_int_equal(runs_by(&s, ROLE_UNSTABILIZED), 0);
    tree_title(&s.tree, (size_t)run_of(&s, 0, ROLE_UNSTABILIZED), title, sizeof title);
    assert_string_equal(title, "main removal=2 remedy=none seed=1");
    sweep_free(&s);
}

static void a_constant_rate_needs_no_run_for_lr_clock(void **folder) {
    static const char *const overrides[] = {"train.lr={base: 0.05, schedule: constant}",
                                            "sweep.controls=[lr_clock]", NULL};
    struct sweep s = plan_of(folder, "constant", overrides);
    assert_int_equal(s.tree.runs_n, 8 + 2);
    for (size_t i = 0; i < 8; i++) {
        assert_int_equal(run_of(&s, i, ROLE_LR_CLOCK), run_of(&s, i, ROLE_POINT));
        assert_int_equal(run_of(&s, i, ROLE_LR_CLOCK_TWIN), run_of(&s, i, ROLE_TWIN));
    }
    sweep_free(&s);
}

static void a_clock_that_starts_again_already_needs_none_either(void **folder) {
    static const char *const overrides[] = {"train.lr.clock=removal", "sweep.controls=[lr_clock]",
                                            NULL};
    struct sweep s = plan_of(folder, "again", overrides);
    assert_int_equal(s.tree.runs_n, 8 + 2);
    sweep_free(&s);
}

static void a_point_without_deficit_has_neither_control(void **folder) {
    static const char *const overrides[] = {"removal=0", NULL};
    struct sweep s = plan_of(folder, "clean", overrides);
    for (size_t i = 0; i < s.tree.points_n; i++)
        for (enum run_role r = ROLE_LR_CLOCK; r < RUN_ROLES; r++)
            assert_int_equal(run_of(&s, i, r), TREE_NONE);
    sweep_free(&s);
}

static void a_stabilizer_of_strength_0_is_none(void **folder) {
    static const char *const overrides[] = {
        "remedy=decay", "sweep.axes.remedy.decay.stabilizers[0].strength=0", NULL};
    struct sweep s = plan_of(folder, "strengthless", overrides);
    for (size_t i = 0; i < s.tree.points_n; i++) {
        assert_int_equal(run_of(&s, i, ROLE_UNSTABILIZED), TREE_NONE);
        assert_int_equal(run_of(&s, i, ROLE_ON_CLEAN), TREE_NONE);
    }
    sweep_free(&s);
}

/* ---- what they change ---- */

static void lr_clock_changes_the_rates_after_removal_alone(void **folder) {
    struct sweep s = plan_of(folder, "rates", NULL);
    const struct timeline *point = timeline_of(&s, point_at(4, DECAY, 1), ROLE_POINT);
    const struct timeline *control = timeline_of(&s, point_at(4, DECAY, 1), ROLE_LR_CLOCK);
    assert_int_equal(control->total, point->total);
    assert_int_equal(control->removal, 4);
    for (int64_t e = 0; e < 4; e++) assert_true(control->rate[e] == point->rate[e]);
    assert_string_equal(control->key[4], point->key[4]);
    for (int64_t e = 4; e < 7; e++) assert_true(control->rate[e] == point->rate[e - 4]);
    sweep_free(&s);
}

/* The window ends at `removal`, which the control has not: it must stay at 2 and at 4. */
static void on_clean_keeps_windows_and_total_of_its_point(void **folder) {
    struct sweep s = plan_of(folder, "frozen", NULL);
    for (int removal = 2; removal <= 4; removal += 2) {
        size_t i = point_at(removal, DECAY, 2);
        const struct timeline *control = timeline_of(&s, i, ROLE_ON_CLEAN);
        assert_int_equal(control->removal, 0);
        assert_int_equal(control->total, removal + 3);
        assert_int_equal(control->stabilizers[0].from, 0);
        assert_int_equal(control->stabilizers[0].until, removal);
        for (int64_t e = 0; e < control->total; e++)
            assert_true(control->rate[e] == timeline_of(&s, i, ROLE_POINT)->rate[e]);
        assert_int_equal(timeline_of(&s, i, ROLE_CLEAN_TOTAL)->total, removal + 3);
        assert_string_equal(timeline_of(&s, i, ROLE_CLEAN_TOTAL)->key[3],
                            timeline_of(&s, i, ROLE_TWIN)->key[3]);
    }
    sweep_free(&s);
}

static void a_run_is_rebuilt_from_its_role(void **folder) {
    struct sweep s = plan_of(folder, "rebuilt", NULL);
    for (size_t i = 0; i < s.tree.runs_n; i++) {
        struct config c, parsed;
        struct dataset *d = NULL;
        struct timeline direct, dumped;
        struct error e = {0};
        if (tree_config(&s.tree, i, &c, &e) || tree_data(&s.tree, i, &d, &e))
            fail_msg("%s", e.text);
        char *text = config_dump(&c);
        if (config_parse(&parsed, text, "dump", &e)) fail_msg("%s\n%s", e.text, text);
        assert_int_equal(timeline_create(&direct, &c, d, NULL), 0);
        assert_int_equal(timeline_create(&dumped, &parsed, d, NULL), 0);
        assert_string_equal(direct.run_id, s.tree.runs[i].timeline.run_id);
        assert_string_equal(dumped.run_id, direct.run_id);
        timeline_free(&direct);
        timeline_free(&dumped);
        free(text);
        config_free(&parsed);
        config_free(&c);
        tree_data_release(&s.tree, i, d);
    }
    sweep_free(&s);
}

/* What `imprint run` and `verify` find: the config with windows emptied. */
static void the_twin_in_a_log_is_the_clean_twin_of_the_runs_own_config(void **folder) {
    struct sweep s = plan_of(folder, "twins", NULL);
    for (size_t i = 0; i < s.tree.runs_n; i++) {
        struct config c;
        struct dataset *d;
        struct timeline clean;
        assert_int_equal(tree_config(&s.tree, i, &c, NULL), 0);
        assert_int_equal(tree_data(&s.tree, i, &d, NULL), 0);
        config_clean(&c);
        assert_int_equal(timeline_create(&clean, &c, d, NULL), 0);
        assert_string_equal(clean.run_id, s.tree.runs[s.tree.runs[i].twin].timeline.run_id);
        timeline_free(&clean);
        config_free(&c);
        tree_data_release(&s.tree, i, d);
    }
    sweep_free(&s);
}

static void titles_name_the_control_and_its_point(void **folder) {
    static const struct {
        enum run_role role;
        const char *title;
    } expected[] = {
        {ROLE_POINT, "main removal=4 remedy=decay seed=1"},
        {ROLE_TWIN, "clean twin of main removal=2 remedy=none seed=1"},
        {ROLE_LR_CLOCK, "lr_clock control of main removal=4 remedy=decay seed=1"},
        {ROLE_ON_CLEAN, "stabilizer_on_clean control of main removal=4 remedy=decay seed=1"},
        {ROLE_CLEAN_TOTAL,
         "clean twin of stabilizer_on_clean control of main removal=4 remedy=decay seed=1"},
    };
    struct sweep s = plan_of(folder, "titles", NULL);
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++) {
        char title[256];
        long run = run_of(&s, point_at(4, DECAY, 1), expected[i].role);
        tree_title(&s.tree, (size_t)run, title, sizeof title);
        assert_string_equal(title, expected[i].title);
    }
    sweep_free(&s);
}

/* ---- trained ---- */

static void controls_that_leave_the_tree_equal_themselves_alone(void **folder) {
    struct sweep shared = plan_of(folder, "forked", NULL);
    sweep_train_all(&shared);
    assert_int_equal(sweep_finished(&shared), shared.tree.runs_n);
    for (size_t i = 0; i < shared.tree.runs_n; i++) {
        char name[32], a[FIXTURE_TEXT], b[FIXTURE_TEXT];
        if (shared.tree.runs[i].role <= ROLE_TWIN) continue;
        snprintf(name, sizeof name, "alone-%zu", i);
        struct sweep alone = plan_of(folder, name, NULL);
        assert_true(sweep_train(&alone, i, 0) >= alone.tree.runs[i].timeline.total);
        sweep_file(a, &shared, i, ".h5");
        sweep_file(b, &alone, i, ".h5");
        assert_true(same_files(a, b, log_groups) > 10);
        sweep_free(&alone);
    }
    sweep_free(&shared);
}

static void a_second_plan_has_nothing_to_train(void **folder) {
    struct sweep s = plan_of(folder, "done", NULL);
    assert_int_equal(sweep_epochs(&s), tree_epochs(&s.tree));
    sweep_train_all(&s);
    assert_int_equal(sweep_epochs(&s), 0);
    sweep_free(&s);
}

/* ---- sweep.tsv ---- */

static struct results *results_of(const struct sweep *s) {
    struct results *r;
    struct error e = {0};
    if (results_load(&r, s->folder, &e)) fail_msg("%s", e.text);
    return r;
}

static void the_report_finds_each_run_by_its_role(void **folder) {
    struct sweep s = plan_of(folder, "loaded", NULL);
    struct results *r = results_of(&s);
    assert_int_equal(r->points_n, 8);
    assert_int_equal(r->axes_n, 3);
    assert_int_equal(r->logs_n, s.tree.runs_n);
    for (size_t i = 0; i < 8; i++) {
        assert_ptr_equal(r->points[i].role[ROLE_POINT], r->points[i].log);
        assert_ptr_equal(r->points[i].role[ROLE_TWIN], r->points[i].twin);
        for (enum run_role role = ROLE_POINT; role < RUN_ROLES; role++) {
            const struct log *log = r->points[i].role[role];
            assert_int_equal(log == NULL, run_of(&s, i, role) == TREE_NONE);
            if (log) assert_string_equal(log->id, timeline_of(&s, i, role)->run_id);
        }
    }
    results_free(r);
    sweep_free(&s);
}

static char *first_lines(const struct sweep *s) {
    static char text[256];
    char path[FIXTURE_TEXT];
    snprintf(path, sizeof path, "%.3000s/sweep.tsv", s->folder);
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    text[fread(text, 1, sizeof text - 1, f)] = '\0';
    fclose(f);
    *strchr(strchr(text, '\n') + 1, '\n') = '\0';
    return text;
}

static void sweep_tsv_has_the_columns_that_any_point_has(void **folder) {
    static const char *const plain[] = {"sweep.controls=~", "remedy=none", NULL};
    static const char *const unasked[] = {"sweep.controls=[twin]", NULL};
    static const char *const clock[] = {"sweep.controls=[lr_clock]", "remedy=none", NULL};
    static const struct {
        const char *const *overrides;
        const char *columns;
    } expected[] = {
        {plain, ""},
        {unasked, "\t=unstabilized"},
        {clock, "\t=lr_clock\t=lr_clock_twin"},
        {NULL, "\t=unstabilized\t=lr_clock\t=lr_clock_twin\t=lr_clock_unstabilized\t=on_clean"
               "\t=clean_total"},
    };
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++) {
        char name[32], header[256];
        snprintf(name, sizeof name, "columns-%zu", i);
        snprintf(header, sizeof header,
                 "# imprint sweep 1\nrun\ttwin\tpart\tremoval\tremedy\tseed*%s",
                 expected[i].columns);
        struct sweep s = plan_of(folder, name, expected[i].overrides);
        assert_string_equal(first_lines(&s), header);
        sweep_free(&s);
    }
}

static struct results *results_of_text(void **folder, const char *name, const char *text,
                                       struct error *e) {
    char path[FIXTURE_TEXT];
    struct results *r = NULL;
    snprintf(path, sizeof path, "%.3000s/%s", (char *)*folder, name);
    mkdir(path, 0777);
    snprintf(path, sizeof path, "%.3000s/%s/sweep.tsv", (char *)*folder, name);
    text_to_file(path, text);
    *strrchr(path, '/') = '\0';
    results_load(&r, path, e);
    return r;
}

static void a_column_of_a_newer_program_is_passed_over(void **folder) {
    struct error e = {0};
    struct results *r = results_of_text(folder, "newer",
                                        "# imprint sweep 1\n"
                                        "run\ttwin\tpart\tt\t=sham\t=lr_clock\tseed*\n"
                                        "a\tb\tmain\t3\tx\tc\t1\n",
                                        &e);
    assert_non_null(r);
    assert_int_equal(r->axes_n, 2);
    assert_string_equal(r->axes[1].name, "seed");
    assert_string_equal(r->points[0].label[1], "1");
    assert_string_equal(r->points[0].role[ROLE_LR_CLOCK]->id, "c");
    assert_null(r->points[0].role[ROLE_ON_CLEAN]);
    assert_int_equal(r->logs_n, 3);
    results_free(r);
}

static void a_wrong_line_of_sweep_tsv_is_refused_in_a_sentence(void **folder) {
    static const struct {
        const char *line, *words;
    } wrong[] = {
        {"a\tb\tmain\t3\n", "sweep.tsv:3: fewer cells than columns"},
        {"a\tb\tmain\t3\t../c\n", "sweep.tsv:3: not a run id"},
        {"a\tb\tmain\t3\tc\td\n", "sweep.tsv:3: more cells than axes"},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        char name[32], text[256];
        struct error e = {0};
        snprintf(name, sizeof name, "wrong-%zu", i);
        snprintf(text, sizeof text, "# imprint sweep 1\nrun\ttwin\tpart\tt\t=lr_clock\n%s",
                 wrong[i].line);
        assert_null(results_of_text(folder, name, text, &e));
        assert_says(e.text, wrong[i].words);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_controls_of_a_small_sweep_are_those_counted_by_hand),
        cmocka_unit_test(what_controls_share_is_trained_once),
        cmocka_unit_test(every_point_with_a_stabilizer_has_its_unstabilized_run_unasked),
        cmocka_unit_test(a_remedy_without_its_plain_run_gets_one),
        cmocka_unit_test(a_control_met_before_its_point_goes_by_the_points_name),
        cmocka_unit_test(a_constant_rate_needs_no_run_for_lr_clock),
        cmocka_unit_test(a_clock_that_starts_again_already_needs_none_either),
        cmocka_unit_test(a_point_without_deficit_has_neither_control),
        cmocka_unit_test(a_stabilizer_of_strength_0_is_none),
        cmocka_unit_test(lr_clock_changes_the_rates_after_removal_alone),
        cmocka_unit_test(on_clean_keeps_windows_and_total_of_its_point),
        cmocka_unit_test(a_run_is_rebuilt_from_its_role),
        cmocka_unit_test(the_twin_in_a_log_is_the_clean_twin_of_the_runs_own_config),
        cmocka_unit_test(titles_name_the_control_and_its_point),
        cmocka_unit_test(controls_that_leave_the_tree_equal_themselves_alone),
        cmocka_unit_test(a_second_plan_has_nothing_to_train),
        cmocka_unit_test(the_report_finds_each_run_by_its_role),
        cmocka_unit_test(sweep_tsv_has_the_columns_that_any_point_has),
        cmocka_unit_test(a_column_of_a_newer_program_is_passed_over),
        cmocka_unit_test(a_wrong_line_of_sweep_tsv_is_refused_in_a_sentence),
    };
    return cmocka_run_group_tests(tests, folder_make, folder_remove);
}
