/*
 * ops/log.c - see log.h.
 *
 * The ring is guarded by one mutex, held for no longer than making a line takes. The writer thread
 * lets go of it to write, and may then block in write(2) for as long as stderr likes: nobody waits
 * for it but log_stop(), and that only for a second. Only what has been written leaves the ring, to
 * the byte: after an error, of a full disk for instance, a line goes on where it was torn.
 */
#include "ops/log.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "ops/thread.h"

#define RING_SIZE ((size_t)256 * 1024)
#define LINE_SIZE ((size_t)8192)       /* a message may hold two paths */
#define PIECE_SIZE ((size_t)16 * 1024) /* its room is free again as soon as it is out */
#define STOP_PATIENCE 1                /* seconds */

static struct {
    pthread_mutex_t mutex;
    pthread_cond_t filled;
    pthread_cond_t end;
    pthread_t writer;
    bool running;
    bool stopping;
    bool ended; /* the writer has, with all that it could write */
    size_t start;
    size_t length;
    uint64_t dropped;
    char bytes[RING_SIZE];
} ring = {
    .mutex = PTHREAD_MUTEX_INITIALIZER,
    .filled = PTHREAD_COND_INITIALIZER,
};

static atomic_int threshold = LOG_INFO;

static const char *const level_names[] = {"error", "warning", "notice", "info", "debug"};
static const char level_priorities[] = {'3', '4', '5', '6', '7'}; /* syslog(3) */

int log_level_parse(const char *word)
{
    for (int level = LOG_ERROR; level <= LOG_DEBUG; level++)
        if (strcmp(word, level_names[level]) == 0)
            return level;
    return -1;
}

/* A line in the making; what does not fit is cut off, and the newline always fits. */
struct line {
    char bytes[LINE_SIZE];
    size_t length;
};

static void put(struct line *line, const char *text, size_t length)
{
    size_t room = LINE_SIZE - 1 - line->length;
    if (length > room)
        length = room;
    memcpy(line->bytes + line->length, text, length);
    line->length += length;
}

static void put_string(struct line *line, const char *text)
{
    put(line, text, strlen(text));
}

/* stderr is the journal's socket when JOURNAL_STREAM names its device and inode, systemd.exec(5).
 */
static bool is_journal(void)
{
    const char *stream = getenv("JOURNAL_STREAM");
    struct stat status;
    char actual[64];
    if (!stream || fstat(STDERR_FILENO, &status) < 0)
        return false;
    int length = snprintf(actual, sizeof(actual), "%ju:%ju", (uintmax_t)status.st_dev,
                          (uintmax_t)status.st_ino);
    return length > 0 && strcmp(stream, actual) == 0;
}

static bool to_journal;
static pthread_once_t journal_once = PTHREAD_ONCE_INIT;

static void find_journal(void)
{
    to_journal = is_journal();
}

static bool goes_to_journal(void)
{
    return pthread_once(&journal_once, find_journal) == 0 && to_journal;
}

static void put_time(struct line *line)
{
    struct timespec now;
    struct tm parts;
    char text[40];
    if (clock_gettime(CLOCK_REALTIME, &now) < 0 || !gmtime_r(&now.tv_sec, &parts))
        return;
    size_t length = strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &parts);
    put(line, text, length);
    int rest = snprintf(text, sizeof(text), ".%03ldZ ", now.tv_nsec / 1000000);
    put(line, text, rest > 0 ? (size_t)rest : 0);
}

/* sd-daemon(3): the journal takes the priority from the line, and has the time already. */
static void put_priority(struct line *line, enum log_level level)
{
    put(line, (const char[]){'<', level_priorities[level], '>'}, 3);
}

static void put_head(struct line *line, enum log_level level)
{
    if (goes_to_journal())
        put_priority(line, level);
    else
        put_time(line);
    put_string(line, level_names[level]);
    put(line, " ", 1);
}

static bool is_plain(const char *text)
{
    if (!*text)
        return false;
    for (const char *at = text; *at; at++)
        if (*at <= ' ' || *at >= 0x7f || *at == '"' || *at == '\\' || *at == '=')
            return false;
    return true;
}

static void put_quoted(struct line *line, const char *text)
{
    static const char digits[] = "0123456789abcdef";
    put(line, "\"", 1);
    /* Cut a value that is too long while its quote still fits. */
    for (; *text && line->length < LINE_SIZE - 8; text++) {
        unsigned char byte = (unsigned char)*text;
        if (byte == '"' || byte == '\\')
            put(line, (const char[]){'\\', *text}, 2);
        else if (byte < ' ' || byte >= 0x7f)
            put(line, (const char[]){'\\', 'x', digits[byte >> 4], digits[byte & 15]}, 4);
        else
            put(line, text, 1);
    }
    put(line, "\"", 1);
}

static void put_number(struct line *line, const struct log_field *field)
{
    char text[48];
    uint64_t scale = 1;
    for (unsigned i = 0; i < field->decimals; i++)
        scale *= 10;
    int length =
        field->decimals
            ? snprintf(text, sizeof(text), "%ju.%0*ju%s", (uintmax_t)(field->number / scale),
                       (int)field->decimals, (uintmax_t)(field->number % scale), field->unit)
            : snprintf(text, sizeof(text), "%ju%s", (uintmax_t)field->number, field->unit);
    put(line, text, length > 0 ? (size_t)length : 0);
}

