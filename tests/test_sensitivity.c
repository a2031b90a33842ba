/* Windows of deficit by onset and length, on small logs written here whose drops are known. */
#include "analysis/sensitivity.h"

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

enum { TOTAL = 24, SEEDS = 3, PATH_ROOM = 512 };

/* A run of TOTAL epochs whose window is [onset, onset + length); length 0: a clean run. */
struct fake {
    const char *id, *twin;
    int onset, length, seed;
    double accuracy;    /* final, fraction */
    int fast;           /* the first epoch with all of it; until then none */
    const char *status; /* NULL: done */
};

struct folder {
    char path[PATH_ROOM];
    FILE *manifest;
};

/* ---- writing logs ---------------------------------------------------------------------------- */

/* The trace rises by 1 an epoch, except that of the initialization, which no window may count. */
static void put_series(struct h5_writer *w, const struct fake *f) {
    static const char *const BY_EPOCH[] = {"epoch"};
    int64_t epoch[TOTAL + 1];
    double accuracy[TOTAL + 1], trace[TOTAL + 1], lr[TOTAL + 1];
    for (int i = 0; i <= TOTAL; i++) {
        epoch[i] = i;
        accuracy[i] = i < f->fast ? 0.1 : f->accuracy;
        trace[i] = i ? i : 1000;
        lr[i] = i ? 0.1 : NAN;
    }
    h5_put_scale_ints(w, "epoch", epoch, TOTAL + 1, NULL);
    h5_put_doubles(w, "test_accuracy", accuracy, 1, BY_EPOCH, NULL);
    h5_put_doubles(w, "fisher_trace", trace, 1, BY_EPOCH, NULL);
    h5_put_doubles(w, "lr", lr, 1, BY_EPOCH, NULL);
}

static void folder_add_log(struct folder *d, const struct fake *f) {
    struct error e = {0};
    char path[PATH_ROOM + 64];
    snprintf(path, sizeof path, "%s/runs/%s.h5", d->path, f->id);
    struct h5_writer *w = h5_create(path);
    double rows = 3, accuracy = f->status ? NAN : f->accuracy;
    put_series(w, f);
    h5_put_attr_text(w, "/", "run_id", f->id);
    h5_put_attr_text(w, "/", "twin_run_id", f->twin);
    h5_put_attr_text(w, "/", "experiment", "slides");
    h5_put_attr_text(w, "/", "status", f->status ? f->status : "done");
    h5_put_attr_text(w, "/", "numerics_id", "numbers-1");
    h5_put_attr_int(w, "/", "onset", f->length ? f->onset : 0);
    h5_put_attr_int(w, "/", "removal", f->length ? f->onset + f->length : 0);
    h5_put_attr_int(w, "/", "seed", f->seed);
    h5_put_attr_int(w, "/", "final_last", 3);
    h5_put_attr_real(w, "/", "lr_at_removal", 0.1);
    h5_put_doubles(w, "final/test_accuracy", &accuracy, 0, NULL, NULL);
    h5_put_doubles(w, "final/rows", &rows, 0, NULL, NULL);
    if (h5_commit(w, false, &e)) fail_msg("%s", e.text);
}

static void folder_create(struct folder *d, const char *axes) {
    char path[PATH_ROOM + 64];
    snprintf(d->path, sizeof d->path, "/tmp/imprint-slides-XXXXXX");
    if (!mkdtemp(d->path)) fail_msg("no folder under /tmp");
    snprintf(path, sizeof path, "%s/runs", d->path);
    assert_int_equal(mkdir(path, 0777), 0);
    snprintf(path, sizeof path, "%s/sweep.tsv", d->path);
    d->manifest = fopen(path, "w");
    assert_non_null(d->manifest);
    fprintf(d->manifest, "# imprint sweep 1\nrun\ttwin\tpart\t%s\n", axes);
    fflush(d->manifest);
}

static void folder_remove(struct folder *d) {
    char command[PATH_ROOM + 64];
    fclose(d->manifest);
    snprintf(command, sizeof command, "rm -rf '%s'", d->path);
    assert_int_equal(system(command), 0);
}

/* `labels`: part and the labels of the axes, tab-separated. */
static void folder_add(struct folder *d, const struct fake *f, const char *labels) {
    folder_add_log(d, f);
    fprintf(d->manifest, "%s\t%s\t%s\n", f->id, f->twin, labels);
    fflush(d->manifest);
}

