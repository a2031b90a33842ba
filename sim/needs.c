/* Which states an unfinished run may start from: see needs.h.
 *
 *   - the one that the plan says it starts from, or one that it keeps for others;
 *   - one that it may pass although the plan does not know it (another sweep left it, or a process
 *     died between the state and the log): it has the same initialization, lies among the epochs
 *     that the run has to train, and the run's own plan knows no other use for it.
 *
 * A run that no plan names (`imprint run`) is known by its log alone, which tells how far it came,
 * but not its initialization: it may pass every state that no finished run and no plan explains,
 * and every state of the epoch where it stands. */
#include "sim/needs.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "base/text.h"

/* Where unfinished runs may pass: states of these epochs. */
struct path {
    char initial[HASH_TEXT];     /* key of their initialization; "": unknown */
    int64_t after, until;        /* epochs */
    const struct map *explained; /* keys whose use is known: they are not passed unknown */
    long next;                   /* of the same initialization; MAP_NONE */
};

struct needs {
    const struct stock *stock;
    struct survey *const *surveys;
    size_t surveys_n, unfinished;
    struct map *named;         /* keys of states that runs start from or keep */
    struct map *final;         /* keys of the last states of finished runs */
    struct map *explained;     /* keys that some plan or finished run has a use for */
    struct map **explained_in; /* likewise, by survey */
    struct map *reached;       /* epochs, as texts, where runs without a plan stand */
    struct path *paths;
    size_t paths_n;
    struct map *paths_from; /* initialization -> the first of its paths */
};

static void note(struct map *m, const char *key) {
    if (key[0]) map_add(m, key, 0);
}

static bool has(const struct map *m, const char *key) {
    return key[0] && map_get(m, key) != MAP_NONE;
}

static void note_epoch(struct map *m, int64_t epoch) {
    char text[32];
    snprintf(text, sizeof text, "%" PRId64, epoch);
    map_add(m, text, 0);
}

static bool has_epoch(const struct map *m, int64_t epoch) {
    char text[32];
    snprintf(text, sizeof text, "%" PRId64, epoch);
    return map_get(m, text) != MAP_NONE;
}

/* The run at the top of the plan mostly starts from scratch, and so names the initialization. */
static void initial_of_run(const struct needs *n, const struct survey *s,
                           const struct survey_run *r, char initial[HASH_TEXT]) {
    const struct survey_run *top = r;
    initial[0] = '\0';
    if (!r->planned) return;
    for (size_t steps = 0; top->parent != SURVEY_NONE && steps < s->n; steps++)
        top = &s->runs[top->parent];
    if (top->start == 0)
        memcpy(initial, top->start_key, HASH_TEXT);
    else
        stock_initial_of(n->stock, top->start_key, initial);
    if (!initial[0]) stock_initial_of(n->stock, r->start_key, initial);
}

/* Runs of one initialization in one plan make one path, the widest. */
static void path_add(struct needs *n, struct path p) {
    long first = map_get(n->paths_from, p.initial);
    for (long i = first; n->paths && i != MAP_NONE; i = n->paths[i].next) {
        struct path *there = &n->paths[i];
        if (there->explained != p.explained) continue;
        if (p.after < there->after) there->after = p.after;
        if (p.until > there->until) there->until = p.until;
        return;
    }
    if (!(n->paths_n & (n->paths_n + 1))) {
        struct path *grown = realloc(n->paths, (2 * n->paths_n + 1) * sizeof *grown);
        if (!grown) abort();
        n->paths = grown;
    }
    p.next = first;
    map_set(n->paths_from, p.initial, (long)n->paths_n);
    n->paths[n->paths_n++] = p;
}

static void need_run(struct needs *n, size_t which, const struct survey_run *r) {
    struct path p = {.after = r->planned ? r->start : -1,
                     .until = r->epochs >= 0 ? r->epochs : INT64_MAX,
                     .explained = r->planned ? n->explained_in[which] : n->explained};
    initial_of_run(n, n->surveys[which], r, p.initial);
    note(n->named, r->start_key);
    if (!r->planned && r->rows >= 0) note_epoch(n->reached, r->rows);
    path_add(n, p);
}

/* Finished runs explain the states they started from and ended in. */
static void needs_of_survey(struct needs *n, size_t which) {
    const struct survey *s = n->surveys[which];
    struct map *explained = n->explained_in[which] = map_create();
    for (size_t i = 0; i < s->n; i++) {
        const struct survey_run *r = &s->runs[i];
        bool finished = survey_is_finished(r);
        bool parent_needs = r->parent != SURVEY_NONE && !survey_is_finished(&s->runs[r->parent]);
        if (finished && r->state == SURVEY_DONE) {
            note(n->final, r->final_key);
            note(explained, r->final_key);
            note(n->explained, r->final_key);
        }
        note(explained, r->start_key);
        note(n->explained, r->start_key);
        if (parent_needs) note(n->named, r->start_key);
        if (!finished) need_run(n, which, r);
        n->unfinished += !finished;
    }
}

static bool path_may_pass(const struct path *p, const char *key, int64_t epoch) {
    return epoch > p->after && epoch <= p->until && !has(p->explained, key);
}

static bool some_path_may_pass(const struct needs *n, long first, const char *key, int64_t epoch) {
    for (long i = first; i != MAP_NONE; i = n->paths[i].next)
        if (path_may_pass(&n->paths[i], key, epoch)) return true;
    return false;
}

bool needs_maybe(const struct needs *n, const char *key, const struct rows_facts *facts) {
    if (facts->epoch < 0) return false; /* without rows nothing can start from it */
    if (has_epoch(n->reached, facts->epoch)) return true;
    if (some_path_may_pass(n, map_get(n->paths_from, ""), key, facts->epoch)) return true;
    if (facts->initial[0])
        return some_path_may_pass(n, map_get(n->paths_from, facts->initial), key, facts->epoch);
    for (size_t i = 0; i < n->paths_n; i++)
        if (path_may_pass(&n->paths[i], key, facts->epoch)) return true;
    return false;
}

bool needs_state(const struct needs *n, const char *key) {
    return has(n->named, key);
}

bool needs_is_final(const struct needs *n, const char *key) {
    return has(n->final, key);
}

size_t needs_unfinished(const struct needs *n) {
    return n->unfinished;
}

struct needs *needs_create(struct survey *const *surveys, size_t surveys_n,
                           const struct stock *stock) {
    struct needs *n = text_room(1, sizeof *n);
    *n = (struct needs){.stock = stock,
                        .surveys = surveys,
                        .surveys_n = surveys_n,
                        .named = map_create(),
                        .final = map_create(),
                        .explained = map_create(),
                        .reached = map_create(),
                        .paths_from = map_create()};
    n->explained_in = text_room(surveys_n, sizeof *n->explained_in);
    for (size_t i = 0; i < surveys_n; i++) needs_of_survey(n, i);
    return n;
}

void needs_free(struct needs *n) {
    if (!n) return;
    struct map *const maps[] = {n->named, n->final, n->explained, n->reached, n->paths_from};
    for (size_t i = 0; i < sizeof maps / sizeof *maps; i++) map_free(maps[i]);
    for (size_t i = 0; i < n->surveys_n; i++) map_free(n->explained_in[i]);
    free(n->explained_in);
    free(n->paths);
    free(n);
}
