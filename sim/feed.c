/* Assembling batches: see feed.h.
 *
 * Augmentation is a shift by -s..s pixels per axis, uniform, the uncovered border filled with the
 * stored value 0 (black), then a horizontal flip with probability 1/2; both from stream "augment"
 * of train.seed at (epoch, the example's official index), so a run and its clean twin agree.
 * Normalization is (x - mean)/sd with the clean training constants, whatever the deficit. */
#include "sim/feed.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"

static void hash_severities(const struct config *c, const struct examples *source,
                            const double severity[], char key[HASH_TEXT]) {
    struct hash *h = hash_create();
    hash_int(h, (int64_t)(uintptr_t)source);
    bool any = false;
    for (size_t i = 0; i < c->deficits_n; i++) {
        hash_real(h, severity[i]);
        any = any || severity[i] != 0.0;
    }
    key[0] = '\0';
    if (any) hash_digest(h, key);
    hash_free(h);
}

static bool deficit_is_fresh(const struct config *c, size_t i) {
    const struct deficit *type = c->deficit_types[i];
    return type->is_fresh && type->is_fresh(&c->deficits[i]);
}

/* The modality that a deficit of images spoils; checked when the config was. */
static size_t deficit_modality(const struct config *c, const struct dataset *d, size_t i) {
    const char *name = settings_text(&c->deficits[i], "modality");
    for (size_t m = 0; m < d->modalities_n; m++)
        if (!strcmp(d->modality[m].name, name)) return m;
    assert(false && "a deficit's modality is checked before training");
    return 0;
}

static struct deficit_context context_of(const struct config *c, const struct dataset *d, size_t m,
                                         uint32_t index, double severity) {
    return (struct deficit_context){.modality = &d->modality[m],
                                    .K = d->K,
                                    .seed = c->data_seed,
                                    .index = index,
                                    .severity = severity};
}

void view_free(struct view *v) {
    for (size_t m = 0; m < DATA_MODALITIES; m++) free(v->spoiled[m]);
    free(v->label);
    *v = (struct view){0};
}

static int spoil_images(struct view *v, const struct config *c, size_t i, struct error *e) {
    const struct dataset *d = v->data;
    const struct deficit *type = c->deficit_types[i];
    size_t m = deficit_modality(c, d, i), size = modality_bytes(&d->modality[m]);
    size_t extra = type->scratch ? type->scratch(&c->deficits[i], &d->modality[m]) : 0;
    void *scratch = malloc(extra ? extra : 1);
    if (!v->spoiled[m]) {
        v->spoiled[m] = malloc(v->source->n * size);
        if (v->spoiled[m]) memcpy(v->spoiled[m], v->source->x[m], v->source->n * size);
    }
    if (!scratch || !v->spoiled[m]) {
        free(scratch);
        return error_set(e, STATUS_FAILED, "out of memory for the spoiled images");
    }
    for (size_t n = 0; n < v->source->n; n++) {
        struct deficit_context at = context_of(c, d, m, v->source->index[n], v->severity[i]);
        type->spoil(&c->deficits[i], &at, (char *)v->spoiled[m] + n * size, scratch);
    }
    free(scratch);
    return STATUS_OK;
}

static int spoil_labels(struct view *v, const struct config *c, size_t i, struct error *e) {
    const struct examples *source = v->source;
    if (!v->label) {
        v->label = malloc((source->n ? source->n : 1) * sizeof *v->label);
        if (!v->label) return error_set(e, STATUS_FAILED, "out of memory for the spoiled labels");
        memcpy(v->label, source->label, source->n * sizeof *v->label);
    }
    for (size_t n = 0; n < source->n; n++) {
        struct deficit_context at = context_of(c, v->data, 0, source->index[n], v->severity[i]);
        v->label[n] = c->deficit_types[i]->label(&c->deficits[i], &at, v->label[n]);
    }
    return STATUS_OK;
}

int view_make(struct view *v, const struct config *c, const struct dataset *d,
              const struct examples *source, const double severity[CONFIG_DEFICITS],
              struct error *e) {
    char key[HASH_TEXT];
    hash_severities(c, source, severity, key);
    if (v->source == source && !strcmp(v->key, key)) return STATUS_OK;
    view_free(v);
    v->data = d;
    v->source = source;
    memcpy(v->key, key, sizeof key);
    int status = STATUS_OK;
    for (size_t i = 0; i < c->deficits_n && !status; i++) {
        v->severity[i] = severity[i];
        if (severity[i] == 0.0) continue;
        /* once one deficit is fresh, those after it must wait for it */
        if (v->fresh_n || deficit_is_fresh(c, i)) {
            v->fresh[v->fresh_n++] = i;
            continue;
        }
        if (c->deficit_types[i]->spoil) status = spoil_images(v, c, i, e);
        if (!status && c->deficit_types[i]->label) status = spoil_labels(v, c, i, e);
    }
    return status;
}

