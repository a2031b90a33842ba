/* The ledger and squeue: see queue.h.
 *
 * The traps: squeue numbers every running task of an array anew and shows tasks under one number
 * (%F) and index (%K), so only these are used; it says nothing about jobs that ended more than some
 * minutes ago; and variables of the user's (SQUEUE_STATES, SBATCH_ARRAY_INX, ...) or of a job in
 * which the launcher itself runs (SLURM_*) change what the programs do. */
#include "sim/slurm/queue.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/map.h"
#include "base/process.h"
#include "base/text.h"

enum { PATH_TEXT = 4096 };

extern char **environ;

/* ---- the environment ------------------------------------------------------------------------- */

static bool begins(const char *text, const char *with) {
    return !strncmp(text, with, strlen(with));
}

static bool is_dropped(const char *variable, bool inside_job) {
    static const char *const always[] = {"SQUEUE_", "SCANCEL_",
                                         "SBATCH_ARRAY_INX=", "SBATCH_WAIT=", "SBATCH_TEST_ONLY="};
    static const char *const kept[] = {
        "SLURM_CONF=", "SLURM_CONF_SERVER=", "SLURM_CLUSTERS=", "SLURM_JWT="};
    for (size_t i = 0; i < sizeof always / sizeof *always; i++)
        if (begins(variable, always[i])) return true;
    for (size_t i = 0; i < sizeof kept / sizeof *kept; i++)
        if (begins(variable, kept[i])) return false;
    return inside_job && begins(variable, "SLURM_");
}

void slurm_prepare(void) {
    bool inside_job = getenv("SLURM_JOB_ID") != NULL;
    size_t kept = 0;
    for (char **v = environ; *v; v++)
        if (!is_dropped(*v, inside_job)) environ[kept++] = *v;
    environ[kept] = NULL;
}

/* ---- states ---------------------------------------------------------------------------------- */

static const char *const state_names[] = {[SLURM_GONE] = "not in the queue",
                                          [SLURM_ENDED] = "ended",
                                          [SLURM_FAILED] = "failed",
                                          [SLURM_CANCELLED] = "cancelled",
                                          [SLURM_NEVER] = "never",
                                          [SLURM_ENDING] = "ending",
                                          [SLURM_HELD] = "held",
                                          [SLURM_PENDING] = "queued",
                                          [SLURM_RUNNING] = "running"};

const char *slurm_state_name(enum slurm_state state) {
    return state_names[state];
}

bool slurm_is_queued(enum slurm_state state) {
    return state >= SLURM_ENDING;
}

/* Slurm's words; what is not here is some way of being alive (CONFIGURING, SUSPENDED, ...). */
static enum slurm_state state_of(const char *word, const char *reason) {
    static const struct {
        const char *word;
        enum slurm_state state;
    } words[] = {
        {"COMPLETED", SLURM_ENDED},   {"FAILED", SLURM_FAILED},     {"TIMEOUT", SLURM_FAILED},
        {"NODE_FAIL", SLURM_FAILED},  {"BOOT_FAIL", SLURM_FAILED},  {"OUT_OF_MEMORY", SLURM_FAILED},
        {"DEADLINE", SLURM_FAILED},   {"PREEMPTED", SLURM_FAILED},  {"CANCELLED", SLURM_CANCELLED},
        {"REVOKED", SLURM_CANCELLED}, {"COMPLETING", SLURM_ENDING}, {"PENDING", SLURM_PENDING},
        {"REQUEUED", SLURM_PENDING},  {"REQUEUE_HOLD", SLURM_HELD}, {"SPECIAL_EXIT", SLURM_HELD}};
    enum slurm_state state = SLURM_RUNNING;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (!strcmp(word, words[i].word)) state = words[i].state;
    if (state != SLURM_PENDING) return state;
    if (!strcmp(reason, "DependencyNeverSatisfied")) return SLURM_NEVER;
    return begins(reason, "JobHeld") ? SLURM_HELD : state;
}

/* ---- the ledger ------------------------------------------------------------------------------ */

static const char header[] = "# imprint jobs 1\nname\ttask\tid\trun\tfrom\tuntil\tlast\tend\n";

