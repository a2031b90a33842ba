/* imprint with a stopwatch: the program as it is, linked so that calls between
 * its parts pass here (the linker's --wrap; the Makefile lists them). It prints
 * where a run's time went:
 *
 *   timed FILE run CONFIG ...    as `imprint run CONFIG ...`, and one line of
 * JSON into FILE, seconds
 *
 * Time belongs to the innermost part that is entered: assembling a batch within
 * a Fisher trace is assembly. `compute` is what a run is for: forward, loss,
 * backward, optimizer, Fisher traces. Everything between the first line of main
 * and the last that no part claims is `rest`: reading the config and the data,
 * orders, norms for the log.
 *
 * The trap: a call within one file is not seen by the linker, so parts are what
 * files offer others. */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "analysis/measures/fisher_trace.h"
#include "base/system.h"
#include "nets/net.h"
#include "nets/optimizer.h"
#include "sim/cli.h"
#include "sim/feed.h"
#include "sim/log.h"
#include "sim/rows.h"
#include "sim/state.h"
#include "sim/view.h"

/* NOLINTBEGIN(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp): the
 * linker's names */

enum part { REST, COMPUTE, ASSEMBLY, STATES, LOG, PARTS };
static const char *const NAMES[PARTS] = {"rest", "compute", "assembly", "states", "log"};
enum { DEPTH = 16 };

/* The one global: the wrapped functions have no argument of ours. */
static struct {
    double seconds[PARTS], since;
    enum part within[DEPTH];
    int depth;
} watch;

static void pass_to(enum part part, int step) {
    const double now = system_seconds();
    watch.seconds[watch.within[watch.depth]] += now - watch.since;
    watch.since = now;
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
        fprintf(f, "%s\"%s\": %.9g", i ? ", " : "{", NAMES[i], watch.seconds[i]);
    fprintf(f, "}\n");
    return fclose(f) != 0;
}

int main(int argc, char **argv) {
    static const volatile sig_atomic_t stop;
    struct error e = {0};
    if (argc < 3) return fprintf(stderr, "usage: timed FILE COMMAND ...\n"), 2;
    watch.since = system_seconds();
    int status = cli_main(argc - 1, argv + 1, &stop, &e);
    if (e.text[0] && status) fprintf(stderr, "imprint: %s\n", e.text);
    pass_to(REST, 0);
    if (write_times(argv[1])) return fprintf(stderr, "timed: cannot write %s\n", argv[1]), 1;
    return status;
}
