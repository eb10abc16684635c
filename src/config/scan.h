/*
 * config/scan.h - finds the sections and keys of an INI text, and every line that is not one.
 */
#ifndef BANTERD_CONFIG_SCAN_H
#define BANTERD_CONFIG_SCAN_H

#include <stdbool.h>
#include <stddef.h>

#include "text/report.h"

struct arena;

/* The longest line taken, in bytes; iniparser has room for 1022. */
#define INI_LINE_MAX 1000

struct ini_key {
    struct ini_key *next; /* in the order of the file */
    const char *name;
    const char *value; /* NULL: the key is there, but its line was refused */
    unsigned line;
};

struct ini_section {
    struct ini_section *next;
    const char *name; /* what stands between the brackets */
    unsigned line;
    bool refused; /* the line of its name was refused; the name is what it probably was */
    struct ini_key *keys;
};

struct ini {
    struct ini_section *sections;
    size_t entries; /* all sections and keys */
};

/*
 * Scans the text of the file `path`. Each line that is refused has one message in the report. All
 * that is returned comes from the arena; NULL when memory is out.
 */
struct ini *scan(const char *path, const char *text, size_t length, struct arena *arena,
                 struct report *report);

/* The key of that name, or NULL; `section` may be NULL. */
const struct ini_key *ini_find(const struct ini_section *section, const char *name);

/* Space and tab. */
bool scan_is_blank(char byte);

/* A byte that no line may have; tab is none. */
bool scan_is_control(char byte);

#endif
