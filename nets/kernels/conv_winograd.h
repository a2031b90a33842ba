/* Winograd's method F(SIDE x SIDE, TAPS x TAPS) for square kernels and stride 1: (SIDE + TAPS - 1)^2
 * products where the direct method takes (SIDE TAPS)^2. (Winograd 1980; Lavin and Gray 2015,
 * arXiv:1509.09308, section 4.) Each conv_fSIDETAPS.isa.c defines SIDE, TAPS, EDGE = SIDE + TAPS - 1 and
 * the matrices B', A and G as the tables INPUT, OUTPUT and KERNEL, and includes this file, the method.
 *
 * A tile is SIDE x SIDE outputs, and the EDGE x EDGE inputs that they see. With d an input tile of one
 * channel, g a kernel, all products below element by element,
 *
 *   forward           y = A'[ sum over c of (G g G') (B' d B) ] A
 *   backward_data     the same over dy, with the kernel turned by 180 degrees and C, O exchanged
 *   backward_weights  dg = G'[ sum over tiles of (B' d B) (A dy A') ] G       (the adjoint in g)
 *
 * The rows of B', A and G belong to points at which polynomials are evaluated: 0, +-p, +-q, ...,
 * infinity. So a matrix has EDGE rows: the first, pairs that differ in the sign of their odd columns
 * and share their sums, the last.
 *
 * For each of the EDGE x EDGE places of a tile the sum over channels (over tiles) is a matrix product,
 * which the register tiles of conv_tiles.h do. Tiles go through in groups, whose transforms stay in
 * cache.
 *
 * Error: relative to the largest products of a tensor, not to each output's own; the tables' files and
 * tests/test_conv.c say how large.
 * Traps: places of one tile lie `place` apart, and if that were a power of two they would fall into
 * the same few lines of cache. A group is cut by image sizes and channels alone, but the weight
 * gradient of a call is transformed back once, so its last bits depend on how a batch is cut. */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "nets/kernels/conv.h"
#include "nets/kernels/conv_tiles.h"
#include "nets/kernels/unroll.h"

#if defined __AVX__
enum { VECTOR = 32 };
#else
enum { VECTOR = 16 };
#endif
enum {
    LANES = VECTOR / sizeof(real), /* those of tile_sets.narrow */
    PLACES = EDGE * EDGE,
    WEIGHTS = TAPS * TAPS,
    PAIRS = EDGE / 2, /* of rows: the first and the last, then those of +-p */
    HELD = 2 * EDGE,  /* places in cache at a time */
    LINE = 64 / sizeof(real)
};
/* Of the places of a group: they stay in the second level of the cache; but the more tiles, the fewer
 * times kernels are read, which take more than that where there are many channels. */
static const ptrdiff_t GROUP_BYTES = 256 << 10, GROUP_TILES = 48;

typedef real vec __attribute__((vector_size(VECTOR)));
typedef real mem __attribute__((vector_size(VECTOR), aligned(sizeof(real)), may_alias));
#define LOAD(p)  (*(const mem *)(p))
#define STORE(p) (*(mem *)(p))

struct plane {
    const struct tensor *t;
    ptrdiff_t channels, lanes; /* lanes: channels up to whole vectors */
};

/* `in` is read in tiles of EDGE x EDGE, `out` has a tile of SIDE x SIDE for each. Tiles go through in groups
 * of whole rows of tiles, and a group one pair of rows of places after the other, so that only the
 * places of a pair are in cache at a time. */
struct grid {
    struct plane in, out;
    ptrdiff_t pad;           /* tile (i, j) begins at input (SIDE i - pad, SIDE j - pad) */
    ptrdiff_t rows, columns; /* of tiles, of an image */
    ptrdiff_t group;         /* rows of tiles that go through together */
    ptrdiff_t place_in, place_out, place_kernels; /* reals from one place to the next */
    real *kernels;                       /* [PAIRS][HELD] of [block][in][lanes of the block] */
    real *places_in, *places_out;        /* [HELD] of [group columns][lanes] */
    real *sums;                          /* [SIDE][SIDE] like places_out: the outputs so far */
    real *bias;                          /* [out.lanes] */
    real *lines_in[2], *lines_out[SIDE]; /* [line_pixels][lanes], rows of pixels, zeros around */
    real *zeros;                         /* as many */
};

