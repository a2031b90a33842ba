/* Calling the stabilizers' hooks: see stabilize.h.
 *
 * An epoch in which none acts costs one look at their windows, and a batch one comparison; memory is
 * all allocated before training. The trap: what a hook is told must be a function of the epoch and
 * of what the prefix key holds, or a resumed run would not be the run from scratch. */
#include "sim/stabilize.h"

#include <stdlib.h>
#include <string.h>

#include "base/system.h"
#include "base/text.h"

/* ---- the branch aimed at --------------------------------------------------------------------- */

/* What `modality` may name: the modalities, or every branch. */
static size_t targets_of(const struct stabilizer *type, const struct dataset *d,
                         const struct net *net, const char *names[NET_INPUTS + 1]) {
    size_t n;
    const char *const *branches = net_branches(net, &n);
    if (type->per_modality) {
        for (size_t m = 0; m < d->modalities_n; m++) names[m] = d->modality[m].name;
        return d->modalities_n;
    }
    for (size_t b = 0; b < n; b++) names[b] = branches[b];
    return n;
}

static int refuse_target(size_t i, const char *name, const char *const *names, size_t n,
                         struct error *e) {
    struct text known = {0};
    for (size_t k = 0; k < n; k++) text_add(&known, "%s%s", k ? ", " : "", names[k]);
    int status =
        n ? error_set(e, STATUS_USAGE, "stabilizers[%zu].modality: there is no '%s' (known: %s)", i,
                      text_shown(name).text, known.data)
          : error_set(e, STATUS_USAGE,
                      "stabilizers[%zu].modality: a network of one input has no branches; leave it "
                      "unset for everything",
                      i);
    free(known.data);
    return status;
}

int stabilizer_branch(const struct config *c, size_t i, const struct dataset *d,
                      const struct net *net, int *branch, struct error *e) {
    const char *names[NET_INPUTS + 1];
    *branch = -1;
    if (!settings_is_set(&c->stabilizers[i], "modality")) return STATUS_OK;
    const char *name = settings_text(&c->stabilizers[i], "modality");
    size_t n = targets_of(c->stabilizer_types[i], d, net, names);
    for (size_t b = 0; b < n; b++)
        if (!strcmp(names[b], name)) {
            *branch = (int)b;
            return STATUS_OK;
        }
    return refuse_target(i, name, names, n, e);
}

/* ---- memory ---------------------------------------------------------------------------------- */

static size_t scratch_bytes(const struct config *c, const struct net *net) {
    size_t most = 0;
    for (size_t i = 0; i < c->stabilizers_n; i++) {
        const struct stabilizer *type = c->stabilizer_types[i];
        size_t bytes = type->scratch ? type->scratch(&c->stabilizers[i], net) : 0;
        if (bytes > most) most = bytes;
    }
    return most;
}

static bool arrays_create(struct stabilizer_context *c, size_t n) {
    for (size_t a = 0; a < n; a++) {
        c->arrays[a] = calloc(net_params_count(c->net) + 1, sizeof(real));
        if (!c->arrays[a]) return false;
    }
    return true;
}

int stabilize_create(struct stabilize *s, const struct config *c, const struct dataset *d,
                     struct net *net, struct error *e) {
    *s = (struct stabilize){.config = c};
    if (!c->stabilizers_n) return STATUS_OK;
    s->index = malloc(net_batch(net) * sizeof *s->index);
    s->scratch = malloc(scratch_bytes(c, net) + 1);
    bool whole = s->index && s->scratch;
    for (size_t i = 0; i < c->stabilizers_n; i++) {
        struct stabilizer_context *context = &s->context[i];
        *context = (struct stabilizer_context){.net = net,
                                               .net_seed = c->net_seed,
                                               .train_seed = c->train_seed,
                                               .index = s->index,
                                               .scratch = s->scratch};
        int status = stabilizer_branch(c, i, d, net, &context->branch, e);
        if (status) return status;
        whole = whole && arrays_create(context, c->stabilizer_types[i]->arrays);
    }
    return whole ? STATUS_OK : error_set(e, STATUS_FAILED, "out of memory for the stabilizers");
}

void stabilize_free(struct stabilize *s) {
    for (size_t i = 0; i < CONFIG_STABILIZERS; i++)
        for (size_t a = 0; a < STABILIZER_ARRAYS; a++) free(s->context[i].arrays[a]);
    free(s->index);
    free(s->scratch);
    *s = (struct stabilize){0};
}

/* ---- at work --------------------------------------------------------------------------------- */

void stabilize_begin(struct stabilize *s, const struct timeline *t, int64_t epoch) {
    s->n = 0;
    s->seconds = 0.0;
    for (size_t i = 0; i < s->config->stabilizers_n; i++) {
        struct stabilizer_context *c = &s->context[i];
        int64_t from = s->instead ? 0 : t->stabilizers[i].from;
        c->strength = s->instead ? s->instead[i] : timeline_strength(t, s->config, i, epoch);
        if (c->strength == 0.0) continue;
        c->rate = t->rate[epoch];
        c->epoch = (uint32_t)epoch;
        c->since = (uint32_t)(epoch - from);
        c->batch = c->N = 0;
        s->active[s->n++] = i;
    }
}

void stabilize_batch(struct stabilize *s, const struct examples *from, const uint32_t *order,
                     const int32_t *labels, size_t n, size_t batch) {
    if (!s->n) return;
    for (size_t k = 0; k < n; k++) s->index[k] = from->index[order[k]];
    for (size_t k = 0; k < s->n; k++) {
        struct stabilizer_context *c = &s->context[s->active[k]];
        c->N = n;
        c->batch = batch;
        c->labels = labels;
    }
}

typedef void stabilizer_hook(const struct settings *s, const struct stabilizer_context *c);

static stabilizer_hook *hook_of(const struct stabilizer *type, enum stabilize_hook hook) {
    stabilizer_hook *const hooks[] = {[STABILIZE_EPOCH_START] = type->epoch_start,
                                      [STABILIZE_BATCH] = type->batch,
                                      [STABILIZE_LOSS] = type->loss,
                                      [STABILIZE_GRADIENTS] = type->gradients,
                                      [STABILIZE_PARAMETERS] = type->parameters,
                                      [STABILIZE_EPOCH_END] = type->epoch_end};
    return hooks[hook];
}

static void call_each(struct stabilize *s, enum stabilize_hook hook) {
    for (size_t k = 0; k < s->n; k++) {
        size_t i = s->active[k];
        stabilizer_hook *call = hook_of(s->config->stabilizer_types[i], hook);
        if (call) call(&s->config->stabilizers[i], &s->context[i]);
    }
}

bool stabilize_has(const struct stabilize *s, enum stabilize_hook hook) {
    for (size_t k = 0; k < s->n; k++)
        if (hook_of(s->config->stabilizer_types[s->active[k]], hook)) return true;
    return false;
}

void stabilize_call(struct stabilize *s, enum stabilize_hook hook) {
    bool at_an_end = hook == STABILIZE_EPOCH_START || hook == STABILIZE_EPOCH_END;
    if (!s->n) return;
    double began = at_an_end ? system_seconds() : 0.0;
    call_each(s, hook);
    if (at_an_end) s->seconds += system_seconds() - began;
}
