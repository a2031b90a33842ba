/* The local launcher: see launch.h.
 *
 * Every worker is a forked process: a crash costs one run, and no two runs share anything but the
 * files. Workers tell the parent of each epoch and of their end through one pipe, in messages
 * small enough to be written atomically. The traps: a run may start when its parent in the tree has
 * passed the fork, or has ended for whatever reason; it then trains what is missing itself. And what
 * another sweep claims now may be finished, or given up, a moment later. */
#include "sim/launch.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#ifdef __linux__
#include <sys/prctl.h>
#endif
#include <sys/wait.h>
#include <unistd.h>

#include "base/system.h"
#include "sim/claim.h"
#include "sim/log.h"
#include "sim/progress.h"
#include "sim/run.h"

enum stage { WAITING, RUNNING, ENDED };

struct worker {
    enum stage stage;
    pid_t pid;
    int64_t epoch;  /* done so far */
    int status;     /* once ended */
    bool reported;  /* its last message came */
    bool elsewhere; /* another process has its claim */
    int64_t trained;
    char text[512];
};

struct message {
    size_t run;
    bool last;
    bool elsewhere; /* another process has its claim */
    int status;
    int64_t trained;
    struct run_progress progress;
    char text[512];
};
static_assert(sizeof(struct message) <= PIPE_BUF, "messages must be written atomically");

struct launch {
    struct tree *tree;
    const struct launch_options *options;
    struct worker *workers; /* one per run */
    struct store store;
    size_t running, ended, to_do;
    double looked; /* when claims of others were looked at last */
    bool waiting;  /* for others, and it was said */
    bool stopping; /* the workers were told */
    int pipe[2];
    struct progress progress;
};

static const char *name_of(const struct launch *l) {
    return experiment_name(l->tree->experiment);
}

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

static int train(struct launch *l, size_t i, struct run_outcome *out, struct error *e) {
    struct tree *t = l->tree;
    struct tree_run *r = &t->runs[i];
    struct teller teller = {l->pipe[1], i};
    struct run_options options = {.root = l->options->root,
                                  .from = l->options->reuse ? l->options->root : NULL,
                                  .twin_id = t->runs[r->twin].timeline.run_id,
                                  .record_host = l->options->record_host,
                                  .threads = 1,
                                  .keep = r->keep,
                                  .keep_n = r->keep_n,
                                  .stop = l->options->stop,
                                  .progress = tell_epoch,
                                  .context = &teller};
    struct config c;
    struct dataset *d;
    int status = tree_config(t, i, &c, e);
    if (!status) status = tree_data(t, i, &d, e);
    return status ? status : run_execute(&c, &r->timeline, d, &options, out, e);
}

/* Under the run's claim. Whoever had it until now may have finished the run. */
static int work_claimed(struct launch *l, size_t i, struct message *m, struct error *e) {
    struct run_outcome out = {0};
    const struct tree_run *r = &l->tree->runs[i];
    if (!r->again && run_is_finished(l->options->root, name_of(l), &r->timeline)) return STATUS_OK;
    int status = train(l, i, &out, e);
    m->trained = out.epochs_trained;
    return status;
}

static int work(struct launch *l, size_t i) {
    struct message m = {.run = i, .last = true};
    struct error e = {0};
    struct claim *claim;
    char path[STORE_PATH], holder[CLAIM_HOLDER];
    store_claim_path(path, &l->store, &l->tree->runs[i].timeline);
    m.status = claim_take(&claim, path, holder, &e);
    m.elsewhere = !m.status && !claim;
    if (claim) m.status = work_claimed(l, i, &m, &e);
    claim_release(claim);
    snprintf(m.text, sizeof m.text, "%.*s", (int)sizeof m.text - 1, e.text);
    tell(l->pipe[1], &m);
    return m.status;
}

/* ---- in the parent --------------------------------------------------------------------------- */

