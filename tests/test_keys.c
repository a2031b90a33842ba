/* The property that everything else rests on: equal prefix keys, equal bits. Configs are drawn at
 * random over many settings, each with a mutant that differs in one of them and one that differs only
 * in what cannot influence a state, and all are trained, every epoch of them, into one store with
 * every state kept. There a state whose key is known must have the bits of the first one of that key
 * (sim/state.h); who arrives at others fails. So every config is compared with all others. */
#include "base/map.h"
#include "base/rng.h"
#include "tests/run_fixture.h"

enum { CONFIGS = 30, EPOCHS_MOST = 8 };

static const char base[] = "experiment: keys\n"
                           "data: {set: optotypes, train: 24, test: 8}\n"
                           "net: {arch: mlp, hidden: [3]}\n"
                           "train:\n"
                           "  batch: 8\n"
                           "  epochs: {after_removal: 1}\n"
                           "  lr: {base: 0.05}\n"
                           "fisher: {probes: 0}\n";

/* A setting and its alternatives; the first, which half of the configs have, is one where the
 * others matter. Some differ in spelling alone. */
enum { ALTERNATIVES = 12 };
struct dimension {
    bool outside; /* cannot influence a state */
    const char *overrides[ALTERNATIVES];
};

#define BLUR "{type: blur, kernel: area, factor: 4, "
static const struct dimension dimensions[] = {
    {false, {"seed=1", "seed=2"}},
    {false, {"note=-", "net.seed=1", "net.seed=2"}},
    {false, {"note=-", "data.seed=1", "data.seed=2"}},
    {false, {"note=-", "train.seed=1", "train.seed=2"}},
    {false,
     {"net={arch: mlp, hidden: [3]}", "net={arch: mlp, hidden: [4]}",
      "net={arch: convfc, channels: [1, 1, 1], fc: 3}",
      "net={arch: convfc, channels: [1, 1, 2], fc: 3}"}},
    {false, {"train.batch=16", "train.batch=8", "train.batch=32"}},
    {false, {"train.drop_last=false", "train.drop_last=true"}},
    {false,
     {"train.optimizer={type: sgd, momentum: 0.9}", "train.optimizer={type: sgd, momentum: 0}",
      "train.optimizer={type: sgd, momentum: 0.9, nesterov: true}",
      "train.optimizer={type: sgd, momentum: 0.9, weight_decay: 0.01}",
      "train.optimizer={type: adam}", "train.optimizer={type: adam, weight_decay: 0.01}"}},
    {false, {"train.at_removal.momentum=keep", "train.at_removal.momentum=reset"}},
    {false,
     {"train.lr={base: 0.05}", "train.lr={base: 0.05, schedule: constant}",
      "train.lr={base: 0.05, schedule: exponential, gamma: 1}",
      "train.lr={base: 0.05, schedule: exponential, gamma: 0.9}",
      "train.lr={base: 0.05, schedule: exponential, gamma: 0.9, clock: removal}",
      "train.lr={base: 0.05, schedule: step, every: 1, gamma: 0.5}",
      "train.lr={base: 0.05, schedule: cosine}", "train.lr={base: 0.05, warmup: 1}",
      "train.lr={base: 0.05, warmup: 2}", "train.lr={base: 0.06}"}},
    {false, {"data.augment={shift: 0}", "data.augment={shift: 1}", "data.augment={shift: 2}"}},
    {false, {"data.train=24", "data.train=16"}},
    {false,
     {"train.epochs={after_removal: 1}", "train.epochs={after_removal: 2}",
      "train.epochs={total: 3}", "train.epochs={total: 4}"}},
    {false,
     {"deficits=[" BLUR "from: 0, until: 2}]", "deficits=[]",
      "deficits=[" BLUR "from: 0, until: 1}]", "deficits=[" BLUR "from: 1, until: 2}]",
      "deficits=[" BLUR "from: 1, until: 1}]",
      "deficits=[{type: blur, factor: 1, from: 0, until: 2}]",
      "deficits=[" BLUR "from: 0, until: 2, severity: 0.5}]",
      "deficits=[" BLUR "from: 0, until: 2, severity: 0}]",
      "deficits=[" BLUR "from: 0, until: 2, ramp: 1}]",
      "deficits=[{type: vflip, from: 0, until: 1}]",
      "deficits=[{type: noise, from: 0, until: onset+2}]",
      "deficits=[{type: label_permutation, from: 0, until: 1}]"}},
    {false,
     {"stabilizers=[{type: weight_decay, lambda: 0.01}]", "stabilizers=[]",
      "stabilizers=[{type: weight_decay, lambda: 0.01, until: removal}]",
      "stabilizers=[{type: weight_decay, lambda: 0.01, from: removal}]",
      "stabilizers=[{type: weight_decay, lambda: 0.01, strength: 0}]",
      "stabilizers=[{type: weight_decay, lambda: 0.01, strength: 0.5}, {type: l2_init, until: 0}]",
      "stabilizers=[{type: lr_restart, from: removal}]",
      "stabilizers=[{type: lr_restart, from: 1, strength: 0.5}]",
      "stabilizers=[{type: grad_clip, max_norm: 0.1}, {type: weight_decay, lambda: 0}]",
      "stabilizers=[{type: l2_init, lambda: 0.1, until: end-1}]",
      "stabilizers=[{type: shrink_perturb, from: onset+1}]",
      "stabilizers=[{type: fisher_penalty, every: 2}]"}},
    {true, {"experiment=keys", "experiment=other"}},
    {true, {"measures=[]", "measures=[weight_norm]"}},
    {true, {"eval.every=1", "eval.every=2", "eval.every=0"}},
    {true, {"eval.norm=running", "eval.norm=refreshed"}},
    {true, {"fisher.probes=0", "fisher.probes=4", "fisher={probes: 4, estimator: exact}"}},
    {true, {"final.last=5", "final.last=1"}},
    {true, {"data.test=8", "data.test=12"}},
};
enum { DIMENSIONS = sizeof dimensions / sizeof *dimensions };

