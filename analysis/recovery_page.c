/* What stabilizers give back, in words and tables: see recovery.h.
 *
 * Each conclusion is a paired interval of the gain, and is said three times: by the clean twin,
 * beyond what the stabilizer does to clean training, and with the rate's clock started again. Where
 * a control gives another answer the sentence says so. Traps: with few seeds an interval that holds
 * 0 shows nothing, neither an effect nor its absence; several remedies give several chances to find
 * one, which only the ranking corrects for; times are those of the machines that trained. */
#include "analysis/recovery.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "analysis/memory.h"
#include "analysis/words.h"

static const double SIGNIFICANT = 0.05;

static struct interval percent(struct interval t) {
    return (struct interval){100 * t.mean, 100 * t.low, 100 * t.high, t.n};
}

/* ---- sentences of a remedy -------------------------------------------------------------------- */

static const char *verdict_words(enum verdict verdict) {
    static const char *const WORDS[] = {
        [VERDICT_UNKNOWN] = "no conclusion",
        [VERDICT_HELPS] = "it helps",
        [VERDICT_HURTS] = "it hurts",
        [VERDICT_NEITHER] = "no difference that the interval supports",
    };
    return WORDS[verdict];
}

/* "recovers 80 % of the drop, 95 % interval [60, 99]; "; one seed has none. */
static char *fraction_words(const struct comparison *c) {
    struct interval f = percent(c->fraction);
    if (c->gain.n < 2) return memory_text("");
    if (isnan(f.mean)) return memory_text("no fraction, as no drop is shown without it; ");
    char *range = words_interval(f, 0);
    char *text =
        f.mean < 0.5
            ? memory_print("recovers nothing of the drop (%.0f %%, 95 %% interval %s); ", f.mean,
                           range)
            : memory_print("recovers %.0f %% of the drop, 95 %% interval %s; ", f.mean, range);
    free(range);
    return text;
}

/* Against clean training the gain compares two runs with the stabilizer: it may come of harm to the
 * clean one. */
static const char *clean_verdict_words(enum verdict verdict) {
    static const char *const WORDS[] = {
        [VERDICT_UNKNOWN] = "no conclusion",
        [VERDICT_HELPS] = "it does more for this run than for a clean one",
        [VERDICT_HURTS] = "it does less for this run than for a clean one",
        [VERDICT_NEITHER] = "no difference from clean runs that the interval supports",
    };
    return WORDS[verdict];
}

/* "gain 24.0, 95 % interval [14.1, 33.9], n = 3: it helps" */
static char *gain_words(const struct comparison *c, bool is_on_clean) {
    if (c->gain.n < 2)
        return memory_print("gain %.1f, and no conclusion from one seed", c->gain.mean);
    char *range = words_interval(c->gain, 1);
    char *text =
        memory_print("gain %.1f, 95 %% interval %s, n = %zu: %s", c->gain.mean, range, c->gain.n,
                     is_on_clean ? clean_verdict_words(comparison_verdict(c))
                                 : verdict_words(comparison_verdict(c)));
    free(range);
    return text;
}

static char *twin_words(const struct comparison *c) {
    char *fraction = fraction_words(c), *gain = gain_words(c, false);
    char *text = memory_print("%sdrop %.1f points with it, %s.", fraction, c->with.mean, gain);
    free(fraction);
    free(gain);
    return text;
}

/* What a control adds, and whether it takes back what the clean twin seemed to show. */
static char *control_words(const struct remedy *m, enum comparison_kind kind, const char *what) {
    const struct comparison *c = &m->against[kind];
    if (!c->gain.n || c->is_same) return memory_text("");
    enum verdict plain = comparison_verdict(&m->against[AGAINST_TWIN]);
    bool is_claim = plain == VERDICT_HELPS || plain == VERDICT_HURTS;
    bool differs = c->gain.n > 1 && is_claim && comparison_verdict(c) != plain;
    char *fraction = fraction_words(c), *gain = gain_words(c, kind == AGAINST_ON_CLEAN);
    char *text = memory_print(" %s: %s%s%s.", what, fraction, gain,
                              differs ? ", so the first conclusion does not stand by itself" : "");
    free(fraction);
    free(gain);
    return text;
}

