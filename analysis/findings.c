/* What a folder of runs shows, in sentences and tables: see findings.h.
 *
 * Headline of a curve: the level with the largest mean paired drop, its 95 % Student t interval,
 * and whether that interval holds 0. Traps that are said aloud: the interval is not corrected for
 * having picked the largest of several levels; with a decaying rate that runs on through the
 * deficit, the clean epochs take smaller steps than the twin's, and the drop mixes both. */
#include "analysis/findings.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/losses.h"
#include "analysis/memory.h"
#include "analysis/recovery.h"
#include "analysis/sensitivity.h"
#include "analysis/words.h"

enum { LISTED_MOST = 8, BOOTSTRAP_FROM = 10, BOOTSTRAP_DRAWS = 10000 };

/* ---- the runs: how many, which failed, what mixes --------------------------------------------- */

static const char *const STATE_WORD[LOG_STATES] = {
    [LOG_DONE] = "done",     [LOG_UNFINISHED] = "unfinished", [LOG_DIVERGED] = "diverged",
    [LOG_FAILED] = "failed", [LOG_MISSING] = "missing",       [LOG_DAMAGED] = "damaged",
};

static char *point_name(const struct results *r, const struct point *p, enum run_role role) {
    const char *of = role_name(role);
    char *name = memory_print("%s%s%s", of, *of ? " of " : "", p->part);
    for (size_t a = 0; a < r->axes_n; a++)
        if (strcmp(p->label[a], "-"))
            name = words_join(name, " ", memory_print("%s=%s", r->axes[a].name, p->label[a]));
    return name;
}

/* "blur t0=24 seed=3", the id of a twin that is no point itself, "lr_clock control of blur ...". */
static char *log_name(const struct results *r, const struct log *log) {
    for (enum run_role role = ROLE_POINT; role < RUN_ROLES; role++)
        for (size_t i = 0; i < r->points_n; i++) {
            if (r->points[i].role[role] != log) continue;
            if (role == ROLE_TWIN) return memory_print("clean twin %.10s", log->id);
            return point_name(r, &r->points[i], role);
        }
    return memory_print("clean twin %.10s", log->id);
}

static size_t count_state(const struct results *r, enum log_state state) {
    size_t n = 0;
    for (size_t i = 0; i < r->logs_n; i++) n += r->logs[i]->state == state ? 1 : 0;
    return n;
}

static char *list_state(const struct results *r, enum log_state state) {
    char *list = memory_text("");
    size_t n = 0;
    for (size_t i = 0; i < r->logs_n; i++) {
        if (r->logs[i]->state != state) continue;
        if (n++ < LISTED_MOST) list = words_join(list, "; ", log_name(r, r->logs[i]));
    }
    if (n > LISTED_MOST) list = words_join(list, "; ", memory_print("%zu more", n - LISTED_MOST));
    return list;
}

static void write_states(struct page *p, const struct results *r) {
    size_t done = count_state(r, LOG_DONE);
    if (done == r->logs_n) {
        page_add(p, BLOCK_TEXT, done == 1 ? "The run is done." : "All %zu runs are done.", done);
        return;
    }
    char *others = memory_text("");
    for (size_t s = LOG_DONE + 1; s < LOG_STATES; s++) {
        size_t n = count_state(r, (enum log_state)s);
        if (!n) continue;
        char *list = list_state(r, (enum log_state)s);
        others = words_join(others, ", ", memory_print("%zu %s (%s)", n, STATE_WORD[s], list));
        free(list);
    }
    page_add(p, BLOCK_WARNING,
             "%zu of %zu runs are done; %s. Only runs that are done enter a mean.", done, r->logs_n,
             others);
    free(others);
    size_t said = 0;
    for (size_t i = 0; i < r->logs_n && said < LISTED_MOST; i++)
        if (r->logs[i]->why) page_add(p, BLOCK_WARNING, "%s.", r->logs[i]->why), said++;
}