static void twin_id(char *id, size_t room, int seed) {
    snprintf(id, room, "clean%d", seed);
}

/* Clean twins with 90 %, of which they have all at epochs 3, 4 and 5: mean 4. */
static void folder_add_twins(struct folder *d) {
    for (int seed = 0; seed < SEEDS; seed++) {
        char id[32];
        twin_id(id, sizeof id, seed);
        folder_add_log(d, &(struct fake){id, id, 0, 0, seed, 0.9, 3 + seed, NULL});
    }
}

/* A window in one seed that costs `drop` points, as a line "part, onset, length, seed". */
static void folder_add_window(struct folder *d, const char *part, int onset, int length, int seed,
                              double drop) {
    char id[96], twin[32], labels[128];
    snprintf(id, sizeof id, "%.20s-%d-%d-%d", part, onset, length, seed);
    twin_id(twin, sizeof twin, seed);
    snprintf(labels, sizeof labels, "%s\t%d\t%d\t%d", part, onset, length, seed);
    folder_add(d, &(struct fake){id, twin, onset, length, seed, 0.9 - drop / 100, 1, NULL}, labels);
}

/* The same in all seeds: drop - 1, drop, drop + 1. */
static void folder_add_windows(struct folder *d, const char *part, int onset, int length,
                               double drop) {
    for (int seed = 0; seed < SEEDS; seed++)
        folder_add_window(d, part, onset, length, seed, drop + seed - 1);
}

static const int ONSET[] = {0, 2, 4, 8};
enum { ONSETS = sizeof ONSET / sizeof *ONSET };

/* Mean drops 2, 10, 6, 0 for windows of 4 epochs and 20, 12, 11, 10 for windows of 8. */
static void folder_fill(struct folder *d, const char *part) {
    static const double SHORT[ONSETS] = {2, 10, 6, 0}, LONG[ONSETS] = {20, 12, 11, 10};
    folder_add_twins(d);
    for (size_t i = 0; i < ONSETS; i++) {
        folder_add_windows(d, part, ONSET[i], 4, SHORT[i]);
        folder_add_windows(d, part, ONSET[i], 8, LONG[i]);
    }
}

/* ---- reading --------------------------------------------------------------------------------- */

struct loaded {
    struct results *results;
    struct summary *summary;
    struct sensitivity *windows;
};

static void load(struct loaded *l, const struct folder *d) {
    struct error e = {0};
    if (results_load(&l->results, d->path, &e)) fail_msg("%s", e.text);
    l->summary = summary_create(l->results);
    l->windows = sensitivity_create(l->summary);
}

static void unload(struct loaded *l) {
    sensitivity_free(l->windows);
    summary_free(l->summary);
    results_free(l->results);
}

/* The report's words with line breaks as spaces, so that a sentence can be searched. */
static char *report_text(const struct folder *d, bool figures) {
    struct error e = {0};
    char *text;
    size_t n;
    const char *path = d->path;
    FILE *out = open_memstream(&text, &n);
    int status = report_main(&path, 1, &(struct report_options){.figures = figures}, out, &e);
    fclose(out);
    if (status) fail_msg("%s", e.text);
    for (char *c = text; *c; c++)
        if (*c == '\n') *c = ' ';
    return text;
}

static char *file_text(const struct folder *d, const char *name) {
    char path[PATH_ROOM + 64];
    snprintf(path, sizeof path, "%s/%s", d->path, name);
    FILE *in = fopen(path, "rb");
    if (!in) return NULL;
    char *text = calloc(1, 1 << 22);
    assert_non_null(text);
    size_t n = fread(text, 1, (1 << 22) - 1, in);
    assert_true(n < (1 << 22) - 1);
    fclose(in);
    return text;
}

static void assert_has(const char *text, const char *part) {
    assert_non_null(text);
    if (!strstr(text, part)) fail_msg("no '%s' in:\n%s", part, text);
}

static void assert_has_not(const char *text, const char *part) {
    if (strstr(text, part)) fail_msg("'%s' in:\n%s", part, text);
}

/* Accuracies are fractions in doubles: 100 (0.9 - 0.8) is 10 to about 1e-14. */
static void assert_near(double value, double expected) {
    if (!(fabs(value - expected) <= 1e-9)) fail_msg("%.17g is not %.17g", value, expected);
}

/* Of three values 1 apart: s.d. 1, so t(0.975, 2) / sqrt(3). */
static const double HALF = 4.302652729911275 / 1.7320508075688772;

