/* The table of sections: see schema.h. Parents come before their children, and sections in the
 * order in which the dump and the manual show them. A new list of plug-ins (`deficits`) is a
 * registry and one line of the table. */
#include "sim/schema.h"

#include <stdio.h>
#include <string.h>

#include "analysis/measures/measure.h"
#include "sim/config.h"

/* ---- registries ------------------------------------------------------------------------------ */
/* The plug-ins' structs differ, but each has a name, a doc and params. */
#define REGISTRY(kind, type, list)                                                                 \
    static bool kind##_at(size_t i, struct plugin *p) {                                            \
        size_t n;                                                                                  \
        const struct type *const *all = list(&n);                                                  \
        if (i >= n) return false;                                                                  \
        *p = (struct plugin){all[i]->name, all[i]->doc, all[i]->params, all[i], NULL};             \
        return true;                                                                               \
    }
REGISTRY(arch, arch, arch_list)
REGISTRY(loss, loss, loss_list)
REGISTRY(optimizer, optimizer, optimizer_list)
REGISTRY(schedule, schedule, schedule_list)
REGISTRY(deficit, deficit, deficit_list)
REGISTRY(stabilizer, stabilizer, stabilizer_list)

static bool measure_at(size_t i, struct plugin *p) {
    size_t n;
    const struct measure *const *all = measure_list(&n);
    if (i >= n) return false;
    *p = (struct plugin){all[i]->name, all[i]->doc, NULL, all[i], NULL};
    return true;
}

static bool dataset_at(size_t i, struct plugin *p) {
    size_t n;
    const struct dataset_type *const *all = dataset_list(&n);
    if (i >= n) return false;
    *p = (struct plugin){all[i]->name, all[i]->doc, all[i]->params, all[i], all[i]->wraps};
    return true;
}

static const struct registry datasets = {"data set", "data sets", dataset_at};
static const struct registry archs = {"architecture", "architectures", arch_at};
static const struct registry losses = {"loss", "losses", loss_at};
static const struct registry optimizers = {"optimizer", "optimizers", optimizer_at};
static const struct registry schedules = {"schedule", "schedules", schedule_at};
static const struct registry deficits = {"deficit", "deficits", deficit_at};
static const struct registry stabilizers = {"stabilizer", "stabilizers", stabilizer_at};
const struct registry measures_registry = {"measure", "measures", measure_at};

/* ---- keys ------------------------------------------------------------------------------------ */

#define SEED_MAX   9007199254740992.0 /* 2^53: exact in HDF5 and in every plotting tool */
#define EPOCHS_MAX 1e6

static const struct param top_params[] = {
    {.name = "experiment",
     .type = PARAM_TEXT,
     .preset = "~",
     .doc = "The experiment's name and its folder under results/: letters, digits, '-', '_' and "
            "'.'; unset: the config's file name.",
     .outside_key = true},
    {.name = "note",
     .type = PARAM_TEXT,
     .preset = "~",
     .doc = "What the experiment is for; copied into its logs and report.",
     .outside_key = true},
    {.name = "seed",
     .type = PARAM_INT,
     .preset = "1",
     .min = 0,
     .max = SEED_MAX,
     .doc = "The default of data.seed, net.seed and train.seed.",
     .outside_key = true},
    {.name = "measures",
     .type = PARAM_TEXTS,
     .preset = "[]",
     .doc = "What is measured beside the Fisher trace, by name (`imprint list measures`)."},
    {.name = NULL}};

static const struct param augment_params[] = {
    {.name = "shift",
     .type = PARAM_INT,
     .preset = "0",
     .min = 0,
     .max = 1024,
     .unit = "pixels",
     .doc = "Training images move by up to so many pixels along each axis, zeros moving in."},
    {.name = "flip",
     .type = PARAM_BOOL,
     .preset = "false",
     .doc = "Training images are mirrored left to right with probability 1/2."},
    {.name = NULL}};

static const struct param net_params_table[] = {
    {.name = "arch", .type = PARAM_TEXT, .doc = "The architecture."},
    {.name = "seed",
     .type = PARAM_INT,
     .preset = "~",
     .min = 0,
     .max = SEED_MAX,
     .doc = "Seed of the initialization; unset: that of the experiment."},
    {.name = NULL}};

