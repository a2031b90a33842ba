/* Winograd's F(2x2, 3x3): 3x3 convolutions of stride 1 with 16 products where the direct method takes
 * 36. (Lavin and Gray 2015, arXiv:1509.09308, section 4.1; Winograd 1980.)
 *
 * A tile is 2 x 2 outputs, and the 4 x 4 inputs that they see. With d an input tile of one channel,
 * g a kernel, all products below element by element,
 *
 *   forward           y = A'[ sum over c of (G g G') (B' d B) ] A
 *   backward_data     the same over dy, with the kernel turned by 180 degrees and C, O exchanged
 *   backward_weights  dg = G'[ sum over tiles of (B' d B) (A dy A') ] G       (the adjoint in g)
 *
 *        1  0 -1  0           1   0   0           1  0
 *   B' = 0  1  1  0      G = 1/2 1/2 1/2     A =  1  1
 *        0 -1  1  0          1/2-1/2 1/2          1 -1
 *        0  1  0 -1           0   0   1           0 -1
 *
 * For each of the 16 places of a tile the sum over channels (over tiles) is a matrix product, which
 * the register tiles of conv_tiles.h do. Tiles go through in groups, whose transforms stay in cache.
 *
 * Error: a transform adds up to 4 numbers, so the result is off by up to a few times what the direct
 * sum is off by, relative to the largest products (tests/test_conv.c has the bound).
 * Traps: places of one tile lie `place` apart, and if that were a power of two they would fall into
 * the same few lines of cache. A group is cut by image sizes and channels alone, but the weight
 * gradient of a call is transformed back once, so its last bits depend on how a batch is cut. */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "nets/kernels/conv.h"
#include "nets/kernels/conv_tiles.h"

#if defined __AVX__
enum { VECTOR = 32 };
#else
enum { VECTOR = 16 };
#endif
enum {
    LANES = VECTOR / sizeof(real), /* those of tile_sets.narrow */
    EDGE = 4,                      /* of an input tile */
    PLACES = EDGE * EDGE,
    LINE = 64 / sizeof(real),
    GROUP_MOST = 64
};
/* Of a group's places, half the cache that they should stay in: the first level's for correlations;
 * the second's for weight gradients, whose sums over more tiles are loaded and stored less often. */
static const ptrdiff_t CORRELATION_BYTES = 32 << 10, WEIGHING_BYTES = 128 << 10;

typedef real vec __attribute__((vector_size(VECTOR)));
typedef real mem __attribute__((vector_size(VECTOR), aligned(sizeof(real)), may_alias));
#define LOAD(p)  (*(const mem *)(p))
#define STORE(p) (*(mem *)(p))

struct plane {
    const struct tensor *t;
    ptrdiff_t channels, lanes; /* lanes: channels up to whole vectors */
};

/* `in` is read in tiles of 4 x 4, `out` has a tile of 2 x 2 for each. Tiles go through in groups of
 * whole rows of tiles, and a group one row of places after the other, so that a quarter of its
 * places is in cache at a time. */
struct grid {
    struct plane in, out;
    ptrdiff_t pad;           /* tile (i, j) begins at input (2i - pad, 2j - pad) */
    ptrdiff_t rows, columns; /* of tiles, of an image */
    ptrdiff_t group;         /* rows of tiles that go through together */
    ptrdiff_t place_in, place_out, place_kernels; /* reals from one place to the next */
    real *kernels;                                /* [PLACES] of [block][in][lanes of the block] */
    real *places_in, *places_out;                 /* [EDGE] of [group columns][lanes] */
    real *sums;                                   /* like places_out: the outputs so far, [2][2] */
    real *bias;                                   /* [out.lanes] */
    real *line_in, *line_out; /* [2 columns + 2][lanes], a row of pixels and zeros around it */
};

/* ---- the transforms, one row of places ---- */

