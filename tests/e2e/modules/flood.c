/*
 * flood.c - a protocol for the tests: answers a line with 25 megabytes, all in one callback. The
 * bytes count up from 0 to 250, over and over.
 */
#include <banter/protocol.h>

enum { PERIOD = 251, PERIODS = 4000, BLOCKS = 25 };

static void flood_line(struct banter_client *client, void *session, const char *line, size_t length)
{
    static char block[PERIOD * PERIODS];

    (void)session;
    (void)line;
    (void)length;
    for (size_t i = 0; i < sizeof(block); i++)
        block[i] = (char)(i % PERIOD);
    for (int i = 0; i < BLOCKS; i++)
        banter_write(client, block, sizeof(block));
}

BANTER_PROTOCOL(flood) = {
    BANTER_ABI,
    .name = "flood",
    .summary = "answers a line with 25 megabytes",
    .line = flood_line,
};
