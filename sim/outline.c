/* Telling about a tree: as text, as a graph, and as the two tables in the experiment's folder. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/system.h"
#include "sim/run.h"
#include "sim/tree.h"

enum { TITLE_TEXT = 512 };

void tree_title(const struct tree *t, size_t run, char *text, size_t size) {
    const struct tree_run *r = &t->runs[run];
    const struct experiment *x = t->experiment;
    const char *of = role_name(r->role);
    size_t used =
        (size_t)snprintf(text, size, "%s%s%s", of, *of ? " of " : "", experiment_part(x, r->point));
    for (size_t a = 0; a < experiment_axes(x) && used < size; a++) {
        const char *label = experiment_label(x, r->point, a);
        if (label)
            used +=
                (size_t)snprintf(text + used, size - used, " %s=%s", experiment_axis(x, a), label);
    }
}

/* ---- as text --------------------------------------------------------------------------------- */

static void print_run(const struct tree *t, size_t i, int depth, FILE *out) {
    const struct tree_run *r = &t->runs[i];
    char title[TITLE_TEXT];
    tree_title(t, i, title, sizeof title);
    fprintf(out, "%*s%.12s  %s: ", 2 * depth, "", r->timeline.run_id, title);
    if (r->finished) {
        fprintf(out, "finished (%lld epochs)\n", (long long)r->timeline.total);
        return;
    }
    fprintf(out, "%lld epochs", (long long)(r->timeline.total - r->start));
    if (r->start) fprintf(out, " from epoch %lld on", (long long)r->start);
    if (r->start && r->parent == TREE_NONE) fprintf(out, " (state on disk)");
    fprintf(out, "\n");
}

/* Children of each run, so that a tree of thousands prints in one pass. */
struct outline {
    const struct tree *tree;
    long *first, *next; /* [runs_n] child, sibling */
    FILE *out;
};

static void print_branch(const struct outline *o, size_t i, int depth) {
    print_run(o->tree, i, depth, o->out);
    for (long k = o->first[i]; k != TREE_NONE; k = o->next[k])
        print_branch(o, (size_t)k, depth + 1);
}

static void print_runs(const struct tree *t, FILE *out) {
    struct outline o = {t, malloc((t->runs_n + 1) * sizeof *o.first),
                        malloc((t->runs_n + 1) * sizeof *o.next), out};
    if (!o.first || !o.next) abort();
    for (size_t i = 0; i < t->runs_n; i++) o.first[i] = TREE_NONE;
    for (size_t k = t->runs_n; k-- > 0;) {
        size_t i = t->order[k];
        long parent = t->runs[i].parent;
        if (parent == TREE_NONE) continue;
        o.next[i] = o.first[parent];
        o.first[parent] = (long)i;
    }
    for (size_t k = 0; k < t->runs_n; k++)
        if (t->runs[t->order[k]].parent == TREE_NONE) print_branch(&o, t->order[k], 0);
    free(o.first);
    free(o.next);
}

/* States that are there, but with rows of other measures: their epochs have to be trained again. */
static void print_remeasured(const struct tree *t, FILE *out) {
    size_t runs = 0;
    int64_t epochs = 0;
    for (size_t i = 0; i < t->segments_n; i++) {
        const struct tree_segment *s = &t->segments[i];
        if (s->owner == TREE_NONE) continue;
        if (t->runs[s->owner].states >= s->until) epochs += s->until - s->from;
    }
    for (size_t i = 0; i < t->runs_n; i++)
        runs += !t->runs[i].finished && t->runs[i].states == t->runs[i].timeline.total &&
                t->runs[i].start < t->runs[i].timeline.total;
    if (epochs)
        fprintf(out,
                "%lld epochs of these are trained again for their rows alone: the states of %zu "
                "runs are on disk, but not with these measures\n",
                (long long)epochs, runs);
}

void tree_print(const struct tree *t, FILE *out) {
    size_t there = 0, kept = 0;
    int64_t epochs = tree_epochs(t), alone = tree_epochs_alone(t);
    print_runs(t, out);
    for (size_t i = 0; i < t->segments_n; i++) {
        there += t->segments[i].on_disk;
        kept += t->segments[i].owner != TREE_NONE && t->segments[i].until > t->segments[i].from;
    }
    fprintf(out, "%s: %zu points, %zu runs with clean twins", experiment_name(t->experiment),
            t->points_n, t->runs_n);
    if (tree_controls(t)) fprintf(out, " and %zu controls", tree_controls(t));
    fprintf(out, "; %lld epochs to train", (long long)epochs);
    fprintf(out, " (%lld without sharing, %lld saved)\n", (long long)alone,
            (long long)(alone - epochs));
    fprintf(out, "states: %zu of the tree's %zu are on disk, %zu will be kept\n", there,
            t->segments_n, kept);
    print_remeasured(t, out);
}

/* ---- as a graph ------------------------------------------------------------------------------ */

static void dot_segment(const struct tree *t, size_t i, FILE *out) {
    const struct tree_segment *s = &t->segments[i];
    fprintf(out, "  s%zu [label=\"%lld\"%s];\n", i, (long long)s->until,
            s->on_disk ? ", style=filled" : "");
    if (s->until == 0) return; /* the initialization itself: nothing is trained up to it */
    if (s->parent == TREE_NONE)
        fprintf(out, "  r%zu [label=\"0\"];\n  r%zu", i, i);
    else
        fprintf(out, "  s%ld", s->parent);
    fprintf(out, " -> s%zu [label=\"%lld\"%s];\n", i, (long long)(s->until - s->from),
            s->owner == TREE_NONE ? ", style=dashed" : "");
}

