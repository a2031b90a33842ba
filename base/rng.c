/* Random streams over Philox4x32-10: see rng.h.
 *
 * The key is XXH3-64(purpose) with the seed as XXH3's own seed, so that purposes are independent
 * and any 64-bit seed may be used. The trap: the block number is the counter's low word, so a
 * stream gives 2^32 blocks (2^34 words) before it would repeat: more than any use here draws. */
#include "base/rng.h"

#include <math.h>
#include <string.h>

#include <Random123/philox.h>
#include <xxhash.h>

struct rng rng_stream(uint64_t seed, const char *purpose, uint32_t epoch, uint64_t index) {
    uint64_t key = XXH3_64bits_withSeed(purpose, strlen(purpose), seed);
    struct rng r = {.key = {(uint32_t)key, (uint32_t)(key >> 32)},
                    .counter = {0, epoch, (uint32_t)index, (uint32_t)(index >> 32)},
                    .used = 4};
    return r;
}

static void refill(struct rng *r) {
    philox4x32_ctr_t counter;
    philox4x32_key_t key;
    memcpy(counter.v, r->counter, sizeof r->counter);
    memcpy(key.v, r->key, sizeof r->key);
    philox4x32_ctr_t block = philox4x32(counter, key);
    memcpy(r->block, block.v, sizeof r->block);
    r->counter[0]++;
    r->used = 0;
}

uint32_t rng_word(struct rng *r) {
    if (r->used == 4) refill(r);
    return r->block[r->used++];
}

double rng_uniform(struct rng *r) {
    uint64_t high = rng_word(r) >> 6; /* 26 bits */
    uint64_t low = rng_word(r) >> 5;  /* 27 bits */
    return (double)(high << 27 | low) * 0x1p-53;
}

/* Lemire's multiply-and-reject (ACM TOMACS 29, 2019): no division unless a word is near the edge. */
uint32_t rng_below(struct rng *r, uint32_t n) {
    uint64_t product = (uint64_t)rng_word(r) * n;
    if ((uint32_t)product < n) {
        uint32_t threshold = (0u - n) % n;
        while ((uint32_t)product < threshold) product = (uint64_t)rng_word(r) * n;
    }
    return (uint32_t)(product >> 32);
}

double rng_normal(struct rng *r) {
    double u = 1.0 - rng_uniform(r); /* (0, 1] */
    double v = rng_uniform(r);
    return sqrt(-2.0 * log(u)) * cos(2.0 * M_PI * v);
}

/* By the cumulative sum, one uniform a draw; never an i of probability 0. */
size_t rng_pick(struct rng *r, const double *p, size_t n) {
    double uniform = rng_uniform(r), sum = 0;
    size_t picked = 0;
    for (size_t i = 0; i < n && sum <= uniform; i++) {
        sum += p[i];
        if (p[i] > 0) picked = i;
    }
    return picked;
}

void rng_shuffle(struct rng *r, uint32_t *items, size_t n) {
    for (size_t i = n; i > 1; i--) {
        size_t j = rng_below(r, (uint32_t)i);
        uint32_t kept = items[i - 1];
        items[i - 1] = items[j];
        items[j] = kept;
    }
}