/* ---- tests: the numbers ---------------------------------------------------------------------- */

/* Half of the peak of 10 is 5: between 2 (at onset 0) and 10 (at 2) at 0.75, between 6 (at 4) and 0
 * (at 8) at 4 + 2/3. Late are the onsets from 4 on: (6 + 0) / 2. Ranks of the drops 2 4 3 1, of the
 * rising trace 1 2 3 4: rho = 1 - 6 (1 + 4 + 0 + 9) / 60. */
static void peak_width_late_drop_and_correlation_of_a_known_surface_are_right(void **state) {
    (void)state;
    struct folder d = {0};
    struct loaded l;
    folder_create(&d, "onset\tlength\tseed*");
    folder_fill(&d, "window");
    load(&l, &d);
    assert_int_equal(l.windows->maps_n, 1);
    assert_int_equal(l.windows->maps[0].slides_n, 2);
    assert_int_equal(l.windows->maps[0].onsets_n, ONSETS);
    const struct slide *s = &l.windows->maps[0].slides[0];
    assert_near(s->length, 4);
    assert_int_equal(s->peak, 1);
    assert_near(s->onset.mean, 2);
    assert_near(s->onset.low, 2); /* all seeds agree, so every resample does */
    assert_near(s->onset.high, 2);
    assert_near(s->windows[1].row->drop_t.low, 10 - HALF);
    assert_true(s->is_shown);
    assert_near(s->width.mean, 4 + 2.0 / 3 - 0.75);
    assert_false(s->width_is_cut);
    assert_near(s->fast.mean, 4);
    assert_near(s->fast.low, 4 - HALF);
    assert_int_equal(s->late_n, 2);
    assert_near(s->late.mean, 3);
    assert_near(s->late.high, 3 + HALF);
    assert_near(s->share.mean, 0.3);
    assert_near(s->fisher.mean, -0.4);
    assert_near(s->fisher_of_means, -0.4);
    assert_int_equal(s->fisher.n, SEEDS);
    unload(&l);
    folder_remove(&d);
}

/* 20 12 11 10: half of the peak is 10, which the last onset still has. No window opens before 0,
 * so that end is whole. */
static void width_that_reaches_the_last_onset_is_a_lower_bound(void **state) {
    (void)state;
    struct folder d = {0};
    struct loaded l;
    folder_create(&d, "onset\tlength\tseed*");
    folder_fill(&d, "window");
    load(&l, &d);
    const struct slide *s = &l.windows->maps[0].slides[1];
    assert_int_equal(s->peak, 0);
    assert_near(s->width.mean, 8);
    assert_true(s->width_is_cut);
    unload(&l);
    char *text = report_text(&d, false);
    assert_has(text, "Half of it or more is lost over at least 8.0 epochs of onset.");
    free(text);
    folder_remove(&d);
}

static void width_from_onset_0_is_not_cut_there(void **state) {
    (void)state;
    static const double DROP[ONSETS] = {20, 5, 0, 0};
    struct folder d = {0};
    struct loaded l;
    folder_create(&d, "onset\tlength\tseed*");
    folder_add_twins(&d);
    for (size_t i = 0; i < ONSETS; i++) folder_add_windows(&d, "window", ONSET[i], 4, DROP[i]);
    load(&l, &d);
    const struct slide *s = &l.windows->maps[0].slides[0];
    assert_near(s->width.mean, 2 * 10.0 / 15); /* 20 -> 5 between 0 and 2; 10 is two thirds down */
    assert_false(s->width_is_cut);
    unload(&l);
    folder_remove(&d);
}

/* Seeds peak at 0, 8 and 8, so resamples with two or three of the first peak at 0. */
static void onset_on_which_seeds_disagree_has_a_wide_interval(void **state) {
    (void)state;
    static const double DROP[SEEDS][2] = {{40, 10}, {10, 30}, {10, 30}};
    struct folder d = {0};
    struct loaded l;
    folder_create(&d, "onset\tlength\tseed*");
    folder_add_twins(&d);
    for (int seed = 0; seed < SEEDS; seed++) {
        folder_add_window(&d, "window", 0, 4, seed, DROP[seed][0]);
        folder_add_window(&d, "window", 8, 4, seed, DROP[seed][1]);
    }
    load(&l, &d);
    const struct slide *s = &l.windows->maps[0].slides[0];
    assert_near(s->onset.mean, 8);
    assert_near(s->onset.low, 0);
    assert_near(s->onset.high, 8);
    unload(&l);
    char *text = report_text(&d, false);
    assert_has(text, "(bootstrap of that onset [0, 8]; of each seed by itself: 0 8 8)");
    assert_has(text, "The bootstraps draw from 3 seeds: with so few they are too narrow.");
    free(text);
    folder_remove(&d);
}

