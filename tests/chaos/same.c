/* same A B: do two results folders hold the same files with the same bits? Times apart: the wall time
 * of an epoch, when a log was made and finished, and the digests over them. States have no times and
 * are compared byte by byte. Prints the first differences, exit status 1 when there is any. */
#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/h5.h"

enum { PATH_TEXT = 4096, SHOWN = 20 };

struct pair {
    const char *a, *b; /* folders, then files */
    size_t files, differences;
};

static void differs(struct pair *p, const char *name, const char *what) {
    if (p->differences++ < SHOWN) printf("%s: %s\n", name, what);
}

/* ---- bytes ----------------------------------------------------------------------------------- */

static char *bytes_of(const char *path, size_t *n) {
    struct stat is;
    FILE *f = fopen(path, "rb");
    if (!f) return NULL;
    char *bytes = fstat(fileno(f), &is) ? NULL : malloc((size_t)is.st_size + 1);
    *n = bytes ? fread(bytes, 1, (size_t)is.st_size, f) : 0;
    fclose(f);
    return bytes;
}

static void compare_bytes(struct pair *p, const char *name, const char *a, const char *b) {
    size_t n = 0, m = 0;
    char *x = bytes_of(a, &n), *y = bytes_of(b, &m);
    if (!x || !y)
        differs(p, name, "cannot be read");
    else if (n != m || memcmp(x, y, n) != 0)
        differs(p, name, "other bytes");
    free(x);
    free(y);
}

/* ---- HDF5 ------------------------------------------------------------------------------------ */

static bool is_time(const char *name) {
    static const char *const times[] = {"wall_seconds", "created", "finished", "content_digest"};
    for (size_t i = 0; i < sizeof times / sizeof *times; i++)
        if (!strcmp(name, times[i])) return true;
    return false;
}

static bool same_texts(char **x, size_t n, char **y, size_t m) {
    bool same = n == m;
    for (size_t i = 0; i < n || i < m; i++) {
        same = same && i < n && i < m && x[i] && y[i] && !strcmp(x[i], y[i]);
        if (i < n) free(x[i]);
        if (i < m) free(y[i]);
    }
    free(x);
    free(y);
    return same;
}

static size_t count_of(struct h5_reader *r, const char *name) {
    size_t shape[H5_RANK], n = 1;
    int rank = h5_shape(r, name, shape);
    for (int i = 0; i < rank; i++) n *= shape[i];
    return n;
}

static bool same_dataset(struct h5_reader *a, struct h5_reader *b, const char *name) {
    size_t n, m, x[H5_RANK] = {0}, y[H5_RANK] = {0};
    enum h5_kind kind = h5_kind(a, name, NULL);
    if (kind != h5_kind(b, name, NULL) || h5_shape(a, name, x) != h5_shape(b, name, y) ||
        memcmp(x, y, sizeof x) != 0)
        return false;
    if (kind == H5_TEXTS) {
        char **s = h5_get_texts(a, name, &n), **t = h5_get_texts(b, name, &m);
        return same_texts(s, n, t, m);
    }
    n = count_of(a, name);
    double *v = calloc(n + 1, sizeof *v), *w = calloc(n + 1, sizeof *w);
    if (!v || !w) abort();
    bool same = !h5_get_doubles(a, name, v, NULL) && !h5_get_doubles(b, name, w, NULL) &&
                !memcmp(v, w, n * sizeof *v);
    free(v);
    free(w);
    return same;
}

static bool same_attr(struct h5_reader *a, struct h5_reader *b, const char *name) {
    enum h5_kind kind = h5_attr_kind(a, "/", name);
    if (kind != h5_attr_kind(b, "/", name)) return false;
    if (kind == H5_TEXTS) {
        char *x = h5_attr_text(a, "/", name), *y = h5_attr_text(b, "/", name);
        bool same = x && y && !strcmp(x, y);
        free(x);
        free(y);
        return same;
    }
    if (kind == H5_INTS) return h5_attr_int(a, "/", name, 0) == h5_attr_int(b, "/", name, 0);
    double x = h5_attr_real(a, "/", name), y = h5_attr_real(b, "/", name);
    return x == y || (isnan(x) && isnan(y));
}

