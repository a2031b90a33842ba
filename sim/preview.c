/* Contact sheets: the quickest way to see that a deficit does what its config says. Drawn from the
 * views that training is fed from, so the sheet shows the very pixels and tokens that training gets
 * (before augmentation and normalization).
 *
 * Below a row's title each column shows one example: its images and features one below the other,
 * then its tokens as numbers (- is the empty one) and hints as the class they name (=red), then its
 * label. Images are enlarged by whole factors without smoothing; those wider than 256 pixels are
 * thinned out. Columns that a modality hides from the net show the mean, which is what the net sees
 * there. */
#include "sim/preview.h"

#include <errno.h>
#include <math.h>
#include <png.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/text.h"
#include "sim/font.h"
#include "sim/target.h"
#include "sim/view.h"

enum { COLUMNS_MAX = 10, SHOWN = 128, THINNED = 256, GAP = 6, TITLE = 2, PAPER = 255, INK = 40 };

struct sheet {
    size_t W, H;
    uint8_t *rgb; /* [H,W,3] */
};

/* How one modality is drawn: as a picture (features are one of a single row) or as lines of text. */
struct pane {
    size_t zoom, step, w, h; /* w, h: as shown */
    size_t per_line, lines;  /* tokens in a line; lines: 0 for a picture */
};

