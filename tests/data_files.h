/* Small data files for tests: a scratch folder, bytes into files, settings of a data section. */
#ifndef TESTS_DATA_FILES_H
#define TESTS_DATA_FILES_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <setjmp.h>
#include <unistd.h>
#include <zlib.h>
#include <cmocka.h>

#include "sim/data.h"

enum { PATH_TEXT = 512 };

/* A new folder under TMPDIR; its name is written to `folder`. */
static inline void scratch_create(char folder[PATH_TEXT]) {
    const char *tmp = getenv("TMPDIR");
    snprintf(folder, PATH_TEXT, "%s/imprint-test-XXXXXX", tmp && strlen(tmp) < 400 ? tmp : "/tmp");
    assert_non_null(mkdtemp(folder));
}

static inline void scratch_remove(const char *folder) {
    char command[PATH_TEXT + 16];
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    assert_int_equal(system(command), 0);
}

static inline char *path_in(char path[2 * PATH_TEXT], const char *folder, const char *name) {
    snprintf(path, 2 * PATH_TEXT, "%s/%s", folder, name);
    return path;
}

static inline void bytes_write(const char *folder, const char *name, const void *x, size_t n) {
    char path[2 * PATH_TEXT];
    FILE *f = fopen(path_in(path, folder, name), "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(x, 1, n, f), n);
    assert_int_equal(fclose(f), 0);
}

static inline void gz_write(const char *folder, const char *name, const void *x, size_t n) {
    char path[2 * PATH_TEXT];
    gzFile f = gzopen(path_in(path, folder, name), "wb");
    assert_non_null(f);
    assert_int_equal(gzwrite(f, x, (unsigned)n), (int)n);
    assert_int_equal(gzclose(f), Z_OK);
}

/* A file's bytes; the caller frees them. */
static inline unsigned char *bytes_read(const char *folder, const char *name, size_t *n) {
    char path[2 * PATH_TEXT];
    FILE *f = fopen(path_in(path, folder, name), "rb");
    unsigned char *x = malloc(1 << 20);
    assert_non_null(f);
    assert_non_null(x);
    *n = fread(x, 1, 1 << 20, f);
    fclose(f);
    return x;
}

/* The data section: the set, then key and value pairs up to a NULL. */
#define data_settings(...) settings_from((const char *const[]){__VA_ARGS__})

static inline struct settings settings_from(const char *const *word) {
    const struct dataset_type *type = dataset_find(word[0]);
    struct settings s;
    struct error e = {0};
    assert_non_null(type);
    settings_init(&s, data_common_params, type->params);
    if (settings_set(&s, "set", word[0], &e)) fail_msg("%s", e.text);
    for (size_t i = 1; word[i]; i += 2)
        if (settings_set(&s, word[i], word[i + 1], &e)) fail_msg("%s", e.text);
    return s;
}

/* Load, and fail the test with the sentence when it does not work. */
static inline struct dataset load(struct settings s, uint64_t seed) {
    struct dataset d;
    struct error e = {0};
    if (data_load(&s, seed, &d, &e)) fail_msg("%s", e.text);
    settings_free(&s);
    return d;
}

/* Loading is refused as the user's mistake, in one sentence that has `word` in it. */
static inline void assert_refused(struct settings s, const char *word) {
    struct dataset d;
    struct error e = {0};
    assert_int_equal(data_load(&s, 1, &d, &e), STATUS_USAGE);
    if (!strstr(e.text, word)) fail_msg("no '%s' in: %s", word, e.text);
    assert_null(strchr(e.text, '\n'));
    assert_null(d.train.label);
    settings_free(&s);
}

#endif
