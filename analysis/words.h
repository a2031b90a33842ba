/* Numbers as the report's sentences, tables and .tsv files show them. */
#ifndef ANALYSIS_WORDS_H
#define ANALYSIS_WORDS_H

#include <stdio.h>

#include "analysis/page.h"
#include "analysis/stats.h"

/* text + separator + more, without the separator where text is empty; frees both. */
char *words_join(char *text, const char *separator, char *more);
/* "[1.2, 3.4]", "-" without an interval; malloc'ed. */
char *words_interval(struct interval t, int digits);
/* ", 95 % interval [1.2, 3.4]" or ", no interval from one seed", for the middle of a sentence. */
char *words_with_interval(struct interval t, int digits);

/* A cell; NaN leaves it alone, and what rounds to 0 has no sign. */
void words_cell(struct grid *g, size_t row, size_t column, double v, int digits);
void words_cell_interval(struct grid *g, size_t row, size_t column, struct interval t, int digits);

/* "\t0.1234567891", "\tNaN"; mean, low and high. */
void words_save(FILE *out, double v);
void words_save_interval(FILE *out, struct interval t);

#endif
