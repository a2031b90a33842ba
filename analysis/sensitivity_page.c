/* What windows of deficit cost, in words and tables: see sensitivity.h.
 *
 * A claim is made of a slide whose largest drop has an interval above 0, and says with which
 * interval; what several onsets were searched for is called that. Trap: "no effect late" is not
 * shown by an interval that holds 0, so the interval and the share of the peak stand beside it. */
#include "analysis/sensitivity.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "analysis/memory.h"
#include "analysis/words.h"

enum { BOOTSTRAP_FROM = 10 };

static const struct row *peak_row(const struct slide *s) {
    return s->windows[s->peak].row;
}

static size_t slides_n(const struct sensitivity *w) {
    size_t n = 0;
    for (size_t i = 0; i < w->maps_n; i++) n += w->maps[i].slides_n;
    return n;
}

/* ---- sentences of a slide -------------------------------------------------------------------- */

/* Where each seed by itself has its largest drop: "0 0 4". */
static char *seed_peaks(const struct slide *s) {
    char *list = memory_text("");
    for (size_t j = 0; j < s->seeds_n; j++) {
        size_t peak = SIZE_MAX;
        for (size_t i = 0; i < s->windows_n; i++) {
            double drop = s->drop[i * s->seeds_n + j];
            if (!isnan(drop) && (peak == SIZE_MAX || drop > s->drop[peak * s->seeds_n + j]))
                peak = i;
        }
        if (peak != SIZE_MAX)
            list = words_join(list, " ", memory_print("%g", s->windows[peak].onset));
    }
    return list;
}

static char *peak_words(const struct slide *s) {
    struct interval drop = peak_row(s)->drop_t;
    char *interval = words_with_interval(drop, 1), *seeds = seed_peaks(s);
    char *text = memory_print("the mean drop is largest for onset %g: %.1f points%s, n = %zu",
                              s->windows[s->peak].onset, drop.mean, interval, drop.n);
    if (!isnan(s->onset.low)) {
        char *range = words_interval(s->onset, 0);
        text = words_join(
            text, " ",
            memory_print("(bootstrap of that onset %s; of each seed by itself: %s)", range, seeds));
        free(range);
    }
    free(interval);
    free(seeds);
    return text;
}

static char *width_words(const struct slide *s) {
    if (!s->is_shown || isnan(s->width.mean)) return memory_text("");
    return memory_print(" Half of it or more is lost over %s%.1f epochs of onset.",
                        s->width_is_cut ? "at least " : "", s->width.mean);
}

/* Is the peak inside the phase in which the clean twin learns fast? */
static char *phase_words(const struct slide *s) {
    if (isnan(s->fast.mean)) return memory_text("");
    double onset = s->windows[s->peak].onset;
    bool inside = onset < s->fast.mean;
    bool sure = inside ? s->onset.high < s->fast.low : s->onset.low >= s->fast.high;
    char *range = words_with_interval(s->fast, 1);
    char *text = memory_print(
        " The clean twin has %.0f %% of its final accuracy at epoch %.1f%s: the peak lies %s this "
        "fast-learning phase%s.",
        100 * FAST_SHARE, s->fast.mean, range, inside ? "inside" : "after",
        sure || isnan(s->onset.low) ? "" : ", but the intervals of both overlap");
    free(range);
    return text;
}

static char *late_words(const struct slide *s) {
    if (!s->late_n || !s->late.n) return memory_text("");
    char *range = words_with_interval(s->late, 1);
    bool holds_0 = s->late.low <= 0 && s->late.high >= 0;
    char *text =
        memory_print(" The %zu window%s that open%s later cost %.1f points on the mean%s%s",
                     s->late_n, s->late_n == 1 ? "" : "s", s->late_n == 1 ? "s" : "", s->late.mean,
                     range, holds_0 ? ", which includes 0" : "");
    free(range);
    if (s->is_shown && !isnan(s->share.mean)) {
        char *share = words_interval(s->share, 2);
        text = words_join(text, "; ", memory_print("%.2f of the peak's", s->share.mean));
        if (!isnan(s->share.low))
            text = words_join(text, " ", memory_print("(bootstrap %s)", share));
        free(share);
    }
    return words_join(text, "", memory_text("."));
}

static char *fisher_words(const struct slide *s) {
    if (isnan(s->fisher.mean)) return memory_text("");
    char *range = words_with_interval(s->fisher, 2);
    char *text =
        memory_print(" Spearman's correlation, over %zu onsets, of the drop with the clean "
                     "twin's Fisher trace over the window: %.2f%s",
                     s->windows_n, s->fisher.mean, range);
    free(range);
    if (s->fisher.n > 1)
        text = words_join(text, ", ", memory_print("mean of %zu seeds", s->fisher.n));
    return words_join(text, "", memory_text("."));
}

