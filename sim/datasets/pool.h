/* What readers share: room for examples, class names, and how long a pool must be.
 *
 * n examples are dealt out one by one over the K classes, in class order and starting with class
 * `first`: every class gets n/K, and the first n%K of that order one more. */
#ifndef SIM_DATASETS_POOL_H
#define SIM_DATASETS_POOL_H

#include "sim/data.h"

size_t pool_quota(size_t n, size_t K, size_t first, size_t c); /* examples of class c */

/* The shortest prefix of `label` [n] that holds the quota of every class for `want` examples; with
 * `balance` off `want` itself; n for want 0 (all). Returns 0 while there are too few. */
size_t pool_prefix(const int32_t *label, size_t n, size_t K, size_t want, bool balance);
/* The largest number of examples that can be drawn balanced from all of `label`. */
size_t pool_largest(const int32_t *label, size_t n, size_t K);

/* Room for n examples of d's modalities, indexed from `first_index`. */
int examples_create(struct examples *x, const struct dataset *d, size_t n, size_t first_index,
                    struct error *e);
int examples_resize(struct examples *x, const struct dataset *d, size_t n, struct error *e);
void examples_free(struct examples *x);

/* The one modality of an image set. */
void dataset_image(struct dataset *d, size_t H, size_t W, size_t C, bool bytes);
/* K classes; names NULL: they are called 0, 1, ... */
int dataset_classes(struct dataset *d, size_t K, const char *const *names, struct error *e);

#endif
