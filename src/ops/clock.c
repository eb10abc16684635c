/* ops/clock.c - see clock.h. */
#include "ops/clock.h"

#include <time.h>

int64_t clock_now(void)
{
    struct timespec now;
    /* Cannot fail: the clock has been there since Linux 2.6.32, and `now` is a valid address. */
    (void)clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int64_t clock_precise(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now); /* no more than the other */
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}
