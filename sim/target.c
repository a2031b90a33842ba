/* The modality that a deficit spoils: see target.h. */
#include "sim/target.h"

#include <stdlib.h>
#include <string.h>

#include "base/text.h"

struct kind {
    unsigned takes;
    const char *plural;
};

/* In the order of enum modality_kind. */
static const struct kind kinds[] = {
    {TAKES_IMAGES, "images"}, {TAKES_TOKENS, "tokens"}, {TAKES_FEATURES, "features"}};
enum { KINDS = sizeof kinds / sizeof *kinds };

static bool is_taken(const struct deficit *type, const struct modality *m) {
    return (type->takes & kinds[m->kind].takes) != 0;
}

/* What it takes, in words: "images or features". */
static char *kinds_text(const struct deficit *type) {
    struct text t = {0};
    for (size_t k = 0; k < KINDS; k++)
        if (type->takes & kinds[k].takes) text_add(&t, "%s%s", t.n ? " or " : "", kinds[k].plural);
    return text_take(&t);
}

/* The names of all modalities (type NULL), or of those that the deficit takes. */
static char *names_text(const struct dataset *d, const struct deficit *type) {
    struct text t = {0};
    for (size_t m = 0; m < d->modalities_n; m++)
        if (!type || is_taken(type, &d->modality[m]))
            text_add(&t, "%s%s", t.n ? ", " : "", d->modality[m].name);
    return text_take(&t);
}

static int refuse_name(const struct dataset *d, const char *name, struct error *e) {
    char *names = names_text(d, NULL);
    error_set(e, STATUS_USAGE, "data set '%s' has no modality '%s'; it has: %s", d->type->name,
              text_shown(name).text, names);
    free(names);
    return STATUS_USAGE;
}

static int refuse_kind(const struct deficit *type, const struct modality *m, struct error *e) {
    char *wanted = kinds_text(type);
    error_set(e, STATUS_USAGE, "%s takes %s, '%s' holds %s", type->name, wanted, m->name,
              kinds[m->kind].plural);
    free(wanted);
    return STATUS_USAGE;
}

static int refuse_several(const struct deficit *type, const struct dataset *d, struct error *e) {
    char *wanted = kinds_text(type), *names = names_text(d, type);
    error_set(e, STATUS_USAGE, "the data have several %s (%s): name one",
              strchr(wanted, ' ') ? "modalities" : wanted, names);
    free(wanted);
    free(names);
    return STATUS_USAGE;
}

static int refuse_none(const struct deficit *type, const struct dataset *d, struct error *e) {
    char *wanted = kinds_text(type), *names = names_text(d, NULL);
    error_set(e, STATUS_USAGE, "%s takes %s, and data set '%s' has none, only: %s", type->name,
              wanted, d->type->name, names);
    free(wanted);
    free(names);
    return STATUS_USAGE;
}

static int target_named(const struct deficit *type, const char *name, const struct dataset *d,
                        int *m, struct error *e) {
    size_t i = 0;
    while (i < d->modalities_n && strcmp(d->modality[i].name, name) != 0) i++;
    if (i == d->modalities_n) return refuse_name(d, name, e);
    if (!type->takes) return STATUS_OK; /* of labels: a name does no harm */
    if (!is_taken(type, &d->modality[i])) return refuse_kind(type, &d->modality[i], e);
    *m = (int)i;
    return STATUS_OK;
}

static int target_only(const struct deficit *type, const struct dataset *d, int *m,
                       struct error *e) {
    size_t candidates = 0;
    for (size_t i = 0; i < d->modalities_n; i++) {
        if (!is_taken(type, &d->modality[i])) continue;
        *m = (int)i;
        candidates++;
    }
    if (candidates == 1 || !type->takes) return STATUS_OK;
    *m = TARGET_NONE;
    return candidates ? refuse_several(type, d, e) : refuse_none(type, d, e);
}

int target_find(const struct deficit *type, const struct settings *s, const struct dataset *d,
                int *m, struct error *e) {
    *m = TARGET_NONE;
    if (!settings_is_set(s, "modality")) return target_only(type, d, m, e);
    return target_named(type, settings_text(s, "modality"), d, m, e);
}

int deficit_modality(const struct config *c, const struct dataset *d, size_t i) {
    int m;
    target_find(c->deficit_types[i], &c->deficits[i], d, &m, NULL);
    return m;
}

const char *deficit_modality_name(const struct config *c, const struct dataset *d, size_t i) {
    int m = deficit_modality(c, d, i);
    return m == TARGET_NONE ? "image" : d->modality[m].name;
}
