#include "nets/kernels/gram.h"

#include "nets/kernels/isa.h"

ISA_TABLE(struct gram, gram);

const struct gram *gram_isa(const char *name) {
    const enum isa isa = isa_find(name);
    return isa < ISAS ? gram_isas[isa] : NULL;
}

const struct gram *gram_choose(void) {
    return gram_isas[isa_best()];
}
