/* Comparing two HDF5 files: see compare.h.
 *
 * Bits are compared after NaNs of every payload were made one. The distance in ulps is that of the
 * bit patterns, taken as integers in the order of the numbers. The trap: where roundings differ, single
 * values of a trained net may be anything, and a relative deviation of single values says nothing
 * where a series goes to 0 (a training loss). So a tolerance is one of means, over all epochs. */
#include "sim/compare.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PLACE = 512, VALUES_MOST = 1 << 28 };

struct pair {
    struct h5_reader *file[2];
    const struct compare_rules *rules;
    struct compare_count *count;
    struct text *lines;
};

/* ---- numbers --------------------------------------------------------------------------------- */

static uint64_t bits_of(double v) {
    uint64_t bits;
    memcpy(&bits, &v, sizeof bits);
    return bits;
}

static bool bits_equal(double a, double b) {
    return (isnan(a) && isnan(b)) || bits_of(a) == bits_of(b);
}

/* Bit patterns as integers that are ordered as the numbers are. */
static uint64_t order_of(double v) {
    uint64_t bits = bits_of(v), sign = (uint64_t)1 << 63;
    return bits & sign ? ~bits : bits | sign;
}

static uint64_t order_of_float(float v) {
    uint32_t bits, sign = (uint32_t)1 << 31;
    memcpy(&bits, &v, sizeof bits);
    return bits & sign ? ~bits : bits | sign;
}

uint64_t compare_ulps(double a, double b, size_t element) {
    bool is_float = element == sizeof(float);
    uint64_t x = is_float ? order_of_float((float)a) : order_of(a);
    uint64_t y = is_float ? order_of_float((float)b) : order_of(b);
    return x > y ? x - y : y - x;
}

/* ---- a dataset in memory --------------------------------------------------------------------- */

struct values {
    enum h5_kind kind;
    size_t element, rank, shape[H5_RANK], n;
    double *reals; /* by kind: one of the three */
    int64_t *ints;
    char **texts;
};

static void texts_free(char **texts, size_t n) {
    for (size_t i = 0; texts && i < n; i++) free(texts[i]);
    free(texts);
}

static void values_free(struct values *v) {
    texts_free(v->texts, v->n);
    free(v->reals);
    free(v->ints);
}

static int values_shape(struct values *v, struct h5_reader *r, const char *name, struct error *e) {
    int rank = h5_shape(r, name, v->shape);
    if (rank < 0) return error_set(e, STATUS_FAILED, "'%s' cannot be read", name);
    v->rank = (size_t)rank;
    v->n = 1;
    for (size_t a = 0; a < v->rank; a++) {
        if (v->shape[a] && v->n > VALUES_MOST / v->shape[a]) {
            v->n = 0;
            return error_set(e, STATUS_FAILED, "'%s' is too large to compare", name);
        }
        v->n *= v->shape[a];
    }
    return STATUS_OK;
}

static int values_read(struct values *v, struct h5_reader *r, const char *name, struct error *e) {
    *v = (struct values){0};
    v->kind = h5_kind(r, name, &v->element);
    int status = values_shape(v, r, name, e);
    if (status) return status;
    if (v->kind == H5_FLOATS) {
        v->reals = text_room(v->n + 1, sizeof *v->reals);
        return h5_get_doubles(r, name, v->reals, e);
    }
    if (v->kind == H5_INTS || v->kind == H5_BYTES) {
        v->ints = text_room(v->n + 1, sizeof *v->ints);
        return h5_get_ints(r, name, v->ints, e);
    }
    if (v->kind == H5_TEXTS) v->texts = h5_get_texts(r, name, &v->n);
    return v->texts ? STATUS_OK
                    : error_set(e, STATUS_FAILED, "'%s' is of no type that is compared", name);
}

static const char *text_at(const struct values *v, size_t i) {
    return v->texts[i] ? v->texts[i] : "";
}

static bool same_at(const struct values *a, const struct values *b, size_t i) {
    if (a->reals) return bits_equal(a->reals[i], b->reals[i]);
    if (a->ints) return a->ints[i] == b->ints[i];
    return !strcmp(text_at(a, i), text_at(b, i));
}

