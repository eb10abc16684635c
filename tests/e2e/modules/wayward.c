/*
 * wayward.c - a protocol for the tests of the watchdog and of signals. In the callback that its
 * option `where` names it makes the file `until`.reached, then opens the fifo `until`, and so hangs
 * until a test opens the other end.
 * So it does when it is loaded, with the fifo that WAYWARD_LOADED names.
 * Being configured, it sends its own process the signal `raise`, once in its life. It says back
 * what it hears; with RAW defined that is bytes, see wayward_raw.c.
 */
#include <banter/protocol.h>

#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#ifdef RAW
#define FLAGS BANTER_RAW
#define HEAR .data = wayward_data
#else
#define FLAGS 0
#define HEAR .line = wayward_line
#endif

struct settings {
    const char *where;
    const char *until;
    int64_t number;
};

static void await(const char *fifo)
{
    char reached[4096];
    int fd;

    (void)snprintf(reached, sizeof(reached), "%s.reached", fifo);
    fd = open(reached, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    if (fd >= 0)
        close(fd);
    fd = open(fifo, O_RDONLY | O_CLOEXEC);
    if (fd >= 0)
        close(fd);
}

__attribute__((constructor)) static void wayward_loaded(void)
{
    const char *fifo = getenv("WAYWARD_LOADED");

    if (fifo)
        await(fifo);
}

static void visit(const struct settings *settings, const char *where)
{
    if (strcmp(settings->where, where) == 0)
        await(settings->until);
}

static void wayward_configure(struct banter_setup *setup, void *memory)
{
    static const char *const taken[] = {"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID",
                                        "LISTEN_PID",    "LISTEN_FDS",    "LISTEN_FDNAMES"};
    const struct settings *settings = memory;
    static bool raised;

    for (size_t i = 0; i < sizeof(taken) / sizeof(taken[0]); i++)
        if (getenv(taken[i]))
            banter_complain(setup, NULL, 0, "%s is in the environment", taken[i]);
    if (settings->number > 0 && !raised) {
        raised = true;
        (void)kill(getpid(), (int)settings->number);
    }
    visit(settings, "configure");
}

static void wayward_open(struct banter_client *client, void *session)
{
    (void)session;
    visit(banter_settings(client), "open");
}

#ifdef RAW
static void wayward_data(struct banter_client *client, void *session, const char *bytes,
                         size_t length)
{
    (void)session;
    visit(banter_settings(client), "data");
    banter_write(client, bytes, length);
}
#else
static void wayward_line(struct banter_client *client, void *session, const char *line,
                         size_t length)
{
    (void)session;
    (void)length;
    visit(banter_settings(client), "line");
    banter_say(client, line);
}
#endif

static void wayward_writable(struct banter_client *client, void *session)
{
    (void)session;
    visit(banter_settings(client), "writable");
}

static void wayward_close(struct banter_client *client, void *session, enum banter_reason reason)
{
    (void)session;
    (void)reason;
    visit(banter_settings(client), "close");
}

static const struct banter_option options[] = {
    {"where", BANTER_STRING, offsetof(struct settings, where), "nowhere", 0, 0, NULL, "hangs here"},
    {"until", BANTER_STRING, offsetof(struct settings, until), "", 0, 0, NULL, "a fifo"},
    {"raise", BANTER_NUMBER, offsetof(struct settings, number), "0", 0, 64, NULL, "a signal"},
};

BANTER_PROTOCOL(wayward) = {
    BANTER_ABI,
    .name = "wayward",
    .summary = "hangs where it is told to",
    .flags = FLAGS,
    .options = options,
    .option_count = sizeof(options) / sizeof(options[0]),
    .settings_size = sizeof(struct settings),
    .configure = wayward_configure,
    .open = wayward_open,
    HEAR,
    .writable = wayward_writable,
    .close = wayward_close,
};
