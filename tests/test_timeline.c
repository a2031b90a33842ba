/* The timeline: windows, budgets and rates, and that a prefix key changes exactly when something
 * that the state depends on does. */
#include <math.h>

#include "tests/run_fixture.h"

/* The key at the run's end, and how deep two runs agree. */
static int64_t shared_epochs(const struct trial *a, const struct trial *b) {
    int64_t least = a->timeline.total < b->timeline.total ? a->timeline.total : b->timeline.total;
    int64_t e = 0;
    while (e <= least && !strcmp(a->timeline.key[e], b->timeline.key[e])) e++;
    return e - 1;
}

/* Epochs that the tiny run shares with itself under overrides; -1: not even the start. */
static int64_t shared_under(const char *folder, const char *const *overrides) {
    struct trial a = trial_of(folder, NULL), b = trial_of(folder, overrides);
    int64_t shared = shared_epochs(&a, &b);
    trial_free(&a);
    trial_free(&b);
    return shared;
}

static void settings_that_mean_the_same_give_one_key(void **folder) {
    static const char *const same[][2] = {
        {"net.seed=1", NULL},
        {"train.seed=1", NULL},
        {"data.seed=1", NULL},
        {"seed=1", NULL},
        {"data.augment.shift=0", NULL},
        {"deficits[0].ramp=0", NULL},
        {"train.epochs={total: 7}", NULL},
        {"deficits[0].until=onset+3", NULL},
        {"deficits[0].sigma=2", NULL},
        {"train.drop_last=true", NULL},
        {"train.lr={base: 0.05, schedule: exponential, gamma: 0.9, warmup: 1}", NULL},
        {"deficits=[{type: blur, kernel: area, factor: 4, from: 0, until: 3}, "
         "{type: vflip, from: 2, until: 2}]",
         NULL},
        {"deficits=[{type: blur, kernel: area, factor: 4, from: 0, until: 3}, "
         "{type: vflip, from: 1, until: 2, severity: 0}]",
         NULL},
        {"deficits=[{type: blur, kernel: area, factor: 4, from: 0, until: 3}, "
         "{type: blur, factor: 1, from: 0, until: 3}]",
         NULL},
    };
    for (size_t i = 0; i < sizeof same / sizeof *same; i++)
        if (shared_under(*folder, same[i]) != 7) fail_msg("'%s' changed the key", same[i][0]);
}

static void what_cannot_influence_a_state_is_in_no_key(void **folder) {
    static const char *const same[][2] = {
        {"experiment=other", NULL}, {"measures=[]", NULL},        {"fisher.probes=8", NULL},
        {"eval.every=2", NULL},     {"final.last=2", NULL},       {"data.test=16", NULL},
        {"note=anything", NULL},    {"eval.norm=refreshed", NULL}};
    for (size_t i = 0; i < sizeof same / sizeof *same; i++)
        if (shared_under(*folder, same[i]) != 7) fail_msg("'%s' changed the key", same[i][0]);
}

static void every_effective_change_changes_the_key_from_its_epoch_on(void **folder) {
    static const struct {
        const char *overrides[2];
        int64_t shared; /* epochs that stay the same */
    } cases[] = {
        {{"seed=2"}, -1},
        {{"net.seed=2"}, -1},
        {{"train.seed=2"}, -1},
        {{"data.seed=2"}, -1},
        {{"data.train=40"}, -1},
        {{"data.contrast=1.5"}, -1},
        {{"data.augment.shift=1"}, -1},
        {{"net.fc=16"}, -1},
        {{"net.channels=[4, 4, 8]"}, -1},
        {{"train.batch=8"}, -1},
        {{"train.optimizer.momentum=0.8"}, -1},
        {{"train.optimizer={type: adam}"}, -1},
        {{"train.lr.base=0.06"}, 0},
        {{"train.lr.gamma=0.8"}, 1},
        {{"train.lr.warmup=2"}, 0},
        {{"train.lr.clock=removal"}, 3},
        {{"train.at_removal.momentum=reset"}, 3},
        {{"deficits[0].factor=2"}, 0},
        {{"deficits[0].kernel=pil"}, 0},
        {{"deficits[0].severity=0.5"}, 0},
        {{"deficits[0].ramp=1"}, 0},
        {{"deficits[0].from=1"}, 0},
        {{"deficits[0].until=2"}, 2},
        {{"deficits[0].until=5"}, 3},
        {{"deficits=[]"}, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *const overrides[] = {cases[i].overrides[0], NULL};
        int64_t shared = shared_under(*folder, overrides);
        if (shared != cases[i].shared)
            fail_msg("'%s': %lld epochs shared, not %lld", overrides[0], (long long)shared,
                     (long long)cases[i].shared);
    }
}

static void measures_name_the_rows_but_not_the_state(void **folder) {
    static const char *const changes[][2] = {{"measures=[]", NULL},
                                             {"fisher.draws=2", NULL},
                                             {"eval.every=2", NULL},
                                             {"data.test=16", NULL},
                                             {"deficits[0].factor=2", NULL}};
    struct trial a = trial_of(*folder, NULL);
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        struct trial b = trial_of(*folder, changes[i]);
        assert_string_not_equal(a.timeline.measures, b.timeline.measures);
        assert_string_not_equal(a.timeline.run_id, b.timeline.run_id);
        trial_free(&b);
    }
    trial_free(&a);
}

