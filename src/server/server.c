/* server/server.c - see server.h. */
#include "server/server.h"

#include <errno.h>
#include <event2/event.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "config/config.h"
#include "net/admission.h"
#include "net/loop.h"
#include "ops/log.h"
#include "server/files.h"
#include "server/generation.h"
#include "server/mailbox.h"
#include "server/worker.h"

/* After the goodbye at the end of a drain, clients have so long to take it. */
#define GOODBYE_MS 1000

/* A worker that does not end within so many seconds hangs in a protocol. */
#define JOIN_PATIENCE 10

#define SIGNALS 3 /* HUP, TERM, INT */

enum server_state { SERVER_RUNNING, SERVER_DRAINING, SERVER_DISMISSING, SERVER_STOPPING };

struct server {
    const struct server_options *options;
    enum server_state state;
    struct event_base *base;
    struct mailbox mailbox;
    struct event *signals[SIGNALS];
    struct event *timer; /* of the drain */
    struct admission *admission;

    struct generation *current;  /* every worker has it, or is being given it */
    struct generation *retiring; /* the one before, while a worker may still have it */
    bool reload_again;           /* a HUP came while a reload was under way */

    unsigned worker_count; /* constant; all of them run */
    unsigned adopting;     /* workers that have not adopted the current generation yet */
    unsigned occupied;     /* workers with clients, while draining */
    struct worker **workers;
};

static void for_each_worker(struct server *server, void (*order)(struct worker *worker))
{
    for (unsigned i = 0; i < server->worker_count; i++)
        order(server->workers[i]);
}

/* --- generations --------------------------------------------------------------------------- */

static void log_report(const struct report *report)
{
    const char *message;
    for (size_t i = 0; (message = report_message(report, i)); i++)
        log_event(LOG_ERROR, "config-error", log_text("message", message));
}

static void apply_log_level(const struct server *server, const struct config *config)
{
    int level = server->options->log_level;
    log_set_level((enum log_level)(level >= 0 ? level : config->log_level));
}

static void hand_out(struct server *server, struct generation *generation)
{
    server->retiring = server->current;
    server->current = generation;
    if (server->retiring) /* while its sockets are still open */
        generation_unlink(server->retiring, generation);
    server->adopting = server->worker_count;
    for (unsigned i = 0; i < server->worker_count; i++)
        worker_adopt(server->workers[i], generation);
}

static void reload(struct server *server)
{
    struct report report = {0};
    struct generation *next = NULL;
    struct config *config = config_load(server->options->path, &report);
    if (config) {
        files_raise_limit(config, server->worker_count);
        next = generation_new(config, server->current, server->worker_count, server->admission,
                              &report);
    }
    if (!next) {
        log_report(&report);
        log_event(LOG_ERROR, "reload-failed", log_number("errors", report.count),
                  log_number("generation", server->current->number));
    } else {
        if (config->workers != server->current->config->workers)
            log_event(LOG_WARNING, "reload-ignored", log_text("option", "workers"),
                      log_number("running", server->worker_count));
        hand_out(server, next);
    }
    config_unref(config);
    report_fini(&report);
}

static void announce(const struct server *server)
{
    const struct generation *generation = server->current;
    generation_announce(generation, server->retiring);
    if (generation->number == 1)
        log_event(LOG_NOTICE, "ready", log_number("listeners", generation->config->listener_count),
                  log_number("workers", server->worker_count));
    else
        log_event(LOG_NOTICE, "reloaded", log_number("generation", generation->number));
}

static void on_adopted(void *owner)
{
    struct server *server = owner;
    if (--server->adopting > 0)
        return;
    const struct generation *generation = server->current;
    apply_log_level(server, generation->config);
    if (server->state == SERVER_RUNNING) /* or a stop was asked for meanwhile */
        announce(server);
    generation_free(server->retiring, generation);
    server->retiring = NULL;
    if (server->reload_again && server->state == SERVER_RUNNING) {
        server->reload_again = false;
        reload(server);
    }
}

