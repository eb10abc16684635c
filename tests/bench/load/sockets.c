/* sockets.c - blocking connections to a server on loopback. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "load.h"

static void set_option(int fd, int level, int option)
{
    const int on = 1;
    if (setsockopt(fd, level, option, &on, sizeof(on)) < 0)
        fail("setsockopt");
}

int open_connection(const struct options *options, unsigned number)
{
    uint32_t address = INADDR_LOOPBACK + number % (unsigned)options->addresses;
    struct sockaddr_in server = {.sin_family = AF_INET,
                                 .sin_port = htons((uint16_t)options->port),
                                 .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct sockaddr_in own = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(address)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        fail("socket");
    set_option(fd, IPPROTO_TCP, TCP_NODELAY);
    set_option(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT);
    if (bind(fd, (struct sockaddr *)&own, sizeof(own)) < 0)
        fail("bind");
    if (connect(fd, (struct sockaddr *)&server, sizeof(server)) < 0)
        fail("connect");
    return fd;
}

int *open_connections(const struct options *options)
{
    int *fds = allocate((size_t)options->clients, sizeof(*fds));
    for (int i = 0; i < options->clients; i++)
        fds[i] = open_connection(options, (unsigned)i);
    return fds;
}

void send_all(int fd, const char *bytes, size_t length)
{
    while (length > 0) {
        ssize_t sent = send(fd, bytes, length, MSG_NOSIGNAL);
        if (sent < 0)
            fail("send");
        bytes += sent;
        length -= (size_t)sent;
    }
}

void receive_all(int fd, char *bytes, size_t length)
{
    while (length > 0) {
        ssize_t received = recv(fd, bytes, length, 0);
        if (received < 0)
            fail("recv");
        if (received == 0)
            fail_with("the server closed a connection");
        bytes += received;
        length -= (size_t)received;
    }
}

void receive_line(int fd, char *line, size_t capacity)
{
    size_t length = 0;
    do {
        ssize_t received = recv(fd, line + length, capacity - length, 0);
        if (received < 0)
            fail("recv");
        if (received == 0)
            fail_with("the server closed a connection, or a line is too long");
        length += (size_t)received;
    } while (line[length - 1] != '\n');
    length -= length > 1 && line[length - 2] == '\r' ? 2 : 1;
    line[length] = '\0';
}

char *make_lines(int count, int size)
{
    size_t length = (size_t)count * (size_t)size;
    char *lines = allocate(length, 1);
    for (size_t i = 0; i < length; i++)
        lines[i] = (char)('a' + i % 26);
    for (size_t end = (size_t)size; end <= length; end += (size_t)size)
        memcpy(lines + end - 2, "\r\n", 2);
    return lines;
}
