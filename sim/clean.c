/* What may go, and what stays: see clean.h.
 *
 * A state stays when an unfinished run may start from it:
 *   - it is the one that the plan says the run starts from, or one that it keeps for others;
 *   - or it may be one that the run passes, although the plan does not know it (another sweep left
 *     it, or a process died between the state and the log): it has the same initialization, lies
 *     among the epochs that the run has to train, and the run's own plan knows no other use for it.
 * A run that no plan names (`imprint run`) is known by its log alone, which tells how far it came,
 * but not its initialization: for it every state stays that no finished run and no plan explains.
 *
 * Rows stay that a state or a part in use needs: rows name the link before theirs in the chain
 * (sim/rows.h). Parts all stay while any run is unfinished, since they do not say whose they are.
 *
 * Nothing here can change a result: a state that is gone is trained again. The order of removal is
 * states, then rows, so that a clean-up that is killed leaves no state without its rows that had
 * them. */
#include "sim/clean.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/h5.h"
#include "base/hash.h"
#include "base/map.h"
#include "base/system.h"
#include "base/text.h"
#include "sim/claim.h"
#include "sim/survey.h"

enum { KEY = HASH_TEXT - 1, ROWS_NAME = 2 * KEY + 1, NONE = -1, UNKNOWN_SHOWN = 8 };

/* ---- files of one folder --------------------------------------------------------------------- */

enum kind { STATES, ROWS, PARTS, CLAIMS, ERRORS, TEMPORARIES, KINDS };
static const char *const folder_of[] = {"states", "rows", "parts", "claims"};

enum reason {
    GOES,
    NEEDED /* by a run that is unfinished */,
    MAY_BE_NEEDED,
    FINAL,
    EPOCH,
    REASONS
};

struct file {
    char name[ROWS_NAME + 16]; /* with its ending */
    off_t size;
    enum reason stays;
    long next; /* rows: the next of the same key; NONE */
};

struct folder {
    char *path;
    struct file *files;
    size_t n;
};

struct amount {
    size_t n;
    int64_t bytes;
};

static char *joined(const char *folder, const char *name) {
    struct text t = {0};
    text_add(&t, "%s/%s", folder, name);
    return text_take(&t);
}

static bool is_state_name(const char *name) {
    return strlen(name) == KEY + 3 && survey_is_key(name, KEY) && !strcmp(name + KEY, ".h5");
}

static const char *const ROWS_END = ".h5", *const PART_STATE_END = ".state.h5",
                         *const PART_ROWS_END = ".rows.h5";

/* KEY-MEASURES and the ending */
static bool is_measured_name(const char *name, const char *ending) {
    return strlen(name) == ROWS_NAME + strlen(ending) && survey_is_key(name, KEY) &&
           name[KEY] == '-' && survey_is_key(name + KEY + 1, KEY) &&
           !strcmp(name + ROWS_NAME, ending);
}

static bool is_file_of(enum kind kind, const char *name) {
    switch (kind) {
    case STATES:
        return is_state_name(name);
    case ROWS:
        return is_measured_name(name, ROWS_END);
    case PARTS:
        return is_measured_name(name, PART_STATE_END) || is_measured_name(name, PART_ROWS_END);
    default:
        return survey_is_key(name, strlen(name));
    }
}

/* Names that imprint does not know; the first few are kept to be shown. */
struct unknown {
    char *shown[UNKNOWN_SHOWN];
    size_t n;
};

static void unknown_add(struct unknown *u, const char *folder, const char *name) {
    if (u->n < UNKNOWN_SHOWN) u->shown[u->n] = joined(folder, name);
    u->n++;
}

static void folder_add(struct folder *f, const char *name, off_t size) {
    if (!(f->n & (f->n + 1))) {
        f->files = realloc(f->files, (2 * f->n + 1) * sizeof *f->files);
        if (!f->files) abort();
    }
    struct file *file = &f->files[f->n++];
    *file = (struct file){.size = size, .next = NONE};
    snprintf(file->name, sizeof file->name, "%s", name);
}

