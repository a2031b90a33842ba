/* HDF5 files, whole or not at all: see h5.h.
 *
 * The library writes into a temporary file, through a driver that keeps failures from it (see
 * h5_medium.h); sealed, synced and renamed it is a whole one. Content goes straight from the caller's
 * memory to the file, and is read back for digest and seal a piece at a time: writing takes no
 * memory beside.
 *
 * The trap: netCDF and xarray want a dimension scale on every axis, in the variable's own group.
 * Axes without coordinates get scales whose NAME says "This is a netCDF dimension but not a netCDF
 * variable.", which is netCDF-4's own convention for them. */
#include "base/h5.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <hdf5.h>
#include <hdf5_hl.h>
#include <xxhash.h>

#include "base/h5_medium.h"
#include "base/hash.h"
#include "base/system.h"

enum { PATH_TEXT = 4096, PIECE = 1 << 16 /* bytes read at a time for digests and seals */ };
#define DIMENSION_ONLY "This is a netCDF dimension but not a netCDF variable."

/* H5Lexists wants every group on the way to exist. */
static bool has_path(hid_t file, const char *name) {
    char part[PATH_TEXT];
    for (const char *slash = name; (slash = strchr(slash + 1, '/'));) {
        snprintf(part, sizeof part, "%.*s", (int)(slash - name), name);
        if (H5Lexists(file, part, H5P_DEFAULT) <= 0) return false;
    }
    return H5Lexists(file, name, H5P_DEFAULT) > 0;
}

/* ---- writing --------------------------------------------------------------------------------- */

struct h5_writer {
    hid_t file;
    hid_t link;   /* creates missing groups on the way */
    hid_t create; /* data set creation: no time stamps, so that equal content is equal bytes */
    char *path;
    char temporary[PATH_TEXT];
    struct h5_medium medium; /* the temporary file; fd -1: there is none, or none any more */
    struct error e;
};

static void writer_fail(struct h5_writer *w, const char *what, const char *name) {
    if (w->e.status) return;
    error_set(&w->e, STATUS_FAILED, "%s: cannot %s '%s' (HDF5 refused it)", w->path, what, name);
}

static hid_t ordered_file(void) {
    hid_t p = H5Pcreate(H5P_FILE_CREATE);
    H5Pset_link_creation_order(p, H5P_CRT_ORDER_TRACKED | H5P_CRT_ORDER_INDEXED);
    H5Pset_attr_creation_order(p, H5P_CRT_ORDER_TRACKED | H5P_CRT_ORDER_INDEXED);
    H5Pset_obj_track_times(p, 0); /* of the root group */
    return p;
}

