/* Folders, time and cores: see system.h. */
#include "base/system.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

int system_make_folder(const char *path, struct error *e) {
    char part[4096];
    struct stat is;
    for (size_t i = 1; path[0] && path[i - 1]; i++) {
        if (path[i] != '/' && path[i] != '\0') continue;
        snprintf(part, sizeof part, "%.*s", (int)i, path);
        if (mkdir(part, 0777) && errno != EEXIST)
            return error_set(e, STATUS_FAILED, "%s: cannot make the folder: %s", part,
                             strerror(errno));
    }
    if (stat(path, &is) || !S_ISDIR(is.st_mode))
        return error_set(e, STATUS_FAILED, "%s: not a folder", path);
    return STATUS_OK;
}

double system_seconds(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

int system_cores(void) {
#ifdef __linux__
    cpu_set_t set;
    if (!sched_getaffinity(0, sizeof set, &set)) return CPU_COUNT(&set);
#endif
    long n = sysconf(_SC_NPROCESSORS_ONLN);
    return n > 0 ? (int)n : 1;
}
