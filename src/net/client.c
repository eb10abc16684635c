/* net/client.c - see client.h for the states. */
#include "net/client.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "config/config.h"
#include "net/input.h"
#include "net/limits.h"
#include "net/listener.h"
#include "net/loop.h"
#include "net/reason.h"
#include "net/record.h"
#include "ops/clock.h"

/* Many clients are ended in pieces of so long, between which the loop turns. */
#define ENDING_MS 20

/* Who was sent no more leaves no more behind: about what the socket itself costs the kernel. */
#define SMALL_OUTPUT 4096

static void on_readable(evutil_socket_t fd, short what, void *argument);
static void on_drained(void *owner);
static void on_broken(void *owner, int error);

static const struct stream_events stream_events = {on_readable, on_drained, on_broken};

static const struct banter_protocol *protocol_of(const struct banter_client *client)
{
    return client->listener->settings->protocol;
}

static bool speaks_lines(const struct banter_protocol *protocol)
{
    return !(protocol->flags & BANTER_RAW);
}

/* From here to loop_idle(), in settle() mostly, the loop is busy with this client. */
static void begin(const struct listener *listener)
{
    loop_busy(listener->loop, listener->name, listener->settings->protocol->name);
}

/* --- the end ------------------------------------------------------------------------------- */

static enum banter_reason reason_of_error(int error)
{
    return error == -ENOMEM || error == -ENOBUFS ? BANTER_ERROR : BANTER_CLIENT_RESET;
}

/* The one place where a client changes its state; there is no way back. */
static void enter(struct banter_client *client, enum client_state state)
{
    assert(state > client->state);
    client->state = state;
    client->ending_since = clock_now();
}

void client_close(struct banter_client *client, enum banter_reason reason)
{
    bool abrupt = reason_is_abrupt(reason);
    if (client->state == CLIENT_OPEN) {
        client->reason = reason;
        enter(client, CLIENT_ENDING);
    } else if (abrupt && client->state == CLIENT_FLUSHING) {
        client->reason = reason; /* the answer that was promised did not arrive */
        enter(client, CLIENT_GONE);
    } else if (abrupt && client->state == CLIENT_LINGERING) {
        enter(client, CLIENT_GONE);
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
    enter(client, reason_is_abrupt(client->reason) ? CLIENT_GONE : CLIENT_FLUSHING);
}

/* Everything has been sent. */
static void half_close(struct banter_client *client)
{
    if (!client->input_ended)
        stream_finish(&client->stream);
    enter(client, client->input_ended ? CLIENT_GONE : CLIENT_LINGERING);
}

static void unlink_client(struct loop *loop, struct banter_client *client)
{
    *client->link = client->next;
    if (client->next)
        client->next->link = client->link;
    if (!loop->clients)
        loop->emptied(loop);
}

/*
 * The kernel goes on sending for minutes what it holds, even to who takes nothing, and then ends as
 * if that had been all. Whoever is cut off is to know it, and to cost nothing from then on; others
 * get what is left, but no longer than if we had waited with closing.
 */
static void close_stream(struct banter_client *client)
{
    if (reason_is_abrupt(client->reason))
        stream_break(&client->stream);
    else if (client->stream.written > SMALL_OUTPUT)
        stream_limit_rest(&client->stream, limits_of_rest(client));
    stream_stop(&client->stream);
}

/* The log hears of it last: whoever reads it there finds the place free and the socket closed. */
static void client_free(struct banter_client *client)
{
    struct listener *listener = client->listener;
    struct loop *loop = listener->loop;
    struct record record = {.id = client->id,
                            .listener = listener,
                            .reason = client->reason,
                            .received = client->received,
                            .sent = stream_sent(&client->stream),
                            .lines = client->lines,
                            .duration = (uint64_t)(clock_now() - client->opened)};
    record_addresses(&record, client->stream.fd, &client->remote);
    deadline_cancel(&client->deadline);
    close_stream(client);
    line_fini(&client->framer);
    admission_leave(loop->admission, listener->settings, listener->tally, &client->remote);
    record_log(&record);
    unlink_client(loop, client);
    free(client);
    listener_unref(listener);
}

/* --- settling ------------------------------------------------------------------------------ */

static bool wants_input(const struct banter_client *client)
{
    if (client->input_ended)
        return false;
    return client->state == CLIENT_LINGERING || client_listens(client);
}

/* Lets an end that was asked for begin, and sends; held input is taken as far as output leaves. */
static void finish_event(struct banter_client *client)
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
}

/*
 * Whether there is nothing to be done for the client until its next event: it listens, and all that
 * it was told has been sent. Its deadline is early enough then, since the one limit that is left is
 * the idle one, and that only moves away. So it is with most clients after most events.
 */
static bool is_at_rest(const struct banter_client *client)
{
    return client->state == CLIENT_OPEN && client->stream.reading && !client->input_ended &&
           client->line_begun == 0 && client->output_mark == 0 && client->deadline.link &&
           stream_pending(&client->stream) == 0;
}

