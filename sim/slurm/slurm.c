/* Submitting a tree: see slurm.h.
 *
 * A launcher may die at any instant, and so may any job. Before sbatch is called the ledger holds
 * what is about to be submitted and under which name, so nothing is submitted twice; the roots are
 * submitted held and released at the very end, so nothing has started when a later submission is
 * refused. The trap is in Slurm: a job whose parent failed and was forgotten counts its dependency
 * as met. Here that is harmless, for a job without its parent's state trains what is missing. */
#include "sim/slurm/slurm.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/hash.h"
#include "base/map.h"
#include "base/system.h"
#include "base/text.h"
#include "sim/claim.h"
#include "sim/log.h"
#include "sim/run.h"
#include "sim/slurm/jobs.h"
#include "sim/slurm/queue.h"
#include "sim/slurm/submit.h"

enum { TITLE_TEXT = 256, PATH_TEXT = STORE_PATH, ARRAY_DEFAULT = 1001 };

/* Numbers of jobs as Slurm's programs take them: "12", "12_3". */
struct numbers {
    size_t n, room;
    char **all;
};

struct launch {
    const struct tree *tree;
    const struct slurm_options *options;
    struct slurm_outcome *out;
    char folder[STORE_FOLDER]; /* results/<experiment> */
    char stem[9];              /* of this launch's files and job names */
    struct slurm_plan plan;
    size_t first; /* group to be submitted; those before it are in the queue */
    struct slurm_queue queue;
    struct map *kinds; /* what jobs ask for, by a hash */
    size_t kinds_n;
    struct settings *kind;    /* [kinds_n] */
    struct numbers submitted; /* now */
    struct numbers held;      /* to be released at the end */
    struct numbers unwanted;  /* in the queue, but they would never start */
};

static const char *name_of(const struct launch *l) {
    return experiment_name(l->tree->experiment);
}

static const struct timeline *timeline_of(const struct launch *l, const struct slurm_job *j) {
    return &l->tree->runs[j->run].timeline;
}

static void numbers_add(struct numbers *n, long id, long index) {
    struct text t = {0};
    text_add(&t, "%ld", id);
    if (index != SLURM_NONE) text_add(&t, "_%ld", index);
    if (n->n == n->room) {
        n->room = 2 * n->room + 16;
        char **grown = realloc(n->all, n->room * sizeof *grown);
        if (!grown) abort();
        n->all = grown;
    }
    n->all[n->n++] = text_take(&t);
}

/* Whole arrays, whose tasks come one after the other. */
static void numbers_add_once(struct numbers *n, long id) {
    if (n->n == 0 || strtol(n->all[n->n - 1], NULL, 10) != id) numbers_add(n, id, SLURM_NONE);
}

static void numbers_free(struct numbers *n) {
    for (size_t i = 0; i < n->n; i++) free(n->all[i]);
    free(n->all);
}

static const char *const *numbers_list(const struct numbers *n) {
    return (const char *const *)n->all;
}

static void rest(double seconds) {
    struct timespec t = {.tv_sec = (time_t)seconds};
    nanosleep(&t, NULL);
}

static bool is_stopped(const struct slurm_options *o) {
    return o->stop && *o->stop;
}

/* ---- what jobs ask for ----------------------------------------------------------------------- */

static int check_options(const struct settings *s, struct error *e) {
    size_t n;
    const char *const *options = settings_texts(s, "options", &n);
    for (size_t i = 0; i < n; i++)
        if (options[i][0] != '-')
            return error_set(e, STATUS_USAGE,
                             "slurm.options[%zu]: '%s' is no option of sbatch; write each as one "
                             "word, as in --constraint=avx512",
                             i, text_shown(options[i]).text);
    return STATUS_OK;
}

