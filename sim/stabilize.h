/* The stabilizers of a run at work: which of them act in an epoch, with what memory, and the calls of
 * their hooks from the training loop (sim/run.c), in the order of stabilizers/stabilizer.h. */
#ifndef SIM_STABILIZE_H
#define SIM_STABILIZE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "sim/config.h"
#include "sim/timeline.h"

enum stabilize_hook {
    STABILIZE_EPOCH_START,
    STABILIZE_BATCH,
    STABILIZE_LOSS,
    STABILIZE_GRADIENTS,
    STABILIZE_PARAMETERS,
    STABILIZE_EPOCH_END
};

struct stabilize {
    const struct config *config;
    size_t n;                          /* at work in this epoch */
    size_t active[CONFIG_STABILIZERS]; /* their numbers, in the config's order */
    struct stabilizer_context context[CONFIG_STABILIZERS];
    uint32_t *index;       /* [batch] */
    void *scratch;         /* for one hook at a time */
    const double *instead; /* [stabilizers_n] strengths in place of the timeline's, from epoch 0 on;
                              NULL: the timeline's */
    double seconds;        /* spent in the hooks at both ends of the last epoch */
};

/* All the memory that they will work with. STATUS_USAGE: see stabilizer_branch. */
int stabilize_create(struct stabilize *s, const struct config *c, const struct dataset *d,
                     struct net *net, struct error *e);
void stabilize_free(struct stabilize *s);

/* Which of them act in the epoch. Then the hooks: EPOCH_START, those of each batch, EPOCH_END. */
void stabilize_begin(struct stabilize *s, const struct timeline *t, int64_t epoch);
/* The batch that the hooks are about: examples order[0..n-1] of `from`, as trained on. */
void stabilize_batch(struct stabilize *s, const struct examples *from, const uint32_t *order,
                     const int32_t *labels, size_t n, size_t batch);
void stabilize_call(struct stabilize *s, enum stabilize_hook hook);
/* Would that call do anything? */
bool stabilize_has(const struct stabilize *s, enum stabilize_hook hook);

/* The branch that `modality` of the config's stabilizer i names: see struct stabilizer_context.
 * STATUS_USAGE and what there is when there is none of that name. */
int stabilizer_branch(const struct config *c, size_t i, const struct dataset *d,
                      const struct net *net, int *branch, struct error *e);

#endif
