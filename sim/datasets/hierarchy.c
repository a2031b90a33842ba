/* A hierarchy of things and their properties, on which the learning of deep linear networks is exactly
 * known (Saxe, McClelland, Ganguli 2014, arXiv 1312.6120; two pathways: Kleinman, Achille, Soatto 2024,
 * arXiv 2308.12221):
 *
 *   2^L items, item i the i-th unit vector (X = I); 2^(L+1) - 1 properties in the order of the levels:
 *   one that all items have, two that a half each has, ..., one of each item's own.
 *
 * With three levels the 15x8 matrix has the singular values sqrt 15, sqrt 7, sqrt 3 (twice) and 1 (four
 * times). Every pathway has a modality of its own, a, b, ..., all with the same input. Nothing is drawn
 * and nothing held out: test items are the training items. */
#include <stdio.h>

#include "sim/datasets/pool.h"

static void item_write(size_t item, size_t levels, size_t modalities, struct examples *x) {
    const size_t items = (size_t)1 << levels, K = 2 * items - 1;
    float *target = x->target + item * K;
    x->label[item] = -1;
    for (size_t m = 0; m < modalities; m++)
        for (size_t i = 0; i < items; i++) ((float *)x->x[m])[item * items + i] = i == item;
    for (size_t l = 0; l <= levels; l++)
        for (size_t k = 0; k < (size_t)1 << l; k++) *target++ = item >> (levels - l) == k;
}

static int items_write(size_t levels, size_t first, struct dataset *d, struct examples *x,
                       struct error *e) {
    const size_t items = (size_t)1 << levels;
    int status = examples_create(x, d, items, first, e);
    for (size_t i = 0; i < items && !status; i++) item_write(i, levels, d->modalities_n, x);
    return status;
}

static int hierarchy_read(const struct data_request *r, struct dataset *d, struct error *e) {
    const size_t levels = (size_t)settings_int(r->settings, "levels"), items = (size_t)1 << levels;
    d->has_targets = true;
    d->modalities_n = (size_t)settings_int(r->settings, "pathways");
    for (size_t m = 0; m < d->modalities_n; m++) {
        struct modality *is = &d->modality[m];
        *is = (struct modality){.kind = MODALITY_FEATURES, .H = 1, .W = items, .C = 1, .raw = true};
        snprintf(is->name, sizeof is->name, "%c", (char)('a' + m));
    }
    int status = dataset_classes(d, 2 * items - 1, NULL, e);
    if (!status) status = items_write(levels, 0, d, &d->train, e);
    return status ? status : items_write(levels, items, d, &d->test, e);
}

static const struct param hierarchy_params[] = {
    {.name = "levels",
     .type = PARAM_INT,
     .preset = "3",
     .min = 1,
     .max = 8,
     .unit = "1",
     .doc = "Halvings: 2^levels items with 2^(levels+1) - 1 properties."},
    {.name = "pathways",
     .type = PARAM_INT,
     .preset = "2",
     .min = 1,
     .max = DATA_MODALITIES,
     .unit = "1",
     .doc = "Modalities a, b, ... that all hold the same item."},
    {0},
};

const struct dataset_type dataset_hierarchy = {
    .name = "hierarchy",
    .doc = "Items and their properties on the levels of a binary tree, as targets, for linear "
           "networks; nothing is random, and all items are in training and in test data.",
    .params = hierarchy_params,
    .own_prior = true,
    .read = hierarchy_read,
    .source =
        "Nothing to get: imprint makes it. Item i is the i-th unit vector, in every modality;\n"
        "its target has a 1 for each property that it has: one of all items, two of a half\n"
        "each, ..., one of its own. Saxe, McClelland, Ganguli 2014, arXiv 1312.6120.\n",
};
