/* The report of runs on data with targets, which have no accuracy: final test losses and what they are
 * above the clean twins', paired by seed. */
#ifndef ANALYSIS_LOSSES_H
#define ANALYSIS_LOSSES_H

#include "analysis/page.h"
#include "analysis/summary.h"

/* Do these runs have final losses in place of accuracies? */
bool losses_apply(const struct results *r);
/* A heading and a table for each part. */
void losses_write(struct page *p, const struct summary *s);
/* The same with every number in full, a line per row. */
int losses_save(const struct summary *s, const char *path, struct error *e);

#endif
