/* Which layers hold the Fisher information: their shares of the trace over epochs, stacked from
 * the first layer (bottom) to the last, for the first and the last level of a curve side by side.
 *
 * A share is taken per run and then averaged, so that a run with a large trace does not drown the
 * others. A stack cannot show intervals: the TSV holds one for every share, and the caption says
 * how wide the widest is. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/figures.h"
#include "analysis/figures/plot.h"
#include "analysis/memory.h"

enum { KEY_ENTRIES = 16 };

static const struct log *row_layered(const struct row *row) {
    for (size_t i = 0; i < row->points_n; i++) {
        const struct log *log = row->points[i]->log;
        if (log->state == LOG_DONE && log->layer_trace) return log;
    }
    return NULL;
}

/* The share of a layer at row `at` of one log; NaN where the trace was not measured or is 0. */
static double log_share(const struct log *log, size_t at, size_t layer, size_t layers) {
    if (log->state != LOG_DONE || log->layers != layers || at >= log->rows) return NAN;
    const double *trace = log->layer_trace + at * layers;
    double sum = 0;
    for (size_t i = 0; i < layers; i++) sum += trace[i];
    return sum > 0 ? trace[layer] / sum : NAN;
}

static struct interval row_share(const struct row *row, size_t at, size_t layer, size_t layers) {
    double *v = memory_new(row->points_n, sizeof *v);
    for (size_t i = 0; i < row->points_n; i++)
        v[i] = log_share(row->points[i]->log, at, layer, layers);
    struct interval t = stats_t_interval(v, row->points_n, 0.95);
    free(v);
    return t;
}

static double interval_half(struct interval t) {
    return isnan(t.low) ? 0 : (t.high - t.low) / 2;
}

/* Columns: line, epoch, n, the shares, then low and high of each. Returns the widest half. */
static double write_block(struct plot *p, const char *name, const struct row *row,
                          const struct log *log) {
    double widest = 0;
    plot_block(p);
    fputs("line\tepoch\tn", p->data);
    for (size_t j = 0; j < log->layers; j++) fprintf(p->data, "\t%s", log->layer[j]);
    for (size_t j = 0; j < log->layers; j++)
        fprintf(p->data, "\t%s_low\t%s_high", log->layer[j], log->layer[j]);
    for (size_t at = 0; at < log->rows; at++) {
        if (!row_share(row, at, 0, log->layers).n || log->epoch[at] < 1) continue;
        fprintf(p->data, "\n%s\t%.0f\t%zu", name, log->epoch[at],
                row_share(row, at, 0, log->layers).n);
        for (size_t j = 0; j < log->layers; j++)
            plot_number(p->data, row_share(row, at, j, log->layers).mean);
        for (size_t j = 0; j < log->layers; j++) {
            struct interval t = row_share(row, at, j, log->layers);
            plot_number(p->data, t.low);
            plot_number(p->data, t.high);
            widest = fmax(widest, interval_half(t));
        }
    }
    fputc('\n', p->data);
    return widest;
}

/* Areas from the top of the stack down, each over the one before, so that the key reads as the
 * stack stands. With very many layers only some are named. */
static void write_areas(struct plot *p, const struct log *log, size_t block) {
    size_t every = (log->layers + KEY_ENTRIES - 1) / KEY_ENTRIES;
    for (size_t k = log->layers; k-- > 0;) {
        char colour[8];
        plot_colour_ordered(log->layers > 1 ? (double)k / (double)(log->layers - 1) : 0.5, colour);
        fprintf(p->script,
                " '%s.tsv' index %zu using 2:(sum [c=4:%zu] column(c)) skip 1 with filledcurves x1 "
                "fs solid 1 noborder lc rgb '%s' ",
                p->name, block, 4 + k, colour);
        if (k % every)
            fputs("notitle", p->script);
        else {
            fputs("title ", p->script);
            plot_quote(p->script, log->layer[k]);
        }
        fputs(k ? ", \\\n" : "\n", p->script);
    }
}

static double write_panel(struct plot *p, const struct summary *s, const struct part *part,
                          const struct row *row) {
    const struct log *log = row_layered(row);
    char *name = row_name(s, part, row),
         *title = memory_print("%.40s, n = %zu", name, row_done(row));
    size_t block = p->blocks;
    double widest = write_block(p, name, row, log);
    plot_panel(p, title, "epoch", "share of the Fisher trace");
    fprintf(p->script, "set yrange [0:1]\nset xrange [1:%.6g]\nunset grid\n",
            fmax(2, log->epoch[log->rows - 1]));
    if (row->removal > 0)
        fprintf(p->script,
                "set arrow 1 from %ld, graph 0 to %ld, graph 1 nohead front lc "
                "'#d55e00' lw 2 dt 2\n",
                (long)row->removal, (long)row->removal);
    fputs("plot", p->script);
    write_areas(p, log, block);
    fputs("unset arrow\n", p->script);
    free(name);
    free(title);
    return widest;
}

static int draw_curve(struct figures *f, const struct summary *s, const struct part *part,
                      const struct curve *c, struct error *e) {
    const struct row *first = NULL, *last = NULL; /* of the levels that have shares to show */
    for (size_t i = 0; i < c->rows_n; i++) {
        if (!row_layered(&c->rows[i])) continue;
        if (!first) first = &c->rows[i];
        last = &c->rows[i];
    }
    if (!first) return STATUS_OK;
    const struct log *log = row_layered(first);
    size_t key = 0;
    for (size_t i = 0; i < log->layers; i++)
        if (strlen(log->layer[i]) > key) key = strlen(log->layer[i]);
    char *title = memory_print("%.60s: layers' shares of the Fisher trace", c->name);
    char *name = figures_add(f, "layers", c->name, "");
    struct plot p;
    plot_open(&p, f->folder, name, title, first == last ? 1 : 2, key, false);
    plot_footer(&p,
                "mean over seeds of each run's shares (intervals: see the TSV); dashed: removal");
    double widest = write_panel(&p, s, part, first);
    if (first != last) widest = fmax(widest, write_panel(&p, s, part, last));
    char **caption = &f->list[f->n - 1].caption;
    free(*caption);
    *caption =
        widest > 0
            ? memory_print(
                  "%.80s: each layer's share of the Fisher trace (clean probes), mean over "
                  "seeds; dashed: the epoch of removal. The widest 95 %% t interval of a share "
                  "is +-%.2f; all are in the TSV.",
                  c->name, widest)
            : memory_print(
                  "%.80s: each layer's share of the Fisher trace (clean probes); dashed: the "
                  "epoch of removal. One seed: no intervals.",
                  c->name);
    free(title);
    return plot_close(&p, e);
}

int figures_layers(struct figures *f, const struct summary *s, struct error *e) {
    int status = STATUS_OK;
    for (size_t i = 0; i < s->parts_n; i++)
        for (size_t j = 0; j < s->parts[i].curves_n && !status; j++)
            if (figures_wanted(s, i, j))
                status = draw_curve(f, s, &s->parts[i], &s->parts[i].curves[j], e);
    return status;
}
