/* Remedies and what they give back: see recovery.h.
 *
 *   R, A      accuracy of the reference and of the run, without (0) and with (1) the stabilizer
 *   D0, D1    drops R0 - A0 and R1 - A1; gain G = D0 - D1, all within a seed
 *   fraction  mean(G) / mean(D0), which is (drop without - drop with) / drop without
 *
 *                 R0             A0                     R1             A1
 *   twin          twin           unstabilized           twin           the run
 *   on_clean      clean_total    unstabilized           on_clean       the run
 *   lr_clock      lr_clock_twin  lr_clock_unstabilized  lr_clock_twin  lr_clock
 *
 * The fraction is a ratio of means with Fieller's interval, not a mean of the seeds' fractions: a
 * seed that happened to lose little has a fraction of any size, and with few seeds it alone would
 * decide the mean. It is NaN unless the interval of mean(D0) lies above 0, which is also where
 * Fieller's set is an interval at all. Traps: by the twin the gain is A1 - A0 whatever the twin is,
 * so that control alone cannot tell healing from plain better training: on_clean can, as its gain is
 * that of the spoiled run beyond that of the clean one; a row of the log describes the epoch before
 * it, so a stabilizer that acts in epoch e has its strength in row e + 1. */
#include "analysis/recovery.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/memory.h"
#include "analysis/words.h"

static const double LEVEL = 0.95;

const char *remedy_when_name(enum remedy_when when) {
    static const char *const NAME[REMEDY_WHENS] = {
        [WHEN_DURING] = "during the deficit",
        [WHEN_ALWAYS] = "always",
        [WHEN_AFTER] = "after removal",
        [WHEN_OTHER] = "other",
        [WHEN_UNKNOWN] = "-",
    };
    return NAME[when];
}

/* ---- which runs stand beside a point ---------------------------------------------------------- */

static bool log_has_strength(const struct log *log, size_t row, size_t stabilizer) {
    return log->stabilizers.value[row * log->stabilizers.n + stabilizer] > 0; /* false for NaN */
}

/* Rows of the first and the last epoch in which a stabilizer acts; false: it never does. */
static bool log_acts(const struct log *log, size_t stabilizer, size_t *first, size_t *last) {
    bool acts = false;
    *first = *last = 0;
    for (size_t i = 0; i < log->rows; i++) {
        if (!log_has_strength(log, i, stabilizer)) continue;
        if (!acts) *first = i;
        *last = i;
        acts = true;
    }
    return acts;
}

static bool log_is_stabilized(const struct log *log) {
    size_t first, last;
    for (size_t k = 0; k < log->stabilizers.n; k++)
        if (log_acts(log, k, &first, &last)) return true;
    return false;
}

static bool may_stand_for(const struct results *r, const struct point *p, const struct point *q) {
    size_t differ = 0;
    for (size_t a = 0; a < r->axes_n; a++) differ += strcmp(p->label[a], q->label[a]) ? 1 : 0;
    return !strcmp(p->part, q->part) && differ < 2 && point_same_seed(r, p, q) &&
           q->twin == p->twin && q->log->onset == p->log->onset &&
           q->log->removal == p->log->removal && q->log->rows == p->log->rows && q->log->rows &&
           !log_is_stabilized(q->log);
}

/* In a manifest without roles: the one point of the part that has the same twin, deficit and length,
 * no stabilizer, and another label on one axis at most. NULL: there is none, or there are several. */
static const struct log *find_unstabilized(const struct results *r, const struct point *p) {
    const struct log *found = NULL;
    for (size_t i = 0; i < r->points_n && p->twin; i++) {
        const struct log *log = r->points[i].log;
        if (log == found || !may_stand_for(r, p, &r->points[i])) continue;
        if (found) return NULL;
        found = log;
    }
    return found;
}

/* The point's run without stabilizers, which is its own where it has none. */
static const struct log *point_unstabilized(const struct results *r, const struct point *p) {
    if (p->role[ROLE_UNSTABILIZED]) return p->role[ROLE_UNSTABILIZED];
    return log_is_stabilized(p->log) ? find_unstabilized(r, p) : p->log;
}

static double log_accuracy(const struct log *log) {
    return log && log->state == LOG_DONE ? 100 * log->final_accuracy : NAN;
}

/* ---- a remedy's window ------------------------------------------------------------------------ */

