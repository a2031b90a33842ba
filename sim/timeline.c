/* Resolving a config into what is in force per epoch, and hashing that: see timeline.h.
 *
 * Keys form a chain, key[e+1] = H(key[e], in force in epoch e), so runs that agree on every epoch
 * before e agree on key[e] whatever follows. The traps: a setting that is switched off must hash
 * like its absence (severity 0, blur by factor 1, an empty window); what is derived from a window
 * (the removal clock, the reset of momentum) must enter as its effect in each epoch, never as the
 * window itself, or runs that share a trunk would not find each other. */
#include "sim/timeline.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/target.h"

/* Longest run: the arrays of one timeline stay below 64 MiB. */
enum { EPOCHS_MAX = 1000000 };

/* A bound of a deficit's own window. `onset` is the deficit's own `from`; `removal` and, under
 * after_removal, `end` would refer to themselves. */
static int bound_of(struct epoch_bound b, int64_t own_from, int64_t total, size_t i,
                    const char *which, int64_t *epoch, struct error *e) {
    static const char *const names[] = {"", "onset", "removal", "end"};
    bool known = b.anchor == EPOCH_ABSOLUTE || (b.anchor == EPOCH_ONSET && own_from >= 0) ||
                 (b.anchor == EPOCH_END && total >= 0);
    if (!known)
        return error_set(e, STATUS_USAGE,
                         "deficits[%zu].%s: '%s' would depend on this window itself; write a "
                         "number%s",
                         i, which, names[b.anchor],
                         b.anchor == EPOCH_END ? " or give train.epochs.total" : "");
    int64_t anchor = b.anchor == EPOCH_ONSET ? own_from : b.anchor == EPOCH_END ? total : 0;
    *epoch = anchor + b.offset;
    if (*epoch < 0)
        return error_set(e, STATUS_USAGE, "deficits[%zu].%s: resolves to epoch %lld, before 0", i,
                         which, (long long)*epoch);
    return STATUS_OK;
}

static int window_resolve(struct window *w, const struct settings *s, size_t i, int64_t total,
                          struct error *e) {
    int status = bound_of(settings_epoch(s, "from"), -1, total, i, "from", &w->from, e);
    if (!status)
        status = bound_of(settings_epoch(s, "until"), w->from, total, i, "until", &w->until, e);
    if (status) return status;
    if (w->until < w->from)
        return error_set(e, STATUS_USAGE,
                         "deficits[%zu]: its window ends (until: %lld) before it begins (from: "
                         "%lld)",
                         i, (long long)w->until, (long long)w->from);
    if (total >= 0 && w->until > total && w->until > w->from)
        return error_set(e, STATUS_USAGE,
                         "deficits[%zu].until: epoch %lld lies after the last one (%lld); write "
                         "'end' for a deficit that is never removed",
                         i, (long long)w->until, (long long)total);
    return STATUS_OK;
}

/* A bound of a stabilizer's window: all three anchors are the deficits', resolved already. */
static int64_t epoch_within(const struct timeline *t, struct epoch_bound b) {
    const int64_t anchors[] = {[EPOCH_ABSOLUTE] = 0,
                               [EPOCH_ONSET] = t->onset,
                               [EPOCH_REMOVAL] = t->removal,
                               [EPOCH_END] = t->total};
    return anchors[b.anchor] + b.offset;
}

static int64_t epoch_cut(const struct timeline *t, int64_t epoch) {
    return epoch < 0 ? 0 : epoch > t->total ? t->total : epoch;
}

/* One that is to last to the end is off in a run that ends before it begins. */
static int stabilizer_window(struct timeline *t, const struct settings *s, size_t i,
                             struct error *e) {
    struct epoch_bound end = settings_epoch(s, "until");
    int64_t from = epoch_within(t, settings_epoch(s, "from")), until = epoch_within(t, end);
    bool to_end = end.anchor == EPOCH_END && end.offset >= 0;
    if (until < from && !to_end)
        return error_set(e, STATUS_USAGE,
                         "stabilizers[%zu]: its window ends (until: %lld) before it begins (from: "
                         "%lld)",
                         i, (long long)until, (long long)from);
    t->stabilizers[i] = (struct window){epoch_cut(t, from), epoch_cut(t, until)};
    return STATUS_OK;
}

