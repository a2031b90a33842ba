#include "nets/kernels/gemm.h"

#include "nets/kernels/isa.h"

ISA_TABLE(struct gemm, gemm);

const struct gemm *gemm_isa(const char *name) {
    const enum isa isa = isa_find(name);
    return isa < ISAS ? gemm_isas[isa] : NULL;
}

const struct gemm *gemm_choose(void) {
    return gemm_isas[isa_best()];
}
