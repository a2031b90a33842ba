/* Configs: every refusal's sentence and place, defaults, plug-ins, overlays, axes, parts, the dump
 * that reads back, and the generated manual. Runs in the repository's root. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <glob.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/rng.h"
#include "base/text.h"
#include "sim/config.h"
#include "sim/schema.h"
#include "sim/yaml.h"

#define FIXTURE "tests/fixtures/config/sweep.yaml"
#define MANUAL  "docs/config.md"
/* Two lines that are enough for a config; what a case adds begins on line 3. */
#define BASE "data: {set: optotypes}\nnet: {arch: mlp}\n"

static struct config parsed(const char *text) {
    struct config c;
    struct error e = {0};
    int status = config_parse(&c, text, "x.yaml", &e);
    if (status) print_error("%s\n", e.text);
    assert_int_equal(status, STATUS_OK);
    return c;
}

static void expect_prefix(const char *text, const char *expected) {
    if (strncmp(text, expected, strlen(expected)) != 0)
        print_error("expected: %s\n     got: %s\n", expected, text);
    assert_true(strncmp(text, expected, strlen(expected)) == 0);
    assert_null(strchr(text, '\n')); /* one sentence */
}

/* ---- one case per message -------------------------------------------------------------------- */

struct refusal {
    const char *text;     /* after BASE */
    const char *sentence; /* its beginning; the rest may be a list of plug-ins */
};

static const struct refusal key_refusals[] = {
    {"trian: {}\n", "x.yaml:3:1: trian: unknown key (did you mean 'train'?)"},
    {"train: {bacth: 6}\n", "x.yaml:3:9: train.bacth: unknown key (did you mean 'batch'?)"},
    {"deficits:\n  - {type: blur, form: 3, until: 4}\n",
     "x.yaml:4:18: deficits[0].form: unknown key (did you mean 'from'?)"},
    {"deficits:\n  - {type: blur, until: 4, factr: 3}\n",
     "x.yaml:4:28: deficits[0].factr: unknown key (did you mean 'factor'?)"},
    {"batch: 5\n", "x.yaml:3:1: batch: unknown key (did you mean 'train.batch'?)"},
    {"gamma: 5\n", "x.yaml:3:1: gamma: unknown key (did you mean 'train.lr.gamma'?)"},
    {"zzzzzzzz: 1\n", "x.yaml:3:1: zzzzzzzz: unknown key (known: experiment, note, seed, "},
    {"train.batch: 5\n",
     "x.yaml:3:1: train.batch: unknown key (write it nested, as in 'train: {batch: 64}')"},
    {"train: {lr: {schedule: constant, gamma: 1}}\n",
     "x.yaml:3:34: train.lr.gamma: unknown key (did you mean"},
    {"deficits: [{type: vflip, until: 3, factor: 2}]\n",
     "x.yaml:3:36: deficits[0].factor: unknown key ("},
    {"sweep: {axes: {seed: [1]}}\n", "x.yaml:3:1: sweep: one run's config has none"},
    {"profiles: {a: {}}\n", "x.yaml:3:1: profiles: one run's config has none"},
};

static const struct refusal value_refusals[] = {
    {"train: {batch: 0}\n",
     "x.yaml:3:16: train.batch: must be a whole number in 1..65536, not '0'"},
    {"train: {batch: 1e3}\n", "x.yaml:3:16: train.batch: must be a whole number in 1..65536, not "
                              "'1e3' (write 1000)"},
    {"train: {batch: 64.0}\n", "x.yaml:3:16: train.batch: must be a whole number in 1..65536, not "
                               "'64.0' (write 64)"},
    {"train: {batch: 0x10}\n", "x.yaml:3:16: train.batch: must be a whole number in 1..65536, not "
                               "'0x10' (write it in decimal digits)"},
    {"train: {batch: '5'}\n", "x.yaml:3:16: train.batch: must be a whole number in 1..65536, not "
                              "'\"5\"' (remove the quotes)"},
    {"train: {batch: [1]}\n", "x.yaml:3:16: train.batch: must be a single value, not a list"},
    {"train: {batch: {a: 1}}\n", "x.yaml:3:16: train.batch: must be a single value, not a mapping"},
    {"train: {batch: ~}\n",
     "x.yaml:3:16: train.batch: needs a value (leave the key out for the default 128)"},
    {"train: {batch: }\n",
     "x.yaml:3:16: train.batch: needs a value (leave the key out for the default 128)"},
    {"train: {lr: {base: .inf}}\n",
     "x.yaml:3:20: train.lr.base: must be a number in 0..1000, not '.inf' (it must be finite)"},
    {"train: {lr: {base: -1}}\n",
     "x.yaml:3:20: train.lr.base: must be a number in 0..1000, not '-1'"},
    {"train: {optimizer: {nesterov: yes}}\n",
     "x.yaml:3:31: train.optimizer.nesterov: must be true or false, not 'yes' (write true)"},
    {"train: {lr: {clock: remval}}\n", "x.yaml:3:21: train.lr.clock: must be one of run, removal, "
                                       "not 'remval' (did you mean 'removal'?)"},
    {"fisher: {on: clean}\n",
     "x.yaml:3:14: fisher.on: must be a list, as in [a, b], not a single value"},
    {"fisher: {on: [clean, deficits]}\n",
     "x.yaml:3:14: fisher.on: must be a list, as in [a, b], of clean, deficit, not '[clean, "
     "deficits]' (did you mean 'deficit'?)"},
    {"fisher: {on: [[clean]]}\n", "x.yaml:3:15: fisher.on[0]: must be a single value, not a list"},
    {"deficits: [{type: blur, until: soon}]\n",
     "x.yaml:3:32: deficits[0].until: must be an epoch (a whole number from 0, or onset, removal "
     "or end with +n or -n), not 'soon'"},
    {"train: {lr: {schedule: step, milestones: 3}}\n",
     "x.yaml:3:42: train.lr.milestones: must be a list, as in [1, 2], not a single value"},
    {"seed: 9007199254740993\n", "x.yaml:3:7: seed: must be a whole number in "
                                 "0..9007199254740992, not '9007199254740993'"},
    {"note: [a]\n", "x.yaml:3:7: note: must be a single value, not a list"},
    {"train: 5\n", "x.yaml:3:8: train: must be a mapping of keys, not a single value"},
};

static const struct refusal plugin_refusals[] = {
    {"deficits: [{type: blurr, until: 3}]\n",
     "x.yaml:3:19: deficits[0].type: there is no deficit 'blurr' (did you mean 'blur'?)"},
    {"deficits: [{type: xyzxyz, until: 3}]\n",
     "x.yaml:3:19: deficits[0].type: there is no deficit 'xyzxyz' (known: blur, "},
    {"deficits: [{until: 3}]\n", "x.yaml:3:12: deficits[0].type is missing; give one of blur, "},
    {"deficits: [{type: blur}]\n", "x.yaml:3:12: deficits[0].until is missing"},
    {"deficits: {type: blur}\n", "x.yaml:3:11: deficits: must be a list of mappings, as in "
                                 "[{type: ...}], not a mapping"},
    {"deficits: [blur]\n",
     "x.yaml:3:12: deficits[0]: must be a mapping of keys, not a single value"},
    {"deficits: [{type: [blur]}]\n",
     "x.yaml:3:19: deficits[0].type: must be a single value, not a list"},
    {"train: {lr: {schedule: exponental}}\n",
     "x.yaml:3:24: train.lr.schedule: there is no "
     "schedule 'exponental' (did you mean 'exponential'?)"},
    {"train: {optimizer: {type: adamw}}\n",
     "x.yaml:3:27: train.optimizer.type: there is no optimizer 'adamw' (did you mean 'adam'?)"},
    {"measures: [wieght_norm]\n",
     "x.yaml:3:12: measures: there is no measure 'wieght_norm' (did you mean 'weight_norm'?)"},
    {"measures: [weight_norm, weight_norm]\n",
     "x.yaml:3:25: measures: 'weight_norm' is there twice"},
    {"fisher: {deficit_probes: blurr}\n",
     "x.yaml:3:26: fisher.deficit_probes: there is no deficit 'blurr' (did you mean 'blur'?)"},
};

