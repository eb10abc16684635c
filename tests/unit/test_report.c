/*
 * unit/test_report.c - problems are kept in order, each as one finished message.
 */
#include <errno.h>

#include <check.h>

#include "suites.h"
#include "text/report.h"

START_TEST(messages_name_file_and_line)
{
    struct report report = {0};

    ck_assert(!report_failed(&report));
    report_add(&report, "a.ini", 7, "unknown key '%s'", "prot");
    report_add(&report, "b.ini", 0, "is a directory");
    ck_assert(report_failed(&report));
    ck_assert(!report.truncated);
    ck_assert_uint_eq(report.count, 2);
    ck_assert_str_eq(report_message(&report, 0), "a.ini:7: unknown key 'prot'");
    ck_assert_str_eq(report_message(&report, 1), "b.ini: is a directory");
    ck_assert_ptr_null(report_message(&report, 2));
    report_fini(&report);
}
END_TEST

START_TEST(sorting_keeps_the_order_within_a_line_and_of_other_files)
{
    static const char *const sorted[] = {"a.ini: whole", "a.ini:2: x",  "a.ini:2: y",
                                         "a.ini:9: z",   "jokes:1: no", "b:7: no"};
    struct report report = {0};

    report_add(&report, "jokes", 1, "no");
    report_add(&report, "a.ini", 9, "z");
    report_add(&report, "b", 7, "no");
    report_add(&report, "a.ini", 2, "x");
    report_add(&report, "a.ini", 0, "whole");
    report_add(&report, "a.ini", 2, "y");
    report_sort(&report, "a.ini");
    for (size_t i = 0; i < sizeof(sorted) / sizeof(sorted[0]); i++)
        ck_assert_str_eq(report_message(&report, i), sorted[i]);
    report_fini(&report);
}
END_TEST

START_TEST(a_flood_of_messages_is_cut)
{
    struct report report = {0};

    for (unsigned line = 1; line <= 5000; line++)
        report_add(&report, "f", line, "bad");
    ck_assert(report.truncated);
    ck_assert(!report.system);
    ck_assert_uint_ge(report.count, 1000);
    ck_assert_uint_lt(report.count, 5000);
    ck_assert_str_eq(report_message(&report, 0), "f:1: bad");
    ck_assert_str_eq(report_message(&report, 999), "f:1000: bad");
    ck_assert_str_eq(report_message(&report, 0), "f:1: bad");
    ck_assert_str_eq(report_message(&report, report.count),
                     "there are more problems than there is room to name");
    ck_assert_ptr_null(report_message(&report, report.count + 1));
    report_fini(&report);
}
END_TEST

START_TEST(a_finished_report_is_empty_again)
{
    struct report report = {0};

    report_fini(&report);
    report_add(&report, "f", 1, "bad");
    report_fini(&report);
    ck_assert(!report_failed(&report));
    report_add(&report, "f", 2, "worse");
    ck_assert_str_eq(report_message(&report, 0), "f:2: worse");
    report_fini(&report);

    report.truncated = true;
    ck_assert(report_failed(&report));
}
END_TEST

START_TEST(the_system_is_blamed_for_its_own_failures_only)
{
    static const int of_files[] = {0, EACCES, EINVAL, EISDIR, ELOOP, ENOENT, ENOTDIR, EFBIG};
    static const int of_the_system[] = {EIO, EMFILE, ENFILE, ENOMEM};
    struct report report = {0};

    for (size_t i = 0; i < sizeof(of_files) / sizeof(of_files[0]); i++) {
        report_add(&report, "f", 1, "bad");
        report_cause(&report, of_files[i]);
        ck_assert(!report.system);
    }
    for (size_t i = 0; i < sizeof(of_the_system) / sizeof(of_the_system[0]); i++) {
        report.system = false;
        report_cause(&report, of_the_system[i]);
        ck_assert(report.system);
        report_cause(&report, EINVAL);
        ck_assert(report.system);
    }
    report_fini(&report);
    ck_assert(!report.system);
}
END_TEST

Suite *report_suite(void)
{
    Suite *suite = suite_create("report");
    TCase *tests = tcase_create("report");

    tcase_add_test(tests, messages_name_file_and_line);
    tcase_add_test(tests, sorting_keeps_the_order_within_a_line_and_of_other_files);
    tcase_add_test(tests, a_flood_of_messages_is_cut);
    tcase_add_test(tests, a_finished_report_is_empty_again);
    tcase_add_test(tests, the_system_is_blamed_for_its_own_failures_only);
    suite_add_tcase(suite, tests);
    return suite;
}
