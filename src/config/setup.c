/*
 * config/setup.c - see setup.h; and what a protocol may ask of its host during configure().
 *
 * A struct banter_setup lives on the stack for one call. The mutex is held for a few instructions
 * only, and never while a protocol runs.
 */
#include "config/setup.h"

#include <pthread.h>
#include <stdarg.h>
#include <string.h>

#include "config/section.h"
#include "text/arena.h"

struct banter_setup {
    const struct reader *reader;
    unsigned line; /* of the listener's section */
};

static struct {
    pthread_mutex_t mutex;
    const char *listener; /* NULL: nobody's code runs; else both live until setup_end() */
    const char *protocol;
} running = {.mutex = PTHREAD_MUTEX_INITIALIZER};

void setup_begin(const char *listener, const char *protocol)
{
    pthread_mutex_lock(&running.mutex);
    running.listener = listener;
    running.protocol = protocol;
    pthread_mutex_unlock(&running.mutex);
}

void setup_end(void)
{
    setup_begin(NULL, NULL);
}

bool setup_is_running(char listener[CONFIG_NAME], char protocol[CONFIG_NAME])
{
    pthread_mutex_lock(&running.mutex);
    bool is_running = running.listener != NULL;
    if (is_running) {
        const char *slash = strrchr(running.protocol, '/'); /* of a path the end tells more */
        snprintf(listener, CONFIG_NAME, "%s", running.listener);
        snprintf(protocol, CONFIG_NAME, "%s", slash ? slash + 1 : running.protocol);
    }
    pthread_mutex_unlock(&running.mutex);
    return is_running;
}

void setup_run(const struct listener_config *listener, const struct reader *reader)
{
    struct banter_setup setup = {.reader = reader, .line = listener->line};

    if (!listener->protocol->configure)
        return;
    setup_begin(listener->name, listener->protocol->name);
    listener->protocol->configure(&setup, listener->settings);
    setup_end();
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
