/* Calibrating kinds of runs, and playing the launcher: see estimate.h. */
#include "sim/estimate.h"

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cores.h"
#include "base/system.h"
#include "sim/run.h"

struct kinds {
    size_t n, calibrated;
    long *run;             /* [n] an unfinished run of the kind; TREE_NONE: there is none */
    struct run_cost *cost; /* [n] */
    bool *known;           /* [n] */
};

/* ---- kinds ----------------------------------------------------------------------------------- */

static struct kinds kinds_of(const struct tree *t) {
    struct kinds k = {.n = t->kinds_n,
                      .run = malloc((t->kinds_n + 1) * sizeof *k.run),
                      .cost = calloc(t->kinds_n + 1, sizeof *k.cost),
                      .known = calloc(t->kinds_n + 1, sizeof *k.known)};
    if (!k.run || !k.cost || !k.known) abort();
    for (size_t i = 0; i < k.n; i++) k.run[i] = TREE_NONE;
    for (size_t i = t->runs_n; i-- > 0;)
        if (!t->runs[i].finished) k.run[t->runs[i].kind] = (long)i;
    return k;
}

static void kinds_free(struct kinds *k) {
    free(k->run);
    free(k->cost);
    free(k->known);
}

static int calibrate(struct kinds *k, struct tree *t, size_t kind, const char *folder,
                     struct error *e) {
    struct config c;
    struct dataset *d;
    size_t run = (size_t)k->run[kind];
    int status = tree_config(t, run, &c, e);
    if (status) return status;
    status = tree_data(t, run, &d, e);
    if (!status) {
        status = run_cost(&c, &t->runs[run].timeline, d, folder, &k->cost[kind], e);
        tree_data_release(t, run, d);
    }
    config_free(&c);
    return status;
}

/* Kinds that patience did not last for cost what the others cost on average. */
static void take_mean(struct kinds *k) {
    struct run_cost mean = {0};
    double n = (double)k->calibrated;
    for (size_t i = 0; i < k->n; i++) {
        if (!k->known[i]) continue;
        mean.start += k->cost[i].start / n;
        mean.epoch += k->cost[i].epoch / n;
        mean.state_bytes += k->cost[i].state_bytes / (int64_t)k->calibrated;
        for (size_t s = 0; s < CONFIG_STABILIZERS; s++)
            mean.stabilizer[s] += k->cost[i].stabilizer[s] / n;
        mean.rows_bytes += k->cost[i].rows_bytes / (int64_t)k->calibrated;
        mean.row_bytes += k->cost[i].row_bytes / (int64_t)k->calibrated;
    }
    for (size_t i = 0; i < k->n; i++)
        if (!k->known[i]) k->cost[i] = mean;
}

static int calibrate_in(struct kinds *k, struct tree *t, const char *folder, double patience,
                        struct error *e) {
    double began = system_seconds();
    for (size_t i = 0; i < k->n; i++) {
        if (k->run[i] == TREE_NONE) continue;
        if (k->calibrated && system_seconds() - began > patience) break;
        int status = calibrate(k, t, i, folder, e);
        if (status) return status;
        k->known[i] = true;
        k->calibrated++;
    }
    if (k->calibrated) take_mean(k);
    return STATUS_OK;
}

static int calibrate_all(struct kinds *k, struct tree *t, double patience, struct error *e) {
    char folder[STORE_FOLDER];
    const char *parent = getenv("TMPDIR");
    snprintf(folder, sizeof folder, "%.2000s/imprint-estimate-XXXXXX",
             parent && *parent ? parent : "/tmp");
    if (!mkdtemp(folder))
        return error_set(e, STATUS_FAILED, "%s: cannot make it: %s", folder, strerror(errno));
    int status = calibrate_in(k, t, folder, patience, e);
    int removed = system_remove_folder(folder, status ? NULL : e);
    return status ? status : removed;
}

/* ---- playing the launcher -------------------------------------------------------------------- */

struct play {
    const struct tree *tree;
    const struct kinds *kinds;
    bool share;
    double *begin; /* [runs_n] when a run starts; < 0: not yet */
    double *free;  /* [jobs] when a process is free again */
    size_t jobs;
};

static const struct run_cost *cost_of(const struct play *p, size_t i) {
    return &p->kinds->cost[p->tree->runs[i].kind];
}

/* Seconds that epochs [from, until) of run i take: stabilizers cost in their windows. */
static double seconds_of(const struct play *p, size_t i, int64_t from, int64_t until) {
    const struct run_cost *cost = cost_of(p, i);
    double seconds = cost->epoch * (double)(until - from);
    for (size_t s = 0; s < CONFIG_STABILIZERS; s++) {
        struct window w = p->tree->runs[i].timeline.stabilizers[s];
        int64_t first = w.from > from ? w.from : from, end = w.until < until ? w.until : until;
        if (end > first) seconds += cost->stabilizer[s] * (double)(end - first);
    }
    return seconds;
}

