/* See user_file.h. Traps: [N,C,H,W] (PyTorch) would be read as nonsense, so more than 16 channels are
 * refused with a hint; NaN would poison the training long after its cause, so it is looked for here; a
 * dataset may claim any size without a byte of it being there, so the claim is held against the file's;
 * tokens are kept as floats, which are exact below 2^24. */
#include "sim/datasets/user_file.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

enum {
    SIDE_MAX = 4096,
    SLOTS_MAX = 4096,
    FEATURES_MAX = 1 << 20,
    TOKENS_MAX = 1 << 20,
    COMPRESSED_MOST = 1032, /* deflate's limit */
    ROWS_AT_ONCE = 4096
};

int user_status(int status, struct error *e) {
    if (status && e) e->status = STATUS_USAGE;
    return status ? STATUS_USAGE : STATUS_OK;
}

/* ---- what it is ------------------------------------------------------------------------------ */

static int image_shape(const struct user_file *f, const char *name, const size_t shape[4],
                       struct error *e) {
    if (shape[0] != 0 && shape[1] != 0 && shape[2] != 0 && shape[3] != 0 && shape[1] <= SIDE_MAX &&
        shape[2] <= SIDE_MAX && shape[3] <= DATA_CHANNELS)
        return STATUS_OK;
    return error_set(e, STATUS_USAGE,
                     "%s: '%s' is [%zu,%zu,%zu,%zu]: expected [N,H,W,C] with sides of at most "
                     "%d and 1 to %d channels (channels stand last)",
                     f->path, name, shape[0], shape[1], shape[2], shape[3], SIDE_MAX,
                     DATA_CHANNELS);
}

static int image_type(const struct user_file *f, const char *name, struct modality *m,
                      struct error *e) {
    size_t element = 0;
    enum h5_kind kind = h5_kind(f->r, name, &element);
    m->bytes = kind == H5_BYTES;
    if (kind == H5_BYTES || (kind == H5_FLOATS && element == sizeof(float))) return STATUS_OK;
    return error_set(e, STATUS_USAGE, "%s: '%s' must be uint8 or float32", f->path, name);
}

static int vector_type(const struct user_file *f, const char *name, struct modality *m,
                       struct error *e) {
    size_t element = 0;
    enum h5_kind kind = h5_kind(f->r, name, &element);
    m->kind = kind == H5_FLOATS ? MODALITY_FEATURES : MODALITY_TOKENS;
    if (kind == H5_INTS || kind == H5_BYTES || (kind == H5_FLOATS && element == sizeof(float)))
        return STATUS_OK;
    return error_set(e, STATUS_USAGE,
                     "%s: '%s' must be integers (tokens) or float32 (features): write it with "
                     ".astype('float32')",
                     f->path, name);
}

static int vector_shape(const struct user_file *f, const char *name, const size_t shape[2],
                        const struct modality *m, struct error *e) {
    const bool is_tokens = m->kind == MODALITY_TOKENS;
    const size_t most = is_tokens ? SLOTS_MAX : FEATURES_MAX;
    if (shape[0] != 0 && shape[1] != 0 && shape[1] <= most) return STATUS_OK;
    return error_set(e, STATUS_USAGE, "%s: '%s' is [%zu,%zu]: expected [N,%s] with 1 to %zu %s",
                     f->path, name, shape[0], shape[1], is_tokens ? "T" : "F", most,
                     is_tokens ? "slots" : "features");
}

static int claim_check(const struct user_file *f, const char *name, const struct modality *m,
                       size_t n, struct error *e) {
    size_t element = 1;
    h5_kind(f->r, name, &element);
    if (n <= f->bytes * COMPRESSED_MOST / (modality_size(m) * element)) return STATUS_OK;
    return error_set(e, STATUS_USAGE,
                     "%s: '%s' claims %zu %s, which a file of %" PRIu64
                     " bytes cannot hold: most were never written",
                     f->path, name, n, m->kind == MODALITY_IMAGE ? "images" : "examples", f->bytes);
}

int user_modality(const struct user_file *f, const char *name, struct modality *m, size_t *n,
                  struct error *e) {
    size_t shape[H5_RANK] = {0};
    const int rank = h5_shape(f->r, name, shape);
    int status = STATUS_OK;
    *m = (struct modality){.H = 1, .W = shape[1], .C = 1};
    *n = shape[0];
    if (rank == 4) {
        m->H = shape[1];
        m->W = shape[2];
        m->C = shape[3];
        status = image_shape(f, name, shape, e);
        if (!status) status = image_type(f, name, m, e);
    } else if (rank == 2) {
        status = vector_type(f, name, m, e);
        if (!status) status = vector_shape(f, name, shape, m, e);
    } else {
        status = error_set(e, STATUS_USAGE,
                           "%s: '%s' has %d axes: expected images [N,H,W,C], tokens [N,T] "
                           "(integers) or features [N,F] (float32)",
                           f->path, name, rank);
    }
    return status ? status : claim_check(f, name, m, *n, e);
}

/* ---- its examples ---------------------------------------------------------------------------- */

