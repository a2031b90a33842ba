/* Segments as jobs, jobs as arrays: see jobs.h.
 *
 * The groups are made from the roots down. Every job of a group has its parent in one and the same
 * group, so the groups are a forest and Slurm can be told each dependency in one word: afterok for
 * the end of one job, aftercorr for task i after task i. The trap: never make a whole array wait for
 * a whole array, or one failed seed would stop all others. */
#include "sim/slurm/jobs.h"

#include <stdlib.h>
#include <string.h>

#include "base/text.h"

/* ---- jobs ------------------------------------------------------------------------------------ */

static void jobs_add(struct slurm_plan *p, struct slurm_job job) {
    if (!(p->jobs_n & (p->jobs_n + 1))) { /* at 0, 1, 3, 7, ... */
        struct slurm_job *grown = realloc(p->jobs, (2 * p->jobs_n + 1) * sizeof *grown);
        if (!grown) abort();
        p->jobs = grown;
    }
    p->jobs[p->jobs_n++] = job;
}

/* The job of run `parent` that ends at an epoch. */
static long jobs_ending(const struct slurm_plan *p, const size_t *first, size_t parent,
                        int64_t epoch) {
    size_t i = first[parent];
    while (i + 1 < p->jobs_n && p->jobs[i + 1].run == parent && p->jobs[i].until < epoch) i++;
    return (long)i;
}

static void jobs_of_run(struct slurm_plan *p, const struct tree *t, size_t i, size_t *first) {
    const struct tree_run *r = &t->runs[i];
    struct slurm_job job = {.run = i,
                            .from = r->start,
                            .parent = SLURM_NONE,
                            .queued = SLURM_NONE,
                            .index = SLURM_NONE,
                            .group = SLURM_NONE};
    if (r->parent != TREE_NONE) job.parent = jobs_ending(p, first, (size_t)r->parent, r->start);
    first[i] = p->jobs_n;
    for (size_t k = 0; k < r->keep_n; k++) {
        if (r->keep[k] <= job.from || r->keep[k] >= r->timeline.total) continue;
        job.until = r->keep[k];
        jobs_add(p, job);
        job.parent = (long)p->jobs_n - 1;
        job.from = job.until;
    }
    job.until = r->timeline.total;
    job.last = true;
    jobs_add(p, job);
}

static void job_alone(struct slurm_plan *p, const struct tree *t, size_t i) {
    jobs_add(p, (struct slurm_job){.run = i,
                                   .until = t->runs[i].timeline.total,
                                   .last = true,
                                   .parent = SLURM_NONE,
                                   .queued = SLURM_NONE,
                                   .index = SLURM_NONE,
                                   .group = SLURM_NONE});
}

/* The tree's order has parents ahead of the runs that start from them. */
void slurm_plan_jobs(struct slurm_plan *p, const struct tree *t, bool alone) {
    size_t *first = text_room(t->runs_n + 1, sizeof *first);
    *p = (struct slurm_plan){0};
    for (size_t k = 0; k < t->runs_n; k++) {
        size_t i = t->order[k];
        if (t->runs[i].finished) continue;
        if (alone)
            job_alone(p, t, i);
        else
            jobs_of_run(p, t, i, first);
    }
    free(first);
}

void slurm_plan_drop(struct slurm_plan *p) {
    size_t n = 0;
    long *now = text_room(p->jobs_n + 1, sizeof *now);
    for (size_t i = 0; i < p->jobs_n; i++) {
        struct slurm_job job = p->jobs[i];
        if (job.parent != SLURM_NONE) job.parent = now[job.parent];
        now[i] = job.done ? SLURM_NONE : (long)n;
        if (!job.done) p->jobs[n++] = job;
    }
    p->jobs_n = n;
    free(now);
}

/* ---- groups ---------------------------------------------------------------------------------- */

/* A job that waits for a job of the group at hand. */
struct child {
    size_t job, kind;
    long parent, index; /* the job it waits for, and that one's place in its array */
    size_t rank;        /* it is the rank-th of its parent's children of its kind */
};

