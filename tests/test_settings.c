/* Settings and the text helpers under them: what each type takes, what it refuses and in which
 * words, canonical texts, copies and hashes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "base/settings.h"
#include "base/text.h"

static const struct param table[] = {
    {.name = "flag", .type = PARAM_BOOL, .preset = "false", .doc = "A flag."},
    {.name = "count", .type = PARAM_INT, .preset = "5", .min = 1, .max = 100, .doc = "A count."},
    {.name = "seed", .type = PARAM_INT, .preset = "~", .max = 9007199254740992.0, .doc = "Seed."},
    {.name = "any", .type = PARAM_INT, .preset = "0", .doc = "Any integer."},
    {.name = "rate", .type = PARAM_REAL, .preset = "0.05", .min = 0, .max = 1, .doc = "A rate."},
    {.name = "free", .type = PARAM_REAL, .preset = "0", .doc = "Any number."},
    {.name = "name", .type = PARAM_TEXT, .preset = "plain", .doc = "A name."},
    {.name = "path", .type = PARAM_TEXT, .preset = "~", .doc = "A path.", .outside_key = true},
    {.name = "mode", .type = PARAM_CHOICE, .preset = "keep", .choices = "keep|reset", .doc = "M."},
    {.name = "until", .type = PARAM_EPOCH, .preset = "0", .doc = "A window's bound."},
    {.name = "sizes", .type = PARAM_INTS, .preset = "[]", .min = 1, .max = 64, .doc = "Sizes."},
    {.name = "on", .type = PARAM_TEXTS, .preset = "[a]", .choices = "a|b|c", .doc = "A set."},
    {.name = "words", .type = PARAM_TEXTS, .preset = "[]", .doc = "Words."},
    {.name = NULL}};

static const struct param more[] = {{.name = "must", .type = PARAM_INT, .doc = "Has no default."},
                                    {.name = NULL}};

/* ---- what is taken, and its canonical text --------------------------------------------------- */

static const struct {
    const char *name, *text, *canonical;
} taken[] = {
    {"flag", "true", "true"},
    {"flag", "false", "false"},
    {"count", "1", "1"},
    {"count", "+100", "100"},
    {"any", "-9223372036854775808", "-9223372036854775808"},
    {"any", "9223372036854775807", "9223372036854775807"},
    {"any", "-0", "0"},
    {"seed", "9007199254740992", "9007199254740992"},
    {"rate", "1e-3", "0.001"},
    {"rate", "1", "1.0"},
    {"rate", ".5", "0.5"},
    {"rate", "0.1", "0.1"},
    {"rate", "1e-7", "1.0e-07"},
    {"rate", "0.30000000000000004", "0.30000000000000004"},
    {"free", "-0.0", "0.0"},
    {"free", "1.7976931348623157e308", "1.7976931348623157e+308"},
    {"name", "two words", "two words"},
    {"name", "'it''s'", "it's"},
    {"name", "''''", "'"},
    {"name", "\"a\\n\\\"b\\u00e9\"", "a\n\"b\xC3\xA9"},
    {"name", "\"~\"", "~"},
    {"name", "\"\"", ""},
    {"mode", "reset", "reset"},
    {"until", "12", "12"},
    {"until", "removal", "removal"},
    {"until", "onset+3", "onset+3"},
    {"until", "end - 4", "end-4"},
    {"until", "\"removal+0\"", "removal"},
    {"sizes", "[64, 1,8]", "[64, 1, 8]"},
    {"sizes", "[ ]", "[]"},
    {"on", "[c, 'a']", "[\"c\", \"a\"]"},
    {"words", "[\"a, b]\", c d]", "[\"a, b]\", \"c d\"]"},
};

static void every_type_takes_its_texts_and_has_one_canonical_form(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof taken / sizeof *taken; i++) {
        struct settings s;
        struct error e = {0};
        settings_init(&s, table, NULL);
        int status = settings_set(&s, taken[i].name, taken[i].text, &e);
        if (status) print_error("%s = %s: %s\n", taken[i].name, taken[i].text, e.text);
        assert_int_equal(status, STATUS_OK);
        assert_string_equal(settings_find(&s, taken[i].name)->text, taken[i].canonical);
        settings_free(&s);
    }
}

