/* Showing what sim/survey.c found: see status.h.
 *
 *   rate       = processes at work / median seconds of an epoch (the experiment's newest logs)
 *   time left  = max(epochs to train / processes at work, the longest run's own) * median
 *
 * Epochs are counted by run, as in the logs: epochs that runs share count in each of them as soon as
 * the state behind them is there. Epochs to train are counted once: a run trains those behind the
 * state it starts from. */
#include "sim/status.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/h5.h"
#include "base/text.h"
#include "sim/survey.h"

enum { SHORT_ID = 12, PACE_LOGS = 32, PACE_ROWS = 16 };

/* ---- seconds of an epoch --------------------------------------------------------------------- */

struct pace {
    double seconds[PACE_LOGS * PACE_ROWS];
    size_t n;
};

/* The last rows of a log that have a time. */
static void pace_add_log(struct pace *p, const char *path) {
    size_t shape[H5_RANK];
    struct h5_reader *r;
    if (h5_open_sealed(&r, path, NULL)) return;
    size_t rows = h5_shape(r, "wall_seconds", shape) == 1 ? shape[0] : 0;
    double *v = text_room(rows, sizeof *v);
    if (rows && !h5_get_doubles(r, "wall_seconds", v, NULL))
        for (size_t i = rows, added = 0; i-- > 0 && added < PACE_ROWS;)
            if (isfinite(v[i]) && v[i] > 0.0) {
                p->seconds[p->n++] = v[i];
                added++;
            }
    free(v);
    h5_close(r);
}

static int newest_first(const void *a, const void *b) {
    const struct survey_run *r = *(const struct survey_run *const *)a;
    const struct survey_run *s = *(const struct survey_run *const *)b;
    if (r->touched != s->touched) return r->touched < s->touched ? 1 : -1;
    return strcmp(r->id, s->id);
}