/* Takes `path`. A folder that is not there is empty. */
static struct folder folder_read(char *path, enum kind kind, struct unknown *u) {
    struct folder f = {.path = path};
    struct stat is;
    DIR *d = opendir(path);
    for (struct dirent *entry; d && (entry = readdir(d));) {
        const char *name = entry->d_name;
        if (!strcmp(name, ".") || !strcmp(name, "..")) continue;
        if (fstatat(dirfd(d), name, &is, AT_SYMLINK_NOFOLLOW)) continue;
        if (S_ISREG(is.st_mode) && is_file_of(kind, name))
            folder_add(&f, name, is.st_size);
        else if (!S_ISREG(is.st_mode) || !strstr(name, ".tmp."))
            unknown_add(u, path, name);
    }
    if (d) closedir(d);
    return f;
}

/* ---- all folders of a results root ----------------------------------------------------------- */

/* What lies under one numerics id. */
struct shelves {
    struct folder folders[ERRORS];
    struct map *rows_named; /* name without ending -> file */
    struct map *rows_of;    /* key -> the first of its files */
};

/* Where unfinished runs may pass: states of these epochs. */
struct path {
    char initial[HASH_TEXT];     /* key of their initialization; "": unknown */
    int64_t after, until;        /* epochs */
    const struct map *explained; /* keys whose use is known: they are not passed unknown */
    long next;                   /* of the same initialization; NONE */
};

struct cleaning {
    const char *root;
    const struct clean_options *options;
    FILE *out;
    struct holdings *holdings;
    struct survey **surveys;
    size_t surveys_n;
    struct shelves *shelves;
    size_t shelves_n;
    struct unknown unknown;

    bool keep_final;
    struct map *keep_epochs; /* as texts */

    size_t unfinished;         /* runs */
    size_t lost;               /* last states of finished runs that go */
    struct map *needed;        /* keys of states */
    struct map *final;         /* keys of the last states of finished runs */
    struct map *explained;     /* keys that some plan or finished run has a use for */
    struct map **explained_in; /* likewise, by survey */
    struct map *reached;       /* epochs, as texts, where runs without a plan stand */
    struct path *paths;
    size_t paths_n;
    struct map *paths_from; /* initialization -> the first of its paths */

    struct amount freed[KINDS], kept[KINDS], stays[REASONS]; /* stays: of states */
};

static void shelves_index(struct shelves *s) {
    struct folder *rows = &s->folders[ROWS];
    s->rows_named = map_create();
    s->rows_of = map_create();
    for (size_t i = 0; i < rows->n; i++) {
        char name[ROWS_NAME + 1], key[HASH_TEXT];
        snprintf(name, sizeof name, "%.*s", ROWS_NAME, rows->files[i].name);
        snprintf(key, sizeof key, "%.*s", KEY, name);
        map_add(s->rows_named, name, (long)i);
        rows->files[i].next = map_get(s->rows_of, key);
        map_set(s->rows_of, key, (long)i);
    }
}

static void shelves_add(struct cleaning *c, const char *numerics_id) {
    c->shelves = realloc(c->shelves, (c->shelves_n + 1) * sizeof *c->shelves);
    if (!c->shelves) abort();
    struct shelves *s = &c->shelves[c->shelves_n++];
    for (enum kind kind = STATES; kind < ERRORS; kind++) {
        char *above = joined(c->root, folder_of[kind]);
        s->folders[kind] = folder_read(joined(above, numerics_id), kind, &c->unknown);
        free(above);
    }
    shelves_index(s);
}

