/*
 * deluge.c - a protocol for the tests: answers a line with four gigabytes, all in one callback, and
 * so with more than there is memory for where the memory is limited.
 */
#include <banter/protocol.h>

enum { BLOCK = 1 << 20, BLOCKS = 4096 };

static void deluge_line(struct banter_client *client, void *session, const char *line,
                        size_t length)
{
    static char block[BLOCK];
    (void)session;
    (void)line;
    (void)length;
    for (int i = 0; i < BLOCKS; i++)
        banter_write(client, block, sizeof(block));
}

BANTER_PROTOCOL(deluge) = {
    BANTER_ABI,
    .name = "deluge",
    .summary = "answers a line with four gigabytes",
    .line = deluge_line,
};
