/*
 * net/input.c - see input.h. This is where a line becomes an answer: hear_line() calls the
 * protocol, and what the protocol writes is gathered until the client settles.
 */
#include "net/input.h"

#include "config/config.h"
#include "net/client.h"
#include "net/listener.h"
#include "ops/clock.h"

/* What a client hears who asks "are you there" (RFC 854). */
#define HERE "banterd is here"

static const struct banter_protocol *protocol_of(const struct banter_client *client)
{
    return client->listener->settings->protocol;
}

static void hear_line(struct banter_client *client, const struct banter_protocol *protocol,
                      const char *line, size_t length)
{
    client->lines++;
    protocol->line(client, client->session, line, length);
}

/* Hands over lines until the input is used up, or the client listens no more; returns where. */
static char *hear_lines(struct banter_client *client, char *cursor, char *end)
{
    const struct banter_protocol *protocol = protocol_of(client);
    char *line;
    size_t length;
    while (client_listens(client)) {
        switch (line_next(&client->framer, &cursor, end, &line, &length)) {
        case LINE_READY:
            hear_line(client, protocol, line, length);
            break;
        case LINE_MORE:
            return cursor;
        case LINE_TOO_LONG:
            client_close(client, BANTER_LINE_TOO_LONG);
            return cursor;
        case LINE_NO_MEMORY:
            client_close(client, BANTER_ERROR);
            return cursor;
        }
    }
    return cursor;
}

/* Keeps the time at which the unfinished line began. */
static void note_line(struct banter_client *client, uint64_t lines_before)
{
    if (!line_unfinished(&client->framer))
        client->line_begun = 0;
    else if (client->line_begun == 0 || client->lines != lines_before)
        client->line_begun = clock_now();
}

static void hear_data(struct banter_client *client, char **cursor, char *end)
{
    const struct banter_protocol *protocol = protocol_of(client);
    uint64_t lines = client->lines;
    if (protocol->line) {
        *cursor = hear_lines(client, *cursor, end);
        note_line(client, lines);
        return;
    }
    if (protocol->data)
        protocol->data(client, client->session, *cursor, (size_t)(end - *cursor));
    *cursor = end;
}

static void hear_telnet(struct banter_client *client, char **cursor, char *end)
{
    char *data;
    size_t length;
    while (*cursor < end && client_listens(client)) {
        switch (telnet_next(client->telnet, cursor, end, &data, &length)) {
        case TELNET_END:
            break;
        case TELNET_DATA: {
            char *rest = data;
            hear_data(client, &rest, data + length);
            if (rest < data + length)
                *cursor = rest; /* from inside a run of plain data telnet can begin again */
            break;
        }
        case TELNET_REPLY:
            stream_write(&client->stream, data, length);
            break;
        case TELNET_ARE_YOU_THERE:
            banter_say(client, HERE);
            break;
        case TELNET_INTERRUPT:
            client_close(client, BANTER_CLIENT_EOF);
            break;
        case TELNET_ERASE_CHARACTER:
            line_erase_character(&client->framer);
            note_line(client, client->lines);
            break;
        case TELNET_ERASE_LINE:
            line_erase(&client->framer);
            note_line(client, client->lines);
            break;
        }
    }
}

size_t input_take(struct banter_client *client, char *bytes, size_t length)
{
    char *cursor = bytes;
    char *end = bytes + length;
    if (client->telnet)
        hear_telnet(client, &cursor, end);
    else if (client_listens(client))
        hear_data(client, &cursor, end);
    return client->state == CLIENT_OPEN ? (size_t)(cursor - bytes) : length;
}

bool input_take_held(struct banter_client *client)
{
    size_t length = stream_held_length(&client->stream);
    if (length == 0 || !client_listens(client))
        return false;
    char *bytes = stream_held(&client->stream);
    if (bytes)
        stream_drop_held(&client->stream, input_take(client, bytes, length));
    else
        client_close(client, BANTER_ERROR);
    return true;
}

void input_end(struct banter_client *client)
{
    const struct banter_protocol *protocol = protocol_of(client);
    char *line;
    size_t length;
    if (client->state != CLIENT_OPEN)
        return;
    if (protocol->line && line_rest(&client->framer, &line, &length) == LINE_READY)
        hear_line(client, protocol, line, length);
    client->line_begun = 0;
    if (protocol->end && client->state == CLIENT_OPEN)
        protocol->end(client, client->session);
    else
        client_close(client, BANTER_CLIENT_EOF);
}
