/*
 * server/generation.h - a configuration with its sockets: what one reload puts in place.
 *
 * A generation takes over the endpoints of the one before it that it also has, and binds the rest;
 * all of them or none. Made and freed by the main thread, read by workers between adoption and the
 * next one.
 */
#ifndef BANTERD_SERVER_GENERATION_H
#define BANTERD_SERVER_GENERATION_H

#include <stdbool.h>
#include <stddef.h>

#include "text/report.h"

struct admission;
struct config;
struct endpoint;
struct tally;

/* One endpoint, and the listener that it belongs to. */
struct binding {
    struct endpoint *endpoint;
    size_t listener; /* in config->listeners */
    bool inherited;
};

struct generation {
    unsigned number;        /* from 1 */
    struct config *config;  /* a reference */
    struct tally **tallies; /* one a listener */
    struct binding *bindings;
    size_t binding_count;
};

/*
 * Binds and listens on what `before` (may be NULL) does not have. `workers` sockets for each
 * endpoint. NULL, with the endpoint and the reason in the report, when anything fails; `before` is
 * untouched in every case. Takes a reference to the configuration.
 */
struct generation *generation_new(struct config *config, const struct generation *before,
                                  unsigned workers, struct admission *admission,
                                  struct report *report);

/* Frees the generation and those of its endpoints that `after` (may be NULL) does not have. */
void generation_free(struct generation *generation, const struct generation *after);

/* Logs `listening` for each endpoint that is new, or has another listener than `before`. */
void generation_announce(const struct generation *generation, const struct generation *before);

/* Removes the files of the unix sockets that `after` (may be NULL) does not have. */
void generation_unlink(const struct generation *generation, const struct generation *after);

/* Whether the endpoint is one of this generation's. */
bool generation_has(const struct generation *generation, const struct endpoint *endpoint);

#endif
