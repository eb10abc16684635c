/*
 * unit/test_config.c - what the parts of config/ take and write, apart from the messages: those
 * are held word for word by e2e/test_config.py.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <check.h>

#include "config/config.h"
#include "config/file.h"
#include "config/hint.h"
#include "config/ini.h"
#include "config/options.h"
#include "suites.h"
#include "text/arena.h"

static char path[] = "/tmp/banterd-XXXXXX";
static struct arena *arena;
static struct report report;

static void setup(void)
{
    int fd;

    memcpy(path + strlen(path) - 6, "XXXXXX", 6);
    fd = mkstemp(path);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(close(fd), 0);
    arena = arena_new();
    ck_assert_ptr_nonnull(arena);
    report = (struct report){0};
}

static void teardown(void)
{
    report_fini(&report);
    arena_free(arena);
    unlink(path);
}

static void write_bytes(const void *bytes, size_t length)
{
    FILE *stream = fopen(path, "w");

    ck_assert_ptr_nonnull(stream);
    ck_assert_uint_eq(fwrite(bytes, 1, length, stream), length);
    ck_assert_int_eq(fclose(stream), 0);
}

static void write_text(const char *text)
{
    write_bytes(text, strlen(text));
}

/* Prints what was reported, so that a failure explains itself. */
static void assert_no_problem(void)
{
    for (size_t i = 0; i < report.count; i++)
        fprintf(stderr, "%s\n", report_message(&report, i));
    ck_assert(!report_failed(&report));
}

/* --- Files. --- */

START_TEST(a_file_is_read_whole)
{
    static const char bytes[] = "one\0two\r\n";
    struct banter_file file = {0};
    const char *why = NULL;

    write_bytes(bytes, sizeof(bytes) - 1);
    ck_assert_int_eq(file_read(path, arena, &file, &why), 0);
    ck_assert_uint_eq(file.length, sizeof(bytes) - 1);
    ck_assert_mem_eq(file.text, bytes, sizeof(bytes)); /* its NUL too */
    ck_assert_ptr_eq(file.path, path);

    write_text("\xef\xbb\xbfone");
    ck_assert_int_eq(file_read(path, arena, &file, &why), 0);
    ck_assert_str_eq(file.text, "one");
    ck_assert_uint_eq(file.length, 3);

    write_text("");
    ck_assert_int_eq(file_read(path, arena, &file, &why), 0);
    ck_assert_str_eq(file.text, "");
    ck_assert_uint_eq(file.length, 0);
}
END_TEST

START_TEST(a_file_that_is_refused_changes_nothing)
{
    struct banter_file file = {0};
    const char *why = NULL;

    ck_assert_int_eq(file_read("/dev/null", arena, &file, &why), -EINVAL);
    ck_assert_str_eq(why, "Not a regular file");
    ck_assert_int_eq(file_read("/", arena, &file, &why), -EISDIR);
    ck_assert_int_eq(file_read("/nowhere/at/all", arena, &file, &why), -ENOENT);
    ck_assert_ptr_null(file.path);
    ck_assert_ptr_null(file.text);
}
END_TEST

START_TEST(a_text_is_utf8_without_control_characters)
{
    static const struct {
        const char *text;
        unsigned line; /* the one that is refused, 0: none is */
    } cases[] = {
        {"", 0},
        {"a\tb\r\nc\n", 0},
        {"\xc2\xa0\xdf\xbf", 0},                     /* U+00A0, U+07FF */
        {"\xe0\xa0\x80\xed\x9f\xbf\xee\x80\x80", 0}, /* U+0800, U+D7FF, U+E000 */
        {"\xf0\x90\x80\x80\xf4\x8f\xbf\xbf", 0},     /* U+10000, U+10FFFF */
        {"a\n\x80", 2},
        {"a\n\n\xc3", 3}, /* half of a sequence */
        {"\xc3"
         "a",
         1},
        {"\xe2\x82"
         "a",
         1}, /* a broken one */
        {"\xc1\xbf", 1},
        {"\xe0\x9f\xbf", 1}, /* overlong */
        {"\xf0\x8f\xbf\xbf", 1},
        {"\xed\xa0\x80", 1}, /* overlong, a surrogate */
        {"\xf4\x90\x80\x80", 1},
        {"\xf5\x80\x80\x80", 1}, /* beyond U+10FFFF */
        {"a\x1b", 1},
        {"\x7f", 1},
        {"\xc2\x9b", 1},
        {"a\rb", 1},
        {"a\n\r", 2},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct banter_file file = {.length = strlen(cases[i].text)};
        const char *why = NULL;

        file.text = arena_copy(arena, cases[i].text, file.length);
        ck_assert_uint_eq(file_check_text(&file, &why), cases[i].line);
    }
}
END_TEST