static int ascending(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* NaN when no log has a time. */
static double median_seconds(const struct survey *s) {
    struct pace pace = {.n = 0};
    size_t n = 0;
    const struct survey_run **logs = text_room(s->n, sizeof *logs);
    for (size_t i = 0; i < s->n; i++)
        if (s->runs[i].rows > 0) logs[n++] = &s->runs[i];
    if (n) qsort(logs, n, sizeof *logs, newest_first);
    for (size_t i = 0; i < n && i < PACE_LOGS; i++) {
        char *path = survey_path(s, logs[i], ".h5");
        pace_add_log(&pace, path);
        free(path);
    }
    free(logs);
    if (!pace.n) return NAN;
    qsort(pace.seconds, pace.n, sizeof *pace.seconds, ascending);
    return pace.seconds[pace.n / 2];
}

/* ---- one run --------------------------------------------------------------------------------- */

/* Text from a file, on one line of a terminal. */
static void print_text(const char *text, FILE *out) {
    for (; *text; text++) fputc((unsigned char)*text < ' ' || *text == 127 ? '?' : *text, out);
}

/* "job 12_3: Dependency". A cancelled job keeps the reason it was waiting for, which is old news. */
static void print_job(const struct survey_run *r, FILE *out) {
    const struct slurm_entry *job = r->job;
    bool is_old = job->state == SLURM_RUNNING ||
                  (job->state == SLURM_CANCELLED && !strstr(job->reason, "NeverSatisfied"));
    bool says_more = !is_old && job->reason[0] && strcmp(job->reason, "None") != 0;
    fprintf(out, "  (job %ld", job->id);
    if (job->task >= 0) fprintf(out, "_%ld", job->task);
    if (job->state == SLURM_FAILED) fprintf(out, " failed");
    if (says_more) {
        fprintf(out, ": ");
        print_text(job->reason, out);
    }
    fprintf(out, ")");
}

static void print_detail(const struct survey *s, const struct survey_run *r, FILE *out) {
    if (r->state == SURVEY_RUNNING && r->worker) fprintf(out, "  (%s)", r->worker);
    if (r->job && r->job->state > SLURM_ENDED && !survey_is_finished(r)) print_job(r, out);
    if (r->state == SURVEY_WAITING)
        fprintf(out, "  (for epoch %" PRId64 " of %.*s)", r->start, SHORT_ID,
                s->runs[r->parent].id);
    if ((r->state == SURVEY_FAILED || r->state == SURVEY_DAMAGED || r->state == SURVEY_DIVERGED) &&
        r->why) {
        fprintf(out, ": ");
        print_text(r->why, out);
    }
}

static void print_run(const struct survey *s, const struct survey_run *r, FILE *out) {
    char epochs[64];
    int n = snprintf(epochs, sizeof epochs, "%" PRId64, r->done);
    if (r->epochs >= 0)
        snprintf(epochs + n, sizeof epochs - (size_t)n, "/%" PRId64, r->epochs);
    else
        snprintf(epochs + n, sizeof epochs - (size_t)n, "/?");
    fprintf(out, "%.*s  %-11s  %9s  ", SHORT_ID, r->id, survey_state_name(r->state), epochs);
    print_text(r->title, out);
    print_detail(s, r, out);
    fputc('\n', out);
}

/* ---- the summary ----------------------------------------------------------------------------- */

struct sums {
    size_t runs[SURVEY_STATES];
    int64_t done, total, left; /* epochs; `left` are to be trained */
    int64_t longest;           /* left in one run */
    size_t unfinished;         /* runs */
};

static struct sums sums_of(const struct survey *s) {
    struct sums sum = {.done = 0};
    for (size_t i = 0; i < s->n; i++) {
        const struct survey_run *r = &s->runs[i];
        int64_t from = r->done > r->start ? r->done : r->start;
        int64_t left = survey_is_finished(r) || r->epochs < from ? 0 : r->epochs - from;
        sum.runs[r->state]++;
        sum.unfinished += !survey_is_finished(r);
        sum.done += r->done;
        sum.total += r->state == SURVEY_DIVERGED || r->epochs < 0 ? r->done : r->epochs;
        sum.left += left;
        if (left > sum.longest) sum.longest = left;
    }
    return sum;
}

static void print_time(double seconds, FILE *out) {
    if (seconds < 90)
        fprintf(out, "%.0f s", seconds < 1 ? 1 : ceil(seconds));
    else if (seconds < 90 * 60)
        fprintf(out, "%.0f min", ceil(seconds / 60));
    else if (seconds < 48 * 3600)
        fprintf(out, "%.1f h", seconds / 3600);
    else
        fprintf(out, "%.1f days", seconds / 86400);
}

/* Nobody at work: how long it would take one. */
static void print_pace(const struct sums *sum, double seconds, FILE *out) {
    size_t workers = sum->runs[SURVEY_RUNNING];
    if (!sum->left || isnan(seconds)) return;
    double work = (double)sum->left * seconds, chain = (double)sum->longest * seconds;
    if (!workers) {
        fprintf(out, "; nobody is at work: about ");
        print_time(work, out);
        fprintf(out, " for one process");
        return;
    }
    double shared = work / (double)workers, rate = (double)workers / seconds;
    fprintf(out, rate < 10 ? "; %.2g" : "; %.0f", rate);
    fprintf(out, " epochs/s by %zu process%s, about ", workers, workers == 1 ? "" : "es");
    print_time(shared > chain ? shared : chain, out);
    fprintf(out, " left");
}

static void print_summary(const struct survey *s, const struct sums *sum, FILE *out) {
    fprintf(out, "%s: %zu of %zu runs done", s->name, sum->runs[SURVEY_DONE], s->n);
    for (enum survey_state i = SURVEY_DONE + 1; i < SURVEY_STATES; i++)
        if (sum->runs[i]) fprintf(out, ", %zu %s", sum->runs[i], survey_state_name(i));
    fprintf(out, "; %" PRId64 " of %" PRId64 " epochs", sum->done, sum->total);
    if (sum->unfinished) fprintf(out, ", %" PRId64 " to train", sum->left);
    print_pace(sum, sum->left ? median_seconds(s) : NAN, out);
    fputc('\n', out);
}

/* ---- folders --------------------------------------------------------------------------------- */

static int show(const char *folder, const struct holdings *h, const struct status_options *o,
                FILE *out, struct error *e) {
    struct survey *s;
    struct error unasked = {0};
    int status = survey_read(&s, folder, h, e);
    if (status) return status;
    if (sums_of(s).unfinished && survey_ask_queue(s, &unasked))
        fprintf(stderr, "imprint: %s: %s\n", folder, unasked.text);
    struct sums sum = sums_of(s);
    for (size_t i = 0; i < s->n && !o->quiet; i++) print_run(s, &s->runs[i], out);
    print_summary(s, &sum, out);
    survey_free(s);
    bool bad = sum.runs[SURVEY_FAILED] + sum.runs[SURVEY_DIVERGED] + sum.runs[SURVEY_DAMAGED] +
                   sum.runs[SURVEY_CANCELLED] >
               0;
    return bad ? STATUS_RUNS_FAILED : STATUS_OK;
}

/* The worse of two outcomes; `e` keeps the sentence of the first failure. */
static int worse(int a, int b) {
    if (a == STATUS_OK || (a == STATUS_RUNS_FAILED && b != STATUS_OK)) return b;
    return a;
}

static int show_all(const char *root, const struct status_options *o, FILE *out, struct error *e) {
    size_t n;
    int status = STATUS_OK;
    struct error other = {0};
    char **folders = survey_experiments(root, &n);
    if (!n)
        status =
            error_set(e, STATUS_USAGE,
                      "%s: holds no experiment; give results/<experiment>, or the folder of all "
                      "results",
                      root);
    struct holdings *h = n ? holdings_read(root) : NULL;
    for (size_t i = 0; i < n; i++) {
        int one = show(folders[i], h, o, out, &other);
        if (other.text[0] && e && !e->text[0]) *e = other;
        status = worse(status, one);
        free(folders[i]);
    }
    holdings_free(h);
    free(folders);
    return status;
}

/* The folder above, as the path says it. malloc'ed */
static char *folder_above(const char *folder) {
    const char *slash = strrchr(folder, '/');
    struct text t = {0};
    if (!slash)
        text_add(&t, ".");
    else
        text_add(&t, "%.*s", slash == folder ? 1 : (int)(slash - folder), folder);
    return text_take(&t);
}

/* "." as a name for people: that of the folder itself. */
static char *folder_named(const char *path) {
    size_t n = strlen(path);
    while (n > 1 && path[n - 1] == '/') n--;
    char *folder = strndup(path, n);
    if (!folder) abort();
    const char *slash = strrchr(folder, '/'), *name = slash ? slash + 1 : folder;
    char *real = !strcmp(name, ".") || !strcmp(name, "..") ? realpath(folder, NULL) : NULL;
    if (!real) return folder;
    free(folder);
    return real;
}

static int show_one(const char *folder, const struct status_options *o, FILE *out,
                    struct error *e) {
    char *root = folder_above(folder);
    struct holdings *h = holdings_read(root);
    int status = show(folder, h, o, out, e);
    holdings_free(h);
    free(root);
    return status;
}

static int check_folder(const char *path, struct error *e) {
    struct stat is;
    if (stat(path, &is))
        return error_set(e, STATUS_USAGE, "%s: cannot find it: %s", path, strerror(errno));
    if (!S_ISDIR(is.st_mode))
        return error_set(e, STATUS_USAGE, "%s: is a file; give the folder of an experiment", path);
    DIR *d = opendir(path);
    if (!d) return error_set(e, STATUS_FAILED, "%s: cannot read it: %s", path, strerror(errno));
    closedir(d);
    return STATUS_OK;
}

int status_print(const char *const *folders, size_t n, const struct status_options *o, FILE *out,
                 struct error *e) {
    int status = STATUS_OK;
    for (size_t i = 0; i < n; i++) { /* wrong words before any output */
        status = check_folder(folders[i], e);
        if (status) return status;
    }
    for (size_t i = 0; i < n; i++) {
        struct error other = {0};
        char *folder = folder_named(folders[i]);
        int one = survey_is_experiment(folder) ? show_one(folder, o, out, &other)
                                               : show_all(folder, o, out, &other);
        if (other.text[0] && e && !e->text[0]) *e = other;
        status = worse(status, one);
        free(folder);
    }
    return status;
}
