/* Register tiles: the inner loops of every convolution, as tables of functions for one instruction
 * set, and how channels and pixels are cut into them. For .isa.c files, which define ISA.
 *
 *   correlate  n pixels times `vectors` vectors of output channels: forward, gradient by data
 *   weigh      n inputs times `vectors` vectors of output channels, summed over pixels: gradient by
 *              weights
 *
 * A 1x1 convolution with C inputs is a matrix product, and so are the steps of other methods:
 * `rows` = 1, `run` = C. */
#ifndef NETS_KERNELS_CONV_TILES_H
#define NETS_KERNELS_CONV_TILES_H

#include <stdbool.h>
#include <stddef.h>

#include "base/real.h"
#include "nets/kernels/isa.h"

enum {
    VECTORS_MOST = 3,
    TILE_MOST = 12, /* pixels or inputs of a tile: as addresses they need registers too */
    ALIGN = 64,
    CACHE_LINE = 64 / sizeof(real)
};

/* Pixels that see the same taps, on `lines` lines of `tiles` tiles. Steps are counted in reals. */
struct patch {
    const real *in, *w, *bias; /* the first tap of the first pixel */
    real *out;
    ptrdiff_t rows, run;                 /* tap rows, inputs of each */
    ptrdiff_t in_row, w_row;             /* from one tap row to the next */
    ptrdiff_t in_step, out_step;         /* from one pixel of a line to the next */
    ptrdiff_t in_line, w_line, out_line; /* w_line: 0, or lines are products of their own */
    ptrdiff_t lines, tiles;
    ptrdiff_t width;             /* channels to store */
    ptrdiff_t ahead, ahead_rows; /* rows that the next line is the first to see; 0: fetch none */
};

/* `tiles` times n inputs, x[0..), of every pixel, times the gradients at that pixel. */
struct strip {
    const real *x, *dy;
    ptrdiff_t tiles, lines, pixels;
    ptrdiff_t x_line, x_step, dy_line, dy_step;
    real *partial; /* sums so far of this image */
    bool starts;   /* from zero, not from partial */
    bool ends;     /* into dw, not into partial */
    real *dw;
    ptrdiff_t dw_step, width;
};

typedef void correlate_fn(const struct patch *g);
typedef void weigh_fn(const struct strip *g);

struct tiles {
    ptrdiff_t lanes;
    ptrdiff_t most[VECTORS_MOST + 1]; /* largest n of a tile with so many vectors */
    correlate_fn *correlate[VECTORS_MOST][TILE_MOST];
    weigh_fn *weigh[VECTORS_MOST][TILE_MOST];
};

/* The tables of one instruction set; wide: vectors of twice the lanes, NULL where there are none. */
struct tile_sets {
    const struct tiles *narrow, *wide;
};

extern const struct tile_sets ISA_NAME(tile_sets);

static inline ptrdiff_t up(ptrdiff_t a, ptrdiff_t b) {
    return (a + b - 1) / b;
}
static inline ptrdiff_t least(ptrdiff_t a, ptrdiff_t b) {
    return a < b ? a : b;
}
static inline ptrdiff_t most(ptrdiff_t a, ptrdiff_t b) {
    return a > b ? a : b;
}

/* Wide vectors unless they would carry more padding. */
static inline const struct tiles *tiles_for(ptrdiff_t channels) {
    const struct tile_sets *sets = &ISA_NAME(tile_sets);
    bool even = up(channels, sets->narrow->lanes) % 2 == 0;
    return sets->wide && even ? sets->wide : sets->narrow;
}

static inline ptrdiff_t padded(ptrdiff_t channels) {
    const ptrdiff_t lanes = tiles_for(channels)->lanes;
    return up(channels, lanes) * lanes;
}

/* Channels [first, first + width), in `vectors` vectors: blocks as equal as can be. */
struct block {
    ptrdiff_t first, width, vectors, lanes; /* lanes: of all its vectors */
};

static inline ptrdiff_t blocks(ptrdiff_t channels) {
    return up(up(channels, tiles_for(channels)->lanes), VECTORS_MOST);
}

static inline struct block block_at(ptrdiff_t channels, ptrdiff_t i) {
    const ptrdiff_t lanes = tiles_for(channels)->lanes, n = blocks(channels);
    const ptrdiff_t vectors = up(channels, lanes), more = vectors % n;
    struct block b = {.vectors = vectors / n + (i < more)};
    b.first = (vectors / n * i + least(i, more)) * lanes;
    b.lanes = b.vectors * lanes;
    b.width = least(b.lanes, channels - b.first);
    return b;
}

/* A length in as few tiles as possible and these as equal as possible: `larger` of size + 1, the
 * others of size. */
struct cut {
    ptrdiff_t tiles, larger, size;
};

static inline struct cut cut_of(ptrdiff_t length, ptrdiff_t tile_most) {
    const ptrdiff_t n = up(length, tile_most);
    return (struct cut){.tiles = n, .larger = length % n, .size = length / n};
}

/* Lines of pixels that are cut so. */
static inline void patch_run(const struct tiles *tiles, ptrdiff_t vectors, const struct cut *cut,
                             struct patch *g) {
    correlate_fn *const *run = tiles->correlate[vectors - 1];
    g->tiles = cut->larger;
    if (cut->larger) run[cut->size](g);
    g->in += cut->larger * (cut->size + 1) * g->in_step;
    g->out += cut->larger * (cut->size + 1) * g->out_step;
    g->tiles = cut->tiles - cut->larger;
    run[cut->size - 1](g);
}

/* Inputs that are cut so. */
static inline void strip_run(const struct tiles *tiles, const struct block *b,
                             const struct cut *cut, struct strip *t) {
    weigh_fn *const *run = tiles->weigh[b->vectors - 1];
    t->tiles = cut->larger;
    if (cut->larger) run[cut->size](t);
    t->x += cut->larger * (cut->size + 1);
    t->partial += cut->larger * (cut->size + 1) * b->lanes;
    t->dw += cut->larger * (cut->size + 1) * t->dw_step;
    t->tiles = cut->tiles - cut->larger;
    run[cut->size - 1](t);
}

#endif