/* ---- tests: the words ------------------------------------------------------------------------ */

static void report_says_peak_phase_and_late_drop_with_their_intervals(void **state) {
    (void)state;
    struct folder d = {0};
    folder_create(&d, "onset\tlength\tseed*");
    folder_fill(&d, "window");
    char *text = report_text(&d, false);
    assert_has(text,
               "window, windows of 4 epochs: the mean drop is largest for onset 2: 10.0 points, "
               "95 % interval [7.5, 12.5], n = 3 (bootstrap of that onset [2, 2]; of each seed "
               "by itself: 2 2 2). Half of it or more is lost over 3.9 epochs of onset. The "
               "clean twin has 90 % of its final accuracy at epoch 4.0, 95 % interval [1.5, "
               "6.5]: the peak lies inside this fast-learning phase, but the intervals of both "
               "overlap. The 2 windows that open later cost 3.0 points on the mean, 95 % "
               "interval [0.5, 5.5]; 0.30 of the peak's (bootstrap [");
    assert_has(text,
               "Spearman's correlation, over 4 onsets, of the drop with the clean twin's Fisher "
               "trace over the window: -0.40, 95 % interval [-0.40, -0.40], mean of 3 seeds.");
    assert_has(text,
               "window: clean epochs after removal range from 20 (onset 0) to 8 (onset 8): what "
               "a late window costs is seen after the shorter recovery.");
    assert_has(text, "2  10.0   [7.5, 12.5]  3           4.5");
    free(text);
    char *table = file_text(&d, "sensitivity.tsv");
    assert_has(table, "\nwindow\twindow\t4\t4\t3\t2\t2\t2\t10\t7.5158");
    char *page = file_text(&d, "report.html");
    assert_has(page, "windows of 4 epochs");
    free(table);
    free(page);
    folder_remove(&d);
}

static void peak_after_the_fast_phase_is_said_to_be_after_it(void **state) {
    (void)state;
    struct folder d = {0};
    folder_create(&d, "onset\tlength\tseed*");
    folder_add_twins(&d);
    folder_add_windows(&d, "window", 0, 4, 3);
    folder_add_windows(&d, "window", 12, 4, 30);
    char *text = report_text(&d, false);
    assert_has(text, "[1.5, 6.5]: the peak lies after this fast-learning phase.");
    free(text);
    folder_remove(&d);
}

static void drop_that_is_not_shown_has_neither_width_nor_phase(void **state) {
    (void)state;
    struct folder d = {0};
    folder_create(&d, "onset\tlength\tseed*");
    folder_add_twins(&d);
    folder_add_windows(&d, "window", 0, 4, 1);
    folder_add_windows(&d, "window", 8, 4, 0);
    char *text = report_text(&d, false);
    assert_has(text, "onset 0: 1.0 points, 95 % interval [-1.5, 3.5]");
    assert_has(text, "That interval includes 0, so neither a peak nor a width is read off.");
    assert_has(text, "cost 0.0 points on the mean, 95 % interval [-2.5, 2.5], which includes 0.");
    assert_has_not(text, "lies inside");
    assert_has_not(text, "Half of it");
    free(text);
    folder_remove(&d);
}

static void one_seed_has_values_and_no_interval(void **state) {
    (void)state;
    struct folder d = {0};
    folder_create(&d, "onset\tlength\tseed*");
    folder_add_twins(&d);
    folder_add_window(&d, "window", 0, 4, 1, 12);
    folder_add_window(&d, "window", 8, 4, 1, 3);
    char *text = report_text(&d, false);
    assert_has(text, "largest for onset 0: 12.0 points, no interval from one seed, n = 1.");
    assert_has(text, "at epoch 4.0, no interval from one seed: the peak lies inside");
    assert_has_not(text, "bootstrap");
    assert_has_not(text, "[");
    free(text);
    folder_remove(&d);
}

/* ---- tests: what is a window ----------------------------------------------------------------- */

