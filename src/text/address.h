/*
 * text/address.h - socket addresses as text: 127.0.0.1:7, [::1]:7, *:7, unix:/run/banterd/kk.sock.
 *
 * Addresses are numeric; names are never looked up.
 */
#ifndef BANTERD_TEXT_ADDRESS_H
#define BANTERD_TEXT_ADDRESS_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/un.h>

/* An address to listen on. */
struct address {
    union {
        struct sockaddr any;
        struct sockaddr_in in;
        struct sockaddr_in6 in6;
        struct sockaddr_un un;
    } socket;
    socklen_t length;
    bool both; /* `*`: IPv6 and IPv4 on one socket; `socket` is then [::] */
};

/* Room for any address written, with its NUL; the longest is a unix path. */
#define ADDRESS_TEXT 128

/* 0, or -EINVAL with the reason in `why`: half a sentence that follows the text in a message. */
__attribute__((warn_unused_result)) int address_parse(const char *text, struct address *address,
                                                      const char **why);

/* Writes an address as address_parse() reads it, `*:port` where `both` is set. */
void address_format(const struct address *address, char text[ADDRESS_TEXT]);

/*
 * The same for an address that the kernel gave: ADDR:PORT, [ADDR]:PORT, unix:PATH, and `unix:` for
 * a unix client, which has no name. IPv4 addresses inside IPv6 ones are written as IPv4.
 */
void address_format_socket(const struct sockaddr *socket, socklen_t length,
                           char text[ADDRESS_TEXT]);

/* The port in host order, 0 for a unix address. */
unsigned address_port(const struct address *address);

/* The two are the same address, spelt in any way. */
bool address_equal(const struct address *one, const struct address *other);

/*
 * The two cannot be listened on at once by different listeners: equal, or one is a wildcard that
 * takes in the other on the same port. Port 0 never collides.
 */
bool address_overlaps(const struct address *one, const struct address *other);

#endif
