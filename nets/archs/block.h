/* What the convolutional architectures share: blocks, and parameters of the same meaning. */
#ifndef NETS_ARCHS_BLOCK_H
#define NETS_ARCHS_BLOCK_H

#include "nets/arch.h"
#include "nets/graph.h"

#define PARAM_NORM                                                                                 \
    {                                                                                              \
        "norm", PARAM_CHOICE, "batch", 0, 0, "batch|none", NULL,                                   \
            "Normalization before every ReLU.", false                                              \
    }
#define PARAM_INIT(preset)                                                                         \
    {                                                                                              \
        "init", PARAM_CHOICE, preset, 0, 0, "he_normal|pytorch", NULL,                             \
            "Initialization: N(0, 2/fan_in) with biases 0, or PyTorch's default U(-1, "            \
            "1)/sqrt(fan_in).",                                                                    \
            false                                                                                  \
    }
#define PARAM_WIDTH                                                                                \
    {                                                                                              \
        "width", PARAM_REAL, "1.0", 0.001, 100, NULL, "1", "Factor on the number of channels.",    \
            false                                                                                  \
    }
#define PARAM_BIAS                                                                                 \
    {                                                                                              \
        "bias", PARAM_BOOL, "true", 0, 0, NULL, NULL,                                              \
            "Bias in the convolutions before a normalization too.", false                          \
    }
/* Of the all-convolutional networks of Achille et al. */
#define PARAMS_ALLCNN PARAM_WIDTH, PARAM_NORM, PARAM_BIAS, PARAM_INIT("pytorch")

#define PARAM_DEPTH(preset)                                                                        \
    {                                                                                              \
        "n", PARAM_INT, preset, 1, DEPTH_MOST, NULL, "1",                                          \
            "Number of halvings, two convolutions each.", false                                    \
    }
#define PARAM_HEADS                                                                                \
    {                                                                                              \
        "heads", PARAM_BOOL, "false", 0, 0, NULL, NULL,                                            \
            "An auxiliary head per modality, for stabilizers that train one.", false               \
    }

/* One convolution and what follows it. Layer number i of a network: conv1, norm1. */
struct block {
    const char *prefix; /* of these names: "image."; NULL: none */
    size_t channels, kernel, stride, pad;
    bool norm, relu, bias;
};

/* conv, then norm + ReLU in one pass, or ReLU alone, or nothing */
int block_conv(struct graph *g, int x, size_t i, struct block b);

/* linear, then norm + ReLU in one pass or ReLU alone: fc1, norm1 */
int block_linear(struct graph *g, int x, size_t i, size_t outputs, bool norm);

/* channels * width, rounded to the nearest, at least 1 */
size_t block_width(size_t channels, double width);

/* Blocks one after the other, the last without normalization and ReLU and with a bias, then the
 * global mean: the all-convolutional networks. */
struct block_plan {
    size_t channels, kernel, stride;
};
int blocks_all_conv(struct graph *g, const struct block_plan *plan, size_t n, bool norm, bool bias);
/* Blocks [first, last) of the n alone. */
struct block_range {
    const char *prefix;
    size_t first, last, n;
    bool norm, bias;
};
int blocks_range(struct graph *g, int x, const struct block_plan *plan, struct block_range r);

/* The plan of allcnn_depth; returns its length. PARAM_DEPTH and PARAM_WIDTH tell. */
enum { DEPTH_MOST = 3, DEPTH_BLOCKS = 2 * DEPTH_MOST + 4 };
size_t blocks_depth(const struct graph *g, const struct settings *s,
                    struct block_plan plan[DEPTH_BLOCKS]);

#endif
