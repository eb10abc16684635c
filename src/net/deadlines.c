/* net/deadlines.c - see deadlines.h. Belongs to one worker. */
#include "net/deadlines.h"

#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "ops/clock.h"

/* One turn of the wheel is a little over half a minute; what is further away waits for the last
 * slot and is then found to be early. */
#define SLOTS 1024

struct deadlines {
    struct deadline *slots[SLOTS];
    deadline_fn wake;
    int timer; /* a timerfd: see arm() */
    struct event *due;
    int64_t tick;       /* every slot up to this one has been emptied */
    int64_t armed_tick; /* what the timer is set for; DEADLINE_NEVER when it is not */
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
    int64_t wait = tick * DEADLINE_TICK - clock_now();
    if (wait < 1)
        wait = 1; /* 0 would be never */
    const struct itimerspec when = {.it_value.tv_sec = wait / 1000,
                                    .it_value.tv_nsec = wait % 1000 * 1000000};
    /* Cannot fail: the descriptor and the time are good, and no memory is asked for. */
    (void)timerfd_settime(deadlines->timer, 0, &when, NULL);
    deadlines->armed_tick = tick;
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

static void wake_slot(struct deadlines *deadlines, struct deadline **slot)
{
    while (*slot) {
        struct deadline *deadline = *slot;
        deadline_cancel(deadline);
        deadlines->wake(deadline);
    }
}

static void on_due(evutil_socket_t fd, short what, void *argument)
{
    struct deadlines *deadlines = argument;
    int64_t now_tick = clock_now() / DEADLINE_TICK;
    uint64_t times;
    (void)what;
    if (read(fd, &times, sizeof(times)) < 0)
        return; /* it has been moved since */
    /* After a long stop of the process one turn of the wheel visits everything. */
    if (now_tick - deadlines->tick >= SLOTS)
        deadlines->tick = now_tick - SLOTS + 1;
    while (deadlines->tick < now_tick)
        wake_slot(deadlines, &deadlines->slots[++deadlines->tick % SLOTS]);
    arm_next(deadlines);
}

struct deadlines *deadlines_new(struct event_base *base, deadline_fn wake)
{
    struct deadlines *deadlines = calloc(1, sizeof(*deadlines));
    if (!deadlines) {
        errno = ENOMEM;
        return NULL;
    }
    deadlines->wake = wake;
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