static const struct refusal span_refusals[] = {
    {"train: {epochs: {after_removal: 3, total: 4}}\n",
     "x.yaml:3:36: train.epochs: give after_removal or total, not both"},
    {"train: {epochs: {after_removal: ~}}\n", "x.yaml:3:33: train.epochs.after_removal: needs a "
                                              "value (leave the key out for the default 20)"},
    {"experiment: .hidden\n", "x.yaml:3:13: experiment: '.hidden' cannot name a folder; use"},
    {"experiment: a/b\n", "x.yaml:3:13: experiment: 'a/b' cannot name a folder; use"},
    {"experiment: ''\n", "x.yaml:3:13: experiment: '' cannot name a folder; use"},
    {"experiment: -n\n", "x.yaml:3:13: experiment: '-n' cannot name a folder; use"},
};

static const struct refusal yaml_refusals[] = {
    {"seed: 1\nseed: 2\n", "x.yaml:4:1: duplicate key 'seed' (first on line 3)"},
    {"train: {batch: 1, lr: {}, batch: 2}\n",
     "x.yaml:3:27: duplicate key 'batch' (first on line 3)"},
    {"<<: {a: 1}\n", "x.yaml:3:1: merge keys ('<<') are not part of imprint's YAML: "},
    {"? [a, b]\n: 1\n", "x.yaml:3:3: a key must be a plain name, as in 'seed: 1'"},
    {"seed: !!int 5\n", "x.yaml:3:7: tags have no meaning here: remove '!!int'"},
    {"seed: !!python/object:os.system 5\n",
     "x.yaml:3:7: tags have no meaning here: remove '!!python/object:os.system'"},
    {"seed: !mine 5\n", "x.yaml:3:7: tags have no meaning here: remove '!mine'"},
    {"---\nseed: 1\n", "x.yaml:3:1: a second document begins here; one file holds one config"},
    {"seed: [1, 2\n", "x.yaml:4:1: is not valid YAML: did not find expected ',' or ']' while "},
    {"\tseed: 1\n", "x.yaml:3:1: is not valid YAML: found character that cannot start any token"},
    {"seed: *nowhere\n", "x.yaml:3:7: is not valid YAML: found undefined alias"},
    {"note: \"a\\0b\"\n", "x.yaml:3:7: has a NUL character ('\\0') in a text; remove it"},
    {"note: a\001b\n", "x.yaml:3:8: has the control character U+0001 here; remove it"},
    {"note: \xff\n", "x.yaml:3:7: is not UTF-8 here (byte 0xFF)"},
    {"note: \xed\xa0\x80\n", "x.yaml:3:7: is not UTF-8 here (byte 0xED)"}, /* a surrogate */
    {"note: \xc0\x80\n", "x.yaml:3:7: is not UTF-8 here (byte 0xC0)"},     /* overlong NUL */
    {"a: &a [*a]\n", "x.yaml:3:4: is nested deeper than 32 levels"},
};

static void expect_refusals(const struct refusal *cases, size_t n) {
    for (size_t i = 0; i < n; i++) {
        struct text t = {0};
        struct config c;
        struct error e = {0};
        text_add(&t, "%s%s", BASE, cases[i].text);
        int status = config_parse(&c, t.data, "x.yaml", &e);
        expect_prefix(e.text, cases[i].sentence);
        assert_int_equal(status, STATUS_USAGE);
        assert_null(c.top.values); /* nothing is left behind */
        free(t.data);
    }
}
#define EXPECT_REFUSALS(cases) expect_refusals(cases, sizeof cases / sizeof *cases)

static void unknown_keys_are_refused_with_the_nearest_known_one(void **state) {
    (void)state;
    EXPECT_REFUSALS(key_refusals);
}

static void wrong_values_are_refused_at_their_place(void **state) {
    (void)state;
    EXPECT_REFUSALS(value_refusals);
}

static void unknown_plug_ins_are_refused(void **state) {
    (void)state;
    EXPECT_REFUSALS(plugin_refusals);
}

static void contradictions_and_unusable_names_are_refused(void **state) {
    (void)state;
    EXPECT_REFUSALS(span_refusals);
}

static void what_is_no_plain_yaml_is_refused(void **state) {
    (void)state;
    EXPECT_REFUSALS(yaml_refusals);
}

static void what_must_be_given_is_asked_for(void **state) {
    (void)state;
    static const struct refusal cases[] = {
        {"", "x.yaml: is empty; a config needs at least 'data' and 'net'"},
        {"# nothing\n", "x.yaml: is empty; a config needs at least 'data' and 'net'"},
        {"5\n", "x.yaml:1:1: a config is a mapping of keys, as in 'seed: 1'"},
        {"[1]\n", "x.yaml:1:1: a config is a mapping of keys, as in 'seed: 1'"},
        {"net: {arch: mlp}\n", "x.yaml:1:1: data.set is missing; give one of optotypes, "},
        {"seed: 1\ndata:\nnet: {arch: mlp}\n", "x.yaml:2:1: data.set is missing; give one of "},
        {"data: {set: optotypes}\n", "x.yaml:1:1: net.arch is missing; give one of mlp, "},
        {"data: {set: optotypes}\nnet: {arch: ~}\n", "x.yaml:2:7: net.arch is missing; give "},
        {"data: {set: optotypes}\nnet: []\n", "x.yaml:2:6: net: must be a mapping of keys, not a"},
        {"data: {set: cifar10}\nnet: {arch: mlp}\n",
         "x.yaml:1:13: data.path is missing: cifar10 is read from files"},
        {"data: {set: mnist, path: x, augment: {flip: true}}\nnet: {arch: mlp}\n",
         "x.yaml:1:45: data.augment.flip: must be false, as a mirrored image of mnist may"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct config c;
        struct error e = {0};
        assert_int_equal(config_parse(&c, cases[i].text, "x.yaml", &e), STATUS_USAGE);
        expect_prefix(e.text, cases[i].sentence);
    }
}

static void more_deficits_than_fit_are_refused(void **state) {
    (void)state;
    struct text t = {0};
    struct config c;
    struct error e = {0};
    text_add(&t, BASE "deficits:\n");
    for (int i = 0; i <= CONFIG_DEFICITS; i++) text_add(&t, "  - {type: vflip, until: 1}\n");
    assert_int_equal(config_parse(&c, t.data, "x.yaml", &e), STATUS_USAGE);
    expect_prefix(e.text, "x.yaml:4:3: deficits: has 17 entries; at most 16 are possible");
    free(t.data);
}

/* ---- hostile files --------------------------------------------------------------------------- */

struct folder {
    char path[64];
};

static struct folder folder_create(void) {
    struct folder f;
    snprintf(f.path, sizeof f.path, "/tmp/imprint-config-XXXXXX");
    assert_non_null(mkdtemp(f.path));
    return f;
}

/* Write a file, load it as an experiment, and compare what is said after the folder's name. */
static void expect_file_refused(const char *name, const void *bytes, size_t n,
                                const char *sentence) {
    struct folder f = folder_create();
    struct experiment *x;
    struct error e = {0};
    char path[128];
    snprintf(path, sizeof path, "%s/%s", f.path, name);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, n, file), n);
    fclose(file);
    int status = experiment_load(&x, path, NULL, NULL, 0, &e);
    unlink(path);
    rmdir(f.path);
    expect_prefix(e.text, f.path);
    expect_prefix(e.text + strlen(f.path) + 1, sentence);
    assert_int_equal(status, STATUS_USAGE);
    assert_null(x);
}

/* Without the final NUL. */
static void put(char *to, const char *text) {
    while (*text) *to++ = *text++;
}

static void hostile_files_are_refused_quickly(void **state) {
    (void)state;
    enum { LARGE = (1 << 20) - 16 };
    char *large = malloc(LARGE + 32);
    assert_non_null(large);
    clock_t start = clock();

    memset(large, '[', LARGE);
    put(large, "a: ");
    expect_file_refused("x.yaml", large, LARGE, "x.yaml: is nested deeper than 32 levels");
    for (int i = 3; i < LARGE; i++) large[i] = "- "[i % 2];
    large[2] = '\n';
    expect_file_refused("x.yaml", large, LARGE, "x.yaml:2:");
    for (int i = 3; i + 5 <= LARGE; i += 5) put(large + i, " &a x");
    expect_file_refused("x.yaml", large, LARGE, "x.yaml: has more than 2048 anchors (&)");
    memset(large, '#', LARGE + 32);
    expect_file_refused("x.yaml", large, LARGE + 32, "x.yaml: is larger than 1 MiB");

    free(large);
    /* each takes milliseconds; libyaml alone takes minutes for the first and the third */
    assert_true((double)(clock() - start) / CLOCKS_PER_SEC < 20.0);
}

