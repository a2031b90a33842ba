/* Direct convolution over NHWC, register-tiled: output channels across the lanes of vectors, pixels
 * (or, for the weight gradient, inputs) across registers. Compiled once per instruction set.
 *
 *   forward          a correlation of x with w: y[i,j,:] = b + sum over r, k of
 *                    x[i*stride + r - pad][j*stride - pad)*C + k] * w[r][k][:],  k = (s,c)
 *                    For one tap row r the inputs k = 0..S*C-1 are contiguous, so that 1 input
 *                    channel runs through the same loop as 100.
 *   backward_data    stride*stride correlations of dy with parts of the flipped w: the pixels h of
 *                    dx with h % stride == a see the taps r with r % stride == (a + pad) % stride.
 *   backward_weights dw[r][k][:] += sum over i, j of x[i*stride + r - pad][..+ k] * dy[i][j][:],
 *                    one image after another, each image's total added in one rounding.
 *
 * Padding costs nothing: rows and columns that see the same taps form bands, and every pair of
 * bands is run with just those taps. Output channels are cut into blocks of at most VECTORS_MOST
 * vectors, the weights of a block packed contiguously, padded with zeros to whole vectors.
 * Trap: nothing may be read or written outside an image, so only padded scratch is read in whole
 * vectors beyond the channels. (Method: Georganas et al. 2018, arXiv:1808.05567; Zhang, Franchetti
 * and Low 2018, arXiv:1809.10170.) */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "nets/kernels/conv.h"
#include "nets/kernels/conv_tiles.h"

enum {
    SUMS_LEAST = 8, /* of a tile that waits for nothing */
    TAPS_MOST = 16, /* rows or columns of a kernel */
    BANDS = 2 * TAPS_MOST + 2,
    PIXELS_IN_CACHE = 128,   /* of dy, and the lines of x beside them, while all weights pass */
    GROUP_BYTES = 256 << 10, /* of images, inputs and outputs, whose pixels share tiles */
};

/* ---- cutting pixels and taps ---- */

/* One direction of a correlation: output i sees inputs i * stride - pad + t, t in [0, taps). */
struct axis {
    ptrdiff_t in, out, taps, stride, pad;
};

/* Outputs [first, last), of which every one finds the taps [tap0, tap1) inside the image. */
struct band {
    ptrdiff_t first, last, tap0, tap1;
};

static struct band band_of(const struct axis *a, ptrdiff_t i) {
    struct band b = {i, i + 1, most(0, a->pad - i * a->stride),
                     least(a->taps, a->in + a->pad - i * a->stride)};
    if (b.tap0 >= b.tap1) b.tap0 = b.tap1 = 0;
    return b;
}

static ptrdiff_t bands_make(const struct axis *a, struct band *bands) {
    ptrdiff_t n = 0;
    for (ptrdiff_t i = 0; i < a->out; i++) {
        const struct band b = band_of(a, i);
        if (n && bands[n - 1].tap0 == b.tap0 && bands[n - 1].tap1 == b.tap1) {
            bands[n - 1].last = b.last;
            continue;
        }
        assert(n < BANDS);
        bands[n++] = b;
    }
    return n;
}

/* ---- correlation ---- */

struct correlation {
    const struct tiles *tiles;
    struct axis rows, columns;
    struct band row_bands[BANDS], column_bands[BANDS];
    ptrdiff_t row_bands_n, column_bands_n;
    ptrdiff_t depth, width; /* input, output channels */
    ptrdiff_t in_image, in_row, in_pixel, out_image, out_row, out_pixel;
    bool across[BANDS][BANDS]; /* tiles of this pair of bands go across the images of a group */
    const real *w;             /* [block][R][S][depth][lanes of the block] */
    const real *bias;          /* [padded(width)] */
};

/* One band of all outputs, whose taps in the padding read zeros. */
static ptrdiff_t bands_join(const struct axis *a, struct band *bands) {
    bands[0] = (struct band){0, a->out, 0, a->taps};
    return 1;
}

