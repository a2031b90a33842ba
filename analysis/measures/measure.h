/* Measures: what is read off a network beside the Fisher trace (fisher_trace.h). One file each,
 * ending in one `const struct measure`, and one line in measures.def.
 *
 * A measure reads the network and changes no bit of it: parameters and running statistics are the
 * same afterwards; activations and gradients may be overwritten. */
#ifndef ANALYSIS_MEASURES_MEASURE_H
#define ANALYSIS_MEASURES_MEASURE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "nets/net.h"

struct measure_context {
    struct net *net;
};

/* A variable of the log: one number per row, or one per row and layer. */
struct measure_series {
    const char *name, *units, *long_name;
    bool per_layer;
};

struct measure {
    const char *name;
    const char *doc; /* one sentence */
    const struct measure_series *series;
    size_t series_n;
    /* Fill out[i], of 1 or `layers` numbers, for each series; NaN where nothing can be said. */
    int (*measure)(const struct measure_context *c, double *const *out, struct error *e);
};

const struct measure *measure_find(const char *name); /* NULL: none of that name */
const struct measure *const *measure_list(size_t *n); /* in order of measures.def */

#endif
