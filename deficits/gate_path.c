/* A pathway that is held back: what the modality's branch puts out still counts, but its parameters
 * get no gradient (Kleinman, Achille, Soatto 2024, arXiv 2308.12221: a detached output). Severity below
 * 1 leaves 1 - severity of it.
 *
 * The gradient is gone before the optimizer sees it: with plain gradient descent the branch stands
 * still, while weight decay and a momentum from before the window go on. */
#include "deficits/deficit.h"
#include "nets/net.h"

static void gate_path(const struct settings *s, struct net *net, int branch, double severity) {
    size_t n;
    const struct net_tensor *t = net_param_table(net, &n);
    const real left = (real)(1 - severity);
    (void)s;
    for (size_t i = 0; i < n; i++) {
        if (t[i].layer < 0 || net_layer_branch(net, (size_t)t[i].layer) != branch) continue;
        real *dw = net_grads(net) + t[i].offset;
        for (size_t k = 0; k < t[i].count; k++) dw[k] = left == 0 ? 0 : left * dw[k];
    }
}

static const struct param gate_path_params[] = {{0}};

const struct deficit deficit_gate_path = {
    .name = "gate_path",
    .doc = "A modality's branch learns nothing, though its output counts (Kleinman et al. 2024).",
    .params = gate_path_params,
    .takes = TAKES_IMAGES | TAKES_TOKENS | TAKES_FEATURES,
    .gradients = gate_path,
};
