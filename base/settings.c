/* Settings: checked values of parameter tables, see settings.h.
 *
 * Every type has one row in `kinds`: how its text is read, printed and hashed. The text is YAML
 * flow text, read strictly: 1e3 is no integer, yes is no truth value, 0x10 is no number; whoever
 * writes one of these is told what to write instead.
 *
 * The trap: integers go through no double on their way, so that seeds above 2^53 keep every bit. */
#include "base/settings.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

enum { WANTED = 160 };
static const int64_t epoch_limit = 1000000000; /* sums of epochs stay far from overflow */

/* ---- reading values -------------------------------------------------------------------------- */

const struct setting *settings_find(const struct settings *s, const char *name) {
    for (size_t i = 0; i < s->n; i++)
        if (!strcmp(s->values[i].param->name, name)) return &s->values[i];
    return NULL;
}

static const struct setting *value_get(const struct settings *s, const char *name) {
    const struct setting *v = settings_find(s, name);
    assert(v && v->is_set && "a setting that its table has and that is set");
    return v;
}

bool settings_is_set(const struct settings *s, const char *name) {
    const struct setting *v = settings_find(s, name);
    assert(v && "a setting that its table has");
    return v->is_set;
}

bool settings_bool(const struct settings *s, const char *name) {
    const struct setting *v = value_get(s, name);
    assert(v->param->type == PARAM_BOOL);
    return v->integer != 0;
}

int64_t settings_int(const struct settings *s, const char *name) {
    const struct setting *v = value_get(s, name);
    assert(v->param->type == PARAM_INT);
    return v->integer;
}

double settings_real(const struct settings *s, const char *name) {
    const struct setting *v = value_get(s, name);
    assert(v->param->type == PARAM_REAL || v->param->type == PARAM_INT);
    return v->number;
}

const char *settings_text(const struct settings *s, const char *name) {
    const struct setting *v = value_get(s, name);
    assert(v->param->type == PARAM_TEXT || v->param->type == PARAM_CHOICE);
    return v->text;
}

bool settings_is(const struct settings *s, const char *name, const char *choice) {
    return !strcmp(settings_text(s, name), choice);
}

struct epoch_bound settings_epoch(const struct settings *s, const char *name) {
    const struct setting *v = value_get(s, name);
    assert(v->param->type == PARAM_EPOCH);
    return v->epoch;
}

const int64_t *settings_ints(const struct settings *s, const char *name, size_t *n) {
    const struct setting *v = value_get(s, name);
    assert(v->param->type == PARAM_INTS);
    *n = v->n;
    return v->ints;
}

const char *const *settings_texts(const struct settings *s, const char *name, size_t *n) {
    const struct setting *v = value_get(s, name);
    assert(v->param->type == PARAM_TEXTS);
    *n = v->n;
    return (const char *const *)v->texts;
}

/* ---- what a parameter takes, in words -------------------------------------------------------- */

static bool param_has_range(const struct param *p) {
    return p->min != 0.0 || p->max != 0.0;
}

static bool param_in_range(const struct param *p, double v) {
    return !param_has_range(p) || (v >= p->min && v <= p->max);
}

/* "a whole number in 1..100", "a number from 0"; nobody means a bound of 1e18 */
static void range_print(const struct param *p, char text[WANTED], const char *noun) {
    const double huge = 1e18;
    char min[TEXT_REAL], max[TEXT_REAL];
    text_print_number(min, p->min);
    text_print_number(max, p->max);
    if (!param_has_range(p) || (p->min <= -huge && p->max >= huge))
        snprintf(text, WANTED, "%s", noun);
    else if (p->max >= huge)
        snprintf(text, WANTED, "%s from %s", noun, min);
    else if (p->min <= -huge)
        snprintf(text, WANTED, "%s up to %s", noun, max);
    else
        snprintf(text, WANTED, "%s in %s..%s", noun, min, max);
}

static void noun_print(const struct param *p, char text[WANTED], const char *noun) {
    (void)p;
    snprintf(text, WANTED, "%s", noun);
}

/* "one of keep, reset" */
static void choices_print(const struct param *p, char text[WANTED], const char *noun) {
    size_t n = (size_t)snprintf(text, WANTED, "%s", noun);
    for (const char *c = p->choices ? p->choices : "texts"; *c && n + 3 < WANTED; c++) {
        text[n++] = *c == '|' ? ',' : *c;
        if (*c == '|') text[n++] = ' ';
    }
    text[n] = '\0';
}

