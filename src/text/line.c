/*
 * text/line.c - cuts a stream of bytes into lines, in place where it can.
 *
 * A framer belongs to one client and its worker. Each byte is looked at as it comes, an unfinished
 * rest a second time, and kept bytes never again: the time is linear however the input is split.
 * The buffer outlives the line in it while more input follows: a stream of split lines uses it
 * again and again. It goes when the input is used up with nothing begun: an idle client holds none.
 */
#include "text/line.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define CAPACITY_MIN 128
#define SHORT_LINE 128

void line_init(struct line_framer *framer, size_t max, bool nul_ends)
{
    *framer = (struct line_framer){.max = max, .nul_ends = nul_ends};
}

void line_fini(struct line_framer *framer)
{
    line_erase(framer);
}

/* Ends the life of a line that was handed over from the buffer. */
static void forget_handed_over(struct line_framer *framer)
{
    if (framer->handed_over) {
        framer->handed_over = false;
        framer->length = 0;
    }
}

/* The last byte of the line's ending, LF or the NUL of CR NUL; NULL while the line goes on. */
static char *find_ending(const struct line_framer *framer, char *start, char *end)
{
    size_t count = (size_t)(end - start);
    char before, *ending;

    if (!framer->nul_ends)
        return memchr(start, '\n', count);

    /* Two endings to look for: a search for either could run past many of the other, so that only
     * a short line without a NUL, as most are, is looked for with memchr(). */
    ending = memchr(start, '\n', count < SHORT_LINE ? count : SHORT_LINE);
    if (ending && !memchr(start, '\0', (size_t)(ending - start)))
        return ending;

    before = framer->length > 0 ? framer->kept[framer->length - 1] : '\0';
    for (char *byte = start; byte < end; byte++) {
        if (*byte == '\n' || (*byte == '\0' && before == '\r'))
            return byte;
        before = *byte;
    }
    return NULL;
}

/* Whether the kept bytes and `count` more are beyond the limit, whatever comes next. */
static bool too_long(const struct line_framer *framer, const char *bytes, size_t count)
{
    size_t length = count > 0 ? framer->length + line_without_cr(bytes, count)
                              : line_without_cr(framer->kept, framer->length);

    return length > framer->max;
}

/* Makes room for `needed` bytes: at most max, the CR of an ending that is still to come, a NUL. */
static bool reserve(struct line_framer *framer, size_t needed)
{
    size_t capacity = framer->capacity * 2;
    char *kept;

    if (needed <= framer->capacity)
        return true;
    if (capacity < CAPACITY_MIN)
        capacity = CAPACITY_MIN;
    if (capacity - 2 > framer->max)
        capacity = framer->max + 2;
    if (capacity < needed)
        capacity = needed;
    kept = realloc(framer->kept, capacity);
    if (!kept)
        return false;
    framer->kept = kept;
    framer->capacity = capacity;
    return true;
}

static enum line_result hand_over(struct line_framer *framer, char **line, size_t *length)
{
    framer->handed_over = true;
    *line = framer->kept;
    *length = line_without_cr(framer->kept, framer->length);
    framer->kept[*length] = '\0';
    return LINE_READY;
}

enum line_result line_next_kept(struct line_framer *framer, char **cursor, char *end, char **line,
                                size_t *length)
{
    char *start = *cursor;
    char *ending;
    size_t count;

    forget_handed_over(framer);
    if (start == end) {
        if (framer->length == 0)
            line_erase(framer);
        return LINE_MORE;
    }

    ending = find_ending(framer, start, end);
    count = (size_t)((ending ? ending : end) - start);
    if (too_long(framer, start, count))
        return LINE_TOO_LONG;

    if (ending && framer->length == 0) {
        *line = start;
        *length = line_without_cr(start, count);
        start[*length] = '\0';
        *cursor = ending + 1;
        return LINE_READY;
    }

    if (!reserve(framer, framer->length + count + 1))
        return LINE_NO_MEMORY;
    memcpy(framer->kept + framer->length, start, count);
    framer->length += count;
    if (!ending) {
        *cursor = end;
        return LINE_MORE;
    }
    *cursor = ending + 1;
    return hand_over(framer, line, length);
}

enum line_result line_rest(struct line_framer *framer, char **line, size_t *length)
{
    forget_handed_over(framer);
    return framer->length > 0 ? hand_over(framer, line, length) : LINE_MORE;
}

bool line_unfinished(const struct line_framer *framer)
{
    return framer->length > 0 && !framer->handed_over;
}

/* The length in bytes of the character that ends the line; what is no UTF-8 is a byte each. */
static size_t last_character(const char *line, size_t length)
{
    for (size_t size = 1; size <= 4 && size <= length; size++) {
        uint8_t byte = (uint8_t)line[length - size];

        if ((byte & 0xC0) == 0x80)
            continue;
        if ((size == 2 && (byte & 0xE0) == 0xC0) || (size == 3 && (byte & 0xF0) == 0xE0) ||
            (size == 4 && (byte & 0xF8) == 0xF0))
            return size;
        break;
    }
    return 1;
}

void line_erase_character(struct line_framer *framer)
{
    forget_handed_over(framer);
    if (framer->length > 0)
        framer->length -= last_character(framer->kept, framer->length);
    if (framer->length == 0)
        line_erase(framer);
}

void line_erase(struct line_framer *framer)
{
    free(framer->kept);
    framer->kept = NULL;
    framer->length = 0;
    framer->capacity = 0;
    framer->handed_over = false;
}
