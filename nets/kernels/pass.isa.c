/* The loops behind pass.h, in plain C that the compiler vectorizes.
 *
 * Channels are contiguous but often few (8, 24), so a loop over the channels of one pixel would be
 * all overhead. Loops run over tiles instead: `pixels` neighbouring pixels of a row, which lie
 * side by side in memory, taken as one wide pixel; per-channel coefficients are repeated to the
 * tile's length. Above TILE channels a tile is a part of one pixel. Images follow each other without
 * a gap and count as one long row.
 *
 * The trap: sums. They are kept per lane of a tile in `real` for at most FLUSH terms, then added
 * to double, so that no sum over 100,000 pixels ever lives in a float. */
#include "nets/kernels/pass.h"

#include <string.h>

#include "nets/kernels/isa.h"

enum { TILE = 256, LANES = 16, FLUSH = 64, LINE = 64 /* bytes of a cache line */ };

struct tile {
    size_t channel, channels; /* channels [channel, channel + channels) */
    size_t pixels;            /* more than one only when it holds all channels */
    size_t length;            /* pixels * channels */
};

static size_t least(size_t a, size_t b) {
    return a < b ? a : b;
}

/* The tile that starts at channel `c` of C: all of a small pixel several times over, so that its
 * length is a multiple of the lanes where that fits, or a part of a large pixel. */
static struct tile tile_at(size_t C, size_t c) {
    struct tile t = {c, least(C - c, TILE), 1, 0};
    if (C <= TILE) {
        size_t even = 1;
        while (even < LANES && even * C % LANES) even *= 2;
        if (even * C > TILE) even = 1;
        while (even * C < TILE / 4) even *= 2;
        t.pixels = even;
    }
    t.length = t.pixels * t.channels;
    return t;
}

/* v[c], repeated for every pixel of the tile */
static void tile_fill(const struct tile *t, const real *v, real *out) {
    for (size_t p = 0; p < t->pixels; p++)
        memcpy(out + p * t->channels, v + t->channel, t->channels * sizeof *out);
}

/* How many numbers the images [first, last) have. */
static size_t reals_of(const struct tensor *t, size_t first, size_t last) {
    return (last - first) * t->image;
}

/* How much of the tile there is at pixel p of so many: 0 past their end. */
static size_t tile_length(const struct tile *t, size_t pixels, size_t p) {
    return p < pixels ? least(t->pixels, pixels - p) * t->channels : 0;
}

/* For every tile of images [first, last) of x: `at(tensor)` is where it starts, `length` its size. */
#define at(t) (tensor_at((t), first, 0, 0) + p * C + tile.channel)
#define FOR_TILES(x)                                                                               \
    for (size_t p = 0, pixels = (last - first) * (x)->H * (x)->W, length;                          \
         (length = tile_length(&tile, pixels, p)) > 0; p += tile.pixels)
#define FOR_CHANNELS(C)                                                                            \
    for (struct tile tile = tile_at((C), 0); tile.channel < (C);                                   \
         tile = tile_at((C), tile.channel + tile.channels))

static void pass_relu(const struct tensor *x, const struct tensor *y, size_t first, size_t last) {
    const size_t n = reals_of(x, first, last);
    const real *from = tensor_at(x, first, 0, 0);
    real *to = tensor_at(y, first, 0, 0);
#pragma omp simd
    for (size_t i = 0; i < n; i++) to[i] = from[i] < 0 ? 0 : from[i];
}

static void pass_relu_backward(const struct tensor *y, const struct tensor *dy,
                               const struct tensor *dx, size_t first, size_t last) {
    const size_t n = reals_of(y, first, last);
    const real *out = tensor_at(y, first, 0, 0), *from = tensor_at(dy, first, 0, 0);
    real *to = tensor_at(dx, first, 0, 0);
#pragma omp simd
    for (size_t i = 0; i < n; i++) to[i] = out[i] <= 0 ? 0 : from[i];
}

static void pass_add(const struct tensor *a, const struct tensor *b, const struct tensor *y,
                     size_t first, size_t last) {
    const size_t n = reals_of(a, first, last);
    const real *p = tensor_at(a, first, 0, 0), *q = tensor_at(b, first, 0, 0);
    real *to = tensor_at(y, first, 0, 0);
#pragma omp simd
    for (size_t i = 0; i < n; i++) to[i] = p[i] + q[i];
}

