/* What the unfinished runs under a results folder need of its states. */
#ifndef SIM_NEEDS_H
#define SIM_NEEDS_H

#include <stdbool.h>
#include <stddef.h>

#include "sim/stock.h"
#include "sim/survey.h"

struct needs;
/* Surveys and stock must outlive it. */
struct needs *needs_create(struct survey *const *surveys, size_t n, const struct stock *stock);
void needs_free(struct needs *n);

size_t needs_unfinished(const struct needs *n); /* runs */
/* An unfinished run starts from the state of this key, or keeps it for others. */
bool needs_state(const struct needs *n, const char *key);
/* An unfinished run may pass it; the facts are those of its rows. */
bool needs_maybe(const struct needs *n, const char *key, const struct rows_facts *facts);
/* It is the last state of a finished run. */
bool needs_is_final(const struct needs *n, const char *key);

#endif