static size_t kind_of(struct launch *l, const struct settings *s) {
    char digest[HASH_TEXT];
    struct hash *h = hash_create();
    for (size_t i = 0; i < s->n; i++) hash_text(h, s->values[i].is_set ? s->values[i].text : NULL);
    hash_digest(h, digest);
    hash_free(h);
    long there = map_add(l->kinds, digest, (long)l->kinds_n);
    if ((size_t)there < l->kinds_n) return (size_t)there;
    struct settings *grown = realloc(l->kind, (l->kinds_n + 1) * sizeof *grown);
    if (!grown) abort();
    l->kind = grown;
    settings_copy(&l->kind[l->kinds_n], s);
    return l->kinds_n++;
}

/* ---- files ----------------------------------------------------------------------------------- */

static int write_file(const char *path, const char *text, mode_t mode, struct error *e) {
    char tmp[PATH_TEXT + 64];
    system_temporary(tmp, sizeof tmp, path);
    FILE *f = fopen(tmp, "w");
    bool whole = f && fputs(text, f) >= 0 && !fflush(f) && !fsync(fileno(f));
    int problem = errno;
    if (f && fclose(f) && whole) {
        whole = false;
        problem = errno;
    }
    if (whole && !chmod(tmp, mode) && !rename(tmp, path)) return STATUS_OK;
    if (whole) problem = errno;
    unlink(tmp);
    return error_set(e, STATUS_FAILED, "%s: cannot write it: %s", path, strerror(problem));
}

static int write_config(const struct launch *l, size_t run, const struct config *c,
                        struct error *e) {
    char path[PATH_TEXT];
    const char *id = l->tree->runs[run].timeline.run_id;
    snprintf(path, sizeof path, "%s/slurm/%s.yaml", l->folder, id);
    char *text = config_dump(c);
    int status = write_file(path, text, 0666, e);
    free(text);
    snprintf(path, sizeof path, "%s/slurm/%s.requeued", l->folder, id); /* a new beginning */
    unlink(path);
    return status;
}

/* The config of every run that jobs have to be submitted for; without `write`, only looked at. */
static int configs(struct launch *l, bool write, struct error *e) {
    size_t seen = SIZE_MAX, kind = 0;
    for (size_t i = 0; i < l->plan.jobs_n; i++) {
        struct slurm_job *j = &l->plan.jobs[i];
        struct config c;
        if (j->queued != SLURM_NONE) continue;
        if (j->run != seen) {
            int status = tree_config(l->tree, j->run, &c, e);
            if (status) return status;
            status = check_options(&c.slurm, e);
            if (!status && write) status = write_config(l, j->run, &c, e);
            kind = kind_of(l, &c.slurm);
            config_free(&c);
            if (status) return status;
            seen = j->run;
        }
        j->kind = kind;
    }
    return STATUS_OK;
}

/* ---- scripts --------------------------------------------------------------------------------- */

static void program_path(struct text *t) {
    static const char gone[] = " (deleted)"; /* built anew since we started */
    char path[PATH_TEXT];
    ssize_t n = readlink("/proc/self/exe", path, sizeof path - 1);
    path[n > 0 ? n : 0] = '\0';
    size_t length = strlen(path), tail = sizeof gone - 1;
    if (length > tail && !strcmp(path + length - tail, gone)) path[length - tail] = '\0';
    slurm_quote(t, *path ? path : "imprint");
}

/* A title in a comment of the script: a line break in a label must not end the comment. */
static void add_title(struct text *t, const struct launch *l, size_t run) {
    char title[TITLE_TEXT];
    tree_title(l->tree, run, title, sizeof title);
    for (char *c = title; *c; c++)
        if ((unsigned char)*c < ' ' || *c == 127) *c = '?';
    text_add(t, "%s", title);
}

