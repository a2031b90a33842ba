/* States: everything that the next epoch depends on, as one content-addressed HDF5 file:
 * /params/<name> and /buffers/<name> in PyTorch's layout and names, /optimizer/<slot>/<name>, and
 * attributes prefix_key, epoch, optimizer_steps, arch, K. Random streams have no state to save. */
#ifndef SIM_STATE_H
#define SIM_STATE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "nets/net.h"
#include "nets/optimizer.h"

struct state {
    struct net *net; /* parameters and buffers */
    const struct optimizer *optimizer;
    real *slots[OPTIMIZER_SLOTS]; /* each as the parameters; owned by the run */
    int64_t steps;                /* optimizer steps since the slots were last zeroed */
    int64_t epoch;
};

/* Under `path` (sim/store.h) and this key. A kept state is durable, and one that is there already
 * must be the same: STATUS_DIFFERS otherwise. Any other (a part) is replaced and not synced. */
int state_save(const struct state *s, const char *path, const char *key, bool kept,
               struct error *e);
/* Checks digest, key, names and shapes; on failure the state is left half-read: initialize anew. */
int state_load(struct state *s, const char *path, const char *key, struct error *e);

#endif
