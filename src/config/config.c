/*
 * config/config.c - makes a struct config of the sections of an INI file.
 *
 * A problem ends nothing here: it goes to the report, and the rest of the file is read for more.
 * What only follows from a problem is left out: a key whose line was refused counts as given, and
 * without a protocol, an unknown key may be that protocol's. Main thread only, references apart.
 */
#include "config/config.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "config/file.h"
#include "config/hint.h"
#include "config/ini.h"
#include "config/options.h"
#include "config/section.h"
#include "config/setup.h"
#include "protocols/registry.h"
#include "text/arena.h"

#define BLANKS " \t"
#define SERVER "server"
#define LISTENER "listener"
#define LISTENER_NAME_MAX (CONFIG_NAME - 1)
#define LISTENER_NAME_FIRST "abcdefghijklmnopqrstuvwxyz0123456789"
#define LISTENER_NAME_BYTES LISTENER_NAME_FIRST "-_."

/* The absolute form of a path that stands in the configuration; NULL when there is none. */
static const char *resolve(const struct reader *reader, const char *name, const char *path,
                           unsigned line)
{
    const char *why;
    const char *absolute = file_beside(reader->path, path, reader->arena, &why);
    int cause = absolute ? EINVAL : errno;

    if (absolute)
        why = ini_refuses(name, absolute);
    if (!why)
        return absolute;
    refuse(reader, line, "%s = %s: %s", name, path, why);
    report_cause(reader->report, cause);
    return NULL;
}

static void read_server(const struct reader *reader, const struct ini_section *section,
                        struct config *config)
{
    const struct ini_key *path = ini_find(section, "protocol-path");
    struct scope scope = {.table = server_options, .base = config};

    section_read(reader, section, &scope, 1, true);
    if (config->protocol_path)
        config->protocol_path =
            resolve(reader, "protocol-path", config->protocol_path, path ? path->line : 0);
}

static void check_name(const struct reader *reader, const struct listener_config *listener)
{
    const char *name = listener->name;

    if (name[strspn(name, LISTENER_NAME_BYTES)] != '\0')
        refuse(reader, listener->line,
               "listener name '%s': only lower-case letters, digits, '-', '_' and '.'", name);
    else if (strspn(name, LISTENER_NAME_FIRST) == 0)
        refuse(reader, listener->line, "listener name '%s': a letter or a digit comes first", name);
    else if (strlen(name) > LISTENER_NAME_MAX)
        refuse(reader, listener->line, "listener name '%s': more than %d bytes", name,
               LISTENER_NAME_MAX);
}

/* Whether the file NAME.so is there, of whoever forgets the ending. */
static bool is_object(const char *directory, const char *name)
{
    char path[4096];
    int length = snprintf(path, sizeof(path), "%s/%s.so", directory, name);

    return length > 0 && (size_t)length < sizeof(path) && access(path, R_OK) == 0;
}

static void refuse_protocol(const struct reader *reader, const struct config *config,
                            const struct ini_key *key, const char *why)
{
    const struct banter_protocol *protocol;
    struct hint hint;

    if (strchr(key->value, '/') == NULL && is_object(config->protocol_path, key->value)) {
        refuse(reader, key->line, "protocol = %s: %s; did you mean '%s.so'?", key->value, why,
               key->value);
        return;
    }
    hint_init(&hint, key->value);
    for (size_t i = 0; (protocol = registry_built_in(i)) != NULL; i++)
        hint_consider(&hint, protocol->name);
    refuse(reader, key->line, "protocol = %s: %s%s", key->value, why, hint_text(&hint));
}

/* A key that the listener and its protocol both want would reach only one of them. */
static bool check_clash(const struct reader *reader, const struct banter_protocol *protocol,
                        const struct ini_key *key)
{
    for (size_t i = 0; i < protocol->option_count; i++) {
        const char *name = protocol->options[i].name;

        if (options_find(listener_options, name) == NULL)
            continue;
        refuse(reader, key->line, "protocol = %s: its option '%s' is one of every listener",
               key->value, name);
        return false;
    }
    return true;
}

/* A key that says something, or NULL; one whose line was refused may have done so. */
static const struct ini_key *find_filled(const struct ini_section *section, const char *name)
{
    const struct ini_key *key = ini_find(section, name);

    return key && key->value && *key->value == '\0' ? NULL : key;
}

