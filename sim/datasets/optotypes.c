/* Optotypes: an acuity chart made on the fly, on which blur takes the only reliable cue away.
 *
 * An image of class y (of 8) is the sum of
 *   a coarse cue:  a Gaussian blob in direction 2 pi k/8 + pi/8 from the centre, k = y with
 *                  probability cue_validity, else one of the other seven; it survives blur;
 *   noise:         pink noise of s.d. `clutter` and white noise of s.d. `noise`;
 *   a fine cue:    always right: a 7x7 glyph minus its mean, times `contrast`, near the centre;
 *                  0..3 a Landolt C with its gap right, up, left, down, 4..7 a tumbling E likewise.
 *
 * Pink noise is white Gaussian noise filtered by 1/|frequency| with the mean left out. In the
 * orthonormal real Fourier basis B the coefficients of white noise are themselves independent
 * N(0,1), so both noises are drawn there at once: field = B' (A o G) B with G white and
 *   A_jk^2 = clutter^2 c^2 / |frequency of (j,k)|^2 + noise^2.
 * c makes the s.d. of the pink part 1 at every pixel (of the process, not of the drawn set, so that
 * an image depends on nothing but its own stream).
 *
 * Every image has the stream (data.seed, "optotypes", split, number): a larger set begins with the
 * smaller one. */
#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "sim/datasets/pool.h"

enum {
    GLYPH = 7,
    CLASSES = 8,
    TRAIN_DEFAULT = 3000,
    TEST_DEFAULT = 2000,
    EXAMPLES_MAX = 1000000,
    TEST_INDEX = 10000000, /* of the first test example: beyond every training pool */
    SIDE_MAX = 64
};
static const double PI = 3.14159265358979323846;

struct chart {
    size_t S; /* side */
    double contrast, cue_height, cue_validity, cue_sd, cue_radius, cue_jitter;
    uint32_t jitter;
    double *basis;     /* [S][S] B: row j is a frequency */
    double *amplitude; /* [S][S] A */
    double *work;      /* [2][S][S] */
};

/* The gap points right; one quarter turn counter-clockwise each for up, left, down. */
static bool glyph_upright(size_t letter, size_t row, size_t column) {
    const size_t last = GLYPH - 1, middle = GLYPH / 2;
    if (letter == 1) return column == 0 || row == 0 || row == middle || row == last;
    bool border = row == 0 || row == last || column == 0 || column == last;
    return border && !(row == middle && column == last);
}

static bool glyph(size_t y, size_t row, size_t column) {
    for (size_t turn = 0; turn < y % 4; turn++) { /* look up where the pixel was before the turn */
        size_t before = column;
        column = GLYPH - 1 - row;
        row = before;
    }
    return glyph_upright(y / 4, row, column);
}

static void chart_add_glyph(const struct chart *c, size_t y, size_t top, size_t left, float *x) {
    double mean = 0;
    for (size_t i = 0; i < GLYPH * GLYPH; i++) mean += glyph(y, i / GLYPH, i % GLYPH);
    mean /= GLYPH * GLYPH;
    for (size_t i = 0; i < GLYPH * GLYPH; i++) {
        double ink = glyph(y, i / GLYPH, i % GLYPH) ? 1 : 0;
        x[(top + i / GLYPH) * c->S + left + i % GLYPH] += (float)(c->contrast * (ink - mean));
    }
}

static void chart_add_cue(const struct chart *c, size_t k, struct rng *r, float *x) {
    const double angle = 2 * PI * (double)k / CLASSES + PI / 8, centre = ((double)c->S - 1) / 2;
    const double cx = centre + c->cue_radius * cos(angle) + c->cue_jitter * rng_normal(r);
    const double cy = centre + c->cue_radius * sin(angle) + c->cue_jitter * rng_normal(r);
    for (size_t i = 0; i < c->S * c->S; i++) {
        double dy = (double)(i / c->S) - cy, dx = (double)(i % c->S) - cx;
        x[i] += (float)(c->cue_height * exp(-(dx * dx + dy * dy) / (2 * c->cue_sd * c->cue_sd)));
    }
}

/* to = a b, all [S][S]; `a` transposed where asked. */
static void square_product(size_t S, const double *a, bool transposed, const double *b,
                           double *to) {
    memset(to, 0, S * S * sizeof *to);
    for (size_t i = 0; i < S; i++)
        for (size_t k = 0; k < S; k++) {
            double f = transposed ? a[k * S + i] : a[i * S + k];
            for (size_t j = 0; j < S; j++) to[i * S + j] += f * b[k * S + j];
        }
}

