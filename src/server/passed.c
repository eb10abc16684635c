/* server/passed.c - see passed.h. */
#include "server/passed.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config/config.h"
#include "net/endpoint.h"
#include "text/quantity.h"
#include "text/report.h"

/* The first descriptor that is passed, SD_LISTEN_FDS_START of sd_listen_fds(3). */
#define FIRST 3

/* What sd_listen_fds_with_names(3) calls a socket when nobody has named any. */
#define UNNAMED "unknown"

/* Whom a message is about that no file is to blame for. */
#define MANAGER "service manager"

/* 0 where nothing was passed to this process; -1: reported. */
static int64_t count_passed(const char *pid, const char *fds, struct report *report)
{
    int64_t process, count;
    if (!pid || !fds)
        return 0;
    if (number_parse(pid, &process) != 0) {
        report_add(report, MANAGER, 0, "LISTEN_PID=%s is not a number", pid);
        return -1;
    }
    if (process != getpid())
        return 0;
    if (number_parse(fds, &count) != 0) {
        report_add(report, MANAGER, 0, "LISTEN_FDS=%s is not a number", fds);
        return -1;
    }
    for (int64_t i = 0; i < count; i++)
        if (fcntl((int)(FIRST + i), F_SETFD, FD_CLOEXEC) < 0) {
            report_add(report, MANAGER, 0, "LISTEN_FDS=%s, but descriptor %d is not open", fds,
                       (int)(FIRST + i));
            return -1;
        }
    return count;
}

/* Gives each socket its name; a list of names has as many as there are sockets. */
static bool name_sockets(struct passed *passed, struct report *report)
{
    char *rest = passed->names;
    size_t named = 0;
    for (char *name = strsep(&rest, ":"); name; name = strsep(&rest, ":")) {
        if (named < passed->count)
            passed->sockets[named].name = name;
        named++;
    }
    if (!passed->names || named == passed->count)
        return true;
    report_add(report, MANAGER, 0, "LISTEN_FDNAMES has %zu names for %zu sockets", named,
               passed->count);
    return false;
}

static bool take(struct passed *passed, size_t count, const char *names, struct report *report)
{
    passed->sockets = calloc(count, sizeof(*passed->sockets));
    passed->names = names ? strdup(names) : NULL;
    if (!passed->sockets || (names && !passed->names)) {
        report_add(report, MANAGER, 0, "%s", strerror(ENOMEM));
        report_cause(report, ENOMEM);
        return false;
    }
    passed->count = count;
    for (size_t i = 0; i < count; i++)
        passed->sockets[i] = (struct passed_socket){.name = UNNAMED, .fd = FIRST + (int)i};
    return name_sockets(passed, report);
}

bool passed_take(struct passed *passed, struct report *report)
{
    int64_t count = count_passed(getenv("LISTEN_PID"), getenv("LISTEN_FDS"), report);
    bool taken =
        count == 0 || (count > 0 && take(passed, (size_t)count, getenv("LISTEN_FDNAMES"), report));
    unsetenv("LISTEN_PID");
    unsetenv("LISTEN_FDS");
    unsetenv("LISTEN_FDNAMES");
    return taken;
}

bool passed_adopt(struct passed *passed, unsigned workers, struct report *report)
{
    bool all = true;
    for (size_t i = 0; i < passed->count; i++) {
        struct passed_socket *socket = &passed->sockets[i];
        const char *why;
        int error = endpoint_adopt(socket->fd, workers, &socket->endpoint, &why);
        if (!error) {
            socket->fd = -1;
        } else {
            report_add(report, MANAGER, 0, "the passed socket '%s' cannot be used: %s",
                       socket->name, why);
            report_cause(report, -error);
            all = false;
        }
    }
    return all;
}

static bool has_listener(const struct config *config, const char *name)
{
    for (size_t i = 0; i < config->listener_count; i++)
        if (strcmp(config->listeners[i].name, name) == 0)
            return true;
    return false;
}

/* The names of all listeners, as far as they fit. */
static void list_listeners(const struct config *config, char *text, size_t size)
{
    size_t length = 0;
    *text = '\0';
    for (size_t i = 0; i < config->listener_count && length < size; i++)
        length += (size_t)snprintf(text + length, size - length, "%s%s", i > 0 ? ", " : "",
                                   config->listeners[i].name);
}

bool passed_check(const struct passed *passed, const struct config *config, struct report *report)
{
    char known[512];
    bool all = true;
    list_listeners(config, known, sizeof(known));
    for (size_t i = 0; i < passed->count; i++) {
        const struct passed_socket *socket = &passed->sockets[i];
        if (has_listener(config, socket->name))
            continue;
        report_add(report, config->path, 0,
                   "no listener has the name '%s' of the passed socket %s; "
                   "do not pass it, or name it by FileDescriptorName= or --fdname=: %s",
                   socket->name, socket->endpoint->name, known);
        all = false;
    }
    return all;
}

size_t passed_count(const struct passed *passed, const char *listener)
{
    size_t count = 0;
    for (size_t i = 0; i < passed->count; i++)
        count += strcmp(passed->sockets[i].name, listener) == 0;
    return count;
}

void passed_free(struct passed *passed)
{
    for (size_t i = 0; i < passed->count; i++) {
        endpoint_free(passed->sockets[i].endpoint);
        if (passed->sockets[i].fd >= 0)
            close(passed->sockets[i].fd);
    }
    free(passed->sockets);
    free(passed->names);
    *passed = (struct passed){0};
}
