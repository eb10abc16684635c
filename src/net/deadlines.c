/* net/deadlines.c - see deadlines.h. Belongs to one worker. */
#include "net/deadlines.h"

#include <errno.h>
#include <event2/event.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "ops/clock.h"

/* One turn of the wheel is a little over half a minute; what is further away waits for the last
 * slot and is then found to be early. */
#define SLOTS 1024

/* Many may be due at once. How long they are seen to before the loop turns, in microseconds; or a
 * quarter of the time that others have let them wait, where that is more. */
#define TURN_USEC 2000
#define TURN_SHARE 4

/* A wake-up that comes so much too late: the loop was held up, or the process was stopped. */
#define LATE_MS 250

struct deadlines {
    struct deadline *slots[SLOTS];
    int timer; /* a timerfd: see arm() */
    struct event *due;
    int64_t tick;       /* the slots before this one are empty; it is being emptied, or is too */
    int64_t armed_tick; /* what the timer is set for; DEADLINE_NEVER when it is not */
    int64_t armed_for;  /* the same in milliseconds; now, where that has passed */
    bool yielded;       /* the last wake-up was late, and has let others go first */
};

static int64_t tick_after(int64_t milliseconds)
{
    return (milliseconds + DEADLINE_TICK - 1) / DEADLINE_TICK;
}

/*
 * Not a timer of libevent's: with one, each epoll_wait() that has to sleep starts and stops a timer
 * in the kernel, which costs more than all that the wheel does. This one stands until it is moved.
 */
static void arm(struct deadlines *deadlines, int64_t tick)
{
    int64_t now = clock_now();
    int64_t wait = tick * DEADLINE_TICK - now;
    if (wait < 1)
        wait = 1; /* 0 would be never */
    const struct itimerspec when = {.it_value.tv_sec = wait / 1000,
                                    .it_value.tv_nsec = wait % 1000 * 1000000};
    /* Cannot fail: the descriptor and the time are good, and no memory is asked for. */
    (void)timerfd_settime(deadlines->timer, 0, &when, NULL);
    deadlines->armed_tick = tick;
    deadlines->armed_for = now + wait;
}

static void arm_next(struct deadlines *deadlines)
{
    for (int64_t tick = deadlines->tick + 1; tick < deadlines->tick + SLOTS; tick++)
        if (deadlines->slots[tick % SLOTS]) {
            arm(deadlines, tick);
            return;
        }
    deadlines->armed_tick = DEADLINE_NEVER;
}

/* Empties the present slot. False: the turn was over before that. */
static bool wake_slot(struct deadlines *deadlines, int64_t turn_end)
{
    struct deadline **slot = &deadlines->slots[deadlines->tick % SLOTS];
    while (*slot) {
        struct deadline *deadline = *slot;
        deadline_cancel(deadline);
        deadline->wake(deadline);
        if (*slot && clock_precise() > turn_end)
            return false;
    }
    return true;
}

/* Every slot up to this tick. False: the turn was over before that. */
static bool wake_slots(struct deadlines *deadlines, int64_t now_tick, int64_t turn_end)
{
    for (; wake_slot(deadlines, turn_end); deadlines->tick++)
        if (deadlines->tick >= now_tick)
            return true;
    return false;
}

/*
 * Who has spoken while the loop did not turn is heard first, once, and not in the middle of what is
 * due: the timer goes to the end of what epoll tells next.
 */
static bool yields(struct deadlines *deadlines)
{
    deadlines->yielded = !deadlines->yielded && deadlines->armed_tick > deadlines->tick &&
                         clock_now() - deadlines->armed_for > LATE_MS;
    return deadlines->yielded;
}

static void on_due(evutil_socket_t fd, short what, void *argument)
{
    struct deadlines *deadlines = argument;
    int64_t now_tick = clock_now() / DEADLINE_TICK;
    int64_t late_usec = (clock_now() - deadlines->armed_for) * 1000;
    int64_t turn = late_usec / TURN_SHARE > TURN_USEC ? late_usec / TURN_SHARE : TURN_USEC;
    uint64_t times;
    (void)what;
    if (read(fd, &times, sizeof(times)) < 0)
        return; /* it has been moved since */
    if (yields(deadlines)) {
        arm(deadlines, deadlines->armed_tick);
        return;
    }
    /* After a long stop of the process one turn of the wheel visits everything. */
    if (now_tick - deadlines->tick >= SLOTS)
        deadlines->tick = now_tick - SLOTS + 1;
    if (wake_slots(deadlines, now_tick, clock_precise() + turn))
        arm_next(deadlines);
    else
        arm(deadlines, deadlines->tick);
}

struct deadlines *deadlines_new(struct event_base *base)
{
    struct deadlines *deadlines = calloc(1, sizeof(*deadlines));
    if (!deadlines) {
        errno = ENOMEM;
        return NULL;
    }
    deadlines->tick = clock_now() / DEADLINE_TICK;
    deadlines->armed_tick = DEADLINE_NEVER;
    int error = 0;
    deadlines->timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    if (deadlines->timer < 0) {
        error = errno;
    } else {
        deadlines->due = event_new(base, deadlines->timer, EV_READ | EV_PERSIST, on_due, deadlines);
        if (!deadlines->due || event_add(deadlines->due, NULL) < 0)
            error = ENOMEM;
    }
    if (error) {
        deadlines_free(deadlines);
        errno = error;
        return NULL;
    }
    return deadlines;
}

void deadlines_free(struct deadlines *deadlines)
{
    if (!deadlines)
        return;
    if (deadlines->due)
        event_free(deadlines->due);
    if (deadlines->timer >= 0)
        close(deadlines->timer);
    free(deadlines);
}

void deadline_set(struct deadlines *deadlines, struct deadline *deadline, int64_t when)
{
    if (when == DEADLINE_NEVER || (deadline->link && deadline->when <= when))
        return;
    deadline_cancel(deadline);
    /* The wheel stands still while it is empty; slots between its last turn and now are empty. */
    if (deadlines->armed_tick == DEADLINE_NEVER)
        deadlines->tick = clock_now() / DEADLINE_TICK;
    int64_t tick = tick_after(when);
    if (tick <= deadlines->tick)
        tick = deadlines->tick + 1;
    if (tick >= deadlines->tick + SLOTS)
        tick = deadlines->tick + SLOTS - 1;

    struct deadline **slot = &deadlines->slots[tick % SLOTS];
    deadline->when = when;
    deadline->next = *slot;
    deadline->link = slot;
    if (*slot)
        (*slot)->link = &deadline->next;
    *slot = deadline;
    if (tick < deadlines->armed_tick)
        arm(deadlines, tick);
}

void deadline_cancel(struct deadline *deadline)
{
    if (!deadline->link)
        return;
    *deadline->link = deadline->next;
    if (deadline->next)
        deadline->next->link = deadline->link;
    deadline->link = NULL;
}