/* The epoch up to which a stabilizer may count as acting that acts in every k-th epoch only. */
static double log_reach(const struct log *log, size_t stabilizer, size_t first, size_t last) {
    double widest = 1, before = log->epoch[first];
    for (size_t i = first; i <= last; i++) {
        if (!log_has_strength(log, i, stabilizer)) continue;
        widest = fmax(widest, log->epoch[i] - before);
        before = log->epoch[i];
    }
    return log->epoch[last] + widest - 1;
}

/* `deficit`: a log with the deficit's window, which a control on clean data has not. */
static enum remedy_when window_when(const struct log *deficit, double from, double until,
                                    bool reaches_end) {
    double onset = (double)deficit->onset, removal = (double)deficit->removal;
    if (deficit->removal < 0) return WHEN_UNKNOWN;
    if (from >= removal) return WHEN_AFTER;
    if (from >= onset && until <= removal) return WHEN_DURING;
    return from <= onset && reaches_end ? WHEN_ALWAYS : WHEN_OTHER;
}

/* "modality_dropout[0]" -> "modality_dropout" */
static char *stabilizer_type(const char *label) {
    return memory_print("%.*s", (int)strcspn(label, "["), label);
}

static void remedy_add_window(struct remedy *m, const struct log *log, const struct log *deficit,
                              size_t k) {
    size_t first, last;
    if (!log_acts(log, k, &first, &last)) return;
    double from = log->epoch[first] - 1, until = log->epoch[last];
    bool reaches_end = log_reach(log, k, first, last) >= log->epoch[log->rows - 1];
    enum remedy_when when = window_when(deficit, from, until, reaches_end);
    bool is_first = isnan(m->from);
    char *window = memory_print("[%.0f, %.0f)", from, until);
    m->when = is_first || m->when == when ? when : WHEN_OTHER;
    m->from = is_first ? from : fmin(m->from, from);
    m->until = is_first ? until : fmax(m->until, until);
    if (strcmp(m->window, window))
        m->window = words_join(m->window, " + ", window);
    else
        free(window);
    const char *const *label = (const char *const *)log->stabilizers.label;
    char *type = label ? stabilizer_type(label[k]) : memory_text("stabilizer");
    m->types = words_join(m->types, " + ", type);
}

/* The lines of the config's section `stabilizers` but those of the windows: imprint writes a key per
 * line, and sections from the first column on. */
static char *config_recipe(const char *config) {
    const char *at = strstr(config, "\nstabilizers:\n");
    char *recipe = memory_text("");
    for (at = at ? at + strlen("\nstabilizers:\n") : ""; *at == ' ';) {
        size_t n = strcspn(at, "\n");
        const char *key = at + strspn(at, " -");
        if (strncmp(key, "from:", 5) && strncmp(key, "until:", 6))
            recipe = words_join(recipe, "\n", memory_print("%.*s", (int)n, at));
        at += n + (at[n] ? 1 : 0);
    }
    if (*recipe) return recipe;
    free(recipe);
    return NULL;
}

static void remedy_read(struct remedy *m, const struct log *log, const struct log *deficit) {
    for (size_t k = 0; k < log->stabilizers.n; k++) remedy_add_window(m, log, deficit, k);
    if (!isnan(m->from) && log->config) m->recipe = config_recipe(log->config);
}

/* A run that equals one without stabilizers bit for bit (a restarted rate and a restarted clock) may
 * have that one's log; its controls then tell what acts when. */
static void remedy_windows(struct remedy *m, const struct log *deficit) {
    static const enum run_role FROM[] = {ROLE_POINT, ROLE_ON_CLEAN, ROLE_LR_CLOCK};
    m->from = m->until = NAN;
    m->when = WHEN_UNKNOWN;
    m->window = memory_text("");
    m->types = memory_text("");
    for (size_t f = 0; f < sizeof FROM / sizeof *FROM; f++)
        for (size_t i = 0; i < m->row->points_n && isnan(m->from); i++) {
            const struct log *log = m->row->points[i]->role[FROM[f]];
            if (log) remedy_read(m, log, deficit);
        }
    if (!*m->window) m->window = words_join(m->window, "", memory_text("-"));
    if (!*m->types) m->types = words_join(m->types, "", memory_text("-"));
}

/* ---- labels ----------------------------------------------------------------------------------- */

/* What is known of the points before remedies are made. */
struct census {
    const struct results *results;
    const struct log **without; /* [points] */
    bool *labels;               /* [axes] of a part: does it tell stabilizers apart? */
};

