/*
 * config/options.c - banterd's own options, and how the value of any option is read and written.
 *
 * The tables here are held against conf/banterd.ini and banterd.ini(5) by a test. Stateless; used
 * on the main thread.
 */
#include "config/options.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "config/config.h"
#include "config/file.h"
#include "config/ini.h"
#include "text/arena.h"
#include "text/quantity.h"

#define KIB INT64_C(1024)
#define MIB (1024 * KIB)
#define GIB (1024 * MIB)
#define DAY (INT64_C(24) * 60 * 60 * 1000)

/* Where an option of ours keeps its value. */
#define SERVER(member) offsetof(struct config, member)
#define LISTENER(member) offsetof(struct listener_config, member)

/* name, type, where, default, least, most, words, help */
static const struct banter_option server_rows[] = {
    {"workers", BANTER_NUMBER, SERVER(workers), "auto", 1, 256, "auto",
     "event-loop threads; auto: one a CPU"},
    {"max-clients", BANTER_NUMBER, SERVER(max_clients), "10000", 1, 1000000, NULL,
     "clients of all listeners together"},
    {"drain-timeout", BANTER_DURATION, SERVER(drain_timeout), "5s", 0, 30 * DAY, NULL,
     "how long clients are still served when the server stops"},
    {"log-level", BANTER_CHOICE, SERVER(log_level), "info", 0, 0, "error warning notice info debug",
     "the least important events that are logged"},
    {"protocol-path", BANTER_STRING, SERVER(protocol_path), PROTOCOL_DIR, 0, 0, NULL,
     "the directory of loadable protocols"},
};

static const struct banter_option listener_rows[] = {
    {"protocol", BANTER_STRING, LISTENER(protocol_name), NULL, 0, 0, NULL,
     "what is said: a built-in protocol, NAME.so, or the path of an object"},
    {"listen", BANTER_STRING, LISTENER(listen), NULL, 0, 0, NULL, "addresses, a comma between"},
    {"max-clients", BANTER_NUMBER, LISTENER(max_clients), "0", 0, 1000000, NULL,
     "clients of this listener; 0: no limit of its own"},
    {"max-clients-per-address", BANTER_NUMBER, LISTENER(max_clients_per_address), "0", 0, 1000000,
     NULL, "clients from one address; 0: no limit"},
    {"connect-rate", BANTER_RATE, LISTENER(connect_rate), "0", 0, 1000000, NULL,
     "how often one address may connect; 0: no limit"},
    {"idle-timeout", BANTER_DURATION, LISTENER(idle_timeout), "5m", 0, 30 * DAY, NULL,
     "closes a client that says nothing for so long"},
    {"line-timeout", BANTER_DURATION, LISTENER(line_timeout), "30s", 0, 30 * DAY, NULL,
     "closes a client that does not finish a line"},
    {"write-timeout", BANTER_DURATION, LISTENER(write_timeout), "30s", 0, 30 * DAY, NULL,
     "closes a client that does not take its output"},
    {"max-line", BANTER_SIZE, LISTENER(max_line), "8K", 16, 16 * MIB, NULL,
     "the longest line, its ending not counted"},
    {"max-output", BANTER_SIZE, LISTENER(max_output), "256K", 1 * KIB, 1 * GIB, NULL,
     "unsent output above which nothing more is read from the client"},
    {"telnet", BANTER_BOOLEAN, LISTENER(telnet), "no", 0, 0, NULL,
     "answers telnet commands and strips them"},
};

#define TABLE(rows)                                                                                \
    {                                                                                              \
        rows, sizeof(rows) / sizeof((rows)[0])                                                     \
    }

const struct option_table server_options = TABLE(server_rows);
const struct option_table listener_options = TABLE(listener_rows);

/* Room for a reason; the words of a choice are the longest part of one. */
#define REASON_TEXT 256

/* One value on its way into one option. */
struct setting {
    const struct banter_option *option;
    const char *text;
    const struct option_source *source;
    struct arena *arena;
    struct report *report;
};

const struct banter_option *options_find(struct option_table table, const char *name)
{
    const struct banter_option *rows = table.rows;

    for (size_t i = 0; i < table.count; i++)
        if (strcmp(rows[i].name, name) == 0)
            return &rows[i];
    return NULL;
}

static void refuse(const struct setting *setting, const char *reason)
{
    report_add(setting->report, setting->source->file, setting->source->line, "%s = %s: %s",
               setting->option->name, *setting->text != '\0' ? setting->text : "\"\"", reason);
}

