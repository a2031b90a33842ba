/* Two eyes on one image: the left one sees its leftmost `width` columns, the right one its rightmost
 * (Kleinman, Achille, Soatto 2023, section on views of one image, where 32 columns give two views of
 * 14 to 18: with more than half of the columns the views overlap).
 *
 * Both modalities have the whole canvas, so that their encoders are alike and a shift moves both as
 * one; the columns that an eye does not see are 0 after augmentation and normalization
 * (sim/feed.c), and deficits spoil the whole image of an eye. Constants of normalization are those of
 * the whole image, the same for both.
 *
 * Trap: the image is stored once for each eye, since a deficit may spoil one of them alone. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "sim/datasets/pool.h"

static int image_check(const struct dataset *d, const struct dataset_type *of, struct error *e) {
    if (d->modalities_n == 1 && d->modality[0].kind == MODALITY_IMAGE) return STATUS_OK;
    return error_set(e, STATUS_USAGE,
                     "data.of: %s is not a set of single images: views are made of one image each",
                     of->name);
}

/* Columns that each eye sees. */
static int width_of(const struct data_request *r, size_t W, size_t *width, struct error *e) {
    *width = (W + 1) / 2;
    if (settings_is_set(r->settings, "width")) *width = (size_t)settings_int(r->settings, "width");
    if (*width <= W) return STATUS_OK;
    return error_set(e, STATUS_USAGE, "data.width: %zu columns, but the images have %zu", *width,
                     W);
}

static int second_eye(struct examples *x, const struct dataset *d, struct error *e) {
    const size_t bytes = x->n * modality_bytes(&d->modality[0]);
    x->x[1] = malloc(bytes ? bytes : 1);
    if (!x->x[1])
        return error_set(e, STATUS_FAILED, "not enough memory for two views of %zu images", x->n);
    if (bytes) memcpy(x->x[1], x->x[0], bytes);
    return STATUS_OK;
}

static int views_read(const struct data_request *r, struct dataset *d, struct error *e) {
    const struct dataset_type *views = d->type;
    struct modality *left = &d->modality[0], *right = &d->modality[1];
    size_t width;
    d->type = dataset_source(r->settings, views); /* whose files and name the reader speaks of */
    int status = d->type->read(r, d, e);
    if (!status) status = image_check(d, d->type, e);
    d->type = views;
    if (!status) status = width_of(r, left->W, &width, e);
    if (status) return status;
    d->modalities_n = 2;
    *right = *left;
    memcpy(left->name, "left", sizeof "left");
    memcpy(right->name, "right", sizeof "right");
    left->hidden_right = right->hidden_left = left->W - width;
    status = second_eye(&d->train, d, e);
    return status ? status : second_eye(&d->test, d, e);
}

static const struct param views_params[] = {
    {.name = "of",
     .type = PARAM_TEXT,
     .doc = "The set of images, any that has one image per example; its own keys join these."},
    {.name = "width",
     .type = PARAM_INT,
     .preset = "~",
     .min = 1,
     .max = 4096,
     .unit = "columns",
     .doc = "Columns that each eye sees, from its side; more than half overlap; unset: half."},
    {0},
};

const struct dataset_type dataset_views = {
    .name = "views",
    .doc = "Two eyes on the images of another set: modality left sees the leftmost data.width "
           "columns, right the rightmost, each on the whole canvas with zeros elsewhere (Kleinman, "
           "Achille, Soatto 2023).",
    .params = views_params,
    .wraps = "of",
    .read = views_read,
    .source = "Made of another data set, whose files and keys it takes:\n"
              "  data: {set: views, of: cifar10, width: 16, path: cifar-10-batches-bin}\n"
              "  data: {set: views, of: optotypes, width: 12, contrast: 3}\n",
};
