/* Curves over epochs, a line per level: clean test accuracy, and the Fisher trace on clean and on
 * deficit probes. Line: mean over seeds; band: its 95 % t interval; ring: the epoch of removal.
 *
 * The trace at epoch 0 is that of the initialization, which says more of its scale than of the
 * data and would set the axis, so it is in the TSV but not drawn. Where the drawn means span more
 * than a factor of 100 the axis is logarithmic, and then mean and interval are those of the
 * logarithm (the geometric mean), since an interval around an arithmetic mean would pass 0. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/figures.h"
#include "analysis/figures/plot.h"
#include "analysis/memory.h"

static const double LOG_FROM = 100;

struct panel {
    enum log_series series;
    const char *title, *y_label;
    double scale; /* of the values */
    double first; /* epoch drawn */
};

struct kind {
    const char *file, *what;
    struct panel panel[2];
};

static const struct kind KINDS[] = {
    {"learning",
     "test accuracy by epoch",
     {{SERIES_TEST_ACCURACY, "clean test data", "test accuracy (%)", 100, 0}, {.title = NULL}}},
    {"fisher",
     "Fisher trace by epoch",
     {{SERIES_FISHER, "clean probes", "Fisher trace (nats)", 1, 1},
      {SERIES_FISHER_DEFICIT, "deficit probes", "Fisher trace (nats)", 1, 1}}},
};

/* ---- values ------------------------------------------------------------------------------------ */

static double value_at(const struct log *log, const struct panel *panel, double epoch) {
    const double *v = log->series[panel->series];
    if (log->state != LOG_DONE || !v) return NAN;
    for (size_t i = (size_t)epoch < log->rows ? (size_t)epoch : 0; i < log->rows; i++)
        if (log->epoch[i] == epoch) return panel->scale * v[i];
    return NAN;
}

static double row_last_epoch(const struct row *row) {
    double last = -1;
    for (size_t i = 0; i < row->points_n; i++) {
        const struct log *log = row->points[i]->log;
        if (log->state == LOG_DONE && log->rows) last = fmax(last, log->epoch[log->rows - 1]);
    }
    return last;
}

static struct interval row_at(const struct row *row, const struct panel *panel, double epoch,
                              bool in_logs) {
    double *v = memory_new(row->points_n, sizeof *v);
    for (size_t i = 0; i < row->points_n; i++) {
        v[i] = value_at(row->points[i]->log, panel, epoch);
        if (in_logs) v[i] = v[i] > 0 ? log(v[i]) : NAN;
    }
    struct interval t = stats_t_interval(v, row->points_n, 0.95);
    free(v);
    if (in_logs) t = (struct interval){exp(t.mean), exp(t.low), exp(t.high), t.n};
    return t;
}

static size_t rows_shown(const struct curve *c) {
    return c->rows_n < PLOT_LINES ? c->rows_n : PLOT_LINES;
}

static const struct row *shown_row(const struct curve *c, size_t i) {
    return &c->rows[plot_pick(i, rows_shown(c), c->rows_n)];
}

static struct plot_range curve_range(const struct curve *c, const struct panel *panel,
                                     bool in_logs) {
    struct plot_range range = {0};
    for (size_t i = 0; i < rows_shown(c); i++) {
        const struct row *row = shown_row(c, i);
        for (double epoch = panel->first; epoch <= row_last_epoch(row); epoch++) {
            struct interval t = row_at(row, panel, epoch, in_logs);
            plot_range_core(&range, t.mean);
            plot_range_end(&range, t.low);
            plot_range_end(&range, t.high);
        }
    }
    return range;
}

static bool panel_any(const struct curve *c, const struct panel *panel) {
    return panel->title && curve_range(c, panel, false).is_set;
}

static bool panel_in_logs(const struct curve *c, const struct panel *panel) {
    struct plot_range range = curve_range(c, panel, false);
    return panel->series != SERIES_TEST_ACCURACY && range.low > 0 &&
           range.high > LOG_FROM * range.low;
}

/* ---- data and script --------------------------------------------------------------------------- */

static void write_block(struct plot *p, const char *line, const struct row *row,
                        const struct panel *panel, bool in_logs) {
    plot_block(p);
    fprintf(p->data, "line\tepoch\tmean\tlow\thigh\tn\t# %s, %s mean\n", panel->title,
            in_logs ? "geometric" : "arithmetic");
    for (double epoch = 0; epoch <= row_last_epoch(row); epoch++) {
        struct interval t = row_at(row, panel, epoch, in_logs);
        if (!t.n) continue; /* not measured: the line joins its neighbours */
        fprintf(p->data, "%s\t%.0f", line, epoch);
        plot_number(p->data, t.mean);
        plot_number(p->data, t.low);
        plot_number(p->data, t.high);
        fprintf(p->data, "\t%zu\n", t.n);
    }
}

static char *line_label(const struct summary *s, const struct part *part, const struct row *row) {
    char *name = row_name(s, part, row);
    char *label = memory_print("%.40s, n = %zu", name, row_done(row));
    free(name);
    return label;
}

static void line_colour(const struct part *part, const struct curve *c, size_t i, char text[8]) {
    size_t n = rows_shown(c);
    if (part->kind == X_LEVEL)
        snprintf(text, 8, "%s", plot_colour_category(i));
    else if (shown_row(c, i)->is_clean)
        snprintf(text, 8, "#000000");
    else
        plot_colour_ordered(n > 1 ? 0.1 + 0.9 * (double)i / (double)(n - 1) : 0.4, text);
}

