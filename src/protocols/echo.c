/*
 * Echo, RFC 862: every byte goes back as it came, until the caller ends.
 */
#include <banter/protocol.h>

static void echo_data(struct banter_client *client, void *session, const char *bytes, size_t length)
{
    (void)session;
    banter_write(client, bytes, length);
}

BANTER_PROTOCOL(echo) = {
    BANTER_ABI,
    .name = "echo",
    .summary = "sends every byte back to the caller, exactly as it came (RFC 862)",
    .flags = BANTER_RAW,
    .data = echo_data,
};
