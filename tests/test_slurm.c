/* The Slurm launcher's parts that need no cluster: segments as jobs, jobs as arrays, the ledger joined
 * with a stand-in for squeue, and words for sbatch. The rest is tests/slurm/test_slurm.sh. */
#include <sys/stat.h>

#include "base/process.h"
#include "sim/slurm/jobs.h"
#include "sim/slurm/queue.h"
#include "sim/slurm/submit.h"
#include "tests/run_fixture.h"

/* ---- groups ---------------------------------------------------------------------------------- */

enum { MANY = 300 };

static struct slurm_plan plan_of(const struct slurm_job *jobs, size_t n) {
    struct slurm_plan p = {.jobs_n = n, .jobs = calloc(n + 1, sizeof *jobs)};
    assert_non_null(p.jobs);
    memcpy(p.jobs, jobs, n * sizeof *jobs);
    return p;
}

static struct slurm_job job(long parent) {
    return (struct slurm_job){
        .parent = parent, .queued = SLURM_NONE, .index = SLURM_NONE, .group = SLURM_NONE};
}

static struct slurm_job job_queued(long parent, long queued, long index) {
    struct slurm_job j = job(parent);
    j.queued = queued;
    j.index = index;
    return j;
}

static void roots_are_one_array(void **state) {
    (void)state;
    struct slurm_job jobs[] = {job(-1), job(-1), job(-1)};
    struct slurm_plan p = plan_of(jobs, 3);
    slurm_plan_group(&p, 1001);
    assert_int_equal(p.groups_n, 1);
    assert_true(p.groups[0].array);
    assert_int_equal(p.groups[0].parent, SLURM_NONE);
    for (size_t i = 0; i < 3; i++) assert_int_equal(p.jobs[i].index, (long)i);
    slurm_plan_free(&p);
}

static void one_job_is_no_array(void **state) {
    (void)state;
    struct slurm_job jobs[] = {job(-1), job(0)};
    struct slurm_plan p = plan_of(jobs, 2);
    slurm_plan_group(&p, 1001);
    assert_int_equal(p.groups_n, 2);
    assert_false(p.groups[0].array || p.groups[1].array);
    assert_int_equal(p.jobs[0].index, SLURM_NONE);
    assert_int_equal(p.groups[1].parent, 0);
    assert_int_equal(p.groups[1].parent_index, SLURM_NONE);
    slurm_plan_free(&p);
}

/* Three seeds: a trunk with a fork (two children each), the first child with a child of its own. */
static void seeds_in_lockstep_are_an_array_for_every_stretch(void **state) {
    (void)state;
    struct slurm_job jobs[12];
    for (long s = 0; s < 3; s++) {
        jobs[s] = job(-1);
        jobs[3 + 2 * s] = job(s);
        jobs[4 + 2 * s] = job(s);
        jobs[9 + s] = job(3 + 2 * s);
    }
    struct slurm_plan p = plan_of(jobs, 12);
    slurm_plan_group(&p, 1001);
    assert_int_equal(p.groups_n, 4);
    static const long parents[] = {SLURM_NONE, 0, 0, 1};
    for (size_t g = 0; g < 4; g++) {
        assert_true(p.groups[g].array);
        assert_int_equal(p.groups[g].n, 3);
        assert_int_equal(p.groups[g].parent, parents[g]);
        assert_int_equal(p.groups[g].lockstep, g > 0);
        for (size_t i = 0; i < 3; i++) assert_int_equal(p.jobs[p.groups[g].jobs[i]].index, (long)i);
    }
    slurm_plan_free(&p);
}

/* Only tasks 1 and 3 of four roots have children: an array with these two indices. */
static void a_lockstep_array_has_the_indices_of_its_parents(void **state) {
    (void)state;
    struct slurm_job jobs[] = {job(-1), job(-1), job(-1), job(-1), job(3), job(1)};
    struct slurm_plan p = plan_of(jobs, 6);
    slurm_plan_group(&p, 1001);
    assert_int_equal(p.groups_n, 2);
    assert_true(p.groups[1].lockstep);
    assert_int_equal(p.jobs[4].index, 3);
    assert_int_equal(p.jobs[5].index, 1);
    assert_int_equal(p.groups[1].jobs[0], 5); /* by index */
    slurm_plan_free(&p);
}

