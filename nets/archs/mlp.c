/* mlp: linear + batch norm + ReLU for every entry of `hidden`, then linear to the classes.
 * The default is the fully connected network of Achille et al. 2019 (arXiv 1711.08856) for MNIST
 * padded to 32 x 32: 2500-2000-1500-1000-500. `hidden: []` is softmax regression. */
#include <stdio.h>

#include "nets/archs/block.h"

static int mlp_build(struct graph *g, const struct settings *s, struct error *e) {
    (void)e;
    size_t n;
    const int64_t *hidden = settings_ints(s, "hidden", &n);
    bool norm = settings_is(s, "norm", "batch");
    g->he_normal = settings_is(s, "init", "he_normal");

    int x = graph_flatten(g, graph_input(g, 0));
    for (size_t i = 0; i < n; i++) x = block_linear(g, x, i + 1, (size_t)hidden[i], norm);
    char name[32];
    snprintf(name, sizeof name, "fc%zu", n + 1);
    return graph_output(g, graph_linear(g, x, name, g->K));
}

static const struct param PARAMS[] = {
    {"hidden", PARAM_INTS, "[2500, 2000, 1500, 1000, 500]", 1, 1e6, NULL, "features",
     "Widths of the hidden layers; [] is softmax regression.", false},
    PARAM_NORM,
    PARAM_INIT("pytorch"),
    {0},
};

const struct arch arch_mlp = {
    .name = "mlp",
    .doc = "Fully connected, batch norm and ReLU after every hidden layer (Achille et al. 2019).",
    .params = PARAMS,
    .build = mlp_build,
};
