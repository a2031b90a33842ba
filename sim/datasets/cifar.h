/* The binary format of CIFAR-10 and CIFAR-100: 32x32 RGB bytes. */
#ifndef SIM_DATASETS_CIFAR_H
#define SIM_DATASETS_CIFAR_H

#include "sim/data.h"

enum { CIFAR_SIDE = 32, CIFAR_PIXELS = 32 * 32, CIFAR_BYTES = 3 * 32 * 32 };

struct cifar_format {
    size_t label_bytes; /* before the pixels of a record */
    size_t label_at;    /* which of them is the class */
    size_t K;
    const char *const *names;
    size_t train_files; /* how many of d->type->official are for training; the next is the test */
};

int cifar_read(const struct data_request *r, const struct cifar_format *f, struct dataset *d,
               struct error *e);

#endif
