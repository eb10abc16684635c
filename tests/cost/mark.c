/*
 * mark.c - a protocol for the figures: what it hears divides them. A tool sees a client's "mark"
 * come, or cost_mark() being called, and knows that what follows belongs to something else.
 */
#include <banter/protocol.h>

void cost_mark(void);

__attribute__((noinline, visibility("default"))) void cost_mark(void)
{
    __asm__ volatile(""); /* it is the call that counts */
}

static void mark_data(struct banter_client *client, void *session, const char *bytes, size_t length)
{
    (void)session;
    (void)bytes;
    (void)length;
    cost_mark();
    banter_write(client, "done", 4);
}

BANTER_PROTOCOL(mark) = {
    BANTER_ABI,
    .name = "mark",
    .summary = "divides the figures of one workload from those of the next",
    .flags = BANTER_RAW,
    .data = mark_data,
};