static void siblings_of_one_job_are_one_array(void **state) {
    (void)state;
    struct slurm_job jobs[] = {job(-1), job(-1), job(1), job(1), job(1)};
    struct slurm_plan p = plan_of(jobs, 5);
    slurm_plan_group(&p, 1001);
    assert_int_equal(p.groups_n, 2);
    assert_false(p.groups[1].lockstep);
    assert_int_equal(p.groups[1].parent, 0);
    assert_int_equal(p.groups[1].parent_index, 1);
    assert_int_equal(p.groups[1].n, 3);
    slurm_plan_free(&p);
}

static void other_resources_are_another_array(void **state) {
    (void)state;
    struct slurm_job jobs[] = {job(-1), job(-1), job(-1), job(-1)};
    jobs[1].kind = jobs[3].kind = 1;
    struct slurm_plan p = plan_of(jobs, 4);
    slurm_plan_group(&p, 1001);
    assert_int_equal(p.groups_n, 2);
    assert_int_equal(p.jobs[0].group, p.jobs[2].group);
    assert_int_equal(p.jobs[1].group, p.jobs[3].group);
    assert_int_not_equal(p.jobs[0].group, p.jobs[1].group);
    slurm_plan_free(&p);
}

static void what_is_queued_is_left_and_waited_for(void **state) {
    (void)state;
    struct slurm_job jobs[] = {job_queued(-1, 77, 4),
                               job_queued(-1, 77, 2),
                               job(0),
                               job(1),
                               job_queued(-1, 80, SLURM_NONE),
                               job(4),
                               job(-1)};
    struct slurm_plan p = plan_of(jobs, 7);
    slurm_plan_group(&p, 1001);
    assert_int_equal(p.groups_n, 5);
    assert_int_equal(p.groups[0].queued, 77);
    assert_int_equal(p.groups[1].queued, 80);
    assert_int_equal(p.groups[p.jobs[2].group].parent, 0);
    assert_int_equal(p.jobs[2].group, p.jobs[3].group);
    assert_true(p.groups[p.jobs[2].group].lockstep);
    assert_int_equal(p.jobs[2].index, 4);
    assert_int_equal(p.groups[p.jobs[5].group].parent, 1);
    assert_int_equal(p.groups[p.jobs[6].group].parent, SLURM_NONE);
    slurm_plan_free(&p);
}

static void what_is_done_is_left_out(void **state) {
    (void)state;
    struct slurm_job jobs[] = {job(-1), job(0), job(1), job(1), job(-1)};
    jobs[0].done = jobs[1].done = true;
    jobs[2].run = 2;
    jobs[4].run = 4;
    struct slurm_plan p = plan_of(jobs, 5);
    slurm_plan_drop(&p);
    assert_int_equal(p.jobs_n, 3);
    for (size_t i = 0; i < 3; i++) assert_int_equal(p.jobs[i].parent, SLURM_NONE);
    assert_int_equal(p.jobs[0].run, 2);
    assert_int_equal(p.jobs[2].run, 4);
    slurm_plan_free(&p);
}

static uint32_t next_random(uint32_t *x) {
    *x = *x * 1664525u + 1013904223u;
    return *x >> 8;
}

/* What must hold of any arrangement; `seen` counts every job's groups. */
static void check_group(const struct slurm_plan *p, size_t g, size_t max_array, size_t *seen) {
    const struct slurm_group *is = &p->groups[g];
    assert_true(is->n > 0);
    assert_true(is->parent < (long)g);
    assert_true(is->array || is->n == 1);
    for (size_t i = 0; i < is->n; i++) {
        const struct slurm_job *j = &p->jobs[is->jobs[i]];
        const struct slurm_job *first = &p->jobs[is->jobs[0]];
        seen[is->jobs[i]]++;
        assert_int_equal(j->group, (long)g);
        assert_int_equal(j->queued, is->queued);
        if (is->queued != SLURM_NONE) continue;
        assert_int_equal(j->kind, first->kind);
        assert_int_equal(is->array, j->index != SLURM_NONE);
        assert_true(j->index < (long)max_array);
        if (i) assert_true(j->index > p->jobs[is->jobs[i - 1]].index);
        assert_int_equal(is->parent == SLURM_NONE, j->parent == SLURM_NONE);
        if (j->parent == SLURM_NONE) continue;
        const struct slurm_job *parent = &p->jobs[j->parent];
        assert_int_equal(parent->group, is->parent);
        assert_int_equal(is->lockstep ? j->index : is->parent_index, parent->index);
    }
}