static void write_numerics(struct page *p, const struct results *r) {
    const char *seen[LISTED_MOST];
    size_t n = 0;
    for (size_t i = 0; i < r->logs_n && n < LISTED_MOST; i++) {
        const char *id = r->logs[i]->about[ABOUT_NUMERICS];
        bool is_new = id != NULL;
        for (size_t j = 0; j < n && is_new; j++) is_new = strcmp(seen[j], id) != 0;
        if (is_new) seen[n++] = id;
    }
    if (n < 2) return;
    char *list = memory_text("");
    for (size_t i = 0; i < n; i++) list = words_join(list, ", ", memory_text(seen[i]));
    page_add(
        p, BLOCK_WARNING,
        "these runs mix %zu numerics ids (%s): they were made by different builds or machines, "
        "and runs of different ids need not agree to the last bit, so that pairs across them "
        "also differ by rounding.",
        n, list);
    free(list);
}

static void write_final(struct page *p, const struct results *r) {
    double fewest = INFINITY, most = -INFINITY;
    long asked = -1;
    for (size_t i = 0; i < r->logs_n; i++) {
        const struct log *log = r->logs[i];
        if (log->state != LOG_DONE) continue;
        fewest = fmin(fewest, log->final_rows);
        most = fmax(most, log->final_rows);
        if (log->final_last > asked) asked = (long)log->final_last;
    }
    if (!(most >= fewest)) return;
    char *rows = fewest < most ? memory_print("%.0f to %.0f rows", fewest, most)
                               : memory_print("%.0f row%s", most, most == 1 ? "" : "s");
    char *key = asked < 0 ? memory_text("") : memory_print(" (final.last: %ld)", asked);
    page_add(p, BLOCK_TEXT,
             "Final accuracy is that on clean test data, the mean over a run's last %s%s; drop = "
             "clean twin - run, paired by seed, in points. Intervals: 95 %% Student t over seeds.",
             rows, key);
    free(rows);
    free(key);
}

static void write_seed_axes(struct page *p, const struct results *r) {
    size_t n = 0;
    for (size_t a = 0; a < r->axes_n; a++) n += r->axes[a].is_seed ? 1 : 0;
    if (n > 1)
        page_add(p, BLOCK_WARNING,
                 "%zu axes of seeds were swept: runs that share one of their seeds are not "
                 "independent, so the intervals are too narrow for anything but these seeds.",
                 n);
}

/* ---- sentences of a curve --------------------------------------------------------------------- */

static const struct row *curve_clean_row(const struct curve *c) {
    for (size_t i = 0; i < c->rows_n; i++)
        if (c->rows[i].is_clean && c->rows[i].accuracy_t.n) return &c->rows[i];
    return NULL;
}

static char *drop_verdict(const struct row *row) {
    struct interval t = row->drop_t;
    if (t.n < 2) return memory_text("no interval from one seed");
    char *range = words_interval(t, 1);
    char *text = memory_print("95 %% interval %s", range);
    free(range);
    if (t.low <= 0 && t.high >= 0)
        text = words_join(text, ", ",
                          memory_text("which includes 0: these seeds do not show a difference"));
    return text;
}

static void write_headline(struct page *p, const struct summary *s, const struct part *part,
                           const struct curve *c, const struct row *row) {
    const struct row *clean = curve_clean_row(c);
    char *from = clean ? row_name(s, part, clean) : memory_text("clean twin");
    char *to = row_name(s, part, row), *verdict = drop_verdict(row);
    char *ratio = row->drop_t.n > 2 && row->twin_sd > 0 && row->drop_t.mean > 0
                      ? memory_print("; %.1f times the s.d. of the clean runs (%.1f)",
                                     row->drop_t.mean / row->twin_sd, row->twin_sd)
                      : memory_text("");
    page_add(p, BLOCK_HEADLINE,
             "%s: accuracy %s from %.1f (%s) to %.1f (%s): drop %.1f points, %s, n = %zu%s.",
             c->name, row->drop_t.mean >= 0 ? "falls" : "rises", row->twin_t.mean, from,
             row->paired_t.mean, to, row->drop_t.mean, verdict, row->drop_t.n, ratio);
    free(from);
    free(to);
    free(verdict);
    free(ratio);
}

