/* Windows of deficit: a map of the mean paired drop, onset x length, and the sensitivity figure,
 * the drop by onset for each length beside what the clean twin does in the same epochs.
 *
 * Every cell of the map has the same size, whatever the distance of its neighbours: onsets are
 * swept unevenly. Its colours run from blue (gained) over white (0) to vermillion (lost), safe for
 * colour-blind readers, on equal scales to both sides of 0, so that noise below 0 looks small. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/figures.h"
#include "analysis/figures/plot.h"
#include "analysis/memory.h"
#include "analysis/sensitivity.h"

enum {
    CELL_WIDTH = 64, /* room for "+-12.3" */
    MAP_WIDTH = 470, /* at least */
    MAP_MOST = 2000,
    CELLS_DOWN = 10,    /* more lengths leave no room for the second line of a cell */
    NARROW_WIDTH = 430, /* of a panel among three */
    BAR_CHARS = 7       /* room at the right for the colour bar */
};

/* ---- the map --------------------------------------------------------------------------------- */

/* From white at 0 to a full colour at the largest |drop|; `loss` picks which. */
static void map_colour(double drop, double largest, char text[8]) {
    static const double BLUE[3] = {0, 114, 178}, VERMILLION[3] = {213, 94, 0};
    const double *full = drop < 0 ? BLUE : VERMILLION;
    double share = largest > 0 ? fmin(fabs(drop) / largest, 1) : 0;
    unsigned rgb[3];
    for (size_t i = 0; i < 3; i++) rgb[i] = (unsigned)lround(255 + share * (full[i] - 255)) & 255;
    snprintf(text, 8, "#%02x%02x%02x", rgb[0], rgb[1], rgb[2]);
}

static size_t length_index(const struct window_map *m, double length) {
    size_t i = 0;
    while (m->slides[i].length != length) i++;
    return i;
}

static size_t onset_index(const struct window_map *m, double onset) {
    size_t i = 0;
    while (m->onsets[i] != onset) i++;
    return i;
}

/* "+-2.3": half of the interval; empty without one. */
static char *half_label(struct interval t) {
    if (isnan(t.low)) return memory_text("");
    return memory_print("\302\261%.1f", (t.high - t.low) / 2);
}

/* The cells' words are made here: gnuplot would round the ten digits of the file, not the mean. */
static void write_map_data(struct plot *p, const struct window_map *m) {
    plot_block(p);
    fputs("onset\tlength\tdrop\tlow\thigh\tpairs\tcolumn\trow\tlabel\thalf\n", p->data);
    for (size_t i = 0; i < m->windows_n; i++) {
        const struct window *w = &m->windows[i];
        struct interval t = w->row->drop_t;
        if (!t.n) continue;
        char *half = half_label(t);
        fprintf(p->data, "%g\t%g", w->onset, w->length);
        plot_number(p->data, t.mean);
        plot_number(p->data, t.low);
        plot_number(p->data, t.high);
        fprintf(p->data, "\t%zu\t%zu\t%zu\t%.1f\t%s\n", t.n, onset_index(m, w->onset),
                length_index(m, w->length), fabs(t.mean) < 0.05 ? 0 : t.mean, half);
        free(half);
    }
}

static void write_map_axes(struct plot *p, const struct window_map *m) {
    fprintf(p->script, "set xrange [-0.5:%zu.5]\nset yrange [-0.5:%zu.5]\n", m->onsets_n - 1,
            m->slides_n - 1);
    fputs("set style fill solid 1\nunset grid\nset border 0\nset tics scale 0\nset xtics (",
          p->script);
    for (size_t i = 0; i < m->onsets_n; i++)
        fprintf(p->script, "%s'%g' %zu", i ? ", " : "", m->onsets[i], i);
    fputs(")\nset ytics (", p->script);
    for (size_t i = 0; i < m->slides_n; i++)
        fprintf(p->script, "%s'%g' %zu", i ? ", " : "", m->slides[i].length, i);
    fputs(")\n", p->script);
}

