/* imprint verify: passes on what training gives and finds what it does not. Logs are falsified as
 * whole files, with a right digest and seal, by writing them anew with one change. */
#include <dirent.h>
#include <math.h>
#include <unistd.h>

#include <xxhash.h>

#include "base/system.h"
#include "sim/compare.h"
#include "sim/log.h"
#include "sim/verify.h"
#include "tests/run_fixture.h"

/* ---- a run to verify ------------------------------------------------------------------------- */

enum { STOP_NEVER = -1 };

struct trained {
    char root[FIXTURE_TEXT], log[FIXTURE_TEXT];
    struct trial trial;
    int64_t stop_after, seen;
    volatile sig_atomic_t stop;
};

static void count_epoch(void *context, const struct run_progress *p) {
    struct trained *t = context;
    (void)p;
    if (++t->seen == t->stop_after) t->stop = 1;
}

/* Keeps the state of epoch 3. `expected`: the status it ends with. */
static void train_until(struct trained *t, const char *folder, const char *name,
                        const char *const *overrides, int64_t stop_after, int expected) {
    static const int64_t keep[] = {3};
    struct config clean;
    struct timeline twin;
    struct run_outcome out;
    struct error e = {0};
    *t = (struct trained){.trial = trial_of(folder, overrides), .stop_after = stop_after};
    t->stop = stop_after == 0;
    snprintf(t->root, sizeof t->root, "%.3000s/%.100s", folder, name);
    config_copy(&clean, &t->trial.config);
    config_clean(&clean);
    assert_int_equal(timeline_create(&twin, &clean, &t->trial.data, &e), 0);
    struct run_options o = {.root = t->root,
                            .twin_id = twin.run_id,
                            .threads = 1,
                            .keep = keep,
                            .keep_n = 1,
                            .stop = &t->stop,
                            .progress = count_epoch,
                            .context = t};
    int status = run_execute(&t->trial.config, &t->trial.timeline, &t->trial.data, &o, &out, &e);
    if (status != expected) fail_msg("status %d, not %d: %s", status, expected, e.text);
    snprintf(t->log, sizeof t->log, "%s", out.log);
    timeline_free(&twin);
    config_free(&clean);
}

static struct trained train(const char *folder, const char *name) {
    struct trained t;
    train_until(&t, folder, name, NULL, STOP_NEVER, STATUS_OK);
    return t;
}

static void trained_free(struct trained *t) {
    trial_free(&t->trial);
}

/* What verify said. */
struct said {
    int status;
    struct error e;
    char *out; /* what it printed */
};

static struct said verify_with(const char *path, const struct verify_options *o) {
    struct said s = {0};
    size_t n;
    FILE *out = open_memstream(&s.out, &n);
    s.status = verify(&path, 1, o, out, &s.e);
    fclose(out);
    return s;
}

static const struct verify_options plain = {
    .tolerance = VERIFY_TOLERANCE, .threads = 1, .quiet = true};

/* Verify ends so; its output and error hold these words (NULL: none asked). */
static void expect_with(const char *path, const struct verify_options *o, int status,
                        const char *out, const char *error) {
    struct said s = verify_with(path, o);
    if (s.status != status)
        fail_msg("status %d, not %d: %s\n%s", s.status, status, s.e.text, s.out);
    if (out && !strstr(s.out, out)) fail_msg("no '%s' in:\n%s", out, s.out);
    if (error && !strstr(s.e.text, error)) fail_msg("no '%s' in: %s", error, s.e.text);
    free(s.out);
}

static void expect(const char *path, int status, const char *out, const char *error) {
    expect_with(path, &plain, status, out, error);
}

/* ---- falsifying a log ------------------------------------------------------------------------ */

enum change { CHANGE_NOTHING, CHANGE_BIT, CHANGE_VALUE, CHANGE_ALL, CHANGE_NAN, CHANGE_DROP };

