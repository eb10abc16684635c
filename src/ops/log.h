/*
 * ops/log.h - the log: one event a line on stderr, written without ever blocking the caller.
 *
 *     2026-11-22T10:00:00.123Z info client-closed id=7 listener=echo ...
 *     <6>info client-closed id=7 listener=echo ...   (under systemd: the journal has the time)
 *
 * Events go into a ring buffer, and a thread of the log's own writes them out. Where stderr stalls
 * or fails the ring fills, and what does not fit is dropped and counted: `log-dropped count=N`
 * follows. Every function may be called by any thread.
 */
#ifndef BANTERD_OPS_LOG_H
#define BANTERD_OPS_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* In the order of the words of the log-level option. */
enum log_level { LOG_ERROR, LOG_WARNING, LOG_NOTICE, LOG_INFO, LOG_DEBUG };

/* The level of a word (error, warning, ...), or -1. */
__attribute__((warn_unused_result)) int log_level_parse(const char *word);

/* One key=value; made by the functions below. Keys and values are only borrowed. */
struct log_field {
    const char *key;
    const char *text; /* NULL: the number is the value */
    uint64_t number;
    const char *unit;  /* behind the number */
    unsigned decimals; /* of the number, the last this many digits are behind the point */
};

/* A value that is text: quoted where it has blanks, control bytes escaped. */
static inline struct log_field log_text(const char *key, const char *text)
{
    return (struct log_field){.key = key, .text = text};
}

static inline struct log_field log_number(const char *key, uint64_t number)
{
    return (struct log_field){.key = key, .number = number, .unit = ""};
}

/* A time in seconds, to the millisecond. */
static inline struct log_field log_seconds(const char *key, uint64_t milliseconds)
{
    return (struct log_field){.key = key, .number = milliseconds, .unit = "s", .decimals = 3};
}

/*
 * Starts the log's thread; before it and after log_stop() events are written at once, by the
 * caller. Returns 0 or -errno.
 */
__attribute__((warn_unused_result)) int log_start(void);

/* Writes out what is in the ring, for at most a second, and ends the thread. */
void log_stop(void);

/* Events above the level are left out. The level is LOG_INFO until this is called. */
void log_set_level(enum log_level level);
bool log_enabled(enum log_level level);

/* Logs one event with its fields: log_event(LOG_NOTICE, "ready", log_number("workers", 2)); */
#define log_event(level, event, ...)                                                               \
    log_fields(level, event, (const struct log_field[]){__VA_ARGS__},                              \
               sizeof((const struct log_field[]){__VA_ARGS__}) / sizeof(struct log_field))

void log_fields(enum log_level level, const char *event, const struct log_field *fields,
                size_t count);

/* A line for people at start-up, where no event is named: `FILE:LINE: message`. */
void log_plain(enum log_level level, const char *line);

#endif
