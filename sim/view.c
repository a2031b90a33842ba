/* Views: see view.h. First every stand-in is found, deficit by deficit; then the modalities and labels
 * of whoever stands there now are spoiled, in the config's order.
 *
 * An example keeps its place in the data order and its official number when another stands in for
 * it. What is drawn for it (noise, hints, augmentation) is keyed by that number: two places with one
 * stand-in are two examples that happen to look alike, and a run shares every draw with its clean
 * twin. Only the true label, which a hint needs, is the stand-in's. */
#include "sim/view.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "sim/target.h"

static void hash_severities(const struct config *c, const struct examples *source,
                            const double severity[], char key[HASH_TEXT]) {
    struct hash *h = hash_create();
    hash_int(h, (int64_t)(uintptr_t)source);
    bool any = false;
    for (size_t i = 0; i < c->deficits_n; i++) {
        hash_real(h, severity[i]);
        any = any || severity[i] != 0.0;
    }
    key[0] = '\0';
    if (any) hash_digest(h, key);
    hash_free(h);
}

static bool deficit_is_fresh(const struct config *c, size_t i) {
    const struct deficit *type = c->deficit_types[i];
    return type->is_fresh && type->is_fresh(&c->deficits[i]);
}

static size_t view_position(const struct view *v, size_t example) {
    return v->stand_in ? v->stand_in[example] : example;
}

uint32_t view_index(const struct view *v, size_t example) {
    return v->source->index[example];
}

int32_t view_label(const struct view *v, size_t example) {
    return v->label ? v->label[example] : v->source->label[view_position(v, example)];
}

/* Deficit i on this example, with the draws of the epoch when it is fresh. */
static struct deficit_context context_of(const struct view *v, const struct config *c, size_t i,
                                         size_t example, uint32_t epoch) {
    const struct dataset *d = v->data;
    const int m = v->target[i];
    return (struct deficit_context){.modality = m == TARGET_NONE ? NULL : &d->modality[m],
                                    .modality_index = m == TARGET_NONE ? 0 : (size_t)m,
                                    .K = d->K,
                                    .class_group = d->class_group,
                                    .label = v->source->label[view_position(v, example)],
                                    .seed = c->data_seed,
                                    .epoch = deficit_is_fresh(c, i) ? epoch : 0,
                                    .index = view_index(v, example),
                                    .severity = v->severity[i]};
}

void view_free(struct view *v) {
    for (size_t m = 0; m < DATA_MODALITIES; m++) free(v->spoiled[m]);
    free(v->stand_in);
    free(v->targets);
    free(v->label);
    *v = (struct view){0};
}

/* ---- applied once ---------------------------------------------------------------------------- */

static int find_stand_ins(struct view *v, const struct config *c, size_t i, struct error *e) {
    const size_t n = v->source->n;
    if (!v->stand_in) {
        v->stand_in = malloc((n + 1) * sizeof *v->stand_in);
        if (!v->stand_in) return error_set(e, STATUS_FAILED, "out of memory for the stand-ins");
        for (size_t k = 0; k < n; k++) v->stand_in[k] = (uint32_t)k;
    }
    for (size_t k = 0; k < n; k++) {
        struct deficit_context at = context_of(v, c, i, k, 0);
        v->stand_in[k] = (uint32_t)c->deficit_types[i]->stand_in(&c->deficits[i], &at, v->source,
                                                                 v->stand_in[k]);
    }
    return STATUS_OK;
}

/* The modality's own copy, of the stand-ins where there are any. */
static int copy_modality(struct view *v, size_t m) {
    const size_t size = modality_bytes(&v->data->modality[m]), n = v->source->n;
    if (v->spoiled[m]) return STATUS_OK;
    v->spoiled[m] = malloc(n * size + 1);
    if (!v->spoiled[m]) return STATUS_FAILED;
    for (size_t k = 0; k < n; k++)
        memcpy((char *)v->spoiled[m] + k * size,
               (const char *)v->source->x[m] + view_position(v, k) * size, size);
    return STATUS_OK;
}

static int spoil_modality(struct view *v, const struct config *c, size_t i, struct error *e) {
    const struct deficit *type = c->deficit_types[i];
    const size_t m = (size_t)v->target[i], size = modality_bytes(&v->data->modality[m]);
    void *scratch =
        malloc((type->scratch ? type->scratch(&c->deficits[i], &v->data->modality[m]) : 0) + 1);
    if (!scratch || copy_modality(v, m)) {
        free(scratch);
        return error_set(e, STATUS_FAILED, "out of memory for the spoiled examples");
    }
    for (size_t k = 0; k < v->source->n; k++) {
        struct deficit_context at = context_of(v, c, i, k, 0);
        type->spoil(&c->deficits[i], &at, (char *)v->spoiled[m] + k * size, scratch);
    }
    free(scratch);
    return STATUS_OK;
}

static int spoil_labels(struct view *v, const struct config *c, size_t i, struct error *e) {
    const size_t n = v->source->n;
    if (!v->label) {
        int32_t *label = malloc((n + 1) * sizeof *label);
        if (!label) return error_set(e, STATUS_FAILED, "out of memory for the spoiled labels");
        for (size_t k = 0; k < n; k++) label[k] = view_label(v, k);
        v->label = label;
    }
    for (size_t k = 0; k < n; k++) {
        struct deficit_context at = context_of(v, c, i, k, 0);
        v->label[k] = c->deficit_types[i]->label(&c->deficits[i], &at, v->label[k]);
    }
    return STATUS_OK;
}

