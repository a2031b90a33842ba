/* Parsing arguments and printing help from the tables: see cli.h. */
#include "sim/cli.h"

#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cores.h"
#include "version.h"

enum kind { FLAG, TEXT, NUMBER };

struct option_row {
    const char *name, *letter; /* letter: NULL for none */
    enum kind kind;
    size_t offset; /* in struct arguments */
    const char *value, *doc;
    long max; /* of a NUMBER, which is 1 at least */
};

#define OPTION_FLAG(name, letter, field, doc)                                                      \
    { name, letter, FLAG, offsetof(struct arguments, field), NULL, doc, 0 }
#define OPTION_TEXT(name, letter, field, value, doc)                                               \
    { name, letter, TEXT, offsetof(struct arguments, field), value, doc, 0 }
#define OPTION_NUMBER(name, letter, field, value, max, doc)                                        \
    { name, letter, NUMBER, offsetof(struct arguments, field), value, doc, max }
static const struct option_row rows[] = {
    OPTION_TEXT("out", NULL, out, "DIR", "Folder of all results (default: results)."),
    OPTION_TEXT("profile", NULL, profile, "NAME", "Lay this profile of the config over its body."),
    OPTION_TEXT("output", "o", output, "FILE", "File to write."),
    OPTION_NUMBER("jobs", "j", jobs, "N", 4096, "Processes at a time (default: the cores)."),
    OPTION_NUMBER("threads", NULL, threads, "N", 256,
                  "Threads in the run; the bits do not change."),
    OPTION_NUMBER("until", NULL, until, "EPOCH", 1000000, "Stop there, with the state kept."),
    OPTION_FLAG("dry-run", NULL, dry_run, "Print what would be done, and stop."),
    OPTION_FLAG("dot", NULL, dot, "With --dry-run: print the tree for graphviz."),
    OPTION_FLAG("force", NULL, force, "Train again although the log is finished."),
    OPTION_FLAG("no-reuse", NULL, no_reuse, "Train every epoch; read no state from disk."),
    OPTION_FLAG("no-share", NULL, no_share, "Train every run alone, from scratch."),
    OPTION_FLAG("fail-fast", NULL, fail_fast, "Stop at the first run that fails."),
    OPTION_FLAG("retry-failed", NULL, retry_failed, "Train diverged runs again, too."),
    OPTION_NUMBER("memory", NULL, memory, "MIB", 1 << 30, "Limit of a plan's memory (2048)."),
    OPTION_TEXT("against", NULL, against, "REF",
                "Compare with a summary.tsv, or a folder with one."),
    OPTION_FLAG("from-states", NULL, from_states,
                "Train only from the last state on disk before the end."),
    OPTION_TEXT("tolerance", NULL, tolerance, "R",
                "For logs of other numerics: how far accuracies may be apart (0.15)."),
    OPTION_TEXT("keep", NULL, keep, "WHAT", "Keep states: 'final', epochs, or both (final,10,25)."),
    OPTION_TEXT("launcher", NULL, launcher, "NAME",
                "Where runs are trained: local (here) or slurm (sbatch)."),
    OPTION_FLAG("wait", NULL, wait, "With --launcher slurm: return when all jobs have ended."),
    OPTION_FLAG("job", NULL, job, "As a job of a sweep: a run that diverges exits with 0."),
    OPTION_FLAG("no-figures", NULL, no_figures, "Tables only."),
    OPTION_FLAG("record-host", NULL, record_host, "Put host and user name into the log."),
    OPTION_FLAG("quiet", "q", quiet, "No progress on stderr; no more than a summary."),
    OPTION_FLAG("help", "h", help, "This text."),
};
enum { ROWS = sizeof rows / sizeof *rows };

/* ---- help ------------------------------------------------------------------------------------ */

static bool takes(const struct command *c, const char *option) {
    size_t n = strlen(option);
    if (!strcmp(option, "help")) return true;
    for (const char *at = c->options; (at = strstr(at, option)); at += n)
        if ((at == c->options || at[-1] == ' ') && (at[n] == ' ' || at[n] == '\0')) return true;
    return false;
}

static void print_option(const struct option_row *o) {
    char left[64];
    snprintf(left, sizeof left, "%s%s%s--%s%s%s", o->letter ? "-" : "", o->letter ? o->letter : "",
             o->letter ? ", " : "", o->name, o->value ? " " : "", o->value ? o->value : "");
    printf("  %-22s %s\n", left, o->doc);
}

static int print_command(const struct command *c) {
    printf("usage: imprint %s %s\n\n%s\n\noptions:\n", c->name, c->usage, c->doc);
    for (size_t i = 0; i < ROWS; i++)
        if (takes(c, rows[i].name)) print_option(&rows[i]);
    if (c->examples) printf("\nexamples:\n%s", c->examples);
    return STATUS_OK;
}

