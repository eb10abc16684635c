/* server/status.c - see status.h. */
#include "server/status.h"

#include <errno.h>
#include <event2/event.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "config/config.h"
#include "net/admission.h"
#include "ops/clock.h"
#include "ops/notify.h"
#include "server/generation.h"
#include "server/watchdog.h"

/*
 * How long systemd waits for the next sign of life while the server drains and stops, though
 * TimeoutStopSec be over. One comes every second; workers that hang are given up within ten.
 */
#define EXTENSION_USEC 20000000

static const char *plural(size_t count)
{
    return count == 1 ? "" : "s";
}

/* The first problem, and how many more there are. */
static void describe(const struct report *report, char *text, size_t size)
{
    const char *first = report_message(report, 0);
    snprintf(text, size, "%s", first ? first : "no memory");
    if (report->count > 1) {
        size_t length = strlen(text);
        if (length > size - 32)
            length = size - 32;
        snprintf(text + length, size - length, " (and %zu more)", report->count - 1);
    }
    notify_clean(text);
}

static bool send_serving(struct status *status, const char *state)
{
    size_t clients = admission_clients(status->admission);
    const char *failed = *status->failure ? "; reload failed: " : "";
    if (!notify_send("%sSTATUS=serving %zu client%s on %zu listener%s, generation %u%s%s\n", state,
                     clients, plural(clients), status->listeners, plural(status->listeners),
                     status->generation, failed, status->failure))
        return false;
    status->clients_told = clients;
    return true;
}

/* A server that hangs asks for no more time. */
static bool send_draining(struct status *status, const char *state)
{
    size_t clients = admission_clients(status->admission);
    char extend[48] = "";
    if (!watchdog_barks(status->watchdog))
        snprintf(extend, sizeof(extend), "EXTEND_TIMEOUT_USEC=%d\n", EXTENSION_USEC);
    return notify_send("%s%sSTATUS=draining, %zu client%s left\n", state, extend, clients,
                       plural(clients));
}

static bool send_announcement(struct status *status, enum announcement what)
{
    switch (what) {
    case ANNOUNCE_RELOADING:
        return notify_send("RELOADING=1\nMONOTONIC_USEC=%" PRId64
                           "\nSTATUS=reading the configuration again\n",
                           status->reload_usec);
    case ANNOUNCE_READY:
        return send_serving(status, "READY=1\n");
    case ANNOUNCE_STOPPING:
        return send_draining(status, "STOPPING=1\n");
    case ANNOUNCEMENTS:
        break;
    }
    return true;
}

/* Tells what is owed, up to the first that is not taken. Whether that is all. */
static bool settle(struct status *status)
{
    for (int what = 0; what < ANNOUNCEMENTS; what++) {
        if (status->owed[what] && !send_announcement(status, (enum announcement)what))
            return false;
        status->owed[what] = false;
    }
    return true;
}

static void announce(struct status *status, enum announcement what)
{
    status->owed[what] = true;
    (void)settle(status); /* or the tick does */
}

static void on_tick(evutil_socket_t fd, short what, void *argument)
{
    struct status *status = argument;
    (void)fd;
    (void)what;
    if (!settle(status))
        return;
    if (status->draining)
        (void)send_draining(status, "");
    else if (status->serving && admission_clients(status->admission) != status->clients_told)
        (void)send_serving(status, "");
}

int status_start(struct status *status, struct event_base *base, const struct admission *admission,
                 const struct watchdog *watchdog)
{
    const struct timeval second = {.tv_sec = 1};
    status->admission = admission;
    status->watchdog = watchdog;
    if (!notify_enabled())
        return 0;
    status->tick = event_new(base, -1, EV_PERSIST, on_tick, status);
    if (!status->tick || event_add(status->tick, &second) < 0)
        return -ENOMEM;
    return 0;
}

void status_stop(struct status *status)
{
    if (status->tick)
        event_free(status->tick);
    status->tick = NULL;
}

void status_ready(struct status *status, const struct generation *generation)
{
    status->serving = true;
    status->listeners = generation->config->listener_count;
    status->generation = generation->number;
    *status->failure = '\0';
    announce(status, ANNOUNCE_READY);
}

void status_reloading(struct status *status)
{
    status->serving = false;
    status->reload_usec = clock_precise();
    status->owed[ANNOUNCE_READY] = false; /* another one follows */
    announce(status, ANNOUNCE_RELOADING);
}

void status_reload_failed(struct status *status, const struct report *report)
{
    status->serving = true;
    describe(report, status->failure, sizeof(status->failure));
    announce(status, ANNOUNCE_READY);
}

void status_draining(struct status *status)
{
    status->draining = true;
    announce(status, ANNOUNCE_STOPPING);
}

void status_start_failed(const struct report *report)
{
    char why[2048];
    describe(report, why, sizeof(why));
    (void)notify_send("STATUS=cannot start: %s\n", why);
}
