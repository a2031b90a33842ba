/* `imprint status`: every run of an experiment and how far it is, then one line that sums up. */
#ifndef SIM_STATUS_H
#define SIM_STATUS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "base/error.h"

struct status_options {
    bool quiet; /* the summaries only */
};

/* Folders results/<experiment>, or results: then all in it. STATUS_RUNS_FAILED, without a
 * sentence: some runs failed, diverged or left a damaged log. A plan that cannot be read does not
 * keep the other experiments from being shown. */
int status_print(const char *const *folders, size_t n, const struct status_options *o, FILE *out,
                 struct error *e);

#endif
