/*
 * net/clock.h - the time by which limits are kept.
 */
#ifndef BANTERD_NET_CLOCK_H
#define BANTERD_NET_CLOCK_H

#include <stdint.h>

/*
 * Milliseconds of a clock that never jumps. The coarse one, as it costs a few nanoseconds and the
 * limits that it serves are a thousand times longer than its 4 ms. Any thread.
 */
int64_t clock_now(void);

#endif