static void ledger_line(struct text *t, const struct slurm_entry *s) {
    text_add(t, "%s\t", s->name);
    if (s->task < 0)
        text_add(t, "-\t");
    else
        text_add(t, "%ld\t", s->task);
    if (s->id < 0)
        text_add(t, "-\t");
    else
        text_add(t, "%ld\t", s->id);
    text_add(t, "%s\t%" PRId64 "\t%" PRId64 "\t%d\t%s\n", s->run, s->from, s->until, s->last,
             s->end);
}

static int append(const char *path, const char *data, size_t n) {
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    if (fd < 0) return errno;
    ssize_t written = write(fd, data, n);
    int problem = written < 0 ? errno : (size_t)written < n ? ENOSPC : fsync(fd) ? errno : 0;
    close(fd);
    return problem;
}

int slurm_ledger_add(const char *folder, const struct slurm_entry *entries, size_t n,
                     struct error *e) {
    char path[PATH_TEXT];
    struct text lines = {0};
    snprintf(path, sizeof path, "%s/slurm/jobs.tsv", folder);
    if (access(path, F_OK)) text_add(&lines, "%s", header);
    for (size_t i = 0; i < n; i++) ledger_line(&lines, &entries[i]);
    int problem = append(path, lines.data, lines.n);
    free(lines.data);
    return problem ? error_set(e, STATUS_FAILED, "%s: cannot write it: %s", path, strerror(problem))
                   : STATUS_OK;
}

/* A line of the ledger; one that a full disk cut short is none. */
static bool entry_parse(struct slurm_entry *s, char *line) {
    char *field[8], *rest = line;
    for (size_t i = 0; i < 8; i++)
        if (!(field[i] = strsep(&rest, "\t"))) return false;
    int64_t task = -1, id = -1, last;
    if (strcmp(field[1], "-") != 0 && !text_integer(field[1], &task)) return false;
    if (strcmp(field[2], "-") != 0 && !text_integer(field[2], &id)) return false;
    *s = (struct slurm_entry){.task = (long)task, .id = (long)id};
    if (!text_integer(field[4], &s->from) || !text_integer(field[5], &s->until) ||
        !text_integer(field[6], &last) || strlen(field[0]) >= SLURM_NAME ||
        strlen(field[3]) != HASH_TEXT - 1 || strlen(field[7]) >= SLURM_END)
        return false;
    s->last = last != 0;
    snprintf(s->name, sizeof s->name, "%s", field[0]);
    snprintf(s->run, sizeof s->run, "%s", field[3]);
    snprintf(s->end, sizeof s->end, "%s", field[7]);
    return true;
}

static void place_name(char text[SLURM_NAME + 24], const char *name, long task) {
    snprintf(text, SLURM_NAME + 24, "%s/%ld", name, task);
}

/* Names are EXPERIMENT-LAUNCH-NUMBER. */
static bool is_same_launch(const char *a, const char *b) {
    size_t n = (size_t)(strrchr(a, '-') ? strrchr(a, '-') - a : 0);
    return !strncmp(a, b, n) && b[n] == '-' && !strchr(b + n + 1, '-');
}

/* A later line of the same job replaces the earlier one. */
static void queue_put(struct slurm_queue *q, struct map *places, const struct slurm_entry *s) {
    char place[SLURM_NAME + 24];
    place_name(place, s->name, s->task);
    long at = map_add(places, place, (long)q->n);
    if ((size_t)at < q->n) {
        q->entries[at].id = s->id;
        return;
    }
    if (!(q->n & (q->n + 1))) { /* at 0, 1, 3, 7, ... */
        struct slurm_entry *grown = realloc(q->entries, (2 * q->n + 1) * sizeof *grown);
        if (!grown) abort();
        q->entries = grown;
    }
    struct slurm_entry *made = &q->entries[q->n++];
    *made = *s;
    if (q->n > 1) made->launch = made[-1].launch + !is_same_launch(made[-1].name, made->name);
}

