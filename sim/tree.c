/* Planning a sweep: see tree.h.
 *
 * The shape is a radix tree over prefix keys. A key that occurs at a depth occurs nowhere else, so
 * one map from "first key of a segment" to the segment finds every child; since equal keys at e
 * imply equal keys before e, how far a run follows a segment is found by bisection. Runs are entered
 * longest first; a run owns the segments that nobody before it trains.
 *
 * Two traps. A state on disk but not in this sweep's tree (an earlier sweep's, a killed one's) may be
 * deeper than any that another run passes: then the run waits for nobody, and the epochs before are
 * nobody's; a third run may need a state among them and then trains it. And states are shared only by
 * runs that measure the same: rows have to be there too, so the map's keys name the measures. */
#include "sim/tree.h"

#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "sim/check.h"
#include "sim/control.h"
#include "sim/data.h"
#include "sim/library.h"
#include "sim/log.h"
#include "sim/run.h"

/* ---- runs ------------------------------------------------------------------------------------ */

struct planner {
    struct tree *tree;
    const struct tree_options *options;
    struct map *by_id;
    struct map *made; /* configs of controls that were met, by their settings */
    struct map *nets; /* net and data set combinations that were checked */
    struct map *kinds;
    struct shelf *shelf;
    int64_t bytes;
};

static int planner_check(struct planner *p, const struct config *c, size_t data, struct error *e) {
    char key[HASH_TEXT];
    const struct dataset *d = library_about(p->tree->library, data);
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

static void hash_but_seed(struct hash *h, const struct settings *s) {
    for (size_t i = 0; i < s->n; i++)
        if (strcmp(s->values[i].param->name, "seed") != 0)
            hash_text(h, s->values[i].is_set ? s->values[i].text : NULL);
}

/* Stabilizers cost in their windows, which the estimate knows; how much depends on what they do and
 * how often, hardly on how strongly. */
static void hash_stabilizers(struct hash *h, const struct config *c) {
    for (size_t i = 0; i < c->stabilizers_n; i++) {
        const struct settings *s = &c->stabilizers[i];
        const struct stabilizer *type = c->stabilizer_types[i];
        bool off = type->is_identity && type->is_identity(s);
        hash_int(h, !off && settings_real(s, "strength") != 0.0);
        for (size_t k = 0; k < s->n; k++) {
            const struct setting *v = &s->values[k];
            if (v->param->type == PARAM_REAL || v->param->type == PARAM_EPOCH) continue;
            hash_text(h, v->is_set ? v->text : NULL);
        }
    }
}

/* What an epoch costs depends on sizes, not on seeds, rates or windows. */
static size_t planner_kind(struct planner *p, const struct config *c, const struct dataset *d) {
    char key[HASH_TEXT];
    struct hash *h = hash_create();
    size_t n;
    const char *const *measures = settings_texts(&c->top, "measures", &n);
    for (size_t i = 0; i < n; i++) hash_text(h, measures[i]);
    for (size_t m = 0; m < d->modalities_n; m++)
        hash_int(h, (int64_t)modality_bytes(&d->modality[m]));
    const size_t sizes[] = {d->train.n, d->test.n, d->validation.n, c->deficits_n};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) hash_int(h, (int64_t)sizes[i]);
    hash_text(h, c->arch->name);
    hash_text(h, c->optimizer_type->name);
    hash_int(h, settings_int(&c->train, "batch"));
    hash_but_seed(h, &c->net);
    hash_but_seed(h, &c->augment);
    hash_but_seed(h, &c->eval);
    hash_but_seed(h, &c->fisher);
    hash_stabilizers(h, c);
    hash_digest(h, key);
    hash_free(h);
    long kind = map_add(p->kinds, key, (long)p->tree->kinds_n);
    if (kind == (long)p->tree->kinds_n) p->tree->kinds_n++;
    return (size_t)kind;
}