/* When the state is there that run i starts from; < 0: its parent has not started. */
static double ready(const struct play *p, size_t i) {
    const struct tree_run *r = &p->tree->runs[i];
    if (!p->share || r->parent == TREE_NONE) return 0.0;
    size_t parent = (size_t)r->parent;
    if (p->begin[parent] < 0) return -1.0;
    return p->begin[parent] + cost_of(p, parent)->start +
           seconds_of(p, parent, p->tree->runs[parent].start, r->start);
}

static double length(const struct play *p, size_t i) {
    const struct tree_run *r = &p->tree->runs[i];
    return cost_of(p, i)->start + seconds_of(p, i, p->share ? r->start : 0, r->timeline.total);
}

static size_t first_free(const struct play *p) {
    size_t best = 0;
    for (size_t j = 1; j < p->jobs; j++)
        if (p->free[j] < p->free[best]) best = j;
    return best;
}

/* The run that a process free at `now` takes: the first in order that is ready, else the one that is
 * ready soonest. */
static long choose(const struct play *p, size_t *done, double now, double *when) {
    const struct tree *t = p->tree;
    long best = TREE_NONE;
    while (*done < t->runs_n &&
           (t->runs[t->order[*done]].finished || p->begin[t->order[*done]] >= 0))
        ++*done;
    for (size_t k = *done; k < t->runs_n; k++) {
        size_t i = t->order[k];
        if (t->runs[i].finished || p->begin[i] >= 0) continue;
        double at = ready(p, i);
        if (at < 0 || (best != TREE_NONE && at >= *when)) continue;
        best = (long)i;
        *when = at;
        if (at <= now) break;
    }
    return best;
}

static double play(struct play *p) {
    double end = 0.0, when = 0.0;
    size_t done = 0;
    assert(p->jobs > 0);
    for (size_t i = 0; i < p->tree->runs_n; i++) p->begin[i] = -1.0;
    for (size_t j = 0; j < p->jobs; j++) p->free[j] = 0.0;
    for (;;) {
        size_t j = first_free(p);
        long i = choose(p, &done, p->free[j], &when);
        if (i == TREE_NONE) return end;
        p->begin[i] = when > p->free[j] ? when : p->free[j];
        p->free[j] = p->begin[i] + length(p, (size_t)i);
        if (p->free[j] > end) end = p->free[j];
    }
}

/* ---- the whole ------------------------------------------------------------------------------- */

/* States that it leaves: the branches that it passes, and its end. */
static int64_t states_of(const struct tree_run *r) {
    int64_t n = 1;
    for (size_t k = 0; k < r->keep_n; k++) n += r->keep[k] > r->start;
    return n;
}

static int64_t disk(const struct tree *t, const struct kinds *k) {
    int64_t bytes = 0;
    for (size_t i = 0; i < t->runs_n; i++) {
        const struct tree_run *r = &t->runs[i];
        if (r->finished) continue;
        const struct run_cost *cost = &k->cost[r->kind];
        bytes += states_of(r) * (cost->state_bytes + cost->rows_bytes) +
                 (2 * r->timeline.total - r->start) * cost->row_bytes + 2 * cost->rows_bytes;
    }
    return bytes;
}

static void play_both(struct estimate *is, const struct tree *t, const struct kinds *k,
                      size_t jobs) {
    struct play p = {.tree = t, .kinds = k, .jobs = jobs};
    double cores = (double)cores_usable(), slower = (double)jobs > cores ? (double)jobs / cores : 1;
    p.begin = malloc((t->runs_n + 1) * sizeof *p.begin);
    p.free = malloc((jobs + 1) * sizeof *p.free);
    if (!p.begin || !p.free) abort();
    is->seconds_alone = slower * play(&p);
    p.share = true;
    is->seconds = slower * play(&p);
    free(p.begin);
    free(p.free);
}

int estimate_tree(struct estimate *is, struct tree *t, size_t jobs, double patience,
                  struct error *e) {
    struct kinds k = kinds_of(t);
    *is = (struct estimate){0};
    for (size_t i = 0; i < k.n; i++) is->kinds += k.run[i] != TREE_NONE;
    int status = calibrate_all(&k, t, patience, e);
    if (!status) {
        play_both(is, t, &k, jobs);
        is->bytes = disk(t, &k);
        is->calibrated = k.calibrated;
    }
    kinds_free(&k);
    return status;
}
