/* Rows and logs of networks with several modalities: their dimensions, the chain of files, the
 * schedule of the measures and what it does to the names of runs. Each test trains for real. */
#include <math.h>

#include "analysis/measures/measure.h"
#include "tests/run_fixture.h"

enum { MODALITIES = 2, BRANCHES = 3, BINS = 20, ROWS = 6 };

static const char senses[] =
    "experiment: senses\n"
    "data: {set: vqa, train: 96, test: 40}\n"
    "net: {arch: towers, channels: [4, 4], embedding: 4, features: 8, hidden: 12, norm: batch,\n"
    "      heads: true}\n"
    "train:\n"
    "  batch: 16\n"
    "  epochs: {total: 5}\n"
    "  optimizer: {type: sgd, momentum: 0.9}\n"
    "  lr: {base: 0.05}\n"
    "deficits:\n"
    "  - {type: text_dominance, from: 0, until: 2}\n"
    "fisher: {probes: 16}\n"
    "measures: [rsv, modality_accuracy, weight_norm, dead_units]\n";

static struct trial senses_of(const char *folder, const char *const *overrides) {
    struct trial t;
    struct error e = {0};
    if (trial_try(&t, folder, senses, overrides, &e)) fail_msg("%s", e.text);
    return t;
}

struct training {
    char root[FIXTURE_TEXT];
    struct run_outcome out;
};

/* Train up to epoch `until` (0: to the end) in the folder's subfolder of this name. */
static struct training train(const char *folder, const char *name, const struct trial *t,
                             int64_t until) {
    struct training is;
    struct error e = {0};
    snprintf(is.root, sizeof is.root, "%.3000s/%.100s", folder, name);
    struct run_options o = {.root = is.root,
                            .from = is.root,
                            .twin_id = t->timeline.run_id,
                            .until = until,
                            .threads = 1};
    if (run_execute(&t->config, &t->timeline, &t->data, &o, &is.out, &e)) fail_msg("%s", e.text);
    return is;
}

static struct h5_reader *log_of(const struct training *is) {
    struct h5_reader *r;
    struct error e = {0};
    if (h5_open_sealed(&r, is->out.log, &e)) fail_msg("%s", e.text);
    return r;
}

static void assert_dims(struct h5_reader *r, const char *name, const char *second, size_t n) {
    size_t shape[H5_RANK];
    char dim[H5_NAME];
    if (h5_shape(r, name, shape) != 2) fail_msg("'%s' is not there, or has no two axes", name);
    assert_int_equal(h5_dim_name(r, name, 0, dim), 0);
    assert_string_equal(dim, "epoch");
    assert_int_equal(h5_dim_name(r, name, 1, dim), 0);
    assert_string_equal(dim, second);
    assert_int_equal(shape[1], n);
}

static double *numbers_of(struct h5_reader *r, const char *name) {
    double *v = calloc(length_of(r, name), sizeof *v);
    struct error e = {0};
    if (h5_get_doubles(r, name, v, &e)) fail_msg("%s", e.text);
    return v;
}

static void assert_texts(struct h5_reader *r, const char *name, const char *const *texts) {
    size_t n;
    char **found = h5_get_texts(r, name, &n);
    for (size_t i = 0; i < n; i++) {
        assert_string_equal(found[i], texts[i]);
        free(found[i]);
    }
    free(found);
    assert_null(texts[n]);
}

/* ---- dimensions ------------------------------------------------------------------------------ */

static void check_branches(struct h5_reader *r, const char *kind) {
    char trace[64], branch[64], error[64], ratio[64];
    snprintf(trace, sizeof trace, "fisher%s_trace", kind);
    snprintf(branch, sizeof branch, "fisher%s_branch_trace", kind);
    snprintf(error, sizeof error, "fisher%s_branch_trace_stderr", kind);
    snprintf(ratio, sizeof ratio, "fisher%s_branch_ratio", kind);
    assert_dims(r, branch, "branch", BRANCHES);
    assert_dims(r, error, "branch", BRANCHES);
    assert_dims(r, ratio, "modality", MODALITIES);
    double *whole = numbers_of(r, trace), *b = numbers_of(r, branch), *f = numbers_of(r, ratio);
    for (size_t e = 0; e < ROWS; e++) {
        const double *is = b + e * BRANCHES;
        assert_true(fabs(is[0] + is[1] + is[2] - whole[e]) <= 1e-12 * whole[e]);
        assert_true(f[2 * e] == is[0] / is[1] && f[2 * e + 1] == is[1] / is[0]);
    }
    free(whole);
    free(b);
    free(f);
}

static void a_log_of_several_modalities_has_their_dimensions(void **folder) {
    struct trial t = senses_of(*folder, NULL);
    struct training is = train(*folder, "dimensions", &t, 0);
    struct h5_reader *r = log_of(&is);
    assert_texts(r, "modality", (const char *[]){"image", "text", NULL});
    assert_texts(r, "branch", (const char *[]){"image", "text", "trunk", NULL});
    check_branches(r, "");
    check_branches(r, "_deficit");
    assert_dims(r, "test_only_accuracy", "modality", MODALITIES);
    assert_dims(r, "test_only_mean_accuracy", "modality", MODALITIES);
    assert_dims(r, "branch_weight_norm", "branch", BRANCHES);
    assert_dims(r, "rsv_histogram", "rsv_bin", BINS);
    double *bin = numbers_of(r, "rsv_bin"), *share = numbers_of(r, "rsv_histogram");
    for (size_t k = 0; k < BINS; k++) assert_true(bin[k] == (2.0 * (double)k - 19) / 20);
    for (size_t e = 0; e < ROWS; e++) {
        double sum = 0;
        for (size_t k = 0; k < BINS; k++) sum += share[e * BINS + k];
        assert_true(fabs(sum - 1) < 1e-12);
    }
    free(bin);
    free(share);
    h5_close(r);
    trial_free(&t);
}

