/* `imprint report`: loads each folder, prints its findings, then draws and writes the page. The
 * tables come first, so that a full disk or a missing gnuplot costs no number. */
#include "analysis/report.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "analysis/against.h"
#include "analysis/figures.h"
#include "analysis/findings.h"
#include "analysis/html.h"
#include "analysis/losses.h"
#include "analysis/memory.h"
#include "analysis/page.h"
#include "analysis/recovery.h"
#include "analysis/results.h"
#include "analysis/sensitivity.h"
#include "analysis/summary.h"

/* Figures cost nothing but themselves: their failure is a sentence, not the report's. */
static struct figures *report_figures(const struct summary *s, struct page *page, FILE *out) {
    struct error e = {0};
    struct figures *f = figures_draw(s, &e);
    size_t shown, n = figures_curves(s, &shown);
    if (shown < n)
        page_add(page, BLOCK_WARNING,
                 "%zu of %zu curves, evenly picked, are drawn over epochs; the tables hold all.",
                 shown, n);
    if (e.status) page_add(page, BLOCK_WARNING, "%s.", e.text);
    if (f->absent)
        page_add(page, BLOCK_WARNING,
                 "gnuplot is not installed, so no figure was drawn; install it (Debian: apt-get "
                 "install gnuplot-nox) and report again. Data and scripts are in %s.",
                 f->folder);
    else if (f->n && !e.status)
        fprintf(out, "\nFigures: %s (%zu, each as .png, .svg and .pdf, its data as .tsv)\n",
                f->folder, f->n);
    return f;
}

static int report_save_sensitivity(const struct summary *s, struct error *e) {
    struct sensitivity *windows = sensitivity_create(s);
    char *path = memory_print("%s/sensitivity.tsv", s->results->home);
    int status = sensitivity_save(windows, path, e);
    free(path);
    sensitivity_free(windows);
    return status;
}

static int report_save_recovery(const struct summary *s, struct error *e) {
    struct recovery *recovery = recovery_create(s);
    char *path = memory_print("%s/recovery.tsv", s->results->home);
    int status = recovery_save(recovery, path, e);
    free(path);
    recovery_free(recovery);
    return status;
}

/* summary.tsv, sensitivity.tsv where windows were slid, recovery.tsv where there are remedies;
 * of data with targets losses.tsv alone. */
static int report_save_tables(const struct summary *s, const char *table, struct error *e) {
    if (losses_apply(s->results)) return losses_save(s, table, e);
    int status = findings_save(s, table, e);
    if (!status) status = report_save_sensitivity(s, e);
    if (!status) status = report_save_recovery(s, e);
    return status;
}

static int report_save(const struct summary *s, struct page *page, const struct report_options *o,
                       FILE *out, struct error *e) {
    const char *home = s->results->home;
    if (mkdir(home, 0777) && errno != EEXIST)
        return error_set(e, STATUS_FAILED, "%s: cannot make it: %s", home, strerror(errno));
    size_t said = page->blocks_n;
    struct figures *f =
        o->figures && !losses_apply(s->results) ? report_figures(s, page, out) : NULL;
    for (size_t i = said; i < page->blocks_n; i++)
        fprintf(out, "Warning: %s\n", page->blocks[i].text);
    char *table = memory_print("%s/%s.tsv", home, losses_apply(s->results) ? "losses" : "summary"),
         *html = memory_print("%s/report.html", home);
    int status = report_save_tables(s, table, e);
    if (!status) status = html_save(html, page, f, s->results, e);
    if (!status) fprintf(out, "Report: %s (table: %s)\n", html, table);
    figures_free(f);
    free(table);
    free(html);
    return status;
}

/* Logs of different folders that mix numerics ids: said once, after all. */
struct numerics {
    char *id; /* the first one seen */
    bool is_mixed;
};

static void numerics_add(struct numerics *n, const struct results *r) {
    for (size_t i = 0; i < r->logs_n; i++) {
        const char *id = r->logs[i]->about[ABOUT_NUMERICS];
        if (id && !n->id) n->id = memory_text(id);
        if (id && strcmp(id, n->id)) n->is_mixed = true;
    }
}

static int report_one(const char *path, const struct report_options *o, struct numerics *numerics,
                      FILE *out, struct error *e) {
    struct results *r;
    int status = results_load(&r, path, e);
    if (status) return status;
    numerics_add(numerics, r);
    struct summary *s = summary_create(r);
    struct page *page = page_create();
    findings_write(page, s);
    if (o->against && losses_apply(r))
        status = error_set(e, STATUS_USAGE,
                           "report --against: compares accuracies, and the runs of %s are on data "
                           "with targets",
                           path);
    else if (o->against)
        status = against_write(page, s, o->against, e);
    page_print(page, out);
    fflush(out);
    if (!status) status = report_save(s, page, o, out, e);
    page_free(page);
    summary_free(s);
    results_free(r);
    return status;
}

int report_main(const char *const *dirs, size_t n, const struct report_options *o, FILE *out,
                struct error *e) {
    struct error first = {0};
    struct numerics numerics = {0};
    for (size_t i = 0; i < n; i++) {
        struct error mine = {0};
        if (i) fputs("\n\n", out);
        if (report_one(dirs[i], o, &numerics, out, &mine) && !first.status) first = mine;
    }
    if (n > 1 && numerics.is_mixed)
        fputs("Warning: these folders mix numerics ids: compare them by intervals, not by bits.\n",
              out);
    free(numerics.id);
    if (first.status) return error_set(e, first.status, "%s", first.text);
    return STATUS_OK;
}