static const struct param train_params[] = {
    {.name = "batch",
     .type = PARAM_INT,
     .preset = "128",
     .min = 1,
     .max = 65536,
     .unit = "examples",
     .doc = "Examples in a training step."},
    {.name = "drop_last",
     .type = PARAM_BOOL,
     .preset = "false",
     .doc = "Leave out the last batch of an epoch when it is incomplete."},
    {.name = "passes",
     .type = PARAM_INT,
     .preset = "1",
     .min = 1,
     .max = 1e6,
     .unit = "1",
     .doc = "An epoch goes over the training examples so often, each time in a new order; what is "
            "drawn anew in every epoch (augmentation, fresh noise) stays in all its passes. For "
            "small data, whose epochs would cost more to log than to train."},
    {.name = "seed",
     .type = PARAM_INT,
     .preset = "~",
     .min = 0,
     .max = SEED_MAX,
     .doc = "Seed of the order of the examples and of augmentation; unset: that of the "
            "experiment."},
    {.name = NULL}};

static const struct param epochs_params[] = {
    {.name = "after_removal",
     .type = PARAM_INT,
     .preset = "20",
     .min = 0,
     .max = EPOCHS_MAX,
     .unit = "epochs",
     .doc = "Every run trains so long after its removal epoch (equal clean training). Unset when "
            "total is given."},
    {.name = "total",
     .type = PARAM_INT,
     .preset = "~",
     .min = 0,
     .max = EPOCHS_MAX,
     .unit = "epochs",
     .doc = "Every run trains so long, deficit included (equal total training)."},
    {.name = NULL}};

static const struct param loss_params[] = {{.name = "type",
                                            .type = PARAM_TEXT,
                                            .preset = "cross_entropy",
                                            .doc = "The loss; the other for data with targets."},
                                           {.name = NULL}};

static const struct param optimizer_params[] = {
    {.name = "type", .type = PARAM_TEXT, .preset = "sgd", .doc = "The optimizer."}, {.name = NULL}};

static const struct param at_removal_params[] = {
    {.name = "momentum",
     .type = PARAM_CHOICE,
     .preset = "keep",
     .choices = "keep|reset",
     .doc = "What becomes of the optimizer's momentum when the deficit ends; reset zeroes it."},
    {.name = NULL}};

static const struct param lr_params[] = {
    {.name = "base",
     .type = PARAM_REAL,
     .preset = "0.05",
     .min = 0.0,
     .max = 1000.0,
     .unit = "1",
     .doc = "The learning rate that the schedule multiplies."},
    {.name = "schedule", .type = PARAM_TEXT, .preset = "constant", .doc = "The schedule."},
    {.name = "clock",
     .type = PARAM_CHOICE,
     .preset = "run",
     .choices = "run|removal",
     .doc = "run: the schedule goes on through the deficit; removal: it runs from 0 and starts "
            "again at the removal epoch."},
    {.name = "warmup",
     .type = PARAM_INT,
     .preset = "0",
     .min = 0,
     .max = EPOCHS_MAX,
     .unit = "epochs",
     .doc = "The rate rises linearly over so many epochs of the clock."},
    {.name = NULL}};

static const struct param eval_params[] = {
    {.name = "every",
     .type = PARAM_INT,
     .preset = "1",
     .min = 1,
     .max = EPOCHS_MAX,
     .unit = "epochs",
     .doc = "Test (and validation) data are evaluated in rows 0, every, 2 every, ..."},
    {.name = "norm",
     .type = PARAM_CHOICE,
     .preset = "running",
     .choices = "running|refreshed",
     .doc = "Normalization statistics to evaluate with: the running ones, or statistics from one "
            "pass over the current training data, into a copy."},
    {.name = "deficit",
     .type = PARAM_BOOL,
     .preset = "true",
     .doc = "Evaluate test data under the deficits too (test_deficit_accuracy)."},
    {.name = "measures_every",
     .type = PARAM_INT,
     .preset = "1",
     .min = 1,
     .max = EPOCHS_MAX,
     .unit = "epochs",
     .doc = "The measures of `measures` are taken in those evaluated rows that it divides.",
     .outside_key = true}, /* hashed by hash_measures, where there are any */
    {.name = NULL}};

static const struct param final_params[] = {
    {.name = "last",
     .type = PARAM_INT,
     .preset = "5",
     .min = 1,
     .max = EPOCHS_MAX,
     .unit = "epochs",
     .doc = "Final accuracy is the mean over the last min(last, total - removal) epochs."},
    {.name = NULL}};

