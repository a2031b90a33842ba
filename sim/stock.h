/* The stock: which files of states, rows, parts and claims lie under a results folder, for every
 * numerics id, and what those of rows say. For who looks at all of them; a run finds its own by
 * sim/store.h. */
#ifndef SIM_STOCK_H
#define SIM_STOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/hash.h"

enum stock_kind { STOCK_STATES, STOCK_ROWS, STOCK_PARTS, STOCK_CLAIMS, STOCK_KINDS };
enum { STOCK_NONE = -1, STOCK_KEY = HASH_TEXT - 1, STOCK_NAME = 96, STOCK_UNKNOWN = 8 };

struct stock_file {
    char name[STOCK_NAME]; /* a state's and a rows' begin with the key */
    off_t size;
    bool stays; /* for who decides that; false at first */
    long next;  /* rows: the next of the same key; STOCK_NONE */
};

struct stock_folder {
    char *path;
    struct stock_file *files;
    size_t n;
};

/* What lies under one numerics id. */
struct stock_shelf {
    struct stock_folder folders[STOCK_KINDS];
    struct map *rows_named; /* name without ending -> file */
    struct map *rows_of;    /* key -> the first of its files */
};

struct stock {
    struct stock_shelf *shelves;
    size_t n;
    char *unknown[STOCK_UNKNOWN]; /* the first of what has no name that imprint gives */
    size_t unknown_n;             /* how many there are of these */
};

/* Folders that are not there are empty. */
void stock_read(struct stock *s, const char *root);
void stock_free(struct stock *s);
bool stock_has_folder(const char *root); /* is any of the four there? */

struct rows_facts {
    char before[HASH_TEXT], initial[HASH_TEXT]; /* keys; "": none, unknown */
    int64_t epoch;                              /* of the state behind them; -1: unknown */
};
/* All unknown when the file is damaged or has no such attributes. */
struct rows_facts stock_rows_facts(const struct stock_folder *f, const char *name);
long stock_rows_of(const struct stock_shelf *s, const char *key);
/* The epoch of a state by its own word; -1: unknown. */
int64_t stock_state_epoch(const struct stock_folder *f, const char *name);
/* The initialization of a state that is kept or a part; "" when nothing says it. */
void stock_initial_of(const struct stock *s, const char *key, char initial[HASH_TEXT]);

/* These rows, or this part with the rows it goes on from, and all before them in the chain. */
void stock_keep_rows(struct stock_shelf *s, long rows);
void stock_keep_part(struct stock_shelf *s, struct stock_file *part);

char *stock_path(const char *folder, const char *name); /* malloc'ed */

#endif
