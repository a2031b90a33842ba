/* Which compilation of gemm.isa.c to run: the one that the convolutions run, so that one name
 * (conv_isa) says where all of a run's bits come from. */
#include "nets/kernels/gemm.h"

#include <string.h>

#include "nets/kernels/conv.h"

extern const struct gemm gemm_base;
#ifdef HAVE_ISA_v3
extern const struct gemm gemm_v3;
#endif
#ifdef HAVE_ISA_v4
extern const struct gemm gemm_v4;
#endif

const struct gemm *gemm_isa(const char *name) {
    if (!conv_direct_isa(name)) return NULL;
#ifdef HAVE_ISA_v4
    if (strcmp(name, "x86-64-v4") == 0) return &gemm_v4;
#endif
#ifdef HAVE_ISA_v3
    if (strcmp(name, "x86-64-v3") == 0) return &gemm_v3;
#endif
    return &gemm_base;
}

const struct gemm *gemm_choose(void) {
    return gemm_isa(conv_isa());
}
