/* Loops that are unrolled whole, for the kernels' register tiles. foreach: clang-format knows the name.
 *
 * Checks of every access and of every sum would take minutes to compile: in checked builds the loops
 * stay rolled, and the tiles are left to the address sanitizer alone. */
#ifndef NETS_KERNELS_UNROLL_H
#define NETS_KERNELS_UNROLL_H

#if defined __has_feature
#define SANITIZED __has_feature(address_sanitizer)
#elif defined __SANITIZE_ADDRESS__
#define SANITIZED 1
#else
#define SANITIZED 0
#endif
#if defined __clang__ && SANITIZED
#define UNROLL _Pragma("nounroll")
#elif defined __clang__
#define UNROLL _Pragma("clang loop unroll(full)")
#elif SANITIZED
#define UNROLL _Pragma("GCC unroll 1")
#else
#define UNROLL _Pragma("GCC unroll 16")
#endif
#define foreach(i, n) UNROLL for (ptrdiff_t i = 0; i < (n); i++)
#define IN_TILE       static __attribute__((no_sanitize("undefined")))
#define INLINE        inline __attribute__((always_inline))
#define OUTLINE       __attribute__((noinline))

#endif