/* ---- the transforms ---- */

/* The sum of every `step`-th number of m t from `first` on; m, constant after unrolling, has n, and 0
 * costs nothing. */
static INLINE vec terms(const ptrdiff_t n, const real *m, const vec *t, const ptrdiff_t first,
                        const ptrdiff_t step) {
    vec sum = {0};
    bool begun = false;
    const ptrdiff_t count = up(n - first, step);
    foreach (i, count) {
        const ptrdiff_t k = first + i * step;
        if (m[k] == 0) continue;
        sum = begun ? sum + m[k] * t[k] : m[k] * t[k];
        begun = true;
    }
    return sum;
}

/* to[EDGE] = m t, for a matrix m of n columns */
static INLINE void to_points(const ptrdiff_t n, const real *m, const vec *t, vec *to) {
    to[0] = terms(n, m, t, 0, 1);
    foreach (i, PAIRS - 1) {
        const real *row = m + (2 * i + 1) * n;
        const vec even = terms(n, row, t, 0, 2), odd = terms(n, row, t, 1, 2);
        to[2 * i + 1] = even + odd;
        to[2 * i + 2] = even - odd;
    }
    to[EDGE - 1] = terms(n, m + (EDGE - 1) * n, t, 0, 1);
}

/* to[n] = m' u, for a matrix m of n columns */
static INLINE void from_points(const ptrdiff_t n, const real *m, const vec *u, vec *to) {
    vec pairs[2][PAIRS + 1];
    real column[PAIRS + 1];
    foreach (i, PAIRS - 1) {
        pairs[0][i + 1] = u[2 * i + 1] + u[2 * i + 2];
        pairs[1][i + 1] = u[2 * i + 1] - u[2 * i + 2];
    }
    foreach (k, 2) {
        pairs[k][0] = u[0];
        pairs[k][PAIRS] = u[EDGE - 1];
    }
    foreach (k, n) {
        column[0] = m[k];
        foreach (i, PAIRS - 1) column[i + 1] = m[(2 * i + 1) * n + k];
        column[PAIRS] = m[(EDGE - 1) * n + k];
        to[k] = terms(PAIRS + 1, column, pairs[k % 2], 0, 1);
    }
}

/* The rows of places of a pair. */
static INLINE ptrdiff_t pair_row(const ptrdiff_t pair, const ptrdiff_t second) {
    if (pair == 0) return second ? EDGE - 1 : 0;
    return 2 * pair - 1 + second;
}

/* As `terms`, of number `at` of rows t. */
static INLINE real row_terms(const ptrdiff_t n, const real *m, const real *const *t, ptrdiff_t at,
                             const ptrdiff_t first, const ptrdiff_t step) {
    real sum = 0;
    bool begun = false;
    const ptrdiff_t count = up(n - first, step);
    foreach (i, count) {
        const ptrdiff_t k = first + i * step;
        if (m[k] == 0) continue;
        sum = begun ? sum + m[k] * t[k][at] : m[k] * t[k][at];
        begun = true;
    }
    return sum;
}

/* The two rows of a pair of m t, with m of n columns and rows t of `length` numbers. */
static INLINE void pair_lines(const ptrdiff_t pair, const ptrdiff_t n, const real *m,
                              const real *const *t, ptrdiff_t length, real *restrict first,
                              real *restrict second) {
    const real *row = m + pair_row(pair, 0) * n;
    if (pair == 0) {
        for (ptrdiff_t i = 0; i < length; i++) first[i] = row_terms(n, m, t, i, 0, 1);
        for (ptrdiff_t i = 0; i < length; i++)
            second[i] = row_terms(n, m + (EDGE - 1) * n, t, i, 0, 1);
        return;
    }
    for (ptrdiff_t i = 0; i < length; i++) {
        const real even = row_terms(n, row, t, i, 0, 2), odd = row_terms(n, row, t, i, 1, 2);
        first[i] = even + odd;
        second[i] = even - odd;
    }
}

