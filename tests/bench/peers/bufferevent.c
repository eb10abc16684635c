/*
 * bufferevent.c - a line echo as the libevent book writes one: an evconnlistener, a bufferevent for
 * each client, evbuffer_readln for the lines, one thread. It is a peer because this is how most
 * servers in C that do not bring a loop of their own are built.
 */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/listener.h>

enum { BACKLOG = 4096, LINE_LIMIT = 8192 };

static _Noreturn void fail(const char *what)
{
    fprintf(stderr, "bufferevent: %s: %s\n", what, strerror(errno));
    exit(EXIT_FAILURE);
}

static void on_drained(struct bufferevent *client, void *unused)
{
    (void)unused;
    bufferevent_free(client);
}

static void on_event(struct bufferevent *client, short what, void *unused);

/* Freeing a bufferevent drops what it has not yet sent, so that has to leave first. */
static void finish(struct bufferevent *client)
{
    if (evbuffer_get_length(bufferevent_get_output(client)) == 0 ||
        bufferevent_disable(client, EV_READ) != 0)
        bufferevent_free(client);
    else
        bufferevent_setcb(client, NULL, on_drained, on_event, NULL);
}

static void on_read(struct bufferevent *client, void *unused)
{
    struct evbuffer *input = bufferevent_get_input(client);
    struct evbuffer *output = bufferevent_get_output(client);
    char *line;
    size_t length;

    (void)unused;
    while ((line = evbuffer_readln(input, &length, EVBUFFER_EOL_CRLF))) {
        if (evbuffer_add(output, line, length) != 0 || evbuffer_add(output, "\r\n", 2) != 0)
            fail("cannot buffer a line");
        free(line);
    }
    if (evbuffer_get_length(input) > LINE_LIMIT)
        finish(client);
}

static void on_event(struct bufferevent *client, short what, void *unused)
{
    (void)unused;
    if (what & BEV_EVENT_ERROR) {
        bufferevent_free(client);
    } else if (what & BEV_EVENT_EOF) {
        if (evbuffer_add_buffer(bufferevent_get_output(client), bufferevent_get_input(client)) != 0)
            fail("cannot buffer the last line");
        finish(client);
    }
}

static void on_accept(struct evconnlistener *listener, evutil_socket_t fd, struct sockaddr *peer,
                      int peer_length, void *unused)
{
    const int on = 1;
    struct bufferevent *client =
        bufferevent_socket_new(evconnlistener_get_base(listener), fd, BEV_OPT_CLOSE_ON_FREE);

    (void)peer;
    (void)peer_length;
    (void)unused;
    if (!client)
        fail("cannot make a bufferevent");
    bufferevent_setcb(client, on_read, NULL, on_event, NULL);
    /* Either fails for a client that is of no use any more. */
    if (setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) != 0 ||
        bufferevent_enable(client, EV_READ | EV_WRITE) != 0)
        bufferevent_free(client);
}

static void on_accept_error(struct evconnlistener *listener, void *unused)
{
    (void)listener;
    (void)unused;
    fail("cannot accept");
}

int main(int count, char **arguments)
{
    char *end = NULL;
    const unsigned long port = count == 2 ? strtoul(arguments[1], &end, 10) : 0;
    if (port < 1 || port > 65535 || *end != '\0') {
        fputs("usage: bufferevent PORT\n", stderr);
        return EX_USAGE;
    }
    if (signal(SIGPIPE, SIG_IGN) == SIG_ERR)
        fail("cannot ignore SIGPIPE");

    struct event_base *base = event_base_new();
    if (!base)
        fail("cannot make an event base");
    const struct sockaddr_in address = {
        .sin_family = AF_INET,
        .sin_port = htons((uint16_t)port),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
    };
    struct evconnlistener *listener =
        evconnlistener_new_bind(base, on_accept, NULL, LEV_OPT_REUSEABLE | LEV_OPT_CLOSE_ON_FREE,
                                BACKLOG, (const struct sockaddr *)&address, sizeof(address));
    if (!listener)
        fail("cannot listen");
    evconnlistener_set_error_cb(listener, on_accept_error);

    /* With a listener in the base, this returns only when it fails. */
    (void)event_base_dispatch(base);
    fail("cannot wait for events");
}
