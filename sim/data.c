/* Data sets: from files to the examples of a run.
 *
 * DESIGN, Subsets: the pool is the shortest prefix of the official order that holds the quota of
 * every class for n = train + validation examples (n/K each, the first n%K classes one more). Per
 * class c that many are drawn from the pool by stream ("subset", 0, c); of these, validation
 * examples by stream ("validation", 0, c), dealt out from class train%K on, so that training and
 * validation are each balanced to within one. The pool holds just enough of its rarest class, so
 * that class is taken whole whatever the seed; the others have a surplus to draw from. Test examples
 * likewise from the test files, stream ("subset", 1, c). With `balance: false` the first n are
 * taken, and validation is drawn from them without regard to class.
 *
 * Normalization: mean and population s.d. per channel over the clean training examples, in double
 * (sums of bytes are exact integers); a constant channel has s.d. 1. Features have one mean and s.d.
 * over all of them, tokens none. */
#include "sim/data.h"

#include <assert.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "sim/datasets/file.h"
#include "sim/datasets/md5.h"
#include "sim/datasets/pool.h"

#define DATASET(name) extern const struct dataset_type dataset_##name;
#include "sim/datasets/datasets.def"
#undef DATASET

static const struct dataset_type *const datasets[] = {
#define DATASET(name) &dataset_##name,
#include "sim/datasets/datasets.def"
#undef DATASET
};

const struct dataset_type *const *dataset_list(size_t *n) {
    *n = sizeof datasets / sizeof *datasets;
    return datasets;
}

const struct dataset_type *dataset_find(const char *name) {
    for (size_t i = 0; i < sizeof datasets / sizeof *datasets; i++)
        if (strcmp(datasets[i]->name, name) == 0) return datasets[i];
    return NULL;
}

const struct dataset_type *dataset_source(const struct settings *data,
                                          const struct dataset_type *t) {
    return t->wraps ? dataset_find(settings_text(data, t->wraps)) : t;
}

const struct param data_common_params[] = {
    {.name = "set", .type = PARAM_TEXT, .preset = NULL, .doc = "The data set."},
    {.name = "path",
     .type = PARAM_TEXT,
     .preset = "~",
     .doc = "The folder with the data set's files or the one above it; for hdf5 the file.",
     .outside_key = true},
    {.name = "train",
     .type = PARAM_INT,
     .preset = "0",
     .min = 0,
     .max = 2147483647,
     .unit = "examples",
     .doc = "Training examples, drawn with as many of each class; 0: all there are."},
    {.name = "validation",
     .type = PARAM_INT,
     .preset = "0",
     .min = 0,
     .max = 2147483647,
     .unit = "examples",
     .doc = "Validation examples, from the training files in addition to data.train, balanced and "
            "never trained on; with train: 0 taken out of the whole."},
    {.name = "test",
     .type = PARAM_INT,
     .preset = "0",
     .min = 0,
     .max = 2147483647,
     .unit = "examples",
     .doc = "Test examples, drawn with as many of each class; 0: all there are."},
    {.name = "balance",
     .type = PARAM_BOOL,
     .preset = "true",
     .doc = "Draw as many examples of each class; false takes the first of the files."},
    {.name = "scale",
     .type = PARAM_REAL,
     .preset = "1",
     .min = 0.001,
     .max = 1000,
     .unit = "1",
     .doc = "Standard deviation that images and features reach the network with: they are "
            "normalized by the clean training examples, then multiplied by it."},
    {.name = "seed",
     .type = PARAM_INT,
     .preset = "~",
     .min = 0,
     .max = 9007199254740992.0,
     .doc = "Seed of the subset, of made data and of what deficits draw; unset: that of the "
            "experiment."},
    {0},
};

size_t modality_size(const struct modality *m) {
    return m->H * m->W * m->C;
}

size_t modality_bytes(const struct modality *m) {
    return modality_size(m) * (m->bytes ? sizeof(uint8_t) : sizeof(float));
}

void dataset_inputs(const struct dataset *d, struct net_input inputs[DATA_MODALITIES]) {
    for (size_t i = 0; i < d->modalities_n; i++) {
        const struct modality *m = &d->modality[i];
        inputs[i] = (struct net_input){
            .name = m->name, .H = m->H, .W = m->W, .C = m->C, .tokens = m->tokens};
    }
}

