/* Stabilizers: techniques that are to keep a critical period open, or to reopen it. One file each,
 * ending in one `const struct stabilizer`, and one line in stabilizers.def.
 *
 * A stabilizer acts in a window of epochs [from, until), through hooks in the training loop:
 *
 *   rate                                       once, when the timeline is resolved
 *   per epoch   epoch_start
 *     per batch   batch -> forward -> loss -> backward -> gradients -> optimizer -> parameters
 *               epoch_end
 *
 * Several stabilizers act in the order in which the config lists them. `strength` in [0, 1] is a
 * common factor: what it multiplies stands in each file's head; 0 is the identity, bit for bit (no
 * hook is called then, and the run has the key of one without it). A hook changes nothing but what
 * it says: running statistics are as before, and randomness comes from streams named by
 * (train_seed, purpose, epoch, index). Nothing is remembered from epoch to epoch but parameters, or
 * a resumed run would not be the run from scratch: what a stabilizer needs it forms in epoch_start. */
#ifndef STABILIZERS_STABILIZER_H
#define STABILIZERS_STABILIZER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/settings.h"
#include "nets/net.h"

enum { STABILIZER_ARRAYS = 3 };

struct stabilizer_context {
    struct net *net;
    int branch;      /* that it is aimed at, in net_branches; -1: everything */
    double strength; /* in (0, 1] */
    double rate;     /* learning rate of the epoch */
    uint64_t net_seed, train_seed;
    uint32_t epoch, since;           /* epochs since `from` */
    size_t batch;                    /* number of the batch in the epoch */
    size_t N;                        /* its examples */
    const int32_t *labels;           /* [N], as trained on */
    const uint32_t *index;           /* [N] official numbers: they key random choices */
    real *arrays[STABILIZER_ARRAYS]; /* its own, as many as it asks for, each of
                                               net_params_count; they last from epoch_start to
                                               epoch_end */
    void *scratch; /* as many bytes as it asks for, aligned for any type; lost between hooks */
};

struct stabilizer {
    const char *name;
    const char *doc;            /* one sentence, with the source */
    const struct param *params; /* beside stabilizer_common_params */
    size_t arrays;              /* of the parameters' size that it works with */
    /* Working memory in bytes for one call of a hook. NULL: none. */
    size_t (*scratch)(const struct settings *s, const struct net *net);
    bool per_modality; /* `modality` names a modality; false: any branch, trunk included */
    /* Same effect as none, whatever the window (a coefficient of 0)? NULL: never. */
    bool (*is_identity)(const struct settings *s);
    /* Has this parameter an effect beside the others? What has none is in no key. NULL: each has. */
    bool (*uses)(const struct settings *s, const char *param);
    /* Does it act in the epoch that begins `since` epochs after the window? NULL: in each. */
    bool (*acts)(const struct settings *s, int64_t since);
    /* Refuse what the network cannot take (it has no such head). NULL: takes all. */
    int (*check)(const struct settings *s, const struct net *net, int branch, struct error *e);

    /* The rate of an epoch: `rate` without the stabilizer, `restarted` what the schedule gives so
     * many epochs after its start as have passed since `from`. */
    double (*rate)(const struct settings *s, double strength, double rate, double restarted);
    void (*epoch_start)(const struct settings *s, const struct stabilizer_context *c);
    /* The batch stands in the network's inputs. */
    void (*batch)(const struct settings *s, const struct stabilizer_context *c);
    /* After net_forward and net_loss: may add losses of heads (net_head_loss). */
    void (*loss)(const struct settings *s, const struct stabilizer_context *c);
    /* After net_backward: adds to net_grads. May run passes of its own, on the same inputs. */
    void (*gradients)(const struct settings *s, const struct stabilizer_context *c);
    /* After the optimizer's step. */
    void (*parameters)(const struct settings *s, const struct stabilizer_context *c);
    void (*epoch_end)(const struct settings *s, const struct stabilizer_context *c);
};

/* type, from (0), until (end), strength (0..1, default 1), modality (unset: everything) */
extern const struct param stabilizer_common_params[];

const struct stabilizer *stabilizer_find(const char *name);
const struct stabilizer *const *stabilizer_list(size_t *n);

/* Does it act on this tensor: is the tensor's layer in the branch aimed at? Auxiliary heads are in
 * no branch: everything (-1) means everything but them. */
bool stabilizer_covers(const struct stabilizer_context *c, const struct net_tensor *t);

#endif
