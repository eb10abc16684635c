/*
 * fuzz/files.c - files of jokes and of quotes, read as the configuration has them read.
 *
 * For every file: what is accepted is UTF-8 without control characters, and can be told: each joke
 * once by a conversation that repeats the clue as it stands, and nothing else; each quote as whole
 * lines of fewer than 512 bytes. What is refused has messages that name the file and one of its
 * lines, or the whole file where it holds nothing.
 *
 * Input: which kind, a random number, and the file.
 */
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host.h"
#include "text/arena.h"

extern const struct banter_protocol banter_protocol_knock_knock, banter_protocol_qotd;

static void check_refusal(const struct report *report, size_t lines)
{
    const char *message;
    size_t length = strlen(host_path());
    expect(report_failed(report), "refused without a message");
    for (size_t i = 0; (message = report_message(report, i)) != NULL && i < report->count; i++) {
        unsigned line = 0;
        expect(strncmp(message, host_path(), length) == 0 && message[length] == ':',
               "no file in: %s", message);
        bool has_line = sscanf(message + length, ":%u: ", &line) == 1;
        expect(has_line || strstr(message, ": there is no "), "no line in: %s", message);
        expect(!has_line || (line >= 1 && line <= lines), "no line %u in: %s", line, message);
    }
}

/* The next joke of the file, worked out again; its clue is a string then. */
static bool next_joke(char **text, char **clue)
{
    char *line;
    while ((line = strsep(text, "\n")) != NULL) {
        line += strspn(line, " \t");
        line[strcspn(line, "\r")] = '\0';
        if (*line == '\0' || *line == '#')
            continue;
        char *colon = strchr(line, ':');
        expect(colon, "a joke without a colon: %s", line);
        while (colon > line && strchr(" \t", colon[-1]))
            colon--;
        *colon = '\0';
        *clue = line;
        return true;
    }
    return false;
}

static void tell_joke(struct banter_client *client, char *clue)
{
    char said[100];
    expect(strcmp(host_answer(client), "Knock! Knock!") == 0, "no knock");
    host_hear(client, "Who's there?", strlen("Who's there?"));
    snprintf(clue, 100, "%s", host_answer(client));
    int length = snprintf(said, sizeof(said), "%s who?", clue);
    expect(length > 5 && length < (int)sizeof(said), "the clue %s", clue);
    host_hear(client, said, (size_t)length);
    expect(strstr(host_answer(client), " Want another? (y/n)"), "'%s' is not understood", said);
}

static int by_text(const void *one, const void *other)
{
    return strcmp(*(char *const *)one, *(char *const *)other);
}

/* All jokes are told: their clues, sorted, are those of the file. */
static void tell_jokes(struct banter_client *client, char *text)
{
    enum { MOST = 1024 };
    static char *clues[MOST], told[MOST][100], *sorted[MOST];
    size_t count = 0;
    while (count < MOST && next_joke(&text, &clues[count]))
        count++;
    expect(count > 0 && count < MOST, "%zu jokes", count);
    host_open(client);
    for (size_t i = 0; i < count; i++) {
        tell_joke(client, sorted[i] = told[i]);
        host_hear(client, "y", 1);
    }
    expect(!client->closed, "no more jokes");
    qsort(clues, count, sizeof(clues[0]), by_text);
    qsort(sorted, count, sizeof(sorted[0]), by_text);
    for (size_t i = 0; i < count; i++)
        expect(strcmp(clues[i], sorted[i]) == 0, "%s is told for %s", sorted[i], clues[i]);
}

static void tell_quote(struct banter_client *client)
{
    struct text *said = &client->said;
    host_open(client);
    expect(client->closed, "a quote without an end");
    expect(said->length > 2 && said->length < 512, "a quote of %zu bytes", said->length);
    expect(is_plain_text(said->bytes, said->length, "\t\r\n"), "a quote that is no text");
    for (size_t i = 0; i < said->length; i++)
        expect((said->bytes[i] == '\n') == (i > 0 && said->bytes[i - 1] == '\r'),
               "a line ending that is not CR LF");
    expect(said->bytes[said->length - 1] == '\n', "a quote without its last line ending");
}

static size_t count_lines(const char *text, size_t length)
{
    size_t count = length > 0 && text[length - 1] != '\n';
    for (size_t i = 0; i < length; i++)
        count += text[i] == '\n';
    return count;
}

/* The same as file_check_text() has to say; a CR stands before an LF only. */
static bool is_text_file(const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if (text[i] == '\r' && (i + 1 == length || text[i + 1] != '\n'))
            return false;
    return is_plain_text(text, length, "\t\r\n");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct script script = {data, size};
    bool jokes = script_byte(&script) & 1;
    struct banter_client client = {.random = script_byte(&script)};
    struct arena *arena = arena_new();
    struct report report = {0};
    size_t length;
    const char *bytes = script_bytes(&script, SIZE_MAX, &length);
    char *text = fuzz_copy(bytes, length);
    bool marked = strncmp(text, "\xef\xbb\xbf", 3) == 0; /* a byte order mark */

    expect(setlocale(LC_CTYPE, "C.UTF-8"), "there is no locale for case");
    client.protocol = jokes ? &banter_protocol_knock_knock : &banter_protocol_qotd;
    client.settings = host_configure(client.protocol, text, length, arena, &report);
    expect(!client.settings || is_text_file(text, length), "accepted what is no text");
    if (!client.settings)
        check_refusal(&report, count_lines(text, length));
    else if (jokes)
        tell_jokes(&client, text + (marked ? 3 : 0));
    else
        tell_quote(&client);
    host_close(&client);
    report_fini(&report);
    arena_free(arena);
    free(text);
    return 0;
}
