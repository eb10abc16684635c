/*
 * Knock-knock jokes, one after the other, for as long as the client likes:
 *
 *     S: Knock! Knock!
 *     C: Who's there?
 *     S: Lettuce
 *     C: Lettuce who?
 *     S: Lettuce in, it's cold out here! Want another? (y/n)
 *
 * The jokes come from a file of lines `clue: punch line`; empty lines and lines that begin with #
 * are left out.
 */
#include <banter/protocol.h>

#include <string.h>
#include <wctype.h>

enum { LONGEST_CLUE = 80, LONGEST_PUNCH_LINE = 400 };

#define TYPOGRAPHIC_APOSTROPHE 0x2019
#define NO_CHARACTER 0x110000 /* the first number that is none in Unicode */

struct joke {
    const char *clue;
    const char *punch_line;
};

struct knock_settings {
    struct banter_file file;
    const struct joke *jokes;
    uint32_t count;
};

/* What the client is expected to say next. */
enum knock_state { WHOS_THERE, CLUE_WHO, ANOTHER };

/*
 * The deck is never dealt out: with `step` and the number of jokes relatively prime, `start + n *
 * step` goes through all of them, each once, in an order that start and step shuffle.
 */
struct knock_session {
    enum knock_state state;
    uint32_t start;
    uint32_t step;
    uint32_t told; /* of this deck */
};

static const struct joke own_jokes[] = {
    {"Lettuce", "Lettuce in, it is cold out here!"},
    {"Socket", "Socket to me gently, I am still warming up!"},
    {"Echo", "Echo who who who?"},
    {"Daemon", "Daemon the other side of this door forgot the key!"},
};

/* --- what was said ------------------------------------------------------------------------- */

struct words {
    const char *at;
    const char *end;
};

static bool is_blank(char byte)
{
    return byte == ' ' || byte == '\t';
}

static bool is_closing(char byte)
{
    return is_blank(byte) || byte == '?' || byte == '!' || byte == '.';
}

/* Leaves out the blanks around, and the closing mark. */
static struct words trim(const char *line, size_t length)
{
    struct words words = {line, line + length};
    while (words.at < words.end && is_blank(*words.at))
        words.at++;
    while (words.at < words.end && is_closing(words.end[-1]))
        words.end--;
    return words;
}

/* How many bytes follow the first one of a UTF-8 sequence; -1 where none can begin. */
static int count_following(unsigned char first)
{
    if (first < 0x80)
        return 0;
    if (first < 0xc2 || first > 0xf4)
        return -1;
    return first < 0xe0 ? 1 : first < 0xf0 ? 2 : 3;
}

/* The next character; a byte that is no UTF-8 is beyond all characters, and equal to itself only.
 */
static wint_t decode(struct words *words)
{
    unsigned char first = (unsigned char)*words->at++;
    int following = count_following(first);
    if (following == 0)
        return first;
    if (following < 0 || words->end - words->at < following)
        return NO_CHARACTER + first;
    wint_t character = first & (0x3fu >> following);
    for (int i = 0; i < following; i++) {
        if ((words->at[i] & 0xc0) != 0x80)
            return NO_CHARACTER + first;
        character = character << 6 | (words->at[i] & 0x3fu);
    }
    words->at += following;
    return character;
}

/* Most jokes are ASCII, and need no table. */
static wint_t to_lower(wint_t character)
{
    if (character >= 0x80)
        return towlower(character);
    return character >= 'A' && character <= 'Z' ? character - 'A' + 'a' : character;
}

/* The next character as far as it matters: in lower case, and no apostrophe. WEOF at the end. */
static wint_t next_character(struct words *words)
{
    while (words->at < words->end) {
        wint_t character = decode(words);
        if (character != '\'' && character != TYPOGRAPHIC_APOSTROPHE)
            return to_lower(character);
    }
    return WEOF;
}

/* Whether `words` go on with the others; they are moved past them. */
static bool go_on_with(struct words *words, struct words others)
{
    wint_t character;
    while ((character = next_character(&others)) != WEOF)
        if (next_character(words) != character)
            return false;
    return true;
}

/* Moves past closing marks, and the blanks in front of each; a blank behind the last one stays. */
static void skip_marks(struct words *words)
{
    struct words next = *words;
    wint_t character;
    while ((character = next_character(&next)) < 0x80 && is_closing((char)character))
        if (!is_blank((char)character))
            *words = next;
}

/*
 * Whether the line is `text` and `more`. A closing mark of the text may be said or left out: to
 * "Boo!" one says "Boo who?" as well as "Boo! who?".
 */
static bool says(const char *line, size_t length, const char *text, const char *more)
{
    struct words words = trim(line, length);
    if (!go_on_with(&words, trim(text, strlen(text))))
        return false;
    skip_marks(&words);
    return go_on_with(&words, (struct words){more, more + strlen(more)}) &&
           next_character(&words) == WEOF;
}

/* --- the conversation ---------------------------------------------------------------------- */

static uint32_t common_divisor(uint32_t one, uint32_t other)
{
    while (other) {
        uint32_t rest = one % other;
        one = other;
        other = rest;
    }
    return one;
}

static uint32_t position(const struct knock_session *session, uint32_t count)
{
    return (uint32_t)((session->start + (uint64_t)session->told * session->step) % count);
}