static void on_hangup(evutil_socket_t fd, short what, void *argument)
{
    struct server *server = argument;
    (void)fd;
    (void)what;
    if (server->state != SERVER_RUNNING)
        log_event(LOG_NOTICE, "reload-ignored", log_text("why", "draining"));
    else if (server->adopting > 0)
        server->reload_again = true;
    else
        reload(server);
}

/* --- the end ------------------------------------------------------------------------------- */

static void start_timer(struct server *server, int64_t milliseconds)
{
    const struct timeval wait = {.tv_sec = milliseconds / 1000,
                                 .tv_usec = milliseconds % 1000 * 1000};
    /* Without memory for the timer the end comes now rather than never. */
    if (evtimer_add(server->timer, &wait) < 0)
        event_active(server->timer, EV_TIMEOUT, 1);
}

static void stop(struct server *server)
{
    server->state = SERVER_STOPPING;
    for_each_worker(server, worker_stop);
    event_base_loopbreak(server->base);
}

static void drain(struct server *server)
{
    int64_t timeout = server->current->config->drain_timeout;
    server->state = SERVER_DRAINING;
    server->occupied = server->worker_count;
    log_event(LOG_NOTICE, "draining", log_number("clients", admission_clients(server->admission)));
    generation_unlink(server->current, NULL); /* while its sockets are still open */
    for_each_worker(server, worker_drain);
    if (timeout > 0)
        start_timer(server, timeout);
}

static void on_emptied(void *owner)
{
    struct server *server = owner;
    if (--server->occupied == 0 && server->state != SERVER_STOPPING)
        stop(server);
}

static void on_timer(evutil_socket_t fd, short what, void *argument)
{
    struct server *server = argument;
    (void)fd;
    (void)what;
    if (server->state == SERVER_DRAINING) {
        server->state = SERVER_DISMISSING;
        for_each_worker(server, worker_dismiss);
        start_timer(server, GOODBYE_MS);
    } else if (server->state == SERVER_DISMISSING) {
        stop(server);
    }
}

static void on_terminate(evutil_socket_t fd, short what, void *argument)
{
    struct server *server = argument;
    (void)fd;
    (void)what;
    if (server->state == SERVER_RUNNING)
        drain(server);
    else if (server->state != SERVER_STOPPING)
        stop(server);
}

/* --- the beginning ------------------------------------------------------------------------- */

static const struct {
    int number;
    event_callback_fn handler;
} handled[] = {{SIGHUP, on_hangup}, {SIGTERM, on_terminate}, {SIGINT, on_terminate}};

static void set_mask(int how)
{
    sigset_t set;
    sigemptyset(&set);
    for (size_t i = 0; i < SIGNALS; i++)
        sigaddset(&set, handled[i].number);
    (void)pthread_sigmask(how, &set, NULL); /* fails for a wrong `how` alone */
}

void server_block_signals(void)
{
    set_mask(SIG_BLOCK);
}

static bool watch_signals(struct server *server)
{
    for (size_t i = 0; i < SIGNALS; i++) {
        server->signals[i] =
            evsignal_new(server->base, handled[i].number, handled[i].handler, server);
        if (!server->signals[i] || event_add(server->signals[i], NULL) < 0)
            return false;
    }
    set_mask(SIG_UNBLOCK);
    return true;
}

/* libevent's own words, which would go to stderr by themselves. */
static void on_libevent_log(int severity, const char *message)
{
    bool bad = severity == EVENT_LOG_ERR || severity == EVENT_LOG_WARN;
    log_event(bad ? LOG_WARNING : LOG_DEBUG, "libevent", log_text("message", message));
}

/* What libevent cannot go on after; its words are in the log already. */
static void on_libevent_fatal(int error)
{
    (void)error;
    log_stop();
    _exit(EX_OSERR);
}