static char *cost_words(const struct remedy *m) {
    char *text = memory_text("");
    if (m->cost.n) {
        bool gains = m->cost.mean < 0;
        struct interval gain = {-m->cost.mean, -m->cost.high, -m->cost.low, m->cost.n};
        char *range = words_with_interval(gains ? gain : m->cost, 1);
        text = words_join(text, "",
                          memory_print(" On clean data it %s %.1f points%s.",
                                       gains ? "gains" : "costs", fabs(m->cost.mean), range));
        free(range);
    }
    if (!isnan(m->seconds))
        text = words_join(
            text, "", memory_print(" An epoch of its window took %.2f times as long.", m->seconds));
    return text;
}

/* "dropout-early (modality_dropout, during the deficit, epochs [0, 40))" */
static char *remedy_words(const struct remedy *m) {
    const char *when =
        m->when == WHEN_OTHER || m->when == WHEN_UNKNOWN ? "" : remedy_when_name(m->when);
    if (m->when == WHEN_UNKNOWN) return memory_text(m->label);
    return memory_print("%s (%s%s%s%sepochs %s)", m->label,
                        strcmp(m->label, m->types) ? m->types : "",
                        strcmp(m->label, m->types) ? ", " : "", when, *when ? ", " : "", m->window);
}

static void write_remedy(struct page *p, const struct remedy *m) {
    char *name = remedy_words(m);
    if (!m->against[AGAINST_TWIN].gain.n) {
        page_add(p, BLOCK_TEXT,
                 "%s: no seed of which the run, its clean twin and the run without it are done.",
                 name);
        free(name);
        return;
    }
    char *twin = twin_words(&m->against[AGAINST_TWIN]), *cost = cost_words(m);
    char *clean = control_words(m, AGAINST_ON_CLEAN, "Beyond what it does to clean training");
    char *rate = control_words(m, AGAINST_LR_CLOCK, "With the rate started again at removal");
    page_add(p, BLOCK_TEXT, "%s: %s%s%s%s", name, twin, clean, rate, cost);
    free(name);
    free(twin);
    free(cost);
    free(clean);
    free(rate);
}

/* ---- sentences of a trial --------------------------------------------------------------------- */

/* The remedy whose comparison rests on the most seeds. */
static const struct remedy *fullest(const struct trial *t, enum comparison_kind kind) {
    const struct remedy *most = &t->remedies[0];
    for (size_t i = 1; i < t->remedies_n; i++)
        if (t->remedies[i].against[kind].gain.n > most->against[kind].gain.n)
            most = &t->remedies[i];
    return most;
}

static char *clock_words(const struct trial *t) {
    const struct remedy *m = fullest(t, AGAINST_LR_CLOCK);
    const struct comparison *c = &m->against[AGAINST_LR_CLOCK];
    if (!c->gain.n) return memory_text("");
    if (c->is_same)
        return memory_text(" Starting the rate again at removal changes none of its epochs here: "
                           "the learning-rate clock explains nothing of it.");
    char *drop = words_with_interval(c->without, 1),
         *less = words_with_interval(m->clock_without, 1);
    char *text = memory_print(
        " With the rate started again at removal it is %.1f points%s: the learning-rate clock "
        "accounts for %.1f points%s.",
        c->without.mean, drop, m->clock_without.mean, less);
    free(drop);
    free(less);
    return text;
}