/* Sets the protocol; returns its name, a path being absolute, or NULL when there is none. */
static const char *find_protocol(const struct reader *reader, const struct ini_section *section,
                                 const struct config *config, struct listener_config *listener)
{
    const struct ini_key *key = find_filled(section, "protocol");
    const struct banter_protocol *protocol;
    const char *name;
    char why[512];
    int cause;

    if (!key) {
        refuse(reader, section->line, "[%s] has no protocol; write protocol = NAME", section->name);
        return NULL;
    }
    name = key->value;
    if (name && strchr(name, '/') != NULL)
        name = resolve(reader, key->name, name, key->line);
    if (!name || !config->protocol_path)
        return NULL;
    setup_begin(listener->name, name);
    protocol = registry_find(name, config->protocol_path, why, sizeof(why));
    cause = errno;
    setup_end();
    if (!protocol) {
        refuse_protocol(reader, config, key, why);
        report_cause(reader->report, cause);
        return NULL;
    }
    if (!check_clash(reader, protocol, key))
        return NULL;
    listener->protocol = protocol;
    return name;
}

/* Looks for an endpoint that cannot be had together with this one, in all read so far. */
static void check_endpoint(const struct reader *reader, const struct config *config,
                           const struct address *address, const char *text, unsigned line)
{
    char taken[ADDRESS_TEXT];

    for (size_t i = 0; i < config->listener_count; i++) {
        const struct listener_config *listener = &config->listeners[i];

        for (size_t j = 0; j < listener->address_count; j++) {
            if (!address_overlaps(address, &listener->addresses[j]))
                continue;
            address_format(&listener->addresses[j], taken);
            refuse(reader, line, "listen = %s: collides with %s of listener '%s' on line %u", text,
                   taken, listener->name, listener->line);
            return;
        }
    }
}

static void read_address(const struct reader *reader, const struct config *config,
                         struct listener_config *listener, const char *text,
                         const struct ini_key *key)
{
    struct address address;
    const char *why;

    if (*text == '\0') {
        refuse(reader, key->line, "listen = %s: an address is missing beside a comma", key->value);
    } else if (address_parse(text, &address, &why) != 0) {
        refuse(reader, key->line, "listen = %s: %s", text, why);
    } else {
        check_endpoint(reader, config, &address, text, key->line);
        listener->addresses[listener->address_count++] = address;
    }
}

static size_t count_items(const char *list)
{
    size_t count = 1;

    for (; (list = strchr(list, ',')) != NULL; list++)
        count++;
    return count;
}

/* The next item of a list, without the blanks around it; NULL past the last. */
static char *next_item(char **list)
{
    char *item = strsep(list, ",");
    size_t length;

    if (!item)
        return NULL;
    item += strspn(item, BLANKS);
    length = strlen(item);
    while (length > 0 && strchr(BLANKS, item[length - 1]) != NULL)
        length--;
    item[length] = '\0';
    return item;
}

static void read_addresses(const struct reader *reader, const struct ini_section *section,
                           const struct config *config, struct listener_config *listener)
{
    const struct ini_key *key = find_filled(section, "listen");
    char *list;
    char *item;

    if (!key)
        refuse(reader, section->line, "[%s] has no address; write listen = ADDRESS:PORT",
               section->name);
    if (!key || !key->value)
        return;
    list = arena_copy(reader->arena, key->value, strlen(key->value));
    listener->addresses =
        arena_alloc(reader->arena, count_items(key->value) * sizeof(struct address));
    if (!list || !listener->addresses) {
        refuse_no_memory(reader);
        return;
    }
    while ((item = next_item(&list)) != NULL)
        read_address(reader, config, listener, item, key);
}

/* Sets the options of the listener and of its protocol, and has the protocol check its own. */
static void read_options(const struct reader *reader, const struct ini_section *section,
                         struct listener_config *listener)
{
    const struct banter_protocol *protocol = listener->protocol;
    struct scope scopes[2] = {{.table = listener_options, .base = listener}};

    if (!protocol) {
        section_read(reader, section, scopes, 1, false);
        return;
    }
    listener->settings = arena_alloc(reader->arena, protocol->settings_size);
    if (!listener->settings) {
        refuse_no_memory(reader);
        return;
    }
    scopes[1].table = (struct option_table){protocol->options, protocol->option_count};
    scopes[1].base = listener->settings;
    section_read(reader, section, scopes, 2, true);
    if (!scopes[1].failed)
        setup_run(listener, reader);
}

static void read_listener(const struct reader *reader, const struct ini_section *section,
                          const char *name, struct config *config)
{
    struct listener_config *listener = &config->listeners[config->listener_count++];
    const char *protocol_name;

    listener->name = name;
    listener->line = section->line;
    if (!section->refused)
        check_name(reader, listener);
    protocol_name = find_protocol(reader, section, config, listener);
    read_addresses(reader, section, config, listener);
    read_options(reader, section, listener);
    if (protocol_name)
        listener->protocol_name = protocol_name;
}

