/* Matched controls: from the config of a point to those of the runs that it is compared with
 * (base/role.h). One place for the sweep's planner and for whoever needs a run's config again. */
#ifndef SIM_CONTROL_H
#define SIM_CONTROL_H

#include <stdbool.h>

#include "base/error.h"
#include "base/role.h"
#include "sim/config.h"
#include "sim/timeline.h"

/* Does a point with this config and timeline have a run of this role? `wanted[role]`: sweep.controls
 * asks for the runs that begin with it. */
bool control_applies(enum run_role role, const struct config *c, const struct timeline *t,
                     const bool wanted[RUN_ROLES]);
/* Make a point's config that of its run of this role. */
int control_config(enum run_role role, struct config *c, struct error *e);
/* The role of its clean twin: the run that a log names in `twin_run_id`. */
enum run_role control_twin(enum run_role role);

#endif
