/*
 * config/hint.h - the end of a message about a name that is not known: `; did you mean 'NAME'?`.
 */
#ifndef BANTERD_CONFIG_HINT_H
#define BANTERD_CONFIG_HINT_H

#include <stddef.h>

/* Room for the text; a name that does not fit is cut. */
#define HINT_TEXT 128

/* The known name that is nearest to a wrong one, if one is near enough. */
struct hint {
    const char *wrong;
    const char *name; /* NULL: none so far */
    size_t distance;
    char text[HINT_TEXT];
};

void hint_init(struct hint *hint, const char *wrong);

/* Takes `name`, which must outlive the hint, if it is nearer than all before it. */
void hint_consider(struct hint *hint, const char *name);

/* The text, empty where no name is near; valid as long as the hint. */
const char *hint_text(struct hint *hint);

#endif
