/* Architectures: one file each under nets/archs, ending in one `const struct arch`, and one line
 * in nets/archs/archs.def. */
#ifndef NETS_ARCH_H
#define NETS_ARCH_H

#include "base/settings.h"
#include "nets/net.h"

struct graph; /* nets/graph.h: what `build` adds ops to */

struct arch {
    const char *name;
    const char *doc; /* one sentence, with the source */
    const struct param *params;
    int (*build)(struct graph *g, const struct settings *s, struct error *e);
    /* Draw parameter i at its start, in PyTorch's order, where that is more than numbers from one
     * distribution; a function of the seed and the tensor's name alone. g->settings are those of
     * `build`. False: it starts as its op says. NULL: all do. */
    bool (*draw)(const struct graph *g, size_t i, uint64_t seed, real *out);
};

const struct arch *arch_find(const char *name); /* NULL: none of that name */
const struct arch *const *arch_list(size_t *n); /* in order of archs.def */

#endif
