/* resnet18: the residual network with 18 layers (He et al. 2016, arXiv 1512.03385) in the form that
 * CIFAR-10 is trained with: a 3x3 stem without max pooling, four stages of two blocks with w, 2w,
 * 4w and 8w channels, each after the first at half the size, then the global mean and one linear
 * layer. w = 64 is the original, 1.11 GFLOP for the forward pass of one 32 x 32 image; 16 (70 MFLOP)
 * and 32 (279 MFLOP) suit a CPU.
 *
 *   block(x) = relu(bn2(conv2(relu(bn1(conv1(x))))) + shortcut(x))
 *
 * with 3x3 convolutions without bias. shortcut(x) is x; in the first block of a stage that halves,
 * where conv1 has stride 2, it is a 1x1 convolution of stride 2 and its batch norm.
 *
 * Names are torchvision's (bn1, layer2.0.downsample.0.weight), so that a state of width 64 loads
 * into torchvision's resnet18 once that has this stem. So is the default initialization:
 * N(0, 2/fan_out) in the convolutions. */
#include <stdio.h>

#include "nets/archs/block.h"

enum { NAME = 32, STAGES = 4, BLOCKS = 2 };

/* A convolution and its normalization, with ReLU or not. */
struct unit {
    const char *conv, *norm; /* their names within the block */
    size_t channels, kernel, stride;
    bool relu;
};

static const char *name_in(char text[NAME], const char *block, const char *name) {
    snprintf(text, NAME, "%s%s", block, name);
    return text;
}

static int unit(struct graph *g, int x, const char *block, bool norm, struct unit u) {
    char name[NAME];
    x = graph_conv(g, x,
                   (struct op_options){.name = name_in(name, block, u.conv),
                                       .outputs = u.channels,
                                       .kernel = u.kernel,
                                       .stride = u.stride,
                                       .pad = u.kernel / 2,
                                       .bias = !norm});
    if (norm) return graph_batchnorm(g, x, name_in(name, block, u.norm), u.relu);
    return u.relu ? graph_relu(g, x) : x;
}

static int basic_block(struct graph *g, int x, const char *block, bool norm, size_t channels,
                       size_t stride) {
    int y = unit(g, x, block, norm, (struct unit){"conv1", "bn1", channels, 3, stride, true});
    y = unit(g, y, block, norm, (struct unit){"conv2", "bn2", channels, 3, 1, false});
    struct unit halving = {"downsample.0", "downsample.1", channels, 1, stride, false};
    int shortcut = stride > 1 ? unit(g, x, block, norm, halving) : x;
    return graph_relu(g, graph_add(g, y, shortcut));
}

static int resnet18_build(struct graph *g, const struct settings *s, struct error *e) {
    (void)e;
    size_t width = (size_t)settings_int(s, "width");
    bool norm = settings_is(s, "norm", "batch");
    g->he_normal = settings_is(s, "init", "he_normal");
    g->he_fan_out = settings_is(s, "init", "torchvision");

    int x = unit(g, graph_input(g, 0), "", norm, (struct unit){"conv1", "bn1", width, 3, 1, true});
    for (size_t i = 0; i < STAGES; i++)
        for (size_t j = 0; j < BLOCKS; j++) {
            char block[NAME];
            snprintf(block, sizeof block, "layer%zu.%zu.", i + 1, j);
            x = basic_block(g, x, block, norm, width << i, i > 0 && j == 0 ? 2 : 1);
        }
    return graph_output(g, graph_linear(g, graph_globalpool(g, x), "fc", g->K));
}

static const struct param PARAMS[] = {
    {"width", PARAM_INT, "64", 1, 1e5, NULL, "channels",
     "Channels of the first stage; the next three have 2, 4 and 8 times as many.", false},
    PARAM_NORM,
    {"init", PARAM_CHOICE, "torchvision", 0, 0, "torchvision|he_normal|pytorch", NULL,
     "Initialization: N(0, 2/fan_out) in the convolutions and PyTorch's default elsewhere; "
     "N(0, 2/fan_in) with biases 0; or PyTorch's default U(-1, 1)/sqrt(fan_in).",
     false},
    {0},
};

const struct arch arch_resnet18 = {
    .name = "resnet18",
    .doc = "Residual network of eight blocks, with a stem for small images (He et al. 2016).",
    .params = PARAMS,
    .build = resnet18_build,
};
