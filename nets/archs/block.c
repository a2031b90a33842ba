/* Blocks of layers: see block.h. */
#include "nets/archs/block.h"

#include <math.h>
#include <stdio.h>

enum { NAME = 24 };

static const char *name_of(char text[NAME], const char *kind, size_t i) {
    snprintf(text, NAME, "%s%zu", kind, i);
    return text;
}

static int activate(struct graph *g, int x, size_t i, bool norm) {
    char name[NAME];
    return norm ? graph_batchnorm(g, x, name_of(name, "norm", i), true) : graph_relu(g, x);
}

int block_conv(struct graph *g, int x, size_t i, struct block b) {
    char name[NAME];
    x = graph_conv(g, x,
                   (struct op_options){.name = name_of(name, "conv", i),
                                       .outputs = b.channels,
                                       .kernel = b.kernel,
                                       .stride = b.stride,
                                       .pad = b.pad,
                                       .bias = b.bias});
    return b.relu ? activate(g, x, i, b.norm) : x;
}

int block_linear(struct graph *g, int x, size_t i, size_t outputs, bool norm) {
    char name[NAME];
    return activate(g, graph_linear(g, x, name_of(name, "fc", i), outputs), i, norm);
}

size_t block_width(size_t channels, double width) {
    double scaled = round((double)channels * width);
    return scaled < 1 ? 1 : (size_t)scaled;
}

int blocks_all_conv(struct graph *g, const struct block_plan *plan, size_t n, bool norm,
                    bool bias) {
    int x = graph_input(g, 0);
    for (size_t i = 0; i < n; i++) {
        bool last = i + 1 == n;
        x = block_conv(g, x, i + 1,
                       (struct block){.channels = plan[i].channels,
                                      .kernel = plan[i].kernel,
                                      .stride = plan[i].stride,
                                      .pad = plan[i].kernel / 2,
                                      .norm = norm,
                                      .relu = !last,
                                      .bias = bias || last || !norm});
    }
    return graph_output(g, graph_globalpool(g, x));
}
