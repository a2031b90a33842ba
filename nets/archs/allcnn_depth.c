/* allcnn_depth: the family of the depth studies (Achille et al. 2019; Kleinman et al. 2022,
 * arXiv 2210.04643, A.4): conv 96, then n times [conv 96 2^(i-1), conv 96 2^i stride 2], then
 * conv 96 2^n (3x3), conv 96 2^n and conv K (1x1), and the global mean. */
#include "nets/archs/block.h"

static int allcnn_depth_build(struct graph *g, const struct settings *s, struct error *e) {
    (void)e;
    struct block_plan plan[DEPTH_BLOCKS];
    size_t blocks = blocks_depth(g, s, plan);
    g->he_normal = settings_is(s, "init", "he_normal");
    return blocks_all_conv(g, plan, blocks, settings_is(s, "norm", "batch"),
                           settings_bool(s, "bias"));
}

static const struct param PARAMS[] = {
    PARAM_DEPTH("3"),
    PARAMS_ALLCNN,
    {0},
};

const struct arch arch_allcnn_depth = {
    .name = "allcnn_depth",
    .doc = "All-convolutional networks of growing depth, n = 1, 2, 3 (Achille et al. 2019).",
    .params = PARAMS,
    .build = allcnn_depth_build,
};
