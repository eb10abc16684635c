/*
 * unit/test_telnet.c - the telnet filter, alone and in front of a line framer.
 *
 * Heard text: data as it is, and {name} or {reply ff fe 01} for what is no data.
 */
#include <stdint.h>
#include <string.h>

#include <check.h>

#include "splits.h"
#include "suites.h"
#include "text/line.h"
#include "text/telnet.h"

static const char *const item_names[] = {
    [TELNET_ARE_YOU_THERE] = "{ayt}",
    [TELNET_INTERRUPT] = "{ip}",
    [TELNET_ERASE_CHARACTER] = "{ec}",
    [TELNET_ERASE_LINE] = "{el}",
};

static void begin_filter(void *state)
{
    memset(state, 0, sizeof(struct telnet));
}

static void write_reply(FILE *heard, const char *reply, size_t length)
{
    ck_assert_uint_eq(length, 3);
    fprintf(heard, "{reply %02x %02x %02x}", (uint8_t)reply[0], (uint8_t)reply[1],
            (uint8_t)reply[2]);
}

static void filter(void *state, char *bytes, size_t length, FILE *heard)
{
    char *cursor = bytes;
    char *end = bytes + length;
    char *data;
    size_t count;
    enum telnet_item item;

    while ((item = telnet_next(state, &cursor, end, &data, &count)) != TELNET_END) {
        ck_assert(cursor <= end);
        switch (item) {
        case TELNET_DATA:
            ck_assert_uint_gt(count, 0);
            ck_assert_ptr_eq(data + count, cursor);
            ck_assert(data >= bytes);
            write_visible(heard, data, count);
            break;
        case TELNET_REPLY:
            write_reply(heard, data, count);
            break;
        default:
            fputs(item_names[item], heard);
            break;
        }
    }
    ck_assert_ptr_eq(cursor, end);
}

static void end_filter(void *state, FILE *heard)
{
    (void)state;
    (void)heard;
}

static const struct {
    const char *input;
    size_t length;
    const char *expected;
} filter_vectors[] = {
    {BYTES(""), ""},
    {BYTES("plain text\r\n"), "plain text\\r\\n"},
    {BYTES("nul \0 and \xfe\xf0\x80 are data"), "nul \\0 and \\xfe\\xf0\\x80 are data"},

    /* A doubled IAC is one byte of data, wherever it stands. */
    {BYTES("a\xff\xff"
           "b"),
     "a\\xffb"},
    {BYTES("\xff\xff\xff\xff"), "\\xff\\xff"},
    {BYTES("\xff\xff\xff\xf6\xff\xff"), "\\xff{ayt}\\xff"},
    {BYTES("\xff\xff\xfb\x01"), "\\xff\\xfb\\x01"},

    {BYTES("a\xff\xf6"
           "b"),
     "a{ayt}b"},
    {BYTES("\xff\xf4"), "{ip}"},
    {BYTES("ab\xff\xf7\xff\xf8"), "ab{ec}{el}"},

    /* Dropped: EOF SUSP ABORT EOR SE NOP DM BRK AO GA, and what no RFC names. */
    {BYTES("a\xff\xec\xff\xed\xff\xee\xff\xef\xff\xf0"
           "b"),
     "ab"},
    {BYTES("a\xff\xf1\xff\xf2\xff\xf3\xff\xf5\xff\xf9"
           "b"),
     "ab"},
    {BYTES("a\xff\0b\xff\nc\xff\x80"
           "d"),
     "abcd"},

    /* Options: refused once each; a denial is not answered. */
    {BYTES("\xff\xfb\x01"), "{reply ff fe 01}"},
    {BYTES("\xff\xfd\x03"), "{reply ff fc 03}"},
    {BYTES("\xff\xfc\x01\xff\xfe\x03"), ""},
    {BYTES("\xff\xfb\x01\xff\xfb\x01\xff\xfc\x01\xff\xfb\x01"), "{reply ff fe 01}"},
    {BYTES("\xff\xfd\x01\xff\xfb\x01\xff\xfd\x01"), "{reply ff fc 01}{reply ff fe 01}"},
    {BYTES("a\xff\xfd\xff\xff\xff"
           "b"),
     "a{reply ff fc ff}\\xffb"},
    {BYTES("\xff\xfb\xf6\xff\xfe\xff\xf6"), "{reply ff fe f6}\\xf6"},
    {BYTES("\xff\xfd\x03\xff\xfb\x18\xff\xfb\x1f hello\r\n"),
     "{reply ff fc 03}{reply ff fe 18}{reply ff fe 1f} hello\\r\\n"},

    /* A subnegotiation goes to IAC SE; a doubled IAC, or a lone SE, is inside it. */
    {BYTES("a\xff\xfa\x18\0xterm\xff\xf0"
           "b"),
     "ab"},
    {BYTES("a\xff\xfa\x1f\xff\xff\xf0\xff\xff\xff\xf0"
           "b"),
     "ab"},
    {BYTES("a\xff\xfa\xf0\xf0\xff\xf6\xff\xfb\x01\xff\xf0"
           "b"),
     "ab"},
    {BYTES("a\xff\xfa\xff\xf0\xff\xfa\xff\xf0"
           "b"),
     "ab"},
    {BYTES("a\xff\xfa\x18 never ends\r\n"), "a"},

    /* Cut off in the middle of a command. */
    {BYTES("a\xff"), "a"},
    {BYTES("a\xff\xfb"), "a"},
};

