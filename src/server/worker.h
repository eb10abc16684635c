/*
 * server/worker.h - one thread with one event base: its sockets, its clients.
 *
 * The main thread makes workers and gives them orders; an order is carried out later, on the
 * worker's thread, and reported back as a letter to the main thread. Orders are carried out in the
 * order given; each kind may be given again once it was reported.
 */
#ifndef BANTERD_SERVER_WORKER_H
#define BANTERD_SERVER_WORKER_H

#include <stdbool.h>

#include "server/mailbox.h"

struct admission;
struct generation;
struct watched;
struct worker;

/* Where a worker reports to. The functions run on the thread that reads the mailbox. */
struct worker_reports {
    struct mailbox *mailbox;
    void *owner;
    void (*adopted)(void *owner); /* works by the generation that it was given */
    void (*emptied)(void *owner); /* draining, and the last client has gone */
    /* Has carried out its last order; without one, its loop has failed. */
    void (*ended)(void *owner, struct worker *worker);
};

/* Workers are numbered from 0; the number is that of their sockets in each endpoint. NULL: errno.
 */
struct worker *worker_new(unsigned number, struct admission *admission,
                          const struct worker_reports *reports);

/* The thread must not have been started, or be reported as ended; NULL is fine. */
void worker_free(struct worker *worker);

/* Starts the thread, with all signals blocked. 0 or -errno. */
__attribute__((warn_unused_result)) int worker_start(struct worker *worker);

/* For the watchdog: what it asks the worker, and what the worker is busy with. */
struct watched *worker_watched(struct worker *worker);

/*
 * Order: work by this generation from now on. Reported as adopted, unless an order to drain or stop
 * comes before it could be; until then both must live.
 */
void worker_adopt(struct worker *worker, const struct generation *generation);

/* Order: accept nobody any more; the clients go on. Reported as emptied. */
void worker_drain(struct worker *worker);

/* Order, after drain: say goodbye to the clients. */
void worker_dismiss(struct worker *worker);

/* Order: end the clients as they are, and the thread. The last one. Reported as ended. */
void worker_stop(struct worker *worker);

/* Whether it was reported as ended. For the thread that reads the reports. */
bool worker_has_ended(const struct worker *worker);

#endif
