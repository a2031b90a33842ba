/* allcnn_c: All-CNN-C (Springenberg et al. 2015, arXiv 1412.6806) with batch norm and every 3x3
 * padded by 1: 96, 96, 96 stride 2, 192, 192, 192 stride 2, 192 (3x3), 192, K (1x1), then the
 * global mean; 562 MFLOP for the forward pass of one CIFAR-10 image. No bias before a norm. */
#include "nets/archs/block.h"

static int allcnn_c_build(struct graph *g, const struct settings *s, struct error *e) {
    (void)e;
    double width = settings_real(s, "width");
    size_t a = block_width(96, width), b = block_width(192, width);
    struct block_plan plan[] = {{a, 3, 1}, {a, 3, 1}, {a, 3, 2}, {b, 3, 1},   {b, 3, 1},
                                {b, 3, 2}, {b, 3, 1}, {b, 1, 1}, {g->K, 1, 1}};
    g->he_normal = settings_is(s, "init", "he_normal");
    return blocks_all_conv(g, plan, sizeof plan / sizeof *plan, settings_is(s, "norm", "batch"),
                           false);
}

static const struct param PARAMS[] = {
    PARAM_WIDTH,
    PARAM_NORM,
    PARAM_INIT("pytorch"),
    {0},
};

const struct arch arch_allcnn_c = {
    .name = "allcnn_c",
    .doc = "All-CNN-C with batch norm (Springenberg et al. 2015).",
    .params = PARAMS,
    .build = allcnn_c_build,
};
