/*
 * Character generator, RFC 864: sends until the caller closes, and ignores what the caller says.
 *
 * The pattern is the usual one: lines of 72 characters over the 95 printable ones as a ring, each
 * line beginning one further on. After 95 lines it repeats, so it is made once and then sent over
 * and over. The host asks for more only when all has left: a caller that stops reading costs one
 * pattern of memory and no work.
 */
#include <banter/protocol.h>

enum { RING = 95, WIDTH = 72, LINE = WIDTH + 2 };

struct chargen_settings {
    char pattern[RING * LINE];
};

static void chargen_configure(struct banter_setup *setup, void *settings)
{
    struct chargen_settings *chargen = settings;
    char *at = chargen->pattern;
    (void)setup;
    for (int line = 0; line < RING; line++) {
        for (int column = 0; column < WIDTH; column++)
            *at++ = (char)(' ' + (line + column) % RING);
        *at++ = '\r';
        *at++ = '\n';
    }
}

static void chargen_writable(struct banter_client *client, void *session)
{
    const struct chargen_settings *chargen = banter_settings(client);
    (void)session;
    banter_write(client, chargen->pattern, sizeof(chargen->pattern));
}

/* A caller that has finished sending is still listening. */
static void chargen_end(struct banter_client *client, void *session)
{
    (void)client;
    (void)session;
}

BANTER_PROTOCOL(chargen) = {
    BANTER_ABI,
    .name = "chargen",
    .summary = "sends lines of characters without end (RFC 864)",
    .flags = BANTER_RAW,
    .settings_size = sizeof(struct chargen_settings),
    .configure = chargen_configure,
    .writable = chargen_writable,
    .end = chargen_end,
};
