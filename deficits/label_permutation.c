/* Wrong labels (Achille et al. 2019): only the last layers should have to change at removal.
 *
 *   scope: class  one fixed bijection of the classes without fixed point, drawn once per data.seed:
 *                 uniform over permutations, drawn again until no class keeps its name (about e
 *                 draws), so that no class is trained right and every seed has the same strength.
 *   scope: image  every image gets a uniform random label, drawn once and kept in every epoch (it
 *                 may be the right one, and class counts change): much harsher, it can only be
 *                 memorized.
 *
 * Public versions were no bijections, drew a label per class, or never put the labels back; here the
 * stored labels are never touched and test labels never pass through. With severity below 1 that
 * fraction of the images is mislabelled, drawn once per image. */
#include "deficits/pixels.h"

enum { CLASSES_MAX = 4096 };

static int32_t permuted(uint64_t seed, size_t K, int32_t label) {
    uint32_t order[CLASSES_MAX];
    for (uint32_t attempt = 0;; attempt++) {
        struct rng r = rng_stream(seed, "deficit label_permutation map", 0, attempt);
        size_t fixed = 0;
        for (uint32_t c = 0; c < K; c++) order[c] = c;
        rng_shuffle(&r, order, K);
        for (uint32_t c = 0; c < K; c++) fixed += order[c] == c;
        if (fixed == 0) return (int32_t)order[label];
    }
}

static int32_t label_permutation_label(const struct settings *s, const struct deficit_context *c,
                                       int32_t label) {
    struct rng r = deficit_stream(c, "deficit label_permutation");
    if (!deficit_affects(c, &r)) return label;
    if (settings_is(s, "scope", "image")) return (int32_t)rng_below(&r, (uint32_t)c->K);
    return permuted(c->seed, c->K, label);
}

static int label_permutation_check(const struct settings *s, const struct modality *m, size_t K,
                                   struct error *e) {
    (void)s;
    (void)m;
    if (K >= 2 && K <= CLASSES_MAX) return STATUS_OK;
    return error_set(e, STATUS_USAGE, "label_permutation takes 2 to %d classes, found %zu",
                     CLASSES_MAX, K);
}

static const struct param label_permutation_params[] = {
    {.name = "scope",
     .type = PARAM_CHOICE,
     .preset = "class",
     .choices = "class|image",
     .doc =
         "One fixed bijection of the classes in which none keeps its label, or a random label for "
         "every image, drawn once."},
    {0},
};

const struct deficit deficit_label_permutation = {
    .name = "label_permutation",
    .doc = "Wrong labels, by a fixed permutation of the classes or at random per image.",
    .params = label_permutation_params,
    .check = label_permutation_check,
    .label = label_permutation_label,
};
