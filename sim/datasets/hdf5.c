/* The user's own images: one HDF5 file with `images` [N,H,W,C] (uint8 0..255, or float32 on any
 * scale) and `labels` [N] (integers 0..K-1). Test examples stand in `test_images` and
 * `test_labels`, or are the last data.held_out of the others. `class_names` [K] is optional and
 * then says K; without it K is the largest label + 1 and every class must occur, since labels
 * 1..K would otherwise pass as K+1 classes.
 *
 * Traps: [N,C,H,W] (PyTorch) would be read as nonsense, so more than 16 channels are refused with
 * a hint; NaN would poison the training long after its cause, so it is looked for here; a dataset may
 * claim any size without a byte of it being there, so the claim is held against the file's. */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

#include "base/h5.h"
#include "sim/datasets/file.h"
#include "sim/datasets/pool.h"

enum { SIDE_MAX = 4096, COMPRESSED_MOST = 1032 /* deflate's limit */ };

struct user_file {
    struct h5_reader *r;
    const char *path;
    uint64_t bytes;
};

/* Where the examples [first, last) of a split lie. */
struct h5_split {
    const char *images, *labels;
    size_t first, last;
};

/* A damaged file is the user's to mend. */
static int h5_usage(int status, struct error *e) {
    if (status && e) e->status = STATUS_USAGE;
    return status ? STATUS_USAGE : STATUS_OK;
}

static int h5_images_check(const struct user_file *f, const char *name, size_t shape[H5_RANK],
                           size_t *element, struct error *e) {
    if (!h5_has(f->r, name))
        return error_set(e, STATUS_USAGE, "%s: has no dataset '%s': add it, or name another",
                         f->path, name);
    if (h5_shape(f->r, name, shape) != 4)
        return error_set(e, STATUS_USAGE,
                         "%s: '%s' must have the four axes [N,H,W,C] (grey: C = 1)", f->path, name);
    if (shape[0] == 0 || shape[1] == 0 || shape[2] == 0 || shape[3] == 0 || shape[1] > SIDE_MAX ||
        shape[2] > SIDE_MAX || shape[3] > DATA_CHANNELS)
        return error_set(e, STATUS_USAGE,
                         "%s: '%s' is [%zu,%zu,%zu,%zu]: expected [N,H,W,C] with sides of at most "
                         "%d and 1 to %d channels (channels stand last)",
                         f->path, name, shape[0], shape[1], shape[2], shape[3], SIDE_MAX,
                         DATA_CHANNELS);
    enum h5_kind kind = h5_kind(f->r, name, element);
    if (kind != H5_BYTES && (kind != H5_FLOATS || *element != 4))
        return error_set(e, STATUS_USAGE, "%s: '%s' must be uint8 or float32", f->path, name);
    if (shape[0] <= f->bytes * COMPRESSED_MOST / (shape[1] * shape[2] * shape[3] * *element))
        return STATUS_OK;
    return error_set(e, STATUS_USAGE,
                     "%s: '%s' claims %zu images, which a file of %" PRIu64
                     " bytes cannot hold: most were never written",
                     f->path, name, shape[0], f->bytes);
}

static int h5_labels_check(const struct user_file *f, const struct h5_split *s, size_t n,
                           struct error *e) {
    size_t shape[H5_RANK] = {0};
    if (!h5_has(f->r, s->labels))
        return error_set(e, STATUS_USAGE, "%s: has no dataset '%s': add it, or name another",
                         f->path, s->labels);
    if (h5_shape(f->r, s->labels, shape) != 1 || shape[0] != n)
        return error_set(e, STATUS_USAGE,
                         "%s: '%s' must have one axis with the %zu entries of '%s', found %zu",
                         f->path, s->labels, n, s->images, shape[0]);
    enum h5_kind kind = h5_kind(f->r, s->labels, NULL);
    if (kind != H5_INTS && kind != H5_BYTES)
        return error_set(e, STATUS_USAGE, "%s: '%s' must hold integers", f->path, s->labels);
    return STATUS_OK;
}

