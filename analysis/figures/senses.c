/* Several senses: what a network of several modalities has become, by level of a curve. One figure of
 * final accuracy, the median RSV of the units at the end and each branch's Fisher trace at removal; one
 * of the RSV histograms at the end, a panel per level.
 *
 * Traces span decades, so that their means and intervals are those of the logarithms (geometric
 * means). RSV is +1 for a unit that listens to the first modality alone, -1 for one that listens to the
 * others; histograms are shares of the units that have one. A log without these series, as that of a
 * network with one modality, has no such figure. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/figures.h"
#include "analysis/figures/plot.h"
#include "analysis/memory.h"

enum { PANEL_WIDTH = 400, BINS_WIDTH = 190, PANELS_MOST = 6, LABEL_MOST = 20 };
static const double LEVEL = 0.95;

struct senses {
    const struct summary *summary;
    const struct part *part;
    const struct curve *curve;
    const struct log *model; /* the first one with branches; NULL: none */
    size_t branches;         /* drawn */
    bool any_rsv;
};

/* ---- readings of a log ------------------------------------------------------------------------ */

static const struct log *row_log(const struct row *row, size_t i) {
    const struct log *log = row->points[i]->log;
    return log->state == LOG_DONE ? log : NULL;
}

static double log_last(const struct log *log, enum log_series series) {
    const double *v = log->series[series];
    for (size_t i = v ? log->rows : 0; i-- > 0;)
        if (!isnan(v[i])) return v[i];
    return NAN;
}

/* The trace at removal, or at the last row before it that was measured. */
static double log_branch(const struct log *log, size_t branch) {
    const struct log_table *t = &log->branches;
    double found = NAN;
    for (size_t i = 0; branch < t->n && i < log->rows; i++)
        if (log->epoch[i] <= (double)log->removal && !isnan(t->value[i * t->n + branch]))
            found = t->value[i * t->n + branch];
    return found;
}

/* Share of the units in a bin, in the last row that has a histogram. */
static double log_bin(const struct log *log, size_t bin) {
    const struct log_table *t = &log->rsv_bins;
    for (size_t i = bin < t->n ? log->rows : 0; i-- > 0;) {
        double sum = 0;
        for (size_t k = 0; k < t->n; k++) sum += t->value[i * t->n + k];
        if (sum > 0) return t->value[i * t->n + bin] / sum;
    }
    return NAN;
}

/* A reading of each run of a row: `which` is a branch or a bin. */
enum reading { READ_ACCURACY, READ_RSV, READ_BRANCH, READ_BIN };

static double log_reading(const struct log *log, enum reading reading, size_t which) {
    if (!log) return NAN;
    if (reading == READ_ACCURACY) return 100 * log->final_accuracy;
    if (reading == READ_RSV) return log_last(log, SERIES_RSV);
    return reading == READ_BRANCH ? log_branch(log, which) : log_bin(log, which);
}

static struct interval row_reading(const struct row *row, enum reading reading, size_t which) {
    double *v = memory_new(row->points_n, sizeof *v);
    for (size_t i = 0; i < row->points_n; i++) {
        v[i] = log_reading(row_log(row, i), reading, which);
        if (reading == READ_BRANCH) v[i] = v[i] > 0 ? log(v[i]) : NAN;
    }
    struct interval t = stats_t_interval(v, row->points_n, LEVEL);
    if (reading == READ_BRANCH) t.mean = exp(t.mean), t.low = exp(t.low), t.high = exp(t.high);
    free(v);
    return t;
}

/* ---- which figures there are ------------------------------------------------------------------ */

static struct senses senses_of(const struct summary *s, const struct part *part,
                               const struct curve *c) {
    struct senses n = {.summary = s, .part = part, .curve = c};
    for (size_t i = 0; i < c->rows_n; i++)
        for (size_t j = 0; j < c->rows[i].points_n; j++) {
            const struct log *log = row_log(&c->rows[i], j);
            if (!log) continue;
            n.any_rsv |= !isnan(log_last(log, SERIES_RSV));
            if (!n.model && log->branches.label) n.model = log;
        }
    if (n.model) n.branches = n.model->branches.n < PLOT_LINES ? n.model->branches.n : PLOT_LINES;
    return n;
}

static double row_x(const struct senses *n, size_t row) {
    return n->part->kind == X_LEVEL ? (double)row : n->curve->rows[row].x;
}

static const char *x_label(const struct senses *n) {
    if (n->part->kind == X_LEVEL) return "";
    return n->part->kind == X_ONSET ? "onset of the window (epoch)" : "removal epoch t0";
}