static void write_timings(struct page *p, const struct trial *t) {
    for (size_t i = 0; i < t->timings_n; i++) {
        struct interval d = t->timings[i].difference;
        if (!d.n) continue;
        char *range = words_with_interval(d, 1);
        const char *verdict = isnan(d.low) ? "one seed allows no conclusion"
                              : d.low > 0  ? "during the deficit is better"
                              : d.high < 0 ? "after removal is better"
                                           : "no difference that the interval supports";
        page_add(p, BLOCK_TEXT,
                 "%s: early or late? %s (during the deficit) - %s (after removal) = %.1f points%s, "
                 "n = %zu: %s.",
                 t->remedies[t->timings[i].early].types, t->remedies[t->timings[i].early].label,
                 t->remedies[t->timings[i].late].label, d.mean, range, d.n, verdict);
        free(range);
    }
}

/* Ranks of the remedies that are told from number i, "2 3"; "-" when from none. */
static char *told_from(const struct trial *t, size_t i) {
    char *list = memory_text("");
    for (size_t rank = 1; rank <= t->ranked_n; rank++)
        for (size_t j = 0; j < t->remedies_n; j++)
            if (t->remedies[j].rank == rank && t->differ[i * t->remedies_n + j] < SIGNIFICANT)
                list = words_join(list, " ", memory_print("%zu", rank));
    return *list ? list : words_join(list, "", memory_text("-"));
}

static void rank_row(struct grid *g, const struct trial *t, size_t i) {
    const struct remedy *m = &t->remedies[i];
    struct interval gain = m->against[AGAINST_TWIN].gain;
    char *others = told_from(t, i);
    size_t at = grid_add_row(g);
    grid_set(g, at, 0, "%zu", m->rank);
    grid_set(g, at, 1, "%s", m->label);
    grid_set(g, at, 2, "%zu", gain.n);
    words_cell(g, at, 3, gain.mean, 1);
    words_cell_interval(g, at, 4, gain, 1);
    grid_set(g, at, 5, "%.2g", m->p);
    grid_set(g, at, 6, "%.2g", m->p_holm);
    grid_set(g, at, 7, "%s", others);
    free(others);
}

static void write_ranking(struct page *p, const struct trial *t) {
    static const char *const TITLE[] = {"rank",      "stabilizer",      "n",
                                        "gain",      "95 %\ninterval",  "\np",
                                        "p\n(Holm)", "told from\nranks"};
    if (t->remedies_n < 2) return;
    if (t->ranked_n < 2) {
        page_add(p, BLOCK_TEXT, "%s: too few seeds to rank the stabilizers (n = %zu, %d needed).",
                 t->name, fullest(t, AGAINST_TWIN)->against[AGAINST_TWIN].gain.n, RANKED_FROM);
        return;
    }
    page_add(p, BLOCK_TEXT,
             "%s: ranked by mean gain. p: of no gain, paired t; Holm corrects it for the %zu that "
             "are ranked. Two are told from each other where Holm's p over all pairs is below "
             "%.2f.",
             t->name, t->ranked_n, SIGNIFICANT);
    struct grid *g = grid_create(8);
    grid_add_row(g);
    for (size_t i = 0; i < 8; i++) grid_set(g, 0, i, "%s", TITLE[i]);
    g->left[1] = true;
    for (size_t rank = 1; rank <= t->ranked_n; rank++)
        for (size_t i = 0; i < t->remedies_n; i++)
            if (t->remedies[i].rank == rank) rank_row(g, t, i);
    page_add_grid(p, g);
}

static void write_trial(struct page *p, const struct trial *t) {
    const struct remedy *m = fullest(t, AGAINST_TWIN);
    struct interval drop = m->against[AGAINST_TWIN].without;
    if (drop.n) {
        char *range = words_with_interval(drop, 1), *rate = clock_words(t);
        page_add(p, BLOCK_HEADLINE,
                 "%s: without a stabilizer the drop is %.1f points%s, n = %zu.%s", t->name,
                 drop.mean, range, drop.n, rate);
        free(range);
        free(rate);
    } else
        page_add(p, BLOCK_HEADLINE, "%s: no drop is known yet.", t->name);
    for (size_t i = 0; i < t->remedies_n; i++) write_remedy(p, &t->remedies[i]);
    write_timings(p, t);
    write_ranking(p, t);
}