static int windows_resolve(struct timeline *t, const struct config *c, struct error *e) {
    bool fixed = settings_is_set(&c->epochs, "total");
    int64_t total = fixed ? settings_int(&c->epochs, "total") : -1, onset = INT64_MAX;
    t->removal = 0;
    for (size_t i = 0; i < c->deficits_n; i++) {
        struct window *w = &t->deficits[i];
        int status = window_resolve(w, &c->deficits[i], i, total, e);
        if (status) return status;
        if (w->from == w->until) continue;
        if (w->from < onset) onset = w->from;
        if (w->until > t->removal) t->removal = w->until;
    }
    t->onset = onset == INT64_MAX ? 0 : onset;
    t->total = fixed ? total : t->removal + settings_int(&c->epochs, "after_removal");
    if (t->total > EPOCHS_MAX)
        return error_set(e, STATUS_USAGE,
                         "train.epochs: the run would have %lld epochs; the most "
                         "is %d",
                         (long long)t->total, EPOCHS_MAX);
    int status = STATUS_OK;
    for (size_t i = 0; i < c->stabilizers_n && !status; i++)
        status = stabilizer_window(t, &c->stabilizers[i], i, e);
    return status;
}

/* The schedule's clock. `run` counts from epoch 0; `removal` runs from 0 and starts again at the
 * removal. Its span is then the clean budget in both phases, so that the deficit phase does not
 * depend on when it will end. */
struct clock {
    bool restarts;
    int64_t span;
};

static struct clock clock_of(const struct timeline *t, const struct config *c) {
    bool restarts = settings_is(&c->lr, "clock", "removal");
    return (struct clock){restarts, restarts ? t->total - t->removal : t->total};
}

static double rate_at(const struct config *c, int64_t at, int64_t span) {
    const struct settings *lr = &c->lr;
    int64_t warmup = settings_int(lr, "warmup");
    double warm = at < warmup ? (double)(at + 1) / (double)warmup : 1.0;
    return settings_real(lr, "base") * warm * c->schedule->factor(lr, at, span);
}

/* What the stabilizers make of an epoch's rate, one after the other. */
static double rate_stabilized(const struct timeline *t, const struct config *c, int64_t epoch,
                              int64_t span, double rate) {
    for (size_t i = 0; i < c->stabilizers_n; i++) {
        const struct stabilizer *type = c->stabilizer_types[i];
        if (!type->rate) continue;
        double strength = timeline_strength(t, c, i, epoch);
        if (strength == 0.0) continue;
        double restarted = rate_at(c, epoch - t->stabilizers[i].from, span);
        rate = type->rate(&c->stabilizers[i], strength, rate, restarted);
    }
    return rate;
}

static void rates_resolve(struct timeline *t, const struct config *c) {
    struct clock clock = clock_of(t, c);
    for (int64_t epoch = 0; epoch < t->total; epoch++) {
        bool again = clock.restarts && epoch >= t->removal;
        double rate = rate_at(c, again ? epoch - t->removal : epoch, clock.span);
        t->rate[epoch] = rate_stabilized(t, c, epoch, clock.span, rate);
    }
}

int timeline_resolve(struct timeline *t, const struct config *c, struct error *e) {
    *t = (struct timeline){0};
    int status = windows_resolve(t, c, e);
    if (status) return status;
    t->rate = calloc((size_t)t->total + 1, sizeof *t->rate);
    t->key = calloc((size_t)t->total + 1, sizeof *t->key);
    if (!t->rate || !t->key) {
        timeline_free(t);
        return error_set(e, STATUS_FAILED, "out of memory for %lld epochs", (long long)t->total);
    }
    rates_resolve(t, c);
    return STATUS_OK;
}

