/*
 * ops/thread.h - threads as this daemon wants them.
 */
#ifndef BANTERD_OPS_THREAD_H
#define BANTERD_OPS_THREAD_H

#include <pthread.h>

/* Starts a thread with all signals blocked: they are the main thread's business. 0 or -errno. */
__attribute__((warn_unused_result)) int thread_start(pthread_t *thread, void *(*run)(void *),
                                                     void *argument);

/*
 * Makes a condition whose timed waits go by CLOCK_MONOTONIC: nobody's setting of the time prolongs
 * them. 0 or -errno.
 */
__attribute__((warn_unused_result)) int thread_condition_init(pthread_cond_t *condition);

#endif
