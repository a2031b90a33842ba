/* What stabilizers give back, on small logs written here whose drops, fractions and intervals are
 * worked out by hand. */
#include "analysis/recovery.h"

#include <math.h>
#include <stdarg.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "analysis/report.h"
#include "base/h5.h"

enum { REMOVAL = 8, TOTAL = 12, ROWS = TOTAL + 1, WINDOWS = 2, BINS = 4, PATH_ROOM = 512 };

/* A stabilizer that acts in every `every`-th epoch (0: in each) of [from, until). */
struct act {
    const char *label; /* "l2_init[0]"; NULL: none */
    int from, until, every;
};

/* A run of TOTAL epochs, a deficit in the first `removal`. */
struct fake {
    const char *id, *twin;
    int removal;
    double accuracy; /* percent */
    struct act act[WINDOWS];
    const char *status; /* NULL: done */
    double seconds;     /* of an epoch in which a stabilizer acts; 0: 0.1, as any other */
    const char *recipe; /* the config's section; NULL: none */
    int onset;
    bool senses; /* has RSV and branches */
};

struct folder {
    char path[PATH_ROOM];
    FILE *manifest;
};

/* ---- writing logs ---------------------------------------------------------------------------- */

static bool acts(const struct act *a, int epoch) {
    if (!a->label || epoch < a->from || epoch >= a->until) return false;
    return !a->every || (epoch - a->from) % a->every == 0;
}

static void put_stabilizers(struct h5_writer *w, const struct fake *f) {
    static const char *const BY_STABILIZER[] = {"epoch", "stabilizer"};
    const char *label[WINDOWS];
    double strength[ROWS * WINDOWS];
    size_t n = 0;
    while (n < WINDOWS && f->act[n].label) label[n] = f->act[n].label, n++;
    if (!n) return;
    for (int i = 0; i < ROWS; i++)
        for (size_t k = 0; k < n; k++)
            strength[(size_t)i * n + k] = !i ? NAN : acts(&f->act[k], i - 1) ? 0.5 : 0;
    h5_put_scale_texts(w, "stabilizer", label, n, NULL);
    h5_put_doubles(w, "stabilizer_strength", strength, 2, BY_STABILIZER, NULL);
}

/* RSV falls by 0.1 a row; trace 10^-row of "image", 1 of "text"; 10, 0, 0 and 30 units in the bins,
 * counted in every second row. */
static void put_senses(struct h5_writer *w) {
    static const char *const BY_EPOCH[] = {"epoch"}, *const BY_BRANCH[] = {"epoch", "branch"};
    static const char *const BY_BIN[] = {"epoch", "rsv_bin"}, *const BRANCH[] = {"image", "text"};
    static const double CENTER[BINS] = {-0.75, -0.25, 0.25, 0.75}, COUNT[BINS] = {10, 0, 0, 30};
    double rsv[ROWS], trace[2 * ROWS], bins[BINS * ROWS];
    for (size_t i = 0; i < ROWS; i++) {
        rsv[i] = i == TOTAL ? NAN : 0.5 - 0.1 * (double)i;
        trace[2 * i] = pow(10, -(double)i);
        trace[2 * i + 1] = 1;
        for (size_t k = 0; k < BINS; k++) bins[BINS * i + k] = i % 2 ? NAN : COUNT[k];
    }
    h5_put_scale_texts(w, "branch", BRANCH, 2, NULL);
    h5_put_scale_reals(w, "rsv_bin", CENTER, BINS, NULL);
    h5_put_doubles(w, "rsv_median", rsv, 1, BY_EPOCH, NULL);
    h5_put_doubles(w, "fisher_branch_trace", trace, 2, BY_BRANCH, NULL);
    h5_put_doubles(w, "rsv_histogram", bins, 2, BY_BIN, NULL);
}

static void put_series(struct h5_writer *w, const struct fake *f) {
    static const char *const BY_EPOCH[] = {"epoch"};
    int64_t epoch[ROWS];
    double accuracy[ROWS], wall[ROWS];
    for (int i = 0; i < ROWS; i++) {
        bool slow = false;
        for (size_t k = 0; k < WINDOWS; k++) slow |= acts(&f->act[k], i - 1);
        epoch[i] = i;
        accuracy[i] = f->accuracy / 100;
        wall[i] = !i ? NAN : slow && f->seconds > 0 ? f->seconds : 0.1;
    }
    h5_put_scale_ints(w, "epoch", epoch, ROWS, NULL);
    h5_put_doubles(w, "test_accuracy", accuracy, 1, BY_EPOCH, NULL);
    h5_put_doubles(w, "wall_seconds", wall, 1, BY_EPOCH, NULL);
}

static void folder_add_log(struct folder *d, const struct fake *f) {
    struct error e = {0};
    char path[PATH_ROOM + 64], config[512];
    snprintf(path, sizeof path, "%s/runs/%s.h5", d->path, f->id);
    struct h5_writer *w = h5_create(path);
    double rows = 3, accuracy = f->status ? NAN : f->accuracy / 100;
    put_series(w, f);
    put_stabilizers(w, f);
    if (f->senses) put_senses(w);
    snprintf(config, sizeof config, "experiment: rescue\nstabilizers:\n%sfisher:\n  probes: 0\n",
             f->recipe ? f->recipe : "");
    h5_put_text(w, "config", config, NULL);
    h5_put_attr_text(w, "/", "run_id", f->id);
    h5_put_attr_text(w, "/", "twin_run_id", f->twin);
    h5_put_attr_text(w, "/", "experiment", "rescue");
    h5_put_attr_text(w, "/", "status", f->status ? f->status : "done");
    h5_put_attr_int(w, "/", "onset", f->onset);
    h5_put_attr_int(w, "/", "removal", f->removal);
    h5_put_attr_int(w, "/", "final_last", 3);
    h5_put_doubles(w, "final/test_accuracy", &accuracy, 0, NULL, NULL);
    h5_put_doubles(w, "final/rows", &rows, 0, NULL, NULL);
    if (h5_commit(w, false, &e)) fail_msg("%s", e.text);
}

