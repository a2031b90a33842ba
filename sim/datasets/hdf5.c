/* The user's own data: one HDF5 file, in one of two forms.
 *
 * One image per example: `images` [N,H,W,C] and `test_images`. Several modalities: one dataset per
 * modality in the group `inputs`, and of the same names in `test_inputs`; what each is, its axes and
 * its type say (user_file.h). Their order is that of their names, or of the texts in
 * `modality_order`. A file that has `images` is of the first form.
 *
 * In both, `labels` [N] are integers 0..K-1 and test examples stand in `test_...` and `test_labels`, or
 * are the last data.held_out of the others. `class_names` [K] is optional and then says K; without
 * it K is the largest label + 1 and every class must occur, since labels 1..K would otherwise pass
 * as K+1 classes. `class_group` [K], optional, is the kind of question that a class answers.
 *
 * Trap: the library may crash on a damaged file, and no seal of imprint's protects this one. So it is
 * read twice, first by a child process whose death is a sentence. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/text.h"
#include "sim/datasets/file.h"
#include "sim/datasets/pool.h"
#include "sim/datasets/user_file.h"

enum { NAME_MOST = 20, GROUPS_MAX = 255, CAME_TO_THE_END = 42 };
static const char inputs_group[] = "inputs", test_group[] = "test_inputs";

/* Where the examples [first, last) of a split lie. */
struct split {
    char inputs[DATA_MODALITIES][USER_DATASET];
    const char *labels;
    size_t first, last;
    size_t all; /* rows of its datasets */
};

/* ---- which datasets are the modalities ------------------------------------------------------- */

static void input_path(char path[USER_DATASET], const char *group, const char *name) {
    snprintf(path, USER_DATASET, "%s/%.*s", group, USER_DATASET - 16, name);
}

static void names_free(char **names, size_t n) {
    for (size_t i = 0; i < n; i++) free(names[i]);
    free(names);
}

static bool names_have(char *const *names, size_t n, const char *name) {
    for (size_t i = 0; i < n; i++)
        if (names[i] && !strcmp(names[i], name)) return true;
    return false;
}

/* Modalities name layers, axes of the log and branches; some of these names are taken. */
static int name_check(const struct user_file *f, const char *name, struct error *e) {
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789";
    static const char taken[][8] = {"trunk", "fusion", "head"};
    const size_t n = strlen(name);
    bool usable = n && n <= NAME_MOST && strspn(name, letters) == n && *name != '_' &&
                  !(*name >= '0' && *name <= '9');
    for (size_t i = 0; i < sizeof taken / sizeof *taken; i++)
        usable = usable && strcmp(name, taken[i]) != 0;
    if (usable) return STATUS_OK;
    return error_set(e, STATUS_USAGE,
                     "%s: '%s/%s' cannot name a modality: use a letter, then letters, digits "
                     "and '_', at most %d in all, and none of trunk, fusion, head",
                     f->path, inputs_group, text_shown(name).text, NAME_MOST);
}

/* The order of `modality_order`, which must have every name once. */
static int names_order(const struct user_file *f, char **names, size_t n, struct error *e) {
    size_t wanted_n = 0;
    char **wanted = h5_get_texts(f->r, "modality_order", &wanted_n);
    int status = STATUS_OK;
    if (!wanted && h5_has(f->r, "modality_order")) wanted_n = SIZE_MAX; /* not texts */
    bool fits = !wanted || wanted_n == n;
    for (size_t i = 0; wanted && fits && i < n; i++)
        fits = wanted[i] && names_have(names, n, wanted[i]) && !names_have(wanted, i, wanted[i]);
    if (!fits || wanted_n == SIZE_MAX)
        status = error_set(e, STATUS_USAGE,
                           "%s: 'modality_order' must hold the name of each of the %zu datasets of "
                           "'%s' once, as texts",
                           f->path, n, inputs_group);
    for (size_t i = 0; wanted && !status && i < n; i++) {
        char *swap = names[i];
        names[i] = wanted[i];
        wanted[i] = swap;
    }
    if (wanted) names_free(wanted, wanted_n);
    return status;
}

