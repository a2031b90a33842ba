/* Deficits: properties over the registry, blur against numbers that Pillow, torch and SciPy made. */
#include <math.h>
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "deficits/deficit.h"
#include "sim/data.h"
#include "tests/fixtures/blur.h"

enum { K = 10, SEED = 7 };

static const struct modality rgb_bytes = {.name = "image",
                                          .H = 32,
                                          .W = 32,
                                          .C = 3,
                                          .bytes = true,
                                          .mean = {125, 123, 114},
                                          .sd = {63, 62, 67}};
static const struct modality grey_floats = {
    .name = "image", .H = 12, .W = 8, .C = 1, .bytes = false, .mean = {0.9}, .sd = {0.5}};

/* Tokens 17 + k are hints at class k. */
enum { SLOTS = 6, HINT_SLOT = 5, HINT_FIRST = 17, TOKENS = HINT_FIRST + K };
static const struct modality question = {.name = "text",
                                         .kind = MODALITY_TOKENS,
                                         .H = 1,
                                         .W = SLOTS,
                                         .C = 1,
                                         .tokens = TOKENS,
                                         .has_hint = true,
                                         .hint_slot = HINT_SLOT,
                                         .hint_first = HINT_FIRST,
                                         .sd = {1}};
static const struct modality features = {.name = "features",
                                         .kind = MODALITY_FEATURES,
                                         .H = 1,
                                         .W = 20,
                                         .C = 1,
                                         .mean = {-0.4},
                                         .sd = {2}};

static const struct modality *const modalities[] = {&rgb_bytes, &grey_floats, &question, &features};
enum { MODALITIES = sizeof modalities / sizeof *modalities };

/* Four kinds of questions; the last has one answer alone. */
static const uint8_t groups[K] = {0, 0, 0, 0, 1, 1, 1, 2, 2, 3};

/* The formula of make_blur.py. */
static int pixel(size_t y, size_t x, size_t c) {
    size_t ramp = 5 * x + 3 * y + 40 * c, squares = 90 * ((x / 3 + y / 5 + c) % 2);
    return (int)((ramp + squares + x * y * (c + 1) % 37) % 256);
}

static void *image_create(const struct modality *m) {
    void *x = malloc(modality_bytes(m));
    assert_non_null(x);
    for (size_t i = 0; i < modality_size(m); i++) {
        int v = pixel(i / m->C / m->W, i / m->C % m->W, i % m->C);
        if (m->bytes)
            ((uint8_t *)x)[i] = (uint8_t)v;
        else if (m->kind == MODALITY_TOKENS)
            ((float *)x)[i] = (float)(i == HINT_SLOT ? 0 : 1 + v % (HINT_FIRST - 1));
        else
            ((float *)x)[i] = (float)v / 100;
    }
    return x;
}

static double value(const struct modality *m, const void *x, size_t i) {
    return m->bytes ? ((const uint8_t *)x)[i] : (double)((const float *)x)[i];
}

static struct settings settings_of(const struct deficit *d, const char *key, const char *text) {
    struct settings s;
    struct error e = {0};
    settings_init(&s, deficit_common_params, d->params);
    if (key && settings_set(&s, key, text, &e)) fail_msg("%s", e.text);
    return s;
}

static void set(struct settings *s, const char *key, const char *text) {
    struct error e = {0};
    if (settings_set(s, key, text, &e)) fail_msg("%s", e.text);
}

static bool same_bytes(const void *a, const void *b, size_t n) {
    return memcmp(a, b, n) == 0;
}

static struct deficit_context context(const struct modality *m, uint32_t index, double severity) {
    return (struct deficit_context){.modality = m,
                                    .K = K,
                                    .class_group = groups,
                                    .label = (int32_t)(index % K),
                                    .seed = SEED,
                                    .epoch = 0,
                                    .index = index,
                                    .severity = severity};
}

static void spoil(const struct deficit *d, const struct settings *s,
                  const struct deficit_context *c, void *x) {
    void *scratch = malloc(d->scratch ? d->scratch(s, c->modality) : 1);
    assert_non_null(scratch);
    d->spoil(s, c, x, scratch);
    free(scratch);
}

/* The i-th of a deficit's variants: its defaults, then each choice it has. False when there is no more. */
static bool variant(const struct deficit *d, size_t i, struct settings *s) {
    *s = settings_of(d, NULL, NULL);
    if (i == 0) return true;
    for (const struct param *p = d->params; p->name; p++) {
        char choices[200], *rest = NULL;
        if (p->type != PARAM_CHOICE) continue;
        snprintf(choices, sizeof choices, "%s", p->choices);
        for (char *t = strtok_r(choices, "|", &rest); t; t = strtok_r(NULL, "|", &rest))
            if (--i == 0) {
                set(s, p->name, t);
                if (strcmp(t, "gaussian") == 0 && settings_find(s, "sigma")) set(s, "sigma", "2.0");
                return true;
            }
    }
    settings_free(s);
    return false;
}

/* Does this variant spoil this modality, and not swap whole examples alone? */
static bool is_subject(const struct deficit *d, const struct settings *s,
                       const struct modality *m) {
    const unsigned kinds[] = {TAKES_IMAGES, TAKES_TOKENS, TAKES_FEATURES};
    if (!d->spoil || !(d->takes & kinds[m->kind])) return false;
    if (settings_find(s, "mode") && settings_is(s, "mode", "skew")) return false;
    return !d->check || !d->check(s, m, K, NULL);
}

