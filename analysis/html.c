/* One self-contained page: see html.h. Figures are SVG (PNG where there is none) inside the page
 * as base64 images: inline SVG would share ids between figures, and the first definition would win.
 * Every text from a log or a config is escaped. */
#include "analysis/html.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "analysis/memory.h"

enum { FIGURE_MOST = 1 << 26 };

static const char STYLE[] =
    "body{font:16px/1.5 system-ui,sans-serif;color:#1b1b1b;background:#fff;max-width:72rem;"
    "margin:2rem auto;padding:0 1rem}\n"
    "h1{font-size:1.7rem}h2{font-size:1.25rem;margin-top:2.2rem;border-bottom:1px solid #ccc}\n"
    "table{border-collapse:collapse;margin:1rem 0;font-variant-numeric:tabular-nums;"
    "font-size:.92rem}\n"
    "th,td{padding:.25rem .7rem;text-align:right;border-bottom:1px solid #ddd}\n"
    "th{border-bottom:2px solid #888;vertical-align:bottom}.left{text-align:left}\n"
    ".scroll{overflow-x:auto}.headline{font-weight:600}\n"
    ".warning{background:#fff4e0;border-left:4px solid #e69f00;padding:.5rem .8rem}\n"
    "figure{margin:1.5rem 0}figure img{max-width:100%;height:auto}\n"
    "figcaption{font-size:.9rem;color:#444}\n"
    "pre{background:#f6f6f6;padding:1rem;overflow-x:auto;font-size:.85rem}\n";

static void put_text(FILE *out, const char *text) {
    static const char *const ESCAPED[256] = {
        ['&'] = "&amp;", ['<'] = "&lt;", ['>'] = "&gt;", ['"'] = "&quot;", ['\''] = "&#39;"};
    for (; *text; text++) {
        const char *escaped = ESCAPED[(unsigned char)*text];
        if (escaped)
            fputs(escaped, out);
        else
            fputc(*text, out);
    }
}

static void put_element(FILE *out, const char *open, const char *text, const char *close) {
    fputs(open, out);
    put_text(out, text);
    fputs(close, out);
}

/* ---- figures ----------------------------------------------------------------------------------- */

static unsigned char *file_bytes(const char *path, size_t *n) {
    struct stat about;
    FILE *in = fopen(path, "rb");
    if (!in) return NULL;
    unsigned char *bytes = NULL;
    *n = 0;
    if (!fstat(fileno(in), &about) && about.st_size > 0 && about.st_size < FIGURE_MOST) {
        bytes = memory_new((size_t)about.st_size, 1);
        *n = fread(bytes, 1, (size_t)about.st_size, in);
    }
    fclose(in);
    return bytes;
}

static void put_base64(FILE *out, const unsigned char *bytes, size_t n) {
    static const char DIGIT[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i < n; i += 3) {
        uint32_t word = (uint32_t)bytes[i] << 16;
        if (i + 1 < n) word |= (uint32_t)bytes[i + 1] << 8;
        if (i + 2 < n) word |= bytes[i + 2];
        fputc(DIGIT[word >> 18 & 63], out);
        fputc(DIGIT[word >> 12 & 63], out);
        fputc(i + 1 < n ? DIGIT[word >> 6 & 63] : '=', out);
        fputc(i + 2 < n ? DIGIT[word & 63] : '=', out);
    }
}

static unsigned char *figure_bytes(const struct figures *f, size_t i, const char **type,
                                   size_t *n) {
    static const char *const KIND[][2] = {{"svg", "svg+xml"}, {"png", "png"}};
    for (size_t k = 0; k < 2; k++) {
        char *path = memory_print("%s/%s.%s", f->folder, f->list[i].name, KIND[k][0]);
        unsigned char *bytes = file_bytes(path, n);
        free(path);
        *type = KIND[k][1];
        if (bytes) return bytes;
    }
    return NULL;
}

static void put_figure(FILE *out, const struct figures *f, size_t i) {
    const char *type;
    size_t n;
    unsigned char *bytes = figure_bytes(f, i, &type, &n);
    if (!bytes) return;
    fprintf(out, "<figure><img alt=\"");
    put_text(out, f->list[i].caption);
    fprintf(out, "\" src=\"data:image/%s;base64,", type);
    put_base64(out, bytes, n);
    fputs("\">\n<figcaption>", out);
    put_text(out, f->list[i].caption);
    fprintf(out, " Data and script: figures/%s.tsv, .gp.</figcaption></figure>\n", f->list[i].name);
    free(bytes);
}

static void put_figures(FILE *out, const struct figures *f) {
    if (!f || !f->n || f->absent) return;
    fputs("<h2>Figures</h2>\n", out);
    for (size_t i = 0; i < f->n; i++) put_figure(out, f, i);
}

/* ---- words and tables -------------------------------------------------------------------------- */

static void put_cell(FILE *out, const struct grid *g, size_t row, size_t column) {
    const char *tag = row ? "td" : "th";
    fprintf(out, "<%s%s>", tag, g->left[column] ? " class=\"left\"" : "");
    put_text(out, g->cells[row][column] ? g->cells[row][column] : "-");
    fprintf(out, "</%s>", tag);
}

static void put_grid(FILE *out, const struct grid *g) {
    fputs("<div class=\"scroll\"><table>\n", out);
    for (size_t i = 0; i < g->rows_n; i++) {
        fputs("<tr>", out);
        for (size_t j = 0; j < g->columns_n; j++) put_cell(out, g, i, j);
        fputs("</tr>\n", out);
    }
    fputs("</table></div>\n", out);
}