static const struct param fisher_params[] = {
    {.name = "estimator",
     .type = PARAM_CHOICE,
     .preset = "sampled",
     .choices = "exact|sampled|sketch|empirical",
     .doc = "Labels of the Fisher trace: all classes weighted by the model (exact), drawn from "
            "the model (sampled), none but random signs with the model's covariance (sketch), or "
            "the data set's (empirical, which is not the Fisher)."},
    {.name = "draws",
     .type = PARAM_INT,
     .preset = "1",
     .min = 1,
     .max = 1000,
     .doc = "Labels (sampled) or vectors of signs (sketch) drawn for each probe."},
    {.name = "probes",
     .type = PARAM_INT,
     .preset = "1000",
     .min = 0,
     .max = 1e9,
     .unit = "examples",
     .doc = "Examples in the fixed probe set; 0: no Fisher information is measured."},
    {.name = "on",
     .type = PARAM_TEXTS,
     .preset = "[clean, deficit]",
     .choices = "clean|deficit",
     .doc = "Measure on the probes as they are, under the deficit, or both."},
    {.name = "every",
     .type = PARAM_INT,
     .preset = "1",
     .min = 1,
     .max = EPOCHS_MAX,
     .unit = "epochs",
     .doc = "Measure in rows 0, every, 2 every, ..."},
    {.name = "split",
     .type = PARAM_CHOICE,
     .preset = "train",
     .choices = "train|test",
     .doc = "Where the probes come from, unaugmented."},
    {.name = "deficit_probes",
     .type = PARAM_TEXT,
     .preset = "~",
     .doc = "Type of a listed deficit (its window may be empty) that every run is probed under, "
            "clean twins too; unset: what is in force in the run itself."},
    {.name = NULL}};

/* None of it can influence a number; is_outside keeps it out of the logs, too. */
static const struct param slurm_params[] = {
    {.name = "partition",
     .type = PARAM_TEXT,
     .preset = "~",
     .doc = "Partition to submit to; unset: the cluster's default.",
     .outside_key = true},
    {.name = "account",
     .type = PARAM_TEXT,
     .preset = "~",
     .doc = "Account to charge; unset: the user's default.",
     .outside_key = true},
    {.name = "time",
     .type = PARAM_TEXT,
     .preset = "~",
     .doc = "Time limit of a job as sbatch reads it (90 is minutes, 12:00:00 hours, 1-12 days and "
            "hours); a job that reaches it goes on in a new one. Unset: the partition's.",
     .outside_key = true},
    {.name = "mem",
     .type = PARAM_TEXT,
     .preset = "~",
     .doc = "Memory of a job as sbatch reads it (2G); unset: the cluster's default.",
     .outside_key = true},
    {.name = "signal",
     .type = PARAM_INT,
     .preset = "120",
     .min = 1,
     .max = 65535,
     .unit = "seconds",
     .doc = "So long before its time limit a job is told to save and to ask for a new start.",
     .outside_key = true},
    {.name = "options",
     .type = PARAM_TEXTS,
     .preset = "[]",
     .doc = "Further options of sbatch, each one word, as in [--constraint=avx512, --qos=low].",
     .outside_key = true},
    {.name = NULL}};

/* ---- sections -------------------------------------------------------------------------------- */

#define AT(member) offsetof(struct config, member)

