/* Configs: one YAML file -> one experiment -> the resolved configs of its runs.
 *
 * The schema (sim/schema.c) is one table of sections; it drives parsing, validation, defaults,
 * overrides, sweep axes, `imprint describe`, the resolved dump and docs/config.md. Every refusal
 * is one sentence with file:line:column and, for unknown keys, the nearest known one. */
#ifndef SIM_CONFIG_H
#define SIM_CONFIG_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/error.h"
#include "base/role.h"
#include "base/settings.h"
#include "deficits/deficit.h"
#include "nets/arch.h"
#include "nets/loss.h"
#include "nets/optimizer.h"
#include "sim/data.h"
#include "sim/schedule.h"
#include "stabilizers/stabilizer.h"

enum { CONFIG_DEFICITS = 16, CONFIG_STABILIZERS = 16 };

/* One run's config, every key resolved and checked. All memory owned. */
struct config {
    struct settings top;        /* experiment, seed, measures */
    struct settings data;       /* common keys, then the data set's own */
    struct settings augment;    /* data.augment: shift (pixels), flip */
    struct settings net;        /* arch, seed, then the architecture's own */
    struct settings train;      /* batch, passes, seed */
    struct settings epochs;     /* train.epochs: exactly one of after_removal, total is set */
    struct settings loss;       /* train.loss: type, then its own */
    struct settings optimizer;  /* train.optimizer: type, then its own */
    struct settings at_removal; /* train.at_removal: momentum keep|reset */
    struct settings lr;     /* train.lr: base, schedule, clock, warmup, then the schedule's own */
    struct settings eval;   /* every, norm running|refreshed */
    struct settings final;  /* last */
    struct settings fisher; /* estimator, draws, probes, on, every, split, deficit_probes */
    struct settings slurm;  /* partition, account, time, mem, signal, options */
    size_t deficits_n;
    struct settings deficits[CONFIG_DEFICITS]; /* common keys, then the deficit's own */
    size_t stabilizers_n;
    struct settings stabilizers[CONFIG_STABILIZERS]; /* common keys, then the stabilizer's own */

    const struct dataset_type *dataset;
    const struct arch *arch;
    const struct loss *loss_type;
    const struct optimizer *optimizer_type;
    const struct schedule *schedule;
    const struct deficit *deficit_types[CONFIG_DEFICITS];
    const struct stabilizer *stabilizer_types[CONFIG_STABILIZERS];
    uint64_t data_seed, net_seed, train_seed; /* each its own key; `seed` is the default of all */
};

void config_free(struct config *c);
void config_copy(struct config *to, const struct config *from);
/* A hash of every value: equal for equal configs. (What names states is sim/timeline.h's.) */
void config_digest(const struct config *c, char digest[HASH_TEXT]);

/* The fully resolved config as YAML text, malloc'ed; parsing it gives an equal config, `slurm`
 * apart, which says how a run is started and is left out. */
char *config_dump(const struct config *c);
/* Parse one run's config without sweep (as stored in a log); `name` stands in messages. */
int config_parse(struct config *c, const char *text, const char *name, struct error *e);

/* An experiment: the file, its overrides and its sweep. Points are the runs that were asked for,
 * in the file's order (clean twins are the planner's business). */
struct experiment;

/* `overrides` are "a.b=value" (a list "1,2,3" makes a sweep axis named after the key's last part);
 * `profile` may be NULL. Axes, overlays, parts and every point's config are checked lazily by
 * experiment_config, the file's structure here. */
int experiment_load(struct experiment **x, const char *path, const char *profile,
                    const char *const *overrides, size_t overrides_n, struct error *e);
void experiment_free(struct experiment *x);
const char *experiment_name(const struct experiment *x);
size_t experiment_points(const struct experiment *x);

/* Axes over all parts, in order of appearance. A part's point has a value for its own axes only. */
size_t experiment_axes(const struct experiment *x);
const char *experiment_axis(const struct experiment *x, size_t axis);
/* Is it an axis of seeds (its key is seed or ends in .seed)? Reports average over those. */
bool experiment_axis_is_seed(const struct experiment *x, size_t axis);
/* The part's name ("main" for a plain `axes`), and the point's label on an axis: the value's text
 * or the overlay's name; NULL where the part has no such axis. */
const char *experiment_part(const struct experiment *x, size_t point);
const char *experiment_label(const struct experiment *x, size_t point, size_t axis);

/* [RUN_ROLES]: what sweep.controls asks for, by the role that it begins with (ROLE_LR_CLOCK, ...). */
const bool *experiment_controls(const struct experiment *x);

int experiment_config(const struct experiment *x, size_t point, struct config *c, struct error *e);

/* `imprint describe KEY` (a key, a section, or a plug-in's name) and docs/config.md. */
int schema_describe(FILE *out, const char *key, struct error *e);
void schema_manual(FILE *out);

#endif