/* Row i of B' d B is (upper d[first] + lower d[second]) B, row i of A dy A' the same with A'. */
struct rows {
    int first, second;
    real upper, lower;
};
static const struct rows INPUT_ROWS[EDGE] = {
    {0, 2, 1, -1}, {1, 2, 1, 1}, {1, 2, -1, 1}, {1, 3, 1, -1}};
static const struct rows GRADIENT_ROWS[EDGE] = {
    {0, 1, 1, 0}, {0, 1, 1, 1}, {0, 1, 1, -1}, {0, 1, 0, -1}};

/* to[0..n) = upper a + lower b; a or b NULL: 0 */
static void combine(const real *a, real upper, const real *b, real lower, ptrdiff_t n, real *to) {
    if (a && b && upper != 0 && lower != 0)
        for (ptrdiff_t i = 0; i < n; i++) to[i] = upper * a[i] + lower * b[i];
    else if (a && upper != 0)
        for (ptrdiff_t i = 0; i < n; i++) to[i] = upper * a[i];
    else if (b && lower != 0)
        for (ptrdiff_t i = 0; i < n; i++) to[i] = lower * b[i];
    else
        memset(to, 0, (size_t)n * sizeof *to);
}

/* The sum of two rows of image n, those of the tile that begins at row h, in whole vectors. */
static void line_read(const struct plane *p, size_t n, ptrdiff_t h, const struct rows *r,
                      real *line) {
    const ptrdiff_t H = (ptrdiff_t)p->t->H, W = (ptrdiff_t)p->t->W, C = p->channels;
    const ptrdiff_t first = h + r->first, second = h + r->second;
    const real *a = first >= 0 && first < H ? tensor_at(p->t, n, (size_t)first, 0) : NULL;
    const real *b = second >= 0 && second < H ? tensor_at(p->t, n, (size_t)second, 0) : NULL;
    if (C == p->lanes) {
        combine(a, r->upper, b, r->lower, W * C, line);
        return;
    }
    for (ptrdiff_t w = 0; w < W; w++)
        combine(a ? a + w * C : NULL, r->upper, b ? b + w * C : NULL, r->lower, C,
                line + w * p->lanes);
}

/* to[4][columns] = t B of the line's pixels t, four from every second one */
static void input_columns(const real *line, ptrdiff_t columns, ptrdiff_t lanes, real *to,
                          ptrdiff_t place) {
    for (ptrdiff_t c = 0; c < lanes; c += LANES) {
        const real *from = line + c;
        vec t0 = LOAD(from), t1 = LOAD(from + lanes);
        for (ptrdiff_t j = c; j < columns * lanes; j += lanes) {
            from += 2 * lanes;
            const vec t2 = LOAD(from), t3 = LOAD(from + lanes);
            STORE(to + j) = t0 - t2;
            STORE(to + j + place) = t1 + t2;
            STORE(to + j + 2 * place) = t2 - t1;
            STORE(to + j + 3 * place) = t1 - t3;
            t0 = t2, t1 = t3;
        }
    }
}

/* to[4][columns] = t A' of the line's pixels t, two by two */
static void gradient_columns(const real *line, ptrdiff_t columns, ptrdiff_t lanes, real *to,
                             ptrdiff_t place) {
    for (ptrdiff_t j = 0; j < columns; j++, line += lanes)
        for (ptrdiff_t o = 0; o < lanes; o += LANES, line += LANES, to += LANES) {
            const vec t0 = LOAD(line), t1 = LOAD(line + lanes);
            STORE(to) = t0;
            STORE(to + place) = t0 + t1;
            STORE(to + 2 * place) = t0 - t1;
            STORE(to + 3 * place) = -t1;
        }
}

/* A' (m A), row after row: y[0] = s0 + s1 + s2 and y[1] = s1 - s2 - s3 with s = m A. The sums so far
 * lie in `sums`; y[0] is whole at row 2, y[1] at row 3: then to[2 columns] gets it. */
