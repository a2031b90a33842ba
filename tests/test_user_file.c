/* A user's file with several modalities: kinds told by axes and type, order, vocabulary, hints, and
 * each way it can be wrong; views of a user's images. */
#include <math.h>

#include <hdf5.h>
#include <hdf5_hl.h>

#include "tests/data_files.h"

enum { N = 12, TESTS = 6, SLOTS = 4, FEATURES = 5, H = 3, W = 4 };

static void put(const char *path, const char *name, hid_t type, const void *x, int rank,
                const hsize_t *shape) {
    hid_t f = access(path, F_OK) == 0 ? H5Fopen(path, H5F_ACC_RDWR, H5P_DEFAULT)
                                      : H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    hid_t groups = H5Pcreate(H5P_LINK_CREATE), space = H5Screate_simple(rank, shape, NULL);
    assert_true(f >= 0);
    H5Pset_create_intermediate_group(groups, 1);
    H5E_BEGIN_TRY {
        H5Ldelete(f, name, H5P_DEFAULT);
    }
    H5E_END_TRY
    hid_t set = H5Dcreate2(f, name, type, space, groups, H5P_DEFAULT, H5P_DEFAULT);
    assert_true(set >= 0);
    assert_true(H5Dwrite(set, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, x) >= 0);
    H5Dclose(set);
    H5Sclose(space);
    H5Pclose(groups);
    H5Fclose(f);
}

static void drop(const char *path, const char *name) {
    hid_t f = H5Fopen(path, H5F_ACC_RDWR, H5P_DEFAULT);
    assert_true(H5Ldelete(f, name, H5P_DEFAULT) >= 0);
    H5Fclose(f);
}

static void attribute(const char *path, const char *set, const char *name, int value) {
    hid_t f = H5Fopen(path, H5F_ACC_RDWR, H5P_DEFAULT);
    assert_true(H5LTset_attribute_int(f, set, name, &value, 1) >= 0);
    H5Fclose(f);
}

static uint8_t pixel(size_t i) {
    return (uint8_t)(i * 7 % 251);
}

/* Slot 3 stays empty; the largest is 6. */
static int16_t token(size_t i) {
    return (int16_t)(i % SLOTS == 3 ? 0 : i % 7);
}

static float feature(size_t i) {
    return (float)i * 0.25f - 3;
}

static void put_images(const char *path, const char *name, size_t n) {
    uint8_t x[N * H * W];
    for (size_t i = 0; i < n * H * W; i++) x[i] = pixel(i);
    put(path, name, H5T_STD_U8LE, x, 4, (hsize_t[]){n, H, W, 1});
}

static void put_tokens(const char *path, const char *name, size_t n, int at, int16_t value) {
    int16_t x[N * SLOTS];
    for (size_t i = 0; i < n * SLOTS; i++) x[i] = token(i);
    if (at >= 0) x[at] = value;
    put(path, name, H5T_STD_I16LE, x, 2, (hsize_t[]){n, SLOTS});
}

static void put_features(const char *path, const char *name, size_t n, float fifth) {
    float x[N * FEATURES];
    for (size_t i = 0; i < n * FEATURES; i++) x[i] = i == 5 ? fifth : feature(i);
    put(path, name, H5T_IEEE_F32LE, x, 2, (hsize_t[]){n, FEATURES});
}

static void put_labels(const char *path, const char *name, size_t n) {
    int32_t label[N];
    for (size_t i = 0; i < n; i++) label[i] = (int32_t)(i % 3);
    put(path, name, H5T_STD_I32LE, label, 1, (hsize_t[]){n});
}

static void put_texts(const char *path, const char *name, const char *const *texts, hsize_t n) {
    hid_t type = H5Tcopy(H5T_C_S1);
    H5Tset_size(type, H5T_VARIABLE);
    put(path, name, type, texts, 1, &n);
    H5Tclose(type);
}

