/*
 * net/endpoint.h - one address that is listened on: the sockets, one for each worker.
 *
 * TCP sockets of one endpoint share the port by SO_REUSEPORT, and the kernel spreads the clients
 * over them; a unix endpoint, and one that the service manager has passed, is one socket under
 * several descriptors. An endpoint outlives the configurations that name it, so that a reload loses
 * no connection that is waiting in its queue. Made and freed by the main thread; a worker uses and
 * closes its own descriptor only.
 */
#ifndef BANTERD_NET_ENDPOINT_H
#define BANTERD_NET_ENDPOINT_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "text/address.h"

struct endpoint {
    struct address address;  /* as asked for */
    struct address bound;    /* with the real port */
    char name[ADDRESS_TEXT]; /* of the bound address */
    dev_t device;            /* of a unix socket's file, so that only our own is removed */
    ino_t inode;
    bool passed; /* its queue outlives us: what we do not accept, the next process will */
    unsigned count;
    int fds[]; /* one a worker; -1 once it is closed */
};

/*
 * Binds, without listening yet - but for a unix socket, which would look like a stale one to others
 * meanwhile. `beside_own`: an endpoint of ours that is about to go holds an
 * overlapping address, so it is no error that somebody has it. 0, or -errno with `why` set.
 */
__attribute__((warn_unused_result)) int endpoint_bind(const struct address *address, unsigned count,
                                                      bool beside_own, struct endpoint **endpoint,
                                                      const char **why);

/*
 * Takes over a stream socket that somebody else has made and listens on, and whose descriptor is
 * closed on exec. 0, or -errno with `why` set; the descriptor is then the caller's still.
 */
__attribute__((warn_unused_result)) int
endpoint_adopt(int fd, unsigned count, struct endpoint **endpoint, const char **why);

/* From here on clients can connect. 0 or -errno. */
__attribute__((warn_unused_result)) int endpoint_listen(struct endpoint *endpoint);

/* Whether somebody has removed or replaced a unix socket's file: nobody can connect any more. */
bool endpoint_has_gone(const struct endpoint *endpoint);

/*
 * Removes a unix socket's file, if it is still ours: nobody can connect any more. To be called
 * while a descriptor is open, since the inode of a closed one may have become somebody else's.
 */
void endpoint_unlink(struct endpoint *endpoint);

/* Closes one worker's descriptor. Called by that worker. */
void endpoint_close(struct endpoint *endpoint, unsigned worker);

/* Unlinks and closes what is not yet, and frees. NULL is fine. */
void endpoint_free(struct endpoint *endpoint);

#endif
