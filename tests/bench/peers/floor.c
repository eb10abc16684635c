/*
 * floor.c - the least that an echo costs: epoll, recv, send, and nothing else. No lines, no limits,
 * no log; a client that does not read is disconnected. What any server adds is measured against
 * this.
 *
 * `floor PORT 2` has a second thread, which sleeps. What that costs is the kernel's and the C
 * library's: descriptors are counted references from then on, and calls are cancellation points.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sysexits.h>
#include <unistd.h>

#define EVENTS 1024

static char buffer[64 * 1024];

static _Noreturn void fail(const char *what)
{
    fprintf(stderr, "floor: %s: %s\n", what, strerror(errno));
    exit(EXIT_FAILURE);
}

static int listen_on(uint16_t port)
{
    const int on = 1;
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        fail("socket");
    /* Clients inherit TCP_NODELAY. */
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) < 0 ||
        bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 || listen(fd, SOMAXCONN) < 0)
        fail("listen");
    return fd;
}

static void watch(int epoll, int fd)
{
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) < 0)
        fail("epoll_ctl");
}

static void accept_clients(int epoll, int listener)
{
    int fd;
    while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0)
        watch(epoll, fd);
    if (errno != EAGAIN)
        fail("accept4");
}

static void echo(int fd)
{
    ssize_t length = recv(fd, buffer, sizeof(buffer), 0);
    if (length < 0 && errno == EAGAIN)
        return;
    if (length <= 0 || send(fd, buffer, (size_t)length, MSG_NOSIGNAL) != length)
        close(fd);
}

static void *sleep_for_ever(void *unused)
{
    for (;;)
        pause();
    return unused;
}

int main(int count, char **arguments)
{
    struct epoll_event events[EVENTS];
    pthread_t thread;
    if (count < 2 || count > 3 || (count == 3 && strcmp(arguments[2], "2") != 0)) {
        fputs("usage: floor PORT [2]\n", stderr);
        return EX_USAGE;
    }
    if (count == 3 && (errno = pthread_create(&thread, NULL, sleep_for_ever, NULL)) != 0)
        fail("pthread_create");
    int listener = listen_on((uint16_t)atoi(arguments[1]));
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    if (epoll < 0)
        fail("epoll_create1");
    watch(epoll, listener);
    for (;;) {
        int ready = epoll_wait(epoll, events, EVENTS, -1);
        if (ready < 0 && errno != EINTR)
            fail("epoll_wait");
        for (int i = 0; i < ready; i++)
            if (events[i].data.fd == listener)
                accept_clients(epoll, listener);
            else
                echo(events[i].data.fd);
    }
}
