/* One figure: NAME.gp, a gnuplot script that draws from NAME.tsv beside it and can be edited and
 * run again by hand, and what gnuplot makes of it: NAME.png, NAME.svg, NAME.pdf. */
#ifndef ANALYSIS_FIGURES_PLOT_H
#define ANALYSIS_FIGURES_PLOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "base/error.h"

enum { PLOT_LINES = 8 }; /* more in one panel cannot be told apart */

struct plot {
    char *folder, *name;
    FILE *script, *data;
    char *title;
    size_t panels, panel; /* all, begun so far */
    size_t key_chars;     /* longest label of the key; 0: no key */
    size_t blocks;        /* data blocks begun so far; the script's `index` */
    struct error e;       /* the first failure; later calls do nothing harmful */
};

/* Begin both files. `key_chars` makes room for the key at the right, `slanted` for long labels
 * below. */
void plot_open(struct plot *p, const char *folder, const char *name, const char *title,
               size_t panels, size_t key_chars, bool slanted);
/* The same with panels of another width, in pixels of 1/96 inch. */
void plot_open_sized(struct plot *p, const char *folder, const char *name, const char *title,
                     size_t panels, size_t panel_width, size_t key_chars, bool slanted);
/* Begin a panel; axis labels and what else is to be set go into p->script after it. */
void plot_panel(struct plot *p, const char *title, const char *x_label, const char *y_label);
/* A grey line under the panels: what line, band and marks mean. */
void plot_footer(struct plot *p, const char *text);
int plot_close(struct plot *p, struct error *e);

/* A text as a gnuplot string: in single quotes, where gnuplot expands nothing. */
void plot_quote(FILE *out, const char *text);
/* Separates data blocks; returns the index of the one that now begins. */
size_t plot_block(struct plot *p);
/* Tab-separated cells ("NaN" when not a number); `first` without a tab before it. */
void plot_number(FILE *out, double v);

/* Colour i of n: ordered levels from dark to light (viridis), or categories (Okabe and Ito 2008),
 * both safe for colour-blind readers. "#rrggbb" */
void plot_colour_ordered(double position, char text[8]);
const char *plot_colour_category(size_t i);
int plot_point_type(size_t i);

/* An axis range that holds all `core` values and as much of the interval ends as leaves the core
 * at least half of it; fixed limits cut it. */
struct plot_range {
    double low, high, low_end, high_end;
    bool is_set;
};
void plot_range_core(struct plot_range *r, double v);
void plot_range_end(struct plot_range *r, double v);
void plot_range_print(const struct plot_range *r, FILE *out, const char *axis, double least,
                      double most);

/* Which of n to show: entry i of `shown` (at most `most`), evenly spread, ends included. */
size_t plot_pick(size_t i, size_t shown, size_t n);

/* Run gnuplot on NAME.gp. *absent is set when there is no gnuplot. */
int plot_draw(const char *folder, const char *name, bool *absent, struct error *e);

#endif
