/* Scripts for gnuplot: see plot.h.
 *
 * The script draws the same panels three times, once per terminal. Text is not "enhanced", so that
 * an underscore in a name is an underscore. Traps: gnuplot runs commands in back quotes of
 * double-quoted strings, so labels stand in single quotes; a mean of few seeds can have an
 * interval many times the height of the data, which would press the data flat, so ranges are set
 * here and long bars are cut by the frame. */
#include "analysis/figures/plot.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "analysis/memory.h"

extern char **environ;

enum { PANEL_WIDTH = 470, HEIGHT = 440, LEFT = 85, KEY_CHAR = 7, KEY_SAMPLE = 75, KEY_MOST = 56 };

void plot_quote(FILE *out, const char *text) {
    fputc('\'', out);
    for (; *text; text++) {
        if (*text == '\'') fputc('\'', out);
        fputc((unsigned char)*text < ' ' ? ' ' : *text, out);
    }
    fputc('\'', out);
}

void plot_number(FILE *out, double v) {
    if (isnan(v))
        fputs("\tNaN", out);
    else
        fprintf(out, "\t%.10g", v);
}

/* ---- the script ------------------------------------------------------------------------------- */

/* The largest size, up to 12, at which the title fits: a letter is about 2/3 of it wide. */
static int title_size(const char *title, size_t width) {
    size_t fits = strlen(title) ? width * 3 / 2 / strlen(title) : 12;
    return fits > 12 ? 12 : fits < 7 ? 7 : (int)fits;
}

static FILE *plot_file(struct plot *p, const char *suffix) {
    char *path = memory_print("%s/%s.%s", p->folder, p->name, suffix);
    FILE *f = fopen(path, "w");
    if (!f && !p->e.status)
        error_set(&p->e, STATUS_FAILED, "%s: cannot write it: %s", path, strerror(errno));
    free(path);
    if (f) return f;
    f = fopen("/dev/null", "w"); /* later writes go nowhere; plot_close tells of the failure */
    if (!f) abort();
    return f;
}

static size_t plot_key_width(const struct plot *p) {
    if (!p->key_chars) return 20;
    size_t chars = p->key_chars > KEY_MOST ? KEY_MOST : p->key_chars;
    return KEY_SAMPLE + KEY_CHAR * chars;
}

static void write_terminals(const struct plot *p, size_t width) {
    fprintf(p->script, "do for [kind in 'png svg pdf'] {\n");
    fprintf(p->script,
            "if (kind eq 'png') { set terminal pngcairo noenhanced size %zu,%d font 'sans,10' "
            "fontscale 1.4 linewidth 1.4 pointscale 1.4 background '#ffffff' }\n",
            width * 3 / 2, HEIGHT * 3 / 2);
    fprintf(p->script,
            "if (kind eq 'svg') { set terminal svg noenhanced size %zu,%d font 'sans-serif,13' "
            "background '#ffffff' }\n",
            width, HEIGHT);
    fprintf(p->script,
            "if (kind eq 'pdf') { set terminal pdfcairo noenhanced size %.2fin,%.2fin font "
            "'sans,10' }\n",
            (double)width / 96, (double)HEIGHT / 96);
    fprintf(p->script, "set output '%s.'.kind\n", p->name);
}

static void write_style(const struct plot *p) {
    fprintf(p->script, "# Made by `imprint report`. Edit it and run:  gnuplot %s.gp\n", p->name);
    fprintf(p->script, "set encoding utf8\nset datafile separator '\\t'\n"
                       "set datafile missing 'NaN'\nset border 3 lc '#444444'\n"
                       "set tics nomirror out\nset grid ytics lc '#dddddd' lt 1 lw 0.7\n"
                       "set style fill transparent solid 0.16 noborder\nset errorbars small\n"
                       "set bars 0.6\nset clip points\n");
}

