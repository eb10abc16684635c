/* ops/thread.c - see thread.h. */
#include "ops/thread.h"

#include <signal.h>
#include <time.h>

int thread_start(pthread_t *thread, void *(*run)(void *), void *argument)
{
    sigset_t all, before;
    sigfillset(&all);
    int error = pthread_sigmask(SIG_SETMASK, &all, &before); /* a thread inherits the mask */
    if (error)
        return -error;
    error = pthread_create(thread, NULL, run, argument);
    /* Setting a mask that was there before cannot fail. */
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    return -error;
}

int thread_condition_init(pthread_cond_t *condition)
{
    pthread_condattr_t attributes;
    int error = pthread_condattr_init(&attributes);
    if (error)
        return -error;
    error = pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    if (!error)
        error = pthread_cond_init(condition, &attributes);
    pthread_condattr_destroy(&attributes);
    return -error;
}
