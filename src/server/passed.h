/*
 * server/passed.h - the sockets that the service manager has passed, sd_listen_fds(3).
 *
 * A socket is for the listener that has its name (FileDescriptorName=), in place of that listener's
 * `listen`; several may have the same name. They belong to the server as long as it lives, whatever
 * is reloaded. Main thread only.
 */
#ifndef BANTERD_SERVER_PASSED_H
#define BANTERD_SERVER_PASSED_H

#include <stdbool.h>
#include <stddef.h>

struct config;
struct endpoint;
struct report;

struct passed_socket {
    const char *name;
    int fd;                    /* until there is an endpoint */
    struct endpoint *endpoint; /* NULL before passed_adopt() */
};

struct passed {
    char *names; /* of all, cut into pieces */
    struct passed_socket *sockets;
    size_t count;
};

/*
 * Takes LISTEN_PID, LISTEN_FDS and LISTEN_FDNAMES out of the environment, and the descriptors that
 * they tell of. To be called before any other descriptor is opened, which could otherwise be taken
 * for one that was passed. Takes a zeroed struct. False: something was wrong, and is reported.
 */
__attribute__((warn_unused_result)) bool passed_take(struct passed *passed, struct report *report);

/* Makes endpoints of the sockets, for so many workers. False: reported. */
__attribute__((warn_unused_result)) bool passed_adopt(struct passed *passed, unsigned workers,
                                                      struct report *report);

/* Whether each socket has a listener of its name; those that have none are reported. */
__attribute__((warn_unused_result)) bool
passed_check(const struct passed *passed, const struct config *config, struct report *report);

/* How many sockets there are for this listener. */
size_t passed_count(const struct passed *passed, const char *listener);

/* Closes the sockets. One that was never taken is fine. */
void passed_free(struct passed *passed);

#endif
