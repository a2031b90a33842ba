/* Planning a sweep: see tree.h.
 *
 * Runs are entered longest first; a run's parent is the owner of its deepest prefix key that is
 * already entered. Since equal keys at e imply equal keys before e, that depth is found by
 * bisection. The trap: a state that is on disk but not in this sweep's tree (an earlier sweep's,
 * a killed one's) may be deeper than the fork; then the run waits for nobody. */
#include "sim/tree.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "sim/check.h"
#include "sim/data.h"
#include "sim/run.h"

/* ---- the library of data sets ---------------------------------------------------------------- */

/* Data sets are kept for the workers until they fill this many bytes; later ones are loaded by
 * each worker anew. */
enum { LIBRARY_BYTES = 1 << 30 };

struct entry {
    struct dataset data; /* examples freed when not kept */
    bool kept;
};

struct library {
    struct entry *entries;
    size_t n, bytes;
    struct map *by_key;
};

static struct library *library_create(void) {
    struct library *l = calloc(1, sizeof *l);
    if (!l) abort();
    l->by_key = map_create();
    return l;
}

static void library_free(struct library *l) {
    if (!l) return;
    for (size_t i = 0; i < l->n; i++)
        if (l->entries[i].kept) data_free(&l->entries[i].data);
    free(l->entries);
    map_free(l->by_key);
    free(l);
}

static size_t dataset_bytes(const struct dataset *d) {
    size_t n = d->train.n + d->validation.n + d->test.n, bytes = 0;
    for (size_t m = 0; m < d->modalities_n; m++) bytes += modality_bytes(&d->modality[m]);
    return n * bytes;
}

static void data_key(const struct config *c, char key[HASH_TEXT]) {
    struct hash *h = hash_create();
    for (size_t i = 0; i < c->data.n; i++) hash_text(h, c->data.values[i].text);
    hash_int(h, (int64_t)c->data_seed);
    hash_digest(h, key);
    hash_free(h);
}

static int library_add(struct library *l, const struct config *c, size_t *which, struct error *e) {
    char key[HASH_TEXT];
    data_key(c, key);
    long found = map_get(l->by_key, key);
    if (found != MAP_NONE) {
        *which = (size_t)found;
        return STATUS_OK;
    }
    struct dataset d;
    int status = data_load(&c->data, c->data_seed, &d, e);
    if (status) return status;
    struct entry *grown = realloc(l->entries, (l->n + 1) * sizeof *grown);
    if (!grown) abort();
    l->entries = grown;
    bool kept = l->bytes + dataset_bytes(&d) <= LIBRARY_BYTES;
    if (kept) l->bytes += dataset_bytes(&d);
    l->entries[l->n] = (struct entry){d, kept};
    if (!kept) data_free(&d);
    *which = (size_t)map_add(l->by_key, key, (long)l->n++);
    return STATUS_OK;
}

int tree_data(struct tree *t, size_t run, struct dataset **d, struct error *e) {
    struct entry *entry = &t->library->entries[t->runs[run].data];
    const struct config *c = &t->runs[run].config;
    *d = &entry->data;
    if (entry->kept) return STATUS_OK;
    *d = malloc(sizeof **d);
    if (!*d) abort();
    int status = data_load(&c->data, c->data_seed, *d, e);
    if (status) free(*d);
    return status;
}

void tree_data_release(struct tree *t, size_t run, struct dataset *d) {
    if (t->library->entries[t->runs[run].data].kept) return;
    data_free(d);
    free(d);
}

/* ---- runs ------------------------------------------------------------------------------------ */

struct planner {
    struct tree *tree;
    struct map *by_id;
    struct map *nets; /* net and data set combinations that were checked */
    const char *root;
    bool force;
};

static int planner_check(struct planner *p, const struct config *c, size_t data,
                         const struct dataset *d, struct error *e) {
    char key[HASH_TEXT];
    struct hash *h = hash_create();
    hash_int(h, (int64_t)data);
    hash_text(h, c->arch->name);
    settings_hash(&c->net, h);
    hash_digest(h, key);
    hash_free(h);
    int status = check_data(c, d, e);
    if (status || map_get(p->nets, key) != MAP_NONE) return status;
    map_add(p->nets, key, 0);
    return check_net(c, d, e);
}

