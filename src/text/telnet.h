/*
 * text/telnet.h - takes telnet commands out of a stream of bytes (RFC 854), and refuses options.
 *
 * No option is ever agreed to: WILL is answered DONT and DO is answered WONT, each option once;
 * WONT and DONT confirm what is so already and are not answered, so that no loop can start.
 */
#ifndef BANTERD_TEXT_TELNET_H
#define BANTERD_TEXT_TELNET_H

#include <stddef.h>
#include <stdint.h>

#define TELNET_IAC 255

struct telnet {
    uint8_t state;            /* where in a command the stream stands, between any two bytes */
    uint8_t will_refused[32]; /* a bit an option: DONT was sent */
    uint8_t do_refused[32];   /* WONT was sent */
    char reply[3];            /* the last TELNET_REPLY */
};

enum telnet_item {
    TELNET_END,             /* all input was used */
    TELNET_DATA,            /* *data and *length: bytes of the conversation, in place, never none */
    TELNET_REPLY,           /* *data and *length: bytes to send to the client as they are */
    TELNET_ARE_YOU_THERE,   /* AYT: answer visibly */
    TELNET_INTERRUPT,       /* IP: the client wants out */
    TELNET_ERASE_CHARACTER, /* EC: take the last character off the unfinished line */
    TELNET_ERASE_LINE       /* EL: drop the unfinished line */
};

/* A telnet of all zero is at the start of a stream. */

/*
 * The next item of the input from *cursor to end; moves *cursor past it, and never past more than
 * one item. A doubled IAC is data, one byte 255. *data stays valid until the next call (REPLY) or
 * as long as the input (DATA).
 */
enum telnet_item telnet_next(struct telnet *telnet, char **cursor, char *end, char **data,
                             size_t *length);

#endif