/* Call `property` for every deficit of inputs, variant and modality. */
static void for_every_spoiling_deficit(void (*property)(const struct deficit *,
                                                        const struct settings *,
                                                        const struct modality *)) {
    size_t n, calls = 0;
    const struct deficit *const *list = deficit_list(&n);
    for (size_t i = 0; i < n; i++) {
        struct settings s;
        for (size_t v = 0; variant(list[i], v, &s); v++) {
            for (size_t m = 0; m < MODALITIES; m++) {
                if (!is_subject(list[i], &s, modalities[m])) continue;
                property(list[i], &s, modalities[m]);
                calls++;
            }
            settings_free(&s);
        }
    }
    /* blur and vflip on bytes and floats, noise on features too, hints, modality_off on all four but
     * for tokens without a mean */
    assert_true(calls >= 2 * (5 + 1) + 3 * 3 + 2 + 4 * 4 - 1);
}

static void every_deficit_is_found_by_its_name(void **state) {
    size_t n;
    const struct deficit *const *list = deficit_list(&n);
    (void)state;
    assert_true(n >= 6);
    for (size_t i = 0; i < n; i++) {
        assert_ptr_equal(deficit_find(list[i]->name), list[i]);
        const bool of_modality = list[i]->spoil || list[i]->targets || list[i]->gradients;
        assert_true(of_modality || list[i]->label);
        assert_true(deficit_of_examples(list[i]) || list[i]->gradients);
        assert_true(!list[i]->takes || of_modality);
        assert_true(list[i]->takes || (!list[i]->spoil && !list[i]->gradients));
        assert_true(strlen(list[i]->doc) > 10);
    }
    assert_null(deficit_find("no such deficit"));
}

static void check_repeats(const struct deficit *d, const struct settings *s,
                          const struct modality *m) {
    void *a = image_create(m), *b = image_create(m);
    struct deficit_context c = context(m, 5, 0.7);
    spoil(d, s, &c, a);
    spoil(d, s, &c, b);
    assert_memory_equal(a, b, modality_bytes(m));
    free(a);
    free(b);
}

static void same_seed_gives_the_same_example(void **state) {
    (void)state;
    for_every_spoiling_deficit(check_repeats);
}

/* One unit of the blend is 2^-40 of the distance (at most 255): no byte moves, a float by less than
 * its own rounding (2^-24 of values up to 3) or the blend, 3e-10. */
static void check_vanishes(const struct deficit *d, const struct settings *s,
                           const struct modality *m) {
    void *clean = image_create(m), *x = image_create(m);
    struct deficit_context c = context(m, 5, ldexp(1, -40));
    spoil(d, s, &c, x);
    for (size_t i = 0; i < modality_size(m); i++)
        if (fabs(value(m, x, i) - value(m, clean, i)) > (m->bytes ? 0 : 3e-7))
            fail_msg("%s: pixel %zu moved", d->name, i);
    free(clean);
    free(x);
}

static void a_vanishing_severity_changes_nothing(void **state) {
    (void)state;
    for_every_spoiling_deficit(check_vanishes);
}

static void check_spoils(const struct deficit *d, const struct settings *s,
                         const struct modality *m) {
    void *clean = image_create(m), *x = image_create(m);
    struct deficit_context c = context(m, 5, 1);
    spoil(d, s, &c, x);
    assert_memory_not_equal(clean, x, modality_bytes(m));
    free(clean);
    free(x);
}

static void every_deficit_of_inputs_spoils_them(void **state) {
    (void)state;
    for_every_spoiling_deficit(check_spoils);
}

static void check_stays_finite(const struct deficit *d, const struct settings *s,
                               const struct modality *m) {
    void *x = image_create(m);
    for (uint32_t index = 0; index < 20; index++) {
        struct deficit_context c = context(m, index, 1);
        spoil(d, s, &c, x);
    }
    for (size_t i = 0; i < modality_size(m); i++) {
        const double v = value(m, x, i);
        assert_true(isfinite(v));
        if (m->kind == MODALITY_TOKENS) assert_true(v >= 0 && v < TOKENS && floor(v) == v);
    }
    free(x);
}

static void spoiled_examples_stay_finite(void **state) {
    (void)state;
    for_every_spoiling_deficit(check_stays_finite);
}

static void check_labels(const struct deficit *d, const struct settings *s) {
    struct deficit_context c = context(NULL, 0, 0.5);
    for (uint32_t i = 0; i < 1000; i++) {
        c.index = i;
        int32_t label = d->label(s, &c, (int32_t)(i % K));
        assert_in_range(label, 0, K - 1);
        assert_int_equal(label, d->label(s, &c, (int32_t)(i % K)));
    }
}

static void every_deficit_of_labels_repeats_and_stays_in_range(void **state) {
    size_t n;
    const struct deficit *const *list = deficit_list(&n);
    struct settings s;
    (void)state;
    for (size_t i = 0; i < n; i++)
        for (size_t v = 0; list[i]->label && variant(list[i], v, &s); v++) {
            check_labels(list[i], &s);
            settings_free(&s);
        }
}

static struct settings blur_of(const char *kernel, const char *key, const char *text) {
    struct settings s = settings_of(deficit_find("blur"), key, text);
    set(&s, "kernel", kernel);
    return s;
}

static void assert_pil(size_t H, size_t W, size_t C, const char *factor, const uint8_t *expected) {
    const struct modality m = {.name = "image", .H = H, .W = W, .C = C, .bytes = true};
    struct settings s = blur_of("pil", "factor", factor);
    struct deficit_context c = context(&m, 0, 1);
    uint8_t *x = image_create(&m);
    spoil(deficit_find("blur"), &s, &c, x);
    assert_memory_equal(x, expected, modality_bytes(&m));
    free(x);
    settings_free(&s);
}

