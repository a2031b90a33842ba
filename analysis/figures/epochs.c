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
/* Late traces of a net that is sure of every probe come down to nothing in single runs; a frame
 * that held them would leave no room for the rest. */
static const double LOG_SPAN = 1e4;

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

/* The levels drawn: those with a run that is done, evenly picked where they are too many. */
struct lines {
    const struct summary *summary;
    const struct part *part;
    const struct curve *curve;
    size_t n, of; /* drawn, of so many */
    const struct row *row[PLOT_LINES];
};

static struct lines lines_of(const struct summary *s, const struct part *part,
                             const struct curve *c) {
    struct lines l = {.summary = s, .part = part, .curve = c};
    size_t at = 0;
    for (size_t i = 0; i < c->rows_n; i++) l.of += row_done(&c->rows[i]) ? 1 : 0;
    size_t most = l.of < PLOT_LINES ? l.of : PLOT_LINES;
    for (size_t i = 0; i < c->rows_n; i++) {
        if (!row_done(&c->rows[i])) continue;
        if (l.n < most && plot_pick(l.n, most, l.of) == at) l.row[l.n++] = &c->rows[i];
        at++;
    }
    return l;
}

static struct plot_range lines_range(const struct lines *l, const struct panel *panel,
                                     bool in_logs) {
    struct plot_range range = {0};
    for (size_t i = 0; i < l->n; i++)
        for (double epoch = panel->first; epoch <= row_last_epoch(l->row[i]); epoch++) {
            struct interval t = row_at(l->row[i], panel, epoch, in_logs);
            plot_range_core(&range, t.mean);
            plot_range_end(&range, t.low);
            plot_range_end(&range, t.high);
        }
    return range;
}

/* Has the level a value in this panel? */
static bool row_in(const struct row *row, const struct panel *panel) {
    for (double epoch = panel->first; epoch <= row_last_epoch(row); epoch++)
        if (row_at(row, panel, epoch, false).n) return true;
    return false;
}

static bool panel_any(const struct lines *l, const struct panel *panel) {
    for (size_t i = 0; panel->title && i < l->n; i++)
        if (row_in(l->row[i], panel)) return true;
    return false;
}

