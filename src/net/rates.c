/*
 * net/rates.c - see rates.h.
 *
 * A bucket is one number: the time at which it will be full (GCRA, as in ATM's traffic management).
 * A token taken moves it by the time that a token takes to fill in, and it may lie one period
 * ahead at most.
 */
#include "net/rates.h"

#include <string.h>

#include "text/mix.h"

/* In a millisecond: fine enough for the time that a token takes at any rate. */
#define NANOSECONDS 1000000

uint64_t rates_hash(uint64_t seed, const struct tally *tally, const struct in6_addr *address)
{
    uint64_t words[2]; /* the last ones of an IPv4 address are high bits of the second */
    memcpy(words, address, sizeof(words));
    return mix(mix(mix(seed ^ (uintptr_t)tally) ^ words[0]) ^ words[1]);
}

/* The bucket of that address, or the one to become it: the one that is full the soonest. */
static struct rate_bucket *find(struct rate_bucket *set, const struct tally *tally,
                                const struct in6_addr *address)
{
    struct rate_bucket *soonest = set;
    for (struct rate_bucket *bucket = set; bucket < set + RATE_WAYS; bucket++) {
        if (bucket->tally == tally && memcmp(&bucket->address, address, sizeof(*address)) == 0)
            return bucket;
        if (bucket->full_at < soonest->full_at)
            soonest = bucket;
    }
    *soonest = (struct rate_bucket){.address = *address, .tally = tally};
    return soonest;
}

bool rates_take(struct rates *rates, const struct tally *tally, const struct in6_addr *address,
                const struct banter_rate *rate, int64_t now)
{
    struct rate_bucket *bucket =
        find(rates->buckets[rates_hash(rates->seed, tally, address) % RATE_SETS], tally, address);
    int64_t period = rate->period * NANOSECONDS;
    int64_t moment = now * NANOSECONDS;
    if (bucket->full_at < moment)
        bucket->full_at = moment;
    if (bucket->full_at > moment + period) /* by a slower rate, before a reload */
        bucket->full_at = moment + period;
    int64_t full_at = bucket->full_at + period / rate->count;
    if (full_at > moment + period)
        return false;
    bucket->full_at = full_at;
    return true;
}