static size_t point_number(const struct results *r, const struct point *p) {
    return (size_t)(p - r->points);
}

/* An axis tells stabilizers apart when it has other labels at two points of a part whose runs are
 * the same without stabilizers. */
static void census_labels(struct census *c, const char *part) {
    const struct results *r = c->results;
    memset(c->labels, 0, r->axes_n * sizeof *c->labels);
    for (size_t i = 0; i < r->points_n; i++)
        for (size_t j = 0; j < i; j++) {
            const struct point *p = &r->points[i], *q = &r->points[j];
            if (c->without[i] != c->without[j] || !c->without[i]) continue;
            if (strcmp(p->part, part) || strcmp(q->part, part)) continue;
            for (size_t a = 0; a < r->axes_n; a++)
                if (!r->axes[a].is_seed && strcmp(p->label[a], q->label[a])) c->labels[a] = true;
        }
}

static bool is_number(const char *text) {
    char *end;
    strtod(text, &end);
    return end != text && !*end;
}

/* "dropout-early", "strength=0.5, until=10"; empty when no axis tells. */
static char *axes_label(const struct census *c, const struct point *p) {
    const struct results *r = c->results;
    char *label = memory_text("");
    for (size_t a = 0; a < r->axes_n; a++) {
        if (!c->labels[a] || !strcmp(p->label[a], "-")) continue;
        bool bare = !is_number(p->label[a]);
        label = words_join(label, ", ",
                           bare ? memory_text(p->label[a])
                                : memory_print("%s=%s", r->axes[a].name, p->label[a]));
    }
    return label;
}

/* "remedies, factor=4, removal 40": the part and what else tells its deficits apart. */
static char *trial_name(const struct census *c, const struct part *part, const struct point *p,
                        int64_t onset, int64_t removal) {
    const struct results *r = c->results;
    char *name = memory_text(strcmp(part->name, "main") ? part->name : r->name);
    for (size_t a = 0; a < r->axes_n; a++) {
        if (r->axes[a].is_seed || c->labels[a] || a == part->x_axis) continue;
        if (!strcmp(p->label[a], "-")) continue;
        name = words_join(name, ", ", memory_print("%s=%s", r->axes[a].name, p->label[a]));
    }
    if (onset > 0) name = words_join(name, ", ", memory_print("onset %ld", (long)onset));
    if (removal < 0) return name;
    return words_join(name, ", ", memory_print("removal %ld", (long)removal));
}

/* ---- numbers of a remedy ---------------------------------------------------------------------- */

static const struct log *point_role(const struct census *c, const struct point *p,
                                    enum run_role role) {
    if (role == ROLE_POINT) return p->log;
    if (role == ROLE_TWIN) return p->twin;
    if (role == ROLE_UNSTABILIZED) return c->without[point_number(c->results, p)];
    return p->role[role];
}

static void remedy_accuracies(struct remedy *m, const struct census *c) {
    for (enum run_role role = ROLE_POINT; role < RUN_ROLES; role++) {
        m->accuracy[role] = memory_new(m->row->points_n, sizeof *m->accuracy[role]);
        for (size_t i = 0; i < m->row->points_n; i++)
            m->accuracy[role][i] = log_accuracy(point_role(c, m->row->points[i], role));
    }
}

static const struct comparison_roles {
    enum run_role reference_without, without, reference_with, with;
} ROLES[COMPARISONS] = {
    [AGAINST_TWIN] = {ROLE_TWIN, ROLE_UNSTABILIZED, ROLE_TWIN, ROLE_POINT},
    [AGAINST_ON_CLEAN] = {ROLE_CLEAN_TOTAL, ROLE_UNSTABILIZED, ROLE_ON_CLEAN, ROLE_POINT},
    [AGAINST_LR_CLOCK] = {ROLE_LR_CLOCK_TWIN, ROLE_LR_CLOCK_UNSTABILIZED, ROLE_LR_CLOCK_TWIN,
                          ROLE_LR_CLOCK},
};

/* Drops of every seed; NaN in both where one of the four runs is not done. */
static void remedy_drops(const struct remedy *m, enum comparison_kind kind, double *without,
                         double *with) {
    const struct comparison_roles *roles = &ROLES[kind];
    size_t n = m->row->points_n;
    stats_differences(m->accuracy[roles->reference_without], m->accuracy[roles->without], n,
                      without);
    stats_differences(m->accuracy[roles->reference_with], m->accuracy[roles->with], n, with);
    for (size_t i = 0; i < n; i++)
        if (isnan(without[i]) || isnan(with[i])) without[i] = with[i] = NAN;
}