static void a_log_of_one_modality_has_none_of_them(void **folder) {
    static const char *const names[] = {"branch",
                                        "rsv_bin",
                                        "rsv_histogram",
                                        "fisher_branch_trace",
                                        "fisher_branch_ratio",
                                        "branch_weight_norm"};
    struct trial t = trial_of(*folder, NULL);
    struct training is = train(*folder, "one", &t, 0);
    struct h5_reader *r = log_of(&is);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) assert_false(h5_has(r, names[i]));
    assert_true(h5_has(r, "layer_weight_norm"));
    assert_texts(r, "modality", (const char *[]){"image", NULL});
    h5_close(r);
    trial_free(&t);
}

/* ---- rows as files --------------------------------------------------------------------------- */

static void rows_of_all_dimensions_come_back_from_their_files(void **folder) {
    struct trial t = senses_of(*folder, NULL);
    struct training whole = train(*folder, "whole", &t, 0), parts;
    for (int64_t until = 1; until <= 4; until += 3) parts = train(*folder, "parts", &t, until);
    parts = train(*folder, "parts", &t, 0);
    assert_int_equal(parts.out.started_from, 4);
    assert_true(same_files(whole.out.log, parts.out.log, log_groups) > 30);
    trial_free(&t);
}

static void final_state(char path[FIXTURE_TEXT], const struct training *is, const struct trial *t) {
    struct store store;
    store_at(&store, is->root);
    store_state_path(path, &store, &t->timeline, t->timeline.total, STORED_KEPT);
}

static void no_measure_changes_a_bit_of_training(void **folder) {
    static const char *const none[] = {"measures=[]", "fisher.probes=0", NULL};
    struct trial all = senses_of(*folder, NULL), few = senses_of(*folder, none);
    struct training a = train(*folder, "measured", &all, 0), b = train(*folder, "plain", &few, 0);
    char x[FIXTURE_TEXT], y[FIXTURE_TEXT];
    final_state(x, &a, &all);
    final_state(y, &b, &few);
    assert_string_equal(all.timeline.key[5], few.timeline.key[5]);
    assert_true(same_files(x, y, state_groups) > 8);
    trial_free(&all);
    trial_free(&few);
}

/* ---- the schedule ---------------------------------------------------------------------------- */

static void measures_are_due_where_both_schedules_are(void **folder) {
    static const char *const every[] = {"eval.every=2", "eval.measures_every=4", NULL};
    struct trial t = trial_of(*folder, every); /* rows 0 to 7 */
    struct training is = train(*folder, "due", &t, 0);
    struct h5_reader *r = log_of(&is);
    double *accuracy = numbers_of(r, "test_accuracy"), *norm = numbers_of(r, "layer_weight_norm");
    size_t layers = length_of(r, "layer");
    for (size_t e = 0; e <= 7; e++) {
        assert_true(isnan(accuracy[e]) == (e % 2 != 0));
        for (size_t l = 0; l < layers; l++)
            assert_true(isnan(norm[e * layers + l]) == (e % 4 != 0));
    }
    free(accuracy);
    free(norm);
    h5_close(r);
    trial_free(&t);
}

static void check_measures_key(const char *folder, const char *const *a, const char *const *b,
                               bool same) {
    struct trial x = trial_of(folder, a), y = trial_of(folder, b);
    assert_true(!strcmp(x.timeline.measures, y.timeline.measures) == same);
    assert_true(!strcmp(x.timeline.run_id, y.timeline.run_id) == same);
    assert_string_equal(x.timeline.key[7], y.timeline.key[7]);
    trial_free(&x);
    trial_free(&y);
}

#define WITH(...) ((const char *const[]){__VA_ARGS__, NULL})

static void the_schedule_is_in_a_name_where_it_changes_numbers(void **folder) {
    const char *every_1 = "eval.measures_every=1", *every_2 = "eval.measures_every=2";
    check_measures_key(*folder, NULL, WITH(every_1), true);
    check_measures_key(*folder, NULL, WITH(every_2), false);
    check_measures_key(*folder, WITH("measures=[]"), WITH("measures=[]", every_2), true);
    check_measures_key(*folder, WITH("eval.every=2"), WITH("eval.every=2", every_2), true);
    check_measures_key(*folder, WITH("eval.every=3", every_2),
                       WITH("eval.every=3", "eval.measures_every=6"), true);
    check_measures_key(*folder, WITH("eval.every=2", "eval.measures_every=3"),
                       WITH("eval.every=3", every_2), false); /* accuracy in other rows */
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_log_of_several_modalities_has_their_dimensions),
        cmocka_unit_test(a_log_of_one_modality_has_none_of_them),
        cmocka_unit_test(rows_of_all_dimensions_come_back_from_their_files),
        cmocka_unit_test(no_measure_changes_a_bit_of_training),
        cmocka_unit_test(measures_are_due_where_both_schedules_are),
        cmocka_unit_test(the_schedule_is_in_a_name_where_it_changes_numbers),
    };
    return cmocka_run_group_tests(tests, folder_make, folder_remove);
}