/* A million runs of a hundred epochs fill gigabytes: say so before they do. */
static int planner_room(struct planner *p, const struct tree_run *r, struct error *e) {
    int64_t limit = p->options->memory_bytes ? p->options->memory_bytes : TREE_MEMORY;
    int64_t bytes =
        (int64_t)(sizeof *r + 2 * sizeof(struct tree_segment)) +
        (r->timeline.total + 1) * (int64_t)(sizeof *r->timeline.key + sizeof *r->timeline.rate);
    p->bytes += bytes;
    bool first = p->tree->runs_n == 0;
    int64_t expected = first ? bytes * (int64_t)p->tree->points_n : p->bytes;
    if (expected <= limit) return STATUS_OK;
    return error_set(e, STATUS_USAGE,
                     "a plan of %zu points needs more than %lld MiB of memory; --memory MIB raises "
                     "the limit, or make several sweeps of it (they share states)",
                     p->tree->points_n, (long long)(limit >> 20));
}

static void planner_look(const struct planner *p, struct tree_run *r) {
    char path[RUN_PATH];
    run_log_path(path, p->options->root, experiment_name(p->tree->experiment), &r->timeline);
    enum log_end end = log_end(path);
    r->again = p->options->force || (end == LOG_END_DIVERGED && p->options->retry_diverged);
    r->finished = end != LOG_END_NOT && !r->again;
    r->diverged = r->finished && end == LOG_END_DIVERGED;
    r->known = r->states = -1;
    if (r->finished || !p->options->reuse) return;
    r->known = shelf_deepest(p->shelf, &r->timeline);
    r->states = shelf_deepest_state(p->shelf, &r->timeline);
}

static void tree_grow(struct tree *t) {
    if (t->runs_n & (t->runs_n + 1)) return; /* at 0, 1, 3, 7, ... */
    struct tree_run *grown = realloc(t->runs, (2 * t->runs_n + 1) * sizeof *grown);
    if (!grown) abort();
    t->runs = grown;
}

/* A run that is met again as a point goes by the point's name: rather "remedy=none" than "control
 * of remedy=late". Clean twins keep theirs. */
static void run_rename(struct tree_run *r, size_t point, enum run_role role) {
    if (r->role <= ROLE_TWIN || role > ROLE_TWIN) return;
    r->point = point;
    r->role = role;
}

/* Enter a config as a run, unless a run of the same id is there. */
static int planner_add(struct planner *p, const struct config *c, size_t point, enum run_role role,
                       long *which, struct error *e) {
    struct tree *t = p->tree;
    struct tree_run run = {.point = point, .role = role, .parent = TREE_NONE};
    int status = library_add(t->library, c, &run.data, e);
    if (!status) status = planner_check(p, c, run.data, e);
    if (!status) status = timeline_create(&run.timeline, c, library_about(t->library, run.data), e);
    if (status) return status;
    *which = map_get(p->by_id, run.timeline.run_id);
    if (*which == MAP_NONE) status = planner_room(p, &run, e);
    if (*which != MAP_NONE || status) {
        if (!status) run_rename(&t->runs[*which], point, role);
        timeline_free(&run.timeline);
        return status;
    }
    tree_grow(t);
    planner_look(p, &run);
    run.kind = planner_kind(p, c, library_about(t->library, run.data));
    run.twin = t->runs_n;
    t->runs[t->runs_n] = run;
    *which = map_add(p->by_id, run.timeline.run_id, (long)t->runs_n++);
    return STATUS_OK;
}

/* Many points share a control: its timeline is made once. Changes the point's config. */
static int planner_control(struct planner *p, struct config *c, size_t point, enum run_role role,
                           struct error *e) {
    char key[HASH_TEXT];
    long *which = &p->tree->points[point].role[role];
    int status = control_config(role, c, e);
    if (status) return status;
    config_digest(c, key);
    *which = map_get(p->made, key);
    if (*which != MAP_NONE) return STATUS_OK;
    status = planner_add(p, c, point, role, which, e);
    if (!status) map_add(p->made, key, *which);
    return status;
}

/* A copy costs as much as a timeline: the last control takes the point's own config. */
static int planner_controls(struct planner *p, struct config *c, size_t point, struct error *e) {
    bool applies[RUN_ROLES];
    enum run_role last = ROLE_TWIN;
    int status = control_roles(applies, c, experiment_controls(p->tree->experiment), e);
    if (status) return status;
    for (enum run_role role = ROLE_TWIN; role < RUN_ROLES; role++)
        if (applies[role]) last = role;
    for (enum run_role role = ROLE_TWIN; role < last && !status; role++) {
        struct config own;
        if (!applies[role]) continue;
        config_copy(&own, c);
        status = planner_control(p, &own, point, role, e);
        config_free(&own);
    }
    return status ? status : planner_control(p, c, point, last, e);
}

