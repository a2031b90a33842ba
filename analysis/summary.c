/* From points to rows, curves and parts: see summary.h.
 *
 * Paired drop of a run = accuracy of its clean twin - its own; the twin shares data, seeds and
 * order, so the pairs cancel what the seeds do to both. Traps: two points may name one run (two
 * spellings of one setting), which must not count twice; a run that diverged or is unfinished has
 * no final accuracy and is left out of every mean, which the report says. */
#include "analysis/summary.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/memory.h"

static const double LEVEL = 0.95;

/* ---- the x axis of a part --------------------------------------------------------------------- */

static bool label_number(const char *label, double *value) {
    char *end;
    *value = strtod(label, &end);
    return end != label && !*end && isfinite(*value);
}

static bool point_in(const struct point *p, const char *part) {
    return !strcmp(p->part, part);
}

/* Has the part this axis? */
static bool axis_used(const struct results *r, const char *part, size_t axis) {
    for (size_t i = 0; i < r->points_n; i++)
        if (point_in(&r->points[i], part) && strcmp(r->points[i].label[axis], "-")) return true;
    return false;
}

static bool axis_numeric(const struct results *r, const char *part, size_t axis) {
    double value;
    for (size_t i = 0; i < r->points_n; i++)
        if (point_in(&r->points[i], part) && !label_number(r->points[i].label[axis], &value))
            return false;
    return true;
}

static bool ends_with(const char *text, const char *end) {
    size_t n = strlen(text), m = strlen(end);
    return n >= m && !strcmp(text + n - m, end);
}

/* Labels that are the onsets of the logs with a deficit, at least two different ones. */
static bool axis_holds_onsets(const struct results *r, const char *part, size_t axis) {
    const char *first = NULL;
    bool varies = false;
    for (size_t i = 0; i < r->points_n; i++) {
        const struct point *p = &r->points[i];
        if (!point_in(p, part) || p->log->onset < 0 || p->log == p->twin) continue;
        if ((double)p->log->onset != strtod(p->label[axis], NULL)) return false;
        if (!first) first = p->label[axis];
        varies |= strcmp(first, p->label[axis]) != 0;
    }
    return varies;
}

static bool axis_is_onset(const struct results *r, const char *part, size_t axis) {
    const char *name = r->axes[axis].name;
    if (!axis_numeric(r, part, axis)) return false;
    return ends_with(name, "onset") || ends_with(name, "from") || axis_holds_onsets(r, part, axis);
}

/* Labels that are the logs' removal epochs, at least two different ones or under a telling name. */
static bool axis_is_removal(const struct results *r, const char *part, size_t axis) {
    const char *name = r->axes[axis].name, *first = NULL;
    if (!axis_numeric(r, part, axis)) return false;
    bool varies = ends_with(name, "removal") || ends_with(name, "until") || !strcmp(name, "t0");
    for (size_t i = 0; i < r->points_n; i++) {
        const struct point *p = &r->points[i];
        if (!point_in(p, part)) continue;
        double value = strtod(p->label[axis], NULL);
        if (p->log->removal >= 0 && (double)p->log->removal != value) return false;
        if (!first) first = p->label[axis];
        if (strcmp(first, p->label[axis])) varies = true;
    }
    return varies;
}

static size_t part_find_axis(const struct results *r, const char *part,
                             bool (*wanted)(const struct results *, const char *, size_t)) {
    for (size_t a = 0; a < r->axes_n; a++)
        if (!r->axes[a].is_seed && axis_used(r, part, a) && wanted(r, part, a)) return a;
    return SIZE_MAX;
}

/* Is the label of `axis` a function of the x label (axes that are swept together)? */
static bool axis_follows(const struct results *r, const struct part *part, size_t axis) {
    for (size_t i = 0; i < r->points_n; i++)
        for (size_t j = 0; j < i; j++) {
            const struct point *p = &r->points[i], *q = &r->points[j];
            if (!point_in(p, part->name) || !point_in(q, part->name)) continue;
            if (!strcmp(p->label[part->x_axis], q->label[part->x_axis]) &&
                strcmp(p->label[axis], q->label[axis]))
                return false;
        }
    return true;
}

static void part_find_axes(struct part *part, const struct results *r) {
    part->splits = memory_new(r->axes_n, sizeof *part->splits);
    part->x_axis = part_find_axis(r, part->name, axis_is_onset);
    part->kind = X_ONSET;
    if (part->x_axis == SIZE_MAX) {
        part->x_axis = part_find_axis(r, part->name, axis_is_removal);
        part->kind = part->x_axis == SIZE_MAX ? X_LEVEL : X_REMOVAL;
    }
    if (part->kind == X_LEVEL || !r->has_manifest) return; /* one curve */
    for (size_t a = 0; a < r->axes_n; a++)
        part->splits[a] = a != part->x_axis && !r->axes[a].is_seed && axis_used(r, part->name, a) &&
                          !axis_follows(r, part, a);
}