struct arranger {
    struct slurm_plan *plan;
    size_t max_array;
    long *first, *next;     /* [jobs_n] children of each job in the list's order */
    struct child *children; /* [jobs_n] room for those of one group */
    size_t room;            /* of plan->groups */
};

static struct slurm_group *group_add(struct arranger *a, struct slurm_group group) {
    struct slurm_plan *p = a->plan;
    if (p->groups_n == a->room) {
        a->room = 2 * a->room + 16;
        struct slurm_group *grown = realloc(p->groups, a->room * sizeof *grown);
        if (!grown) abort();
        p->groups = grown;
    }
    p->groups[p->groups_n] = group;
    return &p->groups[p->groups_n++];
}

/* One group of the children c[0..n); without lockstep their places are 0, 1, ... */
static void group_children(struct arranger *a, const struct child *c, size_t n, long parent,
                           bool lockstep) {
    struct slurm_plan *p = a->plan;
    long number = (long)p->groups_n;
    struct slurm_group *g =
        group_add(a, (struct slurm_group){.queued = SLURM_NONE,
                                          .parent = parent,
                                          .parent_index = lockstep && n > 1 ? SLURM_NONE : c->index,
                                          .lockstep = lockstep && n > 1,
                                          .array = n > 1,
                                          .n = n,
                                          .jobs = text_room(n, sizeof *g->jobs)});
    for (size_t i = 0; i < n; i++) {
        struct slurm_job *job = &p->jobs[c[i].job];
        g->jobs[i] = c[i].job;
        job->group = number;
        job->index = n == 1 ? SLURM_NONE : lockstep ? c[i].index : (long)i;
    }
}

/* Children of one parent, or roots: in arrays as large as they may be. */
static void group_siblings(struct arranger *a, const struct child *c, size_t n, long parent) {
    size_t most = a->max_array > 1 ? a->max_array : 1;
    for (size_t i = 0; i < n; i += most)
        group_children(a, c + i, n - i < most ? n - i : most, parent, false);
}

static int compare(long a, long b) {
    return a < b ? -1 : a > b;
}

static int by_kind_and_parent(const void *x, const void *y) {
    const struct child *a = x, *b = y;
    int order = compare((long)a->kind, (long)b->kind);
    if (!order) order = compare(a->parent, b->parent);
    return order ? order : compare((long)a->job, (long)b->job);
}

static int by_rank_and_index(const void *x, const void *y) {
    const struct child *a = x, *b = y;
    int order = compare((long)a->rank, (long)b->rank);
    return order ? order : compare(a->index, b->index);
}

/* Children of one kind, sorted by parent. As many arrays as parents, or as the most children of
 * one parent. */
static void group_kind(struct arranger *a, struct child *c, size_t n, long parent) {
    size_t parents = 0, most = 0, end;
    for (size_t i = 0; i < n; i++) {
        bool is_first = i == 0 || c[i].parent != c[i - 1].parent;
        c[i].rank = is_first ? 0 : c[i - 1].rank + 1;
        parents += is_first;
        if (c[i].rank + 1 > most) most = c[i].rank + 1;
    }
    bool lockstep = parents > 1 && most <= parents && a->max_array > 1;
    if (lockstep) qsort(c, n, sizeof *c, by_rank_and_index);
    for (size_t i = 0; i < n; i = end) {
        for (end = i + 1; end < n; end++)
            if (lockstep ? c[end].rank != c[i].rank : c[end].parent != c[i].parent) break;
        if (lockstep)
            group_children(a, c + i, end - i, parent, true);
        else
            group_siblings(a, c + i, end - i, parent);
    }
}

static void group_kinds(struct arranger *a, size_t n, long parent) {
    struct child *c = a->children;
    qsort(c, n, sizeof *c, by_kind_and_parent);
    for (size_t i = 0, end; i < n; i = end) {
        for (end = i + 1; end < n && c[end].kind == c[i].kind; end++)
            ;
        group_kind(a, c + i, end - i, parent);
    }
}

