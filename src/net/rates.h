/*
 * net/rates.h - how often an address comes: a token bucket for each, in a table of fixed size.
 *
 * A bucket holds as many tokens as the rate has in its period, and fills again evenly over one. A
 * bucket that is full again needs no place in the table, and nearly all of 8,000 that are not find
 * one. Whoever floods from more addresses at once is limited less, and nobody is limited more. The
 * caller locks.
 */
#ifndef BANTERD_NET_RATES_H
#define BANTERD_NET_RATES_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

#include "banter/protocol.h"

struct tally;

/* A set is what an address may be found in; a power of two of them. */
#define RATE_SETS 4096
#define RATE_WAYS 4

struct rate_bucket {
    struct in6_addr address;
    const struct tally *tally; /* of the listener; NULL in a place that was never taken */
    int64_t full_at;           /* nanoseconds */
};

/* All zero but for the seed. */
struct rates {
    uint64_t seed; /* random, so that nobody can choose addresses that share a set */
    struct rate_bucket buckets[RATE_SETS][RATE_WAYS];
};

/* Of an address and a listener; whoever does not know the seed cannot choose what it gives. */
uint64_t rates_hash(uint64_t seed, const struct tally *tally, const struct in6_addr *address);

/* Takes a token, at a time of clock_now(). False: there is none. */
__attribute__((warn_unused_result)) bool rates_take(struct rates *rates, const struct tally *tally,
                                                    const struct in6_addr *address,
                                                    const struct banter_rate *rate, int64_t now);

#endif