/* What a tile of n pixels takes for each input: multiply-adds, which cannot be fewer than hide
 * their own latency, and the loads. */
static ptrdiff_t tile_cost(ptrdiff_t n, ptrdiff_t vectors) {
    return most(n * vectors, SUMS_LEAST) + (n + vectors) / 2;
}

/* What a line of `length` pixels takes. */
static ptrdiff_t line_cost(const struct tiles *tiles, ptrdiff_t vectors, ptrdiff_t length) {
    const ptrdiff_t n = up(length, tiles->most[vectors]), size = length / n, larger = length % n;
    return larger * tile_cost(size + 1, vectors) + (n - larger) * tile_cost(size, vectors);
}

static ptrdiff_t band_length(const struct band *b) {
    return b->last - b->first;
}

/* Corners and small images have too few pixels side by side. */
static bool pays_across(const struct correlation *c, const struct band *rows,
                        const struct band *columns, ptrdiff_t images) {
    const ptrdiff_t vectors = block_at(c->width, 0).vectors;
    const ptrdiff_t n = band_length(rows), m = band_length(columns);
    const ptrdiff_t along =
        least(n * line_cost(c->tiles, vectors, m), m * line_cost(c->tiles, vectors, n)) * images;
    return images > 1 && 10 * n * m * line_cost(c->tiles, vectors, images) < 9 * along;
}

static void correlation_cut(struct correlation *c, bool joined, ptrdiff_t group) {
    c->tiles = tiles_for(c->width);
    c->row_bands_n = (joined ? bands_join : bands_make)(&c->rows, c->row_bands);
    c->column_bands_n = (joined ? bands_join : bands_make)(&c->columns, c->column_bands);
    for (ptrdiff_t r = 0; r < c->row_bands_n; r++)
        for (ptrdiff_t s = 0; s < c->column_bands_n; s++)
            c->across[r][s] = pays_across(c, &c->row_bands[r], &c->column_bands[s], group);
}

/* A direction of outputs: how many, and the steps between them. */
struct extent {
    ptrdiff_t n, in, out;
};

/* Tiles go along `line`, one line after the other. */
static void patch_lines(const struct tiles *tiles, ptrdiff_t vectors, const struct extent *line,
                        const struct extent *lines, struct patch g) {
    g.in_step = line->in, g.out_step = line->out;
    g.in_line = lines->in, g.out_line = lines->out;
    g.lines = lines->n;
    const struct cut cut = cut_of(line->n, tiles->most[vectors]);
    patch_run(tiles, vectors, &cut, &g);
}

/* One pair of bands of so many images: tiles go across the images, or image after image along the
 * rows, or along the columns where that takes fewer tiles. */
static void correlate_bands(const struct correlation *c, const struct block *b,
                            const struct band *rows, const struct band *columns, ptrdiff_t images,
                            const real *in, real *out) {
    const ptrdiff_t first_row = rows->first * c->rows.stride - c->rows.pad + rows->tap0;
    const ptrdiff_t first_column =
        columns->first * c->columns.stride - c->columns.pad + columns->tap0;
    const ptrdiff_t w_pixel = c->depth * b->lanes, w_row = c->columns.taps * w_pixel;
    const bool seen = rows->tap1 > rows->tap0 && columns->tap1 > columns->tap0;
    const struct extent across = {band_length(columns), c->columns.stride * c->in_pixel,
                                  c->out_pixel};
    const struct extent down = {band_length(rows), c->rows.stride * c->in_row, c->out_row};
    const struct extent deep = {images, c->in_image, c->out_image};
    const ptrdiff_t tile = c->tiles->most[b->vectors];
    struct patch g = {
        .in = seen ? in + first_row * c->in_row + first_column * c->in_pixel : in,
        .w = c->w + c->rows.taps * c->columns.taps * c->depth * b->first + rows->tap0 * w_row +
             columns->tap0 * w_pixel,
        .bias = c->bias + b->first,
        .out = out + rows->first * c->out_row + columns->first * c->out_pixel + b->first,
        .rows = seen ? rows->tap1 - rows->tap0 : 0,
        .run = (columns->tap1 - columns->tap0) * c->depth,
        .in_row = c->in_row,
        .w_row = w_row,
        .width = b->width,
    };
    if (images > 1) {
        for (ptrdiff_t i = 0; i < down.n; i++, g.in += down.in, g.out += down.out)
            patch_lines(c->tiles, b->vectors, &deep, &across, g);
    } else if (up(across.n, tile) * down.n <= up(down.n, tile) * across.n) {
        g.ahead = most(g.rows, c->rows.stride) * c->in_row;
        g.ahead_rows = least(g.rows, c->rows.stride);
        patch_lines(c->tiles, b->vectors, &across, &down, g);
    } else {
        patch_lines(c->tiles, b->vectors, &down, &across, g);
    }
}