/* A run's twin is that of the config which it goes by: a run that two configs spell differently (a
 * budget after removal, a total) has one id, but its twins may have different budgets. */
static void planner_pair(struct tree *t, size_t point) {
    const long *runs = t->points[point].role;
    for (enum run_role role = ROLE_POINT; role < RUN_ROLES; role++) {
        struct tree_run *r = runs[role] == TREE_NONE ? NULL : &t->runs[runs[role]];
        if (r && r->point == point && r->role == role) r->twin = (size_t)runs[control_twin(role)];
    }
}

static int planner_point(struct planner *p, size_t i, struct error *e) {
    struct tree_point *point = &p->tree->points[i];
    struct config c;
    int status = experiment_config(p->tree->experiment, i, &c, e);
    if (status) return status;
    for (enum run_role role = ROLE_POINT; role < RUN_ROLES; role++) point->role[role] = TREE_NONE;
    status = planner_add(p, &c, i, ROLE_POINT, &point->role[ROLE_POINT], e);
    if (!status) status = planner_controls(p, &c, i, e);
    if (!status) planner_pair(p->tree, i);
    config_free(&c);
    return status;
}

/* ---- the shape ------------------------------------------------------------------------------- */

struct shape {
    struct tree *tree;
    struct map *by_key; /* first key of a segment, with its measures -> segment */
    size_t room;
};

static void node_name(char name[2 * HASH_TEXT], const struct timeline *t, int64_t epoch) {
    memcpy(name, t->key[epoch], HASH_TEXT - 1);
    memcpy(name + HASH_TEXT - 1, t->measures, HASH_TEXT);
}

/* The state that tells a segment from its siblings: the first after its beginning. */
static int64_t first_state(const struct tree_segment *s) {
    return s->parent == TREE_NONE ? 0 : s->from + 1;
}

static void shape_index(struct shape *s, size_t segment) {
    char name[2 * HASH_TEXT];
    const struct tree_segment *is = &s->tree->segments[segment];
    node_name(name, &s->tree->runs[is->run].timeline, first_state(is));
    map_add(s->by_key, name, (long)segment);
}

static size_t shape_add(struct shape *s, struct tree_segment segment) {
    struct tree *t = s->tree;
    if (t->segments_n == s->room) {
        s->room = 2 * s->room + 64;
        struct tree_segment *grown = realloc(t->segments, s->room * sizeof *grown);
        if (!grown) abort();
        t->segments = grown;
    }
    t->segments[t->segments_n] = segment;
    return t->segments_n++;
}

/* Cut a segment in two at a state inside it: the same number keeps the lower part, which its
 * children know; the upper part is new and takes its place in the map. */
static long shape_cut(struct shape *s, size_t segment, int64_t at) {
    struct tree_segment upper = s->tree->segments[segment];
    upper.until = at;
    upper.on_disk = false;
    size_t made = shape_add(s, upper);
    struct tree_segment *lower = &s->tree->segments[segment];
    char name[2 * HASH_TEXT];
    node_name(name, &s->tree->runs[upper.run].timeline, first_state(&upper));
    map_set(s->by_key, name, (long)made);
    lower->from = at;
    lower->parent = (long)made;
    shape_index(s, segment);
    return (long)made;
}

/* How far run i follows a segment: the last state that they share. */
static int64_t shape_follow(const struct shape *s, const struct tree_segment *is, size_t i) {
    const struct timeline *a = &s->tree->runs[is->run].timeline, *b = &s->tree->runs[i].timeline;
    int64_t same = first_state(is), other = is->until + 1;
    if (other > b->total + 1) other = b->total + 1;
    while (other - same > 1) {
        int64_t middle = same + (other - same) / 2;
        if (!memcmp(a->key[middle], b->key[middle], HASH_TEXT))
            same = middle;
        else
            other = middle;
    }
    return same;
}

