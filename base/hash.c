/* Content hashes over XXH3-128: see hash.h. Numbers are fed little-endian in 8 bytes.
 *
 * Most hashes are of a few numbers and keys: they gather in `small` and are hashed in one go, which
 * gives what the stream would and costs a fraction of it. */
#include "base/hash.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <xxhash.h>

enum { SMALL = 1024 };

struct hash {
    XXH3_state_t *state;
    bool streaming; /* `small` overflowed into the state */
    size_t n;       /* bytes in `small` */
    unsigned char small[SMALL];
};

struct hash *hash_create(void) {
    struct hash *h = malloc(sizeof *h);
    if (!h || !(h->state = XXH3_createState())) abort();
    hash_restart(h);
    return h;
}

void hash_free(struct hash *h) {
    if (!h) return;
    XXH3_freeState(h->state);
    free(h);
}

void hash_restart(struct hash *h) {
    h->streaming = false;
    h->n = 0;
}

static void hash_stream(struct hash *h, const void *data, size_t n) {
    if (!h->streaming) {
        XXH3_128bits_reset(h->state);
        XXH3_128bits_update(h->state, h->small, h->n);
    }
    h->streaming = true;
    XXH3_128bits_update(h->state, data, n);
}

void hash_bytes(struct hash *h, const void *data, size_t n) {
    if (n == 0) return;
    if (h->streaming || n > SMALL - h->n) {
        hash_stream(h, data, n);
        return;
    }
    memcpy(h->small + h->n, data, n);
    h->n += n;
}

static void hash_word(struct hash *h, uint64_t value) {
    unsigned char bytes[8];
    for (int i = 0; i < 8; i++) bytes[i] = (unsigned char)(value >> (8 * i));
    hash_bytes(h, bytes, sizeof bytes);
}

void hash_text(struct hash *h, const char *text) {
    size_t n = text ? strlen(text) : 0;
    hash_word(h, n);
    hash_bytes(h, text, n);
}

void hash_int(struct hash *h, int64_t value) {
    hash_word(h, (uint64_t)value);
}

void hash_real(struct hash *h, double value) {
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    hash_word(h, value == 0.0 ? 0 : bits); /* -0 and +0 are one value */
}

void hash_digest(const struct hash *h, char text[HASH_TEXT]) {
    static const char digits[] = "0123456789abcdef";
    XXH128_hash_t digest =
        h->streaming ? XXH3_128bits_digest(h->state) : XXH3_128bits(h->small, h->n);
    uint64_t words[] = {digest.low64, digest.high64};
    for (size_t i = HASH_TEXT - 1; i-- > 0; words[i < 16] >>= 4)
        text[i] = digits[words[i < 16] & 15];
    text[HASH_TEXT - 1] = '\0';
}