static void write_unpaired(struct page *p, const struct curve *c) {
    size_t n = 0, clean = 0;
    for (size_t i = 0; i < c->rows_n; i++) {
        n += c->rows[i].accuracy_t.n;
        clean += c->rows[i].is_clean ? 1 : 0;
    }
    if (!n)
        page_add(p, BLOCK_HEADLINE, "%s: no run is done yet.", c->name);
    else if (clean == c->rows_n)
        page_add(p, BLOCK_HEADLINE, "%s: clean runs only, so there is no drop to report.", c->name);
    else
        page_add(p, BLOCK_HEADLINE, "%s: no clean twin that is done, so there is no paired drop.",
                 c->name);
}

static void write_bootstrap(struct page *p, const struct row *row) {
    if (row->drop_t.n < BOOTSTRAP_FROM) return;
    struct interval b =
        stats_bootstrap(row->drop, row->points_n, 0.95, BOOTSTRAP_DRAWS, 1, stats_mean);
    page_add(p, BLOCK_TEXT,
             "Percentile bootstrap of that mean drop (%d draws): [%.1f, %.1f], n = %zu.",
             BOOTSTRAP_DRAWS, b.low, b.high, b.n);
}

/* The confound: with which rate do the clean epochs begin, and with which the twin's? `of` names
 * whose largest drop the row is. */
static void write_rates(struct page *p, const char *of, const char *name, const struct row *row) {
    if (isnan(row->lr_twin) || isnan(row->lr_clean) || row->lr_twin == 0) return;
    double ratio = row->lr_clean / row->lr_twin;
    if (fabs(ratio - 1) < 1e-6)
        page_add(p, BLOCK_TEXT,
                 "%s: the %.0f clean epochs after removal (%s) and the twin's last %.0f begin at "
                 "the same learning rate, %.3g: the rate is not what makes this difference.",
                 of, row->clean_epochs, name, row->clean_epochs, row->lr_clean);
    else
        page_add(
            p, BLOCK_TEXT,
            "%s: the %.0f clean epochs after removal (%s) begin at a learning rate of %.3g, "
            "the twin's last %.0f at %.3g (ratio %.2f): this difference mixes the deficit with the "
            "size of the steps after it. A fixed rate or `train.lr.clock: removal` separates "
            "the two.",
            of, row->clean_epochs, name, row->lr_clean, row->clean_epochs, row->lr_twin, ratio);
}

static bool same_rates(const struct row *a, const struct row *b) {
    return a->clean_epochs == b->clean_epochs && a->lr_clean == b->lr_clean &&
           a->lr_twin == b->lr_twin && a->x == b->x;
}

/* Once for the part when all its curves' largest drops share their rates, else for each. */
static void write_part_rates(struct page *p, const struct summary *s, const struct part *part) {
    const struct row *first = NULL;
    bool all_same = true;
    for (size_t i = 0; i < part->curves_n; i++) {
        const struct row *row = curve_largest_drop(&part->curves[i]);
        if (!row) continue;
        if (!first) first = row;
        all_same &= same_rates(first, row);
    }
    for (size_t i = 0; i < part->curves_n; i++) {
        const struct row *row = curve_largest_drop(&part->curves[i]);
        if (!row || (all_same && row != first)) continue;
        char *name = row_name(s, part, row);
        write_rates(p, all_same && part->curves_n > 1 ? part->name : part->curves[i].name, name,
                    row);
        free(name);
    }
}

static void write_spearman(struct page *p, const struct summary *s, const struct part *part,
                           const struct curve *c) {
    size_t levels;
    double rho = curve_spearman(c, &levels);
    if (!isnan(rho))
        page_add(p, BLOCK_TEXT,
                 "%s: Spearman's correlation of mean accuracy with %s: %.2f (%zu levels).", c->name,
                 part_x_name(s, part), rho, levels);
}

/* Levels without an order are each their own finding; on an axis the largest drop is. */
static void write_curve(struct page *p, const struct summary *s, const struct part *part,
                        const struct curve *c) {
    const struct row *row = curve_largest_drop(c);
    if (!row) write_unpaired(p, c);
    for (size_t i = 0; row && part->kind == X_LEVEL && i < c->rows_n; i++)
        if (!c->rows[i].is_clean && c->rows[i].drop_t.n) write_headline(p, s, part, c, &c->rows[i]);
    if (row && part->kind != X_LEVEL) write_headline(p, s, part, c, row);
    if (row) write_bootstrap(p, row);
    write_spearman(p, s, part, c);
}

/* ---- the table of a part ---------------------------------------------------------------------- */

