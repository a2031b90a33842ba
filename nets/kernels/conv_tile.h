/* The register tiles of conv_tiles.isa.c, for vectors of LANES numbers. Included once per LANES
 * (so there is no guard); leaves behind the table tiles_<LANES>.
 *
 * Both tiles keep `n` x `vectors` sums. The two are constants after inlining, so that the loops
 * over them unroll and the sums live in registers: every entry of the table is one such pair.
 * Trap: a sum whose address is taken goes to memory, hence the copies before the partial stores. */
#define JOIN_(a, b) a##_##b
#define JOIN(a, b)  JOIN_(a, b)
#define WIDE(name)  JOIN(name, LANES)

typedef real WIDE(vec) __attribute__((vector_size(LANES * sizeof(real))));
/* The same in memory: at any address where a real may lie. */
typedef real WIDE(mem)
    __attribute__((vector_size(LANES * sizeof(real)), aligned(sizeof(real)), may_alias));

#define vec      WIDE(vec)
#define LOAD(p)  (*(const WIDE(mem) *)(p))
#define STORE(p) (*(WIDE(mem) *)(p))

/* to[0..width) = or += the first numbers of v, in halves, since a part cannot be stored at once. */
IN_TILE INLINE void WIDE(put_part)(vec v, ptrdiff_t width, real *to, const bool add) {
    real numbers[LANES];
    ptrdiff_t at = 0;
    STORE(numbers) = v;
    UNROLL for (ptrdiff_t half = LANES / 2; half > 0; half /= 2) {
        if (!(width & half)) continue;
        foreach (i, half) to[at + i] = add ? to[at + i] + numbers[at + i] : numbers[at + i];
        at += half;
    }
}

/* to[0..width) = or += the sums of one pixel or input; only the last vector can be a part. */
IN_TILE INLINE void WIDE(put)(const ptrdiff_t vectors, const vec *sum, ptrdiff_t width, real *to,
                              const bool add) {
    foreach (v, vectors) {
        const bool whole = v + 1 < vectors || width == vectors * LANES;
        real *at = to + v * LANES;
        if (!whole)
            WIDE(put_part)(sum[v], width - v * LANES, at, add);
        else if (add)
            STORE(at) += sum[v];
        else
            STORE(at) = sum[v];
    }
}

/* n output pixels: every weight vector is loaded once for n pixels, every input once for all
 * lanes. */
IN_TILE INLINE void WIDE(correlate_tile)(const ptrdiff_t n, const ptrdiff_t vectors,
                                         const struct patch g, const real *in, const real *w,
                                         real *out) {
    vec sum[TILE_MOST][VECTORS_MOST];
    foreach (p, n)
        foreach (v, vectors) sum[p][v] = LOAD(g.bias + v * LANES);
    for (ptrdiff_t r = 0; r < g.rows; r++, in += g.in_row, w += g.w_row)
        for (ptrdiff_t k = 0; k < g.run; k++) {
            vec wv[VECTORS_MOST];
            foreach (v, vectors) wv[v] = LOAD(w + (k * vectors + v) * LANES);
            foreach (p, n)
                foreach (v, vectors) sum[p][v] += in[p * g.in_step + k] * wv[v];
        }
    foreach (p, n) WIDE(put)(vectors, sum[p], g.width, out + p * g.out_step, false);
}

/* Into the second cache: what the next line is the first to read, and what it will write. */
IN_TILE INLINE void WIDE(fetch_ahead)(const ptrdiff_t n, const struct patch g, const real *in,
                                      const real *out) {
    for (ptrdiff_t r = 0; r < g.ahead_rows; r++)
        for (ptrdiff_t i = 0; i < n * g.in_step; i += CACHE_LINE)
            __builtin_prefetch(in + g.ahead + r * g.in_row + i, 0, 2);
    for (ptrdiff_t i = 0; i < n * g.out_step; i += CACHE_LINE)
        __builtin_prefetch(out + g.out_line + i, 1, 2);
}

