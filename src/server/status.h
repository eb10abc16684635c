/*
 * server/status.h - what the service manager hears of the server: its state, and live figures.
 *
 * Sends what sd_notify(3) describes, and `systemctl status` shows. While clients come and go, the
 * figures follow once a second at most. A change of state that the service manager does not take at
 * once, having too much to do, is told again every second until it does. Main thread only.
 */
#ifndef BANTERD_SERVER_STATUS_H
#define BANTERD_SERVER_STATUS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct admission;
struct event;
struct event_base;
struct generation;
struct report;
struct watchdog;

/* Changes of state, in the order in which they are told if several are to be. */
enum announcement { ANNOUNCE_RELOADING, ANNOUNCE_READY, ANNOUNCE_STOPPING, ANNOUNCEMENTS };

struct status {
    const struct admission *admission;
    const struct watchdog *watchdog;
    struct event *tick; /* NULL where nobody listens */
    bool serving;
    bool draining;
    bool owed[ANNOUNCEMENTS]; /* not told yet */
    int64_t reload_usec;      /* when the reload was begun, by CLOCK_MONOTONIC */
    size_t clients_told;
    size_t listeners;
    unsigned generation;
    char failure[2048]; /* of the last reload; empty: it did not fail */
};

/* Takes a zeroed status. Nothing is sent yet. 0 or -errno. */
__attribute__((warn_unused_result)) int status_start(struct status *status, struct event_base *base,
                                                     const struct admission *admission,
                                                     const struct watchdog *watchdog);

/* No more figures. One that was never started is fine. */
void status_stop(struct status *status);

/* READY=1: every worker accepts by this generation, be it the first or one of a reload. */
void status_ready(struct status *status, const struct generation *generation);

/* RELOADING=1; status_ready() or status_reload_failed() follows. */
void status_reloading(struct status *status);

/* READY=1: all is as before, and why stands in the status until a reload succeeds. */
void status_reload_failed(struct status *status, const struct report *report);

/*
 * STOPPING=1, and from now on EXTEND_TIMEOUT_USEC once a second: draining may take longer than
 * systemd would wait, and is no sign of trouble as long as no thread hangs.
 */
void status_draining(struct status *status);

/* The start has failed; the reason is what `systemctl status` shows afterwards. */
void status_start_failed(const struct report *report);

#endif
