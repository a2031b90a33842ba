/* For the tests that train: a tiny experiment, results folders of their own, and the comparison of
 * two logs or states dataset by dataset, bit for bit. */
#ifndef TESTS_RUN_FIXTURE_H
#define TESTS_RUN_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/h5.h"
#include "sim/run.h"
#include "sim/tree.h"

enum { FIXTURE_TEXT = 4096 };

/* 48 training images, 7 epochs with blur in the first 3, Fisher and evaluation in each. */
__attribute__((unused)) static const char tiny[] =
    "experiment: tiny\n"
    "data: {set: optotypes, train: 48, test: 24, validation: 8}\n"
    "net: {arch: convfc, channels: [4, 4, 4], fc: 8}\n"
    "train:\n"
    "  batch: 16\n"
    "  epochs: {after_removal: 4}\n"
    "  optimizer: {type: sgd, momentum: 0.9, weight_decay: 0.001}\n"
    "  lr: {base: 0.05, schedule: exponential, gamma: 0.9}\n"
    "deficits:\n"
    "  - {type: blur, kernel: area, factor: 4, from: 0, until: 3}\n"
    "fisher: {probes: 16}\n"
    "measures: [weight_norm]\n";

/* A folder that the test program removes at its end; *folder is malloc'ed. */
static inline int folder_make(void **folder) {
    const char *parent = getenv("TMPDIR");
    char *path = malloc(FIXTURE_TEXT);
    if (!path) return -1;
    snprintf(path, FIXTURE_TEXT, "%s/imprint-test-XXXXXX", parent ? parent : "/tmp");
    *folder = path;
    return mkdtemp(path) ? 0 : -1;
}

static inline int folder_remove(void **folder) {
    char command[FIXTURE_TEXT + 16];
    snprintf(command, sizeof command, "rm -rf '%s'", (char *)*folder);
    int status = system(command);
    free(*folder);
    return status;
}

/* The experiment of a YAML text with overrides (NULL-ended list, may be NULL). */
static inline struct experiment *experiment_of(const char *folder, const char *yaml,
                                               const char *const *overrides) {
    char path[FIXTURE_TEXT];
    struct experiment *x;
    struct error e = {0};
    size_t n = 0;
    snprintf(path, sizeof path, "%s/tiny.yaml", folder);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs(yaml, f);
    fclose(f);
    while (overrides && overrides[n]) n++;
    if (experiment_load(&x, path, NULL, overrides, n, &e)) fail_msg("%s", e.text);
    return x;
}

/* One config with its data and timeline. */
struct trial {
    struct config config;
    struct dataset data;
    struct timeline timeline;
};

static inline int trial_try(struct trial *t, const char *folder, const char *yaml,
                            const char *const *overrides, struct error *e) {
    struct experiment *x = experiment_of(folder, yaml, overrides);
    int status = experiment_config(x, 0, &t->config, e);
    experiment_free(x);
    if (status) return status;
    status = data_load(&t->config.data, t->config.data_seed, &t->data, e);
    if (!status && timeline_create(&t->timeline, &t->config, &t->data, e)) {
        status = e->status;
        data_free(&t->data);
    }
    if (status) config_free(&t->config);
    return status;
}

static inline struct trial trial_of(const char *folder, const char *const *overrides) {
    struct trial t;
    struct error e = {0};
    if (trial_try(&t, folder, tiny, overrides, &e)) fail_msg("%s", e.text);
    return t;
}

static inline void trial_free(struct trial *t) {
    timeline_free(&t->timeline);
    data_free(&t->data);
    config_free(&t->config);
}

/* ---- comparing files ---- */

static inline size_t length_of(struct h5_reader *r, const char *name) {
    size_t shape[H5_RANK], n = 1;
    int rank = h5_shape(r, name, shape);
    assert_true(rank >= 0);
    for (int i = 0; i < rank; i++) n *= shape[i];
    return n;
}

static inline void same_numbers(struct h5_reader *a, struct h5_reader *b, const char *name) {
    size_t n = length_of(a, name);
    assert_int_equal(n, length_of(b, name));
    double *x = calloc(n + 1, sizeof *x), *y = calloc(n + 1, sizeof *y);
    assert_int_equal(h5_get_doubles(a, name, x, NULL), 0);
    assert_int_equal(h5_get_doubles(b, name, y, NULL), 0);
    for (size_t i = 0; i < n; i++)
        if (memcmp(&x[i], &y[i], sizeof *x) != 0)
            fail_msg("%s[%zu]: %.17g and %.17g", name, i, x[i], y[i]);
    free(x);
    free(y);
}

/* Every numeric dataset of a group, wall times apart. Returns how many were compared. */
static inline size_t same_group(struct h5_reader *a, struct h5_reader *b, const char *group) {
    size_t n, m, compared = 0;
    char **names = h5_list(a, group, &n), **others = h5_list(b, group, &m);
    assert_int_equal(n, m);
    for (size_t i = 0; i < n; i++) {
        char path[FIXTURE_TEXT];
        snprintf(path, sizeof path, "%s%s%s", group, strcmp(group, "/") ? "/" : "", names[i]);
        assert_string_equal(names[i], others[i]);
        enum h5_kind kind = h5_kind(a, path, NULL);
        if ((kind == H5_FLOATS || kind == H5_INTS) && strcmp(names[i], "wall_seconds")) {
            same_numbers(a, b, path);
            compared++;
        }
        free(names[i]);
        free(others[i]);
    }
    free(names);
    free(others);
    return compared;
}

static inline size_t same_files(const char *a, const char *b, const char *const *groups) {
    struct h5_reader *x, *y;
    struct error e = {0};
    size_t compared = 0;
    if (h5_open(&x, a, &e) || h5_open(&y, b, &e)) fail_msg("%s", e.text);
    for (; *groups; groups++) compared += same_group(x, y, *groups);
    h5_close(x);
    h5_close(y);
    return compared;
}

__attribute__((unused)) static const char *const log_groups[] = {"/", "final", NULL};
__attribute__((unused)) static const char *const state_groups[] = {"params", "buffers",
                                                                   "optimizer/momentum", NULL};

#endif