static bool choices_have(const char *choices, const char *text) {
    size_t n = strlen(text);
    if (n == 0 || strchr(text, '|')) return false;
    for (const char *c = choices; c; c = strchr(c, '|') ? strchr(c, '|') + 1 : NULL)
        if (!strncmp(c, text, n) && (c[n] == '|' || c[n] == '\0')) return true;
    return false;
}

static void choices_nearest(const char *choices, const char *wanted, char hint[WANTED]) {
    char *names = text_copy(choices), *rest = names;
    struct text_nearest near = {.wanted = wanted};
    for (char *name; (name = strsep(&rest, "|"));) text_nearest_try(&near, name);
    if (near.best) snprintf(hint, WANTED, " (did you mean '%s'?)", near.best);
    free(names);
}

/* ---- one type after the other: parse --------------------------------------------------------- */
/* Each fills the value from its text and returns whether it could; `hint`, if any, is what a user
 * who wrote this should have written, with a leading space. */

static bool parse_bool(struct setting *v, const char *text, char hint[WANTED]) {
    static const char *const truths[] = {"yes", "on", "True", "TRUE", "Yes", "On", "1", "\"true\""};
    static const char *const falses[] = {"no", "off", "False", "FALSE",
                                         "No", "Off", "0",     "\"false\""};
    v->integer = !strcmp(text, "true");
    v->number = (double)v->integer;
    if (v->integer || !strcmp(text, "false")) return true;
    for (size_t i = 0; i < sizeof truths / sizeof *truths; i++) {
        if (!strcmp(text, truths[i])) snprintf(hint, WANTED, " (write true)");
        if (!strcmp(text, falses[i])) snprintf(hint, WANTED, " (write false)");
    }
    return false;
}

/* Exact where a double has too few digits: 2^53 + 1 is not 2^53. */
static bool integer_in_range(const struct param *p, int64_t v) {
    const double beyond = 9.2e18;
    if (!param_has_range(p)) return true;
    bool low = p->min > -beyond && v < (int64_t)ceil(p->min);
    bool high = p->max < beyond && v > (int64_t)floor(p->max);
    return !low && !high && p->min < beyond && p->max > -beyond;
}

static void number_hint(const char *text, char hint[WANTED]) {
    double real;
    char *inner = *text == '"' || *text == '\'' ? text_unquote(text) : NULL;
    if (inner && text_real(inner, &real)) snprintf(hint, WANTED, " (remove the quotes)");
    free(inner);
    if (!strncasecmp(text, "0x", 2) || !strncasecmp(text, "0o", 2) || !strncasecmp(text, "0b", 2))
        snprintf(hint, WANTED, " (write it in decimal digits)");
    if (strchr(text, '_') && strspn(text, "+-0123456789_.eE") == strlen(text))
        snprintf(hint, WANTED, " (write it without '_')");
}

static bool parse_int(struct setting *v, const char *text, char hint[WANTED]) {
    double real;
    v->integer = 0;
    bool ok = text_integer(text, &v->integer);
    v->number = (double)v->integer;
    if (ok) return integer_in_range(v->param, v->integer);
    number_hint(text, hint);
    if (!text_real(text, &real) || real != floor(real) || fabs(real) > 1e15) return false;
    if (strpbrk(text, ".eE"))
        snprintf(hint, WANTED, " (write %.0f)", real);
    else
        snprintf(hint, WANTED, " (write it without leading zeros)");
    return false;
}

static bool parse_real(struct setting *v, const char *text, char hint[WANTED]) {
    v->number = 0.0;
    if (text_real(text, &v->number)) return param_in_range(v->param, v->number);
    number_hint(text, hint);
    const char *word = text + strspn(text, "+-.");
    if (isinf(v->number) || !strncasecmp(word, "inf", 3) || !strcasecmp(word, "nan"))
        snprintf(hint, WANTED, " (it must be finite)");
    return false;
}

static char *plain_text(const char *text) {
    return *text == '"' || *text == '\'' ? text_unquote(text) : text_copy(text);
}

static bool parse_text(struct setting *v, const char *text, char hint[WANTED]) {
    v->text = plain_text(text);
    if (!v->text) return false;
    if (v->param->type == PARAM_TEXT || !v->param->choices ||
        choices_have(v->param->choices, v->text))
        return true;
    choices_nearest(v->param->choices, v->text, hint);
    return false;
}

static const struct {
    const char *name;
    enum epoch_anchor anchor;
} anchors[] = {{"onset", EPOCH_ONSET}, {"removal", EPOCH_REMOVAL}, {"end", EPOCH_END}};