/* One change to a dataset of numbers, or (text) to an attribute of the root or the config. */
struct edit {
    const char *name;
    size_t at;
    enum change change;
    double by;        /* added: CHANGE_VALUE to one value, CHANGE_ALL to all */
    const char *text; /* the attribute's new value; for "config": replaces `from` */
    const char *from;
};

static void edit_reals(double *v, size_t n, const struct edit *edit) {
    uint64_t bits;
    memcpy(&bits, &v[edit->at], sizeof bits);
    if (edit->change == CHANGE_BIT) bits ^= 1;
    if (edit->change == CHANGE_NAN) bits ^= 1ULL << 20 | 1ULL << 63;
    memcpy(&v[edit->at], &bits, sizeof bits);
    if (edit->change == CHANGE_VALUE) v[edit->at] += edit->by;
    for (size_t i = 0; edit->change == CHANGE_ALL && i < n; i++) v[i] += edit->by;
}

static char *replaced(char *text, const struct edit *edit) {
    char *at = strstr(text, edit->from), *all = malloc(strlen(text) + strlen(edit->text) + 1);
    assert_non_null(at);
    sprintf(all, "%.*s%s%s", (int)(at - text), text, edit->text, at + strlen(edit->from));
    free(text);
    return all;
}

struct described {
    char *units, *long_name, *note;
};

static struct described describe(struct h5_reader *r, const char *name, struct h5_about *about) {
    struct described d = {h5_attr_text(r, name, "units"), h5_attr_text(r, name, "long_name"),
                          h5_attr_text(r, name, "description")};
    *about = (struct h5_about){d.units, d.long_name, d.note};
    return d;
}

static void described_free(struct described *d) {
    free(d->units);
    free(d->long_name);
    free(d->note);
}

static void copy_texts(struct h5_reader *r, struct h5_writer *w, const char *name,
                       const struct edit *edit, const struct h5_about *about) {
    size_t n;
    char **texts = h5_get_texts(r, name, &n);
    if (edit->text && !strcmp(edit->name, name)) texts[0] = replaced(texts[0], edit);
    if (!strcmp(name, "config"))
        h5_put_text(w, name, texts[0], about);
    else
        h5_put_scale_texts(w, name, (const char *const *)texts, n, about);
    for (size_t i = 0; i < n; i++) free(texts[i]);
    free(texts);
}

/* Scales of integers, variables of integers (rank 1) and of reals. */
static void copy_numbers(struct h5_reader *r, struct h5_writer *w, const char *name, size_t rank,
                         const struct edit *edit, const struct h5_about *about) {
    size_t n = length_of(r, name);
    char dims[2][H5_NAME];
    const char *pointers[] = {dims[0], dims[1]};
    bool is_edited = !strcmp(edit->name, name), is_scale = rank == 1;
    for (size_t i = 0; i < rank; i++)
        if (!h5_dim_name(r, name, i, dims[i])) is_scale = false;
    if (h5_kind(r, name, NULL) == H5_INTS) {
        int64_t *v = calloc(n + 1, sizeof *v);
        assert_int_equal(h5_get_ints(r, name, v, NULL), 0);
        if (is_edited && edit->change == CHANGE_BIT) v[edit->at] ^= 1;
        if (is_scale)
            h5_put_scale_ints(w, name, v, n, about);
        else
            h5_put_ints(w, name, v, rank, pointers, about);
        free(v);
        return;
    }
    double *v = calloc(n + 1, sizeof *v);
    assert_int_equal(h5_get_doubles(r, name, v, NULL), 0);
    if (is_edited) edit_reals(v, n, edit);
    h5_put_doubles(w, name, v, rank, pointers, about);
    free(v);
}

static void copy_dataset(struct h5_reader *r, struct h5_writer *w, const char *name,
                         const struct edit *edit) {
    size_t shape[H5_RANK];
    struct h5_about about;
    int rank = h5_shape(r, name, shape);
    if (edit->change == CHANGE_DROP && !strcmp(edit->name, name)) return;
    struct described d = describe(r, name, &about);
    if (h5_kind(r, name, NULL) == H5_TEXTS)
        copy_texts(r, w, name, edit, &about);
    else
        copy_numbers(r, w, name, (size_t)rank, edit, &about);
    described_free(&d);
}