/* "n = 3", "n = 1 to 3": runs of the levels that are done. */
static char *senses_seeds(const struct senses *n) {
    size_t least = SIZE_MAX, most = 0;
    for (size_t i = 0; i < n->curve->rows_n; i++) {
        size_t done = row_done(&n->curve->rows[i]);
        if (done && done < least) least = done;
        if (done > most) most = done;
    }
    if (least >= most) return memory_print("n = %zu", most);
    return memory_print("n = %zu to %zu", least, most);
}

/* ---- accuracy, RSV and branches by level ------------------------------------------------------ */

/* Two blocks: means with intervals, then every seed. Returns the first one's index. */
static size_t write_data(struct plot *p, const struct senses *n, enum reading reading,
                         size_t which) {
    size_t block = plot_block(p);
    fputs("x\tmean\tlow\thigh\tn\n", p->data);
    for (size_t i = 0; i < n->curve->rows_n; i++) {
        struct interval t = row_reading(&n->curve->rows[i], reading, which);
        if (!t.n) continue;
        fprintf(p->data, "%g", row_x(n, i));
        plot_number(p->data, t.mean);
        plot_number(p->data, t.low);
        plot_number(p->data, t.high);
        fprintf(p->data, "\t%zu\n", t.n);
    }
    plot_block(p);
    fputs("x\tvalue\n", p->data);
    for (size_t i = 0; i < n->curve->rows_n; i++)
        for (size_t j = 0; j < n->curve->rows[i].points_n; j++) {
            double v = log_reading(row_log(&n->curve->rows[i], j), reading, which);
            fprintf(p->data, "%g", row_x(n, i));
            plot_number(p->data, v);
            fputc('\n', p->data);
        }
    return block;
}

static void reading_range(struct plot_range *r, const struct senses *n, enum reading reading,
                          size_t which) {
    for (size_t i = 0; i < n->curve->rows_n; i++) {
        const struct row *row = &n->curve->rows[i];
        struct interval t = row_reading(row, reading, which);
        for (size_t j = 0; j < row->points_n; j++)
            plot_range_core(r, log_reading(row_log(row, j), reading, which));
        plot_range_end(r, t.low);
        plot_range_end(r, t.high);
    }
}

static void write_x_axis(struct plot *p, const struct senses *n) {
    size_t rows = n->curve->rows_n;
    double low = row_x(n, 0), high = row_x(n, rows - 1),
           room = high > low ? (high - low) * 0.06 : 1;
    fprintf(p->script, "set xrange [%.6g:%.6g]\n", low - room, high + room);
    if (n->part->kind != X_LEVEL) return;
    fputs("set xtics rotate by -25 (", p->script);
    for (size_t i = 0; i < rows; i++) {
        char *label = row_label(n->summary, n->part, &n->curve->rows[i]);
        char *cut = memory_print("%.*s", (int)LABEL_MOST, label);
        fputs(i ? ", " : "", p->script);
        plot_quote(p->script, cut);
        fprintf(p->script, " %zu", i);
        free(label);
        free(cut);
    }
    fputs(")\n", p->script);
}

/* Lines of one panel are moved apart, so that bars at the same level do not hide each other. */
static double line_moved(const struct senses *n, size_t i, size_t lines) {
    double width = row_x(n, n->curve->rows_n - 1) - row_x(n, 0);
    return 0.012 * width * ((double)i - (double)(lines - 1) / 2);
}

static void write_line(struct plot *p, const struct senses *n, size_t block, size_t i, size_t lines,
                       const char *colour) {
    double moved = line_moved(n, i, lines);
    fprintf(p->script,
            " '%s.tsv' index %zu using ($1%+.4g):2 skip 1 with points pt 7 ps 0.45 lc rgb '#70%s' "
            "notitle, \\\n",
            p->name, block + 1, moved, colour + 1);
    fprintf(p->script,
            " '' index %zu using ($1%+.4g):2:3:4 skip 1 with yerrorbars pt %d ps 0.9 lw 1.4 lc rgb "
            "'%s' notitle, \\\n",
            block, moved, plot_point_type(i), colour);
    fprintf(
        p->script,
        " '' index %zu using ($1%+.4g):2 skip 1 with %s pt %d ps 0.9 lw 1.6 lc rgb '%s' notitle",
        block, moved, n->part->kind == X_LEVEL ? "points" : "linespoints", plot_point_type(i),
        colour);
}

/* The branches' names stand in the key, which belongs to the first panel. */
static void write_key(struct plot *p, const struct senses *n) {
    for (size_t b = 0; b < n->branches; b++) {
        fprintf(p->script, ", \\\n NaN with linespoints pt %d ps 0.9 lw 1.6 lc rgb '%s' title ",
                plot_point_type(b), plot_colour_category(b));
        plot_quote(p->script, n->model->branches.label[b]);
    }
}

