/* `imprint describe KEY` and docs/config.md, both printed from the schema and the registries.
 *
 * A key may be written with or without list indexes (deficits[0].until, deficits.until), as its
 * last part alone (until: every key of that name is shown), or as a plug-in's name (blur). */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "sim/config.h"
#include "sim/schema.h"

/* ---- one parameter in words ------------------------------------------------------------------ */

static const char *const type_names[] = {
    [PARAM_BOOL] = "true or false",
    [PARAM_INT] = "whole number",
    [PARAM_REAL] = "number",
    [PARAM_TEXT] = "text",
    [PARAM_CHOICE] = "one of",
    [PARAM_EPOCH] = "epoch (from 0), or onset, removal or end with +n or -n",
    [PARAM_INTS] = "list of whole numbers",
    [PARAM_TEXTS] = "list of texts"};

static void add_choices(struct text *t, const char *choices) {
    for (const char *c = choices; *c; c++) text_add(t, *c == '|' ? ", " : "%c", *c);
}

static void add_range(struct text *t, const struct param *p) {
    const double huge = 1e18; /* nobody means a bound like that */
    char min[TEXT_REAL], max[TEXT_REAL];
    if (p->min == 0.0 && p->max == 0.0) return;
    text_print_number(min, p->min);
    text_print_number(max, p->max);
    if (p->max >= huge)
        text_add(t, ", from %s", min);
    else
        text_add(t, " in %s..%s", min, max);
}

/* The key that names a plug-in takes any of them. */
static void add_type(struct text *t, const struct param *p, const struct section *s) {
    if (s->tag && param_find(s->params, s->tag) == p) {
        text_add(t, "one of ");
        registry_list(s->registry, t);
        return;
    }
    text_add(t, "%s", type_names[p->type]);
    if (p->type == PARAM_INT || p->type == PARAM_REAL || p->type == PARAM_INTS) add_range(t, p);
    if (!p->choices) return;
    text_add(t, "%s", p->type == PARAM_CHOICE ? " " : " of ");
    add_choices(t, p->choices);
}

static const char *preset_words(const struct param *p) {
    return !p->preset ? "must be given" : !strcmp(p->preset, "~") ? "unset" : p->preset;
}

static const char *unit_words(const struct param *p) {
    return p->unit && p->type != PARAM_EPOCH && strcmp(p->unit, "1") != 0 ? p->unit : "";
}

/* ---- describe: plain text -------------------------------------------------------------------- */

enum { WIDTH = 78 };

/* Words in lines of WIDTH, each line indented. */
static void print_wrapped(FILE *out, const char *text, int indent) {
    while (*text) {
        size_t room = (size_t)(WIDTH - indent), n = strlen(text);
        if (n > room) {
            n = room;
            while (n > 0 && text[n] != ' ') n--;
            if (n == 0) n = strcspn(text, " ");
        }
        fprintf(out, "%*s%.*s\n", indent, "", (int)n, text);
        text += n;
        text += strspn(text, " ");
    }
}

static void shown_path(const struct section *s, char path[64]) {
    snprintf(path, 64, "%s%s", s->path, s->limit ? "[0]" : "");
}

static void print_param(FILE *out, const struct section *s, const struct param *p) {
    char path[64];
    struct text type = {0};
    shown_path(s, path);
    add_type(&type, p, s);
    fprintf(out, "%s%s%s\n", path, *path ? "." : "", p->name);
    fprintf(out, "    %s%s%s; %s%s\n", type.data, *unit_words(p) ? ", " : "", unit_words(p),
            p->preset ? "default " : "", preset_words(p));
    print_wrapped(out, p->doc, 4);
    free(type.data);
}

static void print_table(FILE *out, const struct section *s, const struct param *table) {
    for (; table && table->name; table++) print_param(out, s, table);
}

static void print_plugin(FILE *out, const struct section *s, const struct plugin *p) {
    fprintf(out, "%s (%s; %s: %s)\n", p->name, s->registry->noun, s->tag, p->name);
    print_wrapped(out, p->doc, 4);
    print_table(out, s, p->params);
}

static void print_section(FILE *out, const struct section *s) {
    size_t n;
    const struct section *all = schema_sections(&n);
    fprintf(out, "%s\n", *s->path ? s->path : "the top level");
    print_wrapped(out, s->doc, 4);
    print_table(out, s, s->params);
    for (size_t i = 0; i < n; i++)
        if (section_inside(&all[i], s))
            fprintf(out, "%s: a section of its own (imprint describe %s)\n", all[i].path,
                    all[i].path);
}

/* ---- describe: finding ----------------------------------------------------------------------- */

/* "deficits[0].until" -> "deficits.until" */
static char *strip_indexes(const char *key) {
    char *plain = text_copy(key), *to = plain;
    for (const char *c = key; *c; c++) {
        const char *end = *c == '[' ? strchr(c, ']') : NULL;
        if (end)
            c = end;
        else
            *to++ = *c;
    }
    *to = '\0';
    return plain;
}

