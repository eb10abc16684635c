/*
 * config/scan.h - finds the sections and keys of an INI text, and every line that is not one.
 */
#ifndef BANTERD_CONFIG_SCAN_H
#define BANTERD_CONFIG_SCAN_H

#include <stdbool.h>
#include <stddef.h>

#include "config/ini.h"

/*
 * Scans the text of the file `path`. Each line that is refused has one message in the report. All
 * that is returned comes from the arena; NULL when memory is out.
 */
struct ini *scan(const char *path, const char *text, size_t length, struct arena *arena,
                 struct report *report);

/* Space and tab. */
bool scan_is_blank(char byte);

/* A byte that no line may have; tab is none. */
bool scan_is_control(char byte);

#endif
