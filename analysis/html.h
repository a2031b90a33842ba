/* report.html: words, tables, figures, config and provenance of one folder in one file that refers
 * to nothing outside itself. Written beside its place and renamed over it. */
#ifndef ANALYSIS_HTML_H
#define ANALYSIS_HTML_H

#include "analysis/figures.h"
#include "analysis/page.h"
#include "analysis/results.h"

/* `figures` may be NULL. */
int html_save(const char *path, const struct page *page, const struct figures *figures,
              const struct results *results, struct error *e);

#endif