static void copy_attribute(struct h5_reader *r, struct h5_writer *w, const char *name,
                           const struct edit *edit) {
    enum h5_kind kind = h5_attr_kind(r, "/", name);
    bool is_edited = edit->text && !strcmp(edit->name, name);
    if (!strcmp(name, "content_digest")) return;
    if (kind == H5_FLOATS) {
        h5_put_attr_real(w, "/", name, h5_attr_real(r, "/", name));
    } else if (kind == H5_INTS) {
        h5_put_attr_int(w, "/", name, h5_attr_int(r, "/", name, 0));
    } else {
        char *text = h5_attr_text(r, "/", name);
        h5_put_attr_text(w, "/", name, is_edited ? edit->text : text);
        free(text);
    }
}

static bool is_scale(struct h5_reader *r, const char *name) {
    char dim[H5_NAME];
    size_t shape[H5_RANK];
    return h5_shape(r, name, shape) == 1 && h5_dim_name(r, name, 0, dim);
}

/* The log, whole, at `to`, with one change. */
static void falsify(const char *from, const char *to, const struct edit *edit) {
    struct h5_reader *r;
    struct error e = {0};
    size_t n;
    assert_int_equal(h5_open_sealed(&r, from, &e), 0);
    struct h5_writer *w = h5_create(to);
    char **names = h5_list_all(r, &n);
    for (int scales = 1; scales >= 0; scales--)
        for (size_t i = 0; i < n; i++)
            if (is_scale(r, names[i]) == (scales == 1)) copy_dataset(r, w, names[i], edit);
    for (size_t i = 0; i < n; i++) free(names[i]);
    free(names);
    names = h5_attr_list(r, "/", &n);
    for (size_t i = 0; i < n; i++) {
        copy_attribute(r, w, names[i], edit);
        free(names[i]);
    }
    free(names);
    h5_close(r);
    if (h5_commit(w, false, &e)) fail_msg("%s", e.text);
    assert_int_equal(h5_seal(to), H5_SEALED);
}

static char *place(char path[FIXTURE_TEXT], const char *folder, const char *name) {
    snprintf(path, FIXTURE_TEXT, "%.3000s/%.100s", folder, name);
    return path;
}

/* The falsified log is found: status 4 and these words. */
static void caught(const struct trained *t, const char *folder, struct edit edit, const char *out,
                   const char *error) {
    char path[FIXTURE_TEXT];
    falsify(t->log, place(path, folder, "false.h5"), &edit);
    expect(path, STATUS_DIFFERS, out, error);
}

/* ---- tests ----------------------------------------------------------------------------------- */

static void a_fresh_log_is_equal_bit_for_bit(void **folder) {
    struct trained t = train(*folder, "fresh");
    char copy[FIXTURE_TEXT];
    expect(t.log, STATUS_OK, "7 epochs trained: equal bit for bit\n", NULL);
    falsify(t.log, place(copy, *folder, "copy.h5"), &(struct edit){.name = ""});
    expect(copy, STATUS_OK, "equal bit for bit\n", NULL);
    trained_free(&t);
}

static void threads_do_not_matter(void **folder) {
    struct trained t = train(*folder, "threads");
    struct verify_options o = plain;
    o.threads = 2;
    expect_with(t.log, &o, STATUS_OK, "equal bit for bit\n", NULL);
    trained_free(&t);
}

static void one_flipped_bit_is_found_with_epoch_and_ulps(void **folder) {
    struct trained t = train(*folder, "bit");
    caught(&t, *folder, (struct edit){.name = "test_loss", .at = 5, .change = CHANGE_BIT},
           "  test_loss: 1 of 8 values differ; the first at epoch 5: ", "1 of ");
    caught(&t, *folder, (struct edit){.name = "test_loss", .at = 5, .change = CHANGE_BIT},
           " trained, 1 ulp apart\n", "1 of ");
    caught(&t, *folder,
           (struct edit){.name = "fisher_layer_trace", .at = 3 * 5 + 1, .change = CHANGE_BIT},
           "at epoch 3, layer conv2: ", NULL);
    caught(&t, *folder, (struct edit){.name = "final/fisher_peak", .change = CHANGE_BIT},
           "  final/fisher_peak: differs: ", NULL);
    caught(&t, *folder, (struct edit){.name = "probe_index", .at = 2, .change = CHANGE_BIT},
           "  probe_index: 1 of 16 values differ; the first at probe 2: ", NULL);
    trained_free(&t);
}