static size_t child_put(struct arranger *a, size_t n, size_t job, long parent) {
    const struct slurm_job *j = &a->plan->jobs[job];
    if (j->queued != SLURM_NONE) return n;
    long index = parent == SLURM_NONE ? SLURM_NONE : a->plan->jobs[parent].index;
    a->children[n] = (struct child){job, j->kind, parent, index, 0};
    return n + 1;
}

static void group_roots(struct arranger *a) {
    size_t n = 0;
    for (size_t i = 0; i < a->plan->jobs_n; i++)
        if (a->plan->jobs[i].parent == SLURM_NONE) n = child_put(a, n, i, SLURM_NONE);
    group_kinds(a, n, SLURM_NONE);
}

static void group_below(struct arranger *a, size_t group) {
    size_t n = 0;
    for (size_t k = 0; k < a->plan->groups[group].n; k++) {
        size_t parent = a->plan->groups[group].jobs[k];
        for (long c = a->first[parent]; c != SLURM_NONE; c = a->next[c])
            n = child_put(a, n, (size_t)c, (long)parent);
    }
    group_kinds(a, n, (long)group);
}

/* ---- what is in the queue already ------------------------------------------------------------ */

static int by_place(const void *x, const void *y, void *jobs) {
    const struct slurm_job *all = jobs, *a = &all[*(const size_t *)x],
                           *b = &all[*(const size_t *)y];
    int order = compare(a->queued, b->queued);
    return order ? order : compare(a->index, b->index);
}

static void group_queued(struct arranger *a) {
    struct slurm_plan *p = a->plan;
    size_t n = 0, *jobs = text_room(p->jobs_n + 1, sizeof *jobs);
    for (size_t i = 0; i < p->jobs_n; i++)
        if (p->jobs[i].queued != SLURM_NONE) jobs[n++] = i;
    qsort_r(jobs, n, sizeof *jobs, by_place, p->jobs);
    for (size_t i = 0, end; i < n; i = end) {
        long queued = p->jobs[jobs[i]].queued;
        for (end = i; end < n && p->jobs[jobs[end]].queued == queued; end++)
            p->jobs[jobs[end]].group = (long)p->groups_n;
        struct slurm_group *g =
            group_add(a, (struct slurm_group){.queued = queued,
                                              .parent = SLURM_NONE,
                                              .parent_index = SLURM_NONE,
                                              .array = p->jobs[jobs[i]].index != SLURM_NONE,
                                              .n = end - i,
                                              .jobs = text_room(end - i, sizeof *g->jobs)});
        memcpy(g->jobs, jobs + i, (end - i) * sizeof *jobs);
    }
    free(jobs);
}

void slurm_plan_group(struct slurm_plan *p, size_t max_array) {
    struct arranger a = {.plan = p, .max_array = max_array};
    a.first = text_room(p->jobs_n + 1, sizeof *a.first);
    a.next = text_room(p->jobs_n + 1, sizeof *a.next);
    a.children = text_room(p->jobs_n + 1, sizeof *a.children);
    for (size_t i = 0; i < p->jobs_n; i++) a.first[i] = SLURM_NONE;
    for (size_t i = p->jobs_n; i-- > 0;) {
        long parent = p->jobs[i].parent;
        if (parent == SLURM_NONE) continue;
        a.next[i] = a.first[parent];
        a.first[parent] = (long)i;
    }
    group_queued(&a);
    group_roots(&a);
    for (size_t g = 0; g < p->groups_n; g++) group_below(&a, g);
    free(a.first);
    free(a.next);
    free(a.children);
}

void slurm_plan_free(struct slurm_plan *p) {
    for (size_t g = 0; g < p->groups_n; g++) free(p->groups[g].jobs);
    free(p->groups);
    free(p->jobs);
    *p = (struct slurm_plan){0};
}