static void write_accuracy(struct plot *p, const struct senses *n) {
    struct plot_range range = {0};
    size_t block = write_data(p, n, READ_ACCURACY, 0);
    reading_range(&range, n, READ_ACCURACY, 0);
    plot_panel(p, "final accuracy", x_label(n), "clean test accuracy (%)");
    write_x_axis(p, n);
    plot_range_print(&range, p->script, "y", 0, 100);
    fputs("plot", p->script);
    write_line(p, n, block, 0, 1, "#222222");
    write_key(p, n);
    fputc('\n', p->script);
}

static void write_rsv(struct plot *p, const struct senses *n) {
    size_t block = write_data(p, n, READ_RSV, 0);
    char *sides = n->branches > 1
                      ? memory_print("-1: %.20s   +1: %.20s", n->model->branches.label[1],
                                     n->model->branches.label[0])
                      : memory_text("relative source variance");
    plot_panel(p, "median RSV at the end", x_label(n), sides);
    free(sides);
    write_x_axis(p, n);
    fputs("set yrange [-1.05:1.05]\nset xzeroaxis lc '#444444' lt 1\nplot", p->script);
    write_line(p, n, block, 0, 1, "#222222");
    fputc('\n', p->script);
}

/* Every mark inside, and as much of the intervals as a decade to either side holds. */
static void write_log_range(struct plot *p, const struct senses *n) {
    struct plot_range r = {0};
    for (size_t b = 0; b < n->branches; b++)
        for (size_t i = 0; i < n->curve->rows_n; i++) {
            const struct row *row = &n->curve->rows[i];
            for (size_t j = 0; j < row->points_n; j++)
                plot_range_core(&r, log10(log_reading(row_log(row, j), READ_BRANCH, b)));
        }
    for (size_t b = 0; b < n->branches; b++)
        for (size_t i = 0; i < n->curve->rows_n; i++) {
            struct interval t = row_reading(&n->curve->rows[i], READ_BRANCH, b);
            plot_range_end(&r, log10(t.low));
            plot_range_end(&r, log10(t.high));
        }
    if (!r.is_set) return;
    double low = fmax(r.low_end, r.low - 1) - 0.2, high = fmin(r.high_end, r.high + 1) + 0.2;
    fprintf(p->script, "set yrange [%.4g:%.4g]\n", pow(10, low), pow(10, high));
}

static void write_branches(struct plot *p, const struct senses *n) {
    size_t block[PLOT_LINES] = {0};
    for (size_t b = 0; b < n->branches; b++) block[b] = write_data(p, n, READ_BRANCH, b);
    plot_panel(p, "Fisher trace of each branch at removal", x_label(n), "Fisher trace (nats)");
    write_x_axis(p, n);
    fputs("unset xzeroaxis\nset logscale y\nset format y '%g'\n", p->script);
    write_log_range(p, n);
    fputs("plot", p->script);
    for (size_t b = 0; b < n->branches; b++) {
        if (b) fputs(", \\\n", p->script);
        write_line(p, n, block[b], b, n->branches, plot_colour_category(b));
    }
    fputs("\nunset logscale y\nset format y '% h'\n", p->script);
}

static size_t key_chars(const struct senses *n) {
    size_t most = 0;
    for (size_t b = 0; b < n->branches; b++)
        if (strlen(n->model->branches.label[b]) > most) most = strlen(n->model->branches.label[b]);
    return most;
}

static int draw_levels(struct figures *f, const struct senses *n, struct error *e) {
    char *seeds = senses_seeds(n);
    char *title = memory_print("%.40s: %.50s, the senses, %s", n->summary->results->name,
                               n->curve->name, seeds);
    char *caption = memory_print(
        "%.80s: final accuracy, the median over units of RSV in the last row (+1: the unit listens "
        "to "
        "the first modality alone) and the Fisher trace of each branch at removal (clean probes; "
        "geometric mean, log scale). Marks: mean over seeds with its 95 %% Student t interval; "
        "dots: "
        "each seed; %s.",
        n->curve->name, seeds);
    char *name = figures_add(f, "senses", n->curve->name, caption);
    size_t panels = 1;
    if (n->any_rsv) panels++;
    if (n->branches) panels++;
    struct plot p;
    plot_open_sized(&p, f->folder, name, title, panels, PANEL_WIDTH, key_chars(n),
                    n->part->kind == X_LEVEL);
    plot_footer(&p, !strcmp(seeds, "n = 1") ? "one seed, so no interval"
                                            : "mark: mean over seeds (traces: geometric); bar: its "
                                              "95 % t interval; faint dots: each seed");
    write_accuracy(&p, n);
    if (n->any_rsv) write_rsv(&p, n);
    if (n->branches) write_branches(&p, n);
    free(seeds);
    free(title);
    free(caption);
    return plot_close(&p, e);
}

/* ---- histograms ------------------------------------------------------------------------------- */