void timeline_free(struct timeline *t) {
    free(t->rate);
    free(t->key);
    *t = (struct timeline){0};
}

/* Trapezoid: rises over the first `ramp` epochs of the window, falls over the last. */
double timeline_severity(const struct timeline *t, const struct config *c, size_t i,
                         int64_t epoch) {
    const struct settings *s = &c->deficits[i];
    const struct window *w = &t->deficits[i];
    if (epoch < w->from || epoch >= w->until) return 0.0;
    const struct deficit *type = c->deficit_types[i];
    if (type->is_identity && type->is_identity(s)) return 0.0;
    double steps = (double)settings_int(s, "ramp") + 1.0;
    double rise = (double)(epoch - w->from + 1) / steps, fall = (double)(w->until - epoch) / steps;
    return settings_real(s, "severity") * fmin(1.0, fmin(rise, fall));
}

double timeline_strength(const struct timeline *t, const struct config *c, size_t i,
                         int64_t epoch) {
    const struct settings *s = &c->stabilizers[i];
    const struct window *w = &t->stabilizers[i];
    const struct stabilizer *type = c->stabilizer_types[i];
    if (epoch < w->from || epoch >= w->until) return 0.0;
    if (type->is_identity && type->is_identity(s)) return 0.0;
    if (type->acts && !type->acts(s, epoch - w->from)) return 0.0;
    return settings_real(s, "strength");
}

double timeline_probe_severity(const struct config *c, size_t i) {
    const struct deficit *type = c->deficit_types[i];
    bool identity = type->is_identity && type->is_identity(&c->deficits[i]);
    bool other = settings_is_set(&c->fisher, "deficit_probes") &&
                 !settings_is(&c->fisher, "deficit_probes", type->name);
    if (identity || other || !deficit_of_examples(type)) return 0.0;
    return settings_real(&c->deficits[i], "severity");
}

bool timeline_resets_momentum(const struct timeline *t, const struct config *c, int64_t epoch) {
    const struct optimizer *o = c->optimizer_type;
    return epoch == t->removal && t->removal > 0 &&
           settings_is(&c->at_removal, "momentum", "reset") &&
           (!o->remembers || o->remembers(&c->optimizer));
}

int64_t timeline_measures_every(const struct config *c) {
    int64_t a = settings_int(&c->eval, "every"), b = settings_int(&c->eval, "measures_every");
    int64_t product = a * b;
    while (b) { /* Euclid: the least common multiple */
        int64_t rest = a % b;
        a = b;
        b = rest;
    }
    return product / a;
}

double timeline_rate_at_removal(const struct timeline *t) {
    return t->removal < t->total ? t->rate[t->removal] : NAN;
}

/* ---- keys ------------------------------------------------------------------------------------ */

/* Digests of the deficits and stabilizers as what they do, each made once for all epochs. */
struct effects {
    char deficit[CONFIG_DEFICITS][HASH_TEXT];
    char stabilizer[CONFIG_STABILIZERS][HASH_TEXT];
};

static bool is_effect(const struct config *c, size_t i, const struct param *p) {
    static const char *const windowing[] = {"from", "until", "ramp", "severity"};
    for (size_t w = 0; w < sizeof windowing / sizeof *windowing; w++)
        if (!strcmp(p->name, windowing[w])) return false;
    const struct deficit *type = c->deficit_types[i];
    return !p->outside_key && (!type->uses || type->uses(&c->deficits[i], p->name));
}

/* Window, ramp and severity are left out: they enter as each epoch's effective value. The modality
 * enters as the one that is meant, named or not. */
