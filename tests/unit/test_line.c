/*
 * unit/test_line.c - framing: the same lines from the same bytes, however they are cut.
 *
 * Heard text: <line> for each line, (line) for an unfinished one at the end, ! for one too long.
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <check.h>

#include "splits.h"
#include "suites.h"
#include "text/line.h"

struct framing {
    struct line_framer framer;
    size_t max;
    bool nul_ends;
    bool broken;
};

static void begin(void *state)
{
    struct framing *framing = state;

    line_init(&framing->framer, framing->max, framing->nul_ends);
    framing->broken = false;
}

static void take(void *state, char *bytes, size_t length, FILE *heard)
{
    struct framing *framing = state;
    struct line_framer *framer = &framing->framer;
    char *cursor = bytes;
    char *line;
    size_t line_length;
    enum line_result result;

    if (framing->broken)
        return;
    while ((result = line_next(framer, &cursor, bytes + length, &line, &line_length)) ==
           LINE_READY) {
        ck_assert_uint_le(line_length, framer->max);
        ck_assert(!line_unfinished(framer));
        ck_assert_int_eq(line[line_length], '\0');
        fputc('<', heard);
        write_visible(heard, line, line_length);
        fputc('>', heard);
    }
    ck_assert_uint_le(framer->capacity, framer->max + 2);
    if (result == LINE_TOO_LONG) {
        framing->broken = true;
        fputc('!', heard);
        return;
    }
    ck_assert_int_eq(result, LINE_MORE);
    ck_assert_ptr_eq(cursor, bytes + length);
    ck_assert(line_unfinished(framer) == (framer->kept != NULL));
}

static void end(void *state, FILE *heard)
{
    struct framing *framing = state;
    char *line;
    size_t length;

    if (!framing->broken && line_rest(&framing->framer, &line, &length) == LINE_READY) {
        ck_assert_int_eq(line[length], '\0');
        fputc('(', heard);
        write_visible(heard, line, length);
        fputc(')', heard);
        ck_assert_int_eq(line_rest(&framing->framer, &line, &length), LINE_MORE);
    }
    line_fini(&framing->framer);
    ck_assert_ptr_null(framing->framer.kept);
}

static struct consumer consumer_of(struct framing *framing)
{
    return (struct consumer){.state = framing, .begin = begin, .take = take, .end = end};
}

static const struct {
    const char *input;
    size_t length;
    size_t max;
    bool nul_ends;
    const char *expected;
} vectors[] = {
    {BYTES(""), 8, false, ""},
    {BYTES("a\n"), 8, false, "<a>"},
    {BYTES("a\r\n"), 8, false, "<a>"},
    {BYTES("one\ntwo\r\nthree\n"), 8, false, "<one><two><three>"},
    {BYTES("\n"), 8, false, "<>"},
    {BYTES("\r\n"), 8, false, "<>"},
    {BYTES("\n\n\r\n\n"), 8, false, "<><><><>"},
    {BYTES("a\n\nb\n"), 8, false, "<a><><b>"},

    /* A CR is part of an ending right before the LF, and of the line anywhere else. */
    {BYTES("a\rb\n"), 8, false, "<a\\rb>"},
    {BYTES("\ra\n"), 8, false, "<\\ra>"},
    {BYTES("a\r\r\n"), 8, false, "<a\\r>"},
    {BYTES("\r\r\n"), 8, false, "<\\r>"},
    {BYTES("\n\ra\n\r\n"), 8, false, "<><\\ra><>"},

    /* NUL and 8-bit bytes are bytes like any other. */
    {BYTES("a\0b\n\0\n"), 8, false, "<a\\0b><\\0>"},
    {BYTES("a\r\0b\r\0\n"), 8, false, "<a\\r\\0b\\r\\0>"},
    {BYTES("\x80\xff\xfe\n\xc3\xa9\r\n"), 8, false, "<\\x80\\xff\\xfe><\\xc3\\xa9>"},

    /* With telnet on, CR NUL ends a line; a NUL alone and a CR alone still do not. */
    {BYTES("a\r\0b\n"), 8, true, "<a><b>"},
    {BYTES("a\r\0\n"), 8, true, "<a><>"},
    {BYTES("\r\0\r\0\r\n"), 8, true, "<><><>"},
    {BYTES("a\0b\rc\n"), 8, true, "<a\\0b\\rc>"},
    {BYTES("a\r\r\0b"), 8, true, "<a\\r>(b)"},
    {BYTES("a\r\n\0b\r\n"), 8, true, "<a><\\0b>"},
    {BYTES("\0\n"), 8, true, "<\\0>"},
    {BYTES("a\n\0\r"), 8, true, "<a>(\\0)"},

    /* Unfinished at the end of input. */
    {BYTES("tail"), 8, false, "(tail)"},
    {BYTES("a\ntail"), 8, false, "<a>(tail)"},
    {BYTES("a\r\nb\r"), 8, false, "<a>(b)"},
    {BYTES("\r"), 8, false, "()"},
    {BYTES("b\r\r"), 8, false, "(b\\r)"},
    {BYTES("a\r"), 8, true, "(a)"},

    /* The limit counts the line and not its ending. */
    {BYTES("abcd\n"), 4, false, "<abcd>"},
    {BYTES("abcd\r\n"), 4, false, "<abcd>"},
    {BYTES("abcd\r\0"), 4, true, "<abcd>"},
    {BYTES("abcd"), 4, false, "(abcd)"},
    {BYTES("abcd\r"), 4, false, "(abcd)"},
    {BYTES("abcde\n"), 4, false, "!"},
    {BYTES("abcde\r\n"), 4, false, "!"},
    {BYTES("abcde\r\0"), 4, true, "!"},
    {BYTES("abcde"), 4, false, "!"},
    {BYTES("abcd\rx"), 4, false, "!"},
    {BYTES("abcd\r\0"), 4, false, "!"},
    {BYTES("abcd\r\r\n"), 4, false, "!"},
    {BYTES("abcd\r\r"), 4, false, "!"},
    {BYTES("abc\r\r\n"), 4, false, "<abc\\r>"},
    {BYTES("a\nabcd\nabcde\nb\n"), 4, false, "<a><abcd>!"},
    {BYTES("a\r\nabcd\r\nabcdefgh"), 4, false, "<a><abcd>!"},
    {BYTES("\n\r\n"), 0, false, "<><>"},
    {BYTES("\nx"), 0, false, "<>!"},
};

