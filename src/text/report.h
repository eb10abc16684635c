/*
 * text/report.h - the problems found in a configuration, all of them.
 *
 * Readers add; the caller prints or logs once. Each entry is one finished `FILE:LINE: message`.
 */
#ifndef BANTERD_TEXT_REPORT_H
#define BANTERD_TEXT_REPORT_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

struct problem {
    char *message; /* owned */
    unsigned line;
};

struct report {
    struct problem *problems; /* count of them, owned */
    size_t count;
    size_t capacity;
    bool truncated; /* memory ran out or there were too many: some messages are missing */
    bool system;    /* the system has failed, so it may be all right another time */
};

/* An empty report is all zero: struct report report = {0}; */

/*
 * Adds `FILE:LINE: message`; `FILE: message` where line is 0. When there is no memory for it, the
 * report is marked as truncated, and still counts as not empty.
 */
void report_add(struct report *report, const char *file, unsigned line, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
void report_vadd(struct report *report, const char *file, unsigned line, const char *format,
                 va_list arguments) __attribute__((format(printf, 4, 0)));

/*
 * Notes which errno has led to the message added last: some are the system's failure, and not that
 * of what was read, such as a lack of memory or of descriptors.
 */
void report_cause(struct report *report, int error);

/* Whether anything was added. */
bool report_failed(const struct report *report);

/* Puts those of the file first, in the order of its lines; the others follow as they came. */
void report_sort(struct report *report, const char *file);

/*
 * The messages one by one, from 0; NULL past the last. The last one of a truncated report says that
 * there is more.
 */
const char *report_message(const struct report *report, size_t index);

/* Frees the messages and leaves the report empty. */
void report_fini(struct report *report);

#endif