IN_TILE INLINE void WIDE(correlate)(const ptrdiff_t n, const ptrdiff_t vectors,
                                    const struct patch g) {
    for (ptrdiff_t line = 0; line < g.lines; line++) {
        const real *in = g.in + line * g.in_line, *w = g.w + line * g.w_line;
        real *out = g.out + line * g.out_line;
        for (ptrdiff_t t = 0; t < g.tiles; t++) {
            if (g.ahead_rows) WIDE(fetch_ahead)(n, g, in, out);
            WIDE(correlate_tile)(n, vectors, g, in, w, out);
            in += n * g.in_step;
            out += n * g.out_step;
        }
    }
}

/* n inputs that are neighbours in memory, times the gradients at one pixel, summed over pixels.
 * A small tile keeps sums of the even and of the odd pixels, since one chain of additions per
 * register would wait for itself. */
IN_TILE INLINE void WIDE(weigh_tile)(const ptrdiff_t n, const ptrdiff_t vectors,
                                     const struct strip g, const real *first, real *partial,
                                     real *dw) {
    const bool pairs = n * vectors < SUMS_FEW;
    vec sum[TILE_MOST][VECTORS_MOST], odd[TILE_MOST][VECTORS_MOST];
    foreach (t, n)
        foreach (v, vectors) {
            odd[t][v] = (vec){0};
            if (g.starts)
                sum[t][v] = (vec){0};
            else
                sum[t][v] = LOAD(partial + (t * vectors + v) * LANES);
        }
    for (ptrdiff_t line = 0; line < g.lines; line++) {
        const real *x = first + line * g.x_line, *dy = g.dy + line * g.dy_line;
        ptrdiff_t j = 0;
        for (; pairs && j + 1 < g.pixels; j += 2, x += 2 * g.x_step, dy += 2 * g.dy_step)
            foreach (t, n)
                foreach (v, vectors) {
                    sum[t][v] += x[t] * LOAD(dy + v * LANES);
                    odd[t][v] += x[g.x_step + t] * LOAD(dy + g.dy_step + v * LANES);
                }
        for (; j < g.pixels; j++, x += g.x_step, dy += g.dy_step) {
            vec dyv[VECTORS_MOST];
            foreach (v, vectors) dyv[v] = LOAD(dy + v * LANES);
            foreach (t, n)
                foreach (v, vectors) sum[t][v] += x[t] * dyv[v];
        }
    }
    foreach (t, n)
        foreach (v, vectors)
            if (pairs) sum[t][v] += odd[t][v];
    if (!g.ends) {
        foreach (t, n)
            foreach (v, vectors) STORE(partial + (t * vectors + v) * LANES) = sum[t][v];
        return;
    }
    foreach (t, n) WIDE(put)(vectors, sum[t], g.width, dw + t * g.dw_step, true);
}

IN_TILE INLINE void WIDE(weigh)(const ptrdiff_t n, const ptrdiff_t vectors, const struct strip g) {
    for (ptrdiff_t t = 0; t < g.tiles; t++) WIDE(weigh_tile)
    (n, vectors, g, g.x + t * n, g.partial + t * n * vectors * LANES, g.dw + t * n * g.dw_step);
}

#define INSTANCE(n, v)                                                                             \
    IN_TILE void WIDE(JOIN(correlate, n##_##v))(const struct patch *g) {                           \
        WIDE(correlate)(n, v, *g);                                                                 \
    }                                                                                              \
    IN_TILE void WIDE(JOIN(weigh, n##_##v))(const struct strip *g) {                               \
        WIDE(weigh)(n, v, *g);                                                                     \
    }
EACH_TILE(INSTANCE)
#undef INSTANCE

#define CORRELATE(n, v) [v - 1][n - 1] = WIDE(JOIN(correlate, n##_##v)),
#define WEIGH(n, v)     [v - 1][n - 1] = WIDE(JOIN(weigh, n##_##v)),
static const struct tiles WIDE(tiles) = {
    .lanes = LANES,
    .most = MOST,
    .correlate = {EACH_TILE(CORRELATE)},
    .weigh = {EACH_TILE(WEIGH)},
};

#undef CORRELATE
#undef WEIGH
#undef vec
#undef LOAD
#undef STORE
#undef WIDE
#undef JOIN
#undef JOIN_
#undef LANES
