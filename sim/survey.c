/* Reading plan.tsv, logs, errors and claims: see survey.h.
 *
 * The traps: names in plan.tsv become paths, so that anything but a hash is refused; a parent may
 * stand below its child; a finished log counts although its .error file is still there, and a claim
 * counts more than both, since a run may be trained again. */
#include "sim/survey.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/h5.h"
#include "base/map.h"
#include "base/text.h"

enum { KEY = HASH_TEXT - 1, PATH_TEXT = 4096 };

bool survey_is_key(const char *text, size_t n) {
    return n == KEY && strspn(text, "0123456789abcdef") >= n;
}

const char *survey_state_name(enum survey_state s) {
    static const char *const names[SURVEY_STATES] = {
        [SURVEY_DONE] = "done",       [SURVEY_RUNNING] = "running",
        [SURVEY_PENDING] = "pending", [SURVEY_WAITING] = "waiting",
        [SURVEY_FAILED] = "failed",   [SURVEY_INTERRUPTED] = "interrupted",
        [SURVEY_DAMAGED] = "damaged", [SURVEY_DIVERGED] = "diverged",
        [SURVEY_QUEUED] = "queued",   [SURVEY_CANCELLED] = "cancelled"};
    return names[s];
}

static bool is_folder(const char *path) {
    struct stat is;
    return !stat(path, &is) && S_ISDIR(is.st_mode);
}

static char *joined(const char *folder, const char *name) {
    struct text t = {0};
    text_add(&t, "%s/%s", folder, name);
    return text_take(&t);
}

/* ---- claims and states of every numerics id -------------------------------------------------- */

struct holdings {
    struct map *states;  /* keys */
    struct map *claimed; /* run id -> worker */
    char (*workers)[CLAIM_HOLDER];
    size_t workers_n;
};

/* KEY.h5, or KEY-MEASURES.state.h5 of a part */
static void holdings_state(struct holdings *h, const char *folder, const char *name) {
    char key[HASH_TEXT];
    (void)folder;
    if (!survey_is_key(name, KEY)) return;
    if (strcmp(name + KEY, ".h5") != 0 && !strstr(name + KEY, ".state.h5")) return;
    snprintf(key, sizeof key, "%.*s", KEY, name);
    map_add(h->states, key, 0);
}

static void holdings_claim(struct holdings *h, const char *folder, const char *name) {
    char holder[CLAIM_HOLDER];
    if (!survey_is_key(name, strlen(name))) return;
    char *path = joined(folder, name);
    bool held = claim_is_held(path, holder);
    free(path);
    if (!held) return;
    void *grown = realloc(h->workers, (h->workers_n + 1) * sizeof *h->workers);
    if (!grown) abort();
    h->workers = grown;
    memcpy(h->workers[h->workers_n], holder, sizeof holder);
    map_add(h->claimed, name, (long)h->workers_n++);
}

typedef void visit(struct holdings *h, const char *folder, const char *name);

static void visit_folder(struct holdings *h, const char *folder, visit *see) {
    DIR *d = opendir(folder);
    for (struct dirent *f; d && (f = readdir(d));) see(h, folder, f->d_name);
    if (d) closedir(d);
}

/* results/<kind>/<numerics id>/<name>, for every numerics id */
static void visit_kind(struct holdings *h, const char *root, const char *kind, visit *see) {
    char *above = joined(root, kind);
    DIR *d = opendir(above);
    for (struct dirent *f; d && (f = readdir(d));) {
        if (!survey_is_key(f->d_name, strlen(f->d_name))) continue;
        char *folder = joined(above, f->d_name);
        visit_folder(h, folder, see);
        free(folder);
    }
    if (d) closedir(d);
    free(above);
}

struct holdings *holdings_read(const char *root) {
    struct holdings *h = text_room(1, sizeof *h);
    h->states = map_create();
    h->claimed = map_create();
    visit_kind(h, root, "states", holdings_state);
    visit_kind(h, root, "parts", holdings_state);
    visit_kind(h, root, "claims", holdings_claim);
    return h;
}