START_TEST(paths_start_beside_the_file_that_names_them)
{
    char *directory = getcwd(NULL, 0);
    char expected[4096];
    const char *why;

    ck_assert_ptr_nonnull(directory);
    ck_assert_str_eq(file_beside("/etc/b/b.ini", "/srv/jokes", arena, &why), "/srv/jokes");
    ck_assert_str_eq(file_beside("/etc/b/b.ini", "jokes", arena, &why), "/etc/b/jokes");
    ck_assert_str_eq(file_beside("/etc/b/b.ini", "././jokes", arena, &why), "/etc/b/jokes");
    ck_assert_str_eq(file_beside("/etc/b/b.ini", "../jokes", arena, &why), "/etc/b/../jokes");
    ck_assert_str_eq(file_beside("/b.ini", "jokes", arena, &why), "/jokes");
    snprintf(expected, sizeof(expected), "%s/conf/jokes", directory);
    ck_assert_str_eq(file_beside("conf/b.ini", "jokes", arena, &why), expected);
    snprintf(expected, sizeof(expected), "%s/jokes", directory);
    ck_assert_str_eq(file_beside("b.ini", "jokes", arena, &why), expected);
    free(directory);
}
END_TEST

START_TEST(percent_d_is_the_directory_of_credentials)
{
    const char *why = NULL;

    ck_assert_int_eq(setenv("CREDENTIALS_DIRECTORY", "/run/credentials/b.service", 1), 0);
    ck_assert_str_eq(file_beside("/etc/b.ini", "%d/jokes", arena, &why),
                     "/run/credentials/b.service/jokes");
    ck_assert_ptr_null(why);
    ck_assert_str_eq(file_beside("/etc/b.ini", "%dx", arena, &why), "/etc/%dx");
    ck_assert_str_eq(file_beside("/etc/b.ini", "x/%d/y", arena, &why), "/etc/x/%d/y");
    ck_assert_int_eq(setenv("CREDENTIALS_DIRECTORY", "relative", 1), 0);
    ck_assert_ptr_null(file_beside("/etc/b.ini", "%d/jokes", arena, &why));
    ck_assert_int_eq(unsetenv("CREDENTIALS_DIRECTORY"), 0);
    ck_assert_ptr_null(file_beside("/etc/b.ini", "%d/jokes", arena, &why));
    ck_assert_str_eq(why,
                     "CREDENTIALS_DIRECTORY is not set; it is in a service that was started with "
                     "LoadCredential=");
}
END_TEST

START_TEST(lines_of_a_file)
{
    static const struct {
        const char *text;
        const char *lines[4];
    } cases[] = {
        {"", {NULL}},
        {"\n", {""}},
        {"a", {"a"}},
        {"a\n", {"a"}},
        {"a\r\n", {"a"}},
        {"a\r", {"a"}},
        {"\r\n\r\nb", {"", "", "b"}},
        {"a\n\nb\n", {"a", "", "b"}},
        {"a\rb\r\r\nc", {"a\rb\r", "c"}},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct banter_file_line line = {0};
        struct banter_file file = {.length = strlen(cases[i].text)};

        file.text = arena_copy(arena, cases[i].text, file.length);
        for (unsigned count = 0; cases[i].lines[count]; count++) {
            ck_assert(banter_next_line(&file, &line));
            ck_assert_str_eq(line.text, cases[i].lines[count]);
            ck_assert_uint_eq(line.length, strlen(line.text));
            ck_assert_uint_eq(line.number, count + 1);
        }
        ck_assert(!banter_next_line(&file, &line));
        ck_assert(!banter_next_line(&file, &line));
    }
}
END_TEST