/* Into the training split; the lengths must agree. */
static int inputs_add(const struct user_file *f, const char *name, struct split *s,
                      struct dataset *d, struct error *e) {
    struct modality *m = &d->modality[d->modalities_n];
    char *path = s->inputs[d->modalities_n];
    size_t n = 0;
    input_path(path, inputs_group, name);
    int status = name_check(f, name, e);
    if (!status) status = user_modality(f, path, m, &n, e);
    if (status) return status;
    if (d->modalities_n > 0 && n != s->all)
        return error_set(e, STATUS_USAGE,
                         "%s: '%s' has %zu examples, '%s' has %zu: they must be the same ones",
                         f->path, path, n, s->inputs[0], s->all);
    snprintf(m->name, sizeof m->name, "%.*s", DATA_NAME - 1, name);
    s->all = n;
    d->modalities_n++;
    return STATUS_OK;
}

static int inputs_find(const struct user_file *f, struct split *s, struct dataset *d,
                       struct error *e) {
    size_t n = 0;
    char **names = h5_list(f->r, inputs_group, &n);
    int status = STATUS_OK;
    if (n > DATA_MODALITIES)
        status = error_set(e, STATUS_USAGE, "%s: '%s' has %zu modalities, at most %d are possible",
                           f->path, inputs_group, n, DATA_MODALITIES);
    if (!status) status = names_order(f, names, n, e);
    for (size_t i = 0; i < n && !status; i++) status = inputs_add(f, names[i], s, d, e);
    names_free(names, n);
    return status;
}

static int images_find(const struct user_file *f, const struct settings *settings, struct split *s,
                       struct dataset *d, struct error *e) {
    const char *name = settings_text(settings, "images");
    size_t shape[H5_RANK] = {0};
    snprintf(s->inputs[0], USER_DATASET, "%s", name);
    if (!h5_has(f->r, s->inputs[0]))
        return error_set(e, STATUS_USAGE,
                         "%s: has no dataset '%s': add it, or name another (or put several "
                         "modalities into the group '%s')",
                         f->path, name, inputs_group);
    if (h5_shape(f->r, name, shape) != 4)
        return error_set(e, STATUS_USAGE,
                         "%s: '%s' must have the four axes [N,H,W,C] (grey: C = 1)", f->path, name);
    int status = user_modality(f, s->inputs[0], &d->modality[0], &s->all, e);
    memcpy(d->modality[0].name, "image", sizeof "image");
    d->modalities_n = 1;
    return status;
}

static size_t group_count(const struct user_file *f, const char *group) {
    size_t n = 0;
    char **names = h5_list(f->r, group, &n);
    names_free(names, n);
    return n;
}

static bool has_several(const struct user_file *f, const struct settings *s) {
    const bool has_images = h5_has(f->r, settings_text(s, "images"));
    return !has_images && settings_is(s, "images", "images") && group_count(f, inputs_group) > 0;
}

/* ---- where test examples are ----------------------------------------------------------------- */

static int held_out(const struct user_file *f, const struct settings *settings, struct split *train,
                    struct split *test, const char *wanted, struct error *e) {
    const size_t n = (size_t)settings_int(settings, "held_out");
    if (n == 0 || n >= train->all)
        return error_set(e, STATUS_USAGE,
                         "%s: has no %s '%s': add it, or set data.held_out to how many of the "
                         "%zu examples, from the end, are for testing",
                         f->path, strcmp(wanted, test_group) == 0 ? "group" : "dataset", wanted,
                         train->all);
    *test = *train;
    test->first = train->last = train->all - n;
    return STATUS_OK;
}

/* A test dataset stands beside the training one: the same kind and shape. */
static int test_like(const struct user_file *f, const struct modality *m, const char *like,
                     const char *path, size_t *n, struct error *e) {
    struct modality is;
    const bool image = m->kind == MODALITY_IMAGE;
    if (!h5_has(f->r, path))
        return error_set(e, STATUS_USAGE,
                         "%s: has no dataset '%s' beside '%s': add the test examples of this "
                         "modality",
                         f->path, path, like);
    int status = user_modality(f, path, &is, n, e);
    if (status) return status;
    if (is.kind == m->kind && is.H == m->H && is.W == m->W && is.C == m->C && is.bytes == m->bytes)
        return STATUS_OK;
    return error_set(e, STATUS_USAGE, "%s: '%s' must have the %s of the training %s", f->path, path,
                     image ? "image size and type" : "length and type",
                     image ? "images" : "examples");
}