static void write_slide(struct page *p, const struct window_map *m, const struct slide *s) {
    if (s->windows_n < 2) return;
    if (s->peak == SIZE_MAX) {
        page_add(p, BLOCK_HEADLINE, "%s, windows of %g epochs: no drop is known yet.", m->name,
                 s->length);
        return;
    }
    char *peak = peak_words(s), *width = width_words(s), *phase = phase_words(s);
    char *late = late_words(s), *fisher = fisher_words(s);
    bool told = s->is_shown || peak_row(s)->drop_t.n < 2;
    page_add(p, BLOCK_HEADLINE, "%s, windows of %g epochs: %s.%s%s%s%s", m->name, s->length, peak,
             told ? width : "",
             told ? phase : " That interval includes 0, so neither a peak nor a width is read off.",
             late, fisher);
    free(peak);
    free(width);
    free(phase);
    free(late);
    free(fisher);
}

/* ---- what differs between early and late windows beside their onset -------------------------- */

/* The windows of a map's first and last onset that are known; what they differ in is said. */
static void write_confounds(struct page *p, const struct window_map *m) {
    const struct row *early = NULL, *late = NULL;
    double onset[2] = {0, 0};
    for (size_t i = 0; i < m->windows_n; i++) {
        const struct window *w = &m->windows[i];
        if (isnan(w->row->clean_epochs)) continue;
        if (!early || w->onset < onset[0]) early = w->row, onset[0] = w->onset;
        if (!late || w->onset >= onset[1]) late = w->row, onset[1] = w->onset;
    }
    if (!early || early->clean_epochs == late->clean_epochs) return;
    page_add(p, BLOCK_TEXT,
             "%s: clean epochs after removal range from %.0f (onset %g) to %.0f (onset %g): what a "
             "%s window costs is seen after the shorter recovery.",
             m->name, early->clean_epochs, onset[0], late->clean_epochs, onset[1],
             late->clean_epochs < early->clean_epochs ? "late" : "early");
    if (!isnan(early->lr_at_removal) && early->lr_at_removal != late->lr_at_removal)
        page_add(p, BLOCK_TEXT,
                 "%s: the learning rate at removal goes from %.3g (onset %g) to %.3g (onset %g): "
                 "the size of the steps differs between early and late windows, too.",
                 m->name, early->lr_at_removal, onset[0], late->lr_at_removal, onset[1]);
}

/* ---- tables ---------------------------------------------------------------------------------- */

enum {
    PEAK_NAME,
    PEAK_LENGTH,
    PEAK_N,
    PEAK_ONSET,
    PEAK_ONSET_INTERVAL,
    PEAK_DROP,
    PEAK_DROP_INTERVAL,
    PEAK_WIDTH,
    PEAK_FAST,
    PEAK_LATE,
    PEAK_LATE_INTERVAL,
    PEAK_SHARE,
    PEAK_FISHER,
    PEAK_COLUMNS
};

static const char *const PEAK_TITLE[PEAK_COLUMNS] = {
    [PEAK_NAME] = "windows",
    [PEAK_LENGTH] = "length",
    [PEAK_N] = "n",
    [PEAK_ONSET] = "peak\nonset",
    [PEAK_ONSET_INTERVAL] = "boot-\nstrap",
    [PEAK_DROP] = "\ndrop",
    [PEAK_DROP_INTERVAL] = "95 %\ninterval",
    [PEAK_WIDTH] = "\nwidth",
    [PEAK_FAST] = "fast\nuntil",
    [PEAK_LATE] = "late\ndrop",
    [PEAK_LATE_INTERVAL] = "95 %\ninterval",
    [PEAK_SHARE] = "of\npeak",
    [PEAK_FISHER] = "Fisher\nrho",
};

static void grid_titles(struct grid *g, const char *const *title) {
    grid_add_row(g);
    for (size_t i = 0; i < g->columns_n; i++) grid_set(g, 0, i, "%s", title[i]);
    g->left[0] = true;
}

static void add_peak(struct grid *g, const struct window_map *m, const struct slide *s) {
    if (s->windows_n < 2 || s->peak == SIZE_MAX) return;
    size_t at = grid_add_row(g);
    struct interval drop = peak_row(s)->drop_t;
    grid_set(g, at, PEAK_NAME, "%s", m->name);
    grid_set(g, at, PEAK_LENGTH, "%g", s->length);
    grid_set(g, at, PEAK_N, "%zu", drop.n);
    grid_set(g, at, PEAK_ONSET, "%g", s->windows[s->peak].onset);
    words_cell_interval(g, at, PEAK_ONSET_INTERVAL, s->onset, 0);
    grid_set(g, at, PEAK_DROP, "%.1f", drop.mean);
    words_cell_interval(g, at, PEAK_DROP_INTERVAL, drop, 1);
    if (s->is_shown && !isnan(s->width.mean))
        grid_set(g, at, PEAK_WIDTH, s->width_is_cut ? "> %.1f" : "%.1f", s->width.mean);
    words_cell(g, at, PEAK_FAST, s->fast.mean, 1);
    words_cell(g, at, PEAK_LATE, s->late.mean, 1);
    words_cell_interval(g, at, PEAK_LATE_INTERVAL, s->late, 1);
    if (s->is_shown) words_cell(g, at, PEAK_SHARE, s->share.mean, 2);
    words_cell(g, at, PEAK_FISHER, s->fisher.mean, 2);
}