static inline __attribute__((always_inline)) void output_columns(const int row, const real *m,
                                                                 ptrdiff_t columns, ptrdiff_t lanes,
                                                                 ptrdiff_t place, real *sums,
                                                                 const real *bias, real *to) {
    for (ptrdiff_t j = 0; j < columns; j++, to += lanes)
        for (ptrdiff_t o = 0; o < lanes; o += LANES, m += LANES, sums += LANES, to += LANES) {
            const vec m1 = LOAD(m + place), m2 = LOAD(m + 2 * place);
            const vec s[2] = {LOAD(m) + (m1 + m2), (m1 - m2) - LOAD(m + 3 * place)};
            for (ptrdiff_t k = 0; k < 2; k++) {
                real *y0 = sums + k * place, *y1 = y0 + 2 * place;
                if (row == 0) STORE(y0) = s[k];
                if (row == 1) STORE(y0) += s[k], STORE(y1) = s[k];
                if (row == 2) {
                    STORE(to + k * lanes) = LOAD(y0) + s[k] + LOAD(bias + o);
                    STORE(y1) -= s[k];
                }
                if (row == 3) STORE(to + k * lanes) = LOAD(y1) - s[k] + LOAD(bias + o);
            }
        }
}

/* to[16] = G g G' of the kernels' taps g[9] */
static void kernel_transform(const vec g[9], vec to[PLACES]) {
    vec t[EDGE][3];
    for (ptrdiff_t s = 0; s < 3; s++) {
        const vec ends = (real)0.5 * (g[s] + g[6 + s]), middle = (real)0.5 * g[3 + s];
        t[0][s] = g[s];
        t[1][s] = ends + middle;
        t[2][s] = ends - middle;
        t[3][s] = g[6 + s];
    }
    for (ptrdiff_t i = 0; i < EDGE; i++) {
        const vec ends = (real)0.5 * (t[i][0] + t[i][2]), middle = (real)0.5 * t[i][1];
        to[EDGE * i + 0] = t[i][0];
        to[EDGE * i + 1] = ends + middle;
        to[EDGE * i + 2] = ends - middle;
        to[EDGE * i + 3] = t[i][2];
    }
}

/* dg[9] = G' u G */
static void kernel_transform_back(const vec u[PLACES], vec dg[9]) {
    vec t[3][EDGE];
    for (ptrdiff_t j = 0; j < EDGE; j++) {
        const vec sum = (real)0.5 * (u[EDGE + j] + u[2 * EDGE + j]);
        t[0][j] = u[j] + sum;
        t[1][j] = (real)0.5 * (u[EDGE + j] - u[2 * EDGE + j]);
        t[2][j] = sum + u[3 * EDGE + j];
    }
    for (ptrdiff_t r = 0; r < 3; r++) {
        const vec sum = (real)0.5 * (t[r][1] + t[r][2]);
        dg[3 * r + 0] = t[r][0] + sum;
        dg[3 * r + 1] = (real)0.5 * (t[r][1] - t[r][2]);
        dg[3 * r + 2] = sum + t[r][3];
    }
}

/* ---- rows of tiles ---- */

/* Row `at` of tiles, counted from the first of image `first`. */
struct place {
    size_t n;
    ptrdiff_t h; /* of its outputs */
};

static struct place place_at(const struct grid *g, size_t first, ptrdiff_t at) {
    return (struct place){first + (size_t)(at / g->rows), 2 * (at % g->rows)};
}

static void input_read(const struct grid *g, struct place p, ptrdiff_t row, real *to) {
    line_read(&g->in, p.n, p.h - g->pad, &INPUT_ROWS[row], g->line_in + g->pad * g->in.lanes);
    input_columns(g->line_in, g->columns, g->in.lanes, to, g->place_in);
}

