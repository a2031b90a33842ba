/* `imprint collect` on small logs written here: every value is a function of its run, epoch and
 * layer, so that each cell of the arrays can be recomputed. */
#include "analysis/collect.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/h5.h"

enum { ROOM = 512, LAYERS = 8, EPOCHS = 64, VALUES = 4096 };

/* A log of `epochs` rows; what is 0 or NULL has the usual value. */
struct fake {
    const char *id, *twin;
    int number; /* every value is made of it */
    int epochs, removal, seed;
    const char *status, *numerics, *layers[LAYERS];
    bool is_flat; /* fisher_layer_trace over epochs alone */
};

struct folder {
    char path[ROOM];
    FILE *manifest;
};

static double accuracy_of(int number, size_t epoch) {
    return number + (double)epoch / 100;
}

/* Depends on the layer's name, whatever its place. */
static double trace_of(int number, size_t epoch, const char *layer) {
    return 1000.0 * number + (double)epoch + (double)layer[strlen(layer) - 1] / 256;
}

/* ---- writing a sweep -------------------------------------------------------------------------- */

static size_t fake_layers(const struct fake *f, const char *names[LAYERS]) {
    static const char *const USUAL[] = {"conv1", "fc1", NULL};
    const char *const *from = f->layers[0] ? f->layers : USUAL;
    size_t n = 0;
    for (; n < LAYERS && from[n]; n++) names[n] = from[n];
    return n;
}

static void put_series(struct h5_writer *w, const struct fake *f, size_t rows) {
    const char *layer[LAYERS];
    size_t layers = fake_layers(f, layer);
    int64_t epoch[EPOCHS];
    double accuracy[EPOCHS], rate[EPOCHS], trace[EPOCHS * LAYERS];
    for (size_t i = 0; i < rows; i++) {
        epoch[i] = (int64_t)i;
        accuracy[i] = accuracy_of(f->number, i);
        rate[i] = i ? 0.1 : NAN;
        for (size_t k = 0; k < layers; k++)
            trace[i * layers + k] = trace_of(f->number, i, layer[k]);
    }
    h5_put_scale_ints(w, "epoch", epoch, rows,
                      &(struct h5_about){"epochs", "epochs trained", "Row e."});
    h5_put_scale_texts(w, "layer", layer, layers, &(struct h5_about){NULL, "layer", NULL});
    h5_put_doubles(w, "test_accuracy", accuracy, 1, (const char *[]){"epoch"},
                   &(struct h5_about){"1", "test accuracy", "Clean test examples."});
    h5_put_doubles(w, "lr", rate, 1, (const char *[]){"epoch"}, NULL);
    h5_put_doubles(w, "fisher_layer_trace", trace, f->is_flat ? 1 : 2,
                   (const char *[]){"epoch", "layer"},
                   &(struct h5_about){"nats", "Fisher trace by layer", NULL});
}

static void write_log(const char *path, const struct fake *f) {
    struct error e = {0};
    struct h5_writer *w = h5_create(path);
    double final = f->status ? NAN : accuracy_of(f->number, 0);
    put_series(w, f, (size_t)(f->epochs ? f->epochs : 3));
    h5_put_doubles(w, "final/test_accuracy", &final, 0, NULL, NULL);
    h5_put_text(w, "config", f->id, NULL);
    h5_put_attr_text(w, "/", "run_id", f->id);
    h5_put_attr_text(w, "/", "twin_run_id", f->twin ? f->twin : f->id);
    h5_put_attr_text(w, "/", "status", f->status ? f->status : "done");
    h5_put_attr_text(w, "/", "experiment", "made up");
    h5_put_attr_text(w, "/", "created", f->id); /* another one in each log */
    h5_put_attr_text(w, "/", "numerics_id", f->numerics ? f->numerics : "here");
    h5_put_attr_int(w, "/", "removal", f->removal);
    h5_put_attr_int(w, "/", "seed", f->seed);
    h5_put_attr_int(w, "/", "net_seed", f->seed + 10);
    h5_put_attr_real(w, "/", "lr_at_removal", 0.1);
    if (h5_commit(w, false, &e)) fail_msg("%s", e.text);
}

static void path_in(char path[2 * ROOM], const struct folder *d, const char *name) {
    snprintf(path, 2 * ROOM, "%s/%s", d->path, name);
}

static void folder_create(struct folder *d, const char *axes) {
    char path[2 * ROOM];
    snprintf(d->path, sizeof d->path, "/tmp/imprint-collect-XXXXXX");
    if (!mkdtemp(d->path)) fail_msg("no folder under /tmp");
    path_in(path, d, "runs");
    assert_int_equal(mkdir(path, 0777), 0);
    d->manifest = NULL;
    if (!axes) return;
    path_in(path, d, "sweep.tsv");
    d->manifest = fopen(path, "w");
    assert_non_null(d->manifest);
    fprintf(d->manifest, "# imprint sweep 1\nrun\ttwin\tpart%s%s\n", *axes ? "\t" : "", axes);
    fflush(d->manifest);
}

