/* The register tiles of conv_tiles.h, compiled once per instruction set, for the one or two widths of
 * vectors that it has. */
#include "nets/kernels/conv_tiles.h"

#include <string.h>

#include "nets/kernels/unroll.h"

enum { SUMS_FEW = 8 }; /* fewer than a multiply-add's latency times those begun per cycle */

/* The tiles that exist, (n, vectors): n x vectors sums, the vectors of an operand and one more. */
#define TILES_TO_4(X, v)  X(1, v) X(2, v) X(3, v) X(4, v)
#define TILES_TO_6(X, v)  TILES_TO_4(X, v) X(5, v) X(6, v)
#define TILES_TO_8(X, v)  TILES_TO_6(X, v) X(7, v) X(8, v)
#define TILES_TO_12(X, v) TILES_TO_8(X, v) X(9, v) X(10, v) X(11, v) X(12, v)
#if defined __AVX512F__ || defined __aarch64__
#define EACH_TILE(X) TILES_TO_12(X, 1) TILES_TO_8(X, 2) TILES_TO_8(X, 3) /* 32 registers */
#define MOST                                                                                       \
    { 0, 12, 8, 8 }
#else
#define EACH_TILE(X) TILES_TO_12(X, 1) TILES_TO_6(X, 2) TILES_TO_4(X, 3) /* 16 registers */
#define MOST                                                                                       \
    { 0, 12, 6, 4 }
#endif

/* LANES must be a plain number: it becomes part of names. */
#if defined __AVX512F__ && !defined REAL_IS_DOUBLE
#define LANES 16
#include "nets/kernels/conv_tile.h"
#define LANES 8
#include "nets/kernels/conv_tile.h"
#define WIDER &tiles_16
#define TILES &tiles_8
#elif defined __AVX512F__
#define LANES 8
#include "nets/kernels/conv_tile.h"
#define LANES 4
#include "nets/kernels/conv_tile.h"
#define WIDER &tiles_8
#define TILES &tiles_4
#elif defined __AVX__ && !defined REAL_IS_DOUBLE
#define LANES 8
#include "nets/kernels/conv_tile.h"
#define WIDER NULL
#define TILES &tiles_8
#elif defined __AVX__ || !defined REAL_IS_DOUBLE
#define LANES 4
#include "nets/kernels/conv_tile.h"
#define WIDER NULL
#define TILES &tiles_4
#else
#define LANES 2
#include "nets/kernels/conv_tile.h"
#define WIDER NULL
#define TILES &tiles_2
#endif

const struct tile_sets ISA_NAME(tile_sets) = {.narrow = TILES, .wide = WIDER};