/* ---- rows ------------------------------------------------------------------------------------- */

static bool same_row(const struct results *r, const struct point *p, const struct point *q) {
    for (size_t a = 0; a < r->axes_n; a++)
        if (!r->axes[a].is_seed && strcmp(p->label[a], q->label[a])) return false;
    return true;
}

static bool same_curve(const struct results *r, const struct part *part, const struct point *p,
                       const struct point *q) {
    for (size_t a = 0; a < r->axes_n; a++)
        if (part->splits[a] && strcmp(p->label[a], q->label[a])) return false;
    return true;
}

static void row_add(struct row *row, const struct point *p) {
    for (size_t i = 0; i < row->points_n; i++)
        if (row->points[i]->log == p->log) return; /* the same run under another label */
    row->points = memory_grow(row->points, row->points_n, sizeof *row->points);
    row->points[row->points_n++] = p;
}

static double log_accuracy(const struct log *log) {
    return log && log->state == LOG_DONE ? 100 * log->final_accuracy : NAN;
}

static double log_deficit_peak(const struct log *log) {
    const double *v = log->series[SERIES_FISHER_DEFICIT];
    double peak = NAN;
    for (size_t i = 0; v && i < log->rows; i++)
        if (log->epoch[i] >= 1 && !isnan(v[i]) && !(v[i] <= peak)) peak = v[i];
    return log->state == LOG_DONE ? peak : NAN;
}

static struct interval row_interval(const struct row *row, double (*value)(const struct log *)) {
    double *v = memory_new(row->points_n, sizeof *v);
    for (size_t i = 0; i < row->points_n; i++) v[i] = value(row->points[i]->log);
    struct interval t = stats_t_interval(v, row->points_n, LEVEL);
    free(v);
    return t;
}

static double log_peak(const struct log *log) {
    return log->state == LOG_DONE ? log->fisher_peak : NAN;
}

static double log_peak_epoch(const struct log *log) {
    return log->state == LOG_DONE ? log->fisher_peak_epoch : NAN;
}

static void row_accuracies(struct row *row) {
    size_t n = row->points_n;
    row->accuracy = memory_new(n, sizeof *row->accuracy);
    row->drop = memory_new(n, sizeof *row->drop);
    double *twin = memory_new(n, sizeof *twin), *own = memory_new(n, sizeof *own);
    row->is_clean = true;
    for (size_t i = 0; i < n; i++) {
        const struct point *p = row->points[i];
        if (p->twin != p->log) row->is_clean = false;
        row->accuracy[i] = log_accuracy(p->log);
        twin[i] = log_accuracy(p->twin);
    }
    stats_differences(twin, row->accuracy, n, row->drop);
    for (size_t i = 0; i < n; i++) {
        own[i] = isnan(row->drop[i]) ? NAN : row->accuracy[i];
        if (isnan(row->drop[i])) twin[i] = NAN;
    }
    row->accuracy_t = stats_t_interval(row->accuracy, n, LEVEL);
    row->drop_t = stats_t_interval(row->drop, n, LEVEL);
    row->twin_t = stats_t_interval(twin, n, LEVEL);
    row->twin_sd = stats_sd(twin, n);
    row->paired_t = stats_t_interval(own, n, LEVEL);
    free(twin);
    free(own);
}

/* The rate of the first of the last `epochs` epochs. A row's rate is that of the epoch before it. */
static double log_rate(const struct log *log, double epochs) {
    const double *lr = log->series[SERIES_LR];
    double last = log->rows ? log->epoch[log->rows - 1] : 0;
    for (size_t i = 0; lr && i < log->rows; i++)
        if (log->epoch[i] == last - epochs + 1) return lr[i];
    return NAN;
}

/* What the clean phase of a run and the same number of epochs of its twin begin with. */
static void row_rates(struct row *row) {
    row->clean_epochs = row->lr_clean = row->lr_twin = NAN;
    for (size_t i = 0; i < row->points_n && isnan(row->lr_twin); i++) {
        const struct log *log = row->points[i]->log, *twin = row->points[i]->twin;
        if (!twin || log->state != LOG_DONE || twin->state != LOG_DONE || !log->rows) continue;
        row->clean_epochs = log->epoch[log->rows - 1] - (double)log->removal;
        row->lr_clean = log_rate(log, row->clean_epochs);
        row->lr_twin = log_rate(twin, row->clean_epochs);
    }
}

