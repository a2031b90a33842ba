/* Memory for the report: allocations that never return NULL (the process ends with a sentence
 * when memory is out, as there is nothing that a report could do then). Free with free(). */
#ifndef ANALYSIS_MEMORY_H
#define ANALYSIS_MEMORY_H

#include <stddef.h>

void *memory_new(size_t n, size_t size); /* zeroed; n = 0 gives a pointer that can be freed */
/* Room for one more entry in an array of *n, which has grown in powers of two from empty. */
void *memory_grow(void *array, size_t n, size_t size);
char *memory_text(const char *text); /* a copy; NULL stays NULL */
char *memory_print(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
