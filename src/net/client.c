/* net/client.c - see client.h for the states. */
#include "net/client.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "config/config.h"
#include "net/clock.h"
#include "net/input.h"
#include "net/listener.h"
#include "net/loop.h"
#include "net/reason.h"
#include "ops/log.h"
#include "text/address.h"

/* How long a client may take to close its side after we have closed ours. */
#define LINGER_MS 2000

static void on_readable(evutil_socket_t fd, short what, void *argument);
static void on_drained(void *owner);
static void on_broken(void *owner);

static const struct stream_events stream_events = {on_readable, on_drained, on_broken};

static const struct banter_protocol *protocol_of(const struct banter_client *client)
{
    return client->listener->settings->protocol;
}

static bool speaks_lines(const struct banter_protocol *protocol)
{
    return !(protocol->flags & BANTER_RAW);
}

bool client_listens(const struct banter_client *client)
{
    return client->state == CLIENT_OPEN &&
           stream_pending(&client->stream) <= (size_t)client->listener->settings->max_output;
}

/* --- the end ------------------------------------------------------------------------------- */

static enum banter_reason reason_of_error(int error)
{
    return error == -ENOMEM || error == -ENOBUFS ? BANTER_ERROR : BANTER_CLIENT_RESET;
}

void client_close(struct banter_client *client, enum banter_reason reason)
{
    if (client->state == CLIENT_OPEN) {
        client->state = CLIENT_ENDING;
        client->reason = reason;
    } else if (reason_is_abrupt(reason) && client->state == CLIENT_FLUSHING) {
        client->state = CLIENT_GONE;
        client->reason = reason; /* the answer that was promised did not arrive */
    } else if (reason_is_abrupt(reason) && client->state == CLIENT_LINGERING) {
        client->state = CLIENT_GONE;
    }
}

static void say_farewell(struct banter_client *client)
{
    const struct banter_protocol *protocol = protocol_of(client);
    const char *farewell = reason_farewell(client->reason);
    if (protocol->close)
        protocol->close(client, client->session, client->reason);
    if (farewell && speaks_lines(protocol))
        banter_say(client, farewell);
    client->state = reason_is_abrupt(client->reason) ? CLIENT_GONE : CLIENT_FLUSHING;
}

/* Everything has been sent. */
static void half_close(struct banter_client *client)
{
    client->state = client->input_ended ? CLIENT_GONE : CLIENT_LINGERING;
    if (client->state == CLIENT_GONE)
        return;
    stream_finish(&client->stream);
    client->output_since = clock_now();
}

/* What the log says of a client, collected while its socket is open. */
struct obituary {
    uint64_t id;
    const struct listener *listener;
    char local[ADDRESS_TEXT];
    char remote[ADDRESS_TEXT];
    enum banter_reason reason;
    uint64_t received, sent, lines, duration;
};

static void write_addresses(struct obituary *obituary, int fd, const union peer *peer)
{
    struct address local = {.length = sizeof(local.socket)};
    /* A unix client has a family and no name. */
    bool is_unix = peer->any.sa_family == AF_UNIX;
    if (!log_enabled(LOG_INFO))
        return;
    if (getsockname(fd, &local.socket.any, &local.length) == 0)
        address_format_socket(&local.socket.any, local.length, obituary->local);
    address_format_socket(&peer->any, is_unix ? sizeof(peer->any.sa_family) : sizeof(*peer),
                          obituary->remote);
}

static void publish(const struct obituary *obituary)
{
    log_event(LOG_INFO, "client-closed", log_number("id", obituary->id),
              log_text("listener", obituary->listener->settings->name),
              log_text("local", obituary->local), log_text("remote", obituary->remote),
              log_text("reason", reason_name(obituary->reason)),
              log_number("received", obituary->received), log_number("sent", obituary->sent),
              log_number("lines", obituary->lines), log_seconds("duration", obituary->duration));
}

static void unlink_client(struct loop *loop, struct banter_client *client)
{
    *client->link = client->next;
    if (client->next)
        client->next->link = client->link;
    if (!loop->clients)
        loop->emptied(loop);
}

/* The log hears of it last: whoever reads it there finds the place free and the socket closed. */
static void client_free(struct banter_client *client)
{
    struct listener *listener = client->listener;
    struct loop *loop = listener->loop;
    struct obituary obituary = {.id = client->id,
                                .listener = listener,
                                .reason = client->reason,
                                .received = client->received,
                                .sent = client->stream.written - stream_pending(&client->stream),
                                .lines = client->lines,
                                .duration = (uint64_t)(clock_now() - client->opened)};
    write_addresses(&obituary, stream_fd(&client->stream), &client->remote);
    deadline_cancel(&client->deadline);
    stream_stop(&client->stream);
    line_fini(&client->framer);
    admission_leave(loop->admission, listener->settings, listener->tally, &client->remote);
    publish(&obituary);
    unlink_client(loop, client);
    free(client);
    listener_unref(listener);
}