struct h5_writer *h5_create(const char *path) {
    struct h5_writer *w = calloc(1, sizeof *w);
    if (!w || !(w->path = strdup(path))) abort();
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
    system_temporary(w->temporary, sizeof w->temporary, path);
    w->medium.fd = open(w->temporary, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (w->medium.fd < 0) w->medium.problem = errno;
    hid_t access = h5_medium_access(&w->medium), creation = ordered_file();
    w->file = H5Fcreate(path, H5F_ACC_TRUNC, creation, access);
    H5Pclose(access);
    H5Pclose(creation);
    w->link = H5Pcreate(H5P_LINK_CREATE);
    H5Pset_create_intermediate_group(w->link, 1);
    w->create = H5Pcreate(H5P_DATASET_CREATE);
    H5Pset_obj_track_times(w->create, 0);
    H5Pset_attr_creation_order(w->create, H5P_CRT_ORDER_TRACKED | H5P_CRT_ORDER_INDEXED);
    if (w->file < 0) writer_fail(w, "create", path);
    return w;
}

/* Texts are of variable length: netCDF-C 4.9 crashes on reading any other in data sets, and Python
 * sees str in them where fixed lengths give bytes. */
static hid_t text_type(void) {
    hid_t type = H5Tcopy(H5T_C_S1);
    H5Tset_size(type, H5T_VARIABLE);
    H5Tset_cset(type, H5T_CSET_UTF8);
    return type;
}

static void put_attr(struct h5_writer *w, hid_t object, const char *name, hid_t type,
                     const void *value) {
    if (H5Aexists(object, name) > 0) H5Adelete(object, name);
    hid_t space = H5Screate(H5S_SCALAR);
    hid_t attr = H5Acreate2(object, name, type, space, H5P_DEFAULT, H5P_DEFAULT);
    if (attr < 0 || H5Awrite(attr, type, value) < 0) writer_fail(w, "write the attribute", name);
    if (attr >= 0) H5Aclose(attr);
    H5Sclose(space);
}

static void put_text_attr(struct h5_writer *w, hid_t object, const char *name, const char *text) {
    if (!text) return;
    hid_t type = text_type();
    put_attr(w, object, name, type, &text);
    H5Tclose(type);
}

static void describe(struct h5_writer *w, hid_t dataset, const struct h5_about *about) {
    if (!about) return;
    put_text_attr(w, dataset, "units", about->units);
    put_text_attr(w, dataset, "long_name", about->long_name);
    put_text_attr(w, dataset, "description", about->note);
}

/* The name of a sibling: `name` lies in the same group as `of`. */
static void sibling(char *out, const char *of, const char *name) {
    const char *slash = strrchr(of, '/');
    int group = slash ? (int)(slash - of) + 1 : 0;
    snprintf(out, PATH_TEXT, "%.*s%s", group, of, name);
}

static hid_t put_dataset(struct h5_writer *w, const char *name, hid_t type, size_t rank,
                         const hsize_t *shape, const void *data) {
    if (w->e.status) return -1;
    hid_t space = rank ? H5Screate_simple((int)rank, shape, NULL) : H5Screate(H5S_SCALAR);
    hid_t set = H5Dcreate2(w->file, name, type, space, w->link, w->create, H5P_DEFAULT);
    bool empty = rank && H5Sget_simple_extent_npoints(space) == 0;
    if (set < 0 || (!empty && data && H5Dwrite(set, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, data) < 0))
        writer_fail(w, "write", name);
    H5Sclose(space);
    return set;
}

static void put_scale(struct h5_writer *w, const char *name, hid_t type, const void *v, size_t n,
                      const struct h5_about *about) {
    hsize_t shape = n;
    hid_t set = put_dataset(w, name, type, 1, &shape, v);
    if (set < 0) return;
    const char *slash = strrchr(name, '/');
    if (H5DSset_scale(set, slash ? slash + 1 : name) < 0) writer_fail(w, "make a scale of", name);
    describe(w, set, about);
    H5Dclose(set);
}

void h5_put_scale_ints(struct h5_writer *w, const char *name, const int64_t *v, size_t n,
                       const struct h5_about *about) {
    put_scale(w, name, H5T_NATIVE_INT64, v, n, about);
}

void h5_put_scale_reals(struct h5_writer *w, const char *name, const double *v, size_t n,
                        const struct h5_about *about) {
    put_scale(w, name, H5T_NATIVE_DOUBLE, v, n, about);
}

void h5_put_scale_texts(struct h5_writer *w, const char *name, const char *const *v, size_t n,
                        const struct h5_about *about) {
    hid_t type = text_type();
    put_scale(w, name, type, v, n, about);
    H5Tclose(type);
}

static void attach(struct h5_writer *w, hid_t set, const char *name, unsigned axis,
                   const char *dim) {
    char path[PATH_TEXT];
    sibling(path, name, dim);
    hid_t scale = H5Dopen2(w->file, path, H5P_DEFAULT);
    if (scale < 0 || H5DSattach_scale(set, scale, axis) < 0)
        writer_fail(w, "attach a scale to", name);
    if (scale >= 0) H5Dclose(scale);
}

static hsize_t scale_length(struct h5_writer *w, const char *name, const char *dim) {
    char path[PATH_TEXT];
    sibling(path, name, dim);
    hid_t set = H5Dopen2(w->file, path, H5P_DEFAULT);
    if (set < 0) {
        writer_fail(w, "find the scale of", name);
        return 0;
    }
    hid_t space = H5Dget_space(set);
    hssize_t n = H5Sget_simple_extent_npoints(space);
    H5Sclose(space);
    H5Dclose(set);
    return n < 0 ? 0 : (hsize_t)n;
}

static hid_t put_variable(struct h5_writer *w, const char *name, hid_t type, const void *v,
                          size_t rank, const char *const *dims, const struct h5_about *about) {
    hsize_t shape[H5_RANK] = {0};
    assert(rank <= H5_RANK);
    for (size_t i = 0; i < rank && !w->e.status; i++) shape[i] = scale_length(w, name, dims[i]);
    hid_t set = put_dataset(w, name, type, rank, shape, v);
    if (set < 0) return set;
    for (size_t i = 0; i < rank; i++) attach(w, set, name, (unsigned)i, dims[i]);
    describe(w, set, about);
    return set;
}

void h5_put_doubles(struct h5_writer *w, const char *name, const double *v, size_t rank,
                    const char *const *dims, const struct h5_about *about) {
    double missing = NAN;
    hid_t set = put_variable(w, name, H5T_NATIVE_DOUBLE, v, rank, dims, about);
    if (set < 0) return;
    put_attr(w, set, "_FillValue", H5T_NATIVE_DOUBLE, &missing);
    H5Dclose(set);
}

static void put_plain(struct h5_writer *w, const char *name, hid_t type, const void *v, size_t rank,
                      const char *const *dims, const struct h5_about *about) {
    hid_t set = put_variable(w, name, type, v, rank, dims, about);
    if (set >= 0) H5Dclose(set);
}

void h5_put_floats(struct h5_writer *w, const char *name, const float *v, size_t rank,
                   const char *const *dims, const struct h5_about *about) {
    put_plain(w, name, H5T_NATIVE_FLOAT, v, rank, dims, about);
}

void h5_put_ints(struct h5_writer *w, const char *name, const int64_t *v, size_t rank,
                 const char *const *dims, const struct h5_about *about) {
    put_plain(w, name, H5T_NATIVE_INT64, v, rank, dims, about);
}

void h5_put_bytes(struct h5_writer *w, const char *name, const uint8_t *v, size_t rank,
                  const char *const *dims, const struct h5_about *about) {
    put_plain(w, name, H5T_NATIVE_UINT8, v, rank, dims, about);
}

void h5_put_texts(struct h5_writer *w, const char *name, const char *const *v, size_t rank,
                  const char *const *dims, const struct h5_about *about) {
    hid_t type = text_type();
    put_plain(w, name, type, v, rank, dims, about);
    H5Tclose(type);
}

void h5_put_text(struct h5_writer *w, const char *name, const char *text,
                 const struct h5_about *about) {
    h5_put_texts(w, name, &text, 0, NULL, about);
}

void h5_put_dimension(struct h5_writer *w, const char *name, size_t n) {
    if (w->e.status || has_path(w->file, name)) return;
    uint8_t *zeros = calloc(n ? n : 1, 1);
    if (!zeros) abort();
    hsize_t shape = n;
    char label[128];
    snprintf(label, sizeof label, DIMENSION_ONLY "%10zu", n);
    hid_t set = put_dataset(w, name, H5T_NATIVE_UINT8, 1, &shape, zeros);
    if (set >= 0 && H5DSset_scale(set, label) < 0) writer_fail(w, "make a scale of", name);
    if (set >= 0) H5Dclose(set);
    free(zeros);
}

static hid_t float_type(size_t element) {
    return element == sizeof(float) ? H5T_NATIVE_FLOAT : H5T_NATIVE_DOUBLE;
}

void h5_put_tensor(struct h5_writer *w, const char *name, const void *v, size_t element,
                   size_t rank, const size_t *shape, const struct h5_about *about) {
    hsize_t extent[H5_RANK];
    char dims[H5_RANK][H5_NAME], path[PATH_TEXT];
    assert(rank <= H5_RANK);
    for (size_t i = 0; i < rank; i++) {
        extent[i] = shape[i];
        snprintf(dims[i], H5_NAME, "axis%zu_%zu", i, shape[i]);
    }
    hid_t set = put_dataset(w, name, float_type(element), rank, extent, v);
    if (set < 0) return;
    for (size_t i = 0; i < rank; i++) {
        sibling(path, name, dims[i]);
        h5_put_dimension(w, path, shape[i]);
        attach(w, set, name, (unsigned)i, dims[i]);
    }
    describe(w, set, about);
    H5Dclose(set);
}

static herr_t select_rows(hid_t space, size_t first, size_t last, hid_t *memory) {
    hsize_t shape[H5S_MAX_RANK], start[H5S_MAX_RANK] = {0};
    int rank = H5Sget_simple_extent_dims(space, shape, NULL);
    *memory = -1;
    if (rank < 1 || first > last || last > shape[0]) return -1;
    start[0] = first;
    shape[0] = last - first;
    *memory = H5Screate_simple(rank, shape, NULL);
    return H5Sselect_hyperslab(space, H5S_SELECT_SET, start, NULL, shape, NULL);
}

void h5_put_rows(struct h5_writer *w, const char *name, size_t first, size_t last, const void *v,
                 size_t element) {
    if (w->e.status) return;
    hid_t set = H5Dopen2(w->file, name, H5P_DEFAULT), memory = -1;
    hid_t space = set < 0 ? -1 : H5Dget_space(set);
    if (space < 0 || select_rows(space, first, last, &memory) < 0 ||
        H5Dwrite(set, float_type(element), memory, space, H5P_DEFAULT, v) < 0)
        writer_fail(w, "write rows of", name);
    if (memory >= 0) H5Sclose(memory);
    if (space >= 0) H5Sclose(space);
    if (set >= 0) H5Dclose(set);
}

/* ---- attributes of objects already put; "/" is the root ---- */

static hid_t open_object(hid_t file, const char *object) {
    return H5Oopen(file, *object ? object : "/", H5P_DEFAULT);
}

static void put_object_attr(struct h5_writer *w, const char *object, const char *name, hid_t type,
                            const void *value) {
    if (w->e.status) return;
    hid_t o = open_object(w->file, object);
    if (o < 0) {
        writer_fail(w, "find", object);
        return;
    }
    put_attr(w, o, name, type, value);
    H5Oclose(o);
}

void h5_put_attr_text(struct h5_writer *w, const char *object, const char *name, const char *text) {
    hid_t type = text_type();
    put_object_attr(w, object, name, type, &text);
    H5Tclose(type);
}

void h5_put_attr_int(struct h5_writer *w, const char *object, const char *name, int64_t value) {
    put_object_attr(w, object, name, H5T_NATIVE_INT64, &value);
}

void h5_put_attr_real(struct h5_writer *w, const char *object, const char *name, double value) {
    put_object_attr(w, object, name, H5T_NATIVE_DOUBLE, &value);
}

/* ---- the content digest ---------------------------------------------------------------------- */

/* Links between variables and scales hold addresses in the file, not content. */
static bool is_content(const char *attr) {
    return strcmp(attr, "content_digest") && strcmp(attr, "DIMENSION_LIST") &&
           strcmp(attr, "REFERENCE_LIST");
}

static void digest_type(struct hash *h, hid_t type) {
    hash_int(h, (int64_t)H5Tget_class(type));
    hash_int(h, (int64_t)H5Tget_size(type));
}

/* Texts of variable length are read as pointers, which are freed here. */
static void digest_values(struct hash *h, hid_t type, hid_t space, void *value, size_t size) {
    if (H5Tis_variable_str(type) <= 0) {
        hash_bytes(h, value, size);
        return;
    }
    char **texts = value;
    for (size_t i = 0; i < size / sizeof *texts; i++) hash_text(h, texts[i]);
    H5Dvlen_reclaim(type, space, H5P_DEFAULT, value);
}

static herr_t digest_attr(hid_t object, const char *name, const H5A_info_t *info, void *into) {
    (void)info;
    if (!is_content(name)) return 0;
    hid_t attr = H5Aopen(object, name, H5P_DEFAULT), type = H5Aget_type(attr);
    hid_t space = H5Aget_space(attr);
    hssize_t n = H5Sget_simple_extent_npoints(space);
    size_t size = H5Tget_size(type) * (n > 0 ? (size_t)n : 0);
    void *value = calloc(size ? size : 1, 1);
    bool read = value && H5Aread(attr, type, value) >= 0;
    hash_text(into, name);
    digest_type(into, type);
    if (read) digest_values(into, type, space, value, size);
    free(value);
    H5Sclose(space);
    H5Tclose(type);
    H5Aclose(attr);
    return read ? 0 : -1;
}

static herr_t digest_attrs(hid_t object, struct hash *h) {
    return H5Aiterate2(object, H5_INDEX_NAME, H5_ITER_INC, NULL, digest_attr, h);
}

/* The values of a dataset, whole rows of axis 0 at a time. */
static herr_t digest_rows(struct hash *h, hid_t set, hid_t type, int rank, const hsize_t *shape) {
    hsize_t start[H5S_MAX_RANK] = {0}, count[H5S_MAX_RANK] = {1}, rows = rank ? shape[0] : 1;
    size_t row = H5Tget_size(type);
    for (int i = 1; i < rank; i++) row *= (size_t)(count[i] = shape[i]);
    if (row == 0 || rows == 0) return 0;
    size_t at_a_time = row < PIECE ? PIECE / row : 1;
    if (at_a_time > rows) at_a_time = (size_t)rows;
    void *values = malloc(at_a_time * row);
    hid_t file = H5Dget_space(set);
    herr_t status = values ? 0 : -1;
    for (; status >= 0 && start[0] < rows; start[0] += count[0]) {
        count[0] = rows - start[0] < at_a_time ? rows - start[0] : at_a_time;
        hid_t memory = rank ? H5Screate_simple(rank, count, NULL) : H5Screate(H5S_SCALAR);
        if (rank) H5Sselect_hyperslab(file, H5S_SELECT_SET, start, NULL, count, NULL);
        status = H5Dread(set, type, memory, file, H5P_DEFAULT, values);
        if (status >= 0) digest_values(h, type, memory, values, (size_t)count[0] * row);
        H5Sclose(memory);
    }
    H5Sclose(file);
    free(values);
    return status;
}

static herr_t digest_dataset(hid_t set, struct hash *h) {
    hid_t type = H5Dget_type(set), space = H5Dget_space(set);
    hsize_t shape[H5S_MAX_RANK];
    int rank = H5Sget_simple_extent_dims(space, shape, NULL);
    digest_type(h, type);
    hash_int(h, rank);
    for (int i = 0; i < rank; i++) hash_int(h, (int64_t)shape[i]);
    herr_t status = rank < 0 ? -1 : digest_rows(h, set, type, rank, shape);
    if (status >= 0) status = digest_attrs(set, h);
    H5Sclose(space);
    H5Tclose(type);
    return status;
}

static herr_t digest_object(hid_t file, const char *name, const H5O_info_t *info, void *into) {
    (void)info;
    hid_t object = H5Oopen(file, name, H5P_DEFAULT);
    if (object < 0) return -1;
    hash_text(into, name);
    herr_t status = H5Iget_type(object) == H5I_DATASET ? digest_dataset(object, into)
                                                       : digest_attrs(object, into);
    H5Oclose(object);
    return status;
}

static int file_digest(hid_t file, char text[HASH_TEXT]) {
    struct hash *h = hash_create();
    herr_t status = H5Ovisit2(file, H5_INDEX_NAME, H5_ITER_INC, digest_object, h, H5O_INFO_BASIC);
    hash_digest(h, text);
    hash_free(h);
    return status < 0 ? STATUS_FAILED : STATUS_OK;
}

/* ---- the seal -------------------------------------------------------------------------------- */

/* 32 bytes behind the HDF5 content, where the library does not look. */
struct seal {
    char magic[16];
    unsigned char hash[16];
};
static_assert(sizeof(struct seal) == 32, "a seal has no holes");
static const char seal_magic[16] = {'i', 'm', 'p', 'r', 'i', 'n', 't',  ' ',
                                    's', 'e', 'a', 'l', ' ', '1', '\n', 0};

/* Up to n bytes from `at` on, fewer where the file ends or cannot be read. */
static size_t read_at(int fd, void *into, size_t n, off_t at) {
    size_t done = 0;
    while (done < n) {
        ssize_t got = pread(fd, (char *)into + done, n - done, at + (off_t)done);
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) break;
        done += (size_t)got;
    }
    return done;
}

