/* Winograd's F(4x4, 3x3): 36 products where the direct method takes 144, and F(2x2, 3x3) 64. */
#include "nets/kernels/conv_points6.h"

enum { SIDE = 4, TAPS = 3 };

/* clang-format off */
static const real OUTPUT[EDGE][SIDE] = {
    {1, 0, 0, 0},
    {1,  P, PP,  PP * P},
    {1, -P, PP, -PP * P},
    {1,  Q, QQ,  QQ * Q},
    {1, -Q, QQ, -QQ * Q},
    {0, 0, 0, 1},
};
static const real KERNEL[EDGE][TAPS] = {
    {1 / (PP * QQ), 0, 0},
    {1 / FROM_P,  P / FROM_P, PP / FROM_P},
    {1 / FROM_P, -P / FROM_P, PP / FROM_P},
    {1 / FROM_Q,  Q / FROM_Q, QQ / FROM_Q},
    {1 / FROM_Q, -Q / FROM_Q, QQ / FROM_Q},
    {0, 0, 1},
};
/* clang-format on */

#define NAME    conv_f43
#define SPELLED "F(4x4, 3x3)"
#include "nets/kernels/conv_winograd.h"
