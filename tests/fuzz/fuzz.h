/*
 * fuzz/fuzz.h - what the targets share: they take an input apart, and stop at a broken promise.
 *
 * A target is one function, which is called with one input after the other: by libFuzzer in `make
 * fuzz`, by replay.c in `make check-corpus`. The same input does the same each time.
 */
#ifndef BANTERD_FUZZ_FUZZ_H
#define BANTERD_FUZZ_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The target. Returns 0; -1 where the input is not worth keeping. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Says what was found, and aborts: the input is a finding. */
_Noreturn void fuzz_fail(const char *file, int line, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#define expect(condition, ...)                                                                     \
    do {                                                                                           \
        if (!(condition))                                                                          \
            fuzz_fail(__FILE__, __LINE__, __VA_ARGS__);                                            \
    } while (0)

/* What of the input has not been used yet. */
struct script {
    const uint8_t *at;
    size_t left;
};

/* The next byte; 0 past the end. */
uint8_t script_byte(struct script *script);

/* Moves over up to `most` bytes; *count is how many there are. */
const char *script_bytes(struct script *script, size_t most, size_t *count);

/* A copy on the heap with a NUL behind it, so that a step beyond it is seen; the caller frees it.
 */
char *fuzz_copy(const char *bytes, size_t length);

/* A growing text, all zero at first, freed by whoever has it. */
struct text {
    char *bytes;
    size_t length;
    size_t capacity;
};

void text_add(struct text *text, const void *bytes, size_t length);
void text_say(struct text *text, const char *line); /* and CR LF */
void text_free(struct text *text);

/* A file in memory with this content: its descriptor, open for reading and writing. */
int fuzz_file(const char *bytes, size_t length);

/* UTF-8 without control characters but those of `allowed`; by the table of the Unicode standard. */
bool is_plain_text(const char *bytes, size_t length, const char *allowed);

#endif
