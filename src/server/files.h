/*
 * server/files.h - the limit of open files, and room for them.
 */
#ifndef BANTERD_SERVER_FILES_H
#define BANTERD_SERVER_FILES_H

#include <sys/resource.h>

struct config;
struct passed;

/*
 * Raises the soft limit of open files to what the configuration's clients and endpoints need, as
 * far as the hard limit goes; logs a warning where that is not enough. Returns how many files there
 * may then be for these; 0 where that cannot be found out.
 */
rlim_t files_raise_limit(const struct config *config, const struct passed *passed,
                         unsigned workers);

/*
 * Has the kernel make room for so many files. It does so by itself, doubling its table each time
 * that it is full; but then the thread that opens one waits, and all its clients with it, until
 * every processor has let go of the old table: for some 20 ms. Here it is the caller that waits.
 */
void files_make_room(rlim_t files);

#endif
