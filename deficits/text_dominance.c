/* Text that answers the question by itself, so that a network need not look at the picture.
 *
 *   mode: leak  the text's hint slot names an answer: the right one with probability p, else a wrong
 *               one of the same kind, uniform (where the kind has no other answer the slot is
 *               emptied). With severity below 1 only that fraction of the examples has a hint. Wrong
 *               hints are no identity: p = 0 is a text that lies.
 *   mode: skew  the question's kind gives the answer away. Each kind has a favored answer, drawn once
 *               by the stream (data.seed, "deficit text_dominance favored", 0, kind). An example with
 *               another answer is with probability p * severity replaced, picture and all, by a random
 *               example with the favored answer of its kind, if there is one. Of a kind whose favored
 *               answer has the share q, q + (1 - q) p * severity have it then; p = 0 is the identity.
 *
 * Kinds are the data set's groups of classes; without them all classes are one. Skew is the training
 * half of VQA-CP (Agrawal, Batra, Parikh, Kembhavi 2018: P(answer | kind of question) differs between
 * training and test data); leak is its limit, a prior so sharp that it is the answer.
 *
 * The trap: the hint follows the true answer of whoever stands at this place, but is drawn for the
 * place itself, so that leak and skew go together and a run's draws are its twin's. */
#include <string.h>

#include "deficits/pixels.h"
#include "sim/data.h"

/* Blind throws at the examples before they are counted: a favored answer is seldom so rare. */
enum { THROWS = 256 };

static bool is_leak(const struct settings *s) {
    return settings_is(s, "mode", "leak");
}

static int group_of(const struct deficit_context *c, size_t class) {
    return c->class_group ? c->class_group[class] : 0;
}

static bool is_same_kind(const struct deficit_context *c, size_t class) {
    return group_of(c, class) == group_of(c, (size_t)c->label);
}

/* A uniform draw from the classes of this kind, `but` one (K: none); K when nothing is left. */
static size_t class_draw(const struct deficit_context *c, size_t but, struct rng *r) {
    size_t n = 0, class = 0;
    for (size_t k = 0; k < c->K; k++) n += k != but && is_same_kind(c, k);
    if (n == 0) return c->K;
    size_t left = rng_below(r, (uint32_t)n);
    for (;; class ++)
        if (class != but && is_same_kind(c, class) && left-- == 0) return class;
}

static void text_dominance_spoil(const struct settings *s, const struct deficit_context *c, void *x,
                                 void *scratch) {
    (void)scratch;
    const struct modality *m = c->modality;
    struct rng r = deficit_stream(c, "deficit text_dominance");
    if (!is_leak(s) || !deficit_affects(c, &r)) return;
    const bool is_right = rng_uniform(&r) < settings_real(s, "p");
    const size_t named = is_right ? (size_t)c->label : class_draw(c, (size_t)c->label, &r);
    ((float *)x)[m->hint_slot] = named == c->K ? 0 : (float)(m->hint_first + named);
}

static size_t favored_class(const struct deficit_context *c) {
    struct rng r = rng_stream(c->seed, "deficit text_dominance favored", 0,
                              (uint64_t)group_of(c, (size_t)c->label));
    return class_draw(c, c->K, &r);
}

/* A random example of this class; `otherwise` when there is none. */
static size_t example_draw(const struct examples *all, size_t class, size_t otherwise,
                           struct rng *r) {
    for (int i = 0; i < THROWS; i++) {
        const size_t at = rng_below(r, (uint32_t)all->n);
        if ((size_t)all->label[at] == class) return at;
    }
    size_t n = 0, at = 0;
    for (size_t i = 0; i < all->n; i++) n += (size_t)all->label[i] == class;
    if (n == 0) return otherwise;
    size_t left = rng_below(r, (uint32_t)n);
    for (;; at++)
        if ((size_t)all->label[at] == class && left-- == 0) return at;
}

static size_t text_dominance_stand_in(const struct settings *s, const struct deficit_context *c,
                                      const struct examples *all, size_t i) {
    struct rng r = deficit_stream(c, "deficit text_dominance skew");
    if (is_leak(s) || rng_uniform(&r) >= settings_real(s, "p") * c->severity) return i;
    const size_t favored = favored_class(c);
    return (size_t)c->label == favored ? i : example_draw(all, favored, i, &r);
}

static bool text_dominance_is_identity(const struct settings *s) {
    return !is_leak(s) && settings_real(s, "p") == 0;
}

/* Skew swaps whole examples, once: it does not ask which modality is the text. */
static bool text_dominance_uses(const struct settings *s, const char *param) {
    const bool of_leak = !strcmp(param, "fresh") || !strcmp(param, "modality");
    return is_leak(s) || !of_leak;
}

static bool text_dominance_is_fresh(const struct settings *s) {
    return is_leak(s) && settings_bool(s, "fresh");
}

static int text_dominance_check(const struct settings *s, const struct modality *m, size_t K,
                                struct error *e) {
    if (!is_leak(s)) return STATUS_OK;
    if (!m->has_hint)
        return error_set(
            e, STATUS_USAGE,
            "mode: leak writes into a hint slot, and '%s' has none: take mode skew, or "
            "data with a slot for hints (data.set vqa has one)",
            m->name);
    if (m->hint_slot < m->W && m->hint_first > 0 && m->hint_first + K <= m->tokens)
        return STATUS_OK;
    return error_set(
        e, STATUS_USAGE,
        "mode: leak needs a token for a hint at each of %zu classes, from number %zu on "
        "in slot %zu; '%s' has %zu tokens and %zu slots",
        K, m->hint_first, m->hint_slot, m->name, m->tokens, m->W);
}

static const struct param text_dominance_params[] = {
    {.name = "mode",
     .type = PARAM_CHOICE,
     .preset = "leak",
     .choices = "leak|skew",
     .doc = "A hint in the text names the answer, or each kind of question has a favored answer."},
    {.name = "p",
     .type = PARAM_REAL,
     .preset = "1.0",
     .min = 0,
     .max = 1,
     .unit = "1",
     .doc =
         "Leak: probability that a hint is right, else it names a wrong answer of the same kind; "
         "skew: probability that an example with another answer than its kind's favored one is "
         "replaced by one that has it."},
    {.name = "fresh",
     .type = PARAM_BOOL,
     .preset = "false",
     .doc = "Leak: draw anew in every epoch which examples have a hint and which hints are right."},
    {0},
};

const struct deficit deficit_text_dominance = {
    .name = "text_dominance",
    .doc = "Text that gives the answer away: by a hint, or by the kind of question.",
    .params = text_dominance_params,
    .takes = TAKES_TOKENS,
    .is_identity = text_dominance_is_identity,
    .uses = text_dominance_uses,
    .is_fresh = text_dominance_is_fresh,
    .check = text_dominance_check,
    .stand_in = text_dominance_stand_in,
    .spoil = text_dominance_spoil,
};
