/* Winograd's F(2x2, 5x5): 36 products where the direct method takes 100. */
#include "nets/kernels/conv_points6.h"

enum { SIDE = 2, TAPS = 5 };

/* clang-format off */
static const real OUTPUT[EDGE][SIDE] = {{1, 0}, {1, P}, {1, -P}, {1, Q}, {1, -Q}, {0, 1}};
static const real KERNEL[EDGE][TAPS] = {
    {1 / (PP * QQ), 0, 0, 0, 0},
    {1 / FROM_P,  P / FROM_P, PP / FROM_P,  PP * P / FROM_P, PP * PP / FROM_P},
    {1 / FROM_P, -P / FROM_P, PP / FROM_P, -PP * P / FROM_P, PP * PP / FROM_P},
    {1 / FROM_Q,  Q / FROM_Q, QQ / FROM_Q,  QQ * Q / FROM_Q, QQ * QQ / FROM_Q},
    {1 / FROM_Q, -Q / FROM_Q, QQ / FROM_Q, -QQ * Q / FROM_Q, QQ * QQ / FROM_Q},
    {0, 0, 0, 0, 1},
};
/* clang-format on */

#define NAME    conv_f25
#define SPELLED "F(2x2, 5x5)"
#include "nets/kernels/conv_winograd.h"
