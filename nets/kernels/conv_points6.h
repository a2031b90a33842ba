/* The six points 0, +-P, +-Q, infinity at which Winograd's F(2x2, 5x5) and F(4x4, 3x3) evaluate, and the
 * transform of inputs, which they share.
 *
 * The points decide the error. In sums over 16 channels (tiles) of numbers in [-1, 1], in units of what
 * plain sums are off by (root mean squares):
 *
 *                                    F(2x2, 5x5)          F(4x4, 3x3)
 *                                   y, dx     dw         y, dx     dw
 *     0, +-3/4, +-3/2, infinity      1.7     4.0          3.0     2.2
 *     0, +-1, +-2, infinity          3.6     8.2          5.9     4.5
 *     0, +-1, 2, -1/2, infinity      2.4     5.4
 *
 * In proportion 3/4 the powers of the smaller and of the larger point balance, and the transforms'
 * numbers are exact still. The last row is that of Barabasz, Anderson, Soodhalter and Gregg 2020
 * (arXiv:1803.10986); other pairs of sixteenths gained nothing. */
#ifndef NETS_KERNELS_CONV_POINTS6_H
#define NETS_KERNELS_CONV_POINTS6_H

#include "base/real.h"

enum { EDGE = 6 };

#define P  ((real)0.75)
#define Q  ((real)1.5)
#define PP (P * P)
#define QQ (Q * Q)
/* The product of a point's differences from the other finite ones. */
#define FROM_P (2 * PP * (PP - QQ))
#define FROM_Q (2 * QQ * (QQ - PP))

/* clang-format off */
static const real INPUT[EDGE][EDGE] = {
    {PP * QQ,       0, -PP - QQ,        0, 1, 0},
    {      0, -P * QQ,      -QQ,        P, 1, 0},
    {      0,  P * QQ,      -QQ,       -P, 1, 0},
    {      0, -Q * PP,      -PP,        Q, 1, 0},
    {      0,  Q * PP,      -PP,       -Q, 1, 0},
    {      0, PP * QQ,        0, -PP - QQ, 0, 1},
};
/* clang-format on */

#endif