static const char *skip_spaces(const char *s) {
    return s + strspn(s, " ");
}

/* "", "+3", "- 3" after an anchor */
static bool parse_offset(const char *s, int64_t *offset) {
    s = skip_spaces(s);
    *offset = 0;
    if (!*s) return true;
    bool minus = *s == '-';
    if (*s != '+' && *s != '-') return false;
    s = skip_spaces(s + 1);
    if (*s == '+' || *s == '-' || !text_integer(s, offset) || *offset > epoch_limit) return false;
    if (minus) *offset = -*offset;
    return true;
}

static bool epoch_read(struct epoch_bound *bound, const char *text) {
    bound->anchor = EPOCH_ABSOLUTE;
    if (text_integer(text, &bound->offset))
        return bound->offset >= 0 && bound->offset <= epoch_limit;
    for (size_t i = 0; i < sizeof anchors / sizeof *anchors; i++) {
        size_t n = strlen(anchors[i].name);
        if (strncmp(text, anchors[i].name, n) != 0) continue;
        bound->anchor = anchors[i].anchor;
        return parse_offset(text + n, &bound->offset);
    }
    return false;
}

static bool parse_epoch(struct setting *v, const char *text, char hint[WANTED]) {
    char *plain = plain_text(text);
    bool ok = plain && epoch_read(&v->epoch, plain);
    free(plain);
    if (!ok) number_hint(text, hint);
    return ok;
}

/* ---- lists ----------------------------------------------------------------------------------- */

/* The end of one item of flow text: a comma or bracket outside quotes. */
static const char *item_end(const char *s) {
    char quote = '\0';
    for (; *s; s++) {
        if (quote) {
            if (*s == '\\' && quote == '"' && s[1])
                s++;
            else if (*s == quote)
                quote = '\0';
        } else if (*s == '"' || *s == '\'') {
            quote = *s;
        } else if (strchr(",[]{}", *s)) {
            return s;
        }
    }
    return s;
}

/* Cut "[a, 'b']" into its items' texts. False: not a list of scalars. */
static bool list_split(const char *text, char ***items, size_t *n) {
    const char *s = text;
    *items = NULL;
    *n = 0;
    if (*s++ != '[') return false;
    while (*(s = skip_spaces(s)) && *s != ']') {
        const char *end = item_end(s), *last = end;
        while (last > s && last[-1] == ' ') last--;
        char *item = strndup(s, (size_t)(last - s));
        *items = reallocarray(*items, *n + 1, sizeof **items);
        if (!item || !*items) abort();
        (*items)[(*n)++] = item;
        if (last == s || (*end != ',' && *end != ']')) return false;
        s = *end == ',' ? end + 1 : end;
    }
    return *s == ']' && !*skip_spaces(s + 1);
}

static void list_free(char **items, size_t n) {
    for (size_t i = 0; i < n; i++) free(items[i]);
    free(items);
}

static bool parse_ints(struct setting *v, const char *text, char hint[WANTED]) {
    char **items;
    bool ok = list_split(text, &items, &v->n);
    v->ints = text_room(v->n, sizeof *v->ints);
    for (size_t i = 0; ok && i < v->n; i++) {
        struct setting item = {.param = v->param};
        ok = parse_int(&item, items[i], hint);
        v->ints[i] = item.integer;
    }
    list_free(items, v->n);
    return ok;
}

/* A list out of choices is a set. */
static bool texts_twice(const struct setting *v, char hint[WANTED]) {
    for (size_t i = 1; v->param->choices && i < v->n; i++)
        for (size_t k = 0; k < i; k++)
            if (!strcmp(v->texts[i], v->texts[k])) {
                snprintf(hint, WANTED, " ('%s' is there twice)", text_shown(v->texts[i]).text);
                return true;
            }
    return false;
}

static bool parse_texts(struct setting *v, const char *text, char hint[WANTED]) {
    char **items;
    bool ok = list_split(text, &items, &v->n);
    v->texts = text_room(v->n, sizeof *v->texts);
    for (size_t i = 0; ok && i < v->n; i++) {
        struct setting item = {.param = v->param};
        ok = parse_text(&item, items[i], hint);
        v->texts[i] = item.text;
    }
    list_free(items, v->n);
    return ok && !texts_twice(v, hint);
}

/* ---- canonical text -------------------------------------------------------------------------- */

static char *print_bool(const struct setting *v) {
    return text_copy(v->integer ? "true" : "false");
}

