/*
 * net/acceptor.h - one listening socket of one worker: accepts clients for a listener.
 *
 * An acceptor stays over a reload, and is given the listener of the new configuration. Belongs to
 * the worker.
 */
#ifndef BANTERD_NET_ACCEPTOR_H
#define BANTERD_NET_ACCEPTOR_H

struct endpoint;
struct listener;

struct acceptor;

/* Starts to accept on the endpoint's socket of this worker. NULL when memory is out. */
struct acceptor *acceptor_new(struct endpoint *endpoint, unsigned worker,
                              struct listener *listener);

/* New clients belong to this listener from now on. */
void acceptor_assign(struct acceptor *acceptor, struct listener *listener);

const struct endpoint *acceptor_endpoint(const struct acceptor *acceptor);

/* Frees an acceptor that was never to be used after all; the socket stays open. NULL is fine. */
void acceptor_abandon(struct acceptor *acceptor);

/*
 * Accepts who is waiting in the queue, in pieces between which the loop turns; then closes this
 * worker's socket, frees, and tells loop->emptied(). Meanwhile it is in loop->leaving. A shortage
 * is waited out for a second; who is in the queue then is cut off, and the log says so. The queue
 * of a passed socket is left as it is: it outlives us. NULL is fine.
 */
void acceptor_leave(struct acceptor *acceptor);

/* Closes this worker's socket, whoever waits there, and frees. NULL is fine. */
void acceptor_close(struct acceptor *acceptor);

#endif