static void folder_create(struct folder *d, const char *columns) {
    char path[PATH_ROOM + 64];
    *d = (struct folder){0};
    snprintf(d->path, sizeof d->path, "/tmp/imprint-recovery-XXXXXX");
    if (!mkdtemp(d->path)) fail_msg("no folder under /tmp");
    snprintf(path, sizeof path, "%s/runs", d->path);
    assert_int_equal(mkdir(path, 0777), 0);
    snprintf(path, sizeof path, "%s/sweep.tsv", d->path);
    d->manifest = fopen(path, "w");
    assert_non_null(d->manifest);
    fprintf(d->manifest, "# imprint sweep 1\nrun\ttwin\tpart\t%s\n", columns);
    fflush(d->manifest);
}

static void folder_remove(struct folder *d) {
    char command[PATH_ROOM + 64];
    fclose(d->manifest);
    snprintf(command, sizeof command, "rm -rf '%s'", d->path);
    assert_int_equal(system(command), 0);
}

/* Everything behind run and twin. */
static void folder_add_point(struct folder *d, const char *id, const char *twin, const char *rest) {
    fprintf(d->manifest, "%s\t%s\t%s\n", id, twin, rest);
    fflush(d->manifest);
}

/* ---- the sweep that most tests read ---------------------------------------------------------- */

enum { SEEDS = 3 };
static const double TWIN[SEEDS] = {90, 85, 80}, NONE[SEEDS] = {60, 50, 55};  /* drops 30 35 25 */
static const double EARLY[SEEDS] = {84, 78, 75}, LATE[SEEDS] = {61, 52, 53}; /* 6 7 5, 29 33 27 */
static const double CLEAN[SEEDS] = {92, 88, 84}, ON_CLEAN[SEEDS] = {91, 86, 84};
static const double CLOCK_NONE[SEEDS] = {70, 62, 64}, CLOCK_EARLY[SEEDS] = {80, 75, 70};
static const char RECIPE_EARLY[] =
    "  - type: l2_init\n    from: 0\n    until: removal\n    lambda: 1\n";
static const char RECIPE_LATE[] =
    "  - type: l2_init\n    from: removal\n    until: end\n    lambda: 1\n";
static const char COLUMNS[] = "remedy\tseed*\t=unstabilized\t=lr_clock\t=lr_clock_twin\t"
                              "=lr_clock_unstabilized\t=on_clean\t=clean_total";
/* t(0.975, 2) / sqrt(3): the half width of an interval of three values with s.d. 1 */
static const double HALF = 4.30265272974946 / 1.7320508075688772;

static void add_named(struct folder *d, const char *name, int seed, struct fake f) {
    char id[64], twin[32];
    snprintf(id, sizeof id, "%.40s%d", name, seed);
    snprintf(twin, sizeof twin, "twin%d", seed);
    f.id = id;
    f.twin = twin;
    folder_add_log(d, &f);
}

static void fill_seed(struct folder *d, int i) {
    struct act early = {"l2_init[0]", 0, REMOVAL, 0}, late = {"l2_init[0]", REMOVAL, TOTAL, 0};
    add_named(d, "twin", i, (struct fake){.accuracy = TWIN[i]});
    add_named(d, "none", i, (struct fake){.removal = REMOVAL, .accuracy = NONE[i]});
    add_named(d, "early", i,
              (struct fake){.removal = REMOVAL,
                            .accuracy = EARLY[i],
                            .act = {early},
                            .seconds = 0.3,
                            .recipe = RECIPE_EARLY});
    add_named(d, "late", i,
              (struct fake){
                  .removal = REMOVAL, .accuracy = LATE[i], .act = {late}, .recipe = RECIPE_LATE});
    add_named(d, "total", i, (struct fake){.accuracy = CLEAN[i]});
    add_named(d, "cured", i, (struct fake){.accuracy = ON_CLEAN[i], .act = {early}});
    add_named(d, "clocknone", i, (struct fake){.removal = REMOVAL, .accuracy = CLOCK_NONE[i]});
    add_named(d, "clockearly", i,
              (struct fake){.removal = REMOVAL, .accuracy = CLOCK_EARLY[i], .act = {early}});
}

static void fill_points(struct folder *d, int i) {
    char id[32], twin[32], rest[256];
    snprintf(twin, sizeof twin, "twin%d", i);
    snprintf(id, sizeof id, "none%d", i);
    snprintf(rest, sizeof rest, "remedies\tnone\t%d\t-\tclocknone%d\ttwin%d\t-\t-\t-", i, i, i);
    folder_add_point(d, id, twin, rest);
    snprintf(id, sizeof id, "early%d", i);
    snprintf(rest, sizeof rest,
             "remedies\tl2-early\t%d\tnone%d\tclockearly%d\ttwin%d\tclocknone%d\tcured%d\ttotal%d",
             i, i, i, i, i, i, i);
    folder_add_point(d, id, twin, rest);
    snprintf(id, sizeof id, "late%d", i);
    snprintf(rest, sizeof rest, "remedies\tl2-late\t%d\tnone%d\t-\t-\t-\t-\t-", i, i);
    folder_add_point(d, id, twin, rest);
}

static void folder_fill(struct folder *d) {
    folder_create(d, COLUMNS);
    for (int i = 0; i < SEEDS; i++) {
        fill_seed(d, i);
        fill_points(d, i);
    }
}

/* ---- reading --------------------------------------------------------------------------------- */

struct loaded {
    struct results *results;
    struct summary *summary;
    struct recovery *recovery;
};

static void load(struct loaded *l, const struct folder *d) {
    struct error e = {0};
    if (results_load(&l->results, d->path, &e)) fail_msg("%s", e.text);
    l->summary = summary_create(l->results);
    l->recovery = recovery_create(l->summary);
}

static void unload(struct loaded *l) {
    recovery_free(l->recovery);
    summary_free(l->summary);
    results_free(l->results);
}

static const struct remedy *find(const struct loaded *l, const char *label) {
    for (size_t i = 0; i < l->recovery->trials_n; i++)
        for (size_t j = 0; j < l->recovery->trials[i].remedies_n; j++)
            if (!strcmp(l->recovery->trials[i].remedies[j].label, label))
                return &l->recovery->trials[i].remedies[j];
    fail_msg("no remedy '%s'", label);
    return NULL;
}

