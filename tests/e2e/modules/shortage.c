/*
 * shortage.c - no protocol, but preloaded into a daemon: as long as the file is there that the
 * environment variable SHORTAGE names, no thread but the main one gets any memory; of NO_EPOLL,
 * none can wait for events; of NO_ACCEPT, none accepts; and of NO_SENDING, the kernel has no memory
 * for what a socket is to send, now or later.
 */
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *memory, size_t size);

static bool is_short(const char *which)
{
    const char *file = getenv(which);

    if (!file || gettid() == getpid() || access(file, F_OK) != 0)
        return false;
    errno = ENOMEM;
    return true;
}

void *malloc(size_t size)
{
    return is_short("SHORTAGE") ? NULL : __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
    return is_short("SHORTAGE") ? NULL : __libc_calloc(count, size);
}

void *realloc(void *memory, size_t size)
{
    return is_short("SHORTAGE") ? NULL : __libc_realloc(memory, size);
}

int epoll_wait(int fd, struct epoll_event *events, int most, int timeout)
{
    if (is_short("NO_EPOLL"))
        return -1;
    return (int)syscall(SYS_epoll_wait, fd, events, most, timeout);
}

int accept4(int fd, struct sockaddr *restrict peer, socklen_t *restrict length, int flags)
{
    if (is_short("NO_ACCEPT"))
        return -1;
    return (int)syscall(SYS_accept4, fd, peer, length, flags);
}

ssize_t send(int fd, const void *bytes, size_t length, int flags)
{
    if (is_short("NO_SENDING"))
        return -1;
    return syscall(SYS_sendto, fd, bytes, length, flags, NULL, 0);
}

ssize_t writev(int fd, const struct iovec *pieces, int count)
{
    if (is_short("NO_SENDING"))
        return -1;
    return syscall(SYS_writev, fd, pieces, count);
}
