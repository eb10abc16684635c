/* net/loop.c - see loop.h. */
#include "net/loop.h"

#include <errno.h>
#include <event2/event.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <unistd.h>

#include "net/deadlines.h"
#include "text/mix.h"

/* What an event base opens: epoll, and a pipe for signals. */
#define BASE_FILES 3

/* libevent ends the process when it cannot have the pipe, so it is tried beforehand. 0 or -errno.
 */
static int try_files(void)
{
    int fds[BASE_FILES];
    int count = 0;
    int error = 0;
    while (count < BASE_FILES && !error) {
        fds[count] = eventfd(0, EFD_CLOEXEC);
        if (fds[count] < 0)
            error = -errno;
        else
            count++;
    }
    while (count > 0)
        close(fds[--count]);
    return error;
}

struct event_base *loop_base_new(void)
{
    struct event_base *base = NULL;
    int error = try_files();
    if (error) {
        errno = -error;
        return NULL;
    }
    struct event_config *config = event_config_new();
    /* The environment could otherwise turn on the epoll changelist, which fails on duplicated fds.
     */
    if (config &&
        event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK | EVENT_BASE_FLAG_IGNORE_ENV) == 0)
        base = event_base_new_with_config(config);
    if (config)
        event_config_free(config);
    errno = ENOMEM; /* there is no other reason left */
    return base;
}

int loop_init(struct loop *loop, struct admission *admission)
{
    loop->admission = admission;
    loop->share = LOOP_BUFFER;
    loop->base = loop_base_new();
    if (!loop->base)
        return -errno;
    loop->deadlines = deadlines_new(loop->base);
    if (!loop->deadlines)
        return -errno;
    if (getrandom(&loop->random, sizeof(loop->random), 0) != (ssize_t)sizeof(loop->random))
        return -errno; /* so few bytes come whole, or not at all */
    return 0;
}

void loop_fini(struct loop *loop)
{
    deadlines_free(loop->deadlines);
    if (loop->base)
        event_base_free(loop->base);
    loop->deadlines = NULL;
    loop->base = NULL;
}

bool loop_serving(const struct loop *loop, const char **listener, const char **protocol)
{
    *listener = atomic_load_explicit(&loop->listener, memory_order_relaxed);
    *protocol = atomic_load_explicit(&loop->protocol, memory_order_relaxed);
    return *listener && *protocol;
}

void loop_divide(struct loop *loop)
{
    int waiting = event_base_get_num_events(loop->base, EVENT_BASE_COUNT_ACTIVE);
    bool same_turn = waiting < loop->waiting; /* they get fewer, and all should have the same */
    loop->waiting = waiting;
    if (same_turn)
        return;
    size_t share = LOOP_SHARED / (size_t)(waiting + 1);
    loop->share = share < LOOP_PIECE ? LOOP_PIECE : share < LOOP_BUFFER ? share : LOOP_BUFFER;
}

/* splitmix64: one addition and a mix, and every 64-bit state is a good one. */
static uint64_t next_random(struct loop *loop)
{
    loop->random += 0x9e3779b97f4a7c15u;
    return mix(loop->random);
}

uint32_t loop_random(struct loop *loop, uint32_t bound)
{
    /* The upper half of 32 x 32 bits is even enough for picking jokes: off by bound in 2^32. */
    return (uint32_t)(((next_random(loop) >> 32) * bound) >> 32);
}