static char *report_text(const struct folder *d, bool figures) {
    struct error e = {0};
    const char *path = d->path;
    char *text;
    size_t n;
    FILE *out = open_memstream(&text, &n);
    int status = report_main(&path, 1, &(struct report_options){.figures = figures}, out, &e);
    fclose(out);
    if (status) fail_msg("%s", e.text);
    for (char *c = text; *c; c++)
        if (*c == '\n') *c = ' '; /* so that a wrapped sentence can be searched */
    return text;
}

static char *file_text(const struct folder *d, const char *name) {
    char path[PATH_ROOM + 128];
    snprintf(path, sizeof path, "%s/%s", d->path, name);
    FILE *in = fopen(path, "rb");
    if (!in) return NULL;
    char *text = calloc(1, 1 << 22);
    size_t n = fread(text, 1, (1 << 22) - 1, in);
    assert_true(n < (1 << 22) - 1);
    fclose(in);
    return text;
}

static void assert_near(double got, double wanted) {
    if (!(fabs(got - wanted) < 1e-6)) fail_msg("%.12g is not %.12g", got, wanted);
}

static void assert_interval(struct interval t, double mean, double low, double high, size_t n) {
    assert_near(t.mean, mean);
    assert_near(t.low, low);
    assert_near(t.high, high);
    assert_int_equal(t.n, n);
}

static void assert_has(const char *text, const char *part) {
    if (!strstr(text, part)) fail_msg("no '%s' in:\n%s", part, text);
}

static void assert_has_not(const char *text, const char *part) {
    if (strstr(text, part)) fail_msg("'%s' in:\n%s", part, text);
}

/* ---- tests: the numbers ---------------------------------------------------------------------- */

/* Gains 24, 28, 20 are 0.8 of the drops 30, 35, 25 in every seed, so the interval is a point. */
static void drops_gain_and_fraction_are_paired_by_seed(void **state) {
    (void)state;
    struct folder d;
    struct loaded l;
    folder_fill(&d);
    load(&l, &d);
    assert_int_equal(l.recovery->trials_n, 1);
    assert_int_equal(l.recovery->trials[0].remedies_n, 2);
    assert_string_equal(l.recovery->trials[0].name, "remedies, removal 8");
    const struct remedy *m = find(&l, "l2-early");
    const struct comparison *c = &m->against[AGAINST_TWIN];
    assert_interval(c->without, 30, 30 - 5 * HALF, 30 + 5 * HALF, 3);
    assert_interval(c->with, 6, 6 - HALF, 6 + HALF, 3);
    assert_interval(c->gain, 24, 24 - 4 * HALF, 24 + 4 * HALF, 3);
    assert_interval(c->fraction, 0.8, 0.8, 0.8, 3);
    assert_near(m->accuracy_without.mean, 55);
    assert_near(m->accuracy_with.mean, 79);
    assert_int_equal(comparison_verdict(c), VERDICT_HELPS);
    unload(&l);
    folder_remove(&d);
}

/* Gains 1, 2, -2: mean 1/3, variance 13/3, covariance with the drops 10, theirs 25. With c = t^2 / 3 =
 * 6.1709402: A = 900 - 25 c, B = 10 - 10 c, C = 1/9 - 13/3 c, ends (B -+ sqrt(B^2 - A C)) / A. */
static void fraction_has_fiellers_interval(void **state) {
    (void)state;
    struct folder d;
    struct loaded l;
    folder_fill(&d);
    load(&l, &d);
    const struct comparison *c = &find(&l, "l2-late")->against[AGAINST_TWIN];
    assert_interval(c->gain, 1.0 / 3, 1.0 / 3 - sqrt(13.0 / 3) * HALF,
                    1.0 / 3 + sqrt(13.0 / 3) * HALF, 3);
    assert_near(c->fraction.mean, 1.0 / 90);
    assert_near(c->fraction.low, -0.270631355);
    assert_near(c->fraction.high, 0.131949406);
    assert_int_equal(comparison_verdict(c), VERDICT_NEITHER);
    unload(&l);
    folder_remove(&d);
}

/* Against clean runs of the same total: drops 32, 38, 29 without, 7, 8, 9 with; cost 1, 2, 0. */
static void control_on_clean_data_has_drops_of_its_own(void **state) {
    (void)state;
    struct folder d;
    struct loaded l;
    folder_fill(&d);
    load(&l, &d);
    const struct remedy *m = find(&l, "l2-early");
    const struct comparison *c = &m->against[AGAINST_ON_CLEAN];
    assert_near(c->without.mean, 33);
    assert_near(c->with.mean, 8);
    assert_interval(c->gain, 25, 25 - 5 * HALF, 25 + 5 * HALF, 3);
    assert_near(c->fraction.mean, 25.0 / 33);
    assert_interval(m->cost, 1, 1 - HALF, 1 + HALF, 3);
    assert_int_equal(find(&l, "l2-late")->against[AGAINST_ON_CLEAN].gain.n, 0);
    assert_int_equal(find(&l, "l2-late")->cost.n, 0);
    unload(&l);
    folder_remove(&d);
}

/* Restarted: drops 20, 23, 16 without, 10, 10, 10 with. The clock takes 10, 12, 9 of 30, 35, 25. */
static void control_of_the_clock_says_what_the_rate_explains(void **state) {
    (void)state;
    struct folder d;
    struct loaded l;
    folder_fill(&d);
    load(&l, &d);
    const struct remedy *m = find(&l, "l2-early");
    const struct comparison *c = &m->against[AGAINST_LR_CLOCK];
    assert_near(c->without.mean, 59.0 / 3);
    assert_interval(c->with, 10, 10, 10, 3);
    assert_near(c->gain.mean, 29.0 / 3);
    assert_near(c->fraction.mean, 29.0 / 59);
    assert_interval(m->clock_without, 31.0 / 3, 31.0 / 3 - sqrt(7.0 / 3) * HALF,
                    31.0 / 3 + sqrt(7.0 / 3) * HALF, 3);
    assert_near(m->clock_with.mean, -4);
    assert_int_equal(l.recovery->clocks_n, 1); /* the row without a stabilizer */
    assert_near(l.recovery->clocks[0].accounted.mean, 31.0 / 3);
    assert_false(l.recovery->clocks[0].is_same);
    unload(&l);
    folder_remove(&d);
}

