/*
 * unit/splits.h - feeds a consumer of bytes the same input, cut into pieces in every way.
 *
 * A network may split a stream anywhere, and nothing may depend on where. What a consumer makes of
 * its input is written down as text, so that two runs are the same when their texts are.
 */
#ifndef BANTERD_UNIT_SPLITS_H
#define BANTERD_UNIT_SPLITS_H

#include <stddef.h>
#include <stdio.h>

struct consumer {
    void *state;
    void (*begin)(void *state);
    /* `bytes` is a block of exactly this length that is gone after the call. */
    void (*take)(void *state, char *bytes, size_t length, FILE *heard);
    void (*end)(void *state, FILE *heard);
};

/* What the consumer made of the input, cut at these ascending offsets; the caller frees it. */
char *splits_run(const struct consumer *consumer, const char *input, size_t length,
                 const size_t *cuts, size_t cut_count);

/*
 * Fails the test unless `expected` is heard from the input whole, cut at each offset, at each pair
 * of offsets where it is short, and byte by byte.
 */
void splits_check(const struct consumer *consumer, const char *input, size_t length,
                  const char *expected);

/* Writes bytes as visible text: \r, \n, \0, \xff, and the printable ones as they are. */
void write_visible(FILE *heard, const char *bytes, size_t length);

/* The bytes of a string literal without its NUL, as two arguments. */
#define BYTES(literal) (literal), (sizeof(literal) - 1)

#endif
