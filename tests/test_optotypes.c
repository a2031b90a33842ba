/* Optotypes: each part of the picture alone, made visible by switching the others off. */
#include <math.h>

#include "tests/data_files.h"

enum { S = 20, GLYPH = 7 };

static const float *picture(const struct dataset *d, size_t i) {
    return (const float *)d->train.x[0] + i * S * S;
}

static void optotypes_are_as_documented(void **state) {
    struct dataset d = load(data_settings("optotypes", "train", "800", "test", "400", NULL), 1);
    size_t count[8] = {0};
    (void)state;
    assert_int_equal(d.K, 8);
    assert_int_equal(d.train.n, 800);
    assert_int_equal(d.test.n, 400);
    assert_int_equal(d.modality[0].H, S);
    assert_int_equal(d.modality[0].W, S);
    assert_int_equal(d.modality[0].C, 1);
    assert_false(d.modality[0].bytes);
    for (size_t i = 0; i < d.train.n; i++) count[d.train.label[i]]++;
    for (size_t c = 0; c < 8; c++) assert_int_equal(count[c], 100);
    data_free(&d);
}

static void all_of_them_are_3000_and_2000(void **state) {
    struct dataset d = load(data_settings("optotypes", NULL), 1);
    (void)state;
    assert_int_equal(d.train.n, 3000);
    assert_int_equal(d.test.n, 2000);
    data_free(&d);
}

static void same_seed_same_pictures_other_seed_others(void **state) {
    struct dataset a = load(data_settings("optotypes", "train", "80", "test", "80", NULL), 3);
    struct dataset b = load(data_settings("optotypes", "train", "80", "test", "80", NULL), 3);
    struct dataset c = load(data_settings("optotypes", "train", "80", "test", "80", NULL), 4);
    (void)state;
    assert_string_equal(a.digest, b.digest);
    assert_string_not_equal(a.digest, c.digest);
    assert_memory_equal(a.train.x[0], b.train.x[0], 80 * S * S * sizeof(float));
    assert_memory_not_equal(a.train.x[0], c.train.x[0], 80 * S * S * sizeof(float));
    assert_memory_not_equal(a.train.x[0], a.test.x[0], 80 * S * S * sizeof(float));
    data_free(&a);
    data_free(&b);
    data_free(&c);
}

static void a_larger_set_begins_with_the_smaller(void **state) {
    struct dataset a = load(data_settings("optotypes", "train", "50", "balance", "false", NULL), 3);
    struct dataset b = load(data_settings("optotypes", "train", "90", "balance", "false", NULL), 3);
    (void)state;
    assert_int_equal(a.train.n, 50);
    assert_memory_equal(a.train.x[0], b.train.x[0], 50 * S * S * sizeof(float));
    data_free(&a);
    data_free(&b);
}

/* Only the glyph, in the middle: its ink is contrast (1 - mean), the rest of its square
 * -contrast mean; 23 of 49 pixels for the C, 25 for the E. Picture rows as drawn by hand. */
static void glyphs_are_landolt_c_and_tumbling_e(void **state) {
    static const char *const right[2][GLYPH] = {
        {"#######", "#.....#", "#.....#", "#......", "#.....#", "#.....#", "#######"},
        {"#######", "#......", "#......", "#######", "#......", "#......", "#######"}};
    struct dataset d =
        load(data_settings("optotypes", "train", "64", "jitter", "0", "cue_height", "0", "clutter",
                           "0", "noise", "0", "contrast", "3.0", NULL),
             1);
    (void)state;
    for (size_t i = 0; i < d.train.n; i++) {
        const size_t y = (size_t)d.train.label[i], letter = y / 4, turns = y % 4;
        const double mean = (letter ? 25 : 23) / 49.0;
        for (size_t p = 0; p < GLYPH * GLYPH; p++) {
            const size_t r = p / GLYPH, c = p % GLYPH, last = GLYPH - 1;
            /* where a pixel of the upright letter goes: right, up, left, down */
            const size_t row[4] = {r, last - c, last - r, c},
                         column[4] = {c, r, last - c, last - r};
            const double ink = right[letter][r][c] == '#';
            const double found = (double)picture(&d, i)[(6 + row[turns]) * S + 6 + column[turns]];
            assert_true(fabs(found - 3 * (ink - mean)) < 1e-6);
        }
    }
    data_free(&d);
}

/* First and last row or column of the glyph's ink, over many pictures, at jitter 3. */
static void the_glyph_wanders_by_the_jitter_and_stays_inside(void **state) {
    struct dataset d = load(data_settings("optotypes", "train", "800", "cue_height", "0", "clutter",
                                          "0", "noise", "0", NULL),
                            1);
    size_t top_low = S, top_high = 0, left_low = S, left_high = 0;
    (void)state;
    for (size_t i = 0; i < d.train.n; i++) {
        size_t top = S, left = S;
        for (size_t p = 0; p < S * S; p++) {
            if (picture(&d, i)[p] == 0) continue;
            top = p / S < top ? p / S : top;
            left = p % S < left ? p % S : left;
        }
        top_low = top < top_low ? top : top_low;
        top_high = top > top_high ? top : top_high;
        left_low = left < left_low ? left : left_low;
        left_high = left > left_high ? left : left_high;
    }
    assert_int_equal(top_low, 3);
    assert_int_equal(top_high, 9);
    assert_int_equal(left_low, 3);
    assert_int_equal(left_high, 9);
    data_free(&d);
}

