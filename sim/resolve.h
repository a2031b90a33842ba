/* Between the files of the config system: a tree of nodes -> one resolved config. */
#ifndef SIM_RESOLVE_H
#define SIM_RESOLVE_H

#include "sim/config.h"
#include "sim/yaml.h"

/* Check every key of `root` against the schema, fill in the defaults, and check what spans
 * several keys. `c` is filled on success and empty otherwise. `layer`, which may be NULL, receives
 * the layer of the node that was refused. */
int config_resolve(struct config *c, const struct node *root, int *layer, struct error *e);

/* The experiment's name: the key `experiment`, or the file's name without folder and .yaml. */
int config_name(const struct node *root, struct text *name, struct error *e);

#endif