static void windows_are_half_open_and_anchors_resolve(void **folder) {
    static const char *const overrides[] = {
        "deficits=[{type: blur, factor: 4, from: 2, until: onset+3}, "
        "{type: vflip, from: 4, until: end-1}]",
        "train.epochs={total: 9}", NULL};
    struct trial t = trial_of(*folder, overrides);
    assert_int_equal(t.timeline.deficits[0].from, 2);
    assert_int_equal(t.timeline.deficits[0].until, 5);
    assert_int_equal(t.timeline.deficits[1].until, 8);
    assert_int_equal(t.timeline.onset, 2);
    assert_int_equal(t.timeline.removal, 8);
    assert_int_equal(t.timeline.total, 9);
    for (int64_t e = 0; e < 9; e++)
        assert_true((timeline_severity(&t.timeline, &t.config, 0, e) > 0) == (e >= 2 && e < 5));
    trial_free(&t);
}

static void a_ramp_rises_and_falls_inside_its_window(void **folder) {
    static const char *const overrides[] = {"deficits[0].ramp=1", "deficits[0].until=4",
                                            "deficits[0].severity=0.8", NULL};
    static const double expected[] = {0.4, 0.8, 0.8, 0.4, 0.0};
    struct trial t = trial_of(*folder, overrides);
    for (int64_t e = 0; e < 5; e++)
        assert_true(fabs(timeline_severity(&t.timeline, &t.config, 0, e) - expected[e]) < 1e-15);
    trial_free(&t);
}

static void the_run_clock_decays_on_and_the_removal_clock_starts_again(void **folder) {
    static const char *const restart[] = {"train.lr.clock=removal", NULL};
    struct trial run = trial_of(*folder, NULL), removal = trial_of(*folder, restart);
    for (int64_t e = 0; e < 7; e++) {
        int64_t since = e < 3 ? e : e - 3;
        assert_true(run.timeline.rate[e] == 0.05 * pow(0.9, (double)e));
        assert_true(removal.timeline.rate[e] == 0.05 * pow(0.9, (double)since));
    }
    trial_free(&run);
    trial_free(&removal);
}

static void the_clean_twin_has_no_deficit_and_the_same_clean_budget(void **folder) {
    struct trial t = trial_of(*folder, NULL);
    struct config twin;
    struct timeline clean;
    config_copy(&twin, &t.config);
    config_clean(&twin);
    assert_int_equal(timeline_create(&clean, &twin, &t.data, NULL), 0);
    assert_int_equal(clean.total, 4);
    assert_int_equal(clean.removal, 0);
    assert_string_equal(clean.measures, t.timeline.measures);
    assert_string_equal(clean.key[0], t.timeline.key[0]);
    assert_string_not_equal(clean.key[1], t.timeline.key[1]);
    timeline_free(&clean);
    config_free(&twin);
    trial_free(&t);
}

static void a_run_with_an_empty_window_is_its_own_twin(void **folder) {
    static const char *const empty[] = {"deficits[0].until=0", NULL};
    struct trial t = trial_of(*folder, empty);
    struct config twin;
    struct timeline clean;
    config_copy(&twin, &t.config);
    config_clean(&twin);
    assert_int_equal(timeline_create(&clean, &twin, &t.data, NULL), 0);
    assert_string_equal(clean.run_id, t.timeline.run_id);
    timeline_free(&clean);
    config_free(&twin);
    trial_free(&t);
}

static void impossible_windows_are_refused_in_a_sentence(void **folder) {
    static const struct {
        const char *overrides[3], *words;
    } cases[] = {
        {{"deficits[0].from=4"}, "ends (until: 3) before it begins (from: 4)"},
        {{"deficits[0].until=8", "train.epochs={total: 7}"}, "after the last one (7)"},
        {{"deficits[0].until=end"}, "give train.epochs.total"},
        {{"deficits[0].from=removal"}, "depend on this window itself"},
        {{"deficits[0].until=onset-1"}, "before 0"},
        {{"train.epochs={after_removal: 1000000}"}, "the most is 1000000"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct trial t;
        struct error e = {0};
        assert_int_equal(trial_try(&t, *folder, tiny, cases[i].overrides, &e), STATUS_USAGE);
        if (!strstr(e.text, cases[i].words)) fail_msg("'%s' lacks '%s'", e.text, cases[i].words);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(settings_that_mean_the_same_give_one_key),
        cmocka_unit_test(what_cannot_influence_a_state_is_in_no_key),
        cmocka_unit_test(every_effective_change_changes_the_key_from_its_epoch_on),
        cmocka_unit_test(measures_name_the_rows_but_not_the_state),
        cmocka_unit_test(windows_are_half_open_and_anchors_resolve),
        cmocka_unit_test(a_ramp_rises_and_falls_inside_its_window),
        cmocka_unit_test(the_run_clock_decays_on_and_the_removal_clock_starts_again),
        cmocka_unit_test(the_clean_twin_has_no_deficit_and_the_same_clean_budget),
        cmocka_unit_test(a_run_with_an_empty_window_is_its_own_twin),
        cmocka_unit_test(impossible_windows_are_refused_in_a_sentence),
    };
    return cmocka_run_group_tests(tests, folder_make, folder_remove);
}
