/* A data set for whole runs, so that none has to be had: gratings of ten directions and widths under
 * noise, which a network learns in a few epochs, and of which blur leaves some. */
#ifndef BENCH_IMAGES_H
#define BENCH_IMAGES_H

#include <stddef.h>

#include "base/error.h"

struct images_spec {
    size_t H, W, C, K;
    size_t train, test; /* how many; their classes take turns */
};

/* PATH.h5, a data set for imprint; PATH.bin, the same for PyTorch: training images, test images
 * [n,H,W,C], training labels, test labels, all bytes. */
int images_save(const struct images_spec *spec, const char *path, struct error *e);

#endif
