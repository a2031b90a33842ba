/* Which compilation of pass.isa.c to run: the one that the convolutions run, so that one name
 * (conv_isa) says where all of a run's bits come from. */
#include "nets/kernels/pass.h"

#include <string.h>

#include "nets/kernels/conv.h"

extern const struct pass pass_base;
#ifdef HAVE_ISA_v3
extern const struct pass pass_v3;
#endif
#ifdef HAVE_ISA_v4
extern const struct pass pass_v4;
#endif

const struct pass *pass_choose(void) {
#ifdef HAVE_ISA_v4
    if (strcmp(conv_isa(), "x86-64-v4") == 0) return &pass_v4;
#endif
#ifdef HAVE_ISA_v3
    if (strcmp(conv_isa(), "x86-64-v3") == 0) return &pass_v3;
#endif
    return &pass_base;
}
