/* Named random streams (Philox4x32-10; Salmon et al., SC'11; Random123).
 *
 * A stream is the pair (seed, purpose) as the key and (epoch, index) as the counter's upper half,
 * so that any draw can be had without drawing what came before: streams have no state to save,
 * adding one never moves another, and a run resumed anywhere draws what it would have drawn.
 *
 * Purposes in use: "init" "subset" "validation" "order" "augment" "deficit" "probe" "fisher"
 * "optotypes" "vqa" "vqa favored" "fisher_penalty" "shrink_perturb" "modality_dropout" "rsv"
 * "completion". Two streams that differ in any of the four are independent. */
#ifndef BASE_RNG_H
#define BASE_RNG_H

#include <stddef.h>
#include <stdint.h>

struct rng {
    uint32_t key[2];
    uint32_t counter[4]; /* block, epoch, index (low, high) */
    uint32_t block[4];   /* the four words of the current block */
    int used;            /* words of it already given out */
};

struct rng rng_stream(uint64_t seed, const char *purpose, uint32_t epoch, uint64_t index);

uint32_t rng_word(struct rng *r);              /* uniform over all 32-bit words */
double rng_uniform(struct rng *r);             /* [0, 1), 53 random bits */
uint32_t rng_below(struct rng *r, uint32_t n); /* 0..n-1 without bias; n > 0 */
double rng_normal(struct rng *r);              /* N(0, 1), Box-Muller, two uniforms a draw */
size_t rng_pick(struct rng *r, const double *p, size_t n);  /* i with probability p[i] */
void rng_shuffle(struct rng *r, uint32_t *items, size_t n); /* Fisher-Yates */

#endif
