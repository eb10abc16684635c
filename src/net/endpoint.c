/* net/endpoint.c - see endpoint.h. */
#include "net/endpoint.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static int set(int fd, int level, int option)
{
    const int on = 1;
    return setsockopt(fd, level, option, &on, sizeof(on)) < 0 ? -errno : 0;
}

/*
 * What accepted sockets need is set here once: Linux hands these options down from the listening
 * socket. SO_OOBINLINE because telnet sends the mark of its SYNCH as urgent data, which would
 * otherwise be missing from the stream.
 */
static int set_tcp_options(int fd, const struct address *address)
{
    int only_v6 = !address->both;
    int error = set(fd, SOL_SOCKET, SO_REUSEADDR);
    if (!error)
        error = set(fd, SOL_SOCKET, SO_KEEPALIVE);
    if (!error)
        error = set(fd, SOL_SOCKET, SO_OOBINLINE);
    if (!error)
        error = set(fd, IPPROTO_TCP, TCP_NODELAY);
    if (!error && address->socket.any.sa_family == AF_INET6 &&
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &only_v6, sizeof(only_v6)) < 0)
        error = -errno;
    return error;
}

/* A descriptor that is bound to the address, or -errno. */
static int bind_socket(const struct address *address, bool shared)
{
    int family = address->socket.any.sa_family;
    int error = 0;
    int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    if (family != AF_UNIX)
        error = set_tcp_options(fd, address);
    if (!error && shared)
        error = set(fd, SOL_SOCKET, SO_REUSEPORT);
    if (!error && bind(fd, &address->socket.any, address->length) < 0)
        error = -errno;
    if (error)
        close(fd);
    return error ? error : fd;
}

/*
 * The first socket is bound without SO_REUSEPORT, which would let us share the port with whatever
 * process of the same user listens there already. Once the port is known to be ours, the option is
 * set on it, and the other workers' sockets join.
 */
static int bind_tcp(struct endpoint *endpoint, bool beside_own)
{
    struct address *bound = &endpoint->bound;
    int fd = bind_socket(bound, beside_own);
    if (fd < 0)
        return fd;
    endpoint->fds[0] = fd;
    int error = set(fd, SOL_SOCKET, SO_REUSEPORT);
    bound->length = sizeof(bound->socket);
    if (!error && getsockname(fd, &bound->socket.any, &bound->length) < 0)
        error = -errno;
    if (error)
        return error;
    address_format(bound, endpoint->name);
    for (unsigned i = 1; i < endpoint->count; i++) {
        fd = bind_socket(bound, true);
        if (fd < 0)
            return fd;
        endpoint->fds[i] = fd;
    }
    return 0;
}

/* What stands at the path of a unix socket: 0 when nothing does any more, or -errno and why. */
static int clear_path(const struct address *address, const char **why)
{
    struct stat status;
    const char *path = address->socket.un.sun_path;
    if (lstat(path, &status) < 0)
        return errno == ENOENT ? 0 : -errno;
    if (!S_ISSOCK(status.st_mode)) {
        *why = "a file that is not a socket is in the way";
        return -EEXIST;
    }
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    int answer = connect(fd, &address->socket.any, address->length) < 0 ? errno : 0;
    close(fd);
    /* Only a refusal proves that nobody listens; EAGAIN is a full queue, and somebody's. */
    if (answer != ECONNREFUSED) {
        *why = "Address already in use, by a living server";
        return -EADDRINUSE;
    }
    return unlink(path) < 0 && errno != ENOENT ? -errno : 0;
}

/*
 * Looking whether the path is free and taking it are two steps, so servers that start at once
 * should do them one after the other. The lock is on the directory, and leaves no file behind; one
 * that may not be read is not locked. A descriptor, or -1.
 */
static int lock_directory(const char *path)
{
    char directory[sizeof(((struct sockaddr_un *)NULL)->sun_path)];
    const char *slash = strrchr(path, '/'); /* the path is absolute, so there is one */
    snprintf(directory, sizeof(directory), "%.*s", (int)(slash - path + 1), path);
    int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0 && flock(fd, LOCK_EX) < 0) {
        close(fd);
        return -1;
    }
    return fd;
}

