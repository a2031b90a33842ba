/* Windows of deficit by length and onset: see sensitivity.h.
 *
 *   m(o)      mean over seeds of the paired drop of the window that opens at o
 *   peak      o* = argmax m(o);  width: the stretch around o* where m >= m(o*) / 2, with m linear
 *             between the onsets swept
 *   fast      the first epoch in which the clean twin has 0.9 of its final test accuracy; windows
 *             that open then or later are late
 *   fisher    Spearman's correlation, over onsets, of the drop with the mean of the clean twin's
 *             Fisher trace in rows o + 1 .. o + length (row 0 shows the initialization)
 *
 * Peak, width and the late share are read off the curve of means, so their intervals are percentile
 * bootstraps over seeds (a seed's whole curve is drawn), too narrow with few seeds. Traps: the peak
 * is the largest of several noisy means, so its drop is biased upwards and its width means nothing
 * when no drop is shown; runs of one total have the fewer clean epochs the later their window. */
#include "analysis/sensitivity.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/memory.h"

enum { DRAWS = 10000, SEED = 1, CORRELATED_FROM = 3 };
static const double LEVEL = 0.95;
const double FAST_SHARE = 0.9;

/* ---- which rows are windows, and of which map ------------------------------------------------ */

/* A run without a log tells nothing of its window, but the row's others may. */
static bool row_window(const struct row *row, struct window *w) {
    for (size_t i = 0; i < row->points_n && !row->is_clean; i++) {
        const struct log *log = row->points[i]->log;
        if (log->onset < 0 || log->removal <= log->onset) continue;
        *w = (struct window){(double)log->onset, (double)(log->removal - log->onset), row};
        return true;
    }
    return false;
}

static int order_windows(const void *a, const void *b) {
    const struct window *u = a, *v = b;
    if (u->length != v->length) return u->length < v->length ? -1 : 1;
    return (u->onset > v->onset) - (u->onset < v->onset);
}

static size_t part_windows(const struct part *part, struct window **windows) {
    size_t n = 0;
    *windows = NULL;
    for (size_t i = 0; i < part->curves_n; i++)
        for (size_t j = 0; j < part->curves[i].rows_n; j++) {
            struct window w;
            if (!row_window(&part->curves[i].rows[j], &w)) continue;
            *windows = memory_grow(*windows, n, sizeof **windows);
            (*windows)[n++] = w;
        }
    if (n) qsort(*windows, n, sizeof **windows, order_windows);
    return n;
}

/* Has the axis other labels at one and the same window? Then it splits the part into maps. */
static bool axis_splits(const struct window *windows, size_t n, size_t axis) {
    for (size_t i = 0; i < n; i++)
        for (size_t j = i + 1; j < n && !order_windows(&windows[i], &windows[j]); j++)
            if (strcmp(windows[i].row->points[0]->label[axis],
                       windows[j].row->points[0]->label[axis]))
                return true;
    return false;
}

static bool *part_splits(const struct results *r, const struct window *windows, size_t n) {
    bool *splits = memory_new(r->axes_n, sizeof *splits);
    for (size_t a = 0; a < r->axes_n; a++)
        splits[a] = !r->axes[a].is_seed && axis_splits(windows, n, a);
    return splits;
}

static bool same_map(const struct results *r, const bool *splits, const struct window *u,
                     const struct window *v) {
    for (size_t a = 0; a < r->axes_n; a++)
        if (splits[a] && strcmp(u->row->points[0]->label[a], v->row->points[0]->label[a]))
            return false;
    return true;
}

/* "window", "window, remedy=sam" */
static char *map_name(const struct results *r, const struct part *part, const bool *splits,
                      const struct window *w) {
    bool plain = !strcmp(part->name, "main");
    char *name = memory_text(plain ? r->name : part->name);
    for (size_t a = 0; a < r->axes_n; a++) {
        if (!splits[a]) continue;
        char *more = memory_print("%s, %s=%s", name, r->axes[a].name, w->row->points[0]->label[a]);
        free(name);
        name = more;
    }
    return name;
}

/* ---- a slide's numbers, by window and seed --------------------------------------------------- */

static size_t seed_index(const struct results *r, const struct point ***seeds, size_t *n,
                         const struct point *p) {
    for (size_t i = 0; i < *n; i++)
        if (point_same_seed(r, (*seeds)[i], p)) return i;
    *seeds = memory_grow(*seeds, *n, sizeof **seeds);
    (*seeds)[*n] = p;
    return (*n)++;
}

