/* Images to train on: see images.h.
 *
 *   pixel = 128 + 40 sin(2 pi (u_k h + v_k w) / 32 + channel) + 30 N(0, 1),   u_k = 1 + k, v_k = 3 k mod 7
 *
 * The trap: images of noise alone would be learned by heart, and both sides would run into losses of
 * 0 and denormal gradients, which are slow. */
#include "bench/images.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/h5.h"
#include "base/rng.h"

enum { PATH = 4096 };

static void draw_one(const struct images_spec *s, struct rng *rng, size_t k, uint8_t *x) {
    const double turn = 2 * 3.14159265358979323846 / 32;
    const double u = (double)(1 + k), v = (double)(3 * k % 7);
    for (size_t h = 0; h < s->H; h++)
        for (size_t w = 0; w < s->W; w++)
            for (size_t c = 0; c < s->C; c++) {
                double wave = sin(turn * (u * (double)h + v * (double)w) + (double)c);
                double level = 128 + 40 * wave + 30 * rng_normal(rng);
                *x++ = (uint8_t)fmin(255, fmax(0, level));
            }
}

static void draw(const struct images_spec *s, uint32_t part, size_t n, uint8_t *x, uint8_t *label) {
    const size_t size = s->H * s->W * s->C;
    for (size_t i = 0; i < n; i++) {
        struct rng rng = rng_stream(1, "bench", part, (uint32_t)i);
        label[i] = (uint8_t)(i % s->K);
        draw_one(s, &rng, label[i], x + i * size);
    }
}

static int put_h5(const struct images_spec *s, const char *path, const uint8_t *x,
                  const uint8_t *label, struct error *e) {
    static const char *const images[] = {"n", "h", "w", "c"}, *const tests[] = {"m", "h", "w", "c"};
    char name[PATH];
    snprintf(name, sizeof name, "%s.h5", path);
    struct h5_writer *w = h5_create(name);
    h5_put_dimension(w, "n", s->train);
    h5_put_dimension(w, "m", s->test);
    h5_put_dimension(w, "h", s->H);
    h5_put_dimension(w, "w", s->W);
    h5_put_dimension(w, "c", s->C);
    h5_put_bytes(w, "images", x, 4, images, NULL);
    h5_put_bytes(w, "test_images", x + s->train * s->H * s->W * s->C, 4, tests, NULL);
    h5_put_bytes(w, "labels", label, 1, images, NULL);
    h5_put_bytes(w, "test_labels", label + s->train, 1, tests, NULL);
    return h5_commit(w, false, e);
}

static int put_bin(const char *path, const uint8_t *bytes, size_t n, struct error *e) {
    char name[PATH];
    snprintf(name, sizeof name, "%s.bin", path);
    FILE *f = fopen(name, "wb");
    if (!f) return error_set(e, STATUS_FAILED, "%s: cannot be written", name);
    bool whole = fwrite(bytes, 1, n, f) == n;
    whole = fclose(f) == 0 && whole;
    return whole ? STATUS_OK : error_set(e, STATUS_FAILED, "%s: not written to the end", name);
}

int images_save(const struct images_spec *s, const char *path, struct error *e) {
    const size_t n = s->train + s->test, size = s->H * s->W * s->C;
    uint8_t *x = malloc(n * (size + 1));
    if (!x) return error_set(e, STATUS_FAILED, "bench: no memory for %zu images", n);
    uint8_t *label = x + n * size;
    draw(s, 0, s->train, x, label);
    draw(s, 1, s->test, x + s->train * size, label + s->train);
    int status = put_h5(s, path, x, label, e);
    if (!status) status = put_bin(path, x, n * (size + 1), e);
    free(x);
    return status;
}
