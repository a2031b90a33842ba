/* A report as a list of blocks, so that the screen and report.html say the same words. */
#ifndef ANALYSIS_PAGE_H
#define ANALYSIS_PAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/* A table: the first row is the header, whose cells may break into two lines; owned texts. */
struct grid {
    size_t columns_n, rows_n;
    char ***cells; /* [rows][columns] */
    bool *left;    /* [columns] aligned left instead of right */
};

struct grid *grid_create(size_t columns_n);
size_t grid_add_row(struct grid *g); /* its cells are NULL: shown as "-" */
void grid_set(struct grid *g, size_t row, size_t column, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
void grid_free(struct grid *g);

enum block_kind {
    BLOCK_TITLE,
    BLOCK_HEADING,
    BLOCK_HEADLINE,
    BLOCK_TEXT,
    BLOCK_WARNING,
    BLOCK_GRID
};

struct block {
    enum block_kind kind;
    char *text;
    struct grid *grid;
};

struct page {
    size_t blocks_n;
    struct block *blocks;
};

struct page *page_create(void);
void page_add(struct page *p, enum block_kind kind, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void page_add_grid(struct page *p, struct grid *g); /* takes g */
void page_print(const struct page *p, FILE *out);   /* plain text, wrapped at 100 columns */
void page_free(struct page *p);

#endif
