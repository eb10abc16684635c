/*
 * net/limits.h - the time limits of a client: idle, line, write, and those of its end.
 *
 * Limits are points in time, not timers: bytes move them, and the client's deadline looks at them
 * when it rings. Runs on the client's worker.
 */
#ifndef BANTERD_NET_LIMITS_H
#define BANTERD_NET_LIMITS_H

#include <stdint.h>

#include "banter/protocol.h"

/* When to look at the client next; DEADLINE_NEVER where nothing limits it. */
int64_t limits_next(const struct banter_client *client);

/* To be called when the client has come to rest: what waits to be sent has its time from now. */
void limits_note_output(struct banter_client *client);

/* Which limit the client has gone beyond; 0 is none. */
enum banter_reason limits_exceeded(struct banter_client *client);

/* How long the kernel may try, after the end, to deliver what is left; milliseconds. */
int64_t limits_of_rest(const struct banter_client *client);

#endif