/* ---- tables ----------------------------------------------------------------------------------- */

enum {
    MAIN_TRIAL,
    MAIN_LABEL,
    MAIN_WHEN,
    MAIN_EPOCHS,
    MAIN_N,
    MAIN_FRACTION,
    MAIN_FRACTION_INTERVAL,
    MAIN_VERDICT,
    MAIN_GAIN,
    MAIN_GAIN_INTERVAL,
    MAIN_WITHOUT,
    MAIN_WITHOUT_INTERVAL,
    MAIN_WITH,
    MAIN_WITH_INTERVAL,
    MAIN_ACCURACY_WITHOUT,
    MAIN_ACCURACY_WITH,
    MAIN_COLUMNS
};

static const char *const MAIN_TITLE[MAIN_COLUMNS] = {
    [MAIN_TRIAL] = "deficit",
    [MAIN_LABEL] = "stabilizer",
    [MAIN_WHEN] = "window",
    [MAIN_EPOCHS] = "epochs",
    [MAIN_N] = "n",
    [MAIN_ACCURACY_WITHOUT] = "accuracy %\nwithout",
    [MAIN_ACCURACY_WITH] = "\nwith",
    [MAIN_WITHOUT] = "drop\nwithout",
    [MAIN_WITHOUT_INTERVAL] = "95 %\ninterval",
    [MAIN_WITH] = "drop\nwith",
    [MAIN_WITH_INTERVAL] = "95 %\ninterval",
    [MAIN_GAIN] = "\ngain",
    [MAIN_GAIN_INTERVAL] = "95 %\ninterval",
    [MAIN_FRACTION] = "recovered\n%",
    [MAIN_FRACTION_INTERVAL] = "95 %\ninterval",
    [MAIN_VERDICT] = "\nconclusion",
};

static const char *verdict_cell(const struct comparison *c, bool is_on_clean) {
    static const char *const WORD[] = {[VERDICT_UNKNOWN] = "-",
                                       [VERDICT_HELPS] = "helps",
                                       [VERDICT_HURTS] = "hurts",
                                       [VERDICT_NEITHER] = "none shown"};
    static const char *const ON_CLEAN[] = {[VERDICT_UNKNOWN] = "-",
                                           [VERDICT_HELPS] = "does more",
                                           [VERDICT_HURTS] = "does less",
                                           [VERDICT_NEITHER] = "none shown"};
    return (is_on_clean ? ON_CLEAN : WORD)[comparison_verdict(c)];
}

static void main_row(struct grid *g, const struct trial *t, const struct remedy *m) {
    const struct comparison *c = &m->against[AGAINST_TWIN];
    size_t at = grid_add_row(g);
    grid_set(g, at, MAIN_TRIAL, "%s", t->name);
    grid_set(g, at, MAIN_LABEL, "%s", m->label);
    grid_set(g, at, MAIN_WHEN, "%s", remedy_when_name(m->when));
    grid_set(g, at, MAIN_EPOCHS, "%s", m->window);
    grid_set(g, at, MAIN_N, "%zu", c->gain.n);
    words_cell(g, at, MAIN_ACCURACY_WITHOUT, m->accuracy_without.mean, 1);
    words_cell(g, at, MAIN_ACCURACY_WITH, m->accuracy_with.mean, 1);
    words_cell(g, at, MAIN_WITHOUT, c->without.mean, 1);
    words_cell_interval(g, at, MAIN_WITHOUT_INTERVAL, c->without, 1);
    words_cell(g, at, MAIN_WITH, c->with.mean, 1);
    words_cell_interval(g, at, MAIN_WITH_INTERVAL, c->with, 1);
    words_cell(g, at, MAIN_GAIN, c->gain.mean, 1);
    words_cell_interval(g, at, MAIN_GAIN_INTERVAL, c->gain, 1);
    words_cell(g, at, MAIN_FRACTION, 100 * c->fraction.mean, 0);
    words_cell_interval(g, at, MAIN_FRACTION_INTERVAL, percent(c->fraction), 0);
    grid_set(g, at, MAIN_VERDICT, "%s", verdict_cell(c, false));
}