/* ---- where a value stands -------------------------------------------------------------------- */

static void scale_path(char *path, size_t size, const char *name, const char *dim) {
    const char *slash = strrchr(name, '/');
    snprintf(path, size, "%.*s%s", slash ? (int)(slash + 1 - name) : 0, name, dim);
}

/* "epoch 12", "layer fc1", "rsv_bin -0.95", or "[12]" on an axis without coordinates. */
static void add_coordinate(struct text *t, struct h5_reader *r, const char *name, size_t axis,
                           size_t at) {
    char dim[H5_NAME], path[PLACE];
    struct values scale = {0};
    bool found = !h5_dim_name(r, name, axis, dim) && *dim;
    if (found) scale_path(path, sizeof path, name, dim);
    found = found && !values_read(&scale, r, path, NULL) && scale.rank == 1 && at < scale.n;
    if (found && scale.texts)
        text_add(t, "%s %s", dim, text_shown(text_at(&scale, at)).text);
    else if (found && scale.kind == H5_INTS)
        text_add(t, "%s %lld", dim, (long long)scale.ints[at]);
    else if (found && scale.kind == H5_FLOATS)
        text_add(t, "%s %g", dim, scale.reals[at]);
    else
        text_add(t, "[%zu]", at);
    values_free(&scale);
}

static void add_place(struct text *t, struct h5_reader *r, const char *name, const struct values *v,
                      size_t at) {
    size_t inner = v->n;
    for (size_t axis = 0; axis < v->rank; axis++) {
        inner /= v->shape[axis];
        if (axis) text_add(t, ", ");
        add_coordinate(t, r, name, axis, at / inner % v->shape[axis]);
    }
}

static void add_real(struct text *t, double v, size_t element) {
    char shortest[TEXT_REAL];
    if (!isfinite(v) || element == sizeof(float)) {
        text_add(t, isnan(v) ? "NaN" : "%.9g", v);
        return;
    }
    text_print_number(shortest, v);
    text_add(t, "%s", shortest);
}

/* Of a text of many lines, the line in which the two begin to differ. */
static void add_text(struct text *t, const char *text, const char *other) {
    size_t i = 0, line = 0;
    for (; text[i] && text[i] == other[i]; i++)
        if (text[i] == '\n') line = i + 1;
    char *cut = text_copy(text + line);
    cut[strcspn(cut, "\n")] = '\0';
    text_add(t, "'%s'", text_shown(cut).text);
    free(cut);
}

static void add_value(struct text *t, const struct values *v, const struct values *other,
                      size_t i) {
    if (v->reals)
        add_real(t, v->reals[i], v->element);
    else if (v->ints)
        text_add(t, "%lld", (long long)v->ints[i]);
    else
        add_text(t, text_at(v, i), text_at(other, i));
}

/* " at epoch 12: 0.5 in the log, 0.25 trained" */
static void add_both(const struct pair *p, const char *name, const struct values *a,
                     const struct values *b, size_t at) {
    struct text *t = p->lines;
    if (a->rank) {
        text_add(t, " at ");
        add_place(t, p->file[0], name, a, at);
    }
    text_add(t, ": ");
    add_value(t, a, b, at);
    text_add(t, " %s, ", p->rules->a);
    add_value(t, b, a, at);
    text_add(t, " %s", p->rules->b);
}

/* ---- one dataset ----------------------------------------------------------------------------- */

struct deviation {
    size_t n;        /* values that differ in any bit */
    size_t first;    /* the first of them */
    double mean;     /* as the rule takes it; infinite: NaNs or texts that differ */
    double row_0;    /* the largest deviation in the first row, of the largest value there */
    size_t worst_at; /* where the deviation is largest */
    bool beyond;     /* it counts as a difference */
};

/* Of two values. */
static double deviation_at(const struct values *a, const struct values *b, size_t i) {
    if (same_at(a, b, i)) return 0.0;
    if (!a->reals || !isfinite(a->reals[i]) || !isfinite(b->reals[i])) return INFINITY;
    return fabs(a->reals[i] - b->reals[i]);
}

