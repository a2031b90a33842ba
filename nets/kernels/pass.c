#include "nets/kernels/pass.h"

#include "nets/kernels/isa.h"

ISA_TABLE(struct pass, pass);

const struct pass *pass_choose(void) {
    return pass_isas[isa_best()];
}