static int print_help(void) {
    printf("imprint: critical learning periods in neural networks\n\n"
           "usage: imprint COMMAND [arguments]\n\ncommands:\n");
    for (const struct command *c = commands; c->name; c++) printf("  %-9s %s\n", c->name, c->doc);
    printf("\n'imprint COMMAND --help' shows arguments, options and examples.\n"
           "exit status: 0 done, 1 run-time failure, 2 usage or config error, 3 some runs of a\n"
           "sweep failed, 4 verify found a difference, 130 interrupted (state saved)\n");
    return STATUS_OK;
}

/* ---- parsing --------------------------------------------------------------------------------- */

static const struct option_row *option_named(const char *name, size_t n) {
    for (size_t i = 0; i < ROWS; i++)
        if (strlen(rows[i].name) == n && !strncmp(rows[i].name, name, n)) return &rows[i];
    return NULL;
}

static const struct option_row *option_lettered(char letter) {
    for (size_t i = 0; i < ROWS; i++)
        if (rows[i].letter && rows[i].letter[0] == letter) return &rows[i];
    return NULL;
}

static int set_number(const struct option_row *o, const char *value, long *into, struct error *e) {
    char *end;
    errno = 0;
    long n = strtol(value, &end, 10);
    if (errno || end == value || *end || n < 1 || n > o->max)
        return error_set(e, STATUS_USAGE, "--%s: '%s' is not a number from 1 to %ld", o->name,
                         value, o->max);
    *into = n;
    return STATUS_OK;
}

static int set_option(struct arguments *a, const struct option_row *o, const char *value,
                      struct error *e) {
    char *field = (char *)a + o->offset;
    if (o->kind == FLAG) {
        *(bool *)field = true;
        return STATUS_OK;
    }
    if (o->kind == NUMBER) return set_number(o, value, (long *)(void *)field, e);
    if (!*value) return error_set(e, STATUS_USAGE, "--%s: needs a value", o->name);
    *(const char **)(void *)field = value;
    return STATUS_OK;
}

/* argv[*i] is "--name", "--name=value", "-x" or "-xvalue"; takes the next word as value if needed. */
static int parse_option(struct arguments *a, const struct command *c, int argc, char **argv, int *i,
                        struct error *e) {
    const char *word = argv[*i], *value = NULL;
    const struct option_row *o;
    if (word[1] == '-') {
        size_t n = strcspn(word + 2, "=");
        o = option_named(word + 2, n);
        if (word[2 + n]) value = word + 3 + n;
    } else {
        o = option_lettered(word[1]);
        if (word[2]) value = word + 2;
    }
    if (!o || !takes(c, o->name))
        return error_set(e, STATUS_USAGE, "%s: no option of 'imprint %s'; see 'imprint %s --help'",
                         word, c->name, c->name);
    if (o->kind == FLAG && value)
        return error_set(e, STATUS_USAGE, "--%s: takes no value", o->name);
    if (o->kind != FLAG && !value) {
        if (*i + 1 >= argc) return error_set(e, STATUS_USAGE, "--%s: needs a value", o->name);
        value = argv[++*i];
    }
    return set_option(a, o, value, e);
}

static int parse(struct arguments *a, const struct command *c, int argc, char **argv,
                 struct error *e) {
    bool options = true;
    for (int i = 2; i < argc; i++) {
        if (options && !strcmp(argv[i], "--")) {
            options = false;
        } else if (options && argv[i][0] == '-' && argv[i][1]) {
            int status = parse_option(a, c, argc, argv, &i, e);
            if (status) return status;
        } else if (a->words_n == CLI_WORDS) {
            return error_set(e, STATUS_USAGE, "more than %d arguments", CLI_WORDS);
        } else {
            a->words[a->words_n++] = argv[i];
        }
    }
    if (a->help) return STATUS_OK;
    if (a->words_n < c->words_min || a->words_n > c->words_max)
        return error_set(e, STATUS_USAGE, "usage: imprint %s %s ('imprint %s --help' says more)",
                         c->name, c->usage, c->name);
    return STATUS_OK;
}

static const struct command *command_named(const char *name) {
    for (const struct command *c = commands; c->name; c++)
        if (!strcmp(c->name, name)) return c;
    return NULL;
}

int cli_main(int argc, char **argv, const volatile sig_atomic_t *stop, struct error *e) {
    const char *name = argc > 1 ? argv[1] : "--help";
    if (!strcmp(name, "--help") || !strcmp(name, "-h")) return print_help();
    if (!strcmp(name, "help")) {
        if (argc < 3) return print_help();
        const struct command *of = command_named(argv[2]);
        return of ? print_command(of)
                  : error_set(e, STATUS_USAGE, "%s: no command; see 'imprint --help'", argv[2]);
    }
    if (!strcmp(name, "--version")) {
        printf("imprint %s (%s%s)\n", IMPRINT_VERSION, GIT_COMMIT, GIT_DIRTY ? ", modified" : "");
        return STATUS_OK;
    }
    const struct command *c = command_named(name);
    if (!c) return error_set(e, STATUS_USAGE, "%s: no command; see 'imprint --help'", name);
    struct arguments a = {
        .out = "results", .jobs = cores_usable(), .threads = 1, .launcher = "local", .stop = stop};
    int status = parse(&a, c, argc, argv, e);
    if (status) return status;
    return a.help ? print_command(c) : c->run(&a, e);
}