/* A good file in a folder of its own. */
static void file_create(char folder[PATH_TEXT], char path[2 * PATH_TEXT]) {
    scratch_create(folder);
    path_in(path, folder, "mine.h5");
    put_tokens(path, "inputs/text", N, -1, 0);
    put_images(path, "inputs/image", N);
    put_features(path, "inputs/sound", N, feature(5));
    put_labels(path, "labels", N);
    put_tokens(path, "test_inputs/text", TESTS, -1, 0);
    put_images(path, "test_inputs/image", TESTS);
    put_features(path, "test_inputs/sound", TESTS, feature(5));
    put_labels(path, "test_labels", TESTS);
}

static struct settings mine(const char *path) {
    return data_settings("hdf5", "path", path, NULL);
}

/* ---- right ones ------------------------------------------------------------------------------ */

static void axes_and_type_say_what_a_modality_is(void **state) {
    char folder[PATH_TEXT], path[2 * PATH_TEXT];
    (void)state;
    file_create(folder, path);
    struct dataset d = load(mine(path), 1);
    const struct modality *image = &d.modality[0], *sound = &d.modality[1], *text = &d.modality[2];
    assert_int_equal(d.modalities_n, 3);
    assert_string_equal(image->name, "image"); /* by name, not in order of writing */
    assert_string_equal(sound->name, "sound");
    assert_string_equal(text->name, "text");
    assert_int_equal(image->kind, MODALITY_IMAGE);
    assert_int_equal(sound->kind, MODALITY_FEATURES);
    assert_int_equal(text->kind, MODALITY_TOKENS);
    assert_true(image->bytes && !sound->bytes && !text->bytes);
    assert_int_equal(image->H * 100 + image->W * 10 + image->C, 341);
    assert_int_equal(sound->H * 100 + sound->W * 10 + sound->C, 151);
    assert_int_equal(text->H * 100 + text->W * 10 + text->C, 141);
    assert_int_equal(text->tokens, 7);
    assert_false(text->has_hint);
    assert_null(d.class_group);
    assert_int_equal(d.train.n, N);
    assert_int_equal(d.test.n, TESTS);
    assert_int_equal(d.test.index[0], N);
    for (size_t i = 0; i < N * H * W; i++) assert_int_equal(((uint8_t *)d.train.x[0])[i], pixel(i));
    for (size_t i = 0; i < N * FEATURES; i++) assert_true(((float *)d.train.x[1])[i] == feature(i));
    for (size_t i = 0; i < N * SLOTS; i++) assert_true(((float *)d.train.x[2])[i] == token(i));
    for (size_t i = 0; i < TESTS * SLOTS; i++) assert_true(((float *)d.test.x[2])[i] == token(i));
    /* one mean for all features: that of 0.25 i - 3 over i < 60; (n^2 - 1)/12 is a range's variance */
    assert_true(fabs(sound->mean[0] - (0.25 * 29.5 - 3)) < 1e-9);
    assert_true(fabs(sound->sd[0] - 0.25 * sqrt((60.0 * 60 - 1) / 12)) < 1e-9);
    assert_true(text->mean[0] == 0 && text->sd[0] == 1);
    data_free(&d);
    scratch_remove(folder);
}

static void the_order_of_modalities_can_be_given(void **state) {
    static const char *const orders[][3] = {
        {"text", "image", "sound"}, {"text", "image", "text"}, {"text", "image", "smell"}};
    char folder[PATH_TEXT], path[2 * PATH_TEXT];
    (void)state;
    file_create(folder, path);
    put_texts(path, "modality_order", orders[0], 3);
    struct dataset d = load(mine(path), 1);
    for (size_t m = 0; m < 3; m++) assert_string_equal(d.modality[m].name, orders[0][m]);
    assert_true(((float *)d.train.x[0])[2] == token(2));
    data_free(&d);
    put_texts(path, "modality_order", orders[1], 3);
    assert_refused(mine(path), "modality_order");
    put_texts(path, "modality_order", orders[2], 3);
    assert_refused(mine(path), "modality_order");
    put_texts(path, "modality_order", orders[0], 2);
    assert_refused(mine(path), "modality_order");
    put_labels(path, "modality_order", 3);
    assert_refused(mine(path), "modality_order");
    scratch_remove(folder);
}