/* The logs say what the windows are; axes are called and labelled as the user liked. */
static void windows_are_found_whatever_the_axes_are_called(void **state) {
    (void)state;
    struct folder d = {0};
    struct loaded l;
    folder_create(&d, "begin\thow-long\tseed*");
    folder_add_twins(&d);
    for (size_t i = 0; i < 2; i++)
        for (int length = 4; length <= 8; length += 4) {
            char id[32], labels[64];
            snprintf(id, sizeof id, "r%zu-%d", i, length);
            snprintf(labels, sizeof labels, "main\t%s\t%s\t1", i ? "late" : "early",
                     length == 4 ? "short" : "long");
            folder_add(&d, &(struct fake){id, "clean1", i ? 9 : 0, length, 1, 0.7, 1, NULL},
                       labels);
        }
    load(&l, &d);
    assert_int_equal(l.windows->maps_n, 1);
    const struct window_map *m = &l.windows->maps[0];
    assert_string_equal(m->name, "slides"); /* the experiment: "main" names nothing */
    assert_int_equal(m->slides_n, 2);
    assert_near(m->onsets[1], 9);
    assert_non_null(window_map_at(m, 9, 8));
    assert_null(window_map_at(m, 9, 5));
    unload(&l);
    folder_remove(&d);
}

/* Onset x removal in absolute epochs: windows of 4 open at 0, 4 and 8, one of 8 at 0. */
static void lengths_come_from_onset_and_removal(void **state) {
    (void)state;
    static const int WINDOW[][2] = {{0, 4}, {4, 8}, {8, 12}, {0, 8}};
    struct folder d = {0};
    struct loaded l;
    folder_create(&d, "from\tuntil\tseed*");
    folder_add_twins(&d);
    for (size_t i = 0; i < 4; i++) {
        char id[32], labels[64];
        snprintf(id, sizeof id, "r%zu", i);
        snprintf(labels, sizeof labels, "grid\t%d\t%d\t1", WINDOW[i][0], WINDOW[i][1]);
        folder_add(&d,
                   &(struct fake){id, "clean1", WINDOW[i][0], WINDOW[i][1] - WINDOW[i][0], 1, 0.7,
                                  1, NULL},
                   labels);
    }
    load(&l, &d);
    assert_int_equal(l.windows->maps_n, 1);
    assert_int_equal(l.windows->maps[0].slides_n, 2);
    assert_int_equal(l.windows->maps[0].slides[0].windows_n, 3);
    assert_int_equal(l.windows->maps[0].slides[1].windows_n, 1);
    unload(&l);
    char *text = report_text(&d, false);
    assert_has(text, "grid, windows of 4 epochs:");
    assert_has_not(text, "windows of 8 epochs:"); /* one onset tells nothing of onsets */
    free(text);
    folder_remove(&d);
}

static void other_axes_make_maps_of_their_own(void **state) {
    (void)state;
    struct folder d = {0};
    struct loaded l;
    folder_create(&d, "onset\tremedy\tseed*");
    folder_add_twins(&d);
    for (int i = 0; i < 4; i++) {
        char id[32], labels[64];
        snprintf(id, sizeof id, "r%d", i);
        snprintf(labels, sizeof labels, "main\t%d\t%s\t1", i / 2 * 8, i % 2 ? "sam" : "none");
        folder_add(&d, &(struct fake){id, "clean1", i / 2 * 8, 4, 1, 0.7, 1, NULL}, labels);
    }
    load(&l, &d);
    assert_int_equal(l.windows->maps_n, 2);
    assert_string_equal(l.windows->maps[0].name, "slides, remedy=none");
    assert_string_equal(l.windows->maps[1].name, "slides, remedy=sam");
    unload(&l);
    folder_remove(&d);
}

static void runs_that_are_not_done_are_left_out(void **state) {
    (void)state;
    struct folder d = {0};
    struct loaded l;
    folder_create(&d, "onset\tlength\tseed*");
    folder_fill(&d, "window");
    folder_add_log(&d, &(struct fake){"window-2-4-2", "clean2", 2, 4, 2, 0.01, 1, "diverged"});
    load(&l, &d);
    const struct slide *s = &l.windows->maps[0].slides[0];
    assert_int_equal(s->windows[1].row->drop_t.n, 2);
    assert_near(s->windows[1].row->drop_t.mean, 9.5);
    assert_int_equal(s->fisher.n, SEEDS); /* that seed's other three onsets still correlate */
    unload(&l);
    folder_remove(&d);
}

