/*
 * config/section.c - reads the keys of one section into the structs that its option tables fill.
 *
 * Stateless; main thread only.
 */
#include "config/section.h"

#include <errno.h>
#include <string.h>

#include "config/hint.h"

void refuse(const struct reader *reader, unsigned line, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    report_vadd(reader->report, reader->path, line, format, arguments);
    va_end(arguments);
}

void refuse_no_memory(const struct reader *reader)
{
    refuse(reader, 0, "%s", strerror(ENOMEM));
    report_cause(reader->report, ENOMEM);
}

static void refuse_key(const struct reader *reader, const struct ini_key *key,
                       const struct scope *scopes, size_t count)
{
    struct hint hint;

    hint_init(&hint, key->name);
    for (size_t i = 0; i < count; i++)
        for (size_t row = 0; row < scopes[i].table.count; row++)
            hint_consider(&hint, scopes[i].table.rows[row].name);

    if (options_find(server_options, key->name) != NULL)
        refuse(reader, key->line, "key '%s' belongs in [server]", key->name);
    else if (options_find(listener_options, key->name) != NULL)
        refuse(reader, key->line, "key '%s' belongs in a [listener NAME] section", key->name);
    else
        refuse(reader, key->line, "unknown key '%s'%s", key->name, hint_text(&hint));
}

static void set(const struct reader *reader, struct scope *scope,
                const struct banter_option *option, const char *text, unsigned line)
{
    const struct option_source source = {.file = reader->path, .line = line};
    size_t before = reader->report->count;

    option_set(option, scope->base, text, &source, reader->arena, reader->report);
    if (reader->report->count != before || reader->report->truncated)
        scope->failed = true;
}

/* The first scope that has the key sets it; whether there is one. */
static bool set_key(const struct reader *reader, const struct ini_key *key, struct scope *scopes,
                    size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct banter_option *option = options_find(scopes[i].table, key->name);

        if (!option)
            continue;
        if (key->value)
            set(reader, &scopes[i], option, key->value, key->line);
        else
            scopes[i].failed = true;
        return true;
    }
    return false;
}

/* A fallback is written as a user would write it, and set in the same way. */
static void set_fallbacks(const struct reader *reader, const struct ini_section *section,
                          struct scope *scope)
{
    unsigned line = section ? section->line : 0;

    for (size_t i = 0; i < scope->table.count; i++) {
        const struct banter_option *option = &scope->table.rows[i];

        if (option->fallback && ini_find(section, option->name) == NULL)
            set(reader, scope, option, option->fallback, line);
    }
}

void section_read(const struct reader *reader, const struct ini_section *section,
                  struct scope *scopes, size_t count, bool complete)
{
    const struct ini_key *key = section ? section->keys : NULL;

    for (; key; key = key->next)
        if (!set_key(reader, key, scopes, count) && key->value && complete)
            refuse_key(reader, key, scopes, count);
    for (size_t i = 0; i < count; i++)
        set_fallbacks(reader, section, &scopes[i]);
}