/* Walk down as far as run i's path is there, cutting at `stop` on the way (-1: nowhere) and where
 * the run leaves a segment. Returns the segment whose end it reached, its depth in *depth. */
static long shape_descend(struct shape *s, size_t i, int64_t stop, int64_t *depth) {
    const struct timeline *t = &s->tree->runs[i].timeline;
    char name[2 * HASH_TEXT];
    long at = TREE_NONE;
    *depth = -1;
    while (*depth < t->total) {
        node_name(name, t, *depth + 1);
        long next = map_get(s->by_key, name);
        if (next == MAP_NONE) break;
        struct tree_segment *is = &s->tree->segments[next];
        int64_t end = shape_follow(s, is, i);
        if (stop >= first_state(is) && stop < end) end = stop;
        *depth = end;
        at = end < is->until ? shape_cut(s, (size_t)next, end) : next;
    }
    return at;
}

/* Run i's path: walk what is there, add what is not, with a cut at `stop`. */
static void shape_enter(struct shape *s, size_t i, int64_t stop) {
    const struct timeline *t = &s->tree->runs[i].timeline;
    int64_t depth;
    long at = shape_descend(s, i, stop, &depth);
    while (depth < t->total) {
        int64_t end = stop > depth && stop < t->total ? stop : t->total;
        at = (long)shape_add(s, (struct tree_segment){.from = depth < 0 ? 0 : depth,
                                                      .until = end,
                                                      .run = i,
                                                      .parent = at,
                                                      .owner = TREE_NONE});
        shape_index(s, (size_t)at);
        depth = end;
    }
    s->tree->runs[i].segment = at;
}

/* ---- the work -------------------------------------------------------------------------------- */

/* Where run i starts: the deepest state on its path that is on disk or that another run trains. */
static void work_assign(struct tree *t, size_t i) {
    struct tree_run *r = &t->runs[i];
    r->start = r->known > 0 ? r->known : 0;
    for (long s = r->segment; s != TREE_NONE; s = t->segments[s].parent) {
        const struct tree_segment *is = &t->segments[s];
        if (is->owner == TREE_NONE || is->until <= r->start) continue;
        r->parent = is->owner;
        r->start = is->until;
        break;
    }
    for (long s = r->segment; s != TREE_NONE && t->segments[s].until > r->start;
         s = t->segments[s].parent)
        t->segments[s].owner = (long)i;
}

/* The branches on a run's path, from its end up, in order. */
static void keep_branches(const struct tree *t, const size_t *ways, struct tree_run *r) {
    size_t n = 0;
    for (int fill = 0; fill < 2; fill++) {
        if (fill && !(r->keep = malloc((n + 1) * sizeof *r->keep))) abort();
        r->keep_n = n;
        for (long s = r->segment; s != TREE_NONE; s = t->segments[s].parent) {
            int64_t epoch = t->segments[s].until;
            if (ways[s] < 2 || epoch == 0 || epoch == r->timeline.total) continue;
            if (fill)
                r->keep[--n] = epoch;
            else
                n++;
        }
    }
}

/* Which states are kept follows from the tree alone, not from what is on disk or who trains what:
 * a sweep that was killed anywhere ends with the files of one that was not, and what a dead run's
 * children train in its stead it finds again. */
static void tree_keep(struct tree *t) {
    size_t *ways = calloc(t->segments_n + 1, sizeof *ways);
    if (!ways) abort();
    for (size_t i = 0; i < t->segments_n; i++)
        if (t->segments[i].parent != TREE_NONE) ways[t->segments[i].parent]++;
    for (size_t i = 0; i < t->runs_n; i++) ways[t->runs[i].segment]++;
    for (size_t i = 0; i < t->runs_n; i++)
        if (!t->runs[i].finished) keep_branches(t, ways, &t->runs[i]);
    free(ways);
}

/* Unfinished runs first, then the longest path, then the order of the points. */
static int longest_first(const void *a, const void *b, void *runs) {
    const struct tree_run *r = runs;
    size_t i = *(const size_t *)a, j = *(const size_t *)b;
    if (r[i].finished != r[j].finished) return r[i].finished - r[j].finished;
    if (r[i].timeline.total != r[j].timeline.total)
        return r[i].timeline.total < r[j].timeline.total ? 1 : -1;
    return i < j ? -1 : i > j;
}