START_TEST(lines_do_not_depend_on_splits)
{
    struct framing framing = {.max = vectors[_i].max, .nul_ends = vectors[_i].nul_ends};
    struct consumer consumer = consumer_of(&framing);

    splits_check(&consumer, vectors[_i].input, vectors[_i].length, vectors[_i].expected);
}
END_TEST

/* The rules of framing once more, in the plainest way: one byte after the other. */
static void frame_plainly(const struct framing *framing, const char *input, size_t length,
                          FILE *heard)
{
    size_t start = 0;

    for (size_t i = 0; i < length; i++) {
        bool after_cr = i > start && input[i - 1] == '\r';
        bool ends = input[i] == '\n' || (framing->nul_ends && after_cr && input[i] == '\0');
        size_t used = (ends ? i - after_cr : i + (input[i] != '\r')) - start;

        if (used > framing->max) {
            fputc('!', heard);
            return;
        }
        if (ends) {
            fputc('<', heard);
            write_visible(heard, input + start, used);
            fputc('>', heard);
            start = i + 1;
        }
    }
    if (start < length) {
        fputc('(', heard);
        write_visible(heard, input + start, length - start - (input[length - 1] == '\r'));
        fputc(')', heard);
    }
}

static void check_all_cuts(struct framing *framing, const char *input, size_t length)
{
    struct consumer consumer = consumer_of(framing);
    char expected[128] = "";
    FILE *stream = fmemopen(expected, sizeof(expected), "w");

    ck_assert_ptr_nonnull(stream);
    frame_plainly(framing, input, length, stream);
    ck_assert_int_eq(fclose(stream), 0);

    for (unsigned mask = 0; mask < 1u << (length - 1); mask++) {
        size_t cuts[8];
        size_t count = 0;
        char *heard;

        for (size_t at = 1; at < length; at++) {
            if ((mask >> (at - 1) & 1) != 0)
                cuts[count++] = at;
        }
        heard = splits_run(&consumer, input, length, cuts, count);
        ck_assert_str_eq(heard, expected);
        free(heard);
    }
}

