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
#include "config/setup.h"
#include "net/admission.h"
#include "net/loop.h"
#include "ops/log.h"
#include "ops/notify.h"
#include "server/files.h"
#include "server/generation.h"
#include "server/mailbox.h"
#include "server/status.h"
#include "server/watchdog.h"
#include "server/worker.h"

/* After the goodbye at the end of a drain, clients have so long to take it. */
#define GOODBYE_MS 1000

/*
 * How often it is looked whether the workers, which have been told to stop, close clients; and when
 * somebody insists. If they have not for so many times, they hang. Times are counted, since a
 * process may be suspended.
 */
#define LOOK_MS 1000
#define INSISTING_LOOK_MS 100
#define LOOKS 10

#define SIGNALS 3 /* HUP, TERM, INT */

/*
 * Events of the loop: a TERM that has come goes before the letter that would have READY told. All
 * other events wait for their turn, so that a storm of HUPs holds up nothing.
 */
enum priority { URGENT, USUAL, PRIORITIES };

enum server_state {
    SERVER_RUNNING,
    SERVER_DRAINING,
    SERVER_DISMISSING,
    SERVER_STOPPING,  /* workers are waited for */
    SERVER_INSISTING, /* ... and not for long */
};

struct server {
    const struct server_options *options;
    enum server_state state;
    struct event_base *base;
    struct mailbox mailbox;
    struct event *signals[SIGNALS];
    struct event *timer; /* of the drain */
    struct lineage lineage;
    struct status status;
    struct watchdog watchdog;
    struct watched watched; /* the main thread */

    struct generation *current;  /* every worker has it, or is being given it */
    struct generation *retiring; /* the one before, while a worker may still have it */
    struct event *hangup;        /* becomes active with a HUP, or many */
    bool reload_again;           /* a HUP came while a reload was under way */
    rlim_t files;                /* that may be open, for the latest configuration */

    unsigned worker_count; /* constant once all have been started */
    unsigned running;      /* workers that have not ended */
    unsigned adopting;     /* workers that have not adopted the current generation yet */
    unsigned occupied;     /* workers with clients, while draining */
    size_t left;           /* clients, when it was last looked */
    unsigned looks;        /* without a change */
    struct worker **workers;
};

static void for_each_worker(struct server *server, void (*order)(struct worker *worker))
{
    for (unsigned i = 0; i < server->worker_count; i++)
        order(server->workers[i]);
}

/* Those that the loop handles, for the main thread: the others have all blocked. */
static void set_mask(int how)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGHUP);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    (void)pthread_sigmask(how, &set, NULL); /* fails for a wrong `how` alone */
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
    generation_announce(generation, server->retiring); /* before its first client is logged */
    if (server->retiring)                              /* while its sockets are still open */
        generation_unlink(server->retiring, generation);
    server->adopting = server->worker_count;
    for (unsigned i = 0; i < server->worker_count; i++)
        worker_adopt(server->workers[i], generation);
}

