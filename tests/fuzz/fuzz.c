/* fuzz/fuzz.c - see fuzz.h. */
#include "fuzz.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

void fuzz_fail(const char *file, int line, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fprintf(stderr, "%s:%d: ", file, line);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    abort();
}

uint8_t script_byte(struct script *script)
{
    if (script->left == 0)
        return 0;
    script->left--;
    return *script->at++;
}

const char *script_bytes(struct script *script, size_t most, size_t *count)
{
    const char *bytes = (const char *)script->at;
    *count = script->left < most ? script->left : most;
    script->at += *count;
    script->left -= *count;
    return bytes;
}

char *fuzz_copy(const char *bytes, size_t length)
{
    char *copy = malloc(length + 1);
    expect(copy, "no memory for a copy");
    if (length > 0)
        memcpy(copy, bytes, length);
    copy[length] = '\0';
    return copy;
}

void text_add(struct text *text, const void *bytes, size_t length)
{
    if (text->capacity - text->length < length) {
        text->capacity = 2 * (text->length + length);
        text->bytes = realloc(text->bytes, text->capacity);
        expect(text->bytes, "no memory for a text");
    }
    if (length > 0)
        memcpy(text->bytes + text->length, bytes, length);
    text->length += length;
}

void text_say(struct text *text, const char *line)
{
    text_add(text, line, strlen(line));
    text_add(text, "\r\n", 2);
}

void text_free(struct text *text)
{
    free(text->bytes);
    *text = (struct text){0};
}

int fuzz_file(const char *bytes, size_t length)
{
    int fd = memfd_create("fuzz", MFD_CLOEXEC);
    expect(fd >= 0, "no file in memory");
    expect(write(fd, bytes, length) == (ssize_t)length, "a file in memory is not written");
    expect(lseek(fd, 0, SEEK_SET) == 0, "a file in memory is not read from its start");
    return fd;
}

/* Which bytes may begin a character, how many follow, and which the first of these may be. */
static const struct {
    uint8_t first, last;
    size_t following;
    uint8_t least, most;
} forms[] = {
    {0x00, 0x7f, 0, 0, 0},       {0xc2, 0xdf, 1, 0x80, 0xbf}, {0xe0, 0xe0, 2, 0xa0, 0xbf},
    {0xe1, 0xec, 2, 0x80, 0xbf}, {0xed, 0xed, 2, 0x80, 0x9f}, {0xee, 0xef, 2, 0x80, 0xbf},
    {0xf0, 0xf0, 3, 0x90, 0xbf}, {0xf1, 0xf3, 3, 0x80, 0xbf}, {0xf4, 0xf4, 3, 0x80, 0x8f},
};

/* How many bytes the character has; 0: there is none. */
static size_t character_size(const uint8_t *bytes, size_t left)
{
    for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
        size_t following = forms[i].following;
        if (bytes[0] < forms[i].first || bytes[0] > forms[i].last)
            continue;
        if (left <= following)
            return 0;
        if (following > 0 && (bytes[1] < forms[i].least || bytes[1] > forms[i].most))
            return 0;
        for (size_t more = 2; more <= following; more++)
            if (bytes[more] < 0x80 || bytes[more] > 0xbf)
                return 0;
        return following + 1;
    }
    return 0;
}

bool is_plain_text(const char *bytes, size_t length, const char *allowed)
{
    const uint8_t *at = (const uint8_t *)bytes;
    size_t size;
    for (size_t left = length; left > 0; at += size, left -= size) {
        size = character_size(at, left);
        if (size == 0)
            return false;
        if (size == 1 && (*at < ' ' || *at == 0x7f) && (*at == 0 || !strchr(allowed, *at)))
            return false;
        if (size == 2 && at[0] == 0xc2 && at[1] < 0xa0) /* C1 */
            return false;
    }
    return true;
}
