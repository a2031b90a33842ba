/* Stabilizers: over the whole registry, that strength 0 and an empty window are the run without, that
 * a run is the same bits stopped, forked or threaded, and what each of the plain ones computes. */
#include <math.h>

#include "base/rng.h"
#include "base/text.h"
#include "sim/check.h"
#include "tests/net_fixture.h"
#include "tests/run_fixture.h"

enum { MOST = 8, EPOCHS = 5 };

/* One input, or two with auxiliary heads; the rate decays, so that a restart shows. */
static const char one[] = "experiment: tiny\n"
                          "data: {set: optotypes, train: 48, test: 24}\n"
                          "net: {arch: convfc, channels: [4, 4, 4], fc: 8}\n"
                          "train:\n"
                          "  batch: 16\n"
                          "  epochs: {after_removal: 2}\n"
                          "  optimizer: {type: sgd, momentum: 0.9}\n"
                          "  lr: {base: 0.05, schedule: exponential, gamma: 0.9}\n"
                          "deficits:\n"
                          "  - {type: blur, kernel: area, factor: 4, from: 0, until: 3}\n"
                          "fisher: {probes: 0}\n";
static const char two[] = "experiment: tiny\n"
                          "data: {set: vqa, train: 56, test: 28}\n"
                          "net: {arch: towers, channels: [4, 4], embedding: 6, features: 8, "
                          "hidden: 12, norm: batch, heads: true}\n"
                          "train:\n"
                          "  batch: 16\n"
                          "  epochs: {after_removal: 2}\n"
                          "  optimizer: {type: sgd, momentum: 0.9}\n"
                          "  lr: {base: 0.02, schedule: exponential, gamma: 0.9}\n"
                          "deficits:\n"
                          "  - {type: blur, kernel: area, factor: 4, modality: image, until: 3}\n"
                          "fisher: {probes: 0}\n";

/* A trial of `yaml` with "stabilizers=[...]" and further overrides (NULL: none). */
static struct trial trial_with(const char *folder, const char *yaml, const char *stabilizers,
                               const char *more) {
    char list[FIXTURE_TEXT];
    const char *overrides[] = {list, more, NULL};
    struct trial t;
    struct error e = {0};
    snprintf(list, sizeof list, "stabilizers=[%s]", stabilizers);
    int status = trial_try(&t, folder, yaml, overrides, &e);
    if (!status) status = check_data(&t.config, &t.data, &e);
    if (!status) status = check_net(&t.config, &t.data, &e);
    if (status) fail_msg("%s: %s", stabilizers, e.text);
    return t;
}

/* How a stabilizer of the registry is listed for both experiments: one that wants no modality, and
 * those that need several. */
static bool needs_several(const char *name) {
    return !strcmp(name, "modality_dropout") || !strcmp(name, "unimodal_heads");
}

static const char *entry(char text[FIXTURE_TEXT], const struct stabilizer *type, const char *more) {
    const char *modality = type->per_modality ? "modality: text, " : "";
    snprintf(text, FIXTURE_TEXT, "{type: %s, %s%s}", type->name, modality, more);
    return text;
}

static const char *base_of(const struct stabilizer *type) {
    return needs_several(type->name) ? two : one;
}

/* ---- training -------------------------------------------------------------------------------- */

struct attempt {
    char root[FIXTURE_TEXT];
    int threads;
    int64_t until, keep, stop_after; /* 0: none */
    volatile sig_atomic_t stop;
};

static void stop_now(void *context, const struct run_progress *p) {
    struct attempt *a = context;
    if (p->epoch == a->stop_after) a->stop = 1;
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
                            .twin_id = "",
                            .from = a->root,
                            .until = a->until,
                            .threads = a->threads,
                            .keep = &a->keep,
                            .keep_n = a->keep > 0,
                            .stop = &a->stop,
                            .progress = stop_now,
                            .context = a};
    a->stop = 0;
    int status = run_execute(&t->config, &t->timeline, &t->data, &o, &out, &e);
    if (status != expected) fail_msg("status %d, not %d: %s", status, expected, e.text);
    return out;
}

/* The parameters at the end, in one array; *n of them. */
static double *final_params(const struct attempt *a, const struct trial *t, size_t *n) {
    char path[FIXTURE_TEXT], name[FIXTURE_TEXT];
    struct store store;
    struct h5_reader *r;
    size_t count;
    store_at(&store, a->root);
    store_state_path(path, &store, &t->timeline, t->timeline.total, STORED_KEPT);
    assert_int_equal(h5_open_sealed(&r, path, NULL), 0);
    char **names = h5_list(r, "params", &count);
    double *all = NULL;
    *n = 0;
    for (size_t i = 0; i < count; i++) {
        snprintf(name, sizeof name, "params/%s", names[i]);
        size_t length = length_of(r, name);
        double *more = realloc(all, (*n + length + 1) * sizeof *all);
        assert_non_null(more);
        all = more;
        assert_int_equal(h5_get_doubles(r, name, all + *n, NULL), 0);
        *n += length;
        free(names[i]);
    }
    free(names);
    h5_close(r);
    return all;
}

static bool same_params(const struct attempt *a, const struct trial *s, const struct attempt *b,
                        const struct trial *t) {
    size_t n, m;
    double *x = final_params(a, s, &n), *y = final_params(b, t, &m);
    assert_true(n > 100 && n == m);
    bool same = !memcmp(x, y, n * sizeof *x);
    free(x);
    free(y);
    return same;
}