/* Compares two files as verify does one numerics id; returns how many datasets differ. */
static struct compare_rule by_bits(const void *context, const char *name) {
    (void)context;
    bool out = !strcmp(name, "content_digest");
    return (struct compare_rule){.by = out ? COMPARE_NOT : COMPARE_BITS};
}

static struct compare_count compare_paths(const char *a, const char *b) {
    struct compare_rules rules = {.dataset = by_bits, .attribute = by_bits, .a = "a", .b = "b"};
    struct compare_count count = {0};
    struct text lines = {0};
    struct h5_reader *x, *y;
    struct error e = {0};
    assert_int_equal(h5_open(&x, a, &e), 0);
    assert_int_equal(h5_open(&y, b, &e), 0);
    if (compare_files(x, y, &rules, &count, &lines, &e)) fail_msg("%s", e.text);
    free(lines.data);
    h5_close(x);
    h5_close(y);
    return count;
}

static void a_flipped_bit_is_found_in_every_dataset_of_a_log(void **folder) {
    struct trained t = train(*folder, "every");
    struct h5_reader *r;
    char path[FIXTURE_TEXT];
    size_t n, tried = 0;
    assert_int_equal(h5_open(&r, t.log, NULL), 0);
    char **names = h5_list_all(r, &n);
    for (size_t i = 0; i < n; i++) {
        enum h5_kind kind = h5_kind(r, names[i], NULL);
        size_t last = length_of(r, names[i]) - 1;
        struct edit edit = {.name = names[i], .at = last, .change = CHANGE_BIT};
        double v[64];
        bool is_nan = kind == H5_FLOATS && last < 64 && !h5_get_doubles(r, names[i], v, NULL) &&
                      isnan(v[last]);
        if (kind != H5_TEXTS && !is_nan) { /* one NaN is as good as another */
            falsify(t.log, place(path, *folder, "false.h5"), &edit);
            struct compare_count count = compare_paths(t.log, path);
            assert_int_equal(count.datasets_differ, 1);
            assert_int_equal(count.attributes_differ, 0);
            assert_int_equal(count.equal, n - 1);
            tried++;
        }
        free(names[i]);
    }
    free(names);
    h5_close(r);
    assert_true(tried > 25);
    trained_free(&t);
}

static void nan_is_nan_whatever_its_bits(void **folder) {
    struct trained t = train(*folder, "nan");
    char path[FIXTURE_TEXT];
    struct edit edit = {.name = "train_loss", .at = 0, .change = CHANGE_NAN};
    falsify(t.log, place(path, *folder, "false.h5"), &edit);
    expect(path, STATUS_OK, "equal bit for bit\n", NULL);
    trained_free(&t);
}

static void wall_times_are_left_out(void **folder) {
    struct trained t = train(*folder, "wall");
    char path[FIXTURE_TEXT];
    struct edit edit = {.name = "wall_seconds", .at = 2, .change = CHANGE_VALUE, .by = 1.0};
    falsify(t.log, place(path, *folder, "false.h5"), &edit);
    expect(path, STATUS_OK, "equal bit for bit\n", NULL);
    trained_free(&t);
}

static void a_dataset_that_is_gone_is_found(void **folder) {
    struct trained t = train(*folder, "gone");
    caught(&t, *folder, (struct edit){.name = "weight_norm", .change = CHANGE_DROP},
           "  weight_norm: only trained\n", NULL);
    trained_free(&t);
}

