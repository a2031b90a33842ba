/* split_allcnn: the two-pathway all-convolutional network of Kleinman et al. 2022 (arXiv 2210.04643,
 * the depth experiment), for two views of one scene. Two copies of the first part of allcnn_depth,
 * one per view, are added; one copy of the rest follows:
 *
 *   pathway of view m   m.conv1 (96), then n times [conv 96 2^(i-1), conv 96 2^i stride 2]
 *   rest                sum, fusion.conv (3x3), fusion.conv (1x1), fusion.conv (1x1 to K), mean
 *
 * each convolution but the last with norm and ReLU, numbered as in allcnn_depth. The split is that
 * of the authors' code: the views meet after the last halving, with n = 2 after 5 of 8 convolutions,
 * about half-way as in their Split-ResNet-18 (after 9 of 18). What is added is rectified.
 *
 * A tap is a pathway's end, [H / 2^n, W / 2^n, 96 2^n]. An auxiliary head is the mean of every
 * channel there and a linear layer. */
#include <stdio.h>

#include "nets/archs/block.h"

enum { VIEWS = 2, REST = 3 /* blocks after the sum */ };

static int views_check(const struct graph *g, struct error *e) {
    if (g->inputs_n != VIEWS)
        return error_set(e, STATUS_USAGE,
                         "net split_allcnn: takes two images of one shape, the data have %zu %s; "
                         "use two views, or net towers",
                         g->inputs_n, g->inputs_n == 1 ? "modality" : "modalities");
    const struct value *a = graph_value(g, 0), *b = graph_value(g, 1);
    if (a->H != b->H || a->W != b->W || a->C != b->C)
        return error_set(e, STATUS_USAGE,
                         "net split_allcnn: takes two images of one shape, but %s is %zu x %zu x "
                         "%zu and %s is %zu x %zu x %zu; use net towers",
                         g->names[0], a->H, a->W, a->C, g->names[1], b->H, b->W, b->C);
    return STATUS_OK;
}

static int split_allcnn_build(struct graph *g, const struct settings *s, struct error *e) {
    int tap[VIEWS], status = views_check(g, e);
    if (status) return status;
    struct block_plan plan[DEPTH_BLOCKS];
    size_t n = blocks_depth(g, s, plan);
    struct block_range r = {.n = n,
                            .last = n - REST,
                            .norm = settings_is(s, "norm", "batch"),
                            .bias = settings_bool(s, "bias")};
    g->he_normal = settings_is(s, "init", "he_normal");
    for (size_t m = 0; m < VIEWS; m++) {
        char prefix[NET_NAME];
        snprintf(prefix, sizeof prefix, "%s.", g->names[m]);
        r.prefix = prefix;
        tap[m] = graph_tap(g, blocks_range(g, graph_input(g, m), plan, r), m);
    }
    for (size_t m = 0; m < VIEWS && settings_bool(s, "heads"); m++) graph_head(g, tap[m], m);
    r = (struct block_range){"fusion.", n - REST, n, n, r.norm, r.bias};
    int x = blocks_range(g, graph_add(g, tap[0], tap[1]), plan, r);
    return graph_output(g, graph_globalpool(g, x));
}

static const struct param PARAMS[] = {
    PARAM_DEPTH("2"),
    PARAMS_ALLCNN,
    PARAM_HEADS,
    {0},
};

const struct arch arch_split_allcnn = {
    .name = "split_allcnn",
    .doc = "All-convolutional network with a pathway for each of two views (Kleinman et al. 2022).",
    .params = PARAMS,
    .build = split_allcnn_build,
};
