/* `imprint report` and `imprint table` on small logs written here, whose numbers are known. */
#include "analysis/report.h"
#include "analysis/table.h"

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

#include "base/h5.h"

enum { CLEAN_EPOCHS = 4, EPOCHS_MOST = 40, PATH_ROOM = 512 };

/* A log: `removal` epochs of deficit, then CLEAN_EPOCHS without. */
struct fake {
    const char *id, *twin;
    int removal, seed;
    double accuracy;      /* fraction, in all rows */
    double decay;         /* of the rate per epoch; 0: constant */
    const char *status;   /* NULL: done */
    const char *numerics; /* NULL: "numbers-1" */
};

struct folder {
    char path[PATH_ROOM];
    FILE *manifest;
};

/* ---- writing logs ------------------------------------------------------------------------------ */

static void put_scalar(struct h5_writer *w, const char *name, double v) {
    h5_put_doubles(w, name, &v, 0, NULL, NULL);
}

static void put_series(struct h5_writer *w, const struct fake *f, size_t rows) {
    static const char *const BY_EPOCH[] = {"epoch"}, *const BY_LAYER[] = {"epoch", "layer"};
    static const char *const LAYERS[] = {"conv1", "fc"};
    int64_t epoch[EPOCHS_MOST];
    double accuracy[EPOCHS_MOST], lr[EPOCHS_MOST], trace[EPOCHS_MOST], layers[2 * EPOCHS_MOST];
    for (size_t i = 0; i < rows; i++) {
        epoch[i] = (int64_t)i;
        accuracy[i] = i ? f->accuracy : 0.1;
        lr[i] = i ? 0.1 * (f->decay > 0 ? pow(f->decay, (double)i - 1) : 1) : NAN;
        trace[i] = i ? 10.0 + (double)(i < 3 ? i : 3) : 1000; /* row 0 must not be the peak */
        layers[2 * i] = 0.25 * trace[i];
        layers[2 * i + 1] = 0.75 * trace[i];
    }
    h5_put_scale_ints(w, "epoch", epoch, rows, NULL);
    h5_put_scale_texts(w, "layer", LAYERS, 2, NULL);
    h5_put_doubles(w, "test_accuracy", accuracy, 1, BY_EPOCH,
                   &(struct h5_about){"1", "accuracy on clean test data", NULL});
    h5_put_doubles(w, "lr", lr, 1, BY_EPOCH, NULL);
    h5_put_doubles(w, "fisher_trace", trace, 1, BY_EPOCH, NULL);
    h5_put_doubles(w, "fisher_layer_trace", layers, 2, BY_LAYER, NULL);
}

static void put_attributes(struct h5_writer *w, const struct fake *f) {
    h5_put_attr_text(w, "/", "run_id", f->id);
    h5_put_attr_text(w, "/", "twin_run_id", f->twin);
    h5_put_attr_text(w, "/", "experiment", "few <b>bold</b> runs");
    h5_put_attr_text(w, "/", "status", f->status ? f->status : "done");
    h5_put_attr_text(w, "/", "numerics_id", f->numerics ? f->numerics : "numbers-1");
    h5_put_attr_int(w, "/", "removal", f->removal);
    h5_put_attr_int(w, "/", "seed", f->seed);
    h5_put_attr_int(w, "/", "final_last", 3);
    h5_put_attr_real(w, "/", "lr_at_removal", 0.1);
}

static void write_log(const char *path, const struct fake *f) {
    struct error e = {0};
    struct h5_writer *w = h5_create(path);
    bool done = !f->status;
    put_series(w, f, (size_t)f->removal + CLEAN_EPOCHS + 1);
    put_attributes(w, f);
    h5_put_text(w, "config", "experiment: few\nnote: a < b & c\n", NULL);
    put_scalar(w, "final/test_accuracy", done ? f->accuracy : NAN);
    put_scalar(w, "final/rows", 3);
    if (h5_commit(w, false, &e)) fail_msg("%s", e.text);
}

static void folder_add_log(struct folder *d, const struct fake *f) {
    char path[PATH_ROOM + 64];
    snprintf(path, sizeof path, "%s/runs/%s.h5", d->path, f->id);
    write_log(path, f);
}

/* A line of the manifest: "part\tlabel\tlabel". */
static void folder_add_point(struct folder *d, const char *id, const char *twin,
                             const char *labels) {
    fprintf(d->manifest, "%s\t%s\t%s\n", id, twin, labels);
    fflush(d->manifest);
}