static void run_both(const char *folder, const char *name, const struct trial *t,
                     struct attempt *a) {
    *a = attempt_in(folder, name);
    attempt_run(a, t, STATUS_OK);
}

static int64_t shared_epochs(const struct trial *a, const struct trial *b) {
    int64_t e = 0;
    assert_int_equal(a->timeline.total, b->timeline.total);
    while (e <= a->timeline.total && !strcmp(a->timeline.key[e], b->timeline.key[e])) e++;
    return e - 1;
}

/* ---- the whole registry ---------------------------------------------------------------------- */

static void strength_0_is_the_run_without_it(void **folder) {
    size_t n;
    const struct stabilizer *const *all = stabilizer_list(&n);
    for (size_t i = 0; i < n; i++) {
        char text[FIXTURE_TEXT], name[128];
        struct attempt a, b;
        struct trial none = trial_with(*folder, base_of(all[i]), "", NULL);
        struct trial off =
            trial_with(*folder, base_of(all[i]), entry(text, all[i], "strength: 0"), NULL);
        assert_string_equal(off.timeline.run_id, none.timeline.run_id);
        snprintf(name, sizeof name, "none-%s", all[i]->name);
        run_both(*folder, name, &none, &a);
        snprintf(name, sizeof name, "off-%s", all[i]->name);
        run_both(*folder, name, &off, &b);
        assert_true(same_params(&a, &none, &b, &off));
        trial_free(&none);
        trial_free(&off);
    }
}

static void an_empty_window_is_the_run_without_it(void **folder) {
    static const char *const empty[] = {"from: 2, until: 2", "until: 0",
                                        "from: end",         "from: 9",
                                        "until: onset",      "from: removal, until: removal"};
    size_t n;
    const struct stabilizer *const *all = stabilizer_list(&n);
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < sizeof empty / sizeof *empty; k++) {
            char text[FIXTURE_TEXT];
            struct trial none = trial_with(*folder, base_of(all[i]), "", NULL);
            struct trial off =
                trial_with(*folder, base_of(all[i]), entry(text, all[i], empty[k]), NULL);
            assert_string_equal(off.timeline.run_id, none.timeline.run_id);
            trial_free(&none);
            trial_free(&off);
        }
}

/* Otherwise the tests above would hold for one that does nothing. Late ones leave the trunk late. */
static void each_changes_training_from_its_window_on_and_the_key_with_it(void **folder) {
    size_t n;
    const struct stabilizer *const *all = stabilizer_list(&n);
    for (size_t i = 0; i < n; i++) {
        char text[FIXTURE_TEXT], name[128];
        struct attempt a, b;
        bool clips = !strcmp(all[i]->name, "grad_clip");
        struct trial none = trial_with(*folder, base_of(all[i]), "", NULL);
        struct trial with =
            trial_with(*folder, base_of(all[i]),
                       entry(text, all[i], clips ? "from: 2, max_norm: 0.01" : "from: 2"), NULL);
        assert_int_equal(shared_epochs(&none, &with), 2);
        assert_true(timeline_strength(&with.timeline, &with.config, 0, 1) == 0.0);
        assert_true(timeline_strength(&with.timeline, &with.config, 0, 2) == 1.0);
        snprintf(name, sizeof name, "without-%s", all[i]->name);
        run_both(*folder, name, &none, &a);
        snprintf(name, sizeof name, "with-%s", all[i]->name);
        run_both(*folder, name, &with, &b);
        if (same_params(&a, &none, &b, &with)) fail_msg("%s changes nothing", all[i]->name);
        trial_free(&none);
        trial_free(&with);
    }
}

/* Each of them twice where it can be: on everything and on one modality, in windows that overlap. */
static struct trial trial_with_all(const char *folder) {
    size_t n;
    const struct stabilizer *const *all = stabilizer_list(&n);
    struct text t = {0};
    for (size_t i = 0; i < n; i++) {
        char text[FIXTURE_TEXT], window[64];
        snprintf(window, sizeof window, "from: %zu, until: %zu, strength: %s", i % 3, 3 + i % 3,
                 i % 2 ? "0.5" : "1");
        text_add(&t, "%s%s", i ? ", " : "", entry(text, all[i], window));
    }
    text_add(&t, ", {type: weight_decay, modality: trunk, lambda: 0.01}"
                 ", {type: grad_clip, modality: image, max_norm: 0.1}"
                 ", {type: modality_dropout, modality: image, p: 0.3}");
    struct trial trial = trial_with(folder, two, t.data, NULL);
    free(t.data);
    assert_int_equal(trial.timeline.total, EPOCHS);
    return trial;
}

static void stopped_anywhere_and_resumed_they_are_the_run_in_one_go(void **folder) {
    struct trial t = trial_with_all(*folder);
    struct attempt whole, parts = attempt_in(*folder, "all-parts");
    run_both(*folder, "all-whole", &t, &whole);
    for (int64_t until = 1; until <= EPOCHS; until++) {
        parts.until = until;
        parts.stop_after = 0;
        assert_int_equal(attempt_run(&parts, &t, STATUS_OK).epochs_trained, 1);
    }
    struct attempt killed = attempt_in(*folder, "all-killed");
    for (killed.stop_after = 1; killed.stop_after < EPOCHS; killed.stop_after += 2)
        attempt_run(&killed, &t, STATUS_INTERRUPTED);
    killed.stop_after = 0;
    parts.until = 0;
    struct run_outcome a = attempt_run(&whole, &t, STATUS_OK),
                       b = attempt_run(&parts, &t, STATUS_OK),
                       c = attempt_run(&killed, &t, STATUS_OK);
    assert_int_equal(c.epochs_trained, 2);
    assert_true(same_params(&whole, &t, &parts, &t) && same_params(&whole, &t, &killed, &t));
    same_files(a.log, b.log, log_groups);
    same_files(a.log, c.log, log_groups);
    trial_free(&t);
}