static void alias_bombs_are_refused(void **state) {
    (void)state;
    static const char bomb[] =
        "a: &a [x,x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a,*a]\n"
        "c: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b,*b]\nd: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c,*c]\n"
        "e: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d,*d]\nf: &f [*e,*e,*e,*e,*e,*e,*e,*e,*e,*e]\n"
        "g: &g [*f,*f,*f,*f,*f,*f,*f,*f,*f,*f]\nh: &h [*g,*g,*g,*g,*g,*g,*g,*g,*g,*g]\n";
    expect_file_refused("x.yaml", bomb, sizeof bomb - 1,
                        "x.yaml:1:26: the file holds more than 100000 values once its aliases");
}

static void wrong_encodings_are_refused(void **state) {
    (void)state;
    static const char nul[] = "seed: 1\nno\0te: x\n", utf16[] = "\xff\xfes\0e\0e\0d\0",
                      utf16_big[] = "\xfe\xff\0s\0e";
    expect_file_refused("x.yaml", nul, sizeof nul - 1,
                        "x.yaml:2:3: has a NUL byte here; a config is UTF-8 text");
    expect_file_refused("x.yaml", utf16, sizeof utf16 - 1,
                        "x.yaml: is UTF-16 or UTF-32; save it as UTF-8");
    expect_file_refused("x.yaml", utf16_big, sizeof utf16_big - 1,
                        "x.yaml: is UTF-16 or UTF-32; save it as UTF-8");
    expect_file_refused("x.yaml", "", 0, "x.yaml: is empty");
}

static void a_file_name_that_cannot_name_a_folder_asks_for_a_name(void **state) {
    (void)state;
    expect_file_refused("my config.yaml", BASE, sizeof BASE - 1,
                        "my config.yaml:1:1: experiment: 'my config' cannot name a folder; use");
}

static void folders_and_missing_files_are_refused(void **state) {
    (void)state;
    struct experiment *x;
    struct error e = {0};
    assert_int_equal(experiment_load(&x, "/tmp", NULL, NULL, 0, &e), STATUS_USAGE);
    assert_string_equal(e.text, "/tmp: is a directory; name a config file in it");
    assert_int_equal(experiment_load(&x, "/no/such.yaml", NULL, NULL, 0, &e), STATUS_USAGE);
    assert_string_equal(e.text, "/no/such.yaml: cannot open the config: No such file or directory");
}

static void a_byte_order_mark_and_windows_line_ends_are_taken(void **state) {
    (void)state;
    struct config c = parsed("\xef\xbb\xbf"
                             "data: {set: optotypes}\r\nnet: {arch: mlp}\r\nseed: 4\r\n");
    assert_int_equal(c.data_seed, 4);
    config_free(&c);
}

/* ---- one config ------------------------------------------------------------------------------ */

static void an_almost_empty_config_has_every_default(void **state) {
    (void)state;
    size_t n;
    struct config c = parsed(BASE);
    assert_string_equal(settings_text(&c.top, "experiment"), "x"); /* from x.yaml */
    assert_int_equal(settings_int(&c.train, "batch"), 128);
    assert_int_equal(settings_int(&c.epochs, "after_removal"), 20);
    assert_false(settings_is_set(&c.epochs, "total"));
    assert_true(settings_real(&c.lr, "base") == 0.05);
    assert_true(settings_is(&c.at_removal, "momentum", "keep"));
    assert_true(settings_is(&c.fisher, "estimator", "sampled"));
    settings_texts(&c.fisher, "on", &n);
    assert_int_equal(n, 2);
    assert_int_equal(c.deficits_n, 0);
    assert_ptr_equal(c.dataset, dataset_find("optotypes"));
    assert_ptr_equal(c.arch, arch_find("mlp"));
    assert_ptr_equal(c.optimizer_type, optimizer_find("sgd"));
    assert_ptr_equal(c.schedule, schedule_find("constant"));
    config_free(&c);
}

static void null_sections_are_defaults_too(void **state) {
    (void)state;
    struct config c = parsed(BASE "train: ~\ndeficits:\nnote: ~\n"), plain = parsed(BASE);
    char *dump = config_dump(&c), *expected = config_dump(&plain);
    assert_string_equal(dump, expected);
    free(dump);
    free(expected);
    config_free(&c);
    config_free(&plain);
}

static void seeds_default_to_the_experiment_s(void **state) {
    (void)state;
    struct config a = parsed(BASE "seed: 9\n");
    assert_int_equal(a.data_seed, 9);
    assert_int_equal(a.net_seed, 9);
    assert_int_equal(a.train_seed, 9);
    struct config b = parsed(BASE "seed: 9\ntrain: {seed: 0}\n");
    assert_int_equal(b.data_seed, 9);
    assert_int_equal(b.train_seed, 0);
    config_free(&a);
    config_free(&b);
}

static void total_epochs_replace_the_default(void **state) {
    (void)state;
    struct config c = parsed(BASE "train: {epochs: {total: 7}}\n");
    assert_int_equal(settings_int(&c.epochs, "total"), 7);
    assert_false(settings_is_set(&c.epochs, "after_removal"));
    config_free(&c);
}

static void hash_section(const struct settings *s, char digest[HASH_TEXT]) {
    struct hash *h = hash_create();
    settings_hash(s, h);
    hash_digest(h, digest);
    hash_free(h);
}

static void spellings_of_one_config_hash_alike(void **state) {
    (void)state;
    struct config a = parsed("seed: 4\ndata: {set: optotypes, contrast: 0.1}\nnet: {arch: mlp}\n");
    struct config b = parsed("net: {seed: 4, arch: 'mlp'}\ntrain: {seed: 4, batch: 128}\nseed: 4\n"
                             "data: {seed: 4, contrast: 1e-1, set: optotypes, train: 0}\n");
    const struct settings *pairs[][2] = {
        {&a.data, &b.data}, {&a.net, &b.net}, {&a.train, &b.train}, {&a.lr, &b.lr}};
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        char x[HASH_TEXT], y[HASH_TEXT];
        hash_section(pairs[i][0], x);
        hash_section(pairs[i][1], y);
        assert_string_equal(x, y);
    }
    config_free(&a);
    config_free(&b);
}

static void aliases_stand_for_what_they_name(void **state) {
    (void)state;
    struct config c = parsed(BASE "deficits:\n  - &first {type: blur, until: 4}\n  - *first\n");
    assert_int_equal(c.deficits_n, 2);
    assert_int_equal(settings_epoch(&c.deficits[1], "until").offset, 4);
    assert_ptr_equal(c.deficit_types[1], deficit_find("blur"));
    config_free(&c);
}

static void a_copy_is_equal_and_shares_nothing(void **state) {
    (void)state;
    struct config copy, c = parsed(BASE "deficits: [{type: blur, until: 4}]\nnote: hello\n");
    char *expected = config_dump(&c);
    config_copy(&copy, &c);
    config_free(&c);
    char *dump = config_dump(&copy);
    assert_string_equal(dump, expected);
    config_free(&copy);
    free(dump);
    free(expected);
}

/* ---- the dump -------------------------------------------------------------------------------- */

static void expect_equal_settings(const struct settings *a, const struct settings *b) {
    assert_int_equal(a->n, b->n);
    for (size_t i = 0; i < a->n; i++) {
        const struct setting *x = &a->values[i], *y = &b->values[i];
        assert_ptr_equal(x->param, y->param);
        assert_int_equal(x->is_set, y->is_set);
        if (x->is_set) assert_string_equal(x->text, y->text);
    }
}

static const struct settings *settings_of(const struct config *c, const struct section *s,
                                          size_t i) {
    return (const struct settings *)((const char *)c + s->settings) + i;
}

static size_t entries_of(const struct config *c, const struct section *s) {
    return s->limit ? *(const size_t *)((const char *)c + s->count) : 1;
}