static void folder_add(struct folder *d, const struct fake *f, const char *labels) {
    folder_add_log(d, f);
    folder_add_point(d, f->id, f->twin, labels);
}

static void folder_create(struct folder *d, const char *axes) {
    char path[PATH_ROOM + 64];
    snprintf(d->path, sizeof d->path, "/tmp/imprint-report-XXXXXX");
    if (!mkdtemp(d->path)) fail_msg("no folder under /tmp");
    snprintf(path, sizeof path, "%s/runs", d->path);
    assert_int_equal(mkdir(path, 0777), 0);
    if (!axes) return;
    snprintf(path, sizeof path, "%s/sweep.tsv", d->path);
    d->manifest = fopen(path, "w");
    assert_non_null(d->manifest);
    fprintf(d->manifest, "# imprint sweep 1\nrun\ttwin\tpart\t%s\n", axes);
    fflush(d->manifest);
}

static void folder_remove(struct folder *d) {
    char command[PATH_ROOM + 64];
    if (d->manifest) fclose(d->manifest);
    snprintf(command, sizeof command, "rm -rf '%s'", d->path);
    assert_int_equal(system(command), 0);
}

/* Three seeds: clean 90, 85, 80; blur until 8: 60, 50, 55. Drops 30, 35, 25: mean 30, s.d. 5. */
static void folder_fill(struct folder *d, double decay) {
    static const double CLEAN[] = {0.90, 0.85, 0.80}, BLUR[] = {0.60, 0.50, 0.55};
    for (int i = 0; i < 3; i++) {
        char clean[16], blur[16], labels[64];
        snprintf(clean, sizeof clean, "clean%d", i);
        snprintf(blur, sizeof blur, "blur%d", i);
        snprintf(labels, sizeof labels, "blur\t0\t%d", i);
        folder_add(d, &(struct fake){clean, clean, 0, i, CLEAN[i], decay, NULL, NULL}, labels);
        snprintf(labels, sizeof labels, "blur\t8\t%d", i);
        folder_add(d, &(struct fake){blur, clean, 8, i, BLUR[i], decay, NULL, NULL}, labels);
    }
}

/* ---- running ----------------------------------------------------------------------------------- */

/* Line breaks of wrapped sentences become spaces, so that a sentence can be searched. */
static char *unwrapped(char *text) {
    for (char *c = text; *c; c++)
        if (*c == '\n') *c = ' ';
    return text;
}

static int report_into(const char *path, const struct report_options *o, char **text,
                       struct error *e) {
    size_t n;
    FILE *out = open_memstream(text, &n);
    int status = report_main(&path, 1, o, out, e);
    fclose(out);
    unwrapped(*text);
    return status;
}

static char *report_text(const char *path, bool figures) {
    struct error e = {0};
    char *text;
    if (report_into(path, &(struct report_options){.figures = figures}, &text, &e))
        fail_msg("%s", e.text);
    return text;
}

static char *table_text(const char *path, const char *name) {
    struct error e = {0};
    char *text;
    size_t n;
    FILE *out = open_memstream(&text, &n);
    int status = table_print(path, name, out, &e);
    fclose(out);
    if (status) fail_msg("%s", e.text);
    return text;
}

static void assert_has(const char *text, const char *part) {
    if (!strstr(text, part)) fail_msg("no '%s' in:\n%s", part, text);
}

static void assert_has_not(const char *text, const char *part) {
    if (strstr(text, part)) fail_msg("'%s' in:\n%s", part, text);
}

static char *file_text(const char *folder, const char *name) {
    char path[PATH_ROOM + 64];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *in = fopen(path, "rb");
    if (!in) return NULL;
    char *text = calloc(1, 1 << 22);
    size_t n = fread(text, 1, (1 << 22) - 1, in);
    assert_true(n < (1 << 22) - 1);
    fclose(in);
    return text;
}

/* ---- tests: the numbers ------------------------------------------------------------------------ */

/* t(0.975, 2) = 4.302653; 4.302653 * 5 / sqrt(3) = 12.42. */
static void report_gives_the_paired_drop_with_its_t_interval(void **state) {
    (void)state;
    struct folder d = {0};
    folder_create(&d, "t0\tseed*");
    folder_fill(&d, 0);
    char *text = report_text(d.path, false);
    assert_has(text, "blur: accuracy falls from 85.0 (t0=0) to 55.0 (t0=8): drop 30.0 points, 95 % "
                     "interval [17.6, 42.4], n = 3; 6.0 times the s.d. of the clean runs (5.0).");
    assert_has(text, "30.0 35.0 25.0");
    assert_has(text, "All 6 runs are done.");
    assert_has(text, "the mean over a run's last 3 rows (final.last: 3)");
    assert_has(text, "13 @ 3"); /* the peak leaves row 0 out */
    free(text);
    folder_remove(&d);
}