static void a_run_that_leaves_a_trunk_is_the_run_from_scratch(void **folder) {
    struct trial trunk = trial_with(*folder, two, "", NULL), t = trial_with_all(*folder);
    struct trial late = trial_with(*folder, two,
                                   "{type: shrink_perturb, from: 2}, {type: fisher_penalty, from: "
                                   "2}, {type: modality_dropout, modality: text, from: 2}",
                                   NULL);
    struct attempt shared = attempt_in(*folder, "trunk"), alone;
    shared.keep = 2;
    attempt_run(&shared, &trunk, STATUS_OK);
    assert_int_equal(attempt_run(&shared, &late, STATUS_OK).started_from, 2);
    run_both(*folder, "no-trunk", &late, &alone);
    assert_true(same_params(&shared, &late, &alone, &late));
    assert_int_equal(attempt_run(&shared, &t, STATUS_OK).started_from, -1);
    trial_free(&trunk);
    trial_free(&late);
    trial_free(&t);
}

static void threads_change_no_bit(void **folder) {
    struct trial t = trial_with_all(*folder);
    struct attempt a, b = attempt_in(*folder, "all-threads");
    run_both(*folder, "all-thread", &t, &a);
    b.threads = 3;
    attempt_run(&b, &t, STATUS_OK);
    assert_true(same_params(&a, &t, &b, &t));
    trial_free(&t);
}

/* ---- windows, rates, keys -------------------------------------------------------------------- */

static void assert_window(const struct trial *t, size_t i, int64_t from, int64_t until) {
    assert_int_equal(t->timeline.stabilizers[i].from, from);
    assert_int_equal(t->timeline.stabilizers[i].until, until);
}

static void anchors_are_those_of_the_deficits_and_windows_end_with_the_run(void **folder) {
    struct trial t = trial_with(
        *folder, one,
        "{type: weight_decay}, {type: weight_decay, from: onset, until: removal}, "
        "{type: weight_decay, from: removal, until: end-1}, {type: weight_decay, from: removal-1, "
        "until: removal+9}, {type: weight_decay, from: removal-9, until: onset+1}",
        "deficits[0].from=1");
    assert_int_equal(t.timeline.total, 5);
    assert_window(&t, 0, 0, 5);
    assert_window(&t, 1, 1, 3);
    assert_window(&t, 2, 3, 4);
    assert_window(&t, 3, 2, 5);
    assert_window(&t, 4, 0, 2);
    trial_free(&t);
    t = trial_with(*folder, one,
                   "{type: weight_decay, until: removal}, {type: weight_decay, from: removal}",
                   "deficits=[]");
    assert_window(&t, 0, 0, 0);
    assert_window(&t, 1, 0, 2);
    trial_free(&t);
}

static void what_has_no_effect_is_in_no_key(void **folder) {
    static const char *const same[][2] = {
        {"", "{type: weight_decay, lambda: 0}"},
        {"", "{type: lr_restart, from: 0}"},
        {"{type: lr_restart, from: 2}", "{type: lr_restart, from: 2, until: end}"},
        {"{type: weight_decay, lambda: 0.01}", "{type: weight_decay, lambda: 1e-2, until: 5}"},
        {"{type: weight_decay}, {type: grad_clip}",
         "{type: weight_decay}, {type: l2_init, strength: 0}, {type: grad_clip}"},
        {"{type: weight_decay, until: 3}", "{type: weight_decay, until: removal}"},
    };
    static const char *const other[][2] = {
        {"{type: weight_decay}", "{type: weight_decay, strength: 0.5}"},
        {"{type: weight_decay}", "{type: weight_decay, lambda: 0.002}"},
        {"{type: weight_decay}, {type: grad_clip}", "{type: grad_clip}, {type: weight_decay}"},
        {"{type: weight_decay}", "{type: weight_decay}, {type: weight_decay}"},
        {"{type: weight_decay}", "{type: l2_init}"},
    };
    for (size_t i = 0; i < sizeof same / sizeof *same; i++) {
        struct trial a = trial_with(*folder, one, same[i][0], NULL),
                     b = trial_with(*folder, one, same[i][1], NULL);
        if (shared_epochs(&a, &b) != EPOCHS) fail_msg("'%s' changed the key", same[i][1]);
        trial_free(&a);
        trial_free(&b);
    }
    for (size_t i = 0; i < sizeof other / sizeof *other; i++) {
        struct trial a = trial_with(*folder, one, other[i][0], NULL),
                     b = trial_with(*folder, one, other[i][1], NULL);
        if (shared_epochs(&a, &b) != 0) fail_msg("'%s' kept the key", other[i][1]);
        trial_free(&a);
        trial_free(&b);
    }
}

static void a_branch_is_in_the_key_from_the_window_on(void **folder) {
    struct trial all = trial_with(*folder, two, "{type: weight_decay, from: 3}", NULL);
    struct trial text =
        trial_with(*folder, two, "{type: weight_decay, from: 3, modality: text}", NULL);
    struct trial trunk =
        trial_with(*folder, two, "{type: weight_decay, from: 3, modality: trunk}", NULL);
    assert_int_equal(shared_epochs(&all, &text), 3);
    assert_int_equal(shared_epochs(&trunk, &text), 3);
    trial_free(&all);
    trial_free(&text);
    trial_free(&trunk);
}

