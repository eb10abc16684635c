/*
 * text/report.c - collects the problems of a configuration as finished messages.
 *
 * Owned by whoever asked for the configuration, and used on its thread. A report never fails: what
 * it cannot keep makes it truncated.
 */
#include "text/report.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A file that is no configuration at all can be wrong on half a million lines. */
#define MESSAGES_MAX 1000

static bool reserve(struct report *report)
{
    size_t capacity = report->capacity == 0 ? 8 : report->capacity * 2;
    struct problem *problems;

    if (report->count == MESSAGES_MAX)
        return false;
    if (report->count < report->capacity)
        return true;
    problems = realloc(report->problems, capacity * sizeof(*problems));
    if (!problems)
        return false;
    report->problems = problems;
    report->capacity = capacity;
    return true;
}

/* `FILE:LINE: message`, or NULL when memory is out. */
__attribute__((format(printf, 3, 0))) static char *compose(const char *file, unsigned line,
                                                           const char *format, va_list arguments)
{
    char *message;
    char *entry;
    int length;

    if (vasprintf(&message, format, arguments) < 0)
        return NULL;
    if (line > 0)
        length = asprintf(&entry, "%s:%u: %s", file, line, message);
    else
        length = asprintf(&entry, "%s: %s", file, message);
    free(message);
    return length < 0 ? NULL : entry;
}

void report_add(struct report *report, const char *file, unsigned line, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    report_vadd(report, file, line, format, arguments);
    va_end(arguments);
}

void report_vadd(struct report *report, const char *file, unsigned line, const char *format,
                 va_list arguments)
{
    bool has_room = reserve(report);
    char *entry = has_room ? compose(file, line, format, arguments) : NULL;

    if (!entry) {
        report->truncated = true;
        if (has_room || report->count < MESSAGES_MAX)
            report_cause(report, ENOMEM);
        return;
    }
    report->problems[report->count++] = (struct problem){.message = entry, .line = line};
}

void report_cause(struct report *report, int error)
{
    switch (error) {
    case EAGAIN: /* a file that was changing while it was read */
    case EIO:
    case EMFILE:
    case ENFILE:
    case ENOBUFS:
    case ENOMEM:
        report->system = true;
    }
}

bool report_failed(const struct report *report)
{
    return report->count > 0 || report->truncated;
}

/* The line of a problem of the file; beyond all lines for one of another file. */
static unsigned rank(const struct problem *problem, const char *file)
{
    size_t length = strlen(file);

    return strncmp(problem->message, file, length) == 0 && problem->message[length] == ':'
               ? problem->line
               : UINT_MAX;
}

void report_sort(struct report *report, const char *file)
{
    /* They are few and nearly in order, and those of one line have to stay in theirs. */
    for (size_t i = 1; i < report->count; i++) {
        struct problem problem = report->problems[i];
        size_t at = i;

        for (; at > 0 && rank(&report->problems[at - 1], file) > rank(&problem, file); at--)
            report->problems[at] = report->problems[at - 1];
        report->problems[at] = problem;
    }
}

const char *report_message(const struct report *report, size_t index)
{
    if (index < report->count)
        return report->problems[index].message;
    if (index > report->count || !report->truncated)
        return NULL;
    return report->count == MESSAGES_MAX ? "there are more problems than there is room to name"
                                         : "banterd: there is no memory to say what is wrong";
}

void report_fini(struct report *report)
{
    for (size_t i = 0; i < report->count; i++)
        free(report->problems[i].message);
    free(report->problems);
    *report = (struct report){0};
}
