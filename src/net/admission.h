/*
 * net/admission.h - who may come in: one function, one verdict.
 *
 * Counts the clients of the whole server, of each listener and of each address, and how often an
 * address comes. Shared by all workers; asked once a connection, never on the way of the bytes.
 */
#ifndef BANTERD_NET_ADMISSION_H
#define BANTERD_NET_ADMISSION_H

#include <netinet/in.h>
#include <stddef.h>
#include <sys/socket.h>

#include "banter/protocol.h"

struct admission;
struct config;
struct listener_config;
struct tally;

/* Where a client connects from; a unix client has no address. */
union peer {
    struct sockaddr any;
    struct sockaddr_in in;
    struct sockaddr_in6 in6;
};

/* NULL with errno when memory is out, or there is no randomness. */
struct admission *admission_new(void);

/* All clients must have left; NULL is fine. */
void admission_free(struct admission *admission);

/*
 * The count of a listener's clients, by its name, so that it goes on over reloads. Lives as long
 * as the admission. Main thread only. NULL when memory is out.
 */
struct tally *admission_tally(struct admission *admission, const char *listener);

/* The listener's name; lives as long as the tally. Any thread. */
const char *tally_name(const struct tally *tally);

/* 0: admitted, and to be counted out by admission_leave(); or the reason of the refusal. */
__attribute__((warn_unused_result)) enum banter_reason
admission_enter(struct admission *admission, const struct config *config,
                const struct listener_config *listener, struct tally *tally,
                const union peer *peer);

/* Takes the arguments that the client was admitted with. */
void admission_leave(struct admission *admission, const struct listener_config *listener,
                     struct tally *tally, const union peer *peer);

/* How many clients there are. */
size_t admission_clients(const struct admission *admission);

#endif