static void expect_equal_configs(const struct config *a, const struct config *b) {
    size_t n;
    const struct section *sections = schema_sections(&n);
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(entries_of(a, &sections[i]), entries_of(b, &sections[i]));
        for (size_t k = 0; k < entries_of(a, &sections[i]); k++)
            expect_equal_settings(settings_of(a, &sections[i], k), settings_of(b, &sections[i], k));
    }
    assert_ptr_equal(a->arch, b->arch);
    assert_ptr_equal(a->dataset, b->dataset);
    assert_ptr_equal(a->schedule, b->schedule);
    assert_ptr_equal(a->optimizer_type, b->optimizer_type);
    assert_true(a->data_seed == b->data_seed && a->net_seed == b->net_seed &&
                a->train_seed == b->train_seed);
}

/* Any value that the parameter takes, as YAML. */
static void random_text(struct rng *r, struct text *t) {
    static const char *const pieces[] = {"a",
                                         "B7",
                                         " ",
                                         "'",
                                         "\"",
                                         "\\",
                                         "#",
                                         ": ",
                                         "- ",
                                         "~",
                                         "null",
                                         "true",
                                         "1e5",
                                         "0x1",
                                         "\n",
                                         "\t",
                                         "[",
                                         "}",
                                         ",",
                                         "&x",
                                         "*",
                                         "!",
                                         "%",
                                         "@",
                                         "`",
                                         "\x1B",
                                         "=",
                                         "?",
                                         "\xC3\xA9",
                                         "\xC2\x85",
                                         "\xE2\x80\xA8",
                                         "\xF0\x9F\x98\x80"};
    struct text value = {0};
    text_add(&value, "%s", rng_below(r, 2) ? "x" : "");
    for (uint32_t n = rng_below(r, 6); n > 0; n--)
        text_add(&value, "%s", pieces[rng_below(r, sizeof pieces / sizeof *pieces)]);
    text_quote(t, value.data);
    free(value.data);
}

static void random_choice(struct rng *r, const char *choices, struct text *t) {
    char *all = text_copy(choices), *rest = all, *picked = all;
    uint32_t n = 0;
    for (char *c; (c = strsep(&rest, "|"));)
        if (rng_below(r, ++n) == 0) picked = c;
    text_add(t, "%s", picked);
    free(all);
}

static int64_t random_int(struct rng *r, const struct param *p) {
    bool bounded = p->min != 0.0 || p->max != 0.0;
    double low = bounded ? p->min : -1e6, high = bounded && p->max < 1e15 ? p->max : 1e6;
    return (int64_t)floor(low + rng_uniform(r) * (high - low));
}

static double random_real(struct rng *r, const struct param *p) {
    bool bounded = p->min != 0.0 || p->max != 0.0;
    double low = bounded ? p->min : -1e3, high = bounded && p->max < 1e15 ? p->max : low + 1e3;
    double u = rng_uniform(r);
    return low + (rng_below(r, 2) ? u : u * u * u * u * u * u * 1e-3) * (high - low);
}

static void random_epoch(struct rng *r, struct text *t) {
    static const char *const anchors[] = {"onset", "removal", "end"};
    if (rng_below(r, 2)) {
        text_add(t, "%u", rng_below(r, 1000));
        return;
    }
    text_add(t, "%s", anchors[rng_below(r, 3)]);
    if (rng_below(r, 2)) text_add(t, "%+d", (int)rng_below(r, 41) - 20);
}

static void random_value(struct rng *r, const struct param *p, struct text *t) {
    char number[TEXT_REAL];
    uint32_t n = rng_below(r, 4);
    switch (p->type) {
    case PARAM_BOOL:
        text_add(t, rng_below(r, 2) ? "true" : "false");
        break;
    case PARAM_INT:
        text_add(t, "%lld", (long long)random_int(r, p));
        break;
    case PARAM_REAL:
        text_print_real(number, random_real(r, p));
        text_add(t, "%s", number);
        break;
    case PARAM_TEXT:
        random_text(r, t);
        break;
    case PARAM_CHOICE:
        random_choice(r, p->choices, t);
        break;
    case PARAM_EPOCH:
        random_epoch(r, t);
        break;
    case PARAM_INTS:
        text_add(t, "[");
        while (n--) text_add(t, "%lld%s", (long long)random_int(r, p), n ? ", " : "");
        text_add(t, "]");
        break;
    case PARAM_TEXTS:
        text_add(t, "[");
        if (p->choices && n) random_choice(r, p->choices, t);
        text_add(t, "]");
        break;
    }
}

/* Keys that something beside their type restricts; they are chosen apart. */
static bool is_restricted(const struct section *s, const struct param *p) {
    static const char *const names[] = {"experiment", "path",          "flip", "deficit_probes",
                                        "measures",   "after_removal", "of"};
    if (s->tag && !strcmp(p->name, s->tag)) return true;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (!strcmp(p->name, names[i])) return true;
    return false;
}

static void random_table(struct rng *r, const struct section *s, const struct param *table,
                         struct text *t) {
    for (; table && table->name; table++) {
        if (is_restricted(s, table)) continue;
        if (table->preset && rng_below(r, 2)) continue;
        text_add(t, "%s: ", table->name);
        random_value(r, table, t);
        text_add(t, ", ");
    }
}

static struct plugin random_plugin(struct rng *r, const struct registry *registry) {
    struct plugin p = {0}, picked = {0};
    for (size_t i = 0; registry->at(i, &p); i++)
        if (rng_below(r, (uint32_t)i + 1) == 0) picked = p;
    return picked;
}

static void random_keys(struct rng *r, const struct section *s, const struct plugin *p,
                        struct text *t) {
    random_table(r, s, p->params, t);
    if (!p->wraps) return;
    struct plugin inner = random_plugin(r, s->registry);
    while (inner.wraps) inner = random_plugin(r, s->registry);
    text_add(t, "%s: %s, ", p->wraps, inner.name);
    random_table(r, s, inner.params, t);
}

static void random_section(struct rng *r, const struct section *s, struct text *t) {
    size_t n;
    const struct section *all = schema_sections(&n);
    random_table(r, s, s->params, t);
    if (s->registry) {
        struct plugin p = random_plugin(r, s->registry);
        text_add(t, "%s: %s, ", s->tag, p.name);
        if (!strcmp(s->path, "data")) text_add(t, "path: /here, ");
        random_keys(r, s, &p, t);
    }
    for (size_t i = 0; i < n; i++) {
        if (!section_inside(&all[i], s) || all[i].is_outside) continue; /* in no dump */
        text_add(t, "%s: %s", section_key(&all[i]), all[i].limit ? "[" : "");
        for (uint32_t k = all[i].limit ? rng_below(r, 4) : 1; k > 0; k--) {
            text_add(t, "{");
            random_section(r, &all[i], t);
            text_add(t, "}%s", all[i].limit ? ", " : "");
        }
        text_add(t, "%s, ", all[i].limit ? "]" : "");
    }
}

static void a_dump_reads_back_as_the_same_config(void **state) {
    (void)state;
    size_t n;
    struct rng r = rng_stream(7, "order", 0, 0);
    const struct section *top = schema_sections(&n);
    for (int i = 0; i < 400; i++) {
        struct text t = {0};
        text_add(&t, "{experiment: e%d, ", i);
        random_section(&r, top, &t);
        text_add(&t, "}");
        struct config c = parsed(t.data);
        char *dump = config_dump(&c);
        struct config back = parsed(dump);
        char *again = config_dump(&back);
        expect_equal_configs(&c, &back);
        assert_string_equal(dump, again);
        config_free(&c);
        config_free(&back);
        free(dump);
        free(again);
        free(t.data);
    }
}

static void a_dump_shows_what_was_resolved(void **state) {
    (void)state;
    struct config c = parsed(BASE "seed: 5\ntrain: {epochs: {total: 3}}\n"
                                  "deficits: [{type: blur, until: removal + 2}]\n");
    char *dump = config_dump(&c);
    assert_non_null(strstr(dump, "seed: 5\n"));
    assert_non_null(strstr(dump, "\n  epochs:\n    total: 3\n"));
    assert_null(strstr(dump, "after_removal"));
    assert_non_null(
        strstr(dump, "\ndeficits:\n  - type: blur\n    from: 0\n    until: removal+2\n"));
    free(dump);
    config_free(&c);
}

