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

#include "server/passed.h"
#include "text/report.h"

struct admission;
struct config;
struct endpoint;
struct tally;

/* One endpoint, and the listener that it belongs to. */
struct binding {
    struct endpoint *endpoint;
    size_t listener; /* in config->listeners */
    bool listens;    /* already: inherited, or passed */
};

struct generation {
    unsigned number;        /* from 1 */
    struct config *config;  /* a reference */
    struct tally **tallies; /* one a listener */
    struct binding *bindings;
    size_t binding_count;
};

/* What all generations of one server share. */
struct lineage {
    unsigned workers; /* so many sockets has each endpoint */
    struct admission *admission;
    struct passed passed; /* go before the addresses of the listeners that they are named after */
};

/*
 * The configuration must have a listener for each passed socket, see passed_check(). Binds and
 * listens on what `before` (may be NULL) does not have. NULL, with the endpoint and the
 * reason in the report, when anything fails; `before` is untouched in every case. Takes a reference
 * to the configuration.
 */
struct generation *generation_new(const struct lineage *lineage, struct config *config,
                                  const struct generation *before, struct report *report);

/*
 * Frees the generation and those of its endpoints that `after` (may be NULL) does not have. Passed
 * ones stay with the lineage.
 */
void generation_free(struct generation *generation, const struct generation *after);

/* Logs `listening` for each endpoint that is new, or has another listener than `before`. */
void generation_announce(const struct generation *generation, const struct generation *before);

/* Removes the files of the unix sockets that `after` (may be NULL) does not have. */
void generation_unlink(const struct generation *generation, const struct generation *after);

/* Whether the endpoint is one of this generation's. */
bool generation_has(const struct generation *generation, const struct endpoint *endpoint);

#endif
