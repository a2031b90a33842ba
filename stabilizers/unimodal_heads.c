/* unimodal_heads: each modality must tell the answer alone as well. A linear head on the end of its
 * encoder gets a cross-entropy of its own (the unimodal losses of Wang, Tran, Feiszli 2020, arXiv
 * 1905.12681, section 3), so that an encoder still learns when another modality already answers:
 *
 *   L + weight sum_m CE(head_m(encoder_m(x_m)), label)
 *
 * over all heads of the net, or that of `modality`. The labels are those trained on. `strength`
 * multiplies weight. The architecture has the heads with `net: {heads: true}`; the main path never
 * reads them.
 *
 * The trap: heads are parameters like others. A weight decay of the optimizer shrinks them in the
 * epochs outside the window too, and a head that was never trained answers at chance. */
#include "stabilizers/stabilizer.h"

/* The branches are the modalities, in their order, and the trunk; a net of one input has none. */
static size_t modalities(const struct net *net) {
    size_t n;
    net_branches(net, &n);
    return n ? n - 1 : 1;
}

static void unimodal_heads_loss(const struct settings *s, const struct stabilizer_context *c) {
    const size_t n = modalities(c->net);
    for (size_t m = 0; m < n; m++)
        if (net_has_head(c->net, m) && (c->branch < 0 || (size_t)c->branch == m))
            net_head_loss(c->net, m, c->labels, c->N, c->strength * settings_real(s, "weight"));
}

static int unimodal_heads_check(const struct settings *s, const struct net *net, int branch,
                                struct error *e) {
    (void)s;
    const size_t n = modalities(net);
    size_t found = 0;
    if (net_targets(net))
        return error_set(
            e, STATUS_USAGE,
            "unimodal_heads trains heads by cross-entropy, and the loss is of targets; "
            "set train.loss.type: cross_entropy, or leave it out");
    for (size_t m = 0; m < n; m++)
        found += net_has_head(net, m) && (branch < 0 || (size_t)branch == m);
    if (found) return STATUS_OK;
    return error_set(e, STATUS_USAGE,
                     branch < 0 ? "the net has no auxiliary heads: set net.heads: true, with an "
                                  "architecture of several encoders (towers)"
                                : "the net has no auxiliary head for this modality: set "
                                  "net.heads: true, or name another modality");
}

static bool unimodal_heads_is_identity(const struct settings *s) {
    return settings_real(s, "weight") <= 0;
}

static const struct param unimodal_heads_params[] = {
    {.name = "weight",
     .type = PARAM_REAL,
     .preset = "1",
     .min = 0,
     .max = 1e6,
     .unit = "1",
     .doc = "Factor on each head's cross-entropy beside the main one's 1."},
    {0},
};

const struct stabilizer stabilizer_unimodal_heads = {
    .name = "unimodal_heads",
    .doc = "An auxiliary cross-entropy for each modality alone, on the net's auxiliary heads "
           "(Wang et al. 2020).",
    .params = unimodal_heads_params,
    .per_modality = true,
    .is_identity = unimodal_heads_is_identity,
    .check = unimodal_heads_check,
    .loss = unimodal_heads_loss,
};
