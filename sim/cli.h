/* The command line: one table of commands, one of options; usage errors are one sentence. */
#ifndef SIM_CLI_H
#define SIM_CLI_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

enum { CLI_WORDS = 256 };

struct arguments {
    const char *words[CLI_WORDS]; /* what is no option: CONFIG, key=value, ... */
    size_t words_n;
    const char *out;       /* --out, default "results" */
    const char *profile;   /* --profile; NULL: none */
    const char *output;    /* --output; NULL: the command's own name */
    const char *tolerance; /* --tolerance, a number; NULL: the default */
    const char *against;   /* --against; NULL: no comparison */
    const char *keep;      /* --keep; NULL: nothing */
    long jobs;             /* -j; default: the cores of this process */
    long threads;          /* --threads, default 1 */
    long memory;           /* --memory, MiB; 0: the default */
    long until;            /* --until, epochs; 0: to the end */
    const char *launcher;  /* --launcher, default "local" */
    bool wait, job, force, quiet, dry_run, dot, fail_fast, no_reuse, no_share, retry_failed,
        no_figures, from_states, record_host, help;
    const volatile sig_atomic_t *stop; /* the signal that came; 0: none */
};

struct command {
    const char *name;
    const char *usage;    /* "CONFIG [key=value ...]" */
    const char *doc;      /* one sentence */
    const char *options;  /* names of the options it takes, "out profile quiet" */
    const char *examples; /* lines, each "  imprint ...\n" */
    size_t words_min, words_max;
    int (*run)(const struct arguments *a, struct error *e);
};

extern const struct command commands[]; /* sim/commands.c; ends in name NULL */

int cli_main(int argc, char **argv, const volatile sig_atomic_t *stop, struct error *e);

#endif
