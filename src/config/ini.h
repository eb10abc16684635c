/*
 * config/ini.h - INI files, read strictly: sections and keys with the lines that they stand on.
 *
 * iniparser reads the values. It is forgiving and names no lines, so a scanner goes first, which
 * takes only what cannot be misread: a subset of the format, described in banterd.ini(5).
 * Main thread only.
 */
#ifndef BANTERD_CONFIG_INI_H
#define BANTERD_CONFIG_INI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

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
 * Reads a file. NULL when it could not be read at all, or memory is out. Otherwise there is
 * something to look at for more problems, even where `report` refuses the file. All of it comes
 * from the arena.
 */
struct ini *ini_read(const char *path, struct arena *arena, struct report *report);

/* The key of that name, or NULL; `section` may be NULL. */
const struct ini_key *ini_find(const struct ini_section *section, const char *name);

/*
 * Why this value cannot be written so that ini_read() reads it back to the same: half a sentence;
 * NULL when it can be.
 */
const char *ini_refuses(const char *name, const char *value);

/* Writes `name = value`, in quotes where they are needed; a value that ini_refuses() is not. */
void ini_write(FILE *stream, const char *name, const char *value);

#endif
