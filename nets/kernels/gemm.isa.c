/* Dense products, see gemm.h: register tiles of ROWS rows of A times two vectors of columns of B.
 *
 * Every step of the inner loop loads two vectors of a panel and one number from each row, spread over
 * the lanes: 8 loads for 12 multiply-adds with 16 registers. A panel of 256 rows lies in the first
 * cache while all rows of A pass. (Method: Goto and van de Geijn 2008, doi:10.1145/1356052.1356053.)
 * With a batch of 128 a line of weights feeds a few hundred cycles of work: enough for memory to keep
 * up, if lines were asked for in time, hence `ahead` and the fetching of C before its sums.
 *
 * Trap: a sum whose address is taken goes to memory, hence the copies before the partial stores. */
#include "nets/kernels/gemm.h"

#include <string.h>

#include "nets/kernels/isa.h"
#include "nets/kernels/unroll.h"
#include "nets/kernels/vector.h"

enum {
    LANES = BYTES / sizeof(real),
    VECTORS = 2,
    PANEL = VECTORS * LANES,
    LINE = 64 / sizeof(real)
};

#if defined __AVX512F__ || defined __aarch64__
enum { ROWS = 12 }; /* 32 registers */
#define EACH_ROWS(X) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11) X(12)
#else
enum { ROWS = 6 };
#define EACH_ROWS(X) X(1) X(2) X(3) X(4) X(5) X(6)
#endif

/* One tile: the rows of a, which begin where a points, and one panel. */
struct tile {
    ptrdiff_t K;
    const real *a, *b;
    real *c;
    ptrdiff_t a_row, c_row, width; /* width: columns to store */
    bool add;
};

typedef void tile_fn(const struct tile *t);

IN_TILE OUTLINE void store_some(const vec *from, ptrdiff_t width, bool add, real *to) {
    real numbers[PANEL];
    memcpy(numbers, from, sizeof numbers);
    for (ptrdiff_t i = 0; i < width; i++) to[i] = add ? to[i] + numbers[i] : numbers[i];
}

IN_TILE INLINE void tile_sum(const ptrdiff_t rows, const struct tile *t, vec sum[ROWS][VECTORS]) {
    const real *a = t->a, *b = t->b;
    foreach (r, rows)
        foreach (v, VECTORS) sum[r][v] = (vec){0};
    for (ptrdiff_t k = 0; k < t->K; k++, b += PANEL) {
        vec columns[VECTORS];
        foreach (v, VECTORS) columns[v] = LOAD(b + v * LANES);
        foreach (r, rows)
            foreach (v, VECTORS) sum[r][v] += a[r * t->a_row + k] * columns[v];
    }
}

IN_TILE INLINE void tile_any(const ptrdiff_t rows, const struct tile g) {
    vec sum[ROWS][VECTORS];
    foreach (r, rows) {
        __builtin_prefetch(g.c + r * g.c_row, 1, 3);
        __builtin_prefetch(g.c + r * g.c_row + g.width - 1, 1, 3);
    }
    tile_sum(rows, &g, sum);
    if (g.width == PANEL && g.add) {
        foreach (r, rows)
            foreach (v, VECTORS) STORE(g.c + r * g.c_row + v * LANES) += sum[r][v];
    } else if (g.width == PANEL) {
        foreach (r, rows)
            foreach (v, VECTORS) STORE(g.c + r * g.c_row + v * LANES) = sum[r][v];
    } else {
        foreach (r, rows) {
            vec some[VECTORS];
            foreach (v, VECTORS) some[v] = sum[r][v];
            store_some(some, g.width, g.add, g.c + r * g.c_row);
        }
    }
}

#define INSTANCE(n)                                                                                \
    IN_TILE void tile_##n(const struct tile *t) {                                                  \
        tile_any(n, *t);                                                                           \
    }
EACH_ROWS(INSTANCE)
#undef INSTANCE

#define ENTRY(n) [n] = tile_##n,
static tile_fn *const TILES[ROWS + 1] = {EACH_ROWS(ENTRY)};
#undef ENTRY

/* ---- fetching ahead ---- */

struct fetch {
    const struct gemm_ahead *block;
    size_t row, column, each; /* the next line; lines per tile */
};

static struct fetch fetch_of(const struct gemm_ahead *block, size_t tiles) {
    const size_t lines = (block->columns + LINE - 1) / LINE * block->rows;
    return (struct fetch){block, 0, 0, (lines + tiles - 1) / tiles};
}

static void fetch_some(struct fetch *f) {
    const struct gemm_ahead *block = f->block;
    for (size_t i = 0; i < f->each && f->row < block->rows; i++) {
        __builtin_prefetch(block->at + f->row * block->row + f->column, 0, 2);
        f->column += LINE;
        if (f->column < block->columns) continue;
        f->column = 0;
        f->row++;
    }
}

/* ---- products ---- */

/* Rows in tiles as equal as can be: 10 are 5 and 5. */
static void multiply_panel(const struct gemm_product *p, struct tile t, struct fetch *fetch) {
    const size_t tiles = (p->M + ROWS - 1) / ROWS;
    for (size_t i = 0; i < tiles; i++) {
        const size_t first = p->M * i / tiles, rows = p->M * (i + 1) / tiles - first;
        for (int f = 0; f < GEMM_AHEAD; f++) fetch_some(&fetch[f]);
        t.a = p->a + first * p->a_row;
        t.c = p->c + first * p->c_row + (t.b - p->b) / (ptrdiff_t)p->b_panel * PANEL;
        TILES[rows](&t);
    }
}