static int finite_check(const struct user_file *f, const char *name, const struct modality *m,
                        size_t first, size_t n, const float *x, struct error *e) {
    const size_t size = modality_size(m);
    for (size_t i = 0; i < n * size; i++)
        if (!isfinite(x[i]))
            return error_set(e, STATUS_USAGE,
                             "%s: '%s' has a value that is not finite in %s %zu: mend or drop it",
                             f->path, name, m->kind == MODALITY_IMAGE ? "image" : "example",
                             first + i / size);
    return STATUS_OK;
}

static int token_check(const struct user_file *f, const char *name, const struct modality *m,
                       size_t example, size_t slot, int64_t token, struct error *e) {
    if (token < 0 || token >= (int64_t)m->tokens)
        return error_set(e, STATUS_USAGE,
                         "%s: '%s'[%zu,%zu] is %" PRId64
                         ", expected a token from 0 to %zu (attribute 'tokens' of the training "
                         "part, or its largest token)",
                         f->path, name, example, slot, token, m->tokens - 1);
    if (m->has_hint && slot == m->hint_slot && token != 0)
        return error_set(e, STATUS_USAGE,
                         "%s: '%s'[%zu,%zu] is %" PRId64
                         ", but slot %zu is the hint's ('hint_slot'), which must be empty (0)",
                         f->path, name, example, slot, token, slot);
    return STATUS_OK;
}

/* Tokens, as many rows at a time as fit in `rows`; x NULL: only checked, the largest kept. */
static int tokens_walk(const struct user_file *f, const char *name, const struct modality *m,
                       size_t first, size_t last, float *x, int64_t *largest, struct error *e) {
    int64_t *rows = malloc(ROWS_AT_ONCE * m->W * sizeof *rows);
    if (!rows) return error_set(e, STATUS_FAILED, "not enough memory for %zu tokens", m->W);
    int status = STATUS_OK;
    for (size_t at = first; at < last && !status; at += ROWS_AT_ONCE) {
        const size_t n = last - at < ROWS_AT_ONCE ? last - at : ROWS_AT_ONCE;
        status = user_status(h5_get_int_rows(f->r, name, at, at + n, rows, e), e);
        for (size_t i = 0; i < n * m->W && !status; i++) {
            if (x) status = token_check(f, name, m, at + i / m->W, i % m->W, rows[i], e);
            if (x) x[(at - first) * m->W + i] = (float)rows[i];
            if (largest && rows[i] > *largest) *largest = rows[i];
        }
    }
    free(rows);
    return status;
}

int user_examples(const struct user_file *f, const char *name, const struct modality *m,
                  size_t first, size_t last, void *x, struct error *e) {
    if (m->kind == MODALITY_TOKENS) return tokens_walk(f, name, m, first, last, x, NULL, e);
    int status = user_status(h5_get_rows(f->r, name, first, last, x, e), e);
    if (status || m->bytes) return status;
    return finite_check(f, name, m, first, last - first, x, e);
}

/* ---- vocabulary ------------------------------------------------------------------------------ */

static int hint_read(const struct user_file *f, const char *name, size_t K, struct modality *m,
                     struct error *e) {
    const int64_t slot = h5_attr_int(f->r, name, "hint_slot", -1);
    const int64_t first = h5_attr_int(f->r, name, "hint_first", -1);
    const bool has_slot = h5_attr_kind(f->r, name, "hint_slot") != H5_NONE;
    const bool has_first = h5_attr_kind(f->r, name, "hint_first") != H5_NONE;
    if (!has_slot && !has_first) return STATUS_OK;
    if (slot < 0 || (size_t)slot >= m->W || first < 1 || (size_t)first + K > m->tokens)
        return error_set(e, STATUS_USAGE,
                         "%s: '%s': its hint needs both attributes, 'hint_slot' from 0 to %zu and "
                         "'hint_first' such that hint_first + %zu classes are within the %zu "
                         "'tokens'",
                         f->path, name, m->W - 1, K, m->tokens);
    m->has_hint = true;
    m->hint_slot = (size_t)slot;
    m->hint_first = (size_t)first;
    return STATUS_OK;
}

int user_vocabulary(const struct user_file *f, const char *name, size_t n, size_t K,
                    struct modality *m, struct error *e) {
    const bool is_said = h5_attr_kind(f->r, name, "tokens") != H5_NONE;
    int64_t tokens = is_said ? h5_attr_int(f->r, name, "tokens", -1) : 0, largest = -1;
    int status = is_said ? STATUS_OK : tokens_walk(f, name, m, 0, n, NULL, &largest, e);
    if (status) return status;
    if (!is_said) tokens = largest < TOKENS_MAX ? largest + 1 : largest;
    if (tokens < 1 || tokens > TOKENS_MAX)
        return error_set(e, STATUS_USAGE,
                         "%s: '%s': the vocabulary has %" PRId64
                         " tokens (%s), expected 1 to %d: number them from 0, the empty one, on",
                         f->path, name, tokens,
                         is_said ? "attribute 'tokens'" : "by the largest one", TOKENS_MAX);
    m->tokens = (size_t)tokens;
    return hint_read(f, name, K, m, e);
}
