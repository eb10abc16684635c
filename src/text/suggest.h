/*
 * text/suggest.h - the name that was probably meant.
 */
#ifndef BANTERD_TEXT_SUGGEST_H
#define BANTERD_TEXT_SUGGEST_H

#include <stddef.h>

/* The distance at which a name is no longer a likely misspelling of `wrong`. */
size_t suggest_limit(const char *wrong);

/*
 * Edits (insert, delete, replace, swap neighbours) that turn one into the other, case aside; at
 * most `limit`. The time taken grows fast with `limit`: begin with suggest_limit(), and go on with
 * the best distance so far.
 */
size_t suggest_distance(const char *wrong, const char *name, size_t limit);

#endif