static void script_job(struct text *t, const struct launch *l, const struct slurm_job *j) {
    const struct tree_run *r = &l->tree->runs[j->run];
    if (j->index != SLURM_NONE) text_add(t, "%ld) ", j->index);
    text_add(t, "run=%s; set --", r->timeline.run_id);
    if (!j->last) text_add(t, " --until %" PRId64, j->until);
    if (r->again) text_add(t, " --force");
    if (!l->options->reuse) text_add(t, " --no-reuse");
    if (l->options->record_host) text_add(t, " --record-host");
    text_add(t, "%s # epochs %" PRId64 " to %" PRId64 " of ", j->index == SLURM_NONE ? "" : " ;;",
             j->from, j->until);
    add_title(t, l, j->run);
    text_add(t, "\n");
}

static char *script_text(const struct launch *l, const struct slurm_group *g) {
    struct text t = {0};
    text_add(&t, "#!/bin/sh\n# Written by 'imprint sweep --launcher slurm', which submits what is "
                 "missing when it is called again.\n");
    if (g->array) text_add(&t, "case $SLURM_ARRAY_TASK_ID in\n");
    for (size_t i = 0; i < g->n; i++) script_job(&t, l, &l->plan.jobs[g->jobs[i]]);
    if (g->array) text_add(&t, "*) echo \"no task $SLURM_ARRAY_TASK_ID\" >&2; exit 2 ;;\nesac\n");
    text_add(&t, "exec ");
    program_path(&t);
    text_add(&t, " run ");
    slurm_quote(&t, l->folder);
    text_add(&t, "\"/slurm/$run.yaml\" \"$@\" --job --quiet --out ");
    slurm_quote(&t, l->options->root);
    text_add(&t, "\n");
    return text_take(&t);
}

/* ---- submitting ------------------------------------------------------------------------------ */

static void end_name(char end[SLURM_END], const struct timeline *t, int64_t epoch) {
    snprintf(end, SLURM_END, "%s-%s", t->key[epoch], t->measures);
}

static struct slurm_entry *entries_of(const struct launch *l, const struct slurm_group *g,
                                      const char *name) {
    struct slurm_entry *all = text_room(g->n, sizeof *all);
    for (size_t i = 0; i < g->n; i++) {
        const struct slurm_job *j = &l->plan.jobs[g->jobs[i]];
        const struct timeline *t = timeline_of(l, j);
        all[i] = (struct slurm_entry){
            .task = j->index, .id = -1, .from = j->from, .until = j->until, .last = j->last};
        snprintf(all[i].name, SLURM_NAME, "%s", name);
        snprintf(all[i].run, HASH_TEXT, "%s", t->run_id);
        end_name(all[i].end, t, j->until);
    }
    return all;
}

/* "afterok:12_3", "aftercorr:12"; NULL: it waits for nothing. */
static char *dependency_of(const struct launch *l, const struct slurm_group *g) {
    struct text t = {0};
    if (g->parent == SLURM_NONE) return NULL;
    text_add(&t, "%s:%ld", g->lockstep ? "aftercorr" : "afterok", l->plan.groups[g->parent].queued);
    if (g->parent_index != SLURM_NONE) text_add(&t, "_%ld", g->parent_index);
    return text_take(&t);
}

static char *array_of(const struct launch *l, const struct slurm_group *g) {
    struct text t = {0};
    if (!g->array) return NULL;
    long *indices = text_room(g->n, sizeof *indices);
    for (size_t i = 0; i < g->n; i++) indices[i] = l->plan.jobs[g->jobs[i]].index;
    slurm_indices(&t, indices, g->n);
    free(indices);
    return text_take(&t);
}

/* Slurm reads '%' in the path of an output file as its own, also in that of the job's folder when
 * the path is a relative one. */
static char *output_of(const struct launch *l, const struct slurm_group *g, size_t number) {
    char here[PATH_TEXT];
    struct text path = {0}, t = {0};
    if (*l->folder != '/' && getcwd(here, sizeof here)) text_add(&path, "%s/", here);
    text_add(&path, "%s", l->folder);
    for (const char *c = path.data; *c; c++) text_add(&t, *c == '%' ? "%%%%" : "%c", *c);
    text_add(&t, "/slurm/%s-%zu-%s.out", l->stem, number, g->array ? "%A_%a" : "%j");
    free(path.data);
    return text_take(&t);
}

