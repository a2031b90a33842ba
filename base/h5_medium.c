/* A file driver of HDF5 whose failures wait: see h5_medium.h. It writes what the library's own
 * driver for plain files writes. The trap: the library closes and opens a file anew while it creates
 * it, so opening must change nothing. */
#include "base/h5_medium.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#if H5_VERSION_GE(1, 13, 0)
#include <H5FDdevelop.h>
#endif

enum { AT_A_TIME = 1 << 30 }; /* some systems refuse 2 GiB and more */

struct opened {
    H5FD_t of_library; /* first, and not ours */
    struct h5_medium *medium;
    haddr_t allocated;
};

static H5FD_t *medium_open(const char *name, unsigned flags, hid_t access, haddr_t most) {
    (void)name;
    (void)flags;
    (void)most;
    struct h5_medium *const *info = H5Pget_driver_info(access);
    struct opened *o = info ? calloc(1, sizeof *o) : NULL;
    if (!o) return NULL;
    o->medium = *info;
    return &o->of_library;
}

static herr_t medium_close(H5FD_t *file) {
    free(file);
    return 0;
}

static herr_t medium_query(const H5FD_t *file, unsigned long *flags) {
    (void)file;
    *flags = H5FD_FEAT_AGGREGATE_METADATA | H5FD_FEAT_ACCUMULATE_METADATA | H5FD_FEAT_DATA_SIEVE |
             H5FD_FEAT_AGGREGATE_SMALLDATA;
    return 0;
}

static haddr_t medium_get_eoa(const H5FD_t *file, H5FD_mem_t type) {
    (void)type;
    return ((const struct opened *)file)->allocated;
}

static herr_t medium_set_eoa(H5FD_t *file, H5FD_mem_t type, haddr_t address) {
    (void)type;
    ((struct opened *)file)->allocated = address;
    return 0;
}

static haddr_t medium_get_eof(const H5FD_t *file, H5FD_mem_t type) {
    (void)type;
    return (haddr_t)((const struct opened *)file)->medium->size;
}

/* What was never written, or could not be, is read as 0. */
static herr_t medium_read(H5FD_t *file, H5FD_mem_t type, hid_t transfer, haddr_t address, size_t n,
                          void *into) {
    (void)type;
    (void)transfer;
    struct h5_medium *m = ((struct opened *)file)->medium;
    for (size_t done = 0; done < n;) {
        size_t some = n - done < AT_A_TIME ? n - done : AT_A_TIME;
        ssize_t got = pread(m->fd, (char *)into + done, some, (off_t)(address + done));
        if (got < 0 && errno == EINTR) continue;
        if (got < 0 && !m->problem) m->problem = errno;
        if (got <= 0) {
            memset((char *)into + done, 0, n - done);
            break;
        }
        done += (size_t)got;
    }
    return 0;
}

static herr_t medium_write(H5FD_t *file, H5FD_mem_t type, hid_t transfer, haddr_t address, size_t n,
                           const void *from) {
    (void)type;
    (void)transfer;
    struct h5_medium *m = ((struct opened *)file)->medium;
    off_t end = (off_t)(address + n);
    for (size_t done = 0; done < n && !m->problem;) {
        size_t some = n - done < AT_A_TIME ? n - done : AT_A_TIME;
        ssize_t put = pwrite(m->fd, (const char *)from + done, some, (off_t)(address + done));
        if (put < 0 && errno == EINTR) continue;
        if (put <= 0) m->problem = put < 0 ? errno : ENOSPC;
        if (put > 0) done += (size_t)put;
    }
    if (m->size < end) m->size = end;
    return 0;
}

/* The file ends where its last block does, written or not. */
static herr_t medium_truncate(H5FD_t *file, hid_t transfer, hbool_t closing) {
    (void)transfer;
    (void)closing;
    const struct opened *o = (const struct opened *)file;
    struct h5_medium *m = o->medium;
    if (m->size == (off_t)o->allocated) return 0;
    if (!m->problem && ftruncate(m->fd, (off_t)o->allocated)) m->problem = errno;
    m->size = (off_t)o->allocated;
    return 0;
}

static const H5FD_class_t medium_driver = {
#ifdef H5FD_CLASS_VERSION
    .version = H5FD_CLASS_VERSION,
    .value = 256, /* the first of those that nobody hands out */
#endif
    .name = "imprint",
    .maxaddr = INT64_MAX,
    .fc_degree = H5F_CLOSE_STRONG,
    .fapl_size = sizeof(struct h5_medium *),
    .open = medium_open,
    .close = medium_close,
    .query = medium_query,
    .get_eoa = medium_get_eoa,
    .set_eoa = medium_set_eoa,
    .get_eof = medium_get_eof,
    .read = medium_read,
    .write = medium_write,
    .truncate = medium_truncate,
    .fl_map = H5FD_FLMAP_DICHOTOMY,
};

hid_t h5_medium_access(struct h5_medium *m) {
    hid_t driver = H5FDregister(&medium_driver), access = H5Pcreate(H5P_FILE_ACCESS);
    H5Pset_driver(access, driver, &m);
    H5FDunregister(driver); /* the list holds it as long as it is there, the file after it */
    return access;
}