/* Does "train.lr" + "base" match "train.lr.base", or "base" alone? */
static bool key_matches(const char *path, const char *name, const char *wanted) {
    size_t n = strlen(path);
    if (!strcmp(name, wanted)) return true;
    return n && !strncmp(path, wanted, n) && wanted[n] == '.' && !strcmp(wanted + n + 1, name);
}

/* What `describe` goes over: every section, key, plug-in and measure with the name it answers to. */
struct search {
    FILE *out; /* NULL: only look for near names */
    const char *wanted;
    struct text_nearest near;
    size_t found;
};

static bool search_hit(struct search *s, const char *path, const char *name) {
    bool hit = key_matches(path, name, s->wanted);
    text_nearest_try(&s->near, name);
    if (hit && s->found++) fputc('\n', s->out);
    return hit;
}

static void search_params(struct search *s, const struct section *section,
                          const struct param *table, const struct plugin *of) {
    for (; table && table->name; table++) {
        if (!search_hit(s, section->path, table->name)) continue;
        print_param(s->out, section, table);
        if (of) fprintf(s->out, "    (with %s: %s)\n", section->tag, of->name);
    }
}

static void search_section(struct search *s, const struct section *section) {
    struct plugin p;
    if (*section->path &&
        (!strcmp(section->path, s->wanted) || search_hit(s, "", section_key(section)))) {
        if (!strcmp(section->path, s->wanted) && s->found++) fputc('\n', s->out);
        print_section(s->out, section);
    }
    search_params(s, section, section->params, NULL);
    for (size_t i = 0; section->registry && section->registry->at(i, &p); i++) {
        if (search_hit(s, section->path, p.name)) print_plugin(s->out, section, &p);
        search_params(s, section, p.params, &p);
    }
}

static void search_measures(struct search *s) {
    struct plugin p;
    for (size_t i = 0; measures_registry.at(i, &p); i++)
        if (search_hit(s, "measures", p.name)) {
            fprintf(s->out, "%s (measure)\n", p.name);
            print_wrapped(s->out, p.doc, 4);
        }
}

static const struct {
    const char *path, *name, *doc;
} structural[] = {
    {"", "sweep",
     "Grids of runs: axes: {NAME: [values] | {key: a.b, values: [...]} | {overlay: {...}, ...}}, "
     "zip: [[NAME, NAME], ...] for axes that move together, parts: {NAME: {set: {...}, axes: "
     "{...}, zip: [...]}} for further grids, and controls: [...]. See docs/config.md."},
    {"sweep", "controls",
     "Matched control runs beside every point, of all parts: twin (the clean twin, there in any "
     "case), lr_clock (the same run with train.lr.clock: removal, and its clean twin), "
     "stabilizer_on_clean (the same stabilizers in the same epochs of a clean run of the same "
     "total, and that run without them). A control that changes nothing costs nothing. See "
     "docs/sweeps.md."},
    {"", "profiles",
     "Named overlays of the whole file, chosen with --profile NAME. See docs/config.md."},
};

static void search_structural(struct search *s) {
    for (size_t i = 0; i < sizeof structural / sizeof *structural; i++)
        if (search_hit(s, structural[i].path, structural[i].name)) {
            fprintf(s->out, "%s%s%s\n", structural[i].path, *structural[i].path ? "." : "",
                    structural[i].name);
            print_wrapped(s->out, structural[i].doc, 4);
        }
}

int schema_describe(FILE *out, const char *key, struct error *e) {
    size_t n;
    const struct section *sections = schema_sections(&n);
    char *wanted = strip_indexes(key);
    const char *last = strrchr(wanted, '.');
    struct search s = {.out = out, .wanted = wanted, .near = {.wanted = last ? last + 1 : wanted}};
    for (size_t i = 0; i < n; i++) search_section(&s, &sections[i]);
    search_measures(&s);
    search_structural(&s);
    int status = STATUS_OK;
    if (!s.found && s.near.best)
        status = error_set(e, STATUS_USAGE, "there is no key or plug-in '%s' (did you mean '%s'?)",
                           text_shown(key).text, s.near.best);
    else if (!s.found)
        status = error_set(e, STATUS_USAGE,
                           "there is no key or plug-in '%s' (sections: data, net, train, eval, "
                           "final, fisher, deficits, stabilizers, slurm, sweep, profiles)",
                           text_shown(key).text);
    free(wanted);
    return status;
}

/* ---- the manual: Markdown -------------------------------------------------------------------- */

/* '|' would end a cell */
static void manual_cell(FILE *out, const char *text) {
    for (; *text; text++) fprintf(out, *text == '|' ? "\\|" : "%c", *text);
}

static void manual_table(FILE *out, const struct section *s, const struct param *table) {
    if (!table || !table->name) return;
    fputs("\n| key | type | default | unit | meaning |\n| --- | --- | --- | --- | --- |\n", out);
    for (; table->name; table++) {
        struct text type = {0};
        add_type(&type, table, s);
        const char *ticks = table->preset && strcmp(table->preset, "~") != 0 ? "`" : "";
        fprintf(out, "| `%s` | %s | %s%s%s | %s | ", table->name, type.data, ticks,
                preset_words(table), ticks, unit_words(table));
        manual_cell(out, table->doc);
        fputs(" |\n", out);
        free(type.data);
    }
}

