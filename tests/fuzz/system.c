/*
 * fuzz/system.c - see system.h. What is defined here goes before the C library's, since the program
 * is linked with it first; the linker's --wrap does the same for memory, which a sanitizer needs
 * under its own name.
 */
#undef _FORTIFY_SOURCE /* for what is defined here */

#include "system.h"

#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#pragma GCC visibility push(default) /* for libevent */

#define NO_FAULT (-1)
#define ONE_BYTE 0
#define MOST_DESCRIPTORS 64

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *memory, size_t size);
void __real_free(void *memory);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *memory, size_t size);
void __wrap_free(void *memory);

static struct {
    bool running;
    bool serving;
    bool failed;
    int faults[CALLS];         /* an errno, ONE_BYTE or NO_FAULT */
    unsigned allocations_left; /* until one fails; 0: none does */
    size_t blocks;
    int64_t now;   /* milliseconds */
    int64_t rings; /* 0: the timer is not set */
    int timer;
} world = {.faults = {NO_FAULT, NO_FAULT, NO_FAULT, NO_FAULT}};

/* What each call is known to do. */
static const int receiving[] = {ONE_BYTE, EAGAIN, EINTR, ECONNRESET, ETIMEDOUT, ENOMEM};
static const int sending[] = {ONE_BYTE, EAGAIN, EINTR, EPIPE, ECONNRESET, ENOBUFS};
static const int polling[] = {ENOMEM, ENOSPC};

void system_fail(enum call call, uint8_t how)
{
    if (call == CALL_EPOLL_CTL)
        world.faults[call] = polling[how % 2];
    else
        world.faults[call] = call == CALL_RECV ? receiving[how % 6] : sending[how % 6];
}

void system_fail_allocation(unsigned after)
{
    world.allocations_left = after + 1;
}

bool system_has_failed(void)
{
    return world.failed;
}

void system_begin(void)
{
    world.running = true;
    world.failed = false;
    world.now = 1000000;
    world.rings = 0;
}

void system_serve(bool at_work)
{
    world.serving = at_work;
}

void system_heal(void)
{
    for (int call = 0; call < CALLS; call++)
        world.faults[call] = NO_FAULT;
    world.allocations_left = 0;
}

void system_end(void)
{
    world.running = false;
}

/* The fault that this call has now, which is then over. */
static int take_fault(enum call call)
{
    int fault = world.faults[call];
    if (!world.serving)
        return NO_FAULT;
    world.faults[call] = NO_FAULT;
    if (fault > 0)
        errno = fault;
    if (fault > 0 && fault != EAGAIN && fault != EINTR)
        world.failed = true;
    return fault;
}

/* --- system calls -------------------------------------------------------------------------- */

ssize_t recv(int fd, void *bytes, size_t length, int flags)
{
    int fault = take_fault(CALL_RECV);
    if (fault > 0)
        return -1;
    return syscall(SYS_recvfrom, fd, bytes, fault == ONE_BYTE && length > 0 ? 1 : length, flags,
                   NULL, NULL);
}

ssize_t send(int fd, const void *bytes, size_t length, int flags)
{
    int fault = take_fault(CALL_SEND);
    if (fault > 0)
        return -1;
    return syscall(SYS_sendto, fd, bytes, fault == ONE_BYTE && length > 0 ? 1 : length, flags, NULL,
                   0);
}

ssize_t writev(int fd, const struct iovec *pieces, int count)
{
    int fault = take_fault(CALL_WRITEV);
    if (fault > 0)
        return -1;
    if (fault == ONE_BYTE && count > 0 && pieces[0].iov_len > 0)
        return syscall(SYS_write, fd, pieces[0].iov_base, 1);
    return syscall(SYS_writev, fd, pieces, count);
}

int epoll_ctl(int epoll, int operation, int fd, struct epoll_event *event)
{
    /* The kernel has no reason to refuse to let go of a descriptor. */
    if (operation != EPOLL_CTL_DEL && take_fault(CALL_EPOLL_CTL) > 0)
        return -1;
    return (int)syscall(SYS_epoll_ctl, epoll, operation, fd, event);
}

/* --- time ---------------------------------------------------------------------------------- */

int clock_gettime(clockid_t clock, struct timespec *now)
{
    if (!world.running || clock == CLOCK_REALTIME) /* the fuzzer's own */
        return (int)syscall(SYS_clock_gettime, clock, now);
    now->tv_sec = world.now / 1000;
    now->tv_nsec = world.now % 1000 * 1000000;
    return 0;
}

/* A timer is a counter that system_pass() moves. There is one, of the deadlines. */
int timerfd_create(clockid_t clock, int flags)
{
    (void)clock;
    (void)flags;
    world.timer = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return world.timer;
}

int timerfd_settime(int fd, int flags, const struct itimerspec *when, struct itimerspec *before)
{
    uint64_t rung;
    (void)flags;
    (void)before;
    world.rings =
        world.now + when->it_value.tv_sec * 1000 + (when->it_value.tv_nsec + 999999) / 1000000;
    return read(fd, &rung, sizeof(rung)) < 0 && errno != EAGAIN ? -1 : 0;
}

void system_pass(int64_t milliseconds)
{
    const uint64_t once = 1;
    world.now += milliseconds;
    if (world.rings == 0 || world.now < world.rings)
        return;
    world.rings = 0;
    if (write(world.timer, &once, sizeof(once)) < 0)
        abort();
}

/* --- memory -------------------------------------------------------------------------------- */

static bool is_refused(void)
{
    if (!world.serving || world.allocations_left == 0 || --world.allocations_left > 0)
        return false;
    world.failed = true;
    errno = ENOMEM;
    return true;
}

static void *count(void *memory)
{
    world.blocks += memory != NULL;
    return memory;
}

void *__wrap_malloc(size_t size)
{
    return is_refused() ? NULL : count(__real_malloc(size));
}

void *__wrap_calloc(size_t number, size_t size)
{
    return is_refused() ? NULL : count(__real_calloc(number, size));
}

void *__wrap_realloc(void *memory, size_t size)
{
    if (is_refused())
        return NULL;
    void *moved = __real_realloc(memory, size);
    return memory ? moved : count(moved);
}

void __wrap_free(void *memory)
{
    world.blocks -= memory != NULL;
    __real_free(memory);
}

static void keep_silent(int severity, const char *message)
{
    (void)severity;
    (void)message;
}

void system_init(void)
{
    event_set_mem_functions(__wrap_malloc, __wrap_realloc, __wrap_free);
    event_set_log_callback(keep_silent);
}

size_t system_blocks(void)
{
    return world.blocks;
}

size_t system_descriptors(void)
{
    size_t open = 0;
    for (int fd = 0; fd < MOST_DESCRIPTORS; fd++)
        open += fcntl(fd, F_GETFD) >= 0;
    return open;
}
