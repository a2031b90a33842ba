/* `imprint report --against REF`: every row of a report beside the same row of an earlier one.
 * REF is a summary.tsv (as under results/reference/) or a folder that holds one. */
#ifndef ANALYSIS_AGAINST_H
#define ANALYSIS_AGAINST_H

#include "analysis/page.h"
#include "analysis/summary.h"

int against_write(struct page *p, const struct summary *s, const char *path, struct error *e);

#endif