/* 0.05 * 0.9^e, begun anew at 3 and half-way anew at 4. */
static void the_rate_restarts_with_the_schedule(void **folder) {
    struct trial t = trial_with(*folder, one,
                                "{type: lr_restart, from: removal, until: 4}, {type: lr_restart, "
                                "from: 4, strength: 0.5}",
                                NULL);
    const double *rate = t.timeline.rate;
    for (int e = 0; e < 3; e++) assert_near(rate[e], 0.05 * pow(0.9, e), 0.0);
    assert_near(rate[3], 0.05, 0.0);
    assert_near(rate[4], 0.5 * (0.05 + 0.05 * pow(0.9, 4)), 1e-17);
    trial_free(&t);
    t = trial_with(*folder, one, "{type: lr_restart, from: 3}",
                   "train.lr={base: 0.05, warmup: 2, schedule: constant}");
    assert_near(t.timeline.rate[0], 0.025, 0.0);
    assert_near(t.timeline.rate[2], 0.05, 0.0);
    assert_near(t.timeline.rate[3], 0.025, 0.0);
    assert_near(t.timeline.rate[4], 0.05, 0.0);
    trial_free(&t);
    struct trial none = trial_with(*folder, one, "", "train.lr.schedule=constant");
    t = trial_with(*folder, one, "{type: lr_restart, from: 3, strength: 0.3}",
                   "train.lr.schedule=constant");
    assert_string_equal(t.timeline.run_id, none.timeline.run_id);
    trial_free(&t);
    trial_free(&none);
}

static void timeline_of(struct timeline *t, const struct config *c, const struct dataset *d) {
    struct error e = {0};
    if (timeline_create(t, c, d, &e)) fail_msg("%s", e.text);
}

static void matched_runs_keep_what_they_say(void **folder) {
    struct trial t = trial_with(
        *folder, one, "{type: weight_decay, until: removal}, {type: l2_init, from: removal}", NULL);
    struct trial none = trial_with(*folder, one, "", NULL);
    struct config c;
    struct timeline is;
    config_copy(&c, &t.config);
    config_unstabilize(&c);
    timeline_of(&is, &c, &t.data);
    assert_string_equal(is.key[EPOCHS], none.timeline.key[EPOCHS]);
    timeline_free(&is);
    config_clean(&c);
    timeline_of(&is, &c, &t.data);
    assert_int_equal(is.total, 2);
    timeline_free(&is);
    config_free(&c);

    config_copy(&c, &t.config);
    config_freeze(&c, &t.timeline);
    timeline_of(&is, &c, &t.data);
    assert_string_equal(is.run_id, t.timeline.run_id);
    timeline_free(&is);
    config_cure(&c);
    timeline_of(&is, &c, &t.data);
    assert_int_equal(is.total, EPOCHS);
    assert_int_equal(is.removal, 0);
    for (int64_t e = 0; e < EPOCHS; e++) {
        assert_true((timeline_strength(&is, &c, 0, e) > 0) == (e < 3));
        assert_true((timeline_strength(&is, &c, 1, e) > 0) == (e >= 3));
    }
    char *dump = config_dump(&c);
    struct config back;
    struct error e = {0};
    if (config_parse(&back, dump, "dump", &e)) fail_msg("%s in\n%s", e.text, dump);
    assert_false(settings_is_set(&back.epochs, "after_removal"));
    assert_int_equal(settings_epoch(&back.stabilizers[1], "from").offset, 3);
    free(dump);
    config_free(&back);
    timeline_free(&is);
    config_free(&c);
    trial_free(&t);
    trial_free(&none);
}

static struct config point_of(const struct experiment *x, size_t point) {
    struct config c;
    struct error e = {0};
    if (experiment_config(x, point, &c, &e)) fail_msg("%s", e.text);
    return c;
}

static void a_sweep_lays_stabilizers_over_and_overrides_reach_into_the_list(void **folder) {
    char yaml[FIXTURE_TEXT];
    static const char *const more[] = {"stabilizers[0].lambda=0.3", "stabilizers[0].strength=0.5",
                                       NULL};
    static const char *const axis[] = {"sweep=~", "stabilizers[0].lambda=0.1,0.2", NULL};
    snprintf(yaml, sizeof yaml,
             "%sstabilizers: [{type: weight_decay}]\nsweep:\n  axes:\n    remedy:\n      none: "
             "{stabilizers: []}\n      own: {}\n      other: {stabilizers: [{type: grad_clip}, "
             "{type: l2_init, from: removal}]}\n",
             one);
    struct experiment *x = experiment_of(*folder, yaml, NULL);
    assert_int_equal(experiment_points(x), 3);
    static const size_t lengths[] = {0, 1, 2};
    for (size_t i = 0; i < 3; i++) {
        struct config c = point_of(x, i);
        assert_int_equal(c.stabilizers_n, lengths[i]);
        if (i == 2) assert_string_equal(c.stabilizer_types[1]->name, "l2_init");
        config_free(&c);
    }
    experiment_free(x);
    snprintf(yaml, sizeof yaml, "%sstabilizers: [{type: weight_decay}]\n", one);
    x = experiment_of(*folder, yaml, more);
    struct config c = point_of(x, 0);
    assert_true(settings_real(&c.stabilizers[0], "lambda") == 0.3);
    assert_true(settings_real(&c.stabilizers[0], "strength") == 0.5);
    config_free(&c);
    experiment_free(x);
    x = experiment_of(*folder, yaml, axis);
    assert_int_equal(experiment_points(x), 2);
    c = point_of(x, 1);
    assert_true(settings_real(&c.stabilizers[0], "lambda") == 0.2);
    config_free(&c);
    experiment_free(x);
}

