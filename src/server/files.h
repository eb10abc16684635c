/*
 * server/files.h - the limit of open files.
 */
#ifndef BANTERD_SERVER_FILES_H
#define BANTERD_SERVER_FILES_H

struct config;
struct passed;

/*
 * Raises the soft limit of open files to what the configuration's clients and endpoints need, as
 * far as the hard limit goes; logs a warning where that is not enough.
 */
void files_raise_limit(const struct config *config, const struct passed *passed, unsigned workers);

#endif