static char *print_int(const struct setting *v) {
    char text[TEXT_REAL];
    snprintf(text, sizeof text, "%lld", (long long)v->integer);
    return text_copy(text);
}

static char *print_real(const struct setting *v) {
    char text[TEXT_REAL];
    text_print_real(text, v->number);
    return text_copy(text);
}

static char *print_text(const struct setting *v) {
    return v->text;
}

static char *print_epoch(const struct setting *v) {
    static const char *const names[] = {[EPOCH_ABSOLUTE] = "",
                                        [EPOCH_ONSET] = "onset",
                                        [EPOCH_REMOVAL] = "removal",
                                        [EPOCH_END] = "end"};
    char text[TEXT_REAL];
    const char *name = names[v->epoch.anchor];
    if (*name && v->epoch.offset == 0) return text_copy(name);
    snprintf(text, sizeof text, *name ? "%s%+lld" : "%s%lld", name, (long long)v->epoch.offset);
    return text_copy(text);
}

static char *print_ints(const struct setting *v) {
    struct text t = {0};
    text_add(&t, "[");
    for (size_t i = 0; i < v->n; i++) text_add(&t, "%s%lld", i ? ", " : "", (long long)v->ints[i]);
    text_add(&t, "]");
    return text_take(&t);
}

static char *print_texts(const struct setting *v) {
    struct text t = {0};
    text_add(&t, "[");
    for (size_t i = 0; i < v->n; i++) {
        text_add(&t, "%s", i ? ", " : "");
        text_quote(&t, v->texts[i]);
    }
    text_add(&t, "]");
    return text_take(&t);
}

/* ---- hashes ---------------------------------------------------------------------------------- */

static void hash_integer(const struct setting *v, struct hash *h) {
    hash_int(h, v->integer);
}
static void hash_number(const struct setting *v, struct hash *h) {
    hash_real(h, v->number);
}
static void hash_plain(const struct setting *v, struct hash *h) {
    hash_text(h, v->text);
}

static void hash_epoch(const struct setting *v, struct hash *h) {
    hash_int(h, v->epoch.anchor);
    hash_int(h, v->epoch.offset);
}

static void hash_ints(const struct setting *v, struct hash *h) {
    hash_int(h, (int64_t)v->n);
    for (size_t i = 0; i < v->n; i++) hash_int(h, v->ints[i]);
}

static void hash_texts(const struct setting *v, struct hash *h) {
    hash_int(h, (int64_t)v->n);
    for (size_t i = 0; i < v->n; i++) hash_text(h, v->texts[i]);
}

/* ---- the table of types ---------------------------------------------------------------------- */

static const struct kind {
    const char *noun; /* what it must be */
    void (*wanted)(const struct param *p, char text[WANTED], const char *noun);
    bool (*parse)(struct setting *v, const char *text, char hint[WANTED]);
    char *(*print)(const struct setting *v);
    void (*hash)(const struct setting *v, struct hash *h);
} kinds[] = {
    [PARAM_BOOL] = {"true or false", noun_print, parse_bool, print_bool, hash_integer},
    [PARAM_INT] = {"a whole number", range_print, parse_int, print_int, hash_integer},
    [PARAM_REAL] = {"a number", range_print, parse_real, print_real, hash_number},
    [PARAM_TEXT] = {"text", noun_print, parse_text, print_text, hash_plain},
    [PARAM_CHOICE] = {"one of ", choices_print, parse_text, print_text, hash_plain},
    [PARAM_EPOCH] = {"an epoch (a whole number from 0, or onset, removal or end with +n or -n)",
                     noun_print, parse_epoch, print_epoch, hash_epoch},
    [PARAM_INTS] = {"a list, as in [1, 2], of whole numbers", range_print, parse_ints, print_ints,
                    hash_ints},
    [PARAM_TEXTS] = {"a list, as in [a, b], of ", choices_print, parse_texts, print_texts,
                     hash_texts},
};

static void value_clear(struct setting *v) {
    if (v->texts) list_free(v->texts, v->n);
    free(v->ints);
    free(v->text);
    *v = (struct setting){.param = v->param};
}

static bool is_null(const char *text) {
    return !*text || !strcmp(text, "~") || !strcasecmp(text, "null");
}

static int fail_null(const struct param *p, struct error *e) {
    if (!p->preset) return error_set(e, STATUS_USAGE, "%s: needs a value", p->name);
    return error_set(e, STATUS_USAGE, "%s: needs a value (leave the key out for the default %s)",
                     p->name, p->preset);
}

