/* Activations: NHWC, pixel after pixel. A flat vector is H = W = 1; features are C.
 *
 * Address of (n, h, w, c):
 *   data + n * image + h * row + w * C + c          (C is contiguous) */
#ifndef NETS_TENSOR_H
#define NETS_TENSOR_H

#include <stddef.h>

#include "base/real.h"

struct tensor {
    real *data;
    size_t H, W, C;
    size_t row;   /* W C */
    size_t image; /* H row */
};

static inline real *tensor_at(const struct tensor *t, size_t n, size_t h, size_t w) {
    return t->data + n * t->image + h * t->row + w * t->C;
}

/* The same from example n on. */
static inline struct tensor tensor_from(const struct tensor *t, size_t n) {
    struct tensor from = *t;
    from.data += n * t->image;
    return from;
}

#endif