/* What waits for nothing submitted now could start at once. */
static bool is_held(const struct launch *l, const struct slurm_group *g) {
    return g->parent == SLURM_NONE || (size_t)g->parent < l->first;
}

static int call_sbatch(const struct launch *l, const struct slurm_group *g, size_t number,
                       const char *name, const char *script, long *id, struct error *e) {
    char *array = array_of(l, g), *dependency = dependency_of(l, g);
    char *output = output_of(l, g, number);
    struct slurm_batch b = {.name = name,
                            .script = script,
                            .output = output,
                            .resources = &l->kind[l->plan.jobs[g->jobs[0]].kind],
                            .array = array,
                            .dependency = dependency,
                            .hold = is_held(l, g)};
    int status = slurm_submit(&b, id, e);
    free(array);
    free(dependency);
    free(output);
    return status;
}

static void note_submitted(struct launch *l, struct slurm_group *g, long id) {
    g->queued = id;
    numbers_add(&l->submitted, id, SLURM_NONE);
    if (is_held(l, g)) numbers_add(&l->held, id, SLURM_NONE);
    if (!l->out->first) l->out->first = id;
    l->out->jobs += g->n;
    l->out->arrays += g->array;
    l->out->singles += !g->array;
}

/* One group: script and ledger first, then sbatch, then its number. */
static int submit_group(struct launch *l, struct slurm_group *g, size_t number, struct error *e) {
    char name[SLURM_NAME], script[PATH_TEXT];
    snprintf(name, sizeof name, "%s-%s-%zu", name_of(l), l->stem, number);
    snprintf(script, sizeof script, "%s/slurm/%s-%zu.sh", l->folder, l->stem, number);
    char *text = script_text(l, g);
    struct slurm_entry *entries = entries_of(l, g, name);
    long id = -1;
    int status = write_file(script, text, 0777, e);
    if (!status) status = slurm_ledger_add(l->folder, entries, g->n, e);
    if (!status) status = call_sbatch(l, g, number, name, script, &id, e);
    if (!status) {
        note_submitted(l, g, id);
        for (size_t i = 0; i < g->n; i++) entries[i].id = id;
        status = slurm_ledger_add(l->folder, entries, g->n, e);
    }
    free(text);
    free(entries);
    return status;
}

static int submit_groups(struct launch *l, struct error *e) {
    size_t n = l->plan.groups_n - l->first;
    struct error why = {0};
    int status = STATUS_OK;
    for (size_t i = 0; i < n && !status; i++) {
        if (is_stopped(l->options))
            status = error_set(&why, STATUS_INTERRUPTED, "interrupted");
        else
            status = submit_group(l, &l->plan.groups[l->first + i], i + 1, &why);
    }
    if (!status) return STATUS_OK;
    slurm_cancel(numbers_list(&l->submitted), l->submitted.n);
    return error_set(e, status, "submission %zu of %zu: %s; nothing is left of the others",
                     l->submitted.n + 1, n, why.text);
}

/* ---- what is in the queue already ------------------------------------------------------------ */

/* Jobs that are ending may be queued again or be gone in a moment. */
static int read_settled(struct launch *l, struct error *e) {
    enum { PATIENCE = 15 };
    for (int attempt = 0;; attempt++) {
        bool settled = true;
        int status = slurm_queue_read(&l->queue, l->folder, e);
        for (size_t i = 0; !status && i < l->queue.n; i++)
            settled = settled && l->queue.entries[i].state != SLURM_ENDING;
        if (status || settled || attempt == PATIENCE) return status;
        slurm_queue_free(&l->queue);
        rest(1.0);
    }
}

