/*
 * ops/clock.h - the time since the machine started, which nobody can set. Any thread.
 */
#ifndef BANTERD_OPS_CLOCK_H
#define BANTERD_OPS_CLOCK_H

#include <stdint.h>

/*
 * Milliseconds, for limits. Of the coarse clock: it costs a few nanoseconds, and limits are a
 * thousand times longer than its 4 ms.
 */
int64_t clock_now(void);

/* Microseconds, for whoever is told of them: CLOCK_MONOTONIC itself. */
int64_t clock_precise(void);

#endif
