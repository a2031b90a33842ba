/* Two HDF5 files compared dataset by dataset and attribute by attribute, for `imprint verify`. */
#ifndef SIM_COMPARE_H
#define SIM_COMPARE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/h5.h"
#include "base/text.h"

/* How the numbers of a dataset are compared. Texts and integers are equal or not. */
enum compare_by {
    COMPARE_NOT,      /* left out */
    COMPARE_BITS,     /* NaN equals NaN of any payload; 0 and -0 differ */
    COMPARE_ABSOLUTE, /* the mean of |a - b| is within the tolerance */
    COMPARE_RELATIVE, /* the mean of |a - b| is within the tolerance times the mean of |a| */
    COMPARE_SHOWN     /* a difference is shown and does not count */
};

struct compare_rule {
    enum compare_by by;
    double tolerance;
    double first_row; /* besides, every |a - b| in row 0 is within this times the largest |a| there;
                         0: not asked */
};

struct compare_rules {
    struct compare_rule (*dataset)(const void *context, const char *name);
    struct compare_rule (*attribute)(const void *context, const char *name); /* of the root group */
    const void *context;
    bool b_may_have_more; /* what only b has is shown and does not count */
    const char *a, *b;    /* what each file is called in a line: "in the log", "trained" */
};

struct compare_count {
    size_t datasets, values, attributes; /* compared */
    size_t equal;                        /* datasets that are equal bit for bit */
    size_t datasets_differ, attributes_differ;
};

/* Adds to `count`, and to `lines` one indented line per dataset or attribute that differs: where
 * first, both values, ulps apart; within a tolerance, the mean deviation and where it is largest. STATUS_FAILED when a
 * file cannot be read; differences are no failure. */
int compare_files(struct h5_reader *a, struct h5_reader *b, const struct compare_rules *rules,
                  struct compare_count *count, struct text *lines, struct error *e);

/* How many doubles (element 8) or floats (element 4) lie between, plus one; 0: the same bits. 0 and
 * -0 are neighbours. Neither is NaN. */
uint64_t compare_ulps(double a, double b, size_t element);

#endif
