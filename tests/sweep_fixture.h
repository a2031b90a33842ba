/* For the tests of what looks at sweeps from outside: a small sweep planned for real, whose runs are
 * trained one by one, as far as a test wants. */
#ifndef TESTS_SWEEP_FIXTURE_H
#define TESTS_SWEEP_FIXTURE_H

#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/system.h"
#include "sim/claim.h"
#include "sim/log.h"
#include "tests/run_fixture.h"

/* A run of milliseconds, blurred until an epoch that a sweep chooses, with 3 epochs behind it. */
#define SMALL_RUN                                                                                  \
    "data: {set: optotypes, train: 24, test: 8}\n"                                                 \
    "net: {arch: convfc, channels: [2, 2, 2], fc: 4}\n"                                            \
    "train:\n"                                                                                     \
    "  batch: 12\n"                                                                                \
    "  epochs: {after_removal: 3}\n"                                                               \
    "  lr: {base: 0.05, schedule: exponential, gamma: 0.9}\n"                                      \
    "deficits:\n"                                                                                  \
    "  - {type: blur, kernel: area, factor: 4, from: 0, until: 0}\n"                               \
    "fisher: {probes: 0}\n"                                                                        \
    "eval: {deficit: false}\n"

/* Blur until epoch 0, 2 or 4, 3 epochs behind it: the run of removal 4 keeps state 2. Short logs. */
__attribute__((unused)) static const char small[] =
    "experiment: small\n" SMALL_RUN "sweep:\n"
    "  axes:\n"
    "    removal: {key: \"deficits[0].until\", values: [0, 2, 4]}\n"
    "    seed: [1]\n";

struct sweep {
    char root[FIXTURE_TEXT], folder[FIXTURE_TEXT + 64]; /* results, results/<experiment> */
    struct experiment *experiment;
    struct tree tree;
};

/* Plan a sweep under folder/name and write the plan down, as a launcher does. */
static inline struct sweep sweep_plan(const char *folder, const char *name, const char *yaml,
                                      const char *const *overrides) {
    struct sweep s;
    struct store store;
    struct error e = {0};
    char runs[sizeof s.folder + 8];
    snprintf(s.root, sizeof s.root, "%.3000s/%.100s", folder, name);
    s.experiment = experiment_of(folder, yaml, overrides);
    struct tree_options o = {.root = s.root, .reuse = true, .share = true};
    if (tree_create(&s.tree, s.experiment, &o, &e)) fail_msg("%s", e.text);
    snprintf(s.folder, sizeof s.folder, "%s/%.50s", s.root, experiment_name(s.experiment));
    snprintf(runs, sizeof runs, "%s/runs", s.folder);
    store_at(&store, s.root);
    if (store_make(&store, &e) || system_make_folder(runs, &e) || tree_write(&s.tree, s.folder, &e))
        fail_msg("%s", e.text);
    return s;
}

static inline void sweep_free(struct sweep *s) {
    tree_free(&s->tree);
    experiment_free(s->experiment);
}

/* Its epochs to train as a dry run counts them now. */
static inline int64_t sweep_epochs(const struct sweep *s) {
    struct tree now;
    struct error e = {0};
    struct tree_options o = {.root = s->root, .reuse = true, .share = true};
    if (tree_create(&now, s->experiment, &o, &e)) fail_msg("%s", e.text);
    int64_t epochs = tree_epochs(&now);
    tree_free(&now);
    return epochs;
}

static inline size_t sweep_finished(const struct sweep *s) {
    size_t n = 0;
    for (size_t i = 0; i < s->tree.runs_n; i++)
        n += run_is_finished(s->root, experiment_name(s->experiment), &s->tree.runs[i].timeline);
    return n;
}

struct sweep_stop {
    int64_t after;
    volatile sig_atomic_t stop;
};

static inline void sweep_count(void *context, const struct run_progress *p) {
    struct sweep_stop *s = context;
    (void)p;
    if (--s->after == 0) s->stop = 1;
}

/* Train a run of the plan, for this many epochs at most (0: to its end). Returns those trained. */
static inline int64_t sweep_train(struct sweep *s, size_t run, int64_t epochs) {
    struct config c;
    struct dataset *d = NULL;
    struct run_outcome out;
    struct error e = {0};
    struct sweep_stop stop = {.after = epochs};
    struct tree_run *r = &s->tree.runs[run];
    struct run_options o = {.root = s->root,
                            .from = s->root,
                            .twin_id = s->tree.runs[r->twin].timeline.run_id,
                            .threads = 1,
                            .keep = r->keep,
                            .keep_n = r->keep_n,
                            .stop = &stop.stop,
                            .progress = sweep_count,
                            .context = &stop};
    if (tree_config(&s->tree, run, &c, &e) || tree_data(&s->tree, run, &d, &e))
        fail_msg("%s", e.text);
    int status = run_execute(&c, &r->timeline, d, &o, &out, &e);
    if (status && status != STATUS_INTERRUPTED && status != STATUS_DIVERGED) fail_msg("%s", e.text);
    tree_data_release(&s->tree, run, d);
    config_free(&c);
    return out.epochs_trained;
}

static inline void sweep_train_all(struct sweep *s) {
    for (size_t k = 0; k < s->tree.runs_n; k++)
        if (!s->tree.runs[s->tree.order[k]].finished) sweep_train(s, s->tree.order[k], 0);
}

/* results/<experiment>/runs/<run id><ending> */
static inline void sweep_file(char path[FIXTURE_TEXT], const struct sweep *s, size_t run,
                              const char *ending) {
    snprintf(path, FIXTURE_TEXT, "%.3200s/runs/%s%s", s->folder, s->tree.runs[run].timeline.run_id,
             ending);
}

static inline struct claim *sweep_claim(const struct sweep *s, size_t run) {
    char path[STORE_PATH], holder[CLAIM_HOLDER];
    struct store store;
    struct claim *c;
    store_at(&store, s->root);
    store_claim_path(path, &store, &s->tree.runs[run].timeline);
    assert_int_equal(claim_take(&c, path, holder, NULL), 0);
    assert_non_null(c);
    return c;
}

/* The claim of a process that was killed. */
static inline void sweep_claim_and_die(const struct sweep *s, size_t run) {
    fflush(NULL);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        sweep_claim(s, run);
        _exit(0);
    }
    assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static inline void text_to_file(const char *path, const char *text) {
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

/* One bit, in the middle. */
static inline void flip_bit(const char *path) {
    struct stat is;
    FILE *f = fopen(path, "r+b");
    assert_non_null(f);
    assert_int_equal(fstat(fileno(f), &is), 0);
    fseek(f, is.st_size / 2, SEEK_SET);
    int c = fgetc(f);
    fseek(f, is.st_size / 2, SEEK_SET);
    fputc(c ^ 1, f);
    fclose(f);
}

static inline void assert_says(const char *text, const char *words) {
    if (!strstr(text, words)) fail_msg("expected the words '%s' in:\n%s", words, text);
}

static inline void assert_says_not(const char *text, const char *words) {
    if (strstr(text, words)) fail_msg("did not expect the words '%s' in:\n%s", words, text);
}

#endif