static void dot_text(const char *text, FILE *out) {
    for (; *text; text++) fprintf(out, *text == '"' || *text == '\\' ? "\\%c" : "%c", *text);
}

static void dot_run(const struct tree *t, size_t i, FILE *out) {
    char title[TITLE_TEXT];
    tree_title(t, i, title, sizeof title);
    fprintf(out, "  n%zu [shape=plaintext, label=\"", i);
    dot_text(title, out);
    fprintf(out, "\"];\n  s%ld -> n%zu [style=dotted, arrowhead=none];\n", t->runs[i].segment, i);
}

void tree_dot(const struct tree *t, FILE *out) {
    fprintf(out, "digraph \"");
    dot_text(experiment_name(t->experiment), out);
    fprintf(out, "\" {\n"
                 "  // circles: states, by epoch (filled: on disk); arrows: epochs trained once\n"
                 "  // (dashed: not in this sweep)\n"
                 "  rankdir=LR;\n  node [shape=circle, fontname=\"Helvetica\", fontsize=11];\n"
                 "  edge [fontname=\"Helvetica\", fontsize=10];\n");
    for (size_t i = 0; i < t->segments_n; i++) dot_segment(t, i, out);
    for (size_t i = 0; i < t->runs_n; i++) dot_run(t, i, out);
    fprintf(out, "  { rank=max;");
    for (size_t i = 0; i < t->runs_n; i++) fprintf(out, " n%zu;", i);
    fprintf(out, " }\n}\n");
}

/* ---- as tables ------------------------------------------------------------------------------- */

static const char *id_of(const struct tree *t, long run) {
    return run == TREE_NONE ? "-" : t->runs[run].timeline.run_id;
}

/* Has any point a run of this role? */
static bool has_role(const struct tree *t, enum run_role role) {
    for (size_t i = 0; i < t->points_n; i++)
        if (t->points[i].role[role] != TREE_NONE) return true;
    return false;
}

/* `columns[role]`: it is written. */
static void write_point(const struct tree *t, size_t i, const bool columns[RUN_ROLES], FILE *f) {
    const struct experiment *x = t->experiment;
    const long *role = t->points[i].role;
    fprintf(f, "%s\t%s\t%s", id_of(t, role[ROLE_POINT]), id_of(t, role[ROLE_TWIN]),
            experiment_part(x, i));
    for (size_t a = 0; a < experiment_axes(x); a++) {
        const char *label = experiment_label(x, i, a);
        fprintf(f, "\t%s", label ? label : "-");
    }
    for (enum run_role r = ROLE_POINT; r < RUN_ROLES; r++)
        if (columns[r]) fprintf(f, "\t%s", id_of(t, role[r]));
    fprintf(f, "\n");
}

static void write_points(const struct tree *t, FILE *f) {
    const struct experiment *x = t->experiment;
    bool columns[RUN_ROLES];
    fprintf(f, "# imprint sweep 1\nrun\ttwin\tpart");
    for (size_t a = 0; a < experiment_axes(x); a++)
        fprintf(f, "\t%s%s", experiment_axis(x, a), experiment_axis_is_seed(x, a) ? "*" : "");
    for (enum run_role r = ROLE_POINT; r < RUN_ROLES; r++) {
        columns[r] = role_column(r) && has_role(t, r);
        if (columns[r]) fprintf(f, "\t%s", role_column(r));
    }
    fprintf(f, "\n");
    for (size_t i = 0; i < t->points_n; i++) write_point(t, i, columns, f);
}

static void write_runs(const struct tree *t, FILE *f) {
    char title[TITLE_TEXT];
    fprintf(f, "# imprint plan 1\nrun\tepochs\tstart\tstart_key\tparent\ttitle\n");
    for (size_t k = 0; k < t->runs_n; k++) {
        const struct tree_run *r = &t->runs[t->order[k]];
        tree_title(t, t->order[k], title, sizeof title);
        fprintf(f, "%s\t%lld\t%lld\t%s\t%s\t%s\n", r->timeline.run_id, (long long)r->timeline.total,
                (long long)r->start, r->timeline.key[r->start],
                r->parent == TREE_NONE ? "-" : t->runs[r->parent].timeline.run_id, title);
    }
}

static int write_table(const struct tree *t, const char *folder, const char *name,
                       void (*write)(const struct tree *, FILE *), struct error *e) {
    char path[STORE_PATH + 16], tmp[STORE_PATH + 64];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    system_temporary(tmp, sizeof tmp, path);
    FILE *f = fopen(tmp, "w");
    if (!f) return error_set(e, STATUS_FAILED, "%s: cannot write it: %s", path, strerror(errno));
    write(t, f);
    bool whole = !ferror(f) && !fflush(f);
    int problem = errno;
    if (fclose(f) || !whole || rename(tmp, path)) {
        if (whole) problem = errno;
        remove(tmp);
        return error_set(e, STATUS_FAILED, "%s: cannot write it: %s", path, strerror(problem));
    }
    return STATUS_OK;
}

int tree_write(const struct tree *t, const char *folder, struct error *e) {
    int status = write_table(t, folder, "plan.tsv", write_runs, e);
    return status ? status : write_table(t, folder, "sweep.tsv", write_points, e);
}