enum column {
    COLUMN_REMOVAL,
    COLUMN_N,
    COLUMN_ACCURACY,
    COLUMN_ACCURACY_INTERVAL,
    COLUMN_DROP,
    COLUMN_DROP_INTERVAL,
    COLUMN_PEAK,
    COLUMN_DEFICIT_PEAK,
    COLUMN_LR,
    COLUMN_SEEDS,
    COLUMNS
};

static const char *const COLUMN_TITLE[COLUMNS] = {
    [COLUMN_REMOVAL] = "removal",
    [COLUMN_N] = "n",
    [COLUMN_ACCURACY] = "accuracy\n%",
    [COLUMN_ACCURACY_INTERVAL] = "95 %\ninterval",
    [COLUMN_DROP] = "drop",
    [COLUMN_DROP_INTERVAL] = "95 %\ninterval",
    [COLUMN_PEAK] = "Fisher peak\n@ epoch",
    [COLUMN_DEFICIT_PEAK] = "deficit\nprobes",
    [COLUMN_LR] = "lr at\nremoval",
    [COLUMN_SEEDS] = "drop of\neach seed",
};

static void cell_seeds(struct grid *g, size_t at, size_t column, const struct row *row) {
    char *text = memory_text("");
    for (size_t i = 0; i < row->points_n; i++)
        text = words_join(
            text, " ", isnan(row->drop[i]) ? memory_text("-") : memory_print("%.1f", row->drop[i]));
    grid_set(g, at, column, "%s", text);
    free(text);
}

/* Cells of columns that begin at `first`; those left alone show "-". */
static void grid_fill(struct grid *g, size_t at, size_t first, const struct row *row) {
    if (row->removal >= 0) grid_set(g, at, first + COLUMN_REMOVAL, "%ld", (long)row->removal);
    grid_set(g, at, first + COLUMN_N, "%zu", row->accuracy_t.n);
    if (row->accuracy_t.n) grid_set(g, at, first + COLUMN_ACCURACY, "%.1f", row->accuracy_t.mean);
    words_cell_interval(g, at, first + COLUMN_ACCURACY_INTERVAL, row->accuracy_t, 1);
    if (row->peak_t.n)
        grid_set(g, at, first + COLUMN_PEAK, "%.4g @ %.0f", row->peak_t.mean, row->peak_epoch);
    if (row->deficit_peak_t.n)
        grid_set(g, at, first + COLUMN_DEFICIT_PEAK, "%.4g", row->deficit_peak_t.mean);
    if (!isnan(row->lr_at_removal)) grid_set(g, at, first + COLUMN_LR, "%.3g", row->lr_at_removal);
    if (row->is_clean || !row->drop_t.n) return;
    grid_set(g, at, first + COLUMN_DROP, "%.1f", row->drop_t.mean);
    words_cell_interval(g, at, first + COLUMN_DROP_INTERVAL, row->drop_t, 1);
    cell_seeds(g, at, first + COLUMN_SEEDS, row);
}

static bool column_wanted(const struct part *part, enum column column) {
    if (column == COLUMN_REMOVAL) return part->kind != X_REMOVAL; /* the x label says it */
    if (column != COLUMN_PEAK && column != COLUMN_DEFICIT_PEAK) return true;
    for (size_t i = 0; i < part->curves_n; i++)
        for (size_t j = 0; j < part->curves[i].rows_n; j++) {
            const struct row *row = &part->curves[i].rows[j];
            if (column == COLUMN_PEAK ? row->peak_t.n : row->deficit_peak_t.n) return true;
        }
    return false;
}

static void grid_drop_column(struct grid *g, size_t column) {
    for (size_t i = 0; i < g->rows_n; i++) {
        free(g->cells[i][column]);
        for (size_t j = column; j + 1 < g->columns_n; j++) g->cells[i][j] = g->cells[i][j + 1];
        g->cells[i][g->columns_n - 1] = NULL;
    }
    for (size_t j = column; j + 1 < g->columns_n; j++) g->left[j] = g->left[j + 1];
    g->columns_n--;
}

