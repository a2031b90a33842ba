/* The numerics id: a hash of everything outside a config that bits depend on (compiler, flags,
 * REAL, kernel instruction set, libc, BLAS) and of a constant that is bumped by hand whenever a
 * change to the program changes results. States and rows live in a folder of this name. */
#ifndef SIM_NUMERICS_H
#define SIM_NUMERICS_H

#include "base/hash.h"

enum { NUMERICS = 3 }; /* bump when the golden test says so */

void numerics_id(char id[HASH_TEXT]);
void numerics_blas(char *text, size_t size); /* "OpenBLAS 0.3.21 ... Cooperlake" */
void numerics_cpu(char *text, size_t size);  /* model name, "unknown" where it cannot be read */

#endif
