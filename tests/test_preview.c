/* The contact sheet, read back with libpng. */
#include <png.h>

#include "sim/preview.h"
#include "tests/data_files.h"

enum { GAP = 6, TITLE_AND_GAP = 2 * 8 + 6, ZOOM = 4, SHOWN = 32 * ZOOM };

/* Two images of 32x32x3 bytes, labels 0 and 1. */
static struct dataset small_set(void) {
    static const char *names[2] = {"cat", "dog"};
    struct dataset d = {.type = dataset_find("cifar10"), .modalities_n = 1, .scale = 1, .K = 2};
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

/* A config with these deficits, which says nothing true of the data. */
static struct config config_of(const char *deficits) {
    char yaml[1024];
    struct config c;
    struct error e = {0};
    snprintf(yaml, sizeof yaml,
             "data: {set: hdf5, path: none.h5}\nnet: {arch: mlp, hidden: [4]}\ndeficits: [%s]\n",
             deficits);
    if (config_parse(&c, yaml, "preview", &e)) fail_msg("%s", e.text);
    return c;
}

static struct picture sheet_of(const struct dataset *d, const char *deficits) {
    char folder[PATH_TEXT], path[2 * PATH_TEXT];
    struct config c = config_of(deficits);
    struct error e = {0};
    scratch_create(folder);
    path_in(path, folder, "sheet.png");
    if (preview_write(path, &c, d, &e)) fail_msg("%s", e.text);
    struct picture p = picture_read(path);
    config_free(&c);
    scratch_remove(folder);
    return p;
}

static void the_sheet_shows_each_image_clean_and_spoiled(void **state) {
    struct dataset d = small_set();
    struct picture p = sheet_of(&d, "{type: vflip, until: 1}, {type: label_permutation, until: 1}");
    (void)state;
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
    data_free(&d);
}

/* Two senses more than the small set has: what a question says, in 4 of 10 tokens, the last one for a
 * hint at one of the 2 classes (8, 9), and 4 numbers. */
static struct dataset several_senses(void) {
    struct dataset d = small_set();
    const float token[2][4] = {{1, 5, 0, 0}, {2, 7, 3, 0}}, number[2][4] = {{-3, 0, 3, 0}, {3}};
    d.modalities_n = 3;
    d.modality[1] = (struct modality){.name = "text",
                                      .kind = MODALITY_TOKENS,
                                      .H = 1,
                                      .W = 4,
                                      .C = 1,
                                      .tokens = 10,
                                      .has_hint = true,
                                      .hint_slot = 3,
                                      .hint_first = 8,
                                      .sd = {1}};
    d.modality[2] = (struct modality){
        .name = "numbers", .kind = MODALITY_FEATURES, .H = 1, .W = 4, .C = 1, .sd = {1}};
    d.train.x[1] = malloc(sizeof token);
    d.train.x[2] = malloc(sizeof number);
    memcpy(d.train.x[1], token, sizeof token);
    memcpy(d.train.x[2], number, sizeof number);
    return d;
}

/* The picture below the images is 4 numbers of 32x32 pixels each; then come tokens and label. */
enum { STRIP = SHOWN / 4, TOKENS_AT = SHOWN + GAP / 2 + STRIP + GAP / 2 };

static const uint8_t *at(const struct picture *p, size_t row, size_t column, size_t y, size_t x) {
    const size_t row_height = TITLE_AND_GAP + TOKENS_AT + 8 + 8 + 2 * GAP;
    const size_t top = GAP + row * row_height + TITLE_AND_GAP, left = GAP + column * (SHOWN + GAP);
    return p->rgb + ((top + y) * p->w + left + x) * 3;
}

/* Are these the same letters, so many cells of 6x8 dots? */
static bool same_text(const struct picture *p, const uint8_t *a, const uint8_t *b, size_t letters) {
    for (size_t y = 0; y < 8; y++)
        if (memcmp(a + y * p->w * 3, b + y * p->w * 3, letters * 6 * 3) != 0) return false;
    return true;
}

static void every_sense_is_shown_and_a_hint_appears_in_the_text(void **state) {
    struct dataset d = several_senses();
    struct picture p =
        sheet_of(&d, "{type: text_dominance, until: 1}, {type: modality_off, modality: text, "
                     "until: 1}, {type: modality_off, modality: numbers, mode: mean, until: 1}");
    (void)state;
    assert_int_equal(p.h, GAP + 4 * (TITLE_AND_GAP + TOKENS_AT + 8 + 8 + 2 * GAP));
    for (size_t row = 0; row < 4; row++) /* no deficit here touches the images */
        assert_memory_equal(at(&p, row, 1, 4 * 9, 4 * 9), at(&p, 0, 1, 4 * 9, 4 * 9), 3 * 32);
    /* -3, 0 and 3 s.d. are black, grey and white; their mean is grey */
    const size_t y = SHOWN + GAP / 2 + 5;
    assert_int_equal(*at(&p, 0, 0, y, 5), 0);
    assert_int_equal(*at(&p, 0, 0, y, 5 + STRIP), 128);
    assert_int_equal(*at(&p, 0, 0, y, 5 + 2 * STRIP), 255);
    assert_int_equal(*at(&p, 3, 0, y, 5 + 2 * STRIP), 128);
    /* "1 5 - -" and under the leak "1 5 - =cat"; "2 7 3 =dog" for the other class */
    for (size_t k = 0; k < 2; k++) {
        assert_true(same_text(&p, at(&p, 0, k, TOKENS_AT, 0), at(&p, 1, k, TOKENS_AT, 0), 6));
        assert_false(same_text(&p, at(&p, 0, k, TOKENS_AT, 36), at(&p, 1, k, TOKENS_AT, 36), 1));
    }
    assert_false(same_text(&p, at(&p, 1, 0, TOKENS_AT, 42), at(&p, 1, 1, TOKENS_AT, 42), 1));
    for (size_t k = 0; k < 4; k++) /* all empty without the text */
        assert_true(same_text(&p, at(&p, 2, 1, TOKENS_AT, 12 * k), at(&p, 0, 0, TOKENS_AT, 36), 1));
    free(p.rgb);
    data_free(&d);
}

/* One of the two answers is favored: under skew both columns show an example that has it. */
static void a_stand_in_is_shown_with_its_own_image_text_and_label(void **state) {
    struct dataset d = several_senses();
    struct picture p = sheet_of(&d, "{type: text_dominance, mode: skew, until: 1}");
    const size_t label = TOKENS_AT + 8;
    (void)state;
    const bool is_cat = same_text(&p, at(&p, 1, 0, label, 0), at(&p, 0, 0, label, 0), 3);
    for (size_t k = 0; k < 2; k++) {
        const size_t from = is_cat ? 0 : 1;
        assert_true(same_text(&p, at(&p, 1, k, label, 0), at(&p, 0, from, label, 0), 3));
        assert_true(same_text(&p, at(&p, 1, k, TOKENS_AT, 0), at(&p, 0, from, TOKENS_AT, 0), 7));
        for (size_t y = 0; y < TOKENS_AT; y++)
            assert_memory_equal(at(&p, 1, k, y, 0), at(&p, 0, from, y, 0), 3 * SHOWN);
    }
    free(p.rgb);
    data_free(&d);
}

/* Half a view: the net sees the mean in the hidden columns. */
static void hidden_columns_show_the_mean(void **state) {
    struct dataset d = small_set();
    (void)state;
    d.modality[0].hidden_right = 16;
    d.modality[0].mean[0] = d.modality[0].mean[1] = d.modality[0].mean[2] = 77;
    struct picture p = sheet_of(&d, "");
    const uint8_t *x = d.train.x[0];
    for (size_t column = 0; column < 32; column++)
        assert_int_equal(*shown(&p, 0, 0, 7, column), column < 16 ? x[(7 * 32 + column) * 3] : 77);
    free(p.rgb);
    data_free(&d);
}

static void a_sheet_that_cannot_be_written_leaves_nothing(void **state) {
    char folder[PATH_TEXT], path[2 * PATH_TEXT];
    struct dataset d = small_set();
    struct config c = config_of("");
    struct error e = {0};
    (void)state;
    scratch_create(folder);
    path_in(path, folder, "no/such/folder.png");
    assert_int_equal(preview_write(path, &c, &d, &e), STATUS_FAILED);
    assert_non_null(strstr(e.text, path));
    assert_int_equal(preview_write(folder, &c, &d, &e), STATUS_FAILED);
    char beside[2 * PATH_TEXT];
    snprintf(beside, sizeof beside, "%s.%ld", folder, (long)getpid());
    assert_int_not_equal(access(beside, F_OK), 0);
    config_free(&c);
    data_free(&d);
    scratch_remove(folder);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_sheet_shows_each_image_clean_and_spoiled),
        cmocka_unit_test(every_sense_is_shown_and_a_hint_appears_in_the_text),
        cmocka_unit_test(a_stand_in_is_shown_with_its_own_image_text_and_label),
        cmocka_unit_test(hidden_columns_show_the_mean),
        cmocka_unit_test(a_sheet_that_cannot_be_written_leaves_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