/* 0.3 s in the window, 0.1 s in the same epochs without; no series in one log: the other two. */
static void time_is_compared_in_the_window_only(void **state) {
    (void)state;
    struct folder d;
    struct loaded l;
    folder_fill(&d);
    load(&l, &d);
    assert_near(find(&l, "l2-early")->seconds, 3);
    assert_int_equal(find(&l, "l2-early")->seconds_n, 3);
    assert_near(find(&l, "l2-late")->seconds, 1);
    unload(&l);
    folder_remove(&d);
}

/* 84 - 61, 78 - 52, 75 - 53 = 23, 26, 22. */
static void early_is_compared_with_late_of_the_same_recipe(void **state) {
    (void)state;
    struct folder d;
    struct loaded l;
    folder_fill(&d);
    load(&l, &d);
    const struct trial *t = &l.recovery->trials[0];
    assert_int_equal(t->timings_n, 1);
    assert_string_equal(t->remedies[t->timings[0].early].label, "l2-early");
    assert_near(t->timings[0].difference.mean, 71.0 / 3);
    assert_near(t->timings[0].difference.low, 71.0 / 3 - sqrt(13.0 / 3) * HALF);
    unload(&l);
    add_named(&d, "late", 0,
              (struct fake){.removal = REMOVAL,
                            .accuracy = LATE[0],
                            .act = {{"l2_init[0]", REMOVAL, TOTAL, 0}},
                            .recipe = "  - type: l2_init\n    from: removal\n    lambda: 2\n"});
    load(&l, &d);
    assert_int_equal(l.recovery->trials[0].timings_n, 0); /* another strength is another remedy */
    unload(&l);
    folder_remove(&d);
}

/* ---- tests: the words ------------------------------------------------------------------------ */

static void report_states_each_conclusion_with_and_without_controls(void **state) {
    (void)state;
    struct folder d;
    folder_fill(&d);
    char *text = report_text(&d, false);
    assert_has(
        text, "remedies, removal 8: without a stabilizer the drop is 30.0 points, 95 % interval "
              "[17.6, 42.4], n = 3. With the rate started again at removal it is 19.7 points, 95 % "
              "interval [10.9, 28.4]: the learning-rate clock accounts for 10.3 points, 95 % "
              "interval [6.5, 14.1].");
    assert_has(
        text,
        "l2-early (l2_init, during the deficit, epochs [0, 8)): recovers 80 % of the drop, 95 "
        "% interval [80, 80]; drop 6.0 points with it, gain 24.0, 95 % interval [14.1, 33.9], "
        "n = 3: it helps. Beyond what it does to clean training: recovers 76 % of the drop, ");
    assert_has(text,
               "gain 25.0, 95 % interval [12.6, 37.4], n = 3: it does more for this run than for a "
               "clean one. With the rate started again at removal: recovers 49 % of the drop, ");
    assert_has(text,
               "On clean data it costs 1.0 points, 95 % interval [-1.5, 3.5]. An epoch of its "
               "window took 3.00 times as long.");
    assert_has(text,
               "l2-late (l2_init, after removal, epochs [8, 12)): recovers 1 % of the drop, 95 "
               "% interval [-27, 13]; drop 29.7 points with it, gain 0.3, 95 % interval [-4.8, "
               "5.5], n = 3: no difference that the interval supports.");
    assert_has(text,
               "l2_init: early or late? l2-early (during the deficit) - l2-late (after removal) "
               "= 23.7 points, 95 % interval [18.5, 28.8], n = 3: during the deficit is better.");
    assert_has(text, "too few seeds to rank the stabilizers (n = 3, 6 needed).");
    assert_has_not(text, "No run shows what");
    free(text);
    char *page = file_text(&d, "report.html");
    assert_has(page, "recovers 80 % of the drop");
    free(page);
    folder_remove(&d);
}

static void table_file_holds_every_number(void **state) {
    (void)state;
    struct folder d;
    folder_fill(&d);
    free(report_text(&d, false));
    char *table = file_text(&d, "recovery.tsv");
    assert_non_null(table);
    assert_has(table, "\nremedies\tremedies, removal 8\tl2-early\tl2_init\tduring the deficit\t"
                      "[0, 8)\t0\t8\t55\t");
    assert_has(table, "\tseconds_ratio\tp\tp_holm\n");
    const char *header = strstr(table, "\npart") + 1, *row = strstr(header, "\n") + 1;
    size_t columns = 0, cells = 0;
    for (const char *c = header; *c != '\n'; c++) columns += *c == '\t' ? 1 : 0;
    for (const char *c = row; *c != '\n'; c++) cells += *c == '\t' ? 1 : 0;
    assert_int_equal(columns, cells);
    free(table);
    folder_remove(&d);
}

/* The clean run gains as much from the stabilizer as the spoiled one: cost -24, -28, -20. */
static void gain_that_clean_training_has_too_is_said_not_to_stand(void **state) {
    (void)state;
    struct folder d;
    folder_fill(&d);
    for (int i = 0; i < SEEDS; i++) {
        add_named(&d, "total", i, (struct fake){.accuracy = 70 - i});
        add_named(&d, "cured", i, (struct fake){.accuracy = 70 - i + EARLY[i] - NONE[i] + (i - 1)});
    }
    char *text = report_text(&d, false);
    assert_has(text,
               "no difference from clean runs that the interval supports, so the first conclusion "
               "does not stand by itself.");
    free(text);
    folder_remove(&d);
}

static void stabilizer_that_makes_it_worse_is_said_to_hurt(void **state) {
    (void)state;
    struct folder d;
    struct loaded l;
    folder_fill(&d);
    for (int i = 0; i < SEEDS; i++)
        add_named(&d, "late", i,
                  (struct fake){.removal = REMOVAL,
                                .accuracy = NONE[i] - 9 - i,
                                .act = {{"l2_init[0]", REMOVAL, TOTAL, 0}}});
    load(&l, &d);
    assert_int_equal(comparison_verdict(&find(&l, "l2-late")->against[AGAINST_TWIN]),
                     VERDICT_HURTS);
    assert_true(find(&l, "l2-late")->against[AGAINST_TWIN].fraction.mean < 0);
    unload(&l);
    char *text = report_text(&d, false);
    assert_has(text, "gain -10.0, 95 % interval [-12.5, -7.5], n = 3: it hurts.");
    free(text);
    folder_remove(&d);
}