static void the_last_examples_can_be_held_out(void **state) {
    char folder[PATH_TEXT], path[2 * PATH_TEXT];
    (void)state;
    file_create(folder, path);
    assert_refused(data_settings("hdf5", "path", path, "held_out", "3", NULL), "leave it out");
    drop(path, "test_inputs");
    assert_refused(mine(path), "no group 'test_inputs'");
    struct dataset d = load(data_settings("hdf5", "path", path, "held_out", "3", NULL), 1);
    assert_int_equal(d.train.n, N - 3);
    assert_int_equal(d.test.n, 3);
    assert_int_equal(d.test.index[0], N - 3);
    assert_true(((float *)d.test.x[2])[1] == token((N - 3) * SLOTS + 1));
    assert_int_equal(((uint8_t *)d.test.x[0])[0], pixel((N - 3) * H * W));
    data_free(&d);
    scratch_remove(folder);
}

static void a_subset_keeps_modalities_together(void **state) {
    char folder[PATH_TEXT], path[2 * PATH_TEXT];
    (void)state;
    file_create(folder, path);
    struct dataset d =
        load(data_settings("hdf5", "path", path, "train", "6", "validation", "3", NULL), 5);
    assert_int_equal(d.train.n, 6);
    assert_int_equal(d.validation.n, 3);
    for (size_t i = 0; i < d.train.n; i++) {
        const size_t at = d.train.index[i];
        assert_int_equal(d.train.label[i], at % 3);
        assert_int_equal(((uint8_t *)d.train.x[0])[i * H * W], pixel(at * H * W));
        assert_true(((float *)d.train.x[1])[i * FEATURES] == feature(at * FEATURES));
        assert_true(((float *)d.train.x[2])[i * SLOTS + 1] == token(at * SLOTS + 1));
    }
    data_free(&d);
    scratch_remove(folder);
}

static void vocabulary_hint_and_groups_are_the_files(void **state) {
    const int8_t group[3] = {0, 0, 4};
    char folder[PATH_TEXT], path[2 * PATH_TEXT], before[HASH_TEXT];
    (void)state;
    file_create(folder, path);
    struct dataset d = load(mine(path), 1);
    memcpy(before, d.train_digest, HASH_TEXT);
    data_free(&d);
    attribute(path, "inputs/text", "tokens", 20);
    d = load(mine(path), 1);
    assert_int_equal(d.modality[2].tokens, 20);
    assert_string_not_equal(d.train_digest, before);
    memcpy(before, d.train_digest, HASH_TEXT);
    data_free(&d);
    attribute(path, "inputs/text", "hint_slot", 3);
    assert_refused(mine(path), "hint_first");
    attribute(path, "inputs/text", "hint_first", 17);
    d = load(mine(path), 1);
    assert_true(d.modality[2].has_hint);
    assert_int_equal(d.modality[2].hint_slot, 3);
    assert_int_equal(d.modality[2].hint_first, 17);
    assert_string_not_equal(d.train_digest, before);
    memcpy(before, d.train_digest, HASH_TEXT);
    data_free(&d);
    put(path, "class_group", H5T_STD_I8LE, group, 1, (hsize_t[]){3});
    d = load(mine(path), 1);
    assert_memory_equal(d.class_group, group, 3);
    assert_string_not_equal(d.train_digest, before);
    data_free(&d);
    scratch_remove(folder);
}

static void images_come_first_where_a_file_has_both_forms(void **state) {
    char folder[PATH_TEXT], path[2 * PATH_TEXT];
    (void)state;
    file_create(folder, path);
    put_images(path, "images", N);
    put_images(path, "test_images", TESTS);
    struct dataset d = load(mine(path), 1);
    assert_int_equal(d.modalities_n, 1);
    data_free(&d);
    drop(path, "images");
    assert_refused(data_settings("hdf5", "path", path, "images", "pictures", NULL), "'pictures'");
    scratch_remove(folder);
}