static void multiply(const struct gemm_product *p) {
    if (!p->M) return;
    const size_t panels = (p->N + PANEL - 1) / PANEL, tiles = panels * ((p->M + ROWS - 1) / ROWS);
    struct fetch fetch[GEMM_AHEAD];
    struct tile t = {.K = (ptrdiff_t)p->K,
                     .a_row = (ptrdiff_t)p->a_row,
                     .c_row = (ptrdiff_t)p->c_row,
                     .add = p->add};
    for (int f = 0; f < GEMM_AHEAD; f++) fetch[f] = fetch_of(&p->ahead[f], tiles);
    for (size_t i = 0; i < panels; i++) {
        t.b = p->b + i * p->b_panel;
        t.width = (ptrdiff_t)(i + 1 < panels ? PANEL : p->N - i * PANEL);
        multiply_panel(p, t, fetch);
    }
}

/* ---- packing ---- */

static void pack_panel(const real *from, size_t from_row, size_t K, size_t width, real *to) {
    if (width == PANEL) {
        for (size_t k = 0; k < K; k++, from += from_row, to += PANEL)
            foreach (v, VECTORS) STORE(to + v * LANES) = LOAD(from + v * LANES);
        return;
    }
    for (size_t k = 0; k < K; k++, from += from_row, to += PANEL)
        for (size_t i = 0; i < PANEL; i++) to[i] = i < width ? from[i] : 0;
}

static void pack(const real *from, size_t from_row, size_t K, size_t N, real *panels) {
    for (size_t i = 0; i < N; i += PANEL, panels += K * PANEL)
        pack_panel(from + i, from_row, K, N - i < PANEL ? N - i : PANEL, panels);
}

/* A square of SIDE rows and columns, as many as 16 bytes hold. */
enum { SIDE = 16 / sizeof(real) };
typedef real row __attribute__((vector_size(16)));
typedef real row_mem __attribute__((vector_size(16), aligned(sizeof(real)), may_alias));

static INLINE void transpose_square(const real *from, size_t from_row, real *to, size_t to_row) {
    row r[SIDE];
    for (size_t i = 0; i < SIDE; i++) r[i] = *(const row_mem *)(from + i * from_row);
#ifdef REAL_IS_DOUBLE
    *(row_mem *)to = __builtin_shufflevector(r[0], r[1], 0, 2);
    *(row_mem *)(to + to_row) = __builtin_shufflevector(r[0], r[1], 1, 3);
#else
    const row a = __builtin_shufflevector(r[0], r[1], 0, 4, 1, 5);
    const row b = __builtin_shufflevector(r[0], r[1], 2, 6, 3, 7);
    const row c = __builtin_shufflevector(r[2], r[3], 0, 4, 1, 5);
    const row d = __builtin_shufflevector(r[2], r[3], 2, 6, 3, 7);
    *(row_mem *)to = __builtin_shufflevector(a, c, 0, 1, 4, 5);
    *(row_mem *)(to + to_row) = __builtin_shufflevector(a, c, 2, 3, 6, 7);
    *(row_mem *)(to + 2 * to_row) = __builtin_shufflevector(b, d, 0, 1, 4, 5);
    *(row_mem *)(to + 3 * to_row) = __builtin_shufflevector(b, d, 2, 3, 6, 7);
#endif
}

static void transpose_plain(const real *from, size_t from_row, size_t M, size_t N, real *to,
                            size_t to_row) {
    for (size_t j = 0; j < N; j++)
        for (size_t i = 0; i < M; i++) to[j * to_row + i] = from[i * from_row + j];
}

/* A band of N rows of `to`, their lines in the first cache; what squares leave over is plain. */
static void transpose_band(const real *from, size_t from_row, size_t M, size_t N, real *to,
                           size_t to_row) {
    const size_t rows = M / SIDE * SIDE, columns = N / SIDE * SIDE;
    for (size_t i = 0; i < rows; i += SIDE)
        for (size_t j = 0; j < columns; j += SIDE)
            transpose_square(from + i * from_row + j, from_row, to + j * to_row + i, to_row);
    transpose_plain(from + columns, from_row, rows, N - columns, to + columns * to_row, to_row);
    transpose_plain(from + rows * from_row, from_row, M - rows, N, to + rows, to_row);
}

static void transpose(const real *from, size_t from_row, size_t M, size_t N, real *to,
                      size_t to_row) {
    enum { BAND = 16 };
    for (size_t j = 0; j < N; j += BAND)
        transpose_band(from + j, from_row, M, N - j < BAND ? N - j : BAND, to + j * to_row, to_row);
}

static void pack_rows(const real *from, size_t from_row, size_t N, size_t K, real *panels) {
    for (size_t i = 0; i < N; i += PANEL, panels += K * PANEL) {
        const size_t width = N - i < PANEL ? N - i : PANEL;
        if (width < PANEL) memset(panels, 0, K * PANEL * sizeof *panels);
        transpose(from + i * from_row, from_row, width, K, panels, PANEL);
    }
}

extern const struct gemm ISA_NAME(gemm);
const struct gemm ISA_NAME(gemm) = {
    .lanes = PANEL,
    .multiply = multiply,
    .pack = pack,
    .pack_rows = pack_rows,
    .transpose = transpose,
};
