/* IDX files (LeCun, "The MNIST database of handwritten digits"): big-endian int32 magic (2051
 * images, 2049 labels), count, for images rows and columns, then unsigned bytes, row-major; gzip'd
 * or not. The count is free, so that other sets in this format can take MNIST's place, but it must
 * match the file's length and its partner's count; `imprint data verify` compares with MNIST's own.
 *
 * Labels are read first: they say how many images the pool needs. Every file is read to its end all
 * the same, since gzip's checksum stands there. */
#include "sim/datasets/idx.h"

#include <inttypes.h>

#include "sim/datasets/file.h"
#include "sim/datasets/pool.h"

enum { IDX_IMAGES = 2051, IDX_LABELS = 2049 };

static int idx_word(struct data_stream *s, uint32_t *word, struct error *e) {
    uint8_t b[4];
    int status = stream_read(s, b, sizeof b, e);
    if (!status) *word = (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
    return status;
}

static int idx_field(struct data_stream *s, const char *what, uint32_t expected, struct error *e) {
    uint32_t found = 0;
    int status = idx_word(s, &found, e);
    if (status || found == expected) return status;
    return error_set(e, STATUS_USAGE,
                     "%s: expected %s %" PRIu32 ", found %" PRIu32
                     ": not the file it should be, get it again",
                     s->path, what, expected, found);
}

static int idx_open(struct data_stream *s, const char *folder, const char *name, uint32_t magic,
                    struct error *e) {
    char path[FILE_PATH];
    *s = (struct data_stream){0};
    int status = data_file_find(path, folder, name, e);
    if (!status) status = stream_open(s, path, e);
    if (!status) status = idx_field(s, "magic number", magic, e);
    return status;
}

static int idx_labels_check(const struct data_stream *s, const int32_t *label, size_t n,
                            struct error *e) {
    for (size_t i = 0; i < n; i++)
        if (label[i] >= IDX_CLASSES)
            return error_set(e, STATUS_USAGE,
                             "%s: label %zu is %" PRId32 ", expected 0 to %d: get the file again",
                             s->path, i, label[i], IDX_CLASSES - 1);
    return STATUS_OK;
}

static int idx_labels_read(struct data_stream *s, struct examples *x, const struct dataset *d,
                           size_t first_index, struct error *e) {
    uint32_t count = 0;
    int status = idx_word(s, &count, e);
    if (!status) status = stream_expect(s, 8 + (uint64_t)count, e);
    const struct dataset labels_only = {.modalities_n = 0, .K = d->K};
    if (!status) status = examples_create(x, &labels_only, count, first_index, e);
    for (size_t i = 0; i < count && !status; i++) {
        uint8_t byte;
        status = stream_read(s, &byte, 1, e);
        if (!status) x->label[i] = byte;
    }
    if (!status) status = stream_end(s, e);
    if (!status) status = idx_labels_check(s, x->label, count, e);
    return status;
}

/* Images of the first x->n examples; the file holds `count`. */
static int idx_images_read(struct data_stream *s, struct examples *x, const struct dataset *d,
                           size_t count, struct error *e) {
    const uint64_t size = IDX_SIDE * IDX_SIDE;
    int status = idx_field(s, "number of images (that of the labels)", (uint32_t)count, e);
    if (!status) status = idx_field(s, "rows", IDX_SIDE, e);
    if (!status) status = idx_field(s, "columns", IDX_SIDE, e);
    if (!status) status = stream_expect(s, 16 + count * size, e);
    if (!status) status = examples_resize(x, d, x->n, e);
    if (!status) status = stream_read(s, x->x[0], x->n * size, e);
    if (!status) status = stream_skip(s, (count - x->n) * size, e);
    if (!status) status = stream_end(s, e);
    return status;
}

static int idx_pair(const char *folder, const struct data_file *files, size_t want, bool balance,
                    size_t first_index, struct examples *x, const struct dataset *d, size_t *count,
                    struct error *e) {
    struct data_stream labels, images = {0};
    int status = idx_open(&labels, folder, files[1].name, IDX_LABELS, e);
    if (!status) status = idx_labels_read(&labels, x, d, first_index, e);
    if (!status) status = idx_open(&images, folder, files[0].name, IDX_IMAGES, e);
    if (!status) {
        *count = x->n;
        size_t prefix = pool_prefix(x->label, x->n, d->K, want, balance);
        if (prefix) x->n = prefix;
        status = idx_images_read(&images, x, d, *count, e);
    }
    stream_close(&labels);
    stream_close(&images);
    return status;
}

int idx_read(const struct data_request *r, const char *const names[IDX_CLASSES], struct dataset *d,
             struct error *e) {
    char folder[FILE_PATH];
    const struct data_file *files = d->type->official;
    size_t train_count = 0, test_count = 0;
    dataset_image(d, IDX_SIDE, IDX_SIDE, 1, true);
    int status = dataset_classes(d, IDX_CLASSES, names, e);
    if (!status) status = data_folder(d->type, settings_text(r->settings, "path"), folder, e);
    if (!status)
        status = idx_pair(folder, files, r->train, r->balance, 0, &d->train, d, &train_count, e);
    if (!status)
        status = idx_pair(folder, files + 2, r->test, r->balance, train_count, &d->test, d,
                          &test_count, e);
    return status;
}
