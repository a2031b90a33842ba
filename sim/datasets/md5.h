/* MD5 (RFC 1321) of a file, as the publishers of the data sets give it. Not for security. */
#ifndef SIM_DATASETS_MD5_H
#define SIM_DATASETS_MD5_H

#include "base/error.h"

enum { MD5_TEXT = 33 };

int md5_file(const char *path, char text[MD5_TEXT], struct error *e);

#endif
