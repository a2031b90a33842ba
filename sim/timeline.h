/* The timeline: what is in force in each epoch of a run, and the keys that name its states.
 *
 * Epochs are [0, total). State e is the network after e epochs (state 0: initialized). The prefix
 * key of state e hashes everything that can influence it: the training examples, the net, seeds,
 * optimizer, and for every epoch before e the effective learning rate, the deficits at their
 * effective severity, the stabilizers that act, augmentation and events. Equal keys, equal bits (for one numerics id).
 * Names, folders, measures and thread counts are in no key. */
#ifndef SIM_TIMELINE_H
#define SIM_TIMELINE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/hash.h"
#include "sim/config.h"

struct window {
    int64_t from, until; /* epochs, half-open; from == until: empty, simply off */
};

struct timeline {
    int64_t total;   /* epochs */
    int64_t onset;   /* the earliest `from` of the non-empty deficits; 0 if there is none */
    int64_t removal; /* the latest `until` of the non-empty deficits; 0 if there is none */
    struct window deficits[CONFIG_DEFICITS];
    struct window stabilizers[CONFIG_STABILIZERS]; /* what of them lies in [0, total) */
    double *rate;                                  /* [total] learning rate of epoch e */
    char (*key)[HASH_TEXT];                        /* [total + 1] prefix key of state e */
    char measures[HASH_TEXT]; /* hash of what is measured: names row files beside the key */
    char run_id[HASH_TEXT];   /* hash(key[total], measures, final) */
};

/* Windows, budget and rates only (no keys): enough to print what a config means. */
int timeline_resolve(struct timeline *t, const struct config *c, struct error *e);
/* The keys too; the data set must be the one that the config names. */
int timeline_create(struct timeline *t, const struct config *c, const struct dataset *d,
                    struct error *e);
void timeline_free(struct timeline *t);

/* Effective severity of deficit i in an epoch: config severity times the ramp; 0: not in force. */
double timeline_severity(const struct timeline *t, const struct config *c, size_t i, int64_t epoch);
/* Strength of stabilizer i in an epoch; 0: not in force, an identity, or it does not act then. */
double timeline_strength(const struct timeline *t, const struct config *c, size_t i, int64_t epoch);
/* Is the momentum buffer zeroed at the start of this epoch (train.at_removal)? */
bool timeline_resets_momentum(const struct timeline *t, const struct config *c, int64_t epoch);
/* Severity of deficit i on probes and in test_deficit_*: its full one whatever the window; 0 when it
 * is an identity or fisher.deficit_probes names another type. */
double timeline_probe_severity(const struct config *c, size_t i);
/* The registered measures are due in the rows 0, this, twice this, ...: those where evaluation is due
 * (eval.every) that eval.measures_every divides. */
int64_t timeline_measures_every(const struct config *c);
/* Learning rate in the first epoch after removal (NaN when there is none). */
double timeline_rate_at_removal(const struct timeline *t);

/* Make a config that of its clean twin: the windows of deficits and stabilizers emptied; the budget
 * resolves again by itself. */
void config_clean(struct config *c);
/* The windows of the stabilizers emptied: the same run without them. */
void config_unstabilize(struct config *c);
/* Every window and the budget as the timeline resolved them, in numbers: what is emptied afterwards
 * moves nothing. */
void config_freeze(struct config *c, const struct timeline *t);
/* Only the deficits' windows emptied; after config_freeze, the same stabilizers in the same epochs
 * of as many clean ones. */
void config_cure(struct config *c);

#endif
