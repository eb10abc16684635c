/*
 * text/mix.h - spreads the bits of a word: each bit that goes in changes about half of those that
 * come out. The last step of splitmix64; no secret is safe behind it.
 */
#ifndef BANTERD_TEXT_MIX_H
#define BANTERD_TEXT_MIX_H

#include <stdint.h>

static inline uint64_t mix(uint64_t word)
{
    word = (word ^ (word >> 30)) * 0xbf58476d1ce4e5b9u;
    word = (word ^ (word >> 27)) * 0x94d049bb133111ebu;
    return word ^ (word >> 31);
}

#endif