static void blur_of_bytes_is_exactly_that_of_pillow(void **state) {
    (void)state;
    assert_pil(32, 32, 3, "4", pil_32x32x3_factor_4);
    assert_pil(24, 32, 3, "2", pil_24x32x3_factor_2);
    assert_pil(28, 28, 1, "4", pil_28x28x1_factor_4);
    assert_pil(28, 28, 1, "3", pil_28x28x1_factor_3);
}

/* Values up to 2.55: input and output are floats (2^-24 relative, each once; Pillow's also between
 * its four passes), so 6 * 2.55 * 2^-24 = 9e-7. */
static void assert_blur(const char *kernel, const char *key, const char *text,
                        const double *expected) {
    struct settings s = blur_of(kernel, key, text);
    struct deficit_context c = context(&grey_floats, 0, 1);
    float *x = image_create(&grey_floats);
    spoil(deficit_find("blur"), &s, &c, x);
    for (size_t i = 0; i < modality_size(&grey_floats); i++)
        if (fabs((double)x[i] - expected[i]) > 9e-7)
            fail_msg("%s, pixel %zu: %.9g, expected %.9g", kernel, i, (double)x[i], expected[i]);
    free(x);
    settings_free(&s);
}

static void blur_of_floats_agrees_with_pillow_torch_and_scipy(void **state) {
    (void)state;
    assert_blur("pil", "factor", "4", pil_float_12x8_factor_4);
    assert_blur("area", "factor", "4", area_12x8_factor_4);
    assert_blur("nearest-taps", "factor", "4", nearest_taps_12x8_factor_4);
    assert_blur("nearest-taps", "factor", "2", nearest_taps_12x8_factor_2);
    assert_blur("gaussian", "sigma", "1.5", gaussian_12x8_sigma_1_5);
}

static void assert_identity(const char *kernel, const char *key, const char *text) {
    struct settings s = blur_of(kernel, key, text);
    const struct deficit *blur = deficit_find("blur");
    assert_true(blur->is_identity(&s));
    for (size_t m = 0; m < 2; m++) {
        void *clean = image_create(modalities[m]), *x = image_create(modalities[m]);
        struct deficit_context c = context(modalities[m], 0, 1);
        spoil(blur, &s, &c, x);
        assert_memory_equal(clean, x, modality_bytes(modalities[m]));
        free(clean);
        free(x);
    }
    settings_free(&s);
}

static void blur_with_factor_1_changes_nothing(void **state) {
    (void)state;
    assert_identity("pil", "factor", "1");
    assert_identity("area", "factor", "1");
    assert_identity("nearest-taps", "factor", "1");
    assert_identity("gaussian", "sigma", "0");
    struct settings s = blur_of("pil", "factor", "1.5");
    assert_false(deficit_find("blur")->is_identity(&s));
    settings_free(&s);
}

static const char *const blur_kernels[] = {"pil", "area", "nearest-taps", "gaussian"};

static struct settings blur_variant(size_t i) {
    const bool gaussian = strcmp(blur_kernels[i], "gaussian") == 0;
    return blur_of(blur_kernels[i], gaussian ? "sigma" : "factor", gaussian ? "2.5" : "4");
}

/* blur(a + 2 b) = blur(a) + 2 blur(b) to float rounding: values up to 8, three roundings, 2^-24:
 * 8 * 4 * 2^-24 = 2e-6. */
static void blur_of_floats_is_linear(void **state) {
    const struct modality *m = &grey_floats;
    const size_t n = modality_size(m);
    (void)state;
    for (size_t k = 0; k < 4; k++) {
        struct settings s = blur_variant(k);
        struct deficit_context c = context(m, 0, 1);
        float *a = image_create(m), *b = image_create(m), *sum = image_create(m);
        for (size_t i = 0; i < n; i++) {
            b[i] = (float)sin((double)i);
            sum[i] = a[i] + 2 * b[i];
        }
        spoil(deficit_find("blur"), &s, &c, a);
        spoil(deficit_find("blur"), &s, &c, b);
        spoil(deficit_find("blur"), &s, &c, sum);
        for (size_t i = 0; i < n; i++) assert_true(fabsf(sum[i] - a[i] - 2 * b[i]) < 2e-6f);
        free(a);
        free(b);
        free(sum);
        settings_free(&s);
    }
}

static void blur_keeps_a_constant_image(void **state) {
    (void)state;
    for (size_t k = 0; k < 4; k++) {
        struct settings s = blur_variant(k);
        struct deficit_context bytes = context(&rgb_bytes, 0, 1);
        struct deficit_context floats = context(&grey_floats, 0, 1);
        uint8_t *b = image_create(&rgb_bytes);
        float *f = image_create(&grey_floats);
        memset(b, 201, modality_bytes(&rgb_bytes));
        for (size_t i = 0; i < modality_size(&grey_floats); i++) f[i] = 0.3f;
        spoil(deficit_find("blur"), &s, &bytes, b);
        spoil(deficit_find("blur"), &s, &floats, f);
        for (size_t i = 0; i < modality_size(&rgb_bytes); i++) assert_int_equal(b[i], 201);
        for (size_t i = 0; i < modality_size(&grey_floats); i++)
            assert_true(fabsf(f[i] - 0.3f) <= 0.3f * 1.2e-7f); /* one rounding to float */
        free(b);
        free(f);
        settings_free(&s);
    }
}