/* The mean of |a| over the numbers that are there, and the largest of the first n. */
static double mean_of(const struct values *v, size_t n) {
    double sum = 0.0, count = 0.0;
    for (size_t i = 0; v->reals && i < n; i++) {
        if (!isfinite(v->reals[i])) continue;
        sum += fabs(v->reals[i]);
        count++;
    }
    return count > 0.0 ? sum / count : 1.0;
}

static double largest_of(const struct values *v, size_t n) {
    double largest = 0.0;
    for (size_t i = 0; v->reals && i < n; i++)
        if (isfinite(v->reals[i])) largest = fmax(largest, fabs(v->reals[i]));
    return largest;
}

/* 0 / 0 is no deviation. */
static double ratio(double deviation, double scale) {
    return deviation == 0.0 ? 0.0 : deviation / scale;
}

static double row_0_deviation(const struct values *a, const struct values *b, size_t n) {
    double largest = 0.0;
    size_t width = a->rank && a->shape[0] ? a->n / a->shape[0] : n;
    for (size_t i = 0; i < width && i < n; i++) largest = fmax(largest, deviation_at(a, b, i));
    return ratio(largest, largest_of(a, width < n ? width : n));
}

static bool is_beyond(const struct deviation *d, const struct compare_rule *rule) {
    if (rule->by == COMPARE_SHOWN) return false;
    if (rule->by == COMPARE_BITS) return d->n > 0;
    return d->mean > rule->tolerance || (rule->first_row > 0.0 && d->row_0 > rule->first_row);
}

/* Over the first n values of both. */
static struct deviation deviate(const struct values *a, const struct values *b, size_t n,
                                const struct compare_rule *rule) {
    struct deviation d = {0};
    double worst = 0.0, sum = 0.0, count = 0.0;
    for (size_t i = 0; i < n; i++) {
        double far = deviation_at(a, b, i);
        if (!same_at(a, b, i) && !d.n++) d.first = i;
        sum += far;
        if (!a->reals || !isnan(a->reals[i])) count++;
        if (far <= worst) continue;
        worst = far;
        d.worst_at = i;
    }
    d.mean = ratio(sum, count);
    if (rule->by != COMPARE_ABSOLUTE) d.mean = ratio(d.mean, mean_of(a, n));
    if (rule->first_row > 0.0) d.row_0 = row_0_deviation(a, b, n);
    d.beyond = is_beyond(&d, rule);
    return d;
}

static void say_first(const struct pair *p, const char *name, const struct values *a,
                      const struct values *b, const struct deviation *d) {
    size_t i = d->first;
    text_add(p->lines, "  %s:", name);
    if (a->n > 1)
        text_add(p->lines, " %zu of %zu values differ; the first", d->n, a->n);
    else
        text_add(p->lines, " differs");
    add_both(p, name, a, b, i);
    if (a->reals && !isnan(a->reals[i]) && !isnan(b->reals[i])) {
        uint64_t ulps = compare_ulps(a->reals[i], b->reals[i], a->element);
        text_add(p->lines, ", %llu ulp%s apart", (unsigned long long)ulps, ulps == 1 ? "" : "s");
    }
    text_add(p->lines, "\n");
}

static void say_mean(const struct pair *p, const char *name, const struct values *a,
                     const struct values *b, const struct deviation *d,
                     const struct compare_rule *rule) {
    bool absolute = rule->by == COMPARE_ABSOLUTE;
    text_add(p->lines, "  %s:", name);
    if (!isfinite(d->mean))
        text_add(p->lines, " differs");
    else if (a->n == 1)
        text_add(p->lines, " %.2g%s apart", absolute ? d->mean : 100.0 * d->mean,
                 absolute ? "" : " %");
    else
        text_add(p->lines, " on average %.2g%s apart, most", absolute ? d->mean : 100.0 * d->mean,
                 absolute ? "" : " % of its mean");
    add_both(p, name, a, b, d->worst_at);
    if (rule->first_row > 0.0 && d->row_0 > rule->first_row)
        text_add(p->lines, "; %.2g %% apart before training", 100.0 * d->row_0);
    text_add(p->lines, "%s\n",
             d->beyond                   ? " (beyond the tolerance)"
             : rule->by == COMPARE_SHOWN ? " (does not count)"
                                         : "");
}