/* The pairs of bands whose tiles go across images, or the others. */
static void correlate_pairs(const struct correlation *c, const struct block *b, bool across,
                            ptrdiff_t images, const real *in, real *out) {
    for (ptrdiff_t r = 0; r < c->row_bands_n; r++)
        for (ptrdiff_t s = 0; s < c->column_bands_n; s++)
            if (c->across[r][s] == across)
                correlate_bands(c, b, &c->row_bands[r], &c->column_bands[s], images, in, out);
}

/* in: pixel (0, 0) of the first image; out: its first output. */
static void correlate_images(const struct correlation *c, ptrdiff_t images, const real *in,
                             real *out) {
    const ptrdiff_t n = blocks(c->width);
    for (ptrdiff_t i = 0; i < n; i++) {
        const struct block b = block_at(c->width, i);
        for (ptrdiff_t m = 0; m < images; m++)
            correlate_pairs(c, &b, false, 1, in + m * c->in_image, out + m * c->out_image);
        correlate_pairs(c, &b, true, images, in, out);
    }
}

/* How many images pass together: as many as stay in cache. */
static ptrdiff_t group_most(const struct tensor *in, const struct tensor *out) {
    const size_t bytes = (in->image + out->image) * sizeof(real);
    return most(1, (ptrdiff_t)(GROUP_BYTES / bytes));
}

/* Of the images [first, last). */
static ptrdiff_t group_size(const struct tensor *in, const struct tensor *out, size_t first,
                            size_t last) {
    return least(most(1, (ptrdiff_t)(last - first)), group_most(in, out));
}

/* ---- the three passes ---- */

/* Sizes as signed numbers, so that a tap in the padding has a negative index. */
struct sizes {
    ptrdiff_t C, O, R, S, stride, pad;
    ptrdiff_t H, W, OH, OW;
};

static struct sizes sizes_of(const struct conv_shape *s, const struct tensor *x,
                             const struct tensor *y) {
    assert(x->C == s->C && y->C == s->O);
    assert(y->H > 0 && (y->H - 1) * s->stride + s->R <= x->H + 2 * s->pad);
    assert(y->W > 0 && (y->W - 1) * s->stride + s->S <= x->W + 2 * s->pad);
    return (struct sizes){
        .C = (ptrdiff_t)s->C,
        .O = (ptrdiff_t)s->O,
        .R = (ptrdiff_t)s->R,
        .S = (ptrdiff_t)s->S,
        .stride = (ptrdiff_t)s->stride,
        .pad = (ptrdiff_t)s->pad,
        .H = (ptrdiff_t)x->H,
        .W = (ptrdiff_t)x->W,
        .OH = (ptrdiff_t)y->H,
        .OW = (ptrdiff_t)y->W,
    };
}

/* So few input channels that cutting off the padding costs more than it saves. */
static bool few_inputs(const struct conv_shape *s) {
    return s->C <= 3;
}

