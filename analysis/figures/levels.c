/* Final accuracy (left) and paired drop (right) by level: mean, 95 % t interval and every seed.
 *
 * All parts with an axis of removal epochs share one figure, a line per curve; a part with an axis
 * of onsets, or without an x axis, has its own. Lines are moved apart by a hundredth of the axis,
 * so that bars at the same x do not hide each other: the TSV holds the true x. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/figures.h"
#include "analysis/figures/plot.h"
#include "analysis/memory.h"

enum { LABEL_MOST = 20, AXIS_CHARS = 60 };

/* A line of the figure. */
struct line {
    const struct part *part;
    const struct curve *curve;
};

struct lines {
    const struct summary *summary;
    enum x_kind kind;
    const char *x_name;
    size_t n, shown;
    struct line *list;
    double x_low, x_high, x_gap; /* least distance between two x */
};

/* ---- which lines, which x ---------------------------------------------------------------------- */

static double line_x(const struct lines *l, const struct line *line, size_t row) {
    return l->kind == X_LEVEL ? (double)row : line->curve->rows[row].x;
}

static const struct line *shown_line(const struct lines *l, size_t i) {
    return &l->list[plot_pick(i, l->shown, l->n)];
}

static void lines_add(struct lines *l, const struct part *part) {
    for (size_t i = 0; i < part->curves_n; i++) {
        l->list = memory_grow(l->list, l->n, sizeof *l->list);
        l->list[l->n++] = (struct line){part, &part->curves[i]};
    }
}

static void lines_measure_gaps(struct lines *l, double x) {
    for (size_t i = 0; i < l->n; i++)
        for (size_t j = 0; j < l->list[i].curve->rows_n; j++) {
            double gap = fabs(line_x(l, &l->list[i], j) - x);
            if (gap > 0) l->x_gap = fmin(l->x_gap, gap);
        }
}

static void lines_measure(struct lines *l) {
    l->shown = l->n < PLOT_LINES ? l->n : PLOT_LINES;
    l->x_low = l->x_gap = INFINITY;
    l->x_high = -INFINITY;
    for (size_t i = 0; i < l->n; i++)
        for (size_t j = 0; j < l->list[i].curve->rows_n; j++) {
            double x = line_x(l, &l->list[i], j);
            l->x_low = fmin(l->x_low, x);
            l->x_high = fmax(l->x_high, x);
            lines_measure_gaps(l, x);
        }
}

/* How far lines are moved apart: never so far that one could be taken for the next level. */
static double lines_step(const struct lines *l) {
    return fmin((l->x_high - l->x_low) * 0.012, l->x_gap / (2 * (double)l->shown));
}

static char *line_label(const struct line *line) {
    size_t least = SIZE_MAX, most = 0;
    for (size_t i = 0; i < line->curve->rows_n; i++) {
        size_t n = line->curve->rows[i].accuracy_t.n;
        if (n < least) least = n;
        if (n > most) most = n;
    }
    if (least == most) return memory_print("%.40s, n = %zu", line->curve->name, most);
    return memory_print("%.40s, n = %zu to %zu", line->curve->name, least, most);
}

/* ---- data -------------------------------------------------------------------------------------- */

static void write_seeds(struct plot *p, const char *curve, double x, const struct row *row) {
    for (size_t i = 0; i < row->points_n; i++) {
        fprintf(p->data, "%s", curve);
        plot_number(p->data, x);
        plot_number(p->data, row->accuracy[i]);
        plot_number(p->data, row->is_clean ? NAN : row->drop[i]);
        fputc('\n', p->data);
    }
}

static void write_interval(FILE *out, struct interval t) {
    plot_number(out, t.mean);
    plot_number(out, t.low);
    plot_number(out, t.high);
    fprintf(out, "\t%zu", t.n);
}

/* Two blocks a line: means with intervals, then every seed. */
static void write_line(struct plot *p, const struct lines *l, const struct line *line) {
    static const struct interval none = {NAN, NAN, NAN, 0};
    const struct curve *c = line->curve;
    plot_block(p);
    fputs("curve\tx\taccuracy\tlow\thigh\tn\tdrop\tdrop_low\tdrop_high\tpairs\n", p->data);
    for (size_t i = 0; i < c->rows_n; i++) {
        fprintf(p->data, "%s", c->name);
        plot_number(p->data, line_x(l, line, i));
        write_interval(p->data, c->rows[i].accuracy_t);
        write_interval(p->data, c->rows[i].is_clean ? none : c->rows[i].drop_t);
        fputc('\n', p->data);
    }
    plot_block(p);
    fputs("curve\tx\taccuracy\tdrop\n", p->data);
    for (size_t i = 0; i < c->rows_n; i++) write_seeds(p, c->name, line_x(l, line, i), &c->rows[i]);
}