static void add_window(struct grid *g, const struct window_map *m, const struct slide *s,
                       size_t window) {
    const struct window *w = &s->windows[window];
    size_t at = grid_add_row(g);
    grid_set(g, at, 0, "%s", m->name);
    grid_set(g, at, 1, "%g", w->length);
    grid_set(g, at, 2, "%g", w->onset);
    words_cell(g, at, 3, w->row->drop_t.mean, 1);
    words_cell_interval(g, at, 4, w->row->drop_t, 1);
    grid_set(g, at, 5, "%zu", w->row->drop_t.n);
    double trace = stats_mean(s->trace + window * s->seeds_n, s->seeds_n);
    if (!isnan(trace)) grid_set(g, at, 6, "%.4g", trace);
}

static void write_tables(struct page *p, const struct sensitivity *w) {
    static const char *const TITLE[] = {
        "windows", "length", "onset", "drop", "95 %\ninterval", "n", "clean twin's\nFisher trace"};
    struct grid *peaks = grid_create(PEAK_COLUMNS), *windows = grid_create(7);
    grid_titles(peaks, PEAK_TITLE);
    grid_titles(windows, TITLE);
    for (size_t i = 0; i < w->maps_n; i++)
        for (size_t j = 0; j < w->maps[i].slides_n; j++) {
            const struct slide *s = &w->maps[i].slides[j];
            add_peak(peaks, &w->maps[i], s);
            for (size_t k = 0; k < s->windows_n; k++) add_window(windows, &w->maps[i], s, k);
        }
    page_add_grid(p, peaks);
    page_add_grid(p, windows);
}

static size_t most_seeds(const struct sensitivity *w) {
    size_t most = 0;
    for (size_t i = 0; i < w->maps_n; i++)
        for (size_t j = 0; j < w->maps[i].slides_n; j++)
            if (w->maps[i].slides[j].seeds_n > most) most = w->maps[i].slides[j].seeds_n;
    return most;
}

void sensitivity_write(struct page *p, const struct sensitivity *w) {
    if (!w->maps_n) return;
    page_add(p, BLOCK_HEADING, "sensitivity");
    for (size_t i = 0; i < w->maps_n; i++) {
        for (size_t j = 0; j < w->maps[i].slides_n; j++)
            write_slide(p, &w->maps[i], &w->maps[i].slides[j]);
        write_confounds(p, &w->maps[i]);
    }
    size_t seeds = most_seeds(w);
    if (seeds > 1 && seeds < BOOTSTRAP_FROM)
        page_add(
            p, BLOCK_TEXT,
            "The bootstraps draw from %zu seeds: with so few they are too narrow. A peak is the "
            "largest of several noisy means, so its drop is an overestimate.",
            seeds);
    write_tables(p, w);
}

static void save_slide(FILE *out, const struct window_map *m, const struct slide *s) {
    static const struct interval none = {NAN, NAN, NAN, 0};
    bool known = s->peak != SIZE_MAX;
    fprintf(out, "%s\t%s\t%g\t%zu\t%zu", m->part->name, m->name, s->length, s->windows_n,
            known ? peak_row(s)->drop_t.n : 0);
    words_save_interval(out, s->onset);
    words_save_interval(out, known ? peak_row(s)->drop_t : none);
    words_save_interval(out, s->width);
    fprintf(out, "\t%d", s->width_is_cut ? 1 : 0);
    words_save_interval(out, s->fast);
    fprintf(out, "\t%zu", s->late_n);
    words_save_interval(out, s->late);
    words_save_interval(out, s->share);
    words_save_interval(out, s->fisher);
    words_save(out, s->fisher_of_means);
    fputc('\n', out);
}

int sensitivity_save(const struct sensitivity *w, const char *path, struct error *e) {
    if (!slides_n(w)) {
        unlink(path);
        return STATUS_OK;
    }
    FILE *out = fopen(path, "w");
    if (!out) return error_set(e, STATUS_FAILED, "%s: cannot write it: %s", path, strerror(errno));
    fputs("# imprint sensitivity 1\npart\twindows\tlength\tonsets\tpairs\tpeak_onset\t"
          "peak_onset_low\tpeak_onset_high\tdrop\tdrop_low\tdrop_high\twidth\twidth_low\twidth_high"
          "\twidth_is_cut\tfast_until\tfast_until_low\tfast_until_high\tlate_onsets\tlate_drop\t"
          "late_drop_low\tlate_drop_high\tlate_share\tlate_share_low\tlate_share_high\tfisher_rho\t"
          "fisher_rho_low\tfisher_rho_high\tfisher_rho_of_means\n",
          out);
    for (size_t i = 0; i < w->maps_n; i++)
        for (size_t j = 0; j < w->maps[i].slides_n; j++)
            if (w->maps[i].slides[j].windows_n > 1)
                save_slide(out, &w->maps[i], &w->maps[i].slides[j]);
    bool failed = ferror(out) != 0;
    if (fclose(out) || failed)
        return error_set(e, STATUS_FAILED, "%s: cannot write it whole; is the disk full?", path);
    return STATUS_OK;
}