static void folder_remove(struct folder *d) {
    char command[2 * ROOM];
    if (d->manifest) fclose(d->manifest);
    snprintf(command, sizeof command, "rm -rf '%s'", d->path);
    assert_int_equal(system(command), 0);
}

static void folder_add_log(struct folder *d, const struct fake *f) {
    char path[3 * ROOM];
    snprintf(path, sizeof path, "%s/runs/%s.h5", d->path, f->id);
    write_log(path, f);
}

/* labels: "part\tlabel\tlabel" */
static void folder_add_point(struct folder *d, const char *id, const char *twin,
                             const char *labels) {
    fprintf(d->manifest, "%s\t%s\t%s\n", id, twin, labels);
    fflush(d->manifest);
}

static void folder_add(struct folder *d, const struct fake *f, const char *labels) {
    folder_add_log(d, f);
    folder_add_point(d, f->id, f->twin ? f->twin : f->id, labels);
}

/* Removal 0 (3 rows) and 4 (5 rows), seeds 1 and 2. */
static void folder_fill(struct folder *d) {
    folder_create(d, "removal\tseed*");
    folder_add(d, &(struct fake){.id = "a", .number = 1, .seed = 1}, "main\t0\t1");
    folder_add(d, &(struct fake){.id = "b", .number = 2, .seed = 2}, "main\t0\t2");
    folder_add(
        d,
        &(struct fake){.id = "c", .twin = "a", .number = 3, .epochs = 5, .removal = 4, .seed = 1},
        "main\t4\t1");
    folder_add(
        d,
        &(struct fake){.id = "d", .twin = "b", .number = 4, .epochs = 5, .removal = 4, .seed = 2},
        "main\t4\t2");
}

/* The same with a control: the runs e and f of 6 rows stand beside c and d, none beside a and b. */
static void folder_fill_controls(struct folder *d) {
    folder_create(d, "removal\tseed*\t=lr_clock");
    folder_add(d, &(struct fake){.id = "a", .number = 1, .seed = 1}, "main\t0\t1\t-");
    folder_add(d, &(struct fake){.id = "c", .twin = "a", .number = 3, .epochs = 5, .seed = 1},
               "main\t4\t1\te");
    folder_add_log(d, &(struct fake){.id = "e", .twin = "a", .number = 5, .epochs = 6, .seed = 1});
}

/* ---- collecting ------------------------------------------------------------------------------- */

static int collect_with(const struct folder *d, const struct collect_options *o, char **said,
                        char **noted, struct error *e) {
    size_t n, m;
    FILE *out = open_memstream(said, &n), *notes = open_memstream(noted, &m);
    int status = collect(d->path, o, out, notes, e);
    fclose(out);
    fclose(notes);
    return status;
}

/* Collects and opens the file; what it noted is free()d by the caller unless NULL. */
static struct h5_reader *collected(const struct folder *d, char **noted) {
    struct error e = {0};
    struct h5_reader *r;
    char *said, *notes, path[2 * ROOM];
    if (collect_with(d, &(struct collect_options){0}, &said, &notes, &e)) fail_msg("%s", e.text);
    path_in(path, d, "sweep.h5");
    if (h5_open_sealed(&r, path, &e) || h5_check_digest(r, &e)) fail_msg("%s", e.text);
    free(said);
    if (noted)
        *noted = notes;
    else
        free(notes);
    return r;
}

static void assert_refused(const struct folder *d, const struct collect_options *o, int status,
                           const char *sentence) {
    struct error e = {0};
    char *said, *noted;
    int got = collect_with(d, o, &said, &noted, &e);
    if (got != status || !strstr(e.text, sentence))
        fail_msg("status %d, '%s'; expected %d, '%s'", got, e.text, status, sentence);
    if (*said) fail_msg("said '%s'", said);
    free(said);
    free(noted);
}

/* Dimensions by name, as "removal,seed,epoch". */
static void assert_dims(struct h5_reader *r, const char *name, const char *expected) {
    char text[ROOM] = "", dim[H5_NAME];
    size_t shape[H5_RANK];
    int rank = h5_shape(r, name, shape);
    if (rank < 0) fail_msg("there is no '%s'", name);
    for (int i = 0; i < rank; i++) {
        if (h5_dim_name(r, name, (size_t)i, dim)) fail_msg("%s: axis %d has no scale", name, i);
        snprintf(text + strlen(text), sizeof text - strlen(text), "%s%s", i ? "," : "", dim);
    }
    if (strcmp(text, expected) != 0) fail_msg("%s has %s, not %s", name, text, expected);
}