/* ---- script ------------------------------------------------------------------------------------ */

static void row_range(struct plot_range *r, const struct row *row, bool is_drop) {
    const double *v = is_drop ? row->drop : row->accuracy;
    if (is_drop && row->is_clean) return;
    for (size_t i = 0; i < row->points_n; i++) plot_range_core(r, v[i]);
    plot_range_end(r, is_drop ? row->drop_t.low : row->accuracy_t.low);
    plot_range_end(r, is_drop ? row->drop_t.high : row->accuracy_t.high);
}

static void write_y_range(struct plot *p, const struct lines *l, bool is_drop) {
    struct plot_range r = {0};
    if (is_drop) plot_range_core(&r, 0);
    for (size_t i = 0; i < l->shown; i++)
        for (size_t j = 0; j < shown_line(l, i)->curve->rows_n; j++)
            row_range(&r, &shown_line(l, i)->curve->rows[j], is_drop);
    plot_range_print(&r, p->script, "y", is_drop ? -INFINITY : 0, is_drop ? INFINITY : 100);
}

static char *level_label(const struct lines *l, size_t i) {
    char *whole = row_label(l->summary, l->list[0].part, &l->list[0].curve->rows[i]);
    char *label = memory_print(strlen(whole) > LABEL_MOST ? "%.*s.." : "%.*s", LABEL_MOST, whole);
    free(whole);
    return label;
}

/* Do the levels' names need more room than the axis has? */
static bool lines_slanted(const struct lines *l) {
    size_t chars = 0;
    for (size_t i = 0; l->kind == X_LEVEL && i < l->list[0].curve->rows_n; i++) {
        char *label = level_label(l, i);
        chars += strlen(label) + 2;
        free(label);
    }
    return chars > AXIS_CHARS;
}

static bool lines_any_drop(const struct lines *l) {
    for (size_t i = 0; i < l->n; i++)
        if (curve_largest_drop(l->list[i].curve)) return true;
    return false;
}

static void write_x_tics(struct plot *p, const struct lines *l) {
    double room = l->x_high > l->x_low ? (l->x_high - l->x_low) * 0.06 : 1;
    fprintf(p->script, "set xrange [%.6g:%.6g]\n", l->x_low - room, l->x_high + room);
    if (l->kind != X_LEVEL) return;
    fprintf(p->script, "set xtics %s (", lines_slanted(l) ? "rotate by -25" : "norotate");
    const struct line *line = &l->list[0];
    for (size_t i = 0; i < line->curve->rows_n; i++) {
        char *label = level_label(l, i);
        fputs(i ? ", " : "", p->script);
        plot_quote(p->script, label);
        fprintf(p->script, " %zu", i);
        free(label);
    }
    fputs(")\n", p->script);
}

static void write_line_script(struct plot *p, const struct lines *l, size_t i, bool is_drop) {
    char *label = line_label(shown_line(l, i));
    const char *colour = plot_colour_category(i);
    double step = lines_step(l);
    double moved = step * ((double)i - (double)(l->shown - 1) / 2);
    int mark = plot_point_type(i), column = is_drop ? 7 : 3;
    fprintf(p->script,
            " '%s.tsv' index %zu using ($2%+.4g):%d skip 1 with points pt 7 ps 0.45 lc rgb "
            "'#70%s' notitle, \\\n",
            p->name, 2 * i + 1, moved + 0.45 * step, is_drop ? 4 : 3, colour + 1);
    fprintf(p->script,
            " '' index %zu using ($2%+.4g):%d:%d:%d skip 1 with yerrorbars pt %d ps 0.9 lw 1.4 lc "
            "rgb '%s' notitle, \\\n",
            2 * i, moved, column, column + 1, column + 2, mark, colour);
    fprintf(
        p->script,
        " '' index %zu using ($2%+.4g):%d skip 1 with %s pt %d ps 0.9 lw 1.6 lc rgb '%s' title ",
        2 * i, moved, column, l->kind == X_LEVEL ? "points" : "linespoints", mark, colour);
    plot_quote(p->script, label);
    fputs(i + 1 < l->shown ? ", \\\n" : "\n", p->script);
    free(label);
}