static void drop_whose_interval_holds_0_is_said_not_to_be_shown(void **state) {
    (void)state;
    struct folder d = {0};
    folder_create(&d, "t0\tseed*");
    const double accuracy[] = {0.80, 0.95, 0.80};
    for (int i = 0; i < 3; i++) {
        char clean[16], run[16];
        snprintf(clean, sizeof clean, "c%d", i);
        snprintf(run, sizeof run, "r%d", i);
        folder_add(&d, &(struct fake){clean, clean, 0, i, 0.9, 0, NULL, NULL}, "flip\t0\t1");
        folder_add(&d, &(struct fake){run, clean, 8, i, accuracy[i], 0, NULL, NULL}, "flip\t8\t1");
    }
    char *text = report_text(d.path, false);
    assert_has(text,
               "drop 5.0 points, 95 % interval [-16.5, 26.5], which includes 0: these seeds do "
               "not show a difference");
    free(text);
    folder_remove(&d);
}

static void one_seed_gets_no_interval(void **state) {
    (void)state;
    struct folder d = {0};
    folder_create(&d, "t0");
    folder_add(&d, &(struct fake){"c", "c", 0, 1, 0.9, 0, NULL, NULL}, "blur\t0");
    folder_add(&d, &(struct fake){"r", "c", 8, 1, 0.5, 0, NULL, NULL}, "blur\t8");
    char *text = report_text(d.path, false);
    assert_has(text, "drop 40.0 points, no interval from one seed, n = 1.");
    assert_has_not(text, "[");
    free(text);
    folder_remove(&d);
}

static void runs_that_are_not_done_are_listed_and_left_out(void **state) {
    (void)state;
    struct folder d = {0};
    folder_create(&d, "t0\tseed*");
    folder_fill(&d, 0);
    folder_add(&d, &(struct fake){"bad", "clean0", 8, 7, 0.01, 0, "diverged", NULL}, "blur\t8\t7");
    folder_add(&d, &(struct fake){"half", "clean0", 8, 8, 0.01, 0, "interrupted", NULL},
               "blur\t8\t8");
    folder_add_point(&d, "never", "clean0", "blur\t8\t9");
    folder_add(&d, &(struct fake){"cut", "clean0", 8, 10, 0.01, 0, NULL, NULL}, "blur\t8\t10");
    char path[PATH_ROOM + 64];
    snprintf(path, sizeof path, "%s/runs/cut.h5", d.path);
    assert_int_equal(truncate(path, 700), 0);
    char *text = report_text(d.path, false);
    assert_has(text,
               "6 of 10 runs are done; 1 unfinished (blur t0=8 seed=8), 1 diverged (blur t0=8 "
               "seed=7), 1 missing (blur t0=8 seed=9), 1 damaged (blur t0=8 seed=10).");
    assert_has(text, "cut.h5: not an HDF5 file, or a damaged one");
    assert_has(text, "drop 30.0 points, 95 % interval [17.6, 42.4], n = 3");
    free(text);
    folder_remove(&d);
}

static void run_named_twice_counts_once(void **state) {
    (void)state;
    struct folder d = {0};
    folder_create(&d, "t0\tseed*");
    folder_fill(&d, 0);
    folder_add_point(&d, "blur0", "clean0", "blur\t8\t9");
    char *text = report_text(d.path, false);
    assert_has(text, "drop 30.0 points, 95 % interval [17.6, 42.4], n = 3");
    free(text);
    folder_remove(&d);
}

static void mixed_numerics_ids_are_warned_of_and_equal_ones_are_not(void **state) {
    (void)state;
    struct folder d = {0};
    folder_create(&d, "t0\tseed*");
    folder_fill(&d, 0);
    char *text = report_text(d.path, false);
    assert_has_not(text, "numerics");
    free(text);
    folder_add(&d, &(struct fake){"o", "clean0", 8, 5, 0.5, 0, NULL, "numbers-2"}, "blur\t8\t5");
    text = report_text(d.path, false);
    assert_has(text, "mix 2 numerics ids (numbers-1, numbers-2)");
    free(text);
    folder_remove(&d);
}

