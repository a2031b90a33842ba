/* allcnn_depth: the family of the depth studies (Achille et al. 2019; Kleinman et al. 2022,
 * arXiv 2210.04643, A.4): conv 96, then n times [conv 96 2^(i-1), conv 96 2^i stride 2], then
 * conv 96 2^n (3x3), conv 96 2^n and conv K (1x1), and the global mean. */
#include "nets/archs/block.h"

enum { MOST = 3 };

static int allcnn_depth_build(struct graph *g, const struct settings *s, struct error *e) {
    (void)e;
    double width = settings_real(s, "width");
    size_t n = (size_t)settings_int(s, "n"), blocks = 0;
    struct block_plan plan[2 * MOST + 4];
    plan[blocks++] = (struct block_plan){block_width(96, width), 3, 1};
    for (size_t i = 1; i <= n; i++) {
        plan[blocks++] = (struct block_plan){block_width((size_t)96 << (i - 1), width), 3, 1};
        plan[blocks++] = (struct block_plan){block_width((size_t)96 << i, width), 3, 2};
    }
    size_t top = block_width((size_t)96 << n, width);
    plan[blocks++] = (struct block_plan){top, 3, 1};
    plan[blocks++] = (struct block_plan){top, 1, 1};
    plan[blocks++] = (struct block_plan){g->K, 1, 1};
    g->he_normal = settings_is(s, "init", "he_normal");
    return blocks_all_conv(g, plan, blocks, settings_is(s, "norm", "batch"),
                           settings_bool(s, "bias"));
}

static const struct param PARAMS[] = {
    {"n", PARAM_INT, "3", 1, MOST, NULL, "1", "Number of halvings, two convolutions each.", false},
    PARAMS_ALLCNN,
    {0},
};

const struct arch arch_allcnn_depth = {
    .name = "allcnn_depth",
    .doc = "All-convolutional networks of growing depth, n = 1, 2, 3 (Achille et al. 2019).",
    .params = PARAMS,
    .build = allcnn_depth_build,
};