/* ---- wrong ones ------------------------------------------------------------------------------ */

static void vocabularies_that_cannot_be_are_refused(void **state) {
    char folder[PATH_TEXT], path[2 * PATH_TEXT];
    (void)state;
    file_create(folder, path);
    attribute(path, "inputs/text", "tokens", 6);
    assert_refused(mine(path), "'inputs/text'[1,2] is 6, expected a token from 0 to 5");
    attribute(path, "inputs/text", "tokens", 0);
    assert_refused(mine(path), "vocabulary has 0 tokens");
    attribute(path, "inputs/text", "tokens", -5);
    assert_refused(mine(path), "vocabulary has -5 tokens");
    attribute(path, "inputs/text", "tokens", 2000000000);
    assert_refused(mine(path), "vocabulary");
    attribute(path, "inputs/text", "tokens", 10);
    attribute(path, "inputs/text", "hint_first", 7);
    assert_refused(mine(path), "hint_slot");
    attribute(path, "inputs/text", "hint_slot", 4);
    assert_refused(mine(path), "'hint_slot' from 0 to 3");
    attribute(path, "inputs/text", "hint_slot", 1);
    assert_refused(mine(path), "'inputs/text'[0,1] is 1, but slot 1 is the hint's");
    attribute(path, "inputs/text", "hint_slot", 3);
    attribute(path, "inputs/text", "hint_first", 8);
    assert_refused(mine(path), "hint_first + 3 classes");
    attribute(path, "inputs/text", "hint_first", 0);
    assert_refused(mine(path), "hint_first");
    attribute(path, "inputs/text", "hint_first", 7);
    struct dataset d = load(mine(path), 1);
    data_free(&d);
    scratch_remove(folder);
}

static void wrong_values_are_refused(void **state) {
    const uint64_t huge[N * SLOTS] = {[5] = UINT64_MAX};
    char folder[PATH_TEXT], path[2 * PATH_TEXT];
    (void)state;
    file_create(folder, path);
    put_tokens(path, "test_inputs/text", TESTS, 9, 7);
    assert_refused(mine(path), "'test_inputs/text'[2,1] is 7, expected a token from 0 to 6");
    put_tokens(path, "test_inputs/text", TESTS, -1, 0);
    put_tokens(path, "inputs/text", N, 6, -1);
    assert_refused(mine(path), "'inputs/text'[1,2] is -1");
    put(path, "inputs/text", H5T_STD_U64LE, huge, 2, (hsize_t[]){N, SLOTS});
    assert_refused(mine(path), "vocabulary");
    put_tokens(path, "inputs/text", N, -1, 0);
    put_features(path, "inputs/sound", N, INFINITY);
    assert_refused(mine(path), "'inputs/sound' has a value that is not finite in example 1");
    put_features(path, "inputs/sound", N, feature(5));
    put_features(path, "test_inputs/sound", TESTS, NAN);
    assert_refused(mine(path), "'test_inputs/sound' has a value that is not finite in example 1");
    scratch_remove(folder);
}

static void wrong_shapes_are_refused(void **state) {
    const double x[N * SLOTS] = {0};
    char folder[PATH_TEXT], path[2 * PATH_TEXT];
    (void)state;
    file_create(folder, path);
    put_features(path, "inputs/sound", N - 1, feature(5));
    assert_refused(mine(path), "'inputs/sound' has 11 examples, 'inputs/image' has 12");
    put_features(path, "inputs/sound", N, feature(5));
    put_features(path, "test_inputs/sound", TESTS - 1, feature(5));
    assert_refused(mine(path), "'test_inputs/sound' has 5 examples, 'test_inputs/image' has 6");
    put_tokens(path, "test_inputs/sound", TESTS, -1, 0);
    assert_refused(mine(path), "length and type of the training examples");
    put_features(path, "test_inputs/sound", TESTS, feature(5));
    put(path, "inputs/sound", H5T_IEEE_F64LE, x, 2, (hsize_t[]){N, SLOTS});
    assert_refused(mine(path), "astype('float32')");
    put(path, "inputs/sound", H5T_IEEE_F64LE, x, 1, (hsize_t[]){N});
    assert_refused(mine(path), "has 1 axes");
    put(path, "inputs/sound", H5T_IEEE_F32LE, x, 2, (hsize_t[]){N, 0});
    assert_refused(mine(path), "[12,0]");
    put(path, "inputs/sound", H5T_STD_I8LE, x, 4, (hsize_t[]){N, 2, 2, 1});
    assert_refused(mine(path), "uint8 or float32");
    scratch_remove(folder);
}