/* Of a file's first n bytes; false: they cannot be read. */
static bool seal_of(struct seal *s, int fd, off_t n) {
    unsigned char piece[PIECE];
    XXH128_canonical_t hash;
    XXH3_state_t *state = XXH3_createState();
    if (!state) abort();
    XXH3_128bits_reset(state);
    off_t at = 0;
    while (at < n) {
        size_t want = n - at < PIECE ? (size_t)(n - at) : PIECE, got = read_at(fd, piece, want, at);
        XXH3_128bits_update(state, piece, got);
        if (got < want) break;
        at += (off_t)got;
    }
    XXH128_canonicalFromHash(&hash, XXH3_128bits_digest(state));
    XXH3_freeState(state);
    memcpy(s->magic, seal_magic, sizeof s->magic);
    memcpy(s->hash, hash.digest, sizeof s->hash);
    return at == n;
}

static enum h5_seal seal_in(int fd) {
    struct seal is, shall;
    struct stat file;
    if (fstat(fd, &file) || file.st_size < (off_t)sizeof is) return H5_UNSEALED;
    off_t n = file.st_size - (off_t)sizeof is;
    if (read_at(fd, &is, sizeof is, n) < sizeof is) return H5_UNSEALED;
    if (memcmp(is.magic, seal_magic, sizeof seal_magic) != 0) return H5_UNSEALED;
    return seal_of(&shall, fd, n) && !memcmp(&is, &shall, sizeof is) ? H5_SEALED : H5_BROKEN;
}

