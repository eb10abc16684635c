/* net/admission.c - see admission.h. */
#include "net/admission.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "config/config.h"
#include "net/rates.h"
#include "ops/clock.h"

#define BUCKETS 4096

struct tally {
    struct tally *next;
    atomic_size_t clients;
    char name[];
};

/* The clients that one listener has from one address. */
struct crowd {
    struct crowd *next;
    struct tally *tally;
    struct in6_addr address;
    int64_t clients;
};

struct admission {
    atomic_size_t clients;
    struct tally *tallies; /* main thread only */
    pthread_mutex_t mutex; /* guards the rest */
    struct crowd *crowds[BUCKETS];
    struct rates rates; /* half a MiB, of which memory is only what was touched */
};

struct admission *admission_new(void)
{
    struct admission *admission = calloc(1, sizeof(*admission));
    if (!admission)
        return NULL;
    uint64_t *seed = &admission->rates.seed;
    ssize_t count = getrandom(seed, sizeof(*seed), 0); /* so few bytes come whole, or not at all */
    int error = count < 0 ? errno : pthread_mutex_init(&admission->mutex, NULL);
    if (error) {
        free(admission);
        errno = error;
        return NULL;
    }
    return admission;
}

void admission_free(struct admission *admission)
{
    if (!admission)
        return;
    while (admission->tallies) {
        struct tally *tally = admission->tallies;
        admission->tallies = tally->next;
        free(tally);
    }
    pthread_mutex_destroy(&admission->mutex);
    free(admission);
}

struct tally *admission_tally(struct admission *admission, const char *listener)
{
    struct tally *tally;
    for (tally = admission->tallies; tally; tally = tally->next)
        if (strcmp(tally->name, listener) == 0)
            return tally;
    size_t size = strlen(listener) + 1;
    tally = calloc(1, sizeof(*tally) + size);
    if (!tally)
        return NULL;
    memcpy(tally->name, listener, size);
    tally->next = admission->tallies;
    admission->tallies = tally;
    return tally;
}

const char *tally_name(const struct tally *tally)
{
    return tally->name;
}

/*
 * What counts as one address: an IPv4 address, or the /64 of an IPv6 one, since a host can pick
 * any address in its own /64. False for a unix client.
 */
static bool address_of(const union peer *peer, struct in6_addr *address)
{
    *address = (struct in6_addr){.s6_addr = {0}};
    if (peer->any.sa_family == AF_INET) {
        memset(address->s6_addr + 10, 0xff, 2);
        memcpy(address->s6_addr + 12, &peer->in.sin_addr, 4);
    } else if (peer->any.sa_family == AF_INET6) {
        size_t significant = IN6_IS_ADDR_V4MAPPED(&peer->in6.sin6_addr) ? 16 : 8;
        memcpy(address, &peer->in6.sin6_addr, significant);
    } else {
        return false;
    }
    return true;
}

/* The link to the crowd, or to where it would be; under the mutex. */
static struct crowd **find_crowd(struct admission *admission, const struct tally *tally,
                                 const struct in6_addr *address)
{
    uint64_t hash = rates_hash(admission->rates.seed, tally, address);
    struct crowd **link = &admission->crowds[hash % BUCKETS];
    while (*link && ((*link)->tally != tally || memcmp(&(*link)->address, address, 16) != 0))
        link = &(*link)->next;
    return link;
}

/* Under the mutex. */
static enum banter_reason enter_crowd(struct admission *admission, struct tally *tally,
                                      const struct in6_addr *address, int64_t max)
{
    enum banter_reason verdict = 0;
    struct crowd **link = find_crowd(admission, tally, address);
    struct crowd *crowd = *link;
    if (!crowd) {
        crowd = calloc(1, sizeof(*crowd));
        if (crowd) {
            crowd->tally = tally;
            crowd->address = *address;
            *link = crowd;
        }
    }
    if (!crowd)
        verdict = BANTER_ERROR;
    else if (crowd->clients >= max)
        verdict = BANTER_ADDRESS_LIMIT;
    else
        crowd->clients++;
    return verdict;
}

/* What the address itself has to do with it. */
static enum banter_reason enter_address(struct admission *admission,
                                        const struct listener_config *listener, struct tally *tally,
                                        const union peer *peer)
{
    const struct banter_rate *rate = &listener->connect_rate;
    int64_t max = listener->max_clients_per_address;
    enum banter_reason verdict = 0;
    struct in6_addr address;
    if ((rate->count == 0 && max == 0) || !address_of(peer, &address))
        return 0;
    pthread_mutex_lock(&admission->mutex);
    if (rate->count > 0 && !rates_take(&admission->rates, tally, &address, rate, clock_now()))
        verdict = BANTER_CONNECT_RATE;
    else if (max > 0)
        verdict = enter_crowd(admission, tally, &address, max);
    pthread_mutex_unlock(&admission->mutex);
    return verdict;
}

static void leave_crowd(struct admission *admission, struct tally *tally,
                        const struct in6_addr *address)
{
    pthread_mutex_lock(&admission->mutex);
    struct crowd **link = find_crowd(admission, tally, address);
    struct crowd *crowd = *link;
    if (crowd && --crowd->clients == 0) {
        *link = crowd->next;
        free(crowd);
    }
    pthread_mutex_unlock(&admission->mutex);
}

/* Counts one in, unless that would make more than max (0: no limit). */
static bool count_in(atomic_size_t *count, int64_t max)
{
    size_t before = atomic_fetch_add_explicit(count, 1, memory_order_relaxed);
    if (max == 0 || before < (size_t)max)
        return true;
    atomic_fetch_sub_explicit(count, 1, memory_order_relaxed);
    return false;
}

static void count_out(atomic_size_t *count)
{
    atomic_fetch_sub_explicit(count, 1, memory_order_relaxed);
}

enum banter_reason admission_enter(struct admission *admission, const struct config *config,
                                   const struct listener_config *listener, struct tally *tally,
                                   const union peer *peer)
{
    enum banter_reason verdict = BANTER_SERVER_FULL;
    if (!count_in(&admission->clients, config->max_clients))
        return verdict;
    if (!count_in(&tally->clients, listener->max_clients))
        goto full;
    verdict = enter_address(admission, listener, tally, peer);
    if (!verdict)
        return 0;

    count_out(&tally->clients);
full:
    count_out(&admission->clients);
    return verdict;
}

void admission_leave(struct admission *admission, const struct listener_config *listener,
                     struct tally *tally, const union peer *peer)
{
    struct in6_addr address;
    if (listener->max_clients_per_address > 0 && address_of(peer, &address))
        leave_crowd(admission, tally, &address);
    count_out(&tally->clients);
    count_out(&admission->clients);
}

size_t admission_clients(const struct admission *admission)
{
    return atomic_load_explicit(&admission->clients, memory_order_relaxed);
}
