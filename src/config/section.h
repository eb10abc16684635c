/*
 * config/section.h - reads the keys of one section into the structs that its option tables fill.
 *
 * Main thread only.
 */
#ifndef BANTERD_CONFIG_SECTION_H
#define BANTERD_CONFIG_SECTION_H

#include <stdbool.h>
#include <stddef.h>

#include "config/ini.h"
#include "config/options.h"
#include "text/report.h"

/* What all parts of one reading share. */
struct reader {
    const char *path; /* of the configuration */
    struct arena *arena;
    struct report *report;
};

/* A table of options, and the struct that it fills. */
struct scope {
    struct option_table table;
    void *base;
    bool failed; /* not all of its options have been set */
};

/* Adds a message about a line of the configuration. */
void refuse(const struct reader *reader, unsigned line, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Adds the message that memory is out. */
void refuse_no_memory(const struct reader *reader);

/*
 * Sets the options of all scopes, from the keys of the section and from the fallbacks of those that
 * are not there. With `complete`, a key that no scope knows is refused. Without a section (NULL),
 * all options have their fallbacks.
 */
void section_read(const struct reader *reader, const struct ini_section *section,
                  struct scope *scopes, size_t count, bool complete);

#endif
