/* imprint with a stopwatch: the program as it is, linked so that calls between its parts pass here
 * (the linker's --wrap; the Makefile lists them). It prints where a run's time went:
 *
 *   timed FILE run CONFIG ...    as `imprint run CONFIG ...`, and one line of JSON into FILE: of each
 *                                part the seconds by the wall clock and of processor time
 *
 * Time belongs to the innermost part that is entered: assembling a batch within a Fisher trace is
 * assembly. `compute` is what a run is for: forward, loss, backward, optimizer, Fisher traces.
 * `start` is paid once a run: reading data, a net and its first parameters. Everything between the first
 * line of main and the last that no part claims is `rest`: the config, orders, norms for the log.
 *
 * The trap: a call within one file is not seen by the linker, so parts are what files offer others. */
#include <signal.h>
#include <stdio.h>
#include <time.h>

#include "analysis/measures/fisher_trace.h"
#include "base/system.h"
#include "nets/net.h"
#include "nets/optimizer.h"
#include "sim/cli.h"
#include "sim/data.h"
#include "sim/feed.h"
#include "sim/log.h"
#include "sim/rows.h"
#include "sim/state.h"
#include "sim/view.h"

/* NOLINTBEGIN(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp): the linker's names */

enum part { REST, COMPUTE, ASSEMBLY, STATES, LOG, START, PARTS };
static const char *const NAMES[PARTS] = {"rest", "compute", "assembly", "states", "log", "start"};
enum { DEPTH = 16 };

/* The one global: the wrapped functions have no argument of ours. */
static struct {
    double wall[PARTS], cpu[PARTS], since_wall, since_cpu;
    enum part within[DEPTH];
    int depth;
} watch;

static double cpu_seconds(void) {
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void pass_to(enum part part, int step) {
    const double wall = system_seconds(), cpu = cpu_seconds();
    const enum part was = watch.within[watch.depth];
    watch.wall[was] += wall - watch.since_wall;
    watch.cpu[was] += cpu - watch.since_cpu;
    watch.since_wall = wall;
    watch.since_cpu = cpu;
    watch.depth += step;
    if (step > 0) watch.within[watch.depth] = part;
}

static void enter(enum part part) {
    pass_to(part, 1);
}
static void leave(void) {
    pass_to(REST, -1);
}

/* `type name(params)` of part `part`, called as name(args). */
#define TIMED(part, type, name, params, args)                                                      \
    type __real_##name params;                                                                     \
    type __wrap_##name params;                                                                     \
    type __wrap_##name params {                                                                    \
        enter(part);                                                                               \
        type result = __real_##name args;                                                          \
        leave();                                                                                   \
        return result;                                                                             \
    }
#define TIMED_VOID(part, name, params, args)                                                       \
    void __real_##name params;                                                                     \
    void __wrap_##name params;                                                                     \
    void __wrap_##name params {                                                                    \
        enter(part);                                                                               \
        __real_##name args;                                                                        \
        leave();                                                                                   \
    }

TIMED_VOID(COMPUTE, net_forward, (struct net * net, size_t N, enum net_mode mode), (net, N, mode))
TIMED_VOID(COMPUTE, net_backward, (struct net * net, size_t N), (net, N))
TIMED(COMPUTE, struct net_loss, net_loss, (struct net * net, const int32_t *labels, size_t N),
      (net, labels, N))
TIMED(COMPUTE, int, fisher_trace,
      (struct net * net, const struct measure_examples *probes, enum fisher_estimator estimator,
       int draws, uint64_t seed, uint32_t epoch, struct fisher_result *r, struct error *e),
      (net, probes, estimator, draws, seed, epoch, r, e))
TIMED_VOID(ASSEMBLY, feed_assemble,
           (const struct config *c, const struct feed_batch *b, struct net *net, int32_t *label,
            void *scratch),
           (c, b, net, label, scratch))
TIMED(ASSEMBLY, int, view_make,
      (struct view * v, const struct config *c, const struct dataset *d,
       const struct examples *source, const double severity[CONFIG_DEFICITS], struct error *e),
      (v, c, d, source, severity, e))
TIMED(STATES, int, state_save,
      (const struct state *s, const char *path, const char *key, bool kept, struct error *e),
      (s, path, key, kept, e))
TIMED(STATES, int, rows_save,
      (const struct rows *r, const struct store *s, const struct timeline *t, int64_t first,
       int64_t last, enum stored where, struct error *e),
      (r, s, t, first, last, where, e))
TIMED(LOG, int, log_write,
      (const char *path, const struct log_about *about, struct rows *rows, int64_t last,
       const char *status, struct error *e),
      (path, about, rows, last, status, e))

TIMED(START, int, data_load,
      (const struct settings *settings, uint64_t seed, struct dataset *d, struct error *e),
      (settings, seed, d, e))
TIMED(START, int, net_create, (struct net * *net, const struct net_spec *spec, struct error *e),
      (net, spec, e))
TIMED_VOID(START, net_init, (struct net * net, uint64_t seed), (net, seed))

TIMED(COMPUTE, double, optimizer_step,
      (const struct optimizer *o, const struct settings *s, double rate, int64_t t, size_t count,
       real *w, const real *dw, real *const *slots),
      (o, s, rate, t, count, w, dw, slots))
TIMED(COMPUTE, double, optimizer_descend,
      (const struct optimizer *o, const struct settings *s, double rate, int64_t t, struct net *net,
       size_t N, real *const *slots),
      (o, s, rate, t, net, N, slots))

/* NOLINTEND(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp) */

static int write_times(const char *path) {
    FILE *f = fopen(path, "w");
    if (!f) return 1;
    for (int i = 0; i < PARTS; i++)
        fprintf(f, "%s\"%s\": [%.9g, %.9g]", i ? ", " : "{", NAMES[i], watch.wall[i], watch.cpu[i]);
    fprintf(f, "}\n");
    return fclose(f) != 0;
}

int main(int argc, char **argv) {
    static const volatile sig_atomic_t stop;
    struct error e = {0};
    if (argc < 3) return fprintf(stderr, "usage: timed FILE COMMAND ...\n"), 2;
    watch.since_wall = system_seconds();
    watch.since_cpu = cpu_seconds();
    int status = cli_main(argc - 1, argv + 1, &stop, &e);
    if (e.text[0] && status) fprintf(stderr, "imprint: %s\n", e.text);
    pass_to(REST, 0);
    if (write_times(argv[1])) return fprintf(stderr, "timed: cannot write %s\n", argv[1]), 1;
    return status;
}
