/*
 * Daytime, RFC 867: one line with the date and the time, then the end. The form is the first of
 * those that the RFC proposes; the time is UTC.
 */
#include <banter/protocol.h>

#include <time.h>

static void daytime_open(struct banter_client *client, void *session)
{
    char text[64];
    struct tm parts;
    time_t now = time(NULL);
    (void)session;
    if (gmtime_r(&now, &parts) &&
        strftime(text, sizeof(text), "%A, %B %d, %Y %H:%M:%S-UTC", &parts) > 0)
        banter_say(client, text);
    banter_close(client);
}

BANTER_PROTOCOL(daytime) = {
    BANTER_ABI,
    .name = "daytime",
    .summary = "sends the date and the time, then closes (RFC 867)",
    .open = daytime_open,
};