static void gradient_read(const struct grid *g, struct place p, ptrdiff_t row, real *to) {
    line_read(&g->out, p.n, p.h, &GRADIENT_ROWS[row], g->line_out);
    gradient_columns(g->line_out, g->columns, g->out.lanes, to, g->place_out);
}

static void line_write(const struct plane *p, const real *line, real *to) {
    for (size_t w = 0; w < p->t->W; w++)
        memcpy(to + w * p->t->C, line + (ptrdiff_t)w * p->lanes, p->t->C * sizeof *to);
}

/* What row `row` of the places adds to the outputs. */
static void output_write(const struct grid *g, struct place p, ptrdiff_t row, const real *m,
                         real *sums) {
    const ptrdiff_t n = g->columns, lanes = g->out.lanes, place = g->place_out;
    const size_t h = (size_t)p.h + (row == 3);
    const bool there = row >= 2 && h < g->out.t->H;
    const bool whole = there && g->out.channels == lanes && (ptrdiff_t)g->out.t->W == 2 * n;
    real *y = there ? tensor_at(g->out.t, p.n, h, 0) : NULL, *to = whole ? y : g->line_out;
    if (row == 0) output_columns(0, m, n, lanes, place, sums, g->bias, to);
    if (row == 1) output_columns(1, m, n, lanes, place, sums, g->bias, to);
    if (row == 2) output_columns(2, m, n, lanes, place, sums, g->bias, to);
    if (row == 3) output_columns(3, m, n, lanes, place, sums, g->bias, to);
    if (there && !whole) line_write(&g->out, to, y);
}

/* ---- scratch ---- */

static ptrdiff_t whole(ptrdiff_t channels) {
    return up(channels, LANES) * LANES;
}

/* Rows of tiles whose places, [EDGE] of them, fit. */
static ptrdiff_t group_of(ptrdiff_t bytes, ptrdiff_t columns, ptrdiff_t lanes) {
    const ptrdiff_t fits = bytes / (EDGE * lanes * (ptrdiff_t)sizeof(real));
    return most(1, least(GROUP_MOST, fits) / columns);
}

static ptrdiff_t place_of(ptrdiff_t tiles, ptrdiff_t lanes) {
    return up(tiles * lanes, LINE) * LINE + LINE;
}

static struct plane plane_of(const struct tensor *t) {
    return (struct plane){t, (ptrdiff_t)t->C, whole((ptrdiff_t)t->C)};
}

static struct grid grid_of(struct plane in, struct plane out, ptrdiff_t bytes) {
    struct grid g = {.in = in, .out = out};
    g.rows = up((ptrdiff_t)out.t->H, 2);
    g.columns = up((ptrdiff_t)out.t->W, 2);
    g.group = group_of(bytes, g.columns, in.lanes + out.lanes);
    g.place_in = place_of(g.group * g.columns, in.lanes);
    g.place_out = place_of(g.group * g.columns, out.lanes);
    g.place_kernels = place_of(in.channels, out.lanes);
    return g;
}

static ptrdiff_t lines_size(const struct grid *g) {
    return (2 * g->columns + 2) * (g->in.lanes + g->out.lanes);
}

static ptrdiff_t grid_size(const struct grid *g) {
    return PLACES * g->place_kernels + EDGE * (g->place_in + 2 * g->place_out) + g->out.lanes +
           lines_size(g);
}

static real *scratch_aligned(real *scratch) {
    return scratch + (ALIGN - (uintptr_t)scratch % ALIGN) % ALIGN / sizeof(real);
}

/* The grid with its parts of the scratch; bias and lines are 0. */
static struct grid grid_make(struct plane in, struct plane out, ptrdiff_t pad, ptrdiff_t bytes,
                             real *scratch) {
    struct grid g = grid_of(in, out, bytes);
    g.pad = pad;
    g.kernels = scratch_aligned(scratch);
    g.places_in = g.kernels + PLACES * g.place_kernels;
    g.places_out = g.places_in + EDGE * g.place_in;
    g.sums = g.places_out + EDGE * g.place_out;
    g.bias = g.sums + EDGE * g.place_out;
    g.line_in = g.bias + out.lanes;
    g.line_out = g.line_in + (2 * g.columns + 2) * in.lanes;
    memset(g.bias, 0, (size_t)(out.lanes + lines_size(&g)) * sizeof *g.bias);
    return g;
}

