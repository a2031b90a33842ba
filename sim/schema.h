/* The schema: one table of sections, from which the config is parsed, checked, filled with
 * defaults, dumped, described and documented. A section is a mapping of the config (or a list of
 * mappings) whose values land in one member of struct config. */
#ifndef SIM_SCHEMA_H
#define SIM_SCHEMA_H

#include <stdbool.h>
#include <stddef.h>

#include "base/settings.h"
#include "base/text.h"

/* What any plug-in has, whatever its kind. */
struct plugin {
    const char *name, *doc;
    const struct param *params;
    const void *self;  /* const struct deficit *, ... */
    const char *wraps; /* its key that names another one of the registry, which it stands on and
                          whose keys join the section, too; NULL: none */
};

struct registry {
    const char *noun, *plural;              /* "deficit", "deficits" */
    bool (*at)(size_t i, struct plugin *p); /* false: i is past the last one */
};

struct section {
    const char *path; /* "train.lr"; "" is the top level */
    const char *doc;
    const struct param *params; /* its keys */
    const char *tag;            /* the key that names the plug-in, whose keys join; NULL: none */
    const struct registry *registry;
    size_t settings; /* offset in struct config: the struct settings, or the list's array */
    size_t self;     /* with a tag: offset of the plug-in's pointer, or of the list's array */
    size_t count;    /* a list: offset of its length */
    size_t limit;    /* a list: the largest length; 0: one mapping, no list */
    bool is_outside; /* how runs are started, not what they are: in no dump, so in no log */
};

const struct section *schema_sections(size_t *n);
/* Is `child` directly inside `parent`? Its key is then its path's last part. */
bool section_inside(const struct section *child, const struct section *parent);
const char *section_key(const struct section *s);

bool registry_find(const struct registry *r, const char *name, struct plugin *p);
bool registry_has_key(const struct registry *r, const char *key); /* any of its plug-ins has */
void registry_list(const struct registry *r, struct text *t);     /* "blur, vflip, noise" */
extern const struct registry measures_registry; /* of the top level's `measures` */

const struct param *param_find(const struct param *table, const char *name); /* NULL: none */
/* The path of a key of that name anywhere in the schema ("train.batch"), or NULL. */
const char *schema_elsewhere(const char *key, char path[64]);

#endif
