/* The list of measures: one line each in measures.def. */
#include "analysis/measures/measure.h"

#include <string.h>

#define MEASURE(name) extern const struct measure measure_##name;
#include "analysis/measures/measures.def"
#undef MEASURE

static const struct measure *const MEASURES[] = {
#define MEASURE(name) &measure_##name,
#include "analysis/measures/measures.def"
#undef MEASURE
};

const struct measure *const *measure_list(size_t *n) {
    *n = sizeof MEASURES / sizeof *MEASURES;
    return MEASURES;
}

const struct measure *measure_find(const char *name) {
    for (size_t i = 0; i < sizeof MEASURES / sizeof *MEASURES; i++)
        if (strcmp(MEASURES[i]->name, name) == 0) return MEASURES[i];
    return NULL;
}
