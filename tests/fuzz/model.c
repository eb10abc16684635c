/* fuzz/model.c - see model.h. Slow and simple on purpose. */
#include "model.h"

#include <string.h>
#include <wchar.h>
#include <wctype.h>

/* --- lines and telnet ---------------------------------------------------------------------- */

enum {
    SE = 240,
    IP = 244,
    AYT = 246,
    EC = 247,
    EL = 248,
    SB = 250,
    WILL = 251,
    WONT = 252,
    DO = 253,
    DONT = 254,
    IAC = 255,
    IAC_IN_SB = 256
};

static void hear(struct model *model, enum heard what, const char *bytes, size_t length)
{
    model->hear(model->owner, what, bytes, length);
    if (what == HEARD_INTERRUPT || what == HEARD_TOO_LONG)
        model->deaf = true;
}

static char last_byte(const struct model *model)
{
    return model->line.length > 0 ? model->line.bytes[model->line.length - 1] : '\0';
}

static void hear_line(struct model *model)
{
    size_t length = model->line.length - (last_byte(model) == '\r');
    hear(model, HEARD_LINE, model->line.bytes, length);
    model->line.length = 0;
}

static void take_data(struct model *model, char byte)
{
    if (byte == '\n' || (byte == '\0' && model->telnet && last_byte(model) == '\r')) {
        hear_line(model);
        return;
    }
    text_add(&model->line, &byte, 1);
    if (model->line.length - (byte == '\r') > model->max)
        hear(model, HEARD_TOO_LONG, NULL, 0);
}

static void refuse(struct model *model, int command, uint8_t option)
{
    const char reply[] = {(char)IAC, (char)(command == WILL ? DONT : WONT), (char)option};
    bool *refused = &model->refused[command == WILL][option];
    if (!*refused)
        hear(model, HEARD_REPLY, reply, sizeof(reply));
    *refused = true;
}

/* One byte, or a whole UTF-8 form without regard to what it stands for. */
static void erase_character(struct model *model)
{
    static const uint8_t marks[] = {0, 0, 0xc0, 0xe0, 0xf0};
    static const uint8_t masks[] = {0, 0, 0xe0, 0xf0, 0xf8};
    struct text *line = &model->line;
    size_t trailing = 0;
    if (line->length == 0)
        return;
    while (trailing < line->length && trailing < 4 &&
           ((uint8_t)line->bytes[line->length - 1 - trailing] & 0xc0) == 0x80)
        trailing++;
    size_t size = trailing + 1;
    bool whole = size >= 2 && size <= 4 && size <= line->length &&
                 ((uint8_t)line->bytes[line->length - size] & masks[size]) == marks[size];
    line->length -= whole ? size : 1;
}

static void take_command(struct model *model, uint8_t byte)
{
    model->state = byte == SB || (byte >= WILL && byte <= DONT) ? byte : 0;
    switch (byte) {
    case IAC:
        take_data(model, (char)IAC);
        break;
    case IP:
        hear(model, HEARD_INTERRUPT, NULL, 0);
        break;
    case AYT:
        hear(model, HEARD_ARE_YOU_THERE, NULL, 0);
        break;
    case EC:
        erase_character(model);
        break;
    case EL:
        model->line.length = 0;
        break;
    }
}

static void take_telnet(struct model *model, uint8_t byte)
{
    int state = model->state;
    model->state = 0;
    switch (state) {
    case IAC:
        take_command(model, byte);
        break;
    case WILL:
    case DO:
        refuse(model, state, byte);
        break;
    case WONT:
    case DONT:
        break;
    case SB:
        model->state = byte == IAC ? IAC_IN_SB : SB;
        break;
    case IAC_IN_SB:
        model->state = byte == SE ? 0 : SB;
        break;
    default:
        if (byte == IAC)
            model->state = IAC;
        else
            take_data(model, (char)byte);
    }
}

void model_take(struct model *model, const char *bytes, size_t length)
{
    for (size_t i = 0; i < length && !model->deaf; i++) {
        if (model->telnet)
            take_telnet(model, (uint8_t)bytes[i]);
        else
            take_data(model, bytes[i]);
    }
}

void model_end(struct model *model)
{
    if (!model->deaf && model->line.length > 0)
        hear_line(model);
    text_free(&model->line);
}

