/* Learning-rate schedules: the rate as a pure function of the epoch on the schedule's own clock.
 * A rate is constant within an epoch. Every schedule has a linear warm-up (lr.warmup). */
#ifndef SIM_SCHEDULE_H
#define SIM_SCHEDULE_H

#include <stddef.h>
#include <stdint.h>

#include "base/settings.h"

struct schedule {
    const char *name;
    const char *doc;
    const struct param *params;
    /* factor on lr.base at epoch t of `span` epochs (the clock's length), t >= 0 */
    double (*factor)(const struct settings *lr, int64_t t, int64_t span);
};

const struct schedule *schedule_find(const char *name);
const struct schedule *const *schedule_list(size_t *n);

#endif