/* The power of one picture at whole cycles (fy, fx), summed over its cosine and sine. */
static double power(const float *x, int fy, int fx) {
    double re = 0, im = 0;
    for (int i = 0; i < S * S; i++) {
        double phase = 2 * acos(-1) * (double)(fy * (i / S) + fx * (i % S)) / S;
        re += (double)x[i] * cos(phase);
        im += (double)x[i] * sin(phase);
    }
    return (re * re + im * im) / (S * S);
}

static double mean_power(const struct dataset *d, int fy, int fx) {
    double sum = 0;
    for (size_t i = 0; i < d->train.n; i++) sum += power(picture(d, i), fy, fx);
    return sum / (double)d->train.n;
}

/* n = 4000 pictures: a mean of exponential variables is within 5/sqrt(n) = 8 % of its expectation, a
 * ratio of two within 12 %. The s.d.: the field's 400 variances lie mostly in its lowest
 * frequencies (4 at f = 1 hold a third), so one picture's variance has a relative s.d. below 0.5 and
 * the mean of 4000 one of 0.8 %: 5 of these, halved for the root, are 2 %. */
static void clutter_is_pink_noise_of_unit_sd_and_no_mean(void **state) {
    struct dataset d = load(data_settings("optotypes", "train", "4000", "cue_height", "0",
                                          "contrast", "0", "noise", "0", "clutter", "1.0", NULL),
                            1);
    (void)state;
    assert_true(fabs(d.modality[0].sd[0] - 1) < 0.02);
    assert_true(fabs(d.modality[0].mean[0]) < 1e-6);
    for (size_t i = 0; i < 50; i++) assert_true(power(picture(&d, i), 0, 0) < 1e-9);
    const double one = mean_power(&d, 0, 1);
    assert_true(fabs(mean_power(&d, 1, 0) / one - 1) < 0.12);
    assert_true(fabs(mean_power(&d, 0, 2) * 4 / one - 1) < 0.12);
    assert_true(fabs(mean_power(&d, 3, 4) * 25 / one - 1) < 0.12);
    assert_true(fabs(mean_power(&d, 10, 0) * 100 / one - 1) <
                0.15); /* Nyquist: one real wave, chi2 */
    data_free(&d);
}

/* 1.6 million values: s.d. to 5/sqrt(3.2e6) = 0.3 %; flat spectrum as above. */
static void noise_is_white(void **state) {
    struct dataset d = load(data_settings("optotypes", "train", "4000", "cue_height", "0",
                                          "contrast", "0", "noise", "0.3", "clutter", "0", NULL),
                            1);
    (void)state;
    assert_true(fabs(d.modality[0].sd[0] / 0.3 - 1) < 0.01);
    assert_true(fabs(mean_power(&d, 0, 1) / 0.09 - 1) < 0.08);
    assert_true(fabs(mean_power(&d, 5, 7) / 0.09 - 1) < 0.08);
    data_free(&d);
}

/* The blob's direction from the picture's first moments, as a class. */
static size_t cue_class(const float *x) {
    double sy = 0, sx = 0;
    for (size_t i = 0; i < S * S; i++) {
        sy += (double)x[i] * ((double)(i / S) - 9.5);
        sx += (double)x[i] * ((double)(i % S) - 9.5);
    }
    const double eighth = acos(-1) / 4, angle = atan2(sy, sx) - eighth / 2;
    return (size_t)((lround(angle / eighth) + 16) % 8);
}

/* Binomial(4000, 0.6): 2400 +- 5 * 31; each of the 7 wrong ones 229 +- 5 * 15. */
static void the_coarse_cue_is_right_as_often_as_it_should_be(void **state) {
    struct dataset d = load(data_settings("optotypes", "train", "4000", "contrast", "0", "clutter",
                                          "0", "noise", "0", "cue_jitter", "0", NULL),
                            1);
    size_t turned[8] = {0};
    (void)state;
    for (size_t i = 0; i < d.train.n; i++)
        turned[(cue_class(picture(&d, i)) + 8 - (size_t)d.train.label[i]) % 8]++;
    assert_in_range(turned[0], 2400 - 155, 2400 + 155);
    for (size_t k = 1; k < 8; k++) assert_in_range(turned[k], 229 - 75, 229 + 75);
    data_free(&d);
}

static void impossible_charts_are_refused(void **state) {
    (void)state;
    assert_refused(data_settings("optotypes", "jitter", "7", NULL), "jitter");
    assert_refused(data_settings("optotypes", "size", "12", NULL), "jitter");
    assert_refused(data_settings("optotypes", "train", "2000000000", NULL), "at most");
    assert_refused(data_settings("optotypes", "path", "somewhere", NULL), "data.path");
    struct dataset d = load(
        data_settings("optotypes", "size", "7", "jitter", "0", "train", "16", "test", "16", NULL),
        1);
    assert_int_equal(d.modality[0].H, 7);
    data_free(&d);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(optotypes_are_as_documented),
        cmocka_unit_test(all_of_them_are_3000_and_2000),
        cmocka_unit_test(same_seed_same_pictures_other_seed_others),
        cmocka_unit_test(a_larger_set_begins_with_the_smaller),
        cmocka_unit_test(glyphs_are_landolt_c_and_tumbling_e),
        cmocka_unit_test(the_glyph_wanders_by_the_jitter_and_stays_inside),
        cmocka_unit_test(clutter_is_pink_noise_of_unit_sd_and_no_mean),
        cmocka_unit_test(noise_is_white),
        cmocka_unit_test(the_coarse_cue_is_right_as_often_as_it_should_be),
        cmocka_unit_test(impossible_charts_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
