/*
 * net/reason.h - why a client ended, in the words of the log and of the wire.
 */
#ifndef BANTERD_NET_REASON_H
#define BANTERD_NET_REASON_H

#include <stdbool.h>

#include "banter/protocol.h"

/* The reason as the log has it: client-eof. */
const char *reason_name(enum banter_reason reason);

/* The line that tells a client of a line protocol, without its ending; NULL: there is none. */
const char *reason_farewell(enum banter_reason reason);

/* The connection is of no more use: nothing is sent or waited for. */
bool reason_is_abrupt(enum banter_reason reason);

#endif
