/*
 * fuzz/lines.c - the framer, and the telnet filter in front of it as net/input.c has them.
 *
 * For every input: the lines, telnet answers and other items are those of the model, however the
 * bytes are split, and also where the reader pauses behind each line. No line is longer than the
 * limit, no option is answered twice, and no more is kept than the limit and its line ending; of
 * no unfinished line nothing is.
 *
 * Input: telnet or not, the limit, how many lengths of pieces, these, and the stream.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "model.h"
#include "text/line.h"
#include "text/telnet.h"

struct reader {
    struct text heard;
    bool telnet;
    bool pauses; /* goes back to the telnet filter behind each line */
    bool deaf;
    struct line_framer framer;
    struct telnet filter;
};

static void note(void *transcript, enum heard what, const char *bytes, size_t length)
{
    char head[32];
    int size = snprintf(head, sizeof(head), "%c%zu:", what, length);
    text_add(transcript, head, (size_t)size);
    text_add(transcript, bytes, length);
}

static void hear(struct reader *reader, enum heard what, const char *bytes, size_t length)
{
    note(&reader->heard, what, bytes, length);
    reader->deaf |= what == HEARD_INTERRUPT || what == HEARD_TOO_LONG;
}

static void hear_line(struct reader *reader, const char *line, size_t length)
{
    expect(length <= reader->framer.max, "a line of %zu bytes", length);
    expect(line[length] == '\0', "no NUL behind a line");
    hear(reader, HEARD_LINE, line, length);
}

static char *take_lines(struct reader *reader, char *cursor, char *end)
{
    char *line;
    size_t length;
    for (;;) {
        switch (line_next(&reader->framer, &cursor, end, &line, &length)) {
        case LINE_READY:
            hear_line(reader, line, length);
            if (reader->pauses)
                return cursor;
            break;
        case LINE_MORE:
            expect(cursor == end, "not all input was used");
            return cursor;
        case LINE_TOO_LONG:
            hear(reader, HEARD_TOO_LONG, NULL, 0);
            return cursor;
        case LINE_NO_MEMORY:
            expect(false, "no memory");
        }
    }
}

static char *take_item(struct reader *reader, char *cursor, char *end)
{
    char *data;
    size_t length;
    switch (telnet_next(&reader->filter, &cursor, end, &data, &length)) {
    case TELNET_END:
        break;
    case TELNET_DATA:
        expect(length > 0, "data of no bytes");
        return take_lines(reader, data, data + length);
    case TELNET_REPLY:
        hear(reader, HEARD_REPLY, data, length);
        break;
    case TELNET_ARE_YOU_THERE:
        hear(reader, HEARD_ARE_YOU_THERE, NULL, 0);
        break;
    case TELNET_INTERRUPT:
        hear(reader, HEARD_INTERRUPT, NULL, 0);
        break;
    case TELNET_ERASE_CHARACTER:
        line_erase_character(&reader->framer);
        break;
    case TELNET_ERASE_LINE:
        line_erase(&reader->framer);
        break;
    }
    return cursor;
}

static void check_kept(const struct reader *reader)
{
    const struct line_framer *framer = &reader->framer;
    expect(framer->capacity <= framer->max + 2, "%zu bytes kept", framer->capacity);
    expect(framer->length <= framer->capacity, "more kept than there is room for");
    if (!reader->pauses && !reader->deaf)
        expect(line_unfinished(framer) || !framer->kept, "kept for nothing");
}

/* The piece is a block of its own, which is gone afterwards. */
static void take_piece(struct reader *reader, const char *bytes, size_t length)
{
    char *piece = malloc(length > 0 ? length : 1);
    expect(piece, "no memory");
    memcpy(piece, bytes, length);
    for (char *cursor = piece; cursor < piece + length && !reader->deaf;)
        cursor = reader->telnet ? take_item(reader, cursor, piece + length)
                                : take_lines(reader, cursor, piece + length);
    free(piece);
    check_kept(reader);
}

/* What is heard of the stream in pieces of these lengths, over and over; 0: it is not split. */
static struct text read_stream(struct reader reader, size_t max, const char *stream, size_t length,
                               const uint8_t *pieces, size_t piece_count)
{
    char *line;
    size_t piece, rest;
    line_init(&reader.framer, max, reader.telnet);
    for (size_t at = 0, i = 0; at < length && !reader.deaf; at += piece, i++) {
        piece = piece_count > 0 ? 1u + pieces[i % piece_count] : length;
        if (piece > length - at)
            piece = length - at;
        take_piece(&reader, stream + at, piece);
    }
    if (!reader.deaf && line_rest(&reader.framer, &line, &rest) == LINE_READY)
        hear_line(&reader, line, rest);
    line_fini(&reader.framer);
    return reader.heard;
}

static void expect_same(const struct text *expected, struct text heard, const char *how)
{
    expect(heard.length == expected->length &&
               (heard.length == 0 || memcmp(heard.bytes, expected->bytes, heard.length) == 0),
           "%s: heard %.*s, not %.*s", how, (int)heard.length, heard.bytes, (int)expected->length,
           expected->bytes);
    text_free(&heard);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t byte_by_byte[] = {0};
    struct script script = {data, size};
    bool telnet = script_byte(&script) & 1;
    size_t max = script_byte(&script);
    size_t piece_count, length;
    const uint8_t *pieces =
        (const uint8_t *)script_bytes(&script, script_byte(&script) % 8u, &piece_count);
    const char *stream = script_bytes(&script, SIZE_MAX, &length);
    const struct reader reader = {.telnet = telnet};
    const struct reader pausing = {.telnet = telnet, .pauses = true};
    struct text expected = {0};
    struct model model = {.max = max, .telnet = telnet, .hear = note, .owner = &expected};

    model_take(&model, stream, length);
    model_end(&model);
    expect_same(&expected, read_stream(reader, max, stream, length, NULL, 0), "whole");
    expect_same(&expected, read_stream(reader, max, stream, length, byte_by_byte, 1), "by bytes");
    expect_same(&expected, read_stream(reader, max, stream, length, pieces, piece_count), "split");
    expect_same(&expected, read_stream(pausing, max, stream, length, NULL, 0), "with pauses");
    expect_same(&expected, read_stream(pausing, max, stream, length, pieces, piece_count),
                "split, with pauses");
    text_free(&expected);
    return 0;
}