/* Every job waits for exactly its parent, in any forest, whatever is in the queue already. */
static void any_forest_is_arranged_rightly(void **state) {
    (void)state;
    uint32_t random = 20251122;
    for (size_t trial = 0; trial < 400; trial++) {
        struct slurm_job jobs[MANY];
        size_t n = 1 + next_random(&random) % MANY, seen[MANY] = {0};
        size_t max_array = next_random(&random) % 4 ? 1 + next_random(&random) % 40 : 1001;
        uint32_t roots = 1 + next_random(&random) % 20, kinds = 1 + next_random(&random) % 3;
        for (size_t i = 0; i < n; i++) {
            bool is_root = i == 0 || i < roots || next_random(&random) % 30 == 0;
            jobs[i] = job(is_root ? SLURM_NONE : (long)(next_random(&random) % i));
            jobs[i].kind = next_random(&random) % kinds;
            bool may_be_queued = is_root || jobs[jobs[i].parent].queued != SLURM_NONE;
            if (may_be_queued && next_random(&random) % 5 == 0) {
                jobs[i].queued = 1000 + (long)(next_random(&random) % 2 ? i % 7 : i + 100);
                jobs[i].index = jobs[i].queued < 1100 ? (long)(i % max_array) : SLURM_NONE;
            }
        }
        for (size_t i = 0; i < n; i++) /* a place in the queue is one job's */
            for (size_t k = 0; k < i; k++)
                if (jobs[k].queued == jobs[i].queued && jobs[k].index == jobs[i].index &&
                    jobs[i].queued != SLURM_NONE) {
                    jobs[i].queued = 2000 + (long)i;
                    jobs[i].index = SLURM_NONE;
                }
        struct slurm_plan p = plan_of(jobs, n);
        slurm_plan_group(&p, max_array);
        for (size_t g = 0; g < p.groups_n; g++) check_group(&p, g, max_array, seen);
        for (size_t i = 0; i < n; i++) assert_int_equal(seen[i], 1);
        slurm_plan_free(&p);
    }
}

static void without_arrays_there_are_single_jobs(void **state) {
    (void)state;
    struct slurm_job jobs[] = {job(-1), job(-1), job(0), job(1), job(1)};
    struct slurm_plan p = plan_of(jobs, 5);
    slurm_plan_group(&p, 1);
    assert_int_equal(p.groups_n, 5);
    for (size_t g = 0; g < 5; g++) assert_false(p.groups[g].array);
    slurm_plan_free(&p);
}

/* ---- jobs of a tree -------------------------------------------------------------------------- */

static struct tree tree_of(const char *folder, const char *sweep, bool share,
                           struct experiment **x) {
    char yaml[FIXTURE_TEXT], root[FIXTURE_TEXT];
    struct tree t;
    struct error e = {0};
    snprintf(root, sizeof root, "%s/nothing", folder);
    struct tree_options o = {.root = root, .reuse = share, .share = share};
    snprintf(yaml, sizeof yaml, "%s%s", tiny, sweep);
    *x = experiment_of(folder, yaml, NULL);
    if (tree_create(&t, *x, &o, &e)) fail_msg("%s", e.text);
    return t;
}

static void tree_drop(struct tree *t, struct experiment *x) {
    tree_free(t);
    experiment_free(x);
}

static const char onsets[] =
    "sweep: {axes: {onset: {key: \"deficits[0]\", values: [{from: 0, until: 2}, {from: 1, "
    "until: 3}, {from: 2, until: 4}]}, seed: [1, 2]}}\n";
static const char removals[] =
    "sweep: {axes: {removal: {key: \"deficits[0].until\", values: [0, 1, 2, 3]}, seed: [1, 2]}}\n";