enum h5_seal h5_seal(const char *path) {
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return H5_UNSEALED;
    enum h5_seal seal = seal_in(fd);
    close(fd);
    return seal;
}

/* ---- committing ------------------------------------------------------------------------------ */

static int write_all(int fd, const char *data, size_t n) {
    while (n) {
        ssize_t done = write(fd, data, n);
        if (done < 0 && errno == EINTR) continue;
        if (done <= 0) return -1;
        data += done;
        n -= (size_t)done;
    }
    return 0;
}

static void sync_folder(const char *path) {
    char copy[PATH_TEXT];
    snprintf(copy, sizeof copy, "%s", path);
    int fd = open(dirname(copy), O_RDONLY | O_DIRECTORY);
    if (fd < 0) return;
    (void)fsync(fd); /* some file systems refuse to sync a folder: nothing more can be done */
    close(fd);
}

/* STATUS_OK: a whole file of this content is at the writer's place; STATUS_DIFFERS: one of another
 * content; STATUS_FAILED: none. */
static int compare_there(const struct h5_writer *w, const char *digest) {
    struct h5_reader *there = NULL;
    if (h5_open_sealed(&there, w->path, NULL) || !there) return STATUS_FAILED;
    char *is = h5_attr_text(there, "/", "content_digest");
    int status = is && !strcmp(is, digest) ? STATUS_OK : STATUS_DIFFERS;
    free(is);
    h5_close(there);
    return status;
}

