/*
 * server/mailbox.h - letters to a thread that runs an event base.
 *
 * Any thread posts; the owner's thread reads, in the order of posting. A letter is embedded in what
 * it is about and belongs to the mailbox from post to delivery, so posting cannot fail and nothing
 * is allocated. Threads of the server talk to each other in no other way; what several of them
 * count, or look at, is atomic.
 */
#ifndef BANTERD_SERVER_MAILBOX_H
#define BANTERD_SERVER_MAILBOX_H

#include <pthread.h>

struct event;
struct event_base;

struct letter {
    struct letter *next;
    void (*deliver)(void *owner); /* runs on the reading thread */
    void *owner;
};

struct mailbox {
    pthread_mutex_t mutex;
    struct letter *first;
    struct letter **last;
    int bell; /* an eventfd; -1 in a mailbox that is not in use */
    struct event *rung;
};

/* Takes a zeroed mailbox. 0, or -errno and the mailbox is not in use. */
__attribute__((warn_unused_result)) int mailbox_init(struct mailbox *mailbox,
                                                     struct event_base *base);

/* Nobody may post any more; letters that were not delivered are forgotten. One that is not in use
 * is fine. */
void mailbox_fini(struct mailbox *mailbox);

/* The letter must not be in a mailbox already. */
void mailbox_post(struct mailbox *mailbox, struct letter *letter);

#endif
