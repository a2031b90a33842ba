/* MD5 (RFC 1321): data sets of the nineties are published with it, so that is what a download can be
 * compared with. Plain transcription of section 3.4; T[i] = floor(2^32 |sin(i+1)|) is computed. */
#include "sim/datasets/md5.h"

#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

struct md5 {
    uint32_t state[4], T[64];
    uint64_t bytes;
};

static void md5_block(struct md5 *m, const uint8_t block[64]) {
    static const uint8_t turn[4][4] = {
        {7, 12, 17, 22}, {5, 9, 14, 20}, {4, 11, 16, 23}, {6, 10, 15, 21}};
    uint32_t a = m->state[0], b = m->state[1], c = m->state[2], d = m->state[3], X[16];
    for (size_t i = 0; i < 16; i++)
        X[i] = (uint32_t)block[4 * i] | (uint32_t)block[4 * i + 1] << 8 |
               (uint32_t)block[4 * i + 2] << 16 | (uint32_t)block[4 * i + 3] << 24;
    for (uint32_t i = 0; i < 64; i++) {
        const uint32_t f[4] = {(b & c) | (~b & d), (b & d) | (c & ~d), b ^ c ^ d, c ^ (b | ~d)};
        const uint32_t k[4] = {i, 5 * i + 1, 3 * i + 5, 7 * i};
        uint32_t sum = a + f[i / 16] + X[k[i / 16] % 16] + m->T[i], s = turn[i / 16][i % 4];
        a = d;
        d = c;
        c = b;
        b += sum << s | sum >> (32 - s);
    }
    m->state[0] += a;
    m->state[1] += b;
    m->state[2] += c;
    m->state[3] += d;
}

static void md5_init(struct md5 *m) {
    *m = (struct md5){.state = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476}};
    for (int i = 0; i < 64; i++) m->T[i] = (uint32_t)(4294967296.0 * fabs(sin(i + 1)));
}

/* The last block or two: the rest of the message, a 1 bit, zeros, the length in bits. */
static void md5_finish(struct md5 *m, const uint8_t *rest, size_t n, char text[MD5_TEXT]) {
    uint8_t end[128] = {0};
    const size_t total = n < 56 ? 64 : 128;
    memcpy(end, rest, n);
    end[n] = 0x80;
    for (size_t i = 0; i < 8; i++) end[total - 8 + i] = (uint8_t)(8 * m->bytes >> (8 * i));
    for (size_t at = 0; at < total; at += 64) md5_block(m, end + at);
    for (size_t i = 0; i < 16; i++)
        snprintf(text + 2 * i, 3, "%02x", (unsigned)(m->state[i / 4] >> (8 * (i % 4)) & 0xff));
}

int md5_file(const char *path, char text[MD5_TEXT], struct error *e) {
    uint8_t chunk[1 << 16];
    struct md5 m;
    FILE *f = fopen(path, "rb");
    if (!f) return error_set(e, STATUS_USAGE, "%s: cannot be read: %s", path, strerror(errno));
    md5_init(&m);
    size_t n;
    while ((n = fread(chunk, 1, sizeof chunk, f)) == sizeof chunk) { /* a multiple of 64 */
        m.bytes += n;
        for (size_t at = 0; at < n; at += 64) md5_block(&m, chunk + at);
    }
    m.bytes += n;
    size_t at = 0;
    for (; at + 64 <= n; at += 64) md5_block(&m, chunk + at);
    md5_finish(&m, chunk + at, n - at, text);
    bool failed = ferror(f) != 0;
    fclose(f);
    if (failed) return error_set(e, STATUS_USAGE, "%s: cannot be read to its end", path);
    return STATUS_OK;
}