START_TEST(an_option_that_names_no_file_has_no_lines)
{
    struct banter_file file = {0};
    struct banter_file_line line = {0};

    ck_assert(!banter_next_line(&file, &line));
}
END_TEST

/* --- INI. --- */

START_TEST(sections_and_keys_have_their_lines)
{
    const struct ini_section *section;
    const struct ini *ini;

    write_text("# first\n[one]\na = 1\n\nb-c = 'x ; y'\n[ two ]\n[three]\nd =\n");
    ini = ini_read(path, arena, &report);
    ck_assert_ptr_nonnull(ini);
    ck_assert_uint_eq(report.count, 2); /* [ two ] and d */

    section = ini->sections;
    ck_assert_str_eq(section->name, "one");
    ck_assert_uint_eq(section->line, 2);
    ck_assert(!section->refused);
    ck_assert_str_eq(ini_find(section, "a")->value, "1");
    ck_assert_uint_eq(ini_find(section, "a")->line, 3);
    ck_assert_str_eq(ini_find(section, "b-c")->value, "x ; y");
    ck_assert_uint_eq(ini_find(section, "b-c")->line, 5);
    ck_assert_ptr_null(ini_find(section, "d"));
    ck_assert_ptr_null(ini_find(NULL, "a"));

    section = section->next;
    ck_assert_str_eq(section->name, "two");
    ck_assert(section->refused);
    ck_assert_ptr_null(section->keys);

    section = section->next;
    ck_assert_str_eq(section->name, "three");
    ck_assert_ptr_nonnull(ini_find(section, "d"));
    ck_assert_ptr_null(ini_find(section, "d")->value);
    ck_assert_ptr_null(section->next);
    ck_assert_uint_eq(ini->entries, 6);
}
END_TEST

START_TEST(what_cannot_be_read_is_no_ini)
{
    ck_assert_ptr_null(ini_read("/nowhere/at/all", arena, &report));
    ck_assert_uint_eq(report.count, 1);
    ck_assert_str_eq(report_message(&report, 0), "/nowhere/at/all: No such file or directory");
}
END_TEST

/* The bytes that mean something in an INI file, and one that does not. */
static const char meaningful[] = " \t;#\"'\\=[]a";

#define KINDS (sizeof(meaningful) - 1)

/* The strings of three such bytes, numbered. */
static void make_value(size_t number, char value[4])
{
    value[0] = meaningful[number % KINDS];
    value[1] = meaningful[number / KINDS % KINDS];
    value[2] = meaningful[number / KINDS / KINDS];
    value[3] = '\0';
}

START_TEST(every_value_that_is_not_refused_reads_back)
{
    FILE *stream = fopen(path, "w");
    const struct ini_key *key;
    const struct ini *ini;
    size_t written = 0;
    char name[32];
    char value[4];

    ck_assert_ptr_nonnull(stream);
    fputs("[section]\n", stream);
    for (size_t i = 0; i < KINDS * KINDS * KINDS; i++) {
        make_value(i, value);
        snprintf(name, sizeof(name), "key-%zu", i);
        if (ini_refuses(name, value) == NULL)
            ini_write(stream, name, value);
    }
    ck_assert_int_eq(fclose(stream), 0);

    ini = ini_read(path, arena, &report);
    assert_no_problem();
    ck_assert_ptr_nonnull(ini);
    for (key = ini->sections->keys; key; key = key->next) {
        make_value(strtoul(key->name + strlen("key-"), NULL, 10), value);
        ck_assert_str_eq(key->value, value);
        written++;
    }
    ck_assert_uint_gt(written, KINDS * KINDS * KINDS / 2);
}
END_TEST