/* ---- experiments ----------------------------------------------------------------------------- */

enum { OVERRIDES = 4 };

static size_t count(const char *const *overrides) {
    size_t n = 0;
    while (n < OVERRIDES && overrides[n]) n++;
    return n;
}

static struct experiment *loaded(const char *profile, const char *const overrides[OVERRIDES]) {
    struct experiment *x;
    struct error e = {0};
    int status = experiment_load(&x, FIXTURE, profile, overrides, count(overrides), &e);
    if (status) print_error("%s\n", e.text);
    assert_int_equal(status, STATUS_OK);
    return x;
}

static const char *const no_overrides[OVERRIDES] = {0};

static struct config point_config(const struct experiment *x, size_t point) {
    struct config c;
    struct error e = {0};
    int status = experiment_config(x, point, &c, &e);
    if (status) print_error("point %zu: %s\n", point, e.text);
    assert_int_equal(status, STATUS_OK);
    return c;
}

static size_t axis_at(const struct experiment *x, const char *name) {
    for (size_t i = 0; i < experiment_axes(x); i++)
        if (!strcmp(experiment_axis(x, i), name)) return i;
    print_error("there is no axis %s\n", name);
    fail();
    return 0;
}

static const char *label(const struct experiment *x, size_t point, const char *axis) {
    return experiment_label(x, point, axis_at(x, axis));
}

static void points_run_through_the_parts_with_the_last_axis_fastest(void **state) {
    (void)state;
    struct experiment *x = loaded(NULL, no_overrides);
    assert_string_equal(experiment_name(x), "sweep");
    /* main: 3 zipped removal and rate x 3 clocks x 2 seeds; flip: 3; onset: 2; single: 1 */
    assert_int_equal(experiment_points(x), 18 + 3 + 2 + 1);
    assert_int_equal(experiment_axes(x), 6);
    static const struct {
        size_t point;
        const char *part, *removal, *rate, *clock, *seed;
    } expected[] = {{0, "main", "0", "0.05", "run", "1"},   {1, "main", "0", "0.05", "run", "2"},
                    {2, "main", "0", "0.05", "fixed", "1"}, {5, "main", "0", "0.05", "cycles", "2"},
                    {6, "main", "2", "0.1", "run", "1"},    {17, "main", "4", "0.2", "cycles", "2"},
                    {18, "flip", NULL, NULL, NULL, "1"},    {20, "flip", NULL, NULL, NULL, "3"},
                    {22, "onset", NULL, NULL, NULL, NULL},  {23, "single", NULL, NULL, NULL, NULL}};
    static const char *const axes[] = {"removal", "rate", "clock", "seed"};
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++) {
        const char *labels[] = {expected[i].removal, expected[i].rate, expected[i].clock,
                                expected[i].seed};
        assert_string_equal(experiment_part(x, expected[i].point), expected[i].part);
        for (size_t k = 0; k < 4; k++) {
            const char *got = label(x, expected[i].point, axes[k]);
            assert_int_equal(got == NULL, labels[k] == NULL);
            if (got) assert_string_equal(got, labels[k]);
        }
    }
    experiment_free(x);
}

static void a_point_has_its_part_s_and_its_axes_values(void **state) {
    (void)state;
    struct experiment *x = loaded(NULL, no_overrides);
    struct config c = point_config(x, 17); /* removal 4, rate 0.2, cycles, seed 2 */
    assert_int_equal(settings_epoch(&c.deficits[0], "until").offset, 4);
    assert_true(settings_real(&c.lr, "base") == 0.2);
    assert_int_equal(settings_int(&c.lr, "period"), 5);
    assert_int_equal(c.data_seed, 2);
    assert_int_equal(settings_int(&c.epochs, "after_removal"), 25);
    config_free(&c);
    c = point_config(x, 20); /* flip, seed 3 */
    assert_int_equal(c.deficits_n, 1);
    assert_ptr_equal(c.deficit_types[0], deficit_find("vflip"));
    assert_int_equal(c.net_seed, 3);
    config_free(&c);
    c = point_config(x, 22); /* onset 4, until 12 */
    assert_int_equal(settings_epoch(&c.deficits[0], "from").offset, 4);
    assert_int_equal(settings_epoch(&c.deficits[0], "until").offset, 12);
    assert_int_equal(c.net_seed, 3); /* the file's seed: the part has no axis of seeds */
    config_free(&c);
    c = point_config(x, 23); /* single: a later layer's total replaces after_removal */
    assert_int_equal(c.deficits_n, 0);
    assert_int_equal(settings_int(&c.epochs, "total"), 7);
    assert_false(settings_is_set(&c.epochs, "after_removal"));
    config_free(&c);
    experiment_free(x);
}

static void seed_axes_are_known_as_such(void **state) {
    (void)state;
    static const char *const overrides[OVERRIDES] = {"net.seed=1,2"};
    struct experiment *x = loaded(NULL, overrides);
    assert_true(experiment_axis_is_seed(x, axis_at(x, "seed")));
    assert_true(experiment_axis_is_seed(x, axis_at(x, "net.seed"))); /* "seed" is taken */
    assert_false(experiment_axis_is_seed(x, axis_at(x, "removal")));
    assert_false(experiment_axis_is_seed(x, axis_at(x, "clock")));
    experiment_free(x);
}

static void a_profile_is_laid_over_the_file(void **state) {
    (void)state;
    struct experiment *x = loaded("small", no_overrides);
    struct config c = point_config(x, 0);
    assert_int_equal(settings_int(&c.data, "train"), 80);
    assert_int_equal(c.net_seed, 9); /* wins over the axis seed, which is only the default */
    assert_int_equal(c.data_seed, 1);
    assert_true(settings_real(&c.deficits[0], "factor") == 2.0);
    config_free(&c);
    experiment_free(x);
    x = loaded("empty", no_overrides);
    c = point_config(x, 0);
    assert_int_equal(settings_int(&c.data, "train"), 800);
    config_free(&c);
    experiment_free(x);
}

static void an_override_wins_over_the_profile(void **state) {
    (void)state;
    static const char *const overrides[OVERRIDES] = {"data.train=7", "data={test: 5}",
                                                     "deficits[0].kernel=area", "data.train=8"};
    struct experiment *x = loaded("small", overrides);
    struct config c = point_config(x, 0);
    assert_int_equal(settings_int(&c.data, "train"), 8); /* and a later one over an earlier */
    assert_int_equal(settings_int(&c.data, "test"), 5);
    assert_true(settings_is(&c.deficits[0], "kernel", "area"));
    assert_true(settings_real(&c.deficits[0], "factor") == 2.0);
    config_free(&c);
    experiment_free(x);
}

static void another_plug_in_drops_the_old_one_s_keys(void **state) {
    (void)state;
    static const char *const overrides[OVERRIDES] = {"train.lr.schedule=cosine", "clock=run",
                                                     "deficits[0].type=vflip"};
    struct experiment *x = loaded(NULL, overrides);
    struct config c = point_config(x, 0);
    assert_ptr_equal(c.schedule, schedule_find("cosine"));       /* the file's gamma is no error */
    assert_ptr_equal(c.deficit_types[0], deficit_find("vflip")); /* nor is its factor */
    config_free(&c);
    experiment_free(x);
}

static void several_values_make_an_axis_in_every_part(void **state) {
    (void)state;
    static const char *const overrides[OVERRIDES] = {"train.batch=16,32"};
    struct experiment *x = loaded(NULL, overrides);
    assert_int_equal(experiment_points(x), 2 * 24);
    assert_string_equal(label(x, 0, "batch"), "16");
    assert_string_equal(label(x, 1, "batch"), "32");
    assert_string_equal(label(x, 47, "batch"), "32");
    struct config c = point_config(x, 47);
    assert_int_equal(settings_int(&c.train, "batch"), 32);
    config_free(&c);
    experiment_free(x);
}

