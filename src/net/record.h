/*
 * net/record.h - what the log says of a client: its client-closed event.
 */
#ifndef BANTERD_NET_RECORD_H
#define BANTERD_NET_RECORD_H

#include <stdint.h>

#include "banter/protocol.h"
#include "net/admission.h"
#include "text/address.h"

struct listener;

struct record {
    uint64_t id;
    const struct listener *listener;
    enum banter_reason reason;
    uint64_t received, sent, lines; /* bytes, bytes, lines */
    uint64_t duration;              /* milliseconds */
    char local[ADDRESS_TEXT];
    char remote[ADDRESS_TEXT];
};

/* A number that no other client of this process has. */
uint64_t record_next_id(void);

/* Writes down both addresses, while the socket is open. */
void record_addresses(struct record *record, int fd, const union peer *peer);

/* At level debug: a client has come. */
void record_log_opened(uint64_t id, const struct listener *listener, const union peer *peer);

void record_log(const struct record *record);

#endif
