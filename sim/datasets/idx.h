/* The IDX format of MNIST and the sets made after it: 28x28 grey bytes, ten classes. */
#ifndef SIM_DATASETS_IDX_H
#define SIM_DATASETS_IDX_H

#include "sim/data.h"

enum { IDX_SIDE = 28, IDX_CLASSES = 10 };

/* d->type->official lists training images, training labels, test images, test labels. */
int idx_read(const struct data_request *r, const char *const names[IDX_CLASSES], struct dataset *d,
             struct error *e);

#endif