static const real *row_at(const struct plane *p, size_t image, ptrdiff_t h, const real *zeros) {
    return h >= 0 && h < (ptrdiff_t)p->t->H ? tensor_at(p->t, image, (size_t)h, 0) : zeros;
}

/* The same with the rows h, h + 1, ... of image `image`, in whole vectors. */
static INLINE void lines_read(const struct plane *p, size_t image, ptrdiff_t h, ptrdiff_t pair,
                              const ptrdiff_t n, const real *m, const real *zeros, real *first,
                              real *second) {
    const ptrdiff_t W = (ptrdiff_t)p->t->W, C = p->channels;
    const ptrdiff_t pieces = C == p->lanes ? 1 : W, length = C == p->lanes ? W * C : C;
    const real *t[EDGE];
    for (ptrdiff_t k = 0; k < n; k++) t[k] = row_at(p, image, h + k, zeros);
    for (ptrdiff_t i = 0; i < pieces; i++, first += p->lanes, second += p->lanes) {
        foreach (k, PAIRS)
            if (k == pair) pair_lines(k, n, m, t, length, first, second);
        for (ptrdiff_t k = 0; k < n; k++) t[k] += length;
    }
}

/* to[EDGE][columns] = t B of the line's pixels t, EDGE from every SIDE-th one */
static void input_columns(const real *line, ptrdiff_t columns, ptrdiff_t lanes, real *to,
                          ptrdiff_t place) {
    for (ptrdiff_t c = 0; c < lanes; c += LANES) {
        const real *from = line + c;
        vec t[EDGE], u[EDGE];
        foreach (k, TAPS - 1) t[k] = LOAD(from + k * lanes);
        for (ptrdiff_t j = c; j < columns * lanes; j += lanes) {
            foreach (k, SIDE) t[TAPS - 1 + k] = LOAD(from + (TAPS - 1 + k) * lanes);
            to_points(EDGE, INPUT[0], t, u);
            foreach (i, EDGE) STORE(to + j + i * place) = u[i];
            foreach (k, TAPS - 1) t[k] = t[k + SIDE];
            from += SIDE * lanes;
        }
    }
}

/* to[EDGE][columns] = t A' of the line's pixels t, SIDE at a time */
static void gradient_columns(const real *line, ptrdiff_t columns, ptrdiff_t lanes, real *to,
                             ptrdiff_t place) {
    for (ptrdiff_t j = 0; j < columns; j++, line += (SIDE - 1) * lanes)
        for (ptrdiff_t o = 0; o < lanes; o += LANES, line += LANES, to += LANES) {
            vec t[SIDE], u[EDGE];
            foreach (k, SIDE) t[k] = LOAD(line + k * lanes);
            to_points(SIDE, OUTPUT[0], t, u);
            foreach (i, EDGE) STORE(to + i * place) = u[i];
        }
}

/* A' (m A), pair after pair of rows of m A. The outputs so far lie in `sums`; with the last pair they are
 * whole: then the rows to[SIDE], each [SIDE columns], get them. The points 0 and infinity belong to the
 * first and to the last row alone. */
