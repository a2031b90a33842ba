/* Which modality a deficit spoils. The config's `modality` may be left out where the data have only
 * one of a kind that the deficit takes; what was left out and what was named are the same then, and
 * have the same keys. */
#ifndef SIM_TARGET_H
#define SIM_TARGET_H

#include <stddef.h>

#include "base/error.h"
#include "sim/config.h"

enum { TARGET_NONE = -1 };

/* Index of the modality, TARGET_NONE for a deficit that leaves inputs alone. STATUS_USAGE: there is
 * none of that name or kind, or several to choose from. */
int target_find(const struct deficit *type, const struct settings *s, const struct dataset *d,
                int *m, struct error *e);

/* That of the config's deficit i; TARGET_NONE also where check_data would refuse it. */
int deficit_modality(const struct config *c, const struct dataset *d, size_t i);

/* Its name, as keys hash it. Labels have none: "image", whatever the config says. */
const char *deficit_modality_name(const struct config *c, const struct dataset *d, size_t i);

#endif