START_TEST(filter_does_not_depend_on_splits)
{
    struct telnet telnet;
    struct consumer consumer = {
        .state = &telnet, .begin = begin_filter, .take = filter, .end = end_filter};

    splits_check(&consumer, filter_vectors[_i].input, filter_vectors[_i].length,
                 filter_vectors[_i].expected);
}
END_TEST

/* Sends a command with its option in one piece; counts the replies, and keeps the last. */
static unsigned negotiate(struct telnet *telnet, unsigned command, unsigned option, char reply[3])
{
    char input[] = {(char)TELNET_IAC, (char)command, (char)option};
    char *cursor = input;
    char *data;
    size_t length;
    enum telnet_item item;
    unsigned replies = 0;

    while ((item = telnet_next(telnet, &cursor, input + 3, &data, &length)) != TELNET_END) {
        if (item == TELNET_REPLY) {
            ck_assert_uint_eq(length, 3);
            memcpy(reply, data, 3);
            replies++;
        }
    }
    return replies;
}

enum { WILL = 251, WONT, DO, DONT };

START_TEST(each_command_and_option_is_answered_at_most_once)
{
    for (unsigned command = 0; command < 256; command++) {
        for (unsigned option = 0; option < 256; option++) {
            struct telnet telnet = {0};
            char reply[3];
            unsigned replies = negotiate(&telnet, command, option, reply);

            ck_assert_uint_eq(replies, command == WILL || command == DO);
            if (replies == 0)
                continue;
            ck_assert_int_eq((uint8_t)reply[0], TELNET_IAC);
            ck_assert_int_eq((uint8_t)reply[1], command == WILL ? DONT : WONT);
            ck_assert_int_eq((uint8_t)reply[2], option);
            ck_assert_uint_eq(negotiate(&telnet, command, option, reply), 0);
        }
    }
}
END_TEST

/* The same in one long conversation: answers never come back, whatever came between. */
START_TEST(no_answer_is_repeated_in_a_conversation)
{
    struct telnet telnet = {0};
    char reply[3];
    unsigned replies = 0;

    for (unsigned round = 0; round < 3; round++) {
        for (unsigned command = WILL; command <= DONT; command++) {
            for (unsigned option = 0; option < 256; option++)
                replies += negotiate(&telnet, command, option, reply);
        }
        ck_assert_uint_eq(replies, 512);
    }
}
END_TEST

/* The filter and a framer behind it, put together as the server does. */
struct conversation {
    struct telnet telnet;
    struct line_framer framer;
};

static void begin_conversation(void *state)
{
    struct conversation *conversation = state;

    memset(&conversation->telnet, 0, sizeof(conversation->telnet));
    line_init(&conversation->framer, 16, true);
}

static void frame(struct line_framer *framer, char *data, size_t length, FILE *heard)
{
    char *cursor = data;
    char *line;
    size_t line_length;
    enum line_result result;

    while ((result = line_next(framer, &cursor, data + length, &line, &line_length)) ==
           LINE_READY) {
        fputc('<', heard);
        write_visible(heard, line, line_length);
        fputc('>', heard);
    }
    ck_assert_int_eq(result, LINE_MORE);
}

