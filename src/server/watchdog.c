/* server/watchdog.c - see watchdog.h. Up to run() it is the watchdog's thread, letters apart. */
#include "server/watchdog.h"

#include <errno.h>
#include <time.h>

#include "ops/clock.h"
#include "ops/log.h"
#include "ops/notify.h"
#include "ops/thread.h"

/* Rounds in the time that is granted, and how many without an answer make a hang. */
#define ROUNDS 4
#define PATIENCE (ROUNDS / 2)

/* The time where none is granted, in microseconds. */
#define UNASKED_USEC 20000000

/* However little time is granted, a round is not nothing, and to be late is not to hang. */
#define LEAST_ROUND_NSEC 1000000
#define LEAST_HANG_NSEC 100000000

static void on_question(void *owner)
{
    struct watched *watched = owner;
    atomic_store(&watched->answered, true);
}

static void ask(struct watched *watched)
{
    atomic_store(&watched->answered, false);
    watched->asked = clock_precise();
    if (watched->mailbox)
        mailbox_post(watched->mailbox, &watched->question);
}

static void log_hung(struct watchdog *watchdog, struct watched *watched)
{
    struct duty duty;
    uint64_t since = (uint64_t)(clock_precise() - watched->asked) / 1000;
    atomic_fetch_add(&watchdog->hanging, 1);
    if (watched->duty(watched->owner, &duty))
        log_event(LOG_ERROR, "thread-hung", log_text("thread", watched->thread),
                  log_text("listener", duty.listener), log_text("protocol", duty.protocol),
                  log_seconds("for", since));
    else
        log_event(LOG_ERROR, "thread-hung", log_text("thread", watched->thread),
                  log_seconds("for", since));
}

static void log_resumed(struct watchdog *watchdog, const struct watched *watched)
{
    atomic_fetch_sub(&watchdog->hanging, 1);
    log_event(LOG_NOTICE, "thread-resumed", log_text("thread", watched->thread));
}

/*
 * Rounds are counted rather than time: a process that was suspended as a whole, and the watchdog
 * with it, has missed one round at most.
 */
static void look_at(struct watchdog *watchdog, struct watched *watched)
{
    if (watched->asked == 0) {
        ask(watched);
    } else if (atomic_load(&watched->answered)) {
        if (watched->missed == watchdog->patience)
            log_resumed(watchdog, watched);
        watched->missed = 0;
        watched->turned = true;
        ask(watched);
    } else if (watched->missed < watchdog->patience && ++watched->missed == watchdog->patience) {
        watched->turned = false; /* what it did before counts no more */
        log_hung(watchdog, watched);
    }
}

/* Whether all have turned since it was so the last time. */
static bool look_around(struct watchdog *watchdog)
{
    bool all = watchdog->watched != NULL;
    for (struct watched *watched = watchdog->watched; watched; watched = watched->next) {
        look_at(watchdog, watched);
        all = all && watched->turned;
    }
    for (struct watched *watched = watchdog->watched; all && watched; watched = watched->next)
        watched->turned = false;
    return all;
}

static void *run(void *argument)
{
    struct watchdog *watchdog = argument;
    struct timespec next;
    bool pings = notify_watchdog() > 0;
    pthread_mutex_lock(&watchdog->mutex);
    while (!watchdog->stopping) {
        if (look_around(watchdog) && pings)
            (void)notify_send("WATCHDOG=1\n"); /* one that is not taken is followed by others */
        (void)clock_gettime(CLOCK_MONOTONIC, &next); /* cannot fail, see ops/clock.c */
        next.tv_sec += (next.tv_nsec + watchdog->round) / 1000000000;
        next.tv_nsec = (next.tv_nsec + watchdog->round) % 1000000000;
        while (!watchdog->stopping &&
               pthread_cond_timedwait(&watchdog->stop, &watchdog->mutex, &next) != ETIMEDOUT)
            continue;
    }
    pthread_mutex_unlock(&watchdog->mutex);
    return NULL;
}

int watchdog_start(struct watchdog *watchdog)
{
    int64_t usec = notify_watchdog() > 0 ? (int64_t)notify_watchdog() : UNASKED_USEC;
    watchdog->round = usec * 1000 / ROUNDS;
    if (watchdog->round < LEAST_ROUND_NSEC)
        watchdog->round = LEAST_ROUND_NSEC;
    watchdog->patience = PATIENCE;
    if (watchdog->round * PATIENCE < LEAST_HANG_NSEC)
        watchdog->patience = (unsigned)(LEAST_HANG_NSEC / watchdog->round + 1);
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
    watched->question = (struct letter){.deliver = on_question, .owner = watched};
    pthread_mutex_lock(&watchdog->mutex);
    watched->next = watchdog->watched;
    watchdog->watched = watched;
    pthread_mutex_unlock(&watchdog->mutex);
}

void watchdog_introduce(struct watchdog *watchdog, struct watched *watched, struct mailbox *mailbox)
{
    pthread_mutex_lock(&watchdog->mutex);
    watched->mailbox = mailbox;
    atomic_store(&watched->answered, true);
    pthread_mutex_unlock(&watchdog->mutex);
}

void watchdog_dismiss(struct watchdog *watchdog, struct watched *watched)
{
    pthread_mutex_lock(&watchdog->mutex);
    struct watched **link = &watchdog->watched;
    while (*link && *link != watched)
        link = &(*link)->next;
    if (*link)
        *link = watched->next;
    if (watched->missed == watchdog->patience) /* and came back just now */
        log_resumed(watchdog, watched);
    pthread_mutex_unlock(&watchdog->mutex);
}

bool watchdog_barks(const struct watchdog *watchdog)
{
    return atomic_load(&watchdog->hanging) > 0;
}