static void an_override_of_an_axis_changes_its_values(void **state) {
    (void)state;
    static const struct {
        const char *overrides[OVERRIDES];
        size_t points;
        const char *axis, *last; /* a label of the last point of main */
    } cases[] = {
        {{"seed=5"}, 9 + 1 + 2 + 1, "seed", "5"}, /* in main and in flip; the axis stays */
        {{"seed=5,6,7,8"}, 36 + 4 + 2 + 1, "seed", "8"},
        {{"train.lr.base=1,2,0.3"}, 18 + 3 + 2 + 1, "rate", "0.3"}, /* by its key, not its name */
        {{"clock=run,cycles"}, 12 + 3 + 2 + 1, "clock", "cycles"},  /* some of the overlays */
        {{"sweep.axes.seed=[7]"}, 9 + 3 + 2 + 1, "seed", "7"},      /* the sweep's own keys */
        {{"sweep.parts=~"}, 18, "seed", "2"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct experiment *x = loaded(NULL, cases[i].overrides);
        size_t last = 0;
        assert_int_equal(experiment_points(x), cases[i].points);
        while (last + 1 < experiment_points(x) && !strcmp(experiment_part(x, last + 1), "main"))
            last++;
        assert_string_equal(label(x, last, cases[i].axis), cases[i].last);
        experiment_free(x);
    }
}

static void the_experiment_can_be_named_on_the_command_line(void **state) {
    (void)state;
    static const char *const overrides[OVERRIDES] = {"experiment=other"};
    struct experiment *x = loaded(NULL, overrides);
    struct config c = point_config(x, 3);
    assert_string_equal(experiment_name(x), "other");
    assert_string_equal(settings_text(&c.top, "experiment"), "other");
    config_free(&c);
    experiment_free(x);
}

static void a_file_without_sweep_is_one_point(void **state) {
    (void)state;
    static const char *const overrides[OVERRIDES] = {"sweep=~"};
    struct experiment *x = loaded(NULL, overrides);
    assert_int_equal(experiment_points(x), 1);
    assert_int_equal(experiment_axes(x), 0);
    assert_string_equal(experiment_part(x, 0), "main");
    struct config c = point_config(x, 0);
    assert_int_equal(settings_epoch(&c.deficits[0], "until").offset, 24);
    config_free(&c);
    experiment_free(x);
}

static void a_point_s_dump_is_its_config(void **state) {
    (void)state;
    struct experiment *x = loaded(NULL, no_overrides);
    for (size_t i = 0; i < experiment_points(x); i++) {
        struct config c = point_config(x, i);
        char *dump = config_dump(&c);
        struct config back = parsed(dump);
        expect_equal_configs(&c, &back);
        config_free(&c);
        config_free(&back);
        free(dump);
    }
    experiment_free(x);
}

static const struct {
    const char *profile, *override, *sentence;
} override_refusals[] = {
    {"smal", NULL, FIXTURE ": there is no profile 'smal' (did you mean 'small'?)"},
    {"nope", NULL, FIXTURE ": there is no profile 'nope' (known: small, empty)"},
    {NULL, "nonsense", "override 'nonsense': write it as key=value, as in train.batch=64"},
    {NULL, "=3", "override '=3': write it as key=value, as in train.batch=64"},
    {NULL, "train.batch=[1", "override 'train.batch=[1': the value is not valid YAML; put it in"},
    {NULL, "a..b=1", "override 'a..b=1': 'a..b' is no key (write it as in deficits[0].until)"},
    {NULL, "deficits[x].until=1", "override 'deficits[x].until=1': 'deficits[x].until' is no key"},
    {NULL, "deficits[1].until=9",
     "override 'deficits[1].until=9': deficits[1] does not exist (the list has 1)"},
    {NULL, "deficits.until=9",
     "override 'deficits.until=9': 'deficits' is a list: write deficits[0].until"},
    {NULL, "a\nb[0]=9", "override 'a?b[0]=9': there is no list 'a?b' to have the entry [0]"},
    {NULL, "net[0]=9", "override 'net[0]=9': 'net' is no list and has no entry [0]"},
    {NULL, "seed.x=9", "override 'seed.x=9': 'seed' is one value and has no key 'x'"},
    {NULL, "train.batch=0",
     "override 'train.batch=0': train.batch: must be a whole number in 1..65536, not '0'"},
    {NULL, "train.btch=9",
     "override 'train.btch=9': train.btch: unknown key (did you mean 'batch'?)"},
    {NULL, "train.batch=", "override 'train.batch=': train.batch: needs a value"},
    {NULL, "train.batch=8,x",
     "override 'train.batch=8,x': train.batch: must be a whole number in 1..65536, not 'x' (at "
     "part main, removal=0, rate=0.05, clock=run, seed=1, batch=x)"},
    {NULL, "train.seed=1,1.0",
     "override 'train.seed=1,1.0': sweep: axis 'train.seed' has the value 1 twice"},
    {NULL, "clock=run,cycls",
     "override 'clock=run,cycls': axis 'clock' has no overlay 'cycls' (did you mean 'cycles'?)"},
    {NULL, "removal=0,2",
     FIXTURE ":19:19: sweep.zip: axes that move together need as many values, but 'removal' has 2 "
             "and 'rate' 3"},
    {NULL, "profiles.small.seed=1", "override 'profiles.small.seed=1': profiles are chosen with"},
    {NULL, "sweep.axes.seed=1,2",
     "override 'sweep.axes.seed=1,2': 'sweep.axes.seed' takes one value; write a list as [1, 2]"},
    {NULL, "experiment=a,b",
     "override 'experiment=a,b': sweep: the experiment's name cannot be an axis"},
    {NULL, "experiment=a/b", "override 'experiment=a/b': experiment: 'a/b' cannot name a folder"},
    {NULL, "deficits=[]",
     FIXTURE ":12:50: deficits[0] does not exist (the list has 0) (at part main, removal=0, "
             "rate=0.05, clock=run, seed=1)"},
};

/* The first refusal of an experiment: while loading it or at one of its points. */
static int first_refusal(const char *path, const char *profile, const char *const *overrides,
                         size_t n, struct error *e) {
    struct experiment *x;
    int status = experiment_load(&x, path, profile, overrides, n, e);
    if (status) return status;
    for (size_t i = 0; i < experiment_points(x) && !status; i++) {
        struct config c;
        status = experiment_config(x, i, &c, e);
        if (!status) config_free(&c);
    }
    experiment_free(x);
    return status;
}

static void wrong_overrides_and_profiles_are_refused(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof override_refusals / sizeof *override_refusals; i++) {
        struct error e = {0};
        const char *const *override = &override_refusals[i].override;
        int status =
            first_refusal(FIXTURE, override_refusals[i].profile, override, *override != NULL, &e);
        expect_prefix(e.text, override_refusals[i].sentence);
        assert_int_equal(status, STATUS_USAGE);
    }
}