static void write_panel(struct plot *p, const struct lines *l, bool is_drop) {
    const char *x_label = l->kind == X_LEVEL ? "" : l->x_name;
    plot_panel(p, is_drop ? "paired drop against the clean twin" : "final accuracy", x_label,
               is_drop ? "drop (percentage points)" : "clean test accuracy (%)");
    write_x_tics(p, l);
    write_y_range(p, l, is_drop);
    if (is_drop) fputs("set xzeroaxis lc '#444444' lt 1\n", p->script);
    fputs("plot", p->script);
    for (size_t i = 0; i < l->shown; i++) write_line_script(p, l, i, is_drop);
}

static char *lines_title(const struct lines *l, const char *what) {
    const char *experiment = l->summary->results->name;
    if (l->shown == l->n) return memory_print("%.40s: %s", experiment, what);
    return memory_print("%.40s: %s (%zu of %zu lines shown)", experiment, what, l->shown, l->n);
}

static int draw_lines(struct figures *f, const struct lines *l, const char *kind, const char *of,
                      const char *what, struct error *e) {
    size_t key = 0;
    for (size_t i = 0; i < l->shown; i++) {
        char *label = line_label(shown_line(l, i));
        if (strlen(label) > key) key = strlen(label);
        free(label);
    }
    char *caption = memory_print("Final accuracy and paired drop by %s. Marks: mean over seeds "
                                 "with its 95 %% Student t interval, cut by the frame where it is "
                                 "much longer than the data; dots: each seed.",
                                 l->kind == X_LEVEL ? "level" : l->x_name);
    char *name = figures_add(f, kind, of, caption), *title = lines_title(l, what);
    struct plot p;
    plot_open(&p, f->folder, name, title, lines_any_drop(l) ? 2 : 1, key, lines_slanted(l));
    for (size_t i = 0; i < l->shown; i++) write_line(&p, l, shown_line(l, i));
    size_t seeds = 0;
    for (size_t i = 0; i < l->n; i++)
        if (curve_seeds(l->list[i].curve) > seeds) seeds = curve_seeds(l->list[i].curve);
    plot_footer(&p, seeds < 2
                        ? "one seed, so no interval"
                        : "mark: mean over seeds; bar: its 95 % t interval; faint dots: each seed");
    write_panel(&p, l, false);
    if (lines_any_drop(l)) write_panel(&p, l, true);
    free(caption);
    free(title);
    return plot_close(&p, e);
}

/* ---- figures ----------------------------------------------------------------------------------- */

static bool lines_any(const struct lines *l) {
    for (size_t i = 0; i < l->n; i++)
        for (size_t j = 0; j < l->list[i].curve->rows_n; j++)
            if (l->list[i].curve->rows[j].accuracy_t.n) return true;
    return false;
}

static int figure_removal(struct figures *f, const struct summary *s, struct error *e) {
    struct lines l = {.summary = s, .kind = X_REMOVAL, .x_name = "removal epoch"};
    for (size_t i = 0; i < s->parts_n; i++)
        if (s->parts[i].kind == X_REMOVAL) lines_add(&l, &s->parts[i]);
    lines_measure(&l);
    int status = STATUS_OK;
    if (l.x_high > l.x_low && lines_any(&l))
        status = draw_lines(f, &l, "accuracy-removal", "", "accuracy by removal epoch", e);
    free(l.list);
    return status;
}

static int figure_part(struct figures *f, const struct summary *s, const struct part *part,
                       struct error *e) {
    bool onset = part->kind == X_ONSET;
    struct lines l = {.summary = s, .kind = part->kind, .x_name = "onset of the window (epoch)"};
    lines_add(&l, part);
    lines_measure(&l);
    char *what = memory_print("%.40s, accuracy by %s", part->name, onset ? "onset" : "level");
    int status = STATUS_OK;
    if (lines_any(&l) && l.x_high > l.x_low)
        status = draw_lines(f, &l, onset ? "accuracy-onset" : "accuracy", part->name, what, e);
    free(what);
    free(l.list);
    return status;
}

int figures_levels(struct figures *f, const struct summary *s, struct error *e) {
    int status = figure_removal(f, s, e);
    for (size_t i = 0; i < s->parts_n && !status; i++)
        if (s->parts[i].kind != X_REMOVAL) status = figure_part(f, s, &s->parts[i], e);
    return status;
}
