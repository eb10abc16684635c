/*
 * unit/test_quantity.c - numbers, durations, sizes, rates and truth: what is read, what is refused,
 * and that what is written reads back.
 */
#include <errno.h>
#include <inttypes.h>

#include <check.h>

#include "suites.h"
#include "text/quantity.h"

#define UNTOUCHED INT64_C(-4711)

struct vector {
    const char *text;
    int error;
    int64_t value;
};

#define COUNT(vectors) ((int)(sizeof(vectors) / sizeof((vectors)[0])))

static void check_parse(int (*parse)(const char *, int64_t *), const struct vector *vector)
{
    int64_t value = UNTOUCHED;
    int error = parse(vector->text, &value);
    int64_t expected = vector->error == 0 ? vector->value : UNTOUCHED;

    ck_assert_msg(error == vector->error, "\"%s\": error %d, expected %d", vector->text, error,
                  vector->error);
    ck_assert_msg(value == expected, "\"%s\": %" PRId64 ", expected %" PRId64, vector->text, value,
                  expected);
}

static const struct vector numbers[] = {
    {"0", 0, 0},
    {"1", 0, 1},
    {"65535", 0, 65535},
    {"9223372036854775807", 0, INT64_MAX},
    {"9223372036854775808", -ERANGE, 0},
    {"9223372036854775817", -ERANGE, 0},
    {"18446744073709551616", -ERANGE, 0},
    {"99999999999999999999999999999999999999999", -ERANGE, 0},
    {"99999999999999999999999999999999999999999x", -EINVAL, 0},
    {"", -EINVAL, 0},
    {" 1", -EINVAL, 0},
    {"1 ", -EINVAL, 0},
    {"+1", -EINVAL, 0},
    {"-1", -EINVAL, 0},
    {"-0", -EINVAL, 0},
    {"00", -EINVAL, 0},
    {"010", -EINVAL, 0},
    {"0x10", -EINVAL, 0},
    {"1.5", -EINVAL, 0},
    {"1e3", -EINVAL, 0},
    {"12abc", -EINVAL, 0},
    {"1K", -EINVAL, 0},
    {"ten", -EINVAL, 0},
};

static const struct vector durations[] = {
    {"0", 0, 0},
    {"0ms", 0, 0},
    {"0d", 0, 0},
    {"500ms", 0, 500},
    {"1500ms", 0, 1500},
    {"30s", 0, 30000},
    {"5m", 0, 300000},
    {"1h", 0, 3600000},
    {"2d", 0, 172800000},
    {"9223372036854775807ms", 0, INT64_MAX},
    {"9223372036854775s", 0, INT64_C(9223372036854775000)},
    {"9223372036854775808ms", -ERANGE, 0},
    {"9223372036854776s", -ERANGE, 0},
    {"106751991168d", -ERANGE, 0},
    {"99999999999999999999999999s", -ERANGE, 0},
    {"99999999999999999999999999", -EINVAL, 0},
    {"", -EINVAL, 0},
    {"30", -EINVAL, 0},
    {"s", -EINVAL, 0},
    {"00", -EINVAL, 0},
    {"05s", -EINVAL, 0},
    {"00s", -EINVAL, 0},
    {"5 s", -EINVAL, 0},
    {"5s ", -EINVAL, 0},
    {" 5s", -EINVAL, 0},
    {"-5s", -EINVAL, 0},
    {"+5s", -EINVAL, 0},
    {"5S", -EINVAL, 0},
    {"5M", -EINVAL, 0},
    {"5sec", -EINVAL, 0},
    {"1m30s", -EINVAL, 0},
    {"1.5s", -EINVAL, 0},
    {"5w", -EINVAL, 0},
    {"never", -EINVAL, 0},
};

static const struct vector sizes[] = {
    {"0", 0, 0},
    {"512", 0, 512},
    {"8K", 0, 8192},
    {"1M", 0, 1048576},
    {"2G", 0, INT64_C(2147483648)},
    {"0K", 0, 0},
    {"9223372036854775807", 0, INT64_MAX},
    {"8589934591G", 0, INT64_C(9223372035781033984)},
    {"8589934592G", -ERANGE, 0},
    {"9223372036854775808", -ERANGE, 0},
    {"9007199254740992K", -ERANGE, 0},
    {"", -EINVAL, 0},
    {"K", -EINVAL, 0},
    {"8k", -EINVAL, 0},
    {"8KB", -EINVAL, 0},
    {"8 K", -EINVAL, 0},
    {"08K", -EINVAL, 0},
    {"-1K", -EINVAL, 0},
    {"1.5M", -EINVAL, 0},
    {"1T", -EINVAL, 0},
    {"12abc", -EINVAL, 0},
};

START_TEST(number)
{
    check_parse(number_parse, &numbers[_i]);
}
END_TEST

START_TEST(duration)
{
    check_parse(duration_parse, &durations[_i]);
}
END_TEST

START_TEST(size)
{
    check_parse(size_parse, &sizes[_i]);
}
END_TEST

