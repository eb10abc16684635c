/*
 * server/files.h - the limit of open files.
 */
#ifndef BANTERD_SERVER_FILES_H
#define BANTERD_SERVER_FILES_H

#include <stddef.h>
#include <stdint.h>

/*
 * Raises the soft limit of open files to what the clients (0: as many as come), the endpoints and
 * the workers need, as far as the hard limit goes; logs a warning where that is not enough.
 */
void files_raise_limit(int64_t max_clients, size_t endpoints, unsigned workers);

#endif
