/* server/watchdog.c - see watchdog.h. All but the letters runs on the watchdog's thread. */
#include "server/watchdog.h"

#include <errno.h>
#include <time.h>

#include "ops/clock.h"
#include "ops/log.h"
#include "ops/notify.h"
#include "ops/thread.h"

/* Rounds in the time that is granted. */
#define ROUNDS 4

static void on_question(void *owner)
{
    struct watched *watched = owner;
    atomic_store(&watched->answered, true);
}

static void ask(struct watched *watched)
{
    atomic_store(&watched->answered, false);
    watched->asked = clock_now();
    if (watched->mailbox)
        mailbox_post(watched->mailbox, &watched->question);
}

static void log_hung(struct watchdog *watchdog, struct watched *watched)
{
    struct duty duty;
    uint64_t since = (uint64_t)(clock_now() - watched->asked);
    watched->hung = true;
    atomic_fetch_add(&watchdog->hanging, 1);
    if (watched->duty(watched->owner, &duty))
        log_event(LOG_ERROR, "thread-hung", log_text("thread", watched->thread),
                  log_text("listener", duty.listener), log_text("protocol", duty.protocol),
                  log_seconds("for", since));
    else
        log_event(LOG_ERROR, "thread-hung", log_text("thread", watched->thread),
                  log_seconds("for", since));
}

static void log_resumed(struct watchdog *watchdog, struct watched *watched)
{
    watched->hung = false;
    atomic_fetch_sub(&watchdog->hanging, 1);
    log_event(LOG_NOTICE, "thread-resumed", log_text("thread", watched->thread));
}

/* Whether all have answered; then all are asked again. */
static bool look_around(struct watchdog *watchdog)
{
    bool all = watchdog->watched != NULL;
    for (struct watched *watched = watchdog->watched; watched; watched = watched->next) {
        bool answered = atomic_load(&watched->answered);
        if (answered && watched->hung)
            log_resumed(watchdog, watched);
        else if (!answered && !watched->hung && clock_now() - watched->asked >= watchdog->patience)
            log_hung(watchdog, watched);
        all = all && answered;
    }
    for (struct watched *watched = watchdog->watched; all && watched; watched = watched->next)
        ask(watched);
    return all;
}

static void *run(void *argument)
{
    struct watchdog *watchdog = argument;
    struct timespec next;
    int64_t round = (int64_t)notify_watchdog() * (1000 / ROUNDS); /* nanoseconds */
    pthread_mutex_lock(&watchdog->mutex);
    while (!watchdog->stopping) {
        if (look_around(watchdog))
            notify_send("WATCHDOG=1\n");
        (void)clock_gettime(CLOCK_MONOTONIC, &next); /* cannot fail, see ops/clock.c */
        next.tv_sec += (next.tv_nsec + round) / 1000000000;
        next.tv_nsec = (next.tv_nsec + round) % 1000000000;
        while (!watchdog->stopping &&
               pthread_cond_timedwait(&watchdog->stop, &watchdog->mutex, &next) != ETIMEDOUT)
            continue;
    }
    pthread_mutex_unlock(&watchdog->mutex);
    return NULL;
}

int watchdog_start(struct watchdog *watchdog)
{
    uint64_t usec = notify_watchdog();
    if (usec == 0)
        return 0;
    watchdog->patience = (int64_t)(usec / 1000 / 2);
    int error = -pthread_mutex_init(&watchdog->mutex, NULL);
    if (error)
        return error;
    error = thread_condition_init(&watchdog->stop);
    if (!error) {
        error = thread_start(&watchdog->thread, run, watchdog);
        if (error)
            pthread_cond_destroy(&watchdog->stop);
    }
    if (error)
        pthread_mutex_destroy(&watchdog->mutex);
    watchdog->running = error == 0;
    return error;
}

void watchdog_stop(struct watchdog *watchdog)
{
    if (!watchdog->running)
        return;
    pthread_mutex_lock(&watchdog->mutex);
    watchdog->stopping = true;
    pthread_cond_signal(&watchdog->stop);
    pthread_mutex_unlock(&watchdog->mutex);
    pthread_join(watchdog->thread, NULL);
    pthread_cond_destroy(&watchdog->stop);
    pthread_mutex_destroy(&watchdog->mutex);
    watchdog->running = false;
}

void watchdog_watch(struct watchdog *watchdog, struct watched *watched)
{
    if (!watchdog->running)
        return;
    watched->question = (struct letter){.deliver = on_question, .owner = watched};
    pthread_mutex_lock(&watchdog->mutex);
    watched->next = watchdog->watched;
    watchdog->watched = watched;
    ask(watched);
    pthread_mutex_unlock(&watchdog->mutex);
}

void watchdog_introduce(struct watchdog *watchdog, struct watched *watched, struct mailbox *mailbox)
{
    if (!watchdog->running)
        return;
    pthread_mutex_lock(&watchdog->mutex);
    watched->mailbox = mailbox;
    atomic_store(&watched->answered, true);
    pthread_mutex_unlock(&watchdog->mutex);
}

bool watchdog_barks(const struct watchdog *watchdog)
{
    return atomic_load(&watchdog->hanging) > 0;
}