/* The palette covers the drops that occur and 0; returns the largest |drop|. */
static void write_map_palette(struct plot *p, const struct window_map *m) {
    double low = 0, high = 0;
    char bottom[8], top[8];
    for (size_t i = 0; i < m->windows_n; i++) {
        struct interval t = m->windows[i].row->drop_t;
        if (t.n) low = fmin(low, t.mean), high = fmax(high, t.mean);
    }
    if (low == high) high = 1;
    double largest = fmax(-low, high);
    map_colour(low, largest, bottom);
    map_colour(high, largest, top);
    fprintf(p->script, "set cbrange [%.6g:%.6g]\nset palette defined (", low, high);
    if (low < 0) fprintf(p->script, "%.6g '%s', ", low, bottom);
    fputs("0 '#ffffff'", p->script);
    if (high > 0) fprintf(p->script, ", %.6g '%s'", high, top);
    fputs(")\nset cblabel 'drop (percentage points)' offset 0.5\nunset key\n", p->script);
}

/* Cells with grey frames, so that a white one is told from a missing one, and their numbers. */
static void write_map_script(struct plot *p, const struct window_map *m) {
    bool second = m->slides_n <= CELLS_DOWN;
    fprintf(p->script,
            "plot '%s.tsv' index 0 using 7:8:($7-0.48):($7+0.48):($8-0.47):($8+0.47):3 skip 1 with "
            "boxxyerror fs solid 1 border lc rgb '#bbbbbb' fc palette notitle, \\\n",
            p->name);
    fprintf(p->script, " '' index 0 using 7:8:9 skip 1 with labels offset 0,%s font ',11' notitle",
            second ? "0.45" : "0");
    if (second)
        fputs(", \\\n '' index 0 using 7:8:10 skip 1 with labels offset 0,-0.6 font ',8' tc rgb "
              "'#222222' notitle",
              p->script);
    fputc('\n', p->script);
}

static char *map_seeds(const struct window_map *m) {
    size_t least = SIZE_MAX, most = 0;
    for (size_t i = 0; i < m->windows_n; i++) {
        size_t n = m->windows[i].row->drop_t.n;
        if (n && n < least) least = n;
        if (n > most) most = n;
    }
    if (least == most) return memory_print("n = %zu", most);
    return memory_print("n = %zu to %zu", least, most);
}

static size_t map_width(const struct window_map *m) {
    size_t width = CELL_WIDTH * m->onsets_n + 85;
    return width < MAP_WIDTH ? MAP_WIDTH : width > MAP_MOST ? MAP_MOST : width;
}

static int draw_map(struct figures *f, const struct summary *s, const struct window_map *m,
                    struct error *e) {
    char *seeds = map_seeds(m);
    bool intervals = strcmp(seeds, "n = 1") != 0;
    char *title = memory_print("%.40s: %.40s, drop by onset and length", s->results->name, m->name);
    char *panel = memory_print("paired drop against the clean twin, %s", seeds);
    char *caption = memory_print("%.80s: mean paired drop (percentage points) by onset and length "
                                 "of the window, %s%s. Cells "
                                 "are of one size whatever the distance of the onsets.",
                                 m->name, seeds,
                                 intervals ? ", \302\261 half of its 95 % Student t interval" : "");
    char *name = figures_add(f, "map", m->name, caption);
    struct plot p;
    plot_open_sized(&p, f->folder, name, title, 1, map_width(m), BAR_CHARS, false);
    write_map_data(&p, m);
    plot_footer(&p, intervals ? "mean over seeds, \302\261 half of its 95 % t interval"
                              : "one seed, so no interval");
    plot_panel(&p, panel, "onset of the window (epoch)", "length (epochs)");
    write_map_axes(&p, m);
    write_map_palette(&p, m);
    write_map_script(&p, m);
    free(seeds);
    free(title);
    free(panel);
    free(caption);
    return plot_close(&p, e);
}

/* ---- sensitivity: data ----------------------------------------------------------------------- */

