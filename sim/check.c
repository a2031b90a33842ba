/* Checks across config and data set: see check.h. */
#include "sim/check.h"

#include "analysis/measures/measure.h"
#include "nets/net.h"
#include "sim/stabilize.h"
#include "sim/target.h"

static int check_deficit(const struct config *c, const struct dataset *d, size_t i,
                         struct error *e) {
    const struct deficit *type = c->deficit_types[i];
    int m;
    if (target_find(type, &c->deficits[i], d, &m, e))
        return error_prefix(e, "deficits[%zu].modality", i);
    const struct modality *target = m == TARGET_NONE ? NULL : &d->modality[m];
    if (type->targets && !d->has_targets)
        return error_set(e, STATUS_USAGE,
                         "deficits[%zu]: %s spoils targets, and data set '%s' has classes", i,
                         type->name, d->type->name);
    if (type->label && d->has_targets)
        return error_set(e, STATUS_USAGE,
                         "deficits[%zu]: %s spoils classes, and data set '%s' has targets", i,
                         type->name, d->type->name);
    if (!type->check || !type->check(&c->deficits[i], target, d->K, e)) return STATUS_OK;
    return error_prefix(e, "deficits[%zu]", i);
}

static int check_shift(const struct config *c, const struct dataset *d, struct error *e) {
    int64_t shift = settings_int(&c->augment, "shift");
    for (size_t m = 0; m < d->modalities_n; m++) {
        if (d->modality[m].kind != MODALITY_IMAGE) continue;
        if (shift >= (int64_t)d->modality[m].H || shift >= (int64_t)d->modality[m].W)
            return error_set(e, STATUS_USAGE,
                             "data.augment.shift: %lld pixels move a %zux%zu "
                             "image out of sight",
                             (long long)shift, d->modality[m].H, d->modality[m].W);
    }
    return STATUS_OK;
}

static int check_probes(const struct config *c, struct error *e) {
    if (!settings_is_set(&c->fisher, "deficit_probes")) return STATUS_OK;
    for (size_t i = 0; i < c->deficits_n; i++)
        if (settings_is(&c->fisher, "deficit_probes", c->deficit_types[i]->name)) return STATUS_OK;
    const char *name = settings_text(&c->fisher, "deficit_probes");
    return error_set(e, STATUS_USAGE,
                     "fisher.deficit_probes: no deficit of type '%s' is listed; "
                     "add {type: %s, from: 0, until: 0} to deficits to measure on it",
                     name, name);
}

static int check_loss(const struct config *c, const struct dataset *d, struct error *e) {
    if (!d->has_targets || c->loss_type->reads_targets) return STATUS_OK;
    return error_set(e, STATUS_USAGE,
                     "train.loss.type: %s needs classes, and data set '%s' has targets; take "
                     "squared_error",
                     c->loss_type->name, d->type->name);
}

static int check_optimizer(const struct config *c, struct error *e) {
    const struct optimizer *type = c->optimizer_type;
    if (!type->check || !type->check(&c->optimizer, e)) return STATUS_OK;
    return error_prefix(e, "train.optimizer");
}

int check_data(const struct config *c, const struct dataset *d, struct error *e) {
    if (d->train.n == 0) return error_set(e, STATUS_USAGE, "data.train: no training examples");
    if (d->test.n == 0) return error_set(e, STATUS_USAGE, "data.test: no test examples");
    for (size_t i = 0; i < c->deficits_n; i++) {
        int status = check_deficit(c, d, i, e);
        if (status) return status;
    }
    int status = check_shift(c, d, e);
    if (!status) status = check_loss(c, d, e);
    if (!status) status = check_optimizer(c, e);
    return status ? status : check_probes(c, e);
}

static int check_stabilizers(const struct config *c, const struct dataset *d, const struct net *net,
                             struct error *e) {
    for (size_t i = 0; i < c->stabilizers_n; i++) {
        const struct stabilizer *type = c->stabilizer_types[i];
        int branch, status = stabilizer_branch(c, i, d, net, &branch, e);
        if (status) return status;
        if (type->check && type->check(&c->stabilizers[i], net, branch, e))
            return error_prefix(e, "stabilizers[%zu]", i);
    }
    return STATUS_OK;
}

/* One that holds back a branch's gradients needs a branch with something to learn. */
static int check_gradients(const struct config *c, const struct dataset *d, size_t i,
                           const struct net *net, struct error *e) {
    const int m = deficit_modality(c, d, i);
    size_t layers;
    if (!c->deficit_types[i]->gradients) return STATUS_OK;
    net_layers(net, &layers);
    for (size_t l = 0; l < layers; l++)
        if (net_layer_branch(net, l) == m) return STATUS_OK;
    return error_set(e, STATUS_USAGE,
                     "deficits[%zu]: %s acts on a modality's own layers, and net %s has none for "
                     "'%s'%s",
                     i, c->deficit_types[i]->name, c->arch->name, deficit_modality_name(c, d, i),
                     d->modalities_n == 1 ? ": the data have one modality" : "");
}

static int check_measures(const struct config *c, const struct dataset *d, const struct net *net,
                          struct error *e) {
    size_t n;
    const char *const *names = settings_texts(&c->top, "measures", &n);
    for (size_t i = 0; i < n; i++) {
        const struct measure *m = measure_find(names[i]);
        if (m->of_classes && d->has_targets)
            return error_set(e, STATUS_USAGE,
                             "measures: %s: it counts right answers, and data set '%s' has targets "
                             "in place of classes; leave it out",
                             names[i], d->type->name);
        if (m->check && m->check(net, e)) return error_prefix(e, "measures: %s", names[i]);
    }
    return STATUS_OK;
}

int check_net(const struct config *c, const struct dataset *d, struct error *e) {
    struct net_input inputs[DATA_MODALITIES];
    struct net_spec spec = dataset_net(d, inputs);
    spec.arch = c->arch;
    spec.settings = &c->net;
    spec.loss = c->loss_type;
    spec.loss_settings = &c->loss;
    spec.batch = 1;
    spec.threads = 1;
    struct net *net;
    int status = net_create(&net, &spec, e);
    if (status) return status;
    status = check_stabilizers(c, d, net, e);
    for (size_t i = 0; i < c->deficits_n && !status; i++) status = check_gradients(c, d, i, net, e);
    if (!status) status = check_measures(c, d, net, e);
    net_free(net);
    return status;
}
