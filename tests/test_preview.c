/* The contact sheet, read back with libpng. */
#include <png.h>

#include "sim/preview.h"
#include "tests/data_files.h"

enum { GAP = 6, TITLE_AND_GAP = 2 * 8 + 6, ZOOM = 4, SHOWN = 32 * ZOOM };

/* Two images of 32x32x3 bytes, labels 0 and 1. */
static struct dataset small_set(void) {
    static const char *names[2] = {"cat", "dog"};
    struct dataset d = {.type = dataset_find("cifar10"), .modalities_n = 1, .K = 2};
    d.modality[0] = (struct modality){
        .name = "image", .H = 32, .W = 32, .C = 3, .bytes = true, .sd = {1, 1, 1}};
    d.class_names = calloc(2, sizeof *d.class_names);
    d.train = (struct examples){.n = 2,
                                .x = {calloc(2, 3072)},
                                .label = calloc(2, sizeof(int32_t)),
                                .index = calloc(2, sizeof(uint32_t))};
    for (size_t i = 0; i < 2; i++) {
        d.class_names[i] = strdup(names[i]);
        d.train.label[i] = (int32_t)i;
        d.train.index[i] = (uint32_t)i;
    }
    for (size_t i = 0; i < 2 * 3072; i++) ((uint8_t *)d.train.x[0])[i] = (uint8_t)(i * 13 % 256);
    return d;
}

struct picture {
    size_t w, h;
    uint8_t *rgb;
};

static struct picture picture_read(const char *path) {
    png_image png = {.version = PNG_IMAGE_VERSION};
    assert_true(png_image_begin_read_from_file(&png, path));
    png.format = PNG_FORMAT_RGB;
    struct picture p = {png.width, png.height, malloc(PNG_IMAGE_SIZE(png))};
    assert_true(png_image_finish_read(&png, NULL, p.rgb, 0, NULL));
    return p;
}

/* Pixel (y, x) of the image in this row and column of the sheet. */
static const uint8_t *shown(const struct picture *p, size_t row, size_t column, size_t y,
                            size_t x) {
    const size_t row_height = TITLE_AND_GAP + SHOWN + GAP / 2 + 8 + 2 * GAP;
    const size_t top = GAP + row * row_height + TITLE_AND_GAP, left = GAP + column * (SHOWN + GAP);
    return p->rgb + ((top + y * ZOOM) * p->w + left + x * ZOOM) * 3;
}

static void the_sheet_shows_each_image_clean_and_spoiled(void **state) {
    char folder[PATH_TEXT], path[2 * PATH_TEXT];
    struct dataset d = small_set();
    const struct deficit *types[2] = {deficit_find("vflip"), deficit_find("label_permutation")};
    struct settings settings[2];
    struct error e = {0};
    (void)state;
    scratch_create(folder);
    path_in(path, folder, "sheet.png");
    for (size_t i = 0; i < 2; i++)
        settings_init(&settings[i], deficit_common_params, types[i]->params);
    if (preview_write(path, &d, types, settings, 2, 1, &e)) fail_msg("%s", e.text);
    struct picture p = picture_read(path);
    assert_int_equal(p.w, GAP + 2 * (SHOWN + GAP));
    for (size_t k = 0; k < 2; k++)
        for (size_t i = 0; i < 1024; i++) {
            const uint8_t *x = (uint8_t *)d.train.x[0] + k * 3072 + i * 3;
            assert_memory_equal(shown(&p, 0, k, i / 32, i % 32), x, 3);
            assert_memory_equal(shown(&p, 1, k, 31 - i / 32, i % 32), x, 3);
            assert_memory_equal(shown(&p, 2, k, i / 32, i % 32), x, 3); /* only its name changes */
        }
    /* two classes: the permutation swaps them, so the names below change places */
    const uint8_t *cat = shown(&p, 0, 0, 32, 0), *moved = shown(&p, 2, 1, 32, 0);
    const uint8_t *dog = shown(&p, 0, 1, 32, 0);
    size_t same = 0, differ = 0;
    for (size_t y = 0; y < 3 + 8; y++) {
        same += memcmp(cat + y * p.w * 3, moved + y * p.w * 3, 18 * 3) == 0;
        differ += memcmp(cat + y * p.w * 3, dog + y * p.w * 3, 18 * 3) != 0;
    }
    assert_int_equal(same, 11);
    assert_true(differ > 0);
    free(p.rgb);
    for (size_t i = 0; i < 2; i++) settings_free(&settings[i]);
    data_free(&d);
    scratch_remove(folder);
}

static void a_sheet_that_cannot_be_written_leaves_nothing(void **state) {
    char folder[PATH_TEXT], path[2 * PATH_TEXT];
    struct dataset d = small_set();
    struct error e = {0};
    (void)state;
    scratch_create(folder);
    path_in(path, folder, "no/such/folder.png");
    assert_int_equal(preview_write(path, &d, NULL, NULL, 0, 1, &e), STATUS_FAILED);
    assert_non_null(strstr(e.text, path));
    assert_int_equal(preview_write(folder, &d, NULL, NULL, 0, 1, &e), STATUS_FAILED);
    char beside[2 * PATH_TEXT];
    snprintf(beside, sizeof beside, "%s.%ld", folder, (long)getpid());
    assert_int_not_equal(access(beside, F_OK), 0);
    data_free(&d);
    scratch_remove(folder);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_sheet_shows_each_image_clean_and_spoiled),
        cmocka_unit_test(a_sheet_that_cannot_be_written_leaves_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
