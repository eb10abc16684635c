/* net/record.c - see record.h. */
#include "net/record.h"

#include <stdatomic.h>
#include <stdbool.h>

#include "config/config.h"
#include "net/listener.h"
#include "net/reason.h"
#include "ops/log.h"

uint64_t record_next_id(void)
{
    static atomic_uint_fast64_t last;
    return atomic_fetch_add_explicit(&last, 1, memory_order_relaxed) + 1;
}

/* A unix client has a family and no name. */
static void format_peer(const union peer *peer, char text[ADDRESS_TEXT])
{
    bool is_unix = peer->any.sa_family == AF_UNIX;
    address_format_socket(&peer->any, is_unix ? sizeof(peer->any.sa_family) : sizeof(*peer), text);
}

void record_addresses(struct record *record, int fd, const union peer *peer)
{
    struct address local = {.length = sizeof(local.socket)};
    if (!log_enabled(LOG_INFO))
        return;
    if (getsockname(fd, &local.socket.any, &local.length) == 0)
        address_format_socket(&local.socket.any, local.length, record->local);
    format_peer(peer, record->remote);
}

void record_log_opened(uint64_t id, const struct listener *listener, const union peer *peer)
{
    char remote[ADDRESS_TEXT];
    if (!log_enabled(LOG_DEBUG))
        return;
    format_peer(peer, remote);
    log_event(LOG_DEBUG, "client-opened", log_number("id", id),
              log_text("listener", listener->settings->name), log_text("remote", remote));
}

void record_log(const struct record *record)
{
    log_event(LOG_INFO, "client-closed", log_number("id", record->id),
              log_text("listener", record->listener->settings->name),
              log_text("local", record->local), log_text("remote", record->remote),
              log_text("reason", reason_name(record->reason)),
              log_number("received", record->received), log_number("sent", record->sent),
              log_number("lines", record->lines), log_seconds("duration", record->duration));
}