/* The lengths drawn: those with two onsets or more and a drop, evenly picked where too many. */
struct lines {
    const struct window_map *map;
    size_t n, of;
    const struct slide *slide[PLOT_LINES];
    double x_low, x_high; /* onsets */
    double x_gap;         /* least distance between two onsets */
    double end;           /* the last epoch of any window */
};

static bool slide_drawn(const struct slide *s) {
    return s->windows_n > 1 && s->peak != SIZE_MAX;
}

static struct lines lines_of(const struct window_map *m) {
    struct lines l = {.map = m, .x_low = m->onsets[0], .x_high = m->onsets[m->onsets_n - 1]};
    size_t at = 0;
    for (size_t i = 0; i < m->slides_n; i++) l.of += slide_drawn(&m->slides[i]) ? 1 : 0;
    size_t most = l.of < PLOT_LINES ? l.of : PLOT_LINES;
    for (size_t i = 0; i < m->slides_n; i++) {
        if (!slide_drawn(&m->slides[i])) continue;
        if (l.n < most && plot_pick(l.n, most, l.of) == at) l.slide[l.n++] = &m->slides[i];
        at++;
    }
    l.x_gap = INFINITY;
    for (size_t i = 1; i < m->onsets_n; i++)
        l.x_gap = fmin(l.x_gap, m->onsets[i] - m->onsets[i - 1]);
    for (size_t i = 0; i < m->windows_n; i++)
        l.end = fmax(l.end, m->windows[i].onset + m->windows[i].length);
    return l;
}

static char *slide_label(const struct slide *s) {
    size_t least = SIZE_MAX, most = 0;
    for (size_t i = 0; i < s->windows_n; i++) {
        size_t n = s->windows[i].row->drop_t.n;
        if (n && n < least) least = n;
        if (n > most) most = n;
    }
    if (least == most) return memory_print("length %g, n = %zu", s->length, most);
    return memory_print("length %g, n = %zu to %zu", s->length, least, most);
}

/* Two blocks a line: means with intervals, then every seed. */
static void write_slide(struct plot *p, const struct slide *s) {
    plot_block(p);
    fputs("length\tonset\tdrop\tlow\thigh\tpairs\n", p->data);
    for (size_t i = 0; i < s->windows_n; i++) {
        struct interval t = s->windows[i].row->drop_t;
        fprintf(p->data, "%g\t%g", s->length, s->windows[i].onset);
        plot_number(p->data, t.mean);
        plot_number(p->data, t.low);
        plot_number(p->data, t.high);
        fprintf(p->data, "\t%zu\n", t.n);
    }
    plot_block(p);
    fputs("length\tonset\tdrop\n", p->data);
    for (size_t i = 0; i < s->windows_n * s->seeds_n; i++) {
        fprintf(p->data, "%g\t%g", s->length, s->windows[i / s->seeds_n].onset);
        plot_number(p->data, s->drop[i]);
        fputc('\n', p->data);
    }
}

/* ---- the clean twin's panels ----------------------------------------------------------------- */

struct twin_panel {
    enum log_series series;
    const char *title, *y_label;
    double scale, first; /* of the values; the first epoch drawn */
};

static const struct twin_panel TWIN[] = {
    {SERIES_TEST_ACCURACY, "clean twin: test accuracy", "test accuracy (%)", 100, 0},
    {SERIES_FISHER, "clean twin: Fisher trace, clean probes", "Fisher trace (nats)", 1, 1},
};
enum { TWIN_PANELS = sizeof TWIN / sizeof *TWIN };

/* The slide whose twins are shown: the one with the most seeds, all have the same. */
static const struct slide *twin_slide(const struct lines *l) {
    const struct slide *most = l->slide[0];
    for (size_t i = 1; i < l->n; i++)
        if (l->slide[i]->seeds_n > most->seeds_n) most = l->slide[i];
    return most;
}

static double log_at(const struct log *log, enum log_series series, double epoch) {
    const double *v = log ? log->series[series] : NULL;
    for (size_t i = 0; v && i < log->rows; i++)
        if (log->epoch[i] == epoch) return v[i];
    return NAN;
}