/* Then images are copied into scratch, with zeros around them. */
static bool is_copied(const struct conv_shape *s) {
    return few_inputs(s) && s->pad > 0;
}

/* x as it is read, without data. */
static struct tensor as_read(const struct conv_shape *s, const struct tensor *x) {
    struct tensor t = *x;
    if (!is_copied(s)) return t;
    t.row = (x->W + 2 * s->pad) * x->C;
    t.image = (x->H + 2 * s->pad) * t.row;
    return t;
}

/* Room for so many copies. */
static void copies_begin(const struct conv_shape *s, struct tensor *copies, size_t images,
                         real *room) {
    if (!is_copied(s)) return;
    memset(room, 0, images * copies->image * sizeof *room);
    copies->data = room + s->pad * (copies->row + s->C);
}

/* Images [first, last) of x; where they are read. */
static const real *images_read(const struct conv_shape *s, const struct tensor *x, size_t first,
                               size_t last, const struct tensor *copies) {
    if (!is_copied(s)) return tensor_at(x, first, 0, 0);
    for (size_t n = first; n < last; n++)
        for (size_t h = 0; h < x->H; h++)
            memcpy(tensor_at(copies, n - first, h, 0), tensor_at(x, n, h, 0),
                   x->W * x->C * sizeof(real));
    return copies->data;
}

static bool covers(const struct conv_shape *s) {
    return s->R <= TAPS_MOST && s->S <= TAPS_MOST && s->pad < s->R && s->pad < s->S;
}

/* Rows of y whose pixels stay in cache while all weights pass over them. */
static ptrdiff_t rows_in_cache(const struct sizes *z) {
    return most(1, least(z->OH, PIXELS_IN_CACHE / z->OW));
}

static size_t scratch_size(const struct conv_shape *s, const struct tensor *x,
                           const struct tensor *y) {
    const struct sizes z = sizes_of(s, x, y);
    const ptrdiff_t taps = z.R * z.S, to_o = padded(z.O), to_c = padded(z.C);
    const ptrdiff_t forward = (taps * z.C + 1) * to_o, data = (taps * z.O + 1) * to_c;
    const ptrdiff_t tail = rows_in_cache(&z) * z.OW * VECTORS_MOST * tiles_for(z.O)->lanes;
    const size_t copies = is_copied(s) ? (size_t)group_most(x, y) * as_read(s, x).image : 0;
    return (size_t)most(most(forward, data), taps * z.C * to_o + tail) + copies +
           ALIGN / sizeof(real);
}

static real *scratch_aligned(real *scratch) {
    return scratch + (ALIGN - (uintptr_t)scratch % ALIGN) % ALIGN / sizeof(real);
}

static void forward_pack(const struct sizes *z, const real *w, const real *b, real *bias,
                         real *packed) {
    const ptrdiff_t rows = z->R * z->S * z->C, n = blocks(z->O);
    for (ptrdiff_t o = 0; o < padded(z->O); o++) bias[o] = b && o < z->O ? b[o] : 0;
    for (ptrdiff_t i = 0; i < n; i++) {
        const struct block k = block_at(z->O, i);
        for (ptrdiff_t row = 0; row < rows; row++, packed += k.lanes) {
            memcpy(packed, w + row * z->O + k.first, (size_t)k.width * sizeof *w);
            memset(packed + k.width, 0, (size_t)(k.lanes - k.width) * sizeof *w);
        }
    }
}

