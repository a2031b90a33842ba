/* Listing the store's folders by the names of files, and reading what rows say: see stock.h.
 *
 * The trap: a user may keep files of his own here. Only regular files whose names are exactly such
 * as imprint gives are its own; the temporary ones of a process that writes are left out. */
#include "sim/stock.h"

#include <assert.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/h5.h"
#include "base/map.h"
#include "base/text.h"
#include "sim/survey.h"

enum { ROWS_NAME = 2 * STOCK_KEY + 1 };
static_assert(STOCK_NAME > ROWS_NAME + sizeof ".state.h5", "a name has room");

static const char *const folder_of[] = {"states", "rows", "parts", "claims"};

char *stock_path(const char *folder, const char *name) {
    struct text t = {0};
    text_add(&t, "%s/%s", folder, name);
    return text_take(&t);
}

static bool is_state_name(const char *name) {
    return strlen(name) == STOCK_KEY + 3 && survey_is_key(name, STOCK_KEY) &&
           !strcmp(name + STOCK_KEY, ".h5");
}

static const char *const ROWS_END = ".h5", *const PART_STATE_END = ".state.h5",
                         *const PART_ROWS_END = ".rows.h5";

/* KEY-MEASURES and the ending */
static bool is_measured_name(const char *name, const char *ending) {
    return strlen(name) == ROWS_NAME + strlen(ending) && survey_is_key(name, STOCK_KEY) &&
           name[STOCK_KEY] == '-' && survey_is_key(name + STOCK_KEY + 1, STOCK_KEY) &&
           !strcmp(name + ROWS_NAME, ending);
}

static bool is_file_of(enum stock_kind kind, const char *name) {
    switch (kind) {
    case STOCK_STATES:
        return is_state_name(name);
    case STOCK_ROWS:
        return is_measured_name(name, ROWS_END);
    case STOCK_PARTS:
        return is_measured_name(name, PART_STATE_END) || is_measured_name(name, PART_ROWS_END);
    default:
        return survey_is_key(name, strlen(name));
    }
}

static void unknown_add(struct stock *s, const char *folder, const char *name) {
    if (s->unknown_n < STOCK_UNKNOWN) s->unknown[s->unknown_n] = stock_path(folder, name);
    s->unknown_n++;
}

static void folder_add(struct stock_folder *f, const char *name, off_t size) {
    if (!(f->n & (f->n + 1))) {
        struct stock_file *grown = realloc(f->files, (2 * f->n + 1) * sizeof *grown);
        if (!grown) abort();
        f->files = grown;
    }
    struct stock_file *file = &f->files[f->n++];
    *file = (struct stock_file){.size = size, .next = STOCK_NONE};
    snprintf(file->name, sizeof file->name, "%.*s", STOCK_NAME - 1, name);
}

/* Takes `path`. A folder that is not there is empty. */
static struct stock_folder folder_read(char *path, enum stock_kind kind, struct stock *s) {
    struct stock_folder f = {.path = path};
    struct stat is;
    DIR *d = opendir(path);
    for (struct dirent *entry; d && (entry = readdir(d));) {
        const char *name = entry->d_name;
        if (!strcmp(name, ".") || !strcmp(name, "..")) continue;
        if (fstatat(dirfd(d), name, &is, AT_SYMLINK_NOFOLLOW)) continue;
        if (S_ISREG(is.st_mode) && is_file_of(kind, name))
            folder_add(&f, name, is.st_size);
        else if (!S_ISREG(is.st_mode) || !strstr(name, ".tmp."))
            unknown_add(s, path, name);
    }
    if (d) closedir(d);
    return f;
}

/* ---- all folders of a results root ----------------------------------------------------------- */

static void shelf_index(struct stock_shelf *s) {
    struct stock_folder *rows = &s->folders[STOCK_ROWS];
    s->rows_named = map_create();
    s->rows_of = map_create();
    for (size_t i = 0; i < rows->n; i++) {
        char name[ROWS_NAME + 1], key[HASH_TEXT];
        snprintf(name, sizeof name, "%.*s", ROWS_NAME, rows->files[i].name);
        snprintf(key, sizeof key, "%.*s", STOCK_KEY, name);
        map_add(s->rows_named, name, (long)i);
        rows->files[i].next = map_get(s->rows_of, key);
        map_set(s->rows_of, key, (long)i);
    }
}

static void shelf_add(struct stock *stock, const char *root, const char *numerics_id) {
    struct stock_shelf *grown = realloc(stock->shelves, (stock->n + 1) * sizeof *grown);
    if (!grown) abort();
    stock->shelves = grown;
    struct stock_shelf *s = &stock->shelves[stock->n++];
    for (enum stock_kind kind = STOCK_STATES; kind < STOCK_KINDS; kind++) {
        char *above = stock_path(root, folder_of[kind]);
        s->folders[kind] = folder_read(stock_path(above, numerics_id), kind, stock);
        free(above);
    }
    shelf_index(s);
}

