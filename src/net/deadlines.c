/* net/deadlines.c - see deadlines.h. Belongs to one worker. */
#include "net/deadlines.h"

#include <event2/event.h>
#include <stdlib.h>

#include "ops/clock.h"

/* One turn of the wheel is a little over half a minute; what is further away waits for the last
 * slot and is then found to be early. */
#define SLOTS 1024

struct deadlines {
    struct deadline *slots[SLOTS];
    deadline_fn wake;
    struct event *timer;
    int64_t tick;       /* every slot up to this one has been emptied */
    int64_t armed_tick; /* what the timer is set for; DEADLINE_NEVER when it is not */
};

static int64_t tick_after(int64_t milliseconds)
{
    return (milliseconds + DEADLINE_TICK - 1) / DEADLINE_TICK;
}

static void arm(struct deadlines *deadlines, int64_t tick)
{
    int64_t wait = tick * DEADLINE_TICK - clock_now();
    if (wait < 0)
        wait = 0;
    struct timeval interval = {.tv_sec = wait / 1000, .tv_usec = wait % 1000 * 1000};
    /* Only memory can be missing here; the next deadline that is set tries again. */
    deadlines->armed_tick = evtimer_add(deadlines->timer, &interval) == 0 ? tick : DEADLINE_NEVER;
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

static void on_timer(evutil_socket_t fd, short what, void *argument)
{
    struct deadlines *deadlines = argument;
    int64_t now_tick = clock_now() / DEADLINE_TICK;
    (void)fd;
    (void)what;
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
    if (!deadlines)
        return NULL;
    deadlines->wake = wake;
    deadlines->tick = clock_now() / DEADLINE_TICK;
    deadlines->armed_tick = DEADLINE_NEVER;
    deadlines->timer = evtimer_new(base, on_timer, deadlines);
    if (!deadlines->timer) {
        free(deadlines);
        return NULL;
    }
    return deadlines;
}

void deadlines_free(struct deadlines *deadlines)
{
    if (!deadlines)
        return;
    event_free(deadlines->timer);
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
