/*
 * fuzz/knock_knock.c - the protocol, told arbitrary lines.
 *
 * For every input: each answer is one whole line of text and the one that the model gives, a joke
 * is one of those that there are, none comes again before all were told, and the conversation ends
 * when another joke is not wanted.
 *
 * Input: how many jokes, a random number, then lines. A line that begins with the byte 1, 2 or 3
 * begins as the right answer to a knock, a clue or a joke does.
 */
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host.h"
#include "model.h"
#include "text/arena.h"

extern const struct banter_protocol banter_protocol_knock_knock;

static const struct model_joke jokes[] = {
    {.clue = "Boo!", .punch_line = "There, there."},
    {.clue = "Ünï cödé", .punch_line = "Über!"},
    {.clue = "Don't", .punch_line = "Don\xe2\x80\x99t mind me."},
    {.clue = "Cows go...", .punch_line = "Cows go moo!"},
    {.clue = "Toc !", .punch_line = "100%s"},
    {.clue = "W? W", .punch_line = "What?"},
};
enum { JOKES = sizeof(jokes) / sizeof(jokes[0]) };

/* Which jokes were told since all of them were. */
struct deck {
    size_t count;
    bool told[JOKES];
    size_t told_count;
};

static void take_card(struct deck *deck, struct model_joke *joke, const char *clue)
{
    for (size_t i = 0; i < deck->count; i++) {
        if (strcmp(jokes[i].clue, clue) != 0)
            continue;
        expect(!deck->told[i], "%s comes again before all jokes were told", clue);
        joke->clue = jokes[i].clue;
        joke->punch_line = jokes[i].punch_line;
        return;
    }
    expect(false, "%s is no clue", clue);
}

static void lay_card(struct deck *deck, const struct model_joke *joke)
{
    for (size_t i = 0; i < deck->count; i++)
        if (jokes[i].clue == joke->clue)
            deck->told[i] = true;
    if (++deck->told_count == deck->count)
        *deck = (struct deck){.count = deck->count};
}

static struct text make_line(const struct model_joke *joke, const char *bytes, size_t length)
{
    const char *const answers[] = {"", "Who's there?", joke->clue ? joke->clue : "Who", "y"};
    struct text line = {0};
    size_t macro = length > 0 && bytes[0] >= 1 && bytes[0] <= 3 ? (size_t)bytes[0] : 0;
    text_add(&line, answers[macro], strlen(answers[macro]));
    if (macro == 2)
        text_add(&line, " who", 4);
    text_add(&line, bytes + (macro > 0), length - (macro > 0));
    return line;
}

static void hear(struct banter_client *client, struct deck *deck, struct model_joke *joke,
                 const struct text *line)
{
    bool knocked = joke->state == MODEL_KNOCKED;
    bool clue_told = joke->state == MODEL_CLUE_TOLD;
    host_hear(client, line->bytes, line->length);
    const char *answer = host_answer(client);
    if (knocked && model_says(line->bytes, line->length, "Who's there", ""))
        take_card(deck, joke, answer);
    struct text expected = {0};
    model_answer(joke, line->bytes, line->length, &expected);
    expect(strlen(answer) + 2 == expected.length &&
               memcmp(answer, expected.bytes, expected.length - 2) == 0,
           "'%s', not '%.*s'", answer, (int)expected.length, expected.bytes);
    text_free(&expected);
    if (clue_told && joke->state == MODEL_KNOCKED)
        return; /* from the start, with the same joke */
    if (joke->state == MODEL_KNOCKED && !knocked)
        lay_card(deck, joke);
    expect(client->closed == (joke->state == MODEL_OVER), "the end is not where it should be");
}

static void converse(struct banter_client *client, struct deck *deck, struct script *script)
{
    struct model_joke joke = {.state = MODEL_KNOCKED};
    while (script->left > 0 && !client->closed) {
        const uint8_t *newline = memchr(script->at, '\n', script->left);
        size_t length;
        const char *bytes =
            script_bytes(script, newline ? (size_t)(newline - script->at) : script->left, &length);
        struct text line = make_line(&joke, bytes, length);
        (void)script_byte(script);
        hear(client, deck, &joke, &line);
        text_free(&line);
    }
    /* Whatever was said, three answers lead to the end. */
    for (int i = 1; i <= 3 && !client->closed; i++) {
        const char end[] = {joke.state == MODEL_JOKE_TOLD ? 'n' : (char)(1 + joke.state)};
        struct text line = make_line(&joke, end, 1);
        hear(client, deck, &joke, &line);
        text_free(&line);
    }
    expect(client->closed, "there is no end");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct script script = {data, size};
    struct deck deck = {.count = 1u + script_byte(&script) % JOKES};
    struct banter_client client = {.protocol = &banter_protocol_knock_knock,
                                   .random = script_byte(&script)};
    struct arena *arena = arena_new();
    struct report report = {0};
    struct text file = {0};
    expect(setlocale(LC_CTYPE, "C.UTF-8"), "there is no locale for case");
    for (size_t i = 0; i < deck.count; i++) {
        text_add(&file, jokes[i].clue, strlen(jokes[i].clue));
        text_add(&file, ": ", 2);
        text_say(&file, jokes[i].punch_line);
    }
    client.settings = host_configure(client.protocol, file.bytes, file.length, arena, &report);
    expect(client.settings, "the jokes are refused: %s", report_message(&report, 0));
    host_open(&client);
    expect(strcmp(host_answer(&client), "Knock! Knock!") == 0, "no knock");
    converse(&client, &deck, &script);
    host_close(&client);
    text_free(&file);
    arena_free(arena);
    return 0;
}
