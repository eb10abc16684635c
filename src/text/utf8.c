/* text/utf8.c - see utf8.h. Stateless; any thread. */
#include "text/utf8.h"

/* The least character that has a form of so many bytes; each has more bits than fit in one less. */
static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};

#define LAST_CHARACTER 0x10ffff

/* How many bytes a form has that begins with this one, 0 if none does. */
static size_t length_by(unsigned char first)
{
    if (first < 0x80)
        return 1;
    if (first < 0xc0 || first >= 0xf8)
        return 0;
    return first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
}

size_t utf8_decode(const char *text, size_t available, uint32_t *character)
{
    unsigned char first = (unsigned char)*text;
    size_t length = length_by(first);

    if (length == 0 || length > available)
        return 0;
    *character = length == 1 ? first : first & (0x7fu >> length);
    for (size_t i = 1; i < length; i++) {
        unsigned char byte = (unsigned char)text[i];

        if ((byte & 0xc0) != 0x80)
            return 0;
        *character = *character << 6 | (byte & 0x3f);
    }
    if (*character < least[length] || *character > LAST_CHARACTER ||
        (*character >= 0xd800 && *character < 0xe000))
        return 0;
    return length;
}
