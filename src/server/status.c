/* server/status.c - see status.h. */
#include "server/status.h"

#include <errno.h>
#include <event2/event.h>
#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include "config/config.h"
#include "net/admission.h"
#include "ops/notify.h"
#include "server/generation.h"
#include "server/watchdog.h"

/*
 * How much longer than TimeoutStopSec systemd waits for a sign of life while the server drains.
 * After the last one there are only the goodbye, a second, and workers that hang, ten.
 */
#define EXTENSION_USEC 20000000

/* `serving 3 clients on 2 listeners, generation 1` */
struct figures {
    char text[96];
};

static const char *plural(size_t count)
{
    return count == 1 ? "" : "s";
}

static struct figures figures_of(struct status *status)
{
    struct figures figures;
    size_t clients = status->clients_told = admission_clients(status->admission);
    snprintf(figures.text, sizeof(figures.text),
             "serving %zu client%s on %zu listener%s, generation %u", clients, plural(clients),
             status->listeners, plural(status->listeners), status->generation);
    return figures;
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

static void send_serving(struct status *status, const char *state)
{
    struct figures figures = figures_of(status);
    const char *failed = *status->failure ? "; reload failed: " : "";
    notify_send("%sSTATUS=%s%s%s\n", state, figures.text, failed, status->failure);
}

static void send_draining(struct status *status, const char *state)
{
    size_t clients = admission_clients(status->admission);
    notify_send("%sEXTEND_TIMEOUT_USEC=%d\nSTATUS=draining, %zu client%s left\n", state,
                EXTENSION_USEC, clients, plural(clients));
}

static void on_tick(evutil_socket_t fd, short what, void *argument)
{
    struct status *status = argument;
    (void)fd;
    (void)what;
    if (watchdog_barks(status->watchdog))
        return; /* a server that hangs asks for no more time */
    if (status->draining)
        send_draining(status, "");
    else if (status->serving && admission_clients(status->admission) != status->clients_told)
        send_serving(status, "");
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
    send_serving(status, "READY=1\n");
}

void status_reloading(struct status *status)
{
    struct timespec now;
    status->serving = false;
    if (clock_gettime(CLOCK_MONOTONIC, &now) < 0)
        return;
    notify_send("RELOADING=1\nMONOTONIC_USEC=%" PRId64 "\nSTATUS=reading the configuration again\n",
                (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000);
}

void status_reload_failed(struct status *status, const struct report *report)
{
    status->serving = true;
    describe(report, status->failure, sizeof(status->failure));
    send_serving(status, "READY=1\n");
}

void status_draining(struct status *status)
{
    status->draining = true;
    send_draining(status, "STOPPING=1\n");
}

void status_start_failed(const struct report *report)
{
    char why[2048];
    describe(report, why, sizeof(why));
    notify_send("STATUS=cannot start: %s\n", why);
}
