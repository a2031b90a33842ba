/* Fewer known entries: of the targets' numbers that are known, over all examples, only so many stay
 * (Kleinman, Achille, Soatto 2024, arXiv 2308.12221: matrix completion that begins with too few). They
 * are those with the smallest of independent uniform numbers, of the stream "deficit few_entries" of
 * data.seed at each example, so that fewer are among more. Severity below 1 hides that share of what
 * would be hidden. */
#include <math.h>
#include <stdlib.h>

#include "deficits/pixels.h"
#include "sim/data.h"

static struct rng keys_of(const struct deficit_context *c, uint32_t index) {
    return rng_stream(c->seed, "deficit few_entries", 0, index);
}

static int ascending(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* The largest key that is kept; below 0: none is. */
static double threshold(const struct deficit_context *c, const struct examples *all, size_t keep) {
    double *key = malloc((all->n * c->K + 1) * sizeof *key), last;
    size_t known = 0;
    if (!key) abort();
    for (size_t n = 0; n < all->n; n++) {
        struct rng r = keys_of(c, all->index[n]);
        for (size_t k = 0; k < c->K; k++) {
            double u = rng_uniform(&r);
            if (!isnan(all->target[n * c->K + k])) key[known++] = u;
        }
    }
    qsort(key, known, sizeof *key, ascending);
    if (keep < known) keep += (size_t)((1 - c->severity) * (double)(known - keep));
    last = keep >= known ? 1 : keep ? key[keep - 1] : -1;
    free(key);
    return last;
}

static void few_entries(const struct settings *s, const struct deficit_context *c,
                        const struct examples *all, size_t i, float *target) {
    const double last = threshold(c, all, (size_t)settings_int(s, "entries"));
    struct rng r = keys_of(c, all->index[i]);
    for (size_t k = 0; k < c->K; k++)
        if (rng_uniform(&r) > last) target[k] = NAN;
}

static const struct param few_entries_params[] = {
    {.name = "entries",
     .type = PARAM_INT,
     .preset = NULL,
     .min = 1,
     .max = 1e9,
     .unit = "entries",
     .doc = "Entries that stay known, of all examples together."},
    {0},
};

const struct deficit deficit_few_entries = {
    .name = "few_entries",
    .doc = "Only some of the targets' known entries stay known (Kleinman et al. 2024).",
    .params = few_entries_params,
    .targets = few_entries,
};
