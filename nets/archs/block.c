/* Blocks of layers: see block.h. */
#include "nets/archs/block.h"

#include <math.h>
#include <stdio.h>

static const char *name_of(char text[NET_NAME], const char *prefix, const char *kind, size_t i) {
    snprintf(text, NET_NAME, "%s%s%zu", prefix ? prefix : "", kind, i);
    return text;
}

static int activate(struct graph *g, int x, const char *prefix, size_t i, bool norm) {
    char name[NET_NAME];
    if (!norm) return graph_relu(g, x);
    return graph_batchnorm(g, x, name_of(name, prefix, "norm", i), true);
}

int block_conv(struct graph *g, int x, size_t i, struct block b) {
    char name[NET_NAME];
    x = graph_conv(g, x,
                   (struct op_options){.name = name_of(name, b.prefix, "conv", i),
                                       .outputs = b.channels,
                                       .kernel = b.kernel,
                                       .stride = b.stride,
                                       .pad = b.pad,
                                       .bias = b.bias});
    return b.relu ? activate(g, x, b.prefix, i, b.norm) : x;
}

int block_linear(struct graph *g, int x, size_t i, size_t outputs, bool norm) {
    char name[NET_NAME];
    x = graph_linear(g, x, name_of(name, NULL, "fc", i), outputs);
    return activate(g, x, NULL, i, norm);
}

size_t block_width(size_t channels, double width) {
    double scaled = round((double)channels * width);
    return scaled < 1 ? 1 : (size_t)scaled;
}

int blocks_range(struct graph *g, int x, const struct block_plan *plan, struct block_range r) {
    for (size_t i = r.first; i < r.last; i++) {
        bool last = i + 1 == r.n;
        x = block_conv(g, x, i + 1,
                       (struct block){.prefix = r.prefix,
                                      .channels = plan[i].channels,
                                      .kernel = plan[i].kernel,
                                      .stride = plan[i].stride,
                                      .pad = plan[i].kernel / 2,
                                      .norm = r.norm,
                                      .relu = !last,
                                      .bias = r.bias || last || !r.norm});
    }
    return x;
}

int blocks_all_conv(struct graph *g, const struct block_plan *plan, size_t n, bool norm,
                    bool bias) {
    struct block_range all = {.last = n, .n = n, .norm = norm, .bias = bias};
    int x = blocks_range(g, graph_input(g, 0), plan, all);
    return graph_output(g, graph_globalpool(g, x));
}

size_t blocks_depth(const struct graph *g, const struct settings *s,
                    struct block_plan plan[DEPTH_BLOCKS]) {
    double width = settings_real(s, "width");
    size_t n = (size_t)settings_int(s, "n"), blocks = 0;
    plan[blocks++] = (struct block_plan){block_width(96, width), 3, 1};
    for (size_t i = 1; i <= n; i++) {
        plan[blocks++] = (struct block_plan){block_width((size_t)96 << (i - 1), width), 3, 1};
        plan[blocks++] = (struct block_plan){block_width((size_t)96 << i, width), 3, 2};
    }
    size_t top = block_width((size_t)96 << n, width);
    plan[blocks++] = (struct block_plan){top, 3, 1};
    plan[blocks++] = (struct block_plan){top, 1, 1};
    plan[blocks++] = (struct block_plan){g->K, 1, 1};
    return blocks;
}