/* Everything is in the temporary file but its seal. Returns an errno. */
static int move_into_place(struct h5_writer *w, bool durable) {
    struct h5_medium *m = &w->medium;
    struct seal seal;
    if (!seal_of(&seal, m->fd, m->size)) return EIO;
    if (lseek(m->fd, m->size, SEEK_SET) < 0) return errno;
    if (write_all(m->fd, (const char *)&seal, sizeof seal)) return errno;
    if (durable && fsync(m->fd)) return errno;
    int closed = close(m->fd);
    m->fd = -1;
    if (closed || rename(w->temporary, w->path)) {
        int problem = errno;
        unlink(w->temporary);
        return problem;
    }
    if (durable) sync_folder(w->path);
    return 0;
}

/* Digests what was put; *there: a file of this content is at the writer's place already. */
static int conclude(struct h5_writer *w, bool once, bool *there, struct error *e) {
    char digest[HASH_TEXT];
    if (file_digest(w->file, digest))
        return error_set(e, STATUS_FAILED, "%s: cannot digest its content", w->path);
    int status = once ? compare_there(w, digest) : STATUS_FAILED;
    if (status == STATUS_DIFFERS)
        return error_set(e, STATUS_DIFFERS, "%s: holds another content than was computed now",
                         w->path);
    *there = status == STATUS_OK;
    h5_put_attr_text(w, "/", "content_digest", digest);
    if (w->e.status && e) *e = w->e;
    return w->e.status;
}

static herr_t close_file(struct h5_writer *w) {
    H5Pclose(w->create);
    H5Pclose(w->link);
    herr_t status = w->file >= 0 ? H5Fclose(w->file) : -1;
    w->file = -1;
    return status;
}

static void writer_free(struct h5_writer *w) {
    if (w->medium.fd >= 0) {
        close(w->medium.fd);
        unlink(w->temporary);
    }
    free(w->path);
    free(w);
}

void h5_abandon(struct h5_writer *w) {
    if (!w) return;
    close_file(w);
    writer_free(w);
}

