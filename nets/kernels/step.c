/* Which compilation of step.isa.c to run: the one that the convolutions run, so that one name
 * (conv_isa) says where all of a run's bits come from. */
#include "nets/kernels/step.h"

#include <string.h>

#include "nets/kernels/conv.h"

extern const struct step step_base;
#ifdef HAVE_ISA_v3
extern const struct step step_v3;
#endif
#ifdef HAVE_ISA_v4
extern const struct step step_v4;
#endif

const struct step *step_choose(void) {
#ifdef HAVE_ISA_v4
    if (strcmp(conv_isa(), "x86-64-v4") == 0) return &step_v4;
#endif
#ifdef HAVE_ISA_v3
    if (strcmp(conv_isa(), "x86-64-v3") == 0) return &step_v3;
#endif
    return &step_base;
}