static int test_apart(const struct user_file *f, const struct dataset *d, const struct split *train,
                      struct split *test, struct error *e) {
    for (size_t m = 0; m < d->modalities_n; m++) {
        size_t n = 0;
        int status = test_like(f, &d->modality[m], train->inputs[m], test->inputs[m], &n, e);
        if (status) return status;
        if (m > 0 && n != test->all)
            return error_set(e, STATUS_USAGE,
                             "%s: '%s' has %zu examples, '%s' has %zu: they must be the same ones",
                             f->path, test->inputs[m], n, test->inputs[0], test->all);
        test->all = test->last = n;
    }
    return STATUS_OK;
}

static int no_stranger(const struct user_file *f, const struct dataset *d, struct error *e) {
    size_t n = 0;
    char **names = h5_list(f->r, test_group, &n);
    int status = STATUS_OK;
    for (size_t i = 0; i < n && !status; i++) {
        bool known = false;
        for (size_t m = 0; m < d->modalities_n; m++)
            known = known || !strcmp(names[i], d->modality[m].name);
        if (!known)
            status = error_set(e, STATUS_USAGE,
                               "%s: '%s/%s' has no training examples: add '%s/%s' or remove "
                               "it",
                               f->path, test_group, text_shown(names[i]).text, inputs_group,
                               text_shown(names[i]).text);
    }
    names_free(names, n);
    return status;
}

static int splits_find(const struct user_file *f, const struct settings *s, bool several,
                       const struct dataset *d, struct split *train, struct split *test,
                       struct error *e) {
    const char *wanted = several ? test_group : settings_text(s, "test_images");
    *test = (struct split){.labels = settings_text(s, "test_labels")};
    for (size_t m = 0; m < d->modalities_n; m++) {
        if (several)
            input_path(test->inputs[m], test_group, d->modality[m].name);
        else
            snprintf(test->inputs[m], USER_DATASET, "%s", wanted);
    }
    const bool apart = several ? group_count(f, test_group) > 0 : h5_has(f->r, wanted);
    train->last = train->all;
    if (!apart) return held_out(f, s, train, test, wanted, e);
    if (settings_int(s, "held_out"))
        return error_set(e, STATUS_USAGE,
                         "data.held_out: %s has its test %s in '%s' already: leave it out", f->path,
                         several ? "examples" : "images", wanted);
    int status = several ? no_stranger(f, d, e) : STATUS_OK;
    return status ? status : test_apart(f, d, train, test, e);
}

/* ---- labels and classes ---------------------------------------------------------------------- */

static int labels_check(const struct user_file *f, const struct split *s, struct error *e) {
    size_t shape[H5_RANK] = {0};
    if (!h5_has(f->r, s->labels))
        return error_set(e, STATUS_USAGE, "%s: has no dataset '%s': add it, or name another",
                         f->path, s->labels);
    if (h5_shape(f->r, s->labels, shape) != 1 || shape[0] != s->all)
        return error_set(e, STATUS_USAGE,
                         "%s: '%s' must have one axis with the %zu entries of '%s', found %zu",
                         f->path, s->labels, s->all, s->inputs[0], shape[0]);
    enum h5_kind kind = h5_kind(f->r, s->labels, NULL);
    if (kind != H5_INTS && kind != H5_BYTES)
        return error_set(e, STATUS_USAGE, "%s: '%s' must hold integers", f->path, s->labels);
    return STATUS_OK;
}

/* Labels of the split's examples; K 0: not known yet, any label that could be one. */
static int labels_read(const struct user_file *f, const struct split *s, size_t K,
                       struct examples *x, struct error *e) {
    int64_t *label = calloc(s->all, sizeof *label);
    if (!label) return error_set(e, STATUS_FAILED, "not enough memory for %zu labels", s->all);
    int status = user_status(h5_get_ints(f->r, s->labels, label, e), e);
    const int64_t top = K ? (int64_t)K : (int64_t)s->all; /* each class occurs: K is at most N */
    for (size_t i = s->first; i < s->last && !status; i++) {
        x->label[i - s->first] = (int32_t)label[i];
        if (label[i] < 0 || label[i] >= top)
            status = error_set(e, STATUS_USAGE,
                               "%s: '%s'[%zu] is %" PRId64 ", expected 0 to %" PRId64
                               ": number the classes from 0 on without gaps",
                               f->path, s->labels, i, label[i], top - 1);
    }
    free(label);
    return status;
}

