/* The list of architectures: one line each in archs.def. */
#include "nets/arch.h"

#include <string.h>

#define ARCH(name) extern const struct arch arch_##name;
#include "nets/archs/archs.def"
#undef ARCH

static const struct arch *const ARCHS[] = {
#define ARCH(name) &arch_##name,
#include "nets/archs/archs.def"
#undef ARCH
};

const struct arch *const *arch_list(size_t *n) {
    *n = sizeof ARCHS / sizeof *ARCHS;
    return ARCHS;
}

const struct arch *arch_find(const char *name) {
    for (size_t i = 0; i < sizeof ARCHS / sizeof *ARCHS; i++)
        if (strcmp(ARCHS[i]->name, name) == 0) return ARCHS[i];
    return NULL;
}