/* Every stream of five bytes over the four that matter, in every cut: _i is limit and kind. */
START_TEST(short_streams_agree_with_the_plain_rules)
{
    static const char alphabet[] = {'a', '\r', '\n', '\0'};
    struct framing framing = {.max = (size_t)_i / 2, .nul_ends = _i % 2 != 0};

    for (unsigned number = 0; number < 1u << 10; number++) {
        char input[5];

        for (size_t i = 0; i < sizeof(input); i++)
            input[i] = alphabet[number >> (2 * i) & 3];
        check_all_cuts(&framing, input, sizeof(input));
    }
}
END_TEST

/* Where telnet is on, short lines are looked for in another way than long ones: _i is the length.
 */
START_TEST(an_ending_is_found_however_far_away)
{
    static const char endings[][3] = {"\n", "\r\n", "\r\0"};
    struct framing framing = {.max = 512, .nul_ends = true};
    struct consumer consumer = consumer_of(&framing);

    for (size_t kind = 0; kind < 3; kind++) {
        char input[512], expected[512];
        size_t length = (size_t)_i + (kind == 0 ? 1 : 2);
        memset(input, 'a', sizeof(input));
        memcpy(input + _i, endings[kind], length - (size_t)_i);
        memcpy(input + length, "b\r\0c\n", 5);
        snprintf(expected, sizeof(expected), "<%.*s><b><c>", _i, input);
        splits_check(&consumer, input, length + 5, expected);
    }
}
END_TEST

START_TEST(whole_lines_are_handed_over_in_place)
{
    char input[] = "first\r\nsecond\n";
    char *cursor = input;
    char *line;
    size_t length;
    struct line_framer framer;

    line_init(&framer, 16, false);
    ck_assert_int_eq(line_next(&framer, &cursor, input + 14, &line, &length), LINE_READY);
    ck_assert_ptr_eq(line, input);
    ck_assert_int_eq(line_next(&framer, &cursor, input + 14, &line, &length), LINE_READY);
    ck_assert_ptr_eq(line, input + 7);
    ck_assert_ptr_null(framer.kept);
    line_fini(&framer);
}
END_TEST

/* Each input ends one line and begins the next; the buffer stays until nothing is unfinished. */
START_TEST(buffer_is_used_again_and_then_freed)
{
    char input[10];
    char *line;
    size_t length;
    char *buffer = NULL;
    char *cursor;
    struct line_framer framer;

    line_init(&framer, 1000, false);
    for (int i = 0; i < 100; i++) {
        memcpy(input, "end\nbegin", sizeof(input)); /* a line that is handed over is terminated */
        cursor = input;
        ck_assert_int_eq(line_next(&framer, &cursor, input + 9, &line, &length), LINE_READY);
        ck_assert_int_eq(line_next(&framer, &cursor, input + 9, &line, &length), LINE_MORE);
        ck_assert(!buffer || framer.kept == buffer);
        buffer = framer.kept;
    }

    memcpy(input, "end\n", 4);
    cursor = input;
    ck_assert_int_eq(line_next(&framer, &cursor, input + 4, &line, &length), LINE_READY);
    ck_assert_uint_eq(length, 8);
    ck_assert(memcmp(line, "beginend", 8) == 0);
    ck_assert_int_eq(line_next(&framer, &cursor, input + 4, &line, &length), LINE_MORE);
    ck_assert_ptr_null(framer.kept);
    line_fini(&framer);
}
END_TEST