/* Jobs by the state they end in, or by the run that they end. */
static struct map *index_queue(const struct slurm_queue *q) {
    struct map *m = map_create();
    for (size_t i = 0; i < q->n; i++) {
        const struct slurm_entry *s = &q->entries[i];
        if (s->state != SLURM_NEVER && (!slurm_is_queued(s->state) || s->state == SLURM_ENDING))
            continue;
        const char *const keys[] = {s->end, s->last ? s->run : s->end};
        for (size_t k = 0; k < 2; k++) {
            long there = map_get(m, keys[k]);
            if (there == MAP_NONE || q->entries[there].state < s->state)
                map_set(m, keys[k], (long)i);
        }
    }
    return m;
}

/* The tree was planned a moment ago; jobs may have ended since. */
static bool is_done(const struct launch *l, const struct store *store, const struct slurm_job *j) {
    char path[RUN_PATH];
    const struct timeline *t = timeline_of(l, j);
    if (!j->last) return l->options->reuse && store_find(store, t, j->until) == STORED_KEPT;
    run_log_path(path, l->options->root, name_of(l), t);
    return !l->tree->runs[j->run].again && !access(path, F_OK) && log_end(path) != LOG_END_NOT;
}

/* A job stays when it runs, or when what it waits for is on disk or stays itself; else it would
 * never start, or start too early. */
static void keep_or_cancel(struct launch *l, struct slurm_job *j, const struct slurm_entry *s) {
    const struct slurm_job *parent = j->parent == SLURM_NONE ? NULL : &l->plan.jobs[j->parent];
    bool parent_stays = !parent || parent->done || parent->queued != SLURM_NONE;
    if (s->state == SLURM_RUNNING || (s->state != SLURM_NEVER && parent_stays)) {
        j->queued = s->id;
        j->index = s->task < 0 ? SLURM_NONE : s->task;
        l->out->queued++;
        if (!strcmp(s->reason, "JobHeldUser")) numbers_add_once(&l->held, s->id);
    } else {
        numbers_add(&l->unwanted, s->id, s->task < 0 ? SLURM_NONE : s->task);
        l->out->replaced++;
    }
}

static void match_queue(struct launch *l) {
    char end[SLURM_END];
    struct map *m = index_queue(&l->queue);
    struct store store;
    store_at(&store, l->options->root);
    for (size_t i = 0; i < l->plan.jobs_n; i++) {
        struct slurm_job *j = &l->plan.jobs[i];
        end_name(end, timeline_of(l, j), j->until);
        long at = map_get(m, j->last ? timeline_of(l, j)->run_id : end);
        if (at != MAP_NONE)
            keep_or_cancel(l, j, &l->queue.entries[at]);
        else
            j->done = is_done(l, &store, j);
    }
    slurm_plan_drop(&l->plan);
    map_free(m);
    slurm_cancel(numbers_list(&l->unwanted), l->unwanted.n);
}

/* ---- the launch ------------------------------------------------------------------------------ */

static void make_stem(struct launch *l) {
    char digest[HASH_TEXT], place[SYSTEM_PLACE];
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    system_place(place);
    struct hash *h = hash_create();
    hash_text(h, place);
    hash_int(h, getpid());
    hash_int(h, now.tv_sec);
    hash_int(h, now.tv_nsec);
    hash_digest(h, digest);
    hash_free(h);
    snprintf(l->stem, sizeof l->stem, "%.8s", digest);
}

static void group(struct launch *l, size_t max_array) {
    slurm_plan_group(&l->plan, max_array);
    while (l->first < l->plan.groups_n && l->plan.groups[l->first].queued != SLURM_NONE) l->first++;
}

static int prepare(struct launch *l, struct error *e) {
    char path[PATH_TEXT];
    snprintf(path, sizeof path, "%s/runs", l->folder);
    int status = system_make_folder(path, e);
    snprintf(path, sizeof path, "%s/slurm", l->folder);
    if (!status) status = system_make_folder(path, e);
    if (status) return status;
    system_remove_temporaries(path);
    return tree_write(l->tree, l->folder, e);
}

