/* Cores that may be used: see cores.h.
 *
 * A control group limits processor time to `quota` microseconds in every `period`: cpu.max of
 * version 2 holds "quota period", "max" for none; version 1 has cpu.cfs_quota_us, -1 for none, and
 * cpu.cfs_period_us (Linux Documentation/admin-guide/cgroup-v2.rst, scheduler/sched-bwc.rst). The
 * limits of all groups above hold too, so the tightest counts. 1.5 cores count as 2: two processes
 * get the time that one cannot use.
 *
 * The trap: in a container the path of /proc/self/cgroup may be the host's, of which only a part
 * is mounted; mountinfo says which. Where the two do not fit, the mounted top is looked at. */
#include "base/cores.h"

#include <limits.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PATH = 4096, LINE = 3 * PATH, FOLDER = 3 * PATH };

static int least(int a, int b) {
    return a < b ? a : b;
}

/* "cpu" in "rw,cpu,cpuacct" */
static bool list_has(const char *list, const char *word) {
    size_t n = strlen(word);
    for (const char *at = list; (at = strstr(at, word)); at += n)
        if ((at == list || at[-1] == ',') && (at[n] == ',' || at[n] == '\0')) return true;
    return false;
}

/* ---- one group ------------------------------------------------------------------------------- */

static bool read_line(const char *folder, const char *name, char *text, int size) {
    char path[FOLDER + 64];
    snprintf(path, sizeof path, "%.*s/%s", FOLDER - 1, folder, name);
    FILE *f = fopen(path, "r");
    if (!f) return false;
    bool good = fgets(text, size, f) != NULL;
    fclose(f);
    return good;
}

static int cores_of(double quota, double period) {
    if (!(quota > 0 && period > 0) || quota / period >= INT_MAX) return INT_MAX;
    int whole = (int)(quota / period);
    return whole + (whole * period < quota);
}

static int group_limit(const char *folder, bool is_v2) {
    char text[128], more[128];
    double quota, period;
    if (is_v2)
        return read_line(folder, "cpu.max", text, sizeof text) &&
                       sscanf(text, "%lf %lf", &quota, &period) == 2
                   ? cores_of(quota, period)
                   : INT_MAX;
    return read_line(folder, "cpu.cfs_quota_us", text, sizeof text) &&
                   read_line(folder, "cpu.cfs_period_us", more, sizeof more)
               ? cores_of(atof(text), atof(more))
               : INT_MAX;
}

/* Of the group and all above it, as far as the folder's first `top` characters. */
static int tightest_limit(char *folder, size_t top, bool is_v2) {
    int limit = INT_MAX;
    for (;;) {
        limit = least(limit, group_limit(folder, is_v2));
        char *slash = strrchr(folder, '/');
        if (!slash || (size_t)(slash - folder) < top) return limit;
        *slash = '\0';
    }
}

/* ---- where the groups are -------------------------------------------------------------------- */

/* This process's path in a hierarchy; lines are "4:cpu,cpuacct:/a/b", "0::/a/b" in version 2. */
static bool find_path(const char *root, bool is_v2, char path[PATH]) {
    char file[2 * PATH], line[LINE];
    bool found = false;
    snprintf(file, sizeof file, "%s/proc/self/cgroup", root);
    FILE *f = fopen(file, "r");
    while (f && !found && fgets(line, sizeof line, f)) {
        char *rest = line;
        const char *number = strsep(&rest, ":"), *list = strsep(&rest, ":");
        if (!rest) continue;
        found = is_v2 ? !strcmp(number, "0") && !*list : list_has(list, "cpu");
        rest[strcspn(rest, "\n")] = '\0';
        if (found) snprintf(path, PATH, "%.*s", PATH - 1, rest);
    }
    if (f) fclose(f);
    return found;
}

/* The part of the path below what is mounted. */
static const char *below(const char *path, const char *mounted) {
    size_t n = strcmp(mounted, "/") ? strlen(mounted) : 0;
    bool inside = !strncmp(path, mounted, n) && (path[n] == '/' || path[n] == '\0');
    return inside && !strstr(path, "/..") && strcmp(path + n, "/") ? path + n : "";
}

/* A line of mountinfo: "36 35 98:0 /mounted /point options ... - type source options". */
static int mount_limit(const char *root, const char *line) {
    char mounted[PATH], point[PATH], type[64], options[PATH], path[PATH], folder[FOLDER];
    const char *rest = strstr(line, " - ");
    if (!rest || sscanf(line, "%*s %*s %*s %4095s %4095s", mounted, point) != 2 ||
        sscanf(rest, " - %63s %*s %4095s", type, options) != 2)
        return INT_MAX;
    bool is_v2 = !strcmp(type, "cgroup2"), is_v1 = !strcmp(type, "cgroup");
    if (!is_v2 && !(is_v1 && list_has(options, "cpu"))) return INT_MAX;
    if (!find_path(root, is_v2, path)) return INT_MAX;
    size_t top = strlen(root) + strlen(point);
    int n = snprintf(folder, sizeof folder, "%s%s%s", root, point, below(path, mounted));
    if (n < 0 || n >= FOLDER) return INT_MAX;
    return tightest_limit(folder, top, is_v2);
}

int cores_of_cgroups(const char *root) {
    char file[2 * PATH], line[LINE];
    int limit = INT_MAX;
    snprintf(file, sizeof file, "%s/proc/self/mountinfo", root);
    FILE *f = fopen(file, "r");
    while (f && fgets(line, sizeof line, f)) limit = least(limit, mount_limit(root, line));
    if (f) fclose(f);
    return limit;
}

/* ---- all limits ------------------------------------------------------------------------------ */

/* Slurm sets the first only where the job asked for it; the second are all of the job's here. */
int cores_of_slurm(void) {
    static const char *const names[] = {"SLURM_CPUS_PER_TASK", "SLURM_CPUS_ON_NODE"};
    if (!getenv("SLURM_JOB_ID")) return INT_MAX;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const char *value = getenv(names[i]);
        long n = value ? strtol(value, NULL, 10) : 0;
        if (n > 0 && n < INT_MAX) return (int)n;
    }
    return INT_MAX;
}

/* More than 1024 processors do not fit into the set: then they are all counted. */
static int cores_of_affinity(void) {
#ifdef __linux__
    cpu_set_t set;
    if (!sched_getaffinity(0, sizeof set, &set)) return CPU_COUNT(&set);
#endif
    long n = sysconf(_SC_NPROCESSORS_ONLN);
    return n > 0 ? (int)n : 1;
}

int cores_usable(void) {
    int n = least(cores_of_affinity(), least(cores_of_cgroups(""), cores_of_slurm()));
    return n > 1 ? n : 1;
}
