/* CIFAR-10: the data set of the critical-period papers. Each batch is almost balanced, the whole
 * exactly. A mirrored photograph keeps its class. */
#include "sim/datasets/cifar.h"

static const char *const cifar10_names[] = {"airplane", "automobile", "bird",  "cat",  "deer",
                                            "dog",      "frog",       "horse", "ship", "truck"};

static int cifar10_read(const struct data_request *r, struct dataset *d, struct error *e) {
    const struct cifar_format format = {
        .label_bytes = 1, .label_at = 0, .K = 10, .names = cifar10_names, .train_files = 5};
    return cifar_read(r, &format, d, e);
}

static const struct param cifar10_params[] = {{0}};

static const struct data_file cifar10_files[] = {
    {"data_batch_1.bin", 30730000, "5dd7e06a14cb22eb9f671a540d1b7c25"},
    {"data_batch_2.bin", 30730000, "5ea93a67294ea407fff1d09f752e9692"},
    {"data_batch_3.bin", 30730000, "942cd6a4bcdd0dd3c604fbe906cb4421"},
    {"data_batch_4.bin", 30730000, "ae636b3ba5c66a11e91e8cb52e771fcb"},
    {"data_batch_5.bin", 30730000, "53f37980c15c3d472c316c40844f3f0d"},
    {"test_batch.bin", 30730000, "803d5f7f4d78ea53de84dbe85f74fb6d"},
    {0},
};

static const char *const cifar10_folders[] = {"", "cifar-10-batches-bin",
                                              "cifar-10/cifar-10-batches-bin", NULL};

const struct dataset_type dataset_cifar10 = {
    .name = "cifar10",
    .doc = "CIFAR-10, binary version: 50,000 + 10,000 photographs, 32x32 RGB, 10 classes "
           "(Krizhevsky 2009).",
    .params = cifar10_params,
    .needs_path = true,
    .flip_allowed = true,
    .read = cifar10_read,
    .official = cifar10_files,
    .folders = cifar10_folders,
    .source = "Only the batches that the subset needs must be there. To get them:\n"
              "  curl -fLO https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz\n"
              "  echo 'c32a1d4ab5d03f1284b67883e8d87530  cifar-10-binary.tar.gz' | md5sum -c\n"
              "  tar xzf cifar-10-binary.tar.gz\n"
              "No licence is stated. Cite: A. Krizhevsky, \"Learning Multiple Layers of Features "
              "from Tiny Images\", 2009.\n",
};
