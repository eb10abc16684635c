/*
 * config/ini.c - INI files, read strictly: scanned, then loaded by iniparser.
 *
 * The two must agree on every value, so that an iniparser of another version with other ideas of
 * quotes is noticed, not believed. Main thread only: iniparser's error callback is global.
 */
#include "config/ini.h"

#include <dictionary.h>
#include <errno.h>
#include <iniparser.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "config/file.h"
#include "config/scan.h"
#include "text/arena.h"

/* iniparser would print to stderr. */
static int keep_silent(const char *format, ...)
{
    (void)format;
    return 0;
}

static int write_all(int fd, const char *bytes, size_t length)
{
    while (length > 0) {
        ssize_t count = write(fd, bytes, length);

        if (count < 0 && errno != EINTR)
            return -errno;
        if (count > 0) {
            bytes += count;
            length -= (size_t)count;
        }
    }
    return 0;
}

/* iniparser takes the name of a file only. */
static dictionary *parse(const char *text, size_t length)
{
    int fd = memfd_create("banterd.ini", MFD_CLOEXEC);
    dictionary *parsed = NULL;

    if (fd < 0)
        return NULL;
    if (write_all(fd, text, length) == 0) {
        char path[32];

        snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
        iniparser_set_error_callback(keep_silent);
        parsed = iniparser_load(path);
    }
    close(fd);
    return parsed;
}

/* Holds the value of a key against what iniparser makes of it. */
static void confirm_key(const char *path, const dictionary *parsed,
                        const struct ini_section *section, const struct ini_key *key,
                        struct report *report)
{
    char name[2 * INI_LINE_MAX + 2];
    const char *value;

    /* Strings only: iniparser_getboolean() and its like crash on some names (CVE-2023-33461). */
    snprintf(name, sizeof(name), "%s:%s", section->name, key->name);
    value = iniparser_getstring(parsed, name, NULL);
    if (value && strcmp(value, key->value) == 0)
        return;
    report_add(report, path, key->line, "iniparser reads '%s' as '%s', not as '%s'", key->name,
               value ? value : "", key->value);
}

static void confirm(const char *path, const char *text, size_t length, const struct ini *ini,
                    struct report *report)
{
    dictionary *parsed = parse(text, length);

    if (!parsed) {
        report_add(report, path, 0,
                   "iniparser cannot read it; it needs memory, a descriptor, and /proc");
        report_cause(report, ENOMEM);
        return;
    }
    if ((size_t)parsed->n != ini->entries)
        report_add(report, path, 0, "iniparser finds %zu sections and keys, where there are %zu",
                   (size_t)parsed->n, ini->entries);
    for (const struct ini_section *section = ini->sections; section; section = section->next)
        for (const struct ini_key *key = section->keys; key; key = key->next)
            confirm_key(path, parsed, section, key, report);
    iniparser_freedict(parsed);
}

struct ini *ini_read(const char *path, struct arena *arena, struct report *report)
{
    size_t before = report->count;
    struct banter_file file;
    struct ini *ini;
    const char *why;
    int error = file_read(path, arena, &file, &why);

    if (error != 0) {
        report_add(report, path, 0, "%s", why);
        report_cause(report, -error);
        return NULL;
    }
    ini = scan(path, file.text, file.length, arena, report);
    if (!ini) {
        report_add(report, path, 0, "%s", strerror(ENOMEM));
        report_cause(report, ENOMEM);
    } else if (report->count == before) {
        confirm(path, file.text, file.length, ini, report);
    }
    return ini;
}

static bool needs_quotes(const char *value)
{
    size_t length = strlen(value);

    return length == 0 || scan_is_blank(value[0]) || scan_is_blank(value[length - 1]) ||
           value[0] == '\'' || strpbrk(value, ";#\"") != NULL;
}

const char *ini_refuses(const char *name, const char *value)
{
    if (strlen(name) + strlen(" = \"\"") + strlen(value) > INI_LINE_MAX)
        return "too long for a line of the configuration";
    for (const char *byte = value; *byte != '\0'; byte++)
        if (scan_is_control(*byte))
            return "has a control byte in it";
    if (*value != '\0' && value[strlen(value) - 1] == '\\')
        return "ends in '\\', which would join its line with the next one";
    if (!needs_quotes(value))
        return NULL;
    if (strchr(value, '\\') != NULL)
        return "would need quotes, between which a '\\' cannot stand";
    if (strchr(value, '"') != NULL && strchr(value, '\'') != NULL)
        return "would need quotes, and has both kinds in it";
    return NULL;
}

void ini_write(FILE *stream, const char *name, const char *value)
{
    const char *quote = "";

    if (needs_quotes(value))
        quote = strchr(value, '"') != NULL ? "'" : "\"";
    fprintf(stream, "%s = %s%s%s\n", name, quote, value, quote);
}
