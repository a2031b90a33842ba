/* The few things asked of the operating system in more than one place. */
#ifndef BASE_SYSTEM_H
#define BASE_SYSTEM_H

#include "base/error.h"

/* Make a folder and its parents; one that is there is fine. */
int system_make_folder(const char *path, struct error *e);
double system_seconds(void); /* monotonic */
int system_cores(void);      /* that this process may use: affinity, not the machine's count */

#endif
