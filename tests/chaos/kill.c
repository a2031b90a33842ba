/* A library to preload: kills its process with SIGKILL at one of the calls by which it changes files.
 *
 * Counted are open for writing, write, pwrite, ftruncate, fsync, rename, link and unlink; the process dies before or
 * after the call, or in the middle of a write to a file. Which call it is is drawn for every process
 * from CHAOS_SEED and the process's number in the order of forks, so that the same seed kills at the
 * same place of the same work. Without CHAOS_SEED it does nothing. The trap: a write to a pipe is
 * whole or not at all, as the real one is. */
#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A process's own; a preloaded library has nowhere else to keep it. */
static struct {
    uint64_t seed, process;
    atomic_long left; /* calls until it dies; never when it is 0 at the start */
    long forks;
    int how;
} fate;

enum { BEFORE, AFTER, WITHIN };

static uint64_t mix(uint64_t x) { /* SplitMix64 */
    x += 0x9e3779b97f4a7c15u;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

/* One of the first 4, 32, 256 or 2048 calls: near the start, among a worker's epochs, or never. */
static void draw(void) {
    uint64_t x = mix(fate.seed ^ mix(fate.process));
    long span = 4L << (3 * (x & 3));
    fate.how = (int)((x >> 2) % 3);
    atomic_store(&fate.left, fate.seed ? 1 + (long)((x >> 8) % (uint64_t)span) : 0);
}

__attribute__((constructor)) static void begin(void) {
    const char *seed = getenv("CHAOS_SEED");
    fate.seed = seed ? strtoull(seed, NULL, 10) : 0;
    draw();
}

static void die(void) {
    kill(getpid(), SIGKILL);
    for (;;) pause();
}

static bool is_time(void) {
    return atomic_load(&fate.left) > 0 && atomic_fetch_sub(&fate.left, 1) == 1;
}

/* The next function of that name; the ones here hide it. */
static void next(void *function, const char *name) {
    void *found = dlsym(RTLD_NEXT, name);
    if (!found) abort();
    memcpy(function, &found, sizeof found);
}

/* Around a call: is it the last one, and is it made at all? */
static bool now(void) {
    if (!is_time()) return false;
    if (fate.how == BEFORE) die();
    return true;
}

pid_t fork(void) {
    pid_t (*real)(void);
    next(&real, "fork");
    long child = ++fate.forks;
    pid_t pid = real();
    if (pid == 0) {
        fate.process = mix(fate.process + (uint64_t)child);
        fate.forks = 0;
        draw();
    }
    return pid;
}

static int open_through(const char *name, const char *path, int flags, mode_t mode) {
    int (*real)(const char *, int, ...);
    next(&real, name);
    bool last = (flags & O_ACCMODE) != O_RDONLY && now();
    int fd = real(path, flags, mode);
    if (last) die();
    return fd;
}

static mode_t mode_of(int flags, va_list args) {
    return flags & O_CREAT ? (mode_t)va_arg(args, unsigned) : 0;
}

int open(const char *path, int flags, ...) {
    va_list args;
    va_start(args, flags);
    mode_t mode = mode_of(flags, args);
    va_end(args);
    return open_through("open", path, flags, mode);
}

int open64(const char *path, int flags, ...) {
    va_list args;
    va_start(args, flags);
    mode_t mode = mode_of(flags, args);
    va_end(args);
    return open_through("open64", path, flags, mode);
}

static FILE *fopen_through(const char *name, const char *path, const char *mode) {
    FILE *(*real)(const char *, const char *);
    next(&real, name);
    bool last = mode[0] != 'r' && now();
    FILE *f = real(path, mode);
    if (last) die();
    return f;
}

FILE *fopen(const char *path, const char *mode) {
    return fopen_through("fopen", path, mode);
}

FILE *fopen64(const char *path, const char *mode) {
    return fopen_through("fopen64", path, mode);
}

static bool is_regular(int fd) {
    struct stat is;
    return !fstat(fd, &is) && S_ISREG(is.st_mode);
}

/* How much of a write of n bytes is done. */
static size_t part_of(size_t n, bool last) {
    return last && fate.how == WITHIN && n ? (size_t)(mix(fate.seed + n) % n) : n;
}

ssize_t write(int fd, const void *data, size_t n) {
    ssize_t (*real)(int, const void *, size_t);
    next(&real, "write");
    if (!is_regular(fd)) return real(fd, data, n);
    bool last = now();
    ssize_t done = real(fd, data, part_of(n, last));
    if (last) die();
    return done;
}

static ssize_t pwrite_through(const char *name, int fd, const void *data, size_t n, off_t at) {
    ssize_t (*real)(int, const void *, size_t, off_t);
    next(&real, name);
    bool last = now();
    ssize_t done = real(fd, data, part_of(n, last), at);
    if (last) die();
    return done;
}

ssize_t pwrite(int fd, const void *data, size_t n, off_t at) {
    return pwrite_through("pwrite", fd, data, n, at);
}

ssize_t pwrite64(int fd, const void *data, size_t n, off64_t at) {
    return pwrite_through("pwrite64", fd, data, n, at);
}

int fsync(int fd) {
    int (*real)(int);
    next(&real, "fsync");
    bool last = now();
    int status = real(fd);
    if (last) die();
    return status;
}

static int ftruncate_through(const char *name, int fd, off_t size) {
    int (*real)(int, off_t);
    next(&real, name);
    bool last = now();
    int status = real(fd, size);
    if (last) die();
    return status;
}

int ftruncate(int fd, off_t size) {
    return ftruncate_through("ftruncate", fd, size);
}

int ftruncate64(int fd, off64_t size) {
    return ftruncate_through("ftruncate64", fd, size);
}

static int two_paths(const char *name, const char *from, const char *to) {
    int (*real)(const char *, const char *);
    next(&real, name);
    bool last = now();
    int status = real(from, to);
    if (last) die();
    return status;
}

int rename(const char *from, const char *to) {
    return two_paths("rename", from, to);
}

int link(const char *from, const char *to) {
    return two_paths("link", from, to);
}

int unlink(const char *path) {
    int (*real)(const char *);
    next(&real, "unlink");
    bool last = now();
    int status = real(path);
    if (last) die();
    return status;
}