static int commit(struct h5_writer *w, bool once, bool durable, struct error *e) {
    bool there = false;
    int status = w->e.status, problem = 0;
    if (status && e) *e = w->e;
    if (!status && !w->medium.problem) status = conclude(w, once, &there, e);
    if (close_file(w) < 0 && !status)
        status = error_set(e, STATUS_FAILED, "%s: cannot write it (HDF5 refused it)", w->path);
    /* First of all, since what follows from it, a mistake or another digest, means nothing. */
    if (!there) problem = w->medium.problem;
    if (!status && !there && !problem) problem = move_into_place(w, durable);
    if (problem)
        status = error_set(e, STATUS_FAILED, "%s: cannot write it: %s", w->path, strerror(problem));
    writer_free(w);
    return status;
}

int h5_commit(struct h5_writer *w, bool durable, struct error *e) {
    return commit(w, false, durable, e);
}

int h5_commit_once(struct h5_writer *w, struct error *e) {
    return commit(w, true, true, e);
}

/* ---- reading --------------------------------------------------------------------------------- */

struct h5_reader {
    hid_t file;
    char *path;
};

static int open_file(struct h5_reader **out, const char *path, bool must_be_sealed,
                     struct error *e) {
    *out = NULL;
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
    if (access(path, R_OK))
        return error_set(e, STATUS_FAILED, "%s: cannot read it: %s", path, strerror(errno));
    enum h5_seal seal = h5_seal(path);
    if (seal == H5_BROKEN || (must_be_sealed && seal == H5_UNSEALED))
        return error_set(e, STATUS_FAILED, "%s: it is damaged: its bytes do not match its seal",
                         path);
    hid_t access_list = H5Pcreate(H5P_FILE_ACCESS);
#if H5_VERSION_GE(1, 10, 7)
    H5Pset_file_locking(access_list, 0, 1);
#endif
    hid_t file = H5Fopen(path, H5F_ACC_RDONLY, access_list);
    H5Pclose(access_list);
    if (file < 0)
        return error_set(e, STATUS_FAILED, "%s: not an HDF5 file, or a damaged one", path);
    struct h5_reader *r = calloc(1, sizeof *r);
    if (!r || !(r->path = strdup(path))) abort();
    r->file = file;
    *out = r;
    return STATUS_OK;
}

int h5_open(struct h5_reader **r, const char *path, struct error *e) {
    return open_file(r, path, false, e);
}

int h5_open_sealed(struct h5_reader **r, const char *path, struct error *e) {
    return open_file(r, path, true, e);
}

void h5_close(struct h5_reader *r) {
    if (!r) return;
    H5Fclose(r->file);
    free(r->path);
    free(r);
}

static hid_t open_dataset(const struct h5_reader *r, const char *name) {
    if (!has_path(r->file, name)) return -1;
    hid_t object = H5Oopen(r->file, name, H5P_DEFAULT);
    if (object >= 0 && H5Iget_type(object) != H5I_DATASET) {
        H5Oclose(object);
        return -1;
    }
    return object;
}

bool h5_has(const struct h5_reader *r, const char *name) {
    hid_t set = open_dataset(r, name);
    if (set < 0) return false;
    H5Oclose(set);
    return true;
}

int h5_shape(const struct h5_reader *r, const char *name, size_t shape[H5_RANK]) {
    hid_t set = open_dataset(r, name);
    if (set < 0) return -1;
    hid_t space = H5Dget_space(set);
    hsize_t extent[H5S_MAX_RANK];
    int rank = H5Sget_simple_extent_dims(space, extent, NULL);
    for (int i = 0; i < rank && i < H5_RANK; i++) shape[i] = (size_t)extent[i];
    H5Sclose(space);
    H5Oclose(set);
    return rank > H5_RANK ? -1 : rank;
}

/* A scale's own name when it is that of a variable beside it, as in all files of imprint. Asking the
 * library where the scale lies makes it search the whole file. */
static herr_t first_scale(hid_t set, unsigned axis, hid_t scale, void *text) {
    (void)axis;
    char path[PATH_TEXT], of[PATH_TEXT];
    ssize_t n = H5DSget_scale_name(scale, text, H5_NAME);
    if (n > 0 && n < H5_NAME && !strchr(text, '/') && H5Iget_name(set, of, sizeof of) > 0) {
        sibling(path, of, text);
        if (has_path(set, path)) return 1;
    }
    if (H5Iget_name(scale, path, sizeof path) <= 0) return -1;
    const char *slash = strrchr(path, '/');
    snprintf(text, H5_NAME, "%.*s", H5_NAME - 1, slash ? slash + 1 : path);
    return 1;
}

int h5_dim_name(const struct h5_reader *r, const char *name, size_t axis, char text[H5_NAME]) {
    hid_t set = open_dataset(r, name);
    if (set < 0) return STATUS_FAILED;
    text[0] = '\0';
    herr_t found = H5DSiterate_scales(set, (unsigned)axis, NULL, first_scale, text);
    H5Oclose(set);
    return found > 0 ? STATUS_OK : STATUS_FAILED;
}

/* Closes the type. */
static enum h5_kind type_kind(hid_t type, size_t *element) {
    H5T_class_t class = H5Tget_class(type);
    bool bytes =
        class == H5T_INTEGER && H5Tget_size(type) == 1 && H5Tget_sign(type) == H5T_SGN_NONE;
    if (element) *element = H5Tget_size(type);
    H5Tclose(type);
    if (class == H5T_FLOAT) return H5_FLOATS;
    if (class == H5T_INTEGER) return bytes ? H5_BYTES : H5_INTS;
    return class == H5T_STRING ? H5_TEXTS : H5_NONE;
}