/* Only one launcher at a time; the other one then finds the jobs in the queue. */
static int claim_folder(const struct launch *l, struct claim **claim, struct error *e) {
    char path[PATH_TEXT], holder[CLAIM_HOLDER];
    bool said = false;
    snprintf(path, sizeof path, "%s/slurm/launcher", l->folder);
    for (;;) {
        int status = claim_take(claim, path, holder, e);
        if (status || *claim) return status;
        if (!said) fprintf(stderr, "imprint: %s submits this sweep: waiting for it\n", holder);
        said = true;
        rest(1.0);
        if (is_stopped(l->options))
            return error_set(e, STATUS_INTERRUPTED, "interrupted while it waited");
    }
}

static int submit_all(struct launch *l, struct error *e) {
    size_t max_array;
    int status = slurm_max_array(&max_array, e);
    if (!status) status = read_settled(l, e);
    if (status) return status;
    slurm_plan_jobs(&l->plan, l->tree, !l->options->reuse);
    match_queue(l);
    status = configs(l, true, e);
    if (status) return status;
    group(l, max_array);
    status = submit_groups(l, e);
    return status ? status : slurm_release(numbers_list(&l->held), l->held.n, e);
}

/* ---- waiting --------------------------------------------------------------------------------- */

/* Nothing more will come of it: it is finished, it left a sentence, or its job was ended. */
static bool run_ended(const struct launch *l, size_t i) {
    char path[RUN_PATH];
    const struct timeline *t = &l->tree->runs[i].timeline;
    const struct slurm_entry *job = slurm_queue_run(&l->queue, t->run_id);
    if (job && (job->state == SLURM_CANCELLED || job->state == SLURM_FAILED)) return true;
    run_error_path(path, l->options->root, name_of(l), t);
    return run_is_finished(l->options->root, name_of(l), t) || !access(path, F_OK);
}

static size_t count_queued(const struct slurm_queue *q, const struct map *ours, size_t *running) {
    size_t n = 0;
    *running = 0;
    for (size_t i = 0; i < q->n; i++) {
        char id[24];
        snprintf(id, sizeof id, "%ld", q->entries[i].id);
        if (map_get(ours, id) == MAP_NONE || !slurm_is_queued(q->entries[i].state)) continue;
        n++;
        *running += q->entries[i].state == SLURM_RUNNING;
    }
    return n;
}

/* The numbers of all arrays and jobs that the sweep hangs on. */
static struct map *ours_of(const struct launch *l) {
    struct map *m = map_create();
    for (size_t g = 0; g < l->plan.groups_n; g++) {
        char id[24];
        snprintf(id, sizeof id, "%ld", l->plan.groups[g].queued);
        map_add(m, id, 0);
    }
    return m;
}

/* Until none of them is in the queue, which is asked every other second in the first minute, every
 * ten seconds later. A controller that does not answer is no news. */
static void wait_for_queue(struct launch *l, const struct map *ours) {
    size_t shown = SIZE_MAX, running, left = 1;
    bool said = false;
    for (int asked = 0; left && !is_stopped(l->options); asked++) {
        struct error e = {0};
        rest(asked < 30 ? 2.0 : 10.0);
        slurm_queue_free(&l->queue);
        if (slurm_queue_read(&l->queue, l->folder, &e)) {
            if (!said) fprintf(stderr, "imprint: %s; trying again\n", e.text);
            said = true;
            continue;
        }
        said = false;
        left = count_queued(&l->queue, ours, &running);
        if (!l->options->quiet && left != shown)
            fprintf(stderr, "imprint: %zu jobs in the queue, %zu of them running\n", left, running);
        shown = left;
    }
}

/* On a shared file system the last files of a job may appear after the job is gone. */
static void wait_for_files(const struct launch *l) {
    enum { PATIENCE = 10 };
    for (int attempt = 0; attempt < PATIENCE && !is_stopped(l->options); attempt++) {
        bool all = true;
        for (size_t i = 0; i < l->tree->runs_n && all; i++) all = run_ended(l, i);
        if (all) return;
        rest(1.0);
    }
}

