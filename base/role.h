/* The runs of a sweep's point: its own, and those that it is compared with. The sweep plans and
 * trains them (sim/tree.h), sweep.tsv names them, the report reads them (analysis/results.h).
 *
 * A control changes one thing. Which of them a point has follows from its config and from
 * `sweep.controls`; one that changes nothing is the run that is there already, at no cost. */
#ifndef BASE_ROLE_H
#define BASE_ROLE_H

enum run_role {
    ROLE_POINT, /* the run that was asked for */
    ROLE_TWIN,  /* its clean twin: neither deficits nor stabilizers, as many clean epochs */

    ROLE_UNSTABILIZED, /* the same without stabilizers */

    ROLE_LR_CLOCK,              /* the rate starts again at removal; */
    ROLE_LR_CLOCK_TWIN,         /* its clean twin; */
    ROLE_LR_CLOCK_UNSTABILIZED, /* it without stabilizers */

    ROLE_ON_CLEAN, /* the same stabilizers in the same epochs of a clean run of the same total; */
    ROLE_CLEAN_TOTAL, /* such a clean run without them */
    RUN_ROLES
};

/* Its column in sweep.tsv, "=lr_clock"; NULL for the first two, which have fixed places. */
const char *role_column(enum run_role role);
/* The role of such a column; RUN_ROLES: none that is known. */
enum run_role role_of_column(const char *column);
/* What people call it, as in "lr_clock control" of a point; "" for ROLE_POINT. */
const char *role_name(enum run_role role);
/* Before the name of a variable of the collected file: "lr_clock_", "twin_"; "" for ROLE_POINT. */
const char *role_variable(enum run_role role);

#endif