static struct interval twin_at(const struct slide *s, const struct twin_panel *t, double epoch) {
    double *v = memory_new(s->seeds_n, sizeof *v);
    for (size_t i = 0; i < s->seeds_n; i++) v[i] = t->scale * log_at(s->twin[i], t->series, epoch);
    struct interval at = stats_t_interval(v, s->seeds_n, 0.95);
    free(v);
    return at;
}

static bool twin_any(const struct lines *l, const struct twin_panel *t) {
    for (double epoch = t->first; epoch <= l->end; epoch++)
        if (twin_at(twin_slide(l), t, epoch).n) return true;
    return false;
}

static void write_twin_panel(struct plot *p, const struct lines *l, const struct twin_panel *t) {
    struct plot_range range = {0};
    size_t block = plot_block(p), n = 0;
    fputs("epoch\tmean\tlow\thigh\tn\n", p->data);
    for (double epoch = t->first; epoch <= l->end; epoch++) {
        struct interval at = twin_at(twin_slide(l), t, epoch);
        if (!at.n) continue;
        if (at.n > n) n = at.n;
        plot_range_core(&range, at.mean);
        plot_range_end(&range, at.low);
        plot_range_end(&range, at.high);
        fprintf(p->data, "%g", epoch);
        plot_number(p->data, at.mean);
        plot_number(p->data, at.low);
        plot_number(p->data, at.high);
        fprintf(p->data, "\t%zu\n", at.n);
    }
    plot_panel(p, t->title, "epoch", t->y_label);
    fprintf(p->script, "set xrange [0:%.6g]\nunset xzeroaxis\n", l->end);
    plot_range_print(&range, p->script, "y", 0, t->scale > 1 ? t->scale : INFINITY);
    fprintf(
        p->script,
        "plot '%s.tsv' index %zu using 1:3:4 skip 1 with filledcurves lc rgb '#444444' notitle, "
        "\\\n '' index %zu using 1:2 skip 1 with lines lw 2 lc rgb '#444444' notitle\n",
        p->name, block, block);
}

/* ---- sensitivity: script --------------------------------------------------------------------- */

/* The end of the fast-learning phase in every panel: a dashed line, its interval a band. */
static void write_fast(struct plot *p, const struct lines *l) {
    struct interval fast = twin_slide(l)->fast;
    if (isnan(fast.mean)) return;
    fprintf(p->script,
            "set arrow 1 from %.6g, graph 0 to %.6g, graph 1 nohead back lc '#d55e00' lw 1.6 "
            "dt 2\n",
            fast.mean, fast.mean);
    if (!isnan(fast.low))
        fprintf(p->script,
                "set object 1 rectangle from %.6g, graph 0 to %.6g, graph 1 behind fc rgb "
                "'#d55e00' fs transparent solid 0.10 noborder\n",
                fmax(fast.low, 0), fast.high);
}

static void write_slide_script(struct plot *p, const struct lines *l, size_t i) {
    char *label = slide_label(l->slide[i]), colour[8];
    double step = fmin((l->x_high - l->x_low) * 0.012, l->x_gap / (2 * (double)l->n));
    double moved = step * ((double)i - (double)(l->n - 1) / 2);
    plot_colour_ordered(l->n > 1 ? 0.85 * (double)i / (double)(l->n - 1) : 0.35, colour);
    fprintf(p->script,
            " '%s.tsv' index %zu using ($2%+.4g):3 skip 1 with points pt 7 ps 0.4 lc rgb '#70%s' "
            "notitle, \\\n",
            p->name, 2 * i + 1, moved + 0.45 * step, colour + 1);
    fprintf(p->script,
            " '' index %zu using ($2%+.4g):3:4:5 skip 1 with yerrorbars pt %d ps 0.9 lw 1.4 lc rgb "
            "'%s' notitle, \\\n",
            2 * i, moved, plot_point_type(i), colour);
    fprintf(p->script,
            " '' index %zu using ($2%+.4g):3 skip 1 with linespoints pt %d ps 0.9 lw 1.6 lc rgb "
            "'%s' title ",
            2 * i, moved, plot_point_type(i), colour);
    plot_quote(p->script, label);
    fputs(i + 1 < l->n ? ", \\\n" : "\n", p->script);
    free(label);
}