/* ---- tests: what is missing ------------------------------------------------------------------ */

static void missing_and_diverged_runs_leave_their_seed_out(void **state) {
    (void)state;
    struct folder d;
    struct loaded l;
    char path[PATH_ROOM + 64];
    folder_fill(&d);
    snprintf(path, sizeof path, "%s/runs/none0.h5", d.path);
    assert_int_equal(unlink(path), 0);
    add_named(&d, "late", 2,
              (struct fake){.removal = REMOVAL,
                            .accuracy = 1,
                            .act = {{"l2_init[0]", REMOVAL, TOTAL, 0}},
                            .status = "diverged"});
    load(&l, &d);
    const struct comparison *c = &find(&l, "l2-early")->against[AGAINST_TWIN];
    assert_int_equal(c->gain.n, 2); /* seeds 1 and 2: drops 35, 25 and 7, 5 */
    assert_near(c->without.mean, 30);
    assert_near(c->with.mean, 6);
    assert_near(find(&l, "l2-early")->accuracy_with.mean, 76.5);
    c = &find(&l, "l2-late")->against[AGAINST_TWIN];
    assert_int_equal(c->gain.n, 1);
    assert_near(c->gain.mean, 2);
    unload(&l);
    folder_remove(&d);
}

static void remedy_without_any_run_is_listed_with_none(void **state) {
    (void)state;
    struct folder d;
    struct loaded l;
    folder_fill(&d);
    folder_add_point(&d, "never0", "twin0", "remedies\tsam-late\t0\tnone0\t-\t-\t-\t-\t-");
    load(&l, &d);
    const struct remedy *m = find(&l, "sam-late");
    assert_int_equal(m->when, WHEN_UNKNOWN);
    assert_int_equal(m->against[AGAINST_TWIN].gain.n, 0);
    assert_true(isnan(m->seconds));
    unload(&l);
    char *text = report_text(&d, false);
    assert_has(text,
               "sam-late: no seed of which the run, its clean twin and the run without it are "
               "done.");
    free(text);
    folder_remove(&d);
}

static void without_clean_total_the_matched_comparison_is_empty(void **state) {
    (void)state;
    struct folder d;
    struct loaded l;
    folder_create(&d, "remedy\tseed*\t=unstabilized\t=on_clean");
    for (int i = 0; i < SEEDS; i++) {
        char id[32], twin[32], rest[128];
        fill_seed(&d, i);
        snprintf(id, sizeof id, "early%d", i);
        snprintf(twin, sizeof twin, "twin%d", i);
        snprintf(rest, sizeof rest, "main\tl2-early\t%d\tnone%d\tcured%d", i, i, i);
        folder_add_point(&d, id, twin, rest);
    }
    load(&l, &d);
    const struct remedy *m = &l.recovery->trials[0].remedies[0];
    assert_string_equal(m->label, "l2_init"); /* one remedy: no axis tells it from another */
    assert_string_equal(l.recovery->trials[0].name, "rescue, remedy=l2-early, removal 8");
    assert_near(m->against[AGAINST_TWIN].fraction.mean, 0.8);
    assert_int_equal(m->against[AGAINST_ON_CLEAN].gain.n, 0);
    assert_true(isnan(m->against[AGAINST_ON_CLEAN].fraction.mean) && isnan(m->cost.mean));
    unload(&l);
    char *text = report_text(&d, false);
    assert_has(text, "No run shows what the stabilizers do to clean training");
    assert_has(text, "No run has the rate started again at removal");
    assert_has_not(text, "too few seeds to rank"); /* there is nothing to rank */
    free(text);
    folder_remove(&d);
}

static void one_seed_has_values_and_neither_fraction_nor_conclusion(void **state) {
    (void)state;
    struct folder d;
    struct loaded l;
    folder_create(&d, COLUMNS);
    fill_seed(&d, 0);
    fill_points(&d, 0);
    load(&l, &d);
    const struct comparison *c = &find(&l, "l2-early")->against[AGAINST_TWIN];
    assert_near(c->gain.mean, 24);
    assert_true(isnan(c->gain.low) && isnan(c->fraction.mean));
    assert_int_equal(comparison_verdict(c), VERDICT_UNKNOWN);
    unload(&l);
    char *text = report_text(&d, true);
    assert_has(text, "the drop is 30.0 points, no interval from one seed, n = 1.");
    assert_has(text, "l2-early (l2_init, during the deficit, epochs [0, 8)): drop 6.0 points with "
                     "it, gain 24.0, and no conclusion from one seed.");
    assert_has_not(text, "it helps");
    assert_has_not(text, "gnuplot could not");
    free(text);
    folder_remove(&d);
}

/* Drops 5, -5, 0 without: nothing was lost that could be given back. */
static void drop_that_is_not_shown_has_no_fraction(void **state) {
    (void)state;
    struct folder d;
    struct loaded l;
    folder_fill(&d);
    for (int i = 0; i < SEEDS; i++)
        add_named(&d, "none", i,
                  (struct fake){.removal = REMOVAL,
                                .accuracy = TWIN[i] + (i == 0   ? -5
                                                       : i == 1 ? 5
                                                                : 0)});
    load(&l, &d);
    const struct comparison *c = &find(&l, "l2-early")->against[AGAINST_TWIN];
    assert_near(c->without.mean, 0);
    assert_true(isnan(c->fraction.mean) && isnan(c->fraction.low));
    unload(&l);
    char *text = report_text(&d, false);
    assert_has(text, "no fraction, as no drop is shown without it");
    free(text);
    folder_remove(&d);
}