void holdings_free(struct holdings *h) {
    if (!h) return;
    map_free(h->states);
    map_free(h->claimed);
    free(h->workers);
    free(h);
}

const char *holdings_worker(const struct holdings *h, const char *run_id) {
    long which = map_get(h->claimed, run_id);
    return which == MAP_NONE ? NULL : h->workers[which];
}

const char *holdings_any_worker(const struct holdings *h) {
    return h->workers_n ? h->workers[0] : NULL;
}

bool holdings_has_state(const struct holdings *h, const char *key) {
    return map_get(h->states, key) != MAP_NONE;
}

/* ---- plan.tsv -------------------------------------------------------------------------------- */

static const char *const PLAN_FIRST = "# imprint plan 1";
static const char *const PLAN_COLUMNS = "run\tepochs\tstart\tstart_key\tparent\ttitle";

struct reading {
    struct survey *survey;
    struct map *by_id;
};

static struct survey_run *add_run(struct reading *r, const char *id) {
    struct survey *s = r->survey;
    if (!(s->n & (s->n + 1))) { /* at 0, 1, 3, 7, ... */
        struct survey_run *grown = realloc(s->runs, (2 * s->n + 1) * sizeof *grown);
        if (!grown) abort();
        s->runs = grown;
    }
    map_add(r->by_id, id, (long)s->n);
    struct survey_run *run = &s->runs[s->n++];
    *run = (struct survey_run){.epochs = -1, .parent = SURVEY_NONE, .rows = -1};
    snprintf(run->id, sizeof run->id, "%s", id);
    return run;
}

static int plan_fail(const char *file, size_t line, const char *what, struct error *e) {
    return error_set(e, STATUS_FAILED,
                     "%s:%zu: %s; it is damaged: start the sweep again, which writes it anew", file,
                     line, what);
}

static int plan_run(struct reading *r, char *text, const char *file, size_t line, struct error *e) {
    enum { RUN, EPOCHS, START, START_KEY, PARENT, TITLE, CELLS };
    char *cell[CELLS], *rest = text;
    int64_t epochs, start;
    for (size_t i = 0; i < CELLS; i++)
        if (!(cell[i] = strsep(&rest, "\t"))) return plan_fail(file, line, "has no title", e);
    bool parentless = !strcmp(cell[PARENT], "-");
    if (!survey_is_key(cell[RUN], strlen(cell[RUN])) ||
        !survey_is_key(cell[START_KEY], strlen(cell[START_KEY])) ||
        (!parentless && !survey_is_key(cell[PARENT], strlen(cell[PARENT]))))
        return plan_fail(file, line, "holds something else than a run's id and key", e);
    if (!text_integer(cell[EPOCHS], &epochs) || !text_integer(cell[START], &start) || start < 0 ||
        start > epochs)
        return plan_fail(file, line, "holds something else than epochs", e);
    if (map_get(r->by_id, cell[RUN]) != MAP_NONE)
        return plan_fail(file, line, "names a run twice", e);
    struct survey_run *run = add_run(r, cell[RUN]);
    run->planned = true;
    run->epochs = epochs;
    run->start = start;
    run->title = text_copy(cell[TITLE]);
    memcpy(run->start_key, cell[START_KEY], HASH_TEXT);
    if (!parentless) memcpy(run->parent_id, cell[PARENT], HASH_TEXT);
    return STATUS_OK;
}

static int plan_line(struct reading *r, char *text, size_t n, const char *file, size_t line,
                     struct error *e) {
    if (!n || text[n - 1] != '\n') return plan_fail(file, line, "ends in the middle of a line", e);
    text[n - 1] = '\0';
    if (strlen(text) != n - 1) return plan_fail(file, line, "holds a NUL byte", e);
    if (line == 1 && strcmp(text, PLAN_FIRST) != 0)
        return plan_fail(file, line, "does not begin as a plan", e);
    if (line == 2 && strncmp(text, PLAN_COLUMNS, strlen(PLAN_COLUMNS)) != 0)
        return plan_fail(file, line, "has other columns", e);
    return line < 3 ? STATUS_OK : plan_run(r, text, file, line, e);
}