static const struct section sections[] = {
    {.path = "", .doc = "The top level.", .params = top_params, .settings = AT(top)},
    {.path = "data",
     .doc = "The data set and how much of it is used.",
     .params = data_common_params,
     .tag = "set",
     .registry = &datasets,
     .settings = AT(data),
     .self = AT(dataset)},
    {.path = "data.augment",
     .doc = "Augmentation of training images; test images are never augmented.",
     .params = augment_params,
     .settings = AT(augment)},
    {.path = "net",
     .doc = "The network.",
     .params = net_params_table,
     .tag = "arch",
     .registry = &archs,
     .settings = AT(net),
     .self = AT(arch)},
    {.path = "train", .doc = "Training.", .params = train_params, .settings = AT(train)},
    {.path = "train.epochs",
     .doc = "The length of a run: one of the two keys.",
     .params = epochs_params,
     .settings = AT(epochs)},
    {.path = "train.loss",
     .doc = "What is minimized: see nets/loss.h.",
     .params = loss_params,
     .tag = "type",
     .registry = &losses,
     .settings = AT(loss),
     .self = AT(loss_type)},
    {.path = "train.optimizer",
     .doc = "The optimizer.",
     .params = optimizer_params,
     .tag = "type",
     .registry = &optimizers,
     .settings = AT(optimizer),
     .self = AT(optimizer_type)},
    {.path = "train.at_removal",
     .doc = "What happens when the deficit ends.",
     .params = at_removal_params,
     .settings = AT(at_removal)},
    {.path = "train.lr",
     .doc = "The learning rate, constant within an epoch.",
     .params = lr_params,
     .tag = "schedule",
     .registry = &schedules,
     .settings = AT(lr),
     .self = AT(schedule)},
    {.path = "eval", .doc = "Evaluation.", .params = eval_params, .settings = AT(eval)},
    {.path = "final", .doc = "The final accuracy.", .params = final_params, .settings = AT(final)},
    {.path = "fisher",
     .doc = "Fisher information.",
     .params = fisher_params,
     .settings = AT(fisher)},
    {.path = "deficits",
     .doc = "A list of mappings: what spoils the early experience, each in a window of epochs.",
     .params = deficit_common_params,
     .tag = "type",
     .registry = &deficits,
     .settings = AT(deficits),
     .self = AT(deficit_types),
     .count = AT(deficits_n),
     .limit = CONFIG_DEFICITS},
    {.path = "stabilizers",
     .doc = "A list of mappings: what is to keep a critical period open or to reopen it, each in a "
            "window of epochs. They act in the order of the list.",
     .params = stabilizer_common_params,
     .tag = "type",
     .registry = &stabilizers,
     .settings = AT(stabilizers),
     .self = AT(stabilizer_types),
     .count = AT(stabilizers_n),
     .limit = CONFIG_STABILIZERS},
    {.path = "slurm",
     .doc = "What the jobs of `imprint sweep --launcher slurm` ask the cluster for. It influences "
            "no number and is in no log.",
     .params = slurm_params,
     .settings = AT(slurm),
     .is_outside = true},
};

const struct section *schema_sections(size_t *n) {
    *n = sizeof sections / sizeof *sections;
    return sections;
}

const char *section_key(const struct section *s) {
    const char *dot = strrchr(s->path, '.');
    return dot ? dot + 1 : s->path;
}

bool section_inside(const struct section *child, const struct section *parent) {
    size_t n = strlen(parent->path);
    if (!*child->path) return false;
    if (n == 0) return !strchr(child->path, '.');
    return !strncmp(child->path, parent->path, n) && child->path[n] == '.' &&
           !strchr(child->path + n + 1, '.');
}

/* ---- looking things up ----------------------------------------------------------------------- */

bool registry_find(const struct registry *r, const char *name, struct plugin *p) {
    for (size_t i = 0; r->at(i, p); i++)
        if (!strcmp(p->name, name)) return true;
    return false;
}

bool registry_has_key(const struct registry *r, const char *key) {
    struct plugin p;
    for (size_t i = 0; r->at(i, &p); i++)
        if (param_find(p.params, key)) return true;
    return false;
}

void registry_list(const struct registry *r, struct text *t) {
    struct plugin p;
    for (size_t i = 0; r->at(i, &p); i++) text_add(t, "%s%s", i ? ", " : "", p.name);
}

const struct param *param_find(const struct param *table, const char *name) {
    for (; table && table->name; table++)
        if (!strcmp(table->name, name)) return table;
    return NULL;
}

static bool section_has(const struct section *s, const char *key) {
    return param_find(s->params, key) || (s->registry && registry_has_key(s->registry, key));
}

const char *schema_elsewhere(const char *key, char path[64]) {
    for (size_t i = 0; i < sizeof sections / sizeof *sections; i++) {
        const struct section *s = &sections[i];
        bool is_section = *s->path && !strcmp(section_key(s), key);
        if (!is_section && !section_has(s, key)) continue;
        snprintf(path, 64, "%s%s%s%s", s->path, s->limit && !is_section ? "[0]" : "",
                 *s->path && !is_section ? "." : "", is_section ? "" : key);
        return path;
    }
    return NULL;
}
