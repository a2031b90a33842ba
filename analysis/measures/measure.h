/* Measures: what is read off a network beside the Fisher trace (fisher_trace.h). One file each,
 * ending in one `const struct measure`, and one line in measures.def.
 *
 * A measure reads the network and changes no bit of it: parameters and running statistics are the
 * same afterwards; activations and gradients may be overwritten. Randomness comes from streams named
 * by (seed, purpose, 0, index): the same in every row. */
#ifndef ANALYSIS_MEASURES_MEASURE_H
#define ANALYSIS_MEASURES_MEASURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "nets/net.h"

/* A fixed set of examples, handed over in batches. */
struct measure_examples {
    size_t n;     /* at least 1 */
    size_t batch; /* that `feed` is called with, at most; no more than the net's own */
    /* Write the examples [first, first + n) into the net's inputs, and their labels. */
    void (*feed)(void *context, struct net *net, size_t first, size_t n, int32_t *labels);
    void *context;
};

struct measure_context {
    struct net *net;
    struct measure_examples test; /* all test examples, clean */
    uint64_t seed;                /* data.seed */
};

/* What a series has one number for in every row. */
enum measure_axis {
    PER_ROW,      /* the network */
    PER_LAYER,    /* each of its layers */
    PER_MODALITY, /* each modality of the data */
    PER_BRANCH,   /* each branch (net_branches) */
    PER_BIN       /* each bin of the measure's histogram */
};

/* A variable of the log. */
struct measure_series {
    const char *name, *units, *long_name;
    enum measure_axis axis;
    const char *note; /* what its numbers mean where the name does not say; NULL: nothing to add */
};

/* The bins of a histogram: `n` of equal width over [low, high], the last one closed. */
struct measure_bins {
    const char *name, *long_name; /* of the log's coordinate, whose values are the bins' centers */
    size_t n;
    double low, high;
    const char *note; /* of the coordinate; NULL: that they are such centers */
};

struct measure {
    const char *name;
    const char *doc; /* one sentence */
    const struct measure_series *series;
    size_t series_n;
    const struct measure_bins *bins; /* NULL: it has no series PER_BIN */
    bool of_classes;                 /* it counts right answers: data with targets are refused */
    /* Refuse a network that it cannot be read off. NULL: takes all. */
    int (*check)(const struct net *net, struct error *e);
    /* Fill out[i], of as many numbers as its axis has, for each series; NaN where nothing can be
     * said. */
    int (*measure)(const struct measure_context *c, double *const *out, struct error *e);
};

const struct measure *measure_find(const char *name); /* NULL: none of that name */
const struct measure *const *measure_list(size_t *n); /* in order of measures.def */

#endif