static int plan_lines(struct reading *r, FILE *in, const char *file, struct error *e) {
    char *text = NULL;
    size_t room = 0, line = 0;
    int status = STATUS_OK;
    for (ssize_t n; !status && (n = getline(&text, &room, in)) >= 0;)
        status = plan_line(r, text, (size_t)n, file, ++line, e);
    free(text);
    if (!status && ferror(in))
        return error_set(e, STATUS_FAILED, "%s: cannot read it: %s", file, strerror(errno));
    return !status && line < 2 ? plan_fail(file, line + 1, "ends too early", e) : status;
}

static int plan_parents(struct reading *r, const char *file, struct error *e) {
    struct survey *s = r->survey;
    for (size_t i = 0; i < s->n; i++) {
        if (!s->runs[i].parent_id[0]) continue;
        s->runs[i].parent = map_get(r->by_id, s->runs[i].parent_id);
        if (s->runs[i].parent == MAP_NONE)
            return plan_fail(file, i + 3, "names a parent that is no run", e);
    }
    return STATUS_OK;
}

static int plan_read(struct reading *r, struct error *e) {
    char *file = joined(r->survey->folder, "plan.tsv");
    FILE *in = fopen(file, "r");
    int status = STATUS_OK;
    if (!in && errno != ENOENT)
        status = error_set(e, STATUS_FAILED, "%s: cannot read it: %s", file, strerror(errno));
    if (in) {
        r->survey->has_plan = true;
        status = plan_lines(r, in, file, e);
        if (!status) status = plan_parents(r, file, e);
        fclose(in);
    }
    free(file);
    return status;
}

/* ---- what lies in runs/ ---------------------------------------------------------------------- */

char *survey_path(const struct survey *s, const struct survey_run *r, const char *ending) {
    struct text t = {0};
    text_add(&t, "%s/runs/%s%s", s->folder, r->id, ending);
    return text_take(&t);
}

static enum survey_log log_says(struct h5_reader *file, struct survey_run *r) {
    static const struct {
        const char *status;
        enum survey_log log;
    } known[] = {{"running", SURVEY_LOG_RUNNING},
                 {"interrupted", SURVEY_LOG_INTERRUPTED},
                 {"done", SURVEY_LOG_DONE},
                 {"diverged", SURVEY_LOG_DIVERGED}};
    char *status = h5_attr_text(file, "/", "status");
    enum survey_log log = SURVEY_LOG_DAMAGED;
    for (size_t i = 0; status && i < sizeof known / sizeof *known; i++)
        if (!strcmp(status, known[i].status)) log = known[i].log;
    free(status);
    if (log == SURVEY_LOG_DAMAGED) r->why = text_copy("its log has no status that imprint writes");
    return log;
}

/* A run that no plan names is told by what its log says. */
static char *log_title(struct h5_reader *file) {
    struct text t = {0};
    int64_t removal = h5_attr_int(file, "/", "removal", -1);
    int64_t seed = h5_attr_int(file, "/", "seed", -1);
    text_add(&t, "removal=%lld seed=%lld", (long long)removal, (long long)seed);
    return text_take(&t);
}

static void log_facts(struct survey_run *r, struct h5_reader *file) {
    size_t shape[H5_RANK];
    r->log = log_says(file, r);
    if (h5_shape(file, "epoch", shape) == 1 && shape[0] > 0) r->rows = (int64_t)shape[0] - 1;
    if (!r->planned) r->epochs = h5_attr_int(file, "/", "total_epochs", -1);
    char *key = h5_attr_text(file, "/", "prefix_key");
    if (key && survey_is_key(key, strlen(key))) memcpy(r->final_key, key, HASH_TEXT);
    free(key);
    if (!r->title) r->title = log_title(file);
}