static size_t part_axes(const struct summary *s, const struct part *part, size_t *axes) {
    const struct results *r = s->results;
    const struct point *p = part->curves[0].rows[0].points[0];
    size_t n = 0;
    for (size_t a = 0; a < r->axes_n; a++)
        if (!r->axes[a].is_seed && strcmp(p->label[a], "-")) axes[n++] = a;
    return n;
}

static struct grid *part_grid(const struct summary *s, const struct part *part) {
    size_t *axes = memory_new(s->results->axes_n, sizeof *axes);
    size_t n = part_axes(s, part, axes);
    struct grid *g = grid_create(n + COLUMNS);
    grid_add_row(g);
    for (size_t i = 0; i < n; i++) grid_set(g, 0, i, "%s", s->results->axes[axes[i]].name);
    for (size_t i = 0; i < COLUMNS; i++) grid_set(g, 0, n + i, "%s", COLUMN_TITLE[i]);
    g->left[n + COLUMN_SEEDS] = true;
    for (size_t i = 0; i < part->curves_n; i++)
        for (size_t j = 0; j < part->curves[i].rows_n; j++) {
            const struct row *row = &part->curves[i].rows[j];
            size_t at = grid_add_row(g);
            for (size_t k = 0; k < n; k++) grid_set(g, at, k, "%s", row->points[0]->label[axes[k]]);
            grid_fill(g, at, n, row);
        }
    for (size_t i = COLUMNS; i-- > 0;)
        if (!column_wanted(part, (enum column)i)) grid_drop_column(g, n + i);
    free(axes);
    return g;
}

static void write_part(struct page *p, const struct summary *s, const struct part *part) {
    if (s->results->has_manifest) page_add(p, BLOCK_HEADING, "%s", part->name);
    for (size_t i = 0; i < part->curves_n; i++)
        if (s->results->has_manifest) write_curve(p, s, part, &part->curves[i]);
    if (s->results->has_manifest) write_part_rates(p, s, part);
    page_add_grid(p, part_grid(s, part));
}

/* ---- all -------------------------------------------------------------------------------------- */

static const char *results_note(const struct results *r) {
    for (size_t i = 0; i < r->logs_n; i++)
        if (r->logs[i]->about[ABOUT_NOTE] && *r->logs[i]->about[ABOUT_NOTE])
            return r->logs[i]->about[ABOUT_NOTE];
    return NULL;
}

void findings_write(struct page *p, const struct summary *s) {
    const struct results *r = s->results;
    page_add(p, BLOCK_TITLE, "%s", r->name);
    if (results_note(r)) page_add(p, BLOCK_TEXT, "%s", results_note(r));
    write_states(p, r);
    if (!losses_apply(r)) write_final(p, r);
    write_numerics(p, r);
    write_seed_axes(p, r);
    if (losses_apply(r)) {
        losses_write(p, s);
        return;
    }
    for (size_t i = 0; i < s->parts_n; i++) write_part(p, s, &s->parts[i]);
    struct recovery *recovery = recovery_create(s);
    recovery_write(p, recovery);
    recovery_free(recovery);
    struct sensitivity *windows = sensitivity_create(s);
    sensitivity_write(p, windows);
    sensitivity_free(windows);
    if (r->has_manifest)
        page_add(p, BLOCK_TEXT,
                 "A headline names the level with the largest mean drop; its interval is not "
                 "corrected for having chosen it among several.");
}

static void save_row(FILE *out, const struct row *row) {
    struct interval drop = row->drop_t;
    if (row->is_clean) drop = (struct interval){NAN, NAN, NAN, 0};
    fprintf(out, "\t%ld\t%zu", (long)row->removal, row->accuracy_t.n);
    words_save_interval(out, row->accuracy_t);
    fprintf(out, "\t%zu", drop.n);
    words_save_interval(out, drop);
    words_save(out, row->peak_t.mean);
    words_save(out, row->peak_epoch);
    words_save(out, row->deficit_peak_t.mean);
    words_save(out, row->lr_at_removal);
}

int findings_save(const struct summary *s, const char *path, struct error *e) {
    return summary_save(
        s, path, "summary",
        "\tremoval_epoch\tn\taccuracy\taccuracy_low\taccuracy_high\tpairs\tdrop\tdrop_low"
        "\tdrop_high\tfisher_peak\tfisher_peak_epoch\tfisher_deficit_peak\tlr_at_removal",
        save_row, e);
}