/* --- settling ------------------------------------------------------------------------------ */

static int64_t after(int64_t since, int64_t limit)
{
    return limit ? since + limit : DEADLINE_NEVER;
}

static int64_t line_deadline(const struct banter_client *client)
{
    /* While input is not taken, an unfinished line is not the client's fault. */
    if (client->state != CLIENT_OPEN || !client->stream.reading ||
        !line_unfinished(&client->framer))
        return DEADLINE_NEVER;
    return after(client->line_begun, client->listener->settings->line_timeout);
}

static int64_t write_deadline(const struct banter_client *client)
{
    if (client->output_mark == 0)
        return DEADLINE_NEVER;
    return after(client->output_since, client->listener->settings->write_timeout);
}

static int64_t idle_deadline(const struct banter_client *client)
{
    if (client->state != CLIENT_OPEN)
        return DEADLINE_NEVER;
    return after(client->active, client->listener->settings->idle_timeout);
}

static int64_t earlier(int64_t one, int64_t other)
{
    return one < other ? one : other;
}

static int64_t next_deadline(const struct banter_client *client)
{
    if (client->state == CLIENT_LINGERING)
        return client->output_since + LINGER_MS;
    return earlier(write_deadline(client), earlier(line_deadline(client), idle_deadline(client)));
}

/*
 * What waits now has to be sent within write-timeout; then the mark moves to what waits by then. So
 * a slow reader who keeps reading is fine, and one who takes a byte now and then is not.
 */
static void mark_output(struct banter_client *client)
{
    if (stream_pending(&client->stream) == 0) {
        client->output_mark = 0;
    } else if (client->output_mark == 0) {
        client->output_mark = client->stream.written;
        client->output_since = clock_now();
    }
}

static bool reached_mark(const struct banter_client *client)
{
    return client->stream.written - stream_pending(&client->stream) >= client->output_mark;
}

static bool wants_input(const struct banter_client *client)
{
    if (client->input_ended)
        return false;
    return client->state == CLIENT_LINGERING || client_listens(client);
}

/* Brings a client to rest after an event: everything is sent that can be, and what comes next is
 * waited for. The client may be gone afterwards. */
static void settle(struct banter_client *client)
{
    do {
        if (client->state == CLIENT_ENDING)
            say_farewell(client);
        int error = stream_flush(&client->stream);
        if (error)
            client_close(client, reason_of_error(error));
    } while (client->state == CLIENT_ENDING || input_take_held(client));

    if (client->state == CLIENT_FLUSHING && stream_pending(&client->stream) == 0)
        half_close(client);
    if (client->state != CLIENT_GONE) {
        bool resumes = wants_input(client) && !client->stream.reading;
        if (stream_set_reading(&client->stream, wants_input(client)) < 0) {
            client_close(client, BANTER_ERROR);
            settle(client);
            return;
        }
        if (resumes)
            client->line_begun = clock_now();
        if (client->state != CLIENT_LINGERING)
            mark_output(client);
        deadline_set(client->listener->loop->deadlines, &client->deadline, next_deadline(client));
    } else {
        client_free(client);
    }
}

/* --- events -------------------------------------------------------------------------------- */

/* One byte more than there is room for answers, so that reading stops when they are not taken. */
static size_t read_limit(const struct banter_client *client)
{
    if (client->state != CLIENT_OPEN)
        return LOOP_BUFFER;
    return (size_t)client->listener->settings->max_output - stream_pending(&client->stream) + 1;
}

static void on_readable(evutil_socket_t fd, short what, void *argument)
{
    struct banter_client *client = argument;
    char *bytes;
    (void)fd;
    (void)what;
    ssize_t count = stream_read(&client->stream, read_limit(client), &bytes);
    if (count > 0) {
        size_t length = (size_t)count;
        client->received += length;
        client->active = clock_now();
        size_t used = client->state == CLIENT_OPEN ? input_take(client, bytes, length) : length;
        if (used < length && stream_hold(&client->stream, bytes + used, length - used) < 0)
            client_close(client, BANTER_ERROR);
    } else if (count == 0) {
        input_end(client);
    } else if (count != -EAGAIN) {
        client_close(client, reason_of_error((int)count));
    }
    settle(client);
}

static void on_drained(void *owner)
{
    struct banter_client *client = owner;
    const struct banter_protocol *protocol = protocol_of(client);
    client->active = clock_now();
    if (protocol->writable && client->state == CLIENT_OPEN && stream_pending(&client->stream) == 0)
        protocol->writable(client, client->session);
    settle(client);
}

