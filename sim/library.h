/* The data sets of an experiment, each loaded once, for the planner and the workers forked later. */
#ifndef SIM_LIBRARY_H
#define SIM_LIBRARY_H

#include <stddef.h>

#include "base/error.h"
#include "sim/config.h"

struct library;
struct library *library_create(void);
void library_free(struct library *l);

/* The data set of a config: loaded unless it is there. */
int library_add(struct library *l, const struct config *c, size_t *which, struct error *e);
/* Shapes, sizes and digests of a data set; its examples only if they were kept. */
const struct dataset *library_about(const struct library *l, size_t which);

/* The whole data set, loaded anew if it was not kept; then library_release frees it. */
int library_get(const struct library *l, size_t which, const struct config *c, struct dataset **d,
                struct error *e);
void library_release(const struct library *l, size_t which, struct dataset *d);

#endif