static bool comparison_is_same(const struct remedy *m, const struct census *c,
                               enum comparison_kind kind) {
    const struct comparison_roles *a = &ROLES[kind], *b = &ROLES[AGAINST_TWIN];
    for (size_t i = 0; i < m->row->points_n; i++) {
        const struct point *p = m->row->points[i];
        if (point_role(c, p, a->without) != point_role(c, p, b->without) ||
            point_role(c, p, a->with) != point_role(c, p, b->with) ||
            point_role(c, p, a->reference_without) != point_role(c, p, b->reference_without) ||
            point_role(c, p, a->reference_with) != point_role(c, p, b->reference_with))
            return false;
    }
    return true;
}

static void remedy_compare(struct remedy *m, const struct census *c, enum comparison_kind kind) {
    size_t n = m->row->points_n;
    struct comparison *to = &m->against[kind];
    double *without = memory_new(3 * n, sizeof *without), *with = without + n, *gain = with + n;
    remedy_drops(m, kind, without, with);
    stats_differences(without, with, n, gain);
    to->without = stats_t_interval(without, n, LEVEL);
    to->with = stats_t_interval(with, n, LEVEL);
    to->gain = stats_t_interval(gain, n, LEVEL);
    to->fraction = (struct interval){NAN, NAN, NAN, to->gain.n};
    if (to->without.low > 0) to->fraction = stats_ratio(gain, without, n, LEVEL);
    to->is_same = kind != AGAINST_TWIN && comparison_is_same(m, c, kind);
    free(without);
}

enum verdict comparison_verdict(const struct comparison *c) {
    if (isnan(c->gain.low)) return VERDICT_UNKNOWN;
    return c->gain.low > 0 ? VERDICT_HELPS : c->gain.high < 0 ? VERDICT_HURTS : VERDICT_NEITHER;
}

/* Accuracies with and without over the seeds that the comparison with the twin rests on. */
static void remedy_finals(struct remedy *m) {
    size_t n = m->row->points_n;
    double *without = memory_new(2 * n, sizeof *without), *with = without + n;
    remedy_drops(m, AGAINST_TWIN, without, with);
    for (size_t i = 0; i < n; i++) {
        bool whole = !isnan(with[i]);
        without[i] = whole ? m->accuracy[ROLE_UNSTABILIZED][i] : NAN;
        with[i] = whole ? m->accuracy[ROLE_POINT][i] : NAN;
    }
    m->accuracy_without = stats_t_interval(without, n, LEVEL);
    m->accuracy_with = stats_t_interval(with, n, LEVEL);
    free(without);
}

/* What the clock of the rate has to do with the drops: theirs less those with a restarted clock. */
static void remedy_clock(struct remedy *m) {
    size_t n = m->row->points_n;
    double *v = memory_new(4 * n, sizeof *v), *clock = v + 2 * n;
    remedy_drops(m, AGAINST_TWIN, v, v + n);
    remedy_drops(m, AGAINST_LR_CLOCK, clock, clock + n);
    stats_differences(v, clock, 2 * n, v);
    m->clock_without = stats_t_interval(v, n, LEVEL);
    m->clock_with = stats_t_interval(v + n, n, LEVEL);
    free(v);
}

static void remedy_cost(struct remedy *m) {
    size_t n = m->row->points_n;
    double *v = memory_new(n, sizeof *v);
    stats_differences(m->accuracy[ROLE_CLEAN_TOTAL], m->accuracy[ROLE_ON_CLEAN], n, v);
    m->cost = stats_t_interval(v, n, LEVEL);
    free(v);
}

/* Median time of the epochs in [from, until). */
static double log_seconds(const struct log *log, double from, double until) {
    const double *v = log && log->state == LOG_DONE ? log->series[SERIES_WALL] : NULL;
    double *kept = memory_new(v ? log->rows : 0, sizeof *kept);
    size_t n = 0;
    for (size_t i = 0; v && i < log->rows; i++)
        if (log->epoch[i] > from && log->epoch[i] <= until) kept[n++] = v[i];
    double median = stats_median(kept, n);
    free(kept);
    return median;
}

