/*
 * stay.c - a protocol for the tests: says each line back, and does not leave when the client has
 * finished. Its last words are how often it was told so; "bye" makes it close by itself.
 */
#include <banter/protocol.h>

#include <string.h>

static void stay_line(struct banter_client *client, void *session, const char *line, size_t length)
{
    (void)session;
    banter_say_line(client, line, length);
    if (strcmp(line, "bye") == 0)
        banter_close(client);
}

static void stay_end(struct banter_client *client, void *session)
{
    (void)client;
    ++*(int *)session;
}

static void stay_close(struct banter_client *client, void *session, enum banter_reason reason)
{
    (void)reason;
    banter_sayf(client, "told %d times", *(int *)session);
}

BANTER_PROTOCOL(stay) = {
    BANTER_ABI,
    .name = "stay",
    .summary = "stays when the client has finished",
    .session_size = sizeof(int),
    .line = stay_line,
    .end = stay_end,
    .close = stay_close,
};