struct net_spec dataset_net(const struct dataset *d, struct net_input inputs[DATA_MODALITIES]) {
    dataset_inputs(d, inputs);
    return (struct net_spec){.inputs = inputs,
                             .inputs_n = d->modalities_n,
                             .K = d->K,
                             .correlation = (const double *const *)d->correlation};
}

enum mark { OUT, TRAIN, VALIDATION };

/* A draw: so many of the examples marked `from` get the mark `to`, dealt out over K classes
 * beginning with class `first`; K = 1 is without regard to class. */
struct draw {
    enum mark from, to;
    size_t n, K, first;
    const char *purpose;
    uint32_t part;
};

static int draw_class(const struct draw *w, const struct examples *x, size_t pool, uint64_t seed,
                      size_t c, uint8_t *mark, uint32_t *member) {
    const size_t quota = pool_quota(w->n, w->K, w->first, c);
    size_t n = 0;
    for (size_t i = 0; i < pool; i++)
        if (mark[i] == w->from && (w->K == 1 || (size_t)x->label[i] == c))
            member[n++] = (uint32_t)i;
    if (n < quota) return STATUS_USAGE;
    struct rng r = rng_stream(seed, w->purpose, w->part, c);
    rng_shuffle(&r, member, n);
    for (size_t i = 0; i < quota; i++) mark[member[i]] = (uint8_t)w->to;
    return STATUS_OK;
}

static int draw(const struct draw *w, const struct examples *x, size_t pool, uint64_t seed,
                uint8_t *mark, struct error *e) {
    uint32_t *member = malloc((pool + 1) * sizeof *member);
    if (!member) return error_set(e, STATUS_FAILED, "out of memory");
    int status = STATUS_OK;
    for (size_t c = 0; c < w->K && !status; c++)
        status = draw_class(w, x, pool, seed, c, mark, member);
    free(member);
    if (!status) return STATUS_OK;
    return error_set(
        e, STATUS_USAGE,
        "data.validation: %zu examples cannot be drawn with as many of each class: ask "
        "for fewer, or set data.balance to false",
        w->n);
}

static void example_move(struct examples *to, size_t j, const struct examples *from, size_t i,
                         const struct dataset *d) {
    to->label[j] = from->label[i];
    to->index[j] = from->index[i];
    for (size_t m = 0; m < d->modalities_n; m++) {
        size_t bytes = modality_bytes(&d->modality[m]);
        memmove((char *)to->x[m] + j * bytes, (const char *)from->x[m] + i * bytes, bytes);
    }
    if (d->has_targets)
        memmove(to->target + j * d->K, from->target + i * d->K, d->K * sizeof *to->target);
}

/* Gather the examples with this mark; to == from packs them in place. */
static int examples_pick(struct examples *to, const struct examples *from, const uint8_t *mark,
                         size_t pool, enum mark wanted, const struct dataset *d, struct error *e) {
    size_t n = 0;
    for (size_t i = 0; i < pool; i++) n += mark[i] == wanted;
    int status = to == from ? STATUS_OK : examples_create(to, d, n, 0, e);
    for (size_t i = 0, j = 0; i < pool && !status; i++)
        if (mark[i] == wanted) example_move(to, j++, from, i, d);
    return status ? status : examples_resize(to, d, n, e);
}

static int too_few(const char *keys, const struct examples *x, size_t K, size_t want, bool balance,
                   struct error *e) {
    const size_t largest = balance ? pool_largest(x->label, x->n, K) : x->n;
    return error_set(e, STATUS_USAGE,
                     "%s: %zu examples wanted, but at most %zu %s: ask for fewer%s", keys, want,
                     largest, balance ? "can be drawn with as many of each class" : "are there",
                     balance ? ", for all (0), or set data.balance to false" : "");
}

