/* Blur, the cataract of Achille, Rovere, Soatto (2019): the image is made `factor` times smaller and
 * then large again. The same words name different filters in public code, which let through up to
 * nine times as much of the finest detail, so the kernel is explicit:
 *
 *   pil           Pillow's resize(BILINEAR), down and up: a triangle as wide as two target pixels.
 *                 On bytes bit for bit Pillow: weights in units of 2^-22, rounding to 8 bits after
 *                 the horizontal and after the vertical pass of each resize. On floats no rounding.
 *   area          means of factor x factor blocks, then bilinear up with half-pixel centres:
 *                 torch avg_pool2d + interpolate(bilinear, align_corners=False).
 *   nearest-taps  torch interpolate(bilinear, align_corners=False) down, without antialiasing (two
 *                 taps an axis: high frequencies alias), and up likewise.
 *   gaussian      Gaussian of s.d. `sigma` pixels, cut at 4 sigma, edges mirrored (d c b a|a b c d).
 *
 * Every kernel is separable: a table of taps per axis, applied along rows, then along columns. All
 * arithmetic is in double; sums of bytes times 2^-22 units are exact in it, which is what makes `pil`
 * exact. Scaling up, Pillow's triangle with its weights renormalized at the edge is torch's bilinear
 * with clamped coordinates: one table serves both. */
#include <math.h>
#include <string.h>

#include "deficits/pixels.h"
#include "sim/data.h"

/* Output i is the sum of count[i] inputs from first[i] on, times weight[i * in + ...]. */
struct taps {
    size_t in, out;
    size_t *first, *count;
    double *weight;
};

struct blur_work {
    struct taps taps;
    double *image, *pass; /* [H,W,C] each */
};

static size_t side_max(const struct modality *m) {
    return m->H > m->W ? m->H : m->W;
}

static size_t blur_scratch(const struct settings *s, const struct modality *m) {
    (void)s;
    const size_t S = side_max(m);
    return (2 * modality_size(m) + S * S) * sizeof(double) + 2 * S * sizeof(size_t);
}

static struct blur_work work_lay_out(const struct modality *m, void *scratch) {
    const size_t S = side_max(m), size = modality_size(m);
    double *p = scratch;
    struct blur_work w = {.image = p, .pass = p + size, .taps = {.weight = p + 2 * size}};
    w.taps.first = (size_t *)(void *)(w.taps.weight + S * S);
    w.taps.count = w.taps.first + S;
    return w;
}

static size_t small_side(size_t side, double factor) {
    const double small = floor((double)side / factor + 0.5);
    return small < 1 ? 1 : (size_t)small;
}

/* Pillow's precompute_coeffs: a triangle of half-width max(1, in/out) input pixels about the output
 * pixel's centre, cut at the edges and renormalized. */
static void taps_triangle(struct taps *t) {
    const double scale = (double)t->in / (double)t->out, width = scale > 1 ? scale : 1;
    for (size_t i = 0; i < t->out; i++) {
        const double centre = ((double)i + 0.5) * scale, last = centre + width + 0.5;
        const double low = centre - width + 0.5;
        const size_t first = low > 0 ? (size_t)low : 0;
        const size_t end = last < (double)t->in ? (size_t)last : t->in;
        double *weight = t->weight + i * t->in, sum = 0;
        for (size_t k = 0; k < end - first; k++) {
            double away = fabs(((double)(k + first) - centre + 0.5) * (1 / width));
            weight[k] = away < 1 ? 1 - away : 0;
            sum += weight[k];
        }
        for (size_t k = 0; k < end - first; k++) weight[k] /= sum;
        t->first[i] = first;
        t->count[i] = end - first;
    }
}

/* Means of blocks; `out` divides `in`. */
static void taps_area(struct taps *t) {
    const size_t block = t->in / t->out;
    for (size_t i = 0; i < t->out; i++) {
        t->first[i] = i * block;
        t->count[i] = block;
        for (size_t k = 0; k < block; k++) t->weight[i * t->in + k] = 1 / (double)block;
    }
}