/* ---- the loop -------------------------------------------------------------------------------- */

/* A stabilizer that writes down how it is called. */
static struct {
    char calls[64];
    size_t batches, examples, epochs[EPOCHS + 1];
    bool told_wrong;
} seen;

static const struct trial *watched;

static void note(char call, const struct stabilizer_context *c) {
    size_t n = strlen(seen.calls);
    if (n + 1 < sizeof seen.calls) seen.calls[n] = call;
    seen.told_wrong |= c->strength != 0.5 || c->rate != watched->timeline.rate[c->epoch] ||
                       c->since + 1 != c->epoch || !c->arrays[1] || c->arrays[2];
}

static void note_start(const struct settings *s, const struct stabilizer_context *c) {
    (void)s;
    note('(', c);
    c->arrays[0][0] = 7;
    seen.epochs[c->epoch]++;
}

static void note_batch(const struct settings *s, const struct stabilizer_context *c) {
    (void)s;
    note('b', c);
    seen.told_wrong |= c->batch != seen.batches++ % 3 || c->arrays[0][0] != 7;
    seen.examples += c->N;
    for (size_t k = 0; k < c->N; k++) {
        size_t i = 0;
        while (i < watched->data.train.n && watched->data.train.index[i] != c->index[k]) i++;
        seen.told_wrong |=
            i == watched->data.train.n || watched->data.train.label[i] != c->labels[k];
    }
    memset(c->scratch, 1, 100);
}

static void note_loss(const struct settings *s, const struct stabilizer_context *c) {
    (void)s;
    note('l', c);
}

static void note_gradients(const struct settings *s, const struct stabilizer_context *c) {
    (void)s;
    note('g', c);
}

static void note_parameters(const struct settings *s, const struct stabilizer_context *c) {
    (void)s;
    note('p', c);
}

static void note_end(const struct settings *s, const struct stabilizer_context *c) {
    (void)s;
    note(')', c);
}

static size_t note_scratch(const struct settings *s, const struct net *net) {
    (void)s;
    (void)net;
    return 100;
}

static void hooks_are_called_in_order_and_told_what_is_true(void **folder) {
    static const struct stabilizer watcher = {.name = "watcher",
                                              .arrays = 2,
                                              .scratch = note_scratch,
                                              .epoch_start = note_start,
                                              .batch = note_batch,
                                              .loss = note_loss,
                                              .gradients = note_gradients,
                                              .parameters = note_parameters,
                                              .epoch_end = note_end};
    struct trial t = trial_with(
        *folder, one, "{type: weight_decay, lambda: 1e-9, from: 1, until: 3, strength: 0.5}", NULL);
    struct attempt a = attempt_in(*folder, "watched");
    t.config.stabilizer_types[0] = &watcher;
    watched = &t;
    memset(&seen, 0, sizeof seen);
    attempt_run(&a, &t, STATUS_OK);
    assert_string_equal(seen.calls, "(blgpblgpblgp)(blgpblgpblgp)");
    assert_false(seen.told_wrong);
    assert_int_equal(seen.examples, 2 * 48);
    assert_true(!seen.epochs[0] && seen.epochs[1] == 1 && seen.epochs[2] == 1 && !seen.epochs[3]);
    trial_free(&t);
}

static void the_log_says_what_was_in_force(void **folder) {
    struct trial t = trial_with(
        *folder, one,
        "{type: weight_decay, until: 2, strength: 0.25}, {type: shrink_perturb, from: 1}", NULL);
    struct attempt a = attempt_in(*folder, "logged");
    struct run_outcome out = attempt_run(&a, &t, STATUS_OK);
    struct h5_reader *r;
    static const double expected[EPOCHS + 1][2] = {{NAN, NAN}, {0.25, 0}, {0.25, 1},
                                                   {0, 0},     {0, 0},    {0, 0}};
    double is[EPOCHS + 1][2];
    assert_int_equal(h5_open(&r, out.log, NULL), 0);
    assert_int_equal(length_of(r, "stabilizer_strength"), 2 * (EPOCHS + 1));
    assert_int_equal(h5_get_doubles(r, "stabilizer_strength", &is[0][0], NULL), 0);
    for (size_t e = 0; e <= EPOCHS; e++)
        for (size_t i = 0; i < 2; i++)
            assert_true(is[e][i] == expected[e][i] || (isnan(is[e][i]) && e == 0));
    h5_close(r);
    trial_free(&t);
    t = trial_with(*folder, one, "", NULL);
    out = attempt_run(&a, &t, STATUS_OK);
    assert_int_equal(h5_open(&r, out.log, NULL), 0);
    assert_false(h5_has(r, "stabilizer_strength") || h5_has(r, "stabilizer"));
    h5_close(r);
    trial_free(&t);
}

/* grad_norm is the loss's: a clipped gradient is not seen in it (nor does it move in epoch 0's first
 * batch, where both runs have the same weights). */