/* Marks for training and validation over the pool. */
static int train_mark(const struct data_request *r, size_t validation, const struct dataset *d,
                      size_t *pool, uint8_t *mark, struct error *e) {
    const struct examples *x = &d->train;
    const size_t train = r->train ? r->train - validation : 0;
    *pool = pool_prefix(x->label, x->n, d->K, r->train, r->balance);
    if (*pool == 0)
        return too_few(validation ? "data.train + data.validation" : "data.train", x, d->K,
                       r->train, r->balance, e);
    if (r->train == 0 && validation >= x->n)
        return error_set(e, STATUS_USAGE,
                         "data.validation: %zu of the %zu examples leave none to train on: ask for "
                         "fewer",
                         validation, x->n);
    const bool by_class = r->train && r->balance;
    memset(mark, by_class ? OUT : TRAIN, *pool);
    const struct draw subset = {OUT, TRAIN, by_class ? r->train : 0, d->K, 0, "subset", 0};
    const size_t K = r->balance ? d->K : 1;
    const struct draw split = {TRAIN, VALIDATION, validation, K, train % K, "validation", 0};
    int status = draw(&subset, x, *pool, r->seed, mark, e);
    return status ? status : draw(&split, x, *pool, r->seed, mark, e);
}

static int train_draw(const struct data_request *r, size_t validation, struct dataset *d,
                      struct error *e) {
    size_t pool = 0;
    uint8_t *mark = calloc(d->train.n + 1, 1);
    if (!mark) return error_set(e, STATUS_FAILED, "out of memory");
    int status = train_mark(r, validation, d, &pool, mark, e);
    if (!status) status = examples_pick(&d->validation, &d->train, mark, pool, VALIDATION, d, e);
    if (!status) status = examples_pick(&d->train, &d->train, mark, pool, TRAIN, d, e);
    free(mark);
    return status;
}

static int test_draw(const struct data_request *r, struct dataset *d, struct error *e) {
    const size_t pool = pool_prefix(d->test.label, d->test.n, d->K, r->test, r->balance);
    if (pool == 0) return too_few("data.test", &d->test, d->K, r->test, r->balance, e);
    uint8_t *mark = calloc(pool, 1);
    if (!mark) return error_set(e, STATUS_FAILED, "out of memory");
    const bool by_class = r->test && r->balance;
    memset(mark, by_class ? OUT : TRAIN, pool);
    const struct draw subset = {OUT, TRAIN, by_class ? r->test : 0, d->K, 0, "subset", 1};
    int status = draw(&subset, &d->test, pool, r->seed, mark, e);
    if (!status) status = examples_pick(&d->test, &d->test, mark, pool, TRAIN, d, e);
    free(mark);
    return status;
}

static void bytes_moments(const uint8_t *x, size_t pixels, size_t C, size_t c, struct modality *m) {
    uint64_t sum = 0, squares = 0;
    for (size_t i = c; i < pixels * C; i += C) {
        sum += x[i];
        squares += (uint64_t)x[i] * x[i];
    }
    const double n = (double)pixels, mean = (double)sum / n;
    m->mean[c] = mean;
    m->sd[c] = sqrt(fmax(0, (double)squares / n - mean * mean));
}

static void floats_moments(const float *x, size_t pixels, size_t C, size_t c, struct modality *m) {
    double sum = 0, squares = 0;
    for (size_t i = c; i < pixels * C; i += C) sum += (double)x[i];
    const double n = (double)pixels, mean = sum / n;
    for (size_t i = c; i < pixels * C; i += C)
        squares += ((double)x[i] - mean) * ((double)x[i] - mean);
    m->mean[c] = mean;
    m->sd[c] = sqrt(squares / n);
}

static void modality_moments(struct modality *m, const void *x, size_t n) {
    if (m->kind == MODALITY_TOKENS || m->raw) { /* numbers of things, not amounts; or as it is */
        m->mean[0] = 0;
        m->sd[0] = 1;
        return;
    }
    for (size_t c = 0; c < m->C; c++) {
        if (m->bytes)
            bytes_moments(x, n * m->H * m->W, m->C, c, m);
        else
            floats_moments(x, n * m->H * m->W, m->C, c, m);
        /* a constant channel whose mean was rounded has an s.d. of a rounding error */
        if (m->sd[c] <= 1e-12 * fabs(m->mean[c])) m->sd[c] = 1;
    }
}

static void examples_hash(struct hash *h, const struct dataset *d, const struct examples *x) {
    hash_int(h, (int64_t)x->n);
    hash_bytes(h, x->label, x->n * sizeof *x->label);
    hash_bytes(h, x->index, x->n * sizeof *x->index); /* keys the examples' random streams */
    for (size_t m = 0; m < d->modalities_n; m++)
        hash_bytes(h, x->x[m], x->n * modality_bytes(&d->modality[m]));
    if (d->has_targets) hash_bytes(h, x->target, x->n * d->K * sizeof *x->target);
}