/* NULL: it failed, and the report says why. */
static struct generation *next_generation(struct server *server, struct report *report)
{
    struct generation *next = NULL;
    struct config *config = config_load(server->options->path, report);
    if (config && passed_check(&server->lineage.passed, config, report)) {
        server->files = files_raise_limit(config, &server->lineage.passed, server->worker_count);
        next = generation_new(&server->lineage, config, server->current, report);
    }
    config_unref(config);
    return next;
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

static void reload(struct server *server)
{
    struct report report = {0};
    status_reloading(&server->status);
    struct generation *next = next_generation(server, &report);
    if (!next) {
        log_report(&report);
        log_event(LOG_ERROR, "reload-failed", log_number("errors", report.count),
                  log_number("generation", server->current->number));
        status_reload_failed(&server->status, &report);
    } else {
        if (count_workers(next->config) != server->worker_count)
            log_event(LOG_WARNING, "reload-ignored", log_text("option", "workers"),
                      log_number("running", server->worker_count));
        apply_log_level(server, next->config);
        hand_out(server, next);
    }
    report_fini(&report);
}

static void announce(struct server *server)
{
    const struct generation *generation = server->current;
    if (generation->number == 1)
        log_event(LOG_NOTICE, "ready", log_number("listeners", generation->config->listener_count),
                  log_number("workers", server->worker_count));
    else
        log_event(LOG_NOTICE, "reloaded", log_number("generation", generation->number));
    status_ready(&server->status, generation);
    files_make_room(server->files);
}

static void on_adopted(void *owner)
{
    struct server *server = owner;
    if (--server->adopting > 0)
        return;
    const struct generation *generation = server->current;
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

/* Runs once for each signal, without a look at others between; the event makes one of them all. */
static void on_hangup_signal(evutil_socket_t fd, short what, void *argument)
{
    struct server *server = argument;
    (void)fd;
    (void)what;
    event_active(server->hangup, EV_TIMEOUT, 1);
}

/* --- the end ------------------------------------------------------------------------------- */

static bool start_timer(struct server *server, int64_t milliseconds)
{
    const struct timeval wait = {.tv_sec = milliseconds / 1000,
                                 .tv_usec = milliseconds % 1000 * 1000};
    return evtimer_add(server->timer, &wait) == 0;
}

/* Without memory for the timer the end comes now rather than never. */
static void end_after(struct server *server, int64_t milliseconds)
{
    if (!start_timer(server, milliseconds))
        event_active(server->timer, EV_TIMEOUT, 1);
}

/* Without memory for the timer the workers are just waited for. */
static void look_later(struct server *server)
{
    (void)start_timer(server, server->state == SERVER_STOPPING ? LOOK_MS : INSISTING_LOOK_MS);
}

/* The loop turns until the last worker has ended. */
static void stop(struct server *server)
{
    server->state = SERVER_STOPPING;
    for_each_worker(server, worker_stop);
    look_later(server);
}

static void log_stuck(unsigned number, const struct watched *watched)
{
    struct duty duty;
    if (watched->duty(watched->owner, &duty))
        log_event(LOG_ERROR, "worker-stuck", log_number("worker", number),
                  log_text("listener", duty.listener), log_text("protocol", duty.protocol));
    else
        log_event(LOG_ERROR, "worker-stuck", log_number("worker", number));
}

/* The memory and the sockets of a worker that hangs are in use for ever; nothing can be tidied. */
__attribute__((noreturn)) static void abandon(struct server *server)
{
    for (unsigned i = 0; i < server->worker_count; i++)
        if (!worker_has_ended(server->workers[i]))
            log_stuck(i, worker_watched(server->workers[i]));
    log_stop();
    _exit(EXIT_FAILURE);
}

static void look(struct server *server)
{
    size_t left = admission_clients(server->lineage.admission);
    server->looks = left == server->left ? server->looks + 1 : 0;
    server->left = left;
    if (server->looks == LOOKS)
        abandon(server);
    look_later(server);
}

/* Without an event loop there is nothing to be done; libevent's words are in the log already. */
__attribute__((noreturn)) static void give_up(void)
{
    log_event(LOG_ERROR, "libevent", log_text("message", "the event loop cannot go on"));
    (void)notify_send("STATUS=the event loop cannot go on; the log says why\n");
    log_stop();
    _exit(EX_OSERR);
}

static void on_ended(void *owner, struct worker *worker)
{
    struct server *server = owner;
    if (server->state < SERVER_STOPPING)
        give_up();
    watchdog_dismiss(&server->watchdog, worker_watched(worker));
    if (--server->running == 0)
        event_base_loopbreak(server->base);
}

static void drain(struct server *server)
{
    int64_t timeout = server->current->config->drain_timeout;
    server->state = SERVER_DRAINING;
    server->occupied = server->worker_count;
    log_event(LOG_NOTICE, "draining",
              log_number("clients", admission_clients(server->lineage.admission)));
    status_draining(&server->status);
    generation_unlink(server->current, NULL); /* while its sockets are still open */
    for_each_worker(server, worker_drain);
    if (timeout > 0)
        end_after(server, timeout);
}

static void on_emptied(void *owner)
{
    struct server *server = owner;
    if (--server->occupied == 0 && server->state < SERVER_STOPPING)
        stop(server);
}

static void on_timer(evutil_socket_t fd, short what, void *argument)
{
    struct server *server = argument;
    (void)fd;
    (void)what;
    switch (server->state) {
    case SERVER_RUNNING:
        break;
    case SERVER_DRAINING:
        server->state = SERVER_DISMISSING;
        for_each_worker(server, worker_dismiss);
        end_after(server, GOODBYE_MS);
        break;
    case SERVER_DISMISSING:
        stop(server);
        break;
    case SERVER_STOPPING:
    case SERVER_INSISTING:
        look(server);
    }
}

static void on_terminate(evutil_socket_t fd, short what, void *argument)
{
    struct server *server = argument;
    (void)fd;
    (void)what;
    switch (server->state) {
    case SERVER_RUNNING:
        drain(server);
        break;
    case SERVER_DRAINING:
    case SERVER_DISMISSING:
        stop(server);
        break;
    case SERVER_STOPPING:
        server->state = SERVER_INSISTING;
        set_mask(SIG_BLOCK); /* a storm of more would keep the timer from its turn */
        server->looks = 0;
        look_later(server);
        break;
    case SERVER_INSISTING:
        break;
    }
}

/* --- the beginning ------------------------------------------------------------------------- */

static const struct {
    int number;
    event_callback_fn handler;
    enum priority priority;
} handled[SIGNALS] = {
    {SIGHUP, on_hangup_signal, USUAL},
    {SIGTERM, on_terminate, URGENT},
    {SIGINT, on_terminate, URGENT},
};

static bool watch_signals(struct server *server)
{
    for (size_t i = 0; i < SIGNALS; i++) {
        server->signals[i] =
            evsignal_new(server->base, handled[i].number, handled[i].handler, server);
        if (!server->signals[i] ||
            event_priority_set(server->signals[i], handled[i].priority) < 0 ||
            event_add(server->signals[i], NULL) < 0)
            return false;
    }
    set_mask(SIG_UNBLOCK);
    return true;
}

/* libevent's own words, which would go to stderr by themselves. */
static void on_libevent_log(int severity, const char *message)
{
    enum log_level level = severity == EVENT_LOG_ERR    ? LOG_ERROR
                           : severity == EVENT_LOG_WARN ? LOG_WARNING
                                                        : LOG_DEBUG;
    log_event(level, "libevent", log_text("message", message));
}

static void on_libevent_fatal(int error)
{
    (void)error;
    give_up();
}

/* What a protocol may hang the main thread in. On the watchdog's thread. */
static bool get_duty(void *owner, struct duty *duty)
{
    (void)owner;
    return setup_is_running(duty->listener, duty->protocol);
}

/* The main thread's own things, before it is known what is to be served. */
static int init(struct server *server)
{
    event_set_log_callback(on_libevent_log);
    event_set_fatal_callback(on_libevent_fatal);
    if (signal(SIGPIPE, SIG_IGN) == SIG_ERR)
        return -errno;
    server->base = loop_base_new();
    if (!server->base)
        return -errno;
    server->lineage.admission = admission_new();
    if (!server->lineage.admission)
        return -errno;
    if (event_base_priority_init(server->base, PRIORITIES) < 0)
        return -ENOMEM;
    server->timer = evtimer_new(server->base, on_timer, server);
    server->hangup = evtimer_new(server->base, on_hangup, server);
    if (!server->timer || !server->hangup || !watch_signals(server))
        return -ENOMEM;
    int error = mailbox_init(&server->mailbox, server->base);
    if (!error)
        error = status_start(&server->status, server->base, server->lineage.admission,
                             &server->watchdog);
    if (!error)
        watchdog_introduce(&server->watchdog, &server->watched, &server->mailbox);
    return error;
}

static int start_workers(struct server *server, unsigned count)
{
    const struct worker_reports reports = {.mailbox = &server->mailbox,
                                           .owner = server,
                                           .adopted = on_adopted,
                                           .emptied = on_emptied,
                                           .ended = on_ended};
    server->workers = calloc(count, sizeof(struct worker *));
    if (!server->workers)
        return -ENOMEM;
    for (unsigned i = 0; i < count; i++) {
        struct worker *worker = worker_new(i, server->lineage.admission, &reports);
        if (!worker)
            return -errno;
        int error = worker_start(worker);
        if (error) {
            worker_free(worker);
            return error;
        }
        server->workers[server->worker_count++] = worker;
        server->running++;
        watchdog_watch(&server->watchdog, worker_watched(worker));
    }
    return 0;
}

static void fini(struct server *server)
{
    set_mask(SIG_BLOCK); /* without their events they would kill */
    watchdog_stop(&server->watchdog);
    status_stop(&server->status);
    for_each_worker(server, worker_free);
    free(server->workers);
    generation_free(server->retiring, server->current);
    generation_free(server->current, NULL);
    passed_free(&server->lineage.passed);
    admission_free(server->lineage.admission);
    mailbox_fini(&server->mailbox);
    for (size_t i = 0; i < SIGNALS; i++)
        if (server->signals[i])
            event_free(server->signals[i]);
    if (server->hangup)
        event_free(server->hangup);
    if (server->timer)
        event_free(server->timer);
    if (server->base)
        event_base_free(server->base);
}

/* What does not wait for the configuration, and would see it hang. 0 or -errno. */
static int start_watching(struct server *server)
{
    int error = log_start();
    if (!error)
        error = watchdog_start(&server->watchdog);
    server->watched = (struct watched){.thread = "main", .duty = get_duty, .owner = server};
    if (!error)
        watchdog_watch(&server->watchdog, &server->watched);
    return error;
}

/* Of what was read, and is bad; unless the system has failed, and it may be fine the next time. */
static int failure_of(const struct report *report)
{
    return report->system ? EX_OSERR : EX_CONFIG;
}

/* The sockets, and the workers. 0 or the exit status. */
static int serve(struct server *server, struct config *config, struct report *report)
{
    struct lineage *lineage = &server->lineage;
    lineage->workers = count_workers(config);
    apply_log_level(server, config);
    server->files = files_raise_limit(config, &lineage->passed, lineage->workers);
    if (!passed_adopt(&lineage->passed, lineage->workers, report) ||
        !passed_check(&lineage->passed, config, report))
        return failure_of(report);
    struct generation *first = generation_new(lineage, config, NULL, report);
    if (!first)
        return EX_OSERR;
    server->current = first;
    int error = start_workers(server, lineage->workers);
    if (error) {
        report_add(report, "banterd", 0, "cannot start a worker: %s", strerror(-error));
        return EX_OSERR;
    }
    server->current = NULL;
    hand_out(server, first);
    return 0;
}

/* 0 or the exit status. */
static int start(struct server *server, struct report *report)
{
    /* Before anything is opened, and may pass for a descriptor that was handed down. */
    bool taken = passed_take(&server->lineage.passed, report);
    notify_start();
    if (!taken)
        return failure_of(report);
    struct config *config = NULL;
    int status = EX_OSERR;
    int error = start_watching(server);
    if (!error) {
        config = config_load(server->options->path, report);
        error = config ? init(server) : 0;
    }
    if (error)
        report_add(report, "banterd", 0, "cannot start: %s", strerror(-error));
    else
        status = config ? serve(server, config, report) : failure_of(report);
    config_unref(config);
    return status;
}

static void log_failed_start(struct report *report)
{
    const char *message;
    for (size_t i = 0; (message = report_message(report, i)); i++)
        log_plain(LOG_ERROR, message);
    status_start_failed(report);
}

int server_run(const struct server_options *options)
{
    struct server server = {.options = options, .mailbox.bell = -1};
    struct report report = {0};
    set_mask(SIG_BLOCK); /* from here on a HUP is a reload, if a late one, and not the end */
    int status = start(&server, &report);
    if (status != 0) {
        log_failed_start(&report);
        if (server.running > 0)
            stop(&server);
    }
    /* Until none is running. */
    if (server.running > 0 && event_base_dispatch(server.base) < 0)
        give_up();
    report_fini(&report);
    fini(&server);
    if (status == 0)
        log_event(LOG_NOTICE, "stopped", log_number("clients", 0));
    log_stop();
    notify_stop();
    return status;
}
