/* What each control changes: see control.h.
 *
 *   unstabilized   the windows of the stabilizers emptied
 *   lr_clock       train.lr.clock: removal; under a constant schedule the same rates, so the same run
 *   on_clean       windows and budget written out in numbers, then the deficits emptied: the remedy
 *                  acts in the same epochs of a clean run that is as long
 *
 * The trap is the order. Windows that stand at onset or removal, and a budget that counts from
 * removal, would move once the deficits are gone, and the control would be another remedy. */
#include "sim/control.h"

#include <stddef.h>

#include "sim/timeline.h"

enum need { NEEDS_DEFICIT = 1, NEEDS_STABILIZER = 2 };
enum change { RESTARTS_RATE = 1, CURES = 2, UNSTABILIZES = 4, CLEANS = 8 };

static const struct {
    enum run_role asked_as; /* in sweep.controls; ROLE_POINT: it is there unasked */
    unsigned needs;
    unsigned changes; /* made in the order of their numbers */
    enum run_role twin;
} controls[RUN_ROLES] = {
    [ROLE_POINT] = {ROLE_POINT, 0, 0, ROLE_TWIN},
    [ROLE_TWIN] = {ROLE_POINT, 0, CLEANS, ROLE_TWIN},
    [ROLE_UNSTABILIZED] = {ROLE_POINT, NEEDS_STABILIZER, UNSTABILIZES, ROLE_TWIN},
    [ROLE_LR_CLOCK] = {ROLE_LR_CLOCK, NEEDS_DEFICIT, RESTARTS_RATE, ROLE_LR_CLOCK_TWIN},
    [ROLE_LR_CLOCK_TWIN] = {ROLE_LR_CLOCK, NEEDS_DEFICIT, RESTARTS_RATE | CLEANS,
                            ROLE_LR_CLOCK_TWIN},
    [ROLE_LR_CLOCK_UNSTABILIZED] = {ROLE_LR_CLOCK, NEEDS_DEFICIT | NEEDS_STABILIZER,
                                    RESTARTS_RATE | UNSTABILIZES, ROLE_LR_CLOCK_TWIN},
    [ROLE_ON_CLEAN] = {ROLE_ON_CLEAN, NEEDS_DEFICIT | NEEDS_STABILIZER, CURES, ROLE_CLEAN_TOTAL},
    [ROLE_CLEAN_TOTAL] = {ROLE_ON_CLEAN, NEEDS_DEFICIT | NEEDS_STABILIZER, CURES | UNSTABILIZES,
                          ROLE_CLEAN_TOTAL},
};

enum run_role control_twin(enum run_role role) {
    return controls[role].twin;
}

static bool is_stabilized(const struct config *c, const struct timeline *t) {
    for (size_t i = 0; i < c->stabilizers_n; i++)
        for (int64_t epoch = t->stabilizers[i].from; epoch < t->stabilizers[i].until; epoch++)
            if (timeline_strength(t, c, i, epoch) > 0.0) return true;
    return false;
}

/* What the point has of that which controls need. */
static int facts(unsigned *has, const struct config *c, struct error *e) {
    struct timeline t;
    int status = timeline_resolve(&t, c, e);
    if (status) return status;
    *has = (t.removal > 0 ? NEEDS_DEFICIT : 0u) | (is_stabilized(c, &t) ? NEEDS_STABILIZER : 0u);
    timeline_free(&t);
    return STATUS_OK;
}

int control_roles(bool applies[RUN_ROLES], const struct config *c, const bool wanted[RUN_ROLES],
                  struct error *e) {
    unsigned has = 0;
    bool any = c->stabilizers_n > 0; /* a sweep without either is not resolved twice */
    for (enum run_role role = ROLE_UNSTABILIZED; role < RUN_ROLES; role++)
        any = any || wanted[role];
    int status = any ? facts(&has, c, e) : STATUS_OK;
    for (enum run_role role = ROLE_POINT; role < RUN_ROLES; role++) {
        enum run_role asked_as = controls[role].asked_as;
        applies[role] =
            (asked_as == ROLE_POINT || wanted[asked_as]) && (controls[role].needs & ~has) == 0;
    }
    return status;
}

static int cure(struct config *c, struct error *e) {
    struct timeline t;
    int status = timeline_resolve(&t, c, e);
    if (status) return status;
    config_freeze(c, &t);
    config_cure(c);
    timeline_free(&t);
    return STATUS_OK;
}

int control_config(enum run_role role, struct config *c, struct error *e) {
    unsigned changes = controls[role].changes;
    int status = STATUS_OK;
    if (changes & RESTARTS_RATE) status = settings_set(&c->lr, "clock", "removal", e);
    if (!status && (changes & CURES)) status = cure(c, e);
    if (!status && (changes & UNSTABILIZES)) config_unstabilize(c);
    if (!status && (changes & CLEANS)) config_clean(c);
    return status;
}
