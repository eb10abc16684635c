/*
 * config/scan.c - the strict subset of the INI format.
 *
 * The scanner knows each line that iniparser is known to read in a way its author did not mean:
 * `x;y` cut to `x`, a last '\' that swallows the next line, keys set twice, and so on. After a
 * line that it refuses it goes on, as if the line had been right as far as that can be told. Main
 * thread only.
 */
#include "config/scan.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "text/arena.h"

#define BLANKS " \t"

struct scanner {
    const char *path;
    struct arena *arena;
    struct report *report;

    struct ini *ini;
    struct ini_section **next_section; /* where the next one is linked in */
    struct ini_section *section;       /* the one that keys go to; NULL before the first */
    struct ini_key **next_key;

    unsigned line;
    bool refused; /* the current line has its message */
    bool no_memory;
};

/* One message a line: what else is wrong with it mostly follows from the first. */
__attribute__((format(printf, 2, 3))) static void complain(struct scanner *scanner,
                                                           const char *format, ...)
{
    va_list arguments;

    if (scanner->refused)
        return;
    va_start(arguments, format);
    report_vadd(scanner->report, scanner->path, scanner->line, format, arguments);
    va_end(arguments);
    scanner->refused = true;
}

static void *allocate(struct scanner *scanner, size_t size)
{
    void *memory = arena_alloc(scanner->arena, size);

    scanner->no_memory |= !memory;
    return memory;
}

static const char *keep(struct scanner *scanner, const char *text)
{
    const char *copy = arena_copy(scanner->arena, text, strlen(text));

    scanner->no_memory |= !copy;
    return copy;
}

bool scan_is_blank(char byte)
{
    return byte == ' ' || byte == '\t';
}

bool scan_is_control(char byte)
{
    unsigned char value = (unsigned char)byte;

    return (value < ' ' && value != '\t') || value == 0x7f;
}

static bool starts_comment(char byte)
{
    return byte == ';' || byte == '#';
}

static void trim_end(char *text)
{
    size_t length = strlen(text);

    while (length > 0 && scan_is_blank(text[length - 1]))
        length--;
    text[length] = '\0';
}

/* Lower case, single blanks, none at the ends; whether the name was so already. */
static bool tidy(char *name)
{
    bool was_tidy = true;
    char *to = name;

    for (const char *from = name; *from != '\0'; from++) {
        bool dropped =
            scan_is_blank(*from) && (to == name || scan_is_blank(from[1]) || from[1] == '\0');
        char byte = scan_is_blank(*from) ? ' ' : *from;

        if (byte >= 'A' && byte <= 'Z')
            byte = (char)(byte - 'A' + 'a');
        was_tidy &= !dropped && byte == *from;
        if (!dropped)
            *to++ = byte;
    }
    *to = '\0';
    return was_tidy;
}

static const struct ini_section *find_section(const struct scanner *scanner, const char *name)
{
    const struct ini_section *section = scanner->ini->sections;

    while (section && strcmp(section->name, name) != 0)
        section = section->next;
    return section;
}

/* A section without a name of its own is not linked in: its keys are scanned, and that is all. */
static void add_section(struct scanner *scanner, const char *name)
{
    struct ini_section *section = allocate(scanner, sizeof(*section));
    const struct ini_section *first = find_section(scanner, name);

    if (!section)
        return;
    scanner->section = section;
    scanner->next_key = &section->keys;
    section->line = scanner->line;
    section->name = keep(scanner, name);
    section->refused = scanner->refused;
    if (*name == '\0')
        complain(scanner, "a section needs a name between '[' and ']'");
    else if (first)
        complain(scanner, "duplicate section [%s]; the first is on line %u", name, first->line);
    else if (section->name) {
        *scanner->next_section = section;
        scanner->next_section = &section->next;
        scanner->ini->entries++;
    }
}

static void scan_section(struct scanner *scanner, char *text)
{
    char *bracket = strchr(text, ']');
    char written[INI_LINE_MAX + 1];
    char *name = text + 1;

    if (!bracket) {
        complain(scanner, "']' is missing at the end of the section's name");
    } else {
        if (bracket[1] != '\0')
            complain(scanner, "text behind ']'; a section stands alone on its line");
        *bracket = '\0';
    }
    snprintf(written, sizeof(written), "%s", name);
    if (!tidy(name) && *name != '\0')
        complain(scanner, "section [%s] must be written [%s]", written, name);
    add_section(scanner, name);
}

/* The value between quotes; there are no escapes, so a '\' may well mean something else. */
static const char *scan_quoted(struct scanner *scanner, char *text)
{
    char quote = *text++;
    char *end = strchr(text, quote);
    const char *rest;

    if (!end) {
        complain(scanner, "the closing %c is missing", quote);
        return text;
    }
    *end = '\0';
    rest = end + 1;
    if (*rest != '\0' && !(scan_is_blank(*rest) && starts_comment(rest[strspn(rest, BLANKS)])))
        complain(scanner, "text behind the closing %c; a comment needs a blank before it", quote);
    if (strchr(text, '\\') != NULL)
        complain(scanner, "'\\' cannot stand between quotes");
    return text;
}

