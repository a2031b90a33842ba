/* The threads of one net: they share the fixed pieces of a piece of work among them.
 *
 * The caller works too and never waits for a thread that has not begun a piece, so that on a busy
 * machine, where a thread may get no core for milliseconds, it does the pieces itself. A thread
 * without work spins for a few microseconds, then sleeps. One thread needs no team: NULL. */
#ifndef NETS_TEAM_H
#define NETS_TEAM_H

#include <stddef.h>

enum { TEAM_PIECES = 8 }; /* the most of one piece of work, and so of threads with anything to do */

struct team;

/* Threads beside the caller's, `threads` in all. Should the system refuse some, the team is
 * smaller; NULL when it has none. */
struct team *team_create(int threads);
void team_free(struct team *t); /* NULL: nothing */

/* Called once for each piece, by any thread; `thread` < threads of team_create, 0 is the caller. */
typedef void team_work(const void *context, size_t piece, int thread);

/* Returns when all pieces are done. Without a team: in order. Not from within `work`. */
void team_do(struct team *t, size_t pieces, team_work *work, const void *context);

#endif
