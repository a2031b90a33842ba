/* Matrix completion: a matrix of low rank of which some entries are known (Arora, Cohen, Hu, Luo 2019,
 * arXiv 1905.13655; with a change of task: Kleinman, Achille, Soatto 2024, arXiv 2308.12221).
 *
 *   W = U V^T scaled to |W| = N, so that entries have root mean square 1; U, V [N, rank] of N(0, 1)
 *
 * by the stream (data.seed, "completion", 0, 0). Example j is column j: the input is the j-th unit
 * vector, the target that column, so the product of a linear net's matrices is its guess of W. In the
 * training examples the entries that are not known are NaN; known are the first `observed` of all
 * entries in an order drawn by (data.seed, "completion", 0, 1), so that fewer are among more. Test
 * examples are the same columns, known whole: the test loss is over all entries. */
#include <math.h>
#include <stdlib.h>

#include "base/lowrank.h"
#include "sim/datasets/pool.h"

static void column_write(const struct lowrank *w, size_t j, struct examples *x) {
    const size_t N = w->rows;
    x->label[j] = -1;
    for (size_t i = 0; i < N; i++) {
        ((float *)x->x[0])[j * N + i] = i == j;
        x->target[j * N + i] = (float)lowrank_at(w, i, j);
    }
}

/* Entry e of the drawn order is row e / N of column e % N. */
static int entries_hide(size_t N, size_t observed, uint64_t seed, struct examples *x,
                        struct error *e) {
    uint32_t *entry = malloc(N * N * sizeof *entry);
    struct rng r = rng_stream(seed, "completion", 0, 1);
    if (!entry) return error_set(e, STATUS_FAILED, "out of memory for %zu entries", N * N);
    for (uint32_t i = 0; i < N * N; i++) entry[i] = i;
    rng_shuffle(&r, entry, N * N);
    for (size_t i = observed; i < N * N; i++) x->target[entry[i] % N * N + entry[i] / N] = NAN;
    free(entry);
    return STATUS_OK;
}

static int completion_fill(const struct data_request *r, const struct lowrank *w, struct dataset *d,
                           struct error *e) {
    const size_t N = w->rows;
    int status = examples_create(&d->train, d, N, 0, e);
    if (!status) status = examples_create(&d->test, d, N, N, e);
    for (size_t j = 0; j < N && !status; j++) {
        column_write(w, j, &d->train);
        column_write(w, j, &d->test);
    }
    if (status) return status;
    return entries_hide(N, (size_t)settings_int(r->settings, "observed"), r->seed, &d->train, e);
}

static int completion_read(const struct data_request *r, struct dataset *d, struct error *e) {
    const int64_t N = settings_int(r->settings, "size"), rank = settings_int(r->settings, "rank");
    const int64_t observed = settings_int(r->settings, "observed");
    if (rank > N)
        return error_set(e, STATUS_USAGE, "data.rank: %lld is more than data.size, %lld",
                         (long long)rank, (long long)N);
    const int64_t entries = N * N;
    if (observed > entries)
        return error_set(e, STATUS_USAGE, "data.observed: %lld of the %lld entries cannot be known",
                         (long long)observed, (long long)entries);
    struct lowrank w;
    struct rng stream = rng_stream(r->seed, "completion", 0, 0);
    d->has_targets = true;
    d->modalities_n = 1;
    d->modality[0] = (struct modality){
        .name = "column", .kind = MODALITY_FEATURES, .H = 1, .W = (size_t)N, .C = 1, .raw = true};
    int status = dataset_classes(d, (size_t)N, NULL, e);
    if (status) return status;
    lowrank_draw(&w, (size_t)N, (size_t)N, (size_t)rank, &stream);
    status = completion_fill(r, &w, d, e);
    lowrank_free(&w);
    return status;
}

static const struct param completion_params[] = {
    {.name = "size",
     .type = PARAM_INT,
     .preset = "100",
     .min = 1,
     .max = 2000,
     .unit = "1",
     .doc = "Rows and columns of the matrix."},
    {.name = "rank", .type = PARAM_INT, .preset = "5", .min = 1, .max = 2000, .doc = "Its rank."},
    {.name = "observed",
     .type = PARAM_INT,
     .preset = "2000",
     .min = 1,
     .max = 4e6,
     .unit = "entries",
     .doc = "Entries that are known in training."},
    {0},
};

const struct dataset_type dataset_completion = {
    .name = "completion",
    .doc =
        "A matrix of low rank, made anew for every data.seed, of which some entries are known: an "
        "example is a column; test columns are known whole.",
    .params = completion_params,
    .own_prior = true,
    .read = completion_read,
    .source =
        "Nothing to get: imprint draws the matrix U V^T, scaled to entries of root mean square\n"
        "1, and which entries are known. Arora, Cohen, Hu, Luo 2019, arXiv 1905.13655.\n",
};
