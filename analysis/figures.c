/* All figures of a folder: see figures.h; each kind is a file under analysis/figures/. Names are
 * made of lower-case letters, digits and '-', so that they are safe in scripts and on any disk. */
#include "analysis/figures.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "analysis/figures/plot.h"
#include "analysis/memory.h"

enum { CURVES_MOST = 12 };

static char *slug(const char *kind, const char *what) {
    char *name = memory_print("%s%s%.80s", kind, *what ? "-" : "", what), *to = name;
    for (const char *from = name; *from; from++) {
        unsigned char c = (unsigned char)*from;
        if (c < 128 && isalnum(c))
            *to++ = (char)tolower(c);
        else if (to > name && to[-1] != '-')
            *to++ = '-';
    }
    while (to > name && to[-1] == '-') to--;
    *to = '\0';
    return name;
}

static bool figures_has(const struct figures *f, const char *name) {
    for (size_t i = 0; i < f->n; i++)
        if (!strcmp(f->list[i].name, name)) return true;
    return false;
}

char *figures_add(struct figures *f, const char *kind, const char *what, const char *caption) {
    char *stem = slug(kind, what), *name = memory_text(stem);
    for (size_t k = 2; figures_has(f, name); k++) {
        free(name);
        name = memory_print("%s-%zu", stem, k);
    }
    free(stem);
    f->list = memory_grow(f->list, f->n, sizeof *f->list);
    f->list[f->n++] = (struct figure){name, memory_text(caption)};
    return name;
}

size_t figures_curves(const struct summary *s, size_t *wanted) {
    size_t n = 0;
    for (size_t i = 0; i < s->parts_n; i++) n += s->parts[i].curves_n;
    *wanted = n < CURVES_MOST ? n : CURVES_MOST;
    return n;
}

bool figures_wanted(const struct summary *s, size_t part, size_t curve) {
    size_t wanted, n = figures_curves(s, &wanted), at = curve;
    for (size_t i = 0; i < part; i++) at += s->parts[i].curves_n;
    for (size_t i = 0; i < wanted; i++)
        if (plot_pick(i, wanted, n) == at) return true;
    return false;
}

struct figures *figures_draw(const struct summary *s, struct error *e) {
    int (*const KINDS[])(struct figures *, const struct summary *,
                         struct error *) = {figures_levels,  figures_recovery, figures_senses,
                                            figures_windows, figures_epochs,   figures_layers};
    struct figures *f = memory_new(1, sizeof *f);
    f->folder = memory_print("%s/figures", s->results->home);
    if (mkdir(f->folder, 0777) && errno != EEXIST) {
        error_set(e, STATUS_FAILED, "%s: cannot make it: %s", f->folder, strerror(errno));
        return f;
    }
    int status = STATUS_OK;
    for (size_t i = 0; i < sizeof KINDS / sizeof *KINDS && !status; i++) status = KINDS[i](f, s, e);
    for (size_t i = 0; i < f->n && !status && !f->absent; i++)
        status = plot_draw(f->folder, f->list[i].name, &f->absent, e);
    return f;
}

void figures_free(struct figures *f) {
    if (!f) return;
    for (size_t i = 0; i < f->n; i++) {
        free(f->list[i].name);
        free(f->list[i].caption);
    }
    free(f->list);
    free(f->folder);
    free(f);
}
