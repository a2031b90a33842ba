/* Calling sbatch, scontrol and scancel: see submit.h.
 *
 * Of a user's own options and ours the last wins, so ours stand around his: what he may change
 * (output, signal, requeue) before, what the tree depends on (array, dependency) after. */
#include "sim/slurm/submit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/process.h"
#include "sim/slurm/queue.h"

/* ---- words ----------------------------------------------------------------------------------- */

void slurm_indices(struct text *t, const long *indices, size_t n) {
    for (size_t i = 0, end; i < n; i = end) {
        for (end = i + 1; end < n && indices[end] == indices[end - 1] + 1; end++)
            ;
        text_add(t, "%s%ld", i ? "," : "", indices[i]);
        if (end > i + 1) text_add(t, "-%ld", indices[end - 1]);
    }
}

void slurm_quote(struct text *t, const char *word) {
    text_add(t, "'");
    for (; *word; word++) {
        if (*word == '\'')
            text_add(t, "'\\''");
        else
            text_put(t, word, 1);
    }
    text_add(t, "'");
}

/* Arguments that are built: every word is owned. */
struct words {
    size_t n, room;
    char **all; /* ends in NULL */
};

static void words_take(struct words *w, char *word) {
    if (w->n + 2 > w->room) {
        w->room = 2 * w->room + 16;
        char **grown = realloc(w->all, w->room * sizeof *grown);
        if (!grown) abort();
        w->all = grown;
    }
    w->all[w->n++] = word;
    w->all[w->n] = NULL;
}

/* `head` and `tail` as one word. */
static void words_add(struct words *w, const char *head, const char *tail) {
    struct text t = {0};
    text_add(&t, "%s%s", head, tail);
    words_take(w, text_take(&t));
}

static void words_free(struct words *w) {
    for (size_t i = 0; i < w->n; i++) free(w->all[i]);
    free(w->all);
}

/* Run it; a program that fails is an error that begins with `what`. Its stdout in *said (may be
 * NULL; free() it). */
static int call(const char *const *argv, const char *what, char **said, struct error *e) {
    struct process_result r;
    int status = process_run(argv, slurm_prepare, &r, NULL, e);
    if (status) return status;
    if (r.status) {
        char *why = process_complaint(&r);
        status = error_set(e, STATUS_FAILED, "%s: %s (exit status %d)", what,
                           *why ? why : "it gave no reason", r.status);
        free(why);
    } else if (said) {
        *said = text_take(&r.out);
    }
    process_free(&r);
    return status;
}

/* ---- asking ---------------------------------------------------------------------------------- */

int slurm_check(struct error *e) {
    const char *const argv[] = {"sbatch", "--version", NULL};
    struct process_result r;
    bool missing = false;
    int status = process_run(argv, slurm_prepare, &r, &missing, e);
    if (!status) process_free(&r);
    if (!missing) return status;
    return error_set(e, STATUS_USAGE,
                     "--launcher slurm: there is no sbatch on PATH; start the sweep on a machine "
                     "with Slurm's client programs, or leave the option away to train here");
}

int slurm_max_array(size_t *max, struct error *e) {
    const char *const argv[] = {"scontrol", "show", "config", NULL};
    char *said = NULL;
    int status = call(argv, "scontrol does not tell the cluster's configuration", &said, e);
    *max = 1001; /* Slurm's default */
    if (status) return status;
    const char *at = said ? strstr(said, "\nMaxArraySize") : NULL;
    if (at) sscanf(at, " MaxArraySize = %zu", max);
    free(said);
    return STATUS_OK;
}

/* ---- submitting ------------------------------------------------------------------------------ */

static void add_resource(struct words *w, const struct settings *s, const char *key) {
    char head[64];
    snprintf(head, sizeof head, "--%s=", key);
    if (settings_is_set(s, key)) words_add(w, head, settings_text(s, key));
}

static void add_resources(struct words *w, const struct settings *s) {
    static const char *const keys[] = {"partition", "account", "time", "mem"};
    size_t n;
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) add_resource(w, s, keys[i]);
    const char *const *options = settings_texts(s, "options", &n);
    for (size_t i = 0; i < n; i++) words_add(w, options[i], "");
}

static void batch_words(struct words *w, const struct slurm_batch *b) {
    char signal[32], here[4096];
    snprintf(signal, sizeof signal, "%lld", (long long)settings_int(b->resources, "signal"));
    words_add(w, "sbatch", "");
    words_add(w, "--output=", b->output);
    words_add(w, "--open-mode=append", "");
    words_add(w, "--requeue", "");
    words_add(w, "--export=ALL", "");
    words_add(w, "--signal=B:USR1@", signal);
    add_resources(w, b->resources);
    words_add(w, "--parsable", "");
    words_add(w, "--job-name=", b->name);
    words_add(w, "--chdir=", getcwd(here, sizeof here) ? here : ".");
    words_add(w, "--kill-on-invalid-dep=yes", "");
    if (b->array) words_add(w, "--array=", b->array);
    if (b->dependency) words_add(w, "--dependency=", b->dependency);
    if (b->hold) words_add(w, "--hold", "");
    words_add(w, b->script, "");
}

/* "12", or "12;cluster". */
static int read_id(const char *said, long *id, struct error *e) {
    char *end;
    *id = strtol(said, &end, 10);
    if (end != said && *id > 0 && strchr(";\n", *end)) return STATUS_OK;
    return error_set(e, STATUS_FAILED, "sbatch gave no job number but '%s'", text_shown(said).text);
}

int slurm_submit(const struct slurm_batch *b, long *id, struct error *e) {
    struct words w = {0};
    char *said = NULL;
    batch_words(&w, b);
    int status = call((const char *const *)w.all, "sbatch refused", &said, e);
    if (!status) status = read_id(said ? said : "", id, e);
    free(said);
    words_free(&w);
    return status;
}

/* ---- jobs that are there --------------------------------------------------------------------- */

enum { AT_ONCE = 200 }; /* jobs in one call */

static void jobs_list(struct text *t, const char *const *jobs, size_t n) {
    for (size_t i = 0; i < n; i++) text_add(t, "%s%s", i ? "," : "", jobs[i]);
}

int slurm_release(const char *const *jobs, size_t n, struct error *e) {
    int status = STATUS_OK;
    for (size_t i = 0; i < n && !status; i += AT_ONCE) {
        struct text list = {0};
        jobs_list(&list, jobs + i, n - i < AT_ONCE ? n - i : AT_ONCE);
        const char *const argv[] = {"scontrol", "release", list.data, NULL};
        status = call(argv,
                      "the jobs are submitted but held, and scontrol does not release them (the "
                      "same command tries again)",
                      NULL, e);
        free(list.data);
    }
    return status;
}

/* scancel is content with jobs that are gone already. */
void slurm_cancel(const char *const *jobs, size_t n) {
    for (size_t i = 0; i < n; i += AT_ONCE) {
        struct words w = {0};
        words_add(&w, "scancel", "");
        for (size_t k = i; k < n && k < i + AT_ONCE; k++) words_add(&w, jobs[k], "");
        call((const char *const *)w.all, "scancel", NULL, NULL);
        words_free(&w);
    }
}

int slurm_restart(const char *job, struct error *e) {
    const char *const argv[] = {"scontrol", "requeue", job, NULL};
    return call(argv, "Slurm does not start the job anew", NULL, e);
}