static void converse(void *state, char *bytes, size_t length, FILE *heard)
{
    struct conversation *conversation = state;
    char *cursor = bytes;
    char *data;
    size_t count;
    enum telnet_item item;

    while ((item = telnet_next(&conversation->telnet, &cursor, bytes + length, &data, &count)) !=
           TELNET_END) {
        if (item == TELNET_DATA)
            frame(&conversation->framer, data, count, heard);
        else if (item == TELNET_ERASE_CHARACTER)
            line_erase_character(&conversation->framer);
        else if (item == TELNET_ERASE_LINE)
            line_erase(&conversation->framer);
    }
}

static void end_conversation(void *state, FILE *heard)
{
    struct conversation *conversation = state;
    char *line;
    size_t length;

    if (line_rest(&conversation->framer, &line, &length) == LINE_READY) {
        fputc('(', heard);
        write_visible(heard, line, length);
        fputc(')', heard);
    }
    line_fini(&conversation->framer);
}

#define EC "\xff\xf7"
#define EL "\xff\xf8"

static const struct {
    const char *input;
    size_t length;
    const char *expected;
} conversation_vectors[] = {
    {BYTES("one\r\0two\r\nthree\n"), "<one><two><three>"},
    {BYTES("o\xff\xf1ne\xff\xfb\x01\r\xff\xf1\n"), "<one>"},
    {BYTES("\xff\xff\r\0\xff\xff\n"), "<\\xff><\\xff>"},

    {BYTES("abX" EC "c\n"), "<abc>"},
    {BYTES("abXYZ" EC EC EC "c\n"), "<abc>"},
    {BYTES(EC EC "a\n"), "<a>"},
    {BYTES("a" EC EC EC "b\n"), "<b>"},
    {BYTES("done\nX" EC EC "b\n"), "<done><b>"},
    {BYTES("X" EC), ""},
    {BYTES("a\r" EC "\n"), "<a>"},
    {BYTES("a\r" EC "\0\n"), "<a\\0>"},

    /* One whole character of two, three and four bytes. */
    {BYTES("a\xc3\xa9" EC "b\n"), "<ab>"},
    {BYTES("a\xe2\x80\x99" EC "b\n"), "<ab>"},
    {BYTES("a\xf0\x9f\x98\x80" EC "b\n"), "<ab>"},
    {BYTES("\xc3\xa9\xc3\xa8" EC "\n"), "<\\xc3\\xa9>"},

    /* What is no UTF-8 goes byte by byte. */
    {BYTES("a\xa9" EC "b\n"), "<ab>"},
    {BYTES("a\xa9\xa9\xa9\xa9\xa9" EC EC "\n"), "<a\\xa9\\xa9\\xa9>"},
    {BYTES("a\xe2\x80" EC "\n"), "<a\\xe2>"},
    {BYTES("a\xf0\x9f\x98" EC "\n"), "<a\\xf0\\x9f>"},
    {BYTES("a\xc3\xa9\xa9" EC "\n"), "<a\\xc3\\xa9>"},
    {BYTES("\x80\x80" EC "\n"), "<\\x80>"},
    {BYTES("a\xc3" EC "\n"), "<a>"},

    {BYTES("wrong" EL "right\n"), "<right>"},
    {BYTES("done\nwrong" EL EL "right\n"), "<done><right>"},
    {BYTES("wrong" EL), ""},
    {BYTES("wrong\r" EL "\0right\r\0"), "<\\0right>"},
    {BYTES("a" EL "bX" EC "c" EL "d\r\n" EL "e"), "<d>(e)"},
};

START_TEST(editing_does_not_depend_on_splits)
{
    struct conversation conversation;
    struct consumer consumer = {.state = &conversation,
                                .begin = begin_conversation,
                                .take = converse,
                                .end = end_conversation};

    splits_check(&consumer, conversation_vectors[_i].input, conversation_vectors[_i].length,
                 conversation_vectors[_i].expected);
}
END_TEST

Suite *telnet_suite(void)
{
    Suite *suite = suite_create("telnet");
    TCase *splits = tcase_create("splits");
    TCase *options = tcase_create("options");

    tcase_set_timeout(splits, 60);
    tcase_add_loop_test(splits, filter_does_not_depend_on_splits, 0,
                        (int)(sizeof(filter_vectors) / sizeof(filter_vectors[0])));
    tcase_add_loop_test(splits, editing_does_not_depend_on_splits, 0,
                        (int)(sizeof(conversation_vectors) / sizeof(conversation_vectors[0])));
    suite_add_tcase(suite, splits);

    tcase_add_test(options, each_command_and_option_is_answered_at_most_once);
    tcase_add_test(options, no_answer_is_repeated_in_a_conversation);
    suite_add_tcase(suite, options);
    return suite;
}