/* The clean phase of the run begins at 0.1 * 0.5^8, the twin's at 0.1. */
static void learning_rate_confound_is_named_where_it_is(void **state) {
    (void)state;
    struct folder decaying = {0}, fixed = {0};
    folder_create(&decaying, "t0\tseed*");
    folder_create(&fixed, "t0\tseed*");
    folder_fill(&decaying, 0.5);
    folder_fill(&fixed, 0);
    char *text = report_text(decaying.path, false);
    assert_has(text, "begin at a learning rate of 0.000391, the twin's last 4 at 0.1 (ratio 0.00): "
                     "this difference mixes the deficit with the size of the steps");
    free(text);
    text = report_text(fixed.path, false);
    assert_has(text,
               "begin at the same learning rate, 0.1: the rate is not what makes this difference");
    free(text);
    folder_remove(&decaying);
    folder_remove(&fixed);
}

static void three_levels_give_a_rank_correlation(void **state) {
    (void)state;
    struct folder d = {0};
    folder_create(&d, "t0\tseed*");
    folder_fill(&d, 0);
    char *text = report_text(d.path, false);
    assert_has_not(text, "Spearman");
    free(text);
    folder_add(&d, &(struct fake){"m", "clean0", 4, 0, 0.7, 0, NULL, NULL}, "blur\t4\t0");
    text = report_text(d.path, false);
    assert_has(text, "Spearman's correlation of mean accuracy with t0: -1.00 (3 levels)");
    free(text);
    folder_remove(&d);
}

static void axes_beside_the_x_axis_make_curves_of_their_own(void **state) {
    (void)state;
    struct folder d = {0};
    folder_create(&d, "removal\tremedy\tseed*");
    folder_add(&d, &(struct fake){"c", "c", 0, 1, 0.9, 0, NULL, NULL}, "blur\t0\tnone\t1");
    folder_add(&d, &(struct fake){"n", "c", 8, 1, 0.5, 0, NULL, NULL}, "blur\t8\tnone\t1");
    folder_add(&d, &(struct fake){"s", "c", 8, 1, 0.7, 0, NULL, NULL}, "blur\t8\tsam\t1");
    char *text = report_text(d.path, false);
    assert_has(text, "blur, remedy=none: accuracy falls from 90.0 (removal=0) to 50.0 (removal=8)");
    assert_has(text, "blur, remedy=sam: accuracy falls from 90.0 (clean twin) to 70.0 (removal=8)");
    free(text);
    folder_remove(&d);
}

static void axes_that_move_with_the_x_axis_make_none(void **state) {
    (void)state;
    struct folder d = {0};
    folder_create(&d, "removal\tfactor");
    folder_add(&d, &(struct fake){"c", "c", 0, 1, 0.9, 0, NULL, NULL}, "blur\t0\t1");
    folder_add(&d, &(struct fake){"a", "c", 4, 1, 0.7, 0, NULL, NULL}, "blur\t4\t2");
    folder_add(&d, &(struct fake){"b", "c", 8, 1, 0.5, 0, NULL, NULL}, "blur\t8\t4");
    char *text = report_text(d.path, false);
    assert_has(text, "blur: accuracy falls from 90.0 (removal=0) to 50.0 (removal=8)");
    free(text);
    folder_remove(&d);
}

static void two_axes_of_seeds_are_warned_of(void **state) {
    (void)state;
    struct folder d = {0};
    folder_create(&d, "t0\tdata.seed*\tnet.seed*");
    folder_add(&d, &(struct fake){"c", "c", 0, 1, 0.9, 0, NULL, NULL}, "blur\t0\t1\t1");
    char *text = report_text(d.path, false);
    assert_has(text, "2 axes of seeds were swept");
    free(text);
    folder_remove(&d);
}

/* ---- tests: without a manifest ----------------------------------------------------------------- */

static void folder_of_logs_gives_a_row_each(void **state) {
    (void)state;
    struct folder d = {0};
    folder_create(&d, NULL);
    folder_add_log(&d, &(struct fake){"c", "c", 0, 1, 0.9, 0, NULL, NULL});
    folder_add_log(&d, &(struct fake){"r", "c", 8, 1, 0.5, 0, NULL, NULL});
    char *text = report_text(d.path, false);
    assert_has(text, "50.0");
    assert_has(text, "40.0"); /* the twin lies beside it */
    free(text);
    folder_remove(&d);
}

