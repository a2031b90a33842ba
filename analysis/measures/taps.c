/* Encoders' outputs: see taps.h. They are read after a whole forward pass; the trunk part of it is
 * wasted, which costs less than it would to keep two ways through a network. */
#include "analysis/measures/taps.h"

#include <stdlib.h>
#include <string.h>

size_t net_modalities(const struct net *net) {
    size_t branches;
    net_branches(net, &branches);
    return branches ? branches - 1 : 1;
}

int taps_check(const struct net *net, struct error *e) {
    size_t n = net_modalities(net), branches;
    const char *const *names = net_branches(net, &branches);
    if (n == 1)
        return error_set(e, STATUS_USAGE,
                         "it compares modalities, and this data set has one; leave it out");
    for (size_t m = 0; m < n; m++)
        if (!net_has_tap(net, m))
            return error_set(e, STATUS_USAGE,
                             "it takes the place of an encoder's output, and modality '%s' has no "
                             "encoder of its own in this network; leave it out or choose another "
                             "net.arch",
                             names[m]);
    return STATUS_OK;
}

size_t taps_bytes(const struct net *net) {
    size_t bytes = sizeof(int32_t);
    for (size_t m = 0; m < net_modalities(net); m++) bytes += net_tap_size(net, m) * sizeof(real);
    return bytes;
}

int taps_create(struct taps *t, const struct net *net, size_t entries, struct error *e) {
    *t = (struct taps){.modalities = net_modalities(net),
                       .labels = malloc(entries * sizeof *t->labels)};
    bool whole = t->labels != NULL;
    for (size_t m = 0; m < t->modalities; m++) {
        t->size[m] = net_tap_size(net, m);
        t->kept[m] = malloc(entries * t->size[m] * sizeof *t->kept[m]);
        whole = whole && t->kept[m];
    }
    if (whole) return STATUS_OK;
    taps_free(t);
    return error_set(e, STATUS_FAILED, "out of memory for the encoders' outputs");
}

void taps_free(struct taps *t) {
    for (size_t m = 0; m < NET_INPUTS; m++) free(t->kept[m]);
    free(t->labels);
    *t = (struct taps){0};
}

void taps_encode(struct taps *t, struct net *net, const struct measure_examples *examples,
                 size_t first, size_t n, size_t entry) {
    examples->feed(examples->context, net, first, n, t->labels + entry);
    net_forward(net, n, NET_EVAL);
    for (size_t m = 0; m < t->modalities; m++)
        for (size_t i = 0; i < n; i++)
            net_tap_read(net, m, i, t->kept[m] + (entry + i) * t->size[m]);
}

void taps_place(const struct taps *t, struct net *net, size_t m, size_t n, size_t entry) {
    net_tap_write(net, m, n, t->kept[m] + entry * t->size[m]);
}
