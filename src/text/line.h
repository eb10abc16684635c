/*
 * text/line.h - cuts a stream of bytes into lines.
 *
 * LF ends a line, and one CR before it is dropped; with `nul_ends` CR NUL ends a line too (RFC
 * 854). A line that lies whole in the input is handed over in place; only one that is split between
 * two inputs is kept, and never more than the limit of it. Behind a line stands a NUL, where its
 * ending began.
 */
#ifndef BANTERD_TEXT_LINE_H
#define BANTERD_TEXT_LINE_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

struct line_framer {
    char *kept; /* the unfinished line, owned; NULL once all input was used and none is left */
    size_t length;
    size_t capacity;
    size_t max; /* the longest line allowed, its ending not counted */
    bool nul_ends;
    bool handed_over; /* `kept` was given out as a line, and is dropped at the next call */
};

enum line_result {
    LINE_READY,    /* *line and *length are a line; valid until the next call or change of input */
    LINE_MORE,     /* all input was used, and the unfinished rest is kept */
    LINE_TOO_LONG, /* the line that begins here goes beyond max; the framer is of no more use */
    LINE_NO_MEMORY
};

void line_init(struct line_framer *framer, size_t max, bool nul_ends);
void line_fini(struct line_framer *framer);

/* The length of a line without the CR at its end, which is, or may become, part of the ending. */
static inline size_t line_without_cr(const char *line, size_t length)
{
    return length > 0 && line[length - 1] == '\r' ? length - 1 : length;
}

/* line_next() where more is to be done than to find a whole line where it lies. */
enum line_result line_next_kept(struct line_framer *framer, char **cursor, char *end, char **line,
                                size_t *length);

/*
 * The next line of the input from *cursor to end; moves *cursor past what was used. Call it until
 * it is no longer LINE_READY: only then is the buffer of a line handed over freed or used again.
 * How the input is split over calls changes nothing about the lines.
 *
 * Most lines lie whole in the input, and many in one read: that case is short, and stands here to
 * become part of the caller's loop.
 */
static inline enum line_result line_next(struct line_framer *framer, char **cursor, char *end,
                                         char **line, size_t *length)
{
    char *start = *cursor;
    if (framer->length == 0 && !framer->nul_ends && start < end) {
        char *ending = memchr(start, '\n', (size_t)(end - start));
        size_t count = ending ? line_without_cr(start, (size_t)(ending - start)) : 0;
        if (ending && count <= framer->max) {
            start[count] = '\0';
            *cursor = ending + 1;
            *line = start;
            *length = count;
            return LINE_READY;
        }
    }
    /* Copies, so that those of the caller need not be in memory for the sake of the rare case. */
    char *kept_line = NULL;
    size_t kept_length = 0;
    enum line_result result = line_next_kept(framer, &start, end, &kept_line, &kept_length);
    *cursor = start;
    *line = kept_line;
    *length = kept_length;
    return result;
}

/*
 * At the end of input: LINE_READY with the unfinished line, or LINE_MORE if there is none. A CR at
 * its very end is half a line ending, and is dropped like a whole one.
 */
enum line_result line_rest(struct line_framer *framer, char **line, size_t *length);

/* Whether a line has begun and not ended. */
bool line_unfinished(const struct line_framer *framer);

/* Takes the last character (one byte, or one whole UTF-8 sequence) off the unfinished line. */
void line_erase_character(struct line_framer *framer);

/* Drops the unfinished line. */
void line_erase(struct line_framer *framer);

#endif
