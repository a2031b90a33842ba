/* Comparison with a reference summary: see against.h.
 *
 * Rows are matched by part and axis labels. "same" = equal to the ten digits of the file, as the
 * same config and the same numerics id must give; "inside" = this report's mean lies in the
 * reference's 95 % interval, which another machine's should. The trap: an interval of few seeds is
 * wide, and inside it proves little, so the difference itself is printed. */
#include "analysis/against.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "analysis/memory.h"

enum { NUMBERS = 13 }; /* columns after the labels, as findings_save writes them */
enum number { REFERENCE_ACCURACY = 2, REFERENCE_DROP = 6 };

struct reference_row {
    char *key; /* part and labels, joined by tabs */
    double number[NUMBERS];
    bool is_used;
};

struct reference {
    size_t rows_n;
    struct reference_row *rows;
};

static void reference_free(struct reference *ref) {
    for (size_t i = 0; i < ref->rows_n; i++) free(ref->rows[i].key);
    free(ref->rows);
}

/* "part\taxis\taxis..." of the header, "part\tlabel\tlabel..." of a row. */
static char *header_key(const struct summary *s) {
    char *key = memory_text("part");
    for (size_t a = 0; a < s->results->axes_n; a++) {
        if (s->results->axes[a].is_seed) continue;
        char *more = memory_print("%s\t%s", key, s->results->axes[a].name);
        free(key);
        key = more;
    }
    return key;
}

static char *row_key(const struct summary *s, const struct part *part, const struct row *row) {
    char *key = memory_text(part->name);
    for (size_t a = 0; a < s->results->axes_n; a++) {
        if (s->results->axes[a].is_seed) continue;
        char *more = memory_print("%s\t%s", key, row->points[0]->label[a]);
        free(key);
        key = more;
    }
    return key;
}

/* Cuts `line` behind its first `n` cells and returns what follows; NULL when there is less. */
static char *cut_cells(char *line, size_t n) {
    char *at = line;
    for (size_t i = 0; i < n; i++) {
        at = strchr(i ? at + 1 : at, '\t');
        if (!at) return NULL;
    }
    *at = '\0';
    return at + 1;
}

static size_t count_cells(const char *key) {
    size_t n = 1;
    for (; *key; key++) n += *key == '\t' ? 1 : 0;
    return n;
}

static int reference_add(struct reference *ref, char *line, size_t cells, const char *file,
                         size_t number, struct error *e) {
    char *rest = cut_cells(line, cells);
    if (!rest) return error_set(e, STATUS_USAGE, "%s:%zu: too few columns", file, number);
    ref->rows = memory_grow(ref->rows, ref->rows_n, sizeof *ref->rows);
    struct reference_row *row = &ref->rows[ref->rows_n++];
    row->key = memory_text(line);
    for (size_t i = 0; i < NUMBERS; i++) {
        char *end = NULL;
        char *cell = strsep(&rest, "\t");
        if (cell) row->number[i] = strtod(cell, &end);
        if (!cell || end == cell || *end)
            return error_set(e, STATUS_USAGE, "%s:%zu: expected %d numbers after the labels", file,
                             number, (int)NUMBERS);
    }
    return STATUS_OK;
}

static int reference_lines(struct reference *ref, const char *header, FILE *in, const char *file,
                           struct error *e) {
    char *line = NULL;
    size_t room = 0, number = 0, cells = count_cells(header);
    int status = STATUS_OK;
    ssize_t n;
    while (!status && (n = getline(&line, &room, in)) >= 0) {
        number++;
        if (n && line[n - 1] == '\n') line[n - 1] = '\0';
        if (number == 1 && strcmp(line, "# imprint summary 1"))
            status =
                error_set(e, STATUS_USAGE, "%s:1: not a summary.tsv of `imprint report`", file);
        else if (number == 2 && (!cut_cells(line, cells) || strcmp(line, header)))
            status =
                error_set(e, STATUS_USAGE, "%s:2: its sweep has other axes than this one", file);
        else if (number > 2 && line[0])
            status = reference_add(ref, line, cells, file, number, e);
    }
    free(line);
    if (!status && number < 2) return error_set(e, STATUS_USAGE, "%s: is empty", file);
    return status;
}

static int reference_load(struct reference *ref, const struct summary *s, const char *file,
                          struct error *e) {
    FILE *in = fopen(file, "r");
    if (!in) return error_set(e, STATUS_USAGE, "%s: cannot read it: %s", file, strerror(errno));
    char *header = header_key(s);
    int status = reference_lines(ref, header, in, file, e);
    free(header);
    fclose(in);
    return status;
}

/* ---- comparison -------------------------------------------------------------------------------- */

enum verdict { VERDICT_NONE, VERDICT_SAME, VERDICT_INSIDE, VERDICT_OUTSIDE, VERDICTS };
static const char *const VERDICT_WORD[VERDICTS] = {"-", "same", "inside", "outside"};