/* Enter a config as a run, unless a run of the same id is there. Takes over the config's memory. */
static int planner_add(struct planner *p, struct config *c, size_t *which, struct error *e) {
    struct tree *t = p->tree;
    struct tree_run run = {.config = *c, .parent = TREE_NONE, .deepest = -1};
    int status = library_add(t->library, c, &run.data, e);
    const struct dataset *d = status ? NULL : &t->library->entries[run.data].data;
    if (!status) status = planner_check(p, c, run.data, d, e);
    if (!status) status = timeline_create(&run.timeline, c, d, e);
    if (status) {
        config_free(c);
        return status;
    }
    long there = map_get(p->by_id, run.timeline.run_id);
    if (there != MAP_NONE) {
        timeline_free(&run.timeline);
        config_free(c);
        *which = (size_t)there;
        return STATUS_OK;
    }
    if ((t->runs_n & (t->runs_n + 1)) == 0) { /* grow at 0, 1, 3, 7, ... */
        struct tree_run *grown = realloc(t->runs, (2 * t->runs_n + 1) * sizeof *grown);
        if (!grown) abort();
        t->runs = grown;
    }
    run.finished = !p->force && run_is_finished(p->root, &run.config, &run.timeline);
    run.deepest = run.finished ? run.timeline.total : run_deepest(p->root, &run.timeline);
    t->runs[t->runs_n] = run;
    *which = (size_t)map_add(p->by_id, run.timeline.run_id, (long)t->runs_n++);
    return STATUS_OK;
}

/* The twin is that of the point's own config: a run that two configs spell differently (a budget
 * after removal, a total) has one id, but its twins may have different budgets. */
static int planner_point(struct planner *p, const struct experiment *x, size_t i, struct error *e) {
    struct tree_point *point = &p->tree->points[i];
    struct config c, twin;
    int status = experiment_config(x, i, &c, e);
    if (status) return status;
    config_clean_twin(&twin, &c);
    status = planner_add(p, &c, &point->run, e);
    if (status) {
        config_free(&twin);
        return status;
    }
    status = planner_add(p, &twin, &point->twin, e);
    if (status) return status;
    struct tree_run *runs = p->tree->runs;
    const char *twin_id = runs[point->twin].timeline.run_id;
    if (!runs[point->run].twin_id[0]) memcpy(runs[point->run].twin_id, twin_id, HASH_TEXT);
    if (!runs[point->twin].twin_id[0]) memcpy(runs[point->twin].twin_id, twin_id, HASH_TEXT);
    return STATUS_OK;
}

/* ---- the tree -------------------------------------------------------------------------------- */

static void keep_add(struct tree_run *r, int64_t epoch) {
    for (size_t i = 0; i < r->keep_n; i++)
        if (r->keep[i] == epoch) return;
    int64_t *grown = realloc(r->keep, (r->keep_n + 1) * sizeof *grown);
    if (!grown) abort();
    r->keep = grown;
    r->keep[r->keep_n++] = epoch;
}

/* States are shared by runs that measure the same: rows have to be there too. */
static void node_name(char name[2 * HASH_TEXT], const struct timeline *t, int64_t epoch) {
    snprintf(name, 2 * HASH_TEXT, "%s-%s", t->key[epoch], t->measures);
}

/* Nodes by name: all that some entered run passes, and those that one will train in this sweep
 * (what it finds on disk it passes without leaving a state). */
struct nodes {
    struct map *passed, *trained;
};

static long node_owner(const struct map *nodes, const struct timeline *t, int64_t epoch) {
    char name[2 * HASH_TEXT];
    node_name(name, t, epoch);
    return map_get(nodes, name);
}

static int64_t deepest_passed(const struct map *passed, const struct timeline *t) {
    int64_t there = -1, missing = t->total + 1;
    while (missing - there > 1) {
        int64_t middle = there + (missing - there) / 2;
        if (node_owner(passed, t, middle) != MAP_NONE)
            there = middle;
        else
            missing = middle;
    }
    return there;
}

static void tree_enter(struct tree *t, const struct nodes *nodes, size_t i) {
    char name[2 * HASH_TEXT];
    struct tree_run *r = &t->runs[i];
    int64_t fork = deepest_passed(nodes->passed, &r->timeline);
    r->fork = r->deepest > 0 ? r->deepest : 0;
    while (fork > r->fork && node_owner(nodes->trained, &r->timeline, fork) == MAP_NONE) fork--;
    if (fork > r->fork) {
        r->parent = node_owner(nodes->trained, &r->timeline, fork);
        r->fork = fork;
        keep_add(&t->runs[r->parent], fork);
    }
    for (int64_t e = 0; e <= r->timeline.total; e++) {
        node_name(name, &r->timeline, e);
        map_add(nodes->passed, name, (long)i);
        if (e > r->fork) map_add(nodes->trained, name, (long)i);
    }
}

static int longest_first(const void *a, const void *b, void *runs) {
    const struct tree_run *r = runs;
    size_t i = *(const size_t *)a, j = *(const size_t *)b;
    if (r[i].finished != r[j].finished) return r[i].finished - r[j].finished;
    if (r[i].timeline.total != r[j].timeline.total)
        return r[i].timeline.total < r[j].timeline.total ? 1 : -1;
    return i < j ? -1 : 1;
}

