/* chaos IMPRINT CONFIG FOLDER KILLS SEED [LIBRARY]: a sweep that is killed at random instants until
 * KILLS kills have hit, started again each time, and in the end compared with an undisturbed one by
 * the program `same` beside this one. Half of the kills come from LIBRARY (kill.c), which a process
 * carries and dies of inside a write; the other half from here: the sweep alone, one worker alone, or
 * all at once. A sweep that gets through is compared, and the next one begins from nothing.
 *
 * A kill counts when it was seen to end a process: by this program, which is the parent of the sweep
 * and of its orphans, or by the sweep, which says so of its workers. Killing all at once is one kill.
 * The instants depend on the clock; everything else on SEED, and every sweep's is printed. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/rng.h"
#include "base/system.h"

enum { PATH_TEXT = 4096, HANG_SECONDS = 300 };

struct chaos {
    const char *imprint, *config, *folder, *library;
    char same[PATH_TEXT], root[PATH_TEXT], whole[PATH_TEXT], said[PATH_TEXT];
    struct rng rng;
    double typical; /* seconds of an undisturbed sweep */
    long wanted, inside, outside, rounds, sweeps;
};

/* One start of the sweep. */
struct sweep {
    pid_t pid;
    bool inside; /* carries the library */
    unsigned long seed;
    int status;   /* once it ended */
    long orphans; /* processes that it left behind and that were killed, */
    bool all;     /* all at once */
};

static void fail(const struct chaos *c, const char *what) {
    char line[1024];
    FILE *f = fopen(c->said, "r");
    printf("chaos: %s; the last sweep said:\n", what);
    while (f && fgets(line, sizeof line, f)) printf("  %s", line);
    exit(1);
}

/* ---- processes ------------------------------------------------------------------------------- */

static void pause_for(double seconds) {
    usleep((useconds_t)(1e6 * seconds));
}

static void become_sweep(const struct chaos *c, const char *root, const struct sweep *s, int jobs) {
    char seed[32], number[16];
    int out = open(c->said, O_WRONLY | O_CREAT | O_TRUNC, 0666);
    setpgid(0, 0);
    dup2(out, STDOUT_FILENO);
    dup2(out, STDERR_FILENO);
    snprintf(seed, sizeof seed, "%lu", s->seed);
    snprintf(number, sizeof number, "%d", jobs);
    if (s->inside && (setenv("LD_PRELOAD", c->library, 1) || setenv("CHAOS_SEED", seed, 1)))
        _exit(126);
    execl(c->imprint, "imprint", "sweep", c->config, "-q", "-j", number, "--out", root,
          (char *)NULL);
    _exit(127);
}

static void sweep_start(struct chaos *c, struct sweep *s, const char *root) {
    int jobs = 1 + (int)rng_below(&c->rng, 3);
    s->seed = 1 + rng_word(&c->rng);
    fflush(NULL);
    s->pid = fork();
    if (s->pid < 0) abort();
    if (s->pid == 0) become_sweep(c, root, s, jobs);
    setpgid(s->pid, s->pid);
}

/* Everything that ended: the sweep itself, and workers that outlived theirs. */
static bool sweep_ended(struct sweep *s) {
    int status;
    bool ended = false;
    for (pid_t pid; (pid = waitpid(-1, &status, WNOHANG)) > 0;) {
        if (pid == s->pid) {
            s->status = status;
            ended = true;
        } else {
            s->orphans += WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
        }
    }
    return ended;
}

/* One of a process's children, or 0. */
static pid_t worker_of(struct chaos *c, pid_t parent) {
    char path[300], line[512];
    pid_t chosen = 0;
    uint32_t n = 0;
    DIR *d = opendir("/proc");
    for (struct dirent *p; d && (p = readdir(d));) {
        long pid = strtol(p->d_name, NULL, 10), of = 0;
        snprintf(path, sizeof path, "/proc/%s/stat", p->d_name);
        FILE *f = pid > 0 ? fopen(path, "r") : NULL;
        const char *behind = f && fgets(line, sizeof line, f) ? strrchr(line, ')') : NULL;
        if (f) fclose(f);
        if (!behind || sscanf(behind, ") %*c %ld", &of) != 1 || of != parent) continue;
        if (rng_below(&c->rng, ++n) == 0) chosen = (pid_t)pid;
    }
    if (d) closedir(d);
    return chosen;
}

static void strike(struct chaos *c, struct sweep *s) {
    pid_t worker;
    switch (rng_below(&c->rng, 3)) {
    case 0:
        kill(s->pid, SIGKILL);
        break;
    case 1:
        worker = worker_of(c, s->pid);
        if (worker) kill(worker, SIGKILL);
        break;
    default:
        s->all = true;
        kill(-s->pid, SIGKILL);
    }
}

/* Until it ends; kills from outside come at instants spread over the time that it needs. */
static void sweep_watch(struct chaos *c, struct sweep *s, bool strikes) {
    double began = system_seconds(), next = began + 0.5 * c->typical * rng_uniform(&c->rng);
    while (!sweep_ended(s)) {
        if (system_seconds() - began > HANG_SECONDS) {
            kill(-s->pid, SIGKILL);
            fail(c, "a sweep hangs");
        }
        if (strikes && system_seconds() >= next) {
            strike(c, s);
            next += 0.5 * c->typical * rng_uniform(&c->rng);
        }
        pause_for(0.002);
    }
}

