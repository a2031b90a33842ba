/* Parameter tables and their values: the one mechanism behind the config schema, plug-in
 * parameters, `imprint describe`, the generated manual, the keys' hashes and the log's attributes.
 *
 * A `struct param` describes one key; tables end in an entry with name NULL. A plug-in (deficit,
 * net, data set, optimizer, schedule, measure) ends in one `const struct` holding such a table.
 * `struct settings` holds checked values for one table (or two: a section's common keys and its
 * plug-in's). It is filled by sim/config.c and only read elsewhere. */
#ifndef BASE_SETTINGS_H
#define BASE_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/hash.h"

enum param_type {
    PARAM_BOOL,   /* true | false, nothing else */
    PARAM_INT,    /* 64-bit integer in [min, max] */
    PARAM_REAL,   /* finite double in [min, max] */
    PARAM_TEXT,   /* any text */
    PARAM_CHOICE, /* one of `choices`, "a|b|c" */
    PARAM_EPOCH,  /* window bound: integer >= 0, or onset|removal|end with optional +n / -n */
    PARAM_INTS,   /* list of integers, each in [min, max] */
    PARAM_TEXTS   /* list of texts; each one of `choices` if that is set */
};

struct param {
    const char *name;
    enum param_type type;
    const char *preset; /* default as YAML flow text ("0.05", "[1, 2]"); "~" = unset; NULL = must
                           be given */
    double min, max;    /* inclusive range for numbers; both 0: none */
    const char *choices;
    const char *unit; /* "epochs", "pixels", "1"; NULL: none */
    const char *doc;  /* one sentence */
    bool outside_key; /* cannot influence a state: in no prefix key (data.path) */
};

enum epoch_anchor { EPOCH_ABSOLUTE, EPOCH_ONSET, EPOCH_REMOVAL, EPOCH_END };
struct epoch_bound {
    enum epoch_anchor anchor;
    int64_t offset; /* added to the anchor; the epoch itself when absolute */
};

struct setting {
    const struct param *param;
    bool is_set;     /* false: null ("~"), the reader decides what that means */
    bool given;      /* the user wrote it; false: it is the default */
    double number;   /* BOOL, INT, REAL (an INT is also kept exactly in `integer`) */
    int64_t integer; /* BOOL, INT */
    char *text;      /* TEXT, CHOICE; also the canonical text of every other type */
    struct epoch_bound epoch;
    int64_t *ints; /* INTS */
    char **texts;  /* TEXTS */
    size_t n;      /* entries of ints or texts */
};

struct settings {
    struct setting *values; /* owned */
    size_t n;
};

/* Values by name. A name that no table has, or the wrong type, is our mistake: assert. */
const struct setting *settings_find(const struct settings *s, const char *name); /* NULL: none */
bool settings_is_set(const struct settings *s, const char *name);
bool settings_bool(const struct settings *s, const char *name);
int64_t settings_int(const struct settings *s, const char *name);
double settings_real(const struct settings *s, const char *name); /* INT or REAL */
const char *settings_text(const struct settings *s, const char *name);
bool settings_is(const struct settings *s, const char *name, const char *choice);
struct epoch_bound settings_epoch(const struct settings *s, const char *name);
const int64_t *settings_ints(const struct settings *s, const char *name, size_t *n);
const char *const *settings_texts(const struct settings *s, const char *name, size_t *n);

/* Fill with the defaults of one table (and append those of a second, if not NULL).
 * A parameter without default stays unset. */
void settings_init(struct settings *s, const struct param *table, const struct param *more);
/* Append the defaults of one more table. */
void settings_append(struct settings *s, const struct param *table);
/* Set one value from its text form ("0.05", "[1, 2]", "removal+3", "~"). STATUS_USAGE and a
 * sentence that begins with the name when it is of the wrong type or out of range. */
int settings_set(struct settings *s, const char *name, const char *text, struct error *e);
void settings_unset(struct settings *s, const char *name); /* even one with a default */
void settings_copy(struct settings *to, const struct settings *from);
void settings_free(struct settings *s);

/* Feed every value that can influence a state, name by name, in table order. */
void settings_hash(const struct settings *s, struct hash *h);

#endif
