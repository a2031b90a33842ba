/* modality_accuracy: what the network still knows when one modality alone tells it something, in two
 * ways that give different numbers:
 *
 *   test_only_accuracy       the inputs of all other modalities are 0, after normalization; tokens
 *                            are all empty. That may be nothing the network was ever shown.
 *   test_only_mean_accuracy  the outputs of all other encoders are their means over the test data,
 *                            which keeps the trunk in the range that it is used to.
 *
 * On clean test data. The encoders run once over them, and the trunk twice per modality; where the
 * outputs of all examples do not fit into KEPT_BYTES, the encoders run twice. */
#include <stdlib.h>
#include <string.h>

#include "analysis/measures/measure.h"
#include "analysis/measures/taps.h"

enum { KEPT_BYTES = 256 << 20 };

struct senses {
    struct net *net;
    const struct measure_examples *test;
    struct taps taps; /* of all examples, or of one batch at a time */
    bool keeps_all;
    real *absent[NET_INPUTS];   /* what each encoder puts out when its modality is not there */
    double *sum[NET_INPUTS];    /* of its outputs */
    size_t correct[NET_INPUTS]; /* with each modality alone */
};

static int senses_create(struct senses *s, struct error *e) {
    s->keeps_all = s->test->n <= KEPT_BYTES / taps_bytes(s->net);
    int status = taps_create(&s->taps, s->net, s->keeps_all ? s->test->n : s->test->batch, e);
    for (size_t m = 0; m < s->taps.modalities && !status; m++) {
        s->absent[m] = malloc(s->taps.size[m] * sizeof *s->absent[m]);
        s->sum[m] = calloc(s->taps.size[m], sizeof *s->sum[m]);
        if (!s->absent[m] || !s->sum[m])
            status = error_set(e, STATUS_FAILED, "out of memory for the encoders' means");
    }
    return status;
}

static void senses_free(struct senses *s) {
    for (size_t m = 0; m < NET_INPUTS; m++) {
        free(s->absent[m]);
        free(s->sum[m]);
    }
    taps_free(&s->taps);
}

/* 0 is the empty token, too. */
static void absent_is_zero(struct senses *s) {
    for (size_t m = 0; m < s->taps.modalities; m++) {
        const struct tensor *x = net_input_tensor(s->net, m);
        memset(x->data, 0, x->image * sizeof *x->data);
    }
    net_forward(s->net, 1, NET_EVAL);
    for (size_t m = 0; m < s->taps.modalities; m++) net_tap_read(s->net, m, 0, s->absent[m]);
}

static void absent_is_mean(struct senses *s) {
    for (size_t m = 0; m < s->taps.modalities; m++)
        for (size_t i = 0; i < s->taps.size[m]; i++)
            s->absent[m][i] = (real)(s->sum[m][i] / (double)s->test->n);
}

static void add_to_means(struct senses *s, size_t n, size_t entry) {
    for (size_t m = 0; m < s->taps.modalities; m++) {
        size_t size = s->taps.size[m];
        const real *kept = s->taps.kept[m] + entry * size;
        for (size_t i = 0; i < n; i++, kept += size)
            for (size_t k = 0; k < size; k++) s->sum[m][k] += (double)kept[k];
    }
}

/* n examples with modality `only` alone. */
static size_t correct_with(struct senses *s, size_t only, size_t n, size_t entry) {
    for (size_t m = 0; m < s->taps.modalities; m++)
        for (size_t i = 0; i < n; i++)
            if (m == only)
                taps_place(&s->taps, s->net, m, i, entry + i);
            else
                net_tap_write(s->net, m, i, s->absent[m]);
    net_forward_trunk(s->net, n);
    return net_loss(s->net, s->taps.labels + entry, n).correct;
}

/* All examples with each modality alone. `fresh`: they are met for the first time. */
static void test_all(struct senses *s, bool fresh, double *accuracy) {
    size_t n = s->test->n;
    memset(s->correct, 0, sizeof s->correct);
    for (size_t first = 0; first < n; first += s->test->batch) {
        size_t some = n - first < s->test->batch ? n - first : s->test->batch;
        size_t entry = s->keeps_all ? first : 0;
        if (fresh || !s->keeps_all) taps_encode(&s->taps, s->net, s->test, first, some, entry);
        if (fresh) add_to_means(s, some, entry);
        for (size_t m = 0; m < s->taps.modalities; m++)
            s->correct[m] += correct_with(s, m, some, entry);
    }
    for (size_t m = 0; m < s->taps.modalities; m++) accuracy[m] = (double)s->correct[m] / (double)n;
}

static int modality_accuracy(const struct measure_context *c, double *const *out, struct error *e) {
    struct senses s = {.net = c->net, .test = &c->test};
    int status = senses_create(&s, e);
    if (!status) {
        absent_is_zero(&s);
        test_all(&s, true, out[0]);
        absent_is_mean(&s);
        test_all(&s, false, out[1]);
    }
    senses_free(&s);
    return status;
}

static const struct measure_series SERIES[] = {
    {"test_only_accuracy", "1", "test accuracy, one modality alone", PER_MODALITY,
     "Clean test examples; the network's inputs of all other modalities are 0 after normalization, "
     "tokens empty."},
    {"test_only_mean_accuracy", "1", "test accuracy, one modality and the means of the others",
     PER_MODALITY,
     "Clean test examples; the outputs of all other encoders are their means over the test "
     "examples."},
};

const struct measure measure_modality_accuracy = {
    .name = "modality_accuracy",
    .doc = "Test accuracy with each modality alone, the others zeroed or replaced by their mean.",
    .series = SERIES,
    .series_n = sizeof SERIES / sizeof *SERIES,
    .of_classes = true,
    .check = taps_check,
    .measure = modality_accuracy,
};
