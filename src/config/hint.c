/*
 * config/hint.c - the end of a message about a name that is not known. Stateless; any thread.
 */
#include "config/hint.h"

#include <stdio.h>

#include "text/suggest.h"

void hint_init(struct hint *hint, const char *wrong)
{
    *hint = (struct hint){.wrong = wrong, .distance = suggest_limit(wrong)};
}

void hint_consider(struct hint *hint, const char *name)
{
    size_t distance = suggest_distance(hint->wrong, name, hint->distance);

    if (distance < hint->distance) {
        hint->distance = distance;
        hint->name = name;
    }
}

const char *hint_text(struct hint *hint)
{
    if (hint->name)
        snprintf(hint->text, sizeof(hint->text), "; did you mean '%s'?", hint->name);
    return hint->text;
}
