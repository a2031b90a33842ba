/* Progress on stderr: one line that is redrawn on a terminal, plain lines otherwise. */
#ifndef SIM_PROGRESS_H
#define SIM_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

#include "sim/run.h"

struct progress {
    bool quiet, terminal;
    int64_t done, total; /* epochs of the whole work */
    double began;        /* seconds, monotonic */
    double drawn;        /* when the line was last drawn */
};

struct progress progress_begin(int64_t total, bool quiet);
/* One more epoch is done; `runs` is a short text beside the bar ("7/36 runs"), may be "". */
void progress_epoch(struct progress *p, const struct run_progress *now, const char *runs);
/* A line of its own above the bar. */
void progress_say(struct progress *p, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void progress_end(struct progress *p);

#endif