/* NaN equals NaN here. */
static void assert_numbers(struct h5_reader *r, const char *name, const double *expected,
                           size_t n) {
    size_t shape[H5_RANK], total = 1;
    double v[VALUES];
    int rank = h5_shape(r, name, shape);
    if (rank < 0) fail_msg("there is no '%s'", name);
    for (int i = 0; i < rank; i++) total *= shape[i];
    assert_int_equal(total, n);
    assert_true(n <= VALUES);
    assert_int_equal(h5_get_doubles(r, name, v, NULL), 0);
    for (size_t i = 0; i < n; i++)
        if (v[i] != expected[i] && !(isnan(v[i]) && isnan(expected[i])))
            fail_msg("%s[%zu] is %g, not %g", name, i, v[i], expected[i]);
}

/* expected: "a,b,c" */
static void assert_texts(struct h5_reader *r, const char *name, const char *expected) {
    char text[ROOM] = "";
    size_t n;
    char **v = h5_get_texts(r, name, &n);
    if (!v) fail_msg("there are no texts '%s'", name);
    for (size_t i = 0; i < n; i++) {
        snprintf(text + strlen(text), sizeof text - strlen(text), "%s%s", i ? "," : "", v[i]);
        free(v[i]);
    }
    free(v);
    if (strcmp(text, expected) != 0) fail_msg("%s is %s, not %s", name, text, expected);
}

#define NUMBERS(r, name, ...)                                                                      \
    assert_numbers(r, name, (const double[]){__VA_ARGS__},                                         \
                   sizeof(double[]){__VA_ARGS__} / sizeof(double))

/* ---- tests: the arrays ------------------------------------------------------------------------ */

static void every_value_stands_in_its_cell(void **state) {
    (void)state;
    struct folder d = {0};
    folder_fill(&d);
    struct h5_reader *r = collected(&d, NULL);
    double accuracy[2 * 2 * 5], trace[2 * 2 * 5 * 2];
    for (size_t cell = 0; cell < 4; cell++)
        for (size_t e = 0; e < 5; e++) {
            bool is_there = e < (cell < 2 ? 3 : 5);
            int number = (int)cell + 1;
            accuracy[cell * 5 + e] = is_there ? accuracy_of(number, e) : NAN;
            trace[2 * (cell * 5 + e)] = is_there ? trace_of(number, e, "conv1") : NAN;
            trace[2 * (cell * 5 + e) + 1] = is_there ? trace_of(number, e, "fc1") : NAN;
        }
    assert_dims(r, "test_accuracy", "removal,seed,epoch");
    assert_numbers(r, "test_accuracy", accuracy, 20);
    assert_dims(r, "fisher_layer_trace", "removal,seed,epoch,layer");
    assert_numbers(r, "fisher_layer_trace", trace, 40);
    NUMBERS(r, "removal", 0, 4);
    NUMBERS(r, "seed", 1, 2);
    NUMBERS(r, "epoch", 0, 1, 2, 3, 4);
    assert_texts(r, "layer", "conv1,fc1");
    assert_int_equal(h5_kind(r, "removal", NULL), H5_INTS);
    h5_close(r);
    folder_remove(&d);
}

static void scalars_and_ids_are_over_the_axes_alone(void **state) {
    (void)state;
    struct folder d = {0};
    folder_fill(&d);
    struct h5_reader *r = collected(&d, NULL);
    assert_dims(r, "final_test_accuracy", "removal,seed");
    NUMBERS(r, "final_test_accuracy", 1, 2, 3, 4);
    assert_dims(r, "status", "removal,seed");
    assert_texts(r, "status", "done,done,done,done");
    assert_texts(r, "run_id", "a,b,c,d");
    assert_texts(r, "twin_run_id", "a,b,a,b");
    assert_texts(r, "config", "a,b,c,d");
    h5_close(r);
    folder_remove(&d);
}

static void paired_drop_is_one_subtraction(void **state) {
    (void)state;
    struct folder d = {0};
    folder_fill(&d);
    struct h5_reader *r = collected(&d, NULL);
    NUMBERS(r, "twin_final_test_accuracy", 1, 2, 1, 2);
    assert_dims(r, "twin_test_accuracy", "removal,seed,epoch");
    double twin[20];
    for (size_t i = 0; i < 20; i++)
        twin[i] = i % 5 < 3 ? accuracy_of((int)(i / 5) % 2 + 1, i % 5) : NAN;
    assert_numbers(r, "twin_test_accuracy", twin, 20);
    h5_close(r);
    folder_remove(&d);
}