static void attributes_that_name_the_run_are_compared(void **folder) {
    struct trained t = train(*folder, "names");
    static const char *const names[] = {"run_id", "twin_run_id", "prefix_key", "arch", NULL};
    for (size_t i = 0; names[i]; i++) {
        char words[64];
        snprintf(words, sizeof words, "  attribute %s: 'feed' in the log, '", names[i]);
        caught(&t, *folder, (struct edit){.name = names[i], .text = "feed"}, words,
               " datasets and 1 of ");
    }
    caught(&t, *folder, (struct edit){.name = "run_id", .text = "feed"},
           "names runs by another formula", NULL);
    trained_free(&t);
}

static void an_edited_config_is_found(void **folder) {
    struct trained t = train(*folder, "config");
    struct edit rate = {.name = "config", .from = "base: 0.05", .text = "base: 0.06"};
    caught(&t, *folder, rate, "  attribute run_id: ", NULL);
    caught(&t, *folder, rate, "  train_loss: 7 of 8 values differ; the first at epoch 1: ", NULL);
    struct edit data = {.name = "config", .from = "train: 48", .text = "train: 40"};
    caught(&t, *folder, data, NULL, "the data are not those of the log");
    trained_free(&t);
}

static void flip_byte(const char *path, long from_end) {
    FILE *f = fopen(path, "r+b");
    assert_non_null(f);
    fseek(f, -from_end, SEEK_END);
    int byte = fgetc(f);
    fseek(f, -1, SEEK_CUR);
    fputc(byte ^ 1, f);
    fclose(f);
}

static void damaged_and_other_files_are_refused(void **folder) {
    struct trained t = train(*folder, "damage");
    char path[FIXTURE_TEXT];
    struct store store;
    place(path, *folder, "false.h5");
    falsify(t.log, path, &(struct edit){.name = ""});
    flip_byte(path, 3000);
    expect(path, STATUS_DIFFERS, NULL, "it is damaged: its content is not what was written");
    falsify(t.log, path, &(struct edit){.name = ""});
    assert_int_equal(truncate(path, 5000), 0);
    expect(path, STATUS_DIFFERS, NULL, "cut short");
    assert_int_equal(truncate(path, 5), 0);
    expect(path, STATUS_FAILED, NULL, "is no log");
    expect("/nowhere/log.h5", STATUS_FAILED, NULL, "No such file");
    store_at(&store, t.root);
    store_state_path(path, &store, &t.trial.timeline, 7, STORED_KEPT);
    expect(path, STATUS_FAILED, NULL, "is no log of a run");
    trained_free(&t);
}

/* A byte of a value is changed and the seal made anew: only the content digest tells. */
static void seal_anew(const char *path, double value) {
    static unsigned char bytes[1 << 20];
    XXH128_canonical_t hash;
    FILE *f = fopen(path, "r+b");
    assert_non_null(f);
    size_t n = fread(bytes, 1, sizeof bytes, f);
    assert_true(n > 32 && n < sizeof bytes);
    unsigned char *at = memmem(bytes, n, &value, sizeof value);
    assert_non_null(at);
    at[0] ^= 1;
    XXH128_canonicalFromHash(&hash, XXH3_128bits(bytes, n - 32));
    memcpy(bytes + n - 16, hash.digest, 16);
    rewind(f);
    assert_int_equal(fwrite(bytes, 1, n, f), n);
    fclose(f);
}

static void a_wrong_content_digest_under_a_right_seal_is_found(void **folder) {
    struct trained t = train(*folder, "digest");
    struct h5_reader *r;
    double loss[8];
    assert_int_equal(h5_open(&r, t.log, NULL), 0);
    assert_int_equal(h5_get_doubles(r, "test_loss", loss, NULL), 0);
    h5_close(r);
    seal_anew(t.log, loss[4]);
    assert_int_equal(h5_seal(t.log), H5_SEALED);
    expect(t.log, STATUS_DIFFERS, NULL, "its content does not match its digest");
    trained_free(&t);
}