static void grad_norm_is_that_of_before_the_stabilizers(void **folder) {
    struct trial t =
        trial_with(*folder, one, "{type: grad_clip, max_norm: 1e-6}", "train.batch=48");
    struct trial none = trial_with(*folder, one, "", "train.batch=48");
    struct attempt a = attempt_in(*folder, "clipped"), b = attempt_in(*folder, "unclipped");
    struct run_outcome x = attempt_run(&a, &t, STATUS_OK), y = attempt_run(&b, &none, STATUS_OK);
    struct h5_reader *r, *s;
    double clipped[EPOCHS + 1], whole[EPOCHS + 1], moved[EPOCHS + 1];
    assert_int_equal(h5_open(&r, x.log, NULL), 0);
    assert_int_equal(h5_open(&s, y.log, NULL), 0);
    assert_int_equal(h5_get_doubles(r, "grad_norm", clipped, NULL), 0);
    assert_int_equal(h5_get_doubles(s, "grad_norm", whole, NULL), 0);
    assert_int_equal(h5_get_doubles(r, "update_norm", moved, NULL), 0);
    assert_true(clipped[1] > 1e-3);
    assert_near(clipped[1], whole[1], 1e-12 * whole[1]); /* squares are summed in another order */
    assert_near(moved[1], 0.05 * 1e-6, 1e-6 * 0.05 + 1e-9);
    h5_close(r);
    h5_close(s);
    trial_free(&t);
    trial_free(&none);
}

static void an_estimate_knows_what_a_stabilizer_costs(void **folder) {
    char place[FIXTURE_TEXT];
    struct run_cost cost;
    struct error e = {0};
    struct trial t =
        trial_with(*folder, one,
                   "{type: fisher_penalty, until: 0}, {type: fisher_penalty, strength: 0}, {type: "
                   "shrink_perturb, from: 4}",
                   "data.train=480");
    snprintf(place, sizeof place, "%.3000s/cost", (const char *)*folder);
    /* It adds two passes to one, but by the clock of a machine that may be busy: five attempts. */
    for (int i = 0; i < 5; i++) {
        if (run_cost(&t.config, &t.timeline, &t.data, place, &cost, &e)) fail_msg("%s", e.text);
        if (cost.stabilizer[0] > cost.stabilizer[2] && cost.stabilizer[0] > 0.0) break;
    }
    assert_true(cost.stabilizer[0] > 0.0);
    assert_true(cost.stabilizer[1] == 0.0);
    assert_true(cost.stabilizer[2] < cost.stabilizer[0]);
    trial_free(&t);
}

/* ---- what each computes ---------------------------------------------------------------------- */

static void weight_decay_over_the_whole_run_is_the_optimizer_s(void **folder) {
    struct trial a = trial_with(*folder, one, "{type: weight_decay, lambda: 0.01}", NULL);
    struct trial b = trial_with(*folder, one, "", "train.optimizer.weight_decay=0.01");
    struct attempt x, y;
    run_both(*folder, "decay-stabilizer", &a, &x);
    run_both(*folder, "decay-optimizer", &b, &y);
    assert_true(same_params(&x, &a, &y, &b));
    trial_free(&a);
    trial_free(&b);
}

/* A net of two encoders with its context, gradients all 1 and parameters as drawn. */
struct bench {
    struct net *net;
    struct settings s;
    const struct stabilizer *type;
    struct stabilizer_context c;
};

static struct bench bench_of(const char *type, const char *key, const char *value) {
    static const char *const values[] = {"channels=[4]", "features=6", "hidden=5", "heads=true",
                                         NULL};
    static const struct net_input inputs[] = {
        {"image", 6, 6, 2, 0}, {"text", 1, 4, 1, 9}, {.name = NULL}};
    struct error e = {0};
    struct bench b = {.type = stabilizer_find(type)};
    b.net = net_make_many(arch_find("towers"), values, inputs, 3, MOST, 1, &e);
    if (!b.net) fail_msg("%s", e.text);
    net_init(b.net, 3);
    for (size_t i = 0; i < net_params_count(b.net); i++) net_grads(b.net)[i] = 1;
    settings_init(&b.s, stabilizer_common_params, b.type->params);
    if (key) assert_int_equal(settings_set(&b.s, key, value, NULL), 0);
    b.c = (struct stabilizer_context){
        .net = b.net, .branch = -1, .strength = 1.0, .N = MOST, .train_seed = 5};
    return b;
}

static void bench_free(struct bench *b) {
    settings_free(&b->s);
    net_free(b->net);
}

enum { IMAGE, TEXT, TRUNK };

/* Does the tensor's name say that it is the branch's? Written anew, from the names. */
static bool is_of(const struct net_tensor *t, int branch) {
    static const char *const begins[] = {[IMAGE] = "image.", [TEXT] = "text.", [TRUNK] = "fusion."};
    for (int b = IMAGE; b <= TRUNK; b++)
        if (!strncmp(t->name, begins[b], strlen(begins[b]))) return branch < 0 || b == branch;
    return false; /* a head */
}

static void each_acts_on_its_branch_alone_and_never_on_heads(void **folder) {
    (void)folder;
    for (int branch = -1; branch <= TRUNK; branch++) {
        struct bench b = bench_of("weight_decay", "lambda", "0.5");
        size_t n, heads = 0, covered = 0;
        const struct net_tensor *t = net_param_table(b.net, &n);
        b.c.branch = branch;
        b.c.strength = 0.25;
        b.type->gradients(&b.s, &b.c);
        for (size_t i = 0; i < n; i++) {
            bool is = is_of(&t[i], branch);
            heads += !strncmp(t[i].name, "head_", 5);
            covered += is;
            for (size_t k = t[i].offset; k < t[i].offset + t[i].count; k++) {
                double w = (double)net_params(b.net)[k];
                assert_near((double)net_grads(b.net)[k], is ? 1 + 0.125 * w : 1, 1e-6);
            }
        }
        assert_int_equal(heads, 4);
        assert_true(covered >= 2);
        bench_free(&b);
    }
}

