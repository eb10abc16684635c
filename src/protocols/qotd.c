/*
 * Quote of the day, RFC 865: one message of fewer than 512 characters, then the end.
 *
 * The quotes come from a file: one or more lines each, a line of `%` between two of them, and
 * lines that begin with # left out.
 */
#include <banter/protocol.h>

#include <string.h>

enum { LONGEST = 511 }; /* with the line endings */

struct quote {
    const char *text; /* lines, each with its CR LF */
    size_t length;
};

struct qotd_settings {
    struct banter_file file;
    const struct quote *quotes;
    uint32_t count;
};

/* Where there is no file. */
#define QUOTE(text)                                                                                \
    {                                                                                              \
        text "\r\n", sizeof(text) + 1                                                              \
    }
static const struct quote own_quotes[] = {
    QUOTE("A well that is asked politely still gives no more than it holds."),
    QUOTE("Measure twice, and then measure what you forgot to measure."),
    QUOTE("Whoever listens to the end of the line has heard the whole of it."),
    QUOTE("The shortest answer is the one that need not be sent again."),
};

/* Reading the file: lines are copied into one block, and quotes are pieces of it. */
struct reader {
    struct banter_setup *setup;
    const struct banter_file *file;
    struct quote *quotes;
    uint32_t count;
    char *out;           /* the end of what has been copied */
    char *begin;         /* where the quote that is being read begins */
    unsigned first_line; /* of that quote */
};

static void finish_quote(struct reader *reader)
{
    size_t length = (size_t)(reader->out - reader->begin);
    if (length > LONGEST)
        banter_complain(reader->setup, reader->file, reader->first_line,
                        "a quote has at most %d characters with its line endings (RFC 865), this "
                        "one has %zu",
                        LONGEST, length);
    if (length > 0)
        reader->quotes[reader->count++] = (struct quote){.text = reader->begin, .length = length};
    reader->begin = reader->out;
}

static void read_line(struct reader *reader, const struct banter_file_line *line)
{
    bool begins = reader->out == reader->begin;
    if (line->text[0] == '#' || (begins && line->length == 0))
        return;
    if (strcmp(line->text, "%") == 0) {
        finish_quote(reader);
        return;
    }
    if (begins)
        reader->first_line = line->number;
    memcpy(reader->out, line->text, line->length);
    memcpy(reader->out + line->length, "\r\n", 2);
    reader->out += line->length + 2;
}

static void qotd_configure(struct banter_setup *setup, void *settings)
{
    struct qotd_settings *qotd = settings;
    const struct banter_file *file = &qotd->file;
    struct reader reader = {.setup = setup, .file = file};
    if (!file->text) {
        qotd->quotes = own_quotes;
        qotd->count = sizeof(own_quotes) / sizeof(own_quotes[0]);
        return;
    }
    /* A quote takes a byte and its newline at least; LF becomes CR LF. */
    reader.quotes = banter_alloc(setup, (file->length / 2 + 1) * sizeof(*reader.quotes));
    reader.out = reader.begin = banter_alloc(setup, 2 * file->length + 2);
    if (!reader.quotes || !reader.out)
        return;
    struct banter_file_line line = {0};
    while (banter_next_line(file, &line))
        read_line(&reader, &line);
    finish_quote(&reader);
    qotd->quotes = reader.quotes;
    qotd->count = reader.count;
    if (qotd->count == 0)
        banter_complain(setup, file, 0, "there is no quote in it");
}

static void qotd_open(struct banter_client *client, void *session)
{
    const struct qotd_settings *qotd = banter_settings(client);
    const struct quote *quote = &qotd->quotes[banter_random(client, qotd->count)];
    (void)session;
    banter_write(client, quote->text, quote->length);
    banter_close(client);
}

static const struct banter_option qotd_options[] = {
    {.name = "quotes",
     .type = BANTER_FILE,
     .offset = offsetof(struct qotd_settings, file),
     .help = "the file with the quotes; without it there are a few"},
};

BANTER_PROTOCOL(qotd) = {
    BANTER_ABI,
    .name = "qotd",
    .summary = "sends a quote, then closes (RFC 865)",
    .options = qotd_options,
    .option_count = sizeof(qotd_options) / sizeof(qotd_options[0]),
    .settings_size = sizeof(struct qotd_settings),
    .configure = qotd_configure,
    .open = qotd_open,
};
