/* The local launcher: see launch.h.
 *
 * Every worker is a forked process: a crash costs one run, and no two runs share anything but the
 * files. Workers tell the parent of each epoch and of their end through one pipe, in messages
 * small enough to be written atomically. The trap: a run may start when its parent in the tree has
 * passed the fork, or has ended for whatever reason; it then trains what is missing itself. */
#include "sim/launch.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#ifdef __linux__
#include <sys/prctl.h>
#endif
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/system.h"
#include "sim/progress.h"
#include "sim/run.h"

enum stage { WAITING, RUNNING, ENDED };

struct worker {
    enum stage stage;
    pid_t pid;
    int64_t epoch; /* done so far */
    int status;    /* once ended */
    bool reported; /* its last message came */
    int64_t trained;
    char text[512];
};

struct message {
    size_t run;
    bool last;
    int status;
    int64_t trained;
    struct run_progress progress;
    char text[512];
};
static_assert(sizeof(struct message) <= PIPE_BUF, "messages must be written atomically");

struct launch {
    struct tree *tree;
    const struct experiment *experiment;
    const struct launch_options *options;
    struct worker *workers; /* one per run */
    size_t running, ended, to_do;
    int pipe[2];
    struct progress progress;
};

/* ---- in the worker --------------------------------------------------------------------------- */

struct teller {
    int pipe;
    size_t run;
};

/* Should the parent be gone, the results are on disk all the same. */
static void tell(int pipe, const struct message *m) {
    ssize_t written = write(pipe, m, sizeof *m);
    (void)written;
}

static void tell_epoch(void *context, const struct run_progress *p) {
    struct teller *t = context;
    struct message m = {.run = t->run, .progress = *p};
    tell(t->pipe, &m);
}

static int work(struct launch *l, size_t i) {
    struct tree_run *r = &l->tree->runs[i];
    struct teller teller = {l->pipe[1], i};
    struct run_options options = {.root = l->options->root,
                                  .twin_id = r->twin_id,
                                  .reuse = l->options->reuse,
                                  .record_host = l->options->record_host,
                                  .threads = 1,
                                  .keep = r->keep,
                                  .keep_n = r->keep_n,
                                  .stop = l->options->stop,
                                  .progress = tell_epoch,
                                  .context = &teller};
    struct run_outcome out = {0};
    struct error e = {0};
    struct dataset *d;
    int status = tree_data(l->tree, i, &d, &e);
    if (!status) status = run_execute(&r->config, &r->timeline, d, &options, &out, &e);
    struct message m = {.run = i, .last = true, .status = status, .trained = out.epochs_trained};
    snprintf(m.text, sizeof m.text, "%.*s", (int)sizeof m.text - 1, e.text);
    tell(l->pipe[1], &m);
    return status;
}

/* ---- in the parent --------------------------------------------------------------------------- */

/* The point that a run stands at, for people: "blur removal=24 seed=2". */
static void run_title(const struct launch *l, size_t i, char *text, size_t size) {
    const struct tree *t = l->tree;
    snprintf(text, size, "clean twin %.12s", t->runs[i].timeline.run_id);
    for (size_t p = 0; p < t->points_n; p++) {
        if (t->points[p].run != i) continue;
        size_t used = (size_t)snprintf(text, size, "%s", experiment_part(l->experiment, p));
        for (size_t a = 0; a < experiment_axes(l->experiment) && used < size; a++) {
            const char *label = experiment_label(l->experiment, p, a);
            if (label)
                used += (size_t)snprintf(text + used, size - used, " %s=%s",
                                         experiment_axis(l->experiment, a), label);
        }
        return;
    }
}

static bool is_ready(const struct launch *l, size_t i) {
    const struct tree_run *r = &l->tree->runs[i];
    if (r->parent == TREE_NONE) return true;
    const struct worker *p = &l->workers[r->parent];
    return p->stage == ENDED || (p->stage == RUNNING && p->epoch >= r->fork);
}

