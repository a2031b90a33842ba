/* Letters for PNG sheets: the usual 5x7 dot matrix. */
#ifndef SIM_FONT_H
#define SIM_FONT_H

#include <stdbool.h>

enum { FONT_WIDTH = 6, FONT_HEIGHT = 8 }; /* of a cell, with the gap and the descender */

/* Is the dot in this column and row of the cell inked? Other than printable ASCII: a box. */
bool font_dot(char letter, int column, int row);

#endif