/* Every epoch of the tree is in one job, and a job begins with the state that its parent ends in. */
static void jobs_are_the_segments_of_the_tree(void **folder) {
    const char *const sweeps[] = {removals, onsets};
    for (size_t s = 0; s < 2; s++) {
        struct experiment *x;
        struct tree t = tree_of(*folder, sweeps[s], true, &x);
        struct slurm_plan p;
        int64_t epochs = 0;
        size_t ends = 0;
        slurm_plan_jobs(&p, &t, false);
        for (size_t i = 0; i < p.jobs_n; i++) {
            const struct slurm_job *j = &p.jobs[i];
            const struct timeline *own = &t.runs[j->run].timeline;
            epochs += j->until - j->from;
            ends += j->last;
            assert_int_equal(j->last, j->until == own->total);
            assert_true(j->parent < (long)i);
            if (j->parent == SLURM_NONE) {
                assert_int_equal(j->from, 0);
                continue;
            }
            const struct slurm_job *parent = &p.jobs[j->parent];
            assert_int_equal(parent->until, j->from);
            assert_string_equal(t.runs[parent->run].timeline.key[j->from], own->key[j->from]);
        }
        assert_int_equal(epochs, tree_epochs(&t));
        assert_int_equal(ends, t.runs_n);
        assert_true(p.jobs_n > t.runs_n);
        slurm_plan_free(&p);
        tree_drop(&t, x);
    }
}

static void alone_every_run_is_one_job(void **folder) {
    struct experiment *x;
    struct tree t = tree_of(*folder, removals, false, &x);
    struct slurm_plan p;
    slurm_plan_jobs(&p, &t, true);
    assert_int_equal(p.jobs_n, t.runs_n);
    for (size_t i = 0; i < p.jobs_n; i++) {
        assert_int_equal(p.jobs[i].parent, SLURM_NONE);
        assert_int_equal(p.jobs[i].from, 0);
        assert_true(p.jobs[i].last);
    }
    slurm_plan_free(&p);
    tree_drop(&t, x);
}

/* ---- the config's section -------------------------------------------------------------------- */

static void resources_are_in_no_key_and_in_no_log(void **folder) {
    const char *const asked[] = {"slurm={partition: long, account: me, time: 1:00:00, mem: 2G, "
                                 "signal: 30, options: [--qos=low]}",
                                 NULL};
    struct trial a = trial_of(*folder, NULL), b = trial_of(*folder, asked);
    assert_string_equal(settings_text(&b.config.slurm, "time"), "1:00:00");
    assert_string_equal(a.timeline.run_id, b.timeline.run_id);
    for (int64_t e = 0; e <= a.timeline.total; e++)
        assert_string_equal(a.timeline.key[e], b.timeline.key[e]);
    char *x = config_dump(&a.config), *y = config_dump(&b.config);
    assert_string_equal(x, y);
    assert_null(strstr(y, "slurm"));
    free(x);
    free(y);
    trial_free(&a);
    trial_free(&b);
}

/* ---- words ----------------------------------------------------------------------------------- */

