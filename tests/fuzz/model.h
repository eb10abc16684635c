/*
 * fuzz/model.h - what the bytes of a client mean, worked out a second time: plainly, byte by byte.
 */
#ifndef BANTERD_FUZZ_MODEL_H
#define BANTERD_FUZZ_MODEL_H

#include "fuzz.h"

/* What a stream of bytes is made of; the letters name them in transcripts. */
enum heard {
    HEARD_LINE = 'L',
    HEARD_REPLY = 'R', /* three bytes, which refuse a telnet option */
    HEARD_ARE_YOU_THERE = 'A',
    HEARD_INTERRUPT = 'I', /* nothing is heard after it */
    HEARD_TOO_LONG = 'T'   /* nor after this */
};

struct model {
    size_t max; /* of a line */
    bool telnet;
    void (*hear)(void *owner, enum heard what, const char *bytes, size_t length);
    void *owner;

    /* All zero at first. */
    struct text line;
    int state; /* of telnet: a command byte, or 0 */
    bool refused[2][256];
    bool deaf;
};

void model_take(struct model *model, const char *bytes, size_t length);

/* The end of the stream; frees what the model has. */
void model_end(struct model *model);

/*
 * Whether somebody says `text` and `more`: case, apostrophes, blanks around it and closing marks at
 * the end do not matter, nor closing marks before `more`, with the blanks in front of each.
 */
bool model_says(const char *line, size_t length, const char *text, const char *more);

/* A knock-knock joke from the first knock to the end. */
struct model_joke {
    const char *clue;
    const char *punch_line;
    enum { MODEL_KNOCKED, MODEL_CLUE_TOLD, MODEL_JOKE_TOLD, MODEL_OVER } state;
};

/* Adds the answer to what is said, a line: "Knock! Knock!" where the next joke begins. */
void model_answer(struct model_joke *joke, const char *line, size_t length, struct text *answer);

#endif
