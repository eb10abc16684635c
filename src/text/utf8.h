/*
 * text/utf8.h - characters of UTF-8, RFC 3629.
 */
#ifndef BANTERD_TEXT_UTF8_H
#define BANTERD_TEXT_UTF8_H

#include <stddef.h>
#include <stdint.h>

/*
 * Sets the character that `text` begins with, of whose bytes `available`, at least one, may be
 * read. Returns how many bytes it has, 1 to 4; or 0 where none begins here: a stray byte or one
 * that is missing, a longer form than needed, a surrogate, a number beyond U+10FFFF.
 */
__attribute__((warn_unused_result)) size_t utf8_decode(const char *text, size_t available,
                                                       uint32_t *character);

#endif