/* Labels of the split's examples; K 0: not known yet, any label that could be one. */
static int h5_labels_read(const struct user_file *f, const struct h5_split *s, size_t all, size_t K,
                          struct examples *x, struct error *e) {
    int64_t *label = calloc(all, sizeof *label);
    if (!label) return error_set(e, STATUS_FAILED, "not enough memory for %zu labels", all);
    int status = h5_usage(h5_get_ints(f->r, s->labels, label, e), e);
    const int64_t top = K ? (int64_t)K : (int64_t)all; /* each class occurs: K is at most N */
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

static int h5_pixels_check(const struct user_file *f, const struct h5_split *s,
                           const struct modality *m, const float *x, size_t n, struct error *e) {
    const size_t size = modality_size(m);
    for (size_t i = 0; i < n * size; i++)
        if (!isfinite(x[i]))
            return error_set(
                e, STATUS_USAGE,
                "%s: '%s' has a value that is not finite in image %zu: mend or drop it", f->path,
                s->images, s->first + i / size);
    return STATUS_OK;
}

/* Which classes there are: the file's names, or those that occur. */
static int h5_classes(const struct user_file *f, const struct examples *x, struct dataset *d,
                      struct error *e) {
    size_t n = 0, K = 0;
    char **names = h5_get_texts(f->r, "class_names", &n);
    for (size_t i = 0; i < x->n; i++)
        if ((size_t)x->label[i] >= K) K = (size_t)x->label[i] + 1;
    int status = STATUS_OK;
    if (names && K > n)
        status = error_set(e, STATUS_USAGE, "%s: label %zu has no name among the %zu 'class_names'",
                           f->path, K - 1, n);
    else if (!names && pool_largest(x->label, x->n, K) < K)
        status = error_set(e, STATUS_USAGE,
                           "%s: class %zu of the %zu classes has no training example: number the "
                           "classes from 0 on without gaps, or add 'class_names'",
                           f->path, pool_largest(x->label, x->n, K), K);
    if (!status) status = dataset_classes(d, names ? n : K, (const char *const *)names, e);
    for (size_t i = 0; names && i < n; i++) free(names[i]);
    free(names);
    return status;
}

/* Where training and test examples lie in the file, of which N are not in test_images. */
static int h5_splits(const struct user_file *f, const struct settings *s, size_t N,
                     struct h5_split *train, struct h5_split *test, struct error *e) {
    const size_t held_out = (size_t)settings_int(s, "held_out");
    *train = (struct h5_split){settings_text(s, "images"), settings_text(s, "labels"), 0, N};
    *test =
        (struct h5_split){settings_text(s, "test_images"), settings_text(s, "test_labels"), 0, 0};
    const bool apart = h5_has(f->r, test->images);
    if (apart && held_out)
        return error_set(e, STATUS_USAGE,
                         "data.held_out: %s has its test images in '%s' already: leave it out",
                         f->path, test->images);
    if (apart) return STATUS_OK;
    if (held_out == 0 || held_out >= N)
        return error_set(e, STATUS_USAGE,
                         "%s: has no dataset '%s': add it, or set data.held_out to how many of the "
                         "%zu examples, from the end, are for testing",
                         f->path, test->images, N);
    *test = (struct h5_split){train->images, train->labels, N - held_out, N};
    train->last = N - held_out;
    return STATUS_OK;
}

static int h5_train(const struct user_file *f, const struct h5_split *s, size_t all,
                    const struct data_request *q, struct dataset *d, struct error *e) {
    struct examples *x = &d->train;
    const struct dataset labels_only = {.modalities_n = 0};
    int status = h5_labels_check(f, s, all, e);
    if (!status) status = examples_create(x, &labels_only, s->last - s->first, s->first, e);
    if (!status) status = h5_labels_read(f, s, all, 0, x, e);
    if (!status) status = h5_classes(f, x, d, e);
    if (status) return status;
    size_t prefix = pool_prefix(x->label, x->n, d->K, q->train, q->balance);
    status = examples_resize(x, d, prefix ? prefix : x->n, e);
    if (!status)
        status = h5_usage(h5_get_rows(f->r, s->images, s->first, s->first + x->n, x->x[0], e), e);
    if (!status && !d->modality[0].bytes)
        status = h5_pixels_check(f, s, &d->modality[0], x->x[0], x->n, e);
    return status;
}

static int h5_test(const struct user_file *f, struct h5_split *s, size_t all, struct dataset *d,
                   struct error *e) {
    size_t shape[H5_RANK] = {0}, element = 0, test_all = all, offset = 0;
    const struct modality *m = &d->modality[0];
    if (s->last == 0) { /* in a dataset of their own */
        int status = h5_images_check(f, s->images, shape, &element, e);
        if (status) return status;
        if (shape[1] != m->H || shape[2] != m->W || shape[3] != m->C || (element == 1) != m->bytes)
            return error_set(e, STATUS_USAGE,
                             "%s: '%s' must have the image size and type of the training images",
                             f->path, s->images);
        s->last = test_all = shape[0];
        offset = all;
    }
    struct examples *x = &d->test;
    int status = h5_labels_check(f, s, test_all, e);
    if (!status) status = examples_create(x, d, s->last - s->first, offset + s->first, e);
    if (!status) status = h5_labels_read(f, s, test_all, d->K, x, e);
    if (!status) status = h5_usage(h5_get_rows(f->r, s->images, s->first, s->last, x->x[0], e), e);
    if (!status && !m->bytes) status = h5_pixels_check(f, s, m, x->x[0], x->n, e);
    return status;
}

static int hdf5_read(const struct data_request *q, struct dataset *d, struct error *e) {
    struct user_file f = {.path = settings_text(q->settings, "path")};
    struct h5_split train, test;
    size_t shape[H5_RANK] = {0}, element = 0;
    int status = data_file_check(f.path, &f.bytes, e);
    if (!status) status = h5_usage(h5_open(&f.r, f.path, e), e);
    if (!status)
        status = h5_images_check(&f, settings_text(q->settings, "images"), shape, &element, e);
    if (!status) {
        dataset_image(d, shape[1], shape[2], shape[3], element == 1);
        status = h5_splits(&f, q->settings, shape[0], &train, &test, e);
    }
    if (!status) status = h5_train(&f, &train, shape[0], q, d, e);
    if (!status) status = h5_test(&f, &test, shape[0], d, e);
    h5_close(f.r);
    return status;
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
     .doc = "So many examples at the end of `images` are test examples, never trained on."},
    {0},
};

const struct dataset_type dataset_hdf5 = {
    .name = "hdf5",
    .doc = "Your own images in one HDF5 file: images [N,H,W,C] (uint8 or float32), labels [N], "
           "test_images and test_labels (or data.held_out), class_names if you like.",
    .params = hdf5_params,
    .needs_path = true,
    .flip_allowed = true,
    .read = hdf5_read,
    .source = "data.path names the file. To write one from Python:\n"
              "  with h5py.File('mine.h5', 'w') as f:\n"
              "      f['images'], f['labels'] = x, y            # [N,H,W,C] uint8 or float32; [N]\n"
              "      f['test_images'], f['test_labels'] = tx, ty\n",
};
