/* Teams of threads: every piece is done once, whoever comes late or sleeps. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

#include "nets/team.h"

enum { THREADS_MOST = 19 };

struct tally {
    _Atomic int done[TEAM_PIECES];
    _Atomic int wrong; /* threads that cannot be */
    int threads;
    size_t order[TEAM_PIECES]; /* without a team */
    size_t n;
};

static void count(const void *context, size_t piece, int thread) {
    struct tally *t = *(struct tally *const *)context;
    atomic_fetch_add(&t->done[piece], 1);
    if (thread < 0 || thread >= t->threads) atomic_fetch_add(&t->wrong, 1);
}

static void expect_each(struct tally *t, size_t pieces, int times) {
    for (size_t i = 0; i < TEAM_PIECES; i++)
        assert_int_equal(atomic_load(&t->done[i]), i < pieces ? times : 0);
    assert_int_equal(atomic_load(&t->wrong), 0);
}

static void every_piece_is_done_once_for_any_number_of_threads(void **unused) {
    (void)unused;
    for (int threads = 1; threads <= THREADS_MOST; threads++) {
        struct team *team = team_create(threads);
        for (size_t pieces = 0; pieces <= TEAM_PIECES; pieces++) {
            struct tally t = {.threads = threads};
            team_do(team, pieces, count, &(struct tally *){&t});
            expect_each(&t, pieces, 1);
        }
        team_free(team);
    }
}

static void keep_order(const void *context, size_t piece, int thread) {
    struct tally *t = *(struct tally *const *)context;
    assert_int_equal(thread, 0);
    t->order[t->n++] = piece;
}

static void one_thread_needs_no_team_and_works_in_order(void **unused) {
    (void)unused;
    assert_null(team_create(0));
    assert_null(team_create(1));
    struct tally t = {.threads = 1};
    team_do(NULL, TEAM_PIECES, keep_order, &(struct tally *){&t});
    assert_int_equal(t.n, TEAM_PIECES);
    for (size_t i = 0; i < TEAM_PIECES; i++) assert_int_equal(t.order[i], i);
}

static void pause_for(long microseconds) {
    nanosleep(&(struct timespec){0, microseconds * 1000}, NULL);
}

/* Pauses of about the time that a thread spins: it is met awake, asleep and on the way. */
static void no_wake_is_lost(void **unused) {
    (void)unused;
    enum { CALLS = 4000 };
    for (int threads = 2; threads <= 8; threads += 3) {
        struct team *team = team_create(threads);
        struct tally t = {.threads = threads};
        for (int i = 0; i < CALLS; i++) {
            team_do(team, TEAM_PIECES, count, &(struct tally *){&t});
            if (i % 8 == 0) pause_for(i / 8 % 100);
        }
        expect_each(&t, TEAM_PIECES, CALLS);
        team_free(team);
    }
}

struct meeting {
    _Atomic int by_members, by_caller;
};

/* The caller's piece ends when a member has one, the member's when all others are done. */
static void meet(const void *context, size_t piece, int thread) {
    struct meeting *m = *(struct meeting *const *)context;
    (void)piece;
    if (thread) {
        atomic_fetch_add(&m->by_members, 1);
        while (atomic_load(&m->by_caller) < TEAM_PIECES - 1) pause_for(10);
    } else {
        while (!atomic_load(&m->by_members)) pause_for(10);
        atomic_fetch_add(&m->by_caller, 1);
    }
}

static void a_thread_that_is_held_up_keeps_only_the_piece_it_has(void **unused) {
    (void)unused;
    struct team *team = team_create(2);
    assert_non_null(team);
    for (int i = 0; i < 20; i++) {
        struct meeting m = {0};
        team_do(team, TEAM_PIECES, meet, &(struct meeting *){&m});
        assert_int_equal(atomic_load(&m.by_members), 1);
        assert_int_equal(atomic_load(&m.by_caller), TEAM_PIECES - 1);
    }
    team_free(team);
}

static void two_teams_do_not_touch_each_other(void **unused) {
    (void)unused;
    struct team *a = team_create(3), *b = team_create(2);
    struct tally of_a = {.threads = 3}, of_b = {.threads = 2};
    for (int i = 0; i < 500; i++) {
        team_do(a, TEAM_PIECES, count, &(struct tally *){&of_a});
        team_do(b, TEAM_PIECES - 1, count, &(struct tally *){&of_b});
    }
    expect_each(&of_a, TEAM_PIECES, 500);
    expect_each(&of_b, TEAM_PIECES - 1, 500);
    team_free(b);
    team_free(a);
    team_free(NULL);
}

/* On a busy machine a thread that spins takes time from those that work. */
static void a_team_without_work_takes_no_processor_time(void **unused) {
    (void)unused;
    struct team *team = team_create(8);
    struct tally t = {.threads = 8};
    team_do(team, TEAM_PIECES, count, &(struct tally *){&t});
    pause_for(20000); /* all spinning is over */
    clock_t before = clock();
    pause_for(300000);
    assert_true(clock() - before < CLOCKS_PER_SEC / 20);
    team_free(team);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_piece_is_done_once_for_any_number_of_threads),
        cmocka_unit_test(one_thread_needs_no_team_and_works_in_order),
        cmocka_unit_test(no_wake_is_lost),
        cmocka_unit_test(a_thread_that_is_held_up_keeps_only_the_piece_it_has),
        cmocka_unit_test(two_teams_do_not_touch_each_other),
        cmocka_unit_test(a_team_without_work_takes_no_processor_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