/* Every numerics id that any of the folders has. */
static void shelves_read(struct cleaning *c) {
    struct map *seen = map_create();
    for (enum kind kind = STATES; kind < ERRORS; kind++) {
        char *above = joined(c->root, folder_of[kind]);
        DIR *d = opendir(above);
        for (struct dirent *f; d && (f = readdir(d));) {
            bool is_id = survey_is_key(f->d_name, strlen(f->d_name));
            if (is_id && map_get(seen, f->d_name) == MAP_NONE) {
                map_add(seen, f->d_name, 0);
                shelves_add(c, f->d_name);
            }
            if (!is_id && strcmp(f->d_name, ".") != 0 && strcmp(f->d_name, "..") != 0)
                unknown_add(&c->unknown, above, f->d_name);
        }
        if (d) closedir(d);
        free(above);
    }
    map_free(seen);
}

static void shelves_free(struct shelves *s) {
    for (enum kind kind = STATES; kind < ERRORS; kind++) {
        free(s->folders[kind].path);
        free(s->folders[kind].files);
    }
    map_free(s->rows_named);
    map_free(s->rows_of);
}

/* ---- what rows say --------------------------------------------------------------------------- */

struct rows_facts {
    char before[HASH_TEXT], initial[HASH_TEXT]; /* "": none, unknown */
    int64_t epoch;                              /* of the state behind them; -1: unknown */
};

static void copy_key(char key[HASH_TEXT], char *text) {
    key[0] = '\0';
    if (text && survey_is_key(text, strlen(text))) memcpy(key, text, HASH_TEXT);
    free(text);
}

/* All unknown when the file is damaged. */
static struct rows_facts rows_facts(const struct folder *f, const char *name) {
    struct rows_facts facts = {.epoch = -1};
    size_t shape[H5_RANK];
    struct h5_reader *r;
    char *path = joined(f->path, name);
    int status = h5_open_sealed(&r, path, NULL);
    free(path);
    if (status) return facts;
    copy_key(facts.before, h5_attr_text(r, "/", "prefix_key_before"));
    copy_key(facts.initial, h5_attr_text(r, "/", "prefix_key_initial"));
    if (h5_shape(r, "epoch", shape) == 1 && shape[0] > 0) {
        int64_t *epochs = text_room(shape[0], sizeof *epochs);
        if (!h5_get_ints(r, "epoch", epochs, NULL)) facts.epoch = epochs[shape[0] - 1];
        free(epochs);
    }
    h5_close(r);
    return facts;
}

static long rows_of(const struct shelves *s, const char *key) {
    return map_get(s->rows_of, key);
}

/* The initialization of a state that is kept or a part; "" when nothing says it. */
static void initial_of(const struct cleaning *c, const char *key, char initial[HASH_TEXT]) {
    initial[0] = '\0';
    for (size_t i = 0; i < c->shelves_n && !initial[0]; i++) {
        const struct shelves *s = &c->shelves[i];
        const struct folder *rows = &s->folders[ROWS], *parts = &s->folders[PARTS];
        long at = rows_of(s, key);
        if (at != NONE) memcpy(initial, rows_facts(rows, rows->files[at].name).initial, HASH_TEXT);
        for (size_t k = 0; k < parts->n && !initial[0]; k++)
            if (is_measured_name(parts->files[k].name, PART_ROWS_END) &&
                !memcmp(parts->files[k].name, key, KEY))
                memcpy(initial, rows_facts(parts, parts->files[k].name).initial, HASH_TEXT);
    }
}

/* ---- what runs need -------------------------------------------------------------------------- */

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
    return epoch >= 0 && map_get(m, text) != MAP_NONE;
}

/* The nearest run up the plan that starts from scratch names the initialization by its start. */
static void initial_of_run(const struct cleaning *c, const struct survey *s,
                           const struct survey_run *r, char initial[HASH_TEXT]) {
    initial[0] = '\0';
    for (size_t steps = 0; r->planned && !initial[0] && steps < s->n; steps++) {
        if (r->start == 0)
            memcpy(initial, r->start_key, HASH_TEXT);
        else
            initial_of(c, r->start_key, initial);
        if (r->parent == SURVEY_NONE) break;
        r = &s->runs[r->parent];
    }
}