static const struct log *row_bins(const struct row *row) {
    for (size_t i = 0; i < row->points_n; i++) {
        const struct log *log = row_log(row, i);
        if (log && log->rsv_bins.at && !isnan(log_bin(log, 0))) return log;
    }
    return NULL;
}

static double bins_highest(const struct row *const *rows, size_t n) {
    double most = 0;
    for (size_t i = 0; i < n; i++) {
        const struct log *log = row_bins(rows[i]);
        for (size_t b = 0; b < log->rsv_bins.n; b++)
            most = fmax(most, row_reading(rows[i], READ_BIN, b).mean);
    }
    return most;
}

static void write_bins(struct plot *p, const struct senses *n, const struct row *row, bool first,
                       double highest) {
    const struct log_table *t = &row_bins(row)->rsv_bins;
    size_t block = plot_block(p), seeds = row_reading(row, READ_BIN, 0).n;
    fputs("rsv\tshare\tlow\thigh\tn\n", p->data);
    for (size_t b = 0; b < t->n; b++) {
        struct interval share = row_reading(row, READ_BIN, b);
        fprintf(p->data, "%.6g", t->at[b]);
        plot_number(p->data, share.mean);
        plot_number(p->data, fmax(share.low, 0));
        plot_number(p->data, fmin(share.high, 1));
        fprintf(p->data, "\t%zu\n", share.n);
    }
    char *level = row_name(n->summary, n->part, row);
    char *title = memory_print("%.24s, n = %zu", level, seeds);
    double width = t->n > 1 ? t->at[1] - t->at[0] : 2;
    plot_panel(p, title, "RSV", first ? "share of the units" : "");
    fprintf(p->script, "set xrange [-1.05:1.05]\nset xtics 1\nset yrange [0:%.4g]\n",
            fmin(highest * 1.25, 1.02));
    fprintf(
        p->script,
        "plot '%s.tsv' index %zu using 1:2:(%.6g) skip 1 with boxes fs solid 0.6 noborder lc rgb "
        "'#0072b2' notitle, \\\n '' index %zu using 1:3:(0):($4-$3) skip 1 with "
        "vectors nohead lw 1.2 lc rgb '#222222' notitle\n",
        p->name, block, 0.92 * width, block);
    free(level);
    free(title);
}

static int draw_bins(struct figures *f, const struct senses *n, const struct row *const *all,
                     size_t of, struct error *e) {
    const struct row *rows[PANELS_MOST];
    size_t panels = of < PANELS_MOST ? of : PANELS_MOST;
    for (size_t i = 0; i < panels; i++) rows[i] = all[plot_pick(i, panels, of)];
    char *title = memory_print("%.40s: %.50s, RSV at the end%s", n->summary->results->name,
                               n->curve->name, panels < of ? " (not all levels)" : "");
    char *caption = memory_print("%.80s: shares of the units by their RSV in the last row (+1: the "
                                 "unit listens to the first "
                                 "modality alone, -1: to the others), a panel per level; bars: "
                                 "mean over seeds, lines: 95 %% "
                                 "Student t intervals, cut by the frame where they are long. Units "
                                 "without an RSV are left out.",
                                 n->curve->name);
    char *name = figures_add(f, "rsv", n->curve->name, caption);
    struct plot p;
    plot_open_sized(&p, f->folder, name, title, panels, BINS_WIDTH, 0, false);
    char *seeds = senses_seeds(n);
    plot_footer(&p, !strcmp(seeds, "n = 1") ? "one seed, so no interval"
                                            : "bar: mean over seeds; line: its 95 % t interval");
    free(seeds);
    double highest = bins_highest(rows, panels);
    for (size_t i = 0; i < panels; i++) write_bins(&p, n, rows[i], i == 0, highest);
    free(title);
    free(caption);
    return plot_close(&p, e);
}

static int draw_histograms(struct figures *f, const struct senses *n, struct error *e) {
    const struct row **rows = memory_new(n->curve->rows_n, sizeof *rows);
    size_t of = 0;
    for (size_t i = 0; i < n->curve->rows_n; i++)
        if (row_bins(&n->curve->rows[i])) rows[of++] = &n->curve->rows[i];
    int status = of ? draw_bins(f, n, rows, of, e) : STATUS_OK;
    free(rows);
    return status;
}

int figures_senses(struct figures *f, const struct summary *s, struct error *e) {
    int status = STATUS_OK;
    for (size_t i = 0; i < s->parts_n; i++)
        for (size_t j = 0; j < s->parts[i].curves_n && !status; j++) {
            if (!figures_wanted(s, i, j)) continue;
            struct senses n = senses_of(s, &s->parts[i], &s->parts[i].curves[j]);
            if (n.any_rsv || n.branches) status = draw_levels(f, &n, e);
            if (!status) status = draw_histograms(f, &n, e);
        }
    return status;
}