static void a_diverged_log_must_diverge_again(void **folder) {
    static const char *const wild[] = {"train.lr.base=1000", "train.optimizer.weight_decay=1",
                                       NULL};
    struct trained t;
    train_until(&t, *folder, "wild", wild, STOP_NEVER, STATUS_DIVERGED);
    expect(t.log, STATUS_OK, "equal bit for bit\n", NULL);
    caught(&t, *folder, (struct edit){.name = "status", .text = "done"},
           "it does not diverge in the log, and does so when trained", NULL);
    trained_free(&t);
    t = train(*folder, "tame");
    caught(&t, *folder, (struct edit){.name = "status", .text = "diverged"},
           "it diverges in the log, and does not when trained", NULL);
    trained_free(&t);
}

static void of_an_interrupted_log_the_rows_it_has_are_verified(void **folder) {
    struct trained t;
    for (int64_t stop = 0; stop <= 3; stop++) {
        char name[32], words[64];
        snprintf(name, sizeof name, "stopped%lld", (long long)stop);
        snprintf(words, sizeof words, "%lld epochs trained: equal bit for bit\n", (long long)stop);
        train_until(&t, *folder, name, NULL, stop, STATUS_INTERRUPTED);
        expect(t.log, STATUS_OK, words, NULL);
        if (stop == 3)
            caught(&t, *folder, (struct edit){.name = "test_loss", .at = 3, .change = CHANGE_BIT},
                   "at epoch 3: ", NULL);
        trained_free(&t);
    }
}

/* ---- from states ----------------------------------------------------------------------------- */

static const struct verify_options from_states = {
    .from_states = true, .tolerance = VERIFY_TOLERANCE, .threads = 1, .quiet = true};

static void last_state(char path[STORE_PATH], const struct trained *t) {
    struct store store;
    store_at(&store, t->root);
    store_state_path(path, &store, &t->trial.timeline, 7, STORED_KEPT);
}

static void only_the_last_segment_is_trained_from_states(void **folder) {
    struct trained t = train(*folder, "segment");
    char path[STORE_PATH];
    expect_with(t.log, &from_states, STATUS_OK,
                "4 epochs trained from the state of epoch 3: equal bit for bit\n", NULL);
    last_state(path, &t);
    flip_byte(path, 1000);
    expect_with(t.log, &from_states, STATUS_DIFFERS, "its last state is damaged", NULL);
    assert_int_equal(unlink(path), 0);
    expect_with(t.log, &from_states, STATUS_OK, "its last state is not on disk", NULL);
    trained_free(&t);
}

/* The state anew, with one bit of a parameter flipped. */
static void falsify_state(const char *path) {
    static double v[1 << 16];
    struct h5_reader *r;
    size_t n, element, shape[H5_RANK];
    assert_int_equal(h5_open_sealed(&r, path, NULL), 0);
    struct h5_writer *w = h5_create(path);
    char **names = h5_list_all(r, &n);
    for (size_t i = 0; i < n; i++) {
        int rank = h5_shape(r, names[i], shape);
        bool is_tensor = h5_kind(r, names[i], &element) == H5_FLOATS;
        assert_true(length_of(r, names[i]) <= sizeof v / sizeof *v);
        if (is_tensor) assert_int_equal(h5_get_raw(r, names[i], element, v, NULL), 0);
        if (is_tensor && !strcmp(names[i], "params/fc1.bias")) ((unsigned char *)v)[0] ^= 1;
        if (is_tensor) h5_put_tensor(w, names[i], v, element, (size_t)rank, shape, NULL);
        free(names[i]);
    }
    free(names);
    names = h5_attr_list(r, "/", &n);
    for (size_t i = 0; i < n; i++) {
        copy_attribute(r, w, names[i], &(struct edit){.name = ""});
        free(names[i]);
    }
    free(names);
    h5_close(r);
    assert_int_equal(h5_commit(w, false, NULL), 0);
}

static void another_last_state_is_found(void **folder) {
    struct trained t = train(*folder, "state");
    char path[STORE_PATH];
    last_state(path, &t);
    falsify_state(path);
    expect_with(t.log, &from_states, STATUS_DIFFERS,
                "  params/fc1.bias: 1 of 8 values differ; the first at [0]: ", NULL);
    trained_free(&t);
}

