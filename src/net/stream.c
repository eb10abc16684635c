/* net/stream.c - see stream.h. */
#include "net/stream.h"

#include <errno.h>
#include <linux/sockios.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/loop.h"

static void on_drained(struct bufferevent *bev, void *argument)
{
    struct stream *stream = argument;
    (void)bev;
    stream->events->drained(stream->owner);
}

/* It only writes: an error is all that can happen, and errno is that of the write still. */
static void on_event(struct bufferevent *bev, short what, void *argument)
{
    struct stream *stream = argument;
    (void)bev;
    (void)what;
    stream->events->broken(stream->owner, -errno);
}

int stream_start(struct stream *stream, struct loop *loop, int fd,
                 const struct stream_events *events, void *owner, size_t high_mark, bool queue_only)
{
    *stream = (struct stream){.loop = loop,
                              .fd = fd,
                              .queue_only = queue_only,
                              .high_mark = high_mark,
                              .events = events,
                              .owner = owner};
    return event_assign(&stream->input, loop->base, fd, EV_READ | EV_PERSIST, events->readable,
                        owner) < 0
               ? -EINVAL
               : 0;
}

/* Makes the bufferevent, for what has to wait. False: there is no memory. */
static bool attach(struct stream *stream)
{
    if (stream->bev)
        return true;
    stream->bev = bufferevent_socket_new(stream->loop->base, stream->fd, 0);
    if (!stream->bev)
        return false;
    bufferevent_setcb(stream->bev, NULL, on_drained, on_event, stream);
    bufferevent_setwatermark(stream->bev, EV_WRITE, stream->high_mark / 2, 0);
    return true;
}

void stream_break(struct stream *stream)
{
    const struct linger never = {.l_onoff = 1};
    /* Where it fails, or the socket is a unix one, close() does what it can. */
    (void)setsockopt(stream->fd, SOL_SOCKET, SO_LINGER, &never, sizeof(never));
}

/* TCP alone has a rest of its own: what a unix socket has sent belongs to the other side. */
void stream_limit_rest(struct stream *stream, int64_t limit)
{
    const int milliseconds = (int)limit;
    if (stream_delivered(stream) < stream_sent(stream))
        (void)setsockopt(stream->fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &milliseconds,
                         sizeof(milliseconds));
}

void stream_stop(struct stream *stream)
{
    /* Both take the fd out of epoll at once, so that it may be closed here, and its number used
     * again, although libevent frees the bufferevent itself a turn later. */
    if (stream->reading)
        event_del(&stream->input);
    if (stream->bev)
        bufferevent_free(stream->bev);
    close(stream->fd);
}

int stream_switch_reading(struct stream *stream, bool on)
{
    if ((on ? event_add(&stream->input, NULL) : event_del(&stream->input)) < 0)
        return -ENOMEM;
    stream->reading = on;
    return 0;
}

ssize_t stream_read(struct stream *stream, size_t limit, char **bytes)
{
    struct loop *loop = stream->loop;
    ssize_t count;
    do
        count = recv(stream->fd, loop->in, limit < loop->share ? limit : loop->share, 0);
    while (count < 0 && errno == EINTR);
    if (count >= (ssize_t)LOOP_PIECE)
        loop_divide(loop);
    *bytes = loop->in;
    return count < 0 ? -errno : count;
}

int stream_hold(struct stream *stream, const char *bytes, size_t length)
{
    if (!attach(stream))
        return -ENOMEM;
    /* A bufferevent lets nobody but itself add at the end of its input; in front is free. */
    return evbuffer_prepend(bufferevent_get_input(stream->bev), bytes, length) < 0 ? -ENOMEM : 0;
}

char *stream_held(struct stream *stream)
{
    return (char *)evbuffer_pullup(bufferevent_get_input(stream->bev), -1);
}

void stream_drop_held(struct stream *stream, size_t length)
{
    evbuffer_drain(bufferevent_get_input(stream->bev), length);
}

/* From here on the stream takes no output, and what was given to it last is lost. */
static void fail(struct stream *stream, int error, size_t length)
{
    stream->error = error;
    stream->lost += length;
}

/*
 * A bufferevent notices new output by itself, unless there was no memory for that when it was made,
 * or is none now to wait for the socket; and tells nobody. Enabling it once more does.
 */
static void queue(struct stream *stream, const char *bytes, size_t length)
{
    if (!attach(stream) || bufferevent_write(stream->bev, bytes, length) < 0)
        fail(stream, -ENOMEM, length);
    else if (bufferevent_enable(stream->bev, EV_WRITE) < 0)
        fail(stream, -ENOMEM, 0);
}

/* One try; 0 where the kernel takes nothing now, or -errno. */
static ssize_t send_some(struct stream *stream, const char *bytes, size_t length)
{
    ssize_t sent;
    do
        sent = send(stream->fd, bytes, length, MSG_NOSIGNAL);
    while (sent < 0 && errno == EINTR);
    if (sent < 0)
        return errno == EAGAIN || errno == EWOULDBLOCK ? 0 : -errno;
    return sent;
}

/* The way of all output. What is queued goes first: behind it, the rest has to queue too. */
static void send_or_queue(struct stream *stream, const char *bytes, size_t length)
{
    ssize_t sent = 0;
    stream->written += length;
    if (!stream->error && !stream->queue_only && stream_queued(stream) == 0) {
        sent = send_some(stream, bytes, length);
        if (sent == (ssize_t)length)
            return;
    }
    if (sent < 0)
        fail(stream, (int)sent, length);
    else if (stream->error)
        stream->lost += length;
    else
        queue(stream, bytes + sent, length - (size_t)sent);
}

void stream_push_out(struct stream *stream)
{
    struct loop *loop = stream->loop;
    size_t length = loop->out_length;
    loop->out_length = 0;
    send_or_queue(stream, loop->out, length);
}

void stream_write_around(struct stream *stream, const void *bytes, size_t length)
{
    if (stream->loop->out_length > 0)
        stream_push_out(stream);
    if (length <= LOOP_BUFFER)
        stream_write(stream, bytes, length);
    else
        send_or_queue(stream, bytes, length);
}

uint64_t stream_sent(const struct stream *stream)
{
    return stream->written - stream->lost - stream_queued(stream);
}

uint64_t stream_delivered(const struct stream *stream)
{
    uint64_t sent = stream_sent(stream);
    int waiting = 0; /* in the kernel; for a unix socket with the kernel's own overhead */
    if (ioctl(stream->fd, SIOCOUTQ, &waiting) < 0 || waiting < 0)
        return sent;
    return sent > (uint64_t)waiting ? sent - (uint64_t)waiting : 0;
}

void stream_finish(struct stream *stream)
{
    /* A socket that the client has already reset says ENOTCONN; the next read tells more. */
    (void)shutdown(stream->fd, SHUT_WR);
}
