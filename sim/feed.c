/* Assembling batches: see feed.h.
 *
 * Augmentation is a shift by -s..s pixels per axis, uniform, the uncovered border filled with the
 * stored value 0 (black), then a horizontal flip with probability 1/2; both from stream "augment"
 * of train.seed at (epoch, the example's official index), so a run and its clean twin agree.
 * Normalization is (x - mean)/sd times data.scale, with the clean training constants, whatever the
 * deficit. */
#include "sim/feed.h"

#include "base/rng.h"

/* ---- one example into the net ---------------------------------------------------------------- */

struct placing {
    int64_t dy, dx; /* the image moves by this many pixels */
    bool flip;
};

static struct placing augment(const struct config *c, uint32_t epoch, uint32_t index) {
    struct placing p = {0, 0, false};
    uint32_t shift = (uint32_t)settings_int(&c->augment, "shift");
    struct rng r = rng_stream(c->train_seed, "augment", epoch, index);
    if (shift) {
        p.dy = (int64_t)rng_below(&r, 2 * shift + 1) - shift;
        p.dx = (int64_t)rng_below(&r, 2 * shift + 1) - shift;
    }
    if (settings_bool(&c->augment, "flip")) p.flip = rng_word(&r) & 1;
    return p;
}

/* Constants of the channels, repeated for a few pixels: loops over them are as long for one channel as
 * for three, and long enough for vectors. */
enum { PATTERN_PIXELS = 16 };
struct scaling {
    real mean[PATTERN_PIXELS * DATA_CHANNELS]; /* (x - mean) * scale */
    real scale[PATTERN_PIXELS * DATA_CHANNELS];
};

static void scaling_make(struct scaling *s, const struct dataset *d, const struct modality *m) {
    const double unit = m->kind == MODALITY_TOKENS || m->raw ? 1.0 : d->scale;
    for (size_t i = 0; i < PATTERN_PIXELS * m->C; i++) {
        s->mean[i] = (real)m->mean[i % m->C];
        s->scale[i] = (real)(unit / m->sd[i % m->C]);
    }
}

static void scale_bytes(const struct scaling *s, const uint8_t *x, size_t n, real *out) {
#pragma omp simd
    for (size_t i = 0; i < n; i++) out[i] = ((real)x[i] - s->mean[i]) * s->scale[i];
}

static void scale_floats(const struct scaling *s, const float *x, size_t n, real *out) {
#pragma omp simd
    for (size_t i = 0; i < n; i++) out[i] = ((real)x[i] - s->mean[i]) * s->scale[i];
}

/* One row of pixels that lie inside the image, as they lie; every image of every batch passes here. */
static void place_whole(const struct modality *m, const struct scaling *s, const void *row,
                        real *out) {
    const size_t count = m->W * m->C, step = PATTERN_PIXELS * m->C;
    for (size_t i = 0; i < count; i += step) {
        size_t n = count - i < step ? count - i : step;
        if (m->bytes)
            scale_bytes(s, (const uint8_t *)row + i, n, out + i);
        else
            scale_floats(s, (const float *)row + i, n, out + i);
    }
}

/* One row of pixels, from column `first` on, in steps of +1 or -1 (flipped). NULL: all black. */
static void place_row(const struct modality *m, const struct scaling *s, const void *row,
                      int64_t first, int64_t step, real *out) {
    for (size_t w = 0; w < m->W; w++, first += step, out += m->C) {
        bool inside = row && first >= 0 && first < (int64_t)m->W;
        size_t at = inside ? (size_t)first * m->C : 0;
        for (size_t k = 0; k < m->C; k++) {
            real stored = !inside    ? 0
                          : m->bytes ? (real)((const uint8_t *)row)[at + k]
                                     : (real)((const float *)row)[at + k];
            out[k] = (stored - s->mean[k]) * s->scale[k];
        }
    }
}

/* Columns that the modality does not see are 0 to the net, the mean of what it does see. */
static void place_hidden(const struct modality *m, real *row) {
    for (size_t i = 0; i < m->hidden_left * m->C; i++) row[i] = 0;
    for (size_t i = (m->W - m->hidden_right) * m->C; i < m->W * m->C; i++) row[i] = 0;
}

/* Only images move: tokens and features have no sides. */
static void place(const struct modality *m, const struct scaling *s, const void *x,
                  struct placing p, const struct tensor *t, size_t n) {
    if (m->kind != MODALITY_IMAGE) p = (struct placing){0, 0, false};
    size_t row = m->W * m->C * (m->bytes ? sizeof(uint8_t) : sizeof(float));
    int64_t step = p.flip ? -1 : 1, first = (p.flip ? (int64_t)m->W - 1 : 0) - p.dx;
    for (size_t h = 0; h < m->H; h++) {
        int64_t y = (int64_t)h - p.dy;
        bool inside = y >= 0 && y < (int64_t)m->H;
        const void *from = inside ? (const char *)x + (size_t)y * row : NULL;
        if (inside && step == 1 && first == 0)
            place_whole(m, s, from, tensor_at(t, n, h, 0));
        else
            place_row(m, s, from, first, step, tensor_at(t, n, h, 0));
        if (m->hidden_left || m->hidden_right) place_hidden(m, tensor_at(t, n, h, 0));
    }
}

size_t feed_scratch(const struct config *c, const struct dataset *d) {
    return view_scratch(c, d);
}

static void place_target(const struct view *v, size_t example, int32_t label, real *out) {
    const float *target = view_target(v, example);
    for (size_t k = 0; k < v->data->K; k++) out[k] = target ? (real)target[k] : (real)0;
    if (!target) out[label] = 1;
}

void feed_assemble(const struct config *c, const struct feed_batch *b, struct net *net,
                   int32_t *label, void *scratch) {
    const struct dataset *d = b->view->data;
    real *targets = net_targets(net);
    struct scaling scaling[DATA_MODALITIES];
    for (size_t m = 0; m < d->modalities_n; m++) scaling_make(&scaling[m], d, &d->modality[m]);
    for (size_t n = 0; n < b->n; n++) {
        size_t i = b->pick ? b->pick[b->first + n] : b->first + n;
        uint32_t index = view_index(b->view, i);
        struct placing p = b->augment ? augment(c, b->epoch, index) : (struct placing){0, 0, 0};
        for (size_t m = 0; m < d->modalities_n; m++)
            place(&d->modality[m], &scaling[m], view_example(b->view, c, m, i, b->epoch, scratch),
                  p, net_input_tensor(net, m), n);
        label[n] = view_epoch_label(b->view, c, i, b->epoch);
        if (targets) place_target(b->view, i, label[n], targets + n * d->K);
    }
}

void feed_order(uint64_t train_seed, uint32_t epoch, size_t pass, uint32_t *order, size_t n) {
    for (size_t i = 0; i < n; i++) order[i] = (uint32_t)i;
    struct rng r = rng_stream(train_seed, "order", epoch, pass);
    rng_shuffle(&r, order, n);
}