static char **list_of(struct h5_reader *r, const char *group, size_t *n) {
    return group ? h5_list(r, group, n) : h5_attr_list(r, "/", n);
}

/* The data sets of a group, or, when it is NULL, the attributes of the file. */
static void compare_group(struct pair *p, const char *file, struct h5_reader *a,
                          struct h5_reader *b, const char *group) {
    size_t n, m;
    char **names = list_of(a, group, &n), **others = list_of(b, group, &m), path[PATH_TEXT];
    for (size_t i = 0; i < n; i++) {
        if (is_time(names[i])) continue;
        snprintf(path, sizeof path, "%s%s%s", group ? group : "", group ? "/" : "", names[i]);
        if (group ? !same_dataset(a, b, path) : !same_attr(a, b, path)) differs(p, file, path);
    }
    if (!same_texts(names, n, others, m))
        differs(p, file, group ? "other data sets" : "other attributes");
}

static void compare_h5(struct pair *p, const char *name, const char *x, const char *y) {
    struct h5_reader *a = NULL, *b = NULL;
    struct error e;
    if (h5_open_sealed(&a, x, &e) || h5_open_sealed(&b, y, &e) || h5_check_digest(a, &e) ||
        h5_check_digest(b, &e)) {
        differs(p, name, e.text);
    } else {
        compare_group(p, name, a, b, "/");
        compare_group(p, name, a, b, "final");
        compare_group(p, name, a, b, NULL);
    }
    h5_close(a);
    h5_close(b);
}

/* ---- folders --------------------------------------------------------------------------------- */

static bool ends_in(const char *text, const char *end) {
    size_t n = strlen(text), m = strlen(end);
    return n >= m && !strcmp(text + n - m, end);
}

static void path_of(char path[PATH_TEXT], const char *folder, const char *name) {
    snprintf(path, PATH_TEXT, "%.900s/%.3100s", folder, name);
}

static void compare_file(struct pair *p, const char *name) {
    char x[PATH_TEXT], y[PATH_TEXT];
    struct stat is;
    path_of(x, p->a, name);
    path_of(y, p->b, name);
    p->files++;
    if (stat(y, &is)) {
        differs(p, name, "only in the first");
    } else if (ends_in(name, ".h5") && strncmp(name, "states/", 7) != 0) {
        compare_h5(p, name, x, y);
    } else {
        compare_bytes(p, name, x, y);
    }
}

/* Every file below `root`/`below`: compared with the other side, or (only_there) just looked for. */
static void walk(struct pair *p, const char *root, const char *below, bool only_there) {
    char path[PATH_TEXT], name[PATH_TEXT];
    struct stat is;
    path_of(path, root, below);
    DIR *d = opendir(path);
    for (struct dirent *f; d && (f = readdir(d));) {
        if (!strcmp(f->d_name, ".") || !strcmp(f->d_name, "..")) continue;
        snprintf(name, sizeof name, "%.3000s%s%s", below, *below ? "/" : "", f->d_name);
        path_of(path, root, name);
        if (stat(path, &is)) continue;
        if (S_ISDIR(is.st_mode)) {
            walk(p, root, name, only_there);
        } else if (!only_there) {
            compare_file(p, name);
        } else {
            path_of(path, p->a, name);
            if (stat(path, &is)) differs(p, name, "only in the second");
        }
    }
    if (d) closedir(d);
}

int main(int argc, char **argv) {
    if (argc != 3) {
        fprintf(stderr, "usage: same FOLDER FOLDER\n");
        return 2;
    }
    struct pair p = {.a = argv[1], .b = argv[2]};
    walk(&p, p.a, "", false);
    walk(&p, p.b, "", true);
    printf("%zu files, %zu differences\n", p.files, p.differences);
    return p.differences || !p.files;
}