struct layout {
    const struct dataset *data;
    size_t w;   /* of a column */
    size_t row; /* height of a row */
    struct pane pane[DATA_MODALITIES];
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

/* Bytes as they are; floats from mean - 3 s.d. to mean + 3 s.d. */
static uint8_t shade(const struct modality *m, const void *x, size_t i) {
    const size_t c = i % m->C, column = i / m->C % m->W;
    const bool is_hidden = column < m->hidden_left || column >= m->W - m->hidden_right;
    if (m->bytes) return is_hidden ? (uint8_t)lround(m->mean[c]) : ((const uint8_t *)x)[i];
    const double v = is_hidden ? m->mean[c] : (double)((const float *)x)[i];
    return (uint8_t)fmin(255,
                         fmax(0, floor(255 * ((v - m->mean[c]) / (6 * m->sd[c]) + 0.5) + 0.5)));
}

/* Three channels are red, green, blue; otherwise the first one is shown in grey. */
static void sheet_image(struct sheet *s, const struct modality *m, const struct pane *p, size_t x,
                        size_t y, const void *image) {
    for (size_t j = 0; j < p->w * p->h; j++) {
        const size_t px = j % p->w / p->zoom * p->step, py = j / p->w / p->zoom * p->step;
        const size_t i = (py * m->W + px) * m->C, rgb = m->C == 3;
        const uint8_t dot[3] = {shade(m, image, i), shade(m, image, i + rgb),
                                shade(m, image, i + 2 * rgb)};
        sheet_dot(s, x + j % p->w, y + j / p->w, dot);
    }
}

static void token_text(struct text *t, const struct dataset *d, const struct modality *m,
                       size_t token) {
    const bool is_hint = m->has_hint && token >= m->hint_first && token < m->hint_first + d->K;
    if (is_hint)
        text_add(t, "=%s", d->class_names[token - m->hint_first]);
    else if (token)
        text_add(t, "%zu", token);
    else
        text_add(t, "-");
}

static void sheet_tokens(struct sheet *s, const struct dataset *d, const struct modality *m,
                         const struct pane *p, size_t x, size_t y, const float *token) {
    for (size_t line = 0, i = 0; line < p->lines; line++) {
        struct text t = {0};
        for (size_t k = 0; k < p->per_line && i < m->W; k++, i++) {
            if (k) text_add(&t, " ");
            token_text(&t, d, m, (size_t)token[i]);
        }
        sheet_text(s, x, y + line * FONT_HEIGHT, 1, p->w, t.data);
        free(text_take(&t));
    }
}

/* ---- layout ---------------------------------------------------------------------------------- */

static struct pane picture_pane(const struct modality *m) {
    const size_t side = m->H > m->W ? m->H : m->W;
    struct pane p = {.zoom = side < SHOWN ? SHOWN / side : 1,
                     .step = (side + THINNED - 1) / THINNED};
    p.w = (m->W + p.step - 1) / p.step * p.zoom;
    p.h = (m->H + p.step - 1) / p.step * p.zoom;
    return p;
}

static struct pane tokens_pane(const struct modality *m, size_t width) {
    size_t digits = 2; /* of the longest number, and a space */
    for (size_t n = m->tokens; n > 10; n /= 10) digits++;
    const size_t room = (width + FONT_WIDTH) / FONT_WIDTH / digits;
    struct pane p = {.w = width, .per_line = room ? room : 1};
    p.lines = (m->W + p.per_line - 1) / p.per_line;
    return p;
}

/* The first example of each class, as far as there is room. */
static void columns_choose(struct layout *l) {
    const struct examples *x = &l->data->train;
    for (size_t c = 0; c < l->data->K && l->columns < COLUMNS_MAX; c++) {
        size_t i = 0;
        while (i < x->n && (size_t)x->label[i] != c) i++;
        if (i < x->n) l->column[l->columns++] = i;
    }
}

static struct layout layout_of(const struct dataset *d) {
    struct layout l = {.data = d, .w = SHOWN};
    l.row = TITLE * FONT_HEIGHT + GAP + FONT_HEIGHT + 2 * GAP;
    for (size_t m = 0; m < d->modalities_n; m++) {
        if (d->modality[m].kind == MODALITY_TOKENS) continue;
        l.pane[m] = picture_pane(&d->modality[m]);
        if (l.pane[m].w > l.w) l.w = l.pane[m].w;
        l.row += l.pane[m].h + GAP / 2;
    }
    for (size_t m = 0; m < d->modalities_n; m++) {
        if (d->modality[m].kind != MODALITY_TOKENS) continue;
        l.pane[m] = tokens_pane(&d->modality[m], l.w);
        l.row += l.pane[m].lines * FONT_HEIGHT;
    }
    columns_choose(&l);
    return l;
}

/* ---- rows ------------------------------------------------------------------------------------ */

/* "blur factor 4 kernel pil": the type and its own parameters, what it spoils where that is a
 * question, and severity where not full. */
static char *row_title(const struct config *c, const struct dataset *d, size_t i) {
    const struct deficit *type = c->deficit_types[i];
    const struct settings *s = &c->deficits[i];
    const int m = deficit_modality(c, d, i);
    const bool is_aimed = m != TARGET_NONE && (!type->uses || type->uses(s, "modality"));
    struct text t = {0};
    text_add(&t, "%s", type->name);
    if (is_aimed && d->modalities_n > 1) text_add(&t, " of %s", d->modality[m].name);
    for (const struct param *p = type->params; p->name; p++)
        if (settings_is_set(s, p->name) && (!type->uses || type->uses(s, p->name)))
            text_add(&t, " %s %s", p->name, settings_find(s, p->name)->text);
    if (settings_real(s, "severity") < 1)
        text_add(&t, " severity %s", settings_find(s, "severity")->text);
    return text_take(&t);
}

/* "clean", with the order of the modalities in a column when there are several. */
static char *clean_title(const struct dataset *d) {
    struct text t = {0};
    text_add(&t, "clean");
    for (size_t m = 0; m < d->modalities_n && d->modalities_n > 1; m++)
        text_add(&t, "%s%s", m ? ", " : ": ", d->modality[m].name);
    return text_take(&t);
}

static void sheet_example(struct sheet *s, size_t x, size_t y, const struct layout *l,
                          const struct config *c, const struct view *v, size_t example,
                          void *scratch) {
    const struct dataset *d = l->data;
    for (size_t m = 0; m < d->modalities_n; m++) {
        if (l->pane[m].lines) continue;
        sheet_image(s, &d->modality[m], &l->pane[m], x, y,
                    view_example(v, c, m, example, 0, scratch));
        y += l->pane[m].h + GAP / 2;
    }
    for (size_t m = 0; m < d->modalities_n; m++) {
        if (!l->pane[m].lines) continue;
        sheet_tokens(s, d, &d->modality[m], &l->pane[m], x, y,
                     view_example(v, c, m, example, 0, scratch));
        y += l->pane[m].lines * FONT_HEIGHT;
    }
    if (!d->has_targets)
        sheet_text(s, x, y, 1, l->w, d->class_names[view_epoch_label(v, c, example, 0)]);
}

/* The examples under these severities. */
static int sheet_row(struct sheet *s, size_t y, const struct layout *l, const struct config *c,
                     const double severity[CONFIG_DEFICITS], const char *title, struct error *e) {
    struct view v = {0};
    void *scratch = malloc(view_scratch(c, l->data));
    if (!scratch) return error_set(e, STATUS_FAILED, "out of memory");
    int status = view_make_lazy(&v, c, l->data, &l->data->train, severity, e);
    sheet_text(s, GAP, y, TITLE, s->W - GAP, title);
    y += TITLE * FONT_HEIGHT + GAP;
    for (size_t k = 0; k < l->columns && !status; k++)
        sheet_example(s, GAP + k * (l->w + GAP), y, l, c, &v, l->column[k], scratch);
    view_free(&v);
    free(scratch);
    return status;
}

static int sheet_draw(struct sheet *s, const struct layout *l, const struct config *c,
                      struct error *e) {
    const double none[CONFIG_DEFICITS] = {0};
    char *title = clean_title(l->data);
    int status = sheet_row(s, GAP, l, c, none, title, e);
    free(title);
    for (size_t i = 0; i < c->deficits_n && !status; i++) {
        double severity[CONFIG_DEFICITS] = {0};
        severity[i] = settings_real(&c->deficits[i], "severity");
        title = row_title(c, l->data, i);
        status = sheet_row(s, GAP + (i + 1) * l->row, l, c, severity, title, e);
        free(title);
    }
    return status;
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

int preview_write(const char *png_path, const struct config *c, const struct dataset *d,
                  struct error *e) {
    const struct layout l = layout_of(d);
    struct sheet s = {.W = GAP + l.columns * (l.w + GAP), .H = GAP + (1 + c->deficits_n) * l.row};
    s.rgb = malloc(s.W * s.H * 3);
    if (!s.rgb) return error_set(e, STATUS_FAILED, "out of memory");
    memset(s.rgb, PAPER, s.W * s.H * 3);
    int status = sheet_draw(&s, &l, c, e);
    if (!status) status = sheet_write(&s, png_path, e);
    free(s.rgb);
    return status;
}