/* The first descriptor: bound, and listening, so that nobody takes the socket for a stale one. */
static int take_path(struct endpoint *endpoint, const char **why)
{
    const struct address *address = &endpoint->address;
    struct stat status;
    int error = clear_path(address, why);
    if (error)
        return error;
    int fd = bind_socket(address, false);
    if (fd == -ENOENT)
        *why = "No such file or directory; its directory has to be there";
    if (fd < 0)
        return fd;
    endpoint->fds[0] = fd;
    if (listen(fd, SOMAXCONN) < 0 || lstat(address->socket.un.sun_path, &status) < 0)
        return -errno;
    endpoint->device = status.st_dev;
    endpoint->inode = status.st_ino;
    return 0;
}

static int bind_unix(struct endpoint *endpoint, const char **why)
{
    int lock = lock_directory(endpoint->address.socket.un.sun_path);
    int error = take_path(endpoint, why);
    if (lock >= 0)
        close(lock);
    if (error)
        return error;
    address_format(&endpoint->address, endpoint->name);
    for (unsigned i = 1; i < endpoint->count; i++) {
        endpoint->fds[i] = fcntl(endpoint->fds[0], F_DUPFD_CLOEXEC, 0);
        if (endpoint->fds[i] < 0)
            return -errno;
    }
    return 0;
}

/* `*` on a machine without IPv6 is every IPv4 address. */
static void fall_back_to_v4(struct address *address)
{
    in_port_t port = address->socket.in6.sin6_port;
    *address = (struct address){.length = sizeof(address->socket.in)};
    address->socket.in =
        (struct sockaddr_in){.sin_family = AF_INET, .sin_port = port, .sin_addr = {INADDR_ANY}};
}

int endpoint_bind(const struct address *address, unsigned count, bool beside_own,
                  struct endpoint **endpoint, const char **why)
{
    struct endpoint *made = calloc(1, sizeof(*made) + count * sizeof(made->fds[0]));
    if (!made) {
        *why = strerror(ENOMEM);
        return -ENOMEM;
    }
    made->address = made->bound = *address;
    made->count = count;
    for (unsigned i = 0; i < count; i++)
        made->fds[i] = -1;

    *why = NULL;
    int error;
    if (address->socket.any.sa_family == AF_UNIX) {
        error = bind_unix(made, why);
    } else {
        error = bind_tcp(made, beside_own);
        if (error == -EAFNOSUPPORT && address->both) {
            fall_back_to_v4(&made->bound);
            error = bind_tcp(made, beside_own);
        }
    }
    if (error) {
        if (!*why)
            *why = strerror(-error);
        endpoint_free(made);
        return error;
    }
    *endpoint = made;
    return 0;
}

int endpoint_listen(struct endpoint *endpoint)
{
    for (unsigned i = 0; i < endpoint->count; i++)
        if (listen(endpoint->fds[i], SOMAXCONN) < 0)
            return -errno;
    return 0;
}

void endpoint_close(struct endpoint *endpoint, unsigned worker)
{
    if (endpoint->fds[worker] >= 0)
        close(endpoint->fds[worker]);
    endpoint->fds[worker] = -1;
}

void endpoint_unlink(struct endpoint *endpoint)
{
    struct stat status;
    const char *path = endpoint->address.socket.un.sun_path;
    if (endpoint->inode == 0)
        return;
    if (lstat(path, &status) == 0 && status.st_dev == endpoint->device &&
        status.st_ino == endpoint->inode)
        (void)unlink(path);
    endpoint->inode = 0;
}

void endpoint_free(struct endpoint *endpoint)
{
    if (!endpoint)
        return;
    endpoint_unlink(endpoint);
    for (unsigned i = 0; i < endpoint->count; i++)
        endpoint_close(endpoint, i);
    free(endpoint);
}