static void write_bands(struct plot *p, const struct part *part, const struct curve *c,
                        const struct panel *panel, size_t block) {
    for (size_t i = 0; i < rows_shown(c); i++) {
        char colour[8];
        line_colour(part, c, i, colour);
        fprintf(p->script,
                " '%s.tsv' index %zu using ($2 < %g ? NaN : $2):4:5 skip 1 with filledcurves lc "
                "rgb '%s' notitle, \\\n",
                p->name, block + i, panel->first, colour);
    }
}

static void write_lines(struct plot *p, const struct summary *s, const struct part *part,
                        const struct curve *c, const struct panel *panel, size_t block) {
    for (size_t i = 0; i < rows_shown(c); i++) {
        const struct row *row = shown_row(c, i);
        char colour[8], *label = line_label(s, part, row);
        line_colour(part, c, i, colour);
        fprintf(p->script,
                " '%s.tsv' index %zu using ($2 < %g ? NaN : $2):3 skip 1 with lines lw 1.8 lc rgb "
                "'%s' title ",
                p->name, block + i, panel->first, colour);
        plot_quote(p->script, label);
        if (row->removal > 0)
            fprintf(p->script,
                    ", \\\n '' index %zu using 2:($2 == %ld ? $3 : NaN) skip 1 with points pt 7 "
                    "ps 0.9 lc rgb '%s' notitle",
                    block + i, (long)row->removal, colour);
        fputs(i + 1 < rows_shown(c) ? ", \\\n" : "\n", p->script);
        free(label);
    }
}

static void write_panel(struct plot *p, const struct summary *s, const struct part *part,
                        const struct curve *c, const struct panel *panel) {
    bool in_logs = panel_in_logs(c, panel), percent = panel->series == SERIES_TEST_ACCURACY;
    size_t block = p->blocks;
    for (size_t i = 0; i < rows_shown(c); i++) {
        char *label = row_name(s, part, shown_row(c, i));
        write_block(p, label, shown_row(c, i), panel, in_logs);
        free(label);
    }
    plot_panel(p, panel->title, "epoch", panel->y_label);
    struct plot_range range = curve_range(c, panel, in_logs);
    if (in_logs)
        fprintf(p->script, "set logscale y\nset yrange [%.6g:%.6g]\n",
                fmax(range.low_end, range.low / 3) / 1.1,
                fmin(range.high_end, range.high * 3) * 1.1);
    else
        plot_range_print(&range, p->script, "y", 0, percent ? 100 : INFINITY);
    fputs("plot", p->script);
    write_bands(p, part, c, panel, block);
    write_lines(p, s, part, c, panel, block);
    if (in_logs) fputs("unset logscale y\n", p->script);
}

/* ---- figures ----------------------------------------------------------------------------------- */

static char *figure_caption(const struct kind *kind, const struct curve *c) {
    bool in_logs = false;
    for (size_t i = 0; i < 2; i++)
        if (panel_any(c, &kind->panel[i])) in_logs |= panel_in_logs(c, &kind->panel[i]);
    return memory_print(
        "%.80s: %s. Lines: mean over seeds%s; bands: its 95 %% Student t interval%s; "
        "dots: the epoch of removal.%s",
        c->name, kind->what, in_logs ? " (where the axis is logarithmic: geometric mean)" : "",
        curve_seeds(c) < 2 ? " (one seed: none)" : "",
        kind->panel[0].first > 0 ? " Epoch 0 is not drawn." : "");
}

static char *figure_title(const struct kind *kind, const struct curve *c) {
    if (rows_shown(c) == c->rows_n) return memory_print("%.60s: %s", c->name, kind->what);
    return memory_print("%.60s: %s (%zu of %zu lines shown)", c->name, kind->what, rows_shown(c),
                        c->rows_n);
}

static int draw_curve(struct figures *f, const struct summary *s, const struct part *part,
                      const struct curve *c, const struct kind *kind, struct error *e) {
    size_t panels = 0, key = 0;
    for (size_t i = 0; i < 2; i++) panels += panel_any(c, &kind->panel[i]) ? 1 : 0;
    if (!panels) return STATUS_OK;
    for (size_t i = 0; i < rows_shown(c); i++) {
        char *label = line_label(s, part, shown_row(c, i));
        if (strlen(label) > key) key = strlen(label);
        free(label);
    }
    char *caption = figure_caption(kind, c), *title = figure_title(kind, c);
    struct plot p;
    plot_open(&p, f->folder, figures_add(f, kind->file, c->name, caption), title, panels, key,
              false);
    plot_footer(&p, curve_seeds(c) < 2
                        ? "one seed, so no interval; dot: removal"
                        : "line: mean over seeds; band: its 95 % t interval; dot: removal");
    for (size_t i = 0; i < 2; i++)
        if (panel_any(c, &kind->panel[i])) write_panel(&p, s, part, c, &kind->panel[i]);
    free(caption);
    free(title);
    return plot_close(&p, e);
}

int figures_epochs(struct figures *f, const struct summary *s, struct error *e) {
    int status = STATUS_OK;
    for (size_t k = 0; k < sizeof KINDS / sizeof *KINDS; k++)
        for (size_t i = 0; i < s->parts_n; i++)
            for (size_t j = 0; j < s->parts[i].curves_n && !status; j++)
                if (figures_wanted(s, i, j))
                    status = draw_curve(f, s, &s->parts[i], &s->parts[i].curves[j], &KINDS[k], e);
    return status;
}
