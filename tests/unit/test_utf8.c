/*
 * unit/test_utf8.c - characters of UTF-8, all of them, and what is none.
 */
#include <stdbool.h>
#include <string.h>

#include <check.h>

#include "suites.h"
#include "text/utf8.h"

/* The form of so many bytes, whether it is the shortest one or not, and whether it is allowed. */
static void encode(uint32_t character, size_t length, char *text)
{
    static const unsigned char marks[] = {0, 0, 0xc0, 0xe0, 0xf0};

    for (size_t i = length - 1; i > 0; i--) {
        text[i] = (char)(0x80 | (character & 0x3f));
        character >>= 6;
    }
    text[0] = (char)(marks[length] | character);
}

static size_t shortest(uint32_t character)
{
    return character < 0x80 ? 1 : character < 0x800 ? 2 : character < 0x10000 ? 3 : 4;
}

START_TEST(every_number_in_every_form)
{
    static const uint32_t room[] = {0, 0x80, 0x800, 0x10000, 0x200000};

    for (size_t length = 1; length <= 4; length++) {
        for (uint32_t number = 0; number < room[length]; number++) {
            bool surrogate = number >= 0xd800 && number <= 0xdfff;
            bool good = length == shortest(number) && !surrogate && number <= 0x10ffff;
            uint32_t character = 0;
            char text[4];

            encode(number, length, text);
            ck_assert_uint_eq(utf8_decode(text, length, &character), good ? length : 0);
            if (good)
                ck_assert_uint_eq(character, number);
        }
    }
}
END_TEST

START_TEST(the_rest_of_the_text_is_not_looked_at)
{
    uint32_t character;

    ck_assert_uint_eq(utf8_decode("\xc3\xa4\xff", 3, &character), 2);
    ck_assert_uint_eq(character, 0xe4);
}
END_TEST

static const char *const broken[] = {
    "\x80",             /* a stray one */
    "\xbf\xbf",         /* two of them */
    "\xc3",             /* the second is missing */
    "\xc3(",            /* ... and is something else */
    "\xc3\xc3\xa4",     /* ... or begins another */
    "\xe2\x82",         /* the third is missing */
    "\xe2(\xac",        /* the second is something else */
    "\xf0\x9f\x98",     /* the fourth is missing */
    "\xf0\x9f\x98\xc0", /* ... or begins another */
    "\xf8\x88\x80\x80\x80",
    "\xfc\x84\x80\x80\x80\x80",
    "\xfe",
    "\xff",
};

START_TEST(what_is_none)
{
    uint32_t character;

    ck_assert_uint_eq(utf8_decode(broken[_i], strlen(broken[_i]), &character), 0);
}
END_TEST

START_TEST(no_more_than_what_is_available_is_read)
{
    static const char whole[] = "\xf0\x9f\x98\x80";
    uint32_t character;

    for (size_t available = 1; available < 4; available++) {
        char text[4];

        /* In memory of its own, a sanitizer sees a byte that is read beyond. */
        char *end = text + sizeof(text) - available;
        memcpy(end, whole, available);
        ck_assert_uint_eq(utf8_decode(end, available, &character), 0);
    }
}
END_TEST

Suite *utf8_suite(void)
{
    Suite *suite = suite_create("utf8");
    TCase *test = tcase_create("decode");
    TCase *numbers = tcase_create("numbers");

    tcase_set_timeout(numbers, 60);
    tcase_set_tags(numbers, "exhaustive");
    tcase_add_test(numbers, every_number_in_every_form);
    suite_add_tcase(suite, numbers);

    tcase_add_test(test, the_rest_of_the_text_is_not_looked_at);
    tcase_add_loop_test(test, what_is_none, 0, sizeof(broken) / sizeof(broken[0]));
    tcase_add_test(test, no_more_than_what_is_available_is_read);
    suite_add_tcase(suite, test);
    return suite;
}
