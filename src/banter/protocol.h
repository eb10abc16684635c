/*
 * banter/protocol.h - what a protocol module is, and what it may ask of its host.
 *
 * A protocol says what is said; banterd owns the sockets, the framing, the limits and the memory.
 * This is the only header that a protocol includes. The same source is linked into banterd or
 * built as a loadable object:
 *
 *     cc -shared -fPIC $(pkg-config --cflags banter) -o shout.so shout.c
 *
 * A protocol is one constant, filled in with the callbacks that it wants:
 *
 *     static void shout_line(struct banter_client *client, void *session, const char *line,
 *                            size_t length) { ... banter_write(client, ...); }
 *
 *     BANTER_PROTOCOL(shout) = {
 *         BANTER_ABI,
 *         .name = "shout",
 *         .summary = "says it again, louder",
 *         .line = shout_line,
 *     };
 *
 * Threads. A client belongs to one worker thread for life, and all callbacks of one client run
 * there, one at a time. Different clients of one protocol run at once on different workers: keep
 * what belongs to a conversation in its session, and nothing in writable globals. A callback that
 * blocks holds up every client of its worker.
 *
 * Memory. Settings and sessions are zero-filled blocks that the host makes and frees. A session
 * that holds no pointers needs no clean-up at all.
 *
 * Manual: banter-protocol(3).
 */
#ifndef BANTER_PROTOCOL_H
#define BANTER_PROTOCOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * The version of this interface. An object is taken when its major number is the host's, and its
 * minor number is not newer.
 *   1.0  the first
 *   1.1  banter_say_line()
 *   1.2  BANTER_RATE, BANTER_CONNECT_RATE
 */
#define BANTER_ABI_MAJOR 1
#define BANTER_ABI_MINOR 2

/* One connection, as the protocol sees it. Valid from open() until close() returns. */
struct banter_client;

/* The making of one listener's settings. Valid during configure() only. */
struct banter_setup;

/* Why a conversation ended: the argument of close(), `reason=` in the log. */
enum banter_reason {
    BANTER_CLIENT_EOF = 1, /* the client finished sending, and everything was answered */
    BANTER_CLIENT_RESET,   /* the client broke the connection */
    BANTER_PROTOCOL_DONE,  /* the protocol called banter_close() */
    BANTER_IDLE_TIMEOUT,   /* nothing was said for idle-timeout */
    BANTER_LINE_TIMEOUT,   /* a line was not finished within line-timeout */
    BANTER_WRITE_TIMEOUT,  /* the client did not take its output within write-timeout */
    BANTER_LINE_TOO_LONG,  /* a line went beyond max-line */
    BANTER_SERVER_FULL,    /* refused: max-clients of the server or of the listener */
    BANTER_ADDRESS_LIMIT,  /* refused: max-clients-per-address */
    BANTER_DRAIN,          /* the server is stopping */
    BANTER_ERROR,          /* the system failed: no memory, a broken socket */
    BANTER_CONNECT_RATE    /* refused: connect-rate */
};

/* The type of an option's value, and the type of the settings member that takes it. */
enum banter_type {
    BANTER_STRING = 1, /* const char *: the text as it stands; never NULL when it has a fallback */
    BANTER_BOOLEAN,    /* bool: yes/no, true/false, on/off */
    BANTER_NUMBER,     /* int64_t: decimal digits */
    BANTER_DURATION,   /* int64_t: milliseconds, from 500ms, 30s, 5m, 1h; 0 is never */
    BANTER_SIZE,       /* int64_t: bytes, from 512, 8K, 1M */
    BANTER_CHOICE,     /* int64_t: the position in `words` of the word given, from 0 */
    BANTER_FILE,       /* struct banter_file: the file's whole content, read by the host */
    BANTER_RATE        /* struct banter_rate: from 100/s, 20/m, 5/h; 0 is no limit */
};

/*
 * The value of a BANTER_FILE option: a text file, which the host reads (at most 1 MiB of UTF-8
 * without control characters) when the configuration is read, so that a reload takes its new
 * content. `text` may be written to, and has a NUL behind its `length` bytes. Without the option,
 * all members are zero.
 */
struct banter_file {
    const char *path; /* as messages should name it */
    char *text;
    size_t length;
};

/* A line of such a file, without its ending; all zero in front of the first one. */
struct banter_file_line {
    unsigned number; /* from 1 */
    char *text;      /* terminated in place */
    size_t length;
    char *next; /* the host's: where to go on */
};

/* The value of a BANTER_RATE option: how often in how long. Without a limit, both are zero. */
struct banter_rate {
    int64_t count;
    int64_t period; /* milliseconds */
};

/* One option of a protocol: a key that may stand in its [listener] section. */
struct banter_option {
    const char *name; /* lower-case letters, digits and '-' */
    enum banter_type type;
    size_t offset;        /* offsetof() the member in the settings */
    const char *fallback; /* the value where the key is absent, as it would be written; or NULL */
    int64_t min, max;     /* bounds of a NUMBER, DURATION, SIZE or a RATE's count; both 0: none */
    const char *words;    /* the words of a CHOICE, in order, a space between; a NUMBER with one
                             word takes that word for 0 */
    const char *help;     /* half a line, for --list-protocols */
};

