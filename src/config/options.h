/*
 * config/options.h - tables of options: what a key may be set to, and where its value goes.
 *
 * One table serves each kind of section; the tables of protocols come from their modules. The row
 * is struct banter_option, so that a protocol's options and banterd's own are parsed, bounded,
 * suggested and dumped by the same code.
 */
#ifndef BANTERD_CONFIG_OPTIONS_H
#define BANTERD_CONFIG_OPTIONS_H

#include <stddef.h>
#include <stdio.h>

#include "banter/protocol.h"
#include "text/report.h"

struct arena;

/* Rows, and their number. */
struct option_table {
    const struct banter_option *rows;
    size_t count;
};

/* banterd's own: [server] fills struct config, [listener NAME] fills struct listener_config. */
extern const struct option_table server_options;
extern const struct option_table listener_options;

/* Where a value was found. */
struct option_source {
    const char *file;
    unsigned line;
};

/* The row of that name, or NULL. */
const struct banter_option *options_find(struct option_table table, const char *name);

/*
 * Parses `text` for `option` and stores the value in `base`, at the option's offset; a BANTER_FILE
 * is read, a relative path starting at the directory of source->file. Problems go to `report`, a
 * value that options_dump() could not write among them.
 */
void option_set(const struct banter_option *option, void *base, const char *text,
                const struct option_source *source, struct arena *arena, struct report *report);

/*
 * Writes `name = value` for each row, as option_set() reads it; rows without a value are left out.
 */
void options_dump(struct option_table table, const void *base, FILE *stream);

#endif
