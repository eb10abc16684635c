/* server/worker.c - see worker.h. All but the orders and the life-cycle runs on the worker. */
#include "server/worker.h"

#include <errno.h>
#include <event2/event.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/config.h"
#include "net/acceptor.h"
#include "net/client.h"
#include "net/endpoint.h"
#include "net/listener.h"
#include "net/loop.h"
#include "ops/clock.h"
#include "ops/log.h"
#include "ops/thread.h"
#include "server/generation.h"
#include "server/watchdog.h"

/* When memory is short, a new generation is tried again after so long. */
#define ADOPT_RETRY_MS 100

struct worker {
    struct loop loop;
    unsigned number;
    pthread_t thread;
    struct mailbox mailbox;

    const struct generation *generation; /* to be adopted, or adopted */
    struct deadline adopt_retry;
    struct listener **listeners; /* one a listener of the generation */
    struct acceptor **acceptors; /* one a binding of the generation */
    size_t listener_count;
    size_t acceptor_count;
    bool delayed;  /* the generation could not be adopted yet */
    bool adopting; /* it has been, and the acceptors that it has not are leaving */
    bool draining; /* and the last client is waited for */

    struct letter adopt, drain, dismiss, stop; /* orders */
    struct letter adopted, emptied, ended;     /* reports */
    struct worker_reports reports;
    bool has_ended; /* the main thread's */

    char name[24];
    struct watched watched;
};

/* --- a generation -------------------------------------------------------------------------- */

/* The worker's part of a generation, in the making. */
struct adoption {
    struct listener **listeners;
    struct acceptor **acceptors; /* NULL where the worker has the acceptor already */
    size_t listener_count;
    size_t acceptor_count;
};

static struct acceptor **find_acceptor(const struct worker *worker, const struct endpoint *endpoint)
{
    for (size_t i = 0; i < worker->acceptor_count; i++)
        if (worker->acceptors[i] && acceptor_endpoint(worker->acceptors[i]) == endpoint)
            return &worker->acceptors[i];
    return NULL;
}

/* Drops a half-made adoption, leaving the sockets alone. */
static void abandon(struct adoption *adoption)
{
    for (size_t i = 0; adoption->acceptors && i < adoption->acceptor_count; i++)
        acceptor_abandon(adoption->acceptors[i]);
    for (size_t i = 0; adoption->listeners && i < adoption->listener_count; i++)
        listener_unref(adoption->listeners[i]);
    free(adoption->acceptors);
    free(adoption->listeners);
}

/* Makes everything that takes memory, without touching what the worker has. */
static bool prepare(struct worker *worker, struct adoption *adoption)
{
    const struct generation *generation = worker->generation;
    struct config *config = generation->config;
    *adoption = (struct adoption){.listener_count = config->listener_count,
                                  .acceptor_count = generation->binding_count};
    adoption->listeners = calloc(config->listener_count, sizeof(*adoption->listeners));
    adoption->acceptors = calloc(generation->binding_count, sizeof(*adoption->acceptors));
    if (!adoption->listeners || !adoption->acceptors)
        return false;
    for (size_t i = 0; i < config->listener_count; i++) {
        adoption->listeners[i] =
            listener_new(&worker->loop, config, &config->listeners[i], generation->tallies[i]);
        if (!adoption->listeners[i])
            return false;
    }
    for (size_t i = 0; i < generation->binding_count; i++) {
        const struct binding *binding = &generation->bindings[i];
        if (find_acceptor(worker, binding->endpoint))
            continue;
        adoption->acceptors[i] =
            acceptor_new(binding->endpoint, worker->number, adoption->listeners[binding->listener]);
        if (!adoption->acceptors[i])
            return false;
    }
    return true;
}

/* Lets go of the listeners and acceptors that the worker has; clients keep their listeners. */
static void release_listeners(struct worker *worker, void (*release)(struct acceptor *acceptor))
{
    for (size_t i = 0; i < worker->acceptor_count; i++)
        release(worker->acceptors[i]);
    for (size_t i = 0; i < worker->listener_count; i++)
        listener_unref(worker->listeners[i]);
    free(worker->acceptors);
    free(worker->listeners);
    worker->acceptors = NULL;
    worker->listeners = NULL;
    worker->acceptor_count = worker->listener_count = 0;
}

/* Cannot fail any more: acceptors that stay change over, the rest leave. */
static void commit(struct worker *worker, struct adoption *adoption)
{
    const struct generation *generation = worker->generation;
    for (size_t i = 0; i < generation->binding_count; i++) {
        const struct binding *binding = &generation->bindings[i];
        struct acceptor **kept = find_acceptor(worker, binding->endpoint);
        if (!kept)
            continue;
        acceptor_assign(*kept, adoption->listeners[binding->listener]);
        adoption->acceptors[i] = *kept;
        *kept = NULL;
    }
    release_listeners(worker, acceptor_leave);
    worker->listeners = adoption->listeners;
    worker->acceptors = adoption->acceptors;
    worker->listener_count = adoption->listener_count;
    worker->acceptor_count = adoption->acceptor_count;
}

/* Reports what the worker has been waiting for. */
static void on_emptied(struct loop *loop)
{
    struct worker *worker = container_of(loop, struct worker, loop);
    if (loop->leaving)
        return;
    if (worker->adopting) {
        worker->adopting = false;
        mailbox_post(worker->reports.mailbox, &worker->adopted);
    }
    if (worker->draining && !loop->clients) {
        worker->draining = false; /* once is enough */
        mailbox_post(worker->reports.mailbox, &worker->emptied);
    }
}