struct genome {
    uint32_t choice[DIMENSIONS];
};

static uint32_t alternatives(size_t d) {
    uint32_t n = 0;
    while (n < ALTERNATIVES && dimensions[d].overrides[n]) n++;
    return n;
}

/* Half of the settings stay as they are, so that configs meet. */
static struct genome genome_draw(struct rng *r) {
    struct genome g;
    for (size_t d = 0; d < DIMENSIONS; d++)
        g.choice[d] = rng_below(r, 2) ? rng_below(r, alternatives(d)) : 0;
    return g;
}

/* A setting with many alternatives is changed more often. */
static struct genome genome_mutate(const struct genome *g, bool outside, struct rng *r) {
    struct genome m = *g;
    size_t d;
    do d = rng_below(r, DIMENSIONS);
    while (dimensions[d].outside != outside || rng_below(r, ALTERNATIVES) >= alternatives(d));
    m.choice[d] = (m.choice[d] + 1 + rng_below(r, alternatives(d) - 1)) % alternatives(d);
    return m;
}

static int genome_trial(const struct genome *g, struct trial *t, const char *folder) {
    const char *overrides[DIMENSIONS + 1] = {NULL};
    struct error e = {0};
    for (size_t d = 0; d < DIMENSIONS; d++) overrides[d] = dimensions[d].overrides[g->choice[d]];
    int status = trial_try(t, folder, base, overrides, &e);
    if (status && status != STATUS_USAGE) fail_msg("%s", e.text);
    return status; /* STATUS_USAGE: settings that do not go together */
}

/* ---- the pool: one store for all ---- */

struct pool {
    const char *folder;
    char root[FIXTURE_TEXT];
    struct store store;
    struct map *keys;   /* of states after an epoch or more: how many arrived at it */
    struct map *params; /* their parameters, hashed: how many distinct ones */
    size_t states, again;
};

static void pool_hash(struct pool *p, const struct timeline *t, int64_t epoch) {
    char path[STORE_PATH], digest[HASH_TEXT], name[FIXTURE_TEXT];
    struct h5_reader *r;
    struct hash *h = hash_create();
    size_t n;
    store_state_path(path, &p->store, t, epoch, STORED_KEPT);
    assert_int_equal(h5_open_sealed(&r, path, NULL), 0);
    char **names = h5_list(r, "params", &n);
    for (size_t i = 0; i < n; i++) {
        snprintf(name, sizeof name, "params/%s", names[i]);
        size_t count = length_of(r, name);
        double *v = calloc(count + 1, sizeof *v);
        assert_int_equal(h5_get_doubles(r, name, v, NULL), 0);
        hash_bytes(h, v, count * sizeof *v);
        free(v);
        free(names[i]);
    }
    free(names);
    h5_close(r);
    hash_digest(h, digest);
    hash_free(h);
    map_add(p->params, digest, 0);
}

