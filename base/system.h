/* The few things asked of the operating system in more than one place. */
#ifndef BASE_SYSTEM_H
#define BASE_SYSTEM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

/* Make a folder and its parents; one that is there is fine. */
int system_make_folder(const char *path, struct error *e);
/* Remove a folder with all that is in it; symbolic links are removed, not followed. */
int system_remove_folder(const char *path, struct error *e);

/* This machine since its start, as this process sees it: a hash of host name, boot id and process
 * namespace. Process numbers mean something only between processes that are at the same place. */
enum { SYSTEM_PLACE = 17 };
void system_place(char place[SYSTEM_PLACE]);
/* Of a process at this place: when it began, in ticks since the machine's start; 0: it runs, but the
 * system does not say since when; -1: it has ended, if only its parent has not noticed yet. Number
 * and beginning together name one process, the number alone may be given again. */
int64_t system_began(long pid);
bool system_is_alive(long pid);

/* The name under which this process writes a file before it renames it to `path`. */
void system_temporary(char *text, size_t size, const char *path);
/* Remove what killed processes left behind under such names: those of this place whose process is
 * gone, and any that nobody touched for a day. */
void system_remove_temporaries(const char *folder);
double system_seconds(void); /* monotonic */

#endif
