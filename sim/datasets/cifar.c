/* CIFAR's binary version (Krizhevsky 2009): records of 1 (CIFAR-100: 2, coarse then fine) label
 * bytes and 3,072 pixel bytes, planes red, green, blue, each row-major; nothing between records.
 *
 * Training files are read in order and only until the pool is complete: 2,500 examples need the
 * first batch alone, and the others need not be there. */
#include "sim/datasets/cifar.h"

#include <inttypes.h>
#include <string.h>

#include "sim/datasets/file.h"
#include "sim/datasets/pool.h"

static void cifar_pixels(const uint8_t planes[CIFAR_BYTES], uint8_t *pixel) {
    for (size_t i = 0; i < CIFAR_PIXELS; i++)
        for (size_t c = 0; c < 3; c++) pixel[3 * i + c] = planes[c * CIFAR_PIXELS + i];
}

static int cifar_record(struct data_stream *s, const struct cifar_format *f, size_t record,
                        int32_t *label, uint8_t *pixel, struct error *e) {
    uint8_t bytes[2 + CIFAR_BYTES];
    int status = stream_read(s, bytes, f->label_bytes + CIFAR_BYTES, e);
    if (status) return status;
    *label = bytes[f->label_at];
    cifar_pixels(bytes + f->label_bytes, pixel);
    if ((size_t)*label < f->K) return STATUS_OK;
    return error_set(e, STATUS_USAGE,
                     "%s: label of record %zu is %" PRId32
                     ", expected 0 to %zu: get the file again",
                     s->path, record, *label, f->K - 1);
}

/* Append one file's records to x. */
static int cifar_file(const char *path, const struct data_file *file, const struct cifar_format *f,
                      size_t first_index, struct examples *x, const struct dataset *d,
                      struct error *e) {
    struct data_stream s;
    size_t before = x->n, n = (size_t)file->bytes / (f->label_bytes + CIFAR_BYTES);
    int status = stream_open(&s, path, e);
    if (!status) status = stream_expect(&s, (uint64_t)file->bytes, e);
    if (!status) status = examples_resize(x, d, before + n, e);
    for (size_t i = 0; i < n && !status; i++) {
        size_t to = before + i;
        uint8_t *pixel = (uint8_t *)x->x[0] + to * CIFAR_BYTES;
        x->index[to] = (uint32_t)(first_index + to);
        status = cifar_record(&s, f, i, &x->label[to], pixel, e);
    }
    if (!status) status = stream_end(&s, e);
    stream_close(&s);
    return status;
}

static int cifar_missing(const char *path, const struct data_request *r, const struct dataset *d,
                         struct error *e) {
    const struct examples *x = &d->train;
    if (r->train == 0)
        return error_set(
            e, STATUS_USAGE,
            "%s: missing, and all training examples are asked for (data.train: 0): get "
            "the file (`imprint data info %s`), or set data.train to at most %zu",
            path, d->type->name, pool_largest(x->label, x->n, d->K));
    return error_set(e, STATUS_USAGE,
                     "%s: missing, and %zu %sexamples (data.train + data.validation) need it: get "
                     "it (`imprint data info %s`), or ask for at most %zu",
                     path, r->train, r->balance ? "balanced " : "", d->type->name,
                     r->balance ? pool_largest(x->label, x->n, d->K) : x->n);
}

static int cifar_train(const char *folder, const struct data_request *r,
                       const struct cifar_format *f, struct dataset *d, struct error *e) {
    struct examples *x = &d->train;
    for (size_t i = 0; i < f->train_files; i++) {
        char path[FILE_PATH];
        if (r->train && pool_prefix(x->label, x->n, d->K, r->train, r->balance)) return STATUS_OK;
        int status = data_file_path(path, folder, d->type->official[i].name, e);
        if (!status && !data_file_exists(path)) status = cifar_missing(path, r, d, e);
        if (!status) status = cifar_file(path, &d->type->official[i], f, 0, x, d, e);
        if (status) return status;
    }
    return STATUS_OK;
}

static size_t cifar_train_records(const struct cifar_format *f, const struct dataset *d) {
    size_t n = 0;
    for (size_t i = 0; i < f->train_files; i++)
        n += (size_t)d->type->official[i].bytes / (f->label_bytes + CIFAR_BYTES);
    return n;
}

int cifar_read(const struct data_request *r, const struct cifar_format *f, struct dataset *d,
               struct error *e) {
    char folder[FILE_PATH], path[FILE_PATH];
    const struct data_file *test = &d->type->official[f->train_files];
    dataset_image(d, CIFAR_SIDE, CIFAR_SIDE, 3, true);
    int status = dataset_classes(d, f->K, f->names, e);
    if (!status) status = data_folder(d->type, settings_text(r->settings, "path"), folder, e);
    if (!status) status = cifar_train(folder, r, f, d, e);
    if (!status) status = data_file_path(path, folder, test->name, e);
    if (!status) status = cifar_file(path, test, f, cifar_train_records(f, d), &d->test, d, e);
    return status;
}