static void tree_order(struct tree *t) {
    t->order = calloc(t->runs_n + 1, sizeof *t->order);
    if (!t->order) abort();
    for (size_t i = 0; i < t->runs_n; i++) t->order[i] = i;
    qsort_r(t->order, t->runs_n, sizeof *t->order, longest_first, t->runs);
}

static void tree_link(struct tree *t, const struct planner *p) {
    struct shape s = {t, map_create(), 0};
    for (size_t k = 0; k < t->runs_n; k++) {
        size_t i = t->order[k];
        shape_enter(&s, i, t->runs[i].finished ? -1 : t->runs[i].known);
        if (!t->runs[i].finished && p->options->share) work_assign(t, i);
    }
    for (size_t i = 0; i < t->segments_n; i++) {
        struct tree_segment *is = &t->segments[i];
        is->on_disk = shelf_has(p->shelf, &t->runs[is->run].timeline, is->until);
    }
    if (p->options->share) tree_keep(t);
    map_free(s.by_key);
}

/* ---- the whole ------------------------------------------------------------------------------- */

static int plan(struct planner *p, struct error *e) {
    struct tree *t = p->tree;
    for (size_t i = 0; i < t->points_n; i++) {
        int status = planner_point(p, i, e);
        if (status) return status;
    }
    tree_order(t);
    tree_link(t, p);
    return STATUS_OK;
}

int tree_create(struct tree *t, const struct experiment *x, const struct tree_options *o,
                struct error *e) {
    struct store store;
    store_at(&store, o->root);
    *t = (struct tree){
        .experiment = x, .points_n = experiment_points(x), .library = library_create()};
    t->points = calloc(t->points_n + 1, sizeof *t->points);
    if (!t->points) abort();
    struct planner p = {.tree = t,
                        .options = o,
                        .by_id = map_create(),
                        .made = map_create(),
                        .nets = map_create(),
                        .kinds = map_create(),
                        .shelf = shelf_read(&store)};
    int status = plan(&p, e);
    map_free(p.by_id);
    map_free(p.made);
    map_free(p.nets);
    map_free(p.kinds);
    shelf_free(p.shelf);
    if (status) tree_free(t);
    return status;
}

void tree_free(struct tree *t) {
    for (size_t i = 0; i < t->runs_n; i++) {
        timeline_free(&t->runs[i].timeline);
        free(t->runs[i].keep);
    }
    free(t->runs);
    free(t->segments);
    free(t->points);
    free(t->order);
    library_free(t->library);
    *t = (struct tree){0};
}

int tree_config(const struct tree *t, size_t run, struct config *c, struct error *e) {
    int status = experiment_config(t->experiment, t->runs[run].point, c, e);
    if (status) return status;
    status = control_config(t->runs[run].role, c, e);
    if (status) config_free(c);
    return status;
}

int tree_data(struct tree *t, size_t run, struct dataset **d, struct error *e) {
    struct config c;
    int status = tree_config(t, run, &c, e);
    if (status) return status;
    status = library_get(t->library, t->runs[run].data, &c, d, e);
    config_free(&c);
    return status;
}

void tree_data_release(struct tree *t, size_t run, struct dataset *d) {
    library_release(t->library, t->runs[run].data, d);
}

size_t tree_controls(const struct tree *t) {
    size_t n = 0;
    for (size_t i = 0; i < t->runs_n; i++) n += t->runs[i].role > ROLE_TWIN;
    return n;
}

int64_t tree_epochs(const struct tree *t) {
    int64_t sum = 0;
    for (size_t i = 0; i < t->runs_n; i++)
        if (!t->runs[i].finished) sum += t->runs[i].timeline.total - t->runs[i].start;
    return sum;
}

int64_t tree_epochs_alone(const struct tree *t) {
    int64_t sum = 0;
    for (size_t i = 0; i < t->runs_n; i++)
        if (!t->runs[i].finished) sum += t->runs[i].timeline.total;
    return sum;
}