static void refuse_no_memory(const struct setting *setting)
{
    refuse(setting, strerror(ENOMEM));
    report_cause(setting->report, ENOMEM);
}

static bool has_bounds(const struct banter_option *option)
{
    return option->min != 0 || option->max != 0;
}

static bool in_range(const struct banter_option *option, int64_t value)
{
    return !has_bounds(option) || (value >= option->min && value <= option->max);
}

static int parse_quantity(const struct setting *setting, int64_t *value)
{
    switch (setting->option->type) {
    case BANTER_DURATION:
        return duration_parse(setting->text, value);
    case BANTER_SIZE:
        return size_parse(setting->text, value);
    default:
        return number_parse(setting->text, value);
    }
}

static void format_quantity(const struct banter_option *option, int64_t value,
                            char text[QUANTITY_TEXT])
{
    if (option->type == BANTER_DURATION)
        duration_format(value, text);
    else if (option->type == BANTER_SIZE)
        size_format(value, text);
    else
        snprintf(text, QUANTITY_TEXT, "%" PRId64, value);
}

static void refuse_spelling(const struct setting *setting)
{
    const struct banter_option *option = setting->option;
    char reason[REASON_TEXT];

    if (option->type == BANTER_DURATION) {
        refuse(setting, "not a duration; write 500ms, 30s, 5m, 1h, or 0 for never");
    } else if (option->type == BANTER_SIZE) {
        refuse(setting, "not a size; write 512, 8K or 1M");
    } else if (option->words) {
        snprintf(reason, sizeof(reason), "not a number; write %s, or digits", option->words);
        refuse(setting, reason);
    } else {
        refuse(setting, "not a number; write digits");
    }
}

static void refuse_range(const struct setting *setting)
{
    const struct banter_option *option = setting->option;
    char reason[REASON_TEXT];
    char min[QUANTITY_TEXT];
    char max[QUANTITY_TEXT];

    if (!has_bounds(option)) {
        refuse(setting, "too large");
        return;
    }
    format_quantity(option, option->min, min);
    format_quantity(option, option->max, max);
    snprintf(reason, sizeof(reason), "out of range, from %s to %s", min, max);
    refuse(setting, reason);
}

/* Whether `text` is the word that a number takes for 0, such as `auto`. */
static bool is_zero_word(const struct banter_option *option, const char *text)
{
    return option->type == BANTER_NUMBER && option->words && strcmp(text, option->words) == 0;
}

static void set_quantity(const struct setting *setting, int64_t *member)
{
    int64_t value;
    int error;

    if (is_zero_word(setting->option, setting->text)) {
        *member = 0;
        return;
    }
    error = parse_quantity(setting, &value);
    if (error == -EINVAL)
        refuse_spelling(setting);
    else if (error != 0 || !in_range(setting->option, value))
        refuse_range(setting);
    else
        *member = value;
}

static void set_rate(const struct setting *setting, struct banter_rate *member)
{
    struct banter_rate rate;
    int error = rate_parse(setting->text, &rate.count, &rate.period);

    if (error == -EINVAL)
        refuse(setting, "not a rate; write 100/s, 20/m, 5/h, or 0 for no limit");
    else if (error != 0 || !in_range(setting->option, rate.count))
        refuse_range(setting);
    else
        *member = rate;
}

static void set_boolean(const struct setting *setting, bool *member)
{
    if (boolean_parse(setting->text, member) != 0)
        refuse(setting, "neither yes nor no");
}

/* Moves to the next word of a choice; NULL past the last. */
static const char *next_word(const char *words, size_t *length)
{
    words += strspn(words, " ");
    *length = strcspn(words, " ");
    return *length > 0 ? words : NULL;
}

static void refuse_choice(const struct setting *setting)
{
    char reason[REASON_TEXT] = "not one of";
    const char *word = setting->option->words;
    size_t used = strlen(reason);
    const char *comma = "";
    size_t length;

    for (; (word = next_word(word, &length)) != NULL && used < sizeof(reason); word += length) {
        int count =
            snprintf(reason + used, sizeof(reason) - used, "%s %.*s", comma, (int)length, word);

        used += (size_t)count;
        comma = ",";
    }
    refuse(setting, reason);
}

static void set_choice(const struct setting *setting, int64_t *member)
{
    const char *word = setting->option->words;
    size_t length;

    for (int64_t i = 0; (word = next_word(word, &length)) != NULL; word += length, i++) {
        if (strlen(setting->text) == length && memcmp(setting->text, word, length) == 0) {
            *member = i;
            return;
        }
    }
    refuse_choice(setting);
}

