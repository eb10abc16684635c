/*
 * dawdle.c - a protocol for the tests: needs a tenth of a second to part with a client.
 */
#include <banter/protocol.h>

#include <time.h>

static void dawdle_close(struct banter_client *client, void *session, enum banter_reason reason)
{
    const struct timespec tenth = {.tv_nsec = 100000000};

    (void)client;
    (void)session;
    (void)reason;
    (void)nanosleep(&tenth, NULL);
}

BANTER_PROTOCOL(dawdle) = {
    BANTER_ABI,
    .name = "dawdle",
    .summary = "takes its time to part with a client",
    .close = dawdle_close,
};