static void descriptions_of_the_logs_are_kept(void **state) {
    (void)state;
    struct folder d = {0};
    folder_fill(&d);
    struct h5_reader *r = collected(&d, NULL);
    const char *const expected[][3] = {
        {"test_accuracy", "units", "1"},
        {"test_accuracy", "long_name", "test accuracy"},
        {"test_accuracy", "description", "Clean test examples."},
        {"epoch", "units", "epochs"},
        {"twin_test_accuracy", "long_name", "test accuracy, clean twin"}};
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++) {
        char *text = h5_attr_text(r, expected[i][0], expected[i][1]);
        assert_non_null(text);
        assert_string_equal(text, expected[i][2]);
        free(text);
    }
    h5_close(r);
    folder_remove(&d);
}

static void points_without_a_whole_log_are_nan_and_say_why(void **state) {
    (void)state;
    struct folder d = {0};
    char path[2 * ROOM], *noted;
    folder_create(&d, "x");
    folder_add(&d, &(struct fake){.id = "whole", .number = 1}, "main\t1");
    folder_add(&d, &(struct fake){.id = "wild", .number = 2, .epochs = 2, .status = "diverged"},
               "main\t2");
    folder_add(&d, &(struct fake){.id = "half", .number = 3, .epochs = 1, .status = "running"},
               "main\t3");
    folder_add_point(&d, "never", "whole", "main\t4");
    folder_add(&d, &(struct fake){.id = "torn", .number = 5}, "main\t5");
    path_in(path, &d, "runs/torn.h5");
    assert_int_equal(truncate(path, 1000), 0);
    folder_add(&d, &(struct fake){.id = "odd", .number = 6, .status = "exploded"}, "main\t6");
    struct h5_reader *r = collected(&d, &noted);
    assert_texts(r, "status", "done,diverged,running,missing,damaged,failed");
    NUMBERS(r, "test_accuracy", 1, 1.01, 1.02, 2, 2.01, NAN, 3, NAN, NAN, NAN, NAN, NAN, NAN, NAN,
            NAN, 6, 6.01, 6.02);
    NUMBERS(r, "final_test_accuracy", 1, NAN, NAN, NAN, NAN, NAN);
    NUMBERS(r, "twin_final_test_accuracy", 1, NAN, NAN, 1, NAN, NAN);
    NUMBERS(r, "lr_at_removal", 0.1, 0.1, 0.1, NAN, NAN, 0.1);
    assert_texts(r, "run_id", "whole,wild,half,never,torn,odd");
    assert_non_null(strstr(noted, "1 log cannot be read and is left out"));
    assert_non_null(strstr(noted, "torn.h5"));
    free(noted);
    h5_close(r);
    folder_remove(&d);
}

static void cells_that_the_sweep_has_no_point_for_are_empty(void **state) {
    (void)state;
    struct folder d = {0};
    folder_create(&d, "x\ty");
    folder_add(&d, &(struct fake){.id = "a", .number = 1}, "main\t1\tp");
    folder_add(&d, &(struct fake){.id = "b", .number = 2}, "main\t1\tq");
    folder_add(&d, &(struct fake){.id = "c", .number = 3}, "main\t2\tq");
    struct h5_reader *r = collected(&d, NULL);
    assert_texts(r, "status", "done,done,,done");
    NUMBERS(r, "final_test_accuracy", 1, 2, NAN, 3);
    h5_close(r);
    folder_remove(&d);
}

static void layers_of_different_nets_are_united_in_order(void **state) {
    (void)state;
    struct folder d = {0};
    folder_create(&d, "net");
    folder_add(&d, &(struct fake){.id = "a", .number = 1, .epochs = 1, .layers = {"conv1", "fc1"}},
               "main\tsmall");
    folder_add(&d,
               &(struct fake){
                   .id = "b", .number = 2, .epochs = 1, .layers = {"conv1", "conv2", "fc1", "fc2"}},
               "main\tlarge");
    struct h5_reader *r = collected(&d, NULL);
    assert_texts(r, "layer", "conv1,conv2,fc1,fc2");
    assert_texts(r, "net", "small,large"); /* as the config has them */
    NUMBERS(r, "fisher_layer_trace", trace_of(1, 0, "conv1"), NAN, trace_of(1, 0, "fc1"), NAN,
            trace_of(2, 0, "conv1"), trace_of(2, 0, "conv2"), trace_of(2, 0, "fc1"),
            trace_of(2, 0, "fc2"));
    h5_close(r);
    folder_remove(&d);
}

/* ---- tests: axes ------------------------------------------------------------------------------ */

