#include "nets/kernels/step.h"

#include "nets/kernels/isa.h"

ISA_TABLE(struct step, step);

const struct step *step_choose(void) {
    return step_isas[isa_best()];
}