/* ---- correlation: forward and backward_data ---- */

/* Column `column` of a row of places of `count` tiles, times the kernels. */
static void multiply(const struct grid *g, ptrdiff_t row, ptrdiff_t column, ptrdiff_t count) {
    static const real zero[VECTORS_MOST * 64 / sizeof(real)];
    const ptrdiff_t n = blocks(g->out.channels), place = EDGE * row + column;
    for (ptrdiff_t i = 0; i < n; i++) {
        const struct block b = block_at(g->out.channels, i);
        struct patch p = {
            .in = g->places_in + column * g->place_in,
            .w = g->kernels + place * g->place_kernels + g->in.channels * b.first,
            .bias = zero,
            .out = g->places_out + column * g->place_out + b.first,
            .rows = 1,
            .run = g->in.channels,
            .in_step = g->in.lanes,
            .out_step = g->out.lanes,
            .lines = 1,
            .width = b.lanes,
        };
        patch_run(tiles_for(g->out.channels), b.vectors, count, &p);
    }
}

static void correlate(const struct grid *g, size_t first, size_t last) {
    const ptrdiff_t rows = (ptrdiff_t)(last - first) * g->rows;
    const ptrdiff_t in = g->columns * g->in.lanes, out = g->columns * g->out.lanes;
    for (ptrdiff_t at = 0; at < rows; at += g->group) {
        const ptrdiff_t count = least(g->group, rows - at);
        for (ptrdiff_t row = 0; row < EDGE; row++) {
            for (ptrdiff_t i = 0; i < count; i++)
                input_read(g, place_at(g, first, at + i), row, g->places_in + i * in);
            for (ptrdiff_t column = 0; column < EDGE; column++)
                multiply(g, row, column, count * g->columns);
            for (ptrdiff_t i = 0; i < count; i++)
                output_write(g, place_at(g, first, at + i), row, g->places_out + i * out,
                             g->sums + i * out);
        }
    }
}

/* The kernels of one input channel and LANES output channels from `from`, `tap` reals apart. */
static void kernels_load(const real *from, ptrdiff_t tap, ptrdiff_t width, vec g[9]) {
    for (ptrdiff_t t = 0; t < 9; t++) {
        g[t] = (vec){0};
        memcpy(&g[t], from + t * tap, (size_t)width * sizeof *from);
    }
}

/* kernels[place][block][c][lanes of the block] = G w G' */
static void kernels_forward(const struct grid *g, const real *w) {
    const ptrdiff_t C = g->in.channels, O = g->out.channels, n = blocks(O);
    for (ptrdiff_t i = 0; i < n; i++) {
        const struct block b = block_at(O, i);
        for (ptrdiff_t c = 0; c < C; c++)
            for (ptrdiff_t l = 0; l < b.lanes; l += LANES) {
                vec taps[9], places[PLACES];
                real *to = g->kernels + C * b.first + c * b.lanes + l;
                kernels_load(w + c * O + b.first + l, C * O, most(0, least(LANES, b.width - l)),
                             taps);
                kernel_transform(taps, places);
                for (ptrdiff_t p = 0; p < PLACES; p++) STORE(to + p * g->place_kernels) = places[p];
            }
    }
}

/* The same for the turned kernels, with the roles exchanged: kernels[place][block][o][lanes]. Turned
 * by 180 degrees, rows 0 and 3 of G g G' change places, and columns 0 and 3. */
