/*
 * net/listener.h - one worker's share of a listener: what its clients have in common.
 *
 * A listener belongs to one configuration; its clients keep it, and with it the configuration, for
 * as long as they live. So a reload changes nothing for those who are in.
 */
#ifndef BANTERD_NET_LISTENER_H
#define BANTERD_NET_LISTENER_H

#include <stddef.h>

struct config;
struct listener_config;
struct loop;
struct tally;

struct listener {
    struct loop *loop;
    struct config *config; /* a reference */
    const struct listener_config *settings;
    struct tally *tally;
    const char *name;  /* the tally's: it outlives the configuration */
    size_t references; /* the worker's own, its acceptors, its clients */
};

/* Takes a reference to the configuration. NULL when memory is out. */
struct listener *listener_new(struct loop *loop, struct config *config,
                              const struct listener_config *settings, struct tally *tally);

struct listener *listener_ref(struct listener *listener);

/* The last one frees it; NULL is fine. */
void listener_unref(struct listener *listener);

#endif
