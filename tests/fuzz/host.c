/* fuzz/host.c - see host.h. */
#include "host.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config/config.h"
#include "config/options.h"
#include "config/section.h"
#include "config/setup.h"
#include "text/arena.h"

static char path[32];

const char *host_path(void)
{
    return path;
}

void *host_configure(const struct banter_protocol *protocol, const char *text, size_t length,
                     struct arena *arena, struct report *report)
{
    const struct reader reader = {.path = "banterd.ini", .arena = arena, .report = report};
    const struct option_source source = {.file = reader.path, .line = 1};
    struct listener_config listener = {.name = "fuzz", .line = 1, .protocol = protocol};
    int fd = fuzz_file(text, length);
    listener.settings = arena_alloc(arena, protocol->settings_size);
    expect(listener.settings, "no memory for settings");
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    option_set(&protocol->options[0], listener.settings, path, &source, arena, report);
    close(fd);
    if (!report_failed(report))
        setup_run(&listener, &reader);
    return report_failed(report) ? NULL : listener.settings;
}

void host_open(struct banter_client *client)
{
    if (client->protocol->session_size > 0)
        client->session = calloc(1, client->protocol->session_size);
    expect(client->session || client->protocol->session_size == 0, "no memory for a session");
    client->protocol->open(client, client->session);
}

/* The line is a block of its own, which is gone afterwards. */
void host_hear(struct banter_client *client, const char *line, size_t length)
{
    char *copy = fuzz_copy(line, length);
    client->protocol->line(client, client->session, copy, length);
    free(copy);
}

void host_close(struct banter_client *client)
{
    free(client->session);
    text_free(&client->said);
}

const char *host_answer(struct banter_client *client)
{
    struct text *said = &client->said;
    expect(said->length >= 2 && memcmp(said->bytes + said->length - 2, "\r\n", 2) == 0,
           "an answer of no whole line");
    size_t length = said->length - 2;
    expect(is_plain_text(said->bytes, length, "\t"), "an answer that is no text, or not one line");
    said->bytes[length] = '\0';
    said->length = 0;
    return said->bytes;
}

void banter_write(struct banter_client *client, const void *bytes, size_t length)
{
    expect(!client->closed, "something is said after the end");
    text_add(&client->said, bytes, length);
}

void banter_say_line(struct banter_client *client, const char *line, size_t length)
{
    banter_write(client, line, length);
    banter_write(client, "\r\n", 2);
}

void banter_say(struct banter_client *client, const char *text)
{
    banter_say_line(client, text, strlen(text));
}

void banter_sayf(struct banter_client *client, const char *format, ...)
{
    char *text;
    va_list arguments;
    va_start(arguments, format);
    int length = vasprintf(&text, format, arguments);
    va_end(arguments);
    expect(length >= 0, "no memory for an answer");
    banter_say_line(client, text, (size_t)length);
    free(text);
}

void banter_close(struct banter_client *client)
{
    client->closed = true;
}

const void *banter_settings(const struct banter_client *client)
{
    return client->settings;
}

/* Knuth's generator: the upper bits are random enough. */
uint32_t banter_random(struct banter_client *client, uint32_t bound)
{
    client->random = client->random * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(((client->random >> 32) * bound) >> 32);
}
