/* The registry of deficits and the keys they share. */
#include "deficits/deficit.h"

#include <string.h>

#define DEFICIT(name) extern const struct deficit deficit_##name;
#include "deficits/deficits.def"
#undef DEFICIT

static const struct deficit *const deficits[] = {
#define DEFICIT(name) &deficit_##name,
#include "deficits/deficits.def"
#undef DEFICIT
};

const struct deficit *const *deficit_list(size_t *n) {
    *n = sizeof deficits / sizeof *deficits;
    return deficits;
}

const struct deficit *deficit_find(const char *name) {
    for (size_t i = 0; i < sizeof deficits / sizeof *deficits; i++)
        if (strcmp(deficits[i]->name, name) == 0) return deficits[i];
    return NULL;
}

const struct param deficit_common_params[] = {
    {.name = "type", .type = PARAM_TEXT, .preset = NULL, .doc = "The deficit."},
    {.name = "from",
     .type = PARAM_EPOCH,
     .preset = "0",
     .unit = "epochs",
     .doc = "First epoch of the window [from, until)."},
    {.name = "until",
     .type = PARAM_EPOCH,
     .preset = NULL,
     .unit = "epochs",
     .doc = "The window's end; until = from is no deficit at all."},
    {.name = "severity",
     .type = PARAM_REAL,
     .preset = "1",
     .min = 0,
     .max = 1,
     .unit = "1",
     .doc =
         "How far from clean (0) to spoiled (1): blends pixels and features; for flips, tokens and "
         "labels the fraction of examples."},
    {.name = "ramp",
     .type = PARAM_INT,
     .preset = "0",
     .min = 0,
     .max = 1000000,
     .unit = "epochs",
     .doc = "Severity rises linearly over the first and falls over the last so many epochs of the "
            "window."},
    {.name = "modality",
     .type = PARAM_TEXT,
     .preset = "~",
     .doc =
         "The modality it spoils; unset: the only one of a kind that the deficit takes; deficits "
         "of labels ignore it."},
    {0},
};