static void half_severity_of_blur_is_half_way(void **state) {
    const struct modality *m = &rgb_bytes;
    struct settings s = blur_variant(0);
    struct deficit_context full = context(m, 0, 1), half = context(m, 0, 0.5);
    uint8_t *clean = image_create(m), *a = image_create(m), *b = image_create(m);
    (void)state;
    spoil(deficit_find("blur"), &s, &full, a);
    spoil(deficit_find("blur"), &s, &half, b);
    for (size_t i = 0; i < modality_size(m); i++)
        assert_int_equal(b[i], (clean[i] + a[i] + 1) / 2); /* halves go up */
    free(clean);
    free(a);
    free(b);
    settings_free(&s);
}

static void vflip_turns_the_rows_around_and_twice_is_nothing(void **state) {
    const struct modality *m = &grey_floats;
    struct settings s = settings_of(deficit_find("vflip"), NULL, NULL);
    struct deficit_context c = context(m, 3, 1);
    float *clean = image_create(m), *x = image_create(m);
    (void)state;
    spoil(deficit_find("vflip"), &s, &c, x);
    for (size_t y = 0; y < m->H; y++)
        assert_memory_equal(x + y * m->W, clean + (m->H - 1 - y) * m->W, m->W * sizeof *x);
    spoil(deficit_find("vflip"), &s, &c, x);
    assert_memory_equal(x, clean, modality_bytes(m));
    free(clean);
    free(x);
    settings_free(&s);
}

static size_t flipped(double severity, size_t n, uint8_t *which) {
    const struct modality *m = &grey_floats;
    struct settings s = settings_of(deficit_find("vflip"), NULL, NULL);
    float *clean = image_create(m);
    size_t count = 0;
    for (uint32_t i = 0; i < n; i++) {
        float *x = image_create(m);
        struct deficit_context c = context(m, i, severity);
        spoil(deficit_find("vflip"), &s, &c, x);
        which[i] = memcmp(x, clean, modality_bytes(m)) != 0;
        count += which[i];
        free(x);
    }
    free(clean);
    settings_free(&s);
    return count;
}

/* Binomial(4000, 0.3): mean 1200, s.d. 29; five of them. */
static void severity_of_vflip_is_the_fraction_of_images_and_only_adds(void **state) {
    enum { N = 4000 };
    static uint8_t some[N], more[N];
    (void)state;
    assert_in_range(flipped(0.3, N, some), 1200 - 145, 1200 + 145);
    assert_in_range(flipped(0.6, N, more), 2400 - 155, 2400 + 155);
    for (size_t i = 0; i < N; i++) assert_true(more[i] >= some[i]);
    assert_int_equal(flipped(1, N, more), N);
}

static void label_permutation_by_class_is_a_bijection_that_moves_every_class(void **state) {
    const struct deficit *d = deficit_find("label_permutation");
    struct settings s = settings_of(d, NULL, NULL);
    (void)state;
    for (uint64_t seed = 0; seed < 200; seed++) {
        size_t count[K] = {0};
        struct deficit_context c = context(NULL, (uint32_t)seed, 1);
        c.seed = seed;
        for (int32_t y = 0; y < K; y++) {
            int32_t to = d->label(&s, &c, y);
            assert_int_not_equal(to, y);
            count[to]++;
        }
        for (size_t k = 0; k < K; k++) assert_int_equal(count[k], 1); /* label counts are kept */
    }
    settings_free(&s);
}

static void label_permutation_by_class_is_the_same_for_every_image_and_epoch(void **state) {
    const struct deficit *d = deficit_find("label_permutation");
    struct settings s = settings_of(d, NULL, NULL);
    struct deficit_context c = context(NULL, 0, 1);
    const int32_t first = d->label(&s, &c, 4);
    (void)state;
    assert_null(d->is_fresh);
    for (c.index = 0; c.index < 500; c.index++) assert_int_equal(d->label(&s, &c, 4), first);
    settings_free(&s);
}

static void label_permutation_depends_on_the_seed(void **state) {
    const struct deficit *d = deficit_find("label_permutation");
    struct settings s = settings_of(d, NULL, NULL);
    size_t different = 0;
    (void)state;
    for (int32_t y = 0; y < K; y++) {
        struct deficit_context a = context(NULL, 0, 1), b = context(NULL, 0, 1);
        b.seed = SEED + 1;
        different += d->label(&s, &a, y) != d->label(&s, &b, y);
    }
    assert_true(different >= 1);
    settings_free(&s);
}

/* Each label has 1 of 10 with 20,000 draws: 2000 +- 5 * 42. */
static void labels_by_image_are_uniform_whatever_the_true_one(void **state) {
    const struct deficit *d = deficit_find("label_permutation");
    struct settings s = settings_of(d, "scope", "image");
    struct deficit_context c = context(NULL, 0, 1);
    size_t count[K] = {0};
    (void)state;
    for (c.index = 0; c.index < 20000; c.index++) count[d->label(&s, &c, 3)]++;
    for (size_t k = 0; k < K; k++) assert_in_range(count[k], 2000 - 212, 2000 + 212);
    settings_free(&s);
}

struct moments {
    double mean, sd, low, high;
};

static struct moments noise_moments(const struct modality *m, const char *distribution, size_t c,
                                    size_t images) {
    const struct deficit *d = deficit_find("noise");
    struct settings s = settings_of(d, "distribution", distribution);
    double sum = 0, squares = 0, low = INFINITY, high = -INFINITY, n = 0;
    for (uint32_t i = 0; i < images; i++) {
        void *x = image_create(m);
        struct deficit_context k = context(m, i, 1);
        spoil(d, &s, &k, x);
        for (size_t j = c; j < modality_size(m); j += m->C, n++) {
            double v = value(m, x, j);
            sum += v;
            squares += v * v;
            low = fmin(low, v);
            high = fmax(high, v);
        }
        free(x);
    }
    settings_free(&s);
    return (struct moments){sum / n, sqrt(squares / n - sum / n * (sum / n)), low, high};
}