static void chart_add_noise(const struct chart *c, struct rng *r, float *x) {
    const size_t n = c->S * c->S;
    double *spectrum = c->work, *half = c->work + n;
    for (size_t i = 0; i < n; i++) spectrum[i] = c->amplitude[i] * rng_normal(r);
    square_product(c->S, spectrum, false, c->basis, half);
    square_product(c->S, c->basis, true, half, spectrum);
    for (size_t i = 0; i < n; i++) x[i] += (float)spectrum[i];
}

/* Basis row j: the constant, then cosine and sine of 1, 2, ... cycles, and for even S the Nyquist. */
static size_t basis_cycles(size_t j) {
    return (j + 1) / 2;
}

static void basis_fill(size_t S, double *basis) {
    for (size_t j = 0; j < S; j++)
        for (size_t t = 0; t < S; t++) {
            double phase = 2 * PI * (double)(basis_cycles(j) * t % S) / (double)S;
            bool alone = j == 0 || 2 * basis_cycles(j) == S; /* its sine is zero everywhere */
            double wave = j % 2 == 1 || j == 0 ? cos(phase) : sin(phase);
            basis[j * S + t] = wave * sqrt((alone ? 1.0 : 2.0) / (double)S);
        }
}

static void amplitude_fill(size_t S, double clutter, double noise, double *amplitude) {
    double power = 0;
    for (size_t i = 0; i < S * S; i++) {
        double f = hypot((double)basis_cycles(i / S), (double)basis_cycles(i % S));
        amplitude[i] = f > 0 ? 1 / f : 0;
        power += amplitude[i] * amplitude[i];
    }
    const double pink = clutter * (double)S / sqrt(power);
    for (size_t i = 0; i < S * S; i++) amplitude[i] = hypot(pink * amplitude[i], noise);
}

static int chart_create(struct chart *c, const struct settings *s, struct error *e) {
    *c = (struct chart){.S = (size_t)settings_int(s, "size"),
                        .contrast = settings_real(s, "contrast"),
                        .cue_height = settings_real(s, "cue_height"),
                        .cue_validity = settings_real(s, "cue_validity"),
                        .cue_sd = settings_real(s, "cue_sd"),
                        .cue_radius = settings_real(s, "cue_radius"),
                        .cue_jitter = settings_real(s, "cue_jitter"),
                        .jitter = (uint32_t)settings_int(s, "jitter")};
    assert(c->S >= GLYPH && "as its parameter says");
    const size_t corner = (c->S - GLYPH) / 2, n = c->S * c->S;
    if (c->jitter > corner) {
        error_set(e, STATUS_USAGE,
                  "data.jitter: the glyph leaves the picture: with data.size %zu at most %zu "
                  "pixels fit",
                  c->S, corner);
        return STATUS_USAGE;
    }
    c->basis = malloc(4 * n * sizeof *c->basis);
    if (!c->basis) {
        error_set(e, STATUS_FAILED, "out of memory");
        return STATUS_FAILED;
    }
    c->amplitude = c->basis + n;
    c->work = c->basis + 2 * n;
    basis_fill(c->S, c->basis);
    amplitude_fill(c->S, settings_real(s, "clutter"), settings_real(s, "noise"), c->amplitude);
    return STATUS_OK;
}

static int32_t chart_label(struct rng *r) {
    return (int32_t)rng_below(r, CLASSES);
}

static void chart_draw(const struct chart *c, struct rng r, float *x) {
    const size_t y = (size_t)chart_label(&r), corner = (c->S - GLYPH) / 2;
    const bool valid = rng_uniform(&r) < c->cue_validity;
    const size_t other = (y + 1 + rng_below(&r, CLASSES - 1)) % CLASSES;
    const size_t top = corner - c->jitter + rng_below(&r, 2 * c->jitter + 1);
    const size_t left = corner - c->jitter + rng_below(&r, 2 * c->jitter + 1);
    memset(x, 0, c->S * c->S * sizeof *x);
    chart_add_cue(c, valid ? y : other, &r, x);
    chart_add_noise(c, &r, x);
    chart_add_glyph(c, y, top, left, x);
}

static struct rng chart_stream(uint64_t seed, bool test, size_t number) {
    return rng_stream(seed, "optotypes", test, number);
}