/* ---- counting and comparing ------------------------------------------------------------------ */

static long workers_killed(const struct chaos *c) {
    char line[1024];
    long n = 0;
    FILE *f = fopen(c->said, "r");
    while (f && fgets(line, sizeof line, f)) n += strstr(line, "killed by signal 9") != NULL;
    if (f) fclose(f);
    return n;
}

static long sweep_kills(const struct chaos *c, const struct sweep *s) {
    bool parent = WIFSIGNALED(s->status) && WTERMSIG(s->status) == SIGKILL;
    return workers_killed(c) + parent + (s->inside ? s->orphans : 0);
}

static double undisturbed(struct chaos *c, const char *root) {
    struct sweep s = {0};
    double began = system_seconds();
    sweep_start(c, &s, root);
    sweep_watch(c, &s, false);
    if (s.status) fail(c, "an undisturbed sweep does not end with exit status 0");
    return system_seconds() - began;
}

static void remove_folder(const char *path) {
    pid_t pid = fork();
    if (pid == 0) {
        execlp("rm", "rm", "-rf", path, (char *)NULL);
        _exit(127);
    }
    int status;
    waitpid(pid, &status, 0);
}

/* To the end, and the same command once more: it finds nothing to do, which plan.tsv says. */
static double complete(struct chaos *c, const char *root) {
    double seconds = undisturbed(c, root);
    undisturbed(c, root);
    return seconds;
}

static void compare(struct chaos *c) {
    complete(c, c->root);
    pid_t pid = fork();
    if (pid == 0) {
        execl(c->same, "same", c->whole, c->root, (char *)NULL);
        _exit(127);
    }
    int status;
    waitpid(pid, &status, 0);
    if (status) fail(c, "the killed sweep's results are not those of the undisturbed one");
    c->rounds++;
    remove_folder(c->root);
}

/* ---- the whole ------------------------------------------------------------------------------- */

/* Half of the kills are to come from inside, if there is a library for it. */
static bool is_over(const struct chaos *c) {
    long inside = c->library ? c->wanted / 2 : 0;
    return c->inside >= inside && c->outside >= c->wanted - c->wanted / 2 &&
           c->inside + c->outside >= c->wanted;
}

/* Is the sweep through? */
static bool disturbed(struct chaos *c) {
    struct sweep s = {.inside = c->library && c->inside <= c->outside};
    sweep_start(c, &s, c->root);
    sweep_watch(c, &s, !s.inside);
    long kills = sweep_kills(c, &s);
    *(s.inside ? &c->inside : &c->outside) += kills;
    printf("sweep %ld, killed from %s%s, seed %lu: %ld kills\n", ++c->sweeps,
           s.inside ? "inside" : "outside", s.all ? ", all at once" : "", s.seed, kills);
    if (WIFSIGNALED(s.status) && WTERMSIG(s.status) == SIGKILL) return false;
    if (!WIFEXITED(s.status) || (WEXITSTATUS(s.status) != 0 && WEXITSTATUS(s.status) != 3))
        fail(c, "a sweep ended otherwise than killed, with all runs, or with some of them");
    return WEXITSTATUS(s.status) == 0;
}

static void prepare(struct chaos *c, char **argv) {
    char self[PATH_TEXT];
    *c = (struct chaos){
        .imprint = argv[1], .config = argv[2], .folder = argv[3], .library = argv[6]};
    snprintf(self, sizeof self, "%s", argv[0]);
    snprintf(c->same, PATH_TEXT, "%.4000s/same", dirname(self));
    snprintf(c->root, PATH_TEXT, "%.4000s/killed", c->folder);
    snprintf(c->whole, PATH_TEXT, "%.4000s/whole", c->folder);
    snprintf(c->said, PATH_TEXT, "%.4000s/said.txt", c->folder);
    c->wanted = strtol(argv[4], NULL, 10);
    c->rng = rng_stream(strtoul(argv[5], NULL, 10), "chaos", 0, 0);
    prctl(PR_SET_CHILD_SUBREAPER, 1);
}

int main(int argc, char **argv) {
    struct chaos c;
    if (argc != 6 && argc != 7) {
        fprintf(stderr, "usage: chaos IMPRINT CONFIG FOLDER KILLS SEED [LIBRARY]\n");
        return 2;
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    prepare(&c, argv);
    double began = system_seconds();
    c.typical = complete(&c, c.whole);
    while (!is_over(&c))
        if (disturbed(&c)) compare(&c);
    compare(&c);
    printf(
        "%ld kills (%ld inside a write or beside it, %ld from outside) of %ld starts, %ld sweeps "
        "compared: no difference; seed %s, %.0f s\n",
        c.inside + c.outside, c.inside, c.outside, c.sweeps, c.rounds, argv[5],
        system_seconds() - began);
    return 0;
}