/* n values: the mean is off by 5 sd/sqrt(n), the s.d. by 5 sd/sqrt(2n) at most; clipping to 0..255
 * moves the byte's by less than 2 (mean 125, s.d. 63: 2 % of each tail lies beyond). */
static void gaussian_noise_has_the_training_mean_and_sd(void **state) {
    struct moments f = noise_moments(&grey_floats, "gaussian", 0, 400); /* n = 38400 */
    struct moments b = noise_moments(&rgb_bytes, "gaussian", 2, 40);    /* n = 40960 */
    (void)state;
    assert_true(fabs(f.mean - 0.9) < 5 * 0.5 / sqrt(38400));
    assert_true(fabs(f.sd - 0.5) < 5 * 0.5 / sqrt(2 * 38400));
    assert_true(f.high > 0.9 + 3 * 0.5 && f.low < 0.9 - 3 * 0.5);
    assert_true(fabs(b.mean - 114) < 2 + 5 * 67 / sqrt(40960));
    assert_true(fabs(b.sd - 67) < 4 + 5 * 67 / sqrt(2 * 40960));
}

static void uniform_noise_fills_its_range(void **state) {
    struct moments f = noise_moments(&grey_floats, "uniform", 0, 400);
    struct moments b = noise_moments(&rgb_bytes, "uniform", 1, 40);
    const double half = sqrt(3) * 0.5;
    (void)state;
    assert_true(f.low >= 0.9 - half - 1e-6 && f.low < 0.9 - half + 0.01);
    assert_true(f.high <= 0.9 + half + 1e-6 && f.high > 0.9 + half - 0.01);
    assert_true(fabs(f.sd - 0.5) < 5 * 0.5 / sqrt(2 * 38400));
    assert_true(b.low == 0 && b.high == 255);
    assert_true(fabs(b.mean - 127.5) < 5 * 74 / sqrt(40960));
}

static void fresh_noise_differs_between_epochs_and_fixed_noise_is_cached(void **state) {
    const struct deficit *d = deficit_find("noise");
    struct settings s = settings_of(d, NULL, NULL);
    struct deficit_context a = context(&grey_floats, 0, 1), b = a;
    void *x = image_create(&grey_floats), *y = image_create(&grey_floats);
    (void)state;
    assert_false(d->is_fresh(&s));
    set(&s, "fresh", "true");
    assert_true(d->is_fresh(&s));
    b.epoch = 1;
    spoil(d, &s, &a, x);
    spoil(d, &s, &b, y);
    assert_memory_not_equal(x, y, modality_bytes(&grey_floats));
    free(x);
    free(y);
    settings_free(&s);
}

static void noise_forgets_the_image(void **state) {
    const struct modality *m = &rgb_bytes;
    struct settings s = settings_of(deficit_find("noise"), NULL, NULL);
    struct deficit_context c = context(m, 9, 1);
    uint8_t *x = image_create(m), *y = calloc(1, modality_bytes(m));
    (void)state;
    assert_non_null(y);
    spoil(deficit_find("noise"), &s, &c, x);
    spoil(deficit_find("noise"), &s, &c, y);
    assert_memory_equal(x, y, modality_bytes(m));
    free(x);
    free(y);
    settings_free(&s);
}

/* ---- text_dominance: leak --------------------------------------------------------------------- */

/* Hints over many examples whose answer is `label`: none (K), or the class that is named. */
static void hints_count(const char *p, int32_t label, double severity, uint32_t n,
                        size_t count[K + 1]) {
    const struct deficit *d = deficit_find("text_dominance");
    struct settings s = settings_of(d, "p", p);
    float *clean = image_create(&question);
    for (size_t k = 0; k <= K; k++) count[k] = 0;
    for (uint32_t i = 0; i < n; i++) {
        struct deficit_context c = context(&question, i, severity);
        float *x = image_create(&question);
        c.label = label;
        spoil(d, &s, &c, x);
        assert_memory_equal(x, clean, HINT_SLOT * sizeof *x); /* the question stays */
        const size_t token = (size_t)x[HINT_SLOT];
        assert_true(token == 0 || (token >= HINT_FIRST && token < TOKENS));
        count[token ? token - HINT_FIRST : K]++;
        free(x);
    }
    free(clean);
    settings_free(&s);
}

/* Five s.d. of Binomial(20,000, q). */
static void assert_share(size_t count, size_t n, double q) {
    if (fabs((double)count - (double)n * q) > 5 * sqrt((double)n * q * (1 - q)) + 1e-9)
        fail_msg("%zu of %zu, expected a share of %g", count, n, q);
}

static void a_hint_is_right_with_probability_p_else_a_wrong_one_of_its_kind(void **state) {
    enum { N = 20000 };
    size_t count[K + 1];
    (void)state;
    hints_count("0.7", 2, 1, N, count); /* its kind: 0, 1, 2, 3 */
    assert_share(count[2], N, 0.7);
    for (size_t k = 0; k < 4; k++)
        if (k != 2) assert_share(count[k], N, 0.1);
    for (size_t k = 4; k <= K; k++) assert_int_equal(count[k], 0);
    hints_count("1.0", 5, 1, N, count);
    assert_int_equal(count[5], N);
    hints_count("0.0", 8, 1, N, count); /* the other one of two: always a lie */
    assert_int_equal(count[7], N);
}

