/* Blocks and their plain-text form: see page.h. Widths count UTF-8 code points, not bytes, so that
 * labels with accents stay aligned. */
#include "analysis/page.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/memory.h"

enum { PAGE_WIDTH = 100 };

static char *print_text(const char *format, va_list args) {
    char *text = NULL;
    if (vasprintf(&text, format, args) < 0) text = memory_text("");
    return text;
}

/* ---- grids ------------------------------------------------------------------------------------ */

struct grid *grid_create(size_t columns_n) {
    struct grid *g = memory_new(1, sizeof *g);
    g->columns_n = columns_n;
    g->left = memory_new(columns_n, sizeof *g->left);
    return g;
}

size_t grid_add_row(struct grid *g) {
    g->cells = memory_grow(g->cells, g->rows_n, sizeof *g->cells);
    g->cells[g->rows_n] = memory_new(g->columns_n, sizeof **g->cells);
    return g->rows_n++;
}

void grid_set(struct grid *g, size_t row, size_t column, const char *format, ...) {
    va_list args;
    va_start(args, format);
    free(g->cells[row][column]);
    g->cells[row][column] = print_text(format, args);
    va_end(args);
}

void grid_free(struct grid *g) {
    if (!g) return;
    for (size_t i = 0; i < g->rows_n; i++) {
        for (size_t j = 0; j < g->columns_n; j++) free(g->cells[i][j]);
        free(g->cells[i]);
    }
    free(g->cells);
    free(g->left);
    free(g);
}

static size_t text_width(const char *text) {
    size_t n = 0;
    for (; *text; text++) n += ((unsigned char)*text & 0xC0) != 0x80 ? 1 : 0;
    return n;
}

static const char *grid_cell(const struct grid *g, size_t row, size_t column) {
    return g->cells[row][column] ? g->cells[row][column] : "-";
}

/* The part of a cell before or after its line break; one without break stands on the second line. */
static char *cell_line(const char *cell, bool second) {
    const char *cut = strchr(cell, '\n');
    if (!cut) return memory_text(second ? cell : "");
    return second ? memory_text(cut + 1) : memory_print("%.*s", (int)(cut - cell), cell);
}

static size_t cell_width(const char *cell) {
    char *first = cell_line(cell, false), *second = cell_line(cell, true);
    size_t a = text_width(first), b = text_width(second);
    free(first);
    free(second);
    return a > b ? a : b;
}

static size_t grid_width(const struct grid *g, size_t column) {
    size_t width = 0;
    for (size_t i = 0; i < g->rows_n; i++) {
        size_t n = cell_width(grid_cell(g, i, column));
        if (n > width) width = n;
    }
    return width;
}

static bool row_breaks(const struct grid *g, size_t row) {
    for (size_t j = 0; j < g->columns_n; j++)
        if (strchr(grid_cell(g, row, j), '\n')) return true;
    return false;
}

static void print_line(const struct grid *g, size_t row, bool second, const size_t *width,
                       FILE *out) {
    for (size_t j = 0; j < g->columns_n; j++) {
        char *cell = cell_line(grid_cell(g, row, j), second);
        int pad = (int)(width[j] - text_width(cell));
        bool last = j + 1 == g->columns_n;
        if (g->left[j])
            fprintf(out, "  %s%*s", cell, last ? 0 : pad, "");
        else
            fprintf(out, "  %*s%s", pad, "", cell);
        free(cell);
    }
    fputc('\n', out);
}

static void grid_print(const struct grid *g, FILE *out) {
    size_t *width = memory_new(g->columns_n, sizeof *width);
    for (size_t j = 0; j < g->columns_n; j++) width[j] = grid_width(g, j);
    for (size_t i = 0; i < g->rows_n; i++) {
        if (row_breaks(g, i)) print_line(g, i, false, width, out);
        print_line(g, i, true, width, out);
    }
    free(width);
}

/* ---- pages ------------------------------------------------------------------------------------ */

struct page *page_create(void) {
    return memory_new(1, sizeof(struct page));
}

static struct block *page_add_block(struct page *p, enum block_kind kind) {
    p->blocks = memory_grow(p->blocks, p->blocks_n, sizeof *p->blocks);
    p->blocks[p->blocks_n].kind = kind;
    return &p->blocks[p->blocks_n++];
}

void page_add(struct page *p, enum block_kind kind, const char *format, ...) {
    va_list args;
    va_start(args, format);
    page_add_block(p, kind)->text = print_text(format, args);
    va_end(args);
}

void page_add_grid(struct page *p, struct grid *g) {
    page_add_block(p, BLOCK_GRID)->grid = g;
}

/* Words, broken so that no line passes PAGE_WIDTH where that is possible; `used` columns of the
 * first line are taken. */
static void print_wrapped(const char *text, size_t used, FILE *out) {
    bool starts = true;
    while (*text) {
        size_t n = strcspn(text, " ");
        char *word = memory_print("%.*s", (int)n, text);
        size_t width = text_width(word);
        bool fits = used + width + 1 <= PAGE_WIDTH;
        if (!starts) fputc(fits ? ' ' : '\n', out);
        used = starts ? used + width : fits ? used + 1 + width : width;
        starts = false;
        fputs(word, out);
        free(word);
        text += n + strspn(text + n, " ");
    }
    fputc('\n', out);
}

static void print_heading(const char *text, FILE *out, char line) {
    fprintf(out, "%s\n", text);
    for (size_t i = text_width(text); i; i--) fputc(line, out);
    fputc('\n', out);
}

static void print_block(const struct block *b, FILE *out) {
    size_t used = 0;
    switch (b->kind) {
    case BLOCK_TITLE:
        print_heading(b->text, out, '=');
        break;
    case BLOCK_HEADING:
        print_heading(b->text, out, '-');
        break;
    case BLOCK_GRID:
        grid_print(b->grid, out);
        break;
    case BLOCK_WARNING:
        fputs("Warning: ", out);
        used = strlen("Warning: ");
        /* fall through */
    case BLOCK_HEADLINE:
    case BLOCK_TEXT:
        print_wrapped(b->text, used, out);
        break;
    }
}

void page_print(const struct page *p, FILE *out) {
    for (size_t i = 0; i < p->blocks_n; i++) {
        bool begins = p->blocks[i].kind <= BLOCK_HEADING || p->blocks[i].kind == BLOCK_GRID;
        bool after_grid = i && p->blocks[i - 1].kind == BLOCK_GRID;
        if (i && (begins || after_grid)) fputc('\n', out);
        print_block(&p->blocks[i], out);
    }
}

void page_free(struct page *p) {
    if (!p) return;
    for (size_t i = 0; i < p->blocks_n; i++) {
        free(p->blocks[i].text);
        grid_free(p->blocks[i].grid);
    }
    free(p->blocks);
    free(p);
}