/* What a whole image does not have. It adds nothing to an image's digest, so that sets of one image
 * keep the digests that their logs and states name. */
static void modality_hash_more(struct hash *h, const struct modality *m) {
    if (m->kind == MODALITY_IMAGE && !m->hidden_left && !m->hidden_right) return;
    const size_t more[] = {m->kind,       m->tokens,      m->has_hint,    m->hint_slot,
                           m->hint_first, m->hidden_left, m->hidden_right};
    hash_text(h, "modality");
    for (size_t i = 0; i < sizeof more / sizeof *more; i++) hash_int(h, (int64_t)more[i]);
    if (m->raw) hash_text(h, "raw");
}

static void dataset_digest(struct dataset *d) {
    struct hash *h = hash_create();
    hash_text(h, d->type->name);
    hash_int(h, (int64_t)d->K);
    for (size_t i = 0; i < d->modalities_n; i++) {
        const struct modality *m = &d->modality[i];
        hash_text(h, m->name);
        hash_int(h, (int64_t)m->H);
        hash_int(h, (int64_t)m->W);
        hash_int(h, (int64_t)m->C);
        hash_int(h, m->bytes);
        modality_hash_more(h, m);
    }
    if (d->scale != 1) {
        hash_text(h, "scale");
        hash_real(h, d->scale);
    }
    if (d->class_group) {
        hash_text(h, "groups");
        hash_bytes(h, d->class_group, d->K);
    }
    examples_hash(h, d, &d->train);
    hash_digest(h, d->train_digest);
    examples_hash(h, d, &d->validation);
    examples_hash(h, d, &d->test);
    hash_digest(h, d->digest);
    hash_free(h);
}

/* Sums over the training examples; a modality of tokens has none, and images reach the net moved. */
static int dataset_correlate(struct dataset *d, struct error *e) {
    for (size_t m = 0; m < d->modalities_n && d->has_targets; m++) {
        const struct modality *is = &d->modality[m];
        const size_t size = modality_size(is);
        if (is->kind != MODALITY_FEATURES) continue;
        double *sum = d->correlation[m] = calloc(d->K * size, sizeof *sum);
        const double unit = is->raw ? 1 : d->scale / is->sd[0];
        const float *x = d->train.x[m], *t = d->train.target;
        if (!sum) return error_set(e, STATUS_FAILED, "out of memory for %zu numbers", d->K * size);
        for (size_t n = 0; n < d->train.n; n++, x += size, t += d->K)
            for (size_t i = 0; i < d->K * size; i++)
                if (!isnan(t[i / size]))
                    sum[i] += (double)t[i / size] * ((double)x[i % size] - is->mean[0]) * unit;
    }
    return STATUS_OK;
}

static int path_check(const struct settings *s, const struct dataset_type *t, struct error *e) {
    if (settings_is_set(s, "path") == t->needs_path) return STATUS_OK;
    if (t->needs_path)
        return error_set(e, STATUS_USAGE,
                         "data.path: not given: say where the files of %s are (`imprint data info "
                         "%s` tells how to get them)",
                         t->name, t->name);
    return error_set(e, STATUS_USAGE, "data.path: %s reads no files: leave it out", t->name);
}

static int dataset_fill(const struct settings *s, uint64_t seed, struct dataset *d,
                        struct error *e) {
    const int64_t train = settings_int(s, "train"), validation = settings_int(s, "validation");
    const struct dataset_type *source = dataset_source(s, d->type);
    const struct data_request r = {.settings = s,
                                   .seed = seed,
                                   .train = train ? (size_t)(train + validation) : 0,
                                   .test = (size_t)settings_int(s, "test"),
                                   .balance = settings_bool(s, "balance") && !source->own_prior};
    int status = path_check(s, source, e);
    if (!status) status = d->type->read(&r, d, e);
    if (!status && (d->train.n == 0 || d->test.n == 0))
        status = error_set(e, STATUS_USAGE, "data.set: %s has no %s examples here", d->type->name,
                           d->train.n ? "test" : "training");
    if (!status) status = train_draw(&r, (size_t)validation, d, e);
    if (!status) status = test_draw(&r, d, e);
    if (status) return status;
    for (size_t m = 0; m < d->modalities_n; m++)
        modality_moments(&d->modality[m], d->train.x[m], d->train.n);
    d->scale = settings_real(s, "scale");
    dataset_digest(d);
    return dataset_correlate(d, e);
}