/* Which classes there are: the file's names, or those that occur. */
static int classes_read(const struct user_file *f, const struct examples *x, struct dataset *d,
                        struct error *e) {
    size_t n = 0, K = 0;
    char **names = h5_get_texts(f->r, "class_names", &n);
    for (size_t i = 0; i < x->n; i++)
        if ((size_t)x->label[i] >= K) K = (size_t)x->label[i] + 1;
    int status = STATUS_OK;
    for (size_t c = 0; names && c < n && !status; c++)
        if (!names[c])
            status = error_set(e, STATUS_USAGE, "%s: 'class_names'[%zu] is no text", f->path, c);
    if (!status && names && K > n)
        status = error_set(e, STATUS_USAGE, "%s: label %zu has no name among the %zu 'class_names'",
                           f->path, K - 1, n);
    if (!status && !names && pool_largest(x->label, x->n, K) < K)
        status = error_set(e, STATUS_USAGE,
                           "%s: class %zu of the %zu classes has no training example: number the "
                           "classes from 0 on without gaps, or add 'class_names'",
                           f->path, pool_largest(x->label, x->n, K), K);
    if (!status) status = dataset_classes(d, names ? n : K, (const char *const *)names, e);
    if (names) names_free(names, n);
    return status;
}

static int groups_read(const struct user_file *f, struct dataset *d, struct error *e) {
    static const char name[] = "class_group";
    size_t shape[H5_RANK] = {0};
    if (!h5_has(f->r, name)) return STATUS_OK;
    const enum h5_kind kind = h5_kind(f->r, name, NULL);
    const int rank = h5_shape(f->r, name, shape);
    if (rank != 1 || shape[0] != d->K || (kind != H5_INTS && kind != H5_BYTES))
        return error_set(e, STATUS_USAGE,
                         "%s: '%s' must be one integer for each of the %zu classes", f->path, name,
                         d->K);
    int64_t *group = calloc(d->K, sizeof *group);
    d->class_group = calloc(d->K, 1);
    if (!group || !d->class_group) {
        free(group);
        return error_set(e, STATUS_FAILED, "out of memory");
    }
    int status = user_status(h5_get_ints(f->r, name, group, e), e);
    for (size_t c = 0; c < d->K && !status; c++) {
        d->class_group[c] = (uint8_t)group[c];
        if (group[c] < 0 || group[c] > GROUPS_MAX)
            status = error_set(e, STATUS_USAGE, "%s: '%s'[%zu] is %" PRId64 ", expected 0 to %d",
                               f->path, name, c, group[c], GROUPS_MAX);
    }
    free(group);
    return status;
}

/* ---- examples -------------------------------------------------------------------------------- */

static int inputs_read(const struct user_file *f, const struct split *s, const struct dataset *d,
                       struct examples *x, struct error *e) {
    int status = STATUS_OK;
    for (size_t m = 0; m < d->modalities_n && !status; m++)
        status =
            user_examples(f, s->inputs[m], &d->modality[m], s->first, s->first + x->n, x->x[m], e);
    return status;
}

static int vocabularies_read(const struct user_file *f, const struct split *s, struct dataset *d,
                             struct error *e) {
    int status = STATUS_OK;
    for (size_t m = 0; m < d->modalities_n && !status; m++)
        if (d->modality[m].kind == MODALITY_TOKENS)
            status = user_vocabulary(f, s->inputs[m], s->all, d->K, &d->modality[m], e);
    return status;
}

/* Labels first: they say which examples are wanted at all. */
static int train_read(const struct user_file *f, const struct split *s,
                      const struct data_request *q, struct dataset *d, struct error *e) {
    struct examples *x = &d->train;
    const struct dataset labels_only = {.modalities_n = 0};
    int status = labels_check(f, s, e);
    if (!status) status = examples_create(x, &labels_only, s->last - s->first, s->first, e);
    if (!status) status = labels_read(f, s, 0, x, e);
    if (!status) status = classes_read(f, x, d, e);
    if (!status) status = groups_read(f, d, e);
    if (!status) status = vocabularies_read(f, s, d, e);
    if (status) return status;
    size_t prefix = pool_prefix(x->label, x->n, d->K, q->train, q->balance);
    status = examples_resize(x, d, prefix ? prefix : x->n, e);
    return status ? status : inputs_read(f, s, d, x, e);
}

