/*
 * line_echo.c - a protocol for the figures: says each line back. What a line of the shortest
 * protocol costs.
 */
#include <banter/protocol.h>

static void line_echo_line(struct banter_client *client, void *session, const char *line,
                           size_t length)
{
    (void)session;
    banter_say_line(client, line, length);
}

BANTER_PROTOCOL(line_echo) = {
    BANTER_ABI,
    .name = "line-echo",
    .summary = "says each line back",
    .line = line_echo_line,
};