/* Mean of the clean twin's trace in the rows that the window covers. */
static double twin_trace(const struct log *twin, const struct window *w) {
    const double *v = twin ? twin->series[SERIES_FISHER] : NULL;
    double sum = 0;
    size_t n = 0;
    for (size_t i = 0; v && i < twin->rows; i++)
        if (twin->epoch[i] > w->onset && twin->epoch[i] <= w->onset + w->length && !isnan(v[i]))
            sum += v[i], n++;
    return n ? sum / (double)n : NAN;
}

static void slide_fill_seed(struct slide *s, size_t window, size_t seed, size_t point) {
    const struct window *w = &s->windows[window];
    const struct log *twin = w->row->points[point]->twin;
    size_t at = window * s->seeds_n + seed;
    s->drop[at] = w->row->drop[point];
    if (!twin || twin->state != LOG_DONE) return;
    s->trace[at] = twin_trace(twin, w);
    if (!s->twin[seed]) s->twin[seed] = twin;
}

static void slide_fill(struct slide *s, const struct results *r) {
    const struct point **seeds = NULL;
    s->seeds_n = 0;
    for (size_t i = 0; i < s->windows_n; i++)
        for (size_t j = 0; j < s->windows[i].row->points_n; j++)
            seed_index(r, &seeds, &s->seeds_n, s->windows[i].row->points[j]);
    size_t cells = s->windows_n * s->seeds_n;
    s->drop = memory_new(cells, sizeof *s->drop);
    s->trace = memory_new(cells, sizeof *s->trace);
    s->twin = memory_new(s->seeds_n, sizeof *s->twin);
    for (size_t i = 0; i < cells; i++) s->drop[i] = s->trace[i] = NAN;
    for (size_t i = 0; i < s->windows_n; i++)
        for (size_t j = 0; j < s->windows[i].row->points_n; j++)
            slide_fill_seed(s, i, seed_index(r, &seeds, &s->seeds_n, s->windows[i].row->points[j]),
                            j);
    free(seeds);
}

/* ---- readings of the mean curve, for any draw of seeds --------------------------------------- */

static double window_mean(const struct slide *s, const double *values, size_t window,
                          const size_t *seed, size_t n) {
    double sum = 0;
    size_t kept = 0;
    for (size_t i = 0; i < n; i++) {
        double v = values[window * s->seeds_n + seed[i]];
        if (!isnan(v)) sum += v, kept++;
    }
    return kept ? sum / (double)kept : NAN;
}

/* The first of equal means; SIZE_MAX: no drop at all. */
static size_t slide_peak(const struct slide *s, const size_t *seed, size_t n, double *height) {
    size_t peak = SIZE_MAX;
    *height = NAN;
    for (size_t i = 0; i < s->windows_n; i++) {
        double mean = window_mean(s, s->drop, i, seed, n);
        if (isnan(mean) || mean <= *height) continue;
        *height = mean;
        peak = i;
    }
    return peak;
}

static double peak_onset(const void *context, const size_t *seed, size_t n) {
    const struct slide *s = context;
    double height;
    size_t peak = slide_peak(s, seed, n, &height);
    return peak == SIZE_MAX ? NAN : s->windows[peak].onset;
}

/* Where the mean curve, walked from the peak by `step`, falls below half the peak; else the last
 * onset there is, and *cut is set. */
static double half_onset(const struct slide *s, const size_t *seed, size_t n, size_t peak, int step,
                         double half, bool *cut) {
    double onset = s->windows[peak].onset, mean = 2 * half;
    for (size_t i = peak + (size_t)step; i < s->windows_n; i += (size_t)step) {
        double next = window_mean(s, s->drop, i, seed, n);
        if (isnan(next)) continue;
        if (next < half)
            return onset + (s->windows[i].onset - onset) * (mean - half) / (mean - next);
        onset = s->windows[i].onset;
        mean = next;
    }
    *cut = *cut || onset > 0; /* nothing opens before 0, so that end is not cut */
    return onset;
}

static double slide_width(const struct slide *s, const size_t *seed, size_t n, bool *cut) {
    double height;
    size_t peak = slide_peak(s, seed, n, &height);
    *cut = false;
    if (peak == SIZE_MAX || !(height > 0)) return NAN;
    double low = half_onset(s, seed, n, peak, -1, height / 2, cut);
    return half_onset(s, seed, n, peak, 1, height / 2, cut) - low;
}

static double peak_width(const void *context, const size_t *seed, size_t n) {
    bool cut;
    return slide_width(context, seed, n, &cut);
}