static INLINE void output_columns(const ptrdiff_t pair, const real *m, ptrdiff_t columns,
                                  ptrdiff_t lanes, ptrdiff_t place, real *sums, const real *bias,
                                  real *const *to) {
    const real *factor = OUTPUT[pair_row(pair, 0)];
    ptrdiff_t at = 0;
    for (ptrdiff_t j = 0; j < columns; j++, at += (SIDE - 1) * lanes)
        for (ptrdiff_t o = 0; o < lanes; o += LANES, at += LANES, m += LANES, sums += LANES) {
            vec u[2][EDGE], s[2][SIDE];
            foreach (r, 2) {
                foreach (i, EDGE) u[r][i] = LOAD(m + (EDGE * r + i) * place);
                from_points(SIDE, OUTPUT[0], u[r], s[r]);
            }
            foreach (r, SIDE) {
                const bool end = r == 0 || r == SIDE - 1;
                if (pair == 0 && !end) continue;
                foreach (k, SIDE) {
                    real *sum = sums + (SIDE * r + k) * place;
                    vec y = pair == 0    ? s[r > 0][k]
                            : r % 2 == 0 ? factor[r] * (s[0][k] + s[1][k])
                                         : factor[r] * (s[0][k] - s[1][k]);
                    if (pair > 1 || (pair == 1 && end)) y += LOAD(sum);
                    if (pair == PAIRS - 1)
                        STORE(to[r] + at + k * lanes) = y + LOAD(bias + o);
                    else
                        STORE(sum) = y;
                }
            }
        }
}

/* to[PAIRS][2][EDGE] = G g G' of the kernels' taps g */
static void kernel_transform(const vec g[WEIGHTS], vec to[PLACES]) {
    vec t[EDGE][TAPS], column[TAPS], u[EDGE];
    for (ptrdiff_t s = 0; s < TAPS; s++) {
        foreach (r, TAPS) column[r] = g[TAPS * r + s];
        to_points(TAPS, KERNEL[0], column, u);
        foreach (i, EDGE) t[i][s] = u[i];
    }
    for (ptrdiff_t i = 0; i < EDGE; i++) {
        const ptrdiff_t row = pair_row(i / 2, i % 2);
        to_points(TAPS, KERNEL[0], t[row], to + EDGE * i);
    }
}

/* dg = G' u G of u[PAIRS][2][EDGE] */
static void kernel_transform_back(const vec u[PLACES], vec dg[WEIGHTS]) {
    vec t[TAPS][EDGE], column[EDGE], g[TAPS];
    for (ptrdiff_t j = 0; j < EDGE; j++) {
        foreach (i, EDGE) column[pair_row(i / 2, i % 2)] = u[EDGE * i + j];
        from_points(TAPS, KERNEL[0], column, g);
        foreach (r, TAPS) t[r][j] = g[r];
    }
    for (ptrdiff_t r = 0; r < TAPS; r++) from_points(TAPS, KERNEL[0], t[r], dg + TAPS * r);
}

/* ---- rows of tiles ---- */

/* Row `at` of tiles, counted from the first of image `first`. */
struct place {
    size_t n;
    ptrdiff_t h; /* of its outputs */
};

static struct place place_at(const struct grid *g, size_t first, ptrdiff_t at) {
    return (struct place){first + (size_t)(at / g->rows), SIDE * (at % g->rows)};
}

static void input_read(const struct grid *g, struct place p, ptrdiff_t pair, real *to) {
    const ptrdiff_t lanes = g->in.lanes, left = g->pad * lanes;
    lines_read(&g->in, p.n, p.h - g->pad, pair, EDGE, INPUT[0], g->zeros, g->lines_in[0] + left,
               g->lines_in[1] + left);
    for (ptrdiff_t r = 0; r < 2; r++)
        input_columns(g->lines_in[r], g->columns, lanes, to + r * EDGE * g->place_in, g->place_in);
}

static bool is_whole(const struct grid *g) {
    return g->out.channels == g->out.lanes && (ptrdiff_t)g->out.t->W == SIDE * g->columns;
}

/* The first pair of rows is the first and the last of the gradient itself: where its lines are whole
 * they are read in place. */
