/* Deadlines on a real event base: what rings, when, and what does not. */
#include <check.h>
#include <event2/event.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "net/deadlines.h"
#include "net/loop.h"
#include "ops/clock.h"
#include "suites.h"

struct alarm {
    struct deadline deadline;
    int64_t rang;  /* when; 0: it has not */
    int64_t again; /* when woken, the deadline is set for this time; 0: it is not */
    int64_t takes; /* so many milliseconds it takes to be woken */
};

static struct event_base *base;
static struct deadlines *deadlines;
static int waiting; /* alarms that end the loop when all have rung */

static void keep_busy(int64_t milliseconds)
{
    int64_t end = clock_precise() + milliseconds * 1000;
    while (clock_precise() < end)
        continue;
}

static void on_wake(struct deadline *deadline)
{
    struct alarm *alarm = container_of(deadline, struct alarm, deadline);
    alarm->rang = clock_now();
    keep_busy(alarm->takes);
    if (alarm->again > alarm->rang)
        deadline_set(deadlines, deadline, alarm->again);
    else if (--waiting == 0)
        event_base_loopbreak(base);
}

#define NEW_ALARM                                                                                  \
    {                                                                                              \
        .deadline.wake = on_wake                                                                   \
    }

static void setup(void)
{
    base = loop_base_new();
    ck_assert_ptr_nonnull(base);
    deadlines = deadlines_new(base);
    ck_assert_ptr_nonnull(deadlines);
}

static void teardown(void)
{
    deadlines_free(deadlines);
    event_base_free(base);
}

static void run(int count)
{
    waiting = count;
    ck_assert_int_eq(event_base_dispatch(base), 0);
    ck_assert_int_eq(waiting, 0);
}

START_TEST(never_rings_before_its_time)
{
    struct alarm alarms[5] = {NEW_ALARM, NEW_ALARM, NEW_ALARM, NEW_ALARM, NEW_ALARM};
    const int64_t waits[5] = {1, 31, 32, 33, 150};
    int64_t begin = clock_now();
    for (int i = 0; i < 5; i++)
        deadline_set(deadlines, &alarms[i].deadline, begin + waits[i]);
    run(5);
    for (int i = 0; i < 5; i++)
        ck_assert_int_ge(alarms[i].rang, begin + waits[i]);
}
END_TEST

START_TEST(rings_at_once_when_its_time_has_passed)
{
    struct alarm late = NEW_ALARM, later = NEW_ALARM;
    deadline_set(deadlines, &late.deadline, clock_now() - 5000);
    deadline_set(deadlines, &later.deadline, clock_now() + 100000000);
    run(1);
    ck_assert_int_ne(late.rang, 0);
    ck_assert_int_eq(later.rang, 0);
    deadline_cancel(&later.deadline);
}
END_TEST

START_TEST(cancelled_does_not_ring)
{
    struct alarm cancelled = NEW_ALARM, last = NEW_ALARM, between = NEW_ALARM;
    int64_t now = clock_now();
    deadline_set(deadlines, &between.deadline, now + 40);
    deadline_set(deadlines, &cancelled.deadline, now + 40);
    deadline_set(deadlines, &last.deadline, now + 120);
    deadline_cancel(&cancelled.deadline);
    deadline_cancel(&cancelled.deadline);
    run(2);
    ck_assert_int_eq(cancelled.rang, 0);
    ck_assert_int_ne(between.rang, 0);
}
END_TEST

START_TEST(only_moves_to_an_earlier_time)
{
    struct alarm earlier = NEW_ALARM, later = NEW_ALARM;
    int64_t now = clock_now();
    deadline_set(deadlines, &earlier.deadline, now + 100000000);
    deadline_set(deadlines, &earlier.deadline, now + 30);
    deadline_set(deadlines, &later.deadline, now + 30);
    deadline_set(deadlines, &later.deadline, now + 100000000);
    deadline_set(deadlines, &later.deadline, DEADLINE_NEVER);
    run(2);
    ck_assert_int_ge(earlier.rang, now + 30);
    ck_assert_int_ge(later.rang, now + 30);
}
END_TEST

START_TEST(can_be_set_again_when_woken)
{
    struct alarm alarm = NEW_ALARM;
    int64_t now = clock_now();
    alarm.again = now + 200;
    deadline_set(deadlines, &alarm.deadline, now + 10);
    run(1);
    ck_assert_int_ge(alarm.rang, now + 200);
}
END_TEST

/* The wheel stands still while its thread is busy; _i: by five ticks so many times. */
START_TEST(rings_when_the_wheel_is_late)
{
    struct alarm set_before = NEW_ALARM, set_late = NEW_ALARM;
    int64_t now = clock_now();
    deadline_set(deadlines, &set_before.deadline, now + 100000000);
    keep_busy(_i * 5 * DEADLINE_TICK);
    deadline_set(deadlines, &set_late.deadline, now);
    run(1);
    ck_assert_int_ne(set_late.rang, 0);
    deadline_cancel(&set_before.deadline);
}
END_TEST