static int ledger_read(struct slurm_queue *q, struct map *places, const char *folder,
                       struct error *e) {
    char path[PATH_TEXT], *line = NULL;
    size_t room = 0;
    struct slurm_entry s;
    snprintf(path, sizeof path, "%s/slurm/jobs.tsv", folder);
    FILE *f = fopen(path, "r");
    if (!f && errno == ENOENT) return STATUS_OK;
    if (!f) return error_set(e, STATUS_FAILED, "%s: cannot read it: %s", path, strerror(errno));
    for (ssize_t n; (n = getline(&line, &room, f)) > 0;) {
        if (line[n - 1] != '\n') break;
        line[n - 1] = '\0';
        if (entry_parse(&s, line)) queue_put(q, places, &s);
    }
    free(line);
    fclose(f);
    return STATUS_OK;
}

/* ---- the queue ------------------------------------------------------------------------------- */

/* "12|3|PENDING|tiny-1f2e3d4c-1|Dependency": number, index or N/A, state, name, reason. */
static void queue_line(struct slurm_queue *q, const struct map *places, char *line) {
    char *field[5], *rest = line, place[SLURM_NAME + 24];
    int64_t id, task = -1;
    for (size_t i = 0; i < 4; i++)
        if (!(field[i] = strsep(&rest, "|"))) return;
    field[4] = rest ? rest : line;
    if (strlen(field[3]) >= SLURM_NAME || !text_integer(field[0], &id)) return;
    if (!text_integer(field[1], &task)) task = -1;
    place_name(place, field[3], (long)task);
    long at = map_get(places, place);
    if (at == MAP_NONE) return;
    struct slurm_entry *s = &q->entries[at];
    s->id = (long)id;
    s->state = state_of(field[2], field[4]);
    snprintf(s->reason, sizeof s->reason, "%s", field[4]);
}

static int queue_ask(struct slurm_queue *q, const struct map *places, struct error *e) {
    struct process_result r;
    char user[32];
    snprintf(user, sizeof user, "%ld", (long)getuid());
    const char *const argv[] = {"squeue",
                                "--noheader",
                                "--array",
                                "--states=all",
                                "--user",
                                user,
                                "--format=%F|%K|%T|%j|%r",
                                NULL};
    int status = process_run(argv, slurm_prepare, &r, NULL, e);
    if (status) return status;
    if (r.status) {
        char *why = process_complaint(&r);
        status = error_set(e, STATUS_FAILED, "the queue cannot be read: %s", why);
        free(why);
    }
    char *rest = r.out.data;
    for (char *line; !status && (line = strsep(&rest, "\n"));) queue_line(q, places, line);
    process_free(&r);
    return status;
}

static bool tells_more(const struct slurm_entry *a, const struct slurm_entry *b) {
    bool queued = slurm_is_queued(a->state);
    if (queued == slurm_is_queued(b->state) && !queued && a->launch != b->launch)
        return a->launch > b->launch;
    return a->state >= b->state;
}

static void queue_index(struct slurm_queue *q) {
    q->runs = map_create();
    for (size_t i = 0; i < q->n; i++) {
        const struct slurm_entry *s = &q->entries[i];
        long there = map_get(q->runs, s->run);
        if (there == MAP_NONE || tells_more(s, &q->entries[there]))
            map_set(q->runs, s->run, (long)i);
    }
}

int slurm_queue_read(struct slurm_queue *q, const char *folder, struct error *e) {
    struct map *places = map_create();
    *q = (struct slurm_queue){0};
    int status = ledger_read(q, places, folder, e);
    if (!status && q->n) status = queue_ask(q, places, e);
    map_free(places);
    if (status)
        slurm_queue_free(q);
    else
        queue_index(q);
    return status;
}

void slurm_queue_free(struct slurm_queue *q) {
    free(q->entries);
    if (q->runs) map_free(q->runs);
    *q = (struct slurm_queue){0};
}

const struct slurm_entry *slurm_queue_run(const struct slurm_queue *q, const char *run_id) {
    long at = q->runs ? map_get(q->runs, run_id) : MAP_NONE;
    return at == MAP_NONE ? NULL : &q->entries[at];
}