/* --- knock-knock --------------------------------------------------------------------------- */

/* Characters as far as they matter; bytes that are none stand for themselves. */
struct said {
    uint32_t characters[4096];
    size_t count;
};

static size_t decode(const char *bytes, size_t left, uint32_t *character)
{
    for (size_t size = 2; size <= 4 && size <= left; size++) {
        if (!is_plain_text(bytes, size, "") || (uint8_t)bytes[0] < 0x80)
            continue;
        *character = (uint8_t)bytes[0] & (0x7fu >> size);
        for (size_t i = 1; i < size; i++)
            *character = *character << 6 | ((uint8_t)bytes[i] & 0x3f);
        return size;
    }
    *character = (uint8_t)bytes[0] + ((uint8_t)bytes[0] < 0x80 ? 0 : 0x110000u);
    return 1;
}

static void set_said(struct said *said, const char *bytes, size_t length)
{
    size_t size;
    said->count = 0;
    for (size_t at = 0; at < length; at += size) {
        uint32_t character;
        size = decode(bytes + at, length - at, &character);
        if (character == '\'' || character == 0x2019)
            continue;
        expect(said->count < sizeof(said->characters) / sizeof(said->characters[0]), "too long");
        said->characters[said->count++] = character < 0x110000 ? towlower(character) : character;
    }
}

static bool same(const struct said *one, const struct said *other)
{
    return one->count == other->count &&
           memcmp(one->characters, other->characters, one->count * sizeof(uint32_t)) == 0;
}

static void trim(const char **text, size_t *length)
{
    while (*length > 0 && strchr(" \t", **text) && **text)
        (*text)++, (*length)--;
    while (*length > 0 && (*text)[*length - 1] && strchr(" \t?!.", (*text)[*length - 1]))
        (*length)--;
}

/* Whether these are closing marks, with blanks in front of each. */
static bool are_marks(const struct said *said)
{
    for (size_t i = 0; i < said->count; i++)
        if (!wcschr(L" \t?!.", (wchar_t)said->characters[i]) || said->characters[i] == 0)
            return false;
    return said->count == 0 || wcschr(L"?!.", (wchar_t)said->characters[said->count - 1]);
}

/* All ways to split what was said are tried: the text, closing marks, and more. */
bool model_says(const char *line, size_t length, const char *text, const char *more)
{
    static struct said start, marks, rest, wanted, wanted_rest;
    size_t text_length = strlen(text);
    trim(&line, &length);
    trim(&text, &text_length);
    set_said(&wanted, text, text_length);
    set_said(&wanted_rest, more, strlen(more));
    for (size_t at = 0; at <= length; at++) {
        set_said(&start, line, at);
        if (!same(&start, &wanted))
            continue;
        for (size_t end = at; end <= length; end++) {
            set_said(&marks, line + at, end - at);
            set_said(&rest, line + end, length - end);
            if (are_marks(&marks) && same(&rest, &wanted_rest))
                return true;
        }
    }
    return false;
}

static void say(struct text *answer, const char *text)
{
    text_add(answer, text, strlen(text));
}

void model_answer(struct model_joke *joke, const char *line, size_t length, struct text *answer)
{
    bool right;
    switch (joke->state) {
    case MODEL_KNOCKED:
        right = model_says(line, length, "Who's there", "");
        joke->state = right ? MODEL_CLUE_TOLD : MODEL_KNOCKED;
        say(answer,
            right ? joke->clue : "Here one says \"Who's there?\". Once more: Knock! Knock!");
        break;
    case MODEL_CLUE_TOLD:
        right = model_says(line, length, joke->clue, " who");
        joke->state = right ? MODEL_JOKE_TOLD : MODEL_KNOCKED;
        say(answer, right ? joke->punch_line : "Here one says \"");
        say(answer, right ? " Want another? (y/n)" : joke->clue);
        say(answer, right ? "" : " who?\". From the start: Knock! Knock!");
        break;
    case MODEL_JOKE_TOLD:
        right = model_says(line, length, "y", "") || model_says(line, length, "yes", "");
        joke->state = right ? MODEL_KNOCKED : MODEL_OVER;
        say(answer, right ? "Knock! Knock!" : "Bye.");
        break;
    case MODEL_OVER:
        expect(false, "somebody is heard after the end");
    }
    say(answer, "\r\n");
}