static bool panel_in_logs(const struct lines *l, const struct panel *panel) {
    struct plot_range range = lines_range(l, panel, false);
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

static char *line_label(const struct lines *l, size_t i) {
    char *name = row_name(l->summary, l->part, l->row[i]);
    char *label = memory_print("%.40s, n = %zu", name, row_done(l->row[i]));
    free(name);
    return label;
}

static void line_colour(const struct lines *l, size_t i, char text[8]) {
    if (l->part->kind == X_LEVEL)
        snprintf(text, 8, "%s", plot_colour_category(i));
    else if (l->row[i]->is_clean)
        snprintf(text, 8, "#000000");
    else
        plot_colour_ordered(l->n > 1 ? 0.1 + 0.9 * (double)i / (double)(l->n - 1) : 0.4, text);
}

static void write_band(struct plot *p, const struct lines *l, size_t i, const struct panel *panel,
                       size_t block) {
    char colour[8];
    line_colour(l, i, colour);
    fprintf(p->script,
            " '%s.tsv' index %zu using ($2 < %g ? NaN : $2):4:5 skip 1 with filledcurves lc rgb "
            "'%s' notitle, \\\n",
            p->name, block, panel->first, colour);
}

static void write_line(struct plot *p, const struct lines *l, size_t i, const struct panel *panel,
                       size_t block) {
    char colour[8], *label = line_label(l, i);
    line_colour(l, i, colour);
    fprintf(p->script,
            " '%s.tsv' index %zu using ($2 < %g ? NaN : $2):3 skip 1 with lines lw 1.8 lc rgb '%s' "
            "title ",
            p->name, block, panel->first, colour);
    plot_quote(p->script, label);
    fprintf(p->script,
            ", \\\n '' index %zu using 2:($2 > 0 && $2 == %ld ? $3 : NaN) skip 1 with points pt 7 "
            "ps 0.9 lc rgb '%s' notitle, \\\n",
            block, (long)l->row[i]->removal, colour);
    free(label);
}

static void write_y_range(struct plot *p, const struct lines *l, const struct panel *panel,
                          bool in_logs) {
    struct plot_range range = lines_range(l, panel, in_logs);
    if (in_logs)
        fprintf(p->script, "set logscale y\nset yrange [%.6g:%.6g]\n",
                fmax(fmax(range.low_end, range.low / 3), range.high / LOG_SPAN) / 1.1,
                fmin(range.high_end, range.high * 3) * 1.1);
    else
        plot_range_print(&range, p->script, "y", 0,
                         panel->series == SERIES_TEST_ACCURACY ? 100 : INFINITY);
}

/* Levels without a value here get neither block nor line: gnuplot does not count a block that
 * holds only a header when it is the file's first, and every later `index` would be off by one. */
static void write_panel(struct plot *p, const struct lines *l, const struct panel *panel) {
    bool in_logs = panel_in_logs(l, panel), is_in[PLOT_LINES] = {false};
    size_t block = p->blocks, at;
    for (size_t i = 0; i < l->n; i++) {
        is_in[i] = row_in(l->row[i], panel);
        char *name = row_name(l->summary, l->part, l->row[i]);
        if (is_in[i]) write_block(p, name, l->row[i], panel, in_logs);
        free(name);
    }
    char *y_label =
        memory_print("%s%s", panel->y_label, in_logs ? ", geometric mean over seeds" : "");
    plot_panel(p, panel->title, "epoch", y_label);
    free(y_label);
    write_y_range(p, l, panel, in_logs);
    fprintf(p->script, "set style fill transparent solid %s noborder\nplot",
            l->n > 3 ? "0.10" : "0.18");
    at = block;
    for (size_t i = 0; i < l->n; i++)
        if (is_in[i]) write_band(p, l, i, panel, at++);
    at = block;
    for (size_t i = 0; i < l->n; i++)
        if (is_in[i]) write_line(p, l, i, panel, at++);
    fprintf(p->script, " NaN notitle\n%s", in_logs ? "unset logscale y\n" : "");
}

/* ---- figures ----------------------------------------------------------------------------------- */

static char *figure_caption(const struct kind *kind, const struct lines *l) {
    bool in_logs = false;
    for (size_t i = 0; i < 2; i++)
        if (panel_any(l, &kind->panel[i])) in_logs |= panel_in_logs(l, &kind->panel[i]);
    return memory_print(
        "%.80s: %s. Lines: mean over seeds%s; bands: its 95 %% Student t "
        "interval%s; dots: the epoch of removal.%s",
        l->curve->name, kind->what,
        in_logs ? " (where the axis is logarithmic: geometric mean, cut off at 1/10,000 of the "
                  "largest)"
                : "",
        curve_seeds(l->curve) < 2 ? " (one seed: none)" : "",
        kind->panel[0].first > 0 ? " Epoch 0 is not drawn." : "");
}

static char *figure_title(const struct kind *kind, const struct lines *l) {
    if (l->n == l->of) return memory_print("%.60s: %s", l->curve->name, kind->what);
    return memory_print("%.60s: %s (%zu of %zu lines shown)", l->curve->name, kind->what, l->n,
                        l->of);
}

static size_t lines_key(const struct lines *l) {
    size_t key = 0;
    for (size_t i = 0; i < l->n; i++) {
        char *label = line_label(l, i);
        if (strlen(label) > key) key = strlen(label);
        free(label);
    }
    return key;
}

static int draw_curve(struct figures *f, const struct lines *l, const struct kind *kind,
                      struct error *e) {
    size_t panels = 0;
    for (size_t i = 0; i < 2; i++) panels += panel_any(l, &kind->panel[i]) ? 1 : 0;
    if (!panels) return STATUS_OK;
    char *caption = figure_caption(kind, l), *title = figure_title(kind, l);
    const char *name = figures_add(f, kind->file, l->curve->name, caption);
    struct plot p;
    plot_open(&p, f->folder, name, title, panels, lines_key(l), false);
    plot_footer(&p, curve_seeds(l->curve) < 2
                        ? "one seed, so no interval; dot: removal"
                        : "line: mean over seeds; band: its 95 % t interval; dot: removal");
    for (size_t i = 0; i < 2; i++)
        if (panel_any(l, &kind->panel[i])) write_panel(&p, l, &kind->panel[i]);
    free(caption);
    free(title);
    return plot_close(&p, e);
}

static int draw_curves(struct figures *f, const struct summary *s, const struct kind *kind,
                       struct error *e) {
    int status = STATUS_OK;
    for (size_t i = 0; i < s->parts_n; i++)
        for (size_t j = 0; j < s->parts[i].curves_n && !status; j++) {
            if (!figures_wanted(s, i, j)) continue;
            struct lines l = lines_of(s, &s->parts[i], &s->parts[i].curves[j]);
            status = draw_curve(f, &l, kind, e);
        }
    return status;
}

int figures_epochs(struct figures *f, const struct summary *s, struct error *e) {
    int status = STATUS_OK;
    for (size_t k = 0; k < sizeof KINDS / sizeof *KINDS && !status; k++)
        status = draw_curves(f, s, &KINDS[k], e);
    return status;
}