static void a_kind_with_one_answer_has_no_wrong_hint(void **state) {
    enum { N = 20000 };
    size_t count[K + 1];
    (void)state;
    hints_count("0.6", 9, 1, N, count);
    assert_share(count[9], N, 0.6);
    assert_int_equal(count[K], N - count[9]);
}

static void severity_of_a_leak_is_the_fraction_with_a_hint(void **state) {
    enum { N = 20000 };
    size_t count[K + 1];
    (void)state;
    hints_count("0.5", 4, 0.3, N, count);
    assert_share(count[K], N, 0.7);
    assert_share(count[4], N, 0.15);
    assert_share(count[5], N, 0.075);
    assert_share(count[6], N, 0.075);
}

static void without_groups_every_answer_is_of_one_kind(void **state) {
    const struct deficit *d = deficit_find("text_dominance");
    struct settings s = settings_of(d, "p", "0.0");
    size_t named[K] = {0};
    (void)state;
    for (uint32_t i = 0; i < 2000; i++) {
        struct deficit_context c = context(&question, i, 1);
        float *x = image_create(&question);
        c.class_group = NULL;
        c.label = 9;
        spoil(d, &s, &c, x);
        named[(size_t)x[HINT_SLOT] - HINT_FIRST]++;
        free(x);
    }
    assert_int_equal(named[9], 0);
    for (size_t k = 0; k < 9; k++) assert_true(named[k] > 0);
    settings_free(&s);
}

static void fresh_hints_differ_between_epochs(void **state) {
    const struct deficit *d = deficit_find("text_dominance");
    struct settings s = settings_of(d, "p", "0.5");
    size_t moved = 0;
    (void)state;
    assert_false(d->is_fresh(&s));
    set(&s, "fresh", "true");
    assert_true(d->is_fresh(&s));
    for (uint32_t i = 0; i < 200; i++) {
        struct deficit_context a = context(&question, i, 1), b = a;
        float *x = image_create(&question), *y = image_create(&question);
        b.epoch = 1;
        spoil(d, &s, &a, x);
        spoil(d, &s, &b, y);
        moved += memcmp(x, y, modality_bytes(&question)) != 0;
        free(x);
        free(y);
    }
    assert_in_range(moved, 50, 150);
    set(&s, "mode", "skew");
    assert_false(d->is_fresh(&s));
    settings_free(&s);
}

/* ---- text_dominance: skew --------------------------------------------------------------------- */

/* Answers in turn: a tenth of the examples each. */
static struct examples answers_create(size_t n) {
    struct examples x = {
        .n = n, .label = malloc(n * sizeof *x.label), .index = malloc(n * sizeof *x.index)};
    assert_true(x.label && x.index);
    for (size_t i = 0; i < n; i++) {
        x.label[i] = (int32_t)(i % K);
        x.index[i] = (uint32_t)(500 + i);
    }
    return x;
}

static void answers_free(struct examples *x) {
    free(x->label);
    free(x->index);
}

static size_t stand_in(const struct settings *s, const struct examples *all, size_t i,
                       uint64_t seed, double severity) {
    struct deficit_context c = context(&question, all->index[i], severity);
    c.label = all->label[i];
    c.seed = seed;
    const size_t at = deficit_find("text_dominance")->stand_in(s, &c, all, i);
    assert_true(at < all->n);
    assert_int_equal(at, deficit_find("text_dominance")->stand_in(s, &c, all, i));
    return at;
}

static struct settings skew_of(const char *p) {
    struct settings s = settings_of(deficit_find("text_dominance"), "mode", "skew");
    set(&s, "p", p);
    return s;
}

/* The answer that takes the others' place in each kind; every kind must have exactly one. */
static void favored_find(uint64_t seed, int32_t favored[4]) {
    struct examples all = answers_create(2000);
    struct settings s = skew_of("1.0");
    for (size_t g = 0; g < 4; g++) favored[g] = -1;
    for (size_t i = 0; i < all.n; i++) {
        const int32_t label = all.label[stand_in(&s, &all, i, seed, 1)];
        const uint8_t g = groups[all.label[i]];
        assert_int_equal(groups[label], g);
        if (favored[g] < 0) favored[g] = label;
        assert_int_equal(label, favored[g]);
    }
    settings_free(&s);
    answers_free(&all);
}

/* q + (1 - q) p severity; the stand-ins are spread over those that have the answer. */
static void skew_raises_the_favored_share_of_each_kind(void **state) {
    enum { N = 20000 };
    const double p = 0.6, severity = 0.5;
    static const size_t sizes[4] = {4, 3, 2, 1};
    struct examples all = answers_create(N);
    struct settings s = skew_of("0.6");
    static uint16_t used[N];
    int32_t favored[4];
    size_t count[4] = {0}, swapped = 0, most = 0;
    (void)state;
    favored_find(SEED, favored);
    for (size_t i = 0; i < N; i++) {
        const size_t at = stand_in(&s, &all, i, SEED, severity);
        const uint8_t g = groups[all.label[i]];
        assert_int_equal(groups[all.label[at]], g);
        count[g] += all.label[at] == favored[g];
        if (at == i) continue;
        assert_int_equal(all.label[at], favored[g]);
        assert_int_not_equal(all.label[i], favored[g]);
        swapped++;
        used[at]++;
        if (used[at] > most) most = used[at];
    }
    for (size_t g = 0; g < 4; g++) {
        const size_t group = N / K * sizes[g], others = group - N / K;
        assert_share(count[g] - N / K, others ? others : 1, others ? p * severity : 0);
    }
    assert_true(swapped > 3000 && most < 12); /* about 1 a stand-in, Poisson */
    settings_free(&s);
    answers_free(&all);
}