/* Runs of one initialization in one plan make one path, the widest. */
static void path_add(struct cleaning *c, struct path p) {
    long first = map_get(c->paths_from, p.initial);
    for (long i = first; i != NONE; i = c->paths[i].next) {
        struct path *there = &c->paths[i];
        if (there->explained != p.explained) continue;
        if (p.after < there->after) there->after = p.after;
        if (p.until > there->until) there->until = p.until;
        return;
    }
    if (!(c->paths_n & (c->paths_n + 1))) {
        c->paths = realloc(c->paths, (2 * c->paths_n + 1) * sizeof *c->paths);
        if (!c->paths) abort();
    }
    p.next = first;
    map_set(c->paths_from, p.initial, (long)c->paths_n);
    c->paths[c->paths_n++] = p;
}

static void need_run(struct cleaning *c, size_t which, const struct survey_run *r) {
    struct path p = {.after = r->planned ? r->start : -1,
                     .until = r->epochs >= 0 ? r->epochs : INT64_MAX,
                     .explained = r->planned ? c->explained_in[which] : c->explained};
    initial_of_run(c, c->surveys[which], r, p.initial);
    note(c->needed, r->start_key);
    if (!r->planned) note_epoch(c->reached, r->rows);
    path_add(c, p);
}

/* Finished runs explain the states they started from and ended in. */
static void needs_of_survey(struct cleaning *c, size_t which) {
    const struct survey *s = c->surveys[which];
    struct map *explained = c->explained_in[which] = map_create();
    for (size_t i = 0; i < s->n; i++) {
        const struct survey_run *r = &s->runs[i];
        bool finished = survey_is_finished(r);
        bool parent_needs = r->parent != SURVEY_NONE && !survey_is_finished(&s->runs[r->parent]);
        if (finished && r->state == SURVEY_DONE) {
            note(c->final, r->final_key);
            note(explained, r->final_key);
            note(c->explained, r->final_key);
        }
        note(explained, r->start_key);
        note(c->explained, r->start_key);
        if (parent_needs) note(c->needed, r->start_key);
        if (!finished) need_run(c, which, r);
        c->unfinished += !finished;
    }
}

static bool path_may_pass(const struct path *p, const char *key, int64_t epoch) {
    return epoch > p->after && epoch <= p->until && !has(p->explained, key);
}

/* A state of which nothing is known but its name may lie on any path. */
static bool some_path_may_pass(const struct cleaning *c, const char *key,
                               const struct rows_facts *facts) {
    const char *const from[] = {facts->initial, ""};
    if (facts->epoch < 0) return false;
    if (!facts->initial[0]) {
        for (size_t i = 0; i < c->paths_n; i++)
            if (path_may_pass(&c->paths[i], key, facts->epoch)) return true;
        return false;
    }
    for (size_t k = 0; k < 2; k++)
        for (long i = map_get(c->paths_from, from[k]); i != NONE; i = c->paths[i].next)
            if (path_may_pass(&c->paths[i], key, facts->epoch)) return true;
    return false;
}

/* ---- what stays ------------------------------------------------------------------------------ */

/* A state's own word, where it has no rows. */
static int64_t state_epoch(const struct folder *f, const char *name) {
    struct h5_reader *r;
    char *path = joined(f->path, name);
    int status = h5_open_sealed(&r, path, NULL);
    free(path);
    if (status) return -1;
    int64_t epoch = h5_attr_int(r, "/", "epoch", -1);
    h5_close(r);
    return epoch;
}

