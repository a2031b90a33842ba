/* The instruction sets that .isa.c files are compiled for. One of them, the best that this machine
 * has, runs everywhere, so that one name says where all of a run's bits come from. */
#ifndef NETS_KERNELS_ISA_H
#define NETS_KERNELS_ISA_H

#include <stddef.h>

enum isa { ISA_v4, ISA_v3, ISA_base, ISAS }; /* best first */

enum isa isa_best(void);
/* Its name, "x86-64-v4", "x86-64-v3" or "baseline": part of the numerics id. */
const char *isa_here(void);
/* ISAS: no such name, or this machine or this build does not have it. */
enum isa isa_find(const char *name);

/* In an .isa.c file, where ISA is the one it is compiled for: name_v3. */
#define ISA_NAME__(name, isa) name##_##isa
#define ISA_NAME_(name, isa)  ISA_NAME__(name, isa)
#define ISA_NAME(name)        ISA_NAME_(name, ISA)

/* Elsewhere: name_isas[ISAS], all compilations of `name`; NULL: not in this build. */
#ifdef HAVE_ISA_v4
#define ISA_IF_V4(...) __VA_ARGS__
#else
#define ISA_IF_V4(...)
#endif
#ifdef HAVE_ISA_v3
#define ISA_IF_V3(...) __VA_ARGS__
#else
#define ISA_IF_V3(...)
#endif
#define ISA_TABLE(type, name)                                                                      \
    ISA_IF_V4(extern const type name##_v4;)                                                        \
    ISA_IF_V3(extern const type name##_v3;)                                                        \
    extern const type name##_base;                                                                 \
    static const type *const name##_isas[ISAS] = {                                                 \
        ISA_IF_V4([ISA_v4] = &name##_v4, ) ISA_IF_V3([ISA_v3] = &name##_v3, )[ISA_base] =          \
            &name##_base}

#endif