static void gradient_read(const struct grid *g, struct place p, ptrdiff_t pair, real *to) {
    const struct plane *out = &g->out;
    const real *lines[2] = {g->lines_out[0], g->lines_out[1]};
    if (pair == 0 && is_whole(g))
        for (ptrdiff_t i = 0; i < 2; i++)
            lines[i] = row_at(out, p.n, p.h + i * (SIDE - 1), g->zeros);
    else
        lines_read(out, p.n, p.h, pair, SIDE, OUTPUT[0], g->zeros, g->lines_out[0],
                   g->lines_out[1]);
    for (ptrdiff_t i = 0; i < 2; i++)
        gradient_columns(lines[i], g->columns, out->lanes, to + i * EDGE * g->place_out,
                         g->place_out);
}

static void line_write(const struct plane *p, const real *line, real *to) {
    for (size_t w = 0; w < p->t->W; w++)
        memcpy(to + w * p->t->C, line + (ptrdiff_t)w * p->lanes, p->t->C * sizeof *to);
}

/* What a pair of rows of places adds to the outputs. */
static void output_write(const struct grid *g, struct place p, ptrdiff_t pair, const real *m,
                         real *sums) {
    const ptrdiff_t n = g->columns, lanes = g->out.lanes, place = g->place_out;
    real *to[SIDE], *y[SIDE];
    for (ptrdiff_t i = 0; i < SIDE; i++) {
        const size_t h = (size_t)(p.h + i);
        y[i] = h < g->out.t->H ? tensor_at(g->out.t, p.n, h, 0) : NULL;
        to[i] = y[i] && is_whole(g) ? y[i] : g->lines_out[i];
    }
    foreach (i, PAIRS)
        if (i == pair) output_columns(i, m, n, lanes, place, sums, g->bias, to);
    for (ptrdiff_t i = 0; i < SIDE; i++)
        if (pair == PAIRS - 1 && y[i] && !is_whole(g)) line_write(&g->out, to[i], y[i]);
}

/* ---- scratch ---- */

static ptrdiff_t whole(ptrdiff_t channels) {
    return up(channels, LANES) * LANES;
}

/* Rows of tiles whose places, HELD of them, fit. */
static ptrdiff_t group_of(ptrdiff_t columns, ptrdiff_t lanes) {
    const ptrdiff_t fit = GROUP_BYTES / (HELD * lanes * (ptrdiff_t)sizeof(real));
    return most(1, most(GROUP_TILES, fit) / columns);
}

static ptrdiff_t place_of(ptrdiff_t tiles, ptrdiff_t lanes) {
    return up(tiles * lanes, LINE) * LINE + LINE;
}

static struct plane plane_of(const struct tensor *t) {
    return (struct plane){t, (ptrdiff_t)t->C, whole((ptrdiff_t)t->C)};
}

static struct grid grid_of(struct plane in, struct plane out) {
    struct grid g = {.in = in, .out = out};
    g.rows = up((ptrdiff_t)out.t->H, SIDE);
    g.columns = up((ptrdiff_t)out.t->W, SIDE);
    g.group = group_of(g.columns, in.lanes + out.lanes);
    g.place_in = place_of(g.group * g.columns, in.lanes);
    g.place_out = place_of(g.group * g.columns, out.lanes);
    g.place_kernels = place_of(in.channels, out.lanes);
    return g;
}

static ptrdiff_t line_pixels(const struct grid *g) {
    return SIDE * g->columns + TAPS - 1;
}

static ptrdiff_t lines_size(const struct grid *g) {
    return line_pixels(g) *
           (2 * g->in.lanes + SIDE * g->out.lanes + most(g->in.lanes, g->out.lanes));
}

static ptrdiff_t grid_size(const struct grid *g) {
    return PLACES * g->place_kernels + HELD * (g->place_in + g->place_out) +
           SIDE * SIDE * g->place_out + g->out.lanes + lines_size(g);
}

static real *scratch_aligned(real *scratch) {
    return scratch + (ALIGN - (uintptr_t)scratch % ALIGN) % ALIGN / sizeof(real);
}

