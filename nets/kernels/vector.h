/* The widest vectors of the instruction set that a kernel is compiled for. */
#ifndef NETS_KERNELS_VECTOR_H
#define NETS_KERNELS_VECTOR_H

#include "base/real.h"

#if defined __AVX512F__
#define BYTES 64
#elif defined __AVX__
#define BYTES 32
#else
#define BYTES 16
#endif

typedef real vec __attribute__((vector_size(BYTES)));
/* The same in memory: at any address where a real may lie. */
typedef real mem __attribute__((vector_size(BYTES), aligned(sizeof(real)), may_alias));

#define LOAD(p)  (*(const mem *)(p))
#define STORE(p) (*(mem *)(p))

#endif