static const struct refusal sweep_refusals[] = {
    {"sweep: [1]\n", "3:8: sweep: must be a mapping with 'axes', 'zip', 'parts' or"},
    {"sweep: {axis: {}}\n", "3:9: sweep.axis: unknown key (did you mean 'axes'?)"},
    {"sweep: {axes: {}}\n", "3:9: sweep: 'axes' must be a mapping with at least one axis"},
    {"sweep: {axes: [seed]}\n", "3:9: sweep: 'axes' must be a mapping with at least one axis"},
    {"sweep: {axes: {seed: []}}\n", "3:22: sweep: axis 'seed' has no values"},
    {"sweep: {axes: {seed: 1}}\n", "3:22: sweep: the values of axis 'seed' must be a list"},
    {"sweep: {axes: {seed: [1, 2, 1]}}\n", "3:22: sweep: axis 'seed' has the value 1 twice"},
    {"sweep: {axes: {train.lr.base: [0.1, 1e-1]}}\n",
     "3:31: sweep: axis 'train.lr.base' has the value 0.1 twice"},
    {"sweep: {axes: {s: {key: seed}}}\n", "3:16: sweep.axes.s: 'values' is missing beside 'key'"},
    {"sweep: {axes: {s: {kye: seed, values: [1]}}}\n",
     "3:20: sweep.axes.s.kye: unknown key (known: key, values)"},
    {"sweep: {axes: {s: {key: [seed], values: [1]}}}\n",
     "3:25: sweep.axes.s.key: must be a config key, as in deficits[0].until"},
    {"sweep: {axes: {s: {a: {seed: 1}, b: 5}}}\n",
     "3:37: sweep.axes.s.b: must be an overlay, as in {train.batch: 64}; an axis is a list of"},
    {"sweep: {axes: {epoch: {key: seed, values: [1]}}}\n",
     "3:16: sweep: 'epoch' is a dimension of the logs; name an axis otherwise"},
    {"sweep: {axes: {rsv_bin: {key: seed, values: [1]}}}\n",
     "3:16: sweep: 'rsv_bin' is a dimension of the logs; name an axis otherwise"},
    {"sweep: {axes: {a/b: [1]}}\n", "3:16: sweep: 'a/b' cannot name an axis (1 to 63 characters"},
    {"sweep: {axes: {'': [1]}}\n", "3:16: sweep: '' cannot name an axis (1 to 63 characters"},
    {"sweep: {axes: {sede: [1]}}\n", "3:23: sede: unknown key (did you mean 'seed'?) (at sede=1)"},
    {"sweep: {axes: {experiment: [a]}}\n", "3:16: sweep: the experiment's name cannot be an axis"},
    {"sweep: {axes: {e: {a: {experiment: b}}}}\n",
     "3:36: experiment: a sweep cannot change the experiment's name"},
    {"sweep: {axes: {s: {a: {sweep: {}}}}}\n", "3:24: sweep: unknown key ("},
    {"sweep: {zip: []}\n", "3:9: sweep.zip: there are no axes to zip; give sweep.axes"},
    {"sweep: {axes: {seed: [1]}, zip: [seed]}\n",
     "3:34: sweep.zip: must be a list of lists of axes, as in [[removal, rate]]"},
    {"sweep: {axes: {seed: [1]}, zip: seed}\n",
     "3:33: sweep.zip: must be a list of lists of axes, as in [[removal, rate]]"},
    {"sweep: {axes: {seed: [1]}, zip: [[seed, sede]]}\n",
     "3:41: sweep.zip: there is no axis 'sede' (did you mean 'seed'?)"},
    {"sweep: {axes: {seed: [1], net.seed: [1]}, zip: [[seed, net.seed], [net.seed, seed]]}\n",
     "3:68: sweep.zip: axis 'net.seed' is there twice"},
    {"sweep: {axes: {seed: [1, 2], net.seed: [1]}, zip: [[seed, net.seed]]}\n",
     "3:59: sweep.zip: axes that move together need as many values, but 'seed' has 2 and "
     "'net.seed' "
     "1"},
    {"sweep: {parts: {}}\n", "3:9: sweep.parts: must be a mapping of names to parts"},
    {"sweep: {parts: {a: [1]}}\n", "3:20: sweep.parts.a: must be a mapping with 'set', 'axes' or"},
    {"sweep: {parts: {a: {sets: {}}}}\n",
     "3:21: sweep.parts.a.sets: unknown key (did you mean 'set'?)"},
    {"sweep: {parts: {a: {set: 1}}}\n",
     "3:26: sweep.parts.a.set: must be an overlay, as in {train.batch: 64}"},
    {"sweep: {axes: {seed: [1]}, parts: {main: {}}}\n",
     "3:36: sweep.parts.main: there is a part 'main' already (sweep.axes is the part 'main')"},
    {"sweep: {parts: {a: {}, a: {}}}\n", "3:24: duplicate key 'a' (first on line 3)"},
    {"sweep: {parts: {a/b: {}}}\n", "3:17: sweep: 'a/b' cannot name a part"},
    {"sweep: {parts: {a: {set: {trian: 1}}}}\n",
     "3:27: trian: unknown key (did you mean 'train'?)"},
    {"sweep: {parts: {a: {controls: [twin]}}}\n",
     "3:21: sweep.parts.a.controls: unknown key (known: axes, zip, set)"},
    {"sweep: {axes: {'=on_clean': [1]}}\n", "3:16: sweep: '=on_clean' cannot name an axis"},
    {"sweep: {controls: lr_clock}\n", "3:19: sweep.controls: must be a list, as in [lr_clock, s"},
    {"sweep: {controls: {lr_clock: 1}}\n", "3:19: sweep.controls: must be a list, as in ["},
    {"sweep: {controls: [lr_clok]}\n",
     "3:20: sweep.controls: there is no control 'lr_clok' (did you mean 'lr_clock'? known: twin, "
     "lr_clock, stabilizer_on_clean)"},
    {"sweep: {controls: [sham]}\n",
     "3:20: sweep.controls: there is no control 'sham' (known: twin, lr_clock, "
     "stabilizer_on_clean)"},
    {"sweep: {controls: [twin, [lr_clock]]}\n", "3:26: sweep.controls: there is no control ''"},
    {"sweep: {controls: [twin, lr_clock, twin]}\n", "3:36: sweep.controls: 'twin' is there twice"},
    {"sweep: {control: [twin]}\n", "3:9: sweep.control: unknown key (did you mean 'controls'?)"},
    {"profiles: 5\n", "3:11: profiles: must be a mapping of names to overlays"},
    {"profiles: {a: 5}\n", "3:15: profiles: must be an overlay, as in {train.batch: 64}"},
    {"profiles: {a: {profiles: {}}}\n", "3:16: profiles: a profile has no profiles"},
};

/* A file of its own, and what is said of it after the file's name. */
static void expect_sweep_refused(const char *text, const char *sentence) {
    struct folder f = folder_create();
    struct error e = {0};
    char path[128];
    snprintf(path, sizeof path, "%s/x.yaml", f.path);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fprintf(file, "%s%s", BASE, text);
    fclose(file);
    int status = first_refusal(path, NULL, NULL, 0, &e);
    unlink(path);
    rmdir(f.path);
    expect_prefix(e.text, path);
    expect_prefix(e.text + strlen(path) + 1, sentence);
    assert_int_equal(status, STATUS_USAGE);
}

static void wrong_sweeps_and_profiles_are_refused(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof sweep_refusals / sizeof *sweep_refusals; i++)
        expect_sweep_refused(sweep_refusals[i].text, sweep_refusals[i].sentence);
}

static void add_axis(struct text *t, const char *name, int n) {
    text_add(t, "    %s: [", name);
    for (int i = 1; i <= n; i++) text_add(t, "%d%s", i, i < n ? ", " : "]\n");
}

static void a_sweep_of_more_than_a_million_points_is_refused(void **state) {
    (void)state;
    struct text t = {0};
    text_add(&t, "sweep:\n  axes:\n");
    add_axis(&t, "net.seed", 1000);
    add_axis(&t, "data.seed", 1001);
    expect_sweep_refused(t.data, "4:3: sweep: the axes give more than 1000000 points, which is");
    free(t.data);
}

static void ten_thousand_points_resolve_quickly(void **state) {
    (void)state;
    static const char *const overrides[OVERRIDES] = {"sweep.parts=~", "net.seed=1,2,3,4,5,6,7,8,9",
                                                     "train.batch=1,2,3,4,5,6,7,8,9",
                                                     "train.seed=1,2,3,4,5,6,7"};
    struct experiment *x = loaded(NULL, overrides);
    size_t n = experiment_points(x);
    assert_true(n > 10000);
    clock_t start = clock();
    for (size_t i = 0; i < 10000; i++) {
        struct config c = point_config(x, i);
        config_free(&c);
    }
    /* about 0.5 s; ten times that under sanitizers on a busy machine */
    assert_true((double)(clock() - start) / CLOCKS_PER_SEC < 10.0);
    experiment_free(x);
}

/* ---- the configs that come with imprint ------------------------------------------------------ */

static void expect_resolves(const char *path, const char *profile) {
    static const char *const overrides[] = {"data.path=/elsewhere"};
    struct error e = {0};
    int status = first_refusal(path, profile, overrides, 1, &e);
    if (status) print_error("%s, profile %s: %s\n", path, profile ? profile : "none", e.text);
    assert_int_equal(status, STATUS_OK);
}

static void every_config_in_the_repository_resolves_under_every_profile(void **state) {
    (void)state;
    glob_t found;
    glob("configs/*.yaml", 0, NULL, &found);
    glob("configs/*/*.yaml", GLOB_APPEND, NULL, &found);
    assert_true(found.gl_pathc > 0);
    for (size_t i = 0; i < found.gl_pathc; i++) {
        struct arena *a = arena_create();
        struct node *root;
        assert_int_equal(yaml_load(a, found.gl_pathv[i], &root, NULL), STATUS_OK);
        const struct node *profiles = node_find(root, "profiles");
        expect_resolves(found.gl_pathv[i], NULL);
        for (const struct node *c = profiles ? profiles->child : NULL; c; c = c->next)
            expect_resolves(found.gl_pathv[i], c->key);
        arena_free(a);
    }
    globfree(&found);
}