/* The lines, all 0, from `scratch` on. */
static void lines_make(struct grid *g, real *scratch) {
    const ptrdiff_t in = line_pixels(g) * g->in.lanes, out = line_pixels(g) * g->out.lanes;
    memset(scratch, 0, (size_t)lines_size(g) * sizeof *scratch);
    for (ptrdiff_t i = 0; i < 2; i++) g->lines_in[i] = scratch + i * in;
    for (ptrdiff_t i = 0; i < SIDE; i++) g->lines_out[i] = scratch + 2 * in + i * out;
    g->zeros = scratch + 2 * in + SIDE * out;
}

/* The grid with its parts of the scratch; the bias is 0. */
static struct grid grid_make(struct plane in, struct plane out, ptrdiff_t pad, real *scratch) {
    struct grid g = grid_of(in, out);
    g.pad = pad;
    g.kernels = scratch_aligned(scratch);
    g.places_in = g.kernels + PLACES * g.place_kernels;
    g.places_out = g.places_in + HELD * g.place_in;
    g.sums = g.places_out + HELD * g.place_out;
    g.bias = g.sums + SIDE * SIDE * g.place_out;
    memset(g.bias, 0, (size_t)out.lanes * sizeof *g.bias);
    lines_make(&g, g.bias + out.lanes);
    return g;
}

/* ---- correlation: forward and backward_data ---- */

/* The places of a pair, of `count` tiles, times the kernels. */
static void multiply(const struct grid *g, ptrdiff_t pair, ptrdiff_t count) {
    static const real zero[VECTORS_MOST * 64 / sizeof(real)];
    const struct tiles *tiles = tiles_for(g->out.channels);
    const ptrdiff_t n = blocks(g->out.channels);
    for (ptrdiff_t i = 0; i < n; i++) {
        const struct block b = block_at(g->out.channels, i);
        const struct cut cut = cut_of(count, tiles->most[b.vectors]);
        struct patch p = {
            .in = g->places_in,
            .w = g->kernels + HELD * pair * g->place_kernels + g->in.channels * b.first,
            .bias = zero,
            .out = g->places_out + b.first,
            .rows = 1,
            .run = g->in.channels,
            .in_step = g->in.lanes,
            .out_step = g->out.lanes,
            .in_line = g->place_in,
            .w_line = g->place_kernels,
            .out_line = g->place_out,
            .lines = HELD,
            .width = b.lanes,
        };
        patch_run(tiles, b.vectors, &cut, &p);
    }
}

static void correlate(const struct grid *g, size_t first, size_t last) {
    const ptrdiff_t rows = (ptrdiff_t)(last - first) * g->rows;
    const ptrdiff_t in = g->columns * g->in.lanes, out = g->columns * g->out.lanes;
    for (ptrdiff_t at = 0; at < rows; at += g->group) {
        const ptrdiff_t count = least(g->group, rows - at);
        for (ptrdiff_t pair = 0; pair < PAIRS; pair++) {
            for (ptrdiff_t i = 0; i < count; i++)
                input_read(g, place_at(g, first, at + i), pair, g->places_in + i * in);
            multiply(g, pair, count * g->columns);
            for (ptrdiff_t i = 0; i < count; i++)
                output_write(g, place_at(g, first, at + i), pair, g->places_out + i * out,
                             g->sums + i * out);
        }
    }
}

/* The kernels of one input channel and LANES output channels from `from`, `tap` reals apart. */
static void kernels_load(const real *from, ptrdiff_t tap, ptrdiff_t width, vec g[WEIGHTS]) {
    for (ptrdiff_t t = 0; t < WEIGHTS; t++) {
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
                vec taps[WEIGHTS], places[PLACES];
                real *to = g->kernels + C * b.first + c * b.lanes + l;
                kernels_load(w + c * O + b.first + l, C * O, most(0, least(LANES, b.width - l)),
                             taps);
                kernel_transform(taps, places);
                for (ptrdiff_t p = 0; p < PLACES; p++) STORE(to + p * g->place_kernels) = places[p];
            }
    }
}

