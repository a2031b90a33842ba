/* The file that HDF5 writes into: a driver of the library for a descriptor of ours, whose failures
 * wait. A library that cannot write (a full disk) can neither flush nor close any more; so writes
 * that fail are dropped, the library hears of none, and whoever opened the file asks at the end. */
#ifndef BASE_H5_MEDIUM_H
#define BASE_H5_MEDIUM_H

#include <sys/types.h>

#include <hdf5.h>

struct h5_medium {
    int fd;      /* open for reading and writing, empty; the caller's. -1: every write fails */
    int problem; /* errno of the first failure; 0: none */
    off_t size;  /* of what was written */
};

/* A property list with which H5Fcreate writes into `m`, which lives until the file is closed; the
 * name given there is nobody's. To be closed by H5Pclose. */
hid_t h5_medium_access(struct h5_medium *m);

#endif
