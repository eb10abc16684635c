/*
 * text/suggest.c - how far a misspelt name is from a known one.
 *
 * The textbook's table of distances wants memory for every pair of positions. With at most three
 * edits in question, trying each of them is as short and needs none. Stateless; any thread.
 */
#include "text/suggest.h"

#include <ctype.h>
#include <stdbool.h>
#include <string.h>

/* Even in a long name, more than three edits make another name. */
#define LIMIT_MAX 4

size_t suggest_limit(const char *wrong)
{
    size_t limit = strlen(wrong) / 3 + 1;

    return limit < LIMIT_MAX ? limit : LIMIT_MAX;
}

static bool same(char one, char other)
{
    return tolower((unsigned char)one) == tolower((unsigned char)other);
}

size_t suggest_distance(const char *wrong, const char *name, size_t limit)
{
    size_t rest;

    while (*wrong != '\0' && same(*wrong, *name)) {
        wrong++;
        name++;
    }
    if (limit == 0 || (*wrong == '\0' && *name == '\0'))
        return 0;

    /* One edit here, and the cheapest way on from it. */
    rest = limit - 1;
    if (*wrong != '\0')
        rest = suggest_distance(wrong + 1, name, rest);
    if (*name != '\0')
        rest = suggest_distance(wrong, name + 1, rest);
    if (*wrong != '\0' && *name != '\0') {
        rest = suggest_distance(wrong + 1, name + 1, rest);
        if (same(wrong[0], name[1]) && same(wrong[1], name[0]))
            rest = suggest_distance(wrong + 2, name + 2, rest);
    }
    return rest + 1;
}