/* The same for the turned kernels, with the roles exchanged: kernels[place][block][o][lanes]. */
static void kernels_backward(const struct grid *g, const real *w) {
    const ptrdiff_t O = g->in.channels, C = g->out.channels, n = blocks(C);
    for (ptrdiff_t i = 0; i < n; i++) {
        const struct block b = block_at(C, i);
        for (ptrdiff_t l = 0; l < b.lanes; l += LANES)
            for (ptrdiff_t o = 0; o < O; o++) {
                vec taps[WEIGHTS], places[PLACES];
                real *to = g->kernels + O * b.first + o * b.lanes + l;
                for (ptrdiff_t t = 0; t < WEIGHTS; t++)
                    for (ptrdiff_t c = 0; c < LANES; c++)
                        taps[WEIGHTS - 1 - t][c] =
                            l + c < b.width ? w[(t * C + b.first + l + c) * O + o] : (real)0;
                kernel_transform(taps, places);
                for (ptrdiff_t p = 0; p < PLACES; p++) STORE(to + p * g->place_kernels) = places[p];
            }
    }
}

static void forward(const struct conv_shape *s, const struct tensor *x, const real *w,
                    const real *b, const struct tensor *y, size_t first, size_t last,
                    real *scratch) {
    const struct grid g = grid_make(plane_of(x), plane_of(y), (ptrdiff_t)s->pad, scratch);
    if (b) memcpy(g.bias, b, s->O * sizeof *b);
    kernels_forward(&g, w);
    correlate(&g, first, last);
}

static void backward_data(const struct conv_shape *s, const struct tensor *dy, const real *w,
                          const struct tensor *dx, size_t first, size_t last, real *scratch) {
    const struct grid g =
        grid_make(plane_of(dy), plane_of(dx), TAPS - 1 - (ptrdiff_t)s->pad, scratch);
    kernels_backward(&g, w);
    correlate(&g, first, last);
}

/* ---- backward_weights ---- */