static void skew_with_p_0_is_the_identity_and_a_lying_leak_is_not(void **state) {
    const struct deficit *d = deficit_find("text_dominance");
    struct settings skew = skew_of("0.0"), leak = settings_of(d, "p", "0.0");
    struct examples all = answers_create(1000);
    (void)state;
    assert_true(d->is_identity(&skew));
    assert_false(d->is_identity(&leak));
    for (size_t i = 0; i < all.n; i++) {
        assert_int_equal(stand_in(&skew, &all, i, SEED, 1), i);
        assert_int_equal(stand_in(&leak, &all, i, SEED, 1), i);
    }
    answers_free(&all);
    settings_free(&skew);
    settings_free(&leak);
}

static void skew_only_adds_while_severity_rises(void **state) {
    struct examples all = answers_create(2000);
    struct settings s = skew_of("0.9");
    (void)state;
    for (size_t i = 0; i < all.n; i++) {
        const size_t some = stand_in(&s, &all, i, SEED, 0.3),
                     more = stand_in(&s, &all, i, SEED, 0.8);
        assert_true(some == i || some == more);
    }
    answers_free(&all);
    settings_free(&s);
}

static void the_favored_answer_is_drawn_by_the_seed(void **state) {
    int32_t favored[4];
    size_t count[K] = {0};
    (void)state;
    for (uint64_t seed = 0; seed < 40; seed++) {
        favored_find(seed, favored);
        for (size_t g = 0; g < 4; g++) count[favored[g]]++;
    }
    for (size_t k = 0; k < K; k++) assert_true(count[k] > 0);
    assert_int_equal(count[9], 40);
}

static void a_rare_favored_answer_is_found_and_a_missing_one_changes_nothing(void **state) {
    struct examples all = answers_create(5000);
    struct settings s = skew_of("1.0");
    int32_t favored[4];
    (void)state;
    favored_find(SEED, favored);
    const int32_t rare = favored[0], other = rare == 0 ? 1 : 0;
    for (size_t i = 0; i < all.n; i++)
        if (all.label[i] == rare) all.label[i] = other;
    for (size_t i = 0; i < all.n; i++)
        if (groups[all.label[i]] == 0) assert_int_equal(stand_in(&s, &all, i, SEED, 1), i);
    all.label[4321] = rare;
    for (size_t i = 0; i < all.n; i++)
        if (groups[all.label[i]] == 0) assert_int_equal(stand_in(&s, &all, i, SEED, 1), 4321);
    answers_free(&all);
    settings_free(&s);
}

/* ---- modality_off ----------------------------------------------------------------------------- */

static struct settings off_of(const char *mode) {
    return settings_of(deficit_find("modality_off"), "mode", mode);
}

static void assert_off(const char *mode, const struct modality *m, double expected,
                       double tolerance) {
    struct settings s = off_of(mode);
    struct deficit_context c = context(m, 3, 1);
    void *x = image_create(m);
    spoil(deficit_find("modality_off"), &s, &c, x);
    for (size_t i = 0; i < modality_size(m); i++)
        assert_true(fabs(value(m, x, i) - expected -
                         (strcmp(mode, "mean") ? 0 : m->mean[i % m->C])) <= tolerance);
    free(x);
    settings_free(&s);
}

static void a_modality_that_is_off_holds_zeros_or_its_mean(void **state) {
    (void)state;
    for (size_t m = 0; m < MODALITIES; m++) assert_off("zero", modalities[m], 0, 0);
    assert_off("mean", &rgb_bytes, 0, 0.5);    /* to the nearest byte */
    assert_off("mean", &grey_floats, 0, 1e-7); /* of 0.9: a rounding to float */
    assert_off("mean", &features, 0, 1e-7);
}

static void tokens_that_are_off_are_random_ones_of_the_vocabulary(void **state) {
    enum { N = 4000 };
    struct settings s = off_of("noise");
    size_t count[TOKENS] = {0};
    (void)state;
    for (uint32_t i = 0; i < N; i++) {
        struct deficit_context c = context(&question, i, 1);
        float *x = image_create(&question);
        spoil(deficit_find("modality_off"), &s, &c, x);
        for (size_t k = 0; k < SLOTS; k++) count[(size_t)x[k]]++;
        free(x);
    }
    assert_int_equal(count[0], 0);
    for (size_t k = 1; k < TOKENS; k++) assert_share(count[k], N * SLOTS, 1.0 / (TOKENS - 1));
    settings_free(&s);
}

static void severity_of_missing_tokens_is_the_fraction_of_examples(void **state) {
    enum { N = 4000 };
    struct settings s = off_of("zero");
    float *clean = image_create(&question);
    const float empty[SLOTS] = {0};
    size_t off = 0;
    (void)state;
    for (uint32_t i = 0; i < N; i++) {
        struct deficit_context c = context(&question, i, 0.4);
        float *x = image_create(&question);
        spoil(deficit_find("modality_off"), &s, &c, x);
        const bool is_off = same_bytes(x, empty, sizeof empty);
        assert_true(is_off || same_bytes(x, clean, modality_bytes(&question)));
        off += is_off;
        free(x);
    }
    assert_share(off, N, 0.4);
    free(clean);
    settings_free(&s);
}