static void put_field(struct line *line, const struct log_field *field)
{
    put(line, " ", 1);
    put_string(line, field->key);
    put(line, "=", 1);
    if (!field->text)
        put_number(line, field);
    else if (is_plain(field->text))
        put_string(line, field->text);
    else
        put_quoted(line, field->text);
}

static void format_event(struct line *line, enum log_level level, const char *event,
                         const struct log_field *fields, size_t count)
{
    line->length = 0;
    put_head(line, level);
    put_string(line, event);
    for (size_t i = 0; i < count; i++)
        put_field(line, &fields[i]);
    line->bytes[line->length++] = '\n';
}

/* Writes what can be written: all, unless there is an error that waiting does not mend. */
static size_t write_out(const char *bytes, size_t length)
{
    size_t done = 0;
    while (done < length) {
        ssize_t written = write(STDERR_FILENO, bytes + done, length - done);
        if (written > 0)
            done += (size_t)written;
        else if (written < 0 && (errno == EAGAIN || errno == EINTR))
            /* Somebody made stderr non-blocking; this thread has all the time in the world. */
            nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
        else
            break;
    }
    return done;
}

static bool ring_append(const struct line *line)
{
    if (line->length > RING_SIZE - ring.length)
        return false;
    size_t at = (ring.start + ring.length) % RING_SIZE;
    size_t first = line->length < RING_SIZE - at ? line->length : RING_SIZE - at;
    memcpy(ring.bytes + at, line->bytes, first);
    memcpy(ring.bytes, line->bytes + first, line->length - first);
    ring.length += line->length;
    return true;
}

/*
 * Writes a piece of the ring from where it lies, and without the mutex: nobody else takes anything
 * out. Whether it was written whole.
 */
static bool write_piece(void)
{
    const char *bytes = ring.bytes + ring.start;
    size_t length = ring.length < PIECE_SIZE ? ring.length : PIECE_SIZE;
    if (length > RING_SIZE - ring.start)
        length = RING_SIZE - ring.start;
    pthread_mutex_unlock(&ring.mutex);
    size_t done = write_out(bytes, length);
    pthread_mutex_lock(&ring.mutex);
    ring.start = (ring.start + done) % RING_SIZE;
    ring.length -= done;
    return done == length;
}

/* Closes the gap by a line that says how large it is: when the ring is empty, so once a gap. */
static void append_dropped(void)
{
    struct line line;
    struct log_field count = log_number("count", ring.dropped);
    format_event(&line, LOG_WARNING, "log-dropped", &count, 1);
    if (ring_append(&line))
        ring.dropped = 0;
}

static void *run_writer(void *unused)
{
    bool works = true; /* after an error the next try waits for the next event */
    (void)unused;
    pthread_mutex_lock(&ring.mutex);
    for (;;) {
        if (ring.length == 0 && ring.dropped > 0)
            append_dropped();
        if (ring.length > 0 && works) {
            works = write_piece();
        } else if (ring.stopping) {
            break;
        } else {
            pthread_cond_wait(&ring.filled, &ring.mutex);
            works = true;
        }
    }
    ring.ended = true;
    pthread_cond_signal(&ring.end);
    pthread_mutex_unlock(&ring.mutex);
    return NULL;
}

int log_start(void)
{
    int error = thread_condition_init(&ring.end);
    if (!error)
        error = thread_start(&ring.writer, run_writer, NULL);
    ring.running = error == 0;
    return error;
}

void log_stop(void)
{
    struct timespec until;
    pthread_mutex_lock(&ring.mutex);
    if (!ring.running) {
        pthread_mutex_unlock(&ring.mutex);
        return;
    }
    ring.stopping = true;
    pthread_cond_signal(&ring.filled);
    bool timed_out = clock_gettime(CLOCK_MONOTONIC, &until) < 0;
    until.tv_sec += STOP_PATIENCE;
    while (!ring.ended && !timed_out)
        timed_out = pthread_cond_timedwait(&ring.end, &ring.mutex, &until) != 0;
    ring.running = false;
    pthread_mutex_unlock(&ring.mutex);
    /* A writer that hangs in write(2) is left behind: the process is about to end. */
    if (timed_out)
        pthread_detach(ring.writer);
    else
        pthread_join(ring.writer, NULL);
}

void log_set_level(enum log_level level)
{
    atomic_store_explicit(&threshold, level, memory_order_relaxed);
}

bool log_enabled(enum log_level level)
{
    return (int)level <= atomic_load_explicit(&threshold, memory_order_relaxed);
}

static void emit(const struct line *line)
{
    pthread_mutex_lock(&ring.mutex);
    bool queued = ring.running;
    /* While a gap is open nothing is let in behind it, so that the count stands where it belongs.
     */
    if (queued && (ring.dropped > 0 || !ring_append(line)))
        ring.dropped++;
    if (queued)
        pthread_cond_signal(&ring.filled);
    pthread_mutex_unlock(&ring.mutex);
    if (!queued)
        (void)write_out(line->bytes, line->length);
}

void log_fields(enum log_level level, const char *event, const struct log_field *fields,
                size_t count)
{
    struct line line;
    if (!log_enabled(level))
        return;
    format_event(&line, level, event, fields, count);
    emit(&line);
}

void log_plain(enum log_level level, const char *text)
{
    struct line line = {.length = 0};
    if (goes_to_journal())
        put_priority(&line, level);
    put_string(&line, text);
    line.bytes[line.length++] = '\n';
    emit(&line);
}