/* Kernels += in' gradient for the places of a pair, over `count` tiles. */
static void weigh(const struct grid *g, ptrdiff_t pair, ptrdiff_t count, bool starts) {
    const struct tiles *tiles = tiles_for(g->out.channels);
    const ptrdiff_t n = blocks(g->out.channels);
    for (ptrdiff_t i = 0; i < n; i++) {
        const struct block b = block_at(g->out.channels, i);
        const struct cut cut = cut_of(g->in.channels, tiles->most[b.vectors]);
        struct strip t = {
            .lines = 1,
            .pixels = count,
            .x_step = g->in.lanes,
            .dy_step = g->out.lanes,
            .starts = starts,
            .dw = g->kernels, /* not written: the sums stay in `partial` */
        };
        for (ptrdiff_t held = 0; held < HELD; held++) {
            t.x = g->places_in + held * g->place_in;
            t.dy = g->places_out + held * g->place_out + b.first;
            t.partial =
                g->kernels + (HELD * pair + held) * g->place_kernels + g->in.channels * b.first;
            strip_run(tiles, &b, &cut, &t);
        }
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
                vec places[PLACES], taps[WEIGHTS];
                for (ptrdiff_t p = 0; p < PLACES; p++)
                    places[p] = LOAD(from + p * g->place_kernels);
                kernel_transform_back(places, taps);
                for (ptrdiff_t t = 0; t < WEIGHTS; t++) {
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
        for (ptrdiff_t pair = 0; pair < PAIRS; pair++) {
            for (ptrdiff_t i = 0; i < count; i++) {
                const struct place p = place_at(g, first, at + i);
                input_read(g, p, pair, g->places_in + i * g->columns * g->in.lanes);
                gradient_read(g, p, pair, g->places_out + i * g->columns * g->out.lanes);
            }
            weigh(g, pair, count * g->columns, at == 0);
        }
    }
}

static void backward_weights(const struct conv_shape *s, const struct tensor *x,
                             const struct tensor *dy, real *dw, size_t first, size_t last,
                             real *scratch) {
    if (first == last) return;
    const struct grid g = grid_make(plane_of(x), plane_of(dy), (ptrdiff_t)s->pad, scratch);
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
            vec places[PLACES], taps[WEIGHTS];
            for (ptrdiff_t p = 0; p < PLACES; p++) places[p] = LOAD(kernels + p * place + l);
            kernel_transform_back(places, taps);
            for (ptrdiff_t t = 0; t < WEIGHTS; t++) squares += taps[t] * taps[t];
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
    struct grid g = grid_of(plane_of(x), plane_of(dy));
    g.group = g.rows;
    g.place_in = place_of(g.group * g.columns, g.in.lanes);
    g.place_out = place_of(g.group * g.columns, g.out.lanes);
    return g;
}

/* Its places leave the second level of the cache, the sums of all channels do not. */
static bool by_groups(const struct grid *g) {
    const ptrdiff_t places = PLACES * (g->place_in + g->place_out) * (ptrdiff_t)sizeof(real);
    return places > GROUP_BYTES &&
           PLACES * g->place_kernels * (ptrdiff_t)sizeof(real) <= GROUP_BYTES;
}

static void squares_places(const struct grid *g, size_t n) {
    for (ptrdiff_t pair = 0; pair < PAIRS; pair++)
        for (ptrdiff_t i = 0; i < g->rows; i++) {
            const struct place p = place_at(g, n, i);
            const ptrdiff_t at = i * g->columns;
            input_read(g, p, pair, g->places_in + HELD * pair * g->place_in + at * g->in.lanes);
            gradient_read(g, p, pair,
                          g->places_out + HELD * pair * g->place_out + at * g->out.lanes);
        }
}

static void squares_weigh(const struct grid *g, const struct block *b) {
    const struct tiles *tiles = tiles_for(g->out.channels);
    const struct cut cut = cut_of(g->in.channels, tiles->most[b->vectors]);
    struct strip t = {
        .lines = 1,
        .pixels = g->rows * g->columns,
        .x_step = g->in.lanes,
        .dy_step = g->out.lanes,
        .starts = true,
        .dw = g->kernels, /* not written: the sums stay in `partial` */
    };
    for (ptrdiff_t p = 0; p < PLACES; p++) {
        t.x = g->places_in + p * g->place_in;
        t.dy = g->places_out + p * g->place_out + b->first;
        t.partial = g->kernels + p * place_of(g->in.channels, b->lanes);
        strip_run(tiles, b, &cut, &t);
    }
}

static double squares(const struct conv_shape *s, const struct tensor *x, const struct tensor *dy,
                      size_t n, real *scratch) {
    struct grid g = squares_grid(x, dy);
    const ptrdiff_t blocks_n = blocks(g.out.channels);
    double sum = 0;
    if (by_groups(&g)) {
        g = grid_make(g.in, g.out, (ptrdiff_t)s->pad, scratch);
        return squares_by_groups(&g, n);
    }
    g.pad = (ptrdiff_t)s->pad;
    g.kernels = scratch_aligned(scratch);
    g.places_in = g.kernels + block_size(&g);
    g.places_out = g.places_in + PLACES * g.place_in;
    lines_make(&g, g.places_out + PLACES * g.place_out);
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
    const struct grid there = grid_of(plane_of(x), plane_of(y));
    const struct grid back = grid_of(plane_of(y), plane_of(x));
    const struct grid one = squares_grid(x, y);
    return (size_t)most(most(grid_size(&there), grid_size(&back)), squares_size(&one)) + LINE;
}

static bool covers(const struct conv_shape *s) {
    return s->R == TAPS && s->S == TAPS && s->stride == 1 && s->pad < TAPS;
}

extern const struct conv_kernel ISA_NAME(NAME);
const struct conv_kernel ISA_NAME(NAME) = {
    .name = SPELLED,
    .covers = covers,
    .scratch = scratch_size,
    .forward = forward,
    .backward_data = backward_data,
    .backward_weights = backward_weights,
    .squares = squares,
};
