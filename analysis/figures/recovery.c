/* Recovery bars: a bar per stabilizer, coloured by when it acts, beside it the same by each control.
 * Left the gain in points with its t interval, right the fraction of the drop with Fieller's; a
 * figure per deficit, so one per removal epoch.
 *
 * The right panel shows only fractions that there are (a drop must be shown), and stands from 0 to
 * 100 % at least, so that a bar's length is what it says. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/figures.h"
#include "analysis/figures/plot.h"
#include "analysis/memory.h"
#include "analysis/recovery.h"

enum { BARS_MOST = 24, BAR_WIDTH = 46, PANEL_LEAST = 400, KEY_CHARS = 25 };
enum { COLUMN_GAIN = 4, COLUMN_FRACTION = 7 }; /* of a data block */

/* What the bars and marks of a figure show, in the order of the key. */
static const struct series {
    enum comparison_kind kind;
    enum remedy_when when; /* of bars; marks are of any */
    const char *colour, *title;
    double moved;
    int mark; /* 0: a bar */
} SERIES[] = {
    {AGAINST_TWIN, WHEN_DURING, "#0072b2", "during the deficit", -0.14, 0},
    {AGAINST_TWIN, WHEN_ALWAYS, "#009e73", "always", -0.14, 0},
    {AGAINST_TWIN, WHEN_AFTER, "#e69f00", "after removal", -0.14, 0},
    {AGAINST_TWIN, WHEN_OTHER, "#999999", "another window", -0.14, 0},
    {AGAINST_ON_CLEAN, REMEDY_WHENS, "#000000", "beyond clean training", 0.24, 6},
    {AGAINST_LR_CLOCK, REMEDY_WHENS, "#cc79a7", "rate restarted", 0.4, 4},
};
enum { SERIES_N = sizeof SERIES / sizeof *SERIES };

struct bars {
    const struct trial *trial;
    size_t n, block[SERIES_N];
    bool any[SERIES_N];
};

/* ---- data ------------------------------------------------------------------------------------- */

static bool series_shows(const struct series *s, const struct remedy *m) {
    enum remedy_when when = m->when == WHEN_UNKNOWN ? WHEN_OTHER : m->when;
    const struct comparison *c = &m->against[s->kind];
    return c->gain.n && !c->is_same && (s->when == REMEDY_WHENS || s->when == when);
}

static void write_interval(FILE *out, struct interval t, double scale) {
    plot_number(out, scale * t.mean);
    plot_number(out, scale * t.low);
    plot_number(out, scale * t.high);
}

static void write_series(struct plot *p, struct bars *b, size_t i) {
    b->any[i] = false;
    for (size_t k = 0; k < b->n; k++) b->any[i] |= series_shows(&SERIES[i], &b->trial->remedies[k]);
    if (!b->any[i]) return;
    b->block[i] = plot_block(p);
    fputs("stabilizer\tx\tn\tgain\tlow\thigh\trecovered\tlow\thigh\n", p->data);
    for (size_t k = 0; k < b->n; k++) {
        const struct remedy *m = &b->trial->remedies[k];
        const struct comparison *c = &m->against[SERIES[i].kind];
        if (!series_shows(&SERIES[i], m)) continue;
        fprintf(p->data, "%s\t%zu\t%zu", m->label, k, c->gain.n);
        write_interval(p->data, c->gain, 1);
        write_interval(p->data, c->fraction, 100);
        fputc('\n', p->data);
    }
}

static bool bars_any_fraction(const struct bars *b) {
    for (size_t k = 0; k < b->n; k++)
        for (size_t i = 0; i < COMPARISONS; i++)
            if (!isnan(b->trial->remedies[k].against[i].fraction.mean)) return true;
    return false;
}

/* ---- script ----------------------------------------------------------------------------------- */

static void write_x_axis(struct plot *p, const struct bars *b) {
    fprintf(p->script, "set xrange [-0.6:%.1f]\nset xtics rotate by -25 (", (double)b->n - 0.3);
    for (size_t k = 0; k < b->n; k++) {
        char *label = memory_print("%.24s", b->trial->remedies[k].label);
        fputs(k ? ", " : "", p->script);
        plot_quote(p->script, label);
        fprintf(p->script, " %zu", k);
        free(label);
    }
    fputs(")\n", p->script);
}

static void write_y_axis(struct plot *p, const struct bars *b, bool is_fraction) {
    struct plot_range range = {0};
    plot_range_core(&range, 0);
    if (is_fraction) plot_range_core(&range, 100);
    for (size_t i = 0; i < SERIES_N; i++)
        for (size_t k = 0; k < b->n; k++) {
            const struct comparison *c = &b->trial->remedies[k].against[SERIES[i].kind];
            if (!series_shows(&SERIES[i], &b->trial->remedies[k])) continue;
            struct interval t = is_fraction ? c->fraction : c->gain;
            double scale = is_fraction ? 100 : 1;
            plot_range_core(&range, scale * t.mean);
            plot_range_end(&range, scale * t.low);
            plot_range_end(&range, scale * t.high);
        }
    plot_range_print(&range, p->script, "y", -INFINITY, INFINITY);
}