static void remedy_seconds(struct remedy *m, const struct census *c) {
    size_t n = m->row->points_n;
    double *ratio = memory_new(n, sizeof *ratio);
    m->seconds_n = 0;
    for (size_t i = 0; i < n; i++) {
        const struct point *p = m->row->points[i];
        double with = log_seconds(p->log, m->from, m->until);
        double without = log_seconds(point_role(c, p, ROLE_UNSTABILIZED), m->from, m->until);
        ratio[i] = without > 0 ? with / without : NAN;
        m->seconds_n += isnan(ratio[i]) ? 0 : 1;
    }
    m->seconds = stats_median(ratio, n);
    free(ratio);
}

static void remedy_measure(struct remedy *m, const struct census *c, const struct log *deficit) {
    remedy_windows(m, deficit);
    m->label = axes_label(c, m->row->points[0]);
    if (!*m->label) m->label = words_join(m->label, "", memory_text(m->types));
    remedy_accuracies(m, c);
    for (enum comparison_kind k = AGAINST_TWIN; k < COMPARISONS; k++) remedy_compare(m, c, k);
    remedy_finals(m);
    remedy_clock(m);
    remedy_cost(m);
    remedy_seconds(m, c);
    m->p = m->p_holm = NAN;
}

/* ---- trials ----------------------------------------------------------------------------------- */

/* Of the row's runs, or those without stabilizers: the first one whose deficit is known; else any. */
static const struct log *row_deficit(const struct census *c, const struct row *row) {
    for (size_t i = 0; i < row->points_n; i++) {
        const struct point *p = row->points[i];
        const struct log *without = c->without[point_number(c->results, p)];
        if (p->log->removal >= 0) return p->log;
        if (without && without->removal >= 0) return without;
    }
    return row->points[0]->log;
}

static bool row_is_stabilized(const struct census *c, const struct row *row) {
    for (size_t i = 0; i < row->points_n; i++)
        if (c->without[point_number(c->results, row->points[i])] != row->points[i]->log)
            return true;
    return false;
}

/* -1 for both: unknown, but there may be one. */
static bool has_deficit(const struct log *log) {
    return log->removal < 0 || log->removal > log->onset;
}

/* Do two rows meet the same deficit? They do when their runs without stabilizers are the same. */
static bool same_deficit(const struct census *c, const struct row *a, const struct row *b) {
    const struct results *r = c->results;
    for (size_t i = 0; i < a->points_n; i++)
        for (size_t j = 0; j < b->points_n; j++) {
            const struct log *without = c->without[point_number(r, a->points[i])];
            if (without && without == c->without[point_number(r, b->points[j])]) return true;
        }
    return false;
}

static struct trial *recovery_trial(struct recovery *r, const struct census *c,
                                    const struct part *part, const struct row *row,
                                    const struct log *deficit) {
    for (size_t i = 0; i < r->trials_n; i++)
        if (r->trials[i].part == part && same_deficit(c, r->trials[i].remedies[0].row, row))
            return &r->trials[i];
    r->trials = memory_grow(r->trials, r->trials_n, sizeof *r->trials);
    struct trial *t = &r->trials[r->trials_n++];
    *t = (struct trial){.part = part, .onset = deficit->onset, .removal = deficit->removal};
    t->name = trial_name(c, part, row->points[0], t->onset, t->removal);
    return t;
}

static void recovery_add_row(struct recovery *r, const struct census *c, const struct part *part,
                             const struct row *row) {
    const struct log *deficit = row_deficit(c, row);
    if (!row_is_stabilized(c, row) || !has_deficit(deficit)) return;
    struct trial *t = recovery_trial(r, c, part, row, deficit);
    t->remedies = memory_grow(t->remedies, t->remedies_n, sizeof *t->remedies);
    struct remedy *m = &t->remedies[t->remedies_n++];
    *m = (struct remedy){.row = row};
    remedy_measure(m, c, deficit);
}

static void recovery_add_part(struct recovery *r, struct census *c, const struct part *part) {
    census_labels(c, part->name);
    for (size_t i = 0; i < part->curves_n; i++)
        for (size_t j = 0; j < part->curves[i].rows_n; j++)
            recovery_add_row(r, c, part, &part->curves[i].rows[j]);
}

/* ---- the learning rate's clock where there is no stabilizer ----------------------------------- */