/* torch's bilinear without antialiasing: the two inputs next to the output pixel's centre. */
static void taps_nearest(struct taps *t) {
    const double scale = (double)t->in / (double)t->out;
    for (size_t i = 0; i < t->out; i++) {
        const double at = fmax(0, ((double)i + 0.5) * scale - 0.5);
        const size_t first = (size_t)at < t->in - 1 ? (size_t)at : t->in - 1;
        const double beyond = at - (double)first;
        t->first[i] = first;
        t->count[i] = first + 1 < t->in ? 2 : 1;
        t->weight[i * t->in] = t->count[i] == 2 ? 1 - beyond : 1;
        if (t->count[i] == 2) t->weight[i * t->in + 1] = beyond;
    }
}

static size_t mirrored(ptrdiff_t i, size_t n) {
    const ptrdiff_t period = 2 * (ptrdiff_t)n;
    const ptrdiff_t j = (i % period + period) % period;
    return (size_t)(j < (ptrdiff_t)n ? j : period - 1 - j);
}

static void taps_gaussian(struct taps *t, double sigma) {
    const ptrdiff_t radius = (ptrdiff_t)ceil(4 * sigma);
    double sum = 0;
    for (ptrdiff_t k = -radius; k <= radius; k++)
        sum += exp(-(double)(k * k) / (2 * sigma * sigma));
    memset(t->weight, 0, t->in * t->out * sizeof *t->weight);
    for (size_t i = 0; i < t->out; i++) {
        t->first[i] = 0;
        t->count[i] = t->in;
        for (ptrdiff_t k = -radius; k <= radius; k++)
            t->weight[i * t->in + mirrored((ptrdiff_t)i + k, t->in)] +=
                exp(-(double)(k * k) / (2 * sigma * sigma)) / sum;
    }
}

/* Pillow's normalize_coeffs_8bpc: to the nearest 2^-22. */
static void taps_quantize(struct taps *t) {
    const double unit = 1 << 22;
    for (size_t i = 0; i < t->out; i++)
        for (size_t k = 0; k < t->count[i]; k++) {
            double *w = &t->weight[i * t->in + k];
            *w = floor(*w * unit + 0.5) / unit;
        }
}

static double to_byte(double v) {
    return fmin(255, fmax(0, floor(v + 0.5)));
}

/* Resample the middle axis of [outer, in, inner]. */
static void taps_apply(const struct taps *t, const double *x, size_t outer, size_t inner,
                       bool rounded, double *to) {
    for (size_t o = 0; o < outer; o++)
        for (size_t i = 0; i < t->out; i++)
            for (size_t j = 0; j < inner; j++) {
                const double *at = x + (o * t->in + t->first[i]) * inner + j;
                double sum = 0;
                for (size_t k = 0; k < t->count[i]; k++)
                    sum += t->weight[i * t->in + k] * at[k * inner];
                to[(o * t->out + i) * inner + j] = rounded ? to_byte(sum) : sum;
            }
}

struct kernel {
    const char *name;
    void (*down)(struct taps *t);
    bool as_pillow; /* bytes are rounded as it does */
};

static const struct kernel kernels[] = {
    {"pil", taps_triangle, true},
    {"area", taps_area, false},
    {"nearest-taps", taps_nearest, false},
};

static const struct kernel *kernel_find(const struct settings *s) {
    size_t i = 0;
    while (!settings_is(s, "kernel", kernels[i].name)) i++;
    return &kernels[i];
}

/* w->image [H,W,C] from (H0,W0) to (H,W), rows first. */
static void resize(struct blur_work *w, void (*fill)(struct taps *t), size_t H0, size_t W0,
                   size_t H, size_t W, size_t C, bool rounded) {
    w->taps.in = W0;
    w->taps.out = W;
    fill(&w->taps);
    if (rounded) taps_quantize(&w->taps);
    taps_apply(&w->taps, w->image, H0, C, rounded, w->pass);
    w->taps.in = H0;
    w->taps.out = H;
    fill(&w->taps);
    if (rounded) taps_quantize(&w->taps);
    taps_apply(&w->taps, w->pass, 1, W * C, rounded, w->image);
}

static void blur_resize(struct blur_work *w, const struct settings *s, const struct modality *m) {
    const struct kernel *kernel = kernel_find(s);
    const double factor = settings_real(s, "factor");
    const size_t h = small_side(m->H, factor), v = small_side(m->W, factor);
    const bool rounded = kernel->as_pillow && m->bytes;
    resize(w, kernel->down, m->H, m->W, h, v, m->C, rounded);
    resize(w, taps_triangle, h, v, m->H, m->W, m->C, rounded);
}

