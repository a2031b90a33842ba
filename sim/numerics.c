/* What bits depend on beside the config: see numerics.h. */
#include "sim/numerics.h"

#include <stdio.h>
#include <string.h>

#include <cblas.h>
#ifdef __GLIBC__
#include <gnu/libc-version.h>
#endif

#include "base/real.h"
#include "nets/kernels/isa.h"
#include "version.h"

void numerics_blas(char *text, size_t size) {
    snprintf(text, size, "%s; core %s", openblas_get_config(), openblas_get_corename());
}

void numerics_cpu(char *text, size_t size) {
    char line[512];
    snprintf(text, size, "unknown");
    FILE *f = fopen("/proc/cpuinfo", "r");
    while (f && fgets(line, sizeof line, f)) {
        const char *colon = strchr(line, ':');
        if (strncmp(line, "model name", 10) || !colon) continue;
        line[strcspn(line, "\n")] = '\0';
        snprintf(text, size, "%s", colon + 2);
        break;
    }
    if (f) fclose(f);
}

static const char *libc_version(void) {
#ifdef __GLIBC__
    return gnu_get_libc_version();
#else
    return "unknown libc";
#endif
}

void numerics_id(char id[HASH_TEXT]) {
    char blas[512];
    numerics_blas(blas, sizeof blas);
    struct hash *h = hash_create();
    hash_int(h, NUMERICS);
    hash_text(h, __VERSION__);
    hash_text(h, BUILD_FLAGS);
    hash_text(h, REAL_NAME);
    hash_text(h, isa_here());
    hash_text(h, libc_version());
    hash_text(h, blas);
    hash_digest(h, id);
    hash_free(h);
}
