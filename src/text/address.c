/*
 * text/address.c - reads, writes and compares socket addresses.
 *
 * inet_pton() rather than getaddrinfo(): no names are looked up, and `127.1` is a mistake, not an
 * address. Interface names are the one thing asked of the system. Stateless; any thread.
 */
#include "text/address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "text/quantity.h"

#define UNIX_PREFIX "unix:"

/* Room for what may stand between brackets: an address, % and an interface. */
#define HOST_TEXT (INET6_ADDRSTRLEN + 1 + IF_NAMESIZE)

static int refuse(const char **why, const char *reason)
{
    *why = reason;
    return -EINVAL;
}

static int parse_unix(const char *path, struct address *address, const char **why)
{
    struct sockaddr_un *un = &address->socket.un;
    size_t length = strlen(path);

    if (*path != '/')
        return refuse(why, "needs an absolute path, as in unix:/run/banterd/echo.sock");
    if (length >= sizeof(un->sun_path))
        return refuse(why, "the path of a unix socket has at most 107 bytes");
    un->sun_family = AF_UNIX;
    memcpy(un->sun_path, path, length + 1);
    address->length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length + 1);
    return 0;
}

static int parse_ipv4(const char *host, in_port_t port, struct address *address, const char **why)
{
    struct sockaddr_in *in = &address->socket.in;

    if (inet_pton(AF_INET, host, &in->sin_addr) != 1) {
        if (*host == '\0')
            return refuse(why, "needs an address before the port, as in 127.0.0.1:4444 or *:4444");
        if (host[strspn(host, "0123456789.")] == '\0')
            return refuse(why, "an IPv4 address has four numbers from 0 to 255");
        return refuse(why, "host names are not looked up: write a numeric address");
    }
    in->sin_family = AF_INET;
    in->sin_port = port;
    address->length = sizeof(*in);
    return 0;
}

/* The index of an interface, by its name or written as a number; 0 if there is none. */
static uint32_t parse_zone(const char *zone)
{
    uint32_t index = if_nametoindex(zone);
    int64_t number;

    if (index == 0 && number_parse(zone, &number) == 0 && number <= UINT32_MAX)
        index = (uint32_t)number;
    return index;
}

/* `host` is what stood between the brackets; the zone is cut off it. */
static int parse_ipv6(char *host, in_port_t port, struct address *address, const char **why)
{
    struct sockaddr_in6 *in6 = &address->socket.in6;
    char *zone = strchr(host, '%');

    if (zone)
        *zone++ = '\0';
    if (inet_pton(AF_INET6, host, &in6->sin6_addr) != 1)
        return refuse(why, "the brackets hold no IPv6 address");
    if (IN6_IS_ADDR_V4MAPPED(&in6->sin6_addr))
        return refuse(why, "an IPv4 address is written without ::ffff: and brackets");
    if (IN6_IS_ADDR_LINKLOCAL(&in6->sin6_addr) != (zone != NULL))
        return refuse(why, !zone ? "a link-local address needs an interface, as in [fe80::1%eth0]:7"
                                 : "only a link-local address has an interface");
    if (zone) {
        in6->sin6_scope_id = parse_zone(zone);
        if (in6->sin6_scope_id == 0)
            return refuse(why, "there is no such interface");
    }
    in6->sin6_family = AF_INET6;
    in6->sin6_port = port;
    address->length = sizeof(*in6);
    return 0;
}

static int parse_wildcard(in_port_t port, struct address *address)
{
    address->socket.in6 = (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_port = port};
    address->length = sizeof(address->socket.in6);
    address->both = true;
    return 0;
}

static int parse_port(const char *text, in_port_t *port, const char **why)
{
    int64_t number;

    if (number_parse(text, &number) != 0 || number > UINT16_MAX)
        return refuse(why, "the port is a number from 0 to 65535");
    *port = htons((uint16_t)number);
    return 0;
}

/* What a text without `:PORT` at its end was probably meant to be. */
static const char *explain_no_port(const char *text)
{
    if (*text == '/')
        return "a unix socket is written with unix: before its path";
    if (*text != '\0' && text[strspn(text, "0123456789")] == '\0')
        return "needs an address before the port, as in 127.0.0.1:4444 or *:4444";
    return "needs a port, as in 127.0.0.1:4444";
}

/* Where the host begins and ends, and the port behind it. */
struct parts {
    const char *host;
    const char *host_end;
    const char *port;
};

static int split_plain(const char *text, struct parts *parts, const char **why)
{
    const char *colon = strchr(text, ':');

    if (!colon || *text == '/')
        return refuse(why, explain_no_port(text));
    if (strchr(colon + 1, ':') != NULL)
        return refuse(why, "an IPv6 address is written in brackets, as in [::1]:4444");
    *parts = (struct parts){text, colon, colon + 1};
    return 0;
}

static int split_bracketed(const char *text, struct parts *parts, const char **why)
{
    const char *bracket = strchr(text, ']');

    if (!bracket)
        return refuse(why, "the closing bracket is missing");
    if (bracket[1] != ':')
        return refuse(why, "needs a port, as in [::1]:4444");
    *parts = (struct parts){text + 1, bracket, bracket + 2};
    return 0;
}