static void a_canonical_text_reads_back_as_itself(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof taken / sizeof *taken; i++) {
        struct settings s;
        settings_init(&s, table, NULL);
        const struct setting *v = settings_find(&s, taken[i].name);
        if (v->param->type != PARAM_TEXT) { /* the canonical form of a text is the text itself */
            assert_int_equal(settings_set(&s, taken[i].name, taken[i].canonical, NULL), STATUS_OK);
            assert_string_equal(v->text, taken[i].canonical);
        }
        settings_free(&s);
    }
}

/* ---- what is refused, and how ---------------------------------------------------------------- */

static const struct {
    const char *name, *text, *sentence;
} refused[] = {
    {"flag", "yes", "flag: must be true or false, not 'yes' (write true)"},
    {"flag", "off", "flag: must be true or false, not 'off' (write false)"},
    {"flag", "True", "flag: must be true or false, not 'True' (write true)"},
    {"flag", "2", "flag: must be true or false, not '2'"},
    {"count", "0", "count: must be a whole number in 1..100, not '0'"},
    {"count", "101", "count: must be a whole number in 1..100, not '101'"},
    {"count", "1e1", "count: must be a whole number in 1..100, not '1e1' (write 10)"},
    {"count", "1.0", "count: must be a whole number in 1..100, not '1.0' (write 1)"},
    {"count", "1.5", "count: must be a whole number in 1..100, not '1.5'"},
    {"count", "0x10",
     "count: must be a whole number in 1..100, not '0x10' (write it in decimal "
     "digits)"},
    {"count", "010",
     "count: must be a whole number in 1..100, not '010' (write it without leading "
     "zeros)"},
    {"count", "1_0", "count: must be a whole number in 1..100, not '1_0' (write it without '_')"},
    {"count", "\"5\"", "count: must be a whole number in 1..100, not '\"5\"' (remove the quotes)"},
    {"count", " 5", "count: must be a whole number in 1..100, not ' 5'"},
    {"count", "five", "count: must be a whole number in 1..100, not 'five'"},
    {"count", "~", "count: needs a value (leave the key out for the default 5)"},
    {"count", "", "count: needs a value (leave the key out for the default 5)"},
    {"seed", "9007199254740993",
     "seed: must be a whole number in 0..9007199254740992, not '9007199254740993'"},
    {"any", "9223372036854775808", "any: must be a whole number, not '9223372036854775808'"},
    {"rate", "1.0000001", "rate: must be a number in 0..1, not '1.0000001'"},
    {"rate", "-1e-9", "rate: must be a number in 0..1, not '-1e-9'"},
    {"free", "1e999", "free: must be a number, not '1e999' (it must be finite)"},
    {"free", ".inf", "free: must be a number, not '.inf' (it must be finite)"},
    {"free", "-NaN", "free: must be a number, not '-NaN' (it must be finite)"},
    {"free", "0x1p3", "free: must be a number, not '0x1p3' (write it in decimal digits)"},
    {"free", "1e", "free: must be a number, not '1e'"},
    {"free", ".", "free: must be a number, not '.'"},
    {"name", "\"open", "name: must be text, not '\"open'"},
    {"name", "~", "name: needs a value (leave the key out for the default plain)"},
    {"mode", "reste", "mode: must be one of keep, reset, not 'reste' (did you mean 'reset'?)"},
    {"mode", "keep|reset", "mode: must be one of keep, reset, not 'keep|reset'"},
    {"mode", "\"\"", "mode: must be one of keep, reset, not '\"\"'"},
    {"until", "-1",
     "until: must be an epoch (a whole number from 0, or onset, removal or end with "
     "+n or -n), not '-1'"},
    {"until", "removal+",
     "until: must be an epoch (a whole number from 0, or onset, removal or "
     "end with +n or -n), not 'removal+'"},
    {"until", "removal+-3",
     "until: must be an epoch (a whole number from 0, or onset, removal or "
     "end with +n or -n), not 'removal+-3'"},
    {"until", "ending",
     "until: must be an epoch (a whole number from 0, or onset, removal or end "
     "with +n or -n), not 'ending'"},
    {"until", "99999999999",
     "until: must be an epoch (a whole number from 0, or onset, removal or "
     "end with +n or -n), not '99999999999'"},
    {"until", "onset-99999999999",
     "until: must be an epoch (a whole number from 0, or onset, "
     "removal or end with +n or -n), not 'onset-99999999999'"},
    {"sizes", "3", "sizes: must be a list, as in [1, 2], of whole numbers in 1..64, not '3'"},
    {"sizes", "[3, 65]",
     "sizes: must be a list, as in [1, 2], of whole numbers in 1..64, not '[3, 65]'"},
    {"sizes", "[3,, 4]",
     "sizes: must be a list, as in [1, 2], of whole numbers in 1..64, not '[3,, 4]'"},
    {"sizes", "[3, [4]]",
     "sizes: must be a list, as in [1, 2], of whole numbers in 1..64, not '[3, [4]]'"},
    {"sizes", "[3", "sizes: must be a list, as in [1, 2], of whole numbers in 1..64, not '[3'"},
    {"sizes", "[3] 4",
     "sizes: must be a list, as in [1, 2], of whole numbers in 1..64, not '[3] 4'"},
    {"on", "[a, d]", "on: must be a list, as in [a, b], of a, b, c, not '[a, d]'"},
    {"on", "[a, b, a]",
     "on: must be a list, as in [a, b], of a, b, c, not '[a, b, a]' ('a' is there twice)"},
    {"words", "a", "words: must be a list, as in [a, b], of texts, not 'a'"},
    {"must", "~", "must: needs a value"},
};

