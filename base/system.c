/* Folders, temporary files, processes and time: see system.h. */
#include "base/system.h"

#include <dirent.h>
#include <errno.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/hash.h"

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

static int remove_one(const char *path, const struct stat *is, int kind, struct FTW *where) {
    (void)is;
    (void)kind;
    (void)where;
    return remove(path);
}

int system_remove_folder(const char *path, struct error *e) {
    enum { OPEN_FOLDERS = 8 };
    if (!nftw(path, remove_one, OPEN_FOLDERS, FTW_DEPTH | FTW_PHYS)) return STATUS_OK;
    return error_set(e, STATUS_FAILED, "%s: cannot remove it: %s", path, strerror(errno));
}

/* ---- processes ------------------------------------------------------------------------------- */

static void hash_file(struct hash *h, const char *path) {
    char text[128] = "";
    FILE *f = fopen(path, "r");
    size_t n = f ? fread(text, 1, sizeof text - 1, f) : 0;
    text[n] = '\0';
    if (f) fclose(f);
    hash_text(h, text);
}

void system_place(char place[SYSTEM_PLACE]) {
    char host[256] = "", space[128] = "", digest[HASH_TEXT];
    gethostname(host, sizeof host - 1);
    ssize_t n = readlink("/proc/self/ns/pid", space, sizeof space - 1);
    space[n > 0 ? n : 0] = '\0';
    struct hash *h = hash_create();
    hash_text(h, host);
    hash_text(h, space);
    hash_file(h, "/proc/sys/kernel/random/boot_id");
    hash_digest(h, digest);
    hash_free(h);
    snprintf(place, SYSTEM_PLACE, "%.16s", digest);
}

/* Behind the name in parentheses come the state and, as 20th word, the beginning. */
int64_t system_began(long pid) {
    char path[64], line[1024] = "", state;
    long long ticks;
    if (pid <= 0) return -1;
    snprintf(path, sizeof path, "/proc/%ld/stat", pid);
    FILE *f = fopen(path, "r");
    if (!f) return kill((pid_t)pid, 0) == 0 || errno == EPERM ? 0 : -1;
    const char *behind = fgets(line, sizeof line, f) ? strrchr(line, ')') : NULL;
    fclose(f);
    if (!behind) return -1; /* it ended while we looked */
    int n = sscanf(behind,
                   ") %c %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s "
                   "%lld",
                   &state, &ticks);
    if (n >= 1 && (state == 'Z' || state == 'X')) return -1;
    return n == 2 ? ticks : 0;
}

bool system_is_alive(long pid) {
    return system_began(pid) >= 0;
}

/* ---- temporary files: NAME.tmp.PLACE.PID ----------------------------------------------------- */

void system_temporary(char *text, size_t size, const char *path) {
    char place[SYSTEM_PLACE];
    system_place(place);
    snprintf(text, size, "%s.tmp.%s.%ld", path, place, (long)getpid());
}

static bool is_left_behind(const char *name, const char *place, const struct stat *is) {
    const char *mark = strstr(name, ".tmp.");
    char where[SYSTEM_PLACE];
    long pid;
    if (!mark || sscanf(mark, ".tmp.%16[0-9a-f].%ld", where, &pid) != 2) return false;
    if (!strcmp(where, place)) return !system_is_alive(pid);
    return difftime(time(NULL), is->st_mtime) > 24.0 * 3600.0;
}

void system_remove_temporaries(const char *folder) {
    char place[SYSTEM_PLACE];
    struct stat is;
    system_place(place);
    DIR *d = opendir(folder);
    for (struct dirent *f; d && (f = readdir(d));)
        if (!fstatat(dirfd(d), f->d_name, &is, 0) && is_left_behind(f->d_name, place, &is))
            unlinkat(dirfd(d), f->d_name, 0);
    if (d) closedir(d);
}

/* ---- time ------------------------------------------------------------------------------------ */

double system_seconds(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}
