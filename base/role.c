/* The names of a point's runs: see role.h. A column begins with '=', which no axis does. */
#include "base/role.h"

#include <string.h>

static const struct {
    const char *column, *prefix;
} roles[RUN_ROLES] = {
    [ROLE_POINT] = {NULL, ""},
    [ROLE_TWIN] = {NULL, "clean twin of "},
    [ROLE_UNSTABILIZED] = {"=unstabilized", "unstabilized control of "},
    [ROLE_LR_CLOCK] = {"=lr_clock", "lr_clock control of "},
    [ROLE_LR_CLOCK_TWIN] = {"=lr_clock_twin", "clean twin of lr_clock control of "},
    [ROLE_LR_CLOCK_UNSTABILIZED] = {"=lr_clock_unstabilized", "unstabilized lr_clock control of "},
    [ROLE_ON_CLEAN] = {"=on_clean", "stabilizer_on_clean control of "},
    [ROLE_CLEAN_TOTAL] = {"=clean_total", "clean twin of stabilizer_on_clean control of "},
};

const char *role_column(enum run_role role) {
    return roles[role].column;
}

enum run_role role_of_column(const char *column) {
    enum run_role role = ROLE_UNSTABILIZED;
    while (role < RUN_ROLES && strcmp(roles[role].column, column) != 0) role++;
    return role;
}

const char *role_prefix(enum run_role role) {
    return roles[role].prefix;
}