static void wrong_texts_are_refused_in_one_sentence(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        struct settings s;
        struct error e = {0};
        settings_init(&s, table, more);
        const struct setting *v = settings_find(&s, refused[i].name);
        char *before = v->text ? text_copy(v->text) : NULL;
        int status = settings_set(&s, refused[i].name, refused[i].text, &e);
        if (!status) print_error("%s = %s is taken\n", refused[i].name, refused[i].text);
        assert_int_equal(status, STATUS_USAGE);
        assert_string_equal(e.text, refused[i].sentence);
        assert_false(v->given); /* and nothing changed */
        if (before) assert_string_equal(v->text, before);
        free(before);
        settings_free(&s);
    }
}

/* ---- values ---------------------------------------------------------------------------------- */

static void values_are_read_by_type(void **state) {
    (void)state;
    struct settings s;
    size_t n;
    settings_init(&s, table, more);
    assert_int_equal(settings_set(&s, "flag", "true", NULL), 0);
    assert_int_equal(settings_set(&s, "until", "removal-2", NULL), 0);
    assert_int_equal(settings_set(&s, "sizes", "[3, 4]", NULL), 0);
    assert_true(settings_bool(&s, "flag"));
    assert_int_equal(settings_int(&s, "count"), 5);
    assert_true(settings_real(&s, "rate") == 0.05);
    assert_true(settings_real(&s, "count") == 5.0);
    assert_true(settings_is(&s, "mode", "keep"));
    assert_int_equal(settings_epoch(&s, "until").anchor, EPOCH_REMOVAL);
    assert_int_equal(settings_epoch(&s, "until").offset, -2);
    assert_int_equal(settings_ints(&s, "sizes", &n)[1], 4);
    assert_int_equal(n, 2);
    assert_string_equal(settings_texts(&s, "on", &n)[0], "a");
    assert_int_equal(n, 1);
    assert_null(settings_find(&s, "nothing"));
    settings_free(&s);
}

static void what_has_no_default_or_a_null_one_is_unset(void **state) {
    (void)state;
    struct settings s;
    settings_init(&s, table, more);
    assert_false(settings_is_set(&s, "must"));
    assert_false(settings_is_set(&s, "seed"));
    assert_int_equal(settings_set(&s, "seed", "7", NULL), 0);
    assert_true(settings_is_set(&s, "seed"));
    assert_int_equal(settings_set(&s, "seed", "null", NULL), 0);
    assert_false(settings_is_set(&s, "seed"));
    settings_free(&s);
}

static void given_tells_the_user_s_values_from_defaults(void **state) {
    (void)state;
    struct settings s;
    settings_init(&s, table, NULL);
    assert_false(settings_find(&s, "count")->given);
    assert_int_equal(settings_set(&s, "count", "5", NULL), 0);
    assert_true(settings_find(&s, "count")->given);
    settings_free(&s);
}