static void without_states_from_states_is_refused(void **folder) {
    struct trained t = train(*folder, "stateless");
    char path[FIXTURE_TEXT];
    struct store store;
    falsify(t.log, place(path, *folder, "alone.h5"), &(struct edit){.name = ""});
    expect_with(path, &from_states, STATUS_FAILED, NULL, "no results folder is around it");
    store_at(&store, t.root);
    assert_int_equal(system_remove_folder(store.states, NULL), 0);
    expect_with(t.log, &from_states, STATUS_FAILED, NULL, "no state of an earlier epoch");
    expect(t.log, STATUS_OK, "7 epochs trained: equal bit for bit\n", NULL);
    trained_free(&t);
}

/* ---- other numerics -------------------------------------------------------------------------- */

/* Twice falsified: of other numerics, and with another change. */
static void as_if_elsewhere(const struct trained *t, const char *folder, struct edit edit,
                            char path[FIXTURE_TEXT]) {
    char first[FIXTURE_TEXT];
    struct edit numerics = {.name = "numerics_id", .text = "feed"};
    falsify(t->log, place(first, folder, "elsewhere.h5"), &numerics);
    falsify(first, place(path, folder, "false.h5"), &edit);
}

static void expect_elsewhere(const struct trained *t, const char *folder, struct edit edit,
                             int status, const char *out) {
    char path[FIXTURE_TEXT];
    as_if_elsewhere(t, folder, edit, path);
    expect(path, status, out, NULL);
}

static void logs_of_other_numerics_are_compared_within_a_tolerance(void **folder) {
    struct trained t = train(*folder, "elsewhere");
    struct edit same = {.name = ""};
    expect_elsewhere(&t, *folder, same, STATUS_OK, "equal bit for bit, by other numerics\n");
    expect_elsewhere(&t, *folder, same, STATUS_OK,
                     "cpu, blas and version are the same: the compiler");
    expect_elsewhere(&t, *folder, (struct edit){.name = "blas", .text = "OpenBLAS 0.0"}, STATUS_OK,
                     "  blas: \"OpenBLAS 0.0\" in the log, ");
    struct edit near = {.name = "test_accuracy", .at = 4, .change = CHANGE_VALUE, .by = 0.25};
    expect_elsewhere(&t, *folder, near, STATUS_OK,
                     "  test_accuracy: on average 0.031 apart, most at epoch 4: ");
    struct edit loss = {.name = "train_loss", .at = 4, .change = CHANGE_VALUE, .by = 0.5};
    expect_elsewhere(&t, *folder, loss, STATUS_OK, " % of its mean apart, most at epoch 4: ");
    trained_free(&t);
}

static void what_roundings_cannot_do_is_found_in_logs_of_other_numerics(void **folder) {
    struct trained t = train(*folder, "beyond");
    struct edit far = {.name = "test_accuracy", .change = CHANGE_ALL, .by = 0.2};
    expect_elsewhere(&t, *folder, far, STATUS_DIFFERS, "(beyond the tolerance)\n");
    struct edit untrained = {.name = "test_loss", .at = 0, .change = CHANGE_VALUE, .by = 0.01};
    expect_elsewhere(&t, *folder, untrained, STATUS_DIFFERS, " % apart before training (beyond");
    struct edit rate = {.name = "lr", .at = 3, .change = CHANGE_VALUE, .by = 1e-6};
    expect_elsewhere(&t, *folder, rate, STATUS_DIFFERS, "  lr: ");
    struct edit gone = {.name = "test_loss", .at = 3, .change = CHANGE_VALUE, .by = NAN};
    expect_elsewhere(&t, *folder, gone, STATUS_DIFFERS, "  test_loss: differs at epoch 3: NaN");
    trained_free(&t);
}

/* ---- the rest -------------------------------------------------------------------------------- */

