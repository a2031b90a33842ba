/* The registry of stabilizers, the keys they share, and which tensors they act on. */
#include "stabilizers/stabilizer.h"

#include <string.h>

#define STABILIZER(name) extern const struct stabilizer stabilizer_##name;
#include "stabilizers/stabilizers.def"
#undef STABILIZER

static const struct stabilizer *const stabilizers[] = {
#define STABILIZER(name) &stabilizer_##name,
#include "stabilizers/stabilizers.def"
#undef STABILIZER
};

const struct stabilizer *const *stabilizer_list(size_t *n) {
    *n = sizeof stabilizers / sizeof *stabilizers;
    return stabilizers;
}

const struct stabilizer *stabilizer_find(const char *name) {
    for (size_t i = 0; i < sizeof stabilizers / sizeof *stabilizers; i++)
        if (strcmp(stabilizers[i]->name, name) == 0) return stabilizers[i];
    return NULL;
}

const struct param stabilizer_common_params[] = {
    {.name = "type", .type = PARAM_TEXT, .preset = NULL, .doc = "The stabilizer."},
    {.name = "from",
     .type = PARAM_EPOCH,
     .preset = "0",
     .unit = "epochs",
     .doc = "First epoch of the window [from, until); onset and removal are the deficits'."},
    {.name = "until",
     .type = PARAM_EPOCH,
     .preset = "end",
     .unit = "epochs",
     .doc = "The window's end; until = from is no stabilizer at all. What lies outside the run is "
            "cut off."},
    {.name = "strength",
     .type = PARAM_REAL,
     .preset = "1",
     .min = 0,
     .max = 1,
     .unit = "1",
     .doc = "A factor on what it does; 0 is no stabilizer at all."},
    {.name = "modality",
     .type = PARAM_TEXT,
     .preset = "~",
     .doc = "The modality or branch of the network that it acts on (a modality's name, or trunk); "
            "unset: everything."},
    {0},
};

/* Heads have layers of their own, which no branch holds; in a net of one input nothing but the name
 * tells them. */
static bool is_head(const struct net *net, size_t layer) {
    size_t n;
    net_branches(net, &n);
    if (n) return net_layer_branch(net, layer) < 0;
    return !strncmp(net_layers(net, &n)[layer], "head_", 5);
}

bool stabilizer_covers(const struct stabilizer_context *c, const struct net_tensor *t) {
    if (t->layer < 0) return c->branch < 0;
    size_t layer = (size_t)t->layer;
    return c->branch < 0 ? !is_head(c->net, layer) : net_layer_branch(c->net, layer) == c->branch;
}
