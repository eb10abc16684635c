/*
 * net/deadlines.h - wakes whoever waits for a time: a timing wheel on one timer a worker.
 *
 * Setting, moving and cancelling a deadline is O(1), and cannot fail. A deadline may ring before
 * its time, and rings within a tick after it: whoever is woken looks at the clock, and sets the
 * deadline anew if it is too early. So a deadline that moves away with every byte costs nothing
 * until it rings.
 *
 * Where many ring at once, or the loop was held up, some come later than that: nobody is kept
 * waiting for long by the deadlines of others, and who has spoken meanwhile is read from first.
 */
#ifndef BANTERD_NET_DEADLINES_H
#define BANTERD_NET_DEADLINES_H

#include <stddef.h>
#include <stdint.h>

struct event_base;
struct deadlines;

/* Milliseconds; deadlines are kept to this accuracy. */
#define DEADLINE_TICK 32

#define DEADLINE_NEVER INT64_MAX

/* Embedded in what is to be woken; all zero at first, but for `wake`. */
struct deadline {
    struct deadline *next;
    struct deadline **link; /* what points to this one; NULL while it is not set */
    int64_t when;
    void (*wake)(struct deadline *deadline); /* it may set and cancel any deadline */
};

/* What a deadline, or another member, is embedded in. */
#define container_of(pointer, type, member) ((type *)((char *)(pointer)-offsetof(type, member)))

/* NULL with errno when memory or descriptors are out. */
struct deadlines *deadlines_new(struct event_base *base);

/* All deadlines must have been cancelled; NULL is fine. */
void deadlines_free(struct deadlines *deadlines);

/*
 * Rings within a tick after `when`, as said above. A deadline that is set for an earlier time stays
 * where it is, and DEADLINE_NEVER sets nothing.
 */
void deadline_set(struct deadlines *deadlines, struct deadline *deadline, int64_t when);

void deadline_cancel(struct deadline *deadline);

#endif