/* A new deck does not begin with the joke that the old one ended with. */
static void shuffle(struct banter_client *client, struct knock_session *session, uint32_t count)
{
    uint32_t last = session->step ? position(session, count) : count;
    session->told = 0;
    session->step = 1 + banter_random(client, count);
    while (common_divisor(session->step, count) != 1)
        session->step++;
    session->start = banter_random(client, count);
    if (session->start == last)
        session->start = (session->start + 1) % count;
}

static const struct joke *current_joke(struct banter_client *client,
                                       const struct knock_session *session)
{
    const struct knock_settings *settings = banter_settings(client);
    return &settings->jokes[position(session, settings->count)];
}

static void knock(struct banter_client *client, struct knock_session *session)
{
    session->state = WHOS_THERE;
    banter_say(client, "Knock! Knock!");
}

static void tell_next(struct banter_client *client, struct knock_session *session)
{
    const struct knock_settings *settings = banter_settings(client);
    if (session->told + 1 < settings->count)
        session->told++;
    else
        shuffle(client, session, settings->count);
    knock(client, session);
}

static void knock_open(struct banter_client *client, void *session)
{
    const struct knock_settings *settings = banter_settings(client);
    shuffle(client, session, settings->count);
    knock(client, session);
}

static void hear_whos_there(struct banter_client *client, struct knock_session *session,
                            const char *line, size_t length)
{
    if (says(line, length, "Who's there", "")) {
        session->state = CLUE_WHO;
        banter_say(client, current_joke(client, session)->clue);
    } else {
        banter_say(client, "Here one says \"Who's there?\". Once more: Knock! Knock!");
    }
}

static void hear_clue_who(struct banter_client *client, struct knock_session *session,
                          const char *line, size_t length)
{
    const struct joke *joke = current_joke(client, session);
    if (says(line, length, joke->clue, " who")) {
        session->state = ANOTHER;
        banter_sayf(client, "%s Want another? (y/n)", joke->punch_line);
    } else {
        session->state = WHOS_THERE;
        banter_sayf(client, "Here one says \"%s who?\". From the start: Knock! Knock!", joke->clue);
    }
}

static void hear_another(struct banter_client *client, struct knock_session *session,
                         const char *line, size_t length)
{
    if (says(line, length, "y", "") || says(line, length, "yes", "")) {
        tell_next(client, session);
    } else {
        banter_say(client, "Bye.");
        banter_close(client);
    }
}

static void knock_line(struct banter_client *client, void *session, const char *line, size_t length)
{
    struct knock_session *knock_session = session;
    switch (knock_session->state) {
    case WHOS_THERE:
        hear_whos_there(client, session, line, length);
        break;
    case CLUE_WHO:
        hear_clue_who(client, session, line, length);
        break;
    case ANOTHER:
        hear_another(client, session, line, length);
        break;
    }
}

/* --- the jokes ----------------------------------------------------------------------------- */

/* The text without the blanks around it, terminated in place. */
static char *strip(char *begin, char *end)
{
    while (begin < end && is_blank(*begin))
        begin++;
    while (end > begin && is_blank(end[-1]))
        end--;
    *end = '\0';
    return begin;
}

/* Takes a line apart; returns what is wrong with it, or NULL. */
static const char *read_joke(const struct banter_file_line *line, struct joke *joke)
{
    char *colon = strchr(line->text, ':');
    if (!colon)
        return "a joke is written \"clue: punch line\", and there is no colon";
    joke->punch_line = strip(colon + 1, line->text + line->length);
    joke->clue = strip(line->text, colon);
    if (!*joke->clue)
        return "the clue in front of the colon is missing";
    if (!*joke->punch_line)
        return "the punch line after the colon is missing";
    if (strlen(joke->clue) > LONGEST_CLUE)
        return "the clue is longer than 80 bytes";
    if (strlen(joke->punch_line) > LONGEST_PUNCH_LINE)
        return "the punch line is longer than 400 bytes";
    return NULL;
}

static void knock_configure(struct banter_setup *setup, void *settings)
{
    struct knock_settings *knock_settings = settings;
    const struct banter_file *file = &knock_settings->file;
    struct banter_file_line line = {0};
    if (!file->text) {
        knock_settings->jokes = own_jokes;
        knock_settings->count = sizeof(own_jokes) / sizeof(own_jokes[0]);
        return;
    }
    /* The shortest joke is "a:b" and its newline. */
    struct joke *jokes = banter_alloc(setup, (file->length / 4 + 1) * sizeof(*jokes));
    if (!jokes)
        return;
    knock_settings->jokes = jokes;
    while (banter_next_line(file, &line)) {
        size_t blanks = strspn(line.text, " \t");
        if (line.text[blanks] == '\0' || line.text[blanks] == '#')
            continue;
        const char *problem = read_joke(&line, &jokes[knock_settings->count]);
        if (problem)
            banter_complain(setup, file, line.number, "%s", problem);
        else
            knock_settings->count++;
    }
    if (knock_settings->count == 0)
        banter_complain(setup, file, 0, "there is no joke in it");
}

static const struct banter_option knock_options[] = {
    {.name = "jokes",
     .type = BANTER_FILE,
     .offset = offsetof(struct knock_settings, file),
     .help = "the file with the jokes; without it there are a few"},
};

BANTER_PROTOCOL(knock_knock) = {
    BANTER_ABI,
    .name = "knock-knock",
    .summary = "tells knock-knock jokes",
    .options = knock_options,
    .option_count = sizeof(knock_options) / sizeof(knock_options[0]),
    .settings_size = sizeof(struct knock_settings),
    .session_size = sizeof(struct knock_session),
    .configure = knock_configure,
    .open = knock_open,
    .line = knock_line,
};