static void labels_are_integers_or_numbers_or_texts(void **state) {
    (void)state;
    struct folder d = {0};
    folder_create(&d, "whole\treal\ttext");
    const char *const points[] = {"10\t0.5\tb", "9\t0.5\tb",  "10\t1e-3\tb", "-1\t1e-3\tb",
                                  "10\t0.5\t1", "9\t1e-3\t1", "-1\t0.5\t1"};
    for (size_t i = 0; i < sizeof points / sizeof *points; i++) {
        char id[8], labels[64];
        snprintf(id, sizeof id, "p%zu", i);
        snprintf(labels, sizeof labels, "main\t%s", points[i]);
        folder_add(&d, &(struct fake){.id = id, .number = (int)i}, labels);
    }
    struct h5_reader *r = collected(&d, NULL);
    NUMBERS(r, "whole", -1, 9, 10);
    NUMBERS(r, "real", 0.001, 0.5);
    assert_texts(r, "text", "b,1");
    assert_int_equal(h5_kind(r, "whole", NULL), H5_INTS);
    assert_int_equal(h5_kind(r, "real", NULL), H5_FLOATS);
    assert_texts(r, "run_id", "p3,,,p6,,p5,p1,,p2,,p0,p4");
    h5_close(r);
    folder_remove(&d);
}

static void numbers_that_are_equal_stay_texts(void **state) {
    (void)state;
    struct folder d = {0};
    folder_create(&d, "x");
    folder_add(&d, &(struct fake){.id = "a", .number = 1}, "main\t0.5");
    folder_add(&d, &(struct fake){.id = "b", .number = 2}, "main\t5e-1");
    struct h5_reader *r = collected(&d, NULL);
    assert_texts(r, "x", "0.5,5e-1");
    h5_close(r);
    folder_remove(&d);
}

static void seeds_beyond_the_doubles_stay_exact(void **state) {
    (void)state;
    struct folder d = {0};
    int64_t seed[2];
    folder_create(&d, "seed*");
    folder_add(&d, &(struct fake){.id = "a", .number = 1}, "main\t9007199254740993");
    folder_add(&d, &(struct fake){.id = "b", .number = 2}, "main\t9007199254740992");
    struct h5_reader *r = collected(&d, NULL);
    assert_int_equal(h5_get_ints(r, "seed", seed, NULL), 0);
    assert_true(seed[0] == 9007199254740992 && seed[1] == 9007199254740993);
    assert_texts(r, "run_id", "b,a");
    h5_close(r);
    folder_remove(&d);
}

static void axes_called_like_variables_or_keys_get_legal_names(void **state) {
    (void)state;
    struct folder d = {0};
    /* axes of two values, of which no two move together: the bits of the run's number */
    folder_create(&d, "lr\tepoch\tnet.seed\tdeficits[0].until\t2nd");
    for (int i = 0; i < 32; i++) {
        char id[8], labels[64];
        snprintf(id, sizeof id, "r%d", i);
        snprintf(labels, sizeof labels, "main\t%d\t%d\t%d\t%d\t%d", i >> 4 & 1, i >> 3 & 1,
                 i >> 2 & 1, i >> 1 & 1, i & 1);
        folder_add(&d, &(struct fake){.id = id, .number = i}, labels);
    }
    struct h5_reader *r = collected(&d, NULL);
    assert_dims(r, "test_accuracy", "lr_axis,epoch_axis,net_seed,deficits_0_until,axis_2nd,epoch");
    NUMBERS(r, "epoch", 0, 1, 2);
    double final[32];
    for (int i = 0; i < 32; i++) final[i] = i;
    assert_numbers(r, "final_test_accuracy", final, 32);
    char *asked = h5_attr_text(r, "deficits_0_until", "long_name");
    assert_string_equal(asked, "deficits[0].until");
    free(asked);
    h5_close(r);
    folder_remove(&d);
}

static void axes_that_move_together_are_one_dimension(void **state) {
    (void)state;
    struct folder d = {0};
    folder_create(&d, "removal\tname\tseed*");
    folder_add(&d, &(struct fake){.id = "a", .number = 1}, "main\t8\tlong\t1");
    folder_add(&d, &(struct fake){.id = "b", .number = 2}, "main\t8\tlong\t2");
    folder_add(&d, &(struct fake){.id = "c", .number = 3}, "main\t4\tshort\t1");
    struct h5_reader *r = collected(&d, NULL);
    assert_dims(r, "test_accuracy", "removal,seed,epoch");
    assert_dims(r, "name", "removal");
    NUMBERS(r, "removal", 4, 8);
    assert_texts(r, "name", "short,long");
    NUMBERS(r, "final_test_accuracy", 3, NAN, 1, 2);
    char *text = h5_attr_text(r, "/", "coordinates");
    assert_string_equal(text, "name");
    free(text);
    h5_close(r);
    folder_remove(&d);
}

