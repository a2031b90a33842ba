/* The list of losses: one line each in losses.def. */
#include "nets/loss.h"

#include <string.h>

#define LOSS(name) extern const struct loss loss_##name;
#include "nets/losses/losses.def"
#undef LOSS

static const struct loss *const LOSSES[] = {
#define LOSS(name) &loss_##name,
#include "nets/losses/losses.def"
#undef LOSS
};

const struct loss *const *loss_list(size_t *n) {
    *n = sizeof LOSSES / sizeof *LOSSES;
    return LOSSES;
}

const struct loss *loss_find(const char *name) {
    for (size_t i = 0; i < sizeof LOSSES / sizeof *LOSSES; i++)
        if (strcmp(LOSSES[i]->name, name) == 0) return LOSSES[i];
    return NULL;
}