static void write_drop_panel(struct plot *p, const struct lines *l) {
    struct plot_range range = {0};
    double room = (l->x_high - l->x_low) * 0.06;
    plot_range_core(&range, 0);
    for (size_t i = 0; i < l->n; i++) {
        const struct slide *s = l->slide[i];
        for (size_t j = 0; j < s->windows_n * s->seeds_n; j++) plot_range_core(&range, s->drop[j]);
        for (size_t j = 0; j < s->windows_n; j++) {
            plot_range_end(&range, s->windows[j].row->drop_t.low);
            plot_range_end(&range, s->windows[j].row->drop_t.high);
        }
    }
    plot_panel(p, "paired drop against the clean twin", "onset of the window (epoch)",
               "drop (percentage points)");
    fprintf(p->script, "set xrange [%.6g:%.6g]\nset xzeroaxis lc '#444444' lt 1\n", l->x_low - room,
            l->x_high + room);
    plot_range_print(&range, p->script, "y", -INFINITY, INFINITY);
    write_fast(p, l);
    fputs("plot", p->script);
    for (size_t i = 0; i < l->n; i++) write_slide_script(p, l, i);
}

static size_t key_chars(const struct lines *l) {
    size_t most = 0;
    for (size_t i = 0; i < l->n; i++) {
        char *label = slide_label(l->slide[i]);
        if (strlen(label) > most) most = strlen(label);
        free(label);
    }
    return most;
}

static int draw_sensitivity(struct figures *f, const struct summary *s, const struct lines *l,
                            struct error *e) {
    const struct window_map *m = l->map;
    char *title = memory_print("%.40s: %.40s, sensitivity%s", s->results->name, m->name,
                               l->n < l->of ? " (not all lengths shown)" : "");
    char *caption = memory_print(
        "%.80s: paired drop by the onset of a window of fixed length (marks: mean over seeds with "
        "its 95 %% Student t interval, cut by the frame where it is much longer than the data; "
        "dots: "
        "each seed), beside the clean twin's learning (line: mean, band: its interval). Dashed: "
        "the "
        "epoch at which the clean twin has %.0f %% of its final accuracy, with its interval.",
        m->name, 100 * FAST_SHARE);
    char *name = figures_add(f, "sensitivity", m->name, caption);
    size_t panels = 1;
    for (size_t i = 0; i < TWIN_PANELS; i++) panels += twin_any(l, &TWIN[i]) ? 1 : 0;
    struct plot p;
    plot_open_sized(&p, f->folder, name, title, panels, NARROW_WIDTH, key_chars(l), false);
    for (size_t i = 0; i < l->n; i++) write_slide(&p, l->slide[i]);
    plot_footer(&p, twin_slide(l)->seeds_n < 2
                        ? "one seed, so no interval; dashed: the clean twin has 90 % of its final "
                          "accuracy"
                        : "bars, bands: 95 % t intervals over seeds; dots: each seed; dashed: the "
                          "clean twin has 90 % of its final accuracy");
    write_drop_panel(&p, l);
    for (size_t i = 0; i < TWIN_PANELS; i++)
        if (twin_any(l, &TWIN[i])) write_twin_panel(&p, l, &TWIN[i]);
    fputs("unset arrow\nunset object\n", p.script);
    free(title);
    free(caption);
    return plot_close(&p, e);
}

int figures_windows(struct figures *f, const struct summary *s, struct error *e) {
    struct sensitivity *w = sensitivity_create(s);
    int status = STATUS_OK;
    for (size_t i = 0; i < w->maps_n && !status; i++) {
        const struct window_map *m = &w->maps[i];
        if (!window_map_any(m)) continue;
        struct lines l = lines_of(m);
        if (m->slides_n > 1) status = draw_map(f, s, m, e);
        if (l.n && !status) status = draw_sensitivity(f, s, &l, e);
    }
    sensitivity_free(w);
    return status;
}