static void one_run_without_axes_looks_like_its_log(void **state) {
    (void)state;
    struct folder d = {0};
    folder_create(&d, "");
    folder_add(&d, &(struct fake){.id = "a", .number = 1}, "main");
    struct h5_reader *r = collected(&d, NULL);
    assert_dims(r, "test_accuracy", "epoch");
    assert_dims(r, "status", "");
    assert_texts(r, "status", "done");
    h5_close(r);
    folder_remove(&d);
}

/* ---- tests: attributes ------------------------------------------------------------------------ */

static void attributes_in_common_stay_attributes_others_become_variables(void **state) {
    (void)state;
    struct folder d = {0};
    folder_fill(&d);
    struct h5_reader *r = collected(&d, NULL);
    char *experiment = h5_attr_text(r, "/", "experiment");
    assert_string_equal(experiment, "made up");
    free(experiment);
    assert_true(h5_attr_int(r, "/", "imprint_sweep", 0) == 1);
    NUMBERS(r, "net_seed", 11, 12, 11, 12);
    assert_false(h5_has(r, "experiment") || h5_has(r, "created") || h5_has(r, "run_seed"));
    assert_null(h5_attr_text(r, "/", "created"));
    NUMBERS(r, "lr_at_removal", 0.1, 0.1, 0.1, 0.1); /* in common, but one looks for it there */
    h5_close(r);
    folder_remove(&d);
}

static void attribute_that_contradicts_its_axis_is_kept(void **state) {
    (void)state;
    struct folder d = {0};
    folder_create(&d, "removal");
    folder_add(&d, &(struct fake){.id = "a", .number = 1, .removal = 3}, "main\tearly");
    folder_add(&d, &(struct fake){.id = "b", .number = 2, .removal = 5}, "main\tlate");
    struct h5_reader *r = collected(&d, NULL);
    assert_texts(r, "removal", "early,late");
    NUMBERS(r, "run_removal", 3, 5);
    h5_close(r);
    folder_remove(&d);
}

static void mixed_numerics_are_told_and_stored(void **state) {
    (void)state;
    struct folder d = {0};
    char *noted;
    folder_create(&d, "x");
    folder_add(&d, &(struct fake){.id = "a", .number = 1}, "main\t1");
    folder_add(&d, &(struct fake){.id = "b", .number = 2, .numerics = "there"}, "main\t2");
    struct h5_reader *r = collected(&d, &noted);
    assert_texts(r, "numerics_id", "here,there");
    assert_non_null(strstr(noted, "may differ in the last bits"));
    assert_true(strchr(noted, '\n') == noted + strlen(noted) - 1);
    free(noted);
    h5_close(r);
    folder_remove(&d);
}

/* ---- tests: parts and folders ----------------------------------------------------------------- */

static void other_parts_are_groups_with_axes_of_their_own(void **state) {
    (void)state;
    struct folder d = {0};
    folder_create(&d, "removal\tonset\tseed*");
    folder_add(&d, &(struct fake){.id = "a", .number = 1}, "blur\t0\t-\t1");
    folder_add(&d, &(struct fake){.id = "b", .number = 2, .epochs = 5}, "blur\t4\t-\t1");
    folder_add(&d, &(struct fake){.id = "c", .number = 3}, "fixed-rate\t-\t2\t1");
    folder_add_point(&d, "a", "a", "fixed-rate\t-\t3\t1"); /* a run of two parts */
    folder_add(&d, &(struct fake){.id = "e", .number = 5}, "lr\t0\t-\t7");
    struct h5_reader *r = collected(&d, NULL);
    assert_dims(r, "test_accuracy", "removal,seed,epoch");
    assert_dims(r, "fixed-rate/test_accuracy", "onset,seed,epoch");
    NUMBERS(r, "fixed-rate/epoch", 0, 1, 2);
    NUMBERS(r, "fixed-rate/final_test_accuracy", 3, 1);
    NUMBERS(r, "lr_part/final_test_accuracy", 5);
    char *part = h5_attr_text(r, "fixed-rate", "part"), *name = h5_attr_text(r, "lr_part", "part"),
         *experiment = h5_attr_text(r, "lr_part", "experiment");
    assert_string_equal(part, "fixed-rate");
    assert_string_equal(name, "lr");
    assert_string_equal(experiment, "made up");
    free(part);
    free(name);
    free(experiment);
    h5_close(r);
    folder_remove(&d);
}

static void folder_without_manifest_has_one_axis_of_runs(void **state) {
    (void)state;
    struct folder d = {0};
    folder_create(&d, NULL);
    folder_add_log(&d, &(struct fake){.id = "b", .twin = "a", .number = 2});
    folder_add_log(&d, &(struct fake){.id = "a", .number = 1});
    h5_close(collected(&d, NULL)); /* the first sweep.h5 is not taken for a log */
    struct h5_reader *r = collected(&d, NULL);
    assert_dims(r, "test_accuracy", "run,epoch");
    assert_texts(r, "run", "a,b");
    NUMBERS(r, "final_test_accuracy", 1, 2);
    NUMBERS(r, "twin_final_test_accuracy", 1, 1);
    h5_close(r);
    folder_remove(&d);
}

