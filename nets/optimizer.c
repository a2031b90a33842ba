/* The list of optimizers: one line each in optimizers.def. */
#include "nets/optimizer.h"

#include <string.h>

#define OPTIMIZER(name) extern const struct optimizer optimizer_##name;
#include "nets/optimizers/optimizers.def"
#undef OPTIMIZER

static const struct optimizer *const OPTIMIZERS[] = {
#define OPTIMIZER(name) &optimizer_##name,
#include "nets/optimizers/optimizers.def"
#undef OPTIMIZER
};

const struct optimizer *const *optimizer_list(size_t *n) {
    *n = sizeof OPTIMIZERS / sizeof *OPTIMIZERS;
    return OPTIMIZERS;
}

const struct optimizer *optimizer_find(const char *name) {
    for (size_t i = 0; i < sizeof OPTIMIZERS / sizeof *OPTIMIZERS; i++)
        if (strcmp(OPTIMIZERS[i]->name, name) == 0) return OPTIMIZERS[i];
    return NULL;
}