START_TEST(a_value_is_refused_only_where_it_must_be)
{
    char longest[INI_LINE_MAX];
    FILE *stream;

    ck_assert_ptr_null(ini_refuses("key", "it's a \\ in here"));
    ck_assert_ptr_null(ini_refuses("key", "it's ; this"));
    ck_assert_ptr_null(ini_refuses("key", "\"this\""));
    ck_assert_ptr_nonnull(ini_refuses("key", "it's \"this\""));
    ck_assert_ptr_nonnull(ini_refuses("key", "it's \\ ; this"));
    ck_assert_ptr_nonnull(ini_refuses("key", "this\\"));
    ck_assert_ptr_nonnull(ini_refuses("key", "this\nthat"));
    ck_assert_ptr_nonnull(ini_refuses("key", "this\x7f"));

    memset(longest, ';', sizeof(longest));
    longest[INI_LINE_MAX - strlen("key = \"\"")] = '\0';
    ck_assert_ptr_null(ini_refuses("key", longest));
    ck_assert_ptr_nonnull(ini_refuses("key2", longest));
    stream = fopen(path, "w");
    ck_assert_ptr_nonnull(stream);
    fputs("[section]\n", stream);
    ini_write(stream, "key", longest);
    ck_assert_int_eq(fclose(stream), 0);
    ck_assert_str_eq(ini_read(path, arena, &report)->sections->keys->value, longest);
    assert_no_problem();
}
END_TEST

/* --- Options. --- */

struct settings {
    const char *string;
    bool boolean;
    int64_t number, duration, size, choice;
    struct banter_file file;
    struct banter_rate rate;
};

static const struct banter_option rows[] = {
    {"string", BANTER_STRING, offsetof(struct settings, string), NULL, 0, 0, NULL, ""},
    {"boolean", BANTER_BOOLEAN, offsetof(struct settings, boolean), NULL, 0, 0, NULL, ""},
    {"number", BANTER_NUMBER, offsetof(struct settings, number), NULL, 1, 9, "auto", ""},
    {"duration", BANTER_DURATION, offsetof(struct settings, duration), NULL, 5, 60000, NULL, ""},
    {"size", BANTER_SIZE, offsetof(struct settings, size), NULL, 0, 0, NULL, ""},
    {"choice", BANTER_CHOICE, offsetof(struct settings, choice), NULL, 0, 0, "red green  blue", ""},
    {"file", BANTER_FILE, offsetof(struct settings, file), NULL, 0, 0, NULL, ""},
    {"rate", BANTER_RATE, offsetof(struct settings, rate), NULL, 1, 1000, NULL, ""},
};

static const struct option_table table = {rows, sizeof(rows) / sizeof(rows[0])};

static void set(struct settings *settings, const char *name, const char *text)
{
    const struct option_source source = {.file = path, .line = 7};
    const struct banter_option *option = options_find(table, name);

    ck_assert_ptr_nonnull(option);
    option_set(option, settings, text, &source, arena, &report);
}

static char *dump(const struct settings *settings)
{
    char *text = NULL;
    size_t length = 0;
    FILE *stream = open_memstream(&text, &length);

    ck_assert_ptr_nonnull(stream);
    options_dump(table, settings, stream);
    ck_assert_int_eq(fclose(stream), 0);
    return text;
}

START_TEST(options_are_found_by_their_whole_name)
{
    ck_assert_ptr_eq(options_find(table, "size"), &rows[4]);
    ck_assert_ptr_null(options_find(table, "siz"));
    ck_assert_ptr_null(options_find(table, "sizes"));
    ck_assert_ptr_null(options_find((struct option_table){NULL, 0}, "size"));
    ck_assert_ptr_nonnull(options_find(server_options, "workers"));
    ck_assert_ptr_nonnull(options_find(listener_options, "telnet"));
}
END_TEST

