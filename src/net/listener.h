/*
 * net/listener.h - one worker's share of a listener: accepts clients and hands them to client.h.
 *
 * A listener belongs to one configuration; its clients keep it, and with it the configuration, for
 * as long as they live. An acceptor is one listening socket of the worker; it stays over a reload,
 * and is given the listener of the new configuration.
 */
#ifndef BANTERD_NET_LISTENER_H
#define BANTERD_NET_LISTENER_H

#include <stddef.h>

struct config;
struct endpoint;
struct listener_config;
struct loop;
struct tally;

struct listener {
    struct loop *loop;
    struct config *config; /* a reference */
    const struct listener_config *settings;
    struct tally *tally;
    size_t references; /* the worker's own, its acceptors, its clients */
};

/* Takes a reference to the configuration. NULL when memory is out. */
struct listener *listener_new(struct loop *loop, struct config *config,
                              const struct listener_config *settings, struct tally *tally);

struct listener *listener_ref(struct listener *listener);

/* The last one frees it; NULL is fine. */
void listener_unref(struct listener *listener);

struct acceptor;

/* Starts to accept on the endpoint's socket of this worker. NULL when memory is out. */
struct acceptor *acceptor_new(struct endpoint *endpoint, unsigned worker,
                              struct listener *listener);

/* New clients belong to this listener from now on. */
void acceptor_assign(struct acceptor *acceptor, struct listener *listener);

const struct endpoint *acceptor_endpoint(const struct acceptor *acceptor);

/* Frees an acceptor that was never to be used after all; the socket stays open. NULL is fine. */
void acceptor_abandon(struct acceptor *acceptor);

/* Accepts who is waiting in the queue, closes this worker's socket, frees; NULL is fine. */
void acceptor_free(struct acceptor *acceptor);

#endif