static void missing_and_strange_datasets_are_refused(void **state) {
    static const char *const nothing[3] = {NULL, NULL, NULL};
    const int32_t group[3] = {0, 1, 256};
    char folder[PATH_TEXT], path[2 * PATH_TEXT];
    (void)state;
    file_create(folder, path);
    put(path, "class_group", H5T_STD_I32LE, group, 1, (hsize_t[]){3});
    assert_refused(mine(path), "'class_group'[2] is 256");
    put(path, "class_group", H5T_STD_I32LE, group, 1, (hsize_t[]){2});
    assert_refused(mine(path), "one integer for each of the 3 classes");
    drop(path, "class_group");
    put_texts(path, "class_names", nothing, 3);
    assert_refused(mine(path), "'class_names'[0] is no text");
    drop(path, "class_names");
    put_features(path, "inputs/smell", N, 0);
    assert_refused(mine(path), "no dataset 'test_inputs/smell' beside 'inputs/smell'");
    put_features(path, "inputs/taste", N, 0);
    assert_refused(mine(path), "5 modalities, at most 4");
    drop(path, "inputs/taste");
    drop(path, "inputs/smell");
    put_features(path, "test_inputs/smell", TESTS, 0);
    assert_refused(mine(path), "'test_inputs/smell' has no training examples");
    drop(path, "test_inputs/smell");
    static const char *const names[] = {"inputs/the sound",
                                        "inputs/2nd",
                                        "inputs/trunk",
                                        "inputs/a.b",
                                        "inputs/head",
                                        "inputs/fusion",
                                        "inputs/abcdefghijklmnopqrstuvwxyz"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        put_features(path, names[i], N, 0);
        assert_refused(mine(path), "cannot name a modality");
        drop(path, names[i]);
    }
    drop(path, "test_labels");
    assert_refused(mine(path), "no dataset 'test_labels'");
    drop(path, "labels");
    assert_refused(mine(path), "no dataset 'labels'");
    drop(path, "inputs");
    assert_refused(mine(path), "no dataset 'images'");
    scratch_remove(folder);
}

/* ---- views ----------------------------------------------------------------------------------- */

/* Settings of views with the keys of the set they are made of. */
static struct settings views(const char *of, const char *const *word) {
    struct settings s = data_settings("views", "of", of, NULL);
    struct error e = {0};
    settings_append(&s, dataset_find(of)->params);
    for (size_t i = 0; word[i]; i += 2)
        if (settings_set(&s, word[i], word[i + 1], &e)) fail_msg("%s", e.text);
    return s;
}
#define VIEWS(of, ...) views(of, (const char *const[]){__VA_ARGS__})

