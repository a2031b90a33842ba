/* HDF5: the only file that calls the library. Files are written whole beside their place, synced
 * and renamed over it, so that a reader, a crash or a full disk never sees half a file.
 *
 * Writing: h5_create, then any number of puts, then h5_commit (or h5_abandon). The first failure
 * is kept and every later put does nothing; h5_commit reports it. Slashes in names make groups.
 * Every dataset has a dimension scale on every axis (netCDF-4 / xarray readable): `dims` names one
 * dataset per axis in the same group, which must have been put as a scale before. */
#ifndef BASE_H5_H
#define BASE_H5_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

enum { H5_RANK = 8, H5_NAME = 64 };

struct h5_writer;
struct h5_writer *h5_create(const char *path); /* never NULL; failures show at commit */

/* What a variable says of itself; any may be NULL. */
struct h5_about {
    const char *units;     /* "nats", "1", "epochs" */
    const char *long_name; /* one line */
    const char *note;      /* attribute "description" */
};

/* A coordinate (dimension scale) of n numbers, integers or labels (variable length, UTF-8). */
void h5_put_scale_ints(struct h5_writer *w, const char *name, const int64_t *v, size_t n,
                       const struct h5_about *about);
void h5_put_scale_reals(struct h5_writer *w, const char *name, const double *v, size_t n,
                        const struct h5_about *about);
void h5_put_scale_texts(struct h5_writer *w, const char *name, const char *const *v, size_t n,
                        const struct h5_about *about);

/* An axis without coordinates, as netCDF-4 marks it; kept when it is there already. */
void h5_put_dimension(struct h5_writer *w, const char *name, size_t n);

/* Variables. dims[i] is the scale of axis i; the shape is taken from the scales. rank 0: scalar.
 * Doubles get _FillValue NaN. */
void h5_put_doubles(struct h5_writer *w, const char *name, const double *v, size_t rank,
                    const char *const *dims, const struct h5_about *about);
void h5_put_floats(struct h5_writer *w, const char *name, const float *v, size_t rank,
                   const char *const *dims, const struct h5_about *about);
void h5_put_ints(struct h5_writer *w, const char *name, const int64_t *v, size_t rank,
                 const char *const *dims, const struct h5_about *about);
void h5_put_bytes(struct h5_writer *w, const char *name, const uint8_t *v, size_t rank,
                  const char *const *dims, const struct h5_about *about);
void h5_put_texts(struct h5_writer *w, const char *name, const char *const *v, size_t rank,
                  const char *const *dims, const struct h5_about *about); /* as the labels above */
void h5_put_text(struct h5_writer *w, const char *name, const char *text,
                 const struct h5_about *about); /* scalar, variable length, UTF-8 */
/* Tensors (of states), whose axes have no coordinates: they get dimensions named by axis and extent
 * ("axis0_16"), shared in the group. element: 4 or 8 bytes, float or double. */
void h5_put_tensor(struct h5_writer *w, const char *name, const void *v, size_t element,
                   size_t rank, const size_t *shape, const struct h5_about *about);
/* Of a tensor that was put with v NULL: rows [first, last) of axis 0. */
void h5_put_rows(struct h5_writer *w, const char *name, size_t first, size_t last, const void *v,
                 size_t element);

void h5_put_attr_text(struct h5_writer *w, const char *object, const char *name, const char *text);
void h5_put_attr_int(struct h5_writer *w, const char *object, const char *name, int64_t value);
void h5_put_attr_real(struct h5_writer *w, const char *object, const char *name, double value);

/* Adds attribute content_digest (XXH3-128 over names, types, shapes, bytes and attributes), closes,
 * syncs when `durable`, renames into place. Frees w in every case. */
int h5_commit(struct h5_writer *w, bool durable, struct error *e);
/* For content-addressed files: a whole file that is there already stays untouched. STATUS_OK when it
 * has the same content digest, STATUS_DIFFERS when it has another; a damaged one is replaced. */
int h5_commit_once(struct h5_writer *w, struct error *e);
void h5_abandon(struct h5_writer *w);

/* Files that imprint wrote end in a seal, a hash of all their bytes, so that a torn or flipped one
 * is refused before the library reads it (which may crash on damaged files); other programs do not
 * see it. h5_open takes any file without a broken seal, h5_open_sealed only sealed ones. */
enum h5_seal {
    H5_UNSEALED, /* none at its end: another program's file, one cut short, or none to read */
    H5_SEALED,
    H5_BROKEN
};
enum h5_seal h5_seal(const char *path);
struct h5_reader;
int h5_open(struct h5_reader **r, const char *path, struct error *e); /* no locking */
int h5_open_sealed(struct h5_reader **r, const char *path, struct error *e);
void h5_close(struct h5_reader *r);
bool h5_has(const struct h5_reader *r, const char *name);
/* Shape (rank returned, -1 when there is no such dataset) and scale names of its axes. */
int h5_shape(const struct h5_reader *r, const char *name, size_t shape[H5_RANK]);
int h5_dim_name(const struct h5_reader *r, const char *name, size_t axis, char text[H5_NAME]);
enum h5_kind { H5_NONE, H5_FLOATS, H5_INTS, H5_BYTES /* uint8 */, H5_TEXTS };
enum h5_kind h5_kind(const struct h5_reader *r, const char *name, size_t *element);
/* Whole datasets into the caller's memory, converted. STATUS_FAILED with a sentence otherwise. */
int h5_get_doubles(struct h5_reader *r, const char *name, double *v, struct error *e);
int h5_get_floats(struct h5_reader *r, const char *name, float *v, struct error *e);
int h5_get_ints(struct h5_reader *r, const char *name, int64_t *v, struct error *e);
int h5_get_raw(struct h5_reader *r, const char *name, size_t element, void *v, struct error *e);
/* Rows [first, last) of axis 0, as stored (bytes or floats): for user data sets. */
int h5_get_rows(struct h5_reader *r, const char *name, size_t first, size_t last, void *v,
                struct error *e);
/* The same of integers of any type, converted. */
int h5_get_int_rows(struct h5_reader *r, const char *name, size_t first, size_t last, int64_t *v,
                    struct error *e);
char *h5_get_text(struct h5_reader *r, const char *name);              /* malloc'ed; NULL: none */
char **h5_get_texts(struct h5_reader *r, const char *name, size_t *n); /* malloc'ed, each too */
char *h5_attr_text(struct h5_reader *r, const char *object, const char *name); /* NULL: none */
int64_t h5_attr_int(struct h5_reader *r, const char *object, const char *name, int64_t absent);
double h5_attr_real(struct h5_reader *r, const char *object, const char *name); /* NaN: none */
/* Names of the datasets (not groups) of a group, in order of name; malloc'ed, each too. */
char **h5_list(struct h5_reader *r, const char *group, size_t *n);
/* The same of all groups, as paths ("final/rows"), in order of their bytes. */
char **h5_list_all(struct h5_reader *r, size_t *n);
/* Names of an object's attributes likewise, and what kind one is (H5_NONE: there is none). */
char **h5_attr_list(struct h5_reader *r, const char *object, size_t *n);
enum h5_kind h5_attr_kind(struct h5_reader *r, const char *object, const char *name);
/* Recompute the content digest and compare with the stored one. STATUS_DIFFERS: not equal. */
int h5_check_digest(struct h5_reader *r, struct error *e);

#endif