/* ---- the schema and its manual --------------------------------------------------------------- */

static void expect_new_name(const char *name, const char **seen, size_t *n) {
    for (size_t i = 0; i < *n; i++) assert_string_not_equal(seen[i], name);
    assert_true(*n < 256);
    seen[(*n)++] = name;
}

static void expect_table(const struct section *s, const struct param *own) {
    size_t n, seen_n = 0;
    const char *seen[256];
    const struct section *all = schema_sections(&n);
    for (const struct param *p = s->params; p->name; p++) expect_new_name(p->name, seen, &seen_n);
    for (; own && own->name; own++) {
        expect_new_name(own->name, seen, &seen_n);
        assert_non_null(own->doc);
    }
    for (size_t i = 0; i < n; i++)
        if (section_inside(&all[i], s)) expect_new_name(section_key(&all[i]), seen, &seen_n);
}

static void no_mapping_has_a_key_twice_whatever_the_plug_in(void **state) {
    (void)state;
    size_t n;
    const struct section *all = schema_sections(&n);
    for (size_t i = 0; i < n; i++) {
        struct plugin p;
        expect_table(&all[i], NULL);
        for (size_t k = 0; all[i].registry && all[i].registry->at(k, &p); k++) {
            struct settings s;
            expect_table(&all[i], p.params);
            settings_init(&s, all[i].params, p.params); /* asserts that defaults fit */
            settings_free(&s);
        }
    }
}

static char *described(const char *key, int *status, struct error *e) {
    char *text = NULL;
    size_t n = 0;
    FILE *out = open_memstream(&text, &n);
    assert_non_null(out);
    *status = schema_describe(out, key, e);
    fclose(out);
    return text;
}

static void expect_described(const char *key, const char *needle) {
    int status;
    struct error e = {0};
    char *text = described(key, &status, &e);
    if (status || !strstr(text, needle)) print_error("%s: %s%s\n", key, text, e.text);
    assert_int_equal(status, STATUS_OK);
    assert_non_null(strstr(text, needle));
    free(text);
}

static void every_key_section_and_plug_in_is_described(void **state) {
    (void)state;
    size_t n;
    const struct section *all = schema_sections(&n);
    for (size_t i = 0; i < n; i++) {
        struct plugin p;
        if (*all[i].path) expect_described(all[i].path, all[i].path);
        for (const struct param *k = all[i].params; k->name; k++) {
            char key[128];
            snprintf(key, sizeof key, "%s%s%s", all[i].path, *all[i].path ? "." : "", k->name);
            expect_described(key, k->name);
        }
        for (size_t k = 0; all[i].registry && all[i].registry->at(k, &p); k++)
            expect_described(p.name, p.name);
    }
}

static void describe_says_type_default_range_and_meaning(void **state) {
    (void)state;
    expect_described("train.batch", "whole number in 1..65536, examples; default 128");
    expect_described("deficits[0].factor", "(with type: blur)");
    expect_described("train.at_removal.momentum", "one of keep, reset; default keep");
    expect_described("net.arch", "one of mlp, ");
    expect_described("weight_norm", "weight_norm (measure)");
    expect_described("sweep", "zip");
}

static void describing_what_is_not_there_suggests_what_is(void **state) {
    (void)state;
    int status;
    struct error e = {0};
    char *text = described("train.bacth", &status, &e);
    assert_int_equal(status, STATUS_USAGE);
    assert_string_equal(e.text, "there is no key or plug-in 'train.bacth' (did you mean 'batch'?)");
    free(text);
    text = described("qqqqqqqqqqqq", &status, &e);
    assert_int_equal(status, STATUS_USAGE);
    expect_prefix(e.text, "there is no key or plug-in 'qqqqqqqqqqqq' (sections: data, net, ");
    free(text);
}

static char *file_read(const char *path) {
    struct text t = {0};
    char block[4096];
    FILE *file = fopen(path, "r");
    text_put(&t, "", 0);
    for (size_t n; file && (n = fread(block, 1, sizeof block, file)) > 0;) text_put(&t, block, n);
    if (file) fclose(file);
    return text_take(&t);
}

/* UPDATE_DOCS=1 writes the page instead. */
static void the_manual_page_is_what_the_schema_prints(void **state) {
    (void)state;
    char *text = NULL;
    size_t n = 0;
    FILE *out = open_memstream(&text, &n);
    assert_non_null(out);
    schema_manual(out);
    fclose(out);
    if (getenv("UPDATE_DOCS")) {
        FILE *page = fopen(MANUAL, "w");
        assert_non_null(page);
        fputs(text, page);
        fclose(page);
    }
    char *page = file_read(MANUAL);
    if (strcmp(page, text) != 0)
        print_error("%s is stale; run this test with UPDATE_DOCS=1 to print it anew\n", MANUAL);
    assert_true(strcmp(page, text) == 0);
    free(page);
    free(text);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(unknown_keys_are_refused_with_the_nearest_known_one),
        cmocka_unit_test(wrong_values_are_refused_at_their_place),
        cmocka_unit_test(unknown_plug_ins_are_refused),
        cmocka_unit_test(contradictions_and_unusable_names_are_refused),
        cmocka_unit_test(what_is_no_plain_yaml_is_refused),
        cmocka_unit_test(what_must_be_given_is_asked_for),
        cmocka_unit_test(more_deficits_than_fit_are_refused),
        cmocka_unit_test(hostile_files_are_refused_quickly),
        cmocka_unit_test(alias_bombs_are_refused),
        cmocka_unit_test(wrong_encodings_are_refused),
        cmocka_unit_test(a_file_name_that_cannot_name_a_folder_asks_for_a_name),
        cmocka_unit_test(folders_and_missing_files_are_refused),
        cmocka_unit_test(a_byte_order_mark_and_windows_line_ends_are_taken),
        cmocka_unit_test(an_almost_empty_config_has_every_default),
        cmocka_unit_test(null_sections_are_defaults_too),
        cmocka_unit_test(seeds_default_to_the_experiment_s),
        cmocka_unit_test(total_epochs_replace_the_default),
        cmocka_unit_test(spellings_of_one_config_hash_alike),
        cmocka_unit_test(aliases_stand_for_what_they_name),
        cmocka_unit_test(a_copy_is_equal_and_shares_nothing),
        cmocka_unit_test(a_dump_reads_back_as_the_same_config),
        cmocka_unit_test(a_dump_shows_what_was_resolved),
        cmocka_unit_test(points_run_through_the_parts_with_the_last_axis_fastest),
        cmocka_unit_test(a_point_has_its_part_s_and_its_axes_values),
        cmocka_unit_test(seed_axes_are_known_as_such),
        cmocka_unit_test(a_profile_is_laid_over_the_file),
        cmocka_unit_test(an_override_wins_over_the_profile),
        cmocka_unit_test(another_plug_in_drops_the_old_one_s_keys),
        cmocka_unit_test(several_values_make_an_axis_in_every_part),
        cmocka_unit_test(an_override_of_an_axis_changes_its_values),
        cmocka_unit_test(the_experiment_can_be_named_on_the_command_line),
        cmocka_unit_test(a_file_without_sweep_is_one_point),
        cmocka_unit_test(a_point_s_dump_is_its_config),
        cmocka_unit_test(wrong_overrides_and_profiles_are_refused),
        cmocka_unit_test(wrong_sweeps_and_profiles_are_refused),
        cmocka_unit_test(a_sweep_of_more_than_a_million_points_is_refused),
        cmocka_unit_test(ten_thousand_points_resolve_quickly),
        cmocka_unit_test(every_config_in_the_repository_resolves_under_every_profile),
        cmocka_unit_test(no_mapping_has_a_key_twice_whatever_the_plug_in),
        cmocka_unit_test(every_key_section_and_plug_in_is_described),
        cmocka_unit_test(describe_says_type_default_range_and_meaning),
        cmocka_unit_test(describing_what_is_not_there_suggests_what_is),
        cmocka_unit_test(the_manual_page_is_what_the_schema_prints),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