enum h5_kind h5_kind(const struct h5_reader *r, const char *name, size_t *element) {
    hid_t set = open_dataset(r, name);
    if (set < 0) return H5_NONE;
    enum h5_kind kind = type_kind(H5Dget_type(set), element);
    H5Oclose(set);
    return kind;
}

static int get(struct h5_reader *r, const char *name, hid_t type, void *v, struct error *e) {
    hid_t set = open_dataset(r, name);
    if (set < 0) return error_set(e, STATUS_FAILED, "%s: has no variable '%s'", r->path, name);
    herr_t status = H5Dread(set, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, v);
    H5Oclose(set);
    if (status >= 0) return STATUS_OK;
    return error_set(e, STATUS_FAILED, "%s: cannot read '%s' (damaged, or of another type)",
                     r->path, name);
}

int h5_get_doubles(struct h5_reader *r, const char *name, double *v, struct error *e) {
    return get(r, name, H5T_NATIVE_DOUBLE, v, e);
}

int h5_get_floats(struct h5_reader *r, const char *name, float *v, struct error *e) {
    return get(r, name, H5T_NATIVE_FLOAT, v, e);
}

int h5_get_ints(struct h5_reader *r, const char *name, int64_t *v, struct error *e) {
    return get(r, name, H5T_NATIVE_INT64, v, e);
}

int h5_get_raw(struct h5_reader *r, const char *name, size_t element, void *v, struct error *e) {
    return get(r, name, float_type(element), v, e);
}

/* As type `as`; H5I_INVALID_HID: as stored. */
static int get_rows(struct h5_reader *r, const char *name, hid_t as, size_t first, size_t last,
                    void *v, struct error *e) {
    hid_t set = open_dataset(r, name);
    if (set < 0) return error_set(e, STATUS_FAILED, "%s: has no variable '%s'", r->path, name);
    hid_t type = H5Dget_type(set), space = H5Dget_space(set);
    hid_t native = H5Tget_native_type(type, H5T_DIR_ASCEND);
    hid_t memory;
    herr_t status = select_rows(space, first, last, &memory);
    if (status >= 0) status = H5Dread(set, as < 0 ? native : as, memory, space, H5P_DEFAULT, v);
    if (memory >= 0) H5Sclose(memory);
    H5Tclose(native);
    H5Tclose(type);
    H5Sclose(space);
    H5Oclose(set);
    if (status >= 0) return STATUS_OK;
    return error_set(e, STATUS_FAILED, "%s: cannot read rows %zu to %zu of '%s'", r->path, first,
                     last, name);
}

int h5_get_rows(struct h5_reader *r, const char *name, size_t first, size_t last, void *v,
                struct error *e) {
    return get_rows(r, name, H5I_INVALID_HID, first, last, v, e);
}

int h5_get_int_rows(struct h5_reader *r, const char *name, size_t first, size_t last, int64_t *v,
                    struct error *e) {
    return get_rows(r, name, H5T_NATIVE_INT64, first, last, v, e);
}

/* Strings of any kind as malloc'ed C strings; NULL when they cannot be read. */
static char **read_texts(hid_t object, hid_t type, size_t n,
                         herr_t (*read)(hid_t object, hid_t type, void *v)) {
    char **texts = calloc(n ? n : 1, sizeof *texts);
    if (!texts) abort();
    if (H5Tis_variable_str(type) > 0) {
        hid_t memory = H5Tcopy(H5T_C_S1);
        H5Tset_size(memory, H5T_VARIABLE);
        H5Tset_cset(memory, H5Tget_cset(type));
        if (read(object, memory, texts) < 0) memset(texts, 0, n * sizeof *texts);
        H5Tclose(memory);
        return texts;
    }
    size_t width = H5Tget_size(type);
    char *cells = calloc(n ? n : 1, width);
    if (!cells) abort();
    if (read(object, type, cells) >= 0)
        for (size_t i = 0; i < n; i++) texts[i] = strndup(cells + i * width, width);
    free(cells);
    return texts;
}

static herr_t read_dataset(hid_t set, hid_t type, void *v) {
    return H5Dread(set, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, v);
}

static herr_t read_attr(hid_t attr, hid_t type, void *v) {
    return H5Aread(attr, type, v);
}

char **h5_get_texts(struct h5_reader *r, const char *name, size_t *n) {
    *n = 0;
    hid_t set = open_dataset(r, name);
    if (set < 0) return NULL;
    hid_t type = H5Dget_type(set), space = H5Dget_space(set);
    char **texts = NULL;
    if (H5Tget_class(type) == H5T_STRING) {
        *n = (size_t)H5Sget_simple_extent_npoints(space);
        texts = read_texts(set, type, *n, read_dataset);
    }
    H5Sclose(space);
    H5Tclose(type);
    H5Oclose(set);
    return texts;
}

char *h5_get_text(struct h5_reader *r, const char *name) {
    size_t n;
    char **texts = h5_get_texts(r, name, &n);
    char *first = texts && n ? texts[0] : NULL;
    for (size_t i = 1; texts && i < n; i++) free(texts[i]);
    free(texts);
    return first;
}