static void manual_section(FILE *out, const struct section *s) {
    struct plugin p;
    if (*s->path)
        fprintf(out, "\n## `%s`\n\n%s\n", s->path, s->doc);
    else
        fprintf(out, "\n## The top level\n");
    manual_table(out, s, s->params);
    for (size_t i = 0; s->registry && s->registry->at(i, &p); i++) {
        fprintf(out, "\n### `%s: %s`\n\n%s\n", s->tag, p.name, p.doc);
        manual_table(out, s, p.params);
    }
}

static void manual_measures(FILE *out) {
    struct plugin p;
    fputs("\n## `measures`\n\nNames for the list `measures` of the top level.\n", out);
    if (measures_registry.at(0, &p)) fputs("\n| measure | meaning |\n| --- | --- |\n", out);
    for (size_t i = 0; measures_registry.at(i, &p); i++)
        fprintf(out, "| `%s` | %s |\n", p.name, p.doc);
}

static const char introduction[] =
    "# Config keys\n"
    "\n"
    "This page is printed from the schema that reads the configs; `imprint describe KEY` prints "
    "the\n"
    "same for one key, section or plug-in.\n"
    "\n"
    "A config is one YAML file. What is not written has its default; what is not known is "
    "refused,\n"
    "with its place and the nearest known key. Keys inside sections are written nested\n"
    "(`train: {lr: {base: 0.1}}`) and spoken of with dots (`train.lr.base`), entries of lists "
    "with\n"
    "indexes from 0 (`deficits[0].until`). Numbers are decimal; whole numbers have no point and "
    "no\n"
    "exponent; truth values are `true` and `false`; `~` leaves a key unset where its default is\n"
    "unset. Anchors and aliases work; tags, merge keys and several documents in one file do not.\n"
    "\n"
    "A window of epochs `[from, until)` takes whole numbers or `onset`, `removal` and `end`, each\n"
    "with `+n` or `-n`.\n"
    "\n"
    "## Overrides\n"
    "\n"
    "`imprint run CONFIG train.batch=64 'deficits[0].until=40'` changes keys on the command line;\n"
    "the value is YAML. A mapping is merged into what is there, anything else replaces it. "
    "Several\n"
    "values with commas between them, `seed=1,2,3`, make a sweep axis named after the key's last\n"
    "part (after the whole key when that name is taken). Where the sweep already has an axis of\n"
    "that name or key, the override changes its values instead, in every part that has it; of an\n"
    "axis of overlays it picks some, `remedy=none,sam`. Keys of the sweep itself can be "
    "overridden\n"
    "too: `sweep.axes.seed=[1, 2]`.\n"
    "\n"
    "## Profiles\n"
    "\n"
    "```yaml\n"
    "profiles:\n"
    "  laptop: {data: {train: 5000}, net.width: 0.25, \"deficits[0].until\": 40}\n"
    "```\n"
    "\n"
    "`--profile laptop` lays the overlay over the file. In an overlay mappings are merged, single\n"
    "values and lists replace, and keys may be dotted paths. Where an overlay names another\n"
    "plug-in (`net.arch`, `train.lr.schedule`, a deficit's `type`), keys of the file that only "
    "the\n"
    "old plug-in had are dropped; in the same way `train.epochs.total` in an overlay replaces\n"
    "`after_removal` in the file.\n"
    "\n"
    "## Sweeps\n"
    "\n"
    "```yaml\n"
    "sweep:\n"
    "  axes:\n"
    "    removal: {key: \"deficits[0].until\", values: [0, 20, 40]}\n"
    "    rate:                              # named overlays\n"
    "      low:  {train.lr.base: 0.01}\n"
    "      high: {train.lr.base: 0.1}\n"
    "    seed: [1, 2, 3]                    # the axis is named after its key\n"
    "  zip: [[removal, rate]]               # axes that move together; as many values each\n"
    "  parts:                               # further grids of the same experiment\n"
    "    flip:\n"
    "      set: {deficits: [{type: vflip, until: 40}]}\n"
    "      axes: {seed: [1, 2, 3]}\n"
    "  controls: [lr_clock]                 # matched controls beside every point\n"
    "```\n"
    "\n"
    "Without `sweep` an experiment is one run. `axes` alone is the part `main`; the parts come\n"
    "after it. For each point the part's `set` is laid over the config, then each axis in its\n"
    "order; the last axis runs fastest. A sweep has at most 1,000,000 points. An axis name is a\n"
    "dimension of `sweep.h5`, and its values or the overlays' names are the coordinate.\n"
    "\n"
    "`controls` adds runs that points are compared with: `twin` (the clean twin, which is there "
    "in\n"
    "any case), `lr_clock`, `stabilizer_on_clean`. It stands for all parts; what each one changes\n"
    "is in [sweeps](sweeps.md#matched-controls).\n";

void schema_manual(FILE *out) {
    size_t n;
    const struct section *sections = schema_sections(&n);
    fputs(introduction, out);
    for (size_t i = 0; i < n; i++) manual_section(out, &sections[i]);
    manual_measures(out);
}