/* Not error bars, which leave a hole in the bar below them. */
static void write_whiskers(struct plot *p, size_t block, double moved, int column,
                           const char *colour) {
    fprintf(p->script,
            " index %zu using ($2%+.2f):%d:(0):($%d-$%d) skip 1 with vectors heads size graph "
            "0.007,90 lw 1.5 lc rgb '%s' notitle",
            block, moved, column + 1, column + 2, column + 1, colour);
}

static void write_bars(struct plot *p, const struct bars *b, size_t i, int column) {
    const struct series *s = &SERIES[i];
    if (!s->mark) {
        fprintf(p->script,
                " '%s.tsv' index %zu using ($2%+.2f):%d:(0.3) skip 1 with boxes fc rgb '%s' fs "
                "solid 0.6 border lc rgb '%s' title '%s', \\\n",
                p->name, b->block[i], s->moved, column, s->colour, s->colour, s->title);
        fputs(" ''", p->script);
        write_whiskers(p, b->block[i], s->moved, column, "#222222");
        return;
    }
    fprintf(p->script, " '%s.tsv'", p->name);
    write_whiskers(p, b->block[i], s->moved, column, s->colour);
    fputs(", \\\n", p->script);
    fprintf(p->script,
            " '' index %zu using ($2%+.2f):%d skip 1 with points pt %d ps 0.8 lw 1.6 lc rgb '%s' "
            "title '%s'",
            b->block[i], s->moved, column, s->mark, s->colour, s->title);
}

static void write_panel(struct plot *p, const struct bars *b, bool is_fraction) {
    plot_panel(p, is_fraction ? "share of the drop that is recovered" : "gain with the stabilizer",
               "", is_fraction ? "recovered (%)" : "gain (percentage points)");
    write_x_axis(p, b);
    write_y_axis(p, b, is_fraction);
    fputs("set xzeroaxis lc '#444444' lt 1\n", p->script);
    if (is_fraction)
        fputs("set arrow 1 from graph 0, first 100 to graph 1, first 100 nohead back lc '#444444' "
              "dt 2\n",
              p->script);
    fputs("plot", p->script);
    bool first = true;
    for (size_t i = 0; i < SERIES_N; i++) {
        if (!b->any[i]) continue;
        if (!first) fputs(", \\\n", p->script);
        write_bars(p, b, i, is_fraction ? COLUMN_FRACTION : COLUMN_GAIN);
        first = false;
    }
    fputs("\nunset arrow\n", p->script);
}

/* "n = 3", "n = 2 to 6": seeds of the bars. */
static char *bars_seeds(const struct bars *b) {
    size_t least = SIZE_MAX, most = 0;
    for (size_t k = 0; k < b->n; k++) {
        size_t n = b->trial->remedies[k].against[AGAINST_TWIN].gain.n;
        if (n && n < least) least = n;
        if (n > most) most = n;
    }
    if (least >= most) return memory_print("n = %zu", most);
    return memory_print("n = %zu to %zu", least, most);
}

static size_t panel_width(const struct bars *b) {
    size_t width = BAR_WIDTH * b->n;
    return width < PANEL_LEAST ? PANEL_LEAST : width;
}

static int draw_trial(struct figures *f, const struct recovery *r, struct bars *b,
                      struct error *e) {
    char *seeds = bars_seeds(b);
    bool one = !strcmp(seeds, "n = 1");
    char *title = memory_print("%.40s: recovery, %.60s, %s", r->summary->results->name,
                               b->trial->name, seeds);
    char *caption = memory_print(
        "%.80s: what each stabilizer gives back of the drop, against the same runs without it: "
        "gain "
        "in accuracy (95 %% Student t interval over seeds) and share of the drop (Fieller's), %s; "
        "lines much longer than the data are cut by the frame. "
        "Bars: against the clean twin, coloured by when the stabilizer acts. Circles: beyond what "
        "it "
        "does to clean training. Squares: with the learning rate started again at removal.%s",
        b->trial->name, seeds,
        b->n < b->trial->remedies_n ? " Only the first ones are drawn; the table holds all." : "");
    char *name = figures_add(f, "recovery", b->trial->name, caption);
    struct plot p;
    bool fractions = bars_any_fraction(b);
    plot_open_sized(&p, f->folder, name, title, fractions ? 2 : 1, panel_width(b), KEY_CHARS, true);
    for (size_t i = 0; i < SERIES_N; i++) write_series(&p, b, i);
    plot_footer(&p,
                one ? "one seed, so no interval"
                    : "bar, mark: mean over seeds; lines: 95 % intervals (t; Fieller for shares)");
    write_panel(&p, b, false);
    if (fractions) write_panel(&p, b, true);
    free(seeds);
    free(title);
    free(caption);
    return plot_close(&p, e);
}

static bool trial_any(const struct trial *t) {
    for (size_t k = 0; k < t->remedies_n; k++)
        if (t->remedies[k].against[AGAINST_TWIN].gain.n) return true;
    return false;
}

int figures_recovery(struct figures *f, const struct summary *s, struct error *e) {
    struct recovery *r = recovery_create(s);
    int status = STATUS_OK;
    for (size_t i = 0; i < r->trials_n && !status; i++) {
        struct bars b = {.trial = &r->trials[i]};
        if (!trial_any(b.trial)) continue;
        b.n = b.trial->remedies_n < BARS_MOST ? b.trial->remedies_n : BARS_MOST;
        status = draw_trial(f, r, &b, e);
    }
    recovery_free(r);
    return status;
}
