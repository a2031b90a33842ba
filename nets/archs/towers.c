/* towers: an encoder per modality, their fusion, and a trunk of two linear layers: the usual form of
 * small networks for several senses (for instance Antol et al. 2015, arXiv 1505.00468, for images
 * and questions, where the fusion is a product). Named after the modality m:
 *
 *   image     m.conv1, m.conv2, ... (3x3, stride 2, ReLU), m.fc + ReLU
 *   tokens    m.embed summed over the slots, m.fc + ReLU
 *   features  m.fc + ReLU
 *   trunk     concat, sum or product of the encoders, fusion.fc1 + ReLU, fusion.fc2 to the classes
 *
 * Each encoder ends in a tap of `features` numbers, all of them 0 or more. Auxiliary heads, if asked
 * for, are linear layers head_m on the taps. With one modality there is nothing to fuse. */
#include <stdio.h>

#include "nets/archs/block.h"

static int image_convs(struct graph *g, int x, const struct settings *s, const char *name) {
    char prefix[NET_NAME];
    size_t n;
    const int64_t *channels = settings_ints(s, "channels", &n);
    bool norm = settings_is(s, "norm", "batch");
    snprintf(prefix, sizeof prefix, "%s.", name);
    for (size_t i = 0; i < n; i++)
        x = block_conv(g, x, i + 1,
                       (struct block){.prefix = prefix,
                                      .channels = (size_t)channels[i],
                                      .kernel = 3,
                                      .stride = 2,
                                      .pad = 1,
                                      .norm = norm,
                                      .relu = true,
                                      .bias = !norm});
    return x;
}

static int embed(struct graph *g, int x, const struct settings *s, const char *modality) {
    char name[NET_NAME];
    snprintf(name, sizeof name, "%s.embed", modality);
    return graph_embedding(g, x, name, (size_t)settings_int(s, "embedding"));
}

static int encoder(struct graph *g, const struct settings *s, size_t m) {
    char name[NET_NAME];
    const char *modality = g->names[m];
    int x = graph_input(g, m);
    if (x < 0) return x;
    const struct value *in = graph_value(g, x);
    if (in->tokens)
        x = embed(g, x, s, modality);
    else if (in->H > 1)
        x = graph_flatten(g, image_convs(g, x, s, modality));
    else
        x = graph_flatten(g, x);
    snprintf(name, sizeof name, "%s.fc", modality);
    x = graph_linear(g, x, name, (size_t)settings_int(s, "features"));
    return graph_tap(g, graph_relu(g, x), m);
}

static int fuse(struct graph *g, const struct settings *s, int a, int b) {
    if (settings_is(s, "fusion", "add")) return graph_add(g, a, b);
    if (settings_is(s, "fusion", "product")) return graph_product(g, a, b);
    return graph_concat(g, a, b);
}

static int towers_build(struct graph *g, const struct settings *s, struct error *e) {
    (void)e;
    int tap[NET_INPUTS] = {0}; /* one at least */
    g->he_normal = settings_is(s, "init", "he_normal");
    for (size_t m = 0; m < g->inputs_n; m++) tap[m] = encoder(g, s, m);
    for (size_t m = 0; m < g->inputs_n && settings_bool(s, "heads"); m++) graph_head(g, tap[m], m);
    int x = tap[0];
    for (size_t m = 1; m < g->inputs_n; m++) x = fuse(g, s, x, tap[m]);
    x = graph_relu(g, graph_linear(g, x, "fusion.fc1", (size_t)settings_int(s, "hidden")));
    return graph_output(g, graph_linear(g, x, "fusion.fc2", g->K));
}

static const struct param PARAMS[] = {
    {"channels", PARAM_INTS, "[16, 32, 32]", 1, 1e5, NULL, "channels",
     "Channels of the convolutions of an image's encoder, each of which halves the image.", false},
    {"embedding", PARAM_INT, "32", 1, 1e6, NULL, "features", "Length of a token's vector.", false},
    {"features", PARAM_INT, "64", 1, 1e6, NULL, "features", "Outputs of every encoder.", false},
    {"fusion", PARAM_CHOICE, "concat", 0, 0, "concat|add|product", NULL,
     "How the encoders' outputs become one: side by side, their sum, or their product.", false},
    {"hidden", PARAM_INT, "128", 1, 1e6, NULL, "features", "Width of the trunk's hidden layer.",
     false},
    PARAM_HEADS,
    {"norm", PARAM_CHOICE, "none", 0, 0, "batch|none", NULL,
     "Normalization between the convolutions and their ReLU.", false},
    PARAM_INIT("he_normal"),
    {0},
};

const struct arch arch_towers = {
    .name = "towers",
    .doc = "For several modalities: an encoder each (convolutions, token embedding or linear), "
           "their fusion, two linear layers.",
    .params = PARAMS,
    .build = towers_build,
};
