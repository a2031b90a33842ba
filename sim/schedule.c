/* Learning-rate schedules: rate(t) = base * warm(t) * factor(t), t in whole epochs of the clock.
 *
 *   exponential  gamma^t                                     (torch ExponentialLR)
 *   step         gamma^(number of milestones <= t)           (torch MultiStepLR)
 *   cosine       floor + (1 - floor) (1 + cos(pi t/span))/2  (Loshchilov & Hutter 2017)
 *   cyclic       triangle from floor up to 1 and back        (Smith 2017, torch CyclicLR)
 *   warm(t)      min(1, (t + 1)/warmup)
 *
 * The trap is the clock, not the formula: a rate that decays through a long deficit leaves the
 * clean phase a small one, which by itself looks like a critical period. See lr.clock. */
#include "sim/schedule.h"

#include <math.h>
#include <string.h>

static double constant_factor(const struct settings *lr, int64_t t, int64_t span) {
    (void)lr;
    (void)t;
    (void)span;
    return 1.0;
}

static double exponential_factor(const struct settings *lr, int64_t t, int64_t span) {
    (void)span;
    return pow(settings_real(lr, "gamma"), (double)t);
}

static double step_factor(const struct settings *lr, int64_t t, int64_t span) {
    (void)span;
    size_t n, passed = 0;
    const int64_t *milestones = settings_ints(lr, "milestones", &n);
    for (size_t i = 0; i < n; i++) passed += milestones[i] <= t;
    return pow(settings_real(lr, "gamma"), (double)passed);
}

static double cosine_factor(const struct settings *lr, int64_t t, int64_t span) {
    double floor = settings_real(lr, "floor");
    double done = span > 0 && t < span ? (double)t / (double)span : 1.0;
    return floor + (1.0 - floor) * 0.5 * (1.0 + cos(M_PI * done));
}

static double cyclic_factor(const struct settings *lr, int64_t t, int64_t span) {
    (void)span;
    int64_t period = settings_int(lr, "period");
    double floor = settings_real(lr, "floor");
    double phase = (double)(t % period) / (double)period;
    return floor + (1.0 - floor) * (1.0 - fabs(2.0 * phase - 1.0));
}

static const struct param no_params[] = {{.name = NULL}};

static const struct param exponential_params[] = {
    {.name = "gamma",
     .type = PARAM_REAL,
     .preset = "0.97",
     .min = 0.0,
     .max = 2.0,
     .unit = "1",
     .doc = "The rate is multiplied by this after every epoch."},
    {.name = NULL}};

static const struct param step_params[] = {
    {.name = "milestones",
     .type = PARAM_INTS,
     .preset = "[]",
     .min = 0,
     .max = 1e9,
     .unit = "epochs",
     .doc = "Epochs of the clock from which the rate is multiplied by gamma."},
    {.name = "gamma",
     .type = PARAM_REAL,
     .preset = "0.1",
     .min = 0.0,
     .max = 2.0,
     .unit = "1",
     .doc = "The factor at every milestone."},
    {.name = NULL}};

static const struct param cosine_params[] = {{.name = "floor",
                                              .type = PARAM_REAL,
                                              .preset = "0",
                                              .min = 0.0,
                                              .max = 1.0,
                                              .unit = "1",
                                              .doc = "The last rate as a fraction of lr.base."},
                                             {.name = NULL}};

static const struct param cyclic_params[] = {
    {.name = "period",
     .type = PARAM_INT,
     .preset = "10",
     .min = 1,
     .max = 1e9,
     .unit = "epochs",
     .doc = "Length of one cycle, from the floor up to lr.base and back."},
    {.name = "floor",
     .type = PARAM_REAL,
     .preset = "0.1",
     .min = 0.0,
     .max = 1.0,
     .unit = "1",
     .doc = "The lowest rate as a fraction of lr.base."},
    {.name = NULL}};

static const struct schedule constant_schedule = {"constant", "The rate never changes (\"fixed\").",
                                                  no_params, constant_factor};
static const struct schedule exponential_schedule = {
    "exponential", "The rate shrinks by a factor gamma after every epoch.", exponential_params,
    exponential_factor};
static const struct schedule step_schedule = {
    "step", "The rate drops by a factor gamma at each milestone.", step_params, step_factor};
static const struct schedule cosine_schedule = {
    "cosine", "Half a cosine from lr.base down to the floor over the clock's length.",
    cosine_params, cosine_factor};
static const struct schedule cyclic_schedule = {
    "cyclic", "Triangular cycles between the floor and lr.base.", cyclic_params, cyclic_factor};

static const struct schedule *const schedules[] = {
    &constant_schedule, &exponential_schedule, &step_schedule, &cosine_schedule, &cyclic_schedule};

const struct schedule *const *schedule_list(size_t *n) {
    *n = sizeof schedules / sizeof *schedules;
    return schedules;
}

const struct schedule *schedule_find(const char *name) {
    for (size_t i = 0; i < sizeof schedules / sizeof *schedules; i++)
        if (!strcmp(schedules[i]->name, name)) return schedules[i];
    return NULL;
}
