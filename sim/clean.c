/* Removing what nobody needs: see clean.h. sim/needs.c says which states unfinished runs need.
 *
 * The rows of a state that stays, stay, and so do all before them in their chain (sim/rows.h). Parts
 * all stay while any run is unfinished, since they do not say whose they are.
 *
 * Nothing here can change a result: a state that is gone is trained again. States go before rows, so
 * that a clean-up that is killed leaves no state that lost its rows. */
#include "sim/clean.h"

#include <dirent.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/map.h"
#include "base/system.h"
#include "base/text.h"
#include "sim/claim.h"
#include "sim/needs.h"
#include "sim/stock.h"
#include "sim/survey.h"

/* Of what something is removed: the stock's kinds (enum stock_kind) and two more. */
enum { ERRORS = STOCK_KINDS, TEMPORARIES, KINDS };

/* Why a state stays. */
enum reason { GOES, NEEDED, MAY_BE_NEEDED, FINAL, EPOCH, REASONS };

struct amount {
    size_t n;
    int64_t bytes;
};

struct cleaning {
    const char *root;
    const struct clean_options *options;
    FILE *out;
    bool keep_final;
    struct map *keep_epochs; /* as texts */

    struct holdings *holdings;
    struct survey **surveys;
    size_t surveys_n;
    struct stock stock;
    struct needs *needs;

    size_t lost; /* last states of finished runs that go */
    struct amount freed[KINDS], kept[KINDS], states[REASONS];
};

static void count(struct amount *a, off_t bytes) {
    a->n++;
    a->bytes += bytes;
}

/* ---- what stays ------------------------------------------------------------------------------ */

static bool is_epoch_to_keep(const struct cleaning *c, int64_t epoch) {
    char text[32];
    snprintf(text, sizeof text, "%lld", (long long)epoch);
    return epoch >= 0 && map_get(c->keep_epochs, text) != MAP_NONE;
}

static enum reason state_reason(const struct cleaning *c, const struct stock_shelf *s,
                                const struct stock_file *f, const char *key) {
    const struct stock_folder *states = &s->folders[STOCK_STATES], *rows = &s->folders[STOCK_ROWS];
    if (needs_state(c->needs, key)) return NEEDED;
    if (c->keep_final && needs_is_final(c->needs, key)) return FINAL;
    if (!needs_unfinished(c->needs) && !map_count(c->keep_epochs)) return GOES;
    struct rows_facts facts = {.epoch = -1};
    long at = stock_rows_of(s, key);
    if (at != STOCK_NONE) facts = stock_rows_facts(rows, rows->files[at].name);
    if (needs_maybe(c->needs, key, &facts)) return MAY_BE_NEEDED;
    if (!map_count(c->keep_epochs)) return GOES;
    if (facts.epoch < 0) facts.epoch = stock_state_epoch(states, f->name);
    return is_epoch_to_keep(c, facts.epoch) ? EPOCH : GOES;
}

static void decide_state(struct cleaning *c, struct stock_shelf *s, struct stock_file *f) {
    char key[HASH_TEXT];
    snprintf(key, sizeof key, "%.*s", STOCK_KEY, f->name);
    enum reason reason = state_reason(c, s, f, key);
    f->stays = reason != GOES;
    count(&c->states[reason], f->size);
    c->lost += !f->stays && needs_is_final(c->needs, key);
    long at = f->stays ? stock_rows_of(s, key) : STOCK_NONE;
    for (; at != STOCK_NONE; at = s->folders[STOCK_ROWS].files[at].next) stock_keep_rows(s, at);
}

static void decide_shelf(struct cleaning *c, struct stock_shelf *s) {
    struct stock_folder *states = &s->folders[STOCK_STATES], *parts = &s->folders[STOCK_PARTS],
                        *claims = &s->folders[STOCK_CLAIMS];
    for (size_t i = 0; i < states->n; i++) decide_state(c, s, &states->files[i]);
    for (size_t i = 0; needs_unfinished(c->needs) && i < parts->n; i++)
        stock_keep_part(s, &parts->files[i]);
    for (size_t i = 0; i < claims->n; i++)
        claims->files[i].stays = holdings_worker(c->holdings, claims->files[i].name) != NULL;
}

/* ---- removing -------------------------------------------------------------------------------- */

/* One that is gone already is fine: another clean-up may have been here. Claims are removed by who
 * knows how (remove_claims); they are only counted. */
static int remove_file(struct cleaning *c, const char *path, size_t kind, off_t size,
                       struct error *e) {
    bool go = !c->options->dry_run && kind != STOCK_CLAIMS;
    if (go && unlink(path) && errno != ENOENT)
        return error_set(e, STATUS_FAILED, "%s: cannot remove it: %s", path, strerror(errno));
    count(&c->freed[kind], size);
    return STATUS_OK;
}

static int remove_from(struct cleaning *c, const struct stock_folder *f, size_t kind,
                       struct error *e) {
    int status = STATUS_OK;
    for (size_t i = 0; i < f->n && !status; i++) {
        if (f->files[i].stays) {
            count(&c->kept[kind], f->files[i].size);
            continue;
        }
        char *path = stock_path(f->path, f->files[i].name);
        status = remove_file(c, path, kind, f->files[i].size, e);
        free(path);
    }
    return status;
}