static void pass_multiply(const struct tensor *a, const struct tensor *b, const struct tensor *y,
                          size_t first, size_t last) {
    const size_t n = reals_of(a, first, last);
    const real *p = tensor_at(a, first, 0, 0), *q = tensor_at(b, first, 0, 0);
    real *to = tensor_at(y, first, 0, 0);
#pragma omp simd
    for (size_t i = 0; i < n; i++) to[i] = p[i] * q[i];
}

static void pass_copy(const struct tensor *x, const struct tensor *y, size_t first, size_t last) {
    memcpy(tensor_at(y, first, 0, 0), tensor_at(x, first, 0, 0),
           reals_of(x, first, last) * sizeof(real));
}

/* Add a tile's lanes to the sums of its channels, and start again from 0. */
static void flush(const struct tile *t, real *lanes, double *sums) {
    for (size_t p = 0; p < t->pixels; p++)
        for (size_t c = 0; c < t->channels; c++)
            sums[t->channel + c] += (double)lanes[p * t->channels + c];
    memset(lanes, 0, t->length * sizeof *lanes);
}

static void pass_sums(const struct tensor *x, size_t first, size_t last, double *sums) {
    size_t C = x->C;
    FOR_CHANNELS(C) {
        real s[TILE] = {0};
        size_t terms = 0;
        FOR_TILES(x) {
            const real *v = at(x);
            for (size_t i = 0; i < length; i++) s[i] += v[i];
            if (++terms % FLUSH == 0) flush(&tile, s, sums);
        }
        flush(&tile, s, sums);
    }
}

static void pass_moments(const struct tensor *x, const real *pivot, size_t first, size_t last,
                         double *sums) {
    size_t C = x->C;
    FOR_CHANNELS(C) {
        real s[TILE] = {0}, q[TILE] = {0}, origin[TILE];
        size_t terms = 0;
        tile_fill(&tile, pivot, origin);
        FOR_TILES(x) {
            const real *v = at(x);
            for (size_t i = 0; i < length; i++) {
                real u = v[i] - origin[i];
                s[i] += u;
                q[i] += u * u;
            }
            if (++terms % FLUSH == 0) {
                flush(&tile, s, sums);
                flush(&tile, q, sums + C);
            }
        }
        flush(&tile, s, sums);
        flush(&tile, q, sums + C);
    }
}

static void pass_norm(const struct tensor *x, const struct pass_norm *k, const struct tensor *y,
                      size_t first, size_t last) {
    size_t C = x->C;
    real least_value = k->relu ? 0 : -(real)__builtin_inf();
    FOR_CHANNELS(C) {
        real mean[TILE], scale[TILE], shift[TILE];
        tile_fill(&tile, k->mean, mean);
        tile_fill(&tile, k->scale, scale);
        tile_fill(&tile, k->shift, shift);
        FOR_TILES(x) {
            const real *v = at(x);
            real *to = at(y);
#pragma omp simd
            for (size_t i = 0; i < length; i++) {
                real u = (v[i] - mean[i]) * scale[i] + shift[i];
                to[i] = u < least_value ? least_value : u;
            }
        }
    }
}

static void pass_norm_sums(const struct tensor *x, const struct tensor *dy,
                           const struct pass_norm *k, size_t first, size_t last, double *sums) {
    size_t C = x->C;
    real off = k->relu ? 0 : -(real)__builtin_inf();
    FOR_CHANNELS(C) {
        real s[TILE] = {0}, q[TILE] = {0}, mean[TILE], scale[TILE], shift[TILE];
        size_t terms = 0;
        tile_fill(&tile, k->mean, mean);
        tile_fill(&tile, k->scale, scale);
        tile_fill(&tile, k->shift, shift);
        FOR_TILES(x) {
            const real *v = at(x);
            const real *from = at(dy);
            for (size_t i = 0; i < length; i++) {
                real u = v[i] - mean[i];
                real g = u * scale[i] + shift[i] <= off ? 0 : from[i];
                s[i] += g;
                q[i] += g * u;
            }
            if (++terms % FLUSH == 0) {
                flush(&tile, s, sums);
                flush(&tile, q, sums + C);
            }
        }
        flush(&tile, s, sums);
        flush(&tile, q, sums + C);
    }
}