static void logs_beside_sweep_h5_are_collected(void **state) {
    (void)state;
    struct folder d = {0};
    char path[2 * ROOM];
    folder_create(&d, NULL);
    path_in(path, &d, "runs");
    assert_int_equal(rmdir(path), 0);
    path_in(path, &d, "x.h5");
    write_log(path, &(struct fake){.id = "x", .number = 1});
    h5_close(collected(&d, NULL));
    struct h5_reader *r = collected(&d, NULL);
    assert_texts(r, "run", "x");
    h5_close(r);
    folder_remove(&d);
}

static char *digest_of(const struct folder *d) {
    struct h5_reader *r = collected(d, NULL);
    char *digest = h5_attr_text(r, "/", "content_digest");
    h5_close(r);
    return digest;
}

static void collecting_twice_gives_the_same_content(void **state) {
    (void)state;
    struct folder d = {0};
    folder_fill(&d);
    char *first = digest_of(&d), *second = digest_of(&d);
    assert_string_equal(first, second);
    folder_add_log(&d,
                   &(struct fake){.id = "d", .twin = "b", .number = 9, .removal = 4, .seed = 2});
    char *third = digest_of(&d);
    assert_string_not_equal(first, third);
    free(first);
    free(second);
    free(third);
    folder_remove(&d);
}

static void log_with_other_dimensions_is_left_out_with_a_sentence(void **state) {
    (void)state;
    struct folder d = {0};
    char *noted;
    folder_create(&d, "x");
    folder_add(&d, &(struct fake){.id = "a", .number = 1}, "main\t1");
    folder_add(&d, &(struct fake){.id = "b", .number = 2, .is_flat = true}, "main\t2");
    struct h5_reader *r = collected(&d, &noted);
    assert_texts(r, "status", "done,damaged");
    NUMBERS(r, "final_test_accuracy", 1, NAN);
    assert_non_null(strstr(noted, "'fisher_layer_trace' has other dimensions than that of"));
    free(noted);
    h5_close(r);
    folder_remove(&d);
}

/* ---- tests: refusals -------------------------------------------------------------------------- */

static void arrays_larger_than_memory_are_refused(void **state) {
    (void)state;
    struct folder d = {0};
    char path[2 * ROOM];
    folder_fill(&d);
    assert_refused(&d, &(struct collect_options){.memory = 4096}, 1, "GiB of memory");
    path_in(path, &d, "sweep.h5");
    assert_int_equal(access(path, F_OK), -1);
    folder_remove(&d);
}

/* 10000 x 5000 x 3334 x 2500 x 2000 cells do not fit into 64 bits, times rows and bytes. */
static void grid_beyond_counting_is_refused_at_once(void **state) {
    (void)state;
    struct folder d = {0};
    folder_create(&d, "a\tb\tc\td\te");
    folder_add_log(&d, &(struct fake){.id = "r0", .number = 1});
    for (int i = 0; i < 10000; i++)
        fprintf(d.manifest, "r%d\t-\tmain\t%d\t%d\t%d\t%d\t%d\n", i, i, i / 2, i / 3, i / 4, i / 5);
    fflush(d.manifest);
    assert_refused(&d, &(struct collect_options){0}, 1, "sweep fewer axes at once");
    folder_remove(&d);
}

static void more_axes_than_an_array_holds_are_refused(void **state) {
    (void)state;
    struct folder d = {0};
    folder_create(&d, "a\tb\tc\td\te\tf\tg");
    folder_add(&d, &(struct fake){.id = "r", .number = 1}, "main\t1\t1\t1\t1\t1\t1\t1");
    assert_refused(
        &d, &(struct collect_options){0}, 1,
        "has 7 axes, and 'fisher_layer_trace' has 2 of its own: an array holds at most 8");
    folder_remove(&d);
}

static void two_points_in_one_cell_are_refused(void **state) {
    (void)state;
    struct folder d = {0};
    folder_create(&d, "x");
    folder_add(&d, &(struct fake){.id = "a", .number = 1}, "main\t1");
    folder_add(&d, &(struct fake){.id = "b", .number = 2}, "main\t1");
    assert_refused(&d, &(struct collect_options){0}, 1, "two points of the part 'main'");
    folder_remove(&d);
}

static void sweep_without_a_log_is_refused(void **state) {
    (void)state;
    struct folder d = {0};
    folder_create(&d, "x");
    folder_add_point(&d, "never", "never", "main\t1");
    assert_refused(&d, &(struct collect_options){0}, 1, "no log that can be read yet");
    folder_remove(&d);
}