int32_t view_label(const struct view *v, size_t example) {
    return v->label ? v->label[example] : v->source->label[example];
}

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

struct scaling {
    real mean[DATA_CHANNELS], scale[DATA_CHANNELS]; /* (x - mean) * scale */
};

static struct scaling scaling_of(const struct modality *m) {
    struct scaling s = {{0}, {0}};
    for (size_t k = 0; k < m->C; k++) {
        s.mean[k] = (real)m->mean[k];
        s.scale[k] = (real)(1.0 / m->sd[k]);
    }
    return s;
}

/* One row of n pixels that lie inside the image, as they lie. Written out for each kind of storage
 * and for grey, since every image of every batch passes here. */
static void place_whole(const struct modality *m, const struct scaling *s, const void *row,
                        real *out) {
    const uint8_t *bytes = row;
    const float *floats = row;
    if (m->C == 1 && m->bytes)
        for (size_t w = 0; w < m->W; w++) out[w] = ((real)bytes[w] - s->mean[0]) * s->scale[0];
    else if (m->C == 1)
        for (size_t w = 0; w < m->W; w++) out[w] = ((real)floats[w] - s->mean[0]) * s->scale[0];
    else
        for (size_t w = 0, i = 0; w < m->W; w++)
            for (size_t k = 0; k < m->C; k++, i++)
                out[i] = ((m->bytes ? (real)bytes[i] : (real)floats[i]) - s->mean[k]) * s->scale[k];
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
    size_t image = 0, extra = 0;
    for (size_t m = 0; m < d->modalities_n; m++)
        if (modality_bytes(&d->modality[m]) > image) image = modality_bytes(&d->modality[m]);
    for (size_t i = 0; i < c->deficits_n; i++) {
        const struct deficit *type = c->deficit_types[i];
        if (!type->scratch) continue;
        size_t need = type->scratch(&c->deficits[i], &d->modality[deficit_modality(c, d, i)]);
        if (need > extra) extra = need;
    }
    return (image + 63) / 64 * 64 + extra + 64;
}

/* The stored example with the fresh deficits applied: in place when there are none. */
static const void *fresh_image(const struct config *c, const struct view *v, size_t m, size_t i,
                               uint32_t epoch, void *scratch) {
    const struct dataset *d = v->data;
    size_t size = modality_bytes(&d->modality[m]);
    const void *x = (const char *)(v->spoiled[m] ? v->spoiled[m] : v->source->x[m]) + i * size;
    if (!v->fresh_n) return x;
    memcpy(scratch, x, size);
    void *extra = (char *)scratch + (size + 63) / 64 * 64;
    for (size_t k = 0; k < v->fresh_n; k++) {
        size_t f = v->fresh[k];
        if (!c->deficit_types[f]->spoil || deficit_modality(c, d, f) != m) continue;
        struct deficit_context at = context_of(c, d, m, v->source->index[i], v->severity[f]);
        if (deficit_is_fresh(c, f)) at.epoch = epoch;
        c->deficit_types[f]->spoil(&c->deficits[f], &at, scratch, extra);
    }
    return scratch;
}

static int32_t fresh_label(const struct config *c, const struct view *v, size_t i, uint32_t epoch) {
    int32_t label = view_label(v, i);
    for (size_t k = 0; k < v->fresh_n; k++) {
        size_t f = v->fresh[k];
        if (!c->deficit_types[f]->label) continue;
        struct deficit_context at = context_of(c, v->data, 0, v->source->index[i], v->severity[f]);
        if (deficit_is_fresh(c, f)) at.epoch = epoch;
        label = c->deficit_types[f]->label(&c->deficits[f], &at, label);
    }
    return label;
}

void feed_assemble(const struct config *c, const struct feed_batch *b, struct net *net,
                   int32_t *label, void *scratch) {
    const struct dataset *d = b->view->data;
    struct scaling scaling[DATA_MODALITIES];
    for (size_t m = 0; m < d->modalities_n; m++) scaling[m] = scaling_of(&d->modality[m]);
    for (size_t n = 0; n < b->n; n++) {
        size_t i = b->pick ? b->pick[b->first + n] : b->first + n;
        uint32_t index = b->view->source->index[i];
        struct placing p = b->augment ? augment(c, b->epoch, index) : (struct placing){0, 0, 0};
        for (size_t m = 0; m < d->modalities_n; m++)
            place(&d->modality[m], &scaling[m], fresh_image(c, b->view, m, i, b->epoch, scratch), p,
                  net_input_tensor(net, m), n);
        label[n] = fresh_label(c, b->view, i, b->epoch);
    }
}

void feed_order(uint64_t train_seed, uint32_t epoch, uint32_t *order, size_t n) {
    for (size_t i = 0; i < n; i++) order[i] = (uint32_t)i;
    struct rng r = rng_stream(train_seed, "order", epoch, 0);
    rng_shuffle(&r, order, n);
}