static void row_settings(struct row *row) {
    row->removal = -1;
    row->lr_at_removal = NAN;
    bool same = true;
    for (size_t i = 0; i < row->points_n; i++) {
        const struct log *log = row->points[i]->log;
        if (row->removal < 0) row->removal = log->removal;
        if (isnan(log->lr_at_removal)) continue;
        if (isnan(row->lr_at_removal)) row->lr_at_removal = log->lr_at_removal;
        if (row->lr_at_removal != log->lr_at_removal) same = false;
    }
    if (!same) row->lr_at_removal = NAN;
}

static void row_finish(struct row *row, const struct part *part) {
    row_accuracies(row);
    row_settings(row);
    row_rates(row);
    row->peak_t = row_interval(row, log_peak);
    row->deficit_peak_t = row_interval(row, log_deficit_peak);
    row->peak_epoch = row_interval(row, log_peak_epoch).mean;
    row->x = NAN;
    if (part->x_axis != SIZE_MAX) row->x = strtod(row->points[0]->label[part->x_axis], NULL);
}

static int order_rows(const void *a, const void *b) {
    double x = ((const struct row *)a)->x, y = ((const struct row *)b)->x;
    return (x > y) - (x < y);
}

/* ---- curves and parts ------------------------------------------------------------------------- */

static char *append(char *text, const char *separator, const char *more) {
    char *joined = memory_print("%s%s%s", text, *text ? separator : "", more);
    free(text);
    return joined;
}

static char *append_axis(char *text, const struct results *r, size_t axis, const char *label) {
    char *setting = memory_print("%s=%s", r->axes[axis].name, label);
    text = append(text, ", ", setting);
    free(setting);
    return text;
}

/* "main" and "runs" name nothing; the experiment's name is better then. */
static char *curve_name(const struct results *r, const struct part *part, const struct point *p) {
    bool plain = !strcmp(part->name, "main") || !strcmp(part->name, "runs");
    char *name = memory_text(plain ? "" : part->name);
    for (size_t a = 0; a < r->axes_n; a++)
        if (part->splits[a]) name = append_axis(name, r, a, p->label[a]);
    return *name ? name : append(name, "", r->name);
}

static struct curve *part_curve(struct part *part, const struct results *r, const struct point *p) {
    for (size_t i = 0; i < part->curves_n; i++)
        if (same_curve(r, part, part->curves[i].rows[0].points[0], p)) return &part->curves[i];
    part->curves = memory_grow(part->curves, part->curves_n, sizeof *part->curves);
    struct curve *c = &part->curves[part->curves_n++];
    *c = (struct curve){.name = curve_name(r, part, p)};
    return c;
}

static struct row *curve_row(struct curve *c, const struct results *r, const struct point *p) {
    for (size_t i = 0; i < c->rows_n; i++)
        if (same_row(r, c->rows[i].points[0], p)) return &c->rows[i];
    c->rows = memory_grow(c->rows, c->rows_n, sizeof *c->rows);
    return &c->rows[c->rows_n++];
}

static struct part *summary_part(struct summary *s, const char *name) {
    for (size_t i = 0; i < s->parts_n; i++)
        if (!strcmp(s->parts[i].name, name)) return &s->parts[i];
    s->parts = memory_grow(s->parts, s->parts_n, sizeof *s->parts);
    struct part *part = &s->parts[s->parts_n++];
    *part = (struct part){.name = name};
    part_find_axes(part, s->results);
    return part;
}

static void part_finish(struct part *part) {
    for (size_t i = 0; i < part->curves_n; i++) {
        struct curve *c = &part->curves[i];
        for (size_t j = 0; j < c->rows_n; j++) row_finish(&c->rows[j], part);
        if (part->kind != X_LEVEL) qsort(c->rows, c->rows_n, sizeof *c->rows, order_rows);
    }
}

struct summary *summary_create(const struct results *r) {
    struct summary *s = memory_new(1, sizeof *s);
    s->results = r;
    for (size_t i = 0; i < r->points_n; i++) {
        const struct point *p = &r->points[i];
        struct part *part = summary_part(s, p->part);
        row_add(curve_row(part_curve(part, r, p), r, p), p);
    }
    for (size_t i = 0; i < s->parts_n; i++) part_finish(&s->parts[i]);
    return s;
}

static void curve_free(struct curve *c) {
    for (size_t i = 0; i < c->rows_n; i++) {
        free(c->rows[i].points);
        free(c->rows[i].accuracy);
        free(c->rows[i].drop);
    }
    free(c->rows);
    free(c->name);
}