static enum reason state_reason(const struct cleaning *c, const struct shelves *s,
                                const struct file *f) {
    char key[HASH_TEXT];
    snprintf(key, sizeof key, "%.*s", KEY, f->name);
    if (has(c->needed, key)) return NEEDED;
    if (c->keep_final && has(c->final, key)) return FINAL;
    if (!c->unfinished && !map_count(c->keep_epochs)) return GOES;
    struct rows_facts facts = {.epoch = -1};
    long rows = rows_of(s, key);
    if (rows != NONE) facts = rows_facts(&s->folders[ROWS], s->folders[ROWS].files[rows].name);
    if (some_path_may_pass(c, key, &facts) || has_epoch(c->reached, facts.epoch))
        return MAY_BE_NEEDED;
    if (!map_count(c->keep_epochs)) return GOES;
    if (facts.epoch < 0) facts.epoch = state_epoch(&s->folders[STATES], f->name);
    return has_epoch(c->keep_epochs, facts.epoch) ? EPOCH : GOES;
}

/* Rows `at` and all links before them. */
static void keep_chain(struct shelves *s, long at) {
    struct folder *rows = &s->folders[ROWS];
    while (at != NONE && rows->files[at].stays == GOES) {
        char name[ROWS_NAME + 1];
        struct file *f = &rows->files[at];
        f->stays = NEEDED;
        struct rows_facts facts = rows_facts(rows, f->name);
        snprintf(name, sizeof name, "%s-%.*s", facts.before, KEY, f->name + KEY + 1);
        at = facts.before[0] ? map_get(s->rows_named, name) : NONE;
    }
}

static void keep_part(struct shelves *s, struct file *f) {
    char name[ROWS_NAME + 1];
    f->stays = NEEDED;
    if (!is_measured_name(f->name, PART_ROWS_END)) return;
    struct rows_facts facts = rows_facts(&s->folders[PARTS], f->name);
    snprintf(name, sizeof name, "%s-%.*s", facts.before, KEY, f->name + KEY + 1);
    if (facts.before[0]) keep_chain(s, map_get(s->rows_named, name));
}

static void decide_shelves(struct cleaning *c, struct shelves *s) {
    struct folder *states = &s->folders[STATES], *parts = &s->folders[PARTS];
    for (size_t i = 0; i < states->n; i++) {
        struct file *f = &states->files[i];
        char key[HASH_TEXT];
        f->stays = state_reason(c, s, f);
        c->stays[f->stays].n++;
        c->stays[f->stays].bytes += f->size;
        snprintf(key, sizeof key, "%.*s", KEY, f->name);
        if (f->stays == GOES && has(c->final, key)) c->lost++;
        for (long at = f->stays == GOES ? NONE : rows_of(s, key); at != NONE;
             at = s->folders[ROWS].files[at].next)
            keep_chain(s, at);
    }
    for (size_t i = 0; c->unfinished && i < parts->n; i++) keep_part(s, &parts->files[i]);
    for (size_t i = 0; i < s->folders[CLAIMS].n; i++)
        if (holdings_worker(c->holdings, s->folders[CLAIMS].files[i].name))
            s->folders[CLAIMS].files[i].stays = NEEDED;
}

/* ---- removing -------------------------------------------------------------------------------- */

static void count(struct amount *a, off_t bytes) {
    a->n++;
    a->bytes += bytes;
}

/* One that is gone already is fine: another clean-up may have been here. Claims are removed by who
 * knows how (remove_claims); they are only counted. */
static int remove_file(struct cleaning *c, const char *path, enum kind kind, off_t size,
                       struct error *e) {
    bool go = !c->options->dry_run && kind != CLAIMS;
    if (go && unlink(path) && errno != ENOENT)
        return error_set(e, STATUS_FAILED, "%s: cannot remove it: %s", path, strerror(errno));
    count(&c->freed[kind], size);
    return STATUS_OK;
}

