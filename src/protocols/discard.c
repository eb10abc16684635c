/*
 * Discard, RFC 863: reads and drops, and never answers. A raw protocol without a callback for its
 * input is just that.
 */
#include <banter/protocol.h>

BANTER_PROTOCOL(discard) = {
    BANTER_ABI,
    .name = "discard",
    .summary = "reads and drops everything (RFC 863)",
    .flags = BANTER_RAW,
};