static void single_log_gives_a_report_beside_it(void **state) {
    (void)state;
    struct folder d = {0};
    folder_create(&d, NULL);
    folder_add_log(&d, &(struct fake){"c", "c", 0, 1, 0.9, 0, NULL, NULL});
    folder_add_log(&d, &(struct fake){"r", "c", 8, 1, 0.5, 0, NULL, NULL});
    char path[PATH_ROOM + 64];
    snprintf(path, sizeof path, "%s/runs/r.h5", d.path);
    char *text = report_text(path, false);
    assert_has(text, "40.0");
    assert_has(text, "All 2 runs are done."); /* with its twin */
    free(text);
    char *page = file_text(d.path, "runs/r-report/report.html");
    assert_non_null(page);
    free(page);
    folder_remove(&d);
}

/* ---- tests: page and figures ------------------------------------------------------------------- */

static void page_refers_to_nothing_outside_and_escapes_texts(void **state) {
    (void)state;
    struct folder d = {0};
    folder_create(&d, "t0\tseed*");
    folder_fill(&d, 0);
    free(report_text(d.path, true));
    char *page = file_text(d.path, "report.html");
    assert_non_null(page);
    assert_has_not(page, "http:");
    assert_has_not(page, "https:");
    assert_has_not(page, "href");
    assert_has_not(page, "<script");
    assert_has_not(page, "<link");
    for (const char *at = page; (at = strstr(at, "src=")); at++)
        assert_memory_equal(at, "src=\"data:image/", 16);
    assert_has(page, "few &lt;b&gt;bold&lt;/b&gt; runs");
    assert_has_not(page, "<b>");
    assert_has(page, "note: a &lt; b &amp; c");
    assert_has(page, "numbers-1");
    assert_has(page, "[17.6, 42.4]");
    assert_has(page, "</html>");
    free(page);
    folder_remove(&d);
}

static bool has_gnuplot(void) {
    return system("gnuplot --version >/dev/null 2>&1") == 0;
}

static void assert_png(const char *folder, const char *name) {
    char *png = file_text(folder, name);
    if (!png) fail_msg("%s was not drawn", name);
    assert_memory_equal(png, "\x89PNG\r\n\x1a\n", 8);
    free(png);
}

static void figures_are_drawn_with_their_data_beside_them(void **state) {
    (void)state;
    if (!has_gnuplot()) skip();
    struct folder d = {0};
    folder_create(&d, "t0\tseed*");
    folder_fill(&d, 0);
    char *text = report_text(d.path, true);
    assert_has_not(text, "Warning");
    free(text);
    assert_png(d.path, "figures/accuracy-removal.png");
    assert_png(d.path, "figures/learning-blur.png");
    assert_png(d.path, "figures/fisher-blur.png");
    assert_png(d.path, "figures/layers-blur.png");
    char *svg = file_text(d.path, "figures/fisher-blur.svg");
    assert_non_null(svg);
    assert_has(svg, "t0=8, n = 3");
    free(svg);
    char *data = file_text(d.path, "figures/accuracy-removal.tsv");
    assert_has(data, "blur\t8\t55\t42.57"); /* 55 - 4.302653 * 5 / sqrt(3) = 42.579 */
    free(data);
    data = file_text(d.path, "figures/layers-blur.tsv");
    assert_has(data, "t0=8\t12\t3\t0.25\t0.75\t");
    free(data);
    folder_remove(&d);
}

/* A level without a run has no block: gnuplot would not count it, and every line after it would
 * show its neighbour's data. */
static void level_without_a_run_does_not_shift_the_others(void **state) {
    (void)state;
    struct folder d = {0};
    folder_create(&d, "t0");
    folder_add_point(&d, "never", "never", "blur\t0");
    folder_add(&d, &(struct fake){"a", "never", 4, 1, 0.7, 0, NULL, NULL}, "blur\t4");
    folder_add(&d, &(struct fake){"b", "never", 8, 1, 0.5, 0, NULL, NULL}, "blur\t8");
    free(report_text(d.path, true));
    char *data = file_text(d.path, "figures/learning-blur.tsv");
    char *script = file_text(d.path, "figures/learning-blur.gp");
    assert_memory_equal(strchr(data, '\n'), "\nt0=4\t0\t10\t", 11);
    assert_has_not(script, "t0=0");
    assert_has(script, "index 0 using ($2 < 0 ? NaN : $2):3 skip 1 with lines");
    assert_has_not(script, "index 2");
    const char *first = strstr(script, "'t0=4, n = 1'"), *second = strstr(script, "'t0=8, n = 1'");
    assert_true(first && second && first < second);
    free(data);
    free(script);
    folder_remove(&d);
}

