/*
 * server/watchdog.h - sees whether every thread turns, and tells the service manager so.
 *
 * A thread of its own asks all that are under watch, by a letter to each, four times within the
 * time that WATCHDOG_USEC grants. Whenever all have answered it sends WATCHDOG=1. Who has not, two
 * times in a row, hangs, and is logged with what it is busy with; no more is sent then, and systemd
 * restarts the service. Being apart, it also sees the main thread hang, in a protocol that is being
 * loaded or configured. Where nobody waits for WATCHDOG=1 it looks all the same, for the log.
 */
#ifndef BANTERD_SERVER_WATCHDOG_H
#define BANTERD_SERVER_WATCHDOG_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "config/config.h"
#include "server/mailbox.h"

/* What a thread is busy with: a callback of this protocol, for this listener. */
struct duty {
    char listener[CONFIG_NAME];
    char protocol[CONFIG_NAME];
};

/* A thread that runs an event base, under watch. Embedded in its owner. */
struct watched {
    struct watched *next;
    const char *thread;      /* its name in the log */
    struct mailbox *mailbox; /* NULL: it is starting, and has none yet */
    /* What it is busy with; false: nothing. Called by the watchdog's thread. */
    bool (*duty)(void *owner, struct duty *duty);
    void *owner;

    struct letter question; /* the rest is the watchdog's own */
    atomic_bool answered;
    int64_t asked;   /* when, in microseconds; 0: never */
    unsigned missed; /* rounds without an answer, up to the patience */
    bool turned;     /* since the last WATCHDOG=1 */
};

struct watchdog {
    bool running;
    bool stopping;
    int64_t round;     /* nanoseconds */
    unsigned patience; /* rounds without an answer that make a hang */
    struct watched *watched;
    pthread_mutex_t mutex; /* guards `stopping`, the list, and all but `answered` in it */
    pthread_cond_t stop;
    pthread_t thread;
    atomic_uint hanging;
};

/* Takes a zeroed watchdog. 0 or -errno. */
__attribute__((warn_unused_result)) int watchdog_start(struct watchdog *watchdog);

/* Ends the thread. One that was never started is fine. */
void watchdog_stop(struct watchdog *watchdog);

/*
 * From now on this thread is under watch; the watchdog runs, as for what follows. The caller fills
 * `thread`, `mailbox`, `duty` and `owner`. One that has no mailbox yet answers by
 * watchdog_introduce().
 */
void watchdog_watch(struct watchdog *watchdog, struct watched *watched);

/* The thread has got its mailbox. */
void watchdog_introduce(struct watchdog *watchdog, struct watched *watched,
                        struct mailbox *mailbox);

/* The thread is under watch no longer: its mailbox is not read any more. */
void watchdog_dismiss(struct watchdog *watchdog, struct watched *watched);

/* Whether a thread has been found to hang, and hangs still. */
bool watchdog_barks(const struct watchdog *watchdog);

#endif
