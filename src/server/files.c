/* server/files.c - see files.h. */
#include "server/files.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "config/config.h"
#include "ops/log.h"
#include "server/passed.h"

/* stderr, protocol objects, files read at a reload, an event base's own; and a worker's: epoll, the
 * two of libevent's pipe, the mailbox, the timer. */
#define FILES_BESIDES 32
#define FILES_A_WORKER 5

static rlim_t count_wanted(const struct config *config, const struct passed *passed,
                           unsigned workers)
{
    rlim_t endpoints = passed->count;
    for (size_t i = 0; i < config->listener_count; i++)
        if (passed_count(passed, config->listeners[i].name) == 0)
            endpoints += config->listeners[i].address_count;
    return (rlim_t)config->max_clients + (endpoints + FILES_A_WORKER) * workers + FILES_BESIDES;
}

rlim_t files_raise_limit(const struct config *config, const struct passed *passed, unsigned workers)
{
    rlim_t wanted = count_wanted(config, passed, workers);
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
        return 0;
    rlim_t possible = wanted < limit.rlim_max ? wanted : limit.rlim_max;
    if (limit.rlim_cur < possible) {
        limit.rlim_cur = possible;
        if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
            log_event(LOG_WARNING, "file-limit", log_number("wanted", wanted),
                      log_text("error", strerror(errno)));
    }
    if (possible < wanted)
        log_event(LOG_WARNING, "file-limit", log_number("wanted", wanted),
                  log_number("got", possible));
    return possible;
}

void files_make_room(rlim_t files)
{
    int highest = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, (int)files - 1);
    if (highest >= 0)
        close(highest);
}
