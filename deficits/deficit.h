/* Deficits: what spoils the early experience. One file each, ending in one `const struct deficit`,
 * and one line in deficits.def.
 *
 * A deficit maps one stored example to one stored example (bytes stay bytes). It sees neither
 * augmentation nor normalization, and is never applied to test data or outside its window. Its
 * randomness comes from the streams given in `struct deficit_context`, so that a run and its
 * clean twin share everything else. `severity` in [0, 1] is the config's severity times the ramp;
 * 0 is the identity, exactly (the caller then skips the deficit). */
#ifndef DEFICITS_DEFICIT_H
#define DEFICITS_DEFICIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/settings.h"

struct modality; /* sim/data.h: name, kind, shape, mean, sd; read only */
struct examples; /* sim/data.h */
struct net;      /* nets/net.h */

/* Kinds of modalities that a deficit can spoil. */
enum { TAKES_IMAGES = 1, TAKES_TOKENS = 2, TAKES_FEATURES = 4 };

struct deficit_context {
    const struct modality *modality; /* that is spoiled; NULL for a deficit of labels alone */
    size_t modality_index;           /* its place among the modalities */
    size_t K;                        /* classes, or numbers in a target */
    const uint8_t *class_group;      /* [K], as in struct dataset; NULL: one group */
    int32_t label;                   /* the example's true one */
    uint64_t seed;                   /* data.seed */
    uint32_t epoch; /* the epoch for a deficit with fresh randomness, 0 otherwise */
    uint32_t index; /* the example's position in the official order: keys its streams */
    double severity;
};

struct deficit {
    const char *name;
    const char *doc;
    const struct param *params; /* beside deficit_common_params */
    unsigned takes;             /* TAKES_...; 0: it leaves inputs alone */
    /* Same effect as no deficit, whatever the window (blur by factor 1)? NULL: never. */
    bool (*is_identity)(const struct settings *s);
    /* Has this parameter an effect beside the others (blur's sigma has with one kernel only)? What
     * has none is in no prefix key. NULL: every one has. */
    bool (*uses)(const struct settings *s, const char *param);
    /* Draws anew in every epoch (then nothing is cached)? NULL: never. */
    bool (*is_fresh)(const struct settings *s);
    /* Refuse what the modality cannot take (a factor that does not divide). NULL: takes all. */
    int (*check)(const struct settings *s, const struct modality *m, size_t K, struct error *e);
    /* Working memory in bytes for one `image` call. NULL: none. */
    size_t (*scratch)(const struct settings *s, const struct modality *m);
    /* Put another example in this one's place, with all its modalities and its label: its position
     * in `all`, in which this one stands at i. Comes before the others. NULL: never. */
    size_t (*stand_in)(const struct settings *s, const struct deficit_context *c,
                       const struct examples *all, size_t i);
    /* Spoil one example's modality in place, as stored. NULL: leaves inputs alone. */
    void (*spoil)(const struct settings *s, const struct deficit_context *c, void *x,
                  void *scratch);
    /* The label trained on. NULL: leaves labels alone. */
    int32_t (*label)(const struct settings *s, const struct deficit_context *c, int32_t label);
    /* The targets trained on, [K] with NaN for what is not known, in place: those of example i of
     * `all`. NULL: leaves targets alone. */
    void (*targets)(const struct settings *s, const struct deficit_context *c,
                    const struct examples *all, size_t i, float *target);
    /* After every backward pass of training: spoil what the branch of the modality it is aimed at
     * (net_branches) learns, in net_grads. Examples know nothing of it. NULL: leaves gradients
     * alone. */
    void (*gradients)(const struct settings *s, struct net *net, int branch, double severity);
};

/* Does it change examples (so that there is something to test or probe under it)? */
static inline bool deficit_of_examples(const struct deficit *d) {
    return d->stand_in || d->spoil || d->label || d->targets;
}

/* type, from, until, severity (0..1, default 1), ramp (epochs), modality (unset: the only one of a
 * kind that the deficit takes) */
extern const struct param deficit_common_params[];

const struct deficit *deficit_find(const char *name);
const struct deficit *const *deficit_list(size_t *n);

#endif