static void count_runs(const struct launch *l) {
    char path[RUN_PATH];
    for (size_t i = 0; i < l->tree->runs_n; i++) {
        run_log_path(path, l->options->root, name_of(l), &l->tree->runs[i].timeline);
        enum log_end end = log_end(path);
        l->out->done += end == LOG_END_DONE;
        l->out->diverged += end == LOG_END_DIVERGED;
    }
}

static int wait_for_all(struct launch *l, struct error *e) {
    struct map *ours = ours_of(l);
    if (l->plan.groups_n) {
        wait_for_queue(l, ours);
        wait_for_files(l);
    }
    map_free(ours);
    if (is_stopped(l->options))
        return error_set(e, STATUS_INTERRUPTED,
                         "interrupted; the jobs stay in the queue (scancel ends them)");
    count_runs(l);
    return l->out->done == l->tree->runs_n ? STATUS_OK : STATUS_RUNS_FAILED;
}

/* ---- the whole ------------------------------------------------------------------------------- */

static void launch_begin(struct launch *l) {
    snprintf(l->folder, sizeof l->folder, "%s/%s", l->options->root, name_of(l));
    make_stem(l);
    l->kinds = map_create();
}

static void launch_free(struct launch *l) {
    slurm_plan_free(&l->plan);
    slurm_queue_free(&l->queue);
    map_free(l->kinds);
    for (size_t i = 0; i < l->kinds_n; i++) settings_free(&l->kind[i]);
    free(l->kind);
    numbers_free(&l->submitted);
    numbers_free(&l->held);
    numbers_free(&l->unwanted);
}

int launch_slurm(const struct tree *t, const struct slurm_options *o, struct slurm_outcome *out,
                 struct error *e) {
    struct launch l = {.tree = t, .options = o, .out = out};
    struct claim *claim = NULL;
    *out = (struct slurm_outcome){0};
    int status = slurm_check(e);
    if (status) return status;
    launch_begin(&l);
    status = prepare(&l, e);
    if (!status) status = claim_folder(&l, &claim, e);
    if (!status) status = submit_all(&l, e);
    claim_release(claim);
    if (!status) count_runs(&l);
    if (!status && o->wait) {
        out->done = out->diverged = 0;
        status = wait_for_all(&l, e);
    }
    launch_free(&l);
    return status;
}

static void print_group(const struct launch *l, size_t g, FILE *out) {
    const struct slurm_group *is = &l->plan.groups[g];
    const struct slurm_job *j = &l->plan.jobs[is->jobs[0]];
    char title[TITLE_TEXT];
    tree_title(l->tree, j->run, title, sizeof title);
    fprintf(out, "  %zu  ", g + 1);
    if (is->array)
        fprintf(out, "array of %zu", is->n);
    else
        fprintf(out, "job");
    if (is->parent != SLURM_NONE) fprintf(out, " after %ld", is->parent + 1);
    if (is->parent_index != SLURM_NONE) fprintf(out, "_%ld", is->parent_index);
    if (is->lockstep) fprintf(out, ", task by task");
    fprintf(out, ": epochs %" PRId64 " to %" PRId64 " of %s%s\n", j->from, j->until, title,
            is->n > 1 ? ", ..." : "");
}

int slurm_print(const struct tree *t, bool reuse, FILE *out, struct error *e) {
    struct slurm_options options = {.root = "", .reuse = reuse};
    struct slurm_outcome none = {0};
    struct launch l = {.tree = t, .options = &options, .out = &none};
    launch_begin(&l);
    slurm_plan_jobs(&l.plan, t, !reuse);
    int status = configs(&l, false, e);
    if (!status) {
        group(&l, ARRAY_DEFAULT);
        fprintf(out, "%zu jobs in %zu submissions\n", l.plan.jobs_n, l.plan.groups_n);
        for (size_t g = 0; g < l.plan.groups_n; g++) print_group(&l, g, out);
    }
    launch_free(&l);
    return status;
}