static void bring_to_rest(struct banter_client *client)
{
    if (client->state != CLIENT_GONE &&
        stream_set_reading(&client->stream, wants_input(client)) < 0) {
        client_close(client, BANTER_ERROR);
        finish_event(client);
    }
    if (client->state == CLIENT_GONE) {
        client_free(client);
    } else {
        limits_note_output(client);
        deadline_set(client->listener->loop->deadlines, &client->deadline, limits_next(client));
    }
}

/* Brings a client to rest after an event. It may be gone afterwards. */
static void settle(struct banter_client *client)
{
    struct loop *loop = client->listener->loop;
    finish_event(client);
    if (!is_at_rest(client))
        bring_to_rest(client);
    loop_idle(loop);
}

/* --- events -------------------------------------------------------------------------------- */

/* One byte more than there is room for answers, so that reading stops when they are not taken. */
static size_t read_limit(const struct banter_client *client)
{
    if (client->state != CLIENT_OPEN)
        return LOOP_BUFFER;
    return client->stream.high_mark - stream_pending(&client->stream) + 1;
}

static void on_readable(evutil_socket_t fd, short what, void *argument)
{
    struct banter_client *client = argument;
    char *bytes;
    (void)fd;
    (void)what;
    begin(client->listener);
    ssize_t count = stream_read(&client->stream, read_limit(client), &bytes);
    if (count > 0) {
        size_t length = (size_t)count;
        client->received += length;
        client->active = clock_now();
        size_t used = input_take(client, bytes, length);
        if (used < length && stream_hold(&client->stream, bytes + used, length - used) < 0)
            client_close(client, BANTER_ERROR);
    } else if (count == 0) {
        client->input_ended = true;
        if (client->state == CLIENT_LINGERING)
            enter(client, CLIENT_GONE);
        else
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
    begin(client->listener);
    client->active = clock_now();
    if (protocol->writable && client->state == CLIENT_OPEN && stream_pending(&client->stream) == 0)
        protocol->writable(client, client->session);
    settle(client);
}

static void on_broken(void *owner, int error)
{
    struct banter_client *client = owner;
    begin(client->listener);
    client_close(client, reason_of_error(error));
    settle(client);
}

static void on_deadline(struct deadline *deadline)
{
    struct banter_client *client = container_of(deadline, struct banter_client, deadline);
    begin(client->listener);
    enum banter_reason reason = limits_exceeded(client);
    if (reason)
        client_close(client, reason);
    else if (client->state == CLIENT_LINGERING && clock_now() >= limits_next(client))
        enter(client, CLIENT_GONE);
    settle(client);
}

/* --- the beginning ------------------------------------------------------------------------- */

/* Tells a client of a line protocol why it cannot come in, and closes the socket. */
static void refuse(struct listener *listener, int fd, const union peer *peer,
                   enum banter_reason reason)
{
    char line[64], unread[512];
    const char *farewell = reason_farewell(reason);
    struct record record = {.id = record_next_id(), .listener = listener, .reason = reason};
    if (farewell && speaks_lines(listener->settings->protocol)) {
        int length = snprintf(line, sizeof(line), "%s\r\n", farewell);
        ssize_t sent = send(fd, line, (size_t)length, MSG_NOSIGNAL);
        record.sent = sent > 0 ? (uint64_t)sent : 0;
        /* Closing with input unread would reset the connection and could overtake the line. */
        (void)shutdown(fd, SHUT_WR);
        (void)recv(fd, unread, sizeof(unread), 0);
    }
    record_addresses(&record, fd, peer);
    close(fd);
    record_log(&record);
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
                     (size_t)settings->max_output, protocol->writable != NULL) < 0) {
        free(client);
        return NULL;
    }
    line_init(&client->framer, (size_t)settings->max_line, settings->telnet);
    if (settings->telnet) /* all of it bytes, so that it may stand anywhere */
        client->telnet = (struct telnet *)((char *)client->block + protocol->session_size);
    if (protocol->session_size > 0)
        client->session = client->block;
    client->id = record_next_id();
    client->opened = client->active = clock_now();
    client->deadline.wake = on_deadline;
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
    begin(listener);
    record_log_opened(client->id, listener, peer);
    if (protocol->open)
        protocol->open(client, client->session);
    if (protocol->writable && client->state == CLIENT_OPEN)
        protocol->writable(client, client->session);
    settle(client);
}

bool clients_dismiss(struct loop *loop, enum banter_reason reason)
{
    int64_t enough = clock_now() + ENDING_MS;
    struct banter_client *next;
    for (struct banter_client *client = loop->clients; client; client = next) {
        next = client->next;
        if (client->state != CLIENT_OPEN)
            continue;
        if (clock_now() > enough)
            return false;
        begin(client->listener);
        client_close(client, reason);
        settle(client);
    }
    return true;
}

bool clients_abort(struct loop *loop, enum banter_reason reason)
{
    int64_t enough = clock_now() + ENDING_MS;
    while (loop->clients && clock_now() <= enough) {
        struct banter_client *client = loop->clients;
        begin(client->listener);
        client_close(client, reason);
        finish_event(client);
        if (client->state != CLIENT_GONE) /* what the kernel has not taken is lost */
            enter(client, CLIENT_GONE);
        client_free(client);
    }
    loop_idle(loop);
    return loop->clients == NULL;
}