enum {
    SIDE_TRIAL,
    SIDE_LABEL,
    SIDE_COST,
    SIDE_COST_INTERVAL,
    SIDE_SECONDS,
    SIDE_CONTROLS, /* of each of the two controls: */
    SIDE_GAIN = 0,
    SIDE_GAIN_INTERVAL,
    SIDE_FRACTION,
    SIDE_FRACTION_INTERVAL,
    SIDE_VERDICT,
    SIDE_EACH,
    SIDE_COLUMNS = SIDE_CONTROLS + 2 * SIDE_EACH
};

static const char *const SIDE_TITLE[SIDE_COLUMNS] = {
    "deficit",           "stabilizer",         "clean\ncost",          "95 %\ninterval",
    "time of\nan epoch", "beyond clean\ngain", "95 %\ninterval",       "recovered\n%",
    "95 %\ninterval",    "\nconclusion",       "rate restarted\ngain", "95 %\ninterval",
    "recovered\n%",      "95 %\ninterval",     "\nconclusion"};

static void side_control(struct grid *g, size_t at, size_t first, const struct remedy *m,
                         enum comparison_kind kind) {
    const struct comparison *c = &m->against[kind];
    if (c->is_same && c->gain.n) {
        grid_set(g, at, first + SIDE_VERDICT, "same runs");
        return;
    }
    words_cell(g, at, first + SIDE_GAIN, c->gain.mean, 1);
    words_cell_interval(g, at, first + SIDE_GAIN_INTERVAL, c->gain, 1);
    words_cell(g, at, first + SIDE_FRACTION, 100 * c->fraction.mean, 0);
    words_cell_interval(g, at, first + SIDE_FRACTION_INTERVAL, percent(c->fraction), 0);
    grid_set(g, at, first + SIDE_VERDICT, "%s", verdict_cell(c, kind == AGAINST_ON_CLEAN));
}

static void side_row(struct grid *g, const struct trial *t, const struct remedy *m) {
    size_t at = grid_add_row(g);
    grid_set(g, at, SIDE_TRIAL, "%s", t->name);
    grid_set(g, at, SIDE_LABEL, "%s", m->label);
    words_cell(g, at, SIDE_COST, m->cost.mean, 1);
    words_cell_interval(g, at, SIDE_COST_INTERVAL, m->cost, 1);
    if (!isnan(m->seconds)) grid_set(g, at, SIDE_SECONDS, "x %.2f", m->seconds);
    side_control(g, at, SIDE_CONTROLS, m, AGAINST_ON_CLEAN);
    side_control(g, at, SIDE_CONTROLS + SIDE_EACH, m, AGAINST_LR_CLOCK);
}

static struct grid *new_grid(size_t columns, const char *const *title, size_t left) {
    struct grid *g = grid_create(columns);
    grid_add_row(g);
    for (size_t i = 0; i < columns; i++) grid_set(g, 0, i, "%s", title[i]);
    for (size_t i = 0; i < left; i++) g->left[i] = true;
    return g;
}

static void write_tables(struct page *p, const struct recovery *r) {
    struct grid *rows = new_grid(MAIN_COLUMNS, MAIN_TITLE, MAIN_N);
    struct grid *sides = new_grid(SIDE_COLUMNS, SIDE_TITLE, SIDE_COST);
    for (size_t i = 0; i < r->trials_n; i++)
        for (size_t j = 0; j < r->trials[i].remedies_n; j++) {
            main_row(rows, &r->trials[i], &r->trials[i].remedies[j]);
            side_row(sides, &r->trials[i], &r->trials[i].remedies[j]);
        }
    page_add_grid(p, rows);
    page_add_grid(p, sides);
}