static int remove_from(struct cleaning *c, const struct folder *f, enum kind kind,
                       struct error *e) {
    int status = STATUS_OK;
    for (size_t i = 0; i < f->n && !status; i++) {
        if (f->files[i].stays != GOES) {
            count(&c->kept[kind], f->files[i].size);
            continue;
        }
        char *path = joined(f->path, f->files[i].name);
        status = remove_file(c, path, kind, f->files[i].size, e);
        free(path);
    }
    return status;
}

static void remove_claims(const struct cleaning *c, const struct folder *claims) {
    if (!c->options->dry_run && claims->n) claim_tidy(claims->path);
}

static struct amount temporaries_in(const char *folder) {
    struct amount a = {0};
    struct stat is;
    DIR *d = opendir(folder);
    for (struct dirent *f; d && (f = readdir(d));)
        if (strstr(f->d_name, ".tmp.") && !fstatat(dirfd(d), f->d_name, &is, 0))
            count(&a, is.st_size);
    if (d) closedir(d);
    return a;
}

static void remove_temporaries(struct cleaning *c, const char *folder) {
    struct amount before = temporaries_in(folder);
    if (!before.n || c->options->dry_run) return;
    system_remove_temporaries(folder);
    struct amount after = temporaries_in(folder);
    if (after.n >= before.n) return;
    c->freed[TEMPORARIES].n += before.n - after.n;
    c->freed[TEMPORARIES].bytes += before.bytes - after.bytes;
}

/* The sentence of a failure that was followed by success. */
static int remove_errors(struct cleaning *c, const struct survey *s, struct error *e) {
    int status = STATUS_OK;
    struct stat is;
    for (size_t i = 0; i < s->n && !status; i++) {
        if (s->runs[i].state != SURVEY_DONE || !s->runs[i].has_error) continue;
        char *path = survey_path(s, &s->runs[i], ".error");
        if (!stat(path, &is)) status = remove_file(c, path, ERRORS, is.st_size, e);
        free(path);
    }
    char *runs = joined(s->folder, "runs");
    remove_temporaries(c, s->folder);
    remove_temporaries(c, runs);
    free(runs);
    return status;
}

static int remove_all(struct cleaning *c, struct error *e) {
    int status = STATUS_OK;
    for (enum kind kind = STATES; kind < ERRORS; kind++)
        for (size_t i = 0; i < c->shelves_n && !status; i++) {
            status = remove_from(c, &c->shelves[i].folders[kind], kind, e);
            remove_temporaries(c, c->shelves[i].folders[kind].path);
        }
    for (size_t i = 0; i < c->shelves_n && !status; i++)
        remove_claims(c, &c->shelves[i].folders[CLAIMS]);
    for (size_t i = 0; i < c->surveys_n && !status; i++)
        status = remove_errors(c, c->surveys[i], e);
    return status;
}

/* ---- telling --------------------------------------------------------------------------------- */

static double mebibytes(int64_t bytes) {
    return (double)bytes / (1 << 20);
}

static const char *plural(size_t n) {
    return n == 1 ? "" : "s";
}

static void tell_freed(const struct cleaning *c) {
    static const char *const names[KINDS] = {"state",       "row file",  "part",
                                             "stale claim", "old error", "temporary file"};
    struct amount sum = {0};
    for (enum kind k = STATES; k < KINDS; k++) {
        sum.n += c->freed[k].n;
        sum.bytes += c->freed[k].bytes;
    }
    fprintf(c->out, "%s: %s %zu file%s, %.1f MiB", c->root,
            c->options->dry_run ? "would free" : "freed", sum.n, plural(sum.n),
            mebibytes(sum.bytes));
    const char *before = " (";
    for (enum kind k = STATES; k < KINDS; k++) {
        if (!c->freed[k].n) continue;
        fprintf(c->out, "%s%zu %s%s", before, c->freed[k].n, names[k], plural(c->freed[k].n));
        before = ", ";
    }
    fprintf(c->out, "%s\n", sum.n ? ")" : "");
}