static void add_shape(struct text *t, const struct values *v) {
    text_add(t, "[");
    for (size_t a = 0; a < v->rank; a++) text_add(t, "%s%zu", a ? ", " : "", v->shape[a]);
    text_add(t, "]");
}

static void say_shapes(const struct pair *p, const char *name, const struct values *a,
                       const struct values *b) {
    text_add(p->lines, "  %s: of shape ", name);
    add_shape(p->lines, a);
    text_add(p->lines, " %s, ", p->rules->a);
    add_shape(p->lines, b);
    text_add(p->lines, " %s\n", p->rules->b);
}

/* Shapes that differ in the first extent only (other numbers of epochs) can be compared as far as
 * both go. */
static bool comparable(const struct values *a, const struct values *b) {
    if (a->kind != b->kind || a->element != b->element || a->rank != b->rank) return false;
    for (size_t i = 1; i < a->rank; i++)
        if (a->shape[i] != b->shape[i]) return false;
    return true;
}

static void count_dataset(const struct pair *p, const struct deviation *d, bool same_shape,
                          size_t n, const struct compare_rule *rule) {
    p->count->datasets++;
    p->count->values += n;
    if (d->n == 0 && same_shape) p->count->equal++;
    if (d->beyond || (!same_shape && rule->by != COMPARE_SHOWN)) p->count->datasets_differ++;
}

static void compare_values(const struct pair *p, const char *name, const struct values *a,
                           const struct values *b, const struct compare_rule *rule) {
    struct deviation d = {0};
    size_t n = a->n < b->n ? a->n : b->n;
    bool together = comparable(a, b), same_shape = together && a->n == b->n;
    if (!same_shape && a->n == b->n)
        text_add(p->lines, "  %s: of another type or shape %s than %s\n", name, p->rules->b,
                 p->rules->a);
    else if (!same_shape)
        say_shapes(p, name, a, b);
    if (together) d = deviate(a, b, n, rule);
    if (d.n && rule->by == COMPARE_BITS)
        say_first(p, name, a, b, &d);
    else if (d.n)
        say_mean(p, name, a, b, &d, rule);
    count_dataset(p, &d, same_shape, together ? n : 0, rule);
}

/* Units are part of what a number says; other descriptions may be worded anew. */
static void compare_units(const struct pair *p, const char *name) {
    char *a = h5_attr_text(p->file[0], name, "units"), *b = h5_attr_text(p->file[1], name, "units");
    if (strcmp(a ? a : "", b ? b : "")) {
        text_add(p->lines, "  %s: its unit is '%s' %s, ", name, text_shown(a ? a : "").text,
                 p->rules->a);
        text_add(p->lines, "'%s' %s\n", text_shown(b ? b : "").text, p->rules->b);
        p->count->attributes_differ++;
    }
    free(a);
    free(b);
}

static int compare_dataset(const struct pair *p, const char *name, struct error *e) {
    struct values a = {0}, b = {0};
    struct compare_rule rule = p->rules->dataset(p->rules->context, name);
    if (rule.by == COMPARE_NOT) return STATUS_OK;
    int status = values_read(&a, p->file[0], name, e);
    if (!status) status = values_read(&b, p->file[1], name, e);
    if (!status) compare_values(p, name, &a, &b, &rule);
    if (!status) compare_units(p, name);
    values_free(&a);
    values_free(&b);
    return status;
}

/* ---- names that only one file has ------------------------------------------------------------ */

static void only_one(const struct pair *p, const char *what, const char *name, bool in_a,
                     enum compare_by by, size_t *differ) {
    if (by == COMPARE_NOT) return;
    if (!in_a && p->rules->b_may_have_more) by = COMPARE_SHOWN;
    text_add(p->lines, "  %s%s: only %s%s\n", what, name, in_a ? p->rules->a : p->rules->b,
             by == COMPARE_SHOWN ? " (does not count)" : "");
    if (by != COMPARE_SHOWN) ++*differ;
}