static void a_copy_shares_nothing(void **state) {
    (void)state;
    struct settings s, copy;
    size_t n;
    settings_init(&s, table, more);
    assert_int_equal(settings_set(&s, "words", "[x, y]", NULL), 0);
    assert_int_equal(settings_set(&s, "sizes", "[9]", NULL), 0);
    settings_copy(&copy, &s);
    settings_free(&s); /* under sanitizers what is shared would now be read after free */
    assert_string_equal(settings_texts(&copy, "words", &n)[1], "y");
    assert_int_equal(settings_ints(&copy, "sizes", &n)[0], 9);
    assert_string_equal(settings_text(&copy, "name"), "plain");
    settings_free(&copy);
}

/* ---- hashes ---------------------------------------------------------------------------------- */

static void hash_of(const char *name, const char *text, char digest[HASH_TEXT]) {
    struct settings s;
    struct hash *h = hash_create();
    settings_init(&s, table, more);
    if (name) assert_int_equal(settings_set(&s, name, text, NULL), STATUS_OK);
    settings_hash(&s, h);
    hash_digest(h, digest);
    hash_free(h);
    settings_free(&s);
}

static void every_setting_changes_the_hash_but_those_outside_the_key(void **state) {
    (void)state;
    static const char *const changes[][2] = {
        {"flag", "true"},     {"count", "6"},      {"seed", "1"},     {"any", "1"},
        {"rate", "0.06"},     {"free", "1"},       {"name", "other"}, {"mode", "reset"},
        {"until", "removal"}, {"until", "3"},      {"sizes", "[1]"},  {"sizes", "[1, 2]"},
        {"on", "[b]"},        {"words", "[\"\"]"}, {"words", "[a]"},  {"must", "1"}};
    enum { CHANGES = sizeof changes / sizeof *changes };
    char digest[CHANGES + 1][HASH_TEXT], outside[HASH_TEXT];
    hash_of(NULL, NULL, digest[CHANGES]);
    for (size_t i = 0; i < CHANGES; i++) hash_of(changes[i][0], changes[i][1], digest[i]);
    for (size_t i = 0; i <= CHANGES; i++)
        for (size_t k = 0; k < i; k++) assert_string_not_equal(digest[i], digest[k]);
    hash_of("path", "/somewhere", outside);
    assert_string_equal(outside, digest[CHANGES]);
}

static void spellings_of_one_value_have_one_hash(void **state) {
    (void)state;
    static const char *const same[][3] = {{"rate", "0.1", "1e-1"},
                                          {"free", "0", "-0.0"},
                                          {"count", "7", "+7"},
                                          {"until", "end", "end + 0"},
                                          {"sizes", "[1,2]", "[ 1 , 2 ]"},
                                          {"on", "[a, b]", "['a', \"b\"]"},
                                          {"count", "5", "5"}};
    for (size_t i = 0; i < sizeof same / sizeof *same; i++) {
        char a[HASH_TEXT], b[HASH_TEXT];
        hash_of(same[i][0], same[i][1], a);
        hash_of(same[i][0], same[i][2], b);
        assert_string_equal(a, b);
    }
}

/* ---- text helpers ---------------------------------------------------------------------------- */

static void reals_print_short_and_read_back_exactly(void **state) {
    (void)state;
    struct rng r = rng_stream(1, "order", 0, 0);
    for (int i = 0; i < 20000; i++) {
        char text[TEXT_REAL];
        uint64_t bits = (uint64_t)rng_word(&r) << 32 | rng_word(&r);
        double value, back;
        memcpy(&value, &bits, sizeof value);
        if (!isfinite(value) || value == 0.0) continue;
        text_print_real(text, value);
        assert_true(text_real(text, &back));
        assert_memory_equal(&value, &back, sizeof value);
        assert_non_null(strchr(text, '.'));
    }
    char text[TEXT_REAL];
    text_print_real(text, 0.1);
    assert_string_equal(text, "0.1");
}