static void tell_kept(const struct cleaning *c) {
    static const char *const why[REASONS] = {[NEEDED] = "that unfinished runs start from",
                                             [MAY_BE_NEEDED] = "that unfinished runs may pass",
                                             [FINAL] = "that finished runs ended in (--keep final)",
                                             [EPOCH] = "of the epochs to keep (--keep)"};
    for (enum reason r = NEEDED; r < REASONS; r++)
        if (c->stays[r].n)
            fprintf(c->out, "stays: %zu state%s %s, %.1f MiB\n", c->stays[r].n,
                    plural(c->stays[r].n), why[r], mebibytes(c->stays[r].bytes));
    if (c->kept[ROWS].n)
        fprintf(c->out, "stays: %zu row file%s behind them, %.1f MiB\n", c->kept[ROWS].n,
                plural(c->kept[ROWS].n), mebibytes(c->kept[ROWS].bytes));
    if (c->kept[PARTS].n)
        fprintf(c->out, "stays: %zu part%s, which belong to runs in progress, %.1f MiB\n",
                c->kept[PARTS].n, plural(c->kept[PARTS].n), mebibytes(c->kept[PARTS].bytes));
    if (c->unfinished)
        fprintf(c->out, "%zu run%s %s unfinished; start %s again, then clean\n", c->unfinished,
                plural(c->unfinished), c->unfinished == 1 ? "is" : "are",
                c->unfinished == 1 ? "it" : "them");
}

static void tell_unknown(const struct cleaning *c) {
    for (size_t i = 0; i < c->unknown.n && i < UNKNOWN_SHOWN; i++)
        fprintf(c->out, "%s: no file of imprint's; it stays\n", c->unknown.shown[i]);
    if (c->unknown.n > UNKNOWN_SHOWN)
        fprintf(c->out, "and %zu more that are not imprint's\n", c->unknown.n - UNKNOWN_SHOWN);
}

static void tell(const struct cleaning *c) {
    const char *worker = holdings_any_worker(c->holdings);
    tell_freed(c);
    if (c->options->quiet) return;
    tell_kept(c);
    tell_unknown(c);
    if (c->lost)
        fprintf(c->out,
                "%zu of the states %s the last of a finished run: extending these runs would train "
                "them from scratch; --keep final keeps their last states\n",
                c->lost, c->lost == 1 ? "is" : "are");
    if (worker) fprintf(c->out, "not now: %s is at work there\n", worker);
}

/* ---- the whole ------------------------------------------------------------------------------- */

static int keep_word(struct cleaning *c, const char *word, size_t n, struct error *e) {
    char text[32];
    int64_t epoch;
    if (n == strlen("final") && !strncmp(word, "final", n)) {
        c->keep_final = true;
        return STATUS_OK;
    }
    snprintf(text, sizeof text, "%.*s", (int)(n < sizeof text ? n : sizeof text - 1), word);
    if (n >= sizeof text || !text_integer(text, &epoch) || epoch < 0)
        return error_set(e, STATUS_USAGE,
                         "--keep: '%s' is neither 'final' nor an epoch; as in --keep final,10,25",
                         text_shown(text).text);
    note_epoch(c->keep_epochs, epoch);
    return STATUS_OK;
}

static int keep_words(struct cleaning *c, struct error *e) {
    const char *word = c->options->keep;
    int status = STATUS_OK;
    while (word && !status) {
        size_t n = strcspn(word, ",");
        status = keep_word(c, word, n, e);
        word = word[n] ? word + n + 1 : NULL;
    }
    return status;
}

static bool is_there(const char *root, const char *name) {
    struct stat is;
    char *path = joined(root, name);
    bool there = !stat(path, &is) && S_ISDIR(is.st_mode);
    free(path);
    return there;
}

