/*
 * net/loop.h - what the clients of one worker share: the event base, the buffers, the deadlines.
 *
 * Owned by the worker, used by its thread alone.
 */
#ifndef BANTERD_NET_LOOP_H
#define BANTERD_NET_LOOP_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "net/deadlines.h"

struct acceptor;
struct admission;
struct banter_client;
struct event_base;

/* One read takes at most this much, and as much is gathered for one send. */
#define LOOP_BUFFER ((size_t)64 * 1024)

/*
 * When many clients send much at the same time, each is read in smaller pieces, so that a turn of
 * the loop, for which a client with a short line waits, stays short: about so much for all
 * together, and never less than a piece for each.
 */
#define LOOP_SHARED ((size_t)512 * 1024)
#define LOOP_PIECE ((size_t)4 * 1024)

struct loop {
    struct event_base *base;
    struct deadlines *deadlines;
    struct admission *admission; /* shared by all workers */

    struct banter_client *clients;      /* all that live here */
    struct acceptor *leaving;           /* those that go, and have a queue yet */
    void (*emptied)(struct loop *loop); /* the last of the ones or the others has gone */

    uint64_t random; /* the state of banter_random() */

    /* Whom it is serving; texts that outlive the loop. The protocol is NULL between two events. */
    _Atomic(const char *) listener;
    _Atomic(const char *) protocol;

    /*
     * `in` is where reads go, and lines are handed over from there in place. `out` gathers the
     * answers of the one client that is being served; it is empty between two wake-ups.
     */
    size_t out_length;
    size_t share; /* of one read, LOOP_PIECE to LOOP_BUFFER */
    int waiting;  /* events of this turn that were left at the last look */
    char in[LOOP_BUFFER];
    char out[LOOP_BUFFER];
};

/* Makes the event base and the deadlines; the rest of the loop is zero. 0 or -errno. */
__attribute__((warn_unused_result)) int loop_init(struct loop *loop, struct admission *admission);

/* The clients must have gone; a loop that was never made, or half, is fine. */
void loop_fini(struct loop *loop);

/* An event base of one thread: no locks, and nothing taken from the environment. NULL: errno. */
struct event_base *loop_base_new(void);

/*
 * Around the service of one client: notes what the thread is busy with, for a watchdog that looks
 * from another thread. The texts must live as long as the process.
 */
static inline void loop_busy(struct loop *loop, const char *listener, const char *protocol)
{
    atomic_store_explicit(&loop->listener, listener, memory_order_relaxed);
    atomic_store_explicit(&loop->protocol, protocol, memory_order_relaxed);
}

static inline void loop_idle(struct loop *loop)
{
    atomic_store_explicit(&loop->protocol, NULL, memory_order_relaxed);
}

/*
 * What the loop is busy with; false: nothing. Any thread. Of a loop that turns, the two texts may
 * be of different clients; of one that hangs, they are of the one that it hangs in.
 */
bool loop_serving(const struct loop *loop, const char **listener, const char **protocol);

/* Looks how many are waiting; to be called where a read was as large as a piece. */
void loop_divide(struct loop *loop);

/* A random number from 0 to bound - 1; not for secrets. */
uint32_t loop_random(struct loop *loop, uint32_t bound);

#endif