static void clock_that_changes_no_run_is_said_to_explain_nothing(void **state) {
    (void)state;
    struct folder d;
    folder_create(&d, "remedy\tseed*\t=unstabilized\t=lr_clock\t=lr_clock_twin\t"
                      "=lr_clock_unstabilized");
    for (int i = 0; i < SEEDS; i++) {
        char id[32], twin[32], rest[128];
        fill_seed(&d, i);
        snprintf(id, sizeof id, "early%d", i);
        snprintf(twin, sizeof twin, "twin%d", i);
        snprintf(rest, sizeof rest, "main\tl2-early\t%d\tnone%d\tearly%d\ttwin%d\tnone%d", i, i, i,
                 i, i);
        folder_add_point(&d, id, twin, rest);
        snprintf(id, sizeof id, "none%d", i);
        snprintf(rest, sizeof rest, "main\tnone\t%d\t-\tnone%d\ttwin%d\t-", i, i, i);
        folder_add_point(&d, id, twin, rest);
    }
    char *text = report_text(&d, false);
    assert_has(text, "Starting the rate again at removal changes none of its epochs here: the "
                     "learning-rate clock explains nothing of it.");
    assert_has(text, "changes none of these runs");
    assert_has(text, "same runs");
    free(text);
    folder_remove(&d);
}

/* ---- tests: windows, labels, trials ---------------------------------------------------------- */

/* A sweep of one seed with one remedy of these windows. */
static void assert_window(const struct act *act, size_t n, int onset, enum remedy_when when,
                          const char *window, const char *types) {
    struct folder d;
    struct loaded l;
    folder_create(&d, "seed*\t=unstabilized");
    struct fake run = {.removal = REMOVAL, .onset = onset, .accuracy = 80};
    for (size_t k = 0; k < n; k++) run.act[k] = act[k];
    add_named(&d, "twin", 0, (struct fake){.accuracy = 90});
    add_named(&d, "none", 0, (struct fake){.removal = REMOVAL, .onset = onset, .accuracy = 50});
    add_named(&d, "run", 0, run);
    folder_add_point(&d, "run0", "twin0", "main\t0\tnone0");
    load(&l, &d);
    assert_int_equal(l.recovery->trials_n, 1);
    const struct remedy *m = &l.recovery->trials[0].remedies[0];
    assert_int_equal(m->when, when);
    assert_string_equal(m->window, window);
    assert_string_equal(m->types, types);
    assert_string_equal(m->label, types);
    unload(&l);
    folder_remove(&d);
}

static void windows_are_told_by_where_they_lie(void **state) {
    (void)state;
    const char *a = "l2_init[0]";
    assert_window(&(struct act){a, 0, 8, 0}, 1, 0, WHEN_DURING, "[0, 8)", "l2_init");
    assert_window(&(struct act){a, 2, 5, 0}, 1, 0, WHEN_DURING, "[2, 5)", "l2_init");
    assert_window(&(struct act){a, 0, 12, 0}, 1, 0, WHEN_ALWAYS, "[0, 12)", "l2_init");
    assert_window(&(struct act){a, 2, 12, 0}, 1, 2, WHEN_ALWAYS, "[2, 12)", "l2_init");
    assert_window(&(struct act){a, 8, 12, 0}, 1, 0, WHEN_AFTER, "[8, 12)", "l2_init");
    assert_window(&(struct act){a, 8, 9, 0}, 1, 0, WHEN_AFTER, "[8, 9)", "l2_init");
    assert_window(&(struct act){a, 4, 10, 0}, 1, 0, WHEN_OTHER, "[4, 10)", "l2_init");
    assert_window(&(struct act){a, 0, 8, 0}, 1, 2, WHEN_OTHER, "[0, 8)", "l2_init");
}

/* Epochs 0, 5 and 10: the next one would come behind the end. */
static void stabilizer_that_acts_now_and_then_can_act_always(void **state) {
    (void)state;
    assert_window(&(struct act){"shrink_perturb[0]", 0, 12, 5}, 1, 0, WHEN_ALWAYS, "[0, 11)",
                  "shrink_perturb");
}

/* The run is that of the control with a restarted clock, whose log names no stabilizer. */
static void windows_of_a_shared_run_are_read_off_its_controls(void **state) {
    (void)state;
    struct folder d;
    struct loaded l;
    struct act act = {"lr_restart[0]", REMOVAL, TOTAL, 0};
    folder_create(&d, "seed*\t=unstabilized\t=on_clean");
    add_named(&d, "twin", 0, (struct fake){.accuracy = 90});
    add_named(&d, "none", 0, (struct fake){.removal = REMOVAL, .accuracy = 50});
    add_named(&d, "clock", 0, (struct fake){.removal = REMOVAL, .accuracy = 60});
    add_named(&d, "cured", 0, (struct fake){.accuracy = 88, .act = {act}});
    folder_add_point(&d, "clock0", "twin0", "main\t0\tnone0\tcured0");
    load(&l, &d);
    const struct remedy *m = find(&l, "lr_restart");
    assert_int_equal(m->when, WHEN_AFTER);
    assert_string_equal(m->window, "[8, 12)");
    assert_near(m->seconds, 1);
    unload(&l);
    folder_remove(&d);
}

static void several_stabilizers_share_a_window_or_have_another(void **state) {
    (void)state;
    const struct act same[] = {{"l2_init[0]", 0, 8, 0}, {"grad_clip[1]", 0, 8, 0}};
    const struct act both[] = {{"l2_init[0]", 0, 8, 0}, {"lr_restart[1]", 8, 12, 0}};
    assert_window(same, 2, 0, WHEN_DURING, "[0, 8)", "l2_init + grad_clip");
    assert_window(both, 2, 0, WHEN_OTHER, "[0, 8) + [8, 12)", "l2_init + lr_restart");
}