/* The flags of a protocol. */
#define BANTER_RAW 1u /* bytes, not lines: data() hears them, and the host adds none of its own */

/*
 * A protocol. Every callback may be NULL. `session` is this client's block of session_size bytes,
 * zero-filled before open().
 */
struct banter_protocol {
    uint32_t size; /* these three by BANTER_ABI */
    uint16_t abi_major;
    uint16_t abi_minor;

    const char *name;    /* lower-case letters, digits and '-' */
    const char *summary; /* half a line, for --list-protocols */
    uint32_t flags;

    const struct banter_option *options;
    size_t option_count;
    size_t settings_size; /* the struct that the options' offsets point into */
    size_t session_size;

    /*
     * Called once a listener at start-up, --check or reload, on the main thread, with all options
     * set: check them together, parse files. Problems go to banter_complain(); with one complaint
     * the configuration is refused. The settings are constant from then on.
     */
    void (*configure)(struct banter_setup *setup, void *settings);

    /* A client has come. A protocol in which the server speaks first speaks here. */
    void (*open)(struct banter_client *client, void *session);

    /*
     * A line has come: `length` bytes without the line ending (LF, CR LF; CR NUL with telnet on),
     * and a NUL behind them. The line itself may hold NUL and 8-bit bytes too. The bytes are the
     * callback's to read until it returns. An unfinished line at the end of input comes as a line.
     */
    void (*line)(struct banter_client *client, void *session, const char *line, size_t length);

    /* Bytes have come, to a BANTER_RAW protocol; any number, split anywhere. */
    void (*data)(struct banter_client *client, void *session, const char *bytes, size_t length);

    /*
     * The client takes more output: called after open(), and then each time that everything
     * written has left. For protocols that talk by themselves; a call that writes nothing is the
     * last one until something else is written.
     */
    void (*writable)(struct banter_client *client, void *session);

    /*
     * The client has finished sending (half-close) and may still be reading. Without this
     * callback, the host sends what is pending and closes. With it, the client stays until the
     * protocol closes it, sending fails, or a time limit ends it.
     */
    void (*end)(struct banter_client *client, void *session);

    /*
     * The conversation is over; always the last call, once for each open(). What is written here
     * is sent where the client can still be reached. Release what the session owns.
     */
    void (*close)(struct banter_client *client, void *session, enum banter_reason reason);
};

/* The first members of every struct banter_protocol. */
#define BANTER_ABI                                                                                 \
    .size = sizeof(struct banter_protocol), .abi_major = BANTER_ABI_MAJOR,                         \
    .abi_minor = BANTER_ABI_MINOR

/* Defines the protocol of this source file; `id` is a C name for it. */
#ifdef BANTER_BUILT_IN
#define BANTER_PROTOCOL(id)                                                                        \
    extern const struct banter_protocol banter_protocol_##id;                                      \
    const struct banter_protocol banter_protocol_##id
#else
#define BANTER_PROTOCOL(id)                                                                        \
    extern __attribute__((visibility("default"))) const struct banter_protocol banter_protocol;    \
    const struct banter_protocol banter_protocol
#endif

#ifndef BANTER_API
#define BANTER_API __attribute__((visibility("default")))
#endif

/*
 * Talking to a client: from inside its callbacks only. None of these blocks or fails as far as the
 * protocol is concerned: when memory runs out or the socket is broken, the client is closed, and
 * what is written to it from then on is dropped.
 */

/* Sends `length` bytes as they are; they are copied. With telnet on, byte 255 is doubled. */
BANTER_API void banter_write(struct banter_client *client, const void *bytes, size_t length);

/* Sends a line: the string, and CR LF. */
BANTER_API void banter_say(struct banter_client *client, const char *text);

/* Sends a line of `length` bytes, any bytes, and CR LF; as banter_write() does. */
BANTER_API void banter_say_line(struct banter_client *client, const char *line, size_t length);

/* Sends a line made as by printf(3), and CR LF. */
BANTER_API void banter_sayf(struct banter_client *client, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/*
 * Ends the conversation once everything written has been sent (BANTER_PROTOCOL_DONE). No input is
 * handed over from then on. Calling it again changes nothing.
 */
BANTER_API void banter_close(struct banter_client *client);

/* The settings of the client's listener, settings_size bytes, as they were when it came. */
BANTER_API const void *banter_settings(const struct banter_client *client);

/* A number from 0 to bound - 1, evenly spread, not for secrets; 0 when bound is 0 or 1. */
BANTER_API uint32_t banter_random(struct banter_client *client, uint32_t bound);

/*
 * Setting up: from inside configure() only.
 */

/*
 * Zero-filled memory, aligned for any type, that lives as long as the settings; the host frees it.
 * NULL when there is none left: the configuration is then refused already, just return.
 */
BANTER_API void *banter_alloc(struct banter_setup *setup, size_t size);

/* Moves on to the next line of the file; false when there is none. Empty lines are lines. */
BANTER_API bool banter_next_line(const struct banter_file *file, struct banter_file_line *line);

/*
 * Refuses the configuration with `FILE:LINE: message`. `file` NULL stands for the listener's own
 * section; line 0 for the file as a whole.
 */
BANTER_API void banter_complain(struct banter_setup *setup, const struct banter_file *file,
                                unsigned line, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

#ifdef __cplusplus
}
#endif

#endif