static int init(struct server *server)
{
    event_set_log_callback(on_libevent_log);
    event_set_fatal_callback(on_libevent_fatal);
    if (signal(SIGPIPE, SIG_IGN) == SIG_ERR)
        return -errno;
    server->base = loop_base_new();
    server->admission = admission_new();
    if (!server->base || !server->admission)
        return -ENOMEM;
    server->timer = evtimer_new(server->base, on_timer, server);
    if (!server->timer || !watch_signals(server))
        return -ENOMEM;
    return mailbox_init(&server->mailbox, server->base);
}

/* One a CPU that this process may run on, unless the configuration knows better. */
static unsigned count_workers(const struct config *config)
{
    cpu_set_t cpus;
    if (config->workers > 0)
        return (unsigned)config->workers;
    if (sched_getaffinity(0, sizeof(cpus), &cpus) < 0)
        return 1;
    return (unsigned)CPU_COUNT(&cpus);
}

static int start_workers(struct server *server, unsigned count)
{
    const struct worker_reports reports = {
        .mailbox = &server->mailbox, .owner = server, .adopted = on_adopted, .emptied = on_emptied};
    server->workers = calloc(count, sizeof(struct worker *));
    if (!server->workers)
        return -ENOMEM;
    for (unsigned i = 0; i < count; i++) {
        struct worker *worker = worker_new(i, server->admission, &reports);
        if (!worker)
            return -errno;
        int error = worker_start(worker);
        if (error) {
            worker_free(worker);
            return error;
        }
        server->workers[server->worker_count++] = worker;
    }
    return 0;
}

/* Waits for the workers, which have been told to stop. */
static void join_workers(struct server *server)
{
    for (unsigned i = 0; i < server->worker_count; i++) {
        int error = worker_join(server->workers[i], JOIN_PATIENCE);
        if (error) {
            /* Its memory and its sockets are in use for ever; there is nothing left to tidy. */
            log_event(LOG_ERROR, "worker-stuck", log_number("worker", i),
                      log_text("error", strerror(-error)));
            log_stop();
            _exit(EXIT_FAILURE);
        }
    }
    /* Not before all have ended: reports of one may be in the mailbox that another posts to. */
    for_each_worker(server, worker_free);
}

static void fini(struct server *server)
{
    server_block_signals(); /* without their events they would kill */
    join_workers(server);
    free(server->workers);
    generation_free(server->retiring, server->current);
    generation_free(server->current, NULL);
    admission_free(server->admission);
    mailbox_fini(&server->mailbox);
    for (size_t i = 0; i < SIGNALS; i++)
        if (server->signals[i])
            event_free(server->signals[i]);
    if (server->timer)
        event_free(server->timer);
    if (server->base)
        event_base_free(server->base);
}

static int start(struct server *server, struct config *config, struct report *report)
{
    unsigned workers = count_workers(config);
    int error = init(server);
    if (error) {
        report_add(report, "banterd", 0, "cannot start: %s", strerror(-error));
        return -1;
    }
    apply_log_level(server, config);
    files_raise_limit(config, workers);
    struct generation *first = generation_new(config, NULL, workers, server->admission, report);
    if (!first)
        return -1;
    server->current = first;
    error = start_workers(server, workers);
    if (error) {
        report_add(report, "banterd", 0, "cannot start a worker: %s", strerror(-error));
        for_each_worker(server, worker_stop);
        return -1;
    }
    server->current = NULL;
    hand_out(server, first);
    return 0;
}

int server_run(struct config *config, const struct server_options *options)
{
    struct server server = {.options = options, .mailbox.bell = -1};
    struct report report = {0};
    int status = EX_OSERR;
    int error = log_start();
    if (error)
        report_add(&report, "banterd", 0, "cannot start the log: %s", strerror(-error));
    else if (start(&server, config, &report) == 0) {
        (void)event_base_dispatch(server.base);
        status = 0;
    }
    const char *message;
    for (size_t i = 0; (message = report_message(&report, i)); i++)
        log_plain(LOG_ERROR, message);
    report_fini(&report);
    fini(&server);
    config_unref(config);
    if (status == 0)
        log_event(LOG_NOTICE, "stopped", log_number("clients", 0));
    log_stop();
    return status;
}