static void ulps_count_the_numbers_between(void **state) {
    (void)state;
    assert_int_equal(compare_ulps(1.0, 1.0, 8), 0);
    assert_int_equal(compare_ulps(1.0, nextafter(1.0, 2.0), 8), 1);
    assert_int_equal(compare_ulps(nextafter(-1.0, 0.0), -1.0, 8), 1);
    assert_int_equal(compare_ulps(0.0, -0.0, 8), 1);
    assert_int_equal(compare_ulps(0x1p-1074, -0x1p-1074, 8), 3);
    assert_int_equal(compare_ulps(1.0, 1.5, 8), 1ULL << 51);
    assert_int_equal(compare_ulps(1.0, (double)nextafterf(1.0F, 0.0F), 4), 1);
    assert_int_equal(compare_ulps(-1.0, -1.5, 4), 1U << 22);
    assert_true(compare_ulps(-INFINITY, INFINITY, 8) > UINT64_MAX / 2);
}

static void a_verify_that_is_interrupted_says_so(void **folder) {
    struct trained t = train(*folder, "ctrl-c");
    static volatile sig_atomic_t stop = 1;
    struct verify_options o = plain;
    o.stop = &stop;
    expect_with(t.log, &o, STATUS_INTERRUPTED, NULL, "interrupted while it was trained again");
    trained_free(&t);
}

static void a_folder_stands_for_all_its_logs(void **folder) {
    struct trained t = train(*folder, "many"), u;
    static const char *const seed[] = {"seed=2", NULL};
    train_until(&u, *folder, "many", seed, STOP_NEVER, STATUS_OK);
    char path[FIXTURE_TEXT];
    place(path, t.root, "tiny");
    expect(path, STATUS_OK, "2 of 2 logs are what training gives\n", NULL);
    flip_byte(u.log, 3000);
    expect(path, STATUS_DIFFERS, "1 of 2 logs are what training gives\n",
           "1 of 2 logs differ, 0 could not be checked");
    trained_free(&t);
    trained_free(&u);
}

/* Verify works in TMPDIR: nothing is left there by any test above. */
static void temporary_folders_are_removed(void **folder) {
    DIR *d = opendir(getenv("TMPDIR"));
    assert_non_null(d);
    for (struct dirent *f; (f = readdir(d));)
        if (strstr(f->d_name, "imprint-verify")) fail_msg("%s was left behind", f->d_name);
    closedir(d);
    (void)folder;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_fresh_log_is_equal_bit_for_bit),
        cmocka_unit_test(threads_do_not_matter),
        cmocka_unit_test(one_flipped_bit_is_found_with_epoch_and_ulps),
        cmocka_unit_test(a_flipped_bit_is_found_in_every_dataset_of_a_log),
        cmocka_unit_test(nan_is_nan_whatever_its_bits),
        cmocka_unit_test(wall_times_are_left_out),
        cmocka_unit_test(a_dataset_that_is_gone_is_found),
        cmocka_unit_test(attributes_that_name_the_run_are_compared),
        cmocka_unit_test(an_edited_config_is_found),
        cmocka_unit_test(damaged_and_other_files_are_refused),
        cmocka_unit_test(a_wrong_content_digest_under_a_right_seal_is_found),
        cmocka_unit_test(a_diverged_log_must_diverge_again),
        cmocka_unit_test(of_an_interrupted_log_the_rows_it_has_are_verified),
        cmocka_unit_test(only_the_last_segment_is_trained_from_states),
        cmocka_unit_test(another_last_state_is_found),
        cmocka_unit_test(without_states_from_states_is_refused),
        cmocka_unit_test(logs_of_other_numerics_are_compared_within_a_tolerance),
        cmocka_unit_test(what_roundings_cannot_do_is_found_in_logs_of_other_numerics),
        cmocka_unit_test(ulps_count_the_numbers_between),
        cmocka_unit_test(a_verify_that_is_interrupted_says_so),
        cmocka_unit_test(a_folder_stands_for_all_its_logs),
        cmocka_unit_test(temporary_folders_are_removed),
    };
    return cmocka_run_group_tests(tests, folder_make, folder_remove);
}