static void forward(const struct conv_shape *s, const struct tensor *x, const real *w,
                    const real *b, const struct tensor *y, size_t first, size_t last,
                    real *scratch) {
    const struct sizes z = sizes_of(s, x, y);
    real *bias = scratch_aligned(scratch), *packed = bias + padded(z.O);
    struct tensor in = as_read(s, x);
    struct correlation c = {
        .rows = {z.H, z.OH, z.R, z.stride, z.pad},
        .columns = {z.W, z.OW, z.S, z.stride, z.pad},
        .depth = z.C,
        .width = z.O,
        .in_image = (ptrdiff_t)in.image,
        .in_row = (ptrdiff_t)in.row,
        .in_pixel = z.C,
        .out_image = (ptrdiff_t)y->image,
        .out_row = (ptrdiff_t)y->row,
        .out_pixel = z.O,
        .w = packed,
        .bias = bias,
    };
    forward_pack(&z, w, b, bias, packed);
    const ptrdiff_t group = group_size(x, y, first, last);
    correlation_cut(&c, few_inputs(s), group);
    copies_begin(s, &in, (size_t)group, packed + z.R * z.S * z.C * padded(z.O));
    for (size_t n = first; n < last; n += (size_t)group) {
        const ptrdiff_t images = least(group, (ptrdiff_t)(last - n));
        correlate_images(&c, images, images_read(s, x, n, n + (size_t)images, &in),
                         tensor_at(y, n, 0, 0));
    }
}

/* One direction of the pixels a, a + stride, ... of dx. They see the taps t0, t0 + stride, ...;
 * in falling order of the taps they see dy in rising order. */
struct phase {
    ptrdiff_t a, t0;
    struct axis axis;
};

static struct phase phase_of(ptrdiff_t a, ptrdiff_t stride, ptrdiff_t pad, ptrdiff_t taps,
                             ptrdiff_t in, ptrdiff_t out) {
    struct phase p = {.a = a, .t0 = (a + pad) % stride};
    p.axis = (struct axis){.in = in, .out = up(out - a, stride), .stride = 1};
    p.axis.taps = most(0, up(taps - p.t0, stride));
    p.axis.pad = p.axis.taps - 1 - (a + pad) / stride;
    return p;
}

/* The phases of the rows and of the columns that pixel (ab / stride, ab % stride) belongs to. */
static void phases_of(const struct sizes *z, ptrdiff_t ab, struct phase *row,
                      struct phase *column) {
    *row = phase_of(ab / z->stride, z->stride, z->pad, z->R, z->OH, z->H);
    *column = phase_of(ab % z->stride, z->stride, z->pad, z->S, z->OW, z->W);
}

/* packed[block][t][u][o][c] = w[r][q][c][o], flipped, of the taps that the phases see; where it
 * ends. */
static real *backward_pack(const struct sizes *z, ptrdiff_t ab, const real *w, real *packed) {
    struct phase row, column;
    phases_of(z, ab, &row, &column);
    const ptrdiff_t n = blocks(z->C), T = row.axis.taps, U = column.axis.taps;
    for (ptrdiff_t i = 0; i < n; i++) {
        const struct block b = block_at(z->C, i);
        for (ptrdiff_t tu = 0; tu < T * U; tu++) {
            const ptrdiff_t r = row.t0 + (T - 1 - tu / U) * z->stride;
            const ptrdiff_t q = column.t0 + (U - 1 - tu % U) * z->stride;
            const real *from = w + ((r * z->S + q) * z->C + b.first) * z->O;
            for (ptrdiff_t o = 0; o < z->O; o++, packed += b.lanes) {
                for (ptrdiff_t c = 0; c < b.width; c++) packed[c] = from[c * z->O + o];
                for (ptrdiff_t c = b.width; c < b.lanes; c++) packed[c] = 0;
            }
        }
    }
    return packed;
}

/* All phases of some images; c->w runs through their weights. */
static void backward_images(const struct sizes *z, struct correlation *c, ptrdiff_t group,
                            ptrdiff_t images, const real *dy, real *dx) {
    for (ptrdiff_t ab = 0; ab < z->stride * z->stride; ab++) {
        struct phase row, column;
        phases_of(z, ab, &row, &column);
        c->rows = row.axis, c->columns = column.axis;
        correlation_cut(c, false, group);
        correlate_images(c, images, dy,
                         dx + (row.a * c->out_row + column.a * c->out_pixel) / z->stride);
        c->w += row.axis.taps * column.axis.taps * z->O * padded(z->C);
    }
}