/* ---- the section ------------------------------------------------------------------------------ */

static bool any_control(const struct recovery *r, enum comparison_kind kind) {
    for (size_t i = 0; i < r->trials_n; i++)
        for (size_t j = 0; j < r->trials[i].remedies_n; j++)
            if (r->trials[i].remedies[j].against[kind].gain.n) return true;
    return false;
}

static bool any_seconds(const struct recovery *r) {
    for (size_t i = 0; i < r->trials_n; i++)
        for (size_t j = 0; j < r->trials[i].remedies_n; j++)
            if (!isnan(r->trials[i].remedies[j].seconds)) return true;
    return false;
}

static void write_notes(struct page *p, const struct recovery *r) {
    if (!any_control(r, AGAINST_ON_CLEAN))
        page_add(
            p, BLOCK_TEXT,
            "No run shows what the stabilizers do to clean training: a gain may be nothing but "
            "better training. `sweep.controls: [stabilizer_on_clean]` adds those runs.");
    if (!any_control(r, AGAINST_LR_CLOCK))
        page_add(
            p, BLOCK_TEXT,
            "No run has the rate started again at removal: drops and gains may be those of the "
            "learning-rate clock. `sweep.controls: [lr_clock]` adds those runs.");
    if (any_seconds(r))
        page_add(p, BLOCK_TEXT,
                 "Times are ratios of medians over the same epochs with and without the "
                 "stabilizer, as the machines that trained them measured with whatever else they "
                 "did; no other number here depends on them.");
    page_add(p, BLOCK_TEXT,
             "These intervals are not corrected for the number of stabilizers tried; a ranking's p "
             "is.");
}

static void write_recovery(struct page *p, const struct recovery *r) {
    page_add(p, BLOCK_HEADING, "recovery");
    page_add(
        p, BLOCK_TEXT,
        "Recovery = (drop without - drop with the stabilizer) / drop without, of means over "
        "the same seeds, with Fieller's 95 %% interval; gain = that numerator, in points. It is "
        "given only where the interval of the drop without lies above 0.");
    for (size_t i = 0; i < r->trials_n; i++) write_trial(p, &r->trials[i]);
    write_notes(p, r);
    write_tables(p, r);
}

/* ---- the learning rate's clock ---------------------------------------------------------------- */

static void clock_row(struct grid *g, const struct recovery *r, const struct clock_control *k) {
    char *name = row_name(r->summary, k->part, k->row);
    size_t at = grid_add_row(g);
    grid_set(g, at, 0, "%s", k->part->name);
    grid_set(g, at, 1, "%s", name);
    grid_set(g, at, 2, "%zu", k->drop.n);
    words_cell(g, at, 3, k->drop.mean, 1);
    words_cell_interval(g, at, 4, k->drop, 1);
    words_cell(g, at, 5, k->restarted.mean, 1);
    words_cell_interval(g, at, 6, k->restarted, 1);
    words_cell(g, at, 7, k->accounted.mean, 1);
    words_cell_interval(g, at, 8, k->accounted, 1);
    free(name);
}

static void write_clocks(struct page *p, const struct recovery *r) {
    static const char *const TITLE[] = {"part",           "level",          "n",
                                        "\ndrop",         "95 %\ninterval", "drop, rate\nrestarted",
                                        "95 %\ninterval", "by the\nclock",  "95 %\ninterval"};
    bool all_same = true;
    for (size_t i = 0; i < r->clocks_n; i++) all_same &= r->clocks[i].is_same;
    page_add(p, BLOCK_HEADING, "learning-rate clock");
    if (all_same) {
        page_add(p, BLOCK_TEXT,
                 "Starting the rate again at removal changes none of these runs: the learning-rate "
                 "clock explains nothing of their drops.");
        return;
    }
    page_add(p, BLOCK_TEXT,
             "The drop of each level without a stabilizer, and that of the same runs with the "
             "learning rate's schedule started again at removal, each against its own clean twin. "
             "The difference, paired by seed, is what the clock of the rate accounts for.");
    struct grid *g = new_grid(9, TITLE, 2);
    for (size_t i = 0; i < r->clocks_n; i++) clock_row(g, r, &r->clocks[i]);
    page_add_grid(p, g);
}

