/* Text helpers: see text.h.
 *
 * The traps: strtod takes "0x10", "inf", "nan" and leading spaces, so the form is checked before it
 * is called; %.15g does not round-trip every double, %.17g is ugly for 0.1, so three precisions are
 * tried; YAML folds U+0085, U+2028 and U+2029 as line breaks inside quotes, so they are escaped. */
#include "base/text.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void *text_room(size_t n, size_t size) {
    void *memory = calloc(n ? n : 1, size);
    if (!memory) abort();
    return memory;
}

char *text_copy(const char *text) {
    char *copy = strdup(text);
    if (!copy) abort();
    return copy;
}

/* ---- the buffer ------------------------------------------------------------------------------ */

static void text_reserve(struct text *t, size_t n) {
    if (t->room - t->n > n) return;
    size_t room = t->room ? t->room : 64;
    while (room - t->n <= n) room *= 2;
    t->data = realloc(t->data, room);
    if (!t->data) abort();
    t->room = room;
}

void text_put(struct text *t, const char *bytes, size_t n) {
    text_reserve(t, n);
    memcpy(t->data + t->n, bytes, n);
    t->n += n;
    t->data[t->n] = '\0';
}

void text_add(struct text *t, const char *format, ...) {
    va_list args;
    text_reserve(t, 32); /* mostly enough, which spares the second printing */
    va_start(args, format);
    int n = vsnprintf(t->data + t->n, t->room - t->n, format, args);
    va_end(args);
    if (n < 0) abort();
    if ((size_t)n >= t->room - t->n) {
        text_reserve(t, (size_t)n);
        va_start(args, format);
        vsnprintf(t->data + t->n, (size_t)n + 1, format, args);
        va_end(args);
    }
    t->n += (size_t)n;
}

char *text_take(struct text *t) {
    text_reserve(t, 0);
    t->data[t->n] = '\0';
    char *data = t->data;
    *t = (struct text){0};
    return data;
}

/* ---- quoting --------------------------------------------------------------------------------- */

static const struct {
    char letter; /* after the backslash */
    char byte;
} escapes[] = {{'n', '\n'}, {'t', '\t'}, {'r', '\r'}, {'"', '"'}, {'\\', '\\'}};
enum { ESCAPES = sizeof escapes / sizeof *escapes };

/* Three bytes that YAML must see escaped: NEL is two, LS and PS (E2 80 A8|A9), BOM (EF BB BF). */
static size_t put_line_break(struct text *t, const char *s) {
    if (!memcmp(s, "\xC2\x85", 2)) {
        text_add(t, "\\u0085");
        return 2;
    }
    if (!strncmp(s, "\xE2\x80\xA8", 3) || !strncmp(s, "\xE2\x80\xA9", 3)) {
        text_add(t, "\\u20%02x", (unsigned)(s[2] & 0x3F));
        return 3;
    }
    if (strncmp(s, "\xEF\xBB\xBF", 3) != 0) return 0;
    text_add(t, "\\ufeff");
    return 3;
}

static size_t put_escaped(struct text *t, const char *s) {
    for (size_t i = 0; i < ESCAPES; i++)
        if (*s == escapes[i].byte) {
            text_add(t, "\\%c", escapes[i].letter);
            return 1;
        }
    size_t n = put_line_break(t, s);
    if (n) return n;
    if ((unsigned char)*s < 0x20 || *s == 0x7F)
        text_add(t, "\\u%04x", (unsigned)(unsigned char)*s);
    else
        text_put(t, s, 1);
    return 1;
}

void text_quote(struct text *t, const char *value) {
    text_put(t, "\"", 1);
    for (const char *s = value; *s;) s += put_escaped(t, s);
    text_put(t, "\"", 1);
}

static void put_code_point(struct text *t, unsigned long c) {
    char utf8[3] = {(char)(0xE0 | (c >> 12)), (char)(0x80 | ((c >> 6) & 0x3F)),
                    (char)(0x80 | (c & 0x3F))};
    if (c < 0x80) {
        utf8[0] = (char)c;
        text_put(t, utf8, 1);
    } else if (c < 0x800) {
        utf8[1] = (char)(0xC0 | (c >> 6));
        text_put(t, utf8 + 1, 2);
    } else {
        text_put(t, utf8, 3);
    }
}

/* Decode one escape; `s` is after the backslash. Returns how far to go on, 0 for a bad one. */
static size_t get_escape(struct text *t, const char *s) {
    for (size_t i = 0; i < ESCAPES; i++)
        if (*s == escapes[i].letter) {
            text_put(t, &escapes[i].byte, 1);
            return 1;
        }
    if (*s != 'u') return 0;
    char digits[5] = {0};
    for (int i = 0; i < 4; i++) {
        if (!isxdigit((unsigned char)s[1 + i])) return 0;
        digits[i] = s[1 + i];
    }
    unsigned long c = strtoul(digits, NULL, 16);
    if (c == 0) return 0;
    put_code_point(t, c);
    return 5;
}