void plot_open(struct plot *p, const char *folder, const char *name, const char *title,
               size_t panels, size_t key_chars, bool slanted) {
    plot_open_sized(p, folder, name, title, panels, PANEL_WIDTH, key_chars, slanted);
}

void plot_open_sized(struct plot *p, const char *folder, const char *name, const char *title,
                     size_t panels, size_t panel_width, size_t key_chars, bool slanted) {
    *p = (struct plot){.folder = memory_text(folder), .name = memory_text(name)};
    p->title = memory_text(title);
    p->panels = panels;
    p->key_chars = key_chars;
    p->script = plot_file(p, "gp");
    p->data = plot_file(p, "tsv");
    size_t key = plot_key_width(p), width = LEFT + panels * panel_width + key;
    write_style(p);
    write_terminals(p, width);
    double left = (double)LEFT / (double)width, right = 1 - (double)key / (double)width;
    fprintf(p->script, "set multiplot layout 1,%zu margins %.4f,%.4f,%s,0.84 spacing %.4f,0\n",
            panels, left, right, slanted ? "0.27" : "0.165", (double)LEFT / (double)width);
    fprintf(p->script, "set label 100 ");
    plot_quote(p->script, title);
    fprintf(p->script, " at screen %.4f,0.955 left font ',%d'\n", left / 2,
            title_size(title, width));
    fprintf(p->script,
            "set key at screen %.4f,0.84 left top vertical maxcols 1 Left reverse samplen 2 "
            "spacing 1.15\n",
            right + 10.0 / (double)width);
    if (!key_chars) fprintf(p->script, "unset key\n");
}

void plot_panel(struct plot *p, const char *title, const char *x_label, const char *y_label) {
    if (p->panel++) fprintf(p->script, "unset label\nunset key\n");
    const char *const settings[] = {"title", title, "xlabel", x_label, "ylabel", y_label};
    for (size_t i = 0; i < 6; i += 2) {
        fprintf(p->script, "set %s ", settings[i]);
        plot_quote(p->script, settings[i + 1]);
        fprintf(p->script, i ? "\n" : " font ',11'\n");
    }
}

void plot_footer(struct plot *p, const char *text) {
    fputs("set label 101 ", p->script);
    plot_quote(p->script, text);
    fputs(" at screen 0.99,0.028 right font ',9' textcolor rgb '#666666'\n", p->script);
}

size_t plot_block(struct plot *p) {
    if (p->blocks) fputs("\n\n", p->data);
    return p->blocks++;
}

static void close_file(struct plot *p, FILE *f, const char *suffix) {
    bool failed = ferror(f) != 0;
    if ((fclose(f) || failed) && !p->e.status)
        error_set(&p->e, STATUS_FAILED, "%s/%s.%s: cannot write it whole; is the disk full?",
                  p->folder, p->name, suffix);
}

int plot_close(struct plot *p, struct error *e) {
    fprintf(p->script, "unset multiplot\nunset label\n}\nset output\n");
    close_file(p, p->script, "gp");
    close_file(p, p->data, "tsv");
    free(p->folder);
    free(p->name);
    free(p->title);
    if (p->e.status) return error_set(e, p->e.status, "%s", p->e.text);
    return STATUS_OK;
}

/* ---- colours ---------------------------------------------------------------------------------- */

void plot_colour_ordered(double position, char text[8]) {
    static const unsigned char VIRIDIS[][3] = {{68, 1, 84},    {71, 45, 123},  {59, 82, 139},
                                               {44, 114, 142}, {33, 145, 140}, {40, 174, 128},
                                               {94, 201, 98},  {173, 220, 48}};
    enum { LAST = sizeof VIRIDIS / sizeof *VIRIDIS - 1 };
    double at = fmin(fmax(position, 0), 1) * LAST;
    size_t below = at >= LAST ? LAST - 1 : (size_t)at;
    unsigned rgb[3];
    for (size_t i = 0; i < 3; i++) {
        double from = VIRIDIS[below][i], to = VIRIDIS[below + 1][i];
        rgb[i] = (unsigned)lround(from + (at - (double)below) * (to - from)) & 255;
    }
    snprintf(text, 8, "#%02x%02x%02x", rgb[0], rgb[1], rgb[2]);
}

