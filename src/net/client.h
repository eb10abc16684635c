/*
 * net/client.h - the life of one connection, from accept to the line in the log.
 *
 *     accepted -> refused
 *              -> OPEN -> ENDING -> FLUSHING -> LINGERING -> GONE
 *
 * OPEN       input goes to the protocol; paused by itself while more output waits than max-output
 * ENDING     the end was asked for; the callback that asked may still be running
 * FLUSHING   the farewell is said, and the rest of the output is on its way
 * LINGERING  our side of the connection is closed; the client has a moment to close its own, since
 *            closing with input unread would reset the connection and could destroy our last words
 * GONE       to be freed as soon as the event is over that led here
 *
 * client_close() is the one way to the end, and every event ends in settle(), the one place where
 * a client sends, pauses, moves on and is freed: never under a running callback.
 */
#ifndef BANTERD_NET_CLIENT_H
#define BANTERD_NET_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "banter/protocol.h"
#include "net/admission.h"
#include "net/deadlines.h"
#include "net/stream.h"
#include "text/line.h"
#include "text/telnet.h"

struct listener;
struct loop;

enum client_state { CLIENT_OPEN, CLIENT_ENDING, CLIENT_FLUSHING, CLIENT_LINGERING, CLIENT_GONE };

/*
 * The host's side of the protocol's handle. Owned by its loop, used by that thread alone. What each
 * wake-up touches stands first: with many clients the memory is what a wake-up waits for.
 */
struct banter_client {
    struct stream stream;
    enum client_state state : 8;
    enum banter_reason reason : 8;
    bool input_ended;          /* the client has half-closed, or more */
    bool output_on_its_way;    /* not all had been delivered at the last look */
    struct listener *listener; /* a reference: its limits and settings, as they were at accept */
    struct telnet *telnet;     /* NULL where telnet is off */
    void *session;             /* the protocol's; NULL where it wants none */
    uint64_t received;
    uint64_t lines;

    /* Milliseconds of clock_now(). */
    int64_t active;     /* the last byte, either way */
    int64_t line_begun; /* the first byte of the unfinished line; 0: there is none */

    uint64_t output_mark; /* to be delivered within write-timeout; 0: nothing waits */
    struct deadline deadline;
    struct line_framer framer;

    struct banter_client *next; /* all clients of the loop */
    struct banter_client **link;
    int64_t opened;
    int64_t output_since;    /* when output_mark was set */
    int64_t ending_since;    /* when the present state began, unless it is OPEN */
    uint64_t delivered_seen; /* stream_delivered() at the last look */
    uint64_t id;
    union peer remote;

    max_align_t block[]; /* the session, then the telnet state */
};

/* Takes over an accepted, non-blocking socket: greets, or refuses and closes it. */
void client_start(struct listener *listener, int fd, const union peer *peer);

/*
 * Ends a client; the first reason given counts. It takes effect when the current event settles, so
 * the client is still there for the caller. Some reasons (reset, write-timeout, error) also cut
 * short an end that is under way.
 */
void client_close(struct banter_client *client, enum banter_reason reason);

/* Whether input goes to the protocol: the client is open, and takes its output (back-pressure). */
static inline bool client_listens(const struct banter_client *client)
{
    return client->state == CLIENT_OPEN && !stream_full(&client->stream);
}

/*
 * Says goodbye to every client of the loop, in the ordinary way; they take their time to go. False:
 * it has been at it for a while, and is to be called again when the loop has turned.
 */
__attribute__((warn_unused_result)) bool clients_dismiss(struct loop *loop,
                                                         enum banter_reason reason);

/* Ends every client of the loop: nothing is waited for, and all are freed. False: as above. */
__attribute__((warn_unused_result)) bool clients_abort(struct loop *loop,
                                                       enum banter_reason reason);

#endif
