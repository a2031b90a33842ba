/* CIFAR-100: each record carries a coarse label (20 superclasses) and a fine one (100 classes). */
#include "sim/datasets/cifar.h"

static const char *const cifar100_coarse[20] = {"aquatic_mammals",
                                                "fish",
                                                "flowers",
                                                "food_containers",
                                                "fruit_and_vegetables",
                                                "household_electrical_devices",
                                                "household_furniture",
                                                "insects",
                                                "large_carnivores",
                                                "large_man-made_outdoor_things",
                                                "large_natural_outdoor_scenes",
                                                "large_omnivores_and_herbivores",
                                                "medium_mammals",
                                                "non-insect_invertebrates",
                                                "people",
                                                "reptiles",
                                                "small_mammals",
                                                "trees",
                                                "vehicles_1",
                                                "vehicles_2"};

static const char *const cifar100_fine[100] = {
    "apple",       "aquarium_fish", "baby",      "bear",       "beaver",       "bed",
    "bee",         "beetle",        "bicycle",   "bottle",     "bowl",         "boy",
    "bridge",      "bus",           "butterfly", "camel",      "can",          "castle",
    "caterpillar", "cattle",        "chair",     "chimpanzee", "clock",        "cloud",
    "cockroach",   "couch",         "crab",      "crocodile",  "cup",          "dinosaur",
    "dolphin",     "elephant",      "flatfish",  "forest",     "fox",          "girl",
    "hamster",     "house",         "kangaroo",  "keyboard",   "lamp",         "lawn_mower",
    "leopard",     "lion",          "lizard",    "lobster",    "man",          "maple_tree",
    "motorcycle",  "mountain",      "mouse",     "mushroom",   "oak_tree",     "orange",
    "orchid",      "otter",         "palm_tree", "pear",       "pickup_truck", "pine_tree",
    "plain",       "plate",         "poppy",     "porcupine",  "possum",       "rabbit",
    "raccoon",     "ray",           "road",      "rocket",     "rose",         "sea",
    "seal",        "shark",         "shrew",     "skunk",      "skyscraper",   "snail",
    "snake",       "spider",        "squirrel",  "streetcar",  "sunflower",    "sweet_pepper",
    "table",       "tank",          "telephone", "television", "tiger",        "tractor",
    "train",       "trout",         "tulip",     "turtle",     "wardrobe",     "whale",
    "willow_tree", "wolf",          "woman",     "worm"};

static int cifar100_read(const struct data_request *r, struct dataset *d, struct error *e) {
    const bool coarse = settings_is(r->settings, "labels", "coarse");
    const struct cifar_format format = {.label_bytes = 2,
                                        .label_at = coarse ? 0 : 1,
                                        .K = coarse ? 20 : 100,
                                        .names = coarse ? cifar100_coarse : cifar100_fine,
                                        .train_files = 1};
    return cifar_read(r, &format, d, e);
}

static const struct param cifar100_params[] = {
    {.name = "labels",
     .type = PARAM_CHOICE,
     .preset = "fine",
     .choices = "fine|coarse",
     .doc = "The 100 fine classes or the 20 coarse ones."},
    {0},
};

static const struct data_file cifar100_files[] = {
    {"train.bin", 153700000, NULL},
    {"test.bin", 30740000, NULL},
    {0},
};

static const char *const cifar100_folders[] = {"", "cifar-100-binary", "cifar-100/cifar-100-binary",
                                               NULL};

const struct dataset_type dataset_cifar100 = {
    .name = "cifar100",
    .doc = "CIFAR-100, binary version: 50,000 + 10,000 photographs, 32x32 RGB, 100 fine or 20 "
           "coarse classes (Krizhevsky 2009).",
    .params = cifar100_params,
    .needs_path = true,
    .flip_allowed = true,
    .read = cifar100_read,
    .official = cifar100_files,
    .folders = cifar100_folders,
    .source = "To get them:\n"
              "  curl -fLO https://www.cs.toronto.edu/~kriz/cifar-100-binary.tar.gz\n"
              "  echo '03b5dce01913d631647c71ecec9e9cb8  cifar-100-binary.tar.gz' | md5sum -c\n"
              "  tar xzf cifar-100-binary.tar.gz\n"
              "No licence is stated. Cite: A. Krizhevsky, \"Learning Multiple Layers of Features "
              "from Tiny Images\", 2009.\n",
};
