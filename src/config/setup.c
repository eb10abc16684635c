/*
 * config/setup.c - what a protocol may ask of its host during configure().
 *
 * A struct banter_setup lives on the stack for one call. Main thread only.
 */
#include "config/setup.h"

#include <pthread.h>
#include <stdarg.h>
#include <string.h>

#include "text/arena.h"

struct banter_setup {
    const struct reader *reader;
    unsigned line; /* of the listener's section */
};

/* Whose configure() runs, NULL for nobody's; what it points to is there as long as it is set. */
static const struct listener_config *configured;
static pthread_mutex_t configured_mutex = PTHREAD_MUTEX_INITIALIZER;

static void set_configured(const struct listener_config *listener)
{
    pthread_mutex_lock(&configured_mutex);
    configured = listener;
    pthread_mutex_unlock(&configured_mutex);
}

bool config_configuring(char listener[CONFIG_NAME], char protocol[CONFIG_NAME])
{
    pthread_mutex_lock(&configured_mutex);
    bool busy = configured != NULL;
    if (busy) {
        snprintf(listener, CONFIG_NAME, "%s", configured->name);
        snprintf(protocol, CONFIG_NAME, "%s", configured->protocol->name);
    }
    pthread_mutex_unlock(&configured_mutex);
    return busy;
}

void setup_run(const struct listener_config *listener, const struct reader *reader)
{
    struct banter_setup setup = {.reader = reader, .line = listener->line};

    if (!listener->protocol->configure)
        return;
    set_configured(listener);
    listener->protocol->configure(&setup, listener->settings);
    set_configured(NULL);
}

void *banter_alloc(struct banter_setup *setup, size_t size)
{
    void *memory = arena_alloc(setup->reader->arena, size);

    if (!memory)
        refuse_no_memory(setup->reader);
    return memory;
}

bool banter_next_line(const struct banter_file *file, struct banter_file_line *line)
{
    char *start = line->number > 0 ? line->next : file->text;
    char *end;
    char *stop;

    if (!start || start == file->text + file->length)
        return false;
    end = file->text + file->length;
    stop = memchr(start, '\n', (size_t)(end - start));
    line->next = stop ? stop + 1 : end;
    if (!stop)
        stop = end; /* where a NUL stands already */
    if (stop > start && stop[-1] == '\r')
        stop--;
    *stop = '\0';
    line->text = start;
    line->length = (size_t)(stop - start);
    line->number++;
    return true;
}

void banter_complain(struct banter_setup *setup, const struct banter_file *file, unsigned line,
                     const char *format, ...)
{
    const struct reader *reader = setup->reader;
    va_list arguments;

    va_start(arguments, format);
    if (file && file->path)
        report_vadd(reader->report, file->path, line, format, arguments);
    else
        report_vadd(reader->report, reader->path, setup->line, format, arguments);
    va_end(arguments);
}
