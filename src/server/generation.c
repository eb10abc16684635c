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
    for (size_t i = 0; generation && i < generation->binding_count; i++)
        if (generation->bindings[i].endpoint == endpoint)
            return true;
    return false;
}

static const struct listener_config *listener_of(const struct generation *generation,
                                                 const struct binding *binding)
{
    return &generation->config->listeners[binding->listener];
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
    for (size_t i = 0; before && i < before->binding_count; i++) {
        const struct binding *binding = &before->bindings[i];
        bool any_port = address->socket.any.sa_family != AF_UNIX && address_port(address) == 0;
        if (!binding->endpoint->passed &&
            (address_equal(&binding->endpoint->address, address) ||
             address_equal(&binding->endpoint->bound, address)) &&
            !generation_has(generation, binding->endpoint) &&
            !endpoint_has_gone(binding->endpoint) &&
            (!any_port || strcmp(listener_of(before, binding)->name, listener->name) == 0))
            return binding->endpoint;
    }
    return NULL;
}

/* Whether the address is taken by an endpoint that goes with the generation before. */
static bool replaces(const struct generation *before, const struct address *address)
{
    for (size_t i = 0; before && i < before->binding_count; i++)
        if (!before->bindings[i].endpoint->passed &&
            address_overlaps(&before->bindings[i].endpoint->bound, address))
            return true;
    return false;
}

static bool bind_one(const struct lineage *lineage, struct generation *generation,
                     const struct generation *before, size_t listener,
                     const struct address *address, struct report *report)
{
    const struct listener_config *settings = &generation->config->listeners[listener];
    struct binding *binding = &generation->bindings[generation->binding_count];
    const char *why;
    binding->listener = listener;
    binding->endpoint = inherit(generation, before, settings, address);
    binding->listens = binding->endpoint != NULL;
    if (!binding->listens && endpoint_bind(address, lineage->workers, replaces(before, address),
                                           &binding->endpoint, &why) < 0) {
        char text[ADDRESS_TEXT];
        address_format(address, text);
        report_add(report, generation->config->path, settings->line,
                   "listener %s cannot listen on %s: %s%s", settings->name, text, why,
                   lineage->passed.count > 0 ? "; no socket was passed for it" : "");
        return false;
    }
    generation->binding_count++;
    return true;
}

/* Gives the listener the sockets that were passed for it. */
static void bind_passed(const struct passed *passed, struct generation *generation, size_t listener)
{
    const char *name = generation->config->listeners[listener].name;
    for (size_t i = 0; i < passed->count; i++)
        if (strcmp(passed->sockets[i].name, name) == 0)
            generation->bindings[generation->binding_count++] = (struct binding){
                .endpoint = passed->sockets[i].endpoint, .listener = listener, .listens = true};
}

static bool bind_all(const struct lineage *lineage, struct generation *generation,
                     const struct generation *before, struct report *report)
{
    const struct config *config = generation->config;
    bool all = true;
    for (size_t i = 0; i < config->listener_count; i++) {
        const struct listener_config *listener = &config->listeners[i];
        if (passed_count(&lineage->passed, listener->name) > 0) {
            bind_passed(&lineage->passed, generation, i);
            continue;
        }
        for (size_t j = 0; j < listener->address_count; j++)
            if (!bind_one(lineage, generation, before, i, &listener->addresses[j], report))
                all = false;
    }
    return all;
}

/* Only once every socket is bound, so that no client gets into the queue of one that goes again. */
static bool listen_all(struct generation *generation, struct report *report)
{
    bool all = true;
    for (size_t i = 0; i < generation->binding_count; i++) {
        struct binding *binding = &generation->bindings[i];
        int error = binding->listens ? 0 : endpoint_listen(binding->endpoint);
        if (error) {
            const struct listener_config *listener = listener_of(generation, binding);
            report_add(report, generation->config->path, listener->line,
                       "listener %s cannot listen on %s: %s", listener->name,
                       binding->endpoint->name, strerror(-error));
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

/* No fewer bindings than the generation can have. */
static size_t count_bindings(const struct lineage *lineage, const struct config *config)
{
    size_t count = lineage->passed.count;
    for (size_t i = 0; i < config->listener_count; i++)
        count += config->listeners[i].address_count;
    return count;
}

struct generation *generation_new(const struct lineage *lineage, struct config *config,
                                  const struct generation *before, struct report *report)
{
    struct generation *generation = calloc(1, sizeof(*generation));
    if (!generation) {
        report_add(report, config->path, 0, "%s", strerror(ENOMEM));
        return NULL;
    }
    generation->number = before ? before->number + 1 : 1;
    generation->config = config_ref(config);
    generation->tallies = calloc(config->listener_count, sizeof(*generation->tallies));
    generation->bindings = calloc(count_bindings(lineage, config), sizeof(*generation->bindings));
    if (!generation->tallies || !generation->bindings ||
        !take_tallies(generation, lineage->admission))
        report_add(report, config->path, 0, "%s", strerror(ENOMEM));
    else if (bind_all(lineage, generation, before, report) && listen_all(generation, report))
        return generation;
    generation_free(generation, before);
    return NULL;
}

void generation_free(struct generation *generation, const struct generation *after)
{
    if (!generation)
        return;
    for (size_t i = 0; i < generation->binding_count; i++) {
        struct endpoint *endpoint = generation->bindings[i].endpoint;
        if (!endpoint->passed && !generation_has(after, endpoint))
            endpoint_free(endpoint);
    }
    config_unref(generation->config);
    free(generation->tallies);
    free(generation->bindings);
    free(generation);
}

/* Whether the generation before said the same of this endpoint: the listener, and the protocol. */
static bool is_known(const struct generation *before, const struct listener_config *listener,
                     const struct endpoint *endpoint)
{
    for (size_t i = 0; before && i < before->binding_count; i++) {
        const struct listener_config *other = listener_of(before, &before->bindings[i]);
        if (before->bindings[i].endpoint == endpoint)
            return strcmp(other->name, listener->name) == 0 &&
                   strcmp(other->protocol->name, listener->protocol->name) == 0;
    }
    return false;
}

void generation_announce(const struct generation *generation, const struct generation *before)
{
    for (size_t i = 0; i < generation->binding_count; i++) {
        const struct binding *binding = &generation->bindings[i];
        const struct listener_config *listener = listener_of(generation, binding);
        if (!is_known(before, listener, binding->endpoint))
            log_event(LOG_NOTICE, "listening", log_text("listener", listener->name),
                      log_text("address", binding->endpoint->name),
                      log_text("protocol", listener->protocol->name));
    }
}

void generation_unlink(const struct generation *generation, const struct generation *after)
{
    for (size_t i = 0; i < generation->binding_count; i++)
        if (!generation_has(after, generation->bindings[i].endpoint))
            endpoint_unlink(generation->bindings[i].endpoint);
}
