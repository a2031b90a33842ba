/* Errors as values: see error.h. A sentence that does not fit is cut, never overrun. */
#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int error_set(struct error *e, int status, const char *format, ...) {
    if (!e) return status;
    va_list args;
    va_start(args, format);
    vsnprintf(e->text, sizeof e->text, format, args);
    va_end(args);
    e->status = status;
    return status;
}

int error_prefix(struct error *e, const char *format, ...) {
    char text[sizeof e->text];
    va_list args;
    if (!e) return STATUS_FAILED;
    va_start(args, format);
    int n = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    size_t used = n < 0 ? 0 : (size_t)n < sizeof text ? (size_t)n : sizeof text - 1;
    int room = (int)(sizeof text - used) - 3; /* ": " and the final NUL */
    if (room > 0) snprintf(text + used, (size_t)room + 3, ": %.*s", room, e->text);
    memcpy(e->text, text, sizeof text);
    return e->status;
}
