/* One part of a sweep as a block of cells: which axes it has, which run stands in which cell, and
 * the coordinates that its runs have together (every epoch, every layer that any of them has).
 *
 * Axes whose labels always move together (zip) are one dimension, the first of them. Everything
 * here belongs to the sheet, apart from what `results` and `source` own. */
#ifndef ANALYSIS_SHEET_H
#define ANALYSIS_SHEET_H

#include "analysis/content.h"
#include "analysis/results.h"

/* A log of the results, read. */
struct source {
    const char *status; /* "done", "running", "interrupted", "diverged", "failed", "missing" or
                           "damaged"; for the last two the content is empty */
    struct content content;
};

struct sheet_label {
    const char *text;
    int64_t whole;
    double number;
};

struct sheet_axis {
    const char *asked; /* as the config names it */
    char *name;        /* as a netCDF dimension or variable */
    enum h5_kind kind; /* H5_INTS, H5_FLOATS (both in ascending order) or H5_TEXTS (as found) */
    size_t n;
    struct sheet_label *label; /* [n] */
    size_t *at;                /* [points] */
    size_t leader;             /* the axis that is its dimension; itself unless it follows one */
};

struct sheet {
    const char *part;
    char *group; /* "" or "part/" */
    size_t points_n, axes_n, logs_n, dims_n;
    const struct point **point;
    struct sheet_axis *axis;
    struct map *names;   /* of its variables */
    size_t rank;         /* axes that are dimensions */
    size_t cells, *cell; /* SIZE_MAX: too many to count; cell: [points], of sheet_place */
    struct cells *dim;   /* [dims_n] coordinates of all its logs; n = 0: none has it */
    size_t **place;      /* [logs_n, dims_n] places of a log's coordinates; NULL: the same */
};

/* Parts in the order of the manifest; the first is the root. */
struct sheet *sheets_create(const struct results *r, const struct catalog *k,
                            const struct source *source, size_t *n);
void sheets_free(struct sheet *s, size_t n);

/* A point's run of this role; its twin is known from the manifest or from its log. NULL: unknown. */
const struct log *point_run(const struct results *r, const struct catalog *k,
                            const struct source *source, const struct point *p, enum run_role role);

/* Values in an array of this variable; SIZE_MAX: too many to count. */
size_t sheet_values(const struct sheet *s, const struct catalog_variable *v);
/* In which cell each point stands; two in one cell are an error. */
int sheet_place(struct sheet *s, const char *path, struct error *e);
/* Copy what log number `log` holds of a variable (`from`, of its content `c`) into a point's cell
 * of `number` or, when that is NULL, of `text` (both of sheet_values values). */
void sheet_copy(const struct sheet *s, const struct catalog_variable *v, size_t point, size_t log,
                const struct content *c, const struct cells *from, double *number,
                const char **text);
/* A name for the variable of an attribute: its own, or run_ATTR when that is taken. free() it. */
char *sheet_name(struct sheet *s, const char *attr);
/* The names of the sheet's dimensions, then the variable's own. */
size_t sheet_dims(const struct sheet *s, const struct catalog *k, const struct catalog_variable *v,
                  const char *dims[H5_RANK]);

#endif