/* Labels come first, as many as the pool needs: it has no end. */
static int chart_labels(struct examples *x, const struct data_request *r, bool test, size_t want,
                        bool balance, size_t first_index, struct error *e) {
    const struct dataset labels_only = {.modalities_n = 0};
    if (want > EXAMPLES_MAX)
        return error_set(e, STATUS_USAGE, "%s: %zu optotypes wanted, at most %d can be made",
                         test ? "data.test" : "data.train", want, EXAMPLES_MAX);
    size_t n = want + 8 * (size_t)sqrt((double)want) + 256, prefix = 0;
    for (; !prefix; n *= 2) {
        examples_free(x);
        int status = examples_create(x, &labels_only, n, first_index, e);
        if (status) return status;
        for (size_t i = 0; i < n; i++) {
            struct rng stream = chart_stream(r->seed, test, i);
            x->label[i] = chart_label(&stream);
        }
        prefix = pool_prefix(x->label, n, CLASSES, want, balance);
    }
    x->n = prefix;
    return STATUS_OK;
}

static int chart_examples(const struct chart *c, const struct data_request *r, bool test,
                          size_t first_index, const struct dataset *d, struct examples *x,
                          struct error *e) {
    size_t want = test ? r->test : r->train, all = test ? TEST_DEFAULT : TRAIN_DEFAULT;
    bool balance = r->balance && want > 0;
    int status = chart_labels(x, r, test, want ? want : all, balance, first_index, e);
    if (!status) status = examples_resize(x, d, x->n, e);
    for (size_t i = 0; i < x->n && !status; i++)
        chart_draw(c, chart_stream(r->seed, test, i), (float *)x->x[0] + i * c->S * c->S);
    return status;
}

static int optotypes_read(const struct data_request *r, struct dataset *d, struct error *e) {
    static const char *const names[CLASSES] = {"C right", "C up", "C left", "C down",
                                               "E right", "E up", "E left", "E down"};
    struct chart c;
    int status = chart_create(&c, r->settings, e);
    if (!status) status = dataset_classes(d, CLASSES, names, e);
    if (!status) {
        dataset_image(d, c.S, c.S, 1, false);
        status = chart_examples(&c, r, false, 0, d, &d->train, e);
    }
    if (!status) status = chart_examples(&c, r, true, TEST_INDEX, d, &d->test, e);
    free(c.basis);
    return status;
}

static const struct param optotypes_params[] = {
    {.name = "size",
     .type = PARAM_INT,
     .preset = "20",
     .min = GLYPH,
     .max = SIDE_MAX,
     .unit = "pixels",
     .doc = "Side of the picture."},
    {.name = "contrast",
     .type = PARAM_REAL,
     .preset = "2.0",
     .min = 0,
     .max = 100,
     .unit = "1",
     .doc = "Height of the fine cue, the glyph, which is always right."},
    {.name = "jitter",
     .type = PARAM_INT,
     .preset = "3",
     .min = 0,
     .max = SIDE_MAX,
     .unit = "pixels",
     .doc = "The glyph is moved by up to so much from the centre along each axis."},
    {.name = "cue_height",
     .type = PARAM_REAL,
     .preset = "1.0",
     .min = 0,
     .max = 100,
     .unit = "1",
     .doc = "Height of the coarse cue, the blob."},
    {.name = "cue_validity",
     .type = PARAM_REAL,
     .preset = "0.6",
     .min = 0,
     .max = 1,
     .unit = "1",
     .doc = "Probability that the coarse cue shows the right class (0.125 is chance)."},
    {.name = "cue_sd",
     .type = PARAM_REAL,
     .preset = "4.0",
     .min = 0.1,
     .max = 1000,
     .unit = "pixels",
     .doc = "Width of the coarse cue (its s.d.)."},
    {.name = "cue_radius",
     .type = PARAM_REAL,
     .preset = "5.6",
     .min = 0,
     .max = 1000,
     .unit = "pixels",
     .doc = "Distance of the coarse cue from the centre."},
    {.name = "cue_jitter",
     .type = PARAM_REAL,
     .preset = "1.0",
     .min = 0,
     .max = 1000,
     .unit = "pixels",
     .doc = "S.d. of the coarse cue's place along each axis."},
    {.name = "clutter",
     .type = PARAM_REAL,
     .preset = "0.5",
     .min = 0,
     .max = 100,
     .unit = "1",
     .doc = "S.d. of the pink (1/f) noise."},
    {.name = "noise",
     .type = PARAM_REAL,
     .preset = "0.3",
     .min = 0,
     .max = 100,
     .unit = "1",
     .doc = "S.d. of the white noise."},
    {0},
};

const struct dataset_type dataset_optotypes = {
    .name = "optotypes",
    .doc =
        "An acuity chart made anew for every data.seed: Landolt C and tumbling E in clutter, with "
        "a coarse cue that is often right; 8 classes; train: 0 and test: 0 mean 3,000 and 2,000.",
    .params = optotypes_params,
    .needs_path = false,
    .flip_allowed = false,
    .read = optotypes_read,
    .source = "Nothing to get: imprint makes the images.\n",
};
