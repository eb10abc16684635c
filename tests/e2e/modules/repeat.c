/*
 * repeat.c - a protocol for the tests: says each line back in hexadecimal, so that a test sees
 * exactly which lines the host made of its bytes.
 */
#include <banter/protocol.h>

static void repeat_line(struct banter_client *client, void *session, const char *line,
                        size_t length)
{
    static const char digits[] = "0123456789abcdef";

    (void)session;
    for (size_t i = 0; i < length; i++) {
        unsigned char byte = (unsigned char)line[i];
        char pair[2] = {digits[byte >> 4], digits[byte & 15]};

        banter_write(client, pair, sizeof(pair));
    }
    banter_write(client, "\r\n", 2);
}

BANTER_PROTOCOL(repeat) = {
    BANTER_ABI,
    .name = "repeat",
    .summary = "says each line back in hexadecimal",
    .line = repeat_line,
};