static void refuse_section(const struct reader *reader, const struct ini_section *section)
{
    size_t length = strcspn(section->name, " ");
    const char *word = arena_copy(reader->arena, section->name, length);
    const char *rest = section->name + length;
    struct hint hint;

    if (!word) {
        refuse_no_memory(reader);
        return;
    }
    hint_init(&hint, word);
    hint_consider(&hint, SERVER);
    hint_consider(&hint, LISTENER);
    if (!hint.name)
        refuse(reader, section->line, "unknown section [%s]; write [server] or [listener NAME]",
               section->name);
    else if (strcmp(hint.name, SERVER) == 0)
        refuse(reader, section->line, "unknown section [%s]; did you mean [server]?",
               section->name);
    else
        refuse(reader, section->line, "unknown section [%s]; did you mean [listener%s]?",
               section->name, *rest != '\0' ? rest : " NAME");
}

static void read_section(const struct reader *reader, const struct ini_section *section,
                         struct config *config)
{
    size_t prefix = strlen(LISTENER " ");

    if (strcmp(section->name, SERVER) == 0)
        return; /* read before all others: they need its protocol-path */
    if (strncmp(section->name, LISTENER " ", prefix) == 0)
        read_listener(reader, section, section->name + prefix, config);
    else if (!section->refused)
        refuse_section(reader, section);
}

static const struct ini_section *find_server(const struct ini *ini)
{
    const struct ini_section *section = ini->sections;

    while (section && strcmp(section->name, SERVER) != 0)
        section = section->next;
    return section;
}

static void read_sections(const struct reader *reader, const struct ini *ini, struct config *config)
{
    const struct ini_section *section;
    size_t count = 0;

    for (section = ini->sections; section; section = section->next)
        count++;
    config->listeners = arena_alloc(reader->arena, count * sizeof(struct listener_config));
    if (!config->listeners) {
        refuse_no_memory(reader);
        return;
    }
    read_server(reader, find_server(ini), config);
    for (section = ini->sections; section; section = section->next)
        read_section(reader, section, config);
    if (config->listener_count == 0 && !report_failed(reader->report))
        refuse(reader, 0, "there is no [listener NAME] section");
}

static struct config *config_new(const char *path)
{
    struct arena *arena = arena_new();
    struct config *config = arena ? arena_alloc(arena, sizeof(*config)) : NULL;

    if (config)
        config->path = arena_copy(arena, path, strlen(path));
    if (!config || !config->path) {
        arena_free(arena);
        return NULL;
    }
    config->arena = arena;
    atomic_init(&config->references, 1);
    return config;
}

struct config *config_load(const char *path, struct report *report)
{
    struct config *config = config_new(path);
    struct reader reader;
    const struct ini *ini;

    if (!config) {
        report_add(report, path, 0, "%s", strerror(ENOMEM));
        report_cause(report, ENOMEM);
        return NULL;
    }
    reader = (struct reader){.path = config->path, .arena = config->arena, .report = report};
    ini = ini_read(config->path, config->arena, report);
    if (ini)
        read_sections(&reader, ini, config);
    if (report_failed(report)) {
        report_sort(report, path); /* while reading, what belongs together was looked at together */
        config_unref(config);
        return NULL;
    }
    return config;
}

struct config *config_ref(struct config *config)
{
    atomic_fetch_add_explicit(&config->references, 1, memory_order_relaxed);
    return config;
}

void config_unref(struct config *config)
{
    if (!config)
        return;
    /* Whoever frees it must see what the others did with it before they let go. */
    if (atomic_fetch_sub_explicit(&config->references, 1, memory_order_acq_rel) == 1)
        arena_free(config->arena);
}

static void dump_listener(const struct listener_config *listener, FILE *stream)
{
    const struct banter_protocol *protocol = listener->protocol;
    struct option_table own = {protocol->options, protocol->option_count};

    fprintf(stream, "\n[" LISTENER " %s]\n", listener->name);
    options_dump(listener_options, listener, stream);
    options_dump(own, listener->settings, stream);
}

int config_dump(const struct config *config, FILE *stream)
{
    errno = 0;
    fputs("[" SERVER "]\n", stream);
    options_dump(server_options, config, stream);
    for (size_t i = 0; i < config->listener_count; i++)
        dump_listener(&config->listeners[i], stream);
    if (fflush(stream) == 0 && !ferror(stream))
        return 0;
    return errno != 0 ? -errno : -EIO;
}
