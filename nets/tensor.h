/* Activations: NHWC, with a zeroed halo of `halo` pixels around every image where a convolution's
 * kernel reads its padding. A flat vector is H = W = 1 without halo; features are C.
 *
 * Address of (n, h, w, c), with h and w from -halo to H-1+halo:
 *   data + n * image + (h + halo) * row + (w + halo) * C + c          (C is contiguous)
 * The halo is zero at all times: whoever writes a tensor writes its interior only. */
#ifndef NETS_TENSOR_H
#define NETS_TENSOR_H

#include <stddef.h>

#include "base/real.h"

struct tensor {
    real *data;
    size_t H, W, C, halo;
    size_t row;   /* (W + 2 halo) C */
    size_t image; /* (H + 2 halo) row */
};

static inline real *tensor_at(const struct tensor *t, size_t n, size_t h, size_t w) {
    return t->data + n * t->image + (h + t->halo) * t->row + (w + t->halo) * t->C;
}

/* The same from example n on. */
static inline struct tensor tensor_from(const struct tensor *t, size_t n) {
    struct tensor from = *t;
    from.data += n * t->image;
    return from;
}

#endif
