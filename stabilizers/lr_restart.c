/* lr_restart: at `from` the learning-rate schedule begins anew, warm-up included; restarted rates
 * after the deficit take most of the gap away (Pawlak 2025, arXiv 2510.09687).
 *
 *   rate <- rate + strength (restarted - rate)
 *
 * restarted: what train.lr gives as many epochs after its own start as have passed since `from`;
 * after `until` the rate is that of train.lr again. In the prefix key it is the rate of each epoch
 * and nothing else, so where the rates agree (a constant schedule) the runs are one.
 *
 * The trap: it is the control of a rate that decayed through the deficit, not of the deficit: compare
 * it with lr.clock: removal, and with the same restart on clean data. */
#include "stabilizers/stabilizer.h"

static double lr_restart_rate(const struct settings *s, double strength, double rate,
                              double restarted) {
    (void)s;
    return strength == 1.0 ? restarted : rate + strength * (restarted - rate);
}

static int lr_restart_check(const struct settings *s, const struct net *net, int branch,
                            struct error *e) {
    (void)s;
    (void)net;
    if (branch < 0) return STATUS_OK;
    return error_set(e, STATUS_USAGE,
                     "modality: the learning rate is one for all parameters; leave it unset");
}

static const struct param lr_restart_params[] = {{0}};

const struct stabilizer stabilizer_lr_restart = {
    .name = "lr_restart",
    .doc = "The learning-rate schedule begins anew at `from` (Pawlak 2025).",
    .params = lr_restart_params,
    .check = lr_restart_check,
    .rate = lr_restart_rate,
};
