/* The feed: examples on their way into a net. Decode, deficit, augment, normalize, in that order;
 * the first two are the view's (sim/view.h). */
#ifndef SIM_FEED_H
#define SIM_FEED_H

#include <stdbool.h>
#include <stdint.h>

#include "sim/config.h"
#include "sim/data.h"
#include "sim/timeline.h"
#include "sim/view.h"
#include "nets/net.h"

struct feed_batch {
    const struct view *view;
    const uint32_t *pick; /* [n] positions in the view; NULL: first .. first + n - 1 */
    size_t first, n;
    uint32_t epoch; /* keys fresh deficits and augmentation */
    bool augment;
};

/* Write the batch into the net's input tensors, its targets into net_targets where the loss reads
 * them (1 for the class and 0 for the others in data of classes), and its labels into label[n].
 * `scratch`: see feed_scratch. */
void feed_assemble(const struct config *c, const struct feed_batch *b, struct net *net,
                   int32_t *label, void *scratch);
size_t feed_scratch(const struct config *c, const struct dataset *d); /* bytes */

/* Order of the training examples in a pass of an epoch: stream "order" of train.seed. */
void feed_order(uint64_t train_seed, uint32_t epoch, size_t pass, uint32_t *order, size_t n);

#endif