/* Is a number written as it would be printed? Plain decimals of up to 15 digits are, which spares most
 * values of thousands of configs the printing. */
static bool is_canonical(const struct setting *v, const char *text) {
    const char *digits = text + (*text == '-');
    size_t whole = strspn(digits, "0123456789"), part = 0;
    if (v->param->type != PARAM_INT && v->param->type != PARAM_REAL) return false;
    if (whole == 0 || (whole > 1 && *digits == '0')) return false;
    if (v->param->type == PARAM_INT) return !digits[whole] && whole <= 15 && v->integer != 0;
    if (digits[whole] != '.' || fabs(v->number) < 1e-4) return false;
    part = strspn(digits + whole + 1, "0123456789");
    const char *last = digits + whole + part;
    return part > 0 && !last[1] && whole + part <= 15 && (part == 1 || *last != '0');
}

static int value_set(struct setting *v, const char *text, struct error *e) {
    const struct param *p = v->param;
    const struct kind *kind = &kinds[p->type];
    struct setting fresh = {.param = p, .is_set = true};
    char hint[WANTED] = "", wanted[WANTED];
    if (is_null(text)) {
        if (!p->preset || !is_null(p->preset)) return fail_null(p, e);
        value_clear(v);
        return STATUS_OK;
    }
    if (!kind->parse(&fresh, text, hint)) {
        value_clear(&fresh);
        kind->wanted(p, wanted, kind->noun);
        return error_set(e, STATUS_USAGE, "%s: must be %s, not '%s'%s", p->name, wanted,
                         text_shown(text).text, hint);
    }
    fresh.text = is_canonical(&fresh, text) ? text_copy(text) : kind->print(&fresh);
    value_clear(v);
    *v = fresh;
    return STATUS_OK;
}

/* ---- whole tables ---------------------------------------------------------------------------- */

static size_t table_length(const struct param *table) {
    size_t n = 0;
    while (table && table[n].name) n++;
    return n;
}

void settings_append(struct settings *s, const struct param *table) {
    size_t more = table_length(table);
    s->values = reallocarray(s->values, s->n + more + 1, sizeof *s->values);
    if (!s->values) abort();
    for (size_t i = 0; i < more; i++) {
        struct setting *v = &s->values[s->n++];
        *v = (struct setting){.param = &table[i]};
        if (!table[i].preset) continue;
        struct error e = {0};
        int status = value_set(v, table[i].preset, &e);
        assert(!status && "a default that its own parameter takes");
        (void)status;
    }
}

void settings_init(struct settings *s, const struct param *table, const struct param *more) {
    *s = (struct settings){0};
    settings_append(s, table);
    settings_append(s, more);
}

int settings_set(struct settings *s, const char *name, const char *text, struct error *e) {
    struct setting *v = (struct setting *)settings_find(s, name);
    assert(v && "a setting that its table has");
    int status = value_set(v, text, e);
    if (!status) v->given = true;
    return status;
}

void settings_unset(struct settings *s, const char *name) {
    struct setting *v = (struct setting *)settings_find(s, name);
    assert(v && "a setting that its table has");
    value_clear(v);
}

static void value_copy(struct setting *to, const struct setting *from) {
    *to = *from;
    if (from->text) to->text = text_copy(from->text);
    if (from->ints) {
        to->ints = text_room(from->n, sizeof *to->ints);
        memcpy(to->ints, from->ints, from->n * sizeof *to->ints);
    }
    if (!from->texts) return;
    to->texts = text_room(from->n, sizeof *to->texts);
    for (size_t i = 0; i < from->n; i++) to->texts[i] = text_copy(from->texts[i]);
}

void settings_copy(struct settings *to, const struct settings *from) {
    to->n = from->n;
    to->values = text_room(from->n, sizeof *to->values);
    for (size_t i = 0; i < from->n; i++) value_copy(&to->values[i], &from->values[i]);
}

void settings_free(struct settings *s) {
    for (size_t i = 0; i < s->n; i++) value_clear(&s->values[i]);
    free(s->values);
    *s = (struct settings){0};
}

void settings_hash(const struct settings *s, struct hash *h) {
    for (size_t i = 0; i < s->n; i++) {
        const struct setting *v = &s->values[i];
        if (v->param->outside_key) continue;
        hash_text(h, v->param->name);
        hash_int(h, v->param->type);
        hash_int(h, v->is_set);
        if (v->is_set) kinds[v->param->type].hash(v, h);
    }
}