void recovery_write(struct page *p, const struct recovery *r) {
    if (r->trials_n) write_recovery(p, r);
    if (r->clocks_n) write_clocks(p, r);
}

/* ---- recovery.tsv ----------------------------------------------------------------------------- */

static void save_comparison(FILE *out, const struct comparison *c) {
    fprintf(out, "\t%zu", c->gain.n);
    words_save_interval(out, c->without);
    words_save_interval(out, c->with);
    words_save_interval(out, c->gain);
    words_save_interval(out, c->fraction);
}

static void save_remedy(FILE *out, const struct trial *t, const struct remedy *m) {
    fprintf(out, "%s\t%s\t%s\t%s\t%s\t%s\t%ld\t%ld", t->part->name, t->name, m->label, m->types,
            remedy_when_name(m->when), m->window, (long)t->onset, (long)t->removal);
    words_save_interval(out, m->accuracy_without);
    words_save_interval(out, m->accuracy_with);
    for (size_t k = 0; k < COMPARISONS; k++) save_comparison(out, &m->against[k]);
    fprintf(out, "\t%zu", m->cost.n);
    words_save_interval(out, m->cost);
    words_save_interval(out, m->clock_without);
    words_save_interval(out, m->clock_with);
    words_save(out, m->seconds);
    words_save(out, m->p);
    words_save(out, m->p_holm);
    fputc('\n', out);
}

static void save_header(FILE *out) {
    static const char *const PREFIX[COMPARISONS] = {"", "on_clean_", "lr_clock_"};
    static const char *const INTERVALS[] = {"drop_without", "drop_with", "gain", "fraction"};
    fputs("# imprint recovery 1\npart\tdeficit\tstabilizer\ttypes\twindow\tepochs\tonset\tremoval\t"
          "accuracy_without\taccuracy_without_low\taccuracy_without_high\taccuracy_with\t"
          "accuracy_with_low\taccuracy_with_high",
          out);
    for (size_t k = 0; k < COMPARISONS; k++) {
        fprintf(out, "\t%sn", PREFIX[k]);
        for (size_t i = 0; i < 4; i++)
            fprintf(out, "\t%s%s\t%s%s_low\t%s%s_high", PREFIX[k], INTERVALS[i], PREFIX[k],
                    INTERVALS[i], PREFIX[k], INTERVALS[i]);
    }
    fputs("\tcost_n\tcost\tcost_low\tcost_high\tclock_without\tclock_without_low\t"
          "clock_without_high\tclock_with\tclock_with_low\tclock_with_high\tseconds_ratio\tp\t"
          "p_holm\n",
          out);
}

int recovery_save(const struct recovery *r, const char *path, struct error *e) {
    if (!r->trials_n) {
        unlink(path);
        return STATUS_OK;
    }
    FILE *out = fopen(path, "w");
    if (!out) return error_set(e, STATUS_FAILED, "%s: cannot write it: %s", path, strerror(errno));
    save_header(out);
    for (size_t i = 0; i < r->trials_n; i++)
        for (size_t j = 0; j < r->trials[i].remedies_n; j++)
            save_remedy(out, &r->trials[i], &r->trials[i].remedies[j]);
    bool failed = ferror(out) != 0;
    if (fclose(out) || failed)
        return error_set(e, STATUS_FAILED, "%s: cannot write it whole; is the disk full?", path);
    return STATUS_OK;
}