static void put_block(FILE *out, const struct block *b) {
    static const char *const TAGS[][2] = {
        [BLOCK_TITLE] = {"<h1>", "</h1>\n"},
        [BLOCK_HEADING] = {"<h2>", "</h2>\n"},
        [BLOCK_HEADLINE] = {"<p class=\"headline\">", "</p>\n"},
        [BLOCK_TEXT] = {"<p>", "</p>\n"},
        [BLOCK_WARNING] = {"<p class=\"warning\">Warning: ", "</p>\n"},
    };
    if (b->kind == BLOCK_GRID)
        put_grid(out, b->grid);
    else
        put_element(out, TAGS[b->kind][0], b->text, TAGS[b->kind][1]);
}

/* ---- provenance -------------------------------------------------------------------------------- */

/* An attribute over all runs: its value, or its first values when they differ. */
static void put_about(FILE *out, const struct results *r, enum log_origin which) {
    const char *seen[4];
    size_t n = 0, more = 0;
    for (size_t i = 0; i < r->logs_n; i++) {
        const char *value = r->logs[i]->about[which];
        bool is_new = value != NULL;
        for (size_t j = 0; j < n && is_new; j++) is_new = strcmp(seen[j], value) != 0;
        if (is_new && n < 4)
            seen[n++] = value;
        else if (is_new)
            more = 1;
    }
    if (!n) return;
    put_element(out, "<tr><th class=\"left\">", log_origin_name(which), "</th><td class=\"left\">");
    for (size_t j = 0; j < n; j++) put_element(out, j ? "; " : "", seen[j], "");
    fprintf(out, "%s</td></tr>\n", more ? "; ..." : "");
}

static void put_provenance(FILE *out, const struct results *r) {
    fputs("<h2>Provenance</h2>\n<table>\n", out);
    for (size_t i = 0; i < LOG_ABOUTS; i++)
        if (i != ABOUT_NOTE && i != ABOUT_CREATED && i != ABOUT_FINISHED)
            put_about(out, r, (enum log_origin)i);
    const char *first = NULL, *last = NULL; /* ISO 8601 in UTC sorts as text */
    for (size_t i = 0; i < r->logs_n; i++) {
        const char *from = r->logs[i]->about[ABOUT_CREATED];
        const char *until = r->logs[i]->about[ABOUT_FINISHED];
        if (from && (!first || strcmp(from, first) < 0)) first = from;
        if (until && (!last || strcmp(until, last) > 0)) last = until;
    }
    if (first)
        put_element(out, "<tr><th class=\"left\">first run created</th><td class=\"left\">", first,
                    "</td></tr>\n");
    if (last)
        put_element(out, "<tr><th class=\"left\">last run finished</th><td class=\"left\">", last,
                    "</td></tr>\n");
    fputs("</table>\n", out);
}

static void put_runs(FILE *out, const struct results *r) {
    fprintf(out,
            "<details><summary>Runs (%zu)</summary><table>\n<tr><th class=\"left\">run</th>"
            "<th class=\"left\">part</th>",
            r->points_n);
    for (size_t a = 0; a < r->axes_n; a++) put_element(out, "<th>", r->axes[a].name, "</th>");
    fputs("<th>final accuracy %</th></tr>\n", out);
    for (size_t i = 0; i < r->points_n; i++) {
        const struct point *p = &r->points[i];
        put_element(out, "<tr><td class=\"left\"><code>", p->log->id, "</code></td>");
        put_element(out, "<td class=\"left\">", p->part, "</td>");
        for (size_t a = 0; a < r->axes_n; a++) put_element(out, "<td>", p->label[a], "</td>");
        if (p->log->state == LOG_DONE)
            fprintf(out, "<td>%.2f</td></tr>\n", 100 * p->log->final_accuracy);
        else
            fputs("<td>-</td></tr>\n", out);
    }
    fputs("</table></details>\n", out);
}

static void put_config(FILE *out, const struct results *r) {
    for (size_t i = 0; i < r->logs_n; i++) {
        if (!r->logs[i]->config) continue;
        put_element(out, "<h2>Config</h2>\n<p>Fully resolved config of run <code>", r->logs[i]->id,
                    "</code>; every log holds its own.</p>\n");
        put_element(out, "<pre>", r->logs[i]->config, "</pre>\n");
        return;
    }
}

/* ---- the file ---------------------------------------------------------------------------------- */

static void put_page(FILE *out, const struct page *page, const struct figures *f,
                     const struct results *r) {
    fputs("<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
          "<meta name=\"viewport\" content=\"width=device-width\">\n",
          out);
    put_element(out, "<title>", r->name, ": imprint report</title>\n");
    fprintf(out, "<style>\n%s</style></head>\n<body>\n", STYLE);
    for (size_t i = 0; i < page->blocks_n; i++) put_block(out, &page->blocks[i]);
    put_figures(out, f);
    put_provenance(out, r);
    put_runs(out, r);
    put_config(out, r);
    fputs("</body></html>\n", out);
}

int html_save(const char *path, const struct page *page, const struct figures *figures,
              const struct results *results, struct error *e) {
    char *beside = memory_print("%s.tmp.%ld", path, (long)getpid());
    FILE *out = fopen(beside, "w");
    int status = STATUS_OK;
    if (!out)
        status = error_set(e, STATUS_FAILED, "%s: cannot write it: %s", path, strerror(errno));
    else {
        put_page(out, page, figures, results);
        bool failed = ferror(out) != 0;
        if (fclose(out) || failed || rename(beside, path)) {
            unlink(beside);
            status =
                error_set(e, STATUS_FAILED, "%s: cannot write it whole: %s", path, strerror(errno));
        }
    }
    free(beside);
    return status;
}