static void read_log(const struct survey *s, struct survey_run *r) {
    struct h5_reader *file;
    struct error e = {0};
    struct stat is;
    char *path = survey_path(s, r, ".h5");
    if (!stat(path, &is)) r->touched = is.st_mtime;
    if (h5_open_sealed(&file, path, &e)) {
        r->log = SURVEY_LOG_DAMAGED;
        r->why = text_copy(e.text);
    } else {
        log_facts(r, file);
        h5_close(file);
    }
    free(path);
}

/* The sentence that the run failed with; it says more than a damaged log. */
static void read_error(const struct survey *s, struct survey_run *r) {
    char sentence[1024] = "";
    char *path = survey_path(s, r, ".error");
    FILE *f = fopen(path, "r");
    free(path);
    if (f) {
        size_t n = fread(sentence, 1, sizeof sentence - 1, f);
        sentence[n] = '\0';
        sentence[strcspn(sentence, "\n")] = '\0';
        fclose(f);
    }
    r->has_error = true;
    free(r->why);
    r->why = text_copy(sentence[0] ? sentence : "its error file says nothing");
}

static struct survey_run *run_named(struct reading *r, const char *name) {
    char id[HASH_TEXT];
    snprintf(id, sizeof id, "%.*s", KEY, name);
    long there = map_get(r->by_id, id);
    return there == MAP_NONE ? add_run(r, id) : &r->survey->runs[there];
}

