/*
 * config/file.h - reads whole small files, and finds them beside the configuration.
 *
 * The configuration itself and the files that it names go through here. Main thread only.
 */
#ifndef BANTERD_CONFIG_FILE_H
#define BANTERD_CONFIG_FILE_H

#include <stddef.h>

#include "banter/protocol.h"

struct arena;

#define FILE_SIZE_MAX (1024 * 1024)

/*
 * Reads the regular file at `path`, at most FILE_SIZE_MAX bytes, without a byte order mark; the
 * text comes from the arena, and `path` is kept, not copied. Never waits, whatever the path leads
 * to. 0, or -errno with the reason in `why`; `file` is then untouched.
 */
__attribute__((warn_unused_result)) int file_read(const char *path, struct arena *arena,
                                                  struct banter_file *file, const char **why);

/*
 * Holds a file that was read to what a text file may be: UTF-8, and no control characters but tabs
 * and line endings. Returns 0, or the number of the first line that is not so, with the reason in
 * `why`.
 */
unsigned file_check_text(const struct banter_file *file, const char **why);

/*
 * The absolute form of `path`: a relative one starts at the directory of the file `beside`, and one
 * that begins with `%d/` at $CREDENTIALS_DIRECTORY, systemd.exec(5). NULL with errno, and the
 * reason in `why`, when there is no such directory, memory is out, or the working directory is
 * needed and cannot be found out.
 */
const char *file_beside(const char *beside, const char *path, struct arena *arena,
                        const char **why);

#endif