static int start(struct launch *l, size_t i, struct error *e) {
    fflush(NULL);
    pid_t pid = fork();
    if (pid < 0) return error_set(e, STATUS_FAILED, "cannot start a process: %s", strerror(errno));
    if (pid == 0) {
#ifdef __linux__
        prctl(PR_SET_PDEATHSIG, SIGTERM); /* a worker does not outlive its sweep */
#endif
        close(l->pipe[0]);
        _exit(work(l, i));
    }
    l->workers[i].pid = pid;
    l->workers[i].stage = RUNNING;
    l->running++;
    return STATUS_OK;
}

static void hear(struct launch *l, const struct message *m) {
    struct worker *w = &l->workers[m->run];
    char runs[64];
    if (m->last) {
        w->reported = true;
        w->status = m->status;
        w->trained = m->trained;
        memcpy(w->text, m->text, sizeof w->text);
        return;
    }
    w->epoch = m->progress.epoch;
    snprintf(runs, sizeof runs, "%zu/%zu runs", l->ended, l->to_do);
    progress_epoch(&l->progress, &m->progress, runs);
}

static void hear_all(struct launch *l, int timeout) {
    struct pollfd waiting = {.fd = l->pipe[0], .events = POLLIN};
    struct message m;
    if (poll(&waiting, 1, timeout) <= 0) return;
    while (read(l->pipe[0], &m, sizeof m) == sizeof m) hear(l, &m);
}

static void worker_ended(struct launch *l, size_t i, int wait_status) {
    struct worker *w = &l->workers[i];
    char title[256];
    w->stage = ENDED;
    l->running--;
    l->ended++;
    if (!w->reported) {
        w->status = STATUS_FAILED;
        if (WIFSIGNALED(wait_status))
            snprintf(w->text, sizeof w->text,
                     "killed by signal %d; start the sweep again to go on "
                     "from its last epoch",
                     WTERMSIG(wait_status));
        else
            snprintf(w->text, sizeof w->text, "its process ended without a word");
    }
    if (w->status == STATUS_OK || w->status == STATUS_INTERRUPTED) return;
    run_title(l, i, title, sizeof title);
    progress_say(&l->progress, "imprint: %s: %s", title, w->text);
}

static void reap(struct launch *l) {
    int wait_status;
    for (pid_t pid; (pid = waitpid(-1, &wait_status, WNOHANG)) > 0;) {
        hear_all(l, 0); /* its last message came before its end */
        for (size_t i = 0; i < l->tree->runs_n; i++)
            if (l->workers[i].stage == RUNNING && l->workers[i].pid == pid)
                worker_ended(l, i, wait_status);
    }
}

static bool is_over(const struct launch *l) {
    if (l->options->stop && *l->options->stop) return true;
    if (!l->options->fail_fast) return false;
    for (size_t i = 0; i < l->tree->runs_n; i++)
        if (l->workers[i].stage == ENDED && l->workers[i].status != STATUS_OK) return true;
    return false;
}

static int start_ready(struct launch *l, struct error *e) {
    for (size_t k = 0; k < l->tree->runs_n && l->running < l->options->jobs; k++) {
        size_t i = l->tree->order[k];
        if (l->workers[i].stage != WAITING || !is_ready(l, i)) continue;
        int status = start(l, i, e);
        if (status) return status;
    }
    return STATUS_OK;
}

static int loop(struct launch *l, struct error *e) {
    int status = STATUS_OK;
    while (l->running || (!status && !is_over(l) && l->ended < l->to_do)) {
        if (!status && !is_over(l)) status = start_ready(l, e);
        hear_all(l, 200);
        reap(l);
    }
    return status;
}