START_TEST(erasing_edits_the_unfinished_line_only)
{
    char input[] = "done\nab";
    char *cursor = input;
    char *end_of_input = input + 7;
    char *line;
    size_t length;
    struct line_framer framer;

    line_init(&framer, 16, false);
    line_erase_character(&framer);
    ck_assert(!line_unfinished(&framer));
    ck_assert_int_eq(line_next(&framer, &cursor, end_of_input, &line, &length), LINE_READY);
    ck_assert_int_eq(line_next(&framer, &cursor, end_of_input, &line, &length), LINE_MORE);
    line_erase_character(&framer);
    ck_assert(line_unfinished(&framer));
    line_erase_character(&framer);
    ck_assert(!line_unfinished(&framer));
    ck_assert_ptr_null(framer.kept);
    line_erase_character(&framer);
    ck_assert_int_eq(line_rest(&framer, &line, &length), LINE_MORE);
    line_fini(&framer);
}
END_TEST

/* Searching kept bytes again would take minutes here: 2^41 bytes looked at. */
START_TEST(a_long_line_in_single_bytes_takes_linear_time)
{
    const size_t size = 1 << 21;
    struct line_framer framer;
    char *line;
    size_t length;

    line_init(&framer, size, _i != 0);
    for (size_t i = 0; i < size; i++) {
        char byte = '\r';
        char *cursor = &byte;

        if (line_next(&framer, &cursor, cursor + 1, &line, &length) != LINE_MORE)
            ck_abort_msg("byte %zu is no part of the line", i);
    }
    ck_assert_int_eq(line_rest(&framer, &line, &length), LINE_READY);
    ck_assert_uint_eq(length, size - 1);
    line_fini(&framer);
}
END_TEST

/* So would looking for an LF to the end of the input at every CR NUL. */
START_TEST(many_lines_in_one_input_take_linear_time)
{
    const size_t size = 1 << 22;
    char *input = malloc(size);
    char *cursor = input;
    struct line_framer framer;
    char *line;
    size_t length;
    size_t count = 0;

    ck_assert_ptr_nonnull(input);
    for (size_t i = 0; i < size; i++)
        input[i] = i % 2 == 0 ? '\r' : '\0';
    line_init(&framer, 16, true);
    while (line_next(&framer, &cursor, input + size, &line, &length) == LINE_READY)
        count++;
    ck_assert_uint_eq(count, size / 2);
    line_fini(&framer);
    free(input);
}
END_TEST

Suite *line_suite(void)
{
    Suite *suite = suite_create("line");
    TCase *splits = tcase_create("splits");
    TCase *streams = tcase_create("streams");
    TCase *buffer = tcase_create("buffer");
    TCase *time = tcase_create("time");

    tcase_set_timeout(splits, 60);
    tcase_add_loop_test(splits, lines_do_not_depend_on_splits, 0,
                        (int)(sizeof(vectors) / sizeof(vectors[0])));
    tcase_add_loop_test(splits, an_ending_is_found_however_far_away, 120, 136);
    suite_add_tcase(suite, splits);

    tcase_set_timeout(streams, 60);
    tcase_set_tags(streams, "exhaustive");
    tcase_add_loop_test(streams, short_streams_agree_with_the_plain_rules, 0, 6);
    suite_add_tcase(suite, streams);

    tcase_add_test(buffer, whole_lines_are_handed_over_in_place);
    tcase_add_test(buffer, buffer_is_used_again_and_then_freed);
    tcase_add_test(buffer, erasing_edits_the_unfinished_line_only);
    suite_add_tcase(suite, buffer);

    tcase_set_timeout(time, 30);
    tcase_add_loop_test(time, a_long_line_in_single_bytes_takes_linear_time, 0, 2);
    tcase_add_test(time, many_lines_in_one_input_take_linear_time);
    suite_add_tcase(suite, time);
    return suite;
}