/* Decode what stands at `s` inside quotes; how far to go on, 0 at the end or a bad escape. */
static size_t get_quoted(struct text *t, const char *s, char quote) {
    if (*s == '\0' || (*s == quote && (quote == '"' || s[1] != quote))) return 0;
    if (*s == '\\' && quote == '"') {
        size_t n = get_escape(t, s + 1);
        return n ? n + 1 : 0;
    }
    text_put(t, s, 1);
    return *s == quote ? 2 : 1; /* '' stands for one quote */
}

char *text_unquote(const char *quoted) {
    struct text t = {0};
    const char *s = quoted + 1;
    for (size_t n; (n = get_quoted(&t, s, *quoted));) s += n;
    if (*s == *quoted && !s[1]) return text_take(&t);
    free(t.data);
    return NULL;
}

/* ---- numbers --------------------------------------------------------------------------------- */

static const char *skip_sign(const char *s) {
    return *s == '-' || *s == '+' ? s + 1 : s;
}

static const char *skip_digits(const char *s) {
    while (isdigit((unsigned char)*s)) s++;
    return s;
}

bool text_integer(const char *text, int64_t *value) {
    const char *digits = skip_sign(text), *end = skip_digits(digits);
    if (end == digits || *end || (*digits == '0' && end > digits + 1)) return false;
    errno = 0;
    long long v = strtoll(text, NULL, 10);
    *value = v;
    return errno == 0;
}

static bool real_form(const char *text) {
    const char *whole = skip_sign(text), *s = skip_digits(whole);
    size_t digits = (size_t)(s - whole);
    if (*s == '.') {
        const char *end = skip_digits(s + 1);
        digits += (size_t)(end - s - 1);
        s = end;
    }
    if (digits == 0) return false;
    if (*s == 'e' || *s == 'E') {
        const char *exponent = skip_sign(s + 1);
        s = skip_digits(exponent);
        if (s == exponent) return false;
    }
    return *s == '\0';
}

bool text_real(const char *text, double *value) {
    if (!real_form(text)) return false;
    double v = strtod(text, NULL);
    *value = v == 0.0 ? 0.0 : v; /* -0 is 0 */
    return isfinite(v);
}

void text_print_real(char text[TEXT_REAL], double value) {
    for (int precision = 15; precision <= 17; precision++) {
        snprintf(text, TEXT_REAL - 2, "%.*g", precision, value);
        if (strtod(text, NULL) == value) break;
    }
    if (!isfinite(value) || strchr(text, '.')) return;
    char *end = text + strcspn(text, "e"); /* "1e-05" -> "1.0e-05" */
    memmove(end + 2, end, strlen(end) + 1);
    end[0] = '.';
    end[1] = '0';
}

void text_print_number(char text[TEXT_REAL], double value) {
    if (value == floor(value) && fabs(value) < 1e17)
        snprintf(text, TEXT_REAL, "%.0f", value);
    else
        text_print_real(text, value);
}

/* ---- sentences ------------------------------------------------------------------------------- */

struct text_shown text_shown(const char *text) {
    struct text_shown shown;
    enum { KEPT = sizeof shown.text - 4 };
    size_t n = strlen(text), kept = n < KEPT ? n : KEPT;
    /* never cut inside a UTF-8 sequence */
    if (kept < n)
        while (kept > 0 && (text[kept] & 0xC0) == 0x80) kept--;
    for (size_t i = 0; i < kept; i++)
        shown.text[i] = (unsigned char)text[i] < 0x20 || text[i] == 0x7F ? '?' : text[i];
    memcpy(shown.text + kept, kept < n ? "..." : "", kept < n ? 4 : 1);
    return shown;
}

enum { NAME_LIMIT = 48 };

static size_t least(size_t a, size_t b) {
    return a < b ? a : b;
}

/* Optimal string alignment: three rows of the dynamic programme are enough for the swaps. */
static size_t name_distance(const char *a, size_t n, const char *b, size_t m) {
    size_t row[3][NAME_LIMIT + 1];
    for (size_t j = 0; j <= m; j++) row[0][j] = j;
    for (size_t i = 1; i <= n; i++) {
        size_t *now = row[i % 3], *before = row[(i + 2) % 3], *older = row[(i + 1) % 3];
        now[0] = i;
        for (size_t j = 1; j <= m; j++) {
            size_t replaced = before[j - 1] + (a[i - 1] != b[j - 1]);
            now[j] = least(replaced, least(before[j], now[j - 1]) + 1);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                now[j] = least(now[j], older[j - 2] + 1);
        }
    }
    return row[n % 3][m];
}

void text_nearest_try(struct text_nearest *near, const char *name) {
    size_t n = strlen(near->wanted), m = strlen(name);
    if (n == 0 || n > NAME_LIMIT || m > NAME_LIMIT) return;
    size_t longer = n > m ? n : m, distance = name_distance(near->wanted, n, name, m);
    size_t limit = longer <= 3 ? 1 : longer <= 7 ? 2 : 3;
    if (distance >= longer || distance > limit) return;
    if (near->best && near->distance <= distance) return;
    near->best = name;
    near->distance = distance;
}