static const char *scan_plain(struct scanner *scanner, char *text)
{
    char *end = text + strcspn(text, ";#");

    if (end > text && *end != '\0' && !scan_is_blank(end[-1]))
        complain(scanner,
                 "'%c' touches the value; put a blank before a comment, or the value in quotes",
                 *end);
    *end = '\0';
    trim_end(text);
    if (strchr(text, '"') != NULL)
        complain(scanner, "'\"' inside the value; put the value between two '");
    if (*text == '\0')
        complain(scanner, "no value behind '='; write \"\" for an empty one");
    return text;
}

static const char *scan_value(struct scanner *scanner, char *text)
{
    text += strspn(text, BLANKS);
    return *text == '"' || *text == '\'' ? scan_quoted(scanner, text) : scan_plain(scanner, text);
}

const struct ini_key *ini_find(const struct ini_section *section, const char *name)
{
    const struct ini_key *key = section ? section->keys : NULL;

    while (key && strcmp(key->name, name) != 0)
        key = key->next;
    return key;
}

static void add_key(struct scanner *scanner, const char *name, const char *value)
{
    const struct ini_key *first = ini_find(scanner->section, name);
    struct ini_key *key;

    if (first) {
        complain(scanner, "duplicate key '%s'; the first is on line %u", name, first->line);
        return;
    }
    key = allocate(scanner, sizeof(*key));
    if (!key)
        return;
    key->line = scanner->line;
    key->name = keep(scanner, name);
    key->value = scanner->refused ? NULL : keep(scanner, value);
    if (!key->name)
        return;
    *scanner->next_key = key;
    scanner->next_key = &key->next;
    scanner->ini->entries++;
}

static void scan_key(struct scanner *scanner, char *text)
{
    char *equals = strchr(text, '=');
    const char *value = NULL;
    char written[INI_LINE_MAX + 1];

    if (!equals) {
        complain(scanner, "no '=' in the line; write NAME = VALUE");
        text[strcspn(text, BLANKS)] = '\0';
    } else {
        *equals = '\0';
        trim_end(text);
    }
    if (*text == '\0')
        complain(scanner, "no name before '='");
    snprintf(written, sizeof(written), "%s", text);
    if (!tidy(text))
        complain(scanner, "key '%s' must be written '%s'", written, text);
    if (!scanner->section)
        complain(scanner, "key '%s' stands before any section", text);
    if (equals)
        value = scan_value(scanner, equals + 1);
    if (scanner->section)
        add_key(scanner, text, value);
}

/* What no line may have, comments included: iniparser would not see where it ends. */
static void check_bytes(struct scanner *scanner, const char *line, size_t length)
{
    if (length > INI_LINE_MAX) {
        complain(scanner, "a line of %zu bytes; it may have %d", length, INI_LINE_MAX);
        return;
    }
    for (size_t i = 0; i < length; i++) {
        if (scan_is_control(line[i])) {
            complain(scanner, "control byte 0x%02x in column %zu", (unsigned char)line[i], i + 1);
            return;
        }
    }
    while (length > 0 && scan_is_blank(line[length - 1]))
        length--;
    if (length > 0 && line[length - 1] == '\\')
        complain(scanner, "the line ends in '\\', which would join it with the next one");
}

static void scan_line(struct scanner *scanner, const char *line, size_t length)
{
    char copy[INI_LINE_MAX + 1];
    char *text;

    if (length > 0 && line[length - 1] == '\r')
        length--;
    check_bytes(scanner, line, length);
    snprintf(copy, sizeof(copy), "%.*s", (int)(length > INI_LINE_MAX ? INI_LINE_MAX : length),
             line);
    trim_end(copy);
    text = copy + strspn(copy, BLANKS);
    if (*text == '\0' || starts_comment(*text))
        return;
    if (*text == '[')
        scan_section(scanner, text);
    else
        scan_key(scanner, text);
}

struct ini *scan(const char *path, const char *text, size_t length, struct arena *arena,
                 struct report *report)
{
    struct ini *ini = arena_alloc(arena, sizeof(*ini));
    struct scanner scanner = {.path = path, .arena = arena, .report = report, .ini = ini};
    const char *end = text + length;

    if (!ini)
        return NULL;
    scanner.next_section = &ini->sections;
    while (text < end && !scanner.no_memory) {
        const char *newline = memchr(text, '\n', (size_t)(end - text));
        const char *stop = newline ? newline : end;

        scanner.line++;
        scanner.refused = false;
        scan_line(&scanner, text, (size_t)(stop - text));
        text = newline ? newline + 1 : end;
    }
    return scanner.no_memory ? NULL : ini;
}
