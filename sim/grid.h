/* The grids of an experiment: parts, each a grid over axes. Between the files of the config
 * system; everybody else asks the experiment (config.h). */
#ifndef SIM_GRID_H
#define SIM_GRID_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "base/role.h"
#include "sim/yaml.h"

enum { GRID_POINTS = 1000000, AXIS_NAME = 63 };

/* Values of one key, or named overlays. Everything lives in the experiment's arena. */
struct axis {
    const char *name;
    const char *key; /* "deficits[0].until"; NULL: an axis of overlays */
    const struct node *at;
    size_t n;
    const struct node **values;
    const char **labels;
    size_t group; /* axes of one group move together */
};

struct part {
    const char *name;
    const struct node *at;
    const struct node *set; /* laid over the body first; NULL: nothing */
    size_t axes_n, groups_n;
    struct axis *axes;
    size_t *group_n;        /* [groups_n] values in each group */
    const struct node *zip; /* NULL: none */
    size_t first, points;   /* the part's points are first .. first + points - 1 */
};

struct grid {
    struct arena *arena;
    size_t parts_n;
    struct part *parts;
    bool controls[RUN_ROLES]; /* those that `sweep.controls` names, by the role that they begin */
};

/* Read the tree under `sweep` (NULL: no sweep, one part with one point). */
int grid_read(struct grid *s, struct arena *a, const struct node *sweep, struct error *e);

/* Does an override of `key` speak of an axis, by its name or its key? */
bool grid_has(const struct grid *s, const char *key);
/* Give the axes that `key` speaks of other values (overlays: choose among them); when no part has
 * such an axis, every part gets one. `list` holds the values. */
int grid_override(struct grid *s, const char *key, const struct node *list, struct error *e);

/* Zips, equal lengths and the number of points; after the overrides. */
int grid_finish(struct grid *s, struct error *e);
size_t grid_points(const struct grid *s);
const struct part *grid_part(const struct grid *s, size_t point);
/* Which of its values an axis has at a point of its part. */
size_t axis_index(const struct part *p, const struct axis *axis, size_t point);
bool axis_is_seed(const struct axis *axis);

#endif