void summary_free(struct summary *s) {
    if (!s) return;
    for (size_t i = 0; i < s->parts_n; i++) {
        for (size_t j = 0; j < s->parts[i].curves_n; j++) curve_free(&s->parts[i].curves[j]);
        free(s->parts[i].curves);
        free(s->parts[i].splits);
    }
    free(s->parts);
    free(s);
}

/* ---- readings --------------------------------------------------------------------------------- */

bool point_same_seed(const struct results *r, const struct point *p, const struct point *q) {
    for (size_t a = 0; a < r->axes_n; a++)
        if (r->axes[a].is_seed && strcmp(p->label[a], q->label[a])) return false;
    return true;
}

char *row_name(const struct summary *s, const struct part *p, const struct row *row) {
    const struct results *r = s->results;
    const char *const *label = (const char *const *)row->points[0]->label;
    char *name = memory_text("");
    for (size_t a = 0; a < r->axes_n; a++)
        if (!r->axes[a].is_seed && !p->splits[a] && strcmp(label[a], "-") &&
            (p->x_axis == SIZE_MAX || p->x_axis == a || !r->has_manifest))
            name = append_axis(name, r, a, label[a]);
    return *name ? name : append(name, "", p->name);
}

char *row_label(const struct summary *s, const struct part *p, const struct row *row) {
    const struct results *r = s->results;
    const char *const *label = (const char *const *)row->points[0]->label;
    if (p->x_axis != SIZE_MAX) return memory_text(label[p->x_axis]);
    char *name = memory_text("");
    for (size_t a = 0; a < r->axes_n; a++)
        if (!r->axes[a].is_seed && strcmp(label[a], "-")) name = append(name, ", ", label[a]);
    return *name ? name : append(name, "", p->name);
}

const char *part_x_name(const struct summary *s, const struct part *p) {
    return p->x_axis == SIZE_MAX ? "removal" : s->results->axes[p->x_axis].name;
}

const struct row *curve_largest_drop(const struct curve *c) {
    const struct row *largest = NULL;
    for (size_t i = 0; i < c->rows_n; i++) {
        const struct row *row = &c->rows[i];
        if (row->is_clean || !row->drop_t.n) continue;
        if (!largest || row->drop_t.mean > largest->drop_t.mean) largest = row;
    }
    return largest;
}

double curve_spearman(const struct curve *c, size_t *levels) {
    double *x = memory_new(2 * c->rows_n, sizeof *x), *y = x + c->rows_n;
    *levels = 0;
    for (size_t i = 0; i < c->rows_n; i++) {
        if (isnan(c->rows[i].x) || !c->rows[i].accuracy_t.n) continue;
        x[*levels] = c->rows[i].x;
        y[(*levels)++] = c->rows[i].accuracy_t.mean;
    }
    double rho = *levels < 3 ? NAN : stats_spearman(x, y, *levels);
    free(x);
    return rho;
}

size_t row_done(const struct row *row) {
    size_t n = 0;
    for (size_t i = 0; i < row->points_n; i++) n += row->points[i]->log->state == LOG_DONE ? 1 : 0;
    return n;
}

size_t curve_seeds(const struct curve *c) {
    size_t most = 0;
    for (size_t i = 0; i < c->rows_n; i++)
        if (c->rows[i].accuracy_t.n > most) most = c->rows[i].accuracy_t.n;
    return most;
}

static void save_axes(FILE *out, const struct results *r, const struct row *row) {
    for (size_t a = 0; a < r->axes_n; a++)
        if (!r->axes[a].is_seed)
            fprintf(out, "\t%s", row ? row->points[0]->label[a] : r->axes[a].name);
}

int summary_save(const struct summary *s, const char *path, const char *kind, const char *columns,
                 void (*save)(FILE *out, const struct row *row), struct error *e) {
    FILE *out = fopen(path, "w");
    if (!out) return error_set(e, STATUS_FAILED, "%s: cannot write it: %s", path, strerror(errno));
    fprintf(out, "# imprint %s 1\npart", kind);
    save_axes(out, s->results, NULL);
    fprintf(out, "%s\n", columns);
    for (size_t i = 0; i < s->parts_n; i++)
        for (size_t j = 0; j < s->parts[i].curves_n; j++)
            for (size_t k = 0; k < s->parts[i].curves[j].rows_n; k++) {
                const struct row *row = &s->parts[i].curves[j].rows[k];
                fputs(s->parts[i].name, out);
                save_axes(out, s->results, row);
                save(out, row);
                fputc('\n', out);
            }
    bool failed = ferror(out) != 0;
    if (fclose(out) || failed)
        return error_set(e, STATUS_FAILED, "%s: cannot write it whole; is the disk full?", path);
    return STATUS_OK;
}