static void remove_claims(const struct cleaning *c, const struct stock_folder *claims) {
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
    char *runs = stock_path(s->folder, "runs");
    remove_temporaries(c, s->folder);
    remove_temporaries(c, runs);
    free(runs);
    return status;
}

static int remove_all(struct cleaning *c, struct error *e) {
    int status = STATUS_OK;
    for (size_t kind = STOCK_STATES; kind < STOCK_KINDS; kind++)
        for (size_t i = 0; i < c->stock.n && !status; i++) {
            status = remove_from(c, &c->stock.shelves[i].folders[kind], kind, e);
            remove_temporaries(c, c->stock.shelves[i].folders[kind].path);
        }
    for (size_t i = 0; i < c->stock.n && !status; i++)
        remove_claims(c, &c->stock.shelves[i].folders[STOCK_CLAIMS]);
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
    for (size_t k = 0; k < KINDS; k++) {
        sum.n += c->freed[k].n;
        sum.bytes += c->freed[k].bytes;
    }
    fprintf(c->out, "%s: %s %zu file%s, %.1f MiB", c->root,
            c->options->dry_run ? "would free" : "freed", sum.n, plural(sum.n),
            mebibytes(sum.bytes));
    const char *before = " (";
    for (size_t k = 0; k < KINDS; k++) {
        if (!c->freed[k].n) continue;
        fprintf(c->out, "%s%zu %s%s", before, c->freed[k].n, names[k], plural(c->freed[k].n));
        before = ", ";
    }
    fprintf(c->out, "%s\n", sum.n ? ")" : "");
}

static void tell_kept(const struct cleaning *c) {
    size_t unfinished = needs_unfinished(c->needs);
    static const char *const why[REASONS] = {[NEEDED] = "that unfinished runs start from",
                                             [MAY_BE_NEEDED] = "that unfinished runs may pass",
                                             [FINAL] = "that finished runs ended in (--keep final)",
                                             [EPOCH] = "of the epochs to keep (--keep)"};
    for (enum reason r = NEEDED; r < REASONS; r++)
        if (c->states[r].n)
            fprintf(c->out, "stays: %zu state%s %s, %.1f MiB\n", c->states[r].n,
                    plural(c->states[r].n), why[r], mebibytes(c->states[r].bytes));
    if (c->kept[STOCK_ROWS].n)
        fprintf(c->out, "stays: %zu row file%s behind them, %.1f MiB\n", c->kept[STOCK_ROWS].n,
                plural(c->kept[STOCK_ROWS].n), mebibytes(c->kept[STOCK_ROWS].bytes));
    if (c->kept[STOCK_PARTS].n)
        fprintf(c->out, "stays: %zu part%s, which belong to runs in progress, %.1f MiB\n",
                c->kept[STOCK_PARTS].n, plural(c->kept[STOCK_PARTS].n),
                mebibytes(c->kept[STOCK_PARTS].bytes));
    if (unfinished)
        fprintf(c->out, "%zu run%s %s unfinished; start %s again, then clean\n", unfinished,
                plural(unfinished), unfinished == 1 ? "is" : "are",
                unfinished == 1 ? "it" : "them");
}

static void tell_unknown(const struct cleaning *c) {
    for (size_t i = 0; i < c->stock.unknown_n && i < STOCK_UNKNOWN; i++)
        fprintf(c->out, "%s: no file of imprint's; it stays\n", c->stock.unknown[i]);
    if (c->stock.unknown_n > STOCK_UNKNOWN)
        fprintf(c->out, "and %zu more that are not imprint's\n",
                c->stock.unknown_n - STOCK_UNKNOWN);
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
    map_add(c->keep_epochs, text, 0);
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
    if (stock_has_folder(root)) return STATUS_OK;
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
    stock_read(&c->stock, c->root);
    c->needs = needs_create(c->surveys, c->surveys_n, &c->stock);
    for (size_t i = 0; i < c->stock.n; i++) decide_shelf(c, &c->stock.shelves[i]);
    status = refuse_newcomer(c, e);
    if (!status) status = remove_all(c, e);
    if (!status) tell(c);
    return status;
}

static void cleaning_free(struct cleaning *c) {
    needs_free(c->needs);
    stock_free(&c->stock);
    for (size_t i = 0; i < c->surveys_n; i++) survey_free(c->surveys[i]);
    free(c->surveys);
    holdings_free(c->holdings);
    map_free(c->keep_epochs);
}

int clean_results(const char *root, const struct clean_options *o, FILE *out, struct error *e) {
    struct cleaning c = {.root = root, .options = o, .out = out, .keep_epochs = map_create()};
    int status = keep_words(&c, e);
    if (!status) status = check_root(root, e);
    if (!status) {
        c.holdings = holdings_read(root);
        status = clean(&c, e);
    }
    cleaning_free(&c);
    return status;
}