/* Targets have no fresh deficits, so they wait for none. */
static int spoil_targets(struct view *v, const struct config *c, size_t i, struct error *e) {
    const size_t n = v->source->n, K = v->data->K;
    if (!v->targets) {
        float *target = malloc((n * K + 1) * sizeof *target);
        if (!target) return error_set(e, STATUS_FAILED, "out of memory for the spoiled targets");
        for (size_t k = 0; k < n; k++)
            memcpy(target + k * K, view_target(v, k), K * sizeof *target);
        v->targets = target;
    }
    for (size_t k = 0; k < n; k++) {
        struct deficit_context at = context_of(v, c, i, k, 0);
        c->deficit_types[i]->targets(&c->deficits[i], &at, v->source, view_position(v, k),
                                     v->targets + k * K);
    }
    return STATUS_OK;
}

/* Severities, modalities and stand-ins. */
static int view_begin(struct view *v, const struct config *c, const struct dataset *d,
                      const struct examples *source, const double severity[], struct error *e) {
    int status = STATUS_OK;
    view_free(v);
    v->data = d;
    v->source = source;
    for (size_t i = 0; i < c->deficits_n && !status; i++) {
        v->severity[i] = severity[i];
        v->target[i] = deficit_modality(c, d, i);
        if (severity[i] != 0.0 && c->deficit_types[i]->stand_in)
            status = find_stand_ins(v, c, i, e);
    }
    return status;
}

int view_make(struct view *v, const struct config *c, const struct dataset *d,
              const struct examples *source, const double severity[CONFIG_DEFICITS],
              struct error *e) {
    char key[HASH_TEXT];
    hash_severities(c, source, severity, key);
    if (v->source == source && !strcmp(v->key, key)) return STATUS_OK;
    int status = view_begin(v, c, d, source, severity, e);
    memcpy(v->key, key, sizeof key);
    for (size_t i = 0; i < c->deficits_n && !status; i++) {
        const struct deficit *type = c->deficit_types[i];
        if (severity[i] == 0.0) continue;
        if (type->targets) status = spoil_targets(v, c, i, e);
        if (status) break;
        /* once one deficit is fresh, those after it must wait for it */
        if (v->fresh_n || deficit_is_fresh(c, i)) {
            v->fresh[v->fresh_n++] = i;
            continue;
        }
        if (type->spoil && v->target[i] != TARGET_NONE) status = spoil_modality(v, c, i, e);
        if (!status && type->label) status = spoil_labels(v, c, i, e);
    }
    return status;
}

int view_make_lazy(struct view *v, const struct config *c, const struct dataset *d,
                   const struct examples *source, const double severity[CONFIG_DEFICITS],
                   struct error *e) {
    int status = view_begin(v, c, d, source, severity, e);
    for (size_t i = 0; i < c->deficits_n && !status; i++)
        if (severity[i] != 0.0) v->fresh[v->fresh_n++] = i;
    snprintf(v->key, sizeof v->key, "lazy"); /* no key of view_make */
    return status;
}

/* ---- one example ----------------------------------------------------------------------------- */

/* The scratch holds one example of the largest modality, then what the deficits work with. */
static size_t example_room(const struct dataset *d) {
    size_t room = 0;
    for (size_t m = 0; m < d->modalities_n; m++)
        if (modality_bytes(&d->modality[m]) > room) room = modality_bytes(&d->modality[m]);
    return (room + 63) / 64 * 64;
}

size_t view_scratch(const struct config *c, const struct dataset *d) {
    size_t most = 0;
    for (size_t i = 0; i < c->deficits_n; i++) {
        const struct deficit *type = c->deficit_types[i];
        const int m = deficit_modality(c, d, i);
        if (!type->scratch || m == TARGET_NONE) continue;
        const size_t need = type->scratch(&c->deficits[i], &d->modality[m]);
        if (need > most) most = need;
    }
    return example_room(d) + most + 64;
}

const float *view_target(const struct view *v, size_t example) {
    const size_t K = v->data->K;
    if (!v->source->target) return NULL;
    return v->targets ? v->targets + example * K
                      : v->source->target + view_position(v, example) * K;
}

static bool is_fresh_modality(const struct view *v, const struct config *c, size_t m) {
    for (size_t k = 0; k < v->fresh_n; k++)
        if (v->target[v->fresh[k]] == (int)m && c->deficit_types[v->fresh[k]]->spoil) return true;
    return false;
}

const void *view_example(const struct view *v, const struct config *c, size_t m, size_t example,
                         uint32_t epoch, void *scratch) {
    const size_t size = modality_bytes(&v->data->modality[m]);
    const void *x = v->spoiled[m]
                        ? (const char *)v->spoiled[m] + example * size
                        : (const char *)v->source->x[m] + view_position(v, example) * size;
    if (!is_fresh_modality(v, c, m)) return x;
    memcpy(scratch, x, size);
    for (size_t k = 0; k < v->fresh_n; k++) {
        const size_t i = v->fresh[k];
        if (!c->deficit_types[i]->spoil || v->target[i] != (int)m) continue;
        struct deficit_context at = context_of(v, c, i, example, epoch);
        c->deficit_types[i]->spoil(&c->deficits[i], &at, scratch,
                                   (char *)scratch + example_room(v->data));
    }
    return scratch;
}

int32_t view_epoch_label(const struct view *v, const struct config *c, size_t example,
                         uint32_t epoch) {
    int32_t label = view_label(v, example);
    for (size_t k = 0; k < v->fresh_n; k++) {
        const size_t i = v->fresh[k];
        if (!c->deficit_types[i]->label) continue;
        struct deficit_context at = context_of(v, c, i, example, epoch);
        label = c->deficit_types[i]->label(&c->deficits[i], &at, label);
    }
    return label;
}
