/* The bar: epochs done, epochs per second, time left, and the epoch just finished. */
#include "sim/progress.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/system.h"

struct progress progress_begin(int64_t total, bool quiet) {
    return (struct progress){.quiet = quiet,
                             .terminal = isatty(STDERR_FILENO) == 1,
                             .total = total,
                             .began = system_seconds()};
}

static void text_number(char *text, size_t size, const char *name, double v, const char *format) {
    size_t used = strlen(text);
    if (isnan(v)) return;
    snprintf(text + used, size - used, "  %s ", name);
    used = strlen(text);
    snprintf(text + used, size - used, format, v);
}

static void text_time(char *text, size_t size, double left) {
    long s = lround(left);
    if (s >= 3600)
        snprintf(text, size, "%ld:%02ld:%02ld", s / 3600, s / 60 % 60, s % 60);
    else
        snprintf(text, size, "%ld:%02ld", s / 60, s % 60);
}

static void draw(struct progress *p, const struct run_progress *now, const char *runs) {
    enum { WIDTH = 24 };
    char bar[WIDTH + 1], left[32], numbers[160] = "";
    double spent = system_seconds() - p->began, rate = spent > 0 ? (double)p->done / spent : 0.0;
    int64_t full = p->total ? WIDTH * p->done / p->total : WIDTH;
    for (int i = 0; i < WIDTH; i++) bar[i] = i < full ? '#' : '.';
    bar[WIDTH] = '\0';
    text_time(left, sizeof left, rate > 0 ? (double)(p->total - p->done) / rate : 0.0);
    text_number(numbers, sizeof numbers, "loss", now->loss, "%.3f");
    text_number(numbers, sizeof numbers, "test", 100.0 * now->test_accuracy, "%.1f %%");
    text_number(numbers, sizeof numbers, "Fisher", now->fisher, "%.3g");
    const char *begin = p->terminal ? "\r\033[K" : "", *end = p->terminal ? "" : "\n";
    fprintf(stderr, "%s[%s] %lld/%lld epochs  %s%s%.1f/s  ETA %s%s%s", begin, bar,
            (long long)p->done, (long long)p->total, runs, *runs ? "  " : "", rate, left, numbers,
            end);
    fflush(stderr);
}

/* A terminal is redrawn ten times a second at most, a file gets a line every ten seconds. */
void progress_epoch(struct progress *p, const struct run_progress *now, const char *runs) {
    p->done++;
    double time_now = system_seconds();
    if (p->quiet || time_now - p->drawn < (p->terminal ? 0.1 : 10.0)) return;
    p->drawn = time_now;
    draw(p, now, runs);
}

void progress_say(struct progress *p, const char *format, ...) {
    va_list args;
    if (p->terminal && !p->quiet) fprintf(stderr, "\r\033[K");
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fprintf(stderr, "\n");
}

void progress_end(struct progress *p) {
    if (p->terminal && !p->quiet) fprintf(stderr, "\r\033[K");
}