int address_parse(const char *text, struct address *address, const char **why)
{
    char host[HOST_TEXT];
    struct parts parts;
    in_port_t port;
    bool bracketed = *text == '[';
    int error;

    *address = (struct address){0};
    if (strncmp(text, UNIX_PREFIX, strlen(UNIX_PREFIX)) == 0)
        return parse_unix(text + strlen(UNIX_PREFIX), address, why);

    error = bracketed ? split_bracketed(text, &parts, why) : split_plain(text, &parts, why);
    if (error == 0)
        error = parse_port(parts.port, &port, why);
    if (error != 0)
        return error;

    /* A host that does not fit is no address, and what is left of it is none either. */
    snprintf(host, sizeof(host), "%.*s", (int)(parts.host_end - parts.host), parts.host);
    if (bracketed)
        return parse_ipv6(host, port, address, why);
    if (strcmp(host, "*") == 0)
        return parse_wildcard(port, address);
    return parse_ipv4(host, port, address, why);
}

static void format_ipv6(const struct sockaddr_in6 *in6, char text[ADDRESS_TEXT])
{
    char host[INET6_ADDRSTRLEN];
    char name[IF_NAMESIZE];
    uint32_t zone = in6->sin6_scope_id;
    unsigned port = ntohs(in6->sin6_port);

    if (IN6_IS_ADDR_V4MAPPED(&in6->sin6_addr)) {
        inet_ntop(AF_INET, &in6->sin6_addr.s6_addr[12], host, sizeof(host));
        snprintf(text, ADDRESS_TEXT, "%s:%u", host, port);
        return;
    }
    inet_ntop(AF_INET6, &in6->sin6_addr, host, sizeof(host));
    if (zone == 0)
        snprintf(text, ADDRESS_TEXT, "[%s]:%u", host, port);
    else if (if_indextoname(zone, name) != NULL)
        snprintf(text, ADDRESS_TEXT, "[%s%%%s]:%u", host, name, port);
    else
        snprintf(text, ADDRESS_TEXT, "[%s%%%u]:%u", host, zone, port);
}

/* An abstract name begins with a NUL, and is written with an @ in its place, as ss(8) does. */
static void format_unix(const struct sockaddr_un *un, socklen_t length, char text[ADDRESS_TEXT])
{
    size_t start = offsetof(struct sockaddr_un, sun_path);
    int size = length > start ? (int)(length - start) : 0;

    if (size > 1 && un->sun_path[0] == '\0')
        snprintf(text, ADDRESS_TEXT, UNIX_PREFIX "@%.*s", size - 1, un->sun_path + 1);
    else
        snprintf(text, ADDRESS_TEXT, UNIX_PREFIX "%.*s", size, un->sun_path);
}

void address_format(const struct address *address, char text[ADDRESS_TEXT])
{
    if (address->both)
        snprintf(text, ADDRESS_TEXT, "*:%u", address_port(address));
    else
        address_format_socket(&address->socket.any, address->length, text);
}

void address_format_socket(const struct sockaddr *socket, socklen_t length, char text[ADDRESS_TEXT])
{
    struct address address = {0};
    char host[INET_ADDRSTRLEN];

    if (length > sizeof(address.socket))
        length = sizeof(address.socket);
    memcpy(&address.socket, socket, length);

    switch (address.socket.any.sa_family) {
    case AF_INET:
        inet_ntop(AF_INET, &address.socket.in.sin_addr, host, sizeof(host));
        snprintf(text, ADDRESS_TEXT, "%s:%u", host, ntohs(address.socket.in.sin_port));
        break;
    case AF_INET6:
        format_ipv6(&address.socket.in6, text);
        break;
    case AF_UNIX:
        format_unix(&address.socket.un, length, text);
        break;
    default:
        snprintf(text, ADDRESS_TEXT, "unknown");
        break;
    }
}

unsigned address_port(const struct address *address)
{
    switch (address->socket.any.sa_family) {
    case AF_INET:
        return ntohs(address->socket.in.sin_port);
    case AF_INET6:
        return ntohs(address->socket.in6.sin6_port);
    default:
        return 0;
    }
}

static bool same_host(const struct address *one, const struct address *other)
{
    const struct sockaddr_in6 *in6 = &one->socket.in6;
    const struct sockaddr_in6 *other6 = &other->socket.in6;

    if (one->socket.any.sa_family != other->socket.any.sa_family)
        return false;
    switch (one->socket.any.sa_family) {
    case AF_INET:
        return one->socket.in.sin_addr.s_addr == other->socket.in.sin_addr.s_addr;
    case AF_INET6:
        return IN6_ARE_ADDR_EQUAL(&in6->sin6_addr, &other6->sin6_addr) &&
               in6->sin6_scope_id == other6->sin6_scope_id;
    default:
        return strcmp(one->socket.un.sun_path, other->socket.un.sun_path) == 0;
    }
}

bool address_equal(const struct address *one, const struct address *other)
{
    return one->both == other->both && address_port(one) == address_port(other) &&
           same_host(one, other);
}

/* Whether `wide` is a wildcard that takes in `narrow`; neither is a unix address. */
static bool takes_in(const struct address *wide, const struct address *narrow)
{
    if (wide->both)
        return true;
    if (wide->socket.any.sa_family != narrow->socket.any.sa_family)
        return false;
    if (wide->socket.any.sa_family == AF_INET)
        return wide->socket.in.sin_addr.s_addr == htonl(INADDR_ANY);
    return IN6_IS_ADDR_UNSPECIFIED(&wide->socket.in6.sin6_addr);
}

bool address_overlaps(const struct address *one, const struct address *other)
{
    if (one->socket.any.sa_family == AF_UNIX || other->socket.any.sa_family == AF_UNIX)
        return same_host(one, other);
    if (address_port(one) == 0 || address_port(one) != address_port(other))
        return false;
    return same_host(one, other) || takes_in(one, other) || takes_in(other, one);
}
