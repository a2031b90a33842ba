/* Contact sheets: the quickest way to see that a deficit does what its config says. Drawn with the
 * deficit's own function on stored examples, so the sheet shows the very pixels that training gets
 * (before augmentation and normalization).
 *
 * Images are enlarged by whole factors without smoothing; those wider than 256 pixels are thinned
 * out. */
#include "sim/preview.h"

#include <errno.h>
#include <math.h>
#include <png.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sim/font.h"
#include "sim/target.h"

enum { COLUMNS_MAX = 10, SHOWN = 128, THINNED = 256, GAP = 6, TITLE = 2, PAPER = 255, INK = 40 };

struct sheet {
    size_t W, H;
    uint8_t *rgb; /* [H,W,3] */
};

/* How one modality is laid out. */
struct layout {
    const struct modality *modality;
    size_t m, zoom, step, w, h;          /* w, h: of a shown image */
    size_t columns, column[COLUMNS_MAX]; /* examples of the training set */
};

static void sheet_dot(struct sheet *s, size_t x, size_t y, const uint8_t rgb[3]) {
    if (x < s->W && y < s->H) memcpy(s->rgb + (y * s->W + x) * 3, rgb, 3);
}

/* Text of at most `width` pixels, dots enlarged by `zoom`. */
static void sheet_text(struct sheet *s, size_t x, size_t y, size_t zoom, size_t width,
                       const char *text) {
    const uint8_t ink[3] = {INK, INK, INK};
    const size_t room = width / (FONT_WIDTH * zoom);
    for (size_t i = 0; i < room && text[i]; i++)
        for (size_t j = 0; j < FONT_WIDTH * zoom * FONT_HEIGHT * zoom; j++) {
            size_t dx = j % (FONT_WIDTH * zoom), dy = j / (FONT_WIDTH * zoom);
            if (font_dot(text[i], (int)(dx / zoom), (int)(dy / zoom)))
                sheet_dot(s, x + i * FONT_WIDTH * zoom + dx, y + dy, ink);
        }
}

static uint8_t shade(const struct modality *m, const void *x, size_t i) {
    if (m->bytes) return ((const uint8_t *)x)[i];
    const size_t c = i % m->C;
    const double v = ((double)((const float *)x)[i] - m->mean[c]) / (6 * m->sd[c]) + 0.5;
    return (uint8_t)fmin(255, fmax(0, floor(255 * v + 0.5)));
}

/* Three channels are red, green, blue; otherwise the first one is shown in grey. */
static void sheet_image(struct sheet *s, const struct layout *l, size_t x, size_t y,
                        const void *image) {
    const struct modality *m = l->modality;
    for (size_t j = 0; j < l->w * l->h; j++) {
        const size_t px = j % l->w / l->zoom * l->step, py = j / l->w / l->zoom * l->step;
        const size_t i = (py * m->W + px) * m->C, rgb = m->C == 3;
        const uint8_t dot[3] = {shade(m, image, i), shade(m, image, i + rgb),
                                shade(m, image, i + 2 * rgb)};
        sheet_dot(s, x + j % l->w, y + j / l->w, dot);
    }
}

static struct layout layout_of(const struct dataset *d, size_t m) {
    const struct modality *mod = &d->modality[m];
    const size_t side = mod->H > mod->W ? mod->H : mod->W;
    struct layout l = {.modality = mod, .m = m};
    l.zoom = side < SHOWN ? SHOWN / side : 1;
    l.step = (side + THINNED - 1) / THINNED;
    l.w = (mod->W + l.step - 1) / l.step * l.zoom;
    l.h = (mod->H + l.step - 1) / l.step * l.zoom;
    for (size_t c = 0; c < d->K && l.columns < COLUMNS_MAX; c++)
        for (size_t i = 0; i < d->train.n; i++)
            if ((size_t)d->train.label[i] == c) {
                l.column[l.columns++] = i;
                break;
            }
    return l;
}

static size_t row_height(const struct layout *l) {
    return TITLE * FONT_HEIGHT + GAP + l->h + GAP / 2 + FONT_HEIGHT + 2 * GAP;
}

/* "blur factor 4 kernel pil": the type and its own parameters, and severity where not full. */
static void row_title(const struct deficit *t, const struct settings *s, char *text, size_t n) {
    size_t used = (size_t)snprintf(text, n, "%s", t->name);
    for (const struct param *p = t->params; p->name && used < n; p++)
        if (settings_is_set(s, p->name))
            used += (size_t)snprintf(text + used, n - used, " %s %s", p->name,
                                     settings_find(s, p->name)->text);
    if (used < n && settings_real(s, "severity") < 1)
        snprintf(text + used, n - used, " severity %s", settings_find(s, "severity")->text);
}