/* Removal epochs alone, all with onset 0; and clean runs, which are no windows. */
static void sweep_without_onsets_has_no_sensitivity(void **state) {
    (void)state;
    struct folder d = {0};
    char stale[PATH_ROOM + 64];
    folder_create(&d, "t0\tseed*");
    folder_add_twins(&d);
    for (int t0 = 0; t0 <= 8; t0 += 4) {
        char id[32], labels[64];
        snprintf(id, sizeof id, t0 ? "r%d" : "clean1", t0);
        snprintf(labels, sizeof labels, "blur\t%d\t1", t0);
        folder_add(&d, &(struct fake){id, "clean1", 0, t0, 1, 0.9, 1, NULL}, labels);
    }
    snprintf(stale, sizeof stale, "%s/sensitivity.tsv", d.path);
    FILE *old = fopen(stale, "w");
    assert_non_null(old);
    fclose(old);
    char *text = report_text(&d, true);
    assert_has_not(text, "sensitivity");
    assert_has_not(text, "windows of");
    free(text);
    assert_null(file_text(&d, "sensitivity.tsv"));
    assert_null(file_text(&d, "figures/sensitivity-blur.gp"));
    assert_null(file_text(&d, "figures/map-blur.gp"));
    folder_remove(&d);
}

/* ---- tests: the figures ---------------------------------------------------------------------- */

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

static void map_and_sensitivity_are_drawn_with_their_data_beside_them(void **state) {
    (void)state;
    struct folder d = {0};
    folder_create(&d, "onset\tlength\tseed*");
    folder_fill(&d, "window");
    char *text = report_text(&d, true);
    if (has_gnuplot()) assert_has_not(text, "Warning");
    free(text);
    char *data = file_text(&d, "figures/map-window.tsv");
    assert_has(data, "\n2\t4\t10\t7.515862"); /* 10 - 4.302653 / sqrt(3) */
    assert_has(data, "\t3\t1\t0\t10.0\t\302\2612.5\n");
    free(data);
    data = file_text(&d, "figures/sensitivity-window.tsv");
    assert_has(data, "\n8\t0\t20\t17.5158");
    assert_has(data, "\n4\t2\t9\n");          /* a seed by itself */
    assert_has(data, "\n5\t90\t90\t90\t3\n"); /* the twins' accuracy is past all their steps */
    free(data);
    if (has_gnuplot()) {
        assert_drawn(&d, "map-window");
        assert_drawn(&d, "sensitivity-window");
    }
    folder_remove(&d);
}

static void one_length_has_a_sensitivity_figure_and_no_map(void **state) {
    (void)state;
    struct folder d = {0};
    folder_create(&d, "onset\tlength\tseed*");
    folder_add_twins(&d);
    folder_add_window(&d, "window", 0, 4, 1, 12);
    folder_add_window(&d, "window", 8, 4, 1, 3);
    char *text = report_text(&d, true);
    if (has_gnuplot()) assert_has_not(text, "Warning");
    free(text);
    char *data = file_text(&d, "figures/sensitivity-window.tsv");
    assert_has(data, "\n4\t0\t12\tNaN\tNaN\t1\n");
    free(data);
    assert_null(file_text(&d, "figures/map-window.tsv"));
    folder_remove(&d);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(peak_width_late_drop_and_correlation_of_a_known_surface_are_right),
        cmocka_unit_test(width_that_reaches_the_last_onset_is_a_lower_bound),
        cmocka_unit_test(width_from_onset_0_is_not_cut_there),
        cmocka_unit_test(onset_on_which_seeds_disagree_has_a_wide_interval),
        cmocka_unit_test(report_says_peak_phase_and_late_drop_with_their_intervals),
        cmocka_unit_test(peak_after_the_fast_phase_is_said_to_be_after_it),
        cmocka_unit_test(drop_that_is_not_shown_has_neither_width_nor_phase),
        cmocka_unit_test(one_seed_has_values_and_no_interval),
        cmocka_unit_test(windows_are_found_whatever_the_axes_are_called),
        cmocka_unit_test(lengths_come_from_onset_and_removal),
        cmocka_unit_test(other_axes_make_maps_of_their_own),
        cmocka_unit_test(runs_that_are_not_done_are_left_out),
        cmocka_unit_test(sweep_without_onsets_has_no_sensitivity),
        cmocka_unit_test(map_and_sensitivity_are_drawn_with_their_data_beside_them),
        cmocka_unit_test(one_length_has_a_sensitivity_figure_and_no_map),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
