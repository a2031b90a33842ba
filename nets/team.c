/* Threads that share pieces: see team.h.
 *
 * One word, the ticket, says what there is to do: its upper half counts the calls of team_do, its
 * lower half has a bit for each piece that nobody has begun. Whoever clears a bit owns that piece;
 * because the count is in the same word, nobody can take a piece of a call that is over. What the
 * call is about is read only with a piece in hand, which the caller waits for.
 *
 * A thread looks for pieces from its own place on, so that it mostly gets the images it had in the
 * op before.
 *
 * OpenMP is not used, for at the end of a loop it waits until every thread has come, spinning:
 * where other processes are busy, each loop then costs a turn of the scheduler, and two threads
 * are several times slower than one.
 *
 * The trap: to sleep, a thread says so and then looks once more; to wake it, the other side changes
 * the word and then looks whether anybody sleeps. Both are in that order for everyone (sequentially
 * consistent atomics), so no wake is lost. */
#include "nets/team.h"

#include <assert.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/system.h"

/* About what a sleep and a wake cost: spinning as long costs at most twice the best choice. */
static const double SPIN_SECONDS = 50e-6;

struct member {
    struct team *team;
    pthread_t thread;
    int index; /* 1, 2, ... */
};

struct team {
    _Atomic uint64_t ticket;
    _Atomic size_t unfinished; /* pieces */
    size_t pieces;             /* of this call, as are: */
    team_work *work;
    const void *context;

    pthread_mutex_t mutex;
    pthread_cond_t news;  /* a new ticket, or the end */
    pthread_cond_t done;  /* the last piece */
    _Atomic int sleepers; /* members; changed under the mutex, as is: */
    _Atomic bool caller_sleeps;
    _Atomic bool ended;
    int threads; /* the caller's too */
    struct member members[TEAM_PIECES];
};

static uint32_t call_of(uint64_t ticket) {
    return (uint32_t)(ticket >> 32);
}

static uint32_t left_of(uint64_t ticket) {
    return (uint32_t)ticket;
}

static void cpu_relax(void) {
#if defined __x86_64__ || defined __i386__
    __builtin_ia32_pause();
#elif defined __aarch64__
    __asm__ volatile("yield");
#endif
}

/* ---- pieces ---------------------------------------------------------------------------------- */

static size_t lowest(uint32_t bits) {
    return (size_t)__builtin_ctz(bits);
}

static size_t piece_for(const struct team *t, int thread, uint32_t left) {
    uint32_t mine = left & (UINT32_MAX << (thread * TEAM_PIECES / t->threads));
    return lowest(mine ? mine : left);
}

static void piece_finished(struct team *t) {
    if (atomic_fetch_sub(&t->unfinished, 1) > 1 || !atomic_load(&t->caller_sleeps)) return;
    pthread_mutex_lock(&t->mutex);
    pthread_cond_signal(&t->done);
    pthread_mutex_unlock(&t->mutex);
}

static void take_pieces(struct team *t, int thread) {
    uint64_t ticket = atomic_load(&t->ticket);
    while (left_of(ticket)) {
        size_t piece = piece_for(t, thread, left_of(ticket));
        uint64_t without = ticket & ~((uint64_t)1 << piece);
        if (!atomic_compare_exchange_weak(&t->ticket, &ticket, without)) continue;
        t->work(t->context, piece, thread);
        piece_finished(t);
        ticket = atomic_load(&t->ticket);
    }
}

/* ---- waiting --------------------------------------------------------------------------------- */

typedef bool team_test(struct team *t, uint32_t call);

static bool has_news(struct team *t, uint32_t call) {
    return call_of(atomic_load(&t->ticket)) != call || atomic_load(&t->ended);
}

static bool is_done(struct team *t, uint32_t call) {
    (void)call;
    return atomic_load(&t->unfinished) == 0;
}

static bool came_while_spinning(struct team *t, team_test *came, uint32_t call) {
    enum { TURNS = 64 }; /* between looks at the clock */
    double end = 0;
    do {
        for (int i = 0; i < TURNS; i++) {
            if (came(t, call)) return true;
            cpu_relax();
        }
        if (end <= 0) end = system_seconds() + SPIN_SECONDS;
    } while (system_seconds() < end);
    return false;
}

static void wait_for_news(struct team *t, uint32_t call) {
    if (came_while_spinning(t, has_news, call)) return;
    pthread_mutex_lock(&t->mutex);
    atomic_fetch_add(&t->sleepers, 1);
    while (!has_news(t, call)) pthread_cond_wait(&t->news, &t->mutex);
    atomic_fetch_sub(&t->sleepers, 1);
    pthread_mutex_unlock(&t->mutex);
}

static void wait_until_done(struct team *t) {
    if (came_while_spinning(t, is_done, 0)) return;
    pthread_mutex_lock(&t->mutex);
    atomic_store(&t->caller_sleeps, true);
    while (!is_done(t, 0)) pthread_cond_wait(&t->done, &t->mutex);
    atomic_store(&t->caller_sleeps, false);
    pthread_mutex_unlock(&t->mutex);
}

static void wake(struct team *t) {
    if (!atomic_load(&t->sleepers)) return;
    pthread_mutex_lock(&t->mutex);
    pthread_cond_broadcast(&t->news);
    pthread_mutex_unlock(&t->mutex);
}

/* ---- the team -------------------------------------------------------------------------------- */

static void *member_main(void *context) {
    struct member *m = context;
    struct team *t = m->team;
    for (uint32_t call = 0; !atomic_load(&t->ended);) {
        wait_for_news(t, call);
        call = call_of(atomic_load(&t->ticket));
        take_pieces(t, m->index);
    }
    return NULL;
}

/* Signals are for the program's own thread. */
static void members_start(struct team *t, int threads) {
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    for (t->threads = 1; t->threads < threads; t->threads++) {
        struct member *m = &t->members[t->threads];
        *m = (struct member){.team = t, .index = t->threads};
        if (pthread_create(&m->thread, NULL, member_main, m)) break;
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

struct team *team_create(int threads) {
    if (threads < 2) return NULL;
    struct team *t = calloc(1, sizeof *t);
    if (!t) return NULL;
    pthread_mutex_init(&t->mutex, NULL);
    pthread_cond_init(&t->news, NULL);
    pthread_cond_init(&t->done, NULL);
    members_start(t, threads < TEAM_PIECES ? threads : TEAM_PIECES);
    if (t->threads > 1) return t;
    team_free(t);
    return NULL;
}

void team_free(struct team *t) {
    if (!t) return;
    atomic_store(&t->ended, true);
    wake(t);
    for (int i = 1; i < t->threads; i++) pthread_join(t->members[i].thread, NULL);
    pthread_cond_destroy(&t->done);
    pthread_cond_destroy(&t->news);
    pthread_mutex_destroy(&t->mutex);
    free(t);
}

void team_do(struct team *t, size_t pieces, team_work *work, const void *context) {
    assert(pieces <= TEAM_PIECES);
    if (!t || pieces < 2) {
        for (size_t i = 0; i < pieces; i++) work(context, i, 0);
        return;
    }
    t->work = work;
    t->context = context;
    atomic_store(&t->unfinished, pieces);
    uint64_t call = call_of(atomic_load(&t->ticket)) + UINT64_C(1);
    atomic_store(&t->ticket, call << 32 | ((UINT64_C(1) << pieces) - 1));
    wake(t);
    take_pieces(t, 0);
    wait_until_done(t);
}