static void kernels_backward(const struct grid *g, const real *w) {
    static const int turned[EDGE] = {3, 1, 2, 0};
    const ptrdiff_t O = g->in.channels, C = g->out.channels, n = blocks(C);
    for (ptrdiff_t i = 0; i < n; i++) {
        const struct block b = block_at(C, i);
        for (ptrdiff_t l = 0; l < b.lanes; l += LANES)
            for (ptrdiff_t o = 0; o < O; o++) {
                vec taps[9], places[PLACES];
                real *to = g->kernels + O * b.first + o * b.lanes + l;
                for (ptrdiff_t t = 0; t < 9; t++)
                    for (ptrdiff_t c = 0; c < LANES; c++)
                        taps[t][c] =
                            l + c < b.width ? w[(t * C + b.first + l + c) * O + o] : (real)0;
                kernel_transform(taps, places);
                for (ptrdiff_t p = 0; p < PLACES; p++)
                    STORE(to + (EDGE * turned[p / EDGE] + turned[p % EDGE]) * g->place_kernels) =
                        places[p];
            }
    }
}

static void forward(const struct conv_shape *s, const struct tensor *x, const real *w,
                    const real *b, const struct tensor *y, size_t first, size_t last,
                    real *scratch) {
    const struct grid g =
        grid_make(plane_of(x), plane_of(y), (ptrdiff_t)s->pad, CORRELATION_BYTES, scratch);
    if (b) memcpy(g.bias, b, s->O * sizeof *b);
    kernels_forward(&g, w);
    correlate(&g, first, last);
}

static void backward_data(const struct conv_shape *s, const struct tensor *dy, const real *w,
                          const struct tensor *dx, size_t first, size_t last, real *scratch) {
    const struct grid g =
        grid_make(plane_of(dy), plane_of(dx), 2 - (ptrdiff_t)s->pad, CORRELATION_BYTES, scratch);
    kernels_backward(&g, w);
    correlate(&g, first, last);
}

/* ---- backward_weights ---- */

/* Column `column` of a row of places: kernels += in' gradient, over `count` tiles. */
static void weigh(const struct grid *g, ptrdiff_t row, ptrdiff_t column, ptrdiff_t count,
                  bool starts) {
    const ptrdiff_t n = blocks(g->out.channels), place = EDGE * row + column;
    for (ptrdiff_t i = 0; i < n; i++) {
        const struct block b = block_at(g->out.channels, i);
        struct strip t = {
            .x = g->places_in + column * g->place_in,
            .dy = g->places_out + column * g->place_out + b.first,
            .lines = 1,
            .pixels = count,
            .x_step = g->in.lanes,
            .dy_step = g->out.lanes,
            .partial = g->kernels + place * g->place_kernels + g->in.channels * b.first,
            .starts = starts,
            .dw = g->kernels, /* not written: the sums stay in `partial` */
        };
        strip_run(tiles_for(g->out.channels), &b, g->in.channels, &t);
    }
}

/* dw += G' kernels G */
static void kernels_add(const struct grid *g, real *dw) {
    const ptrdiff_t C = g->in.channels, O = g->out.channels, n = blocks(O);
    for (ptrdiff_t i = 0; i < n; i++) {
        const struct block b = block_at(O, i);
        for (ptrdiff_t c = 0; c < C; c++)
            for (ptrdiff_t l = 0; l < b.width; l += LANES) {
                const real *from = g->kernels + C * b.first + c * b.lanes + l;
                const size_t bytes = (size_t)least(LANES, b.width - l) * sizeof *dw;
                vec places[PLACES], taps[9];
                for (ptrdiff_t p = 0; p < PLACES; p++)
                    places[p] = LOAD(from + p * g->place_kernels);
                kernel_transform_back(places, taps);
                for (ptrdiff_t t = 0; t < 9; t++) {
                    real *to = dw + (t * C + c) * O + b.first + l;
                    vec sum = {0};
                    memcpy(&sum, to, bytes);
                    sum += taps[t];
                    memcpy(to, &sum, bytes);
                }
            }
    }
}