const char *plot_colour_category(size_t i) {
    static const char *const OKABE_ITO[] = {"#0072b2", "#d55e00", "#009e73", "#cc79a7",
                                            "#e69f00", "#56b4e9", "#000000", "#999999"};
    return OKABE_ITO[i % (sizeof OKABE_ITO / sizeof *OKABE_ITO)];
}

int plot_point_type(size_t i) {
    static const int FILLED_THEN_OPEN[] = {7, 5, 9, 13, 11, 6, 4, 8};
    return FILLED_THEN_OPEN[i % (sizeof FILLED_THEN_OPEN / sizeof *FILLED_THEN_OPEN)];
}

/* ---- ranges and choices ----------------------------------------------------------------------- */

void plot_range_core(struct plot_range *r, double v) {
    if (!isfinite(v)) return;
    if (!r->is_set) *r = (struct plot_range){v, v, v, v, true};
    r->low = fmin(r->low, v);
    r->high = fmax(r->high, v);
    plot_range_end(r, v);
}

void plot_range_end(struct plot_range *r, double v) {
    if (!isfinite(v) || !r->is_set) return;
    r->low_end = fmin(r->low_end, v);
    r->high_end = fmax(r->high_end, v);
}

void plot_range_print(const struct plot_range *r, FILE *out, const char *axis, double least,
                      double most) {
    if (!r->is_set) return;
    double room = r->high > r->low ? (r->high - r->low) / 2 : 1;
    double low = fmax(r->low - room, r->low_end), high = fmin(r->high + room, r->high_end);
    double pad = high > low ? (high - low) * 0.05 : 1;
    fprintf(out, "set %srange [%.6g:%.6g]\n", axis, fmax(low - pad, least), fmin(high + pad, most));
}

size_t plot_pick(size_t i, size_t shown, size_t n) {
    if (shown < 2 || n <= shown) return i;
    return (i * (n - 1) + (shown - 1) / 2) / (shown - 1);
}

/* ---- gnuplot ---------------------------------------------------------------------------------- */

/* Runs gnuplot in the folder, its words into NAME.err. Returns its exit status, -1: not there. */
static int run_gnuplot(const char *folder, const char *script, const char *words) {
    posix_spawn_file_actions_t actions;
    pid_t child;
    int status = 0;
    char *const argv[] = {(char *)"gnuplot", (char *)script, NULL};
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addchdir_np(&actions, folder);
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&actions, 1, words, O_WRONLY | O_CREAT | O_TRUNC, 0644);
    posix_spawn_file_actions_adddup2(&actions, 1, 2);
    int failed = posix_spawnp(&child, "gnuplot", &actions, NULL, argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    if (failed) return failed == ENOENT ? -1 : 127;
    while (waitpid(child, &status, 0) < 0)
        if (errno != EINTR) return 127;
    if (WIFEXITED(status) && WEXITSTATUS(status) == 127) return -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 127;
}

int plot_draw(const char *folder, const char *name, bool *absent, struct error *e) {
    char *script = memory_print("%s.gp", name), *words = memory_print("%s.err", name);
    int status = run_gnuplot(folder, script, words);
    char *path = memory_print("%s/%s", folder, words);
    *absent = status == -1;
    if (status == 0 || *absent) unlink(path);
    if (status && !*absent)
        error_set(e, STATUS_FAILED, "%s/%s: gnuplot could not draw it (its words are in %s)",
                  folder, script, path);
    free(path);
    free(script);
    free(words);
    return status && !*absent ? STATUS_FAILED : STATUS_OK;
}
