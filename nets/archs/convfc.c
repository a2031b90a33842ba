/* convfc: three 3x3 convolutions, the first at full resolution and two of stride 2, then two
 * linear layers with a ReLU between: small enough for seconds, yet able to memorize its training
 * set, which is what a lasting blur deficit on an acuity chart rests on. No bias before a norm. */
#include "nets/archs/block.h"

enum { CONVS = 3 };

static int convfc_build(struct graph *g, const struct settings *s, struct error *e) {
    size_t n;
    const int64_t *channels = settings_ints(s, "channels", &n);
    bool norm = settings_is(s, "norm", "batch");
    g->he_normal = settings_is(s, "init", "he_normal");
    if (n != CONVS)
        return error_set(e, STATUS_USAGE, "net convfc: channels has %zu entries; give %d", n,
                         CONVS);
    int x = graph_input(g, 0);
    for (size_t i = 0; i < CONVS; i++)
        x = block_conv(g, x, i + 1,
                       (struct block){.channels = (size_t)channels[i],
                                      .kernel = 3,
                                      .stride = i ? 2 : 1,
                                      .pad = 1,
                                      .norm = norm,
                                      .relu = true,
                                      .bias = !norm});
    x = block_linear(g, graph_flatten(g, x), 1, (size_t)settings_int(s, "fc"), false);
    return graph_output(g, graph_linear(g, x, "fc2", g->K));
}

static const struct param PARAMS[] = {
    {"channels", PARAM_INTS, "[8, 16, 16]", 1, 1e5, NULL, "channels",
     "Channels of the three convolutions.", false},
    {"fc", PARAM_INT, "128", 1, 1e6, NULL, "features", "Width of the hidden linear layer.", false},
    PARAM_NORM,
    PARAM_INIT("he_normal"),
    {0},
};

const struct arch arch_convfc = {
    .name = "convfc",
    .doc = "Three small convolutions and two linear layers: the network of the demo.",
    .params = PARAMS,
    .build = convfc_build,
};