static void blur_gaussian(struct blur_work *w, double sigma, const struct modality *m) {
    w->taps.in = w->taps.out = m->W;
    taps_gaussian(&w->taps, sigma);
    taps_apply(&w->taps, w->image, m->H, m->C, false, w->pass);
    w->taps.in = w->taps.out = m->H;
    taps_gaussian(&w->taps, sigma);
    taps_apply(&w->taps, w->pass, 1, m->W * m->C, false, w->image);
}

static bool is_gaussian(const struct settings *s) {
    return settings_is(s, "kernel", "gaussian");
}

static double blur_sigma(const struct settings *s) {
    return settings_is_set(s, "sigma") ? settings_real(s, "sigma") : 0;
}

static bool blur_is_identity(const struct settings *s) {
    return is_gaussian(s) ? blur_sigma(s) <= 0 : settings_real(s, "factor") <= 1;
}

static void blur_image(const struct settings *s, const struct deficit_context *c, void *x,
                       void *scratch) {
    const struct modality *m = c->modality;
    const size_t size = modality_size(m);
    struct blur_work w = work_lay_out(m, scratch);
    if (blur_is_identity(s)) return;
    for (size_t i = 0; i < size; i++) w.image[i] = pixel_get(m, x, i);
    if (is_gaussian(s))
        blur_gaussian(&w, blur_sigma(s), m);
    else
        blur_resize(&w, s, m);
    for (size_t i = 0; i < size; i++) pixel_blend(m, x, i, c->severity, w.image[i]);
}

static int blur_check(const struct settings *s, const struct modality *m, size_t K,
                      struct error *e) {
    (void)K;
    const double factor = settings_real(s, "factor");
    if (is_gaussian(s) && !settings_is_set(s, "sigma"))
        return error_set(e, STATUS_USAGE, "sigma: kernel gaussian needs it, in pixels");
    if (!is_gaussian(s) && settings_is_set(s, "sigma"))
        return error_set(e, STATUS_USAGE, "sigma: only kernel gaussian takes it");
    if (is_gaussian(s)) return STATUS_OK;
    if (factor > (double)m->H || factor > (double)m->W)
        return error_set(e, STATUS_USAGE, "factor: %g is more than the image's side (%zux%zu)",
                         factor, m->H, m->W);
    if (settings_is(s, "kernel", "area") &&
        (fmod((double)m->H, factor) != 0 || fmod((double)m->W, factor) != 0 ||
         floor(factor) < factor))
        return error_set(e, STATUS_USAGE,
                         "factor: kernel area needs a whole number that divides the image's sides "
                         "(%zux%zu), found %g",
                         m->H, m->W, factor);
    return STATUS_OK;
}

static const struct param blur_params[] = {
    {.name = "factor",
     .type = PARAM_REAL,
     .preset = "4",
     .min = 1,
     .max = 4096,
     .unit = "1",
     .doc = "The image is made so many times smaller, then large again; 1 changes nothing; kernel "
            "gaussian takes sigma instead."},
    {.name = "kernel",
     .type = PARAM_CHOICE,
     .preset = "pil",
     .choices = "pil|area|nearest-taps|gaussian",
     .doc = "How: as Pillow's bilinear resize, by block means, by torch's bilinear without "
            "antialiasing, or a Gaussian."},
    {.name = "sigma",
     .type = PARAM_REAL,
     .preset = "~",
     .min = 0,
     .max = 1000,
     .unit = "pixels",
     .doc = "S.d. of kernel gaussian; 0 changes nothing."},
    {0},
};

static bool blur_uses(const struct settings *s, const char *param) {
    bool gaussian = settings_is(s, "kernel", "gaussian");
    if (!strcmp(param, "factor")) return !gaussian;
    return strcmp(param, "sigma") != 0 || gaussian;
}

const struct deficit deficit_blur = {
    .name = "blur",
    .doc = "Blurred images, like a cataract: detail is lost, coarse shapes stay.",
    .params = blur_params,
    .is_identity = blur_is_identity,
    .uses = blur_uses,
    .check = blur_check,
    .scratch = blur_scratch,
    .takes = TAKES_IMAGES,
    .spoil = blur_image,
};