static void indices_are_written_as_ranges(void **state) {
    (void)state;
    static const struct {
        long indices[8];
        size_t n;
        const char *text;
    } cases[] = {{{0}, 1, "0"},
                 {{0, 1, 2, 3}, 4, "0-3"},
                 {{1, 3}, 2, "1,3"},
                 {{0, 1, 4, 7, 8, 9}, 6, "0-1,4,7-9"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct text t = {0};
        slurm_indices(&t, cases[i].indices, cases[i].n);
        assert_string_equal(t.data, cases[i].text);
        free(t.data);
    }
}

/* Whatever the word: a shell reads it back as it was. */
static void quoted_words_are_read_back_by_a_shell(void **state) {
    (void)state;
    const char *const words[] = {
        "plain", "two words", "it's", "$HOME `id` \\", "a\"b", "-n 'x' 'y''", "", "new\nline", "'"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        struct text script = {0};
        struct process_result r;
        text_add(&script, "printf %%s ");
        slurm_quote(&script, words[i]);
        const char *const argv[] = {"sh", "-c", script.data, NULL};
        assert_int_equal(process_run(argv, NULL, &r, NULL, NULL), STATUS_OK);
        assert_string_equal(r.out.data, words[i]);
        process_free(&r);
        free(script.data);
    }
}

static void a_program_that_is_not_there_is_told_from_one_that_fails(void **state) {
    (void)state;
    struct process_result r;
    struct error e = {0};
    bool missing = false;
    const char *const none[] = {"imprint-no-such-program", NULL};
    assert_int_equal(process_run(none, NULL, &r, &missing, &e), STATUS_FAILED);
    assert_true(missing);
    const char *const fails[] = {"sh", "-c", "echo one >&2; echo 'and two' >&2; exit 7", NULL};
    assert_int_equal(process_run(fails, NULL, &r, &missing, &e), STATUS_OK);
    assert_false(missing);
    assert_int_equal(r.status, 7);
    char *why = process_complaint(&r);
    assert_string_equal(why, "and two");
    free(why);
    process_free(&r);
}

/* ---- ledger and queue ------------------------------------------------------------------------ */

/* A squeue on PATH that says `text`, and the folder results/<experiment> of its ledger. */
static void queue_says(const char *folder, const char *text, int status) {
    char path[FIXTURE_TEXT], bin[FIXTURE_TEXT], found[2 * FIXTURE_TEXT];
    snprintf(bin, sizeof bin, "%s/bin", folder);
    snprintf(path, sizeof path, "%s/bin/squeue", folder);
    mkdir(bin, 0777);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fprintf(f, "#!/bin/sh\ncat <<'END'\n%sEND\n[ %d = 0 ] || echo 'no controller' >&2\nexit %d\n",
            text, status, status);
    fclose(f);
    chmod(path, 0777);
    if (strstr(getenv("PATH"), bin)) return;
    snprintf(found, sizeof found, "%s:%s", bin, getenv("PATH"));
    setenv("PATH", found, 1);
}

static struct slurm_entry entry(const char *name, long task, long id, char run, bool last) {
    struct slurm_entry s = {.task = task, .id = id, .from = 0, .until = 3, .last = last};
    snprintf(s.name, sizeof s.name, "%s", name);
    memset(s.run, run, HASH_TEXT - 1);
    snprintf(s.end, sizeof s.end, "end-%c", run);
    return s;
}

/* A new folder results/x with a ledger. */
static void ledger_of(char path[FIXTURE_TEXT], const char *folder, const char *name,
                      const struct slurm_entry *entries, size_t n) {
    char slurm[FIXTURE_TEXT + 16];
    struct error e = {0};
    snprintf(path, FIXTURE_TEXT, "%.3000s/%s", folder, name);
    snprintf(slurm, sizeof slurm, "%s/slurm", path);
    mkdir(path, 0777);
    mkdir(slurm, 0777);
    if (slurm_ledger_add(path, entries, n, &e)) fail_msg("%s", e.text);
}

static void states_come_from_the_queue_by_name_and_index(void **folder) {
    char path[FIXTURE_TEXT];
    const struct slurm_entry all[] = {
        entry("x-1-1", 0, -1, 'a', true),  entry("x-1-1", 1, -1, 'b', true),
        entry("x-1-1", 0, 12, 'a', true),  entry("x-1-2", -1, -1, 'c', true),
        entry("x-1-3", -1, 15, 'd', true), entry("x-1-4", 7, 16, 'e', true)};
    ledger_of(path, *folder, "states", all, 6);
    queue_says(*folder,
               "12|0|RUNNING|x-1-1|None\n"
               "12|1|PENDING|x-1-1|JobHeldUser\n"
               "13|N/A|PENDING|x-1-2|Dependency\n"
               "15|N/A|PENDING|x-1-3|DependencyNeverSatisfied\n"
               "99|0|RUNNING|another|None\n"
               "nonsense\n"
               "98|N/A|RUNNING|a|name|with|bars\n",
               0);
    struct slurm_queue q;
    struct error e = {0};
    if (slurm_queue_read(&q, path, &e)) fail_msg("%s", e.text);
    assert_int_equal(q.n, 5);
    static const enum slurm_state states[] = {SLURM_RUNNING, SLURM_HELD, SLURM_PENDING, SLURM_NEVER,
                                              SLURM_GONE};
    static const long ids[] = {12, 12, 13, 15, 16}; /* two of them never written down */
    for (size_t i = 0; i < 5; i++) {
        assert_int_equal(q.entries[i].state, states[i]);
        assert_int_equal(q.entries[i].id, ids[i]);
    }
    assert_ptr_equal(slurm_queue_run(&q, q.entries[2].run), &q.entries[2]);
    assert_null(slurm_queue_run(&q, "never submitted"));
    slurm_queue_free(&q);
}

/* One run: three segments of the first launch, one of a second. */
static void a_run_is_told_by_its_liveliest_job_or_by_the_last_launch(void **folder) {
    static const struct {
        const char *queue;
        const char *name;
    } cases[] = {
        {"1|N/A|COMPLETED|x-1-1|None\n2|N/A|RUNNING|x-1-2|None\n3|N/A|PENDING|x-1-3|None\n",
         "x-1-2"},
        {"1|N/A|FAILED|x-1-1|None\n2|N/A|CANCELLED|x-1-2|None\n", "x-2-1"},
        {"1|N/A|RUNNING|x-1-1|None\n4|N/A|CANCELLED|x-2-1|None\n", "x-1-1"},
        {"1|N/A|FAILED|x-1-1|None\n4|N/A|CANCELLED|x-2-1|None\n", "x-2-1"}};
    const struct slurm_entry all[] = {
        entry("x-1-1", -1, 1, 'a', false), entry("x-1-2", -1, 2, 'a', false),
        entry("x-1-3", -1, 3, 'a', true), entry("x-2-1", -1, 4, 'a', true)};
    char path[FIXTURE_TEXT];
    ledger_of(path, *folder, "liveliest", all, 4);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct slurm_queue q;
        queue_says(*folder, cases[i].queue, 0);
        assert_int_equal(slurm_queue_read(&q, path, NULL), STATUS_OK);
        assert_string_equal(slurm_queue_run(&q, all[0].run)->name, cases[i].name);
        slurm_queue_free(&q);
    }
}

