/* Text: a growing buffer, strict numbers, quoting, and the nearest of several names.
 *
 * Memory: these functions never return NULL; the process aborts when memory is out. */
#ifndef BASE_TEXT_H
#define BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

void *text_room(size_t n, size_t size); /* zeroed memory for n things; free() it */
char *text_copy(const char *text);      /* free() it */

/* A growing buffer; starts as {0}. `data` ends in NUL after the first add. */
struct text {
    char *data;
    size_t n, room;
};
void text_put(struct text *t, const char *bytes, size_t n);
void text_add(struct text *t, const char *format, ...) __attribute__((format(printf, 2, 3)));
char *text_take(struct text *t); /* the content, for free(); leaves t empty */

/* Double-quoted YAML (and JSON) text, with line breaks of every kind and controls escaped. */
void text_quote(struct text *t, const char *value);
/* Decode 'single' or "double" quoted text; NULL when it is not well formed. free() it. */
char *text_unquote(const char *quoted);

/* Decimal numbers and nothing else: no hexadecimal, "inf", "nan", "1_000" or spaces; an integer
 * has no leading zeros. False: not one, or it does not fit. */
bool text_integer(const char *text, int64_t *value);
bool text_real(const char *text, double *value);
/* The shortest decimal that reads back as the same double; always with a point ("1.0",
 * "1.0e-05"), so that YAML and Python read a float. */
enum { TEXT_REAL = 32 };
void text_print_real(char text[TEXT_REAL], double value);
void text_print_number(char text[TEXT_REAL], double value); /* the same, but "1" for 1.0 */

/* A user's text inside a sentence: cut when long, controls as '?'. Use text_shown(x).text at once.*/
struct text_shown {
    char text[64];
};
struct text_shown text_shown(const char *text);

/* The nearest of several names: try all, then ask. Distance = insertions, deletions, replacements
 * and swaps of neighbours; what is too far off for a slip of the hand is not suggested. */
struct text_nearest {
    const char *wanted;
    const char *best; /* NULL: nothing near */
    size_t distance;
};
void text_nearest_try(struct text_nearest *near, const char *name);

#endif
