/* net/acceptor.c - see acceptor.h. */
#include "net/acceptor.h"

#include <errno.h>
#include <event2/event.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "config/config.h"
#include "net/client.h"
#include "net/endpoint.h"
#include "net/listener.h"
#include "net/loop.h"
#include "ops/clock.h"
#include "ops/log.h"

/* Clients taken in one wake-up; more have to wait until those who are in have been served. */
#define ACCEPTS_A_WAKEUP 64

/* How long accepting rests when the system has no descriptor or memory for a client. */
#define PAUSE_MS 100

/* A shortage is logged no more often than this. */
#define SHORTAGE_LOG_MS 10000

struct acceptor {
    struct event *readable;
    struct deadline retry; /* set while accepting is paused */
    bool was_short;        /* there was a shortage, and its queue has not been empty since */
    struct endpoint *endpoint;
    unsigned worker;
    struct listener *listener; /* a reference */
};

/* The shortage is the whole process's, so all workers log it as one. */
static atomic_llong shortage_logged;
static atomic_bool shortage_open; /* it is in the log, and its end is not */
static atomic_uint short_acceptors;

static void log_shortage(const struct acceptor *acceptor, int error)
{
    long long now = clock_now();
    long long last = atomic_load(&shortage_logged);
    if ((last != 0 && now - last < SHORTAGE_LOG_MS) ||
        !atomic_compare_exchange_strong(&shortage_logged, &last, now))
        return;
    atomic_store(&shortage_open, true);
    log_event(LOG_WARNING, "accept-paused",
              log_text("listener", acceptor->listener->settings->name),
              log_text("address", acceptor->endpoint->name), log_text("error", strerror(error)));
}

static void begin_shortage(struct acceptor *acceptor)
{
    if (!acceptor->was_short)
        atomic_fetch_add(&short_acceptors, 1);
    acceptor->was_short = true;
}

/* Everybody is in who waited at this acceptor; the last one to say so ends the shortage. */
static void end_shortage(struct acceptor *acceptor)
{
    if (!acceptor->was_short)
        return;
    acceptor->was_short = false;
    if (atomic_fetch_sub(&short_acceptors, 1) == 1 && atomic_exchange(&shortage_open, false))
        log_event(LOG_NOTICE, "accept-resumed",
                  log_seconds("after", (uint64_t)(clock_now() - atomic_load(&shortage_logged))));
}

/*
 * The socket stays readable while the descriptors are used up, so that waiting for it would spin.
 * Clients wait in the socket's queue meanwhile.
 */
static void pause_accepting(struct acceptor *acceptor, int error)
{
    begin_shortage(acceptor);
    log_shortage(acceptor, error);
    event_del(acceptor->readable);
    deadline_set(acceptor->listener->loop->deadlines, &acceptor->retry, clock_now() + PAUSE_MS);
}

/* Errors of the connection that was to be accepted, not of the listening socket; see accept(2). */
static bool is_of_connection(int error)
{
    switch (error) {
    case EINTR:
    case ECONNABORTED:
    case EPERM:
    case EPROTO:
    case ENETDOWN:
    case ENETUNREACH:
    case EHOSTDOWN:
    case EHOSTUNREACH:
    case ENONET:
    case ENOPROTOOPT:
        return true;
    default:
        return false;
    }
}

/* Accepts until the queue is empty or `most` have come. 0, or the errno of a shortage. */
static int accept_clients(struct acceptor *acceptor, int most)
{
    for (int i = 0; i < most; i++) {
        union peer peer = {.any.sa_family = AF_UNSPEC};
        socklen_t length = sizeof(peer);
        int fd = accept4(acceptor->endpoint->fds[acceptor->worker], &peer.any, &length,
                         SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0) {
            client_start(acceptor->listener, fd, &peer);
        } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
            end_shortage(acceptor);
            return 0;
        } else if (!is_of_connection(errno)) {
            return errno;
        }
    }
    return 0;
}

static void accept_some(struct acceptor *acceptor)
{
    int shortage = accept_clients(acceptor, ACCEPTS_A_WAKEUP);
    if (shortage)
        pause_accepting(acceptor, shortage);
}

static void on_readable(evutil_socket_t fd, short what, void *argument)
{
    (void)fd;
    (void)what;
    accept_some(argument);
}

void acceptor_abandon(struct acceptor *acceptor)
{
    if (!acceptor)
        return;
    end_shortage(acceptor); /* nobody waits here any more */
    if (acceptor->readable)
        event_free(acceptor->readable);
    deadline_cancel(&acceptor->retry);
    listener_unref(acceptor->listener);
    free(acceptor);
}

/* Looks at once, as nobody may be waiting any more, which ends the shortage too. */
static void on_retry(struct deadline *deadline)
{
    struct acceptor *acceptor =
        (struct acceptor *)((char *)deadline - offsetof(struct acceptor, retry));
    if (event_add(acceptor->readable, NULL) < 0)
        pause_accepting(acceptor, ENOMEM);
    else
        accept_some(acceptor);
}

struct acceptor *acceptor_new(struct endpoint *endpoint, unsigned worker, struct listener *listener)
{
    struct event_base *base = listener->loop->base;
    struct acceptor *acceptor = calloc(1, sizeof(*acceptor));
    if (!acceptor)
        return NULL;
    acceptor->endpoint = endpoint;
    acceptor->worker = worker;
    acceptor->listener = listener_ref(listener);
    acceptor->readable =
        event_new(base, endpoint->fds[worker], EV_READ | EV_PERSIST, on_readable, acceptor);
    acceptor->retry.wake = on_retry;
    if (!acceptor->readable || event_add(acceptor->readable, NULL) < 0) {
        acceptor_abandon(acceptor);
        return NULL;
    }
    return acceptor;
}

void acceptor_assign(struct acceptor *acceptor, struct listener *listener)
{
    struct listener *old = acceptor->listener;
    acceptor->listener = listener_ref(listener);
    listener_unref(old);
}

const struct endpoint *acceptor_endpoint(const struct acceptor *acceptor)
{
    return acceptor->endpoint;
}

void acceptor_free(struct acceptor *acceptor)
{
    if (!acceptor)
        return;
    struct endpoint *endpoint = acceptor->endpoint;
    /* Who is in the queue has been told that the connection stands. */
    if (!endpoint->passed)
        (void)accept_clients(acceptor, SOMAXCONN);
    unsigned worker = acceptor->worker;
    acceptor_abandon(acceptor); /* the event goes before its descriptor */
    endpoint_close(endpoint, worker);
}
