/* net/reason.c - see reason.h. */
#include "net/reason.h"

static const struct {
    const char *name;
    const char *farewell;
    bool abrupt;
} reasons[] = {
    [BANTER_CLIENT_EOF] = {"client-eof", NULL, false},
    [BANTER_CLIENT_RESET] = {"client-reset", NULL, true},
    [BANTER_PROTOCOL_DONE] = {"protocol-done", NULL, false},
    [BANTER_IDLE_TIMEOUT] = {"idle-timeout", "idle timeout", false},
    [BANTER_LINE_TIMEOUT] = {"line-timeout", "line timeout", false},
    [BANTER_WRITE_TIMEOUT] = {"write-timeout", NULL, true},
    [BANTER_LINE_TOO_LONG] = {"line-too-long", "line too long", false},
    [BANTER_SERVER_FULL] = {"server-full", "server full", false},
    [BANTER_ADDRESS_LIMIT] = {"address-limit", "too many clients from your address", false},
    [BANTER_DRAIN] = {"drain", "server is stopping", false},
    [BANTER_ERROR] = {"error", NULL, true},
    [BANTER_CONNECT_RATE] = {"connect-rate", "too many connections from your address", false},
};

const char *reason_name(enum banter_reason reason)
{
    return reasons[reason].name;
}

const char *reason_farewell(enum banter_reason reason)
{
    return reasons[reason].farewell;
}

bool reason_is_abrupt(enum banter_reason reason)
{
    return reasons[reason].abrupt;
}