/* It removes files: the folder must look like what the sweeps write to. */
static int check_root(const char *root, struct error *e) {
    struct stat is;
    if (stat(root, &is))
        return error_set(e, STATUS_USAGE, "%s: cannot find it: %s", root, strerror(errno));
    if (!S_ISDIR(is.st_mode))
        return error_set(e, STATUS_USAGE, "%s: is a file; give the folder of all results", root);
    DIR *d = opendir(root);
    if (!d) return error_set(e, STATUS_FAILED, "%s: cannot read it: %s", root, strerror(errno));
    closedir(d);
    for (enum kind kind = STATES; kind < ERRORS; kind++)
        if (is_there(root, folder_of[kind])) return STATUS_OK;
    if (survey_is_experiment(root))
        return error_set(
            e, STATUS_USAGE,
            "%s: is one experiment, and states belong to all; give the folder above it", root);
    return error_set(e, STATUS_USAGE, "%s: holds no states, rows, parts or claims", root);
}

static int read_surveys(struct cleaning *c, struct error *e) {
    size_t n;
    int status = STATUS_OK;
    char **folders = survey_experiments(c->root, &n);
    c->surveys = text_room(n, sizeof *c->surveys);
    c->explained_in = text_room(n, sizeof *c->explained_in);
    for (size_t i = 0; i < n; i++) {
        if (!status) status = survey_read(&c->surveys[i], folders[i], c->holdings, e);
        if (!status) c->surveys_n++;
        free(folders[i]);
    }
    free(folders);
    return status;
}

static int refuse_worker(const struct cleaning *c, const struct holdings *now, struct error *e) {
    const char *worker = holdings_any_worker(now);
    if (!worker || c->options->dry_run) return STATUS_OK;
    return error_set(
        e, STATUS_FAILED,
        "%s: %s is at work there; clean when it is done (--dry-run shows what would go)", c->root,
        worker);
}

/* Reading thousands of logs takes a while, in which a sweep may have begun. */
static int refuse_newcomer(const struct cleaning *c, struct error *e) {
    struct holdings *now = holdings_read(c->root);
    int status = refuse_worker(c, now, e);
    holdings_free(now);
    return status;
}

static int clean(struct cleaning *c, struct error *e) {
    int status = refuse_worker(c, c->holdings, e);
    if (!status) status = read_surveys(c, e);
    if (status) return status;
    shelves_read(c);
    for (size_t i = 0; i < c->surveys_n; i++) needs_of_survey(c, i);
    for (size_t i = 0; i < c->shelves_n; i++) decide_shelves(c, &c->shelves[i]);
    status = refuse_newcomer(c, e);
    if (!status) status = remove_all(c, e);
    if (!status) tell(c);
    return status;
}

static void cleaning_free(struct cleaning *c) {
    for (size_t i = 0; i < c->surveys_n; i++) {
        survey_free(c->surveys[i]);
        map_free(c->explained_in[i]);
    }
    for (size_t i = 0; i < c->shelves_n; i++) shelves_free(&c->shelves[i]);
    for (size_t i = 0; i < UNKNOWN_SHOWN; i++) free(c->unknown.shown[i]);
    struct map *const maps[] = {c->keep_epochs, c->needed,     c->final,
                                c->explained,   c->paths_from, c->reached};
    for (size_t i = 0; i < sizeof maps / sizeof *maps; i++) map_free(maps[i]);
    free(c->surveys);
    free(c->explained_in);
    free(c->shelves);
    free(c->paths);
    holdings_free(c->holdings);
}

int clean_results(const char *root, const struct clean_options *o, FILE *out, struct error *e) {
    struct cleaning c = {.root = root,
                         .options = o,
                         .out = out,
                         .keep_epochs = map_create(),
                         .needed = map_create(),
                         .final = map_create(),
                         .explained = map_create(),
                         .paths_from = map_create(),
                         .reached = map_create()};
    int status = keep_words(&c, e);
    if (!status) status = check_root(root, e);
    if (!status) {
        c.holdings = holdings_read(root);
        status = clean(&c, e);
    }
    cleaning_free(&c);
    return status;
}