static void on_timer(evutil_socket_t fd, short what, void *argument)
{
    (void)fd;
    (void)what;
    *(bool *)argument = true;
}

START_TEST(is_quiet_when_it_has_rung)
{
    struct alarm alarm = NEW_ALARM;
    bool passed = false;
    const struct timeval later = {.tv_usec = 100000};
    deadline_set(deadlines, &alarm.deadline, clock_now() + 1);
    run(1);
    ck_assert_int_eq(event_base_once(base, -1, EV_TIMEOUT, on_timer, &passed, &later), 0);
    /* Returns at the first event, which has to be that one. */
    ck_assert_int_eq(event_base_loop(base, EVLOOP_ONCE), 0);
    ck_assert(passed);
}
END_TEST

#define MANY 200

struct turns {
    int waiting; /* at the last one */
    int count;
};

/* Counts those between two alarms: while the timer is on its way the loop turns many times. */
static void on_turn(evutil_socket_t fd, short what, void *argument)
{
    struct turns *turns = argument;
    (void)fd;
    (void)what;
    turns->count += waiting < turns->waiting;
    turns->waiting = waiting;
}

START_TEST(the_loop_turns_while_many_ring)
{
    struct alarm alarms[MANY] = {0};
    struct turns turns = {.waiting = MANY};
    int fd = eventfd(1, EFD_CLOEXEC); /* always readable */
    struct event *turn = event_new(base, fd, EV_READ | EV_PERSIST, on_turn, &turns);
    ck_assert_ptr_nonnull(turn);
    ck_assert_int_eq(event_add(turn, NULL), 0);
    for (int i = 0; i < MANY; i++) {
        alarms[i] = (struct alarm){.deadline.wake = on_wake, .takes = 1};
        deadline_set(deadlines, &alarms[i].deadline, clock_now());
    }
    run(MANY);
    ck_assert_int_ge(turns.count, 10);
    event_free(turn);
    close(fd);
}
END_TEST

static void on_word(evutil_socket_t fd, short what, void *argument)
{
    struct alarm *alarm = argument;
    eventfd_t value;
    (void)what;
    ck_assert_int_eq(eventfd_read(fd, &value), 0);
    ck_assert_int_eq(alarm->rang, 0);
    deadline_cancel(&alarm->deadline);
    event_base_loopbreak(base);
}

START_TEST(who_spoke_while_the_loop_was_held_up_is_heard_first)
{
    struct alarm alarm = NEW_ALARM;
    int fd = eventfd(0, EFD_CLOEXEC);
    struct event *word = event_new(base, fd, EV_READ, on_word, &alarm);
    ck_assert_ptr_nonnull(word);
    ck_assert_int_eq(event_add(word, NULL), 0);
    deadline_set(deadlines, &alarm.deadline, clock_now() + 10);
    keep_busy(400);
    ck_assert_int_eq(eventfd_write(fd, 1), 0);
    run(0);
    ck_assert_int_eq(alarm.rang, 0);
    event_free(word);
    close(fd);
}
END_TEST

/* Every wake-up is late, and the deadlines get their turn all the same. */
START_TEST(rings_in_a_loop_that_is_held_up_all_the_time)
{
    struct alarm alarms[3] = {NEW_ALARM, NEW_ALARM, NEW_ALARM};
    for (int i = 0; i < 3; i++) {
        alarms[i].takes = 300;
        deadline_set(deadlines, &alarms[i].deadline, clock_now() + 10 + i * DEADLINE_TICK);
    }
    keep_busy(300);
    run(3);
}
END_TEST

Suite *deadlines_suite(void)
{
    Suite *suite = suite_create("deadlines");
    TCase *tests = tcase_create("wheel");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, never_rings_before_its_time);
    tcase_add_test(tests, rings_at_once_when_its_time_has_passed);
    tcase_add_test(tests, cancelled_does_not_ring);
    tcase_add_test(tests, only_moves_to_an_earlier_time);
    tcase_add_test(tests, can_be_set_again_when_woken);
    tcase_add_loop_test(tests, rings_when_the_wheel_is_late, 0, 3);
    tcase_add_test(tests, is_quiet_when_it_has_rung);
    tcase_add_test(tests, the_loop_turns_while_many_ring);
    tcase_add_test(tests, who_spoke_while_the_loop_was_held_up_is_heard_first);
    tcase_add_test(tests, rings_in_a_loop_that_is_held_up_all_the_time);
    suite_add_tcase(suite, tests);
    return suite;
}