static double norm_of(const struct bench *b, int branch) {
    size_t n;
    const struct net_tensor *t = net_param_table(b->net, &n);
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < t[i].count && is_of(&t[i], branch); k++)
            sum += pow((double)net_grads(b->net)[t[i].offset + k], 2);
    return sqrt(sum);
}

static void a_gradient_is_cut_to_its_largest_norm_and_a_smaller_one_stays(void **folder) {
    (void)folder;
    struct bench b = bench_of("grad_clip", "max_norm", "0.5");
    double whole = norm_of(&b, -1), trunk = norm_of(&b, TRUNK), text = norm_of(&b, TEXT);
    assert_true(text > 1);
    b.c.branch = TEXT;
    b.type->gradients(&b.s, &b.c);
    assert_near(norm_of(&b, TEXT), 0.5, 1e-5);
    assert_near(norm_of(&b, TRUNK), trunk, 0.0);
    b.type->gradients(&b.s, &b.c);
    assert_near(norm_of(&b, TEXT), 0.5, 1e-5);
    bench_free(&b);
    b = bench_of("grad_clip", "max_norm", "0.5");
    b.c.strength = 0.4;
    b.type->gradients(&b.s, &b.c);
    assert_near(norm_of(&b, -1), 0.6 * whole + 0.4 * 0.5, 1e-4 * whole);
    bench_free(&b);
    b = bench_of("grad_clip", "max_norm", "1e6");
    b.type->gradients(&b.s, &b.c);
    for (size_t i = 0; i < net_params_count(b.net); i++)
        assert_true((double)net_grads(b.net)[i] == 1.0);
    bench_free(&b);
}

/* ---- modality_dropout ---- */

static void fill_inputs(struct net *net) {
    for (size_t m = 0; m < 2; m++)
        for (size_t n = 0; n < MOST; n++) {
            const struct tensor *t = net_input_tensor(net, m);
            for (size_t h = 0; h < t->H; h++)
                for (size_t i = 0; i < t->W * t->C; i++) tensor_at(t, n, h, 0)[i] = 1 + (real)m;
        }
}

/* 1: as it was, 0: all zero, and nothing between. */
static int input_is_whole(const struct net *net, size_t m, size_t n) {
    const struct tensor *t = net_input_tensor(net, m);
    size_t zeros = 0;
    for (size_t h = 0; h < t->H; h++)
        for (size_t i = 0; i < t->W * t->C; i++) zeros += tensor_at(t, n, h, 0)[i] == 0;
    assert_true(zeros == 0 || zeros == t->H * t->W * t->C);
    return zeros == 0;
}

struct dropped {
    int image, text, both, of;
};

/* Over 4,000 examples: entries for text, then image. */
static struct dropped drop(const char *text, const char *image) {
    struct bench b = bench_of("modality_dropout", "p", text);
    struct settings other;
    struct dropped d = {0};
    uint32_t index[MOST];
    settings_init(&other, stabilizer_common_params, b.type->params);
    assert_int_equal(settings_set(&other, "p", image, NULL), 0);
    b.c.index = index;
    for (uint32_t first = 0; first < 4000; first += MOST) {
        for (uint32_t k = 0; k < MOST; k++) index[k] = first + k;
        fill_inputs(b.net);
        b.c.branch = TEXT;
        b.type->batch(&b.s, &b.c);
        b.c.branch = IMAGE;
        b.type->batch(&other, &b.c);
        for (size_t n = 0; n < MOST; n++) {
            int no_image = !input_is_whole(b.net, IMAGE, n),
                no_text = !input_is_whole(b.net, TEXT, n);
            d.image += no_image;
            d.text += no_text;
            d.both += no_image && no_text;
            d.of++;
        }
    }
    settings_free(&other);
    bench_free(&b);
    return d;
}

static void a_modality_is_dropped_as_often_as_p_says_and_never_both(void **folder) {
    (void)folder;
    static const struct {
        const char *text, *image;
        double dropped_text, dropped_image;
    } cases[] = {{"0.3", "0", 0.3, 0.0},   {"0.5", "0.5", 0.5, 0.5}, {"0.9", "0.1", 0.9, 0.1},
                 {"0.8", "0.6", 0.8, 0.2}, {"1", "1", 1.0, 0.0},     {"0", "1", 0.0, 1.0}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct dropped d = drop(cases[i].text, cases[i].image);
        double p = cases[i].dropped_text, q = cases[i].dropped_image; /* 4 standard deviations */
        assert_near((double)d.text / d.of, p, 4 * sqrt(p * (1 - p) / d.of));
        assert_near((double)d.image / d.of, q, 4 * sqrt(q * (1 - q) / d.of));
        assert_int_equal(d.both, 0);
    }
}