/* kernels = sum over the tiles of images [first, last), not empty, of (B' d B) (A dy A') */
static void weigh_images(const struct grid *g, size_t first, size_t last) {
    const ptrdiff_t rows = (ptrdiff_t)(last - first) * g->rows;
    for (ptrdiff_t at = 0; at < rows; at += g->group) {
        const ptrdiff_t count = least(g->group, rows - at);
        for (ptrdiff_t row = 0; row < EDGE; row++) {
            for (ptrdiff_t i = 0; i < count; i++) {
                const struct place p = place_at(g, first, at + i);
                input_read(g, p, row, g->places_in + i * g->columns * g->in.lanes);
                gradient_read(g, p, row, g->places_out + i * g->columns * g->out.lanes);
            }
            for (ptrdiff_t column = 0; column < EDGE; column++)
                weigh(g, row, column, count * g->columns, at == 0);
        }
    }
}

static void backward_weights(const struct conv_shape *s, const struct tensor *x,
                             const struct tensor *dy, real *dw, size_t first, size_t last,
                             real *scratch) {
    if (first == last) return;
    const struct grid g =
        grid_make(plane_of(x), plane_of(dy), (ptrdiff_t)s->pad, WEIGHING_BYTES, scratch);
    weigh_images(&g, first, last);
    kernels_add(&g, dw);
}

/* ---- the squared norm of one image's gradient by w ---- */

/* Sums of few squares in `real`, of these in double; `kernels` are the places of one block. */
static double squares_sum(const struct grid *g, const struct block *b, const real *kernels,
                          ptrdiff_t place) {
    double sum = 0;
    for (ptrdiff_t c = 0; c < g->in.channels; c++, kernels += b->lanes) {
        vec squares = {0};
        for (ptrdiff_t l = 0; l < b->lanes; l += LANES) {
            vec places[PLACES], taps[9];
            for (ptrdiff_t p = 0; p < PLACES; p++) places[p] = LOAD(kernels + p * place + l);
            kernel_transform_back(places, taps);
            for (ptrdiff_t t = 0; t < 9; t++) squares += taps[t] * taps[t];
        }
        for (ptrdiff_t l = 0; l < LANES; l++) sum += (double)squares[l];
    }
    return sum;
}

/* A large image with few channels: as backward_weights. */
static double squares_by_groups(const struct grid *g, size_t n) {
    const ptrdiff_t blocks_n = blocks(g->out.channels);
    double sum = 0;
    weigh_images(g, n, n + 1);
    for (ptrdiff_t i = 0; i < blocks_n; i++) {
        const struct block b = block_at(g->out.channels, i);
        sum += squares_sum(g, &b, g->kernels + g->in.channels * b.first, g->place_kernels);
    }
    return sum;
}

/* Else all places of the image at once, and one block of output channels after the other, whose sums
 * are squared while they are in cache. */
static ptrdiff_t block_size(const struct grid *g) {
    return PLACES * place_of(g->in.channels, VECTORS_MOST * tiles_for(g->out.channels)->lanes);
}

static ptrdiff_t squares_size(const struct grid *g) {
    return PLACES * (g->place_in + g->place_out) + block_size(g) + lines_size(g);
}

static struct grid squares_grid(const struct tensor *x, const struct tensor *dy) {
    struct grid g = grid_of(plane_of(x), plane_of(dy), WEIGHING_BYTES);
    g.group = g.rows;
    g.place_in = place_of(g.group * g.columns, g.in.lanes);
    g.place_out = place_of(g.group * g.columns, g.out.lanes);
    return g;
}