static void axis_of_onsets_gets_its_own_figure(void **state) {
    (void)state;
    struct folder d = {0};
    folder_create(&d, "onset");
    folder_add_log(&d, &(struct fake){"c", "c", 0, 1, 0.9, 0, NULL, NULL});
    folder_add(&d, &(struct fake){"a", "c", 8, 1, 0.6, 0, NULL, NULL}, "window\t0");
    folder_add(&d, &(struct fake){"b", "c", 12, 1, 0.8, 0, NULL, NULL}, "window\t4");
    char *text = report_text(d.path, true);
    assert_has(text, "accuracy falls from 90.0 (clean twin) to 60.0 (onset=0): drop 30.0 points");
    free(text);
    char *data = file_text(d.path, "figures/accuracy-onset-window.tsv");
    assert_non_null(data);
    assert_has(data, "window\t4\t80");
    free(data);
    assert_null(file_text(d.path, "figures/accuracy-removal.tsv"));
    folder_remove(&d);
}

static void labels_cannot_run_commands_in_gnuplot(void **state) {
    (void)state;
    if (!has_gnuplot()) skip();
    struct folder d = {0};
    char evil[2 * PATH_ROOM], path[PATH_ROOM + 64];
    folder_create(&d, "t0");
    snprintf(path, sizeof path, "%s/made", d.path);
    for (int quote = 0; quote < 2; quote++) {
        snprintf(evil, sizeof evil, "it%s `touch %s` \"@x\t%d", quote ? "'s" : "\"s", path, 0);
        char id[8];
        snprintf(id, sizeof id, "c%d", quote);
        folder_add(&d, &(struct fake){id, id, 0, 1, 0.9, 0, NULL, NULL}, evil);
        evil[strlen(evil) - 1] = '8';
        id[0] = 'r';
        folder_add(&d, &(struct fake){id, "c0", 8, 1, 0.5, 0, NULL, NULL}, evil);
    }
    char *text = report_text(d.path, true);
    assert_has_not(text, "gnuplot could not");
    free(text);
    assert_png(d.path, "figures/accuracy-removal.png");
    assert_int_not_equal(access(path, F_OK), 0);
    folder_remove(&d);
}

static void without_gnuplot_the_tables_are_still_there(void **state) {
    (void)state;
    struct folder d = {0};
    folder_create(&d, "t0\tseed*");
    folder_fill(&d, 0);
    const char *search = getenv("PATH");
    char *before = strdup(search ? search : "");
    assert_non_null(before);
    setenv("PATH", d.path, 1);
    char *text = report_text(d.path, true); /* fails the test unless the status is 0 */
    setenv("PATH", before, 1);
    free(before);
    assert_has(text, "gnuplot is not installed");
    assert_has(text, "[17.6, 42.4]");
    free(text);
    char *data = file_text(d.path, "figures/accuracy-removal.tsv");
    char *page = file_text(d.path, "report.html");
    assert_non_null(data);
    assert_non_null(page);
    free(data);
    free(page);
    folder_remove(&d);
}

/* ---- tests: against ---------------------------------------------------------------------------- */

static void report_against_itself_is_the_same_and_against_others_is_not(void **state) {
    (void)state;
    struct folder d = {0}, other = {0};
    struct error e = {0};
    char *text;
    folder_create(&d, "t0\tseed*");
    folder_create(&other, "t0\tseed*");
    folder_fill(&d, 0);
    folder_fill(&other, 0);
    folder_add_log(&other, &(struct fake){"blur0", "clean0", 8, 0, 0.61, 0, NULL, NULL});
    free(report_text(d.path, false));
    struct report_options o = {.against = d.path};
    assert_int_equal(report_into(d.path, &o, &text, &e), 0);
    assert_has(text, "Of 2 rows that both have, 2 are the same to ten digits");
    free(text);
    assert_int_equal(report_into(other.path, &o, &text, &e), 0);
    assert_has(text, "1 are the same to ten digits, 1 lie inside");
    free(text);
    folder_add_log(&other, &(struct fake){"blur0", "clean0", 8, 0, 0.01, 0, NULL, NULL});
    assert_int_equal(report_into(other.path, &o, &text, &e), 0);
    assert_has(text, "0 lie inside the reference's 95 % intervals, 1 outside");
    free(text);
    o.against = "/dev/null";
    assert_int_equal(report_into(other.path, &o, &text, &e), STATUS_USAGE);
    free(text);
    folder_remove(&d);
    folder_remove(&other);
}

