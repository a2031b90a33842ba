/* Views: a set of examples as a net sees them, the clean ones or spoiled by the deficits in force.
 *
 * Deficits without fresh randomness are applied once, when the view is made; those with (noise,
 * fresh: true), and what follows them, when an example is asked for. */
#ifndef SIM_VIEW_H
#define SIM_VIEW_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "sim/config.h"
#include "sim/data.h"

struct view {
    const struct dataset *data;
    const struct examples *source;  /* clean */
    uint32_t *stand_in;             /* [n] whose modalities and label example i has: a position in
                                       the source; owned; NULL: its own */
    void *spoiled[DATA_MODALITIES]; /* a copy as stored, owned; NULL: the source's own */
    int32_t *label;                 /* spoiled labels, owned; NULL: the source's own */
    float *targets;                 /* [n,K] spoiled targets, owned; NULL: the source's own */
    char key[HASH_TEXT];            /* of the deficits applied; "" clean */
    size_t fresh_n;                 /* deficits still to apply per batch */
    size_t fresh[CONFIG_DEFICITS];
    int target[CONFIG_DEFICITS]; /* the modality that each spoils, or TARGET_NONE */
    double severity[CONFIG_DEFICITS];
};

/* All examples of `source`, spoiled by each deficit i at severity[i] (0: not applied). Keeps what
 * the view already holds when it is the same. STATUS_FAILED: out of memory. */
int view_make(struct view *v, const struct config *c, const struct dataset *d,
              const struct examples *source, const double severity[CONFIG_DEFICITS],
              struct error *e);
/* The same without a copy: all but the stand-ins is done when an example is asked for. For a look at
 * a few of many. `v` is empty or a view. */
int view_make_lazy(struct view *v, const struct config *c, const struct dataset *d,
                   const struct examples *source, const double severity[CONFIG_DEFICITS],
                   struct error *e);
void view_free(struct view *v);

/* The example's official number. It keys all that is drawn for it, and stays when another stands in. */
uint32_t view_index(const struct view *v, size_t example);
/* The label before fresh deficits. */
int32_t view_label(const struct view *v, size_t example);

/* Modality m as stored, and the label, in an epoch (which keys fresh deficits). The pointer lasts
 * until the scratch is used again. */
const void *view_example(const struct view *v, const struct config *c, size_t m, size_t example,
                         uint32_t epoch, void *scratch);
int32_t view_epoch_label(const struct view *v, const struct config *c, size_t example,
                         uint32_t epoch);
/* [K] of the example, in a view of data with targets; NULL in one of classes. */
const float *view_target(const struct view *v, size_t example);
size_t view_scratch(const struct config *c, const struct dataset *d); /* bytes */

#endif