/* Its places leave the second level of the cache, the sums of all channels do not. */
static bool by_groups(const struct grid *g) {
    const ptrdiff_t places = PLACES * (g->place_in + g->place_out) * (ptrdiff_t)sizeof(real);
    return places > 4 * WEIGHING_BYTES &&
           PLACES * g->place_kernels * (ptrdiff_t)sizeof(real) <= 2 * WEIGHING_BYTES;
}

static void squares_places(const struct grid *g, size_t n) {
    for (ptrdiff_t row = 0; row < EDGE; row++)
        for (ptrdiff_t i = 0; i < g->rows; i++) {
            const struct place p = place_at(g, n, i);
            const ptrdiff_t at = i * g->columns;
            input_read(g, p, row, g->places_in + EDGE * row * g->place_in + at * g->in.lanes);
            gradient_read(g, p, row, g->places_out + EDGE * row * g->place_out + at * g->out.lanes);
        }
}

static void squares_weigh(const struct grid *g, const struct block *b) {
    for (ptrdiff_t p = 0; p < PLACES; p++) {
        struct strip t = {
            .x = g->places_in + p * g->place_in,
            .dy = g->places_out + p * g->place_out + b->first,
            .lines = 1,
            .pixels = g->rows * g->columns,
            .x_step = g->in.lanes,
            .dy_step = g->out.lanes,
            .partial = g->kernels + p * place_of(g->in.channels, b->lanes),
            .starts = true,
            .dw = g->kernels, /* not written: the sums stay in `partial` */
        };
        strip_run(tiles_for(g->out.channels), b, g->in.channels, &t);
    }
}

static double squares(const struct conv_shape *s, const struct tensor *x, const struct tensor *dy,
                      size_t n, real *scratch) {
    struct grid g = squares_grid(x, dy);
    const ptrdiff_t blocks_n = blocks(g.out.channels);
    double sum = 0;
    if (by_groups(&g)) {
        g = grid_make(g.in, g.out, (ptrdiff_t)s->pad, WEIGHING_BYTES, scratch);
        return squares_by_groups(&g, n);
    }
    g.pad = (ptrdiff_t)s->pad;
    g.kernels = scratch_aligned(scratch);
    g.places_in = g.kernels + block_size(&g);
    g.places_out = g.places_in + PLACES * g.place_in;
    g.line_in = g.places_out + PLACES * g.place_out;
    g.line_out = g.line_in + (2 * g.columns + 2) * g.in.lanes;
    memset(g.line_in, 0, (size_t)lines_size(&g) * sizeof *g.line_in);
    squares_places(&g, n);
    for (ptrdiff_t i = 0; i < blocks_n; i++) {
        const struct block b = block_at(g.out.channels, i);
        squares_weigh(&g, &b);
        sum += squares_sum(&g, &b, g.kernels, place_of(g.in.channels, b.lanes));
    }
    return sum;
}

/* The most that any call needs. */
static size_t scratch_size(const struct conv_shape *s, const struct tensor *x,
                           const struct tensor *y) {
    (void)s;
    const struct grid weighing = grid_of(plane_of(x), plane_of(y), WEIGHING_BYTES);
    const struct grid there = grid_of(plane_of(x), plane_of(y), CORRELATION_BYTES);
    const struct grid back = grid_of(plane_of(y), plane_of(x), CORRELATION_BYTES);
    const struct grid one = squares_grid(x, y);
    const ptrdiff_t correlation = most(grid_size(&there), grid_size(&back));
    return (size_t)most(correlation, most(grid_size(&weighing), squares_size(&one))) + LINE;
}

static bool covers(const struct conv_shape *s) {
    return s->R == 3 && s->S == 3 && s->stride == 1 && s->pad <= 2;
}

extern const struct conv_kernel ISA_NAME(conv_winograd);
const struct conv_kernel ISA_NAME(conv_winograd) = {
    .name = "winograd",
    .covers = covers,
    .scratch = scratch_size,
    .forward = forward,
    .backward_data = backward_data,
    .backward_weights = backward_weights,
    .squares = squares,
};
