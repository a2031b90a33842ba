/* Fashion-MNIST: pictures of clothes in MNIST's format, 6,000 + 1,000 of each class. */
#include "sim/datasets/idx.h"

static int fashion_mnist_read(const struct data_request *r, struct dataset *d, struct error *e) {
    static const char *const names[IDX_CLASSES] = {"T-shirt", "trouser", "pullover", "dress",
                                                   "coat",    "sandal",  "shirt",    "sneaker",
                                                   "bag",     "boot"};
    return idx_read(r, names, d, e);
}

static const struct param fashion_mnist_params[] = {{0}};

static const struct data_file fashion_mnist_files[] = {
    {"train-images-idx3-ubyte.gz", 26421880, "8d4fb7e6c68d591d4c3dfef9ec88bf0d"},
    {"train-labels-idx1-ubyte.gz", 29515, "25c81989df183df01b3e8a0aad5dffbe"},
    {"t10k-images-idx3-ubyte.gz", 4422102, "bef4ecab320f06d8554ea6380940ec79"},
    {"t10k-labels-idx1-ubyte.gz", 5148, "bb300cfdad3c16e7a12a480ee83cd310"},
    {0},
};

static const char *const fashion_mnist_folders[] = {"", "fashion-mnist", "FashionMNIST/raw", NULL};

const struct dataset_type dataset_fashion_mnist = {
    .name = "fashion_mnist",
    .doc = "Fashion-MNIST: 60,000 + 10,000 pictures of clothes, 28x28 grey, 10 classes (Xiao, "
           "Rasul, Vollgraf, arXiv:1708.07747).",
    .params = fashion_mnist_params,
    .needs_path = true,
    .flip_allowed = true,
    .read = fashion_mnist_read,
    .official = fashion_mnist_files,
    .folders = fashion_mnist_folders,
    .source =
        "The files may stay compressed or be gunzip'd. To get them:\n"
        "  for f in train-images-idx3 train-labels-idx1 t10k-images-idx3 t10k-labels-idx1; do\n"
        "    curl -fLO http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/$f-ubyte.gz\n"
        "  done\n"
        "Licence: MIT (Zalando SE). Cite: Xiao, Rasul, Vollgraf, arXiv:1708.07747.\n",
};
