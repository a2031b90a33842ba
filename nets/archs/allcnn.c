/* allcnn: the network of Achille et al. 2019 (arXiv 1711.08856) for CIFAR-10: nine convolutions,
 * 96, 96, 192 stride 2, 192, 192, 192 stride 2, 192 (3x3), 192, K (1x1), batch norm and ReLU after
 * every one but the last, then the global mean. With biases in every convolution, as the
 * reconstructions of the paper have it; before a batch norm they do nothing. */
#include "nets/archs/block.h"

static int allcnn_build(struct graph *g, const struct settings *s, struct error *e) {
    (void)e;
    double width = settings_real(s, "width");
    size_t a = block_width(96, width), b = block_width(192, width);
    struct block_plan plan[] = {{a, 3, 1}, {a, 3, 1}, {b, 3, 2}, {b, 3, 1},   {b, 3, 1},
                                {b, 3, 2}, {b, 3, 1}, {b, 1, 1}, {g->K, 1, 1}};
    g->he_normal = settings_is(s, "init", "he_normal");
    return blocks_all_conv(g, plan, sizeof plan / sizeof *plan, settings_is(s, "norm", "batch"),
                           settings_bool(s, "bias"));
}

static const struct param PARAMS[] = {
    PARAMS_ALLCNN,
    {0},
};

const struct arch arch_allcnn = {
    .name = "allcnn",
    .doc = "All-convolutional network of nine blocks (Achille et al. 2019).",
    .params = PARAMS,
    .build = allcnn_build,
};
