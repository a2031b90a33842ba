/* The feed: examples on their way into a net. Decode, deficit, augment, normalize, in that order.
 *
 * A `view` is a set of examples as a net sees them: the clean ones, or a copy spoiled by the
 * deficits in force. Deficits without fresh randomness are applied once, when the view is made;
 * those with (noise, fresh: true) when a batch is assembled. */
#ifndef SIM_FEED_H
#define SIM_FEED_H

#include <stdbool.h>
#include <stdint.h>

#include "sim/config.h"
#include "sim/data.h"
#include "sim/timeline.h"
#include "nets/net.h"

struct view {
    const struct dataset *data;
    const struct examples *source;  /* clean */
    void *spoiled[DATA_MODALITIES]; /* a copy as stored, owned; NULL: the source's own */
    int32_t *label;                 /* spoiled labels, owned; NULL: the source's own */
    char key[HASH_TEXT];            /* of the deficits applied; "" clean */
    size_t fresh_n;                 /* deficits still to apply per batch */
    size_t fresh[CONFIG_DEFICITS];
    double severity[CONFIG_DEFICITS];
};

/* All examples of `source`, spoiled by each deficit i at severity[i] (0: not applied). Keeps what
 * the view already holds when it is the same. STATUS_FAILED: out of memory. */
int view_make(struct view *v, const struct config *c, const struct dataset *d,
              const struct examples *source, const double severity[CONFIG_DEFICITS],
              struct error *e);
void view_free(struct view *v);
int32_t view_label(const struct view *v, size_t example);

struct feed_batch {
    const struct view *view;
    const uint32_t *pick; /* [n] positions in the view; NULL: first .. first + n - 1 */
    size_t first, n;
    uint32_t epoch; /* keys fresh deficits and augmentation */
    bool augment;
};

/* Write the batch into the net's input tensors and its labels into label[n]. `scratch`: see
 * feed_scratch. */
void feed_assemble(const struct config *c, const struct feed_batch *b, struct net *net,
                   int32_t *label, void *scratch);
size_t feed_scratch(const struct config *c, const struct dataset *d); /* bytes */

/* Order of the training examples in an epoch: stream "order" of train.seed. */
void feed_order(uint64_t train_seed, uint32_t epoch, uint32_t *order, size_t n);

#endif