static bool row_has_clock(const struct census *c, const struct row *row) {
    if (row_is_stabilized(c, row) || !has_deficit(row_deficit(c, row))) return false;
    for (size_t i = 0; i < row->points_n; i++)
        if (row->points[i]->role[ROLE_LR_CLOCK]) return true;
    return false;
}

static void recovery_add_clock(struct recovery *r, const struct part *part, const struct row *row) {
    size_t n = row->points_n;
    double *drop = memory_new(3 * n, sizeof *drop), *restarted = drop + n, *less = restarted + n;
    struct clock_control k = {.part = part, .row = row, .is_same = true};
    for (size_t i = 0; i < n; i++) {
        const struct point *p = row->points[i];
        drop[i] = log_accuracy(p->twin) - log_accuracy(p->log);
        restarted[i] =
            log_accuracy(p->role[ROLE_LR_CLOCK_TWIN]) - log_accuracy(p->role[ROLE_LR_CLOCK]);
        if (isnan(drop[i]) || isnan(restarted[i])) drop[i] = restarted[i] = NAN;
        if (p->role[ROLE_LR_CLOCK] != p->log || p->role[ROLE_LR_CLOCK_TWIN] != p->twin)
            k.is_same = false;
    }
    stats_differences(drop, restarted, n, less);
    k.drop = stats_t_interval(drop, n, LEVEL);
    k.restarted = stats_t_interval(restarted, n, LEVEL);
    k.accounted = stats_t_interval(less, n, LEVEL);
    free(drop);
    r->clocks = memory_grow(r->clocks, r->clocks_n, sizeof *r->clocks);
    r->clocks[r->clocks_n++] = k;
}

static void recovery_add_clocks(struct recovery *r, const struct census *c,
                                const struct part *part) {
    for (size_t i = 0; i < part->curves_n; i++)
        for (size_t j = 0; j < part->curves[i].rows_n; j++)
            if (row_has_clock(c, &part->curves[i].rows[j]))
                recovery_add_clock(r, part, &part->curves[i].rows[j]);
}

/* ---- remedies of a trial beside each other ---------------------------------------------------- */

/* Accuracy of the remedy b in the seed of each point of a. */
static void align(const struct results *r, const struct remedy *a, const struct remedy *b,
                  double *out) {
    for (size_t i = 0; i < a->row->points_n; i++) {
        out[i] = NAN;
        for (size_t j = 0; j < b->row->points_n; j++)
            if (point_same_seed(r, a->row->points[i], b->row->points[j]))
                out[i] = b->accuracy[ROLE_POINT][j];
    }
}

/* a - b by seed: [a->row->points_n], malloc'ed. */
static double *differences(const struct results *r, const struct remedy *a,
                           const struct remedy *b) {
    double *v = memory_new(a->row->points_n, sizeof *v);
    align(r, a, b, v);
    stats_differences(a->accuracy[ROLE_POINT], v, a->row->points_n, v);
    return v;
}

static bool remedy_ranked(const struct remedy *m) {
    return m->against[AGAINST_TWIN].gain.n >= RANKED_FROM;
}

static void trial_p(struct trial *t) {
    double *p = memory_new(2 * t->remedies_n, sizeof *p), *holm = p + t->remedies_n;
    for (size_t i = 0; i < t->remedies_n; i++) {
        struct remedy *m = &t->remedies[i];
        size_t n = m->row->points_n;
        double *gain = memory_new(2 * n, sizeof *gain);
        remedy_drops(m, AGAINST_TWIN, gain, gain + n);
        stats_differences(gain, gain + n, n, gain);
        p[i] = remedy_ranked(m) ? stats_t_p(gain, n) : NAN;
        free(gain);
    }
    stats_holm(p, t->remedies_n, holm);
    for (size_t i = 0; i < t->remedies_n; i++) {
        t->remedies[i].p = p[i];
        t->remedies[i].p_holm = holm[i];
    }
    free(p);
}

static void trial_ranks(struct trial *t) {
    for (size_t i = 0; i < t->remedies_n; i++) {
        struct remedy *m = &t->remedies[i];
        if (!remedy_ranked(m)) continue;
        t->ranked_n++;
        m->rank = 1;
        for (size_t j = 0; j < t->remedies_n; j++)
            if (remedy_ranked(&t->remedies[j]) &&
                t->remedies[j].against[AGAINST_TWIN].gain.mean > m->against[AGAINST_TWIN].gain.mean)
                m->rank++;
    }
}