static void set_string(const struct setting *setting, const char **member)
{
    const char *why = ini_refuses(setting->option->name, setting->text);
    const char *copy;

    if (why) {
        refuse(setting, why);
        return;
    }
    copy = arena_copy(setting->arena, setting->text, strlen(setting->text));
    if (!copy)
        refuse_no_memory(setting);
    else
        *member = copy;
}

static void refuse_file(const struct setting *setting, const char *path, const char *why)
{
    report_add(setting->report, setting->source->file, setting->source->line, "%s = %s: %s: %s",
               setting->option->name, setting->text, path, why);
}

static void set_file(const struct setting *setting, struct banter_file *member)
{
    const char *path;
    const char *why;
    unsigned line;
    int error;

    if (*setting->text == '\0') {
        refuse(setting, "names no file");
        return;
    }
    path = file_beside(setting->source->file, setting->text, setting->arena, &why);
    if (!path) {
        int cause = errno;

        refuse(setting, why);
        report_cause(setting->report, cause);
        return;
    }
    why = ini_refuses(setting->option->name, path);
    error = why ? -EINVAL : file_read(path, setting->arena, member, &why);
    if (error != 0) {
        refuse_file(setting, path, why);
        report_cause(setting->report, -error);
        return;
    }
    line = file_check_text(member, &why);
    if (line > 0)
        report_add(setting->report, path, line, "%s", why);
}

void option_set(const struct banter_option *option, void *base, const char *text,
                const struct option_source *source, struct arena *arena, struct report *report)
{
    struct setting setting = {option, text, source, arena, report};
    void *member = (char *)base + option->offset;

    switch (option->type) {
    case BANTER_STRING:
        set_string(&setting, member);
        break;
    case BANTER_BOOLEAN:
        set_boolean(&setting, member);
        break;
    case BANTER_NUMBER:
    case BANTER_DURATION:
    case BANTER_SIZE:
        set_quantity(&setting, member);
        break;
    case BANTER_CHOICE:
        set_choice(&setting, member);
        break;
    case BANTER_FILE:
        set_file(&setting, member);
        break;
    case BANTER_RATE:
        set_rate(&setting, member);
        break;
    }
}

static void dump_text(const struct banter_option *option, const char *text, FILE *stream)
{
    if (text)
        ini_write(stream, option->name, text);
}

/* A number that is out of range was never set, and has no default. */
static void dump_quantity(const struct banter_option *option, int64_t value, FILE *stream)
{
    char text[QUANTITY_TEXT];

    if (value == 0 && option->type == BANTER_NUMBER && option->words) {
        dump_text(option, option->words, stream);
    } else if (in_range(option, value)) {
        format_quantity(option, value, text);
        dump_text(option, text, stream);
    }
}

static void dump_rate(const struct banter_option *option, const struct banter_rate *rate,
                      FILE *stream)
{
    char text[QUANTITY_TEXT];

    if (!in_range(option, rate->count))
        return;
    rate_format(rate->count, rate->period, text);
    dump_text(option, text, stream);
}

static void dump_choice(const struct banter_option *option, int64_t position, FILE *stream)
{
    const char *word = option->words;
    size_t length;

    for (int64_t i = 0; (word = next_word(word, &length)) != NULL; word += length, i++)
        if (i == position)
            fprintf(stream, "%s = %.*s\n", option->name, (int)length, word);
}

static void dump(const struct banter_option *option, const void *member, FILE *stream)
{
    switch (option->type) {
    case BANTER_STRING:
        dump_text(option, *(const char *const *)member, stream);
        break;
    case BANTER_BOOLEAN:
        dump_text(option, *(const bool *)member ? "yes" : "no", stream);
        break;
    case BANTER_NUMBER:
    case BANTER_DURATION:
    case BANTER_SIZE:
        dump_quantity(option, *(const int64_t *)member, stream);
        break;
    case BANTER_CHOICE:
        dump_choice(option, *(const int64_t *)member, stream);
        break;
    case BANTER_FILE:
        dump_text(option, ((const struct banter_file *)member)->path, stream);
        break;
    case BANTER_RATE:
        dump_rate(option, member, stream);
        break;
    }
}

void options_dump(struct option_table table, const void *base, FILE *stream)
{
    for (size_t i = 0; i < table.count; i++)
        dump(&table.rows[i], (const char *)base + table.rows[i].offset, stream);
}