static void backward_data(const struct conv_shape *s, const struct tensor *dy, const real *w,
                          const struct tensor *dx, size_t first, size_t last, real *scratch) {
    const struct sizes z = sizes_of(s, dx, dy);
    real *zero = scratch_aligned(scratch), *packed = zero + padded(z.C), *end = packed;
    struct correlation c = {
        .depth = z.O,
        .width = z.C,
        .in_image = (ptrdiff_t)dy->image,
        .in_row = (ptrdiff_t)dy->row,
        .in_pixel = z.O,
        .out_image = (ptrdiff_t)dx->image,
        .out_row = (ptrdiff_t)dx->row * z.stride,
        .out_pixel = z.C * z.stride,
        .bias = zero,
    };
    memset(zero, 0, (size_t)padded(z.C) * sizeof *zero);
    for (ptrdiff_t ab = 0; ab < z.stride * z.stride; ab++) end = backward_pack(&z, ab, w, end);
    const ptrdiff_t group = group_size(dy, dx, first, last);
    for (size_t n = first; n < last; n += (size_t)group) {
        c.w = packed;
        backward_images(&z, &c, group, least(group, (ptrdiff_t)(last - n)), tensor_at(dy, n, 0, 0),
                        tensor_at(dx, n, 0, 0));
    }
}

/* Outputs [first, last), whose taps t..t_last lie not all outside the image. */
struct range {
    ptrdiff_t first, last;
};

static struct range outputs_of(const struct axis *a, ptrdiff_t t, ptrdiff_t t_last) {
    struct range r = {.first = most(0, up(a->pad - t_last, a->stride)), .last = 0};
    if (a->in + a->pad > t) r.last = least(a->out, up(a->in + a->pad - t, a->stride));
    r.first = least(r.first, r.last);
    return r;
}

/* One image's weight gradient, on the rows [top, bottom) of dy. */
struct weighing {
    struct sizes z;
    const struct tiles *tiles;
    struct range rows[TAPS_MOST], columns[TAPS_MOST]; /* outputs that see each tap */
    bool joined; /* tap columns are run together, with few input channels, of a padded image */
    const real *x, *dy; /* pixel (0, 0) */
    ptrdiff_t x_row, dy_row;
    ptrdiff_t top, bottom;
    real *partial, *tail, *dw;
};

static void weighing_cut(struct weighing *g) {
    const struct sizes *z = &g->z;
    const struct axis rows = {z->H, z->OH, z->R, z->stride, z->pad};
    const struct axis columns = {z->W, z->OW, z->S, z->stride, z->pad};
    g->tiles = tiles_for(z->O);
    for (ptrdiff_t r = 0; r < z->R; r++) g->rows[r] = outputs_of(&rows, r, r);
    for (ptrdiff_t s = 0; s < z->S; s++) g->columns[s] = outputs_of(&columns, s, s);
    if (g->joined) g->columns[0] = outputs_of(&columns, 0, z->S - 1);
}

/* to[0..lanes) = from[0..lanes), a copy in whole vectors. */
static void copy_lanes(const real *from, ptrdiff_t lanes, real *to) {
    enum { STEP = 16 / sizeof(real) }; /* bytes of the narrowest vector */
    for (ptrdiff_t i = 0; i < lanes; i += STEP) memcpy(to + i, from + i, STEP * sizeof *to);
}

/* The block's channels of dy, [pixels][lanes]: a tail cannot be loaded whole where the row ends.
 * The lanes beyond the channels hold what follows in the row, and nobody looks at their sums. */
static void tail_gather(const struct weighing *g, const struct block *b) {
    const ptrdiff_t length = g->z.OW * g->z.O;
    real *to = g->tail;
    for (ptrdiff_t i = g->top; i < g->bottom; i++)
        for (ptrdiff_t at = b->first; at < length; at += g->z.O, to += b->lanes) {
            const real *from = g->dy + i * g->dy_row + at;
            if (at + b->lanes <= length) {
                copy_lanes(from, b->lanes, to);
                continue;
            }
            memcpy(to, from, (size_t)b->width * sizeof *to);
            memset(to + b->width, 0, (size_t)(b->lanes - b->width) * sizeof *to);
        }
}