/* Each pair of ranked remedies is one test of the family. */
static void trial_differ(struct trial *t, const struct results *r) {
    size_t n = t->remedies_n;
    double *p = memory_new(n * n, sizeof *p);
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < n; j++) {
            const struct remedy *a = &t->remedies[i], *b = &t->remedies[j];
            p[i * n + j] = NAN;
            if (j >= i || !remedy_ranked(a) || !remedy_ranked(b)) continue;
            double *v = differences(r, a, b);
            p[i * n + j] = stats_t_p(v, a->row->points_n);
            free(v);
        }
    t->differ = memory_new(n * n, sizeof *t->differ);
    stats_holm(p, n * n, t->differ);
    for (size_t i = 0; i < n; i++)
        for (size_t j = i + 1; j < n; j++) t->differ[i * n + j] = t->differ[j * n + i];
    free(p);
}

static void trial_timings(struct trial *t, const struct results *r) {
    for (size_t i = 0; i < t->remedies_n; i++)
        for (size_t j = 0; j < t->remedies_n; j++) {
            const struct remedy *a = &t->remedies[i], *b = &t->remedies[j];
            if (a->when != WHEN_DURING || b->when != WHEN_AFTER) continue;
            if (!a->recipe || !b->recipe || strcmp(a->recipe, b->recipe)) continue;
            double *v = differences(r, a, b);
            t->timings = memory_grow(t->timings, t->timings_n, sizeof *t->timings);
            t->timings[t->timings_n++] =
                (struct timing){i, j, stats_t_interval(v, a->row->points_n, LEVEL)};
            free(v);
        }
}

/* ---- all -------------------------------------------------------------------------------------- */

/* Shorter deficits first; the order of parts is kept. */
static void recovery_sort(struct recovery *r) {
    for (size_t i = 1; i < r->trials_n; i++)
        for (size_t j = i; j && r->trials[j - 1].part == r->trials[j].part &&
                           r->trials[j - 1].removal > r->trials[j].removal;
             j--) {
            struct trial t = r->trials[j];
            r->trials[j] = r->trials[j - 1];
            r->trials[j - 1] = t;
        }
}

static bool any_to_compare(const struct results *r) {
    for (size_t i = 0; i < r->points_n; i++) {
        const struct point *p = &r->points[i];
        if (p->role[ROLE_UNSTABILIZED] || p->role[ROLE_LR_CLOCK]) return true;
        if (log_is_stabilized(p->log)) return true;
    }
    return false;
}

static void recovery_fill(struct recovery *r, struct census *c) {
    const struct summary *s = r->summary;
    for (size_t i = 0; i < s->results->points_n; i++)
        c->without[i] = point_unstabilized(s->results, &s->results->points[i]);
    for (size_t i = 0; i < s->parts_n; i++) {
        recovery_add_part(r, c, &s->parts[i]);
        recovery_add_clocks(r, c, &s->parts[i]);
    }
    recovery_sort(r);
    for (size_t i = 0; i < r->trials_n; i++) {
        trial_p(&r->trials[i]);
        trial_ranks(&r->trials[i]);
        trial_differ(&r->trials[i], s->results);
        trial_timings(&r->trials[i], s->results);
    }
}

struct recovery *recovery_create(const struct summary *s) {
    struct recovery *r = memory_new(1, sizeof *r);
    r->summary = s;
    if (!s->results->has_manifest || !any_to_compare(s->results)) return r;
    struct census c = {.results = s->results};
    c.without = memory_new(s->results->points_n, sizeof *c.without);
    c.labels = memory_new(s->results->axes_n, sizeof *c.labels);
    recovery_fill(r, &c);
    free(c.without);
    free(c.labels);
    return r;
}

static void remedy_free(struct remedy *m) {
    for (enum run_role role = ROLE_POINT; role < RUN_ROLES; role++) free(m->accuracy[role]);
    free(m->label);
    free(m->types);
    free(m->recipe);
    free(m->window);
}

void recovery_free(struct recovery *r) {
    if (!r) return;
    for (size_t i = 0; i < r->trials_n; i++) {
        struct trial *t = &r->trials[i];
        for (size_t j = 0; j < t->remedies_n; j++) remedy_free(&t->remedies[j]);
        free(t->remedies);
        free(t->timings);
        free(t->differ);
        free(t->name);
    }
    free(r->trials);
    free(r->clocks);
    free(r);
}