/* Every epoch from scratch; no state on disk is read, each is compared with what is there. */
static void pool_train(struct pool *p, const struct trial *t, int threads) {
    int64_t keep[EPOCHS_MOST + 1];
    struct run_outcome out;
    struct error e = {0};
    assert_true(t->timeline.total <= EPOCHS_MOST);
    for (int64_t epoch = 0; epoch <= t->timeline.total; epoch++) keep[epoch] = epoch;
    struct run_options o = {.root = p->root,
                            .twin_id = "",
                            .threads = threads,
                            .keep = keep,
                            .keep_n = (size_t)t->timeline.total + 1};
    if (run_execute(&t->config, &t->timeline, &t->data, &o, &out, &e)) {
        char *config = config_dump(&t->config);
        fail_msg("%s; the config:\n%s", e.text, config);
    }
    assert_int_equal(out.epochs_trained, t->timeline.total);
    for (int64_t epoch = 1; epoch <= t->timeline.total; epoch++) {
        p->states++;
        if (map_get(p->keys, t->timeline.key[epoch]) != MAP_NONE) {
            p->again++;
            continue;
        }
        map_add(p->keys, t->timeline.key[epoch], 0);
        pool_hash(p, &t->timeline, epoch);
    }
}

static void pool_pair(struct pool *p, int threads, struct rng *r) {
    struct trial t, other;
    struct genome g, m;
    do g = genome_draw(r);
    while (genome_trial(&g, &t, p->folder));
    pool_train(p, &t, 1);
    do m = genome_mutate(&g, false, r);
    while (genome_trial(&m, &other, p->folder));
    pool_train(p, &other, 1);
    trial_free(&other);
    do m = genome_mutate(&g, true, r);
    while (genome_trial(&m, &other, p->folder));
    pool_train(p, &other, threads);
    assert_int_equal(t.timeline.total, other.timeline.total);
    for (int64_t e = 0; e <= t.timeline.total; e++)
        assert_string_equal(t.timeline.key[e], other.timeline.key[e]);
    trial_free(&other);
    trial_free(&t);
}

static void equal_keys_give_equal_bits_whatever_the_configs(void **folder) {
    const char *seed = getenv("SEED");
    uint64_t number = seed ? strtoull(seed, NULL, 10) : 1;
    struct rng r = rng_stream(number, "keys", 0, 0);
    struct pool p = {.folder = *folder, .keys = map_create(), .params = map_create()};
    snprintf(p.root, sizeof p.root, "%.3000s/pool", (const char *)*folder);
    store_at(&p.store, p.root);
    for (int i = 0; i < CONFIGS; i++) pool_pair(&p, i % 8 ? 1 : 2, &r);
    size_t keys = map_count(p.keys), params = map_count(p.params);
    print_message("seed %llu: %zu states, %zu of them compared with one of the same key; %zu keys, "
                  "%zu different parameters\n",
                  (unsigned long long)number, p.states, p.again, keys, params);
    /* A third of the runs differ from their like outside the key alone: they are compared at least.
     * And the configs are not all one: most keys name bits that no other key names. */
    assert_true(p.again >= p.states / 3);
    assert_true(keys >= CONFIGS && 10 * params >= 9 * keys);
    map_free(p.keys);
    map_free(p.params);
}

/* ---- keys by themselves ---- */

/* A data set as far as keys know it. */
static struct dataset known_as(const char *digest) {
    struct dataset d = {.type = dataset_find("hdf5"), .modalities_n = 1, .K = 10};
    d.modality[0] = (struct modality){.name = "image", .H = 32, .W = 32, .C = 3, .bytes = true};
    d.train.n = 100;
    snprintf(d.train_digest, sizeof d.train_digest, "%s train", digest);
    snprintf(d.digest, sizeof d.digest, "%s", digest);
    return d;
}

/* Two senses and two eyes. */
static struct dataset several_senses(void) {
    struct dataset d = known_as("senses");
    const struct modality image = d.modality[0];
    d.modalities_n = 3;
    d.modality[1] = (struct modality){.name = "text",
                                      .kind = MODALITY_TOKENS,
                                      .H = 1,
                                      .W = 6,
                                      .C = 1,
                                      .tokens = 31,
                                      .has_hint = true,
                                      .hint_slot = 5,
                                      .hint_first = 17};
    d.modality[2] = image;
    snprintf(d.modality[2].name, sizeof d.modality[2].name, "right");
    return d;
}

