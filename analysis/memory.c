/* Allocation that cannot fail: see memory.h. Sizes are checked by calloc; growth is by powers of
 * two, so that an array of n entries needs no capacity beside it. */
#include "analysis/memory.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *memory_checked(void *memory) {
    if (memory) return memory;
    fputs("imprint: out of memory\n", stderr);
    exit(1);
}

void *memory_new(size_t n, size_t size) {
    return memory_checked(calloc(n ? n : 1, size));
}

void *memory_grow(void *array, size_t n, size_t size) {
    if (n & (n - 1)) return array; /* not a power of two: there is room */
    size_t capacity = n ? 2 * n : 1;
    if (capacity > SIZE_MAX / size) return memory_checked(NULL);
    char *grown = memory_checked(realloc(array, capacity * size));
    memset(grown + n * size, 0, (capacity - n) * size);
    return grown;
}

char *memory_text(const char *text) {
    return text ? memory_checked(strdup(text)) : NULL;
}

char *memory_print(const char *format, ...) {
    va_list args;
    char *text = NULL;
    va_start(args, format);
    int n = vasprintf(&text, format, args);
    va_end(args);
    return memory_checked(n < 0 ? NULL : text);
}
