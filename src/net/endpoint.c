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
#include <time.h>
#include <unistd.h>

/* Another server that binds there has the lock for a moment; a tenth of a second is many. */
#define LOCK_TRIES 20
#define LOCK_PAUSE_NSEC 5000000

/* How much of a client's output the kernel may hold that is not on its way yet, in bytes. */
#define KERNEL_UNSENT (128 * 1024)

static int set_to(int fd, int level, int option, int value)
{
    return setsockopt(fd, level, option, &value, sizeof(value)) < 0 ? -errno : 0;
}

static int set(int fd, int level, int option)
{
    return set_to(fd, level, option, 1);
}

/*
 * What accepted sockets need is set here once: Linux hands these options down from the listening
 * socket. SO_OOBINLINE because telnet sends the mark of its SYNCH as urgent data, which would
 * otherwise be missing from the stream. TCP_NOTSENT_LOWAT because the kernel's buffer would grow to
 * megabytes for a client that does not read: beyond max-output, without a time limit, and for some
 * hundred clients until there is no memory for anybody's connections.
 */
static int set_client_options(int fd)
{
    int error = set(fd, SOL_SOCKET, SO_KEEPALIVE);
    if (!error)
        error = set(fd, SOL_SOCKET, SO_OOBINLINE);
    if (!error)
        error = set(fd, IPPROTO_TCP, TCP_NODELAY);
    if (!error)
        error = set_to(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, KERNEL_UNSENT);
    /* A passed socket may be of a kind that does not know it. */
    return error == -ENOPROTOOPT || error == -EOPNOTSUPP ? 0 : error;
}

static int set_tcp_options(int fd, const struct address *address)
{
    int error = set(fd, SOL_SOCKET, SO_REUSEADDR);
    if (!error)
        error = set_client_options(fd);
    if (!error && address->socket.any.sa_family == AF_INET6)
        error = set_to(fd, IPPROTO_IPV6, IPV6_V6ONLY, !address->both);
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

/* One socket under as many descriptors as there are workers. */
static int share(struct endpoint *endpoint)
{
    for (unsigned i = 1; i < endpoint->count; i++) {
        endpoint->fds[i] = fcntl(endpoint->fds[0], F_DUPFD_CLOEXEC, 0);
        if (endpoint->fds[i] < 0)
            return -errno;
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
 * should do them one after the other. The lock is on the directory, and leaves no file behind. One
 * that cannot be had is gone without: anybody who may read the directory can keep it for ever. A
 * descriptor, or -1.
 */
static int lock_directory(const char *path)
{
    char directory[sizeof(((struct sockaddr_un *)NULL)->sun_path)];
    const char *slash = strrchr(path, '/'); /* the path is absolute, so there is one */
    snprintf(directory, sizeof(directory), "%.*s", (int)(slash - path + 1), path);
    int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    for (int tries = LOCK_TRIES; fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) < 0; tries--) {
        if (errno != EWOULDBLOCK || tries == 0) {
            close(fd);
            return -1;
        }
        nanosleep(&(struct timespec){.tv_nsec = LOCK_PAUSE_NSEC}, NULL);
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
    return share(endpoint);
}

/* `*` on a machine without IPv6 is every IPv4 address. */
static void fall_back_to_v4(struct address *address)
{
    in_port_t port = address->socket.in6.sin6_port;
    *address = (struct address){.length = sizeof(address->socket.in)};
    address->socket.in =
        (struct sockaddr_in){.sin_family = AF_INET, .sin_port = port, .sin_addr = {INADDR_ANY}};
}

static struct endpoint *endpoint_new(unsigned count)
{
    struct endpoint *endpoint = calloc(1, sizeof(*endpoint) + count * sizeof(endpoint->fds[0]));
    if (!endpoint)
        return NULL;
    endpoint->count = count;
    for (unsigned i = 0; i < count; i++)
        endpoint->fds[i] = -1;
    return endpoint;
}

int endpoint_bind(const struct address *address, unsigned count, bool beside_own,
                  struct endpoint **endpoint, const char **why)
{
    int error;
    struct endpoint *made = endpoint_new(count);
    *why = strerror(ENOMEM);
    if (!made)
        return -ENOMEM;
    made->address = made->bound = *address;
    *why = NULL;
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

/* 0 or -errno; `why` where errno's own words would not say it. */
static int check_passed(int fd, const char **why)
{
    int type, family, listens;
    socklen_t length = sizeof(int);
    *why = "it is not a socket";
    if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &length) < 0)
        return -errno;
    *why = "it is not a stream socket; write ListenStream=";
    if (type != SOCK_STREAM)
        return -ESOCKTNOSUPPORT;
    *why = "it is neither a TCP nor a unix socket";
    if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &family, &length) < 0 ||
        (family != AF_INET && family != AF_INET6 && family != AF_UNIX))
        return -EAFNOSUPPORT;
    *why = "it does not listen; write Accept=no";
    if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &length) < 0 || !listens)
        return -EINVAL;
    *why = NULL;
    return 0;
}

/* Whether a socket that is bound to [::] takes IPv4 too. */
static bool takes_both(int fd, const struct address *address)
{
    int only_v6 = 1;
    socklen_t length = sizeof(only_v6);
    return address->socket.any.sa_family == AF_INET6 &&
           IN6_IS_ADDR_UNSPECIFIED(&address->socket.in6.sin6_addr) &&
           getsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &only_v6, &length) == 0 && !only_v6;
}

/* Makes a passed socket what one of our own would be. */
static int take_over(struct endpoint *endpoint, int fd)
{
    struct address *bound = &endpoint->bound;
    int flags = fcntl(fd, F_GETFL);
    if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
        return -errno;
    bound->length = sizeof(bound->socket);
    if (getsockname(fd, &bound->socket.any, &bound->length) < 0)
        return -errno;
    bound->both = takes_both(fd, bound);
    address_format(bound, endpoint->name);
    endpoint->address = *bound;
    endpoint->passed = true;
    endpoint->fds[0] = fd;
    int error = bound->socket.any.sa_family == AF_UNIX ? 0 : set_client_options(fd);
    if (!error)
        error = share(endpoint);
    if (error)
        endpoint->fds[0] = -1; /* remains the caller's */
    return error;
}

int endpoint_adopt(int fd, unsigned count, struct endpoint **endpoint, const char **why)
{
    int error = check_passed(fd, why);
    if (error)
        return error;
    struct endpoint *made = endpoint_new(count);
    error = made ? take_over(made, fd) : -ENOMEM;
    if (error) {
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

/* 0: the unix socket's file is ours. -ENOENT: it is not there, or is another one. Or -errno. */
static int look_for_file(const struct endpoint *endpoint)
{
    struct stat status;
    if (lstat(endpoint->address.socket.un.sun_path, &status) < 0)
        return -errno;
    bool ours = status.st_dev == endpoint->device && status.st_ino == endpoint->inode;
    return ours ? 0 : -ENOENT;
}

bool endpoint_has_gone(const struct endpoint *endpoint)
{
    return endpoint->inode != 0 && look_for_file(endpoint) == -ENOENT;
}

void endpoint_unlink(struct endpoint *endpoint)
{
    if (endpoint->inode != 0 && look_for_file(endpoint) == 0)
        (void)unlink(endpoint->address.socket.un.sun_path);
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