static void pass_norm_backward(const struct tensor *x, const struct tensor *dy,
                               const struct pass_norm *k, const struct tensor *dx, size_t first,
                               size_t last) {
    size_t C = x->C;
    real off = k->relu ? 0 : -(real)__builtin_inf();
    FOR_CHANNELS(C) {
        real mean[TILE], scale[TILE], shift[TILE], a[TILE], b[TILE], d[TILE];
        tile_fill(&tile, k->mean, mean);
        tile_fill(&tile, k->scale, scale);
        tile_fill(&tile, k->shift, shift);
        tile_fill(&tile, k->a, a);
        tile_fill(&tile, k->b, b);
        tile_fill(&tile, k->d, d);
        FOR_TILES(x) {
            const real *v = at(x);
            const real *from = at(dy);
            real *to = at(dx);
#pragma omp simd
            for (size_t i = 0; i < length; i++) {
                real u = v[i] - mean[i];
                real g = u * scale[i] + shift[i] <= off ? 0 : from[i];
                to[i] = a[i] * g + b[i] * u + d[i];
            }
        }
    }
}

/* The taps [first, last) of a window's rows (or columns) at output i that lie inside the image. */
struct taps {
    size_t first, last;
};

static struct taps taps_of(const struct pass_window *w, size_t i, size_t size) {
    size_t start = i * w->stride; /* of the padded image */
    struct taps t = {start < w->pad ? w->pad - start : 0, w->kernel};
    if (start + t.last > w->pad + size) t.last = w->pad + size - start;
    return t;
}

/* The common window, 2 x 2 side by side, in one go: the four pixels of output (i, j). */
static bool is_quarter(const struct pass_window *w) {
    return w->kernel == 2 && w->stride == 2 && w->pad == 0;
}

static real larger(real a, real b) {
    return a > b || a != a ? a : b;
} /* a NaN wins */

/* Ask for n numbers that will be needed soon, or written: the rows of a window are too many short
 * streams for the processor to guess. Past the end of a tensor it does nothing. */
static inline __attribute__((always_inline)) void ask_for(const real *p, size_t n,
                                                          const int written) {
    for (size_t i = 0; i < n; i += LINE / sizeof *p)
        written ? __builtin_prefetch(p + i, 1) : __builtin_prefetch(p + i, 0);
}

/* Row i of y and the two rows of x under it; the two rows that follow are asked for meanwhile. */
static void quarter(const struct tensor *x, const struct tensor *y, size_t n, size_t i,
                    unsigned char *tap) {
    size_t C = x->C;
    const real *a = tensor_at(x, n, 2 * i, 0);
    real *to = tensor_at(y, n, i, 0);
    for (size_t j = 0; j < y->W; j++, a += 2 * C, to += C, tap += C) {
        const real *b = a + C, *c = a + x->row, *d = c + C;
        ask_for(c + x->row, 2 * C, 0);
        ask_for(c + 2 * x->row, 2 * C, 0);
#pragma omp simd
        for (size_t k = 0; k < C; k++) {
            real most = larger(larger(a[k], b[k]), larger(c[k], d[k]));
            tap[k] = a[k] == most ? 0 : b[k] == most ? 1 : c[k] == most ? 2 : 3;
            to[k] = most;
        }
    }
}

static void quarter_backward(const struct tensor *dy, const struct tensor *dx, size_t n, size_t i,
                             const unsigned char *tap) {
    size_t C = dx->C;
    const real *from = tensor_at(dy, n, i, 0);
    real *da = tensor_at(dx, n, 2 * i, 0);
    for (size_t j = 0; j < dy->W; j++, da += 2 * C, from += C, tap += C) {
        real *db = da + C, *dc = da + dx->row, *dd = dc + C;
        ask_for(dc + dx->row, 2 * C, 1);
        ask_for(dc + 2 * dx->row, 2 * C, 1);
#pragma omp simd
        for (size_t k = 0; k < C; k++) {
            da[k] = tap[k] == 0 ? from[k] : 0;
            db[k] = tap[k] == 1 ? from[k] : 0;
            dc[k] = tap[k] == 2 ? from[k] : 0;
            dd[k] = tap[k] == 3 ? from[k] : 0;
        }
    }
}

