/* server/generation.c - see generation.h. */
#include "server/generation.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "config/config.h"
#include "net/admission.h"
#include "net/endpoint.h"
#include "ops/log.h"

bool generation_has(const struct generation *generation, const struct endpoint *endpoint)
{
    for (size_t i = 0; generation && i < generation->seat_count; i++)
        if (generation->seats[i].endpoint == endpoint)
            return true;
    return false;
}

static const struct listener_config *listener_of(const struct generation *generation,
                                                 const struct seat *seat)
{
    return &generation->config->listeners[seat->listener];
}

/*
 * The endpoint of the generation before that stands for this address. "Any free port" is only
 * the same port again for the same listener, and only once.
 */
static struct endpoint *inherit(const struct generation *generation,
                                const struct generation *before,
                                const struct listener_config *listener,
                                const struct address *address)
{
    for (size_t i = 0; before && i < before->seat_count; i++) {
        const struct seat *seat = &before->seats[i];
        bool any_port = address->socket.any.sa_family != AF_UNIX && address_port(address) == 0;
        if (address_equal(&seat->endpoint->address, address) &&
            !generation_has(generation, seat->endpoint) &&
            (!any_port || strcmp(listener_of(before, seat)->name, listener->name) == 0))
            return seat->endpoint;
    }
    return NULL;
}

/* Whether the address is taken by an endpoint that goes with the generation before. */
static bool replaces(const struct generation *before, const struct address *address)
{
    for (size_t i = 0; before && i < before->seat_count; i++)
        if (address_overlaps(&before->seats[i].endpoint->address, address))
            return true;
    return false;
}

static bool take_seat(struct generation *generation, const struct generation *before,
                      size_t listener, const struct address *address, unsigned workers,
                      struct report *report)
{
    const struct listener_config *settings = &generation->config->listeners[listener];
    struct seat *seat = &generation->seats[generation->seat_count];
    const char *why;
    seat->listener = listener;
    seat->endpoint = inherit(generation, before, settings, address);
    seat->inherited = seat->endpoint;
    if (!seat->inherited &&
        endpoint_bind(address, workers, replaces(before, address), &seat->endpoint, &why) < 0) {
        char text[ADDRESS_TEXT];
        address_format(address, text);
        report_add(report, generation->config->path, settings->line,
                   "listener %s cannot listen on %s: %s", settings->name, text, why);
        return false;
    }
    generation->seat_count++;
    return true;
}

static bool take_seats(struct generation *generation, const struct generation *before,
                       unsigned workers, struct report *report)
{
    const struct config *config = generation->config;
    bool all = true;
    for (size_t i = 0; i < config->listener_count; i++)
        for (size_t j = 0; j < config->listeners[i].address_count; j++)
            if (!take_seat(generation, before, i, &config->listeners[i].addresses[j], workers,
                           report))
                all = false;
    return all;
}

/* Only once every socket is bound, so that no client gets into the queue of one that goes again. */
static bool listen_all(struct generation *generation, struct report *report)
{
    bool all = true;
    for (size_t i = 0; i < generation->seat_count; i++) {
        struct seat *seat = &generation->seats[i];
        int error = seat->inherited ? 0 : endpoint_listen(seat->endpoint);
        if (error) {
            const struct listener_config *listener = listener_of(generation, seat);
            report_add(report, generation->config->path, listener->line,
                       "listener %s cannot listen on %s: %s", listener->name, seat->endpoint->name,
                       strerror(-error));
            all = false;
        }
    }
    return all;
}

static bool take_tallies(struct generation *generation, struct admission *admission)
{
    const struct config *config = generation->config;
    for (size_t i = 0; i < config->listener_count; i++) {
        generation->tallies[i] = admission_tally(admission, config->listeners[i].name);
        if (!generation->tallies[i])
            return false;
    }
    return true;
}

struct generation *generation_new(struct config *config, const struct generation *before,
                                  unsigned workers, struct admission *admission,
                                  struct report *report)
{
    size_t seats = 0;
    for (size_t i = 0; i < config->listener_count; i++)
        seats += config->listeners[i].address_count;

    struct generation *generation = calloc(1, sizeof(*generation));
    if (!generation) {
        report_add(report, config->path, 0, "%s", strerror(ENOMEM));
        return NULL;
    }
    generation->number = before ? before->number + 1 : 1;
    generation->config = config_ref(config);
    generation->tallies = calloc(config->listener_count, sizeof(*generation->tallies));
    generation->seats = calloc(seats, sizeof(*generation->seats));
    if (!generation->tallies || !generation->seats || !take_tallies(generation, admission))
        report_add(report, config->path, 0, "%s", strerror(ENOMEM));
    else if (take_seats(generation, before, workers, report) && listen_all(generation, report))
        return generation;
    generation_free(generation, before);
    return NULL;
}

void generation_free(struct generation *generation, const struct generation *after)
{
    if (!generation)
        return;
    for (size_t i = 0; i < generation->seat_count; i++)
        if (!generation_has(after, generation->seats[i].endpoint))
            endpoint_free(generation->seats[i].endpoint);
    config_unref(generation->config);
    free(generation->tallies);
    free(generation->seats);
    free(generation);
}

void generation_announce(const struct generation *generation)
{
    for (size_t i = 0; i < generation->seat_count; i++) {
        const struct seat *seat = &generation->seats[i];
        const struct listener_config *listener = listener_of(generation, seat);
        if (!seat->inherited)
            log_event(LOG_NOTICE, "listening", log_text("listener", listener->name),
                      log_text("address", seat->endpoint->name),
                      log_text("protocol", listener->protocol->name));
    }
}
