/* server/files.c - see files.h. */
#include "server/files.h"

#include <errno.h>
#include <string.h>
#include <sys/resource.h>

#include "ops/log.h"

/* stderr, protocol objects, files read at a reload, an event base's own. */
#define FILES_BESIDES 32
#define FILES_A_WORKER 4

void files_raise_limit(int64_t max_clients, size_t endpoints, unsigned workers)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
        return;
    rlim_t wanted = limit.rlim_max;
    if (max_clients > 0)
        wanted = (rlim_t)max_clients + endpoints * workers + (rlim_t)workers * FILES_A_WORKER +
                 FILES_BESIDES;
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
}