static bool is_ready(const struct launch *l, size_t i) {
    const struct tree_run *r = &l->tree->runs[i];
    if (r->parent == TREE_NONE) return true;
    const struct worker *p = &l->workers[r->parent];
    return p->stage == ENDED || (p->stage == RUNNING && p->epoch >= r->start);
}

static int start(struct launch *l, size_t i, struct error *e) {
    fflush(NULL);
    pid_t parent = getpid(), pid = fork();
    if (pid < 0) return error_set(e, STATUS_FAILED, "cannot start a process: %s", strerror(errno));
    if (pid == 0) {
#ifdef __linux__
        prctl(PR_SET_PDEATHSIG, SIGTERM); /* a worker does not outlive its sweep, */
        if (getppid() != parent) _exit(STATUS_INTERRUPTED); /* which may have died just now */
#endif
        close(l->pipe[0]);
        _exit(work(l, i));
    }
    l->workers[i].pid = pid;
    l->workers[i].stage = RUNNING;
    l->workers[i].reported = l->workers[i].elsewhere = false;
    l->running++;
    return STATUS_OK;
}

static void hear(struct launch *l, const struct message *m) {
    struct worker *w = &l->workers[m->run];
    char runs[64];
    if (m->last) {
        w->reported = true;
        w->elsewhere = m->elsewhere;
        w->status = m->status;
        w->trained += m->trained;
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

/* Before or after its log was finished? */
static bool worker_was_through(struct launch *l, size_t i) {
    struct worker *w = &l->workers[i];
    char path[RUN_PATH];
    run_log_path(path, l->options->root, name_of(l), &l->tree->runs[i].timeline);
    enum log_end end = log_end(path);
    w->status = end == LOG_END_DIVERGED ? STATUS_DIVERGED : STATUS_OK;
    snprintf(w->text, sizeof w->text, "diverged, as the file beside its log says");
    return end != LOG_END_NOT;
}

/* It had no chance to say so itself: the reason is kept beside its log. */
static void worker_died(struct launch *l, size_t i, int wait_status) {
    struct worker *w = &l->workers[i];
    char path[RUN_PATH];
    if (worker_was_through(l, i)) return;
    w->status = STATUS_FAILED;
    if (WIFSIGNALED(wait_status))
        snprintf(w->text, sizeof w->text,
                 "killed by signal %d; start the sweep again to go on from its last epoch",
                 WTERMSIG(wait_status));
    else
        snprintf(w->text, sizeof w->text, "its process ended without a word");
    run_error_path(path, l->options->root, name_of(l), &l->tree->runs[i].timeline);
    run_record_error(path, w->text);
}

static void worker_ended(struct launch *l, size_t i, int wait_status) {
    struct worker *w = &l->workers[i];
    char title[256];
    l->running--;
    if (w->reported && w->elsewhere) {
        w->stage = WAITING;
        return;
    }
    w->stage = ENDED;
    l->ended++;
    if (!w->reported) worker_died(l, i, wait_status);
    if (w->status == STATUS_OK || w->status == STATUS_INTERRUPTED) return;
    tree_title(l->tree, i, title, sizeof title);
    progress_say(&l->progress, "imprint: %s: %s", title, w->text);
}

static void reap(struct launch *l) {
    int wait_status;
    for (size_t i = 0; i < l->tree->runs_n;
         i++) /* whoever has said its last word is about to end */
        if (l->workers[i].stage == RUNNING && l->workers[i].reported &&
            waitpid(l->workers[i].pid, &wait_status, 0) > 0)
            worker_ended(l, i, wait_status);
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

/* Once a second: is what others claim still claimed? */
static void look_elsewhere(struct launch *l) {
    char path[STORE_PATH], holder[CLAIM_HOLDER] = "", title[256];
    bool any = false;
    if (system_seconds() - l->looked < 1.0) return;
    l->looked = system_seconds();
    for (size_t i = 0; i < l->tree->runs_n; i++) {
        struct worker *w = &l->workers[i];
        if (!w->elsewhere || w->stage != WAITING) continue;
        store_claim_path(path, &l->store, &l->tree->runs[i].timeline);
        w->elsewhere = claim_is_held(path, holder);
        if (w->elsewhere && !l->waiting) {
            tree_title(l->tree, i, title, sizeof title);
            progress_say(&l->progress, "imprint: %s: %s trains it; what it claims is waited for",
                         title, holder);
            l->waiting = true;
        }
        any = any || w->elsewhere;
    }
    l->waiting = any;
}

static int start_ready(struct launch *l, struct error *e) {
    look_elsewhere(l);
    for (size_t k = 0; k < l->tree->runs_n && l->running < l->options->jobs; k++) {
        size_t i = l->tree->order[k];
        const struct worker *w = &l->workers[i];
        if (w->stage != WAITING || w->elsewhere || !is_ready(l, i)) continue;
        int status = start(l, i, e);
        if (status) return status;
    }
    return STATUS_OK;
}

/* Ctrl-C reaches the workers too, a kill of the parent alone does not. */
static void pass_on_stop(struct launch *l) {
    if (l->stopping || !l->options->stop || !*l->options->stop) return;
    for (size_t i = 0; i < l->tree->runs_n; i++)
        if (l->workers[i].stage == RUNNING) kill(l->workers[i].pid, SIGTERM);
    l->stopping = true;
}

static int loop(struct launch *l, struct error *e) {
    int status = STATUS_OK;
    while (l->running || (!status && !is_over(l) && l->ended < l->to_do)) {
        pass_on_stop(l);
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
        const struct tree_run *r = &l->tree->runs[i];
        if (r->diverged || (w->stage == ENDED && w->status == STATUS_DIVERGED))
            out->diverged++;
        else if (r->finished || (w->stage == ENDED && w->status == STATUS_OK))
            out->done++;
        else if (w->stage == ENDED && w->status != STATUS_INTERRUPTED)
            out->failed++;
    }
}

/* What a finished run no longer needs, should it have been killed between its log and its tidying
 * up: its claim, and why it failed before. */
static void tidy(const struct launch *l) {
    char path[RUN_PATH];
    claim_tidy(l->store.claims);
    for (size_t i = 0; i < l->tree->runs_n; i++) {
        const struct tree_run *r = &l->tree->runs[i];
        run_error_path(path, l->options->root, name_of(l), &r->timeline);
        if (r->finished && !r->diverged) unlink(path);
    }
}

static int prepare(struct launch *l, struct error *e) {
    char folder[STORE_PATH];
    snprintf(folder, sizeof folder, "%s/%s/runs", l->options->root, name_of(l));
    store_at(&l->store, l->options->root);
    int status = store_make(&l->store, e);
    if (!status) status = system_make_folder(folder, e);
    if (status) return status;
    system_remove_temporaries(folder);
    *strrchr(folder, '/') = '\0';
    system_remove_temporaries(folder);
    tidy(l);
    status = tree_write(l->tree, folder, e);
    if (!status && pipe2(l->pipe, O_CLOEXEC))
        status = error_set(e, STATUS_FAILED, "cannot make a pipe: %s", strerror(errno));
    if (!status) fcntl(l->pipe[0], F_SETFL, O_NONBLOCK);
    return status;
}

int launch_local(struct tree *t, const struct launch_options *o, struct launch_outcome *out,
                 struct error *e) {
    struct launch l = {.tree = t, .options = o};
    *out = (struct launch_outcome){0};
    int status = prepare(&l, e);
    if (status) return status;
    l.workers = calloc(t->runs_n + 1, sizeof *l.workers);
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
    if (status) return status;
    if (o->stop && *o->stop)
        return error_set(e, STATUS_INTERRUPTED,
                         "interrupted; the same command goes on from the states that are saved");
    return out->failed + out->diverged ? STATUS_RUNS_FAILED : STATUS_OK;
}
