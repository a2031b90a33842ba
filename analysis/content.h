/* All that a log holds, in memory: every variable of its root and of /final (as `final_NAME`), its
 * coordinates and the root's attributes, whatever their names. A catalog numbers the names, so that
 * many logs can be laid side by side; a name has the same dimensions in all of them.
 *
 * Numbers of all types are kept as doubles (integers are exact up to 2^53). */
#ifndef ANALYSIS_CONTENT_H
#define ANALYSIS_CONTENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/h5.h"

/* Numbers or texts (no text is NULL); both NULL: not in this log. */
struct cells {
    size_t n;
    double *number;
    char **text;
};
bool cells_are_there(const struct cells *c);
void cells_free(struct cells *c);

struct catalog_dim {
    char *name;
    enum h5_kind kind; /* H5_INTS, H5_FLOATS, H5_TEXTS */
    char *units, *long_name, *note;
};

struct catalog_variable {
    char *name;
    bool is_text;
    size_t rank, dim[H5_RANK]; /* dim: numbers in the catalog */
    char *units, *long_name, *note;
    char *first; /* the log that it was first seen in */
};

struct catalog {
    size_t dims_n, variables_n, attrs_n;
    struct catalog_dim *dim;
    struct catalog_variable *variable;
    char **attr; /* names */
    struct map *dims, *variables, *attrs;
};
struct catalog *catalog_create(void);
void catalog_free(struct catalog *k);

struct attr_value {
    enum h5_kind kind; /* H5_NONE: absent */
    int64_t whole;     /* of H5_INTS */
    double number;     /* of H5_INTS and H5_FLOATS */
    char *text;        /* of H5_TEXTS */
};

struct content {
    size_t dims_n, variables_n, attrs_n; /* what the catalog held when this was read */
    struct cells *dim, *variable;
    struct attr_value *attr;
};

/* The file is opened once. A log that cannot be read, or that contradicts the catalog, is a
 * sentence and leaves *c empty; its names may stay in the catalog. */
int content_read(struct content *c, struct catalog *k, const char *path, struct error *e);
void content_free(struct content *c);
/* NULL: the log has no such thing. `i` is a number of the catalog or MAP_NONE. */
const struct cells *content_dim(const struct content *c, long i);
const struct cells *content_variable(const struct content *c, long i);
const struct attr_value *content_attr(const struct content *c, long i);
bool attr_equal(const struct attr_value *a, const struct attr_value *b);

#endif
