/* server/mailbox.c - see mailbox.h. */
#include "server/mailbox.h"

#include <errno.h>
#include <event2/event.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <unistd.h>

static struct letter *take_all(struct mailbox *mailbox)
{
    pthread_mutex_lock(&mailbox->mutex);
    struct letter *letters = mailbox->first;
    mailbox->first = NULL;
    mailbox->last = &mailbox->first;
    pthread_mutex_unlock(&mailbox->mutex);
    return letters;
}

static void on_rung(evutil_socket_t bell, short what, void *argument)
{
    struct mailbox *mailbox = argument;
    uint64_t rings;
    (void)what;
    /* Silence the bell before looking, so that a letter posted meanwhile rings it again. */
    if (read(bell, &rings, sizeof(rings)) < 0 && errno != EAGAIN)
        return;
    struct letter *letter = take_all(mailbox);
    while (letter) {
        struct letter *next = letter->next;
        letter->deliver(letter->owner); /* may post the letter again */
        letter = next;
    }
}

int mailbox_init(struct mailbox *mailbox, struct event_base *base)
{
    mailbox->first = NULL;
    mailbox->last = &mailbox->first;
    mailbox->bell = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (mailbox->bell < 0)
        return -errno;
    int error = pthread_mutex_init(&mailbox->mutex, NULL);
    if (error) {
        close(mailbox->bell);
        mailbox->bell = -1;
        return -error;
    }
    mailbox->rung = event_new(base, mailbox->bell, EV_READ | EV_PERSIST, on_rung, mailbox);
    if (!mailbox->rung || event_add(mailbox->rung, NULL) < 0) {
        mailbox_fini(mailbox);
        return -ENOMEM;
    }
    return 0;
}

void mailbox_fini(struct mailbox *mailbox)
{
    if (mailbox->bell < 0)
        return;
    if (mailbox->rung)
        event_free(mailbox->rung);
    close(mailbox->bell);
    mailbox->bell = -1;
    pthread_mutex_destroy(&mailbox->mutex);
}

void mailbox_post(struct mailbox *mailbox, struct letter *letter)
{
    const uint64_t ring = 1;
    letter->next = NULL;
    pthread_mutex_lock(&mailbox->mutex);
    *mailbox->last = letter;
    mailbox->last = &letter->next;
    pthread_mutex_unlock(&mailbox->mutex);
    /* Can only fail when the bell has been rung 2^64 - 1 times unheard, and then it is ringing. */
    (void)!write(mailbox->bell, &ring, sizeof(ring));
}
