/* Matched controls: from the config of a point to those of the runs that it is compared with
 * (base/role.h). One place for the sweep's planner and for whoever needs a run's config again. */
#ifndef SIM_CONTROL_H
#define SIM_CONTROL_H

#include <stdbool.h>

#include "base/error.h"
#include "base/role.h"
#include "sim/config.h"

/* Of which roles has the point with this config a run? `wanted[role]`: sweep.controls asks for the
 * runs that begin with it. */
int control_roles(bool applies[RUN_ROLES], const struct config *c, const bool wanted[RUN_ROLES],
                  struct error *e);
/* Make a point's config that of its run of this role. */
int control_config(enum run_role role, struct config *c, struct error *e);
/* The role of its clean twin: the run that a log names in `twin_run_id`. */
enum run_role control_twin(enum run_role role);

#endif