int data_load(const struct settings *settings, uint64_t seed, struct dataset *d, struct error *e) {
    const char *name = settings_text(settings, "set");
    *d = (struct dataset){.type = dataset_find(name)};
    if (!d->type)
        return error_set(e, STATUS_USAGE,
                         "data.set: there is no data set '%s': see `imprint list datasets`", name);
    int status = dataset_fill(settings, seed, d, e);
    if (status) data_free(d);
    return status;
}

void data_free(struct dataset *d) {
    for (size_t c = 0; c < d->K && d->class_names; c++) free(d->class_names[c]);
    free(d->class_names);
    free(d->class_group);
    examples_free(&d->train);
    examples_free(&d->validation);
    examples_free(&d->test);
    for (size_t m = 0; m < DATA_MODALITIES; m++) free(d->correlation[m]);
    *d = (struct dataset){0};
}

void data_info(const struct dataset_type *t, FILE *out) {
    fprintf(out, "%s\n%s\n", t->name, t->doc);
    if (t->official) fprintf(out, "\n%-28s %12s  %s\n", "file", "bytes", "MD5");
    for (const struct data_file *f = t->official; f && f->name; f++)
        fprintf(out, "%-28s %12" PRId64 "  %s\n", f->name, f->bytes,
                f->md5 ? f->md5 : "(none published)");
    fprintf(out, "\n%s", t->source);
}

/* One line about one official file; true when it is as published as far as can be told. */
static bool file_verify(const char *folder, const struct data_file *f, FILE *out) {
    char path[FILE_PATH], md5[MD5_TEXT];
    uint64_t bytes = 0;
    struct error e = {0};
    if (data_file_find(path, folder, f->name, &e) || data_file_check(path, &bytes, &e)) {
        fprintf(out, "wrong    %s\n", e.text);
        return false;
    }
    const size_t n = strlen(path), suffix = strlen(f->name);
    if (n < suffix || strcmp(path + n - suffix, f->name) != 0) {
        fprintf(out, "present  %s (uncompressed: no checksum is published)\n", path);
        return true;
    }
    if (bytes != (uint64_t)f->bytes) {
        fprintf(out, "wrong    %s: expected %" PRId64 " bytes, found %" PRIu64 "\n", path, f->bytes,
                bytes);
        return false;
    }
    if (!f->md5) {
        fprintf(out, "present  %s (right size; no checksum is published)\n", path);
        return true;
    }
    if (md5_file(path, md5, &e) || strcmp(md5, f->md5) != 0) {
        fprintf(out, "wrong    %s: expected MD5 %s, found %s\n", path, f->md5,
                e.status ? e.text : md5);
        return false;
    }
    fprintf(out, "right    %s (MD5 as published)\n", path);
    return true;
}

static int files_verify(const struct dataset_type *t, const char *path, FILE *out,
                        struct error *e) {
    char folder[FILE_PATH];
    size_t wrong = 0, n = 0;
    int status = data_folder(t, path, folder, e);
    if (status) return status;
    for (; t->official[n].name; n++) wrong += !file_verify(folder, &t->official[n], out);
    if (!wrong) return STATUS_OK;
    return error_set(e, STATUS_USAGE,
                     "%s: %zu of the %zu files of %s are missing or wrong: `imprint data info %s` "
                     "says where to get them",
                     folder, wrong, n, t->name, t->name);
}

int data_verify(const struct dataset_type *t, const char *path, FILE *out, struct error *e) {
    struct settings s;
    struct dataset d;
    if (t->wraps)
        return error_set(e, STATUS_USAGE,
                         "data verify: %s is made of another data set: verify that one", t->name);
    int status = t->official ? files_verify(t, path, out, e) : STATUS_OK;
    if (status) return status;
    settings_init(&s, data_common_params, t->params);
    status = settings_set(&s, "set", t->name, e);
    if (!status && t->needs_path) status = settings_set(&s, "path", path, e);
    if (!status) status = data_load(&s, 0, &d, e);
    settings_free(&s);
    if (status) return status;
    fprintf(out, "read     %zu training and %zu test examples, %zu classes, digest %s\n", d.train.n,
            d.test.n, d.K, d.digest);
    data_free(&d);
    return STATUS_OK;
}
