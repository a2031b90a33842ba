/* Pools: how many examples of each class a balanced draw takes, and how far into the files it must
 * look (DESIGN, Subsets): the shortest prefix of the official order that holds the quota of every
 * class, so that `train: 2500` opens the same files and sees the same pool on every machine. */
#include "sim/datasets/pool.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

size_t pool_quota(size_t n, size_t K, size_t first, size_t c) {
    size_t turn = (c + K - first % K) % K; /* when class c is dealt to */
    return n / K + (turn < n % K ? 1 : 0);
}

static size_t *counts_create(size_t K) {
    size_t *counts = calloc(K, sizeof *counts);
    if (!counts) abort();
    return counts;
}

size_t pool_prefix(const int32_t *label, size_t n, size_t K, size_t want, bool balance) {
    if (want == 0 || want > n) return want == 0 ? n : 0;
    if (!balance) return want;
    size_t *count = counts_create(K), missing = want, length = 0;
    while (missing > 0 && length < n) {
        size_t c = (size_t)label[length++];
        if (count[c]++ < pool_quota(want, K, 0, c)) missing--;
    }
    free(count);
    return missing == 0 ? length : 0;
}

size_t pool_largest(const int32_t *label, size_t n, size_t K) {
    size_t *count = counts_create(K), rarest = 0;
    for (size_t i = 0; i < n; i++) count[label[i]]++;
    for (size_t c = 1; c < K; c++)
        if (count[c] < count[rarest]) rarest = c;
    size_t largest = count[rarest] * K + rarest; /* the classes before it have one to spare */
    free(count);
    return largest;
}

static int examples_no_memory(size_t n, struct error *e) {
    return error_set(e, STATUS_FAILED,
                     "not enough memory for %zu examples: ask for fewer (data.train, data.test)",
                     n);
}

static int room(void **at, size_t n, size_t element, struct error *e) {
    size_t bytes;
    if (__builtin_mul_overflow(n, element, &bytes)) return examples_no_memory(n, e);
    void *p = realloc(*at, bytes ? bytes : 1);
    if (!p) return examples_no_memory(n, e);
    *at = p;
    return STATUS_OK;
}

int examples_resize(struct examples *x, const struct dataset *d, size_t n, struct error *e) {
    if (n > UINT32_MAX / 2) return examples_no_memory(n, e);
    void *label = x->label, *index = x->index;
    int status = room(&label, n, sizeof *x->label, e);
    x->label = label;
    if (!status) status = room(&index, n, sizeof *x->index, e);
    x->index = index;
    for (size_t m = 0; m < d->modalities_n && !status; m++)
        status = room(&x->x[m], n, modality_bytes(&d->modality[m]), e);
    void *target = x->target;
    if (!status && d->has_targets) status = room(&target, n, d->K * sizeof *x->target, e);
    x->target = target;
    if (!status) x->n = n;
    return status;
}

int examples_create(struct examples *x, const struct dataset *d, size_t n, size_t first_index,
                    struct error *e) {
    *x = (struct examples){0};
    int status = examples_resize(x, d, n, e);
    if (status) return status;
    for (size_t i = 0; i < n; i++) x->index[i] = (uint32_t)(first_index + i);
    return STATUS_OK;
}

void examples_free(struct examples *x) {
    for (size_t m = 0; m < DATA_MODALITIES; m++) free(x->x[m]);
    free(x->target);
    free(x->label);
    free(x->index);
    *x = (struct examples){0};
}

void dataset_image(struct dataset *d, size_t H, size_t W, size_t C, bool bytes) {
    d->modalities_n = 1;
    d->modality[0] = (struct modality){.name = "image", .H = H, .W = W, .C = C, .bytes = bytes};
}

int dataset_classes(struct dataset *d, size_t K, const char *const *names, struct error *e) {
    d->class_names = calloc(K, sizeof *d->class_names);
    if (!d->class_names) return error_set(e, STATUS_FAILED, "not enough memory for %zu classes", K);
    d->K = K;
    for (size_t c = 0; c < K; c++) {
        char number[24];
        snprintf(number, sizeof number, "%zu", c);
        d->class_names[c] = strdup(names ? names[c] : number);
        if (!d->class_names[c]) return error_set(e, STATUS_FAILED, "out of memory");
    }
    return STATUS_OK;
}
