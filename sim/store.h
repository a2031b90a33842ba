/* The store: what all experiments under one results folder share, named by content.
 *
 *   states/<numerics id>/<prefix key>.h5             network and optimizer after e epochs
 *   rows/<numerics id>/<prefix key>-<measures>.h5    the rows of the segment that ends there
 *   parts/<numerics id>/                             both, of runs in progress, as
 *                                                    <prefix key>-<measures>.state.h5 and .rows.h5:
 *                                                    each replaces those of an earlier epoch
 *   claims/<numerics id>/<run id>                    who trains a run now (sim/claim.h)
 *
 * A file in states or rows is never changed or replaced by another content; a damaged one is
 * retrained. */
#ifndef SIM_STORE_H
#define SIM_STORE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "sim/timeline.h"

enum { STORE_FOLDER = 2560, STORE_PATH = 3072 };

struct store {
    char states[STORE_FOLDER], rows[STORE_FOLDER], parts[STORE_FOLDER], claims[STORE_FOLDER];
};

/* The store of this program's numerics id under a results folder; makes nothing. */
void store_at(struct store *s, const char *root);
/* Its folders, made where missing, and rid of what killed processes left half-written. */
int store_make(const struct store *s, struct error *e);

/* Where the state after `epoch` lies with the rows that end there; looks at names only. */
enum stored { STORED_NOT, STORED_KEPT /* in states and rows */, STORED_PART /* both in parts */ };
enum stored store_find(const struct store *s, const struct timeline *t, int64_t epoch);
void store_state_path(char path[STORE_PATH], const struct store *s, const struct timeline *t,
                      int64_t epoch, enum stored where);
void store_rows_path(char path[STORE_PATH], const struct store *s, const struct timeline *t,
                     int64_t epoch, enum stored where);
/* Unlink the parts of a timeline's epochs first..last. */
void store_remove_parts(const struct store *s, const struct timeline *t, int64_t first,
                        int64_t last);
void store_claim_path(char path[STORE_PATH], const struct store *s, const struct timeline *t);

/* What is on disk, read once: for planning thousands of runs. */
struct shelf;
struct shelf *shelf_read(const struct store *s);
void shelf_free(struct shelf *s);
bool shelf_has(const struct shelf *s, const struct timeline *t,
               int64_t epoch); /* kept, with rows */
/* The deepest epoch at which a state and all rows before it are on disk by their names; -1: none. */
int64_t shelf_deepest(const struct shelf *s, const struct timeline *t);
/* The deepest epoch with a state, whatever its rows: what other measures left; -1: none. */
int64_t shelf_deepest_state(const struct shelf *s, const struct timeline *t);

#endif
