/* Encoders' outputs, kept: what measures of several modalities need to run the trunk on any
 * combination of them without encoding again. */
#ifndef ANALYSIS_MEASURES_TAPS_H
#define ANALYSIS_MEASURES_TAPS_H

#include <stddef.h>
#include <stdint.h>

#include "analysis/measures/measure.h"
#include "base/error.h"
#include "nets/net.h"

struct taps {
    size_t modalities;
    size_t size[NET_INPUTS]; /* reals of one tap */
    real *kept[NET_INPUTS];  /* [entries, size]; owned */
    int32_t *labels;         /* [entries]; owned */
};

size_t net_modalities(const struct net *net); /* its inputs */
/* Refuse a network that has not several modalities, each with an encoder that ends in a tap. */
int taps_check(const struct net *net, struct error *e);

/* Room for so many entries. STATUS_FAILED when there is no memory. */
int taps_create(struct taps *t, const struct net *net, size_t entries, struct error *e);
void taps_free(struct taps *t);
size_t taps_bytes(const struct net *net); /* of an entry */

/* Encode the examples [first, first + n) and keep them as the entries from `entry` on. */
void taps_encode(struct taps *t, struct net *net, const struct measure_examples *examples,
                 size_t first, size_t n, size_t entry);
/* What the network's tap of modality m holds for its example n, from now on. */
void taps_place(const struct taps *t, struct net *net, size_t m, size_t n, size_t entry);

#endif