static bool window_is_late(const struct slide *s, size_t window) {
    return s->windows[window].onset >= s->fast.mean; /* false when that is NaN */
}

static double late_share(const void *context, const size_t *seed, size_t n) {
    const struct slide *s = context;
    double sum = 0, height;
    size_t late = 0;
    if (slide_peak(s, seed, n, &height) == SIZE_MAX || !(height > 0)) return NAN;
    for (size_t i = 0; i < s->windows_n; i++) {
        double mean = window_mean(s, s->drop, i, seed, n);
        if (window_is_late(s, i) && !isnan(mean)) sum += mean, late++;
    }
    return late ? sum / (double)late / height : NAN;
}

/* ---- statistics of a slide ------------------------------------------------------------------- */

/* The epoch from which on the twin has learned most of what it will; NaN: unknown. */
static double fast_end(const struct log *twin) {
    const double *v = twin ? twin->series[SERIES_TEST_ACCURACY] : NULL;
    for (size_t i = 0; v && i < twin->rows; i++)
        if (v[i] >= FAST_SHARE * twin->final_accuracy) return twin->epoch[i];
    return NAN;
}

static void slide_fast(struct slide *s) {
    double *end = memory_new(s->seeds_n, sizeof *end);
    for (size_t i = 0; i < s->seeds_n; i++) end[i] = fast_end(s->twin[i]);
    s->fast = stats_t_interval(end, s->seeds_n, LEVEL);
    free(end);
}

static void slide_late(struct slide *s) {
    double *v = memory_new(s->windows_n, sizeof *v), *mean = memory_new(s->seeds_n, sizeof *mean);
    s->late_n = 0;
    for (size_t i = 0; i < s->windows_n; i++) s->late_n += window_is_late(s, i) ? 1 : 0;
    for (size_t j = 0; j < s->seeds_n; j++) {
        for (size_t i = 0; i < s->windows_n; i++)
            v[i] = window_is_late(s, i) ? s->drop[i * s->seeds_n + j] : NAN;
        mean[j] = stats_mean(v, s->windows_n);
    }
    s->late = stats_t_interval(mean, s->seeds_n, LEVEL);
    free(v);
    free(mean);
}

static size_t both_known(const double *x, const double *y, size_t n) {
    size_t known = 0;
    for (size_t i = 0; i < n; i++) known += !isnan(x[i]) && !isnan(y[i]) ? 1 : 0;
    return known;
}

static double correlation(const double *x, const double *y, size_t n) {
    return both_known(x, y, n) < CORRELATED_FROM ? NAN : stats_spearman(x, y, n);
}

static void slide_fisher(struct slide *s, const size_t *all) {
    double *x = memory_new(2 * s->windows_n, sizeof *x), *y = x + s->windows_n;
    double *rho = memory_new(s->seeds_n, sizeof *rho);
    for (size_t j = 0; j < s->seeds_n; j++) {
        for (size_t i = 0; i < s->windows_n; i++) {
            x[i] = s->drop[i * s->seeds_n + j];
            y[i] = s->trace[i * s->seeds_n + j];
        }
        rho[j] = correlation(x, y, s->windows_n);
    }
    s->fisher = stats_t_interval(rho, s->seeds_n, LEVEL);
    if (s->fisher.low < -1) s->fisher.low = -1; /* t knows no bounds */
    if (s->fisher.high > 1) s->fisher.high = 1;
    for (size_t i = 0; i < s->windows_n; i++) {
        x[i] = window_mean(s, s->drop, i, all, s->seeds_n);
        y[i] = window_mean(s, s->trace, i, all, s->seeds_n);
    }
    s->fisher_of_means = correlation(x, y, s->windows_n);
    free(x);
    free(rho);
}

static void slide_measure(struct slide *s) {
    size_t *all = memory_new(s->seeds_n, sizeof *all);
    double height;
    for (size_t i = 0; i < s->seeds_n; i++) all[i] = i;
    s->peak = slide_peak(s, all, s->seeds_n, &height);
    s->is_shown = s->peak != SIZE_MAX && s->windows[s->peak].row->drop_t.low > 0;
    slide_width(s, all, s->seeds_n, &s->width_is_cut);
    slide_fast(s);
    slide_late(s);
    slide_fisher(s, all);
    s->onset = stats_bootstrap_of(s->seeds_n, LEVEL, DRAWS, SEED, peak_onset, s);
    s->width = stats_bootstrap_of(s->seeds_n, LEVEL, DRAWS, SEED, peak_width, s);
    s->share = stats_bootstrap_of(s->seeds_n, LEVEL, DRAWS, SEED, late_share, s);
    free(all);
}