static void on_broken(void *owner)
{
    struct banter_client *client = owner;
    client_close(client, BANTER_CLIENT_RESET);
    settle(client);
}

void client_on_deadline(struct deadline *deadline)
{
    struct banter_client *client =
        (struct banter_client *)((char *)deadline - offsetof(struct banter_client, deadline));
    int64_t now = clock_now();
    if (client->output_mark != 0 && reached_mark(client))
        client->output_mark = 0;
    if (client->state == CLIENT_LINGERING && now >= next_deadline(client))
        client->state = CLIENT_GONE;
    else if (now >= write_deadline(client))
        client_close(client, BANTER_WRITE_TIMEOUT);
    else if (now >= line_deadline(client))
        client_close(client, BANTER_LINE_TIMEOUT);
    else if (now >= idle_deadline(client))
        client_close(client, BANTER_IDLE_TIMEOUT);
    settle(client);
}

/* --- the beginning ------------------------------------------------------------------------- */

static uint64_t next_id(void)
{
    static atomic_uint_fast64_t last;
    return atomic_fetch_add_explicit(&last, 1, memory_order_relaxed) + 1;
}

/* Tells a client of a line protocol why it cannot come in, and closes the socket. */
static void refuse(struct listener *listener, int fd, const union peer *peer,
                   enum banter_reason reason)
{
    char line[64], unread[512];
    const char *farewell = reason_farewell(reason);
    struct obituary obituary = {.id = next_id(), .listener = listener, .reason = reason};
    if (farewell && speaks_lines(listener->settings->protocol)) {
        int length = snprintf(line, sizeof(line), "%s\r\n", farewell);
        ssize_t sent = send(fd, line, (size_t)length, MSG_NOSIGNAL);
        obituary.sent = sent > 0 ? (uint64_t)sent : 0;
        /* Closing with input unread would reset the connection and could overtake the line. */
        (void)shutdown(fd, SHUT_WR);
        (void)recv(fd, unread, sizeof(unread), 0);
    }
    write_addresses(&obituary, fd, peer);
    close(fd);
    publish(&obituary);
}

static struct banter_client *client_new(struct listener *listener, int fd, const union peer *peer)
{
    const struct listener_config *settings = listener->settings;
    const struct banter_protocol *protocol = settings->protocol;
    struct loop *loop = listener->loop;
    size_t telnet_size = settings->telnet ? sizeof(struct telnet) : 0;
    struct banter_client *client =
        calloc(1, sizeof(*client) + protocol->session_size + telnet_size);
    if (!client)
        return NULL;
    if (stream_start(&client->stream, loop, fd, &stream_events, client,
                     (size_t)settings->max_output / 2) < 0) {
        free(client);
        return NULL;
    }
    client->stream.queue_only = protocol->writable;
    line_init(&client->framer, (size_t)settings->max_line, settings->telnet);
    if (settings->telnet) /* all of it bytes, so that it may stand anywhere */
        client->telnet = (struct telnet *)((char *)client->session + protocol->session_size);
    client->id = next_id();
    client->opened = client->active = clock_now();
    client->remote = *peer;
    client->listener = listener_ref(listener);
    client->next = loop->clients;
    client->link = &loop->clients;
    if (client->next)
        client->next->link = &client->next;
    loop->clients = client;
    return client;
}

void client_start(struct listener *listener, int fd, const union peer *peer)
{
    const struct banter_protocol *protocol = listener->settings->protocol;
    struct admission *admission = listener->loop->admission;
    enum banter_reason verdict =
        admission_enter(admission, listener->config, listener->settings, listener->tally, peer);
    if (verdict) {
        refuse(listener, fd, peer, verdict);
        return;
    }
    struct banter_client *client = client_new(listener, fd, peer);
    if (!client) {
        refuse(listener, fd, peer, BANTER_ERROR);
        admission_leave(admission, listener->settings, listener->tally, peer);
        return;
    }
    if (protocol->open)
        protocol->open(client, client->session);
    if (protocol->writable && client->state == CLIENT_OPEN)
        protocol->writable(client, client->session);
    settle(client);
}

void clients_dismiss(struct loop *loop, enum banter_reason reason)
{
    struct banter_client *next;
    for (struct banter_client *client = loop->clients; client; client = next) {
        next = client->next;
        client_close(client, reason);
        settle(client);
    }
}

void clients_abort(struct loop *loop, enum banter_reason reason)
{
    clients_dismiss(loop, reason);
    while (loop->clients) {
        loop->clients->state = CLIENT_GONE;
        settle(loop->clients);
    }
}
