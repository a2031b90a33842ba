/* `imprint table LOG|DIR NAME`: a variable of one log, or of all runs of a folder, as
 * tab-separated text with a header line, for gnuplot, awk and pandas. NaN is written "NaN". */
#ifndef ANALYSIS_TABLE_H
#define ANALYSIS_TABLE_H

#include <stdio.h>

#include "base/error.h"

/* One log: a line per entry of the first axis, a column per label of the second ("conv1", ...);
 * a text is written as it is. A folder: one line per value, with the columns run, part and the
 * sweep's axes, then the variable's own coordinates, then the value; runs without a log, and runs
 * whose log lacks the variable, have no line. `name` NULL lists the variables: name, shape, units,
 * long name (of a folder: those of its first log). */
int table_print(const char *path, const char *name, FILE *out, struct error *e);

#endif