/* Removal 4 and 8, two strengths each: two trials of two remedies. */
static void each_removal_is_a_trial_and_numbers_keep_their_axis(void **state) {
    (void)state;
    struct folder d;
    struct loaded l;
    folder_create(&d, "t0\tlambda\tseed*\t=unstabilized");
    add_named(&d, "twin", 0, (struct fake){.accuracy = 90});
    for (int t0 = 8; t0 > 0; t0 -= 4) {
        char none[16], id[16], rest[64];
        snprintf(none, sizeof none, "none%d-", t0);
        add_named(&d, none, 0, (struct fake){.removal = t0, .accuracy = 90 - 5 * t0});
        for (int k = 1; k <= 2; k++) {
            snprintf(id, sizeof id, "r%d-%d-", t0, k);
            add_named(&d, id, 0,
                      (struct fake){.removal = t0,
                                    .accuracy = 90 - 3 * t0,
                                    .act = {{"l2_init[0]", 0, t0, 0}}});
            snprintf(id, sizeof id, "r%d-%d-0", t0, k);
            snprintf(rest, sizeof rest, "main\t%d\t%d\t0\tnone%d-0", t0, k, t0);
            folder_add_point(&d, id, "twin0", rest);
        }
    }
    load(&l, &d);
    assert_int_equal(l.recovery->trials_n, 2);
    assert_string_equal(l.recovery->trials[0].name, "rescue, removal 4");
    assert_string_equal(l.recovery->trials[1].name, "rescue, removal 8");
    assert_int_equal(l.recovery->trials[1].remedies_n, 2);
    assert_string_equal(l.recovery->trials[1].remedies[1].label, "lambda=2");
    assert_near(l.recovery->trials[0].remedies[0].against[AGAINST_TWIN].gain.mean, 8);
    unload(&l);
    folder_remove(&d);
}

/* A manifest of before there were roles names none: the run beside it serves. */
static void without_roles_the_unstabilized_run_is_found_among_the_points(void **state) {
    (void)state;
    struct folder d;
    struct loaded l;
    folder_create(&d, "remedy\tseed*");
    for (int i = 0; i < SEEDS; i++) {
        char id[32], twin[32], rest[64];
        fill_seed(&d, i);
        snprintf(twin, sizeof twin, "twin%d", i);
        for (int k = 0; k < 3; k++) {
            const char *name = k == 0 ? "none" : k == 1 ? "early" : "late";
            snprintf(id, sizeof id, "%s%d", name, i);
            snprintf(rest, sizeof rest, "remedies\t%s\t%d", name, i);
            folder_add_point(&d, id, twin, rest);
        }
    }
    load(&l, &d);
    assert_near(find(&l, "early")->against[AGAINST_TWIN].fraction.mean, 0.8);
    assert_near(find(&l, "late")->against[AGAINST_TWIN].fraction.mean, 1.0 / 90);
    unload(&l);
    folder_remove(&d);
}

static void sweep_without_stabilizers_has_no_recovery(void **state) {
    (void)state;
    struct folder d;
    char stale[PATH_ROOM + 64];
    folder_create(&d, "t0\tseed*");
    for (int i = 0; i < SEEDS; i++) {
        char id[32], twin[32], rest[64];
        add_named(&d, "twin", i, (struct fake){.accuracy = TWIN[i]});
        add_named(&d, "none", i, (struct fake){.removal = REMOVAL, .accuracy = NONE[i]});
        snprintf(twin, sizeof twin, "twin%d", i);
        snprintf(id, sizeof id, "none%d", i);
        snprintf(rest, sizeof rest, "blur\t8\t%d", i);
        folder_add_point(&d, id, twin, rest);
        snprintf(rest, sizeof rest, "blur\t0\t%d", i);
        folder_add_point(&d, twin, twin, rest);
    }
    snprintf(stale, sizeof stale, "%s/recovery.tsv", d.path);
    FILE *old = fopen(stale, "w");
    assert_non_null(old);
    fclose(old);
    char *text = report_text(&d, true);
    assert_has_not(text, "Recovery =");
    assert_has_not(text, "stabilizer");
    assert_has_not(text, "clock");
    free(text);
    assert_null(file_text(&d, "recovery.tsv"));
    assert_null(file_text(&d, "figures/senses-blur.gp"));
    folder_remove(&d);
}

/* ---- tests: ranking -------------------------------------------------------------------------- */

enum { MANY = 6 };

static const double GAIN[3][MANY] = {
    {-1, 1, -1, 1, -1, 1}, {10, 11, 12, 13, 14, 15}, {20, 22, 21, 25, 24, 23}};

static void fill_ranking(struct folder *d) {
    folder_create(d, "remedy\tseed*\t=unstabilized");
    static const char *const NAME[] = {"poor", "fair", "good"};
    for (int i = 0; i < MANY; i++) {
        char twin[32];
        snprintf(twin, sizeof twin, "twin%d", i);
        add_named(d, "twin", i, (struct fake){.accuracy = 90});
        add_named(d, "none", i, (struct fake){.removal = REMOVAL, .accuracy = 50 + i});
        for (int k = 0; k < 3; k++) {
            char id[32], rest[64];
            add_named(d, NAME[k], i,
                      (struct fake){.removal = REMOVAL,
                                    .accuracy = 50 + i + GAIN[k][i],
                                    .act = {{"l2_init[0]", 0, REMOVAL, 0}}});
            snprintf(id, sizeof id, "%s%d", NAME[k], i);
            snprintf(rest, sizeof rest, "main\t%s\t%d\tnone%d", NAME[k], i, i);
            folder_add_point(d, id, twin, rest);
        }
    }
}

static void six_seeds_are_ranked_and_corrected_by_holm(void **state) {
    (void)state;
    struct folder d;
    struct loaded l;
    fill_ranking(&d);
    load(&l, &d);
    const struct trial *t = &l.recovery->trials[0];
    const struct remedy *good = find(&l, "good"), *fair = find(&l, "fair"),
                        *poor = find(&l, "poor");
    assert_int_equal(t->ranked_n, 3);
    assert_int_equal(good->rank, 1);
    assert_int_equal(fair->rank, 2);
    assert_int_equal(poor->rank, 3);
    assert_near(poor->p, 1); /* the mean gain is 0 */
    assert_near(poor->p_holm, 1);
    assert_true(good->p < fair->p && fair->p < 1e-4); /* 22.5 and 12.5 with one s.d. */
    assert_true(good->p_holm == 3 * good->p && fair->p_holm == 2 * fair->p);
    unload(&l);
    char *text = report_text(&d, false);
    assert_has(text,
               "ranked by mean gain. p: of no gain, paired t; Holm corrects it for the 3 that");
    assert_has(text, "   1  good        6  22.5  [20.5, 24.5]  8.4e-07  2.5e-06");
    assert_has_not(text, "too few seeds");
    free(text);
    folder_remove(&d);
}

