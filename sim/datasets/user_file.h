/* One modality in a user's HDF5 file: what it is, told by axes and type, and its examples, checked.
 *
 *   [N,H,W,C] uint8 or float32: images    [N,T] integers: tokens    [N,F] float32: features
 *
 * Whatever is wrong is STATUS_USAGE in a sentence that names the file, the dataset and, for a value,
 * the example. */
#ifndef SIM_DATASETS_USER_FILE_H
#define SIM_DATASETS_USER_FILE_H

#include "base/h5.h"
#include "sim/data.h"

enum { USER_DATASET = 256 }; /* of a dataset's path in the file */

struct user_file {
    struct h5_reader *r;
    const char *path;
    uint64_t bytes;
};

/* A damaged file is the user's to mend: any failure of reading it as STATUS_USAGE. */
int user_status(int status, struct error *e);

/* Kind and shape of an example, and how many there are; the name is the caller's. */
int user_modality(const struct user_file *f, const char *dataset, struct modality *m, size_t *n,
                  struct error *e);
/* For tokens: the vocabulary's size (attribute `tokens`, else the largest token + 1) and the slot that
 * may give the answer away (attributes `hint_slot` and `hint_first`). n: rows of the dataset. */
int user_vocabulary(const struct user_file *f, const char *dataset, size_t n, size_t K,
                    struct modality *m, struct error *e);
/* Rows [first, last) as the modality is stored. */
int user_examples(const struct user_file *f, const char *dataset, const struct modality *m,
                  size_t first, size_t last, void *x, struct error *e);

#endif
