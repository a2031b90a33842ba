/* Claim files and their heartbeat: see claim.h.
 *
 * The age of a foreign claim is the file system's time now minus its last touch, both as the file
 * system tells them, so that clocks of different machines do not matter. The trap: the heartbeat
 * must not depend on the training loop, whose batches and measures may take minutes. */
#include "sim/claim.h"

#include <errno.h>
#include <fcntl.h>
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

bool claim_is_held(const char *path, char holder[CLAIM_HOLDER]) {
    char place[SYSTEM_PLACE], here[SYSTEM_PLACE], host[256];
    long pid;
    struct stat is;
    snprintf(holder, CLAIM_HOLDER, "somebody");
    FILE *f = fopen(path, "r");
    if (!f) return false;
    bool whole = fscanf(f, "%16[0-9a-f] %ld %255s", place, &pid, host) == 3;
    bool known = !fstat(fileno(f), &is);
    fclose(f);
    if (!known) return false;
    if (whole) snprintf(holder, CLAIM_HOLDER, "process %ld on %s", pid, host);
    system_place(here);
    if (whole && !strcmp(place, here)) return system_is_alive(pid);
    return difftime(time_there(path), is.st_mtime) < STALE_SECONDS;
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

static int claim_begin(struct claim **made, const char *path, int fd, struct error *e) {
    char place[SYSTEM_PLACE], host[256] = "unknown";
    gethostname(host, sizeof host - 1);
    system_place(place);
    dprintf(fd, "%s %ld %s\n", place, (long)getpid(), host);
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
    *c = NULL;
    for (int attempt = 0; attempt < 3; attempt++) {
        int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (fd >= 0) return claim_begin(c, path, fd, e);
        if (errno != EEXIST)
            return error_set(e, STATUS_FAILED, "%s: cannot make it: %s", path, strerror(errno));
        if (claim_is_held(path, holder)) return STATUS_OK;
        unlink(path);
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