START_TEST(values_of_all_types_are_stored_and_dumped)
{
    struct settings settings = {0};
    char expected[512];
    char *dumped;

    write_text("content");
    set(&settings, "string", " two blanks ");
    set(&settings, "boolean", "on");
    set(&settings, "number", "9");
    set(&settings, "duration", "1m");
    set(&settings, "size", "3072");
    set(&settings, "choice", "blue");
    set(&settings, "file", path);
    set(&settings, "rate", "20/m");
    assert_no_problem();

    ck_assert_str_eq(settings.string, " two blanks ");
    ck_assert(settings.boolean);
    ck_assert_int_eq(settings.number, 9);
    ck_assert_int_eq(settings.duration, 60000);
    ck_assert_int_eq(settings.size, 3072);
    ck_assert_int_eq(settings.choice, 2);
    ck_assert_str_eq(settings.file.text, "content");
    ck_assert_int_eq(settings.rate.count, 20);
    ck_assert_int_eq(settings.rate.period, 60000);

    dumped = dump(&settings);
    snprintf(expected, sizeof(expected),
             "string = \" two blanks \"\nboolean = yes\nnumber = 9\nduration = 1m\nsize = 3K\n"
             "choice = blue\nfile = %s\nrate = 20/m\n",
             path);
    ck_assert_str_eq(dumped, expected);
    free(dumped);
}
END_TEST

START_TEST(what_was_never_set_is_dumped_only_where_it_reads_back)
{
    struct settings settings = {0};
    char *dumped = dump(&settings);

    ck_assert_str_eq(dumped, "boolean = no\nnumber = auto\nsize = 0\nchoice = red\n");
    free(dumped);
}
END_TEST

START_TEST(a_word_stands_for_zero)
{
    struct settings settings = {.number = 3};

    set(&settings, "number", "auto");
    assert_no_problem();
    ck_assert_int_eq(settings.number, 0);
}
END_TEST

START_TEST(a_bad_value_changes_nothing)
{
    static const char *const bad[][2] = {
        {"boolean", ""},         {"boolean", "1"},
        {"number", ""},          {"number", "0"},
        {"number", "10"},        {"number", "Auto"},
        {"number", "auto "},     {"number", "0x3"},
        {"duration", "4ms"},     {"duration", "61s"},
        {"duration", "5"},       {"duration", "0"},
        {"size", "1k"},          {"size", "9999999999999999999"},
        {"size", "-1"},          {"choice", ""},
        {"choice", "re"},        {"choice", "redd"},
        {"choice", "red green"}, {"string", "it's\"#"},
        {"string", "a\nb"},      {"file", ""},
        {"rate", "20"},          {"rate", "0/m"},
        {"rate", "0"},           {"rate", "1001/s"},
        {"file", "/"},           {"file", "none.txt"},
    };
    struct settings settings = {0};
    const struct settings untouched = {0};

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        set(&settings, bad[i][0], bad[i][1]);
        ck_assert_uint_eq(report.count, i + 1);
        ck_assert_ptr_nonnull(strstr(report_message(&report, i), ":7: "));
        ck_assert_ptr_nonnull(strstr(report_message(&report, i), bad[i][0]));
    }
    ck_assert_ptr_eq(settings.string, untouched.string);
    ck_assert(!settings.boolean);
    ck_assert_int_eq(settings.number + settings.duration + settings.size + settings.choice, 0);
    ck_assert_ptr_null(settings.file.path);
}
END_TEST

/* --- Hints. --- */

START_TEST(the_nearest_name_is_the_hint)
{
    struct hint hint;

    hint_init(&hint, "max-lin");
    ck_assert_str_eq(hint_text(&hint), "");
    hint_consider(&hint, "telnet");
    ck_assert_str_eq(hint_text(&hint), "");
    hint_consider(&hint, "max-clin");
    hint_consider(&hint, "max-line");
    ck_assert_str_eq(hint_text(&hint), "; did you mean 'max-clin'?");

    hint_init(&hint, "mx-lin");
    hint_consider(&hint, "max-clin");
    hint_consider(&hint, "max-lin");
    ck_assert_str_eq(hint_text(&hint), "; did you mean 'max-lin'?");
}
END_TEST

/* --- Configurations. --- */

