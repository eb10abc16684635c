/*
 * text/quantity.h - numbers and such as people write them: 12, 30s, 64K, 100/s, yes.
 *
 * Each parser takes the whole string or refuses it: no leading blanks, signs, leading zeros or
 * trailing rubbish, and nothing that does not fit.
 */
#ifndef BANTERD_TEXT_QUANTITY_H
#define BANTERD_TEXT_QUANTITY_H

#include <stdbool.h>
#include <stdint.h>

/* 0, or -EINVAL where the text is none of its kind, or -ERANGE where it is too large for an
 * int64_t. */
__attribute__((warn_unused_result)) int number_parse(const char *text, int64_t *number);

/* Milliseconds: a number and its unit ms, s, m, h or d; 0 alone needs none. */
__attribute__((warn_unused_result)) int duration_parse(const char *text, int64_t *milliseconds);

/* Bytes: a number, or a number of K, M or G (powers of 1024). */
__attribute__((warn_unused_result)) int size_parse(const char *text, int64_t *bytes);

/*
 * How often in how many milliseconds: a number, '/' and s, m, h or d; 0 alone is no limit, and sets
 * both to 0.
 */
__attribute__((warn_unused_result)) int rate_parse(const char *text, int64_t *count,
                                                   int64_t *period);

/* yes, true, on; no, false, off; in any case. */
__attribute__((warn_unused_result)) int boolean_parse(const char *text, bool *value);

/* Room for any duration, size or rate written, with its NUL. */
#define QUANTITY_TEXT 32

/* The shortest exact spelling that the parsers read back: 300000 is 5m, 1500 is 1500ms, 0 is 0. */
void duration_format(int64_t milliseconds, char text[QUANTITY_TEXT]);
void size_format(int64_t bytes, char text[QUANTITY_TEXT]);
void rate_format(int64_t count, int64_t period, char text[QUANTITY_TEXT]);

#endif