/* The last key of a run of 3 epochs. */
static void key_of(const struct dataset *d, const char *deficits, char key[HASH_TEXT]) {
    char yaml[1024];
    struct config c;
    struct timeline t;
    struct error e = {0};
    snprintf(yaml, sizeof yaml,
             "data: {set: hdf5, path: none.h5}\nnet: {arch: mlp, hidden: [4]}\n"
             "train: {epochs: {total: 3}}\nfisher: {probes: 0}\ndeficits: [%s]\n",
             deficits);
    if (config_parse(&c, yaml, "keys", &e)) fail_msg("%s", e.text);
    if (timeline_create(&t, &c, d, &e)) fail_msg("%s", e.text);
    memcpy(key, t.key[3], HASH_TEXT);
    timeline_free(&t);
    config_free(&c);
}

/* States are kept for years. These keys were made when every deficit had `modality: image`. */
static void keys_of_deficits_stay_what_they_are(void **unused) {
    static const char *const known[][2] = {
        {"", "9e908b188c9f6386a76742ae73e3dbc5"},
        {"{type: blur, until: 2}", "91d7073facb3dd53c6c5f25f99f083c5"},
        {"{type: blur, kernel: gaussian, sigma: 1.5, until: 2}",
         "aef3f0d5b13dd221a3e6fe64ca1de09b"},
        {"{type: vflip, until: 1, severity: 0.5}", "8328fde9195312e96c0faf29a679d248"},
        {"{type: noise, fresh: true, until: 3, ramp: 1}", "dacf170bb74013f125f19b46f97d4096"},
        {"{type: label_permutation, scope: image, from: 1, until: 2}",
         "17c6abd6dd21777dd3bacfcd39b5d2da"},
    };
    const struct dataset d = known_as("known");
    (void)unused;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        char key[HASH_TEXT];
        key_of(&d, known[i][0], key);
        if (strcmp(key, known[i][1])) fail_msg("%s: key %s", known[i][0], key);
    }
}

static void assert_keys(const struct dataset *d, const char *a, const char *b, bool equal) {
    char one[HASH_TEXT], other[HASH_TEXT];
    key_of(d, a, one);
    key_of(d, b, other);
    if (!strcmp(one, other) != equal) fail_msg("%s and %s", a, b);
}

static void a_modality_that_goes_without_saying_is_in_the_key_as_if_named(void **unused) {
    const struct dataset one = known_as("known"), all = several_senses();
    (void)unused;
    assert_keys(&one, "{type: blur, until: 2}", "{type: blur, until: 2, modality: image}", true);
    assert_keys(&one, "{type: label_permutation, until: 2}",
                "{type: label_permutation, until: 2, modality: image}", true);
    assert_keys(&all, "{type: text_dominance, until: 2}",
                "{type: text_dominance, until: 2, modality: text}", true);
    assert_keys(&all, "{type: label_permutation, until: 2}",
                "{type: label_permutation, until: 2, modality: right}", true);
    assert_keys(&all, "{type: blur, until: 2, modality: image}",
                "{type: blur, until: 2, modality: right}", false);
    assert_keys(&all, "{type: modality_off, until: 2, modality: image}",
                "{type: modality_off, until: 2, modality: text}", false);
}

static void what_a_mode_does_not_use_is_in_no_key(void **unused) {
    const struct dataset d = several_senses();
    (void)unused;
    assert_keys(&d, "{type: text_dominance, mode: skew, until: 2}",
                "{type: text_dominance, mode: skew, until: 2, fresh: true}", true);
    assert_keys(&d, "{type: text_dominance, mode: skew, until: 2, p: 0.0}", "", true);
    assert_keys(&d, "{type: text_dominance, until: 2, p: 0.0}", "", false);
    assert_keys(&d, "{type: text_dominance, until: 2}",
                "{type: text_dominance, until: 2, fresh: true}", false);
    assert_keys(&d, "{type: modality_off, modality: right, until: 2}",
                "{type: modality_off, modality: right, until: 2, fresh: true}", true);
    assert_keys(&d, "{type: modality_off, modality: right, mode: noise, until: 2}",
                "{type: modality_off, modality: right, mode: noise, until: 2, fresh: true}", false);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_of_deficits_stay_what_they_are),
        cmocka_unit_test(a_modality_that_goes_without_saying_is_in_the_key_as_if_named),
        cmocka_unit_test(what_a_mode_does_not_use_is_in_no_key),
        cmocka_unit_test(equal_keys_give_equal_bits_whatever_the_configs),
    };
    return cmocka_run_group_tests(tests, folder_make, folder_remove);
}