/* The weights of tap (r, s), or of (r, s) and the taps right of it when joined. */
static void weigh_tap(const struct weighing *g, const struct block *b, ptrdiff_t r, ptrdiff_t s) {
    const struct sizes *z = &g->z;
    const struct range columns = g->columns[s];
    const ptrdiff_t first = least(most(g->top, g->rows[r].first), g->bottom);
    const ptrdiff_t last = most(first, least(g->bottom, g->rows[r].last));
    const bool copied = b->width < b->lanes;
    const ptrdiff_t weight = (r * z->S + s) * z->C;
    struct strip t = {
        .x = g->x + (first * z->stride + r - z->pad) * g->x_row +
             (columns.first * z->stride + s - z->pad) * z->C,
        .dy = copied ? g->tail - g->top * z->OW * b->lanes : g->dy + b->first,
        .lines = last - first,
        .pixels = columns.last - columns.first,
        .x_line = z->stride * g->x_row,
        .x_step = z->stride * z->C,
        .dy_line = copied ? z->OW * b->lanes : g->dy_row,
        .dy_step = copied ? b->lanes : z->O,
        .partial = g->partial + z->R * z->S * z->C * b->first + weight * b->lanes,
        .starts = g->top == 0,
        .ends = g->bottom == z->OH,
        .dw = g->dw + weight * z->O + b->first,
        .dw_step = z->O,
        .width = b->width,
    };
    t.dy += first * t.dy_line + columns.first * t.dy_step;
    const struct cut cut = cut_of(g->joined ? z->S * z->C : z->C, g->tiles->most[b->vectors]);
    strip_run(g->tiles, b, &cut, &t);
}

static void weigh_rows(const struct weighing *g) {
    const ptrdiff_t n = blocks(g->z.O);
    for (ptrdiff_t i = 0; i < n; i++) {
        const struct block b = block_at(g->z.O, i);
        if (b.width < b.lanes) tail_gather(g, &b);
        for (ptrdiff_t r = 0; r < g->z.R; r++)
            for (ptrdiff_t s = 0; s < (g->joined ? 1 : g->z.S); s++) weigh_tap(g, &b, r, s);
    }
}

static void backward_weights(const struct conv_shape *s, const struct tensor *x,
                             const struct tensor *dy, real *dw, size_t first, size_t last,
                             real *scratch) {
    struct weighing g = {.z = sizes_of(s, x, dy), .joined = few_inputs(s), .dw = dw};
    const ptrdiff_t rows = rows_in_cache(&g.z);
    g.dy_row = (ptrdiff_t)dy->row;
    g.partial = scratch_aligned(scratch);
    g.tail = g.partial + g.z.R * g.z.S * g.z.C * padded(g.z.O);
    struct tensor in = as_read(s, x);
    g.x_row = (ptrdiff_t)in.row;
    weighing_cut(&g);
    copies_begin(s, &in, 1, g.tail + rows * g.z.OW * VECTORS_MOST * g.tiles->lanes);
    for (size_t n = first; n < last; n++) {
        g.x = images_read(s, x, n, n + 1, &in);
        g.dy = tensor_at(dy, n, 0, 0);
        for (g.top = 0; g.top < g.z.OH; g.top = g.bottom) {
            g.bottom = least(g.z.OH, g.top + rows);
            weigh_rows(&g);
        }
    }
}

extern const struct conv_kernel ISA_NAME(conv_direct);
const struct conv_kernel ISA_NAME(conv_direct) = {
    .name = "direct",
    .in_order = true,
    .covers = covers,
    .scratch = scratch_size,
    .forward = forward,
    .backward_data = backward_data,
    .backward_weights = backward_weights,
};