static void tree_link(struct tree *t) {
    struct nodes nodes = {map_create(), map_create()};
    t->order = calloc(t->runs_n ? t->runs_n : 1, sizeof *t->order);
    if (!t->order) abort();
    for (size_t i = 0; i < t->runs_n; i++) t->order[i] = i;
    qsort_r(t->order, t->runs_n, sizeof *t->order, longest_first, t->runs);
    for (size_t i = 0; i < t->runs_n; i++)
        if (!t->runs[t->order[i]].finished) tree_enter(t, &nodes, t->order[i]);
    map_free(nodes.passed);
    map_free(nodes.trained);
}

int tree_create(struct tree *t, const struct experiment *x, const char *root, bool force,
                struct error *e) {
    *t = (struct tree){.points_n = experiment_points(x), .library = library_create()};
    t->points = calloc(t->points_n ? t->points_n : 1, sizeof *t->points);
    if (!t->points) abort();
    struct planner p = {t, map_create(), map_create(), root, force};
    int status = STATUS_OK;
    for (size_t i = 0; i < t->points_n && !status; i++) status = planner_point(&p, x, i, e);
    map_free(p.by_id);
    map_free(p.nets);
    if (status)
        tree_free(t);
    else
        tree_link(t);
    return status;
}

void tree_free(struct tree *t) {
    for (size_t i = 0; i < t->runs_n; i++) {
        config_free(&t->runs[i].config);
        timeline_free(&t->runs[i].timeline);
        free(t->runs[i].keep);
    }
    free(t->runs);
    free(t->points);
    free(t->order);
    library_free(t->library);
    *t = (struct tree){0};
}

int64_t tree_epochs(const struct tree *t) {
    int64_t sum = 0;
    for (size_t i = 0; i < t->runs_n; i++)
        if (!t->runs[i].finished) sum += t->runs[i].timeline.total - t->runs[i].fork;
    return sum;
}

int64_t tree_epochs_alone(const struct tree *t) {
    int64_t sum = 0;
    for (size_t i = 0; i < t->runs_n; i++)
        if (!t->runs[i].finished) sum += t->runs[i].timeline.total;
    return sum;
}

/* ---- telling about it ------------------------------------------------------------------------ */

static void print_run(const struct tree *t, size_t i, int depth, FILE *out) {
    const struct tree_run *r = &t->runs[i];
    fprintf(out, "%*s%.12s  %lld epochs", 2 * depth, "", r->timeline.run_id,
            (long long)r->timeline.total);
    if (r->finished)
        fprintf(out, ", finished");
    else if (r->fork)
        fprintf(out, ", %lld to train from epoch %lld on%s",
                (long long)(r->timeline.total - r->fork), (long long)r->fork,
                r->parent == TREE_NONE ? " (state on disk)" : "");
    fprintf(out, "\n");
}

static void print_branch(const struct tree *t, size_t i, int depth, FILE *out) {
    print_run(t, i, depth, out);
    if (t->runs[i].keep_n == 0) return;
    for (size_t k = 0; k < t->runs_n; k++)
        if (t->runs[k].parent == (long)i) print_branch(t, k, depth + 1, out);
}

void tree_print(const struct tree *t, const struct experiment *x, FILE *out) {
    for (size_t i = 0; i < t->runs_n; i++)
        if (t->runs[t->order[i]].parent == TREE_NONE) print_branch(t, t->order[i], 0, out);
    fprintf(out, "%s: %zu points, %zu runs with clean twins; %lld epochs to train",
            experiment_name(x), t->points_n, t->runs_n, (long long)tree_epochs(t));
    fprintf(out, " (%lld without sharing)\n", (long long)tree_epochs_alone(t));
}

static void manifest_point(const struct tree *t, const struct experiment *x, size_t i, FILE *f) {
    const struct tree_point *p = &t->points[i];
    fprintf(f, "%s\t%s\t%s", t->runs[p->run].timeline.run_id, t->runs[p->twin].timeline.run_id,
            experiment_part(x, i));
    for (size_t a = 0; a < experiment_axes(x); a++) {
        const char *label = experiment_label(x, i, a);
        fprintf(f, "\t%s", label ? label : "-");
    }
    fprintf(f, "\n");
}

int tree_manifest(const struct tree *t, const struct experiment *x, const char *path,
                  struct error *e) {
    char tmp[RUN_PATH + 8];
    snprintf(tmp, sizeof tmp, "%s.tmp", path);
    FILE *f = fopen(tmp, "w");
    if (!f) return error_set(e, STATUS_FAILED, "%s: cannot write it: %s", tmp, strerror(errno));
    fprintf(f, "# imprint sweep 1\nrun\ttwin\tpart");
    for (size_t a = 0; a < experiment_axes(x); a++)
        fprintf(f, "\t%s%s", experiment_axis(x, a), experiment_axis_is_seed(x, a) ? "*" : "");
    fprintf(f, "\n");
    for (size_t i = 0; i < t->points_n; i++) manifest_point(t, x, i, f);
    if (fclose(f) || rename(tmp, path))
        return error_set(e, STATUS_FAILED, "%s: cannot write it: %s", path, strerror(errno));
    return STATUS_OK;
}