static void a_larger_p_drops_the_same_examples_and_more_in_another_epoch_others(void **folder) {
    (void)folder;
    struct bench b = bench_of("modality_dropout", "p", "0.8");
    int whole[3][400], changed = 0; /* with a small p, a large one, and in the next epoch */
    uint32_t index[MOST];
    b.c.index = index;
    b.c.branch = TEXT;
    for (uint32_t first = 0; first < 400; first += MOST)
        for (int round = 0; round < 3; round++) {
            for (uint32_t k = 0; k < MOST; k++) index[k] = first + k;
            b.c.strength = round == 1 ? 1.0 : 0.5;
            b.c.epoch = round == 2;
            fill_inputs(b.net);
            b.type->batch(&b.s, &b.c);
            for (size_t n = 0; n < MOST; n++)
                whole[round][first + n] = input_is_whole(b.net, TEXT, n);
        }
    for (size_t i = 0; i < 400; i++) {
        assert_true(whole[1][i] <= whole[0][i]);
        changed += whole[0][i] != whole[2][i];
    }
    assert_true(changed > 100);
    bench_free(&b);
}

/* ---- wrong configs --------------------------------------------------------------------------- */

static void wrong_stabilizers_are_refused_in_a_sentence(void **folder) {
    static const struct {
        const char *yaml, *list, *words;
    } cases[] = {
        {one, "{type: weight_decai}", "there is no stabilizer 'weight_decai' (did you mean"},
        {one, "{lambda: 1}", "type is missing; give one of weight_decay"},
        {one, "{type: weight_decay, p: 1}", "stabilizers[0].p: unknown key"},
        {one, "{type: weight_decay, lambda: -1}", "lambda: must be a number in 0..1000000"},
        {one, "{type: weight_decay, strength: 2}", "strength: must be a number in 0..1"},
        {one, "{type: weight_decay, until: ~}", "stabilizers[0].until: needs a value"},
        {one, "{type: weight_decay, until: later}", "until: must be an epoch"},
        {one, "{type: weight_decay, from: 3, until: 2}",
         "stabilizers[0]: its window ends (until: 2) before it begins (from: 3)"},
        {one, "{type: grad_clip}, {type: weight_decay, from: removal, until: onset}",
         "stabilizers[1]: its window ends (until: 0) before it begins (from: 3)"},
        {one, "{type: weight_decay, modality: image}",
         "stabilizers[0].modality: a network of one input has no branches"},
        {one, "{type: modality_dropout, modality: image}",
         "modality_dropout needs data of several modalities"},
        {one, "{type: modality_dropout, modality: sound}", "there is no 'sound' (known: image)"},
        {two, "{type: weight_decay, modality: sound}",
         "there is no 'sound' (known: image, text, trunk)"},
        {two, "{type: modality_dropout, modality: trunk}",
         "there is no 'trunk' (known: image, text)"},
        {two, "{type: grad_clip}, {type: modality_dropout}", "stabilizers[1]: modality is missing"},
        {two, "{type: lr_restart, modality: text}", "stabilizers[0]: modality: the learning rate"},
        {one, "{type: grad_clip, max_norm: 0}", "max_norm: must be a number in"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char list[FIXTURE_TEXT];
        const char *overrides[] = {list, NULL};
        struct trial t;
        struct error e = {0};
        snprintf(list, sizeof list, "stabilizers=[%s]", cases[i].list);
        int status = trial_try(&t, *folder, cases[i].yaml, overrides, &e);
        if (!status) {
            status = check_net(&t.config, &t.data, &e);
            trial_free(&t);
        }
        if (status != STATUS_USAGE) fail_msg("'%s' was accepted", cases[i].list);
        if (!strstr(e.text, cases[i].words))
            fail_msg("'%s': \"%s\" does not say \"%s\"", cases[i].list, e.text, cases[i].words);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(strength_0_is_the_run_without_it),
        cmocka_unit_test(an_empty_window_is_the_run_without_it),
        cmocka_unit_test(each_changes_training_from_its_window_on_and_the_key_with_it),
        cmocka_unit_test(stopped_anywhere_and_resumed_they_are_the_run_in_one_go),
        cmocka_unit_test(a_run_that_leaves_a_trunk_is_the_run_from_scratch),
        cmocka_unit_test(threads_change_no_bit),
        cmocka_unit_test(anchors_are_those_of_the_deficits_and_windows_end_with_the_run),
        cmocka_unit_test(what_has_no_effect_is_in_no_key),
        cmocka_unit_test(a_branch_is_in_the_key_from_the_window_on),
        cmocka_unit_test(the_rate_restarts_with_the_schedule),
        cmocka_unit_test(matched_runs_keep_what_they_say),
        cmocka_unit_test(a_sweep_lays_stabilizers_over_and_overrides_reach_into_the_list),
        cmocka_unit_test(hooks_are_called_in_order_and_told_what_is_true),
        cmocka_unit_test(the_log_says_what_was_in_force),
        cmocka_unit_test(grad_norm_is_that_of_before_the_stabilizers),
        cmocka_unit_test(an_estimate_knows_what_a_stabilizer_costs),
        cmocka_unit_test(weight_decay_over_the_whole_run_is_the_optimizer_s),
        cmocka_unit_test(each_acts_on_its_branch_alone_and_never_on_heads),
        cmocka_unit_test(a_gradient_is_cut_to_its_largest_norm_and_a_smaller_one_stays),
        cmocka_unit_test(a_modality_is_dropped_as_often_as_p_says_and_never_both),
        cmocka_unit_test(a_larger_p_drops_the_same_examples_and_more_in_another_epoch_others),
        cmocka_unit_test(wrong_stabilizers_are_refused_in_a_sentence),
    };
    return cmocka_run_group_tests(tests, folder_make, folder_remove);
}
