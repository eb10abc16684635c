/* ops/notify.c - see notify.h. What `manager` has is set at the start, and only read later. */
#include "ops/notify.h"

#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "ops/clock.h"
#include "ops/log.h"
#include "text/quantity.h"
#include "text/utf8.h"

/* A service manager that is busy does not read at once; that is logged when it lasts so long. */
#define BUSY_MS 5000

/* A year, in microseconds; what is beyond is a mistake. */
#define LONGEST_WATCHDOG (INT64_C(365) * 24 * 60 * 60 * 1000000)

static struct {
    int fd; /* -1: nobody listens */
    struct sockaddr_un address;
    socklen_t length;
    uint64_t watchdog;
} manager = {.fd = -1};

/* Messages that were not taken, since the last one that was. */
static struct {
    pthread_mutex_t mutex;
    int64_t since; /* 0: there are none */
    bool logged;
} failing = {.mutex = PTHREAD_MUTEX_INITIALIZER};

static void note_success(void)
{
    pthread_mutex_lock(&failing.mutex);
    failing.since = 0;
    failing.logged = false;
    pthread_mutex_unlock(&failing.mutex);
}

static void note_failure(int error)
{
    int64_t now = clock_now();
    pthread_mutex_lock(&failing.mutex);
    if (failing.since == 0)
        failing.since = now;
    bool counts = error != EAGAIN || now - failing.since >= BUSY_MS;
    bool log = counts && !failing.logged;
    failing.logged |= counts;
    pthread_mutex_unlock(&failing.mutex);
    if (log)
        log_event(LOG_WARNING, "notify-failed", log_text("error", strerror(error)));
}

/* A path, or `@` and an abstract name. 0 or -errno. */
static int parse_address(const char *name)
{
    size_t length = strlen(name);
    if ((*name != '/' && *name != '@') || length < 2)
        return -EAFNOSUPPORT;
    if (*name == '/')
        length++; /* a path has its NUL, an abstract name has none */
    if (length > sizeof(manager.address.sun_path))
        return -ENAMETOOLONG;
    manager.address.sun_family = AF_UNIX;
    memcpy(manager.address.sun_path, name, length);
    if (*name == '@')
        manager.address.sun_path[0] = '\0';
    manager.length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length);
    return 0;
}

static int open_socket(void)
{
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    manager.fd = fd;
    return 0;
}

/* sd_watchdog_enabled(3): the time counts if it is meant for this process, or for none by name. */
static bool parse_watchdog(const char *usec, const char *pid)
{
    int64_t time, process;
    if (!usec)
        return true;
    if (number_parse(usec, &time) != 0 || time == 0 || time > LONGEST_WATCHDOG)
        return false;
    if (pid && number_parse(pid, &process) != 0)
        return false;
    if (!pid || process == getpid())
        manager.watchdog = (uint64_t)time;
    return true;
}

void notify_start(void)
{
    const char *name = getenv("NOTIFY_SOCKET");
    if (name && *name) {
        int error = parse_address(name);
        if (!error)
            error = open_socket();
        if (error)
            log_event(LOG_WARNING, "notify-failed", log_text("socket", name),
                      log_text("error", strerror(-error)));
    }
    const char *usec = getenv("WATCHDOG_USEC");
    if (!parse_watchdog(usec, getenv("WATCHDOG_PID")))
        log_event(LOG_WARNING, "notify-failed", log_text("watchdog", usec),
                  log_text("error", "WATCHDOG_USEC or WATCHDOG_PID is no such number"));
    unsetenv("NOTIFY_SOCKET");
    unsetenv("WATCHDOG_USEC");
    unsetenv("WATCHDOG_PID");
}

void notify_stop(void)
{
    if (manager.fd >= 0)
        close(manager.fd);
    manager.fd = -1;
}

bool notify_enabled(void)
{
    return manager.fd >= 0;
}

uint64_t notify_watchdog(void)
{
    return notify_enabled() ? manager.watchdog : 0;
}

bool notify_send(const char *format, ...)
{
    char message[NOTIFY_MESSAGE];
    va_list arguments;
    if (!notify_enabled())
        return true;
    va_start(arguments, format);
    int length = vsnprintf(message, sizeof(message), format, arguments);
    va_end(arguments);
    if (length < 0)
        return false;
    if ((size_t)length >= sizeof(message))
        length = (int)sizeof(message) - 1;
    if (sendto(manager.fd, message, (size_t)length, MSG_NOSIGNAL | MSG_DONTWAIT,
               (const struct sockaddr *)&manager.address, manager.length) < 0) {
        note_failure(errno);
        return false;
    }
    note_success();
    return true;
}

/* U+FDD0 to U+FDEF, and the last two of each plane; systemd counts them as not UTF-8. */
static bool is_noncharacter(uint32_t character)
{
    return (character >= 0xfdd0 && character <= 0xfdef) || (character & 0xfffe) == 0xfffe;
}

void notify_clean(char *text)
{
    const char *end = text + strlen(text);
    while (text < end) {
        uint32_t character;
        size_t length = utf8_decode(text, (size_t)(end - text), &character);
        if (length == 0 || is_noncharacter(character)) {
            length = length ? length : 1;
            memset(text, '?', length);
        } else if (character < ' ' || character == 0x7f) {
            *text = ' ';
        }
        text += length;
    }
}