static void quoted_text_reads_back_as_itself(void **state) {
    (void)state;
    static const char *const pieces[] = {"a",
                                         " ",
                                         "\"",
                                         "'",
                                         "\\",
                                         "\n",
                                         "\t",
                                         "\x01",
                                         "\x7F",
                                         ":",
                                         "\xC2\x85",
                                         "\xE2\x80\xA8",
                                         "\xE2\x80\xA9",
                                         "\xEF\xBB\xBF",
                                         "\xC3\xA9",
                                         "\xE2\x82\xAC",
                                         "\xF0\x9F\x98\x80",
                                         "#",
                                         "u"};
    struct rng r = rng_stream(2, "order", 0, 0);
    for (int i = 0; i < 2000; i++) {
        struct text value = {0}, quoted = {0};
        text_put(&value, "", 0);
        for (uint32_t n = rng_below(&r, 12); n > 0; n--)
            text_add(&value, "%s", pieces[rng_below(&r, sizeof pieces / sizeof *pieces)]);
        text_quote(&quoted, value.data);
        char *back = text_unquote(quoted.data);
        assert_non_null(back);
        assert_string_equal(back, value.data);
        assert_null(strchr(quoted.data, '\n'));
        free(back);
        free(value.data);
        free(quoted.data);
    }
}

static void badly_quoted_text_is_refused(void **state) {
    (void)state;
    static const char *const bad[] = {"\"", "\"a", "\"a\\\"", "\"\\q\"", "\"\\u12\"",  "\"a\"b",
                                      "'",  "'a",  "'''",     "'a'b",    "\"\\u0000\""};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) assert_null(text_unquote(bad[i]));
}

static void near_names_are_suggested_and_far_ones_are_not(void **state) {
    (void)state;
    static const char *const cases[][3] = {
        /* wanted, known, suggested? */
        {"form", "from", "yes"},    {"wieght_norm", "weight_norm", "yes"},
        {"factr", "factor", "yes"}, {"lrr", "lr", "yes"},
        {"lr", "net", "no"},        {"x", "y", "no"},
        {"gamma", "base", "no"},    {"", "a", "no"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct text_nearest near = {.wanted = cases[i][0]};
        text_nearest_try(&near, cases[i][1]);
        assert_string_equal(near.best ? "yes" : "no", cases[i][2]);
    }
}

static void the_nearest_of_several_names_wins(void **state) {
    (void)state;
    struct text_nearest near = {.wanted = "unitl"};
    text_nearest_try(&near, "unit");
    text_nearest_try(&near, "until");
    text_nearest_try(&near, "units");
    assert_string_equal(near.best, "unit"); /* one deletion, as near as the swap: the first stays */
    near = (struct text_nearest){.wanted = "bacth"};
    text_nearest_try(&near, "path");
    text_nearest_try(&near, "batch");
    assert_string_equal(near.best, "batch");
}

static void long_text_is_cut_between_characters_in_a_sentence(void **state) {
    (void)state;
    struct text t = {0};
    for (int i = 0; i < 100; i++) text_add(&t, "\xC3\xA9");
    struct text_shown shown = text_shown(t.data);
    size_t n = strlen(shown.text);
    assert_true(n < sizeof shown.text);
    assert_string_equal(shown.text + n - 3, "...");
    assert_int_equal((n - 3) % 2, 0);
    assert_string_equal(text_shown("a\nb").text, "a?b");
    free(t.data);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_type_takes_its_texts_and_has_one_canonical_form),
        cmocka_unit_test(a_canonical_text_reads_back_as_itself),
        cmocka_unit_test(wrong_texts_are_refused_in_one_sentence),
        cmocka_unit_test(values_are_read_by_type),
        cmocka_unit_test(what_has_no_default_or_a_null_one_is_unset),
        cmocka_unit_test(given_tells_the_user_s_values_from_defaults),
        cmocka_unit_test(a_copy_shares_nothing),
        cmocka_unit_test(every_setting_changes_the_hash_but_those_outside_the_key),
        cmocka_unit_test(spellings_of_one_value_have_one_hash),
        cmocka_unit_test(reals_print_short_and_read_back_exactly),
        cmocka_unit_test(quoted_text_reads_back_as_itself),
        cmocka_unit_test(badly_quoted_text_is_refused),
        cmocka_unit_test(near_names_are_suggested_and_far_ones_are_not),
        cmocka_unit_test(the_nearest_of_several_names_wins),
        cmocka_unit_test(long_text_is_cut_between_characters_in_a_sentence),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
