/*
 * fuzz/config.c - configurations, read as the daemon reads them.
 *
 * For every file: what the scanner takes, iniparser reads in the same way, so that ini_read() never
 * has to tell of a difference; what is accepted is dumped as a text that is accepted, and that is
 * dumped the same; what is refused has messages that all name a file.
 *
 * Input: the configuration. The only files in the world are in open(): nothing that an input names
 * is read, waited for or loaded.
 */
#undef _FORTIFY_SOURCE /* open() is defined here */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config/config.h"
#include "fuzz.h"
#include "text/report.h"

#define DIRECTORY "/banterd/"
#define CONFIGURATION DIRECTORY "banterd.ini"

static const struct {
    const char *path;
    const char *text;
} files[] = {
    {DIRECTORY "jokes.txt", "Boo: There, there.\n"},
    {DIRECTORY "bad.txt", "Boo\n: There, there.\nLong\x01\n"},
    {DIRECTORY "quotes.txt", "Measure twice.\n%\nCut once.\n"},
    {DIRECTORY "empty.txt", ""},
};

static const uint8_t *configuration;
static size_t configuration_length;

/* In the place of the C library's, for all of this program but the fuzzer, which has fopen(). */
__attribute__((visibility("default"))) int open(const char *path, int flags, ...)
{
    (void)flags;
    if (strcmp(path, CONFIGURATION) == 0)
        return fuzz_file((const char *)configuration, configuration_length);
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
        if (strcmp(path, files[i].path) == 0)
            return fuzz_file(files[i].text, strlen(files[i].text));
    errno = ENOENT;
    return -1;
}

/* `FILE:LINE: message`, or `FILE: message`. */
static const char *skip_place(const char *message)
{
    message += strcspn(message, ":") + 1;
    return message + strspn(message, "0123456789: ");
}

static void check_report(const struct report *report)
{
    const char *message;
    expect(report_failed(report), "refused without a message");
    for (size_t i = 0; i < report->count; i++) {
        message = report_message(report, i);
        expect(strncmp(message, DIRECTORY, strlen(DIRECTORY)) == 0, "no file in: %s", message);
        expect(strncmp(skip_place(message), "iniparser ", 10) != 0, "%s", message);
    }
}

/* NULL where it is refused. */
static char *load_and_dump(const uint8_t *text, size_t length, size_t *dumped)
{
    struct report report = {0};
    char *dump = NULL;
    configuration = text;
    configuration_length = length;
    struct config *config = config_load(CONFIGURATION, &report);
    if (config) {
        FILE *stream = open_memstream(&dump, dumped);
        expect(!report_failed(&report), "accepted, and yet: %s", report_message(&report, 0));
        expect(stream && config_dump(config, stream) == 0, "no memory for a dump");
        fclose(stream);
    } else {
        check_report(&report);
    }
    config_unref(config);
    report_fini(&report);
    return dump;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t length, length_again;
    setenv("CREDENTIALS_DIRECTORY", DIRECTORY "credentials", 1);
    char *dump = load_and_dump(data, size, &length);
    if (!dump)
        return 0;
    char *again = load_and_dump((const uint8_t *)dump, length, &length_again);
    expect(again, "what was dumped is refused:\n%s", dump);
    expect(length == length_again && memcmp(dump, again, length) == 0,
           "what was dumped is dumped differently:\n%s\n%s", dump, again);
    free(again);
    free(dump);
    return 0;
}