static void hash_effect(struct hash *h, const struct config *c, const struct dataset *d, size_t i) {
    const struct settings *s = &c->deficits[i];
    for (size_t k = 0; k < s->n; k++) {
        const struct param *p = s->values[k].param;
        if (!is_effect(c, i, p)) continue;
        hash_text(h, p->name);
        if (!strcmp(p->name, "modality"))
            hash_text(h, deficit_modality_name(c, d, i));
        else
            hash_text(h, s->values[k].is_set ? s->values[k].text : NULL);
    }
    hash_int(h, (int64_t)c->data_seed);
}

static void effects_digest(struct effects *all, const struct config *c, const struct dataset *d,
                           struct hash *h) {
    for (size_t i = 0; i < c->deficits_n; i++) {
        hash_restart(h);
        hash_effect(h, c, d, i);
        hash_digest(h, all->deficit[i]);
    }
}

static bool is_stabilizer_effect(const struct config *c, size_t i, const struct param *p) {
    static const char *const windowing[] = {"from", "until", "strength"};
    for (size_t w = 0; w < sizeof windowing / sizeof *windowing; w++)
        if (!strcmp(p->name, windowing[w])) return false;
    const struct stabilizer *type = c->stabilizer_types[i];
    return !p->outside_key && (!type->uses || type->uses(&c->stabilizers[i], p->name));
}

/* Its randomness is of train.seed and net.seed, which every key has. */
static void stabilizers_digest(struct effects *all, const struct config *c, struct hash *h) {
    for (size_t i = 0; i < c->stabilizers_n; i++) {
        const struct settings *s = &c->stabilizers[i];
        hash_restart(h);
        for (size_t k = 0; k < s->n; k++) {
            const struct setting *v = &s->values[k];
            if (!is_stabilizer_effect(c, i, v->param)) continue;
            hash_text(h, v->param->name);
            hash_text(h, v->is_set ? v->text : NULL);
        }
        hash_digest(h, all->stabilizer[i]);
    }
}

/* One that sets the rate and does nothing else is in the key as the rate. */
static bool acts_on_training(const struct stabilizer *type) {
    return type->epoch_start || type->batch || type->loss || type->gradients || type->parameters ||
           type->epoch_end;
}

/* An incomplete last batch is dropped only where there is one, and a whole one beside it. */
static bool drops_batch(const struct config *c, const struct dataset *d) {
    size_t batch = (size_t)settings_int(&c->train, "batch");
    return settings_bool(&c->train, "drop_last") && d->train.n > batch && d->train.n % batch != 0;
}

/* Keys that came later enter where they differ from what was always so: older keys stay. */
static void hash_newer(struct hash *h, const struct config *c) {
    if (strcmp(c->loss_type->name, "cross_entropy") != 0) {
        hash_text(h, "loss");
        settings_hash(&c->loss, h);
    }
    if (settings_int(&c->train, "passes") == 1) return;
    hash_text(h, "passes");
    hash_int(h, settings_int(&c->train, "passes"));
}

static void hash_start(struct hash *h, const struct config *c, const struct dataset *d) {
    hash_restart(h);
    hash_text(h, "imprint state 2");
    hash_text(h, d->train_digest);
    hash_text(h, c->arch->name);
    settings_hash(&c->net, h);
    hash_int(h, (int64_t)c->net_seed);
    hash_int(h, (int64_t)c->train_seed);
    hash_int(h, settings_int(&c->train, "batch"));
    hash_int(h, drops_batch(c, d));
    settings_hash(&c->augment, h);
    settings_hash(&c->optimizer, h);
    hash_newer(h, c);
}