static void a_ledger_cut_short_loses_its_last_line_alone(void **folder) {
    char path[FIXTURE_TEXT], file[FIXTURE_TEXT + 32];
    const struct slurm_entry all[] = {entry("x-1-1", -1, 1, 'a', true)};
    ledger_of(path, *folder, "short", all, 1);
    snprintf(file, sizeof file, "%s/slurm/jobs.tsv", path);
    FILE *f = fopen(file, "a");
    assert_non_null(f);
    fputs("x-1-2\t-\t2\taaaaaaaa", f);
    fclose(f);
    queue_says(*folder, "", 0);
    struct slurm_queue q;
    assert_int_equal(slurm_queue_read(&q, path, NULL), STATUS_OK);
    assert_int_equal(q.n, 1);
    slurm_queue_free(&q);
}

static void a_controller_that_does_not_answer_is_an_error(void **folder) {
    char path[FIXTURE_TEXT];
    const struct slurm_entry all[] = {entry("x-1-1", -1, 1, 'a', true)};
    ledger_of(path, *folder, "down", all, 1);
    queue_says(*folder, "", 1);
    struct slurm_queue q;
    struct error e = {0};
    assert_int_equal(slurm_queue_read(&q, path, &e), STATUS_FAILED);
    assert_string_equal(e.text, "the queue cannot be read: no controller");
}

static void without_a_ledger_nobody_is_asked(void **folder) {
    char path[FIXTURE_TEXT];
    queue_says(*folder, "", 1);
    snprintf(path, sizeof path, "%s/never", (const char *)*folder);
    struct slurm_queue q;
    assert_int_equal(slurm_queue_read(&q, path, NULL), STATUS_OK);
    assert_int_equal(q.n, 0);
    slurm_queue_free(&q);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(roots_are_one_array),
        cmocka_unit_test(one_job_is_no_array),
        cmocka_unit_test(seeds_in_lockstep_are_an_array_for_every_stretch),
        cmocka_unit_test(a_lockstep_array_has_the_indices_of_its_parents),
        cmocka_unit_test(siblings_of_one_job_are_one_array),
        cmocka_unit_test(other_resources_are_another_array),
        cmocka_unit_test(what_is_queued_is_left_and_waited_for),
        cmocka_unit_test(what_is_done_is_left_out),
        cmocka_unit_test(any_forest_is_arranged_rightly),
        cmocka_unit_test(without_arrays_there_are_single_jobs),
        cmocka_unit_test(jobs_are_the_segments_of_the_tree),
        cmocka_unit_test(alone_every_run_is_one_job),
        cmocka_unit_test(resources_are_in_no_key_and_in_no_log),
        cmocka_unit_test(indices_are_written_as_ranges),
        cmocka_unit_test(quoted_words_are_read_back_by_a_shell),
        cmocka_unit_test(a_program_that_is_not_there_is_told_from_one_that_fails),
        cmocka_unit_test(states_come_from_the_queue_by_name_and_index),
        cmocka_unit_test(a_run_is_told_by_its_liveliest_job_or_by_the_last_launch),
        cmocka_unit_test(a_ledger_cut_short_loses_its_last_line_alone),
        cmocka_unit_test(a_controller_that_does_not_answer_is_an_error),
        cmocka_unit_test(without_a_ledger_nobody_is_asked),
    };
    return cmocka_run_group_tests(tests, folder_make, folder_remove);
}