START_TEST(a_configuration_is_what_was_written)
{
    const struct listener_config *listener;
    struct config *config;

    write_text(
        "[listener b]\nprotocol = echo\nlisten = *:7007, unix:/run/b.sock\n"
        "idle-timeout = 0\n\n[server]\nlog-level = debug\n\n"
        "[listener a]\nprotocol = knock-knock\nlisten = 127.0.0.1:0\nmax-line = 64\n");
    config = config_load(path, &report);
    assert_no_problem();
    ck_assert_ptr_nonnull(config);
    ck_assert_str_eq(config->path, path);
    ck_assert_int_eq(config->workers, 0);
    ck_assert_int_eq(config->max_clients, 10000);
    ck_assert_int_eq(config->drain_timeout, 5000);
    ck_assert_int_eq(config->log_level, 4);
    ck_assert_uint_eq(config->listener_count, 2);

    listener = &config->listeners[0];
    ck_assert_str_eq(listener->name, "b");
    ck_assert_uint_eq(listener->line, 1);
    ck_assert_str_eq(listener->protocol->name, "echo");
    ck_assert_uint_eq(listener->address_count, 2);
    ck_assert(listener->addresses[0].both);
    ck_assert_int_eq(listener->addresses[1].socket.any.sa_family, AF_UNIX);
    ck_assert_int_eq(listener->idle_timeout, 0);
    ck_assert_int_eq(listener->line_timeout, 30000);
    ck_assert_int_eq(listener->max_output, 256 * 1024);

    listener = &config->listeners[1];
    ck_assert_str_eq(listener->name, "a");
    ck_assert_uint_eq(listener->line, 9);
    ck_assert_str_eq(listener->protocol_name, "knock-knock");
    ck_assert_ptr_nonnull(listener->settings);
    ck_assert_int_eq(listener->max_line, 64);
    config_unref(config);
}
END_TEST

START_TEST(the_last_reference_frees)
{
    struct config *config;

    write_text("[listener e]\nprotocol = echo\nlisten = 127.0.0.1:0\n");
    config = config_load(path, &report);
    ck_assert_ptr_nonnull(config);
    ck_assert_ptr_eq(config_ref(config), config);
    config_unref(config);
    ck_assert_str_eq(config->listeners[0].name, "e");
    config_unref(config);
    config_unref(NULL);
}
END_TEST

START_TEST(a_dump_that_does_not_arrive_is_an_error)
{
    FILE *full = fopen("/dev/full", "w");
    struct config *config;

    ck_assert_ptr_nonnull(full);
    write_text("[listener e]\nprotocol = echo\nlisten = 127.0.0.1:0\n");
    config = config_load(path, &report);
    ck_assert_ptr_nonnull(config);
    ck_assert_int_eq(config_dump(config, full), -ENOSPC);
    fclose(full);
    config_unref(config);
}
END_TEST

static void add_case(Suite *suite, const char *name, const TTest *const *tests)
{
    TCase *tcase = tcase_create(name);

    tcase_add_checked_fixture(tcase, setup, teardown);
    for (; *tests; tests++)
        tcase_add_test(tcase, *tests);
    suite_add_tcase(suite, tcase);
}

Suite *config_suite(void)
{
    const TTest *const files[] = {a_file_is_read_whole,
                                  a_file_that_is_refused_changes_nothing,
                                  a_text_is_utf8_without_control_characters,
                                  paths_start_beside_the_file_that_names_them,
                                  percent_d_is_the_directory_of_credentials,
                                  lines_of_a_file,
                                  an_option_that_names_no_file_has_no_lines,
                                  NULL};
    const TTest *const ini[] = {sections_and_keys_have_their_lines, what_cannot_be_read_is_no_ini,
                                every_value_that_is_not_refused_reads_back,
                                a_value_is_refused_only_where_it_must_be, NULL};
    const TTest *const options[] = {options_are_found_by_their_whole_name,
                                    values_of_all_types_are_stored_and_dumped,
                                    what_was_never_set_is_dumped_only_where_it_reads_back,
                                    a_word_stands_for_zero,
                                    a_bad_value_changes_nothing,
                                    the_nearest_name_is_the_hint,
                                    NULL};
    const TTest *const configurations[] = {a_configuration_is_what_was_written,
                                           the_last_reference_frees,
                                           a_dump_that_does_not_arrive_is_an_error, NULL};
    Suite *suite = suite_create("config");

    add_case(suite, "files", files);
    add_case(suite, "ini", ini);
    add_case(suite, "options", options);
    add_case(suite, "configurations", configurations);
    return suite;
}