/* ---- tests: wrong input ------------------------------------------------------------------------ */

static void assert_refused(const char *manifest, const char *sentence) {
    struct folder d = {0};
    struct error e = {0};
    char path[PATH_ROOM + 64], *text;
    folder_create(&d, NULL);
    snprintf(path, sizeof path, "%s/sweep.tsv", d.path);
    FILE *out = fopen(path, "w");
    assert_non_null(out);
    fputs(manifest, out);
    fclose(out);
    assert_int_not_equal(report_into(d.path, &(struct report_options){0}, &text, &e), 0);
    assert_has(e.text, sentence);
    assert_null(strchr(e.text, '\n'));
    free(text);
    folder_remove(&d);
}

static void wrong_manifests_are_refused_in_one_sentence(void **state) {
    (void)state;
    const char head[] = "# imprint sweep 1\nrun\ttwin\tpart\tt0\n";
    char text[256];
    assert_refused("", "lists no run");
    assert_refused("run\ttwin\n", "sweep.tsv:1: expected '# imprint sweep 1'");
    assert_refused("# imprint sweep 1\nid\tpart\n", "sweep.tsv:2: expected the columns");
    assert_refused(head, "lists no run");
    snprintf(text, sizeof text, "%sa\ta\n", head);
    assert_refused(text, "sweep.tsv:3: expected run, twin and part");
    snprintf(text, sizeof text, "%s../x\ta\tp\t0\n", head);
    assert_refused(text, "sweep.tsv:3: not a run id");
    snprintf(text, sizeof text, "%sa\ta\tp\n", head);
    assert_refused(text, "sweep.tsv:3: has no value for the axis 't0'");
    snprintf(text, sizeof text, "%sa\ta\tp\t0\t1\n", head);
    assert_refused(text, "sweep.tsv:3: more cells than axes");
}

static void places_without_logs_are_refused_in_one_sentence(void **state) {
    (void)state;
    struct folder d = {0};
    struct error e = {0};
    char *text;
    folder_create(&d, NULL);
    assert_int_not_equal(report_into(d.path, &(struct report_options){0}, &text, &e), 0);
    assert_has(e.text, "no log (.h5) in it");
    free(text);
    assert_int_equal(report_into("/no/such/place", &(struct report_options){0}, &text, &e),
                     STATUS_USAGE);
    assert_has(e.text, "/no/such/place: cannot find it");
    free(text);
    folder_remove(&d);
}

/* ---- tests: table ------------------------------------------------------------------------------ */

static void table_prints_a_series_so_that_it_reads_back(void **state) {
    (void)state;
    struct folder d = {0};
    char path[PATH_ROOM + 64];
    folder_create(&d, NULL);
    folder_add_log(&d, &(struct fake){"a", "a", 0, 1, 1.0 / 3, 0, NULL, NULL});
    snprintf(path, sizeof path, "%s/runs/a.h5", d.path);
    char *text = table_text(path, "test_accuracy");
    assert_memory_equal(text, "epoch\ttest_accuracy\n0\t0.1\n1\t0.333", 33);
    double value = strtod(strstr(text, "\n1\t") + 3, NULL);
    assert_true(value == 1.0 / 3);
    free(text);
    text = table_text(path, "lr");
    assert_memory_equal(text, "epoch\tlr\n0\tNaN\n1\t0.1\n", 21);
    free(text);
    text = table_text(path, "fisher_layer_trace");
    assert_memory_equal(text, "epoch\tconv1\tfc\n0\t250\t750\n1\t2.75\t8.25\n", 37);
    free(text);
    text = table_text(path, "final/rows");
    assert_string_equal(text, "final/rows\n3\n");
    free(text);
    text = table_text(path, "config");
    assert_string_equal(text, "experiment: few\nnote: a < b & c\n");
    free(text);
    folder_remove(&d);
}

