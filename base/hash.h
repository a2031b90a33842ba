/* Content hashes (XXH3-128) for keys and digests.
 *
 * Every value is fed with its length or in a fixed width, so that ("ab","c") and ("a","bc")
 * differ. Reals are fed as their IEEE bits with -0 folded into +0. */
#ifndef BASE_HASH_H
#define BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

enum { HASH_TEXT = 33 }; /* 32 lower-case hexadecimal digits and the final NUL */

struct hash; /* opaque; owns memory */

struct hash *hash_create(void); /* never NULL: aborts when memory is out */
void hash_free(struct hash *h);
void hash_restart(struct hash *h);                           /* as new */
void hash_bytes(struct hash *h, const void *data, size_t n); /* no length prefix: for bulk data */
void hash_text(struct hash *h, const char *text);            /* length, then bytes; NULL == "" */
void hash_int(struct hash *h, int64_t value);
void hash_real(struct hash *h, double value);
void hash_digest(const struct hash *h, char text[HASH_TEXT]); /* may be called more than once */

#endif
