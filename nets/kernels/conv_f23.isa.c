/* Winograd's F(2x2, 3x3): 16 products where the direct method takes 36. Points 0, +-1, infinity. */
#include "base/real.h"

enum { SIDE = 2, TAPS = 3, EDGE = SIDE + TAPS - 1 };

static const real INPUT[EDGE][EDGE] = {{1, 0, -1, 0}, {0, 1, 1, 0}, {0, -1, 1, 0}, {0, -1, 0, 1}};
static const real OUTPUT[EDGE][SIDE] = {{1, 0}, {1, 1}, {1, -1}, {0, 1}};
static const real KERNEL[EDGE][TAPS] = {{1, 0, 0}, {0.5, 0.5, 0.5}, {0.5, -0.5, 0.5}, {0, 0, 1}};

#define NAME    conv_f23
#define SPELLED "F(2x2, 3x3)"
#include "nets/kernels/conv_winograd.h"