/* One value; a list of them, which imprint never writes, would overrun who reads it. */
static hid_t open_attr(struct h5_reader *r, const char *object, const char *name) {
    hid_t o = open_object(r->file, object);
    if (o < 0) return -1;
    hid_t attr = H5Aexists(o, name) > 0 ? H5Aopen(o, name, H5P_DEFAULT) : -1;
    H5Oclose(o);
    if (attr < 0) return -1;
    hid_t space = H5Aget_space(attr);
    bool is_one = H5Sget_simple_extent_npoints(space) == 1;
    H5Sclose(space);
    if (is_one) return attr;
    H5Aclose(attr);
    return -1;
}

char *h5_attr_text(struct h5_reader *r, const char *object, const char *name) {
    hid_t attr = open_attr(r, object, name);
    if (attr < 0) return NULL;
    hid_t type = H5Aget_type(attr);
    char *text = NULL;
    if (H5Tget_class(type) == H5T_STRING) {
        char **texts = read_texts(attr, type, 1, read_attr);
        text = texts[0];
        free(texts);
    }
    H5Tclose(type);
    H5Aclose(attr);
    return text;
}

int64_t h5_attr_int(struct h5_reader *r, const char *object, const char *name, int64_t absent) {
    int64_t value = absent;
    hid_t attr = open_attr(r, object, name);
    if (attr < 0) return absent;
    if (H5Aread(attr, H5T_NATIVE_INT64, &value) < 0) value = absent;
    H5Aclose(attr);
    return value;
}

double h5_attr_real(struct h5_reader *r, const char *object, const char *name) {
    double value = NAN;
    hid_t attr = open_attr(r, object, name);
    if (attr < 0) return NAN;
    if (H5Aread(attr, H5T_NATIVE_DOUBLE, &value) < 0) value = NAN;
    H5Aclose(attr);
    return value;
}

enum h5_kind h5_attr_kind(struct h5_reader *r, const char *object, const char *name) {
    hid_t attr = open_attr(r, object, name);
    if (attr < 0) return H5_NONE;
    enum h5_kind kind = type_kind(H5Aget_type(attr), NULL);
    H5Aclose(attr);
    return kind;
}

struct names {
    char **texts;
    size_t n;
};

static void add_name(struct names *names, const char *name) {
    names->texts = realloc(names->texts, (names->n + 1) * sizeof *names->texts);
    if (!names->texts) abort();
    names->texts[names->n++] = strdup(name);
}

static herr_t add_attr_name(hid_t object, const char *name, const H5A_info_t *info, void *into) {
    (void)object;
    (void)info;
    add_name(into, name);
    return 0;
}

char **h5_attr_list(struct h5_reader *r, const char *object, size_t *n) {
    struct names names = {NULL, 0};
    hid_t o = open_object(r->file, object);
    if (o >= 0) {
        H5Aiterate2(o, H5_INDEX_NAME, H5_ITER_INC, NULL, add_attr_name, &names);
        H5Oclose(o);
    }
    *n = names.n;
    return names.texts;
}

static herr_t add_dataset_name(hid_t group, const char *name, const H5L_info_t *info, void *into) {
    (void)info;
    hid_t object = H5Oopen(group, name, H5P_DEFAULT);
    bool is_dataset = object >= 0 && H5Iget_type(object) == H5I_DATASET;
    if (object >= 0) H5Oclose(object);
    if (is_dataset) add_name(into, name);
    return 0;
}

char **h5_list(struct h5_reader *r, const char *group, size_t *n) {
    struct names names = {NULL, 0};
    hid_t g = open_object(r->file, group);
    if (g >= 0) {
        H5Literate(g, H5_INDEX_NAME, H5_ITER_INC, NULL, add_dataset_name, &names);
        H5Oclose(g);
    }
    *n = names.n;
    return names.texts;
}

static herr_t add_dataset_path(hid_t file, const char *path, const H5O_info_t *info, void *into) {
    (void)file;
    if (info->type == H5O_TYPE_DATASET) add_name(into, path);
    return 0;
}

static int compare_texts(const void *a, const void *b) {
    return strcmp(*(char *const *)a, *(char *const *)b);
}

char **h5_list_all(struct h5_reader *r, size_t *n) {
    struct names names = {NULL, 0};
    H5Ovisit2(r->file, H5_INDEX_NAME, H5_ITER_INC, add_dataset_path, &names, H5O_INFO_BASIC);
    if (names.n) qsort(names.texts, names.n, sizeof *names.texts, compare_texts);
    *n = names.n;
    return names.texts;
}

int h5_check_digest(struct h5_reader *r, struct error *e) {
    char now[HASH_TEXT];
    char *stored = h5_attr_text(r, "/", "content_digest");
    if (!stored) return error_set(e, STATUS_DIFFERS, "%s: has no content digest to check", r->path);
    bool same = !file_digest(r->file, now) && !strcmp(stored, now);
    free(stored);
    if (same) return STATUS_OK;
    return error_set(e, STATUS_DIFFERS,
                     "%s: its content does not match its digest: it was damaged "
                     "or edited",
                     r->path);
}
