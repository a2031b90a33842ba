/* Final test losses: see losses.h. Losses of one level may differ by powers of ten between seeds, so
 * that a Student t interval can hold less than 0: each seed's loss stands beside it. */
#include "analysis/losses.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/memory.h"
#include "analysis/words.h"

static const double LEVEL = 0.95;

/* A row's losses, and what they are above those of the clean twins. */
struct losses {
    struct interval loss, above;
    double *each; /* [row's points] */
};

static double loss_of(const struct log *log) {
    return log && log->state == LOG_DONE ? log->final_loss : (double)NAN;
}

static struct losses losses_of(const struct row *row) {
    struct losses l = {.each = memory_new(row->points_n, sizeof *l.each)};
    double *above = memory_new(row->points_n, sizeof *above);
    for (size_t i = 0; i < row->points_n; i++) {
        const struct point *p = row->points[i];
        l.each[i] = loss_of(p->log);
        above[i] = p->twin == p->log ? (double)NAN : l.each[i] - loss_of(p->twin);
    }
    l.loss = stats_t_interval(l.each, row->points_n, LEVEL);
    l.above = stats_t_interval(above, row->points_n, LEVEL);
    free(above);
    return l;
}

bool losses_apply(const struct results *r) {
    for (size_t i = 0; i < r->logs_n; i++)
        if (r->logs[i]->is_of_targets) return true;
    return false;
}

/* ---- the page -------------------------------------------------------------------------------- */

enum column { N, LOSS, LOSS_INTERVAL, ABOVE, ABOVE_INTERVAL, PEAK, SEEDS, COLUMNS };

static const char *const TITLES[COLUMNS] = {
    [N] = "n",
    [LOSS] = "test\nloss",
    [LOSS_INTERVAL] = "95 %\ninterval",
    [ABOVE] = "above\ntwin",
    [ABOVE_INTERVAL] = "95 %\ninterval",
    [PEAK] = "Fisher peak\n@ epoch",
    [SEEDS] = "loss of\neach seed",
};

static void cell_interval(struct grid *g, size_t at, size_t column, struct interval t) {
    if (t.n) grid_set(g, at, column, "%.3g", t.mean);
    if (t.n > 1) grid_set(g, at, column + 1, "[%.3g, %.3g]", t.low, t.high);
}

static void grid_fill(struct grid *g, size_t at, size_t first, const struct row *row) {
    struct losses l = losses_of(row);
    char *each = memory_text("");
    grid_set(g, at, first + N, "%zu", l.loss.n);
    cell_interval(g, at, first + LOSS, l.loss);
    cell_interval(g, at, first + ABOVE, l.above);
    if (row->peak_t.n)
        grid_set(g, at, first + PEAK, "%.4g @ %.0f", row->peak_t.mean, row->peak_epoch);
    for (size_t i = 0; i < row->points_n; i++)
        each = words_join(each, " ", memory_print("%.3g", l.each[i]));
    grid_set(g, at, first + SEEDS, "%s", each);
    free(each);
    free(l.each);
}

static struct grid *part_grid(const struct summary *s, const struct part *part) {
    const struct results *r = s->results;
    struct grid *g = grid_create(r->axes_n + COLUMNS);
    size_t n = 0;
    grid_add_row(g);
    const struct point *any = part->curves[0].rows[0].points[0];
    for (size_t a = 0; a < r->axes_n; a++)
        if (!r->axes[a].is_seed && strcmp(any->label[a], "-"))
            grid_set(g, 0, n++, "%s", r->axes[a].name);
    for (size_t i = 0; i < COLUMNS; i++) grid_set(g, 0, n + i, "%s", TITLES[i]);
    g->left[n + SEEDS] = true;
    for (size_t i = 0; i < part->curves_n; i++)
        for (size_t j = 0; j < part->curves[i].rows_n; j++) {
            const struct row *row = &part->curves[i].rows[j];
            size_t at = grid_add_row(g), k = 0;
            for (size_t a = 0; a < r->axes_n; a++)
                if (!r->axes[a].is_seed && strcmp(any->label[a], "-"))
                    grid_set(g, at, k++, "%s", row->points[0]->label[a]);
            grid_fill(g, at, n, row);
        }
    g->columns_n = n + COLUMNS; /* an axis of seeds, or of another part, has no column */
    return g;
}

void losses_write(struct page *p, const struct summary *s) {
    page_add(
        p, BLOCK_TEXT,
        "These data have targets, so there is no accuracy. Test loss is that on clean test data, "
        "the mean over a run's last rows (final.last); above twin = run - clean twin, paired by "
        "seed. Intervals: 95 %% Student t over seeds. Measures over epochs: `imprint table`.");
    for (size_t i = 0; i < s->parts_n; i++) {
        if (s->results->has_manifest) page_add(p, BLOCK_HEADING, "%s", s->parts[i].name);
        page_add_grid(p, part_grid(s, &s->parts[i]));
    }
}

/* ---- the file -------------------------------------------------------------------------------- */

static void save_row(FILE *out, const struct row *row) {
    struct losses l = losses_of(row);
    fprintf(out, "\t%ld\t%zu", (long)row->removal, l.loss.n);
    words_save_interval(out, l.loss);
    fprintf(out, "\t%zu", l.above.n);
    words_save_interval(out, l.above);
    words_save(out, row->peak_t.mean);
    words_save(out, row->peak_epoch);
    free(l.each);
}

int losses_save(const struct summary *s, const char *path, struct error *e) {
    return summary_save(s, path, "losses",
                        "\tremoval_epoch\tn\ttest_loss\ttest_loss_low\ttest_loss_high\tpairs"
                        "\tabove_twin\tabove_twin_low\tabove_twin_high\tfisher_peak"
                        "\tfisher_peak_epoch",
                        save_row, e);
}