static void hash_epoch(struct hash *h, const struct timeline *t, const struct config *c,
                       const struct effects *all, int64_t epoch) {
    hash_restart(h);
    hash_text(h, t->key[epoch]);
    hash_real(h, t->rate[epoch]);
    hash_int(h, timeline_resets_momentum(t, c, epoch));
    for (size_t i = 0; i < c->deficits_n; i++) {
        double severity = timeline_severity(t, c, i, epoch);
        if (severity == 0.0) continue;
        hash_real(h, severity);
        hash_text(h, all->deficit[i]);
    }
    for (size_t i = 0; i < c->stabilizers_n; i++) {
        double strength = timeline_strength(t, c, i, epoch);
        if (strength == 0.0 || !acts_on_training(c->stabilizer_types[i])) continue;
        hash_text(h, "stabilizer");
        hash_real(h, strength);
        hash_int(h, epoch - t->stabilizers[i].from); /* hooks are told */
        hash_text(h, all->stabilizer[i]);
    }
}

/* What is measured: evaluation, Fisher, probes, and the deficits that the deficit probes and
 * test_deficit_* see, whatever their windows (so a twin measures what its partner measures). */
static void hash_measures(struct hash *h, const struct config *c, const struct dataset *d,
                          const struct effects *all) {
    hash_restart(h);
    hash_text(h, "imprint rows 2");
    hash_text(h, d->digest);
    hash_int(h, (int64_t)c->data_seed); /* draws the probes */
    settings_hash(&c->eval, h);
    settings_hash(&c->fisher, h);
    size_t n;
    const char *const *names = settings_texts(&c->top, "measures", &n);
    for (size_t i = 0; i < n; i++) hash_text(h, names[i]);
    if (n && timeline_measures_every(c) != settings_int(&c->eval, "every"))
        hash_int(h, timeline_measures_every(c));
    for (size_t i = 0; i < c->deficits_n; i++) {
        double severity = timeline_probe_severity(c, i);
        if (severity == 0.0) continue;
        hash_real(h, severity);
        hash_text(h, all->deficit[i]);
    }
}

int timeline_create(struct timeline *t, const struct config *c, const struct dataset *d,
                    struct error *e) {
    struct effects all;
    int status = timeline_resolve(t, c, e);
    if (status) return status;
    struct hash *h = hash_create();
    effects_digest(&all, c, d, h);
    stabilizers_digest(&all, c, h);
    hash_start(h, c, d);
    hash_digest(h, t->key[0]);
    for (int64_t epoch = 0; epoch < t->total; epoch++) {
        hash_epoch(h, t, c, &all, epoch);
        hash_digest(h, t->key[epoch + 1]);
    }
    hash_measures(h, c, d, &all);
    hash_digest(h, t->measures);
    hash_text(h, t->key[t->total]);
    settings_hash(&c->final, h);
    hash_digest(h, t->run_id);
    hash_free(h);
    return STATUS_OK;
}

/* ---- configs of matched runs ----------------------------------------------------------------- */

static void epoch_set(struct settings *s, const char *name, int64_t epoch) {
    char text[32];
    snprintf(text, sizeof text, "%lld", (long long)epoch);
    settings_set(s, name, text, NULL);
}

static void window_set(struct settings *s, struct window w) {
    epoch_set(s, "from", w.from);
    epoch_set(s, "until", w.until);
}

static void windows_empty(struct settings *list, size_t n) {
    for (size_t i = 0; i < n; i++) {
        settings_set(&list[i], "from", "0", NULL);
        settings_set(&list[i], "until", "0", NULL);
    }
}

void config_clean(struct config *c) {
    config_cure(c);
    config_unstabilize(c);
}

void config_unstabilize(struct config *c) {
    windows_empty(c->stabilizers, c->stabilizers_n);
}

void config_cure(struct config *c) {
    windows_empty(c->deficits, c->deficits_n);
}

void config_freeze(struct config *c, const struct timeline *t) {
    for (size_t i = 0; i < c->deficits_n; i++) window_set(&c->deficits[i], t->deficits[i]);
    for (size_t i = 0; i < c->stabilizers_n; i++) window_set(&c->stabilizers[i], t->stabilizers[i]);
    epoch_set(&c->epochs, "total", t->total);
    settings_unset(&c->epochs, "after_removal");
}