static void count(const struct launch *l, struct launch_outcome *out) {
    for (size_t i = 0; i < l->tree->runs_n; i++) {
        const struct worker *w = &l->workers[i];
        out->epochs_trained += w->trained;
        if (l->tree->runs[i].finished || (w->stage == ENDED && w->status == STATUS_OK))
            out->done++;
        else if (w->stage == ENDED && w->status == STATUS_DIVERGED)
            out->diverged++;
        else if (w->stage == ENDED && w->status != STATUS_INTERRUPTED)
            out->failed++;
    }
}

/* The lock, as soon as it is free but for no longer than three seconds: the workers of a sweep that
 * was just killed hold it until they are gone. */
static bool lock_soon(int fd) {
    const struct timespec moment = {.tv_nsec = 50 * 1000 * 1000};
    double began = system_seconds();
    while (flock(fd, LOCK_EX | LOCK_NB)) {
        if (system_seconds() - began > 3.0) return false;
        nanosleep(&moment, NULL);
    }
    return true;
}

/* One sweep at a time in an experiment's folder. The kernel drops the lock with its holder and the
 * workers that inherited it, so kill -9 leaves nothing stale. */
static int lock(const char *folder, int *fd, struct error *e) {
    char path[RUN_PATH + 16], holder[32] = "";
    snprintf(path, sizeof path, "%s/.lock", folder);
    *fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (*fd < 0)
        return error_set(e, STATUS_FAILED, "%s: cannot open it: %s", path, strerror(errno));
    if (lock_soon(*fd)) {
        if (ftruncate(*fd, 0) == 0) dprintf(*fd, "%ld\n", (long)getpid());
        return STATUS_OK;
    }
    ssize_t n = read(*fd, holder, sizeof holder - 1);
    holder[n > 0 ? strcspn(holder, "\n") : 0] = '\0';
    close(*fd);
    return error_set(e, STATUS_FAILED,
                     "%s: another sweep (process %s) is at work there; wait for "
                     "it or use another --out",
                     folder, holder);
}

static int prepare(struct launch *l, int *lock_fd, struct error *e) {
    char folder[RUN_PATH], path[RUN_PATH + 16];
    snprintf(folder, sizeof folder, "%s/%s", l->options->root, experiment_name(l->experiment));
    int status = system_make_folder(folder, e);
    if (!status) status = lock(folder, lock_fd, e);
    if (status) return status;
    snprintf(path, sizeof path, "%s/sweep.tsv", folder);
    status = tree_manifest(l->tree, l->experiment, path, e);
    if (!status && pipe2(l->pipe, O_CLOEXEC))
        status = error_set(e, STATUS_FAILED, "cannot make a pipe: %s", strerror(errno));
    if (!status) fcntl(l->pipe[0], F_SETFL, O_NONBLOCK);
    if (status) close(*lock_fd);
    return status;
}

int launch_local(struct tree *t, const struct experiment *x, const struct launch_options *o,
                 struct launch_outcome *out, struct error *e) {
    struct launch l = {.tree = t, .experiment = x, .options = o};
    int lock_fd;
    *out = (struct launch_outcome){0};
    int status = prepare(&l, &lock_fd, e);
    if (status) return status;
    l.workers = calloc(t->runs_n ? t->runs_n : 1, sizeof *l.workers);
    if (!l.workers) abort();
    for (size_t i = 0; i < t->runs_n; i++) {
        l.workers[i].stage = t->runs[i].finished ? ENDED : WAITING;
        l.to_do += !t->runs[i].finished;
    }
    l.progress = progress_begin(tree_epochs(t), o->quiet);
    status = loop(&l, e);
    progress_end(&l.progress);
    count(&l, out);
    free(l.workers);
    close(l.pipe[0]);
    close(l.pipe[1]);
    close(lock_fd);
    if (status) return status;
    if (o->stop && *o->stop)
        return error_set(e, STATUS_INTERRUPTED,
                         "interrupted; every finished epoch is saved: the "
                         "same command goes on from there");
    return out->failed + out->diverged ? STATUS_RUNS_FAILED : STATUS_OK;
}