/* Walks two sorted lists of names: <0: the next is in a only, 0: in both, >0: in b only. */
static int next_name(char *const *a, size_t a_n, char *const *b, size_t b_n) {
    if (!a_n || !b_n) return a_n ? -1 : 1;
    return strcmp(*a, *b);
}

static int compare_datasets(const struct pair *p, struct error *e) {
    size_t n[2], at[2] = {0};
    int status = STATUS_OK;
    char **names[2] = {h5_list_all(p->file[0], &n[0]), h5_list_all(p->file[1], &n[1])};
    while (!status && (at[0] < n[0] || at[1] < n[1])) {
        int order = next_name(names[0] + at[0], n[0] - at[0], names[1] + at[1], n[1] - at[1]);
        const char *name = order > 0 ? names[1][at[1]] : names[0][at[0]];
        if (order == 0)
            status = compare_dataset(p, name, e);
        else
            only_one(p, "", name, order < 0, p->rules->dataset(p->rules->context, name).by,
                     &p->count->datasets_differ);
        at[0] += order <= 0;
        at[1] += order >= 0;
    }
    texts_free(names[0], n[0]);
    texts_free(names[1], n[1]);
    return status;
}

/* ---- attributes of the root group ------------------------------------------------------------ */

/* An attribute as a dataset of one value. */
static struct values attr_values(struct h5_reader *r, const char *name) {
    struct values v = {.kind = h5_attr_kind(r, "/", name), .n = 1, .element = sizeof(double)};
    if (v.kind == H5_FLOATS) {
        v.reals = text_room(1, sizeof *v.reals);
        v.reals[0] = h5_attr_real(r, "/", name);
    } else if (v.kind == H5_TEXTS) {
        v.texts = text_room(1, sizeof *v.texts);
        v.texts[0] = h5_attr_text(r, "/", name);
    } else {
        v.ints = text_room(1, sizeof *v.ints);
        v.ints[0] = h5_attr_int(r, "/", name, INT64_MIN);
    }
    return v;
}

static void compare_attribute(const struct pair *p, const char *name,
                              const struct compare_rule *rule) {
    struct values a = attr_values(p->file[0], name), b = attr_values(p->file[1], name);
    struct deviation d = {.beyond = rule->by != COMPARE_SHOWN};
    bool same_kind = a.kind == b.kind;
    if (same_kind) d = deviate(&a, &b, 1, rule);
    if (!same_kind) {
        text_add(p->lines, "  attribute %s: of another type %s than %s\n", name, p->rules->b,
                 p->rules->a);
    } else if (d.n) {
        text_add(p->lines, "  attribute %s", name);
        add_both(p, name, &a, &b, 0);
        text_add(p->lines, "%s\n", d.beyond ? "" : " (does not count)");
    }
    p->count->attributes++;
    p->count->attributes_differ += d.beyond;
    values_free(&a);
    values_free(&b);
}

static void compare_attributes(const struct pair *p) {
    size_t n[2], at[2] = {0};
    char **names[2] = {h5_attr_list(p->file[0], "/", &n[0]), h5_attr_list(p->file[1], "/", &n[1])};
    while (at[0] < n[0] || at[1] < n[1]) {
        int order = next_name(names[0] + at[0], n[0] - at[0], names[1] + at[1], n[1] - at[1]);
        const char *name = order > 0 ? names[1][at[1]] : names[0][at[0]];
        struct compare_rule rule = p->rules->attribute(p->rules->context, name);
        if (order)
            only_one(p, "attribute ", name, order < 0, rule.by, &p->count->attributes_differ);
        else if (rule.by != COMPARE_NOT)
            compare_attribute(p, name, &rule);
        at[0] += order <= 0;
        at[1] += order >= 0;
    }
    texts_free(names[0], n[0]);
    texts_free(names[1], n[1]);
}

int compare_files(struct h5_reader *a, struct h5_reader *b, const struct compare_rules *rules,
                  struct compare_count *count, struct text *lines, struct error *e) {
    struct pair p = {{a, b}, rules, count, lines};
    compare_attributes(&p);
    return compare_datasets(&p, e);
}