static void file_instead_of_a_folder_is_refused(void **state) {
    (void)state;
    struct folder d = {0}, file = {0};
    folder_fill(&d);
    snprintf(file.path, sizeof file.path, "%.300s/runs/a.h5", d.path);
    assert_refused(&file, &(struct collect_options){0}, 2, "is a file; give the folder");
    snprintf(file.path, sizeof file.path, "%.300s/nowhere", d.path);
    assert_refused(&file, &(struct collect_options){0}, 2, "cannot find it");
    folder_remove(&d);
}

static void log_named_as_output_is_not_replaced(void **state) {
    (void)state;
    struct folder d = {0};
    char path[2 * ROOM], other[2 * ROOM], *said, *noted;
    struct error e = {0};
    folder_fill(&d);
    path_in(path, &d, "runs/a.h5");
    assert_refused(&d, &(struct collect_options){.output = path}, 2, "is no collected sweep");
    path_in(other, &d, "other.h5");
    for (int again = 0; again < 2; again++) {
        if (collect_with(&d, &(struct collect_options){.output = other}, &said, &noted, &e))
            fail_msg("%s", e.text);
        assert_non_null(strstr(said, "main: removal=2, seed=2; 4 points: 4 done\n"));
        free(said);
        free(noted);
    }
    path_in(other, &d, "no/such/folder.h5");
    assert_refused(&d, &(struct collect_options){.output = other}, 1, "cannot write it");
    folder_remove(&d);
}

static void controls_stand_beside_their_points(void **state) {
    struct folder d = {0};
    size_t shape[H5_RANK];
    (void)state;
    folder_fill_controls(&d);
    struct h5_reader *r = collected(&d, NULL);
    assert_dims(r, "test_accuracy", "removal,seed,epoch");
    assert_dims(r, "lr_clock_test_accuracy", "removal,seed,epoch");
    NUMBERS(r, "lr_clock_final_test_accuracy", NAN, 5);
    assert_texts(r, "lr_clock_run_id", ",e");
    assert_int_equal(h5_shape(r, "test_accuracy", shape), 3);
    assert_int_equal(shape[2], 6); /* as many rows as the control's log has */
    assert_false(h5_has(r, "on_clean_run_id"));
    assert_false(h5_has(r, "on_clean_test_accuracy"));
    assert_false(h5_has(r, "lr_clock_lr"));
    h5_close(r);
    folder_remove(&d);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_value_stands_in_its_cell),
        cmocka_unit_test(scalars_and_ids_are_over_the_axes_alone),
        cmocka_unit_test(paired_drop_is_one_subtraction),
        cmocka_unit_test(controls_stand_beside_their_points),
        cmocka_unit_test(descriptions_of_the_logs_are_kept),
        cmocka_unit_test(points_without_a_whole_log_are_nan_and_say_why),
        cmocka_unit_test(cells_that_the_sweep_has_no_point_for_are_empty),
        cmocka_unit_test(layers_of_different_nets_are_united_in_order),
        cmocka_unit_test(labels_are_integers_or_numbers_or_texts),
        cmocka_unit_test(numbers_that_are_equal_stay_texts),
        cmocka_unit_test(seeds_beyond_the_doubles_stay_exact),
        cmocka_unit_test(axes_called_like_variables_or_keys_get_legal_names),
        cmocka_unit_test(axes_that_move_together_are_one_dimension),
        cmocka_unit_test(one_run_without_axes_looks_like_its_log),
        cmocka_unit_test(attributes_in_common_stay_attributes_others_become_variables),
        cmocka_unit_test(attribute_that_contradicts_its_axis_is_kept),
        cmocka_unit_test(mixed_numerics_are_told_and_stored),
        cmocka_unit_test(other_parts_are_groups_with_axes_of_their_own),
        cmocka_unit_test(folder_without_manifest_has_one_axis_of_runs),
        cmocka_unit_test(logs_beside_sweep_h5_are_collected),
        cmocka_unit_test(collecting_twice_gives_the_same_content),
        cmocka_unit_test(log_with_other_dimensions_is_left_out_with_a_sentence),
        cmocka_unit_test(arrays_larger_than_memory_are_refused),
        cmocka_unit_test(grid_beyond_counting_is_refused_at_once),
        cmocka_unit_test(more_axes_than_an_array_holds_are_refused),
        cmocka_unit_test(two_points_in_one_cell_are_refused),
        cmocka_unit_test(sweep_without_a_log_is_refused),
        cmocka_unit_test(file_instead_of_a_folder_is_refused),
        cmocka_unit_test(log_named_as_output_is_not_replaced),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