static void table_without_a_name_lists_the_variables(void **state) {
    (void)state;
    struct folder d = {0};
    char path[PATH_ROOM + 64];
    folder_create(&d, NULL);
    folder_add_log(&d, &(struct fake){"a", "a", 0, 1, 0.5, 0, NULL, NULL});
    snprintf(path, sizeof path, "%s/runs/a.h5", d.path);
    char *text = table_text(path, NULL);
    assert_has(text, "test_accuracy\t[epoch=5]\t1\taccuracy on clean test data\n");
    assert_has(text, "fisher_layer_trace\t[epoch=5, layer=2]\t-\t-\n");
    assert_has(text, "final/test_accuracy\t[]");
    free(text);
    folder_remove(&d);
}

static void table_of_a_folder_has_the_axes_as_columns(void **state) {
    (void)state;
    struct folder d = {0};
    folder_create(&d, "t0\tseed*");
    folder_fill(&d, 0);
    folder_add_point(&d, "never", "clean0", "blur\t8\t9");
    char *text = table_text(d.path, "test_accuracy");
    assert_memory_equal(text, "run\tpart\tt0\tseed\tepoch\ttest_accuracy\n", 37);
    assert_has(text, "\nblur1\tblur\t8\t1\t12\t0.5\n");
    assert_has_not(text, "never");
    free(text);
    text = table_text(d.path, "fisher_layer_trace");
    assert_has(text, "run\tpart\tt0\tseed\tepoch\tlayer\tfisher_layer_trace\n");
    assert_has(text, "\nclean0\tblur\t0\t0\t1\tfc\t8.25\n");
    free(text);
    folder_remove(&d);
}

static void table_refuses_unknown_names_in_one_sentence(void **state) {
    (void)state;
    struct folder d = {0};
    struct error e = {0};
    char path[PATH_ROOM + 64];
    folder_create(&d, NULL);
    folder_add_log(&d, &(struct fake){"a", "a", 0, 1, 0.5, 0, NULL, NULL});
    snprintf(path, sizeof path, "%s/runs/a.h5", d.path);
    FILE *out = fopen("/dev/null", "w");
    assert_non_null(out);
    assert_int_equal(table_print(path, "test_acc", out, &e), STATUS_USAGE);
    assert_has(e.text, "a.h5: has no variable 'test_acc'; `imprint table");
    assert_int_equal(table_print(d.path, "test_acc", out, &e), STATUS_USAGE);
    assert_int_not_equal(table_print("/no/such.h5", "lr", out, &e), 0);
    fclose(out);
    folder_remove(&d);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(report_gives_the_paired_drop_with_its_t_interval),
        cmocka_unit_test(drop_whose_interval_holds_0_is_said_not_to_be_shown),
        cmocka_unit_test(one_seed_gets_no_interval),
        cmocka_unit_test(runs_that_are_not_done_are_listed_and_left_out),
        cmocka_unit_test(run_named_twice_counts_once),
        cmocka_unit_test(mixed_numerics_ids_are_warned_of_and_equal_ones_are_not),
        cmocka_unit_test(learning_rate_confound_is_named_where_it_is),
        cmocka_unit_test(three_levels_give_a_rank_correlation),
        cmocka_unit_test(axes_beside_the_x_axis_make_curves_of_their_own),
        cmocka_unit_test(axes_that_move_with_the_x_axis_make_none),
        cmocka_unit_test(two_axes_of_seeds_are_warned_of),
        cmocka_unit_test(folder_of_logs_gives_a_row_each),
        cmocka_unit_test(single_log_gives_a_report_beside_it),
        cmocka_unit_test(page_refers_to_nothing_outside_and_escapes_texts),
        cmocka_unit_test(figures_are_drawn_with_their_data_beside_them),
        cmocka_unit_test(level_without_a_run_does_not_shift_the_others),
        cmocka_unit_test(axis_of_onsets_gets_its_own_figure),
        cmocka_unit_test(labels_cannot_run_commands_in_gnuplot),
        cmocka_unit_test(without_gnuplot_the_tables_are_still_there),
        cmocka_unit_test(report_against_itself_is_the_same_and_against_others_is_not),
        cmocka_unit_test(wrong_manifests_are_refused_in_one_sentence),
        cmocka_unit_test(places_without_logs_are_refused_in_one_sentence),
        cmocka_unit_test(table_prints_a_series_so_that_it_reads_back),
        cmocka_unit_test(table_without_a_name_lists_the_variables),
        cmocka_unit_test(table_of_a_folder_has_the_axes_as_columns),
        cmocka_unit_test(table_refuses_unknown_names_in_one_sentence),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
