/* MNIST: handwritten digits. The classes are unbalanced (5,421 to 6,742 a class), so at most 54,215
 * training examples can be drawn balanced. A mirrored digit is no digit: no flips. */
#include "sim/datasets/idx.h"

static int mnist_read(const struct data_request *r, struct dataset *d, struct error *e) {
    static const char *const names[IDX_CLASSES] = {"0", "1", "2", "3", "4",
                                                   "5", "6", "7", "8", "9"};
    return idx_read(r, names, d, e);
}

static const struct param mnist_params[] = {{0}};

static const struct data_file mnist_files[] = {
    {"train-images-idx3-ubyte.gz", 9912422, "f68b3c2dcbeaaa9fbdd348bbdeb94873"},
    {"train-labels-idx1-ubyte.gz", 28881, "d53e105ee54ea40749a09fcbcd1e9432"},
    {"t10k-images-idx3-ubyte.gz", 1648877, "9fb629c4189551a2d022fa330f9573f3"},
    {"t10k-labels-idx1-ubyte.gz", 4542, "ec29112dd5afa0611ce80d1b7f02629c"},
    {0},
};

static const char *const mnist_folders[] = {"", "mnist", "MNIST/raw", NULL};

const struct dataset_type dataset_mnist = {
    .name = "mnist",
    .doc = "MNIST: 60,000 + 10,000 handwritten digits, 28x28 grey, 10 classes (LeCun, Cortes, "
           "Burges).",
    .params = mnist_params,
    .needs_path = true,
    .flip_allowed = false,
    .read = mnist_read,
    .official = mnist_files,
    .folders = mnist_folders,
    .source =
        "The files may stay compressed or be gunzip'd. To get them:\n"
        "  for f in train-images-idx3 train-labels-idx1 t10k-images-idx3 t10k-labels-idx1; do\n"
        "    curl -fLO https://ossci-datasets.s3.amazonaws.com/mnist/$f-ubyte.gz\n"
        "  done\n"
        "Licence: usually given as CC BY-SA 3.0 (LeCun, Cortes).\n"
        "Cite: LeCun, Bottou, Bengio, Haffner, Proc. IEEE 86(11), 1998.\n",
};
