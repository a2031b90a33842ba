/* Numbers in words, cells and columns: see words.h. */
#include "analysis/words.h"

#include <math.h>
#include <stdlib.h>

#include "analysis/memory.h"

char *words_join(char *text, const char *separator, char *more) {
    char *whole = memory_print("%s%s%s", text, *text ? separator : "", more);
    free(text);
    free(more);
    return whole;
}

char *words_interval(struct interval t, int digits) {
    if (isnan(t.low)) return memory_text("-");
    return memory_print("[%.*f, %.*f]", digits, t.low, digits, t.high);
}

char *words_with_interval(struct interval t, int digits) {
    if (isnan(t.low)) return memory_text(", no interval from one seed");
    char *range = words_interval(t, digits), *text = memory_print(", 95 %% interval %s", range);
    free(range);
    return text;
}

void words_cell(struct grid *g, size_t row, size_t column, double v, int digits) {
    if (isnan(v)) return;
    if (fabs(v) < 0.5 * pow(10, -digits)) v = 0;
    grid_set(g, row, column, "%.*f", digits, v);
}

void words_cell_interval(struct grid *g, size_t row, size_t column, struct interval t, int digits) {
    char *text = words_interval(t, digits);
    grid_set(g, row, column, "%s", text);
    free(text);
}

void words_save(FILE *out, double v) {
    if (isnan(v))
        fputs("\tNaN", out);
    else
        fprintf(out, "\t%.10g", v);
}

void words_save_interval(FILE *out, struct interval t) {
    words_save(out, t.mean);
    words_save(out, t.low);
    words_save(out, t.high);
}
