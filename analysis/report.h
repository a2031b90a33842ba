/* `imprint report DIR...`: tables on `out`; for each folder summary.tsv, figures/ and a
 * self-contained report.html in it (beside a single log: in <log>-report/). What a report writes
 * is derived from the logs and is made anew each time.
 *
 * A report of folders of which one cannot be read goes on with the others and returns that
 * folder's status at the end. Missing gnuplot is a sentence, not a failure. */
#ifndef ANALYSIS_REPORT_H
#define ANALYSIS_REPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "base/error.h"

struct report_options {
    bool figures;        /* false: tables and report.html without figures */
    const char *against; /* a summary.tsv, or a folder with one, to compare with; NULL: none */
};

int report_main(const char *const *dirs, size_t n, const struct report_options *o, FILE *out,
                struct error *e);

#endif