static void fresh_has_an_effect_on_noise_alone(void **state) {
    const struct deficit *d = deficit_find("modality_off");
    struct settings s = off_of("noise");
    (void)state;
    set(&s, "fresh", "true");
    assert_true(d->is_fresh(&s) && d->uses(&s, "fresh") && d->uses(&s, "mode"));
    set(&s, "mode", "mean");
    assert_false(d->is_fresh(&s) || d->uses(&s, "fresh"));
    settings_free(&s);
}

static void assert_refused(struct settings s, const struct deficit *d, const struct modality *m,
                           size_t classes, const char *word) {
    struct error e = {0};
    assert_int_equal(d->check(&s, m, classes, &e), STATUS_USAGE);
    assert_non_null(strstr(e.text, word));
    settings_free(&s);
}

static void impossible_parameters_are_refused(void **state) {
    const struct deficit *blur = deficit_find("blur"), *labels = deficit_find("label_permutation");
    (void)state;
    assert_refused(blur_of("area", "factor", "3"), blur, &rgb_bytes, K, "divides");
    assert_refused(blur_of("area", "factor", "2.5"), blur, &rgb_bytes, K, "divides");
    assert_refused(blur_of("pil", "factor", "33"), blur, &rgb_bytes, K, "side");
    assert_refused(blur_of("gaussian", NULL, NULL), blur, &rgb_bytes, K, "sigma");
    assert_refused(blur_of("pil", "sigma", "2.0"), blur, &rgb_bytes, K, "sigma");
    assert_refused(settings_of(labels, NULL, NULL), labels, NULL, 1, "classes");
}

static void impossible_texts_are_refused(void **state) {
    const struct deficit *dominance = deficit_find("text_dominance");
    const struct deficit *off = deficit_find("modality_off");
    struct modality plain = question, narrow = question, small = question, empty = question;
    (void)state;
    plain.has_hint = false;
    narrow.hint_slot = SLOTS;
    small.tokens = TOKENS - 1;
    empty.tokens = 1;
    assert_refused(settings_of(dominance, NULL, NULL), dominance, &plain, K, "hint slot");
    assert_refused(settings_of(dominance, NULL, NULL), dominance, &narrow, K, "slot");
    assert_refused(settings_of(dominance, NULL, NULL), dominance, &small, K, "tokens");
    assert_refused(off_of("mean"), off, &question, K, "no mean");
    assert_refused(off_of("noise"), off, &empty, K, "empty");
    struct settings skew = skew_of("0.5");
    assert_int_equal(dominance->check(&skew, &plain, K, NULL), STATUS_OK);
    settings_free(&skew);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_deficit_is_found_by_its_name),
        cmocka_unit_test(same_seed_gives_the_same_example),
        cmocka_unit_test(a_vanishing_severity_changes_nothing),
        cmocka_unit_test(every_deficit_of_inputs_spoils_them),
        cmocka_unit_test(spoiled_examples_stay_finite),
        cmocka_unit_test(every_deficit_of_labels_repeats_and_stays_in_range),
        cmocka_unit_test(blur_of_bytes_is_exactly_that_of_pillow),
        cmocka_unit_test(blur_of_floats_agrees_with_pillow_torch_and_scipy),
        cmocka_unit_test(blur_with_factor_1_changes_nothing),
        cmocka_unit_test(blur_of_floats_is_linear),
        cmocka_unit_test(blur_keeps_a_constant_image),
        cmocka_unit_test(half_severity_of_blur_is_half_way),
        cmocka_unit_test(vflip_turns_the_rows_around_and_twice_is_nothing),
        cmocka_unit_test(severity_of_vflip_is_the_fraction_of_images_and_only_adds),
        cmocka_unit_test(label_permutation_by_class_is_a_bijection_that_moves_every_class),
        cmocka_unit_test(label_permutation_by_class_is_the_same_for_every_image_and_epoch),
        cmocka_unit_test(label_permutation_depends_on_the_seed),
        cmocka_unit_test(labels_by_image_are_uniform_whatever_the_true_one),
        cmocka_unit_test(gaussian_noise_has_the_training_mean_and_sd),
        cmocka_unit_test(uniform_noise_fills_its_range),
        cmocka_unit_test(fresh_noise_differs_between_epochs_and_fixed_noise_is_cached),
        cmocka_unit_test(noise_forgets_the_image),
        cmocka_unit_test(a_hint_is_right_with_probability_p_else_a_wrong_one_of_its_kind),
        cmocka_unit_test(a_kind_with_one_answer_has_no_wrong_hint),
        cmocka_unit_test(severity_of_a_leak_is_the_fraction_with_a_hint),
        cmocka_unit_test(without_groups_every_answer_is_of_one_kind),
        cmocka_unit_test(fresh_hints_differ_between_epochs),
        cmocka_unit_test(skew_raises_the_favored_share_of_each_kind),
        cmocka_unit_test(skew_with_p_0_is_the_identity_and_a_lying_leak_is_not),
        cmocka_unit_test(skew_only_adds_while_severity_rises),
        cmocka_unit_test(the_favored_answer_is_drawn_by_the_seed),
        cmocka_unit_test(a_rare_favored_answer_is_found_and_a_missing_one_changes_nothing),
        cmocka_unit_test(a_modality_that_is_off_holds_zeros_or_its_mean),
        cmocka_unit_test(tokens_that_are_off_are_random_ones_of_the_vocabulary),
        cmocka_unit_test(severity_of_missing_tokens_is_the_fraction_of_examples),
        cmocka_unit_test(fresh_has_an_effect_on_noise_alone),
        cmocka_unit_test(impossible_parameters_are_refused),
        cmocka_unit_test(impossible_texts_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