/* ---- maps ------------------------------------------------------------------------------------ */

static void map_add_onset(struct window_map *m, double onset) {
    size_t at = m->onsets_n;
    for (size_t i = 0; i < m->onsets_n; i++)
        if (m->onsets[i] == onset) return;
    m->onsets = memory_grow(m->onsets, m->onsets_n++, sizeof *m->onsets);
    for (; at && m->onsets[at - 1] > onset; at--) m->onsets[at] = m->onsets[at - 1];
    m->onsets[at] = onset;
}

static void map_add_slides(struct window_map *m, const struct results *r) {
    for (size_t i = 0; i < m->windows_n;) {
        size_t n = 1;
        while (i + n < m->windows_n && m->windows[i + n].length == m->windows[i].length) n++;
        m->slides = memory_grow(m->slides, m->slides_n, sizeof *m->slides);
        struct slide *s = &m->slides[m->slides_n++];
        *s = (struct slide){.length = m->windows[i].length, .windows_n = n};
        s->windows = &m->windows[i];
        slide_fill(s, r);
        slide_measure(s);
        i += n;
    }
}

static bool map_slides_any(const struct window *windows, size_t n) {
    for (size_t i = 1; i < n; i++)
        if (windows[i].length == windows[i - 1].length) return true;
    return false;
}

static void slide_free(struct slide *s) {
    free(s->drop);
    free(s->trace);
    free(s->twin);
}

static void add_map(struct sensitivity *w, const struct results *r, const struct part *part,
                    char *name, struct window *windows, size_t n) {
    if (!map_slides_any(windows, n)) {
        free(name);
        free(windows);
        return;
    }
    w->maps = memory_grow(w->maps, w->maps_n, sizeof *w->maps);
    struct window_map *m = &w->maps[w->maps_n++];
    *m = (struct window_map){.part = part, .name = name, .windows_n = n, .windows = windows};
    for (size_t i = 0; i < n; i++) map_add_onset(m, windows[i].onset);
    map_add_slides(m, r);
}

/* The windows of one map, in the order of all; those taken are marked. */
static struct window *take_windows(const struct results *r, const bool *splits,
                                   const struct window *all, size_t n, size_t first, bool *taken,
                                   size_t *kept) {
    struct window *windows = memory_new(n, sizeof *windows);
    *kept = 0;
    for (size_t i = first; i < n; i++) {
        if (taken[i] || !same_map(r, splits, &all[first], &all[i])) continue;
        windows[(*kept)++] = all[i];
        taken[i] = true;
    }
    return windows;
}

static void add_part(struct sensitivity *w, const struct results *r, const struct part *part) {
    struct window *all;
    size_t n = part_windows(part, &all);
    bool *splits = part_splits(r, all, n), *taken = memory_new(n, sizeof *taken);
    for (size_t i = 0; i < n; i++) {
        size_t kept;
        if (taken[i]) continue;
        char *name = map_name(r, part, splits, &all[i]);
        struct window *windows = take_windows(r, splits, all, n, i, taken, &kept);
        add_map(w, r, part, name, windows, kept);
    }
    free(splits);
    free(taken);
    free(all);
}

struct sensitivity *sensitivity_create(const struct summary *s) {
    struct sensitivity *w = memory_new(1, sizeof *w);
    for (size_t i = 0; i < s->parts_n && s->results->has_manifest; i++)
        add_part(w, s->results, &s->parts[i]);
    return w;
}

void sensitivity_free(struct sensitivity *w) {
    if (!w) return;
    for (size_t i = 0; i < w->maps_n; i++) {
        struct window_map *m = &w->maps[i];
        for (size_t j = 0; j < m->slides_n; j++) slide_free(&m->slides[j]);
        free(m->slides);
        free(m->windows);
        free(m->onsets);
        free(m->name);
    }
    free(w->maps);
    free(w);
}

const struct window *window_map_at(const struct window_map *m, double onset, double length) {
    for (size_t i = 0; i < m->windows_n; i++)
        if (m->windows[i].onset == onset && m->windows[i].length == length) return &m->windows[i];
    return NULL;
}

bool window_map_any(const struct window_map *m) {
    for (size_t i = 0; i < m->slides_n; i++)
        if (m->slides[i].peak != SIZE_MAX) return true;
    return false;
}