/* offset: of the test file's first example in the order of all. */
static int test_read(const struct user_file *f, const struct split *s, size_t offset,
                     struct dataset *d, struct error *e) {
    struct examples *x = &d->test;
    int status = labels_check(f, s, e);
    if (!status) status = examples_create(x, d, s->last - s->first, offset + s->first, e);
    if (!status) status = labels_read(f, s, d->K, x, e);
    return status ? status : inputs_read(f, s, d, x, e);
}

static int file_read(const struct user_file *f, const struct data_request *q, struct dataset *d,
                     struct error *e) {
    struct split train = {.labels = settings_text(q->settings, "labels")}, test;
    const bool several = has_several(f, q->settings);
    int status = several ? inputs_find(f, &train, d, e) : images_find(f, q->settings, &train, d, e);
    if (!status) status = splits_find(f, q->settings, several, d, &train, &test, e);
    if (!status) status = train_read(f, &train, q, d, e);
    if (status) return status;
    const bool apart = test.first == 0; /* else held out of the same datasets */
    return test_read(f, &test, apart ? train.all : 0, d, e);
}

static int file_open_and_read(struct user_file *f, const struct data_request *q, struct dataset *d,
                              struct error *e) {
    int status = user_status(h5_open(&f->r, f->path, e), e);
    if (!status) status = file_read(f, q, d, e);
    h5_close(f->r);
    return status;
}

/* A child reads the file first. Whether it could does not matter here, only that it came to the end. */
static int rehearse(struct user_file *f, const struct data_request *q, struct error *e) {
    int end = 0;
    const pid_t child = fork();
    if (child < 0) return STATUS_OK; /* no room for one: do without */
    if (child == 0) {
        struct dataset d = {0};
        const int nowhere = open("/dev/null", O_WRONLY);
        if (nowhere >= 0) dup2(nowhere, STDERR_FILENO); /* last words of a crash */
        file_open_and_read(f, q, &d, NULL);
        _exit(CAME_TO_THE_END);
    }
    while (waitpid(child, &end, 0) < 0 && errno == EINTR) continue;
    if (WIFEXITED(end) && WEXITSTATUS(end) == CAME_TO_THE_END) return STATUS_OK;
    return error_set(e, STATUS_USAGE,
                     "%s: it is damaged: the HDF5 library breaks down on it; write it again",
                     f->path);
}

static int hdf5_read(const struct data_request *q, struct dataset *d, struct error *e) {
    struct user_file f = {.path = settings_text(q->settings, "path")};
    int status = data_file_check(f.path, &f.bytes, e);
    if (!status) status = rehearse(&f, q, e);
    return status ? status : file_open_and_read(&f, q, d, e);
}

static const struct param hdf5_params[] = {
    {.name = "images",
     .type = PARAM_TEXT,
     .preset = "images",
     .doc = "The file's dataset of training images, [N,H,W,C], uint8 or float32."},
    {.name = "labels",
     .type = PARAM_TEXT,
     .preset = "labels",
     .doc = "The file's dataset of their labels, [N], integers from 0 on."},
    {.name = "test_images",
     .type = PARAM_TEXT,
     .preset = "test_images",
     .doc = "The file's dataset of test images; where it has none, data.held_out says which."},
    {.name = "test_labels",
     .type = PARAM_TEXT,
     .preset = "test_labels",
     .doc = "The file's dataset of test labels."},
    {.name = "held_out",
     .type = PARAM_INT,
     .preset = "0",
     .min = 0,
     .max = 2147483647,
     .unit = "examples",
     .doc =
         "So many examples at the end of the training part are test examples, never trained on."},
    {0},
};

const struct dataset_type dataset_hdf5 = {
    .name = "hdf5",
    .doc =
        "Your own data in one HDF5 file: images [N,H,W,C] (uint8 or float32), or one dataset per "
        "modality in the group inputs; labels [N]; the same as test_... (or data.held_out); "
        "class_names if you like.",
    .params = hdf5_params,
    .needs_path = true,
    .flip_allowed = true,
    .read = hdf5_read,
    .source = "data.path names the file. To write one from Python:\n"
              "  with h5py.File('mine.h5', 'w') as f:\n"
              "      f['images'], f['labels'] = x, y            # [N,H,W,C] uint8 or float32; [N]\n"
              "      f['test_images'], f['test_labels'] = tx, ty\n"
              "With several modalities (docs/data.md):\n"
              "      f['inputs/image'], f['inputs/text'] = x, t  # [N,T] integers are tokens\n"
              "      f['test_inputs/image'], f['test_inputs/text'] = tx, tt\n",
};
