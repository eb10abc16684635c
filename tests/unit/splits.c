/*
 * unit/splits.c - cuts an input in every way, and compares what is made of it.
 */
#include "splits.h"

#include <stdlib.h>
#include <string.h>

#include <check.h>

/* Inputs up to this length are cut at all pairs of offsets. */
#define PAIRS_MAX 64

/* The piece is a block of its own, so that memory checkers see a step beyond it or a late use. */
static void feed(const struct consumer *consumer, const char *bytes, size_t length, FILE *heard)
{
    char *piece = malloc(length > 0 ? length : 1);

    ck_assert_ptr_nonnull(piece);
    memcpy(piece, bytes, length);
    consumer->take(consumer->state, piece, length, heard);
    free(piece);
}

char *splits_run(const struct consumer *consumer, const char *input, size_t length,
                 const size_t *cuts, size_t cut_count)
{
    char *text = NULL;
    size_t size = 0;
    size_t start = 0;
    FILE *heard = open_memstream(&text, &size);

    ck_assert_ptr_nonnull(heard);
    consumer->begin(consumer->state);
    for (size_t i = 0; i < cut_count; i++) {
        feed(consumer, input + start, cuts[i] - start, heard);
        start = cuts[i];
    }
    feed(consumer, input + start, length - start, heard);
    consumer->end(consumer->state, heard);
    ck_assert_int_eq(fclose(heard), 0);
    return text;
}

static void expect(const struct consumer *consumer, const char *input, size_t length,
                   const size_t *cuts, size_t cut_count, const char *expected)
{
    char *heard = splits_run(consumer, input, length, cuts, cut_count);

    ck_assert_msg(strcmp(heard, expected) == 0,
                  "%zu cuts, the first at %zu: heard \"%s\", expected \"%s\"", cut_count,
                  cut_count > 0 ? cuts[0] : 0, heard, expected);
    free(heard);
}

static void expect_byte_by_byte(const struct consumer *consumer, const char *input, size_t length,
                                const char *expected)
{
    size_t *cuts = malloc((length + 1) * sizeof(*cuts));

    ck_assert_ptr_nonnull(cuts);
    for (size_t i = 0; i < length; i++)
        cuts[i] = i;
    expect(consumer, input, length, cuts, length, expected);
    free(cuts);
}

void splits_check(const struct consumer *consumer, const char *input, size_t length,
                  const char *expected)
{
    expect(consumer, input, length, NULL, 0, expected);
    for (size_t first = 0; first <= length; first++) {
        expect(consumer, input, length, &first, 1, expected);
        for (size_t second = first; length <= PAIRS_MAX && second <= length; second++) {
            size_t cuts[] = {first, second};

            expect(consumer, input, length, cuts, 2, expected);
        }
    }
    expect_byte_by_byte(consumer, input, length, expected);
}

void write_visible(FILE *heard, const char *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        unsigned char byte = (unsigned char)bytes[i];

        if (byte == '\r')
            fputs("\\r", heard);
        else if (byte == '\n')
            fputs("\\n", heard);
        else if (byte == '\0')
            fputs("\\0", heard);
        else if (byte < ' ' || byte > '~')
            fprintf(heard, "\\x%02x", byte);
        else
            fputc(byte, heard);
    }
}
