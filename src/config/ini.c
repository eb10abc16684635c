/*
 * config/ini.c - INI files, read strictly: scanned, then held against what iniparser reads.
 */
#include "config/ini.h"

#include <errno.h>
#include <string.h>

#include "config/confirm.h"
#include "config/file.h"
#include "config/scan.h"
#include "text/arena.h"

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
