/* The names of a point's runs: see role.h. A column begins with '=', which no axis does. */
#include "base/role.h"

#include <string.h>

static const struct {
    const char *column, *variable, *name;
} roles[RUN_ROLES] = {
    [ROLE_POINT] = {NULL, "", ""},
    [ROLE_TWIN] = {NULL, "twin_", "clean twin"},
    [ROLE_UNSTABILIZED] = {"=unstabilized", "unstabilized_", "unstabilized control"},
    [ROLE_LR_CLOCK] = {"=lr_clock", "lr_clock_", "lr_clock control"},
    [ROLE_LR_CLOCK_TWIN] = {"=lr_clock_twin", "lr_clock_twin_", "clean twin of lr_clock control"},
    [ROLE_LR_CLOCK_UNSTABILIZED] = {"=lr_clock_unstabilized", "lr_clock_unstabilized_",
                                    "unstabilized lr_clock control"},
    [ROLE_ON_CLEAN] = {"=on_clean", "on_clean_", "stabilizer_on_clean control"},
    [ROLE_CLEAN_TOTAL] = {"=clean_total", "clean_total_",
                          "clean twin of stabilizer_on_clean control"},
};

const char *role_column(enum run_role role) {
    return roles[role].column;
}

enum run_role role_of_column(const char *column) {
    enum run_role role = ROLE_UNSTABILIZED;
    while (role < RUN_ROLES && strcmp(roles[role].column, column) != 0) role++;
    return role;
}

const char *role_name(enum run_role role) {
    return roles[role].name;
}

const char *role_variable(enum run_role role) {
    return roles[role].variable;
}
