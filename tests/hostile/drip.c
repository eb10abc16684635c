/*
 * drip.c - preloaded into a daemon: a recv() gives it DRIP bytes at most, so that whatever a client
 * sends arrives in pieces of that size.
 */
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

ssize_t recv(int fd, void *buffer, size_t size, int flags)
{
    size_t most = strtoul(getenv("DRIP"), NULL, 10);

    return syscall(SYS_recvfrom, fd, buffer, size < most ? size : most, flags, NULL, NULL);
}