static void window(const struct pass_window *w, const struct tensor *x, const struct tensor *y,
                   size_t n, size_t i, size_t j, unsigned char *tap) {
    struct taps down = taps_of(w, i, x->H), across = taps_of(w, j, x->W);
    size_t C = x->C;
    real *to = tensor_at(y, n, i, j);
    for (size_t c = 0; c < C; c++) to[c] = -(real)__builtin_inf();
    for (size_t r = down.first; r < down.last; r++)
        for (size_t s = across.first; s < across.last; s++) {
            const real *v = tensor_at(x, n, i * w->stride + r - w->pad, j * w->stride + s - w->pad);
#pragma omp simd
            for (size_t c = 0; c < C; c++) to[c] = larger(v[c], to[c]);
        }
    for (size_t r = down.last; r-- > down.first;)
        for (size_t s = across.last; s-- > across.first;) {
            const real *v = tensor_at(x, n, i * w->stride + r - w->pad, j * w->stride + s - w->pad);
            const bool start =
                r + 1 == down.last && s + 1 == across.last; /* a NaN equals nothing */
            const unsigned char this = (unsigned char)(r * w->kernel + s);
#pragma omp simd
            for (size_t c = 0; c < C; c++) tap[c] = start || v[c] == to[c] ? this : tap[c];
        }
}

/* dx starts from 0. */
static void window_backward(const struct pass_window *w, const struct tensor *dy,
                            const struct tensor *dx, size_t n, size_t i, size_t j,
                            const unsigned char *tap) {
    struct taps down = taps_of(w, i, dx->H), across = taps_of(w, j, dx->W);
    const real *from = tensor_at(dy, n, i, j);
    for (size_t r = down.first; r < down.last; r++)
        for (size_t s = across.first; s < across.last; s++) {
            real *to = tensor_at(dx, n, i * w->stride + r - w->pad, j * w->stride + s - w->pad);
            const unsigned char this = (unsigned char)(r * w->kernel + s);
#pragma omp simd
            for (size_t c = 0; c < dx->C; c++) to[c] += tap[c] == this ? from[c] : 0;
        }
}

static void pass_maxpool(const struct pass_window *w, const struct tensor *x,
                         const struct tensor *y, size_t n, unsigned char *tap) {
    for (size_t i = 0; i < y->H; i++) {
        if (is_quarter(w)) {
            quarter(x, y, n, i, tap);
            tap += y->W * y->C;
            continue;
        }
        for (size_t j = 0; j < y->W; j++, tap += y->C) window(w, x, y, n, i, j, tap);
    }
}

static void pass_maxpool_backward(const struct pass_window *w, const struct tensor *dy,
                                  const struct tensor *dx, size_t n, const unsigned char *tap) {
    bool covered = is_quarter(w) && dx->H % 2 == 0 && dx->W % 2 == 0;
    if (!covered) memset(tensor_at(dx, n, 0, 0), 0, dx->image * sizeof(real));
    for (size_t i = 0; i < dy->H; i++) {
        if (is_quarter(w)) {
            quarter_backward(dy, dx, n, i, tap);
            tap += dy->W * dy->C;
            continue;
        }
        for (size_t j = 0; j < dy->W; j++, tap += dy->C) window_backward(w, dy, dx, n, i, j, tap);
    }
}

static double pass_sum_squares(const real *x, size_t n) {
    double lanes[LANES] = {0}, sum = 0;
    size_t i = 0;
    for (; i + LANES <= n; i += LANES)
        for (size_t l = 0; l < LANES; l++) lanes[l] += (double)x[i + l] * (double)x[i + l];
    for (; i < n; i++) sum += (double)x[i] * (double)x[i];
    for (size_t l = 0; l < LANES; l++) sum += lanes[l];
    return sum;
}

static void pass_accumulate(real *to, const real *from, size_t n) {
#pragma omp simd
    for (size_t i = 0; i < n; i++) to[i] += from[i];
}

extern const struct pass ISA_NAME(pass);
const struct pass ISA_NAME(pass) = {
    .relu = pass_relu,
    .relu_backward = pass_relu_backward,
    .add = pass_add,
    .multiply = pass_multiply,
    .copy = pass_copy,
    .sums = pass_sums,
    .moments = pass_moments,
    .norm = pass_norm,
    .norm_sums = pass_norm_sums,
    .norm_backward = pass_norm_backward,
    .maxpool = pass_maxpool,
    .maxpool_backward = pass_maxpool_backward,
    .sum_squares = pass_sum_squares,
    .accumulate = pass_accumulate,
};