static int by_name(const void *a, const void *b) {
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Names in a folder, sorted, since folders come in no order. */
static char **names_in(const char *folder, size_t *n) {
    char **names = NULL;
    *n = 0;
    DIR *d = opendir(folder);
    for (struct dirent *f; d && (f = readdir(d));) {
        if (!(*n & (*n + 1))) {
            char **grown = realloc(names, (2 * *n + 1) * sizeof *grown);
            if (!grown) abort();
            names = grown;
        }
        names[(*n)++] = text_copy(f->d_name);
    }
    if (d) closedir(d);
    if (*n) qsort(names, *n, sizeof *names, by_name);
    return names;
}

static void read_runs(struct reading *r) {
    size_t n;
    char *folder = joined(r->survey->folder, "runs");
    char **names = names_in(folder, &n);
    for (size_t i = 0; i < n; i++) {
        bool is_run = survey_is_key(names[i], KEY);
        if (is_run && !strcmp(names[i] + KEY, ".h5"))
            read_log(r->survey, run_named(r, names[i]));
        else if (is_run && !strcmp(names[i] + KEY, ".error"))
            read_error(r->survey, run_named(r, names[i]));
        free(names[i]);
    }
    free(names);
    free(folder);
}

/* ---- the state of a run ---------------------------------------------------------------------- */

static bool log_is_finished(const struct survey_run *r) {
    return r->log == SURVEY_LOG_DONE || r->log == SURVEY_LOG_DIVERGED;
}

bool survey_is_finished(const struct survey_run *r) {
    return r->state == SURVEY_DONE || r->state == SURVEY_DIVERGED;
}

/* It waits while its parent, which is to train the state that it starts from, can still do so. */
static bool is_waiting(const struct survey *s, const struct survey_run *r, bool has_start) {
    if (r->parent == SURVEY_NONE || has_start) return false;
    const struct survey_run *parent = &s->runs[r->parent];
    return parent->worker || (!parent->has_error && !log_is_finished(parent));
}

/* From all facts to a state: the first that holds. */
static enum survey_state survey_decide(const struct survey *s, const struct survey_run *r,
                                       bool has_start) {
    if (r->worker) return SURVEY_RUNNING;
    if (r->log == SURVEY_LOG_DONE) return SURVEY_DONE;
    if (r->log == SURVEY_LOG_DIVERGED) return SURVEY_DIVERGED;
    if (r->has_error) return SURVEY_FAILED;
    if (r->log == SURVEY_LOG_DAMAGED) return SURVEY_DAMAGED;
    if (r->log != SURVEY_LOG_NONE) return SURVEY_INTERRUPTED;
    return is_waiting(s, r, has_start) ? SURVEY_WAITING : SURVEY_PENDING;
}

/* The live log is two seconds behind at most. A run that has none yet has the epochs of the state
 * that it starts from. */
static int64_t epochs_done(const struct survey_run *r, bool has_start) {
    int64_t done = has_start ? r->start : 0;
    if (r->log != SURVEY_LOG_DAMAGED && r->rows > done) done = r->rows;
    return r->epochs >= 0 && done > r->epochs ? r->epochs : done;
}

static void decide(struct survey *s, const struct holdings *h) {
    for (size_t i = 0; i < s->n; i++) s->runs[i].worker = holdings_worker(h, s->runs[i].id);
    for (size_t i = 0; i < s->n; i++) {
        struct survey_run *r = &s->runs[i];
        bool has_start = r->planned && r->start > 0 && holdings_has_state(h, r->start_key);
        r->state = survey_decide(s, r, has_start);
        r->done = epochs_done(r, has_start);
        if (!r->title) r->title = text_copy("");
    }
}

/* What the queue adds: it knows who will be at work, and who never will. */
static enum survey_state decide_job(const struct survey_run *r) {
    if (r->worker || log_is_finished(r)) return r->state;
    if (r->job->state == SLURM_RUNNING) return SURVEY_RUNNING;
    if (slurm_is_queued(r->job->state)) return SURVEY_QUEUED;
    bool is_off = r->job->state == SLURM_CANCELLED || r->job->state == SLURM_NEVER;
    return is_off && !r->has_error ? SURVEY_CANCELLED : r->state;
}

int survey_ask_queue(struct survey *s, struct error *e) {
    int status = slurm_queue_read(&s->queue, s->folder, e);
    for (size_t i = 0; i < s->n && !status; i++) {
        struct survey_run *r = &s->runs[i];
        r->job = slurm_queue_run(&s->queue, r->id);
        if (r->job) r->state = decide_job(r);
    }
    return status;
}

/* ---- an experiment --------------------------------------------------------------------------- */

static char *last_part(const char *folder) {
    size_t n = strlen(folder);
    while (n > 1 && folder[n - 1] == '/') n--;
    size_t first = n;
    while (first > 0 && folder[first - 1] != '/') first--;
    return strndup(folder + first, n - first);
}

int survey_read(struct survey **out, const char *folder, const struct holdings *h,
                struct error *e) {
    struct survey *s = text_room(1, sizeof *s);
    struct reading r = {.survey = s, .by_id = map_create()};
    s->folder = text_copy(folder);
    s->name = last_part(folder);
    int status = plan_read(&r, e);
    if (!status) {
        read_runs(&r);
        decide(s, h);
    }
    map_free(r.by_id);
    if (status) survey_free(s);
    *out = status ? NULL : s;
    return status;
}

void survey_free(struct survey *s) {
    if (!s) return;
    for (size_t i = 0; i < s->n; i++) {
        free(s->runs[i].title);
        free(s->runs[i].why);
    }
    slurm_queue_free(&s->queue);
    free(s->runs);
    free(s->folder);
    free(s->name);
    free(s);
}

static bool has(const char *folder, const char *name) {
    struct stat is;
    char *path = joined(folder, name);
    bool there = !stat(path, &is);
    free(path);
    return there;
}

bool survey_is_experiment(const char *folder) {
    char *runs = joined(folder, "runs");
    bool is = has(folder, "plan.tsv") || is_folder(runs);
    free(runs);
    return is;
}

char **survey_experiments(const char *root, size_t *n) {
    size_t all, kept = 0;
    char **names = names_in(root, &all);
    for (size_t i = 0; i < all; i++) {
        char *name = names[i], *folder = joined(root, name);
        bool is = name[0] != '.' && survey_is_experiment(folder);
        free(name);
        if (is)
            names[kept++] = folder;
        else
            free(folder);
    }
    *n = kept;
    return names;
}
