/*
 * text/telnet.c - the telnet filter: a state machine over single bytes, between runs of data.
 *
 * RFC 854 (commands), RFC 855 (options, subnegotiation). Owned by one client and its worker.
 * Nothing is copied: data is handed over where it lies.
 */
#include "text/telnet.h"

#include <stdbool.h>
#include <string.h>

enum command {
    SE = 240, /* ends a subnegotiation */
    IP = 244, /* interrupt process */
    AYT = 246,
    EC = 247,
    EL = 248,
    SB = 250, /* begins a subnegotiation */
    WILL = 251,
    WONT = 252,
    DO = 253,
    DONT = 254,
    IAC = TELNET_IAC
};

enum state {
    IN_DATA,
    AFTER_IAC,
    AFTER_WILL,
    AFTER_DO,
    AFTER_DENIAL, /* WONT or DONT */
    IN_SUBNEGOTIATION,
    IN_SUBNEGOTIATION_AFTER_IAC
};

/* A byte after IAC. What is not known here (NOP, DM, BRK, AO, GA, EOR ...) is dropped. */
static enum telnet_item take_command(struct telnet *telnet, uint8_t byte)
{
    telnet->state = IN_DATA;
    switch (byte) {
    case WILL:
        telnet->state = AFTER_WILL;
        return TELNET_END;
    case DO:
        telnet->state = AFTER_DO;
        return TELNET_END;
    case WONT:
    case DONT:
        telnet->state = AFTER_DENIAL;
        return TELNET_END;
    case SB:
        telnet->state = IN_SUBNEGOTIATION;
        return TELNET_END;
    case AYT:
        return TELNET_ARE_YOU_THERE;
    case IP:
        return TELNET_INTERRUPT;
    case EC:
        return TELNET_ERASE_CHARACTER;
    case EL:
        return TELNET_ERASE_LINE;
    default:
        return TELNET_END;
    }
}

/* Refuses an option, unless that was done before. */
static enum telnet_item refuse(struct telnet *telnet, uint8_t refused[32], uint8_t answer,
                               uint8_t option)
{
    uint8_t bit = (uint8_t)(1u << (option % 8));

    telnet->state = IN_DATA;
    if ((refused[option / 8] & bit) != 0)
        return TELNET_END;
    refused[option / 8] |= bit;
    telnet->reply[0] = (char)IAC;
    telnet->reply[1] = (char)answer;
    telnet->reply[2] = (char)option;
    return TELNET_REPLY;
}

/* One byte that is no data; TELNET_END where it makes no item. */
static enum telnet_item take_byte(struct telnet *telnet, uint8_t byte)
{
    switch ((enum state)telnet->state) {
    case IN_DATA:
        telnet->state = AFTER_IAC;
        break;
    case AFTER_IAC:
        return take_command(telnet, byte);
    case AFTER_WILL:
        return refuse(telnet, telnet->will_refused, DONT, byte);
    case AFTER_DO:
        return refuse(telnet, telnet->do_refused, WONT, byte);
    case AFTER_DENIAL:
        telnet->state = IN_DATA;
        break;
    case IN_SUBNEGOTIATION:
        if (byte == IAC)
            telnet->state = IN_SUBNEGOTIATION_AFTER_IAC;
        break;
    case IN_SUBNEGOTIATION_AFTER_IAC:
        telnet->state = byte == SE ? IN_DATA : IN_SUBNEGOTIATION;
        break;
    }
    return TELNET_END;
}

/* Data, or the second byte of a doubled IAC, which is data itself. */
static bool is_data(const struct telnet *telnet, uint8_t byte)
{
    return byte == IAC ? telnet->state == AFTER_IAC : telnet->state == IN_DATA;
}

enum telnet_item telnet_next(struct telnet *telnet, char **cursor, char *end, char **data,
                             size_t *length)
{
    while (*cursor < end) {
        char *start = *cursor;
        enum telnet_item item;

        if (is_data(telnet, (uint8_t)*start)) {
            char *stop = memchr(start + 1, IAC, (size_t)(end - start - 1));

            telnet->state = IN_DATA;
            *cursor = stop ? stop : end;
            *data = start;
            *length = (size_t)(*cursor - start);
            return TELNET_DATA;
        }

        *cursor = start + 1;
        item = take_byte(telnet, (uint8_t)*start);
        if (item == TELNET_REPLY) {
            *data = telnet->reply;
            *length = sizeof(telnet->reply);
        }
        if (item != TELNET_END)
            return item;
    }
    return TELNET_END;
}
