/*
 * config/ini.h - INI files, read strictly: sections and keys with the lines that they stand on.
 *
 * iniparser reads the values too. It is forgiving and names no lines, so a scanner goes first,
 * which takes only what cannot be misread: a subset of the format, described in banterd.ini(5).
 * Main thread only.
 */
#ifndef BANTERD_CONFIG_INI_H
#define BANTERD_CONFIG_INI_H

#include <stdio.h>

#include "config/scan.h"
#include "text/report.h"

struct arena;

/*
 * Reads a file. NULL when it could not be read at all, or memory is out. Otherwise there is
 * something to look at for more problems, even where `report` refuses the file. All of it comes
 * from the arena.
 */
struct ini *ini_read(const char *path, struct arena *arena, struct report *report);

/*
 * Why this value cannot be written so that ini_read() reads it back to the same: half a sentence;
 * NULL when it can be.
 */
const char *ini_refuses(const char *name, const char *value);

/* Writes `name = value`, in quotes where they are needed; a value that ini_refuses() is not. */
void ini_write(FILE *stream, const char *name, const char *value);

#endif