START_TEST(rate)
{
    static const struct {
        const char *text;
        int error;
        int64_t count, period;
    } vectors[] = {
        {"0", 0, 0, 0},
        {"1/s", 0, 1, 1000},
        {"100/s", 0, 100, 1000},
        {"20/m", 0, 20, 60000},
        {"5/h", 0, 5, 3600000},
        {"9223372036854775807/d", 0, INT64_MAX, 86400000},
        {"9223372036854775808/s", -ERANGE, 0, 0},
        {"92233720368547758080/s", -ERANGE, 0, 0},
        {"99999999999999999999999999/x", -EINVAL, 0, 0},
        {"", -EINVAL, 0, 0},
        {"/", -EINVAL, 0, 0},
        {"/s", -EINVAL, 0, 0},
        {"0/s", -EINVAL, 0, 0},
        {"00", -EINVAL, 0, 0},
        {"100", -EINVAL, 0, 0},
        {"100/", -EINVAL, 0, 0},
        {"100s", -EINVAL, 0, 0},
        {"100/ms", -EINVAL, 0, 0},
        {"100/1s", -EINVAL, 0, 0},
        {"100 /s", -EINVAL, 0, 0},
        {"100/ s", -EINVAL, 0, 0},
        {"100/s ", -EINVAL, 0, 0},
        {"100/S", -EINVAL, 0, 0},
        {"100/sec", -EINVAL, 0, 0},
        {"1.5/s", -EINVAL, 0, 0},
        {"-1/s", -EINVAL, 0, 0},
        {"01/s", -EINVAL, 0, 0},
        {"none", -EINVAL, 0, 0},
    };

    for (int i = 0; i < COUNT(vectors); i++) {
        int64_t count = UNTOUCHED, period = UNTOUCHED;
        bool good = vectors[i].error == 0;
        char text[QUANTITY_TEXT];

        ck_assert_msg(rate_parse(vectors[i].text, &count, &period) == vectors[i].error,
                      "\"%s\" should give %d", vectors[i].text, vectors[i].error);
        ck_assert_int_eq(count, good ? vectors[i].count : UNTOUCHED);
        ck_assert_int_eq(period, good ? vectors[i].period : UNTOUCHED);
        if (!good)
            continue;
        rate_format(count, period, text);
        ck_assert_str_eq(text, vectors[i].text);
    }
}
END_TEST

START_TEST(truth)
{
    static const char *const yes[] = {"yes", "true", "on", "YES", "True", "oN"};
    static const char *const no[] = {"no", "false", "off", "No", "FALSE", "Off"};
    static const char *const neither[] = {"", "y", "n", "1", "0", "yes ", " yes", "yess", "of"};

    for (int i = 0; i < COUNT(yes); i++) {
        bool value = false;

        ck_assert_int_eq(boolean_parse(yes[i], &value), 0);
        ck_assert(value);
    }
    for (int i = 0; i < COUNT(no); i++) {
        bool value = true;

        ck_assert_int_eq(boolean_parse(no[i], &value), 0);
        ck_assert(!value);
    }
    for (int i = 0; i < COUNT(neither); i++) {
        bool value = true;

        ck_assert_int_eq(boolean_parse(neither[i], &value), -EINVAL);
        ck_assert(value);
    }
}
END_TEST

START_TEST(the_shortest_spelling_is_written)
{
    static const struct {
        int64_t value;
        const char *duration;
        const char *size;
    } vectors[] = {
        {0, "0", "0"},
        {1, "1ms", "1"},
        {1000, "1s", "1000"},
        {1024, "1024ms", "1K"},
        {1500, "1500ms", "1500"},
        {90000, "90s", "90000"},
        {300000, "5m", "300000"},
        {5400000, "90m", "5400000"},
        {86400000, "1d", "84375K"},
        {262144, "262144ms", "256K"},
        {INT64_C(1) << 40, "1099511627776ms", "1024G"},
        {INT64_MAX, "9223372036854775807ms", "9223372036854775807"},
    };

    for (int i = 0; i < COUNT(vectors); i++) {
        char text[QUANTITY_TEXT];

        duration_format(vectors[i].value, text);
        ck_assert_str_eq(text, vectors[i].duration);
        size_format(vectors[i].value, text);
        ck_assert_str_eq(text, vectors[i].size);
    }
}
END_TEST

static void check_reads_back(int64_t value)
{
    char text[QUANTITY_TEXT];
    int64_t read = UNTOUCHED;

    duration_format(value, text);
    ck_assert_int_eq(duration_parse(text, &read), 0);
    ck_assert_int_eq(read, value);
    size_format(value, text);
    ck_assert_int_eq(size_parse(text, &read), 0);
    ck_assert_int_eq(read, value);
}

START_TEST(what_is_written_reads_back)
{
    for (int64_t value = 0; value < 10000; value++) {
        check_reads_back(value);
        check_reads_back(value * 1000);
        check_reads_back(value * 1024);
        check_reads_back(INT64_MAX - value);
    }
}
END_TEST

Suite *quantity_suite(void)
{
    Suite *suite = suite_create("quantity");
    TCase *parse = tcase_create("parse");
    TCase *format = tcase_create("format");

    tcase_add_loop_test(parse, number, 0, COUNT(numbers));
    tcase_add_loop_test(parse, duration, 0, COUNT(durations));
    tcase_add_loop_test(parse, size, 0, COUNT(sizes));
    tcase_add_test(parse, rate);
    tcase_add_test(parse, truth);
    suite_add_tcase(suite, parse);

    tcase_add_test(format, the_shortest_spelling_is_written);
    tcase_add_test(format, what_is_written_reads_back);
    suite_add_tcase(suite, format);
    return suite;
}