static void views_are_two_of_the_same_image(void **state) {
    char folder[PATH_TEXT], path[2 * PATH_TEXT];
    (void)state;
    scratch_create(folder);
    path_in(path, folder, "mine.h5");
    put_images(path, "images", N);
    put_labels(path, "labels", N);
    struct dataset d = load(VIEWS("hdf5", "path", path, "held_out", "3", "width", "3", NULL), 1);
    struct dataset one = load(data_settings("hdf5", "path", path, "held_out", "3", NULL), 1);
    const struct modality *left = &d.modality[0], *right = &d.modality[1];
    assert_int_equal(d.modalities_n, 2);
    assert_string_equal(d.type->name, "views");
    assert_string_equal(left->name, "left");
    assert_string_equal(right->name, "right");
    assert_int_equal(left->hidden_left, 0);
    assert_int_equal(left->hidden_right, 1);
    assert_int_equal(right->hidden_left, 1);
    assert_int_equal(right->hidden_right, 0);
    for (size_t m = 0; m < 2; m++) {
        assert_memory_equal(d.train.x[m], one.train.x[0], one.train.n * H * W);
        assert_memory_equal(d.test.x[m], one.test.x[0], one.test.n * H * W);
        assert_true(d.modality[m].mean[0] == one.modality[0].mean[0]);
        assert_true(d.modality[m].sd[0] == one.modality[0].sd[0]);
    }
    assert_string_not_equal(d.digest, one.digest);
    data_free(&one);
    data_free(&d);
    scratch_remove(folder);
}

static void the_width_is_half_unless_given_and_in_the_digest(void **state) {
    struct dataset half = load(VIEWS("optotypes", "train", "16", "test", "8", NULL), 1);
    struct dataset ten =
        load(VIEWS("optotypes", "train", "16", "test", "8", "width", "10", NULL), 1);
    struct dataset odd =
        load(VIEWS("optotypes", "train", "16", "test", "8", "size", "21", "width", "21", NULL), 1);
    struct dataset wide =
        load(VIEWS("optotypes", "train", "16", "test", "8", "width", "12", NULL), 1);
    (void)state;
    assert_int_equal(half.modality[0].hidden_right, 10);
    assert_string_equal(half.digest, ten.digest);
    assert_string_not_equal(half.train_digest, wide.train_digest);
    assert_int_equal(odd.modality[0].W, 21); /* a key of the set they are made of */
    assert_int_equal(odd.modality[0].hidden_right + odd.modality[1].hidden_left, 0);
    data_free(&half);
    data_free(&ten);
    data_free(&odd);
    data_free(&wide);
}

static void views_that_cannot_be_are_refused(void **state) {
    char folder[PATH_TEXT], path[2 * PATH_TEXT];
    (void)state;
    file_create(folder, path);
    assert_refused(VIEWS("hdf5", "path", path, NULL), "hdf5 is not a set of single images");
    assert_refused(VIEWS("vqa", "train", "10", NULL), "vqa is not a set of single images");
    assert_refused(VIEWS("optotypes", "width", "21", NULL), "data.width: 21 columns");
    assert_refused(VIEWS("optotypes", "path", path, NULL), "optotypes reads no files");
    assert_refused(VIEWS("cifar10", "width", "16", NULL), "where the files of cifar10 are");
    scratch_remove(folder);
}

/* Else one would hide the other in a section of views. */
static void no_set_has_a_key_of_views(void **state) {
    size_t n;
    const struct dataset_type *const *all = dataset_list(&n);
    (void)state;
    for (size_t i = 0; i < n; i++)
        for (const struct param *p = all[i]->params; p->name && !all[i]->wraps; p++)
            for (const struct param *v = dataset_find("views")->params; v->name; v++)
                assert_string_not_equal(p->name, v->name);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(axes_and_type_say_what_a_modality_is),
        cmocka_unit_test(the_order_of_modalities_can_be_given),
        cmocka_unit_test(the_last_examples_can_be_held_out),
        cmocka_unit_test(a_subset_keeps_modalities_together),
        cmocka_unit_test(vocabulary_hint_and_groups_are_the_files),
        cmocka_unit_test(images_come_first_where_a_file_has_both_forms),
        cmocka_unit_test(vocabularies_that_cannot_be_are_refused),
        cmocka_unit_test(wrong_values_are_refused),
        cmocka_unit_test(wrong_shapes_are_refused),
        cmocka_unit_test(missing_and_strange_datasets_are_refused),
        cmocka_unit_test(views_are_two_of_the_same_image),
        cmocka_unit_test(the_width_is_half_unless_given_and_in_the_digest),
        cmocka_unit_test(views_that_cannot_be_are_refused),
        cmocka_unit_test(no_set_has_a_key_of_views),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
