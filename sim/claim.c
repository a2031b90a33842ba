/* Claim files and their heartbeat: see claim.h.
 *
 * The age of a foreign claim is the file system's time now minus its last touch, both as the file
 * system tells them, so that clocks of different machines do not matter. The traps: the heartbeat
 * must not depend on the training loop, whose batches and measures may take minutes. A claim that is
 * made and then written would, after a kill in between, be nobody's for a minute; so it is written
 * under a temporary name and linked. And between finding a claim stale and removing it another may
 * have taken its place. */
#include "sim/claim.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/system.h"

enum { BEAT_SECONDS = 5, STALE_SECONDS = 60, PATH_TEXT = 4096 };

struct claim {
    char *path;
    int fd;
    pthread_t beat;
    pthread_mutex_t mutex;
    pthread_cond_t over;
    bool released;
};

/* ---- reading another's ----------------------------------------------------------------------- */

/* What the file system's clock says: the time of a file made now beside the claim. */
static time_t time_there(const char *path) {
    char probe[PATH_TEXT];
    struct stat is;
    time_t now = time(NULL);
    system_temporary(probe, sizeof probe, path);
    int fd = open(probe, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (fd < 0) return now;
    if (!fstat(fd, &is)) now = is.st_mtime;
    close(fd);
    unlink(probe);
    return now;
}

/* The same process, not a later one of the same number. */
static bool is_running(long pid, int64_t began) {
    int64_t now = system_began(pid);
    return now == 0 || (now > 0 && (began == 0 || began == now));
}

/* *is: the file that this was said of; all zero when it could not be read. */
static bool is_held(const char *path, char holder[CLAIM_HOLDER], struct stat *is) {
    char place[SYSTEM_PLACE], here[SYSTEM_PLACE], host[256];
    long pid;
    int64_t began;
    snprintf(holder, CLAIM_HOLDER, "somebody");
    *is = (struct stat){0};
    FILE *f = fopen(path, "r");
    if (!f) return false;
    bool whole = fscanf(f, "%16[0-9a-f] %ld %" SCNd64 " %255s", place, &pid, &began, host) == 4;
    bool known = !fstat(fileno(f), is);
    fclose(f);
    if (!known) return false;
    if (whole) snprintf(holder, CLAIM_HOLDER, "process %ld on %s", pid, host);
    system_place(here);
    if (whole && !strcmp(place, here)) return is_running(pid, began);
    return difftime(time_there(path), is->st_mtime) < STALE_SECONDS;
}

bool claim_is_held(const char *path, char holder[CLAIM_HOLDER]) {
    struct stat is;
    return is_held(path, holder, &is);
}

/* Remove the claim that was found stale; one that came in its place meanwhile is put back. (Inode
 * numbers are given again at once, hence the time.) */
static void remove_stale(const char *path, const struct stat *stale) {
    char aside[PATH_TEXT];
    struct stat is;
    system_temporary(aside, sizeof aside, path);
    if (!stale->st_ino || rename(path, aside)) return;
    bool same = !stat(aside, &is) && is.st_ino == stale->st_ino && is.st_dev == stale->st_dev &&
                is.st_mtim.tv_sec == stale->st_mtim.tv_sec &&
                is.st_mtim.tv_nsec == stale->st_mtim.tv_nsec;
    if (!same && link(aside, path)) { /* a third one is there already */
    }
    unlink(aside);
}

void claim_tidy(const char *folder) {
    char path[PATH_TEXT], holder[CLAIM_HOLDER];
    struct stat is;
    DIR *d = opendir(folder);
    for (struct dirent *f; d && (f = readdir(d));) {
        if (f->d_name[0] == '.' || strstr(f->d_name, ".tmp.")) continue;
        snprintf(path, sizeof path, "%.3800s/%s", folder, f->d_name);
        if (!is_held(path, holder, &is)) remove_stale(path, &is);
    }
    if (d) closedir(d);
}

/* ---- our own --------------------------------------------------------------------------------- */

static void *beat(void *context) {
    struct claim *c = context;
    struct timespec next;
    pthread_mutex_lock(&c->mutex);
    while (!c->released) {
        clock_gettime(CLOCK_REALTIME, &next);
        next.tv_sec += BEAT_SECONDS;
        if (pthread_cond_timedwait(&c->over, &c->mutex, &next) == ETIMEDOUT) futimens(c->fd, NULL);
    }
    pthread_mutex_unlock(&c->mutex);
    return NULL;
}

/* Returns 0 or an errno. */
static int write_holder(int fd) {
    char place[SYSTEM_PLACE], host[256] = "unknown", text[400];
    long pid = (long)getpid();
    gethostname(host, sizeof host - 1);
    system_place(place);
    int n =
        snprintf(text, sizeof text, "%s %ld %" PRId64 " %s\n", place, pid, system_began(pid), host);
    ssize_t done = write(fd, text, (size_t)n);
    return done == n ? 0 : done < 0 ? errno : ENOSPC;
}

/* Some file systems know no links: there the file is made first and written then. */
static int make_unlinked(const char *path, int *fd) {
    *fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (*fd < 0) return errno;
    int problem = write_holder(*fd);
    if (!problem) return 0;
    unlink(path);
    close(*fd);
    return problem;
}

/* A claim of ours under its name, open; 0 or an errno, EEXIST when there is one. (A link over a
 * network may be made and yet reported as failed.) */
static int make_claim(const char *path, int *fd) {
    char tmp[PATH_TEXT];
    struct stat is;
    system_temporary(tmp, sizeof tmp, path);
    *fd = open(tmp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (*fd < 0) return errno;
    int problem = write_holder(*fd);
    if (!problem && link(tmp, path)) problem = errno;
    if (problem && !fstat(*fd, &is) && is.st_nlink == 2) problem = 0;
    unlink(tmp);
    if (!problem) return 0;
    close(*fd);
    bool none = problem == EPERM || problem == EOPNOTSUPP || problem == ENOSYS;
    return none ? make_unlinked(path, fd) : problem;
}

static int claim_begin(struct claim **made, const char *path, int fd, struct error *e) {
    struct claim *c = calloc(1, sizeof *c);
    if (!c || !(c->path = strdup(path))) abort();
    c->fd = fd;
    pthread_mutex_init(&c->mutex, NULL);
    pthread_cond_init(&c->over, NULL);
    if (pthread_create(&c->beat, NULL, beat, c)) {
        close(fd);
        unlink(path);
        free(c->path);
        free(c);
        return error_set(e, STATUS_FAILED, "cannot start a thread: %s", strerror(errno));
    }
    *made = c;
    return STATUS_OK;
}

int claim_take(struct claim **c, const char *path, char holder[CLAIM_HOLDER], struct error *e) {
    struct stat stale;
    *c = NULL;
    for (int attempt = 0, fd; attempt < 3; attempt++) {
        int problem = make_claim(path, &fd);
        if (!problem) return claim_begin(c, path, fd, e);
        if (problem != EEXIST)
            return error_set(e, STATUS_FAILED, "%s: cannot make it: %s", path, strerror(problem));
        if (is_held(path, holder, &stale)) return STATUS_OK;
        remove_stale(path, &stale);
    }
    snprintf(holder, CLAIM_HOLDER, "somebody");
    return STATUS_OK;
}

static bool is_ours(const struct claim *c) {
    struct stat ours, there;
    return !fstat(c->fd, &ours) && !stat(c->path, &there) && ours.st_ino == there.st_ino &&
           ours.st_dev == there.st_dev;
}

void claim_release(struct claim *c) {
    if (!c) return;
    pthread_mutex_lock(&c->mutex);
    c->released = true;
    pthread_cond_signal(&c->over);
    pthread_mutex_unlock(&c->mutex);
    pthread_join(c->beat, NULL);
    if (is_ours(c)) unlink(c->path);
    close(c->fd);
    pthread_mutex_destroy(&c->mutex);
    pthread_cond_destroy(&c->over);
    free(c->path);
    free(c);
}