static void spoil(const struct dataset *d, const struct layout *l, size_t i,
                  const struct deficit *t, const struct settings *s, uint64_t seed, void *image,
                  int32_t *label, void *scratch) {
    struct deficit_context c = {.modality = l->modality,
                                .K = d->K,
                                .seed = seed,
                                .index = d->train.index[i],
                                .severity = settings_real(s, "severity")};
    if (c.severity <= 0) return;
    if (t->spoil) t->spoil(s, &c, image, scratch);
    c.modality = NULL;
    if (t->label) *label = t->label(s, &c, *label);
}

/* t NULL: the clean row. */
static int sheet_row(struct sheet *s, size_t y, const struct dataset *d, const struct layout *l,
                     const struct deficit *t, const struct settings *settings, uint64_t seed,
                     struct error *e) {
    const size_t bytes = modality_bytes(l->modality);
    const size_t scratch = t && t->scratch ? t->scratch(settings, l->modality) : 0;
    void *image = malloc(bytes), *work = malloc(scratch + 1);
    char title[200] = "clean";
    if (!image || !work) {
        free(image);
        free(work);
        return error_set(e, STATUS_FAILED, "out of memory");
    }
    if (t) row_title(t, settings, title, sizeof title);
    sheet_text(s, GAP, y, TITLE, s->W - GAP, title);
    y += TITLE * FONT_HEIGHT + GAP;
    for (size_t k = 0; k < l->columns; k++) {
        const size_t i = l->column[k], x = GAP + k * (l->w + GAP);
        int32_t label = d->train.label[i];
        memcpy(image, (const char *)d->train.x[l->m] + i * bytes, bytes);
        if (t) spoil(d, l, i, t, settings, seed, image, &label, work);
        sheet_image(s, l, x, y, image);
        sheet_text(s, x, y + l->h + GAP / 2, 1, l->w, d->class_names[label]);
    }
    free(image);
    free(work);
    return STATUS_OK;
}

static int sheet_write(const struct sheet *s, const char *path, struct error *e) {
    char beside[4096];
    png_image png = {.version = PNG_IMAGE_VERSION,
                     .width = (png_uint_32)s->W,
                     .height = (png_uint_32)s->H,
                     .format = PNG_FORMAT_RGB};
    int n = snprintf(beside, sizeof beside, "%s.%ld", path, (long)getpid());
    if (n < 0 || n >= (int)sizeof beside)
        return error_set(e, STATUS_USAGE, "%.100s...: the name is too long", path);
    if (!png_image_write_to_file(&png, beside, 0, s->rgb, 0, NULL)) {
        error_set(e, STATUS_FAILED, "%s: cannot be written: %s", path, png.message);
    } else if (rename(beside, path) != 0) {
        error_set(e, STATUS_FAILED, "%s: cannot be written: %s", path, strerror(errno));
    } else {
        return STATUS_OK;
    }
    unlink(beside);
    return STATUS_FAILED;
}

static bool is_picture(const struct modality *m) {
    return m->H > 1 && m->W > 1;
}

/* Does the deficit show in this modality? One of labels shows below the first picture. */
static bool shows(const struct deficit *t, const struct settings *s, const struct dataset *d,
                  const struct layout *l, bool first) {
    int m;
    target_find(t, s, d, &m, NULL);
    return m == TARGET_NONE ? first : m == (int)l->m;
}

/* Lay out (rgb NULL: only measure) or draw the whole sheet. */
static int sheet_draw(struct sheet *s, const struct dataset *d, const struct deficit *const *types,
                      const struct settings *deficits, size_t n, uint64_t seed, struct error *e) {
    size_t y = GAP, width = 0;
    int status = STATUS_OK;
    for (size_t m = 0, pictures = 0; m < d->modalities_n; m++) {
        const struct layout l = layout_of(d, m);
        if (!is_picture(l.modality)) continue;
        const size_t row = row_height(&l), needed = GAP + l.columns * (l.w + GAP);
        width = needed > width ? needed : width;
        if (s->rgb) status = sheet_row(s, y, d, &l, NULL, NULL, seed, e);
        y += row;
        for (size_t i = 0; i < n && !status; i++) {
            if (!shows(types[i], &deficits[i], d, &l, pictures == 0)) continue;
            if (s->rgb) status = sheet_row(s, y, d, &l, types[i], &deficits[i], seed, e);
            y += row;
        }
        pictures++;
    }
    s->W = width;
    s->H = y;
    return status;
}

int preview_write(const char *png_path, const struct dataset *d, const struct deficit *const *types,
                  const struct settings *deficits, size_t deficits_n, uint64_t seed,
                  struct error *e) {
    struct sheet s = {0};
    sheet_draw(&s, d, types, deficits, deficits_n, seed, e);
    if (s.W == 0)
        return error_set(e, STATUS_USAGE, "data.set: %s has no pictures to preview", d->type->name);
    s.rgb = malloc(s.W * s.H * 3);
    if (!s.rgb) return error_set(e, STATUS_FAILED, "out of memory");
    memset(s.rgb, PAPER, s.W * s.H * 3);
    int status = sheet_draw(&s, d, types, deficits, deficits_n, seed, e);
    if (!status) status = sheet_write(&s, png_path, e);
    free(s.rgb);
    return status;
}
