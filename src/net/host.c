/*
 * net/host.c - what a protocol may ask of its host, <banter/protocol.h>, as far as it is about a
 * client. Runs on the client's worker, inside its callbacks.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/config.h"
#include "net/client.h"
#include "net/listener.h"
#include "net/loop.h"
#include "net/reason.h"

/* Longer lines of banter_sayf() are made on the heap. */
#define SHORT_LINE 512

static bool can_speak(const struct banter_client *client)
{
    return client->state == CLIENT_OPEN ||
           (client->state == CLIENT_ENDING && !reason_is_abrupt(client->reason));
}

/* With telnet on, a byte that looks like a command is doubled (RFC 854). */
static void write_doubled(struct banter_client *client, const char *bytes, size_t length)
{
    const char *end = bytes + length;
    const char *iac;
    while ((iac = memchr(bytes, TELNET_IAC, (size_t)(end - bytes)))) {
        stream_write(&client->stream, bytes, (size_t)(iac + 1 - bytes));
        stream_write(&client->stream, iac, 1);
        bytes = iac + 1;
    }
    stream_write(&client->stream, bytes, (size_t)(end - bytes));
}

void banter_write(struct banter_client *client, const void *bytes, size_t length)
{
    if (!can_speak(client))
        return;
    if (client->telnet)
        write_doubled(client, bytes, length);
    else
        stream_write(&client->stream, bytes, length);
}

void banter_say_line(struct banter_client *client, const char *line, size_t length)
{
    char *room;
    if (!client->telnet && can_speak(client) && length <= LOOP_BUFFER - 2 &&
        (room = stream_reserve(&client->stream, length + 2))) {
        memcpy(room, line, length);
        memcpy(room + length, "\r\n", 2);
        return;
    }
    banter_write(client, line, length);
    banter_write(client, "\r\n", 2);
}

void banter_say(struct banter_client *client, const char *text)
{
    banter_say_line(client, text, strlen(text));
}

void banter_sayf(struct banter_client *client, const char *format, ...)
{
    char brief[SHORT_LINE];
    char *text = brief;
    va_list arguments, again;
    va_start(arguments, format);
    va_copy(again, arguments);
    int length = vsnprintf(brief, sizeof(brief), format, arguments);
    if (length >= SHORT_LINE) {
        text = malloc((size_t)length + 1);
        if (text)
            length = vsnprintf(text, (size_t)length + 1, format, again);
    }
    if (text && length >= 0) {
        banter_say_line(client, text, (size_t)length);
    } else {
        client_close(client, BANTER_ERROR);
    }
    if (text != brief)
        free(text);
    va_end(again);
    va_end(arguments);
}

void banter_close(struct banter_client *client)
{
    client_close(client, BANTER_PROTOCOL_DONE);
}

const void *banter_settings(const struct banter_client *client)
{
    return client->listener->settings->settings;
}

uint32_t banter_random(struct banter_client *client, uint32_t bound)
{
    return loop_random(client->listener->loop, bound);
}