/* Every numerics id that any of the folders has. */
void stock_read(struct stock *s, const char *root) {
    *s = (struct stock){.n = 0};
    struct map *seen = map_create();
    for (enum stock_kind kind = STOCK_STATES; kind < STOCK_KINDS; kind++) {
        char *above = stock_path(root, folder_of[kind]);
        DIR *d = opendir(above);
        for (struct dirent *f; d && (f = readdir(d));) {
            bool is_id = survey_is_key(f->d_name, strlen(f->d_name));
            if (is_id && map_get(seen, f->d_name) == MAP_NONE) {
                map_add(seen, f->d_name, 0);
                shelf_add(s, root, f->d_name);
            }
            if (!is_id && strcmp(f->d_name, ".") != 0 && strcmp(f->d_name, "..") != 0)
                unknown_add(s, above, f->d_name);
        }
        if (d) closedir(d);
        free(above);
    }
    map_free(seen);
}

static void shelf_free(struct stock_shelf *s) {
    for (enum stock_kind kind = STOCK_STATES; kind < STOCK_KINDS; kind++) {
        free(s->folders[kind].path);
        free(s->folders[kind].files);
    }
    map_free(s->rows_named);
    map_free(s->rows_of);
}

void stock_free(struct stock *s) {
    for (size_t i = 0; i < s->n; i++) shelf_free(&s->shelves[i]);
    for (size_t i = 0; i < STOCK_UNKNOWN; i++) free(s->unknown[i]);
    free(s->shelves);
    *s = (struct stock){.n = 0};
}

bool stock_has_folder(const char *root) {
    bool any = false;
    struct stat is;
    for (enum stock_kind kind = STOCK_STATES; kind < STOCK_KINDS && !any; kind++) {
        char *path = stock_path(root, folder_of[kind]);
        any = !stat(path, &is) && S_ISDIR(is.st_mode);
        free(path);
    }
    return any;
}

/* ---- what rows say --------------------------------------------------------------------------- */

static void copy_key(char key[HASH_TEXT], char *text) {
    key[0] = '\0';
    if (text && survey_is_key(text, strlen(text))) memcpy(key, text, HASH_TEXT);
    free(text);
}

struct rows_facts stock_rows_facts(const struct stock_folder *f, const char *name) {
    struct rows_facts facts = {.epoch = -1};
    size_t shape[H5_RANK];
    struct h5_reader *r;
    char *path = stock_path(f->path, name);
    int status = h5_open_sealed(&r, path, NULL);
    free(path);
    if (status) return facts;
    copy_key(facts.before, h5_attr_text(r, "/", "prefix_key_before"));
    copy_key(facts.initial, h5_attr_text(r, "/", "prefix_key_initial"));
    if (h5_shape(r, "epoch", shape) == 1 && shape[0] > 0) {
        int64_t *epochs = text_room(shape[0], sizeof *epochs);
        if (!h5_get_ints(r, "epoch", epochs, NULL)) facts.epoch = epochs[shape[0] - 1];
        free(epochs);
    }
    h5_close(r);
    return facts;
}

long stock_rows_of(const struct stock_shelf *s, const char *key) {
    return map_get(s->rows_of, key);
}

void stock_initial_of(const struct stock *stock, const char *key, char initial[HASH_TEXT]) {
    initial[0] = '\0';
    for (size_t i = 0; i < stock->n && !initial[0]; i++) {
        const struct stock_shelf *s = &stock->shelves[i];
        const struct stock_folder *rows = &s->folders[STOCK_ROWS],
                                  *parts = &s->folders[STOCK_PARTS];
        long at = stock_rows_of(s, key);
        if (at != STOCK_NONE)
            memcpy(initial, stock_rows_facts(rows, rows->files[at].name).initial, HASH_TEXT);
        for (size_t k = 0; k < parts->n && !initial[0]; k++)
            if (is_measured_name(parts->files[k].name, PART_ROWS_END) &&
                !memcmp(parts->files[k].name, key, STOCK_KEY))
                memcpy(initial, stock_rows_facts(parts, parts->files[k].name).initial, HASH_TEXT);
    }
}

int64_t stock_state_epoch(const struct stock_folder *f, const char *name) {
    struct h5_reader *r;
    char *path = stock_path(f->path, name);
    int status = h5_open_sealed(&r, path, NULL);
    free(path);
    if (status) return -1;
    int64_t epoch = h5_attr_int(r, "/", "epoch", -1);
    h5_close(r);
    return epoch;
}

/* ---- the chain -------------------------------------------------------------------------------- */

void stock_keep_rows(struct stock_shelf *s, long at) {
    struct stock_folder *rows = &s->folders[STOCK_ROWS];
    while (at != STOCK_NONE && !rows->files[at].stays) {
        char name[ROWS_NAME + 1];
        struct stock_file *f = &rows->files[at];
        f->stays = true;
        struct rows_facts facts = stock_rows_facts(rows, f->name);
        snprintf(name, sizeof name, "%s-%.*s", facts.before, STOCK_KEY, f->name + STOCK_KEY + 1);
        at = facts.before[0] ? map_get(s->rows_named, name) : STOCK_NONE;
    }
}

void stock_keep_part(struct stock_shelf *s, struct stock_file *f) {
    char name[ROWS_NAME + 1];
    f->stays = true;
    if (!is_measured_name(f->name, PART_ROWS_END)) return;
    struct rows_facts facts = stock_rows_facts(&s->folders[STOCK_PARTS], f->name);
    snprintf(name, sizeof name, "%s-%.*s", facts.before, STOCK_KEY, f->name + STOCK_KEY + 1);
    if (facts.before[0]) stock_keep_rows(s, map_get(s->rows_named, name));
}