/* Five seeds of the best one are not enough for it, and the other two are ranked without it. */
static void remedy_of_fewer_seeds_is_not_ranked(void **state) {
    (void)state;
    struct folder d;
    struct loaded l;
    char path[PATH_ROOM + 64];
    fill_ranking(&d);
    snprintf(path, sizeof path, "%s/runs/good3.h5", d.path);
    assert_int_equal(unlink(path), 0);
    load(&l, &d);
    assert_int_equal(l.recovery->trials[0].ranked_n, 2);
    assert_int_equal(find(&l, "good")->rank, 0);
    assert_true(isnan(find(&l, "good")->p_holm));
    assert_int_equal(find(&l, "fair")->rank, 1);
    assert_true(find(&l, "fair")->p_holm == 2 * find(&l, "fair")->p);
    unload(&l);
    folder_remove(&d);
}

/* ---- tests: figures -------------------------------------------------------------------------- */

static bool has_gnuplot(void) {
    return system("gnuplot --version >/dev/null 2>&1") == 0;
}

static void assert_drawn(const struct folder *d, const char *name) {
    char path[128];
    snprintf(path, sizeof path, "figures/%s.png", name);
    char *png = file_text(d, path);
    if (!png) fail_msg("%s was not drawn", path);
    assert_memory_equal(png, "\x89PNG\r\n\x1a\n", 8);
    free(png);
}

static void recovery_is_drawn_with_its_data_beside_it(void **state) {
    (void)state;
    struct folder d;
    folder_fill(&d);
    char *text = report_text(&d, true);
    if (has_gnuplot()) assert_has_not(text, "Warning");
    free(text);
    char *data = file_text(&d, "figures/recovery-remedies-removal-8.tsv");
    assert_non_null(data);
    assert_has(data, "\nl2-early\t0\t3\t24\t14.06");
    assert_has(data, "\nl2-early\t0\t3\t25\t12.57"); /* beyond clean training */
    assert_has(data, "\nl2-late\t1\t3\t0.3333333333\t-4.8");
    free(data);
    if (has_gnuplot()) assert_drawn(&d, "recovery-remedies-removal-8");
    assert_null(file_text(&d, "figures/senses-remedies.gp")); /* one modality */
    folder_remove(&d);
}

/* The last RSV is that of row 11; the trace at removal 4 is 1e-4, in the first row 1. */
static void senses_are_drawn_by_level(void **state) {
    (void)state;
    struct folder d;
    folder_create(&d, "t0\tseed*");
    for (int i = 0; i < SEEDS; i++)
        for (int t0 = 0; t0 <= 8; t0 += 4) {
            char id[48], name[16], twin[32], rest[64];
            snprintf(name, sizeof name, t0 ? "t%d-" : "twin", t0);
            snprintf(id, sizeof id, "%s%d", name, i);
            snprintf(twin, sizeof twin, "twin%d", i);
            snprintf(rest, sizeof rest, "leak\t%d\t%d", t0, i);
            add_named(&d, name, i,
                      (struct fake){.removal = t0, .accuracy = TWIN[i] - 5 * t0, .senses = true});
            folder_add_point(&d, id, twin, rest);
        }
    char *text = report_text(&d, true);
    if (has_gnuplot()) assert_has_not(text, "Warning");
    free(text);
    char *data = file_text(&d, "figures/senses-leak.tsv");
    assert_non_null(data);
    assert_has(data, "\n4\t65\t52.579");
    assert_has(data, "\n4\t-0.6\t-0.6\t-0.6\t3\n");
    assert_has(data, "\n4\t0.0001\t0.0001\t0.0001\t3\n");
    free(data);
    data = file_text(&d, "figures/rsv-leak.tsv");
    assert_non_null(data);
    assert_has(data, "\n-0.75\t0.25\t0.25\t0.25\t3\n");
    assert_has(data, "\n0.75\t0.75\t0.75\t0.75\t3\n");
    free(data);
    if (has_gnuplot()) {
        assert_drawn(&d, "senses-leak");
        assert_drawn(&d, "rsv-leak");
    }
    folder_remove(&d);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(drops_gain_and_fraction_are_paired_by_seed),
        cmocka_unit_test(fraction_has_fiellers_interval),
        cmocka_unit_test(control_on_clean_data_has_drops_of_its_own),
        cmocka_unit_test(control_of_the_clock_says_what_the_rate_explains),
        cmocka_unit_test(time_is_compared_in_the_window_only),
        cmocka_unit_test(early_is_compared_with_late_of_the_same_recipe),
        cmocka_unit_test(report_states_each_conclusion_with_and_without_controls),
        cmocka_unit_test(table_file_holds_every_number),
        cmocka_unit_test(gain_that_clean_training_has_too_is_said_not_to_stand),
        cmocka_unit_test(stabilizer_that_makes_it_worse_is_said_to_hurt),
        cmocka_unit_test(missing_and_diverged_runs_leave_their_seed_out),
        cmocka_unit_test(remedy_without_any_run_is_listed_with_none),
        cmocka_unit_test(without_clean_total_the_matched_comparison_is_empty),
        cmocka_unit_test(one_seed_has_values_and_neither_fraction_nor_conclusion),
        cmocka_unit_test(drop_that_is_not_shown_has_no_fraction),
        cmocka_unit_test(clock_that_changes_no_run_is_said_to_explain_nothing),
        cmocka_unit_test(windows_are_told_by_where_they_lie),
        cmocka_unit_test(stabilizer_that_acts_now_and_then_can_act_always),
        cmocka_unit_test(windows_of_a_shared_run_are_read_off_its_controls),
        cmocka_unit_test(several_stabilizers_share_a_window_or_have_another),
        cmocka_unit_test(each_removal_is_a_trial_and_numbers_keep_their_axis),
        cmocka_unit_test(without_roles_the_unstabilized_run_is_found_among_the_points),
        cmocka_unit_test(sweep_without_stabilizers_has_no_recovery),
        cmocka_unit_test(six_seeds_are_ranked_and_corrected_by_holm),
        cmocka_unit_test(remedy_of_fewer_seeds_is_not_ranked),
        cmocka_unit_test(recovery_is_drawn_with_its_data_beside_it),
        cmocka_unit_test(senses_are_drawn_by_level),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
