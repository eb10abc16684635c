/* net/acceptor.c - see acceptor.h. */
#include "net/acceptor.h"

#include <errno.h>
#include <event2/event.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
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

/* A listener that goes waits so long for descriptors or memory for those in its queue. */
#define LEAVE_MS 1000

/* No queue is longer: so many wake-ups bring in all who were in it when its listener left. */
#define LEAVE_WAKEUPS (SOMAXCONN / ACCEPTS_A_WAKEUP + 1)

struct acceptor {
    struct event *readable;
    struct deadline retry; /* set while accepting is paused */
    bool was_short;        /* there was a shortage, and its queue has not been empty since */
    struct endpoint *endpoint;
    unsigned worker;
    struct listener *listener; /* a reference */

    /* Of one that leaves. */
    struct acceptor *next;
    struct acceptor **link; /* what points to this one; NULL while it stays */
    int64_t leave_by;       /* if there is a shortage then */
    int wakeups;            /* until all are in */
};

/* The shortage is the whole process's, so all workers log it as one. */
static struct {
    pthread_mutex_t mutex;
    unsigned acceptors; /* where somebody may still be waiting */
    int64_t began;      /* 0: it is not in the log */
    int64_t logged;     /* the last time; 0: never */
} shortage = {.mutex = PTHREAD_MUTEX_INITIALIZER};

static void begin_shortage(struct acceptor *acceptor, int error)
{
    int64_t now = clock_now();
    pthread_mutex_lock(&shortage.mutex);
    shortage.acceptors += !acceptor->was_short;
    acceptor->was_short = true;
    bool is_news = shortage.logged == 0 || now - shortage.logged >= SHORTAGE_LOG_MS;
    if (is_news)
        shortage.logged = now;
    if (is_news && shortage.began == 0)
        shortage.began = now;
    pthread_mutex_unlock(&shortage.mutex);
    if (is_news)
        log_event(
            LOG_WARNING, "accept-paused", log_text("listener", acceptor->listener->settings->name),
            log_text("address", acceptor->endpoint->name), log_text("error", strerror(error)));
}

/* Nobody waits here any more, or is waited for: when it began, if that ends it all. Or 0. */
static int64_t leave_shortage(struct acceptor *acceptor)
{
    int64_t began = 0;
    if (!acceptor->was_short)
        return 0;
    acceptor->was_short = false;
    pthread_mutex_lock(&shortage.mutex);
    if (--shortage.acceptors == 0) {
        began = shortage.began;
        shortage.began = 0;
    }
    pthread_mutex_unlock(&shortage.mutex);
    return began;
}

/* Everybody is in who waited at this acceptor. */
static void end_shortage(struct acceptor *acceptor)
{
    int64_t began = leave_shortage(acceptor);
    if (began)
        log_event(LOG_NOTICE, "accept-resumed",
                  log_seconds("after", (uint64_t)(clock_now() - began)));
}

/*
 * The socket stays readable while the descriptors are used up, so that waiting for it would spin.
 * Clients wait in the socket's queue meanwhile.
 */
static void pause_accepting(struct acceptor *acceptor, int error)
{
    begin_shortage(acceptor, error);
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

/* accept(2) tells of a shortage before it looks into the queue, where nobody may be. */
static bool somebody_waits(int fd)
{
    struct pollfd queue = {.fd = fd, .events = POLLIN};
    return poll(&queue, 1, 0) != 0;
}

/* EAGAIN: all are in who waited. 0: as many have come as may in one wake-up. Or the errno of a
 * shortage. */
static int accept_clients(struct acceptor *acceptor)
{
    int socket = acceptor->endpoint->fds[acceptor->worker];
    for (int i = 0; i < ACCEPTS_A_WAKEUP; i++) {
        union peer peer = {.any.sa_family = AF_UNSPEC};
        socklen_t length = sizeof(peer);
        int fd = accept4(socket, &peer.any, &length, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0) {
            client_start(acceptor->listener, fd, &peer);
        } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
            return EAGAIN;
        } else if (!is_of_connection(errno)) {
            int error = errno;
            return somebody_waits(socket) ? error : EAGAIN;
        }
    }
    return 0;
}

/* Whether one that leaves may go: all are in who were in the queue, or a shortage keeps them out.
 */
static bool may_go(struct acceptor *acceptor, int error)
{
    if (error == 0)
        return --acceptor->wakeups == 0;
    if (error == EAGAIN)
        return true;
    if (clock_now() < acceptor->leave_by)
        return false;
    log_event(LOG_WARNING, "accept-given-up",
              log_text("listener", acceptor->listener->settings->name),
              log_text("address", acceptor->endpoint->name), log_text("error", strerror(error)));
    return true;
}

/* Goes on after accept_clients(). */
static void go_on(struct acceptor *acceptor, int error)
{
    if (error == EAGAIN)
        end_shortage(acceptor);
    else if (error)
        pause_accepting(acceptor, error);
    if (acceptor->link && may_go(acceptor, error)) {
        struct loop *loop = acceptor->listener->loop;
        acceptor_close(acceptor);
        loop->emptied(loop);
    }
}

static void on_readable(evutil_socket_t fd, short what, void *argument)
{
    (void)fd;
    (void)what;
    go_on(argument, accept_clients(argument));
}

/* Looks at once, as nobody may be waiting any more, which ends the shortage too. */
static void on_retry(struct deadline *deadline)
{
    struct acceptor *acceptor = container_of(deadline, struct acceptor, retry);
    go_on(acceptor, event_add(acceptor->readable, NULL) < 0 ? ENOMEM : accept_clients(acceptor));
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

void acceptor_abandon(struct acceptor *acceptor)
{
    if (!acceptor)
        return;
    (void)leave_shortage(acceptor);
    if (acceptor->link) {
        *acceptor->link = acceptor->next;
        if (acceptor->next)
            acceptor->next->link = acceptor->link;
    }
    if (acceptor->readable)
        event_free(acceptor->readable);
    deadline_cancel(&acceptor->retry);
    listener_unref(acceptor->listener);
    free(acceptor);
}

void acceptor_leave(struct acceptor *acceptor)
{
    if (!acceptor || acceptor->endpoint->passed) {
        acceptor_close(acceptor);
        return;
    }
    struct loop *loop = acceptor->listener->loop;
    acceptor->leave_by = clock_now() + LEAVE_MS;
    acceptor->wakeups = LEAVE_WAKEUPS;
    acceptor->next = loop->leaving;
    acceptor->link = &loop->leaving;
    if (acceptor->next)
        acceptor->next->link = &acceptor->next;
    loop->leaving = acceptor;
    go_on(acceptor, accept_clients(acceptor));
}

void acceptor_close(struct acceptor *acceptor)
{
    if (!acceptor)
        return;
    struct endpoint *endpoint = acceptor->endpoint;
    unsigned worker = acceptor->worker;
    acceptor_abandon(acceptor); /* the event goes before its descriptor */
    endpoint_close(endpoint, worker);
}