/* `ref` points at the reference's mean, low and high. */
static enum verdict compare(double mean, const double ref[3]) {
    if (isnan(mean) || isnan(ref[0])) return VERDICT_NONE;
    if (fabs(mean - ref[0]) <= 1e-9 * fmax(1, fabs(ref[0]))) return VERDICT_SAME;
    if (isnan(ref[1])) return VERDICT_NONE; /* one seed: nothing to be inside of */
    return mean >= ref[1] && mean <= ref[2] ? VERDICT_INSIDE : VERDICT_OUTSIDE;
}

static void cell_number(struct grid *g, size_t row, size_t column, double v, bool is_signed) {
    char text[32];
    if (isnan(v)) return;
    if (fabs(v) < 0.05) v = 0; /* no "-0.0" */
    snprintf(text, sizeof text, is_signed ? "%+.1f" : "%.1f", v);
    grid_set(g, row, column, "%s", text);
}

static enum verdict fill_pair(struct grid *g, size_t at, size_t column, double mean,
                              const double ref[3]) {
    enum verdict verdict = compare(mean, ref);
    cell_number(g, at, column, mean, false);
    cell_number(g, at, column + 1, ref[0], false);
    cell_number(g, at, column + 2, mean - ref[0], true);
    grid_set(g, at, column + 3, "%s", VERDICT_WORD[verdict]);
    return verdict;
}

struct comparison {
    struct grid *grid;
    struct reference *reference;
    size_t matched, count[VERDICTS];
};

static void compare_row(struct comparison *c, const struct summary *s, const struct part *part,
                        const struct row *row) {
    char *key = row_key(s, part, row), *label = row_name(s, part, row);
    struct reference_row *ref = NULL;
    for (size_t i = 0; i < c->reference->rows_n && !ref; i++)
        if (!strcmp(c->reference->rows[i].key, key)) ref = &c->reference->rows[i];
    free(key);
    size_t at = grid_add_row(c->grid);
    grid_set(c->grid, at, 0, "%s", part->name);
    grid_set(c->grid, at, 1, "%s", label);
    free(label);
    static const double none[3] = {NAN, NAN, NAN};
    const double *accuracy = ref ? ref->number + REFERENCE_ACCURACY : none;
    const double *drop = ref ? ref->number + REFERENCE_DROP : none;
    enum verdict a = fill_pair(c->grid, at, 2, row->accuracy_t.mean, accuracy);
    enum verdict d = fill_pair(c->grid, at, 6, row->is_clean ? NAN : row->drop_t.mean, drop);
    if (!ref) return;
    ref->is_used = true;
    c->matched++;
    c->count[a > d ? a : d]++; /* the worse of the two: verdicts are in that order */
}

static struct grid *comparison_grid(void) {
    static const char *const TITLE[] = {
        "part",      "level",      "accuracy\nhere", "\nreference",  "\ndifference",
        "\nverdict", "drop\nhere", "\nreference",    "\ndifference", "\nverdict"};
    enum { COLUMNS = sizeof TITLE / sizeof *TITLE };
    struct grid *g = grid_create(COLUMNS);
    grid_add_row(g);
    for (size_t i = 0; i < COLUMNS; i++) grid_set(g, 0, i, "%s", TITLE[i]);
    g->left[0] = g->left[1] = true;
    return g;
}

static void write_comparison(struct page *p, const struct comparison *c, const char *file) {
    size_t unused = 0;
    for (size_t i = 0; i < c->reference->rows_n; i++)
        unused += c->reference->rows[i].is_used ? 0 : 1;
    page_add(p, BLOCK_HEADING, "against %s", file);
    page_add(p, BLOCK_HEADLINE,
             "Of %zu rows that both have, %zu are the same to ten digits, %zu lie inside the "
             "reference's 95 %% intervals, %zu outside, %zu cannot be judged (no interval).",
             c->matched, c->count[VERDICT_SAME], c->count[VERDICT_INSIDE],
             c->count[VERDICT_OUTSIDE], c->count[VERDICT_NONE]);
    if (unused)
        page_add(p, BLOCK_WARNING, "%zu rows of the reference are not in this report.", unused);
    page_add_grid(p, c->grid);
}

static void compare_all(struct comparison *c, const struct summary *s) {
    for (size_t i = 0; i < s->parts_n; i++)
        for (size_t j = 0; j < s->parts[i].curves_n; j++)
            for (size_t k = 0; k < s->parts[i].curves[j].rows_n; k++)
                compare_row(c, s, &s->parts[i], &s->parts[i].curves[j].rows[k]);
}

int against_write(struct page *p, const struct summary *s, const char *path, struct error *e) {
    struct stat about;
    bool is_folder = !stat(path, &about) && S_ISDIR(about.st_mode);
    char *file = is_folder ? memory_print("%s/summary.tsv", path) : memory_text(path);
    struct reference ref = {0};
    int status = reference_load(&ref, s, file, e);
    if (!status) {
        struct comparison c = {.grid = comparison_grid(), .reference = &ref};
        compare_all(&c, s);
        write_comparison(p, &c, file);
    }
    reference_free(&ref);
    free(file);
    return status;
}
