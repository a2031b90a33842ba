/* lenet: two 5x5 convolutions (16 and 32 channels, size kept) with ReLU and 2x2 max pooling each,
 * then linear 128 + ReLU and linear to the classes: a modern LeNet-5 (LeCun et al. 1998),
 * 6.0 MFLOP for the forward pass of one 28 x 28 image. With `norm: batch`, before every ReLU of
 * the convolutions.
 *
 * The maximum of rectified values is the rectified maximum, gradients included, so without a norm
 * the ReLU comes after the pooling, where there is a quarter of the work. */
#include "nets/archs/block.h"

static int lenet_build(struct graph *g, const struct settings *s, struct error *e) {
    (void)e;
    static const size_t channels[] = {16, 32};
    double width = settings_real(s, "width");
    bool norm = settings_is(s, "norm", "batch");
    g->he_normal = settings_is(s, "init", "he_normal");

    int x = graph_input(g, 0);
    for (size_t i = 0; i < 2; i++) {
        x = block_conv(g, x, i + 1,
                       (struct block){.channels = block_width(channels[i], width),
                                      .kernel = 5,
                                      .pad = 2,
                                      .norm = norm,
                                      .relu = norm,
                                      .bias = !norm});
        x = graph_maxpool(g, x, 2, 2);
        if (!norm) x = graph_relu(g, x);
    }
    x = block_linear(g, graph_flatten(g, x), 1, block_width(128, width), false);
    return graph_output(g, graph_linear(g, x, "fc2", g->K));
}

static const struct param PARAMS[] = {
    PARAM_WIDTH,
    {"norm", PARAM_CHOICE, "none", 0, 0, "batch|none", NULL,
     "Normalization between the convolutions and their ReLU.", false},
    PARAM_INIT("pytorch"),
    {0},
};

const struct arch arch_lenet = {
    .name = "lenet",
    .doc = "Two 5x5 convolutions with max pooling and two linear layers (after LeCun et al. 1998).",
    .params = PARAMS,
    .build = lenet_build,
};
