/* The log of a run: results/<experiment>/runs/<run id>.h5, flat and readable by netCDF and xarray
 * (docs/log-format.md). Written whole each time, beside the old one and renamed over it. */
#ifndef SIM_LOG_H
#define SIM_LOG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "sim/rows.h"

struct log_about {
    const struct config *config;
    const struct timeline *timeline;
    const struct dataset *data;
    const char *const *layers;   /* [rows->widths.layers] */
    const char *const *branches; /* [rows->widths.branches] */
    const char *twin_id;         /* run id of the clean twin */
    const char *created;         /* UTC, ISO 8601; see log_time */
    int threads;
    const uint32_t *probe_index; /* [probes] official indices, NULL: no Fisher */
    size_t probes;
    bool record_host; /* host and user names too */
};

enum { LOG_TIME = 32 };
void log_time(char text[LOG_TIME]); /* now */

/* Rows 0..last so far. status: "running", "done", "diverged", "interrupted". */
int log_write(const char *path, const struct log_about *about, struct rows *rows, int64_t last,
              const char *status, struct error *e);

/* How the run of a log ended, if there is an undamaged one. */
enum log_end { LOG_END_NOT, LOG_END_DONE, LOG_END_DIVERGED };
enum log_end log_end(const char *path);

#endif
