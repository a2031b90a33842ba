/* The engine's number: float, or double when built with REAL=double for gradient checks. */
#ifndef BASE_REAL_H
#define BASE_REAL_H

#ifdef REAL_IS_DOUBLE
typedef double real;
#define REAL_NAME "double"
#else
typedef float real;
#define REAL_NAME "float"
#endif

#endif
