/*
 * net/stream.h - the bytes of one client, both ways.
 *
 *     in:  recv() into the loop's buffer; what the client cannot take yet is held
 *     out: gathered in the loop's buffer; one send() a wake-up; the rest to the bufferevent
 *
 * Why not a bufferevent alone: libevent 2.1 reads at most 4096 bytes a wake-up, asks FIONREAD
 * before each read, allocates for each, and writes only after another turn through epoll. So a
 * stream reads and writes around its bufferevent, and the bufferevent has what it is good at: the
 * output that the kernel did not take, drained as the client reads, and the input that has to
 * wait. It is made when something first has to wait, and stays: most clients never need one, and
 * it is a kibibyte in a dozen cache lines.
 *
 * This is the one place that knows the way; a kind of socket that needs the bufferevent for both
 * directions differs here and nowhere else. A stream belongs to one client and one loop.
 */
#ifndef BANTERD_NET_STREAM_H
#define BANTERD_NET_STREAM_H

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/event_struct.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/types.h>

#include "net/loop.h"

/* What a stream tells its owner; the argument is the owner. */
struct stream_events {
    event_callback_fn readable;             /* stream_read() has something to say */
    void (*drained)(void *owner);           /* the output fell to the low mark, or was sent whole */
    void (*broken)(void *owner, int error); /* sending failed for good, with -errno */
};

/* What every wake-up touches stands first and together. */
struct stream {
    struct event input;
    struct loop *loop;
    struct bufferevent *bev; /* NULL while nothing has ever had to wait */
    int fd;
    int error; /* -errno of what went wrong when writing; nothing is sent any more */
    bool reading;
    bool queue_only;
    size_t high_mark;
    uint64_t written; /* bytes ever given to stream_write(), but for those still gathered */
    uint64_t lost;    /* bytes of these that no send will be tried for, after an error */
    const struct stream_events *events;
    void *owner;
};

/*
 * Takes over a connected, non-blocking socket. Reading is off. `high_mark`: output above which the
 * stream is full; drained() is called when it has fallen to half of it. `queue_only`: nothing is
 * sent at once, so that drained() follows every write. On failure (-errno) the socket is still the
 * caller's.
 */
__attribute__((warn_unused_result)) int stream_start(struct stream *stream, struct loop *loop,
                                                     int fd, const struct stream_events *events,
                                                     void *owner, size_t high_mark,
                                                     bool queue_only);

/*
 * To be called before stream_stop(): what the kernel has not sent yet is dropped, and the client
 * sees a reset in the place of an end.
 */
void stream_break(struct stream *stream);

/*
 * The other way: what the kernel has still to deliver is let go of when it has not moved for so
 * many milliseconds. System calls, as for stream_delivered().
 */
void stream_limit_rest(struct stream *stream, int64_t limit);

/* Closes the socket and lets go of everything; no event comes any more. */
void stream_stop(struct stream *stream);

/* Turns readable() on or off. 0 or -errno. */
__attribute__((warn_unused_result)) int stream_switch_reading(struct stream *stream, bool on);
__attribute__((warn_unused_result)) static inline int stream_set_reading(struct stream *stream,
                                                                         bool on)
{
    return stream->reading == on ? 0 : stream_switch_reading(stream, on);
}

/*
 * Reads once, at most `limit` bytes. Returns how many, 0 at the end of input, or -errno; -EAGAIN is
 * "not now". *bytes lies in the loop's buffer, until the next read of any of its streams.
 */
__attribute__((warn_unused_result)) ssize_t stream_read(struct stream *stream, size_t limit,
                                                        char **bytes);

/* Holds back input that was read and cannot be taken yet; nothing is held so far. 0 or -errno. */
__attribute__((warn_unused_result)) int stream_hold(struct stream *stream, const char *bytes,
                                                    size_t length);

/* How much input is held back. */
static inline size_t stream_held_length(const struct stream *stream)
{
    return stream->bev ? evbuffer_get_length(bufferevent_get_input(stream->bev)) : 0;
}

/* The held input in one piece, NULL when memory is out; drops the first `length` bytes of it. */
char *stream_held(struct stream *stream);
void stream_drop_held(struct stream *stream, size_t length);

/* Room for `length` more bytes of output, which the caller fills; NULL: there is none just now. */
static inline char *stream_reserve(struct stream *stream, size_t length)
{
    struct loop *loop = stream->loop;
    if (length > LOOP_BUFFER - loop->out_length)
        return NULL;
    char *room = loop->out + loop->out_length;
    loop->out_length += length;
    return room;
}

/* Makes room, and then writes. */
void stream_write_around(struct stream *stream, const void *bytes, size_t length);

/* Gathers output; it is copied. Errors are told by the next stream_flush(). */
static inline void stream_write(struct stream *stream, const void *bytes, size_t length)
{
    char *room = stream_reserve(stream, length);
    if (room)
        memcpy(room, bytes, length);
    else
        stream_write_around(stream, bytes, length);
}

/* Sends what was gathered, and queues what the kernel does not take. 0 or -errno. */
void stream_push_out(struct stream *stream);
__attribute__((warn_unused_result)) static inline int stream_flush(struct stream *stream)
{
    if (stream->loop->out_length > 0)
        stream_push_out(stream);
    return stream->error;
}

/* How much of the output the kernel has left over so far. */
static inline size_t stream_queued(const struct stream *stream)
{
    return stream->bev ? evbuffer_get_length(bufferevent_get_output(stream->bev)) : 0;
}

/* How much of the output waits to be taken by the kernel, and how much it has taken. */
static inline size_t stream_pending(const struct stream *stream)
{
    return stream->loop->out_length + stream_queued(stream);
}

uint64_t stream_sent(const struct stream *stream);

/* Whether so much output waits that the stream should be given no reason for more. */
static inline bool stream_full(const struct stream *stream)
{
    return stream_pending(stream) > stream->high_mark;
}

/* How much of what was sent has reached the other side: a system call, not for every day. */
uint64_t stream_delivered(const struct stream *stream);

/* Half-close: the client sees the end of input once it has read everything. */
void stream_finish(struct stream *stream);

#endif