static void adopt(struct worker *worker)
{
    struct adoption adoption;
    if (prepare(worker, &adoption)) {
        commit(worker, &adoption);
        worker->delayed = false;
        worker->adopting = true;
        on_emptied(&worker->loop);
    } else {
        abandon(&adoption);
        if (!worker->delayed)
            log_event(LOG_ERROR, "reload-delayed", log_number("worker", worker->number),
                      log_text("error", strerror(ENOMEM)));
        worker->delayed = true;
        deadline_set(worker->loop.deadlines, &worker->adopt_retry, clock_now() + ADOPT_RETRY_MS);
    }
}

/* --- orders -------------------------------------------------------------------------------- */

static void on_adopt(void *owner)
{
    adopt(owner);
}

static void on_adopt_retry(struct deadline *deadline)
{
    adopt(container_of(deadline, struct worker, adopt_retry));
}

/* A generation that could not be adopted yet never is, and its sockets are closed too. */
static void give_up_generation(struct worker *worker)
{
    for (size_t i = 0; worker->generation && i < worker->generation->binding_count; i++)
        if (!find_acceptor(worker, worker->generation->bindings[i].endpoint))
            endpoint_close(worker->generation->bindings[i].endpoint, worker->number);
    worker->delayed = false;
    deadline_cancel(&worker->adopt_retry);
}

static void on_drain(void *owner)
{
    struct worker *worker = owner;
    give_up_generation(worker);
    release_listeners(worker, acceptor_leave);
    worker->draining = true;
    on_emptied(&worker->loop);
}

static void on_dismiss(void *owner)
{
    struct worker *worker = owner;
    if (!clients_dismiss(&worker->loop, BANTER_DRAIN))
        mailbox_post(&worker->mailbox, &worker->dismiss);
}

static void on_stop(void *owner)
{
    struct worker *worker = owner;
    worker->draining = worker->adopting = false;
    while (worker->loop.leaving)
        acceptor_close(worker->loop.leaving);
    give_up_generation(worker);
    release_listeners(worker, acceptor_close);
    if (clients_abort(&worker->loop, BANTER_DRAIN))
        event_base_loopbreak(worker->loop.base);
    else
        mailbox_post(&worker->mailbox, &worker->stop);
}

/* On the main thread. */
static void on_ended(void *owner)
{
    struct worker *worker = owner;
    pthread_join(worker->thread, NULL); /* to report was the last that it had to do */
    worker->has_ended = true;
    worker->reports.ended(worker->reports.owner, worker);
}

void worker_adopt(struct worker *worker, const struct generation *generation)
{
    worker->generation = generation;
    mailbox_post(&worker->mailbox, &worker->adopt);
}

void worker_drain(struct worker *worker)
{
    mailbox_post(&worker->mailbox, &worker->drain);
}

void worker_dismiss(struct worker *worker)
{
    mailbox_post(&worker->mailbox, &worker->dismiss);
}

void worker_stop(struct worker *worker)
{
    mailbox_post(&worker->mailbox, &worker->stop);
}

/* --- under watch --------------------------------------------------------------------------- */

/* On the watchdog's thread. */
static bool get_duty(void *owner, struct duty *duty)
{
    const struct worker *worker = owner;
    const char *listener, *protocol;
    if (!loop_serving(&worker->loop, &listener, &protocol))
        return false;
    snprintf(duty->listener, sizeof(duty->listener), "%s", listener);
    snprintf(duty->protocol, sizeof(duty->protocol), "%s", protocol);
    return true;
}

struct watched *worker_watched(struct worker *worker)
{
    return &worker->watched;
}

/* --- life-cycle ---------------------------------------------------------------------------- */

struct worker *worker_new(unsigned number, struct admission *admission,
                          const struct worker_reports *reports)
{
    struct worker *worker = calloc(1, sizeof(*worker));
    if (!worker) {
        errno = ENOMEM;
        return NULL;
    }
    worker->number = number;
    worker->reports = *reports;
    worker->adopt = (struct letter){.deliver = on_adopt, .owner = worker};
    worker->drain = (struct letter){.deliver = on_drain, .owner = worker};
    worker->dismiss = (struct letter){.deliver = on_dismiss, .owner = worker};
    worker->stop = (struct letter){.deliver = on_stop, .owner = worker};
    worker->adopted = (struct letter){.deliver = reports->adopted, .owner = reports->owner};
    worker->emptied = (struct letter){.deliver = reports->emptied, .owner = reports->owner};
    worker->ended = (struct letter){.deliver = on_ended, .owner = worker};
    worker->adopt_retry.wake = on_adopt_retry;
    worker->loop.emptied = on_emptied;
    snprintf(worker->name, sizeof(worker->name), "worker-%u", number);
    worker->watched = (struct watched){
        .thread = worker->name, .mailbox = &worker->mailbox, .duty = get_duty, .owner = worker};
    worker->mailbox.bell = -1;

    int error = loop_init(&worker->loop, admission);
    if (!error)
        error = mailbox_init(&worker->mailbox, worker->loop.base);
    if (error) {
        worker_free(worker);
        errno = -error;
        return NULL;
    }
    return worker;
}

void worker_free(struct worker *worker)
{
    if (!worker)
        return;
    mailbox_fini(&worker->mailbox);
    loop_fini(&worker->loop);
    free(worker);
}

static void *run(void *argument)
{
    struct worker *worker = argument;
    /* Ends with the stop order, as there is always the mailbox to wait for; or the loop has failed.
     */
    (void)event_base_dispatch(worker->loop.base);
    mailbox_post(worker->reports.mailbox, &worker->ended);
    return NULL;
}

int worker_start(struct worker *worker)
{
    return thread_start(&worker->thread, run, worker);
}

bool worker_has_ended(const struct worker *worker)
{
    return worker->has_ended;
}
