/* The words and tables of a report, computed from the summary: no claim is written down that the
 * numbers do not make. */
#ifndef ANALYSIS_FINDINGS_H
#define ANALYSIS_FINDINGS_H

#include "analysis/page.h"
#include "analysis/summary.h"

/* Title, what ran and what did not, warnings; then each part's headline, table and notes,
 * and what windows of deficit cost by their onset (sensitivity.h). */
void findings_write(struct page *p, const struct summary *s);

/* One line per row with every number in full, for --against and for other programs. */
int findings_save(const struct summary *s, const char *path, struct error *e);

#endif
