/* protocols/catalog.c - see catalog.h. Main thread, before anything is served. */
#include "protocols/catalog.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "protocols/registry.h"

static const char *type_name(const struct banter_option *option)
{
    switch (option->type) {
    case BANTER_STRING:
        return "TEXT";
    case BANTER_BOOLEAN:
        return "yes|no";
    case BANTER_NUMBER:
        return "NUMBER";
    case BANTER_DURATION:
        return "DURATION";
    case BANTER_SIZE:
        return "SIZE";
    case BANTER_CHOICE:
        return option->words;
    case BANTER_FILE:
        return "FILE";
    case BANTER_RATE:
        return "RATE";
    }
    return "";
}

void catalog_print(FILE *stream, const char *name, const struct banter_protocol *protocol)
{
    bool own_name = strcmp(name, protocol->name) == 0;
    fprintf(stream, "%-14s %s%s%s\n", name, own_name ? "" : protocol->name, own_name ? "" : ": ",
            protocol->summary);
    for (size_t i = 0; i < protocol->option_count; i++) {
        const struct banter_option *option = &protocol->options[i];
        fprintf(stream, "    %s = %s", option->name, type_name(option));
        if (option->fallback)
            fprintf(stream, " (%s)", option->fallback);
        fprintf(stream, "%s%s\n", option->help ? ": " : "", option->help ? option->help : "");
    }
}

void catalog_print_built_in(FILE *stream)
{
    const struct banter_protocol *protocol;
    for (size_t i = 0; (protocol = registry_built_in(i)); i++)
        catalog_print(stream, protocol->name, protocol);
}

static int is_object(const struct dirent *entry)
{
    size_t length = strlen(entry->d_name);
    return length > 3 && strcmp(entry->d_name + length - 3, ".so") == 0;
}

void catalog_print_directory(FILE *stream, const char *directory, FILE *errors)
{
    struct dirent **entries;
    int count = scandir(directory, &entries, is_object, alphasort);
    if (count < 0) {
        if (errno != ENOENT)
            fprintf(errors, "%s: %s\n", directory, strerror(errno));
        return;
    }
    for (int i = 0; i < count; i++) {
        char why[512];
        const struct banter_protocol *protocol =
            registry_find(entries[i]->d_name, directory, why, sizeof(why));
        if (protocol)
            catalog_print(stream, entries[i]->d_name, protocol);
        else
            fprintf(errors, "%s\n", why);
        free(entries[i]);
    }
    free(entries);
}
